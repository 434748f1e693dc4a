# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keeping the declared models running on a server in memory, in the server's own time."""

from __future__ import annotations

import itertools
import re
from contextlib import nullcontext
from dataclasses import replace
from typing import Any

import pytest

from ansible_collections.inferops.xinference.plugins.module_utils._core.apply.run import apply_plan
from ansible_collections.inferops.xinference.plugins.module_utils._core.base.errors import (
    ApiError,
    AuthenticationError,
    ClientMissing,
    ConnectionFailed,
    NoAnswer,
)
from ansible_collections.inferops.xinference.plugins.module_utils._core.declaration.check import parse_models
from ansible_collections.inferops.xinference.plugins.module_utils._core.plan.plan import PlanOptions
from ansible_collections.inferops.xinference.plugins.module_utils._core.reconcile import reconcile as pipeline
from ansible_collections.inferops.xinference.plugins.module_utils._core.reconcile.options import ReconcileOptions
from ansible_collections.inferops.xinference.plugins.module_utils._core.server.api import Api
from ansible_collections.inferops.xinference.plugins.module_utils._core.service.loop import Watcher
from ansible_collections.inferops.xinference.plugins.module_utils._core.service.model_status import ModelStatus
from ansible_collections.inferops.xinference.plugins.module_utils._core.service.stored import Declaration
from ansible_collections.inferops.xinference.tests.unit.plugins.module_utils._core.fake_server import FakeServer
from ansible_collections.inferops.xinference.tests.unit.plugins.module_utils._core.plan_runner import gone, llm, refused, written


class Stage:
    """A watcher in front of a server, and the lines that it logged."""

    def __init__(self, server: FakeServer, *items: dict[str, Any], **choices: Any) -> None:
        self.server = server
        self.lines: list[str] = []
        self.free = True
        self.declaration: Declaration | None = None
        self.declare(*items, **choices)
        self.watcher = Watcher(
            self.connect,
            lambda: self.declaration,
            self.lines.append,
            lock=lambda: nullcontext() if self.free else None,
            clock=server.clock,
        )

    def declare(self, *items: dict[str, Any], connection: str = "http://fake", **choices: Any) -> None:
        """Leave a declaration."""
        self.declaration = Declaration(tuple(parse_models(list(items))), ReconcileOptions(PlanOptions(**{"autostart": True, **choices})), connection)

    def connect(self) -> FakeServer:
        """A client."""
        if self.server.lost:
            raise ConnectionFailed("no connection (Connection refused).")
        return self.server

    def run(self, seconds: float) -> Stage:
        """Let the watcher poll for a time."""
        end = self.server.clock() + seconds
        while self.server.clock() < end:
            pause = self.watcher.poll()
            assert pause > 0
            self.server.clock.sleep(pause)
        return self

    def until_ready(self, seconds: float = 1000.0) -> float:
        """Seconds until every declared model has answered."""
        begun = self.server.clock()
        while True:
            pause = self.watcher.poll()
            if self.watcher.ready:
                return self.server.clock() - begun
            assert self.server.clock() - begun < seconds, self.lines
            self.server.clock.sleep(pause)


def launches(server: FakeServer) -> list[str]:
    """Models that a client asked to launch through the API, in order."""
    return [argument["model_uid"] for name, argument in server.calls if name == "launch"]


@pytest.mark.parametrize("autostart", [True, False])
def test_what_is_missing_is_launched_and_must_answer(autostart: bool) -> None:
    server = FakeServer(with_autostart=autostart)
    stage = Stage(server, llm("one"), llm("two"))
    assert stage.until_ready() < 12
    assert server.ready() == {"one", "two"}
    logged = [line for line in stage.lines if "ready" in line]
    assert [line.partition(",")[0] for line in logged] == ["one: ready", "two: ready"]
    # How long an answer takes is measured, and a machine may be busy.
    assert all(re.fullmatch(r"\w+: ready, answered in \d\.\d\d s", line) for line in logged)
    assert launches(server) == ["one", "two"]


def test_while_all_is_well_a_poll_is_one_request_and_writes_nothing() -> None:
    server = FakeServer()
    stage = Stage(server, llm("one"), llm("two"))
    stage.until_ready()
    stage.run(10)
    server.allowed = frozenset()
    server.calls.clear()
    stage.run(50)
    names = [name for name, _argument in server.calls]
    assert names.count("list_instances") / len(names) > 0.8
    assert len(names) < 40


@pytest.mark.parametrize("autostart", [True, False])
def test_after_a_restart_of_the_server_every_model_answers_again_and_none_is_launched_twice(autostart: bool) -> None:
    server = FakeServer(with_autostart=autostart)
    stage = Stage(server, llm("one"), llm("two"), llm("three"))
    stage.until_ready()
    stage.run(10)
    server.calls.clear()
    server.lose()
    stage.run(5)
    assert not stage.watcher.ready
    server.restart()
    assert stage.until_ready() < 40
    assert server.ready() == {"one", "two", "three"}
    assert len(launches(server)) == len(set(launches(server)))


def test_a_model_that_disappears_is_launched_again() -> None:
    server = FakeServer(with_autostart=False)
    stage = Stage(server, llm("one"), llm("two"))
    stage.until_ready()
    stage.run(10)
    server.terminate("one")
    stage.run(5)
    assert not stage.watcher.ready
    assert stage.until_ready() < 12
    assert "one: lost; it is absent" in stage.lines


def test_a_model_that_fails_keeps_no_other_one_down_and_is_tried_for_ever_with_longer_pauses() -> None:
    server = FakeServer(with_autostart=False, broken={"bad": "no such file"}, load_seconds=1)
    stage = Stage(server, llm("bad", autostart={"priority": 1}), llm("good"))
    stage.run(20)
    assert server.ready() == {"good"}
    assert not stage.watcher.ready
    stage.run(3600)
    times = launches(server).count("bad")
    assert 10 < times < 30
    server.broken.clear()
    assert stage.until_ready(400) < 320


def test_a_model_that_is_refused_keeps_no_other_one_down() -> None:
    server = FakeServer()
    stage = Stage(server, llm("bad", name="nothing"), llm("good"))
    stage.run(30)
    assert server.ready() == {"good"}
    assert launches(server) == ["good"]
    assert any(line.startswith("bad: ") and "nothing" in line for line in stage.lines)


def test_models_are_launched_by_priority() -> None:
    server = FakeServer()
    Stage(server, llm("last"), llm("second", autostart={"priority": 20}), llm("first", autostart={"priority": 10})).until_ready()
    assert launches(server) == ["first", "second", "last"]


def test_what_another_client_launches_is_waited_for() -> None:
    server = FakeServer().put("one", "CREATING")
    stage = Stage(server, llm("one"), autostart=False)
    stage.until_ready()
    assert launches(server) == []


def test_what_is_absent_stays_absent() -> None:
    server = FakeServer()
    stage = Stage(server, llm("one"), gone("two"))
    stage.until_ready()
    server.launch(llm_request("two"))
    stage.run(60)
    assert server.ready() == {"one"}


def llm_request(uid: str) -> dict[str, Any]:
    """What a user launches by hand."""
    return {"model_uid": uid, "model_name": "qwen3", "model_engine": "llama.cpp"}


@pytest.mark.parametrize(("exclusive", "left"), [(False, {"one", "other"}), (True, {"one"})])
def test_what_is_not_declared_goes_only_where_that_was_chosen(exclusive: bool, left: set[str]) -> None:
    server = FakeServer().run("other")
    stage = Stage(server, llm("one"), exclusive=exclusive)
    stage.until_ready()
    stage.run(10)
    assert server.ready() == left


def test_nothing_is_written_while_a_converge_is_at_work() -> None:
    server = FakeServer(allowed=frozenset())
    stage = Stage(server, llm("one"))
    stage.free = False
    stage.run(30)
    server.allowed = None
    stage.free = True
    stage.until_ready()


def test_another_declaration_is_carried_out() -> None:
    server = FakeServer()
    stage = Stage(server, llm("one"))
    stage.until_ready()
    stage.declare(gone("one"), llm("two"))
    assert stage.until_ready() < 15
    stage.run(5)
    assert server.ready() == {"two"}


def test_credentials_that_are_refused_are_not_tried_often() -> None:
    server = FakeServer()
    stage = Stage(server, llm("one"))
    error = AuthenticationError("POST", "http://fake/token", 401, "Incorrect username or password")
    tries: list[float] = []

    def refuse() -> FakeServer:
        tries.append(server.clock())
        raise error

    stage.watcher.connection.connect = refuse
    stage.run(3600)
    assert len(tries) <= 7
    assert not stage.watcher.ready


@pytest.mark.parametrize(("on_drift", "left"), [("relaunch", "Q4_K_M"), ("report", "Q8_0"), ("ignore", "Q8_0")])
def test_what_was_changed_by_hand_is_relaunched_only_where_the_declaration_asks_for_it(on_drift: str, left: str, monkeypatch: pytest.MonkeyPatch) -> None:
    server = FakeServer(with_autostart=False)
    real = apply_plan
    monkeypatch.setattr(pipeline, "apply_plan", lambda *given: real(*given, clock=server.clock, sleep=server.clock.sleep))
    stage = Stage(server, llm("one", quantization="Q4_K_M"), llm("two"), on_drift=on_drift)
    stage.until_ready()
    server.terminate("one")
    server.launch({**llm_request("one"), "quantization": "Q8_0"})
    stage.run(200)
    assert server.models["one"].request["quantization"] == left
    assert server.ready() == {"one", "two"}
    assert stage.watcher.ready
    assert launches(server).count("two") == 1


def test_without_a_declaration_nothing_happens() -> None:
    server = FakeServer(allowed=frozenset())
    stage = Stage(server)
    stage.declaration = None
    stage.run(30)
    assert not stage.watcher.ready
    assert server.calls == []


def test_a_model_that_is_ready_and_does_not_answer_is_not_ready() -> None:
    server = FakeServer(unanswered={"one"})
    stage = Stage(server, llm("one"), llm("two"))
    stage.run(60)
    assert not stage.watcher.ready
    server.unanswered.clear()
    stage.until_ready(400)


def test_a_server_that_refuses_a_launch_for_now_is_asked_again() -> None:
    server = FakeServer()
    server.fail_next("launch", refused("No available slot found for the model", 503))
    stage = Stage(server, llm("one"))
    assert 5 < stage.until_ready() < 20
    assert written(server).count("launch") == 2


def test_a_server_that_nothing_stands_for_is_unreachable_since_the_first_poll_that_found_so() -> None:
    server = FakeServer()
    stage = Stage(server, llm("one"))
    stage.until_ready()
    assert stage.watcher.connection.unreachable is None
    begun = server.clock()
    server.lose()
    stage.run(20)
    assert stage.watcher.connection.unreachable is not None
    assert begun <= stage.watcher.connection.unreachable <= begun + 3
    server.restart()
    stage.until_ready()
    assert stage.watcher.connection.unreachable is None


@pytest.mark.parametrize("error", [NoAnswer("no answer within 30 s."), AuthenticationError("POST", "http://fake/token", 401, "no")])
def test_a_server_that_is_slow_or_refuses_is_there(error: Exception) -> None:
    server = FakeServer()
    stage = Stage(server, llm("one"))

    def refuse() -> FakeServer:
        raise error

    stage.watcher.connection.connect = refuse
    stage.run(20)
    assert stage.watcher.connection.unreachable is None
    assert not stage.watcher.ready


@pytest.mark.parametrize("listens", [True, False])
def test_a_server_that_cannot_be_asked_is_not_of_no_use_for_that(listens: bool) -> None:
    def connect() -> FakeServer:
        raise ClientMissing("no client", listens=listens)

    logged: list[str] = []
    declaration = Declaration((), ReconcileOptions(PlanOptions()), "a")
    watcher = Watcher(connect, lambda: declaration, logged.append, lock=nullcontext)
    for pause in (watcher.intervals.moving, watcher.intervals.idle, watcher.intervals.idle):
        assert watcher.poll() == (pause if listens else watcher.intervals.down)
        assert (watcher.connection.trouble, watcher.ready) == ("no client", False)
        assert (watcher.connection.unreachable is None, watcher.connection.useless) == (listens, None)
    assert logged == ["the server cannot be asked: no client"]


def test_what_keeps_a_service_from_its_server_since_it_began_is_reported_once() -> None:
    """That nothing listens is usual when a host starts; what comes after it is not."""
    stage = Stage(FakeServer(), llm("chat"))
    stage.server.lost = True
    stage.run(60)
    assert stage.lines == []
    stage.server.lost = False

    def refuse() -> FakeServer:
        raise AuthenticationError("POST", "/token", 401, "no")

    stage.watcher.connection.connect = refuse
    stage.run(2000)
    assert stage.lines == ["the server cannot be asked: the server refuses the credentials: POST /token answered 401: no"]


def test_each_other_reason_is_in_the_journal_once() -> None:
    stage = Stage(FakeServer(), llm("chat"))
    stage.until_ready()
    lines, reasons = len(stage.lines), itertools.cycle([ApiError("GET", "/x", 500, "broken"), ApiError("GET", "/x", 503, "overloaded")])

    def refuse() -> FakeServer:
        raise next(reasons)

    stage.watcher.connection.connect = refuse
    stage.watcher.forget()
    stage.run(100)
    assert stage.lines[lines:] == ["lost the server: GET /x answered 503: overloaded", "the server cannot be asked: GET /x answered 500: broken"]


@pytest.mark.parametrize(("status", "refused"), [(401, True), (403, False), (429, False)])
def test_credentials_that_are_wrong_are_reported_as_such(status: int, refused: bool) -> None:
    stage = Stage(FakeServer(), llm("chat"))

    def refuse() -> FakeServer:
        raise AuthenticationError("POST", "/token", status, "no")

    stage.watcher.connection.connect = refuse
    stage.run(10)
    assert stage.watcher.connection.refused is refused
    stage.watcher.connection.connect = lambda: stage.server
    stage.run(2000)
    assert (stage.watcher.connection.trouble, stage.watcher.connection.refused) == ("", False)


def test_a_process_that_the_server_makes_again_is_noticed_when_it_goes_and_when_it_is_back() -> None:
    server = FakeServer()
    stage = Stage(server, llm("one"), llm("two"))
    stage.until_ready()
    stage.run(10)
    model = server.models["one"]
    before = model.status, model.replicas[0].status
    model.status, model.replicas[0].status = "ERROR", "TERMINATING"
    stage.run(3)
    assert "one: lost; it is recovering" in stage.lines
    assert not stage.watcher.ready
    launched = launches(server)
    model.status, model.replicas[0].status = before
    # Its row is the same as before.
    assert stage.until_ready() < 3
    assert launches(server) == launched


def test_what_a_converge_does_is_seen_and_left_to_it() -> None:
    server = FakeServer(with_autostart=False)
    stage = Stage(server, llm("one"))
    stage.until_ready()
    stage.run(10)
    stage.free = False
    server.terminate("one")
    stage.run(5)
    assert not stage.watcher.ready
    assert stage.watcher.statuses["one"].state == "absent"
    server.launch(llm_request("one"))
    stage.run(30)
    assert stage.watcher.statuses["one"].state == "ready"
    stage.free = True
    assert stage.until_ready() < 2
    assert stage.watcher.statuses["one"].tries == 0
    assert launches(server).count("one") == 2


def test_a_model_that_another_client_made_again_must_answer_again() -> None:
    server = FakeServer(with_autostart=False)
    stage = Stage(server, llm("one"))
    stage.until_ready()
    stage.run(10)
    server.models["one"].created += 5
    stage.run(5)
    assert "one: was made again by another client" in stage.lines
    assert stage.watcher.ready


@pytest.mark.parametrize("heals", [True, False])
def test_a_model_that_is_there_and_will_never_answer_is_launched_anew(heals: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    server = FakeServer(with_autostart=False)
    stage = Stage(server, llm("one"), llm("two"))
    stage.until_ready()
    stage.run(10)
    made = server.models["one"].created = server.models["one"].created + 1
    real = server.ask

    def ask(route: str, question: dict[str, Any], timeout: float) -> dict[str, Any]:
        if question["model"] == "one" and (not heals or server.models["one"].created == made):
            raise ApiError("POST", f"http://fake/v1/{route}", 503, "Model is loading, please retry later: Model one is loading")
        return real(route, question, timeout)

    monkeypatch.setattr(server, "ask", ask)
    if heals:
        assert stage.until_ready() < 60
        assert launches(server) == ["one", "two", "one"]
    else:
        # As seldom as any other try.
        stage.run(3600)
        assert 5 < launches(server).count("one") < 25
        assert launches(server).count("two") == 1
    assert "one: terminated, to be launched again" in stage.lines


def test_a_launch_that_is_slow_comes_up_at_last_however_impatient_a_converge_is() -> None:
    server = FakeServer(with_autostart=False, load_seconds=5000)
    server.progresses["one"] = {"progress": 0.8, "stage": "loading"}
    stage = Stage(server, llm("one"))
    assert stage.declaration is not None
    run_options = stage.declaration.run_options
    stage.declaration = Declaration(stage.declaration.models, replace(run_options, waiting=replace(run_options.waiting, timeout=5)))
    assert stage.until_ready(20000) > 5000
    assert written(server).count("cancel") < 3


@pytest.mark.parametrize("copies", [["TERMINATING"], ["ERROR"]], ids=["being made again", "failed while loading"])
def test_a_process_that_the_server_cannot_make_again_is_launched_anew(copies: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """The server keeps the name of such a model, and refuses to launch it, until it is terminated."""
    server = FakeServer(with_autostart=False)
    stage = Stage(server, llm("one"), llm("two"))
    stage.until_ready()
    stage.run(10)
    launch, terminate, left = server.launch, server.terminate, {"one"}

    def refuse(request: dict[str, Any]) -> None:
        if request["model_uid"] in left:
            server.calls.append(("launch", request))
            raise refused("Model is already in the model list, uid: one", 400)
        launch(request)

    def free(uid: str) -> None:
        if uid not in left:
            terminate(uid)
            return
        server.calls.append(("terminate", uid))
        left.discard(uid)
        server.become(uid, "TERMINATED")()

    monkeypatch.setattr(server, "launch", refuse)
    monkeypatch.setattr(server, "terminate", free)
    server.models["one"].status = "ERROR"
    server.models["one"].replicas[0].status = copies[0]
    server.calls.clear()
    assert stage.until_ready(1200) < 800
    assert written(server).count("terminate") == 1
    assert launches(server).count("two") == 0


@pytest.mark.parametrize("call", ["cancel", "terminate"])
def test_a_removal_without_an_answer_keeps_no_other_model_down(call: str, monkeypatch: pytest.MonkeyPatch) -> None:
    server = FakeServer(with_autostart=False, load_seconds=1e6).put("stuck", "CREATING") if call == "cancel" else FakeServer(with_autostart=False).run("stuck")
    server.load_seconds = 10

    def hang(_uid: str) -> None:
        server.clock.sleep(90)
        raise NoAnswer("no answer within 90 s.")

    monkeypatch.setattr(server, call, hang)
    stage = Stage(server, llm("stuck") if call == "cancel" else gone("stuck"), llm("two"))
    stage.run(4000)
    server.become("two", "TERMINATED")()
    stage.lines.clear()
    stage.run(400)
    assert "two" in server.ready()
    assert not [line for line in stage.lines if "the server" in line]


def test_what_differs_after_a_relaunch_as_well_is_not_relaunched_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    server = FakeServer(with_autostart=False)
    real = apply_plan
    monkeypatch.setattr(pipeline, "apply_plan", lambda *given: real(*given, clock=server.clock, sleep=server.clock.sleep))
    stage = Stage(server, llm("one", quantization="Q4_K_M"), on_drift="relaunch")
    stage.until_ready()
    listed = server.list_models
    monkeypatch.setattr(server, "list_models", lambda: {uid: {**row, "quantization": "another"} for uid, row in listed().items()})
    server.calls.clear()
    stage.run(86400)
    assert 5 < len(launches(server)) < 15
    monkeypatch.setattr(server, "list_models", listed)
    stage.run(86400)
    assert stage.watcher.statuses["one"].drift_tries == 0


def test_one_that_never_comes_up_keeps_nobody_from_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is not declared goes, and what was changed by hand is relaunched."""
    server = FakeServer(with_autostart=False, broken={"bad": "no such file"}, load_seconds=1)
    real = apply_plan
    monkeypatch.setattr(pipeline, "apply_plan", lambda *given: real(*given, clock=server.clock, sleep=server.clock.sleep))
    stage = Stage(server, llm("bad"), llm("one", quantization="Q4_K_M"), exclusive=True, on_drift="relaunch")
    stage.run(200)
    server.terminate("one")
    server.launch({**llm_request("one"), "quantization": "Q8_0"})
    server.launch(llm_request("foreign"))
    stage.run(400)
    assert server.ready() == {"one"}
    assert server.models["one"].request["quantization"] == "Q4_K_M"


def test_relaunches_come_one_in_a_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each takes long, and a run waits for the lock meanwhile."""
    server = FakeServer(with_autostart=False)
    real = apply_plan
    monkeypatch.setattr(pipeline, "apply_plan", lambda *given: real(*given, clock=server.clock, sleep=server.clock.sleep))
    stage = Stage(server, llm("one"), llm("two"), llm("three"), on_drift="relaunch")
    stage.until_ready()
    stage.declare(*(llm(uid, quantization="Q8_0") for uid in ("one", "two", "three")), on_drift="relaunch")
    turns = 0
    while {model.request.get("quantization") for model in server.models.values()} != {"Q8_0"}:
        before = written(server).count("terminate")
        server.clock.sleep(stage.watcher.poll())
        assert written(server).count("terminate") - before <= 1
        turns += 1
        assert turns < 100
    stage.until_ready()


@pytest.mark.parametrize("hub", [True, False])
def test_a_model_serves_until_the_files_of_the_next_are_there(hub: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that a run did not get any more."""
    server = FakeServer(with_autostart=False, download_seconds=300, load_seconds=1)
    real = apply_plan
    monkeypatch.setattr(pipeline, "apply_plan", lambda *given: real(*given, clock=server.clock, sleep=server.clock.sleep))
    stage = Stage(server, llm("one", quantization="Q4_K_M"))
    stage.until_ready()
    if not hub:
        server.unreachable["qwen3"] = "no connection to the hub"
    stage.declare(llm("one", quantization="Q8_0"), on_drift="relaunch")
    assert stage.declaration is not None
    stage.declaration = Declaration(stage.declaration.models, replace(stage.declaration.run_options, download="first"))
    terminate, moments = server.terminate, []

    def note(uid: str) -> None:
        moments.append(server.clock())
        terminate(uid)

    monkeypatch.setattr(server, "terminate", note)
    begun = server.clock()
    stage.run(1000)
    assert stage.watcher.ready
    if hub:
        assert len(moments) == 1
        assert moments[0] - begun >= 300
        assert server.models["one"].request["quantization"] == "Q8_0"
    else:
        assert moments == []
        assert any("no connection to the hub" in line for line in stage.lines)


def test_a_model_that_is_asked_for_long_does_not_stop_the_polls(monkeypatch: pytest.MonkeyPatch) -> None:
    """A model that hangs is asked in the background, one question at a time."""
    server = FakeServer(with_autostart=False)
    stage = Stage(server, llm("one"), llm("two"))
    asked: list[Any] = []
    stage.watcher.smoke_tests.background = asked.append
    stage.run(60)
    assert len(asked) == 1
    assert not stage.watcher.ready
    other = {"one": "two", "two": "one"}[asked[0].uid]
    server.become(other, "TERMINATED")()
    stage.run(20)
    assert server.ready() == {"one", "two"}
    assert len(asked) == 1
    # It is made again before it answers: that was another one.
    server.become(asked[0].uid, "TERMINATED")()
    stage.run(20)
    asked[0]()
    stage.run(5)
    assert len(asked) == 2
    assert not any(care.answered for care in stage.watcher.statuses.values())
    while not stage.watcher.ready:
        asked[-1]()
        stage.run(5)
        assert len(asked) < 6


def test_a_model_that_dies_of_its_question_pauses_as_any_other_that_fails() -> None:
    server = FakeServer(with_autostart=False, unanswered={"one"}, load_seconds=1)
    stage = Stage(server, llm("one"))

    def dying(question: Any) -> None:
        question()
        server.become("one", "TERMINATED")()

    asked: list[Any] = []
    stage.watcher.smoke_tests.background = asked.append
    end = server.clock() + 3600
    while server.clock() < end:
        stage.run(2)
        if asked:
            dying(asked.pop())
    assert 5 < launches(server).count("one") < 25
    assert any("did not answer" in line for line in stage.lines)


def test_only_a_model_that_was_compared_ends_the_pauses_of_its_relaunch(monkeypatch: pytest.MonkeyPatch) -> None:
    server = FakeServer(with_autostart=False)
    stage = Stage(server, llm("one"), llm("two"), on_drift="relaunch")
    stage.until_ready()
    care = stage.watcher.statuses["one"]
    care.drift_tries, care.drift_after = 3, server.clock() + 480
    server.become("one", "CREATING")()
    stage.run(30)
    assert care.drift_tries == 3
    server.become("one", "READY")()
    stage.run(120)
    assert care.drift_tries == 0


def test_who_was_lost_is_not_ready_while_another_one_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    server = FakeServer(with_autostart=False)
    stage = Stage(server, llm("one"))
    stage.until_ready()
    logged: list[bool] = []
    stage.watcher.changed = lambda: logged.append(stage.watcher.ready)
    server.models["one"].created += 1
    stage.run(5)
    assert logged[0] is False
    assert stage.watcher.ready


def test_a_model_that_was_made_anew_is_asked_at_once_whatever_the_one_before_failed_at() -> None:
    server = FakeServer(with_autostart=False, unanswered={"one"})
    stage = Stage(server, llm("one"))
    stage.run(3000)
    server.unanswered.clear()
    server.models["one"].created += 1
    assert stage.until_ready() < 10


def test_a_model_that_is_busy_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    server = FakeServer(with_autostart=False)
    stage = Stage(server, llm("one"))

    def slow(_route: str, _question: dict[str, Any], timeout: float) -> dict[str, Any]:
        server.clock.sleep(timeout)
        raise NoAnswer(f"no answer within {timeout:g} s.")

    monkeypatch.setattr(server, "ask", slow)
    stage.run(3600)
    assert not stage.watcher.ready
    assert written(server).count("terminate") == 0
    assert launches(server) == ["one"]


def test_a_change_that_cannot_load_is_tried_ever_more_seldom_and_the_previous_model_serves_meanwhile(monkeypatch: pytest.MonkeyPatch) -> None:
    server = FakeServer(with_autostart=False)
    real = apply_plan
    monkeypatch.setattr(pipeline, "apply_plan", lambda *given: real(*given, clock=server.clock, sleep=server.clock.sleep))
    stage = Stage(server, llm("one"), on_drift="relaunch")
    stage.until_ready()
    launch = server.launch

    def refuse_some(request: dict[str, Any]) -> None:
        if request.get("quantization") == "Q8_0":
            raise refused("not enough memory", 500)
        launch(request)

    monkeypatch.setattr(server, "launch", refuse_some)
    stage.declare(llm("one", quantization="Q8_0"), on_drift="relaunch")
    logged: list[bool] = []
    stage.watcher.changed = lambda: logged.append(stage.watcher.ready)
    server.calls.clear()
    stage.run(3600)
    assert stage.watcher.ready
    assert server.ready() == {"one"}
    assert 5 < written(server).count("terminate") < 25
    assert any("relaunch failed" in line for line in stage.lines)
    # Nothing reports that it answers while it is away.
    assert logged == [False] * written(server).count("terminate")
    # A day more, with one try an hour, would be many more.
    stage.run(86400)
    assert written(server).count("terminate") < 15


def test_a_converge_that_comes_in_between_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Between the reading of the declaration and the lock."""
    server = FakeServer(with_autostart=False)
    stage = Stage(server, llm("one"), llm("two"))

    def hold() -> Any:
        if stage.declaration is first:
            stage.declare(llm("one"), gone("two"))
        return nullcontext()

    first = stage.declaration
    stage.watcher.lock = hold
    stage.until_ready()
    assert launches(server) == ["one"]


def test_who_only_pauses_is_declared_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    server = FakeServer(with_autostart=False, unanswered={"one"}).run("other")
    stage = Stage(server, llm("one"), llm("two"), exclusive=True)
    stage.run(600)
    assert server.ready() == {"one", "two"}
    assert launches(server).count("one") == 1


def test_a_model_whose_limit_of_requests_is_used_up_serves(monkeypatch: pytest.MonkeyPatch) -> None:
    server = FakeServer(with_autostart=False)
    stage = Stage(server, llm("one"))
    words = "Rate limit reached for the model. Please try again later."

    def limited(route: str, _question: dict[str, Any], _timeout: float) -> dict[str, Any]:
        raise AuthenticationError("POST", f"http://fake/v1/{route}", 429, words)

    monkeypatch.setattr(server, "ask", limited)
    assert stage.until_ready() < 12


def test_another_declaration_brings_other_credentials() -> None:
    server = FakeServer()
    stage = Stage(server, llm("one"))
    real = stage.watcher.connection.connect
    error = AuthenticationError("POST", "http://fake/token", 401, "Incorrect username or password")

    def refuse() -> FakeServer:
        raise error

    stage.watcher.connection.connect = refuse
    stage.run(60)
    stage.watcher.connection.connect = real
    stage.run(60)
    assert server.ready() == set()
    stage.declare(llm("one"))
    assert stage.until_ready() < 12


def test_another_declaration_brings_another_address() -> None:
    old, new = FakeServer(), FakeServer()
    new.clock = old.clock
    stage = Stage(old, llm("one"))
    stage.until_ready()
    old.lose()
    stage.run(5)
    stage.server = new
    stage.declare(llm("one"), connection="http://new")
    assert stage.until_ready() < 12
    assert new.ready() == {"one"}


def test_another_declaration_for_the_same_account_takes_the_login_along() -> None:
    """A password that is being rotated is kept in a file that counts as part of the declaration."""
    server = FakeServer()
    stage = Stage(server, llm("one"))
    stage.until_ready()
    stage.watcher.connection.connect = lambda: pytest.fail("it logged in again")
    stage.declare(llm("one"), llm("two"))
    stage.until_ready()
    stage.run(100)
    assert server.ready() == {"one", "two"}


def test_while_a_server_is_down_nobody_waits_for_a_second_try(monkeypatch: pytest.MonkeyPatch) -> None:
    server = FakeServer()
    stage = Stage(server, llm("one"))
    stage.until_ready()
    tries: list[tuple[str, bool]] = []

    def status(*, patient: bool = True) -> Any:
        tries.append(("status", patient))
        raise ConnectionFailed("no connection (Connection refused).")

    def list_instances() -> Any:
        tries.append(("list_instances", True))
        raise ConnectionFailed("no connection (Connection refused).")

    monkeypatch.setattr(server, "status", status)
    monkeypatch.setattr(server, "list_instances", list_instances)
    stage.run(5)
    # That it is down must be sure; after that only whether it is back counts.
    assert tries[0] == ("list_instances", True)
    assert len(tries) > 10
    assert set(tries[1:]) == {("status", False)}


def test_a_login_is_proven_only_when_there_is_a_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    """A token holds what its owner may do, as it was before the restart."""
    server = FakeServer()
    stage = Stage(server, llm("one"))
    stage.until_ready()
    server.lose()
    stage.run(5)
    logins: list[float] = []
    real_status, real_models, workers = server.status, server.list_models, False

    def connect() -> FakeServer:
        logins.append(server.clock())
        return server

    def list_models() -> Any:
        if not logins:
            raise AuthenticationError("GET", "http://fake/v1/models", 403, "Not enough permissions")
        return real_models()

    def status(*, patient: bool = True) -> dict[str, Any]:
        return {**real_status(patient=patient), **({} if workers else {"workers": {}})}

    monkeypatch.setattr(server, "status", status)
    monkeypatch.setattr(server, "list_models", list_models)
    stage.watcher.connection.connect = connect
    server.restart()
    stage.run(3)
    workers = True
    assert stage.until_ready() < 40
    assert len(logins) == 1


def test_a_server_that_answers_nothing_of_use_is_not_asked_for_logins_all_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    server = FakeServer()
    stage = Stage(server, llm("one"))
    stage.until_ready()
    logins: list[float] = []

    def connect() -> FakeServer:
        logins.append(server.clock())
        return server

    def fail() -> Any:
        raise ApiError("GET", "http://fake/v1/models/instances", 500, "Actor is gone")

    monkeypatch.setattr(server, "list_instances", fail)
    stage.watcher.connection.connect = connect
    stage.run(120)
    assert 30 < len(logins) < 65


@pytest.mark.parametrize("failing", [1, 4])
def test_who_fails_at_answering_delays_the_others_by_little(failing: int, monkeypatch: pytest.MonkeyPatch) -> None:
    server = FakeServer()
    broken = [llm(f"broken-{number}") for number in range(failing)]
    stage = Stage(server, *broken, llm("one"))
    real = server.ask

    def ask(route: str, question: dict[str, Any], timeout: float) -> dict[str, Any]:
        if question["model"].startswith("broken"):
            raise ApiError("POST", f"http://fake/v1/{route}", 500, "no")
        return real(route, question, timeout)

    monkeypatch.setattr(server, "ask", ask)
    loaded = 0.0
    while not stage.watcher.statuses.get("one", ModelStatus()).answered:
        server.clock.sleep(stage.watcher.poll())
        loaded = loaded or (server.clock() if "one" in server.ready() else 0.0)
        assert server.clock() - (loaded or server.clock()) < 2 * failing + 3


@pytest.mark.parametrize("status", [None, 401, 403, 429])
def test_a_login_counts_after_a_restart_unless_the_server_forgot_it(status: int | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Logging in takes a moment on a server, and the models wait for it."""
    server = FakeServer()
    stage = Stage(server, llm("one"))
    logins: list[float] = []
    forgotten = False

    def connect() -> FakeServer:
        nonlocal forgotten
        if server.lost:
            raise ConnectionFailed("no connection (Connection refused).")
        logins.append(server.clock())
        forgotten = False
        return server

    real = server.list_instances

    def ask() -> Any:
        if forgotten and not server.lost:
            raise AuthenticationError("GET", "http://fake/v1/models/instances", status or 0, "no")
        return real()

    monkeypatch.setattr(server, "list_instances", ask)
    stage.watcher.connection.connect = connect
    for _restart in range(3):
        stage.until_ready()
        stage.run(10)
        server.lose()
        stage.run(5)
        forgotten = status is not None
        server.restart()
        assert stage.until_ready() < 40
    assert len(logins) == (4 if status else 1)


@pytest.mark.parametrize("call", ["list_instances", "list_models"])
def test_a_password_that_was_changed_under_it_takes_nothing_from_the_models(call: str, monkeypatch: pytest.MonkeyPatch) -> None:
    server = FakeServer()
    stage = Stage(server, llm("one"))
    stage.until_ready()
    stage.run(10)
    server.calls.clear()
    logins: list[float] = []
    refusing = True

    def connect() -> FakeServer:
        nonlocal refusing
        logins.append(server.clock())
        refusing = False
        return server

    real = getattr(server, call)

    def ask() -> Any:
        if refusing:
            raise AuthenticationError("POST", "http://fake/token", 401, "Incorrect username or password")
        return real()

    monkeypatch.setattr(server, call, ask)
    stage.watcher.connection.connect = connect
    lines = list(stage.lines)
    # Long enough for a comparison of everything.
    for _second in range(60):
        stage.run(1)
        assert stage.watcher.ready
    assert len(logins) == 1
    assert stage.lines == lines
    assert launches(server) == []


@pytest.mark.parametrize("status", [401, 403, 429])
def test_who_is_let_in_and_then_refused_does_not_ask_again_at_once(status: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten tokens that are refused ban an address for an hour."""
    server = FakeServer()
    stage = Stage(server, llm("one"))
    stage.until_ready()
    tries: list[float] = []

    def refuse() -> Any:
        tries.append(server.clock())
        raise AuthenticationError("GET", "http://fake/v1/models/instances", status, "no")

    monkeypatch.setattr(server, "list_instances", refuse)
    stage.run(3500)
    assert len(tries) <= 7
    assert not stage.watcher.ready


def test_a_server_that_goes_down_while_it_refuses_is_missed_and_asked_again_when_it_is_back() -> None:
    server = FakeServer()
    stage = Stage(server, llm("one"))
    stage.watcher.connection.listens = lambda: not server.lost
    real, error = stage.watcher.connection.connect, AuthenticationError("GET", "http://fake/v1/models/instances", 429, "banned")
    banned = True

    def connect() -> Api:
        if banned and not server.lost:
            raise error
        return real()

    stage.watcher.connection.connect = connect
    stage.run(30)
    assert stage.watcher.connection.unreachable is None
    server.lose()
    stage.run(5)
    assert stage.watcher.connection.unreachable is not None
    # A new one knows nothing of the ban.
    banned = False
    server.restart()
    assert stage.until_ready() < 40


def test_where_no_smoke_test_is_wanted_ready_is_enough() -> None:
    server = FakeServer(unanswered={"one"})
    stage = Stage(server, llm("one"))
    assert stage.declaration is not None
    run_options = stage.declaration.run_options
    stage.declaration = Declaration(stage.declaration.models, replace(run_options, waiting=replace(run_options.waiting, smoke="none")))
    assert stage.until_ready() < 12
    stage.run(60)
    assert launches(server) == ["one"]


def test_a_request_that_fails_once_is_no_loss() -> None:
    server = FakeServer(with_autostart=False, broken={"bad": "no such file"})
    stage = Stage(server, llm("good"), llm("bad"))
    stage.run(300)
    launched = launches(server).count("bad")
    lines = len(stage.lines)
    for _time in range(50):
        server.fail_next("list_instances", NoAnswer("no answer within 30 s."))
        stage.run(30)
    # As seldom as without these failures.
    assert launches(server).count("bad") - launched < 8
    assert not [line for line in stage.lines[lines:] if line.startswith("lost the server")]


def test_options_that_are_chosen_for_the_host_are_chosen_for_all_models_together() -> None:
    server = FakeServer(with_autostart=False, broken={"bad": "no such file"})
    auto = {"format": "ggufv2", "size_in_billions": "0_6", "quantization": "Q4_K_M", "engine_options": "auto"}
    stage = Stage(server, llm("good", **auto), llm("bad", **auto))
    assert stage.declaration is not None
    stage.declaration = Declaration(stage.declaration.models, replace(stage.declaration.run_options, cores=2.0, memory_mib=3100))
    stage.run(60)
    first = dict(server.models["good"].request)
    # Alone it would have more.
    assert first["n_ctx"] < 4096
    server.terminate("good")
    stage.run(60)
    assert {key: value for key, value in server.models["good"].request.items() if key.startswith("n_")} == {
        key: value for key, value in first.items() if key.startswith("n_")
    }
    assert stage.watcher.statuses["good"].answered > 0


def test_a_launch_whose_request_has_no_answer_keeps_no_other_one_down() -> None:
    server = FakeServer(with_autostart=False)
    server.fail_next("launch", NoAnswer("no answer within 30 s."))
    stage = Stage(server, llm("one"), llm("two"), llm("three"))
    stage.run(1)
    assert launches(server) == ["one", "two", "three"]
    assert not any(line.startswith(("two: ", "three: ")) and "no answer" in line for line in stage.lines)
    assert stage.until_ready() < 40


def test_an_orphaned_model_is_removed_and_launched_again() -> None:
    server = FakeServer(with_autostart=False)
    stage = Stage(server, llm("one"), llm("two"))
    stage.until_ready()
    stage.run(10)
    server.models["one"].orphan = True
    server.models["one"].created += 1
    assert stage.watcher.poll() > 0
    assert stage.until_ready(60) < 60
    assert "one: was cancelled too late; removed" in stage.lines
    assert launches(server).count("one") == 2
    assert launches(server).count("two") == 1


def test_a_leftover_of_what_shall_be_absent_is_cleared_away() -> None:
    server = FakeServer(with_autostart=False).run("old")
    server.models["old"].orphan = True
    stage = Stage(server, llm("one"), gone("old"))
    stage.run(60)
    assert server.models["old"].status == "ERROR"
    assert written(server).count("clear_orphan") == 1


@pytest.mark.parametrize("moves", [True, False])
def test_a_launch_is_cancelled_only_when_nothing_moves_for_half_an_hour(moves: bool) -> None:
    """However impatient a run is, which only reports."""
    server = FakeServer(with_autostart=False, load_seconds=1e6).put("one", "CREATING")
    server.load_seconds = 10
    server.progresses["one"] = {"progress": 0.1}
    stage = Stage(server, llm("one"))
    assert stage.declaration is not None
    run_options = stage.declaration.run_options
    stage.declaration = Declaration(stage.declaration.models, replace(run_options, waiting=replace(run_options.waiting, timeout=600)))
    for share in range(1, 20):
        if moves:
            server.progresses["one"] = {"progress": share / 20}
        stage.run(500)
        if not moves and "cancel" in written(server):
            break
    if moves:
        assert written(server) == []
    else:
        assert 1000 + 1800 < server.clock.now < 1000 + 4 * 1800
        assert stage.until_ready() < 60
        assert any(line.startswith("one: creating without progress for ") for line in stage.lines)


def test_a_leftover_that_cannot_be_cleared_away_is_tried_more_and_more_seldom() -> None:
    server = FakeServer(with_autostart=False).run("one")
    server.models["one"].orphan = True
    stage = Stage(server, llm("one"), llm("two"))

    def refuse(uid: str, replicas: int) -> None:
        server.calls.append(("clear_orphan", uid))
        raise refused("it is stuck", 500)

    server.clear_orphan = refuse  # type: ignore[method-assign]
    stage.run(3600)
    assert server.ready() >= {"two"}
    assert 10 < written(server).count("clear_orphan") < 30
    assert any("cannot be removed" in line and "it is stuck" in line for line in stage.lines)


def test_models_are_asked_without_the_lock_and_who_failed_before_comes_last(monkeypatch: pytest.MonkeyPatch) -> None:
    server = FakeServer(with_autostart=False)
    stage = Stage(server, llm("slow"), llm("good"))
    held: list[bool] = []
    asked: list[str] = []

    class Held:
        def __enter__(self) -> None:
            held.append(True)

        def __exit__(self, *_: object) -> None:
            held.pop()

    stage.watcher.lock = Held
    real = server.ask

    def ask(route: str, question: dict[str, Any], timeout: float) -> dict[str, Any]:
        assert held == []
        asked.append(question["model"])
        if question["model"] == "slow":
            server.clock.sleep(timeout)
            raise NoAnswer(f"no answer within {timeout:g} s.")
        return real(route, question, timeout)

    monkeypatch.setattr(server, "ask", ask)
    stage.run(600)
    assert stage.watcher.statuses["good"].answered > 0
    server.models["good"].created += 1
    asked.clear()
    stage.run(10)
    assert asked[0] == "good"


@pytest.mark.parametrize(
    "error", [ApiError("GET", "http://fake/v1/models/instances", 500, "[Errno 111] Connection refused"), NoAnswer("no answer within 30 s.")]
)
def test_a_server_that_listens_and_is_of_no_use_is_known_to_be_so_since_the_first_poll(error: Exception) -> None:
    server = FakeServer()
    stage = Stage(server, llm("one"))
    stage.until_ready()
    stage.run(10)
    assert stage.watcher.connection.useless is None
    begun = server.clock()
    for _poll in range(40):
        server.fail_next("list_instances", error)
        stage.watcher.poll()
        server.clock.sleep(0.5)
    assert stage.watcher.connection.unreachable is None
    assert stage.watcher.connection.useless == begun
    stage.until_ready()
    assert stage.watcher.connection.useless is None


def test_a_server_without_a_worker_is_of_no_use(monkeypatch: pytest.MonkeyPatch) -> None:
    server = FakeServer()
    stage = Stage(server, llm("one"))
    monkeypatch.setattr(server, "status", lambda: {"workers": {}})
    begun = server.clock()
    stage.run(30)
    assert stage.watcher.connection.useless == begun
    assert stage.watcher.connection.trouble == "the server has no worker yet"
    monkeypatch.undo()
    stage.until_ready()
    assert stage.watcher.connection.useless is None


def test_vectors_of_the_declared_length_are_an_answer() -> None:
    server = FakeServer()
    stage = Stage(server, {"uid": "embed", "name": "bge-m3", "type": "embedding", "engine": "sentence_transformers", "engine_options": {"dimensions": 128}})
    assert stage.until_ready() < 100
    assert not [line for line in stage.lines if "did not answer" in line]
