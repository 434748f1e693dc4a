# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module ``models`` as Ansible runs it, on a server in memory."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.basic import AnsibleModule

from ansible_collections.inferops.xinference.plugins.module_utils import _module
from ansible_collections.inferops.xinference.plugins.module_utils._core.apply.run import apply_plan
from ansible_collections.inferops.xinference.plugins.module_utils._core.base.errors import ApiError, AuthenticationError, ConnectionFailed
from ansible_collections.inferops.xinference.plugins.module_utils._core.base.lock import Lock
from ansible_collections.inferops.xinference.plugins.module_utils._core.declaration.check import parse_models
from ansible_collections.inferops.xinference.plugins.module_utils._core.declaration.fields import AUTOSTART
from ansible_collections.inferops.xinference.plugins.module_utils._core.host.declaration_file import StoredDeclaration
from ansible_collections.inferops.xinference.plugins.module_utils._core.reconcile import reconcile as pipeline
from ansible_collections.inferops.xinference.plugins.module_utils._core.service.stored import DeclarationReader
from ansible_collections.inferops.xinference.plugins.modules import models
from ansible_collections.inferops.xinference.tests.unit.plugins.module_utils._core.fake_server import FakeServer, Script
from ansible_collections.inferops.xinference.tests.unit.plugins.modules.module_runner import Runner

CHAT = {"uid": "chat", "name": "qwen3", "engine": "llama.cpp"}
OLD = {"uid": "old", "state": "absent"}
LAUNCHED = {"state": "ready", "type": "LLM", "name": "qwen3", "engine": "llama.cpp"}
EMBED = {"uid": "embed", "name": "bge-m3", "type": "embedding"}
OPTIONS = {**CHAT, "engine_options": {"n_ctx": 2048}}


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Runner:
    """Runs the module."""
    return Runner(models.main, capsys, monkeypatch)


@pytest.fixture(autouse=True)
def warned(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The warnings of the module; where Ansible keeps them depends on what else runs in the process."""
    texts: list[str] = []
    monkeypatch.setattr(AnsibleModule, "warn", lambda _module, text: texts.append(text))
    return texts


def serve(run: Runner, server: FakeServer) -> FakeServer:
    """Let the module talk to this server, in the server's own time."""
    run.use(server)
    run.monkeypatch.setattr(pipeline, "apply_plan", functools.partial(apply_plan, clock=server.clock, sleep=server.clock.sleep))
    return server


def written(server: FakeServer) -> list[str]:
    """Names of the writing calls so far, in order."""
    return [name for name, _argument in server.writes()]


# What it does and returns.


def test_it_launches_what_is_missing_and_terminates_what_is_absent(run: Runner, warned: list[str]) -> None:
    server = serve(run, FakeServer().run("old"))
    answer = run(models=[CHAT, OLD], download="with_launch")
    assert (answer["failed"], answer["changed"]) == (False, True)
    assert written(server) == ["terminate", "launch", "remember", "set_autostart"]
    assert answer["diff"] == {
        "before": {"old": answer["models"][0]["before"], "chat": {"state": "absent", "autostart": False}},
        "after": {"old": {"state": "absent"}, "chat": {**LAUNCHED, "autostart": AUTOSTART}},
    }
    assert 0 <= answer["models"][1].pop("answered") < 60
    assert answer["models"][1].pop("seconds") == pytest.approx(10.0, rel=0.05)
    assert answer["models"][1] == {
        "uid": "chat",
        "result": "launched",
        "changed": True,
        "state": "ready",
        "before": None,
        "after": LAUNCHED,
        "drift": {},
        "unverified": [],
        "restored": False,
        "message": "",
        "log": [],
    }
    assert warned == []
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

    checked = server()
    checked.allowed = frozenset()
    predicted = run(check=True, models=items, exclusive=exclusive)
    assert checked.writes() == []
    assert checked.clock.now == 1000.0
    server()
    done = run(models=items, exclusive=exclusive)
    assert not done["failed"]
    assert (predicted["changed"], predicted["diff"]) == (done["changed"], done["diff"])
    assert len(predicted["models"]) == len(done["models"])
    for before, after in zip(predicted["models"], done["models"]):
        # What only a run can measure.
        assert {**before, "seconds": 0, "answered": None} == {**after, "seconds": 0, "answered": None}


def test_where_nothing_is_to_do_three_reads_suffice(run: Runner) -> None:
    serve(run, FakeServer())
    run(models=[CHAT])
    rows: list[dict[str, Any]] = [{"model_name": "other", "model_uid": "other", "data": {}, "autostart_enabled": False}]
    described = {"model_name": "qwen3", "model_type": "LLM", "model_engine": "llama.cpp", "replica": 1}
    script = Script(("list_instances", []), ("list_models", {"chat": described}), ("history", rows))
    run.use(script)
    answer = run(models=[CHAT], autostart=False)
    assert (answer["failed"], answer["changed"]) == (False, False)
    script.finish()
    assert script.closed


def test_the_wait_options_are_used(run: Runner) -> None:
    server = serve(run, FakeServer(load_seconds=100))
    answer = run(models=[CHAT, {**CHAT, "uid": "two"}], wait_timeout=30, wait_sleep=5, max_concurrent_launches=2)
    assert answer["failed"]
    assert server.clock.now == 1030.0
    assert server.most_at_once == 2
    assert [model["message"] for model in answer["models"]] == ["is creating and not ready after 30 s (wait_timeout)"] * 2


def test_it_does_not_wait_when_asked_not_to(run: Runner) -> None:
    server = serve(run, FakeServer())
    answer = run(models=[CHAT], wait=False)
    assert (answer["changed"], answer["models"][0]["state"]) == (True, "creating")
    assert server.clock.now == 1000.0


def drifting(run: Runner) -> FakeServer:
    """A server that runs something else."""
    return serve(run, FakeServer().run("chat", model_engine="llama.cpp", quantization="Q4_K_M"))


DRIFTED = {"quantization": {"declared": "Q8_0", "running": "Q4_K_M"}}


def test_drift_is_repaired_by_default_and_is_no_warning(run: Runner, warned: list[str]) -> None:
    server = drifting(run)
    answer = run(models=[{**CHAT, "quantization": "Q8_0"}])
    (model,) = answer["models"]
    assert (model["result"], model["drift"], answer["changed"]) == ("relaunched", DRIFTED, True)
    assert server.models["chat"].request["quantization"] == "Q8_0"
    assert warned == []


@pytest.mark.parametrize(("on_drift", "warns"), [("report", True), ("ignore", False)])
def test_drift_that_is_left_is_a_warning_where_that_was_chosen(run: Runner, warned: list[str], on_drift: str, warns: bool) -> None:
    server = drifting(run)
    server.allowed = frozenset()
    answer = run(models=[{**CHAT, "quantization": "Q8_0"}], on_drift=on_drift, autostart=False)
    assert (answer["failed"], answer["changed"], answer["models"][0]["drift"]) == (False, False, DRIFTED)
    words = ["chat: quantization is declared as 'Q8_0' and running as 'Q4_K_M'; it was left as it runs."]
    assert warned == (words if warns else [])


def test_what_is_not_known_is_unverified_and_no_warning(run: Runner, warned: list[str]) -> None:
    serve(run, FakeServer(allowed=frozenset()).run("chat", model_engine="llama.cpp", n_ctx=1))
    answer = run(models=[OPTIONS], autostart=False)
    assert (answer["changed"], answer["models"][0]["unverified"]) == (False, ["engine_options.n_ctx"])
    assert warned == []


def test_options_that_no_server_reports_are_compared_with_the_launch(run: Runner) -> None:
    server = serve(run, FakeServer())
    run(models=[OPTIONS])
    answer = run(models=[{**CHAT, "engine_options": {"n_ctx": 4096}}])
    assert answer["models"][0]["drift"] == {"engine_options.n_ctx": {"declared": 4096, "running": 2048}}
    assert answer["diff"]["before"]["chat"]["engine_options.n_ctx"] == 2048
    assert server.models["chat"].request["n_ctx"] == 4096


def test_autostart_that_the_server_does_not_have_is_a_warning(run: Runner, warned: list[str]) -> None:
    serve(run, FakeServer(with_autostart=False))
    run(models=[CHAT])
    assert warned == []
    run(models=[{**CHAT, "autostart": True}])
    assert warned == ["chat: autostart is declared, but this server has none; it exists since 2.12."]


@pytest.mark.parametrize("check", [False, True])
def test_autostart_entries_are_kept_by_default(run: Runner, check: bool) -> None:
    server = serve(run, FakeServer().run("chat", model_engine="llama.cpp"))
    answer = run(check=check, models=[CHAT])
    assert (answer["changed"], answer["models"][0]["result"]) == (True, "updated")
    assert answer["diff"]["after"]["chat"]["autostart"] == AUTOSTART
    assert written(server) == ([] if check else ["set_autostart"])
    assert run(check=check, models=[CHAT], autostart=False)["changed"] is False


def test_exclusive_terminates_what_is_not_declared(run: Runner) -> None:
    server = serve(run, FakeServer().run("stray"))
    assert [model["result"] for model in run(models=[CHAT], exclusive=True)["models"]] == ["terminated", "launched"]
    assert server.ready() == {"chat"}


@pytest.mark.parametrize(("smoke", "asked"), [("launched", 1), ("all", 2), ("none", 0)])
def test_the_smoke_test_is_chosen(run: Runner, smoke: str, asked: int) -> None:
    server = serve(run, FakeServer().run("chat", model_engine="llama.cpp"))
    answer = run(models=[CHAT, {**CHAT, "uid": "new"}], smoke_test=smoke, smoke_test_timeout=7)
    assert not answer["failed"]
    assert len([name for name, _argument in server.calls if name == "ask"]) == asked


def test_a_model_that_does_not_answer_in_time_is_a_failure(run: Runner) -> None:
    server = serve(run, FakeServer(unanswered={"chat"}))
    answer = run(models=[CHAT, EMBED], smoke_test_timeout=7)
    assert answer["msg"].startswith("1 of 2 models are not as declared. chat: is ready, but did not answer: POST ")
    assert "no answer within 7 s" in answer["msg"]
    assert server.ready() == {"chat", "embed"}


def test_files_are_got_first_by_default(run: Runner) -> None:
    server = serve(run, FakeServer())
    run(models=[CHAT])
    assert written(server)[:2] == ["cache", "launch"]


def test_only_files_are_got_where_that_was_chosen(run: Runner) -> None:
    server = serve(run, FakeServer())
    answer = run(models=[CHAT], download="only")
    assert ([model["result"] for model in answer["models"]], written(server)) == (["downloaded"], ["cache"])
    assert run(models=[CHAT], download="only")["changed"] is False


def test_options_of_the_engine_are_checked_unless_that_is_switched_off(run: Runner) -> None:
    server = serve(run, FakeServer())
    unknown = {**CHAT, "engine_options": {"n_ctxx": 1}}
    answer = run(models=[unknown])
    assert answer["failed"]
    assert "did you mean 'n_ctx'" in answer["msg"]
    assert server.calls == []
    assert not run(models=[unknown], validate_engine_options=False)["failed"]


def test_the_memory_is_checked_unless_that_is_switched_off(run: Runner) -> None:
    server = serve(run, FakeServer(allowed=frozenset()))
    answer = run(models=[CHAT], memory_mib=1000)
    assert answer["failed"]
    assert answer["problems"] == [answer["msg"]]
    assert "but the server has 1000: server 920 + chat " in answer["msg"]
    server.allowed = None
    assert not run(models=[CHAT], memory_mib=1000, check_memory=False)["failed"]


NAMES = {
    "models": "xinference_models",
    "check_memory": "xinference_models_check_memory",
    "validate_engine_options": "xinference_models_validate_engine_options",
    "wait_timeout": "xinference_models_wait_timeout",
}


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"models": ["chat"]}, ["{models}[0]: is the text 'chat'"]),
        ({"models": [CHAT, CHAT]}, ["{models}[1] (uid 'chat'): uid 'chat' is already used by {models}[0]"]),
        (
            {"models": [{**CHAT, "engine_options": {"n-ctx": 1}}]},
            ["{models}[0] (uid 'chat'): engine_options 'n-ctx'", "Set {validate_engine_options} to false"],
        ),
        ({"models": [{**CHAT, "name": "unknown"}]}, ["{models} (uid 'chat'): name 'unknown' of type LLM is not in the server's catalogue"]),
        (
            {"models": [{**CHAT, "path": "/elsewhere/a.gguf"}], "mounts": {"/models": "/nowhere"}},
            ["{models} (uid 'chat'): path '/elsewhere/a.gguf' lies in no"],
        ),
        ({"models": [CHAT], "memory_mib": 1000}, ["{models}: they need about", "or set {check_memory} to false"]),
        ({"models": [CHAT], "wait_timeout": -1}, ["{wait_timeout} '-1' is too small"]),
    ],
)
@pytest.mark.parametrize("names", [{}, NAMES])
def test_options_are_called_as_the_caller_calls_them(run: Runner, options: dict[str, Any], words: list[str], names: dict[str, str]) -> None:
    run.use(FakeServer())
    answer = run(**options, option_names=names)
    assert answer["failed"]
    for part in words:
        assert part.format_map({name: names.get(name, name) for name in NAMES}) in answer["msg"]


def test_options_that_fit_the_host_take_the_cores_that_were_given(run: Runner) -> None:
    server = serve(run, FakeServer())
    run(models=[{**CHAT, "engine_options": "auto"}], cores=2.5, memory_mib=8000)
    assert server.models["chat"].request["n_threads"] == 2


def test_the_server_s_files_are_read_where_they_are_mounted(run: Runner, tmp_path: Any) -> None:
    (tmp_path / "logs").mkdir()
    log = tmp_path / "logs" / "xinference.log"
    log.write_text("yesterday chat was fine\n", encoding="utf-8")
    server = serve(run, FakeServer(broken={"chat": "Failed to init server"}))

    def write() -> None:
        log.write_text("yesterday chat was fine\nchat: no such file\n", encoding="utf-8")

    server.clock.after(1, write)
    answer = run(models=[CHAT], mounts={"/data": str(tmp_path)}, home="/data")
    assert answer["models"][0]["log"] == ["chat: no such file"]


def test_records_of_an_old_server_are_in_a_file_of_this_host(run: Runner, tmp_path: Any) -> None:
    serve(run, FakeServer(with_history=False))
    run(models=[OPTIONS], state_path=str(tmp_path / "state.json"))
    assert (tmp_path / "state.json").stat().st_mode & 0o777 == 0o600
    again = run(models=[{**CHAT, "engine_options": {"n_ctx": 4096}}], state_path=str(tmp_path / "state.json"))
    assert again["models"][0]["drift"] == {"engine_options.n_ctx": {"declared": 4096, "running": 2048}}
    assert run(models=[OPTIONS])["models"][0]["unverified"] == ["engine_options.n_ctx"]


# Failures.


def test_the_declaration_is_stored_for_the_service_which_can_use_it(run: Runner, tmp_path: Path) -> None:
    serve(run, FakeServer())
    place, lock = str(tmp_path / "declaration.json"), str(tmp_path / "lock")
    options: dict[str, Any] = {"declaration_path": place, "lock_path": lock, "username": "admin", "password": "marked-secret", "exclusive": True}
    run(check=True, models=[CHAT], **options)
    assert list(tmp_path.iterdir()) == []
    assert run(models=[CHAT], **options)["changed"]
    logged: list[str] = []
    reader = DeclarationReader(StoredDeclaration(place), logged.append)
    declaration = reader()
    assert logged == []
    assert declaration is not None
    assert [model.uid for model in declaration.models] == ["chat"]
    assert declaration.run_options.choices.exclusive
    assert reader.options["password"] == "marked-secret"
    assert "marked-secret" not in run.output
    assert Path(place).stat().st_mode & 0o777 == 0o600
    # It is no change of the models.
    assert not run(models=[CHAT], **options)["changed"]
    assert not run(models=[CHAT], **{**options, "exclusive": False})["changed"]
    assert reader() is not declaration


def test_what_is_refused_or_only_downloaded_is_not_stored(run: Runner, tmp_path: Path) -> None:
    serve(run, FakeServer())
    place = str(tmp_path / "declaration.json")
    assert run(models=[{**CHAT, "name": "nothing"}], declaration_path=place)["failed"]
    assert not run(models=[CHAT], declaration_path=place, download="only")["failed"]
    assert list(tmp_path.iterdir()) == []


EXTRA = {**CHAT, "uid": "extra"}


def stored(place: str) -> list[str]:
    """Uids of what was stored on the host."""
    return [model["uid"] for model in (StoredDeclaration(place).load() or {})["models"]]


def test_models_of_an_earlier_run_are_not_forgotten(run: Runner, warned: list[str], tmp_path: Path) -> None:
    """As of a survey whose next launch has default answers."""
    serve(run, FakeServer())
    place = str(tmp_path / "declaration.json")
    assert run(models=[CHAT, EXTRA], declaration_path=place)["changed"]
    assert warned == []
    for check in (True, False):
        answer = run(check=check, models=[CHAT], declaration_path=place, option_names={"models": "xinference_models", "earlier_models": "xinference_earlier"})
        assert {model["uid"]: model["result"] for model in answer["models"]} == {"chat": "unchanged", "extra": "unchanged"}
        assert warned.pop() == (
            "xinference_models names no model extra, which an earlier run declared; it is still looked after. "
            "Declare it with state absent, or set xinference_earlier to forget."
        )
    assert stored(place) == ["chat", "extra"]
    # One that does not run any more is launched.
    run(models=[{"uid": "extra", "state": "absent"}, CHAT])
    assert [model["result"] for model in run(models=[CHAT], declaration_path=place)["models"]] == ["unchanged", "launched"]


@pytest.mark.parametrize(
    ("options", "stored_uids", "running"),
    [
        ({"models": [CHAT], "earlier_models": "forget"}, ["chat"], ["chat", "extra"]),
        ({"models": [CHAT], "exclusive": True}, ["chat"], ["chat"]),
        ({"models": [CHAT, {"uid": "extra", "state": "absent"}]}, ["chat", "extra"], ["chat"]),
        ({"models": [CHAT, {**EXTRA, "engine_options": {"n_ctx": 1024}}]}, ["chat", "extra"], ["chat", "extra"]),
    ],
)
def test_a_run_with_the_option_drops_a_model(
    run: Runner, warned: list[str], tmp_path: Path, options: dict[str, Any], stored_uids: list[str], running: list[str]
) -> None:
    server = serve(run, FakeServer())
    place = str(tmp_path / "declaration.json")
    run(models=[CHAT, EXTRA], declaration_path=place)
    assert not run(declaration_path=place, **options)["failed"]
    assert (stored(place), warned) == (stored_uids, [])
    assert sorted(server.list_models()) == running
    # And the next one does not bring it back.
    run(models=[CHAT], declaration_path=place)
    assert ("extra" in stored(place)) is (options["models"][-1] == {**EXTRA, "engine_options": {"n_ctx": 1024}})


def test_without_models_the_stored_ones_count_and_stay(run: Runner, tmp_path: Path) -> None:
    serve(run, FakeServer())
    place = str(tmp_path / "declaration.json")
    assert run(declaration_path=place)["msg"] == f"models is missing, and declaration_path '{place}' holds none."
    run(models=[CHAT, EXTRA], declaration_path=place, exclusive=True)
    before = Path(place).read_text(encoding="utf-8")
    serve(run, FakeServer())
    answer = run(declaration_path=place)
    assert {model["uid"]: model["result"] for model in answer["models"]} == {"chat": "launched", "extra": "launched"}
    assert Path(place).read_text(encoding="utf-8") == before
    assert "one of the following is required: models, declaration_path" in run()["msg"]


def test_without_models_only_the_credentials_are_replaced(run: Runner, tmp_path: Path) -> None:
    """A rotation brings a new password, and says nothing of the models."""
    serve(run, FakeServer())
    place = str(tmp_path / "declaration.json")
    odd = {**EXTRA, "engine_options": {"n_ctx": 2048, "something_new": 1}}
    run(models=[CHAT, odd], declaration_path=place, exclusive=True, validate_engine_options=False, username="admin", password="old-password")
    before = StoredDeclaration(place).load()
    assert before is not None
    # Checked when it was declared, and not with the options of this run.
    for download in ("first", "only"):
        answer = run(declaration_path=place, username="admin", password="new-password", download=download)
        assert [model["uid"] for model in answer["models"]] == ["chat", "extra"], answer
        assert StoredDeclaration(place).load() == {**before, "password": "new-password"}
    assert not run(declaration_path=place, declaration_credentials=False, username="admin", password="new-password")["failed"]
    assert StoredDeclaration(place).load() == {name: value for name, value in before.items() if name not in ("username", "password", "password_path")}


def test_a_model_of_an_earlier_run_takes_the_registration_that_is_declared_now(run: Runner, tmp_path: Path) -> None:
    """What is stored is a list that the service can read, and this run's declaration is the one that counts."""
    serve(run, FakeServer())
    place = str(tmp_path / "declaration.json")
    old = {"version": 2, "model_lang": ["en"], "model_ability": ["chat"], "model_family": "other", "context_length": 2048, "chat_template": "{{ messages }}"}
    spec = {"model_format": "ggufv2", "model_size_in_billions": 1, "quantization": "Q4", "model_uri": "file:///models/m.gguf"}
    spec["model_file_name_template"] = "m.gguf"
    mine: dict[str, Any] = {"name": "mine", "engine": "llama.cpp", "registration": {**old, "model_specs": [spec]}}
    answer = run(models=[{**mine, "uid": "a"}, {**mine, "uid": "b"}], declaration_path=place)
    assert not answer["failed"], answer["msg"]
    newer = {**mine, "registration": {**mine["registration"], "context_length": 4096}}
    assert not run(models=[{**newer, "uid": "b"}], declaration_path=place)["failed"]
    declaration = StoredDeclaration(place).load()
    assert declaration is not None
    models = parse_models(declaration["models"], strict=False)
    assert [(model.uid, model.given["registration"]["context_length"]) for model in models] == [("b", 4096), ("a", 4096)]


def test_what_an_earlier_run_stored_may_be_of_no_use(run: Runner, warned: list[str], tmp_path: Path) -> None:
    serve(run, FakeServer())
    place = str(tmp_path / "declaration.json")
    StoredDeclaration(place).save({"models": [{**EXTRA, "environment": {"TOKEN": "marked-secret"}}, {"uid": "odd", "engine": 5}, "text", {"uid": ["list"]}]})
    assert not run(models=[CHAT], declaration_path=place)["failed"]
    assert len([words for words in warned if words.startswith("A model of an earlier run is not looked after any more")]) == 2
    assert stored(place) == ["chat", "extra"]
    assert "marked-secret" not in run.output
    del warned[:]
    for damaged in (place, f"{place}.copy"):
        Path(damaged).write_text("{", encoding="utf-8")
    assert not run(models=[CHAT], declaration_path=place)["failed"]
    assert warned == [f"What an earlier run declared is not known: '{place}' is damaged; '{place}.copy' is damaged."]
    assert stored(place) == ["chat"]
    for damaged in (place, f"{place}.copy"):
        Path(damaged).write_text("{", encoding="utf-8")
    assert run(declaration_path=place)["msg"] == f"'{place}' is damaged; '{place}.copy' is damaged."


def test_credentials_are_kept_for_a_service_alone(run: Runner, tmp_path: Path) -> None:
    serve(run, FakeServer())
    place = str(tmp_path / "declaration.json")
    run(models=[CHAT], declaration_path=place, declaration_credentials=False, username="admin", password="marked-secret")
    assert "marked-secret" not in Path(place).read_text(encoding="utf-8")
    run(models=[CHAT], declaration_path=place, username="admin", password="marked-secret")
    assert "marked-secret" in Path(place).read_text(encoding="utf-8")


def test_a_run_waits_for_the_service_and_gives_up_in_a_sentence(run: Runner, tmp_path: Path) -> None:
    server = serve(run, FakeServer())
    lock = str(tmp_path / "lock")
    with Lock(lock).hold(0):
        answer = run(models=[CHAT], lock_path=lock, wait_timeout=0.3)
        assert answer["failed"]
        assert answer["msg"] == f"'{lock}' is locked for more than 0.3 s: another run is changing the models of this server."
        assert written(server) == []
        assert not run(check=True, models=[CHAT], lock_path=lock)["failed"]
    assert not run(models=[CHAT], lock_path=lock)["failed"]


def test_one_bad_model_does_not_hide_the_others(run: Runner) -> None:
    serve(run, FakeServer(broken={"bad": "Failed to init server, please check the input params."}))
    answer = run(models=[{**CHAT, "uid": "bad"}, CHAT])
    assert answer["failed"]
    assert answer["changed"] is True
    assert answer["msg"] == "1 of 2 models are not as declared. bad: Failed to init server, please check the input params."
    assert [model["result"] for model in answer["models"]] == ["failed", "launched"]


def test_a_relaunch_that_fails_says_that_the_previous_model_is_back(run: Runner) -> None:
    server = drifting(run)
    server.fail_next("launch", ApiError("POST", "http://x", 503, "No available worker found"))
    answer = run(models=[{**CHAT, "quantization": "Q8_0"}])
    assert answer["msg"] == "1 of 1 models are not as declared. chat: POST http://x answered 503: No available worker found; rolled back to the previous model."
    assert (answer["models"][0]["restored"], answer["models"][0]["state"]) == (True, "ready")
    assert server.models["chat"].request["quantization"] == "Q4_K_M"


def test_what_the_server_cannot_launch_is_refused_before_anything_is_written(run: Runner) -> None:
    server = serve(run, FakeServer(allowed=frozenset()).run("old"))
    answer = run(models=[OLD, {**CHAT, "name": "qwen4"}])
    assert answer["failed"]
    assert answer["problems"] == [answer["msg"]]
    assert "did you mean 'qwen3'?" in answer["msg"]
    assert "models" not in answer
    assert server.closed


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
        ([["chat"]], "models[0]: is the list, but must be a dictionary with at least 'uid' and 'name'."),
        (None, "models is missing, and there is no declaration_path."),
        ({"uid": "chat"}, "argument 'models' is of type "),
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
        ({"smoke_test_timeout": 0}, "smoke_test_timeout '0' is too small; it must be at least 0.1."),
        ({"cores": 0}, "cores '0' is too small; it must be at least 0.1."),
        ({"memory_mib": 0}, "memory_mib '0' is too small; it must be at least 1."),
        ({"memory_mib": -5}, "memory_mib '-5' is too small; it must be at least 1."),
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


NO_EXCEPTION = {"listener_users": ["root"], "allow_plain_http": False}


def test_the_connection_options_reach_the_client(run: Runner, tmp_path: Any) -> None:
    authorities = tmp_path / "ca.pem"
    authorities.touch()
    serve(run, FakeServer())
    run(check=True, models=[], endpoint="https://inference.example", username="admin", password="s3cret-pass", ca_path=str(authorities), timeout=5)
    assert run.connections == [
        {"endpoint": "https://inference.example", "username": "admin", "password": "s3cret-pass", "timeout": 5.0, "verify": str(authorities), **NO_EXCEPTION}
    ]


def test_the_connection_s_defaults(run: Runner) -> None:
    serve(run, FakeServer())
    run(check=True, models=[])
    assert run.connections == [{"endpoint": "http://127.0.0.1:9997", "username": None, "password": None, "timeout": 30.0, "verify": True, **NO_EXCEPTION}]


def test_the_connection_from_the_environment(run: Runner) -> None:
    values = {"ENDPOINT": "http://other:1", "USERNAME": "u", "PASSWORD": "from-environment", "VALIDATE_CERTS": "no", "TIMEOUT": "7.5"}
    values.update({"LISTENER_USERS": "caddy,1000", "ALLOW_PLAIN_HTTP": "yes"})
    for name, value in values.items():
        run.monkeypatch.setenv(f"XINFERENCE_{name}", value)
    serve(run, FakeServer())
    run(check=True, models=[])
    assert run.connections == [
        {
            "endpoint": "http://other:1",
            "username": "u",
            "password": "from-environment",
            "timeout": 7.5,
            "verify": False,
            "listener_users": ["caddy", "1000"],
            "allow_plain_http": True,
        }
    ]
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
    assert [word for word in ("hf_hunter2", "73910") if any(word in line for line in run.logged)] == []
    assert any("HF_TOKEN" in line for line in run.logged)
    assert answer["models"][0]["after"]["environment"] == {"HF_TOKEN": "********", "PIN": "********"}
    assert "hf_hunter2" not in run.output
    assert "73910" not in run.output
    if not check:
        assert next(request for name, request in server.writes() if name == "launch")["envs"] == {"HF_TOKEN": "hf_hunter2", "PIN": "73910"}


@pytest.mark.parametrize(
    "item",
    [
        {**CHAT, "replica": 0, "environment": {"HF_TOKEN": ["hf_hunter2"], "OTHER": "hf_hunter3"}},
        {**CHAT, "environment": ["HF_TOKEN=hf_hunter2"]},
        {**CHAT, "environment": "HF_TOKEN=hf_hunter2"},
        {**CHAT, "enviroment": {"HF_TOKEN": "hf_hunter2"}},
        [{"HF_TOKEN": "hf_hunter2"}],
    ],
)
def test_values_of_environment_variables_are_in_no_sentence_about_a_wrong_declaration(run: Runner, item: Any) -> None:
    answer = run(models=[item])
    assert answer["failed"]
    assert "hf_hunter" not in run.output


def test_a_short_value_of_an_environment_variable_does_not_mask_other_texts(run: Runner) -> None:
    serve(run, FakeServer())
    answer = run(models=[{**CHAT, "uid": "smollm2", "environment": {"OMP_NUM_THREADS": 2, "DEBUG": "e"}}])
    assert answer["models"][0]["uid"] == "smollm2"
    assert answer["models"][0]["state"] == "ready"
    assert answer["models"][0]["after"]["name"] == "qwen3"
