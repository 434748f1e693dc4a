# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fields in which a running model differs from its declaration: pure. Private to this collection."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..base.compare import same_size, same_value
from ..declaration.fields import FIELDS
from ..declaration.model import DeclaredModel, effective
from ..observed.last_applied import FILLED_IN, RECORDED, Applied
from ..observed.models import ObservedModel
from .placement import PLACES, find_moves, workers_text

__all__ = ["drift", "unverified"]

#: Declared field → key in the server's description, for what the server reports.
REPORTED = {
    "name": "model_name",
    "type": "model_type",
    "engine": "model_engine",
    "format": "model_format",
    "size_in_billions": "model_size_in_billions",
    "quantization": "quantization",
    "replica": "replica",
    "multimodal_projector": "multimodal_projector",
}
#: Reported as null when the model has none, and not when the server does not know.
_NULL_IS_NONE = frozenset({"multimodal_projector"})
_ANY_CASE = frozenset({"engine", "quantization"})
#: Declared fields of the launch request that no server reports.
UNREPORTED = {name: spec.sent for name, spec in FIELDS.items() if spec.sent and name not in REPORTED and name != "uid"}
_SENT = frozenset(spec.sent for spec in FIELDS.values() if spec.sent)
_MASK = "********"


def _same(name: str, wanted: Any, actual: Any) -> bool:
    """Whether a reported value is the declared one: engines echo the caller's case, quantizations have their own, and 0.6 is written 0_6."""
    if name == "size_in_billions":
        return same_size(wanted, actual)
    if name in _ANY_CASE:
        return str(wanted).lower() == str(actual).lower()
    return str(wanted) == str(actual)


def _masked(name: str, value: Any) -> Any:
    """A value as it may be shown."""
    return dict.fromkeys(value, _MASK) if name == "environment" and isinstance(value, Mapping) else value


def _same_applied(name: str, wanted: Any, actual: Any) -> bool:
    """Whether a value that was applied is the declared one. Workers may be named in any order: the server chooses among them."""
    if name == "workers" and isinstance(actual, str):
        return sorted(str(wanted).split(",")) == sorted(one.strip() for one in actual.split(","))
    return same_value(wanted, actual)


def _said(value: Any) -> Any:
    """A value, or None for an empty list or dictionary, which asks for nothing."""
    return None if value in ({}, []) else value


def _unreported(model: DeclaredModel, running: ObservedModel, applied: Applied) -> dict[str, Any]:
    """Differences in what no server reports, against what was really applied."""
    found: dict[str, Any] = {}
    declared = effective(model.launch_request(), running.spec, model.options)
    request = effective(applied.request, running.spec, applied.request if applied.source == RECORDED else model.options)
    # Both are sent under one name: a difference is that of the one that was declared.
    other = "worker_ip" if "workers" in model.given else "workers"
    for name, sent in UNREPORTED.items():
        if name == other:
            continue
        wanted, actual = _said(declared.get(sent)), _said(request.get(sent))
        if sent in applied.hidden:
            continue
        if wanted is None and (actual is None or sent in FILLED_IN):
            continue
        # It means no GPU on a host that has none, and a server stores the one as the other.
        if name == "n_gpu" and wanted == "auto" and actual is None:
            continue
        if wanted is None or actual is None or not _same_applied(name, wanted, actual):
            found[name] = {"declared": _masked(name, wanted), "running": _masked(name, actual)}
    # Where replicas run, the server itself reports.
    for key in sorted({*declared, *request} - _SENT - {PLACES}):
        wanted, actual = declared.get(key), request.get(key)
        if key in applied.hidden:
            continue
        if (wanted is None) != (actual is None) or not same_value(wanted, actual):
            found[f"engine_options.{key}"] = {"declared": wanted, "running": actual}
    return found


def drift(model: DeclaredModel, running: ObservedModel, applied: Applied | None = None) -> dict[str, Any]:
    """Fields in which a running model differs from its declaration: field → {declared, running}.

    :param model: as declared.
    :param running: as the server reports it.
    :param applied: what it was launched with; None where that cannot be read, and then nothing is assumed.
    """
    found: dict[str, Any] = {}
    for name, reported in REPORTED.items():
        wanted = model.wanted(name)
        actual = running.spec.get(reported)
        if actual is None and applied is not None:
            # Servers before 3.1 do not report the engine, but what was applied holds it.
            actual = applied.request.get(FIELDS[name].sent)
        if wanted is None or (actual is None and not (name in _NULL_IS_NONE and reported in running.spec)):
            continue
        if actual is None or not _same(name, wanted, actual):
            found[name] = {"declared": wanted, "running": actual}
    if applied is not None:
        found.update(_unreported(model, running, applied))
    if running.places and (workers := model.given.get("workers")):
        # Where they really run counts more than where they were asked to.
        found.pop("workers", None)
        moves = find_moves(workers, int(model.wanted("replica") or 1), running.places)
        if moves.additions or moves.removals:
            found["workers"] = {"declared": ", ".join(workers), "running": workers_text(running.places)}
    return found


def unverified(model: DeclaredModel, running: ObservedModel, applied: Applied | None) -> tuple[str, ...]:
    """Declared fields of a running model that cannot be compared with anything."""
    missing = [
        name
        for name, reported in REPORTED.items()
        if model.given.get(name) is not None
        and running.spec.get(reported) is None
        and not (name in _NULL_IS_NONE and reported in running.spec)
        and (applied is None or applied.request.get(FIELDS[name].sent) is None)
    ]
    seen = {"workers"} if running.places else set()
    missing += [
        name for name, sent in UNREPORTED.items() if model.given.get(name) is not None and name not in seen and (applied is None or sent in applied.hidden)
    ]
    missing += [f"engine_options.{key}" for key in sorted(model.options) if applied is None or key in applied.hidden]
    return tuple(missing)
