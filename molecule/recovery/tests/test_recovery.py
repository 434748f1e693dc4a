# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A machine that was hit and came back, seen from outside."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

import pytest
from prepared import Prepared
from serving import Server

FOLDER = "/var/lib/xinference-models"
#: Of the administrator; the other one that it has for a while ends like this.
SECRET = "marked-secret-of-the-recovery-scenario"
UNITS = "/etc/systemd/system/xinference-*"
LOG = Path(__file__).parents[3] / "build/molecule/recovery.log"
LOUD = Path(os.environ["MOLECULE_EPHEMERAL_DIRECTORY"]) / "loud.log"


class TestPrepared(Prepared):
    """What holds for every machine that was prepared."""


def test_models_answer(server: Server) -> None:
    assert "Paris" in server.chat("What is the capital of France? Answer in one sentence.")
    assert len(server.embed("a cat sits on the mat")) == 384


def test_service_runs_at_every_boot_as_nobody_in_particular(host: Any) -> None:
    assert host.service("xinference-models").is_running
    assert host.service("xinference-models").is_enabled
    pid = host.check_output("systemctl show --property MainPID --value xinference-models")
    status = dict(line.split(":\t", 1) for line in host.file(f"/proc/{pid}/status").content_string.splitlines() if ":\t" in line)
    assert status["Uid"].split()[0] == host.check_output("id -u xinference-models") != "0"
    # The one capability reads files of others.
    assert int(status["CapEff"], 16) == int(status["CapBnd"], 16) == 1 << 2
    assert status["NoNewPrivs"].strip() == "1"
    assert host.run(f"nsenter --mount --target {pid} setpriv --reuid xinference-models --clear-groups --bounding-set -all touch /etc/x").rc != 0


def test_what_it_keeps_is_for_its_owner_alone(host: Any) -> None:
    folder = host.file(FOLDER)
    assert (folder.user, folder.mode) == ("xinference-models", 0o700)
    for name in ("declaration.json", "declaration.json.copy", "state.json", "lock"):
        file = host.file(f"{FOLDER}/{name}")
        assert (file.user, file.mode) == ("xinference-models", 0o600), name


@pytest.fixture
def secrets(host: Any, version: str) -> list[str]:
    """All that nobody may see."""
    secrets = [SECRET, "marked-secret-of-a-model"]
    if not version.startswith("2."):
        kept = (f"{FOLDER}/automation", "/etc/shop.key")
        secrets += ["marked-secret-of-the-shop", *(host.file(path).content_string.strip() for path in kept)]
    return secrets


def test_passwords_are_where_they_belong_and_nowhere_else(host: Any, version: str, secrets: list[str]) -> None:
    """The administrator's is nowhere on the host, and that of the automation in its file and the copy of it."""
    places = {place: host.check_output(f"cat {place} | tr '\\0' ' '") for place in ("/proc/[0-9]*/cmdline", "/proc/[0-9]*/environ", UNITS, f"{FOLDER}/*.json")}
    found = {(secret, place) for place, text in places.items() for secret in secrets if secret in text}
    # The declaration has it, and so have, for a moment, programs that a model starts.
    may = {("marked-secret-of-a-model", f"{FOLDER}/*.json"), ("marked-secret-of-a-model", "/proc/[0-9]*/environ")}
    if version.startswith("2."):
        # There the service logs in as the administrator.
        may.add((SECRET, f"{FOLDER}/*.json"))
    assert found <= may
    if version.startswith("2."):
        return
    file, copy = (host.file(f"{FOLDER}/{name}") for name in ("automation", "automation.copy"))
    for kept in (file, copy):
        assert (kept.user, kept.mode) == ("xinference-models", 0o600)
        assert SECRET not in kept.content_string
    assert copy.content_string == file.content_string
    key = host.file("/etc/shop.key")
    assert (key.user, key.mode) == ("root", 0o600)


def test_no_journal_and_no_output_shows_a_secret(host: Any, version: str, secrets: list[str]) -> None:
    journal = host.check_output("journalctl --no-pager")
    # Ansible's modules write to it what they were called with.
    assert "ansible-inferops.xinference.models[" in journal
    assert version.startswith("2.") or "ansible-inferops.xinference.user" in journal
    loud = LOUD.read_text(encoding="utf-8")
    assert "<xinference-molecule-recovery> EXEC" in loud
    for place in (journal, LOG.read_text(encoding="utf-8"), loud):
        assert [secret for secret in secrets if secret in place] == []


def test_the_readiness_server_reports_ready(host: Any) -> None:
    assert host.check_output("curl -s -o /dev/null -w '%{http_code}' http://127.0.0.1:9998/ready") == "200"
    assert host.check_output("curl -s -o /dev/null -w '%{http_code}' http://127.0.0.1:9998/live") == "200"
    assert [line for line in host.socket.get_listening_sockets() if line.endswith(":9998")] == ["tcp://127.0.0.1:9998"]


def test_state_says_that_all_is_well(host: Any) -> None:
    state = json.loads(host.file(f"{FOLDER}/state.json").content_string)
    assert (state["ready"], state["trouble"]) == (True, "")
    assert {uid: (model["state"], model["answered"]) for uid, model in state["models"].items()} == {
        "chat": ("ready", True),
        "embed": ("ready", True),
        "retired": ("absent", False),
    }


def test_journal_has_a_line_for_each_change_and_no_traceback(host: Any) -> None:
    journal = host.check_output("journalctl --unit xinference-models --output cat --no-pager")
    assert "Traceback" not in journal
    for words in ("the server is there", "lost the server: ", "chat: ready, answered in", "embed: ready, answered in"):
        assert words in journal
    # It polled hundreds of times.
    assert len(journal.splitlines()) < 150


def test_status_shows_the_service() -> None:
    assert "xinference-molecule-recovery  running (healthy)" in LOG.read_text(encoding="utf-8")
    # Its backups are made by a timer, which has not come yet.
    assert re.search(r"  ready +never +chat ", LOG.read_text(encoding="utf-8"))


def test_every_model_runs_once(host: Any) -> None:
    """The server's own autostart and the service may both ask in the same moment; the server takes one launch and refuses the other."""
    processes = host.check_output("docker top xinference -eo pid,args").splitlines()
    assert sorted(line.partition("Model: ")[2].partition("-")[0] for line in processes if "Model: " in line) == ["chat", "embed"]
