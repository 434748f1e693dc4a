# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One API key of a server, made as declared. Private to this collection.

A key is known by its owner and its name. The server cannot renew one, so a new one is made first and the old one removed last: whatever fails in
between, the old one goes on working under its name.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from ..base.bounded import read_regular
from ..base.errors import DeclarationError, XinferenceError
from ..base.messages import nearest, shown, unsendable
from ..server.api import ApiKeysApi
from ..server.rows import KeyPermission, KeyRow
from .users import LOCAL, NO_ACCOUNTS, check_name

__all__ = [
    "ALL_MODELS",
    "EVERY",
    "NEVER",
    "STATES",
    "TYPES",
    "ApiKey",
    "KeyChange",
    "KeyOutcome",
    "KeySeen",
    "access_of",
    "check",
    "plan_key",
    "read",
    "rows_of",
]

STATES = ("present", "absent")
UNCHANGED, CREATED, UPDATED, ROTATED, REMOVED = "unchanged", "created", "updated", "rotated", "removed"
#: The one item of ``models`` that stands for every model.
EVERY = "*"
#: What stands for no expiry.
NEVER = "never"
#: What the server calls the models that a route asks, from which it takes the type.
TYPES = ("LLM", "embedding", "rerank", "image", "audio", "video", "world")
ALL_MODELS: Access = frozenset({("all", None)})
#: How the key is called that is being replaced.
OLD_NAME = "{name} (replaced {id})"
Access = frozenset[tuple[str, "str | None"]]


@dataclass(frozen=True)
class ApiKey:
    """A key as declared. What is None is not compared.

    :param name: by which it is known, together with its owner.
    :param owner: name of its account; None for the one that is logged in.
    :param state: ``present`` or ``absent``.
    :param description: what is said about it.
    :param models: uids of the models that it may ask, or the one item ``*``.
    :param model_types: types of model that it may ask.
    :param expires_at: a time of ISO 8601, in UTC where it names no offset, or ``never``.
    :param enabled: whether it works.
    :param rotate: whether a new one takes its place in any case.
    :param path: absolute path of a file of this host that should hold the key.
    """

    name: str
    owner: str | None = None
    state: str = "present"
    description: str | None = None
    models: Sequence[str] | None = None
    model_types: Sequence[str] | None = None
    expires_at: str | None = None
    enabled: bool | None = None
    rotate: bool = False
    path: str | None = None

    @property
    def access(self) -> Access | None:
        """What it may ask, as the server keeps it; None where nothing is declared."""
        if self.models is None and self.model_types is None:
            return None
        models, types = self.models or (), self.model_types or ()
        return ALL_MODELS if EVERY in models else frozenset({*(("model_id", uid) for uid in models), *(("model_type", kind) for kind in types)})

    @property
    def expiry(self) -> str | None:
        """When it expires, as it is sent; None for never, or where nothing is declared."""
        moment = _moment(self.expires_at) if self.expires_at not in (None, NEVER) else None
        return moment.isoformat() if moment is not None else None


@dataclass(frozen=True)
class KeySeen:
    """What the server has, and the host.

    :param owner: name of the account that the key belongs to.
    :param owner_id: its number; None for the account that is logged in.
    :param rows: all keys that can be seen.
    :param found: those of this owner and name. Older servers, such as 3.5.0, let a name be given twice.
    :param set_aside: those that a run which was interrupted had set aside for a new one. They work still.
    :param secret: the key itself, asked only for the sake of the file; None where the server does not return it.
    :param kept: what the file holds; None where there is none, or others can read it.
    """

    owner: str
    owner_id: int | None
    rows: Sequence[KeyRow]
    found: Sequence[KeyRow]
    set_aside: Sequence[KeyRow] = ()
    secret: str | None = field(default=None, repr=False)
    kept: str | None = field(default=None, repr=False)


@dataclass(frozen=True)
class KeyChange:
    """What is to be done.

    :param wanted: the key as declared.
    :param seen: what is there.
    :param kind: unchanged, created, updated, rotated or removed. A file that is written is an update.
    :param drift: fields that differ: field → {declared, running}.
    :param writes: whether the file is written.
    :param clears: keys that were set aside by a run that was interrupted, and are removed now.
    """

    wanted: ApiKey
    seen: KeySeen
    kind: str = UNCHANGED
    drift: dict[str, Any] = field(default_factory=dict)
    writes: bool = False
    clears: Sequence[KeyRow] = ()

    @property
    def changed(self) -> bool:
        """Whether anything is written."""
        return self.kind != UNCHANGED

    @property
    def makes(self) -> bool:
        """Whether a new key comes into being."""
        return self.kind in (CREATED, ROTATED)

    @property
    def key(self) -> dict[str, Any] | None:
        """The key afterwards, without itself; None when there is none. One that is yet to be made has neither number nor prefix."""
        if self.wanted.state == "absent":
            return None
        found = self.seen.found[0] if self.seen.found else {}
        shown_now = {**_shown(found, self.seen.owner), **{name: pair["declared"] for name, pair in self.drift.items()}, "name": self.wanted.name}
        return {**shown_now, "id": None, "prefix": None} if self.makes else shown_now

    def side(self, name: str) -> dict[str, Any]:
        """One side of the diff, ``before`` or ``after``; of a key that is updated, the fields that differ. It never holds a key."""
        before = name == "before"
        if self.kind == UNCHANGED:
            return {}
        if self.kind == (CREATED if before else REMOVED):
            return {"state": "absent"}
        if self.kind in (CREATED, REMOVED):
            row = _shown((*self.seen.found, *self.clears)[0], self.seen.owner) if before else dict(self.key or {})
            # A new one's number is not known beforehand.
            shown_row = {field_name: value for field_name, value in row.items() if field_name not in ("id", "prefix")}
        else:
            shown_row = {"name": self.wanted.name, "owner": self.seen.owner}
            shown_row.update({field_name: pair["running" if before else "declared"] for field_name, pair in self.drift.items()})
            if self.kind == ROTATED:
                shown_row["key"] = "the old one" if before else "a new one"
        if self.clears:
            shown_row["set aside"] = [_name(row) for row in self.clears] if before else []
        if self.writes:
            shown_row["path"] = "not the key" if before else f"the key, in {self.wanted.path}"
        return {"state": "present", **shown_row}


@dataclass(frozen=True)
class KeyOutcome:
    """What a run did.

    :param key: the key as it is described; None when there is none.
    :param secret: the key itself, when it was made and is kept in no file.
    """

    key: dict[str, Any] | None
    secret: str | None = field(default=None, repr=False)


def _moment(text: Any) -> datetime | None:
    """A time in UTC without its offset, to the second; None for a text that is none.

    Servers compare with such a time: one with an offset makes every request with the key fail, and one that is no time never comes.
    """
    try:
        found = datetime.fromisoformat(str(text).replace("Z", "+00:00") if str(text).endswith("Z") else str(text))
        if found.tzinfo is not None:
            found = found.astimezone(timezone.utc).replace(tzinfo=None)
    except (ValueError, OverflowError):
        return None
    return found.replace(microsecond=0)


def _same_moment(declared: str | None, running: Any) -> bool:
    """Whether a key expires when it should, and in a way that the server understands."""
    if declared is None or running is None:
        return declared is running
    try:
        kept = datetime.fromisoformat(str(running))
    except ValueError:
        return False
    return kept.tzinfo is None and kept.replace(microsecond=0).isoformat() == declared


def access_of(row: KeyRow) -> Access:
    """What a key may ask, as the server keeps it."""
    rows = row.get("model_permissions") or []
    return frozenset((str(each["permission_type"]), each.get("permission_value")) for each in rows)


def _models(access: Access) -> dict[str, list[str]]:
    """The same, as it is declared."""
    if access & ALL_MODELS:
        return {"models": [EVERY], "model_types": []}
    chosen = {"models": "model_id", "model_types": "model_type"}
    return {option: sorted(str(value) for kind, value in access if kind == word) for option, word in chosen.items()}


def rows_of(access: Access) -> list[KeyPermission]:
    """The same, as it is sent."""
    ordered = sorted(access, key=lambda each: (each[0], each[1] or ""))
    return [{"permission_type": kind, "permission_value": value} for kind, value in ordered]


def _shown(row: KeyRow, owner: str) -> dict[str, Any]:
    """A key as the server has it, or would make it where nothing is declared."""
    return {
        "id": row.get("id"),
        "name": _name(row),
        "owner": owner,
        "prefix": row.get("key_prefix"),
        "description": row.get("description"),
        "enabled": bool(row.get("enabled", True)),
        "expires_at": row.get("expires_at"),
        **_models(access_of(row) if row else ALL_MODELS),
    }


def _name(row: KeyRow) -> str:
    """The name of a key; older servers, such as 3.5.0, let it be empty."""
    return str(row.get("name") or "").strip()


def check(wanted: ApiKey) -> list[str]:
    """What is wrong with a declaration, one sentence each."""
    problems = check_name("name", wanted.name)
    if wanted.owner is not None:
        problems += check_name("owner", wanted.owner)
    if wanted.state == "absent":
        return problems
    if wanted.description is not None and unsendable(wanted.description) is not None:
        problems.append(f"description '{shown(wanted.description)}' holds something that is no character.")
    if wanted.expires_at is not None and wanted.expires_at != NEVER and _moment(wanted.expires_at) is None:
        problems.append(f"expires_at '{shown(wanted.expires_at)}' is no time; write one such as 2027-01-31T12:00:00Z, or {NEVER}.")
    for uid in wanted.models or ():
        problems += check_name("models", uid)
    for kind in wanted.model_types or ():
        if kind not in TYPES:
            problems.append(f"model_types '{shown(kind)}' is unknown{nearest(kind, TYPES)}; allowed: {', '.join(TYPES)}.")
    if wanted.access is not None and not wanted.access:
        problems.append(f"models and model_types are empty, so the key could ask no model; name some, write models: ['{EVERY}'] for all, or disable the key.")
    if wanted.path is not None and not wanted.path.startswith("/"):
        problems.append(f"path '{shown(wanted.path)}' must be an absolute path on this host.")
    return problems


def read(client: ApiKeysApi, wanted: ApiKey) -> KeySeen:
    """Read what is there.

    :raises DeclarationError: when there is no such owner.
    :raises XinferenceError: when the server cannot be read, or has no accounts, or the file cannot.
    """
    rows = client.keys()
    if rows is None:
        raise XinferenceError(NO_ACCOUNTS)
    owner, number = wanted.owner or client.username or "", None
    if owner != client.username:
        # The owner's number is asked only where it is another account, because not everybody who may make keys may see accounts.
        number = _owner(client, owner)
        if number is None and wanted.state == "present":
            names = [str(row["username"]) for row in client.accounts() or []]
            raise DeclarationError([f"owner '{owner}' is no account of this server{nearest(owner, names)}; make it first."])
        mine = [row for row in rows if number is not None and row["user_id"] == number]
    else:
        mine = [row for row in rows if row.get("owner_username") == owner]
    found = [row for row in mine if _name(row) == wanted.name]
    set_aside = [row for row in mine if _name(row) == OLD_NAME.format(name=wanted.name, id=row["id"])]
    if wanted.state == "absent" or wanted.path is None:
        return KeySeen(owner, number, rows, found, set_aside)
    reveals = len(found) == 1 and not wanted.rotate
    return KeySeen(owner, number, rows, found, set_aside, client.reveal_key(found[0]["id"]) if reveals else None, _kept(wanted.path))


def _owner(client: ApiKeysApi, name: str) -> int | None:
    """The number of an account, by its name; one with a password comes before one of an identity provider."""
    rows = [row for row in client.accounts() or [] if row["username"] == name]
    rows.sort(key=lambda row: row["source"] != LOCAL)
    return int(rows[0]["id"]) if rows else None


def _kept(path: str) -> str | None:
    """What the file holds; None where there is none, or where others than its owner can read it.

    :raises XinferenceError: when there is something else in its place.
    """
    try:
        text = read_regular(Path(path))
        return text.strip() if not stat.S_IMODE(os.stat(path).st_mode) & 0o077 else None
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise XinferenceError(f"path '{path}' cannot be read: {getattr(error, 'strerror', None) or 'it holds no text'}.") from error


def plan_key(wanted: ApiKey, seen: KeySeen, now: datetime) -> KeyChange:
    """Compare a declaration with what is there.

    :param now: the time, in UTC without an offset.
    :raises DeclarationError: when it cannot be done; nothing was changed.
    """
    if wanted.state == "absent":
        return KeyChange(wanted, seen, REMOVED if seen.found or seen.set_aside else UNCHANGED, clears=seen.set_aside)
    if len(seen.found) > 1:
        numbers = ", ".join(str(row["id"]) for row in seen.found)
        raise DeclarationError([f"name '{wanted.name}' is that of {len(seen.found)} keys of '{seen.owner}' (numbers {numbers}); remove or rename all but one."])
    found = seen.found[0] if seen.found else None
    drift = _drift(wanted, found)
    if found is None or wanted.rotate:
        change = KeyChange(wanted, seen, CREATED if found is None else ROTATED, drift, wanted.path is not None)
        problems = _unmakeable(change, now)
    else:
        writes = wanted.path is not None and (seen.kept is None or (seen.secret is not None and seen.kept != seen.secret))
        change = KeyChange(wanted, seen, UPDATED if drift or writes else UNCHANGED, drift, writes)
        problems = []
        if writes and seen.secret is None:
            problems.append(
                f"path '{wanted.path}' cannot get the key '{wanted.name}', because the server does not return it any more; set rotate once for a new one."
            )
    if problems:
        raise DeclarationError(problems)
    # Those that were set aside go only where a newer one is kept for sure; until then, one of them may be the one that is used.
    if seen.set_aside and (change.makes or (wanted.path is not None and seen.secret is not None)):
        return replace(change, kind=change.kind if change.changed else UPDATED, clears=seen.set_aside)
    return change


def _drift(wanted: ApiKey, found: KeyRow | None) -> dict[str, Any]:
    """The declared fields that differ from a key, or from what the server makes of a key of which only the name is declared."""
    running = _shown(found or {}, "")
    drift: dict[str, Any] = {}
    if wanted.description is not None and wanted.description != (running["description"] or ""):
        drift["description"] = {"declared": wanted.description, "running": running["description"]}
    if wanted.enabled is not None and wanted.enabled != running["enabled"]:
        drift["enabled"] = {"declared": wanted.enabled, "running": running["enabled"]}
    if wanted.expires_at is not None and not _same_moment(wanted.expiry, running["expires_at"]):
        drift["expires_at"] = {"declared": wanted.expiry, "running": running["expires_at"]}
    if wanted.access is not None and wanted.access != (access_of(found) if found is not None else ALL_MODELS):
        drift.update({name: {"declared": values, "running": running[name]} for name, values in _models(wanted.access).items() if values != running[name]})
    return drift


def _unmakeable(change: KeyChange, now: datetime) -> list[str]:
    """Why a new key cannot be made, one sentence each."""
    problems = []
    wanted, expiry = change.wanted, (change.key or {})["expires_at"]
    moment = _moment(expiry) if expiry is not None else None
    if moment is not None and moment <= now:
        problems.append(f"expires_at {moment.isoformat()}Z has passed, so a key that is made now would never work; declare a later time, or {NEVER}.")
    own = {row["id"] for row in change.seen.found}
    for row in change.seen.rows:
        # A newer server, such as 4.1.0, gives each name once, whoever owns the key and whatever the case of its letters.
        if row["id"] not in own and _name(row).lower() == wanted.name.lower():
            owner = row.get("owner_username")
            problems.append(f"name '{wanted.name}' is taken by the key '{_name(row)}' of '{owner}'; choose another name, or declare that owner.")
            break
    return problems
