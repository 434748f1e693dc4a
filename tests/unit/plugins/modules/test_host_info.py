# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module ``host_info`` as Ansible runs it, on the machine that runs the test."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ansible_collections.inferops.xinference.plugins.modules import host_info
from ansible_collections.inferops.xinference.tests.unit.plugins.modules.module_runner import Runner


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Runner:
    """Runs the module."""
    return Runner(host_info.main, capsys, monkeypatch)


@pytest.mark.parametrize("check", [False, True])
def test_it_describes_the_host_and_changes_nothing(run: Runner, tmp_path: Path, check: bool) -> None:
    answer = run(check=check, docker_host=f"unix://{tmp_path}/docker.sock", container="xinference", paths=[str(tmp_path), str(tmp_path / "new")])
    assert (answer["failed"], answer["changed"]) == (False, False)
    host = answer["host"]
    assert host["docker"] == {
        "reachable": False,
        "error": f"there is no socket {tmp_path}/docker.sock",
        "version": None,
        "api_version": None,
        "container": None,
        "image_present": False,
        "gateway": None,
        "network": None,
        "uid": None,
        "root": None,
        "rootless": False,
        "runc": None,
        "directory": None,
        "processors": None,
        "networks": {},
        "interrupted": False,
        "previous": None,
        "neighbours": [],
        "stale_ports": [],
        "beside": [],
        "image_id": None,
        "image_mib": None,
        "free_mib": None,
    }
    assert [host["paths"][str(path)]["exists"] for path in (tmp_path, tmp_path / "new")] == [True, False]
    assert list(tmp_path.iterdir()) == []


def test_every_option_reaches_the_core(run: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[dict[str, object]] = []

    def gather(**options: object) -> dict[str, object]:
        assert callable(options.pop("run"))
        seen.append(options)
        return {}

    monkeypatch.setattr(host_info, "gather", gather)
    options: dict[str, Any] = {
        "docker_host": "unix:///x",
        "container": "c",
        "image": "i",
        "paths": ["/a"],
        "client_environment": "/opt/client",
        "data_root": "/srv",
        "users_database": "/srv/auth.db",
        "server_environment_file": "/srv/environment",
        "declaration": "/var/lib/x/declaration.json",
        "addresses": ["127.0.0.1"],
        "log_lines": 5,
        "service": {"units": ["xinference-models.service"], "user": "nobody", "program": "/opt/program", "state": "/srv/state.json"},
        "proxy": {"unit": "xinference-proxy.service", "user": "nobody", "config": "/etc/nginx.conf", "certificates": ["/etc/a.crt"]},
        "firewall": {"units": ["xinference-firewall.service"], "comment": "xinference-firewall", "directory": "/usr/local/lib/firewall"},
        "backup": {
            "units": ["b.service", "b.timer"],
            "directory": "/etc/b",
            "program": "/usr/local/lib/b",
            "status": "/var/lib/b/status.json",
            "package": True,
            "schedule": "daily",
        },
        "upgrade": "/var/lib/xinference-upgrade",
    }
    assert run(**options)["host"] == {}
    run()
    assert seen == [
        options,
        {
            "docker_host": "unix:///var/run/docker.sock",
            "container": None,
            "image": None,
            "paths": [],
            "addresses": [],
            "client_environment": None,
            "data_root": None,
            "users_database": None,
            "server_environment_file": None,
            "declaration": None,
            "log_lines": 0,
            "service": None,
            "proxy": None,
            "firewall": None,
            "backup": None,
            "upgrade": None,
        },
    ]


def test_an_unknown_option_is_refused(run: Runner) -> None:
    answer = run(dokcer_host="unix:///x")
    assert answer["failed"]
    assert "dokcer_host" in answer["msg"]
