# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A Docker behind a real socket whose containers are processes: what runs in one is what would, with real databases. Scenario backup has a real Docker."""

from __future__ import annotations

import contextlib
import json
import socket
import struct
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

NAME = "xinference"


class FakeEngine:
    """A Docker.

    :param folder: for its socket.
    :param home: of the server, the same directory inside its container and outside.
    """

    def __init__(self, folder: Path, home: Path) -> None:
        self.path = str(folder / "docker.sock")
        self.home = home
        self.asked: list[str] = []
        #: Descriptions of the containers that were made.
        self.made: list[dict[str, Any]] = []
        #: Output that comes in place of a container's own, and its exit.
        self.says: bytes | None = None
        #: Version of the server in the image; the Python of these tests has none.
        self.server = ""
        #: Words with which it refuses a route, by its beginning.
        self.refuses: dict[str, str] = {}
        self.environment: list[str] = []
        self.status = "running"
        self.health = "healthy"
        self.exists = True
        self._process: subprocess.Popen[bytes] | None = None
        self._started = threading.Event()
        self._leftover = False
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.bind(self.path)
        self._socket.listen(16)
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        """Take no more questions."""
        self._socket.close()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _address = self._socket.accept()
                threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            head = b""
            while b"\r\n\r\n" not in head:
                part = connection.recv(1 << 16)
                if not part:
                    return
                head += part
            head, _end, body = head.partition(b"\r\n\r\n")
            method, route, _version = head.split(b"\r\n")[0].decode().split(" ")
            length = next((int(line.split(b":")[1]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length")), 0)
            while len(body) < length:
                body += connection.recv(1 << 16)
            parts = urlsplit(route)
            self.asked.append(f"{method} {unquote(route)}")
            if parts.path.endswith("/attach"):
                self._attach(connection)
                return
            status, answer = self._do(method, unquote(parts.path), parse_qs(parts.query), json.loads(body or b"null"))
            text = json.dumps(answer).encode() if answer is not None else b""
            connection.sendall(f"HTTP/1.1 {status} OK\r\nContent-Length: {len(text)}\r\nConnection: close\r\n\r\n".encode() + text)

    def _do(self, method: str, path: str, query: dict[str, list[str]], body: Any) -> tuple[int, Any]:
        for beginning, words in self.refuses.items():
            if f"{method} {path}".startswith(beginning):
                return 500, {"message": words}
        name = path.split("/")[2]
        if path == "/containers/create":
            if query["name"] != [f"{NAME}-backup"] or self._leftover:
                return 409, {"message": "Conflict"}
            self.made.append(body)
            self._leftover = True
            self._started.clear()
            return 201, {"Id": "1"}
        if method == "DELETE":
            self._leftover = False
            if self._process is not None:
                self._process.kill()
            return 204, None
        if path.endswith("/start"):
            if name == NAME:
                self.status = "running"
            self._started.set()
            return 204, None
        if path.endswith("/stop"):
            self.status = "exited"
            return 204, None
        if name == NAME and self.exists:
            return 200, self._described()
        return 404, {"message": "No such container"}

    def _described(self) -> dict[str, Any]:
        return {
            "Id": "0123456789abcdef",
            "Name": f"/{NAME}",
            "Image": "sha256:1234",
            "State": {"Status": self.status, "Running": False, "Health": {"Status": self.health}, "ExitCode": 0},
            "Config": {"Image": "xprobe/xinference:v4.1.0-cpu", "User": "1000:1000", "Env": [f"XINFERENCE_HOME={self.home}", *self.environment], "Labels": {}},
            "HostConfig": {"CapDrop": ["ALL"], "CapAdd": ["CAP_CHOWN", "CAP_NET_ADMIN"], "UsernsMode": "host"},
            "Mounts": [{"Type": "bind", "Source": str(self.home), "Destination": str(self.home), "RW": True}],
            "NetworkSettings": {"Networks": {}},
        }

    def _attach(self, connection: socket.socket) -> None:
        """Give a connection the input and output of the container, as soon as that was started."""
        connection.sendall(b"HTTP/1.1 101 UPGRADED\r\nContent-Type: application/vnd.docker.raw-stream\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n")
        self._started.wait(30)
        if self.says is not None:
            self._frame(connection, 1, self.says)
            return
        option, text = self.made[-1]["Entrypoint"][2:]
        command = [sys.executable, "-I", option, text.replace('version("xinference")', repr(self.server))]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self._process = process
        assert process.stdin is not None and process.stdout is not None and process.stderr is not None

        def feed() -> None:
            assert process.stdin is not None
            with contextlib.suppress(OSError, ValueError):
                while True:
                    part = connection.recv(1 << 16)
                    if not part:
                        return
                    process.stdin.write(part)
                    process.stdin.flush()

        threading.Thread(target=feed, daemon=True).start()
        while part := process.stdout.read1(1 << 14):  # type: ignore[attr-defined]
            self._frame(connection, 1, part)
        self._frame(connection, 2, process.stderr.read())
        process.wait()
        # Closing it would not end what the other thread waits for.
        connection.shutdown(socket.SHUT_RDWR)

    @staticmethod
    def _frame(connection: socket.socket, stream: int, part: bytes) -> None:
        # In small pieces, as a busy machine would have it.
        text = struct.pack(">BxxxI", stream, len(part)) + part
        for at in range(0, len(text), 4093):
            connection.sendall(text[at : at + 4093])
