# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module snapshot_info, with a program in place of restic."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.inferops.xinference.plugins.modules import snapshot_info
from ansible_collections.inferops.xinference.tests.unit.plugins.modules.backup_settings import write_settings
from ansible_collections.inferops.xinference.tests.unit.plugins.modules.module_runner import Runner

ID = "0123456789abcdef" * 4
MANIFEST: dict[str, Any] = {
    **{"format": 1, "host": "one", "container": "xinference", "created": "2026-01-31T03:00:00Z", "collection": "0.1.0", "server": "4.1.0"},
    **{"image": "image", "image_id": "sha256:1", "home": "/root/.xinference", "keys": {}, "model_files": [], "warnings": []},
    "files": [{"path": "home/auth/auth.db", "size": 5, "sha256": "0" * 64}],
}
RESTIC = """#!/bin/sh
echo "$@" >>"$RESTIC_REPOSITORY.calls"
[ -e "$RESTIC_REPOSITORY.$1" ] && exec cat "$RESTIC_REPOSITORY.$1"
echo "Fatal: $RESTIC_PASSWORD, $TOKEN: wrong password or no key found" >&2
exit 12
"""


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Runner:
    """Runs the module."""
    return Runner(snapshot_info.main, capsys, monkeypatch)


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """File with settings, and a program in place of restic."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/restic").write_text(RESTIC)
    (tmp_path / "bin/restic").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}/bin", prepend=":")
    return str(write_settings(tmp_path))


def test_the_snapshots_are_listed_in_check_mode_as_well(run: Runner, settings: str, tmp_path: Path) -> None:
    rows = [{"id": ID, "hostname": "one", "time": "2026-01-31T03:00:00.1Z", "paths": ["/run/x"]}]
    (tmp_path / "repository.snapshots").write_text(json.dumps(rows))
    (tmp_path / "repository.dump").write_text(json.dumps(MANIFEST))
    for check in (True, False):
        answer = run(check=check, settings_path=settings)
        assert answer["changed"] is False
        assert answer["snapshots"] == [
            {"id": "01234567", "host": "one", "time": "2026-01-31T03:00:00Z", "server_version": "4.1.0", "files": 1, "bytes": 5, "problem": ""}
        ]
    run(settings_path=settings, source_host="two")
    calls = (tmp_path / "repository.calls").read_text().splitlines()
    assert [call.rpartition(" ")[2] for call in calls if call.startswith("snapshots")] == ["one", "one", "two"]


def test_a_failure_is_a_sentence_without_secrets(run: Runner, settings: str, tmp_path: Path) -> None:
    answer = run(settings_path=settings)
    assert answer["failed"]
    assert answer["msg"].startswith(f"xinference_backup_password does not open the repository {tmp_path}/repository: ")
    assert answer["msg"].endswith(".")
    assert "marked" not in run.output + str(run.logged)
    (tmp_path / "settings.json").unlink()
    assert run(settings_path=settings)["msg"] == f"There is no '{tmp_path}/settings.json'; provision this host with xinference_backup first."
