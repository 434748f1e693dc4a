# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One run from the declaration to the results: read, refuse, plan, carry out. Private to this collection."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from ..admission.catalogue import Catalogue, check_catalogue, check_registrations
from ..admission.model_paths import check_paths
from ..admission.sizing import Limits, choose_options, too_much
from ..apply.context import Surroundings, Writer
from ..apply.download import ROUTE as DOWNLOAD
from ..apply.download import is_cached, wanted_files
from ..apply.results import Result, predict
from ..apply.run import apply_plan
from ..base.errors import DeclarationError
from ..base.messages import called
from ..declaration.fields import AUTO
from ..declaration.model import DeclaredModel
from ..observed.models import ABSENT, make_certain, survey
from ..plan.plan import DOWNLOAD as DOWNLOAD_FILES
from ..plan.plan import LAUNCH, RELAUNCH, Plan, make_plan, plan_downloads
from .options import Wishes

__all__ = ["Outcome", "Server", "converge", "server_limits"]

#: How often models are planned anew that others were launching: more than once only where others do it again and again.
_LOOKS = 3
_ADD_COPY = "POST /v1/models/{model_uid}/replicas"


class Server(Writer, Catalogue, Protocol):
    """The whole client."""

    def routes(self) -> frozenset[str]:
        """What the server offers."""

    def twin(self) -> Server:
        """The same for another thread."""

    def close(self) -> None:
        """Close its connections."""

    def cached(self) -> list[dict[str, Any]]:
        """Models whose files are there."""

    def status(self, *, patient: bool = True) -> dict[str, Any]:
        """Resources of its workers."""


@dataclass(frozen=True)
class Outcome:
    """What a run did, or would do.

    :param notes: what the operator should know besides, one sentence each.
    :param compared: models of others that were waited for and then compared.
    """

    plan: Plan
    results: list[Result]
    notes: tuple[str, ...] = ()
    compared: frozenset[str] = frozenset()


def server_limits(client: Server, wishes: Wishes) -> Limits:
    """What the server may use: as given, else as its workers report their machine."""
    if wishes.cores is not None and wishes.memory_mib is not None:
        return Limits(wishes.cores, wishes.memory_mib)
    machines = [worker.get("status", {}).get("cpu", {}) for worker in (client.status().get("workers") or {}).values()]
    cores = max((float(machine.get("total", 1)) for machine in machines), default=1.0)
    memory = sum(int(machine.get("memory_total", 0)) for machine in machines) >> 20
    return Limits(wishes.cores or cores, wishes.memory_mib or memory)


def _registered(models: Sequence[DeclaredModel]) -> dict[str, set[str]]:
    """Names of the registrations that the declaration brings, by type."""
    names: dict[str, set[str]] = {}
    for model in models:
        if model.state == "present" and model.registration is not None:
            names.setdefault(model.type, set()).add(model.name)
    return names


def _missing(client: Server, models: Sequence[DeclaredModel], wishes: Wishes) -> frozenset[str]:
    """Models whose files are to be got before anything else happens; asked only where there is such a model."""
    wanted = [model for model in models if model.state == "present" and wanted_files(model)]
    if not wanted or wishes.download == "with_launch":
        return frozenset()
    if DOWNLOAD not in client.routes():
        if wishes.download == "only":
            raise DeclarationError(
                [f"{called('download', wishes.names)} 'only' is not possible: this server cannot download without launching; servers since 3.4 can."]
            )
        return frozenset()
    rows = client.cached()
    return frozenset(model.uid for model in wanted if not is_cached(model, rows))


def _plan(client: Server, models: Sequence[DeclaredModel], wishes: Wishes) -> tuple[Plan, Surroundings]:
    """Read the server and plan."""
    kept = wishes.file.load()
    observed = survey(client, _registered(models), wishes.home, kept)
    if wishes.download == "only":
        missing = _missing(client, models, wishes)
        return plan_downloads(models, observed, missing), Surroundings(
            observed, wishes.home, wishes.file, wishes.report, missing, wishes.deaths, wishes.engine_errors
        )
    plan = make_plan(models, observed, wishes.choices)
    if any(action.changing and (action.entry is not None or action.old_entry is not None) for action in plan.actions):
        certain = make_certain(observed, client)
        if certain.autostart != observed.autostart:
            plan = make_plan(models, certain, wishes.choices)
        observed = certain
    if any(action.kind == RELAUNCH and set(action.drift) == {"replica"} for action in plan.actions) and _ADD_COPY in client.routes():
        plan = make_plan(models, observed, replace(wishes.choices, scaling=True))
    launched = [action.model for action in plan.actions if action.kind in (LAUNCH, RELAUNCH) and action.model is not None]
    return plan, wishes.around(observed, _missing(client, launched, wishes))


def _refuse(client: Server, plan: Plan, models: Sequence[DeclaredModel], limits: Limits | None, wishes: Wishes) -> None:
    """Stop before the first write when the server could not do what the plan asks."""
    launched = [action for action in plan.actions if action.kind in (LAUNCH, RELAUNCH, DOWNLOAD_FILES)]
    # For a registration that is to be made or replaced the server would answer wrongly.
    problems = check_catalogue(client, [action.model for action in launched if action.model is not None and action.register is None], wishes.names)
    problems += check_registrations(
        client,
        [action.model for action in plan.actions if action.model is not None and action.register is not None and action.model.registration],
        wishes.names,
    )
    problems += check_paths([action.model for action in launched if action.model is not None], wishes.home, wishes.names)
    if not problems and wishes.check_memory and any(action.kind != DOWNLOAD_FILES for action in launched):
        limits = limits or server_limits(client, wishes)
        if limits.memory_mib:
            problems += too_much(models, limits, wishes.home, wishes.names)
    if problems:
        raise DeclarationError(problems)


def converge(client: Server, declared: Sequence[DeclaredModel], wishes: Wishes) -> Outcome:
    """Make a server run what was declared.

    :param client: the server.
    :param declared: the models, checked.
    :param wishes: how.
    :raises DeclarationError: when the server could not do it; nothing was changed.
    :raises XinferenceError: when the server cannot be read.
    """
    limits = server_limits(client, wishes) if any(model.given.get("engine_options") == AUTO for model in declared) else None
    models = choose_options(declared, limits, wishes.home) if limits else list(declared)
    plan, around = _plan(client, models, wishes)
    _refuse(client, plan, models, limits, wishes)
    if wishes.check:
        return Outcome(plan, predict(plan), plan.notes)
    wishes.leave()
    outcome = Outcome(plan, apply_plan(plan, client, wishes.waiting, around), plan.notes)
    for _look in range(_LOOKS if wishes.waiting.wait else 0):
        again = [result.uid for result in outcome.results if result.result == "waited" and result.after is not None and result.uid not in outcome.compared]
        if not again:
            break
        outcome = _look_again(client, [model for model in models if model.uid in again], wishes, outcome)
    for result in outcome.results:
        if result.result == "waited" and result.after is not None and result.state == ABSENT:
            result.result, result.message = "failed", "is launched and cancelled by somebody else again and again"
    return outcome


def _look_again(client: Server, models: Sequence[DeclaredModel], wishes: Wishes, before: Outcome) -> Outcome:
    """Compare the models that somebody else launched, maybe otherwise than declared here, now that they are ready."""
    plan, around = _plan(client, models, replace(wishes, choices=replace(wishes.choices, exclusive=False)))
    later = {result.uid: result for result in apply_plan(plan, client, wishes.waiting, around)}
    changed = {uid: result for uid, result in later.items() if result.changed or result.failed}
    for result in before.results:
        if result.uid in later:
            result.state, result.drift, result.unverified = later[result.uid].state, later[result.uid].drift, later[result.uid].unverified
    actions = {action.uid: action for action in plan.actions if action.uid in changed}
    return Outcome(
        Plan(tuple(actions.get(action.uid, action) for action in before.plan.actions), before.notes),
        [changed.get(result.uid, result) for result in before.results],
        before.notes,
        before.compared | {uid for uid, result in later.items() if result.result != "waited"},
    )
