# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the logs of container and server take, and what bounds them. Private to this collection."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from ..base import sizes
from ..host.docker import DockerSocket, environment_of
from ..observed.server_files import ServerFiles
from ..server.advisories import number
from .finding import NOTE, WARNING, Finding

__all__ = ["CONTAINER", "SERVER", "LogUse", "check_logs", "read_log_use"]

CONTAINER, SERVER = "container", "server"
#: The first server whose files have the bounds of its environment.
_BOUNDED = (2, 12, 0)
#: Files that a server rotates by these bounds: its log, and who did what.
_KINDS = 2
#: Bytes of the server's files from which they are worth a note where nothing bounds them: what the roles set for newer ones.
_WORTH_A_NOTE = 1000 << 20
#: A line is written whole, and files of the day before count once more until it is over.
_TOLERANCE = 1.1
#: Names that are read in the directory of the logs.
_MOST_NAMES = 20_000


@dataclass(frozen=True)
class LogUse:
    """What one of the logs takes.

    :param log: whose it is.
    :param bytes: of all its files; None where that is not known.
    :param bound: bytes that they take at most; None where nothing bounds them, or that is not known.
    """

    log: str
    bytes: int | None
    bound: int | None

    def __str__(self) -> str:
        """The same in words."""
        return f"{self.log} {'unknown' if self.bytes is None else _size(self.bytes)} of {'no bound' if self.bound is None else _size(self.bound)}"


def _size(number_of_bytes: int) -> str:
    for unit, name in ((1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")):
        if number_of_bytes >= unit:
            return f"{number_of_bytes / unit:.1f} {name}".replace(".0 ", " ")
    return f"{number_of_bytes} bytes"


def _container_log(container: Mapping[str, Any]) -> LogUse | None:
    """The log that Docker keeps of the container in files of its own; None where it goes elsewhere, which has bounds of its own."""
    config = (container.get("HostConfig") or {}).get("LogConfig") or {}
    options = config.get("Config") or {}
    if config.get("Type") != "json-file":
        return None
    used: int | None = None
    with contextlib.suppress(OSError):
        # Docker writes both the path and the files, and nobody else can.
        place = Path(str(container.get("LogPath") or "/absent"))
        used = place.stat().st_size + sum(path.stat().st_size for path in place.parent.glob(f"{place.name}.*"))
    size, files = sizes.parse(options.get("max-size")), str(options.get("max-file") or 1)
    return LogUse(CONTAINER, used, size * int(files) if size and files.isdecimal() else None)


def _server_bound(container: Mapping[str, Any], version: str | None) -> int | None:
    """Bytes that the server's files take at most."""
    given = environment_of(container)
    known = number(version)
    if known is None or known < _BOUNDED:
        return None
    try:
        # What the server takes where nothing is given.
        size, files = int(given.get("XINFERENCE_LOG_MAX_BYTES", 100 << 20)), int(given.get("XINFERENCE_LOG_BACKUP_COUNT", 300))
    except ValueError:
        return None
    sized = given.get("XINFERENCE_LOG_ROTATION", "daily+size") in ("daily+size", "size")
    return _KINDS * size * (files + 1) if sized and size > 0 and files > 0 else None


def read_log_use(docker_host: str, name: str, server_files: ServerFiles, logs: str, version: str | None) -> list[LogUse]:
    """What the logs take; none where Docker does not answer, or there is no container.

    :param docker_host: address of Docker's socket.
    :param name: of the container.
    :param server_files: the server's directory.
    :param logs: the server's directory of logs, inside the container.
    :param version: of the server; None where it is not known.
    """
    try:
        container = DockerSocket(docker_host).get(f"/containers/{quote(name, safe='')}/json")
    except OSError:
        container = None
    if not isinstance(container, Mapping):
        return []
    found = server_files.newest(logs, _MOST_NAMES)
    # Where this host sees nothing, it may be because the logs lie in no mount.
    used = sum(size for _path, size, _changed in found) if found else None
    of_container = _container_log(container)
    return [*([of_container] if of_container else []), LogUse(SERVER, used, _server_bound(container, version))]


def check_logs(uses: list[LogUse], logs: str) -> list[Finding]:
    """Whether the logs have bounds, and keep them.

    :param uses: what they take.
    :param logs: the server's directory of logs, inside the container.
    """
    found = []
    for use in uses:
        subject = logs if use.log == SERVER else CONTAINER
        if use.bytes is None:
            continue
        if use.bound is None and use.log == CONTAINER:
            seen = f"The container's log takes {_size(use.bytes)}, and has no bound."
            found.append(Finding("logs", WARNING, subject, seen, "It can fill the disk of Docker.", "Run provision, which sets xinference_log_max_size."))
        elif use.bound is None and use.bytes >= _WORTH_A_NOTE:
            seen = f"The server's log files take {_size(use.bytes)}, and a server of this version has no bound for them."
            remedy = "Remove old files there, or upgrade to a server since 2.12, whose bounds are xinference_server_log_max_size and the number of files."
            found.append(Finding("logs", NOTE, subject, seen, "They can fill the disk of the data root.", remedy))
        elif use.bound is not None and use.bytes > use.bound * _TOLERANCE:
            whose = "The server's log files take" if use.log == SERVER else "The container's log takes"
            seen = f"{whose} {_size(use.bytes)}; the bound is {_size(use.bound)}."
            meaning = "Files of an earlier server are there, or others write them too."
            found.append(Finding("logs", WARNING, subject, seen, meaning, "Remove the old files there."))
    return found
