# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Asking for the container to be started: a file that systemd watches. Private to this collection."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from .loop import Watcher


class StartRequest:
    """Asks for the container to be checked when nothing listens where the server should, or the server is of no use for long.

    It also asks for a report on the container, once each time that the server comes back: what it reports changes then.

    :param path: of a file that systemd watches; None asks nobody.
    :param inspect: of another one, for the report.
    """

    #: Seconds for which Docker may bring the container back by itself, for which a server may be of no use, and between two calls.
    patience, longer, pause = 10.0, 120.0, 30.0

    def __init__(self, path: str | None, inspect: str | None = None) -> None:
        self.path = Path(path) if path else None
        self.inspect = Path(inspect) if inspect else None
        self.called: float | None = None
        #: Whether the server answered at the last poll.
        self.answered = False

    def ask(self, watcher: Watcher) -> None:
        """Call, if it has been so for long enough."""
        before, self.answered = self.answered, not watcher.connection.trouble
        if self.answered and not before and self.inspect is not None:
            self._touch(self.inspect)
        since, patience = (
            (watcher.connection.useless, self.longer) if watcher.connection.unreachable is None else (watcher.connection.unreachable, self.patience)
        )
        if since is None:
            self.called = None
            return
        now = watcher.clock()
        if self.path is None or now - since < patience or (self.called is not None and now - self.called < self.pause):
            return
        self.called = now
        self._touch(self.path)

    @staticmethod
    def _touch(path: Path) -> None:
        with contextlib.suppress(OSError):
            # Its time is what systemd watches, so that a full disk keeps nobody from calling.
            path.touch(mode=0o600)
            os.utime(path)
