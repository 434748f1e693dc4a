# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter firewall_rules."""

from __future__ import annotations

DOCUMENTATION = r"""
name: firewall_rules
author: inferops contributors (@inferops)
version_added: 0.1.0
short_description: Firewall rules around the container (private)
description:
  - This filter is private to the roles and playbooks of this collection. It may change or go away without notice.
  - Returns the rules that role C(server) sets in the table mangle, and how they are found again.
options:
  _input:
    description: >-
      What the rules are made of: C(comment) (of every rule), C(prefix) (of the chains' names), C(bridge) (network interface of the container), C(port) (that
      the server is published on), C(users) (numbers of users besides root whose processes publish it), C(blocked) and C(allowed) (destinations of the
      container), C(openings) (none by default), a list of dictionaries with C(address) (IPv4 address of this machine on which ports of the container are
      published), C(ports) (of TCP, each a number or a range such as C(30100-30149)) and C(sources) (IPv4 addresses that may connect there), and C(peers)
      (none by default), a list of dictionaries with C(address) (IPv4 address of another machine) and C(ports) (those that it opens to the container). Nobody
      else reaches an opening, and of this machine root and C(users) alone, who alone answer there, too. The container reaches its peers whatever is blocked,
      and of this machine root and C(users) alone do.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Show the rules of IPv4
  ansible.builtin.debug:
    msg: "{{ ({'comment': 'xinference-firewall', 'prefix': 'xinference', 'bridge': 'xinference0', 'port': 9997} | inferops.xinference.firewall_rules).ipv4 }}"

- name: Show the rules of IPv4 where another machine reaches ports of the container
  ansible.builtin.debug:
    msg: "{{ (wanted | inferops.xinference.firewall_rules).ipv4 }}"
  vars:
    wanted:
      comment: xinference-firewall
      prefix: xinference
      bridge: xinference0
      port: 9997
      openings:
        - address: 10.0.0.5
          ports: ["9999", "30100-30149"]
          sources: [10.0.0.6]
      peers:
        - address: 10.0.0.6
          ports: ["30001"]
"""

RETURN = r"""
_value:
  description: >-
    For C(ipv4) and C(ipv6) C(text), which C(iptables-restore --noflush) reads, and C(marks), the rules as module M(inferops.xinference.host_info) finds them.
  type: dict
"""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from ansible.errors import AnsibleFilterError


def firewall_rules(wanted: Mapping[str, Any]) -> dict[str, Any]:
    """The rules by IP family."""
    from ansible_collections.inferops.xinference.plugins.module_utils._core.host.firewall import Firewall, Opening, Peer, rules

    try:
        openings = [Opening(**opening) for opening in wanted.get("openings", ())]
        peers = [Peer(**peer) for peer in wanted.get("peers", ())]
        return {family: asdict(found) for family, found in rules(Firewall(**{**wanted, "openings": openings, "peers": peers})).items()}
    except ValueError as error:
        # Ansible would append the cause, which is in the sentence already.
        raise AnsibleFilterError(f"The firewall cannot have a rule for this address or port: {error}.") from None


class FilterModule:
    """Filters of this file."""

    def filters(self) -> dict[str, Any]:
        """The filters by name."""
        return {"firewall_rules": firewall_rules}
