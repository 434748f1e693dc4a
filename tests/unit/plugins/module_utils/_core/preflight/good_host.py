# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A good host and its settings, from which tests of the preflight begin."""

from __future__ import annotations

import copy
from typing import Any

from ansible_collections.inferops.xinference.plugins.module_utils._core.preflight.settings import BackupSettings, ProxySettings, Settings

ROOT = "/srv/xinference_data"
GOOD_PATH = {"exists": True, "directory": True, "public": False, "nearest": ROOT, "writable": True, "filesystem": "ext4", "free_mib": 50000}
HOST: dict[str, Any] = {
    "architecture": "x86_64",
    "memory": {"total_mib": 16000, "available_mib": 12000, "swap_mib": 0},
    "distribution": {"id": "debian", "version": "12", "like": []},
    "administrator": True,
    "python": {"version": "3.11.2", "executable": "/usr/bin/python3", "distribution": True, "packaging": True, "requests": True, "venv": True},
    "client_version": None,
    "client_problem": None,
    "client_foreign": False,
    "declared": [],
    "processors": 8,
    "addresses": {"127.0.0.1": True},
    "docker": {
        "reachable": True,
        "error": "",
        "version": "20.10.24",
        "api_version": "1.41",
        "container": None,
        "image_present": False,
        "networks": {"bridge": ["172.17.0.0/16"]},
        "processors": 8,
    },
    "listeners": [{"address": "0.0.0.0", "port": 22}],
    "service": {"systemd": True, "active": False},
    "paths": {ROOT: GOOD_PATH, f"{ROOT}/models/a.gguf": {**GOOD_PATH, "directory": False}},
}
SETTINGS = Settings(
    data_root=ROOT,
    address="127.0.0.1",
    port=9997,
    container="xinference",
    manage_docker=True,
    minimum_disk_mib=20480,
    minimum_memory_mib=4096,
    memory="auto",
    image_tag="v4.1.0-cpu",
    image_digest="",
    image_archive="",
    authentication=True,
    admin_password_length=12,
    validate_engine_options=True,
    models=[{"uid": "chat", "name": "qwen3", "engine": "llama.cpp", "path": "/models/a.gguf"}],
    volumes=[{"path": "models", "target": "/models"}, {"path": ".xinference", "target": "/root/.xinference"}, {"path": "backups"}],
    recovery="auto",
    recovery_address="127.0.0.1",
    recovery_port=9998,
    variables=["xinference_port", "xinference_models"],
    known_variables=["xinference_port", "xinference_models", "xinference_memory"],
)


def changed(**facts: Any) -> dict[str, Any]:
    """The good host with some facts changed; two underscores lead into a fact."""
    host = copy.deepcopy(HOST)
    for key, value in facts.items():
        *outer, last = key.split("__")
        place = host
        for name in outer:
            place = place[name]
        place[last] = value
    return host


CERTIFICATE, KEY = "/etc/ssl/own.pem", "/etc/ssl/own.key"
PROXY = ProxySettings(
    address="0.0.0.0",
    port=443,
    http_port=80,
    names=["inference-01.example.com", "*.example.com", "192.0.2.10", "2001:db8::1"],
    certificate="",
    certificate_key="",
    client_ca="",
    queue=32,
    queue_seconds=30,
    sizes={"xinference_proxy_max_body_size": "10m"},
    numbers={"xinference_proxy_timeout": 3600},
)
GIVEN: dict[str, Any] = {"certificate": CERTIFICATE, "certificate_key": KEY}


def host(**proxy: Any) -> dict[str, Any]:
    """A host without nginx, with the files that are given."""
    made = copy.deepcopy(HOST)
    made["python"]["cryptography"] = False
    made["paths"].update({CERTIFICATE: GOOD_PATH, KEY: GOOD_PATH})
    ends = {CERTIFICATE: {"sha256": "0f", "not_after": "2999-12-31T00:00:00+00:00"}}
    made["proxy"] = {"nginx": False, "active": False, "certificates": ends, **proxy}
    return made


BARE = host()

BACKUP = BackupSettings(
    password_length=12,
    repository="/var/backups/xinference",
    environment={},
    schedule="daily",
    keep_daily=7,
    keep_weekly=4,
    restore_from="latest",
    restore_host="",
    directories=["/etc/xinference-backup", "/usr/local/lib/xinference-backup", "/var/lib/xinference-backup", "/var/lib/xinference-models"],
)
