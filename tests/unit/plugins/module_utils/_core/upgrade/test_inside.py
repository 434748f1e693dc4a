# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What runs in a container of the new image, as a process, with a program in place of the server."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.inferops.xinference.plugins.module_utils._core.host.program_container import program_text
from ansible_collections.inferops.xinference.plugins.module_utils._core.upgrade import inside
from ansible_collections.inferops.xinference.tests.unit.plugins.module_utils._core.upgrade.new_server import NewServer

END: dict[str, Any] = {"end": True}


class Program:
    """The text as a process, and its host.

    :param server: that it starts.
    :param path: where it looks for programs.
    :param replaces: what stands in its text in place of something else.
    """

    def __init__(self, server: NewServer, path: str | None = None, replaces: Mapping[str, str] | None = None) -> None:
        text = program_text(inside.__package__)
        for before, after in (replaces or server.replaces()).items():
            assert text.count(before) == 1
            text = text.replace(before, after)
        self.process = subprocess.Popen(
            [sys.executable, "-I", "-c", text],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, "PATH": path or server.path},
            start_new_session=True,
        )

    def send(self, *parts: dict[str, Any] | bytes) -> None:
        """Send lines, and bytes as they are."""
        assert self.process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            for part in parts:
                self.process.stdin.write(part if isinstance(part, bytes) else json.dumps(part).encode() + b"\n")
            self.process.stdin.flush()

    def line(self) -> dict[str, Any]:
        """Its next line."""
        assert self.process.stdout is not None
        found: dict[str, Any] = json.loads(self.process.stdout.readline())
        return found

    def ask(self, path: str, method: str = "GET", headers: Mapping[str, str] | None = None, body: bytes = b"") -> tuple[dict[str, Any], bytes]:
        """The answer to a request: what it is, and its content."""
        assert self.process.stdout is not None
        self.send({"method": method, "path": path, "headers": dict(headers or {}), "size": len(body)}, body)
        header = self.line()
        return header, self.process.stdout.read(header["size"])

    def state(self) -> dict[str, Any]:
        """What the server finds."""
        found: dict[str, Any] = json.loads(self.ask("/state")[1])
        return found

    def words(self) -> str:
        """The last line of what it says when it ends, which it has to with an error."""
        assert self.process.stderr is not None
        lines = self.process.stderr.read().decode().splitlines()
        assert self.code() == 1
        return lines[-1]

    def code(self) -> int:
        """Its exit code. Its number stays its own, by which all that it has started is ended."""
        found = os.waitid(os.P_PID, self.process.pid, os.WEXITED | os.WNOWAIT)
        assert found is not None
        return found.si_status

    def close(self) -> None:
        """End it, and all that it has started."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            assert stream is not None
            with contextlib.suppress(BrokenPipeError):
                stream.close()


@pytest.fixture
def server(tmp_path: Path) -> NewServer:
    """A server that serves."""
    return NewServer(tmp_path)


@contextlib.contextmanager
def running(server: NewServer, **options: Any) -> Iterator[Program]:
    """The process; nothing of it is left in the end."""
    program = Program(server, **options)
    try:
        yield program
    finally:
        program.close()


def file(path: str, content: bytes) -> tuple[dict[str, Any], bytes]:
    """A file as the host sends it."""
    return {"path": path, "size": len(content), "sha256": hashlib.sha256(content).hexdigest()}, content


def test_a_server_that_is_asked(server: NewServer) -> None:
    with running(server) as program:
        program.send(server.request(environment={"XINFERENCE_MODEL_SRC": "modelscope"}, prepared={"account": {"username": "admin"}, "user": "0:0"}))
        program.send(*file("auth/auth.db", b"accounts"), *file("model/v2/llm/mine.json", b"{}"), END)
        assert program.line() == {"ready": True, "server": ""}
        state = program.state()
        assert state["arguments"] == ["--host", server.address, "--port", "19997"]
        home = state["environment"]["XINFERENCE_HOME"]
        assert json.loads(state["files"].pop("prepared")) == {"account": {"username": "admin"}, "user": "0:0", "home": home}
        assert state["files"] == {"auth/auth.db": "accounts", "model/v2/llm/mine.json": "{}"}
        assert state["environment"]["XINFERENCE_MODEL_SRC"] == "modelscope"
        assert state["environment"]["HOME"] == str(Path(home).parent)
        # What the preparation was given holds a password.
        assert state["beside"] == ["home", "log", "words"]
        # It ends with its container, of which the test makes a group of processes.
        assert state["group"] == program.process.pid
        program.send(END)
        assert program.code() == 0
        assert not Path(home).exists()


@pytest.mark.parametrize(
    ("method", "path", "headers", "body"),
    [
        ("GET", "/v1/models?detailed=true&name=a%2Fb", {"Authorization": "Bearer token-1"}, b""),
        ("POST", "/v1/models", {"Content-Type": "application/json", "Content-Length": "12"}, '{"a": "é"}\n'.encode()),
        ("PUT", "/v1/admin/users/1", {"Content-Length": "2"}, b"{}"),
        ("DELETE", "/v1/models/chat", {}, b""),
    ],
)
def test_a_question_arrives_as_it_was_asked(server: NewServer, method: str, path: str, headers: dict[str, str], body: bytes) -> None:
    with running(server) as program:
        program.send(server.request(), END)
        assert program.line()["ready"]
        header, content = program.ask(path, method, {"X-Own": "1", **headers}, body)
    assert header == {"status": 200, "reason": "OK", "type": "application/json", "size": len(content)}
    asked = json.loads(content)
    assert (asked["method"], asked["path"], asked["body"]) == (method, path, body.decode())
    assert {name.lower(): value for name, value in headers.items()}.items() <= asked["headers"].items()
    assert asked["headers"]["x-own"] == "1"


def test_answers_that_are_none_do_not_end_it(server: NewServer) -> None:
    with running(server) as program:
        program.send(server.request(), END)
        assert program.line()["ready"]
        missing = b'{"detail": "no such model"}'
        assert program.ask("/missing") == ({"status": 404, "reason": "Not Found", "type": "application/json", "size": len(missing)}, missing)
        assert program.ask(f"/large?{1 << 20}")[0] == {"status": 200, "reason": "OK", "type": "text/plain", "size": 1 << 20}
        assert program.ask(f"/large?{(1 << 20) + 1}") == ({"failed": "the answer is larger than 1 MiB", "size": 0}, b"")
        assert program.ask("/cut") == ({"failed": "the answer was cut off", "size": 0}, b"")
        header, _content = program.ask("/silent")
        assert header["failed"] == "Remote end closed connection without response"
        assert program.ask("/x")[0]["status"] == 200
        assert program.ask("/end")[0]["failed"] == "Remote end closed connection without response"
        # Refused, or reset while it still ends.
        assert "Connection re" in program.ask("/x")[0]["failed"]
        program.send(END)
        assert program.code() == 0


def test_the_server_gets_the_secrets_of_its_file(server: NewServer) -> None:
    content = b"# kept by the roles\nXOSCAR_AUTH_KEY=a=b\nODD\n\nXINFERENCE_AUTH_JWT_SECRET_KEY=\xff\n"
    with running(server) as program:
        program.send(server.request(environment={"XOSCAR_AUTH_KEY": "other"}), *file("auth/environment", content), END)
        assert program.line()["ready"]
        found = program.state()["environment"]
    assert (found["XOSCAR_AUTH_KEY"], found["XINFERENCE_AUTH_JWT_SECRET_KEY"]) == ("a=b", "\ufffd")
    assert not {"ODD", "# kept by the roles"} & set(found)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("#!/bin/sh\necho first\necho\necho 'the reason' >&2\nexit 3\n", "its server does not start, it ended with exit code 3: first | the reason"),
        ("#!/bin/sh\nexit 0\n", "its server does not start, it ended with exit code 0"),
        ("#!/bin/sh\nkill -9 $$\n", "its server does not start, it ended with exit code -9"),
        ("#!/bin/sh\nfor i in 1 2 3 4 5 6 7; do echo line $i; done\nexit 1\n", "line 3 | line 4 | line 5 | line 6 | line 7"),
    ],
)
def test_a_server_that_ends_leaves_its_last_words(server: NewServer, text: str, words: str) -> None:
    server.write(text)
    with running(server) as program:
        program.send(server.request(health="raise SystemExit(1)"), END)
        said = program.words()
    assert said.endswith(words)
    assert said.startswith("its server does not start, it ended with exit code ")


@pytest.mark.parametrize(("health", "words"), [("raise SystemExit('GET /status answered: 503')", ": GET /status answered: 503"), ("raise SystemExit(1)", "")])
def test_a_server_that_does_not_get_healthy(server: NewServer, health: str, words: str) -> None:
    with running(server) as program:
        program.send(server.request(health=health, seconds=0), END)
        assert program.words() == f"its server was not healthy within 0 s{words}"


def test_the_host_hears_of_a_server_that_is_slow(server: NewServer, tmp_path: Path) -> None:
    """Silence would be taken for a container that is stuck."""
    health = f"from pathlib import Path\nseen = Path({str(tmp_path / 'seen')!r})\nseen.open('a').write('x')\nassert seen.stat().st_size > 3\n{server.health}"
    with running(server, replaces=server.replaces(news=-1.0)) as program:
        program.send(server.request(health=health), END)
        lines = [program.line()]
        while not lines[-1].get("ready"):
            lines.append(program.line())
    assert lines[:3] == [{"waiting": True}] * 3
    assert lines[3:-1] == [{"waiting": True}] * (len(lines) - 4)


@pytest.mark.parametrize(
    ("preparation", "words"),
    [
        ("import sys\nprint('odd')\nsys.exit('The first administrator could not be made: no.')", "The first administrator could not be made: no."),
        ("raise SystemExit(7)", "its directory could not be prepared: exit code 7"),
        ("import os\nos.kill(os.getpid(), 9)", "its directory could not be prepared: exit code -9"),
        ("raise ValueError('odd')", "ValueError: odd"),
    ],
)
def test_a_preparation_that_fails_starts_no_server(server: NewServer, tmp_path: Path, preparation: str, words: str) -> None:
    server.write(f"#!/bin/sh\n: >{tmp_path}/started\n")
    with running(server) as program:
        program.send(server.request(preparation=preparation), END)
        assert program.words() == words
    assert not (tmp_path / "started").exists()


def test_an_image_without_a_server_is_none(server: NewServer, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with running(server, path=str(tmp_path / "empty")) as program:
        program.send(server.request(), END)
        assert program.words() == "the image has no program xinference-local, so it is none of Xinference"


@pytest.mark.parametrize("parts", [(), (file("auth/a", b"abc")[0], b"ab"), (b'{"path": ',)])
def test_a_host_that_sends_nothing_more_ends_it(server: NewServer, parts: tuple[Any, ...]) -> None:
    with running(server) as program:
        program.send(server.request(), *parts)
        assert program.process.stdin is not None
        program.process.stdin.close()
        assert program.words() == "the host sent nothing more"


def test_a_file_that_arrives_damaged_starts_no_server(server: NewServer, tmp_path: Path) -> None:
    server.write(f"#!/bin/sh\n: >{tmp_path}/started\n")
    with running(server) as program:
        program.send(server.request(), {"path": "auth/a", "size": 3, "sha256": "0" * 64}, b"abc", END)
        assert program.words() == "auth/a arrived damaged"
    assert not (tmp_path / "started").exists()


@pytest.mark.parametrize(
    ("content", "count", "words"),
    [
        (b"", 5, ""),
        (b"\n  \n", 5, ""),
        (b"one\n two \n\nthree", 2, "two | three"),
        (b"\xff\n", 5, "\ufffd"),
        (b"a" * 700 + b"\n" + b"b" * 500, 5, "a" * 97 + " | " + "b" * 500),
    ],
)
def test_the_last_lines_of_a_log_have_bounds(tmp_path: Path, content: bytes, count: int, words: str) -> None:
    (tmp_path / "log").write_bytes(content)
    assert inside.last_lines(tmp_path / "log", count) == words


def test_an_answer_may_be_as_large_as_the_host_takes() -> None:
    assert inside.MOST == 32 << 20
    assert (inside.HOST, inside.PORT) == ("127.0.0.1", 9997)
