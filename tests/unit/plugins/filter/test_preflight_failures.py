# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reasons why a host cannot become what was declared."""

from __future__ import annotations

from dataclasses import asdict

from ansible_collections.inferops.xinference.plugins.filter.preflight_failures import FilterModule as PreflightFailures
from ansible_collections.inferops.xinference.tests.unit.plugins.module_utils._core.preflight.good_host import BACKUP, HOST, PROXY, SETTINGS

preflight_failures = PreflightFailures().filters()["preflight_failures"]


def test_failures_are_texts() -> None:
    assert preflight_failures(HOST, asdict(SETTINGS)) == []
    assert preflight_failures(HOST, {**asdict(SETTINGS), "port": 0}) == ["xinference_port '0' is no port. Use a number from 1 to 65535."]


def test_proxy_and_backups_are_checked_where_they_are_wanted() -> None:
    host = {**HOST, "service": {"systemd": False, "active": False}, "backup": {"restic": True, "available": None, "schedule": None, "restore": False}}
    wanted = {**asdict(SETTINGS), "proxy": asdict(PROXY), "backup": {**asdict(BACKUP), "keep_daily": 0}}
    assert preflight_failures(host, wanted) == [
        "xinference_proxy needs systemd, which does not run this host. Set it to false, and put a proxy of your own in front.",
        "xinference_backup_keep_daily '0' must be a whole number of at least 1.",
    ]
