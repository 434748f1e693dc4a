# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The table of snapshots."""

from __future__ import annotations

from typing import Any

from ansible_collections.inferops.xinference.plugins.filter.snapshot_table import FilterModule

snapshot_table = FilterModule().filters()["snapshot_table"]
SNAPSHOT: dict[str, Any] = {"id": "cbe985ed", "host": "host-07", "time": "2026-11-29T09:28:15Z", "server_version": "4.1.0", "problem": ""}


def test_the_table() -> None:
    unknown = {"id": "1f6f6c4b", "host": "host-07", "time": "", "server_version": None, "files": None, "bytes": None, "problem": "it has no manifest"}
    assert snapshot_table([{**SNAPSHOT, "files": 13, "bytes": 203919}, unknown, {**SNAPSHOT, "files": 0, "bytes": 0}]) == [
        "SNAPSHOT  TIME (UTC)           SERVER  FILES  SIZE",
        "cbe985ed  2026-11-29 09:28:15  4.1.0   13     199.14 KB",
        "1f6f6c4b  -                    -       -      -",
        "cbe985ed  2026-11-29 09:28:15  4.1.0   0      0.00 Bytes",
        "1f6f6c4b: it has no manifest",
    ]


def test_without_snapshots() -> None:
    assert snapshot_table([]) == ["SNAPSHOT  TIME (UTC)  SERVER  FILES  SIZE", "-         -           -       -      -"]
