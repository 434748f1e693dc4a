# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The password of an account in a file: what a change stores at every moment."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from ansible_collections.inferops.xinference.plugins.module_utils._core.base.errors import XinferenceError
from ansible_collections.inferops.xinference.plugins.module_utils._core.base.private_file import marks
from ansible_collections.inferops.xinference.plugins.module_utils._core.resources.users import KeptPassword


def put(path: Path, text: str | bytes, mode: int = 0o600) -> str:
    """Write a file with a mode."""
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    path.chmod(mode)
    return str(path)


def test_a_new_password_is_kept_before_it_counts(tmp_path: Path) -> None:
    path = tmp_path / "folder/kept"
    first = KeptPassword(str(path), rotate=False)
    assert len(first.wanted) >= 24
    assert not path.exists()
    first.begin()
    first.end(given=True)
    assert path.read_text() == path.with_name("kept.copy").read_text() == f"{first.wanted}\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_what_is_kept_stays(tmp_path: Path) -> None:
    path = put(tmp_path / "kept", "given-by-hand\n")
    same = KeptPassword(path, rotate=False)
    before = os.stat(path)
    same.begin()
    same.end(given=False)
    assert (same.wanted, same.is_new) == ("given-by-hand", False)
    assert os.stat(path) == before
    # Who was refused with it before the account got it sees another file.
    seen = marks(path)
    same.end(given=True)
    assert marks(path) != seen
    assert Path(path).read_text() == "given-by-hand\n"


def test_the_old_one_goes_when_the_new_one_has_worked(tmp_path: Path) -> None:
    path = put(tmp_path / "kept", "old\n")
    change = KeptPassword(path, rotate=True)
    assert change.wanted != "old"
    assert Path(path).read_text() == "old\n"
    change.begin()
    assert Path(path).read_text() == f"{change.wanted}\nold\n"
    change.end(given=True)
    assert Path(path).read_text() == f"{change.wanted}\n"


def test_after_an_interruption_nothing_that_may_work_is_forgotten(tmp_path: Path) -> None:
    path = put(tmp_path / "kept", "old\n")
    KeptPassword(path, rotate=True).begin()
    lost = Path(path).read_text().split()[0]
    # The next run, whether it rotates or not.
    again = KeptPassword(path, rotate=False)
    assert (again.wanted, again.is_new) == (lost, False)
    rotated = KeptPassword(path, rotate=True)
    rotated.begin()
    assert Path(path).read_text().split() == [rotated.wanted, lost, "old"]
    rotated.end(given=True)
    assert Path(path).read_text().split() == [rotated.wanted]
    assert Path(f"{path}.copy").read_text().split() == [rotated.wanted]


def test_a_file_that_cannot_be_written(tmp_path: Path) -> None:
    put(tmp_path / "file", "")
    with pytest.raises(XinferenceError, match=r"account_password_path '.*/file/kept' cannot be "):
        KeptPassword(str(tmp_path / "file" / "kept"), rotate=False).begin()
