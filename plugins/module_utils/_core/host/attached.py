# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Standard input and output of a container, over Docker's socket. Standard library only. Private to this collection."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Callable, Iterable
from urllib.parse import quote

__all__ = ["Attached"]

#: Bytes of the head of Docker's answer, of what is kept of standard error, and of one step.
_HEAD, _WORDS, _STEP = 1 << 16, 1 << 13, 1 << 20
#: Seconds without a byte after which a container counts as stuck.
_SILENT = 120.0
_OUT = 1


class Attached:
    """A container's standard input and output, attached to before it is started. What it writes has no bound here but time.

    :param path: of Docker's socket.
    :param container: its name.
    :param seconds: until it must have ended.
    :param clock: returns seconds.
    :raises OSError: when Docker does not attach it.
    """

    def __init__(self, path: str, container: str, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self.clock = clock
        self.end = clock() + seconds
        #: The last words of its standard error.
        self.words = b""
        self._rest = b""
        self._in_frame = 0
        self._stream = 0
        self._buffer = b""
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self.socket.settimeout(_SILENT)
            self.socket.connect(path)
            route = f"/containers/{quote(container, safe='')}/attach?stream=1&stdin=1&stdout=1&stderr=1"
            self.socket.sendall(f"POST {route} HTTP/1.1\r\nHost: docker\r\nConnection: Upgrade\r\nUpgrade: tcp\r\nContent-Length: 0\r\n\r\n".encode())
            self._begin()
        except BaseException:
            self.socket.close()
            raise

    def _begin(self) -> None:
        """Read the head of Docker's answer."""
        head = b""
        while b"\r\n\r\n" not in head:
            part = self._receive()
            if not part or len(head) > _HEAD:
                raise OSError("Docker ended its answer before it had begun")
            head += part
        first, _line, _rest = head.partition(b"\r\n")
        _head, _empty, self._rest = head.partition(b"\r\n\r\n")
        if first.split(b" ")[1:2] not in ([b"101"], [b"200"]):
            raise OSError(f"Docker does not attach the container: {first.decode('latin-1')[:200]}")

    def _receive(self) -> bytes:
        """What comes next from Docker; empty where it has ended."""
        if self.clock() > self.end:
            raise OSError("the container did not end in time")
        try:
            return self.socket.recv(_STEP)
        except ConnectionResetError:
            # It ended with input that it had not read.
            return b""

    def send(self, parts: Iterable[bytes]) -> None:
        """Write to its standard input. One that has ended takes nothing any more; why, its words say."""
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            for part in parts:
                if self.clock() > self.end:
                    raise OSError("the container did not end in time")
                self.socket.sendall(part)

    def _more(self) -> bool:
        """Read on, and keep what is of standard output; whether there was anything."""
        # Docker sends frames: one byte for the stream, three empty, four for the length.
        if not self._in_frame:
            while len(self._rest) < 8:
                part = self._receive()
                if not part:
                    return False
                self._rest += part
            self._stream, self._in_frame = self._rest[0], int.from_bytes(self._rest[4:8], "big")
            self._rest = self._rest[8:]
            return True
        if not self._rest:
            self._rest = self._receive()
            if not self._rest:
                return False
        part, self._rest = self._rest[: self._in_frame], self._rest[self._in_frame :]
        self._in_frame -= len(part)
        if self._stream == _OUT:
            self._buffer += part
        else:
            self.words = (self.words + part)[-_WORDS:]
        return True

    def line(self, limit: int) -> bytes:
        """The next line of its standard output, without its end; empty where there is none any more.

        :param limit: characters that it may have.
        :raises OSError: when it is longer, or Docker does not answer.
        """
        while b"\n" not in self._buffer:
            if len(self._buffer) > limit:
                raise OSError("the container wrote a line that is too long")
            if not self._more():
                return b""
        text, _end, self._buffer = self._buffer.partition(b"\n")
        if len(text) > limit:
            raise OSError("the container wrote a line that is too long")
        return text

    def read(self, size: int) -> Iterable[bytes]:
        """So many bytes of its standard output, in parts; fewer where it has ended."""
        while size > 0:
            if not self._buffer and not self._more():
                return
            part, self._buffer = self._buffer[:size], self._buffer[size:]
            size -= len(part)
            if part:
                yield part

    def drain(self) -> None:
        """Read to its end, so that all its words are there; what else it writes is thrown away."""
        while self._more():
            self._buffer = b""

    def close(self) -> None:
        """End the connection."""
        self.socket.close()
