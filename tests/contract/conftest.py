# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One real server for all contract tests, and one play of calls on it that the tests look at."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest
from play import play
from real_server import PASSWORD, USERNAME, Server, serving

from ansible_collections.inferops.xinference.plugins.module_utils._core.client import Client


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with an administrator and a worker."""
    with serving(tmp_path_factory.mktemp("xinference-home")) as running:
        yield running


@pytest.fixture(scope="session")
def client(server: Server) -> Iterator[Client]:
    """A client that is logged in."""
    connected = Client(server.endpoint, username=USERNAME, password=PASSWORD)
    yield connected
    connected.close()


@pytest.fixture(scope="session")
def played(client: Client) -> dict[str, Any]:
    """What the real server answered in the play."""
    answers: dict[str, Any] = play(client, time.sleep)
    return answers
