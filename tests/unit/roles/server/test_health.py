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
    ("answer", "says"),
    [
        (b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n" + WORKER, ""),
        (b'HTTP/1.1 200 OK\r\n\r\n{"uptime": 1, "workers": {}}', "The server answers, but has no worker"),
        (b'HTTP/1.1 200 OK\r\n\r\n{"uptime": 1}', "The server answers, but has no worker"),
        (b"HTTP/1.1 503 Service Unavailable\r\n\r\nbusy", "GET /status answered: 503 Service Unavailable busy"),
        (b'HTTP/1.1 403 Forbidden\r\ndate: today\r\n\r\n{"detail":"Access denied"}', 'GET /status answered: 403 Forbidden {"detail":"Access denied"}'),
        (b"HTTP/1.1 200 OK\r\n\r\nnonsense", "GET /status answered 200, but not as a server does"),
        (b"HTTP/1.1 200 OK\r\n\r\n[]", "GET /status answered 200, but not as a server does"),
        (b"", "GET /status answered: nothing"),
        (None, "does not answer: Connection refused"),
    ],
)
def test_health(answer: bytes | None, says: str) -> None:
    """None stands for a port that nobody listens on. A proxy that the environment names is not asked."""
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
        done = subprocess.run(
            (sys.executable, "-I", "-S", "-c", SCRIPT.replace("9997", str(port))),
            capture_output=True,
            check=False,
            text=True,
            env={"HTTP_PROXY": "http://127.0.0.1:1", "http_proxy": "http://127.0.0.1:1"},
        )
    assert (done.returncode == 0) is (says == "")
    assert done.stderr.strip().endswith(says)
    assert done.stderr.count("\n") <= 1
