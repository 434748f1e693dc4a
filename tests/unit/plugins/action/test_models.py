# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The action plugin: the lines come from a real file, read by real commands over Ansible's own local connection. Only the module is a function."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.playbook.play_context import PlayContext
from ansible.playbook.task import Task
from ansible.plugins.loader import become_loader, connection_loader

from ansible_collections.inferops.xinference.plugins.action import models
from ansible_collections.inferops.xinference.plugins.module_utils._core.apply.progress import ProgressFile

INTERVAL = 0.2
#: Seconds after which a test has failed.
LIMIT = 30
VARIABLES = {"inventory_hostname": "web1"}
DONE = {"changed": True, "models": []}
CHAT = {"uid": "chat", "name": "qwen3", "engine": "llama.cpp"}


class Stage:
    """Runs the plugin with a function in the place of the module."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
        self.monkeypatch = monkeypatch
        self.folder = folder
        self.shown: list[tuple[str, bool]] = []
        self.commands: list[str] = []
        self.calls: list[dict[str, Any]] = []
        self.arguments: dict[str, Any] = {"models": [CHAT], "progress_interval": INTERVAL}
        self.task = Task()
        monkeypatch.setattr(models, "SHORTEST_INTERVAL", 0.05)
        monkeypatch.setattr(models.display, "display", lambda text, stderr=False, **_more: self.shown.append((text, stderr)))

    def action(self) -> models.ActionModule:
        """The plugin on a local connection that writes down its commands."""
        context = PlayContext()
        connection = connection_loader.get("local", context)
        connection.set_options()
        connection._shell.set_options(direct={"system_tmpdirs": ["/nowhere", str(self.folder)]})
        self.watch(type(connection))
        self.task.args = self.arguments
        return models.ActionModule(self.task, connection, context, DataLoader(), None, None)

    def watch(self, kind: Any) -> None:
        """Write down the commands of a kind of connection."""
        run = kind.exec_command

        def exec_command(itself: Any, command: str, **options: Any) -> Any:
            self.commands.append(command)
            return run(itself, command, **options)

        self.monkeypatch.setattr(kind, "exec_command", exec_command)

    def run(self, module: Callable[[dict[str, Any]], dict[str, Any]], action: models.ActionModule | None = None) -> dict[str, Any]:
        """What the plugin returns."""
        action = action or self.action()

        def execute(**call: Any) -> dict[str, Any]:
            self.calls.append(call)
            return module(call["module_args"])

        self.monkeypatch.setattr(action, "_execute_module", execute)
        answer: dict[str, Any] = action.run(task_vars=VARIABLES)
        return answer

    def lines(self) -> list[str]:
        """What the operator saw."""
        return [text for text, _stderr in self.shown]


@pytest.fixture
def stage(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Stage:
    """The plugin and all around it."""
    return Stage(monkeypatch, tmp_path)


def until(wanted: Callable[[], Any]) -> None:
    """Wait for something that must come."""
    deadline = time.monotonic() + LIMIT
    while not wanted():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def busy(enough: Callable[[], Any]) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """A module that works until it is enough, and writes lines as the real one."""

    def module(arguments: dict[str, Any]) -> dict[str, Any]:
        file = ProgressFile(arguments["progress_path"], 0.02)
        begun = time.monotonic()

        def shown() -> bool:
            passed = (time.monotonic() - begun) * 100
            file.report("chat", "creating", {"stage": "downloading"}, passed)
            file.report("embed", "creating", {}, passed)
            return bool(enough())

        until(shown)
        file.close()
        return dict(DONE)

    return module


def quick(_arguments: dict[str, Any]) -> dict[str, Any]:
    """A module that has nothing to do."""
    return dict(DONE)


def pollers() -> list[threading.Thread]:
    """Threads of the plugin that live."""
    return [thread for thread in threading.enumerate() if isinstance(thread, models.ProgressPoller)]


def test_the_latest_line_of_each_model_is_shown_at_each_interval(stage: Stage) -> None:
    assert stage.run(busy(lambda: len(stage.shown) >= 6)) == DONE
    chat = [line for line in stage.lines() if line.startswith("[web1] chat: downloading, ")]
    embed = [line for line in stage.lines() if line.startswith("[web1] embed: creating, ")]
    assert len(stage.shown) == len(chat) + len(embed)
    assert 2 <= len(chat) <= len(stage.commands)
    assert 2 <= len(embed) <= len(stage.commands)
    # Nothing but the seconds changed, and each line is newer than the one before.
    seconds = [int(line.split(", ")[1].removesuffix(" s")) for line in chat]
    assert seconds == sorted(set(seconds))
    assert {stderr for _text, stderr in stage.shown} == {False}
    assert list(stage.folder.iterdir()) == []
    assert pollers() == []


def test_each_poll_reads_only_what_is_new(stage: Stage) -> None:
    stage.run(busy(lambda: len(stage.commands) >= 4))
    begins = [int(command.split("tail -n +")[1].split()[0]) for command in stage.commands]
    assert begins[0] == 1
    assert begins == sorted(set(begins))


def test_a_run_that_ends_before_the_first_interval_costs_no_command(stage: Stage) -> None:
    stage.arguments["progress_interval"] = LIMIT
    begun = time.monotonic()
    assert stage.run(quick) == DONE
    assert time.monotonic() - begun < LIMIT / 3
    assert (stage.commands, stage.lines(), pollers()) == ([], [], [])


def test_the_module_gets_its_arguments_and_the_path_of_a_file_that_nobody_has(stage: Stage) -> None:
    action = stage.action()
    stage.run(quick, action)
    stage.run(quick, action)
    first, second = stage.calls
    assert {name: value for name, value in first["module_args"].items() if name != "progress_path"} == stage.arguments
    assert first["module_args"]["progress_path"].startswith(f"{stage.folder}/.ansible-xinference-")
    assert first["module_args"]["progress_path"] != second["module_args"]["progress_path"]
    assert "progress_path" not in stage.arguments
    assert (first["module_name"], first["task_vars"], first["wrap_async"]) == ("inferops.xinference.models", VARIABLES, False)


@pytest.mark.parametrize(
    ("attributes", "arguments"),
    [
        ({"check_mode": True}, {}),
        ({"async_val": 60}, {}),
        ({"no_log": True}, {}),
        ({}, {"progress": False}),
        ({}, {"progress": "no"}),
        ({}, {"progress": "maybe"}),
        ({}, {"progress_interval": "often"}),
        ({}, {"progress_interval": None}),
    ],
)
def test_there_are_no_lines_where_nobody_wants_them(stage: Stage, attributes: dict[str, Any], arguments: dict[str, Any]) -> None:
    stage.arguments.update(arguments)
    for name, value in attributes.items():
        setattr(stage.task, name, value)

    def module(given: dict[str, Any]) -> dict[str, Any]:
        time.sleep(2 * INTERVAL)
        return {**DONE, "given": given}

    assert stage.run(module) == {**DONE, "given": stage.arguments}
    assert stage.calls[0]["wrap_async"] is ("async_val" in attributes)
    assert (stage.commands, stage.lines()) == ([], [])


def test_a_delegated_task_names_both_hosts(stage: Stage) -> None:
    stage.task.delegate_to = "gpu1"
    stage.run(busy(stage.lines))
    assert stage.lines()[0].startswith("[web1 -> gpu1] chat: ")


def test_a_path_of_the_task_is_the_one_that_is_read(stage: Stage, tmp_path: Path) -> None:
    stage.arguments["progress_path"] = str(tmp_path / "my lines")
    stage.run(busy(stage.lines))
    assert stage.calls[0]["module_args"]["progress_path"] == str(tmp_path / "my lines")
    assert stage.lines()[0].startswith("[web1] chat: ")


@pytest.mark.parametrize(("callback", "stderr"), [("default", False), ("ansible.posix.json", True), ("ansible.posix.jsonl", True), ("awx_display", False)])
def test_standard_output_stays_clean_for_a_program_that_reads_it(stage: Stage, callback: str, stderr: bool) -> None:
    stage.monkeypatch.setenv("ANSIBLE_STDOUT_CALLBACK", callback)
    stage.run(busy(stage.lines))
    assert {where for _text, where in stage.shown} == {stderr}


# What goes wrong with the polls does not matter.


def test_a_file_that_the_module_could_not_make_changes_nothing(stage: Stage) -> None:
    stage.monkeypatch.setattr(models, "PATIENCE", 0.0)

    def module(_arguments: dict[str, Any]) -> dict[str, Any]:
        until(lambda: not pollers())
        return dict(DONE)

    assert stage.run(module) == DONE
    assert (len(stage.commands), stage.lines()) == (models.TRIES, [])


def test_polls_go_on_after_one_that_failed(stage: Stage) -> None:
    action = stage.action()
    good = type(action._connection).exec_command
    calls: list[str] = []

    def exec_command(itself: Any, command: str, **options: Any) -> Any:
        calls.append(command)
        if len(calls) == 1:
            raise OSError("the host is busy")
        return good(itself, command, **options)

    stage.monkeypatch.setattr(type(action._connection), "exec_command", exec_command)
    assert stage.run(busy(stage.lines), action) == DONE
    assert stage.lines()[0].startswith("[web1] chat: ")


def test_a_poll_that_hangs_does_not_keep_the_task_from_ending_and_shows_nothing_later(stage: Stage) -> None:
    action = stage.action()
    hanging, release = threading.Event(), threading.Event()
    good = type(action._connection).exec_command

    def exec_command(itself: Any, command: str, **options: Any) -> Any:
        answer = good(itself, command, **options)
        hanging.set()
        release.wait(LIMIT)
        return answer

    stage.monkeypatch.setattr(type(action._connection), "exec_command", exec_command)
    ended: list[float] = []
    work = busy(hanging.is_set)

    def module(arguments: dict[str, Any]) -> dict[str, Any]:
        answer = work(arguments)
        ended.append(time.monotonic())
        return answer

    assert stage.run(module, action) == DONE
    assert time.monotonic() - ended[0] < models.FAREWELL + LIMIT / 3
    (left,) = pollers()
    assert left.daemon
    release.set()
    left.join(LIMIT)
    assert not left.is_alive()
    assert stage.lines() == []


def test_an_error_of_the_task_is_the_error_of_the_task(stage: Stage) -> None:
    def module(_arguments: dict[str, Any]) -> dict[str, Any]:
        raise RuntimeError("unreachable")

    with pytest.raises(RuntimeError, match="unreachable"):
        stage.run(module)
    assert pollers() == []


def test_a_connection_that_cannot_be_copied_only_has_no_lines(stage: Stage) -> None:
    def refuse(_action: Any) -> Any:
        raise TypeError("no copies")

    stage.monkeypatch.setattr(models, "second_line", refuse)
    assert stage.run(quick) == DONE
    assert stage.calls[0]["module_args"] == stage.arguments


# The second connection.


def test_the_second_line_keeps_the_state_of_its_commands_to_itself(stage: Stage) -> None:
    action = stage.action()
    become = become_loader.get("sudo")
    become.set_options(direct={"become_user": "root", "become_pass": "marked-secret"})
    action._connection.set_become_plugin(become)
    action._connection._connected = True
    mine = become.build_become_command("id", action._connection._shell)
    state = dict(vars(become)), dict(vars(action._connection)), dict(vars(action._connection._shell))

    other = models.second_line(action)
    theirs = other._connection.become.build_become_command("id", other._connection._shell)
    other._connection._shell.tmpdir = "/elsewhere"
    other._connection.cwd = "/elsewhere"

    assert theirs != mine
    assert other._connection.become.get_option("become_pass") == "marked-secret"
    assert not other._connection.connected
    assert (dict(vars(become)), dict(vars(action._connection)), dict(vars(action._connection._shell))) == state
