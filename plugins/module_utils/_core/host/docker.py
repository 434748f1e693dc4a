# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Docker Engine of this host, asked through its socket. Standard library only. Private to this collection."""

from __future__ import annotations

import http.client
import json
import re
import socket
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from ..base.bounded import Answer, TooMuch, parse_json
from ..base.messages import one_line

__all__ = ["KILLED", "Deaths", "DockerSocket", "deaths", "engine_errors", "environment_of"]

#: Seconds for which Docker may take to remove a container.
_REMOVING = 60.0
#: Exit code of a container whose first process was killed by signal 9.
KILLED = 137
#: Errors of llama.cpp: with the time and their level, or without both in builds before these.
_ENGINE_ERROR = re.compile(r"[\d.]+ E |(?:(?:gguf|ggml|llama|common)_\w+|srv +load_model): .*(?:fail|error|only supports|not within|unknown)")


class _UnixConnection(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    response_class = Answer

    def __init__(self, path: str, timeout: float) -> None:
        super().__init__("docker", timeout=timeout)
        self.path = path

    def connect(self) -> None:
        """Open the socket."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


class Refused(OSError):
    """Docker answered with an error; the text holds its words."""


class DockerSocket:
    """Talks to a Docker Engine on this host, without any Docker package.

    :param docker_host: ``unix:///path`` of Docker's socket.
    :param timeout: seconds until a request without an answer fails.
    """

    def __init__(self, docker_host: str, timeout: float = 10.0) -> None:
        self.path = docker_host[len("unix://") :] if docker_host.startswith("unix://") else docker_host
        self.timeout = timeout

    def send(self, route: str, timeout: float | None = None, body: Mapping[str, Any] | None = None) -> None:
        """Send a POST request.

        :param timeout: seconds until it fails without an answer, where it may take longer than others.
        :param body: what goes with it.
        :raises OSError: when Docker does not answer, or with an error.
        """
        self._ask("POST", route, timeout, body)

    def post(self, route: str, timeout: float | None = None, body: Mapping[str, Any] | None = None) -> Any:
        """Docker's answer to a POST request, decoded; parameters and errors as of :meth:`send`."""
        try:
            return parse_json((self._ask("POST", route, timeout, body) or b"null").decode())
        except ValueError as error:
            raise OSError(str(error)) from error

    def remove(self, route: str) -> None:
        """Send a DELETE request; what is not there, or a container that is being removed, is as good as removed.

        :raises OSError: when Docker does not answer, or with an error.
        """
        self._ask("DELETE", route, _REMOVING)

    def read(self, route: str) -> bytes | None:
        """Body of Docker's answer to a GET request; None for 404.

        :raises OSError: when Docker does not answer, with an error, or with too much.
        """
        return self._ask("GET", route)

    def _ask(self, method: str, route: str, timeout: float | None = None, sent: Mapping[str, Any] | None = None) -> bytes | None:
        connection = _UnixConnection(self.path, timeout or self.timeout)
        try:
            connection.request(method, route, None if sent is None else json.dumps(sent), {} if sent is None else {"Content-Type": "application/json"})
            answer = connection.getresponse()
            body = answer.read()
        except (http.client.HTTPException, TooMuch) as error:
            raise OSError(str(error)) from error
        finally:
            connection.close()
        # An image is refused in this way that a container needs.
        removing = answer.status == 409 and method == "DELETE" and not route.startswith("/images/")
        if (answer.status == 404 and method != "POST") or removing:
            return None
        # 304 means that it is so already.
        if answer.status not in (200, 201, 204, 304):
            raise Refused(f"{route} answered {answer.status}: {body.decode(errors='replace').strip()}")
        return body

    def get(self, route: str) -> Any:
        """Docker's answer to a GET request, decoded; None for 404.

        :raises OSError: when Docker does not answer, with an error, or with something else.
        """
        body = self.read(route)
        try:
            return None if body is None else parse_json(body.decode())
        except ValueError as error:
            raise OSError(str(error)) from error

    def image(self, reference: str) -> dict[str, Any] | None:
        """Docker's description of an image; None where there is none.

        :param reference: of the image, or its identifier.
        :raises Refused: when it is no reference at all.
        """
        found: dict[str, Any] | None = self.get(f"/images/{quote(reference, safe='/:@')}/json")
        return found

    def log(self, container: str, lines: int, since: int = 0) -> list[str]:
        """The last lines that a container wrote, without a model's environment, at the earliest at ``since``, in seconds since the epoch.

        :raises OSError: when Docker does not answer, with an error, or the lines are too long.
        """
        return [one_line(line) for line in (self.log_text(container, lines, since) or "").splitlines()[-lines:]]

    def log_text(self, container: str, lines: int, since: int = 0) -> str | None:
        """The same as it was written, with secrets and control characters; None where there is no such container."""
        body = self.read(f"/containers/{quote(container, safe='')}/logs?stdout=1&stderr=1&tail={lines}{f'&since={since}' if since else ''}")
        if body is None:
            return None
        return (b"".join(part for _stream, part in _frames(body)) or body).decode(errors="replace")

    def execute(self, container: str, command: Sequence[str], seconds: float) -> bytes:
        """Standard output of a command that runs in a container that runs. It ends by itself.

        :param container: its name.
        :param command: the words.
        :param seconds: for which it is waited.
        :raises OSError: when Docker does not answer, or with an error, or the command fails; with the last line of its standard error.
        """
        asked = {"AttachStdout": True, "AttachStderr": True, "Cmd": list(command)}
        made = self.post(f"/containers/{quote(container, safe='')}/exec", None, asked)
        route = f"/exec/{quote(str((made or {}).get('Id')), safe='')}"
        frames = list(_frames(self._ask("POST", f"{route}/start", seconds, {"Detach": False, "Tty": False}) or b""))
        status = (self.get(f"{route}/json") or {}).get("ExitCode")
        if status != 0:
            words = b"".join(part for stream, part in frames if stream == 2).decode(errors="replace").strip().splitlines()
            raise OSError(one_line(words[-1]) if words else f"it ended with status {status}")
        return b"".join(part for stream, part in frames if stream == 1)


def environment_of(described: Mapping[str, Any] | None) -> dict[str, str]:
    """Environment variables in Docker's description of a container or an image; none where there is no description."""
    words = ((described or {}).get("Config") or {}).get("Env")
    return dict(str(word).partition("=")[::2] for word in words or [])


def _frames(body: bytes) -> Iterator[tuple[int, bytes]]:
    """What a container without a terminal wrote: the number of the stream, 1 for standard output and 2 for standard error, and the bytes.

    :param body: frames of one byte for the stream, three empty ones, and four for the length.
    """
    at = 0
    while len(body) - at >= 8 and body[at] in (1, 2):
        end = at + 8 + int.from_bytes(body[at + 4 : at + 8], "big")
        yield body[at], body[at + 8 : end]
        at = end


def _counted(text: str) -> int | None:
    """The number of processes that a control group's memory limit has killed."""
    for line in text.splitlines():
        name, _space, number = line.partition(" ")
        if name == "oom_kill" and number.strip().isdigit():
            return int(number)
    return None


@dataclass(frozen=True)
class Deaths:
    """What ended in a container so far.

    :param killed: processes that were killed because its memory was used up.
    :param restarts: how often Docker started it again.
    """

    killed: int = 0
    restarts: int = 0


def engine_errors(docker_host: str, container: str, since: int) -> list[str]:
    """What llama.cpp printed as errors in a container; only there it reports why it does not load a file. Empty where this host does not know.

    :param since: lines from this second on, since the epoch.
    """
    try:
        lines = DockerSocket(docker_host).log(container, 400, since)
    except OSError:
        return []
    return [line for line in lines if _ENGINE_ERROR.match(line)][-10:]


def deaths(docker_host: str, container: str, root: Path = Path("/")) -> Deaths | None:
    """What ended in a container so far; None where this host does not know.

    :param docker_host: socket of Docker.
    :param container: name or ID.
    :param root: where the host's file system begins.
    """
    try:
        found = DockerSocket(docker_host).get(f"/containers/{quote(container, safe='')}/json") or {}
    except (OSError, ValueError):
        return None
    state, restarts = found.get("State") or {}, int(found.get("RestartCount") or 0)
    if not state.get("Running"):
        # Its control group is gone. Docker does not always notice the reason, but nothing else ends it by this signal unasked.
        return Deaths(int(bool(state.get("OOMKilled")) or state.get("ExitCode") == KILLED), restarts)
    try:
        groups = (root / "proc" / str(state.get("Pid") or 0) / "cgroup").read_text(encoding="ascii")
    except (OSError, ValueError):
        return Deaths(0, restarts)
    for line in groups.splitlines():
        _number, controllers, path = line.split(":", 2)
        # Version 1 has a hierarchy of its own for memory, version 2 has one for all.
        places = {"memory": ("sys/fs/cgroup/memory", "memory.oom_control"), "": ("sys/fs/cgroup", "memory.events")}
        folder, name = places.get("memory" if "memory" in controllers.split(",") else controllers, ("", ""))
        try:
            counted = _counted((root / folder / path.lstrip("/") / name).read_text(encoding="ascii")) if name else None
        except OSError:
            continue
        if counted is not None:
            return Deaths(counted, restarts)
    return Deaths(0, restarts)
