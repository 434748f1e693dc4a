# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One diagnosis as it is put together; test_diagnosis_info has whole ones."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.inferops.xinference.plugins.module_utils._core.diagnose import diagnose as diagnose_module
from ansible_collections.inferops.xinference.plugins.module_utils._core.diagnose.diagnose import Diagnosis, Wanted
from ansible_collections.inferops.xinference.plugins.module_utils._core.diagnose.finding import CRITICAL, NOTE, Finding
from ansible_collections.inferops.xinference.plugins.module_utils._core.diagnose.models import AS_DECLARED, FAILED, LOADING, MISSING, ModelState
from ansible_collections.inferops.xinference.plugins.module_utils._core.diagnose.server import ServerReading
from ansible_collections.inferops.xinference.plugins.module_utils._core.observed.models import Observed, ObservedModel
from ansible_collections.inferops.xinference.plugins.module_utils._core.observed.server_files import DEFAULT_HOME, ServerFiles

BAD, ODD = Finding("disk", CRITICAL, "/srv", "It is full."), Finding("clock", NOTE, "host", "It is slow.\x1b")
#: 2026-11-22 12:00:00 UTC.
CREATED = 1795348800
WANTED = Wanted("xinference", "unix:///nowhere", "127.0.0.1:9997", [], "/logs", [], [], 4.0)


def test_checks_that_are_made_and_those_that_cannot_be() -> None:
    found = Diagnosis()
    found.run("clock", lambda: [ODD])
    found.run("disk", lambda: [BAD, BAD])
    found.run("models", lambda: pytest.fail("it cannot be made"), "the container does not run")
    shown = found.shown("image:1")
    assert (shown["checks"], shown["unchecked"]) == (["clock", "disk"], [{"check": "models", "reason": "the container does not run"}])
    assert [(each["check"], each["seen"]) for each in shown["findings"]] == [("disk", "It is full."), ("clock", "It is slow.")]
    assert (shown["severity"], shown["server"], shown["image"], shown["models"]) == ("critical", None, "image:1", [])
    assert datetime.strptime(shown["time"], "%Y-%m-%dT%H:%M:%S%z").tzinfo is not None


def test_nothing_is_wrong() -> None:
    assert Diagnosis(server="4.1.0").shown(None)["severity"] == "ok"


@pytest.mark.parametrize(
    ("state", "known", "since", "lines"),
    [
        (FAILED, {}, CREATED, ["0.1 E engine", "", "2026-11-22T12:00:01 chat fails"]),
        (MISSING, {"message": "no such file"}, CREATED, ["0.1 E engine", "no such file", "2026-11-22T12:00:01 chat fails"]),
        # The launch before is the one that failed.
        (LOADING, {"tries": 2}, CREATED - 600, ["0.1 E engine", "", "2026-11-22T11:55:00 chat began", "2026-11-22T12:00:01 chat fails"]),
        (LOADING, {}, None, None),
        (AS_DECLARED, {"tries": 2}, None, None),
    ],
)
def test_lines_about_models_that_do_not_run(
    state: str, known: dict[str, Any], since: int | None, lines: list[str] | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []

    def errors(_docker_host: str, _container: str, created: int) -> list[str]:
        asked.append(created)
        return ["0.1 E engine"]

    monkeypatch.setattr(diagnose_module, "engine_errors", errors)
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs/xinference.log").write_text("2026-11-22T11:00:00 chat old\n2026-11-22T11:55:00 chat began\n2026-11-22T12:00:01 chat fails\n")
    reading = ServerReading(states=[ModelState("chat", state)], observed=Observed({"chat": ObservedModel("chat", "error", created=CREATED)}))
    found = diagnose_module._lines(reading, {"chat": known}, WANTED, ServerFiles({DEFAULT_HOME: str(tmp_path)}))
    assert found == ({} if lines is None else {"chat": lines})
    assert asked == ([] if since is None else [since])


def test_lines_of_others_are_not_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(diagnose_module, "engine_errors", lambda *_arguments: pytest.fail("it is not known since when"))
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs/xinference.log").write_text("MemoryError of another\n")
    reading = ServerReading(states=[ModelState("chat", MISSING)])
    assert diagnose_module._lines(reading, {}, WANTED, ServerFiles({DEFAULT_HOME: str(tmp_path)})) == {"chat": [""]}
