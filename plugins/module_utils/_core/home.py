# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The server's files, as far as this host sees them. Private to this collection."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Collection, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from .applied import Applied, from_worker
from .values import without_environment

__all__ = ["Home"]

DEFAULT_HOME = "/root/.xinference"
_LOG_LINES = 20
#: What a worker adds to a uid for each copy: -rep0, and -0 before 3.1.
_COPY = re.compile(r"-(rep)?\d+$")
#: The log grows to 100 MiB; what a launch left is at its end.
_LOG_BYTES = 512 << 10


class Home:
    """The server's folder, and the others that its container sees.

    :param mounts: path inside the container → path on this host; empty when the module runs elsewhere.
    :param home: the server's folder inside the container.
    """

    def __init__(self, mounts: Mapping[str, str] | None = None, home: str = DEFAULT_HOME) -> None:
        self.mounts = {str(PurePosixPath(inside)): outside for inside, outside in (mounts or {}).items()}
        self.home = home

    def on_host(self, path: str) -> Path | None:
        """Where a path of the container lies on this host; None where the container sees no folder of it there."""
        wanted = PurePosixPath(os.path.normpath(path))
        for inside in sorted(self.mounts, key=lambda item: len(PurePosixPath(item).parts), reverse=True):
            if wanted == PurePosixPath(inside) or PurePosixPath(inside) in wanted.parents:
                return Path(self.mounts[inside], *wanted.relative_to(inside).parts)
        return None

    @property
    def readable(self) -> bool:
        """Whether this host sees the server's folder."""
        folder = self.on_host(self.home)
        return folder is not None and os.access(folder, os.R_OK | os.X_OK)

    def _json(self, path: str) -> Any:
        """Content of a file of the server; None when it is not there or is damaged."""
        place = self.on_host(path)
        if place is None:
            return None
        try:
            return json.loads(place.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None

    def registrations(self, model_type: str, names: Collection[str]) -> dict[str, dict[str, Any]]:
        """Persistent registrations of custom models of a type among these names."""
        found = {}
        for name in names:
            spec = self._json(f"{self.home}/model/v2/{model_type.lower()}/{name}.json")
            if isinstance(spec, dict):
                found[name] = spec
        return found

    def applied(self, uid: str, workers: Collection[str]) -> Applied | None:
        """What the workers launched a model with; None when this host cannot see it."""
        copies: list[dict[str, Any]] = []
        for worker in workers:
            folder = worker.replace(":", "_").replace("/", "_")
            running = self._json(f"{self.home}/worker_recovery/{folder}/models.json")
            if isinstance(running, dict):
                copies += [arguments for replica, arguments in running.items() if _COPY.sub("", replica) == uid and isinstance(arguments, dict)]
        return from_worker(copies[0], uid, len(copies)) if copies else None

    def log_tail(self, uid: str, since: int = 0) -> list[str]:
        """The last lines of the server's log; empty where this host cannot see it.

        :param uid: lines before the first that names this model are left out.
        :param since: size of the log, in bytes, when the launch began.
        """
        place = self.on_host(f"{self.home}/logs/xinference.log")
        try:
            if place is None:
                return []
            size = place.stat().st_size
            with place.open("rb") as log:
                log.seek(max(since if since <= size else 0, size - _LOG_BYTES))
                lines = log.read().decode("utf-8", "replace").splitlines()
        except OSError:
            return []
        lines = [line for line in lines if line.strip()]
        own = next((number for number, line in enumerate(lines) if uid in line), 0)
        return [without_environment(line) for line in lines[own:][-_LOG_LINES:]]

    def log_size(self) -> int:
        """Size of the server's log in bytes; 0 where this host cannot see it."""
        place = self.on_host(f"{self.home}/logs/xinference.log")
        try:
            return place.stat().st_size if place is not None else 0
        except OSError:
            return 0

    def size(self, path: str) -> int | None:
        """Bytes of a file or folder of the container; None when this host cannot see it."""
        place = self.on_host(path)
        if place is None or not place.exists():
            return None
        if place.is_file():
            return place.stat().st_size
        return sum(item.stat().st_size for item in place.rglob("*") if item.is_file())
