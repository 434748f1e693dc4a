# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What preflight says about declared accounts and API keys."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ansible_collections.inferops.xinference.plugins.module_utils._core.preflight.check import check_host
from ansible_collections.inferops.xinference.tests.unit.plugins.module_utils._core.preflight.good_host import HOST, SETTINGS

SHOP = {"name": "shop", "password": "marked-password", "permissions": ["models:read"]}
KEY = {"name": "shop", "path": "/etc/shop/key"}


def failures(**settings: Any) -> list[str]:
    """What is wrong."""
    found = check_host(HOST, replace(SETTINGS, **settings))
    assert {failure.check for failure in found} <= {"accounts"}
    return [str(failure) for failure in found]


def test_what_is_fine() -> None:
    former = {"name": "former", "state": "absent"}
    every = {**KEY, "owner": "shop", "description": "of the shop", "expires_at": "2030-01-01", "enabled": True, "models": ["chat"], "model_types": ["LLM"]}
    accounts = [SHOP, {**SHOP, "enabled": False, "update_password": "on_create", "state": "present"}, former]
    assert failures(accounts=accounts, api_keys=[KEY, every, former]) == []


@pytest.mark.parametrize(
    ("accounts", "keys", "sentence"),
    [
        ("shop", [], "xinference_users: is the text 'shop', but must be a list of dictionaries."),
        ({"name": "shop"}, [], "xinference_users: is a dictionary, but must be a list of dictionaries."),
        ([], "shop", "xinference_api_keys: is the text 'shop', but must be a list of dictionaries."),
        (3, [], "xinference_users: is '3', but must be a list of dictionaries."),
        ([], {"name": "shop"}, "xinference_api_keys: is a dictionary, but must be a list of dictionaries."),
        ("s" * 300, [], f"xinference_users: is the text '{'s' * 200}…', but must be a list of dictionaries."),
        (["shop"], [], "xinference_users[0]: must be a dictionary with a name."),
        ([SHOP, {"password": "marked-password"}], [], "xinference_users[1]: must be a dictionary with a name."),
        ([{**SHOP, "name": 3}], [], "xinference_users[0]: must be a dictionary with a name."),
        (
            [{**SHOP, "pasword": "marked-password"}],
            [],
            "xinference_users[0] ('shop'): 'pasword' is unknown; did you mean 'password'?; allowed: "
            "name, state, password, update_password, permissions, enabled.",
        ),
        ([{**SHOP, "update-password": "always"}], [], "xinference_users[0] ('shop'): 'update-password' is unknown; did you mean 'update_password'?"),
        ([{**SHOP, "updatePassword": "always"}], [], "xinference_users[0] ('shop'): 'updatePassword' is unknown; did you mean 'update_password'?"),
        ([{"Name": "shop"}], [], "xinference_users[0]: must be a dictionary with a name; 'Name' is none, write name."),
        ([], [{**KEY, "expires-at": "2030-01-01"}], "xinference_api_keys[0] ('shop'): 'expires-at' is unknown; did you mean 'expires_at'?"),
        ([], [{**KEY, "modelTypes": ["LLM"]}], "xinference_api_keys[0] ('shop'): 'modelTypes' is unknown; did you mean 'model_types'?"),
        ([{**SHOP, "password": 12345678}], [], "xinference_users[0] ('shop'): password must be a text."),
        ([{**SHOP, "permissions": "admin"}], [], "xinference_users[0] ('shop'): permissions must be a list."),
        ([{**SHOP, "permissions": [3]}], [], "xinference_users[0] ('shop'): permissions must be a list of texts."),
        ([{**SHOP, "enabled": "yes"}], [], "xinference_users[0] ('shop'): enabled must be true or false."),
        ([], [{**KEY, "models": ["chat", 3]}], "xinference_api_keys[0] ('shop'): models must be a list of texts."),
        ([], [{**KEY, "model_types": "LLM"}], "xinference_api_keys[0] ('shop'): model_types must be a list."),
        ([], [{**KEY, "state": "gone"}], "xinference_api_keys[0] ('shop'): state 'gone' is unknown; allowed: present, absent."),
        (
            [{**SHOP, "update_password": "never"}],
            [],
            "xinference_users[0] ('shop'): update_password 'never' is unknown; allowed: always, on_create.",
        ),
        (
            [],
            [{**KEY, "pth": "/x"}],
            "xinference_api_keys[0] ('shop'): 'pth' is unknown; did you mean 'path'?; allowed: "
            "name, state, owner, description, expires_at, enabled, models, model_types, path.",
        ),
        ([{**SHOP, "zzzzz": 1}], [], "xinference_users[0] ('shop'): 'zzzzz' is unknown; allowed: name, state,"),
        ([{**SHOP, "state": "gone"}], [], "xinference_users[0] ('shop'): state 'gone' is unknown; allowed: present, absent."),
        ([{"name": "shop"}], [], "xinference_users[0] ('shop'): password is missing."),
        (
            [{**SHOP, "password": ""}],
            [],
            "xinference_users[0] ('shop'): password of 'shop' is empty or holds something that is no character; it must be a text.",
        ),
        ([{**SHOP, "password": "\ud800-password"}], [], "xinference_users[0] ('shop'): password of 'shop' is empty or holds something that is no"),
        ([], [{**KEY, "path": ""}], "xinference_api_keys[0] ('shop'): path '' must be an absolute path on this host."),
        ([{**SHOP, "name": "admin"}], [], "xinference_users[0] ('admin'): is the name of the account of the administrator; choose another one."),
        (
            [{**SHOP, "name": "automation"}],
            [],
            "xinference_users[0] ('automation'): is the name of the account with which the roles launch models; choose another one.",
        ),
        ([], [{"name": "shop"}], "xinference_api_keys[0] ('shop'): path is missing; a key that is kept nowhere would be lost."),
        ([], [{**KEY, "rotate": True}], "xinference_api_keys[0] ('shop'): 'rotate' is unknown"),
        ([], [{**KEY, "path": "shop.key"}], "xinference_api_keys[0] ('shop'): path 'shop.key' must be an absolute path on this host."),
        ([], [{**KEY, "expires_at": "soon"}], "xinference_api_keys[0] ('shop'): expires_at 'soon' is no time"),
    ],
)
def test_each_mistake_gives_one_sentence(accounts: Any, keys: Any, sentence: str) -> None:
    (failure,) = failures(accounts=accounts, api_keys=keys)
    assert failure.startswith(sentence)
    assert "marked-password" not in failure


def test_every_problem_of_every_account_and_key_is_reported() -> None:
    accounts = [{**SHOP, "name": ""}, "shop", SHOP, {**SHOP, "enabled": 1, "password": 2}]
    assert [failure.split(": ")[0] for failure in failures(accounts=accounts, api_keys=[3, KEY, {"name": "till"}])] == [
        "xinference_users[0] ('')",
        "xinference_users[1]",
        "xinference_users[3] ('shop')",
        "xinference_users[3] ('shop')",
        "xinference_api_keys[0]",
        "xinference_api_keys[2] ('till')",
    ]


def test_what_is_wrong_with_one_list_does_not_hide_the_other_one() -> None:
    assert [failure.split(": ")[0] for failure in failures(accounts="shop", api_keys="shop")] == ["xinference_users", "xinference_api_keys"]


def test_what_shall_be_absent_needs_neither_password_nor_path_and_has_a_name_all_the_same() -> None:
    former = {"name": "former", "state": "absent"}
    assert failures(accounts=(former,), api_keys=(former,)) == []
    # What it could do does not matter any more.
    assert failures(accounts=[{**former, "permissions": ["none"], "password": ""}], api_keys=[{**former, "expires_at": "soon"}]) == []
    assert [failure.split(": ")[0] for failure in failures(accounts=[{"name": "", "state": "absent"}])] == ["xinference_users[0] ('')"]


def test_scopes_are_named() -> None:
    (failure,) = failures(accounts=[{**SHOP, "permissions": ["models:raed"]}])
    assert failure.startswith("xinference_users[0] ('shop'): permissions 'models:raed' is unknown")


def test_a_server_without_authentication_has_none() -> None:
    problem = ["xinference_users and xinference_api_keys need xinference_authentication, which is false."]
    assert failures(accounts=[SHOP], authentication=False) == failures(api_keys=[KEY], authentication=False) == problem
    assert failures(authentication=False) == []
