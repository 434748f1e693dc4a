# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What to do about each model: a pure function of what is declared, observed and was applied. Private to this collection."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..base.compare import same_value
from ..declaration.fields import AUTO, FIELDS
from ..declaration.model import DeclaredModel, effective
from ..declaration.specification import registration_drift
from ..observed.last_applied import Entry, cleaned
from ..observed.models import ABSENT, BUSY, ERROR, ORPHAN, READY, SETTLING, TERMINATING, Observed, ObservedModel
from ..observed.server_files import ServerFiles
from ..server.features import AUTOSTART
from ..server.rows import AutostartEntry, ModelRow
from .drift import REPORTED, drift, unverified
from .files import is_cached, wanted_files
from .placement import PLACED
from .sizing import Sizes, choose_options

__all__ = ["CHANGING", "ON_DRIFT", "Action", "Plan", "PlanOptions", "describe", "make_plan", "plan_downloads"]

KEEP = "keep"
WAIT = "wait"
LAUNCH = "launch"
RELAUNCH = "relaunch"
SCALE = "scale"
TERMINATE = "terminate"
CANCEL = "cancel"
DOWNLOAD = "download"
#: Where no file of the server is seen.
_NO_FILES = ServerFiles()
#: Actions that change which models run, or which files are there.
CHANGING = frozenset({LAUNCH, RELAUNCH, SCALE, TERMINATE, CANCEL, DOWNLOAD})
ON_DRIFT = ("relaunch", "report", "ignore")


@dataclass(frozen=True)
class PlanOptions:
    """What the operator chose for the whole list.

    :param exclusive: also terminate what runs and is not declared, and remove the autostart entries of such models.
    :param on_drift: relaunch, report or ignore a running model that differs from its declaration.
    :param autostart: whether models without that field get an autostart entry.
    :param scaling: whether the server can add and remove replicas of a running model.
    :param spared: models that are declared, though not in this run.
    """

    exclusive: bool = False
    on_drift: str = "relaunch"
    autostart: bool = False
    scaling: bool = False
    spared: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Action:
    """What to do about one model.

    :param uid: the model.
    :param kind: keep, wait, launch, relaunch, scale, terminate, cancel or download.
    :param state: the state it was seen in.
    :param before: what is there, None when nothing is.
    :param after: what should be there, None when nothing should.
    :param request: arguments of the launch request.
    :param register: (type, specification) to register before the launch.
    :param replaced: the specification that the registration has now, when it is to be replaced.
    :param previous: launch request that puts the running model back.
    :param drift: fields in which the running model differs from the declaration: field → {declared, running}.
    :param unverified: declared fields of a running model that could not be compared.
    :param entry: autostart entry to write.
    :param old_entry: the autostart entry that is there.
    :param drop_entry: whether the autostart entry is removed.
    :param fetch: whether its files are downloaded before anything else happens.
    :param model: the declaration.
    """

    uid: str
    kind: str
    state: str
    before: dict[str, Any] | None = None
    after: dict[str, Any] | None = None
    request: dict[str, Any] = field(default_factory=dict)
    register: tuple[str, dict[str, Any]] | None = None
    replaced: dict[str, Any] | None = None
    previous: dict[str, Any] | None = None
    drift: dict[str, Any] = field(default_factory=dict)
    unverified: tuple[str, ...] = ()
    entry: AutostartEntry | None = None
    old_entry: Entry | None = None
    drop_entry: bool = False
    fetch: bool = False
    model: DeclaredModel | None = None

    @property
    def changing(self) -> bool:
        """Whether applying the action writes anything that the operator declared."""
        return self.kind in CHANGING or self.register is not None or self.entry is not None or self.drop_entry


@dataclass(frozen=True)
class Plan:
    """Ordered actions, and what they amount to.

    :param actions: one for each model, in the order in which they are applied.
    :param notes: what the operator should know besides, one sentence each.
    :param models: the declared models, with what was chosen for them.
    """

    actions: tuple[Action, ...] = ()
    notes: tuple[str, ...] = ()
    models: tuple[DeclaredModel, ...] = ()

    @property
    def launched(self) -> list[DeclaredModel]:
        """The models that it launches."""
        return [action.model for action in self.actions if action.kind in (LAUNCH, RELAUNCH) and action.model is not None]

    @property
    def changed(self) -> bool:
        """Whether applying the plan writes anything."""
        return any(action.changing for action in self.actions)

    def side(self, name: str) -> dict[str, Any]:
        """One side of the diff, ``before`` or ``after``: the models that the plan changes, by uid."""
        return {action.uid: _side(action, name) for action in self.actions if action.changing}


def _side(action: Action, name: str) -> dict[str, Any]:
    """One model's side of the diff: what runs, the options that no server reports where they differ, and the autostart entry."""
    shown = dict(getattr(action, name) or {"state": ABSENT})
    key = "running" if name == "before" else "declared"
    if action.kind in (RELAUNCH, SCALE):
        shown.update({field_name: values[key] for field_name, values in action.drift.items()})
    if action.entry is not None or action.drop_entry:
        policy: Mapping[str, object] | None = action.entry if name == "after" else None
        if name == "before" and action.old_entry is not None:
            old = action.old_entry
            policy = dict(old.policy)
        shown["autostart"] = False if policy is None else {key: policy[key] for key in ("priority", "max_retries", "retry_interval_seconds")}
    return shown


def _reported_request(running: ObservedModel) -> dict[str, Any]:
    """As much of a launch request as a server reports."""
    request = {FIELDS[name].sent: running.spec.get(key) for name, key in REPORTED.items() if running.spec.get(key) is not None}
    return {**request, "model_uid": running.uid}


def describe(running: ObservedModel) -> dict[str, Any]:
    """A running model in the terms of a declaration."""
    spec = {name: running.spec.get(key) for name, key in REPORTED.items() if running.spec.get(key) is not None}
    return {"state": running.state, **spec}


def entry_of(model: DeclaredModel, policy: Mapping[str, int]) -> AutostartEntry:
    """The autostart entry of a model."""
    return {
        "enabled": True,
        "priority": policy["priority"],
        "max_retries": policy["max_retries"],
        "retry_interval_seconds": policy["retry_interval_seconds"],
        "launch": cleaned(model.launch_request()),
    }


def _entry_differs(wanted: AutostartEntry, found: Entry | None, spec: ModelRow, ours: Collection[str]) -> bool:
    """Whether an entry has to be written.

    :param spec: the server's description of the model, empty while it does not run.
    :param ours: options that were declared when this collection launched the model.
    """
    if found is None or found.launch is None:
        return True
    options = {*wanted["launch"], *ours}
    # An entry that another client wrote may leave out the one copy that the server takes then.
    there = effective({"replica": 1, **found.launch}, spec, options)
    return not same_value(effective(wanted["launch"], spec, options), there) or any(
        wanted.get(key) != getattr(found, key) for key in ("priority", "max_retries", "retry_interval_seconds")
    )


def _absent(model: DeclaredModel, observed: Observed) -> Action:
    """What to do about a model that should not run."""
    running = observed.models.get(model.uid)
    entry = observed.entries.get(model.uid)
    state = running.state if running else ABSENT
    kind = TERMINATE
    if running is None or running.state == ERROR:
        # What remains of a failed launch holds nothing and cannot be terminated.
        kind, running = KEEP, None
    elif running.state == TERMINATING:
        kind = WAIT
    elif running.state in BUSY - SETTLING:
        kind = CANCEL
    before = describe(running) if running else None
    return Action(model.uid, kind, state, before=before, old_entry=entry, drop_entry=entry is not None, model=model)


#: (type, name) → specification, for what the declaration registers.
_Inline = Mapping[tuple[str, str], dict[str, Any]]


def _inline(declared: Sequence[DeclaredModel]) -> dict[tuple[str, str], dict[str, Any]]:
    """The registrations that the declaration brings; a model may use one that stands with another model."""
    present = [model for model in declared if model.state == "present"]
    return {(model.type, model.name): model.registration for model in present if model.registration is not None}


def _registration(model: DeclaredModel, observed: Observed, inline: _Inline) -> tuple[dict[str, Any] | None, dict[str, Any]]:
    """The registration that is there, and how it differs from the declared one."""
    wanted = inline.get((model.type, model.name))
    if wanted is None:
        return None, {}
    found = observed.registrations.get((model.type, model.name))
    if found is None:
        return None, {}
    record = observed.records.get(model.uid)
    return found, registration_drift(wanted, found, record.registration if record else None)


def _present(model: DeclaredModel, observed: Observed, choices: PlanOptions, inline: _Inline) -> Action:
    """What to do about a model that should run."""
    running = observed.models.get(model.uid)
    state = running.state if running else ABSENT
    found, registration = _registration(model, observed, inline)
    wanted = inline.get((model.type, model.name))
    register = (model.type, wanted) if wanted is not None and (found is None or registration) else None
    entry, old, drop = _autostart(model, observed, choices)
    shared: dict[str, Any] = {"entry": entry, "old_entry": old, "drop_entry": drop, "model": model}
    after = {"state": READY, **model.shown()}
    request = model.launch_request()
    replaced = found if registration else None
    fetch = _missing(model, observed)
    if running is None or running.state in (ERROR, TERMINATING):
        return Action(model.uid, LAUNCH, state, after=after, request=request, register=register, replaced=replaced, fetch=fetch, **shared)
    shared.update(before=describe(running), after=after)
    if running.state in BUSY or running.state == ORPHAN:
        return Action(model.uid, WAIT, state, **shared)
    applied = observed.applied.get(model.uid)
    differs = drift(model, running, applied)
    differs.update({f"registration.{name}": values for name, values in registration.items()})
    shared.update(drift=differs, unverified=unverified(model, running, applied))
    if not differs or choices.on_drift != "relaunch":
        lost = register is not None and found is None
        # A registration that disappeared under a running model is made again without touching the model.
        return Action(model.uid, KEEP, state, register=register if lost else None, **shared)
    # Without knowing where its replicas run, they can be counted, but not moved.
    movable = PLACED if running.places else PLACED - {"workers"}
    if set(differs) <= movable and choices.scaling:
        return Action(model.uid, SCALE, state, request=request, **shared)
    previous = applied.request if applied is not None else _reported_request(running)
    return Action(model.uid, RELAUNCH, state, request=request, register=register, replaced=replaced, previous=previous, fetch=fetch, **shared)


def _missing(model: DeclaredModel, observed: Observed) -> bool:
    """Whether a hub has a model's files and the server has not."""
    return observed.cached is not None and wanted_files(model) and not is_cached(model, observed.cached)


def _autostart(model: DeclaredModel, observed: Observed, choices: PlanOptions) -> tuple[AutostartEntry | None, Entry | None, bool]:
    """The autostart entry to write, the one that is there, and whether that one is removed."""
    old = observed.entries.get(model.uid)
    policy = model.autostart(choices.autostart)
    if policy is None:
        # Where nothing is declared, an entry that another client made is left alone.
        return None, old, old is not None and model.given.get("autostart") is False
    if not observed.autostart:
        return None, old, False
    wanted = entry_of(model, policy)
    running, record = observed.models.get(model.uid), observed.records.get(model.uid)
    differs = _entry_differs(wanted, old, running.spec if running else {}, record.request if record else ())
    return (wanted if differs else None), old, False


def _resolved(declared: Sequence[DeclaredModel], observed: Observed, sizes: Sizes) -> Sequence[DeclaredModel]:
    """The models with engine options in place of ``auto``, where it is known what the server may use."""
    if observed.limits is None or all(model.given.get("engine_options") != AUTO for model in declared):
        return declared
    return choose_options(declared, observed.limits, sizes)


def make_plan(declared: Sequence[DeclaredModel], observed: Observed, choices: PlanOptions = PlanOptions(), sizes: Sizes = _NO_FILES) -> Plan:
    """Compare the declaration with the server.

    :param declared: the models as declared.
    :param observed: the server as it is, with what was applied.
    :param choices: what holds for the whole list.
    :param sizes: the server's files, for options that are chosen by the memory that is left.
    :returns: one action per declared model and per model to remove: removals first, because they free memory for the
        launches, then the others in the order of the declaration.
    """
    removals: list[Action] = []
    others: list[Action] = []
    notes: list[str] = []
    declared = _resolved(declared, observed, sizes)
    inline = _inline(declared)
    for model in declared:
        if model.state == "absent":
            removals.append(_absent(model, observed))
            continue
        others.append(_present(model, observed, choices, inline))
        if model.given.get("autostart") not in (None, False) and not observed.autostart:
            notes.append(f"{model.uid}: autostart is declared, but this server has none; it exists since {AUTOSTART.since}.")
    if choices.exclusive:
        names = choices.spared | {model.uid for model in declared}
        for uid in sorted({*observed.models, *observed.entries} - names):
            removals.append(_absent(DeclaredModel(uid, "absent"), observed))
    return Plan(tuple(removals + others), tuple(notes), tuple(declared))


def plan_downloads(declared: Sequence[DeclaredModel], observed: Observed, sizes: Sizes = _NO_FILES) -> Plan:
    """Only get the files of the declared models; what runs is left as it is.

    :param declared: the models as declared.
    :param observed: the server as it is, with the files that it has.
    :param sizes: as of :func:`make_plan`.
    """
    declared = _resolved(declared, observed, sizes)
    actions: list[Action] = []
    inline = _inline(declared)
    for model in declared:
        state = observed.state(model.uid)
        if model.state == "absent" or not _missing(model, observed):
            actions.append(Action(model.uid, KEEP, state, model=model))
            continue
        found, _differs = _registration(model, observed, inline)
        wanted = inline.get((model.type, model.name))
        register = (model.type, wanted) if wanted is not None and found is None else None
        after = {"files": "present", **model.shown()}
        actions.append(Action(model.uid, DOWNLOAD, state, before={"files": ABSENT}, after=after, register=register, fetch=True, model=model))
    return Plan(tuple(actions), models=tuple(declared))
