# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the files of declared models are on the host."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.inferops.xinference.plugins.filter.model_host_paths import FilterModule as ModelHostPaths

model_host_paths = ModelHostPaths().filters()["model_host_paths"]

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
