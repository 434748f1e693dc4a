# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What each part of the core asks of a server: :class:`~.client.Client`, or what stands for it in a test. Private to this collection."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Protocol

from .rows import (
    AccountChanges,
    AccountRow,
    AutostartEntry,
    AutostartRow,
    CachedRow,
    DownloadRow,
    Engines,
    HistoryRow,
    InstanceRow,
    KeyChanges,
    KeyRequest,
    KeyRow,
    ModelRow,
    NewKey,
    Progress,
    ServerStatus,
)


class ModelsReadApi(Protocol):
    """The reading half of the client."""

    def list_models(self) -> dict[str, ModelRow]:
        """Descriptions of the running models by uid."""

    def list_instances(self) -> list[InstanceRow]:
        """Every instance that the server remembers, with its state."""

    def describe(self, uid: str) -> ModelRow | None:
        """Description of one running model."""

    def registrations(self, model_type: str, names: Collection[str]) -> dict[str, dict[str, Any]]:
        """Specifications of the registered models of a type among these names."""

    def history(self) -> list[HistoryRow] | None:
        """Rows of the launch history; None where there is none."""

    def autostart(self) -> list[AutostartRow] | None:
        """Autostart entries with what became of them; None where there is no autostart."""


class SmokeTestApi(Protocol):
    """The part of the client that a smoke test needs."""

    def ask(self, route: str, question: dict[str, Any], timeout: float) -> dict[str, Any]:
        """Answer of a model."""

    def describe(self, uid: str) -> ModelRow | None:
        """Description of one running model."""


class DownloadApi(Protocol):
    """The part of the client that downloads."""

    def cache(self, request: dict[str, Any]) -> bool:
        """Ask for a download; False when it goes on after the request was dropped."""

    def resume_download(self, cache_uid: str) -> None:
        """Let the server go on with a download that was interrupted."""

    def downloads(self) -> list[DownloadRow]:
        """Downloads that have not ended well."""


class ModelsApi(ModelsReadApi, SmokeTestApi, DownloadApi, Protocol):
    """The whole client, as far as a plan needs it."""

    def register(self, model_type: str, specification: dict[str, Any], persist: bool = True) -> None:
        """Register a custom model, by default so that it survives a restart of the server."""

    def unregister(self, model_type: str, name: str) -> None:
        """Remove a registration."""

    def status(self) -> ServerStatus:
        """The workers with their resources."""

    def routes(self) -> frozenset[str]:
        """What the server offers."""

    def launch(self, request: dict[str, Any]) -> None:
        """Ask for a launch."""

    def clear_orphan(self, uid: str, replicas: int) -> None:
        """Free an orphaned model, whose launch was cancelled too late."""

    def terminate(self, uid: str) -> None:
        """Stop a running model."""

    def cancel(self, uid: str) -> None:
        """Stop a launch under way."""

    def progress(self, uid: str) -> Progress:
        """How far a launch is."""

    def add_replicas(self, uid: str, count: int, worker: str | None = None) -> None:
        """Add replicas to a running model."""

    def remove_replica(self, uid: str, replica_id: int) -> None:
        """Take a copy away."""

    def set_autostart(self, entry: AutostartEntry) -> None:
        """Write an autostart entry."""

    def remove_autostart(self, uid: str) -> None:
        """Remove an autostart entry."""

    def remember(self, name: str, uid: str, data: dict[str, Any]) -> bool:
        """Write a row of the launch history."""

    def forget(self, name: str, uid: str) -> None:
        """Remove a row of the launch history."""


class CatalogueApi(Protocol):
    """The part of the client that knows what the server can launch."""

    def engines(self, model_type: str, name: str) -> Engines | None:
        """Engines for a model."""

    def registered_names(self, model_type: str) -> dict[str, bool]:
        """Names of the models of a type, and whether each is built in."""

    def status(self) -> ServerStatus:
        """The workers with their resources."""


class RegistrationsApi(Protocol):
    """The part of the client that knows the registrations."""

    def registered_names(self, model_type: str) -> dict[str, bool]:
        """Names of the models of a type, and whether each is built in."""

    def registrations(self, model_type: str, names: set[str]) -> dict[str, dict[str, Any]]:
        """Specifications of some of them."""


class Api(ModelsApi, CatalogueApi, Protocol):
    """The whole client."""

    def routes(self) -> frozenset[str]:
        """What the server offers."""

    def twin(self) -> Api:
        """The same for another thread."""

    def close(self) -> None:
        """Close its connections."""

    def cached(self) -> list[CachedRow]:
        """Models whose files are there."""

    def status(self, *, patient: bool = True) -> ServerStatus:
        """Resources of its workers."""


class RegistrationApi(ModelsApi, RegistrationsApi, Protocol):
    """The whole client, as far as a registration needs it."""


class UsersApi(Protocol):
    """The client, as far as accounts need it."""

    @property
    def username(self) -> str | None:
        """The account that is logged in."""

    def accounts(self) -> list[AccountRow] | None:
        """All accounts; None where the server has none that can be managed."""

    def create_account(self, name: str, password: str, permissions: list[str]) -> int:
        """Make an account."""

    def update_account(self, account: int, changes: AccountChanges) -> None:
        """Change an account."""

    def set_account_password(self, account: int, password: str) -> None:
        """Give it another password."""

    def remove_account(self, account: int) -> None:
        """Remove it."""

    def accepts(self, name: str, password: str) -> bool:
        """Try a password."""

    def shortest_password(self) -> int:
        """How many characters a password must have."""

    def use_password(self, password: str) -> None:
        """Log in again."""


class ApiKeysApi(Protocol):
    """The client, as far as API keys need it."""

    @property
    def username(self) -> str | None:
        """The account that is logged in."""

    def accounts(self) -> list[AccountRow] | None:
        """All accounts; None where the server has none that can be managed."""

    def keys(self) -> list[KeyRow] | None:
        """API keys; None where the server has none."""

    def create_key(self, request: KeyRequest) -> NewKey:
        """Make a key."""

    def update_key(self, key: int, changes: KeyChanges) -> None:
        """Change a key."""

    def remove_key(self, key: int) -> None:
        """Remove a key."""

    def reveal_key(self, key: int) -> str | None:
        """The key itself; None where the server does not return it."""


class CacheReadApi(ModelsReadApi, RegistrationsApi, Protocol):
    """The part of the client that knows what is downloaded and who uses it."""

    def cached(self) -> list[CachedRow]:
        """Models whose files are on the server."""

    def routes(self) -> frozenset[str]:
        """What the server offers."""

    def downloads(self) -> list[DownloadRow]:
        """Downloads that have not ended well."""


class CacheApi(CacheReadApi, Protocol):
    """The part of the client that deletes, too."""

    def remove_cached(self, model_version: str) -> None:
        """Delete the files of a downloaded model."""
