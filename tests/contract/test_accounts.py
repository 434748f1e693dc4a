# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Accounts and API keys on a real server: what the core makes of them really works, and what it takes away does not any more.

The same calls on the fake server of the unit tests must give the same answers.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
import requests
from play import Play
from real_server import ENVIRONMENT, USERNAME, Server, serving
from test_contract import ask, refusal, shape

from ansible_collections.inferops.xinference.plugins.module_utils._core.base.errors import ApiError, AuthenticationError, DeclarationError, XinferenceError
from ansible_collections.inferops.xinference.plugins.module_utils._core.resources.api_key_changes import apply_key
from ansible_collections.inferops.xinference.plugins.module_utils._core.resources.api_keys import ApiKey, KeyChange, KeyOutcome, plan_key
from ansible_collections.inferops.xinference.plugins.module_utils._core.resources.api_keys import read as read_key
from ansible_collections.inferops.xinference.plugins.module_utils._core.resources.users import (
    NO_ACCOUNTS,
    SCOPES,
    Account,
    AccountChange,
    apply_account,
    plan_account,
    read,
)
from ansible_collections.inferops.xinference.plugins.module_utils._core.server.client import Client
from ansible_collections.inferops.xinference.tests.machine import VERSION
from ansible_collections.inferops.xinference.tests.unit.plugins.module_utils._core.fake_server import FakeServer

CONTAINER = "xinference-accounts-contract"
#: Servers with it give each name of a key once.
UNIQUE = "GET /v1/auth/me"
PASSWORDS = {"first": "first-password", "second": "second-password"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server of its own: tokens and keys that do not work any more are counted, and this address would be banned on the other one."""
    lasting = {name: value for name, value in ENVIRONMENT.items() if name != "XINFERENCE_ACCESS_TOKEN_EXPIRE_MINUTES"}
    with serving(tmp_path_factory.mktemp("xinference-home"), lasting, CONTAINER) as running:
        yield running


@pytest.fixture(scope="module")
def client(server: Server) -> Iterator[Client]:
    """A client that is logged in, where the server has accounts."""
    connected = Client(server.endpoint, **server.credentials)
    yield connected
    connected.close()


@pytest.fixture(scope="module", autouse=True)
def _accounts(server: Server, client: Client) -> None:
    """A server without accounts, or before 3.0, has one thing to say."""
    if server.accounts and not VERSION.startswith("2."):
        return
    for call in (lambda: read(client, Account("app")), lambda: read_key(client, ApiKey("app"))):
        with pytest.raises(XinferenceError) as raised:
            call()
        assert str(raised.value) == NO_ACCOUNTS
    pytest.skip(f"this server has no accounts that can be managed, and the core says so: {NO_ACCOUNTS}")


# The fake server.


def play(client: Any) -> dict[str, Any]:
    """The calls, in an order that shows each state."""
    on = Play(client, time.sleep, lambda call, _poll: call())

    def row(rows: list[dict[str, Any]] | None, field: str, name: str) -> dict[str, Any]:
        (found,) = [each for each in rows or [] if each[field] == name]
        return found

    on.step("shortest password", client.shortest_password)
    on.step("own account", lambda: row(client.accounts(), "username", USERNAME))
    on.step("create", lambda: client.create_account("played", PASSWORDS["first"], ["models:list"]))
    on.step("create again", lambda: client.create_account("played", PASSWORDS["first"], []))
    on.step("create with a short password", lambda: client.create_account("other", "short", []))
    account = row(client.accounts(), "username", "played")["id"]
    on.step("first password", lambda: client.accepts("played", PASSWORDS["first"]))
    on.step("second password", lambda: client.accepts("played", PASSWORDS["second"]))
    on.step("set a password", lambda: client.set_account_password(account, PASSWORDS["second"]))
    on.step("set a short password", lambda: client.set_account_password(account, "short"))
    on.step("first password afterwards", lambda: client.accepts("played", PASSWORDS["first"]))
    on.step("second password afterwards", lambda: client.accepts("played", PASSWORDS["second"]))
    on.step("permissions", lambda: client.update_account(account, {"permissions": ["models:read", "nonsense"]}))
    on.step("disable", lambda: client.update_account(account, {"enabled": False}))
    on.step("password of a disabled account", lambda: client.accepts("played", PASSWORDS["second"]))
    on.step("account", lambda: row(client.accounts(), "username", "played"))
    on.step("permissions of an account", lambda: sorted(row(client.accounts(), "username", "played")["permissions"]))
    on.step("change unknown", lambda: client.update_account(999, {"enabled": True}))
    on.step("password of unknown", lambda: client.set_account_password(999, PASSWORDS["first"]))
    on.step("remove unknown", lambda: client.remove_account(999))

    on.step("keys of an empty server", client.keys)
    on.step("make a key", lambda: client.create_key({"name": "one", "owner": account, "description": "Played", "expires_at": "2037-01-31T12:00:00"}))
    on.step("make a key of that name", lambda: client.create_key({"name": "ONE"}))
    for found in client.keys() or []:
        if found["name"] == "ONE":
            client.remove_key(found["id"])
    key = row(client.keys(), "name", "one")["id"]
    on.step("key", lambda: row(client.keys(), "name", "one"))
    on.step("models of a key", lambda: [each["permission_type"] for each in row(client.keys(), "name", "one")["model_permissions"]])
    on.step("reveal", lambda: client.reveal_key(key).startswith("xf-"))
    chosen = [{"permission_type": "model_id", "permission_value": "chat"}]
    on.step("change a key", lambda: client.update_key(key, {"enabled": False, "expires_at": None, "model_permissions": chosen}))
    on.step("changed key", lambda: {**row(client.keys(), "name", "one"), "created_at": "", "id": 0})
    on.step("rename", lambda: client.update_key(key, {"name": "two"}))
    on.step("change an unknown key", lambda: client.update_key(999, {"enabled": True}))
    on.step("remove an unknown key", lambda: client.remove_key(999))
    on.step("reveal an unknown key", lambda: client.reveal_key(999))
    on.step("remove", lambda: client.remove_account(account))
    on.step("keys after their owner", client.keys)
    on.step("password after removal", lambda: client.accepts("played", PASSWORDS["second"]))
    return on.answers


@pytest.fixture(scope="module")
def unique(client: Client) -> bool:
    """Whether the server gives each name of a key once."""
    return UNIQUE in client.routes()


@pytest.fixture(scope="module")
def real(client: Client) -> dict[str, Any]:
    """What the real server answered."""
    return play(client)


@pytest.fixture(scope="module")
def fake(unique: bool) -> dict[str, Any]:
    """What the fake server answers."""
    return play(FakeServer(with_unique_keys=unique))


def test_the_fake_server_answers_in_the_same_shape(real: dict[str, Any], fake: dict[str, Any]) -> None:
    # What the administrator of this test may do was written by another program.
    assert {step: shape(answer) for step, answer in fake.items()} == {step: shape(answer) for step, answer in real.items()}


def test_the_fake_server_has_the_same_words_and_verdicts(real: dict[str, Any], fake: dict[str, Any]) -> None:
    def plain(answers: dict[str, Any]) -> dict[str, Any]:
        return {step: answer for step, answer in answers.items() if isinstance(answer, (bool, list)) or answer is None or "error" in str(answer)}

    assert plain(fake) == plain(real)
    assert real["create again"] == refusal(409, "User already exists")
    assert real["password of a disabled account"] is False
    assert real["permissions of an account"] == ["models:read", "nonsense"]


def test_a_name_of_a_key_is_given_once_since_it_must_be_there(real: dict[str, Any], unique: bool) -> None:
    assert (real["make a key of that name"] == refusal(409, "API key name already exists")) is unique


# Accounts.


def ensure(client: Client, name: str = "app", **declared: Any) -> AccountChange:
    """Apply a declaration, and see that a second run changes nothing."""
    wanted = Account(name, **declared)
    change = plan_account(wanted, read(client, wanted))
    apply_account(client, change)
    assert not plan_account(wanted, read(client, wanted)).changed
    return change


@pytest.fixture
def app(client: Client) -> Any:
    """The account that a test makes, gone afterwards."""
    yield lambda **declared: ensure(client, **declared)
    ensure(client, state="absent")


def session(server: Server, password: str, name: str = "app") -> requests.Response:
    """A login."""
    return ask(server, "POST", "/token", json={"username": name, "password": password})


def bearer(token: str) -> dict[str, Any]:
    """The options of a request with a token or a key."""
    return {"headers": {"Authorization": f"Bearer {token}"}}


def test_an_account_may_do_what_is_declared_and_nothing_else(server: Server, app: Callable[..., AccountChange]) -> None:
    assert app(password="first-password", permissions=["models:list"]).kind == "created"
    token = bearer(session(server, "first-password").json()["access_token"])
    assert ask(server, "GET", "/v1/models", **token).status_code == 200
    assert ask(server, "GET", "/v1/cache/models", **token).status_code == 403
    assert app(permissions=["cache:list"]).fields == ["permissions"]
    # At once, for a token that was given before.
    assert ask(server, "GET", "/v1/models", **token).status_code == 403
    assert ask(server, "GET", "/v1/cache/models", **token).status_code == 200


def test_every_scope_is_taken(app: Callable[..., AccountChange]) -> None:
    app(password="first-password", permissions=list(SCOPES))


def test_a_changed_password_ends_what_the_old_one_opened(server: Server, app: Callable[..., AccountChange]) -> None:
    app(password="first-password", permissions=["models:list"])
    token = bearer(session(server, "first-password").json()["access_token"])
    assert app(password="second-password").fields == ["password"]
    assert session(server, "first-password").status_code == 401
    assert session(server, "second-password").status_code == 200
    assert ask(server, "GET", "/v1/models", **token).status_code == 401
    assert not app(password="third-password", renew=False).changed


def test_a_long_password_is_compared_as_a_whole(app: Callable[..., AccountChange]) -> None:
    app(password="ä" * 100)
    assert app(password="ä" * 101).fields == ["password"]


def test_a_disabled_account_can_do_nothing_and_gets_its_password_before_it_is_enabled(server: Server, app: Callable[..., AccountChange]) -> None:
    app(password="first-password", permissions=["models:list"])
    token = bearer(session(server, "first-password").json()["access_token"])
    assert app(enabled=False).fields == ["enabled"]
    assert session(server, "first-password").status_code == 401
    assert ask(server, "GET", "/v1/models", **token).status_code == 401
    assert app(enabled=True, password="second-password").fields == ["enabled", "password"]
    assert session(server, "first-password").status_code == 401
    assert session(server, "second-password").status_code == 200


def test_an_account_that_is_made_disabled_is(server: Server, app: Callable[..., AccountChange]) -> None:
    assert app(password="first-password", permissions=["models:list"], enabled=False).kind == "created"
    assert session(server, "first-password").status_code == 401


def test_an_account_that_was_removed_cannot_log_in(server: Server, app: Callable[..., AccountChange]) -> None:
    app(password="first-password")
    assert app(state="absent").kind == "removed"
    assert session(server, "first-password").status_code == 401


def test_who_changes_the_own_password_stays_logged_in_and_cannot_be_locked_out(server: Server, app: Callable[..., AccountChange]) -> None:
    app(password="first-password", permissions=["admin"])
    own = Client(server.endpoint, username="app", password="first-password")
    change = ensure(own, password="second-password", permissions=["admin", "models:list"])
    assert change.fields == ["permissions", "password"]
    assert change.notes
    assert own.list_models() == {}
    for refused in ({"state": "absent"}, {"enabled": False}, {"permissions": ["models:list"]}):
        with pytest.raises(DeclarationError, match="'app' is the account that this module logs in with"):
            ensure(own, **refused)
    own.close()


def test_who_manages_accounts_may_not_grant_more_than_there_is(server: Server, app: Callable[..., AccountChange]) -> None:
    app(password="first-password", permissions=["users:manage", "models:list"])
    manager = Client(server.endpoint, username="app", password="first-password")
    with pytest.raises(AuthenticationError) as raised:
        ensure(manager, "other", password="first-password", permissions=["admin"])
    assert (raised.value.status, raised.value.detail) == (403, "Cannot grant permissions you do not hold: ['admin']")
    with pytest.raises(DeclarationError, match="'admin' is the last enabled administrator"):
        ensure(manager, USERNAME, state="absent")
    manager.close()


def test_tries_of_wrong_passwords_ban_nobody(client: Client) -> None:
    assert [client.accepts(USERNAME, "wrong-password") for _try in range(12)] == [False] * 12
    assert client.accounts()


# API keys.


def ensure_key(client: Client, name: str = "key", **declared: Any) -> tuple[KeyChange, KeyOutcome]:
    """Apply a declaration, and see that a second run changes nothing."""
    wanted = ApiKey(name, **declared)

    def plan(wanted: ApiKey) -> KeyChange:
        return plan_key(wanted, read_key(client, wanted), datetime.now(timezone.utc).replace(tzinfo=None))

    change = plan(wanted)
    outcome = apply_key(client, change)
    again = plan(ApiKey(name, **{**declared, "rotate": False}))
    assert not again.changed
    assert again.key == outcome.key
    return change, outcome


@pytest.fixture
def key(client: Client) -> Any:
    """The key that a test makes, gone afterwards."""
    yield lambda **declared: ensure_key(client, **declared)
    ensure_key(client, state="absent")


def made(key: Callable[..., Any], **declared: Any) -> str:
    """A new key itself."""
    _change, outcome = key(**declared)
    assert outcome.secret is not None
    return str(outcome.secret)


def chat(server: Server, secret: str, model: str = "chat", route: str = "chat/completions") -> requests.Response:
    """A request of inference; without any model on the server."""
    question = {"messages": [{"role": "user", "content": "Hello"}]} if route == "chat/completions" else {"input": "Hello"}
    return ask(server, "POST", f"/v1/{route}", json={"model": model, **question}, **bearer(secret))


def denied(answer: requests.Response, model: str = "chat") -> bool:
    """Whether a key may not ask a model."""
    return (answer.status_code, answer.json().get("detail")) == (403, f"API key does not have access to model: {model}")


def test_a_key_works_within_its_scope(server: Server, key: Callable[..., Any]) -> None:
    secret = made(key, models=["chat"])
    assert ask(server, "GET", "/v1/models", **bearer(secret)).status_code == 200
    assert not denied(chat(server, secret))
    assert denied(chat(server, secret, "other"), "other")
    words = "API keys can only access model query and inference endpoints"
    launched = ask(server, "POST", "/v1/models", json={"model_name": "x"}, **bearer(secret))
    assert (launched.status_code, launched.json()["detail"]) == (403, words)
    change, _outcome = key(models=[], model_types=["embedding"])
    assert sorted(change.drift) == ["model_types", "models"]
    assert denied(chat(server, secret))
    assert not denied(chat(server, secret, route="embeddings"))
    key(models=["*"])
    assert not denied(chat(server, secret))
    assert not denied(chat(server, secret, "other"), "other")


def test_a_disabled_key_is_refused_and_an_enabled_one_is_not(server: Server, key: Callable[..., Any]) -> None:
    secret = made(key, enabled=False)
    refused = ask(server, "GET", "/v1/models", **bearer(secret))
    assert (refused.status_code, refused.json()["detail"]) == (401, "API key is disabled")
    assert key(enabled=True)[0].kind == "updated"
    assert ask(server, "GET", "/v1/models", **bearer(secret)).status_code == 200


def test_a_key_expires_and_lives_again(server: Server, key: Callable[..., Any]) -> None:
    end = datetime.now(timezone.utc) + timedelta(seconds=4)
    secret = made(key, expires_at=end.astimezone(timezone(timedelta(hours=2))).isoformat())
    # A busy machine may need longer until it asks: then with more time.
    while (answered := ask(server, "GET", "/v1/models", **bearer(secret)).status_code) != 200 and datetime.now(timezone.utc) > end:
        end = datetime.now(timezone.utc) + 2 * (datetime.now(timezone.utc) - end) + timedelta(seconds=8)
        key(expires_at=end.isoformat())
    assert answered == 200
    time.sleep(max((end - datetime.now(timezone.utc)).total_seconds(), 0) + 0.5)
    refused = ask(server, "GET", "/v1/models", **bearer(secret))
    assert (refused.status_code, refused.json()["detail"]) == (401, "API key has expired")
    # Declared again, it is what it should be.
    assert not key(expires_at=end.isoformat())[0].changed
    assert key(expires_at="never")[0].kind == "updated"
    assert ask(server, "GET", "/v1/models", **bearer(secret)).status_code == 200


def test_why_a_time_is_sent_without_its_offset(server: Server, client: Client, key: Callable[..., Any]) -> None:
    """What the server takes, and then breaks on, or never reads; the next run corrects it."""
    secret = made(key)
    number = read_key(client, ApiKey("key")).found[0]["id"]
    client.update_key(number, {"expires_at": "2037-01-31T12:00:00Z"})
    assert ask(server, "GET", "/v1/models", **bearer(secret)).status_code == 500
    assert key(expires_at="2037-01-31T12:00:00Z")[0].kind == "updated"
    assert ask(server, "GET", "/v1/models", **bearer(secret)).status_code == 200
    client.update_key(number, {"expires_at": "tomorrow"})
    assert ask(server, "GET", "/v1/models", **bearer(secret)).status_code == 200


def test_a_removed_key_and_a_rotated_one_are_refused(server: Server, client: Client, key: Callable[..., Any]) -> None:
    first = made(key, models=["chat"], description="Kept")
    change, outcome = key(rotate=True)
    assert (change.kind, outcome.key["models"], outcome.key["description"]) == ("rotated", ["chat"], "Kept")
    assert ask(server, "GET", "/v1/models", **bearer(str(outcome.secret))).status_code == 200
    assert ask(server, "GET", "/v1/models", **bearer(first)).status_code == 401
    assert [row["name"] for row in client.keys() or []] == ["key"]
    key(state="absent")
    assert ask(server, "GET", "/v1/models", **bearer(str(outcome.secret))).status_code == 401


def test_a_key_belongs_to_its_owner(server: Server, client: Client, app: Callable[..., AccountChange], key: Callable[..., Any]) -> None:
    app(password="first-password", permissions=["models:list"])
    _change, outcome = ensure_key(client, owner="app")
    # Its name is taken, on a server that gives it once; the module keeps to that on all of them.
    with pytest.raises(DeclarationError, match="name 'key' is taken by the key 'key' of 'app'"):
        key()
    assert ask(server, "GET", "/v1/models", **bearer(str(outcome.secret))).status_code == 200
    app(enabled=False)
    assert ask(server, "GET", "/v1/models", **bearer(str(outcome.secret))).status_code == 401
    app(enabled=True)
    assert ask(server, "GET", "/v1/models", **bearer(str(outcome.secret))).status_code == 200
    app(state="absent")
    assert client.keys() == []


def test_a_file_holds_the_key(server: Server, key: Callable[..., Any], tmp_path: Path) -> None:
    path = tmp_path / "folder" / "key"
    _change, outcome = key(path=str(path))
    assert outcome.secret is None
    assert oct(path.stat().st_mode & 0o777) == "0o600"
    secret = path.read_text(encoding="utf-8").strip()
    assert ask(server, "GET", "/v1/models", **bearer(secret)).status_code == 200
    path.unlink()
    assert key(path=str(path))[0].kind == "updated"
    assert path.read_text(encoding="utf-8").strip() == secret
    key(path=str(path), rotate=True)
    again = path.read_text(encoding="utf-8").strip()
    assert again != secret
    assert ask(server, "GET", "/v1/models", **bearer(again)).status_code == 200


def test_who_may_only_manage_own_keys_needs_no_more(server: Server, app: Callable[..., AccountChange]) -> None:
    app(password="first-password", permissions=["keys:create", "keys:manage"])
    manager = Client(server.endpoint, username="app", password="first-password")
    change, _outcome = ensure_key(manager, "own")
    assert change.kind == "created"
    assert ensure_key(manager, "own", state="absent")[0].kind == "removed"
    with pytest.raises(ApiError) as raised:
        ensure_key(manager, "other", owner=USERNAME)
    assert raised.value.status == 403
    manager.close()
