# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filters of roles ``volumes`` and ``server``."""

from __future__ import annotations

from ansible_collections.inferops.xinference.plugins.filter.volume_folders import FilterModule as VolumeFolders
from ansible_collections.inferops.xinference.plugins.filter.volume_mounts import FilterModule as VolumeMounts
from ansible_collections.inferops.xinference.plugins.filter.volume_place import FilterModule as VolumePlace

volume_folders = VolumeFolders().filters()["volume_folders"]
volume_mounts = VolumeMounts().filters()["volume_mounts"]
volume_place = VolumePlace().filters()["volume_place"]
TREE = [{"path": "models", "target": "/models", "read_only": True}, {"path": "backups", "mode": "0700"}]


def test_folders_that_differ() -> None:
    seen = {"/d/models": {"directory": True, "owner": "root", "group": "root", "mode": "0755"}}
    assert volume_folders(TREE, "/d", seen) == [
        {"path": "backups", "mode": "0700", "owner": "root", "group": "root", "setype": "container_file_t", "place": "/d/backups", "inside": ""},
    ]


def test_mounts() -> None:
    assert volume_mounts(TREE, "/d", {}) == ["/d/models:/models:ro"]
    assert volume_mounts(TREE, "/d", {}, True) == ["/d/models:/models:ro,Z"]


def test_where_a_path_of_the_container_lies() -> None:
    assert volume_place("/models/a", "/d", TREE) == "/d/models/a"
    assert volume_place("/data", "/d", [{"path": ".", "target": "/data"}]) == "/d"
    assert volume_place("/data", "/d", TREE) == ""
