# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the firewall of a cluster's member is about: the ports that it opens, and those of others that it reaches."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.inferops.xinference.plugins.filter.firewall_rules import FilterModule as Rules
from ansible_collections.inferops.xinference.tests.unit.roles.templating import made

ADDRESSES = {"head": "10.0.0.1", "worker-1": "10.0.0.2", "worker-2": "10.0.0.3"}
#: One that is in no cluster, of the same inventory.
ALONE = "alone"
#: What a host and a run add to the variables of the roles.
HOST: dict[str, Any] = {
    "groups": {"xinference_supervisor": ["head"], "xinference_workers": ["worker-1", "worker-2"]},
    "hostvars": {**{name: {"xinference_cluster_address": address} for name, address in ADDRESSES.items()}, ALONE: {}},
    "ansible_check_mode": False,
    "xinference_container_name": "xinference",
    "_xinference_found": {"host": {"docker": {"uid": None}}},
}


def of(host: str, variable: str, **others: Any) -> Any:
    """A variable of a host."""
    given = {**HOST, "inventory_hostname": host, "xinference_cluster_address": ADDRESSES.get(host, ""), **others}
    return made("{{ " + variable + " }}", "server", given, [Rules])


def test_a_supervisor_reaches_its_workers_and_a_worker_its_supervisor() -> None:
    workers = [{"address": address, "ports": ["30001", "30100-30149"]} for address in ("10.0.0.2", "10.0.0.3")]
    assert of("head", "_xinference_cluster_reached") == workers
    for worker in ("worker-1", "worker-2"):
        assert of(worker, "_xinference_cluster_reached") == [{"address": "10.0.0.1", "ports": ["9997", "9999"]}]


def test_what_one_reaches_another_opens() -> None:
    ports = {"xinference_cluster_supervisor_port": 19999, "xinference_cluster_worker_port": "20001", "xinference_cluster_replica_ports": "20100-20149"}
    opened, reached = set(), set()
    for host, address in ADDRESSES.items():
        for opening in of(host, "_xinference_cluster_openings", **ports):
            opened |= {(source, opening["address"], port) for source in opening["sources"] for port in opening["ports"]}
        for peer in of(host, "_xinference_cluster_reached", **ports):
            reached |= {(address, peer["address"], port) for port in peer["ports"]}
    assert opened == reached
    assert ("10.0.0.2", "10.0.0.1", "19999") in reached
    assert ("10.0.0.1", "10.0.0.3", "20100-20149") in reached


def test_a_cluster_of_others_changes_nothing() -> None:
    """A host that is in none has the rules of an inventory without one."""
    assert of(ALONE, "_xinference_cluster_openings") == of(ALONE, "_xinference_cluster_reached") == []
    assert of(ALONE, "_xinference_firewall_rules") == of(ALONE, "_xinference_firewall_rules", groups={})


@pytest.mark.parametrize(("host", "port"), [("head", "-d 10.0.0.3/32 -p tcp --dport 30100:30149"), ("worker-1", "-d 10.0.0.1/32 -p tcp --dport 9999")])
def test_a_member_has_rules_for_its_peers(host: str, port: str) -> None:
    assert f"{port} -m comment" in of(host, "_xinference_firewall_rules")["ipv4"]["text"]
    assert f"{port} -m conntrack" in of(host, "_xinference_firewall_rules")["ipv4"]["text"]
