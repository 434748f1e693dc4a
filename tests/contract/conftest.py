# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One real server for all contract tests, and one play of calls on it and on the fake one that the tests compare."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from play import ADD_COPY, AUTOSTART, DOWNLOAD, FOLDER, GGUF, HISTORY, play
from real_server import Server, serving

from ansible_collections.inferops.xinference.plugins.module_utils._core.server.client import Client
from ansible_collections.inferops.xinference.tests.unit.plugins.module_utils._core.fake_server import FakeServer

#: Seconds of the fake server's clock after which a call that takes long is observed; a copy of a model takes more.
_MOMENT = 2.0


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with a worker, and with an administrator where it has accounts."""
    with serving(tmp_path_factory.mktemp("xinference-home")) as running:
        yield running


@pytest.fixture(scope="session")
def client(server: Server) -> Iterator[Client]:
    """A client that is logged in, where the server has accounts."""
    connected = Client(server.endpoint, **server.credentials)
    yield connected
    connected.close()


@pytest.fixture(scope="session")
def played(client: Client) -> dict[str, Any]:
    """What the real server answered in the play."""

    def meanwhile(call: Callable[[], None], poll: Callable[[], None]) -> None:
        before = client.list_instances()
        thread = threading.Thread(target=call)
        thread.start()
        # The call has reached the server when it shows something else.
        while thread.is_alive() and client.list_instances() == before:
            time.sleep(0.1)
        poll()
        thread.join()

    return play(client, time.sleep, meanwhile)


@pytest.fixture(scope="session")
def imitated(server: Server, played: dict[str, Any]) -> dict[str, Any]:
    """What the fake server answers in the same play, when it has what the real one has."""
    there = set(played["routes"])
    fake = FakeServer(
        files=frozenset({GGUF, FOLDER}),
        authenticated=server.accounts,
        username=server.credentials.get("username", ""),
        with_history=HISTORY in there,
        with_autostart=AUTOSTART in there,
        with_replicas=ADD_COPY in there,
        with_downloads=DOWNLOAD in there,
    )

    def meanwhile(call: Callable[[], None], poll: Callable[[], None]) -> None:
        fake.clock.after(_MOMENT, poll)
        call()

    return play(fake, fake.clock.sleep, meanwhile)
