# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One registration of a custom model, made as declared. Private to this collection.

A server cannot change a registration: the old one is removed and the new one made. Whatever the server refuses is rolled back. Models that run
keep serving the old one until they are relaunched.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ..admission.model_paths import path_problems
from ..apply.context import Clock, Context, LaunchRecords, Waiting
from ..apply.results import Result, predict
from ..apply.run import apply_plan
from ..base.errors import DeclarationError, XinferenceError, with_words
from ..declaration.model import DeclaredModel
from ..declaration.specification import check_registration, registration_drift
from ..observed.last_applied import Record, StateFile, cleaned
from ..observed.models import ABSENT, ERROR, READY, Observed, make_certain, survey
from ..observed.server_files import ServerFiles
from ..plan.plan import RELAUNCH, Action, Plan, describe
from ..server.api import ModelsApi, RegistrationApi
from .export import cleaned_registration

__all__ = ["ON_RUNNING", "Change", "Registration", "RegistrationOutcome", "apply_registration", "check", "plan_registration", "predicted", "read"]

#: Where the core names the specification by the name that it has in a list of models: at the beginning, and as a place for a field.
_OWN_NAME = re.compile(r"(^|; it belongs into (?:the entries of )?|\? It belongs into (?:the entries of )?)registration\b")
ON_RUNNING = ("keep", "relaunch", "refuse")
STATES = ("present", "absent")
UNCHANGED = "unchanged"
REGISTERED = "registered"
REPLACED = "replaced"
REMOVED = "removed"


@dataclass(frozen=True)
class Registration:
    """A registration as declared.

    :param type: of the model, such as LLM.
    :param name: of the model.
    :param state: ``present`` or ``absent``.
    :param given: the specification as it was written; empty when it should be absent.
    :param persist: whether it should survive a restart of the server.
    :param on_running: what becomes of the models that run: keep, relaunch or refuse.
    """

    type: str
    name: str
    state: str = "present"
    given: dict[str, Any] = field(default_factory=dict)
    persist: bool = True
    on_running: str = "keep"

    @property
    def specification(self) -> dict[str, Any]:
        """The specification as the server takes it."""
        return DeclaredModel("", "present", {"name": self.name, "type": self.type, "registration": self.given}).registration or {}

    @property
    def key(self) -> str:
        """Under which its record is kept; a model's uid may be anything but a word with two colons that begins like this."""
        return f"registration:{self.type}:{self.name}"


@dataclass(frozen=True)
class Seen:
    """What is there.

    :param found: the specification that is registered, None when there is none.
    :param builtin: whether the server brings a model of this name itself.
    :param persistent: whether the registration survives a restart; None where this host cannot see it.
    :param running: uid → state, of the models of this type and name.
    :param observed: the server at that moment.
    """

    found: dict[str, Any] | None
    builtin: bool
    persistent: bool | None
    running: dict[str, str]
    observed: Observed


@dataclass(frozen=True)
class Change:
    """What is to be done.

    :param wanted: the registration as declared.
    :param seen: what is there.
    :param kind: unchanged, registered, replaced or removed.
    :param drift: fields in which the registration differs from its declaration: field → {declared, running}.
    :param relaunches: the models that are launched again afterwards.
    """

    wanted: Registration
    seen: Seen
    kind: str = UNCHANGED
    drift: dict[str, Any] = field(default_factory=dict)
    relaunches: tuple[Action, ...] = ()

    @property
    def changed(self) -> bool:
        """Whether anything is written."""
        return self.kind != UNCHANGED

    def side(self, name: str) -> dict[str, Any]:
        """One side of the diff, ``before`` or ``after``: the registration, or of one that is replaced the fields that differ."""
        wanted, before = self.wanted, name == "before"
        if self.kind == UNCHANGED:
            return {}
        if self.kind == REPLACED:
            shown: dict[str, Any] = {field_name: values["running" if before else "declared"] for field_name, values in self.drift.items()}
        elif before == (self.kind == REGISTERED):
            return {"state": ABSENT}
        elif before:
            shown = cleaned_registration(self.seen.found or {})
        else:
            shown = {**wanted.specification, "persist": wanted.persist}
        if self.relaunches and not before:
            shown["relaunched"] = [action.uid for action in self.relaunches]
        return {"state": "present", "type": wanted.type, "model_name": wanted.name, **shown}


@dataclass(frozen=True)
class RegistrationOutcome:
    """What a run did, or would do.

    :param change: what was to be done.
    :param models: what became of the models that were relaunched.
    :param notes: what the operator should know besides, one sentence each.
    :param restored: whether the run rolled back to the previous registration.
    """

    change: Change
    models: list[Result] = field(default_factory=list)
    notes: tuple[str, ...] = ()
    restored: bool = False


def check(wanted: Registration) -> list[str]:
    """What is wrong with a declaration, one sentence each."""
    problems = []
    if wanted.state == "present":
        # The core calls the specification by the name that it has in a list of models.
        found = check_registration(wanted.type, wanted.name, wanted.given)
        problems += [_OWN_NAME.sub(r"\1specification", problem) for problem in found]
    elif wanted.on_running == "relaunch":
        problems.append("on_running 'relaunch' is for state present; a model whose registration is removed cannot be launched. Use keep or refuse.")
    return problems


def read(client: RegistrationApi, wanted: Registration, server_files: ServerFiles, file: StateFile) -> Seen:
    """Read what is there: the registration, the models, and what they were launched with.

    :raises XinferenceError: when the server cannot be read.
    """
    names = client.registered_names(wanted.type)
    found = client.registrations(wanted.type, {wanted.name}).get(wanted.name) if wanted.name in names else None
    persistent = wanted.name in server_files.registrations(wanted.type, {wanted.name}) if server_files.readable else None
    observed = survey(client, {}, server_files, file.load())
    running = _running(client, wanted, observed)
    if set(running) & set(observed.entries):
        observed = make_certain(observed, client)
    return Seen(found, names.get(wanted.name, False), persistent, running, observed)


def _running(client: RegistrationApi, wanted: Registration, observed: Observed) -> dict[str, str]:
    """The models of a registration, with their states."""
    running: dict[str, str] = {}
    vague: set[str] = set()
    for uid, model in observed.models.items():
        if model.state in (ABSENT, ERROR):
            continue
        if not model.spec:
            vague.add(uid)
        elif (model.spec.get("model_type"), model.spec.get("model_name")) == (wanted.type, wanted.name):
            running[uid] = model.state
    if vague:
        # Of a model that is being launched, the server reports the name only.
        named = {str(row.get("model_uid")) for row in client.list_instances() if row.get("model_name") == wanted.name}
        running.update({uid: observed.models[uid].state for uid in vague & named})
    return dict(sorted(running.items()))


def _missing_files(wanted: Registration, server_files: ServerFiles) -> list[str]:
    """The files of a registration that are not there, as far as this host can see."""
    model = DeclaredModel(wanted.name, "present", {"name": wanted.name, "type": wanted.type, "registration": wanted.given})
    return [
        f"{field_name.replace('registration', 'specification', 1)} '{path}' {wrong}."
        for field_name, path, wrong in path_problems(model, server_files)
        # The server may see more directories than are declared here.
        if server_files.on_host(path) is not None
    ]


def plan_registration(wanted: Registration, seen: Seen, server_files: ServerFiles) -> Change:
    """Compare a declaration with what is there.

    :raises DeclarationError: when it cannot be done; nothing was changed.
    """
    if seen.builtin:
        words = "cannot be removed" if wanted.state == "absent" else "cannot be registered again; choose another name"
        raise DeclarationError([f"name '{wanted.name}' of type {wanted.type} is a model of the server's own catalogue, which {words}."])
    if wanted.state == "absent":
        change = Change(wanted, seen, REMOVED if seen.found is not None else UNCHANGED)
        other = change.changed
    else:
        change, other = _present(wanted, seen)
    problems = _missing_files(wanted, server_files) if change.changed and wanted.state == "present" else []
    if other and seen.running and wanted.on_running == "refuse":
        problems.append(f"on_running is refuse, and the registration of '{wanted.name}' is used by the running {', '.join(seen.running)}.")
    if other and wanted.on_running == "relaunch":
        actions, unknown = _relaunches(wanted, seen)
        change = replace(change, relaunches=actions)
        problems += unknown
    if problems:
        raise DeclarationError(problems)
    return change


def _present(wanted: Registration, seen: Seen) -> tuple[Change, bool]:
    """What to do about a registration that should be there, and whether the models that run would be others."""
    if seen.found is None:
        # A model that outlived its registration is left as it runs.
        return Change(wanted, seen, REGISTERED), False
    record = seen.observed.records.get(wanted.key)
    differs = registration_drift(wanted.specification, seen.found, record.registration if record else None)
    other = bool(differs)
    if seen.persistent is not None and seen.persistent != wanted.persist:
        differs["persist"] = {"declared": wanted.persist, "running": seen.persistent}
    return Change(wanted, seen, REPLACED if differs else UNCHANGED, differs), other


def _relaunches(wanted: Registration, seen: Seen) -> tuple[tuple[Action, ...], list[str]]:
    """How the running models are launched again, each as it was launched, and why that cannot be."""
    actions: list[Action] = []
    problems: list[str] = []
    specification = wanted.specification
    for uid, state in seen.running.items():
        applied, entry = seen.observed.applied.get(uid), seen.observed.entries.get(uid)
        if state != READY:
            problems.append(f"on_running is relaunch, and '{uid}' is {state}; wait until it is ready.")
        elif applied is None:
            problems.append(f"on_running is relaunch, but it is not known what '{uid}' was launched with; relaunch it with module models, or give mounts.")
        elif entry is not None and entry.launch is None:
            problems.append(f"on_running is relaunch, but the autostart entry of '{uid}' belongs to another account.")
        else:
            model = seen.observed.models[uid]
            request = cleaned(applied.request)
            actions.append(
                Action(
                    uid=uid,
                    kind=RELAUNCH,
                    state=state,
                    before=describe(model),
                    after={**describe(model), "state": READY},
                    request=request,
                    register=(wanted.type, specification),
                    replaced=seen.found,
                    previous=request,
                    old_entry=entry,
                    model=DeclaredModel(uid, "present", {"name": wanted.name, "type": wanted.type, "registration": wanted.given}),
                )
            )
    return tuple(actions), problems


def _persist(change: Change, specification: dict[str, Any]) -> bool:
    """Whether a registration is kept: as it was declared, or as it was. Where it is not known whether the old one was kept, it is better kept than lost."""
    return change.wanted.persist if specification == change.wanted.specification else change.seen.persistent is not False


def _swap(client: RegistrationApi, change: Change) -> None:
    """Put the new registration in place of the old one; the old one back when the server refuses the new one."""
    wanted, old = change.wanted, change.seen.found
    try:
        if old is not None:
            client.unregister(wanted.type, wanted.name)
        client.register(wanted.type, wanted.specification, _persist(change, wanted.specification))
    except XinferenceError as error:
        if _is_there(client, wanted):
            # Another client just registered the same, or the answer was lost.
            return
        if old is None:
            raise
        try:
            client.unregister(wanted.type, wanted.name)
            client.register(wanted.type, old, _persist(change, old))
        except XinferenceError as second:
            raise with_words(error, f"Rolling back to the previous registration failed as well: {second}") from error
        raise with_words(error, "Rolled back to the previous registration.") from error


def _is_there(client: RegistrationApi, wanted: Registration) -> bool:
    """Whether the server has the registration as it is declared, as far as it can be asked."""
    try:
        now = _again(client, wanted)
    except XinferenceError:
        return False
    return now is not None and not registration_drift(wanted.specification, now)


def _again(client: RegistrationApi, wanted: Registration) -> dict[str, Any] | None:
    """The registration as the server has it now."""
    return client.registrations(wanted.type, {wanted.name}).get(wanted.name)


def _notes(change: Change, now: Mapping[str, Any] | None) -> list[str]:
    """What the operator should know, one sentence each."""
    wanted, seen = change.wanted, change.seen
    notes = []
    if now is not None:
        lost = registration_drift(wanted.specification, now)
        if lost:
            notes.append(
                f"The server took the registration of '{wanted.name}', but not as it was declared: {', '.join(lost)}. Compare the field names with"
                " what the server knows, or every run will register it again."
            )
    entries = [uid for uid in seen.running if uid in seen.observed.entries]
    if change.kind == REMOVED and entries:
        notes.append(f"The autostart entries of {', '.join(entries)} stay; without the registration the server cannot start them after a restart.")
    return notes


def apply_registration(client: RegistrationApi, change: Change, waiting: Waiting, context: Context, passing: Clock | None = None) -> RegistrationOutcome:
    """Do it.

    :param client: the server.
    :param change: what to do.
    :param waiting: how long to wait for relaunched models, in seconds.
    :param context: the server's files, as far as this host sees them.
    :raises XinferenceError: when the server refuses; then the previous registration is there again.
    """
    wanted, keeper = change.wanted, LaunchRecords(client, change.seen.observed.history, context.file)
    if not change.changed:
        return RegistrationOutcome(change)
    if change.kind == REMOVED:
        client.unregister(wanted.type, wanted.name)
        if _again(client, wanted) is not None:
            raise XinferenceError(f"The server reports that the registration of '{wanted.name}' was removed, but still has it; its log shows why.")
        if wanted.key in change.seen.observed.records:
            keeper.drop(wanted.key)
        return RegistrationOutcome(change, notes=tuple(_notes(change, None)))
    _swap(client, change)
    notes = _notes(change, _again(client, wanted))
    context = replace(context, persist=lambda specification: _persist(change, specification))
    models = _relaunch(client, change.relaunches, waiting, context, passing or Clock())
    failed = any(model.failed for model in models)
    if failed and registration_drift(wanted.specification, _again(client, wanted) or {}):
        return RegistrationOutcome(change, models, tuple(notes), restored=True)
    keeper.write(wanted.key, Record({}, 0, wanted.specification))
    return RegistrationOutcome(change, models, tuple(notes))


def _relaunch(client: ModelsApi, actions: Sequence[Action], waiting: Waiting, context: Context, passing: Clock) -> list[Result]:
    """Launch models again, one after the other.

    Each brings the registration with it, so that the core can roll back to both. The first that fails ends it: the others are not touched.
    """
    results: list[Result] = []
    end = passing.clock() + waiting.timeout
    for action in actions:
        if results and results[-1].failed:
            (result,) = predict(Plan((action,)))
            result.result, result.changed, result.message = "failed", False, "was not relaunched, because another one failed"
        else:
            remaining = replace(waiting, timeout=max(0.0, end - passing.clock()))
            (result,) = apply_plan(Plan((action,)), client, remaining, context, clock=passing.clock, sleep=passing.sleep)
        results.append(result)
    return results


def predicted(change: Change) -> RegistrationOutcome:
    """The outcome in check mode."""
    return RegistrationOutcome(change, predict(Plan(change.relaunches)))
