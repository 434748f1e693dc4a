# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which containers are started again: those that were killed, never those that somebody stopped."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.inferops.xinference.plugins.module_utils._core import starter
from ansible_collections.inferops.xinference.plugins.module_utils._core.host import DockerSocket
from ansible_collections.inferops.xinference.plugins.module_utils._core.starter import main, start_killed


class Engine(DockerSocket):
    """An engine with at most one container."""

    def __init__(self, state: dict[str, Any] | None) -> None:
        super().__init__("unix:///nowhere")
        self.state = state
        self.sent: list[str] = []

    def get(self, route: str) -> Any:
        """Its description."""
        assert route == "/containers/xinference/json"
        return None if self.state is None else {"State": self.state}

    def send(self, route: str) -> None:
        """Take a request down."""
        self.sent.append(route)


@pytest.mark.parametrize(
    ("state", "started", "words"),
    [
        ({"Status": "exited", "ExitCode": 137}, True, "was killed; started it"),
        ({"Status": "exited", "ExitCode": 0, "OOMKilled": True}, False, "was stopped in good order (exit code 0), so it stays down"),
        ({"Status": "created", "ExitCode": 0}, True, "was never started; started it"),
        ({"Status": "exited", "ExitCode": 0, "OOMKilled": False}, False, "was stopped in good order (exit code 0), so it stays down"),
        ({"Status": "exited", "ExitCode": 143}, False, "was stopped in good order (exit code 143), so it stays down"),
        ({"Status": "running", "ExitCode": 0}, False, "is running; nothing to do"),
        ({"Status": "restarting", "ExitCode": 137}, False, "is restarting; nothing to do"),
        ({"Status": "paused", "ExitCode": 0}, False, "is paused; nothing to do"),
        (None, False, "there is no container xinference; provision this host again"),
    ],
)
def test_what_is_started(state: dict[str, Any] | None, started: bool, words: str) -> None:
    engine = Engine(state)
    assert words in start_killed(engine, "xinference")
    assert engine.sent == (["/containers/xinference/start"] if started else [])


def test_an_engine_that_does_not_answer_is_a_line_and_a_failure(tmp_path: object) -> None:
    told: list[str] = []
    assert main(["--docker-host", f"unix://{tmp_path}/docker.sock", "--container", "xinference"], told.append) == 1
    assert told == ["the engine does not answer: No such file or directory"]


def test_the_command_line(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    monkeypatch.setattr(starter, "DockerSocket", lambda address: Engine({"Status": "exited", "ExitCode": 137}))
    assert main(["--docker-host", "unix:///run/docker.sock", "--container", "xinference"], told.append) == 0
    assert told == ["container xinference was killed; started it"]
