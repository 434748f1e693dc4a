# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a unit runs, and since when, as systemd says it."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from ansible_collections.inferops.xinference.plugins.module_utils._core.host.units import unit_facts
from ansible_collections.inferops.xinference.tests.unit.plugins.systemctl import systemctl

UNIT = "a.service"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A host that systemd runs, with one unit."""
    (tmp_path / "run/systemd/system").mkdir(parents=True)
    units = tmp_path / "etc/systemd/system"
    units.mkdir(parents=True)
    (units / UNIT).write_text("[Unit]\n")
    return tmp_path


@pytest.mark.parametrize(
    ("state", "substate", "active"),
    [
        ("active", "running", True),
        # A unit that sets something once, and stays.
        ("active", "exited", True),
        ("activating", "start", True),
        ("reloading", "reload", True),
        # It fails again and again; systemd tries it later.
        ("activating", "auto-restart", False),
        ("deactivating", "stop-sigterm", False),
        ("failed", "failed", False),
    ],
)
def test_which_states_are_running(root: Path, state: str, substate: str, active: bool) -> None:
    facts = unit_facts([UNIT], root, run=systemctl(time.time(), state, substate))
    assert facts == {"units": {UNIT: "[Unit]\n"}, "enabled": False, "active": active, "behind": False}


@pytest.mark.parametrize(("seconds", "behind"), [(-5.0, False), (0.3, False), (5.0, True)])
def test_a_unit_that_was_written_after_its_start_is_behind(root: Path, seconds: float, behind: bool) -> None:
    # Systemd reports whole seconds: what was written in the same one may have been read.
    started = float(int(time.time()) - 100)
    os.utime(root / "etc/systemd/system" / UNIT, times=(started + seconds,) * 2)
    assert unit_facts([UNIT], root, run=systemctl(started + 0.5))["behind"] is behind


@pytest.mark.parametrize(
    "answer",
    [
        (1, "", "System has not been booted with systemd as init system (PID 1). Can't operate.\n"),
        (0, "", ""),
        (0, "ActiveState\n=\n\n", ""),
    ],
)
def test_a_systemctl_that_does_not_answer_knows_of_no_unit(root: Path, answer: tuple[int, str, str]) -> None:
    assert unit_facts([UNIT], root, run=lambda command: answer)["active"] is False


@pytest.mark.parametrize("when", ["", "n/a", "Sun 2026-11-29", "one two three four"])
def test_a_unit_without_a_process_yet_was_started_now(root: Path, when: str) -> None:
    facts = unit_facts([UNIT], root, run=lambda command: (0, f"ExecMainStartTimestamp={when}\nActiveState=activating\nSubState=start-pre\n", ""))
    assert (facts["active"], facts["behind"]) == (True, False)


def test_nobody_is_asked_where_no_systemd_runs(tmp_path: Path) -> None:
    def run(command: list[str]) -> tuple[int, str, str]:
        raise AssertionError(command)

    assert unit_facts([UNIT], tmp_path, run=run)["active"] is False
