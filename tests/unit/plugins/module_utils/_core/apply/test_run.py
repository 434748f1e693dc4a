# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""applying a plan on a server that behaves like the real one, without waiting for real."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.inferops.xinference.plugins.module_utils._core.apply.results import Result, predict
from ansible_collections.inferops.xinference.plugins.module_utils._core.base.errors import AuthenticationError, ConnectionFailed, NoAnswer, NotReached
from ansible_collections.inferops.xinference.plugins.module_utils._core.host.docker import Deaths
from ansible_collections.inferops.xinference.plugins.module_utils._core.observed.models import observe
from ansible_collections.inferops.xinference.plugins.module_utils._core.observed.server_files import DEFAULT_HOME, ServerFiles
from ansible_collections.inferops.xinference.plugins.module_utils._core.plan.plan import PlanOptions
from ansible_collections.inferops.xinference.plugins.module_utils._core.server.rows import ModelRow
from ansible_collections.inferops.xinference.tests.unit.plugins.module_utils._core.fake_server import FakeServer
from ansible_collections.inferops.xinference.tests.unit.plugins.module_utils._core.plan_runner import (
    Run,
    custom,
    gone,
    llm,
    reach,
    record_of,
    refused,
    written,
)

DIED = "Remote server unixsocket:///7 closed: 0 bytes read on a total of 11 expected bytes"

#: Before the words of the fake server's errors.
ANSWERED = "POST http://fake/v1/models answered"


# What goes well.


def test_a_launch_waits_until_the_model_is_ready() -> None:
    server = FakeServer(load_seconds=12)
    (result,) = reach(server, llm("chat")).values()
    assert (result.result, result.changed, result.state, result.message) == ("launched", True, "ready", "")
    assert result.seconds == pytest.approx(12.0, rel=0.05)
    assert server.ready() == {"chat"}
    assert server.writes()[0] == (
        "launch",
        {"model_uid": "chat", "model_type": "LLM", "replica": 1, "model_name": "qwen3", "model_engine": "llama.cpp"},
    )
    assert written(server) == ["launch", "remember"]


def test_what_runs_is_left_alone() -> None:
    server = FakeServer(allowed=frozenset()).run("chat", "other")
    results = reach(server, llm("chat"), gone("old"))
    assert {uid: (result.result, result.changed) for uid, result in results.items()} == {"old": ("unchanged", False), "chat": ("unchanged", False)}
    assert server.writes() == []


def test_removals_come_first_and_free_memory_for_launches() -> None:
    server = FakeServer(terminate_seconds=4).run("old")
    results = reach(server, llm("new"), gone("old"))
    assert written(server) == ["terminate", "launch", "remember"]
    assert (results["old"].result, results["old"].changed, results["old"].state, results["old"].seconds) == ("terminated", True, "absent", 4.0)
    assert results["new"].result == "launched"


def test_a_launch_under_way_that_is_declared_absent_is_cancelled() -> None:
    server = FakeServer(allowed=frozenset({"cancel"})).put("old", "CREATING")
    (result,) = reach(server, gone("old")).values()
    assert (result.result, result.changed, result.failed) == ("cancelled", True, False)
    assert observe(server).state("old") == "error"


def test_exclusive_removes_what_is_not_declared() -> None:
    server = FakeServer().run("chat", "stray").put("loading", "CREATING")
    results = reach(server, llm("chat"), choices=PlanOptions(exclusive=True))
    assert {uid: result.result for uid, result in results.items()} == {"loading": "cancelled", "stray": "terminated", "chat": "unchanged"}
    assert server.ready() == {"chat"}


def test_a_model_that_another_client_launches_is_waited_for() -> None:
    server = FakeServer(allowed=frozenset(), load_seconds=7).put("chat", "CREATING")
    (result,) = reach(server, llm("chat")).values()
    assert (result.result, result.changed, result.state) == ("waited", False, "ready")
    assert result.seconds == pytest.approx(7.0, rel=0.05)


def test_a_model_that_another_client_terminates_is_waited_for() -> None:
    server = FakeServer(allowed=frozenset(), terminate_seconds=5).put("old", "TERMINATING")
    (result,) = reach(server, gone("old")).values()
    assert (result.result, result.changed, result.state) == ("waited", False, "absent")


def test_a_model_that_is_still_being_terminated_is_launched_when_it_is_gone() -> None:
    server = FakeServer(terminate_seconds=5).put("chat", "TERMINATING")
    (result,) = reach(server, llm("chat")).values()
    assert (result.result, result.changed, result.state) == ("launched", True, "ready")
    assert server.ready() == {"chat"}


def test_what_is_left_of_a_failed_launch_is_launched_again() -> None:
    server = FakeServer().put("chat", "ERROR", "out of memory")
    (result,) = reach(server, llm("chat")).values()
    assert (result.result, result.state) == ("launched", "ready")


@pytest.mark.parametrize("at_once", [1, 2, 3, 10])
def test_no_more_launches_at_once_than_allowed(at_once: int) -> None:
    server = FakeServer()
    results = reach(server, *(llm(f"m{number}") for number in range(5)), at_once=at_once)
    assert all(result.result == "launched" for result in results.values())
    assert server.most_at_once == min(at_once, 5)


def test_launches_of_others_count_as_under_way() -> None:
    server = FakeServer().put("theirs", "CREATING")
    reach(server, llm("ours"), llm("theirs"), at_once=1)
    assert server.most_at_once == 1
    assert server.ready() == {"ours", "theirs"}


def test_a_custom_model_is_registered_once_before_its_launches() -> None:
    server = FakeServer()
    items = [custom(uid) for uid in ("one", "two")]
    reach(server, *items)
    assert written(server) == ["register", "launch", "remember", "launch", "remember"]
    assert server.writes()[0] == ("register", ("LLM", "custom"))
    assert server.ready() == {"one", "two"}


# Without waiting.


def test_without_waiting_launches_are_only_asked_for() -> None:
    server = FakeServer().put("theirs", "CREATING")
    results = reach(server, llm("one"), llm("two"), llm("theirs"), wait=False)
    assert server.clock.now == 1000.0
    assert {uid: (result.result, result.changed, result.state) for uid, result in results.items()} == {
        "one": ("launched", True, "creating"),
        "two": ("launched", True, "creating"),
        "theirs": ("unchanged", False, "creating"),
    }


def test_without_waiting_a_refused_launch_is_still_a_failure() -> None:
    server = FakeServer()
    server.fail_next("launch", refused("No available worker found", 503))
    results = reach(server, llm("one"), llm("two"), wait=False)
    assert (results["one"].result, results["one"].message) == ("failed", f"{ANSWERED} 503: No available worker found")
    assert results["two"].result == "launched"


def test_without_waiting_a_model_that_is_still_there_is_a_failure() -> None:
    server = FakeServer().put("chat", "TERMINATING")
    (result,) = reach(server, llm("chat"), wait=False).values()
    assert (result.result, result.changed, result.message) == ("failed", False, "is still being terminated; wait for it or run again")


def test_without_waiting_a_termination_by_another_client_is_reported_as_it_is() -> None:
    server = FakeServer(allowed=frozenset()).put("old", "TERMINATING")
    (result,) = reach(server, gone("old"), wait=False).values()
    assert (result.result, result.changed, result.state) == ("unchanged", False, "terminating")


def test_without_waiting_nothing_is_finished_when_the_server_is_lost() -> None:
    server = FakeServer()
    server.fail_next("launch", None, ConnectionFailed("no connection."))
    results = reach(server, llm("one"), llm("two"), llm("three"), wait=False)
    assert {uid: (result.result, result.changed, result.message) for uid, result in results.items()} == {
        # It was launched, but what it was launched with is not written down.
        "one": ("failed", True, "no connection."),
        # Whether the request arrived is not known.
        "two": ("failed", True, "no connection."),
        "three": ("failed", False, "no connection."),
    }


# What goes wrong.


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("Failed to init server, please check the input params.", "Failed to init server, please check the input params."),
        ("", "the server gave no reason"),
        (DIED, f"{DIED} (the model's process died while loading; the usual cause is too little memory)"),
    ],
)
def test_a_launch_that_fails_later_reports_the_server_s_words_and_does_not_hide_the_others(words: str, message: str) -> None:
    server = FakeServer(broken={"bad": words})
    results = reach(server, llm("bad"), llm("good"))
    assert (results["bad"].result, results["bad"].changed, results["bad"].state, results["bad"].message) == ("failed", True, "error", message)
    assert (results["good"].result, results["good"].failed) == ("launched", False)


def test_a_request_that_nobody_took_wrote_nothing() -> None:
    for error, changed in ((NotReached("no connection"), False), (ConnectionFailed("aborted"), True), (NoAnswer("no answer"), True)):
        server = FakeServer()
        server.fail_next("launch", error)
        (result,) = reach(server, llm("chat")).values()
        assert (result.result, result.changed) == ("failed", changed)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("Model not found, name: nope", f"{ANSWERED} 400: Model not found, name: nope"),
        (DIED, f"{ANSWERED} 400: {DIED} (the model's process died while loading; the usual cause is too little memory)"),
    ],
)
def test_a_launch_that_is_refused_wrote_nothing(words: str, message: str) -> None:
    server = FakeServer()
    server.fail_next("launch", refused(words))
    (result,) = reach(server, llm("bad")).values()
    assert (result.result, result.changed, result.state, result.message) == ("failed", False, "absent", message)


def test_a_refused_launch_after_a_registration_wrote_something() -> None:
    server = FakeServer()
    server.fail_next("launch", refused("No available worker found", 503))
    (result,) = reach(server, custom("bad")).values()
    assert (result.result, result.changed) == ("failed", True)


def test_a_missing_file_is_the_failure_of_its_model() -> None:
    server = FakeServer(files=frozenset({"/models/good.gguf"}))
    results = reach(server, llm("bad", path="/models/bad.gguf"), llm("good", path="/models/good.gguf"))
    assert results["bad"].message.endswith("File or directory does not exist.")
    assert results["good"].result == "launched"


def test_a_registration_that_is_refused_is_the_failure_of_its_model() -> None:
    server = FakeServer(files=frozenset())
    results = reach(server, custom("bad"), llm("good"))
    assert (results["bad"].result, results["bad"].changed) == ("failed", False)
    assert results["bad"].message.endswith("Invalid model URI file:///models/a.gguf.")
    assert results["good"].result == "launched"


def test_a_termination_that_is_refused_is_the_failure_of_its_model() -> None:
    server = FakeServer().run("old")
    server.fail_next("terminate", refused("Internal Server Error", 500))
    results = reach(server, gone("old"), llm("new"))
    assert (results["old"].result, results["old"].changed, results["old"].state, results["old"].message) == (
        "failed",
        False,
        "ready",
        f"{ANSWERED} 500: Internal Server Error",
    )
    assert results["new"].result == "launched"


def test_a_model_that_disappears_while_it_is_launching() -> None:
    server = FakeServer(load_seconds=60)
    server.clock.after(5, server.become("chat", "TERMINATED"))
    (result,) = reach(server, llm("chat")).values()
    assert (result.result, result.state, result.message) == ("failed", "absent", "disappeared from the server while it was launching")


def test_a_model_that_is_not_seen_for_a_moment_has_not_disappeared() -> None:
    server = FakeServer(load_seconds=60)
    server.clock.after(5, server.become("chat", "TERMINATED"))
    server.clock.after(9, server.become("chat", "CREATING"))
    server.clock.after(20, server.become("chat", "READY"))
    (result,) = reach(server, llm("chat")).values()
    assert (result.result, result.state) == ("launched", "ready")


KILLED = "a process of the server was killed, because the container's memory was used up"
ENDED = "the server's container ended meanwhile and was started again"


@pytest.mark.parametrize(
    ("before", "now", "cause"),
    [
        (Deaths(1, 2), Deaths(2, 2), f" ({KILLED})"),
        # A container that is started again counts again.
        (Deaths(5, 2), Deaths(1, 3), f" ({KILLED})"),
        (Deaths(0, 2), Deaths(0, 3), f" ({ENDED})"),
        (Deaths(1, 2), Deaths(1, 2), ""),
        (None, Deaths(1, 2), ""),
        (Deaths(1, 2), None, ""),
    ],
)
def test_the_cause_of_a_failure_is_named_where_this_host_sees_it(before: Deaths | None, now: Deaths | None, cause: str) -> None:
    # At the beginning of the run, and of the launch.
    polls = iter([before, before])
    server = FakeServer(broken={"chat": "Failed to init server"})
    (result,) = reach(server, llm("chat"), deaths=lambda: next(polls, now)).values()
    assert result.message == f"Failed to init server{cause}"


def test_what_killed_one_model_explains_no_other_one() -> None:
    server = FakeServer(broken={"one": "Failed to init server", "two": "No such file"})
    results = reach(server, llm("one"), llm("two"), deaths=lambda: Deaths(int("one" in server.models)))
    assert (results["one"].message, results["two"].message) == (f"Failed to init server ({KILLED})", "No such file")


def test_a_failure_comes_with_the_end_of_the_server_s_log(tmp_path: Any) -> None:
    (tmp_path / "logs").mkdir()
    log = tmp_path / "logs" / "xinference.log"
    log.write_text("chat failed yesterday\n", encoding="utf-8")
    server = FakeServer(broken={"chat": "Failed to init server"})
    server.clock.after(1, lambda: log.write_text("chat failed yesterday\nchat: no such file\n", encoding="utf-8") and None)
    results = reach(server, llm("chat"), llm("other"), server_files=ServerFiles({DEFAULT_HOME: str(tmp_path)}))
    assert (results["chat"].log, results["other"].log) == (["chat: no such file"], [])


# The time that is allowed.


def test_models_that_are_not_ready_in_time_fail_with_their_last_state() -> None:
    server = FakeServer(load_seconds=100)
    results = reach(server, llm("one"), llm("two"), timeout=30)
    words = "and not ready after 30 s (wait_timeout)"
    assert (results["one"].result, results["one"].changed, results["one"].state, results["one"].seconds) == ("failed", True, "creating", 30.0)
    assert results["one"].message == f"is creating {words}"
    assert (results["two"].result, results["two"].changed, results["two"].message) == ("failed", False, f"is absent {words}")
    assert [argument["model_uid"] for name, argument in server.writes() if name == "launch"] == ["one"]


def test_no_time_at_all_still_asks_for_the_launch() -> None:
    server = FakeServer()
    (result,) = reach(server, llm("one"), timeout=0).values()
    assert (result.result, result.changed, result.message) == ("failed", True, "is creating and not ready after 0 s (wait_timeout)")


def test_a_termination_that_takes_too_long() -> None:
    server = FakeServer(terminate_seconds=100).run("old")
    (result,) = reach(server, gone("old"), timeout=10).values()
    assert (result.result, result.changed, result.state, result.message) == ("failed", True, "terminating", "is still terminating after 10 s")


def test_a_model_that_never_goes_away_is_never_launched() -> None:
    server = FakeServer(terminate_seconds=1000).put("chat", "TERMINATING")
    (result,) = reach(server, llm("chat"), timeout=20).values()
    assert (result.result, result.changed) == ("failed", False)
    assert result.message == "is terminating and not ready after 20 s (wait_timeout)"


@pytest.mark.parametrize("sleep", [0.5, 2.0, 5.0])
def test_the_server_is_asked_often_at_first_and_then_at_the_pace_that_was_given(sleep: float) -> None:
    server = FakeServer(load_seconds=1000)
    polls: list[float] = []
    run = Run(server, llm("chat"))
    read = server.list_instances
    server.list_instances = lambda: (polls.append(server.clock()), read())[1]  # type: ignore[method-assign, func-returns-value]
    run.apply(sleep=sleep)
    polls.pop()
    pauses = [later - earlier for earlier, later in zip(polls, polls[1:])]
    assert pauses == sorted(pauses)
    assert pauses[:5] == pytest.approx([0.2] * 5)
    assert pauses[-1] == pytest.approx(sleep)


def test_while_a_model_loads_its_instance_is_read_and_the_list_only_from_time_to_time() -> None:
    server = FakeServer(load_seconds=100)
    reach(server, llm("chat"))
    calls = [name for name, _argument in server.calls]
    assert calls.count("list_instances") > 80
    # Every five seconds, in case the list is newer, and at the end.
    assert 15 <= calls.count("list_models") <= 21


def test_what_the_list_names_is_ready_whatever_its_instance_says() -> None:
    server = FakeServer(load_seconds=50)
    run = Run(server, llm("chat"))
    known = server.list_models
    listed: dict[str, ModelRow] = {"chat": {"model_name": "qwen3", "model_type": "LLM", "model_engine": "llama.cpp", "replica": 1}}
    server.list_models = lambda: listed if server.clock() > 1020 else known()  # type: ignore[method-assign]
    result = run.apply(smoke="none")["chat"]
    assert (result.result, result.state) == ("launched", "ready")
    assert 20 <= result.seconds <= 26


# Races.


@pytest.mark.parametrize(("status", "outcome"), [("CREATING", "waited"), ("READY", "waited")])
def test_another_client_launched_it_in_the_meantime(status: str, outcome: str) -> None:
    server = FakeServer()
    run = Run(server, llm("chat"))
    server.put("chat", status)
    (result,) = run.apply().values()
    assert (result.result, result.changed, result.state) == (outcome, False, "ready")


def test_another_client_registered_it_in_the_meantime() -> None:
    server = FakeServer()
    run = Run(server, custom("chat"))
    server.registered[("LLM", "custom")] = False
    (result,) = run.apply().values()
    assert (result.result, result.changed) == ("launched", True)


def test_another_client_terminated_it_in_the_meantime() -> None:
    server = FakeServer().run("old")
    run = Run(server, gone("old"))
    server.become("old", "TERMINATED")()
    (result,) = run.apply().values()
    assert (result.failed, result.changed, result.state) == (False, False, "absent")


def test_another_client_cancelled_it_in_the_meantime() -> None:
    server = FakeServer().put("old", "CREATING")
    run = Run(server, gone("old"))
    server.cancel("old")
    (result,) = run.apply().values()
    assert (result.failed, result.changed) == (False, False)


def test_a_model_that_is_ready_before_it_is_cancelled_is_terminated() -> None:
    """To cancel it would leave its process running where nobody can reach it."""
    server = FakeServer().put("old", "CREATING")
    run = Run(server, gone("old"))
    server.become("old", "READY")()
    (result,) = run.apply().values()
    assert written(server) == ["terminate"]
    assert (result.failed, result.changed) == (False, True)
    assert not server.models


def test_a_model_that_is_launched_again_before_it_is_terminated_is_cancelled() -> None:
    server = FakeServer().run("old")
    run = Run(server, gone("old"))
    server.put("old", "CREATING")
    (result,) = run.apply().values()
    assert written(server) == ["cancel"]
    assert not result.failed
    assert server.ready() == set()


def test_a_cancellation_that_answers_that_nothing_was_launched_is_checked_again() -> None:
    server = FakeServer().put("old", "CREATING")
    server.fail_next("cancel", refused("Model old has not been launched yet", 500))
    (result,) = reach(server, gone("old")).values()
    assert written(server) == ["cancel", "terminate"]
    assert not result.failed


# A server that is lost on the way.


def test_when_the_server_is_lost_all_that_was_not_finished_fails_with_the_reason() -> None:
    server = FakeServer(load_seconds=10).run("kept")
    server.clock.after(15, server.lose)
    results = reach(server, llm("kept"), llm("one"), llm("two"), llm("three"))
    assert {uid: (result.result, result.changed, result.state) for uid, result in results.items()} == {
        "kept": ("unchanged", False, "ready"),
        "one": ("launched", True, "ready"),
        "two": ("failed", True, "unknown"),
        "three": ("failed", False, "unknown"),
    }
    assert results["two"].message == results["three"].message == "list_instances: no connection (Connection refused)."


def test_when_the_server_is_lost_during_a_removal_the_launches_fail_too() -> None:
    server = FakeServer(terminate_seconds=20).run("old")
    server.clock.after(5, server.lose)
    results = reach(server, gone("old"), llm("new"))
    assert (results["old"].result, results["old"].changed) == ("failed", True)
    assert (results["new"].result, results["new"].changed) == ("failed", False)


@pytest.mark.parametrize("call", ["list_instances", "list_models", "launch"])
def test_credentials_that_expire_end_the_run_with_what_was_done(call: str) -> None:
    server = FakeServer()
    run = Run(server, llm("one"), llm("two"))
    server.fail_next(call, AuthenticationError("GET", "http://fake", 401, "Could not validate credentials"))
    results = run.apply()
    assert all(result.message == "GET http://fake answered 401: Could not validate credentials" for result in results.values())


@pytest.mark.parametrize("status", [500, 503])
def test_a_server_that_cannot_be_read_any_more_ends_the_run_with_what_was_done(status: int) -> None:
    server = FakeServer()
    run = Run(server, llm("one"), llm("two"))
    server.clock.after(11, lambda: server.fail_next("list_models", refused("Internal Server Error", status)))
    results = run.apply()
    assert (results["one"].result, results["one"].changed) == ("launched", True)
    assert (results["two"].result, results["two"].changed) == ("failed", True)
    assert results["two"].message == f"{ANSWERED} {status}: Internal Server Error"


# Check mode.


def facts(results: list[Result]) -> list[tuple[Any, ...]]:
    """The part of results that check mode predicts."""
    return [(result.uid, result.result, result.changed, result.state, result.before, result.after, result.drift, result.message) for result in results]


@given(
    st.lists(st.tuples(st.sampled_from("abcde"), st.booleans()), unique_by=lambda item: item[0]),
    st.dictionaries(st.sampled_from("abcde"), st.sampled_from(["READY", "CREATING", "TERMINATING", "ERROR"])),
    st.booleans(),
    st.integers(1, 3),
)
def test_check_mode_predicts_what_a_run_that_goes_well_reports_and_writes_nothing(
    declared: list[tuple[str, bool]], states: dict[str, str], exclusive: bool, at_once: int
) -> None:
    # Models of others last longer than the run, so that the plan still holds when an action's turn comes.
    server = FakeServer(load_seconds=500, cancel_seconds=1)
    for uid, status in states.items():
        server.put(uid, status)
    server.load_seconds = 10
    run = Run(server, *(llm(uid) if wanted else gone(uid) for uid, wanted in declared), choices=PlanOptions(exclusive=exclusive))
    predicted = predict(run.plan)
    assert server.writes() == []
    results = list(run.apply(at_once=at_once).values())
    assert facts(predicted) == facts(results)
    assert any(result.changed for result in results) == run.plan.changed
    assert set(run.plan.side("after")) == {result.uid for result in results if result.changed}


def test_results_show_the_drift_of_what_runs() -> None:
    server = FakeServer(allowed=frozenset()).run("chat", model_engine="vLLM")
    (result,) = reach(server, llm("chat"), choices=PlanOptions(on_drift="report")).values()
    assert result.drift == {"engine": {"declared": "llama.cpp", "running": "vLLM"}}


@pytest.mark.parametrize("seconds", [0, 3, 600])
def test_a_model_that_is_ready_and_not_listed_yet_is_looked_up(seconds: float) -> None:
    """The list is a few seconds old."""
    result = reach(FakeServer(list_seconds=seconds), llm("chat"))["chat"]
    assert result.result == "launched"
    assert result.seconds == pytest.approx(10.0, rel=0.05)


# What a late cancellation leaves behind.


def orphan(*uids: str) -> FakeServer:
    """A server on which models were cancelled just as they became ready."""
    server = FakeServer().run(*uids)
    for uid in uids:
        server.cancel(uid)
        assert observe(server).state(uid) == "orphaned"
    server.calls.clear()
    return server


def test_a_model_that_is_ready_and_that_nobody_can_use_is_cleared_away_and_launched_again() -> None:
    server = FakeServer()
    run = Run(server, llm("chat"), llm("other"))
    # After the last poll of the loading model, and before the next.
    server.clock.after(10, lambda: server.cancel("chat"))
    server.load_seconds = 9.99
    results = run.apply()
    assert {uid: (result.result, result.changed, result.state) for uid, result in results.items()} == dict.fromkeys(
        ("chat", "other"), ("launched", True, "ready")
    )
    assert written(server)[:5] == ["launch", "remember", "cancel", "clear_orphan", "launch"]
    assert server.ready() == {"chat", "other"}
    assert record_of(server, "chat") is not None


@pytest.mark.parametrize("replicas", [1, 3])
def test_what_shall_be_absent_and_can_only_be_cleared_away(replicas: int) -> None:
    server = FakeServer().run("old", replica=replicas)
    server.cancel("old")
    asked: list[int] = []
    clear = server.clear_orphan

    def counted(uid: str, replicas: int) -> None:
        asked.append(replicas)
        clear(uid, replicas)

    server.clear_orphan = counted  # type: ignore[method-assign]
    (result,) = reach(server, gone("old")).values()
    assert (result.result, result.changed, result.state) == ("terminated", True, "absent")
    assert asked == [replicas]
    assert not server.ready()


def test_a_launch_that_is_cancelled_too_late_is_cleared_away() -> None:
    server = FakeServer().put("old", "CREATING")
    run = Run(server, gone("old"))
    cancel = server.cancel

    def late(uid: str) -> None:
        server.become(uid, "READY")()
        cancel(uid)

    server.cancel = late  # type: ignore[method-assign]
    (result,) = run.apply().values()
    assert (result.result, result.changed, result.state) == ("cancelled", True, "absent")
    assert written(server) == ["cancel", "terminate", "clear_orphan"]


def test_a_launch_that_is_refused_after_clearing_away_is_a_failure_of_that_model_alone() -> None:
    server = FakeServer()
    run = Run(server, llm("chat"), llm("other"))
    server.clock.after(10, lambda: server.cancel("chat"))
    server.load_seconds = 9.99
    server.fail_next("launch", None, refused("Model is already in the model list, uid: chat"))
    results = run.apply()
    assert results["chat"].failed
    assert results["other"].result == "launched"


def test_what_cannot_be_cleared_away_is_given_up() -> None:
    server = orphan("chat", "old")
    server.clear_orphan = lambda uid, replicas: None  # type: ignore[method-assign]
    results = reach(server, llm("chat"), gone("old"))
    assert {uid: (result.result, result.state) for uid, result in results.items()} == dict.fromkeys(("chat", "old"), ("failed", "orphaned"))
    assert "restart the server" in results["old"].message


def test_a_server_that_refuses_to_clear_away_is_quoted() -> None:
    server = orphan("old")
    server.fail_next("clear_orphan", refused("No available worker found", 503))
    (result,) = reach(server, gone("old")).values()
    assert (result.result, result.message) == ("failed", f"{ANSWERED} 503: No available worker found")


VECTORS = {"uid": "embed", "name": "bge-m3", "type": "embedding", "engine": "sentence_transformers"}


def test_vectors_of_the_declared_length_are_an_answer_whatever_the_model_is_registered_for() -> None:
    server = FakeServer()
    short = {**VECTORS, "engine_options": {"dimensions": 128}}
    (launched,) = reach(server, short).values()
    assert (launched.result, launched.message) == ("launched", "")
    (kept,) = reach(server, short, smoke="all").values()
    assert (kept.result, kept.answered) == ("unchanged", 0.0)
    (longer,) = reach(server, {**VECTORS, "engine_options": {"dimensions": 256}}).values()
    assert (longer.result, longer.message) == ("relaunched", "")
    (whole,) = reach(server, VECTORS).values()
    assert (whole.result, whole.message) == ("relaunched", "")


@pytest.mark.parametrize("on_drift", ["report", "ignore"])
def test_vectors_of_what_is_left_as_it_runs_are_an_answer(on_drift: str) -> None:
    server = FakeServer()
    reach(server, {**VECTORS, "engine_options": {"dimensions": 128}})
    (kept,) = reach(server, VECTORS, smoke="all", choices=PlanOptions(on_drift=on_drift)).values()
    assert (kept.result, kept.message) == ("unchanged", "")
