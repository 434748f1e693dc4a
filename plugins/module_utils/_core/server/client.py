# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Everything that is asked of a server. Private to this collection."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, cast
from urllib.parse import quote

from ..base.errors import ApiError, AuthenticationError, NoAnswer
from .admin import AdminClient
from .rows import AutostartEntry, AutostartRow, CachedRow, DownloadRow, Engines, HistoryRow, InstanceRow, ModelRow, Progress, ServerStatus
from .session import READ_TRIES

__all__ = ["Client", "connection_arguments", "first_accepted"]


#: Seconds for which the server may load replicas of a model before it answers.
LOAD_TIMEOUT = 600.0
#: Seconds after which a request for a download is dropped; the server goes on.
DOWNLOAD_MOMENT = 3.0


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
    """Arguments of :class:`Client` from the options of a connection, which the fragment ``_connection`` documents; all but endpoint and password."""
    return {
        "username": options["username"],
        "timeout": options["timeout"],
        "verify": options["ca_path"] if options["validate_certs"] and options["ca_path"] else options["validate_certs"],
        # A declaration that an earlier version stored has neither.
        "listener_users": options.get("listener_users") or (),
        "allow_plain_http": bool(options.get("allow_plain_http")),
    }


class Client(AdminClient):
    """Everything that is asked of a server."""

    def list_models(self) -> dict[str, ModelRow]:
        """Descriptions of the running models by uid."""
        return dict(self._api.list_models())

    def describe(self, uid: str) -> ModelRow | None:
        """Description of a running model; empty for one that still loads, None for one that is not served.

        Fresher than the list, which the server keeps for some seconds.
        """
        try:
            # 503 means that it is loading, so it is an answer and no reason to try again.
            return cast("ModelRow", dict(self._call("GET", f"/v1/models/{quote(uid, safe='')}", tries=1)))
        except AuthenticationError:
            raise
        except ApiError as error:
            if error.status in (400, 404, 503):
                return {} if error.status == 503 else None
            raise

    def list_instances(self) -> list[InstanceRow]:
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

    def engines(self, model_type: str, name: str) -> Engines | None:
        """Engines for a model of the catalogue: a list of what each can load, or its reason why not; None for an unknown model."""
        answer = self._call("GET", f"/v1/engines/{model_type}/{quote(name, safe='')}")
        return answer if isinstance(answer, dict) else None

    def register(self, model_type: str, specification: dict[str, Any], persist: bool = True) -> None:
        """Register a custom model, by default so that it survives a restart of the server."""
        self._api.register_model(model_type=model_type, model=json.dumps(specification), persist=persist)

    def unregister(self, model_type: str, name: str) -> None:
        """Remove a custom model's registration; the server answers yes to unknown names as well. Running models keep serving."""
        self._api.unregister_model(model_type, quote(name, safe=""))

    def launch(self, request: dict[str, Any]) -> None:
        """Ask for a launch and return at once; the server validates and loads in the background.

        Sent without the client's method, which adds empty keys that older servers hand to the engine.
        """
        self._call("POST", "/v1/models", json=request, params={"wait_ready": "false"})

    def clear_orphan(self, uid: str, replicas: int) -> None:
        """Free an orphaned model, whose launch was cancelled too late.

        Every server clears it away when it refuses another launch of that name, and this launch can only be refused: nothing knows such an engine.

        :param replicas: how many there are of the model.
        """
        request = {"model_uid": uid, "model_name": uid, "model_type": "LLM", "model_engine": "none", "replica": replicas}
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

    def progress(self, uid: str) -> Progress:
        """How far a launch is: ``progress`` from 0 to 1 and, on newer servers, ``stage`` and ``download_files``."""
        return cast("Progress", dict(self._api.get_launch_model_progress(quote(uid, safe=""))))

    def add_replicas(self, uid: str, count: int, worker: str | None = None) -> None:
        """Add replicas to a running model; the server answers when they are ready.

        :param uid: the model.
        :param count: how many.
        :param worker: address of the worker that is to run them, as host:port; None leaves it to the server, wherever the model runs.
        """
        request: dict[str, Any] = {"replica": count}
        if worker is not None:
            request["replica_config"] = [{"devices": [{"worker_ip": worker}]} for _replica in range(count)]
        self._call("POST", f"/v1/models/{quote(uid, safe='')}/replicas", json=request, timeout=max(self._session.timeout, LOAD_TIMEOUT))

    def remove_replica(self, uid: str, replica_id: int) -> None:
        """Take one copy of a running model away."""
        self._call("DELETE", f"/v1/models/{quote(uid, safe='')}/replicas/{replica_id}")

    def history(self) -> list[HistoryRow] | None:
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

    def autostart(self) -> list[AutostartRow] | None:
        """Autostart entries with what became of them, secrets masked; None where the server has no autostart."""
        answer = self._if_there("GET", "/v1/autostart/models")
        return None if answer is None else list(answer["models"])

    def set_autostart(self, entry: AutostartEntry) -> None:
        """Write an autostart entry. The server launches its model at once, unless it is there."""
        self._api.upsert_autostart_model(entry)

    def remove_autostart(self, uid: str) -> None:
        """Remove an autostart entry; the server answers yes to unknown ones as well."""
        self._api.remove_autostart_model(uid)

    def routes(self) -> frozenset[str]:
        """What the server offers, as ``POST /v1/models``; asked only when a plan depends on it."""
        paths = self._call("GET", "/openapi.json")["paths"]
        return frozenset(f"{method.upper()} {path}" for path, methods in paths.items() for method in methods)

    def cached(self) -> list[CachedRow]:
        """Models whose files are on the server."""
        return list(self._call("GET", "/v1/cache/models")["list"])

    def cache(self, request: dict[str, Any]) -> bool:
        """Download the files of a model without launching it; False when the server goes on after the request was dropped."""
        try:
            self._call("POST", "/v1/cache/models", json=request, timeout=DOWNLOAD_MOMENT)
        except NoAnswer:
            return False
        return True

    def resume_download(self, cache_uid: str) -> None:
        """Let the server go on with a download that was interrupted."""
        self._call("POST", f"/v1/downloads/{quote(cache_uid, safe='')}/resume")

    def downloads(self) -> list[DownloadRow]:
        """Downloads that have not ended well, those under way included."""
        return list(self._call("GET", "/v1/downloads")["list"])

    def remove_cached(self, model_version: str) -> None:
        """Delete the files of a downloaded model; the server answers yes to unknown ones as well."""
        self._call("DELETE", "/v1/cache/models", params={"model_version": model_version})

    def ask(self, route: str, question: dict[str, Any], timeout: float) -> dict[str, Any]:
        """Answer of a model to a request of inference, such as ``chat/completions``."""
        return dict(self._call("POST", f"/v1/{route}", json=question, timeout=timeout))

    def status(self, *, patient: bool = True) -> ServerStatus:
        """Uptime and workers of the server with their resources; needs no account.

        :param patient: whether it is asked again when no answer comes, as with any other read.
        """
        return cast("ServerStatus", dict(self._session.get(f"{self.endpoint}/status", tries=READ_TRIES if patient else 1).json()))

    def workers(self) -> list[str]:
        """Addresses of the registered workers; needs no account."""
        return sorted(self.status().get("workers") or {})

    def bans(self) -> list[str] | None:
        """Addresses that the server's guard bans; None where it has none, or the account may not see them."""
        try:
            found = self._call("GET", "/v1/admin/security/banned-ips")
        except ApiError as error:
            if error.status in (401, 403, 404, 405):
                return None
            raise
        return [str(row["ip"]) for row in found if isinstance(row, Mapping) and row.get("ip")] if isinstance(found, list) else []

    def version(self) -> str | None:
        """Version of the server; None where the account may not see it."""
        try:
            return str(self._call("GET", "/v1/cluster/version")["version"])
        except AuthenticationError:
            return None
