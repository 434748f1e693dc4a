# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a unit of root writes down of a container, and what is taken from it."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.inferops.xinference.plugins.module_utils._core.service.container_report import ContainerReport, keep, kept, renewed

FIRST = ContainerReport("a", 100.0, 0, 2, "/sys/fs/cgroup/docker/a", "4.1.0", 5)


def test_what_is_written_is_read(tmp_path: Path) -> None:
    place = tmp_path / "container.json"
    keep(str(place), FIRST)
    assert kept(str(place)) == FIRST
    assert place.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("before", "found", "started", "restarts"),
    [
        (None, {"Id": "a", "RestartCount": 4}, 100.0, 0),
        (FIRST, {"Id": "a", "RestartCount": 2}, 100.0, 0),
        (FIRST, {"Id": "a", "RestartCount": 2}, 200.0, 1),
        # Docker restarted it three times since.
        (FIRST, {"Id": "a", "RestartCount": 5}, 200.0, 3),
        # It was replaced.
        (FIRST, {"Id": "b", "RestartCount": 9}, 200.0, 1),
        (FIRST, {"Id": "a", "RestartCount": 2}, 0.0, 0),
        # The first start is none.
        (ContainerReport("a"), {"Id": "a"}, 200.0, 0),
        (ContainerReport("a", 100.0, 7), {"Id": "a"}, 200.0, 8),
    ],
)
def test_starts_are_counted(before: ContainerReport | None, found: dict[str, Any], started: float, restarts: int) -> None:
    made = renewed(before, found, started=started, cgroup=None, version="4.0.1", seen=6)
    assert made == ContainerReport(found["Id"], started, restarts, found.get("RestartCount", 0), "", "4.0.1", 6)


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        "{}x",
        json.dumps({**asdict(FIRST), "more": 1}),
        json.dumps({**asdict(FIRST), "cgroup": 5}),
        json.dumps({**asdict(FIRST), "version": None}),
        json.dumps({**asdict(FIRST), "id": "a" * 2000}),
        json.dumps({**asdict(FIRST), "restarts": -1}),
        json.dumps({**asdict(FIRST), "restarts": True}),
        json.dumps({**asdict(FIRST), "started": "1"}),
        json.dumps({**asdict(FIRST), "seen": "1"}),
        json.dumps({**asdict(FIRST), "id": "a" * 20000}),
    ],
)
def test_what_is_no_report(tmp_path: Path, content: str) -> None:
    (tmp_path / "container.json").write_text(content, encoding="utf-8")
    assert kept(str(tmp_path / "container.json")) is None


def test_no_link_is_followed(tmp_path: Path) -> None:
    keep(str(tmp_path / "other"), FIRST)
    (tmp_path / "container.json").symlink_to(tmp_path / "other")
    assert kept(str(tmp_path / "container.json")) is None
    assert kept(str(tmp_path / "none")) is None
    assert kept(None) is None
