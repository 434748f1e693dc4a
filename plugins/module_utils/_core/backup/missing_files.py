# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Puts files of models into place that a snapshot holds and a host lacks; what is there stays as it is. Private to this collection.

Restic writes them into a work directory in the same file system, which only root can enter. From there each is renamed, so that under its name it is there as a
whole, or not at all. No link is followed on the way.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import stat
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..base.bounded import open_below, read_json
from ..base.lock import Lock
from ..base.messages import shown
from ..base.private_file import replace_private
from ..observed.server_files import ServerFiles
from .contents import WORK, BackupError
from .model_files import Place, below, located, written
from .restic import Restic
from .settings import Settings

__all__ = ["Missing", "Plan", "bring", "clear", "clear_left", "plan"]

#: File in the state directory that says where a work directory is.
_WORKS = "model-files.json"
#: Directory in a work directory for what restic writes.
_RESTORED = "files"
#: Room that is left in a file system, in bytes.
_LEAVES = 64 << 20
#: Seconds for which another run is waited for that puts files into place.
_OTHERS = 60.0
#: Characters of the paths that are named in one call of restic; the kernel lets a call have two million, with what each begins with.
_CALL = 250_000
#: How many files are named at once in a sentence.
_NAMED = 3


@dataclass(frozen=True)
class Missing:
    """A file of a model that a snapshot holds, and this host lacks.

    :param place: where it belongs.
    :param size: bytes.
    :param snapshot: ID of the snapshot that holds it.
    :param source: its path there.
    """

    place: Place
    size: int
    snapshot: str
    source: str

    def row(self) -> dict[str, Any]:
        """For a result."""
        return {"path": str(self.place.path), "size": self.size}


@dataclass(frozen=True)
class Plan:
    """What is to be done for the files of models.

    :param missing: that are to be put into place.
    :param problems: which files are not put into place that the snapshot holds, and why: a sentence each.
    """

    missing: Sequence[Missing] = ()
    problems: Sequence[str] = ()


def _listed(paths: Sequence[str]) -> str:
    """The first of some words, for a sentence."""
    return ", ".join(paths[:_NAMED]) + (f" and {len(paths) - _NAMED} more" if len(paths) > _NAMED else "")


def plan(entries: Iterable[Mapping[str, Any]], volumes: Sequence[Mapping[str, Any]]) -> Plan:
    """What this host lacks of the files of models.

    :param entries: ``model_files`` of a manifest.
    :param volumes: what the server's container sees of the host, each with ``real``, ``target`` and ``read_only``.
    :raises BackupError: when something else is in the way, what is missing is nowhere, or has no room; the text goes on a sentence that names the snapshot.
    """
    server_files = ServerFiles({volume["target"]: volume["real"] for volume in volumes})
    missing: dict[Path, Missing] = {}
    problems: list[str] = []
    others: list[str] = []
    nowhere: list[str] = []
    for entry in entries:
        place, held = located(entry["path"], volumes), entry.get("snapshot") is not None
        called = f"{shown(entry['path'])} of model '{shown(entry['uid'])}'"
        if place is None:
            problems += [f"{called} is not put into place: no directory of this host is mounted there."] if held else []
        elif not held:
            # What was missing then, the model did without.
            if (entry["size"] is not None or entry.get("files")) and server_files.has(entry["path"]) is False:
                nowhere.append(f"{called} ({place.path} on this host)")
        elif written(place, volumes):
            problems.append(f"{called} is not put into place: the container could put a link in its place.")
        else:
            for file in entry["files"]:
                names = tuple(file["path"].split("/")) if file["path"] else ()
                found = Missing(Place(place.base, (*place.parts, *names)), file["size"], entry["snapshot"], below(entry["source"], file["path"]))
                other = _other(found, server_files, below(entry["path"], file["path"]))
                others += [other] if other else []
                if other is None:
                    missing[found.place.path] = found
    if nowhere:
        raise BackupError(f"it does not hold {_listed(nowhere)}, and this host lacks it; copy it there first")
    if others:
        raise BackupError(f"it holds other files of models than this host has: {_listed(others)}; move away what is to come back")
    _check_room(list(missing.values()))
    return Plan(list(missing.values()), problems)


def _other(wanted: Missing, server_files: ServerFiles, inside: str) -> str | None:
    """What else lies where a file belongs; empty where it is the file itself, by its size, and None where there is nothing.

    :param server_files: what the container sees.
    :param inside: path of the file in there.
    """
    path = wanted.place.path
    try:
        # Nothing is done with it, so links are followed: whoever runs the host may have moved it elsewhere.
        found = os.stat(path)
    except FileNotFoundError:
        steps = [Path(wanted.place.base, *wanted.place.parts[:count]) for count in range(1, len(wanted.place.parts) + 1)]
        link = next((step for step in steps if step.is_symlink()), None)
        # One that leads nowhere on the host may do so in the container.
        return None if link is None else "" if server_files.has(inside) else f"{link} is a link to nothing"
    except OSError as error:
        return f"{path} cannot be read ({error.strerror})"
    if not stat.S_ISREG(found.st_mode):
        return f"{path} is no file"
    return "" if found.st_size == wanted.size else f"{path} has {found.st_size} bytes, in the snapshot {wanted.size}"


def _nearest(place: Place) -> Path:
    """The deepest directory above a place that is there."""
    return next(folder for folder in place.path.parents if folder.is_dir())


def _check_room(missing: Iterable[Missing]) -> None:
    """See that what is missing has room; errors as of :func:`plan`."""
    wanted: dict[int, tuple[Path, int]] = {}
    for each in missing:
        folder = _nearest(each.place)
        device = os.stat(folder).st_dev
        wanted[device] = (folder, wanted.get(device, (folder, 0))[1] + each.size)
    for folder, size in wanted.values():
        room = os.statvfs(folder)
        free = max(room.f_bavail * room.f_frsize - _LEAVES, 0)
        if size > free:
            raise BackupError(f"it holds {size} bytes of model files that this host lacks, and {folder} has room for {free}")


def bring(settings: Settings, restic: Restic, found: Plan) -> None:
    """Put the files of a plan into place.

    :param settings: of the host's backups.
    :param restic: the repository.
    :raises BackupError: when that fails. What is in place by then stays, whole.
    :raises XinferenceError: when another run is at it.
    :raises OSError: when the file system does not do it.
    """
    with _lock(settings).hold(_OTHERS):
        _bring(settings, restic, found)


def _bring(settings: Settings, restic: Restic, found: Plan) -> None:
    """The same, alone."""
    clear(settings)
    groups: dict[tuple[Path, tuple[str, ...], str], list[Missing]] = {}
    for each in found.missing:
        place = each.place
        if not place.base.parent.is_dir() or (place.parts and not place.base.is_dir()):
            raise BackupError(f"'{place.base}' is no directory of this host; make it, or mount its file system there")
        # Renamed is only what is in the same file system.
        depth = max((count for count in range(len(place.parts)) if Path(place.base, *place.parts[:count]).is_dir()), default=-1)
        top, steps = (place.base, place.parts[:depth]) if depth >= 0 else (place.base.parent, ())
        groups.setdefault((top, steps, each.snapshot), []).append(each)
    for (base, parts, snapshot), files in groups.items():
        with _work(settings, base, parts) as (folder, work):
            # By the handle it is this directory, whatever has its name by now. Newer versions of restic take no link, so it writes into one below.
            target = f"/proc/{os.getpid()}/fd/{work}/{_RESTORED}"
            for some in _batches(files):
                restic.fetch_files(snapshot, target, [each.source for each in some])
                for each in some:
                    _put(target, each, folder, each.place.path.relative_to(Path(base, *parts)).parts)


def _batches(files: Sequence[Missing]) -> Iterator[list[Missing]]:
    """Files of which one call of restic can name all."""
    some: list[Missing] = []
    length = 0
    for each in files:
        # Characters may need a backslash, and each path comes with an option.
        more = 2 * len(os.fsencode(each.source)) + 20
        if some and length + more > _CALL:
            yield some
            some, length = [], 0
        some.append(each)
        length += more
    yield some


@contextmanager
def _work(settings: Settings, base: Path, parts: Sequence[str]) -> Iterator[tuple[int, int]]:
    """Handles of a directory below a trusted one, and of a work directory in it, which is removed in the end.

    :param base: the trusted directory, and ``parts``, the names from there on.
    """
    place = Path(base, *parts, WORK)
    replace_private(Path(settings.state_directory, _WORKS), json.dumps([str(place)]) + "\n")
    try:
        with open_below(base, parts) as folder:
            _remove(place)
            os.mkdir(WORK, 0o700, dir_fd=folder)
            work = os.open(WORK, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
            try:
                if os.fstat(work).st_uid != os.geteuid():
                    raise BackupError(f"'{place}' is of another user; who else writes there must not, while files are restored")
                os.mkdir(_RESTORED, 0o700, dir_fd=work)
                yield folder, work
            finally:
                os.close(work)
    except BaseException:
        # What it leaves goes with the next run; the reason counts.
        with contextlib.suppress(OSError):
            clear(settings)
        raise
    clear(settings)


def _lock(settings: Settings) -> Lock:
    """Of whoever puts files of models into place, which may take hours."""
    return Lock(f"{settings.staging_directory}-files.lock", "putting files of models into place")


def clear_left(settings: Settings) -> None:
    """Remove the work directory that a run left which was cut off, where this process may; not that of one which is at it."""
    alone = _lock(settings).try_hold()
    if alone is not None:
        # The unit of the backups may not write there.
        with alone, contextlib.suppress(OSError):
            clear(settings)


def clear(settings: Settings) -> None:
    """Remove the work directory, also one that a run left that was cut off.

    :raises OSError: when it cannot be removed.
    """
    record = Path(settings.state_directory, _WORKS)
    try:
        found = read_json(record.parent, [record.name])
    except FileNotFoundError:
        return
    except (OSError, ValueError):
        found = []
    for path in found if isinstance(found, list) else []:
        if isinstance(path, str) and path.startswith("/") and path.endswith(f"/{WORK}"):
            _remove(Path(path))
    record.unlink(missing_ok=True)


def _remove(place: Path) -> None:
    """Remove a work directory, or whatever lies in its place."""
    if place.is_symlink() or place.is_file():
        place.unlink()
    with contextlib.suppress(FileNotFoundError):
        shutil.rmtree(place)


def _put(work: str, wanted: Missing, folder: int, names: Sequence[str]) -> None:
    """Rename a file from the work directory to where it belongs; directories on the way that are missing are made.

    :param work: directory into which restic wrote.
    :param folder: handle of a directory, and ``names``, the way from there on.
    :raises BackupError: when something else has come there, or restic wrote something else.
    """
    *above, name = Path(wanted.source).parts[1:]
    with contextlib.ExitStack() as opened:
        source = opened.enter_context(open_below(work, above))
        content = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=source)
        opened.callback(os.close, content)
        found = os.fstat(content)
        if not stat.S_ISREG(found.st_mode) or found.st_size != wanted.size:
            raise BackupError(f"snapshot {wanted.snapshot[:8]} holds another '{wanted.source}' than the manifest names")
        os.fchown(content, os.geteuid(), os.getegid())
        os.fchmod(content, 0o644)
        # By its size alone it would be taken for whole after a power cut.
        os.fsync(content)
        target = folder
        for step in names[:-1]:
            target = _below(target, step, opened)
        try:
            os.stat(names[-1], dir_fd=target, follow_symlinks=False)
        except FileNotFoundError:
            os.rename(name, names[-1], src_dir_fd=source, dst_dir_fd=target)
        else:
            raise BackupError(f"'{wanted.place.path}' has come meanwhile, and stays as it is")
        _synchronise(target)


def _below(folder: int, name: str, opened: contextlib.ExitStack) -> int:
    """Handle of a directory in another one, which is made where it is missing."""
    made = True
    try:
        os.mkdir(name, 0o755, dir_fd=folder)
    except FileExistsError:
        made = False
    inner = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
    opened.callback(os.close, inner)
    if made:
        os.fchmod(inner, 0o755)
        _synchronise(folder)
    return inner


def _synchronise(folder: int) -> None:
    """Make the names in a directory outlast a power cut, where the file system lets a directory be synchronised."""
    with contextlib.suppress(OSError):
        handle = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=folder)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
