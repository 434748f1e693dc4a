# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which containers are started again: those that were killed or are of no use, never those that a user stopped."""

from __future__ import annotations

import json
import os
import pkgutil
import subprocess
import sys
import sysconfig
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.inferops.xinference.plugins.module_utils._core.host.docker import DockerSocket
from ansible_collections.inferops.xinference.plugins.module_utils._core.service import container_report, container_start
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
    # Older Pythons try a package of Jython in their module copy.
    assert {name for name in imported if name not in {*STANDARD, PACKAGE, "imported package", "org"}} == set()


class Described(Engine):
    """An engine with one container that it describes whole."""

    tagged = "registry:5000/xprobe/xinference:v4.0.1-cpu"

    def get(self, route: str) -> Any:
        """Its description."""
        found = super().get(route)
        more = {"Id": "abc", "RestartCount": 1, "Image": "sha256:1", "Config": {"Image": self.tagged}}
        return {**found, **more} if route == "/containers/xinference/json" and found else found


@pytest.fixture
def files(tmp_path: Path) -> dict[str, str]:
    """The options of the unit that name files."""
    return {name: str(tmp_path / name) for name in ("call", "inspect", "report")}


def touch(path: str, second: int) -> None:
    """Touch a file at a certain second."""
    Path(path).touch()
    os.utime(path, (second, second))


def run(engine: DockerSocket, files: Mapping[str, str], monkeypatch: pytest.MonkeyPatch) -> int:
    """Run the unit."""
    monkeypatch.setattr(container_start, "DockerSocket", lambda address: engine)
    return main(["--docker-host", "unix:///run/docker.sock", "--container", "xinference", *(word for name in files for word in (f"--{name}", files[name]))])


def test_a_report_touches_nothing(files: dict[str, str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """The server answers the service, though its health check has not noticed yet."""
    engine = Described(UNHEALTHY)
    touch(files["call"], 5)
    touch(files["inspect"], 6)
    assert run(engine, files, monkeypatch) == 0
    assert engine.sent == []
    assert capsys.readouterr().out == ""
    assert container_report.kept(files["report"]) == container_report.ContainerReport("abc", STARTED, 0, 1, "", "4.0.1", 6 * 10**9)


@pytest.mark.parametrize(("call", "asked", "restarted"), [(7, 6, True), (7, None, True), (None, None, True), (None, 6, False), (6, 6, True), (5, 6, False)])
def test_a_call_is_never_taken_for_a_question(
    files: dict[str, str], monkeypatch: pytest.MonkeyPatch, call: int | None, asked: int | None, restarted: bool
) -> None:
    engine = Described(UNHEALTHY)
    for name, second in (("call", call), ("inspect", asked)):
        if second is not None:
            touch(files[name], second)
    assert run(engine, files, monkeypatch) == 0
    assert bool(engine.sent) == restarted
    assert container_report.kept(files["report"]) is not None
    # Who starts the unit by hand wants the container started.
    assert run(engine, files, monkeypatch) == 0
    assert len(engine.sent) == 1 + restarted


def test_the_control_group_is_that_of_the_container_s_first_process(files: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(container_start, "memory_cgroup", {17: "/sys/fs/cgroup/docker/abc"}.get)
    assert run(Described({**UNHEALTHY, "Pid": 17, "Health": None}), files, monkeypatch) == 0
    report = container_report.kept(files["report"])
    assert report is not None
    assert report.cgroup == "/sys/fs/cgroup/docker/abc"
    # Docker writes this for never, and 0 for no process.
    assert run(Described({"Status": "created", "StartedAt": "0001-01-01T00:00:00Z", "Pid": 0}), files, monkeypatch) == 0
    report = container_report.kept(files["report"])
    assert report is not None
    assert (report.cgroup, report.started, report.restarts) == ("", 0.0, 0)


def test_a_report_that_cannot_be_written_is_a_line_and_a_failure(
    files: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    assert run(Described({**UNHEALTHY, "Health": None}), {**files, "report": str(tmp_path / "file/report")}, monkeypatch) == 1
    assert "what Docker says of the container cannot be written down: " in capsys.readouterr().out


def test_a_container_that_is_not_there_is_not_reported(files: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    assert run(Described(None), files, monkeypatch) == 0
    assert container_report.kept(files["report"]) is None


@pytest.mark.parametrize(
    ("image", "recorded", "expected"),
    [
        ("xprobe/xinference:v4.1.0-cpu", None, "4.1.0"),
        ("xprobe/xinference@sha256:00", None, ""),
        ("registry:5000/xinference", None, ""),
        ("registry:5000/xinference:4.1.0@sha256:00", None, "4.1.0"),
        ("xinference:nightly", {"image_id": "sha256:1", "server": "4.1.0"}, "4.1.0"),
        # It was recorded of another image.
        ("xinference:v4.0.1", {"image_id": "sha256:2", "server": "4.1.0"}, "4.0.1"),
        ("xinference:v4.0.1", {"image_id": "sha256:1", "server": "unknown"}, "4.0.1"),
    ],
)
def test_the_version_in_the_report(
    files: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, image: str, recorded: dict[str, str] | None, expected: str
) -> None:
    engine = Described({**UNHEALTHY, "Health": None})
    engine.tagged = image
    if recorded is not None:
        (tmp_path / "versions.json").write_text(json.dumps(recorded), encoding="utf-8")
    assert run(engine, {**files, "versions": str(tmp_path)}, monkeypatch) == 0
    report = container_report.kept(files["report"])
    assert report is not None
    assert report.version == expected
