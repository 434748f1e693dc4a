# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs inside the server's container: list the bans of its guard, and lift them.

A ban holds for whatever comes from an address, administrators with a valid token included, and all that comes through a published port of loopback comes
from one address. Here the server sees another one, and one that nobody can have had banned before.

Reads JSON with username, password and lift from standard input, and writes JSON with addresses and keys, null where the server has no bans.
"""

from __future__ import annotations

import http.client
import ipaddress
import json
import secrets
import sys
from typing import Any

ADDRESS, PORT = "127.0.0.1", 9997
#: What is listed, and what lifts it.
BANS = {"addresses": ("banned-ips", "unban-all-ips"), "keys": ("banned-keys", "unban-all-keys")}
TIMEOUT = 30
#: An IPv6 network that is kept for documentation, so no client has an address in it.
NOBODY = ipaddress.ip_network("2001:db8::/32")


class Refused(Exception):
    """An answer that is an error, as text.

    :param status: of the answer.
    """

    def __init__(self, path: str, status: int, text: str) -> None:
        super().__init__(f"{path} answered {status}: {text}")
        self.status = status


def call(method: str, path: str, body: Any = None, token: str | None = None, sender: str | None = None) -> Any:
    """Answer of the server.

    :param sender: address that the request is to count for, if not the one that it comes from.
    """
    connection = http.client.HTTPConnection(ADDRESS, PORT, timeout=TIMEOUT)
    headers = {"Content-Type": "application/json"}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    if sender:
        headers["X-Forwarded-For"] = sender
    connection.request(method, path, None if body is None else json.dumps(body), headers)
    answer = connection.getresponse()
    text = answer.read().decode(errors="replace")
    connection.close()
    if answer.status >= 400:
        raise Refused(path, answer.status, text)
    return json.loads(text)


def unknown_address() -> str | None:
    """An address that nobody can have had banned; None where the server lets only listed ones in.

    The server believes X-Forwarded-For from whoever reaches it, so that any client can have any address banned, this one too. A new one is chosen for each run,
    among more than anybody could guess or go through.
    """
    sender = str(NOBODY[secrets.randbelow(NOBODY.num_addresses)])
    try:
        call("GET", "/v1/cluster/auth", sender=sender)
    except Refused as error:
        # XINFERENCE_ALLOWED_IPS. The address that the health check comes from is listed there, or the container would not be healthy.
        if error.status == 403:
            return None
        raise
    return sender


def main() -> None:
    """List, and lift."""
    given = json.load(sys.stdin)
    found: dict[str, Any] = {}
    try:
        sender = unknown_address()
        if call("GET", "/v1/cluster/auth", sender=sender).get("auth") is False:
            # Older servers without accounts stumble over a login.
            sys.stdout.write(json.dumps(dict.fromkeys(BANS)))
            return
        token = call("POST", "/token", {"username": given["username"], "password": given["password"]}, sender=sender)["access_token"]
        for name, (listing, lifting) in BANS.items():
            found[name] = call("GET", f"/v1/admin/security/{listing}", token=token, sender=sender)
            if given["lift"] and found[name]:
                call("POST", f"/v1/admin/security/{lifting}", {}, token, sender)
    except Refused as error:
        # A server without accounts has no such routes.
        if error.status not in (404, 405):
            sys.exit(str(error))
        found = dict.fromkeys(BANS)
    except OSError as error:
        sys.exit(f"the server does not answer: {error}")
    sys.stdout.write(json.dumps(found))


main()
