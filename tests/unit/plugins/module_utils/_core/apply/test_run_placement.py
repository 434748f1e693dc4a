# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Applying what moves the replicas of a running model between the workers of a cluster."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.inferops.xinference.plugins.module_utils._core.plan.plan import PlanOptions
from ansible_collections.inferops.xinference.tests.unit.plugins.module_utils._core.fake_server import FakeServer
from ansible_collections.inferops.xinference.tests.unit.plugins.module_utils._core.plan_runner import Run, entry_of, llm, reach, record_of, refused

ONE, TWO, THREE = "worker-1:30001", "worker-2:30001", "worker-3:30001"
NAMES = ["worker-1", "worker-2", "worker-3"]
SCALING = PlanOptions(scaling=True, autostart=True)


def on(*workers: int, **fields: Any) -> dict[str, Any]:
    """A model that is declared on these workers."""
    return llm("chat", workers=[f"worker-{number}" for number in workers], **fields)


def cluster(*addresses: str, item: dict[str, Any] | None = None) -> FakeServer:
    """A supervisor with its workers, on which a model runs."""
    server = FakeServer(cluster=list(addresses or (ONE, TWO, THREE)))
    (result,) = reach(server, item or on(1, 2, replica=2), choices=SCALING).values()
    assert (result.result, result.state) == ("launched", "ready")
    return server


def places(server: FakeServer) -> dict[int, str]:
    """Where each replica runs."""
    return {one.number: one.worker for one in server.models["chat"].replicas}


def moved(server: FakeServer) -> list[tuple[str, Any]]:
    """What was asked for, without what is written down about it."""
    return [call for call in server.writes() if call[0] in ("launch", "terminate", "add_replicas", "remove_replica")]


def test_a_launch_brings_replicas_to_their_workers() -> None:
    assert places(cluster()) == {0: ONE, 1: TWO}
    assert not Run(cluster(), on(1, 2, replica=2), choices=SCALING).plan.changed


@pytest.mark.parametrize("wait", [True, False])
def test_replicas_are_added_by_address_before_others_are_removed(wait: bool) -> None:
    server = cluster()
    created = server.models["chat"].created
    (result,) = reach(server, on(2, 3, replica=2), choices=SCALING, wait=wait).values()
    assert (result.result, result.changed, result.state) == ("scaled", True, "ready")
    assert result.drift == {"workers": {"declared": "worker-2, worker-3", "running": "worker-1, worker-2"}}
    assert moved(server) == [("add_replicas", ("chat", 1, THREE)), ("remove_replica", ("chat", 0))]
    assert places(server) == {1: TWO, 2: THREE}
    assert server.models["chat"].created == created
    # What comes next starts from what was asked for last.
    record, entry = record_of(server, "chat"), entry_of(server, "chat")
    assert record is not None
    assert record.request["worker_ip"] == "worker-2,worker-3"
    assert entry is not None
    assert entry.launch is not None
    assert entry.launch["worker_ip"] == "worker-2,worker-3"
    assert not Run(server, on(2, 3, replica=2), choices=SCALING).plan.changed


def test_the_model_serves_while_all_of_it_moves() -> None:
    server = cluster(item=on(1))
    served: list[bool] = []
    for seconds in range(1, 20):
        server.clock.after(seconds, lambda: served.append("chat" in server.ready()))
    reach(server, on(3), choices=SCALING)
    assert moved(server) == [("add_replicas", ("chat", 1, THREE)), ("remove_replica", ("chat", 0))]
    assert places(server) == {1: THREE}
    assert served
    assert all(served)


def test_each_worker_gets_as_many_as_it_lacks() -> None:
    server = cluster()
    (result,) = reach(server, on(1, 2, 3, replica=6), choices=SCALING).values()
    assert result.result == "scaled"
    assert moved(server) == [("add_replicas", ("chat", 1, address)) for address in (ONE, TWO, THREE, THREE)]
    assert sorted(places(server).values()) == [ONE, ONE, TWO, TWO, THREE, THREE]


def test_fewer_replicas_are_taken_from_who_has_too_many_and_no_worker_is_asked_for() -> None:
    server = cluster(item=on(1, 2, replica=4))
    assert places(server) == {0: ONE, 1: ONE, 2: TWO, 3: TWO}
    (result,) = reach(server, on(1, 2, replica=2), choices=SCALING).values()
    assert result.result == "scaled"
    assert moved(server) == [("remove_replica", ("chat", 1)), ("remove_replica", ("chat", 3))]
    assert "status" not in [name for name, _argument in server.calls]


def test_a_replica_that_a_worker_lost_comes_back_to_it() -> None:
    server = cluster()
    server.leave(TWO)()
    server.cluster.append(TWO)
    (result,) = reach(server, on(1, 2, replica=2), choices=SCALING).values()
    assert result.result == "scaled"
    assert moved(server) == [("add_replicas", ("chat", 1, TWO))]
    assert sorted(places(server).values()) == [ONE, TWO]


def test_a_worker_that_has_not_joined_is_named_and_nothing_is_removed() -> None:
    server = cluster(ONE, TWO)
    entry, record = entry_of(server, "chat"), record_of(server, "chat")
    results = reach(server, on(2, 3, replica=2), llm("other"), choices=SCALING)
    chat = results["chat"]
    assert (chat.result, chat.changed, chat.state) == ("failed", False, "ready")
    assert chat.message == "worker worker-3 has not joined the cluster, so its replica is not there"
    assert [call for call in moved(server) if call[0] != "launch"] == []
    assert places(server) == {0: ONE, 1: TWO}
    # What was applied is still what was applied before, so that the next run tries again.
    assert (entry_of(server, "chat"), record_of(server, "chat")) == (entry, record)
    assert Run(server, on(2, 3, replica=2), choices=SCALING).plan.actions[0].kind == "scale"
    # And the others are not kept waiting.
    assert results["other"].result == "launched"


def test_what_was_added_before_a_worker_was_missed_is_not_added_again() -> None:
    server = cluster(ONE, TWO, item=on(1, replica=2))
    for _run in range(2):
        (result,) = reach(server, on(2, 3, replica=2), choices=SCALING).values()
        assert (result.result, result.state) == ("failed", "ready")
        assert sorted(places(server).values()) == [ONE, ONE, TWO]
    server.join(THREE)()
    (result,) = reach(server, on(2, 3, replica=2), choices=SCALING).values()
    assert result.result == "scaled"
    assert sorted(places(server).values()) == [TWO, THREE]


def test_a_worker_that_goes_meanwhile_is_the_server_s_refusal_and_nothing_is_removed() -> None:
    server = cluster()
    status = server.status

    def status_before_it_went() -> Any:
        answer = status()
        server.leave(THREE)()
        return answer

    server.status = status_before_it_went  # type: ignore[method-assign, assignment]
    (result,) = reach(server, on(2, 3, replica=2), choices=SCALING).values()
    assert (result.result, result.state) == ("failed", "ready")
    assert result.message.endswith(f"Worker ip address {THREE} is not in the cluster.")
    assert [name for name, _argument in moved(server)] == ["add_replicas"]
    assert places(server) == {0: ONE, 1: TWO}


def test_what_the_server_refuses_to_add_ends_the_move_of_that_model_only() -> None:
    server = cluster()
    server.fail_next("add_replicas", refused("No available slot found for the model", 503))
    results = reach(server, on(3, replica=2), llm("other"), choices=SCALING)
    assert (results["chat"].result, results["chat"].state) == ("failed", "ready")
    assert results["chat"].message.endswith("503: No available slot found for the model")
    # The second one is not asked for, and none goes.
    assert [name for name, _argument in moved(server) if name != "launch"] == ["add_replicas"]
    assert places(server) == {0: ONE, 1: TWO}
    assert results["other"].result == "launched"


def test_what_the_server_refuses_to_remove_is_named_and_the_others_go() -> None:
    server = cluster(item=on(1, replica=2))
    server.fail_next("remove_replica", refused("busy", 500))
    (result,) = reach(server, on(2, replica=2), choices=SCALING).values()
    assert (result.result, result.changed, result.state) == ("failed", True, "ready")
    assert result.message.endswith("500: busy")
    assert places(server) == {0: ONE, 2: TWO, 3: TWO}
    # The next run takes away what is left.
    (result,) = reach(server, on(2, replica=2), choices=SCALING).values()
    assert (result.result, moved(server)) == ("scaled", [("remove_replica", ("chat", 0))])


def test_a_server_that_cannot_say_who_has_joined_keeps_no_other_model_from_its_turn() -> None:
    server = cluster()
    server.fail_next("status", refused("out of order", 500))
    results = reach(server, on(2, 3, replica=2), llm("other"), choices=SCALING)
    assert (results["chat"].result, results["chat"].state) == ("failed", "ready")
    assert results["chat"].message.endswith("500: out of order")
    assert moved(server) == [("launch", server.models["other"].request)]
    assert results["other"].result == "launched"


def test_a_model_that_names_no_workers_is_counted_as_before() -> None:
    server = cluster(item=llm("chat", replica=2))
    reach(server, llm("chat", replica=3), choices=SCALING)
    assert moved(server) == [("add_replicas", ("chat", 1))]
    reach(server, llm("chat", replica=1), choices=SCALING)
    assert moved(server) == [("remove_replica", ("chat", 2)), ("remove_replica", ("chat", 1))]


def test_how_far_it_is_is_reported_only_while_replicas_are_added() -> None:
    server = cluster()
    states: list[str] = []
    reach(server, on(2, 3, replica=2), choices=SCALING, report=lambda uid, state, answer, seconds: states.append(state))
    assert states == ["scaling", "smoke test", "ready"]
    states.clear()
    reach(server, on(2, replica=1), choices=SCALING, report=lambda uid, state, answer, seconds: states.append(state))
    assert states == ["smoke test", "ready"]
