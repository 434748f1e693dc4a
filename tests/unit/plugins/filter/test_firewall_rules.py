# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter firewall_rules."""

from __future__ import annotations

from typing import Any

from ansible_collections.inferops.xinference.plugins.filter.firewall_rules import FilterModule
from ansible_collections.inferops.xinference.plugins.module_utils._core.host.firewall import Firewall, rules


def test_texts_and_marks_of_both_families() -> None:
    wanted: dict[str, Any] = {
        "comment": "xinference-firewall",
        "prefix": "xinference",
        "bridge": "xinference0",
        "port": 9997,
        "users": [0],
        "blocked": [],
        "allowed": [],
    }
    found = FilterModule().filters()["firewall_rules"](wanted)
    made = rules(Firewall(**wanted))
    assert found == {family: {"text": made[family].text, "marks": made[family].marks} for family in ("ipv4", "ipv6")}
