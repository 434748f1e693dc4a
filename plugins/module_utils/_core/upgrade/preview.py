# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a new server says of the declared models, registrations and accounts, beside what runs today. Private to this collection."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath
from typing import Any

from ..base.errors import ApiError, AuthenticationError, DeclarationError
from ..base.messages import shown
from ..declaration.fields import MODEL_TYPES
from ..declaration.model import DeclaredModel
from ..reconcile.options import ReconcileOptions
from ..reconcile.reconcile import reconcile
from ..server.client import Client
from ..server.rows import ModelRow

__all__ = ["ModelAnswer", "Preview", "preview"]

_NOT_ASKED = "is known when it is launched"


@dataclass(frozen=True)
class ModelAnswer:
    """A declared model, today and then.

    :param uid: of the model.
    :param today: how it runs, such as ``llama.cpp, ggufv2, 0_135, Q4_1``, or that it does not.
    :param then: what can run it on the new server, or why that refuses it.
    :param refused: whether the new server refuses it.
    """

    uid: str
    today: str
    then: str
    refused: bool


@dataclass
class Preview:
    """What the new server says.

    :param models: the declared models that are to run, in their order.
    :param problems: why this server cannot take the place of the one that runs, one sentence each; none where it can.
    :param notes: what is different there besides, one sentence each.
    """

    models: list[ModelAnswer] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def _running(row: ModelRow | None) -> str:
    """How a model runs."""
    if row is None:
        return "does not run"
    values = [row.get("model_engine"), row.get("model_format"), row.get("model_size_in_billions"), row.get("quantization")]
    return ", ".join(shown(value) for value in values if value is not None and value != "none") or "runs"


def _offered(then: Client, model: DeclaredModel) -> str:
    """What can run a model on a server."""
    try:
        engines = then.engines(model.type, model.name) or {}
    except AuthenticationError:
        raise
    except ApiError:
        return _NOT_ASKED
    able = [name for name, offers in engines.items() if isinstance(offers, list) and offers]
    return f"is offered with {', '.join(map(shown, able))}" if able else _NOT_ASKED


def _alone(model: DeclaredModel) -> DeclaredModel:
    """A model for a server that is alone while it is asked, and has no workers to choose among."""
    return replace(model, given={name: value for name, value in model.given.items() if name != "workers"})


def _models(today: Client, then: Client, declared: Sequence[DeclaredModel], options: ReconcileOptions, found: Preview) -> None:
    """Ask for each model by itself, and at last for all of them."""
    running = today.list_models()
    fine = []
    for model in declared:
        if model.state != "present":
            continue
        words, refused = "", True
        try:
            # Memory is a matter of all of them together.
            reconcile(then, [_alone(model)], replace(options, check_memory=False))
        except DeclarationError as error:
            words = " ".join(problem.partition("): ")[2] or problem for problem in error.problems)
            found.problems += error.problems
        else:
            words, refused = _offered(then, model), False
            fine.append(_alone(model))
        found.models.append(ModelAnswer(model.uid, _running(running.get(model.uid)), words, refused))
    try:
        reconcile(then, fine, options)
    except DeclarationError as error:
        found.problems += error.problems


def _registrations(then: Client, files: Iterable[str], declared: Sequence[DeclaredModel], found: Preview) -> None:
    """Registrations that the new server does not take; those of declared models are asked for with the model."""
    own = {(model.type, model.name) for model in declared if model.registration is not None}
    types = {kind.lower(): kind for kind in MODEL_TYPES}
    names: dict[str, dict[str, bool]] = {}
    for path in sorted(PurePosixPath(each) for each in files):
        if len(path.parts) != 4 or path.parts[:2] != ("model", "v2") or path.parts[2] not in types:
            continue
        kind, name = types[path.parts[2]], path.stem
        if (kind, name) in own:
            continue
        if kind not in names:
            names[kind] = then.registered_names(kind)
        if name not in names[kind]:
            found.problems.append(f"The new server does not take the registration of {kind} '{shown(name)}'; remove it, or register it again.")
        elif names[kind][name]:
            found.problems.append(
                f"The new server brings a model of its own that is called '{shown(name)}', so it leaves out your registration of that {kind}."
            )


def _names(rows: Sequence[Any] | None, name: str) -> dict[int, str]:
    """What is called how, by its number."""
    return {int(row["id"]): shown(str(row.get(name) or "")) for row in rows or ()}


def _accounts(today: Client, then: Client, found: Preview) -> None:
    """Whether all accounts and API keys are there."""
    for what, name, rows, new_rows in (
        ("account", "username", today.accounts(), then.accounts()),
        ("API key", "name", today.keys(), then.keys()),
    ):
        if rows is None:
            continue
        if new_rows is None:
            names = ", ".join(sorted(_names(rows, name).values()))
            found.notes += (
                [f"The new server is older than 3.0, which manages no {what}s but the administrator's: {names} stay in its data as they are."] if names else []
            )
            continue
        before, after = _names(rows, name), _names(new_rows, name)
        for number, called in before.items():
            if number not in after:
                found.problems.append(f"The new server does not know {what} '{called}' any more.")
            elif after[number] != called:
                found.notes.append(f"The new server calls {what} '{called}' '{after[number]}'.")


def preview(today: Client, then: Client, declared: Sequence[DeclaredModel], options: ReconcileOptions, files: Iterable[str]) -> Preview:
    """What a new server says.

    :param today: the server that runs.
    :param then: the new one, which has its accounts and registrations.
    :param declared: the models.
    :param options: of the run that would launch them; nothing is launched.
    :param files: paths of the server's files, from its home on.
    :raises XinferenceError: when one of the servers cannot be read.
    """
    found = Preview()
    _models(today, then, declared, replace(options, check=True, download="with_launch"), found)
    _registrations(then, files, declared, found)
    _accounts(today, then, found)
    return found
