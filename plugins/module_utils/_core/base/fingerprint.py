# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What names the content of a program, so that a host that has it is left alone. Private to this collection."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

__all__ = ["fingerprint", "folder_fingerprint"]


def fingerprint(files: Mapping[str, bytes]) -> str:
    """Sixteen hexadecimal digits that name the content of a program.

    :param files: content by path.
    """
    total = hashlib.sha256()
    for name, content in sorted(files.items()):
        total.update(f"{name}\0{len(content)}\0".encode() + content)
    return total.hexdigest()[:16]


def folder_fingerprint(folder: Path) -> str | None:
    """The same of the Python files in a directory; None where there is none, or where they cannot be read."""
    try:
        return fingerprint({str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*.py")}) if folder.is_dir() else None
    except OSError:
        return None
