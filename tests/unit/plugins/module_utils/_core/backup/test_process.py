# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The command line of the unit: its exit code, and what the journal shows."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import pytest

from ansible_collections.inferops.xinference.plugins.module_utils._core.backup import process
from ansible_collections.inferops.xinference.plugins.module_utils._core.backup.process import main
from ansible_collections.inferops.xinference.plugins.module_utils._core.backup.restic import Restic
from ansible_collections.inferops.xinference.plugins.module_utils._core.backup.settings import Secrets, Settings
from ansible_collections.inferops.xinference.tests.unit.plugins.module_utils._core.backup.conftest import Host

SECRETS = {"password": "marked password", "environment": {"TOKEN": "marked-token"}}


@pytest.fixture
def path(host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """File with the settings of the host, whose repository is a directory of copies."""
    path = tmp_path / "settings.json"
    for place, content in ((path, asdict(host.settings)), (Path(host.settings.secrets), SECRETS)):
        place.touch(mode=0o600)
        place.write_text(json.dumps(content))

    def restic(settings: Settings, secrets: Secrets) -> Restic:
        assert secrets == Secrets("marked password", {"TOKEN": "marked-token"})
        return Restic(settings, secrets, host.repository)

    monkeypatch.setattr(process, "Restic", restic)
    return path


def journal(capsys: pytest.CaptureFixture[str]) -> list[str]:
    """The lines that were written; no secret is in them, and nothing is written elsewhere."""
    captured = capsys.readouterr()
    assert captured.err == ""
    assert "marked" not in captured.out
    return captured.out.splitlines()


def test_a_backup(host: Host, path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--settings", str(path)]) == 0
    (row,) = host.repository.rows
    number = str(row["id"])[:8]
    status = json.loads(Path(host.settings.state_directory, "status.json").read_text())
    assert journal(capsys) == [
        "reading the server's files",
        f"saving 7 files of {status['bytes']} bytes",
        f"reading snapshot {number} back",
        "removing old snapshots",
        "checking the repository",
        f"snapshot {number} holds 7 files of {status['bytes']} bytes, and was read back",
    ]


def test_what_is_odd_is_a_line_of_its_own(host: Host, path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (host.home / "auth/encryption_key").write_text("1" * 64)
    assert main(["--settings", str(path)]) == 0
    lines = journal(capsys)
    assert lines[-2] == "warning: The server's keys do not belong to its accounts: the newest API key cannot be decrypted with them."
    assert lines[-1].startswith("snapshot ")


def test_files_of_models_that_are_left_out_are_lines_of_their_own(host: Host, path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path.write_text(json.dumps({**asdict(host.settings), "model_files": True}))
    assert main(["--settings", str(path)]) == 0
    lines = journal(capsys)
    # There is nothing to save.
    assert "saving files of models" not in lines
    assert lines[-2] == "warning: /models/mine.gguf of model 'chat' is not in the backup: it lies in no directory of this host."


def test_files_of_models_that_cannot_be_saved_are_a_failure(host: Host, path: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    (tmp_path / "models/mine.gguf").write_bytes(b"weights")
    host.engine.mounts = [{"Type": "bind", "Source": str(tmp_path / "models"), "Destination": "/models", "RW": False}]
    host.repository.fails_of_files = ["Fatal: no space left on device\n"]
    path.write_text(json.dumps({**asdict(host.settings), "model_files": True}))
    assert main(["--settings", str(path)]) == 1
    lines = journal(capsys)
    assert "saving files of models" in lines
    assert lines[-2].startswith("snapshot ")
    assert " was made and read back, but the files of models are not saved: there is no room in the repository" in lines[-1]


def test_a_failure_is_one_sentence(host: Host, path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    host.repository.fails["backup"] = ["Fatal: marked password, marked-token:\nno space left on device\n"]
    assert main(["--settings", str(path)]) == 1
    assert journal(capsys)[2:] == [f"There is no room in the repository {host.settings.repository}: Fatal: ********, ********: no space left on device."]


@pytest.mark.parametrize("missing", ["settings", "secrets", "container", "docker"])
def test_what_is_missing_is_one_sentence(host: Host, path: Path, capsys: pytest.CaptureFixture[str], missing: str) -> None:
    words = {
        "settings": f"There is no '{path}'; provision this host with xinference_backup first.",
        "secrets": f"There is no '{host.settings.secrets}'; provision this host with xinference_backup first.",
        "container": "There is no container 'xinference' on this host; provision it first.",
    }
    if missing == "container":
        host.engine.exists = False
    elif missing == "docker":
        path.write_text(json.dumps({**asdict(host.settings), "docker_host": "unix:///nowhere.sock"}))
    else:
        {"settings": path, "secrets": Path(host.settings.secrets)}[missing].unlink()
    assert main(["--settings", str(path)]) == 1
    line = journal(capsys)[-1]
    assert line == words.get(missing, line)
    assert line.endswith(".")
    assert "No such file or directory" in line or missing != "docker"


@pytest.mark.parametrize("arguments", [[], ["--settings"], ["--settings", "/x", "more"], ["--unknown"]])
def test_other_arguments_are_refused(capsys: pytest.CaptureFixture[str], arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert "usage: backup" in capsys.readouterr().err


def test_secrets_that_cannot_be_read_stand_in_the_status(host: Host, path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path(host.settings.secrets).chmod(0o644)
    assert main(["--settings", str(path)]) == 1
    words = f"'{host.settings.secrets}' can be read by others than its owner; set its mode to 0600."
    assert journal(capsys) == [words]
    assert json.loads(Path(host.settings.state_directory, "status.json").read_text())["failed"] == words
