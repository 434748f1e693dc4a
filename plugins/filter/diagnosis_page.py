# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter diagnosis_page."""

from __future__ import annotations

DOCUMENTATION = r"""
name: diagnosis_page
author: inferops contributors (@inferops)
version_added: 0.1.0
short_description: Diagnoses of inference hosts as a page for a browser (private)
description:
  - This filter is private to the roles and playbooks of this collection. It may change or go away without notice.
  - Makes one HTML file that needs no other file and no network. It shows the worst hosts first, and can be filtered by name and severity.
  - What a host or a server wrote is shown without control characters, and cut off where it is long. The page runs no script but its own.
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
- name: Write the page
  ansible.builtin.copy:
    content: "{{ diagnoses | inferops.xinference.diagnosis_page }}"
    dest: ./diagnosis.html
    mode: "0600"
  delegate_to: localhost
  run_once: true
"""

RETURN = r"""
_value:
  description: The page.
  type: str
"""

from collections.abc import Mapping
from typing import Any


def diagnosis_page(hosts: Mapping[str, Any]) -> str:
    """The page."""
    from ansible_collections.inferops.xinference.plugins.module_utils._core.diagnose.page import html_page

    return html_page(hosts)


class FilterModule:
    """Filters of this file."""

    def filters(self) -> dict[str, Any]:
        """The filters by name."""
        return {"diagnosis_page": diagnosis_page}
