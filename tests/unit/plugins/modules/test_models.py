# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module ``models`` as Ansible runs it, on a server in memory."""

from __future__ import annotations

import functools
from typing import Any

import pytest

from ansible_collections.inferops.xinference.plugins.module_utils import _module
from ansible_collections.inferops.xinference.plugins.module_utils._core.errors import ApiError, AuthenticationError, ConnectionFailed
from ansible_collections.inferops.xinference.plugins.modules import models
from ansible_collections.inferops.xinference.tests.unit.plugins.module_utils._core.fake_server import FakeServer, Script
from ansible_collections.inferops.xinference.tests.unit.plugins.modules.module_runner import Runner

CHAT = {"uid": "chat", "name": "qwen3", "engine": "llama.cpp"}
OLD = {"uid": "old", "state": "absent"}
LAUNCHED = {"state": "ready", "type": "LLM", "name": "qwen3", "engine": "llama.cpp"}


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Runner:
    """Runs the module."""
    return Runner(models.main, capsys, monkeypatch)


def serve(run: Runner, server: FakeServer) -> FakeServer:
    """Let the module talk to this server, in the server's own time."""
    run.use(server)
    run.monkeypatch.setattr(models, "apply_plan", functools.partial(models.apply_plan, clock=server.clock, sleep=server.clock.sleep))
    return server


# What it does and returns.


def test_it_launches_what_is_missing_and_terminates_what_is_absent(run: Runner) -> None:
    server = serve(run, FakeServer().run("old"))
    answer = run(models=[CHAT, OLD])
    assert (answer["failed"], answer["changed"]) == (False, True)
    assert [call[0] for call in server.writes()] == ["terminate", "launch"]
    assert answer["diff"] == {
        "before": {"old": answer["models"][0]["before"], "chat": {"state": "absent"}},
        "after": {"old": {"state": "absent"}, "chat": LAUNCHED},
    }
    assert answer["models"][1] == {
        "uid": "chat",
        "result": "launched",
        "changed": True,
        "state": "ready",
        "seconds": 10.0,
        "before": None,
        "after": LAUNCHED,
        "drift": {},
        "message": "",
    }
    assert server.closed


def test_a_second_run_changes_nothing(run: Runner) -> None:
    server = serve(run, FakeServer().run("old"))
    run(models=[CHAT, OLD])
    server.allowed = frozenset()
    answer = run(models=[CHAT, OLD])
    assert (answer["failed"], answer["changed"], answer["diff"]) == (False, False, {"before": {}, "after": {}})
    assert {model["uid"]: model["result"] for model in answer["models"]} == {"chat": "unchanged", "old": "unchanged"}


@pytest.mark.parametrize("items", [[CHAT], [OLD], [CHAT, OLD], [{**CHAT, "uid": "busy"}], [{"uid": "busy", "state": "absent"}], []])
@pytest.mark.parametrize("exclusive", [False, True])
def test_check_mode_predicts_changed_and_diff_and_writes_nothing(run: Runner, items: list[dict[str, Any]], exclusive: bool) -> None:
    def server() -> FakeServer:
        # The other party's launch outlasts the run when it is cancelled, and ends when it is waited for.
        return serve(run, FakeServer(load_seconds=15, cancel_seconds=1).run("old", "kept").put("busy", "CREATING"))

    looked_at = server()
    looked_at.allowed = frozenset()
    predicted = run(check=True, models=items, exclusive=exclusive)
    assert looked_at.writes() == []
    assert looked_at.clock.now == 1000.0
    server()
    done = run(models=items, exclusive=exclusive)
    assert not done["failed"]
    assert (predicted["changed"], predicted["diff"]) == (done["changed"], done["diff"])
    for before, after in zip(predicted["models"], done["models"], strict=True):
        assert {**before, "seconds": 0} == {**after, "seconds": 0}


def test_check_mode_makes_exactly_the_two_reads(run: Runner) -> None:
    script = Script(("list_instances", []), ("list_models", {}))
    run.use(script)
    assert run(check=True, models=[CHAT])["changed"] is True
    script.finish()
    assert script.closed


def test_registrations_are_read_only_when_a_declared_model_brings_one(run: Runner) -> None:
    registration = {"model_specs": [{"model_uri": "/models/a"}]}
    script = Script(("list_instances", []), ("list_models", {}), ("list_registrations", {}))
    run.use(script)
    run(check=True, models=[{**CHAT, "registration": registration}, {**CHAT, "uid": "old", "type": "rerank", "state": "absent"}])
    script.finish()


def test_the_wait_options_are_used(run: Runner) -> None:
    server = serve(run, FakeServer(load_seconds=100))
    answer = run(models=[CHAT, {**CHAT, "uid": "two"}], wait_timeout=30, wait_sleep=5, max_concurrent_launches=2)
    assert answer["failed"]
    assert server.clock.now == 1030.0
    assert server.most_at_once == 2


def test_it_does_not_wait_when_told_so(run: Runner) -> None:
    server = serve(run, FakeServer())
    answer = run(models=[CHAT], wait=False)
    assert (answer["changed"], answer["models"][0]["state"]) == (True, "creating")
    assert server.clock.now == 1000.0


def test_drift_is_a_warning_and_no_change(run: Runner) -> None:
    serve(run, FakeServer(allowed=frozenset()).run("drifting", model_engine="vLLM"))
    answer = run(models=[{**CHAT, "uid": "drifting"}])
    assert (answer["failed"], answer["changed"]) == (False, False)
    assert answer["models"][0]["drift"] == {"engine": {"declared": "llama.cpp", "running": "vLLM"}}
    assert "drifting: engine is declared as 'llama.cpp' and running as 'vLLM'; it was left as it runs." in str(answer["warnings"])


# Failures.


def test_one_bad_model_does_not_hide_the_others(run: Runner) -> None:
    serve(run, FakeServer(broken={"bad": "Failed to init server, please check the input params."}))
    answer = run(models=[{**CHAT, "uid": "bad"}, CHAT])
    assert answer["failed"]
    assert answer["changed"] is True
    assert answer["msg"] == "1 of 2 models are not as declared. bad: Failed to init server, please check the input params."
    assert [model["result"] for model in answer["models"]] == ["failed", "launched"]


def test_a_wrong_declaration_fails_before_anything_is_asked(run: Runner) -> None:
    run.use(AssertionError("must not connect"))
    answer = run(models=[{**CHAT, "engine": "lama.cpp"}, {"uid": "x", "nme": "y", "engine": "vLLM"}])
    assert answer["failed"]
    assert len(answer["problems"]) == 3
    assert answer["msg"] == " ".join(answer["problems"])
    assert answer["problems"][0].startswith("models[0] (uid 'chat'): engine 'lama.cpp' is unknown for type LLM; allowed: llama.cpp, ")
    assert run.connections == []


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        ("chat", "models[0]: is the text 'chat', but must be a dictionary with at least 'uid' and 'name'."),
        ([["chat"]], "models[0]: is the list '['chat']', but must be a dictionary with at least 'uid' and 'name'."),
        (None, "argument 'models' is of type NoneType"),
        ({"uid": "chat"}, "argument 'models' is of type dict"),
    ],
)
def test_a_declaration_that_is_no_list_is_one_sentence(run: Runner, raw: Any, words: str) -> None:
    run.use(AssertionError("must not connect"))
    answer = run(models=raw)
    assert answer["failed"]
    assert words in answer["msg"]
    assert "Traceback" not in run.output


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"wait_timeout": -1}, "wait_timeout '-1' is too small; it must be at least 0."),
        ({"wait_sleep": 0}, "wait_sleep '0' is too small; it must be at least 0.1."),
        ({"max_concurrent_launches": 0}, "max_concurrent_launches '0' is too small; it must be at least 1."),
        ({"timeout": 0}, "timeout '0' must be more than 0 seconds."),
        ({"ca_path": "/nowhere/ca.pem"}, "ca_path '/nowhere/ca.pem' is not a file on this host."),
    ],
)
def test_wrong_options_are_one_sentence(run: Runner, options: dict[str, Any], words: str) -> None:
    run.use(AssertionError("must not connect"))
    answer = run(models=[CHAT], **options)
    assert (answer["failed"], answer["msg"]) == (True, words)


@pytest.mark.parametrize(
    ("error", "returned"),
    [
        (ConnectionFailed("GET http://127.0.0.1:9997/v1/cluster/auth: no connection (Connection refused)."), {}),
        (AuthenticationError("POST", "http://x/token", 401, "Incorrect username or password"), {"status": 401, "url": "http://x/token"}),
        (ApiError("GET", "http://x/v1/models", 500, "Internal Server Error"), {"status": 500, "url": "http://x/v1/models"}),
    ],
)
def test_a_server_that_cannot_be_reached_is_one_sentence(run: Runner, error: Exception, returned: dict[str, Any]) -> None:
    run.use(error)
    answer = run(models=[CHAT])
    assert (answer["failed"], answer["msg"]) == (True, str(error))
    assert {key: answer[key] for key in ("status", "url") if key in answer} == returned
    assert "Traceback" not in run.output


def test_a_server_that_cannot_be_read_is_one_sentence_and_is_let_go(run: Runner) -> None:
    server = serve(run, FakeServer())
    server.fail_next("list_instances", ApiError("GET", "http://x/v1/models/instances", 500, "Internal Server Error"))
    answer = run(models=[CHAT])
    assert (answer["failed"], answer["msg"]) == (True, "GET http://x/v1/models/instances answered 500: Internal Server Error")
    assert server.closed


def test_without_the_client_it_says_what_to_install(run: Runner) -> None:
    run.monkeypatch.setattr(_module, "MISSING", ImportError("No module named 'xinference_client'"))
    answer = run(models=[CHAT])
    assert answer["failed"]
    assert "xinference-client" in answer["msg"]
    assert run.connections == []


# The connection.


def test_the_connection_options_reach_the_client(run: Runner, tmp_path: Any) -> None:
    authorities = tmp_path / "ca.pem"
    authorities.touch()
    serve(run, FakeServer())
    run(check=True, models=[], endpoint="https://inference.example", username="admin", password="s3cret-pass", ca_path=str(authorities), timeout=5)
    assert run.connections == [
        {"endpoint": "https://inference.example", "username": "admin", "password": "s3cret-pass", "timeout": 5.0, "verify": str(authorities)}
    ]


def test_the_connection_s_defaults(run: Runner) -> None:
    serve(run, FakeServer())
    run(check=True, models=[])
    assert run.connections == [{"endpoint": "http://127.0.0.1:9997", "username": None, "password": None, "timeout": 30.0, "verify": True}]


def test_the_connection_from_the_environment(run: Runner) -> None:
    values = {"ENDPOINT": "http://other:1", "USERNAME": "u", "PASSWORD": "from-environment", "VALIDATE_CERTS": "no", "TIMEOUT": "7.5"}
    for name, value in values.items():
        run.monkeypatch.setenv(f"XINFERENCE_{name}", value)
    serve(run, FakeServer())
    run(check=True, models=[])
    assert run.connections == [{"endpoint": "http://other:1", "username": "u", "password": "from-environment", "timeout": 7.5, "verify": False}]
    assert "from-environment" not in run.output


# Secrets.


def test_the_password_is_in_no_output(run: Runner) -> None:
    server = serve(run, FakeServer())
    server.fail_next("launch", ApiError("POST", "http://x", 400, "the server repeats s3cret-pass"))
    answer = run(models=[CHAT], username="admin", password="s3cret-pass")
    assert answer["failed"]
    assert "s3cret-pass" not in run.output


@pytest.mark.parametrize("check", [False, True])
def test_values_of_environment_variables_are_in_no_output(run: Runner, check: bool) -> None:
    server = serve(run, FakeServer(broken={"chat": "the engine repeats hf_hunter2"}))
    answer = run(check=check, models=[{**CHAT, "environment": {"HF_TOKEN": "hf_hunter2", "PIN": "73910"}}])
    assert answer["models"][0]["after"]["environment"] == {"HF_TOKEN": "********", "PIN": "********"}
    assert "hf_hunter2" not in run.output
    assert "73910" not in run.output
    if not check:
        assert server.writes()[0][1]["envs"] == {"HF_TOKEN": "hf_hunter2", "PIN": "73910"}


def test_values_of_environment_variables_are_in_no_sentence_about_a_wrong_declaration(run: Runner) -> None:
    answer = run(models=[{**CHAT, "replica": 0, "environment": {"HF_TOKEN": ["hf_hunter2"], "OTHER": "hf_hunter3"}}])
    assert answer["failed"]
    assert "hf_hunter" not in run.output


def test_a_short_value_of_an_environment_variable_does_not_mask_other_texts(run: Runner) -> None:
    serve(run, FakeServer())
    answer = run(models=[{**CHAT, "uid": "smollm2", "environment": {"OMP_NUM_THREADS": 2, "DEBUG": "e"}}])
    assert answer["models"][0]["uid"] == "smollm2"
    assert answer["models"][0]["state"] == "ready"
    assert answer["models"][0]["after"]["name"] == "qwen3"
