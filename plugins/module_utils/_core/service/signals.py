# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Signs of life for systemd, and its signal to end. Private to this collection."""

from __future__ import annotations

import contextlib
import os
import select
import socket
import time

__all__ = ["Notifier"]


class Notifier:
    """Notifies systemd that the service is there and alive; nothing where systemd did not start it.

    :param address: socket of systemd; a leading @ stands for an abstract one.
    :param patience: seconds without a sign of life after which systemd takes the service for dead.
    """

    def __init__(self, address: str | None, patience: float = 900.0) -> None:
        self.patience = patience
        self.address = "\0" + address[1:] if address and address.startswith("@") else address
        #: When the last sign of life was given, on the monotonic clock.
        self.alive = time.monotonic()

    def lives(self) -> bool:
        """Whether there was a sign of life lately."""
        return time.monotonic() - self.alive < self.patience

    def notify(self, **words: str) -> None:
        """Send variables, such as READY=1; WATCHDOG is a sign of life."""
        if "WATCHDOG" in words:
            self.alive = time.monotonic()
        if not self.address:
            return
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as line:
            line.sendto("\n".join(f"{name}={value}" for name, value in words.items()).encode(), self.address)


class Stop:
    """Whether a signal asked the service to end.

    No :class:`threading.Event`: it has a lock, and a signal that interrupts the main thread while that holds it would wait for it forever.
    """

    def __init__(self) -> None:
        self._read, self._write = os.pipe()
        # Whoever says it more often than the pipe holds has been heard.
        os.set_blocking(self._write, False)

    def set(self) -> None:
        """End; also from within a signal's handler."""
        with contextlib.suppress(BlockingIOError):
            os.write(self._write, b".")

    def wait(self, seconds: float) -> bool:
        """Whether it is to end, after that many seconds at most."""
        return bool(select.select([self._read], [], [], seconds)[0])
