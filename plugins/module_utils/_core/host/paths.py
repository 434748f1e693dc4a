# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Paths of this host and what lies there. Standard library only. Private to this collection."""

from __future__ import annotations

import contextlib
import grp
import os
import pwd
import re
import stat
from pathlib import Path
from typing import Any

from ..base.sizes import MIB

__all__ = ["mounted", "name", "path_facts"]


def _mount_of(path: str, mounts: list[list[str]]) -> tuple[str, str]:
    """File system type and mount options of the deepest mount point above a path."""
    best, kind, options = "", "unknown", ""
    for fields in mounts:
        # White space in a path is written as an octal escape there.
        point = re.sub(r"\\([0-7]{3})", lambda escape: chr(int(escape.group(1), 8)), fields[1])
        if (path == point or path.startswith(point.rstrip("/") + "/")) and len(point) >= len(best):
            best, kind, options = point, fields[2], fields[3]
    return kind, options


def mounted() -> list[list[str]]:
    """The mount table of this process."""
    try:
        return [line.split() for line in Path("/proc/mounts").read_text(encoding="utf-8").splitlines() if len(line.split()) >= 4]
    except OSError:
        return []


def files_below(directory: Path, pattern: str) -> list[Path]:
    """Files below a directory, sorted; none where it is not there, or goes away meanwhile.

    :param pattern: of :meth:`pathlib.Path.glob`.
    """
    try:
        return sorted(directory.glob(pattern))
    except OSError:
        return []


def name(find: Any, number: int) -> str:
    """Name of a user or group, or its number where it has none."""
    try:
        return str(find(number)[0])
    except KeyError:
        return str(number)


def path_facts(path: str, mounts: list[list[str]] | None = None) -> dict[str, Any]:
    """A path, and the file system that it is or would be on.

    :param path: absolute path; it need not exist.
    :returns: ``exists``, ``directory``, ``size`` (bytes of a regular file, else None), ``owner``, ``group``, their numbers ``uid`` and ``gid``, ``mode``
        (four octal digits), ``public`` (whether every user may read it, with all directories above), ``empty``, ``links`` (which of the path and the
        directories above are links, from the root on), ``real`` (the path without links), ``nearest`` (the deepest directory above that exists), ``writable``,
        ``filesystem``, ``free_mib``.
    """
    facts: dict[str, Any] = {"exists": False, "directory": False, **dict.fromkeys(("size", "owner", "group", "uid", "gid", "mode"))}
    facts.update(public=False, empty=True, links=[str(step) for step in (*reversed(Path(path).parents), Path(path)) if step.is_symlink()])
    facts["real"] = os.path.realpath(path)
    try:
        found = os.stat(path)
        # Whoever owns a directory above may move it meanwhile.
        public = bool(found.st_mode & stat.S_IROTH) and all(os.stat(folder).st_mode & stat.S_IXOTH for folder in Path(os.path.realpath(path)).parents)
    except OSError:
        pass
    else:
        facts.update(
            exists=True,
            directory=stat.S_ISDIR(found.st_mode),
            size=found.st_size if stat.S_ISREG(found.st_mode) else None,
            owner=name(pwd.getpwuid, found.st_uid),
            group=name(grp.getgrgid, found.st_gid),
            uid=found.st_uid,
            gid=found.st_gid,
            mode=f"{stat.S_IMODE(found.st_mode):04o}",
            public=public,
        )
        if facts["directory"]:
            with contextlib.suppress(OSError), os.scandir(path) as entries:
                facts["empty"] = next(entries, None) is None
    nearest = Path(path)
    # os.path.exists is False for what this user may not read, where Path.exists would raise on older Pythons.
    while not os.path.exists(nearest) and nearest != nearest.parent:
        nearest = nearest.parent
    kind, _options = _mount_of(os.path.realpath(nearest), mounted() if mounts is None else mounts)
    facts.update(nearest=str(nearest), writable=os.access(nearest, os.W_OK), filesystem=kind)
    try:
        usage = os.statvfs(nearest)
        facts["free_mib"] = usage.f_bavail * usage.f_frsize // MIB
    except OSError:
        facts["free_mib"] = None
    return facts
