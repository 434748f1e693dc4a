# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the options that say where the server's files are. Private to this collection."""

from __future__ import annotations


class ModuleDocFragment:
    """Options of modules that read the server's files where they can."""

    DOCUMENTATION = r"""
options:
  mounts:
    description:
      - Directories of this host that the server's container sees, path in the container to path on this host. Leave it out where the module does not
        run on the server's host.
      - With them, paths are checked before anything is changed, sizes of files are known, what models were launched with is known whoever launched them, and
        a failed launch shows the end of the server's log.
    type: dict
    default: {}
  home:
    description: The server's directory (C(XINFERENCE_HOME)) in its container.
    type: str
    default: /root/.xinference
  state_path:
    description: >-
      File of this host, readable by its owner only, that keeps what was launched, for servers without a launch history (before 2.10). Newer servers keep it
      themselves.
    type: path
"""
