# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One finding, as results hold it, and the order of several."""

from __future__ import annotations

import itertools

from ansible_collections.inferops.xinference.plugins.module_utils._core.diagnose.finding import CRITICAL, NOTE, OK, WARNING, Finding, ordered, worst

FIRST = Finding("disk", CRITICAL, "/srv", "It is full.", "Downloads fail.", "Remove files.")
SECOND = Finding("mounts", CRITICAL, "/models", "It is not mounted.")
THIRD = Finding("mounts", CRITICAL, "/root", "It is another one.")
FOURTH = Finding("mounts", CRITICAL, "/root", "It is not mounted.")
FIFTH = Finding("clock", WARNING, "host", "It is slow.")
LAST = Finding("backup", NOTE, "", "It is old.")
ALL = [FIRST, SECOND, THIRD, FOURTH, FIFTH, LAST]


def test_the_worst_come_first_and_each_once() -> None:
    for shuffled in itertools.permutations(ALL):
        assert ordered([*shuffled, *shuffled[:2]]) == ALL
    assert ordered(iter([])) == []


def test_the_worst_severity() -> None:
    assert worst([]) == OK
    assert worst([LAST]) == NOTE
    assert worst([LAST, FIFTH]) == WARNING
    assert worst(reversed(ALL)) == CRITICAL


def test_a_finding_as_a_row() -> None:
    assert str(FIRST) == "It is full. Remove files."
    assert str(LAST) == "It is old."


def test_a_finding_for_results() -> None:
    assert FIRST.shown() == {
        "check": "disk",
        "severity": "critical",
        "subject": "/srv",
        "seen": "It is full.",
        "meaning": "Downloads fail.",
        "remedy": "Remove files.",
    }


def test_what_a_server_wrote_has_bounds_and_no_control_characters() -> None:
    hostile = "\x1b[2J\x07a\nb\u202e\x00" + "W" * 10_000 + " envs={'TOKEN': 'hunter2'}"
    shown = Finding(*["disk", CRITICAL, hostile, hostile, hostile, hostile]).shown()
    for name in ("subject", "seen", "meaning", "remedy"):
        assert shown[name].isprintable()
        assert len(shown[name]) <= 2000
    assert Finding("a", NOTE, "", "envs={'TOKEN': 'hunter2'}").shown()["seen"] == "envs={********}"
