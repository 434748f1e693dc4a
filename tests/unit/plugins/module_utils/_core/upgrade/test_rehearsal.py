# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A new server beside the one that runs: what it gets and what it may, and that nothing that it says is believed."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.inferops.xinference.plugins.module_utils._core.backup.contents import File
from ansible_collections.inferops.xinference.plugins.module_utils._core.backup.helper import Helper, Server
from ansible_collections.inferops.xinference.plugins.module_utils._core.base.errors import ConnectionFailed, XinferenceError
from ansible_collections.inferops.xinference.plugins.module_utils._core.server.relay import ENDPOINT, RelayAdapter, Reply
from ansible_collections.inferops.xinference.plugins.module_utils._core.server.session import Session
from ansible_collections.inferops.xinference.plugins.module_utils._core.upgrade.rehearsal import Rehearsal, Wanted, require_memory
from ansible_collections.inferops.xinference.tests.unit.plugins.module_utils._core.backup.conftest import Host
from ansible_collections.inferops.xinference.tests.unit.plugins.module_utils._core.backup.fake_engine import NAME, FakeContainer
from ansible_collections.inferops.xinference.tests.unit.plugins.module_utils._core.upgrade.new_server import NewServer

IMAGE, BESIDE = "sha256:5678", f"{NAME}-new-server"
READY = b'{"ready": true, "server": "4.2.0"}\n'
ODD = "the container of the new server sent something else than was asked for"


@pytest.fixture
def server(host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> NewServer:
    """A program that is the server of the new image."""
    server = NewServer(tmp_path)
    monkeypatch.setenv("PATH", server.path)
    host.engine.replaces = server.replaces()
    host.engine.servers[IMAGE] = "4.2.0"
    return server


def rehearsal(host: Host, server: NewServer | None = None, **changes: Any) -> Rehearsal:
    """A new server of the host, not started yet."""
    given: dict[str, Any] = {"environment": {}, "preparation": "", "prepared": {}, "health": "", "seconds": 300.0}
    return Rehearsal(host.docker, NAME, Wanted(image_id=IMAGE, **{**given, **(server.request() if server else {}), **changes}))


def collected(host: Host, folder: Path) -> list[File]:
    """The files of the server that runs."""
    (host.home / "launch_history.db").unlink(missing_ok=True)
    (host.home / "system-settings.json").write_text("{}")
    (host.home / "model-notes.json").write_text("{}")
    folder.mkdir()
    files, _found = Helper(host.docker, Server(host.docker, NAME)).collect(folder, [])
    # One of another server, which would launch its models.
    history = folder / "launch_history.db"
    history.write_bytes(b"history")
    host.engine.made.clear()
    return [*files, File("launch_history.db", 7, "0" * 64), File("authority/a", 0, "0" * 64), File("models/a", 0, "0" * 64)]


def gone(host: Host) -> None:
    """No container is left."""
    assert host.engine.asked[-1] == f"DELETE /containers/{BESIDE}?force=1"


def test_it_gets_accounts_and_registrations_and_no_history(host: Host, server: NewServer, tmp_path: Path) -> None:
    files = collected(host, tmp_path / "files")
    assert {"auth/auth.db", "launch_history.db", "system-settings.json"} <= {file.path for file in files}
    asked = rehearsal(host, server, environment={"HF_HUB_OFFLINE": "1"}, prepared={"account": {"username": "admin", "password": "marked"}})
    with asked.ready(tmp_path / "files", files):
        assert asked.version == "4.2.0"
        reply = asked.ask("GET", "/state", {}, b"")
        assert (reply.status, reply.reason, reply.content_type) == (200, "OK", "application/json")
        state = json.loads(reply.body)
        given = {path for path in state["files"] if path != "prepared"}
        assert given == {"auth/auth.db", "auth/encryption_key", "auth/jwt_secret_key", "model/v2/llm/mine.json"}
        assert state["files"]["auth/encryption_key"] == "0" * 64
        assert state["environment"]["HF_HUB_OFFLINE"] == "1"
        assert json.loads(state["files"]["prepared"])["account"] == {"username": "admin", "password": "marked"}
    gone(host)
    # A password is nothing for Docker's description of a container.
    assert "marked" not in str(host.engine.made)


def test_its_container_can_do_little(host: Host, tmp_path: Path) -> None:
    host.engine.says = READY
    with rehearsal(host).ready(tmp_path, []):
        pass
    (made,) = host.engine.made
    assert (made["Image"], made["User"], made["Healthcheck"]) == (IMAGE, "0:0", {"Test": ["NONE"]})
    assert made["Labels"] == {"io.inferops.collection": "inferops.xinference", "io.inferops.new-server-of": NAME}
    assert made["HostConfig"] == {
        "NetworkMode": "none",
        "CapDrop": ["ALL"],
        "CapAdd": ["CHOWN", "DAC_OVERRIDE", "FOWNER"],
        "SecurityOpt": ["no-new-privileges"],
        "LogConfig": {"Type": "none"},
        # Nothing that it does changes a file of the server that runs.
        "VolumesFrom": [f"{NAME}:ro"],
        "ReadonlyRootfs": True,
        "Tmpfs": {"/tmp": "exec,mode=1777", "/root/.cache": "exec", "/root/.xoscar": ""},
        "Memory": 3 << 30,
        "CpuShares": 256,
        # Where memory ends, it does so before a model that serves.
        "OomScoreAdj": 1000,
        "PidsLimit": 1024,
    }
    assert not {"Env", "Volumes", "ExposedPorts"} & set(made)


def test_the_server_that_runs_is_left_alone(host: Host, server: NewServer, tmp_path: Path) -> None:
    with rehearsal(host, server).ready(tmp_path, []):
        assert host.engine.containers == {NAME: FakeContainer()}
    assert not any(line.startswith(("POST", "DELETE")) and BESIDE not in line for line in host.engine.asked)


def test_questions_of_a_real_session(host: Host, server: NewServer, tmp_path: Path) -> None:
    session = Session(30)
    asked = rehearsal(host, server)
    session.mount("http://", RelayAdapter(asked.ask))
    session.pause = 0.0
    with asked.ready(tmp_path, []):
        answer = session.request("POST", f"{ENDPOINT}/v1/models", json={"a": "é"}, headers={"Authorization": "Bearer x"}).json()
        assert (answer["method"], answer["path"], json.loads(answer["body"])) == ("POST", "/v1/models", {"a": "é"})
        assert answer["headers"]["authorization"] == "Bearer x"
        assert session.request("GET", f"{ENDPOINT}/v1/x", params={"a": "b c"}).json()["path"] == "/v1/x?a=b+c"
        with pytest.raises(ConnectionFailed, match=r"no connection \(the answer was cut off\)"):
            session.request("GET", f"{ENDPOINT}/cut")
        with pytest.raises(ConnectionFailed, match=r"no connection \(the answer is larger than 1 MiB\)"):
            session.request("GET", f"{ENDPOINT}/large?{2 << 20}")
        # Large ones come whole.
        assert len(asked.ask("GET", f"/large?{1 << 20}", {}, b"").body) == 1 << 20
    with pytest.raises(ConnectionFailed, match="the new server is not there any more"):
        session.request("GET", f"{ENDPOINT}/v1/x")


def test_a_server_that_does_not_start_says_why(host: Host, server: NewServer, tmp_path: Path) -> None:
    server.write("#!/bin/sh\necho 'no such table: users' >&2\nexit 3\n")
    with (
        pytest.raises(XinferenceError, match=r"^its server does not start, it ended with exit code 3: no such table: users$"),
        rehearsal(host, server, health="raise SystemExit(1)").ready(tmp_path, []),
    ):
        pytest.fail("it was asked")
    gone(host)


def test_a_preparation_that_fails_says_why(host: Host, server: NewServer, tmp_path: Path) -> None:
    with (
        pytest.raises(XinferenceError, match=r"^The first administrator could not be made\.$"),
        rehearsal(host, server, preparation="raise SystemExit('The first administrator could not be made.')").ready(tmp_path, []),
    ):
        pytest.fail("it was asked")
    gone(host)


def test_a_server_that_ends_while_it_is_asked(host: Host, server: NewServer, tmp_path: Path) -> None:
    asked = rehearsal(host, server)
    with asked.ready(tmp_path, []):
        with pytest.raises(OSError, match="Remote end closed connection without response"):
            asked.ask("GET", "/end", {}, b"")
        # A connection that came in while the process ended is reset.
        with pytest.raises(OSError, match=r"Connection (refused|reset by peer)"):
            asked.ask("GET", "/x", {}, b"")
    gone(host)


def test_it_is_waited_for_a_slow_one(host: Host, tmp_path: Path) -> None:
    host.engine.says = b'{"waiting": true}\n' * 50 + READY
    asked = rehearsal(host)
    with asked.ready(tmp_path, []):
        assert asked.version == "4.2.0"


@pytest.mark.parametrize(
    ("says", "words"),
    [
        (b"", "the container ended without a word"),
        (b'{"waiting": true}\n', "the container ended without a word"),
        (b"[]\n", "the container sent something else than was asked for"),
        (b"ready\n", "the container sent something else than was asked for"),
        (b"\xff\xfe\n", "the container sent something else than was asked for"),
    ],
)
def test_one_that_does_not_say_that_it_is_ready(host: Host, tmp_path: Path, says: bytes, words: str) -> None:
    host.engine.says = says
    with pytest.raises(XinferenceError, match=f"^{words}$"), rehearsal(host).ready(tmp_path, []):
        pytest.fail("it was asked")
    gone(host)


@pytest.mark.parametrize(
    ("server", "version"), [("null", ""), ("0", ""), ('["4"]', "['4']"), ('"' + "x" * 1000 + '"', "x" * 40), ('"4\\u001b[2J\\n"', "4 [2J")]
)
def test_a_version_has_bounds(host: Host, tmp_path: Path, server: str, version: str) -> None:
    host.engine.says = f'{{"ready": true, "server": {server}}}\n'.encode()
    asked = rehearsal(host)
    with asked.ready(tmp_path, []):
        assert asked.version == version


GOOD: dict[str, Any] = {"status": 200, "reason": "OK", "type": "application/json", "size": 2}


def answer(**changes: Any) -> bytes:
    """An answer of two bytes, with another header."""
    return json.dumps({**GOOD, **changes}).encode() + b"\n{}"


@pytest.mark.parametrize(
    ("says", "words"),
    [
        (answer(size=-1), ODD),
        (answer(size=(32 << 20) + 1), ODD),
        (answer(size=10**30), ODD),
        (answer(size=True), ODD),
        (answer(size=2.0), ODD),
        (answer(size="2"), ODD),
        (answer(size=None), ODD),
        (answer(size=[2]), ODD),
        (answer(status="200"), ODD),
        (answer(status=True), ODD),
        (answer(status=200.5), ODD),
        (answer(status=None), ODD),
        (b"{}\n", ODD),
        (b'{"status": 200}\n', ODD),
        (b"[]\n", "the new server ended: the container sent something else than was asked for"),
        (b"no json\n", "the new server ended: the container sent something else than was asked for"),
        (b"\xff\n", "the new server ended: the container sent something else than was asked for"),
        (b"[" * 100_000 + b"\n", "the new server ended: the container sent something else than was asked for"),
        (b"", "the new server ended: the container ended without a word"),
        (b'{"status": 200', "the new server ended: the container ended without a word"),
        (answer(size=3), "the new server ended: its answer was cut off"),
        (answer(size=32 << 20), "the new server ended: its answer was cut off"),
        (b"x" * (2 << 20), "the container wrote a line that is too long"),
        (b'{"failed": "a\\u001b[2J' + b"x" * 5000 + b'"}\n', "a [2J" + "x" * 495),
        (b'{"failed": ["x"], "size": -1}\n', "['x']"),
        (b'{"failed": null}\n', "None"),
    ],
)
def test_a_hostile_answer_is_one_that_failed(host: Host, tmp_path: Path, says: bytes, words: str) -> None:
    host.engine.says = READY + says
    asked = rehearsal(host)
    with asked.ready(tmp_path, []):
        with pytest.raises(OSError) as raised:
            asked.ask("GET", "/v1/models", {}, b"")
        assert str(raised.value) == words
    gone(host)


@pytest.mark.parametrize(
    ("changes", "reply"),
    [
        ({}, Reply(200, "OK", "application/json", b"{}")),
        ({"size": 0}, Reply(200, "OK", "application/json", b"")),
        ({"reason": "a\r\nb" + "x" * 500, "type": "t" * 500}, Reply(200, "a  b" + "x" * 196, "t" * 200, b"{}")),
        ({"reason": None, "type": ["x"]}, Reply(200, "None", "['x']", b"{}")),
    ],
)
def test_words_of_an_answer_have_bounds(host: Host, tmp_path: Path, changes: dict[str, Any], reply: Reply) -> None:
    host.engine.says = READY + answer(**changes)
    asked = rehearsal(host)
    with asked.ready(tmp_path, []):
        assert asked.ask("GET", "/v1/models", {}, b"") == reply


@pytest.mark.parametrize("labels", [None, {"io.inferops.new-server-of": "other"}, {"io.inferops.backup-of": NAME}])
def test_a_container_of_that_name_that_is_another_s_stays(host: Host, tmp_path: Path, labels: dict[str, str] | None) -> None:
    host.engine.containers[BESIDE] = FakeContainer(labels=labels)
    with (
        pytest.raises(XinferenceError, match=f"^the name of container '{BESIDE}' is needed, and it is none of the roles'; rename or remove it$"),
        rehearsal(host).ready(tmp_path, []),
    ):
        pytest.fail("it was asked")
    assert BESIDE in host.engine.containers
    assert (host.engine.made, [line for line in host.engine.asked if line.startswith("DELETE")]) == ([], [])


def test_one_that_a_killed_run_left_is_removed(host: Host, tmp_path: Path) -> None:
    host.engine.says = READY
    host.engine.containers[BESIDE] = FakeContainer(labels={"io.inferops.new-server-of": NAME})
    with rehearsal(host).ready(tmp_path, []):
        assert BESIDE not in host.engine.containers


@pytest.mark.parametrize("error", [XinferenceError("odd"), OSError("odd"), KeyboardInterrupt("odd")])
def test_its_container_is_removed_whatever_happens(host: Host, server: NewServer, tmp_path: Path, error: BaseException) -> None:
    asked = rehearsal(host, server)
    with pytest.raises(type(error), match="odd"), asked.ready(tmp_path, []):
        raise error
    gone(host)
    with pytest.raises(OSError, match="the new server is not there any more"):
        asked.ask("GET", "/x", {}, b"")


@pytest.mark.parametrize("beginning", ["POST /containers/create", f"POST /containers/{BESIDE}/start"])
def test_its_container_is_removed_where_docker_does_not_start_it(host: Host, tmp_path: Path, beginning: str) -> None:
    host.engine.refuses[beginning] = "no space left on device"
    with pytest.raises(OSError, match="no space left on device"), rehearsal(host).ready(tmp_path, []):
        pytest.fail("it was asked")
    gone(host)


def test_a_file_that_is_gone_meanwhile_ends_it(host: Host, server: NewServer, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), rehearsal(host, server).ready(tmp_path, [File("auth/a", 1, "0" * 64)]):
        pytest.fail("it was asked")
    gone(host)


@pytest.mark.parametrize(
    ("text", "free"),
    [
        ("MemTotal:       16000000 kB\nMemFree:  1 kB\nMemAvailable:    2097151 kB\n", 2047),
        ("MemAvailable: 0 kB\n", 0),
        ("MemAvailable:    2097152 kB\n", None),
        ("MemAvailable:    9999999 kB\nSwapFree: 0 kB\n", None),
        # An old kernel does not say.
        ("MemTotal:       16000000 kB\n", None),
        ("", None),
    ],
)
def test_memory_for_a_second_server(tmp_path: Path, text: str, free: int | None) -> None:
    (tmp_path / "meminfo").write_text(text)
    if free is None:
        require_memory(tmp_path / "meminfo")
        return
    with pytest.raises(XinferenceError) as raised:
        require_memory(tmp_path / "meminfo")
    assert str(raised.value) == (
        f"The new server cannot be asked beside the one that runs: {free} MiB of memory are free on this host, and it needs 2048. "
        "Stop something else meanwhile."
    )


def test_memory_of_this_host_can_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Path] = []
    real: Callable[..., str] = Path.read_text

    def read_text(self: Path, *arguments: Any, **options: Any) -> str:
        seen.append(self)
        return real(self, *arguments, **options)

    monkeypatch.setattr(Path, "read_text", read_text)
    try:
        require_memory()
    except XinferenceError as error:
        assert "MiB of memory are free" in str(error)
    assert seen == [Path("/proc/meminfo")]
