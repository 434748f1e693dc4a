# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module ``server_container`` as Ansible runs it; tests/containers runs it with a real Docker."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

import pytest

from ansible_collections.inferops.xinference.plugins.module_utils._core.base.errors import XinferenceError
from ansible_collections.inferops.xinference.plugins.module_utils._core.host.replacement import Container, NotHealthy
from ansible_collections.inferops.xinference.plugins.modules import server_container
from ansible_collections.inferops.xinference.tests.unit.plugins.modules.module_runner import Runner


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Runner:
    """Runs the module."""
    return Runner(server_container.main, capsys, monkeypatch)


@pytest.fixture
def called(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What is called of the core, and which locks were held."""
    calls: list[Any] = []

    class Lock:
        def __init__(self, path: str, holder: str) -> None:
            calls.append(path)

        def hold(self, timeout: float) -> contextlib.AbstractContextManager[None]:
            calls.append(timeout)
            return contextlib.nullcontext()

    def noted(name: str) -> Callable[..., bool]:
        def call(_self: Container, *arguments: Any) -> bool:
            calls.append((name, *arguments))
            return True

        return call

    monkeypatch.setattr(server_container, "Lock", Lock)
    for name in ("make_healthy", "restore", "settle", "set_aside", "predict"):
        monkeypatch.setattr(Container, name, noted(name))
    return calls


@pytest.mark.parametrize(
    ("options", "call"),
    [
        ({}, ("make_healthy", 300.0, True, False)),
        ({"timeout": 5, "roll_back": False}, ("make_healthy", 5.0, False, False)),
        ({"roll_back": False, "keep_previous": True}, ("make_healthy", 300.0, False, True)),
        ({"state": "restored"}, ("restore", 300.0)),
        ({"state": "settled"}, ("settle",)),
        ({"state": "set_aside"}, ("set_aside",)),
    ],
)
def test_each_state_is_one_call_under_a_lock(run: Runner, called: list[Any], options: dict[str, Any], call: tuple[Any, ...]) -> None:
    assert run(name="a/b", **options)["changed"]
    assert called == ["/run/inferops-xinference-a%2Fb.lock", 3 * options.get("timeout", 300.0), call]
    del called[:]
    assert run(check=True, name="a/b", **options)["changed"]
    assert called == [("predict", options.get("state", "healthy"))]


@pytest.mark.parametrize(
    ("error", "words", "restored"),
    [
        (NotHealthy("it ended", {"status": "exited", "health": None, "log": ["gone"]}, True), "The server is not ready: it ended.", True),
        (XinferenceError("It is locked."), "It is locked.", False),
        (OSError('/containers/x/stop answered 500: {"message": "busy"}'), "Docker at 'unix:///x' does not do it: busy.", False),
        (ValueError("nonsense"), "Docker at 'unix:///x' does not do it: nonsense.", False),
    ],
)
def test_failures_are_sentences(run: Runner, called: list[Any], monkeypatch: pytest.MonkeyPatch, error: Exception, words: str, restored: bool) -> None:
    def fail(*_arguments: Any) -> bool:
        raise error

    monkeypatch.setattr(Container, "make_healthy", fail)
    answer = run(name="xinference", docker_host="unix:///x")
    assert answer["failed"]
    assert answer["msg"].startswith(words)
    assert answer["restored"] is restored
    assert answer["container"] == getattr(error, "container", None)
