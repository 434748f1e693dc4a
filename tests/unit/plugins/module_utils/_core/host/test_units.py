# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a unit runs, and since when, as systemd says it; the backups of a host."""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.inferops.xinference.plugins.module_utils._core.host.units import backup_facts, unit_facts
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


# Backups.

SERVICE, TIMER = "b.service", "b.timer"
#: What a backup that went well writes.
STATUS = {
    "version": 1,
    "last_success": "2026-11-29T03:00:00Z",
    "last_attempt": "2026-11-29T03:00:00Z",
    "snapshot": "0a1b2c3d" * 8,
    "verified": True,
    "files": 12,
    "bytes": 4096,
    "failed": "",
}
RESTIC = """\
restic:
  Installed: (none)
  Candidate: 0.14.0-1+b5
  Version table:
     0.14.0-1+b5 500
        500 http://mirror.example.com/debian bookworm/main amd64 Packages
"""
CALENDAR = "  Original form: daily\nNormalized form: *-*-* 00:00:00\n    Next elapse: Mon 2026-11-30 00:00:00 UTC\n       From now: 18h left\n"


def answers(**said: tuple[int, str]) -> tuple[Callable[[list[str]], tuple[int, str, str]], list[str]]:
    """A host whose programs answer so, and which of them were asked."""
    asked: list[str] = []

    def run(command: list[str]) -> tuple[int, str, str]:
        assert command[1:3] == ["LC_ALL=C", "TZ=UTC"]
        asked.append(" ".join(command[3:]))
        status, answer = said.get(command[3].replace("-", "_"), (127, ""))
        return status, answer, ""

    return run, asked


def backups(root: Path, **options: Any) -> dict[str, Any]:
    """The backups of a host."""
    return backup_facts([SERVICE, TIMER], "/etc/b", "/usr/local/lib/b", "/var/lib/b/status.json", root=root, **options)


def put(path: Path, content: bytes | str, mode: int = 0o644) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    path.chmod(mode)
    return path


@pytest.fixture
def host(root: Path) -> Path:
    """A host with backups."""
    units = root / "etc/systemd/system"
    put(units / SERVICE, "[Service]\n")
    put(units / TIMER, "[Timer]\nOnCalendar=daily\nPersistent=true\n")
    (units / "timers.target.wants").mkdir()
    (units / "timers.target.wants" / TIMER).symlink_to(units / TIMER)
    put(root / "usr/bin/restic", "", 0o755)
    put(root / "etc/b/settings.json", '{"host": "one"}\n', 0o600)
    put(root / "usr/local/lib/b/__main__.py", "")
    put(root / "var/lib/b/status.json", json.dumps(STATUS))
    for unit in (SERVICE, TIMER):
        os.utime(units / unit, times=(1_000_000_000,) * 2)
    return root


def timer(state: str = "active", entered: str = "Sat 2026-11-28 12:00:00 UTC", triggered: str = "Sun 2026-11-29 00:03:02 UTC") -> tuple[int, str]:
    """What systemctl says of the timer."""
    return 0, f"ActiveState={state}\nActiveEnterTimestamp={entered}\nLastTriggerUSec={triggered}\n"


def test_a_host_with_backups(host: Path) -> None:
    run, asked = answers(systemctl=timer())
    facts = backups(host, run=run, package=True, schedule="daily")
    assert len(facts.pop("program")) == 16
    assert facts == {
        "restic": True,
        "available": None,
        "units": {SERVICE: "[Service]\n", TIMER: "[Timer]\nOnCalendar=daily\nPersistent=true\n"},
        "enabled": True,
        "active": True,
        "behind": False,
        "triggered": "2026-11-29T00:03:02Z",
        "schedule": None,
        "restore": False,
        "settings": hashlib.sha256(b'{"host": "one"}\n').hexdigest(),
        "status": {**{name: value for name, value in STATUS.items() if name != "version"}, "warnings": []},
        "damaged": False,
    }
    # What is known already is not asked.
    assert asked == [f"systemctl show --property=ActiveState,ActiveEnterTimestamp,LastTriggerUSec {TIMER}"]


def test_a_host_without_backups(tmp_path: Path) -> None:
    run, asked = answers()
    facts = backups(tmp_path, run=run)
    nothing = dict.fromkeys(("available", "triggered", "schedule", "program", "settings", "status"))
    assert facts == {"restic": False, "units": {}, "enabled": False, "active": False, "behind": False, "restore": False, "damaged": False, **nothing}
    assert asked == []
    assert backups(tmp_path, package=True, schedule="daily") == facts


@pytest.mark.parametrize(
    ("said", "active", "triggered"),
    [
        (timer("inactive"), False, "2026-11-29T00:03:02Z"),
        (timer("failed", triggered=""), False, None),
        (timer(triggered="n/a"), True, None),
        (timer(entered=""), True, "2026-11-29T00:03:02Z"),
        ((1, ""), False, None),
        ((0, "no\n=\n"), False, None),
    ],
)
def test_what_systemd_says_of_the_timer(host: Path, said: tuple[int, str], active: bool, triggered: str | None) -> None:
    facts = backups(host, run=answers(systemctl=said)[0])
    assert (facts["active"], facts["triggered"]) == (active, triggered)


def test_a_unit_that_was_written_after_the_timer_was_started(host: Path) -> None:
    # Of 2001-09-09 01:46:40, as the units.
    before = backups(host, run=answers(systemctl=timer(entered="Sun 2001-09-09 01:46:00 UTC"))[0])
    after = backups(host, run=answers(systemctl=timer(entered="Sun 2001-09-09 01:46:40 UTC"))[0])
    assert (before["behind"], after["behind"]) == (True, False)


@pytest.mark.parametrize(
    ("lists", "said", "available"),
    [
        (True, (0, RESTIC), True),
        (True, (0, RESTIC.replace("0.14.0-1+b5\n  V", "(none)\n  V")), False),
        (True, (0, ""), False),
        # A host on which nobody has asked for lists yet.
        (False, (0, RESTIC), None),
        # Another package manager.
        (True, (127, ""), None),
    ],
)
def test_whether_restic_can_be_had(tmp_path: Path, lists: bool, said: tuple[int, str], available: bool | None) -> None:
    if lists:
        put(tmp_path / "var/lib/apt/lists/mirror.example.com_dists_bookworm_main_binary-amd64_Packages.lz4", b"")
    assert backups(tmp_path, run=answers(apt_cache=said)[0], package=True)["available"] is available
    assert backups(tmp_path, run=answers(apt_cache=said)[0])["available"] is None


@pytest.mark.parametrize(
    ("said", "taken"),
    [
        ((0, CALENDAR), "fine"),
        ((1, ""), "refused"),
        ((0, "Normalized form: 2020-01-01 00:00:00\n    Next elapse: never\n"), "never"),
        ((127, ""), None),
    ],
)
def test_whether_systemd_takes_a_schedule(host: Path, said: tuple[int, str], taken: str | None) -> None:
    run, asked = answers(systemd_analyze=said, systemctl=timer())
    assert backups(host, run=run, schedule="--when")["schedule"] == taken
    # It is no option.
    assert asked[1:] == ["systemd-analyze calendar -- --when"]


def test_without_systemd_no_schedule_is_asked(tmp_path: Path) -> None:
    assert backups(tmp_path, run=answers(systemd_analyze=(0, CALENDAR))[0], schedule="daily")["schedule"] is None


@pytest.mark.parametrize(
    "content",
    [
        {**STATUS, "version": 2},
        {**STATUS, "last_success": "yesterday"},
        {**STATUS, "last_success": 3},
        {**STATUS, "last_attempt": ["2026-11-29T03:00:00Z"]},
        {**STATUS, "snapshot": "../../etc"},
        {**STATUS, "snapshot": 12345678},
        {**STATUS, "verified": 1},
        {**STATUS, "files": True},
        {**STATUS, "bytes": -1},
        {**STATUS, "failed": None},
        {name: value for name, value in STATUS.items() if name != "failed"},
        [STATUS],
        "{",
        "9" * 400,
    ],
    ids=str,
)
def test_what_no_backup_writes_is_not_reported(host: Path, content: Any) -> None:
    put(host / "var/lib/b/status.json", content if isinstance(content, str) else json.dumps(content))
    facts = backups(host)
    assert (facts["status"], facts["damaged"]) == (None, True)


def test_a_backup_that_never_succeeded(host: Path) -> None:
    failed = {**STATUS, "last_success": None, "snapshot": None, "verified": False, "files": 0, "bytes": 0, "failed": "No room.\n\x1b[2Jx" + "x" * 9000}
    put(host / "var/lib/b/status.json", json.dumps(failed))
    found = backups(host)["status"]
    assert found["last_success"] is None
    # One line of bounded length.
    assert found["failed"].startswith("No room.  [2Jx")
    assert len(found["failed"]) == 2000


@pytest.mark.parametrize(("name", "fact"), [("var/lib/b/status.json", "status"), ("etc/b/settings.json", "settings")])
@pytest.mark.parametrize("kind", ["link", "pipe", "directory", "huge"])
def test_what_lies_in_place_of_a_file_of_backups_is_not_read(host: Path, tmp_path: Path, name: str, fact: str, kind: str) -> None:
    place = host / name
    content = place.read_bytes()
    place.unlink()
    if kind == "link":
        place.symlink_to(put(tmp_path / "elsewhere", content))
    elif kind == "pipe":
        os.mkfifo(place)
    elif kind == "directory":
        place.mkdir()
    else:
        put(place, content + b" " * (2 << 20))
    assert backups(host)[fact] is None
