# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An API key, made, changed and removed as planned. Private to this collection."""

from __future__ import annotations

from pathlib import Path
from typing import cast

from ..base.errors import ApiError, XinferenceError, with_words
from ..base.private_file import replace_private
from ..server.api import ApiKeysApi
from ..server.rows import KeyChanges, KeyRequest, NewKey
from .api_keys import ALL_MODELS, OLD_NAME, REMOVED, UPDATED, KeyChange, KeyOutcome, access_of, rows_of

__all__ = ["apply_key"]


def apply_key(client: ApiKeysApi, change: KeyChange) -> KeyOutcome:
    """Do it.

    :raises XinferenceError: when the server refuses, or the file cannot be written. A key that was made is removed again then, because nobody would have it.
    """
    if change.kind == REMOVED:
        for row in (*change.seen.found, *change.clears):
            _remove(client, row["id"])
    if not change.makes:
        if change.kind == UPDATED:
            _update(client, change)
            for row in change.clears:
                _remove(client, row["id"])
        return KeyOutcome(change.key)
    old = change.seen.found[0]["id"] if change.seen.found else None
    aside = OLD_NAME.format(name=change.wanted.name, id=old)
    if old is not None:
        client.update_key(old, {"name": aside})
    made: NewKey = {}
    kept = False
    try:
        made = _make(client, change)
        if change.wanted.path is not None:
            _keep(change.wanted.path, made["key"])
            kept = True
        for number in (*([] if old is None else [old]), *(row["id"] for row in change.clears)):
            _remove(client, number)
    except XinferenceError as error:
        if kept:
            # Whoever reads the file has the new one already.
            raise with_words(error, f"The new key is in its file; the old one still works, and is called '{aside}' until the next run removes it.") from error
        raise _undone(client, change, error, made.get("id"), old) from error
    described = {**(change.key or {}), "id": made["id"], "prefix": made.get("prefix")}
    return KeyOutcome(described, made["key"] if change.wanted.path is None else None)


def _make(client: ApiKeysApi, change: KeyChange) -> NewKey:
    """Make a key; what the server answered, with the key."""
    key, found = change.key or {}, change.seen.found
    access = change.wanted.access if change.wanted.access is not None else access_of(found[0]) if found else ALL_MODELS
    request: KeyRequest = {"name": key["name"], "description": key["description"], "expires_at": key["expires_at"], "model_permissions": rows_of(access)}
    if change.seen.owner_id is not None:
        request["owner"] = change.seen.owner_id
    made = client.create_key(request)
    # A new key is enabled, and one without any permission would get all of them.
    later: KeyChanges = {} if key["enabled"] else {"enabled": False}
    if not access:
        later["model_permissions"] = []
    if later:
        try:
            client.update_key(made["id"], later)
        except XinferenceError as error:
            raise _undone(client, change, error, made["id"], None) from error
    return made


def _update(client: ApiKeysApi, change: KeyChange) -> None:
    """Change a key that is there, and write its file."""
    # Of the names of fields only these two are not the server's.
    fields = cast("KeyChanges", {name: pair["declared"] for name, pair in change.drift.items() if name not in ("models", "model_types")})
    if change.wanted.access is not None and ("models" in change.drift or "model_types" in change.drift):
        fields["model_permissions"] = rows_of(change.wanted.access)
    if fields:
        client.update_key(change.seen.found[0]["id"], fields)
    if change.writes and change.wanted.path is not None:
        _keep(change.wanted.path, change.seen.secret or "")


def _remove(client: ApiKeysApi, key: int) -> None:
    """Remove a key, unless another client just did."""
    try:
        client.remove_key(key)
    except ApiError as error:
        if error.status != 404:
            raise


def _keep(path: str, key: str) -> None:
    """Write the file."""
    try:
        replace_private(Path(path), f"{key}\n")
    except OSError as error:
        raise XinferenceError(f"path '{path}' cannot be written: {error.strerror or error}.") from error


def _undone(client: ApiKeysApi, change: KeyChange, error: XinferenceError, made: int | None, old: int | None) -> XinferenceError:
    """The error that ended it, after the new key was removed and the old one got its name back."""
    try:
        if made is not None:
            _remove(client, made)
        if old is not None:
            client.update_key(old, {"name": change.wanted.name})
    except XinferenceError as second:
        return with_words(error, f"Undoing it failed as well: {second}")
    words = " ".join(["The new key was removed."] * (made is not None) + ["The old one goes on as before."] * (old is not None))
    return with_words(error, words) if words else error
