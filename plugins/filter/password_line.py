# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter password_line."""

from __future__ import annotations

DOCUMENTATION = r"""
name: password_line
author: inferops contributors (@inferops)
version_added: 0.1.0
short_description: A line of a file with passwords as nginx reads it (private)
description:
  - This filter is private to the roles and playbooks of this collection. It may change or go away without notice.
  - The password is in it as a hash (crypt's SHA-512). The salt is made of user name and host, so that the same line comes out at every run.
options:
  _input:
    description: The password.
    type: str
    required: true
  username:
    description: Who has it.
    type: str
    required: true
  host:
    description: Name of the host that keeps the line.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Write the file
  ansible.builtin.copy:
    dest: /etc/nginx/passwords
    content: "{{ vault_password | inferops.xinference.password_line('prometheus', inventory_hostname) }}"
    mode: "0640"
  no_log: true
"""

RETURN = r"""
_value:
  description: The line, with its end.
  type: str
"""

from typing import Any


def password_line(password: str, username: str, host: str) -> str:
    """The line, with its end."""
    from ansible_collections.inferops.xinference.plugins.module_utils._core.base.password_hash import salt_of, sha512_crypt

    return f"{username}:{sha512_crypt(str(password), salt_of(str(host), str(username)))}\n"


class FilterModule:
    """Filters of this file."""

    def filters(self) -> dict[str, Any]:
        """The filters by name."""
        return {"password_line": password_line}
