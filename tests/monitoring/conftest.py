# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The figures that rules and dashboards are about."""

from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path

import pytest

from ansible_collections.inferops.xinference.plugins.module_utils._core.backup import status_file
from ansible_collections.inferops.xinference.plugins.module_utils._core.declaration.check import parse_models
from ansible_collections.inferops.xinference.plugins.module_utils._core.service import metrics as metrics_module
from ansible_collections.inferops.xinference.plugins.module_utils._core.service.container_report import ContainerReport, keep
from ansible_collections.inferops.xinference.plugins.module_utils._core.service.exposition import Exposition
from ansible_collections.inferops.xinference.plugins.module_utils._core.service.loop import Watcher
from ansible_collections.inferops.xinference.plugins.module_utils._core.service.metrics import Metrics, Places
from ansible_collections.inferops.xinference.plugins.module_utils._core.service.model_counts import ModelCounts
from ansible_collections.inferops.xinference.plugins.module_utils._core.service.model_status import ModelStatus
from ansible_collections.inferops.xinference.plugins.module_utils._core.service.stored import Declaration
from ansible_collections.inferops.xinference.tests.unit.plugins.module_utils._core.fake_server import FakeServer


@pytest.fixture
def exposed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """All figures that a service can have, as it writes them."""
    monkeypatch.setattr(metrics_module, "served_end", lambda *_place: datetime.now(timezone.utc))
    server = FakeServer()
    watcher = Watcher(lambda: server, lambda: None, lambda line: None, clock=server.clock)
    watcher.declaration = Declaration(tuple(parse_models([{"uid": "chat", "name": "qwen3", "engine": "llama.cpp"}])))
    watcher.statuses["chat"] = ModelStatus(state="ready", answered=5)
    watcher.statuses.counts["chat"] = ModelCounts(1, 0, buckets=[1, 0, 0, 0, 0, 0, 0, 0, 0], seconds=2.0, last=2.0, answer=0.1, answered=9.0, drift=0)
    watcher.connection.trouble, watcher.connection.workers = "", 1
    for name, content in {"current": "1000", "max": "4000", "stat": "inactive_file 150", "events": "oom_kill 3"}.items():
        (tmp_path / f"memory.{name}").write_text(f"{content}\n", encoding="utf-8")
    keep(str(tmp_path / "container.json"), ContainerReport("abc", 500.0, 4, 2, str(tmp_path), "4.1.0"))
    status_file.succeeded(str(tmp_path), "2026-01-31T12:00:00Z", "abc", files=1, size=2, where="/backups", warnings=[], tidied=None)
    metrics = Metrics(watcher, Places(str(tmp_path / "container.json"), ["/"], ("127.0.0.1", 443), str(tmp_path)))
    metrics.turned()
    return Exposition(metrics.families)()[1].decode()
