# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Applying a plan. Private to this collection."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from ..base.errors import ApiError, AuthenticationError, ConnectionFailed, NoAnswer, XinferenceError
from ..observed.models import READY, SCALING, TERMINATING, Observed, observe
from ..plan.placement import Moves, find_moves, worker_name
from ..plan.plan import CANCEL, CHANGING, DOWNLOAD, KEEP, LAUNCH, RELAUNCH, SCALE, TERMINATE, WAIT, Action, Plan
from ..server.api import ModelsApi
from .context import Clock, Context, Waiting
from .download import download
from .model_run import ModelRun, PlanRun
from .registrations import Registrations
from .relaunch import Launches
from .removal import Removal
from .results import Result
from .smoke_test import Unanswered, smoke_test
from .waiting import UnderWay

__all__ = ["apply_plan"]


class _Steps:
    """The steps of a plan, in their order.

    :param run: the plan that is applied.
    """

    def __init__(self, run: PlanRun) -> None:
        self.run = run
        self.client = run.client
        self.removal = Removal(run)
        self.registrations = Registrations(run)
        self.launches = Launches(run, self.removal, self.registrations)

    def apply(self) -> None:
        """Files, autostart entries that go, removals, replicas, launches, and what the running models need."""
        run = self.run
        for model in run.models.values():
            if model.action.fetch:
                self.fetch(model)
        self.removal.drop_entries()
        for model in run.going_on():
            action = model.action
            if action.kind in (TERMINATE, CANCEL) or (action.kind == WAIT and action.after is None and run.waiting.wait):
                self.removal.remove(model)
            elif action.kind == WAIT and action.after is None:
                self.report_as_it_is(model)
        self.scale_all()
        launches = [model for model in run.going_on() if model.action.kind in (LAUNCH, RELAUNCH)]
        waits = [model for model in run.going_on() if model.action.kind in (WAIT, SCALE) and model.action.after is not None]
        if run.waiting.wait:
            UnderWay(run, self.removal, self.launches).bring_up(launches, waits)
        else:
            self.ask_only(launches, waits)
        for model in run.going_on():
            if model.action.kind == KEEP:
                run.attempt(model, lambda model=model: self.keep(model), state=model.action.state)  # type: ignore[misc]
        self.smoke_all()

    def fetch(self, model: ModelRun) -> None:
        """Get a model's files before anything else happens, so that nothing is down while a hub is slow."""
        run, action = self.run, model.action
        if action.model is None:
            return
        run.start(model)
        words = ""
        try:
            if action.replaced is None:
                self.registrations.register(model)
            model.written = True
            words = download(self.client, action.model, run.late, lambda: run.sleep(run.waiting.sleep), lambda state, row: run.report(model, state, row))
        except AuthenticationError:
            raise
        except ApiError as error:
            words = str(error)
        if words:
            run.fail(model, run.explain(model, words), action.state)
        elif action.kind == DOWNLOAD:
            run.finish(model)

    def report_as_it_is(self, model: ModelRun) -> None:
        """Report a model that another client is launching or terminating as it is, without waiting for it."""
        model.result.result, model.result.state = "updated" if model.action.changing else "unchanged", model.action.state
        if self.run.attempt(model, lambda: self.launches.keep_entry(model), state=model.action.state):
            self.run.finish(model)

    def scale_all(self) -> None:
        """Copies of running models."""
        scaled = [model for model in self.run.going_on() if model.action.kind == SCALE]
        seen = observe(self.client) if scaled else Observed()
        for model in scaled:
            if model.uid in seen.models:
                self.scale(model, seen)

    def scale(self, model: ModelRun, seen: Observed) -> None:
        """Add replicas to a running model, or take some away."""
        run, uid, wanted = self.run, model.uid, int(model.action.request["replica"])
        model.started = run.clock()
        places = seen.models[uid].places
        workers = model.action.model.given.get("workers") if model.action.model is not None else None
        if places and workers:
            self.place(model, find_moves(workers, wanted, places))
            return
        replicas = seen.models[uid].replicas
        missing = wanted - len(replicas)
        if missing > 0:
            # The server answers when they are ready.
            run.report(model, SCALING)
            run.attempt(model, lambda: run.write(model, lambda: self.client.add_replicas(uid, missing)))
        for replica in sorted(replicas, reverse=True)[: max(-missing, 0)]:
            run.attempt(model, lambda replica=replica: run.write(model, lambda: self.client.remove_replica(uid, replica)))  # type: ignore[misc]

    def place(self, model: ModelRun, moves: Moves) -> None:
        """Bring the replicas of a running model to its workers: first those that are added, so that it goes on to serve."""
        run, uid = self.run, model.uid
        joined: dict[str, str] = {}
        if moves.additions:
            run.report(model, SCALING)
            # Without an address the server would choose a worker itself. Whoever joins again brings back what it ran, so nobody else takes that over.
            if not run.attempt(model, lambda: joined.update({worker_name(address): address for address in self.client.status().get("workers") or {}})):
                return
        for worker in moves.additions:
            address = joined.get(worker)
            if address is None:
                run.fail(model, f"worker {worker} has not joined the cluster, so its replica is not there", READY)
                return
            if not run.attempt(model, lambda address=address: run.write(model, lambda: self.client.add_replicas(uid, 1, address))):  # type: ignore[misc]
                return
        for number in moves.removals:
            run.attempt(model, lambda number=number: run.write(model, lambda: self.client.remove_replica(uid, number)))  # type: ignore[misc]

    def ask_only(self, launches: list[ModelRun], waits: list[ModelRun]) -> None:
        """Ask for every launch without waiting for one."""
        run = self.run
        asked: list[ModelRun] = []
        silent = False
        for model in launches:
            try:
                taken = self.launches.launch(model)
            except NoAnswer as error:
                # The server may be at work on this one, so the others are asked for all the same. Twice, it hangs.
                if silent:
                    raise
                silent = True
                run.fail(model, str(error), "unknown")
                continue
            if not taken:
                run.fail(model, "is still being terminated; wait for it or run again", TERMINATING)
            elif not model.failed:
                asked.append(model)
        copied = [model for model in waits if model.action.kind == SCALE]
        seen = observe(self.client) if asked or copied else Observed()
        for model in asked + copied:
            if model.rolling_back is not None:
                self.launches.rolled_back(model, seen.models[model.uid].created if model.uid in seen.models else 0)
            else:
                self.asked(model, seen)
        for model in waits:
            if model.action.kind == WAIT:
                self.report_as_it_is(model)

    def asked(self, model: ModelRun, seen: Observed) -> None:
        """Write down what a model was launched with that is not waited for."""
        if self.run.attempt(model, lambda: self.launches.record(model, seen), lambda: self.launches.keep_entry(model)):
            model.result.state = seen.state(model.uid)
            self.run.finish(model)

    def keep(self, model: ModelRun) -> None:
        """What a running model that stays still needs: its registration and its autostart entry."""
        action = model.action
        if action.register is not None:
            self.registrations.register(model)
        self.launches.keep_entry(model)
        if action.after is None and action.model is not None and action.model.state == "absent":
            self.removal.drop_record(model)
        model.done = True

    def smoke_all(self) -> None:
        """Let the models answer that this run did not touch: those that did not at their launch, or all where that was chosen."""
        run = self.run
        if run.waiting.smoke == "none" or not run.waiting.wait:
            return
        for model in run.models.values():
            if model.action.kind != KEEP or model.action.after is None:
                continue
            uid, found = model.uid, run.context.observed.models[model.uid]
            record = run.context.observed.records.get(uid)
            unanswered = record is not None and record.unanswered and record.created == found.created
            if run.waiting.smoke != "all" and not unanswered:
                continue
            try:
                model.result.answered = smoke_test(self.client, uid, found.spec, run.waiting.answer, self.may_run(model.action))
            except Unanswered as error:
                run.fail(model, run.explain(model, f"is ready, but did not answer: {error}"), READY)
                continue
            if record is not None and unanswered:
                run.attempt(model, lambda uid=uid, record=record: run.keeper.write(uid, replace(record, unanswered=False)))  # type: ignore[misc]

    def may_run(self, action: Action) -> list[dict[str, Any]]:
        """Launch requests of which one is that of a model that this run did not touch: as declared, or as it was launched."""
        applied = self.run.context.observed.applied.get(action.uid)
        declared = [action.model.launch_request()] if action.model is not None else []
        return [*declared, applied.request if applied is not None else {}]


def apply_plan(
    plan: Plan,
    client: ModelsApi,
    waiting: Waiting,
    context: Context | None = None,
    *,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> list[Result]:
    """Apply a plan.

    :param plan: what to do.
    :param client: the server.
    :param waiting: how long to wait, in seconds.
    :param context: what else is needed; by default a server whose files this host does not see.
    :returns: one result per action, in the order of the plan. A model that failed does not keep the others from being
        tried; when the server is lost on the way, every model that was not finished is reported as failed with the reason.
    """
    run = PlanRun(plan, client, waiting, context or Context(), Clock(clock, sleep))
    try:
        _Steps(run).apply()
    except XinferenceError as error:
        _lost(run, error)
    for model in run.models.values():
        model.result.changed = model.written
    return [run.models[action.uid].result for action in plan.actions]


def _lost(run: PlanRun, error: XinferenceError) -> None:
    """Mark what was not finished when the server was lost."""
    for model in run.models.values():
        action = model.action
        if model.failed or model.done or (action.kind not in (*CHANGING, WAIT) and not action.changing):
            continue
        words = run.explain(model, str(error)) if isinstance(error, ConnectionFailed) else str(error)
        if model.rolling_back is not None:
            words = f"{model.rolling_back}; rolling back to the previous model was interrupted: {words}"
        run.fail(model, words, "unknown")
