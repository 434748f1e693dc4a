# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The settings of a host's backups, which the roles write and module and unit read. Private to this collection."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from ..base.bounded import read_json
from .contents import BackupError

__all__ = ["Secrets", "Settings", "read_secrets", "read_settings"]

_BYTES = 1 << 20


@dataclass(frozen=True)
class Settings:
    """The settings of a host's backups.

    :param container: name of the server's container.
    :param docker_host: address of Docker's socket.
    :param host: name of this host in the inventory, by which its snapshots are known.
    :param repository: of restic: a directory of this host, or another place.
    :param keep_daily: for how many days the last snapshot of each is kept.
    :param keep_weekly: for how many weeks the last snapshot of each is kept.
    :param secrets: file with the password of the repository.
    :param state_directory: where it is kept what became of the last backup.
    :param staging_directory: where files lie while they are on their way, in memory.
    :param service_directory: of the recovery service, with the declaration.
    :param upgrade_directory: with the record of an upgrade that has not ended.
    :param collection_version: of the collection that wrote these settings.
    :param model_files: whether local files of models are taken along.
    """

    container: str
    docker_host: str
    host: str
    repository: str
    keep_daily: int
    keep_weekly: int
    secrets: str
    state_directory: str
    staging_directory: str
    service_directory: str
    upgrade_directory: str
    collection_version: str
    model_files: bool = False

    @property
    def local(self) -> Path | None:
        """Directory of the repository, where it is on this host."""
        return Path(self.repository) if self.repository.startswith("/") else None


@dataclass(frozen=True)
class Secrets:
    """What only root of the host knows.

    :param password: of the repository.
    :param environment: variables for restic, such as credentials of a store.
    """

    password: str
    environment: Mapping[str, str]


def _private(path: Path) -> Any:
    """Content of a file of root that others cannot read.

    :raises BackupError: when it is none.
    """
    try:
        content = read_json(path.parent, [path.name], _BYTES)
        found = os.stat(path, follow_symlinks=False)
    except FileNotFoundError:
        raise BackupError(f"there is no '{path}'; provision this host with xinference_backup first") from None
    except (OSError, ValueError) as error:
        raise BackupError(f"'{path}' cannot be read: {getattr(error, 'strerror', None) or error}") from error
    if stat.S_IMODE(found.st_mode) & 0o077:
        raise BackupError(f"'{path}' can be read by others than its owner; set its mode to 0600")
    if not isinstance(content, dict):
        raise BackupError(f"'{path}' is damaged; provision this host again")
    return content


def read_settings(path: str) -> Settings:
    """The settings in a file.

    :raises BackupError: when there are none, or they are damaged.
    """
    content = _private(Path(path))
    values: dict[str, Any] = {}
    for each in fields(Settings):
        # An older collection wrote no such setting.
        value = content.get(each.name, False if each.name == "model_files" else None)
        kind = bool if each.name == "model_files" else int if each.name.startswith("keep_") else str
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            raise BackupError(f"'{path}' is damaged: it has no {each.name}; provision this host again")
        values[each.name] = value
    return Settings(**values)


def read_secrets(path: str) -> Secrets:
    """The secrets in a file.

    :raises BackupError: when there are none, or they are damaged.
    """
    content = _private(Path(path))
    password, environment = content.get("password"), content.get("environment")
    if not isinstance(password, str) or not password or not isinstance(environment, dict):
        raise BackupError(f"'{path}' is damaged: it holds no password; provision this host again")
    return Secrets(password, {str(name): str(value) for name, value in environment.items()})
