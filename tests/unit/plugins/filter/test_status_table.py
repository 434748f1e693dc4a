# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""States of hosts as a table."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from ansible_collections.inferops.xinference.plugins.filter.status_table import FilterModule as StatusTable
from ansible_collections.inferops.xinference.tests.unit.plugins.filter.statuses import DIGEST, GOOD, IMAGE, NOTHING

status_table = StatusTable().filters()["status_table"]


def test_the_table() -> None:
    served = {**GOOD, "recovery": "ready", "backup": {"last_success": None, "verified": False, "failed": ""}}
    empty = {"container": "absent", "image": None, "health": None, **NOTHING, "trouble": ""}
    lines = status_table({"one": served, "second-host": empty, "three": {**empty, "container": None, "trouble": "The host could not be read."}})
    assert lines == [
        "HOST         CONTAINER          IMAGE                SERVER  WORKERS  RECOVERY  BACKUP  MODEL  TYPE  ENGINE     STATE  DRIFT",
        "one          running (healthy)  sha256:0f0f0f0f0f0f  4.1.0   1        ready     never   chat   LLM   llama.cpp  ready  -",
        "                                                                                        bad    -     -          error  -",
        "second-host  absent             -                    -       -        -         -       -      -     -          -      -",
        "three        unknown            -                    -       -        -         -       -      -     -          -      -",
        "one: bad: out of memory",
        "three: The host could not be read.",
    ]


@pytest.mark.parametrize(
    ("age", "shown"),
    [
        # A clock that is ahead.
        ({"hours": -3}, "0 min"),
        ({"minutes": 59}, "59 min"),
        ({"minutes": 60}, "1 h"),
        ({"hours": 47, "minutes": 59}, "47 h"),
        ({"hours": 48}, "2 d"),
        ({"days": 400}, "400 d"),
    ],
)
def test_the_age_of_a_backup(age: dict[str, Any], shown: str) -> None:
    # A little more, because the test takes time as well.
    made = datetime.now(timezone.utc) - timedelta(**age, seconds=20)
    backup = {"last_success": made.strftime("%Y-%m-%dT%H:%M:%SZ"), "verified": True, "failed": ""}
    header, line = status_table({"one": {**GOOD, "backup": backup, "models": []}})
    assert line[header.index("BACKUP") : header.index("MODEL")].rstrip() == shown


@pytest.mark.parametrize(
    ("image", "shown"),
    [
        ("xprobe/xinference:v4.1.0-cpu", "v4.1.0-cpu"),
        ("registry.example:5000/xprobe/xinference:v4.1.0-cpu", "v4.1.0-cpu"),
        ("registry.example:5000/xprobe/xinference", "xinference"),
        (IMAGE, "sha256:0f0f0f0f0f0f"),
        (f"xprobe/xinference:v4.1.0-cpu@{DIGEST}", "sha256:0f0f0f0f0f0f"),
    ],
)
def test_an_image_in_the_table(image: str, shown: str) -> None:
    _header, line = status_table({"one": {**GOOD, "image": image, "models": []}})
    assert line.split()[3] == shown


def test_no_hosts() -> None:
    assert status_table({}) == ["HOST  CONTAINER  IMAGE  SERVER  WORKERS  RECOVERY  BACKUP  MODEL  TYPE  ENGINE  STATE  DRIFT"]


def test_the_column_of_drift_and_what_differs() -> None:
    chat, bad = GOOD["models"]
    models = [{**chat, "drift": "differs", "differences": ["n_ctx: 4096 → 2048", "replica: 1 → 2"]}, {**bad, "drift": "failed"}]
    header, first, second, *remarks = status_table({"one": {**GOOD, "models": models}})
    at = header.index("DRIFT")
    assert (first[at:], second[at:]) == ("differs", "failed")
    assert remarks == ["one: chat differs: n_ctx: 4096 → 2048; replica: 1 → 2", "one: bad: out of memory"]


def test_a_cluster_is_shown_with_the_workers_of_each_model() -> None:
    chat, bad = GOOD["models"]
    on = [{"name": "worker-1", "replicas": 1}, {"name": "worker-2", "replicas": 2}]
    supervisor = {**GOOD, "cluster": "supervisor", "workers": ["worker-1:30001", "worker-2:30001"], "models": [{**chat, "workers": on}, bad]}
    worker = {"container": "running", "image": IMAGE, "health": "healthy", **NOTHING, "cluster": "worker", "trouble": ""}
    said = "The container's health check fails: The supervisor main does not name worker-2:30001 among its workers."
    alone = {**GOOD, "models": [chat]}
    lines = status_table({"main": supervisor, "worker-1": worker, "worker-2": {**worker, "health": "unhealthy", "trouble": said}, "alone": alone})
    assert lines == [
        "HOST      CLUSTER     CONTAINER            IMAGE                SERVER  WORKERS  RECOVERY  BACKUP  MODEL  TYPE  ENGINE     STATE  DRIFT  ON",
        "main      supervisor  running (healthy)    sha256:0f0f0f0f0f0f  4.1.0   2        -         -       chat   LLM   llama.cpp  ready  -      "
        "worker-1, worker-2 (2 replicas)",
        "                                                                                                   bad    -     -          error  -      -",
        "worker-1  worker      running (healthy)    sha256:0f0f0f0f0f0f",
        "worker-2  worker      running (unhealthy)  sha256:0f0f0f0f0f0f",
        "alone     -           running (healthy)    sha256:0f0f0f0f0f0f  4.1.0   1        -         -       chat   LLM   llama.cpp  ready  -      -",
        "main: bad: out of memory",
        f"worker-2: {said}",
    ]
