# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A server that refuses as a real one does: a model answers one request at a time, and a streamed request beyond it is refused with status 200."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from ansible_collections.inferops.xinference.tests.machine import free_port


class LimitedServer(ThreadingHTTPServer):
    """Keeps count. A request is answered when :attr:`free` is set."""

    daemon_threads = True
    #: Many requests come at once.
    request_queue_size = 128

    def __init__(self, port: int) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.lock = threading.Lock()
        self.busy: set[str] = set()
        self.begun = 0
        self.refused = 0
        #: What was asked: method, path, and headers by their names in small letters.
        self.asked: list[tuple[str, str, dict[str, str]]] = []
        self.free = threading.Event()
        self.free.set()

    @property
    def endpoint(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: LimitedServer

    def log_message(self, format: str, *args: object) -> None:
        """Nothing."""

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self) -> None:
        with self.server.lock:
            self.server.asked.append((self.command, self.path, {name.lower(): value for name, value in self.headers.items()}))
        try:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        except ValueError:
            self._answer(400, b"{}")
            return
        model = asked["model"]
        with self.server.lock:
            admitted = model not in self.server.busy
            if admitted:
                self.server.busy.add(model)
                self.server.begun += 1
            else:
                self.server.refused += 1
        if not admitted:
            refusal = (200, b'data: {"error": "Rate limit reached"}\n\n') if asked.get("stream") else (429, b'{"detail": "Rate limit reached"}')
            self._answer(*refusal)
            return
        try:
            self.server.free.wait()
        finally:
            # A real server, too, counts one less before the answer has ended.
            with self.server.lock:
                self.server.busy.discard(model)
        self._answer(200, b'data: {"choices": []}\n\n')


@contextmanager
def limited_server() -> Iterator[LimitedServer]:
    """A server for as long as the context lasts."""
    server = LimitedServer(free_port())
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield server
    finally:
        server.free.set()
        server.shutdown()
        thread.join()
        server.server_close()
