# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter volume_mounts."""

from __future__ import annotations

DOCUMENTATION = r"""
name: volume_mounts
author: inferops contributors (@inferops)
version_added: 0.1.0
short_description: Mounts of the container from the volume tree (private)
description:
  - This filter is private to the roles and playbooks of this collection. It may change or go away without notice.
  - Returns the mounts as Docker writes them. A volume with C(unless_used) is left out while that directory holds files, which it would hide.
options:
  _input:
    description: The volume tree, as role C(_common) documents it.
    type: list
    elements: dict
    required: true
  data_root:
    description: Directory on the host that holds the tree.
    type: str
    required: true
  paths:
    description: Facts of the paths, as module M(inferops.xinference.host_info) returns them in C(host.paths).
    type: dict
    required: true
  selinux:
    description: Whether SELinux enforces on the host, so that the mounts need a private label.
    type: bool
    default: false
  outer:
    description: Leave out a mount that lies inside another mount, because it would hide a directory there.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Show the mounts
  ansible.builtin.debug:
    msg: "{{ [{'path': 'models', 'target': '/models'}] | inferops.xinference.volume_mounts('/srv/xinference_data', {}) }}"
"""

RETURN = r"""
_value:
  description: Texts such as C(/srv/xinference_data/models:/models:rw).
  type: list
  elements: str
"""

from typing import Any


def volume_mounts(volumes: list[dict[str, Any]], data_root: str, paths: dict[str, Any], selinux: bool = False, outer: bool = False) -> list[str]:
    """Mounts as Docker writes them."""
    from ansible_collections.inferops.xinference.plugins.module_utils._core.host.volumes import mounts

    found: list[str] = mounts(volumes, data_root, paths, selinux=selinux, outer=outer)
    return found


class FilterModule:
    """Filters of this file."""

    def filters(self) -> dict[str, Any]:
        """The filters by name."""
        return {"volume_mounts": volume_mounts}
