# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A server's users and API keys. Private to this collection."""

from __future__ import annotations

import contextlib
import functools
from typing import cast

from ..base.errors import ApiError, AuthenticationError
from .connection import ServerConnection
from .rows import AccountChanges, AccountRow, KeyChanges, KeyRequest, KeyRow, NewKey, SetupStatus
from .session import Session

__all__ = ["AdminClient"]


class AdminClient(ServerConnection):
    """The requests for them."""

    def accounts(self) -> list[AccountRow] | None:
        """Accounts of every source; None where the server has none that can be managed."""
        rows = self._if_there("GET", "/v1/admin/users") if self._setup else None
        return None if rows is None else list(rows)

    def create_account(self, name: str, password: str, permissions: list[str]) -> int:
        """Make an account, and return its number. It is enabled."""
        return int(self._call("POST", "/v1/admin/users", json={"username": name, "password": password, "permissions": permissions})["id"])

    def update_account(self, account: int, changes: AccountChanges) -> None:
        """Change ``enabled`` or the whole list ``permissions`` of an account."""
        self._call("PUT", f"/v1/admin/users/{account}", json=changes)

    def set_account_password(self, account: int, password: str) -> None:
        """Give an account another password. All that its tokens could do ends at once."""
        self._call("PUT", f"/v1/admin/users/{account}/password", json={"new_password": password})

    def remove_account(self, account: int) -> None:
        """Remove an account, and with it all its API keys."""
        self._call("DELETE", f"/v1/admin/users/{account}")

    def accepts(self, name: str, password: str) -> bool:
        """Whether this login works; tried once, in a session of its own that is logged out again.

        The server refuses a disabled account too, whatever its password is. It does not count these tries.
        """
        session = Session(self._session.timeout)
        session.verify, session.trust_env, session.credentials = self._session.verify, self._session.trust_env, True
        try:
            answer = session.request("POST", f"{self.endpoint}/token", json={"username": name, "password": password}).json()
            # Logging in leaves a token behind that could be renewed for days.
            with contextlib.suppress(ApiError, AttributeError):
                session.request("POST", f"{self.endpoint}/v1/auth/logout", json={"refresh_token": answer.get("refresh_token") or ""})
        except AuthenticationError as error:
            if error.status == 401:
                return False
            raise
        finally:
            session.close()
        return True

    def shortest_password(self) -> int:
        """How many characters a new password must have; needs no account."""
        return int(self._setup["password_min_length"])

    @functools.cached_property
    def _setup(self) -> SetupStatus:
        """What the server reports of its first administrator, which needs no account; nothing where there are no accounts that this client can manage.

        Servers before 3.0 are among these: their accounts have other fields, scopes and rules.
        """
        return cast("SetupStatus", self._if_there("GET", "/v1/admin/setup/status") or {})

    def keys(self) -> list[KeyRow] | None:
        """API keys, without the keys themselves: of all accounts, or of this one where it may not see others. None where the server has none."""
        rows = self._if_there("GET", "/v1/admin/keys") if self._setup else None
        return None if rows is None else list(rows)

    def create_key(self, request: KeyRequest) -> NewKey:
        """Make an API key; ``id``, ``prefix`` and ``key``. Without ``owner``, the number of an account, it belongs to this account."""
        return cast("NewKey", dict(self._call("POST", "/v1/admin/keys", json=request)))

    def update_key(self, key: int, changes: KeyChanges) -> None:
        """Change ``name``, ``description``, ``enabled``, ``expires_at`` or ``model_permissions`` of an API key."""
        self._call("PUT", f"/v1/admin/keys/{key}", json=changes)

    def remove_key(self, key: int) -> None:
        """Remove an API key."""
        self._call("DELETE", f"/v1/admin/keys/{key}")

    def reveal_key(self, key: int) -> str | None:
        """An API key itself; None where the server cannot decrypt it any more."""
        answer = self._if_there("GET", f"/v1/admin/keys/{key}/reveal")
        return None if answer is None else str(answer["key"])
