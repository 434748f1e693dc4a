# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one pipeline: observe, plan, check, apply. Private to this collection."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from ..admission.catalogue import check_catalogue, check_registrations
from ..admission.model_paths import check_paths
from ..admission.sizing import Limits, choose_options, too_much
from ..apply.context import Context
from ..apply.download import ROUTE as DOWNLOAD
from ..apply.download import is_cached, other_source, wanted_files
from ..apply.results import Result, predict
from ..apply.run import apply_plan
from ..base.errors import DeclarationError
from ..base.messages import called
from ..declaration.fields import AUTO
from ..declaration.model import DeclaredModel
from ..observed.models import ABSENT, make_certain, survey
from ..plan.plan import DOWNLOAD as DOWNLOAD_FILES
from ..plan.plan import LAUNCH, RELAUNCH, Plan, make_plan, plan_downloads
from ..server.api import Api
from ..server.features import DOWNLOADS
from .options import ReconcileOptions

__all__ = ["Outcome", "reconcile", "server_limits"]

#: How often models are planned again that others were launching: more than once only where others do it again and again.
_LOOKS = 3
_ADD_COPY = "POST /v1/models/{model_uid}/replicas"


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


def server_limits(client: Api, run_options: ReconcileOptions) -> Limits:
    """What the server may use: as given, else as its workers report their machine."""
    if run_options.cores is not None and run_options.memory_mib is not None:
        return Limits(run_options.cores, run_options.memory_mib)
    machines = [worker.get("status", {}).get("cpu", {}) for worker in (client.status().get("workers") or {}).values()]
    cores = max((float(machine.get("total", 1)) for machine in machines), default=1.0)
    memory = sum(int(machine.get("memory_total", 0)) for machine in machines) >> 20
    return Limits(run_options.cores or cores, run_options.memory_mib or memory)


def _registered(models: Sequence[DeclaredModel]) -> dict[str, set[str]]:
    """Names of the registrations that the declaration brings, by type."""
    names: dict[str, set[str]] = {}
    for model in models:
        if model.state == "present" and model.registration is not None:
            names.setdefault(model.type, set()).add(model.name)
    return names


def _missing(client: Api, models: Sequence[DeclaredModel], run_options: ReconcileOptions, *, first: bool) -> frozenset[str]:
    """Models whose files are to be got before anything else happens; asked only where there is such a model.

    :param first: whether nothing was written yet, so that a run can be refused.
    """
    wanted = [model for model in models if model.state == "present" and wanted_files(model)]
    if not wanted or run_options.download == "with_launch":
        return frozenset()
    if DOWNLOAD not in client.routes():
        if run_options.download == "only":
            option = called("download", run_options.names)
            problem = f"{option} 'only' is not possible: this server cannot download without launching; servers since {DOWNLOADS.since} can."
            raise DeclarationError([problem])
        return frozenset()
    rows = client.cached()
    problems = [problem for model in wanted for problem in [other_source(model, rows)] if problem and first]
    if problems:
        raise DeclarationError(problems)
    return frozenset(model.uid for model in wanted if not is_cached(model, rows))


def _plan(client: Api, models: Sequence[DeclaredModel], run_options: ReconcileOptions, *, first: bool = True) -> tuple[Plan, Context]:
    """Read the server and plan.

    :param first: as of :func:`_missing`.
    """
    kept = run_options.file.load()
    observed = survey(client, _registered(models), run_options.home, kept)
    if run_options.download == "only":
        missing = _missing(client, models, run_options, first=first)
        return plan_downloads(models, observed, missing), Context(
            observed, run_options.home, run_options.file, run_options.report, missing, run_options.deaths, run_options.engine_errors
        )
    plan = make_plan(models, observed, run_options.choices)
    if any(action.changing and (action.entry is not None or action.old_entry is not None) for action in plan.actions):
        certain = make_certain(observed, client)
        if certain.autostart != observed.autostart:
            plan = make_plan(models, certain, run_options.choices)
        observed = certain
    if any(action.kind == RELAUNCH and set(action.drift) == {"replica"} for action in plan.actions) and _ADD_COPY in client.routes():
        plan = make_plan(models, observed, replace(run_options.choices, scaling=True))
    launched = [action.model for action in plan.actions if action.kind in (LAUNCH, RELAUNCH) and action.model is not None]
    return plan, run_options.context(observed, _missing(client, launched, run_options, first=first))


def _refuse(client: Api, plan: Plan, models: Sequence[DeclaredModel], limits: Limits | None, run_options: ReconcileOptions) -> None:
    """Stop before the first write when the server could not do what the plan asks."""
    launched = [action for action in plan.actions if action.kind in (LAUNCH, RELAUNCH, DOWNLOAD_FILES)]
    # For a registration that is to be made or replaced the server would answer wrongly.
    problems = check_catalogue(client, [action.model for action in launched if action.model is not None and action.register is None], run_options.names)
    problems += check_registrations(
        client,
        [action.model for action in plan.actions if action.model is not None and action.register is not None and action.model.registration],
        run_options.names,
    )
    problems += check_paths([action.model for action in launched if action.model is not None], run_options.home, run_options.names)
    if not problems and run_options.check_memory and any(action.kind != DOWNLOAD_FILES for action in launched):
        limits = limits or server_limits(client, run_options)
        if limits.memory_mib:
            problems += too_much(models, limits, run_options.home, run_options.names)
    if problems:
        raise DeclarationError(problems)


def reconcile(client: Api, declared: Sequence[DeclaredModel], run_options: ReconcileOptions) -> Outcome:
    """Make a server run what was declared.

    :param client: the server.
    :param declared: the models, checked.
    :param run_options: how.
    :raises DeclarationError: when the server could not do it; nothing was changed.
    :raises XinferenceError: when the server cannot be read.
    """
    limits = server_limits(client, run_options) if any(model.given.get("engine_options") == AUTO for model in declared) else None
    models = choose_options(declared, limits, run_options.home) if limits else list(declared)
    plan, context = _plan(client, models, run_options)
    _refuse(client, plan, models, limits, run_options)
    if run_options.check:
        return Outcome(plan, predict(plan), plan.notes)
    run_options.leave()
    outcome = Outcome(plan, apply_plan(plan, client, run_options.waiting, context), plan.notes)
    for _look in range(_LOOKS if run_options.waiting.wait else 0):
        again = [result.uid for result in outcome.results if result.result == "waited" and result.after is not None and result.uid not in outcome.compared]
        if not again:
            break
        outcome = _look_again(client, [model for model in models if model.uid in again], run_options, outcome)
    for result in outcome.results:
        if result.result == "waited" and result.after is not None and result.state == ABSENT:
            result.result, result.message = "failed", "is launched and cancelled by somebody else again and again"
    return outcome


def _look_again(client: Api, models: Sequence[DeclaredModel], run_options: ReconcileOptions, before: Outcome) -> Outcome:
    """Compare the models that somebody else launched, maybe otherwise than they are declared here, now that they are ready."""
    plan, context = _plan(client, models, replace(run_options, choices=replace(run_options.choices, exclusive=False)), first=False)
    later = {result.uid: result for result in apply_plan(plan, client, run_options.waiting, context)}
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
