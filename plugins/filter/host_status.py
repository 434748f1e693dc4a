# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter host_status."""

from __future__ import annotations

DOCUMENTATION = r"""
name: host_status
author: inferops contributors (@inferops)
version_added: 0.1.0
short_description: State of one inference host from what the roles read
description:
  - Sums up the results that playbook C(inferops.xinference.status) registered for a host.
options:
  _input:
    description: The host's variables, as in C(hostvars).
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Show the state of this host
  ansible.builtin.debug:
    msg: "{{ hostvars[inventory_hostname] | inferops.xinference.host_status }}"
"""

RETURN = r"""
_value:
  description: C(container), C(health), C(version), C(workers), C(models) with C(uid), C(type), C(engine) and C(state), and C(trouble).
  type: dict
"""

from collections.abc import Mapping
from typing import Any


def host_status(variables: Mapping[str, Any]) -> dict[str, Any]:
    """State of one host."""
    host = (variables.get("_xinference_found") or {}).get("host")
    if host is None:
        return {"container": None, "health": None, "version": None, "workers": [], "models": [], "trouble": "The host could not be read."}
    container = host["engine"]["container"] or {}
    running = variables.get("_xinference_running") or {}
    trouble = str(variables.get("_xinference_trouble") or "")
    if not trouble and not host["engine"]["reachable"]:
        trouble = f"No Docker Engine answers: {host['engine']['error']}."
    server = running.get("server") or {}
    models = [
        {
            "uid": model["uid"],
            "type": model["spec"].get("model_type"),
            "engine": model["spec"].get("model_engine"),
            "state": model["state"],
            "message": model["message"],
        }
        for model in running.get("models") or []
    ]
    return {
        "container": container.get("status") or "absent",
        "health": container.get("health"),
        "version": server.get("version"),
        "workers": list(server.get("workers") or []),
        "models": models,
        "trouble": trouble,
    }


class FilterModule:
    """Filters of this file."""

    def filters(self) -> dict[str, Any]:
        """The filters by name."""
        return {"host_status": host_status}
