# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one place that talks to a server: xinference-client, and what it lacks. Private to this collection.

What is added: a timeout on every request, TLS options, typed errors with the server's words, one new login when a token
expires, a few retries of reads, and the endpoints for which the client has no method.
"""

from __future__ import annotations

import contextlib
import copy
import functools
import json
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any
from urllib.parse import quote, urlparse

from ..base.errors import ApiError, AuthenticationError, ConnectionFailed, NoAnswer, NotReached
from ..host.listeners import own_addresses, strangers
from .session import LOOPBACK, PORTS, READ_TRIES, STRANGER, ClientBase, Session

__all__ = ["Client", "connection_arguments", "first_accepted"]

#: What a server answers on a route that it does not have; the page of its user interface takes every other path.
_NO_ROUTE = frozenset({404, 405})
#: Seconds for which the server may load copies of a model before it answers.
LOAD_TIMEOUT = 600.0
#: Seconds after which a request for a download is left to the server.
DOWNLOAD_MOMENT = 3.0


class _Api(ClientBase):  # type: ignore[misc]
    """xinference-client on our session; its constructor would make a request on one of its own."""

    def __init__(self, endpoint: str, session: Session) -> None:
        self.base_url = endpoint
        self._headers: dict[str, str] = {}
        # Without it the client's own login does nothing.
        self._cluster_authed = True
        self.session = session


def first_accepted(passwords: Sequence[str | None], log_in: Callable[[str | None], Client]) -> Client:
    """A client that is logged in with the first of some passwords that the server accepts.

    :param passwords: in the order in which they are tried; the next one only when the server does not know the one before.
    :param log_in: makes a client.
    :raises AuthenticationError: when the server accepts none; that of the first.
    """
    refused: AuthenticationError | None = None
    for password in passwords:
        try:
            return log_in(password)
        except AuthenticationError as error:
            refused = refused or error
            if error.status != 401:
                break
    if refused is None:
        raise ValueError("no password to try")
    raise refused


def connection_arguments(options: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments of :class:`Client` from the options of a connection, which the fragment ``connection`` documents; all but endpoint and password."""
    return {
        "username": options["username"],
        "timeout": options["timeout"],
        "verify": options["ca_path"] if options["validate_certs"] and options["ca_path"] else options["validate_certs"],
        # A declaration that an earlier version stored has neither.
        "listener_users": options.get("listener_users") or (),
        "allow_plain_http": bool(options.get("allow_plain_http")),
    }


def _require_base(endpoint: str) -> None:
    """Require that an endpoint holds nothing that does not belong there, to which every route would be joined.

    :raises ConnectionFailed: when it does. An account in it is not repeated.
    """
    host, _slash, path = endpoint.rpartition("://")[2].partition("/")
    if "@" in host:
        raise ConnectionFailed("endpoint holds an account; give username and password by the options of these names, and the address alone.")
    if host and ("v1" in path.split("/") or path.strip("/") in ("ui", "docs", "status") or not {"?", "#"}.isdisjoint(endpoint)):
        raise ConnectionFailed(f"endpoint '{endpoint}' holds more than the address of the server; give the part before it, such as http://127.0.0.1:9997.")


class Client:
    """A connection to one Xinference server.

    :param endpoint: base address such as ``http://127.0.0.1:9997``.
    :param username: account; not needed where the server has no authentication.
    :param password: its password.
    :param timeout: seconds until a request without an answer fails.
    :param verify: True, False, or the path of a file with trusted authorities.
    :param keep_alive: whether a connection is kept for the next request. A server that is stopped waits up to five seconds for whoever keeps one.
    :param listener_users: users of this machine, by name or number, who may listen where the endpoint is on it.
    :param allow_plain_http: whether a password may go to another machine without TLS.
    :raises ConnectionFailed: when the server does not answer, or somebody would get the password who should not.
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
        if self._credentials is not None and (address.scheme == "http" or verify is False):
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
            # The first request says so.
            return
        if not addresses:
            if scheme == "http" and not allow_plain_http:
                raise ConnectionFailed(
                    f"endpoint '{self.endpoint}' is on another machine and without TLS, where the password could be read on its way; use https, or set "
                    "allow_plain_http to true."
                )
            return

        def guard() -> None:
            found = strangers(addresses, port, users)
            if found:
                raise NotReached(
                    f"endpoint '{self.endpoint}': on port {port} of this machine listens a process of user {' and '.join(found)}, and not the server's; "
                    "nothing was sent to it. End it, or name that user in listener_users if it is the server's."
                )

        self._session.guard = guard

    @property
    def username(self) -> str | None:
        """The account that is logged in; None where the server asked for none."""
        return self._credentials[0] if self._credentials is not None and self.authenticated else None

    def use_password(self, password: str) -> None:
        """Log in again with another password, after that of this account was changed: every token that it had is worth nothing from then on."""
        if self._credentials is not None:
            self._credentials = (self._credentials[0], password)
            if self._login():
                self._session.renew = self._renew

    def _login(self) -> bool:
        """Log in once, and say whether the server knows accounts. A wrong password is never repeated: the server bans an address after a few."""
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
        """Whether the server says that it knows no accounts."""
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

    def list_models(self) -> dict[str, dict[str, Any]]:
        """Descriptions of the running models by uid."""
        return dict(self._api.list_models())

    def describe(self, uid: str) -> dict[str, Any] | None:
        """Description of a running model; empty for one that still loads, None for one that is not served.

        Fresher than the list, which the server keeps for some seconds.
        """
        try:
            # 503 says that it is loading, so it is an answer and no reason to try again.
            return dict(self._call("GET", f"/v1/models/{quote(uid, safe='')}", tries=1))
        except AuthenticationError:
            raise
        except ApiError as error:
            if error.status in (400, 404, 503):
                return {} if error.status == 503 else None
            raise

    def list_instances(self) -> list[dict[str, Any]]:
        """Every instance that the server remembers, failed ones included."""
        return list(self._api.get_instance_info(None, None))

    def registrations(self, model_type: str, names: Collection[str]) -> dict[str, dict[str, Any]]:
        """Specifications of the registered models of a type among these names; one request, however many names."""
        # Servers before 2.0 deny every flexible model that is asked for by its name.
        if len(names) == 1 and model_type != "flexible":
            (name,) = names
            try:
                found = self._call("GET", f"/v1/model_registrations/{model_type}/{quote(name, safe='')}")
            except AuthenticationError:
                raise
            except ApiError as error:
                if error.status in (400, 404):
                    return {}
                raise
            return {name: found} if isinstance(found, dict) else {}
        detailed = self._call("GET", f"/v1/model_registrations/{model_type}", params={"detailed": "true"})
        return {str(item["model_name"]): dict(item) for item in detailed if item.get("model_name") in names}

    def registered_names(self, model_type: str) -> dict[str, bool]:
        """Names of the registered models of a type, and whether each is built in."""
        return {str(item["model_name"]): bool(item["is_builtin"]) for item in self._api.list_model_registrations(model_type)}

    def engines(self, model_type: str, name: str) -> dict[str, Any] | None:
        """Engines for a model of the catalogue: a list of what each can load, or its reason why not; None for an unknown model."""
        answer = self._call("GET", f"/v1/engines/{model_type}/{quote(name, safe='')}")
        return answer if isinstance(answer, dict) else None

    def register(self, model_type: str, specification: dict[str, Any], persist: bool = True) -> None:
        """Register a custom model, by default so that it survives a restart of the server."""
        self._api.register_model(model_type=model_type, model=json.dumps(specification), persist=persist)

    def unregister(self, model_type: str, name: str) -> None:
        """Remove a custom model's registration; the server says yes to unknown names as well. Running models keep serving."""
        self._api.unregister_model(model_type, quote(name, safe=""))

    def launch(self, request: dict[str, Any]) -> None:
        """Ask for a launch and return at once; the server validates and loads in the background.

        Sent without the client's method, which adds empty keys that older servers hand to the engine.
        """
        self._call("POST", "/v1/models", json=request, params={"wait_ready": "false"})

    def clear_orphan(self, uid: str, copies: int) -> None:
        """Free what a launch left behind that was cancelled too late.

        Every server clears it away when it refuses another launch of that name, and this launch can only be refused: nothing knows such an engine.

        :param copies: how many there are of the model.
        """
        request = {"model_uid": uid, "model_name": uid, "model_type": "LLM", "model_engine": "none", "replica": copies}
        try:
            self._call("POST", "/v1/models", json=request, params={"wait_ready": "true"}, tries=1)
        except AuthenticationError:
            raise
        except ApiError as error:
            if error.status != 400:
                raise

    def terminate(self, uid: str) -> None:
        """Stop a running model."""
        self._api.terminate_model(quote(uid, safe=""))

    def cancel(self, uid: str) -> None:
        """Stop a launch under way; the server answers when it has unwound."""
        self._call("POST", f"/v1/models/{quote(uid, safe='')}/cancel", timeout=max(self._session.timeout, 90))

    def progress(self, uid: str) -> dict[str, Any]:
        """How far a launch is: ``progress`` from 0 to 1 and, on newer servers, ``stage`` and ``download_files``."""
        return dict(self._api.get_launch_model_progress(quote(uid, safe="")))

    def add_replicas(self, uid: str, count: int) -> None:
        """Add copies to a running model; the server answers when they are ready."""
        self._call("POST", f"/v1/models/{quote(uid, safe='')}/replicas", json={"replica": count}, timeout=max(self._session.timeout, LOAD_TIMEOUT))

    def remove_replica(self, uid: str, replica_id: int) -> None:
        """Take one copy of a running model away."""
        self._call("DELETE", f"/v1/models/{quote(uid, safe='')}/replicas/{replica_id}")

    def history(self) -> list[dict[str, Any]] | None:
        """Rows of the launch history with the columns of autostart; None where the server has no history.

        Only rows of this account show their whole content.
        """
        rows = self._if_there("GET", "/v1/launch_history")
        return None if rows is None else list(rows)

    def remember(self, name: str, uid: str, data: dict[str, Any]) -> bool:
        """Write a row of the launch history; False where the server has no history."""
        return self._if_there("POST", "/v1/launch_history", json={"model_name": name, "model_uid": uid, "data": data}) is not None

    def forget(self, name: str, uid: str) -> None:
        """Remove a row of the launch history, if it is there."""
        self._if_there("DELETE", f"/v1/launch_history/{quote(name, safe='')}/{quote(uid, safe='')}")

    def autostart(self) -> list[dict[str, Any]] | None:
        """Autostart entries with what became of them, secrets masked; None where the server has no autostart."""
        answer = self._if_there("GET", "/v1/autostart/models")
        return None if answer is None else list(answer["models"])

    def set_autostart(self, entry: dict[str, Any]) -> None:
        """Write an autostart entry. The server launches its model at once, unless it is there."""
        self._api.upsert_autostart_model(entry)

    def remove_autostart(self, uid: str) -> None:
        """Remove an autostart entry; the server says yes to unknown ones as well."""
        self._api.remove_autostart_model(uid)

    def routes(self) -> frozenset[str]:
        """What the server offers, as ``POST /v1/models``; asked only when a plan depends on it."""
        paths = self._call("GET", "/openapi.json")["paths"]
        return frozenset(f"{method.upper()} {path}" for path, methods in paths.items() for method in methods)

    def cached(self) -> list[dict[str, Any]]:
        """Models whose files are on the server."""
        return list(self._call("GET", "/v1/cache/models")["list"])

    def cache(self, request: dict[str, Any]) -> bool:
        """Download the files of a model without launching it; False when the server goes on after the request was left."""
        try:
            self._call("POST", "/v1/cache/models", json=request, timeout=DOWNLOAD_MOMENT)
        except NoAnswer:
            return False
        return True

    def resume_download(self, cache_uid: str) -> None:
        """Let the server go on with a download that was interrupted."""
        self._call("POST", f"/v1/downloads/{quote(cache_uid, safe='')}/resume")

    def downloads(self) -> list[dict[str, Any]]:
        """Downloads that have not ended well, those under way included."""
        return list(self._call("GET", "/v1/downloads")["list"])

    def remove_cached(self, model_version: str) -> None:
        """Delete the files of a downloaded model; the server says yes to unknown ones as well."""
        self._call("DELETE", "/v1/cache/models", params={"model_version": model_version})

    def accounts(self) -> list[dict[str, Any]] | None:
        """Accounts of every source; None where the server has none that can be managed."""
        rows = self._if_there("GET", "/v1/admin/users") if self._setup else None
        return None if rows is None else list(rows)

    def create_account(self, name: str, password: str, permissions: list[str]) -> int:
        """Make an account, and return its number. It is enabled."""
        return int(self._call("POST", "/v1/admin/users", json={"username": name, "password": password, "permissions": permissions})["id"])

    def update_account(self, account: int, changes: dict[str, Any]) -> None:
        """Change ``enabled`` or the whole list ``permissions`` of an account."""
        self._call("PUT", f"/v1/admin/users/{account}", json=changes)

    def set_account_password(self, account: int, password: str) -> None:
        """Give an account another password. All that its tokens could do ends at once."""
        self._call("PUT", f"/v1/admin/users/{account}/password", json={"new_password": password})

    def remove_account(self, account: int) -> None:
        """Remove an account, and with it all its API keys."""
        self._call("DELETE", f"/v1/admin/users/{account}")

    def accepts(self, name: str, password: str) -> bool:
        """Whether somebody can log in so; tried once, in a session of its own that is logged out again.

        The server says no to a disabled account too, whatever its password is. It does not count these tries.
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
    def _setup(self) -> dict[str, Any]:
        """What the server says of its first administrator, which needs no account; nothing where there are no accounts that this client can manage.

        Servers before 3.0 are among these: their accounts have other fields, scopes and rules.
        """
        return self._if_there("GET", "/v1/admin/setup/status") or {}

    def keys(self) -> list[dict[str, Any]] | None:
        """API keys, without the keys themselves: of all accounts, or of this one where it may not see others. None where the server has none."""
        rows = self._if_there("GET", "/v1/admin/keys") if self._setup else None
        return None if rows is None else list(rows)

    def create_key(self, request: dict[str, Any]) -> dict[str, Any]:
        """Make an API key; ``id``, ``prefix`` and ``key``. Without ``owner``, the number of an account, it belongs to this account."""
        return dict(self._call("POST", "/v1/admin/keys", json=request))

    def update_key(self, key: int, changes: dict[str, Any]) -> None:
        """Change ``name``, ``description``, ``enabled``, ``expires_at`` or ``model_permissions`` of an API key."""
        self._call("PUT", f"/v1/admin/keys/{key}", json=changes)

    def remove_key(self, key: int) -> None:
        """Remove an API key."""
        self._call("DELETE", f"/v1/admin/keys/{key}")

    def reveal_key(self, key: int) -> str | None:
        """An API key itself; None where the server cannot decrypt it any more."""
        answer = self._if_there("GET", f"/v1/admin/keys/{key}/reveal")
        return None if answer is None else str(answer["key"])

    def ask(self, route: str, question: dict[str, Any], timeout: float) -> dict[str, Any]:
        """Answer of a model to a request of inference, such as ``chat/completions``."""
        return dict(self._call("POST", f"/v1/{route}", json=question, timeout=timeout))

    def status(self, *, patient: bool = True) -> dict[str, Any]:
        """Uptime and workers of the server with their resources; needs no account.

        :param patient: whether it is asked again when no answer comes, as with any other read.
        """
        return dict(self._session.get(f"{self.endpoint}/status", tries=READ_TRIES if patient else 1).json())

    def workers(self) -> list[str]:
        """Addresses of the registered workers; needs no account."""
        return sorted(self.status().get("workers") or {})

    def version(self) -> str | None:
        """Version of the server; None where the account may not see it."""
        try:
            return str(self._call("GET", "/v1/cluster/version")["version"])
        except AuthenticationError:
            return None

    def twin(self) -> Client:
        """The same login on connections of its own: for another thread, because a session of requests is for one."""
        other = copy.copy(self)
        other._session = Session(self._session.timeout)
        for name in ("verify", "credentials", "guard", "trust_env", "pause"):
            setattr(other._session, name, getattr(self._session, name))
        other._session.headers.update(self._session.headers)
        other._api = _Api(self.endpoint, other._session)
        other._api._headers.update(self._api._headers)
        if self.authenticated:
            other._session.renew = other._renew
        return other

    def close(self) -> None:
        """Close the connection."""
        self._api.close()
