# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A systemctl that knows of one unit, in the words of the real one (252)."""

from __future__ import annotations

import time
from collections.abc import Callable


def systemctl(started: float | None, state: str = "active", substate: str = "running") -> Callable[[list[str]], tuple[int, str, str]]:
    """Runs ``systemctl show`` for a unit.

    :param started: when its process was started, in seconds since the epoch; None for a unit that does not run.
    """

    def run(command: list[str]) -> tuple[int, str, str]:
        assert command[1:5] == ["LC_ALL=C", "TZ=UTC", "systemctl", "show"]
        if started is None:
            return 0, "ExecMainStartTimestamp=\nActiveState=inactive\nSubState=dead\n", ""
        when = time.strftime("%a %Y-%m-%d %H:%M:%S UTC", time.gmtime(started))
        return 0, f"ExecMainStartTimestamp={when}\nActiveState={state}\nSubState={substate}\n", ""

    return run
