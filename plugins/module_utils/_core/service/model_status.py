# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the service knows of each declared model, and what it logs of it. Private to this collection."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from ..declaration.model import DeclaredModel
from ..observed.models import ABSENT, BUSY, ERROR, ORPHAN, READY, Observed, ObservedModel
from ..server.rows import Progress
from .intervals import Intervals
from .model_counts import ModelCounts

__all__ = ["ModelStatus", "ModelStatuses", "is_settled"]


@dataclass
class ModelStatus:
    """What is known about one declared model.

    :param state: as it was seen last.
    :param answered: the second in which the server made the instance that answered; 0 when none did.
    :param asked: whether this watcher asked for a launch whose end it has not seen.
    :param tries: tries in a row that failed.
    :param refusals: how often in a row the server itself refused an answer of what runs now.
    :param stuck: launches in a row that were given up because nothing moved.
    :param made: the second in which the server made the instance that was ready last.
    :param drift_tries: relaunches in a row after which it still ran differently from its declaration, since it was changed by hand.
    :param drift_after: when it is relaunched again.
    :param away_since: since when replicas are missing on their workers; 0 while none is.
    :param next_try: when it is tried again, on the watcher's clock.
    :param message: why the last try failed.
    :param since: since when nothing moved while it is in this state, on the watcher's clock.
    :param progress: how far its launch was when that was asked last; None where it was not.
    """

    state: str = ABSENT
    answered: int = 0
    asked: bool = False
    tries: int = 0
    refusals: int = 0
    stuck: int = 0
    made: int = 0
    drift_tries: int = 0
    drift_after: float = 0.0
    away_since: float = 0.0
    next_try: float = 0.0
    message: str = ""
    since: float = 0.0
    progress: Progress | None = None


def is_settled(model: DeclaredModel, status: ModelStatus) -> bool:
    """Whether nothing is left to be done for a model."""
    if model.state == "absent":
        return status.state in (ABSENT, ERROR)
    return status.answered > 0


class ModelStatuses(dict[str, ModelStatus]):
    """Of all declared models, by uid.

    :param log: called with one line for each change.
    :param intervals: after how long a model that failed is tried again.
    :param clock: seconds from some moment on.
    """

    def __init__(self, log: Callable[[str], None], intervals: Intervals, clock: Callable[[], float]) -> None:
        super().__init__()
        self.log = log
        self.intervals = intervals
        self.clock = clock
        #: What was counted of each of them since the service runs; not forgotten with a server.
        self.counts: defaultdict[str, ModelCounts] = defaultdict(ModelCounts)

    def declare(self, uids: Iterable[str]) -> None:
        """Take the models of another declaration: what failed as it was declared before may go well now."""
        wanted = set(uids)
        known = {uid: replace(status, tries=0, next_try=0.0, stuck=0, drift_tries=0, drift_after=0.0) for uid, status in self.items() if uid in wanted}
        self.clear()
        self.update({**known, **{uid: ModelStatus() for uid in wanted - set(known)}})
        for uid in self.counts.keys() - wanted:
            del self.counts[uid]

    def forget(self) -> None:
        """The server is gone, and another one will come: nothing counts but why a model failed."""
        for uid, status in self.items():
            self[uid] = ModelStatus(message=status.message)
            self.counts[uid].gone()

    def due(self, since: float, now: float) -> bool:
        """Whether the pause of a model that failed ended in that time."""
        return any(since < status.next_try <= now for status in self.values())

    def note(self, seen: Observed, *, ours: bool = True) -> None:
        """Take down the states of the models, and what became of the launches that the service asked for.

        :param ours: whether nobody else is changing the models.
        """
        for uid, status in self.items():
            state, model = seen.state(uid), seen.models.get(uid)
            if model is None or (model.created or 1) != status.answered or state != READY:
                if status.answered:
                    self.log(f"{uid}: {'lost; it is ' + state if state != READY else 'was made again by another client'}")
                status.answered = 0
            if state == READY and model is not None and model.created != status.made:
                # What the one before failed at does not matter for this one.
                status.made, status.next_try = model.created, 0.0
            if state != status.state:
                status.since, status.progress = self.clock(), None
            status.state = state
            if state in BUSY:
                self.counts[uid].loads(self.clock())
            if not ours:
                status.asked = False
            elif status.asked and state in (ERROR, ABSENT, ORPHAN):
                status.asked = False
                self.failed(uid, (model.message if model else "") or f"is {state} after its launch")
            elif status.asked and state == READY:
                status.asked = False

    def failed(self, uid: str, message: str) -> None:
        """A try failed: the next one comes later."""
        status = self[uid]
        pause = min(self.intervals.first * float(2 ** min(status.tries, 20)), self.intervals.most)
        status.tries += 1
        status.next_try = self.clock() + pause
        self.counts[uid].failed()
        if message != status.message or status.tries == 1:
            self.log(f"{uid}: {message}; next try in {pause:.0f} s")
        status.message = message

    def relaunch_later(self, uid: str) -> float:
        """Seconds until a model may be relaunched again."""
        status = self[uid]
        pause = min(self.intervals.first_drift * float(2 ** min(status.drift_tries, 20)), self.intervals.most_drift)
        status.drift_tries += 1
        status.drift_after = self.clock() + pause
        return pause

    def answers(self, uid: str, running: ObservedModel, words: str, seconds: float | None = None) -> None:
        """A model serves.

        :param seconds: that its answer took; None where it was not asked.
        """
        self.counts[uid].answers(self.clock(), seconds)
        status = self[uid]
        status.answered, status.tries, status.refusals, status.stuck, status.message = running.created or 1, 0, 0, 0, ""
        self.log(f"{uid}: {words}")
