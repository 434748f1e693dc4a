# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module ``user`` as Ansible runs it, with a server in memory."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.inferops.xinference.plugins.module_utils import _module
from ansible_collections.inferops.xinference.plugins.module_utils._core.base.errors import ApiError, AuthenticationError, ConnectionFailed
from ansible_collections.inferops.xinference.plugins.module_utils._core.resources.users import NO_ACCOUNTS
from ansible_collections.inferops.xinference.plugins.modules import user
from ansible_collections.inferops.xinference.tests.unit.plugins.module_utils._core.fake_server import FakeServer
from ansible_collections.inferops.xinference.tests.unit.plugins.modules.module_runner import Runner

LOGIN: dict[str, Any] = {"username": "admin", "password": "s3cret-pass"}
APP: dict[str, Any] = {**LOGIN, "name": "app", "account_password": "app-password", "permissions": ["models:read", "models:list"]}
SECRETS = ("s3cret-pass", "app-password", "other-password")


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Runner:
    """Runs the module."""
    return Runner(user.main, capsys, monkeypatch)


def serve(run: Runner, start: str = "nothing") -> FakeServer:
    """A server with the account in some state."""
    server = FakeServer()
    if start != "nothing":
        same = start == "same"
        server.account("app", "app-password" if same else "other-password", *(["models:list", "models:read"] if same else ["cache:list"]))
    run.use(server)
    return server


def test_it_makes_what_is_missing_and_a_second_run_changes_nothing(run: Runner) -> None:
    server = serve(run)
    answer = run(**APP)
    assert (answer["failed"], answer["changed"], answer["result"], answer["fields"]) == (False, True, "created", [])
    assert answer["account"] == {"name": "app", "enabled": True, "permissions": ["models:list", "models:read"]}
    assert answer["diff"] == {"before": {"state": "absent"}, "after": {"state": "present", **answer["account"]}}
    assert server.closed
    server.allowed = frozenset()
    answer = run(**APP)
    assert (answer["failed"], answer["changed"], answer["result"], answer["diff"]) == (False, False, "unchanged", {"before": {}, "after": {}})


@pytest.mark.parametrize("start", ["nothing", "same", "other"])
@pytest.mark.parametrize("options", [{}, {"enabled": False}, {"state": "absent"}, {"update_password": "on_create"}])
def test_check_mode_predicts_all_and_writes_nothing_and_no_output_holds_a_secret(run: Runner, start: str, options: dict[str, Any]) -> None:
    server = serve(run, start)
    server.allowed = frozenset()
    predicted = run(check=True, **APP, **options)
    assert not any(secret in run.output for secret in SECRETS)
    serve(run, start)
    carried_out = run(**APP, **options)
    assert not any(secret in run.output for secret in SECRETS)
    assert not carried_out["failed"]
    assert predicted == carried_out
    assert run(**APP, **options)["changed"] is False


def test_the_own_password_is_changed_with_a_word_about_it_and_a_second_run_logs_in_with_the_new_one(run: Runner) -> None:
    server = serve(run)
    own = {**LOGIN, "name": "admin", "account_password": "app-password"}
    answer = run(**own)
    assert (answer["fields"], answer["diff"]["after"]["password"]) == (["password"], "the declared one")
    assert answer["msg"] == "The password of 'admin' was the one that this module logs in with; from now on, log in with the new one."
    tried: list[str] = []

    def connect(_endpoint: str, **options: Any) -> FakeServer:
        tried.append(options["password"])
        if options["password"] != server.people[1]["password"]:
            raise AuthenticationError("POST", "http://x/token", 401, "Incorrect username or password")
        return server

    run.monkeypatch.setattr(_module, "Client", connect)
    assert run(**own)["changed"] is False
    assert tried == ["s3cret-pass", "app-password"]
    tried.clear()
    # Each is tried once, and of another account only its own.
    for wrong in ({**own, "account_password": "wrong-password"}, {**APP, "password": "wrong-password"}):
        answer = run(**wrong)
        assert (answer["failed"], answer["status"], answer["msg"]) == (True, 401, "POST http://x/token answered 401: Incorrect username or password")
    assert tried == ["s3cret-pass", "wrong-password", "wrong-password"]


@pytest.mark.parametrize("check", [False, True])
@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"name": "admin", "state": "absent"}, "'admin' is the account that this module logs in with, and cannot be removed"),
        ({"name": "admin", "enabled": False}, "'admin' is the account that this module logs in with, and cannot be disabled"),
        ({"name": "admin", "permissions": []}, "'admin' is the account that this module logs in with, and cannot lose the permission 'admin'"),
        ({"name": "app"}, "account_password is missing"),
        ({"name": "app", "account_password": "tiny-pw"}, "account_password of 'app' is too short"),
        ({"name": "app", "permissions": ["model:read"]}, "permissions 'model:read' is unknown; did you mean 'models:read'?"),
    ],
)
def test_refusals_come_before_any_write(run: Runner, options: dict[str, Any], words: str, check: bool) -> None:
    serve(run).allowed = frozenset()
    answer = run(check=check, **LOGIN, **options)
    assert answer["failed"]
    assert answer["msg"].startswith(words)
    assert answer["problems"] == [answer["msg"]]


def test_wrong_options_are_one_sentence_before_anything_is_asked(run: Runner) -> None:
    run.use(AssertionError("must not connect"))
    assert "permissions 'nothing' is unknown; allowed: admin, models:list" in run(**{**APP, "permissions": ["nothing"]})["msg"]
    assert run.connections == []


def test_a_server_without_accounts_is_one_sentence(run: Runner) -> None:
    run.use(FakeServer(with_accounts=False))
    assert run(**APP)["msg"] == NO_ACCOUNTS


@pytest.mark.parametrize(
    "error", [ConnectionFailed("GET http://x: no connection (Connection refused)."), AuthenticationError("POST", "http://x", 401, "wrong")]
)
def test_a_server_that_cannot_be_reached_is_one_sentence(run: Runner, error: Exception) -> None:
    run.use(error)
    answer = run(**APP)
    assert (answer["failed"], answer["msg"]) == (True, str(error))
    assert "Traceback" not in run.output
    assert not any(secret in run.output for secret in SECRETS)


def test_what_the_server_refuses_is_its_own_sentence_and_it_is_let_go(run: Runner) -> None:
    server = serve(run)
    server.fail_next("create_account", ApiError("POST", "http://x", 500, "broken"))
    answer = run(**APP)
    assert (answer["failed"], answer["status"], answer["msg"]) == (True, 500, "POST http://x answered 500: broken")
    assert server.closed


def kept(path: Path) -> list[str]:
    """Lines of the file with the password."""
    return path.read_text(encoding="utf-8").split()


PROGRAM: dict[str, Any] = {**LOGIN, "name": "automation", "permissions": ["models:list"]}


def test_an_account_of_a_program_has_its_password_in_a_file(run: Runner, tmp_path: Path) -> None:
    server, path = serve(run), tmp_path / "folder/automation"
    given = {**PROGRAM, "account_password_path": str(path)}
    assert run(check=True, **given)["changed"] is True
    assert not path.parent.exists()
    assert run(**given)["result"] == "created"
    (password,) = kept(path)
    assert server.accepts("automation", password)
    assert password not in run.output
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert run(**given)["changed"] is False
    assert kept(path) == [password]
    # A file that was removed means another password.
    path.unlink()
    path.with_name("automation.copy").unlink()
    answer = run(**given)
    assert (answer["result"], answer["fields"]) == ("updated", ["password"])
    assert kept(path) != [password]
    assert server.accepts("automation", kept(path)[0])


def test_rotation(run: Runner, tmp_path: Path) -> None:
    server, path = serve(run), tmp_path / "automation"
    given = {**PROGRAM, "account_password_path": str(path)}
    run(**given)
    old = kept(path)
    assert run(check=True, **given, rotate=True)["fields"] == ["password"]
    assert kept(path) == old
    answer = run(**given, rotate=True)
    assert (answer["changed"], answer["fields"]) == (True, ["password"])
    (new,) = kept(path)
    assert [server.accepts("automation", password) for password in (new, *old)] == [True, False]
    assert not any(password in run.output for password in (new, *old))


def test_the_password_of_a_disabled_account_is_not_forgotten_for_one_that_nobody_gave_it(run: Runner, tmp_path: Path) -> None:
    server, path = serve(run), tmp_path / "automation"
    given = {**PROGRAM, "account_password_path": str(path)}
    run(**given)
    old = kept(path)
    run(**{**given, "enabled": False})
    assert run(**given, rotate=True)["changed"] is False
    assert kept(path) == old
    assert run(**{**given, "enabled": True})["fields"] == ["enabled", "password"]
    assert server.accepts("automation", *kept(path))


def refuse(*_arguments: object) -> None:
    """A server that cannot write."""
    raise ApiError("PUT", "http://x", 500, "no space left")


def test_what_was_interrupted_is_finished(run: Runner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server, path = serve(run), tmp_path / "automation"
    given = {**PROGRAM, "account_password_path": str(path)}
    run(**given)
    (old,) = kept(path)
    # The server refuses; the old one works, and is still known.
    monkeypatch.setattr(server, "set_account_password", refuse)
    answer = run(**given, rotate=True)
    assert (answer["failed"], answer["status"]) == (True, 500)
    new, second = kept(path)
    assert second == old
    assert server.accepts("automation", old)
    monkeypatch.undo()
    run.use(server)
    assert run(**given)["fields"] == ["password"]
    assert kept(path) == [new]
    assert server.accepts("automation", new)


def test_a_password_that_was_set_and_does_not_work_keeps_the_one_before(run: Runner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server, path = serve(run), tmp_path / "automation"
    given = {**PROGRAM, "account_password_path": str(path)}
    run(**given)
    monkeypatch.setattr(server, "set_account_password", lambda *_arguments: None)
    answer = run(**given, rotate=True)
    assert answer["msg"] == "The password of 'automation' was set, but the server does not accept it; the file keeps it and the one before."
    assert len(kept(path)) == 2


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"account_password": "app-password", "account_password_path": "/x"}, "parameters are mutually exclusive: account_password|account_password_path"),
        ({"rotate": True}, "rotate is True but all of the following are missing: account_password_path"),
        ({"account_password_path": "/proc/version"}, "account_password_path '/proc/version' can be read by others than its owner"),
    ],
)
def test_options_of_the_file(run: Runner, options: dict[str, Any], words: str) -> None:
    serve(run)
    answer = run(**PROGRAM, **options)
    assert answer["failed"]
    assert words in answer["msg"]


def test_the_module_itself_can_log_in_from_a_file(run: Runner, tmp_path: Path) -> None:
    server, path = serve(run), tmp_path / "admin"
    given = {**APP, "password": None, "password_path": str(path)}
    assert run(**given)["msg"] == f"password_path '{path}' does not exist, or is empty."
    path.write_text("first-secret\nsecond-secret\n")
    path.chmod(0o600)
    tried = []

    def connect(_endpoint: str, **options: Any) -> FakeServer:
        tried.append(options["password"])
        if len(tried) == 1:
            raise AuthenticationError("POST", "http://x/token", 401, "no: first-secret")
        return server

    run.monkeypatch.setattr(_module, "Client", connect)
    assert run(**given)["result"] == "created"
    assert tried == ["first-secret", "second-secret"]
    assert "-secret" not in run.output.replace(str(path), "")
    # What is given as such comes first.
    tried.clear()
    run(**{**given, "password": "s3cret-pass"})
    assert tried[0] == "s3cret-pass"


@pytest.mark.parametrize(("status", "named"), [(401, True), (429, False)])
def test_a_refused_password_of_a_file_is_reported_with_the_way(run: Runner, tmp_path: Path, status: int, named: bool) -> None:
    path = tmp_path / "automation"
    path.touch(mode=0o600)
    path.write_text("kept-secret\n")

    def connect(_endpoint: str, **_options: Any) -> FakeServer:
        raise AuthenticationError("POST", "http://x/token", status, "Incorrect username or password")

    run.monkeypatch.setattr(_module, "Client", connect)
    answer = run(**{**APP, "password": None, "password_path": str(path)})
    assert answer["status"] == status
    words = f"Incorrect username or password. The password is the one that password_path '{path}' keeps. Remove that file and its copy, and provision again"
    assert (words in answer["msg"]) == named
    # The one of the option is not kept anywhere.
    assert "password_path" not in run(**{**APP, "password": "s3cret-pass", "password_path": str(path)})["msg"]
