# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A connection to a server: who logs in, what nobody else may get, and one new login when a token expires. Private to this collection."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any, TypeVar
from urllib.parse import urlparse

from ..base.errors import ApiError, AuthenticationError, ConnectionFailed, NotReached
from ..host.listeners import own_addresses, strangers
from .session import LOOPBACK, PORTS, STRANGER, ClientBase, Session

__all__ = ["ServerConnection"]

Connected = TypeVar("Connected", bound="ServerConnection")

#: What a server answers on a route that it does not have; the page of its user interface takes every other path.
_NO_ROUTE = frozenset({404, 405})


class _Api(ClientBase):  # type: ignore[misc]
    """xinference-client on our session; its constructor would make a request on one of its own."""

    def __init__(self, endpoint: str, session: Session) -> None:
        self.base_url = endpoint
        self._headers: dict[str, str] = {}
        # Without it the client's own login does nothing.
        self._cluster_authed = True
        self.session = session


def _require_base(endpoint: str) -> None:
    """Require that an endpoint holds nothing that does not belong there, to which every route would be joined.

    :raises ConnectionFailed: when it does. An account in it is not repeated.
    """
    host, _slash, path = endpoint.rpartition("://")[2].partition("/")
    if "@" in host:
        raise ConnectionFailed("endpoint holds an account; give username and password by the options of these names, and the address alone.")
    if host and ("v1" in path.split("/") or path.strip("/") in ("ui", "docs", "status") or not {"?", "#"}.isdisjoint(endpoint)):
        raise ConnectionFailed(f"endpoint '{endpoint}' holds more than the address of the server; give the part before it, such as http://127.0.0.1:9997.")


class ServerConnection:
    """A connection to one Xinference server.

    :param endpoint: base address such as ``http://127.0.0.1:9997``.
    :param username: account; not needed where the server has no authentication.
    :param password: its password.
    :param timeout: seconds until a request without an answer fails.
    :param verify: True, False, or the path of a file with trusted CAs.
    :param keep_alive: whether a connection is kept for the next request. A server that is stopped waits up to five seconds for whoever keeps one.
    :param listener_users: users of this machine, by name or number, who may listen where the endpoint is on it.
    :param allow_plain_http: whether a password may go to another machine without TLS.
    :param adapter: through which requests go in place of a network, as of :class:`.relay.RelayAdapter`.
    :raises ConnectionFailed: when the server does not answer, or when a stranger would get the password.
    :raises AuthenticationError: when it refuses the credentials; they are tried once.
    """

    def __init__(
        self,
        endpoint: str,
        *,
        username: str | None = None,
        password: str | None = None,
        timeout: float = 30.0,
        verify: bool | str = True,
        keep_alive: bool = True,
        listener_users: Sequence[str] = (),
        allow_plain_http: bool = False,
        adapter: Any = None,
    ) -> None:
        _require_base(endpoint)
        wrong = ConnectionFailed(f"endpoint '{endpoint}' is not an address such as http://127.0.0.1:9997.")
        try:
            address = urlparse(endpoint)
            port = address.port
        except ValueError as error:
            raise wrong from error
        if address.scheme not in ("http", "https") or not address.hostname or port == 0:
            raise wrong
        self.endpoint = endpoint.rstrip("/")
        self._credentials = (username, password) if username and password else None
        self._session = Session(timeout)
        self._session.verify = verify
        self._session.credentials = self._credentials is not None
        self._adapter = adapter
        if adapter is not None:
            self._session.mount("http://", adapter)
        elif self._credentials is not None and (address.scheme == "http" or verify is False):
            self._guard(address.scheme, address.hostname, port or PORTS[address.scheme], listener_users, allow_plain_http)
        if not keep_alive:
            self._session.headers["Connection"] = "close"
        if address.hostname in LOOPBACK:
            # A proxy of the environment cannot reach this machine's loopback.
            self._session.trust_env = False
        self._api = _Api(self.endpoint, self._session)
        self.authenticated = self._login()
        if self.authenticated:
            self._session.renew = self._renew

    def _guard(self, scheme: str, host: str, port: int, users: Sequence[str], allow_plain_http: bool) -> None:
        """Make sure that accounts go to no other user of this machine, and over no network in clear.

        While a server is down, whoever listens on its port would get them; the certificate of TLS keeps them from it.
        """
        try:
            addresses = own_addresses(host, port)
        except OSError:
            # The first request shows it.
            return
        if not addresses:
            if scheme == "http" and not allow_plain_http:
                raise ConnectionFailed(
                    f"endpoint '{self.endpoint}' is on another machine and without TLS, where the password could be read on its way; use https, or set "
                    "allow_plain_http to true."
                )
            return

        def check_listener() -> None:
            found = strangers(addresses, port, users)
            if found:
                raise NotReached(
                    f"endpoint '{self.endpoint}': on port {port} of this machine listens a process of user {' and '.join(found)}, and not the server's; "
                    "nothing was sent to it. End it, or name that user in listener_users if it is the server's."
                )

        self._session.check_listener = check_listener

    @property
    def username(self) -> str | None:
        """The account that is logged in; None where the server asked for none."""
        return self._credentials[0] if self._credentials is not None and self.authenticated else None

    def before_each_request(self, call: Callable[[], None]) -> None:
        """Have something called before each request on this connection, such as a sign of life. A :meth:`twin` does not do it."""
        self._session.before = call

    def use_password(self, password: str) -> None:
        """Log in again with another password, after that of this account was changed: every token that it had is worth nothing from then on."""
        if self._credentials is not None:
            self._credentials = (self._credentials[0], password)
            if self._login():
                self._session.renew = self._renew

    def _login(self) -> bool:
        """Log in once; returns whether the server knows accounts. A wrong password is never repeated: the server bans an address after a few."""
        self._session.renew = None
        if self._credentials is None:
            return False
        try:
            self._api.login(*self._credentials)
        except AuthenticationError:
            raise
        except ApiError as error:
            # A server without authentication has no such route, or stumbles over it.
            if error.status in _NO_ROUTE or self._open():
                return False
            raise
        except (KeyError, TypeError) as error:
            raise ApiError("POST", f"{self.endpoint}/token", 200, STRANGER) from error
        return True

    def _open(self) -> bool:
        """Whether the server reports that it knows no accounts."""
        try:
            return self._call("GET", "/v1/cluster/auth").get("auth") is False
        except (ApiError, AttributeError):
            return False

    def _renew(self) -> str | None:
        """A new token after an old one expired; the hook is off while it works, so that it cannot recurse."""
        if not self._login():
            return None
        self._session.renew = self._renew
        token: str | None = self._api._get_token()
        return token

    def _call(self, method: str, path: str, **options: Any) -> Any:
        """Answer to a request for which xinference-client has no method, or one that hides what we need."""
        return self._session.request(method, f"{self.endpoint}{path}", headers=self._api._headers, **options).json()

    def _if_there(self, method: str, path: str, **options: Any) -> Any:
        """The same, or None where the server has no such route."""
        try:
            return self._call(method, path, **options)
        except AuthenticationError:
            raise
        except ApiError as error:
            if error.status in _NO_ROUTE:
                return None
            raise

    def twin(self: Connected) -> Connected:
        """The same login on connections of its own: for another thread, because a session of requests is for one."""
        other = copy.copy(self)
        other._session = Session(self._session.timeout)
        for name in ("verify", "credentials", "check_listener", "trust_env", "pause"):
            setattr(other._session, name, getattr(self._session, name))
        other._session.headers.update(self._session.headers)
        if self._adapter is not None:
            other._session.mount("http://", self._adapter)
        other._api = _Api(self.endpoint, other._session)
        other._api._headers.update(self._api._headers)
        if self.authenticated:
            other._session.renew = other._renew
        return other

    def close(self) -> None:
        """Close the connection."""
        self._api.close()
