# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A session whose requests have a timeout, typed errors and one new login. What comes back is bounded. Private to this collection."""

from __future__ import annotations

import functools
import importlib.util
import sys
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urljoin, urlparse

from ..base.bounded import Answer, TooMuch, decoded
from ..base.errors import ApiError, AuthenticationError, ConnectionFailed, NoAnswer, NotReached
from ..base.messages import shown

__all__ = ["LOOPBACK", "MISSING", "PORTS", "READ_TRIES", "STRANGER", "Session"]


def _synchronous_client() -> Any:
    """Class of the client, without the asynchronous half that its package imports besides, and that takes longer than all the rest."""
    name = "xinference_client"
    spec = None if name in sys.modules else importlib.util.find_spec(name)
    if spec is not None:
        # The package is there for its submodule, but not executed; who imports it later gets it whole.
        sys.modules[name] = importlib.util.module_from_spec(spec)
    try:
        from xinference_client.client.restful.restful_client import Client as Synchronous
    except ImportError:
        # A release that keeps it elsewhere: its public name is the same.
        Synchronous = None
    finally:
        if spec is not None:
            del sys.modules[name]
    if Synchronous is None:
        from xinference_client import RESTfulClient as Synchronous
    return Synchronous


try:
    import requests
    from urllib3.exceptions import NewConnectionError

    ClientBase: Any = _synchronous_client()
except Exception as error:
    #: Why there can be no client on this host; None where there can. Packages of another Python raise anything.
    MISSING: Exception | None = error
    SessionBase: Any = object
    AdapterBase: Any = object
    ClientBase = object
else:
    MISSING = None
    SessionBase = requests.Session
    AdapterBase = requests.adapters.HTTPAdapter
#: Statuses after which a read is tried again: a proxy or a restarting server, not an answer.
_PASSING = frozenset({502, 503, 504})
READ_TRIES = 3
STRANGER = "this is not the answer of an Xinference server; check the endpoint's address and port"
LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
PORTS = {"http": 80, "https": 443}
_MOST_REDIRECTS = 5
#: Characters of a server's own words.
_LONGEST = 20_000


def _words(response: requests.Response) -> str:
    """The server's own words: the field ``detail``, else the text; some errors are no JSON."""
    try:
        detail = decoded(response.json)["detail"]
    except (ValueError, KeyError, TypeError):
        text = response.text.strip()
        return (text if text and not text.startswith("<") else response.reason or "no explanation")[:500]
    return (detail if isinstance(detail, str) else str(detail))[:_LONGEST]


class _Adapter(AdapterBase):  # type: ignore[misc]
    """Connections whose answers are bounded, see :class:`Answer`."""

    def init_poolmanager(self, *arguments: Any, **options: Any) -> None:
        """Make what makes the connections."""
        super().init_poolmanager(*arguments, **options)
        _bound(self.poolmanager)

    def proxy_manager_for(self, proxy: str, **options: Any) -> Any:
        """The same for connections through a proxy; it is asked for with each request."""
        manager = super().proxy_manager_for(proxy, **options)
        _bound(manager)
        return manager


def _bound(manager: Any) -> None:
    """Let the connections of a manager of urllib3 read what comes as :class:`Answer`."""
    manager.pool_classes_by_scheme = {scheme: _bounded(pool) for scheme, pool in manager.pool_classes_by_scheme.items()}


@functools.cache
def _bounded(pool: Any) -> Any:
    """A class of connections of urllib3 whose answers are bounded. There are several: what goes through a proxy by SOCKS has its own.

    :param pool: without the bounds, or with them already.
    """
    if issubclass(pool.ConnectionCls.response_class, Answer):
        return pool
    return type(pool.__name__, (pool,), {"ConnectionCls": type(pool.ConnectionCls.__name__, (pool.ConnectionCls,), {"response_class": Answer})})


class Session(SessionBase):  # type: ignore[misc]
    """A session whose requests have a timeout, raise typed errors and renew an expired token once."""

    def __init__(self, timeout: float) -> None:
        super().__init__()
        self.timeout = timeout
        self.pause = 1.0
        self.credentials = False
        self.renew: Any = None
        #: Called before anything is sent; raises where it must not be.
        self.check_listener: Callable[[], None] = lambda: None
        #: Called before each try of a request.
        self.before: Callable[[], None] = lambda: None
        for scheme in ("http://", "https://"):
            self.mount(scheme, _Adapter())
        # An answer is bounded by what comes over the network, and must not be more than that.
        self.headers["Accept-Encoding"] = "identity"
        # Who has a .netrc for the host does not mean this server's accounts.
        self.auth = lambda request: request

    def get_redirect_target(self, resp: requests.Response) -> None:
        """Nowhere: what is sent is for this server, and what it writes there need be no address. _send checks where it leads."""

    def request(self, method: str, url: str, **options: Any) -> requests.Response:
        """Send a request.

        :param method: HTTP method.
        :param url: address.
        :returns: an answer with a status below 400.
        :raises ConnectionFailed: when no answer comes, or when a stranger would get what is sent.
        :raises AuthenticationError: on 401, 403 and 429.
        :raises ApiError: on any other status of 400 and above.
        """
        options.setdefault("timeout", self.timeout)
        # Given with the request, or a bundle of CAs that the environment names would count in place of the one that was chosen.
        options.setdefault("verify", self.verify)
        tries = options.pop("tries", READ_TRIES if method.upper() == "GET" else 1)
        response = self._send(tries, method, url, **options)
        if response.status_code == 401 and self.renew is not None:
            token = self.renew()
            if token:
                headers = {**(options.get("headers") or {}), "Authorization": f"Bearer {token}"}
                response = self._send(tries, method, url, **{**options, "headers": headers})
        if response.is_redirect:
            raise ApiError(
                method, url, response.status_code, f"it leads to '{shown(response.headers['Location'])}', which gets no account; give that as endpoint"
            )
        if response.status_code < 400:
            try:
                if "json" not in response.headers.get("Content-Type", ""):
                    raise ValueError("no JSON")
                # Here once, so that no caller, and no method of the client, meets half an answer, or one that is nested without end.
                decoded(response.json)
            except ValueError as error:
                raise ApiError(method, url, response.status_code, STRANGER) from error
            return response
        if response.status_code == 401 and not self.credentials:
            raise AuthenticationError(method, url, 401, "the server asks for an account; give username and password.")
        kind = AuthenticationError if response.status_code in (401, 403, 429) else ApiError
        raise kind(method, url, response.status_code, _words(response))

    def _send(self, tries: int, method: str, url: str, **options: Any) -> requests.Response:
        """The answer to a request, whatever its status. A redirect is followed by what only reads, and to the same server alone."""
        for _redirect in range(_MOST_REDIRECTS):
            response = self._try(tries, method, url, **options)
            target = _same_server(url, response.headers["Location"]) if response.is_redirect and method.upper() == "GET" else None
            if target is None:
                break
            url = target
        return response

    def _try(self, tries: int, method: str, url: str, **options: Any) -> requests.Response:
        """The answer to a request to one address."""
        for attempt in range(1, tries + 1):
            last = attempt == tries
            self.before()
            self.check_listener()
            try:
                response: requests.Response = super().request(method, url, **options)
            except TooMuch as error:
                raise ConnectionFailed(f"{method} {url}: {error}.") from error
            except requests.Timeout as error:
                raise NoAnswer(f"{method} {url}: no answer within {options['timeout']:g} s.") from error
            except requests.exceptions.SSLError as error:
                raise ConnectionFailed(f"{method} {url}: the certificate is not trusted ({_root(error)}); give its CA as ca_path.") from error
            except requests.ConnectionError as error:
                if last:
                    kind = NotReached if _refused(error) else ConnectionFailed
                    raise kind(f"{method} {url}: no connection ({_root(error)}).") from error
            except requests.RequestException as error:
                raise ConnectionFailed(f"{method} {url}: {error}") from error
            else:
                if response.status_code not in _PASSING or last:
                    break
            time.sleep(self.pause)
        # Whatever it says of itself: some encodings take hours to read, and so does guessing one.
        response.encoding = "utf-8"
        return response


def _same_server(url: str, location: str) -> str | None:
    """Where an answer leads, if that is the same server; None where it is another one, or no address."""
    try:
        target = urljoin(url, location)
        here, there = ((address.scheme, address.hostname, address.port or PORTS.get(address.scheme)) for address in (urlparse(url), urlparse(target)))
    except ValueError:
        return None
    return target if here == there else None


def _refused(error: BaseException) -> bool:
    """Whether no connection came about, so that nothing was sent: refused, or the name is unknown."""
    return any(isinstance(getattr(part, "reason", None), NewConnectionError) for part in error.args)


def _root(error: BaseException) -> str:
    """The innermost reason of a transport error, without object addresses."""
    reason: Any = error
    inner: Any = error
    while inner is not None:
        reason = inner
        inner = next((part for part in getattr(reason, "args", ()) if isinstance(part, BaseException)), None)
    reason = getattr(reason, "reason", reason)
    text = str(reason)
    return text.rsplit(": ", maxsplit=1)[-1] if "object at 0x" in text or "HTTP" in text else text
