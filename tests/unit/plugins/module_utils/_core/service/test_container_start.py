# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which containers are started again: those that were killed or are of no use, never those that a user stopped."""

from __future__ import annotations

import pkgutil
import subprocess
import sys
import sysconfig
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.inferops.xinference.plugins.module_utils._core.host.docker import DockerSocket
from ansible_collections.inferops.xinference.plugins.module_utils._core.service import container_start
from ansible_collections.inferops.xinference.plugins.module_utils._core.service.container_start import bring_back, main
from ansible_collections.inferops.xinference.plugins.module_utils._core.service.package import PACKAGE, install

#: The modules that come with Python. Before 3.10 it has no list of them.
STANDARD = getattr(sys, "stdlib_module_names", None) or {
    *sys.builtin_module_names,
    *(module.name for module in pkgutil.iter_modules([sysconfig.get_path("stdlib"), f"{sysconfig.get_path('platstdlib')}/lib-dynload"])),
}


class Engine(DockerSocket):
    """An engine with at most one container, and one that may be taking its place."""

    def __init__(self, state: dict[str, Any] | None, replacement: str | None = None) -> None:
        super().__init__("unix:///nowhere")
        self.state = state
        self.replacement = replacement
        self.sent: list[str] = []

    def get(self, route: str) -> Any:
        """Its description."""
        if route == "/containers/xinference.replacement/json":
            return None if self.replacement is None else {"Created": self.replacement}
        assert route == "/containers/xinference/json"
        return None if self.state is None else {"State": self.state}

    def send(self, route: str, timeout: float | None = None, body: Mapping[str, Any] | None = None) -> None:
        """Take a request down."""
        assert timeout is None or timeout > 30
        assert body is None
        self.sent.append(route)


UNHEALTHY = {"Status": "running", "ExitCode": 0, "StartedAt": "2026-01-31T12:00:00.123456789Z", "Health": {"Status": "unhealthy"}}
STARTED = 1769860800.0


@pytest.mark.parametrize(
    ("state", "age", "restarted", "words"),
    [
        (UNHEALTHY, 301, True, "was unhealthy, and its server of no use; restarted it"),
        (UNHEALTHY, 100, False, "is unhealthy, and was started 100 s ago; it is restarted after 300 s at the earliest"),
        ({**UNHEALTHY, "Health": {"Status": "healthy"}}, 3000, False, "is running; nothing to do"),
        ({**UNHEALTHY, "Health": {"Status": "starting"}}, 3000, False, "is running; nothing to do"),
        ({**UNHEALTHY, "Health": None}, 3000, False, "is running; nothing to do"),
    ],
)
def test_what_is_restarted(state: dict[str, Any], age: float, restarted: bool, words: str) -> None:
    engine = Engine(state)
    assert words in bring_back(engine, "xinference", lambda: STARTED + age)
    assert engine.sent == (["/containers/xinference/restart?t=30"] if restarted else [])


@pytest.mark.parametrize(
    ("state", "started", "words"),
    [
        ({"Status": "exited", "ExitCode": 137}, True, "was killed; started it"),
        ({"Status": "exited", "ExitCode": 0, "OOMKilled": True}, False, "was stopped in good order (exit code 0), so it stays down"),
        ({"Status": "created", "ExitCode": 0}, True, "was never started; started it"),
        ({"Status": "exited", "ExitCode": 0, "OOMKilled": False}, False, "was stopped in good order (exit code 0), so it stays down"),
        ({"Status": "exited", "ExitCode": 143}, False, "was stopped in good order (exit code 143), so it stays down"),
        ({"Status": "exited", "ExitCode": 1}, False, "was stopped, and did not end in good order (exit code 1), so it stays down"),
        ({"Status": "exited", "ExitCode": 139}, False, "was stopped, and did not end in good order (exit code 139), so it stays down"),
        ({"Status": "running", "ExitCode": 0}, False, "is running; nothing to do"),
        ({"Status": "restarting", "ExitCode": 137}, False, "is restarting; nothing to do"),
        ({"Status": "paused", "ExitCode": 0}, False, "is paused; nothing to do"),
        (None, False, "there is no container xinference; provision this host again"),
    ],
)
def test_what_is_started(state: dict[str, Any] | None, started: bool, words: str) -> None:
    engine = Engine(state)
    assert words in bring_back(engine, "xinference")
    assert engine.sent == (["/containers/xinference/start"] if started else [])


@pytest.mark.parametrize(("age", "started"), [(0, False), (899, False), (901, True)])
def test_one_that_is_being_replaced_is_left_alone(age: int, started: bool) -> None:
    """Whoever gives its files to another user has stopped it; what a killed run left keeps nobody down."""
    engine = Engine({"Status": "exited", "ExitCode": 137}, "2026-01-31T12:00:00.5Z")
    words = bring_back(engine, "xinference", clock=lambda: STARTED + age)
    assert words == f"container xinference {'was killed; started it' if started else 'is being replaced; nothing to do'}"
    assert engine.sent == (["/containers/xinference/start"] if started else [])


def test_an_engine_that_does_not_answer_is_a_line_and_a_failure(tmp_path: object, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--docker-host", f"unix://{tmp_path}/docker.sock", "--container", "xinference"]) == 1
    assert capsys.readouterr().out == "Docker does not answer: No such file or directory\n"


def test_the_command_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(container_start, "DockerSocket", lambda address: Engine({"Status": "exited", "ExitCode": 137}))
    assert main(["--docker-host", "unix:///run/docker.sock", "--container", "xinference"]) == 0
    assert capsys.readouterr().out == "container xinference was killed; started it\n"


def test_the_unit_of_root_runs_nothing_but_this_and_the_standard_library(tmp_path: Path) -> None:
    """Whatever lies in its environment, and whatever the client's packages are."""
    install(tmp_path / "program")
    (tmp_path / "requests.py").write_text("raise SystemExit('a package was imported')", encoding="utf-8")
    command = (
        sys.executable,
        "-I",
        "-S",
        "-X",
        "importtime",
        str(tmp_path / "program"),
        "start",
        "--docker-host",
        f"unix://{tmp_path}/none",
        "--container",
        "x",
    )
    done = subprocess.run(command, capture_output=True, text=True, check=False, env={"PYTHONPATH": str(tmp_path)})
    assert (done.returncode, done.stdout) == (1, "Docker does not answer: No such file or directory\n")
    imported = {line.rpartition("|")[2].strip().partition(".")[0] for line in done.stderr.splitlines() if line.startswith("import time:")}
    assert PACKAGE in imported
    assert {name for name in imported if name not in {*STANDARD, PACKAGE, "imported package"}} == set()
