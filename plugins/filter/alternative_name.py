# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter alternative_name."""

from __future__ import annotations

DOCUMENTATION = r"""
name: alternative_name
author: inferops contributors (@inferops)
version_added: 0.1.0
short_description: A name of a host as certificates write it (private)
description:
  - This filter is private to the roles and playbooks of this collection. It may change or go away without notice.
  - Puts C(IP:) before an IP address, and C(DNS:) before any other name.
options:
  _input:
    description: Name or IP address.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Show the names for a certificate
  ansible.builtin.debug:
    msg: "{{ ['inference-01.example.com', '192.0.2.10'] | map('inferops.xinference.alternative_name') | list }}"
"""

RETURN = r"""
_value:
  description: The alternative name, such as C(IP:192.0.2.10).
  type: str
"""

import ipaddress
from typing import Any


def alternative_name(name: str) -> str:
    """A name as certificates write it."""
    try:
        return f"IP:{ipaddress.ip_address(name)}"
    except ValueError:
        return f"DNS:{name}"


class FilterModule:
    """Filters of this file."""

    def filters(self) -> dict[str, Any]:
        """The filters by name."""
        return {"alternative_name": alternative_name}
