# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a program in a container and the host send each other: nothing that is cut, damaged or elsewhere is taken."""

from __future__ import annotations

import hashlib
import io
import json
import os
import stat
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ansible_collections.inferops.xinference.plugins.module_utils._core.host import program_streams
from ansible_collections.inferops.xinference.plugins.module_utils._core.host.program_streams import line, receive, send


class Stream:
    """A standard stream: bytes behind a text.

    :param content: what can be read.
    """

    def __init__(self, content: bytes = b"") -> None:
        self.buffer = io.BytesIO(content)


def given(monkeypatch: pytest.MonkeyPatch, content: bytes) -> None:
    """Let the host send this."""
    monkeypatch.setattr(program_streams, "sys", SimpleNamespace(stdin=Stream(content)))


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> io.BytesIO:
    """What the host gets."""
    stream = Stream()
    # That of the test is pytest's to change.
    monkeypatch.setattr(program_streams, "sys", SimpleNamespace(stdout=stream))
    return stream.buffer


def file(path: str, content: bytes, **header: Any) -> bytes:
    """A file as the host sends it."""
    whole = {"path": path, "size": len(content), "sha256": hashlib.sha256(content).hexdigest(), **header}
    return json.dumps(whole).encode() + b"\n" + content


END = b'{"end": true}\n'


def test_a_line_and_a_file_behind_it(sent: io.BytesIO) -> None:
    send({"ready": True})
    send({"path": "a", "size": 3}, io.BytesIO(b"abcdef"))
    send({"path": "b", "size": 0}, io.BytesIO(b"x"))
    assert sent.getvalue() == b'{"ready": true}\n{"path": "a", "size": 3}\nabc{"path": "b", "size": 0}\n'


def test_a_file_of_several_steps_is_sent_whole(sent: io.BytesIO, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(program_streams, "STEP", 4)
    send({"path": "a", "size": 10}, io.BytesIO(b"0123456789"))
    assert sent.getvalue().endswith(b"\n0123456789")


def test_a_file_that_becomes_shorter_ends_the_program(sent: io.BytesIO) -> None:
    with pytest.raises(SystemExit, match="auth/a became shorter while it was read"):
        send({"path": "auth/a", "size": 4}, io.BytesIO(b"abc"))


def test_the_next_line_of_the_host(monkeypatch: pytest.MonkeyPatch) -> None:
    given(monkeypatch, b'{"a": 1}\n{"b": 2}\n')
    assert (line(), line()) == ({"a": 1}, {"b": 2})


@pytest.mark.parametrize("content", [b"", b'{"a": 1}', b"x" * (2 << 20)])
def test_a_line_that_does_not_end_ends_the_program(monkeypatch: pytest.MonkeyPatch, content: bytes) -> None:
    given(monkeypatch, content)
    with pytest.raises(SystemExit, match="the host sent nothing more"):
        line()


def test_files_are_written_for_their_owner_alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(program_streams, "STEP", 4)
    given(monkeypatch, file("auth/auth.db", b"0123456789") + file("model/v2/llm/mine.json", b"{}") + file("auth/empty", b"") + END + b'{"more": 1}\n')
    previous = os.umask(0o022)
    try:
        assert receive(tmp_path) == ["auth/auth.db", "model/v2/llm/mine.json", "auth/empty"]
    finally:
        os.umask(previous)
    assert (tmp_path / "auth/auth.db").read_bytes() == b"0123456789"
    assert (tmp_path / "auth/empty").read_bytes() == b""
    assert [stat.S_IMODE((tmp_path / path).stat().st_mode) for path in ("auth/auth.db", "auth")] == [0o600, 0o700]
    # What comes behind them is for the next question.
    assert line() == {"more": 1}


@pytest.mark.parametrize("content", [file("a", b"abc", size=4), file("a", b"abc") + b'{"end"', file("a", b"abc")])
def test_files_that_do_not_end_end_the_program(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, content: bytes) -> None:
    given(monkeypatch, content)
    with pytest.raises(SystemExit, match="the host sent nothing more"):
        receive(tmp_path)


def test_a_file_that_is_damaged_ends_the_program(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    given(monkeypatch, file("auth/a", b"abc", sha256="0" * 64) + END)
    with pytest.raises(SystemExit, match="auth/a arrived damaged"):
        receive(tmp_path)


def test_a_file_takes_the_place_of_none(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_text("kept")
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    for path in ("elsewhere", "link"):
        given(monkeypatch, file(path, b"new") + END)
        with pytest.raises(FileExistsError):
            receive(tmp_path)
    assert (tmp_path / "elsewhere").read_text() == "kept"
