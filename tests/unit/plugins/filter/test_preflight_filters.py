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
from ansible_collections.inferops.xinference.plugins.filter.server_advisories import FilterModule as ServerAdvisories
from ansible_collections.inferops.xinference.plugins.module_utils._core.preflight.settings import Settings

model_host_paths = ModelHostPaths().filters()["model_host_paths"]
preflight_failures = PreflightFailures().filters()["preflight_failures"]
server_advisories = ServerAdvisories().filters()["server_advisories"]
VOLUMES = [{"path": "models", "target": "/models"}, {"path": ".xinference", "target": "/root/.xinference"}, {"path": "backups"}]
CHAT = {"uid": "chat", "name": "qwen3", "engine": "llama.cpp"}
SPEC = {
    "model_format": "ggufv2",
    "model_size_in_billions": 1,
    "quantization": "Q4_1",
    "model_file_name_template": "a.gguf",
    "model_uri": "file:///models/a.gguf",
}
REGISTRATION = {"version": 2, "model_lang": ["en"], "model_ability": ["generate"], "model_family": "qwen3", "model_specs": [SPEC]}


@pytest.mark.parametrize(
    ("models", "paths"),
    [
        ([], []),
        ("no list", []),
        ([CHAT], []),
        ([{**CHAT, "path": "/models/b.gguf"}, {**CHAT, "uid": "two", "path": "/models/a.gguf"}], ["/srv/d/models/a.gguf", "/srv/d/models/b.gguf"]),
        ([{**CHAT, "path": "/models/a.gguf"}, {**CHAT, "uid": "two", "path": "/models/a.gguf"}], ["/srv/d/models/a.gguf"]),
        ([{**CHAT, "path": "/elsewhere/a.gguf"}], []),
        ([{**CHAT, "path": "/models/a.gguf", "replica": 0}], []),
        ([{**CHAT, "registration": REGISTRATION}], ["/srv/d/models/a.gguf"]),
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
        "python": {"version": "3.11.2", "distribution": True, "packaging": True, "requests": True, "venv": True},
        "client_version": None,
        "client_foreign": False,
        "processors": 2,
        "addresses": {},
        "docker": {
            **{"reachable": False, "error": "there is none", "version": None, "container": None, "image_present": False},
            **{"processors": None, "networks": {}},
        },
        "listeners": [],
        "service": {"systemd": False, "active": False},
        "paths": {"/srv/d": path},
    }
    settings = Settings(
        data_root="/srv/d",
        address="127.0.0.1",
        port=9997,
        container="xinference",
        manage_docker=True,
        minimum_disk_mib=5,
        minimum_memory_mib=4096,
        memory="auto",
        image_tag="v4.1.0-cpu",
        image_digest="",
        image_archive="",
        authentication=True,
        admin_password_length=12,
        validate_engine_options=True,
        models=[CHAT],
        volumes=VOLUMES,
        recovery="auto",
        recovery_address="127.0.0.1",
        recovery_port=9998,
        variables=[],
        known_variables=[],
    )
    assert preflight_failures(host, asdict(settings)) == []
    assert preflight_failures(host, {**asdict(settings), "port": 0}) == ["xinference_port '0' is no port. Use a number from 1 to 65535."]


@pytest.mark.parametrize(
    ("tag", "environment", "cves"),
    [
        ("v4.1.0-cpu", {"XOSCAR_AUTH_KEY": True}, []),
        ("v1.17.1-cpu", {}, ["CVE-2026-61539"]),
        ("v1.17.1-cpu", {"XOSCAR_AUTH_KEY": False}, ["CVE-2026-61539", "CVE-2026-49950"]),
        # A look into the image says more than its tag.
        ("v4.1.0-cpu", {"XOSCAR_AUTH_KEY": False}, ["CVE-2026-49950"]),
        ("nightly-main", {"XOSCAR_AUTH_KEY": False}, ["CVE-2026-49950"]),
    ],
)
def test_what_a_server_is_open_to(tag: str, environment: dict[str, bool], cves: list[str]) -> None:
    told = server_advisories({"server_environment": environment}, tag)
    assert [sentence.partition("(")[2].partition(",")[0] for sentence in told] == cves
