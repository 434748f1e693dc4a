# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A Docker in memory with containers that become what they should, a poll at a time. tests/containers does the same with a real one."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from ansible_collections.inferops.xinference.plugins.module_utils._core.host.docker import DockerSocket

#: What a container becomes, a poll at a time after its start: status, health, restarts, exit code. The last one stays.
HEALTHY = [("running", "starting", 0, 0), ("running", "healthy", 0, 0)]
NEVER = [("running", "starting", 0, 0)]
ENDS = [("running", "starting", 0, 0), ("exited", "unhealthy", 0, 7)]
FAILS = [("restarting", "unhealthy", number, 3) for number in range(9)]
GONE = [("running", "starting", 0, 0), None]


class FakeDocker(DockerSocket):
    """A Docker.

    :param containers: by name what each becomes when it is started.
    """

    def __init__(self, **containers: Any) -> None:
        super().__init__("unix:///nowhere")
        self.containers: dict[str, dict[str, Any]] = {}
        self.networks = {"1": "xinference"}
        self.sent: list[str] = []
        #: Words with which it refuses a route, by its beginning.
        self.refuses: dict[str, str] = {}
        #: Numbers of questions that get no answer.
        self.silent: set[int] = set()
        self.questions = 0
        for name, becomes in containers.items():
            self.create(name.replace("_", "."), becomes)

    def create(self, name: str, becomes: Any, started: bool = False) -> None:
        """A container that was created, or runs for long."""
        self.containers[name] = {"becomes": becomes, "polls": len(becomes) - 1 if started else -1, "status": None, "network": "1", "is": name, "policy": ""}

    def now(self, name: str) -> tuple[str, str, int, int]:
        """What a container is."""
        found = self.containers[name]
        if found["status"]:
            return (found["status"], "none", 0, 0)
        return ("created", "none", 0, 0) if found["polls"] < 0 else found["becomes"][min(found["polls"], len(found["becomes"]) - 1)]

    def get(self, route: str) -> Any:
        """A description, and the next thing that a container becomes."""
        self.questions += 1
        if self.questions in self.silent:
            raise TimeoutError("timed out")
        _empty, kind, name, *_rest = unquote(urlsplit(route).path).split("/")
        if kind == "networks":
            return {"Name": name} if name in {**self.networks, **dict.fromkeys(self.networks.values())} else None
        if name not in self.containers:
            return None
        if self.now(name) is None:
            del self.containers[name]
            return None
        status, health, restarts, code = self.now(name)
        found = self.containers[name]
        found["polls"] += found["polls"] >= 0
        return {
            "Id": name,
            "State": {"Status": status, "Health": {"Status": health}, "ExitCode": code},
            "RestartCount": restarts,
            "HostConfig": {"RestartPolicy": {"Name": found["policy"]}},
            "NetworkSettings": {"Networks": {"xinference": {"NetworkID": found["network"], "Aliases": None}}},
        }

    def read(self, route: str) -> bytes | None:
        """The log."""
        return f"last words of {self.containers[unquote(route.split('/')[2])]['is']}\n".encode()

    def send(self, route: str, timeout: float | None = None, body: Any = None) -> None:
        """Do something."""
        self.sent.append(route)
        for beginning, words in self.refuses.items():
            if route.startswith(beginning):
                raise OSError(f"{route} answered 500: {json.dumps({'message': words})}")
        parts = urlsplit(route)
        _empty, _kind, name, verb = unquote(parts.path).split("/")
        if verb == "rename":
            self.containers[parse_qs(parts.query)["name"][0]] = self.containers.pop(name)
        elif verb == "connect":
            self.containers[body["Container"]]["network"] = next(number for number, known in self.networks.items() if known == name)
        elif verb == "update":
            self.containers[name]["policy"] = body["RestartPolicy"]["Name"]
        elif verb != "disconnect":
            self.containers[name].update({"status": "exited"} if verb == "stop" else {"status": None, "polls": 0})

    def remove(self, route: str) -> None:
        """Remove a container."""
        self.sent.append(f"DELETE {route}")
        self.containers.pop(unquote(urlsplit(route).path).split("/")[2], None)
