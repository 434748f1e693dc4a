# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The client against a local server that gives recorded answers."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from ansible_collections.inferops.xinference.plugins.module_utils._core.client import Client
from ansible_collections.inferops.xinference.plugins.module_utils._core.errors import ApiError, AuthenticationError, ConnectionFailed, XinferenceError

#: What 4.1.0 answers, as recorded; the contract test compares with a real one.
LOGIN = (200, {"access_token": "token-1", "refresh_token": "refresh", "token_type": "bearer"})
WRONG_PASSWORD = (401, {"detail": "Incorrect username or password"})
EXPIRED = (401, {"detail": "Could not validate credentials"})
NO_MODELS = (200, {"object": "list", "data": []})


class Recorded:
    """A server on loopback: answers by method and path, in turn, the last one for ever; keeps the requests.

    An answer is (status, JSON or text), or a function that gets the handler.
    """

    def __init__(self) -> None:
        self.answers: dict[str, list[Any]] = {"GET /v1/cluster/auth": [(200, {"auth": True})], "POST /token": [LOGIN]}
        self.requests: list[tuple[str, str | None, Any]] = []
        recorded = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_any(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                recorded.requests.append((f"{self.command} {self.path}", self.headers.get("Authorization"), json.loads(body) if body else None))
                answers = recorded.answers.get(f"{self.command} {self.path.partition('?')[0]}", [(404, {"detail": "Not Found"})])
                answer = answers.pop(0) if len(answers) > 1 else answers[0]
                if callable(answer):
                    answer(self)
                else:
                    self.give(*answer)

            def give(self, status: int, content: Any, kind: str | None = None) -> None:
                text = content if isinstance(content, str) else json.dumps(content)
                self.send_response(status)
                self.send_header("Content-Type", kind or ("text/plain" if isinstance(content, str) else "application/json"))
                self.send_header("Content-Length", str(len(text.encode())))
                self.end_headers()
                self.wfile.write(text.encode())

            def log_message(self, *_arguments: Any) -> None:
                """Keep the test's output clean."""

            do_GET = do_POST = do_DELETE = handle_any

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = True
        self.endpoint = f"http://127.0.0.1:{self.http.server_address[1]}"
        threading.Thread(target=self.http.serve_forever, args=(0.01,), daemon=True).start()

    def answer(self, route: str, *answers: Any) -> None:
        """What a route answers."""
        self.answers[route] = list(answers)

    def asked(self, route: str) -> list[tuple[str | None, Any]]:
        """Token and body of the requests of a route."""
        return [(token, body) for name, token, body in self.requests if name.partition("?")[0] == route]

    def close(self) -> None:
        """Stop."""
        self.http.shutdown()
        self.http.server_close()


def break_off(handler: Any) -> None:
    """An answer that is none: the connection ends."""
    handler.close_connection = True
    handler.connection.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def recorded() -> Iterator[Recorded]:
    """A server with authentication that lets everybody in."""
    server = Recorded()
    yield server
    server.close()


def connect(recorded: Recorded, **options: Any) -> Client:
    """A client of that server, without pauses between tries."""
    client = Client(recorded.endpoint, **{"username": "admin", "password": "s3cret-pass", "timeout": 5, **options})
    client._session.pause = 0.0
    return client


def unused_port() -> int:
    """A port on which nobody listens."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


# Connecting.


@pytest.mark.parametrize(
    "endpoint", ["", "127.0.0.1:9997", "ftp://127.0.0.1", "http://", "http:///v1", "http://127.0.0.1:99999", "http://127.0.0.1:x", "http://[::1"]
)
def test_what_is_no_address_is_one_sentence(endpoint: str) -> None:
    with pytest.raises(ConnectionFailed) as raised:
        Client(endpoint)
    assert str(raised.value) == f"endpoint '{endpoint}' is not an address such as http://127.0.0.1:9997."


def test_a_refused_connection_is_one_sentence_with_the_url(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "sleep", lambda _seconds: None)
    url = f"http://127.0.0.1:{unused_port()}"
    with pytest.raises(ConnectionFailed) as raised:
        Client(url)
    sentence = str(raised.value)
    assert sentence.startswith(f"GET {url}/v1/cluster/auth: no connection (") and sentence.endswith("Connection refused).")
    assert "0x" not in sentence and "object at" not in sentence and "\n" not in sentence


def test_a_name_that_does_not_exist_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_arguments: Any, **_options: Any) -> None:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(time, "sleep", lambda _seconds: None)
    monkeypatch.setattr(socket, "getaddrinfo", fail)
    with pytest.raises(ConnectionFailed) as raised:
        Client("http://nowhere.invalid:9997")
    assert str(raised.value).startswith("GET http://nowhere.invalid:9997/v1/cluster/auth: no connection (")
    assert "Name or service not known" in str(raised.value)
    assert "0x" not in str(raised.value)


def test_a_server_that_breaks_the_connection_is_one_sentence(recorded: Recorded) -> None:
    client = connect(recorded)
    recorded.answer("GET /v1/models", break_off)
    with pytest.raises(ConnectionFailed) as raised:
        client.list_models()
    assert str(raised.value).startswith(f"GET {recorded.endpoint}/v1/models: no connection (")
    assert len(recorded.asked("GET /v1/models")) == 3


@pytest.mark.parametrize(
    "answer",
    [
        (200, "<html>It works!</html>", "text/html"),
        (200, "fine"),
        (200, {"message": "another service"}),
        (200, ["another", "service"]),
    ],
)
def test_something_else_at_the_address_is_one_sentence(recorded: Recorded, answer: Any) -> None:
    recorded.answer("GET /v1/cluster/auth", lambda handler: handler.give(*answer))
    with pytest.raises(ApiError) as raised:
        connect(recorded)
    assert str(raised.value).startswith(f"GET {recorded.endpoint}/v1/cluster/auth answered 200: ")
    assert "Xinference" in str(raised.value)


def test_a_certificate_that_is_not_trusted_is_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    import requests

    def fail(*_arguments: Any, **_options: Any) -> None:
        raise requests.exceptions.SSLError("certificate verify failed: self-signed certificate")

    monkeypatch.setattr(requests.Session, "request", fail)
    with pytest.raises(ConnectionFailed) as raised:
        Client("https://inference.example")
    assert str(raised.value) == (
        "GET https://inference.example/v1/cluster/auth: the certificate is not trusted (certificate verify failed: self-signed certificate); "
        "give its authority as ca_path."
    )


@pytest.mark.parametrize(("verify", "used"), [(True, True), (False, False), ("/etc/ca.pem", "/etc/ca.pem")])
def test_the_certificate_options_reach_the_session(recorded: Recorded, verify: bool | str, used: bool | str) -> None:
    assert connect(recorded, verify=verify)._session.verify == used


# Time-outs.


def test_no_answer_in_time_is_not_tried_again(recorded: Recorded) -> None:
    client = connect(recorded, timeout=0.2)
    recorded.answer("GET /v1/models", lambda handler: time.sleep(0.6))
    begun = time.monotonic()
    with pytest.raises(ConnectionFailed) as raised:
        client.list_models()
    assert str(raised.value) == f"GET {recorded.endpoint}/v1/models: no answer within 0.2 s."
    assert time.monotonic() - begun < 0.6


def test_a_cancellation_may_take_longer_than_other_requests(recorded: Recorded) -> None:
    client = connect(recorded, timeout=0.2)

    def slowly(handler: Any) -> None:
        time.sleep(0.5)
        handler.give(200, None)

    recorded.answer("POST /v1/models/chat/cancel", slowly)
    client.cancel("chat")
    assert len(recorded.asked("POST /v1/models/chat/cancel")) == 1


def test_a_timeout_after_the_token_was_renewed_is_one_sentence(recorded: Recorded) -> None:
    client = connect(recorded, timeout=0.2)
    recorded.answer("GET /v1/models", EXPIRED, lambda handler: time.sleep(0.6))
    with pytest.raises(ConnectionFailed) as raised:
        client.list_models()
    assert str(raised.value) == f"GET {recorded.endpoint}/v1/models: no answer within 0.2 s."


# Accounts.


def test_the_login_is_json_and_its_token_is_used(recorded: Recorded) -> None:
    recorded.answer("GET /v1/models", NO_MODELS)
    client = connect(recorded)
    assert client.authenticated
    assert client.list_models() == {}
    assert recorded.asked("POST /token") == [(None, {"username": "admin", "password": "s3cret-pass"})]
    assert recorded.asked("GET /v1/models") == [("Bearer token-1", None)]


def test_a_wrong_password_is_tried_exactly_once(recorded: Recorded) -> None:
    recorded.answer("POST /token", WRONG_PASSWORD)
    with pytest.raises(AuthenticationError) as raised:
        connect(recorded)
    assert str(raised.value) == f"POST {recorded.endpoint}/token answered 401: Incorrect username or password"
    assert "s3cret-pass" not in str(raised.value)
    assert len(recorded.asked("POST /token")) == 1


@pytest.mark.parametrize("credentials", [{"username": None}, {"password": None}, {"username": None, "password": None}])
def test_missing_credentials_are_explained_without_a_try(recorded: Recorded, credentials: dict[str, None]) -> None:
    with pytest.raises(AuthenticationError, match=r"the server asks for an account; give username and password\.$"):
        connect(recorded, **credentials)
    assert recorded.asked("POST /token") == []


@pytest.mark.parametrize("answer", [(200, {"auth": False}), (404, {"detail": "Not Found"})])
def test_a_server_without_authentication_is_not_logged_in_to(recorded: Recorded, answer: Any) -> None:
    recorded.answer("GET /v1/cluster/auth", answer)
    recorded.answer("GET /v1/models", NO_MODELS)
    client = connect(recorded)
    assert not client.authenticated
    assert client.list_models() == {}
    assert recorded.asked("POST /token") == []
    assert recorded.asked("GET /v1/models") == [(None, None)]


def test_an_expired_token_is_renewed_once_and_the_request_repeated(recorded: Recorded) -> None:
    recorded.answer("POST /token", LOGIN, (200, {"access_token": "token-2"}))
    recorded.answer("GET /v1/models", EXPIRED, NO_MODELS)
    client = connect(recorded)
    assert client.list_models() == {}
    assert [token for token, _body in recorded.asked("GET /v1/models")] == ["Bearer token-1", "Bearer token-2"]
    client.list_models()
    assert recorded.asked("GET /v1/models")[-1][0] == "Bearer token-2"
    assert len(recorded.asked("POST /token")) == 2


def test_a_write_is_repeated_with_the_renewed_token_too(recorded: Recorded) -> None:
    recorded.answer("POST /token", LOGIN, (200, {"access_token": "token-2"}))
    recorded.answer("POST /v1/models", EXPIRED, (200, {"model_uid": "chat"}))
    connect(recorded).launch({"model_uid": "chat"})
    assert recorded.asked("POST /v1/models") == [("Bearer token-1", {"model_uid": "chat"}), ("Bearer token-2", {"model_uid": "chat"})]


def test_a_token_that_does_not_help_is_not_renewed_for_ever(recorded: Recorded) -> None:
    recorded.answer("GET /v1/models", EXPIRED)
    client = connect(recorded)
    with pytest.raises(AuthenticationError, match="Could not validate credentials"):
        client.list_models()
    assert len(recorded.asked("GET /v1/models")) == 2
    assert len(recorded.asked("POST /token")) == 2


def test_a_password_that_was_changed_in_the_meantime_is_tried_once(recorded: Recorded) -> None:
    recorded.answer("POST /token", LOGIN, WRONG_PASSWORD)
    recorded.answer("GET /v1/models", EXPIRED)
    client = connect(recorded)
    for _attempt in range(3):
        with pytest.raises(AuthenticationError):
            client.list_models()
    assert len(recorded.asked("POST /token")) == 2


@pytest.mark.parametrize(
    ("status", "words"),
    [(403, "API keys can only access model query and inference endpoints"), (429, "Too many failed attempts")],
)
def test_a_refusal_is_typed_and_not_tried_again(recorded: Recorded, status: int, words: str) -> None:
    recorded.answer("GET /v1/models", (status, {"detail": words}))
    client = connect(recorded)
    with pytest.raises(AuthenticationError) as raised:
        client.list_models()
    assert (raised.value.status, raised.value.detail, raised.value.method) == (status, words, "GET")
    assert len(recorded.asked("GET /v1/models")) == 1
    assert len(recorded.asked("POST /token")) == 1


# Errors and tries.


@pytest.mark.parametrize("status", [502, 503, 504])
def test_a_read_is_tried_again_a_few_times(recorded: Recorded, status: int) -> None:
    busy = (status, {"detail": "busy"})
    recorded.answer("GET /v1/models", busy, busy, NO_MODELS)
    client = connect(recorded)
    assert client.list_models() == {}
    recorded.requests.clear()
    recorded.answer("GET /v1/models", busy)
    with pytest.raises(ApiError) as raised:
        client.list_models()
    assert (raised.value.status, raised.value.detail) == (status, "busy")
    assert len(recorded.asked("GET /v1/models")) == 3


WRITES: dict[str, Callable[[Client], None]] = {
    "POST /v1/models": lambda client: client.launch({"model_uid": "chat"}),
    "DELETE /v1/models/chat": lambda client: client.terminate("chat"),
    "POST /v1/models/chat/cancel": lambda client: client.cancel("chat"),
    "POST /v1/model_registrations/LLM": lambda client: client.register("LLM", {"model_name": "a"}),
}


@pytest.mark.parametrize("route", WRITES)
@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_a_write_is_never_tried_again(recorded: Recorded, route: str, status: int) -> None:
    recorded.answer(route, (status, {"detail": "No available worker found"}))
    client = connect(recorded)
    with pytest.raises(ApiError) as raised:
        WRITES[route](client)
    assert (raised.value.status, raised.value.detail) == (status, "No available worker found")
    assert len(recorded.asked(route)) == 1


@pytest.mark.parametrize("route", WRITES)
def test_a_write_whose_connection_breaks_is_never_tried_again(recorded: Recorded, route: str) -> None:
    recorded.answer(route, break_off)
    client = connect(recorded)
    with pytest.raises(ConnectionFailed):
        WRITES[route](client)
    assert len(recorded.asked(route)) == 1


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ((400, {"detail": "Model not found in the model list, uid: chat"}), "Model not found in the model list, uid: chat"),
        ((400, {"detail": [{"loc": ["body"]}]}), "[{'loc': ['body']}]"),
        ((500, "Internal Server Error: something broke"), "Internal Server Error: something broke"),
        ((500, "x" * 600), "x" * 500),
        ((500, ""), "Internal Server Error"),
        ((500, {"error": "unknown shape"}), '{"error": "unknown shape"}'),
        ((500, ["unknown", "shape"]), '["unknown", "shape"]'),
        ((404, "<!DOCTYPE html><html></html>"), "Not Found"),
    ],
)
def test_errors_carry_the_server_s_own_words(recorded: Recorded, answer: Any, words: str) -> None:
    recorded.answer("DELETE /v1/models/chat", answer)
    client = connect(recorded)
    with pytest.raises(ApiError) as raised:
        client.terminate("chat")
    error = raised.value
    assert (error.method, error.url, error.status, error.detail) == ("DELETE", f"{recorded.endpoint}/v1/models/chat", answer[0], words)
    assert str(error) == f"DELETE {recorded.endpoint}/v1/models/chat answered {answer[0]}: {words}"
    assert not isinstance(error, AuthenticationError)
    assert isinstance(error, XinferenceError)


# Proxies.


@pytest.mark.parametrize(("host", "used"), [("127.0.0.1", False), ("localhost", False), ("[::1]", False), ("inference.example", True)])
def test_a_proxy_of_the_environment_serves_all_but_loopback(monkeypatch: pytest.MonkeyPatch, host: str, used: bool) -> None:
    import requests

    seen: list[requests.Session] = []

    def request(session: requests.Session, _method: str, _url: str, **_options: Any) -> requests.Response:
        seen.append(session)
        response = requests.Response()
        response.status_code, response._content = 200, b'{"auth": false}'
        response.headers["Content-Type"] = "application/json"
        return response

    monkeypatch.setattr(requests.Session, "request", request)
    Client(f"http://{host}:9997")
    assert seen[0].trust_env is used


def test_a_proxy_of_the_environment_is_not_asked_for_loopback(recorded: Recorded, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{unused_port()}")
    recorded.answer("GET /v1/models", NO_MODELS)
    assert connect(recorded).list_models() == {}


# The calls.


def test_what_a_launch_sends(recorded: Recorded) -> None:
    recorded.answer("POST /v1/models", (200, {"model_uid": "chat"}))
    connect(recorded).launch({"model_uid": "chat", "n_ctx": 512})
    assert recorded.requests[-1] == ("POST /v1/models?wait_ready=false", "Bearer token-1", {"model_uid": "chat", "n_ctx": 512})


def test_what_a_registration_sends(recorded: Recorded) -> None:
    recorded.answer("POST /v1/model_registrations/LLM", (200, None))
    connect(recorded).register("LLM", {"model_name": "a", "version": 2})
    (_route, _token, body) = recorded.requests[-1]
    assert json.loads(body.pop("model")) == {"model_name": "a", "version": 2}
    assert body == {"persist": True, "worker_ip": None}


@pytest.mark.parametrize(
    ("route", "answer", "call", "result"),
    [
        ("GET /v1/models", {"object": "list", "data": [{"id": "chat", "replica": 1}]}, Client.list_models, {"chat": {"id": "chat", "replica": 1}}),
        ("GET /v1/models/instances", [{"model_uid": "chat"}], Client.list_instances, [{"model_uid": "chat"}]),
        (
            "GET /v1/model_registrations/LLM",
            [{"model_name": "qwen3", "is_builtin": True}, {"model_name": "mine", "is_builtin": False}],
            lambda client: client.list_registrations("LLM"),
            {"qwen3": True, "mine": False},
        ),
        ("GET /v1/engines/LLM/qwen3", {"vLLM": "no"}, lambda client: client.engines("LLM", "qwen3"), {"vLLM": "no"}),
        ("GET /v1/engines/LLM/nope", None, lambda client: client.engines("LLM", "nope"), None),
        ("GET /status", {"uptime": 3, "workers": {"b:2": {}, "a:1": {}}}, Client.workers, ["a:1", "b:2"]),
        ("GET /status", {"uptime": 3, "workers": {}}, Client.workers, []),
        ("GET /status", {"uptime": 3, "workers": None}, Client.workers, []),
        ("GET /v1/cluster/version", {"version": "4.1.0"}, Client.version, "4.1.0"),
    ],
)
def test_what_the_calls_return(recorded: Recorded, route: str, answer: Any, call: Callable[[Client], Any], result: Any) -> None:
    recorded.answer(route, (200, answer))
    assert call(connect(recorded)) == result


def test_a_version_that_the_account_may_not_see_is_none(recorded: Recorded) -> None:
    recorded.answer("GET /v1/cluster/version", (403, {"detail": "Not enough permissions"}))
    assert connect(recorded).version() is None


def test_an_endpoint_with_a_slash_at_its_end(recorded: Recorded) -> None:
    recorded.answer("GET /v1/models", NO_MODELS)
    recorded.endpoint += "/"
    client = connect(recorded)
    assert client.list_models() == {}
    client.close()
    assert [name for name, _token, _body in recorded.requests] == ["GET /v1/cluster/auth", "POST /token", "GET /v1/models"]
