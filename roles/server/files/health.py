# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Health of the server, asked in its container every few seconds: exit code 0 if it answers and has a worker, without which it cannot launch anything.

It needs nothing but the image's Python. The library for HTTP takes twice as long to import as all of this takes.
"""

import json
import socket
import sys

# Straight to the port: no proxy that the environment names stands between. What it writes is what a run says about a server that is not ready.
try:
    with socket.create_connection(("127.0.0.1", 9997), timeout=8) as connection:
        connection.sendall(b"GET /status HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n")
        answer = b""
        while part := connection.recv(65536):
            answer += part
except OSError as error:
    sys.exit(f"127.0.0.1:9997 does not answer: {error.strerror or error}")
head, _blank, body = answer.partition(b"\r\n\r\n")
if head.split()[1:2] != [b"200"]:
    said = b" ".join([*head.split(b"\r\n")[0].split()[1:], body[:200]]).decode(errors="replace").strip()
    sys.exit(f"GET /status answered: {said or 'nothing'}")
try:
    workers = json.loads(body).get("workers")
except (ValueError, AttributeError):
    sys.exit("GET /status answered 200, but not as a server does")
if not workers:
    sys.exit("The server answers, but has no worker")
