# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The provisioned container, seen from outside."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from checks import Serving

CONTAINER = "xinference-molecule"


class TestServing(Serving):
    """What holds for every provisioned host."""


@pytest.fixture
def container(host: Any) -> dict[str, Any]:
    """The engine's description of the container."""
    found: dict[str, Any] = json.loads(host.check_output(f"docker inspect {CONTAINER}"))[0]
    return found


def test_limits(container: dict[str, Any]) -> None:
    limits = container["HostConfig"]
    assert limits["Memory"] == 6 * 1024**3
    assert limits["MemorySwap"] == 6 * 1024**3
    assert limits["NanoCpus"] == 2 * 10**9
    assert limits["PidsLimit"] == 3000
    assert limits["ShmSize"] == 512 * 1024**2
    assert limits["LogConfig"] == {"Type": "json-file", "Config": {"max-size": "5m", "max-file": "3"}}


def test_privileges(container: dict[str, Any]) -> None:
    limits = container["HostConfig"]
    assert limits["Privileged"] is False
    assert limits["CapDrop"] == ["ALL"]
    assert sorted(name.removeprefix("CAP_") for name in limits["CapAdd"]) == ["DAC_OVERRIDE", "FOWNER"]
    assert limits["SecurityOpt"] == ["no-new-privileges"]
    assert limits["NetworkMode"] == "xinference-molecule"
    assert not any("docker.sock" in bind for bind in limits["Binds"])


def test_survives_a_restart_of_the_engine(container: dict[str, Any]) -> None:
    assert container["HostConfig"]["RestartPolicy"]["Name"] == "always"


def test_labels_say_who_manages_it(container: dict[str, Any], root: str) -> None:
    labels = container["Config"]["Labels"]
    assert labels["io.inferops.collection"] == "inferops.xinference"
    assert labels["io.inferops.data-root"] == root
    assert labels["example.team"] == "inference"


def test_environment(container: dict[str, Any]) -> None:
    environment = dict(entry.split("=", 1) for entry in container["Config"]["Env"])
    assert environment["XINFERENCE_LOG_DIR"] == "/root/.xinference/logs"
    bounds = {"ROTATION": "daily+size", "MAX_BYTES": str(20 << 20), "BACKUP_COUNT": "4", "RETENTION_DAYS": "7"}
    assert {name: environment[f"XINFERENCE_LOG_{name}"] for name in bounds} == bounds
    assert environment["XINFERENCE_AUDIT_LOG_RETENTION_DAYS"] == "14"
    assert environment["OMP_NUM_THREADS"] == "1"
    assert environment["XINFERENCE_ENABLE_VIRTUAL_ENV"] == "0"
    assert environment["HF_HUB_OFFLINE"] == "1"
    assert environment["XINFERENCE_MODEL_SRC"] == "modelscope"
    assert environment["EXAMPLE_SETTING"] == "yes"


def test_healthy(container: dict[str, Any]) -> None:
    assert container["State"]["Health"]["Status"] == "healthy"
    assert "curl" not in " ".join(container["Config"]["Healthcheck"]["Test"])


def test_caches_that_the_server_uses_are_mounted(container: dict[str, Any], root: str) -> None:
    mounts = {mount["Destination"]: mount["Source"] for mount in container["Mounts"]}
    assert mounts["/root/.xinference/huggingface"] == mounts["/root/.cache/huggingface/hub"] == f"{root}/.cache/huggingface/hub"
    assert mounts["/root/.xinference/modelscope"] == f"{root}/.cache/modelscope"
    assert mounts["/root/.xinference/logs"] == f"{root}/logs"


def test_server_uses_these_caches(host: Any) -> None:
    script = "import xinference.constants, os; print(os.environ['HUGGINGFACE_HUB_CACHE'], os.environ['MODELSCOPE_CACHE'])"
    used = host.check_output(f'docker exec {CONTAINER} python3 -c "{script}"').splitlines()[-1]
    assert used == "/root/.xinference/huggingface /root/.xinference/modelscope"


def test_nothing_worth_keeping_is_in_the_container(host: Any, server: Any) -> None:
    assert server.chat("Say hello.")
    assert server.embed("hello")
    written = [line.split(" ", 1) for line in host.check_output(f"docker diff {CONTAINER}").splitlines()]
    # Sockets and scratch files of the running processes, and the points where volumes are mounted.
    passing = re.compile(r"/(tmp|root|models|usr|usr/sbin)(/|$)")
    kept = [path for _kind, path in written if not passing.match(path)]
    assert kept == []
    scratch = re.compile(r"/root(/\.xoscar(/.*)?|/\.xinference|/\.cache(/(huggingface(/(hub|modules|xet))?|modelscope))?)?$")
    assert [path for _kind, path in written if path.startswith("/root") and not scratch.match(path)] == []
    assert [path for _kind, path in written if path.startswith("/usr") and path not in ("/usr", "/usr/sbin", "/usr/sbin/docker-init")] == []


def test_password_is_not_in_the_container(host: Any) -> None:
    secret = "marked-secret-of-the-default-scenario"
    assert secret not in host.check_output(f"docker inspect {CONTAINER}")
    assert secret not in host.check_output(f"docker logs {CONTAINER} 2>&1")


def test_no_autostart_entry_where_none_was_asked_for(server: Any) -> None:
    status, answer = server.call("/v1/autostart/models/summary")
    assert (status, answer) == (200, {"models": []})
