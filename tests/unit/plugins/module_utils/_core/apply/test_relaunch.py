# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Applying what changes a running model: relaunches and their way back, replicas, autostart entries, records."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from ansible_collections.inferops.xinference.plugins.module_utils._core.base.errors import ApiError, AuthenticationError, ConnectionFailed
from ansible_collections.inferops.xinference.plugins.module_utils._core.declaration.check import parse_models
from ansible_collections.inferops.xinference.plugins.module_utils._core.declaration.fields import AUTOSTART
from ansible_collections.inferops.xinference.plugins.module_utils._core.observed.last_applied import Record, StateFile
from ansible_collections.inferops.xinference.plugins.module_utils._core.plan.plan import PlanOptions
from ansible_collections.inferops.xinference.tests.unit.plugins.module_utils._core.fake_server import FakeServer
from ansible_collections.inferops.xinference.tests.unit.plugins.module_utils._core.plan_runner import (
    SPECIFICATION,
    Run,
    custom,
    entry_of,
    gone,
    llm,
    observe_server,
    reach,
    record_of,
    refused,
    written,
)

OLD = llm("chat", engine_options={"n_ctx": 1024})
NEW = llm("chat", engine_options={"n_ctx": 2048})
WITH_AUTOSTART = PlanOptions(autostart=True)

#: Before the words of the fake server's errors.
ANSWERED = "POST http://fake/v1/models answered"


def request(item: dict[str, Any]) -> dict[str, Any]:
    """The launch request of a declared model."""
    (model,) = parse_models([item])
    return model.launch_request()


def with_old(server: FakeServer | None = None, item: dict[str, Any] | None = None, choices: PlanOptions = WITH_AUTOSTART) -> FakeServer:
    """A server that runs what was declared before."""
    server = server or FakeServer()
    (result,) = reach(server, item or OLD, choices=choices).values()
    assert (result.result, result.state) == ("launched", "ready")
    return server


def runs(server: FakeServer, uid: str = "chat") -> dict[str, Any]:
    """What a model that is served was launched with."""
    assert uid in server.ready()
    return server.models[uid].request


# A relaunch.


def test_a_model_that_differs_is_relaunched() -> None:
    server = with_old()
    before = record_of(server, "chat")
    (result,) = reach(server, NEW, choices=WITH_AUTOSTART).values()
    assert (result.result, result.changed, result.state, result.message, result.restored) == ("relaunched", True, "ready", "", False)
    assert result.drift == {"engine_options.n_ctx": {"declared": 2048, "running": 1024}}
    assert runs(server) == request(NEW)
    assert before is not None
    assert record_of(server, "chat") == Record(request(NEW), server.models["chat"].created)
    assert record_of(server, "chat") != before


def test_the_server_must_not_bring_the_old_model_back_while_it_is_down() -> None:
    server = with_old()
    reach(server, NEW, choices=WITH_AUTOSTART)
    assert written(server) == ["remove_autostart", "terminate", "launch", "remember", "set_autostart"]
    entry = entry_of(server, "chat")
    assert entry is not None
    assert (entry.launch, entry.policy) == (request(NEW), AUTOSTART)


def test_the_old_model_serves_until_its_own_turn_comes() -> None:
    server = FakeServer(load_seconds=10)
    with_old(server, choices=PlanOptions())
    with_old(server, {**OLD, "uid": "other"}, choices=PlanOptions())
    down: list[set[str]] = []
    for seconds in (1, 9, 11, 19):
        server.clock.after(seconds, lambda: down.append({"chat", "other"} - server.ready()))
    results = reach(server, NEW, {**NEW, "uid": "other"})
    assert [result.result for result in results.values()] == ["relaunched", "relaunched"]
    assert down == [{"chat"}, {"chat"}, {"other"}, {"other"}]


@pytest.mark.parametrize("choice", ["report", "ignore"])
def test_a_model_that_differs_is_left_where_that_was_chosen(choice: str) -> None:
    server = with_old(choices=PlanOptions())
    server.allowed = frozenset()
    (result,) = reach(server, NEW, choices=PlanOptions(on_drift=choice)).values()
    assert (result.result, result.changed) == ("unchanged", False)
    assert result.drift == {"engine_options.n_ctx": {"declared": 2048, "running": 1024}}
    assert runs(server) == request(OLD)


def test_a_model_whose_options_are_not_known_is_not_changed_and_they_are_named() -> None:
    server = FakeServer().run("chat", model_engine="llama.cpp", n_ctx=1024)
    server.allowed = frozenset()
    (result,) = reach(server, NEW).values()
    assert (result.result, result.drift, result.unverified) == ("unchanged", {}, ["engine_options.n_ctx"])


def test_a_record_of_another_launch_is_not_believed() -> None:
    server = with_old(choices=PlanOptions())
    # Another client terminates the model and launches it with other options.
    server.terminate("chat")
    server.clock.sleep(60)
    server.launch({**request(OLD), "n_ctx": 512})
    server.clock.sleep(60)
    record = record_of(server, "chat")
    assert record is not None
    assert record.request == request(OLD)
    server.allowed = frozenset()
    (result,) = reach(server, OLD).values()
    assert (result.result, result.unverified) == ("unchanged", ["engine_options.n_ctx"])


def test_a_relaunched_model_that_is_removed_at_the_same_time_as_others() -> None:
    server = with_old(choices=PlanOptions())
    server.run("old", "stray")
    results = reach(server, NEW, gone("old"), choices=PlanOptions(exclusive=True))
    assert {uid: result.result for uid, result in results.items()} == {"old": "terminated", "stray": "terminated", "chat": "relaunched"}


# The way back.


def refuse_launch(server: FakeServer) -> None:
    """The next launch is refused at once."""
    server.fail_next("launch", refused("No available worker found", 503))


def break_load(server: FakeServer) -> None:
    """The next launch fails while it loads."""
    server.broken["chat"] = "Failed to init server"
    server.clock.after(server.load_seconds + 0.5, server.broken.clear)


def lose_model(server: FakeServer) -> None:
    """The next launch disappears while it loads."""
    server.clock.after(5, server.become("chat", "TERMINATED"))


def unanswered(server: FakeServer) -> None:
    """The next model does not answer."""
    server.fail_next("ask", ConnectionFailed("no answer within 120 s."))


FAILURES: list[tuple[Callable[[FakeServer], None], str]] = [
    (refuse_launch, f"{ANSWERED} 503: No available worker found"),
    (break_load, "Failed to init server"),
    (lose_model, "disappeared from the server while it was launching"),
    (unanswered, "is ready, but did not answer: no answer within 120 s."),
]


def test_a_model_that_comes_back_while_the_previous_one_is_put_back_is_terminated_again() -> None:
    server = with_old()
    unanswered(server)
    launch, times = server.launch, []

    def late(request: dict[str, Any]) -> None:
        times.append(request)
        if len(times) == 2:
            # A copy of the new model was still on its way when that was terminated.
            server.put("chat", "READY")
        launch(request)

    server.launch = late  # type: ignore[method-assign]
    (result,) = reach(server, NEW, choices=WITH_AUTOSTART).values()
    assert (result.result, result.state, result.restored) == ("failed", "ready", True)
    assert result.message.endswith("; rolled back to the previous model")
    assert runs(server) == request(OLD)
    assert len(times) == 3


@pytest.mark.parametrize(("failure", "words"), FAILURES)
def test_when_a_relaunch_fails_the_previous_model_is_put_back(failure: Callable[[FakeServer], None], words: str) -> None:
    server = with_old()
    entry = entry_of(server, "chat")
    failure(server)
    (result,) = reach(server, NEW, choices=WITH_AUTOSTART).values()
    assert (result.result, result.changed, result.state, result.restored) == ("failed", True, "ready", True)
    assert result.message == f"{words}; rolled back to the previous model"
    assert runs(server) == request(OLD)
    assert entry is not None
    assert entry_of(server, "chat") == entry
    assert record_of(server, "chat") == Record(request(OLD), server.models["chat"].created)
    # So the next run knows that the declaration is still not reached.
    assert Run(server, NEW, choices=WITH_AUTOSTART).plan.actions[0].kind == "relaunch"


@pytest.mark.parametrize(("failure", "words"), FAILURES)
def test_a_relaunch_that_fails_does_not_keep_the_others_from_being_tried(failure: Callable[[FakeServer], None], words: str) -> None:
    server = with_old()
    failure(server)
    results = reach(server, NEW, llm("other"), choices=WITH_AUTOSTART)
    assert results["chat"].message == f"{words}; rolled back to the previous model"
    assert results["other"].result == "launched"
    assert server.ready() == {"chat", "other"}


@pytest.mark.parametrize(("failure", "words"), FAILURES[:3])
def test_when_a_relaunch_fails_the_previous_registration_is_put_back(failure: Callable[[FakeServer], None], words: str) -> None:
    server = with_old(item=custom("chat"))
    failure(server)
    (result,) = reach(server, custom("chat", context_length=4096), choices=WITH_AUTOSTART).values()
    assert (result.restored, result.message) == (True, f"{words}; rolled back to the previous model")
    assert server.registrations("LLM", ["custom"])["custom"]["context_length"] == 8192
    assert result.drift == {"registration.context_length": {"declared": 4096, "running": 8192}}
    assert "chat" in server.ready()


def test_a_registration_that_is_refused_is_a_relaunch_that_fails() -> None:
    server = with_old(item=custom("chat"))
    server.fail_next("register", refused("Invalid model URI file:///models/a.gguf."))
    (result,) = reach(server, custom("chat", context_length=4096), choices=WITH_AUTOSTART).values()
    assert (result.restored, result.message) == (True, f"{ANSWERED} 400: Invalid model URI file:///models/a.gguf.; rolled back to the previous model")
    assert server.registrations("LLM", ["custom"])["custom"]["context_length"] == 8192
    assert "chat" in server.ready()


def test_a_model_of_another_client_is_rolled_back_to_what_was_reported() -> None:
    server = FakeServer().run("chat", model_engine="llama.cpp", quantization="Q4_K_M", model_format="ggufv2", model_size_in_billions="0_6", n_ctx=1024)
    refuse_launch(server)
    (result,) = reach(server, llm("chat", quantization="Q8_0")).values()
    assert result.restored
    # Options that were not known are missing.
    assert runs(server)["quantization"] == "Q4_K_M"
    assert runs(server)["model_engine"] == "llama.cpp"
    assert "n_ctx" not in runs(server)


def test_a_way_back_that_is_refused_says_both() -> None:
    server = with_old()
    server.fail_next("launch", refused("No available worker found", 503), refused("Model not found", 400))
    results = reach(server, NEW, llm("other"), choices=WITH_AUTOSTART)
    result = results["chat"]
    assert (result.result, result.changed, result.restored) == ("failed", True, False)
    assert result.message == f"{ANSWERED} 503: No available worker found; rolling back to the previous model failed: {ANSWERED} 400: Model not found"
    assert results["other"].result == "launched"


def test_a_way_back_that_fails_later_says_both() -> None:
    server = with_old()
    server.broken["chat"] = "Failed to init server"
    results = reach(server, NEW, llm("other"), choices=WITH_AUTOSTART)
    result = results["chat"]
    assert (result.result, result.restored, result.state) == ("failed", False, "error")
    assert result.message == "Failed to init server; rolling back to the previous model failed: Failed to init server"
    assert results["other"].result == "launched"


def test_a_previous_model_that_does_not_answer_says_both() -> None:
    server = with_old()
    server.fail_next("ask", refused("out of order", 500), refused("still out of order", 500))
    (result,) = reach(server, NEW, choices=WITH_AUTOSTART).values()
    assert (result.result, result.restored) == ("failed", False)
    first, second = (f"is ready, but did not answer: {ANSWERED} 500: {words}" for words in ("out of order", "still out of order"))
    assert result.message == f"{first}; rolling back to the previous model failed: {second}"


def test_a_previous_model_that_disappears_says_both() -> None:
    server = with_old()
    refuse_launch(server)
    lose_model(server)
    (result,) = reach(server, NEW, choices=WITH_AUTOSTART).values()
    assert (result.result, result.restored) == ("failed", False)
    assert (
        result.message
        == f"{ANSWERED} 503: No available worker found; rolling back to the previous model failed: disappeared from the server while it was launching"
    )


def test_a_way_back_whose_registration_is_refused_says_both() -> None:
    server = with_old(item=custom("chat"))
    server.fail_next("register", None, refused("Invalid model URI", 400))
    refuse_launch(server)
    (result,) = reach(server, custom("chat", context_length=4096), choices=WITH_AUTOSTART).values()
    assert (result.result, result.restored) == ("failed", False)
    assert result.message == f"{ANSWERED} 503: No available worker found; rolling back to the previous model failed: {ANSWERED} 400: Invalid model URI"


def test_a_way_back_that_takes_too_long_says_so() -> None:
    server = with_old()
    server.load_seconds = 1000
    refuse_launch(server)
    (result,) = reach(server, NEW, choices=WITH_AUTOSTART, timeout=50).values()
    assert (result.result, result.restored, result.state) == ("failed", False, "creating")
    assert result.message == f"{ANSWERED} 503: No available worker found; the previous model is creating and not ready after 50 s (wait_timeout)"


def test_a_server_that_is_lost_on_the_way_back_is_said_with_the_failure() -> None:
    server = with_old()
    refuse_launch(server)
    server.clock.after(5, server.lose)
    (result,) = reach(server, NEW, choices=WITH_AUTOSTART).values()
    assert (result.result, result.restored, result.state) == ("failed", False, "unknown")
    assert result.message.startswith(f"{ANSWERED} 503: No available worker found; ")
    assert "no connection (Connection refused)" in result.message


def test_refused_credentials_on_the_way_back_end_the_run() -> None:
    server = with_old()
    server.fail_next("launch", refused("No available worker found", 503), AuthenticationError("POST", "http://fake", 401, "expired"))
    (result,) = reach(server, NEW).values()
    assert result.result == "failed"
    assert "POST http://fake answered 401: expired" in result.message


def test_a_running_model_that_cannot_be_terminated_keeps_its_entry() -> None:
    server = with_old()
    entry = entry_of(server, "chat")
    server.fail_next("terminate", refused("Internal Server Error", 500))
    results = reach(server, NEW, llm("other"), choices=WITH_AUTOSTART)
    assert (results["chat"].result, results["chat"].message, results["chat"].state) == ("failed", f"{ANSWERED} 500: Internal Server Error", "ready")
    assert runs(server) == request(OLD)
    assert entry_of(server, "chat") == entry
    assert results["other"].result == "launched"


def test_a_running_model_that_does_not_go_away_in_time_keeps_its_entry() -> None:
    server = with_old()
    entry = entry_of(server, "chat")
    server.terminate_seconds = 100
    (result,) = reach(server, NEW, choices=WITH_AUTOSTART, timeout=20).values()
    assert (result.result, result.message) == ("failed", "is still terminating after 20 s")
    assert entry_of(server, "chat") == entry
    assert "launch" not in written(server)


def test_a_way_back_that_the_record_or_the_entry_resists_is_reported_and_the_others_go_on() -> None:
    server = with_old()
    server.fail_next("launch", refused("No available worker found", 503))
    server.fail_next("remember", refused("database is locked", 500))
    results = reach(server, NEW, llm("other"), choices=WITH_AUTOSTART)
    assert results["chat"].restored
    assert results["chat"].message == f"{ANSWERED} 503: No available worker found; rolled back to the previous model; {ANSWERED} 500: database is locked"
    assert results["other"].result == "launched"
    assert runs(server) == request(OLD)


def test_without_waiting_a_relaunch_that_is_refused_is_put_back_too() -> None:
    server = with_old()
    entry = entry_of(server, "chat")
    refuse_launch(server)
    (result,) = reach(server, NEW, choices=WITH_AUTOSTART, wait=False).values()
    assert (result.result, result.restored) == ("failed", True)
    assert result.message == f"{ANSWERED} 503: No available worker found; rolled back to the previous model"
    assert server.models["chat"].request == request(OLD)
    assert record_of(server, "chat") == Record(request(OLD), server.models["chat"].created)
    assert entry_of(server, "chat") == entry


def test_without_waiting_a_relaunch_is_asked_for_and_written_down() -> None:
    server = with_old()
    (result,) = reach(server, NEW, choices=WITH_AUTOSTART, wait=False).values()
    assert (result.result, result.changed, result.state) == ("relaunched", True, "creating")
    assert record_of(server, "chat") == Record(request(NEW), server.models["chat"].created)
    entry = entry_of(server, "chat")
    assert entry is not None
    assert entry.launch == request(NEW)


class Faster(FakeServer):
    """Another client launches the model just before we do."""

    theirs: dict[str, Any] | None = None

    def launch(self, request: dict[str, Any]) -> None:
        """Theirs first, once."""
        if self.theirs is not None:
            theirs, self.theirs = self.theirs, None
            super().launch(theirs)
        super().launch(request)


def test_another_client_launches_it_between_the_termination_and_the_relaunch() -> None:
    server = Faster()
    with_old(server)
    server.theirs = {**request(NEW), "n_ctx": 512}
    (result,) = reach(server, NEW, choices=WITH_AUTOSTART).values()
    # Whether it is what was declared is seen when it is compared again.
    assert (result.result, result.state) == ("waited", "ready")
    assert runs(server)["n_ctx"] == 512
    assert record_of(server, "chat") != Record(request(NEW), server.models["chat"].created)


# Registrations.


def test_a_registration_that_differs_is_replaced_before_the_launch() -> None:
    server = FakeServer()
    reach(server, custom("chat"))
    server.terminate("chat")
    (result,) = reach(server, custom("chat", context_length=4096)).values()
    assert written(server) == ["unregister", "register", "launch", "remember"]
    assert (result.result, server.registrations("LLM", ["custom"])["custom"]["context_length"]) == ("launched", 4096)


def test_a_registration_that_does_not_survive_a_restart_is_made_anew() -> None:
    """It is not among the server's files, and the server still says that the name is taken."""
    server = FakeServer()
    server.register("LLM", {**SPECIFICATION, "model_name": "custom", "context_length": 1})
    run = Run(FakeServer(), custom("chat"))
    run.server = server
    server.calls.clear()
    (result,) = run.apply().values()
    assert written(server) == ["register", "unregister", "register", "launch", "remember"]
    assert (result.result, server.registrations("LLM", ["custom"])["custom"]["context_length"]) == ("launched", 8192)


def test_a_model_of_the_catalogue_resists() -> None:
    server = FakeServer()
    specification = {**SPECIFICATION, "model_family": "qwen3"}
    run = Run(FakeServer(registered={}), llm("chat", registration=specification), llm("other", name="bge-m3", type="embedding", engine="sentence_transformers"))
    run.server = server
    results = run.apply()
    assert (results["chat"].result, results["chat"].state) == ("failed", "absent")
    assert results["chat"].message.endswith("Model qwen3 already registered")
    assert results["other"].result == "launched"


def test_a_registration_that_disappeared_is_put_back_and_the_model_goes_on() -> None:
    server = with_old(item=custom("chat"), choices=PlanOptions())
    reach(server, custom("two"))
    created = server.models["chat"].created
    server.unregister("LLM", "custom")
    results = reach(server, custom("chat"), custom("two"))
    assert {uid: (result.result, result.changed) for uid, result in results.items()} == {"chat": ("updated", True), "two": ("updated", True)}
    assert written(server) == ["register"]
    assert server.models["chat"].created == created


def test_a_registration_that_cannot_be_put_back_is_the_failure_of_its_model_only() -> None:
    server = with_old(item=custom("chat"), choices=PlanOptions())
    server.unregister("LLM", "custom")
    server.fail_next("register", refused("Invalid model URI file:///models/a.gguf."))
    results = reach(server, custom("chat"), llm("other"))
    assert (results["chat"].result, results["chat"].message, results["chat"].state) == (
        "failed",
        f"{ANSWERED} 400: Invalid model URI file:///models/a.gguf.",
        "ready",
    )
    assert results["other"].result == "launched"


def test_two_models_of_one_registration_that_differs_are_both_relaunched_and_it_is_replaced_once() -> None:
    server = with_old(item=custom("one"), choices=PlanOptions())
    reach(server, custom("one"), custom("two"))
    results = reach(server, custom("one", context_length=4096), custom("two", context_length=4096))
    assert [result.result for result in results.values()] == ["relaunched", "relaunched"]
    assert written(server).count("register") == 1
    assert not Run(server, custom("one", context_length=4096), custom("two", context_length=4096)).plan.changed


# Autostart.


def test_an_entry_goes_before_the_model_that_it_would_bring_back() -> None:
    server = with_old()
    (result,) = reach(server, gone("chat")).values()
    assert written(server)[:2] == ["remove_autostart", "terminate"]
    assert (result.result, entry_of(server, "chat")) == ("terminated", None)


def test_all_entries_go_before_the_first_model() -> None:
    server = with_old()
    with_old(server, {**OLD, "uid": "two"})
    reach(server, gone("chat"), gone("two"))
    assert written(server)[:3] == ["remove_autostart", "remove_autostart", "terminate"]
    assert server.ready() == set()


def test_an_entry_of_a_model_that_does_not_run_is_removed_with_it() -> None:
    server = with_old()
    server.terminate("chat")
    (result,) = reach(server, gone("chat")).values()
    assert (result.result, result.changed, result.state) == ("updated", True, "absent")
    assert entry_of(server, "chat") is None


def test_entries_of_undeclared_models_stay_unless_exclusive() -> None:
    server = with_old()
    with_old(server, {**OLD, "uid": "stale"})
    server.terminate("stale")
    reach(server, OLD, choices=WITH_AUTOSTART)
    assert written(server) == []
    results = reach(server, OLD, choices=PlanOptions(exclusive=True, autostart=True))
    assert {uid: (result.result, result.changed) for uid, result in results.items()} == {"stale": ("updated", True), "chat": ("unchanged", False)}
    assert (entry_of(server, "stale"), written(server)[0]) == (None, "remove_autostart")
    assert entry_of(server, "chat") is not None


def test_an_entry_is_added_to_a_running_model_without_touching_it() -> None:
    server = with_old(choices=PlanOptions())
    created = server.models["chat"].created
    (result,) = reach(server, OLD, choices=WITH_AUTOSTART).values()
    assert (result.result, result.changed, written(server)) == ("updated", True, ["set_autostart"])
    assert server.models["chat"].created == created
    entry = entry_of(server, "chat")
    assert entry is not None
    assert (entry.launch, entry.policy) == (request(OLD), AUTOSTART)


def test_an_entry_is_written_when_its_model_is_there_so_that_the_server_launches_nothing() -> None:
    server = FakeServer()
    reach(server, OLD, choices=WITH_AUTOSTART)
    assert written(server) == ["launch", "remember", "set_autostart"]


def test_a_launch_that_fails_gets_no_entry() -> None:
    server = FakeServer(broken={"chat": "Failed to init server"})
    reach(server, OLD, choices=WITH_AUTOSTART)
    assert entry_of(server, "chat") is None


@pytest.mark.parametrize("autostart", [{"priority": 1}, {"max_retries": 9}, {"retry_interval_seconds": 7}])
def test_an_entry_with_another_policy_is_written_again(autostart: dict[str, int]) -> None:
    server = with_old()
    (result,) = reach(server, {**OLD, "autostart": autostart}, choices=WITH_AUTOSTART).values()
    assert (result.result, written(server)) == ("updated", ["set_autostart"])
    entry = entry_of(server, "chat")
    assert entry is not None
    assert entry.policy == {**AUTOSTART, **autostart}


def test_an_entry_of_another_client_is_kept_through_a_relaunch_and_brings_what_is_declared() -> None:
    """Its model does not say whether it starts by itself, and by default none does: the entry is not ours to end."""
    server = with_old(choices=PlanOptions())
    server.set_autostart({"enabled": True, "priority": 7, "max_retries": 8, "retry_interval_seconds": 9, "launch": request(OLD)})
    reach(server, NEW)
    assert written(server) == ["remove_autostart", "terminate", "launch", "remember", "set_autostart"]
    entry = entry_of(server, "chat")
    assert entry is not None
    assert (entry.launch, entry.policy) == (request(NEW), {"priority": 7, "max_retries": 8, "retry_interval_seconds": 9})


def test_an_entry_that_shall_go_does_not_come_back_with_a_relaunch() -> None:
    server = with_old()
    reach(server, {**NEW, "autostart": False})
    assert entry_of(server, "chat") is None
    assert runs(server) == request({**NEW, "autostart": False})


def test_an_entry_that_cannot_be_removed_is_the_failure_of_its_model_only() -> None:
    server = with_old()
    server.fail_next("remove_autostart", refused("database is locked", 500))
    results = reach(server, gone("chat"), llm("other"))
    assert (results["chat"].result, results["chat"].message, results["chat"].changed) == ("failed", f"{ANSWERED} 500: database is locked", False)
    # Its model would come back, so it is left.
    assert "chat" in server.ready()
    assert results["other"].result == "launched"


def test_an_entry_that_cannot_be_removed_keeps_a_model_from_being_relaunched() -> None:
    server = with_old()
    server.fail_next("remove_autostart", refused("database is locked", 500))
    results = reach(server, NEW, llm("other"), choices=WITH_AUTOSTART)
    assert (results["chat"].result, results["chat"].message) == ("failed", f"{ANSWERED} 500: database is locked")
    assert runs(server) == request(OLD)
    assert results["other"].result == "launched"


@pytest.mark.parametrize("wait", [True, False])
def test_an_entry_that_cannot_be_written_is_the_failure_of_its_model_only(wait: bool) -> None:
    server = FakeServer()
    server.fail_next("set_autostart", refused("database is locked", 500))
    results = reach(server, OLD, llm("other"), choices=WITH_AUTOSTART, wait=wait)
    assert (results["chat"].result, results["chat"].message) == ("failed", f"{ANSWERED} 500: database is locked")
    assert (results["other"].result, entry_of(server, "other") is not None) == ("launched", True)


def test_without_waiting_a_model_that_another_client_launches_gets_its_entry() -> None:
    server = FakeServer().put("chat", "CREATING")
    (result,) = reach(server, llm("chat"), choices=WITH_AUTOSTART, wait=False).values()
    assert (result.result, result.changed, result.state) == ("updated", True, "creating")
    assert entry_of(server, "chat") is not None


# Records.


def test_a_launch_is_written_down_with_its_registration() -> None:
    server = with_old(item=custom("chat"), choices=PlanOptions())
    assert record_of(server, "chat") == Record(request(custom("chat")), server.models["chat"].created, {**SPECIFICATION, "model_name": "custom"})


def test_the_record_of_a_model_that_is_removed_goes() -> None:
    server = with_old(choices=PlanOptions())
    reach(server, gone("chat"))
    assert written(server) == ["terminate", "forget"]
    assert record_of(server, "chat") is None
    reach(server, gone("chat"))
    assert written(server) == []


def test_the_record_of_a_model_that_disappeared_goes_when_it_is_declared_absent() -> None:
    server = with_old(choices=PlanOptions())
    server.terminate("chat")
    reach(server, gone("chat"))
    assert record_of(server, "chat") is None


def test_a_launch_that_takes_too_long_is_written_down_all_the_same() -> None:
    server = FakeServer(load_seconds=100)
    (result,) = reach(server, OLD, timeout=20).values()
    assert result.failed
    server.clock.sleep(100)
    # So the next run can compare its options.
    assert reach(server, OLD)["chat"].unverified == []
    assert Run(server, NEW).plan.actions[0].kind == "relaunch"


def test_a_model_that_another_client_launches_is_not_recorded() -> None:
    server = FakeServer().put("chat", "CREATING")
    reach(server, OLD)
    assert written(server) == []


def test_a_record_that_cannot_be_written_is_the_failure_of_its_model_only() -> None:
    server = FakeServer()
    server.fail_next("remember", refused("database is locked", 500))
    results = reach(server, OLD, llm("other"))
    assert (results["chat"].result, results["chat"].message) == ("failed", f"{ANSWERED} 500: database is locked")
    assert results["other"].result == "launched"


def test_a_record_that_cannot_be_removed_is_the_failure_of_its_model_only() -> None:
    server = with_old(choices=PlanOptions())
    server.fail_next("forget", refused("database is locked", 500))
    results = reach(server, gone("chat"), llm("other"))
    assert (results["chat"].result, results["chat"].message, results["chat"].state) == ("failed", f"{ANSWERED} 500: database is locked", "absent")
    assert results["other"].result == "launched"


def old_server() -> FakeServer:
    """A server before the launch history."""
    return FakeServer(with_history=False)


def test_for_a_server_without_a_history_a_file_of_this_host_keeps_the_records(tmp_path: Any) -> None:
    server, file = old_server(), StateFile(str(tmp_path / "state.json"))
    reach(server, OLD, file=file)
    assert written(server) == ["launch"]
    assert file.load() == {"chat": Record(request(OLD), server.models["chat"].created)}
    assert Run(server, OLD, file=file).plan.actions[0].kind == "keep"
    (result,) = reach(server, NEW, file=file).values()
    assert (result.result, result.drift) == ("relaunched", {"engine_options.n_ctx": {"declared": 2048, "running": 1024}})
    reach(server, gone("chat"), file=file)
    assert file.load() == {}


def test_for_a_server_with_a_history_no_file_is_written(tmp_path: Any) -> None:
    file = StateFile(str(tmp_path / "state.json"))
    reach(FakeServer(), OLD, file=file)
    assert not (tmp_path / "state.json").exists()


def test_without_history_and_file_options_are_unverified() -> None:
    server = old_server()
    reach(server, OLD)
    (result,) = reach(server, NEW).values()
    assert (result.result, result.unverified) == ("unchanged", ["engine_options.n_ctx"])


# Copies.


SCALING = PlanOptions(scaling=True, autostart=True)


@pytest.mark.parametrize(("before", "after", "call"), [(1, 2, "add_replicas"), (1, 3, "add_replicas"), (3, 1, "remove_replica"), (2, 1, "remove_replica")])
@pytest.mark.parametrize("wait", [True, False])
def test_copies_are_added_and_taken_away_while_the_model_serves(before: int, after: int, call: str, wait: bool) -> None:
    server = with_old(item={**OLD, "replica": before})
    created = server.models["chat"].created
    (result,) = reach(server, {**OLD, "replica": after}, choices=SCALING, wait=wait).values()
    assert (result.result, result.changed) == ("scaled", True)
    writes = written(server)
    assert writes[:-2] == [call] * (1 if after > before else before - after)
    assert writes[-2:] == ["remember", "set_autostart"]
    assert server.models["chat"].created == created
    assert not Run(server, {**OLD, "replica": after}, choices=SCALING).plan.changed
    entry = entry_of(server, "chat")
    assert entry is not None
    assert entry.launch is not None
    assert entry.launch["replica"] == after


def test_the_copies_with_the_highest_numbers_go() -> None:
    server = with_old(item={**OLD, "replica": 3}, choices=PlanOptions())
    reach(server, {**OLD, "replica": 1}, choices=PlanOptions(scaling=True))
    assert [argument for name, argument in server.calls if name == "remove_replica"] == [("chat", 2), ("chat", 1)]


@pytest.mark.parametrize(("before", "after", "call"), [(1, 2, "add_replicas"), (2, 1, "remove_replica")])
def test_copies_that_the_server_refuses_are_the_failure_of_their_model_only(before: int, after: int, call: str) -> None:
    server = with_old(item={**OLD, "replica": before})
    entry = entry_of(server, "chat")
    server.fail_next(call, refused("No available slot found for the model", 503))
    results = reach(server, {**OLD, "replica": after}, llm("other"), choices=SCALING)
    assert (results["chat"].result, results["chat"].message, results["chat"].state) == (
        "failed",
        f"{ANSWERED} 503: No available slot found for the model",
        "ready",
    )
    assert results["other"].result == "launched"
    assert entry_of(server, "chat") == entry
    assert Run(server, {**OLD, "replica": after}, choices=SCALING).plan.actions[0].kind == "scale"


# Answers.


class Talking(FakeServer):
    """Keeps what it is asked, and answers something of its own where that is given."""

    own: Any = None

    def ask(self, route: str, question: dict[str, Any], timeout: float) -> dict[str, Any]:
        """The answer of a model."""
        answer: dict[str, Any] = super().ask(route, question, timeout)
        return answer if self.own is None else self.own


def asked(server: FakeServer) -> int:
    """How many models were asked."""
    return len([call for call in server.calls if call[0] == "ask"])


def test_a_model_is_ready_when_it_answered() -> None:
    server = FakeServer()
    result = reach(server, llm("chat"), answer=7.0)["chat"]
    assert result.answered is not None
    assert asked(server) == 1


@pytest.mark.parametrize("state", ["CREATING"])
def test_a_model_that_was_waited_for_must_answer_too(state: str) -> None:
    server = FakeServer().put("chat", state)
    server.fail_next("ask", refused("out of order", 500))
    result = reach(server, llm("chat"))["chat"]
    assert (result.result, result.message) == ("failed", f"is ready, but did not answer: {ANSWERED} 500: out of order")


def test_a_launch_that_does_not_answer_fails_and_the_others_go_on() -> None:
    server = FakeServer()
    server.fail_next("ask", refused("out of order", 500))
    results = reach(server, llm("chat"), llm("other"), choices=WITH_AUTOSTART)
    assert (results["chat"].result, results["chat"].state, results["chat"].answered) == ("failed", "ready", None)
    assert results["chat"].message == f"is ready, but did not answer: {ANSWERED} 500: out of order"
    assert results["other"].result == "launched"
    assert entry_of(server, "chat") is None


def test_a_vector_of_another_length_is_no_answer() -> None:
    server = Talking()
    server.own = {"data": [{"embedding": [0.5] * 383}]}
    result = reach(server, {"uid": "embed", "name": "bge-m3", "type": "embedding", "engine": "sentence_transformers"})["embed"]
    assert result.message == "is ready, but did not answer: its vector has 383 numbers, but the model is known for 1024"


@pytest.mark.parametrize(("smoke", "questions"), [("none", 0), ("launched", 1), ("all", 2)])
def test_which_models_must_answer(smoke: str, questions: int) -> None:
    server = FakeServer()
    reach(server, llm("kept"))
    results = reach(server, llm("kept"), llm("new"), gone("nothing"), smoke=smoke)
    assert asked(server) == questions
    assert (results["kept"].answered is not None) == (smoke == "all")
    assert (results["new"].answered is not None) == (smoke != "none")


def test_a_running_model_that_does_not_answer_is_found_where_all_must() -> None:
    server = FakeServer()
    reach(server, llm("kept"), llm("two"))
    server.fail_next("ask", refused("out of order", 500))
    results = reach(server, llm("kept"), llm("two"), smoke="all")
    assert (results["kept"].result, results["kept"].message, results["kept"].changed) == (
        "failed",
        f"is ready, but did not answer: {ANSWERED} 500: out of order",
        False,
    )
    assert results["two"].result == "unchanged"


def test_without_waiting_nobody_is_asked() -> None:
    server = FakeServer().run("kept")
    reach(server, llm("kept"), llm("new"), smoke="all", wait=False)
    assert asked(server) == 0


def test_refused_credentials_are_not_the_model_s_failure() -> None:
    server = FakeServer()
    server.fail_next("ask", AuthenticationError("POST", "http://fake", 401, "expired"))
    results = reach(server, llm("one"), llm("two"))
    assert [result.message for result in results.values()] == ["POST http://fake answered 401: expired"] * 2


# While it lasts.


def test_how_far_each_launch_is_is_reported_at_each_poll_and_at_its_end() -> None:
    reported: list[Any] = []
    server = FakeServer(load_seconds=3.1)
    reach(server, llm("one"), llm("two"), report=lambda uid, state, answer, seconds: reported.append((uid, state, round(seconds))), at_once=2)
    loading = [(uid, "creating", seconds) for seconds in (0, 1, 2) for uid in ("one", "two")]
    assert reported[:6] == loading
    assert reported[-4:] == [(uid, state, 3) for uid in ("one", "two") for state in ("smoke test", "ready")]
    assert [name for name, _argument in server.calls].count("progress") in (6, 8)


# A model that is ready and does not answer.


def test_a_model_that_did_not_answer_at_its_launch_is_asked_again_until_it_does() -> None:
    server = FakeServer(unanswered={"chat"})
    words = "is ready, but did not answer: "
    for changed in (True, False, False):
        (result,) = reach(server, llm("chat")).values()
        assert (result.result, result.changed, result.message[: len(words)]) == ("failed", changed, words)
    server.unanswered.clear()
    (result,) = reach(server, llm("chat")).values()
    assert (result.result, result.changed) == ("unchanged", False)
    assert result.answered is not None
    server.allowed = frozenset()
    (result,) = reach(server, llm("chat")).values()
    assert (result.result, result.answered) == ("unchanged", None)


def test_nobody_who_wants_no_smoke_test_asks_a_model_that_did_not_answer() -> None:
    server = FakeServer(unanswered={"chat"})
    reach(server, llm("chat"))
    (result,) = reach(server, llm("chat"), smoke="none").values()
    assert (result.result, result.answered) == ("unchanged", None)


def test_a_model_that_was_launched_again_is_not_the_one_that_did_not_answer() -> None:
    server = FakeServer(unanswered={"chat"})
    reach(server, llm("chat"))
    server.terminate("chat")
    server.clock.sleep(5)
    server.run("chat")
    (result,) = reach(server, llm("chat")).values()
    assert (result.failed, result.answered) == (False, None)


def test_how_far_a_removal_is_is_reported() -> None:
    reported: list[Any] = []
    server = FakeServer(terminate_seconds=2).run("old")
    reach(server, gone("old"), report=lambda uid, state, answer, seconds: reported.append((uid, state)))
    assert reported == [("old", "terminating"), ("old", "terminating"), ("old", "absent")]


def test_that_copies_are_being_added_is_reported() -> None:
    reported: list[Any] = []
    server = FakeServer().run("chat", replica=1)
    reach(server, llm("chat", replica=2), choices=PlanOptions(scaling=True), report=lambda uid, state, answer, seconds: reported.append((uid, state)))
    assert reported[0] == ("chat", "scaling")
    assert reported[-1] == ("chat", "ready")


def test_a_launch_whose_progress_cannot_be_read_goes_on() -> None:
    reported: list[Any] = []
    server = FakeServer(load_seconds=2)
    server.fail_next("progress", ApiError("GET", "http://fake", 500, "gone"))
    results = reach(server, llm("one"), report=lambda uid, state, answer, seconds: reported.append(answer))
    assert (results["one"].result, reported[0]) == ("launched", {})


def test_nobody_who_does_not_want_to_know_asks_for_the_progress() -> None:
    server = FakeServer()
    reach(server, llm("one"))
    assert [call for call in server.calls if call[0] == "progress"] == []


def test_what_a_server_is_after_a_relaunch_is_what_a_survey_sees() -> None:
    server = with_old()
    reach(server, NEW, choices=WITH_AUTOSTART)
    (model,) = parse_models([NEW])
    observed = observe_server(server, [model])
    assert observed.applied["chat"].source == "record"
    assert observed.applied["chat"].request == model.launch_request()
