# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter snapshot_table."""

from __future__ import annotations

DOCUMENTATION = r"""
name: snapshot_table
author: inferops contributors (@inferops)
version_added: 0.1.0
short_description: Aligned table of snapshots (private)
description:
  - This filter is private to the roles and playbooks of this collection. It may change or go away without notice.
  - Makes lines of what module M(inferops.xinference.snapshot_info) returns, with a line below the table for each snapshot that cannot be read.
options:
  _input:
    description: The snapshots that the module returns.
    type: list
    elements: dict
    required: true
"""

EXAMPLES = r"""
- name: Show the snapshots
  ansible.builtin.debug:
    msg: "{{ listed.snapshots | inferops.xinference.snapshot_table }}"
  when: listed is defined
"""

RETURN = r"""
_value:
  description: The lines of the table, and behind it one line for each snapshot that cannot be read.
  type: list
  elements: str
"""

from collections.abc import Mapping, Sequence
from typing import Any

from ansible.module_utils.common.text.formatters import bytes_to_human

_HEADER = ("SNAPSHOT", "TIME (UTC)", "SERVER", "FILES", "SIZE")


def _row(snapshot: Mapping[str, Any]) -> tuple[str, ...]:
    """The cells of a snapshot."""
    files, size = snapshot["files"], snapshot["bytes"]
    time = str(snapshot["time"]).replace("T", " ").rstrip("Z")
    numbers = ("-" if files is None else str(files), "-" if size is None else bytes_to_human(size))
    return (str(snapshot["id"]), time or "-", str(snapshot["server_version"] or "-"), *numbers)


def snapshot_table(snapshots: Sequence[Mapping[str, Any]]) -> list[str]:
    """The lines of the table."""
    from ansible_collections.inferops.xinference.plugins.module_utils._core.base.table import table_lines

    rows = [_row(snapshot) for snapshot in snapshots]
    remarks = [f"{snapshot['id']}: {snapshot['problem']}" for snapshot in snapshots if snapshot["problem"]]
    return [*table_lines([_HEADER, *(rows or [("-",) * len(_HEADER)])]), *remarks]


class FilterModule:
    """Filters of this file."""

    def filters(self) -> dict[str, Any]:
        """The filters by name."""
        return {"snapshot_table": snapshot_table}
