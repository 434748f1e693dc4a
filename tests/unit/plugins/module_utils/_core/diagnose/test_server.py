# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a diagnosis asks a server in memory, how that can end, and what is found of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from ansible_collections.inferops.xinference.plugins.module_utils._core.base.errors import (
    ApiError,
    AuthenticationError,
    NoAnswer,
    NotReached,
    XinferenceError,
)
from ansible_collections.inferops.xinference.plugins.module_utils._core.declaration.check import parse_models
from ansible_collections.inferops.xinference.plugins.module_utils._core.diagnose.finding import CRITICAL, NOTE
from ansible_collections.inferops.xinference.plugins.module_utils._core.diagnose.models import AS_DECLARED, MISSING, ModelState
from ansible_collections.inferops.xinference.plugins.module_utils._core.diagnose.server import ServerReading, check_server, read_server
from ansible_collections.inferops.xinference.plugins.module_utils._core.reconcile.options import ReconcileOptions
from ansible_collections.inferops.xinference.plugins.module_utils._core.reconcile.reconcile import read_plan
from ansible_collections.inferops.xinference.tests.unit.plugins.module_utils._core.fake_server import FakeServer
from ansible_collections.inferops.xinference.tests.unit.plugins.module_utils._core.plan_runner import llm, reach

OPTIONS = ReconcileOptions(check=True)
HOSTILE = "\x1b[2J\n\u202e" + "W" * 100_000


def read(server: FakeServer, *items: dict[str, Any], error: Exception | None = None, launcher: FakeServer | None = None) -> ServerReading:
    """What a server says.

    :param error: that connecting as the administrator ends with.
    :param launcher: the same server as the account sees it that launches models.
    """

    def connect() -> Any:
        if error is not None:
            raise error
        return server

    def connect_as_launcher() -> Any:
        return launcher or server

    return read_server(connect, connect_as_launcher, parse_models(list(items)), OPTIONS)


def test_a_server_that_answers() -> None:
    server = FakeServer(banned=["192.0.2.7"])
    reach(server, llm("chat"), wait=True)
    server.allowed = frozenset()
    server.files_cached = [{"model_version": "v", "model_name": "qwen3"}]
    reading = read(server, llm("chat"), llm("more"))
    assert reading.states == [ModelState("chat", AS_DECLARED), ModelState("more", MISSING)]
    assert (reading.version, reading.bans, reading.cached) == ("4.1.0", ["192.0.2.7"], server.files_cached)
    assert [model.uid for model in reading.models] == ["chat", "more"]
    assert reading.observed is not None
    assert reading.unread == ""
    assert server.closed


def test_a_server_with_nothing_declared() -> None:
    reading = read(FakeServer(authenticated=False))
    assert (list(reading.models), reading.states, reading.bans, reading.unread) == ([], [], [], "")


def test_options_that_are_chosen_for_the_host_are_those_of_the_models() -> None:
    (model,) = read(FakeServer(), llm("chat", engine_options="auto")).models
    assert model.options["n_threads"] == 4


def test_the_plan_is_read_and_nothing_is_refused() -> None:
    """A run would refuse this name, which the server does not know."""
    server = FakeServer(allowed=frozenset())
    plan, observed = read_plan(server, parse_models([llm("chat", name="no-such-model")]), OPTIONS)
    assert [(action.uid, action.kind) for action in plan.actions] == [("chat", "launch")]
    assert observed.models == {}


def test_models_are_read_as_the_account_that_launches_them() -> None:
    launcher, admin = FakeServer(allowed=frozenset()).run("chat"), FakeServer(banned=["192.0.2.7"], allowed=frozenset())
    reading = read(admin, launcher=launcher)
    assert [state.uid for state in reading.states] == ["chat"]
    assert reading.bans == ["192.0.2.7"]
    assert launcher.closed
    assert admin.closed


@pytest.mark.parametrize(
    ("error", "field"),
    [
        (NotReached("no connection (Connection refused)."), "silent"),
        (NoAnswer("it did not answer within 30 s."), "silent"),
        (AuthenticationError("POST", "http://x/token", 401, "Incorrect username or password"), "refused"),
        (AuthenticationError("GET", "http://x/v1/models", 403, "Not enough permissions"), "refused"),
        # As a session reports it, and as any other call may.
        (AuthenticationError("GET", "http://x/v1/models", 429, "Too many failed attempts. IP temporarily banned."), "banned"),
        (ApiError("GET", "http://x/v1/models", 429, "Too many failed attempts. IP temporarily banned."), "banned"),
        (ApiError("GET", "http://x/v1/models", 500, "broken"), "trouble"),
        (XinferenceError("There is a stranger at the port."), "trouble"),
    ],
)
def test_how_asking_can_end(error: XinferenceError, field: str) -> None:
    for reading in (read(FakeServer(), llm("chat"), error=error), read(FakeServer(), llm("chat"), launcher=failing("list_instances", error))):
        assert {name: getattr(reading, name) for name in ("silent", "refused", "banned", "trouble") if getattr(reading, name)} == {field: str(error)}
        assert reading.unread == str(error)
        assert (reading.states, reading.observed, reading.cached) == ([], None, None)
        assert [model.uid for model in reading.models] == ["chat"]


def failing(method: str, error: Exception) -> FakeServer:
    """A server of which one call fails."""
    server = FakeServer()
    server.fail_next(method, error)
    return server


def test_what_a_server_writes_has_bounds() -> None:
    reading = read(FakeServer(), error=ApiError("GET", "http://x", 500, HOSTILE))
    assert reading.trouble.isprintable()
    assert len(reading.trouble) <= 2000


@pytest.mark.parametrize("method", ["bans", "cached"])
def test_what_is_asked_besides_may_fail(method: str) -> None:
    server = failing(method, ApiError("GET", "http://x", 500, "broken"))
    server.run("chat")
    reading = read(server, launcher=FakeServer().run("chat"))
    assert [state.uid for state in reading.states] == ["chat"]
    assert reading.unread == ""
    assert (reading.cached is None) == (method == "cached")
    assert server.closed


# Findings.


def kinds(reading: ServerReading) -> Sequence[tuple[str, str, str]]:
    """Check, severity and what was seen."""
    return [(finding.check, finding.severity, finding.seen) for finding in check_server(reading)]


def test_nothing_is_wrong_with_a_server_that_answers_or_does_not_run() -> None:
    assert kinds(ServerReading(version="4.1.0")) == []
    # That it does not answer is said of its port.
    assert kinds(ServerReading(silent="no connection.")) == []


def test_a_host_that_is_banned() -> None:
    assert kinds(ServerReading(banned="answered 429: banned.")) == [("bans", CRITICAL, "The server bans this host: answered 429: banned.")]


def test_an_account_that_is_refused() -> None:
    seen = "The server refuses the account of this run: answered 401: wrong."
    assert kinds(ServerReading(refused="answered 401: wrong.")) == [("account", CRITICAL, seen)]


def test_a_server_that_cannot_be_read() -> None:
    assert kinds(ServerReading(trouble="answered 500: broken")) == [("server", CRITICAL, "The server cannot be read: answered 500: broken.")]


def test_clients_that_are_banned() -> None:
    assert kinds(ServerReading(bans=["192.0.2.7", "192.0.2.8"])) == [("bans", NOTE, "The server bans 2 addresses: 192.0.2.7, 192.0.2.8.")]
    assert kinds(ServerReading(bans=["192.0.2.7"])) == [("bans", NOTE, "The server bans 1 address: 192.0.2.7.")]
    (found,) = check_server(ServerReading(bans=[HOSTILE] * 10_000))
    assert found.seen.startswith("The server bans 10000 addresses: ")
    assert found.seen.isprintable()
    assert len(found.seen) < 11_000
