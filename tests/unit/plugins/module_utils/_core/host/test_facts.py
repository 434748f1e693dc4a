# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The host's facts: from a socket that speaks like a Docker Engine, from files of a test, from directories of a test."""

from __future__ import annotations

import contextlib
import grp
import hashlib
import json
import os
import pwd
import socket
import socketserver
import sqlite3
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest

from ansible_collections.inferops.xinference.plugins.module_utils._core.base.bounded import Answer, read_bytes
from ansible_collections.inferops.xinference.plugins.module_utils._core.host import docker_facts as docker_facts_module
from ansible_collections.inferops.xinference.plugins.module_utils._core.host import facts as host
from ansible_collections.inferops.xinference.plugins.module_utils._core.host import paths, server_data
from ansible_collections.inferops.xinference.plugins.module_utils._core.host.docker import Deaths, DockerSocket, deaths, engine_errors
from ansible_collections.inferops.xinference.plugins.module_utils._core.host.docker_facts import BESIDE, _of_first_process, _stale_ports, docker_facts
from ansible_collections.inferops.xinference.plugins.module_utils._core.host.facts import gather
from ansible_collections.inferops.xinference.plugins.module_utils._core.host.firewall_facts import firewall_facts
from ansible_collections.inferops.xinference.plugins.module_utils._core.host.paths import path_facts
from ansible_collections.inferops.xinference.plugins.module_utils._core.host.server_data import cluster_key, server_environment, user_facts
from ansible_collections.inferops.xinference.plugins.module_utils._core.host.units import service_facts

VERSION = {"Version": "20.10.24", "ApiVersion": "1.41"}
CONTAINER: dict[str, Any] = {
    "Id": "0123456789abcdef0123",
    "Image": "sha256:0f0f",
    "RestartCount": 2,
    "State": {"Status": "running", "StartedAt": "2026-01-02T03:04:05Z", "Health": {"Status": "healthy"}},
    "Config": {"Image": "xprobe/xinference:v4.1.0-cpu", "Labels": {"a": "b"}},
    "HostConfig": {
        "NetworkMode": "xinference",
        "Memory": 4294967296,
        "RestartPolicy": {"Name": "unless-stopped", "MaximumRetryCount": 0},
        "PortBindings": {"9997/tcp": [{"HostIp": "127.0.0.1", "HostPort": "9997"}], "80/tcp": None, "81/tcp": [{"HostPort": ""}]},
    },
}
FACTS = {
    "id": "0123456789ab",
    "image": "xprobe/xinference:v4.1.0-cpu",
    "image_id": "sha256:0f0f",
    "status": "running",
    "health": "healthy",
    "health_says": "",
    "started_at": "2026-01-02T03:04:05Z",
    "restarts": 2,
    "labels": {"a": "b"},
    "network": "xinference",
    "ports": [9997],
    "held": [],
    "published": ["127.0.0.1:9997"],
    "memory": 4294967296,
    "restart_policy": "unless-stopped",
    "mounts": [],
    "chooses_mounts": False,
    "ours": False,
    "home": "/root/.xinference",
    "caches": {},
    "user": "",
    "volumes": [],
}


def frame(stream: int, text: bytes) -> bytes:
    """A piece of a container's log, as the engine frames it."""
    return bytes([stream, 0, 0, 0]) + len(text).to_bytes(4, "big") + text


class Engine:
    """An engine on a Unix socket; a route without an answer does not exist."""

    def __init__(self, path: Path) -> None:
        self.answers: dict[str, Any] = {"/version": VERSION}
        self.asked: list[str] = []
        engine = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                engine.asked.append(self.path)
                answer = engine.answers.get(unquote(self.path.partition("?")[0]))
                if callable(answer):
                    answer(self)
                    return
                status, body = answer if isinstance(answer, tuple) else (404 if answer is None else 200, answer)
                content = body if isinstance(body, bytes) else json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            do_DELETE = do_GET

            def log_message(self, *_arguments: Any) -> None:
                """Keep the test's output clean."""

        self.server = socketserver.ThreadingUnixStreamServer(str(path), Handler)
        self.server.daemon_threads = True
        self.address = f"unix://{path}"
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()

    def close(self) -> None:
        """Stop."""
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    """An engine that answers."""
    running = Engine(tmp_path / "docker.sock")
    yield running
    running.close()


# The engine.


def test_an_engine_that_answers(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    # Those of this machine are of others.
    monkeypatch.setattr(docker_facts_module, "_stale_ports", lambda running: [9997 + len(list(running))])
    engine.answers["/containers/xinference/json"] = CONTAINER
    engine.answers["/images/xprobe/xinference:v4.1.0-cpu/json"] = {"Id": "sha256:1"}
    assert docker_facts(engine.address, "xinference", "xprobe/xinference:v4.1.0-cpu") == {
        "reachable": True,
        "error": "",
        "version": "20.10.24",
        "api_version": "1.41",
        "container": FACTS,
        "image_present": True,
        "gateway": None,
        "network": None,
        "uid": os.getuid(),
        "root": "0:0",
        "rootless": False,
        "runc": None,
        "directory": None,
        "processors": None,
        "networks": {},
        "interrupted": False,
        "previous": None,
        "neighbours": [],
        "stale_ports": [],
        "beside": [],
        "image_id": "sha256:1",
        "image_mib": None,
        "free_mib": None,
    }


@pytest.mark.parametrize(
    ("mounts", "chooses"),
    [
        ([("/d/.cache/huggingface", True), ("/d/.cache/huggingface/hub", True)], True),
        ([("/d/.cache/huggingface", True), ("/d/.cache/huggingface/hub", False)], True),
        ([("/d/.cache/huggingface", False), ("/d/.cache/huggingface/hub", True)], False),
        ([("/d/.cache/huggingface/hub", True), ("/d/.cache/huggingface/hub", True)], False),
        ([("/d/models", True), ("/d/models-2", True)], False),
        ([], False),
    ],
)
def test_whether_a_container_can_choose_what_is_mounted(engine: Engine, mounts: list[tuple[str, bool]], chooses: bool) -> None:
    found = [{"Type": "bind", "Source": source, "Destination": f"/m{number}", "RW": writable} for number, (source, writable) in enumerate(mounts)]
    engine.answers["/containers/xinference/json"] = {**CONTAINER, "Mounts": found}
    facts = docker_facts(engine.address, "xinference")["container"]
    assert facts["chooses_mounts"] is chooses
    assert sorted(facts["mounts"]) == sorted(f"{source}:/m{number}:{'rw' if writable else 'ro'}" for number, (source, writable) in enumerate(mounts))


def test_what_a_container_made_by_hand_keeps(engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full/file").touch()
    (tmp_path / "new").mkdir()
    file = tmp_path / "file"
    file.touch()
    found = [{"Type": "bind", "Source": str(tmp_path / name), "Destination": f"/{name}", "RW": True} for name in ("full", "new", "file", "none")]
    engine.answers["/containers/xinference/json"] = {**CONTAINER, "Mounts": found, "Config": {**CONTAINER["Config"], "Env": ["XINFERENCE_HOME=/data"]}}
    facts = docker_facts(engine.address, "xinference")["container"]
    assert facts["home"] == "/data"
    assert {volume["target"]: volume["empty"] for volume in facts["volumes"]} == {"/full": False, "/new": True, "/file": False, "/none": True}
    # The process itself knows best, where there is one.
    proc = tmp_path / "proc/42"
    proc.mkdir(parents=True)
    (proc / "environ").write_bytes(b"XINFERENCE_HOME=/exported\0TOKEN=marked\0")
    assert _of_first_process({"Running": True, "Pid": 42}, tmp_path) == {"XINFERENCE_HOME": "/exported"}
    for state in ({"Running": False, "Pid": 42}, {"Running": True, "Pid": 0}, {"Running": True, "Pid": 43}, {}):
        assert _of_first_process(state, tmp_path) == {}


def test_who_runs_beside_the_container(engine: Engine) -> None:
    engine.answers["/containers/json"] = [
        {"Names": ["/xinference-cpu"], "Image": "xprobe/xinference:v4.1.0-cpu", "Command": "xinference-local", "State": "running"}
    ]
    (other,) = docker_facts(engine.address, "xinference")["neighbours"]
    assert (other["name"], other["xinference"]) == ("xinference-cpu", True)
    assert docker_facts(engine.address, "xinference-cpu")["neighbours"] == []


@pytest.mark.parametrize(
    ("ranges", "gateway"),
    [
        ([{"Subnet": "172.17.0.0/16", "Gateway": "172.17.0.1"}], "172.17.0.1"),
        # As 20.10 says it of a bridge that it made itself.
        ([{"Subnet": "172.18.0.0/16"}], "172.18.0.1"),
        ([{"Subnet": "192.0.2.7/24", "Gateway": "192.0.2.7"}, {"Subnet": "2001:db8::/64"}], "192.0.2.7"),
        ([{"Subnet": "192.0.2.7/32"}], "192.0.2.7"),
        ([{}], None),
        ([{"Subnet": "nonsense"}], None),
        ([], None),
        (None, None),
    ],
)
def test_the_hosts_own_address_on_the_bridge(engine: Engine, ranges: Any, gateway: str | None) -> None:
    engine.answers["/networks"] = [{"Name": "xinference", "IPAM": {"Config": ranges}}]
    assert docker_facts(engine.address, "xinference")["gateway"] == gateway


def test_the_network_of_the_container(engine: Engine) -> None:
    ours = {
        "Name": "xinference",
        "Options": {"com.docker.network.bridge.name": "xinference0"},
        "IPAM": {"Config": [{"Subnet": "172.18.0.0/16", "Gateway": "172.18.0.1"}]},
        "Labels": {"io.inferops.collection": "inferops.xinference"},
    }
    engine.answers["/networks"] = [{"Name": "bridge", "IPAM": {"Config": [{"Subnet": "172.17.0.0/16"}]}}, ours, {"Name": "host", "IPAM": {"Config": None}}]
    facts = docker_facts(engine.address, "xinference")
    assert facts["networks"] == {"bridge": ["172.17.0.0/16"], "xinference": ["172.18.0.0/16"], "host": []}
    assert facts["network"] == {"bridge": "xinference0", "subnets": ["172.18.0.0/16"], "ours": True}
    assert facts["gateway"] == "172.18.0.1"


@pytest.mark.parametrize(
    ("info", "root"),
    [
        ({"DockerRootDir": "/var/lib/docker/165536.165537", "SecurityOptions": ["name=seccomp,profile=default", "name=userns"]}, "165536:165537"),
        ({"DockerRootDir": "/var/lib/docker/165536.165537", "SecurityOptions": None}, "0:0"),
        ({"DockerRootDir": "/var/lib/docker", "SecurityOptions": ["name=userns"]}, "0:0"),
        ({}, "0:0"),
        (None, "0:0"),
    ],
)
def test_who_root_of_a_container_is_on_the_host(engine: Engine, info: Any, root: str) -> None:
    engine.answers["/info"] = info
    assert docker_facts(engine.address)["root"] == root


@pytest.mark.parametrize("said", [{"Options": None, "IPAM": None, "Labels": None}, {}, {"IPAM": {"Config": [None, {}]}}])
def test_a_network_that_the_roles_did_not_make(engine: Engine, said: Any) -> None:
    engine.answers["/networks"] = [{"Name": "xinference", **said}]
    facts = docker_facts(engine.address, "xinference")
    assert (facts["network"], facts["gateway"]) == ({"bridge": None, "subnets": [], "ours": False}, None)


def test_what_the_engine_does_not_have(engine: Engine) -> None:
    facts = docker_facts(engine.address, "xinference", "xprobe/xinference@sha256:1")
    assert (facts["reachable"], facts["container"], facts["image_present"], facts["error"]) == (True, None, False, "")
    names = ["xinference", "xinference.replacement", "xinference.previous"]
    containers = [f"/containers/{name}/json" for name in names]
    assert engine.asked == ["/version", "/info", "/networks", *containers, "/containers/json?all=1", "/images/xprobe/xinference@sha256:1/json"]


def test_only_what_is_wanted_is_asked_for(engine: Engine) -> None:
    docker_facts(engine.address)
    assert engine.asked == ["/version", "/info", "/networks"]


@pytest.mark.parametrize("ending", ["replacement", "previous"])
def test_a_replacement_that_was_interrupted(engine: Engine, ending: str) -> None:
    engine.answers[f"/containers/xinference.{ending}/json"] = CONTAINER
    assert docker_facts(engine.address, "xinference")["interrupted"]


@pytest.mark.parametrize(
    ("log", "says"),
    [
        (None, ""),
        ([], ""),
        ([{"Output": "old"}, {"ExitCode": 1, "Output": "GET /status answered: 403 Forbidden.\n"}], "GET /status answered: 403 Forbidden."),
        # A check that is cut off says nothing.
        ([{"Output": "no worker"}, {"Output": ""}, {"Output": None}, "x"], "no worker"),
        ([{"Output": "a\nb\x1b[2J c\r\n"}], "a b\\x1b[2J c"),
        ([{"Output": "x" * 5000 + " the end"}], "x" * 192 + " the end"),
        ([{"Output": "launch envs={'HF_TOKEN': 'secret'}"}], "launch envs={********}"),
    ],
)
def test_the_last_words_of_a_health_check(engine: Engine, log: Any, says: str) -> None:
    state: Any = CONTAINER["State"]
    engine.answers["/containers/xinference/json"] = {**CONTAINER, "State": {**state, "Health": {"Status": "unhealthy", "Log": log}}}
    assert docker_facts(engine.address, "xinference")["container"] == {**FACTS, "health": "unhealthy", "health_says": says}


def test_a_container_that_was_only_created(engine: Engine) -> None:
    engine.answers["/containers/new/json"] = {"Id": "ab", "State": {"Status": "created", "Health": None}, "HostConfig": {"PortBindings": None}, "Config": {}}
    assert docker_facts(engine.address, "new")["container"] == {
        **dict.fromkeys(FACTS),
        "mounts": [],
        "chooses_mounts": False,
        "id": "ab",
        "image_id": "",
        "status": "created",
        "health_says": "",
        "labels": {},
        "ports": [],
        "held": [],
        "published": [],
        "ours": False,
        "home": "/root/.xinference",
        "caches": {},
        "user": "",
        "volumes": [],
    }


@pytest.mark.parametrize(
    ("bindings", "ports", "published"),
    [
        ([{"HostIp": "", "HostPort": "9997"}], [9997], ["[::]:9997"]),
        ([{"HostIp": "127.0.0.1", "HostPort": "9997"}, {"HostIp": "::1", "HostPort": "9997"}], [9997], ["127.0.0.1:9997", "[::1]:9997"]),
        # The server's own first.
        ({"9090/tcp": [{"HostPort": "9090"}], "9997/tcp": [{"HostPort": "9999"}]}, [9090, 9999], ["[::]:9999", "[::]:9090"]),
        # The engine chooses the port when the container starts.
        ([{"HostIp": "", "HostPort": ""}], [], []),
        # Or one of a range.
        ([{"HostIp": "", "HostPort": "9000-9010"}], [], []),
        ([], [], []),
        (None, [], []),
    ],
)
def test_published_ports(engine: Engine, bindings: Any, ports: list[int], published: list[str]) -> None:
    ports_of = bindings if isinstance(bindings, dict) else {"9997/tcp": bindings}
    engine.answers["/containers/xinference/json"] = {**CONTAINER, "HostConfig": {"PortBindings": ports_of}}
    facts = docker_facts(engine.address, "xinference")
    assert facts["error"] == ""
    assert (facts["container"]["ports"], facts["container"]["published"]) == (ports, published)


def test_names_are_quoted(engine: Engine) -> None:
    docker_facts(engine.address, "a/../b c")
    assert engine.asked[3] == "/containers/a%2F..%2Fb%20c/json"


@pytest.mark.parametrize(
    ("docker_host", "error"),
    [
        ("tcp://127.0.0.1:2375", "'tcp://127.0.0.1:2375' is not a Unix socket of this host"),
        ("ssh://host", "'ssh://host' is not a Unix socket of this host"),
        ("unix:///nowhere/docker.sock", "there is no socket /nowhere/docker.sock"),
        ("/nowhere/docker.sock", "there is no socket /nowhere/docker.sock"),
        (f"unix:///{'x' * 200}", "AF_UNIX path too long"),
    ],
)
def test_an_engine_that_cannot_be_asked(docker_host: str, error: str) -> None:
    facts = docker_facts(docker_host, "xinference", "image")
    nothing = dict.fromkeys(
        ("version", "api_version", "container", "gateway", "network", "uid", "root", "processors", "runc", "directory", "image_id", "image_mib", "free_mib")
    )
    assert facts == {
        "reachable": False,
        "error": error,
        "image_present": False,
        "rootless": False,
        "networks": {},
        "interrupted": False,
        "previous": None,
        "neighbours": [],
        "stale_ports": [],
        "beside": [],
        **nothing,
    }


def test_a_socket_on_which_nobody_listens(tmp_path: Path) -> None:
    stale = Engine(tmp_path / "stale.sock")
    stale.close()
    assert docker_facts(stale.address)["error"] == "Connection refused"


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        ((500, b"no space left"), "/version answered 500: no space left"),
        (b"not JSON", "Expecting value: line 1 column 1 (char 0)"),
        (lambda handler: handler.wfile.write(b"nonsense\r\n\r\n"), "nonsense"),
    ],
)
def test_an_engine_that_answers_nonsense(engine: Engine, answer: Any, error: str) -> None:
    engine.answers["/version"] = answer
    facts = docker_facts(engine.address)
    assert not facts["reachable"]
    assert error in facts["error"]


PARTS = [{"Name": "containerd", "Version": "1.6.20"}]


@pytest.mark.parametrize(
    ("said", "info", "version"),
    [
        ({"Components": [{"Name": "Engine", "Version": "20.10.24"}, *PARTS]}, {}, "20.10.24"),
        ({"Components": [*PARTS, {"Name": "Engine"}]}, {}, "20.10.24"),
        ({"Components": None}, {}, "20.10.24"),
        ({"Components": []}, {"ServerVersion": "20.10.24"}, "20.10.24"),
        ({"Components": [{"Name": "Podman Engine", "Version": "4.3.1"}, {"Name": "Conmon"}]}, {}, "Podman 20.10.24"),
        ({"Components": [{"Name": "Conmon"}, {"Name": "podman"}]}, {}, "Podman 20.10.24"),
        # What stands in between may leave out the parts, or name those of its own.
        ({"Version": "4.9.3"}, {"BuildahVersion": "1.33.7"}, "Podman 4.9.3"),
        ({"Version": "5.4.0", "Components": [{"Name": "Engine"}]}, {"BuildahVersion": "1.39.0"}, "Podman 5.4.0"),
        ({"Version": "v0.7.0", "Components": PARTS}, {}, "containerd v0.7.0"),
        ({"Components": [{"Name": None}, {}, "Engine"]}, {}, "20.10.24"),
    ],
)
def test_another_program_is_no_old_docker(engine: Engine, said: dict[str, Any], info: dict[str, Any], version: str) -> None:
    engine.answers["/version"] = {**VERSION, **said}
    engine.answers["/info"] = info
    assert docker_facts(engine.address)["version"] == version


@pytest.mark.parametrize(
    ("parts", "version"),
    [
        ([*PARTS, {"Name": "runc", "Version": "1.0.0~rc93+ds1"}], "1.0.0~rc93+ds1"),
        ([{"Name": "runc", "Version": ""}], None),
        ([{"Name": "runc"}, "runc"], None),
        (PARTS, None),
        (None, None),
    ],
)
def test_what_starts_the_containers(engine: Engine, parts: Any, version: str | None) -> None:
    engine.answers["/version"] = {**VERSION, "Components": parts}
    assert docker_facts(engine.address)["runc"] == version


@pytest.mark.parametrize(
    ("state", "ports", "held"),
    [
        ("running", {"9997/tcp": [{"HostIp": "127.0.0.1", "HostPort": "9997"}, {"HostIp": "::1", "HostPort": "9997"}], "80/tcp": None}, [9997]),
        ("created", {"9997/tcp": [{"HostIp": "127.0.0.1", "HostPort": "9997"}]}, [9997]),
        ("exited", {}, []),
        ("restarting", None, []),
        ("dead", {"9997/tcp": [{"HostIp": "", "HostPort": ""}, {}]}, []),
    ],
)
def test_the_ports_that_a_container_holds_now(engine: Engine, state: str, ports: Any, held: list[int]) -> None:
    engine.answers["/containers/xinference/json"] = {**CONTAINER, "State": {"Status": state}, "NetworkSettings": {"Ports": ports}}
    facts = docker_facts(engine.address, "xinference")["container"]
    assert (facts["status"], facts["ports"], facts["held"]) == (state, [9997], held)


def test_the_link_of_podman_docker(tmp_path: Path) -> None:
    (tmp_path / "docker.sock").symlink_to(tmp_path / "podman/podman.sock")
    facts = docker_facts(f"unix://{tmp_path}/docker.sock")
    assert (facts["reachable"], facts["version"]) == (False, "Podman")
    assert facts["error"] == f"{tmp_path}/docker.sock leads to {tmp_path}/podman/podman.sock, the socket of Podman, which is not there"


def test_an_engine_that_hangs(engine: Engine) -> None:
    ended = threading.Event()
    engine.answers["/version"] = lambda handler: bool(ended.wait(60)) and None
    with pytest.raises(socket.timeout):
        DockerSocket(engine.address, timeout=0.1).get("/version")
    ended.set()


@pytest.mark.parametrize(
    ("body", "lines", "expected"),
    [
        (frame(1, b"one\n") + frame(2, b"two\n"), 25, ["one", "two"]),
        (frame(1, b"one\ntwo\nthree\n"), 2, ["two", "three"]),
        (frame(1, b"half a ") + frame(1, b"line\n"), 25, ["half a line"]),
        (frame(1, b"\xff\n"), 25, ["\ufffd"]),
        (frame(1, b"whole\n") + frame(1, b"cut off")[:10], 25, ["whole", "cu"]),
        (b"with a terminal\r\nno frames\r\n", 25, ["with a terminal", "no frames"]),
        (b"", 25, []),
        # The server logs what a launch is asked with.
        (frame(1, b"Enter launch envs={'TOKEN': 'marked'}\n"), 25, ["Enter launch envs={********}"]),
        (frame(1, b"Enter launch envs={'TOKEN': '" + b"m" * 3000 + b"'}\n"), 25, ["Enter launch envs={********}"]),
        # A container writes what it likes: as much as it likes, and what a terminal obeys.
        (frame(1, b"x" * 3000 + b"\nnext\n"), 25, ["x" * 2000, "next"]),
        (frame(1, b"\x1b]0;title\x07red\x1b[31m\ttab \xe2\x80\xae\n"), 25, [" ]0;title red [31m tab"]),
    ],
)
def test_the_log_with_and_without_frames(engine: Engine, body: bytes, lines: int, expected: list[str]) -> None:
    engine.answers["/containers/xinference/json"] = CONTAINER
    engine.answers["/containers/xinference/logs"] = body
    assert docker_facts(engine.address, "xinference", log_lines=lines)["container"] == {**FACTS, "log": expected}
    assert f"/containers/xinference/logs?stdout=1&stderr=1&tail={lines}" in engine.asked


@pytest.mark.parametrize("answer", [b"[" * 200_000, b'{"Version": ' + b"9" * 5000 + b"}", b"\xff"])
def test_an_engine_that_answers_json_without_a_bottom(engine: Engine, answer: bytes) -> None:
    engine.answers["/version"] = engine.answers["/containers/xinference/json"] = answer
    with pytest.raises(OSError, match=r"nested too deep|Expecting|too many digits|can't decode"):
        DockerSocket(engine.address).get("/version")
    assert deaths(engine.address, "xinference") is None
    assert not docker_facts(engine.address)["reachable"]


def without_end(handler: Any) -> None:
    """An answer that goes on until nobody reads it any more."""
    handler.send_response(200)
    handler.end_headers()
    with contextlib.suppress(OSError):
        while True:
            handler.wfile.write(b"x" * 10_000)


def test_an_engine_that_answers_without_end(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Answer, "limit", 1 << 20)
    engine.answers["/version"] = without_end
    with pytest.raises(OSError, match="the answer has more than 1 MiB"):
        DockerSocket(engine.address).get("/version")
    assert docker_facts(engine.address)["error"] == "the answer has more than 1 MiB"


def test_what_a_container_wrote_hides_nothing_else(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Answer, "limit", 1 << 20)
    engine.answers.update({"/containers/xinference/json": CONTAINER, "/containers/xinference/logs": without_end, "/images/image/json": {}})
    facts = docker_facts(engine.address, "xinference", "image", log_lines=25)
    assert facts["container"]["log"] == ["The log cannot be read: the answer has more than 1 MiB."]
    assert facts["image_present"]
    assert engine_errors(engine.address, "xinference", 0) == []


def test_errors_of_an_engine_of_any_age(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of servers before 4 have neither time nor level."""
    errors = [
        "0.01.234 E llama_model_load: error loading model: unknown model architecture: 'new'",
        "gguf_init_from_file_impl: failed to read header",
        "llama_model_load: error loading model: tensor 'a' data is not within the file bounds, model is corrupted or incomplete",
        "ggml_backend_cpu_buffer_type_alloc_buffer: failed to allocate buffer of size 1",
        "srv    load_model: failed to load model, '/models/broken.gguf'",
    ]
    others = [
        "0.01.234 I srv    load_model: loading model '/models/broken.gguf'",
        "srv    load_model: loading model '/models/broken.gguf'",
        "llama_params_fit: fitting params to free memory took 0.00 seconds",
        "2026-11-30 03:43:46,913 xinference.core.worker 11 ERROR    Failed to load model broken-0",
    ]
    monkeypatch.setattr(DockerSocket, "log", lambda *_words: [*others, *errors, *others])
    assert engine_errors("unix:///none", "xinference", 0) == errors


def test_a_name_that_is_the_beginning_of_an_identifier_is_nobody_s(engine: Engine) -> None:
    engine.answers["/containers/beef/json"] = {**CONTAINER, "Name": "/stranger"}
    assert docker_facts(engine.address, "beef")["container"] is None
    engine.answers["/containers/beef/json"] = {**CONTAINER, "Name": "/beef"}
    assert docker_facts(engine.address, "beef")["container"] is not None


@pytest.mark.parametrize(
    ("image", "found", "mib"),
    [
        ("sha256:0f0f", {"Id": "sha256:0f0f", "Size": (1500 << 20) + 7}, 1500),
        ("sha256:0f0f", {"Id": "sha256:0f0f"}, 0),
        # It was removed while the container runs.
        ("sha256:0f0f", None, None),
        ("", {"Id": "sha256:0f0f", "Size": 1500 << 20}, None),
    ],
)
def test_how_large_the_image_of_the_container_is(engine: Engine, image: str, found: Any, mib: int | None) -> None:
    """Another one, which is not there yet, is likely as large."""
    engine.answers.update({"/containers/xinference/json": {**CONTAINER, "Image": image}, "/images/sha256:0f0f/json": found})
    facts = docker_facts(engine.address, "xinference", "xprobe/xinference:v9.9.9-cpu")
    assert (facts["container"]["image_id"], facts["image_mib"], facts["error"]) == (image, mib, "")


def test_where_the_image_is_there_the_size_of_the_other_one_is_not_asked(engine: Engine) -> None:
    engine.answers.update({"/containers/xinference/json": {**CONTAINER, "Image": "sha256:0f0f"}, "/images/a:1/json": {"Id": "sha256:1"}})
    assert docker_facts(engine.address, "xinference", "a:1")["image_mib"] is None
    assert "/images/sha256:0f0f/json" not in engine.asked


@pytest.mark.parametrize(("status", "ports"), [("running", []), ("exited", [9997]), ("created", [9997])])
def test_whose_port_it_is_is_asked_where_the_container_does_not_run(engine: Engine, monkeypatch: pytest.MonkeyPatch, status: str, ports: list[int]) -> None:
    monkeypatch.setattr(docker_facts_module, "_stale_ports", lambda running: [9997])
    engine.answers["/containers/xinference/json"] = {**CONTAINER, "State": {**CONTAINER["State"], "Status": status}}
    assert docker_facts(engine.address, "xinference")["stale_ports"] == ports


def test_how_much_room_there_is_for_images(engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []

    def room(path: str) -> Any:
        seen.append(path)
        return os.statvfs_result((4096, 1024, 0, 0, 5 << 10, 0, 0, 0, 0, 255))

    monkeypatch.setattr(os, "statvfs", room)
    engine.answers["/info"] = {"DockerRootDir": str(tmp_path)}
    assert docker_facts(engine.address)["free_mib"] == 5
    assert seen == [str(tmp_path)]


@pytest.mark.parametrize("info", [{}, {"DockerRootDir": None}, {"DockerRootDir": ""}, {"DockerRootDir": "/nowhere/docker"}])
def test_room_for_images_that_nobody_knows(engine: Engine, info: dict[str, Any]) -> None:
    engine.answers["/info"] = info
    facts = docker_facts(engine.address)
    assert (facts["free_mib"], facts["error"]) == (None, "")


def test_an_image_is_known_by_its_identifier(engine: Engine) -> None:
    engine.answers["/images/registry.example:5000/xprobe/xinference@sha256:12/json"] = {"Id": "sha256:34"}
    facts = docker_facts(engine.address, "xinference", "registry.example:5000/xprobe/xinference@sha256:12")
    assert (facts["image_present"], facts["image_id"]) == (True, "sha256:34")
    facts = docker_facts(engine.address, "xinference", "other")
    assert (facts["image_present"], facts["image_id"]) == (False, None)


@pytest.mark.parametrize("ending", BESIDE)
def test_what_the_roles_make_beside_the_container_is_no_neighbour(engine: Engine, ending: str) -> None:
    engine.answers["/containers/json"] = [{"Names": [f"/xinference{ending}"], "Image": "xprobe/xinference:v4.1.0-cpu", "State": "running"}]
    assert docker_facts(engine.address, "xinference")["neighbours"] == []
    assert len(docker_facts(engine.address, "other")["neighbours"]) == 1


def test_the_record_of_versions_is_among_the_facts(engine: Engine, tmp_path: Path) -> None:
    (tmp_path / "upgrade").mkdir()
    (tmp_path / "upgrade/versions.json").write_text('{"server": "4.1.0"}')
    options: dict[str, Any] = {"docker_host": engine.address, "container": None, "image": None, "paths": [], "client_environment": None}
    found = gather(**options, upgrade=str(tmp_path / "upgrade"))["upgrade"]
    assert (found["versions"]["server"], found["upgrade"]) == ("4.1.0", None)
    assert gather(**options, upgrade=str(tmp_path / "nowhere"))["upgrade"] == {"versions": None, "upgrade": None}


def process(root: Path, number: int, *words: bytes) -> None:
    """A process of a host."""
    place = root / "proc" / str(number)
    place.mkdir(parents=True)
    (place / "cmdline").write_bytes(b"".join(word + b"\0" for word in words))


def test_ports_that_docker_holds_for_nobody(tmp_path: Path) -> None:
    proxy = b"/usr/bin/docker-proxy"
    assert _stale_ports([], tmp_path) == []
    process(tmp_path, 1, proxy, b"-proto", b"tcp", b"-host-ip", b"127.0.0.1", b"-host-port", b"9997", b"-container-port", b"9997")
    process(tmp_path, 2, b"docker-proxy", b"-host-ip", b"::1", b"-host-port", b"9997")
    process(tmp_path, 3, proxy, b"-host-port", b"9998")
    assert _stale_ports([], tmp_path) == [9997, 9998]
    running: list[dict[str, Any]] = [{"Ports": [{"PrivatePort": 9997, "PublicPort": 9998}, {"PrivatePort": 80}]}, {"Ports": None}, {}]
    assert _stale_ports(running, tmp_path) == [9997]
    # Others, and what is none of its command lines.
    process(tmp_path, 4, b"/usr/bin/other", b"-host-port", b"1")
    process(tmp_path, 5, proxy, b"-host-port")
    process(tmp_path, 6, proxy, b"-host-port", b"many")
    process(tmp_path, 7, proxy)
    process(tmp_path, 8)
    (tmp_path / "proc/9").mkdir()
    (tmp_path / "proc/10").mkdir()
    (tmp_path / "proc/10/cmdline").mkdir()
    assert _stale_ports(running, tmp_path) == [9997]


def test_what_is_being_removed_is_as_good_as_removed(engine: Engine) -> None:
    engine.answers["/containers/xinference"] = lambda handler: handler.send_error(409) and None
    DockerSocket(engine.address).remove("/containers/xinference")
    with pytest.raises(OSError, match="answered 409"):
        DockerSocket(engine.address).get("/containers/xinference")


def test_an_image_that_is_no_reference_is_not_there(engine: Engine) -> None:
    engine.answers["/images/a:b:c/json"] = (400, {"message": "invalid reference format"})
    facts = docker_facts(engine.address, "xinference", "a:b:c")
    assert (facts["error"], facts["image_present"]) == ("", False)


def test_labels_of_the_container_of_before(engine: Engine) -> None:
    engine.answers["/containers/xinference.previous/json"] = {"Config": {"Labels": {"a": "b"}}}
    facts = docker_facts(engine.address, "xinference")
    assert (facts["interrupted"], facts["previous"]) == (True, {"labels": {"a": "b"}, "user": ""})


def test_the_log_of_a_container_that_is_gone(engine: Engine) -> None:
    assert DockerSocket(engine.address).log("gone", 5) == []


# What ended in a container.

V1 = "12:memory:/docker/0123\n11:cpu,cpuacct:/docker/0123\n1:name=systemd:/docker/0123\n"
V2 = "0::/docker/0123\n"
V1_FILE = "sys/fs/cgroup/memory/docker/0123/memory.oom_control"
V2_FILE = "sys/fs/cgroup/docker/0123/memory.events"


def with_groups(root: Path, groups: str, files: dict[str, str]) -> Path:
    """A host on which the container's first process is 77."""
    for path, content in {"proc/77/cgroup": groups, **files}.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(content, encoding="ascii")
    return root


def died(**state: Any) -> dict[str, Any]:
    """A container as the engine describes it."""
    return {"RestartCount": 2, "State": {"Running": True, "Pid": 77, "OOMKilled": False, "ExitCode": 0, **state}}


@pytest.mark.parametrize(
    ("groups", "files", "killed"),
    [
        (V1, {V1_FILE: "oom_kill_disable 0\nunder_oom 0\noom_kill 3\n"}, 3),
        (V2, {V2_FILE: "low 0\nhigh 0\nmax 12\noom 2\noom_kill 4\noom_group_kill 0\n"}, 4),
        # Both hierarchies side by side: the memory is in the first.
        (V1 + V2, {V1_FILE: "oom_kill 5\n", V2_FILE: "oom_kill 6\n"}, 5),
        # Nothing is known.
        (V1, {V1_FILE: "oom_kill_disable 0\nunder_oom 0\n"}, 0),
        (V1, {V1_FILE: "oom_kill many\n"}, 0),
        (V1, {}, 0),
        ("", {}, 0),
    ],
)
def test_processes_that_were_killed_for_want_of_memory_are_counted(engine: Engine, tmp_path: Path, groups: str, files: dict[str, str], killed: int) -> None:
    engine.answers["/containers/xinference/json"] = died()
    assert deaths(engine.address, "xinference", with_groups(tmp_path, groups, files)) == Deaths(killed, 2)


@pytest.mark.parametrize(
    ("state", "killed"),
    [({"OOMKilled": True, "ExitCode": 1}, 1), ({"ExitCode": 137}, 1), ({"ExitCode": 1}, 0), ({"ExitCode": 0}, 0)],
)
def test_of_a_container_that_ended_the_engine_shows_the_reason(engine: Engine, tmp_path: Path, state: dict[str, Any], killed: int) -> None:
    engine.answers["/containers/xinference/json"] = died(Running=False, Pid=0, **state)
    # The group of another process that has its number now is not asked.
    assert deaths(engine.address, "xinference", with_groups(tmp_path, V1, {V1_FILE: "oom_kill 9\n"})) == Deaths(killed, 2)


def test_what_ended_in_a_container_of_another_host_is_not_known(tmp_path: Path, engine: Engine) -> None:
    assert deaths(f"unix://{tmp_path}/missing.sock", "xinference", tmp_path) is None
    engine.answers["/containers/xinference/json"] = (500, {"message": "server error"})
    assert deaths(engine.address, "xinference", tmp_path) is None


def test_a_process_that_ended_in_the_meantime_is_no_failure(engine: Engine, tmp_path: Path) -> None:
    engine.answers["/containers/xinference/json"] = died()
    assert deaths(engine.address, "xinference", tmp_path) == Deaths(0, 2)


# Paths.

MOUNTS = [
    ["/dev/sda1", "/", "ext4", "rw"],
    ["server:/export", "/srv", "nfs4", "rw"],
    ["/dev/sdb1", "/srv/data", "xfs", "rw"],
    ["tmpfs", "/srv/with\\040space", "tmpfs", "rw"],
    ["server:/d", "/srv/données", "nfs", "ro"],
    ["overlay", "/srv/data", "btrfs", "ro"],
]


@pytest.mark.parametrize(
    ("path", "kind", "options"),
    [
        ("/", "ext4", "rw"),
        ("/home/x", "ext4", "rw"),
        ("/srv", "nfs4", "rw"),
        ("/srv/database", "nfs4", "rw"),
        ("/srv/with space/x", "tmpfs", "rw"),
        ("/srv/données/x", "nfs", "ro"),
        # Of two file systems on one place the later one is seen.
        ("/srv/data/models", "btrfs", "ro"),
    ],
)
def test_the_file_system_of_a_path(path: str, kind: str, options: str) -> None:
    assert paths._mount_of(path, MOUNTS) == (kind, options)


def test_the_file_system_without_a_mount_table() -> None:
    assert paths._mount_of("/srv", []) == ("unknown", "")


def test_a_folder_that_exists(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    folder.chmod(0o750)
    facts = path_facts(str(folder), [["x", str(tmp_path), "nfs", "rw"]])
    assert facts.pop("free_mib") > 0
    assert facts == {
        "exists": True,
        "directory": True,
        "size": None,
        "owner": pwd.getpwuid(os.getuid())[0],
        "group": grp.getgrgid(os.stat(folder).st_gid)[0],
        "uid": os.geteuid(),
        "gid": os.getegid(),
        "mode": "0750",
        "public": False,
        "empty": True,
        "links": [],
        "real": str(folder),
        "nearest": str(folder),
        "writable": True,
        "filesystem": "nfs",
    }
    (folder / "file").write_text("12345")
    assert path_facts(str(folder / "file"))["size"] == 5
    assert path_facts(str(folder))["empty"] is False


def test_a_file(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    file.chmod(0o4644)
    facts = path_facts(str(file))
    assert (facts["exists"], facts["directory"], facts["mode"]) == (True, False, "4644")


@pytest.mark.parametrize(("folder", "file", "public"), [(0o755, 0o644, True), (0o755, 0o640, False), (0o700, 0o644, False), (0o751, 0o604, True)], ids=oct)
def test_whether_every_user_may_read_a_file(folder: int, file: int, public: bool) -> None:
    """Through links as well. Those of the test runner lie in a private directory."""
    with tempfile.TemporaryDirectory(dir="/var/tmp") as top:
        Path(top).chmod(0o755)
        keys, link = Path(top, "keys"), Path(top, "link")
        keys.mkdir()
        (keys / "own.key").touch()
        (keys / "own.key").chmod(file)
        link.symlink_to(keys / "own.key")
        keys.chmod(folder)
        assert [path_facts(str(path))["public"] for path in (keys / "own.key", link)] == [public, public]


def test_a_path_that_does_not_exist_yet(tmp_path: Path) -> None:
    facts = path_facts(str(tmp_path / "a" / "b"))
    assert {key: facts[key] for key in ("exists", "directory", "owner", "group", "mode", "empty", "nearest", "writable")} == {
        "exists": False,
        "directory": False,
        "owner": None,
        "group": None,
        "mode": None,
        "empty": True,
        "nearest": str(tmp_path),
        "writable": True,
    }


def test_a_link_is_followed_to_its_file_system(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    mounts = [["a", "/", "ext4", "rw"], ["b", str(tmp_path / "real"), "nfs", "rw"]]
    assert path_facts(str(tmp_path / "link" / "new"), mounts)["filesystem"] == "nfs"


def test_a_place_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda _path, mode: mode != os.W_OK)
    assert path_facts(str(tmp_path))["writable"] is False


def test_an_owner_without_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(number: int) -> Any:
        raise KeyError(number)

    monkeypatch.setattr(pwd, "getpwuid", unknown)
    monkeypatch.setattr(grp, "getgrgid", unknown)
    facts = path_facts(str(tmp_path))
    assert (facts["owner"], facts["group"]) == (str(tmp_path.stat().st_uid), str(tmp_path.stat().st_gid))


# What the kernel says, out of files of the test.


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory that stands for the root of the host's files."""
    for module in (host, paths):
        monkeypatch.setattr(module, "Path", lambda path: tmp_path / str(path).lstrip("/"))
    for folder in ("proc/net", "sys/fs/selinux", "etc"):
        (tmp_path / folder).mkdir(parents=True)
    return tmp_path


def test_memory(root: Path) -> None:
    (root / "proc/meminfo").write_text("MemTotal:       2097152 kB\nMemAvailable:   1048576 kB\nSwapTotal:         2048 kB\nHugePages_Total:       0\n")
    assert host._memory() == {"total_mib": 2048, "available_mib": 1024, "swap_mib": 2}


def test_memory_that_cannot_be_read(root: Path) -> None:
    assert not (root / "proc/meminfo").exists()
    assert host._memory() == {"total_mib": 0, "available_mib": 0, "swap_mib": 0}


@pytest.mark.parametrize(("content", "mode"), [("1", "enforcing"), ("0\n", "permissive"), (None, "disabled")])
def test_selinux(root: Path, content: str | None, mode: str) -> None:
    if content is not None:
        (root / "sys/fs/selinux/enforce").write_text(content)
    assert host._selinux() == mode


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ('ID=debian\nVERSION_ID="12"\n', {"id": "debian", "version": "12", "like": []}),
        ("ID='linuxmint'\nID_LIKE=\"ubuntu debian\"\n\n# comment\n", {"id": "linuxmint", "version": "", "like": ["ubuntu", "debian"]}),
        (None, {"id": "unknown", "version": "", "like": []}),
    ],
)
def test_distribution(root: Path, content: str | None, expected: dict[str, Any]) -> None:
    if content is not None:
        (root / "etc/os-release").write_text(content)
    assert host._distribution() == expected


def test_the_mount_table(root: Path) -> None:
    assert paths.mounted() == []
    (root / "proc/mounts").write_text("/dev/sda1 / ext4 rw 0 0\nbroken\n")
    assert paths.mounted() == [["/dev/sda1", "/", "ext4", "rw", "0", "0"]]


# The interpreter.


def importable(folder: Path, monkeypatch: pytest.MonkeyPatch, name: str, content: str | None) -> None:
    """Put a package into a directory where nothing else is found; without content, nothing but its name."""
    (folder / name).mkdir()
    if content is not None:
        (folder / name / "__init__.py").write_text(content)
    for loaded in [each for each in sys.modules if each.partition(".")[0] == name]:
        monkeypatch.delitem(sys.modules, loaded)
    monkeypatch.setattr(sys, "path", [str(folder), *sys.path])


@pytest.mark.parametrize(("content", "there"), [("", True), ("raise RuntimeError('of another version')", False), ("import nothing_of_this_name", False)])
def test_a_package_is_there_when_it_can_be_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str | None, there: bool) -> None:
    importable(tmp_path, monkeypatch, "requests", content)
    assert host._python()["requests"] is there


@pytest.mark.parametrize("module", ["cryptography.x509", "packaging.version"])
def test_a_folder_of_its_name_is_no_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, module: str) -> None:
    name = module.partition(".")[0]
    importable(tmp_path, monkeypatch, name, "")
    assert host._python()[name] is False


@pytest.mark.parametrize(
    ("executable", "base", "prefix", "packages", "expected"),
    [
        ("python3.11", "python3.11", "/usr", [], ("python3", True)),
        ("python3", "python3", "/usr", [], ("python3", True)),
        ("python3.12", "python3.12", "/usr", ["dist"], ("python3.12", False)),
        ("venv", "python3.11", "/venv", [], ("venv", False)),
        ("venv", "python3.11", "/venv", ["dist"], ("venv", True)),
        ("venv", "python3.12", "/venv", ["dist"], ("venv", False)),
    ],
)
def test_whether_an_interpreter_sees_packages_of_the_distribution(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, executable: str, base: str, prefix: str, packages: list[str], expected: tuple[str, bool]
) -> None:
    for name in ("python3.11", "python3.12"):
        (tmp_path / name).touch()
    (tmp_path / "python3").symlink_to("python3.11")
    (tmp_path / "venv").symlink_to(base)
    monkeypatch.setattr(host, "_USUAL_PYTHON", str(tmp_path / "python3"))
    monkeypatch.setattr(host, "_DISTRIBUTION_PACKAGES", "dist")
    monkeypatch.setattr(sys, "executable", str(tmp_path / executable))
    monkeypatch.setattr(sys, "_base_executable", str(tmp_path / base), raising=False)
    monkeypatch.setattr(sys, "base_prefix", "/usr")
    monkeypatch.setattr(sys, "prefix", prefix)
    monkeypatch.setattr(sys, "path", [*sys.path, *packages])
    found = host._python()
    assert (Path(found["executable"]).name, found["distribution"]) == expected


# The server's accounts.


@pytest.mark.parametrize("names", [[], ["admin"], ["other", "admin"]])
def test_accounts_are_read_without_writing(tmp_path: Path, names: list[str]) -> None:
    database = tmp_path / "auth 100%.db"
    connection = sqlite3.connect(database)
    connection.execute("CREATE TABLE users (id INTEGER, username TEXT, enabled INTEGER)")
    connection.execute("CREATE TABLE user_permissions (user_id INTEGER, permission TEXT)")
    connection.executemany("INSERT INTO users VALUES (?, ?, ?)", [(number, name, name == "admin") for number, name in enumerate(names)])
    connection.executemany("INSERT INTO user_permissions VALUES (?, ?)", [(number, name) for number in range(len(names)) for name in ("b", "a")])
    connection.commit()
    connection.close()
    facts = user_facts(str(database))
    assert facts == {name: {"enabled": name == "admin", "permissions": ["a", "b"]} for name in names}
    assert list(facts) == sorted(names)
    assert list(tmp_path.iterdir()) == [database]


def test_there_are_no_accounts_without_a_database(tmp_path: Path) -> None:
    assert user_facts(str(tmp_path / "auth.db")) == {}
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("content", [b"", b"no database"])
def test_accounts_that_cannot_be_read(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "auth.db").write_bytes(content)
    assert user_facts(str(tmp_path / "auth.db")) is None


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """A database with one account, in the directory of the server's data."""
    place = tmp_path / "data/auth/auth.db"
    place.parent.mkdir(parents=True)
    change(place, "CREATE TABLE users (id INTEGER, username TEXT, enabled INTEGER)", "CREATE TABLE user_permissions (user_id INTEGER, permission TEXT)")
    change(place, "INSERT INTO users VALUES (1, 'admin', 1)", "INSERT INTO user_permissions VALUES (1, 'b'), (1, 'a')")
    return place


@pytest.fixture
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where copies are made; none of them stays."""
    folder = tmp_path / "scratch"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    yield folder
    assert list(folder.iterdir()) == []


def change(database: Path, *statements: str) -> None:
    """Change a database."""
    with contextlib.closing(sqlite3.connect(database)) as connection:
        for statement in statements:
            connection.execute(statement)
        connection.commit()


ADMIN = {"admin": {"enabled": True, "permissions": ["a", "b"]}}


def test_what_is_in_the_log_of_a_database_counts(database: Path, scratch: Path) -> None:
    with contextlib.closing(sqlite3.connect(database)) as server:
        server.execute("PRAGMA journal_mode=WAL")
        server.execute("INSERT INTO users VALUES (2, 'other', 0)")
        server.commit()
        before = {place.name: place.read_bytes() for place in database.parent.iterdir()}
        assert set(before) == {"auth.db", "auth.db-shm", "auth.db-wal"}
        assert user_facts(str(database)) == {**ADMIN, "other": {"enabled": False, "permissions": []}}
        assert {place.name: place.read_bytes() for place in database.parent.iterdir()} == before


@pytest.mark.parametrize("end", ["-shm", "-wal", "-journal"])
def test_nothing_is_written_through_a_link_beside_a_database(database: Path, tmp_path: Path, scratch: Path, end: str) -> None:
    """Root would make files and empty them in its place."""
    change(database, "PRAGMA journal_mode=WAL")
    for target in (tmp_path / "there", tmp_path / "new"):
        (tmp_path / "there").write_text("root's own", encoding="utf-8")
        link = database.with_name(f"auth.db{end}")
        link.unlink(missing_ok=True)
        link.symlink_to(target)
        assert user_facts(str(database)) == (None if end == "-wal" else ADMIN)
        assert (tmp_path / "there").read_text() == "root's own"
        assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("end", ["", "-wal"])
def test_what_lies_in_place_of_a_database_is_not_read(database: Path, tmp_path: Path, scratch: Path, end: str) -> None:
    place = database.with_name(f"auth.db{end}")
    (tmp_path / "elsewhere").write_bytes(database.read_bytes())
    makes: tuple[Callable[[], None], ...] = (
        lambda: place.symlink_to(tmp_path / "elsewhere"),
        lambda: place.symlink_to("nowhere"),
        lambda: os.mkfifo(place),
    )
    for make in makes:
        place.unlink(missing_ok=True)
        make()
        assert user_facts(str(database)) is None
    place.unlink()
    place.mkdir()
    assert user_facts(str(database)) is None
    place.rmdir()
    place.touch()
    os.truncate(place, 1 << 33)
    assert user_facts(str(database)) is None


def test_no_link_on_the_way_to_a_database_is_followed(database: Path, tmp_path: Path) -> None:
    data, folder = tmp_path / "data", database.parent
    assert user_facts(str(database), str(data)) == ADMIN
    folder.rename(tmp_path / "moved")
    assert user_facts(str(database), str(data)) == {}
    folder.symlink_to(tmp_path / "moved")
    (tmp_path / "moved/environment").write_text("A=b\n", encoding="utf-8")
    assert user_facts(str(database), str(data)) is None
    assert server_environment(str(folder / "environment"), str(data)) == {}
    # Without the directory the way is the operator's.
    assert user_facts(str(database), str(tmp_path / "elsewhere")) == ADMIN
    assert server_environment(str(folder / "environment"), None) == {"A": True}


ENDLESS = "WITH RECURSIVE endless(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM endless) SELECT n AS id, 'x' AS username, 1 AS enabled FROM endless"


@pytest.mark.parametrize(
    "statements",
    [
        ["DROP TABLE users"],
        ["DROP TABLE user_permissions"],
        ["DROP TABLE users", f"CREATE VIEW users AS {ENDLESS}"],
        ["DROP TABLE user_permissions", f"CREATE VIEW user_permissions AS SELECT id AS user_id, username AS permission FROM ({ENDLESS})"],
        # By its name and the kind beside it, it is a table.
        ["DROP TABLE users", f"CREATE VIEW users AS {ENDLESS}", "PRAGMA writable_schema=ON", "UPDATE sqlite_master SET type = 'table' WHERE name = 'users'"],
        [
            *("DROP TABLE users", "PRAGMA writable_schema=ON"),
            "INSERT INTO sqlite_master VALUES ('table', 'users', 'users', 0, 'CREATE VIRTUAL TABLE users USING fts5(id, username, enabled)')",
        ],
        # Whoever reads it gets more than a file can hold.
        [
            "DROP TABLE users",
            "CREATE TABLE users (id INTEGER, enabled INTEGER, username TEXT AS (hex(zeroblob(400000000))))",
            "INSERT INTO users VALUES (1, 1)",
        ],
        ["PRAGMA writable_schema=ON", "UPDATE sqlite_master SET sql = 'CREATE nonsense' WHERE name = 'users'"],
        ["UPDATE users SET username = CAST(x'ff' AS TEXT)"],
    ],
)
def test_tables_that_are_none_are_not_read(database: Path, scratch: Path, statements: list[str]) -> None:
    assert user_facts(str(database)) == ADMIN
    change(database, *statements)
    assert user_facts(str(database)) is None


@pytest.mark.parametrize(("limit", "value"), [("_STEPS", 10), ("_ROWS", 1), ("_CHARACTERS", 100), ("_DATABASE_BYTES", 4096)])
def test_a_database_has_its_limits(database: Path, scratch: Path, monkeypatch: pytest.MonkeyPatch, limit: str, value: int) -> None:
    assert user_facts(str(database)) == ADMIN
    monkeypatch.setattr(server_data, limit, value)
    assert user_facts(str(database)) is None


@pytest.mark.parametrize(("writes", "facts"), [(0, ADMIN), (4, ADMIN), (5, None)])
def test_a_database_is_read_again_when_it_was_written_meanwhile(
    database: Path, scratch: Path, monkeypatch: pytest.MonkeyPatch, writes: int, facts: dict[str, Any] | None
) -> None:
    real, left = read_bytes, [writes]

    def read(base: Path, parts: tuple[str, ...], limit: int) -> bytes:
        content = real(base, parts, limit)
        if not parts[-1].endswith("-wal") and left[0]:
            left[0] -= 1
            with database.open("ab") as file:
                file.write(b"x")
        return content

    monkeypatch.setattr(server_data, "read_bytes", read)
    assert user_facts(str(database)) == facts


def test_where_no_copy_can_be_made_accounts_are_not_known(database: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "none"))
    assert user_facts(str(database)) is None


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("XOSCAR_AUTH_KEY=ab\nXINFERENCE_AUTH_JWT_SECRET_KEY=cd=\n", {"XOSCAR_AUTH_KEY": True, "XINFERENCE_AUTH_JWT_SECRET_KEY": True}),
        ("# a word=1\nXOSCAR_AUTH_KEY=\nno pair\n", {"XOSCAR_AUTH_KEY": False}),
        ("rm -rf /=1\nA B=2\nC=3\n", {"C": True}),
        ("A=" + "b" * (1 << 16), {}),
        ("", {}),
        (None, {}),
    ],
)
def test_the_secrets_of_a_server_are_reported_by_name(tmp_path: Path, text: str | None, found: dict[str, bool]) -> None:
    if text is not None:
        (tmp_path / "environment").write_text(text, encoding="utf-8")
    assert server_environment(str(tmp_path / "environment")) == found


def test_no_link_is_followed_for_the_secrets_of_a_server(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_text("A=b\n", encoding="utf-8")
    (tmp_path / "environment").symlink_to(tmp_path / "elsewhere")
    assert server_environment(str(tmp_path / "environment")) == {}


def test_the_key_of_the_server_s_processes_is_compared_and_not_shown(tmp_path: Path) -> None:
    file = tmp_path / "environment"
    assert cluster_key(str(file)) == ""
    file.write_text("A=b\n", encoding="utf-8")
    assert cluster_key(str(file)) == ""
    found = []
    for key in ("", "marked-secret", "another"):
        file.write_text(f"# comment\nXOSCAR_AUTH_KEY={key}\n", encoding="utf-8")
        found.append(cluster_key(str(file)))
        assert found[-1] == hashlib.sha256(f"cluster {key}".encode()).hexdigest()
    assert len(set(found)) == 3
    # What the server put in its place is not followed.
    (tmp_path / "link").symlink_to(file)
    assert cluster_key(str(tmp_path / "link"), str(tmp_path)) == ""


def test_links_on_the_way_are_reported(tmp_path: Path) -> None:
    (tmp_path / "folder/deep").mkdir(parents=True)
    (tmp_path / "link").symlink_to("folder")
    (tmp_path / "folder/again").symlink_to("deep")
    links = path_facts(str(tmp_path / "link/again/file"))["links"]
    assert [link for link in links if link.startswith(str(tmp_path))] == [str(tmp_path / "link"), str(tmp_path / "link/again")]
    assert path_facts(str(tmp_path / "link"))["links"][-1] == str(tmp_path / "link")
    assert path_facts(str(tmp_path / "folder/deep"))["links"] == [link for link in links if not link.startswith(str(tmp_path))]


# All of it.


def test_a_directory_that_goes_away_while_it_is_read_holds_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(_directory: Path, _pattern: str) -> Iterator[Path]:
        yield tmp_path / "first"
        raise FileNotFoundError(2, "No such file or directory")

    monkeypatch.setattr(Path, "glob", gone)
    assert paths.files_below(tmp_path, "**/*.py") == []
    assert service_facts(["a.service"], "nobody", "/program", "/state.json", "/client", root=tmp_path)["program"] is None


def test_everything_at_once(engine: Engine, tmp_path: Path) -> None:
    facts = gather(docker_host=engine.address, container=None, image=None, paths=[str(tmp_path)], client_environment=None)
    assert facts["docker"]["reachable"]
    assert facts["paths"][str(tmp_path)]["directory"]
    assert facts["client_version"] is None
    assert facts["processors"] >= 1
    assert facts["memory"]["total_mib"] > 0
    assert facts["administrator"] == (os.geteuid() == 0)
    assert facts["asked"] == {"docker_host": engine.address, "container": None, "image": None, "client_environment": None, "data_root": None}
    assert set(facts) == {
        "asked",
        "architecture",
        "processors",
        "memory",
        "distribution",
        "selinux",
        "administrator",
        "python",
        "docker",
        "listeners",
        "addresses",
        "paths",
        "client_version",
        "client_problem",
        "client_foreign",
        "client_requirements",
        "users",
        "server_environment",
        "cluster_key",
        "declared",
        "service",
        "proxy",
        "firewall",
        "backup",
        "upgrade",
    }
    assert facts["service"] is None
    assert facts["proxy"] is None
    assert facts["firewall"] is None
    assert facts["backup"] is None
    assert facts["upgrade"] is None
    # It is the return value of a module.
    assert json.loads(json.dumps(facts)) == facts


# What the service reports.

STATE: dict[str, Any] = {
    "ready": False,
    "trouble": "",
    "refused": False,
    "models": {"chat": {"declared": "present", "state": "ready", "answered": True, "tries": 0, "message": ""}},
}


def state_of(root: Path) -> Any:
    """What the service of a host reported."""
    return service_facts(["a.service"], "nobody", "/opt/program", "/var/lib/service/state.json", root=root)["state"]


@pytest.fixture
def state_file(tmp_path: Path) -> Path:
    """The file in which it does."""
    place = tmp_path / "var/lib/service/state.json"
    place.parent.mkdir(parents=True)
    return place


def test_what_the_service_wrote_is_reported(tmp_path: Path, state_file: Path) -> None:
    assert state_of(tmp_path) is None
    for state in (STATE, {**STATE, "models": {}}):
        state_file.write_text(json.dumps({**state, "more": [1]}), encoding="utf-8")
        assert state_of(tmp_path) == state
    # An earlier version.
    state_file.write_text(json.dumps({name: value for name, value in STATE.items() if name != "refused"}), encoding="utf-8")
    assert state_of(tmp_path) == STATE


@pytest.mark.parametrize(
    "content",
    [
        *("", "{", "[]", "null", "7", '"text"', "{}", "[" * 200_000, '{"models":' * 200_000),
        *(
            {**STATE, "ready": 1},
            {**STATE, "trouble": None},
            {**STATE, "refused": "yes"},
            {**STATE, "trouble": ["answered 401"]},
            {**STATE, "models": []},
            {**STATE, "models": {"chat": []}},
        ),
        *({**STATE, "models": {"chat": {**STATE["models"]["chat"], name: {}}}} for name in STATE["models"]["chat"]),
        {**STATE, "models": {"chat": {**STATE["models"]["chat"], "tries": True}}},
        {**STATE, "models": {"chat": {"declared": "present"}}},
        {"ready": True, "trouble": ""},
    ],
    ids=str,
)
def test_what_no_service_writes_is_not_reported(tmp_path: Path, state_file: Path, content: Any) -> None:
    state_file.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    assert state_of(tmp_path) is None


def huge(place: Path) -> None:
    """A file of more bytes than is ever read, which takes no room."""
    place.touch()
    os.truncate(place, 1 << 33)


@pytest.mark.parametrize("make", [lambda place: place.symlink_to(place.parents[3] / "elsewhere"), os.mkfifo, lambda place: place.mkdir(), huge])
def test_what_lies_in_place_of_a_state_is_not_read(tmp_path: Path, state_file: Path, make: Callable[[Path], Any]) -> None:
    (tmp_path / "elsewhere").write_text(json.dumps(STATE), encoding="utf-8")
    make(state_file)
    assert state_of(tmp_path) is None


# The firewall.

UNITS = ("xinference-firewall.service", "xinference-check-firewall.service", "xinference-check-firewall.timer")
LISTED = """-P FORWARD ACCEPT
-N xinference-forward
-A FORWARD -m comment --comment xinference-firewall -j xinference-forward
-A FORWARD -m comment --comment "of others" -j DROP
-A xinference-forward ! -i xinference0 -o xinference0 -m comment --comment {} -j DROP
"""


def put(path: Path, text: str = "", mode: int = 0o644) -> None:
    """A file of a host."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    path.chmod(mode)


def firewalled(tmp_path: Path, listed: tuple[int, str] = (0, ""), ipv6: str = "") -> tuple[dict[str, Any], list[list[str]]]:
    """Facts of a host's firewall, and what was run for them."""
    asked: list[list[str]] = []

    def run(words: list[str]) -> tuple[int, str, str]:
        asked.append(words)
        return *listed, "Permission denied (you must be root)\n" if listed[0] else ""

    put(tmp_path / "proc/net/if_inet6", ipv6)
    return firewall_facts(UNITS, "xinference-firewall", "/usr/local/lib/firewall", run, tmp_path), asked


@pytest.mark.parametrize(
    ("comment", "is_found"),
    [
        ("xinference-firewall", True),
        ('"xinference-firewall:0a1b:0"', True),
        ("xinference-firewall-other", False),
        ("xinference-firewall-other:0a1b:0", False),
        ('"not xinference-firewall"', False),
    ],
)
def test_the_rules_of_a_container(tmp_path: Path, comment: str, is_found: bool) -> None:
    put(tmp_path / "usr/sbin/iptables", mode=0o755)
    facts, asked = firewalled(tmp_path, (0, LISTED.format(comment)))
    rule = f"xinference-forward {comment.strip(chr(34))} DROP"
    assert facts == {
        "units": {},
        "enabled": False,
        "active": False,
        "behind": False,
        "timer": False,
        "files": {},
        "rules": {"ipv4": ["FORWARD xinference-firewall xinference-forward", *([rule] if is_found else [])]},
    }
    assert asked == [[str(tmp_path / "usr/sbin/iptables"), "--wait", "5", "--table", "mangle", "--list-rules"]]


def test_both_families_where_the_host_has_them(tmp_path: Path) -> None:
    for command in ("iptables", "ip6tables"):
        put(tmp_path / "usr/sbin" / command, mode=0o755)
    facts, asked = firewalled(tmp_path, ipv6="00000000000000000000000000000001 01 80 10 80 lo\n")
    assert facts["rules"] == {"ipv4": [], "ipv6": []}
    assert [Path(words[0]).name for words in asked] == ["iptables", "ip6tables"]


def test_rules_that_cannot_be_read(tmp_path: Path) -> None:
    assert firewalled(tmp_path, (4, ""))[0]["rules"] == {"ipv4": None}
    put(tmp_path / "usr/sbin/iptables", mode=0o755)
    facts, _asked = firewalled(tmp_path, (4, ""), ipv6="fe80::")
    assert facts["rules"] == {"ipv4": None, "ipv6": None}


def test_files_and_timer_of_the_firewall(tmp_path: Path) -> None:
    put(tmp_path / "usr/local/lib/firewall/ipv4.rules", "*mangle\n")
    put(tmp_path / "etc/systemd/system" / UNITS[2], "[Timer]\n")
    wanted = tmp_path / "etc/systemd/system/timers.target.wants" / UNITS[2]
    wanted.parent.mkdir()
    wanted.symlink_to(tmp_path / "etc/systemd/system" / UNITS[2])
    facts, asked = firewalled(tmp_path)
    assert (facts["files"], facts["units"], facts["timer"]) == ({"ipv4.rules": "*mangle\n"}, {UNITS[2]: "[Timer]\n"}, True)
    assert asked == [[str(tmp_path / "usr/bin/systemctl"), "is-active", "--quiet", UNITS[2]]]
    assert firewalled(tmp_path, (3, ""))[0]["timer"] is False
    wanted.unlink()
    facts, asked = firewalled(tmp_path)
    assert (facts["timer"], asked) == (False, [])


@pytest.mark.parametrize(("labels", "found"), [({"io.inferops.collection": "inferops.xinference"}, ["xinference-backup"]), ({}, []), (None, [])])
def test_only_containers_that_the_roles_made_are_left_by_a_run(engine: Engine, labels: dict[str, str] | None, found: list[str]) -> None:
    """Another one may have such a name, and is nobody's to remove."""
    engine.answers["/containers/json"] = [
        {"Names": ["/xinference-backup"], "Image": "debian", "State": "exited", "Labels": labels},
        {"Names": ["/xinference-other"], "Image": "debian", "State": "exited", "Labels": {"io.inferops.collection": "inferops.xinference"}},
    ]
    facts = docker_facts(engine.address, "xinference")
    assert facts["beside"] == found
    # None of them runs.
    assert facts["neighbours"] == []
