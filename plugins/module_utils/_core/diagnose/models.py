# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How each model runs beside its declaration, and why one that failed did. Pure. Private to this collection."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone

from ..base.messages import one_line, shown
from ..observed.models import BUSY, ERROR, ORPHAN, Observed
from ..plan.plan import CANCEL, LAUNCH, TERMINATE, WAIT, Action, Plan
from .finding import CRITICAL, NOTE, WARNING, Finding
from .log import first_cause

__all__ = ["AS_DECLARED", "DIFFERS", "FAILED", "LOADING", "MISSING", "NOT_DECLARED", "UNVERIFIED", "ModelState", "check_models", "compare", "since_launch"]

AS_DECLARED, DIFFERS, MISSING, FAILED, LOADING = "as declared", "differs", "missing", "failed", "loading"
NOT_DECLARED, UNVERIFIED = "not declared", "unverified"
#: How a line of the server's log begins.
_TIME = re.compile(r"(\d{4}-\d\d-\d\d)[ T](\d\d:\d\d:\d\d)")
#: Seconds by which the server's log may be older than what it says of an instance.
_EARLIER = 5
#: What is said of a model that does not answer.
_WORDS = {FAILED: "failed", MISSING: "is declared and does not run", LOADING: "is being launched again, because it failed"}


@dataclass(frozen=True)
class ModelState:
    """One model beside its declaration.

    :param uid: of the model.
    :param state: as declared, differs, missing, failed, loading, not declared, or unverified.
    :param differences: ``n_ctx: 4096 → 2048``, what runs and what is declared; of an unverified one, the names of fields that cannot be compared.
    :param message: the server's words about a failed launch.
    """

    uid: str
    state: str
    differences: tuple[str, ...] = ()
    message: str = ""


def _value(value: object) -> str:
    """A value in a difference."""
    return "not set" if value is None else shown(value)


def _differences(action: Action) -> list[str]:
    """What differs, what runs first."""
    found = [
        f"{name.rpartition('engine_options.')[2] or name}: {_value(values['running'])} → {_value(values['declared'])}" for name, values in action.drift.items()
    ]
    if action.drop_entry or action.entry is not None:
        found.append("autostart: " + ("its entry is not declared" if action.drop_entry else "no entry" if action.old_entry is None else "another entry"))
    if action.register is not None and not any(name.startswith("registration") for name in action.drift):
        found.append("registration: not there")
    return found


def _state_of(action: Action, observed: Observed) -> ModelState | None:
    """One declared model; None for one that is declared absent, and is."""
    if action.kind in (TERMINATE, CANCEL):
        return ModelState(action.uid, NOT_DECLARED, message="it is declared absent")
    if action.model is None or action.model.state != "present":
        return None
    seen = observed.models.get(action.uid)
    if action.kind == LAUNCH:
        return ModelState(action.uid, FAILED if action.state == ERROR else MISSING, message=seen.message if seen is not None else "")
    if action.state == ORPHAN:
        return ModelState(action.uid, FAILED, message="its launch was cancelled just as it became ready")
    return _running(action)


def _running(action: Action) -> ModelState:
    """A declared model that runs, or is on its way."""
    differences = [] if action.kind == WAIT else _differences(action)
    if differences:
        return ModelState(action.uid, DIFFERS, tuple(differences))
    if action.kind == WAIT or action.state in BUSY:
        return ModelState(action.uid, LOADING)
    unverified = tuple(name.rpartition("engine_options.")[2] or name for name in action.unverified)
    return ModelState(action.uid, UNVERIFIED, unverified) if unverified else ModelState(action.uid, AS_DECLARED)


def compare(plan: Plan, observed: Observed) -> list[ModelState]:
    """Every model that is declared or runs.

    :param plan: what a run would do.
    :param observed: the server that it was made for.
    """
    states = [state for state in (_state_of(action, observed) for action in plan.actions) if state is not None]
    declared = {action.uid for action in plan.actions}
    others = (seen for seen in observed.models.values() if seen.uid not in declared and seen.state != ERROR)
    return [*states, *(ModelState(seen.uid, NOT_DECLARED) for seen in sorted(others, key=lambda seen: seen.uid))]


def since_launch(lines: Sequence[str], created: int) -> list[str]:
    """The lines that the server wrote since it made an instance; all of them where none has a time since then.

    :param lines: of its log, in their order; those without a time belong to the one before.
    :param created: when it made the instance, in seconds since the epoch; 0 where that is not known.
    """
    for number, line in enumerate(lines):
        found = _TIME.match(line)
        if found is None:
            continue
        try:
            when = datetime.strptime(f"{found[1]} {found[2]}", "%Y-%m-%d %H:%M:%S").replace(tzinfo=timezone.utc).timestamp()
        except ValueError:
            continue
        if when >= created - _EARLIER:
            return list(lines[number:])
    return list(lines)


def _failed(state: ModelState, lines: Iterable[str], tries: str) -> Finding:
    """A model that does not run, with the first reason that anybody wrote."""
    cause = first_cause([state.message, *lines])
    seen = f"Model '{state.uid}' {_WORDS[state.state]}"
    if cause is not None:
        return Finding("models", CRITICAL, state.uid, f"{seen}: {cause.name}: {cause.line}", f"It does not answer.{tries}", cause.remedy)
    words = f": {one_line(state.message)}" if state.message else ", and nobody wrote why"
    return Finding("models", CRITICAL, state.uid, f"{seen}{words}.".replace("..", "."), f"It does not answer.{tries}", "Run provision, which launches it.")


def check_models(states: Sequence[ModelState], lines: Mapping[str, Sequence[str]], tries: Mapping[str, int]) -> list[Finding]:
    """What is wrong with the models.

    :param states: of all of them.
    :param lines: uid → what server and engine wrote about its launch.
    :param tries: uid → how often in a row the recovery service has tried to launch it.
    """
    found = []
    for state in states:
        count = tries.get(state.uid, 0)
        if state.state in (FAILED, MISSING) or (state.state == LOADING and count):
            found.append(_failed(state, lines.get(state.uid, ()), f" The recovery service has tried {count} times." if count else ""))
        elif state.state == DIFFERS:
            seen = f"Model '{state.uid}' differs from its declaration: {'; '.join(state.differences)}."
            remedy = "Run provision, which relaunches it, or correct the declaration."
            found.append(Finding("drift", WARNING, state.uid, seen, "It answers with other settings than you think.", remedy))
        elif state.state == NOT_DECLARED:
            why = f" ({state.message})" if state.message else ""
            seen = f"Model '{state.uid}' runs and is not declared{why}."
            remedy = "Declare it, or terminate it; xinference_models_exclusive lets provision do that."
            found.append(Finding("drift", NOTE, state.uid, seen, "It uses memory, and is not launched again after a restart.", remedy))
        elif state.state == LOADING:
            found.append(Finding("models", NOTE, state.uid, f"Model '{state.uid}' is still loading.", "", "Wait, and diagnose again."))
    return found
