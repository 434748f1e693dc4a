# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Shows lines as they are, where ``debug`` shows a list of quoted texts.

Everything happens on the controller. The lines are printed above the task's result, and are all that is in it, so that a callback for programs has them too.
"""

from __future__ import annotations

from typing import Any

from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

from ansible_collections.inferops.xinference.plugins.module_utils._core.base.messages import printable
from ansible_collections.inferops.xinference.plugins.plugin_utils.screen import to_stderr

#: Characters of a line; servers and hosts may have written a part of it.
LONGEST = 2000
SPECIFICATION: dict[str, dict[str, Any]] = {"lines": {"type": "list", "elements": "str", "required": True}}

display = Display()


def readable(line: str) -> str:
    """A line without what a terminal obeys, and of bounded length."""
    text = printable(line[: LONGEST + 1])
    return text if len(text) <= LONGEST else text[:LONGEST] + "…"


class ActionModule(ActionBase):
    """Shows lines."""

    _supports_check_mode = True
    _requires_connection = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Show the lines, and return them."""
        super().run(tmp, task_vars)
        _checked, arguments = self.validate_argument_spec(argument_spec=SPECIFICATION)
        lines = [readable(line) for line in arguments["lines"]]
        if lines and not self._task.no_log:
            # Several hosts show theirs before the first result is printed, so each block names its host.
            heading = [] if self._task.run_once else [f"[{(task_vars or {}).get('inventory_hostname', self._play_context.remote_addr)}]"]
            # One call, so that no other process prints between two lines.
            display.display("\n".join([*heading, *lines]), stderr=to_stderr())
        return {"changed": False, "lines": lines}
