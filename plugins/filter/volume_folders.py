# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter volume_folders."""

from __future__ import annotations

DOCUMENTATION = r"""
name: volume_folders
author: inferops contributors (@inferops)
version_added: 0.1.0
short_description: Directories of the volume tree that differ from what is declared (private)
description:
  - This filter is private to the roles and playbooks of this collection. It may change or go away without notice.
  - Compares the tree with the facts of the host, and returns the directories that are missing or differ in owner, group or mode.
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
  user:
    description: Numbers of user and group of the container, such as V(10001:10001), who own the directories that it writes. If empty, root.
    type: str
    default: ""
"""

EXAMPLES = r"""
- name: Show what is missing
  ansible.builtin.debug:
    msg: "{{ [{'path': 'models', 'mode': '0755'}] | inferops.xinference.volume_folders('/srv/xinference_data', {}) }}"
"""

RETURN = r"""
_value:
  description: >-
    The directories with C(place), their absolute path, owner, group, mode and SELinux type, and C(inside), the path by which the container sees those that lie
    below a directory that it can write, empty for all others.
  type: list
  elements: dict
"""

from typing import Any


def volume_folders(volumes: list[dict[str, Any]], data_root: str, paths: dict[str, Any], user: str = "") -> list[dict[str, Any]]:
    """Directories that are missing or differ."""
    from ansible_collections.inferops.xinference.plugins.module_utils._core.host.volumes import folders

    found: list[dict[str, Any]] = folders(volumes, data_root, paths, user)
    return found


class FilterModule:
    """Filters of this file."""

    def filters(self) -> dict[str, Any]:
        """The filters by name."""
        return {"volume_folders": volume_folders}
