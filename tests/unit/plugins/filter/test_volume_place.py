# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Paths of the container on the host."""

from __future__ import annotations

from ansible_collections.inferops.xinference.plugins.filter.volume_place import FilterModule as VolumePlace

volume_place = VolumePlace().filters()["volume_place"]

TREE = [{"path": "models", "target": "/models", "read_only": True}, {"path": "backups", "mode": "0700"}]


def test_where_a_path_of_the_container_lies() -> None:
    assert volume_place("/models/a", "/d", TREE) == "/d/models/a"
    assert volume_place("/data", "/d", [{"path": ".", "target": "/data"}]) == "/d"
    assert volume_place("/data", "/d", TREE) == ""
