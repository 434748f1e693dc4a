# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Images of a Docker, and commands in its containers; test_facts has the rest of what is asked of one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ansible_collections.inferops.xinference.plugins.module_utils._core.base.bounded import Answer
from ansible_collections.inferops.xinference.plugins.module_utils._core.host.docker import DockerSocket, Refused, _frames
from ansible_collections.inferops.xinference.plugins.module_utils._core.host.replacement import docker_words
from ansible_collections.inferops.xinference.tests.unit.plugins.module_utils._core.backup.conftest import Host
from ansible_collections.inferops.xinference.tests.unit.plugins.module_utils._core.backup.fake_engine import IMAGE, REFERENCE
from ansible_collections.inferops.xinference.tests.unit.plugins.module_utils._core.exec_engine import ExecEngine, frame

OLD, NEW = "sha256:old", "registry.example:5000/xprobe/xinference:v4.2.0-cpu"


def test_an_image_is_found_by_its_reference_and_by_its_identifier(host: Host) -> None:
    host.engine.images[NEW] = "sha256:5678"
    for reference in (NEW, "sha256:5678"):
        found = host.docker.image(reference)
        assert found is not None
        assert found["Id"] == "sha256:5678"
    assert host.engine.asked == [f"GET /images/{NEW}/json", "GET /images/sha256:5678/json"]


def test_an_image_that_is_not_there_is_none(host: Host) -> None:
    assert host.docker.image(NEW) is None


def test_what_is_no_reference_is_refused(host: Host) -> None:
    host.engine.refuses["GET /images/a:b:c"] = "invalid reference format"
    with pytest.raises(Refused, match="invalid reference format"):
        host.docker.image("a:b:c")


def test_the_name_of_an_image_is_no_way_elsewhere(host: Host) -> None:
    assert host.docker.image("a?x=1 b#c") is None
    assert host.engine.asked == ["GET /images/a?x=1 b#c/json"]


def test_an_image_that_a_container_needs_is_not_called_removed(host: Host) -> None:
    """Of a container, the same answer means that it is being removed already."""
    with pytest.raises(Refused) as raised:
        host.docker.remove(f"/images/{IMAGE}")
    assert docker_words(raised.value) == "conflict: unable to delete 1234 (cannot be forced) - image is being used by running container"
    assert host.engine.images == {REFERENCE: IMAGE}


def test_an_image_that_nothing_needs_is_removed(host: Host) -> None:
    host.engine.images["old"] = OLD
    DockerSocket(host.engine.path).remove(f"/images/{OLD}")
    assert host.engine.images == {REFERENCE: IMAGE}
    # What is not there is as good as removed.
    DockerSocket(host.engine.path).remove(f"/images/{OLD}")


# Commands in a container.


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[ExecEngine]:
    """A Docker that runs commands."""
    running = ExecEngine(tmp_path / "docker.sock")
    yield running
    running.close()


def test_a_command_in_a_container(engine: ExecEngine) -> None:
    engine.writes = frame(1, b"one ") + frame(2, b"a warning\n") + frame(1, b"") + frame(1, b"two\n")
    assert DockerSocket(engine.address).execute("xinference", ["python3", "-c", "text"], 5.0) == b"one two\n"
    assert engine.commands == [{"AttachStdout": True, "AttachStderr": True, "Cmd": ["python3", "-c", "text"]}]
    assert engine.asked == ["POST /containers/xinference/exec", "POST /exec/0f0f/start", "GET /exec/0f0f/json"]


@pytest.mark.parametrize(
    ("writes", "code", "words"),
    [
        (frame(2, b"Traceback\n  line\nOSError: no\x1b[2J room\n\n"), 1, "OSError: no [2J room"),
        (frame(1, b"out\n") + frame(2, b"a" * 50_000), 7, "a" * 2000),
        (frame(2, b"envs={'TOKEN': 'hunter2'}"), 1, "envs={********}"),
        (frame(2, b"\xff"), 1, "\ufffd"),
        (frame(1, b"out"), 137, "it ended with status 137"),
        # It runs still.
        (frame(1, b"out"), None, "it ended with status None"),
        (b"", 126, "it ended with status 126"),
    ],
)
def test_a_command_that_fails_says_why(engine: ExecEngine, writes: bytes, code: int | None, words: str) -> None:
    engine.writes, engine.exit_code = writes, code
    with pytest.raises(OSError) as raised:
        DockerSocket(engine.address).execute("xinference", ["python3"], 5.0)
    assert str(raised.value) == words


@pytest.mark.parametrize(("end", "status"), [("/exec", 404), ("/exec", 409), ("/start", 500), ("0f0f/json", 500), ("0f0f/json", 404)])
def test_a_docker_that_refuses_a_command(engine: ExecEngine, end: str, status: int) -> None:
    engine.refuses[end] = status
    with pytest.raises(OSError, match=r"no such thing|answered|it ended with status None"):
        DockerSocket(engine.address).execute("xinference", ["python3"], 5.0)


@pytest.mark.parametrize("made", [None, {}, {"Id": None}, {"Id": "../containers/xinference"}, {"Id": 7}])
def test_a_run_without_an_identifier_is_not_found(engine: ExecEngine, made: object) -> None:
    engine.made = made
    with pytest.raises(OSError, match="it ended with status None"):
        DockerSocket(engine.address).execute("xinference", ["python3"], 5.0)
    assert "POST /containers/xinference/start" not in engine.asked


def test_a_container_s_name_is_no_way_elsewhere(engine: ExecEngine) -> None:
    DockerSocket(engine.address).execute("../x?a=1#b", ["python3"], 5.0)
    assert engine.asked[0] == "POST /containers/../x?a=1#b/exec"


def test_a_command_that_writes_without_end(engine: ExecEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Answer, "limit", 1 << 16)
    engine.writes = frame(1, b"x" * (1 << 17))
    with pytest.raises(OSError, match="the answer has more than"):
        DockerSocket(engine.address).execute("xinference", ["python3"], 5.0)


@pytest.mark.parametrize(
    ("body", "parts"),
    [
        (b"", []),
        (frame(1, b"a") + frame(2, b"b"), [(1, b"a"), (2, b"b")]),
        (frame(1, b""), [(1, b"")]),
        # No frames: a terminal's output, an unknown stream, half a head.
        (b"plain text of a terminal", []),
        (frame(0, b"input"), []),
        (frame(3, b"more"), []),
        (frame(1, b"a")[:7], []),
        (frame(1, b"a") + b"\x01\0\0\0\0\0\0", [(1, b"a")]),
        # A length that is not there.
        (b"\x01\0\0\0\xff\xff\xff\xffabc", [(1, b"abc")]),
        (b"\x02\0\0\0\xff\xff\xff\xff", [(2, b"")]),
    ],
)
def test_frames(body: bytes, parts: list[tuple[int, bytes]]) -> None:
    assert list(_frames(body)) == parts
