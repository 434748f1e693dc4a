# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter documented_variables."""

from __future__ import annotations

DOCUMENTATION = r"""
name: documented_variables
author: inferops contributors (@inferops)
version_added: 0.1.0
short_description: Names of the variables that the roles in a directory document (private)
description:
  - This filter is private to the roles and playbooks of this collection. It may change or go away without notice.
  - Reads the argument specifications of all roles in a directory of the controller and returns the names of their options, those of all entry points.
options:
  _input:
    description: Directory with the roles.
    type: path
    required: true
"""

EXAMPLES = r"""
- name: Show the variables of the roles beside this one
  ansible.builtin.debug:
    msg: "{{ (role_path ~ '/..') | inferops.xinference.documented_variables }}"
  when: role_path is defined
"""

RETURN = r"""
_value:
  description: The names, sorted.
  type: list
  elements: str
"""

from pathlib import Path
from typing import Any

from ansible.module_utils.common.yaml import yaml_load


def documented_options(directory: str) -> dict[str, dict[str, Any]]:
    """What all roles in a directory document of their variables, by name."""
    found: dict[str, dict[str, Any]] = {}
    for path in Path(directory).glob("*/meta/argument_specs.yml"):
        for spec in yaml_load(path.read_text(encoding="utf-8"))["argument_specs"].values():
            found.update(spec.get("options") or {})
    return found


def documented_variables(directory: str) -> list[str]:
    """The names, sorted."""
    return sorted(documented_options(directory))


class FilterModule:
    """Filters of this file."""

    def filters(self) -> dict[str, Any]:
        """The filters by name."""
        return {"documented_variables": documented_variables}
