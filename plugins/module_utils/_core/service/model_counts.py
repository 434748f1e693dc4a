# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the service counts of each model while it runs, for who reads figures. Private to this collection."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

__all__ = ["BUCKETS", "ModelCounts"]

#: Seconds until a model answered, by which these times are sorted: a small model from a file takes seconds, a large one that is downloaded half an hour.
BUCKETS = (5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0)


@dataclass
class ModelCounts:
    """What was counted of one model.

    :param launches: launches that the service asked for.
    :param failures: tries that failed: a launch that was refused or ended in an error, or a model that is ready and did not answer.
    :param began: since when it is being launched, by whomever, on the watcher's clock; None while it is not.
    :param buckets: how many launches took as long as each of :data:`BUCKETS` or less, and longer than the one before; one more for those that took longer.
    :param seconds: of all these launches together.
    :param last: seconds of the last one, until the model answered; None before the first.
    :param answer: seconds that its last answer to a smoke test took; None before the first.
    :param answered: when that was, in seconds since the epoch.
    :param drift: fields in which it differed from its declaration when that was compared last; None where it was not.
    """

    launches: int = 0
    failures: int = 0
    began: float | None = None
    buckets: list[int] = field(default_factory=lambda: [0] * (len(BUCKETS) + 1))
    seconds: float = 0.0
    last: float | None = None
    answer: float | None = None
    answered: float | None = None
    drift: int | None = None

    def launched(self, now: float) -> None:
        """The service asked for a launch."""
        self.launches += 1
        self.began, self.drift = now, None

    def loads(self, now: float) -> None:
        """It is being launched, also by others."""
        if self.began is None:
            self.began = now

    def failed(self) -> None:
        """A try failed."""
        self.failures += 1
        self.began = None

    def gone(self) -> None:
        """Its server is gone."""
        self.began = self.drift = None

    def answers(self, now: float, seconds: float | None) -> None:
        """It serves.

        :param now: on the watcher's clock.
        :param seconds: that its answer took; None where it was not asked.
        """
        if self.began is not None:
            self.last, self.began = now - self.began, None
            self.seconds += self.last
            self.buckets[sum(self.last > bound for bound in BUCKETS)] += 1
        if seconds is not None:
            self.answer, self.answered = seconds, time.time()
