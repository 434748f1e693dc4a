# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One account of a server, made as declared. Private to this collection.

Nobody can be locked out: neither the account that is logged in loses its rights, nor does the last administrator go. A server shows no password,
so the declared one is tried, once, and set only when it does not work.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ..base.errors import ApiError, AuthenticationError, DeclarationError, XinferenceError
from ..base.messages import nearest, shown, unsendable
from ..base.private_file import keep_secrets, kept_secrets
from ..server.api import UsersApi
from ..server.features import MANAGED_USERS
from ..server.rows import AccountRow

__all__ = [
    "ALWAYS",
    "NO_ACCOUNTS",
    "SCOPES",
    "STATES",
    "UPDATE_PASSWORD",
    "Account",
    "AccountChange",
    "AccountSeen",
    "KeptPassword",
    "apply_account",
    "check",
    "check_name",
    "other_login",
    "plan_account",
    "read",
]

STATES = ("present", "absent")
ALWAYS = "always"
UPDATE_PASSWORD = (ALWAYS, "on_create")
UNCHANGED, CREATED, UPDATED, REMOVED = "unchanged", "created", "updated", "removed"
ADMIN = "admin"
#: With it, an account manages others without being an administrator.
MANAGER = "users:manage"
#: What servers since 3.0 ask for on their routes. They take any other text in silence, and it allows nothing.
SCOPES = (
    ADMIN,
    *("models:list", "models:read", "models:write", "models:register"),
    *("keys:create", "keys:manage", MANAGER),
    *("cache:list", "cache:delete", "virtualenv:list", "virtualenv:delete"),
    *("logs:list", "model_requests:read_body", "monitor:view", "settings:read", "settings:write"),
    *("routers:list", "routers:read", "routers:write", "routers:operate"),
)
#: Names that servers before 3.0 gave to scopes, and what they are called now.
FORMER_SCOPES = {"models:start": "models:write", "models:stop": "models:write", "models:add": "models:register", "models:unregister": "models:register"}
NO_ACCOUNTS = (
    f"The server has no accounts that can be managed: it is older than {MANAGED_USERS.since}, or its authentication is switched off;"
    " upgrade it, or start it without XINFERENCE_AUTH_ADVANCED=false."
)
#: The accounts that log in with a password; those of an identity provider are its own business.
LOCAL = "local"


@dataclass(frozen=True)
class Account:
    """An account as declared. What is None is not compared.

    :param name: by which it logs in.
    :param state: ``present`` or ``absent``.
    :param password: what it should log in with.
    :param permissions: all that it may do; an account that is made without any can only log in.
    :param enabled: whether it can log in.
    :param renew: whether an account that is there gets the password when it does not work; not for people who choose their own.
    """

    name: str
    state: str = "present"
    password: str | None = field(default=None, repr=False)
    permissions: Sequence[str] | None = None
    enabled: bool | None = None
    renew: bool = True


@dataclass(frozen=True)
class AccountSeen:
    """What the server has.

    :param found: the account; None when there is none of this name.
    :param rows: all accounts.
    :param own: whether it is the account that is logged in.
    :param works: whether the declared password works; None where it was not tried.
    :param shortest: characters that a new password must have.
    """

    found: AccountRow | None
    rows: Sequence[AccountRow]
    own: bool
    works: bool | None = None
    shortest: int = 1


@dataclass(frozen=True)
class AccountChange:
    """What is to be done.

    :param wanted: the account as declared.
    :param seen: what is there.
    :param kind: unchanged, created, updated or removed.
    :param drift: fields that differ, without the password: field → {declared, running}.
    :param password: whether the password is set.
    """

    wanted: Account
    seen: AccountSeen
    kind: str = UNCHANGED
    drift: dict[str, Any] = field(default_factory=dict)
    password: bool = False

    @property
    def changed(self) -> bool:
        """Whether anything is written."""
        return self.kind != UNCHANGED

    @property
    def fields(self) -> list[str]:
        """Names of what is changed of an account that is there."""
        return [*self.drift, *(["password"] if self.password else [])] if self.kind == UPDATED else []

    @property
    def account(self) -> dict[str, Any] | None:
        """The account afterwards, without its password; None when there is none."""
        found, wanted = self.seen.found, self.wanted
        if wanted.state == "absent":
            return None
        permissions = wanted.permissions if wanted.permissions is not None else (found or {}).get("permissions", [])
        enabled = wanted.enabled if wanted.enabled is not None else bool((found or {}).get("enabled", True))
        return {"name": wanted.name, "enabled": enabled, "permissions": sorted(set(permissions))}

    def side(self, name: str) -> dict[str, Any]:
        """One side of the diff, ``before`` or ``after``; of an account that is updated, the fields that differ. It never holds a password."""
        before = name == "before"
        if self.kind == UNCHANGED:
            return {}
        if self.kind == (CREATED if before else REMOVED):
            return {"state": "absent"}
        if self.kind == CREATED:
            return {"state": "present", **(self.account or {})}
        if self.kind == REMOVED:
            return {"state": "present", **_shown(self.seen.found or {})}
        values = {field_name: pair["running" if before else "declared"] for field_name, pair in self.drift.items()}
        if self.password:
            values["password"] = "another one" if before else "the declared one"
        return {"state": "present", "name": self.wanted.name, **values}

    @property
    def notes(self) -> list[str]:
        """What the operator should know, one sentence each."""
        if self.password and self.seen.own:
            return [f"The password of '{self.wanted.name}' was the one that this module logs in with; from now on, log in with the new one."]
        return []


def _shown(row: AccountRow) -> dict[str, Any]:
    """An account as the server has it."""
    return {"name": row["username"], "enabled": bool(row["enabled"]), "permissions": sorted(row["permissions"])}


def check(wanted: Account, option: str = "account_password") -> list[str]:
    """What is wrong with a declaration, one sentence each.

    :param option: what the one of the password is called.
    """
    problems = check_name("name", wanted.name)
    if wanted.state == "absent":
        return problems
    if wanted.password is not None and (not wanted.password or unsendable(wanted.password) is not None):
        problems.append(f"{option} of '{shown(wanted.name)}' is empty or holds something that is no character; it must be a text.")
    for scope in wanted.permissions or ():
        if scope in SCOPES:
            continue
        if scope in FORMER_SCOPES:
            problems.append(f"permissions '{scope}' is a name of servers before {MANAGED_USERS.since}; write '{FORMER_SCOPES[scope]}'.")
        else:
            problems.append(f"permissions '{shown(scope)}' is unknown{nearest(scope, SCOPES)}; allowed: {', '.join(SCOPES)}.")
    return problems


def check_name(option: str, name: str) -> list[str]:
    """What is wrong with the name of an account or a key, one sentence or none."""
    if not name or name != name.strip() or unsendable(name) is not None:
        return [f"{option} '{shown(name)}' must be a text that neither is empty nor begins or ends with a space."]
    return []


class KeptPassword:
    """The password of an account of a program, in a file for its owner alone.

    A new one is written before the account gets it, with the old one in the next line, which goes when the new one has worked. So the file holds a password
    that works at every moment.

    :param path: of the file.
    :param rotate: whether a new one takes the place of one that is there.
    :raises XinferenceError: when it cannot be read.
    """

    def __init__(self, path: str, rotate: bool) -> None:
        self.path = path
        self.kept = kept_secrets("account_password_path", path)
        self.wanted = secrets.token_urlsafe(24) if rotate or not self.kept else self.kept[0]

    @property
    def is_new(self) -> bool:
        """Whether it is not the one that counts in the file."""
        return self.kept[:1] != [self.wanted]

    def begin(self) -> None:
        """Keep it beside those that were there, before the account gets it."""
        if self.is_new:
            self.kept = [self.wanted, *self.kept]
            self._write()

    def end(self, given: bool) -> None:
        """Forget the others, after it has worked.

        :param given: whether the account got it just now. The file is written again then, even with the same in it: who was refused before reads it again.
        """
        if given or len(self.kept) > 1:
            self.kept = [self.wanted]
            self._write()

    def _write(self) -> None:
        try:
            keep_secrets(self.path, self.kept)
        except OSError as error:
            raise XinferenceError(f"account_password_path '{self.path}' cannot be written: {error.strerror or error}.") from error


def other_login(wanted: Account, username: str | None, error: AuthenticationError) -> str | None:
    """The password to log in with after the server refused that of the connection; None where there is no other.

    An account whose own password is declared again has the declared one since the run before.
    """
    own = wanted.name == username and wanted.state == "present" and wanted.renew
    return wanted.password if own and error.status == 401 else None


def read(client: UsersApi, wanted: Account) -> AccountSeen:
    """Read what is there, and try the declared password where it may have to be set.

    :raises XinferenceError: when the server cannot be read, or has no accounts.
    """
    rows = client.accounts()
    if rows is None:
        raise XinferenceError(NO_ACCOUNTS)
    found = next((row for row in rows if row["username"] == wanted.name and row["source"] == LOCAL), None)
    works = None
    # Nobody can log in to a disabled account, so nothing would be learnt there.
    if found is not None and found["enabled"] and _compares_password(wanted):
        works = client.accepts(wanted.name, wanted.password or "")
    seen = AccountSeen(found, rows, found is not None and wanted.name == client.username, works)
    sets = _sets_password(wanted, seen) and wanted.password is not None
    return replace(seen, shortest=client.shortest_password()) if sets else seen


def _compares_password(wanted: Account) -> bool:
    """Whether an account that is there should have the declared password."""
    return wanted.state == "present" and wanted.password is not None and wanted.renew


def _sets_password(wanted: Account, seen: AccountSeen) -> bool:
    """Whether the password is set.

    The password of an account that was disabled is not known. It gets the declared one before it is enabled, so that an old one opens nothing.
    """
    if seen.found is None:
        return wanted.state == "present"
    awakes = not seen.found["enabled"] and wanted.enabled is True and _compares_password(wanted)
    return seen.works is False or awakes


def plan_account(wanted: Account, seen: AccountSeen) -> AccountChange:
    """Compare a declaration with what is there.

    :raises DeclarationError: when it cannot be done, or would lock a user out; nothing was changed.
    """
    if wanted.state == "absent":
        change = AccountChange(wanted, seen, REMOVED if seen.found is not None else UNCHANGED)
    elif seen.found is None:
        change = AccountChange(wanted, seen, CREATED, password=True)
    else:
        change = _update(wanted, seen, seen.found)
    problems = _locked_out(change)
    if change.password and wanted.password is None:
        problems.append(f"account_password is missing; there is no account '{wanted.name}' yet, and a new one needs a password.")
    elif change.password and wanted.password is not None and len(wanted.password) < seen.shortest:
        problems.append(f"account_password of '{wanted.name}' is too short; this server asks for at least {seen.shortest} characters.")
    if problems:
        raise DeclarationError(problems)
    return change


def _update(wanted: Account, seen: AccountSeen, found: AccountRow) -> AccountChange:
    """What to do about an account that is there."""
    drift: dict[str, Any] = {}
    if wanted.enabled is not None and wanted.enabled != bool(found["enabled"]):
        drift["enabled"] = {"declared": wanted.enabled, "running": bool(found["enabled"])}
    if wanted.permissions is not None and set(wanted.permissions) != set(found["permissions"]):
        drift["permissions"] = {"declared": sorted(set(wanted.permissions)), "running": sorted(found["permissions"])}
    password = _sets_password(wanted, seen)
    return AccountChange(wanted, seen, UPDATED if drift or password else UNCHANGED, drift, password)


def _locked_out(change: AccountChange) -> list[str]:
    """Who would be locked out by a change, one sentence or none."""
    found, after, name = change.seen.found, change.account, change.wanted.name
    if found is None or not found["enabled"]:
        return []
    power = ADMIN if ADMIN in found["permissions"] else MANAGER
    remaining = after["permissions"] if after is not None and after["enabled"] else []
    if power not in found["permissions"] or power in remaining:
        return []
    words = "cannot be removed" if after is None else f"cannot lose the permission '{power}'" if after["enabled"] else "cannot be disabled"
    if change.seen.own:
        return [f"'{name}' is the account that this module logs in with, and {words}; log in with another administrator for that."]
    if power == ADMIN and not any(row["enabled"] and ADMIN in row["permissions"] and row["id"] != found["id"] for row in change.seen.rows):
        return [f"'{name}' is the last enabled administrator of this server, and {words}; make another one first."]
    return []


def apply_account(client: UsersApi, change: AccountChange) -> None:
    """Do it.

    :raises XinferenceError: when the server refuses; its own words hold the reason.
    """
    wanted, found = change.wanted, change.seen.found
    if change.kind == CREATED:
        _create(client, change)
    elif found is not None and change.kind == REMOVED:
        try:
            client.remove_account(found["id"])
        except ApiError as error:
            # Another client just removed it.
            if error.status != 404:
                raise
    elif found is not None and change.kind == UPDATED:
        enables = change.drift.get("enabled", {}).get("declared")
        if enables is False:
            client.update_account(found["id"], {"enabled": False})
        if "permissions" in change.drift:
            client.update_account(found["id"], {"permissions": change.drift["permissions"]["declared"]})
        if change.password and wanted.password is not None:
            client.set_account_password(found["id"], wanted.password)
            if change.seen.own:
                client.use_password(wanted.password)
        if enables:
            client.update_account(found["id"], {"enabled": True})


def _create(client: UsersApi, change: AccountChange) -> None:
    """Make an account. One that should be disabled gets its permissions afterwards, so that it can never do anything."""
    wanted, account = change.wanted, change.account or {}
    permissions = account["permissions"]
    try:
        number = client.create_account(wanted.name, wanted.password or "", permissions if account["enabled"] else [])
    except ApiError as error:
        # Another client may just have made the same one.
        if error.status == 409 and not plan_account(wanted, read(client, wanted)).changed:
            return
        raise
    if not account["enabled"]:
        client.update_account(number, {"enabled": False})
        if permissions:
            client.update_account(number, {"permissions": permissions})
