# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The volume tree as directories of the host and as mounts of the container."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.inferops.xinference.plugins.module_utils._core.host.volumes import check, folders, host_path, mounts, place

ROOT = "/srv/data"
GOOD = {"directory": True, "owner": "root", "group": "root", "mode": "0755"}
DEFAULTS = (Path(__file__).resolve().parents[6] / "roles/_common/defaults/main/volumes.yml").read_text(encoding="utf-8")
TREE = yaml.safe_load(DEFAULTS.replace("{{ xinference_home }}", "/root/.xinference"))["xinference_volumes"]


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
    wanted = {"path": "logs", "place": "/srv/data/logs", "owner": "root", "group": "root", "mode": "0755", "setype": "container_file_t", "inside": "", **volume}
    assert found == ([wanted] if differs else [])


def test_what_the_container_writes_belongs_to_its_user() -> None:
    found = {folder["path"]: (folder["owner"], folder["group"]) for folder in folders(TREE, ROOT, {}, "10001:10002")}
    theirs = {path for path, owner in found.items() if owner == ("10001", "10002")}
    assert {path for path, owner in found.items() if owner != ("10001", "10002")} == {".", ".cache", ".cache/huggingface", "models", "backups"}
    assert {".xinference", ".xinference/auth", ".xinference/cache/v2", ".cache/huggingface/hub", ".cache/huggingface/xet", "logs"} <= theirs
    # The number has a name here.
    seen = {
        place(ROOT, folder["path"]): {**GOOD, **folder, "owner": "another", "uid": 10001, "gid": 10002} for folder in folders(TREE, ROOT, {}, "10001:10002")
    }
    assert {folder["path"] for folder in folders(TREE, ROOT, seen, "10001:10002")} == {".", ".cache", ".cache/huggingface", "models", "backups"}


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


def test_what_the_container_could_replace_is_made_in_a_container() -> None:
    inside = {folder["path"]: folder["inside"] for folder in folders(TREE, ROOT, {}) if folder["inside"]}
    assert inside == {
        ".xinference/auth": "/root/.xinference/auth",
        ".xinference/huggingface": "/root/.xinference/huggingface",
        ".xinference/modelscope": "/root/.xinference/modelscope",
        ".xinference/logs": "/root/.xinference/logs",
        ".xinference/cache": "/root/.xinference/cache",
        ".xinference/cache/v2": "/root/.xinference/cache/v2",
    }


@pytest.mark.parametrize(
    ("volumes", "inside"),
    [
        ([{"path": "a", "target": "/x"}, {"path": "a/b"}], "/x/b"),
        ([{"path": "a", "target": "/x", "read_only": True}, {"path": "a/b"}], ""),
        ([{"path": "a"}, {"path": "a/b"}], ""),
        ([{"path": "a", "target": "/x"}, {"path": "ab"}], ""),
        ([{"path": "a", "target": "/y", "unless_used": "c"}, {"path": "a", "target": "/x"}, {"path": "a/b"}], "/x/b"),
    ],
)
def test_where_the_container_sees_a_folder(volumes: list[dict[str, Any]], inside: str) -> None:
    assert folders(volumes, ROOT, {})[-1]["inside"] == inside


def test_the_default_tree_leaves_the_container_no_choice() -> None:
    assert check(TREE, ROOT, {}) == []


NESTED = (
    "xinference_volumes ('a/b'): is mounted from below 'a', which the container can write, so that it could put a link to any directory of the "
    "host in its place."
)


@pytest.mark.parametrize(
    ("volumes", "facts", "problem"),
    [
        pytest.param([{"path": "a", "target": "/x"}, {"path": "a/b", "target": "/y"}], {}, NESTED, id="a source below another one"),
        pytest.param([{"path": "a/b", "target": "/y", "read_only": True}, {"path": "a", "target": "/x"}], {}, NESTED, id="in whatever order, read-only or not"),
        pytest.param([{"path": "a", "target": "/x", "read_only": True}, {"path": "a/b", "target": "/y"}], {}, None, id="below one that is only read"),
        pytest.param([{"path": "a", "target": "/x"}, {"path": "a", "target": "/y"}], {}, None, id="the same source twice"),
        pytest.param([{"path": ".", "target": "/x"}, {"path": "a/b", "target": "/y"}], {}, NESTED.replace("'a',", "'.',"), id="below the data root"),
        pytest.param([{"path": "../etc"}], {}, "xinference_volumes: path '../etc' is no directory below xinference_data_root.", id="a path upwards"),
        pytest.param([{"path": "a:b"}], {}, "xinference_volumes: path 'a:b' is no directory below xinference_data_root.", id="what Docker would cut"),
        pytest.param([{"path": "a/"}], {}, "xinference_volumes: path 'a/' is no directory below xinference_data_root.", id="another way to write it"),
        pytest.param([{"path": "a", "target": "x"}], {}, "xinference_volumes ('a'): target 'x' is no absolute path.", id="a target that is none"),
        pytest.param([{"path": "a", "target": "/x:ro"}], {}, "xinference_volumes ('a'): target '/x:ro' is no absolute path.", id="a target with options"),
        pytest.param([{"path": "a"}], {"links": [f"{ROOT}/a"]}, f"xinference_data_root: {ROOT}/a is a link.", id="a link"),
        pytest.param([{"path": "a"}], {"links": ["/srv", ROOT]}, None, id="a link that the host's owner made"),
        pytest.param([{"path": "a"}], {"links": ["/srv/data-2/a"]}, None, id="elsewhere"),
    ],
)
def test_what_would_let_the_container_choose(volumes: list[dict[str, Any]], facts: dict[str, Any], problem: str | None) -> None:
    for root in (ROOT, f"{ROOT}/"):
        assert [found for found, _remedy in check(volumes, root, {f"{ROOT}/a": facts})] == ([problem] if problem else [])


HOST_PATH = {"path": "/mnt/models", "target": "/models"}
THERE = {"/mnt/models": {"exists": True, "directory": True, "links": []}}


def test_a_path_of_the_host_is_mounted_where_it_is_and_left_alone() -> None:
    assert place(ROOT, "/mnt/models") == "/mnt/models"
    assert folders([HOST_PATH], ROOT, {}, "10001:10001") == []
    assert mounts([HOST_PATH], ROOT, {}) == ["/mnt/models:/models:rw"]
    assert mounts([{**HOST_PATH, "read_only": True}], ROOT, {}, selinux=True) == ["/mnt/models:/models:ro"]
    assert host_path("/models/a.gguf", ROOT, [HOST_PATH]) == "/mnt/models/a.gguf"
    assert check([HOST_PATH], ROOT, THERE) == []
    # Caches on another disk, in the place of the default's.
    cache = "/mnt/disk/huggingface/hub"
    tree = [{**volume, "path": cache} if volume["path"] == ".cache/huggingface/hub" else volume for volume in TREE]
    tree = [{key: value for key, value in volume.items() if key != "mode" or volume["path"] != cache} for volume in tree]
    assert check(tree, ROOT, {cache: {"exists": True, "directory": True}}) == []
    assert f"{cache}:/root/.cache/huggingface/hub:rw" in mounts(tree, ROOT, {})
    assert cache not in [folder["place"] for folder in folders(tree, ROOT, {})]


@pytest.mark.parametrize(
    ("volume", "problem"),
    [
        ({"path": "/mnt/none"}, "('/mnt/none'): does not exist on this host."),
        ({"path": "/mnt/link"}, "('/mnt/link'): /mnt/link is a link."),
        ({"path": "/mnt/models/"}, "('/mnt/models/'): holds a '/' or '.' too many."),
        ({"path": "//mnt/models"}, "('//mnt/models'): holds a '/' or '.' too many."),
        ({"path": "/mnt/../etc"}, "('/mnt/../etc'): leads upwards, or holds what Docker reads as the end of a path."),
        ({"path": "/mnt/a:b"}, "('/mnt/a:b'): leads upwards, or holds what Docker reads as the end of a path."),
        ({"path": ROOT}, f"('{ROOT}'): lies in xinference_data_root."),
        ({"path": f"{ROOT}/models"}, f"('{ROOT}/models'): lies in xinference_data_root."),
        ({"target": ""}, "('/mnt/models'): is a path of the host and has no target, so that nothing would come of it."),
        ({"mode": "0755"}, "('/mnt/models'): mode cannot be set, because a path of the host is left as it is."),
        ({"owner": "root", "group": "root"}, "('/mnt/models'): owner and group cannot be set, because a path of the host is left as it is."),
        ({"path": "/"}, "('/'): belongs to the system, and whoever is in the container would have the host."),
        ({"path": "/", "read_only": True}, "('/'): belongs to the system, and whoever is in the container would have the host."),
        ({"path": "/etc/cron.d"}, "('/etc/cron.d'): belongs to the system, and whoever is in the container would have the host."),
        ({"path": "/var/run/docker.sock"}, "('/var/run/docker.sock'): belongs to the system, and whoever is in the container would have the host."),
        ({"path": "/run/x", "read_only": True}, "('/run/x'): belongs to the system, and whoever is in the container would have the host."),
        ({"path": "/root/.ssh", "read_only": True}, "('/root/.ssh'): belongs to the system, and whoever is in the container would have the host."),
        ({"path": "/etc", "read_only": True}, "('/etc'): belongs to the system, and whoever is in the container would have the host."),
        ({"path": "/home"}, "('/home'): belongs to the system, and whoever is in the container would have the host."),
    ],
)
def test_what_no_path_of_the_host_may_be(volume: dict[str, Any], problem: str) -> None:
    facts: dict[str, dict[str, Any]] = {**THERE, "/mnt/none": {"exists": False}, "/mnt/link": {"exists": True, "links": ["/mnt/link"]}}
    assert [found for found, _remedy in check([{**HOST_PATH, **volume}], ROOT, facts)] == [f"xinference_volumes {problem}"]


@pytest.mark.parametrize("path", ["/models", "/root/.cache/huggingface/hub", "/home/me/models", "/var/lib/models", "/var/cache/models"])
def test_what_may_be_written(path: str) -> None:
    assert check([{"path": path, "target": "/x"}], ROOT, {}) == []


@pytest.mark.parametrize("path", ["/etc/ssl/certs", "/usr/share/models", "/home/me/models"])
def test_what_may_be_read(path: str) -> None:
    assert check([{"path": path, "target": "/x", "read_only": True}], ROOT, {}) == []


@pytest.mark.parametrize(
    ("volumes", "inner", "outer"),
    [
        ([{"path": "/mnt/a", "target": "/x"}, {"path": "/mnt/a/b", "target": "/y", "read_only": True}], "/mnt/a/b", "/mnt/a"),
        ([{"path": "/srv", "target": "/x"}, {"path": "a", "target": "/y"}], "a", "/srv"),
    ],
)
def test_no_path_of_the_host_lies_below_what_the_container_writes(volumes: list[dict[str, Any]], inner: str, outer: str) -> None:
    nested = NESTED.replace("a/b", "INNER").replace("'a'", f"'{outer}'").replace("INNER", inner)
    assert [found for found, _remedy in check(volumes, ROOT, {})] == [nested]
    assert check([{**volumes[0], "read_only": True}, volumes[1]], ROOT, {}) == []


def test_two_folders_at_one_place_are_refused() -> None:
    volumes = [{"path": "models", "target": "/models"}, {**HOST_PATH, "target": "/models/"}]
    assert [found for found, _remedy in check(volumes, ROOT, THERE)] == ["xinference_volumes ('/mnt/models'): target '/models' is that of 'models', too."]


@pytest.mark.parametrize(("mode", "seen", "differs"), [("755", "0755", False), ("0755", "0755", False), ("0700", "0755", True)])
def test_a_mode_of_three_digits_is_one_of_four(mode: str, seen: str, differs: bool) -> None:
    assert bool(folders([{"path": "logs", "mode": mode}], ROOT, {"/srv/data/logs": {**GOOD, "mode": seen}})) is differs


@pytest.mark.parametrize("mode", ["u=rwx", "0999", "77", "493x", ""])
def test_what_is_no_mode(mode: str) -> None:
    assert [found for found, _remedy in check([{"path": "a", "mode": mode}], ROOT, {})] == [f"xinference_volumes ('a'): mode '{mode}' is none."]


@pytest.mark.parametrize("path", ["~/models", "a/../b", "./a", "a//b", "a/.", ""])
def test_other_ways_to_write_a_folder(path: str) -> None:
    assert [found for found, _remedy in check([{"path": path}], ROOT, {})] == [f"xinference_volumes: path {path!r} is no directory below xinference_data_root."]


def test_a_link_is_reported_once_and_of_further_files_too() -> None:
    facts = {f"{ROOT}/{name}": {"links": [f"{ROOT}/a"]} for name in ("a", "a/b", "a/file")}
    problems = [f"xinference_data_root: {ROOT}/a is a link."]
    assert [problem for problem, _remedy in check([{"path": "a"}, {"path": "a/b"}], ROOT, facts, [f"{ROOT}/a/file"])] == problems
    assert [problem for problem, _remedy in check([], ROOT, facts, [f"{ROOT}/a/file"])] == problems
    assert check([], ROOT, facts) == []


def test_mounts_that_hide_no_folder() -> None:
    targets = [mount.split(":")[1] for mount in mounts(TREE, ROOT, {}, outer=True)]
    assert "/root/.xinference" in targets
    assert [target for target in targets if target.startswith("/root/.xinference/")] == []
    assert len(targets) == len({*targets}) == 6
