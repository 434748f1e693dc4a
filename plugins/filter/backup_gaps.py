# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter backup_gaps."""

from __future__ import annotations

DOCUMENTATION = r"""
name: backup_gaps
author: inferops contributors (@inferops)
version_added: 0.1.0
short_description: What a host lacks of its backups (private)
description:
  - This filter is private to the roles and playbooks of this collection. It may change or go away without notice.
  - Compares what module M(inferops.xinference.host_info) found on a host with the backups as they should be, so that role P(inferops.xinference.backup#role)
    writes nothing on a host where nothing is missing.
options:
  _input:
    description: The host, as C(host) of module M(inferops.xinference.host_info) with its O(inferops.xinference.host_info#module:backup).
    type: dict
    required: true
  units:
    description: The unit files as they should be, by name. One that ends in C(.timer) runs.
    type: dict
    required: true
  settings:
    description: SHA-256 of the settings as they should be.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Show what is missing
  ansible.builtin.debug:
    msg: "{{ found.host | inferops.xinference.backup_gaps(units, settings | hash('sha256')) }}"
  vars:
    units:
      xinference-backup.service: "{{ lookup('ansible.builtin.template', 'backup.service.j2') }}"
"""

RETURN = r"""
_value:
  description: >-
    Any of C(packages), C(settings), C(program), C(units) and C(start), in this order. C(start) stands for a timer that does not run, is not started at boot, or
    runs with older units.
  type: list
  elements: str
"""

from collections.abc import Mapping
from typing import Any


def backup_gaps(host: Mapping[str, Any], units: Mapping[str, str], settings: str) -> list[str]:
    """What is missing."""
    from ansible_collections.inferops.xinference.plugins.module_utils._core.base.fingerprint import fingerprint
    from ansible_collections.inferops.xinference.plugins.module_utils._core.service.package import sources

    found = host["backup"]
    missing = {
        "packages": not found["restic"],
        "settings": found["settings"] != settings,
        "program": found["program"] != fingerprint(sources()),
        "units": found["units"] != units,
    }
    gaps = [name for name, is_missing in missing.items() if is_missing]
    timer = any(name.endswith(".timer") for name in units)
    return [*gaps, "start"] if timer and ("units" in gaps or found["behind"] or not (found["active"] and found["enabled"])) else gaps


class FilterModule:
    """Filters of this file."""

    def filters(self) -> dict[str, Any]:
        """The filters by name."""
        return {"backup_gaps": backup_gaps}
