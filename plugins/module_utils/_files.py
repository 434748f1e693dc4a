# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options that say where the server's files are on this host. Private to this collection."""

from __future__ import annotations

from typing import Any

from ansible_collections.inferops.xinference.plugins.module_utils._core.observed.server_files import DEFAULT_HOME

__all__ = ["files_spec"]


def files_spec() -> dict[str, dict[str, Any]]:
    """Options of the server's files; documented by the fragment ``_files``."""
    return {
        "mounts": {"type": "dict", "default": {}},
        "home": {"type": "str", "default": DEFAULT_HOME},
        "state_path": {"type": "path"},
    }
