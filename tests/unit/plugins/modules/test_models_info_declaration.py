# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A server that was set up by hand comes under control: ``models_info`` reads it as a declaration, and ``models`` with it changes nothing."""

from __future__ import annotations

import functools
from typing import Any

import pytest

from ansible_collections.inferops.xinference.plugins.module_utils._core.apply.run import apply_plan
from ansible_collections.inferops.xinference.plugins.module_utils._core.plan.drift import UNREPORTED
from ansible_collections.inferops.xinference.plugins.module_utils._core.reconcile import reconcile as pipeline
from ansible_collections.inferops.xinference.plugins.module_utils._core.server.rows import AutostartEntry, AutostartPolicy
from ansible_collections.inferops.xinference.plugins.modules import models, models_info
from ansible_collections.inferops.xinference.tests.unit.plugins.module_utils._core.fake_server import FakeServer
from ansible_collections.inferops.xinference.tests.unit.plugins.module_utils._core.plan_runner import SPECIFICATION
from ansible_collections.inferops.xinference.tests.unit.plugins.modules.module_runner import Runner

#: As the form of the server's own web interface sends it.
CHAT: dict[str, Any] = {
    "model_uid": "chat",
    "model_name": "own",
    "model_type": "LLM",
    "model_engine": "llama.cpp",
    "model_format": "ggufv2",
    "model_size_in_billions": "0_135",
    "quantization": "Q4_1",
    "n_gpu": "auto",
    "replica": 1,
    "request_limits": None,
    "worker_ip": None,
    "download_hub": None,
    "model_path": None,
    "n_ctx": 512,
    "envs": {"HF_TOKEN": "hf_hunter2"},
}
#: As a user wrote it by hand.
EMBED = {"model_uid": "embed", "model_name": "bge-m3", "model_type": "embedding", "model_format": "pytorch"}
POLICY: AutostartPolicy = {"priority": 7, "max_retries": 5, "retry_interval_seconds": 11}


@pytest.fixture
def info(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Runner:
    """Runs the module that reads."""
    return Runner(models_info.main, capsys, monkeypatch)


@pytest.fixture
def provision(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Runner:
    """Runs the module that provisions."""
    return Runner(models.main, capsys, monkeypatch)


def use(runner: Runner, server: FakeServer) -> None:
    """Let a module talk to this server, in the server's own time."""
    runner.use(server)
    runner.monkeypatch.setattr(pipeline, "apply_plan", functools.partial(apply_plan, clock=server.clock, sleep=server.clock.sleep))


def by_hand(*runners: Runner, **options: Any) -> FakeServer:
    """A server with two models launched by plain requests, of which one has an autostart entry."""
    server = FakeServer(**options)
    server.register("LLM", {**SPECIFICATION, "model_family": "other", "model_name": "own"})
    for request in (CHAT, EMBED):
        server.launch(request)
        server.clock.sleep(server.load_seconds)
    if server.with_autostart:
        server.set_autostart(AutostartEntry(enabled=True, **POLICY, launch=CHAT))
    assert server.ready() == {"chat", "embed"}
    server.allowed = frozenset()
    for runner in runners:
        use(runner, server)
    return server


def test_what_a_newer_server_left_is_no_autostart(info: Runner) -> None:
    server = by_hand(info)
    server.replaced_by_older()
    server.allowed = None
    server.launch(CHAT)
    server.clock.sleep(server.load_seconds)
    server.allowed = frozenset()
    (found,) = info(declaration=True, declaration_secrets=True)["declaration"]
    assert found["uid"] == "chat"
    assert "autostart" not in found


def test_a_run_with_the_declaration_changes_nothing(info: Runner, provision: Runner) -> None:
    server = by_hand(info, provision)
    found = info(declaration=True, declaration_secrets=True)
    assert (found["failed"], found["changed"], found["declaration_problems"]) == (False, False, [])
    assert found["declaration"] == [
        {
            "uid": "chat",
            "name": "own",
            "type": "LLM",
            "engine": "llama.cpp",
            "format": "ggufv2",
            "size_in_billions": "0_135",
            "quantization": "Q4_1",
            "replica": 1,
            "n_gpu": "auto",
            "environment": {"HF_TOKEN": "hf_hunter2"},
            "engine_options": {"n_ctx": 512},
            "autostart": POLICY,
            "registration": {
                "model_lang": ["en"],
                "model_ability": ["generate"],
                "model_family": "other",
                "context_length": 8192,
                "model_specs": [{key: value for key, value in SPECIFICATION["model_specs"][0].items() if value is not None}],
            },
        },
        {
            "uid": "embed",
            "name": "bge-m3",
            "type": "embedding",
            "engine": "sentence_transformers",
            "format": "pytorch",
            "quantization": "none",
            "replica": 1,
            "autostart": False,
        },
    ]
    assert found["declaration_unknown"] == {"embed": ["engine_options", *UNREPORTED]}
    answer = provision(models=found["declaration"])
    assert (answer["failed"], answer["changed"], answer["diff"]) == (False, False, {"before": {}, "after": {}})
    assert [(model["uid"], model["result"], model["drift"]) for model in answer["models"]] == [("chat", "unchanged", {}), ("embed", "unchanged", {})]
    assert not provision(models=found["declaration"], exclusive=True)["changed"]
    assert server.ready() == {"chat", "embed"}


def test_the_declaration_after_a_restart_changes_nothing(info: Runner, provision: Runner) -> None:
    server = by_hand(info, provision)
    before = info(declaration=True, declaration_secrets=True)["declaration"]
    server.restart()
    server.clock.sleep(60)
    after = info(declaration=True, declaration_secrets=True)["declaration"]
    # What no entry brought back does not run.
    assert after == before[:1]
    assert provision(models=after)["changed"] is False


def test_the_declaration_provisions_another_server_the_same(info: Runner, provision: Runner) -> None:
    by_hand(info)
    declaration = info(declaration=True, declaration_secrets=True)["declaration"]
    other = FakeServer()
    use(provision, other)
    assert not provision(models=declaration)["failed"]
    assert other.ready() == {"chat", "embed"}
    info.use(other)
    again = info(declaration=True, declaration_secrets=True)
    assert again["declaration"] == declaration
    assert again["declaration_unknown"] == {}
    other.allowed = frozenset()
    assert provision(models=declaration)["changed"] is False


def test_our_own_models_are_declared_as_they_were(info: Runner, provision: Runner) -> None:
    server = FakeServer()
    use(provision, server)
    declared = [
        {"uid": "a", "name": "qwen3", "engine": "llama.cpp", "engine_options": {"n_ctx": 1024}, "request_limits": 4, "autostart": {"priority": 3}},
        {"uid": "b", "name": "own", "engine": "llama.cpp", "registration": {**SPECIFICATION, "model_family": "other"}, "autostart": False},
    ]
    assert not provision(models=declared)["failed"]
    server.allowed = frozenset()
    info.use(server)
    found = info(declaration=True)
    assert found["declaration_unknown"] == {}
    assert found["declaration"][0]["request_limits"] == 4
    assert found["declaration"][0]["autostart"] == {"priority": 3, "max_retries": 1000, "retry_interval_seconds": 30}
    assert provision(models=found["declaration"])["changed"] is False
    # And the declaration that made them still holds.
    assert provision(models=declared)["changed"] is False


def test_a_server_without_history_and_autostart(info: Runner, provision: Runner, tmp_path: Any) -> None:
    by_hand(info, provision, with_history=False)
    found = info(declaration=True, state_path=str(tmp_path / "state.json"))
    assert all("autostart" not in item for item in found["declaration"])
    assert set(found["declaration_unknown"]) == {"chat", "embed"}
    assert provision(models=found["declaration"])["changed"] is False


def test_values_of_environment_variables_are_left_out_unless_they_are_wanted(info: Runner) -> None:
    by_hand(info)
    found = info(declaration=True)
    assert "hf_hunter2" not in info.output
    assert found["declaration_unknown"]["chat"] == ["environment.HF_TOKEN"]
    assert "environment" not in found["declaration"][0]


def test_without_the_option_nothing_more_is_read_or_returned(info: Runner) -> None:
    server = by_hand(info)
    server.calls.clear()
    answer = info()
    assert not {"declaration", "declaration_unknown", "declaration_problems"} & set(answer)
    assert [name for name, _argument in server.calls] == ["list_instances", "list_models", "version", "workers"]


def test_only_the_models_that_are_asked_for(info: Runner) -> None:
    by_hand(info)
    assert [item["uid"] for item in info(declaration=True, uids=["embed", "nothing"])["declaration"]] == ["embed"]


def test_wrong_mounts_are_one_sentence(info: Runner) -> None:
    info.use(AssertionError("must not connect"))
    answer = info(declaration=True, mounts={"root": "/srv"})
    assert answer["msg"] == "mounts 'root: /srv' must hold two absolute paths, in the container and on this host."
