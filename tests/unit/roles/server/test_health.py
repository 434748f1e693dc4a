# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The container's health check, against answers of a server and of what is none."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

SCRIPT = (Path(__file__).parents[4] / "roles/server/files/health.py").read_text(encoding="utf-8")
WORKER = b'{"uptime": 1, "workers": {"127.0.0.1:1": {"status": {"cpu": "' + b"x" * 200_000 + b'"}}}}'


@pytest.mark.parametrize(
    ("answer", "is_healthy"),
    [
        (b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n" + WORKER, True),
        (b'HTTP/1.1 200 OK\r\n\r\n{"uptime": 1, "workers": {}}', False),
        (b'HTTP/1.1 200 OK\r\n\r\n{"uptime": 1}', False),
        (b"HTTP/1.1 503 Service Unavailable\r\n\r\n" + WORKER, False),
        (b"HTTP/1.1 200 OK\r\n\r\nnonsense", False),
        (b"HTTP/1.1 200 OK\r\n\r\n[]", False),
        (b"", False),
        (None, False),
    ],
)
def test_health(answer: bytes | None, is_healthy: bool) -> None:
    """None stands for a port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]

        def serve() -> None:
            connection, _address = server.accept()
            with connection:
                assert connection.recv(1000).startswith(b"GET /status HTTP/1.0\r\n")
                connection.sendall(answer or b"")

        if answer is None:
            server.close()
        else:
            threading.Thread(target=serve, daemon=True).start()
        done = subprocess.run((sys.executable, "-I", "-S", "-c", SCRIPT.replace("9997", str(port))), capture_output=True, check=False)
    assert (done.returncode == 0) is is_healthy
