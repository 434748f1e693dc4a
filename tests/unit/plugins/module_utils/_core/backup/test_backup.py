# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A snapshot of a server that runs: what it holds, that it is whole, and what becomes of failures."""

from __future__ import annotations

import json
import sqlite3
import stat
import threading
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from ansible_collections.inferops.xinference.plugins.module_utils._core.backup.backup import make
from ansible_collections.inferops.xinference.plugins.module_utils._core.backup.contents import BackupError, described, verify
from ansible_collections.inferops.xinference.plugins.module_utils._core.backup.restic import Locked, Restic
from ansible_collections.inferops.xinference.tests.unit.plugins.module_utils._core.backup.conftest import Host, make_accounts, users

#: What a snapshot of the host of these tests holds.
PATHS = [
    "home/auth/auth.db",
    "home/auth/encryption_key",
    "home/auth/jwt_secret_key",
    "home/model/v2/llm/mine.json",
    "host/automation",
    "host/automation.copy",
    "host/declaration.json",
]


def saved(host: Host, number: str) -> Path:
    """The directory of a snapshot in the repository."""
    return next(path for path in host.repository.folder.iterdir() if path.name.startswith(number))


def status(host: Host) -> dict[str, object]:
    """What the status file says."""
    found: dict[str, object] = json.loads(Path(host.settings.state_directory, "status.json").read_text())
    return found


def test_a_snapshot_holds_what_cannot_be_downloaded_again(host: Host) -> None:
    made = make(host.settings, host.docker, host.restic, clock=lambda: 1_800_000_000.0)
    assert [file.path for file in made.manifest.files] == PATHS
    assert verify(saved(host, made.id)) == made.manifest
    assert (made.manifest.host, made.manifest.image_id, made.manifest.created) == ("one", "sha256:1234", "2027-01-15T08:00:00Z")
    assert sorted(made.manifest.keys) == ["home/auth/encryption_key", "home/auth/jwt_secret_key"]
    assert made.manifest.model_files == [{"uid": "chat", "path": "/models/mine.gguf", "size": None}]
    assert made.manifest.warnings == []
    assert [each.id for each in host.restic.snapshots("one")] == [made.id]
    row = described(made.id, made.manifest)
    assert (row["id"], row["bytes"], len(row["files"])) == (made.id[:8], made.manifest.size, len(PATHS))
    assert status(host) == {
        **{"version": 1, "last_success": "2027-01-15T08:00:00Z", "last_attempt": "2027-01-15T08:00:00Z", "snapshot": made.id, "verified": True},
        **{"files": len(PATHS), "bytes": made.manifest.size, "failed": "", "repository": host.settings.repository, "warnings": []},
        **{"tidied": "2027-01-15T08:00:00Z", "keeps": [7, 4]},
    }


def test_what_is_only_in_the_log_of_a_database_is_in_the_snapshot(host: Host) -> None:
    with closing(sqlite3.connect(host.home / "auth/auth.db")) as database:
        database.execute("PRAGMA wal_autocheckpoint=0")
        database.executemany("INSERT INTO users VALUES (?)", [(f"user-{number}",) for number in range(50)])
        database.commit()
        assert (host.home / "auth/auth.db-wal").stat().st_size > 0
        made = make(host.settings, host.docker, host.restic)
    assert len(users(saved(host, made.id) / "home/auth/auth.db")) == 51


def test_a_snapshot_is_consistent_while_the_server_writes(host: Host) -> None:
    """Two rows are always written together; a snapshot has both or none."""
    stopped = threading.Event()
    written = threading.Event()

    def write() -> None:
        with closing(sqlite3.connect(host.home / "auth/auth.db", timeout=60)) as database:
            number = 0
            while not stopped.is_set():
                database.executemany("INSERT INTO users VALUES (?)", [(f"a{number}",), (f"b{number}",)])
                database.commit()
                number += 1
                written.set()

    writer = threading.Thread(target=write)
    writer.start()
    try:
        assert written.wait(60)
        made = make(host.settings, host.docker, host.restic)
    finally:
        stopped.set()
        writer.join()
    found = users(saved(host, made.id) / "home/auth/auth.db")[1:]
    assert found
    assert sorted(name[1:] for name in found if name[0] == "a") == sorted(name[1:] for name in found if name[0] == "b")


def test_the_container_sees_the_server_s_volumes_and_no_network(host: Host) -> None:
    make(host.settings, host.docker, host.restic)
    (made,) = host.engine.made
    assert (made["Image"], made["User"], made["NetworkDisabled"]) == ("sha256:1234", "1000:1000", True)
    limits = made["HostConfig"]
    assert (limits["NetworkMode"], limits["CapDrop"], limits["CapAdd"], limits["LogConfig"]) == ("none", ["ALL"], ["CHOWN"], {"Type": "none"})
    assert limits["CpuShares"] < 1024
    assert (limits["VolumesFrom"], limits["ReadonlyRootfs"], limits["UsernsMode"]) == (["xinference"], True, "host")
    assert host.engine.asked[-1].startswith("DELETE /containers/xinference-backup") or "DELETE /containers/xinference-backup?force=1" in host.engine.asked


def test_nothing_of_it_is_left_in_the_staging_directory(host: Host) -> None:
    make(host.settings, host.docker, host.restic)
    staging = Path(host.settings.staging_directory)
    assert list(staging.iterdir()) == []
    assert stat.S_IMODE(staging.stat().st_mode) == 0o700


def test_what_a_killed_run_left_goes(host: Host) -> None:
    left = Path(host.settings.staging_directory, "work/snapshot/home")
    left.mkdir(parents=True)
    (left / "secret").write_text("secret")
    make(host.settings, host.docker, host.restic)
    assert not left.exists()


def test_a_snapshot_that_is_read_back_otherwise_has_failed(host: Host) -> None:
    def spoil(folder: Path) -> None:
        (folder / "home/auth/jwt_secret_key").write_text("s3cret")

    host.repository.spoils = spoil
    with pytest.raises(BackupError, match="it is damaged: 'home/auth/jwt_secret_key' is not what its manifest names"):
        make(host.settings, host.docker, host.restic)
    assert "forget" not in " ".join(host.repository.calls)


def test_a_failure_keeps_when_the_last_one_succeeded(host: Host) -> None:
    make(host.settings, host.docker, host.restic, clock=lambda: 1_800_000_000.0)
    host.repository.fails["backup"] = ["Fatal: wrong password or no key found\n"]
    with pytest.raises(BackupError):
        make(host.settings, host.docker, host.restic, clock=lambda: 1_800_086_400.0)
    found = status(host)
    assert (found["last_success"], found["last_attempt"], found["verified"]) == ("2027-01-15T08:00:00Z", "2027-01-16T08:00:00Z", True)
    words = "xinference_backup_password does not open the repository"
    assert str(found["failed"]).startswith(words)
    assert str(found["failed"]).endswith(".")


def test_a_repository_that_others_use_for_hours_is_tidied_another_day(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    """They may upload the files of their models; the snapshot is made all the same."""
    make(host.settings, host.docker, host.restic, clock=lambda: 1_800_000_000.0)

    def locked(_restic: Restic) -> None:
        raise Locked("the repository is locked by another process")

    monkeypatch.setattr(Restic, "forget", locked)
    lines: list[str] = []
    make(host.settings, host.docker, host.restic, report=lines.append, clock=lambda: 1_800_086_400.0)
    found = status(host)
    assert (found["last_success"], found["tidied"], found["failed"]) == ("2027-01-16T08:00:00Z", "2027-01-15T08:00:00Z", "")
    assert lines[-1] == "old snapshots stay, and the repository is not checked, until the next backup: the repository is locked by another process"
    with pytest.raises(BackupError, match="locked by another process"):
        make(host.settings, host.docker, host.restic, clock=lambda: 1_800_086_400.0 + 4 * 86_400)
    assert status(host)["last_success"] == "2027-01-16T08:00:00Z"


def test_keys_of_other_accounts_are_a_warning(host: Host) -> None:
    (host.home / "auth/encryption_key").write_text("1" * 64)
    made = make(host.settings, host.docker, host.restic)
    assert made.manifest.warnings == ["The server's keys do not belong to its accounts: the newest API key cannot be decrypted with them."]


def test_the_key_may_come_from_the_container_s_environment(host: Host) -> None:
    (host.home / "auth/encryption_key").rename(host.home / "auth/other")
    host.engine.environment = [f"XINFERENCE_AUTH_ENCRYPTION_KEY={'0' * 64}"]
    assert make(host.settings, host.docker, host.restic).manifest.warnings == []


def test_a_damaged_database_is_named(host: Host) -> None:
    (host.home / "launch_history.db").write_bytes(b"SQLite format 3\0" + b"x" * 8000)
    with pytest.raises(BackupError, match=r"launch_history\.db"):
        make(host.settings, host.docker, host.restic)
    assert host.repository.rows == []


def test_no_link_of_the_server_is_followed(host: Host, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("of the host")
    (host.home / "auth/shadow").symlink_to(secret)
    (host.home / "model/v2/link").symlink_to(tmp_path)
    (tmp_path / "found.json").write_text("{}")
    (host.home / "system-settings.json").symlink_to(secret)
    (host.service / "launched.json").symlink_to(secret)
    with pytest.raises(BackupError, match=r"launched\.json' cannot be read"):
        make(host.settings, host.docker, host.restic)
    (host.service / "launched.json").unlink()
    assert [file.path for file in make(host.settings, host.docker, host.restic).manifest.files] == PATHS


@pytest.mark.parametrize(
    ("says", "words"),
    [
        (b'{"path": "../../etc/passwd", "size": 3}\nabc', "which no backup takes"),
        (b'{"path": "/etc/passwd", "size": 3}\nabc', "which no backup takes"),
        (b'{"path": "auth/../x", "size": 3}\nabc', "which no backup takes"),
        (b'{"path": "auth/a", "size": -1}\n', "which no backup takes"),
        (b'{"path": "auth/a", "size": true}\n', "which no backup takes"),
        (b'{"path": "auth/a", "size": 99999999999999}\n', "larger than 2048 MiB"),
        (b'{"path": "auth/a", "size": 10}\nabc', "ended before it had sent everything"),
        (b"[]\n", "something else than was asked for"),
        (b"\xff\n", "something else than was asked for"),
        (b"x" * (2 << 20), "a line that is too long"),
        (b"", "ended without a word"),
    ],
)
def test_a_hostile_container_is_refused(host: Host, says: bytes, words: str) -> None:
    host.engine.says = says
    with pytest.raises(BackupError, match=words):
        make(host.settings, host.docker, host.restic)
    assert host.repository.rows == []


def test_a_file_that_comes_twice_is_refused(host: Host) -> None:
    host.engine.says = b'{"path": "auth/a", "size": 1}\na{"path": "auth/a", "size": 1}\nb'
    with pytest.raises(BackupError, match="File exists"):
        make(host.settings, host.docker, host.restic)


def test_without_a_container_there_is_no_backup(host: Host) -> None:
    host.engine.exists = False
    with pytest.raises(BackupError, match="there is no container 'xinference' on this host"):
        make(host.settings, host.docker, host.restic)


def test_docker_s_own_words_are_kept(host: Host) -> None:
    host.engine.refuses["POST /containers/create"] = "no space left on device"
    with pytest.raises(BackupError, match="no space left on device"):
        make(host.settings, host.docker, host.restic)


def test_a_snapshot_goes_into_an_archive_as_well(host: Host, tmp_path: Path) -> None:
    archive = tmp_path / "one.tar"
    make(host.settings, host.docker, host.restic, archive=archive)
    assert stat.S_IMODE(archive.stat().st_mode) == 0o600
    assert archive.stat().st_size > 0


def test_a_key_of_an_adopted_tree_without_accounts_is_no_problem(host: Host) -> None:
    (host.home / "auth/auth.db").unlink()
    assert make(host.settings, host.docker, host.restic).manifest.warnings == []
    make_accounts(host.home / "auth/auth.db")
    assert make(host.settings, host.docker, host.restic).manifest.warnings == []


def test_a_host_without_files_of_a_server_has_those_of_the_roles(host: Host) -> None:
    host.engine.says = b'{"end": true}\n'
    assert [file.path for file in make(host.settings, host.docker, host.restic).manifest.files] == [path for path in PATHS if path.startswith("host/")]
    for path in host.service.iterdir():
        path.unlink()
    with pytest.raises(BackupError, match="holds anything to back up"):
        make(host.settings, host.docker, host.restic)


def test_nothing_is_saved_of_a_restore_that_was_cut_off(host: Host) -> None:
    state = Path(host.settings.state_directory, "restore.json")
    state.parent.mkdir()
    for text in ('{"state": "placing"}', '{"state": "returning"}', "damaged"):
        state.write_text(text)
        with pytest.raises(BackupError, match="a restore was cut off before all files were in place"):
            make(host.settings, host.docker, host.restic)
    assert host.repository.rows == []
    state.write_text('{"state": "placed"}')
    make(host.settings, host.docker, host.restic)


@pytest.mark.parametrize("text", ['{"state": "changing"}', '{"state": "returning"}', "damaged", ""])
def test_nothing_is_saved_while_an_upgrade_is_under_way(host: Host, text: str) -> None:
    """It is not certain which server the data are of."""
    record = Path(host.settings.upgrade_directory, "upgrade.json")
    record.parent.mkdir()
    record.write_text(text)
    words = "an upgrade is under way, or was cut off, so there is nothing certain to back up; if no run is making it, run playbook upgrade again"
    with pytest.raises(BackupError, match=f"^{words}$"):
        make(host.settings, host.docker, host.restic)
    assert (host.repository.rows, host.engine.made) == ([], [])
    assert status(host)["failed"] == f"A{words[1:]}."
    # The record of versions is none of an upgrade.
    record.rename(record.with_name("versions.json"))
    make(host.settings, host.docker, host.restic)


def test_a_directory_that_is_a_link_is_named(host: Host, tmp_path: Path) -> None:
    (host.home / "auth").rename(tmp_path / "elsewhere")
    (host.home / "auth").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(BackupError, match="/auth is a link, which no backup follows; mount what it leads to"):
        make(host.settings, host.docker, host.restic)


def commands(host: Host) -> list[str]:
    """The commands of restic that were called since the last time."""
    names = [call.partition(" ")[0] for call in host.repository.calls]
    host.repository.calls.clear()
    return names


def test_old_snapshots_are_removed_once_a_day(host: Host) -> None:
    """A failed check is not forgotten: the next backup checks again."""
    begun, hour = 1_800_000_000.0, 3600.0

    def make_at(seconds: float, keep_daily: int = 7) -> list[str]:
        make(replace(host.settings, keep_daily=keep_daily), host.docker, host.restic, clock=lambda: seconds)
        return commands(host)

    plain, whole = ["backup", "restore"], ["backup", "restore", "forget", "snapshots", "check"]
    assert make_at(begun) == whole
    assert make_at(begun + hour) == plain
    assert make_at(begun + 20 * hour) == plain
    assert make_at(begun + 20 * hour + 1) == whole
    assert make_at(begun + 21 * hour) == plain
    # Another number of them, and a clock that goes wrong.
    assert make_at(begun + 22 * hour, keep_daily=3) == whole
    assert make_at(begun + 23 * hour, keep_daily=3) == plain
    assert make_at(begun, keep_daily=3) == whole
    host.repository.fails["check"] = ["Fatal: repository contains errors\n"]
    with pytest.raises(BackupError, match="repository contains errors"):
        make_at(begun + 40 * hour, keep_daily=3)
    assert str(status(host)["failed"]).endswith("repository contains errors.")
    assert commands(host) == whole
    assert make_at(begun + 41 * hour, keep_daily=3) == whole
    assert status(host)["failed"] == ""


def test_another_repository_is_looked_after_at_once(host: Host, tmp_path: Path) -> None:
    make(host.settings, host.docker, host.restic)
    commands(host)
    make(replace(host.settings, repository=str(tmp_path / "elsewhere")), host.docker, host.restic)
    assert commands(host) == ["backup", "restore", "forget", "snapshots", "check"]


def test_where_the_files_cannot_be_read_restic_is_stopped(host: Host) -> None:
    host.engine.exists = False
    with pytest.raises(BackupError, match="there is no container 'xinference' on this host"):
        make(host.settings, host.docker, host.restic)
    assert commands(host) == ["unlock"]
    assert host.repository.rows == []
