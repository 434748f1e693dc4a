# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Passwords that a file keeps: what is read of it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ansible_collections.inferops.xinference.plugins.module_utils._core.base.errors import AuthenticationError, XinferenceError
from ansible_collections.inferops.xinference.plugins.module_utils._core.base.private_file import kept_secrets


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


def refused(status: int) -> AuthenticationError:
    """What the server says."""
    return AuthenticationError("POST", "http://x/token", status, "no")
