# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files for their owner alone, replaced in one step."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

import pytest

from ansible_collections.inferops.xinference.plugins.module_utils._core.base.private_file import replace_private


def test_a_file_is_replaced_and_its_folder_is_for_its_owner_alone(tmp_path: Path) -> None:
    place = tmp_path / "deep/file"
    for text in ("one", "two"):
        replace_private(place, text)
        assert (place.read_text(), place.stat().st_mode & 0o777, place.parent.stat().st_mode & 0o777) == (text, 0o600, 0o700)
    assert [path.name for path in place.parent.iterdir()] == ["file"]


def test_what_cannot_be_written_leaves_the_old_one_and_nothing_beside_it(tmp_path: Path) -> None:
    place = tmp_path / "file"
    replace_private(place, "old")
    with pytest.raises(UnicodeEncodeError):
        replace_private(place, "\ud800")
    assert place.read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_the_owner_of_a_file_stays_and_a_new_one_belongs_to_the_owner_of_its_folder(tmp_path: Path) -> None:
    os.chown(tmp_path, 12345, 12345)
    place = tmp_path / "file"
    for text in ("one", "two"):
        replace_private(place, text)
        assert (place.stat().st_uid, place.stat().st_mode & 0o777, place.read_text()) == (12345, 0o600, text)


def test_what_a_writer_left_that_was_killed_is_removed_by_the_next_one(tmp_path: Path) -> None:
    left, at_work, other = (tmp_path / name for name in (".secret-abcd1234", ".secret-efgh5678", ".secrets-abcd1234"))
    for path in (left, at_work, other):
        path.write_text("secret", encoding="utf-8")
    with at_work.open(encoding="utf-8") as busy:
        fcntl.flock(busy, fcntl.LOCK_EX)
        replace_private(tmp_path / "secret", "new")
        assert sorted(path.name for path in tmp_path.iterdir()) == [".secret-efgh5678", ".secrets-abcd1234", "secret"]
    replace_private(tmp_path / "secret", "newer")
    assert sorted(path.name for path in tmp_path.iterdir()) == [".secrets-abcd1234", "secret"]
