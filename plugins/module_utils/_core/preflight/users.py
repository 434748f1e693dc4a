# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the declared users and API keys can be made. Private to this collection."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..base.messages import nearest, other_spelling, shown
from ..resources import api_keys, users
from .settings import Failure, Settings

__all__ = ["check_account", "check_declared_accounts"]


def check_account(settings: Settings) -> list[Failure]:
    if not settings.authentication:
        return []
    problems = users.check_name("xinference_admin_username", settings.admin_username)
    if settings.service_account:
        problems = [*problems, *users.check_name("xinference_service_account", settings.service_account)]
    if problems:
        return [Failure("account", problem, "") for problem in problems]
    if settings.service_account == settings.admin_username:
        return [
            Failure(
                "account",
                f"xinference_service_account '{settings.service_account}' is the administrator.",
                "Choose another name, or leave it empty, so that models are launched as the administrator.",
            )
        ]
    if not settings.admin_password_length:
        return [
            Failure(
                "account",
                "xinference_admin_password is empty, but the server asks for an account.",
                "Set it, from a vault, or set xinference_authentication to false for a server on loopback.",
            )
        ]
    if settings.admin_password_length < 8:
        return [
            Failure(
                "account",
                f"xinference_admin_password has {settings.admin_password_length} characters, but the server wants at least 8.",
                "Choose a longer one.",
            )
        ]
    return []


#: Fields of an account and of a key that can be declared, with what they must be.
_ACCOUNT_FIELDS: dict[str, type | tuple[type, ...]] = {
    "name": str,
    "state": str,
    "password": str,
    "update_password": str,
    "permissions": list,
    "enabled": bool,
}
_KEY_FIELDS: dict[str, type | tuple[type, ...]] = {
    "name": str,
    "state": str,
    "owner": str,
    "description": str,
    "expires_at": str,
    "enabled": bool,
    "models": list,
    "model_types": list,
    "path": str,
}
_CHOICES = {"state": users.STATES, "update_password": users.UPDATE_PASSWORD}
_WORDS = {str: "a text", list: "a list", bool: "true or false"}


def check_declared_accounts(settings: Settings) -> list[Failure]:
    """What is wrong with the declared accounts and API keys. No value of a password is repeated."""
    problems: list[str] = []
    for option, items, fields in (("xinference_users", settings.accounts, _ACCOUNT_FIELDS), ("xinference_api_keys", settings.api_keys, _KEY_FIELDS)):
        if not isinstance(items, (list, tuple)):
            what = f"the text '{shown(items)}'" if isinstance(items, str) else "a dictionary" if isinstance(items, Mapping) else f"'{shown(str(items))}'"
            problems.append(f"{option}: is {what}, but must be a list of dictionaries.")
            continue
        for place, item in enumerate(items):
            where = f"{option}[{place}]"
            if not isinstance(item, Mapping) or not isinstance(item.get("name"), str):
                keys = [key for key in item if isinstance(key, str)] if isinstance(item, Mapping) and "name" not in item else []
                meant = [key for key in keys if other_spelling(key, ("name",))]
                problems.append(f"{where}: must be a dictionary with a name" + (f"; '{shown(meant[0])}' is none, write name." if meant else "."))
                continue
            where += f" ('{item['name']}')"
            wrong = _wrong_fields(item, fields)
            if not wrong:
                wrong = _checked_account(item, settings) if fields is _ACCOUNT_FIELDS else _checked_key(item)
            problems += [f"{where}: {problem}" for problem in wrong]
    if (settings.accounts or settings.api_keys) and not settings.authentication:
        problems.append("xinference_users and xinference_api_keys need xinference_authentication, which is false.")
    return [Failure("accounts", problem, "") for problem in problems]


def _wrong_fields(item: Mapping[str, Any], fields: Mapping[str, Any]) -> list[str]:
    """What is wrong with single fields."""
    problems = []
    for name, value in item.items():
        if name not in fields:
            problems.append(f"'{name}' is unknown{nearest(str(name), sorted(fields)) or ''}; allowed: {', '.join(fields)}.")
        elif not isinstance(value, fields[name]):
            problems.append(f"{name} must be {_WORDS[fields[name]]}.")
        elif isinstance(value, list) and not all(isinstance(each, str) for each in value):
            problems.append(f"{name} must be a list of texts.")
        elif name in _CHOICES and value not in _CHOICES[name]:
            problems.append(f"{name} '{value}' is unknown; allowed: {', '.join(_CHOICES[name])}.")
    return problems


def _checked_account(item: Mapping[str, Any], settings: Settings) -> list[str]:
    for name, whose in ((settings.admin_username, "of the administrator"), (settings.service_account, "with which the roles launch models")):
        if item["name"] == name:
            return [f"is the name of the account {whose}; choose another one."]
    account = users.Account(**{key: item[key] for key in ("name", "state", "password", "permissions") if key in item})
    problems = users.check(account, "password")
    if account.state == "present" and account.password is None:
        problems.append("password is missing.")
    return problems


def _checked_key(item: Mapping[str, Any]) -> list[str]:
    key = api_keys.ApiKey(**item)
    problems = api_keys.check(key)
    if key.state == "present" and key.path is None:
        problems.append("path is missing; a key that is kept nowhere would be lost.")
    return problems
