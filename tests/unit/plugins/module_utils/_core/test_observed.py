# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the server reports, in one picture."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.inferops.xinference.plugins.module_utils._core.observed import ABSENT, Observed, ObservedModel, observe
from ansible_collections.inferops.xinference.tests.unit.plugins.module_utils._core.fake_server import FakeServer, Script


def instance(uid: str, status: str, *messages: str | None) -> dict[str, Any]:
    """An instance as the server describes it, as far as it is read."""
    return {"model_uid": uid, "status": status, "replica_statuses": [{"error_message": message} for message in messages]}


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
    assert observe(Script(("list_instances", [instance("a", status)]), ("list_models", {}))).state("a") == state


def test_a_listed_model_is_ready_and_described() -> None:
    observed = observe(FakeServer().run("chat"))
    assert observed.state("chat") == "ready"
    assert observed.models["chat"].spec["model_name"] == "qwen3"


def test_a_listed_model_without_an_instance_is_ready() -> None:
    assert observe(Script(("list_instances", []), ("list_models", {"a": {"model_name": "b"}}))).models == {
        "a": ObservedModel("a", "ready", {"model_name": "b"})
    }


def test_a_model_that_is_being_terminated_and_still_listed_is_not_ready() -> None:
    reader = Script(("list_instances", [instance("a", "TERMINATING")]), ("list_models", {"a": {}}))
    assert observe(reader).state("a") == "terminating"


def test_a_model_that_the_server_calls_ready_and_does_not_serve_is_unlisted() -> None:
    """A launch that is cancelled in the moment in which it is ready leaves such a model behind."""
    server = FakeServer().run("chat")
    server.cancel("chat")
    observed = observe(server)
    assert observed.state("chat") == "unlisted"


def test_an_unknown_model_is_absent() -> None:
    assert Observed().state("nothing") == ABSENT


@pytest.mark.parametrize(
    ("messages", "words"),
    [
        ((), ""),
        ((None,), ""),
        (("out of memory",), "out of memory"),
        (("same", "same", None, " "), "same"),
        (("one", "two"), "one; two"),
    ],
)
def test_the_server_s_words_about_a_failure(messages: tuple[str | None, ...], words: str) -> None:
    reader = Script(("list_instances", [instance("a", "ERROR", *messages)]), ("list_models", {}))
    assert observe(reader).models["a"].message == words


def test_registrations_are_read_for_the_types_that_are_wanted_only() -> None:
    server = FakeServer()
    assert observe(server).registrations == frozenset()
    assert observe(server, ["LLM", "LLM"]).registrations == frozenset({("LLM", "qwen3")})
    assert [call for call in server.calls if call[0] == "list_registrations"] == [("list_registrations", "LLM")]
