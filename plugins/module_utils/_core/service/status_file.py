# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the service knows, written for others. Private to this collection."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

from ..base.private_file import replace_private
from .loop import Watcher

__all__ = ["State"]


class State:
    """What the service knows, for playbook ``status`` and for load balancers.

    :param path: of a file that is replaced when something changed.
    """

    def __init__(self, path: str | None) -> None:
        self.path = Path(path) if path else None
        self.now: dict[str, Any] = {"ready": False, "trouble": "not polled yet", "refused": False, "models": {}}
        self.written: dict[str, Any] | None = None

    def take(self, watcher: Watcher) -> None:
        """Take down what the watcher knows."""
        now = {
            "ready": watcher.ready,
            "trouble": watcher.connection.trouble,
            "refused": watcher.connection.refused,
            "models": {
                model.uid: {
                    "declared": model.state,
                    "state": watcher.statuses[model.uid].state,
                    "answered": watcher.statuses[model.uid].answered > 0,
                    "tries": watcher.statuses[model.uid].tries,
                    "message": watcher.statuses[model.uid].message,
                }
                for model in (watcher.declaration.models if watcher.declaration else ())
            },
        }
        self.now = now
        if now != self.written and self.path is not None:
            # A full disk must not end the service: the models are more important than what is written about them.
            with contextlib.suppress(OSError):
                replace_private(self.path, json.dumps(now, sort_keys=True) + "\n")
                self.written = now
