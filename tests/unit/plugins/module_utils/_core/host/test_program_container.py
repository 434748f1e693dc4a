# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A container that runs a program of ours: how it is made, that it is removed in every case, and what is taken from it."""

from __future__ import annotations

import ast
from types import SimpleNamespace
from typing import Any

import pytest

from ansible_collections.inferops.xinference.plugins.module_utils._core.base.errors import XinferenceError
from ansible_collections.inferops.xinference.plugins.module_utils._core.host.program_container import ProgramContainer, last_words, program_text
from ansible_collections.inferops.xinference.tests.unit.plugins.module_utils._core.backup.conftest import Host
from ansible_collections.inferops.xinference.tests.unit.plugins.module_utils._core.backup.fake_engine import IMAGE, FakeContainer

CORE = "ansible_collections.inferops.xinference.plugins.module_utils._core"
NAME, LABEL = "xinference-asked", ("io.inferops.asks", "xinference")
ROUTE = f"/containers/{NAME}"
#: Repeats a line of the host, and fails without one.
PROGRAM = """
import sys
text = sys.stdin.readline()
if not text:
    raise SystemExit("nothing came")
print(text, end="", flush=True)
"""


class OddError(XinferenceError):
    """A failure of a caller."""


def container(host: Host, failure: type[XinferenceError] = OddError) -> ProgramContainer:
    """A container of the host that runs a program."""
    return ProgramContainer(host.docker, NAME, LABEL, failure)


def changing(host: Host) -> list[str]:
    """What Docker was asked to change."""
    return [line for line in host.engine.asked if not line.startswith("GET")]


def test_a_question_and_its_answer(host: Host) -> None:
    asked = container(host)
    with asked.attached(PROGRAM, {"Image": IMAGE}, 60) as attached:
        attached.send([b'{"a": [1, "\xc3\xa9"]}\n'])
        assert asked.header(attached) == {"a": [1, "é"]}
    assert changing(host) == [
        f"DELETE {ROUTE}?force=1",
        f"POST /containers/create?name={NAME}",
        f"POST {ROUTE}/attach?stream=1&stdin=1&stdout=1&stderr=1",
        f"POST {ROUTE}/start",
        f"DELETE {ROUTE}?force=1",
    ]


def test_what_all_of_them_have(host: Host) -> None:
    with container(host).attached(PROGRAM, {"Image": IMAGE, "User": "1:2", "HostConfig": {"Memory": 5, "CapAdd": ["CHOWN"]}}, 60):
        pass
    (made,) = host.engine.made
    assert made["Entrypoint"] == ["python3", "-I", "-c", PROGRAM]
    assert (made["Cmd"], made["WorkingDir"], made["Healthcheck"]) == ([], "/", {"Test": ["NONE"]})
    assert [made[name] for name in ("OpenStdin", "StdinOnce", "AttachStdin", "AttachStdout", "AttachStderr")] == [True] * 5
    assert made["Labels"] == {"io.inferops.collection": "inferops.xinference", "io.inferops.asks": "xinference"}
    assert made["HostConfig"] == {
        **{"NetworkMode": "none", "CapDrop": ["ALL"], "SecurityOpt": ["no-new-privileges"], "LogConfig": {"Type": "none"}},
        **{"Memory": 5, "CapAdd": ["CHOWN"]},
    }
    assert (made["Image"], made["User"]) == (IMAGE, "1:2")
    assert "Tty" not in made


@pytest.mark.parametrize("labels", [None, {}, {"io.inferops.asks": "other"}, {"io.inferops.backup-of": "xinference"}])
def test_a_container_of_the_name_that_is_another_s_stays(host: Host, labels: dict[str, str] | None) -> None:
    host.engine.containers[NAME] = FakeContainer(labels=labels)
    with (
        pytest.raises(OddError, match=f"^the name of container '{NAME}' is needed, and it is none of the roles'; rename or remove it$"),
        container(host).attached(PROGRAM, {"Image": IMAGE}, 60),
    ):
        pytest.fail("it was attached")
    assert NAME in host.engine.containers
    assert changing(host) == []


def test_one_that_a_killed_run_left_is_removed(host: Host) -> None:
    host.engine.containers[NAME] = FakeContainer(labels=dict([LABEL]))
    with container(host).attached(PROGRAM, {"Image": IMAGE}, 60):
        assert NAME not in host.engine.containers
    assert len(host.engine.made) == 1


@pytest.mark.parametrize("beginning", ["POST /containers/create", f"POST {ROUTE}/start"])
def test_it_is_removed_where_docker_does_not_make_it(host: Host, beginning: str) -> None:
    host.engine.refuses[beginning] = "no space left on device"
    with pytest.raises(OSError, match="no space left on device"), container(host).attached(PROGRAM, {"Image": IMAGE}, 60):
        pytest.fail("it was attached")
    assert host.engine.asked[-1] == f"DELETE {ROUTE}?force=1"


@pytest.mark.parametrize("error", [OddError("odd"), OSError("odd"), KeyboardInterrupt("odd")])
def test_it_is_removed_where_its_caller_fails(host: Host, error: BaseException) -> None:
    with pytest.raises(type(error), match="odd"), container(host).attached(PROGRAM, {"Image": IMAGE}, 60):
        raise error
    assert host.engine.asked[-1] == f"DELETE {ROUTE}?force=1"


@pytest.mark.parametrize(
    ("says", "words"),
    [
        (b"", "the container ended without a word"),
        (b'{"a": 1}', "the container ended without a word"),
        (b"\n", "the container ended without a word"),
        (b"[]\n", "the container sent something else than was asked for"),
        (b"7\n", "the container sent something else than was asked for"),
        (b"null\n", "the container sent something else than was asked for"),
        (b"{\n", "the container sent something else than was asked for"),
        (b"\xff\n", "the container sent something else than was asked for"),
        (b"[" * 100_000 + b"\n", "the container sent something else than was asked for"),
        (b'{"a": ' + b"9" * 1000 + b"}\n", "the container sent something else than was asked for"),
    ],
)
def test_what_is_no_object_is_an_error_of_the_caller(host: Host, says: bytes, words: str) -> None:
    host.engine.says = says
    asked = container(host)
    with pytest.raises(OddError, match=f"^{words}$"), asked.attached(PROGRAM, {"Image": IMAGE}, 60) as attached:
        asked.header(attached)
    assert host.engine.asked[-1] == f"DELETE {ROUTE}?force=1"


def test_a_line_without_end_is_refused(host: Host) -> None:
    host.engine.says = b"x" * (2 << 20)
    asked = container(host)
    with pytest.raises(OSError, match="a line that is too long"), asked.attached(PROGRAM, {"Image": IMAGE}, 60) as attached:
        asked.header(attached)


def test_its_last_words_say_why_it_ended(host: Host) -> None:
    asked = container(host)
    program = "import sys\nsys.stderr.write('Traceback\\n  first\\n')\nraise SystemExit('the \\x1b[2Jreason\\n\\n')"
    with pytest.raises(OddError) as raised, asked.attached(program, {"Image": IMAGE}, 60) as attached:
        asked.header(attached)
    assert str(raised.value) == "the  [2Jreason"


@pytest.mark.parametrize(
    ("words", "said"), [(b"", ""), (b"\n \n", ""), (b"one\ntwo\n\n", "two"), (b"\xff bad\n", "\ufffd bad"), (b"x" * 9000, "x" * 2000), (b"a\0b", "a b")]
)
def test_last_words_have_bounds(words: bytes, said: str) -> None:
    attached: Any = SimpleNamespace(words=words)
    assert last_words(attached) == said


@pytest.mark.parametrize("package", ["backup", "upgrade"])
def test_the_text_of_a_program_is_whole(package: str) -> None:
    """With what it shares in front, and without what is imported only here."""
    text = program_text(f"{CORE}.{package}")
    compile(text, "program", "exec")
    defined = {node.name for node in ast.parse(text).body if isinstance(node, ast.FunctionDef)}
    assert {"send", "line", "receive", "main"} <= defined
    assert text.index("def receive") < text.index("def main")
    assert text.count("from __future__ import annotations") == 1
    # The limit of one argument of a process.
    assert len(text.encode()) < 128 << 10


def test_a_program_that_is_not_there_is_a_sentence() -> None:
    with pytest.raises(XinferenceError, match="the program for the container is missing; install the collection again"):
        program_text(f"{CORE}.base")
