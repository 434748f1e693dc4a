# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How modules run commands of the host whose answers are read. Private to this collection."""

from __future__ import annotations

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.inferops.xinference.plugins.module_utils._core.host.client_environment import Run

__all__ = ["plainly"]


def plainly(module: AnsibleModule) -> Run:
    """What runs a command in English and UTC, and returns its status, output and errors. One that is not there has a status, too."""

    def run(command: list[str]) -> tuple[int, str, str]:
        # With env, where Ansible would end the module for a command that it does not find.
        status, answer, error = module.run_command(["/usr/bin/env", "LC_ALL=C", "TZ=UTC", *command])
        return status, answer, error

    return run
