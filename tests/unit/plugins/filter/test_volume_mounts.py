# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Mounts of the container."""

from __future__ import annotations

from ansible_collections.inferops.xinference.plugins.filter.volume_mounts import FilterModule as VolumeMounts

volume_mounts = VolumeMounts().filters()["volume_mounts"]

TREE = [{"path": "models", "target": "/models", "read_only": True}, {"path": "backups", "mode": "0700"}]


def test_mounts() -> None:
    assert volume_mounts(TREE, "/d", {}) == ["/d/models:/models:ro"]
    assert volume_mounts(TREE, "/d", {}, True) == ["/d/models:/models:ro,Z"]
