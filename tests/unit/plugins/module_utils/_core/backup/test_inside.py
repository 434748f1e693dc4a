# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is done inside the container: a restore that is cut off after any of its steps goes back, and no file is mixed."""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.inferops.xinference.plugins.module_utils._core.backup import inside
from ansible_collections.inferops.xinference.plugins.module_utils._core.backup.contents import HOME_PATTERNS, STALE
from ansible_collections.inferops.xinference.tests.unit.plugins.module_utils._core.backup.conftest import make_accounts, users

REQUEST: dict[str, Any] = {"home": "", "patterns": HOME_PATTERNS, "stale": STALE, "server": "", "environment_key": ""}


class Cut(BaseException):
    """The power is cut."""


def tree(folder: Path) -> dict[str, bytes]:
    """The files below a directory."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home as it is, and what is to come into its place."""
    home, coming = tmp_path / "home", tmp_path / "coming"
    make_accounts(home / "auth/auth.db", names=["before"])
    # As after a power cut: a log that only that database understands.
    (home / "auth/auth.db-wal").write_bytes(b"log")
    (home / "auth/encryption_key").write_text("before")
    (home / "model/v2/llm").mkdir(parents=True)
    (home / "model/v2/llm/before.json").write_text("{}")
    (home / "worker-handoffs.json").write_text("{}")
    (home / "cache").mkdir()
    (home / "cache/weights").write_text("weights")
    make_accounts(coming / "auth/auth.db", names=["after"])
    (coming / "auth/encryption_key").write_text("after")
    (coming / "model/v2/llm").mkdir(parents=True)
    (coming / "model/v2/llm/after.json").write_text("{}")
    (coming / "system-settings.json").write_text("{}")

    def checked(_request: dict[str, Any], work: Path) -> list[str]:
        shutil.copytree(coming, work / "new")
        return sorted(tree(coming))

    monkeypatch.setattr(inside, "checked", checked)
    monkeypatch.setattr(inside, "send", lambda *_arguments: None)
    return home


def cut_after(monkeypatch: pytest.MonkeyPatch, steps: int) -> None:
    """Let the power be cut after so many steps that change the home."""
    taken: list[Any] = []

    def step(real: Any) -> Any:
        def call(*arguments: Any) -> Any:
            if len(taken) == steps:
                raise Cut
            taken.append(real)
            return real(*arguments)

        return call

    for name in ("move", "write"):
        monkeypatch.setattr(inside, name, step(getattr(inside, name)))


#: A note, five files that go and four that come.
STEPS = 10


@pytest.mark.parametrize("steps", range(STEPS))
@pytest.mark.parametrize("way", ["undo", "place"])
def test_a_restore_that_is_cut_off_goes_back(home: Path, monkeypatch: pytest.MonkeyPatch, steps: int, way: str) -> None:
    before = tree(home)
    with monkeypatch.context() as patched:
        cut_after(patched, steps)
        with pytest.raises(Cut):
            inside.place(REQUEST, home)
    if way == "place":
        inside.place(REQUEST, home)
        assert users(home / "auth/auth.db") == ["after"]
        assert not (home / "model/v2/llm/before.json").exists()
        assert not (home / "auth/auth.db-wal").exists()
        inside.undo(REQUEST, home)
    elif steps:
        inside.undo(REQUEST, home)
    assert {path: content for path, content in tree(home).items() if not path.startswith(".restore/new")} == before


@pytest.mark.parametrize("steps", range(8))
def test_going_back_that_is_cut_off_goes_on(home: Path, monkeypatch: pytest.MonkeyPatch, steps: int) -> None:
    before = tree(home)
    inside.place(REQUEST, home)
    # The server ran.
    with closing(sqlite3.connect(home / "auth/auth.db")) as database:
        database.execute("INSERT INTO users VALUES ('later')")
        database.commit()
    (home / "model/v2/llm/since.json").write_text("{}")
    with monkeypatch.context() as patched:
        cut_after(patched, steps)
        with contextlib.suppress(Cut):
            inside.undo(REQUEST, home)
    inside.undo(REQUEST, home)
    assert tree(home) == before


def test_what_cannot_be_used_leaves_no_work_directory(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(_request: dict[str, Any], work: Path) -> list[str]:
        (work / "new").mkdir()
        raise SystemExit("no")

    monkeypatch.setattr(inside, "checked", refused)
    before = tree(home)
    with pytest.raises(SystemExit):
        inside.place(REQUEST, home)
    assert tree(home) == before
    assert not (home / ".restore").exists()


def test_a_link_in_place_of_the_work_directory_is_removed(home: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "kept").write_text("kept")
    (home / ".restore").symlink_to(elsewhere)
    inside.place(REQUEST, home)
    assert tree(elsewhere) == {"kept": b"kept"}
    assert not (home / ".restore").is_symlink()


def test_sizes_of_files_and_directories(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"12345")
    (tmp_path / "b").mkdir()
    (tmp_path / "b/c").write_bytes(b"123")
    (tmp_path / "b/dangling").symlink_to("nowhere")
    paths = [str(tmp_path / name) for name in ("a", "b", "missing")]
    assert inside.measured(paths) == {paths[0]: 5, paths[1]: 3}


@pytest.mark.parametrize(("older", "newer"), [("2.11.0", "4.1.0"), ("4.1.0", "4.1.1"), ("4.9.0", "4.10.0"), ("4.1.0+cpu", "4.2.0")])
def test_versions_are_compared_by_their_numbers(older: str, newer: str) -> None:
    assert inside.numbers(older) < inside.numbers(newer)


def test_a_directory_of_endless_entries_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inside, "ENTRIES", 3)
    (tmp_path / "auth").mkdir()
    for number in range(4):
        (tmp_path / f"auth/{number}").write_text("x")
    with pytest.raises(SystemExit, match="has more than 3 entries"):
        inside.kept(tmp_path, ["auth/*"])


def test_a_link_in_place_of_a_directory_goes_with_the_restore(home: Path, tmp_path: Path) -> None:
    """A server that ran on the snapshot left it."""
    before = tree(home)
    inside.place(REQUEST, home)
    elsewhere = tmp_path / "elsewhere"
    (home / "auth").rename(elsewhere)
    (home / "auth").symlink_to(elsewhere)
    inside.undo(REQUEST, home)
    assert not (home / "auth").is_symlink()
    assert tree(home) == before
    assert users(elsewhere / "auth.db") == ["after"]
