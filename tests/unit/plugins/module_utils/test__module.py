# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What every module does with a server that is none: whatever it answers ends in one sentence."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from ansible_collections.inferops.xinference.plugins.modules import api_key, cached_models, cached_models_info, models, models_info, registration, user
from ansible_collections.inferops.xinference.tests.unit.plugins.modules.module_runner import Runner

MODULES: dict[str, tuple[Any, dict[str, Any]]] = {
    "models": (models, {"models": [{"uid": "chat", "name": "qwen3", "engine": "llama.cpp"}], "wait": False}),
    "models_info": (models_info, {}),
    "cached_models": (cached_models, {"keep": []}),
    "cached_models_info": (cached_models_info, {}),
    "registration": (registration, {"name": "mine", "state": "absent"}),
    "user": (user, {"name": "someone", "account_password": "long-enough", "permissions": []}),
    "api_key": (api_key, {"name": "key", "owner": "someone"}),
}
ANSWERS: list[Any] = [
    None,
    True,
    7,
    "text",
    [],
    {},
    [[]],
    [None],
    {"data": None},
    {"data": [None]},
    {"data": [{"id": None}]},
    {"instances": 7, "data": {}, "access_token": []},
    {"access_token": "t", "data": [{"username": 7}], "needs_setup": "x", "version": []},
    [{"model_uid": {}, "status": 7, "replica_statuses": [7]}],
    [{"username": None, "id": []}],
]


class Server(ThreadingHTTPServer):
    """Answers every request with the same."""

    answer: Any = None


class Handler(BaseHTTPRequestHandler):
    """One request."""

    def answer(self) -> None:
        """Whatever was asked."""
        assert isinstance(self.server, Server)
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        body = json.dumps(self.server.answer).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = answer

    def log_message(self, *_arguments: Any) -> None:
        """Nothing in the tests' output."""


@pytest.fixture
def server() -> Iterator[Server]:
    """One that listens."""
    with Server(("127.0.0.1", 0), Handler) as running:
        thread = threading.Thread(target=lambda: running.serve_forever(poll_interval=0.01), daemon=True)
        thread.start()
        yield running
        running.shutdown()
        thread.join()


@pytest.mark.parametrize("answer", ANSWERS, ids=json.dumps)
@pytest.mark.parametrize("account", [{}, {"username": "me", "password": "secret-word"}], ids=["without an account", "with an account"])
@pytest.mark.parametrize("name", MODULES)
def test_no_answer_ends_in_a_traceback(
    name: str, account: dict[str, str], answer: Any, server: Server, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    module, options = MODULES[name]
    server.answer = answer
    endpoint = f"http://127.0.0.1:{server.server_port}"
    # Whatever the module makes of it, it ends as a module does; in check mode, because what is no server may also be one with nothing in it.
    result = Runner(module.main, capsys, monkeypatch)(check=True, endpoint=endpoint, timeout=30, **account, **options)
    if result["failed"]:
        assert "\n" not in result["msg"]
        assert "Traceback" not in result["msg"]
    assert "secret-word" not in json.dumps(result)


def test_what_an_answer_broke_is_told_with_the_way_to_report_it(server: Server, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    server.answer = [7]
    endpoint = f"http://127.0.0.1:{server.server_port}"
    result = Runner(models_info.main, capsys, monkeypatch)(endpoint=endpoint)
    assert result["failed"]
    assert result["msg"].startswith(f"{endpoint} gave an answer that this module does not understand (")
    assert "report this with the traceback that a run with ANSIBLE_DISPLAY_TRACEBACK=error shows" in result["msg"]
