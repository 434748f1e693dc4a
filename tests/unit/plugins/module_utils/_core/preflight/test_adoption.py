# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a container keeps that the roles did not make, and what of it the declared one would not find."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.inferops.xinference.plugins.module_utils._core.host.other_containers import keeps, neighbours, of_processes
from ansible_collections.inferops.xinference.plugins.module_utils._core.preflight.adoption import check, holder

ROOT = "/srv/models"
HOME = "/root/.xinference"
DEFAULTS = (Path(__file__).resolve().parents[6] / "roles/_common/defaults/main/volumes.yml").read_text(encoding="utf-8")


def tree(home: str = HOME) -> list[dict[str, Any]]:
    """The roles' own tree."""
    found: list[dict[str, Any]] = yaml.safe_load(DEFAULTS.replace("{{ xinference_home }}", home))["xinference_volumes"]
    return found


def described(*mounts: tuple[str, str], env: tuple[str, ...] = (), user: str = "", volume: str = "", labels: dict[str, str] | None = None) -> dict[str, Any]:
    """A container as the engine describes it: sources and targets of its mounts."""
    kind = {"Type": "volume", "Name": volume} if volume else {"Type": "bind"}
    found = [{**kind, "Source": source, "Destination": target, "RW": True} for source, target in mounts]
    return {"Config": {"Env": list(env), "User": user, "Labels": labels or {}}, "Mounts": found, "State": {}}


def problems(
    *mounts: tuple[str, str],
    running: dict[str, str] | None = None,
    empty: tuple[str, ...] = (),
    paths: dict[str, Any] | None = None,
    status: str = "running",
    given: dict[str, Any] | None = None,
    **more: Any,
) -> list[str]:
    """What is reported of a container that was made by hand."""
    container = {**keeps(described(*mounts, **more), running or {}, lambda path: path in empty), "status": status}
    asked = {"name": "xinference", "data_root": ROOT, "home": HOME, "volumes": tree(), **(given or {})}
    return [f"{problem} {remedy}" for problem, remedy in check({"container": container}, paths or {}, **asked)]


RECIPE = (
    (f"{ROOT}/.xinference", HOME),
    (f"{ROOT}/.cache/huggingface", "/root/.cache/huggingface"),
    (f"{ROOT}/.cache/modelscope", "/root/.cache/modelscope"),
    (f"{ROOT}/log", "/workspace/xinference/logs"),
)


@pytest.mark.parametrize(
    ("environment", "user", "home"),
    [
        ((), "", HOME),
        (("XINFERENCE_HOME=/data",), "", "/data"),
        (("XINFERENCE_HOME=/data/",), "", "/data"),
        (("XINFERENCE_HOME=",), "", HOME),
        (("HOME=/home/me",), "", "/home/me/.xinference"),
        (("HOME=/",), "", "/.xinference"),
        ((), "0:0", HOME),
        ((), "1000:1000", "/.xinference"),
        (("HOME=/home/me",), "1000", "/home/me/.xinference"),
    ],
)
def test_where_a_home_is(environment: tuple[str, ...], user: str, home: str) -> None:
    assert keeps(described(env=environment, user=user), {}, lambda path: False)["home"] == home


def test_the_environment_of_the_first_process_counts_for_more() -> None:
    environment = of_processes(b"HOME=/home/me\0SECRET=marked\0XINFERENCE_HOME=/data\0broken\0HF_HOME=/hf\0HF_HUB_CACHE=/x\ny\0MODELSCOPE_CACHE=x\0")
    assert environment == {"HOME": "/home/me", "XINFERENCE_HOME": "/data", "HF_HOME": "/hf"}
    assert keeps(described(env=("XINFERENCE_HOME=/other",)), environment, lambda path: False)["home"] == "/data"


def test_what_is_a_volume(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path)
    found = described((str(tmp_path / "link"), "/data/"))
    found["Mounts"] += [{"Type": "tmpfs", "Source": "", "Destination": "/tmp"}, {"Type": "npipe", "Source": "x", "Destination": "/x"}]
    (volume,) = keeps(found, {}, lambda path: False)["volumes"]
    wanted = {"source": str(tmp_path / "link"), "real": str(tmp_path), "target": "/data", "read_only": False, "volume": "", "empty": False}
    assert volume == wanted


def test_a_tree_of_the_recipe_is_adopted() -> None:
    assert problems(*RECIPE, empty=(f"{ROOT}/log",)) == []


def test_a_home_elsewhere_is_no_empty_server() -> None:
    (said,) = problems((ROOT, "/data"), env=("XINFERENCE_HOME=/data",))
    assert said == (
        "Container xinference was not made by these roles and keeps its server's home /data in /srv/models; the declared one would have "
        "/srv/models/.xinference at /root/.xinference, so it would be an empty server. Set xinference_home to /data, and "
        "xinference_volumes to [{path: ., target: /data}], or another xinference_data_root; see docs/adopt.md."
    )
    # What it says helps.
    assert problems((ROOT, "/data"), env=("XINFERENCE_HOME=/data",), given={"home": "/data", "volumes": [{"path": ".", "target": "/data"}]}) == []


@pytest.mark.parametrize(
    ("mounts", "more", "said"),
    [
        ((("/mnt/home", HOME),), {}, "Set xinference_volumes to [{path: /mnt/home, target: /root/.xinference}], or another xinference_data_root"),
        ((("/mnt", "/mnt"),), {"env": ("XINFERENCE_HOME=/mnt/home",)}, "keeps its server's home /mnt/home in /mnt/home; "),
        ((("/home/me", "/home/me"),), {"env": ("HOME=/home/me",), "user": "1000"}, "Set xinference_home to /home/me/.xinference, and xinference_volumes to "),
        (
            ((f"{ROOT}/.xinference", "/data"),),
            {"env": ("XINFERENCE_HOME=/data",)},
            "neither links in its cache nor registrations find them. Set xinference_home to",
        ),
        (
            (),
            {},
            "would be lost with it. Stop it, run docker cp --archive xinference:/root/.xinference/. /srv/models/.xinference/, remove the container",
        ),
        (
            (("/var/lib/docker/volumes/x/_data", HOME),),
            {"volume": "x"},
            "in Docker's volume x; the declared container would have /srv/models/.xinference in its place. Stop it, run cp --archive /var/lib/docker/",
        ),
    ],
)
def test_homes_that_the_declared_server_would_not_have(mounts: Any, more: dict[str, Any], said: str) -> None:
    (found,) = problems(*mounts, **more)
    assert said in found


def test_only_the_path_in_the_container_may_be_set() -> None:
    given = {"home": "/data", "volumes": tree("/data")}
    assert problems((f"{ROOT}/.xinference", "/data"), env=("XINFERENCE_HOME=/data",), given=given) == []


@pytest.mark.parametrize(
    ("mount", "said"),
    [
        (("/mnt/big", "/models"), "sees /mnt/big at /models; the declared one would see /srv/models/models there. Put in the place of the entry of "),
        (("/mnt/big", "/big"), "sees /mnt/big at /big; the declared one would see nothing there. Add to xinference_volumes {path: /mnt/big, target: /big}; "),
        ((f"{ROOT}/big", "/big"), "Add to xinference_volumes {path: big, target: /big}; "),
        (("/mnt/hub", "/root/.cache/huggingface"), "sees /mnt/hub at /root/.cache/huggingface; "),
        (("/mnt/hub", f"{HOME}/huggingface"), f"sees /mnt/hub at {HOME}/huggingface; the declared one would see /srv/models/.cache/huggingface/hub there."),
        (("/etc/ssl/certs", "/etc/ssl/certs"), "Add to xinference_volumes {path: /etc/ssl/certs, target: /etc/ssl/certs}; "),
        (("/etc/localtime", "/etc/localtime"), ""),
        (("/var/run/docker.sock", "/var/run/docker.sock"), ""),
        (("/dev/shm", "/dev/shm"), ""),
        (("/mnt/empty", "/big"), ""),
    ],
)
def test_mounts_that_would_be_gone(mount: tuple[str, str], said: str) -> None:
    found = problems((f"{ROOT}/.xinference", HOME), mount, empty=("/mnt/empty",))
    assert len(found) == bool(said)
    assert all(said in each for each in found)


def test_a_volume_of_docker_is_copied() -> None:
    container = keeps(described((f"{ROOT}/.xinference", HOME)), {}, lambda path: False)
    container["volumes"] += keeps(described(("/var/lib/docker/volumes/x/_data", "/big"), volume="x"), {}, lambda path: False)["volumes"]
    ((problem, remedy),) = check({"container": container}, {}, name="xinference", data_root=ROOT, home=HOME, volumes=tree())
    assert "sees Docker's volume x at /big" in problem
    assert remedy.endswith("/_data/. /srv/models/big/, and remove it. Add to xinference_volumes {path: big, target: /big}.")


def test_downloads_elsewhere() -> None:
    mounts = ((f"{ROOT}/.xinference", HOME), ("/mnt/hf", "/hf"))
    given = {"volumes": [*tree(), {"path": "hf", "target": "/hf"}]}
    same = ((f"{ROOT}/.xinference", HOME), (f"{ROOT}/hf", "/hf"))
    (said,) = problems(*same, env=("HF_HOME=/hf",), given=given)
    assert "has its downloads where HF_HOME points to; the declared one would look elsewhere. Add to xinference_environment {HF_HOME: /hf}." in said
    assert problems(*same, env=("HF_HOME=/hf",), given={**given, "environment": ["HF_HOME"]}) == []
    assert problems(*same, env=("HF_HOME=/root/.cache/huggingface",), given=given) == []
    assert len(problems(*mounts, env=("MODELSCOPE_CACHE=/hf",))) == 2


def test_a_container_of_ours_may_change() -> None:
    ours: dict[str, Any] = {"labels": {"io.inferops.collection": "inferops.xinference"}}
    assert problems((f"{ROOT}/.xinference", HOME), ("/mnt/big", "/big"), **ours) == []
    # But its data root is not left behind without a word.
    (said,) = problems(("/old/.xinference", HOME), **ours)
    assert said.startswith(
        "The server of container xinference has its home in /old/.xinference; the declared one would have /srv/models/.xinference, where there"
    )
    moved = {f"{ROOT}/.xinference": {"empty": False}}
    assert problems(("/old/.xinference", HOME), paths=moved, **ours) == []
    assert problems(("/old/.xinference", HOME), empty=("/old/.xinference",), **ours) == []


def test_a_container_that_never_ran_has_nothing() -> None:
    assert problems(status="created") == []


@pytest.mark.parametrize("part", ["auth", "cache", "launch_history.db", "model/v2", "worker_recovery"])
def test_a_data_root_that_is_a_home(part: str) -> None:
    def said(paths: dict[str, Any], **given: Any) -> list[tuple[str, str]]:
        return check({"container": None}, paths, **{"name": "xinference", "data_root": ROOT, "home": HOME, "volumes": tree(), **given})

    there = {f"{ROOT}/{part}": {"exists": True}}
    ((problem, remedy),) = said(there)
    assert problem.startswith(f"xinference_data_root '{ROOT}' is itself a server's home: {part} lies in it.")
    assert "Set xinference_home to the path at which its container had it, and xinference_volumes to [{path: ., target: that path}]" in remedy
    assert said(there, home="/data", volumes=[{"path": ".", "target": "/data"}]) == []
    # A tree that has a home where it belongs, or a directory of that name that was declared.
    assert said({**there, f"{ROOT}/.xinference": {"empty": False}}) == []
    assert said(there, volumes=[*tree(), {"path": part, "target": "/x"}]) == []
    assert said({f"{ROOT}/{part}": {"exists": False}}) == []


LISTED: list[dict[str, Any]] = [
    {
        "Names": ["/xinference-cpu", "/other/alias"],
        "Image": "xprobe/xinference:v4.1.0-cpu",
        "Command": "xinference-local -H 0.0.0.0",
        "Ports": [{"IP": "0.0.0.0", "PublicPort": 9997, "PrivatePort": 9997}, {"PrivatePort": 1}],
        "HostConfig": {"NetworkMode": "bridge"},
        "Mounts": [{"Source": f"{ROOT}/.xinference"}],
    },
    {"Names": ["/web"], "Image": "nginx", "Command": "nginx", "Ports": [{"PublicPort": 80}]},
    {"Names": ["/ours"], "Image": "xprobe/xinference"},
    {"Names": ["/ours-prepare"], "Image": "xprobe/xinference"},
]


def test_who_runs_beside_it() -> None:
    web, server = neighbours(LISTED, ["ours", "ours-prepare"])
    assert (web["name"], web["xinference"], web["ports"]) == ("web", False, [{"address": "::", "port": 80}])
    wanted = {"name": "xinference-cpu", "image": "xprobe/xinference:v4.1.0-cpu", "xinference": True, "sources": [f"{ROOT}/.xinference"]}
    assert server == {**wanted, "ports": [{"address": "0.0.0.0", "port": 9997}]}


@pytest.mark.parametrize(
    ("image", "command", "runs"),
    [
        ("xprobe/xinference:v4.1.0-cpu", "sleep 1", True),
        ("registry.example.com/xinference/nginx:1", "nginx", False),
        ("mine:1", "sh -c 'xinference-local -H 0.0.0.0'", True),
        ("mine:1", "xinference-worker -e http://a", True),
        ("mine:1", "python serve.py", False),
    ],
)
def test_what_runs_xinference(image: str, command: str, runs: bool) -> None:
    assert neighbours([{"Names": ["/a"], "Image": image, "Command": command}], [])[0]["xinference"] is runs


def test_who_holds_a_port() -> None:
    others = neighbours(LISTED, ["ours", "ours-prepare"])
    assert (holder(others, "127.0.0.1", 9997) or {})["name"] == "xinference-cpu"
    assert (holder(others, "0.0.0.0", 80) or {})["name"] == "web"
    assert holder(others, "127.0.0.1", 9998) is None


@pytest.mark.parametrize(
    ("command", "port"), [("xinference-local -H 0.0.0.0", 9997), ("xinference-local -p 9000 -H ::", 9000), ("xinference-local --port=9000", 9000)]
)
def test_the_port_of_a_server_in_the_host_s_network(command: str, port: int) -> None:
    host = neighbours([{"Names": ["/h"], "Image": "xprobe/xinference:v1", "Command": command, "HostConfig": {"NetworkMode": "host"}}], [])
    assert (holder(host, "127.0.0.1", port) or {})["name"] == "h"
    assert holder(host, "127.0.0.1", 22) is None


def test_two_servers_on_one_home() -> None:
    engine = {"container": None, "neighbours": neighbours(LISTED, ["ours", "ours-prepare"])}
    asked: dict[str, Any] = {"name": "ours", "data_root": ROOT, "home": HOME, "volumes": tree()}
    ((problem, remedy),) = check(engine, {}, **asked)
    assert problem.startswith(f"Container xinference-cpu runs a server of its own on {ROOT}/.xinference; ")
    assert "Set xinference_container_name to xinference-cpu to adopt it" in remedy
    # The port says the same.
    assert check(engine, {}, **asked, known="xinference-cpu") == []
    assert check(engine, {}, **{**asked, "data_root": "/srv/other"}) == []
