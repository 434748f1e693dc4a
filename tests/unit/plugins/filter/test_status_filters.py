# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filters of playbook ``status``: what the roles read, as a state and as a table."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.inferops.xinference.plugins.filter.host_status import FilterModule as HostStatus
from ansible_collections.inferops.xinference.plugins.filter.status_table import FilterModule as StatusTable

host_status = HostStatus().filters()["host_status"]
status_table = StatusTable().filters()["status_table"]

HOST = {"engine": {"reachable": True, "error": "", "container": {"status": "running", "health": "healthy"}}}
RUNNING = {
    "server": {"version": "4.1.0", "authenticated": True, "workers": ["0.0.0.0:1"]},
    "models": [
        {"uid": "chat", "state": "ready", "message": "", "spec": {"model_type": "LLM", "model_engine": "llama.cpp"}},
        {"uid": "bad", "state": "error", "message": "out of memory", "spec": {}},
    ],
}
GOOD = {
    "container": "running",
    "health": "healthy",
    "version": "4.1.0",
    "workers": ["0.0.0.0:1"],
    "models": [
        {"uid": "chat", "type": "LLM", "engine": "llama.cpp", "state": "ready", "message": ""},
        {"uid": "bad", "type": None, "engine": None, "state": "error", "message": "out of memory"},
    ],
    "trouble": "",
}
NOTHING: dict[str, Any] = {"version": None, "workers": [], "models": []}


@pytest.mark.parametrize(
    ("variables", "status"),
    [
        ({"_xinference_found": {"host": HOST}, "_xinference_running": RUNNING}, GOOD),
        ({}, {"container": None, "health": None, **NOTHING, "trouble": "The host could not be read."}),
        ({"_xinference_found": {"unreachable": True}}, {"container": None, "health": None, **NOTHING, "trouble": "The host could not be read."}),
        (
            {"_xinference_found": {"host": {"engine": {"reachable": False, "error": "there is no socket /x", "container": None}}}},
            {"container": "absent", "health": None, **NOTHING, "trouble": "No Docker Engine answers: there is no socket /x."},
        ),
        (
            {"_xinference_found": {"host": HOST}, "_xinference_running": {"skipped": True}},
            {"container": "running", "health": "healthy", **NOTHING, "trouble": ""},
        ),
        (
            {"_xinference_found": {"host": HOST}, "_xinference_trouble": "no connection"},
            {"container": "running", "health": "healthy", **NOTHING, "trouble": "no connection"},
        ),
    ],
)
def test_the_state_of_a_host(variables: dict[str, Any], status: dict[str, Any]) -> None:
    assert host_status(variables) == status


def test_the_table() -> None:
    empty = {"container": "absent", "health": None, **NOTHING, "trouble": ""}
    lines = status_table({"one": GOOD, "second-host": empty, "three": {**empty, "container": None, "trouble": "The host could not be read."}})
    assert lines == [
        "HOST         CONTAINER          SERVER  WORKERS  MODEL  TYPE  ENGINE     STATE",
        "one          running (healthy)  4.1.0   1        chat   LLM   llama.cpp  ready",
        "                                                 bad    -     -          error",
        "second-host  absent             -       -        -      -     -          -",
        "three        unknown            -       -        -      -     -          -",
        "one: bad: out of memory",
        "three: The host could not be read.",
    ]


def test_no_hosts() -> None:
    assert status_table({}) == ["HOST  CONTAINER  SERVER  WORKERS  MODEL  TYPE  ENGINE  STATE"]
