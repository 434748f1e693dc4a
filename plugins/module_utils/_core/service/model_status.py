# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keeping the declared models running without anybody: the same plan, carried out whenever the server is not as declared. Private to this collection.

One look follows the other. While all is well a look is one request; when something moved, the run of :mod:`converge` does what is needed, but without
waiting: it asks for the launches and goes on, so that a model that takes long or fails keeps no other one down.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..apply.smoke_test import smoke_test
from ..observed.models import ABSENT
from ..reconcile.reconcile import Server

__all__ = ["Care", "Question", "Seen", "asked"]


@dataclass
class Care:
    """What is known about one declared model.

    :param state: as it was seen last.
    :param answered: the second in which the server made the instance that answered; 0 when none did.
    :param asked: whether this watcher asked for a launch whose end it has not seen.
    :param tries: tries in a row that failed.
    :param refusals: how often in a row the server itself refused an answer of what runs now.
    :param stuck: launches in a row that were given up because nothing moved.
    :param made: the second in which the server made the instance that was ready last.
    :param drift_tries: relaunches in a row after which it still ran otherwise than declared, since somebody changed it.
    :param drift_after: when it is relaunched again.
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
    next_try: float = 0.0
    message: str = ""
    since: float = 0.0
    progress: Any = None


@dataclass
class Seen:
    """What the last comparison found, so that the next look knows whether anything moved.

    :param calm: whether nothing was left to be done.
    :param lasts: seconds for which it counts while nothing is seen to move.
    """

    rows: Any = None
    at: float = 0.0
    calm: bool = False
    lasts: float = 0.0


def asked(client: Server, uid: str, spec: Mapping[str, Any], timeout: float, requests: Sequence[Mapping[str, Any]]) -> float:
    """A smoke test with a client of its own; the parameters are those of :func:`smoke_test`."""
    try:
        return smoke_test(client, uid, spec, timeout, requests)
    finally:
        client.close()


class Question:
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
