# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The client against a local server that gives recorded answers."""

from __future__ import annotations

import contextlib
import itertools
import json
import pwd
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.inferops.xinference.plugins.module_utils._core.base.bounded import Answer
from ansible_collections.inferops.xinference.plugins.module_utils._core.base.errors import (
    ApiError,
    AuthenticationError,
    ConnectionFailed,
    NoAnswer,
    NotReached,
    XinferenceError,
)
from ansible_collections.inferops.xinference.plugins.module_utils._core.host import listeners as listeners_module
from ansible_collections.inferops.xinference.plugins.module_utils._core.host.listeners import Listener
from ansible_collections.inferops.xinference.plugins.module_utils._core.server import client as client_module
from ansible_collections.inferops.xinference.plugins.module_utils._core.server import session
from ansible_collections.inferops.xinference.plugins.module_utils._core.server.client import Client

#: What 4.1.0 answers, as recorded; the contract test compares with a real one.
LOGIN = (200, {"access_token": "token-1", "refresh_token": "refresh", "token_type": "bearer"})
WRONG_PASSWORD = (401, {"detail": "Incorrect username or password"})
EXPIRED = (401, {"detail": "Could not validate credentials"})
NO_MODELS = (200, {"object": "list", "data": []})
NO_ACCOUNT = "the server asks for an account; give username and password."


class Recorded:
    """A server on loopback: answers by method and path, in turn, the last one for ever; keeps the requests.

    An answer is (status, JSON or text), or a function that gets the handler.
    """

    def __init__(self) -> None:
        self.answers: dict[str, list[Any]] = {"POST /token": [LOGIN]}
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

            do_GET = do_POST = do_PUT = do_DELETE = handle_any

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


def redirect(status: int, target: str) -> Callable[[Any], None]:
    """An answer that leads elsewhere."""

    def answer(handler: Any) -> None:
        handler.send_response(status)
        handler.send_header("Location", target)
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    return answer


@pytest.fixture
def other() -> Iterator[Recorded]:
    """A second server, which must not get what the first one should."""
    server = Recorded()
    yield server
    server.close()


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_login_follows_no_redirect(recorded: Recorded, other: Recorded, status: int) -> None:
    for target in (f"{other.endpoint}/token", f"{recorded.endpoint}/elsewhere", "/elsewhere"):
        recorded.answer("POST /token", redirect(status, target))
        with pytest.raises(ApiError, match=f"POST {recorded.endpoint}/token answered {status}: it leads to '{target}', which gets no account; give that as"):
            connect(recorded)
    assert other.requests == []
    assert {name for name, _token, _body in recorded.requests} == {"POST /token", "GET /v1/cluster/auth"}


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_token_goes_to_no_other_server(recorded: Recorded, other: Recorded, status: int) -> None:
    client = connect(recorded)
    recorded.answer("GET /v1/models", redirect(status, f"{other.endpoint}/v1/models"))
    with pytest.raises(ApiError, match=f"it leads to '{other.endpoint}/v1/models'"):
        client.list_models()
    recorded.answer("POST /v1/models", redirect(status, f"{other.endpoint}/v1/models"))
    with pytest.raises(ApiError, match=f"it leads to '{other.endpoint}/v1/models'"):
        client.launch({})
    assert other.requests == []


def test_a_read_is_redirected_on_the_same_server_alone(recorded: Recorded) -> None:
    client = connect(recorded)
    recorded.answer("GET /v1/models", redirect(308, "/v1/all"))
    recorded.answer("GET /v1/all", NO_MODELS)
    assert client.list_models() == {}
    recorded.requests.clear()
    recorded.answer("GET /v1/all", redirect(308, "/v1/models"))
    with pytest.raises(ApiError, match="answered 308: it leads to"):
        client.list_models()
    assert len(recorded.requests) == 5
    # What a server may write there.
    for target in ("http://[", "http://127.0.0.1:port/", "http://127.0.0.1:99999/", "/" + "x" * 5000):
        recorded.answer("GET /v1/all", redirect(308, target))
        with pytest.raises(ApiError) as raised:
            client.list_models()
        assert len(str(raised.value)) < 1000


def of_user(monkeypatch: pytest.MonkeyPatch, recorded: Recorded, uid: int) -> None:
    """Let the server be another user's."""
    real = listeners_module.listeners()
    port = int(recorded.endpoint.rpartition(":")[2])
    pretended = [Listener(each.address, each.port, uid if each.port == port else each.uid) for each in real]
    assert uid in {each.uid for each in pretended}
    monkeypatch.setattr(listeners_module, "listeners", lambda: pretended)


def test_nothing_is_sent_to_another_user_of_the_machine(recorded: Recorded, monkeypatch: pytest.MonkeyPatch) -> None:
    of_user(monkeypatch, recorded, 65534)
    name = pwd.getpwuid(65534).pw_name
    port = recorded.endpoint.rpartition(":")[2]
    words = (
        f"endpoint '{recorded.endpoint}': on port {port} of this machine listens a process of user {name} \\(65534\\), and not the server's; nothing was sent"
    )
    for host in ("127.0.0.1", "localhost"):
        with pytest.raises(ConnectionFailed, match=words.replace("127.0.0.1", host)):
            Client(f"http://{host}:{port}", username="admin", password="s3cret-pass")
    assert recorded.requests == []
    for users in (["65534"], ["root", name]):
        assert connect(recorded, listener_users=users).authenticated
    # Without an account there is nothing to lose.
    assert not connect(recorded, username=None, password=None).authenticated


def test_a_token_is_not_sent_to_who_came_since(recorded: Recorded, monkeypatch: pytest.MonkeyPatch) -> None:
    recorded.answer("GET /v1/models", NO_MODELS)
    client = connect(recorded)
    assert client.list_models() == {}
    of_user(monkeypatch, recorded, 12345)
    before = len(recorded.requests)
    for call in (client.list_models, lambda: client.launch({})):
        with pytest.raises(ConnectionFailed, match="listens a process of user 12345, and not the server's"):
            call()
    assert len(recorded.requests) == before


def test_a_password_goes_to_another_machine_with_tls_or_where_an_option_allows_it() -> None:
    # An address that is kept for documentation.
    with pytest.raises(
        ConnectionFailed, match=r"endpoint 'http://192\.0\.2\.1:9997' is on another machine and without TLS, where the password could be read on its"
    ):
        Client("http://192.0.2.1:9997", username="admin", password="s3cret-pass", timeout=0.1)
    reached: tuple[tuple[str, dict[str, Any]], ...] = (
        ("http://192.0.2.1:9997", {"allow_plain_http": True}),
        ("https://192.0.2.1:9997", {}),
        ("https://192.0.2.1", {"verify": False}),
    )
    for endpoint, options in reached:
        with pytest.raises(ConnectionFailed, match=r"no answer|no connection"):
            Client(endpoint, username="admin", password="s3cret-pass", timeout=0.1, **options)


def test_who_polls_again_soon_asks_once(recorded: Recorded) -> None:
    recorded.answer("GET /status", break_off)
    client = connect(recorded)
    for patient, tries in ((False, 1), (True, 3)):
        recorded.requests.clear()
        with pytest.raises(ConnectionFailed):
            client.status(patient=patient)
        assert len(recorded.requests) == tries


@pytest.mark.parametrize(("keep_alive", "connections"), [(True, 1), (False, 3)])
def test_connections_are_kept_unless_the_server_shall_not_wait_for_them(recorded: Recorded, keep_alive: bool, connections: int) -> None:
    seen = set()

    def answer(handler: Any) -> None:
        seen.add(handler.client_address)
        handler.give(*NO_MODELS)

    recorded.answer("GET /v1/models", answer)
    client = connect(recorded, keep_alive=keep_alive)
    for _request in range(3):
        client.list_models()
    assert len(seen) == connections


def unused_port() -> int:
    """A port on which nobody listens."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


# Connecting.


@pytest.mark.parametrize("path", ["/v1", "/v1/", "/v1/models", "/xinference/v1", "/ui", "/status", "?a=b", "/#/login"])
def test_more_than_the_address_of_the_server(path: str) -> None:
    with pytest.raises(ConnectionFailed) as raised:
        Client(f"http://127.0.0.1:9997{path}")
    assert str(raised.value) == (
        f"endpoint 'http://127.0.0.1:9997{path}' holds more than the address of the server; give the part before it, such as http://127.0.0.1:9997."
    )


@pytest.mark.parametrize("endpoint", ["http://me:hunter2@127.0.0.1:9997", "me:hunter2@127.0.0.1:9997/v1", "http://me:hunter2@127.0.0.1:x"])
def test_an_account_in_an_endpoint_is_not_repeated(endpoint: str) -> None:
    with pytest.raises(ConnectionFailed) as raised:
        Client(endpoint)
    assert str(raised.value) == "endpoint holds an account; give username and password by the options of these names, and the address alone."


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
    with pytest.raises(NotReached) as raised:
        Client(url).list_models()
    sentence = str(raised.value)
    assert sentence.startswith(f"GET {url}/v1/models: no connection (") and sentence.endswith("Connection refused).")
    assert "0x" not in sentence and "object at" not in sentence and "\n" not in sentence


def test_a_name_that_does_not_exist_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_arguments: Any, **_options: Any) -> None:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(time, "sleep", lambda _seconds: None)
    monkeypatch.setattr(socket, "getaddrinfo", fail)
    with pytest.raises(NotReached) as raised:
        Client("http://nowhere.invalid:9997", username="admin", password="s3cret-pass")
    assert str(raised.value).startswith("POST http://nowhere.invalid:9997/token: no connection (")
    assert "s3cret-pass" not in str(raised.value)
    assert "Name or service not known" in str(raised.value)
    assert "0x" not in str(raised.value)


def test_a_server_that_breaks_the_connection_is_one_sentence(recorded: Recorded) -> None:
    client = connect(recorded)
    recorded.answer("GET /v1/models", break_off)
    with pytest.raises(ConnectionFailed) as raised:
        client.list_models()
    assert str(raised.value).startswith(f"GET {recorded.endpoint}/v1/models: no connection (")
    # It came that far.
    assert not isinstance(raised.value, NotReached)
    assert len(recorded.asked("GET /v1/models")) == 3


def test_each_request_of_a_long_relaunch_can_be_a_sign_of_life(recorded: Recorded) -> None:
    client = connect(recorded)
    beats: list[int] = []
    recorded.answer("GET /v1/models", (503, "later"), (200, {"data": []}))
    client.before_each_request(lambda: beats.append(len(recorded.asked("GET /v1/models"))))
    assert client.list_models() == {}
    # Before each try.
    assert beats == [0, 1]
    # What is asked in the background says nothing of the relaunch.
    twin = client.twin()
    assert twin.list_models() == {}
    twin.close()
    assert len(beats) == 2


@pytest.mark.parametrize("elsewhere", [False, True])
def test_the_client_is_found_where_its_package_keeps_it(tmp_path: Path, elsewhere: bool) -> None:
    """The synchronous half alone, where it is; a release that keeps it elsewhere has the same public name."""
    package = tmp_path / "xinference_client"
    place = package if elsewhere else package / "client/restful"
    place.mkdir(parents=True)
    (place / ("other.py" if elsewhere else "restful_client.py")).write_text("class Client: where = 'here'\n")
    (package / "__init__.py").write_text("from .other import Client as RESTfulClient\n" if elsewhere else "raise ImportError('the asynchronous half')\n")
    code = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); from {session.__name__} import ClientBase, MISSING; print(ClientBase.where, MISSING)"
    done = subprocess.run((sys.executable, "-c", code), capture_output=True, text=True, check=True)
    assert done.stdout == "here None\n"


def test_a_twin_has_the_same_login_and_connections_of_its_own(recorded: Recorded) -> None:
    client = connect(recorded, timeout=7)
    recorded.answer("GET /v1/models", (200, {"data": []}))
    logins = len(recorded.asked("POST /token"))
    twin = client.twin()
    assert twin._session is not client._session
    assert (twin._session.timeout, twin._session.verify, twin._session.check_listener) == (7, client._session.verify, client._session.check_listener)
    assert dict(twin._session.headers) == dict(client._session.headers)
    assert twin.list_models() == client.list_models()
    assert len(recorded.asked("POST /token")) == logins
    twin.close()
    assert client.list_models() is not None


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
    recorded.answer("POST /token", lambda handler: handler.give(*answer))
    with pytest.raises(ApiError) as raised:
        connect(recorded)
    assert str(raised.value).startswith(f"POST {recorded.endpoint}/token answered 200: ")
    assert "Xinference" in str(raised.value)


def test_a_page_in_place_of_the_models_is_one_sentence(recorded: Recorded) -> None:
    recorded.answer("GET /v1/models", lambda handler: handler.give(200, "<html>It works!</html>", "text/html"))
    with pytest.raises(ApiError, match="this is not the answer of an Xinference server"):
        connect(recorded, username=None).list_models()


def test_half_an_answer_is_one_sentence(recorded: Recorded) -> None:
    recorded.answer("GET /v1/models", lambda handler: handler.give(200, '{"data": [', "application/json"))
    recorded.answer("GET /v1/launch_history", lambda handler: handler.give(200, '[{"model', "application/json"))
    client = connect(recorded, username=None)
    for call in (client.list_models, client.history):
        with pytest.raises(ApiError, match="this is not the answer of an Xinference server"):
            call()


# Answers that are more than any server's.


def going_on(head: bytes, piece: bytes) -> Callable[[Any], None]:
    """An answer that goes on until nobody reads it any more."""

    def answer(handler: Any) -> None:
        handler.close_connection = True
        with contextlib.suppress(OSError):
            handler.wfile.write(head)
            while True:
                handler.wfile.write(piece)

    return answer


JSON_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
#: What goes on in an answer without end: its body, with and without a length, one piece of it, its head, and what comes before.
ENDLESS = {
    "body": (JSON_HEAD + b"\r\n", b"[" * 1000),
    "length": (JSON_HEAD + b"Content-Length: 1000000000000\r\n\r\n", b" " * 1000),
    "pieces": (JSON_HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"3e8\r\n" + b" " * 1000 + b"\r\n"),
    "length of a piece": (JSON_HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"0" * 1000),
    "error": (b"HTTP/1.1 500 Error\r\n\r\n", b"x" * 1000),
    "before": (b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 50),
}


@pytest.mark.parametrize("answer", ENDLESS.values(), ids=ENDLESS)
def test_an_answer_without_end_is_one_sentence(recorded: Recorded, monkeypatch: pytest.MonkeyPatch, answer: tuple[bytes, bytes]) -> None:
    client = connect(recorded)
    monkeypatch.setattr(Answer, "limit", 1 << 20)
    recorded.answer("GET /v1/models", going_on(*answer))
    with pytest.raises(ConnectionFailed) as raised:
        client.list_models()
    # Newer versions of urllib3 have a limit of their own for the length of a piece.
    found = str(raised.value).removeprefix(f"GET {recorded.endpoint}/v1/models: ")
    assert found in ("the answer has more than 1 MiB.", "Response chunk size line exceeded maximum allowed length")
    # Each try would take as long.
    assert len(recorded.asked("GET /v1/models")) == 1
    # The next request has a connection of its own.
    recorded.answer("GET /v1/models", NO_MODELS)
    assert client.list_models() == {}


def test_an_answer_may_be_as_large_as_the_limit(recorded: Recorded, monkeypatch: pytest.MonkeyPatch) -> None:
    client = connect(recorded)
    monkeypatch.setattr(Answer, "limit", 1 << 20)
    recorded.answer("GET /v1/models", (200, {"data": [], "more": "x" * (1 << 19)}))
    assert client.list_models() == {}


@pytest.mark.parametrize(
    "answer",
    [(JSON_HEAD + b"\r\n", b" "), (JSON_HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n"), (b"", b"HTTP/1.1 100 Continue\r\n\r\n")],
    ids=["body", "pieces", "before"],
)
def test_a_byte_now_and_then_is_no_answer(recorded: Recorded, monkeypatch: pytest.MonkeyPatch, answer: tuple[bytes, bytes]) -> None:
    """With each of them the timeout begins again."""
    client = connect(recorded, timeout=5)
    # A second goes by with each read of the clock.
    monkeypatch.setattr(Answer, "clock", itertools.count().__next__)
    recorded.answer("GET /v1/models", going_on(*answer))
    with pytest.raises(ConnectionFailed) as raised:
        client.list_models()
    assert str(raised.value) == f"GET {recorded.endpoint}/v1/models: the answer did not end within 65 s."
    assert len(recorded.asked("GET /v1/models")) == 1


def test_a_compressed_answer_is_one_sentence(recorded: Recorded) -> None:
    """A few bytes could be compressed gigabytes."""
    asked: list[str] = []

    def answer(handler: Any) -> None:
        asked.append(handler.headers["Accept-Encoding"])
        handler.send_response(200)
        handler.send_header("Content-Encoding", "gzip")
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    client = connect(recorded)
    recorded.answer("GET /v1/models", answer)
    with pytest.raises(ConnectionFailed, match=r"GET .*/v1/models: the answer is compressed, which nobody asked for\.$"):
        client.list_models()
    assert asked == ["identity"]


@pytest.mark.parametrize("text", ["[" * 200_000, '{"data":' * 200_000, "[" * 200_000 + "]" * 200_000, '{"data": [' + "9" * 5000 + "]}"])
def test_json_without_a_bottom_is_one_sentence(recorded: Recorded, text: str) -> None:
    client = connect(recorded)
    for route, call in (("GET /v1/models", client.list_models), ("GET /v1/launch_history", client.history), ("POST /v1/models", lambda: client.launch({}))):
        recorded.answer(route, lambda handler: handler.give(200, text, "application/json"))
        with pytest.raises(ApiError, match=r"answered 200: this is not the answer of an Xinference server"):
            call()
        recorded.answer(route, lambda handler: handler.give(500, text, "application/json"))
        with pytest.raises(ApiError, match=r"answered 500: ") as raised:
            call()
        assert raised.value.detail == text[:500]
    recorded.answer("POST /token", lambda handler: handler.give(200, text, "application/json"))
    with pytest.raises(ApiError, match=r"answered 200: this is not the answer of an Xinference server"):
        connect(recorded)


def test_what_a_server_says_has_its_length(recorded: Recorded) -> None:
    client = connect(recorded)
    for content in ({"detail": "x" * 100_000}, {"detail": ["x"] * 100_000}, "x" * 100_000):
        recorded.answer("GET /v1/models", (500, content))
        with pytest.raises(ApiError) as raised:
            client.list_models()
        assert 500 <= len(raised.value.detail) <= 20_000


@pytest.mark.parametrize("charset", ["punycode", "unicode_escape", "utf-16", "nonsense", ""])
def test_an_answer_is_in_utf_8_whatever_it_says(recorded: Recorded, charset: str) -> None:
    recorded.answer("GET /v1/cluster/version", lambda handler: handler.give(200, '{"version": "\u00e4"}', f"application/vnd+json; charset={charset}"))
    assert connect(recorded).version() == "\u00e4"


def test_an_answer_through_a_proxy_is_bounded_too(recorded: Recorded, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("http_proxy", recorded.endpoint)
    monkeypatch.setattr(Answer, "limit", 1 << 20)
    recorded.answer("GET http://inference.example/v1/models", NO_MODELS, going_on(*ENDLESS["body"]))
    client = Client("http://inference.example")
    assert client.list_models() == {}
    with pytest.raises(ConnectionFailed, match=r"the answer has more than 1 MiB\."):
        client.list_models()


def test_a_certificate_that_is_not_trusted_is_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    import requests

    def fail(*_arguments: Any, **_options: Any) -> None:
        raise requests.exceptions.SSLError("certificate verify failed: self-signed certificate")

    monkeypatch.setattr(requests.Session, "request", fail)
    with pytest.raises(ConnectionFailed) as raised:
        Client("https://inference.example").list_models()
    assert str(raised.value) == (
        "GET https://inference.example/v1/models: the certificate is not trusted (certificate verify failed: self-signed certificate); give its CA as ca_path."
    )


@pytest.mark.parametrize(("verify", "used"), [(True, True), (False, False), ("/etc/ca.pem", "/etc/ca.pem")])
def test_the_certificate_options_reach_the_session(recorded: Recorded, verify: bool | str, used: bool | str) -> None:
    assert connect(recorded, verify=verify)._session.verify == used


# Time-outs.


#: Seconds within which other requests must be answered: enough for a test's server on a busy machine.
SHORT = 1.0


def late(recorded: Recorded, route: str, body: Any) -> None:
    """Let a route answer when the time of other requests is over."""

    def answer(handler: Any) -> None:
        time.sleep(1.5 * SHORT)
        handler.give(200, body)

    recorded.answer(route, answer)


@pytest.fixture
def silent() -> Iterator[Callable[[Any], None]]:
    """An answer that does not come before the test has ended, however long that takes."""
    ended = threading.Event()

    def wait(_handler: Any) -> None:
        ended.wait(60)

    yield wait
    ended.set()


def test_no_answer_in_time_is_not_tried_again(recorded: Recorded, silent: Callable[[Any], None]) -> None:
    client = connect(recorded, timeout=SHORT)
    recorded.answer("GET /v1/models", silent)
    with pytest.raises(ConnectionFailed) as raised:
        client.list_models()
    assert str(raised.value) == f"GET {recorded.endpoint}/v1/models: no answer within {SHORT:g} s."
    assert len(recorded.asked("GET /v1/models")) == 1


def test_a_cancellation_may_take_longer_than_other_requests(recorded: Recorded) -> None:
    late(recorded, "POST /v1/models/chat/cancel", None)
    connect(recorded, timeout=SHORT).cancel("chat")
    assert len(recorded.asked("POST /v1/models/chat/cancel")) == 1


def test_a_timeout_after_the_token_was_renewed_is_one_sentence(recorded: Recorded, silent: Callable[[Any], None]) -> None:
    client = connect(recorded, timeout=SHORT)
    recorded.answer("GET /v1/models", EXPIRED, silent)
    with pytest.raises(ConnectionFailed) as raised:
        client.list_models()
    assert str(raised.value) == f"GET {recorded.endpoint}/v1/models: no answer within {SHORT:g} s."


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


@pytest.mark.parametrize("credentials", [{"username": None}, {"password": None}, {"username": None, "password": None}, {"password": ""}])
def test_without_credentials_nothing_is_asked_at_first_and_a_refusal_is_explained(recorded: Recorded, credentials: dict[str, str | None]) -> None:
    client = connect(recorded, **credentials)
    assert recorded.requests == []
    assert not client.authenticated
    recorded.answer("GET /v1/models", EXPIRED)
    with pytest.raises(AuthenticationError) as raised:
        client.list_models()
    assert str(raised.value) == f"GET {recorded.endpoint}/v1/models answered 401: {NO_ACCOUNT}"
    assert [name for name, _token, _body in recorded.requests] == ["GET /v1/models"]


def test_without_credentials_no_token_is_sent(recorded: Recorded) -> None:
    recorded.answer("GET /v1/models", NO_MODELS)
    client = connect(recorded, username=None, password=None)
    assert client.list_models() == {}
    assert recorded.requests == [("GET /v1/models", None, None)]


@pytest.mark.parametrize("answer", [(404, {"detail": "Not Found"}), (405, {"detail": "Method Not Allowed"}), (404, "<html></html>")])
def test_a_server_without_authentication_needs_no_token(recorded: Recorded, answer: Any) -> None:
    recorded.answer("POST /token", answer)
    recorded.answer("GET /v1/models", NO_MODELS)
    client = connect(recorded)
    assert not client.authenticated
    assert client.list_models() == {}
    assert len(recorded.asked("POST /token")) == 1
    assert recorded.asked("GET /v1/models") == [(None, None)]


def test_a_server_without_authentication_that_refuses_is_not_logged_in_to_again(recorded: Recorded) -> None:
    recorded.answer("POST /token", (405, {"detail": "Method Not Allowed"}))
    recorded.answer("GET /v1/models", EXPIRED)
    client = connect(recorded)
    with pytest.raises(AuthenticationError, match="Could not validate credentials"):
        client.list_models()
    assert len(recorded.asked("POST /token")) == 1


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        ((403, {"detail": "Account is disabled"}), AuthenticationError),
        ((429, {"detail": "Too many failed attempts"}), AuthenticationError),
        ((503, {"detail": "starting"}), ApiError),
    ],
)
def test_a_login_that_is_refused_is_tried_once(recorded: Recorded, answer: Any, kind: type[ApiError]) -> None:
    recorded.answer("POST /token", answer)
    with pytest.raises(kind) as raised:
        connect(recorded)
    assert (type(raised.value), raised.value.status, raised.value.detail) == (kind, answer[0], answer[1]["detail"])
    assert len(recorded.asked("POST /token")) == 1


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


def test_a_token_that_expires_in_the_middle_of_a_long_launch_is_renewed_once(recorded: Recorded) -> None:
    """Half an hour of polls of a launch: one answer is a refusal, and none after it."""
    loading, ready = (200, [{"model_uid": "chat", "status": "CREATING"}]), (200, [{"model_uid": "chat", "status": "READY"}])
    recorded.answer("POST /token", LOGIN, (200, {"access_token": "token-2"}))
    recorded.answer("POST /v1/models", (200, {"model_uid": "chat"}))
    recorded.answer("GET /v1/models/instances", loading, loading, EXPIRED, loading, loading, ready)
    client = connect(recorded)
    client.launch({"model_uid": "chat"})
    statuses = [client.list_instances()[0]["status"] for _poll in range(5)]
    assert statuses == ["CREATING"] * 4 + ["READY"]
    assert [token for token, _body in recorded.asked("GET /v1/models/instances")] == ["Bearer token-1"] * 3 + ["Bearer token-2"] * 3
    assert len(recorded.asked("POST /token")) == 2
    assert len(recorded.asked("POST /v1/models")) == 1


def test_a_token_may_expire_more_than_once(recorded: Recorded) -> None:
    recorded.answer("POST /token", LOGIN, (200, {"access_token": "token-2"}), (200, {"access_token": "token-3"}))
    recorded.answer("GET /v1/models", NO_MODELS, EXPIRED, NO_MODELS, EXPIRED, NO_MODELS)
    client = connect(recorded)
    for _poll in range(3):
        assert client.list_models() == {}
    assert [token for token, _body in recorded.asked("GET /v1/models")] == [f"Bearer token-{number}" for number in (1, 1, 2, 2, 3)]


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


WRITES: dict[str, Callable[[Client], Any]] = {
    "POST /v1/models": lambda client: client.launch({"model_uid": "chat"}),
    "DELETE /v1/models/chat": lambda client: client.terminate("chat"),
    "POST /v1/models/chat/cancel": lambda client: client.cancel("chat"),
    "POST /v1/models/chat/replicas": lambda client: client.add_replicas("chat", 2),
    "DELETE /v1/models/chat/replicas/1": lambda client: client.remove_replica("chat", 1),
    "POST /v1/model_registrations/LLM": lambda client: client.register("LLM", {"model_name": "a"}),
    "DELETE /v1/model_registrations/LLM/a": lambda client: client.unregister("LLM", "a"),
    "POST /v1/launch_history": lambda client: client.remember("ours", "chat", {"created": 1}),
    "DELETE /v1/launch_history/ours/chat": lambda client: client.forget("ours", "chat"),
    "POST /v1/autostart/models": lambda client: client.set_autostart({"launch": {"model_uid": "chat"}}),
    "DELETE /v1/autostart/models/chat": lambda client: client.remove_autostart("chat"),
    "POST /v1/cache/models": lambda client: client.cache({"cache_uid": "chat"}),
    "POST /v1/downloads/chat/resume": lambda client: client.resume_download("chat"),
    "DELETE /v1/cache/models": lambda client: client.remove_cached("a--1B--ggufv2--Q4_1"),
    "POST /v1/chat/completions": lambda client: client.ask("chat/completions", {"model": "chat"}, 5),
    "POST /v1/admin/users": lambda client: client.create_account("app", "app-password", []),
    "PUT /v1/admin/users/2": lambda client: client.update_account(2, {"enabled": False}),
    "PUT /v1/admin/users/2/password": lambda client: client.set_account_password(2, "app-password"),
    "DELETE /v1/admin/users/2": lambda client: client.remove_account(2),
    "POST /v1/admin/keys": lambda client: client.create_key({"name": "key"}),
    "PUT /v1/admin/keys/3": lambda client: client.update_key(3, {"enabled": False}),
    "DELETE /v1/admin/keys/3": lambda client: client.remove_key(3),
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


@pytest.mark.parametrize("verify", [False, "/etc/ca.pem"])
def test_what_the_environment_says_of_trust_and_accounts_is_not_for_this_server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, verify: bool | str) -> None:
    """A bundle of CAs, and a .netrc with another account on the same host."""
    import requests

    netrc = tmp_path / "netrc"
    netrc.write_text("machine inference.example login another password else\n", encoding="utf-8")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(netrc))
    monkeypatch.setenv("CURL_CA_BUNDLE", str(netrc))
    sent: list[tuple[str | None, Any]] = []

    def send(_session: requests.Session, request: requests.PreparedRequest, **options: Any) -> requests.Response:
        sent.append((request.headers.get("Authorization"), options["verify"]))
        response = requests.Response()
        response.status_code, response._content = 200, b'{"access_token": "token-1", "data": []}'
        response.headers["Content-Type"] = "application/json"
        return response

    monkeypatch.setattr(requests.Session, "send", send)
    client = Client("https://inference.example", username="admin", password="s3cret-pass", verify=verify)
    client.list_models()
    assert client.accepts("app", "app-password")
    assert [options for _authorization, options in sent] == [verify] * len(sent)
    assert {authorization for authorization, _options in sent} == {None, "Bearer token-1"}


# Proxies.


@pytest.mark.parametrize(("host", "used"), [("127.0.0.1", False), ("localhost", False), ("[::1]", False), ("inference.example", True)])
def test_a_proxy_of_the_environment_serves_all_but_loopback(monkeypatch: pytest.MonkeyPatch, host: str, used: bool) -> None:
    import requests

    seen: list[requests.Session] = []

    def request(session: requests.Session, _method: str, _url: str, **_options: Any) -> requests.Response:
        seen.append(session)
        response = requests.Response()
        response.status_code, response._content = 200, b'{"object": "list", "data": []}'
        response.headers["Content-Type"] = "application/json"
        return response

    monkeypatch.setattr(requests.Session, "request", request)
    Client(f"http://{host}:9997").list_models()
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


@pytest.mark.parametrize("words", ["[address=0.0.0.0:1, pid=1] Model is already in the model list, uid: chat-rep0", "Model chat cannot be run on engine none."])
def test_an_orphan_is_cleared_away_by_a_launch_that_can_only_be_refused(recorded: Recorded, words: str) -> None:
    recorded.answer("POST /v1/models", (400, {"detail": words}))
    connect(recorded).clear_orphan("chat", 2)
    body = {"model_uid": "chat", "model_name": "chat", "model_type": "LLM", "model_engine": "none", "replica": 2}
    assert recorded.requests[-1] == ("POST /v1/models?wait_ready=true", "Bearer token-1", body)


def test_an_orphan_on_a_server_that_cannot_launch_stays(recorded: Recorded) -> None:
    recorded.answer("POST /v1/models", (503, {"detail": "No available worker found"}))
    with pytest.raises(ApiError, match="No available worker found"):
        connect(recorded).clear_orphan("chat", 1)
    assert len(recorded.asked("POST /v1/models")) == 1


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
            lambda client: client.registered_names("LLM"),
            {"qwen3": True, "mine": False},
        ),
        ("GET /v1/engines/LLM/qwen3", {"vLLM": "no"}, lambda client: client.engines("LLM", "qwen3"), {"vLLM": "no"}),
        ("GET /v1/models/chat", {"model_name": "a", "replica": 1}, lambda client: client.describe("chat"), {"model_name": "a", "replica": 1}),
        ("GET /v1/models/chat/progress", {"progress": 0.5}, lambda client: client.progress("chat"), {"progress": 0.5}),
        (
            "GET /v1/model_registrations/LLM/mine",
            {"model_name": "mine"},
            lambda client: client.registrations("LLM", {"mine"}),
            {"mine": {"model_name": "mine"}},
        ),
        ("GET /v1/model_registrations/LLM/mine", None, lambda client: client.registrations("LLM", {"mine"}), {}),
        (
            "GET /v1/model_registrations/LLM",
            [{"model_name": "a", "version": 2}, {"model_name": "b", "version": 2}, {"model_name": "qwen3", "version": 2}],
            lambda client: client.registrations("LLM", {"a", "b", "c"}),
            {"a": {"model_name": "a", "version": 2}, "b": {"model_name": "b", "version": 2}},
        ),
        ("GET /v1/launch_history", [{"id": 1}], Client.history, [{"id": 1}]),
        ("POST /v1/launch_history", {"status": "ok"}, lambda client: client.remember("ours", "chat", {}), True),
        ("DELETE /v1/launch_history/ours/chat", {"status": "ok"}, lambda client: client.forget("ours", "chat"), None),
        ("GET /v1/autostart/models", {"models": [{"enabled": True}]}, Client.autostart, [{"enabled": True}]),
        ("POST /v1/autostart/models", {"models": []}, lambda client: client.set_autostart({"launch": {}}), None),
        ("DELETE /v1/autostart/models/chat", {"models": []}, lambda client: client.remove_autostart("chat"), None),
        (
            "GET /openapi.json",
            {"paths": {"/v1/models": {"get": {}, "post": {}}, "/status": {"get": {}}}},
            Client.routes,
            frozenset({"GET /v1/models", "POST /v1/models", "GET /status"}),
        ),
        ("GET /v1/cache/models", {"list": [{"model_name": "a"}]}, Client.cached, [{"model_name": "a"}]),
        ("GET /v1/downloads", {"list": [{"cache_uid": "a"}]}, Client.downloads, [{"cache_uid": "a"}]),
        ("POST /v1/cache/models", {"cache_uid": "a"}, lambda client: client.cache({"cache_uid": "a"}), True),
        ("POST /v1/downloads/a/resume", {"cache_uid": "a"}, lambda client: client.resume_download("a"), None),
        ("POST /v1/embeddings", {"data": [1]}, lambda client: client.ask("embeddings", {"model": "a"}, 5), {"data": [1]}),
        ("GET /status", {"uptime": 3, "workers": {}}, Client.status, {"uptime": 3, "workers": {}}),
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


NAMED: dict[str, Callable[[Client], Any]] = {
    "GET /v1/models/{}": lambda client: client.describe(ODD),
    "DELETE /v1/models/{}": lambda client: client.terminate(ODD),
    "POST /v1/models/{}/cancel": lambda client: client.cancel(ODD),
    "GET /v1/models/{}/progress": lambda client: client.progress(ODD),
    "POST /v1/models/{}/replicas": lambda client: client.add_replicas(ODD, 1),
    "DELETE /v1/models/{}/replicas/3": lambda client: client.remove_replica(ODD, 3),
    "GET /v1/model_registrations/LLM/{}": lambda client: client.registrations("LLM", {ODD}),
    "DELETE /v1/model_registrations/LLM/{}": lambda client: client.unregister("LLM", ODD),
    "GET /v1/engines/LLM/{}": lambda client: client.engines("LLM", ODD),
    "DELETE /v1/launch_history/{}/{}": lambda client: client.forget(ODD, ODD),
    "DELETE /v1/autostart/models/{}": lambda client: client.remove_autostart(ODD),
    "POST /v1/downloads/{}/resume": lambda client: client.resume_download(ODD),
}
ODD = "ä b/../c?d=1#e%20"
QUOTED = "%C3%A4%20b%2F..%2Fc%3Fd%3D1%23e%2520"


@pytest.mark.parametrize("route", NAMED)
def test_names_are_quoted(recorded: Recorded, route: str) -> None:
    asked = route.replace("{}", QUOTED)
    recorded.answer(asked, (200, {"remaining_replicas": 1}))
    NAMED[route](connect(recorded))
    assert recorded.requests[-1][0] == asked


def test_what_the_writing_calls_send(recorded: Recorded) -> None:
    for route in WRITES:
        recorded.answer(route, (200, {"models": []}))
    client = connect(recorded)
    client.add_replicas("chat", 2)
    client.add_replicas("chat", 1, "worker-1:30001")
    client.add_replicas("chat", 2, "10.0.0.5:30001")
    client.remember("ours", "chat", {"request": {"n_gpu": None}, "created": 1})
    client.set_autostart({"enabled": True, "launch": {"model_uid": "chat"}})
    client.remove_cached("a b--1B")
    client.cache({"cache_uid": "chat.1"})
    client.ask("chat/completions", {"model": "chat"}, 5)
    assert [(name, body) for name, _token, body in recorded.requests[1:]] == [
        ("POST /v1/models/chat/replicas", {"replica": 2}),
        ("POST /v1/models/chat/replicas", {"replica": 1, "replica_config": [{"devices": [{"worker_ip": "worker-1:30001"}]}]}),
        ("POST /v1/models/chat/replicas", {"replica": 2, "replica_config": [{"devices": [{"worker_ip": "10.0.0.5:30001"}]}] * 2}),
        ("POST /v1/launch_history", {"model_name": "ours", "model_uid": "chat", "data": {"request": {"n_gpu": None}, "created": 1}}),
        ("POST /v1/autostart/models", {"enabled": True, "launch": {"model_uid": "chat"}}),
        ("DELETE /v1/cache/models?model_version=a+b--1B", None),
        ("POST /v1/cache/models", {"cache_uid": "chat.1"}),
        ("POST /v1/chat/completions", {"model": "chat"}),
    ]


def test_several_registrations_are_one_request(recorded: Recorded) -> None:
    recorded.answer("GET /v1/model_registrations/LLM", (200, []))
    assert connect(recorded).registrations("LLM", {"a", "b"}) == {}
    assert [name for name, _token, _body in recorded.requests[1:]] == ["GET /v1/model_registrations/LLM?detailed=true"]


# Accounts and API keys.


def test_what_the_calls_for_accounts_and_keys_send(recorded: Recorded) -> None:
    for route in ("POST /v1/admin/users", "PUT /v1/admin/users/2/password", "POST /v1/admin/keys"):
        recorded.answer(route, (200, {"id": 2, "key": "xf-1"}))
    client = connect(recorded)
    assert client.create_account("app", "app-password", ["admin"]) == 2
    client.set_account_password(2, "new-password")
    assert client.create_key({"name": "key", "owner": 2}) == {"id": 2, "key": "xf-1"}
    assert recorded.requests[1:] == [
        ("POST /v1/admin/users", "Bearer token-1", {"username": "app", "password": "app-password", "permissions": ["admin"]}),
        ("PUT /v1/admin/users/2/password", "Bearer token-1", {"new_password": "new-password"}),
        ("POST /v1/admin/keys", "Bearer token-1", {"name": "key", "owner": 2}),
    ]


@pytest.mark.parametrize("status", [404, 405])
def test_a_server_without_accounts_has_neither_these_nor_keys(recorded: Recorded, status: int) -> None:
    for route in ("GET /v1/admin/users", "GET /v1/admin/keys", "GET /v1/admin/keys/3/reveal"):
        recorded.answer(route, (status, "<html>"))
    client = connect(recorded)
    assert (client.accounts(), client.keys(), client.reveal_key(3)) == (None, None, None)
    recorded.answer("GET /v1/admin/keys/3/reveal", (200, {"key": "xf-1"}))
    assert client.reveal_key(3) == "xf-1"


def test_a_password_is_tried_once_in_a_session_of_its_own_that_is_logged_out(recorded: Recorded) -> None:
    client = connect(recorded)
    recorded.requests.clear()
    recorded.answer("POST /v1/auth/logout", (200, {"ok": True}))
    assert client.accepts("app", "app-password")
    assert recorded.requests == [
        ("POST /token", None, {"username": "app", "password": "app-password"}),
        ("POST /v1/auth/logout", None, {"refresh_token": "refresh"}),
    ]
    recorded.requests.clear()
    recorded.answer("POST /token", WRONG_PASSWORD)
    assert not client.accepts("app", "wrong-password")
    # The session of this client neither logged in again nor lost its token.
    assert [name for name, _token, _body in recorded.requests] == ["POST /token"]
    recorded.answer("POST /token", (429, {"detail": "Too many failed attempts."}))
    with pytest.raises(AuthenticationError):
        client.accepts("app", "app-password")


def test_a_session_that_cannot_be_logged_out_is_no_error(recorded: Recorded) -> None:
    client = connect(recorded)
    for answer in ((404, {"detail": "Not Found"}), (500, "broken")):
        recorded.answer("POST /v1/auth/logout", answer)
        assert client.accepts("app", "app-password")


def test_another_password_is_used_from_then_on(recorded: Recorded) -> None:
    client = connect(recorded)
    assert client.username == "admin"
    recorded.answer("POST /token", (200, {"access_token": "token-2"}), (200, {"access_token": "token-3"}))
    client.use_password("new-password")
    recorded.answer("GET /v1/models", EXPIRED, NO_MODELS)
    client.list_models()
    assert [body["password"] for _token, body in recorded.asked("POST /token")] == ["s3cret-pass", "new-password", "new-password"]
    assert [token for token, _body in recorded.asked("GET /v1/models")] == ["Bearer token-2", "Bearer token-3"]


def test_where_nobody_is_logged_in_there_is_no_name(recorded: Recorded) -> None:
    assert connect(recorded, username=None, password=None).username is None
    recorded.answer("POST /token", (405, {"detail": "Method Not Allowed"}))
    client = connect(recorded)
    assert client.username is None
    client.use_password("new-password")
    assert client.username is None


def test_accounts_are_managed_where_the_server_reports_its_first_one(recorded: Recorded) -> None:
    """Servers before 3.0 have accounts as well, which are managed in other ways."""
    rows = [{"id": 1}]
    recorded.answer("GET /v1/admin/users", (200, rows))
    recorded.answer("GET /v1/admin/keys", (200, rows))
    before = connect(recorded)
    assert (before.accounts(), before.keys()) == (None, None)
    recorded.answer("GET /v1/admin/setup/status", (200, {"needs_setup": False, "initialized": True, "password_min_length": 12}))
    since = connect(recorded)
    assert (since.accounts(), since.keys(), since.shortest_password()) == (rows, rows, 12)
    # Once for each client.
    assert len(recorded.asked("GET /v1/admin/setup/status")) == 2


def test_the_shortest_password_is_asked(recorded: Recorded) -> None:
    recorded.answer("GET /v1/admin/setup/status", (200, {"needs_setup": False, "initialized": True, "password_min_length": 12}))
    assert connect(recorded).shortest_password() == 12


# What is not there.


@pytest.mark.parametrize(("status", "answer"), [(400, None), (404, None), (503, {})])
def test_a_model_that_is_not_served_has_no_description_and_one_that_loads_an_empty_one(recorded: Recorded, status: int, answer: Any) -> None:
    recorded.answer("GET /v1/models/chat", (status, {"detail": "Model not found in the model list, uid: chat"}))
    assert connect(recorded).describe("chat") == answer
    assert len(recorded.asked("GET /v1/models/chat")) == 1


@pytest.mark.parametrize("status", [400, 404])
def test_a_registration_that_is_not_there(recorded: Recorded, status: int) -> None:
    recorded.answer("GET /v1/model_registrations/LLM/mine", (status, {"detail": "Model mine not found"}))
    assert connect(recorded).registrations("LLM", {"mine"}) == {}


ROUTES_OF_LATER_SERVERS: dict[str, tuple[Callable[[Client], Any], Any]] = {
    "GET /v1/launch_history": (Client.history, None),
    "POST /v1/launch_history": (lambda client: client.remember("ours", "chat", {}), False),
    "DELETE /v1/launch_history/ours/chat": (lambda client: client.forget("ours", "chat"), None),
    "GET /v1/autostart/models": (Client.autostart, None),
}


@pytest.mark.parametrize("route", ROUTES_OF_LATER_SERVERS)
@pytest.mark.parametrize("answer", [(404, {"detail": "Not Found"}), (404, "<html></html>"), (405, {"detail": "Method Not Allowed"})])
def test_what_an_older_server_does_not_have(recorded: Recorded, route: str, answer: Any) -> None:
    call, result = ROUTES_OF_LATER_SERVERS[route]
    recorded.answer(route, answer)
    assert call(connect(recorded)) is result
    assert len(recorded.asked(route)) == 1


@pytest.mark.parametrize("route", ROUTES_OF_LATER_SERVERS)
@pytest.mark.parametrize(("status", "kind"), [(500, ApiError), (403, AuthenticationError), (401, AuthenticationError)])
def test_a_failure_is_not_taken_for_an_older_server(recorded: Recorded, route: str, status: int, kind: type[ApiError]) -> None:
    recorded.answer(route, (status, {"detail": "broken"}))
    client = connect(recorded)
    with pytest.raises(kind, match="broken"):
        ROUTES_OF_LATER_SERVERS[route][0](client)


@pytest.mark.parametrize("call", [Client.describe, Client.history, Client.autostart])
def test_a_refused_account_is_not_taken_for_something_missing(recorded: Recorded, call: Callable[..., Any]) -> None:
    for route in ("GET /v1/models/chat", "GET /v1/launch_history", "GET /v1/autostart/models"):
        recorded.answer(route, (403, {"detail": "Not enough permissions"}))
    client = connect(recorded)
    with pytest.raises(AuthenticationError, match="Not enough permissions"):
        call(client, "chat") if call is Client.describe else call(client)


# Time-outs of their own.


def test_copies_may_take_longer_than_other_requests(recorded: Recorded) -> None:
    late(recorded, "POST /v1/models/chat/replicas", {})
    connect(recorded, timeout=SHORT).add_replicas("chat", 1)
    assert len(recorded.asked("POST /v1/models/chat/replicas")) == 1


def test_the_request_of_a_download_is_dropped_after_a_moment(recorded: Recorded, monkeypatch: pytest.MonkeyPatch, silent: Callable[[Any], None]) -> None:
    monkeypatch.setattr(client_module, "DOWNLOAD_MOMENT", 0.2)
    recorded.answer("POST /v1/cache/models", silent)
    assert connect(recorded).cache({"cache_uid": "a"}) is False


def test_an_answer_of_a_model_has_the_time_that_was_given(recorded: Recorded, silent: Callable[[Any], None]) -> None:
    late(recorded, "POST /v1/embeddings", {})
    client = connect(recorded, timeout=SHORT)
    assert client.ask("embeddings", {"model": "a"}, 60) == {}
    recorded.answer("POST /v1/embeddings", silent)
    with pytest.raises(NoAnswer) as raised:
        client.ask("embeddings", {"model": "a"}, 0.1)
    assert str(raised.value) == f"POST {recorded.endpoint}/v1/embeddings: no answer within 0.1 s."


def test_a_version_that_the_account_may_not_see_is_none(recorded: Recorded) -> None:
    recorded.answer("GET /v1/cluster/version", (403, {"detail": "Not enough permissions"}))
    assert connect(recorded).version() is None


def test_an_endpoint_with_a_slash_at_its_end(recorded: Recorded) -> None:
    recorded.answer("GET /v1/models", NO_MODELS)
    recorded.endpoint += "/"
    client = connect(recorded)
    assert client.list_models() == {}
    client.close()
    assert [name for name, _token, _body in recorded.requests] == ["POST /token", "GET /v1/models"]


@pytest.mark.parametrize("open_", [True, False])
def test_an_older_server_without_authentication_stumbles_over_a_login(recorded: Recorded, open_: bool) -> None:
    """Servers before 3.0 answer 500 there; only a server that says that it asks for no account is taken for one."""
    recorded.answer("POST /token", (500, "Internal Server Error: 'NoneType' object has no attribute 'user_config'"))
    recorded.answer("GET /v1/cluster/auth", (200, {"auth": not open_}))
    if open_:
        assert not connect(recorded).authenticated
    else:
        with pytest.raises(ApiError, match="has no attribute 'user_config'"):
            connect(recorded)
    assert len(recorded.asked("POST /token")) == 1


# Bans.

BANNED = "GET /v1/admin/security/banned-ips"


def test_the_addresses_that_a_server_bans(recorded: Recorded) -> None:
    recorded.answer(BANNED, (200, [{"ip": "192.0.2.7", "banned_until": 1795348800.5, "remaining_seconds": 3000}, {"ip": "2001:db8::1"}]), (200, []))
    client = connect(recorded)
    assert client.bans() == ["192.0.2.7", "2001:db8::1"]
    assert client.bans() == []


@pytest.mark.parametrize("status", [401, 403, 404, 405])
def test_a_server_without_bans_or_one_that_does_not_show_them(recorded: Recorded, status: int) -> None:
    recorded.answer(BANNED, (status, {"detail": "Not Found"}))
    assert connect(recorded).bans() is None


@pytest.mark.parametrize("status", [429, 500])
def test_bans_that_cannot_be_read_are_no_absence_of_bans(recorded: Recorded, status: int) -> None:
    recorded.answer(BANNED, (status, {"detail": "Too many failed attempts. IP temporarily banned."}))
    with pytest.raises(ApiError, match="temporarily banned") as raised:
        connect(recorded).bans()
    assert raised.value.status == status


@pytest.mark.parametrize("answer", [None, 7, {}, {"ip": "192.0.2.7"}, [None, 7, "192.0.2.7", [], {}, {"ip": None}, {"ip": ""}]])
def test_something_else_in_place_of_bans_is_none(recorded: Recorded, answer: Any) -> None:
    recorded.answer(BANNED, (200, answer))
    assert connect(recorded).bans() == []
