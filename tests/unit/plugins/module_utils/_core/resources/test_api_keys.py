# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One API key: what is done about it, and that a key which is replaced works until the new one is kept."""

from __future__ import annotations

import os
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.inferops.xinference.plugins.module_utils._core.base.errors import ApiError, DeclarationError, XinferenceError
from ansible_collections.inferops.xinference.plugins.module_utils._core.resources.api_key_changes import apply_key
from ansible_collections.inferops.xinference.plugins.module_utils._core.resources.api_keys import ApiKey, KeyChange, KeyOutcome, check, plan_key, read
from ansible_collections.inferops.xinference.plugins.module_utils._core.resources.users import NO_ACCOUNTS
from ansible_collections.inferops.xinference.tests.unit.plugins.module_utils._core.fake_server import FakeServer

NOW = datetime(2027, 1, 1, 12, 0, 0)
BROKEN = ApiError("POST", "http://x", 500, "broken")


def plan(server: FakeServer, name: str = "key", **declared: Any) -> KeyChange:
    """What would be done."""
    wanted = ApiKey(name, **declared)
    return plan_key(wanted, read(server, wanted), NOW)


def ensure(server: FakeServer, name: str = "key", **declared: Any) -> tuple[KeyChange, KeyOutcome]:
    """Do it, and see that a second run changes nothing and predicts the same key."""
    change = plan(server, name, **declared)
    server.calls.clear()
    outcome = apply_key(server, change)
    again = plan(server, name, **{**declared, "rotate": False})
    assert not again.changed
    assert again.key == outcome.key
    return change, outcome


def keys(server: FakeServer) -> dict[str, str]:
    """Name → the key itself."""
    return {row["name"]: row["key"] for row in server.api_keys.values()}


# What is done.


def test_a_key_is_made_for_all_models_where_nothing_is_declared() -> None:
    server = FakeServer()
    change, outcome = ensure(server)
    assert outcome.secret == keys(server)["key"]
    assert outcome.key == {
        "id": 1,
        "name": "key",
        "owner": "admin",
        "prefix": "xf-0001",
        "description": None,
        "enabled": True,
        "expires_at": None,
        "models": ["*"],
        "model_types": [],
    }
    assert change.side("before") == {"state": "absent"}
    assert change.side("after") == {"state": "present", **{name: value for name, value in outcome.key.items() if name not in ("id", "prefix")}}
    assert str(outcome.secret) not in str((change, outcome))


def test_a_key_is_made_as_declared() -> None:
    server = FakeServer()
    number = server.account("app", "app-password")
    declared: dict[str, Any] = {
        "description": "Shop",
        "models": ["b", "a"],
        "model_types": ["LLM"],
        "expires_at": "2027-12-31T02:00:00+02:00",
        "enabled": False,
        "owner": "app",
    }
    _change, outcome = ensure(server, **declared)
    assert outcome.key is not None
    assert (outcome.key["models"], outcome.key["model_types"], outcome.key["expires_at"]) == (["a", "b"], ["LLM"], "2027-12-31T00:00:00")
    row = server.api_keys[1]
    assert (row["user_id"], row["enabled"], row["description"], row["expires_at"]) == (number, False, "Shop", "2027-12-31T00:00:00")
    assert {(each["permission_type"], each["permission_value"]) for each in row["model_permissions"]} == {
        ("model_id", "a"),
        ("model_id", "b"),
        ("model_type", "LLM"),
    }


def test_what_is_not_declared_is_left() -> None:
    server = FakeServer()
    ensure(server, description="Shop", models=["chat"], expires_at="2027-12-31", enabled=False)
    server.calls.clear()
    assert not plan(server).changed
    assert server.writes() == []


@pytest.mark.parametrize(
    ("declared", "sent"),
    [
        ({"description": "Other"}, {"description": "Other"}),
        ({"description": ""}, {"description": ""}),
        ({"enabled": False}, {"enabled": False}),
        ({"expires_at": "never"}, {"expires_at": None}),
        ({"expires_at": "2028-01-01"}, {"expires_at": "2028-01-01T00:00:00"}),
        ({"models": ["*"]}, {"model_permissions": [{"permission_type": "all", "permission_value": None}]}),
        ({"model_types": ["rerank"]}, {"model_permissions": [{"permission_type": "model_type", "permission_value": "rerank"}]}),
    ],
)
def test_only_what_differs_is_changed(declared: dict[str, Any], sent: dict[str, Any]) -> None:
    server = FakeServer()
    _change, first = ensure(server, description="Shop", models=["chat"], expires_at="2027-12-31")
    change, outcome = ensure(server, **declared)
    assert server.writes() == [("update_key", (1, sent))]
    assert (change.kind, outcome.secret) == ("updated", None)
    assert keys(server)["key"] == first.secret
    assert set(change.side("before")) == set(change.side("after")) == {"state", "name", "owner", *change.drift}


def test_an_expired_key_is_as_declared_and_cannot_be_made() -> None:
    server = FakeServer()
    server.create_key({"name": "key", "expires_at": "2026-12-31T00:00:00"})
    assert not plan(server, expires_at="2026-12-31").changed
    for declared in ({"rotate": True}, {"name": "other", "expires_at": "2026-12-31"}):
        with pytest.raises(DeclarationError) as raised:
            plan(server, **declared)
        assert str(raised.value) == "expires_at 2026-12-31T00:00:00Z has passed, so a key that is made now would never work; declare a later time, or never."
    assert plan(server, rotate=True, expires_at="never").kind == "rotated"


@pytest.mark.parametrize("stored", ["2027-12-31T00:00:00Z", "2027-12-31T00:00:00+00:00", "tomorrow", None])
def test_an_expiry_that_the_server_breaks_on_is_put_right(stored: str | None) -> None:
    server = FakeServer()
    server.create_key({"name": "key", "expires_at": stored})
    change, _outcome = ensure(server, expires_at="2027-12-31T00:00:00Z")
    assert change.drift == {"expires_at": {"declared": "2027-12-31T00:00:00", "running": stored}}


def test_every_key_of_that_name_is_removed() -> None:
    server = FakeServer(with_unique_keys=False)
    for name in ("key", "key", "Key"):
        server.create_key({"name": name})
    with pytest.raises(DeclarationError, match=r"name 'key' is that of 2 keys of 'admin' \(numbers 1, 2\); remove or rename all but one"):
        plan(server)
    change, outcome = ensure(server, state="absent")
    assert (change.kind, outcome.key, list(keys(server))) == ("removed", None, ["Key"])
    assert change.side("after") == {"state": "absent"}


def test_a_name_is_given_once() -> None:
    server = FakeServer()
    server.account("app", "app-password")
    ensure(server, owner="app")
    for name in ("key", "KEY"):
        with pytest.raises(DeclarationError) as raised:
            plan(server, name)
        assert str(raised.value) == f"name '{name}' is taken by the key 'key' of 'app'; choose another name, or declare that owner."
    assert not plan(server, state="absent").changed


def test_an_owner_that_is_not_there() -> None:
    server = FakeServer()
    server.account("app", "app-password")
    with pytest.raises(DeclarationError) as raised:
        plan(server, owner="ap")
    assert str(raised.value) == "owner 'ap' is no account of this server; did you mean 'app'?; make it first."
    assert not plan(server, owner="ap", state="absent").changed


def test_accounts_are_asked_for_the_sake_of_another_owner_only() -> None:
    server = FakeServer()
    ensure(server)
    ensure(server, owner="admin")
    assert "accounts" not in [name for name, _argument in server.calls]


# A new key in the place of an old one.


def test_a_key_is_rotated_with_all_that_is_not_declared() -> None:
    server = FakeServer()
    _change, first = ensure(server, models=["chat"], expires_at="2027-12-31", enabled=False)
    change, second = ensure(server, rotate=True, description="New")
    assert [name for name, _argument in server.writes()] == ["update_key", "create_key", "update_key", "remove_key"]
    assert (change.kind, keys(server)) == ("rotated", {"key": second.secret})
    assert first.secret != second.secret
    assert first.key is not None
    assert second.key == {**first.key, "id": 2, "prefix": "xf-0002", "description": "New"}
    assert change.side("before") == {"state": "present", "name": "key", "owner": "admin", "description": None, "key": "the old one"}
    assert change.side("after") == {"state": "present", "name": "key", "owner": "admin", "description": "New", "key": "a new one"}


def test_a_key_for_nothing_does_not_become_one_for_everything() -> None:
    server = FakeServer()
    ensure(server)
    server.update_key(1, {"model_permissions": []})
    ensure(server, rotate=True)
    assert [row["model_permissions"] for row in server.api_keys.values()] == [[]]


def test_rotating_a_key_that_is_not_there_makes_it() -> None:
    assert plan(FakeServer(), rotate=True).kind == "created"


@pytest.mark.parametrize("fails", ["create_key", "update_key", "remove_key"])
def test_whatever_fails_the_old_key_goes_on(fails: str) -> None:
    server = FakeServer()
    _change, first = ensure(server, enabled=False)
    change = plan(server, rotate=True)
    server.fail_next(fails, *([None, BROKEN] if fails == "update_key" else [BROKEN]))
    with pytest.raises(ApiError) as raised:
        apply_key(server, change)
    removed = "" if fails == "create_key" else "The new key was removed. "
    assert raised.value.detail == f"broken. {removed}The old one goes on as before."
    assert keys(server) == {"key": first.secret}


def test_when_undoing_fails_as_well_both_are_reported() -> None:
    server = FakeServer()
    ensure(server)
    server.fail_next("create_key", BROKEN)
    server.fail_next("update_key", None, ApiError("PUT", "http://x", 503, "away"))
    with pytest.raises(ApiError) as raised:
        apply_key(server, plan(server, rotate=True))
    assert raised.value.detail == "broken. Undoing it failed as well: PUT http://x answered 503: away"


# The file.


def test_a_file_gets_the_key_and_keeps_it(tmp_path: Path) -> None:
    server, path = FakeServer(), tmp_path / "folder/key"
    change, outcome = ensure(server, path=str(path))
    assert outcome.secret is None
    assert (path.read_text(), path.stat().st_mode & 0o777) == (keys(server)["key"] + "\n", 0o600)
    assert change.side("after")["path"] == f"the key, in {path}"
    ensure(server, path=str(path), rotate=True)
    assert path.read_text() == keys(server)["key"] + "\n"


@pytest.mark.parametrize("spoil", ["gone", "other", "open"])
def test_a_file_that_is_spoilt_is_written_again(tmp_path: Path, spoil: str) -> None:
    server, path = FakeServer(), tmp_path / "key"
    ensure(server, path=str(path))
    if spoil == "gone":
        path.unlink()
    elif spoil == "other":
        path.write_text("other\n")
    else:
        path.chmod(0o640)
    change, _outcome = ensure(server, path=str(path))
    assert (change.kind, change.drift, server.writes()) == ("updated", {}, [])
    assert (path.read_text(), path.stat().st_mode & 0o777) == (keys(server)["key"] + "\n", 0o600)


def test_a_key_that_the_server_does_not_return_stays_where_it_is_kept(tmp_path: Path) -> None:
    server, path = FakeServer(), tmp_path / "key"
    ensure(server, path=str(path))
    server.api_keys[1]["key"] = None
    assert not plan(server, path=str(path)).changed
    path.unlink()
    with pytest.raises(DeclarationError) as raised:
        plan(server, path=str(path))
    assert str(raised.value) == f"path '{path}' cannot get the key 'key', because the server does not return it any more; set rotate once for a new one."
    ensure(server, path=str(path), rotate=True)


def test_a_file_that_cannot_be_written_leaves_no_key_that_nobody_has(tmp_path: Path) -> None:
    server, path = FakeServer(), tmp_path / "file/key"
    change = plan(server, path=str(path))
    (tmp_path / "file").write_text("")
    with pytest.raises(XinferenceError) as raised:
        apply_key(server, change)
    assert str(raised.value).startswith(f"path '{path}' cannot be written: ")
    assert str(raised.value).endswith("The new key was removed.")
    assert keys(server) == {}


def test_an_old_key_that_cannot_be_removed_is_named_when_the_file_has_the_new_one(tmp_path: Path) -> None:
    server, path = FakeServer(), tmp_path / "key"
    ensure(server, path=str(path))
    server.fail_next("remove_key", BROKEN)
    with pytest.raises(ApiError) as raised:
        apply_key(server, plan(server, path=str(path), rotate=True))
    assert raised.value.detail == "broken. The new key is in its file; the old one still works, and is called 'key (replaced 1)' until the next run removes it."
    assert set(keys(server)) == {"key", "key (replaced 1)"}
    change, _outcome = ensure(server, path=str(path))
    assert (change.kind, change.side("before")["set aside"], change.side("after")["set aside"]) == ("updated", ["key (replaced 1)"], [])
    assert set(keys(server)) == {"key"}


class Killed(BaseException):
    """The end of a process, which cleans nothing up."""


@pytest.mark.parametrize("rotate", [False, True])
@pytest.mark.parametrize("passed", range(5))
def test_a_rotation_that_is_killed_leaves_a_key_that_works_and_no_second_one_after_the_next_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, passed: int, rotate: bool
) -> None:
    server, path = FakeServer(), tmp_path / "key"
    ensure(server, path=str(path))
    first = path.read_text().strip()
    begun = 0

    def kill(real: Any) -> Any:
        def call(*arguments: Any) -> Any:
            nonlocal begun
            begun += 1
            if begun > passed:
                raise Killed
            return real(*arguments)

        return call

    with monkeypatch.context() as patch:
        for name in ("update_key", "create_key", "remove_key"):
            patch.setattr(server, name, kill(getattr(server, name)))
        try:
            apply_key(server, plan(server, path=str(path), rotate=True))
        except Killed:
            assert passed < 3
    assert path.read_text().strip() in keys(server).values()
    apply_key(server, plan(server, path=str(path), rotate=rotate))
    assert set(keys(server)) == {"key"}
    assert path.read_text() == keys(server)["key"] + "\n"
    # Before its first call, nothing had begun.
    assert (first in keys(server).values()) is (passed == 0 and not rotate)
    assert not plan(server, path=str(path)).changed


def test_where_nobody_knows_which_key_is_used_none_is_removed() -> None:
    server = FakeServer()
    _change, first = ensure(server)
    server.fail_next("update_key", None, Killed())  # type: ignore[arg-type]
    server.fail_next("create_key", Killed())  # type: ignore[arg-type]
    with pytest.raises(Killed):
        apply_key(server, plan(server, rotate=True))
    # A new one is given to this run, so the old one can go.
    _change, second = ensure(server)
    assert keys(server) == {"key": second.secret}
    assert first.secret != second.secret
    apply_key(server, plan(server, state="absent"))
    assert keys(server) == {}


def test_something_else_in_the_place_of_the_file_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "bytes").write_bytes(b"\xff\xfe")
    for name in ("pipe", "link", "bytes"):
        with pytest.raises(XinferenceError, match=f"path '{tmp_path}/{name}' cannot be read: "):
            plan(FakeServer(allowed=frozenset()), path=str(tmp_path / name))


# Mistakes and races.


@pytest.mark.parametrize(
    ("declared", "words"),
    [
        ({"name": " key"}, "name ' key' must be a text that neither is empty nor begins or ends with a space."),
        ({"owner": ""}, "owner '' must be a text"),
        ({"expires_at": "tomorrow"}, "expires_at 'tomorrow' is no time; write one such as 2027-01-31T12:00:00Z, or never."),
        ({"expires_at": ""}, "expires_at '' is no time"),
        ({"expires_at": "2027-02-30"}, "expires_at '2027-02-30' is no time"),
        ({"expires_at": "0001-01-01T00:00:00+23:00"}, "expires_at '0001-01-01T00:00:00+23:00' is no time"),
        ({"model_types": ["embeding"]}, "model_types 'embeding' is unknown; did you mean 'embedding'?; allowed: LLM, embedding,"),
        ({"models": [""]}, "models '' must be a text"),
        ({"models": []}, "models and model_types are empty, so the key could ask no model; name some, write models: ['*'] for all, or disable the key."),
        ({"description": "\ud800"}, "description '\\ud800' holds something that is no character."),
        ({"path": "key"}, "path 'key' must be an absolute path on this host."),
    ],
)
def test_mistakes_are_one_sentence(declared: dict[str, Any], words: str) -> None:
    (problem,) = check(ApiKey(**{"name": "key", **declared}))
    assert problem.startswith(words)


def test_a_server_without_accounts_is_one_sentence() -> None:
    with pytest.raises(XinferenceError) as raised:
        plan(FakeServer(with_accounts=False))
    assert str(raised.value) == NO_ACCOUNTS


def test_a_key_that_another_client_removed_is_gone_and_one_that_another_client_made_is_an_error() -> None:
    server = FakeServer()
    ensure(server)
    absent, present = plan(server, state="absent"), plan(FakeServer())
    with pytest.raises(ApiError) as raised:
        apply_key(server, present)
    # Nobody here would have the key itself.
    assert (raised.value.status, raised.value.detail) == (409, "API key name already exists")
    server.api_keys.clear()
    apply_key(server, absent)
