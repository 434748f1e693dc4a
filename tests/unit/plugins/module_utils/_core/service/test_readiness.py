# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who gets figures from the service's port; what load balancers get is in test_process.py."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Callable, Iterator

import pytest

from ansible_collections.inferops.xinference.plugins.module_utils._core.service.readiness import Figures, ReadinessServer
from ansible_collections.inferops.xinference.plugins.module_utils._core.service.signals import Notifier
from ansible_collections.inferops.xinference.plugins.module_utils._core.service.status_file import State
from ansible_collections.inferops.xinference.tests.machine import PATIENCE, free_port


def figures() -> tuple[str, bytes]:
    """What there is."""
    return "text/plain; version=0.0.4", b"xinference_service_ready 1.0\n"


def missing() -> tuple[str, bytes]:
    """The library is not installed."""
    raise ModuleNotFoundError("No module named 'prometheus_client'")


@pytest.fixture
def listening() -> Iterator[Callable[..., int]]:
    """Starts a server that gives figures; its port."""
    servers: list[ReadinessServer] = []

    def start(exposed: Callable[[], tuple[str, bytes]] | None) -> int:
        server = ReadinessServer(State(None), "127.0.0.1", free_port(), lambda line: None, Notifier(None), exposed=exposed)
        server.open()
        servers.append(server)
        return server.place[1]

    yield start
    for server in servers:
        assert server.server is not None
        server.server.shutdown()
        server.server.server_close()


def ask(port: int, path: str = "/metrics", method: str = "GET") -> tuple[int, str | None, str]:
    """Status, type and body of an answer."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    connection.request(method, path)
    answer = connection.getresponse()
    body = answer.read().decode()
    connection.close()
    return answer.status, answer.getheader("Content-Type"), body


def test_programs_of_the_host_get_figures(listening: Callable[..., int]) -> None:
    port = listening(figures)
    assert ask(port) == (200, "text/plain; version=0.0.4", "xinference_service_ready 1.0\n")
    assert ask(port, "/metrics?name=x")[0] == 200
    assert ask(port, method="HEAD")[::2] == (200, "")
    assert ask(port, "/metrics/")[0] == 404
    # The others are answered as ever.
    assert ask(port, "/ready")[:2] == (503, "application/json")


def test_without_the_library_there_is_a_sentence(listening: Callable[..., int]) -> None:
    status, kind, body = ask(listening(missing))
    assert (status, kind) == (501, "text/plain; charset=utf-8")
    assert "prometheus-client is not installed" in body
    assert body.count("\n") == 1


def test_without_figures_there_is_no_such_page(listening: Callable[..., int]) -> None:
    assert ask(listening(None))[0] == 404


@pytest.mark.parametrize(
    ("asker", "here", "status"),
    [
        ("127.0.0.1", "127.0.0.2", 200),
        ("::1", "::1", 200),
        ("::ffff:127.0.0.1", "::ffff:127.0.0.1", 200),
        # A service that answers load balancers on an address of the host, asked by a program of it.
        ("192.0.2.10", "192.0.2.10", 200),
        ("fe80::1%eth0", "fe80::1", 403),
        ("192.0.2.11", "192.0.2.10", 403),
        ("::ffff:192.0.2.11", "::ffff:192.0.2.10", 403),
        ("172.17.0.2", "172.17.0.1", 403),
        ("", "192.0.2.10", 403),
    ],
)
def test_the_network_gets_no_figures(asker: str, here: str, status: int) -> None:
    found, _kind, body = Figures(figures).answer(asker, here)
    assert found == status
    assert (b"xinference_service" in body) == (status == 200)


def test_one_at_a_time_so_that_a_disk_that_hangs_takes_one_thread() -> None:
    asked, go_on = threading.Event(), threading.Event()

    def hang() -> tuple[str, bytes]:
        asked.set()
        assert go_on.wait(PATIENCE)
        return figures()

    answers = Figures(hang)
    found: list[int] = []
    first = threading.Thread(target=lambda: found.append(answers.answer("127.0.0.1", "127.0.0.1")[0]))
    first.start()
    assert asked.wait(PATIENCE)
    assert answers.answer("127.0.0.1", "127.0.0.1")[0] == 503
    go_on.set()
    first.join()
    assert found == [200]
    assert answers.answer("127.0.0.1", "127.0.0.1")[0] == 200
