# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Directories that differ from the declared tree."""

from __future__ import annotations

from ansible_collections.inferops.xinference.plugins.filter.volume_folders import FilterModule as VolumeFolders

volume_folders = VolumeFolders().filters()["volume_folders"]

TREE = [{"path": "models", "target": "/models", "read_only": True}, {"path": "backups", "mode": "0700"}]


def test_folders_that_differ() -> None:
    seen = {"/d/models": {"directory": True, "owner": "root", "group": "root", "mode": "0755"}}
    assert volume_folders(TREE, "/d", seen) == [
        {"path": "backups", "mode": "0700", "owner": "root", "group": "root", "setype": "container_file_t", "place": "/d/backups", "inside": ""},
    ]
