# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module ``registration`` as Ansible runs it, with a server in memory."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.inferops.xinference.plugins.module_utils._core.apply.context import Clock
from ansible_collections.inferops.xinference.plugins.module_utils._core.base.errors import ApiError, AuthenticationError, ConnectionFailed
from ansible_collections.inferops.xinference.plugins.module_utils._core.resources.registration import apply_registration
from ansible_collections.inferops.xinference.plugins.modules import registration
from ansible_collections.inferops.xinference.tests.unit.plugins.module_utils._core.fake_server import FakeServer
from ansible_collections.inferops.xinference.tests.unit.plugins.module_utils._core.plan_runner import SPECIFICATION
from ansible_collections.inferops.xinference.tests.unit.plugins.modules.module_runner import Runner

KEY = ("LLM", "own")
OWN: dict[str, Any] = {"type": "LLM", "name": "own", "specification": {**SPECIFICATION, "model_family": "other"}}
ABSENT: dict[str, Any] = {"type": "LLM", "name": "own", "state": "absent"}
LAUNCH = {
    "model_type": "LLM",
    "model_name": "own",
    "model_engine": "llama.cpp",
    "model_format": "ggufv2",
    "model_size_in_billions": "0_135",
    "quantization": "Q4_1",
    "replica": 1,
    "n_ctx": 512,
}
CHANGES = frozenset({"register", "unregister", "launch", "terminate", "set_autostart", "remove_autostart"})


def own(**changes: Any) -> dict[str, Any]:
    """The module's options, with changes of the specification."""
    return {**OWN, "specification": {**OWN["specification"], **changes}}


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Runner:
    """Runs the module."""
    return Runner(registration.main, capsys, monkeypatch)


def serve(run: Runner, server: FakeServer) -> FakeServer:
    """Let the module talk to this server, in the server's own time."""
    run.use(server)
    passing = Clock(server.clock, server.clock.sleep)
    run.monkeypatch.setattr(registration, "apply_registration", functools.partial(apply_registration, passing=passing))
    return server


def registered(*uids: str, autostart: bool = False, **changes: Any) -> FakeServer:
    """A server that has the registration, and models that were launched with it and can be read from autostart entries."""
    server = FakeServer()
    server.register("LLM", {**OWN["specification"], **changes, "model_name": "own"})
    for uid in uids:
        server.set_autostart({"enabled": True, "priority": 5, "max_retries": 7, "retry_interval_seconds": 9, "launch": {**LAUNCH, "model_uid": uid}})
        server.clock.sleep(server.load_seconds)
        if not autostart:
            # What it was launched with is known from our own record.
            server.remove_autostart(uid)
            record = {"request": {**LAUNCH, "model_uid": uid}, "created": server.models[uid].created, "registration": None}
            server.remember("inferops.xinference", uid, record)
    assert server.ready() == set(uids)
    server.calls.clear()
    return server


def done(server: FakeServer) -> list[str]:
    """Names of the writing calls that change more than our own records."""
    return [name for name, _argument in server.writes() if name in CHANGES]


# What it does and returns.


def test_it_registers_what_is_missing(run: Runner) -> None:
    server = serve(run, FakeServer())
    answer = run(**OWN)
    assert (answer["failed"], answer["changed"], answer["result"]) == (False, True, "registered")
    assert (answer["drift"], answer["running"], answer["models"]) == ({}, [], [])
    assert answer["diff"]["before"] == {"state": "absent"}
    assert answer["diff"]["after"] == {"state": "present", "type": "LLM", **OWN["specification"], "model_name": "own", "persist": True}
    assert server.specifications[KEY]["model_family"] == "other"
    assert server.closed


def test_a_second_run_changes_nothing(run: Runner) -> None:
    server = serve(run, FakeServer())
    run(**OWN)
    server.allowed = frozenset()
    answer = run(**OWN)
    assert (answer["failed"], answer["changed"], answer["result"], answer["diff"]) == (False, False, "unchanged", {"before": {}, "after": {}})


def test_a_field_that_is_declared_no_more_is_taken_back(run: Runner) -> None:
    server = serve(run, FakeServer())
    run(**own(model_description="a model"))
    answer = run(**OWN)
    assert answer["drift"] == {"model_description": {"declared": None, "running": "a model"}}
    assert "model_description" not in server.specifications[KEY]
    assert run(**OWN)["changed"] is False


def test_running_models_are_left_and_listed(run: Runner) -> None:
    server = serve(run, registered("chat"))
    answer = run(**own(context_length=4096))
    assert (answer["changed"], answer["result"], answer["running"], answer["models"]) == (True, "replaced", ["chat"], [])
    assert answer["drift"] == {"context_length": {"declared": 4096, "running": 8192}}
    assert done(server) == ["unregister", "register"]


def test_it_removes_and_a_second_run_changes_nothing(run: Runner) -> None:
    server = serve(run, registered())
    assert run(**ABSENT)["result"] == "removed"
    assert KEY not in server.registered
    server.allowed = frozenset()
    assert run(**ABSENT)["changed"] is False


@pytest.mark.parametrize("relaunched", [False, True])
@pytest.mark.parametrize("start", ["nothing", "same", "other"])
@pytest.mark.parametrize("wanted", ["present", "absent"])
def test_check_mode_predicts_changed_and_diff_and_writes_nothing(run: Runner, relaunched: bool, start: str, wanted: str) -> None:
    options = {**(OWN if wanted == "present" else ABSENT), **({"on_running": "relaunch"} if relaunched and wanted == "present" else {})}

    def server() -> FakeServer:
        if start == "nothing":
            return serve(run, FakeServer())
        return serve(run, registered("chat", context_length=1) if start == "other" else registered("chat"))

    checked = server()
    now = checked.clock.now
    checked.allowed = frozenset()
    predicted = run(check=True, **options)
    assert (checked.writes(), checked.clock.now) == ([], now)
    server()
    carried_out = run(**options)
    assert not carried_out["failed"]
    for key in ("changed", "result", "diff", "drift", "running"):
        assert predicted[key] == carried_out[key]
    assert len(predicted["models"]) == len(carried_out["models"])
    for before, after in zip(predicted["models"], carried_out["models"]):
        assert {**before, "seconds": 0, "answered": 0} == {**after, "seconds": 0, "answered": 0}


# Running models.


def test_models_are_relaunched_one_after_the_other_as_they_were_launched(run: Runner) -> None:
    server = serve(run, registered("a", "b"))
    answer = run(**own(context_length=4096), on_running="relaunch")
    assert not answer["failed"]
    assert [(model["uid"], model["result"], model["changed"]) for model in answer["models"]] == [("a", "relaunched", True), ("b", "relaunched", True)]
    assert done(server)[:2] == ["unregister", "register"]
    assert server.most_at_once == 1
    for uid in ("a", "b"):
        assert server.models[uid].request == {**LAUNCH, "model_uid": uid}
        assert server.models[uid].specification["context_length"] == 4096
    server.allowed = frozenset()
    assert run(**own(context_length=4096), on_running="relaunch")["changed"] is False


def test_an_autostart_entry_outlives_a_relaunch(run: Runner) -> None:
    server = serve(run, registered("chat", autostart=True))
    assert not run(**own(context_length=4096), on_running="relaunch")["failed"]
    (entry,) = server.autostart() or []
    assert (entry["priority"], entry["max_retries"], entry["retry_interval_seconds"]) == (5, 7, 9)
    assert entry["launch"]["model_uid"] == "chat"
    assert server.ready() == {"chat"}


def test_an_entry_that_a_newer_server_left_in_the_history_is_none(run: Runner) -> None:
    """What was launched with it is known from our own record."""
    server = registered("one", autostart=True)
    server.replaced_by_older()
    server.launch({**LAUNCH, "model_uid": "one"})
    server.clock.sleep(server.load_seconds)
    server.remember("inferops.xinference", "one", {"request": {**LAUNCH, "model_uid": "one"}, "created": server.models["one"].created, "registration": None})
    serve(run, server)
    server.calls.clear()
    answer = run(**{**OWN, "specification": {**OWN["specification"], "model_family": "changed"}, "on_running": "relaunch"})
    assert (answer["failed"], answer["result"]) == (False, "replaced")
    assert server.ready() == {"one"}
    assert not {"set_autostart", "remove_autostart"} & {name for name, _argument in server.calls}


def test_a_relaunch_that_fails_puts_registration_and_model_back_and_leaves_the_others(run: Runner) -> None:
    server = serve(run, registered("a", "b"))
    old = server.registrations("LLM", {"own"})
    server.fail_next("launch", ApiError("POST", "http://x", 503, "Failed to init server"))
    answer = run(**own(context_length=4096), on_running="relaunch")
    assert answer["failed"]
    assert answer["msg"].startswith(
        "2 of 2 models were not relaunched; the module rolled back to the previous registration. a: POST http://x answered 503: Failed to init server"
    )
    assert [(model["uid"], model["result"], model["restored"], model["changed"]) for model in answer["models"]] == [
        ("a", "failed", True, True),
        ("b", "failed", False, False),
    ]
    assert server.registrations("LLM", {"own"}) == old
    assert server.ready() == {"a", "b"}
    assert server.models["a"].specification["context_length"] == 8192
    # The next run tries again.
    assert run(**own(context_length=4096), on_running="relaunch")["result"] == "replaced"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({**own(context_length=1), "on_running": "refuse"}, "on_running is refuse, and the registration of 'own' is used by the running chat."),
        ({**ABSENT, "on_running": "refuse"}, "on_running is refuse, and the registration of 'own' is used by the running chat."),
        ({**own(context_length=1), "on_running": "relaunch"}, "on_running is relaunch, but it is not known what 'chat' was launched with"),
    ],
)
@pytest.mark.parametrize("check", [False, True])
def test_refusals_come_before_any_write(run: Runner, options: dict[str, Any], words: str, check: bool) -> None:
    server = serve(run, registered().run("chat", **LAUNCH))
    server.allowed = frozenset()
    answer = run(check=check, **options)
    assert answer["failed"]
    assert words in answer["msg"]
    assert answer["problems"] == [answer["msg"]]


# Failures.


@pytest.mark.parametrize("check", [False, True])
@pytest.mark.parametrize("options", [OWN, ABSENT])
def test_a_model_of_the_catalogue_is_refused(run: Runner, options: dict[str, Any], check: bool) -> None:
    serve(run, FakeServer(allowed=frozenset()))
    answer = run(check=check, **{**options, "name": "qwen3"})
    assert answer["failed"]
    assert answer["msg"].startswith("name 'qwen3' of type LLM is a model of the server's own catalogue, which cannot be re")


def test_what_the_server_refuses_is_its_own_sentence_and_loses_nothing(run: Runner) -> None:
    server = serve(run, registered())
    server.files = frozenset({"/models/a.gguf"})
    entry = {**SPECIFICATION["model_specs"][0], "model_uri": "file:///models/missing.gguf"}
    answer = run(**own(model_specs=[entry]))
    assert answer["failed"]
    assert answer["msg"].endswith("Invalid model URI file:///models/missing.gguf. Rolled back to the previous registration.")
    assert answer["status"] == 400
    assert server.specifications[KEY]["model_specs"][0]["model_uri"] == "file:///models/a.gguf"


def test_files_are_checked_before_anything_is_changed(run: Runner, tmp_path: Path) -> None:
    serve(run, FakeServer(allowed=frozenset()))
    answer = run(**OWN, mounts={"/models": str(tmp_path)})
    assert answer["msg"] == (f"specification.model_specs.model_uri '/models/a.gguf' does not exist; on this host it would be {tmp_path}/a.gguf.")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"type": "llm", "name": "own", "specification": {}}, "value of type must be one of: LLM, embedding, rerank, image, audio, flexible, got: llm"),
        ({"type": "LLM", "name": "own"}, "state is present but all of the following are missing: specification"),
        ({**OWN, "wait_timeout": -1}, "wait_timeout '-1' is too small; it must be at least 0."),
        ({**OWN, "wait_sleep": 0}, "wait_sleep '0' is too small; it must be at least 0.1."),
        ({**OWN, "mounts": {"/models": "models"}}, "mounts '/models: models' must hold two absolute paths, in the container and on this host."),
        ({**OWN, "home": "xinference"}, "home 'xinference' must be an absolute path in the container."),
        (own(model_specs=[]), "specification.model_specs is missing; it is the list of the files that the model is made of."),
        ({**ABSENT, "on_running": "relaunch"}, "on_running 'relaunch' is for state present"),
    ],
)
def test_wrong_options_are_one_sentence_before_anything_is_asked(run: Runner, options: dict[str, Any], words: str) -> None:
    run.use(AssertionError("must not connect"))
    answer = run(**options)
    assert answer["failed"]
    assert words in answer["msg"]
    assert run.connections == []
    assert "Traceback" not in run.output


@pytest.mark.parametrize(
    "error", [ConnectionFailed("GET http://x: no connection (Connection refused)."), AuthenticationError("POST", "http://x", 401, "wrong")]
)
def test_a_server_that_cannot_be_reached_is_one_sentence(run: Runner, error: Exception) -> None:
    run.use(error)
    answer = run(**OWN, password="s3cret-pass")
    assert (answer["failed"], answer["msg"]) == (True, str(error))
    assert "Traceback" not in run.output
    assert "s3cret-pass" not in run.output


def test_the_server_is_let_go_after_a_failure(run: Runner) -> None:
    server = serve(run, FakeServer())
    server.fail_next("registered_names", ApiError("GET", "http://x", 500, "broken"))
    assert run(**OWN)["failed"]
    assert server.closed
