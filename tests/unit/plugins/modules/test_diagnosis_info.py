# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module ``diagnosis_info`` as Ansible runs it, with a server in memory and a Docker behind a socket."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.inferops.xinference.plugins.module_utils._core.base.errors import AuthenticationError, NotReached
from ansible_collections.inferops.xinference.plugins.modules import diagnosis_info
from ansible_collections.inferops.xinference.tests.unit.plugins.module_utils._core.exec_engine import ExecEngine, frame
from ansible_collections.inferops.xinference.tests.unit.plugins.module_utils._core.fake_server import FakeServer
from ansible_collections.inferops.xinference.tests.unit.plugins.module_utils._core.plan_runner import llm, reach
from ansible_collections.inferops.xinference.tests.unit.plugins.modules.module_runner import Runner

CHAT = llm("chat")


class Machine:
    """A healthy host, and what the role hands to the module.

    :param folder: of the test.
    :param engine: its Docker.
    :param run: the module.
    """

    def __init__(self, folder: Path, engine: ExecEngine, run: Runner) -> None:
        self.engine, self.runner = engine, run
        self.home = folder / ".xinference"
        (self.home / "logs").mkdir(parents=True)
        found = self.home.stat()
        seen = {"/root/.xinference": {"device": found.st_dev, "inode": found.st_ino, "readable": True, "writable": True}}
        engine.writes = frame(1, json.dumps({"port": "", "directories": seen, "hub": None}).encode())
        container = {
            "id": "0123456789ab",
            "status": "running",
            "health": "healthy",
            "health_says": "",
            "restarts": 0,
            "image": "xprobe/xinference:v4.1.0-cpu",
            "image_id": "sha256:1",
            "published": ["127.0.0.1:9997"],
            "volumes": [{"source": str(self.home), "target": "/root/.xinference", "volume": "", "read_only": False}],
        }
        self.facts: dict[str, Any] = {
            "architecture": "aarch64",
            "processors": 4,
            "memory": {"total_mib": 16000, "available_mib": 8000, "swap_mib": 0},
            "selinux": "disabled",
            "docker": {"reachable": True, "error": "", "container": container, "stale_ports": [], "interrupted": False},
            "paths": {},
            "service": {"units": {}, "active": False, "enabled": False, "behind": False, "state": None},
            "client_version": "4.1.0",
            "client_problem": None,
            "client_foreign": False,
            "server_environment": {},
            **dict.fromkeys(("proxy", "firewall", "backup", "upgrade")),
        }
        self.server = FakeServer()
        reach(self.server, CHAT, wait=True)
        self.server.allowed = frozenset()
        self.server.files_cached = [{"model_version": "v", "model_name": "qwen3"}]
        run.use(self.server)

    def __call__(self, **options: Any) -> dict[str, Any]:
        """The module's answer."""
        given = {
            "facts": copy.deepcopy(self.facts),
            "container": "xinference",
            "docker_host": self.engine.address,
            "published": "127.0.0.1:9997",
            "declared_mounts": [f"{self.home}:/root/.xinference:rw"],
            "mounts": {"/root/.xinference": str(self.home)},
            "models": [CHAT],
            "autostart": False,
            **options,
        }
        return self.runner(**given)

    def found(self, **options: Any) -> list[tuple[str, str]]:
        """Checks and severities of what this machine, on which the tests run, has no part in."""
        answer = self(**options)
        assert not answer["failed"], answer
        assert not answer["changed"]
        of_this_machine = {"swap", "clock", "oom"}
        return [(each["check"], each["severity"]) for each in answer["diagnosis"]["findings"] if each["check"] not in of_this_machine]


@pytest.fixture
def machine(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Machine]:
    """A healthy host."""
    engine = ExecEngine(tmp_path / "docker.sock")
    yield Machine(tmp_path, engine, Runner(diagnosis_info.main, capsys, monkeypatch))
    engine.close()


def test_a_healthy_host(machine: Machine) -> None:
    assert machine.found() == []
    diagnosis = machine()["diagnosis"]
    assert (diagnosis["server"], diagnosis["image"]) == ("4.1.0", "xprobe/xinference:v4.1.0-cpu")
    assert diagnosis["models"] == [{"uid": "chat", "state": "as declared", "differences": [], "message": ""}]
    assert diagnosis["unchecked"] == []
    assert {"docker", "mounts", "files", "models", "port", "permissions", "access", "server", "memory", "disk", "hub", "versions"} <= set(diagnosis["checks"])
    assert machine.server.closed


def test_a_model_that_is_missing_and_one_that_is_not_declared(machine: Machine) -> None:
    assert machine.found(models=[llm("other")]) == [("models", "critical"), ("drift", "note")]
    assert [(each["uid"], each["state"]) for each in machine(models=[llm("other")])["diagnosis"]["models"]] == [("other", "missing"), ("chat", "not declared")]


def test_models_that_the_host_has_stored(machine: Machine, tmp_path: Path) -> None:
    path = tmp_path / "declaration.json"
    path.write_text(json.dumps({"version": 1, "options": {"models": [llm("stored")]}}), encoding="utf-8")
    states = {each["uid"]: each["state"] for each in machine(declaration_path=str(path))["diagnosis"]["models"]}
    assert states == {"chat": "as declared", "stored": "missing"}
    alone = {each["uid"]: each["state"] for each in machine(models=None, declaration_path=str(path))["diagnosis"]["models"]}
    assert alone == {"stored": "missing", "chat": "not declared"}


def test_why_a_model_failed_is_read_from_the_log(machine: Machine) -> None:
    server = FakeServer().put("chat", "ERROR", "")
    machine.runner.use(server)
    lines = ["2026-11-22T12:00:00.000Z INFO a chat", "\x1b[31mMemoryError about chat envs={'TOKEN': 'hunter2'}"]
    (machine.home / "logs/xinference.log").write_text("\n".join(lines), encoding="utf-8")
    answer = machine()
    (found,) = [each for each in answer["diagnosis"]["findings"] if each["check"] == "models"]
    assert ": memory: " in found["seen"]
    assert found["seen"].isprintable()
    assert "hunter2" not in machine.runner.output


@pytest.mark.parametrize(
    ("error", "found"),
    [
        (NotReached("no connection."), [("port", "critical")]),
        (AuthenticationError("POST", "http://x/token", 401, "wrong"), [("account", "critical")]),
        (AuthenticationError("POST", "http://x/token", 429, "banned"), [("bans", "critical")]),
    ],
)
def test_a_server_that_cannot_be_asked(machine: Machine, error: Exception, found: list[tuple[str, str]]) -> None:
    machine.runner.use(error)
    assert machine.found(username="admin", password="s3cret-pass") == found
    assert "models" in [each["check"] for each in machine()["diagnosis"]["unchecked"]]
    assert "s3cret-pass" not in machine.runner.output


@pytest.mark.parametrize("container", [None, {"status": "exited"}])
def test_a_container_that_does_not_run(machine: Machine, container: Any) -> None:
    machine.facts["docker"]["container"] = container and {**machine.facts["docker"]["container"], **container}
    assert ("container", "critical") in machine.found()
    unchecked = {each["check"]: each["reason"] for each in machine()["diagnosis"]["unchecked"]}
    assert {"models", "port", "server"} <= set(unchecked)


def test_what_the_container_says_decides(machine: Machine) -> None:
    machine.engine.writes = frame(1, b"no JSON\x1b[2J")
    (unchecked,) = machine()["diagnosis"]["unchecked"]
    assert unchecked == {"check": "inside the container", "reason": "the container sent something else than was asked for"}


def test_what_the_controller_does_not_reach(machine: Machine) -> None:
    assert machine.found(from_controller="the proxy", not_from_controller="") == []
    assert machine.found(from_controller="the proxy", not_from_controller="timed out") == [("port", "warning")]
    assert machine.found(from_controller="the proxy", not_from_controller="timed out", address_declared=True) == [("port", "critical")]
    (unchecked,) = machine(from_controller="the proxy")["diagnosis"]["unchecked"]
    assert unchecked["check"] == "port from the controller"


def test_secrets_that_others_may_read(machine: Machine) -> None:
    machine.facts["paths"] = {"/a": {"exists": True, "mode": "0644"}, "/b": {"exists": True, "mode": "0600"}, "/c": {"exists": False}}
    assert machine.found(secret_paths=["/a", "/b", "/c", "/d"]) == [("permissions", "critical")]


def test_a_declaration_that_is_wrong_is_the_operator_s_to_correct(machine: Machine) -> None:
    answer = machine(models=[{"uid": "chat", "nonsense": 1}])
    assert answer["failed"]
    assert "nonsense" in answer["msg"]


def test_a_stored_declaration_that_cannot_be_read_is_part_of_the_diagnosis(machine: Machine, tmp_path: Path) -> None:
    path = tmp_path / "declaration.json"
    path.write_text("[" * 200_000, encoding="utf-8")
    answer = machine(models=None, declaration_path=str(path))
    assert not answer["failed"]
    assert ("server", "critical") in [(each["check"], each["severity"]) for each in answer["diagnosis"]["findings"]]


def test_secrets_of_models_are_not_in_the_answer(machine: Machine) -> None:
    machine(models=[llm("chat", environment={"HF_TOKEN": "hunter2-token"})])
    assert "hunter2-token" not in machine.runner.output
