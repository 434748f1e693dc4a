# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the kernel counts for the host and for a container: memory, swap, OOM kills, disk. Standard library only. Private to this collection.

Reading these files costs next to nothing, and needs no right that any user lacks.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

__all__ = ["ContainerMemory", "Disk", "HostMemory", "container_memory", "disks", "host_memory", "memory_cgroup"]

#: Bytes of such a file that are read at most. The largest, /proc/vmstat, has about 5000.
_BYTES = 1 << 16
#: A limit of the first version of cgroups above which there is none: it rounds down what no machine has.
_UNLIMITED = 1 << 60
_KIB = 1024
#: Octal for what cannot stand in a field of mountinfo.
_ESCAPED = re.compile(r"\\([0-7]{3})")


@dataclass(frozen=True)
class HostMemory:
    """Memory and swap of the whole host since it started; None for what its kernel does not say.

    :param total: bytes of memory.
    :param available: bytes that programs could still get without swapping.
    :param swap_total: bytes of swap.
    :param swap_used: bytes of swap in use.
    :param swapped_in: bytes read from swap.
    :param swapped_out: bytes written to swap.
    :param oom_kills: processes that the kernel killed because memory ran out, of the host or of a control group.
    """

    total: int | None = None
    available: int | None = None
    swap_total: int | None = None
    swap_used: int | None = None
    swapped_in: int | None = None
    swapped_out: int | None = None
    oom_kills: int | None = None


@dataclass(frozen=True)
class ContainerMemory:
    """Memory of a container since it started; None for what its kernel does not say.

    :param used: bytes, the files among them that were read.
    :param working_set: bytes without the files that were not read lately, which the kernel gives up first.
    :param limit: bytes that it may use; None without a limit.
    :param oom_kills: processes of it that the kernel killed because memory ran out.
    """

    used: int | None = None
    working_set: int | None = None
    limit: int | None = None
    oom_kills: int | None = None


@dataclass(frozen=True)
class Disk:
    """A file system.

    :param path: directory that lies in it.
    :param total: bytes.
    :param available: bytes that users other than root could still write.
    """

    path: str
    total: int
    available: int


def _numbers(path: Path) -> dict[str, int]:
    """Pairs of a name and a number, one in each line; what else stands there is left out. Empty where it cannot be read."""
    found: dict[str, int] = {}
    with contextlib.suppress(OSError):
        for line in _text(path).splitlines():
            words = line.replace(":", " ").split()
            if len(words) >= 2 and words[1].isdecimal():
                found[words[0]] = int(words[1])
    return found


def _number(path: Path) -> int | None:
    """The one number of a file; None where it holds another word, or cannot be read."""
    with contextlib.suppress(OSError):
        word = _text(path).strip()
        if word.isdecimal():
            return int(word)
    return None


def _text(path: Path) -> str:
    """A file of the kernel, which has no size.

    :raises OSError: when it cannot be read.
    """
    with path.open("rb") as file:
        return file.read(_BYTES).decode("utf-8", "replace")


def host_memory(root: Path = Path("/")) -> HostMemory:
    """Memory and swap of the host.

    :param root: where its file system begins.
    """
    memory, counted = _numbers(root / "proc/meminfo"), _numbers(root / "proc/vmstat")
    page = os.sysconf("SC_PAGE_SIZE")
    total, free = memory.get("SwapTotal"), memory.get("SwapFree")

    def kib(name: str) -> int | None:
        return None if name not in memory else memory[name] * _KIB

    def pages(name: str) -> int | None:
        return None if name not in counted else counted[name] * page

    return HostMemory(
        total=kib("MemTotal"),
        available=kib("MemAvailable"),
        swap_total=kib("SwapTotal"),
        swap_used=None if total is None or free is None else (total - free) * _KIB,
        swapped_in=pages("pswpin"),
        swapped_out=pages("pswpout"),
        oom_kills=counted.get("oom_kill"),
    )


def container_memory(cgroup: str) -> ContainerMemory | None:
    """Memory of a container; None where its control group is gone.

    :param cgroup: directory of its control group, as :func:`memory_cgroup` gives it.
    """
    folder = Path(cgroup)
    events = _numbers(folder / "memory.events")
    second = (folder / "memory.current").exists()
    used = _number(folder / ("memory.current" if second else "memory.usage_in_bytes"))
    if used is None:
        return None
    counted = _numbers(folder / "memory.stat")
    inactive = counted.get("inactive_file" if second else "total_inactive_file")
    limit = _number(folder / ("memory.max" if second else "memory.limit_in_bytes"))
    kills = events.get("oom_kill") if second else _numbers(folder / "memory.oom_control").get("oom_kill")
    return ContainerMemory(
        used=used,
        working_set=None if inactive is None else max(used - inactive, 0),
        limit=None if limit is None or limit >= _UNLIMITED else limit,
        oom_kills=kills,
    )


def memory_cgroup(pid: int, root: Path = Path("/")) -> str | None:
    """Directory of the control group that bounds the memory of a process; None where there is none, or it is not known.

    :param pid: number of the process.
    :param root: where the host's file system begins.
    """
    try:
        groups = [line.split(":", 2) for line in _text(root / f"proc/{pid}/cgroup").splitlines()]
        mounts = [line.split() for line in _text(root / "proc/self/mountinfo").splitlines()]
    except OSError:
        return None
    # The first version has a tree for memory; the second one a tree for all, which a machine may have beside it for nothing.
    paths = {("cgroup" if group[1] else "cgroup2"): group[2] for group in groups if len(group) == 3 and (not group[1] or "memory" in group[1].split(","))}
    for kind in ("cgroup", "cgroup2"):
        for words in mounts:
            if kind not in paths or "-" not in words[6:] or len(words) < 10:
                continue
            end = words.index("-", 6)
            if words[end + 1] != kind or (kind == "cgroup" and "memory" not in words[-1].split(",")):
                continue
            # What is mounted may be a part of the tree.
            top, path = _unescaped(words[3]).rstrip("/"), paths[kind]
            if ".." in path.split("/") or not (path == top or path.startswith(f"{top}/")):
                continue
            place = f"{_unescaped(words[4])}{path[len(top) :]}"
            if (root / place.lstrip("/")).is_dir():
                return place
    return None


def _unescaped(word: str) -> str:
    return _ESCAPED.sub(lambda found: chr(int(found.group(1), 8)), word)


def disks(paths: Iterable[str]) -> list[Disk]:
    """The file systems in which directories lie, each once; what is not there is left out.

    :param paths: the directories; the first in each file system names it.
    """
    found: dict[int, Disk] = {}
    for path in paths:
        with contextlib.suppress(OSError):
            device = os.stat(path).st_dev
            if device not in found:
                kept = os.statvfs(path)
                found[device] = Disk(path, kept.f_blocks * kept.f_frsize, kept.f_bavail * kept.f_frsize)
    return list(found.values())
