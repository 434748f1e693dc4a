# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Doing what is needed on a server that is not as declared, without waiting for it. Private to this collection."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from ..apply.context import Waiting
from ..apply.download import ROUTE as DOWNLOAD
from ..apply.results import Result
from ..base.errors import ApiError, AuthenticationError, DeclarationError, NoAnswer
from ..declaration.model import DeclaredModel
from ..observed.models import ABSENT, BUSY, ORPHAN, PATIENCE, READY, RECOVERING, SETTLING, Observed, observe
from ..plan.placement import PLACED, worker_name
from ..reconcile.options import ReconcileOptions
from ..reconcile.reconcile import reconcile
from ..server.api import Api
from ..server.rows import Progress
from .model_status import ModelStatuses, is_settled
from .smoke_tests import REFUSALS, SmokeTests
from .stored import Declaration

__all__ = ["Repair"]

#: Seconds for which a turn waits for what is being terminated; the next one goes on with it.
_TURN = 10.0
#: Seconds after which a model that the server makes again by itself has not been made.
_RECOVERY = 600.0
#: Seconds without progress after which a launch is given up, at least; twice the time after each that was, a few times. A run may be less patient:
#: it only reports, and the model comes up all the same.
_LAUNCH, _LONGER = 1800.0, 3
#: Seconds after the start of a supervisor for which its workers are waited for. Each brings the models that it runs, and what was launched meanwhile
#: would run twice.
_JOINING = 90.0
#: Seconds for which replicas are left missing on their workers: a worker that restarts makes them again itself, and what was added meanwhile would
#: run twice.
_RETURNING = 60.0
#: Tries in a row after which a model that fails keeps the others from nothing any more.
_HOPELESS = 3


class Repair:
    """Compares, and launches, relaunches and clears away.

    :param statuses: what is known of the models.
    :param smoke_tests: what the models answered.
    :param changed: called where what is known has changed, and the poll goes on for long.
    """

    def __init__(self, statuses: ModelStatuses, smoke_tests: SmokeTests, changed: Callable[[], None]) -> None:
        self.statuses = statuses
        self.smoke_tests = smoke_tests
        self.changed = changed
        self.log = statuses.log
        self.clock = statuses.clock
        self.away: frozenset[str] = frozenset()

    def tend(self, client: Api, declaration: Declaration, note: Callable[[Observed], None]) -> tuple[Observed, bool]:
        """Compare, and do what is needed.

        :param note: takes down what was seen.
        :returns: what was seen, and whether a model that differs from its declaration is to be relaunched as soon as all answer.
        """
        seen = observe(client)
        note(seen)
        # Before anything is launched, so that who failed pauses.
        self.smoke_tests.take_down(seen)
        self.free(client, seen, declaration.run_options.waiting)
        now = self.clock()
        away, since_start = self.workers_away(client, declaration.run_options.workers)
        if away != self.away:
            self.away = away
            self.log(f"not in the cluster: {', '.join(sorted(away))}" if away else "all workers are in the cluster")
        if away and since_start < _JOINING:
            return seen, False
        due = [model for model in declaration.by_priority() if self.statuses[model.uid].next_try <= now]
        # For a run, who is not named is not declared; who only pauses is.
        spared = frozenset(model.uid for model in declaration.models)
        run_options = replace(declaration.run_options, choices=replace(declaration.run_options.choices, spared=spared))
        results = self.launch(client, due, run_options)
        for result in results:
            self.take_result(result)
            status = self.statuses.get(result.uid)
            if status is not None and result.state == READY and result.result in ("unchanged", "updated") and not result.drift:
                status.drift_tries, status.drift_after, status.away_since = 0, 0.0, 0.0
        drifted: list[DeclaredModel] = []
        if run_options.choices.on_drift == "relaunch":
            workers = {model.uid: frozenset(model.given.get("workers") or ()) for model in declaration.models}
            uids = {result.uid for result in results if result.drift and not result.failed and self.is_due(result, now, workers[result.uid], away)}
            drifted = [model for model in declaration.models if model.uid in uids]
        known = [(model, self.statuses[model.uid]) for model in declaration.models]
        if drifted and all(is_settled(model, status) or status.tries >= _HOPELESS for model, status in known):
            # One in a turn, so that a run need not wait for all of them.
            self.relaunch(client, drifted.pop(0), run_options)
            seen = observe(client)
            note(seen)
        return seen, bool(drifted)

    def is_due(self, result: Result, now: float, workers: frozenset[str], away: frozenset[str]) -> bool:
        """Whether a model that differs from its declaration is to be made as declared now.

        :param workers: names of those on which it is declared to run; none where the server chooses.
        :param away: as of :meth:`workers_away`.
        """
        status = self.statuses[result.uid]
        if workers and set(result.drift) <= PLACED:
            if workers & away:
                # Nothing can be done, and no try is counted. The worker has its time from its return on.
                status.away_since = 0.0
                return False
            status.away_since = status.away_since or now
            if now - status.away_since < _RETURNING:
                return False
        return status.drift_after <= now

    def workers_away(self, client: Api, workers: Sequence[str]) -> tuple[frozenset[str], float]:
        """The workers of a cluster that have not joined, and for how many seconds their supervisor has run.

        :param workers: names of those that there should be; where there are none, the server is not asked.
        """
        if not workers:
            return frozenset(), 0.0
        status = client.status()
        return frozenset(workers) - {worker_name(address) for address in status.get("workers") or {}}, float(status.get("uptime") or 0)

    def free(self, client: Api, seen: Observed, waiting: Waiting) -> None:
        """Get out of the way what will never become a model that serves, so that it can be launched again."""
        for uid, status in self.statuses.items():
            still = self.clock() - status.since
            if status.next_try > self.clock():
                continue
            if status.state == ORPHAN and still >= PATIENCE:
                number = max(len(seen.models[uid].replicas), 1)
                self.remove(uid, "was cancelled too late; removed", lambda uid=uid, number=number: client.clear_orphan(uid, number))  # type: ignore[misc]
            elif status.state == RECOVERING and still >= _RECOVERY:
                self.remove(uid, f"the server did not make it again in {still:.0f} s; terminated", lambda uid=uid: client.terminate(uid))  # type: ignore[misc]
            elif status.state in BUSY - SETTLING and still >= max(waiting.timeout, _LAUNCH) * 2 ** min(status.stuck, _LONGER):
                progress = self.progress(client, uid)
                if progress != status.progress:
                    status.progress, status.since = progress, self.clock()
                    continue
                status.stuck += 1
                self.remove(uid, f"{status.state} without progress for {still:.0f} s; cancelled", lambda uid=uid: client.cancel(uid))  # type: ignore[misc]
            elif status.refusals >= REFUSALS:
                # Servers before 2.12 make the process of a model again when it was killed, and then call it loading for ever.
                status.refusals = 0
                self.remove(uid, "terminated, to be launched again", lambda uid=uid: client.terminate(uid))  # type: ignore[misc]

    def remove(self, uid: str, done: str, call: Callable[[], None]) -> None:
        """Get one model off the server; where it refuses, later again."""
        status = self.statuses[uid]
        try:
            call()
        except AuthenticationError:
            raise
        except (ApiError, NoAnswer) as error:
            # Without an answer in time it may be gone nevertheless, which the next poll shows; the others are not kept waiting for that.
            self.statuses.failed(uid, f"cannot be removed, to be launched again: {error}")
        else:
            self.log(f"{uid}: {done}")
            # What follows is not the end of a launch that was asked for.
            status.asked, status.state = False, ABSENT

    @staticmethod
    def progress(client: Api, uid: str) -> Progress:
        """How far a launch is; empty where the server does not report it, as after its end."""
        try:
            return client.progress(uid)
        except AuthenticationError:
            raise
        except ApiError:
            return {}

    def launch(self, client: Api, due: Sequence[DeclaredModel], run_options: ReconcileOptions) -> list[Result]:
        """Ask for what is missing, all at once; where a model is refused, each for itself, so that it keeps no other one down."""
        choices = replace(run_options.choices, on_drift="report")
        asking = replace(run_options, choices=choices, check=False, download="with_launch", check_memory=False)
        asking = replace(asking, waiting=replace(run_options.waiting, wait=False, smoke="none", timeout=_TURN))
        try:
            return reconcile(client, due, asking).results
        except DeclarationError as error:
            if len(due) == 1:
                self.statuses.failed(due[0].uid, str(error))
                return []
            return [result for model in due for result in self.launch(client, [model], run_options)]

    def relaunch(self, client: Api, model: DeclaredModel, run_options: ReconcileOptions) -> None:
        """Relaunch a model that was changed by hand, or roll back, when all others are up."""
        first = run_options.download == "first"
        run_options = replace(run_options, choices=replace(run_options.choices, exclusive=False), check=False, download="with_launch")
        status = self.statuses[model.uid]
        # Nothing should report that it answers while it is away.
        status.answered = 0
        self.changed()
        try:
            if first and DOWNLOAD in client.routes():
                # It serves until the files are there.
                (result,) = reconcile(client, [model], replace(run_options, download="only")).results
                if result.failed:
                    self.not_relaunched(model.uid, result.message)
                    return
            (result,) = reconcile(client, [model], run_options).results
        except DeclarationError as error:
            self.not_relaunched(model.uid, str(error))
            return
        if result.failed:
            self.not_relaunched(model.uid, result.message)
        else:
            self.take_result(result)
            # Should it differ all the same, nothing is gained by doing it again and again.
            self.statuses.relaunch_later(model.uid)
        # It was asked by the run itself; it is taken down as any other.
        status.asked = False

    def not_relaunched(self, uid: str, message: str) -> None:
        """A relaunch failed, and what ran before runs again: the next one comes later, and the model is asked as any other."""
        pause = self.statuses.relaunch_later(uid)
        self.log(f"{uid}: differs from its declaration; relaunch failed: {message}; next try in {pause:.0f} s")

    def take_result(self, result: Result) -> None:
        """Take down what a run did for a model."""
        status = self.statuses.get(result.uid)
        if result.failed and status is not None:
            self.statuses.failed(result.uid, result.message)
            return
        if result.changed:
            self.log(f"{result.uid}: {result.result}")
        if status is not None:
            if result.result in ("launched", "relaunched"):
                status.asked = True
                self.statuses.counts[result.uid].launched(self.clock())
            elif result.state == READY:
                self.statuses.counts[result.uid].drift = len(result.drift)
