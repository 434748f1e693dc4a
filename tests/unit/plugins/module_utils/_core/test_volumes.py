# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The volume tree as folders of the host and as mounts of the container."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.inferops.xinference.plugins.module_utils._core.volumes import folders, host_path, mounts, place

ROOT = "/srv/data"
GOOD = {"directory": True, "owner": "root", "group": "root", "mode": "0755"}
TREE = yaml.safe_load((Path(__file__).resolve().parents[5] / "roles/_common/defaults/main.yml").read_text(encoding="utf-8"))["xinference_volumes"]


@pytest.mark.parametrize(
    ("root", "path", "expected"),
    [
        (ROOT, "logs", "/srv/data/logs"),
        (ROOT + "/", "logs", "/srv/data/logs"),
        (ROOT, ".", ROOT),
        (ROOT, "", ROOT),
        (ROOT, ".cache/huggingface", "/srv/data/.cache/huggingface"),
    ],
)
def test_where_a_folder_stands(root: str, path: str, expected: str) -> None:
    assert place(root, path) == expected


@pytest.mark.parametrize(
    ("volume", "seen", "differs"),
    [
        ({}, GOOD, False),
        ({}, None, True),
        ({}, {**GOOD, "directory": False}, True),
        ({}, {**GOOD, "mode": "0700"}, True),
        ({}, {**GOOD, "owner": "nobody"}, True),
        ({}, {**GOOD, "group": "nogroup"}, True),
        ({"mode": "0700"}, {**GOOD, "mode": "0700"}, False),
        ({"owner": 1000, "group": 1000}, {**GOOD, "owner": "1000", "group": "1000"}, False),
    ],
)
def test_a_folder_is_made_when_it_is_missing_or_differs(volume: dict[str, Any], seen: dict[str, Any] | None, differs: bool) -> None:
    found = folders([{"path": "logs", **volume}], ROOT, {"/srv/data/logs": seen} if seen else {})
    wanted = {"path": "logs", "place": "/srv/data/logs", "owner": "root", "group": "root", "mode": "0755", "setype": "container_file_t", **volume}
    assert found == ([wanted] if differs else [])


def test_what_the_container_writes_belongs_to_its_user() -> None:
    found = {folder["path"]: (folder["owner"], folder["group"]) for folder in folders(TREE, ROOT, {}, "10001:10002")}
    theirs = {path for path, owner in found.items() if owner == ("10001", "10002")}
    assert {path for path, owner in found.items() if owner != ("10001", "10002")} == {".", ".cache", "models", "backups"}
    assert {".xinference", ".xinference/auth", ".xinference/cache/v2", ".cache/huggingface", ".cache/huggingface/hub", "logs"} <= theirs
    # The number has a name here.
    seen = {
        place(ROOT, folder["path"]): {**GOOD, **folder, "owner": "somebody", "uid": 10001, "gid": 10002} for folder in folders(TREE, ROOT, {}, "10001:10002")
    }
    assert {folder["path"] for folder in folders(TREE, ROOT, seen, "10001:10002")} == {".", ".cache", "models", "backups"}


def test_a_folder_that_is_mounted_twice_is_made_once() -> None:
    assert [folder["place"] for folder in folders([{"path": "a", "target": "/x"}, {"path": "a", "target": "/y"}], ROOT, {})] == ["/srv/data/a"]


@pytest.mark.parametrize(
    ("volume", "selinux", "expected"),
    [
        ({"path": "models", "target": "/models"}, False, ["/srv/data/models:/models:rw"]),
        ({"path": "models", "target": "/models", "read_only": True}, False, ["/srv/data/models:/models:ro"]),
        ({"path": "models", "target": "/models"}, True, ["/srv/data/models:/models:rw,Z"]),
        ({"path": "models", "target": "/models", "read_only": True}, True, ["/srv/data/models:/models:ro,Z"]),
        ({"path": ".", "target": "/data"}, False, ["/srv/data:/data:rw"]),
        ({"path": "backups"}, False, []),
        ({"path": "backups", "target": ""}, False, []),
    ],
)
def test_mounts(volume: dict[str, Any], selinux: bool, expected: list[str]) -> None:
    assert mounts([volume], ROOT, {}, selinux=selinux) == expected


@pytest.mark.parametrize(("facts", "mounted"), [({}, True), ({"/srv/data/used": {"empty": True}}, True), ({"/srv/data/used": {"empty": False}}, False)])
def test_a_mount_does_not_hide_files(facts: dict[str, Any], mounted: bool) -> None:
    assert bool(mounts([{"path": "new", "target": "/x", "unless_used": "used"}], ROOT, facts)) is mounted


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/models/a.gguf", "/srv/data/models/a.gguf"),
        ("/models", "/srv/data/models"),
        ("/models2/a.gguf", None),
        ("/root/.xinference/x", "/srv/data/.xinference/x"),
        # The deepest volume holds it.
        ("/root/.xinference/logs/a", "/srv/data/logs/a"),
        ("/etc/passwd", None),
    ],
)
def test_where_a_path_of_the_container_lies(path: str, expected: str | None) -> None:
    volumes = [
        {"path": ".xinference", "target": "/root/.xinference"},
        {"path": "logs", "target": "/root/.xinference/logs/"},
        {"path": "models", "target": "/models"},
        {"path": "backups"},
    ]
    assert host_path(path, ROOT, volumes) == expected
    assert host_path(path, ROOT, reversed(volumes)) == expected


def test_no_mount_of_the_default_tree_hides_another() -> None:
    targets = [mount.split(":")[1] for mount in mounts(TREE, ROOT, {})]
    assert len(set(targets)) == len(targets)
    # Docker mounts in the order of the targets' depth, so that a target inside another one stands on top of it.
    assert "/root/.xinference/logs" in targets and "/root/.xinference" in targets


def test_the_default_tree_makes_parents_before_their_folders() -> None:
    made: list[str] = []
    for folder in folders(TREE, ROOT, {}):
        parent = folder["place"].rpartition("/")[0]
        assert folder["place"] == ROOT or parent in made
        made.append(folder["place"])
