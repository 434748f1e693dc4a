# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter diagnosis_table."""

from __future__ import annotations

DOCUMENTATION = r"""
name: diagnosis_table
author: inferops contributors (@inferops)
version_added: 0.1.0
short_description: Diagnoses of inference hosts as lines for a screen (private)
description:
  - This filter is private to the roles and playbooks of this collection. It may change or go away without notice.
  - Makes a table of all findings, the worst first, and below it lines that say what each means and what fixes it, which models differ from their
    declaration, what was not checked, and which hosts have no finding. Lines have at most 120 characters, except commands, which are not broken.
  - What a host or a server wrote is shown without control characters, and cut off where it is long.
options:
  _input:
    description:
      - For each host C(time), C(severity), C(server), C(image), C(findings) (with C(check), C(severity), C(subject), C(seen), C(meaning), C(remedy)),
        C(models) (with C(uid), C(state), C(differences), C(message)), C(checks) and C(unchecked) (with C(check), C(reason)).
      - A host that has something else is shown as one without a diagnosis.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Show the diagnoses of all hosts
  inferops.xinference.show:
    lines: "{{ diagnoses | inferops.xinference.diagnosis_table }}"
  run_once: true
"""

RETURN = r"""
_value:
  description: The lines.
  type: list
  elements: str
"""

from collections.abc import Mapping
from typing import Any


def diagnosis_table(hosts: Mapping[str, Any]) -> list[str]:
    """The lines."""
    from ansible_collections.inferops.xinference.plugins.module_utils._core.diagnose.screen import screen_lines

    return screen_lines(hosts)


class FilterModule:
    """Filters of this file."""

    def filters(self) -> dict[str, Any]:
        """The filters by name."""
        return {"diagnosis_table": diagnosis_table}
