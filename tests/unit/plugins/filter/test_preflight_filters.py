# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filters that role ``preflight`` and the shared settings use."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import pytest

from ansible_collections.inferops.xinference.plugins.filter.model_host_paths import FilterModule as ModelHostPaths
from ansible_collections.inferops.xinference.plugins.filter.preflight_failures import FilterModule as PreflightFailures
from ansible_collections.inferops.xinference.plugins.module_utils._core.preflight import Settings

model_host_paths = ModelHostPaths().filters()["model_host_paths"]
preflight_failures = PreflightFailures().filters()["preflight_failures"]
VOLUMES = [{"path": "models", "target": "/models"}, {"path": "backups"}]
CHAT = {"uid": "chat", "name": "qwen3", "engine": "llama.cpp"}


@pytest.mark.parametrize(
    ("models", "paths"),
    [
        ([], []),
        ("no list", []),
        ([CHAT], []),
        ([{**CHAT, "path": "/models/b"}, {**CHAT, "uid": "two", "path": "/models/a"}], ["/srv/d/models/a", "/srv/d/models/b"]),
        ([{**CHAT, "path": "/models/a"}, {**CHAT, "uid": "two", "path": "/models/a"}], ["/srv/d/models/a"]),
        ([{**CHAT, "path": "/elsewhere/a"}], []),
        ([{**CHAT, "path": "/models/a", "replica": 0}], []),
        ([{**CHAT, "registration": {"model_specs": [{"model_uri": "file:///models/a"}]}}], ["/srv/d/models/a"]),
    ],
)
def test_where_the_files_of_models_lie(models: Any, paths: list[str]) -> None:
    assert model_host_paths(models, "/srv/d", VOLUMES) == paths


def test_failures_are_texts() -> None:
    path = {"exists": False, "directory": False, "nearest": "/srv", "writable": True, "filesystem": "ext4", "free_mib": 10}
    host = {
        "architecture": "x86_64",
        "memory": {"total_mib": 8000},
        "distribution": {"id": "debian", "like": []},
        "administrator": True,
        "python": {"version": "3.11.2", "packaging": True, "requests": True, "venv": True},
        "client_version": None,
        "engine": {"reachable": False, "error": "there is none", "version": None, "container": None, "image_present": False},
        "listeners": [],
        "paths": {"/srv/d": path},
    }
    settings = Settings(
        data_root="/srv/d",
        address="127.0.0.1",
        port=9997,
        container="xinference",
        manage_engine=True,
        minimum_disk_mib=5,
        minimum_memory_mib=4096,
        memory="auto",
        image_tag="v4.1.0-cpu",
        image_digest="",
        image_archive="",
        authentication=True,
        admin_password_length=12,
        models=[CHAT],
        volumes=VOLUMES,
        variables=[],
        known_variables=[],
    )
    assert preflight_failures(host, asdict(settings)) == []
    assert preflight_failures(host, {**asdict(settings), "port": 0}) == ["xinference_port '0' is no port. Use a number from 1 to 65535."]
