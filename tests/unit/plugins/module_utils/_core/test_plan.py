# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The plan: what is done about each pair of declared and observed, and what holds for every plan."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.inferops.xinference.plugins.module_utils._core.apply import Waiting, apply_plan
from ansible_collections.inferops.xinference.plugins.module_utils._core.declared import DeclaredModel, parse_models
from ansible_collections.inferops.xinference.plugins.module_utils._core.observed import Observed, ObservedModel, observe
from ansible_collections.inferops.xinference.plugins.module_utils._core.plan import CHANGING, Action, Plan, drift, make_plan
from ansible_collections.inferops.xinference.tests.unit.plugins.module_utils._core.fake_server import FakeServer

SPEC = {
    "model_name": "qwen3",
    "model_type": "LLM",
    "model_engine": "llama.cpp",
    "model_format": "ggufv2",
    "model_size_in_billions": "0_6",
    "quantization": "Q4_K_M",
    "replica": 1,
}
RUNNING = {
    "name": "qwen3",
    "type": "LLM",
    "engine": "llama.cpp",
    "format": "ggufv2",
    "size_in_billions": "0_6",
    "quantization": "Q4_K_M",
    "replica": 1,
}


def present(uid: str = "chat", **fields: Any) -> DeclaredModel:
    """A declared model that shall run."""
    (model,) = parse_models([{"uid": uid, "name": "qwen3", "engine": "llama.cpp", **fields}])
    return model


def absent(uid: str = "chat") -> DeclaredModel:
    """A declared model that shall not run."""
    return DeclaredModel(uid, "absent")


def seen(**states: str) -> Observed:
    """A server with models in these states."""
    return Observed({uid: ObservedModel(uid, state, SPEC if state == "ready" else {}) for uid, state in states.items()})


@pytest.mark.parametrize(
    ("model", "state", "kind"),
    [
        (present(), "absent", "launch"),
        (present(), "ready", "keep"),
        (present(), "creating", "wait"),
        (present(), "loading", "wait"),
        (present(), "error", "launch"),
        (present(), "terminating", "launch"),
        (absent(), "absent", "keep"),
        (absent(), "ready", "terminate"),
        (absent(), "creating", "cancel"),
        (absent(), "loading", "cancel"),
        (absent(), "terminating", "wait"),
        (absent(), "error", "keep"),
    ],
)
def test_what_is_done(model: DeclaredModel, state: str, kind: str) -> None:
    (action,) = make_plan([model], seen(chat=state) if state != "absent" else Observed()).actions
    assert (action.uid, action.kind, action.state) == ("chat", kind, state)


def test_a_launch_carries_the_request_and_what_shall_be_there() -> None:
    (action,) = make_plan([present(quantization="Q4_0")], Observed()).actions
    assert action == Action(
        "chat",
        "launch",
        "absent",
        after={"state": "ready", "type": "LLM", "name": "qwen3", "engine": "llama.cpp", "quantization": "Q4_0"},
        request={
            "model_uid": "chat",
            "model_type": "LLM",
            "replica": 1,
            "model_name": "qwen3",
            "model_engine": "llama.cpp",
            "quantization": "Q4_0",
        },
    )


def test_a_termination_says_what_is_there() -> None:
    plan = make_plan([absent()], seen(chat="ready"))
    assert plan.actions == (Action("chat", "terminate", "ready", before={"state": "ready", **RUNNING}),)
    assert plan.side("before") == {"chat": {"state": "ready", **RUNNING}}
    assert plan.side("after") == {"chat": {"state": "absent"}}


def test_what_is_not_changed_is_not_in_the_diff() -> None:
    plan = make_plan([present(), absent("old"), present("busy")], seen(chat="ready", busy="creating"))
    assert not plan.changed
    assert plan.side("before") == plan.side("after") == {}


@pytest.mark.parametrize(
    ("registered", "wanted"),
    [(frozenset(), True), (frozenset({("LLM", "qwen3")}), False), (frozenset({("embedding", "qwen3")}), True)],
)
def test_a_custom_model_is_registered_unless_its_name_and_type_are(registered: frozenset[tuple[str, str]], wanted: bool) -> None:
    specification = {"version": 2, "model_specs": [{"model_uri": "file:///models/a"}]}
    (action,) = make_plan([present(registration=specification)], Observed({}, registered)).actions
    assert action.register == (("LLM", {**specification, "model_name": "qwen3"}) if wanted else None)


@pytest.mark.parametrize(
    ("fields", "reported", "found"),
    [
        ({}, {}, {}),
        ({"engine": "LLAMA.CPP"}, {}, {}),
        ({"quantization": "q4_k_m"}, {}, {}),
        ({"size_in_billions": 0.6}, {}, {}),
        ({"size_in_billions": "0.6"}, {"model_size_in_billions": 0.6}, {}),
        ({"size_in_billions": 7}, {"model_size_in_billions": 7}, {}),
        ({"replica": "1"}, {}, {}),
        ({"name": "Qwen3"}, {}, {"name": {"declared": "Qwen3", "running": "qwen3"}}),
        ({"engine": "vLLM"}, {}, {"engine": {"declared": "vLLM", "running": "llama.cpp"}}),
        ({"format": "pytorch"}, {}, {"format": {"declared": "pytorch", "running": "ggufv2"}}),
        ({"size_in_billions": "4"}, {}, {"size_in_billions": {"declared": "4", "running": "0_6"}}),
        ({"quantization": "Q8_0"}, {}, {"quantization": {"declared": "Q8_0", "running": "Q4_K_M"}}),
        ({"replica": 2}, {}, {"replica": {"declared": 2, "running": 1}}),
        # An older server does not report the engine, and nobody reports engine options.
        ({"engine": "vLLM"}, {"model_engine": None}, {}),
        ({"engine_options": {"n_ctx": 1}, "path": "/models/a", "environment": {"A": "b"}}, {}, {}),
    ],
)
def test_drift_is_what_was_declared_and_is_reported_otherwise(fields: dict[str, Any], reported: dict[str, Any], found: dict[str, Any]) -> None:
    running = ObservedModel("chat", "ready", {**SPEC, **reported})
    assert drift(present(**fields), running) == found
    (action,) = make_plan([present(**fields)], Observed({"chat": running})).actions
    assert (action.kind, action.drift) == ("keep", found)


# What holds for every plan.

UIDS = "abcdef"
STATES = ("ready", "creating", "loading", "terminating", "error")


@st.composite
def declarations(draw: st.DrawFn) -> list[DeclaredModel]:
    """Some models, each once, present or absent, in any order."""
    uids = draw(st.lists(st.sampled_from(UIDS), unique=True))
    return [present(uid) if draw(st.booleans()) else absent(uid) for uid in uids]


SERVERS = st.dictionaries(st.sampled_from(UIDS), st.sampled_from(STATES)).map(lambda states: seen(**states))


@given(declarations(), SERVERS, st.booleans(), st.randoms())
def test_the_order_of_the_declaration_does_not_matter(declared: list[DeclaredModel], observed: Observed, exclusive: bool, random: Any) -> None:
    shuffled = list(declared)
    random.shuffle(shuffled)

    def by_uid(models: list[DeclaredModel]) -> dict[str, Action]:
        return {action.uid: action for action in make_plan(models, observed, exclusive=exclusive).actions}

    assert by_uid(shuffled) == by_uid(declared)


@given(declarations(), SERVERS)
def test_nothing_undeclared_is_touched(declared: list[DeclaredModel], observed: Observed) -> None:
    plan = make_plan(declared, observed)
    assert sorted(action.uid for action in plan.actions) == sorted(model.uid for model in declared)


@given(declarations(), SERVERS)
def test_exclusive_removes_all_that_is_undeclared_and_nothing_else(declared: list[DeclaredModel], observed: Observed) -> None:
    names = {model.uid for model in declared}
    plan = make_plan(declared, observed, exclusive=True)
    others = {action.uid: action for action in plan.actions if action.uid not in names}
    assert set(others) == set(observed.models) - names
    assert all(action.after is None for action in others.values())
    assert [action for action in plan.actions if action.uid in names] == list(make_plan(declared, observed).actions)


@given(declarations(), SERVERS, st.booleans())
def test_removals_come_before_launches(declared: list[DeclaredModel], observed: Observed, exclusive: bool) -> None:
    wanted = [action.after is not None for action in make_plan(declared, observed, exclusive=exclusive).actions]
    assert wanted == sorted(wanted)


@given(declarations(), SERVERS, st.booleans())
def test_the_diff_tells_whether_there_are_changes(declared: list[DeclaredModel], observed: Observed, exclusive: bool) -> None:
    plan = make_plan(declared, observed, exclusive=exclusive)
    assert set(plan.side("before")) == set(plan.side("after")) == {action.uid for action in plan.actions if action.kind in CHANGING}
    assert plan.changed == bool(plan.side("after"))


@given(declarations(), st.dictionaries(st.sampled_from(UIDS), st.sampled_from(["READY", "CREATING", "TERMINATING", "ERROR"])), st.booleans())
def test_a_plan_that_was_carried_out_leaves_nothing_to_do(declared: list[DeclaredModel], states: dict[str, str], exclusive: bool) -> None:
    server = FakeServer()
    for uid, status in states.items():
        server.put(uid, status)
    results = apply_plan(make_plan(declared, observe(server), exclusive=exclusive), server, Waiting(), clock=server.clock, sleep=server.clock.sleep)
    assert not [result.message for result in results if result.failed]
    again = make_plan(declared, observe(server), exclusive=exclusive)
    assert not again.changed
    assert {model.uid for model in declared if model.state == "present"} <= server.ready()


def test_an_empty_plan_changes_nothing() -> None:
    assert make_plan([], Observed()) == Plan()
    assert not Plan().changed
