# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fixtures of the scenario: a supervisor and its two workers, and a stranger on their network."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "shared"))

from serving import Server

PASSWORD = "marked-secret-of-the-cluster-scenario"
KEY = "marked-secret-key-of-the-cluster-scenario"
SUPERVISOR = "xinference-molecule-cluster"
WORKERS = ("xinference-molecule-cluster-1", "xinference-molecule-cluster-2")


def on(machine: str, *command: str, check: bool = True, text: str = "") -> str:
    """What a command on a machine says."""
    done = subprocess.run(("docker", "exec", "--interactive", machine, *command), capture_output=True, text=True, check=False, input=text)
    assert not check or done.returncode == 0, done.stdout + done.stderr
    return (done.stdout + done.stderr).strip()


def python(machine: str, program: str, *arguments: str, environment: dict[str, str]) -> str:
    """What a program says in a container of its own beside the server's, on the same network of the same machine."""
    given = [word for name, value in environment.items() for word in ("--env", f"{name}={value}")]
    hosts = on(machine, "docker", "inspect", "--format", "{{ range .HostConfig.ExtraHosts }}{{ println . }}{{ end }}", "xinference").split()
    known = [word for host in hosts if not host.endswith(":0.0.0.0") for word in ("--add-host", host)]
    image = f"{os.environ['XINFERENCE_TEST_IMAGE']}:{os.environ['XINFERENCE_TEST_TAG']}"
    run = ("docker", "run", "--rm", "--interactive", "--network", "xinference", *given, *known, image, "python3", "-", *arguments)
    return on(machine, *run, text=program)


@pytest.fixture
def server(host: Any) -> Server:
    """The supervisor, as its own host sees it."""
    return Server(host, 9997, PASSWORD)


@pytest.fixture(scope="session")
def addresses() -> dict[str, str]:
    """Addresses of the machines in their network."""
    form = "{{ .NetworkSettings.IPAddress }}"
    machines = (SUPERVISOR, *WORKERS)
    return {name: subprocess.run(("docker", "inspect", "--format", form, name), capture_output=True, text=True, check=True).stdout.strip() for name in machines}
