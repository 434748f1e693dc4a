# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter status_table."""

from __future__ import annotations

DOCUMENTATION = r"""
name: status_table
author: inferops contributors (@inferops)
version_added: 0.1.0
short_description: Aligned table of inference hosts and their models (private)
description:
  - This filter is private to the roles and playbooks of this collection. It may change or go away without notice.
  - Lays out the states of several hosts as lines of equal columns, one line per model.
  - Where a host belongs to a cluster, columns show what it is there and on which workers its models run. What a worker cannot have stays empty.
options:
  _input:
    description: For each host what P(inferops.xinference.host_status#filter) returns.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Show this host as a table
  inferops.xinference.show:
    lines: "{{ {inventory_hostname: hostvars[inventory_hostname] | inferops.xinference.host_status} | inferops.xinference.status_table }}"
"""

RETURN = r"""
_value:
  description: The lines of the table, and behind it one line for each problem.
  type: list
  elements: str
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from typing import Any

_HEADER = ("HOST", "CONTAINER", "IMAGE", "SERVER", "WORKERS", "RECOVERY", "BACKUP", "MODEL", "TYPE", "ENGINE", "STATE", "DRIFT")
#: Columns that only a table with clusters has.
_CLUSTER = "CLUSTER"
_ON = "ON"


def _image(reference: str | None) -> str:
    """Tag of an image, or the beginning of its digest; all of it would make the table wide."""
    name, _at, digest = (reference or "-").rpartition("/")[2].partition("@")
    return digest[: len("sha256:") + 12] or name.partition(":")[2] or name


def _age(backup: Mapping[str, Any]) -> str:
    """How old the last backup is, in minutes, hours or days."""
    if not backup["last_success"]:
        return "never"
    age = datetime.now(timezone.utc) - datetime.strptime(backup["last_success"], "%Y-%m-%dT%H:%M:%S%z")
    # Clocks of two machines may differ.
    minutes = max(int(age.total_seconds()) // 60, 0)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h" if minutes < 48 * 60 else f"{minutes // 60 // 24} d"


def _on(cluster: str | None, workers: Sequence[Mapping[str, Any]]) -> str:
    """On which workers of its cluster a model runs; the one worker of a server alone has no name that says anything."""
    from ansible_collections.inferops.xinference.plugins.module_utils._core.plan.placement import counts_text

    return counts_text({str(worker["name"]): int(worker["replicas"]) for worker in workers}) if cluster else ""


def status_table(hosts: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """The lines of the table."""
    from ansible_collections.inferops.xinference.plugins.module_utils._core.base.table import table_lines

    clustered = any(status["cluster"] for status in hosts.values())
    rows: list[tuple[str, ...]] = [(*_HEADER[:1], _CLUSTER, *_HEADER[1:], _ON) if clustered else _HEADER]
    remarks: list[str] = []
    for name, status in hosts.items():
        # A worker lacks nothing there: its supervisor has it.
        none = "" if status["cluster"] == "worker" else "-"
        state = str(status["container"] or "unknown") + (f" ({status['health']})" if status["health"] else "")
        workers = str(len(status["workers"])) if status["version"] or status["workers"] else none
        served = (*((str(status["cluster"] or "-"),) if clustered else ()), state, _image(status["image"]), str(status["version"] or none), workers)
        columns: tuple[str, ...] = (name, *served, str(status["recovery"] or none), _age(status["backup"]) if status["backup"] else none)
        lacking: dict[str, Any] = {"uid": none, "type": None, "engine": None, "state": none, "message": "", "drift": None, "differences": [], "workers": []}
        for model in status["models"] or [lacking]:
            cells = (str(model["uid"]), str(model["type"] or none), str(model["engine"] or none), str(model["state"]), str(model["drift"] or none))
            rows.append((*columns, *cells, *((_on(status["cluster"], model["workers"]) or none,) if clustered else ())))
            if model["differences"]:
                remarks.append(f"{name}: {model['uid']} {model['drift']}: {'; '.join(model['differences'])}")
            if model["message"]:
                remarks.append(f"{name}: {model['uid']}: {model['message']}")
            columns = ("",) * len(columns)
        if status["trouble"]:
            remarks.append(f"{name}: {status['trouble']}")
    return table_lines(rows) + remarks


class FilterModule:
    """Filters of this file."""

    def filters(self) -> dict[str, Any]:
        """The filters by name."""
        return {"status_table": status_table}
