# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Launches and relaunches, and the way back when one fails. Private to this collection."""

from __future__ import annotations

from typing import Any

from ..base.errors import ApiError, AuthenticationError
from ..observed.last_applied import Record, cleaned
from ..observed.models import ABSENT, BUSY, ERROR, ORPHAN, READY, Observed, observe
from ..plan.placement import placed_request
from ..plan.plan import RELAUNCH
from ..server.features import ADD_REPLICA
from ..server.rows import AutostartEntry
from .model_run import ModelRun, PlanRun
from .registrations import Registrations
from .removal import Removal

__all__ = ["Launches"]

_ALREADY = "already in the model list"


class Launches:
    """The requests that launch.

    :param run: the plan that is applied.
    :param removal: gets models out of the way.
    :param registrations: what a launch needs before.
    """

    def __init__(self, run: PlanRun, removal: Removal, registrations: Registrations) -> None:
        self.run = run
        self.client = run.client
        self.removal = removal
        self.registrations = registrations

    def launch(self, model: ModelRun) -> bool:
        """Ask for a launch; False when the server is not ready to take it and it should be tried again."""
        action = model.action
        self.run.start(model)
        if action.kind == RELAUNCH and not model.cleared and not self.make_way(model):
            return True
        try:
            self.registrations.register(model)
            model.before = self.run.capture()
            request = self.placed(model)
            self.run.write(model, lambda: self.client.launch(request))
        except AuthenticationError:
            raise
        except ApiError as error:
            if _ALREADY not in error.detail:
                if not self.roll_back(model, self.run.explain(model, str(error))):
                    model.result.state = ABSENT
                return True
            state = observe(self.client).state(model.uid)
            if state in (*BUSY, READY, ORPHAN):
                # Another client launched it in the meantime: the same model is waited for.
                model.result.result = "waited"
                return True
            if state == action.state == ERROR:
                # Its process died, and the server failed to make it again and keeps its name: what is left must go before a launch.
                self.removal.free_name(model)
            return False
        return True

    def placed(self, model: ModelRun) -> dict[str, Any]:
        """The launch request of a model, with the worker of each replica where several are declared and the server takes that."""
        request, declared = model.action.request, model.action.model
        workers = declared.given.get("workers") if declared is not None else None
        if not workers or len(workers) < 2 or ADD_REPLICA not in self.client.routes():
            return request
        return placed_request(request, workers, self.client.status().get("workers") or {})

    def make_way(self, model: ModelRun) -> bool:
        """Get the running model out of the way of its relaunch; False when that failed."""
        model.cleared = True
        held = model.action.old_entry is not None and not model.action.drop_entry
        # While the model is down, the server must not bring the old one back.
        if held and not self.removal.drop_entry(model):
            return False
        if self.removal.clear(model):
            return True
        if held:
            self.run.attempt(model, lambda: self.roll_back_entry(model))
        return False

    def roll_back_entry(self, model: ModelRun) -> None:
        """Write the autostart entry again that was there before."""
        old = model.action.old_entry
        # To other accounts than its owner's the server does not show what an entry launches; then it is what ran.
        launch = (old.launch if old is not None else None) or model.action.previous
        if old is not None and launch:
            self.client.set_autostart(AutostartEntry(enabled=True, **old.policy, launch=cleaned(launch)))

    def roll_back(self, model: ModelRun, words: str) -> bool:
        """Launch the previous model after a relaunch that failed; False where there is none or that failed, too."""
        if model.rolling_back is not None:
            self.run.fail(model, f"{model.rolling_back}; rolling back to the previous model failed: {words}", ERROR)
            model.rolling_back = None
            return False
        previous = model.action.previous
        if model.action.kind != RELAUNCH or not previous:
            self.run.fail(model, words, ERROR)
            return False
        for again in (True, False):
            try:
                self.registrations.roll_back(model)
                model.before = self.run.capture()
                self.client.launch(previous)
                break
            except AuthenticationError:
                raise
            except ApiError as error:
                # The new model was terminated while a copy of it was still on its way, and came back.
                if again and _ALREADY in error.detail and self.removal.clear(model):
                    continue
                self.run.fail(model, f"{words}; rolling back to the previous model failed: {error}", ERROR)
                return False
        model.rolling_back = words
        return True

    def rolled_back(self, model: ModelRun, created: int) -> None:
        """The previous model runs again: the relaunch failed, but nobody lost a model.

        :param created: second of its launch; 0 where that is not known.
        """
        self.run.fail(model, f"{model.rolling_back}; rolled back to the previous model", READY)
        model.rolling_back = None
        model.result.restored = True
        previous = model.action.previous
        if previous is not None and created:
            self.run.attempt(model, lambda: self.run.keeper.write(model.uid, Record(previous, created)))
        self.run.attempt(model, lambda: self.roll_back_entry(model))

    def record(self, model: ModelRun, seen: Observed) -> None:
        """Write down once what a model was launched with; a launch is known by the second in which the server made the instance."""
        found, action = seen.models.get(model.uid), model.action
        if not model.unrecorded or found is None or not found.created or model.result.result == "waited":
            return
        model.unrecorded = False
        registration = action.model.registration if action.model is not None else None
        self.run.keeper.write(model.uid, Record(action.request, found.created, registration))

    def keep_entry(self, model: ModelRun) -> None:
        """Write the autostart entry; the model is there, so the server launches nothing for it."""
        action = model.action
        if action.entry is not None:
            entry = action.entry
        elif action.kind == RELAUNCH and action.old_entry is not None and not action.drop_entry:
            # An entry of another client, removed for the time of the relaunch. It brings the declared model from now on.
            entry = AutostartEntry(enabled=True, **action.old_entry.policy, launch=cleaned(action.request))
        else:
            return
        self.run.write(model, lambda: self.client.set_autostart(entry))
