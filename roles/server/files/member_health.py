# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Health check of a container that belongs to a cluster.

Arguments: name of the supervisor and, on a worker, how the supervisor names it.

A supervisor is healthy when it answers, because workers come and go. A worker is healthy when its supervisor names it: it listens before it has joined,
and goes on to listen when it was turned away. Nothing but the image's Python is needed.
"""

import json
import socket
import sys

supervisor, worker = sys.argv[1], "".join(sys.argv[2:])
# Straight to the port: no proxy that the environment names stands between. What it writes is what a run says about a member that is not ready.
try:
    with socket.create_connection((supervisor, 9997), timeout=8) as connection:
        connection.sendall(f"GET /status HTTP/1.0\r\nHost: {supervisor}\r\n\r\n".encode())
        answer = b""
        while (part := connection.recv(65536)) and len(answer) < 1 << 24:
            answer += part
except OSError as error:
    sys.exit(f"{supervisor}:9997 does not answer: {error.strerror or error}")
head, _blank, body = answer.partition(b"\r\n\r\n")
if head.split()[1:2] != [b"200"]:
    said = b" ".join([*head.split(b"\r\n")[0].split()[1:], body[:200]]).decode(errors="replace").strip()
    sys.exit(f"GET /status of {supervisor} answered: {said or 'nothing'}")
try:
    workers = json.loads(body).get("workers") or {}
except (ValueError, AttributeError, RecursionError):
    workers = None
if not isinstance(workers, dict):
    sys.exit(f"GET /status of {supervisor} answered 200, but not as a server does")
if worker and worker not in workers:
    sys.exit(f"The supervisor {supervisor} does not name {worker} among its workers")
