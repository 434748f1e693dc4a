# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Registrations of every type on a real server: what our checks let pass is taken, comes back as declared, and shows what changed."""

from __future__ import annotations

from typing import Any

import pytest
from play import EMBEDDING, FOLDER, LLM
from real_server import Server

from ansible_collections.inferops.xinference.plugins.module_utils._core.declaration.specification import CUSTOM_TYPES, check_registration, registration_drift
from ansible_collections.inferops.xinference.plugins.module_utils._core.observed.server_files import DEFAULT_HOME, ServerFiles
from ansible_collections.inferops.xinference.plugins.module_utils._core.server.client import Client

#: Type → (specification without its name, a field with another value).
SPECIFICATIONS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "LLM": ({key: value for key, value in LLM.items() if key != "model_name"}, {"context_length": 1024}),
    "embedding": ({key: value for key, value in EMBEDDING.items() if key != "model_name"}, {"max_tokens": 128}),
    "rerank": (
        {
            "version": 2,
            "language": ["en"],
            "max_tokens": 128,
            "model_specs": [{"model_format": "pytorch", "quantization": "none", "model_id": None, "model_uri": f"file://{FOLDER}"}],
        },
        {"language": ["en", "de"]},
    ),
    "image": (
        {"version": 2, "model_family": "stable_diffusion", "model_uri": f"file://{FOLDER}", "model_ability": ["text2image"]},
        {"model_ability": ["text2image", "image2image"]},
    ),
    "audio": (
        {"version": 2, "model_family": "whisper", "multilingual": True, "model_uri": f"file://{FOLDER}", "model_ability": ["audio2text"]},
        {"multilingual": False},
    ),
    "flexible": (
        {"version": 2, "model_uri": f"file://{FOLDER}", "launcher": "xinference.model.flexible.launchers.transformers", "launcher_args": '{"task": "mock"}'},
        {"launcher_args": '{"task": "other"}'},
    ),
}


def test_every_type_is_tried() -> None:
    assert tuple(SPECIFICATIONS) == CUSTOM_TYPES


@pytest.mark.parametrize("model_type", SPECIFICATIONS)
def test_a_registration_of_every_type_comes_back_as_declared_and_shows_what_changed(client: Client, server: Server, model_type: str) -> None:
    name = f"contract-{model_type.lower()}-registered"
    specification, change = SPECIFICATIONS[model_type]
    assert check_registration(model_type, name, specification) == []
    wanted = {**specification, "model_name": name}
    files = ServerFiles({DEFAULT_HOME: str(server.home)}, DEFAULT_HOME)
    for again in ({}, change):
        client.register(model_type, {**wanted, **again})
        found = client.registrations(model_type, {name})[name]
        # Read from the server's file on the host, it is the same.
        for seen in (found, files.registrations(model_type, {name})[name]):
            assert registration_drift({**wanted, **again}, seen) == {}
            assert list(registration_drift(wanted, seen)) == list(again)
        client.unregister(model_type, name)
        assert client.registrations(model_type, {name}) == {}
        assert files.registrations(model_type, {name}) == {}
