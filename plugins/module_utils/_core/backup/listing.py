# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The snapshots that a restore can choose from, and what each of them says of itself. Private to this collection."""

from __future__ import annotations

import contextlib
import re
from datetime import datetime, timezone
from typing import Any

from ..base.messages import shown
from .contents import MANIFEST, BackupError, Manifest, parse_manifest
from .restic import Restic, Snapshot
from .settings import Settings

__all__ = ["candidates", "listed"]

#: Of so many snapshots, the last ones, the manifests are read; each takes restic half a second. And characters of a version.
_MOST, _VERSION = 100, 40
#: A time as restic writes it: with nanoseconds, and the distance to UTC.
_TIME = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.\d+)?(Z|[+-]\d\d:\d\d)", re.ASCII)


def candidates(settings: Settings, restic: Restic, host: str | None) -> list[Snapshot]:
    """The snapshots of a host, the oldest first.

    :param host: whose they are; None for this host's.
    :raises BackupError: when they cannot be listed.
    """
    snapshots = restic.snapshots(host or settings.host)
    if host and not snapshots:
        # Its container may have had another name.
        snapshots = restic.snapshots(host, every=True)
    return snapshots


def _utc(time: str) -> str:
    """A time of restic in UTC, such as ``2026-01-31T12:00:00Z``; empty where it is none."""
    found = _TIME.fullmatch(time)
    if found:
        # Years and distances that no calendar has.
        with contextlib.suppress(ValueError, OverflowError):
            moment = datetime.fromisoformat(found[1] + found[2].replace("Z", "+00:00"))
            return moment.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    return ""


def _manifest(restic: Restic, snapshot: Snapshot) -> Manifest:
    """What a snapshot says of itself.

    :raises BackupError: when it says nothing that can be read, or that it is another host's.
    """
    manifest = parse_manifest(restic.read(snapshot, MANIFEST))
    if manifest.host != snapshot.host:
        raise BackupError(f"its manifest is of host '{shown(manifest.host)}'")
    return manifest


def listed(settings: Settings, restic: Restic, host: str | None = None) -> list[dict[str, Any]]:
    """The snapshots of a host as a module returns them, the oldest first.

    Each has ``id``, ``host``, ``time`` in UTC (empty where it has none), ``server_version``, ``files`` and ``bytes`` (null where the snapshot does not say),
    and ``problem``: why not. Whether a snapshot is whole is not known from that.

    :param host: whose they are; None for this host's.
    :raises BackupError: when they cannot be listed.
    """
    rows: list[dict[str, Any]] = []
    snapshots = candidates(settings, restic, host)
    for number, snapshot in enumerate(snapshots):
        row: dict[str, Any] = {
            "id": snapshot.id[:8],
            "host": snapshot.host,
            "time": _utc(snapshot.time),
            "server_version": None,
            "files": None,
            "bytes": None,
            "problem": "",
        }
        try:
            if number < len(snapshots) - _MOST:
                raise BackupError(f"it is not one of the last {_MOST}, so it was not read")
            manifest = _manifest(restic, snapshot)
            row.update(server_version=manifest.server[:_VERSION] or None, files=len(manifest.files), bytes=manifest.size)
        except BackupError as error:
            row["problem"] = str(error)
        rows.append(row)
    return rows
