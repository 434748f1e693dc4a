# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What every phase of applying a plan uses: where each model stands, and how a request for it ends. Private to this collection."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

from ..base.errors import ApiError, AuthenticationError, ConnectionFailed, NotReached
from ..host.docker import Deaths
from ..observed.models import READY
from ..plan.plan import DOWNLOAD, LAUNCH, RELAUNCH, SCALE, Action, Plan
from ..server.api import ModelsApi
from ..server.rows import Progress
from .context import Clock, Context, LaunchRecords, Waiting
from .results import Result, result_of

__all__ = ["ModelRun", "PlanRun"]

#: What a model's process that was killed leaves behind; the reason stands earlier in the log.
_DIED = "bytes read on a total of"


class Before(NamedTuple):
    """What this host saw when work on a model began, so that what happened to another one before explains nothing.

    :param log_size: bytes of the server's log.
    :param deaths: what had ended in its container; None where this host does not know.
    :param second: since the epoch.
    """

    log_size: int
    deaths: Deaths | None
    second: int


@dataclass
class ModelRun:
    """One action that is applied.

    :param action: what to do.
    :param result: what became of it so far.
    :param unrecorded: whether what it is launched with must still be written down.
    :param started: when work on it began, on the run's clock; None before.
    :param before: what was seen then.
    :param done: whether it is as declared.
    :param written: whether a request that changes something may have arrived.
    :param cleared: whether the model was got out of the way of its relaunch.
    :param orphan_cleared: whether an orphaned model was removed; that is tried once.
    :param replaced_registration: type and specification that were there before; None where none was replaced.
    :param rolling_back: why its relaunch failed, while the previous model is launched again; None when it does not roll back.
    :param missing_since: since when it is not where it should be, on the run's clock; None while it is.
    """

    action: Action
    result: Result
    unrecorded: bool
    started: float | None = None
    before: Before | None = None
    done: bool = False
    written: bool = False
    cleared: bool = False
    orphan_cleared: bool = False
    replaced_registration: tuple[str, dict[str, Any]] | None = None
    rolling_back: str | None = None
    missing_since: float | None = None

    @property
    def uid(self) -> str:
        """Of the model."""
        return self.action.uid

    @property
    def failed(self) -> bool:
        """Whether it is not as declared."""
        return self.result.failed


class PlanRun:
    """One plan that is applied: its models, and what each phase needs."""

    def __init__(self, plan: Plan, client: ModelsApi, waiting: Waiting, context: Context, passing: Clock) -> None:
        self.client = client
        self.waiting = waiting
        self.context = context
        self.keeper = LaunchRecords(client, context.observed.history, context.file)
        self.clock = passing.clock
        self.sleep = passing.sleep
        self.begun = passing.clock()
        self.models = {action.uid: ModelRun(action, result_of(action), action.kind in (LAUNCH, RELAUNCH, SCALE)) for action in plan.actions}
        self.before = self.capture()
        #: When it was last reported how far the launches are.
        self.reported = -math.inf

    def going_on(self) -> list[ModelRun]:
        """Those that have not failed, in the order of the plan."""
        return [model for model in self.models.values() if not model.failed]

    def start(self, model: ModelRun) -> None:
        """Work on a model begins, unless it has."""
        if model.started is None:
            model.started = self.clock()

    def capture(self) -> Before:
        """What this host sees now."""
        return Before(self.context.server_files.log_size(), self.context.deaths(), int(time.time()))

    def elapsed(self, model: ModelRun) -> float:
        """Seconds since work on a model began."""
        return round(self.clock() - (self.begun if model.started is None else model.started), 1)

    def late(self) -> bool:
        """Whether the time for the plan is over."""
        return self.clock() - self.begun >= self.waiting.timeout

    def report(self, model: ModelRun, state: str, answer: Progress | None = None) -> None:
        """Report how far a model is."""
        if self.context.report is not None:
            self.context.report(model.uid, state, answer or {}, self.elapsed(model))

    def finish(self, model: ModelRun) -> None:
        """Record that a model is as declared."""
        model.result.seconds = self.elapsed(model)
        model.done = True
        # The state of a model shows nothing of its files.
        self.report(model, model.result.result if model.action.kind == DOWNLOAD else model.result.state)

    def fail(self, model: ModelRun, words: str, state: str) -> None:
        """Record that a model is not as declared."""
        result = model.result
        result.result, result.state, result.message = "failed", state, words
        result.seconds = self.elapsed(model)

    def write(self, model: ModelRun, call: Callable[[], Any]) -> None:
        """A writing request. Whether one without an answer arrived is not known, unless nobody took it."""
        try:
            call()
        except NotReached:
            raise
        except ConnectionFailed:
            model.written = True
            raise
        model.written = True

    def attempt(self, model: ModelRun, *calls: Callable[[], Any], state: str = READY) -> bool:
        """Do what concerns one model only; False when the server refuses it, and then the others go on."""
        try:
            for call in calls:
                call()
        except AuthenticationError:
            raise
        except ApiError as error:
            before = f"{model.result.message}; " if model.failed else ""
            self.fail(model, before + self.explain(model, str(error)), state)
            return False
        return True

    def explain(self, model: ModelRun, words: str) -> str:
        """The server's words, with the cause where this host can see it, and the usual one where it cannot."""
        size, before, second = model.before or self.before
        model.result.log = [*self.context.server_files.log_tail(model.uid, size), *self.context.engine_errors(second)]
        words = words or "the server gave no reason"
        now = self.context.deaths()
        if before is not None and now is not None:
            if now.killed > before.killed or (now.killed and now.restarts > before.restarts):
                return f"{words} (a process of the server was killed, because the container's memory was used up)"
            if now.restarts > before.restarts:
                return f"{words} (the server's container ended meanwhile and was started again)"
        if _DIED in words:
            return f"{words} (the model's process died while loading; the usual cause is too little memory)"
        return words
