# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The workers of a model in the plan: where its replicas really run is compared, and what differs is moved while it serves."""

from __future__ import annotations

from typing import Any, cast

import pytest

from ansible_collections.inferops.xinference.plugins.module_utils._core.declaration.fields import FIELDS
from ansible_collections.inferops.xinference.plugins.module_utils._core.declaration.model import DeclaredModel
from ansible_collections.inferops.xinference.plugins.module_utils._core.observed.last_applied import Applied, cleaned
from ansible_collections.inferops.xinference.plugins.module_utils._core.observed.models import Observed, ObservedModel
from ansible_collections.inferops.xinference.plugins.module_utils._core.plan.drift import drift, unverified
from ansible_collections.inferops.xinference.plugins.module_utils._core.plan.plan import Action, PlanOptions, make_plan
from ansible_collections.inferops.xinference.plugins.module_utils._core.server.rows import ModelRow


def declared(**fields: Any) -> DeclaredModel:
    """A declared model, on two workers."""
    given = {"name": "qwen3", "engine": "llama.cpp", "workers": ["worker-1", "worker-2"], "replica": 2, **fields}
    return DeclaredModel("chat", "present", {name: FIELDS[name].check(value) for name, value in given.items()})


def running(*workers: str, **reported: Any) -> ObservedModel:
    """A model whose replicas run on these workers."""
    spec = {"model_name": "qwen3", "model_type": "LLM", "model_engine": "llama.cpp", "replica": len(workers) or 2, **reported}
    numbers = tuple(range(len(workers)))
    return ObservedModel("chat", "ready", cast(ModelRow, spec), replicas=numbers, places={number: f"{workers[number]}:30001" for number in numbers})


def applied(model: DeclaredModel, **changes: Any) -> Applied:
    """What a model was launched with."""
    return Applied(cleaned({**model.launch_request(), **changes}), "record")


def only(model: DeclaredModel, runs: ObservedModel, launched: Applied | None = None, **choices: Any) -> Action:
    """The action about the one model."""
    observed = Observed({"chat": runs}, applied={} if launched is None else {"chat": launched})
    (action,) = make_plan([model], observed, PlanOptions(**choices)).actions
    return action


# What differs.


@pytest.mark.parametrize(
    ("places", "text"),
    [
        (("worker-1", "worker-2"), None),
        (("worker-2", "worker-1"), None),
        (("worker-1", "worker-1"), "worker-1 (2 replicas)"),
        (("worker-1", "worker-3"), "worker-1, worker-3"),
        (("worker-1",), "worker-1"),
        (("worker-1", "worker-2", "worker-2"), "worker-1, worker-2 (2 replicas)"),
    ],
)
@pytest.mark.parametrize("recorded", ["worker-1,worker-2", "worker-3", None])
def test_where_replicas_really_run_counts_and_not_where_they_were_launched(places: tuple[str, ...], text: str | None, recorded: str | None) -> None:
    model = declared()
    found = drift(model, running(*places), applied(model, worker_ip=recorded))
    assert found.get("workers") == (text and {"declared": "worker-1, worker-2", "running": text})
    assert ("replica" in found) is (len(places) != 2)
    assert set(found) <= {"workers", "replica"}


def test_the_one_replica_may_run_on_any_of_its_workers() -> None:
    model = declared(replica=1)
    assert [drift(model, running(worker)) for worker in ("worker-1", "worker-2")] == [{}, {}]
    assert drift(model, running("worker-3")) == {"workers": {"declared": "worker-1, worker-2", "running": "worker-3"}}


def test_workers_that_were_not_declared_by_name_are_not_compared_with_places() -> None:
    addressed = DeclaredModel("chat", "present", {"name": "qwen3", "engine": "llama.cpp", "worker_ip": "10.0.0.5", "replica": 2})
    anywhere = DeclaredModel("chat", "present", {"name": "qwen3", "engine": "llama.cpp", "replica": 2})
    for model in (addressed, anywhere):
        assert drift(model, running("worker-1", "worker-1"), applied(model)) == {}
    assert unverified(addressed, running("worker-1", "worker-1"), None) == ("worker_ip",)


def test_where_no_places_are_known_the_launch_counts() -> None:
    model = declared()
    assert drift(model, running(), applied(model)) == {}
    assert drift(model, running(), applied(model, worker_ip="worker-3")) == {"workers": {"declared": "worker-1,worker-2", "running": "worker-3"}}
    assert drift(model, running(), None) == {}


def test_workers_are_verified_where_places_are_known() -> None:
    model = declared(download_hub="modelscope")
    assert unverified(model, running(), None) == ("download_hub", "workers")
    assert unverified(model, running("worker-1", "worker-2"), None) == ("download_hub",)
    hidden = Applied(cleaned(model.launch_request()), "worker", frozenset({"worker_ip"}))
    assert unverified(model, running(), hidden) == ("workers",)
    assert unverified(model, running("worker-1", "worker-2"), hidden) == ()


# What is done.


@pytest.mark.parametrize(
    ("places", "changes", "scaling", "kind"),
    [
        (("worker-1", "worker-2"), {}, True, "keep"),
        # Workers alone, and with the number of replicas.
        (("worker-1", "worker-3"), {}, True, "scale"),
        (("worker-1", "worker-1"), {}, True, "scale"),
        (("worker-1",), {}, True, "scale"),
        (("worker-1", "worker-2", "worker-3"), {}, True, "scale"),
        # Whatever else differs needs another launch.
        (("worker-1",), {"n_ctx": 1}, True, "relaunch"),
        # A server that cannot scale.
        (("worker-1", "worker-3"), {}, False, "relaunch"),
        (("worker-1",), {}, False, "relaunch"),
    ],
)
def test_replicas_are_moved_in_place_where_nothing_else_differs(places: tuple[str, ...], changes: dict[str, Any], scaling: bool, kind: str) -> None:
    model = declared()
    action = only(model, running(*places), applied(model, **changes), scaling=scaling)
    assert action.kind == kind
    if kind == "scale":
        assert action.request == model.launch_request()
        assert set(action.drift) <= {"workers", "replica"}


def test_a_model_of_which_no_places_are_known_cannot_be_moved_in_place() -> None:
    """Nothing would be done, and written down as done."""
    model = declared()
    assert only(model, running(), applied(model, worker_ip="worker-3"), scaling=True).kind == "relaunch"
    # Its replicas can be counted all the same.
    assert only(model, running(replica=1), applied(model, replica=1), scaling=True).kind == "scale"


@pytest.mark.parametrize("choice", ["report", "ignore"])
def test_replicas_are_left_where_they_are_where_that_was_chosen(choice: str) -> None:
    action = only(declared(), running("worker-1", "worker-3"), scaling=True, on_drift=choice)
    assert (action.kind, list(action.drift)) == ("keep", ["workers"])
