# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Letting models answer, in the background: one may take long, and the others are looked after meanwhile. Private to this collection."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any

from ..apply.context import Waiting
from ..apply.smoke_test import Unanswered, smoke_test
from ..declaration.model import DeclaredModel
from ..observed.models import READY, Observed
from ..server.api import Api
from ..server.rows import ModelRow
from .model_status import ModelStatuses

__all__ = ["REFUSALS", "SmokeTests"]

#: How often in a row a server may refuse a model's answer before the model is launched again.
REFUSALS = 2


def _asked(client: Api, uid: str, spec: ModelRow, timeout: float, requests: Sequence[Mapping[str, Any]]) -> float:
    """A smoke test with a client of its own; the parameters are those of :func:`smoke_test`."""
    try:
        return smoke_test(client, uid, spec, timeout, requests)
    finally:
        client.close()


class _Question:
    """A model being asked, maybe in a thread: it may take as long as it is waited for, and the others are looked after meanwhile.

    :param uid: the model.
    :param created: the second in which the server made the instance that is asked.
    :param ask: asks, and gives the seconds that it took.
    """

    def __init__(self, uid: str, created: int, ask: Callable[[], float]) -> None:
        self.uid = uid
        self.created = created
        self.ask = ask
        self.done = threading.Event()
        self.error: Exception | None = None
        self.seconds = 0.0

    def __call__(self) -> None:
        """Ask; what goes wrong belongs to whoever hears the answer."""
        try:
            self.seconds = self.ask()
        except Exception as error:
            self.error = error
        self.done.set()


class SmokeTests:
    """Asks every model that is ready, once for each time that it was made.

    :param statuses: what is known of the models.
    :param background: runs what may take long.
    :param brief: seconds for which it is waited for all the same.
    """

    def __init__(self, statuses: ModelStatuses, background: Callable[[Callable[[], None]], None], brief: float) -> None:
        self.statuses = statuses
        self.background = background
        self.brief = brief
        #: What is being asked; None while nothing is.
        self.question: _Question | None = None

    def drop(self) -> None:
        """Whatever a model is going to answer, it is about what was before."""
        self.question = None

    def heard(self) -> bool:
        """Whether a model has answered and that is not recorded yet."""
        return self.question is not None and self.question.done.is_set()

    def ask(self, client: Api, wanted: Iterable[DeclaredModel], seen: Observed, waiting: Waiting) -> None:
        """Let every model that is ready answer; where no smoke test is wanted, ready is enough.

        :param wanted: the models that should run.
        :param seen: the server as it was seen last.
        """
        statuses = self.statuses
        # Who failed before comes last, and only one of these in a poll.
        for model in sorted(wanted, key=lambda model: statuses[model.uid].tries):
            if not self.take_down(seen):
                return
            status, running = statuses[model.uid], seen.models.get(model.uid)
            if status.state != READY or status.answered or status.next_try > statuses.clock() or running is None or status.refusals >= REFUSALS:
                continue
            if waiting.smoke == "none":
                statuses.answers(model.uid, running, "ready")
                continue
            # Where a difference is only reported, it may run as it was registered.
            may_run = [model.launch_request(), {}]
            self.question = _Question(model.uid, running.created, partial(_asked, client.twin(), model.uid, running.spec, waiting.answer, may_run))
            self.background(self.question)
            # Most answer at once, and then the next one need not wait for another poll.
            self.question.done.wait(self.brief)
        self.take_down(seen)

    def take_down(self, seen: Observed) -> bool:
        """Record what the model answered that was asked; False while it has not, and where it was of no use.

        :raises XinferenceError: when the server is lost, or refuses the credentials.
        """
        question = self.question
        if question is None:
            return True
        if not question.done.is_set():
            return False
        self.question = None
        status, running = self.statuses.get(question.uid), seen.models.get(question.uid)
        ready = running is not None and status is not None and status.state == READY
        if status is None or (ready and running is not None and running.created != question.created):
            # It is another one by now.
            return True
        if isinstance(question.error, Unanswered):
            status.refusals = status.refusals + 1 if question.error.refused else 0
            self.statuses.failed(question.uid, f"is ready, but did not answer: {question.error}")
            return False
        if question.error is not None:
            raise question.error
        if running is None or not ready:
            # It answered, and is gone.
            return True
        self.statuses.answers(question.uid, running, f"ready, answered in {question.seconds:.2f} s", question.seconds)
        return True
