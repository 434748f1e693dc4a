# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Models beside their declarations, by plans for a server in memory, and what is found of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest

from ansible_collections.inferops.xinference.plugins.module_utils._core.declaration.check import parse_models
from ansible_collections.inferops.xinference.plugins.module_utils._core.diagnose.finding import CRITICAL, NOTE, WARNING
from ansible_collections.inferops.xinference.plugins.module_utils._core.diagnose.models import (
    AS_DECLARED,
    DIFFERS,
    FAILED,
    LOADING,
    MISSING,
    NOT_DECLARED,
    UNVERIFIED,
    ModelState,
    check_models,
    compare,
    since_launch,
)
from ansible_collections.inferops.xinference.plugins.module_utils._core.observed.models import ORPHAN, Observed, ObservedModel
from ansible_collections.inferops.xinference.plugins.module_utils._core.plan.plan import KEEP, Action, Plan, PlanOptions, make_plan
from ansible_collections.inferops.xinference.tests.unit.plugins.module_utils._core.fake_server import FakeServer
from ansible_collections.inferops.xinference.tests.unit.plugins.module_utils._core.plan_runner import custom, gone, llm, observe_server, reach

_PLAIN = PlanOptions()


def compared(server: FakeServer, *items: dict[str, Any], choices: PlanOptions = _PLAIN) -> list[ModelState]:
    """The models of a server beside a declaration."""
    declared = parse_models(list(items))
    observed = observe_server(server, declared)
    return compare(make_plan(declared, observed, choices), observed)


def provisioned(*items: dict[str, Any]) -> FakeServer:
    """A server that runs what was declared."""
    server = FakeServer()
    reach(server, *items, wait=True)
    return server


# States.


def test_models_that_run_as_declared() -> None:
    items = [llm("chat", engine_options={"n_ctx": 2048}), custom("own"), gone("old")]
    assert compared(provisioned(*items), *items) == [ModelState("chat", AS_DECLARED), ModelState("own", AS_DECLARED)]


def test_nothing_declared_and_nothing_there() -> None:
    assert compared(FakeServer()) == []
    assert compared(FakeServer(), gone("old")) == []


def test_a_model_that_differs() -> None:
    server = provisioned(llm("chat", engine_options={"n_ctx": 4096, "n_batch": 8}))
    assert compared(server, llm("chat", replica=2, engine_options={"n_ctx": 2048})) == [
        ModelState("chat", DIFFERS, ("replica: 1 → 2", "n_batch: 8 → not set", "n_ctx: 4096 → 2048"))
    ]


def test_a_registration_that_differs() -> None:
    (state,) = compared(provisioned(custom("own")), custom("own", context_length=4096))
    assert (state.uid, state.state) == ("own", DIFFERS)
    assert state.differences == ("registration.context_length: 8192 → 4096",)


def test_a_registration_that_is_not_there() -> None:
    server = provisioned(custom("own"))
    server.unregister("LLM", "custom")
    assert compared(server, custom("own")) == [ModelState("own", DIFFERS, ("registration: not there",))]


def test_autostart_entries() -> None:
    own = {"autostart": {"priority": 7}}
    server = provisioned(llm("chat", **own))
    assert compared(server, llm("chat", **own)) == [ModelState("chat", AS_DECLARED)]
    assert compared(server, llm("chat", autostart={"priority": 9})) == [ModelState("chat", DIFFERS, ("autostart: another entry",))]
    assert compared(server, llm("chat", autostart=False)) == [ModelState("chat", DIFFERS, ("autostart: its entry is not declared",))]
    plain = provisioned(llm("chat"))
    assert compared(plain, llm("chat"), choices=PlanOptions(autostart=True)) == [ModelState("chat", DIFFERS, ("autostart: no entry",))]


def test_a_model_that_is_missing() -> None:
    assert compared(FakeServer(), llm("chat"), custom("own")) == [ModelState("chat", MISSING), ModelState("own", MISSING)]


def test_a_model_that_failed() -> None:
    server = FakeServer().put("chat", "ERROR", "out of memory")
    assert compared(server, llm("chat")) == [ModelState("chat", FAILED, message="out of memory")]
    # Nobody declared one that failed, and it is not there.
    assert compared(server) == []


@pytest.mark.parametrize("status", ["CREATING", "LOADING"])
def test_a_model_that_is_loading(status: str) -> None:
    assert compared(FakeServer().put("chat", status), llm("chat")) == [ModelState("chat", LOADING)]


def test_an_orphaned_model() -> None:
    server = provisioned(llm("chat"))
    server.cancel("chat")
    (state,) = compared(server, llm("chat"))
    assert (state.state, state.message) == (FAILED, "its launch was cancelled just as it became ready")


def test_models_that_are_not_declared() -> None:
    server = provisioned(llm("b"), llm("a"), llm("old"))
    assert compared(server, gone("old")) == [
        ModelState("old", NOT_DECLARED, message="it is declared absent"),
        ModelState("a", NOT_DECLARED),
        ModelState("b", NOT_DECLARED),
    ]


def test_a_model_that_is_declared_absent_and_is_being_launched() -> None:
    assert compared(FakeServer().put("old", "CREATING"), gone("old")) == [ModelState("old", NOT_DECLARED, message="it is declared absent")]


def test_a_model_of_which_options_cannot_be_compared() -> None:
    server = FakeServer(with_history=False, with_autostart=False).run("chat", model_engine="llama.cpp")
    (state,) = compared(server, llm("chat", engine_options={"n_ctx": 2048}))
    assert (state.state, state.differences) == (UNVERIFIED, ("n_ctx",))


def action(drift: dict[str, Any], **fields: Any) -> Action:
    """A model that runs."""
    model = parse_models([llm("chat")])[0]
    return replace(Action("chat", KEEP, "ready", drift=drift, model=model), **fields)


def test_a_value_of_a_server_has_bounds_in_a_difference() -> None:
    drift = {"engine_options.x": {"running": "\x1b[2J\n" + "W" * 5000, "declared": {"a": ["b"] * 5000}}}
    (state,) = compare(Plan((action(drift),)), Observed())
    (difference,) = state.differences
    assert difference.isprintable()
    assert len(difference) < 500


def test_an_action_without_a_declaration_is_none() -> None:
    assert compare(Plan((action({}, model=None),)), Observed()) == []


def test_an_orphan_that_differs_is_an_orphan() -> None:
    (state,) = compare(Plan((action({"replica": {"running": 1, "declared": 2}}, state=ORPHAN),)), Observed({"chat": ObservedModel("chat", ORPHAN)}))
    assert state.state == FAILED


# Lines of a launch.


LINES = [
    "2026-11-22T11:59:54.000Z INFO old",
    "  its traceback",
    "2026-11-22T11:59:55.000Z INFO launch",
    "no time",
    "2026-11-22T12:00:01.000Z ERROR fails",
]
#: 2026-11-22 12:00:00 UTC.
CREATED = 1795348800


def test_lines_since_a_launch() -> None:
    # A log may be some seconds older than what it says.
    assert since_launch(LINES, CREATED) == LINES[2:]
    older = [line.replace("T", " ") for line in LINES]
    assert since_launch(older, CREATED) == older[2:]
    assert since_launch(LINES, 0) == LINES
    assert since_launch([], CREATED) == []


def test_lines_of_another_time_are_all_shown() -> None:
    assert since_launch(LINES, CREATED + 3600) == LINES
    assert since_launch(LINES[3:4], CREATED) == LINES[3:4]


@pytest.mark.parametrize("line", ["2026-13-45T12:00:00 x", "2026-02-30 12:00:00 x", "2026-11-22T25:61:61 x", "0000-00-00T00:00:00 x", "9999-99-99 99:99:99"])
def test_a_time_that_is_none_is_passed_over(line: str) -> None:
    assert since_launch([line, *LINES], CREATED) == LINES[2:]


def test_times_at_both_ends_of_the_calendar() -> None:
    lines = ["0001-01-01T00:00:00 first", "9999-12-31T23:59:59 last"]
    assert since_launch(lines, CREATED) == lines[1:]


# Findings.


def found(state: ModelState, lines: Sequence[str] = (), tries: Mapping[str, int] | None = None) -> list[tuple[str, str, str]]:
    """Check, severity and what was seen."""
    findings = check_models([state], {state.uid: lines}, tries or {})
    assert all(finding.subject == state.uid and finding.seen.endswith(".") == ("MemoryError" not in finding.seen) for finding in findings)
    return [(finding.check, finding.severity, finding.seen) for finding in findings]


@pytest.mark.parametrize("state", [AS_DECLARED, UNVERIFIED])
def test_nothing_is_wrong_with_what_runs_as_declared(state: str) -> None:
    assert found(ModelState("chat", state)) == []
    assert check_models([], {}, {}) == []


@pytest.mark.parametrize(
    ("state", "words"),
    [(FAILED, "failed"), (MISSING, "is declared and does not run"), (LOADING, "is being launched again, because it failed")],
)
def test_a_model_that_does_not_answer(state: str, words: str) -> None:
    tries = {"chat": 3} if state == LOADING else {}
    assert found(ModelState("chat", state), (), tries) == [("models", CRITICAL, f"Model 'chat' {words}, and nobody wrote why.")]
    assert found(ModelState("chat", state, message="It broke.\x1b"), ["odd"], tries) == [("models", CRITICAL, f"Model 'chat' {words}: It broke.")]
    assert found(ModelState("chat", state), ["odd", "MemoryError"], tries) == [("models", CRITICAL, f"Model 'chat' {words}: memory: MemoryError")]
    assert found(ModelState("chat", state, message="MemoryError"), ["No module named 'x'"], tries)[0][2].endswith(": memory: MemoryError")


def test_how_often_the_service_has_tried() -> None:
    (finding,) = check_models([ModelState("chat", MISSING)], {}, {"chat": 3, "other": 5})
    assert finding.meaning == "It does not answer. The recovery service has tried 3 times."
    (finding,) = check_models([ModelState("chat", MISSING)], {}, {})
    assert finding.meaning == "It does not answer."


def test_the_remedy_is_that_of_the_reason() -> None:
    (finding,) = check_models([ModelState("chat", FAILED)], {"chat": ["No space left on device"]}, {})
    assert finding.remedy == "Free space below xinference_data_root."
    (finding,) = check_models([ModelState("chat", FAILED)], {}, {})
    assert finding.remedy == "Run provision, which launches it."


def test_other_states() -> None:
    assert found(ModelState("chat", LOADING)) == [("models", NOTE, "Model 'chat' is still loading.")]
    assert found(ModelState("chat", DIFFERS, ("n_ctx: 1 → 2", "replica: 1 → 2"))) == [
        ("drift", WARNING, "Model 'chat' differs from its declaration: n_ctx: 1 → 2; replica: 1 → 2.")
    ]
    assert found(ModelState("chat", NOT_DECLARED)) == [("drift", NOTE, "Model 'chat' runs and is not declared.")]
    assert found(ModelState("chat", NOT_DECLARED, message="it is declared absent")) == [
        ("drift", NOTE, "Model 'chat' runs and is not declared (it is declared absent).")
    ]
