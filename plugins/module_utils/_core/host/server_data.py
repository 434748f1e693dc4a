# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The server's files on this host, which its container can write: users, and names of its secrets. Standard library only. Private to this collection."""

from __future__ import annotations

import contextlib
import hashlib
import re
import sqlite3
import tempfile
from collections import defaultdict
from pathlib import Path
from typing import Any
from urllib.parse import quote

from ..base.bounded import read_bytes, stat_below

__all__ = ["cluster_key", "server_environment", "user_facts"]

#: Bytes of the server's database and of its log.
_DATABASE_BYTES = 64 << 20
#: Bytes of a file with secrets.
_SECRETS_BYTES = 1 << 16
#: How often a database is read at most that is written meanwhile.
_TRIES = 5
#: Instructions of SQLite for one question, rows of its answer, and characters in them.
_STEPS, _ROWS, _CHARACTERS = 1_000_000, 10_000, 16 << 20
#: What a database may be made of for its tables to be tables. A view or a virtual table runs what is written in it.
_PLAIN = re.compile(r"CREATE (TABLE|(UNIQUE )?INDEX|TRIGGER)\b", re.IGNORECASE)
_ACCOUNT_TABLES = ("users", "user_permissions")


def _below(path: str, data_root: str | None) -> tuple[Path, tuple[str, ...]]:
    """A directory that is trusted, and the names from there to a file.

    :param data_root: that directory, where the file lies in it; else it is the file's own.
    """
    place = Path(path)
    base = Path(data_root) if data_root and Path(data_root) in place.parents else place.parent
    return base, place.relative_to(base).parts


def _database(base: Path, parts: tuple[str, ...]) -> tuple[bytes, bytes]:
    """A database of SQLite and the log of what was written to it since, both of one moment.

    :raises FileNotFoundError: when there is none.
    :raises OSError: when it cannot be read, or is written all the time.
    """
    log = (*parts[:-1], f"{parts[-1]}-wal")

    def marks() -> list[tuple[int, ...]]:
        found = [stat_below(base, parts)]
        with contextlib.suppress(FileNotFoundError):
            found.append(stat_below(base, log))
        return [(each.st_ino, each.st_size, each.st_mtime_ns) for each in found]

    for _try in range(_TRIES):
        before, content, written = marks(), read_bytes(base, parts, _DATABASE_BYTES), b""
        with contextlib.suppress(FileNotFoundError):
            written = read_bytes(base, log, _DATABASE_BYTES)
        if marks() == before:
            return content, written
    raise OSError("it is written all the time")


def _rows(connection: sqlite3.Connection, question: str) -> list[tuple[Any, ...]]:
    """Answer to a question whose last word is the number of rows.

    :raises sqlite3.Error: when it cannot be answered, or with more than any server has.
    """
    rows: list[tuple[Any, ...]] = []
    remaining = _CHARACTERS
    for row in connection.execute(question, (_ROWS + 1,)):
        rows.append(row)
        remaining -= sum(len(value) for value in row if isinstance(value, (str, bytes)))
        if remaining < 0 or len(rows) > _ROWS:
            raise sqlite3.DataError("there is too much in it")
    return rows


def _is_plain(connection: sqlite3.Connection) -> bool:
    """Whether a database has the tables with accounts, and nothing that runs when they are read."""
    made = _rows(connection, "SELECT type, name, sql FROM sqlite_master LIMIT ?")
    tables = {name for kind, name, _sql in made if kind == "table"}
    # SQLite goes by the text, whatever stands beside it. What it makes by itself has none.
    if not tables.issuperset(_ACCOUNT_TABLES) or not all(sql is None or _PLAIN.match(str(sql)) for _kind, name, sql in made):
        return False
    # The last column shows which ones are computed.
    return not any(column[-1] for table in _ACCOUNT_TABLES for column in connection.execute(f"PRAGMA table_xinfo({table})"))


def _accounts(database: Path) -> dict[str, Any] | None:
    """What :func:`user_facts` returns, of a copy; None where its tables are none.

    :raises sqlite3.Error: when it cannot be read.
    """
    with contextlib.closing(sqlite3.connect(f"file:{quote(str(database))}?mode=ro", uri=True)) as connection:
        connection.set_progress_handler(lambda: 1, _STEPS)
        connection.execute("PRAGMA trusted_schema=OFF")
        connection.execute("PRAGMA cell_size_check=ON")
        if not _is_plain(connection):
            return None
        users = _rows(connection, "SELECT id, username, enabled FROM users LIMIT ?")
        granted = defaultdict(list)
        for owner, permission in _rows(connection, "SELECT user_id, permission FROM user_permissions LIMIT ?"):
            granted[owner].append(str(permission))
        return {
            name: {"enabled": enabled, "permissions": sorted(granted[number])}
            for name, enabled, number in sorted(((str(name), bool(enabled), number) for number, name, enabled in users), key=lambda user: user[:2])
        }


def user_facts(database: str, data_root: str | None = None) -> dict[str, Any] | None:
    """The accounts in the server's database by name, each with ``enabled`` and ``permissions``; none without a database, None where it cannot be read.

    A copy is opened: SQLite would write beside the database, and the server may have put links there.

    :param data_root: as of :func:`_below`.
    """
    try:
        content, written = _database(*_below(database, data_root))
    except FileNotFoundError:
        return {}
    except OSError:
        return None
    try:
        with tempfile.TemporaryDirectory() as folder:
            copied = Path(folder, "copy")
            copied.write_bytes(content)
            if written:
                Path(folder, "copy-wal").write_bytes(written)
            return _accounts(copied)
    except (OSError, sqlite3.Error):
        return None


def _variables(path: str, data_root: str | None) -> dict[str, str]:
    """The variables in the server's own file with secrets; none where it does not exist or is no file. Parameters as of :func:`server_environment`."""
    with contextlib.suppress(OSError, UnicodeDecodeError):
        lines = read_bytes(*_below(path, data_root), _SECRETS_BYTES).decode("utf-8").splitlines()
        pairs = (line.partition("=") for line in lines if not line.startswith("#"))
        return {name: value for name, equals, value in pairs if equals and name.isidentifier()}
    return {}


def server_environment(path: str, data_root: str | None = None) -> dict[str, bool]:
    """Names of the variables in the server's own file with secrets, and whether they have a value; none where it does not exist or is no file.

    :param path: of the file, which the server may replace.
    :param data_root: as of :func:`_below`.
    """
    return {name: bool(value) for name, value in _variables(path, data_root).items()}


def cluster_key(path: str, data_root: str | None = None) -> str:
    """SHA-256 of the key that the server's processes show each other, with a word before it; empty where the file has none.

    Parameters as of :func:`server_environment`.
    """
    key = _variables(path, data_root).get("XOSCAR_AUTH_KEY")
    return "" if key is None else hashlib.sha256(f"cluster {key}".encode()).hexdigest()
