# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Requests to a server that no network reaches, with the real session and client."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from ansible_collections.inferops.xinference.plugins.module_utils._core.base.errors import ApiError, AuthenticationError, ConnectionFailed, NotReached
from ansible_collections.inferops.xinference.plugins.module_utils._core.server.client import Client
from ansible_collections.inferops.xinference.plugins.module_utils._core.server.connection import ServerConnection
from ansible_collections.inferops.xinference.plugins.module_utils._core.server.relay import ENDPOINT, RelayAdapter, Reply
from ansible_collections.inferops.xinference.plugins.module_utils._core.server.session import Session

JSON = "application/json"
PASSWORD = "marked-pass"
#: Method, path, headers and body of a request.
Question = tuple[str, str, Mapping[str, str], bytes]


def reply(status: int, content: Any, kind: str = JSON) -> Reply:
    """An answer with content in JSON."""
    return Reply(status, "Words", kind, json.dumps(content).encode())


class Relay:
    """What passes requests on: answers by method and path, in turn, the last one for ever; an exception is raised."""

    def __init__(self) -> None:
        self.answers: dict[str, list[Any]] = {}
        self.asked: list[Question] = []

    def __call__(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Reply:
        self.asked.append((method, path, headers, body))
        answers = self.answers.get(f"{method} {path.partition('?')[0]}", [reply(404, {"detail": "Not Found"})])
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        if isinstance(answer, Exception):
            raise answer
        assert isinstance(answer, Reply)
        return answer

    def answer(self, route: str, *answers: Any) -> None:
        """What a route answers."""
        self.answers[route] = list(answers)


@pytest.fixture
def relay(monkeypatch: pytest.MonkeyPatch) -> Relay:
    """A relay; whatever goes to a network fails the test, and the environment has a proxy for everything."""

    def refuse(*_arguments: Any, **_options: Any) -> None:
        pytest.fail("it went to a network")

    for name in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://proxy.example:3128")
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    return Relay()


def session(relay: Relay) -> Session:
    """A session that sends through it, without pauses between tries."""
    made = Session(5)
    made.mount("http://", RelayAdapter(relay))
    made.pause = 0.0
    return made


def test_an_answer_in_json(relay: Relay) -> None:
    relay.answer("GET /v1/models", reply(200, {"data": ["é"]}))
    response = session(relay).request("GET", f"{ENDPOINT}/v1/models", params={"detailed": "true"}, headers={"X-Own": "1"})
    assert (response.status_code, response.reason, response.json()) == (200, "Words", {"data": ["é"]})
    assert response.url == f"{ENDPOINT}/v1/models?detailed=true"
    ((method, path, headers, body),) = relay.asked
    assert (method, path, body) == ("GET", "/v1/models?detailed=true", b"")
    assert (headers["X-Own"], headers["Accept-Encoding"]) == ("1", "identity")


def test_a_body_goes_along(relay: Relay) -> None:
    relay.answer("POST /v1/models", reply(200, {}))
    sender = session(relay)
    sender.request("POST", f"{ENDPOINT}/v1/models", json={"a": "é"})
    sender.request("POST", f"{ENDPOINT}/v1/models", data="text é".encode())
    sender.request("POST", f"{ENDPOINT}/v1/models", data={"a": "b"})
    assert [json.loads(relay.asked[0][3]), *(body for *_rest, body in relay.asked[1:])] == [{"a": "é"}, "text é".encode(), b"a=b"]
    assert all(headers["Content-Length"] == str(len(body)) for _method, _path, headers, body in relay.asked)


@pytest.mark.parametrize(("status", "kind"), [(404, ApiError), (500, ApiError), (400, ApiError), (401, AuthenticationError), (403, AuthenticationError)])
def test_an_error_holds_the_server_s_own_words(relay: Relay, status: int, kind: type[ApiError]) -> None:
    relay.answer("GET /x", reply(status, {"detail": "Model not found"}))
    sender = session(relay)
    sender.credentials = True
    with pytest.raises(ApiError, match=f"GET {ENDPOINT}/x answered {status}: Model not found") as raised:
        sender.request("GET", f"{ENDPOINT}/x")
    assert (type(raised.value), raised.value.status) == (kind, status)


@pytest.mark.parametrize("content", [Reply(200, "OK", "text/html", b"<html>"), Reply(200, "OK", JSON, b"{"), Reply(200, "OK", JSON, b"[" * 100_000)])
def test_what_is_no_json_is_no_answer(relay: Relay, content: Reply) -> None:
    relay.answer("GET /x", content)
    with pytest.raises(ApiError, match="this is not the answer of an Xinference server"):
        session(relay).request("GET", f"{ENDPOINT}/x")


def test_a_relay_without_an_answer_is_a_connection_that_failed(relay: Relay) -> None:
    relay.answer("GET /x", OSError("the new server ended: out of memory"))
    with pytest.raises(ConnectionFailed, match=r"GET http://new-server:9997/x: no connection \(the new server ended: out of memory\)\.") as raised:
        session(relay).request("GET", f"{ENDPOINT}/x")
    # Something may have become of it.
    assert not isinstance(raised.value, NotReached)
    relay.asked.clear()
    relay.answer("POST /x", OSError("timed out"))
    with pytest.raises(ConnectionFailed, match="timed out"):
        session(relay).request("POST", f"{ENDPOINT}/x")
    # What may write is not repeated.
    assert len(relay.asked) == 1


def test_what_reads_is_tried_again(relay: Relay) -> None:
    relay.answer("GET /x", OSError("timed out"), reply(503, {"detail": "starting"}), reply(200, {"a": 1}))
    assert session(relay).request("GET", f"{ENDPOINT}/x").json() == {"a": 1}
    assert len(relay.asked) == 3


def test_an_answer_leads_nowhere(relay: Relay) -> None:
    """It has no header for that."""
    relay.answer("GET /x", Reply(302, "http://elsewhere.example/x", JSON, b"{}"))
    assert session(relay).request("GET", f"{ENDPOINT}/x").status_code == 302
    assert len(relay.asked) == 1


def connect(relay: Relay, make: Callable[..., Any] = Client, **options: Any) -> Any:
    """A client that sends through a relay."""
    return make(ENDPOINT, **{"username": "admin", "password": PASSWORD, "timeout": 5, "adapter": RelayAdapter(relay), **options})


LOGIN = reply(200, {"access_token": "token-1", "refresh_token": "refresh", "token_type": "bearer"})


@pytest.mark.parametrize("make", [Client, ServerConnection])
def test_a_login(relay: Relay, make: Callable[..., Any]) -> None:
    """No host is asked who listens there: a name that no network knows may get the password."""
    relay.answer("POST /token", LOGIN)
    client = connect(relay, make)
    assert (client.authenticated, client.username) == (True, "admin")
    assert json.loads(relay.asked[0][3]) == {"username": "admin", "password": PASSWORD}


def test_questions_have_the_token(relay: Relay) -> None:
    relay.answer("POST /token", LOGIN)
    relay.answer("GET /v1/cluster/version", reply(200, {"version": "4.2.0"}))
    assert connect(relay).version() == "4.2.0"
    assert relay.asked[-1][2]["Authorization"] == "Bearer token-1"


def test_a_login_that_is_refused(relay: Relay) -> None:
    relay.answer("POST /token", reply(401, {"detail": "Incorrect username or password"}))
    with pytest.raises(AuthenticationError, match="Incorrect username or password") as raised:
        connect(relay)
    assert PASSWORD not in str(raised.value)
    assert len(relay.asked) == 1


def test_a_server_without_accounts(relay: Relay) -> None:
    relay.answer("GET /v1/models", reply(200, {"object": "list", "data": []}))
    client = connect(relay)
    assert not client.authenticated
    assert client.list_models() == {}
    assert "Authorization" not in relay.asked[-1][2]


def test_without_an_account_none_is_sent(relay: Relay) -> None:
    client = connect(relay, username=None, password=None)
    assert not client.authenticated
    assert relay.asked == []


def test_a_token_that_expired_is_renewed(relay: Relay) -> None:
    relay.answer("POST /token", LOGIN, reply(200, {"access_token": "token-2", "refresh_token": "refresh", "token_type": "bearer"}))
    client = connect(relay)
    relay.answer("GET /v1/cluster/version", reply(401, {"detail": "expired"}), reply(200, {"version": "4.2.0"}))
    assert client.version() == "4.2.0"
    assert relay.asked[-1][2]["Authorization"] == "Bearer token-2"
