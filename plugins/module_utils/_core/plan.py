# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The plan: a pure function of what is declared and what is observed. Private to this collection."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from .declared import DeclaredModel, same_size
from .observed import ABSENT, BUSY, ERROR, READY, TERMINATING, UNLISTED, Observed, ObservedModel

__all__ = ["CHANGING", "Action", "Plan", "drift", "make_plan"]

KEEP = "keep"
WAIT = "wait"
LAUNCH = "launch"
TERMINATE = "terminate"
CANCEL = "cancel"
#: Actions that write to the server.
CHANGING = frozenset({LAUNCH, TERMINATE, CANCEL})

#: Declared field → key in the server's description, for what the server reports.
_REPORTED = {
    "name": "model_name",
    "type": "model_type",
    "engine": "model_engine",
    "format": "model_format",
    "size_in_billions": "model_size_in_billions",
    "quantization": "quantization",
    "replica": "replica",
}
_ANY_CASE = frozenset({"engine", "quantization"})


@dataclass(frozen=True)
class Action:
    """What to do about one model.

    :param uid: the model.
    :param kind: keep, wait, launch, terminate or cancel.
    :param state: the state it was seen in.
    :param before: what is there, None when nothing is.
    :param after: what shall be there, None when nothing shall.
    :param request: arguments of the launch request.
    :param register: (type, specification) to register before the launch.
    :param drift: fields in which the running model differs from the declaration: field → {declared, running}.
    """

    uid: str
    kind: str
    state: str
    before: dict[str, Any] | None = None
    after: dict[str, Any] | None = None
    request: dict[str, Any] = field(default_factory=dict)
    register: tuple[str, dict[str, Any]] | None = None
    drift: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Plan:
    """Ordered actions, and what they amount to."""

    actions: tuple[Action, ...] = ()

    @property
    def changed(self) -> bool:
        """Whether carrying the plan out writes anything."""
        return any(action.kind in CHANGING for action in self.actions)

    def side(self, name: str) -> dict[str, Any]:
        """One side of the diff, ``before`` or ``after``: the models that the plan changes, by uid."""
        return {action.uid: getattr(action, name) or {"state": ABSENT} for action in self.actions if action.kind in CHANGING}


def drift(model: DeclaredModel, running: ObservedModel) -> dict[str, Any]:
    """Fields in which a running model differs from its declaration, as far as the server reports them.

    The server echoes the caller's case for engines, its own for quantizations, and writes 0.6 as 0_6.
    """
    found: dict[str, Any] = {}
    for name, reported in _REPORTED.items():
        if name not in model.given or running.spec.get(reported) is None:
            continue
        wanted, actual = model.given[name], running.spec[reported]
        if name == "size_in_billions":
            same = same_size(wanted, actual)
        elif name in _ANY_CASE:
            same = str(wanted).lower() == str(actual).lower()
        else:
            same = str(wanted) == str(actual)
        if not same:
            found[name] = {"declared": wanted, "running": actual}
    return found


def _spec(running: ObservedModel) -> dict[str, Any]:
    """A running model in the terms of a declaration."""
    spec = {name: running.spec[key] for name, key in _REPORTED.items() if running.spec.get(key) is not None}
    return {"state": running.state, **spec}


def _absent(model: DeclaredModel, running: ObservedModel | None) -> Action:
    """What to do about a model that shall not run."""
    if running is None or running.state == ERROR:
        # What is left of a failed launch holds nothing and cannot be terminated.
        return Action(model.uid, KEEP, running.state if running else ABSENT)
    if running.state == TERMINATING:
        return Action(model.uid, WAIT, running.state, before=_spec(running))
    kind = CANCEL if running.state in BUSY else TERMINATE
    return Action(model.uid, kind, running.state, before=_spec(running))


def _present(model: DeclaredModel, running: ObservedModel | None, observed: Observed) -> Action:
    """What to do about a model that shall run."""
    after = {"state": READY, **model.shown()}
    if running is not None and running.state == READY:
        return Action(model.uid, KEEP, READY, before=_spec(running), after=after, drift=drift(model, running))
    if running is not None and running.state in (*BUSY, UNLISTED):
        return Action(model.uid, WAIT, running.state, before=_spec(running), after=after)
    register = None
    if model.registration is not None and (model.type, model.name) not in observed.registrations:
        register = (model.type, model.registration)
    state = running.state if running else ABSENT
    return Action(model.uid, LAUNCH, state, after=after, request=model.launch_request(), register=register)


def make_plan(declared: Sequence[DeclaredModel], observed: Observed, *, exclusive: bool = False) -> Plan:
    """Compare the declaration with the server.

    :param declared: the models as declared.
    :param observed: the server as it is.
    :param exclusive: also terminate what runs and is not declared.
    :returns: one action per declared model and per model to remove: terminations first, because they free memory for the
        launches, then launches in the order of the declaration.
    """
    removals: list[Action] = []
    others: list[Action] = []
    for model in declared:
        running = observed.models.get(model.uid)
        if model.state == "absent":
            removals.append(_absent(model, running))
        else:
            others.append(_present(model, running, observed))
    if exclusive:
        names = {model.uid for model in declared}
        for uid in sorted(set(observed.models) - names):
            removals.append(_absent(DeclaredModel(uid, "absent"), observed.models[uid]))
    return Plan(tuple(removals + others))
