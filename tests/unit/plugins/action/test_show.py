# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The action plugin show: what is printed, and what is in the result."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.errors import AnsibleError
from ansible.parsing.dataloader import DataLoader
from ansible.playbook.play_context import PlayContext
from ansible.playbook.task import Task
from ansible.plugins.loader import connection_loader

from ansible_collections.inferops.xinference.plugins.action import show

VARIABLES = {"inventory_hostname": "web1"}


class Screen:
    """Runs the plugin, and keeps what it prints."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.shown: list[tuple[str, bool]] = []
        self.task = Task()
        monkeypatch.setattr(show.display, "display", lambda text, stderr=False, **_more: self.shown.append((text, stderr)))

    def run(self, **arguments: Any) -> dict[str, Any]:
        self.task.args = arguments
        context = PlayContext()
        action = show.ActionModule(self.task, connection_loader.get("local", context), context, DataLoader(), None, None)
        # As the loader of plugins does, which older releases need for what they say of wrong options.
        action._load_name = "inferops.xinference.show"
        return dict(action.run(task_vars=VARIABLES))


@pytest.fixture
def screen(monkeypatch: pytest.MonkeyPatch) -> Screen:
    return Screen(monkeypatch)


def test_the_lines_are_printed_at_once_and_are_all_of_the_result(screen: Screen) -> None:
    screen.task.run_once = True
    assert screen.run(lines=["HOST  STATE", "web1  ready"]) == {"changed": False, "lines": ["HOST  STATE", "web1  ready"]}
    assert screen.shown == [("HOST  STATE\nweb1  ready", False)]


def test_of_several_hosts_each_is_named(screen: Screen) -> None:
    screen.run(lines=["one"])
    assert screen.shown == [("[web1]\none", False)]


@pytest.mark.parametrize("check", [False, True])
def test_check_mode_shows_the_same(screen: Screen, check: bool) -> None:
    screen.task.check_mode = check
    assert screen.run(lines=["one"]) == {"changed": False, "lines": ["one"]}
    assert len(screen.shown) == 1


def test_no_line_is_no_output(screen: Screen) -> None:
    assert screen.run(lines=[]) == {"changed": False, "lines": []}
    assert screen.shown == []


def test_nothing_is_printed_of_a_task_with_no_log(screen: Screen) -> None:
    screen.task.no_log = True
    screen.run(lines=["secret"])
    assert screen.shown == []


def test_a_terminal_obeys_nothing_of_it(screen: Screen) -> None:
    screen.task.run_once = True
    lines = ["\x1b[2Jgone\r\n", "\u202egnp.exe", "n_ctx: 4096 → 2048", "x" * 3000]
    assert screen.run(lines=lines)["lines"] == ["\\x1b[2Jgone\\r\\n", "\\u202egnp.exe", "n_ctx: 4096 → 2048", "x" * 2000 + "…"]
    assert screen.shown[0][0].count("\n") == 3


def test_output_for_programs_is_left_to_them(screen: Screen, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANSIBLE_STDOUT_CALLBACK", "ansible.posix.json")
    screen.run(lines=["one"])
    assert screen.shown == [("[web1]\none", True)]


@pytest.mark.parametrize("arguments", [{}, {"line": ["one"]}, {"lines": ["one"], "more": 1}, {"lines": {"a": 1}}])
def test_wrong_options_are_refused(screen: Screen, arguments: dict[str, Any]) -> None:
    with pytest.raises(AnsibleError, match="lines"):
        screen.run(**arguments)
    assert screen.shown == []
