# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading what others may have written: files below a directory, JSON, answers over HTTP. Private to this collection.

Root of the server's container owns the directories that are mounted there, and a service owns its own. They can put a link to a file of root in place of each
of their files, a pipe that nobody writes to, a device, or a hole of terabytes. So nothing here follows a link below its base, waits for anybody without end, or
takes more than its limit.
"""

from __future__ import annotations

import contextlib
import errno
import functools
import hashlib
import http.client
import io
import json
import os
import stat
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO

__all__ = [
    "Answer",
    "NameLimit",
    "TooMuch",
    "decoded",
    "entries_below",
    "is_name",
    "link_below",
    "open_below",
    "parse_json",
    "read_beginning",
    "read_bytes",
    "read_end",
    "read_json",
    "read_regular",
    "sha256_below",
    "stat_below",
]

#: Bytes of the largest file that anything of this collection writes, and more.
LIMIT = 16 << 20
#: Bytes that are read at once of a file of any size.
_STEP = 1 << 20
#: How deep lists and dictionaries of JSON may lie in each other; an API's own description comes to about 30.
DEEPEST = 100
#: Digits of a whole number: with more it has no float, and older Pythons take hours to read one of millions.
DIGITS = 300
#: What it is called when something else lies in place of a file.
_NO_FILE = {stat.S_IFLNK: errno.ELOOP, stat.S_IFDIR: errno.EISDIR}


class TooMuch(Exception):
    """An answer is larger or takes longer than any should; its text is a part of a sentence."""


class NameLimit:
    """How many names may still be read: a directory can have any number of them, and be of any depth.

    :param remaining: the number.
    """

    def __init__(self, remaining: int = 200_000) -> None:
        self.remaining = remaining

    def take(self) -> None:
        """Count one more.

        :raises OSError: when that is too many.
        """
        self.remaining -= 1
        if self.remaining < 0:
            raise OSError(errno.EFBIG, "there are too many names to read")


def is_name(part: str) -> bool:
    """Whether a text can be the name of a file, and no way to another directory."""
    try:
        return part not in ("", ".", "..") and not set(os.fsencode(part)) & set(b"/\0")
    except UnicodeEncodeError:
        return False


@contextlib.contextmanager
def open_below(base: str | Path, parts: Sequence[str], most_names: NameLimit | None = None) -> Iterator[int]:
    """A handle of what lies below a directory, of whatever kind, a link included. It is not opened for reading, which does something with some devices.

    :param base: directory that is trusted, with all links on the way to it; without parts it may be a file.
    :param parts: names from there on. None of them is followed when it is a link.
    :param most_names: what each of these names counts for.
    :raises OSError: when it is not there, lies behind a link, or may not be read.
    """
    # The dot triggers an automount.
    handle = os.open(os.path.join(base, ".") if parts else base, os.O_PATH | os.O_CLOEXEC)
    try:
        for part in parts:
            if not is_name(part):
                raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
            if most_names is not None:
                most_names.take()
            # Of a link, this is a handle of the link itself, below which nothing lies.
            inner = os.open(part, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=handle)
            os.close(handle)
            handle = inner
        yield handle
    finally:
        os.close(handle)


def stat_below(base: str | Path, parts: Sequence[str], most_names: NameLimit | None = None) -> os.stat_result:
    """What lies below a directory, a link included; parameters and errors as of :func:`open_below`."""
    with open_below(base, parts, most_names) as handle:
        return os.fstat(handle)


def link_below(base: str | Path, parts: Sequence[str], most_names: NameLimit | None = None) -> str | None:
    """Where a link below a directory leads; None for what is no link. Parameters and errors as of :func:`open_below`."""
    with open_below(base, parts, most_names) as handle:
        return os.readlink("", dir_fd=handle) if stat.S_ISLNK(os.fstat(handle).st_mode) else None


def entries_below(base: str | Path, parts: Sequence[str], most_names: NameLimit) -> Iterator[tuple[tuple[str, ...], os.stat_result]]:
    """Everything in a directory below another one, however deep: names from the directory on, and what it is, a link included. What goes meanwhile is left out.

    Parameters and errors as of :func:`open_below`.
    """
    waiting: list[tuple[str, ...]] = [()]
    while waiting:
        inner = waiting.pop()
        with contextlib.ExitStack() as opened:
            try:
                folder = opened.enter_context(open_below(base, (*parts, *inner), most_names))
                listed = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=folder)
            except FileNotFoundError:
                if not inner:
                    raise
                continue
            opened.callback(os.close, listed)
            for entry in opened.enter_context(os.scandir(listed)):
                most_names.take()
                try:
                    found = entry.stat(follow_symlinks=False)
                except FileNotFoundError:
                    continue
                if stat.S_ISDIR(found.st_mode):
                    waiting.append((*inner, entry.name))
                yield (*inner, entry.name), found


@contextlib.contextmanager
def _regular_below(base: str | Path, parts: Sequence[str]) -> Iterator[tuple[BinaryIO, int]]:
    """An open file below a directory, and its size in bytes.

    :raises OSError: as of :func:`open_below`, and when it is no regular file.
    """
    with open_below(base, parts) as handle:
        found = os.fstat(handle)
        if not stat.S_ISREG(found.st_mode):
            code = _NO_FILE.get(stat.S_IFMT(found.st_mode))
            raise OSError(code or errno.EINVAL, os.strerror(code) if code else "it is no regular file")
        # The same file, whatever has its name by now. It is not waited for who holds a lease on it.
        source = os.fdopen(os.open(f"/proc/self/fd/{handle}", os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb")
    with source:
        yield source, found.st_size


def read_bytes(base: str | Path, parts: Sequence[str], limit: int = LIMIT) -> bytes:
    """Content of a regular file below a directory; parameters as of :func:`open_below`.

    :param limit: bytes that it may have.
    :raises OSError: when it is none, lies behind a link, is larger, or cannot be read.
    """
    with _regular_below(base, parts) as (source, size):
        # It may grow while it is read.
        content = source.read(limit + 1) if size <= limit else b""
        if max(size, len(content)) > limit:
            raise OSError(errno.EFBIG, f"it has more than {limit} bytes")
        return content


def read_beginning(base: str | Path, parts: Sequence[str], limit: int) -> bytes:
    """The beginning of a regular file below a directory; parameters and errors as of :func:`read_bytes`, but it may be of any size.

    :param limit: bytes that are read at most.
    """
    with _regular_below(base, parts) as (source, _size):
        return source.read(limit)


def sha256_below(base: str | Path, parts: Sequence[str]) -> str:
    """SHA-256 of a regular file below a directory, of as many bytes as it had in the beginning; parameters and errors as of :func:`open_below`."""
    digest = hashlib.sha256()
    with _regular_below(base, parts) as (source, size):
        remaining = size
        while remaining > 0 and (part := source.read(min(remaining, _STEP))):
            remaining -= len(part)
            digest.update(part)
    return digest.hexdigest()


def read_end(base: str | Path, parts: Sequence[str], limit: int, since: int = 0) -> bytes:
    """The end of a regular file below a directory; parameters and errors as of :func:`read_bytes`, but it may be of any size.

    :param limit: bytes that are read at most.
    :param since: byte to begin with, unless that is more, or it has fewer.
    """
    with _regular_below(base, parts) as (source, size):
        source.seek(max(since if since <= size else 0, size - limit))
        return source.read(limit)


def read_json(base: str | Path, parts: Sequence[str], limit: int = LIMIT) -> Any:
    """The content of a regular file below a directory; parameters as of :func:`read_bytes`.

    :raises OSError: when it cannot be read.
    :raises ValueError: when it is no JSON, or nested too deep.
    """
    return parse_json(read_bytes(base, parts, limit).decode("utf-8"))


def read_regular(path: Path, limit: int = LIMIT) -> str:
    """Text of a file that is a file and nothing else, in a directory that is trusted itself.

    :param limit: bytes that it may have.
    :raises OSError: when it is none, is larger, or cannot be read.
    :raises UnicodeDecodeError: when it holds no text.
    """
    return read_bytes(path.parent, [path.name], limit).decode("utf-8")


def _whole(digits: str) -> int:
    """A whole number of JSON.

    :raises ValueError: when it is longer than any should be.
    """
    if len(digits) > DIGITS:
        raise ValueError("a number has too many digits")
    return int(digits)


def decoded(load: Callable[..., Any]) -> Any:
    """The content of JSON, nested no deeper than whoever walks through it by recursion can go.

    :param load: reads it, with arguments as of :func:`json.loads`.
    :raises ValueError: when it is no JSON, or is nested too deep.
    """
    deep = "it is nested too deep"
    try:
        found = load(parse_int=_whole)
    except RecursionError as error:
        raise ValueError(deep) from error
    level = [found]
    for _depth in range(DEEPEST + 1):
        level = [part for part in level if isinstance(part, (dict, list))]
        if not level:
            return found
        level = [inner for outer in level for inner in (outer.values() if isinstance(outer, dict) else outer)]
    raise ValueError(deep)


def parse_json(text: str) -> Any:
    """The content of a text in JSON; errors as of :func:`decoded`."""
    return decoded(functools.partial(json.loads, text))


class _Stream(io.RawIOBase):
    """What comes over a connection, as long as it is not too much.

    :param source: the connection.
    :param limit: bytes.
    :param seconds: until it must have ended.
    :param clock: returns seconds.
    """

    def __init__(self, source: io.BufferedReader, limit: int, seconds: float, clock: Callable[[], float]) -> None:
        self.source = source
        self.limit = limit
        self.remaining = limit
        self.seconds = seconds
        self.clock = clock
        self.end = clock() + seconds

    def readable(self) -> bool:
        """Yes."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Take what has come, or wait for it once, for as long as the connection waits."""
        count = self.source.readinto1(buffer)
        self.remaining -= count
        if self.remaining < 0:
            raise TooMuch(f"the answer has more than {self.limit >> 20} MiB")
        if count and self.clock() > self.end:
            raise TooMuch(f"the answer did not end within {self.seconds:g} s")
        return count

    def close(self) -> None:
        """Close the connection's end."""
        self.source.close()
        super().close()


class Answer(http.client.HTTPResponse):
    """An answer over HTTP that has an end: a server may send without one, or a byte now and then, for which the timeout of a connection begins again.

    Reading it, its head included, raises :class:`TooMuch`.
    """

    #: Bytes of all of it, and seconds that it may take longer than its first byte.
    limit, longer = 32 << 20, 60.0
    clock = staticmethod(time.monotonic)

    def __init__(self, sock: Any, *arguments: Any, **options: Any) -> None:
        super().__init__(sock, *arguments, **options)
        self.fp = io.BufferedReader(_Stream(self.fp, self.limit, (sock.gettimeout() or 0.0) + self.longer, self.clock))

    def begin(self) -> None:
        """Read the head."""
        super().begin()
        # A few bytes can be compressed gigabytes. It was asked for as it is.
        if (self.getheader("Content-Encoding") or "identity").lower() != "identity":
            raise TooMuch("the answer is compressed, which nobody asked for")
