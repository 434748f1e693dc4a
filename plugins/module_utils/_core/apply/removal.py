# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Getting models off a server, and their autostart entries out of the way. Private to this collection."""

from __future__ import annotations

from ..base.errors import ApiError, AuthenticationError, NoAnswer
from ..observed.models import ABSENT, BUSY, ERROR, ORPHAN, PATIENCE, SETTLING, TERMINATING, Observed, observe
from .model_run import ModelRun, PlanRun

__all__ = ["ORPHANED", "Removal"]

_NOT_FOUND = "not found in the model list"
_NOT_LAUNCHED = "has not been launched yet"
#: A model that is there for the server and for nobody else.
ORPHANED = "the server reports it as ready, but does not list or serve it, and it cannot be removed; restart the server, then run again"


class Removal:
    """The requests that remove.

    :param run: the plan that is applied.
    """

    def __init__(self, run: PlanRun) -> None:
        self.run = run
        self.client = run.client

    def remove(self, model: ModelRun) -> None:
        """Terminate or cancel, and see the model gone."""
        model.started = self.run.clock()
        if self.clear(model) and self.run.attempt(model, lambda: self.drop_record(model), state=ABSENT):
            self.run.finish(model)

    def drop_record(self, model: ModelRun) -> None:
        """Remove the record of a model that does not run any more."""
        if model.uid in self.run.context.observed.records:
            self.run.keeper.drop(model.uid)

    def clear(self, model: ModelRun) -> bool:
        """Get a model off the server; False when it failed, with the reason recorded."""
        asked: set[str] = set()
        orphaned_since: float | None = None
        while True:
            # Checked before each request: a launch that ended in the meantime must be terminated. To cancel a model that
            # is ready would leave its process running where nobody can reach it.
            seen = observe(self.client)
            state = seen.state(model.uid)
            if state in (ABSENT, ERROR):
                return True
            if state not in (TERMINATING, *SETTLING) and state not in asked:
                asked.add(state)
                if not self.ask_to_remove(model, state):
                    return False
                continue
            if state != ORPHAN:
                orphaned_since = None
            elif orphaned_since is None:
                orphaned_since = self.run.clock()
            elif self.run.clock() - orphaned_since >= PATIENCE:
                if not self.clear_orphan(model, seen):
                    return False
                orphaned_since = None
                continue
            if self.run.late():
                self.run.fail(model, f"is still {state} after {self.run.waiting.timeout:g} s", state)
                return False
            self.run.report(model, state)
            self.run.sleep(self.run.waiting.sleep)

    def clear_orphan(self, model: ModelRun, seen: Observed) -> bool:
        """Remove an orphaned model, whose launch was cancelled too late; False when that was tried before."""
        if model.orphan_cleared:
            self.run.fail(model, ORPHANED, ORPHAN)
            return False
        model.orphan_cleared = True
        replicas = max(len(seen.models[model.uid].replicas), 1)
        return self.run.attempt(model, lambda: self.run.write(model, lambda: self.client.clear_orphan(model.uid, replicas)), state=ORPHAN)

    def ask_to_remove(self, model: ModelRun, state: str) -> bool:
        """Ask for a removal; False when the server refuses."""
        try:
            self.run.write(model, lambda: self.client.cancel(model.uid) if state in BUSY else self.client.terminate(model.uid))
        except AuthenticationError:
            raise
        except ApiError as error:
            # Another client was faster: check again whether it is gone.
            if _NOT_FOUND in error.detail or _NOT_LAUNCHED in error.detail:
                return True
            self.run.fail(model, str(error), state)
            return False
        except NoAnswer as error:
            # The server is busy with this one; the others are not.
            self.run.fail(model, str(error), state)
            return False
        return True

    def free_name(self, model: ModelRun) -> None:
        """Terminate what is left of a model; where the server refuses, the next launch fails with its reason."""
        try:
            self.run.write(model, lambda: self.client.terminate(model.uid))
        except AuthenticationError:
            raise
        except (ApiError, NoAnswer):
            pass

    def drop_entries(self) -> None:
        """Remove the autostart entries that must not bring a model back: before anything is terminated, or the server launches it again."""
        for model in self.run.going_on():
            if model.action.drop_entry:
                self.drop_entry(model)

    def drop_entry(self, model: ModelRun) -> bool:
        """Remove one autostart entry; False when the server refuses."""
        return self.run.attempt(model, lambda: self.run.write(model, lambda: self.client.remove_autostart(model.uid)), state=model.action.state)
