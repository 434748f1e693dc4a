# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lock between a run and the service, with real files and processes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from ansible_collections.inferops.xinference.plugins.module_utils._core.base.errors import XinferenceError
from ansible_collections.inferops.xinference.plugins.module_utils._core.base.lock import Lock


def test_only_one_holds_a_lock(tmp_path: Path) -> None:
    path = str(tmp_path / "deep/lock")
    with Lock(path).hold(1):
        assert Lock(path).try_hold() is None
        with pytest.raises(XinferenceError, match=r"is locked for more than 0\.3 s"):
            Lock(path).hold(0.3)
    held = Lock(path).try_hold()
    assert held is not None
    with held:
        assert Lock(path).try_hold() is None
    assert Path(path).stat().st_mode & 0o777 == 0o600


def test_whoever_waits_says_so(tmp_path: Path) -> None:
    reported: list[float] = []
    with Lock(str(tmp_path / "lock")).hold(0), pytest.raises(XinferenceError):
        Lock(str(tmp_path / "lock")).hold(0.5, reported.append)
    assert len(reported) >= 2
    assert reported == sorted(reported)


def test_a_lock_ends_with_its_process(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    code = f"import fcntl,os,signal; h=os.open({str(path)!r},os.O_RDWR|os.O_CREAT); fcntl.flock(h,fcntl.LOCK_EX); os.kill(os.getpid(),signal.SIGKILL)"
    subprocess.run([sys.executable, "-c", code], check=False)
    with Lock(str(path)).hold(0):
        pass


def test_no_path_locks_nothing() -> None:
    with Lock(None).hold(0), Lock(None).hold(0):
        pass


def test_a_lock_that_cannot_be_made_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(XinferenceError, match="cannot be locked"):
        Lock(str(tmp_path / "file/lock")).try_hold()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_a_service_can_lock_what_an_administrator_locked_first(tmp_path: Path) -> None:
    os.chown(tmp_path, 12345, 12345)
    with Lock(str(tmp_path / "lock")).hold(0):
        assert (tmp_path / "lock").stat().st_uid == 12345


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_a_file_of_another_user_is_never_given_away(tmp_path: Path) -> None:
    folder = tmp_path / "service"
    folder.mkdir()
    os.chown(folder, 12345, 12345)
    precious = tmp_path / "precious"
    precious.write_text("")
    os.link(precious, folder / "lock")
    with Lock(str(folder / "lock")).hold(0):
        assert precious.stat().st_uid == 0
    (folder / "lock").unlink()
    (folder / "lock").symlink_to(precious)
    with pytest.raises(XinferenceError, match="cannot be locked"):
        Lock(str(folder / "lock")).try_hold()
