# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one pipeline: observe, plan, check, apply. Private to this collection."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from ..admission.catalogue import check_catalogue, check_registrations
from ..admission.model_paths import check_paths
from ..apply.download import ROUTE as DOWNLOAD
from ..apply.results import Result, predict
from ..apply.run import apply_plan
from ..base.errors import DeclarationError
from ..base.messages import called
from ..declaration.fields import AUTO
from ..declaration.model import DeclaredModel
from ..observed.limits import read_limits
from ..observed.models import ABSENT, Observed, make_certain, survey
from ..plan.files import other_source, wanted_files
from ..plan.placement import PLACED, find_moves
from ..plan.plan import DOWNLOAD as DOWNLOAD_FILES
from ..plan.plan import LAUNCH, RELAUNCH, SCALE, Action, Plan, make_plan, plan_downloads
from ..plan.sizing import too_much
from ..server.api import Api
from ..server.features import ADD_REPLICA, DOWNLOADS
from ..server.rows import CachedRow
from .options import ReconcileOptions

__all__ = ["Outcome", "read_plan", "reconcile"]

#: How often models are planned again that others were launching: more than once only where others do it again and again.
_COMPARISONS = 3


@dataclass(frozen=True)
class Outcome:
    """What a run did, or would do.

    :param plan: what was to be done.
    :param results: what became of each model, in the order of the plan.
    :param notes: what the operator should know besides, one sentence each.
    :param compared: models of others that were waited for and then compared.
    """

    plan: Plan
    results: list[Result]
    notes: tuple[str, ...] = ()
    compared: frozenset[str] = frozenset()


def _registered(models: Sequence[DeclaredModel]) -> dict[str, set[str]]:
    """Names of the registrations that the declaration brings, by type."""
    names: dict[str, set[str]] = {}
    for model in models:
        if model.state == "present" and model.registration is not None:
            names.setdefault(model.type, set()).add(model.name)
    return names


def _cached(client: Api, models: Sequence[DeclaredModel], run_options: ReconcileOptions) -> tuple[CachedRow, ...] | None:
    """What the server has of hubs' files; None where no model wants any, or where the server downloads only when it launches.

    :param models: those that may need files.
    :raises DeclarationError: when only files are wanted, of such a server.
    """
    if run_options.download == "with_launch" or not any(model.state == "present" and wanted_files(model) for model in models):
        return None
    if DOWNLOAD in client.routes():
        return tuple(client.cached())
    if run_options.download == "only":
        option = called("download", run_options.names)
        raise DeclarationError([f"{option} 'only' is not possible: this server cannot download without launching; servers since {DOWNLOADS.since} can."])
    return None


def _complete(client: Api, plan: Plan, observed: Observed, run_options: ReconcileOptions) -> Observed:
    """The observation with what only a plan that changes something needs; each is read once, and only then."""
    if any(action.changing and (action.entry is not None or action.old_entry is not None) for action in plan.actions):
        observed = make_certain(observed, client)
    if plan.launched and observed.cached is None:
        observed = replace(observed, cached=_cached(client, plan.launched, run_options))
    return observed


def read_plan(client: Api, models: Sequence[DeclaredModel], run_options: ReconcileOptions) -> tuple[Plan, Observed]:
    """Read the server and plan; nothing is refused or changed.

    :param client: the server.
    :param models: the declared models, checked.
    :param run_options: how.
    :raises XinferenceError: when the server cannot be read.
    """
    observed = survey(client, _registered(models), run_options.server_files, run_options.file.load())
    if any(model.given.get("engine_options") == AUTO for model in models):
        observed = replace(observed, limits=read_limits(client, run_options.cores, run_options.memory_mib))
    if run_options.download == "only":
        observed = replace(observed, cached=_cached(client, models, run_options))
        return plan_downloads(models, observed, run_options.server_files), observed
    choices = run_options.choices
    plan = make_plan(models, observed, choices, run_options.server_files)
    if any(action.kind == RELAUNCH and set(action.drift) <= PLACED for action in plan.actions) and ADD_REPLICA in client.routes():
        choices = replace(choices, scaling=True)
        plan = make_plan(models, observed, choices, run_options.server_files)
    complete = _complete(client, plan, observed, run_options)
    if complete is not observed:
        plan = make_plan(models, complete, choices, run_options.server_files)
    return plan, complete


def _adds_replicas(action: Action, observed: Observed) -> bool:
    """Whether a running model gets replicas, which asks as much of a server as a launch. To take some away asks for nothing."""
    if action.kind != SCALE or action.model is None:
        return False
    running, wanted = observed.models[action.uid], int(action.request["replica"])
    workers = action.model.given.get("workers")
    if running.places and workers:
        return bool(find_moves(workers, wanted, running.places).additions)
    return wanted > len(running.replicas)


def _refuse(client: Api, plan: Plan, observed: Observed, run_options: ReconcileOptions) -> None:
    """Stop before the first write when the server could not do what the plan asks."""
    changed = [action for action in plan.actions if action.kind in (LAUNCH, RELAUNCH, DOWNLOAD_FILES) or _adds_replicas(action, observed)]
    models = [action.model for action in changed if action.model is not None]
    fetched = plan.launched if run_options.download != "only" else [model for model in plan.models if model.state == "present"]
    problems = [problem for model in fetched if wanted_files(model) for problem in [other_source(model, observed.cached or ())] if problem]
    # For a registration that is to be made or replaced the server would answer wrongly.
    # Whoever runs is not stopped for a worker that is away.
    awaited = {action.uid: run_options.workers for action in plan.actions if action.kind != RELAUNCH}
    problems += check_catalogue(
        client, [action.model for action in changed if action.model is not None and action.register is None], run_options.names, awaited
    )
    problems += check_registrations(
        client,
        [action.model for action in plan.actions if action.model is not None and action.register is not None and action.model.registration],
        run_options.names,
        awaited,
    )
    problems += check_paths(models, run_options.server_files, run_options.names)
    if not problems and plan.launched and run_options.check_memory:
        # Asked last: a server that cannot answer must not hide what is wrong with the declaration.
        limits = observed.limits or read_limits(client, run_options.cores, run_options.memory_mib)
        if limits.memory_mib:
            problems += too_much(plan.models, limits, run_options.server_files, run_options.names)
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
    plan, observed = read_plan(client, declared, run_options)
    _refuse(client, plan, observed, run_options)
    if run_options.check:
        return Outcome(plan, predict(plan), plan.notes)
    run_options.store()
    outcome = Outcome(plan, apply_plan(plan, client, run_options.waiting, run_options.context(observed)), plan.notes)
    for _comparison in range(_COMPARISONS if run_options.waiting.wait else 0):
        again = [result.uid for result in outcome.results if result.result == "waited" and result.after is not None and result.uid not in outcome.compared]
        if not again:
            break
        outcome = _compare_later(client, [model for model in plan.models if model.uid in again], run_options, outcome)
    for result in outcome.results:
        if result.result == "waited" and result.after is not None and result.state == ABSENT:
            result.result, result.message = "failed", "is launched and cancelled by another client again and again"
    return outcome


def _compare_later(client: Api, models: Sequence[DeclaredModel], run_options: ReconcileOptions, before: Outcome) -> Outcome:
    """Compare the models that other clients launched, maybe not as declared here, now that they are ready."""
    plan, observed = read_plan(client, models, replace(run_options, choices=replace(run_options.choices, exclusive=False)))
    later = {result.uid: result for result in apply_plan(plan, client, run_options.waiting, run_options.context(observed))}
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
