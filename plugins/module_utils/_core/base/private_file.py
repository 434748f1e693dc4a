# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files that only their owner can read, replaced in one step. Private to this collection."""

from __future__ import annotations

import contextlib
import fcntl
import glob
import os
import stat
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .bounded import read_regular
from .errors import XinferenceError

__all__ = ["both", "give_to_owner", "keep_secrets", "kept_secrets", "marks", "replace_private"]

#: Behind the name of a second copy.
COPY = ".copy"


def both(path: str) -> tuple[Path, Path]:
    """A file, and its second copy."""
    return Path(path), Path(f"{path}{COPY}")


def marks(path: str) -> tuple[Any, ...]:
    """Something that is another one when a file or its copy was replaced, so that nobody reads them at each poll.

    :raises OSError: when its directory cannot be read.
    """
    return tuple((found.st_mtime_ns, found.st_ino) for found in (place.stat() for place in both(path) if place.exists()))


def kept_secrets(option: str, path: str) -> list[str]:
    """The secrets that a file and its copy hold, one in each line; none where there is neither.

    The first is the one that counts. Further ones came before it, while it is not sure that the first one works. The copy, with ``.copy`` behind its name, is
    there for a damaged file.

    :param option: name of the option that names the file, for the error.
    :param path: of the file.
    :raises XinferenceError: when neither can be read, or others can read one: then it is no secret any more.
    """
    found: list[str] = []
    problem: XinferenceError | None = None
    for place in both(path):
        try:
            text = read_regular(place)
            private = not stat.S_IMODE(place.stat().st_mode) & 0o077
        except FileNotFoundError:
            continue
        except (OSError, UnicodeDecodeError) as error:
            why = getattr(error, "strerror", None) or "it holds no text"
            problem = problem or XinferenceError(f"{option} '{place}' cannot be read: {why}.")
            continue
        if not private:
            raise XinferenceError(f"{option} '{place}' can be read by others than its owner; remove it and its copy for a new one, or set its mode to 0600.")
        found += [line.strip() for line in text.splitlines() if line.strip()]
    if problem is not None and not found:
        raise problem
    return list(dict.fromkeys(found))


def keep_secrets(path: str, kept: Sequence[str]) -> None:
    """Write such a file, and then its copy.

    :raises OSError: when it cannot be written.
    """
    for place in both(path):
        replace_private(place, "".join(f"{secret}\n" for secret in kept))


def give_to_owner(handle: int, path: Path) -> None:
    """Give an open file to who owned it before, else to the owner of its directory, so that a service finds what an administrator wrote.

    :param handle: of the file, which may lie under another name still.
    :param path: where it is, or will be.
    """
    owner = (path if path.exists() else path.parent).stat()
    if os.geteuid() == 0 and (owner.st_uid, owner.st_gid) != (0, 0):
        os.fchown(handle, owner.st_uid, owner.st_gid)


def _remove_leftovers(path: Path) -> None:
    """Remove what writers of a file left that were killed: it may hold secrets. A writer at work holds a lock."""
    for leftover in path.parent.glob(f".{glob.escape(path.name)}-????????"):
        with contextlib.suppress(OSError):
            handle = os.open(leftover, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                leftover.unlink()
            finally:
                os.close(handle)


def replace_private(path: Path, text: str) -> None:
    """Replace a file in one step, so that a power cut leaves the old or the new one, and never a part of one.

    :param path: the file, whose owner stays; its directory is made where there is none, for its owner alone.
    :param text: its new content.
    :raises OSError: when it cannot be written; the old one is still there.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    _remove_leftovers(path)
    handle, scratch = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as sink:
            # While it is locked, it is no leftover.
            fcntl.flock(sink, fcntl.LOCK_EX)
            sink.write(text)
            sink.flush()
            give_to_owner(sink.fileno(), path)
            os.fsync(sink.fileno())
            Path(scratch).replace(path)
    except BaseException:
        # It may hold secrets.
        Path(scratch).unlink(missing_ok=True)
        raise
    # The name is as lasting as the content, where the file system lets a directory be synchronised.
    with contextlib.suppress(OSError):
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
