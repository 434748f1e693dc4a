# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a host can be upgraded, and whether what wrote its data fits what is declared. Private to this collection."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

from ..server.advisories import number
from .settings import Failure, Settings

__all__ = ["check_upgrade"]

#: Room for an image that is likely as large as the one that runs: its layers on their way, and unpacked, in hundredths of its size.
_ROOM = 140


def check_upgrade(host: Mapping[str, Any], settings: Settings) -> list[Failure]:
    recorded = host.get("upgrade") or {}
    problems = _upgrade(host, settings) if settings.upgrading else _others(host, settings, recorded)
    return [Failure("upgrade", problem, remedy) for problem, remedy in problems]


def _upgrade(host: Mapping[str, Any], settings: Settings) -> list[tuple[str, str]]:
    """What an upgrade lacks."""
    docker = host["docker"]
    problems = []
    if settings.backup is None:
        problems.append(
            ("xinference_backup is false, so an upgrade would have no way back.", "Set it to true, give xinference_backup_password, and provision.")
        )
    elif not host["backup"]["settings"]:
        problems.append(("This host is not set up for backups yet, so an upgrade would have no way back.", "Provision it with the image that runs first."))
    container = docker["container"] or {}
    if container.get("status") != "running" and not (host.get("upgrade") or {}).get("upgrade"):
        problems.append((f"Container '{settings.container}' does not run on this host, so there is no server to upgrade.", "Provision it first."))
    elif not host["client_version"]:
        problems.append(("There is no xinference-client on this host, so no server can be asked.", "Provision it with the image that runs first."))
    size, free = docker.get("image_mib"), docker.get("free_mib")
    if not docker["image_present"] and size and free is not None and free < size * _ROOM // 100:
        problem = f"Docker has {free} MiB for images, and a new one of the size of that which runs needs {size * _ROOM // 100}."
        problems.append((problem, "Remove images that nothing uses, such as with docker image prune."))
    return problems


def _others(host: Mapping[str, Any], settings: Settings, recorded: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What keeps another play from changing this host."""
    if recorded.get("upgrade"):
        why = "An upgrade of this host is under way, or was cut off, so it is not certain which server its data are of."
        return [(why, "Wait for its run; if there is none, run playbook upgrade again, which ends it.")]
    versions = recorded.get("versions") or {}
    if versions.get("refused") and host["docker"].get("image_id") == versions["refused"]:
        problem = f"xinference_image_tag '{settings.image_tag}' names the image from which the last upgrade of this host was rolled back."
        return [(problem, "Name the image that runs, or run playbook upgrade, which asks the new server again.")]
    # Without accounts' files it is not known where the server's directory is; where that is not there, its data are gone.
    home = PurePosixPath(settings.files[0]).parent.parent if settings.files else None
    if home is not None and not (host["paths"].get(str(home)) or {"exists": True})["exists"]:
        return []
    wanted, wrote = number(settings.image_tag), number(versions.get("server"))
    if settings.image_digest or wanted is None or wrote is None or wanted >= wrote or host["docker"].get("image_id") == versions["image_id"]:
        return []
    problem = f"xinference_image_tag '{settings.image_tag}' is older than Xinference {versions['server']}, which wrote the data of this host last."
    return [(problem, "Run playbook upgrade, which asks the older server first and has a way back, or name that version.")]
