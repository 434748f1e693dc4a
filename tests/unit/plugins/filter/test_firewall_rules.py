# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter firewall_rules."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.inferops.xinference.plugins.filter.firewall_rules import FilterModule
from ansible_collections.inferops.xinference.plugins.module_utils._core.host.firewall import Firewall, Opening, Peer, rules

WANTED: dict[str, Any] = {
    "comment": "xinference-firewall",
    "prefix": "xinference",
    "bridge": "xinference0",
    "port": 9997,
    "users": [0],
    "blocked": [],
    "allowed": [],
}


def test_texts_and_marks_of_both_families() -> None:
    found = FilterModule().filters()["firewall_rules"](WANTED)
    made = rules(Firewall(**WANTED))
    assert found == {family: {"text": made[family].text, "marks": made[family].marks} for family in ("ipv4", "ipv6")}


def test_openings_are_dictionaries() -> None:
    opening = {"address": "10.0.0.5", "ports": ["9999", "30100-30149"], "sources": ["10.0.0.6"]}
    made = rules(Firewall(**WANTED, openings=[Opening("10.0.0.5", ["9999", "30100-30149"], ["10.0.0.6"])]))
    found = FilterModule().filters()["firewall_rules"]({**WANTED, "openings": [opening]})
    assert found == {family: {"text": made[family].text, "marks": made[family].marks} for family in ("ipv4", "ipv6")}
    assert "-d 10.0.0.5/32 -p tcp --dport 30100:30149" in found["ipv4"]["text"]


def test_peers_are_dictionaries() -> None:
    made = rules(Firewall(**WANTED, peers=[Peer("10.0.0.6", ["30001", "30100-30149"])]))
    found = FilterModule().filters()["firewall_rules"]({**WANTED, "peers": [{"address": "10.0.0.6", "ports": ["30001", "30100-30149"]}]})
    assert found == {family: {"text": made[family].text, "marks": made[family].marks} for family in ("ipv4", "ipv6")}
    assert "-d 10.0.0.6/32 -p tcp --dport 30100:30149" in found["ipv4"]["text"]


def test_no_openings_and_no_peers_are_the_default() -> None:
    firewall_rules = FilterModule().filters()["firewall_rules"]
    assert firewall_rules({**WANTED, "openings": [], "peers": []}) == firewall_rules(WANTED)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"allowed": ["nowhere"]}, "nowhere"),
        ({"openings": [{"address": "worker", "ports": ["9999"], "sources": []}]}, "worker"),
        ({"openings": [{"address": "10.0.0.5", "ports": ["30149-30100"], "sources": []}]}, "30149-30100"),
        ({"peers": [{"address": "worker", "ports": ["9999"]}]}, "worker"),
        ({"peers": [{"address": "10.0.0.6", "ports": ["0"]}]}, "0"),
    ],
)
def test_what_is_wrong_is_one_sentence(change: dict[str, Any], text: str) -> None:
    with pytest.raises(AnsibleFilterError) as raised:
        FilterModule().filters()["firewall_rules"]({**WANTED, **change})
    assert str(raised.value) == f"The firewall cannot have a rule for this address or port: {text}."
