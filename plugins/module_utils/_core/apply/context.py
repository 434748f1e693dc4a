# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What applying a plan needs: how long to wait, where records go, how time passes. Private to this collection."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from ..host.docker import Deaths
from ..observed.last_applied import RECORD, Record, StateFile
from ..observed.models import Observed
from ..observed.server_files import ServerFiles
from ..server.api import ModelsApi
from ..server.rows import Progress

__all__ = ["SMOKE_TESTS", "Context", "LaunchRecords", "Waiting"]

SMOKE_TESTS = ("launched", "all", "none")


@dataclass(frozen=True)
class Waiting:
    """How to wait for models.

    :param wait: whether to wait at all.
    :param timeout: seconds for the whole plan.
    :param sleep: seconds between two polls, at most.
    :param at_once: launches under way at the same time.
    :param smoke: which models must answer a request: launched (all that this run touched), all, or none.
    :param answer: seconds in which a model must answer.
    """

    wait: bool = True
    timeout: float = 1800.0
    sleep: float = 1.0
    at_once: int = 1
    smoke: str = "launched"
    answer: float = 120.0


class LaunchRecords:
    """Where records are written: the server's launch history, or a file of this host for a server without one.

    :param client: the server.
    :param history: whether it has a launch history.
    :param file: the file of this host.
    """

    def __init__(self, client: ModelsApi, history: bool, file: StateFile) -> None:
        self.client = client
        self.history = history
        self.file = file

    def write(self, uid: str, record: Record) -> None:
        """Remember what a model was launched with."""
        if self.history:
            self.client.remember(RECORD, uid, record.data())
        else:
            self.file.save({**self.file.load(), uid: record})

    def drop(self, uid: str) -> None:
        """Forget a model that does not run any more."""
        if self.history:
            self.client.forget(RECORD, uid)
        else:
            records = self.file.load()
            if records.pop(uid, None) is not None:
                self.file.save(records)


@dataclass(frozen=True)
class Context:
    """What applying a plan needs besides the server.

    :param observed: the server when the plan was made.
    :param server_files: its files, as far as this host sees them.
    :param file: where records go for a server without a launch history.
    :param report: called at each poll with how far a launch is: uid, state, the server's answer, seconds. None asks no server for it.
    :param engine_errors: what the engines printed as errors since a second; empty where this host cannot see it.
    :param persist: whether the registration of a specification survives a restart of the server.
    :param deaths: what ended in the server's container so far; None where this host cannot see it.
    """

    observed: Observed = field(default_factory=Observed)
    server_files: ServerFiles = field(default_factory=ServerFiles)
    file: StateFile = field(default_factory=lambda: StateFile(None))
    report: Callable[[str, str, Progress, float], None] | None = None
    deaths: Callable[[], Deaths | None] = lambda: None
    engine_errors: Callable[[int], list[str]] = lambda since: []
    persist: Callable[[dict[str, Any]], bool] = lambda specification: True


@dataclass(frozen=True)
class Clock:
    """How time passes.

    :param clock: seconds from some moment on.
    :param sleep: waits that many seconds.
    """

    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
