# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the logs take, what bounds them, and what is said of those that have no bound or are larger."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.inferops.xinference.plugins.module_utils._core.diagnose.logs import CONTAINER, SERVER, LogUse, check_logs, read_log_use
from ansible_collections.inferops.xinference.plugins.module_utils._core.diagnose.screen import screen_lines
from ansible_collections.inferops.xinference.plugins.module_utils._core.observed.server_files import ServerFiles
from ansible_collections.inferops.xinference.tests.unit.plugins.module_utils._core.exec_engine import ExecEngine

LOGS = "/root/.xinference/logs"
MIB, GIB = 1 << 20, 1 << 30
BOUNDS = ["XINFERENCE_LOG_ROTATION=daily+size", f"XINFERENCE_LOG_MAX_BYTES={50 * MIB}", "XINFERENCE_LOG_BACKUP_COUNT=9"]


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[ExecEngine]:
    """A Docker."""
    made = ExecEngine(tmp_path / "docker.sock")
    yield made
    made.close()


def uses(engine: ExecEngine, folder: Path, version: str | None, environment: list[str], **config: Any) -> list[LogUse]:
    """What the logs take on a host."""
    (folder / "home/logs/local_1").mkdir(parents=True)
    (folder / "home/logs/xinference.log").write_bytes(b"x" * 1000)
    (folder / "home/logs/local_1/xinference.log").write_bytes(b"x" * 200)
    for name, size in (("0-json.log", 300), ("0-json.log.1", 40)):
        (folder / name).write_bytes(b"x" * size)
    log = {"Type": "json-file", "Config": {"max-size": "10m", "max-file": "5"}, **config}
    engine.answers["/containers/xinference/json"] = {
        "LogPath": str(folder / "0-json.log"),
        "HostConfig": {"LogConfig": log},
        "Config": {"Env": ["PATH=/bin", *environment]},
    }
    return read_log_use(engine.address, "xinference", ServerFiles({"/root/.xinference": str(folder / "home")}), LOGS, version)


@pytest.mark.parametrize(
    ("version", "environment", "bound"),
    [
        ("4.1.0", BOUNDS, 1000 * MIB),
        # What the server itself takes.
        ("2.12.0", [], 2 * 100 * MIB * 301),
        ("2.11.0", BOUNDS, None),
        ("1.17.1", BOUNDS, None),
        (None, BOUNDS, None),
        ("4.1.0", [*BOUNDS, "XINFERENCE_LOG_ROTATION=daily"], None),
        ("4.1.0", [*BOUNDS, "XINFERENCE_LOG_BACKUP_COUNT=0"], None),
        ("4.1.0", [*BOUNDS, "XINFERENCE_LOG_MAX_BYTES=many"], None),
    ],
)
def test_the_server_s_bound(engine: ExecEngine, tmp_path: Path, version: str | None, environment: list[str], bound: int | None) -> None:
    assert uses(engine, tmp_path, version, environment) == [LogUse(CONTAINER, 340, 50 * MIB), LogUse(SERVER, 1200, bound)]


@pytest.mark.parametrize(
    ("config", "use"),
    [
        ({"Config": {}}, LogUse(CONTAINER, 340, None)),
        ({"Config": {"max-size": "1m"}}, LogUse(CONTAINER, 340, MIB)),
        # Docker takes it when a container is made, and refuses to start that one.
        ({"Config": {"max-size": "1m", "max-file": "x"}}, LogUse(CONTAINER, 340, None)),
    ],
)
def test_the_container_s_bound(engine: ExecEngine, tmp_path: Path, config: dict[str, Any], use: LogUse) -> None:
    assert uses(engine, tmp_path, "4.1.0", BOUNDS, **config)[0] == use


@pytest.mark.parametrize("driver", ["journald", "local", "none"])
def test_a_log_that_goes_elsewhere_is_not_called_unbounded(engine: ExecEngine, tmp_path: Path, driver: str) -> None:
    assert [use.log for use in uses(engine, tmp_path, "4.1.0", BOUNDS, Type=driver)] == [SERVER]


def test_nothing_is_known_without_a_container(engine: ExecEngine, tmp_path: Path) -> None:
    assert read_log_use(engine.address, "xinference", ServerFiles(), LOGS, None) == []
    assert read_log_use(f"unix://{tmp_path}/absent", "xinference", ServerFiles(), LOGS, None) == []


@pytest.mark.parametrize(
    ("use", "severity", "seen"),
    [
        (LogUse(CONTAINER, 5 * MIB, None), "warning", "The container's log takes 5 MiB, and has no bound."),
        (LogUse(CONTAINER, 60 * MIB, 50 * MIB), "warning", "The container's log takes 60 MiB; the bound is 50 MiB."),
        (LogUse(SERVER, 3 * GIB + GIB // 2, None), "note", "The server's log files take 3.5 GiB, and a server of this version has no bound for them."),
        (LogUse(SERVER, 2 * GIB, 1000 * MIB), "warning", "The server's log files take 2 GiB; the bound is 1000 MiB."),
    ],
)
def test_findings(use: LogUse, severity: str, seen: str) -> None:
    [found] = check_logs([use], LOGS)
    assert (found.check, found.severity, found.subject, found.seen) == ("logs", severity, LOGS if use.log == SERVER else "container", seen)
    assert found.meaning
    assert found.remedy


@pytest.mark.parametrize(
    "use",
    [LogUse(CONTAINER, None, None), LogUse(CONTAINER, 51 * MIB, 50 * MIB), LogUse(SERVER, None, None), LogUse(SERVER, 900 * MIB, None), LogUse(SERVER, 1, MIB)],
)
def test_nothing_is_found(use: LogUse) -> None:
    assert check_logs([use], LOGS) == []


def test_both_are_shown() -> None:
    logs: list[Any] = [{"log": "container", "bytes": 20 << 10, "bound": 50 * MIB}, {"log": "server", "bytes": 999, "bound": None}, {"log": "x"}]
    host = {"findings": [], "checks": ["a"], "logs": logs}
    assert screen_lines({"web1": host}) == ["web1: logs: container 20 KiB of 50 MiB, server 999 bytes of no bound", "", "web1: nothing found; 1 check"]
    odd = {"findings": [], "logs": [{"log": "\x1b", "bytes": True, "bound": -1}, {"bytes": "many", "bound": 1 << 80}]}
    assert screen_lines({"web1": odd})[0] == "web1: logs: \\x1b unknown of no bound, - unknown of no bound"
