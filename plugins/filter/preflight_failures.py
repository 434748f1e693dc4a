# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter preflight_failures."""

from __future__ import annotations

DOCUMENTATION = r"""
name: preflight_failures
author: inferops contributors (@inferops)
version_added: 0.1.0
short_description: Every reason why a host cannot become what was declared (private)
description:
  - This filter is private to the roles and playbooks of this collection. It may change or go away without notice.
  - Compares the facts of a host with the settings of the roles, and returns for each problem what to do.
options:
  _input:
    description: The facts, as module M(inferops.xinference.host_info) returns them in C(host).
    type: dict
    required: true
  settings:
    description: The settings that role C(preflight) passes.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Show what keeps this host from being provisioned
  ansible.builtin.debug:
    msg: "{{ found.host | inferops.xinference.preflight_failures(settings) }}"
  when: found is defined and settings is defined
"""

RETURN = r"""
_value:
  description: One text per reason, empty when there is none.
  type: list
  elements: str
"""

from typing import Any


def preflight_failures(host: dict[str, Any], settings: dict[str, Any]) -> list[str]:
    """One text per reason."""
    from ansible_collections.inferops.xinference.plugins.module_utils._core.preflight.check import check_host
    from ansible_collections.inferops.xinference.plugins.module_utils._core.preflight.settings import (
        BackupSettings,
        ClusterSettings,
        MonitoringSettings,
        ProxySettings,
        Settings,
    )
    from ansible_collections.inferops.xinference.plugins.module_utils._core.preflight.variables import plain

    given = plain(settings)
    parts = {"proxy": ProxySettings, "backup": BackupSettings, "monitoring": MonitoringSettings, "cluster": ClusterSettings}
    made = {name: kind(**given[name]) if given.get(name) else None for name, kind in parts.items()}
    return [str(failure) for failure in check_host(host, Settings(**{**given, **made}))]


class FilterModule:
    """Filters of this file."""

    def filters(self) -> dict[str, Any]:
        """The filters by name."""
        return {"preflight_failures": preflight_failures}
