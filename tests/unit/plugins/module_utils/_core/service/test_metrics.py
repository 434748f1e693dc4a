# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Figures: each one, from what the service knows and from files as units of root and the kernel write them."""

from __future__ import annotations

import json
import os
import time
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.inferops.xinference.plugins.module_utils._core.backup import status_file
from ansible_collections.inferops.xinference.plugins.module_utils._core.declaration.check import parse_models
from ansible_collections.inferops.xinference.plugins.module_utils._core.service import metrics as metrics_module
from ansible_collections.inferops.xinference.plugins.module_utils._core.service.container_report import ContainerReport, keep
from ansible_collections.inferops.xinference.plugins.module_utils._core.service.loop import Watcher
from ansible_collections.inferops.xinference.plugins.module_utils._core.service.metrics import Metrics, Places
from ansible_collections.inferops.xinference.plugins.module_utils._core.service.model_counts import ModelCounts
from ansible_collections.inferops.xinference.plugins.module_utils._core.service.model_status import ModelStatus
from ansible_collections.inferops.xinference.plugins.module_utils._core.service.stored import Declaration
from ansible_collections.inferops.xinference.tests.unit.plugins.module_utils._core.fake_server import FakeServer

MODELS = [{"uid": "chat", "name": "qwen3", "engine": "llama.cpp"}, {"uid": "embed", "name": "bge", "type": "embedding"}, {"uid": "old", "state": "absent"}]


@pytest.fixture
def watcher() -> Watcher:
    """A watcher that found one model that answers, one that fails, and one that is absent, as it should be."""
    server = FakeServer()
    made = Watcher(lambda: server, lambda: None, lambda line: None, clock=server.clock)
    made.declaration = Declaration(tuple(parse_models(MODELS)))
    made.statuses.declare(["chat", "embed", "old"])
    made.connection.trouble, made.connection.workers = "", 1
    made.statuses["chat"] = ModelStatus(state="ready", answered=5)
    made.statuses.counts["chat"] = ModelCounts(2, 1, buckets=[0, 1, 0, 0, 0, 0, 0, 0, 1], seconds=2007.0, last=7.0, answer=0.25, answered=1000.0, drift=2)
    made.statuses["embed"] = ModelStatus(state="error", tries=3)
    made.statuses.counts["embed"] = ModelCounts(3, 3, drift=1)
    return made


def figures(metrics: Metrics) -> dict[str, Any]:
    """The figures by name and label."""
    return {
        "".join([family.name, *(f"[{text}]" for text in labels.values() if family.kind != "info")]): (labels if family.kind == "info" else value)
        for family in metrics.families()
        for labels, value in family.samples
    }


@pytest.fixture
def nothing(tmp_path: Path) -> Places:
    """A host of which nothing is seen."""
    return Places(root=tmp_path / "none")


def reported(folder: Path, version: str) -> Places:
    """A host of which is seen what version its server has."""
    keep(str(folder / "container.json"), ContainerReport(version=version))
    return Places(report=str(folder / "container.json"), root=folder / "none")


def test_the_service_and_its_server(watcher: Watcher, tmp_path: Path) -> None:
    metrics = Metrics(watcher, reported(tmp_path, "4.1.0"))
    known = figures(metrics)
    assert "last_poll_timestamp_seconds" not in known
    before = time.time()
    metrics.turned()
    known = figures(metrics)
    assert before <= known["last_poll_timestamp_seconds"] <= time.time()
    assert (known["ready"], known["server_up"], known["server_workers"], known["server"]) == (0, 1, 1, {"version": "4.1.0"})
    assert {name: value for name, value in known.items() if name.startswith("known_bad")} == {
        "known_bad_version[versions from 2.6.0 and before 2.6.3]": 0,
        "known_bad_version[CVE-2026-61539]": 0,
        "known_bad_version[CVE-2026-49950]": 0,
    }


@pytest.mark.parametrize(
    ("version", "bad"),
    [
        ("1.17.1", {"CVE-2026-61539", "CVE-2026-49950"}),
        ("2.6.1", {"versions from 2.6.0 and before 2.6.3", "CVE-2026-61539", "CVE-2026-49950"}),
        ("3.5.0", {"CVE-2026-49950"}),
        ("4.1.0", set()),
    ],
)
def test_versions_that_are_known_to_be_bad(watcher: Watcher, tmp_path: Path, version: str, bad: set[str]) -> None:
    known = figures(Metrics(watcher, reported(tmp_path, version)))
    assert {name[len("known_bad_version[") : -1] for name, value in known.items() if name.startswith("known_bad") and value} == bad


@pytest.mark.parametrize("version", ["", "unknown", '4.1.0"} 1\n', "4.1.0" * 100])
def test_a_version_that_is_none_is_left_out(watcher: Watcher, tmp_path: Path, version: str) -> None:
    assert [name for name in figures(Metrics(watcher, reported(tmp_path, version))) if name.startswith(("server[", "known_bad")) or name == "server"] == []


def test_a_server_that_is_away(watcher: Watcher, nothing: Places) -> None:
    watcher.connection.trouble = "no connection"
    known = figures(Metrics(watcher, nothing))
    assert (known["ready"], known["server_up"], known["server_workers"]) == (0, 0, 0)
    assert "server" not in known


def test_models(watcher: Watcher, nothing: Places) -> None:
    known = {name: value for name, value in figures(Metrics(watcher, nothing)).items() if name.startswith("model_")}
    assert known == {
        "model_declared[chat]": 1,
        "model_declared[embed]": 1,
        "model_declared[old]": 0,
        "model_ready[chat]": 1,
        "model_ready[embed]": 0,
        "model_ready[old]": 0,
        "model_answering[chat]": 1,
        "model_answering[embed]": 0,
        "model_launches[chat]": 2,
        "model_launches[embed]": 3,
        "model_launch_failures[chat]": 1,
        "model_launch_failures[embed]": 3,
        "model_time_to_ready_seconds[chat]": ((0, 1, 0, 0, 0, 0, 0, 0, 1), 2007.0),
        "model_last_time_to_ready_seconds[chat]": 7.0,
        "model_last_answer_seconds[chat]": 0.25,
        "model_last_answer_timestamp_seconds[chat]": 1000.0,
        # The other one does not run.
        "model_drift_fields[chat]": 2,
    }


def test_without_a_declaration_there_are_no_models(watcher: Watcher, nothing: Places) -> None:
    watcher.declaration = None
    assert [name for name in figures(Metrics(watcher, nothing)) if name.startswith("model_")] == []


def test_the_container(watcher: Watcher, tmp_path: Path) -> None:
    cgroup = tmp_path / "cgroup"
    cgroup.mkdir()
    for name, content in {"current": "1000", "max": "4000", "stat": "inactive_file 150", "events": "oom_kill 3"}.items():
        (cgroup / f"memory.{name}").write_text(f"{content}\n", encoding="utf-8")
    keep(str(tmp_path / "container.json"), ContainerReport("abc", 500.0, 4, 2, str(cgroup)))
    metrics = Metrics(watcher, Places(report=str(tmp_path / "container.json"), root=tmp_path))

    def known() -> dict[str, Any]:
        return {name: value for name, value in figures(metrics).items() if name.startswith("container_")}

    assert known() == {
        "container_restarts": 4,
        "container_start_timestamp_seconds": 500.0,
        "container_oom_kills": 3,
        "container_memory_bytes": 1000,
        "container_memory_working_set_bytes": 850,
        "container_memory_limit_bytes": 4000,
    }
    (cgroup / "memory.current").unlink()
    assert known() == {"container_restarts": 4, "container_start_timestamp_seconds": 500.0}
    (tmp_path / "container.json").write_text("{", encoding="utf-8")
    assert known() == {}


def test_the_host(watcher: Watcher, tmp_path: Path) -> None:
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc/meminfo").write_text("MemTotal: 8 kB\nMemAvailable: 3 kB\nSwapTotal: 5 kB\nSwapFree: 1 kB\n", encoding="utf-8")
    (tmp_path / "proc/vmstat").write_text("pswpin 7\npswpout 11\noom_kill 2\n", encoding="utf-8")
    known = figures(Metrics(watcher, Places(disks=[str(tmp_path)], root=tmp_path)))
    page, kept = os.sysconf("SC_PAGE_SIZE"), os.statvfs(tmp_path)
    assert {name: value for name, value in known.items() if name.startswith("host_")} == {
        "host_memory_bytes": 8192,
        "host_memory_available_bytes": 3072,
        "host_swap_bytes": 5120,
        "host_swap_used_bytes": 4096,
        "host_swap_read_bytes": 7 * page,
        "host_swap_written_bytes": 11 * page,
        "host_oom_kills": 2,
    }
    assert known[f"filesystem_bytes[{tmp_path}]"] == kept.f_blocks * kept.f_frsize
    assert 0 < known[f"filesystem_available_bytes[{tmp_path}]"] <= known[f"filesystem_bytes[{tmp_path}]"]


def test_the_certificate_of_the_proxy(watcher: Watcher, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []
    end: datetime | None = datetime(2027, 1, 1, tzinfo=timezone.utc)
    down = False

    def show(*place: Any) -> datetime | None:
        asked.append(place)
        if down:
            raise ConnectionRefusedError
        return end

    monkeypatch.setattr(metrics_module, "served_end", show)
    now = 0.0
    metrics = Metrics(watcher, Places(proxy=("127.0.0.1", 443), root=tmp_path), clock=lambda: now)

    def known() -> dict[str, Any]:
        return {name: value for name, value in figures(metrics).items() if name.startswith("proxy_")}

    both = {"proxy_up": 1, "proxy_certificate_end_timestamp_seconds": 1798761600.0}
    assert known() == both
    assert asked == [("127.0.0.1", 443, 2.0)]
    # It does not change often.
    now = 59.0
    assert known() == both
    assert len(asked) == 1
    now, down = 60.0, True
    assert known() == {"proxy_up": 0}
    # Whether it is back is asked each time.
    down, end = False, None
    assert known() == {"proxy_up": 1}
    assert len(asked) == 3


def test_backups(watcher: Watcher, tmp_path: Path) -> None:
    metrics = Metrics(watcher, Places(backup=str(tmp_path), root=tmp_path / "none"))

    def known() -> dict[str, Any]:
        return {name: value for name, value in figures(metrics).items() if name.startswith("backup_")}

    assert known() == {"backup_configured": 1}
    status_file.succeeded(str(tmp_path), "2026-01-31T12:00:00Z", "abc", files=1, size=2, where="/backups", warnings=[], tidied=None)
    succeeded = {"backup_configured": 1, "backup_last_success_timestamp_seconds": 1769860800.0}
    assert known() == {**succeeded, "backup_last_attempt_timestamp_seconds": 1769860800.0, "backup_failed": 0}
    status_file.failed(str(tmp_path), "2026-02-01T12:00:00Z", "no repository")
    assert known() == {**succeeded, "backup_last_attempt_timestamp_seconds": 1769947200.0, "backup_failed": 1}
    (tmp_path / "status.json").write_text(json.dumps({"version": 1, "last_success": "yesterday", "last_attempt": 5, "failed": ""}), encoding="utf-8")
    assert known() == {"backup_configured": 1, "backup_failed": 0}


def test_what_is_not_there_is_left_out(watcher: Watcher, nothing: Places) -> None:
    assert [name for name in figures(Metrics(watcher, nothing)) if name.startswith(("container", "host", "filesystem", "proxy", "backup"))] == []


def test_each_name_is_there_once_and_of_a_known_kind(watcher: Watcher, tmp_path: Path) -> None:
    families = Metrics(watcher, replace(reported(tmp_path, "4.1.0"), backup=str(tmp_path), disks=["/"], root=Path("/"))).families()
    names = [family.full_name for family in families]
    assert sorted(set(names)) == sorted(names)
    assert {family.kind for family in families} == {"gauge", "counter", "info", "histogram"}
    assert all(family.help.endswith(".") for family in families)
