# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module's half of the lines about progress: what it writes while it waits, on a server in memory."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.inferops.xinference.plugins.module_utils._core.apply.progress import latest_lines
from ansible_collections.inferops.xinference.plugins.module_utils._core.apply.run import apply_plan
from ansible_collections.inferops.xinference.plugins.module_utils._core.reconcile import reconcile as pipeline
from ansible_collections.inferops.xinference.plugins.modules import models
from ansible_collections.inferops.xinference.tests.unit.plugins.module_utils._core.fake_server import FakeServer
from ansible_collections.inferops.xinference.tests.unit.plugins.modules.module_runner import Runner

CHAT = {"uid": "chat", "name": "qwen3", "engine": "llama.cpp"}


class Watched:
    """The module on a server whose time passes only while it sleeps; then its file is read."""

    def __init__(self, runner: Runner, path: Path) -> None:
        self.runner = runner
        self.path = path
        self.server = FakeServer()
        self.seen: list[str] = []
        self.files: set[str] = set()
        runner.use(self.server)
        runner.monkeypatch.setattr(pipeline, "apply_plan", functools.partial(apply_plan, clock=self.server.clock, sleep=self.sleep))

    def sleep(self, seconds: float) -> None:
        """What a controller could read at this moment."""
        self.files |= {found.name for found in self.path.parent.iterdir()}
        if self.path.exists():
            lines, _number = latest_lines(self.path.read_text(encoding="utf-8"), 0)
            self.seen += [line for line in lines.values() if line not in self.seen]
        self.server.clock.sleep(seconds)

    def __call__(self, **options: Any) -> dict[str, Any]:
        """The module's answer."""
        return self.runner(models=[CHAT], download="with_launch", smoke_test="none", **options)


@pytest.fixture
def watched(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Watched:
    """The module, watched."""
    return Watched(Runner(models.main, capsys, monkeypatch), tmp_path / "lines")


def test_the_file_shows_the_state_while_the_module_waits_and_goes_at_the_end(watched: Watched) -> None:
    answer = watched(progress_path=str(watched.path))
    assert (answer["failed"], answer["models"][0]["result"]) == (False, "launched")
    assert watched.seen
    assert all(line.startswith("chat: ") and line.endswith(" s") for line in watched.seen)
    assert list(watched.path.parent.iterdir()) == []


def test_the_file_goes_when_the_models_failed(watched: Watched) -> None:
    answer = watched(progress_path=str(watched.path), wait_timeout=1)
    assert answer["failed"]
    assert watched.files == {"lines"}
    assert list(watched.path.parent.iterdir()) == []


@pytest.mark.parametrize("options", [{"progress": False}, {"check": True}, {"progress_path": None}])
def test_there_is_no_file_and_no_question_where_nobody_wants_lines(watched: Watched, options: dict[str, Any]) -> None:
    answer = watched(**{"progress_path": str(watched.path), **options})
    assert not answer["failed"]
    assert watched.files == set()
    assert not [call for call in watched.server.calls if call[0] == "progress"]


def test_a_path_that_is_taken_hurts_nobody(watched: Watched) -> None:
    watched.path.write_text("mine", encoding="utf-8")
    assert not watched(progress_path=str(watched.path))["failed"]
    assert watched.path.read_text(encoding="utf-8") == "mine"


def test_an_interval_that_is_too_short_is_refused(watched: Watched) -> None:
    answer = watched(progress_path=str(watched.path), progress_interval=0.5)
    assert answer["problems"] == ["progress_interval '0.5' is too small; it must be at least 1."]
    assert watched.files == set()
