# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What listens where, who may read what, and what a client without an account may call through the proxy: as written down in tests/security/exposed.yml."""

from __future__ import annotations

import re
import time
from typing import Any

import requests

from ansible_collections.inferops.xinference.tests.anonymous import EXPOSED, answered

LISTED: dict[str, Any] = EXPOSED["host"]
#: A user of the host without rights.
NOBODY = "setpriv --reuid 65534 --regid 65534 --clear-groups"
#: All that the roles made, by its name, and no file systems of the kernel.
OURS = "find / -xdev ( -path /proc -o -path /sys ) -prune -o -path *xinference*".replace("(", "\\(").replace(")", "\\)").replace("*", "\\*")
#: The kernel gives others to whoever asks for none.
FIXED_PORTS = 32768


def test_what_listens(host: Any) -> None:
    found = set()
    for line in host.check_output("ss --listening --numeric --tcp --udp --processes --no-header").splitlines():
        protocol, _state, _received, _sent, local, _peer, users = line.split(maxsplit=6)
        address, _colon, port = local.rpartition(":")
        program = re.search(r'"([^"]+)"', users)
        found.add(f"{protocol} {address}:{port if int(port) < FIXED_PORTS else '*'} {program[1] if program else '?'}")
    assert found == set(LISTED["listening"])


def test_what_every_user_of_the_host_may_read(host: Any) -> None:
    readable = host.run(f"{NOBODY} {OURS} -readable ! -type l -print 2>/dev/null").stdout.splitlines()
    assert len(readable) > 20
    allowed = re.compile("|".join(f"(?:{pattern})" for pattern in LISTED["readable"]))
    assert [path for path in readable if not allowed.fullmatch(path)] == []


def test_what_every_user_of_the_host_may_write(host: Any) -> None:
    # Directories that systemd makes for temporary files of a service lie in one that nobody enters.
    assert host.run(f"{NOBODY} {OURS} -writable ! -type l -print 2>/dev/null").stdout == ""


def test_what_a_client_without_an_account_may_call(user: requests.Session, base: str) -> None:
    described = user.get(f"{base}/openapi.json", timeout=30).json()
    token = user.headers.pop("Authorization")

    def ask(method: str, path: str, **options: Any) -> int:
        while True:
            status = user.request(method, f"{base}{path}", timeout=30, allow_redirects=False, **options).status_code
            # The proxy's own limits, which are tested elsewhere.
            if status != 429:
                return status
            time.sleep(1)

    server = {call: status for call, status in EXPOSED["anonymous"].items() if call not in LISTED["proxy"]["closed"]}
    assert answered(described, ask, more=("/live", "/ready")) == {**server, **LISTED["proxy"]["added"]}
    # The same server with the same account.
    assert user.get(f"{base}/v1/models", headers={"Authorization": token}, timeout=30).status_code == 200
