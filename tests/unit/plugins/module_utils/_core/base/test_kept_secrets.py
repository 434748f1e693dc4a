# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Passwords in files: what is read, and what a change leaves at every moment."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from ansible_collections.inferops.xinference.plugins.module_utils._core.base.errors import AuthenticationError, XinferenceError
from ansible_collections.inferops.xinference.plugins.module_utils._core.base.private_file import kept_secrets, marks
from ansible_collections.inferops.xinference.plugins.module_utils._core.resources.users import KeptPassword
from ansible_collections.inferops.xinference.plugins.module_utils._core.server.client import first_accepted


def put(path: Path, text: str | bytes, mode: int = 0o600) -> str:
    """Write a file with a mode."""
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    path.chmod(mode)
    return str(path)


@pytest.mark.parametrize(
    ("text", "secrets"), [("one\n", ["one"]), ("one", ["one"]), ("new\nold\n", ["new", "old"]), ("\n one \r\n\n", ["one"]), ("", []), (" \n", [])]
)
def test_what_a_file_keeps(tmp_path: Path, text: str, secrets: list[str]) -> None:
    assert kept_secrets("password_path", put(tmp_path / "kept", text)) == secrets


@pytest.mark.parametrize(
    ("text", "copy", "secrets"),
    [("one", "one", ["one"]), ("new", "new\nold", ["new", "old"]), (None, "one", ["one"]), (b"\xff", "one", ["one"]), ("damaged", "one", ["damaged", "one"])],
)
def test_the_copy_of_a_damaged_file(tmp_path: Path, text: str | bytes | None, copy: str, secrets: list[str]) -> None:
    if text is not None:
        put(tmp_path / "kept", text)
    put(tmp_path / "kept.copy", copy)
    assert kept_secrets("password_path", str(tmp_path / "kept")) == secrets


def test_where_there_is_no_file_nothing_is_kept(tmp_path: Path) -> None:
    assert kept_secrets("password_path", str(tmp_path / "none")) == []


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o644])
def test_what_others_can_read_is_no_secret(tmp_path: Path, mode: int) -> None:
    path = put(tmp_path / "kept", "marked\n", mode)
    with pytest.raises(XinferenceError) as refused:
        kept_secrets("password_path", path)
    assert str(refused.value) == f"password_path '{path}' can be read by others than its owner; remove it and its copy for a new one, or set its mode to 0600."


def test_what_is_no_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe", 0o600)
    (tmp_path / "link").symlink_to(put(tmp_path / "kept", "marked"))
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    put(tmp_path / "bytes", b"\xff\xfe")
    for name in ("pipe", "link", "loop", "bytes", "."):
        with pytest.raises(XinferenceError, match=r"password_path '.*' cannot be read: \w"):
            kept_secrets("password_path", str(tmp_path / name))


def test_a_new_password_is_kept_before_it_counts(tmp_path: Path) -> None:
    path = tmp_path / "folder/kept"
    first = KeptPassword(str(path), rotate=False)
    assert len(first.wanted) >= 24
    assert not path.exists()
    first.begin()
    first.end(given=True)
    assert path.read_text() == path.with_name("kept.copy").read_text() == f"{first.wanted}\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_what_is_kept_stays(tmp_path: Path) -> None:
    path = put(tmp_path / "kept", "given-by-hand\n")
    same = KeptPassword(path, rotate=False)
    before = os.stat(path)
    same.begin()
    same.end(given=False)
    assert (same.wanted, same.is_new) == ("given-by-hand", False)
    assert os.stat(path) == before
    # Who was refused with it before the account got it sees another file.
    seen = marks(path)
    same.end(given=True)
    assert marks(path) != seen
    assert Path(path).read_text() == "given-by-hand\n"


def test_the_old_one_goes_when_the_new_one_has_worked(tmp_path: Path) -> None:
    path = put(tmp_path / "kept", "old\n")
    change = KeptPassword(path, rotate=True)
    assert change.wanted != "old"
    assert Path(path).read_text() == "old\n"
    change.begin()
    assert Path(path).read_text() == f"{change.wanted}\nold\n"
    change.end(given=True)
    assert Path(path).read_text() == f"{change.wanted}\n"


def test_after_an_interruption_nothing_that_may_work_is_forgotten(tmp_path: Path) -> None:
    path = put(tmp_path / "kept", "old\n")
    KeptPassword(path, rotate=True).begin()
    lost = Path(path).read_text().split()[0]
    # The next run, whether it rotates or not.
    again = KeptPassword(path, rotate=False)
    assert (again.wanted, again.is_new) == (lost, False)
    rotated = KeptPassword(path, rotate=True)
    rotated.begin()
    assert Path(path).read_text().split() == [rotated.wanted, lost, "old"]
    rotated.end(given=True)
    assert Path(path).read_text().split() == [rotated.wanted]
    assert Path(f"{path}.copy").read_text().split() == [rotated.wanted]


def test_a_file_that_cannot_be_written(tmp_path: Path) -> None:
    put(tmp_path / "file", "")
    with pytest.raises(XinferenceError, match=r"account_password_path '.*/file/kept' cannot be "):
        KeptPassword(str(tmp_path / "file" / "kept"), rotate=False).begin()


def refused(status: int) -> AuthenticationError:
    """What the server says."""
    return AuthenticationError("POST", "http://x/token", status, "no")


@pytest.mark.parametrize(
    ("answers", "tried"),
    [
        ({"new": None}, ["new"]),
        ({"new": refused(401), "old": None}, ["new", "old"]),
        ({"new": refused(401), "old": refused(401)}, ["new", "old"]),
        # Another one would not help somebody who is banned.
        ({"new": refused(429), "old": None}, ["new"]),
    ],
)
def test_the_first_password_that_is_accepted(answers: dict[str, AuthenticationError | None], tried: list[str]) -> None:
    asked: list[str | None] = []

    def log_in(password: str | None) -> str:
        asked.append(password)
        answer = answers[str(password)]
        if answer is not None:
            raise answer
        return f"client with {password}"

    last = answers[tried[-1]]
    if last is None:
        assert first_accepted(list(answers), log_in) == f"client with {tried[-1]}"  # type: ignore[arg-type,comparison-overlap]
    else:
        with pytest.raises(AuthenticationError) as error:
            first_accepted(list(answers), log_in)  # type: ignore[arg-type]
        # That of the one that should work.
        assert error.value is answers[tried[0]]
    assert asked == tried
