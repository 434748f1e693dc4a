# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests of what is wrong with credentials for figures."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ansible_collections.inferops.xinference.plugins.module_utils._core.preflight.check import check_host
from ansible_collections.inferops.xinference.plugins.module_utils._core.preflight.monitoring import check_monitoring
from ansible_collections.inferops.xinference.plugins.module_utils._core.preflight.settings import MonitoringSettings

from .good_host import BARE, PROXY, SETTINGS

GOOD = MonitoringSettings(username="prometheus", password_length=12, password_is_plain=True)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, []),
        ({"username": "reader.of_figures-1"}, []),
        ({"password_length": 11}, ["xinference_monitoring_password is too short. Choose one of at least 12 characters."]),
        (
            {"password_is_plain": False},
            ["xinference_monitoring_password holds a space, or a character outside of ASCII. Use letters, digits and signs that every client sends alike."],
        ),
        *(
            (
                {"username": name},
                [
                    f"xinference_monitoring_username '{name}' cannot be used. "
                    "Use at most 64 letters, digits, dots, hyphens and underscores, the first one a letter or a digit."
                ],
            )
            for name in ("", "#name", "a:b", "a b", "x" * 65)
        ),
    ],
)
def test_credentials(changes: dict[str, Any], expected: list[str]) -> None:
    settings = replace(SETTINGS, proxy=PROXY, monitoring=replace(GOOD, **changes))
    assert [str(failure) for failure in check_monitoring(settings, settings.monitoring)] == expected
    assert [str(failure) for failure in check_host(BARE, settings) if failure.check == "monitoring"] == expected


def test_credentials_without_a_proxy() -> None:
    [failure] = check_monitoring(SETTINGS, GOOD)
    assert failure.problem == "xinference_monitoring_password is set, and xinference_proxy is false, so that nobody could read figures with it."
    assert failure.remedy == "Switch the proxy on, or remove the password."


def test_no_credentials() -> None:
    assert check_monitoring(SETTINGS, None) == []
