# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs inside the server's container: what it sees of its directories, and whom it reaches. Standard library only.

Its first argument is JSON with ``seconds`` (until it ends in any case), ``port`` (of the server), ``directories`` (paths) and ``hub`` (whether to reach for
it).
Writes JSON with ``port``, ``directories`` and ``hub``, as :class:`~.container.Inside` describes them. Private to this collection.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import socket
import stat
import sys
from typing import Any
from urllib.parse import urlsplit

#: Seconds for one connection.
TIMEOUT = 4
#: Where each hub is, unless the environment names another place.
HUBS = {"huggingface": ("HF_ENDPOINT", "https://huggingface.co"), "modelscope": ("MODELSCOPE_DOMAIN", "https://www.modelscope.cn")}
PROXIES = ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy")


def port(number: int) -> str:
    """Why the server does not answer on its port; empty where it does."""
    connection = http.client.HTTPConnection("127.0.0.1", number, timeout=TIMEOUT)
    try:
        connection.request("GET", "/v1/cluster/auth")
        connection.getresponse().read(1 << 16)
    except (OSError, http.client.HTTPException) as error:
        return str(error) or type(error).__name__
    finally:
        connection.close()
    return ""


def directory(path: str) -> dict[str, Any] | None:
    """Which directory a path is, and whether it can be written; None where there is none."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    # A single file can be mounted, too.
    enter = os.X_OK if stat.S_ISDIR(found.st_mode) else 0
    return {"device": found.st_dev, "inode": found.st_ino, "readable": os.access(path, os.R_OK | enter), "writable": os.access(path, os.W_OK | enter)}


def hub() -> dict[str, str]:
    """``name``, ``place``, and ``trouble``: why it cannot be reached, empty where it can, or where another program stands in between."""
    name = os.environ.get("XINFERENCE_MODEL_SRC") or "huggingface"
    variable, usual = HUBS.get(name, HUBS["huggingface"])
    given, scheme = os.environ.get(variable) or usual, "https"
    through = next(filter(os.environ.get, PROXIES), "")
    if through:
        variable, given, scheme = through, os.environ[through], "http"
    try:
        address = urlsplit(given if "://" in given else f"{scheme}://{given}")
        place = (address.hostname or "", address.port or (443 if address.scheme == "https" else 80))
    except ValueError:
        place = ("", 0)
    if not place[0]:
        # What it is set to may hold a password.
        return {"name": name, "place": variable, "trouble": "it is no address"}
    trouble = ""
    try:
        with contextlib.closing(socket.create_connection(place, TIMEOUT)):
            pass
    except (OSError, UnicodeError) as error:
        trouble = str(error)
    # A proxy may need a password, which stands before its name.
    return {"name": name, "place": f"{place[0]}:{place[1]}", "trouble": trouble}


def main() -> None:
    """Look, and say what was seen."""
    asked = json.loads(sys.argv[1])
    signal.alarm(int(asked["seconds"]))
    found = {
        "port": port(int(asked["port"])),
        "directories": {str(path): directory(str(path)) for path in asked["directories"]},
        "hub": hub() if asked["hub"] else None,
    }
    sys.stdout.write(json.dumps(found))


if __name__ == "__main__":
    main()
