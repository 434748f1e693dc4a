# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The server's files, as far as this host sees them. Private to this collection."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import stat
from collections import deque
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from ..base.bounded import NameLimit, entries_below, is_name, link_below, open_below, read_beginning, read_end, read_json, sha256_below, stat_below
from ..base.messages import without_environment
from .last_applied import Applied, from_worker

__all__ = ["Files", "ServerFiles"]

DEFAULT_HOME = "/root/.xinference"
_LOG_LINES = 20
#: What a worker adds to a uid for each copy: -rep0, and -0 before 3.1.
_COPY = re.compile(r"-(rep)?\d+$")
#: The log grows to 100 MiB; what a launch left is at its end.
_LOG_BYTES = 512 << 10
_LOG = ("logs", "xinference.log")
#: A server writes some kilobytes for each model.
_JSON_BYTES = 4 << 20
#: Links that a kernel follows before it gives up.
_MOST_LINKS = 40
#: Directories in each other on the way to anything; a link can lead through thousands that are not there.
_DEEPEST = 256
_ROOT = PurePosixPath("/")


def _begun(path: str, directory: PurePosixPath) -> tuple[PurePosixPath, tuple[str, ...]]:
    """Where a path begins, and the names from there on.

    :param directory: in which one begins that is not absolute.
    """
    whole = PurePosixPath(path)
    return (_ROOT, whole.parts[1:]) if whole.is_absolute() else (directory, whole.parts)


@dataclass
class Files:
    """What lies in a directory of the container.

    :param sizes: name from the directory on → bytes, of each file; the empty name is the file that the path is itself.
    :param broken: name of a link → where it leads, as a part of a sentence.
    """

    sizes: dict[str, int] = field(default_factory=dict)
    broken: dict[str, str] = field(default_factory=dict)


class ServerFiles:
    """The server's directory, and the others that its container sees.

    :param mounts: path inside the container → path on this host; empty when the module runs elsewhere.
    :param home: the server's directory inside the container.
    """

    def __init__(self, mounts: Mapping[str, str] | None = None, home: str = DEFAULT_HOME) -> None:
        self.mounts = {str(PurePosixPath(inside)): outside for inside, outside in (mounts or {}).items()}
        self.home = home
        sources = [Path(outside) for outside in self.mounts.values()]
        folders = [
            # Of directories of this host in each other the outermost is trusted: what lies in it is the container's, the inner one too.
            (PurePosixPath(inside).parts, source, min((other for other in (source, *source.parents) if other in sources), key=lambda other: len(other.parts)))
            for inside, source in zip(self.mounts, sources)
        ]
        #: Names in the container, directory of this host, and the one that is trusted; the deepest in the container first.
        self._folders = sorted(folders, key=lambda directory: -len(directory[0]))

    def on_host(self, path: str) -> Path | None:
        """Where a path of the container lies on this host; None where the container sees no directory of it there."""
        located = self.located(path)
        return None if located is None else Path(located[0], *located[1])

    def located(self, path: str) -> tuple[Path, tuple[str, ...]] | None:
        """The same, as a directory that is trusted, and the names from there on, which are the container's; None where it sees no directory of it there."""
        wanted = PurePosixPath(os.path.normpath(path)).parts
        for inside, source, base in self._folders:
            if wanted[: len(inside)] == inside:
                return base, (*source.relative_to(base).parts, *wanted[len(inside) :])
        return None

    def _in_home(self, *names: str) -> tuple[Path, tuple[str, ...]] | None:
        """Where a file of the server's directory lies; None where this host does not see it, or a name leads elsewhere."""
        return self.located("/".join((self.home, *names))) if all(map(is_name, names)) else None

    def status(self, path: str, most_names: NameLimit | None = None) -> os.stat_result | None:
        """What lies at a path of the container, a link included; None where the container sees no directory of it there.

        :param most_names: what it counts for.
        :raises OSError: when it is not there, lies behind a link, or may not be read.
        """
        located = self.located(path)
        return None if located is None else stat_below(*located, most_names)

    def followed(self, path: str, most_names: NameLimit | None = None, directory: PurePosixPath = _ROOT) -> str | None:
        """Where a path of the container leads when its links are followed there; None when they go round in circles.

        :param most_names: what each name on the way counts for.
        :param directory: of the container, without links on the way, from which a path goes on that is not absolute.
        :raises OSError: when this host may not read it, or that is too long a way.
        """
        most_names = most_names or NameLimit()
        inside, names = _begun(path, directory)
        steps = deque(names)
        links = 0
        while steps:
            most_names.take()
            step = steps.popleft()
            here = inside.parent if step == ".." else inside / step
            if len(here.parts) > _DEEPEST:
                raise OSError(errno.ENAMETOOLONG, os.strerror(errno.ENAMETOOLONG))
            target = None if step == ".." else self._link(here, most_names)
            if target is None:
                inside = here
                continue
            links += 1
            if links > _MOST_LINKS:
                return None
            inside, names = _begun(target, inside)
            steps.extendleft(reversed(names))
        return str(inside)

    def _link(self, path: PurePosixPath, most_names: NameLimit) -> str | None:
        """Where a link of the container leads; None for what is no link, or is not there."""
        located = self.located(str(path))
        # What is mounted was followed on this host, when the container was made.
        if located is None or str(path) in self.mounts:
            return None
        try:
            return link_below(*located, most_names)
        except (FileNotFoundError, NotADirectoryError):
            return None

    def has(self, path: str) -> bool | None:
        """Whether the container finds something at an absolute path, its links followed; None where this host does not know."""
        try:
            end = self.followed(path)
            return end is not None and (None if self.status(end) is None else True)
        except (FileNotFoundError, NotADirectoryError):
            return False
        except OSError:
            return None

    @property
    def readable(self) -> bool:
        """Whether this host sees the server's directory."""
        located = self.located(self.home)
        try:
            if located is None:
                return False
            with open_below(*located) as directory:
                return os.access(".", os.R_OK | os.X_OK, dir_fd=directory)
        except OSError:
            return False

    def _json(self, *names: str) -> Any:
        """Content of a file of the server's directory; None when it is not there or is damaged."""
        located = self._in_home(*names)
        try:
            return None if located is None else read_json(*located, _JSON_BYTES)
        except (OSError, ValueError):
            return None

    def registrations(self, model_type: str, names: Collection[str]) -> dict[str, dict[str, Any]]:
        """Persistent registrations of custom models of a type among these names."""
        found = {}
        for name in names:
            spec = self._json("model", "v2", model_type.lower(), f"{name}.json")
            if isinstance(spec, dict):
                found[name] = spec
        return found

    def applied(self, uid: str, workers: Collection[str]) -> Applied | None:
        """What the workers launched a model with; None when this host cannot see it."""
        replicas: list[dict[str, Any]] = []
        for worker in workers:
            directory = worker.replace(":", "_").replace("/", "_")
            running = self._json("worker_recovery", directory, "models.json")
            if isinstance(running, dict):
                replicas += [arguments for replica, arguments in running.items() if _COPY.sub("", replica) == uid and isinstance(arguments, dict)]
        return from_worker(replicas[0], uid, len(replicas)) if replicas else None

    def log_tail(self, uid: str, since: int = 0, lines: int = _LOG_LINES) -> list[str]:
        """The last lines of the server's log; empty where this host cannot see it.

        :param uid: lines before the first that names this model are left out.
        :param since: size of the log, in bytes, when the launch began.
        :param lines: how many of them.
        """
        located = self._in_home(*_LOG)
        try:
            written = read_end(*located, _LOG_BYTES, since).decode("utf-8", "replace").splitlines() if located is not None else []
        except OSError:
            return []
        written = [line for line in written if line.strip()]
        own = next((number for number, line in enumerate(written) if uid in line), 0)
        return [without_environment(line) for line in written[own:][-lines:]]

    def newest(self, path: str, most: int) -> list[tuple[str, int, float]]:
        """Files in a directory of the container, however deep: path, bytes, and when each was changed, in seconds since the epoch; the newest first.

        :param path: of the directory, no link on the way to which is followed; a link in it is no file.
        :param most: names that are read; of further ones nothing is known.
        """
        located = self.located(path)
        found: list[tuple[str, int, float]] = []
        with contextlib.suppress(OSError):
            for names, entry in entries_below(*located, NameLimit(most)) if located is not None else ():
                if stat.S_ISREG(entry.st_mode):
                    found.append(("/".join((path, *names)), entry.st_size, entry.st_mtime))
        return sorted(found, key=lambda each: (-each[2], each[0]))

    def log_size(self) -> int:
        """Size of the server's log in bytes; 0 where this host cannot see it."""
        located = self._in_home(*_LOG)
        try:
            found = None if located is None else stat_below(*located)
        except OSError:
            return 0
        return found.st_size if found is not None and stat.S_ISREG(found.st_mode) else 0

    def size(self, path: str) -> int | None:
        """Bytes of a file of the container, or of the files in a directory; None when this host cannot see it, or it has too much in it.

        A link counts as the file of the container that it leads to: a cache of a hub is made of them.
        """
        found = self.files(path)
        return None if found is None else sum(found.sizes.values())

    def beginning(self, path: str, limit: int) -> bytes:
        """The first bytes of a file of the container, its links followed there; empty where this host does not see it.

        :param limit: bytes that are read at most.
        """
        try:
            end = self.followed(path)
            located = None if end is None else self.located(end)
            return b"" if located is None else read_beginning(*located, limit)
        except OSError:
            return b""

    def sha256(self, path: str) -> str:
        """SHA-256 of a file of the container, no link of which is followed; empty where this host does not see it."""
        located = self.located(path)
        try:
            return "" if located is None else sha256_below(*located)
        except OSError:
            return ""

    def files(self, path: str) -> Files | None:
        """The files that a path of the container stands for: itself, or those in a directory; None as of :meth:`size`."""
        most_names = NameLimit()
        try:
            end = self.followed(path, most_names) if path.startswith("/") else None
            located = None if end is None else self.located(end)
            if end is None or located is None:
                return None
            found = stat_below(*located, most_names)
            if not stat.S_ISDIR(found.st_mode):
                return Files({"": found.st_size}) if stat.S_ISREG(found.st_mode) else None
            files = Files()
            for names, entry in entries_below(*located, most_names):
                name = "/".join(names)
                size, wrong = self._counted(PurePosixPath(end, *names), entry, most_names)
                if wrong:
                    files.broken[name] = wrong
                elif size is not None:
                    files.sizes[name] = size
            return files
        except OSError:
            return None

    def _counted(self, path: PurePosixPath, found: os.stat_result, most_names: NameLimit) -> tuple[int | None, str]:
        """Bytes of a file in a directory, None for what is none, and where a link leads that leads to nothing."""
        if not stat.S_ISLNK(found.st_mode):
            return (found.st_size if stat.S_ISREG(found.st_mode) else None), ""
        end = self.followed(path.name, most_names, path.parent)
        if end is None:
            return None, "leads back to itself"
        try:
            linked = self.status(end, most_names)
        except (FileNotFoundError, NotADirectoryError):
            return None, f"leads to '{end}', which does not exist"
        if linked is None:
            return None, f"leads to '{end}', which lies in no directory that the server's container sees"
        return (linked.st_size if stat.S_ISREG(linked.st_mode) else None), ""
