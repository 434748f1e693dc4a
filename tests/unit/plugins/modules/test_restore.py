# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module ``restore`` as Ansible runs it; scenario backup has a real Docker and a real restic."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.inferops.xinference.plugins.module_utils._core.backup.contents import BackupError, File, Manifest
from ansible_collections.inferops.xinference.plugins.module_utils._core.backup.missing_files import Missing, Plan
from ansible_collections.inferops.xinference.plugins.module_utils._core.backup.model_files import Place
from ansible_collections.inferops.xinference.plugins.module_utils._core.backup.restic import Snapshot
from ansible_collections.inferops.xinference.plugins.module_utils._core.backup.restore import Checked, Restore
from ansible_collections.inferops.xinference.plugins.modules import restore
from ansible_collections.inferops.xinference.tests.unit.plugins.modules.backup_settings import write_settings
from ansible_collections.inferops.xinference.tests.unit.plugins.modules.module_runner import Runner

ID = "0123456789abcdef" * 4
MANIFEST = Manifest(
    *("one", "xinference", "2026-01-31T03:00:00Z", "0.1.0", "4.1.0", "image", "sha256:1", "/home"),
    files=[File("home/auth/auth.db", 5, "0" * 64)],
)
FOUND = Checked(ID, MANIFEST, [Snapshot(ID, "one", "2026-01-31T03:00:00Z", "/run/x")])


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Runner:
    """Runs the module."""
    return Runner(restore.main, capsys, monkeypatch)


@pytest.fixture
def settings(tmp_path: Path) -> str:
    """File with settings."""
    return str(write_settings(tmp_path))


@pytest.fixture
def called(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What is called of the core."""
    calls: list[Any] = []

    def noted(name: str, answer: Any) -> Callable[..., Any]:
        def call(self: Restore, *arguments: Any) -> Any:
            calls.append((name, self.timeout, *arguments))
            return answer

        return call

    for name, answer in (("check", FOUND), ("place_files", FOUND), ("place", FOUND), ("keep", True), ("undo", False)):
        monkeypatch.setattr(Restore, name, noted(name, answer))
    return calls


def refused(run: Runner, **arguments: Any) -> str:
    """Why the module does nothing; no secret is in what it prints or logs."""
    answer = run(**arguments)
    assert answer["failed"]
    assert "marked" not in run.output + str(run.logged)
    assert answer["msg"].endswith(".")
    return str(answer["msg"])


@pytest.mark.parametrize(
    ("check", "options", "call", "changed"),
    [
        (False, {"state": "checked"}, ("check", 300.0, "latest", None), False),
        (True, {"state": "checked"}, ("check", 300.0, "latest", None), False),
        (False, {"state": "placed", "restore_id": "1"}, ("place", 300.0, "latest", None, "1"), True),
        (True, {"state": "placed", "restore_id": "1"}, ("check", 300.0, "latest", None), True),
        (False, {"state": "placed", "restore_id": "1", "from": "01234567", "source_host": "two", "timeout": 5}, ("place", 5.0, "01234567", "two", "1"), True),
        (False, {"state": "checked", "from": "/x/one.tar", "source_host": ""}, ("check", 300.0, "/x/one.tar", None), False),
        (False, {"state": "files_placed", "source_host": "two"}, ("place_files", 300.0, "latest", "two"), False),
        (True, {"state": "files_placed"}, ("check", 300.0, "latest", None), False),
    ],
)
def test_a_snapshot_is_read_or_put_into_place(
    run: Runner, settings: str, called: list[Any], check: bool, options: dict[str, Any], call: tuple[Any, ...], changed: bool
) -> None:
    answer = run(check=check, settings_path=settings, **options)
    assert called == [call]
    assert answer["changed"] is changed
    assert (answer["snapshot"]["id"], answer["snapshot"]["files"]) == ("01234567", [{"path": "home/auth/auth.db", "size": 5}])
    assert answer["snapshots"] == [{"id": "01234567", "host": "one", "time": "2026-01-31T03:00:00Z"}]
    assert "marked" not in run.output + str(run.logged)


@pytest.mark.parametrize(("state", "check", "changed"), [("checked", False, False), ("files_placed", False, True), ("files_placed", True, True)])
def test_files_of_models_that_are_missing(run: Runner, settings: str, monkeypatch: pytest.MonkeyPatch, state: str, check: bool, changed: bool) -> None:
    mounts: list[object] = []

    def found(self: Restore, *_arguments: Any) -> Checked:
        mounts.append(self.mounts)
        lost = Missing(Place(Path("/srv/models"), ("a.gguf",)), 7, ID, "/srv/models/a.gguf")
        return replace(FOUND, files=Plan([lost], ["/b of model 'x' is not put into place: no directory of this host is mounted there."]))

    for name in ("check", "place_files"):
        monkeypatch.setattr(Restore, name, found)
    answer = run(check=check, settings_path=settings, state=state, mounts=["/srv/models:/models:ro,Z"])
    assert mounts == [["/srv/models:/models:ro,Z"]]
    assert (answer["changed"], answer["missing_files"]) == (changed, [{"path": "/srv/models/a.gguf", "size": 7}])
    assert answer["file_problems"] == ["/b of model 'x' is not put into place: no directory of this host is mounted there."]


@pytest.mark.parametrize("mount", ["", "/models", "models:/models:ro", "/a:/b", "/a:b:ro", "/a:/b:ro:x", "/a:/b:"])
def test_a_mount_that_is_none_is_named(run: Runner, settings: str, called: list[Any], mount: str) -> None:
    words = refused(run, settings_path=settings, state="checked", mounts=["/a:/b:ro", mount])
    assert words == f"mounts: '{mount}' is none; write it as /srv/xinference_data/models:/models:ro."
    assert called == []


@pytest.mark.parametrize(("state", "call", "changed"), [("kept", "keep", True), ("undone", "undo", False)])
def test_what_was_there_before(run: Runner, settings: str, called: list[Any], state: str, call: str, changed: bool, tmp_path: Path) -> None:
    answer = run(settings_path=settings, state=state, restore_id="1")
    assert called == [(call, 300.0, "1")]
    assert (answer["changed"], answer["snapshot"], answer["snapshots"]) == (changed, None, [])
    del called[:]
    assert not run(check=True, settings_path=settings, state=state, restore_id="1")["changed"]
    (tmp_path / "state_directory").mkdir()
    (tmp_path / "state_directory/restore.json").write_text('{"state": "placed", "id": "1"}')
    assert run(check=True, settings_path=settings, state=state, restore_id="1")["changed"]
    assert called == []


@pytest.mark.parametrize("source", ["", "0123456", "0" * 65, "0123456G", "ABCDEF01", "LATEST", "latest ", "one.tar", "./one.tar", "/", "--target", "/x\n/y"])
def test_other_snapshots_are_refused(run: Runner, settings: str, called: list[Any], source: str) -> None:
    words = refused(run, settings_path=settings, state="placed", restore_id="1", **{"from": source})
    assert words == f"from '{source}' must be latest, 8 to 64 digits of an ID (0 to 9, a to f), or an absolute path."
    assert called == []


@pytest.mark.parametrize(("state", "name"), [("checked", "check"), ("files_placed", "place_files"), ("placed", "place"), ("kept", "keep"), ("undone", "undo")])
def test_failures_are_sentences(run: Runner, settings: str, monkeypatch: pytest.MonkeyPatch, state: str, name: str) -> None:
    def fail(*_arguments: Any) -> None:
        raise BackupError("there is no room")

    monkeypatch.setattr(Restore, name, fail)
    assert refused(run, settings_path=settings, state=state, restore_id="1") == "There is no room."
    missing = refused(run, settings_path="/nowhere.json", state=state, restore_id="1")
    assert missing == "There is no '/nowhere.json'; provision this host with xinference_backup first."


def test_an_archive_that_is_none_is_named(run: Runner, settings: str, tmp_path: Path) -> None:
    """With all of the core, for which no server runs."""
    archive = tmp_path / "one.tar"
    for check in (True, False):
        words = refused(run, check=check, settings_path=settings, state="checked", **{"from": str(archive)})
        assert words == f"Archive {archive} cannot be restored: it is not there: there is no such file on this host."
    archive.write_text("marked")
    words = refused(run, settings_path=settings, state="checked", **{"from": str(archive)})
    assert words.startswith(f"Archive {archive} cannot be restored: it is no archive of a backup, or is damaged or cut: ")


def test_nothing_is_kept_or_undone_where_nothing_was_restored(run: Runner, settings: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ansible_collections.inferops.xinference.plugins.module_utils._core.host.replacement._LOCKS", str(tmp_path))
    for state in ("kept", "undone"):
        assert not run(settings_path=settings, state=state, restore_id="1")["changed"]
