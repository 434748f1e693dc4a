# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module ``api_key`` as Ansible runs it, with a server in memory."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ansible_collections.inferops.xinference.plugins.module_utils._core.base.errors import ApiError, AuthenticationError, ConnectionFailed
from ansible_collections.inferops.xinference.plugins.module_utils._core.resources.users import NO_ACCOUNTS
from ansible_collections.inferops.xinference.plugins.modules import api_key
from ansible_collections.inferops.xinference.tests.unit.plugins.module_utils._core.fake_server import FakeServer
from ansible_collections.inferops.xinference.tests.unit.plugins.modules.module_runner import Runner

LOGIN = {"username": "admin", "password": "s3cret-pass"}
KEY: dict[str, Any] = {**LOGIN, "name": "shop", "models": ["chat"], "expires_at": "2937-12-31"}
#: What Ansible gives a module whose task has no_log: true.
HIDDEN = {"_ansible_no_log": True}


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Runner:
    """Runs the module."""
    return Runner(api_key.main, capsys, monkeypatch)


def serve(run: Runner, start: str = "nothing") -> FakeServer:
    """A server with the key in some state."""
    server = FakeServer()
    if start != "nothing":
        same = start == "same"
        server.create_key({"name": "shop", "expires_at": "2937-12-31T00:00:00" if same else None})
        server.update_key(1, {"model_permissions": [{"permission_type": "model_id", "permission_value": "chat" if same else "other"}]})
        server.calls.clear()
    run.use(server)
    return server


def test_it_makes_what_is_missing_and_returns_the_key_once(run: Runner) -> None:
    server = serve(run)
    answer = run(**KEY, **HIDDEN)
    assert (answer["failed"], answer["changed"], answer["result"]) == (False, True, "created")
    assert answer["secret"] == server.api_keys[1]["key"]
    assert (answer["api_key"]["id"], answer["api_key"]["owner"], answer["api_key"]["models"]) == (1, "admin", ["chat"])
    assert server.closed
    server.allowed = frozenset()
    # Nothing secret is returned any more, so nothing has to be hidden.
    answer = run(**KEY)
    assert (answer["failed"], answer["changed"], answer["result"], answer["diff"]) == (False, False, "unchanged", {"before": {}, "after": {}})
    assert "secret" not in answer


@pytest.mark.parametrize("check", [False, True])
@pytest.mark.parametrize("start", ["nothing", "same"])
def test_a_key_that_would_be_printed_is_not_made(run: Runner, start: str, check: bool) -> None:
    serve(run, start).allowed = frozenset()
    answer = run(check=check, **KEY, rotate=True)
    assert answer["msg"] == "The new key 'shop' would be printed; set no_log: true on the task, or give path to keep it in a file."
    assert answer["problems"] == [answer["msg"]]


@pytest.mark.parametrize("start", ["nothing", "same", "other"])
@pytest.mark.parametrize("options", [{}, {"enabled": False}, {"state": "absent"}, {"rotate": True}])
@pytest.mark.parametrize("filed", [False, True])
def test_check_mode_predicts_all_and_writes_nothing(run: Runner, start: str, options: dict[str, Any], filed: bool, tmp_path: Path) -> None:
    path = tmp_path / "key"
    given = {**KEY, **options, **({"path": str(path)} if filed else HIDDEN)}
    server = serve(run, start)
    server.allowed = frozenset()
    predicted = run(check=True, **given)
    assert not path.exists()
    server = serve(run, start)
    before = [row["key"] for row in server.api_keys.values()]
    carried_out = run(**given)
    assert not carried_out["failed"]
    secrets = {*before, *(row["key"] for row in server.api_keys.values())}
    assert ("secret" in carried_out) is (not filed and carried_out["result"] in ("created", "rotated"))
    if filed:
        assert not any(secret in run.output for secret in secrets)
        assert path.exists() is ("state" not in options)
    carried_out.pop("secret", None)
    if carried_out["result"] in ("created", "rotated"):
        carried_out["api_key"].update(id=None, prefix=None)
    assert predicted == carried_out
    assert run(**{**given, "rotate": False})["changed"] is False


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"expires_at": "tomorrow"}, "expires_at 'tomorrow' is no time"),
        ({"model_types": ["llm"]}, "model_types 'llm' is unknown; did you mean 'LLM'?"),
        ({"models": []}, "models and model_types are empty"),
        ({"path": "key"}, "path 'key' must be an absolute path"),
    ],
)
def test_wrong_options_are_one_sentence_before_anything_is_asked(run: Runner, options: dict[str, Any], words: str) -> None:
    run.use(AssertionError("must not connect"))
    answer = run(**{**KEY, **options})
    assert answer["failed"]
    assert answer["msg"].startswith(words)
    assert run.connections == []


def test_a_server_without_accounts_is_one_sentence(run: Runner) -> None:
    run.use(FakeServer(with_accounts=False))
    assert run(**KEY)["msg"] == NO_ACCOUNTS


@pytest.mark.parametrize(
    "error", [ConnectionFailed("GET http://x: no connection (Connection refused)."), AuthenticationError("POST", "http://x", 401, "wrong")]
)
def test_a_server_that_cannot_be_reached_is_one_sentence(run: Runner, error: Exception) -> None:
    run.use(error)
    answer = run(**KEY)
    assert (answer["failed"], answer["msg"]) == (True, str(error))
    assert "Traceback" not in run.output
    assert "s3cret-pass" not in run.output


def test_what_the_server_refuses_is_its_own_sentence_and_it_is_let_go(run: Runner) -> None:
    server = serve(run)
    server.fail_next("create_key", ApiError("POST", "http://x", 500, "broken"))
    answer = run(**KEY, **HIDDEN)
    assert (answer["failed"], answer["status"], answer["msg"]) == (True, 500, "POST http://x answered 500: broken")
    assert server.closed
