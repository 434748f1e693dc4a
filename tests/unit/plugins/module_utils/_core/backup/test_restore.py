# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A restore: what comes back, what is refused before anything is touched, and that a failure leaves what was there before."""

from __future__ import annotations

import io
import json
import os
import shutil
import sqlite3
import tarfile
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from ansible_collections.inferops.xinference.plugins.module_utils._core.backup.backup import make
from ansible_collections.inferops.xinference.plugins.module_utils._core.backup.contents import BackupError
from ansible_collections.inferops.xinference.plugins.module_utils._core.backup.restic import Restic
from ansible_collections.inferops.xinference.plugins.module_utils._core.backup.restore import Restore
from ansible_collections.inferops.xinference.plugins.module_utils._core.host.replacement import Container, NotHealthy
from ansible_collections.inferops.xinference.tests.unit.plugins.module_utils._core.backup.conftest import Host, make_accounts, users


def restore(host: Host) -> Restore:
    """A restore on the host of these tests."""
    return Restore(host.settings, host.docker, host.restic, timeout=5)


def tree(folder: Path) -> dict[str, bytes]:
    """The files below a directory, without the log of a database, which comes and goes."""
    return {
        str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file() and not path.name.endswith(("-wal", "-shm"))
    }


def lose(host: Host) -> None:
    """What a user loses, and another server that was made since."""
    shutil.rmtree(host.home / "auth")
    make_accounts(host.home / "auth/auth.db", "2" * 64, ["other"])
    (host.home / "auth/encryption_key").write_text("2" * 64)
    (host.home / "model/v2/llm/mine.json").unlink()
    (host.home / "model/v2/llm/later.json").write_text("{}")
    (host.home / "worker-relaunches.json").write_text("{}")
    (host.service / "automation").write_text("other\n")
    (host.service / "launched.json").write_text("{}")


def test_everything_comes_back(host: Host) -> None:
    made = make(host.settings, host.docker, host.restic)
    lose(host)
    asked = restore(host)
    found = asked.place("latest", restore_id="1")
    assert (found.id, found.manifest) == (made.id, made.manifest)
    assert users(host.home / "auth/auth.db") == ["admin"]
    assert (host.home / "auth/encryption_key").read_text() == "0" * 64
    assert (host.home / "model/v2/llm/mine.json").exists()
    # What came since is not mixed with it, and what would confuse a server is gone.
    assert not (host.home / "model/v2/llm/later.json").exists()
    assert not (host.home / "worker-relaunches.json").exists()
    assert not (host.home / "worker-handoffs.json").exists()
    assert (host.service / "automation").read_text() == "password\n"
    assert not (host.service / "launched.json").exists()
    # Caches and the server's own downloads are as they were.
    assert (host.home / "cache/weights.bin").exists()
    order = [line for line in host.engine.asked if line.startswith("POST") and "backup" not in line]
    assert order == ["POST /containers/xinference/stop?t=30", "POST /containers/xinference/start"]
    assert asked.open("1")
    assert asked.keep("1")
    assert not asked.open("1")
    assert not (host.home / ".restore").exists()
    assert not asked.keep("1")


def test_a_newer_log_beside_an_old_database_does_not_come_back(host: Host) -> None:
    make(host.settings, host.docker, host.restic)
    database = sqlite3.connect(host.home / "auth/auth.db")
    database.execute("PRAGMA wal_autocheckpoint=0")
    database.execute("INSERT INTO users VALUES ('later')")
    database.commit()
    # As after a power cut: the log stays.
    shutil.copy(host.home / "auth/auth.db-wal", host.home / "kept")
    database.close()
    (host.home / "kept").rename(host.home / "auth/auth.db-wal")
    restore(host).place("latest", restore_id="1")
    assert users(host.home / "auth/auth.db") == ["admin"]


@pytest.mark.parametrize("server_wrote", [False, True])
def test_it_can_be_undone(host: Host, server_wrote: bool) -> None:
    make(host.settings, host.docker, host.restic)
    lose(host)
    before, service = tree(host.home), tree(host.service)
    asked = restore(host)
    asked.place("latest", restore_id="1")
    if server_wrote:
        with closing(sqlite3.connect(host.home / "auth/auth.db")) as database:
            database.execute("INSERT INTO users VALUES ('later')")
            database.commit()
        (host.home / "model/v2/llm/since.json").write_text("{}")
    assert asked.undo("1")
    assert tree(host.home) == before
    assert users(host.home / "auth/auth.db") == ["other"]
    assert tree(host.service) == service
    assert not asked.undo("1")


def test_a_server_that_does_not_get_healthy_gets_its_files_back(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    make(host.settings, host.docker, host.restic)
    lose(host)
    before = tree(host.home)
    real, calls = Container.make_healthy, []

    def unhealthy(self: Container, timeout: float, roll_back: bool = True) -> bool:
        calls.append(timeout)
        if len(calls) == 1:
            raise NotHealthy("its container ended with exit code 1", None, restored=False)
        return real(self, timeout, roll_back)

    monkeypatch.setattr(Container, "make_healthy", unhealthy)
    asked = restore(host)
    with pytest.raises(BackupError, match=r"The server is not ready: its container ended with exit code 1. What was there before is back, and the server runs"):
        asked.place("latest", restore_id="1")
    assert tree(host.home) == before
    assert not asked.open("1")
    assert (host.service / "automation").read_text() == "other\n"


def test_where_nothing_is_to_go_back_the_next_call_goes_on(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    """Such as for an upgrade, where what was there before is of a server that is gone."""
    make(host.settings, host.docker, host.restic)
    lose(host)
    asked = restore(host)

    def fail(*_arguments: object, **_options: object) -> bool:
        raise NotHealthy("its container ended with exit code 1", None, restored=False)

    with monkeypatch.context() as patched:
        patched.setattr(Container, "make_healthy", fail)
        with pytest.raises(BackupError, match=r"^The server is not ready: its container ended with exit code 1$"):
            asked.place("latest", restore_id="1", go_back=False)
    assert users(host.home / "auth/auth.db") == ["admin"]
    assert asked.open("1")
    asked.place("latest", restore_id="1", go_back=False)
    assert users(host.home / "auth/auth.db") == ["admin"]
    assert host.engine.status == "running"
    assert asked.keep("1")


def test_a_server_of_other_data_is_not_started_in_between(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    make(host.settings, host.docker, host.restic)
    lose(host)

    def cut(_self: Restore, _source: Path) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(Restore, "_place_host", cut)
        with pytest.raises(KeyboardInterrupt):
            restore(host).place("latest", restore_id="1", go_back=False)
    host.engine.asked.clear()
    restore(host).place("latest", restore_id="1", go_back=False)
    assert [line for line in host.engine.asked if line == "POST /containers/xinference/start"] == ["POST /containers/xinference/start"]
    assert users(host.home / "auth/auth.db") == ["admin"]


def test_a_restore_that_was_cut_off_goes_back_first(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    make(host.settings, host.docker, host.restic)
    lose(host)
    before = tree(host.home)

    def cut(_self: Restore, _source: Path) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(Restore, "_place_host", cut)
        with pytest.raises(KeyboardInterrupt):
            restore(host).place("latest", restore_id="1")
    asked = restore(host)
    assert asked.open("1")
    assert users(host.home / "auth/auth.db") == ["admin"]
    # Either of the two ways on.
    asked.place("latest", restore_id="1")
    assert users(host.home / "auth/auth.db") == ["admin"]
    assert asked.undo("1")
    assert tree(host.home) == before


def test_a_restore_that_was_cut_off_can_be_undone(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    make(host.settings, host.docker, host.restic)
    lose(host)
    before, service = tree(host.home), tree(host.service)

    def cut(*_arguments: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(Restore, "_place_host", cut)
        with pytest.raises(KeyboardInterrupt):
            restore(host).place("latest", restore_id="1")
    assert restore(host).undo("1")
    assert (tree(host.home), tree(host.service)) == (before, service)


@pytest.mark.parametrize("damaged", ["before", "coming"])
def test_a_file_of_the_service_that_holds_no_text_does_not_leave_a_server_that_is_stopped(host: Host, damaged: str) -> None:
    if damaged == "coming":
        (host.service / "automation").write_bytes(b"\xff")
    make(host.settings, host.docker, host.restic)
    lose(host)
    if damaged == "before":
        (host.service / "automation").write_bytes(b"\xff")
    before, service = tree(host.home), tree(host.service)
    asked = restore(host)
    with pytest.raises(BackupError, match=r"a file of the recovery service holds no text. What was there before is back, and the server runs"):
        asked.place("latest", restore_id="1")
    assert (tree(host.home), tree(host.service)) == (before, service)
    assert host.engine.status == "running"
    assert not asked.open("1")


def spoil_manifest(**changed: object) -> Callable[[Path], None]:
    """Changes a manifest of a snapshot that is read."""

    def spoil(folder: Path) -> None:
        content = json.loads((folder / "manifest.json").read_text())
        (folder / "manifest.json").write_text(json.dumps({**content, **changed}))

    return spoil


def add_link(folder: Path) -> None:
    """A link in a snapshot."""
    (folder / "home/auth/extra").symlink_to("/etc/shadow")


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda folder: (folder / "home/auth/auth.db").write_bytes(b"x"), "it is damaged: 'home/auth/auth.db' is not what its manifest names"),
        (lambda folder: (folder / "home/auth/auth.db").unlink(), "it is damaged or cut: 'home/auth/auth.db' is missing"),
        (lambda folder: (folder / "manifest.json").unlink(), "it is cut or none of this collection: it has no manifest"),
        (lambda folder: (folder / "manifest.json").write_text("{"), "its manifest cannot be read"),
        (lambda folder: (folder / "home/auth/more").write_text("x"), "it holds 'home/auth/more', which its manifest does not name"),
        (add_link, "it holds 'home/auth/extra', which is no regular file"),
        (spoil_manifest(format=2), "it is of format 2, and this version of the collection reads format 1"),
        (spoil_manifest(format="x"), "its manifest is damaged: it names no format"),
        (spoil_manifest(files=[{"path": "../../etc/passwd", "size": 1, "sha256": "0" * 64}]), "it holds '../../etc/passwd', which no backup takes"),
        (spoil_manifest(files=[{"path": "/etc/passwd", "size": 1, "sha256": "0" * 64}]), "it holds '/etc/passwd', which no backup takes"),
        (spoil_manifest(files=[7]), "its manifest is damaged: a file is no entry of its own"),
        (spoil_manifest(files=None), "its manifest is damaged: files is null"),
        (spoil_manifest(host=["x"]), "its manifest is damaged: host is"),
        (spoil_manifest(host="two"), "is of host 'two', and this is 'one'; set xinference_restore_host to restore it here"),
    ],
)
def test_what_is_wrong_with_a_snapshot_is_refused_before_anything_is_touched(host: Host, spoil: Callable[[Path], None], words: str) -> None:
    make(host.settings, host.docker, host.restic)
    host.repository.spoils = spoil
    before = tree(host.home)
    host.engine.asked.clear()
    asked = restore(host)
    for call in (asked.check, asked.place):
        with pytest.raises(BackupError) as raised:
            call("latest")
        assert words in str(raised.value)
        assert str(raised.value).startswith("Snapshot ")
    assert host.engine.asked == []
    assert tree(host.home) == before


def test_keys_of_other_accounts_are_refused(host: Host) -> None:
    """What the backup warned of is refused before anything is touched."""
    (host.home / "auth/encryption_key").write_text("1" * 64)
    make(host.settings, host.docker, host.restic)
    lose(host)
    before = tree(host.home)
    host.engine.asked.clear()
    for call in (restore(host).check, restore(host).place):
        with pytest.raises(BackupError, match=r"Snapshot .* cannot be restored: the server's keys do not belong to its accounts"):
            call("latest")
    assert host.engine.asked == []
    assert tree(host.home) == before


def test_keys_that_only_the_container_knows_to_be_wrong_are_refused(host: Host) -> None:
    """Such as those of a server that had its key from its environment."""
    (host.home / "auth/encryption_key").write_text("1" * 64)
    host.engine.environment = [f"XINFERENCE_AUTH_ENCRYPTION_KEY={'0' * 64}"]
    make(host.settings, host.docker, host.restic)
    host.engine.environment = []
    lose(host)
    before = tree(host.home)
    with pytest.raises(BackupError, match=r"cannot be restored: its keys do not belong to its accounts.*What was there before is back, and the server runs"):
        restore(host).place("latest", restore_id="1")
    assert tree(host.home) == before


def test_an_earlier_restore_stays_where_a_later_one_fails(host: Host) -> None:
    """The first was cut off when all was in place, and the server went on with it."""
    make(host.settings, host.docker, host.restic)
    lose(host)
    restore(host).place("latest", restore_id="first")
    with closing(sqlite3.connect(host.home / "auth/auth.db")) as database:
        database.execute("INSERT INTO users VALUES ('since')")
        database.commit()
    asked = restore(host)
    with pytest.raises(BackupError, match="holds no snapshot"):
        asked.place("ffffffff", restore_id="second")
    assert not asked.undo("second")
    assert not asked.undo("first")
    assert not asked.keep("first")
    assert users(host.home / "auth/auth.db") == ["admin", "since"]
    assert (host.service / "automation").read_text() == "password\n"
    assert not (host.home / ".restore").exists()
    # And where the later one gets as far as the files.
    host.repository.spoils = spoil_manifest(server="9.9.9")
    host.engine.server = "4.1.0"
    with pytest.raises(BackupError, match="What was there before is back"):
        asked.place("latest", restore_id="third")
    assert users(host.home / "auth/auth.db") == ["admin", "since"]


def test_going_back_that_was_cut_off_goes_on(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    make(host.settings, host.docker, host.restic)
    lose(host)
    before, service = tree(host.home), tree(host.service)
    restore(host).place("latest", restore_id="first")

    def cut(_self: Restore) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(Restore, "_host_back", cut)
        with pytest.raises(KeyboardInterrupt):
            restore(host).undo("first")
    # The next one fails for another reason, and ends this one first.
    with pytest.raises(BackupError, match="holds no snapshot"):
        restore(host).place("ffffffff", restore_id="second")
    assert (tree(host.home), tree(host.service)) == (before, service)


def test_a_snapshot_of_another_container_needs_the_name_of_its_host(host: Host, tmp_path: Path) -> None:
    archive = tmp_path / "one.tar"
    make(host.settings, host.docker, host.restic, archive=archive)
    other = replace(host.settings, container="another")
    asked = Restore(other, host.docker, Restic(other, host.restic.secrets, host.repository))
    with pytest.raises(BackupError, match="is of container 'xinference', and this is 'another'; set xinference_restore_host to restore it here"):
        asked.check(str(archive))
    assert asked.check(str(archive), "one").manifest.container == "xinference"


def test_an_older_server_is_refused(host: Host) -> None:
    make(host.settings, host.docker, host.restic)
    # The Python of these tests has no server, so the one of the container is made up.
    host.repository.spoils = spoil_manifest(server="9.9.9")
    host.engine.server = "4.1.0"
    with pytest.raises(BackupError, match=r"cannot be restored: it was made with Xinference 9.9.9, and this server is 4.1.0: an older server does not read"):
        restore(host).place("latest", restore_id="1")
    assert users(host.home / "auth/auth.db") == ["admin"]


def test_the_snapshot_is_chosen(host: Host) -> None:
    first = make(host.settings, host.docker, host.restic).id
    second = make(host.settings, host.docker, host.restic).id
    asked = restore(host)
    assert asked.check("latest").id == second
    assert asked.check(first[:8]).id == first
    assert [each.id for each in asked.check("latest").snapshots] == [first, second]
    with pytest.raises(BackupError, match=f"holds no snapshot 'ffffffff'; the last ones of this host are {first[:8]} of 2026-01-01T00:00:00, {second[:8]}"):
        asked.check("ffffffff")


def test_a_snapshot_of_another_host_needs_its_name(host: Host) -> None:
    other = replace(host.settings, host="two")
    made = make(other, host.docker, Restic(other, host.restic.secrets, host.repository))
    with pytest.raises(BackupError, match="holds no snapshot of container 'xinference' of host 'one'"):
        restore(host).check("latest")
    with pytest.raises(BackupError, match=f"Snapshot {made.id[:8]} is of host 'two', and this is 'one'; set xinference_restore_host to restore it here"):
        restore(host).check(made.id[:8])
    assert restore(host).check("latest", "two").id == made.id


def test_a_plain_archive_is_restored(host: Host, tmp_path: Path) -> None:
    archive = tmp_path / "one.tar"
    made = make(host.settings, host.docker, host.restic, archive=archive)
    lose(host)
    assert restore(host).place(str(archive), restore_id="1").manifest == made.manifest
    assert users(host.home / "auth/auth.db") == ["admin"]


def entry(name: str, content: bytes = b"x", kind: bytes = tarfile.REGTYPE, target: str = "") -> Callable[[Path], None]:
    """Writes an archive of one entry."""

    def write(path: Path) -> None:
        with tarfile.open(path, "w") as archive:
            found = tarfile.TarInfo(name)
            found.size, found.type, found.linkname = (len(content) if kind == tarfile.REGTYPE else 0), kind, target
            archive.addfile(found, io.BytesIO(content))

    return write


@pytest.mark.parametrize(
    ("write", "words"),
    [
        (entry("../../etc/cron.d/evil"), "which no backup takes"),
        (entry("/etc/cron.d/evil"), "which no backup takes"),
        (entry("home/../../x"), "which no backup takes"),
        (entry("home/auth/a", kind=tarfile.SYMTYPE, target="/etc/shadow"), "which is no regular file"),
        (entry("home/auth/a", kind=tarfile.LNKTYPE, target="/etc/shadow"), "which is no regular file"),
        (entry("home/auth/a", kind=tarfile.FIFOTYPE), "which is no regular file"),
        (entry("home/auth/a"), "it has no manifest"),
        (lambda path: path.write_bytes(b""), "damaged or cut"),
        (lambda path: path.write_bytes(b"no archive" * 1000), "damaged or cut"),
    ],
)
def test_a_hostile_archive_is_refused(host: Host, tmp_path: Path, write: Callable[[Path], None], words: str) -> None:
    archive = tmp_path / "evil.tar"
    write(archive)
    host.engine.asked.clear()
    with pytest.raises(BackupError) as raised:
        restore(host).place(str(archive), restore_id="1")
    assert words in str(raised.value)
    assert host.engine.asked == []


@pytest.mark.parametrize("share", [0.1, 0.5, 0.7, 0.999])
def test_a_cut_archive_is_refused(host: Host, tmp_path: Path, share: float) -> None:
    archive = tmp_path / "one.tar"
    make(host.settings, host.docker, host.restic, archive=archive)
    with tarfile.open(archive) as found:
        last = found.getmembers()[-1]
    # Behind the last file there is nothing that could be missed.
    os.truncate(archive, int((last.offset_data + last.size) * share))
    with pytest.raises(BackupError, match="damaged or cut"):
        restore(host).place(str(archive), restore_id="1")


def test_an_archive_that_is_not_there_is_named(host: Host) -> None:
    with pytest.raises(BackupError, match=r"Archive /nowhere\.tar cannot be restored: it is not there: there is no such file on this host"):
        restore(host).check("/nowhere.tar")


def test_what_a_server_did_to_the_files_of_before_is_a_sentence(host: Host) -> None:
    """It runs, with the snapshot in place, and can write beside it."""
    make(host.settings, host.docker, host.restic)
    asked = restore(host)
    asked.place("latest", restore_id="1")
    for text in ("", "[]", "{}", '{"before": 7}'):
        (host.home / ".restore/state.json").write_text(text)
        with pytest.raises(BackupError, match=r"/\.restore/state\.json is damaged; remove .*/\.restore to stay with what is there now"):
            asked.undo("1")


def test_files_of_before_that_a_server_removed_are_not_called_restored(host: Host) -> None:
    make(host.settings, host.docker, host.restic)
    asked = restore(host)
    asked.place("latest", restore_id="1")
    shutil.rmtree(host.home / ".restore")
    with pytest.raises(BackupError, match="are not there any more, so the server keeps those of the snapshot"):
        asked.undo("1")
