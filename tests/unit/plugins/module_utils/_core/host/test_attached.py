# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Input and output of a container: whatever comes over Docker's socket, in whatever pieces, has bounds and an end."""

from __future__ import annotations

import contextlib
import socket
import struct
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ansible_collections.inferops.xinference.plugins.module_utils._core.host import attached as attached_module
from ansible_collections.inferops.xinference.plugins.module_utils._core.host.attached import Attached

HEAD = b"HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n"
#: What a Docker does with a connection after its question.
Serves = Callable[[socket.socket], None]


def frame(stream: int, content: bytes) -> bytes:
    """A frame as Docker sends it."""
    return struct.pack(">BxxxI", stream, len(content)) + content


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Docker:
    """A Docker behind a real socket, for one connection.

    :param folder: for its socket.
    """

    def __init__(self, folder: str) -> None:
        self.path = str(Path(folder, "docker.sock"))
        self.question = b""
        self.received = b""
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.bind(self.path)
        self._listener.listen(1)
        self._thread: threading.Thread | None = None

    def serve(self, serves: Serves) -> None:
        """Answer the next connection so, and close it."""

        def answer() -> None:
            with contextlib.suppress(OSError):
                connection, _address = self._listener.accept()
                with connection:
                    while b"\r\n\r\n" not in self.question:
                        self.question += connection.recv(1 << 12)
                    serves(connection)

        self._thread = threading.Thread(target=answer, daemon=True)
        self._thread.start()

    def says(self, *parts: bytes) -> None:
        """Answer the next connection with these bytes, and close it."""

        def serves(connection: socket.socket) -> None:
            for part in parts:
                connection.sendall(part)

        self.serve(serves)

    def attach(self, clock: Callable[[], float] | None = None, container: str = "xinference-backup") -> Attached:
        """Attach to a container."""
        return Attached(self.path, container, 60.0, **({} if clock is None else {"clock": clock}))

    def close(self) -> None:
        """Take no more connections, and wait for the last one."""
        self._listener.close()
        if self._thread is not None:
            self._thread.join(60)
            assert not self._thread.is_alive()


@pytest.fixture
def docker() -> Iterator[Docker]:
    """A Docker."""
    # The name of a socket may not be long.
    with tempfile.TemporaryDirectory() as folder:
        docker = Docker(folder)
        yield docker
        docker.close()


WHOLE = HEAD + frame(1, b'{"a"') + frame(2, b"a warn") + frame(1, b"") + frame(1, b": 1}\nabc") + frame(2, b"ing\n") + frame(1, b"def\nlast\n")


@pytest.mark.parametrize("step", [1, 2, 3, 7, 8, 9, 64, len(WHOLE)])
def test_frames_may_be_cut_anywhere(docker: Docker, step: int) -> None:
    docker.says(*(WHOLE[at : at + step] for at in range(0, len(WHOLE), step)))
    with contextlib.closing(docker.attach()) as attached:
        assert attached.line(100) == b'{"a": 1}'
        assert b"".join(attached.read(6)) == b"abcdef"
        # The end of the line that began before.
        assert attached.line(100) == b""
        assert attached.line(4) == b"last"
        assert attached.line(100) == b""
        assert attached.words == b"a warning\n"
    assert docker.question.startswith(b"POST /containers/xinference-backup/attach?stream=1&stdin=1&stdout=1&stderr=1 HTTP/1.1\r\n")


@pytest.mark.parametrize("at", range(len(HEAD), len(WHOLE), 5))
def test_what_ends_anywhere_has_ended(docker: Docker, at: int) -> None:
    docker.says(WHOLE[:at])
    with contextlib.closing(docker.attach()) as attached:
        # A part of a line is none.
        if attached.line(100):
            assert b"abcdef".startswith(b"".join(attached.read(6)))
        attached.drain()
        assert b"a warning\n".startswith(attached.words)


def test_the_name_of_a_container_is_no_way_elsewhere(docker: Docker) -> None:
    docker.says(HEAD)
    docker.attach(container="a/../b?x\r\n").close()
    assert docker.question.startswith(b"POST /containers/a%2F..%2Fb%3Fx%0D%0A/attach?")


@pytest.mark.parametrize(
    ("head", "words"),
    [
        (b"HTTP/1.1 404 Not Found\r\n\r\n", "Docker does not attach the container: HTTP/1.1 404 Not Found"),
        (b"HTTP/1.1 409 Conflict\r\nX: 101\r\n\r\n101", "Docker does not attach the container: HTTP/1.1 409 Conflict"),
        (b"HTTP/1.1\r\n\r\n", "Docker does not attach the container: HTTP/1.1"),
        (b"\xff\r\n\r\n", "Docker does not attach the container: "),
        (b"x" * 1000 + b"\r\n\r\n", "Docker does not attach the container: x{200}$"),
        (b"", "Docker ended its answer before it had begun"),
        (b"HTTP/1.1 101 UPGRADED\r\n", "Docker ended its answer before it had begun"),
    ],
)
def test_an_answer_that_attaches_nothing_is_refused(docker: Docker, head: bytes, words: str) -> None:
    docker.says(head)
    with pytest.raises(OSError, match=words):
        docker.attach()


def test_docker_may_answer_without_an_upgrade(docker: Docker) -> None:
    docker.says(b"HTTP/1.1 200 OK\r\nContent-Type: application/vnd.docker.raw-stream\r\n\r\n" + frame(1, b"one\n"))
    with contextlib.closing(docker.attach()) as attached:
        assert attached.line(100) == b"one"


def test_a_head_without_end_is_refused(docker: Docker) -> None:
    def endless(connection: socket.socket) -> None:
        while True:
            connection.sendall(b"X: y\r\n" * 1000)

    docker.serve(endless)
    with pytest.raises(OSError, match="Docker ended its answer before it had begun"):
        docker.attach()


def test_without_docker_it_fails(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        Attached(str(tmp_path / "docker.sock"), "x", 60.0)


@pytest.mark.parametrize("content", [b"x" * 101 + b"\n", b"x" * 101, b"x" * 100_000])
def test_a_line_that_is_too_long_is_refused(docker: Docker, content: bytes) -> None:
    docker.says(HEAD + frame(1, content))
    with contextlib.closing(docker.attach()) as attached, pytest.raises(OSError, match="the container wrote a line that is too long"):
        attached.line(100)


def test_a_line_of_just_the_limit_is_none(docker: Docker) -> None:
    docker.says(HEAD + frame(1, b"x" * 100 + b"\n"))
    with contextlib.closing(docker.attach()) as attached:
        assert attached.line(100) == b"x" * 100


def test_a_line_without_end_is_refused(docker: Docker) -> None:
    def endless(connection: socket.socket) -> None:
        connection.sendall(HEAD)
        while True:
            connection.sendall(frame(1, b"x" * 1000))

    docker.serve(endless)
    with contextlib.closing(docker.attach()) as attached, pytest.raises(OSError, match="the container wrote a line that is too long"):
        attached.line(1 << 16)


def test_what_it_says_of_errors_is_kept_at_its_end(docker: Docker) -> None:
    docker.says(HEAD, *[frame(2, b"x" * 1000)] * 100, frame(1, b"thrown away\n"), frame(2, b"the reason\n"))
    with contextlib.closing(docker.attach()) as attached:
        attached.drain()
        assert len(attached.words) == 1 << 13
        assert attached.words.endswith(b"xthe reason\n")
        assert attached.line(100) == b""


def test_a_container_that_does_not_end_is_given_up(docker: Docker) -> None:
    clock = Clock()
    stopped = threading.Event()

    def endless(connection: socket.socket) -> None:
        connection.sendall(HEAD)
        while not stopped.is_set():
            connection.sendall(frame(2, b"still there\n"))

    docker.serve(endless)
    with contextlib.closing(docker.attach(clock)) as attached:
        clock.now = 61.0
        for call in (lambda: attached.line(100), lambda: list(attached.read(1)), attached.drain, lambda: attached.send([b"x"])):
            with pytest.raises(OSError, match="the container did not end in time"):
                call()
    stopped.set()


def test_docker_that_does_not_answer_in_time_is_given_up(docker: Docker) -> None:
    clock = Clock()

    def late(connection: socket.socket) -> None:
        clock.now = 61.0
        connection.sendall(b"HTTP/1.1 101 ")
        with contextlib.suppress(OSError):
            connection.recv(1)

    docker.serve(late)
    with pytest.raises(OSError, match="the container did not end in time"):
        docker.attach(clock)


def test_a_container_that_says_nothing_is_given_up(docker: Docker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attached_module, "_SILENT", 0.1)

    def silent(connection: socket.socket) -> None:
        connection.sendall(HEAD)
        connection.recv(1)

    docker.serve(silent)
    with contextlib.closing(docker.attach()) as attached, pytest.raises(TimeoutError):
        attached.line(100)


def test_what_is_sent_arrives(docker: Docker) -> None:
    sent = [b"{}\n", b"x" * 1_000_000, b"", b"end\n"]

    def takes(connection: socket.socket) -> None:
        connection.sendall(HEAD)
        while len(docker.received) < sum(map(len, sent)):
            docker.received += connection.recv(1 << 16)
        connection.sendall(frame(1, b"done\n"))

    docker.serve(takes)
    with contextlib.closing(docker.attach()) as attached:
        attached.send(iter(sent))
        assert attached.line(100) == b"done"
    assert docker.received == b"".join(sent)


def test_a_container_that_ends_while_it_is_written_to_leaves_its_words(docker: Docker) -> None:
    def ends(connection: socket.socket) -> None:
        connection.sendall(HEAD + frame(2, b"no space left\n"))
        connection.recv(10)
        # What it has not read stays: the other end is reset.

    docker.serve(ends)
    with contextlib.closing(docker.attach()) as attached:
        attached.send(b"x" * (1 << 20) for _part in range(50))
        assert attached.line(100) == b""
        attached.drain()
        assert attached.words in (b"no space left\n", b"")


def test_what_cannot_be_read_here_is_not_taken_for_an_end(docker: Docker) -> None:
    def parts() -> Iterator[bytes]:
        yield b"x"
        raise FileNotFoundError(2, "No such file or directory", "/run/x")

    def waits(connection: socket.socket) -> None:
        connection.sendall(HEAD)
        while connection.recv(10):
            pass

    docker.serve(waits)
    with contextlib.closing(docker.attach()) as attached, pytest.raises(FileNotFoundError):
        attached.send(parts())
