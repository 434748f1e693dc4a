# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Repositories of backups in each place, with the restic of each release of Debian: what a backup and a restore ask of them, and what they refuse."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import KEY, PASSWORD, Store

from ansible_collections.inferops.xinference.plugins.module_utils._core.backup import command
from ansible_collections.inferops.xinference.plugins.module_utils._core.backup.contents import BackupError
from ansible_collections.inferops.xinference.plugins.module_utils._core.backup.missing_files import bring, plan
from ansible_collections.inferops.xinference.plugins.module_utils._core.backup.model_files import held, local
from ansible_collections.inferops.xinference.plugins.module_utils._core.backup.model_files import save as save_files
from ansible_collections.inferops.xinference.plugins.module_utils._core.backup.restic import NoRepository, Restic
from ansible_collections.inferops.xinference.tests.machine import wait_until

Made = tuple[Store, Callable[..., Restic]]


def save(restic: Restic, folder: Path, text: str) -> str:
    """A snapshot of a directory that is filled while restic opens the repository."""
    folder.mkdir(exist_ok=True)
    with restic.saving(folder) as finish:
        (folder / "manifest.json").write_text(text, encoding="utf-8")
        # Older versions of restic name it in short.
        return finish()[:8]


def test_a_backup_comes_back(made: Made, tmp_path: Path) -> None:
    _store, restic = made
    assert restic().ready(check=True) is True
    assert restic().ready() is True
    assert restic().ready() is False
    first, second = (save(restic(), tmp_path / "snapshot", text) for text in ("first", "second"))
    other = save(restic(host="host-08"), tmp_path / "snapshot", "of another host")
    assert [each.id[:8] for each in restic().snapshots("host-07")] == [first, second]
    assert [each.host for each in restic().snapshots()] == ["host-07", "host-07", "host-08"]
    assert restic(container="another").snapshots() == []
    (found,) = restic().snapshots("host-08")
    assert (found.id[:8], found.path, restic().read(found, "manifest.json")) == (other, str(tmp_path / "snapshot"), "of another host")
    for snapshot, text in ((first, "first"), (second, "second")):
        for number, fetch in enumerate((restic().fetch, restic().fetch_fresh)):
            target = tmp_path / f"{text}-{number}"
            fetch(snapshot, target)
            assert (target / (tmp_path / "snapshot/manifest.json").relative_to("/")).read_text(encoding="utf-8") == text
    restic().check()


def test_old_snapshots_are_removed_and_those_of_others_stay(made: Made, tmp_path: Path) -> None:
    _store, restic = made
    restic().ready()
    other = save(restic(host="host-08"), tmp_path / "snapshot", "other")
    ids = [save(restic(), tmp_path / "snapshot", str(number)) for number in range(5)]
    restic().forget()
    # Since 0.16, restic keeps the oldest one as well while there are fewer days and weeks than are to be kept.
    assert [each.id[:8] for each in restic().snapshots()] in ([other, *ids[-3:]], [other, ids[0], *ids[-3:]])
    restic().check()


def test_files_of_models_are_taken_along_and_come_back(made: Made, tmp_path: Path) -> None:
    _store, restic = made
    asked = restic()
    asked.ready()
    models = tmp_path / "models"
    contents = {"chat.gguf": b"weights" * 1000, "dir [Q4]*?/a\\b.safetensors": b"w", "dir [Q4]*?/empty": b"", "dir [Q4]*?/deep/c": b"cc"}
    for name, content in contents.items():
        (models / name).parent.mkdir(parents=True, exist_ok=True)
        (models / name).write_bytes(content)
    volumes = [{"source": str(models), "real": str(models), "target": "/models", "read_only": True}]
    named = [{"uid": "chat", "path": "/models/chat.gguf"}, {"uid": "embed", "path": "/models/dir [Q4]*?"}]
    # What a restore left is no part of a model.
    (models / "dir [Q4]*?/.xinference-restore/files").mkdir(parents=True)
    (models / "dir [Q4]*?/.xinference-restore/files/c").write_bytes(b"half")
    ordinary: list[str] = []
    files: list[str] = []
    for number in range(2):
        found = held(asked, local(volumes, named))
        # What did not change is known by what restic lists of it: a whole ID, of which an old restic said the begin when it saved.
        assert [str(each.entry["snapshot"])[: len(files[-1])] for each in found] == [files[-1], files[-1], "None"] if files else True
        saved, failure = save_files(asked.settings, asked, found)
        rows = [each.row for each in saved]
        assert failure == ""
        assert {row["problem"] for row in rows} == {""}
        files.append(rows[0]["snapshot"])
        (tmp_path / "snapshot").mkdir(exist_ok=True)
        with asked.saving(tmp_path / "snapshot", files[-1]) as finish:
            (tmp_path / "snapshot/manifest.json").write_text(str(number), encoding="utf-8")
            ordinary.append(finish())
        # One file more, by which the paths are others.
        (models / "more.gguf").write_bytes(b"more")
        named.append({"uid": "more", "path": "/models/more.gguf"})
    assert not any(".xinference-restore" in path for path in asked.listed(files[-1]))
    # Each kind is listed alone, and what is named stays.
    assert [each.id[: len(name)] for each, name in zip(asked.snapshots("host-07"), ordinary)] == ordinary
    assert [each.id[: len(name)] for each, name in zip(asked.with_files(), files)] == files
    assert [each.files for each in asked.snapshots()] == files
    entries = [{**row, "size": 1} for row in rows]
    assert plan(entries, volumes).missing == []
    shutil.rmtree(models / "dir [Q4]*?/.xinference-restore")
    shutil.rmtree(models / "dir [Q4]*?/deep")
    (models / "chat.gguf").unlink()
    (models / "dir [Q4]*?/a\\b.safetensors").unlink()
    lost = plan(entries, volumes)
    assert sorted(each.place.path.name for each in lost.missing) == ["a\\b.safetensors", "c", "chat.gguf"]
    bring(asked.settings, asked, lost)
    shutil.rmtree(models / "dir [Q4]*?")
    bring(asked.settings, asked, plan(entries, volumes))
    for name, content in contents.items():
        assert (models / name).read_bytes() == content
        assert ((models / name).stat().st_mode & 0o777, (models / name).parent.stat().st_mode & 0o777) == (0o644, 0o755)
    assert sorted(path.name for path in models.iterdir()) == ["chat.gguf", "dir [Q4]*?", "more.gguf"]
    assert list(Path(asked.settings.state_directory).glob("model-files*")) == []
    # Whoever tags one gives it another ID.
    asked._ask("tag", "--add", "worth-keeping", files[-1])
    (known,) = asked.known_as({files[-1]}).values()
    assert not known.startswith(files[-1])
    assert held(asked, local(volumes, named[:1]))[0].entry["snapshot"][: len(files[-1])] == files[-1]
    # One that is not named any more goes with the next day.
    asked._ask("forget", ordinary[0])
    asked.forget_files()
    assert [each.name[: len(files[1])] for each in asked.with_files()] == files[1:]
    asked.check()


def test_a_backup_that_is_not_whole_is_none(made: Made, tmp_path: Path) -> None:
    _store, restic = made
    restic().ready()
    (tmp_path / "snapshot").mkdir()
    with pytest.raises(RuntimeError, match="half of the files"), restic().saving(tmp_path / "snapshot"):
        raise RuntimeError("half of the files")
    assert restic().snapshots() == []
    # No lock is left, by which this would wait.
    restic().check()


def test_another_password(made: Made) -> None:
    store, restic = made
    restic().ready()
    with pytest.raises(BackupError, match=r"^xinference_backup_password does not open the repository .*wrong password or no key found") as error:
        restic(password="another one").ready()
    assert "another one" not in str(error.value)
    assert store.repository.startswith("rest:") or KEY not in str(error.value)


def test_no_repository(made: Made, tmp_path: Path) -> None:
    store, restic = made
    (tmp_path / "snapshot").mkdir()
    with pytest.raises(NoRepository, match=r"^there is no repository at ") as error:
        save(restic(), tmp_path / "snapshot", "text")
    assert PASSWORD not in str(error.value)
    assert store.files is None or not store.files.exists()


def test_a_lock_of_a_process_that_is_dead(made: Made, tmp_path: Path) -> None:
    """A host lost its power while it made a backup."""
    _store, restic = made
    restic().ready()
    asked = restic()
    backup = [asked.program, "backup", "--host", asked.settings.host, "--stdin"]

    def locks() -> str:
        return asked._ask("list", "locks", "--no-lock").strip()

    def lose_power() -> str:
        nothing = subprocess.DEVNULL
        with subprocess.Popen(backup, env=asked._environment(), stdin=subprocess.PIPE, stdout=nothing, stderr=nothing) as process:
            wait_until(locks, "the repository is locked", 0.5)
            process.kill()
        # Where it was still being written, it is gone.
        return locks()

    wait_until(lose_power, "a lock is left")
    restic().forget()
    snapshot = save(restic(), tmp_path / "snapshot", "text")
    assert [each.id[:8] for each in restic().snapshots()] == [snapshot]


def test_two_hosts_at_once(made: Made, tmp_path: Path) -> None:
    """Each saves, removes old snapshots and checks; one waits for the other."""
    _store, restic = made
    restic().ready()
    problems: list[BaseException] = []

    def nightly(host: str) -> None:
        try:
            asked = restic(host=host, state_directory=str(tmp_path / host))
            save(asked, tmp_path / f"snapshot-{host}", host)
            asked.forget()
            asked.check()
        except BaseException as error:
            problems.append(error)

    threads = [threading.Thread(target=nightly, args=(host,)) for host in ("host-07", "host-08")]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert problems == []
    assert sorted(each.host for each in restic().snapshots()) == ["host-07", "host-08"]


def test_a_damaged_repository(made: Made, tmp_path: Path) -> None:
    store, restic = made
    if store.files is None:
        pytest.skip("the files of this server are in its memory; those of the other places are damaged")
    restic().ready()
    snapshot = save(restic(), tmp_path / "snapshot", "text " * 1000)
    for path in sorted(store.files.glob("data/*/*")):
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 255
        path.chmod(0o600)
        path.write_bytes(content)
    with pytest.raises(BackupError, match=r"^restic (restore|check) failed for the repository "):
        restic(state_directory=str(tmp_path / "fresh")).fetch(snapshot, tmp_path / "back")
        restic(state_directory=str(tmp_path / "fresh")).check()


def test_a_server_that_is_gone(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is another sentence than that of a repository that is missing, or a new one would be made."""
    store, restic = made
    if store.repository.startswith("/"):
        pytest.skip("a directory has no server")
    # Versions differ in how long they try.
    monkeypatch.setattr(command, "_OPENING", 20.0)
    gone = store.repository.replace("127.0.0.1", "127.0.0.2")
    with pytest.raises(BackupError) as error:
        restic(repository=gone).ready(check=True)
    assert not isinstance(error.value, NoRepository), error.value
    assert re.match("restic cat (failed|did not end within 20 s) for the repository ", str(error.value))
    assert os.linesep not in str(error.value)
    assert PASSWORD not in str(error.value)
