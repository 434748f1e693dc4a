# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the option that keeps two writers apart. Private to this collection."""

from __future__ import annotations


class ModuleDocFragment:
    """Options of modules that change what a server runs or keeps."""

    DOCUMENTATION = r"""
options:
  lock_path:
    description:
      - File of this host that is locked while the server is changed, so that two modules, or a module and the recovery service, never do it at the same time.
      - The task waits at most O(wait_timeout) seconds for it, and fails if another process holds it longer. Check mode needs no lock.
      - On hosts with the recovery service the roles use C(/var/lib/xinference-models/lock).
    type: path
"""
