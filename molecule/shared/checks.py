# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
r"""Tests that hold for every provisioned host; a scenario imports them and gives the fixtures \`\`server\`\` and \`\`root\`\`."""

from __future__ import annotations

from typing import Any

import pytest
from serving import Server, similarity

TREE = {
    "": 0o700,
    ".xinference": 0o700,
    ".cache/huggingface": 0o755,
    ".cache/huggingface/hub": 0o755,
    ".cache/modelscope": 0o755,
    "logs": 0o750,
    "models": 0o755,
    "backups": 0o700,
}
#: What the container writes, and its user owns.
WRITTEN = {".xinference", ".cache/huggingface/hub", ".cache/modelscope", "logs"}


class Serving:
    """A scenario derives a test class of this one, and gives the fixtures ``server``, ``root`` and ``port``."""

    @pytest.fixture
    def container_root(self, host: Any) -> int:
        """Number that root of the container has on the host."""
        assert host
        return 0

    @pytest.mark.parametrize(("path", "mode"), TREE.items())
    def test_folders(self, host: Any, root: str, container_root: int, path: str, mode: int) -> None:
        folder = host.file(f"{root}/{path}".rstrip("/"))
        assert folder.is_directory
        owner = container_root if path in WRITTEN else 0
        assert (folder.uid, folder.gid, folder.mode) == (owner, owner, mode)

    @pytest.mark.parametrize("folder", [".xinference", ".cache/huggingface", ".cache/modelscope", "logs", "log"])
    def test_tree_made_by_hand_is_adopted(self, host: Any, root: str, folder: str) -> None:
        assert host.file(f"{root}/{folder}/kept.txt").content_string == "made by hand"

    def test_server_writes_its_log_where_it_is_mounted(self, host: Any, root: str) -> None:
        assert host.file(f"{root}/logs/xinference.log").size > 0

    def test_port_only_on_loopback(self, host: Any, port: int) -> None:
        listening = [address for address in host.socket.get_listening_sockets() if address.endswith(f":{port}")]
        assert listening == [f"tcp://127.0.0.1:{port}"]

    def test_nobody_gets_in_without_an_account(self, server: Server) -> None:
        assert server.call("/v1/models", login=False)[0] == 401

    def test_nobody_else_can_become_administrator(self, server: Server) -> None:
        assert server.call("/v1/admin/setup/status", login=False)[1]["needs_setup"] is False

    def test_declared_models_run_and_no_others(self, server: Server) -> None:
        status, answer = server.call("/v1/models")
        assert status == 200
        assert {model["id"]: model["model_engine"] for model in answer["data"]} == {"chat": "llama.cpp", "embed": "sentence_transformers"}

    def test_chat_model_answers(self, server: Server) -> None:
        assert "Paris" in server.chat("What is the capital of France? Answer in one sentence.")

    def test_embedding_model_answers(self, server: Server) -> None:
        cat, kitten, invoice = (server.embed(text) for text in ("a cat sits on the mat", "a kitten lies on the rug", "the invoice is overdue"))
        assert len(cat) == 384
        assert similarity(cat, kitten) > similarity(cat, invoice) + 0.2
