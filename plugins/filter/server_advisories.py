# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter server_advisories."""

from __future__ import annotations

DOCUMENTATION = r"""
name: server_advisories
author: inferops contributors (@inferops)
version_added: 0.1.0
short_description: What the server of a host is open to, as far as it is public (private)
description:
  - This filter is private to the roles and playbooks of this collection. It may change or go away without notice.
  - Looks up the version in a table of known ways to run code on a server, and what the host's image was found to lack.
options:
  _input:
    description: The facts, as module M(inferops.xinference.host_info) returns them in C(host).
    type: dict
    required: true
  version:
    description: Version of the server, or the tag of its image. Nothing is known of a text that is neither, such as V(nightly-main).
    type: str
    required: true
  client:
    description: Version of the client that asks it. Another sentence says where it is of an older major version.
    type: str
    default: ""
  cluster:
    description: Whether the server is a cluster. Another sentence says what a cluster of this version does not do.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Show what the server of this host is open to
  ansible.builtin.debug:
    msg: "{{ found.host | inferops.xinference.server_advisories('v1.17.1-cpu') }}"
  when: found is defined
"""

RETURN = r"""
_value:
  description: One sentence for each, empty when nothing is known.
  type: list
  elements: str
"""

from collections.abc import Mapping
from typing import Any


def server_advisories(host: Mapping[str, Any], version: str, client: str = "", cluster: bool = False) -> list[str]:
    """One sentence for each."""
    from ansible_collections.inferops.xinference.plugins.module_utils._core.preflight.cluster import cluster_warnings
    from ansible_collections.inferops.xinference.plugins.module_utils._core.server.advisories import older_client, sentences

    return [*sentences(version, host["server_environment"]), *older_client(client, version), *(cluster_warnings(version) if cluster else [])]


class FilterModule:
    """Filters of this file."""

    def filters(self) -> dict[str, Any]:
        """The filters by name."""
        return {"server_advisories": server_advisories}
