# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One writer at a time: a run or the service of this host, and never both. Private to this collection."""

from __future__ import annotations

import fcntl
import os
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from .errors import XinferenceError
from .private_file import give_to_owner

__all__ = ["Lock"]

#: Seconds between two tries.
_PAUSE = 0.2


class Lock:
    """A lock that ends with its process, however that ends.

    :param path: of the file that is locked; it stays, empty. None locks nothing.
    :param holder: what whoever holds it does, for whoever does not get it.
    """

    def __init__(self, path: str | None, holder: str = "changing the models of this server") -> None:
        self.path = Path(path) if path else None
        self.holder = holder

    def try_hold(self) -> AbstractContextManager[None] | None:
        """A context that holds the lock, or None while another process holds it."""
        handle = self._open()
        if handle is None:
            return self._holding(None)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(handle)
            return None
        return self._holding(handle)

    def hold(
        self,
        timeout: float,
        report: Callable[[float], None] = lambda seconds: None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> AbstractContextManager[None]:
        """A context that holds the lock.

        :param timeout: seconds for which it is waited for.
        :param report: called again and again with the seconds so far, while another process holds it.
        :raises XinferenceError: when another process holds it for longer.
        """
        begun = clock()
        while True:
            held = self.try_hold()
            if held is not None:
                return held
            if clock() - begun >= timeout:
                raise XinferenceError(f"'{self.path}' is locked for more than {timeout:g} s: another run is {self.holder}.")
            report(clock() - begun)
            sleep(_PAUSE)

    def _open(self) -> int | None:
        if self.path is None:
            return None
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            handle = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
            found = os.fstat(handle)
            # What has another name elsewhere is nobody's to be given away.
            if stat.S_ISREG(found.st_mode) and found.st_nlink == 1:
                give_to_owner(handle, self.path.parent)
            return handle
        except OSError as error:
            raise XinferenceError(f"'{self.path}' cannot be locked: {error.strerror}.") from error

    @contextmanager
    def _holding(self, handle: int | None) -> Iterator[None]:
        try:
            yield
        finally:
            if handle is not None:
                os.close(handle)
