# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tests of the modules share: running one in this process, with a server in memory."""

from __future__ import annotations

import contextlib
import importlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from ansible.module_utils import _internal, basic

from ansible_collections.inferops.xinference.plugins.module_utils import _module

#: Lets a module repeat its arguments in its answer, as verbose runs do. Before ansible-core 2.21 every module does so, and none knows this.
REPEAT = {"_ansible_inject_invocation": True} if "_ansible_inject_invocation" in Path(basic.__file__).read_text(encoding="utf-8") else {}


def patch_module_args(arguments: dict[str, Any]) -> contextlib.AbstractContextManager[Any]:
    """Let a module find these arguments, as if Ansible had sent them."""
    try:
        testing: Any = importlib.import_module("ansible.module_utils.testing")
    except ModuleNotFoundError:
        # ansible-core 2.18 has no such help.
        return mock.patch.object(basic, "_ANSIBLE_ARGS", json.dumps({"ANSIBLE_MODULE_ARGS": arguments}).encode())
    patched: contextlib.AbstractContextManager[Any] = testing.patch_module_args(arguments)
    return patched


class Runner:
    """Runs a module's ``main`` as Ansible would, and keeps all that it printed."""

    def __init__(self, main: Callable[[], None], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
        self.main = main
        self.capsys = capsys
        self.monkeypatch = monkeypatch
        # A module's process knows nothing of a controller; here tests of the action plugin may have loaded one.
        # (ansible-core 2.18 does not ask.)
        monkeypatch.setattr(_internal, "is_controller", False, raising=False)
        self.output = ""
        #: What it wrote to the host's system log.
        self.logged: list[str] = []
        monkeypatch.setattr(basic.AnsibleModule, "log", lambda _module, text, log_args=None: self.logged.append(f"{text} {log_args}"))
        self.connections: list[dict[str, Any]] = []

    def use(self, client: Any) -> None:
        """Let the module talk to this client instead of a server; an exception is what connecting ends with."""

        def connect(endpoint: str, **options: Any) -> Any:
            self.connections.append({"endpoint": endpoint, **options})
            if isinstance(client, Exception):
                raise client
            return client

        self.monkeypatch.setattr(_module, "Client", connect)

    def __call__(self, *, check: bool = False, **arguments: Any) -> dict[str, Any]:
        """The module's answer; ``failed`` is always in it."""
        given = {"_ansible_no_log": False, **REPEAT, **arguments, "_ansible_check_mode": check, "_ansible_diff": True}
        with patch_module_args(given), pytest.raises(SystemExit) as ended:
            self.main()
        captured = self.capsys.readouterr()
        self.output = captured.out + captured.err
        answer: dict[str, Any] = json.loads(captured.out)
        answer.setdefault("failed", False)
        assert ended.value.code == (1 if answer["failed"] else 0)
        return answer
