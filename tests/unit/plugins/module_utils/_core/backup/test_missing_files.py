# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Local files of models that come back: what is missing and nothing else, and nothing by halves. Scenario backup loses real ones."""

from __future__ import annotations

import errno
import json
import os
import shutil
import stat
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.inferops.xinference.plugins.module_utils._core.backup import missing_files
from ansible_collections.inferops.xinference.plugins.module_utils._core.backup.backup import make
from ansible_collections.inferops.xinference.plugins.module_utils._core.backup.contents import BackupError
from ansible_collections.inferops.xinference.plugins.module_utils._core.backup.restic import Restic
from ansible_collections.inferops.xinference.plugins.module_utils._core.backup.restore import Restore
from ansible_collections.inferops.xinference.plugins.module_utils._core.backup.settings import Settings
from ansible_collections.inferops.xinference.plugins.module_utils._core.base.lock import Lock
from ansible_collections.inferops.xinference.plugins.module_utils._core.host.docker import DockerSocket
from ansible_collections.inferops.xinference.tests.unit.plugins.module_utils._core.backup.conftest import Host
from ansible_collections.inferops.xinference.tests.unit.plugins.module_utils._core.backup.test_model_files import declare, mount

CONTENTS = {"mine.gguf": b"weights", "embed/config.json": b"{}", "embed/deep/model.bin": b"w" * 100, "embed/empty": b""}


@pytest.fixture
def models(host: Host, tmp_path: Path) -> Path:
    """The directory for files of models, of which there is a snapshot."""
    models = tmp_path / "models"
    (models / "embed/deep").mkdir(parents=True)
    for name, content in CONTENTS.items():
        (models / name).write_bytes(content)
    host.engine.mounts = [mount(models, "/models")]
    declare(host, "/models/mine.gguf", "/models/embed")
    settings = replace(host.settings, model_files=True)
    make(settings, host.docker, Restic(settings, host.restic.secrets, host.repository))
    host.repository.calls.clear()
    return models


def restore(host: Host, *mounts: str) -> Restore:
    """A restore on the host of these tests."""
    return Restore(host.settings, host.docker, host.restic, timeout=5, mounts=mounts)


def names(models: Path, found: Any) -> list[str]:
    """Names of the files that are missing."""
    return sorted(str(each.place.path.relative_to(models)) for each in found.files.missing)


def left(host: Host, models: Path) -> list[Path]:
    """What a restore left behind."""
    return [*models.rglob(".xinference-restore"), *Path(host.settings.state_directory).glob("model-files.json")]


def whole(models: Path) -> bool:
    """Whether everything is there again."""
    return {str(path.relative_to(models)): path.read_bytes() for path in models.rglob("*") if path.is_file()} == CONTENTS


def test_where_nothing_is_missing_nothing_is_done(host: Host, models: Path) -> None:
    asked = restore(host)
    assert names(models, asked.check("latest")) == []
    assert names(models, asked.place_files("latest")) == []
    assert not any("--include" in call for call in host.repository.calls)


def test_what_is_missing_comes_back_and_the_rest_stays(host: Host, models: Path) -> None:
    (models / "mine.gguf").unlink()
    shutil.rmtree(models / "embed/deep")
    kept = (models / "embed/config.json").stat()
    asked = restore(host)
    host.engine.asked.clear()
    assert names(models, asked.check("latest")) == ["embed/deep/model.bin", "mine.gguf"]
    assert not (models / "mine.gguf").exists()
    found = asked.place_files("latest")
    assert names(models, found) == ["embed/deep/model.bin", "mine.gguf"]
    assert {each.row()["size"] for each in found.files.missing} == {7, 100}
    assert whole(models)
    for path, mode in ((models / "mine.gguf", 0o644), (models / "embed/deep", 0o755), (models / "embed/deep/model.bin", 0o644)):
        assert (stat.S_IMODE(path.stat().st_mode), path.stat().st_uid) == (mode, os.geteuid())
    assert (models / "embed/config.json").stat() == kept
    # The server goes on.
    assert not any(line.startswith("POST") for line in host.engine.asked)
    assert left(host, models) == []
    assert names(models, asked.check("latest")) == []


def test_the_whole_directory_comes_back(host: Host, models: Path) -> None:
    shutil.rmtree(models)
    # Whoever runs the host made it again, or mounted it.
    with pytest.raises(BackupError, match=rf"^'{models}' is no directory of this host; make it, or mount its file system there$"):
        restore(host).place_files("latest")
    assert names(models, restore(host).check("latest")) == sorted(CONTENTS)
    models.mkdir()
    restore(host).place_files("latest")
    assert whole(models)


def test_a_file_that_is_mounted_itself_comes_back(host: Host, models: Path, tmp_path: Path) -> None:
    host.engine.mounts = [mount(models / "mine.gguf", "/models/mine.gguf"), mount(models / "embed", "/models/embed")]
    (models / "mine.gguf").unlink()
    restore(host).place_files("latest")
    assert whole(models)


def test_another_file_is_refused_before_anything_is_touched(host: Host, models: Path) -> None:
    (models / "mine.gguf").write_bytes(b"other weights")
    shutil.rmtree(models / "embed")
    for call in (restore(host).check, restore(host).place_files):
        with pytest.raises(BackupError) as raised:
            call("latest")
        words = f"it holds other files of models than this host has: {models}/mine.gguf has 13 bytes, in the snapshot 7; move away what is to come back"
        assert str(raised.value).startswith("Snapshot ")
        assert str(raised.value).endswith(f" cannot be restored: {words}")
    assert sorted(path.name for path in models.iterdir()) == ["mine.gguf"]


def directory(models: Path) -> str:
    (models / "mine.gguf").unlink()
    (models / "mine.gguf").mkdir()
    return f"{models}/mine.gguf is no file"


def link_to_nothing(models: Path) -> str:
    (models / "mine.gguf").unlink()
    (models / "mine.gguf").symlink_to("/nowhere")
    return f"{models}/mine.gguf is a link to nothing"


def directory_is_link_to_nothing(models: Path) -> str:
    shutil.rmtree(models / "embed/deep")
    (models / "embed/deep").symlink_to("/nowhere")
    return f"{models}/embed/deep is a link to nothing"


def directory_is_file(models: Path) -> str:
    shutil.rmtree(models / "embed/deep")
    (models / "embed/deep").write_text("x")
    return f"{models}/embed/deep/model.bin cannot be read (Not a directory)"


@pytest.mark.parametrize("change", [directory, link_to_nothing, directory_is_link_to_nothing, directory_is_file])
def test_what_else_is_in_the_way_is_refused(host: Host, models: Path, change: Callable[[Path], str]) -> None:
    words = change(models)
    with pytest.raises(BackupError) as raised:
        restore(host).place_files("latest")
    assert f"it holds other files of models than this host has: {words}; move away what is to come back" in str(raised.value)
    assert left(host, models) == []


def test_many_are_counted(host: Host, models: Path) -> None:
    for name in CONTENTS:
        (models / name).write_bytes(b"another length")
    with pytest.raises(BackupError, match=r"bytes, in the snapshot \d+ and 1 more; move away") as raised:
        restore(host).check("latest")
    assert str(raised.value).count(" in the snapshot ") == 3


def test_a_link_that_leads_somewhere_in_the_container_stays(host: Host, models: Path) -> None:
    (models / "mine.gguf").rename(models / "other.gguf")
    (models / "mine.gguf").symlink_to("/models/other.gguf")
    assert names(models, restore(host).place_files("latest")) == []


def test_a_link_of_the_host_on_the_way_is_not_written_through(host: Host, models: Path, tmp_path: Path) -> None:
    shutil.rmtree(models / "embed/deep")
    (tmp_path / "elsewhere").mkdir()
    (models / "embed/deep").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(BackupError, match=r"embed/deep is a link to nothing|cannot be put into place"):
        restore(host).place_files("latest")
    assert list((tmp_path / "elsewhere").iterdir()) == []
    assert left(host, models) == []


def test_without_room_nothing_is_touched(host: Host, models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.rmtree(models / "embed")
    monkeypatch.setattr(missing_files, "_LEAVES", 1 << 60)
    with pytest.raises(BackupError, match=rf"it holds 102 bytes of model files that this host lacks, and {models} has room for 0$"):
        restore(host).place_files("latest")
    assert not (models / "embed").exists()


def test_what_neither_host_nor_snapshot_has_is_refused(host: Host, models: Path) -> None:
    """Before the server is stopped, whose models could not answer afterwards."""
    host.repository.spoils = forget_entries
    assert names(models, restore(host).check("latest")) == []
    (models / "mine.gguf").unlink()
    with pytest.raises(BackupError) as raised:
        restore(host).check("latest")
    assert "it does not hold /models/mine.gguf of model 'm0' " in str(raised.value)
    assert str(raised.value).endswith(f"({models}/mine.gguf on this host), and this host lacks it; copy it there first")


def forget_entries(folder: Path) -> None:
    """Let a snapshot be one that took no files along."""
    change(folder, lambda entry: {"uid": entry["uid"], "path": entry["path"], "size": 7})


def change(folder: Path, how: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    """Change what a manifest says of files of models."""
    content = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps({**content, "model_files": [how(entry) for entry in content["model_files"]]}))


def test_an_archive_brings_none(host: Host, models: Path, tmp_path: Path) -> None:
    settings = replace(host.settings, model_files=True)
    archive = tmp_path / "one.tar"
    make(settings, host.docker, Restic(settings, host.restic.secrets, host.repository), archive=archive)
    shutil.rmtree(models / "embed")
    assert names(models, restore(host).place_files(str(archive))) == []
    assert not (models / "embed").exists()


def test_where_the_container_can_write_nothing_is_put_into_place(host: Host, models: Path) -> None:
    (models / "mine.gguf").unlink()
    host.engine.mounts = [mount(models, "/models", writable=True)]
    found = restore(host).place_files("latest").files
    paths = ("/models/mine.gguf of model 'm0'", "/models/embed of model 'm1'")
    assert found.problems == [f"{path} is not put into place: the container could put a link in its place." for path in paths]
    host.engine.mounts = []
    found = restore(host).place_files("latest").files
    assert found.problems == [f"{path} is not put into place: no directory of this host is mounted there." for path in paths]
    assert not (models / "mine.gguf").exists()


def test_on_a_host_without_a_container_the_declared_mounts_count(host: Host, models: Path) -> None:
    host.engine.exists = False
    (models / "mine.gguf").unlink()
    assert names(models, restore(host, f"{models}:/models:ro,Z").check("latest")) == ["mine.gguf"]
    assert restore(host, f"{models}:/models:rw").check("latest").files.missing == []
    # A container that is there is not as it was declared.
    host.engine.exists = True
    assert names(models, restore(host, "/nowhere:/models:ro").check("latest")) == ["mine.gguf"]


def test_on_a_machine_without_docker_the_declared_mounts_count(host: Host, models: Path) -> None:
    """It is installed after the snapshot was read: a machine that is new has none."""
    (models / "mine.gguf").unlink()
    mounts = [f"{models}:/models:ro"]
    asked = Restore(host.settings, DockerSocket(f"unix://{models}/nothing.sock"), host.restic, timeout=5, mounts=mounts)
    assert names(models, asked.check("latest")) == ["mine.gguf"]
    host.engine.close()
    assert names(models, restore(host, *mounts).check("latest")) == ["mine.gguf"]


def test_a_snapshot_of_files_that_was_copied_is_found(host: Host, models: Path) -> None:
    (row,) = (row for row in host.repository.rows if "inferops.xinference.models" in row["tags"])  # type: ignore[operator]
    (host.repository.folder / str(row["id"])).rename(host.repository.folder / str(row["id"])[::-1])
    row.update(original=row["id"], id=str(row["id"])[::-1])
    (models / "mine.gguf").unlink()
    restore(host).place_files("latest")
    assert whole(models)


def test_a_snapshot_of_files_that_is_gone_is_known_before_anything_is_touched(host: Host, models: Path) -> None:
    host.repository.rows = [row for row in host.repository.rows if "inferops.xinference.models" not in row["tags"]]  # type: ignore[operator]
    assert names(models, restore(host).check("latest")) == []
    (models / "mine.gguf").unlink()
    with pytest.raises(BackupError, match=r"^Snapshot .* cannot be restored: it does not hold /models/mine\.gguf of model 'm0' .*copy it there first$"):
        restore(host).check("latest")


def test_no_call_of_restic_is_longer_than_the_kernel_takes(host: Host, models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.rmtree(models / "embed")
    (models / "mine.gguf").unlink()
    # Two of these paths are longer.
    monkeypatch.setattr(missing_files, "_CALL", 2 * len(str(models)) + 100)
    restore(host).place_files("latest")
    calls = [call for call in host.repository.calls if "--include" in call]
    assert [call.count("--include") for call in calls] == [1] * len(CONTENTS)
    assert whole(models)


def test_one_run_at_a_time_puts_files_into_place(host: Host, models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(missing_files, "_OTHERS", 0.0)
    (models / "mine.gguf").unlink()
    with (
        Lock(f"{host.settings.staging_directory}-files.lock").hold(0),
        pytest.raises(BackupError, match=r"cannot be put into place: .* another run is putting files of models into place$"),
    ):
        restore(host).place_files("latest")
    # Nothing else waits for it.
    with Lock(f"{host.settings.staging_directory}-files.lock").hold(0):
        assert names(models, restore(host).check("latest")) == ["mine.gguf"]


def test_what_cannot_be_removed_does_not_hide_why_it_failed(host: Host, models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (models / "mine.gguf").unlink()
    asked = restore(host)

    def fail(*_arguments: Any) -> None:
        monkeypatch.setattr(missing_files, "clear", refuse)
        raise BackupError("there is no room")

    def refuse(_settings: Settings) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(asked.restic, "fetch_files", fail)
    with pytest.raises(BackupError, match=r"^there is no room$"):
        asked.place_files("latest")


def test_a_container_that_chooses_its_mounts_is_refused(host: Host, models: Path) -> None:
    host.engine.mounts.append(mount(models.parent, "/all", writable=True))
    with pytest.raises(BackupError, match="can choose what of this host is mounted in it"):
        restore(host).place_files("latest")


def test_what_docker_does_not_answer_is_a_sentence(host: Host, models: Path) -> None:
    host.engine.refuses["GET /containers"] = "a daemon that is tired"
    with pytest.raises(BackupError, match="a daemon that is tired"):
        restore(host).check("latest")


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"snapshot": "../x"}, "it does not say where the files of a model are"),
        ({"snapshot": 7}, "it does not say where the files of a model are"),
        ({"source": "etc/passwd"}, "it does not say where the files of a model are"),
        ({"source": "/models/../etc"}, "it does not say where the files of a model are"),
        ({"source": None}, "it does not say where the files of a model are"),
        ({"files": {}}, "it does not say where the files of a model are"),
        ({"path": "/models/a\nb"}, "it does not say where the files of a model belong"),
        ({"path": "/models/" + "x" * 4096}, "it does not say where the files of a model belong"),
        ({"path": None}, "it does not say where the files of a model belong"),
        ({"files": ["x"]}, "the file 'null' of a model, which no backup takes"),
        ({"files": [{"path": "../../etc/cron.d/x", "size": 1}]}, "the file '../../etc/cron.d/x' of a model, which no backup takes"),
        ({"files": [{"path": "/etc/passwd", "size": 1}]}, "the file '/etc/passwd' of a model, which no backup takes"),
        ({"files": [{"path": "a\nb", "size": 1}]}, "the file 'a\\nb' of a model, which no backup takes"),
        ({"files": [{"path": "a", "size": -1}]}, "the size of 'a', a file of a model, is none"),
        ({"files": [{"path": "a", "size": True}]}, "the size of 'a', a file of a model, is none"),
        ({"files": [{"path": "a", "size": 1}] * 5_001}, "names more than 5000 files of models"),
    ],
)
def test_a_manifest_that_leads_elsewhere_is_refused(host: Host, models: Path, changed: dict[str, Any], words: str) -> None:
    host.repository.spoils = lambda folder: change(folder, lambda entry: {**entry, **changed} if entry["uid"] == "m0" else entry)
    (models / "mine.gguf").unlink()
    with pytest.raises(BackupError) as raised:
        restore(host).place_files("latest")
    assert words in str(raised.value)
    assert left(host, models) == []


def link_in_the_snapshot(restored: Path) -> None:
    (restored / "mine.gguf").unlink()
    (restored / "mine.gguf").symlink_to("/etc/shadow")


def directory_is_link_in_the_snapshot(restored: Path) -> None:
    restored.rename(restored.with_name("elsewhere"))
    restored.symlink_to("elsewhere")


def shorter_in_the_snapshot(restored: Path) -> None:
    (restored / "mine.gguf").write_bytes(b"w")


def nothing_in_the_snapshot(restored: Path) -> None:
    (restored / "mine.gguf").unlink()


def directory_in_the_snapshot(restored: Path) -> None:
    (restored / "mine.gguf").unlink()
    (restored / "mine.gguf").mkdir()


@pytest.mark.parametrize(
    "spoil",
    [link_in_the_snapshot, directory_is_link_in_the_snapshot, shorter_in_the_snapshot, nothing_in_the_snapshot, directory_in_the_snapshot],
)
def test_what_restic_writes_otherwise_is_not_put_into_place(host: Host, models: Path, spoil: Callable[[Path], None]) -> None:
    """Another host that shares the repository made the snapshot."""
    (models / "mine.gguf").unlink()
    host.repository.spoils_restored = lambda target: spoil(target / str(models).lstrip("/"))
    with pytest.raises(BackupError):
        restore(host).place_files("latest")
    assert not (models / "mine.gguf").is_file()
    assert left(host, models) == []


def test_what_comes_meanwhile_stays(host: Host, models: Path) -> None:
    (models / "mine.gguf").unlink()

    def come(_target: Path) -> None:
        (models / "mine.gguf").write_text("come meanwhile")

    host.repository.spoils_restored = come
    with pytest.raises(BackupError, match=r"mine\.gguf' has come meanwhile, and stays as it is"):
        restore(host).place_files("latest")
    assert (models / "mine.gguf").read_text() == "come meanwhile"
    assert left(host, models) == []


def test_no_secret_lies_in_memory_while_gigabytes_come(host: Host, models: Path) -> None:
    (models / "mine.gguf").unlink()
    seen: list[Path] = []
    host.repository.spoils_restored = lambda _target: seen.extend(Path(host.settings.staging_directory).rglob("*"))
    restore(host).place_files("latest")
    assert (seen, whole(models)) == ([], True)


def test_where_restic_fails_nothing_is_left(host: Host, models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (models / "mine.gguf").unlink()
    host.repository.fails["restore"] = []
    asked = restore(host)
    asked.check("latest")
    fetch = asked.restic.fetch_files

    def fail(*arguments: Any) -> None:
        host.repository.fails["restore"] = ["write: no space left on device\n"]
        fetch(*arguments)

    monkeypatch.setattr(asked.restic, "fetch_files", fail)
    with pytest.raises(BackupError, match="there is no room for the files of models that restic reads back"):
        asked.place_files("latest")
    assert left(host, models) == []


@pytest.mark.parametrize("count", [1, 2])
@pytest.mark.parametrize("step", ["replace_private", "mkdir", "fetch", "fsync", "rename", "clear"])
def test_a_restore_that_is_killed_at_any_moment_is_made_up_for(host: Host, models: Path, monkeypatch: pytest.MonkeyPatch, step: str, count: int) -> None:
    """What is in place is whole, and the next run removes what was left and goes on."""
    for name in ("mine.gguf", "embed/config.json", "embed/deep/model.bin"):
        (models / name).unlink()
    done: list[str] = []
    dead: list[str] = []
    places = {"fetch": (Restic, "fetch_files"), "replace_private": (missing_files, step), "clear": (missing_files, step)}
    where, name = places.get(step, (os, step))
    real, clear = getattr(where, name), missing_files.clear

    def killed(*arguments: Any, **options: Any) -> Any:
        # Others make directories, and synchronise what they write, too.
        if (step == "mkdir" and "dir_fd" not in options) or (step == "fsync" and not list(models.rglob(".xinference-restore/files"))):
            return real(*arguments, **options)
        done.append(step)
        # That of a run before goes first of all.
        if len(done) == count + (step == "clear"):
            dead.append(step)
        if dead:
            raise KeyboardInterrupt
        return real(*arguments, **options)

    def cleared(settings: Settings) -> None:
        # Who is killed removes nothing.
        if not dead:
            clear(settings)

    with monkeypatch.context() as patched:
        patched.setattr(missing_files, "clear", cleared)
        patched.setattr(where, name, killed)
        with pytest.raises(KeyboardInterrupt):
            restore(host).place_files("latest")
    assert left(host, models) != [] or step == "replace_private"
    for each, content in CONTENTS.items():
        assert not (models / each).exists() or (models / each).read_bytes() == content
    restore(host).place_files("latest")
    assert whole(models)
    assert left(host, models) == []


def test_a_record_that_names_something_else_removes_nothing(host: Host, models: Path) -> None:
    record = Path(host.settings.state_directory, "model-files.json")
    for text in (json.dumps([str(models), 7, "relative/.xinference-restore"]), "{", "{}", "7"):
        record.write_text(text)
        missing_files.clear(host.settings)
        assert whole(models)
        assert not record.exists()
    (models / ".xinference-restore").symlink_to(models / "embed")
    record.write_text(json.dumps([f"{models}/.xinference-restore"]))
    missing_files.clear(host.settings)
    assert left(host, models) == []
    assert whole(models)
