# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Local files of models in a backup: which are taken along, and what is said of the others. A real restic does it in tests/repositories."""

from __future__ import annotations

import errno
import json
import os
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.inferops.xinference.plugins.module_utils._core.backup import missing_files, model_files
from ansible_collections.inferops.xinference.plugins.module_utils._core.backup.backup import Made, make
from ansible_collections.inferops.xinference.plugins.module_utils._core.backup.contents import described
from ansible_collections.inferops.xinference.plugins.module_utils._core.backup.restic import Restic
from ansible_collections.inferops.xinference.plugins.module_utils._core.base.lock import Lock
from ansible_collections.inferops.xinference.tests.unit.plugins.module_utils._core.backup.conftest import Host


def mount(source: Path, target: str, writable: bool = False) -> dict[str, Any]:
    """A directory of the host that the container sees, as Docker describes it."""
    return {"Type": "bind", "Source": str(source), "Destination": target, "RW": writable}


def declare(host: Host, *paths: str) -> None:
    """Let models be declared, one for each path."""
    gguf, other = {"engine": "llama.cpp"}, {"type": "embedding", "engine": "sentence_transformers"}
    models = [{"uid": f"m{number}", "name": "mine", "path": path, **(gguf if path.endswith(".gguf") else other)} for number, path in enumerate(paths)]
    (host.service / "declaration.json").write_text(json.dumps({"version": 1, "options": {"models": models}}))


@pytest.fixture
def models(host: Host, tmp_path: Path) -> Path:
    """The directory for files of models, with a file and a directory, which the container sees read-only."""
    models = tmp_path / "models"
    (models / "embed/deep").mkdir(parents=True)
    for name, content in {"mine.gguf": b"weights", "embed/config.json": b"{}", "embed/deep/model.bin": b"w" * 100, "embed/empty": b""}.items():
        (models / name).write_bytes(content)
    host.engine.mounts = [mount(models, "/models")]
    declare(host, "/models/mine.gguf", "/models/embed")
    return models


def made(host: Host) -> Made:
    """A snapshot that takes the files along."""
    settings = replace(host.settings, model_files=True)
    return make(settings, host.docker, Restic(settings, host.restic.secrets, host.repository))


def reasons(host: Host) -> list[str]:
    """Why files of a snapshot are not in it."""
    return [str(each["problem"]) for each in made(host).manifest.model_files if each["snapshot"] is None]


def test_files_of_models_are_taken_along(host: Host, models: Path) -> None:
    first = made(host)
    (_before, ordinary), (held,) = host.restic.snapshots(), host.restic.with_files()
    assert (ordinary.id, ordinary.files, ordinary.has_files, held.files, held.has_files) == (first.id, held.id, False, "", True)
    more = {"snapshot": held.id, "problem": ""}
    sizes = [("config.json", 2), ("deep/model.bin", 100), ("empty", 0)]
    assert first.manifest.model_files == [
        # This container sees none of it, so it measured nothing.
        {"uid": "m0", "path": "/models/mine.gguf", "size": None, **more, "source": f"{models}/mine.gguf", "files": [{"path": "", "size": 7}]},
        {
            **{"uid": "m1", "path": "/models/embed", "size": None, **more, "source": f"{models}/embed"},
            "files": [{"path": path, "size": size} for path, size in sizes],
        },
    ]
    assert described(first.id, first.manifest)["model_files"][0] == {
        **{"uid": "m0", "path": "/models/mine.gguf", "size": None, "snapshot": held.id[:8], "problem": ""}
    }
    assert described("/x/one.tar", first.manifest)["model_files"][0]["snapshot"] is None
    # What did not change is not read again, also where there are other files besides.
    (models / "more.gguf").write_bytes(b"more")
    declare(host, "/models/mine.gguf", "/models/embed", "/models/embed/deep", "/models/more.gguf")
    made(host)
    backups = [call for call in host.repository.calls if "inferops.xinference.models" in call and call.startswith("backup")]
    common = "backup --json --host one --tag inferops.xinference.models --tag container=xinference --exclude .xinference-restore"
    assert backups == [f"{common} {models}/embed {models}/mine.gguf", f"{common} --parent {held.id} {models}/embed {models}/mine.gguf {models}/more.gguf"]


def test_accounts_do_not_wait_for_gigabytes(host: Host, models: Path) -> None:
    """They are safe before the first of them is read, and whoever restores meanwhile finds nothing locked."""
    seen: list[Any] = []

    def look(_folder: Path) -> None:
        status = json.loads(Path(host.settings.state_directory, "status.json").read_text())
        manifest = json.loads((host.repository.folder / status["snapshot"] / "manifest.json").read_text())
        alone = Lock(f"{host.settings.staging_directory}.lock").try_hold()
        assert alone is not None
        with alone:
            seen.append([status["failed"], [each["problem"] for each in manifest["model_files"]], list(Path(host.settings.staging_directory).iterdir())])

    host.repository.spoils_files = look
    made(host)
    words = [f"/models/{path} is not in the backup yet." for path in ("mine.gguf of model 'm0'", "embed of model 'm1'")]
    assert seen == [["", words, []]]


def test_what_the_repository_holds_already_is_not_saved_again(host: Host, models: Path) -> None:
    first, second = made(host), made(host)
    assert second.manifest.model_files == first.manifest.model_files
    assert (len(host.restic.with_files()), len(host.restic.snapshots())) == (1, 3)
    # Of the same size, and another content.
    os.utime(models / "mine.gguf", ns=(1, 1))
    third = made(host)
    assert [each["snapshot"] for each in third.manifest.model_files] == [host.restic.with_files()[-1].id] * 2
    assert len(host.restic.with_files()) == 2


def test_what_is_held_is_named_also_where_nothing_is_to_be_saved(host: Host, models: Path) -> None:
    """As for an upgrade, which touches no model file and waits for none."""
    (held,) = {each["snapshot"] for each in made(host).manifest.model_files}
    (models / "mine.gguf").write_bytes(b"other weights")
    settings = replace(host.settings, model_files=True)
    found = make(settings, host.docker, Restic(settings, host.restic.secrets, host.repository), model_files=False)
    assert [each["snapshot"] for each in found.manifest.model_files] == [None, held]
    assert (len(host.restic.with_files()), found.failure) == (1, "")


def test_they_are_taken_along_on_request_alone(host: Host, models: Path) -> None:
    found = make(host.settings, host.docker, host.restic)
    assert found.manifest.model_files == [{"uid": "m0", "path": "/models/mine.gguf", "size": None}, {"uid": "m1", "path": "/models/embed", "size": None}]
    assert not any("inferops.xinference.models" in call for call in host.repository.calls if call.startswith("backup"))


def test_without_local_files_there_is_no_such_snapshot(host: Host) -> None:
    declare(host)
    made(host)
    assert (host.restic.with_files(), [each.files for each in host.restic.snapshots()]) == ([], [""])
    assert not any(call.startswith("ls") for call in host.repository.calls)


def test_what_the_container_can_write_is_named(host: Host, models: Path) -> None:
    """It could put a link to any file of the host in its place, and restic is root."""
    declare(host, f"{host.home}/cache/weights.bin", "/models/mine.gguf")
    path = f"{host.home}/cache/weights.bin"
    words = f"{path} of model 'm0' is not in the backup: the container could put a link in its place; put it into {models}."
    assert reasons(host) == [words]
    status = json.loads(Path(host.settings.state_directory, "status.json").read_text())
    assert (status["warnings"], status["failed"]) == ([words], "")


@pytest.mark.parametrize(("source", "target"), [("models", "/again"), ("models/embed", "/inner"), ("models/embed/deep", "/deep")])
def test_what_the_container_can_write_by_another_mount_is_named(host: Host, models: Path, source: str, target: str) -> None:
    host.engine.mounts.append(mount(models.parent / source, target, writable=True))
    (*_others, said) = reasons(host)
    place = "a directory that it sees read-only" if source == "models" else "/"
    assert said.startswith("/models/embed of model 'm1' is not in the backup: the container could put a link in its place; put it into ")
    assert place in said


def test_a_mount_behind_a_link_of_the_host_is_known_by_where_it_is(host: Host, models: Path) -> None:
    link = models.parent / "link"
    link.symlink_to(models)
    host.engine.mounts = [mount(link, "/models")]
    assert made(host).manifest.model_files[0]["source"] == f"{models}/mine.gguf"
    host.engine.mounts.append(mount(models, "/again", writable=True))
    assert len(reasons(host)) == 2


def link(models: Path) -> None:
    (models / "mine.gguf").rename(models / "other.gguf")
    (models / "mine.gguf").symlink_to(models / "other.gguf")


def link_above(models: Path) -> None:
    (models / "embed").rename(models / "elsewhere")
    (models / "embed").symlink_to("elsewhere")


def link_inside(models: Path) -> None:
    (models / "embed/deep/link").symlink_to("/etc/shadow")


def remove(models: Path) -> None:
    (models / "mine.gguf").unlink()


def pipe(models: Path) -> None:
    os.mkfifo(models / "embed/pipe")


def no_files(models: Path) -> None:
    for path in sorted((models / "embed").rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()


def odd_name(models: Path) -> None:
    (models / "embed/a\nb").write_text("x")


@pytest.mark.parametrize(
    ("change", "path", "words"),
    [
        (link, "/models/mine.gguf", "it is a link; put the file itself in its place"),
        (link_above, "/models/embed/config.json", "it lies behind a link; declare the path to which that leads"),
        (link_above, "/models/embed", "it is a link; put the file itself in its place"),
        (link_inside, "/models/embed", "'deep/link' in it is a link; put the file itself in its place"),
        (remove, "/models/mine.gguf", "it does not exist"),
        (pipe, "/models/embed", "'pipe' in it is neither a file nor a directory"),
        (no_files, "/models/embed", "it is a directory without files"),
        (odd_name, "/models/embed", "the name of 'a\\nb' in it cannot be written down"),
        (lambda models: None, "/nowhere/mine.gguf", "it lies in no directory of this host"),
    ],
)
def test_what_is_not_taken_along_is_named(host: Host, models: Path, change: Any, path: str, words: str) -> None:
    change(models)
    declare(host, path)
    assert reasons(host) == [f"{path} of model 'm0' is not in the backup: {words}."]
    assert host.restic.with_files() == []


def test_no_path_leads_out_of_a_mount(models: Path) -> None:
    volumes = [
        {"source": str(models), "real": str(models), "target": "/models", "read_only": True},
        {"source": str(models / "embed"), "real": str(models / "embed"), "target": "/models/inner", "read_only": True},
    ]
    paths = ("/models/../etc/passwd", "/models2/x", "models/x", "/", "", "/models/a/../b", "/models/inner/x", "//models/x")
    found = {path: model_files.located(path, volumes) for path in paths}
    places = {path: place and str(place.path) for path, place in found.items()}
    assert places == {
        **dict.fromkeys(("/models/../etc/passwd", "/models2/x", "models/x", "/", "")),
        **{"/models/a/../b": f"{models}/b", "/models/inner/x": f"{models}/embed/x", "//models/x": f"{models}/x"},
    }


def test_there_is_a_bound_of_files(host: Host, models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model_files, "MOST_MODEL_FILES", 3)
    (said,) = reasons(host)
    assert said == "/models/embed of model 'm1' is not in the backup: with it there are more than 3 files."
    # Only itself is left out, and what two models share counts once.
    declare(host, "/models/embed", "/models/mine.gguf", "/models/embed")
    (said,) = reasons(host)
    assert said == "/models/mine.gguf of model 'm1' is not in the backup: with it there are more than 3 files."
    for number in range(12):
        (models / f"embed/{number}").touch()
    said, _same = reasons(host)
    assert said.endswith("it cannot be read: there are too many names to read.")
    assert [each["snapshot"] is None for each in made(host).manifest.model_files] == [True, False, True]


def test_where_they_cannot_be_saved_the_rest_is(host: Host, models: Path) -> None:
    """Accounts and keys are what nobody can download again."""
    host.repository.fails_of_files = ["Save() failed: write /r/data/x: no space left on device\n"]
    found = made(host)
    (snapshot,) = host.restic.snapshots()
    begins = f"Snapshot {snapshot.id[:8]} was made and read back, but the files of models are not saved: there is no room in the repository"
    assert found.failure.startswith(begins)
    status = json.loads(Path(host.settings.state_directory, "status.json").read_text())
    assert (status["snapshot"], status["last_success"], status["failed"]) == (snapshot.id, status["last_attempt"], found.failure)
    manifest = json.loads((host.repository.folder / snapshot.id / "manifest.json").read_text())
    assert [each["snapshot"] for each in manifest["model_files"]] == [None, None]


def test_where_one_cannot_be_saved_those_of_before_are_named_still(host: Host, models: Path) -> None:
    """Or a restore of the newest snapshot would not bring them back, and some day they would be removed."""
    (held,) = {each["snapshot"] for each in made(host).manifest.model_files}
    (models / "mine.gguf").write_bytes(b"other weights")
    host.repository.fails_of_files = ["Save() failed: write /r/data/x: no space left on device\n"]
    found = made(host)
    assert [each["snapshot"] for each in found.manifest.model_files] == [None, held]
    assert host.restic.snapshots()[-1].files == held
    assert "no room in the repository" in found.failure


@pytest.mark.parametrize("size", [6, 8, None])
def test_a_file_that_is_saved_otherwise_has_failed_alone(host: Host, models: Path, size: int | None) -> None:
    def spoil(folder: Path) -> None:
        path = folder / str(models).lstrip("/") / "mine.gguf"
        path.write_bytes(b"x" * size) if size else path.unlink()

    host.repository.spoils_files = spoil
    found = made(host)
    words = rf"mine\.gguf' has 7 bytes, and in snapshot [0-9a-f]{{8}} {size or 'none'}; it changes, so the next backup tries again\."
    assert re.search(rf"the files of models are not all saved: .*{words}$", found.failure)
    other, embed = found.manifest.model_files
    assert re.search(words, other["problem"])
    assert (other["snapshot"], embed["snapshot"]) == (None, host.restic.with_files()[-1].id)


def test_a_repository_on_the_host_does_not_fill_its_file_system(host: Host, models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    host.repository.folder.mkdir()
    room = os.statvfs(host.repository.folder)
    free = room.f_bavail * room.f_frsize
    made(host)
    # Nothing is free. What is in it already needs none.
    monkeypatch.setattr(model_files, "_LEAVES", 2 * free)
    made(host)
    (models / "mine.gguf").write_bytes(b"other weights")
    words = r"there is no room for 13 bytes of model files in the repository .*: 0 bytes are free, besides 1 GiB that stays\.$"
    assert re.search(words, made(host).failure)
    # Of another place nothing is known.
    monkeypatch.setattr(type(host.settings), "local", None)
    assert made(host).failure == ""


def named(found: Made) -> str:
    """The snapshot that holds the files of a snapshot's models."""
    (name,) = {str(each["snapshot"]) for each in found.manifest.model_files}
    return name


def kept(host: Host) -> list[str]:
    """The snapshots with files of models that stay when those are removed that nobody names."""
    host.restic.forget_files()
    return [each.id for each in host.restic.with_files()]


def again(host: Host, models: Path) -> Made:
    """A snapshot with another file."""
    (models / "mine.gguf").write_bytes(os.urandom(7))
    return made(host)


def test_a_snapshot_of_files_goes_with_the_last_one_that_names_it(host: Host, models: Path) -> None:
    found = [again(host, models) for _time in range(3)]
    names = [named(each) for each in found]
    # One that was cut off is named nowhere, and the newest: where nothing else names it, it is the only copy all the same.
    cut = host.restic.save_files([str(models)])
    assert len(set(names)) == 3
    assert kept(host) == [*names, cut]
    # The first snapshot of the second time names it, too: what did not change is still there.
    host.repository.rows = [row for row in host.repository.rows if row["id"] != found[0].id]
    assert kept(host) == [*names, cut]
    host.repository.rows = [row for row in host.repository.rows if f"models={names[0]}" not in row["tags"]]  # type: ignore[operator]
    assert kept(host) == [*names[1:], cut]
    calls = len(host.repository.calls)
    assert kept(host) == [*names[1:], cut]
    assert not any(call.startswith("forget") for call in host.repository.calls[calls:])


def test_snapshots_that_were_copied_or_tagged_are_known_by_the_id_that_they_had(host: Host, models: Path) -> None:
    """Another repository gives each of them another one, and keeps the first one beside."""
    found = [again(host, models) for _time in range(3)]
    names = [named(each) for each in found]
    for row in host.repository.rows:
        if "inferops.xinference.models" in row["tags"]:  # type: ignore[operator]
            other = f"{str(row['id'])[::-1]}"
            (host.repository.folder / str(row["id"])).rename(host.repository.folder / other)
            row.update(original=row["id"], id=other)
    moved = [name[::-1] for name in names]
    assert kept(host) == moved
    assert host.restic.known_as({names[0], "0" * 64}) == {names[0]: moved[0]}
    # By that it is named again, too.
    assert named(made(host)) == names[-1]


def test_where_a_named_one_is_gone_none_is_removed(host: Host, models: Path) -> None:
    """Whoever removed it by hand may have moved it."""
    found = [again(host, models) for _time in range(3)]
    host.repository.rows = [row for row in host.repository.rows if row["id"] not in (named(found[0]), found[1].id)]
    assert kept(host) == [named(each) for each in found[1:]]


def test_those_of_other_hosts_and_containers_stay(host: Host, models: Path) -> None:
    for settings in (replace(host.settings, host="two"), replace(host.settings, container="other")):
        Restic(settings, host.restic.secrets, host.repository).save_files([str(models)])
    host.restic.forget_files()
    assert len(host.repository.rows) == 2


def test_a_backup_removes_what_a_restore_left_that_was_cut_off(host: Host, models: Path) -> None:
    left = models / ".xinference-restore"
    (left / "files").mkdir(parents=True)
    record = Path(host.settings.state_directory, "model-files.json")
    record.parent.mkdir()
    record.write_text(json.dumps([str(left)]))
    # Not that of a run that is at it.
    with Lock(f"{host.settings.staging_directory}-files.lock").hold(0):
        make(host.settings, host.docker, host.restic)
    assert left.exists()
    make(host.settings, host.docker, host.restic)
    assert not left.exists()
    assert not record.exists()


def test_what_a_backup_may_not_remove_is_not_taken_along(host: Host, models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """To its unit, the file system is read-only."""

    def refuse(_settings: object) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr(missing_files, "clear", refuse)
    left = models / "embed/.xinference-restore/files"
    left.mkdir(parents=True)
    (left / "model.bin").touch()
    (entry,) = (each for each in made(host).manifest.model_files if each["uid"] == "m1")
    assert [file["path"] for file in entry["files"]] == ["config.json", "deep/model.bin", "empty"]
