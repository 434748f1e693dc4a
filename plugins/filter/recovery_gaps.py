# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter recovery_gaps."""

from __future__ import annotations

DOCUMENTATION = r"""
name: recovery_gaps
author: inferops contributors (@inferops)
version_added: 0.1.0
short_description: What a host lacks of the recovery service (private)
description:
  - This filter is private to the roles and playbooks of this collection. It may change or go away without notice.
  - Compares what module M(inferops.xinference.host_info) found on a host with the service as it should be, so that role P(inferops.xinference.recovery#role)
    runs nothing on a host where nothing is missing.
options:
  _input:
    description: The host, as C(host) of module M(inferops.xinference.host_info) with its O(inferops.xinference.host_info#module:service).
    type: dict
    required: true
  units:
    description: The unit files as they should be, by name.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Show what is missing
  ansible.builtin.debug:
    msg: "{{ found.host | inferops.xinference.recovery_gaps({'xinference-models.service': lookup('ansible.builtin.template', 'models.service.j2')}) }}"
"""

RETURN = r"""
_value:
  description: >-
    Any of C(user), C(program), C(units) and C(start), in this order. C(start) stands for a service that does not run, is not started at boot, or runs
    with an older program, client or units.
  type: list
  elements: str
"""

from collections.abc import Mapping
from typing import Any


def recovery_gaps(host: Mapping[str, Any], units: Mapping[str, str]) -> list[str]:
    """What is missing."""
    from ansible_collections.inferops.xinference.plugins.module_utils._core.base.fingerprint import fingerprint
    from ansible_collections.inferops.xinference.plugins.module_utils._core.service.package import sources

    found = host["service"]
    gaps = [] if found["user"] else ["user"]
    if found["program"] != fingerprint(sources()):
        gaps.append("program")
    if found["units"] != units:
        gaps.append("units")
    return [*gaps, "start"] if gaps or found["behind"] or not (found["active"] and found["enabled"]) else []


class FilterModule:
    """Filters of this file."""

    def filters(self) -> dict[str, Any]:
        """The filters by name."""
        return {"recovery_gaps": recovery_gaps}
