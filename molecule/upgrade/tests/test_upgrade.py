# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A machine whose server was upgraded after others were refused or rolled back, seen from outside."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from prepared import Prepared
from serving import Server

RECORDS = "/var/lib/xinference-upgrade"
SECRETS = ["marked-secret-of-the-upgrade-scenario", "marked-secret-of-the-repository", "marked-secret-of-the-shop", "marked-secret-of-a-model"]
LOG = Path(__file__).parents[3] / "build/molecule/upgrade.log"


class TestPrepared(Prepared):
    """What holds for every machine that was prepared."""


def image_id(host: Any, reference: str) -> str:
    """Identifier of an image."""
    found: str = host.check_output(f"docker image inspect --format '{{{{ .Id }}}}' {reference}")
    return found


def test_models_answer_on_the_new_server(host: Any, server: Server) -> None:
    assert host.check_output("docker inspect --format '{{ .Image }}' xinference") == image_id(host, "inferops-test/next:good")
    assert "Paris" in server.chat("What is the capital of France? Answer in one sentence.")
    assert len(server.embed("a cat sits on the mat")) == 384


def test_the_key_of_before_works(host: Any, version: str) -> None:
    if version.startswith("2."):
        assert not host.file("/etc/shop.key").exists
        return
    status = host.check_output("curl -s -o /dev/null -w '%{http_code}' -H \"Authorization: Bearer $(cat /etc/shop.key)\" http://127.0.0.1:9997/v1/models")
    assert status == "200"


def test_registrations_are_there(server: Server) -> None:
    for kind, name in (("LLM", "smollm2-135m-instruct"), ("embedding", "all-minilm-l6-v2")):
        status, answer = server.call(f"/v1/model_registrations/{kind}/{name}")
        assert (status, answer["model_name"]) == (200, name)


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
    assert re.search(r"TODAY \(.*\) +THEN \(4\.1\.0\)|is of image inferops-test/next:good already|Upgrade", shown)
    assert [secret for secret in SECRETS if secret in journal or secret in shown] == []
