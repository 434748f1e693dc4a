# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter volume_place."""

from __future__ import annotations

DOCUMENTATION = r"""
name: volume_place
author: inferops contributors (@inferops)
version_added: 0.1.0
short_description: Where a path of the server's container lies on the host (private)
description:
  - This filter is private to the roles and playbooks of this collection. It may change or go away without notice.
  - Maps one path through the volumes.
options:
  _input:
    description: Absolute path inside the container.
    type: str
    required: true
  data_root:
    description: Directory on the host that holds the volumes.
    type: str
    required: true
  volumes:
    description: The volumes, each with C(path) and optionally C(target).
    type: list
    elements: dict
    required: true
"""

EXAMPLES = r"""
- name: Show where the server's home lies
  ansible.builtin.debug:
    msg: "{{ '/data' | inferops.xinference.volume_place('/srv/xinference_data', [{'path': '.', 'target': '/data'}]) }}"
"""

RETURN = r"""
_value:
  description: Absolute path on the host, empty where no volume holds it.
  type: str
"""

from typing import Any


def volume_place(path: str, data_root: str, volumes: list[dict[str, Any]]) -> str:
    """Absolute path on the host."""
    from ansible_collections.inferops.xinference.plugins.module_utils._core.host.volumes import host_path

    return host_path(path, data_root, volumes) or ""


class FilterModule:
    """Filters of this file."""

    def filters(self) -> dict[str, Any]:
        """The filters by name."""
        return {"volume_place": volume_place}
