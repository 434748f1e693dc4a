# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A callback of Ansible that writes down what a run did: for the table of times, and for the tests that check what was exercised."""

from __future__ import annotations

DOCUMENTATION = r"""
name: run_recorder
type: aggregate
short_description: Records runs, tasks, results and the names of variables
description:
  - Writes a line of JSON for each into the directory that E(XINFERENCE_TEST_RECORDS) names, and does nothing where it names none.
  - Names of variables are written, never their values.
author: inferops contributors (@inferops)
requirements: [enable it in the configuration]
"""

import json
import os
import re
import time
from pathlib import Path
from typing import Any

import yaml
from ansible.plugins.callback import CallbackBase

_PUBLIC = re.compile(r"^xinference_\w+$")
_PLACE = re.compile(r"/(roles|playbooks)/(\w+)[./]")
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_ROLES = Path(__file__).resolve().parents[3] / "roles"


def _defaults() -> dict[str, Any]:
    """The defaults of all roles, as they are written."""
    found: dict[str, Any] = {}
    for path in _ROLES.glob("*/defaults/**/*.yml"):
        found.update(yaml.load(path.read_text(encoding="utf-8"), Loader=_LOADER) or {})
    return found


class CallbackModule(CallbackBase):  # type: ignore[misc]
    """The callback."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "run_recorder"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self) -> None:
        super().__init__()
        folder = os.environ.get("XINFERENCE_TEST_RECORDS", "")
        self._path = Path(folder) / f"{time.time_ns()}-{os.getpid()}.jsonl" if folder else None
        self._begun = time.monotonic()
        self._started: dict[tuple[str, str], float] = {}
        self._defaults = _defaults() if folder else {}
        self._named: set[str] = set()
        self._seen: set[tuple[str, str]] = set()

    def _write(self, kind: str, **fields: Any) -> None:
        """Add a record."""
        if self._path is not None:
            with self._path.open("a", encoding="utf-8") as file:
                file.write(json.dumps({"kind": kind, **fields}) + "\n")

    def _name(self, variables: dict[str, Any]) -> None:
        """Write down which public variables have another value than their default."""
        missing = object()
        found = {name for name, value in variables.items() if _PUBLIC.match(name) and self._defaults.get(name, missing) != value}
        if found - self._named:
            self._write("variables", names=sorted(found - self._named))
            self._named |= found

    def _saw(self, path: str) -> None:
        """Write down which role or playbook of the collection this comes from."""
        for kind, name in _PLACE.findall(path)[-1:]:
            if (kind, name) not in self._seen:
                self._seen.add((kind, name))
                self._write(kind.rstrip("s"), name=name)

    def v2_playbook_on_play_start(self, play: Any) -> None:
        """A play, which names its hosts and their variables."""
        if self._path is None:
            return
        self._saw(play.get_path() or "")
        manager = play.get_variable_manager()
        for host in manager._inventory.get_hosts():
            self._name(manager.get_vars(play=play, host=host, include_hostvars=False))

    def v2_playbook_on_task_start(self, task: Any, is_conditional: bool) -> None:
        """A task, which may name variables itself."""
        if self._path is None:
            return
        self._saw(task.get_path() or "")
        self._name(task.get_vars())

    def v2_runner_on_start(self, host: Any, task: Any) -> None:
        """A task on a host."""
        self._started[(host.get_name(), task._uuid)] = time.monotonic()

    def _ended(self, result: Any, status: str) -> None:
        """A task on a host has ended."""
        if self._path is None:
            return
        # ansible-core before 2.19 has the underlined names alone.
        task, host = getattr(result, "task", None) or result._task, getattr(result, "host", None) or result._host
        answer = getattr(result, "result", None) or result._result
        begun = self._started.pop((host.get_name(), task._uuid), time.monotonic())
        looped = answer.get("results")
        answers = looped if isinstance(looped, list) else [answer]
        results, models = [], []
        for each in answers:
            if isinstance(each, dict):
                results += [each["result"]] if isinstance(each.get("result"), str) else []
                rows = each.get("models")
                for row in rows if isinstance(rows, list) else ():
                    if isinstance(row, dict) and {"result", "seconds"} <= set(row):
                        models.append({"result": row["result"], "seconds": row["seconds"]})
        self._write(
            "task",
            action=str(task.resolved_action or task.action),
            name=task.get_name(),
            seconds=round(time.monotonic() - begun, 2),
            status="changed" if status == "ok" and answer.get("changed") else status,
            check=bool(task.check_mode),
            healthy=task.args.get("state") == "healthy" if isinstance(task.args, dict) else False,
            results=results,
            models=models,
        )

    def v2_runner_on_ok(self, result: Any) -> None:
        """It ended well."""
        self._ended(result, "ok")

    def v2_runner_on_failed(self, result: Any, ignore_errors: bool = False) -> None:
        """It failed."""
        self._ended(result, "failed")

    def v2_runner_on_unreachable(self, result: Any) -> None:
        """Its host cannot be reached."""
        self._ended(result, "unreachable")

    def v2_playbook_on_stats(self, stats: Any) -> None:
        """The end of a playbook."""
        self._write("run", seconds=round(time.monotonic() - self._begun, 2))
