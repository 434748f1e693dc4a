# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The program that looks around inside the container: its parts, and all of it as a process, as it stands in the module."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.inferops.xinference.plugins.module_utils._core.diagnose import inside
from ansible_collections.inferops.xinference.plugins.module_utils._core.diagnose.container import Directory, Inside
from ansible_collections.inferops.xinference.plugins.module_utils._core.host.program_container import module_text

VARIABLES = ("XINFERENCE_MODEL_SRC", "HF_ENDPOINT", "MODELSCOPE_DOMAIN", *inside.PROXIES)


class Listener:
    """Something that listens on loopback.

    :param says: what it answers to whoever connects; None for one that takes no connection's words and answers nothing.
    """

    def __init__(self, says: bytes | None) -> None:
        self.says = says
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.heard: list[bytes] = []
        self.open: list[socket.socket] = []
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _address = self.socket.accept()
            except OSError:
                return
            if self.says is None:
                self.open.append(connection)
                continue
            with connection:
                self.heard.append(connection.recv(1 << 16))
                connection.sendall(self.says)

    def close(self) -> None:
        """Stop."""
        self.socket.close()
        for connection in self.open:
            connection.close()


@pytest.fixture
def listening() -> Iterator[Listener]:
    """A server that answers."""
    with closing(Listener(b"HTTP/1.1 200 OK\r\nContent-Length: 14\r\nConnection: close\r\n\r\n" + b'{"auth": true}')) as listener:
        yield listener


@pytest.fixture
def nobody() -> int:
    """A port on which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


@pytest.fixture(autouse=True)
def _plain(monkeypatch: pytest.MonkeyPatch) -> None:
    """An environment that names no hub and no proxy."""
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)


# The port.


def test_a_server_that_answers(listening: Listener) -> None:
    assert inside.port(listening.port) == ""
    assert listening.heard[0].startswith(b"GET /v1/cluster/auth HTTP/1.1\r\n")


@pytest.mark.parametrize("status", [401, 403, 404, 500])
def test_an_error_is_an_answer(status: int) -> None:
    with closing(Listener(f"HTTP/1.1 {status} No\r\nContent-Length: 0\r\n\r\n".encode())) as listener:
        assert inside.port(listener.port) == ""


def test_a_port_on_which_nobody_listens(nobody: int) -> None:
    assert "refused" in inside.port(nobody)


def test_what_speaks_no_http() -> None:
    for says in (b"", b"SSH-2.0-OpenSSH\r\n", b"\xff" * 100_000):
        with closing(Listener(says)) as listener:
            assert inside.port(listener.port)


def test_a_server_that_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inside, "TIMEOUT", 0.1)
    with closing(Listener(None)) as listener:
        assert "timed out" in inside.port(listener.port)


# Directories.


def test_a_directory(tmp_path: Path) -> None:
    found = tmp_path.stat()
    assert inside.directory(str(tmp_path)) == {"device": found.st_dev, "inode": found.st_ino, "readable": True, "writable": True}


def test_a_directory_that_is_not_there(tmp_path: Path) -> None:
    assert inside.directory(str(tmp_path / "none")) is None
    (tmp_path / "circle").symlink_to("circle")
    assert inside.directory(str(tmp_path / "circle")) is None


def test_a_directory_that_may_not_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Root may do anything to those of a test.
    allowed = os.R_OK | os.X_OK
    monkeypatch.setattr(os, "access", lambda _path, mode: not mode & ~allowed)
    found = inside.directory(str(tmp_path))
    assert found is not None
    assert (found["readable"], found["writable"]) == (True, False)


# The hub.


@pytest.mark.parametrize(
    ("environment", "name", "place"),
    [
        ({}, "huggingface", ("huggingface.co", 443)),
        ({"XINFERENCE_MODEL_SRC": "modelscope"}, "modelscope", ("www.modelscope.cn", 443)),
        ({"XINFERENCE_MODEL_SRC": "modelscope", "HF_ENDPOINT": "https://other"}, "modelscope", ("www.modelscope.cn", 443)),
        ({"XINFERENCE_MODEL_SRC": "new-hub"}, "new-hub", ("huggingface.co", 443)),
        ({"HF_ENDPOINT": "http://mirror.example/hf"}, "huggingface", ("mirror.example", 80)),
        ({"HF_ENDPOINT": "https://mirror.example:8443"}, "huggingface", ("mirror.example", 8443)),
        ({"XINFERENCE_MODEL_SRC": "modelscope", "MODELSCOPE_DOMAIN": "mirror.example"}, "modelscope", ("mirror.example", 443)),
        ({"HF_ENDPOINT": "https://[2001:db8::1]:8443"}, "huggingface", ("2001:db8::1", 8443)),
        ({"HTTPS_PROXY": "http://proxy.example:3128"}, "huggingface", ("proxy.example", 3128)),
        ({"https_proxy": "proxy.example:3128"}, "huggingface", ("proxy.example", 3128)),
        ({"ALL_PROXY": "https://proxy.example", "HTTPS_PROXY": ""}, "huggingface", ("proxy.example", 443)),
    ],
)
def test_where_the_hub_is(environment: dict[str, str], name: str, place: tuple[str, int], monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[Any] = []

    def connect(address: tuple[str, int], _timeout: float) -> socket.socket:
        tried.append(address)
        return socket.socket()

    monkeypatch.setattr(socket, "create_connection", connect)
    for variable, value in environment.items():
        monkeypatch.setenv(variable, value)
    assert inside.hub() == {"name": name, "place": f"{place[0]}:{place[1]}", "trouble": ""}
    assert tried == [place]


def test_a_password_of_a_proxy_is_not_repeated(listening: Listener, nobody: int, monkeypatch: pytest.MonkeyPatch) -> None:
    for port in (listening.port, nobody):
        monkeypatch.setenv("HTTPS_PROXY", f"http://me:hunter2@127.0.0.1:{port}")
        found = inside.hub()
        assert found["place"] == f"127.0.0.1:{port}"
        assert "hunter2" not in json.dumps(found)
        assert bool(found["trouble"]) == (port == nobody)


@pytest.mark.parametrize("variable", ["HF_ENDPOINT", "HTTPS_PROXY"])
@pytest.mark.parametrize(
    "value", ["http://me:hunter2@host:port", "https://me:hunter2@host:999999", "http://me:hunter2@[::1", "http://me:hunter2@", "//", ":80"]
)
def test_what_is_no_address(variable: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(variable, value)
    assert inside.hub() == {"name": "huggingface", "place": variable, "trouble": "it is no address"}


def test_a_name_that_no_host_can_have(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", f"https://{'a' * 64}.example")
    found = inside.hub()
    assert found["place"] == f"{'a' * 64}.example:443"
    assert found["trouble"]


# All of it.


def run(**asked: Any) -> subprocess.CompletedProcess[bytes]:
    """The program as it is sent to the container."""
    text = module_text(".inside", inside.__package__)
    return subprocess.run([sys.executable, "-I", "-c", text, json.dumps(asked)], capture_output=True, check=False, timeout=60)


def test_the_program_in_a_process_of_its_own(listening: Listener, tmp_path: Path) -> None:
    directories = [str(tmp_path), str(tmp_path / "none")]
    ended = run(seconds=30, port=listening.port, directories=directories, hub=False)
    assert (ended.returncode, ended.stderr) == (0, b"")
    found = tmp_path.stat()
    assert Inside.of(json.loads(ended.stdout), directories) == Inside(
        directories={directories[0]: Directory((found.st_dev, found.st_ino), True, True), directories[1]: None}
    )


def test_the_program_reaches_for_the_hub_where_that_was_asked_for(listening: Listener, nobody: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{nobody}")
    ended = run(seconds=30, port=listening.port, directories=[], hub=True)
    found = Inside.of(json.loads(ended.stdout), [])
    assert (found.hub, found.hub_place) == ("huggingface", f"127.0.0.1:{nobody}")
    assert "refused" in found.hub_trouble


def test_the_program_ends_in_any_case() -> None:
    with closing(Listener(None)) as listener:
        assert run(seconds=1, port=listener.port, directories=[], hub=False).returncode < 0


def test_a_file_that_is_mounted_is_read_and_not_entered(tmp_path: Path) -> None:
    file = tmp_path / "localtime"
    file.write_text("a time zone", encoding="utf-8")
    file.chmod(0o644)
    found = inside.directory(str(file))
    assert found is not None
    assert (found["readable"], found["writable"]) == (True, True)
