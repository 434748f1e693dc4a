# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One run from the declaration to the results, on a server that behaves like the real one: what holds for every run."""

from __future__ import annotations

import copy
import functools
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.inferops.xinference.plugins.module_utils._core.apply.context import Waiting
from ansible_collections.inferops.xinference.plugins.module_utils._core.apply.run import apply_plan
from ansible_collections.inferops.xinference.plugins.module_utils._core.base.errors import DeclarationError, XinferenceError
from ansible_collections.inferops.xinference.plugins.module_utils._core.declaration.check import parse_models
from ansible_collections.inferops.xinference.plugins.module_utils._core.declaration.fields import FIELDS
from ansible_collections.inferops.xinference.plugins.module_utils._core.declaration.model import DeclaredModel
from ansible_collections.inferops.xinference.plugins.module_utils._core.observed.last_applied import cleaned
from ansible_collections.inferops.xinference.plugins.module_utils._core.plan.plan import PlanOptions
from ansible_collections.inferops.xinference.plugins.module_utils._core.reconcile import reconcile as converging
from ansible_collections.inferops.xinference.plugins.module_utils._core.reconcile.options import ReconcileOptions
from ansible_collections.inferops.xinference.plugins.module_utils._core.reconcile.reconcile import Outcome, reconcile
from ansible_collections.inferops.xinference.tests.unit.plugins.module_utils._core.fake_server import FakeServer
from ansible_collections.inferops.xinference.tests.unit.plugins.module_utils._core.plan_runner import SPECIFICATION, custom, entry_of, gone, llm, written


@pytest.fixture(autouse=True, scope="module")
def the_server_s_own_time() -> Iterator[None]:
    """No test waits for real."""
    real = apply_plan

    def in_its_time(plan: Any, client: Any, *arguments: Any) -> Any:
        clock = getattr(client, "clock", None)
        return real(plan, client, *arguments, **({"clock": clock, "sleep": clock.sleep} if clock is not None else {}))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(converging, "apply_plan", functools.wraps(real)(in_its_time))
        yield


def run(server: FakeServer, *items: dict[str, Any], check: bool = False, choices: dict[str, Any] | None = None, **run_options: Any) -> Outcome:
    """Converge; what was asked before is forgotten."""
    server.calls.clear()
    waiting = {key: run_options.pop(key) for key in ("wait", "timeout", "at_once", "smoke") if key in run_options}
    return reconcile(
        server, parse_models(list(items)), ReconcileOptions(choices=PlanOptions(**(choices or {})), waiting=Waiting(**waiting), check=check, **run_options)
    )


def changed(outcome: Outcome) -> bool:
    """Whether anything was written, or would be."""
    return any(result.changed for result in outcome.results)


def diff(outcome: Outcome) -> tuple[Any, Any]:
    """Both sides of the diff."""
    return outcome.plan.side("before"), outcome.plan.side("after")


# What holds for every declaration on every server.

UIDS = "abcd"
VARIANTS: list[dict[str, Any]] = [
    {},
    {"quantization": "Q8_0"},
    {"replica": 2},
    {"engine_options": {"n_ctx": 1024}},
    {"engine_options": {"n_ctx": 2048, "n_threads": 1}},
    {"environment": {"HF_TOKEN": "hunter2"}, "request_limits": 3},
    {"path": "/models/b.gguf", "n_gpu": None},
    {"autostart": False},
    {"autostart": {"priority": 1}},
    {"name": "custom", "registration": SPECIFICATION},
    {"name": "custom", "registration": SPECIFICATION, "engine_options": {"n_ctx": 512}},
]
#: The whole list brings one registration or the other.
SPECIFICATIONS = [SPECIFICATION, {**SPECIFICATION, "context_length": 4096}]


@st.composite
def declarations(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Some models, each once, present or absent, in any order."""
    specification = draw(st.sampled_from(SPECIFICATIONS))
    items = []
    for uid in draw(st.lists(st.sampled_from(UIDS), unique=True)):
        fields = copy.deepcopy(draw(st.sampled_from(VARIANTS)))
        if "registration" in fields:
            fields["registration"] = specification
        items.append(llm(uid, **fields) if draw(st.booleans()) else gone(uid))
    return items


@st.composite
def servers(draw: st.DrawFn, under_way: bool) -> FakeServer:
    """A server on which we and others have been before.

    :param under_way: whether others are launching and terminating models at this moment.
    """
    server = FakeServer(
        with_history=draw(st.sampled_from([True, True, False])),
        with_replicas=draw(st.booleans()),
        with_autostart=draw(st.sampled_from([True, True, False])),
        list_seconds=draw(st.sampled_from([0.0, 3.0])),
        terminate_seconds=draw(st.sampled_from([0.0, 2.0])),
    )
    if draw(st.booleans()):
        # What we launched ourselves, before the declaration changed.
        run(server, *draw(declarations()), choices={"autostart": draw(st.booleans())})
    statuses = ["READY", "ERROR", "UNREGISTERED", *(["CREATING", "TERMINATING", "ORPHAN"] if under_way else [])]
    for uid, status in draw(st.dictionaries(st.sampled_from(UIDS), st.sampled_from(statuses))).items():
        # What others did: with other options, quantizations and copies, with and without autostart.
        theirs = {"model_engine": "llama.cpp", **draw(st.sampled_from([{}, {"n_ctx": 7}, {"quantization": "Q8_0"}, {"replica": 2}]))}
        if status == "UNREGISTERED":
            server.unregister("LLM", "custom")
        elif status == "ORPHAN":
            # Cancelled just as it became ready.
            if server.models.get(uid) is None:
                server.put(uid, "READY", **theirs)
                server.cancel(uid)
        elif server.models.get(uid) is None or server.models[uid].status == "READY":
            server.put(uid, status, **theirs)
    if server.with_autostart:
        for uid in draw(st.lists(st.sampled_from(UIDS), unique=True, max_size=2)):
            account, server.username = server.username, draw(st.sampled_from(["admin", "other"]))
            launch = {"model_uid": uid, "model_name": "qwen3", "model_engine": "llama.cpp", "n_ctx": draw(st.sampled_from([7, 1024]))}
            server.set_autostart({"launch": launch, "priority": draw(st.sampled_from([1, 100]))})
            server.username = account
        # What has an entry is launched by the server by itself.
        server.clock.sleep(1000.0 if not under_way else 1.0)
    return server


def reached(server: FakeServer, items: list[dict[str, Any]], choices: dict[str, Any]) -> None:
    """Fail unless the server is as declared."""
    for model in parse_models(items):
        if model.state == "absent":
            assert model.uid not in server.ready()
            assert entry_of(server, model.uid) is None
            continue
        assert model.uid in server.ready()
        if model.registration is not None:
            found = server.registrations(model.type, [model.name])[model.name]
            assert {key: found[key] for key in ("context_length", "model_family")} == {
                key: model.registration[key] for key in ("context_length", "model_family")
            }
        if server.with_autostart:
            check_entry(server, model, choices)


def check_entry(server: FakeServer, model: DeclaredModel, choices: dict[str, Any]) -> None:
    """Fail unless the autostart entry is as declared."""
    found, policy = entry_of(server, model.uid), model.autostart(choices["autostart"])
    if policy is not None:
        assert found is not None
        assert found.launch is not None
        assert found.policy == policy
        assert {"replica": 1, **found.launch} == cleaned(model.launch_request())
    elif model.given.get("autostart") is False:
        assert found is None


CHOICES = st.fixed_dictionaries({"exclusive": st.booleans(), "autostart": st.booleans()})


@given(servers(under_way=True), declarations(), CHOICES, st.integers(1, 3), st.sampled_from(["first", "with_launch"]))
def test_a_run_reaches_the_declaration_and_a_second_one_has_nothing_to_do(
    server: FakeServer, items: list[dict[str, Any]], choices: dict[str, Any], at_once: int, download: str
) -> None:
    run_options: dict[str, Any] = {"choices": choices, "download": download}
    first = run(server, *items, at_once=at_once, **run_options)
    assert [result.message for result in first.results if result.failed] == []
    # What others launched in the meantime has its end.
    server.clock.sleep(100.0)
    reached(server, items, choices)
    server.allowed = frozenset()
    for check in (True, False):
        again = run(server, *items, check=check, **run_options)
        assert not changed(again)
        assert diff(again) == ({}, {})
        assert not any(result.failed for result in again.results)


@given(servers(under_way=True), declarations(), CHOICES)
def test_what_runs_afterwards_is_what_was_declared(server: FakeServer, items: list[dict[str, Any]], choices: dict[str, Any]) -> None:
    results = {result.uid: result for result in run(server, *items, choices=choices).results}
    for model in parse_models(items):
        if model.state == "absent":
            continue
        result, actual, wanted = results[model.uid], cleaned(server.models[model.uid].request), cleaned(model.launch_request())
        assert len(server.models[model.uid].replicas) == wanted.pop("replica")
        actual.pop("replica", None)
        if result.result in ("launched", "relaunched"):
            assert actual == wanted
        # Of what others launched, each declared field is as declared, or named as one that is not known.
        names = [name.removeprefix("engine_options.") for name in result.unverified]
        unknown = {FIELDS[name].sent if name in FIELDS else name for name in names}
        assert {key: actual.get(key) for key in wanted if key not in unknown} == {key: value for key, value in wanted.items() if key not in unknown}


@given(servers(under_way=True), declarations(), CHOICES)
def test_nothing_undeclared_is_touched_unless_exclusive(server: FakeServer, items: list[dict[str, Any]], choices: dict[str, Any]) -> None:
    names = {item["uid"] for item in items}
    before = {uid: (model.created, model.request) for uid, model in server.models.items() if uid not in names and model.status == "READY"}
    entries = {uid: entry_of(server, uid) for uid in set(UIDS) - names}
    run(server, *items, choices=choices)
    if choices["exclusive"]:
        assert server.ready() <= names
        assert all(entry_of(server, uid) is None for uid in set(UIDS) - names)
    else:
        assert {uid: (server.models[uid].created, server.models[uid].request) for uid in before} == before
        assert {uid: entry_of(server, uid) for uid in entries} == entries


@given(servers(under_way=False), declarations(), CHOICES, st.sampled_from(["relaunch", "report", "ignore"]), st.sampled_from(["first", "with_launch"]))
def test_check_mode_predicts_the_same_changes_and_diff_and_sends_no_write(
    server: FakeServer, items: list[dict[str, Any]], choices: dict[str, Any], on_drift: str, download: str
) -> None:
    run_options: dict[str, Any] = {"choices": {**choices, "on_drift": on_drift}, "download": download}
    server.allowed = frozenset()
    now = server.clock.now
    predicted = run(server, *items, check=True, **run_options)
    assert written(server) == []
    assert server.clock.now == now
    server.allowed = None
    done = run(server, *items, **run_options)
    assert [result.message for result in done.results if result.failed] == []
    assert (changed(predicted), diff(predicted)) == (changed(done), diff(done))
    assert len(predicted.results) == len(done.results)
    for before, after in zip(predicted.results, done.results):
        assert (before.uid, before.result, before.changed, before.state) == (after.uid, after.result, after.changed, after.state)
        assert (before.before, before.after, before.drift, before.unverified) == (after.before, after.after, after.drift, after.unverified)
    assert set(diff(done)[1]) == {result.uid for result in done.results if result.changed}
    assert "hunter2" not in repr((diff(done), done.results, done.notes))


@given(servers(under_way=False), declarations(), CHOICES, st.randoms())
def test_the_order_of_the_declaration_does_not_matter(server: FakeServer, items: list[dict[str, Any]], choices: dict[str, Any], random: Any) -> None:
    shuffled = list(items)
    random.shuffle(shuffled)
    one, other = (run(server, *declared, check=True, choices=choices) for declared in (items, shuffled))
    assert diff(one) == diff(other)
    assert {result.uid: result for result in one.results} == {result.uid: result for result in other.results}


@given(servers(under_way=False), declarations(), st.sampled_from(["report", "ignore"]))
def test_a_running_model_is_not_touched_where_drift_is_left(server: FakeServer, items: list[dict[str, Any]], on_drift: str) -> None:
    wanted = {item["uid"] for item in items if item.get("state") != "absent"} & server.ready()
    before = {uid: server.models[uid].created for uid in wanted}
    run(server, *items, choices={"on_drift": on_drift})
    assert {uid: server.models[uid].created for uid in wanted} == before


# How much is asked.


def reads(server: FakeServer) -> list[str]:
    """Names of the calls."""
    return [name for name, _argument in server.calls]


def test_where_nothing_is_to_do_three_reads_suffice() -> None:
    server = FakeServer()
    run(server, llm("one"), llm("two", engine_options={"n_ctx": 1}), choices={"autostart": True})
    outcome = run(server, llm("one"), llm("two", engine_options={"n_ctx": 1}), choices={"autostart": True})
    assert not changed(outcome)
    assert reads(server) == ["list_instances", "list_models", "history"]


def test_a_registration_costs_one_read_more_for_each_type() -> None:
    server = FakeServer()
    items = [custom("one"), custom("two"), llm("three")]
    run(server, *items)
    run(server, *items)
    assert reads(server) == ["list_instances", "list_models", "history", "registrations"]


def test_an_old_server_costs_no_more() -> None:
    server = FakeServer(with_history=False, with_replicas=False, with_downloads=False)
    run(server, llm("one"))
    run(server, llm("one"))
    assert reads(server) == ["list_instances", "list_models", "history"]


def test_check_mode_of_a_launch_asks_the_catalogue_and_the_memory_once() -> None:
    server = FakeServer(allowed=frozenset())
    run(server, llm("one"), check=True)
    assert reads(server) == ["list_instances", "list_models", "history", "autostart", "engines", "status"]


# What is refused before the first write.


def refusal(server: FakeServer, *items: dict[str, Any], **run_options: Any) -> list[str]:
    """The problems of a declaration that the server cannot do; fails on any write."""
    server.allowed = frozenset()
    for check in (True, False):
        with pytest.raises(DeclarationError) as raised:
            run(server, *items, check=check, **run_options)
    return raised.value.problems


def test_nothing_is_written_when_one_model_cannot_be_launched() -> None:
    server = FakeServer().run("old")
    problems = refusal(server, gone("old"), llm("good"), llm("bad", name="qwen4"), llm("worse", engine="vLLM"))
    assert len(problems) == 2
    assert problems[0].startswith(
        "models (uid 'bad'): name 'qwen4' of type LLM is not in the server's catalogue and has no registration; did you mean 'qwen3'?"
    )
    assert problems[1].startswith("models (uid 'worse'): engine 'vLLM' cannot run 'qwen3' on this server (Failed to import vLLM: No module named 'vllm')")
    assert server.ready() == {"old"}


def test_what_runs_is_not_asked_about_again() -> None:
    server = FakeServer().run("chat", model_engine="llama.cpp")
    del server.registered["LLM", "qwen3"]
    assert not changed(run(server, llm("chat")))


def test_a_registration_that_is_to_be_replaced_is_not_the_one_that_is_asked_about() -> None:
    server = FakeServer()
    run(server, custom("chat"))
    other = copy.deepcopy(SPECIFICATION)
    other["model_specs"][0]["quantization"] = "Q8_0"
    outcome = run(server, llm("chat", name="custom", quantization="Q8_0", registration=other))
    assert [result.result for result in outcome.results] == ["relaunched"]


SIZED: dict[str, Any] = {"size_in_billions": "0_6", "quantization": "Q4_K_M", "format": "ggufv2", "engine_options": {"n_ctx": 1024}}


def test_models_that_do_not_fit_are_refused_with_the_sum() -> None:
    (problem,) = refusal(FakeServer(memory_mib=2000), llm("one", **SIZED), llm("two", **SIZED))
    assert problem.startswith(
        "models: they need about 2750 MiB of memory, but the server has 2000: server 920 + one 915 (process 460 + weights 343 + context 112) + "
    )


@pytest.mark.parametrize("run_options", [{"check_memory": False}, {"memory_mib": 4000}])
def test_the_estimate_can_be_switched_off_and_given_another_limit(run_options: dict[str, Any]) -> None:
    outcome = run(FakeServer(memory_mib=2000), llm("one", **SIZED), llm("two", **SIZED), **run_options)
    assert [result.result for result in outcome.results] == ["launched", "launched"]


def test_what_runs_already_is_not_refused_for_its_memory() -> None:
    server = FakeServer()
    run(server, llm("one", **SIZED))
    server.memory_mib = 100
    assert not changed(run(server, llm("one", **SIZED)))


def test_a_server_that_cannot_be_read_is_an_error_and_nothing_was_written() -> None:
    server = FakeServer()
    server.fail_next("history", XinferenceError("no history today."))
    with pytest.raises(XinferenceError, match="no history today"):
        run(server, llm("one"))
    assert written(server) == []


# Options that fit the host.


def test_automatic_options_are_launched_with_and_stay() -> None:
    server = FakeServer()
    item = llm("one", engine_options="auto")
    run(server, item)
    assert {key: server.models["one"].request[key] for key in ("n_ctx", "n_parallel", "n_threads")} == {"n_ctx": 4096, "n_parallel": 1, "n_threads": 4}
    assert not changed(run(server, item))
    # A model more does not touch the first while memory suffices.
    outcome = run(server, item, llm("two", engine_options="auto"))
    assert [result.result for result in outcome.results] == ["unchanged", "launched"]


# What others are launching.


def test_what_another_client_launches_differently_is_relaunched_when_it_is_ready_and_can_be_compared() -> None:
    server = FakeServer().put("chat", "CREATING", model_engine="llama.cpp", quantization="Q8_0")
    outcome = run(server, llm("chat", quantization="Q4_K_M"))
    (result,) = outcome.results
    assert (result.result, result.changed) == ("relaunched", True)
    assert result.drift == {"quantization": {"declared": "Q4_K_M", "running": "Q8_0"}}
    assert server.models["chat"].request["quantization"] == "Q4_K_M"
    # So is its diff.
    assert list(diff(outcome)[1]) == ["chat"]
    assert not changed(run(server, llm("chat", quantization="Q4_K_M")))


@pytest.mark.parametrize("on_drift", ["report", "ignore"])
def test_what_another_client_launches_is_compared_when_it_is_ready(on_drift: str) -> None:
    server = FakeServer().put("chat", "CREATING", model_engine="llama.cpp", quantization="Q8_0")
    (result,) = run(server, llm("chat", quantization="Q4_K_M", engine_options={"n_ctx": 1}), choices={"on_drift": on_drift}).results
    assert (result.result, result.changed) == ("waited", False)
    assert result.drift == {"quantization": {"declared": "Q4_K_M", "running": "Q8_0"}}
    assert result.unverified == ["engine_options.n_ctx"]


def test_what_another_client_launches_as_declared_is_only_waited_for() -> None:
    server = FakeServer().put("chat", "CREATING", model_engine="llama.cpp")
    (result,) = run(server, llm("chat")).results
    assert (result.result, result.changed, written(server)) == ("waited", False, [])


def test_an_orphaned_model_is_removed_and_launched_with_all_that_it_needs() -> None:
    server = FakeServer().put("chat", "READY")
    server.cancel("chat")
    (result,) = run(server, llm("chat", name="custom", registration=SPECIFICATION), choices={"autostart": True}).results
    assert (result.result, result.changed, result.state) == ("launched", True, "ready")
    assert written(server) == ["clear_orphan", "register", "launch", "remember", "set_autostart"]
    assert not changed(run(server, llm("chat", name="custom", registration=SPECIFICATION), choices={"autostart": True}))


def test_what_is_cancelled_too_late_again_and_again_is_a_failure() -> None:
    server = FakeServer().put("chat", "READY")
    server.cancel("chat")
    clear = server.clear_orphan

    def again(uid: str, replicas: int) -> None:
        clear(uid, replicas)
        # Another client launches it, and cancels it just as it becomes ready.
        server.clock.after(1, lambda: server.put(uid, "READY"))
        server.clock.after(1, lambda: server.cancel(uid))

    server.clear_orphan = again  # type: ignore[method-assign]
    (result,) = run(server, llm("chat")).results
    assert result.failed
    assert "again" in result.message


def test_exclusive_removes_nothing_more_in_the_second_comparison() -> None:
    server = FakeServer().put("chat", "CREATING", model_engine="llama.cpp", quantization="Q8_0")
    server.clock.after(15, lambda: server.put("late", "READY"))
    run(server, llm("chat", quantization="Q4_K_M"), choices={"exclusive": True})
    assert "late" in server.ready()


def test_a_restart_of_the_server_brings_what_was_declared() -> None:
    server = FakeServer()
    items = [llm("one", engine_options={"n_ctx": 1024}), custom("two")]
    run(server, *items, choices={"autostart": True})
    server.restart()
    server.clock.sleep(60.0)
    assert server.ready() == {"one", "two"}
    server.allowed = frozenset()
    outcome = run(server, *items, choices={"autostart": True})
    assert not changed(outcome)
    # The server says that it launched them from their entries, so their options are known.
    assert [result.unverified for result in outcome.results] == [[], []]


@pytest.mark.parametrize("change", [{}, {"engine_options": {"n_ctx": 512}}, {"autostart": False}])
def test_an_older_server_that_takes_over_has_no_autostart_whatever_the_newer_one_wrote(change: dict[str, Any]) -> None:
    server = FakeServer()
    run(server, llm("one", engine_options={"n_ctx": 1024}), llm("old"), choices={"autostart": True})
    server.replaced_by_older()
    items = [{**llm("one", engine_options={"n_ctx": 1024}), **change}, llm("two"), gone("old")]
    predicted = run(server, *items, choices={"autostart": True}, check=True)
    outcome = run(server, *items, choices={"autostart": True})
    assert [(result.uid, result.result) for result in predicted.results] == [(result.uid, result.result) for result in outcome.results]
    assert {result.result for result in outcome.results if result.uid != "old"} == {"launched"}
    assert server.ready() == {"one", "two"}
    assert not {"set_autostart", "remove_autostart"} & set(reads(server))
    # What runs is changed as on any such server.
    outcome = run(server, llm("one", engine_options={"n_ctx": 2048}), llm("two"), choices={"autostart": True, "on_drift": "relaunch"})
    assert [result.result for result in outcome.results] == ["relaunched", "unchanged"]
    assert not changed(run(server, llm("one", engine_options={"n_ctx": 2048}), llm("two"), choices={"autostart": True, "on_drift": "relaunch"}))


def test_options_that_changed_while_the_server_was_down_are_found() -> None:
    server = FakeServer()
    run(server, llm("one", engine_options={"n_ctx": 1024}), choices={"autostart": True})
    server.restart()
    server.clock.sleep(60.0)
    outcome = run(server, llm("one", engine_options={"n_ctx": 2048}), choices={"autostart": True})
    assert [result.result for result in outcome.results] == ["relaunched"]


# Copies.


@pytest.mark.parametrize(("can", "outcome"), [(True, "scaled"), (False, "relaunched")])
def test_copies_are_added_in_place_where_the_server_can(can: bool, outcome: str) -> None:
    server = FakeServer(with_replicas=can)
    run(server, llm("chat"))
    (result,) = run(server, llm("chat", replica=2)).results
    assert (result.result, result.drift) == (outcome, {"replica": {"declared": 2, "running": 1}})
    assert not changed(run(server, llm("chat", replica=2)))


def on(*workers: str, **fields: Any) -> dict[str, Any]:
    """A model that is declared on these workers of a cluster."""
    return llm("chat", workers=list(workers), **fields)


def in_cluster(**options: Any) -> FakeServer:
    """A supervisor with three workers, of which two run a model."""
    server = FakeServer(cluster=[f"worker-{number}:30001" for number in (1, 2, 3)], **options)
    run(server, on("worker-1", "worker-2", replica=2))
    return server


@pytest.mark.parametrize("replica", [2, 3, 5])
def test_replicas_are_launched_in_equal_shares_whatever_else_runs_there(replica: int) -> None:
    """The server alone would give them to whoever has least to do, and a second run would move them."""
    server = FakeServer(cluster=["worker-1:30001", "worker-2:30001"], with_replicas=True)
    run(server, *(llm(f"other{number}", workers=["worker-2"]) for number in range(3)))
    chat = on("worker-1", "worker-2", replica=replica)
    (result,) = run(server, chat).results
    assert result.result == "launched"
    places = [one.worker for one in server.models["chat"].replicas]
    assert sorted(places.count(f"worker-{number}:30001") for number in (1, 2)) == [replica // 2, replica - replica // 2]
    (again,) = run(server, chat).results
    assert (again.result, again.drift, again.unverified) == ("unchanged", {}, [])


@pytest.mark.parametrize(("can", "outcome"), [(True, "scaled"), (False, "relaunched")])
@pytest.mark.parametrize("replica", [2, 4])
def test_a_model_gets_to_other_workers_in_place_where_the_server_can(can: bool, outcome: str, replica: int) -> None:
    server = in_cluster(with_replicas=can)
    moved = on("worker-3", "worker-2", replica=replica)
    predicted = run(server, moved, check=True)
    assert written(server) == []
    (result,) = run(server, moved).results
    assert (result.result, predicted.results[0].result) == (outcome, outcome)
    assert result.drift["workers"] == {"declared": "worker-3, worker-2", "running": "worker-1, worker-2"}
    assert sorted(one.worker for one in server.models["chat"].replicas) == sorted(["worker-2:30001", "worker-3:30001"] * (replica // 2))
    assert not changed(run(server, moved))


def test_a_worker_that_went_with_its_replica_is_a_difference_until_it_is_back() -> None:
    server = in_cluster()
    declared = on("worker-1", "worker-2", replica=2)
    server.leave("worker-2:30001")()
    (result,) = run(server, declared, choices={"on_drift": "report"}).results
    assert result.drift == {
        "replica": {"declared": 2, "running": 1},
        "workers": {"declared": "worker-1, worker-2", "running": "worker-1"},
    }
    server.join("worker-2:30001")()
    (result,) = run(server, declared).results
    assert (result.result, result.drift) == ("unchanged", {})


def test_a_worker_that_is_away_keeps_no_other_model_from_a_change() -> None:
    """Its models fail, each by itself; whoever is wrong about a name is refused all the same."""
    server = in_cluster()
    server.leave("worker-2:30001")()
    members = ("worker-1", "worker-2", "worker-3")
    chat, other = on("worker-1", "worker-2", replica=2), llm("other", workers=["worker-2"])
    spread, alone, third = run(server, chat, other, llm("third", workers=["worker-3"]), workers=members).results
    assert (spread.failed, spread.message) == (True, "worker worker-2 has not joined the cluster, so its replica is not there")
    assert alone.failed
    assert "worker-2 is not in the cluster" in alone.message
    assert third.result == "launched"
    with pytest.raises(DeclarationError, match="workers 'worker-9' is no worker of this server"):
        run(server, llm("fourth", workers=["worker-9"]), workers=members)


def test_no_model_is_stopped_for_a_worker_that_is_away() -> None:
    server = in_cluster()
    server.leave("worker-3:30001")()
    with pytest.raises(DeclarationError, match="workers 'worker-3' is no worker of this server"):
        run(server, on("worker-1", "worker-3", replica=2, quantization="Q8_0"), workers=("worker-1", "worker-2", "worker-3"))
    assert written(server) == []


@pytest.mark.parametrize("check", [True, False])
@pytest.mark.parametrize("replica", [2, 3])
def test_replicas_are_not_moved_to_a_worker_that_is_none_of_the_server(replica: int, check: bool) -> None:
    server = in_cluster()
    before = copy.deepcopy((server.models, server.rows))
    with pytest.raises(DeclarationError) as refused:
        run(server, on("worker-1", "worker-4", replica=replica), llm("other"), check=check)
    assert str(refused.value) == (
        "models (uid 'chat'): workers 'worker-4' is no worker of this server; allowed: worker-1, worker-2, worker-3; did you mean 'worker-3'?"
    )
    assert written(server) == []
    assert (server.models, server.rows) == before


@pytest.mark.parametrize("workers", [None, ["worker-1", "worker-2"]])
def test_replicas_of_a_model_that_nobody_registers_any_more_can_go_but_not_come(workers: list[str] | None) -> None:
    """It goes on to serve, and a server that is asked for one more would call it a failure."""
    server = FakeServer(cluster=["worker-1:30001", "worker-2:30001"])
    run(server, llm("chat", workers=workers, replica=4))
    del server.registered["LLM", "qwen3"]
    with pytest.raises(DeclarationError, match="name 'qwen3' of type LLM is not in the server's catalogue"):
        run(server, llm("chat", workers=workers, replica=6))
    assert written(server) == []
    (result,) = run(server, llm("chat", workers=workers, replica=2)).results
    assert (result.result, result.state) == ("scaled", "ready")
    assert len(server.models["chat"].replicas) == 2


def test_replicas_are_not_moved_at_a_worker_that_is_away() -> None:
    """It would be refused after others had been added."""
    server = in_cluster()
    server.leave("worker-2:30001")()
    with pytest.raises(DeclarationError, match="workers 'worker-2' is no worker of this server"):
        run(server, on("worker-1", "worker-2", replica=2))
    assert written(server) == []


# Downloads.


@pytest.mark.parametrize("download", ["first", "only"])
def test_files_are_got_before_anything_is_down(download: str) -> None:
    server = FakeServer(download_seconds=60)
    run(server, llm("chat", quantization="Q4_K_M"))
    outcome = run(server, llm("chat", quantization="Q8_0"), download=download)
    assert [result.result for result in outcome.results] == ["relaunched" if download == "first" else "downloaded"]
    assert written(server) == (["cache", "terminate", "launch", "remember"] if download == "first" else ["cache"])
    assert not changed(run(server, llm("chat", quantization="Q8_0"), download="only"))


def test_a_download_that_fails_leaves_what_runs() -> None:
    server = FakeServer(download_seconds=60)
    run(server, llm("chat", quantization="Q4_K_M"))
    server.unreachable["qwen3"] = "Failed to download model qwen3"
    (result,) = run(server, llm("chat", quantization="Q8_0"), download="first").results
    assert (result.result, result.state, result.message) == ("failed", "ready", "Failed to download model qwen3")
    assert server.models["chat"].request["quantization"] == "Q4_K_M"


@pytest.mark.parametrize("download", ["first", "only"])
def test_files_of_another_repository_are_not_taken_for_a_model_s_own(download: str) -> None:
    server = FakeServer()
    spec = {**SPECIFICATION["model_specs"][0], "model_uri": None, "model_id": "org/one"}
    server.files_cached.append({"model_name": "custom", "model_type": "LLM", "real_path": "/hub/models--org--other/snapshots/0"})
    (problem,) = refusal(server, custom("mine", model_specs=[spec]), download=download)
    assert problem.startswith("Model 'mine': registration.model_id is 'org/one', but the server keeps files of 'org/other' under the name 'custom'")
    assert written(server) == []


def test_a_server_that_cannot_download_alone_says_so() -> None:
    (problem,) = refusal(FakeServer(with_downloads=False), llm("chat"), download="only")
    assert problem == "download 'only' is not possible: this server cannot download without launching; servers since 3.4 can."


def test_how_far_a_download_is_is_reported_at_each_poll() -> None:
    reported: list[Any] = []
    server = FakeServer(download_seconds=6)
    run(server, llm("chat"), download="only", report=lambda uid, state, answer, seconds: reported.append((uid, state, answer.get("progress"), seconds)))
    assert reported == [*(("chat", "downloading", seconds / 6, seconds) for seconds in (3.0, 4.0, 5.0)), ("chat", "downloaded", None, 6.0)]


def test_a_model_that_a_hub_has_is_registered_before_its_download() -> None:
    server = FakeServer()
    from_hub = {**SPECIFICATION, "model_specs": [{**SPECIFICATION["model_specs"][0], "model_uri": None, "model_id": "org/repository"}]}
    run(server, llm("chat", name="custom", registration=from_hub), download="first")
    assert written(server) == ["register", "cache", "launch", "remember"]


def test_replicas_that_another_client_is_adding_are_neither_terminated_nor_cancelled() -> None:
    """The server would bring the model back with the copy that was loading."""
    server = FakeServer(load_seconds=20)
    server.put("chat", "CREATING", model_engine="llama.cpp", replica=2)
    server.clock.sleep(25.0)
    (result,) = run(server, gone("chat")).results
    assert (result.result, result.state) == ("terminated", "absent")
    server.clock.sleep(100.0)
    assert server.ready() == set()
