# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module ``backup`` as Ansible runs it, with a program in place of restic; scenario backup has a real one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.inferops.xinference.plugins.module_utils._core.backup.backup import Made
from ansible_collections.inferops.xinference.plugins.module_utils._core.backup.contents import BackupError, File, Manifest
from ansible_collections.inferops.xinference.plugins.module_utils._core.backup.restic import Restic, Snapshot
from ansible_collections.inferops.xinference.plugins.modules import backup
from ansible_collections.inferops.xinference.tests.unit.plugins.modules.backup_settings import write_settings
from ansible_collections.inferops.xinference.tests.unit.plugins.modules.module_runner import Runner

ID = "0123456789abcdef" * 4
MANIFEST = Manifest(
    *("one", "xinference", "2026-01-31T03:00:00Z", "0.1.0", "4.1.0", "image", "sha256:1", "/home"),
    files=[File("home/auth/auth.db", 5, "0" * 64)],
    model_files=[{"uid": "chat", "path": "/models/a", "size": None}],
    warnings=["Odd."],
)
#: Keeps a repository whose only file says that it is there; every error repeats what it was given.
RESTIC = """#!/bin/sh
echo "$@" >>"$RESTIC_REPOSITORY.calls"
case $1 in
cat) [ -e "$RESTIC_REPOSITORY/config" ] && exit
  echo "Fatal: unable to open config file for $RESTIC_PASSWORD with $TOKEN: no such file or directory" >&2; exit 1 ;;
init) : >"$RESTIC_REPOSITORY/config" ;;
esac
"""


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Runner:
    """Runs the module."""
    return Runner(backup.main, capsys, monkeypatch)


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """File with settings, and a program in place of restic."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/restic").write_text(RESTIC)
    (tmp_path / "bin/restic").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}/bin", prepend=":")
    return write_settings(tmp_path)


def refused(run: Runner, **arguments: Any) -> str:
    """Why the module does nothing; no secret is in what it prints or logs."""
    answer = run(**arguments)
    assert answer["failed"]
    assert "marked" not in run.output + str(run.logged)
    assert answer["msg"].endswith(".")
    assert answer["msg"].isprintable()
    return str(answer["msg"])


def test_the_repository_is_made_once_and_predicted(run: Runner, settings: Path, tmp_path: Path) -> None:
    expected: dict[str, Any] = {"changed": True, "snapshot": None, "snapshots": [], "files_failed": "", "failed": False}
    for check in (True, False):
        answer = run(check=check, settings_path=str(settings), state="ready")
        assert {name: answer[name] for name in expected} == expected
        assert "marked" not in run.output + str(run.logged)
        assert (tmp_path / "repository").exists() is not check
    for check in (True, False):
        assert not run(check=check, settings_path=str(settings), state="ready")["changed"]
    assert (tmp_path / "repository.calls").read_text().count("init") == 1


def test_a_snapshot(run: Runner, settings: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[Any] = []

    def make(found: Any, docker: Any, restic: Any, *, archive: Path | None, model_files: bool) -> Made:
        calls.append((found.host, docker.path, restic.secrets.password, archive, model_files))
        return Made(ID, MANIFEST, "" if model_files else "Files are not saved.")

    def snapshots(_restic: Any, host: str) -> list[Snapshot]:
        return [Snapshot(ID, host, "2026-01-31T03:00:00Z", "/run/x")]

    monkeypatch.setattr(backup, "make", make)
    monkeypatch.setattr(Restic, "snapshots", snapshots)
    assert run(check=True, settings_path=str(settings))["changed"]
    assert calls == []
    answer = run(settings_path=str(settings))
    assert answer["changed"]
    assert answer["snapshot"] == {
        **{"id": "01234567", "host": "one", "time": "2026-01-31T03:00:00Z", "files": [{"path": "home/auth/auth.db", "size": 5}], "bytes": 5},
        **{"server_version": "4.1.0", "image": "image", "image_id": "sha256:1", "collection_version": "0.1.0", "warnings": ["Odd."]},
        "model_files": [{"uid": "chat", "path": "/models/a", "size": None, "snapshot": None, "problem": ""}],
    }
    assert answer["snapshots"] == [{"id": "01234567", "host": "one", "time": "2026-01-31T03:00:00Z"}]
    assert answer["files_failed"] == ""
    # The snapshot is made all the same.
    answer = run(settings_path=str(settings), archive_path="/x/one.tar", model_files=False)
    assert (answer["changed"], answer["files_failed"]) == (True, "Files are not saved.")
    given = [(None, True), (Path("/x/one.tar"), False)]
    assert calls == [("one", f"{tmp_path}/docker.sock", "marked password", archive, files) for archive, files in given]
    assert "marked" not in run.output + str(run.logged)


def test_an_archive_is_of_a_snapshot(run: Runner, settings: Path) -> None:
    assert refused(run, settings_path=str(settings), state="ready", archive_path="/x/one.tar") == "archive_path is for state made."


def test_failures_are_sentences(run: Runner, settings: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_arguments: Any, **_options: Any) -> None:
        raise BackupError("there is no room")

    monkeypatch.setattr(backup, "make", fail)
    assert refused(run, settings_path=str(settings)) == "There is no room."
    (tmp_path / "bin/restic").write_text('#!/bin/sh\necho "Fatal: $RESTIC_PASSWORD, $TOKEN: wrong password or no key found" >&2\nexit 12\n')
    words = f"xinference_backup_password does not open the repository {tmp_path}/repository: Fatal: ********, ********: wrong password or no key found."
    for check in (True, False):
        assert refused(run, check=check, settings_path=str(settings), state="ready") == words
    (tmp_path / "secrets").write_text('{"password": "marked", ')
    assert refused(run, settings_path=str(settings)).startswith(f"'{tmp_path}/secrets' cannot be read: ")
    (tmp_path / "secrets").unlink()
    assert refused(run, settings_path=str(settings)) == f"There is no '{tmp_path}/secrets'; provision this host with xinference_backup first."
    assert refused(run, check=True, settings_path="/nowhere.json") == "There is no '/nowhere.json'; provision this host with xinference_backup first."


def test_without_docker_there_is_no_backup(run: Runner, settings: Path, tmp_path: Path) -> None:
    """With all of the core."""
    assert "No such file or directory" in refused(run, settings_path=str(settings))
    found = json.loads((tmp_path / "state_directory/status.json").read_text())
    assert found["failed"].endswith(".")
    assert found["last_success"] is None
