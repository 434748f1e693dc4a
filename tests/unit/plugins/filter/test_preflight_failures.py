# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reasons why a host cannot become what was declared."""

from __future__ import annotations

from dataclasses import asdict

from ansible_collections.inferops.xinference.plugins.filter.preflight_failures import FilterModule as PreflightFailures
from ansible_collections.inferops.xinference.plugins.module_utils._core.preflight.settings import Settings

preflight_failures = PreflightFailures().filters()["preflight_failures"]

VOLUMES = [{"path": "models", "target": "/models"}, {"path": ".xinference", "target": "/root/.xinference"}, {"path": "backups"}]

CHAT = {"uid": "chat", "name": "qwen3", "engine": "llama.cpp"}


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
