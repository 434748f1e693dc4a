# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter size."""

from __future__ import annotations

DOCUMENTATION = r"""
name: size
author: inferops contributors (@inferops)
version_added: 0.1.0
short_description: A size in the spelling that Docker and nginx share (private)
description:
  - This filter is private to the roles and playbooks of this collection. It may change or go away without notice.
  - Takes sizes as people write them, such as C(12g), C(12 GB), C(12GiB) and C(1.5g), and counts in powers of 1024.
  - What is no size fails; role P(inferops.xinference.preflight#role) reports it before anything is changed.
options:
  _input:
    description: The size, as a text, or as a number of bytes.
    type: raw
    required: true
"""

EXAMPLES = r"""
- name: Show a size
  ansible.builtin.debug:
    msg: "{{ '4 GiB' | inferops.xinference.size }}"
"""

RETURN = r"""
_value:
  description: A whole number, with C(k), C(m) or C(g) behind it where it is a multiple, such as C(4g).
  type: str
"""

from typing import Any

from ansible.errors import AnsibleFilterError


def size(value: Any) -> str:
    """The size as Docker and nginx read it."""
    from ansible_collections.inferops.xinference.plugins.module_utils._core.base.sizes import written

    try:
        found: str = written(value)
    except ValueError as error:
        raise AnsibleFilterError(f"{error}.") from error
    return found


class FilterModule:
    """Filters of this file."""

    def filters(self) -> dict[str, Any]:
        """The filters by name."""
        return {"size": size}
