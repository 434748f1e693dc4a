# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter thread_warnings."""

from __future__ import annotations

DOCUMENTATION = r"""
name: thread_warnings
author: inferops contributors (@inferops)
version_added: 0.1.0
short_description: Which declared models have more threads than there are cores (private)
description:
  - This filter is private to the roles and playbooks of this collection. It may change or go away without notice.
  - It compares C(n_threads) of the engine options of each declared model, and of all of them together, with the cores.
options:
  _input:
    description: The declared models. Those that are not well-formed count for nothing.
    type: raw
    required: true
  cores:
    description: Processor cores that the container may use.
    type: float
    required: true
"""

EXAMPLES = r"""
- name: Show models whose threads wait for each other
  ansible.builtin.debug:
    msg: "{{ [{'uid': 'chat', 'engine_options': {'n_threads': 8}}] | inferops.xinference.thread_warnings(4) }}"
"""

RETURN = r"""
_value:
  description: One line for each, empty when there are cores enough.
  type: list
  elements: str
"""

from typing import Any


def thread_warnings(declared: Any, cores: float) -> list[str]:
    """One line for each."""
    from ansible_collections.inferops.xinference.plugins.module_utils._core.declaration.check import check_models
    from ansible_collections.inferops.xinference.plugins.module_utils._core.declaration.threads import too_many_threads

    # What is wrong with the others is said elsewhere, and is no matter of threads.
    models, _problems = check_models(declared, strict=False)
    found = too_many_threads([model for model in models if model.state == "present"], float(cores))
    return [f"{each.seen} {each.meaning} {each.remedy}" for each in found]


class FilterModule:
    """Filters of this file."""

    def filters(self) -> dict[str, Any]:
        """The filters by name."""
        return {"thread_warnings": thread_warnings}
