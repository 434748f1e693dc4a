# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a host lacks of the proxy, and the facts that this is compared with."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.inferops.xinference.plugins.filter.proxy_gaps import FilterModule as Gaps
from ansible_collections.inferops.xinference.plugins.module_utils._core.host.paths import path_facts
from ansible_collections.inferops.xinference.plugins.module_utils._core.host.units import proxy_facts
from ansible_collections.inferops.xinference.tests.unit.plugins.systemctl import systemctl

proxy_gaps = Gaps().filters()["proxy_gaps"]

UNIT, CONFIG, CERTIFICATE = "xinference-proxy.service", "/etc/xinference-proxy/nginx.conf", "/etc/xinference-proxy/server.crt"

UNITS = {UNIT: "[Unit]\n"}


def host(root: Path, user: str = "root", started: float | None = None) -> dict[str, Any]:
    """Facts of a host whose file system is a directory.

    :param started: when its proxy was started, in seconds since the epoch.
    """
    place = str(root / CERTIFICATE.lstrip("/"))
    return {"proxy": proxy_facts(UNIT, user, CONFIG, [CERTIFICATE], run=systemctl(started), root=root), "paths": {CERTIFICATE: path_facts(place)}}


def put(root: Path, path: str, text: str) -> None:
    """Write a file of that host."""
    place = root / path.lstrip("/")
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(text)


def test_what_is_missing_on_a_host(tmp_path: Path) -> None:
    wanted = (UNITS, "config", [CERTIFICATE])
    bare = host(tmp_path, "no-such-user-here")
    off = dict.fromkeys(("nginx", "enabled", "active", "behind", "unread", "user"), False)
    assert bare["proxy"] == {**off, "units": {}, "config": None, "certificates": {}}
    assert proxy_gaps(bare, *wanted, certificate=CERTIFICATE) == ["packages", "user", "files", "certificate", "units", "config", "start"]
    put(tmp_path, "/usr/sbin/nginx", "")
    assert not host(tmp_path)["proxy"]["nginx"]
    (tmp_path / "usr/sbin/nginx").chmod(0o755)
    put(tmp_path, CERTIFICATE, "no certificate")
    put(tmp_path, CONFIG, "config")
    put(tmp_path, f"/etc/systemd/system/{UNIT}", "[Unit]\n")
    assert proxy_gaps(host(tmp_path), *wanted) == ["start"]
    put(tmp_path, f"/etc/systemd/system/multi-user.target.wants/{UNIT}.of", "")
    (tmp_path / f"etc/systemd/system/multi-user.target.wants/{UNIT}").symlink_to("x")
    (tmp_path / "run/systemd/system").mkdir(parents=True)
    started = time.time() + 60
    assert proxy_gaps(host(tmp_path, started=started), *wanted) == []
    put(tmp_path, CONFIG, "another")
    assert proxy_gaps(host(tmp_path, started=started), *wanted) == ["config", "start"]


def test_what_was_written_and_never_read(tmp_path: Path) -> None:
    """As a run leaves a host that was cut off before it restarted or reloaded the proxy."""
    put(tmp_path, CONFIG, "config")
    put(tmp_path, f"/etc/systemd/system/{UNIT}", "[Unit]\n")
    (tmp_path / "run/systemd/system").mkdir(parents=True)
    begin = time.time() - 1000

    def found(started: float = 10) -> tuple[bool, bool]:
        facts = host(tmp_path, started=begin + started)["proxy"]
        return facts["behind"], facts["unread"]

    def at(seconds: float, path: str) -> None:
        os.utime(tmp_path / path.lstrip("/"), times=(begin + seconds,) * 2, follow_symlinks=False)

    at(0, f"/etc/systemd/system/{UNIT}")
    at(0, CONFIG)
    assert found() == (False, False)
    at(20, CONFIG)
    assert found() == (False, True)
    put(tmp_path, "/run/xinference-proxy/reloaded", "")
    at(30, "/run/xinference-proxy/reloaded")
    assert found() == (False, False)
    at(40, CONFIG)
    assert found() == (False, True)
    # A reload does not read the unit.
    at(25, f"/etc/systemd/system/{UNIT}")
    at(0, CONFIG)
    assert found() == (True, False)
    assert found(started=50) == (False, False)


@pytest.mark.parametrize(
    ("end", "gaps"), [("2999-01-01T00:00:00+00:00", []), ("2026-01-01T00:00:00+00:00", ["certificate", "start"]), (None, ["certificate", "start"])]
)
def test_a_certificate_is_renewed_before_it_ends(end: str | None, gaps: list[str]) -> None:
    proxy = {"nginx": True, "user": True, "units": UNITS, "config": "", "active": True, "behind": False, "unread": False, "enabled": True}
    found = {"proxy": {**proxy, "certificates": {CERTIFICATE: {"sha256": "0f", "not_after": end}}}, "paths": {}}
    assert proxy_gaps(found, UNITS, "", [], certificate=CERTIFICATE) == gaps
    # One that was given is others' to renew.
    assert proxy_gaps(found, UNITS, "", []) == []
