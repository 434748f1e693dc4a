# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The queue of the proxy: Debian's nginx with the configuration of the role, in front of a server that refuses like a real one."""

from __future__ import annotations

import json
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import requests

sys.path.insert(0, str(Path(__file__).parent))

from limited_server import LimitedServer, limited_server
from proxying import Proxy, proxying

from ansible_collections.inferops.xinference.tests.machine import PATIENCE, wait_until

LIMITED = [{"uid": "chat", "request_limits": 1}, {"uid": "free"}]
#: A client has half of the places.
PLACES = 8
#: Long enough for every test, and short enough to see it end.
SECONDS = 120
Ask = Callable[..., requests.Response]


@pytest.fixture
def server() -> Iterator[LimitedServer]:
    """A server that refuses the second request of a model."""
    with limited_server() as running:
        yield running


@pytest.fixture
def proxy(server: LimitedServer) -> Iterator[Callable[..., Ask]]:
    """Start a proxy with variables, and get what asks it."""
    with ExitStack() as stack:

        def start(**variables: Any) -> Ask:
            base = stack.enter_context(
                proxying(Proxy(server.endpoint, LIMITED, {"xinference_proxy_queue": PLACES, "xinference_proxy_queue_seconds": SECONDS, **variables}))
            )

            def ask(model: str = "chat", *, stream: bool = True, timeout: float = PATIENCE, raw: str = "") -> requests.Response:
                with requests.Session() as session:
                    session.trust_env = False
                    body = {"model": model, "stream": stream, "messages": [{"role": "user", "content": "x" * 20000}]}
                    # Its certificate is of nobody.
                    return session.post(f"{base}/v1/chat/completions", data=raw or json.dumps(body), verify=False, timeout=timeout)

            return ask

        yield start


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    """Clients that ask at the same time."""
    with ThreadPoolExecutor(32) as clients:
        yield clients


def outcome(answer: requests.Response) -> str:
    """What a client would make of an answer."""
    return "refused" if answer.status_code == 429 or "error" in answer.text else str(answer.status_code)


def outcomes(asked: list[Future[requests.Response]]) -> Counter[str]:
    """How many clients got what."""
    return Counter(outcome(each.result()) for each in asked)


def occupy(server: LimitedServer, ask: Ask, pool: ThreadPoolExecutor) -> Future[requests.Response]:
    """One request that the model answers until the server is free again."""
    server.free.clear()
    asked = pool.submit(ask)
    wait_until(lambda: "chat" in server.busy, "the model answers")
    return asked


@pytest.mark.parametrize("stream", [True, False])
def test_without_the_queue_the_server_refuses(server: LimitedServer, proxy: Callable[..., Ask], pool: ThreadPoolExecutor, stream: bool) -> None:
    ask = proxy(xinference_proxy_queue=0)
    first = occupy(server, ask, pool)
    answer = ask(stream=stream)
    assert outcome(answer) == "refused"
    assert (answer.status_code, answer.headers.get("Retry-After")) == ((200, None) if stream else (429, "5"))
    server.free.set()
    assert outcome(first.result()) == "200"


@pytest.mark.parametrize("stream", [True, False])
def test_with_it_all_are_answered(server: LimitedServer, proxy: Callable[..., Ask], pool: ThreadPoolExecutor, stream: bool) -> None:
    ask = proxy(xinference_proxy_queue=32, xinference_proxy_queue_seconds=60)
    first = occupy(server, ask, pool)
    others = [pool.submit(ask, stream=stream) for _client in range(12)]
    time.sleep(1)
    assert not any(each.done() for each in others)
    server.free.set()
    assert outcomes([first, *others]) == {"200": 13}
    # It was asked once for each of them, and had nothing to refuse.
    assert (server.begun, server.refused) == (13, 0)


def test_who_finds_no_place_is_refused_at_once(server: LimitedServer, proxy: Callable[..., Ask], pool: ThreadPoolExecutor) -> None:
    ask = proxy()
    first = occupy(server, ask, pool)
    others = [pool.submit(ask) for _client in range(12)]
    wait_until(lambda: sum(each.done() for each in others) >= 12 - PLACES // 2, "those without a place are refused")
    refused = [each.result() for each in others if each.done()]
    assert {(each.status_code, each.headers.get("Retry-After")) for each in refused} == {(429, "5")}
    # Another model does not wait for them.
    server.free.set()
    assert outcome(ask("free")) == "200"
    assert outcomes([first, *others]) == {"200": 1 + PLACES // 2, "refused": 12 - PLACES // 2}


@pytest.mark.parametrize("end", ["\r\n", "\n"])
def test_a_model_s_name_writes_no_header_and_no_request(server: LimitedServer, proxy: Callable[..., Ask], end: str) -> None:
    """The proxy hands the name on in a header."""
    ask = proxy()
    assert outcome(ask("free")) == "200"
    lines = ["chat", "", "POST /v1/admin/setup HTTP/1.1", "Host: h", "X-Forwarded-For: 192.0.2.6", "Content-Length: 2", "", "{}"]
    for name in (f"chat{end}X-Forwarded-For: 192.0.2.6{end}X-Injected: 1", end.join(lines)):
        assert ask(raw=f'{{"model":"{name}"}}').status_code == 400
    assert ask(raw='{"model":"chat","messages":[]}').status_code == 200
    assert {(method, path) for method, path, _headers in server.asked} == {("POST", "/v1/chat/completions")}
    assert len(server.asked) == 4
    for _method, _path, headers in server.asked:
        assert headers["x-forwarded-for"] == "127.0.0.1"
        assert "x-injected" not in headers


def test_waiting_ends(server: LimitedServer, proxy: Callable[..., Ask], pool: ThreadPoolExecutor) -> None:
    ask = proxy(xinference_proxy_queue_seconds=2)
    first = occupy(server, ask, pool)
    begun = time.monotonic()
    answer = ask()
    assert time.monotonic() - begun >= 2
    assert (answer.status_code, answer.headers.get("Retry-After")) == (429, "5")
    server.free.set()
    assert outcome(first.result()) == "200"
    assert server.refused == 0


def test_who_gives_up_frees_the_place(server: LimitedServer, proxy: Callable[..., Ask], pool: ThreadPoolExecutor) -> None:
    # Two places of a client.
    ask = proxy(xinference_proxy_queue=4)
    first = occupy(server, ask, pool)
    for _time in range(3):
        leaving = [pool.submit(ask, timeout=2) for _client in range(2)]
        for each in leaving:
            with pytest.raises(requests.exceptions.ReadTimeout):
                each.result()

    def waits() -> bool:
        """Whether one more request is not refused at once."""
        try:
            ask(timeout=2)
        except requests.exceptions.ReadTimeout:
            return True
        return False

    wait_until(waits, "there is a place again")
    server.free.set()
    assert outcome(first.result()) == "200"
    wait_until(lambda: not server.busy, "the server is free")
    # Nobody asked for those who had left; the last one may have been on its way.
    assert server.begun <= 2
