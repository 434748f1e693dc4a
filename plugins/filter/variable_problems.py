# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter variable_problems."""

from __future__ import annotations

DOCUMENTATION = r"""
name: variable_problems
author: inferops contributors (@inferops)
version_added: 0.1.0
short_description: Variables that are not of the kind that the roles document (private)
description:
  - This filter is private to the roles and playbooks of this collection. It may change or go away without notice.
  - Compares variables with the argument specifications of all roles in a directory of the controller, and returns for each of another kind what it must be.
  - A whole number where a text is wanted is fine where nothing else can be meant, such as a password or a size.
options:
  _input:
    description: The variables that are set, by name. Others than those that are documented are left out.
    type: dict
    required: true
  directory:
    description: Directory with the roles.
    type: path
    required: true
"""

EXAMPLES = r"""
- name: Show what is of another kind
  ansible.builtin.debug:
    msg: "{{ {'xinference_image_tag': 4.1} | inferops.xinference.variable_problems(role_path ~ '/..') }}"
  when: role_path is defined
"""

RETURN = r"""
_value:
  description: One sentence for each, empty where all are as documented. No secret is repeated.
  type: list
  elements: str
"""

from typing import Any


def variable_problems(values: dict[str, Any], directory: str) -> list[str]:
    """One sentence for each variable of another kind."""
    from ansible_collections.inferops.xinference.plugins.filter.documented_variables import documented_options
    from ansible_collections.inferops.xinference.plugins.module_utils._core.preflight.variables import check_kinds, plain

    found: list[str] = check_kinds(plain(values), documented_options(directory))
    return found


class FilterModule:
    """Filters of this file."""

    def filters(self) -> dict[str, Any]:
        """The filters by name."""
        return {"variable_problems": variable_problems}
