# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is read of kernel, systemd and container: from files of a test, commands of a test, and a Docker behind a socket."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ansible_collections.inferops.xinference.plugins.module_utils._core.base.bounded import Answer
from ansible_collections.inferops.xinference.plugins.module_utils._core.diagnose import evidence as evidence_module
from ansible_collections.inferops.xinference.plugins.module_utils._core.diagnose.container import Directory, Inside
from ansible_collections.inferops.xinference.plugins.module_utils._core.diagnose.evidence import Asked, SwapTraffic, gather, look_inside
from ansible_collections.inferops.xinference.plugins.module_utils._core.host.docker import Deaths, DockerSocket
from ansible_collections.inferops.xinference.tests.unit.plugins.module_utils._core.exec_engine import ExecEngine, frame

#: A line of the audit log, of now.
AVC = f"type=AVC msg=audit({int(time.time())}.123:45): avc:  denied  {{ read }}"
LONG_AGO = "type=AVC msg=audit(1700000000.1:1): avc:  denied  { read }"
UNIT = "xinference-models.service"
SEEN: dict[str, Any] = {"port": "", "directories": {"/models": {"device": 8, "inode": 200, "readable": True, "writable": False}}, "hub": None}
INSIDE = Inside(directories={"/models": Directory((8, 200), True, False)})
STATS = "/containers/xinference/stats"


def any_of(*values: Any) -> tuple[Any, ...]:
    """Values of any kinds."""
    return values


class Commands:
    """Answers to commands, by their first word."""

    def __init__(self, **answers: str) -> None:
        self.answers = answers
        self.run: list[list[str]] = []

    def __call__(self, command: Sequence[str], **_options: Any) -> tuple[int, str, str]:
        self.run.append(list(command))
        return (0, self.answers[command[0]], "") if command[0] in self.answers else (1, "", "not found")


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[ExecEngine]:
    """A Docker whose container answers as it should."""
    running = ExecEngine(tmp_path / "docker.sock")
    running.writes = frame(1, json.dumps(SEEN).encode())
    yield running
    running.close()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Where a host's file system begins."""
    files = {
        "proc/cpuinfo": "processor\t: 0\nflags\t\t: fpu avx avx2\n\nprocessor\t: 1\nflags\t\t: other\n",
        "proc/meminfo": "MemTotal:  100 kB\nSwapTotal:   4096 kB\nSwapFree:    1024 kB\n",
        "proc/vmstat": "pgin 1\npswpin 100\npswpout 50\n",
        "var/log/audit/audit.log": f"{AVC} scontext=container_t\x1b[2J\n{AVC} scontext=httpd_t\n{LONG_AGO} scontext=container_t\n",
    }
    for path, text in files.items():
        place = tmp_path / "root" / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text, encoding="utf-8")
    return tmp_path / "root"


# The container from inside.


def looked(engine: ExecEngine) -> Inside:
    """What the container says."""
    return look_inside(DockerSocket(engine.address), "xinference", ["/models"], hub=False)


def test_what_the_container_sees(engine: ExecEngine) -> None:
    assert looked(engine) == INSIDE
    python, isolated, option, text, asked = engine.commands[0]["Cmd"]
    assert (python, isolated, option) == ("python3", "-I", "-c")
    assert "def directory(" in text
    assert json.loads(asked) == {"seconds": 20, "port": 9997, "directories": ["/models"], "hub": False}


@pytest.mark.parametrize(
    "writes",
    [
        b"",
        b"text",
        b"{",
        b"\xff",
        b"[]",
        b"null",
        b"7",
        b"{}",
        b"[" * 200_000,
        b'{"port": ' + b"9" * 5000 + b"}",
        b'{"port": 7, "directories": {}}',
        b"\x1b[2J",
    ],
)
def test_a_container_that_answers_something_else(engine: ExecEngine, writes: bytes) -> None:
    engine.writes = frame(1, writes)
    with pytest.raises(OSError, match="the container sent something else than was asked for"):
        looked(engine)


def test_numbers_that_are_none_of_a_file_system(engine: ExecEngine) -> None:
    for odd in ("1e999", "NaN", "-Infinity", "1.5"):
        engine.writes = frame(1, b'{"port": "", "directories": {"/models": {"device": 8, "inode": %s}}}' % odd.encode())
        with pytest.raises(OSError, match="something else"):
            looked(engine)


def test_a_container_that_writes_without_end(engine: ExecEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Answer, "limit", 1 << 16)
    engine.writes = frame(1, b"x" * (1 << 17))
    with pytest.raises(OSError, match="the answer has more than"):
        looked(engine)


# Everything.


def test_all_that_is_read(engine: ExecEngine, root: Path, tmp_path: Path) -> None:
    engine.answers[STATS] = {"memory_stats": {"usage": 900, "limit": 1000, "stats": {"inactive_file": 200}}}
    engine.answers["/containers/xinference/json"] = {"State": {"Running": False, "OOMKilled": True}, "RestartCount": 3}
    commands = Commands(
        systemctl=f"Id={UNIT}\nLoadState=loaded\nActiveState=failed\nResult=exit-code\nNRestarts=2\n\nId=none.service\nLoadState=not-found\n",
        journalctl="Out of memory: Killed process 17 (python3) total-vm:1\nother\nKilled process 18 (a\x1bb) x\n",
        timedatectl="no\n",
    )
    volumes = [{"source": str(tmp_path), "target": "/models"}, {"source": str(tmp_path / "none"), "target": "/gone"}]
    asked = Asked("xinference", engine.address, (UNIT, "none.service", UNIT), (str(tmp_path / "not/there"),), controller_time=0.0)
    found = gather(asked, {"status": "running", "volumes": volumes}, SwapTraffic(root), commands, root)
    host, place = found.host, tmp_path.stat()
    assert host.processor_flags == {"fpu", "avx", "avx2"}
    assert (host.swap_used_mib, host.swapped_pages) == (3, 0.0)
    assert host.killed == ("python3", "a b")
    assert host.synchronized is False
    assert host.clock_ahead > 1e9
    assert host.units == {UNIT: {"ActiveState": "failed", "Result": "exit-code", "NRestarts": "2"}}
    assert host.denials == (f"{AVC} scontext=container_t [2J",)
    assert host.directories == {str(tmp_path): (place.st_dev, place.st_ino), str(tmp_path / "none"): None}
    (room,) = host.rooms.values()
    assert 0 <= room.free_mib <= room.total_mib
    assert found.inside == Inside(directories={"/models": Directory((8, 200), True, False), "/gone": None})
    assert (found.not_inside, found.memory, found.deaths) == ("", (700, 1000), Deaths(1, 3))
    assert ["systemctl", "show", "--property=Id,LoadState,ActiveState,Result,NRestarts", "none.service", UNIT] in commands.run


def test_a_host_that_says_nothing(tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    found = gather(Asked("xinference", f"unix://{tmp_path}/none"), None, SwapTraffic(empty), Commands(), empty)
    assert found.host == evidence_module.HostEvidence()
    assert (found.inside, found.not_inside, found.memory, found.deaths) == (None, "the container does not run", None, None)


def test_a_container_that_cannot_be_looked_into(engine: ExecEngine, root: Path) -> None:
    engine.writes, engine.exit_code = frame(2, b"no python3\x1b[2J.\n"), 127
    found = gather(Asked("xinference", engine.address), {"status": "running", "volumes": []}, SwapTraffic(root), Commands(), root)
    assert (found.inside, found.not_inside) == (None, "no python3 [2J")


@pytest.mark.parametrize(
    ("stats", "memory"),
    [
        ({"usage": 900, "limit": 1000, "stats": {"total_inactive_file": 100}}, (800, 1000)),
        ({"usage": 900, "limit": 1000}, (900, 1000)),
        # More cache than is used, which is counted a moment later.
        ({"usage": 9, "limit": 1000, "stats": {"inactive_file": 100}}, (0, 1000)),
        *((odd, None) for odd in any_of({}, None, 7, [], {"limit": 0}, {"limit": 1000}, {"usage": None, "limit": 1000}, {"usage": "x", "limit": 1})),
        ({"usage": 1, "limit": 1, "stats": [7]}, None),
        ({"usage": float("inf"), "limit": 1000}, None),
    ],
)
def test_memory_of_a_container(engine: ExecEngine, root: Path, stats: Any, memory: tuple[int, int] | None) -> None:
    engine.answers[STATS] = {"memory_stats": stats}
    found = gather(Asked("xinference", engine.address), {"status": "running", "volumes": []}, SwapTraffic(root), Commands(), root)
    assert found.memory == memory


def test_pages_that_are_swapped_meanwhile(root: Path) -> None:
    traffic = SwapTraffic(root)
    (root / "proc/vmstat").write_text("pswpin 100100\npswpout 50\n", encoding="ascii")
    assert traffic.rate() > 0


@pytest.mark.parametrize("text", ["", "pswpin\n", "pswpin x\n", "\xff"])
def test_counters_that_are_none(root: Path, text: str) -> None:
    (root / "proc/vmstat").write_text(text, encoding="utf-8")
    assert SwapTraffic(root).pages == 0


@pytest.mark.parametrize(("says", "synchronized"), [("yes\n", True), ("no\n", False), ("", None), ("maybe", None)])
def test_the_clock(root: Path, says: str, synchronized: bool | None) -> None:
    def clock() -> bool | None:
        return gather(Asked("x", "unix:///none"), None, SwapTraffic(root), Commands(timedatectl=says), root).host.synchronized

    assert clock() is synchronized
    # In a container it is that of another host.
    (root / ".dockerenv").touch()
    assert clock() is None


def test_an_audit_log_that_is_something_else(root: Path) -> None:
    log = root / "var/log/audit/audit.log"

    def denials() -> tuple[str, ...]:
        return gather(Asked("x", "unix:///none"), None, SwapTraffic(root), Commands(), root).host.denials

    log.write_text(f"{AVC} container_t\n" * 50, encoding="utf-8")
    assert len(denials()) == 20
    log.unlink()
    (root / "secret").write_text(f"{AVC} container_t\n", encoding="utf-8")
    log.symlink_to(root / "secret")
    assert denials() == ()
    log.unlink()
    os.mkfifo(log)
    assert denials() == ()


def test_room_of_all_that_is_written_each_file_system_once(engine: ExecEngine, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Caches are often on a disk of their own, and so is what Docker keeps."""
    devices = {"/": 1, "/srv": 1, "/srv/data": 2, "/srv/data/.cache": 3, "/srv/data/models": 4, "/srv/data/logs": 2, "/var/lib/docker": 5}
    sizes = os.statvfs_result((4096, 4096, 256, 128, 64, 1000, 900, 800, 0, 255))

    real = os.stat

    def stat(path: Any, **options: Any) -> Any:
        return SimpleNamespace(st_dev=devices[str(path)], st_ino=2) if str(path) in devices else real(path, **options)

    def statvfs(path: Any) -> os.statvfs_result:
        if str(path) not in devices:
            raise FileNotFoundError(path)
        return sizes

    volumes = [{"source": f"/srv/data/{name}", "target": f"/{name}", "read_only": name == "models"} for name in (".cache", "models", "logs")]
    asked = Asked("xinference", engine.address, rooms=("/srv/data/to/come", "/var/lib/docker", ""))
    with monkeypatch.context() as patched:
        patched.setattr(evidence_module, "look_inside", lambda *_words, **_options: Inside())
        patched.setattr(os, "stat", stat)
        patched.setattr(os, "statvfs", statvfs)
        found = gather(asked, {"status": "running", "volumes": volumes}, SwapTraffic(root), Commands(), root)
    # What is not there yet is where its parent is, and to what the container only reads, nobody writes.
    assert found.host.rooms == dict.fromkeys(("/srv/data/to/come", "/var/lib/docker", "/srv/data/.cache"), evidence_module.Room(1, 0, 1000, 800))


def test_a_file_system_that_nobody_writes_to_is_full_and_that_is_well(tmp_path: Path, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = os.statvfs(tmp_path)
    read_only = os.statvfs_result((*found[:8], found.f_flag | os.ST_RDONLY, *found[9:]))
    monkeypatch.setattr(os, "statvfs", lambda _path: read_only)
    assert gather(Asked("x", "unix:///none", rooms=(str(tmp_path),)), None, SwapTraffic(root), Commands(), root).host.rooms == {}


def test_swap_is_counted_until_it_is_stopped(root: Path) -> None:
    traffic = SwapTraffic(root)
    traffic.stop()
    (root / "proc/vmstat").write_text("pswpin 1000000\npswpout 1000000\n", encoding="utf-8")
    assert traffic.rate() == 0.0
