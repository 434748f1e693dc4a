# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An HTTP server in front of the unit tests' server in memory, for numbers of models that a small machine cannot load.

The answers are those of the server in memory, which tests/contract compares with a real one. Here is only what HTTP adds: which route
calls which of its methods, accounts, and a count of the requests.
"""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from ansible_collections.inferops.xinference.plugins.module_utils._core.base.errors import ApiError
from ansible_collections.inferops.xinference.plugins.module_utils._core.server.rows import HistoryRow
from ansible_collections.inferops.xinference.tests.unit.plugins.module_utils._core.fake_server import FakeServer

USERNAME = "admin"
PASSWORD = "bench-password"
TOKEN = "token-of-the-bench"
#: What a server answers on a route that it does not have.
NO_ROUTE = ApiError("", "", 404, "Not Found")


@dataclass(frozen=True)
class Request:
    """One request: the parts of its path that the route names, its query and its body."""

    parts: dict[str, str]
    query: dict[str, str]
    body: Any


def _token(_fake: FakeServer, request: Request) -> dict[str, Any]:
    if (request.body.get("username"), request.body.get("password")) != (USERNAME, PASSWORD):
        raise ApiError("", "", 401, "Incorrect username or password")
    return {"access_token": TOKEN, "refresh_token": TOKEN, "token_type": "bearer"}


def _model(fake: FakeServer, request: Request) -> dict[str, Any]:
    uid = request.parts["uid"]
    model = fake.list_models().get(uid)
    if model is None:
        raise ApiError("", "", 400, f"Model not found in the model list, uid: {uid}")
    return {**model, "n_worker": 1}


def _registrations(fake: FakeServer, request: Request) -> list[dict[str, Any]]:
    kind = request.parts["kind"]
    names = fake.registered_names(kind)
    specifications = fake.registrations(kind, names) if request.query.get("detailed") == "true" else {}
    return [{**specifications.get(name, {}), "model_name": name, "is_builtin": builtin} for name, builtin in names.items()]


def _registration(fake: FakeServer, request: Request) -> dict[str, Any]:
    name = request.parts["name"]
    found = fake.registrations(request.parts["kind"], [name])
    if name not in found:
        raise ApiError("", "", 400, f"Model {name} not found")
    return dict(found[name])


def _launch(fake: FakeServer, request: Request) -> dict[str, Any]:
    fake.launch(request.body)
    return {"model_uid": request.body["model_uid"]}


def _history(fake: FakeServer, _request: Request) -> list[HistoryRow]:
    rows = fake.history()
    if rows is None:
        raise NO_ROUTE
    return list(rows)


def _autostart(fake: FakeServer, _request: Request) -> dict[str, Any]:
    entries = fake.autostart()
    if entries is None:
        raise NO_ROUTE
    return {"models": entries}


def _routes(fake: FakeServer, _request: Request) -> dict[str, Any]:
    paths: dict[str, dict[str, Any]] = {}
    for route in fake.routes():
        method, _space, path = route.partition(" ")
        paths.setdefault(path, {})[method.lower()] = {}
    return {"paths": paths}


Answer = Callable[[FakeServer, Request], Any]
#: Method, path and answer; the first that fits is taken. A new route is one line.
ROUTES: tuple[tuple[str, str, Answer], ...] = (
    ("POST", "/token", _token),
    ("GET", "/status", lambda fake, _: fake.status()),
    ("GET", "/openapi.json", _routes),
    ("GET", "/v1/cluster/auth", lambda fake, _: {"auth": fake.authenticated}),
    ("GET", "/v1/cluster/version", lambda fake, _: {"version": fake.version()}),
    ("GET", "/v1/models", lambda fake, _: {"object": "list", "data": list(fake.list_models().values())}),
    ("POST", "/v1/models", _launch),
    ("GET", "/v1/models/instances", lambda fake, _: fake.list_instances()),
    ("GET", "/v1/models/{uid}", _model),
    ("DELETE", "/v1/models/{uid}", lambda fake, request: fake.terminate(request.parts["uid"])),
    ("GET", "/v1/models/{uid}/progress", lambda fake, request: fake.progress(request.parts["uid"])),
    ("POST", "/v1/models/{uid}/cancel", lambda fake, request: fake.cancel(request.parts["uid"])),
    ("GET", "/v1/engines/{kind}/{name}", lambda fake, request: fake.engines(request.parts["kind"], request.parts["name"])),
    ("GET", "/v1/model_registrations/{kind}", _registrations),
    ("GET", "/v1/model_registrations/{kind}/{name}", _registration),
    ("POST", "/v1/model_registrations/{kind}", lambda fake, request: fake.register(request.parts["kind"], json.loads(request.body["model"]))),
    ("DELETE", "/v1/model_registrations/{kind}/{name}", lambda fake, request: fake.unregister(request.parts["kind"], request.parts["name"])),
    ("GET", "/v1/cache/models", lambda fake, _: {"list": fake.cached()}),
    ("POST", "/v1/completions", lambda fake, request: fake.ask("completions", request.body, 0)),
    ("POST", "/v1/chat/completions", lambda fake, request: fake.ask("chat/completions", request.body, 0)),
    ("POST", "/v1/embeddings", lambda fake, request: fake.ask("embeddings", request.body, 0)),
    ("GET", "/v1/launch_history", _history),
    ("POST", "/v1/launch_history", lambda fake, request: fake.remember(request.body["model_name"], request.body["model_uid"], request.body["data"])),
    ("DELETE", "/v1/launch_history/{name}/{uid}", lambda fake, request: fake.forget(request.parts["name"], request.parts["uid"])),
    ("GET", "/v1/autostart/models", _autostart),
    ("POST", "/v1/autostart/models", lambda fake, request: fake.set_autostart(request.body)),
    ("DELETE", "/v1/autostart/models/{uid}", lambda fake, request: fake.remove_autostart(request.parts["uid"])),
)
#: Routes that answer without an account.
OPEN = frozenset({"/token", "/status", "/openapi.json", "/v1/cluster/auth"})


def _pattern(path: str) -> re.Pattern[str]:
    return re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", path))


_TABLE = [(method, _pattern(path), answer) for method, path, answer in ROUTES]


@dataclass
class FakeApi:
    """The server in memory behind HTTP.

    :param fake: the server; a launch is ready at the next request.
    :param requests: method and path of every request so far.
    """

    fake: FakeServer = field(default_factory=lambda: FakeServer(load_seconds=0.0))
    requests: list[str] = field(default_factory=list)
    endpoint: str = ""
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _asked: float = field(default_factory=time.monotonic)

    def answer(self, method: str, target: str, token: str, body: Any) -> tuple[int, Any]:
        """Status and JSON for a request; one at a time, because the server in memory knows no threads."""
        address = urlsplit(target)
        with self._lock:
            self.requests.append(f"{method} {target}")
            # The clock in memory moves only when a caller waits; here it follows the machine's.
            now = time.monotonic()
            self.fake.clock.sleep(max(now - self._asked, 1e-6))
            self._asked = now
            if address.path not in OPEN and token != f"Bearer {TOKEN}":
                return 401, {"detail": "Could not validate credentials"}
            for verb, pattern, answer in _TABLE:
                found = pattern.fullmatch(address.path)
                if verb != method or found is None:
                    continue
                parts = {name: unquote(value) for name, value in found.groupdict().items()}
                query = {name: values[-1] for name, values in parse_qs(address.query).items()}
                try:
                    return 200, answer(self.fake, Request(parts, query, body))
                except ApiError as error:
                    return error.status, {"detail": error.detail}
            return 404, {"detail": "Not Found"}


@contextmanager
def serving() -> Iterator[FakeApi]:
    """A server on a free port of loopback, for as long as the context lasts."""
    api = FakeApi()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        # Else the second write of an answer waits for the client's acknowledgement, which a real server's does not.
        disable_nagle_algorithm = True

        def _serve(self) -> None:
            raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            status, answer = api.answer(self.command, self.path, self.headers.get("Authorization", ""), json.loads(raw) if raw else None)
            content = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_DELETE = _serve

        def log_message(self, *_arguments: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        api.endpoint = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield api
        finally:
            server.shutdown()
            thread.join()
