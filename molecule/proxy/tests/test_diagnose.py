# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A machine on which something is broken is diagnosed: the finding names it, and is gone when it is mended.

Faults that do not touch each other are made together, because each run of a playbook costs seconds. Those of machine, disk, certificate, memory, bans and
backups are made in scenario diagnose, which make test-all runs.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from diagnosed import DECLARED, Diagnosed, faults, is_ready, seen
from serving import Server

ROOT = "/srv/xinference_data"
MODELS = f"{ROOT}/models"
CHAT = f"{MODELS}/SmolLM2-135M-Instruct.Q4_1.gguf"
#: One more model, which no file is there of.
LARGE = """\
  - uid: large
    name: qwen3
    engine: llama.cpp
    format: ggufv2
    size_in_billions: "0_6"
    quantization: Q4_K_M
"""


@pytest.fixture
def diagnose(tmp_path: Path, address: str) -> Diagnosed:
    """Runs the playbook, which asks for the API where the network reaches it."""
    return Diagnosed(tmp_path, xinference_diagnose_address=address)


@pytest.fixture
def fault(host: Any) -> Iterator[Callable[[str, str], None]]:
    """Makes a fault by a command, and mends it by another one in the end, the last one first."""
    with faults(host) as make:
        yield make


def wait_for(condition: Callable[[], bool], seconds: float = 600) -> None:
    """Wait until something is so."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not become so"
        time.sleep(1)


def declared(*changes: tuple[str, str]) -> str:
    """The file of the declared models with other texts in it.

    :param changes: each with what is there once, and what is there then.
    """
    text = DECLARED
    for before, after in changes:
        assert text.count(before) == 1, before
        text = text.replace(before, after)
    return text


def test_nothing_is_found_on_a_healthy_machine(diagnose: Diagnosed) -> None:
    found = diagnose()
    assert found["findings"] == []
    assert (found["severity"], found["unchecked"]) == ("ok", [])
    assert {model["uid"]: model["state"] for model in found["models"]} == {"chat": "as declared", "embed": "as declared"}
    assert {"mounts", "files", "models", "port", "port from the controller", "permissions", "access", "memory", "disk"} <= set(found["checks"])


def test_mounts_permissions_firewall_and_units(diagnose: Diagnosed, fault: Callable[[str, str], None]) -> None:
    fault(f"mount -t tmpfs tmpfs {MODELS}", f"umount {MODELS}")
    fault(f"chmod 0644 {ROOT}/.xinference/auth/auth.db", f"chmod 0600 {ROOT}/.xinference/auth/auth.db")
    fault(f"chmod 0777 {ROOT}/logs", f"chmod 0750 {ROOT}/logs")
    # Who may write to it there may not write to it in the container, either.
    fault(f"chattr +i {ROOT}/.xinference/cache", f"chattr -i {ROOT}/.xinference/cache")
    fault("systemctl stop xinference-check-firewall.timer; iptables -t mangle -F", "systemctl restart xinference-firewall xinference-check-firewall.timer")
    fault("systemctl disable --quiet xinference-models", "systemctl enable --quiet xinference-models")
    fault("touch /usr/local/lib/xinference-models/new.py", "rm /usr/local/lib/xinference-models/new.py")
    fault(
        "mkdir -p /run/systemd/system/xinference-check-firewall.service.d; "
        "printf '[Service]\\nExecStart=\\nExecStart=/bin/false\\n' > /run/systemd/system/xinference-check-firewall.service.d/broken.conf; "
        "systemctl daemon-reload; ! systemctl start xinference-check-firewall.service",
        "rm -r /run/systemd/system/xinference-check-firewall.service.d; systemctl daemon-reload; systemctl reset-failed xinference-check-firewall.service",
    )
    found = seen(diagnose())
    assert "is another directory on the host by now" in found["mounts", "/models"]
    assert "has mode 0644, so that others than its owner can read it" in found["permissions", f"{ROOT}/.xinference/auth/auth.db"]
    assert "differs in owner or mode" in found["permissions", f"{ROOT}/logs"]
    assert "xinference-check-firewall.service has failed (exit-code)" in found["units", "xinference-check-firewall.service"]
    assert "The recovery service runs with another program" in found["service", "xinference-models.service"]
    assert [check for check, _subject in found].count("firewall") == 1


def test_what_is_declared_and_what_runs(diagnose: Diagnosed) -> None:
    text = declared(
        ("n_ctx: 2048, n_parallel: 1, n_threads: 1", "n_ctx: 4096, n_parallel: 1, n_threads: 64"),
        ("  - uid: embed\n", "  - uid: other\n"),
        ("xinference_models:\n", f"xinference_models:\n{LARGE}"),
    )
    found = diagnose(text, xinference_models_earlier="forget", xinference_port=9990)
    checks = {(finding["check"], finding["subject"]): finding for finding in found["findings"]}
    assert "n_ctx: 2048 → 4096; n_threads: 1 → 64" in checks["drift", "chat"]["seen"]
    assert "has n_threads 64" in checks["threads", "chat"]["seen"]
    assert checks["models", "other"]["severity"] == "critical"
    assert "runs and is not declared" in checks["drift", "embed"]["seen"]
    # The machine has no way to a hub.
    assert [finding["meaning"] for finding in found["findings"] if finding["check"] == "hub"] == ["Files of large cannot be downloaded."]
    assert "The container publishes 127.0.0.1:9997; 127.0.0.1:9990 is declared." in checks["port", "127.0.0.1:9990"]["seen"]
    states = {model["uid"]: model["state"] for model in found["models"]}
    assert states == {"large": "missing", "chat": "differs", "other": "missing", "embed": "not declared"}


def test_memory_that_is_used_up(diagnose: Diagnosed, fault: Callable[[str, str], None], host: Any) -> None:
    inspected = "docker inspect --format '{{ .HostConfig.Memory }}' xinference"
    limit = host.check_output(inspected)
    used = host.check_output("docker exec xinference sh -c 'cat /sys/fs/cgroup/memory.current 2>/dev/null || cat /sys/fs/cgroup/memory/memory.usage_in_bytes'")
    little = int(used) + (1 << 30)
    # Its count is of one start.
    fault(f"docker update --memory {little} --memory-swap {little} xinference", "docker restart xinference")
    fault("true", f"docker update --memory {limit} --memory-swap {limit} xinference")
    assert host.run("docker exec xinference python3 -c 'bytearray(4 << 30)'").rc == 137
    assert "was killed because its memory was used up" in seen(diagnose())["oom", "xinference"]


def test_damaged_files_and_why_a_model_does_not_load(diagnose: Diagnosed, fault: Callable[[str, str], None], host: Any, server: Server) -> None:
    wait_for(lambda: is_ready(host))
    fault(f"mv {CHAT} {ROOT}/kept && head -c 50000000 {ROOT}/kept > {CHAT}", f"mv {ROOT}/kept {CHAT}")
    fault(f"mv {MODELS}/all-MiniLM-L6-v2/model.safetensors {ROOT}/weights", f"mv {ROOT}/weights {MODELS}/all-MiniLM-L6-v2/model.safetensors")
    fault(f"ln -s /nowhere {MODELS}/all-MiniLM-L6-v2/model.safetensors", f"rm {MODELS}/all-MiniLM-L6-v2/model.safetensors")
    # The service launches it again, and fails.
    answered, token = server.call("/token", {"username": "admin", "password": server.password}, login=False)
    assert answered == 200
    host.check_output(f"curl -s -X DELETE -H 'Authorization: Bearer {token['access_token']}' {server.base}/v1/models/chat")

    def tried() -> bool:
        return "within the file bounds" in host.run("docker logs --since 10m xinference 2>&1").stdout

    wait_for(tried)
    found = seen(diagnose())
    assert "has 50000000 bytes, and by its header it should have 98362432" in found["files", "chat"]
    assert "leads to '/nowhere', which lies in no directory that the server's container sees" in found["files", "embed"]
    assert "damaged file" in found["models", "chat"]
    assert "data is not within the file bounds" in found["models", "chat"]


def test_all_is_well_when_the_files_are_back(diagnose: Diagnosed, host: Any) -> None:
    wait_for(lambda: is_ready(host))
    assert diagnose()["findings"] == []


def test_nobody_answers(diagnose: Diagnosed, fault: Callable[[str, str], None], host: Any) -> None:
    fault("systemctl stop xinference-proxy xinference-models", "systemctl start xinference-proxy xinference-models")
    fault("docker pause xinference", "docker unpause xinference")
    found = diagnose()
    checks = seen(found)
    assert "The container is paused." in checks["container", "xinference"]
    assert "The controller does not reach the proxy" in checks["port", "the proxy"]
    assert "The recovery service does not run." in checks["service", "xinference-models.service"]
    assert {each["check"] for each in found["unchecked"]} >= {"models", "port"}


def test_no_docker(diagnose: Diagnosed, fault: Callable[[str, str], None]) -> None:
    # Docker does not go on with health checks of a container that it finds running, and the service called for a start of the container in vain.
    fault("true", "docker restart xinference; systemctl reset-failed 'xinference-*'")
    fault("systemctl stop docker docker.socket", "systemctl start docker docker.socket")
    assert "No Docker Engine answers" in seen(diagnose())["docker", "docker"]


def test_the_server_is_back(diagnose: Diagnosed, host: Any) -> None:
    wait_for(lambda: is_ready(host))
    assert diagnose()["findings"] == []
