# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fixtures of the scenario: a machine of the network that talks to the proxy."""

from __future__ import annotations

import os
import ssl
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

sys.path.insert(0, str(Path(__file__).parents[2] / "shared"))

from serving import Server

PASSWORD = "marked-secret-of-the-proxy-scenario"


@pytest.fixture
def server(host: Any) -> Server:
    """The server, as its own host sees it."""
    return Server(host, 9997, PASSWORD)


@pytest.fixture(scope="session")
def authority() -> str:
    """Certificate of the local CA, as the role handed it out."""
    return str(Path(os.environ["MOLECULE_EPHEMERAL_DIRECTORY"]) / "ca.crt")


@pytest.fixture
def address(host: Any) -> str:
    """The machine's address in the network."""
    return str(host.check_output("hostname --ip-address")).split()[0]


@pytest.fixture
def base(address: str) -> str:
    """Where the network reaches the proxy."""
    return f"https://{address}"


@pytest.fixture
def outsider(authority: str) -> Iterator[requests.Session]:
    """A client in the network that trusts the CA and has no account."""
    with requests.Session() as session:
        session.trust_env = False
        session.verify = authority
        yield session


@pytest.fixture
def user(outsider: requests.Session, base: str) -> requests.Session:
    """The same with the administrator's account."""
    answer = outsider.post(f"{base}/token", json={"username": "admin", "password": PASSWORD}, timeout=30)
    assert answer.status_code == 200, answer.text
    outsider.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
    return outsider


@pytest.fixture
def context(authority: str) -> ssl.SSLContext:
    """What a strict client of TLS asks for."""
    return ssl.create_default_context(cafile=authority)
