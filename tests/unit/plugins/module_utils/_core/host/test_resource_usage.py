# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the kernel counts, read from files as both versions of control groups write them, and from those of this machine."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ansible_collections.inferops.xinference.plugins.module_utils._core.host.resource_usage import (
    ContainerMemory,
    HostMemory,
    container_memory,
    disks,
    host_memory,
    memory_cgroup,
)

PAGE = os.sysconf("SC_PAGE_SIZE")


def write(folder: Path, **files: str) -> Path:
    """Make files in a directory; two underscores of a name stand for a dot."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name.replace("__", ".")).write_text(content, encoding="utf-8")
    return folder


def test_memory_of_the_host(tmp_path: Path) -> None:
    write(
        tmp_path / "proc",
        meminfo="MemTotal:        8000 kB\nMemFree: 1 kB\nMemAvailable:    3000 kB\nSwapTotal: 500 kB\nSwapFree: 120 kB\nHugePages_Total:       0\n",
        vmstat="nr_free_pages 5\npswpin 7\npswpout 11\noom_kill 2\n",
    )
    assert host_memory(tmp_path) == HostMemory(8000 * 1024, 3000 * 1024, 500 * 1024, 380 * 1024, 7 * PAGE, 11 * PAGE, 2)


def test_an_old_kernel_counts_no_oom_kills(tmp_path: Path) -> None:
    write(tmp_path / "proc", meminfo="MemTotal: 8000 kB\n", vmstat="pswpin 0\nodd\n\npswpout x\n")
    assert host_memory(tmp_path) == HostMemory(total=8000 * 1024, swapped_in=0)
    assert host_memory(tmp_path / "none") == HostMemory()


def test_memory_of_this_machine() -> None:
    found = host_memory()
    assert found.total and found.available and found.total > found.available
    assert None not in (found.swap_total, found.swap_used, found.swapped_in, found.swapped_out, found.oom_kills)


def test_memory_of_a_container_of_the_second_version(tmp_path: Path) -> None:
    place = write(
        tmp_path,
        memory__current="1000\n",
        memory__max="4000\n",
        memory__stat="anon 600\nfile 400\ninactive_file 150\n",
        memory__events="low 0\nmax 12\noom 1\noom_kill 3\n",
    )
    assert container_memory(str(place)) == ContainerMemory(1000, 850, 4000, 3)
    (place / "memory.max").write_text("max\n", encoding="utf-8")
    assert container_memory(str(place)) == ContainerMemory(1000, 850, None, 3)


def test_memory_of_a_container_of_the_first_version(tmp_path: Path) -> None:
    place = write(
        tmp_path,
        memory__usage_in_bytes="1000\n",
        memory__limit_in_bytes="4000\n",
        memory__stat="cache 400\ninactive_file 9\ntotal_inactive_file 1400\n",
        memory__oom_control="oom_kill_disable 0\nunder_oom 0\noom_kill 5\n",
    )
    # What was not read lately may have been counted a moment later.
    assert container_memory(str(place)) == ContainerMemory(1000, 0, 4000, 5)
    (place / "memory.limit_in_bytes").write_text("9223372036854771712\n", encoding="utf-8")
    (place / "memory.oom_control").write_text("oom_kill_disable 0\nunder_oom 0\n", encoding="utf-8")
    assert container_memory(str(place)) == ContainerMemory(1000, 0, None, None)


def test_a_container_that_is_gone_has_no_memory(tmp_path: Path) -> None:
    assert container_memory(str(tmp_path / "none")) is None
    assert container_memory(str(write(tmp_path, memory__current="odd\n"))) is None


#: Lines of mountinfo: root of what is mounted, and where.
SECOND = "30 23 0:26 {0} {1} ro,nosuid - cgroup2 cgroup2 rw,nsdelegate\n"
FIRST = "31 23 0:27 {0} {1} ro,nosuid shared:9 - cgroup cgroup rw,memory\n"
OTHER = "29 23 0:25 / /sys/fs/cgroup/cpu ro - cgroup cgroup rw,cpu,cpuacct\n"


@pytest.mark.parametrize(
    ("groups", "mounts", "there", "expected"),
    [
        ("0::/system.slice/docker-1.scope\n", SECOND.format("/", "/sys/fs/cgroup"), "/sys/fs/cgroup/system.slice/docker-1.scope", True),
        ("0::/a/docker/1\n", SECOND.format("/a", "/sys/fs/cgroup"), "/sys/fs/cgroup/docker/1", True),
        ("0::/ab/docker/1\n", SECOND.format("/a", "/sys/fs/cgroup"), "/sys/fs/cgroup/b/docker/1", False),
        ("0::/../docker/1\n", SECOND.format("/", "/sys/fs/cgroup"), "/sys/fs/docker/1", False),
        ("0::/docker/1\n", SECOND.format("/", "/sys/fs/cgroup"), "/sys/fs/cgroup/docker/2", False),
        ("0::/docker/1\n", SECOND.format("/", "/sys/fs/a\\040b"), "/sys/fs/a b/docker/1", True),
        ("9:cpu,cpuacct:/x\n5:memory:/docker/1\n0::/y\n", OTHER + FIRST.format("/", "/sys/fs/cgroup/memory"), "/sys/fs/cgroup/memory/docker/1", True),
        # A machine may have both, with the memory in the first.
        ("5:memory:/docker/1\n0::/docker/1\n", SECOND.format("/", "/u") + FIRST.format("/", "/m"), "/m/docker/1", True),
        ("9:cpu,cpuacct:/x\n", OTHER, "/sys/fs/cgroup/cpu/x", False),
        ("odd\n", "odd\n", "/none", False),
    ],
)
def test_where_the_memory_of_a_process_is_counted(tmp_path: Path, groups: str, mounts: str, there: str, expected: bool) -> None:
    write(tmp_path / "proc/5", cgroup=groups)
    write(tmp_path / "proc/self", mountinfo=mounts)
    (tmp_path / there.lstrip("/")).mkdir(parents=True)
    assert memory_cgroup(5, tmp_path) == (there if expected else None)
    assert memory_cgroup(6, tmp_path) is None


def test_each_file_system_is_named_once(tmp_path: Path) -> None:
    write(tmp_path / "a", x="")
    first, *others = disks([str(tmp_path / "none"), str(tmp_path), str(tmp_path / "a")])
    assert others == []
    assert first.path == str(tmp_path)
    kept = os.statvfs(tmp_path)
    assert first.total == kept.f_blocks * kept.f_frsize
    assert 0 < first.available <= first.total
    assert len(disks([str(tmp_path), "/proc"])) == 2
