# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The directory of files on their way: private, empty before and after, for one process at a time."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from ansible_collections.inferops.xinference.plugins.module_utils._core.backup import staging as staging_module
from ansible_collections.inferops.xinference.plugins.module_utils._core.backup.contents import BackupError
from ansible_collections.inferops.xinference.plugins.module_utils._core.backup.staging import staging
from ansible_collections.inferops.xinference.plugins.module_utils._core.base.errors import XinferenceError
from ansible_collections.inferops.xinference.plugins.module_utils._core.base.lock import Lock
from ansible_collections.inferops.xinference.tests.unit.plugins.module_utils._core.backup.conftest import Host


@pytest.fixture
def folder(host: Host) -> Path:
    """The directory."""
    return Path(host.settings.staging_directory)


def mode(path: Path) -> int:
    """Who may read, write and enter it."""
    return stat.S_IMODE(path.stat().st_mode)


def test_it_is_private_and_empty_before_and_after(host: Host, folder: Path) -> None:
    with staging(host.settings) as work:
        assert work == folder / "work"
        assert (mode(folder), mode(work)) == (0o700, 0o700)
        assert list(work.iterdir()) == []
        (work / "deep").mkdir()
        (work / "deep/secret").write_text("secret")
    assert list(folder.iterdir()) == []
    assert mode(folder) == 0o700


def test_it_is_emptied_where_something_fails(host: Host, folder: Path) -> None:
    for error in (BackupError("no room"), XinferenceError("It is locked."), KeyError("x"), KeyboardInterrupt()):
        with pytest.raises(BackupError if isinstance(error, XinferenceError) else type(error)) as raised, staging(host.settings) as work:
            (work / "secret").write_text("secret")
            raise error
        assert "." not in str(raised.value)
        assert list(folder.iterdir()) == []


@pytest.mark.parametrize("given", [0o777, 0o755, 0o000])
def test_a_directory_that_others_can_enter_gets_private(host: Host, folder: Path, given: int) -> None:
    folder.mkdir()
    folder.chmod(given)
    with staging(host.settings):
        assert mode(folder) == 0o700


def test_another_process_is_waited_for_and_named(host: Host, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(staging_module, "_WAITS", 0.3)
    waited: list[str] = []
    held = Lock(f"{folder}.lock").try_hold()
    assert held is not None
    with held:
        with pytest.raises(BackupError) as raised, staging(host.settings, waited.append):
            raise AssertionError("it was entered")
        assert str(raised.value) == f"'{folder}.lock' is locked for more than 0.3 s: another run is making or restoring a backup"
        assert waited == ["waiting for another backup or restore of this host"]
        assert not folder.exists()
    with staging(host.settings):
        pass


def link_to_directory(place: Path, elsewhere: Path) -> None:
    """A link to a directory."""
    place.symlink_to(elsewhere)


def dangling_link(place: Path, _elsewhere: Path) -> None:
    """A link that leads nowhere."""
    place.symlink_to("nowhere")


def file(place: Path, _elsewhere: Path) -> None:
    """A file."""
    place.write_text("of another")


@pytest.mark.parametrize("lies", [link_to_directory, dangling_link, file])
def test_what_lies_in_its_place_is_not_followed(host: Host, folder: Path, tmp_path: Path, lies: Callable[[Path, Path], None]) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir(mode=0o755)
    (elsewhere / "kept").write_text("kept")
    lies(folder, elsewhere)
    with pytest.raises(BackupError) as raised, staging(host.settings):
        raise AssertionError("it was entered")
    assert str(raised.value) in (f"'{folder}' is no directory of this user", f"'{folder}' cannot be made: File exists")
    folder.unlink()
    # Only this user could have put it there.
    folder.mkdir()
    lies(folder / "work", elsewhere)
    with staging(host.settings) as work:
        assert not work.is_symlink()
        assert list(work.iterdir()) == []
    assert (elsewhere / "kept").read_text() == "kept"
    assert mode(elsewhere) == 0o755


def test_a_directory_of_another_user_is_refused(host: Host, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder.mkdir()
    other = os.geteuid() + 1
    monkeypatch.setattr(os, "geteuid", lambda: other)
    with pytest.raises(BackupError, match="is no directory of this user"), staging(host.settings):
        raise AssertionError("it was entered")


def test_archives_of_runs_that_were_killed_go_after_a_day(host: Host, folder: Path, tmp_path: Path) -> None:
    """One of a run that goes on stays, and no link is followed."""
    folder.mkdir(mode=0o700)
    elsewhere = tmp_path / "elsewhere"
    for path in (folder / "archive-old.tar", folder / "archive-new.tar", folder / "other.tar", elsewhere):
        path.write_text("secret")
    (folder / "archive-link.tar").symlink_to(elsewhere)
    for path in folder.iterdir():
        if path.name != "archive-new.tar":
            os.utime(path, (1, 1), follow_symlinks=False)
    with staging(host.settings):
        pass
    assert sorted(path.name for path in folder.iterdir()) == ["archive-new.tar", "other.tar"]
    assert elsewhere.read_text() == "secret"
