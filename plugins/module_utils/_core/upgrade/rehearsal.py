# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A server of another image beside the one that runs, with a copy of its accounts and registrations, and without network. Private to this collection."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..backup.contents import File
from ..base.errors import XinferenceError
from ..base.messages import one_line
from ..host.attached import Attached
from ..host.docker import DockerSocket
from ..host.docker_facts import NEW_SERVER
from ..host.program_container import ProgramContainer, last_words, program_text
from ..server.relay import Reply

if TYPE_CHECKING:
    # Never run: its text goes to the container.
    from . import inside  # noqa: F401

__all__ = ["Rehearsal", "Wanted", "require_memory"]

#: Memory that must be free, and that of the container, in bytes; a server without models takes about 1 GiB.
_FREE, _MEMORY = 2 << 30, 3 << 30
#: Its share of a busy processor (1024 is that of others), and seconds for its questions besides those until it is ready.
_SHARE, _QUESTIONS = 256, 900.0
#: Bytes of an answer.
_MOST = 32 << 20
#: Label with the server's container that this one is for.
_BESIDE = "io.inferops.new-server-of"
#: The server's files that it gets: accounts with their keys, and registrations. By the launch history it would launch models.
_GIVEN = ("auth/", "model/")
#: What the roles' preparation does: makes directories, and gives them to others.
_CAPABILITIES = ("CHOWN", "DAC_OVERRIDE", "FOWNER")


@dataclass(frozen=True)
class Wanted:
    """How the new server is started.

    :param image_id: identifier of its image.
    :param environment: variables of its environment.
    :param preparation: text of the roles' program that prepares the server's directory.
    :param prepared: what that program gets, without the directory.
    :param health: text of the roles' health check.
    :param seconds: for which it is waited for.
    """

    image_id: str
    environment: Mapping[str, str]
    preparation: str
    prepared: Mapping[str, Any]
    health: str
    seconds: float


def require_memory(path: Path = Path("/proc/meminfo")) -> None:
    """Require memory for a second server.

    :param path: where the kernel says what is free.
    :raises XinferenceError: when there is too little.
    """
    found = re.search(r"(?m)^MemAvailable: +(\d+) kB$", path.read_text(encoding="ascii"))
    free = int(found[1]) << 10 if found else _FREE
    if free < _FREE:
        raise XinferenceError(
            f"The new server cannot be asked beside the one that runs: {free >> 20} MiB of memory are free on this host, and it needs {_FREE >> 20}. "
            "Stop something else meanwhile."
        )


class Rehearsal:
    """A new server that can be asked.

    :param docker: Docker of this host.
    :param container: name of the server's container.
    :param wanted: how it is started.
    """

    def __init__(self, docker: DockerSocket, container: str, wanted: Wanted) -> None:
        self.container = ProgramContainer(docker, f"{container}{NEW_SERVER}", (_BESIDE, container))
        self.server = container
        self.wanted = wanted
        #: Its version, once it is ready; empty where its image does not say.
        self.version = ""
        self._attached: Attached | None = None

    @contextmanager
    def ready(self, source: Path, files: Sequence[File]) -> Iterator[None]:
        """The new server, ready to be asked, and removed in the end.

        :param source: directory with the files of the server that runs.
        :param files: their paths from there on.
        :raises XinferenceError: when it does not start, in its own words.
        :raises OSError: when Docker does not do it.
        """
        given = [file for file in files if file.path.startswith(_GIVEN)]

        def parts() -> Iterator[bytes]:
            request = {
                "environment": dict(self.wanted.environment),
                "preparation": self.wanted.preparation,
                "prepared": dict(self.wanted.prepared),
                "health": self.wanted.health,
                "seconds": self.wanted.seconds,
            }
            yield json.dumps(request).encode() + b"\n"
            for file in given:
                yield json.dumps({"path": file.path, "size": file.size, "sha256": file.sha256}).encode() + b"\n"
                with (source / file.path).open("rb") as content:
                    yield from iter(lambda: content.read(1 << 20), b"")
            yield b'{"end": true}\n'

        description = {
            "Image": self.wanted.image_id,
            "User": "0:0",
            "HostConfig": {
                # A registration whose files are missing is left out.
                "VolumesFrom": [f"{self.server}:ro"],
                "CapAdd": list(_CAPABILITIES),
                # What it writes takes memory, which has a bound, and no disk of the host. The directories are those of role server.
                "ReadonlyRootfs": True,
                "Tmpfs": {"/tmp": "exec,mode=1777", "/root/.cache": "exec", "/root/.xoscar": ""},  # noqa: S108 - in the container
                "Memory": _MEMORY,
                "CpuShares": _SHARE,
                # Rather this one than a model that serves.
                "OomScoreAdj": 1000,
                "PidsLimit": 1024,
            },
        }
        with self.container.attached(program_text(__package__), description, self.wanted.seconds + _QUESTIONS) as attached:
            attached.send(parts())
            header = self.container.header(attached)
            while header.get("waiting"):
                header = self.container.header(attached)
            self.version = one_line(str(header.get("server") or ""))[:40]
            self._attached = attached
            try:
                yield
                attached.send([b'{"end": true}\n'])
            finally:
                self._attached = None

    def ask(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Reply:
        """Pass a request on to the new server; parameters as of :class:`~..server.relay.RelayAdapter`."""
        attached = self._attached
        if attached is None:
            raise OSError("the new server is not there any more")
        question = {"method": method, "path": path, "headers": dict(headers), "size": len(body)}
        attached.send([json.dumps(question).encode() + b"\n" + body])
        try:
            header = self.container.header(attached)
        except XinferenceError as error:
            raise OSError(f"the new server ended: {error}") from error
        # What is true or false is a number as well.
        size, status = (each if isinstance(each, int) and not isinstance(each, bool) else -1 for each in (header.get("size"), header.get("status")))
        if "failed" in header:
            raise OSError(one_line(str(header["failed"]))[:500])
        if not 0 <= size <= _MOST or status < 0:
            raise OSError("the container of the new server sent something else than was asked for")
        content = b"".join(attached.read(size))
        if len(content) != size:
            raise OSError(f"the new server ended: {last_words(attached) or 'its answer was cut off'}")
        return Reply(status, one_line(str(header.get("reason")))[:200], str(header.get("type"))[:200], content)
