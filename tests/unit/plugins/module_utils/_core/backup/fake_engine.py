# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A Docker behind a real socket whose containers are processes: what runs in one is what would, with real databases. Scenario backup has a real Docker."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

NAME = "xinference"
#: Image of the server's container, and its reference.
IMAGE, REFERENCE = "sha256:1234", "xprobe/xinference:v4.1.0-cpu"


@dataclass
class FakeContainer:
    """A container of a server.

    :param id: identifier.
    :param image_id: identifier of its image.
    :param image: reference of its image, as it was asked for.
    :param status: Docker's word, such as running.
    :param health: healthy, unhealthy or starting.
    :param code: exit code with which it ends as soon as it is started; None for one that runs.
    :param labels: of the container.
    """

    id: str = "0123456789abcdef"
    image_id: str = IMAGE
    image: str = REFERENCE
    status: str = "running"
    health: str = "healthy"
    code: int | None = None
    labels: Mapping[str, str] | None = None


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
        #: The same of an image, by its identifier, where it is another one.
        self.servers: dict[str, str] = {}
        #: What stands in the text of a program in place of something else.
        self.replaces: dict[str, str] = {}
        #: The server's containers, by name.
        self.containers = {NAME: FakeContainer()}
        #: Identifiers of the images, by reference.
        self.images = {REFERENCE: IMAGE}
        #: Words with which it refuses a route, by its beginning.
        self.refuses: dict[str, str] = {}
        self.environment: list[str] = []
        #: What the server's container sees besides, as Docker describes it.
        self.mounts: list[dict[str, Any]] = []
        self._process: subprocess.Popen[bytes] | None = None
        self._started = threading.Event()
        #: Name of the container that runs a program.
        self._leftover: str | None = None
        self._lock = threading.Lock()
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.bind(self.path)
        self._socket.listen(16)
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        """Take no more questions, and end what runs in a container."""
        self._socket.close()
        self._kill()

    @property
    def status(self) -> str:
        """Docker's word for the server's container."""
        return self.containers[NAME].status

    @status.setter
    def status(self, status: str) -> None:
        self.containers[NAME].status = status

    @property
    def health(self) -> str:
        """Health of the server's container."""
        return self.containers[NAME].health

    @health.setter
    def health(self, health: str) -> None:
        self.containers[NAME].health = health

    @property
    def exists(self) -> bool:
        """Whether there is a container of the server."""
        return NAME in self.containers

    @exists.setter
    def exists(self, exists: bool) -> None:
        self.containers.update({NAME: FakeContainer()} if exists else {})
        if not exists:
            self.containers.pop(NAME, None)

    def _kill(self) -> None:
        """End the container of a program, and all that it has started."""
        with self._lock:
            self._leftover = None
            if self._process is not None:
                # They have its group, also where it has ended itself.
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(self._process.pid, signal.SIGKILL)
                self._process.wait()
                self._process = None

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
        kind, _slash, name = path.lstrip("/").partition("/")
        if kind == "images":
            return self._image(method, name.removesuffix("/json"))
        name, _slash, verb = name.partition("/")
        if kind != "containers":
            return 404, {"message": "No such network"}
        if method == "DELETE" or verb == "stop":
            return self._end(name, verb)
        if name == "create":
            return self._create(query["name"][0], body)
        found = self.containers.get(name)
        if verb == "start":
            if found is not None:
                found.status, found.health = ("running", found.health) if found.code is None else ("exited", "unhealthy")
            self._started.set()
            return 204, None
        if found is not None and verb == "rename":
            other = query["name"][0]
            if other in self.containers:
                return 409, {"message": "Conflict"}
            self.containers[other] = self.containers.pop(name)
            return 204, None
        if found is not None and verb == "json":
            return 200, self._described() if name == NAME else self._described(name)
        return 404, {"message": "No such container"}

    def _create(self, name: str, body: Any) -> tuple[int, Any]:
        """Make a container for a program."""
        if self._leftover or name in self.containers:
            return 409, {"message": "Conflict"}
        self.made.append(body)
        self._leftover = name
        self._started.clear()
        return 201, {"Id": "1"}

    def _end(self, name: str, verb: str) -> tuple[int, Any]:
        """Stop or remove a container."""
        if verb == "stop":
            if name not in self.containers:
                return 404, {"message": f"No such container: {name}"}
            self.containers[name].status = "exited"
        elif name not in self.containers:
            self._kill()
        else:
            del self.containers[name]
        return 204, None

    def _image(self, method: str, reference: str) -> tuple[int, Any]:
        """Describe an image, or remove it, which is refused where a container needs it, as by Docker."""
        identifier = self.images.get(reference, reference)
        if identifier not in self.images.values():
            return 404, {"message": f"No such image: {reference}"}
        if method == "GET":
            return 200, {"Id": identifier, "Size": 1500 << 20}
        if any(each.image_id == identifier for each in self.containers.values()):
            return 409, {"message": f"conflict: unable to delete {identifier[7:]} (cannot be forced) - image is being used by running container"}
        self.images = {name: other for name, other in self.images.items() if other != identifier}
        return 200, [{"Deleted": identifier}]

    def _described(self, name: str = NAME) -> dict[str, Any]:
        found = self.containers[name]
        return {
            "Id": found.id,
            "Name": f"/{name}",
            "Image": found.image_id,
            "State": {"Status": found.status, "Running": False, "Health": {"Status": found.health}, "ExitCode": found.code or 0},
            "Config": {
                "Image": found.image,
                "User": "1000:1000",
                "Env": [f"XINFERENCE_HOME={self.home}", *self.environment],
                "Labels": dict(found.labels or {}),
            },
            "HostConfig": {"CapDrop": ["ALL"], "CapAdd": ["CAP_CHOWN", "CAP_NET_ADMIN"], "UsernsMode": "host"},
            "Mounts": [{"Type": "bind", "Source": str(self.home), "Destination": str(self.home), "RW": True}, *self.mounts],
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
        server = self.servers.get(self.made[-1]["Image"], self.server)
        for before, after in {'version("xinference")': repr(server), **self.replaces}.items():
            text = text.replace(before, after)
        command = [sys.executable, "-I", option, text]
        with self._lock:
            if self._leftover is None:
                # It was removed before it came to that.
                return
            process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True)
            self._process = process
        assert process.stdin is not None and process.stdout is not None and process.stderr is not None

        def feed() -> None:
            assert process.stdin is not None
            with contextlib.suppress(OSError, ValueError):
                while part := connection.recv(1 << 16):
                    process.stdin.write(part)
                    process.stdin.flush()
            # What a program that has ended did not take is given up.
            with contextlib.suppress(OSError, ValueError):
                process.stdin.close()

        threading.Thread(target=feed, daemon=True).start()
        while part := process.stdout.read1(1 << 14):  # type: ignore[attr-defined]
            self._frame(connection, 1, part)
        self._frame(connection, 2, process.stderr.read())
        # Closing it would not end what the other thread waits for.
        connection.shutdown(socket.SHUT_RDWR)

    @staticmethod
    def _frame(connection: socket.socket, stream: int, part: bytes) -> None:
        # In small pieces, as a busy machine would have it.
        text = struct.pack(">BxxxI", stream, len(part)) + part
        for at in range(0, len(text), 4093):
            connection.sendall(text[at : at + 4093])
