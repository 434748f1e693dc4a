# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one place that talks to a server: xinference-client, and what it lacks. Private to this collection.

What is added: a timeout on every request, TLS options, typed errors with the server's words, one new login when a token
expires, a few retries of reads, and the endpoints for which the client has no method.
"""

from __future__ import annotations

import json
import time
from typing import Any
from urllib.parse import urlparse

from .errors import ApiError, AuthenticationError, ConnectionFailed

try:
    import requests
    from xinference_client import RESTfulClient
except ImportError as error:
    #: Why there can be no client on this host; None where there can.
    MISSING: ImportError | None = error
    SessionBase: Any = object
    ClientBase: Any = object
else:
    MISSING = None
    SessionBase = requests.Session
    ClientBase = RESTfulClient

__all__ = ["MISSING", "Client"]

#: Statuses after which a read is tried again: a proxy or a restarting server, not an answer.
_PASSING = frozenset({502, 503, 504})
_READ_TRIES = 3
_STRANGER = "this is not the answer of an Xinference server; look at the endpoint's address and port"
_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


def _words(response: requests.Response) -> str:
    """The server's own words: the field ``detail``, else the text; some errors are no JSON."""
    try:
        detail = response.json()["detail"]
    except (ValueError, KeyError, TypeError):
        text = response.text.strip()
        return text[:500] if text and not text.startswith("<") else response.reason or "no explanation"
    return detail if isinstance(detail, str) else str(detail)


class _Session(SessionBase):  # type: ignore[misc]
    """A session whose requests have a timeout, raise typed errors and renew an expired token once."""

    def __init__(self, timeout: float) -> None:
        super().__init__()
        self.timeout = timeout
        self.pause = 1.0
        self.renew: Any = None

    def request(self, method: str, url: str, **options: Any) -> requests.Response:
        """Send a request.

        :param method: HTTP method.
        :param url: address.
        :returns: an answer with a status below 400.
        :raises ConnectionFailed: when no answer comes.
        :raises AuthenticationError: on 401, 403 and 429.
        :raises ApiError: on any other status of 400 and above.
        """
        options.setdefault("timeout", self.timeout)
        tries = _READ_TRIES if method.upper() == "GET" else 1
        response = self._send(tries, method, url, **options)
        if response.status_code == 401 and self.renew is not None:
            token = self.renew()
            if token:
                headers = {**(options.get("headers") or {}), "Authorization": f"Bearer {token}"}
                response = self._send(tries, method, url, **{**options, "headers": headers})
        if response.status_code < 400:
            if "json" not in response.headers.get("Content-Type", ""):
                raise ApiError(method, url, response.status_code, _STRANGER)
            return response
        kind = AuthenticationError if response.status_code in (401, 403, 429) else ApiError
        raise kind(method, url, response.status_code, _words(response))

    def _send(self, tries: int, method: str, url: str, **options: Any) -> requests.Response:
        """The answer to a request, whatever its status."""
        for attempt in range(1, tries + 1):
            last = attempt == tries
            try:
                response: requests.Response = super().request(method, url, **options)
            except requests.Timeout as error:
                raise ConnectionFailed(f"{method} {url}: no answer within {options['timeout']:g} s.") from error
            except requests.exceptions.SSLError as error:
                raise ConnectionFailed(f"{method} {url}: the certificate is not trusted ({_root(error)}); give its authority as ca_path.") from error
            except requests.ConnectionError as error:
                if last:
                    raise ConnectionFailed(f"{method} {url}: no connection ({_root(error)}).") from error
            except requests.RequestException as error:
                raise ConnectionFailed(f"{method} {url}: {error}") from error
            else:
                if response.status_code not in _PASSING or last:
                    break
            time.sleep(self.pause)
        return response


def _root(error: BaseException) -> str:
    """The innermost reason of a transport error, without object addresses."""
    reason: Any = error
    while getattr(reason, "args", None) and isinstance(reason.args[0], BaseException):
        reason = reason.args[0]
    reason = getattr(reason, "reason", reason)
    text = str(reason)
    return text.rsplit(": ", maxsplit=1)[-1] if "object at 0x" in text or "HTTP" in text else text


class _Api(ClientBase):  # type: ignore[misc]
    """xinference-client on our session; its constructor would make a request on one of its own."""

    def __init__(self, endpoint: str, session: _Session) -> None:
        self.base_url = endpoint
        self._headers: dict[str, str] = {}
        self._cluster_authed = False
        self.session = session
        try:
            self._check_cluster_authenticated()
        except ApiError as error:
            # Servers without authentication may lack the route.
            if error.status != 404:
                raise
        except (KeyError, TypeError) as error:
            raise ApiError("GET", f"{endpoint}/v1/cluster/auth", 200, _STRANGER) from error


class Client:
    """A connection to one Xinference server.

    :param endpoint: base address such as ``http://127.0.0.1:9997``.
    :param username: account; not needed where the server has no authentication.
    :param password: its password.
    :param timeout: seconds until a request without an answer fails.
    :param verify: True, False, or the path of a file with trusted authorities.
    :raises ConnectionFailed: when the server does not answer.
    :raises AuthenticationError: when it refuses the credentials; they are tried once.
    """

    def __init__(self, endpoint: str, *, username: str | None = None, password: str | None = None, timeout: float = 30.0, verify: bool | str = True) -> None:
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
        self._session = _Session(timeout)
        self._session.verify = verify
        if address.hostname in _LOOPBACK:
            # A proxy of the environment cannot reach this machine's loopback.
            self._session.trust_env = False
        self._api = _Api(self.endpoint, self._session)
        if self._api._cluster_authed:
            if self._credentials is None:
                raise AuthenticationError("GET", f"{self.endpoint}/v1/models", 401, "the server asks for an account; give username and password.")
            self._login()
            self._session.renew = self._renew

    @property
    def authenticated(self) -> bool:
        """Whether the server asks for an account."""
        return bool(self._api._cluster_authed)

    def _login(self) -> None:
        """Log in once. A wrong password is never repeated: the server bans an address after a few."""
        self._session.renew = None
        if self._credentials is not None:
            self._api.login(*self._credentials)

    def _renew(self) -> str | None:
        """A new token after an old one expired; the hook is off while it works, so that it cannot recurse."""
        self._login()
        self._session.renew = self._renew
        token: str | None = self._api._get_token()
        return token

    def _get(self, path: str, **options: Any) -> Any:
        return self._session.get(f"{self.endpoint}{path}", headers=self._api._headers, **options).json()

    def list_models(self) -> dict[str, dict[str, Any]]:
        """Descriptions of the running models by uid."""
        return dict(self._api.list_models())

    def list_instances(self) -> list[dict[str, Any]]:
        """Every instance that the server remembers, failed ones included."""
        return list(self._api.get_instance_info(None, None))

    def list_registrations(self, model_type: str) -> dict[str, bool]:
        """Names of the registered models of a type, and whether each is built in."""
        return {str(item["model_name"]): bool(item["is_builtin"]) for item in self._api.list_model_registrations(model_type)}

    def engines(self, model_type: str, name: str) -> dict[str, Any] | None:
        """Engines for a model of the catalogue: a list of what each can load, or its reason why not; None for an unknown model."""
        answer = self._get(f"/v1/engines/{model_type}/{name}")
        return answer if isinstance(answer, dict) else None

    def register(self, model_type: str, specification: dict[str, Any]) -> None:
        """Register a custom model so that it survives a restart of the server."""
        self._api.register_model(model_type=model_type, model=json.dumps(specification), persist=True)

    def launch(self, request: dict[str, Any]) -> None:
        """Ask for a launch and return at once; the server validates and loads in the background.

        Sent without the client's method, which adds empty keys that older servers hand to the engine.
        """
        self._session.post(f"{self.endpoint}/v1/models", json=request, params={"wait_ready": "false"}, headers=self._api._headers)

    def terminate(self, uid: str) -> None:
        """Stop a running model."""
        self._api.terminate_model(uid)

    def cancel(self, uid: str) -> None:
        """Stop a launch under way; the server answers when it has unwound."""
        self._session.post(f"{self.endpoint}/v1/models/{uid}/cancel", headers=self._api._headers, timeout=max(self._session.timeout, 90))

    def workers(self) -> list[str]:
        """Addresses of the registered workers; needs no account."""
        status = self._session.get(f"{self.endpoint}/status").json()
        return sorted(status.get("workers") or {})

    def version(self) -> str | None:
        """Version of the server; None where the account may not see it."""
        try:
            return str(self._get("/v1/cluster/version")["version"])
        except AuthenticationError:
            return None

    def close(self) -> None:
        """Close the connection."""
        self._api.close()
