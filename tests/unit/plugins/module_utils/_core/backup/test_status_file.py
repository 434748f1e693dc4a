# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What became of the last backup, for everybody on the host."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.inferops.xinference.plugins.module_utils._core.backup.status_file import (
    NAME,
    Tidied,
    failed,
    is_tidy,
    last_backup,
    repository,
    succeeded,
)

FIRST: dict[str, Any] = {"version": 1, "last_success": None, "snapshot": None, "verified": False, "files": 0, "bytes": 0}
THEN, NOW = "2026-01-31T03:00:00Z", "2026-02-01T03:00:00Z"


def content(folder: Path) -> Any:
    """What the file holds."""
    return json.loads((folder / NAME).read_text())


def test_a_first_success(tmp_path: Path) -> None:
    folder = tmp_path / "state/deep"
    succeeded(str(folder), NOW, "0123", files=3, size=1000, where="/mnt/one", warnings=["Odd."], tidied=None)
    expected = {"last_success": NOW, "last_attempt": NOW, "snapshot": "0123", "verified": True, "files": 3, "bytes": 1000, "failed": ""}
    assert content(folder) == {**FIRST, **expected, "repository": "/mnt/one", "warnings": ["Odd."]}
    assert repository(str(folder)) == "/mnt/one"
    assert last_backup(str(folder)) == content(folder)
    assert stat.S_IMODE((folder / NAME).stat().st_mode) == 0o644


def test_a_first_failure(tmp_path: Path) -> None:
    failed(str(tmp_path), NOW, "There is no room.")
    assert content(tmp_path) == {**FIRST, "last_attempt": NOW, "failed": "There is no room."}
    assert stat.S_IMODE((tmp_path / NAME).stat().st_mode) == 0o644


def test_what_was_there_is_kept(tmp_path: Path) -> None:
    assert repository(str(tmp_path)) is None
    assert last_backup(str(tmp_path)) == {}
    succeeded(str(tmp_path), THEN, "0123", files=3, size=1000, where="/mnt/one", warnings=[], tidied=None)
    before = content(tmp_path)
    failed(str(tmp_path), NOW, "There is no room.")
    assert content(tmp_path) == {**before, "last_attempt": NOW, "failed": "There is no room."}
    succeeded(str(tmp_path), NOW, "4567", files=4, size=2000, where="/mnt/one", warnings=[], tidied=None)
    assert content(tmp_path) == {**before, "last_success": NOW, "last_attempt": NOW, "snapshot": "4567", "files": 4, "bytes": 2000}
    assert [path.name for path in tmp_path.iterdir()] == [NAME]


@pytest.mark.parametrize(
    "text", [b"", b"{", b"[]", b"null", b"\xff", b'{"version": 2, "last_success": "x"}', b'{"last_success": "x"}', b"[" * 200 + b"]" * 200]
)
def test_a_damaged_file_is_replaced(tmp_path: Path, text: bytes) -> None:
    (tmp_path / NAME).write_bytes(text)
    failed(str(tmp_path), NOW, "There is no room.")
    assert content(tmp_path) == {**FIRST, "last_attempt": NOW, "failed": "There is no room."}


def test_a_file_without_end_is_replaced(tmp_path: Path) -> None:
    (tmp_path / NAME).touch()
    os.truncate(tmp_path / NAME, 1 << 40)
    failed(str(tmp_path), NOW, "There is no room.")
    assert content(tmp_path)["last_attempt"] == NOW


def test_a_link_in_its_place_is_replaced(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_text(json.dumps({"version": 1, "snapshot": "of the link"}))
    elsewhere.chmod(0o600)
    folder = tmp_path / "state"
    folder.mkdir()
    (folder / NAME).symlink_to(elsewhere)
    failed(str(folder), NOW, "There is no room.")
    assert content(folder)["snapshot"] is None
    assert not (folder / NAME).is_symlink()
    assert stat.S_IMODE(elsewhere.stat().st_mode) == 0o600


def test_a_directory_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="Not a directory"):
        failed(str(tmp_path / "file/state"), NOW, "There is no room.")


@pytest.mark.parametrize(
    ("since", "where", "keeps", "now", "tidy"),
    [
        (THEN, "/mnt/one", (7, 4), NOW, True),
        ("2026-01-31T03:00:01Z", "/mnt/one", (7, 4), NOW, False),
        (THEN, "/mnt/two", (7, 4), NOW, False),
        (THEN, "/mnt/one", (7, 0), NOW, False),
        (THEN, "/mnt/one", (7, 4), "2026-01-31T02:59:59Z", False),
    ],
)
def test_what_was_done_besides_counts_for_its_repository_and_a_time(
    tmp_path: Path, since: str, where: str, keeps: tuple[int, int], now: str, tidy: bool
) -> None:
    folder = str(tmp_path)
    assert not is_tidy(folder, Tidied(since, where, keeps), now)
    succeeded(folder, THEN, "0123", files=3, size=1000, where="/mnt/one", warnings=[], tidied=Tidied(THEN, "/mnt/one", (7, 4)))
    # Kept by the next ones.
    succeeded(folder, THEN, "4567", files=3, size=1000, where="/mnt/one", warnings=[], tidied=None)
    failed(folder, THEN, "There is no room.")
    assert is_tidy(folder, Tidied(since, where, keeps), now) == tidy


@pytest.mark.parametrize("time", ["null", "7", "[]", '""', '"x"'])
def test_an_odd_time_is_none(tmp_path: Path, time: str) -> None:
    (tmp_path / NAME).write_text(f'{{"version": 1, "repository": "/mnt/one", "keeps": [7, 4], "tidied": {time}}}')
    assert not is_tidy(str(tmp_path), Tidied(THEN, "/mnt/one", (7, 4)), NOW)
