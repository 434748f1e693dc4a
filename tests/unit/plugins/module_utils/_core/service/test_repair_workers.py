# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keeping the models of a cluster: its workers come and go, and each brings back what it ran."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

import pytest

from ansible_collections.inferops.xinference.plugins.module_utils._core.apply.run import apply_plan
from ansible_collections.inferops.xinference.plugins.module_utils._core.declaration.check import parse_models
from ansible_collections.inferops.xinference.plugins.module_utils._core.plan.plan import PlanOptions
from ansible_collections.inferops.xinference.plugins.module_utils._core.reconcile import reconcile as pipeline
from ansible_collections.inferops.xinference.plugins.module_utils._core.reconcile.options import ReconcileOptions
from ansible_collections.inferops.xinference.plugins.module_utils._core.service.loop import Watcher
from ansible_collections.inferops.xinference.plugins.module_utils._core.service.stored import Declaration
from ansible_collections.inferops.xinference.tests.unit.plugins.module_utils._core.fake_server import FakeServer
from ansible_collections.inferops.xinference.tests.unit.plugins.module_utils._core.plan_runner import llm, written

ONE, TWO = "worker-1:30001", "worker-2:30001"
NAMES = ("worker-1", "worker-2")
CHAT = llm("chat", workers=list(NAMES), replica=2)
#: Seconds after which workers of a new supervisor, and replicas of one that left, are waited for no more.
JOINING, RETURNING = 90, 60
#: Seconds between two comparisons of everything, while all is well.
WHOLE = 60


@pytest.fixture(autouse=True)
def the_server_s_own_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test waits for real."""
    real = apply_plan
    monkeypatch.setattr(pipeline, "apply_plan", lambda plan, client, *given: real(plan, client, *given, clock=client.clock, sleep=client.clock.sleep))


class Stage:
    """A watcher in front of the supervisor of a cluster that is to have these workers."""

    def __init__(self, server: FakeServer, *items: dict[str, Any], workers: tuple[str, ...] = NAMES, **choices: Any) -> None:
        self.server = server
        self.lines: list[str] = []
        options = ReconcileOptions(PlanOptions(**{"autostart": False, "on_drift": "relaunch", **choices}), workers=workers)
        declaration = Declaration(tuple(parse_models(list(items or (CHAT,)))), options, "http://fake")
        self.watcher = Watcher(lambda: server, lambda: declaration, self.lines.append, lock=nullcontext, clock=server.clock)

    def run(self, seconds: float) -> Stage:
        """Let the watcher poll for a time."""
        end = self.server.clock() + seconds
        while self.server.clock() < end:
            self.server.clock.sleep(self.watcher.poll())
        return self

    def until(self, call: str, seconds: float = 600.0) -> float:
        """Seconds until a call was made."""
        begun = self.server.clock()
        while call not in written(self.server):
            assert self.server.clock() - begun < seconds, (written(self.server), self.lines)
            self.server.clock.sleep(self.watcher.poll())
        return self.server.clock() - begun


def cluster(*workers: str, uptime: float = 1000.0, **options: Any) -> FakeServer:
    """A supervisor that was started so many seconds ago, with the workers that have joined."""
    server = FakeServer(cluster=list(workers), with_autostart=False, **options)
    server.began = server.clock() - uptime
    return server


def settled(server: FakeServer, *items: dict[str, Any], **choices: Any) -> Stage:
    """A stage on which all is well, and what was asked before is forgotten."""
    stage = Stage(server, *items, **choices).run(60)
    assert stage.watcher.ready, stage.lines
    server.calls.clear()
    return stage


def places(server: FakeServer) -> list[str]:
    """Where the replicas of the model run."""
    return sorted(one.worker for one in server.models["chat"].replicas)


# A supervisor that has just started.


def test_nothing_is_launched_while_a_worker_is_on_its_way_to_a_new_supervisor() -> None:
    server = cluster(ONE, uptime=5)
    # It brings the model that it still runs.
    server.clock.after(40, server.join(TWO))
    server.clock.after(40, lambda: server.run("chat", model_engine="llama.cpp", replica=2, worker_ip=",".join(NAMES)))
    stage = Stage(server).run(80)
    assert written(server) == []
    assert stage.watcher.ready


def test_what_is_missing_when_all_have_joined_is_launched_at_once() -> None:
    server = cluster(ONE, uptime=5)
    server.clock.after(30, server.join(TWO))
    assert 29 < Stage(server).until("launch") < 35


def test_a_worker_is_not_waited_for_for_ever() -> None:
    server = cluster(ONE, uptime=5)
    assert JOINING - 6 < Stage(server, llm("chat", workers=["worker-1"])).until("launch") < JOINING + 5
    assert places(server) == [ONE]


def test_a_supervisor_that_runs_for_long_waits_for_nobody() -> None:
    server = cluster(ONE, uptime=JOINING)
    assert Stage(server, llm("chat", workers=["worker-1"])).until("launch") < 2


@pytest.mark.parametrize(("workers", "asked"), [((), 1), (NAMES, 2)])
def test_a_server_alone_waits_for_nobody_and_is_not_asked_for_workers(workers: tuple[str, ...], asked: int) -> None:
    server = FakeServer(with_autostart=False) if not workers else cluster(ONE, TWO)
    server.began = server.clock()
    assert Stage(server, llm("chat"), workers=workers).until("launch") < 2
    # Once whether it has a worker at all, as every server is.
    assert [name for name, _argument in server.calls].count("status") == asked


def test_workers_are_known_by_name_whatever_their_port() -> None:
    server = cluster("worker-1:40001", "worker-2:40002", "worker-9:30001", uptime=0)
    assert Stage(server).until("launch") < 2


# A worker that leaves.


def test_replicas_of_a_worker_that_left_are_left_missing_for_a_minute_and_then_made_there_again() -> None:
    server = cluster(ONE, TWO)
    stage = settled(server)
    server.leave(TWO)()
    # Another one under its name comes back without them.
    server._left.clear()
    server.join(TWO)()
    waited = stage.until("add_replicas")
    assert RETURNING <= waited < RETURNING + WHOLE + 5
    assert [call for call in server.writes() if call[0] != "remember"] == [("add_replicas", ("chat", 1, TWO))]
    assert places(server) == [ONE, TWO]
    stage.run(200)
    assert stage.watcher.ready
    assert written(server).count("add_replicas") == 1


def test_a_worker_that_returns_in_time_brings_its_replicas_and_nothing_is_done() -> None:
    server = cluster(ONE, TWO)
    stage = settled(server)
    server.leave(TWO)()
    server.clock.after(RETURNING - 15, server.join(TWO))
    stage.run(400)
    assert written(server) == []
    assert places(server) == [ONE, TWO]
    assert stage.watcher.ready


def test_each_time_that_a_worker_leaves_is_waited_for_anew() -> None:
    server = cluster(ONE, TWO)
    stage = settled(server)
    for _time in range(4):
        server.leave(TWO)()
        stage.run(RETURNING - 15)
        server.join(TWO)()
        stage.run(30)
    assert written(server) == []
    assert stage.watcher.statuses["chat"].away_since == 0


def test_a_worker_that_stays_away_is_named_and_what_is_left_goes_on_to_serve() -> None:
    server = cluster(ONE, TWO)
    stage = settled(server)
    server.leave(TWO)()
    stage.run(400)
    assert written(server) == []
    assert places(server) == [ONE]
    assert stage.watcher.ready
    assert stage.lines.count("not in the cluster: worker-2") == 1
    # However long it was away, one that is back without replicas gets them after the usual time.
    server._left.clear()
    server.join(TWO)()
    waited = stage.until("add_replicas")
    assert RETURNING <= waited < RETURNING + WHOLE + 5
    assert places(server) == [ONE, TWO]
    assert stage.lines.count("all workers are in the cluster") == 1


@pytest.mark.parametrize("choice", ["report", "ignore"])
def test_replicas_are_left_missing_where_that_was_chosen(choice: str) -> None:
    server = cluster(ONE, TWO)
    stage = settled(server, on_drift=choice)
    server.models["chat"].replicas.pop()
    stage.run(600)
    assert written(server) == []


def test_whatever_else_differs_is_not_waited_for() -> None:
    server = cluster(ONE, TWO, load_seconds=1)
    stage = settled(server, {**CHAT, "quantization": "Q4_K_M"})
    other = {**server.models["chat"].request, "quantization": "Q8_0"}
    server.terminate("chat")
    server.run("chat", **other)
    server.models["chat"].replicas.pop()
    server.calls.clear()
    assert stage.until("launch") < 15
    stage.run(60)
    assert server.models["chat"].request["quantization"] == "Q4_K_M"
    assert places(server) == [ONE, TWO]


def test_the_number_of_replicas_alone_is_not_waited_for() -> None:
    """A model that names no workers has none of which it could miss replicas."""
    server = cluster(ONE, TWO)
    stage = settled(server, llm("chat", replica=2))
    server.models["chat"].replicas.pop()
    assert stage.until("add_replicas") < 15
