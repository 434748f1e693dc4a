# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What restic says of a snapshot in its repository. Private to this collection."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from typing import Any

from ..base.bounded import parse_json
from ..base.messages import one_line
from .contents import BackupError

__all__ = ["FILES_TAG", "NAMES_TAG", "SNAPSHOT_ID", "Snapshot", "changed", "parsed", "read_snapshot"]

#: Of the snapshots that hold files of models, which are counted apart, and of one whose manifest names such a snapshot, with its ID behind.
FILES_TAG, NAMES_TAG = "inferops.xinference.models", "models="
SNAPSHOT_ID = re.compile(r"[0-9a-f]{8,64}")


@dataclass(frozen=True)
class Snapshot:
    """A snapshot in the repository.

    :param id: all 64 hexadecimal digits.
    :param host: name of the host that it is of.
    :param time: when it was made, as restic writes it.
    :param path: directory that it holds.
    :param files: ID of the snapshot with the files of its models, or its beginning; empty where there is none.
    :param has_files: whether it holds files of models itself, and nothing else.
    :param original: ID that it had first; empty where it still has it. ``restic copy`` and ``restic tag`` give another one.
    """

    id: str
    host: str
    time: str
    path: str
    files: str = ""
    has_files: bool = False
    original: str = ""

    @property
    def name(self) -> str:
        """ID by which others name it for good."""
        return self.original or self.id

    def is_called(self, name: str) -> bool:
        """Whether an ID, or its beginning, is or was its own."""
        return self.id.startswith(name) or self.original.startswith(name)

    def row(self) -> dict[str, str]:
        """For a result."""
        return {"id": self.id[:8], "host": self.host, "time": self.time}


def changed(nanoseconds: int) -> str:
    """When a file was changed last, as restic writes it.

    :param nanoseconds: since the epoch.
    """
    seconds, rest = divmod(nanoseconds, 10**9)
    fraction = f".{rest:09}".rstrip("0") if rest else ""
    return time.strftime(f"%Y-%m-%dT%H:%M:%S{fraction}Z", time.gmtime(seconds))


def parsed(text: str, command: str) -> Any:
    """What restic answered in JSON.

    :param command: that it answered.
    :raises BackupError: when it is none.
    """
    try:
        return parse_json(text)
    except ValueError as error:
        raise BackupError(f"restic {command} gave an answer that is no JSON: {error}") from error


def read_snapshot(row: dict[str, Any]) -> Snapshot:
    """A row of restic's list."""
    paths = row.get("paths")
    path = paths[0] if isinstance(paths, list) and paths and isinstance(paths[0], str) else ""
    found = str(row.get("id"))
    if not SNAPSHOT_ID.fullmatch(found):
        raise BackupError("restic listed a snapshot without an ID")
    original = row.get("original")
    tags = [str(tag) for tag in row.get("tags") or []] if isinstance(row.get("tags"), list) else []
    named = next((tag[len(NAMES_TAG) :] for tag in tags if tag.startswith(NAMES_TAG)), "")
    return Snapshot(
        found,
        one_line(str(row.get("hostname"))),
        one_line(str(row.get("time"))),
        path,
        files=named if SNAPSHOT_ID.fullmatch(named) else "",
        has_files=FILES_TAG in tags,
        original=original if isinstance(original, str) and SNAPSHOT_ID.fullmatch(original) else "",
    )
