# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module ``cached_models_info`` as Ansible runs it, with a server in memory."""

from __future__ import annotations

import pytest

from ansible_collections.inferops.xinference.plugins.module_utils._core.base.errors import ApiError, ConnectionFailed
from ansible_collections.inferops.xinference.plugins.modules import cached_models_info
from ansible_collections.inferops.xinference.tests.unit.plugins.module_utils._core.fake_server import WORKER, FakeServer
from ansible_collections.inferops.xinference.tests.unit.plugins.module_utils._core.plan_runner import SPECIFICATION
from ansible_collections.inferops.xinference.tests.unit.plugins.modules.module_runner import Runner


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Runner:
    """Runs the module."""
    return Runner(cached_models_info.main, capsys, monkeypatch)


def downloaded() -> FakeServer:
    """A server with downloaded files of two models, and a custom one whose files are linked."""
    server = FakeServer()
    server.register("LLM", {**SPECIFICATION, "model_name": "own"})
    for name, quantization in (("qwen3", "Q8_0"), ("qwen3", "Q4_K_M"), ("own", "Q4_1")):
        assert server.cache({"cache_uid": f"{name}-{quantization}", "model_name": name, "model_engine": "llama.cpp", "quantization": quantization})
    server.allowed = frozenset()
    return server


@pytest.mark.parametrize("check", [False, True])
def test_what_is_there_sorted_by_name(run: Runner, check: bool) -> None:
    server = downloaded()
    run.use(server)
    answer = run(check=check)
    assert (answer["failed"], answer["changed"]) == (False, False)
    versions = [files["model_version"] for files in answer["cached_models"]]
    assert versions == ["own--0_135B--ggufv2--Q4_1", "qwen3--0_6B--ggufv2--Q4_K_M", "qwen3--0_6B--ggufv2--Q8_0"]
    assert [files["linked"] for files in answer["cached_models"]] == [True, False, False]
    assert answer["cached_models"][1] == {
        "model_version": "qwen3--0_6B--ggufv2--Q4_K_M",
        "name": "qwen3",
        "type": "LLM",
        "format": "ggufv2",
        "size_in_billions": "0_6",
        "quantization": "Q4_K_M",
        "path": "/root/.xinference/cache/v2/qwen3-ggufv2-0_6b-Q4_K_M",
        "real_path": "/root/.xinference/huggingface/models--qwen3/blobs",
        "size_bytes": 98365440,
        "worker": WORKER,
        "engines": ["llama.cpp"],
        "linked": False,
    }
    assert server.closed


def test_only_files_of_one_name(run: Runner) -> None:
    run.use(downloaded())
    assert [files["name"] for files in run(name="qwen3")["cached_models"]] == ["qwen3", "qwen3"]
    assert run(name="nothing")["cached_models"] == []


@pytest.mark.parametrize("error", [ConnectionFailed("GET http://x: no connection."), ApiError("GET", "http://x", 500, "broken")])
def test_a_server_that_cannot_be_reached_or_read_is_one_sentence(run: Runner, error: Exception) -> None:
    run.use(error)
    answer = run(password="s3cret-pass")
    assert (answer["failed"], answer["msg"]) == (True, str(error))
    assert "s3cret-pass" not in run.output
    server = FakeServer()
    server.fail_next("cached", error)
    run.use(server)
    assert run()["msg"] == str(error)
    assert server.closed
