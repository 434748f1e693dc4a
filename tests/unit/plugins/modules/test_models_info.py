# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module ``models_info`` as Ansible runs it."""

from __future__ import annotations

import pytest

from ansible_collections.inferops.xinference.plugins.module_utils._core.base.errors import ApiError, ConnectionFailed
from ansible_collections.inferops.xinference.plugins.modules import models_info
from ansible_collections.inferops.xinference.tests.unit.plugins.module_utils._core.fake_server import WORKER, FakeServer, Script
from ansible_collections.inferops.xinference.tests.unit.plugins.modules.module_runner import Runner


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Runner:
    """Runs the module."""
    return Runner(models_info.main, capsys, monkeypatch)


@pytest.mark.parametrize("check", [False, True])
def test_every_model_with_its_state_sorted_by_uid(run: Runner, check: bool) -> None:
    server = FakeServer(allowed=frozenset()).run("b").put("a", "ERROR", "out of memory").put("c", "CREATING")
    run.use(server)
    answer = run(check=check)
    assert (answer["failed"], answer["changed"]) == (False, False)
    assert [(model["uid"], model["state"], model["message"]) for model in answer["models"]] == [
        ("a", "error", "out of memory"),
        ("b", "ready", ""),
        ("c", "creating", ""),
    ]
    assert answer["models"][1]["spec"]["model_name"] == "qwen3"
    assert answer["models"][0]["spec"] == {}
    assert answer["server"] == {"version": "4.1.0", "authenticated": True, "workers": [WORKER]}
    assert server.closed


def test_only_the_models_that_are_asked_for_in_that_order(run: Runner) -> None:
    run.use(FakeServer().run("a", "b"))
    answer = run(uids=["b", "nothing"])
    assert [(model["uid"], model["state"]) for model in answer["models"]] == [("b", "ready"), ("nothing", "absent")]
    assert run(uids=[])["models"] == []


def test_a_model_of_which_a_copy_is_still_loading_is_not_ready(run: Runner) -> None:
    server = FakeServer(load_seconds=10)
    server.launch({"model_uid": "chat", "model_type": "LLM", "model_name": "qwen3", "model_engine": "llama.cpp", "replica": 2})
    run.use(server)
    states = []
    for _poll in range(3):
        states.append(run()["models"][0]["state"])
        server.clock.sleep(10)
    assert states == ["creating", "scaling", "ready"]


def test_the_workers_that_a_model_runs_on(run: Runner) -> None:
    addresses = ("worker-2:30001", "worker-1:30001", "worker-2:30001")
    copies = [{"replica_id": number, "worker_address": address, "status": "READY", "error_message": ""} for number, address in enumerate(addresses)]
    instances = [
        {"model_uid": "chat", "status": "READY", "instance_created_ts": 1, "replica_statuses": copies},
        {"model_uid": "old", "status": "READY", "instance_created_ts": 1, "replica_statuses": []},
    ]
    run.use(Script(("list_instances", instances), ("list_models", {"chat": {}, "old": {}}), ("version", None), ("workers", [])))
    chat, old = run()["models"]
    assert (chat["workers"], old["workers"]) == ([{"name": "worker-1", "replicas": 1}, {"name": "worker-2", "replicas": 2}], [])
    assert "places" not in chat


def test_a_model_that_is_not_there_has_no_workers(run: Runner) -> None:
    run.use(FakeServer())
    assert run(uids=["chat"])["models"][0]["workers"] == []


def test_a_model_that_the_server_lists_late_is_ready(run: Runner) -> None:
    server = FakeServer(load_seconds=10, list_seconds=3)
    server.launch({"model_uid": "chat", "model_type": "LLM", "model_name": "qwen3", "model_engine": "llama.cpp"})
    server.clock.sleep(11)
    run.use(server)
    (model,) = run()["models"]
    assert (model["state"], model["spec"]["model_name"]) == ("ready", "qwen3")


def test_an_orphaned_model_is_named(run: Runner) -> None:
    server = FakeServer().run("chat")
    server.cancel("chat")
    run.use(server)
    (model,) = run()["models"]
    assert (model["state"], model["spec"]) == ("orphaned", {})


def test_a_server_without_accounts_says_so(run: Runner) -> None:
    run.use(FakeServer(authenticated=False, username="", release="2.11.0", with_autostart=False))
    assert run()["server"] == {"version": "2.11.0", "authenticated": False, "workers": [WORKER]}


def test_it_only_reads(run: Runner) -> None:
    script = Script(("list_instances", []), ("list_models", {}), ("version", None), ("workers", []))
    run.use(script)
    answer = run()
    script.finish()
    assert answer["server"] == {"version": None, "authenticated": True, "workers": []}


@pytest.mark.parametrize("error", [ConnectionFailed("GET http://x: no connection (Connection refused)."), ApiError("GET", "http://x", 500, "broken")])
def test_failures_are_one_sentence(run: Runner, error: Exception) -> None:
    run.use(error)
    answer = run(password="s3cret-pass")
    assert (answer["failed"], answer["msg"]) == (True, str(error))
    assert "Traceback" not in run.output
    assert "s3cret-pass" not in run.output


def test_a_server_that_is_lost_on_the_way_is_one_sentence_and_is_let_go(run: Runner) -> None:
    server = FakeServer().run("chat")
    server.fail_next("list_models", ConnectionFailed("GET http://fake:9997/v1/models: no connection (Connection refused)."))
    run.use(server)
    answer = run()
    assert (answer["failed"], answer["msg"]) == (True, "GET http://fake:9997/v1/models: no connection (Connection refused).")
    assert "Traceback" not in run.output
    assert server.closed
