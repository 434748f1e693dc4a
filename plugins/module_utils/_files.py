# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options that tell where the server's files are on this host. Private to this collection."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.inferops.xinference.plugins.module_utils._core.applied import StateFile
from ansible_collections.inferops.xinference.plugins.module_utils._core.errors import DeclarationError
from ansible_collections.inferops.xinference.plugins.module_utils._core.home import DEFAULT_HOME, Home

__all__ = ["files_spec", "server_files"]


def files_spec() -> dict[str, dict[str, Any]]:
    """Options of the server's files; documented by the fragment ``files``."""
    return {
        "mounts": {"type": "dict", "default": {}},
        "home": {"type": "str", "default": DEFAULT_HOME},
        "state_path": {"type": "path"},
    }


def server_files(given: Mapping[str, Any]) -> tuple[Home, StateFile]:
    """The server's files, as far as this host sees them, and the file with the records of older servers.

    :param given: the module's parameters.
    :raises DeclarationError: when a path is not absolute.
    """
    problems = []
    for inside, outside in given["mounts"].items():
        if not all(isinstance(path, str) and path.startswith("/") for path in (inside, outside)):
            problems.append(f"mounts '{inside}: {outside}' must hold two absolute paths, in the container and on this host.")
    if not given["home"].startswith("/"):
        problems.append(f"home '{given['home']}' must be an absolute path in the container.")
    if problems:
        raise DeclarationError(problems)
    return Home(given["mounts"], given["home"]), StateFile(given["state_path"])
