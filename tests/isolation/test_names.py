# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What belongs to one container of a host belongs to no other one: users, directories, network and rules have names of their own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.inferops.xinference.plugins.module_utils._core.host.firewall import HOOKS

CONTAINERS = {
    "usual": "xinference",
    "other": "other",
    "longest": "x" * 128,
    "alike": "x" * 127 + "y",
    "dotted": "a.b",
    "check": "check",
    "firewall": "firewall",
    "both": "x-check",
}
#: What Linux takes.
LONGEST = {"service_user": 32, "proxy_user": 32, "bridge": 15}


@pytest.fixture(scope="module")
def names(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """Names by container and what they name."""
    folder = tmp_path_factory.mktemp("names")
    hosts = {host: {"xinference_container_name": container} for host, container in CONTAINERS.items()}
    common = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable, "written": str(folder)}
    inventory = folder.parent / "hosts.json"
    inventory.write_text(json.dumps({"all": {"hosts": hosts, "vars": common}}), encoding="utf-8")
    command = (str(Path(sys.executable).parent / "ansible-playbook"), "--inventory", str(inventory), str(Path(__file__).with_name("names.yml")))
    done = subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, "ANSIBLE_NOCOWS": "1"})
    assert done.returncode == 0, done.stdout + done.stderr
    return {host: json.loads((folder / host).read_text(encoding="utf-8")) for host in CONTAINERS}


def test_no_two_containers_share_anything(names: dict[str, dict[str, Any]]) -> None:
    for what in set(names["usual"]) - {"units"}:
        assert len({found[what] for found in names.values()}) == len(CONTAINERS), what
    units = [unit for found in names.values() for unit in found["units"]]
    assert len(set(units)) == len(units)
    for found in names.values():
        assert found["service_user"] != found["proxy_user"]


def test_each_name_is_short_enough(names: dict[str, dict[str, Any]]) -> None:
    for found in names.values():
        for what, longest in LONGEST.items():
            assert len(found[what]) <= longest, found[what]
        # A chain has 28 characters, and the end of its name says which one it is.
        assert len(found["chains"]) + 1 + max(map(len, HOOKS)) <= 28


def test_the_usual_container_has_plain_names(names: dict[str, dict[str, Any]]) -> None:
    assert names["usual"] == {
        "service_user": "xinference-models",
        "proxy_user": "xinference-proxy",
        "service_folder": "/var/lib/xinference-models",
        "bridge": "xinference0",
        "chains": "xinference",
        "units": [
            *("xinference-firewall.service", "xinference-check-firewall.service", "xinference-check-firewall.timer"),
            *("xinference-models.service", "xinference-start.service", "xinference-start.path"),
            "xinference-proxy.service",
        ],
    }
