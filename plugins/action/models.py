# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs the module ``models`` on the host, and shows how far its models are while it runs.

Nothing is sent to the host for it unless the module still runs after one interval.
"""

from __future__ import annotations

import copy
import shlex
import threading
import uuid
from typing import Any

from ansible.module_utils.parsing.convert_bool import boolean
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible.utils.vars import merge_hash

from ansible_collections.inferops.xinference.plugins.module_utils._core.apply.progress import latest_lines
from ansible_collections.inferops.xinference.plugins.plugin_utils.screen import to_stderr

MODULE = "inferops.xinference.models"
#: The module's own default, in seconds.
INTERVAL = 10.0
#: The module refuses less; a poll takes part of a second itself.
SHORTEST_INTERVAL = 1.0
#: Seconds without an answer after which there are no more polls: the module could not make the file, or the host takes no second command.
PATIENCE = 60.0
#: And as many polls at least.
TRIES = 3
#: Seconds for which a poll that is under way may keep the task from ending.
FAREWELL = 1.0

display = Display()


def second_line(action: ActionBase) -> ActionBase:
    """A copy of an action whose commands do not disturb the one that its original is waiting for.

    Connection and become plugins keep the state of the command under way in themselves, such as the mark by which they know that become
    succeeded. The options, and with them addresses and passwords, are those of the original. Make it before the original is busy.
    """
    other = copy.copy(action)
    connection = other._connection = copy.copy(action._connection)
    connection._shell = copy.copy(connection._shell)
    connection.become = copy.copy(connection.become)
    # A connection that keeps a session or a client makes one of its own.
    connection._connected = False
    return other


class ProgressPoller(threading.Thread):
    """Polls the progress file at each interval and shows what is new, until it is stopped.

    :param action: whose commands run on the host, see :func:`second_line`.
    :param path: the file on the host.
    :param name: the host, for the operator.
    :param interval: seconds between two polls, and before the first.
    """

    def __init__(self, action: ActionBase, path: str, name: str, interval: float) -> None:
        # A daemon: a command that hangs keeps nobody from ending.
        super().__init__(daemon=True)
        self.action = action
        self.path = path
        self.host = name
        self.interval = interval
        self.known = 0
        self.stderr = to_stderr()
        self.stopped = threading.Event()
        self.showing = threading.Lock()

    def run(self) -> None:
        """Poll until the end, or until polling does not work."""
        failures = 0
        while failures * self.interval < max(PATIENCE, TRIES * self.interval) and not self.stopped.wait(self.interval):
            try:
                seen = self.poll()
            except Exception:
                # Of any kind: the task is about the models, not about the lines.
                seen = False
            failures = 0 if seen else failures + 1

    def poll(self) -> bool:
        """One poll; False when the file could not be read."""
        answer = self.action._low_level_execute_command(f"tail -n +{self.known + 1} {shlex.quote(self.path)}")
        if answer["rc"] != 0:
            return False
        lines, self.known = latest_lines(answer["stdout"], self.known)
        with self.showing:
            # Not after the end: the thread may be left behind, and must not hold the display's queue when its process ends.
            if not self.stopped.is_set():
                for line in lines.values():
                    display.display(f"[{self.host}] {line}", stderr=self.stderr)
        return True

    def stop(self) -> None:
        """No more polls and no more lines."""
        with self.showing:
            self.stopped.set()
        self.join(FAREWELL)


class ActionModule(ActionBase):
    """The module, with lines about its progress."""

    _supports_check_mode = True
    _supports_async = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Run the module as if there was no action plugin."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        poller = self._poller(task_vars or {}) if self._wanted() else None
        arguments = {**self._task.args, "progress_path": poller.path} if poller else self._task.args
        if poller:
            poller.start()
        try:
            answer = self._execute_module(module_name=MODULE, module_args=arguments, task_vars=task_vars, wrap_async=bool(self._task.async_val))
        finally:
            if poller:
                poller.stop()
        merged: dict[str, Any] = merge_hash(result, answer)
        return merged

    def _wanted(self) -> bool:
        """Whether there should be lines; a wrong value is for the module to refuse."""
        task = self._task
        if task.check_mode or task.async_val or task.no_log:
            return False
        try:
            return bool(boolean(task.args.get("progress", True)))
        except TypeError:
            return False

    def _poller(self, task_vars: dict[str, Any]) -> ProgressPoller | None:
        """The poller of this task, not yet started."""
        try:
            interval = max(SHORTEST_INTERVAL, float(self._task.args.get("progress_interval", INTERVAL)))
            name = str(task_vars.get("inventory_hostname", self._play_context.remote_addr))
            if self._task.delegate_to:
                name = f"{name} -> {self._task.delegate_to}"
            return ProgressPoller(second_line(self), self._path(), name, interval)
        except Exception:
            return None

    def _path(self) -> str:
        """A path on the host that nobody has, in a directory that the user of the module can write to."""
        if self._task.args.get("progress_path"):
            return str(self._task.args["progress_path"])
        # The last is /tmp where nobody configured others; a shell that is not POSIX has none, and no lines.
        folder = str(self.get_shell_option("system_tmpdirs")[-1])
        return f"{folder.rstrip('/')}/.ansible-xinference-{uuid.uuid4().hex}"
