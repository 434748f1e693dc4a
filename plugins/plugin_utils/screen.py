# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where action plugins show lines on the controller. Private to this collection."""

from __future__ import annotations

from ansible import constants as C


def to_stderr() -> bool:
    """Whether standard output is for a program that reads it."""
    name = str(C.config.get_config_value("DEFAULT_STDOUT_CALLBACK"))
    return name.rsplit(".", maxsplit=1)[-1] in ("json", "jsonl")
