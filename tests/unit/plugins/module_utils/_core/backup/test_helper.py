# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The container beside the server's: which one is removed, what it is given, and what is taken from it."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ansible_collections.inferops.xinference.plugins.module_utils._core.backup import helper as helper_module
from ansible_collections.inferops.xinference.plugins.module_utils._core.backup.contents import BackupError, File
from ansible_collections.inferops.xinference.plugins.module_utils._core.backup.helper import Helper, Server
from ansible_collections.inferops.xinference.tests.unit.plugins.module_utils._core.backup.conftest import Host
from ansible_collections.inferops.xinference.tests.unit.plugins.module_utils._core.backup.fake_engine import NAME

BESIDE = f"/containers/{NAME}-backup"


def describe(host: Host, monkeypatch: pytest.MonkeyPatch, change: Callable[[dict[str, Any]], None]) -> None:
    """Let Docker describe the server's container in another way."""
    real = host.engine._described

    def described() -> dict[str, Any]:
        found = real()
        change(found)
        return found

    monkeypatch.setattr(host.engine, "_described", described)


def beside(host: Host, monkeypatch: pytest.MonkeyPatch, labels: dict[str, str] | None) -> None:
    """Let a container have the name that is needed, with these labels."""
    real = host.engine._do

    def do(method: str, path: str, query: dict[str, list[str]], body: Any) -> tuple[int, Any]:
        if (method, path) == ("GET", f"{BESIDE}/json"):
            return 200, {"Name": f"/{NAME}-backup", "Config": {"Labels": labels}}
        return real(method, path, query, body)

    monkeypatch.setattr(host.engine, "_do", do)


def helper(host: Host) -> Helper:
    """A container beside the server's of the host."""
    return Helper(host.docker, Server(host.docker, NAME))


@pytest.mark.parametrize("labels", [None, {}, {"com.example": "x"}])
def test_a_container_of_the_name_that_is_another_s_stays(host: Host, monkeypatch: pytest.MonkeyPatch, labels: dict[str, str] | None) -> None:
    beside(host, monkeypatch, labels)
    with pytest.raises(BackupError, match=f"the name of container '{NAME}-backup' is needed, and it is none of the roles'; rename or remove it"):
        helper(host).keep()
    assert not any(line.startswith(("DELETE", "POST")) for line in host.engine.asked)


def test_one_that_a_killed_run_left_is_removed(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    beside(host, monkeypatch, {"io.inferops.backup-of": NAME})
    helper(host).keep()
    assert [line for line in host.engine.asked if line.startswith(("DELETE", "POST"))] == [
        *(f"DELETE {BESIDE}?force=1", f"POST /containers/create?name={NAME}-backup"),
        *(f"POST {BESIDE}/attach?stream=1&stdin=1&stdout=1&stderr=1", f"POST {BESIDE}/start", f"DELETE {BESIDE}?force=1"),
    ]


@pytest.mark.parametrize("beginning", ["POST /containers/create", f"POST {BESIDE}/start"])
def test_it_is_removed_where_it_cannot_be_started(host: Host, beginning: str) -> None:
    host.engine.refuses[beginning] = "no space left on device"
    with pytest.raises(OSError, match="no space left on device"):
        helper(host).keep()
    assert host.engine.asked[-1] == f"DELETE {BESIDE}?force=1"


def test_a_home_in_no_volume_is_refused(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    describe(host, monkeypatch, lambda found: found.update(Mounts=[{"Type": "bind", "Source": "/srv", "Destination": "/other", "RW": True}]))
    with pytest.raises(BackupError, match=f"the server's directory {host.home} lies in no volume of container '{NAME}'"):
        Server(host.docker, NAME)


def test_a_home_may_lie_below_a_volume(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    place = str(host.home.parent)
    describe(host, monkeypatch, lambda found: found.update(Mounts=[{"Type": "bind", "Source": place, "Destination": place, "RW": True}]))
    assert Server(host.docker, NAME).home == str(host.home)
    # A name that begins as another one is not below it.
    describe(host, monkeypatch, lambda found: found.update(Mounts=[{"Type": "bind", "Source": place, "Destination": f"{host.home}x", "RW": True}]))
    with pytest.raises(BackupError, match="lies in no volume"):
        Server(host.docker, NAME)


def test_a_container_that_chooses_its_mounts_is_refused(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    """It could put a link to anything of the host below what it can write, and Docker would follow that."""
    mounts = [{"Type": "bind", "Source": f"/srv{inner}", "Destination": place, "RW": True} for inner, place in (("", str(host.home)), ("/models", "/models"))]
    describe(host, monkeypatch, lambda found: found.update(Mounts=mounts))
    with pytest.raises(BackupError, match=f"container '{NAME}' can choose what of this host is mounted in it; provision the host first"):
        Server(host.docker, NAME)


def test_a_name_that_is_the_beginning_of_an_id_is_no_container(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    describe(host, monkeypatch, lambda found: found.update(Name="/other"))
    with pytest.raises(BackupError, match=f"there is no container '{NAME}' on this host; provision it first"):
        Server(host.docker, NAME)


@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        ({}, ["CHOWN", "DAC_OVERRIDE", "FOWNER"]),
        ({"CapDrop": None, "CapAdd": None}, ["CHOWN", "DAC_OVERRIDE", "FOWNER"]),
        ({"CapDrop": ["ALL"], "CapAdd": None}, []),
        ({"CapDrop": ["ALL"], "CapAdd": ["CAP_FOWNER", "dac_override", "SYS_ADMIN"]}, ["DAC_OVERRIDE", "FOWNER"]),
        ({"CapAdd": ["SYS_ADMIN"], "Privileged": True}, ["CHOWN", "DAC_OVERRIDE", "FOWNER"]),
    ],
)
def test_it_has_no_capability_that_the_server_lacks_or_it_does_not_need(
    host: Host, monkeypatch: pytest.MonkeyPatch, limits: dict[str, Any], expected: list[str]
) -> None:
    describe(host, monkeypatch, lambda found: found.update(HostConfig=limits))
    helper(host).keep()
    (made,) = host.engine.made
    assert (made["HostConfig"]["CapAdd"], made["HostConfig"]["CapDrop"]) == (expected, ["ALL"])
    assert "Privileged" not in made["HostConfig"]
    assert made["HostConfig"]["UsernsMode"] == ""


def test_a_container_of_which_docker_says_little(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    describe(host, monkeypatch, lambda found: found.update(HostConfig=None, Config={"Env": [f"XINFERENCE_HOME={host.home}", "ODD"]}))
    server = Server(host.docker, NAME)
    assert (server.user, server.host_config, server.environment_key) == ("", {}, "")


def test_the_key_of_the_server_s_environment_goes_over_the_pipe_alone(host: Host) -> None:
    host.engine.environment = ["XINFERENCE_AUTH_ENCRYPTION_KEY=marked=key"]
    assert Server(host.docker, NAME).environment_key == "marked=key"
    helper(host).keep()
    assert "marked" not in str(host.engine.made)


def test_what_keep_and_undo_answer(host: Host, tmp_path: Path) -> None:
    beside = helper(host)
    assert not beside.undo()
    source = tmp_path / "source"
    (source / "auth").mkdir(parents=True)
    digest = "11507a0e2f5e69d5dfa40a62a1bd7b6ee57e6bcd85c67c9b8431b36fff21c437"
    (source / "auth/jwt_secret_key").write_text("new")
    beside.place(source, [File("auth/jwt_secret_key", 3, digest)], "")
    assert (host.home / "auth/jwt_secret_key").read_text() == "new"
    assert beside.undo()
    assert (host.home / "auth/jwt_secret_key").read_text() == "secret"
    assert not beside.undo()
    beside.place(source, [File("auth/jwt_secret_key", 3, digest)], "")
    beside.keep()
    assert not beside.undo()
    assert (host.home / "auth/jwt_secret_key").read_text() == "new"


def test_a_file_that_arrives_damaged_is_put_nowhere(host: Host, tmp_path: Path) -> None:
    (tmp_path / "auth").mkdir()
    (tmp_path / "auth/a").write_text("new")
    with pytest.raises(BackupError, match="auth/a arrived damaged"):
        helper(host).place(tmp_path, [File("auth/a", 3, "0" * 64)], "")
    assert not (host.home / "auth/a").exists()
    assert (host.home / "auth/jwt_secret_key").read_text() == "secret"


def test_too_many_files_are_refused(host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(helper_module, "MOST_FILES", 2)
    host.engine.says = b"".join(b'{"path": "auth/%d", "size": 0}\n' % number for number in range(3))
    with pytest.raises(BackupError, match="the server's files are more than 2, or larger than 2048 MiB"):
        helper(host).collect(tmp_path / "home", [])


def test_room_for_others_is_left_on_the_host(host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "statvfs", lambda _path: SimpleNamespace(f_bavail=(64 << 20) // 4096, f_frsize=4096))
    host.engine.says = b'{"path": "auth/a", "size": 1}\nx'
    with pytest.raises(BackupError, match=r"there is no room for 'auth/a' \(1 bytes\) in "):
        helper(host).collect(tmp_path / "home", [])
    assert not (tmp_path / "home/auth/a").exists()


def test_what_its_last_line_says_has_bounds(host: Host, tmp_path: Path) -> None:
    host.engine.says = (
        b'{"end": true, "server": "4.1\\u001b[2J' + b"x" * 100 + b'", "problem": "' + b"y" * 1000 + b'", "sizes": {"/a": 5, "/b": "5", "/c": [], "/etc": 1}}\n'
    )
    files, found = helper(host).collect(tmp_path, ["/a", "/b", "/c"])
    assert files == []
    assert (len(found["server"]), len(found["problem"])) == (40, 500)
    assert found["server"].isprintable()
    assert found["sizes"] == {"/a": 5}
    host.engine.says = b'{"end": true, "server": null, "problem": 0, "sizes": [1]}\n'
    assert helper(host).collect(tmp_path, ["/a"])[1] == {"server": "", "problem": "", "sizes": {}}
