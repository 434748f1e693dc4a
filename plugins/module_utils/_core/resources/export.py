# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a server runs, as a declaration that provisions the same again. Private to this collection."""

from __future__ import annotations

import ipaddress
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..declaration.check import check_models
from ..declaration.fields import FIELDS, SENT, WORKER_NAME, WrongField
from ..declaration.model import DeclaredModel, effective
from ..declaration.specification import CUSTOM_TYPES
from ..observed.last_applied import FILLED_IN, RECORDED, Applied, Entry
from ..observed.models import READY, Observed, ObservedModel
from ..plan.drift import REPORTED, UNREPORTED, drift
from ..server.api import RegistrationsApi

__all__ = ["Export", "cleaned_registration", "custom_registrations", "export"]

#: What a server fills into a registration by default.
_DEFAULTS: dict[str, Any] = {"is_builtin": False, "model_hub": "huggingface", "version": 2}
#: Where a copy runs; on a server with one worker there is nothing to choose.
_PLACE = frozenset({"worker_ip", "n_worker", "gpu_idx"})


@dataclass(frozen=True)
class Export:
    """A server as a declaration.

    :param declaration: the ready models in the terms of a declaration, sorted by uid.
    :param unknown: uid → fields that are not known, which are missing from the declaration.
    :param problems: what a declaration may not hold, though the server runs it, one sentence each.
    """

    declaration: list[dict[str, Any]] = field(default_factory=list)
    unknown: dict[str, list[str]] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)


def custom_registrations(client: RegistrationsApi, observed: Observed) -> dict[tuple[str, str], dict[str, Any]]:
    """Specifications of the custom models that are ready: one request for each of their types, and one more for each of them."""
    used: dict[str, set[str]] = {}
    for model in observed.models.values():
        kind, name = model.spec.get("model_type"), model.spec.get("model_name")
        if model.state == READY and kind in CUSTOM_TYPES and name:
            used.setdefault(str(kind), set()).add(str(name))
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for kind, names in sorted(used.items()):
        custom = [name for name, builtin in client.registered_names(kind).items() if name in names and not builtin]
        # One by one: asked for several, the server sends its whole catalogue, and adds what belongs to no specification.
        found.update({(kind, name): spec for wanted in custom for name, spec in client.registrations(kind, {wanted}).items()})
    return found


def cleaned_registration(specification: Mapping[str, Any]) -> dict[str, Any]:
    """A specification without what the server adds by itself: empty values, and its defaults."""

    def kept(key: str, value: Any) -> bool:
        return value not in (None, [], {}) and not (key in _DEFAULTS and value == _DEFAULTS[key])

    cleaned: dict[str, Any] = {}
    for key, value in specification.items():
        if not kept(key, value):
            continue
        parts = value if isinstance(value, list) else []
        cleaned[key] = [cleaned_registration(part) if isinstance(part, Mapping) else part for part in parts] or value
    return cleaned


def _registrations(observed: Observed, found: Mapping[tuple[str, str], Mapping[str, Any]]) -> dict[tuple[str, str], dict[str, Any]]:
    """The specifications to declare, one for each custom model, however many uids serve it."""
    declared = {key: cleaned_registration(spec) for key, spec in found.items()}
    for uid, record in observed.records.items():
        model = observed.models.get(uid)
        key = (str(model.spec.get("model_type")), str(model.spec.get("model_name"))) if model else ("", "")
        if key in declared and record.registration:
            # A default that was declared before must be declared again, or leaving it out would count as a difference.
            again = {name: found[key][name] for name in record.registration if name not in declared[key] and found[key].get(name) is not None}
            declared[key].update(again)
    # The name of the model, and the number of the format, are added to every declared registration.
    return {
        key: {name: value for name, value in spec.items() if (name, value) not in (("model_name", key[1]), ("version", 2))} for key, spec in declared.items()
    }


def _worker_names(value: Any) -> list[str] | None:
    """The workers that a launch request names, as hosts of an inventory; None where it holds addresses, or each of several ports."""

    def is_name(text: str) -> bool:
        try:
            ipaddress.ip_address(text)
        except ValueError:
            return bool(WORKER_NAME.fullmatch(text))
        return False

    names = [one.strip() for one in value.split(",")] if isinstance(value, str) else []
    return names if names and all(map(is_name, names)) and len(set(names)) == len(names) else None


def _given(request: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """The fields of a declaration that make a launch request, and those whose value a declaration cannot hold."""
    given: dict[str, Any] = {}
    options: dict[str, Any] = {}
    impossible: list[str] = []
    for sent, value in request.items():
        if value is None:
            continue
        if sent not in SENT:
            options[sent] = value
            continue
        name = SENT[sent]
        names = _worker_names(value) if name == "worker_ip" else None
        if names is not None:
            given["workers"] = names
            continue
        try:
            given[name] = FIELDS[name].check(value)
        except WrongField:
            impossible.append(name)
    if options:
        given["engine_options"] = options
    given.pop("uid", None)
    return given, impossible


def _reported(model: ObservedModel) -> dict[str, Any]:
    """The fields that a server reports."""
    request = {FIELDS[name].sent: model.spec.get(key) for name, key in REPORTED.items() if model.spec.get(key) not in (None, "")}
    return _given(effective(request, model.spec))[0]


def _effective(request: Mapping[str, Any], model: ObservedModel, applied: Applied | None) -> dict[str, Any]:
    """A launch request without what the server ignores, except what was declared here."""
    return effective(request, model.spec, applied.request if applied is not None and applied.source == RECORDED else ())


def _from_entry(model: ObservedModel, entry: Entry | None, applied: Applied | None) -> tuple[dict[str, Any], list[str]] | None:
    """The fields of the autostart entry, if it starts what runs; None if it does not, or cannot be read."""
    if entry is None or entry.launch is None:
        return None
    given, impossible = _given(_effective(entry.launch, model, applied))
    given.setdefault("replica", 1)
    differs = drift(DeclaredModel(model.uid, "present", given), model, applied)
    return (given, impossible) if not differs else None


def _from_what_runs(model: ObservedModel, applied: Applied | None) -> tuple[dict[str, Any], list[str]]:
    """The fields of what runs: as it was launched where that is known, else as it is reported."""
    reported = _reported(model)
    if applied is None:
        return reported, ["engine_options", *UNREPORTED]
    request = dict(applied.request)
    if applied.source == "worker":
        # The worker's arguments do not show whether anybody asked for these.
        request = {key: value for key, value in request.items() if key not in FILLED_IN}
    given, impossible = _given(_effective(request, model, applied))
    given = {**reported, **given}
    if "replica" in reported:
        # Copies may have been added or taken away since the launch.
        given["replica"] = reported["replica"]
    return given, impossible


def _autostart(given: dict[str, Any], entry: Entry | None, observed: Observed, same: bool) -> list[str]:
    """Add the field ``autostart``; returns what of it is not known."""
    if entry is None:
        if observed.autostart:
            given["autostart"] = False
        return []
    given["autostart"] = entry.policy
    return [] if same else ["autostart"]


def _environment(given: dict[str, Any], secrets: bool) -> list[str]:
    """Take the values of environment variables out, unless they are wanted; the names of those that are missing."""
    if secrets or "environment" not in given:
        return []
    return [f"environment.{name}" for name in given.pop("environment")]


def _item(model: ObservedModel, observed: Observed, secrets: bool, several: bool) -> tuple[dict[str, Any], list[str]]:
    """One model as a declared item without its registration, and what is unknown of it."""
    applied, entry = observed.applied.get(model.uid), observed.entries.get(model.uid)
    found = _from_entry(model, entry, applied)
    same = found is not None
    given, unknown = found if found is not None else _from_what_runs(model, applied)
    hidden = applied.hidden - (frozenset() if several else _PLACE) if applied is not None and found is None else frozenset()
    unknown = [*unknown, *(SENT.get(sent, f"engine_options.{sent}") for sent in sorted(hidden))]
    unknown = [*unknown, *_environment(given, secrets), *_autostart(given, entry, observed, same)]
    # In the order in which the fields are documented.
    return {"uid": model.uid, **{name: given[name] for name in FIELDS if name in given}}, list(dict.fromkeys(unknown))


def export(
    observed: Observed, registrations: Mapping[tuple[str, str], Mapping[str, Any]], *, uids: Collection[str] | None = None, secrets: bool = False
) -> Export:
    """A declaration with which the server would be provisioned the same again; a run with it changes nothing.

    :param observed: the server.
    :param registrations: specifications of the custom models among those that are ready.
    :param uids: only these models; None for all.
    :param secrets: whether values of environment variables are in it.
    """
    declared = _registrations(observed, registrations)
    several = len({worker for model in observed.models.values() for worker in model.workers}) > 1
    result = Export()
    for uid, model in sorted(observed.models.items()):
        if model.state != READY or (uids is not None and uid not in uids):
            continue
        item, unknown = _item(model, observed, secrets, several)
        registration = declared.get((str(model.spec.get("model_type")), str(model.spec.get("model_name"))))
        if registration is not None:
            item["registration"] = registration
        result.declaration.append(item)
        if unknown:
            result.unknown[uid] = unknown
    result.problems.extend(check_models(result.declaration, names={"models": "declaration"})[1])
    return result
