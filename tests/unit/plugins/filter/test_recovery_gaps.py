# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter ``recovery_gaps``, and the facts that it compares with."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.inferops.xinference.plugins.filter.recovery_gaps import FilterModule
from ansible_collections.inferops.xinference.plugins.module_utils._core.host.units import service_facts
from ansible_collections.inferops.xinference.plugins.module_utils._core.service.package import install
from ansible_collections.inferops.xinference.tests.unit.plugins.systemctl import systemctl

pytestmark = pytest.mark.usefixtures("uncompiled")
recovery_gaps = FilterModule().filters()["recovery_gaps"]
UNIT = "[Unit]\n"
UNITS = {"xinference-models.service": UNIT, "xinference-start.path": "[Path]\n"}


def host(tmp_path: Path, started: float | None = None) -> dict[str, Any]:
    """Facts of a host whose file system is a directory.

    :param started: when its service was started, in seconds since the epoch.
    """
    run = systemctl(started)
    return {"service": service_facts(list(UNITS), "root", "/usr/local/lib/x/program", "/var/lib/x/state.json", "/opt/client", run=run, root=tmp_path)}


def test_what_is_missing_on_a_host(tmp_path: Path) -> None:
    found = host(tmp_path)
    nothing = {"systemd": False, "units": {}, "enabled": False, "active": False, "behind": False, "state": None, "user": True, "program": None}
    assert found["service"] == nothing
    assert recovery_gaps({"service": {**found["service"], "user": False}}, UNITS) == ["user", "program", "units", "start"]
    install(tmp_path / "usr/local/lib/x/program")
    assert recovery_gaps(host(tmp_path), UNITS) == ["units", "start"]
    units = tmp_path / "etc/systemd/system"
    (units / "multi-user.target.wants").mkdir(parents=True)
    (tmp_path / "run/systemd/system").mkdir(parents=True)
    (units / "xinference-models.service").write_text("other")
    (units / "multi-user.target.wants/xinference-models.service").symlink_to(units / "xinference-models.service")
    # It is started when everything has been written.
    started = time.time() + 60
    assert recovery_gaps(host(tmp_path, started), UNITS) == ["units", "start"]
    (units / "xinference-models.service").write_text(UNIT)
    assert recovery_gaps(host(tmp_path, started), UNITS) == ["units", "start"]
    (units / "xinference-start.path").write_text("[Path]\n")
    assert recovery_gaps(host(tmp_path, started), UNITS) == []
    assert recovery_gaps(host(tmp_path), UNITS) == ["start"]


CLIENT = "opt/client/lib/python3.13/site-packages/xinference_client-4.1.0.dist-info"


@pytest.mark.parametrize(
    "written",
    [
        "etc/systemd/system/xinference-models.service",
        "etc/systemd/system/xinference-start.path",
        "usr/local/lib/x/program/__main__.py",
        f"{CLIENT}/RECORD",
    ],
)
def test_what_was_written_and_never_started(tmp_path: Path, written: str) -> None:
    """As a run leaves a host that was cut off before it restarted the service."""
    units = tmp_path / "etc/systemd/system"
    install(tmp_path / "usr/local/lib/x/program")
    (tmp_path / CLIENT).mkdir(parents=True)
    (tmp_path / CLIENT / "RECORD").touch()
    (units / "multi-user.target.wants").mkdir(parents=True)
    for name, text in UNITS.items():
        (units / name).write_text(text)
    (units / "multi-user.target.wants/xinference-models.service").symlink_to("x")
    (tmp_path / "run/systemd/system").mkdir(parents=True)
    now = time.time()
    for path in tmp_path.rglob("*"):
        os.utime(path, times=(now - 100,) * 2, follow_symlinks=False)
    assert recovery_gaps(host(tmp_path, now - 50), UNITS) == []
    os.utime(tmp_path / written, times=(now - 10,) * 2)
    assert recovery_gaps(host(tmp_path, now - 50), UNITS) == ["start"]
    # The clock went back since: a restart would not end it.
    os.utime(tmp_path / written, times=(now + 1000,) * 2)
    assert recovery_gaps(host(tmp_path, now - 50), UNITS) == []


def test_whether_there_is_a_user(tmp_path: Path) -> None:
    assert service_facts(["x"], "no-such-user-here", "/none", "/none", root=tmp_path)["user"] is False
