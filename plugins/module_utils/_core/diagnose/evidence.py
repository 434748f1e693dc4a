# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a diagnosis reads of a host besides its facts: the kernel, systemd, the container from inside. Private to this collection."""

from __future__ import annotations

import contextlib
import json
import os
import re
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from ..base.bounded import parse_json, read_end
from ..base.errors import XinferenceError
from ..base.messages import one_line
from ..host.client_environment import Run
from ..host.docker import Deaths, DockerSocket, deaths
from ..host.program_container import module_text
from ..host.resource_usage import host_memory
from .container import Inside

if TYPE_CHECKING:
    # Never run: its text goes to the container. Ansible takes along what it reads here.
    from . import inside  # noqa: F401

__all__ = ["Asked", "Evidence", "HostEvidence", "Room", "SwapTraffic", "gather", "look_inside"]

#: Seconds for all checks inside the container.
_INSIDE_SECONDS = 20
_SERVER_PORT = 9997
#: Bytes of the audit log's end.
_AUDIT_BYTES = 1 << 20
_MOST_LINES = 20
#: What the kernel writes of a process that it killed for its memory.
_KILLED = re.compile(r"Killed process \d+ \(([^)]{1,64})\)")
_DENIED = re.compile(r"avc: +denied .*(?:container_t|svirt_lxc|xinference)")
#: When a line of the audit log was written, in seconds since the epoch.
_AUDITED = re.compile(r"audit\((\d{1,12})[.:]")
_DAY = 86_400
_STATES = ("ActiveState", "Result", "NRestarts")


@dataclass(frozen=True)
class Room:
    """Room of the file system that a path is on.

    :param total_mib: its size in MiB.
    :param free_mib: that are free, in MiB.
    :param inodes: files that it can have; 0 where it has no such limit.
    :param free_inodes: that it can still have.
    """

    total_mib: int
    free_mib: int
    inodes: int
    free_inodes: int


@dataclass(frozen=True)
class HostEvidence:
    """What the kernel and systemd say.

    :param processor_flags: what the first processor can do, as the kernel names it; empty where it does not say.
    :param swap_used_mib: swap in use, in MiB.
    :param swapped_pages: pages a second that went to swap or came from it while it was looked.
    :param killed: names of processes that the kernel killed for their memory within the last day, the last ones.
    :param rooms: path → room of its file system; each file system once.
    :param synchronized: whether the clock is; None where that is not known.
    :param clock_ahead: seconds by which this host's clock is ahead of the controller's, as far as the way between them lets that be known.
    :param units: unit → what systemd says of its state: ActiveState, Result, NRestarts.
    :param denials: lines of the audit log in which SELinux denied a container something, the last ones.
    :param directories: source of a mount → its device and inode; None where there is nothing.
    """

    processor_flags: frozenset[str] = frozenset()
    swap_used_mib: int = 0
    swapped_pages: float = 0.0
    killed: tuple[str, ...] = ()
    rooms: Mapping[str, Room] = field(default_factory=dict)
    synchronized: bool | None = None
    clock_ahead: float = 0.0
    units: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    denials: tuple[str, ...] = ()
    directories: Mapping[str, tuple[int, int] | None] = field(default_factory=dict)


@dataclass(frozen=True)
class Evidence:
    """What was read.

    :param host: of kernel and systemd.
    :param inside: of the container; None where it was not looked into.
    :param not_inside: why not.
    :param memory: bytes that the container uses without its file cache, and its limit; None where Docker does not say.
    :param deaths: what ended in the container; None where that is not known.
    """

    host: HostEvidence = field(default_factory=HostEvidence)
    inside: Inside | None = None
    not_inside: str = ""
    memory: tuple[int, int] | None = None
    deaths: Deaths | None = None


def _swapped(root: Path) -> int:
    """Pages that went to swap or came from it since the machine was started."""
    memory = host_memory(root)
    return ((memory.swapped_in or 0) + (memory.swapped_out or 0)) // os.sysconf("SC_PAGE_SIZE")


class SwapTraffic:
    """Pages that go to swap or come from it, from now on.

    :param root: where the host's file system begins.
    """

    def __init__(self, root: Path = Path("/")) -> None:
        self.root = root
        self.began, self.pages = time.monotonic(), _swapped(root)
        #: When that was, in seconds since the epoch.
        self.time = time.time()
        self.seen: float | None = None

    def stop(self) -> None:
        """Count no further."""
        self.seen = self.rate()

    def rate(self) -> float:
        """Pages a second until now, or until it was stopped."""
        if self.seen is not None:
            return self.seen
        return (_swapped(self.root) - self.pages) / max(time.monotonic() - self.began, 0.1)


def _flags(root: Path) -> frozenset[str]:
    """What the first processor can do."""
    with contextlib.suppress(OSError), (root / "proc/cpuinfo").open(encoding="utf-8", errors="replace") as lines:
        for line in lines:
            name, _colon, words = line.partition(":")
            if name.strip() == "flags":
                return frozenset(words.split())
    return frozenset()


def _rooms(paths: Iterable[str]) -> dict[str, Room]:
    """Room of the file systems that paths are on, or would be; each file system once, under the first of its paths."""
    found: dict[str, Room] = {}
    devices = set()
    for path in filter(None, paths):
        place = Path(path)
        for each in (place, *place.parents):
            with contextlib.suppress(OSError):
                room, device = os.statvfs(each), os.stat(each).st_dev
                # One that is read-only is full for ever, and nobody writes to it.
                if device not in devices and not room.f_flag & os.ST_RDONLY:
                    found[path] = Room(room.f_blocks * room.f_frsize >> 20, room.f_bavail * room.f_frsize >> 20, room.f_files, room.f_favail)
                devices.add(device)
                break
    return found


def _identity(path: str) -> tuple[int, int] | None:
    """Device and inode of what a path leads to; None where there is nothing."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _unit_states(units: Iterable[str], run: Run) -> dict[str, dict[str, str]]:
    """What systemd says of some units, of those that it knows."""
    names = sorted(set(units))
    if not names:
        return {}
    status, answer, _error = run(["systemctl", "show", f"--property=Id,LoadState,{','.join(_STATES)}", *names])
    found: dict[str, dict[str, str]] = {}
    for block in answer.split("\n\n") if not status else []:
        values = dict(line.partition("=")[::2] for line in block.splitlines())
        if values.get("LoadState") == "loaded" and values.get("Id"):
            found[values["Id"]] = {name: values.get(name, "") for name in _STATES}
    return found


def _killed(run: Run) -> tuple[str, ...]:
    """Names of the processes that the kernel killed within the last day."""
    status, answer, _error = run(["journalctl", "--dmesg", "--no-pager", "--quiet", "--output=cat", "--since=-1d", "--lines=20000"])
    return () if status else tuple(one_line(name) for name in _KILLED.findall(answer)[-_MOST_LINES:])


def _synchronized(run: Run, root: Path) -> bool | None:
    """Whether the clock is synchronized; None where systemd does not say, or the clock is that of another host, as in a container."""
    if (root / "run/systemd/container").exists() or (root / ".dockerenv").exists():
        return None
    status, answer, _error = run(["timedatectl", "show", "--property=NTPSynchronized", "--value"])
    return None if status else {"yes": True, "no": False}.get(answer.strip())


def _denials(root: Path) -> tuple[str, ...]:
    """What SELinux denied containers within the last day."""
    try:
        lines = read_end(root / "var/log/audit", ["audit.log"], _AUDIT_BYTES).decode("utf-8", "replace").splitlines()
    except OSError:
        return ()
    since = time.time() - _DAY
    denied = [line for line in lines if _DENIED.search(line) and (when := _AUDITED.search(line)) is not None and int(when[1]) >= since]
    return tuple(one_line(line) for line in denied)[-_MOST_LINES:]


def _memory(docker: DockerSocket, container: str) -> tuple[int, int] | None:
    """Bytes that a container uses without its file cache, and its limit; None where Docker does not say."""
    try:
        found = (docker.get(f"/containers/{quote(container, safe='')}/stats?stream=false&one-shot=true") or {}).get("memory_stats") or {}
        details = found.get("stats") or {}
        # Version 2 of control groups calls it otherwise.
        cache = int(details.get("inactive_file", details.get("total_inactive_file", 0)))
        return (max(int(found["usage"]) - cache, 0), int(found["limit"])) if found.get("limit") else None
    except (OSError, KeyError, TypeError, ValueError, AttributeError, OverflowError):
        return None


def look_inside(docker: DockerSocket, container: str, directories: Sequence[str], *, hub: bool) -> Inside:
    """What the container sees, and whom it reaches.

    :param directories: paths inside it.
    :param hub: whether to reach for the hub, which takes some seconds where it is not there.
    :raises OSError: when that cannot be known; with a part of a sentence.
    """
    asked = {"seconds": _INSIDE_SECONDS, "port": _SERVER_PORT, "directories": list(directories), "hub": hub}
    answer = docker.execute(container, ["python3", "-I", "-c", module_text(".inside", __package__), json.dumps(asked)], _INSIDE_SECONDS + 10.0)
    try:
        return Inside.of(parse_json(answer.decode("utf-8")), directories)
    except (ValueError, TypeError) as error:
        raise OSError("the container sent something else than was asked for") from error


@dataclass(frozen=True)
class Asked:
    """What is looked for.

    :param name: of the container.
    :param docker_host: address of Docker's socket.
    :param units: that systemd is asked about.
    :param rooms: paths of which the room is read, besides what the container writes; empty ones are left out.
    :param controller_time: seconds since the epoch at the controller when the task began; None asks for no comparison.
    :param hub: whether to reach for the hub from inside the container.
    """

    name: str
    docker_host: str
    units: tuple[str, ...] = ()
    rooms: tuple[str, ...] = ()
    controller_time: float | None = None
    hub: bool = False


def gather(asked: Asked, container: Mapping[str, Any] | None, traffic: SwapTraffic, run: Run, root: Path = Path("/")) -> Evidence:
    """Read it.

    :param asked: what is looked for.
    :param container: facts of the container; None where there is none.
    :param traffic: counts swap since the diagnosis began.
    :param run: runs a command.
    :param root: where the host's file system begins.
    """
    ahead = 0.0 if asked.controller_time is None else traffic.time - asked.controller_time
    running = (container or {}).get("status") == "running"
    docker = DockerSocket(asked.docker_host)
    looked: Inside | None = None
    reason = "the container does not run"
    volumes = (container or {}).get("volumes") or []
    if running:
        try:
            looked, reason = look_inside(docker, asked.name, [volume["target"] for volume in volumes], hub=asked.hub), ""
        except (OSError, XinferenceError) as error:
            reason = one_line(str(error)).rstrip(".")
    host = HostEvidence(
        processor_flags=_flags(root),
        swap_used_mib=max(host_memory(root).swap_used or 0, 0) >> 20,
        swapped_pages=traffic.rate(),
        killed=_killed(run),
        rooms=_rooms([*asked.rooms, *(volume["source"] for volume in volumes if not volume.get("read_only"))]),
        synchronized=_synchronized(run, root),
        clock_ahead=ahead,
        units=_unit_states(asked.units, run),
        denials=_denials(root),
        directories={volume["source"]: _identity(volume["source"]) for volume in volumes},
    )
    return Evidence(
        host,
        inside=looked,
        not_inside=reason,
        memory=_memory(docker, asked.name) if running else None,
        deaths=deaths(asked.docker_host, asked.name) if container else None,
    )
