# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One account: what is done about it, in which order, and who can never be locked out."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.inferops.xinference.plugins.module_utils._core.base.errors import ApiError, AuthenticationError, DeclarationError, XinferenceError
from ansible_collections.inferops.xinference.plugins.module_utils._core.resources.users import (
    FORMER_SCOPES,
    NO_ACCOUNTS,
    SCOPES,
    Account,
    AccountChange,
    apply_account,
    check,
    other_login,
    plan_account,
    read,
)
from ansible_collections.inferops.xinference.tests.unit.plugins.module_utils._core.fake_server import FakeServer

APP: dict[str, Any] = {"password": "app-password", "permissions": ["models:list"]}


def plan(server: FakeServer, name: str = "app", **declared: Any) -> AccountChange:
    """What would be done."""
    wanted = Account(name, **declared)
    return plan_account(wanted, read(server, wanted))


def ensure(server: FakeServer, name: str = "app", **declared: Any) -> AccountChange:
    """Do it, and see that a second run changes nothing."""
    change = plan(server, name, **declared)
    server.calls.clear()
    apply_account(server, change)
    assert not plan(server, name, **declared).changed
    return change


def people(server: FakeServer) -> dict[str, tuple[str, bool, list[str]]]:
    """Name → password, enabled and permissions."""
    return {row["username"]: (row["password"], row["enabled"], sorted(row["permissions"])) for row in server.people.values()}


def writes(server: FakeServer) -> list[str]:
    """Names of the writing calls."""
    return [name for name, _argument in server.writes()]


# What is done.


def test_an_account_is_made_as_declared() -> None:
    server = FakeServer()
    change = ensure(server, password="app-password", permissions=["models:read", "models:list", "models:read"])
    assert people(server)["app"] == ("app-password", True, ["models:list", "models:read"])
    assert change.side("before") == {"state": "absent"}
    assert change.side("after") == {"state": "present", "name": "app", "enabled": True, "permissions": ["models:list", "models:read"]}
    assert (change.kind, change.fields) == ("created", [])


def test_a_disabled_account_is_made_without_rights_first() -> None:
    server = FakeServer()
    ensure(server, **APP, enabled=False)
    assert [argument for _name, argument in server.writes()] == [("app", "app-password", []), (2, {"enabled": False}), (2, {"permissions": ["models:list"]})]
    assert people(server)["app"] == ("app-password", False, ["models:list"])


def test_what_is_not_declared_is_left() -> None:
    server = FakeServer()
    server.account("app", "other-password", "models:list", enabled=False)
    server.account("bob", "bob-password", "cache:list")
    assert not plan(server).changed
    ensure(server, permissions=[])
    assert people(server)["app"] == ("other-password", False, [])
    assert people(server)["bob"] == ("bob-password", True, ["cache:list"])


def test_only_what_differs_is_changed() -> None:
    server = FakeServer()
    server.account("app", "app-password", "models:list", "nonsense")
    change = ensure(server, **APP)
    assert (change.kind, change.fields, writes(server)) == ("updated", ["permissions"], ["update_account"])
    assert change.side("before") == {"state": "present", "name": "app", "permissions": ["models:list", "nonsense"]}
    assert change.side("after") == {"state": "present", "name": "app", "permissions": ["models:list"]}


def test_a_password_is_tried_once_and_set_only_when_it_does_not_work() -> None:
    server = FakeServer()
    server.account("app", "other-password", "models:list")
    change = plan(server, **APP)
    assert (change.fields, server.tried) == (["password"], [("app", "app-password")])
    assert "app-password" not in str((change, change.side("before"), change.side("after"), change.account, change.notes))
    ensure(server, **APP)
    assert writes(server) == ["set_account_password"]
    server.tried.clear()
    assert not plan(server, **APP).changed
    assert server.tried == [("app", "app-password")]


def test_a_password_for_new_accounts_only_is_neither_tried_nor_set() -> None:
    server = FakeServer()
    server.account("app", "other-password", "models:list")
    assert not plan(server, **APP, renew=False).changed
    assert server.tried == []
    ensure(FakeServer(), **APP, renew=False)


def test_an_account_is_disabled_before_anything_else_and_enabled_after_everything_else() -> None:
    server = FakeServer()
    server.account("app", "other-password", "models:list")
    ensure(server, password="app-password", permissions=["models:read"], enabled=False)
    assert [argument[1] for _name, argument in server.writes()] == [{"enabled": False}, {"permissions": ["models:read"]}, "app-password"]
    # The password of a disabled account is not known, so it is not compared …
    assert not plan(server, password="new-password").changed
    change = ensure(server, password="new-password", permissions=["models:list"], enabled=True)
    # … and set before anybody could use an old one.
    assert [argument[1] for _name, argument in server.writes()] == [{"permissions": ["models:list"]}, "new-password", {"enabled": True}]
    assert change.fields == ["enabled", "permissions", "password"]


def test_an_account_is_removed() -> None:
    server = FakeServer()
    server.account("app", "app-password", "models:list")
    change = ensure(server, state="absent")
    assert change.side("before") == {"state": "present", "name": "app", "enabled": True, "permissions": ["models:list"]}
    assert (change.side("after"), change.account) == ({"state": "absent"}, None)
    assert set(people(server)) == {"admin"}


def test_an_account_of_an_identity_provider_is_another_one() -> None:
    server = FakeServer()
    server.account("app", "", "models:list", source="oidc")
    assert not plan(server, state="absent").changed
    assert plan(server, **APP).kind == "created"


def test_the_own_password_is_changed_last_and_used_from_then_on() -> None:
    server = FakeServer()
    change = ensure(server, "admin", password="new-password", permissions=["admin", "models:list"])
    assert [name for name, _argument in server.calls if name in ("update_account", "set_account_password", "use_password")] == [
        "update_account",
        "set_account_password",
        "use_password",
    ]
    (note,) = change.notes
    assert note == "The password of 'admin' was the one that this module logs in with; from now on, log in with the new one."


@pytest.mark.parametrize(
    ("declared", "username", "status", "password"),
    [
        ({"password": "new-password"}, "admin", 401, "new-password"),
        ({"password": "new-password"}, "other", 401, None),
        ({"password": "new-password"}, "admin", 429, None),
        ({"password": "new-password", "renew": False}, "admin", 401, None),
        ({"password": "new-password", "state": "absent"}, "admin", 401, None),
        ({}, "admin", 401, None),
    ],
)
def test_when_another_password_is_logged_in_with(declared: dict[str, Any], username: str, status: int, password: str | None) -> None:
    assert other_login(Account("admin", **declared), username, AuthenticationError("POST", "http://x", status, "no")) == password


# Nobody is locked out.

OWN = "'admin' is the account that this module logs in with, and"
LAST = "'boss' is the last enabled administrator of this server, and"


@pytest.mark.parametrize(
    ("declared", "words"),
    [
        ({"state": "absent"}, "cannot be removed;"),
        ({"enabled": False}, "cannot be disabled;"),
        ({"permissions": ["models:list"]}, "cannot lose the permission 'admin';"),
        ({"permissions": []}, "cannot lose the permission 'admin';"),
    ],
)
def test_neither_the_own_account_nor_the_last_administrator_can_be_lost(declared: dict[str, Any], words: str) -> None:
    server = FakeServer()
    server.account("second", "second-password", "admin")
    with pytest.raises(DeclarationError) as own:
        plan(server, "admin", **declared)
    assert str(own.value) == f"{OWN} {words} log in with another administrator for that."
    # An account that manages accounts without being an administrator.
    server = FakeServer()
    server.people[1]["permissions"] = ["users:manage"]
    server.account("boss", "boss-password", "admin")
    server.account("asleep", "asleep-password", "admin", enabled=False)
    with pytest.raises(DeclarationError) as last:
        plan(server, "boss", **declared)
    assert str(last.value) == f"{LAST} {words} make another one first."
    server.account("third", "third-password", "admin")
    assert plan(server, "boss", **declared).changed


def test_who_manages_accounts_cannot_lose_that_right() -> None:
    server = FakeServer()
    server.people[1]["permissions"] = ["users:manage", "models:list"]
    with pytest.raises(DeclarationError, match=f"{OWN} cannot lose the permission 'users:manage'"):
        plan(server, "admin", permissions=["models:list"])
    assert plan(server, "admin", permissions=["users:manage"]).fields == ["permissions"]
    # An administrator needs no other right.
    server.people[1]["permissions"] = ["admin", "users:manage"]
    assert plan(server, "admin", permissions=["admin"]).fields == ["permissions"]


def test_an_administrator_who_is_disabled_can_go() -> None:
    server = FakeServer()
    server.account("old", "old-password", "admin", enabled=False)
    assert ensure(server, "old", state="absent").kind == "removed"


# Mistakes.


@pytest.mark.parametrize(
    ("declared", "words"),
    [
        ({"permissions": ["model:list"]}, f"permissions 'model:list' is unknown; did you mean 'models:list'?; allowed: {', '.join(SCOPES)}."),
        ({"permissions": ["Admin"]}, "permissions 'Admin' is unknown; did you mean 'admin'?"),
        ({"permissions": ["models:start"]}, "permissions 'models:start' is a name of servers before 3.0; write 'models:write'."),
        ({"password": ""}, "account_password of 'app' is empty or holds something that is no character; it must be a text."),
        ({"password": "\ud800secret"}, "account_password of 'app' is empty or holds something that is no character; it must be a text."),
    ],
)
def test_mistakes_are_one_sentence(declared: dict[str, Any], words: str) -> None:
    (problem,) = check(Account("app", **declared))
    assert problem.startswith(words)
    assert "secret" not in problem
    assert check(Account("app", "absent", **declared)) == []


@pytest.mark.parametrize("name", ["", " ", "app ", "\tapp", "a\ud800"])
def test_a_name_that_nobody_means_is_refused(name: str) -> None:
    assert len(check(Account(name))) == len(check(Account(name, "absent"))) == 1


def test_every_known_scope_is_allowed_and_former_ones_are_translated() -> None:
    assert check(Account("app", permissions=SCOPES)) == []
    assert set(FORMER_SCOPES.values()) <= set(SCOPES)


@pytest.mark.parametrize(
    ("declared", "words"),
    [
        ({}, "account_password is missing; there is no account 'app' yet, and a new one needs a password."),
        ({"password": "short"}, "account_password of 'app' is too short; this server asks for at least 8 characters."),
    ],
)
def test_what_a_new_account_needs(declared: dict[str, Any], words: str) -> None:
    with pytest.raises(DeclarationError) as raised:
        plan(FakeServer(allowed=frozenset()), **declared)
    assert str(raised.value) == words


def test_a_server_without_accounts_is_one_sentence() -> None:
    with pytest.raises(XinferenceError) as raised:
        plan(FakeServer(with_accounts=False), **APP)
    assert str(raised.value) == NO_ACCOUNTS


# Races and refusals.


def test_the_same_account_made_by_another_client_is_no_error_and_another_one_is() -> None:
    for others, same in (("app-password", True), ("other-password", False)):
        server = FakeServer()
        change = plan(server, **APP)
        server.account("app", others, "models:list")
        if same:
            apply_account(server, change)
            continue
        with pytest.raises(ApiError) as raised:
            apply_account(server, change)
        assert (raised.value.status, raised.value.detail) == (409, "User already exists")


def test_an_account_that_another_client_removed_is_gone() -> None:
    server = FakeServer()
    number = server.account("app", "app-password")
    change = plan(server, state="absent")
    del server.people[number]
    apply_account(server, change)


def test_what_the_server_refuses_is_its_own_sentence() -> None:
    server = FakeServer()
    server.account("app", "app-password")
    for state in ("absent", "present"):
        server.fail_next("remove_account", AuthenticationError("DELETE", "http://x", 403, "Non-admin cannot perform this action on an admin user"))
        server.fail_next("update_account", AuthenticationError("PUT", "http://x", 403, "Non-admin cannot perform this action on an admin user"))
        with pytest.raises(AuthenticationError, match="answered 403: Non-admin cannot perform this action on an admin user"):
            apply_account(server, plan(server, state=state, permissions=["models:list"]))
