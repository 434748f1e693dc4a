# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A machine whose data were destroyed and restored, seen from outside."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from prepared import Prepared
from served import Served

SETTINGS, STATE = "/etc/xinference-backup", "/var/lib/xinference-backup"
REPOSITORY = "/var/backups/of-this-scenario"
PASSWORD = "marked-secret-of-the-repository"
SECRETS = [PASSWORD, "marked-secret-of-a-store", "marked-secret-of-the-backup-scenario", "marked-secret-of-the-shop"]
LOG = Path(__file__).parents[3] / "build/molecule/backup.log"
ARCHIVES = Path(os.environ["MOLECULE_EPHEMERAL_DIRECTORY"]) / "archives"


class TestPrepared(Prepared):
    """What holds for every machine that was prepared."""


class TestServed(Served):
    """What the server serves after the restore."""


def listed(host: Any, tag: str) -> list[dict[str, Any]]:
    """The snapshots with a tag, as restic itself lists them."""
    command = f"RESTIC_PASSWORD={PASSWORD} restic --repo {REPOSITORY} --no-lock snapshots --json --tag {tag}"
    found: list[dict[str, Any]] = json.loads(host.check_output(command))
    return found


@pytest.fixture
def snapshots(host: Any) -> list[dict[str, Any]]:
    """The snapshots of accounts and all that."""
    return listed(host, "inferops.xinference")


@pytest.fixture
def file_snapshots(host: Any) -> list[dict[str, Any]]:
    """The snapshots of files of models."""
    return listed(host, "inferops.xinference.models")


def test_the_declaration_is_back_for_the_service(host: Any) -> None:
    assert host.service("xinference-models").is_running
    assert host.check_output("curl -s -o /dev/null -w '%{http_code}' http://127.0.0.1:9998/ready") == "200"
    for name in ("declaration.json", "declaration.json.copy"):
        file = host.file(f"/var/lib/xinference-models/{name}")
        assert (file.user, file.mode) == ("xinference-models", 0o600)


def test_a_timer_makes_backups_without_ansible(host: Any) -> None:
    assert host.service("xinference-backup.timer").is_running
    assert host.service("xinference-backup.timer").is_enabled
    shown = host.check_output("systemctl show --property=Result --property=ExecMainStatus xinference-backup.service")
    assert sorted(shown.splitlines()) == ["ExecMainStatus=0", "Result=success"]
    assert "03:17:00" in host.check_output("systemctl show --property=TimersCalendar xinference-backup.timer")
    journal = host.check_output("journalctl --unit xinference-backup --output cat --no-pager")
    assert "was read back" in journal
    assert "Traceback" not in journal


def test_the_status_is_for_everybody_and_the_secrets_for_root(host: Any) -> None:
    status = json.loads(host.file(f"{STATE}/status.json").content_string)
    assert (status["verified"], status["failed"]) == (True, "")
    assert status["last_success"] == status["last_attempt"]
    assert host.file(f"{STATE}/status.json").mode == 0o644
    assert host.file(SETTINGS).mode == 0o700
    for name in ("settings.json", "secrets.json"):
        file = host.file(f"{SETTINGS}/{name}")
        assert (file.user, file.mode) == ("root", 0o600)
    assert [secret for secret in SECRETS if secret in host.file(f"{SETTINGS}/settings.json").content_string] == []


def test_nothing_of_a_backup_or_restore_is_left(host: Any) -> None:
    assert host.check_output("ls -A /run/xinference-backup") == ""
    assert host.check_output("docker ps --all --format '{{.Names}}'") == "xinference"
    home = "/srv/xinference_data/.xinference"
    assert not host.file(f"{home}/.restore").exists
    assert not host.file(f"{STATE}/restore.json").exists
    assert not host.file(f"{STATE}/before").exists


def test_the_repository_holds_what_cannot_be_downloaded_again(host: Any, snapshots: list[dict[str, Any]]) -> None:
    assert len(snapshots) >= 2
    assert {row["hostname"] for row in snapshots} == {"xinference-molecule-backup"}
    tags = set(snapshots[-1]["tags"])
    assert {"inferops.xinference", "container=xinference"} <= tags
    assert [tag.partition("=")[0] for tag in tags - {"inferops.xinference", "container=xinference"}] == ["models"]
    listed = host.check_output(f"RESTIC_PASSWORD={PASSWORD} restic --repo {REPOSITORY} --no-lock ls latest").splitlines()
    held = {line.partition("/snapshot/")[2] for line in listed}
    assert {"manifest.json", "home/auth/auth.db", "home/launch_history.db", "home/model/v2/llm/smollm2-135m-instruct.json", "host/declaration.json"} <= held
    assert not [path for path in held if path.endswith(("-wal", "-shm", ".gguf", "download_tasks.db"))]


def test_each_snapshot_names_one_that_holds_the_files_of_its_models(host: Any, snapshots: list[dict[str, Any]], file_snapshots: list[dict[str, Any]]) -> None:
    # Older versions of restic name a snapshot in short.
    named = [tag.partition("=")[2][:8] for row in snapshots for tag in row["tags"] if tag.startswith("models=")]
    assert len(named) == len(snapshots)
    # What did not change was saved once.
    assert set(named) == {row["id"][:8] for row in file_snapshots}
    assert len(file_snapshots) == 1
    assert {tuple(sorted(row["tags"])) for row in file_snapshots} == {("container=xinference", "inferops.xinference.models")}
    lines = host.check_output(f"RESTIC_PASSWORD={PASSWORD} restic --repo {REPOSITORY} --no-lock ls {file_snapshots[-1]['id']}").splitlines()
    models = "/srv/xinference_data/models"
    assert {f"{models}/SmolLM2-135M-Instruct.Q4_1.gguf", f"{models}/all-MiniLM-L6-v2/config.json"} <= set(lines)
    status = json.loads(host.file(f"{STATE}/status.json").content_string)
    assert status["warnings"] == []


def test_the_files_of_models_are_back_as_the_roles_would_have_them(host: Any) -> None:
    """The whole data root was removed."""
    models = "/srv/xinference_data/models"
    found = set(host.check_output(f"find {models} -mindepth 1 -printf '%y %U:%G %m\\n'").splitlines())
    assert found == {"d 0:0 755", "f 0:0 644"}
    assert host.check_output(f"find {models} -type f -printf '%s\\n' | sort -n") == host.check_output("find /model-files -type f -printf '%s\\n' | sort -n")
    assert host.check_output(f"sha256sum < {models}/SmolLM2-135M-Instruct.Q4_1.gguf") == host.check_output(
        "sha256sum < /model-files/SmolLM2-135M-Instruct.Q4_1.gguf"
    )
    assert not host.file(f"{models}/.xinference-restore").exists
    assert not host.file(f"{STATE}/model-files.json").exists


def test_the_repository_tells_nothing_without_its_password(host: Any) -> None:
    assert host.file(REPOSITORY).mode == 0o700
    assert host.run(f"RESTIC_PASSWORD=another restic --repo {REPOSITORY} --no-lock snapshots").rc != 0
    for word in ("smollm2", "shop", "automation"):
        assert host.run(f"grep -rl {word} {REPOSITORY}/data").stdout == ""


def test_the_archive_of_the_controller_is_for_its_owner_alone() -> None:
    (archive,) = ARCHIVES.glob("*.tar")
    assert archive.name.startswith("xinference-molecule-backup-xinference-")
    assert archive.stat().st_mode & 0o777 == 0o600


def test_no_journal_and_no_output_shows_a_secret(host: Any) -> None:
    journal = host.check_output("journalctl --no-pager")
    assert "ansible-inferops.xinference.backup[" in journal
    assert "ansible-inferops.xinference.restore[" in journal
    for place in (journal, LOG.read_text(encoding="utf-8")):
        assert [secret for secret in SECRETS if secret in place] == []
