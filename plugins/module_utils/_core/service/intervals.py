# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How often the service polls. Private to this collection."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["INTERVALS", "Intervals"]


@dataclass(frozen=True)
class Intervals:
    """Seconds between polls.

    :param down: at a server that does not answer, or has no worker.
    :param moving: while a model is not ready.
    :param idle: while all is well.
    :param whole: between two comparisons of everything, while all is well.
    :param settle: the same, while something moves but the server shows no change.
    :param loading: the same, while all that moves is being loaded, or paused after a failure. Comparing costs the server what it needs for loading.
    :param first: before the second try of a model that failed; each further one comes after twice the time.
    :param most: at most between two tries.
    :param first_drift: before the second try to relaunch a model that was changed by hand; each further one comes after twice the time. Each costs a model
        that works the time of two launches.
    :param most_drift: at most between two of these.
    :param odd: after an answer that nobody expected.
    :param refused: after credentials that the server refused. It bans an address for an hour after ten of them.
    """

    down: float = 0.2
    moving: float = 0.5
    idle: float = 2.0
    whole: float = 60.0
    settle: float = 2.0
    loading: float = 10.0
    first: float = 5.0
    most: float = 300.0
    first_drift: float = 60.0
    most_drift: float = 86400.0
    odd: float = 10.0
    refused: float = 600.0


INTERVALS = Intervals()
