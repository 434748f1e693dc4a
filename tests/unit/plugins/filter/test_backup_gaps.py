# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a host lacks of its backups."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.inferops.xinference.plugins.filter.backup_gaps import FilterModule
from ansible_collections.inferops.xinference.plugins.module_utils._core.base.fingerprint import fingerprint
from ansible_collections.inferops.xinference.plugins.module_utils._core.service.package import sources

pytestmark = pytest.mark.usefixtures("uncompiled")
backup_gaps = FilterModule().filters()["backup_gaps"]
SERVICE = {"b.service": "[Service]\n"}
UNITS = {**SERVICE, "b.timer": "[Timer]\n"}
NOTHING = {"restic": False, "units": {}, "enabled": False, "active": False, "behind": False, "program": None, "settings": None}


@pytest.fixture(scope="module")
def good() -> dict[str, Any]:
    """Facts of a host where nothing is missing."""
    return {"restic": True, "units": UNITS, "enabled": True, "active": True, "behind": False, "program": fingerprint(sources()), "settings": "0f"}


def test_a_bare_host() -> None:
    assert backup_gaps({"backup": NOTHING}, UNITS, "0f") == ["packages", "settings", "program", "units", "start"]
    # Without systemd, or without a timer.
    assert backup_gaps({"backup": NOTHING}, {}, "0f") == ["packages", "settings", "program"]
    assert backup_gaps({"backup": NOTHING}, SERVICE, "0f") == ["packages", "settings", "program", "units"]


@pytest.mark.parametrize(
    ("differs", "gaps"),
    [
        ({}, []),
        ({"restic": False}, ["packages"]),
        ({"settings": "1f"}, ["settings"]),
        ({"program": "0" * 16}, ["program"]),
        ({"units": SERVICE}, ["units", "start"]),
        ({"units": {**UNITS, "b.timer": "other"}}, ["units", "start"]),
        ({"behind": True}, ["start"]),
        ({"active": False}, ["start"]),
        ({"enabled": False}, ["start"]),
    ],
)
def test_what_is_missing(good: dict[str, Any], differs: dict[str, Any], gaps: list[str]) -> None:
    assert backup_gaps({"backup": {**good, **differs}}, UNITS, "0f") == gaps


def test_a_timer_that_is_not_wanted_is_not_started(good: dict[str, Any]) -> None:
    assert backup_gaps({"backup": {**good, "active": False, "enabled": False}}, SERVICE, "0f") == ["units"]
    assert backup_gaps({"backup": {**good, "units": SERVICE, "active": False, "enabled": False, "behind": True}}, SERVICE, "0f") == []
