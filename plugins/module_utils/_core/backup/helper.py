# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The container in which the server's files are read and written: of the server's image, with its user and volumes, no network. Private to this collection.

Its log is switched off, because what it writes there holds secrets. Whatever it sends is hostile: names, numbers and sizes have bounds.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from ..base.messages import one_line, shown
from ..host.attached import Attached
from ..host.docker import DockerSocket, environment_of
from ..host.docker_facts import BACKUP, container_facts, is_named
from ..host.program_container import ProgramContainer, last_words, program_text
from .contents import HOME_PATTERNS, MOST_BYTES, MOST_FILES, STALE, BackupError, File, is_kept

if TYPE_CHECKING:
    # Never run: its text goes to the container. Ansible and the program of the units take along what they read here.
    from . import inside  # noqa: F401

__all__ = ["Helper", "Server"]

#: Memory of the container and room for its copies of databases, in bytes; seconds until it must have ended.
_MEMORY, _SCRATCH, _LONGEST = 2 << 30, 1 << 30, 1800.0
#: Its weight where processors are short.
_CPU_SHARES = 128
#: Label with the server's container that this one is for.
_HELPS = "io.inferops.backup-of"
#: Room that a backup leaves in the memory of the host where it keeps its copy, in bytes.
_LEAVES = 64 << 20
_CAPABILITIES = {"CHOWN", "DAC_OVERRIDE", "FOWNER"}
_KEY = "XINFERENCE_AUTH_ENCRYPTION_KEY"


class Server:
    """The server's container, as Docker describes it.

    :param docker: Docker of this host.
    :param name: of the container.
    :raises BackupError: when there is none, or it may choose what of the host is mounted.
    :raises OSError: when Docker does not answer.
    """

    def __init__(self, docker: DockerSocket, name: str) -> None:
        found = docker.get(f"/containers/{quote(name, safe='')}/json")
        facts = container_facts(docker, name)
        if not found or not is_named(found, name) or facts is None:
            raise BackupError(f"there is no container '{name}' on this host; provision it first")
        if facts["chooses_mounts"]:
            raise BackupError(f"container '{name}' can choose what of this host is mounted in it; provision the host first")
        config = found.get("Config") or {}
        home = str(facts["home"])
        if not any(Path(volume["target"]) in (Path(home), *Path(home).parents) for volume in facts["volumes"]):
            raise BackupError(f"the server's directory {home} lies in no volume of container '{name}'")
        self.name = name
        self.status = str(facts["status"])
        self.image = one_line(str(config.get("Image")))
        self.image_id = str(found.get("Image"))
        self.home = home
        self.user = str(config.get("User") or "")
        #: What it sees of the host, see :func:`~..host.other_containers.keeps`.
        self.volumes: list[dict[str, Any]] = facts["volumes"]
        self.host_config: dict[str, Any] = found.get("HostConfig") or {}
        #: A key that its server has from its environment, which is then nowhere among its files.
        self.environment_key = environment_of(found).get(_KEY, "")


class Helper:
    """A container beside the server's.

    :param docker: Docker of this host.
    :param server: the server's container.
    """

    def __init__(self, docker: DockerSocket, server: Server) -> None:
        self.server = server
        self.name = f"{server.name}{BACKUP}"
        self.container = ProgramContainer(docker, self.name, (_HELPS, server.name), BackupError)

    def _description(self) -> dict[str, Any]:
        """What Docker is asked to make."""
        theirs = self.server.host_config
        added = {str(name).upper().replace("CAP_", "") for name in theirs.get("CapAdd") or []}
        # One that was made by hand may have all that Docker gives by itself.
        may = added if "ALL" in (theirs.get("CapDrop") or []) else _CAPABILITIES
        return {
            "Image": self.server.image_id,
            "User": self.server.user,
            "NetworkDisabled": True,
            "HostConfig": {
                # Directories and Docker's own volumes, each as the server sees it.
                "VolumesFrom": [self.server.name],
                # Those that the server has, because it may need them for its own files.
                "CapAdd": sorted(_CAPABILITIES & may),
                "UsernsMode": theirs.get("UsernsMode") or "",
                "ReadonlyRootfs": True,
                "Tmpfs": {"/tmp": f"size={_SCRATCH},mode=1777"},  # noqa: S108 - in the container
                "Memory": _MEMORY,
                # The server goes first: it has 1024.
                "CpuShares": _CPU_SHARES,
                "PidsLimit": 64,
            },
        }

    def _attached(self) -> AbstractContextManager[Attached]:
        """The container, made and started, with its input and output; removed in the end."""
        return self.container.attached(program_text(__package__), self._description(), _LONGEST)

    def _request(self, job: str, **more: Any) -> bytes:
        request = {
            **{"do": job, "home": self.server.home, "patterns": HOME_PATTERNS, "stale": STALE, "environment_key": self.server.environment_key},
            **more,
        }
        return json.dumps(request).encode() + b"\n"

    def collect(self, target: Path, measure: Sequence[str]) -> tuple[list[File], dict[str, Any]]:
        """Write the server's files into a directory.

        :param target: an empty directory that nobody else can write.
        :param measure: paths inside the container whose sizes are asked for.
        :returns: the files, with their paths from ``target`` on, and ``server`` (its version), ``problem`` (with its keys) and ``sizes`` of the paths.
        :raises BackupError: when the container fails, or sends what no backup takes.
        """
        files: list[File] = []
        total = 0
        with self._attached() as attached:
            attached.send([self._request("collect", measure=list(measure))])
            while True:
                header = self.container.header(attached)
                if header.get("end"):
                    return files, _end_of(header, measure)
                path, size = header.get("path"), header.get("size")
                if not isinstance(path, str) or not is_kept(f"home/{path}") or not isinstance(size, int) or isinstance(size, bool) or size < 0:
                    raise BackupError(f"the container sent '{shown(path)}', which no backup takes")
                total += size
                room = os.statvfs(target)
                if total > MOST_BYTES or len(files) >= MOST_FILES:
                    raise BackupError(f"the server's files are more than {MOST_FILES}, or larger than {MOST_BYTES >> 20} MiB")
                # As much again is wanted when the snapshot is read back.
                if total + size > room.f_bavail * room.f_frsize - _LEAVES:
                    raise BackupError(f"there is no room for '{shown(path)}' ({size} bytes) in {target}")
                files.append(self._received(attached, target, path, size))

    @staticmethod
    def _received(attached: Attached, target: Path, path: str, size: int) -> File:
        """Write a file that the container sends."""
        place, digest, count = target / path, hashlib.sha256(), 0
        place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with os.fdopen(os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600), "wb") as sink:
            for part in attached.read(size):
                sink.write(part)
                digest.update(part)
                count += len(part)
        if count != size:
            attached.drain()
            raise BackupError(last_words(attached) or "the container ended before it had sent everything")
        return File(path, size, digest.hexdigest())

    def place(self, source: Path, files: Sequence[File], server_version: str) -> None:
        """Put files into place in the server's home, and keep what was there. The server must not run.

        :param source: directory that holds them.
        :param files: their paths from there on.
        :param server_version: of the server that they are of; an older one refuses them.
        :raises BackupError: when the container fails; what was there is there again, or comes back with :meth:`undo`.
        """

        def parts() -> Iterator[bytes]:
            yield self._request("place", server=server_version)
            for file in files:
                yield json.dumps({"path": file.path, "size": file.size, "sha256": file.sha256}).encode() + b"\n"
                with (source / file.path).open("rb") as content:
                    yield from iter(lambda: content.read(1 << 20), b"")
            yield b'{"end": true}\n'

        with self._attached() as attached:
            attached.send(parts())
            self.container.header(attached)

    def undo(self) -> bool:
        """Go back to what was there before :meth:`place`, also where that was cut off; whether there was any."""
        return self._simple("undo")

    def keep(self) -> None:
        """Remove what was there before :meth:`place`."""
        self._simple("keep")

    def _simple(self, job: str) -> bool:
        with self._attached() as attached:
            attached.send([self._request(job)])
            return bool(self.container.header(attached).get("files"))


def _end_of(header: Mapping[str, Any], measure: Sequence[str]) -> dict[str, Any]:
    """The last line of a collection, with nothing but what was asked for."""
    sizes = header.get("sizes")
    return {
        "server": one_line(str(header.get("server") or ""))[:40],
        "problem": one_line(str(header.get("problem") or ""))[:500],
        "sizes": {path: size for path, size in (sizes if isinstance(sizes, dict) else {}).items() if path in measure and isinstance(size, int)},
    }
