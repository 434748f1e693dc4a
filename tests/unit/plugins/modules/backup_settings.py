# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The settings of a host's backups, for the modules that read them."""

from __future__ import annotations

import json
from pathlib import Path


def write_settings(folder: Path) -> Path:
    """File with settings in a directory, whose secrets are marked, and whose places lie in it."""
    names = ("repository", "secrets", "state_directory", "staging_directory", "service_directory", "upgrade_directory")
    places = {name: str(folder / name) for name in names}
    given = {**places, "container": "xinference", "docker_host": f"unix://{folder}/docker.sock", "host": "one", "collection_version": "0.1.0"}
    contents = {
        "settings.json": {**given, "keep_daily": 7, "keep_weekly": 4},
        "secrets": {"password": "marked password", "environment": {"TOKEN": "marked-token"}},
    }
    for name, content in contents.items():
        (folder / name).touch(mode=0o600)
        (folder / name).write_text(json.dumps(content))
    return folder / "settings.json"
