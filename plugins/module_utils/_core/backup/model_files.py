# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Takes local files of models along: gigabytes, which restic itself reads where they lie, into a snapshot of their own. Private to this collection.

Restic is root of the host here. So only what lies in a mount that the container cannot write is read, and no link.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import Any

from ..base.bounded import NameLimit, entries_below, stat_below
from ..base.messages import shown
from .contents import MOST_MODEL_FILES, WORK, BackupError
from .restic import Restic
from .settings import Settings
from .snapshot import changed

__all__ = ["Local", "Place", "below", "held", "local", "located", "save", "written"]

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
    wanted = PurePosixPath(os.path.normpath(re.sub("^/+", "/", path))).parts
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
    """Where a local file of a model lies on this host, and the files there, each with ``path`` from there on, ``size`` and ``changed``.

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
    return {"path": path, "size": found.st_size, "changed": changed(found.st_mtime_ns)}


def below(source: str, path: str) -> str:
    """Path of a file of a model, as a snapshot has it.

    :param source: and ``path`` as in a manifest.
    """
    return f"{source}/{path}" if path else source


@dataclass(frozen=True)
class Local:
    """A local file of a model, or a directory of them.

    :param entry: of a manifest: ``uid`` and ``path``, and when it is known what becomes of it, the rest of ``model_files``.
    :param files: what is there: path on this host → bytes, and when it was changed last; empty where it is not taken along.
    """

    entry: Mapping[str, Any]
    files: Mapping[str, tuple[int, str]] = field(default_factory=dict)

    def named(self, snapshot: str | None, problem: str = "") -> Local:
        """The same, in a snapshot, or in none for a reason."""
        return replace(self, entry={**self.entry, "snapshot": snapshot, "problem": "" if snapshot else problem})

    @property
    def row(self) -> dict[str, Any]:
        """The entry as a manifest has it: where the files are, only where they are in a snapshot."""
        return {name: value for name, value in self.entry.items() if self.entry["snapshot"] or name not in ("source", "files")}

    @property
    def called(self) -> str:
        """For a sentence."""
        return f"{shown(self.entry['path'])} of model '{shown(self.entry['uid'])}'"


def local(volumes: Sequence[Mapping[str, Any]], entries: Iterable[Mapping[str, Any]]) -> list[Local]:
    """The local files of models that are to be taken along, and why others are not.

    :param volumes: as of :func:`located`.
    :param entries: each with ``uid`` and ``path``.
    """
    found: list[Local] = []
    counts: dict[str, int] = {}
    for entry in entries:
        each = Local(entry)
        try:
            source, files = _taken(str(entry["path"]), volumes)
            if sum({**counts, source: len(files)}.values()) > MOST_MODEL_FILES:
                raise _NotTaken(f"with it there are more than {MOST_MODEL_FILES} files")
        except _NotTaken as error:
            found.append(each.named(None, f"{each.called} is not in the backup: {error}."))
            continue
        counts[source] = len(files)
        named = [{"path": file["path"], "size": file["size"]} for file in files]
        there = {below(source, file["path"]): (file["size"], file["changed"]) for file in files}
        found.append(Local({**entry, "snapshot": None, "problem": f"{each.called} is not in the backup yet.", "source": source, "files": named}, there))
    return found


def held(restic: Restic, found: Sequence[Local]) -> list[Local]:
    """The same, where the last snapshot of files has them as they are here, they are named to be in it."""
    last = restic.with_files()[-1:]
    there = restic.listed(last[0].id) if last and any(each.files for each in found) else {}
    return [each.named(last[0].name) if each.files and all(there.get(path) == file for path, file in each.files.items()) else each for each in found]


def _check_room(settings: Settings, restic: Restic, wanted: Mapping[str, tuple[int, str]], previous: str | None) -> None:
    """See that a repository on this host does not fill its file system.

    :param wanted: bytes of the files, and when they were changed last, by path.
    :param previous: ID of the last snapshot of such files.
    :raises BackupError: when it would.
    """
    if settings.local is None:
        return
    try:
        room = os.statvfs(settings.local)
    except OSError:
        # What is wrong with it, restic says.
        return
    free = max(room.f_bavail * room.f_frsize - _LEAVES, 0)
    if sum(size for size, _changed in wanted.values()) <= free:
        return
    known = restic.listed(previous) if previous else {}
    more = sum(file[0] for path, file in wanted.items() if known.get(path) != file)
    if more > free:
        raise BackupError(
            f"there is no room for {more} bytes of model files in the repository {settings.repository}: {free} bytes are free, besides 1 GiB that stays"
        )


def save(settings: Settings, restic: Restic, found: Sequence[Local]) -> tuple[list[Local], str]:
    """Make a snapshot of all files that are to be taken along: what became of them, and why that failed, if it did.

    :param settings: of the host's backups.
    :param restic: the repository.
    :param found: as of :func:`held`; where it fails, what was held by then still is.
    """
    wanted = {path: file for each in found for path, file in each.files.items()}
    sources = {str(each.entry["source"]) for each in found if each.files}
    outermost = [source for source in sorted(sources) if not any(str(top) in sources for top in PurePosixPath(source).parents)]
    try:
        previous = [each.id for each in restic.with_files()][-1:]
        parent = previous[0] if previous else None
        _check_room(settings, restic, wanted, parent)
        snapshot = restic.save_files(outermost, parent)
        # To read gigabytes back each night is too dear. Restic has compared what it sent with what it read.
        there = {path: size for path, (size, _changed) in restic.listed(snapshot).items()}
    except BackupError as error:
        return list(found), f"the files of models are not saved: {error}"
    failures: list[str] = []
    saved: list[Local] = []
    for each in found:
        other = next((path for path, (size, _changed) in each.files.items() if there.get(path) != size), None)
        if other is not None:
            words = (
                f"'{other}' has {wanted[other][0]} bytes, and in snapshot {snapshot[:8]} {there.get(other, 'none')}; it changes, so the next backup tries again"
            )
            failures.append(words)
            saved.append(each.named(None, f"{each.called} is not in the backup: {words}."))
        else:
            saved.append(each.named(snapshot) if each.files else each)
    return saved, f"the files of models are not all saved: {failures[0]}" if failures else ""
