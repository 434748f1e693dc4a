# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lines about progress, and the file that carries them. The answers are those of real servers, shortened."""

from __future__ import annotations

import json
import os
import signal
import stat
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.inferops.xinference.plugins.module_utils._core.apply.progress import ProgressFile, latest_lines, progress_file, progress_line
from ansible_collections.inferops.xinference.plugins.module_utils._core.server.rows import Progress

SNAPSHOT = "Downloading (incomplete total...)"


def file_of(done: Any, total: Any, name: str = "(…)lve/main/SmolLM2-135M-Instruct.Q4_1.gguf", replica: int = 0) -> dict[str, Any]:
    """A file that is being downloaded."""
    return {"name": name, "downloaded_bytes": done, "total_bytes": total, "replica_id": replica, "replica_model_uid": f"chat-rep{replica}"}


def launch(stage: str, progress: float, *files: dict[str, Any], **more: Any) -> Progress:
    """Answer of a 4.1 server about a launch."""
    answer = {"progress": progress, "stage": stage, "download_files": list(files), "replicas": [{"replica_id": 0, "stage": stage, **more}]}
    return cast("Progress", answer)


LINES: dict[str, tuple[str, Any, str]] = {
    # In a launch the download is 80 of 100 for the server.
    "one file": ("creating", launch("downloading", 0.341, file_of(41943040, 98362432)), "chat: downloading 42 % of 98 MB, 12 s"),
    "snapshot": (
        "creating",
        launch("downloading", 0.753, file_of(21722005, 91618861, SNAPSHOT)),
        "chat: downloading 23 % of 92 MB, 12 s",
    ),
    "a file that is complete": ("creating", launch("downloading", 0.8, file_of(98362432, 98362432)), "chat: downloading 100 % of 98 MB, 12 s"),
    "almost complete": ("creating", launch("downloading", 0.8, file_of(98362431, 98362432)), "chat: downloading 99 % of 98 MB, 12 s"),
    "several files": ("creating", launch("downloading", 0.31, file_of(4.2e9, 5e9, "a"), file_of(9e8, 5e9, "b")), "chat: downloading 31 %, 5.1 GB, 12 s"),
    "a file shown twice": ("creating", launch("downloading", 0.3, file_of(3e6, 9e6), file_of(4e6, 9e6)), "chat: downloading 44 % of 9 MB, 12 s"),
    "two copies of one file": ("creating", launch("downloading", 0.3, file_of(3e6, 9e6), file_of(4e6, 9e6, replica=1)), "chat: downloading 30 %, 7 MB, 12 s"),
    "no size": ("creating", launch("downloading", 0.05, file_of(2500, None)), "chat: downloading 5 %, 2 kB, 12 s"),
    "no size and no share": ("creating", launch("downloading", 0.0, file_of(2500, None)), "chat: downloading, 2 kB, 12 s"),
    "no bars": ("creating", launch("downloading", 0.0), "chat: downloading, 12 s"),
    "no bars of a snapshot": ("creating", launch("downloading", 0.7384615), "chat: downloading 73 %, 12 s"),
    "download without launch": (
        "downloading",
        {
            "kind": "cache",
            "cache_uid": "chat.a6",
            "stage": "downloading",
            "status": "downloading",
            "progress": 0.21,
            "download_files": [file_of(20971520, 98362432)],
        },
        "chat: downloading 21 % of 98 MB, 12 s",
    ),
    "download that has just begun": ("downloading", {"stage": "pending", "progress": 0, "download_files": []}, "chat: downloading, 12 s"),
    "dependencies": (
        "creating",
        launch("installing_dependencies", 0.0, dependency_install_completed=3, dependency_install_total=8),
        "chat: installing dependencies, 3 of 8, 12 s",
    ),
    "dependencies not counted": (
        "creating",
        launch("installing_dependencies", 0.0, dependency_install_completed=None, dependency_install_total=None),
        "chat: installing dependencies, 12 s",
    ),
    "waiting": ("creating", launch("waiting_for_dependencies", 0.0), "chat: waiting for dependencies, 12 s"),
    # The share counts from 0.8 on then, and stands still while the engine loads.
    "loading": ("creating", launch("loading", 0.82), "chat: loading, 12 s"),
    "cancelled": ("terminating", launch("cancelled", 1.0), "chat: cancelled, 12 s"),
    "nothing yet": ("creating", {"progress": 0.0, "stage": "pending", "download_files": [], "replicas": []}, "chat: creating, 12 s"),
    "between two stages": ("loading", launch("launching", 0.0), "chat: loading, 12 s"),
    "done": ("ready", launch("completed", 1.0), "chat: ready, 12 s"),
    "server before stages": ("creating", {"progress": 0.41}, "chat: creating, 41 %, 12 s"),
    "server before stages, begun": ("creating", {"progress": 0.0}, "chat: creating, 12 s"),
    "server before stages, done": ("creating", {"progress": 1.0}, "chat: creating, 12 s"),
    "no answer": ("terminating", {}, "chat: terminating, 12 s"),
}


@pytest.mark.parametrize(("state", "answer", "line"), LINES.values(), ids=LINES.keys())
def test_a_line_says_the_stage_the_per_cent_the_bytes_and_the_seconds(state: str, answer: Any, line: str) -> None:
    assert progress_line("chat", state, answer, 12.3) == line


@pytest.mark.parametrize(
    ("count", "shown"),
    [(0, "0 B"), (999, "999 B"), (1000, "1 kB"), (999_499, "999 kB"), (999_500, "1 MB"), (98362432, "98 MB"), (1_234_567_890, "1.2 GB"), (5e15, "5000.0 TB")],
)
def test_bytes_have_the_unit_that_suits_them(count: float, shown: str) -> None:
    assert progress_line("chat", "creating", launch("downloading", 0.0, file_of(count, None)), 0) == f"chat: downloading, {shown}, 0 s"


def test_what_no_terminal_should_get_is_left_out() -> None:
    assert progress_line("chat", "creating", {"stage": "load\x1b[31ming\nnow"}, 1) == "chat: load[31mingnow, 1 s"


KEYS = ["name", "downloaded_bytes", "total_bytes", "dependency_install_completed", "dependency_install_total"]


@given(
    st.dictionaries(
        st.sampled_from(["stage", "progress", "download_files", "replicas"]),
        st.recursive(
            st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(), st.just("downloading"), st.just("installing_dependencies")),
            lambda inner: st.one_of(
                st.lists(inner),
                st.dictionaries(st.sampled_from(KEYS), inner),
            ),
        ),
    )
)
def test_a_strange_answer_still_gives_one_line(answer: Any) -> None:
    line = progress_line("chat", "creating", answer, 7)
    assert line.startswith("chat: ")
    assert line.endswith(", 7 s")
    assert line.isprintable()


# The file.


class Clock:
    """Time that stands still until it is set."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_the_file_is_for_its_owner_and_goes_at_the_end(tmp_path: Path) -> None:
    path = tmp_path / "lines"
    file = ProgressFile(str(path), 2)
    file.report("chat", "creating", {}, 1)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    file.close()
    assert list(tmp_path.iterdir()) == []
    file.close()
    file.report("chat", "creating", {}, 2)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("kind", ["file", "link", "dangling link", "folder", "no directory"])
def test_a_path_that_is_taken_is_left_alone_and_hurts_nobody(tmp_path: Path, kind: str) -> None:
    path, other = tmp_path / "lines", tmp_path / "other"
    if kind == "file":
        path.write_text("mine", encoding="utf-8")
    elif kind == "link":
        other.write_text("mine", encoding="utf-8")
        path.symlink_to(other)
    elif kind == "dangling link":
        path.symlink_to(other)
    elif kind == "folder":
        path.mkdir()
    before = sorted((found.name, found.is_symlink()) for found in tmp_path.iterdir())
    file = ProgressFile(str(path / "deeper" if kind == "no directory" else path), 2)
    file.report("chat", "creating", {}, 1)
    file.close()
    assert sorted((found.name, found.is_symlink()) for found in tmp_path.iterdir()) == before
    if kind in ("file", "link"):
        assert path.read_text(encoding="utf-8") == "mine"


def test_a_full_disk_ends_the_lines_and_not_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_handle: int, _text: bytes) -> int:
        raise OSError(28, "No space left on device")

    file = ProgressFile(str(tmp_path / "lines"), 2)
    monkeypatch.setattr(os, "write", full)
    file.report("chat", "creating", {}, 1)
    file.report("chat", "loading", {}, 2)
    assert list(tmp_path.iterdir()) == []


def test_a_model_gets_a_line_per_half_interval_and_one_for_each_new_state(tmp_path: Path) -> None:
    path, clock = tmp_path / "lines", Clock()
    file = ProgressFile(str(path), 10, clock)
    for second in range(12):
        clock.now = 100.0 + second
        file.report("chat", "creating", {"stage": "downloading" if second < 7 else "loading"}, second)
        file.report("embed", "creating", {}, second)
    rows = [json.loads(line) for line in path.read_text(encoding="ascii").splitlines()]
    file.close()
    assert [row["number"] for row in rows] == list(range(1, len(rows) + 1))
    assert [row["line"] for row in rows if row["uid"] == "chat"] == [
        "chat: downloading, 0 s",
        "chat: downloading, 5 s",
        "chat: loading, 7 s",
    ]
    assert [row["line"] for row in rows if row["uid"] == "embed"] == ["embed: creating, 0 s", "embed: creating, 5 s", "embed: creating, 10 s"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_process_that_is_asked_to_end_removes_the_file(tmp_path: Path, number: signal.Signals) -> None:
    path = tmp_path / "lines"
    # A test run that outlives its terminal inherits a signal that is ignored.
    before = signal.signal(number, signal.SIG_DFL)
    try:
        with pytest.raises(SystemExit) as ended, progress_file(str(path), 2):
            assert path.exists()
            signal.raise_signal(number)
        assert signal.getsignal(number) is signal.SIG_DFL
    finally:
        signal.signal(number, before)
    assert ended.value.code == 128 + number
    assert not path.exists()


def test_a_signal_that_is_ignored_stays_ignored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with progress_file(str(tmp_path / "lines"), 2):
            signal.raise_signal(signal.SIGHUP)
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


# What the controller makes of it.


def row(number: int, uid: str, line: str) -> str:
    """A line of the file."""
    return json.dumps({"number": number, "uid": uid, "line": line})


def test_the_latest_line_of_each_model_counts() -> None:
    text = "\n".join([row(1, "chat", "chat: creating, 0 s"), row(2, "embed", "embed: creating, 0 s"), row(3, "chat", "chat: loading, 5 s")]) + "\n"
    assert latest_lines(text, 0) == ({"chat": "chat: loading, 5 s", "embed": "embed: creating, 0 s"}, 3)
    assert latest_lines(text, 2) == ({"chat": "chat: loading, 5 s"}, 3)
    assert latest_lines(text, 3) == ({}, 3)
    assert latest_lines("", 3) == ({}, 3)


def test_what_shells_and_terminals_add_is_passed_over_and_a_line_without_its_end_is_read_again() -> None:
    whole = row(2, "chat", "chat: loading, 5 s")
    text = f'Welcome to this host\r\n[1, 2]\r\nnull\r\n{{"number": 1}}\r\n{row(1, "chat", "chat: creating, 0 s")}\r\n{whole[:-4]}'
    assert latest_lines(text, 0) == ({"chat": "chat: creating, 0 s"}, 1)
    assert latest_lines(f"{whole}\r\n", 1) == ({"chat": "chat: loading, 5 s"}, 2)
    assert latest_lines("[" * 200_000, 1) == ({}, 1)
    assert latest_lines('{"number": "3", "uid": "chat", "line": "x"}\n{"number": 3, "uid": ["chat"], "line": "x"}', 2) == ({}, 2)


def test_a_host_cannot_play_with_the_terminal_of_the_controller() -> None:
    assert latest_lines(row(1, "chat", "chat: \x1b[2Jloading\r\n, 5 s"), 0)[0] == {"chat": "chat: [2Jloading, 5 s"}


def test_what_is_written_is_what_is_read(tmp_path: Path) -> None:
    path = tmp_path / "lines"
    file = ProgressFile(str(path), 2)
    file.report("häßlich-模型", "creating", launch("downloading", 0.1, file_of(1e6, 4e6)), 3)
    read = latest_lines(path.read_text(encoding="utf-8"), 0)
    file.close()
    assert read == ({"häßlich-模型": "häßlich-模型: downloading 25 % of 4 MB, 3 s"}, 1)
