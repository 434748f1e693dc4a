# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether figures can be read through the proxy as declared. Private to this collection."""

from __future__ import annotations

import re

from ..base.messages import shown
from .settings import Failure, MonitoringSettings, Settings

__all__ = ["check_monitoring"]

LEAST_PASSWORD = 12
#: A colon would end it in what a client sends, and a number sign would make the line a comment.
_USERNAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


def check_monitoring(settings: Settings, monitoring: MonitoringSettings | None) -> list[Failure]:
    """What is wrong with the credentials for figures."""
    if monitoring is None:
        return []
    problems = []
    if settings.proxy is None:
        problems.append(
            (
                "xinference_monitoring_password is set, and xinference_proxy is false, so that nobody could read figures with it.",
                "Switch the proxy on, or remove the password.",
            )
        )
    if monitoring.password_length < LEAST_PASSWORD:
        # How long a password is, nobody should read.
        problems.append(("xinference_monitoring_password is too short.", f"Choose one of at least {LEAST_PASSWORD} characters."))
    elif not monitoring.password_is_plain:
        problems.append(
            ("xinference_monitoring_password holds a space, or a character outside of ASCII.", "Use letters, digits and signs that every client sends alike.")
        )
    if not _USERNAME.fullmatch(monitoring.username):
        problems.append(
            (
                f"xinference_monitoring_username '{shown(monitoring.username)}' cannot be used.",
                "Use at most 64 letters, digits, dots, hyphens and underscores, the first one a letter or a digit.",
            )
        )
    return [Failure("monitoring", problem, remedy) for problem, remedy in problems]
