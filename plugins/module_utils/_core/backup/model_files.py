# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Takes local files of models along: gigabytes, which restic itself reads where they lie, into a snapshot of their own. Private to this collection.

Restic is root of the host here. So only what lies in a mount that the container cannot write is read, and no link.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from ..base.bounded import NameLimit, entries_below, stat_below
from ..base.messages import shown
from .contents import MOST_MODEL_FILES, WORK, BackupError
from .restic import Restic
from .settings import Settings

__all__ = ["Place", "below", "located", "save", "written"]

#: Room that a backup leaves in the file system of the repository, in bytes.
_LEAVES = 1 << 30


class _NotTaken(Exception):
    """Why a file of a model is not taken along, as a part of a sentence."""


@dataclass(frozen=True)
class Place:
    """Where a path of the container lies on this host.

    :param base: the directory or file that is mounted, without links on the way to it, which the host chose.
    :param parts: names from there on.
    """

    base: Path
    parts: tuple[str, ...]

    @property
    def path(self) -> Path:
        """All of it."""
        return Path(self.base, *self.parts)


def located(path: str, volumes: Iterable[Mapping[str, Any]]) -> Place | None:
    """Where a path of the container lies on this host; None where it sees no directory of the host there.

    :param volumes: what it sees, each with ``real``, ``target`` and ``read_only``.
    """
    # Docker mounts the deeper ones over the others.
    wanted = PurePosixPath(os.path.normpath(path)).parts
    for volume in sorted(volumes, key=lambda volume: -len(PurePosixPath(volume["target"]).parts)):
        target = PurePosixPath(volume["target"]).parts
        if wanted[: len(target)] == target:
            return Place(Path(volume["real"]), wanted[len(target) :])
    return None


def written(place: Place, volumes: Iterable[Mapping[str, Any]]) -> bool:
    """Whether the container can write there, on the way there, or in a directory below; parameters as of :func:`located`."""
    for volume in volumes:
        real = Path(volume["real"])
        if not volume["read_only"] and (real == place.path or real in place.path.parents or place.path in real.parents):
            return True
    return False


def _taken(path: str, volumes: Sequence[Mapping[str, Any]]) -> tuple[str, list[dict[str, Any]]]:
    """Where a local file of a model lies on this host, and the files there, each with ``path`` from there on and ``size``.

    :raises _NotTaken: when they are not to be taken along.
    """
    place = located(path, volumes)
    if place is None:
        raise _NotTaken("it lies in no directory of this host")
    if written(place, volumes):
        others = [volume for volume in volumes if volume["read_only"] and not written(Place(Path(volume["real"]), ()), volumes)]
        named = " or ".join(sorted({str(volume["source"]) for volume in others})) or "a directory that it sees read-only"
        raise _NotTaken(f"the container could put a link in its place; put it into {named}")
    try:
        found = stat_below(place.base, place.parts)
        files = list(_files(place, found))
    except FileNotFoundError:
        raise _NotTaken("it does not exist") from None
    except NotADirectoryError:
        raise _NotTaken("it lies behind a link; declare the path to which that leads") from None
    except OSError as error:
        raise _NotTaken(f"it cannot be read: {error.strerror or error}") from error
    if not files:
        raise _NotTaken("it is a directory without files")
    if not str(place.path).isprintable():
        raise _NotTaken("its path on this host holds what cannot be written down")
    return str(place.path), sorted(files, key=lambda file: str(file["path"]))


def _files(place: Place, found: os.stat_result) -> Iterator[dict[str, Any]]:
    """The file at a place, or all in the directory there.

    :param found: what lies there.
    :raises _NotTaken: when there is something else, such as a link.
    :raises OSError: when it cannot be read.
    """
    if not stat.S_ISDIR(found.st_mode):
        yield _file("", found)
        return
    # Directories have names, too.
    for names, entry in entries_below(place.base, place.parts, NameLimit(4 * MOST_MODEL_FILES)):
        # What a restore left that was cut off belongs to no model.
        if not stat.S_ISDIR(entry.st_mode) and WORK not in names:
            yield _file("/".join(names), entry)


def _file(path: str, found: os.stat_result) -> dict[str, Any]:
    what = f"'{shown(path)}' in it" if path else "it"
    if stat.S_ISLNK(found.st_mode):
        raise _NotTaken(f"{what} is a link; put the file itself in its place")
    if not stat.S_ISREG(found.st_mode):
        raise _NotTaken(f"{what} is neither a file nor a directory")
    if not path.isprintable():
        raise _NotTaken(f"the name of {what} cannot be written down")
    return {"path": path, "size": found.st_size}


def below(source: str, path: str) -> str:
    """Path of a file of a model, as a snapshot has it.

    :param source: and ``path`` as in a manifest.
    """
    return f"{source}/{path}" if path else source


def _check_room(settings: Settings, restic: Restic, wanted: Mapping[str, int], previous: str | None) -> None:
    """See that a repository on this host does not fill its file system.

    :param wanted: bytes of the files, by path.
    :param previous: ID of the last snapshot of such files.
    :raises BackupError: when it would.
    """
    try:
        room = os.statvfs(settings.local or "/")
    except OSError:
        # What is wrong with it, restic says.
        return
    free = max(room.f_bavail * room.f_frsize - _LEAVES, 0)
    if settings.local is None or sum(wanted.values()) <= free:
        return
    known = restic.sizes(previous) if previous else {}
    more = sum(size for path, size in wanted.items() if known.get(path) != size)
    if more > free:
        raise BackupError(
            f"there is no room for {more} bytes of model files in the repository {settings.repository}: {free} bytes are free, besides 1 GiB that stays"
        )


def _saved(settings: Settings, restic: Restic, wanted: Mapping[str, int], sources: Collection[str]) -> str:
    """Make a snapshot of files, and compare what is in it with what is here; its ID.

    :param wanted: bytes of the files, by path.
    :param sources: the files, or directories that hold them.
    :raises BackupError: when that fails.
    """
    previous = [each.id for each in restic.with_files()][-1:]
    parent = previous[0] if previous else None
    _check_room(settings, restic, wanted, parent)
    outermost = [source for source in sorted(sources) if not any(str(top) in sources for top in PurePosixPath(source).parents)]
    snapshot = restic.save_files(outermost, parent)
    # To read gigabytes back each night is too dear. Restic has compared what it sent with what it read.
    found = restic.sizes(snapshot)
    for path, size in wanted.items():
        if found.get(path) != size:
            raise BackupError(
                f"'{path}' has {size} bytes, and in snapshot {snapshot[:8]} {found.get(path, 'none')}; it changes, so the next backup tries again"
            )
    return snapshot


def save(
    settings: Settings, restic: Restic, volumes: Sequence[Mapping[str, Any]], entries: Sequence[Mapping[str, Any]]
) -> tuple[list[dict[str, Any]], BackupError | None]:
    """Take local files of models along: the entries of a manifest with what became of them, and why that failed, if it did.

    :param settings: of the host's backups.
    :param restic: the repository.
    :param volumes: as of :func:`located`.
    :param entries: of a manifest, with ``uid`` and ``path``.
    """
    taken: dict[int, dict[str, Any]] = {}
    problems: dict[int, str] = {}
    count = 0
    for number, entry in enumerate(entries):
        try:
            source, files = _taken(str(entry["path"]), volumes)
            count += len(files)
            if count > MOST_MODEL_FILES:
                raise _NotTaken(f"with it there are more than {MOST_MODEL_FILES} files")
            taken[number] = {"source": source, "files": files}
        except _NotTaken as error:
            problems[number] = f"{shown(entry['path'])} of model '{shown(entry['uid'])}' is not in the backup: {error}."
    snapshot, failure = None, None
    if taken:
        wanted = {below(each["source"], file["path"]): file["size"] for each in taken.values() for file in each["files"]}
        try:
            snapshot = _saved(settings, restic, wanted, {each["source"] for each in taken.values()})
        except BackupError as error:
            failure = error
    rows: list[dict[str, Any]] = []
    for number, entry in enumerate(entries):
        if number in taken and failure is None:
            rows.append({**entry, "snapshot": snapshot, "problem": "", **taken[number]})
        else:
            rows.append({**entry, "snapshot": None, "problem": problems.get(number, "")})
    return rows, failure
