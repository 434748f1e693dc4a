# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the declared models can be served on this host. Private to this collection."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..base import sizes
from ..base.sizes import MIB
from ..declaration.check import check_models
from ..declaration.local_files import container_paths
from ..declaration.model import DeclaredModel
from ..host.volumes import host_path
from ..observed.limits import Limits
from ..observed.server_files import Files
from ..plan.sizing import choose_options, too_much
from .cluster import Placed, placed_on, role_of
from .settings import LEAST_MEMORY, OPTION_NAMES, Failure, Settings

__all__ = ["check_declared_models"]


def check_declared_models(host: Mapping[str, Any], settings: Settings) -> list[Failure]:
    # It brings what is missing, or says what does.
    restoring = settings.backup is not None and settings.backup.restoring
    models, problems = check_models(settings.models, strict=settings.validate_engine_options, names=OPTION_NAMES)
    failures = [Failure("models", problem, "") for problem in problems]
    cluster = settings.cluster
    placed = Placed(models, models) if cluster is None else placed_on(models, cluster.name, role_of(cluster))
    for uid, name, path in container_paths(placed.files):
        place = host_path(path, settings.data_root, settings.volumes)
        if place is None:
            targets = ", ".join(sorted(str(volume["target"]) for volume in settings.volumes if volume.get("target")))
            failures.append(
                Failure(
                    "models",
                    f"Model '{uid}': {name} '{path}' lies in no volume, so the server cannot see it.",
                    f"Put the file into a volume; they are at {targets}.",
                )
            )
        elif place in host["paths"] and not host["paths"][place]["exists"] and not restoring:
            failures.append(Failure("models", f"Model '{uid}': {name} '{path}' does not exist.", f"Copy it to {place} on this host."))
    return failures or _check_fit(host, settings, placed.memory)


class _KnownFiles:
    """Sizes of files as the facts have them. What lies in a directory they do not have, and it counts as nothing: the module measures it."""

    def __init__(self, host: Mapping[str, Any], settings: Settings) -> None:
        self.host = host
        self.settings = settings

    def size(self, path: str) -> int | None:
        """Bytes of a file; None of a directory, and where there is no fact."""
        place = host_path(path, self.settings.data_root, self.settings.volumes)
        size: int | None = self.host["paths"].get(place, {}).get("size")
        return size

    def files(self, path: str) -> Files:
        """The file, or nothing."""
        size = self.size(path)
        return Files() if size is None else Files({"": size})


def _memory_limit(host: Mapping[str, Any], settings: Settings) -> int | None:
    """Memory that the container will have, in MiB; None where what is declared is none that it can have."""
    total: int = host["memory"]["total_mib"]
    if total < settings.minimum_memory_mib:
        # Reported by itself.
        return None
    if settings.memory == "auto":
        return total - max(1024, total // 10)
    limit = sizes.parse(settings.memory)
    return None if limit is None or not LEAST_MEMORY <= limit <= total * MIB else limit // MIB


def _check_fit(host: Mapping[str, Any], settings: Settings, models: Sequence[DeclaredModel]) -> list[Failure]:
    """Whether the models fit the memory, where they are to be launched: those that run as declared were measured before."""
    limit = _memory_limit(host, settings)
    container = host["docker"]["container"] or {}
    wanted = {model.uid for model in models if model.state == "present"}
    if limit is None or not settings.check_memory or (container.get("memory") == limit * MIB and wanted <= set(host["declared"])):
        return []
    files = _KnownFiles(host, settings)
    limits = Limits(settings.cpus or host["processors"], limit)
    return [Failure("models", problem, "") for problem in too_much(choose_options(models, limits, files), limits, files, OPTION_NAMES)]
