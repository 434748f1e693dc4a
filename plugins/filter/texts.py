# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter texts."""

from __future__ import annotations

DOCUMENTATION = r"""
name: texts
author: inferops contributors (@inferops)
version_added: 0.1.0
short_description: Environment variables or labels as the texts that people mean (private)
description:
  - This filter is private to the roles and playbooks of this collection. It may change or go away without notice.
  - Makes a text of each value that is a boolean, a number or a date. What has no such text fails; role P(inferops.xinference.preflight#role) reports it before
    anything is changed.
options:
  _input:
    description: The variables or labels by name.
    type: dict
    required: true
  past_proxies:
    description: >-
      Whether C(NO_PROXY) and C(no_proxy) should hold the container's own addresses where a proxy is named, beside what they hold already.
    type: bool
    default: false
  others:
    description: Names of other machines that C(NO_PROXY) and C(no_proxy) should hold then as well.
    type: list
    elements: str
    default: []
"""

EXAMPLES = r"""
- name: Show what a container would be given
  ansible.builtin.debug:
    msg: "{{ {'HF_HUB_ENABLE_HF_TRANSFER': true, 'OMP_NUM_THREADS': 4} | inferops.xinference.texts }}"
"""

RETURN = r"""
_value:
  description: The same names, with texts such as C(true) and C(4).
  type: dict
"""

from collections.abc import Sequence
from typing import Any

from ansible.errors import AnsibleFilterError


def texts(values: dict[str, Any], past_proxies: bool = False, others: Sequence[str] = ()) -> dict[str, str]:
    """The same names with texts."""
    from ansible_collections.inferops.xinference.plugins.module_utils._core.preflight import variables

    try:
        found: dict[str, str] = variables.texts(variables.plain(values))
    except ValueError as error:
        raise AnsibleFilterError(str(error)) from error
    return variables.past_proxies(found, others) if past_proxies else found


class FilterModule:
    """Filters of this file."""

    def filters(self) -> dict[str, Any]:
        """The filters by name."""
        return {"texts": texts}
