# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter host_diagnosis."""

from __future__ import annotations

DOCUMENTATION = r"""
name: host_diagnosis
author: inferops contributors (@inferops)
version_added: 0.1.0
short_description: Diagnosis of one inference host (private)
description:
  - This filter is private to the roles and playbooks of this collection. It may change or go away without notice.
  - Returns what role P(inferops.xinference.diagnose#role) registered for a host, or that the host could not be read.
options:
  _input:
    description: The host's variables, as in C(hostvars).
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Show what is wrong with this host
  ansible.builtin.debug:
    msg: "{{ hostvars[inventory_hostname] | inferops.xinference.host_diagnosis }}"
"""

RETURN = r"""
_value:
  description: As RV(inferops.xinference.diagnosis_info#module:diagnosis).
  type: dict
"""

from collections.abc import Mapping
from typing import Any


def host_diagnosis(variables: Mapping[str, Any]) -> dict[str, Any]:
    """Diagnosis of one host."""
    from ansible_collections.inferops.xinference.plugins.module_utils._core.diagnose.diagnose import Diagnosis
    from ansible_collections.inferops.xinference.plugins.module_utils._core.diagnose.finding import CRITICAL, Finding

    found = (variables.get("_xinference_diagnosed") or {}).get("diagnosis")
    if isinstance(found, Mapping):
        return dict(found)
    unread = Finding(
        "host", CRITICAL, "", "The host could not be read.", "Nothing is known of its models.", "Read what this run says of the host, and check that SSH works."
    )
    return Diagnosis(findings=[unread]).shown(None)


class FilterModule:
    """Filters of this file."""

    def filters(self) -> dict[str, Any]:
        """The filters by name."""
        return {"host_diagnosis": host_diagnosis}
