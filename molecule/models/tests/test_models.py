# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The models as a user of the server sees them, before and after every change."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from serving import Server


def test_declared_models_run_and_no_others(server: Server) -> None:
    status, answer = server.call("/v1/models")
    assert status == 200
    assert {model["id"] for model in answer["data"]} == {"chat", "embed"}


def test_chat_model_answers(server: Server) -> None:
    assert "Paris" in server.chat("What is the capital of France? Answer in one sentence.")


def test_embedding_model_answers(server: Server) -> None:
    assert len(server.embed("a cat sits on the mat")) == 384


def test_state_is_for_its_owner_only(host: Any) -> None:
    """Servers with a launch history need no such file; others get one with the whole requests."""
    path = "/var/lib/xinference-models-xinference-models/launched.json"
    if host.file(path).exists:
        assert host.file(path).mode == 0o600


@pytest.fixture
def log(root: str) -> str:
    """What Ansible printed in this run, up to here."""
    return (Path(root).parents[1] / "models.log").read_text(encoding="utf-8")


def test_lines_show_how_far_a_model_is(log: str) -> None:
    assert re.search(r"(?m)^\[local\] chat: (creating|loading)(, \d+ %)?, \d+ s$", log)


def test_secrets_are_in_no_output(log: str) -> None:
    assert "marked-secret-of-a-model" not in log
    assert "marked-secret-of-the-models-scenario" not in log
