# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Waiting until what was launched is ready and answers. Private to this collection."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ..base.errors import ApiError
from ..observed.last_applied import Record
from ..observed.models import ABSENT, ERROR, ORPHAN, PATIENCE, READY, TERMINATING, Observed, observe
from ..plan.plan import RELAUNCH, WAIT, Action
from .model_run import ModelRun, PlanRun
from .relaunch import Launches
from .removal import ORPHANED, Removal
from .smoke_test import Unanswered, smoke_test

__all__ = ["UnderWay"]

#: What is reported of a model that should answer.
_ASKED = "smoke test"
#: Seconds between two polls: at least, and as a share of the time since something happened, so that small models are not waited for in vain.
_SHORTEST, _SHARE = 0.2, 0.03
#: Seconds before the time for the plan is over: the last poll comes when it is.
_LEAST = 0.01


class UnderWay:
    """The launches of a plan that are waited for, a bounded number at a time.

    :param run: the plan that is applied.
    :param removal: gets models off the server that do not answer.
    :param launches: asks for launches.
    """

    def __init__(self, run: PlanRun, removal: Removal, launches: Launches) -> None:
        self.run = run
        self.client = run.client
        self.removal = removal
        self.launches = launches
        self.models: list[ModelRun] = []

    def bring_up(self, queue: list[ModelRun], waits: list[ModelRun]) -> None:
        """Launch and wait.

        :param queue: what is to be launched; empty afterwards, unless the time is over.
        :param waits: what is under way already.
        """
        run = self.run
        self.models = list(waits)
        for model in waits:
            run.start(model)
        read_at = moved = run.clock()
        size = (0, 0)
        while queue or self.models:
            taken = self.fill(queue)
            if not queue and not self.models:
                return
            # Rows of instances have been seen to lag behind the list, so that is read from time to time in any case.
            whole = run.clock() - read_at >= PATIENCE
            seen = observe(self.client, () if whole else [model.uid for model in self.models])
            read_at = run.clock() if whole else read_at
            self.models = [model for model in self.models if self.still_under_way(model, seen)]
            if (len(queue), len(self.models)) != size:
                size, moved = (len(queue), len(self.models)), run.clock()
            if not queue and not self.models:
                return
            self.report(seen)
            if run.late():
                self.give_up([*self.models, *queue], seen)
                return
            if not (taken and queue and len(self.models) < run.waiting.at_once):
                now = run.clock()
                pause = max(_SHORTEST, (now - moved) * _SHARE)
                run.sleep(min(run.waiting.sleep, pause, max(run.begun + run.waiting.timeout - now, _LEAST)))

    def fill(self, queue: list[ModelRun]) -> bool:
        """Move launches from the queue until as many are under way as may be; False when the server is not ready to take the next."""
        while queue and len(self.models) < self.run.waiting.at_once:
            if not self.launches.launch(queue[0]):
                return False
            model = queue.pop(0)
            if not model.failed:
                self.models.append(model)
        return True

    def still_under_way(self, model: ModelRun, seen: Observed) -> bool:
        """Check one model; False when it is ready or has failed."""
        state = seen.state(model.uid)
        if state == READY:
            return self.again(model, not self.ready(model, seen))
        if model.orphan_cleared and model.action.kind == WAIT and state in (ABSENT, ERROR):
            model.result.state = ABSENT
            self.run.finish(model)
            return False
        if state == ERROR:
            return self.again(model, self.launches.roll_back(model, self.run.explain(model, seen.models[model.uid].message)))
        if state in (ABSENT, TERMINATING, ORPHAN):
            if model.missing_since is None:
                model.missing_since = self.run.clock()
            if self.run.clock() - model.missing_since < PATIENCE:
                return True
            return self.again(model, self.lost(model, state, seen))
        model.missing_since = None
        if model.rolling_back is None:
            self.run.attempt(model, lambda: self.launches.record(model, seen), state=state)
        return True

    @staticmethod
    def again(model: ModelRun, waited_for: bool) -> bool:
        """A model whose last state counts no more, and whether it is waited for."""
        model.missing_since = None
        return waited_for

    def ready(self, model: ModelRun, seen: Observed) -> bool:
        """A model is ready: let it answer, write down what it was launched with, and keep its autostart entry; False when it should be waited for again."""
        run, action, found = self.run, model.action, seen.models[model.uid]
        restored = model.rolling_back is not None
        try:
            if run.waiting.smoke != "none":
                run.report(model, _ASKED)
                model.result.answered = smoke_test(self.client, model.uid, found.spec, run.waiting.answer, _launched(action, restored))
        except Unanswered as error:
            words = run.explain(model, f"is ready, but did not answer: {error}")
            if action.kind == RELAUNCH and action.previous and not restored and self.removal.clear(model):
                return not self.launches.roll_back(model, words)
            if restored:
                self.launches.roll_back(model, words)
                return True
            run.fail(model, words, READY)
            if action.request and found.created:
                # So that the next run asks it again.
                registration = action.model.registration if action.model is not None else None
                run.attempt(model, lambda: run.keeper.write(model.uid, Record(action.request, found.created, registration, unanswered=True)))
            return True
        if restored:
            self.launches.rolled_back(model, found.created)
            return True
        if run.attempt(model, lambda: self.launches.record(model, seen), lambda: self.launches.keep_entry(model)):
            run.finish(model)
        return True

    def lost(self, model: ModelRun, state: str, seen: Observed) -> bool:
        """A model is not where it should be and will not come by itself; False when it is not waited for any longer."""
        if state == ORPHAN and model.rolling_back is None:
            if not self.removal.clear_orphan(model, seen):
                return False
            # What another client launched is planned again when it is gone and all others are done.
            if model.action.kind != WAIT:
                self.launches.launch(model)
            return not model.failed
        words = ORPHANED if state == ORPHAN else "disappeared from the server while it was launching"
        if state == ABSENT and self.launches.roll_back(model, self.run.explain(model, words)):
            return True
        self.run.fail(model, model.result.message or words, state)
        return False

    def report(self, seen: Observed) -> None:
        """Report how far each launch is."""
        run = self.run
        if run.context.report is None or run.clock() < run.reported + run.waiting.sleep:
            return
        run.reported = run.clock()
        for model in self.models:
            try:
                answer = self.client.progress(model.uid)
            except ApiError:
                # It may have ended since the last poll.
                answer = {}
            run.report(model, seen.state(model.uid), answer)

    def give_up(self, models: Iterable[ModelRun], seen: Observed) -> None:
        """Report what is not ready when the time is over."""
        for model in models:
            state = seen.state(model.uid)
            words = f"is {state} and not ready after {self.run.waiting.timeout:g} s (wait_timeout)"
            self.run.fail(model, words if model.rolling_back is None else f"{model.rolling_back}; the previous model {words}", state)


def _launched(action: Action, restored: bool) -> list[dict[str, Any]]:
    """The launch request of a model that this run launched, as far as it did."""
    request = action.previous if restored else action.request
    return [request] if request else []
