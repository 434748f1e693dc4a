# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter upgrade_table."""

from __future__ import annotations

DOCUMENTATION = r"""
name: upgrade_table
author: inferops contributors (@inferops)
version_added: 0.1.0
short_description: What a new server says of the declared models, as a table (private)
description:
  - This filter is private to the roles and playbooks of this collection. It may change or go away without notice.
  - Makes lines of what module M(inferops.xinference.upgrade_info) returns, with a line for each problem and note below the table.
options:
  _input:
    description: What the module returns.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Show what the new server says
  inferops.xinference.show:
    lines: "{{ asked | inferops.xinference.upgrade_table }}"
  when: asked is defined
"""

RETURN = r"""
_value:
  description: The lines of the table, and behind it one line for each problem and note.
  type: list
  elements: str
"""

from collections.abc import Mapping
from typing import Any


def upgrade_table(asked: Mapping[str, Any]) -> list[str]:
    """The lines of the table."""
    from ansible_collections.inferops.xinference.plugins.module_utils._core.base.table import table_lines

    header = ("MODEL", f"TODAY ({asked['running_version'] or 'version unknown'})", f"THEN ({asked['server_version'] or 'version unknown'})")
    rows = [(str(model["uid"]), str(model["today"]), "refused" if model["refused"] else str(model["then"])) for model in asked["models"]]
    return [*table_lines([header, *(rows or [("-", "-", "-")])]), *asked["problems"], *asked["notes"]]


class FilterModule:
    """Filters of this file."""

    def filters(self) -> dict[str, Any]:
        """The filters by name."""
        return {"upgrade_table": upgrade_table}
