# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A machine whose server was upgraded after others were refused or rolled back, seen from outside."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from prepared import Prepared
from served import Served

RECORDS = "/var/lib/xinference-upgrade"
SECRETS = ["marked-secret-of-the-upgrade-scenario", "marked-secret-of-the-repository", "marked-secret-of-the-shop", "marked-secret-of-a-model"]
LOG = Path(__file__).parents[3] / "build/molecule/upgrade.log"


class TestPrepared(Prepared):
    """What holds for every machine that was prepared."""


class TestServed(Served):
    """What the new server serves."""


def image_id(host: Any, reference: str) -> str:
    """Identifier of an image."""
    found: str = host.check_output(f"docker image inspect --format '{{{{ .Id }}}}' {reference}")
    return found


def test_the_new_image_runs(host: Any) -> None:
    assert host.check_output("docker inspect --format '{{ .Image }}' xinference") == image_id(host, "inferops-test/next:good")


def test_the_recovery_service_goes_on(host: Any) -> None:
    assert host.service("xinference-models").is_running
    assert host.check_output("curl -s -o /dev/null -w '%{http_code}' http://127.0.0.1:9998/ready") == "200"


def test_versions_are_recorded_for_everybody(host: Any, version: str) -> None:
    file = host.file(f"{RECORDS}/versions.json")
    assert (file.user, file.mode) == ("root", 0o644)
    recorded = json.loads(file.content_string)
    assert recorded["server"] == "4.1.0"
    assert recorded["image_id"] == image_id(host, "inferops-test/next:good")
    assert recorded["previous"]["server"] == version
    # The image of before stays until the next upgrade.
    assert host.run(f"docker image inspect {recorded['previous']['image_id']}").rc == 0


def test_nothing_of_an_upgrade_is_left(host: Any) -> None:
    assert host.check_output(f"ls -A {RECORDS}") == "versions.json"
    assert host.check_output("docker ps --all --format '{{.Names}}'") == "xinference"
    assert host.check_output("ls -A /run/xinference-backup") == ""


def test_each_upgrade_that_was_begun_has_its_backup(host: Any) -> None:
    listed = host.check_output("RESTIC_PASSWORD=marked-secret-of-the-repository restic --repo /var/backups/xinference --no-lock snapshots --json")
    assert len(json.loads(listed)) >= 2


def test_no_journal_and_no_output_shows_a_secret(host: Any) -> None:
    journal = host.check_output("journalctl --no-pager")
    assert "ansible-inferops.xinference.upgrade[" in journal
    assert "ansible-inferops.xinference.upgrade_info[" in journal
    shown = LOG.read_text(encoding="utf-8", errors="replace")
    # It is the log in which the secrets are searched for.
    assert "THEN (4.1.0)" in shown
    assert [secret for secret in SECRETS if secret in journal or secret in shown] == []
