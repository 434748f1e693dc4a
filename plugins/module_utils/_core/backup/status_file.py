# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What became of the last backup, in a file that everybody on the host may read. Private to this collection."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..base.bounded import read_json
from ..base.private_file import replace_private

__all__ = ["NAME", "Tidied", "failed", "is_tidy", "last_backup", "repository", "succeeded"]

NAME = "status.json"
_VERSION, _BYTES = 1, 1 << 16


@dataclass(frozen=True)
class Tidied:
    """When the old snapshots were removed, and the repository was checked.

    :param time: in UTC.
    :param where: the repository.
    :param keeps: how many daily and weekly snapshots stayed.
    """

    time: str
    where: str
    keeps: tuple[int, int]


def _read(path: Path) -> dict[str, Any]:
    """What the file holds; empty where that cannot be read."""
    with contextlib.suppress(OSError, ValueError):
        content = read_json(path.parent, [path.name], _BYTES)
        if isinstance(content, dict) and content.get("version") == _VERSION:
            return content
    return {}


def _write(directory: str, **changed: Any) -> None:
    path = Path(directory, NAME)
    before = {"last_success": None, "snapshot": None, "verified": False, "files": 0, "bytes": 0, "failed": "", **_read(path)}
    path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    replace_private(path, json.dumps({**before, **changed, "version": _VERSION}, sort_keys=True) + "\n")
    # Its directory is root's alone.
    path.chmod(0o644)


def last_backup(directory: str) -> dict[str, Any]:
    """What became of the last backup; empty where there was none, or that cannot be read.

    :param directory: of the file.
    """
    return _read(Path(directory, NAME))


def repository(directory: str) -> str | None:
    """The repository in which the last backup was made; None where there was none.

    :param directory: of the file.
    """
    found = _read(Path(directory, NAME))
    return str(found.get("repository")) if found.get("last_success") and found.get("repository") else None


def is_tidy(directory: str, wanted: Tidied, now: str) -> bool:
    """Whether old snapshots were removed, and the repository was checked, not long ago.

    :param directory: of the file.
    :param wanted: since when, in which repository, and what was to stay.
    :param now: the time in UTC; what is later than that was written with another clock.
    """
    found = _read(Path(directory, NAME))
    time, keeps = found.get("tidied"), found.get("keeps")
    return isinstance(time, str) and wanted.time <= time <= now and [found.get("repository"), keeps] == [wanted.where, list(wanted.keeps)]


def succeeded(directory: str, now: str, snapshot: str, *, files: int, size: int, where: str, warnings: Sequence[str], tidied: Tidied | None) -> None:
    """Keep that a snapshot was made, and verified.

    :param directory: of the file.
    :param now: the time in UTC.
    :param snapshot: its ID.
    :param files: how many it holds.
    :param size: their bytes.
    :param where: the repository.
    :param warnings: what is odd about it.
    :param tidied: what was done besides; None for nothing.
    :raises OSError: when it cannot be written.
    """
    _write(
        directory,
        last_attempt=now,
        last_success=now,
        snapshot=snapshot,
        verified=True,
        files=files,
        bytes=size,
        failed="",
        repository=where,
        warnings=list(warnings),
        **({"tidied": tidied.time, "keeps": list(tidied.keeps)} if tidied else {}),
    )


def failed(directory: str, now: str, reason: str) -> None:
    """Keep that a backup failed; parameters and errors as of :func:`succeeded`.

    :param reason: a sentence.
    """
    _write(directory, last_attempt=now, failed=reason)
