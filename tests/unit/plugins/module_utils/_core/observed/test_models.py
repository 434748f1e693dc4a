# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the server reports, in one picture: states, and from which source it is known what a model was launched with."""

from __future__ import annotations

import json
from collections.abc import Collection
from pathlib import Path
from typing import Any, cast

import pytest

from ansible_collections.inferops.xinference.plugins.module_utils._core.base.errors import ApiError
from ansible_collections.inferops.xinference.plugins.module_utils._core.observed.last_applied import RECORD, Entry, Record
from ansible_collections.inferops.xinference.plugins.module_utils._core.observed.models import ABSENT, Observed, ObservedModel, observe, survey
from ansible_collections.inferops.xinference.plugins.module_utils._core.observed.server_files import DEFAULT_HOME, ServerFiles
from ansible_collections.inferops.xinference.plugins.module_utils._core.server.rows import AutostartRow, HistoryRow, InstanceRow, ModelRow, ReplicaRow

WORKER = "0.0.0.0:20425"
CREATED = 1769860900
SPEC: ModelRow = {"model_name": "qwen3", "model_type": "LLM", "replica": 1}
REQUEST = {"model_uid": "chat", "model_name": "qwen3", "model_type": "LLM", "model_engine": "llama.cpp", "replica": 1, "n_ctx": 2048}


def copy_of(uid: str, status: str, number: int = 0, message: str | None = None, worker: str = WORKER) -> ReplicaRow:
    """A copy of a model as a server describes it, as far as it is read."""
    return {"replica_id": number, "worker_address": worker, "status": status, "error_message": message}


def instance(uid: str, status: str, *copies: ReplicaRow, created: int = CREATED) -> InstanceRow:
    """An instance as a server describes it, as far as it is read; without copies given it has one in the same state."""
    return {"model_uid": uid, "status": status, "instance_created_ts": created, "replica_statuses": list(copies) or [copy_of(uid, status)]}


class Server:
    """Answers what a server reports, and keeps what it was asked."""

    def __init__(self, *instances: InstanceRow, listed: dict[str, ModelRow] | None = None) -> None:
        self.instances = list(instances)
        self.listed = listed if listed is not None else {row["model_uid"]: SPEC.copy() for row in instances if row["status"] == "READY"}
        self.described: dict[str, ModelRow] = {}
        self.registered: dict[tuple[str, str], dict[str, Any]] = {}
        self.rows: list[HistoryRow] | None = []
        self.entries: list[AutostartRow] | None = []
        self.asked: list[Any] = []
        self.fails: ApiError | None = None

    def list_instances(self) -> list[InstanceRow]:
        """The instances."""
        self.asked.append("instances")
        return self.instances

    def list_models(self) -> dict[str, ModelRow]:
        """The list."""
        self.asked.append("models")
        if self.fails is not None:
            raise self.fails
        return self.listed

    def describe(self, uid: str) -> ModelRow | None:
        """One model, looked up again."""
        self.asked.append(("describe", uid))
        return self.described.get(uid)

    def registrations(self, model_type: str, names: Collection[str]) -> dict[str, dict[str, Any]]:
        """Registrations among the names."""
        self.asked.append(("registrations", model_type, sorted(names)))
        return {name: spec for (kind, name), spec in self.registered.items() if kind == model_type and name in names}

    def history(self) -> list[HistoryRow] | None:
        """The launch history."""
        self.asked.append("history")
        return self.rows

    def autostart(self) -> list[AutostartRow] | None:
        """Autostart entries with their states."""
        self.asked.append("autostart")
        return self.entries


# States.


@pytest.mark.parametrize(
    ("status", "state"),
    [
        ("CREATING", "creating"),
        ("UPDATING", "loading"),
        ("LOADING", "loading"),
        ("TERMINATING", "terminating"),
        ("ERROR", "error"),
        ("TERMINATED", "absent"),
        ("SOMETHING_NEW", "something_new"),
    ],
)
def test_states_of_models_that_are_not_served(status: str, state: str) -> None:
    observed = observe(Server(instance("a", status)))
    assert observed.state("a") == state
    assert observed.models.get("a", ObservedModel("a", "")).spec == {}


def test_a_listed_model_is_ready_and_described() -> None:
    server = Server(instance("chat", "READY", copy_of("chat", "READY", 1, worker="10.0.0.7:1"), copy_of("chat", "READY", 0)))
    assert observe(server).models == {"chat": ObservedModel("chat", "ready", SPEC, created=CREATED, replicas=(0, 1), places={0: WORKER, 1: "10.0.0.7:1"})}
    assert server.asked == ["instances", "models"]


def test_it_is_known_which_replica_runs_on_which_worker() -> None:
    copies = [copy_of("chat", "READY", number, worker=worker) for number, worker in ((4, "worker-2:1"), (1, "worker-1:1"), (2, "worker-2:1"))]
    # One that is gone is nowhere, and of one that has no worker yet nothing is known.
    gone, new = copy_of("chat", "TERMINATED", 0, worker="worker-3:1"), copy_of("chat", "CREATING", 5, worker="")
    seen = observe(Server(instance("chat", "READY", *copies, gone, new))).models["chat"]
    assert seen.places == {4: "worker-2:1", 1: "worker-1:1", 2: "worker-2:1"}
    assert seen.workers == ("worker-2:1", "worker-1:1")
    assert seen.replicas == (1, 2, 4, 5)


def test_replicas_without_numbers_have_their_workers_too() -> None:
    copies = [copy_of("chat", "READY", worker=worker) for worker in ("worker-1:1", "worker-2:1", "worker-1:1")]
    for one in copies:
        del one["replica_id"]
    seen = observe(Server(instance("chat", "READY", *copies))).models["chat"]
    assert (seen.places, seen.replicas) == ({0: "worker-1:1", 1: "worker-2:1", 2: "worker-1:1"}, ())
    assert seen.workers == ("worker-1:1", "worker-2:1")


def test_a_model_keeps_its_workers_where_it_is_described_on_its_own() -> None:
    """Its list is some seconds old."""
    server = Server(instance("chat", "READY", copy_of("chat", "READY", 3, worker="worker-2:1")), listed={})
    server.described["chat"] = SPEC
    assert observe(server).models["chat"].places == {3: "worker-2:1"}


def test_a_listed_model_without_an_instance_is_ready() -> None:
    assert observe(Server(listed={"a": {"model_name": "b"}})).models == {"a": ObservedModel("a", "ready", {"model_name": "b"})}


@pytest.mark.parametrize("status", ["CREATING", "ERROR"])
def test_a_listed_model_is_ready_though_its_row_is_older(status: str) -> None:
    """The list names only what finished loading."""
    assert observe(Server(instance("a", status), listed={"a": SPEC})).models["a"].state == "ready"


def test_a_listed_model_that_is_being_terminated_is_not_ready() -> None:
    observed = observe(Server(instance("a", "TERMINATING"), listed={"a": SPEC}))
    assert (observed.state("a"), observed.models["a"].spec) == ("terminating", SPEC)


@pytest.mark.parametrize(
    ("statuses", "state"),
    [
        (("READY", "READY"), "ready"),
        # Some copies serve, and another one loads.
        (("READY", "CREATING"), "scaling"),
        (("LOADING", "READY"), "scaling"),
        (("READY", "UPDATING"), "scaling"),
        # A copy that is gone is listed for a while.
        (("READY", "TERMINATED"), "ready"),
    ],
)
def test_a_model_is_ready_when_all_of_its_copies_are(statuses: tuple[str, ...], state: str) -> None:
    observed = observe(Server(instance("a", "READY", *(copy_of("a", status, number) for number, status in enumerate(statuses)))))
    assert (observed.state("a"), observed.models["a"].spec) == (state, SPEC)
    assert observed.models["a"].replicas == tuple(number for number, status in enumerate(statuses) if status != "TERMINATED")


@pytest.mark.parametrize(
    ("copies", "state"),
    [
        ([copy_of("a", "TERMINATING")], "recovering"),
        ([copy_of("a", "TERMINATING", 0, "out of memory")], "error"),
        ([copy_of("a", "ERROR")], "error"),
    ],
)
def test_a_model_whose_process_died_is_made_again_by_the_server_itself(copies: list[ReplicaRow], state: str) -> None:
    assert observe(Server(instance("a", "ERROR", *copies))).state("a") == state


def test_the_list_is_some_seconds_old_so_a_model_that_it_lacks_is_looked_up() -> None:
    server = Server(instance("chat", "READY"), listed={})
    server.described["chat"] = SPEC
    assert observe(server).models == {"chat": ObservedModel("chat", "ready", SPEC, created=CREATED, replicas=(0,), places={0: WORKER})}
    assert server.asked == ["instances", "models", ("describe", "chat")]


def test_a_model_that_the_server_calls_ready_and_does_not_serve_is_orphaned() -> None:
    """A launch that is cancelled in the moment in which it is ready leaves such a model behind."""
    assert observe(Server(instance("chat", "READY"), listed={})).state("chat") == "orphaned"


def test_a_model_that_is_called_ready_and_says_that_it_still_loads_is_loading() -> None:
    server = Server(instance("chat", "READY"), listed={})
    server.described["chat"] = {}
    assert observe(server).state("chat") == "loading"


@pytest.mark.parametrize("words", ["[address=0.0.0.0:46803, pid=10] 'left'", "[address=[::1]:1, pid=1] 'left'"])
def test_a_list_that_is_broken_by_what_was_cancelled_too_late_is_done_without(words: str) -> None:
    """Servers before 3.0 answer so, and say no more than the name."""
    server = Server(instance("chat", "READY"), instance("left", "READY"), instance("new", "CREATING"))
    server.described["chat"] = SPEC
    server.fails = ApiError("GET", "http://fake/v1/models", 500, words)
    seen = observe(server)
    assert {uid: model.state for uid, model in seen.models.items()} == {"chat": "ready", "left": "orphaned", "new": "creating"}
    assert seen.models["chat"].spec == SPEC


@pytest.mark.parametrize(
    ("status", "words"),
    [(500, "[address=0.0.0.0:46803, pid=10] 'another'"), (500, "Internal Server Error"), (400, "[address=0.0.0.0:46803, pid=10] 'chat'")],
)
def test_any_other_error_of_the_list_is_an_error(status: int, words: str) -> None:
    server = Server(instance("chat", "READY"))
    server.fails = ApiError("GET", "http://fake/v1/models", status, words)
    with pytest.raises(ApiError, match="answered"):
        observe(server)


# A poll of models that load.


def test_of_models_that_load_one_request_shows_that_they_still_do() -> None:
    server = Server(instance("one", "CREATING"), instance("two", "CREATING"), instance("other", "READY"))
    seen = observe(server, ["one", "two"])
    assert server.asked == ["instances"]
    assert {uid: (model.state, model.created) for uid, model in seen.models.items()} == dict.fromkeys(("one", "two"), ("creating", CREATED))


@pytest.mark.parametrize("status", ["READY", "ERROR", "TERMINATED", "TERMINATING"])
def test_when_one_of_them_does_not_load_any_more_all_is_read(status: str) -> None:
    server = Server(instance("one", "CREATING"), instance("two", status))
    seen = observe(server, ["one", "two"])
    assert server.asked[:2] == ["instances", "models"]
    assert seen.state("one") == "creating"
    assert seen.state("two") != "creating"


def test_a_model_that_is_gone_does_not_load() -> None:
    server = Server(instance("one", "CREATING"))
    assert observe(server, ["one", "two"]).state("two") == ABSENT
    assert server.asked == ["instances", "models"]


def test_an_unknown_model_is_absent() -> None:
    assert Observed().state("nothing") == ABSENT


@pytest.mark.parametrize(
    ("messages", "words"),
    [
        ((None,), ""),
        (("out of memory",), "out of memory"),
        (("same", "same", None, " "), "same"),
        (("one", "two"), "one; two"),
    ],
)
def test_the_server_s_words_about_a_failure(messages: tuple[str | None, ...], words: str) -> None:
    copies = [copy_of("a", "ERROR", number, message) for number, message in enumerate(messages)]
    assert observe(Server(instance("a", "ERROR", *copies))).models["a"].message == words


def test_an_old_server_reports_instances_without_copies() -> None:
    row: InstanceRow = {"model_uid": "a", "status": "ERROR"}
    assert observe(Server(row)).models == {"a": ObservedModel("a", "error")}
    assert observe(Server({**row, "replica_statuses": None, "instance_created_ts": None})).models == {"a": ObservedModel("a", "error")}


# What a plan needs besides.


def row(uid: str, name: str, data: Any, **changes: Any) -> HistoryRow:
    """A row of the launch history, as far as it is read."""
    answered = {
        "model_name": name,
        "model_uid": uid,
        "data": data,
        "autostart_enabled": False,
        "autostart_priority": 100,
        "autostart_max_retries": 3,
        "autostart_retry_interval_seconds": 30,
        "updated_at": "2026-01-31T12:00:00Z",
        "is_owner": True,
        **changes,
    }
    return cast("HistoryRow", answered)


def record(created: int = CREATED, **changes: Any) -> HistoryRow:
    """Our own row about the launch of the model."""
    return row("chat", RECORD, {"request": {**REQUEST, **changes}, "created": created, "registration": None})


def entry(**changes: Any) -> HistoryRow:
    """A row that is an autostart entry of the model."""
    return row("chat", "qwen3", REQUEST, **{"autostart_enabled": True, **changes})


def state(begun: int | None) -> AutostartRow:
    """The state of the autostart entry."""
    return {"launch": {**REQUEST, "n_ctx": "******"}, "state": {"last_attempt_ts": begun}}


def write_arguments(folder: Path, worker: str = WORKER, **arguments: Any) -> ServerFiles:
    """The file of a worker as a real server leaves it, and the server's directory."""
    place = folder / "worker_recovery" / worker.replace(":", "_") / "models.json"
    place.parent.mkdir(parents=True)
    filled_in = {"shard": 0, "driver_info": None, "n_gpu": "auto", "download_hub": "huggingface", "launch_ts": CREATED, "model_path": None, "n_worker": 1}
    written = {key: value for key, value in REQUEST.items() if key != "replica"}
    place.write_text(json.dumps({"chat-rep0": {**written, **filled_in, "model_uid": "chat-rep0", **arguments}}), encoding="utf-8")
    return ServerFiles({DEFAULT_HOME: str(folder)})


def look(server: Server, home: ServerFiles | None = None, kept: dict[str, Record] | None = None, **registered: set[str]) -> Observed:
    """Survey."""
    return survey(server, registered, home or ServerFiles(), kept or {})


def test_a_survey_reads_three_things() -> None:
    server = Server(instance("chat", "READY"))
    server.rows = [record()]
    observed = look(server)
    assert server.asked == ["instances", "models", "history"]
    assert observed.models == observe(server).models
    assert observed.records == {"chat": Record(REQUEST, CREATED)}
    assert (observed.history, observed.autostart, observed.entries) == (True, True, {})


def test_registrations_are_asked_once_for_each_type() -> None:
    server = Server()
    server.rows = [record()]
    server.registered = {("LLM", "one"): {"model_name": "one"}, ("rerank", "one"): {"model_name": "one", "language": ["en"]}}
    observed = look(server, LLM={"one", "two"}, rerank={"one"})
    assert server.asked[3:] == [("registrations", "LLM", ["one", "two"]), ("registrations", "rerank", ["one"])]
    assert observed.registrations == {("LLM", "one"): {"model_name": "one"}, ("rerank", "one"): {"model_name": "one", "language": ["en"]}}


def test_registrations_are_read_from_the_server_s_files_where_this_host_sees_them(tmp_path: Path) -> None:
    (tmp_path / "model/v2/llm").mkdir(parents=True)
    (tmp_path / "model/v2/llm/one.json").write_text('{"model_name": "one"}', encoding="utf-8")
    server = Server()
    server.rows = [record()]
    observed = look(server, ServerFiles({DEFAULT_HOME: str(tmp_path)}), LLM={"one", "two"})
    assert server.asked == ["instances", "models", "history"]
    assert observed.registrations == {("LLM", "one"): {"model_name": "one"}}


def test_a_server_with_an_empty_history_is_asked_for_autostart() -> None:
    server = Server()
    observed = look(server)
    assert (observed.history, observed.autostart) == (True, True)
    assert server.asked == ["instances", "models", "history", "autostart"]


@pytest.mark.parametrize("rows", [[], [{key: value for key, value in record().items() if not key.startswith("autostart")}]])
def test_a_server_before_autostart_has_a_history_only(rows: list[HistoryRow]) -> None:
    server = Server(instance("chat", "READY"))
    server.rows, server.entries = rows, None
    observed = look(server)
    assert (observed.history, observed.autostart, observed.entries) == (True, False, {})


def test_a_server_before_the_history_has_neither_and_our_file_counts() -> None:
    server = Server(instance("chat", "READY"))
    server.rows = server.entries = None
    kept = {"chat": Record(REQUEST, CREATED)}
    observed = look(server, kept=kept)
    assert (observed.history, observed.autostart, observed.records) == (False, False, kept)
    assert (observed.applied["chat"].request, observed.applied["chat"].source) == (REQUEST, "record")
    assert server.asked == ["instances", "models", "history"]


def test_our_file_does_not_count_where_the_server_has_a_history() -> None:
    server = Server(instance("chat", "READY"))
    observed = look(server, kept={"chat": Record(REQUEST, CREATED)})
    assert (observed.records, observed.applied) == ({}, {})


def test_entries_are_read_from_the_history() -> None:
    server = Server()
    server.rows = [entry(autostart_priority=7), row("other", "qwen3", {"model_uid": "other"}, autostart_enabled=True, is_owner=False)]
    assert look(server).entries == {"chat": Entry("chat", 7, 3, 30, REQUEST), "other": Entry("other", 100, 3, 30, None)}


# What a running model was launched with.


def applied(observed: Observed) -> tuple[Any, str] | None:
    """The option that the sources differ in, and the source that was believed."""
    found = observed.applied.get("chat")
    return (found.request.get("n_ctx"), found.source) if found else None


def test_our_own_record_of_this_very_launch_comes_first(tmp_path: Path) -> None:
    server = Server(instance("chat", "READY"))
    server.rows, server.entries = [record(n_ctx=1), entry()], [state(CREATED)]
    assert applied(look(server, write_arguments(tmp_path, n_ctx=2))) == (1, "record")
    assert "autostart" not in server.asked


@pytest.mark.parametrize("created", [CREATED - 1, CREATED + 1, 0])
def test_the_record_of_another_launch_is_not_used(created: int, tmp_path: Path) -> None:
    server = Server(instance("chat", "READY"))
    server.rows = [record(created, n_ctx=1)]
    assert applied(look(server)) is None
    assert applied(look(server, write_arguments(tmp_path, n_ctx=2))) == (2, "worker")


def test_a_record_is_not_used_where_the_server_does_not_say_when_the_model_was_made() -> None:
    server = Server(instance("chat", "READY", created=0))
    server.rows = [record(0)]
    assert applied(look(server)) is None


def test_the_record_of_another_account_is_not_used() -> None:
    server = Server(instance("chat", "READY"))
    server.rows = [{**record(), "is_owner": False}]
    assert applied(look(server)) is None


def test_then_the_file_of_the_worker_that_runs_the_model(tmp_path: Path) -> None:
    server = Server(instance("chat", "READY"))
    server.rows, server.entries = [entry()], [state(CREATED)]
    home = write_arguments(tmp_path, n_ctx=2)
    found = look(server, home).applied["chat"]
    assert found.source == "worker"
    assert found.request == {**REQUEST, "n_ctx": 2, "n_gpu": "auto", "download_hub": "huggingface"}
    assert "autostart" not in server.asked


def test_the_file_of_another_worker_is_not_used(tmp_path: Path) -> None:
    """Each start of the server has another port, and old directories stay."""
    server = Server(instance("chat", "READY"))
    server.rows = [record(1)]
    assert applied(look(server, write_arguments(tmp_path, worker="0.0.0.0:19999", n_ctx=2))) is None


def test_then_the_entry_where_the_server_says_that_it_launched_the_model_from_it() -> None:
    server = Server(instance("chat", "READY"))
    server.rows, server.entries = [record(1), entry()], [state(CREATED - 3)]
    # The answer about the states masks some values; the entry itself does not.
    assert applied(look(server)) == (2048, "autostart")
    assert server.asked == ["instances", "models", "history", "autostart"]


@pytest.mark.parametrize(
    ("answers", "changes"),
    [
        # It did not try, tried long before, or the entry was changed since.
        ([state(None)], {}),
        ([state(CREATED - 3600)], {}),
        ([state(CREATED - 3)], {"updated_at": "2026-01-31T23:00:00Z"}),
        ([], {}),
        (None, {}),
        ([state(CREATED - 3)], {"is_owner": False}),
        ([state(CREATED - 3)], {"autostart_enabled": False}),
    ],
)
def test_an_entry_from_which_the_model_was_not_launched_is_not_used(answers: Any, changes: dict[str, Any]) -> None:
    server = Server(instance("chat", "READY"))
    server.rows, server.entries = [entry(**changes)], answers
    assert applied(look(server)) is None


def test_where_nothing_is_known_nothing_is_assumed() -> None:
    server = Server(instance("chat", "READY"))
    server.rows = [row("other", RECORD, {"request": REQUEST, "created": CREATED, "registration": None})]
    assert look(server).applied == {}


@pytest.mark.parametrize("status", ["CREATING", "ERROR", "TERMINATING"])
def test_of_a_model_that_does_not_serve_nothing_is_compared(status: str, tmp_path: Path) -> None:
    server = Server(instance("chat", status))
    server.rows, server.entries = [record(), entry()], [state(CREATED)]
    assert look(server, write_arguments(tmp_path)).applied == {}
