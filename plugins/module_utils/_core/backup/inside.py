# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is done with the server's files inside a container: read for a backup, put into place by a restore. Private to this collection.

The server can put a link in place of each of its files, so root of the host touches none of them. This program runs in a container of the server's image,
without network, as the server's user. It sees the server's volumes and nothing else of the host, so no link leads out of them. The host sends this text to
the container's Python, and never imports it.

The first line of the input is a request in JSON, what else goes over the pipes is in :mod:`..host.program_streams`. Standard library only, but for the check
of the keys, which takes what the server itself decrypts with.
"""

from __future__ import annotations

import base64
import contextlib
import errno
import fnmatch
import hashlib
import itertools
import json
import os
import shutil
import sqlite3
import stat
import tempfile
from collections.abc import Callable, Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import quote

from ..host.program_streams import NO_LINKS, line, receive, send

#: Seconds for which a database may be locked, and how many entries are read.
PATIENCE, ENTRIES = 60.0, 200_000
#: Where a restore keeps what it has not put into place yet, and what was there before.
WORK, STATE = ".restore", "state.json"
#: Behind the name of a file that is on its way to another mount.
MOVING = ".moving"
#: What SQLite keeps beside a database.
BESIDE = ("-wal", "-shm", "-journal")


def below(home: Path, folder: str, deep: bool) -> Iterator[str]:
    """Paths of the regular files in a directory, from the home on; no link is followed."""
    waiting, count = [folder], 0
    while waiting:
        inner = waiting.pop()
        try:
            entries = sorted(os.scandir(home / inner), key=lambda entry: entry.name) if not (home / inner).is_symlink() else []
        except (FileNotFoundError, NotADirectoryError):
            continue
        for entry in entries:
            count += 1
            if count > ENTRIES:
                raise SystemExit(f"{home / folder} has more than {ENTRIES} entries")
            path = f"{inner}/{entry.name}" if inner else entry.name
            if entry.is_dir(follow_symlinks=False):
                waiting += [path] if deep else []
            elif entry.is_file(follow_symlinks=False):
                yield path


def kept(home: Path, patterns: list[str]) -> list[str]:
    """Paths of the files in a home that these patterns name, such as ``auth/*`` and ``model/**.json``, sorted."""
    found: set[str] = set()
    for pattern in patterns:
        folder, _slash, name = pattern.rpartition("/")
        if folder and (home / folder).is_symlink():
            raise SystemExit(f"{home / folder} is a link, which no backup follows; mount what it leads to")
        deep = name.startswith("**")
        found |= {path for path in below(home, folder, deep) if fnmatch.fnmatchcase(path.rpartition("/")[2], name)}
    return sorted(found)


def opened(path: Path) -> BinaryIO:
    """A regular file, open for reading."""
    handle = os.open(path, os.O_RDONLY | NO_LINKS)
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise FileNotFoundError(path)
    return os.fdopen(handle, "rb")


def connect(path: Path) -> sqlite3.Connection:
    """A connection to a database that is there."""
    return sqlite3.connect(f"file:{quote(str(path))}?mode=rw", uri=True, timeout=PATIENCE)


def copy_database(path: Path, target: Path) -> None:
    """A whole and consistent copy of a database that may be written meanwhile; its file alone would lack what is in the log beside it."""
    with contextlib.closing(connect(path)) as source, contextlib.closing(sqlite3.connect(target)) as copy:
        source.backup(copy)
        found = copy.execute("PRAGMA integrity_check(1)").fetchone()[0]
    if found != "ok":
        raise SystemExit(f"{path} is damaged: {found}")


def encryption_key(folder: Path, environment_key: str) -> str:
    """The key with which a server keeps API keys; empty where there is none.

    :param folder: the directory with its accounts.
    :param environment_key: that it gets from its container; empty for none.
    """
    given: dict[str, str] = {}
    with contextlib.suppress(FileNotFoundError):
        lines = (folder / "environment").read_text(encoding="utf-8", errors="replace").splitlines()
        given = dict(line.partition("=")[::2] for line in lines if not line.startswith("#"))
    own = ""
    with contextlib.suppress(FileNotFoundError):
        own = (folder / "encryption_key").read_text(encoding="utf-8", errors="replace").strip()
    return environment_key or given.get("XINFERENCE_AUTH_ENCRYPTION_KEY", "") or own


def key_problem(home: Path, environment_key: str) -> str:
    """Why the key of a home does not belong to its accounts; empty where it does, or nothing shows it.

    :param home: a home, or what is to become a part of one.
    :param environment_key: as of :func:`encryption_key`.
    """
    folder = home / "auth"
    if not (folder / "auth.db").exists():
        return ""
    with contextlib.closing(connect(folder / "auth.db")) as database:
        try:
            row = database.execute("SELECT key_encrypted FROM api_keys ORDER BY id DESC LIMIT 1").fetchone()
        except sqlite3.DatabaseError:
            row = None
    if row is None:
        return ""
    key = encryption_key(folder, environment_key)
    if not key:
        return "its file with the key for API keys is missing"
    with contextlib.suppress(ImportError):
        from cryptography.exceptions import InvalidTag
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        try:
            sealed = base64.b64decode(row[0])
            AESGCM(hashlib.sha256(key.encode()).digest()).decrypt(sealed[:12], sealed[12:], None)
        except (InvalidTag, ValueError):
            return "its keys do not belong to its accounts: the newest API key cannot be decrypted with them"
    return ""


def server_version() -> str:
    """Version of the server in this image; empty where it has none."""
    try:
        return version("xinference")
    except PackageNotFoundError:
        return ""


def measured(paths: list[str]) -> dict[str, int]:
    """Bytes of the files at some paths of this container, or in the directories there; what is not there is left out."""
    sizes: dict[str, int] = {}
    for path in (path for path in paths if Path(path).exists()):
        sizes[path] = 0
        for each in itertools.islice(Path(path).rglob("*") if Path(path).is_dir() else [Path(path)], ENTRIES):
            with contextlib.suppress(OSError):
                sizes[path] += each.stat().st_size if each.is_file() else 0
    return sizes


def collect(request: dict[str, Any], home: Path) -> None:
    """Send all files that a backup holds."""
    with tempfile.TemporaryDirectory() as folder:
        for path in kept(home, request["patterns"]):
            if path.endswith(BESIDE):
                continue
            place = home / path
            if path.endswith(".db"):
                place = Path(folder, "copy.db")
                place.unlink(missing_ok=True)
                try:
                    copy_database(home / path, place)
                except sqlite3.Error as error:
                    raise SystemExit(f"{home / path} cannot be copied: {error}") from None
            try:
                with opened(place) as content:
                    send({"path": path, "size": os.fstat(content.fileno()).st_size}, content)
            except FileNotFoundError:
                # Removed meanwhile.
                continue
        problem = key_problem(home, request["environment_key"])
    send({"end": True, "server": server_version(), "problem": problem, "sizes": measured(request["measure"])})


def synchronise(path: Path) -> None:
    """Make a directory outlast a power cut."""
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write(path: Path, text: str) -> None:
    """Replace a small file in one step."""
    fresh = path.with_name(f"{path.name}.new")
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | NO_LINKS, 0o600), "w", encoding="utf-8") as sink:
        sink.write(text)
        sink.flush()
        os.fsync(sink.fileno())
    fresh.replace(path)
    synchronise(path.parent)


def clear(work: Path) -> None:
    """Remove the work directory, or whatever lies in its place."""
    if work.is_symlink() or work.is_file():
        work.unlink()
    elif work.exists():
        # First what says how far a restore has come: without the files of before it would be wrong.
        (work / STATE).unlink(missing_ok=True)
        synchronise(work)
        shutil.rmtree(work)


def move(source: Path, target: Path) -> None:
    """Move a file, with the directories that it needs. Under its name it is there as a whole, or not at all."""
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        source.replace(target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        # Another mount, though it may be the same file system.
        fresh = target.with_name(f"{target.name}{MOVING}")
        fresh.unlink(missing_ok=True)
        shutil.copy2(source, fresh, follow_symlinks=False)
        with fresh.open("rb") as copied:
            os.fsync(copied.fileno())
        fresh.replace(target)
        source.unlink()
    synchronise(target.parent)


def numbers(text: str) -> list[int]:
    """The numbers of a version, for a comparison."""
    return [int(part) for part in text.partition("+")[0].split(".") if part.isdecimal()]


def checked(request: dict[str, Any], work: Path) -> list[str]:
    """Receive what is to be put into place, and refuse what this server cannot use; the paths."""
    own = server_version()
    paths = receive(work / "new")
    if request["server"] and own and numbers(request["server"]) > numbers(own):
        raise SystemExit(f"it was made with Xinference {request['server']}, and this server is {own}: an older server does not read what a newer one wrote")
    problem = key_problem(work / "new", request["environment_key"])
    if problem:
        raise SystemExit(problem)
    for name in BESIDE:
        for path in (work / "new").rglob(f"*{name}"):
            path.unlink()
    return paths


def place(request: dict[str, Any], home: Path) -> None:
    """Put the files that the host sends into place, and keep what was there."""
    work = home / WORK
    if read_state(work):
        put_back(request, home)
    clear(work)
    work.mkdir(mode=0o700)
    try:
        paths = checked(request, work)
        before = theirs(request, home)
    except BaseException:
        clear(work)
        raise
    write(work / STATE, json.dumps({"paths": paths, "before": before}))
    # With the logs of the databases: an old database beside a newer log would be rolled forward in silence.
    for path in before:
        move(home / path, work / "before" / path)
    for path in paths:
        move(work / "new" / path, home / path)
    send({"end": True, "files": len(paths)})


def theirs(request: dict[str, Any], home: Path) -> list[str]:
    """What a restore takes the place of: the files that a backup holds, what SQLite keeps beside them, and what would confuse a server."""
    patterns = request["patterns"]
    return kept(home, [*patterns, *(f"{pattern}{end}" for pattern in patterns for end in BESIDE), *request["stale"]])


def read_state(work: Path) -> dict[str, Any]:
    """What a restore that has not ended has to do with which files; empty where there is none."""
    try:
        with opened(work / STATE) as file:
            state: dict[str, Any] = json.loads(file.read())
            if not isinstance(state["before"], list):
                raise ValueError(STATE)
    except (FileNotFoundError, NotADirectoryError):
        return {}
    return state


def put_back(request: dict[str, Any], home: Path) -> None:
    """Go back to what was there before a restore, however far that came; where this is cut off, it goes on the next time."""
    work = home / WORK
    before = set(read_state(work)["before"])
    for folder in {pattern.rpartition("/")[0] for pattern in request["patterns"]} - {""}:
        # None was one when the restore began.
        if (home / folder).is_symlink():
            (home / folder).unlink()
    for path in theirs(request, home):
        # What was there before and was not moved away, or is back again, stays. All else is of the restore, or a server wrote it since.
        if path not in before or (work / "before" / path).exists():
            (home / path).unlink()
    for path in list(below(work / "before", "", deep=True)):
        if not path.endswith(MOVING):
            move(work / "before" / path, home / path)
    clear(work)


def undo(request: dict[str, Any], home: Path) -> None:
    """Go back to what was there before a restore, where there was one."""
    state = read_state(home / WORK)
    if state:
        put_back(request, home)
    send({"end": True, "files": len(state.get("paths", []))})


def keep(request: dict[str, Any], home: Path) -> None:
    """Remove what was there before a restore."""
    clear(home / WORK)
    send({"end": True, "files": 0})


def main() -> None:
    """Do what the first line of the input asks for, and exit with a sentence where that fails."""
    os.umask(0o077)
    request = line()
    home = Path(request["home"])
    jobs: dict[str, Callable[[dict[str, Any], Path], None]] = {"collect": collect, "place": place, "undo": undo, "keep": keep}
    try:
        jobs[request["do"]](request, home)
    except (OSError, sqlite3.Error) as error:
        name = getattr(error, "filename", None)
        raise SystemExit(f"{name}: {getattr(error, 'strerror', None) or error}" if name else str(error)) from None
    except (AttributeError, KeyError, TypeError, ValueError):
        # While it runs, the server can write there.
        raise SystemExit(f"{home / WORK / STATE} is damaged; remove {home / WORK} to stay with what is there now") from None


if __name__ == "__main__":
    main()
