# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lines for the journal of a unit. Private to this collection."""

from __future__ import annotations

import sys

from .messages import one_line

__all__ = ["log"]


def log(line: str) -> None:
    """Write one line, at once; it may hold what a server answered."""
    sys.stdout.write(f"{one_line(line)}\n")
    sys.stdout.flush()
