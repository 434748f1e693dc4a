# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A Docker behind a socket that runs commands in its container; what those write are frames of a test."""

from __future__ import annotations

import json
import socketserver
import threading
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit


def frame(stream: int, text: bytes) -> bytes:
    """What a container wrote, as Docker frames it."""
    return bytes([stream, 0, 0, 0]) + len(text).to_bytes(4, "big") + text


class ExecEngine:
    """A Docker.

    :param path: of its socket.
    """

    def __init__(self, path: Path) -> None:
        self.address = f"unix://{path}"
        #: What the command writes, as bytes on the connection.
        self.writes = b""
        self.exit_code: Any = 0
        #: Identifier of the run; what stands in place of the answer that has it.
        self.made: Any = {"Id": "0f0f"}
        #: Answers of other routes, by path.
        self.answers: dict[str, Any] = {}
        #: Status with which each route is refused, by its end.
        self.refuses: dict[str, int] = {}
        self.commands: list[dict[str, Any]] = []
        self.asked: list[str] = []
        engine = self

        class Handler(BaseHTTPRequestHandler):
            def answer(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)) or b"null")
                path = unquote(urlsplit(self.path).path)
                engine.asked.append(f"{self.command} {path}")
                status, content = engine.reply(path, body)
                self.send_response(status)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            do_GET = do_POST = answer

            def log_message(self, *_arguments: Any) -> None:
                """Keep the test's output clean."""

            def address_string(self) -> str:
                return "a socket"

        self.server = socketserver.ThreadingUnixStreamServer(str(path), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()

    def reply(self, path: str, body: Any) -> tuple[int, bytes]:
        """Status and content for a route."""
        for end, status in self.refuses.items():
            if path.endswith(end):
                return status, b'{"message": "no\\u001b such thing"}'
        if path.endswith("/exec"):
            self.commands.append(body)
            return 201, json.dumps(self.made).encode()
        if path.endswith("/start"):
            return 200, self.writes
        if path == "/exec/0f0f/json":
            return 200, json.dumps({"ExitCode": self.exit_code}).encode()
        return (200, json.dumps(self.answers[path]).encode()) if path in self.answers else (404, b'{"message": "not found"}')

    def close(self) -> None:
        """Stop."""
        self.server.shutdown()
        self.server.server_close()
