# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is counted of a model, on a server in memory and in its time."""

from __future__ import annotations

import time
from typing import Any

import pytest

from ansible_collections.inferops.xinference.plugins.module_utils._core.declaration.check import parse_models
from ansible_collections.inferops.xinference.plugins.module_utils._core.plan.plan import PlanOptions
from ansible_collections.inferops.xinference.plugins.module_utils._core.reconcile.options import ReconcileOptions
from ansible_collections.inferops.xinference.plugins.module_utils._core.service.loop import Watcher
from ansible_collections.inferops.xinference.plugins.module_utils._core.service.model_counts import BUCKETS, ModelCounts
from ansible_collections.inferops.xinference.plugins.module_utils._core.service.stored import Declaration
from ansible_collections.inferops.xinference.tests.unit.plugins.module_utils._core.fake_server import FakeServer
from ansible_collections.inferops.xinference.tests.unit.plugins.module_utils._core.plan_runner import gone, llm


def watching(server: FakeServer, *items: dict[str, Any], **choices: Any) -> Watcher:
    """A watcher in front of a server."""
    declaration = Declaration(tuple(parse_models(list(items))), ReconcileOptions(PlanOptions(**{"autostart": True, **choices})), "http://fake")
    return Watcher(lambda: server, lambda: declaration, lambda line: None, clock=server.clock)


def run(watcher: Watcher, server: FakeServer, seconds: float) -> None:
    """Let it poll for a time."""
    end = server.clock() + seconds
    while server.clock() < end:
        server.clock.sleep(watcher.poll())


def test_a_launch_of_the_service() -> None:
    server = FakeServer()
    watcher = watching(server, llm("one"))
    before = time.time()
    run(watcher, server, 70)
    counts = watcher.statuses.counts["one"]
    assert (counts.launches, counts.failures, counts.drift, counts.began) == (1, 0, 0, None)
    assert counts.last is not None
    assert 0 < counts.last < 12
    assert sum(counts.buckets) == 1
    assert counts.seconds == counts.last
    assert counts.answer is not None
    assert 0 <= counts.answer < 600
    assert counts.answered is not None
    assert before <= counts.answered <= time.time()
    assert watcher.connection.workers == 1


def test_what_is_counted_outlives_the_server() -> None:
    server = FakeServer()
    watcher = watching(server, llm("one"))
    run(watcher, server, 70)
    server.restart()
    run(watcher, server, 200)
    counts = watcher.statuses.counts["one"]
    assert sum(counts.buckets) == 2
    assert watcher.ready


def test_tries_that_fail() -> None:
    server = FakeServer(with_autostart=False, broken={"bad": "no such file"}, load_seconds=1)
    watcher = watching(server, llm("good"), llm("bad"))
    run(watcher, server, 100)
    bad = watcher.statuses.counts["bad"]
    assert bad.launches == bad.failures > 1
    assert bad.last is None
    assert watcher.statuses.counts["good"].failures == 0


@pytest.mark.parametrize("on_drift", ["report", "ignore"])
def test_a_model_that_differs_from_its_declaration(on_drift: str) -> None:
    server = FakeServer(with_autostart=False)
    watcher = watching(server, llm("one", quantization="Q4_K_M"), llm("two"), on_drift=on_drift)
    run(watcher, server, 70)
    server.terminate("one")
    server.launch({"model_uid": "one", "model_name": "qwen3", "model_engine": "llama.cpp", "quantization": "Q8_0"})
    run(watcher, server, 130)
    assert watcher.statuses.counts["one"].drift == 1
    assert watcher.statuses.counts["two"].drift == 0


def test_what_is_declared_no_more_is_counted_no_more() -> None:
    server = FakeServer()
    watcher = watching(server, llm("one"), gone("two"))
    run(watcher, server, 70)
    assert set(watcher.statuses.counts) >= {"one"}
    watcher.statuses.declare(["two"])
    assert "one" not in watcher.statuses.counts


@pytest.mark.parametrize(("seconds", "bucket"), [(0.0, 0), (5.0, 0), (5.1, 1), (1800.0, len(BUCKETS) - 1), (1801.0, len(BUCKETS))])
def test_times_are_sorted(seconds: float, bucket: int) -> None:
    counts = ModelCounts()
    counts.loads(100.0)
    # It was seen already.
    counts.loads(101.0)
    counts.answers(100.0 + seconds, None)
    assert [number for number, count in enumerate(counts.buckets) if count] == [bucket]
    assert counts.answered is None
    # Without a launch there is no time of one.
    counts.answers(5000.0, 1.5)
    assert sum(counts.buckets) == 1
    assert counts.answer == 1.5


def test_a_launch_that_failed_is_no_launch_that_took_long() -> None:
    counts = ModelCounts()
    counts.launched(0.0)
    counts.failed()
    counts.launched(1000.0)
    counts.answers(1004.0, None)
    assert counts.last == pytest.approx(4.0)
    counts.launched(2000.0)
    counts.gone()
    assert counts.began is None
