# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keeping the declared models running without anybody: the same plan, applied whenever the server is not as declared. Private to this collection.

One poll follows the other. While all is well a poll is one request; when something moved, :mod:`~.reconcile.reconcile` does what is needed, but without
waiting: it asks for the launches and goes on, so that a model that takes long or fails keeps no other one down.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace

from ..base.errors import AuthenticationError, XinferenceError
from ..declaration.fields import AUTO
from ..declaration.model import DeclaredModel
from ..observed.limits import read_limits
from ..observed.models import BUSY, Observed, observe
from ..plan.sizing import choose_options
from ..server.api import Api
from ..server.rows import InstanceRow
from .intervals import INTERVALS, Intervals
from .model_status import ModelStatuses, is_settled
from .repair import Repair
from .server_contact import Connection
from .smoke_tests import SmokeTests
from .stored import Declaration

__all__ = ["Watcher"]


@dataclass
class _Seen:
    """What the last comparison found, so that the next poll knows whether anything moved.

    :param rows: the instances that the server listed; None before the first comparison.
    :param at: when that was, on the watcher's clock, in seconds.
    :param calm: whether nothing was left to be done.
    :param lasts: seconds for which it counts while nothing is seen to move.
    """

    rows: list[InstanceRow] | None = None
    at: float = 0.0
    calm: bool = False
    lasts: float = 0.0


class Watcher:
    """Polls one server, and applies the plan when it has to.

    :param connect: makes a client that is logged in.
    :param read: the declaration as it is now, None where there is none; called at each poll.
    :param log: called with one line for each change.
    :param lock: held while something is written; None in place of a context when a run holds it.
    :param listens: whether anything listens where the server should; asked while the server refuses the credentials, because it takes none.
    :param background: runs what may take long; by default at once.
    :param brief: seconds for which it is waited for all the same.
    :param intervals: how often it polls.
    :param clock: seconds from some moment on.
    """

    def __init__(
        self,
        connect: Callable[[], Api],
        read: Callable[[], Declaration | None],
        log: Callable[[str], None],
        *,
        lock: Callable[[], AbstractContextManager[None] | None] = nullcontext,
        listens: Callable[[], bool] = lambda: True,
        background: Callable[[Callable[[], None]], None] = lambda work: work(),
        brief: float = 0.0,
        intervals: Intervals = INTERVALS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.read = read
        self.log = log
        self.lock = lock
        self.intervals = intervals
        self.clock = clock
        self.connection = Connection(connect, log, listens, intervals, clock)
        self.statuses = ModelStatuses(log, intervals, clock)
        self.smoke_tests = SmokeTests(self.statuses, background, brief)
        self.repair = Repair(self.statuses, self.smoke_tests, self.report)
        self.declaration: Declaration | None = None
        #: The declaration as it was read; what is kept has the options that were chosen for this host.
        self.given: Declaration | None = None
        self.seen = _Seen()
        #: Whether a run is at work.
        self.locked_out = False
        #: Called where a poll takes long, and who reads what is known should not wait for its end.
        self.changed: Callable[[], None] = lambda: None

    @property
    def ready(self) -> bool:
        """Whether every declared model has answered since it was made."""
        return not self.connection.trouble and all(model.uid in self.statuses and self.statuses[model.uid].answered > 0 for model in self.wanted())

    def wanted(self) -> list[DeclaredModel]:
        """The models that should run."""
        return [model for model in (self.declaration.models if self.declaration else ()) if model.state == "present"]

    def poll(self) -> float:
        """Poll once, and do what is needed.

        :returns: seconds until the next poll.
        """
        connection = self.connection
        self.take(self.read())
        if self.declaration is None:
            connection.trouble = "there is no declaration"
            return self.intervals.idle
        if connection.is_banned():
            return self.intervals.idle
        since, connection.unreachable = connection.unreachable, None
        useless, connection.useless = connection.useless, None
        try:
            pause = self._poll(self.declaration)
        except AuthenticationError as error:
            if connection.is_outdated(error):
                self.forget()
                return self.poll()
            connection.refuse(error)
            self._lost(gone=False)
            return self.intervals.idle
        except XinferenceError as error:
            lost, gone, pause = connection.fail(error, since, useless)
            if lost:
                self._lost(gone=gone)
            return pause
        connection.worked(useless, alone=not self.locked_out)
        return pause

    def take(self, declaration: Declaration | None) -> None:
        """Take a declaration, another one or the same."""
        if declaration is self.given:
            return
        if self.given is None or declaration is None or self.given.connection != declaration.connection:
            self.forget()
        self.given = self.declaration = declaration
        self.connection.banned = 0.0
        self.statuses.declare(model.uid for model in (declaration.models if declaration else ()))
        self.seen = _Seen()

    def drop(self, reason: str) -> None:
        """The server cannot be asked, for a reason that nobody expected."""
        self.connection.lose(reason)
        self._lost(gone=False)

    def forget(self) -> None:
        """Give the client up, so that the next poll logs in again."""
        self.smoke_tests.drop()
        self.connection.forget()

    def _lost(self, *, gone: bool) -> None:
        self.smoke_tests.drop()
        self.seen = _Seen()
        if gone:
            self.statuses.forget()

    def _poll(self, declaration: Declaration) -> float:
        intervals = self.intervals
        client = self.connection.use()
        rows = client.list_instances()
        now = self.clock()
        heard = self.smoke_tests.heard()
        same = rows == self.seen.rows and not self.statuses.due(self.seen.at, now) and not heard and now - self.seen.at < self.seen.lasts
        if same and (self.seen.calm or not self.locked_out):
            return intervals.idle if self.seen.calm else intervals.moving
        if not self.connection.has_worker(client):
            return intervals.down
        held = self.lock()
        self.locked_out = held is None
        if held is None:
            # A run is at work: what it does is observed, and left to it. Whoever was asked is asked again afterwards.
            if heard:
                self.smoke_tests.drop()
            if not same:
                self.note(observe(client), ours=False)
                self.seen = _Seen(rows, now, lasts=intervals.settle)
            return intervals.moving
        with held:
            if self.read() is not self.given:
                # A run came in between, with another declaration.
                return intervals.moving
            if any(model.given.get("engine_options") == AUTO for model in declaration.models):
                # For all models together, because they share the memory.
                limits = read_limits(client, declaration.run_options.cores, declaration.run_options.memory_mib)
                chosen = choose_options(declaration.models, limits, declaration.run_options.server_files)
                self.declaration = declaration = replace(declaration, models=tuple(chosen))
            seen, drifted = self.repair.tend(client, declaration, self.note)
        # Without the lock, because a model may take long to answer, and a run should not wait for that.
        self.smoke_tests.ask(client, self.wanted(), seen, declaration.run_options.waiting)
        known = [(model, self.statuses[model.uid]) for model in declaration.models]
        moving = [status for model, status in known if not is_settled(model, status)]
        calm, now = not moving and not drifted, self.clock()
        if calm:
            self.connection.count_workers(client)
        # What was just asked for is still called absent here, so whether it is really loading is seen soon.
        waits = bool(moving) and all(status.state in BUSY or status.next_try > now for status in moving)
        self.seen = _Seen(rows, now, calm=calm, lasts=intervals.whole if calm else intervals.loading if waits else intervals.settle)
        if not moving:
            return intervals.moving if drifted else intervals.idle
        soonest = min(status.next_try for status in moving) - now
        return max(intervals.moving, min(soonest, intervals.idle))

    def report(self) -> None:
        """What is known has changed, and the poll goes on for long."""
        self.changed()

    def note(self, seen: Observed, *, ours: bool = True) -> None:
        """Take down the states of the models.

        :param ours: whether nobody else is changing the models.
        """
        ready = self.ready
        self.statuses.note(seen, ours=ours)
        if ready and not self.ready:
            # What comes next may take long.
            self.report()
