# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Statuses of hosts, as one filter returns and another one shows them."""

from __future__ import annotations

from typing import Any

DIGEST = "sha256:" + "0f" * 32
IMAGE = f"registry.example:5000/xprobe/xinference@{DIGEST}"
#: Of a model that was not compared with its declaration.
NOT_COMPARED: dict[str, Any] = {"drift": None, "differences": []}
#: A host that serves one model, and another one failed.
GOOD: dict[str, Any] = {
    "container": "running",
    "image": IMAGE,
    "health": "healthy",
    "cluster": None,
    "version": "4.1.0",
    "workers": ["0.0.0.0:1"],
    "recovery": None,
    "backup": None,
    "models": [
        {"uid": "chat", "type": "LLM", "engine": "llama.cpp", "state": "ready", "message": "", "workers": [{"name": "0.0.0.0", "replicas": 1}], **NOT_COMPARED},
        {"uid": "bad", "type": None, "engine": None, "state": "error", "message": "out of memory", "workers": [], **NOT_COMPARED},
    ],
    "trouble": "",
}
#: What is known of a server that does not run.
NOTHING: dict[str, Any] = {"cluster": None, "version": None, "workers": [], "recovery": None, "backup": None, "models": []}
