# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a new server says of models, registrations and accounts, with two servers in memory."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import pytest

from ansible_collections.inferops.xinference.plugins.module_utils._core.base.errors import ApiError, AuthenticationError, NotReached
from ansible_collections.inferops.xinference.plugins.module_utils._core.declaration.check import parse_models
from ansible_collections.inferops.xinference.plugins.module_utils._core.reconcile.options import ReconcileOptions
from ansible_collections.inferops.xinference.plugins.module_utils._core.server.client import Client
from ansible_collections.inferops.xinference.plugins.module_utils._core.server.rows import ModelRow
from ansible_collections.inferops.xinference.plugins.module_utils._core.upgrade.preview import ModelAnswer, Preview, _running, preview
from ansible_collections.inferops.xinference.tests.unit.plugins.module_utils._core.fake_server import FakeServer
from ansible_collections.inferops.xinference.tests.unit.plugins.module_utils._core.plan_runner import custom, gone, llm

NO_WRITES: frozenset[str] = frozenset()


def new_server(**options: Any) -> FakeServer:
    """A new server, on which nothing may be changed."""
    return FakeServer(release="4.2.0", allowed=NO_WRITES, **options)


def asked(today: FakeServer, then: FakeServer, *declared: dict[str, Any], files: Sequence[str] = (), options: ReconcileOptions | None = None) -> Preview:
    """What the new server says of a declaration."""
    today.allowed = NO_WRITES
    return preview(cast(Client, today), cast(Client, then), parse_models(list(declared)), options or ReconcileOptions(), files)


# Models.


def test_a_model_that_the_new_server_takes() -> None:
    today = FakeServer().run("chat", model_engine="llama.cpp", model_format="ggufv2", model_size_in_billions="0_6", quantization="Q4_K_M")
    found = asked(today, new_server(), llm("chat"))
    assert found == Preview([ModelAnswer("chat", "llama.cpp, ggufv2, 0_6, Q4_K_M", "is offered with llama.cpp", False)])


def test_models_come_in_their_order_and_only_those_that_are_to_run() -> None:
    found = asked(FakeServer(), new_server(), llm("b"), gone("c"), llm("a"))
    assert [(model.uid, model.today) for model in found.models] == [("b", "does not run"), ("a", "does not run")]
    assert (found.problems, found.notes) == ([], [])


def test_a_model_that_the_catalogue_refuses() -> None:
    then = new_server()
    del then.registered["LLM", "qwen3"]
    found = asked(FakeServer().run("chat"), then, llm("chat"), {"uid": "embed", "name": "bge-m3", "type": "embedding"})
    refused, fine = found.models
    assert (refused.uid, refused.refused) == ("chat", True)
    # Where it stands in the declaration is for the sentence below, and not for the table.
    assert refused.then.startswith("name 'qwen3' of type LLM is not in the server's catalogue")
    assert (fine.uid, fine.refused, fine.then) == ("embed", False, "is offered with sentence_transformers, llama.cpp")
    (problem,) = found.problems
    assert problem == f"models (uid 'chat'): {refused.then}"


def test_an_engine_that_the_new_server_has_no_more() -> None:
    found = asked(FakeServer(), new_server(), llm("chat", engine="vLLM"))
    (model,) = found.models
    assert model.refused
    assert "vLLM" in model.then
    assert len(found.problems) == 1


def test_names_of_options_are_those_of_the_caller() -> None:
    then = new_server()
    del then.registered["LLM", "qwen3"]
    found = asked(FakeServer(), then, llm("chat"), options=ReconcileOptions(names={"models": "xinference_models"}))
    assert found.problems[0].startswith("xinference_models (uid 'chat'): name 'qwen3'")
    assert found.models[0].then.startswith("name 'qwen3'")


def test_memory_is_asked_for_all_of_them_together() -> None:
    sized = {"format": "ggufv2", "size_in_billions": "0_6", "quantization": "Q4_K_M", "engine_options": {"n_ctx": 1024}}
    declared = [llm("one", **sized), llm("two", **sized)]
    found = asked(FakeServer(), new_server(memory_mib=2000), *declared)
    assert [(model.uid, model.refused) for model in found.models] == [("one", False), ("two", False)]
    (problem,) = found.problems
    assert "MiB of memory, but the server has 2000" in problem
    # One alone is not the catalogue's to refuse, however large it is.
    found = asked(FakeServer(), new_server(memory_mib=1000), declared[0])
    assert ([model.refused for model in found.models], len(found.problems)) == ([False], 1)
    for options in (ReconcileOptions(check_memory=False), ReconcileOptions(memory_mib=4000)):
        assert asked(FakeServer(), new_server(memory_mib=2000), *declared, options=options).problems == []


def test_a_model_that_is_refused_takes_no_memory_from_the_others() -> None:
    sized = {"format": "ggufv2", "size_in_billions": "0_6", "quantization": "Q4_K_M", "engine_options": {"n_ctx": 1024}}
    found = asked(FakeServer(), new_server(memory_mib=2000), llm("one", **sized), llm("two", **{**sized, "name": "unknown"}))
    assert [model.refused for model in found.models] == [False, True]
    assert len(found.problems) == 1


def test_a_model_with_its_own_registration_is_asked_for_with_it() -> None:
    found = asked(FakeServer(), new_server(), custom("own"))
    (model,) = found.models
    assert (model.uid, model.refused, model.today) == ("own", False, "does not run")
    assert found.problems == []


def test_a_new_server_is_not_asked_for_workers_because_it_is_alone() -> None:
    then = new_server()
    assert [address.rpartition(":")[0] for address in then.status().get("workers") or {}] == ["0.0.0.0"]
    found = asked(FakeServer(), then, llm("chat", workers=["worker-1", "worker-2"]))
    assert (found.problems, [model.refused for model in found.models]) == ([], [False])


def test_nothing_is_launched_or_downloaded() -> None:
    """Whatever the options of a run are."""
    then = new_server()
    found = asked(FakeServer(), then, llm("chat"), custom("own"), options=ReconcileOptions(check=False, download="first"))
    assert len(found.models) == 2
    assert then.writes() == []


def test_what_nobody_knows_before_the_launch() -> None:
    then = new_server()
    # Once for the catalogue, and then for what is shown.
    then.fail_next("engines", None, ApiError("GET", "http://fake/v1/engines", 500, "odd"))
    found = asked(FakeServer(), then, llm("chat"))
    assert found.models == [ModelAnswer("chat", "does not run", "is known when it is launched", False)]
    assert found.problems == []


@pytest.mark.parametrize("error", [AuthenticationError("GET", "http://fake/v1/engines", 401, "expired"), NotReached("the new server ended")])
def test_a_server_that_cannot_be_read_is_no_answer(error: Exception) -> None:
    then = new_server()
    then.fail_next("engines", None, error)
    with pytest.raises(type(error)):
        asked(FakeServer(), then, llm("chat"))


@pytest.mark.parametrize(
    ("row", "words"),
    [
        (None, "does not run"),
        ({}, "runs"),
        ({"model_engine": None, "model_format": None}, "runs"),
        ({"model_engine": "llama.cpp", "model_format": "ggufv2", "model_size_in_billions": "0_135", "quantization": "Q4_1"}, "llama.cpp, ggufv2, 0_135, Q4_1"),
        ({"model_engine": "Transformers", "model_format": "pytorch", "model_size_in_billions": 7, "quantization": "none"}, "Transformers, pytorch, 7"),
        ({"model_format": "pytorch", "quantization": "none", "model_name": "bge-m3"}, "pytorch"),
    ],
)
def test_how_a_model_runs_today(row: ModelRow | None, words: str) -> None:
    assert _running(row) == words


# Registrations.

MINE = "model/v2/llm/mine.json"


def test_registrations_that_the_new_server_takes() -> None:
    then = new_server()
    then.registered.update({("LLM", "mine"): False, ("embedding", "mine"): False, ("rerank", "other"): False})
    found = asked(FakeServer(), then, files=[MINE, "model/v2/embedding/mine.json", "model/v2/rerank/other.json"])
    assert found == Preview()
    # Once for each kind.
    assert [argument for call, argument in then.calls if call == "registered_names"] == ["embedding", "LLM", "rerank"]


def test_a_registration_that_is_missing_is_a_problem() -> None:
    found = asked(FakeServer(), new_server(), files=[MINE])
    assert found.problems == ["The new server does not take the registration of LLM 'mine'; remove it, or register it again."]


def test_a_registration_that_a_built_in_model_takes_the_place_of() -> None:
    then = new_server()
    then.registered["LLM", "mine"] = True
    found = asked(FakeServer(), then, files=[MINE])
    assert found.problems == ["The new server brings a model of its own that is called 'mine', so it leaves out your registration of that LLM."]


def test_the_same_name_of_another_kind_is_another_registration() -> None:
    then = new_server()
    then.registered["embedding", "mine"] = False
    assert len(asked(FakeServer(), then, files=[MINE]).problems) == 1


@pytest.mark.parametrize(
    "path",
    [
        *("auth/auth.db", "model/v2/mine.json", "model/v1/llm/mine.json", "model/v2/other/mine.json", "model/v2/llm/below/mine.json"),
        *("launch_history.db", "model/v2/llm", "x/model/v2/llm/mine.json"),
    ],
)
def test_other_files_are_no_registrations(path: str) -> None:
    then = new_server()
    assert asked(FakeServer(), then, files=[path]) == Preview()
    assert not any(call == "registered_names" for call, _argument in then.calls)


def test_a_registration_of_a_declared_model_is_asked_for_with_that() -> None:
    """The run that launches it registers it."""
    found = asked(FakeServer(), new_server(), custom("own"), files=["model/v2/llm/custom.json"])
    assert found.problems == []
    # Not of another kind, and not where the model is only named.
    assert len(asked(FakeServer(), new_server(), custom("own"), files=["model/v2/embedding/custom.json"]).problems) == 1


# Accounts and API keys.


def with_accounts(*names: str) -> FakeServer:
    """A server with accounts besides its administrator, and an API key of each."""
    server = FakeServer()
    for name in names:
        server.create_key({"name": f"key of {name}", "owner": server.account(name, "marked-pass")})
    return server


def as_after(today: FakeServer) -> FakeServer:
    """A new server with the accounts and API keys of the one that runs."""
    then = new_server()
    then.people, then.api_keys = {number: dict(row) for number, row in today.people.items()}, {number: dict(row) for number, row in today.api_keys.items()}
    return then


def test_accounts_and_keys_that_are_all_there() -> None:
    today = with_accounts("ann", "ben")
    then = as_after(today)
    # One more is no loss.
    then.account("new", "marked-pass")
    assert asked(today, then) == Preview()


def test_accounts_and_keys_that_are_missing_are_problems() -> None:
    today = with_accounts("ann", "ben")
    then = as_after(today)
    del then.people[3], then.api_keys[2]
    assert asked(today, then).problems == [
        "The new server does not know account 'ben' any more.",
        "The new server does not know API key 'key of ben' any more.",
    ]


def test_what_is_called_otherwise_is_a_note() -> None:
    today = with_accounts("ann")
    then = as_after(today)
    then.people[2]["username"], then.api_keys[1]["name"] = "anna", None
    found = asked(today, then)
    assert found.problems == []
    assert found.notes == ["The new server calls account 'ann' 'anna'.", "The new server calls API key 'key of ann' ''."]


def test_no_secret_is_in_what_it_says() -> None:
    today = with_accounts("ann")
    today.api_keys[1]["key"] = "marked-key"
    found = asked(today, new_server())
    assert len(found.problems) == 2
    assert "marked" not in str(found)


def test_a_server_of_today_without_accounts_that_can_be_managed_is_not_compared() -> None:
    assert asked(FakeServer(with_accounts=False), new_server()) == Preview()


def test_a_new_server_that_manages_none_names_what_is_not_managed_any_more() -> None:
    found = asked(with_accounts("ann"), new_server(with_accounts=False))
    assert found.problems == []
    accounts, keys = found.notes
    assert all(note.startswith("The new server is older than 3.0") for note in found.notes)
    assert "ann" in accounts
    assert "key of ann" in keys


def test_everything_is_said_at_once() -> None:
    today = with_accounts("ann")
    then = as_after(today)
    del then.people[2], then.api_keys[1], then.registered["LLM", "qwen3"]
    found = asked(today, then, llm("chat"), files=[MINE])
    assert len(found.problems) == 4
