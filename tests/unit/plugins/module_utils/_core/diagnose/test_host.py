# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is wrong with a machine: each finding is provoked, at its limit too, and a healthy machine has none."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ansible_collections.inferops.xinference.plugins.module_utils._core.base.sizes import MIB
from ansible_collections.inferops.xinference.plugins.module_utils._core.declaration.model import DeclaredModel
from ansible_collections.inferops.xinference.plugins.module_utils._core.diagnose.container import Inside
from ansible_collections.inferops.xinference.plugins.module_utils._core.diagnose.evidence import Evidence, HostEvidence, Room
from ansible_collections.inferops.xinference.plugins.module_utils._core.diagnose.finding import CRITICAL, NOTE, WARNING, Finding
from ansible_collections.inferops.xinference.plugins.module_utils._core.diagnose.host import (
    check_clock,
    check_disk,
    check_hub,
    check_memory,
    check_processor,
    check_units,
)
from ansible_collections.inferops.xinference.plugins.module_utils._core.host.docker import Deaths

FACTS: dict[str, Any] = {"architecture": "x86_64", "memory": {"total_mib": 16000, "available_mib": 8000, "swap_mib": 4000}}
HOST = HostEvidence(processor_flags=frozenset({"fpu", "avx", "avx2"}), rooms={"/srv": Room(100_000, 50_000, 1_000_000, 900_000)}, synchronized=True)
GOOD = Evidence(HOST, memory=(4000 * MIB, 12_000 * MIB), deaths=Deaths(0, 0))


def on(**differs: Any) -> Evidence:
    """A healthy machine that differs in something."""
    return replace(GOOD, host=replace(HOST, **differs))


def memory(facts: dict[str, Any] | None = None, evidence: Evidence = GOOD) -> list[Finding]:
    """What is found at the memory."""
    return check_memory({**FACTS, "memory": {**FACTS["memory"], **(facts or {})}}, evidence, "xinference")


def kinds(findings: list[Finding]) -> list[tuple[str, str, str]]:
    """What was checked, how bad that is, and what it is about; every finding says what was seen."""
    assert all(finding.seen.endswith(".") for finding in findings)
    return [(finding.check, finding.severity, finding.subject) for finding in findings]


# Memory.


def test_memory_of_a_healthy_machine() -> None:
    assert memory() == []
    assert memory(evidence=Evidence()) == []
    assert memory({"total_mib": 0, "available_mib": 0, "swap_mib": 0}) == []


@pytest.mark.parametrize(("used", "found"), [(9200, 0), (9201, 1), (10_000, 1)])
def test_a_container_that_has_nearly_used_up_its_memory(used: int, found: int) -> None:
    findings = memory(evidence=replace(GOOD, memory=(used * MIB, 10_000 * MIB)))
    assert kinds(findings) == [("memory", WARNING, "xinference")] * found
    assert all(finding.seen == f"The container uses {used} MiB of the 10000 MiB that it may use." for finding in findings)


@pytest.mark.parametrize(("available", "found"), [(640, 0), (639, 1), (0, 1)])
def test_a_machine_with_too_little_memory_left(available: int, found: int) -> None:
    assert kinds(memory({"available_mib": available})) == [("memory", WARNING, "host")] * found


@pytest.mark.parametrize(("pages", "found"), [(0.0, 0), (1000.0, 0), (1001.0, 1), (1e9, 1)])
def test_a_machine_that_swaps(pages: float, found: int) -> None:
    assert kinds(memory(evidence=on(swapped_pages=pages))) == [("swap", CRITICAL, "host")] * found


@pytest.mark.parametrize(("used", "found"), [(1000, 0), (1001, 1), (4000, 1)])
def test_a_machine_that_swapped_before(used: int, found: int) -> None:
    assert kinds(memory(evidence=on(swap_used_mib=used))) == [("swap", NOTE, "host")] * found
    # Of one that swaps now, that is said alone.
    assert kinds(memory(evidence=on(swap_used_mib=used, swapped_pages=5000.0))) == [("swap", CRITICAL, "host")]


@pytest.mark.parametrize(
    ("killed", "words"),
    [(1, "1 process of the container was killed"), (2, "2 processes of the container were killed")],
)
def test_processes_of_the_container_that_were_killed(killed: int, words: str) -> None:
    (found,) = memory(evidence=replace(GOOD, deaths=Deaths(killed, 9)))
    assert kinds([found]) == [("oom", WARNING, "xinference")]
    assert words in found.seen


def test_processes_of_the_machine_that_were_killed() -> None:
    (found,) = memory(evidence=on(killed=("python3", "dockerd", "python3")))
    assert kinds([found]) == [("oom", WARNING, "host")]
    assert found.seen.endswith("used up: dockerd, python3 (2).")


# Processor.


def llm(uid: str, threads: Any = None) -> DeclaredModel:
    """A model that is to run."""
    return DeclaredModel(uid, given={} if threads is None else {"engine_options": {"n_threads": threads}})


@pytest.mark.parametrize("architecture", ["x86_64", "amd64"])
def test_a_processor_without_avx2(architecture: str) -> None:
    facts = {**FACTS, "architecture": architecture}
    assert check_processor(facts, {"avx", "avx2"}, [], 4.0) == []
    assert kinds(check_processor(facts, {"avx", "sse4_2"}, [], 4.0)) == [("processor", CRITICAL, "host")]


def test_a_processor_that_has_no_avx2_or_of_which_nothing_is_known() -> None:
    assert check_processor({**FACTS, "architecture": "aarch64"}, {"fp", "asimd"}, [], 4.0) == []
    assert check_processor(FACTS, frozenset(), [], 4.0) == []


@pytest.mark.parametrize("threads", [None, 1, 4, "auto", "64", True, 4.5, [64]])
def test_threads_that_fit(threads: Any) -> None:
    assert check_processor(FACTS, HOST.processor_flags, [llm("chat", threads)], 4.0) == []


@pytest.mark.parametrize(("cores", "advice"), [(4.0, "to 4,"), (2.5, "to 2,"), (0.5, "to 1,")])
def test_more_threads_than_cores(cores: float, advice: str) -> None:
    (found,) = check_processor(FACTS, HOST.processor_flags, [llm("chat", 8), llm("small")], cores)
    assert kinds([found]) == [("threads", WARNING, "chat")]
    assert f"{cores:g} cores" in found.seen
    assert advice in found.remedy


def test_models_that_together_have_too_many_threads() -> None:
    flags = HOST.processor_flags
    assert check_processor(FACTS, flags, [llm("a", 2), llm("b", 2)], 4.0) == []
    (found,) = check_processor(FACTS, flags, [llm("a", 2), llm("b", 2), llm("c", 1)], 4.0)
    assert kinds([found]) == [("threads", NOTE, "")]
    assert "5 threads (a 2, b 2, c 1) for 4 cores" in found.seen
    # One alone that has too many is named instead.
    assert kinds(check_processor(FACTS, flags, [llm("a", 9), llm("b", 4)], 4.0)) == [("threads", WARNING, "a")]


# Disk.


@pytest.mark.parametrize(
    ("room", "severity", "words"),
    [
        (Room(1000, 100, 0, 0), None, ""),
        (Room(1000, 99, 0, 0), WARNING, "99 of 1000 MiB"),
        (Room(1000, 30, 0, 0), WARNING, "30 of 1000 MiB"),
        (Room(1000, 29, 0, 0), CRITICAL, "29 of 1000 MiB"),
        (Room(1000, 0, 0, 0), CRITICAL, "0 of 1000 MiB"),
        (Room(1000, 900, 1000, 100), None, ""),
        (Room(1000, 900, 1000, 99), WARNING, "99 of 1000 inodes"),
        (Room(1000, 900, 1000, 0), CRITICAL, "0 of 1000 inodes"),
        # Space is named first.
        (Room(1000, 50, 1000, 0), WARNING, "50 of 1000 MiB"),
        (Room(0, 0, 0, 0), None, ""),
    ],
)
def test_room(room: Room, severity: str | None, words: str) -> None:
    found = check_disk(on(rooms={"/srv": room, "/var": Room(1000, 900, 0, 0)}))
    assert kinds(found) == ([("disk", severity, "/srv")] if severity else [])
    assert all(words in finding.seen for finding in found)


# Clock, hub, units.


@pytest.mark.parametrize(
    ("ahead", "synchronized", "severity", "words"),
    [
        (0.0, True, None, ""),
        (60.0, None, None, ""),
        (-60.0, True, None, ""),
        (61.0, True, CRITICAL, "61 s ahead of"),
        (-3600.0, False, CRITICAL, "3600 s behind"),
        (0.0, False, NOTE, "not synchronized"),
    ],
)
def test_the_clock(ahead: float, synchronized: bool | None, severity: str | None, words: str) -> None:
    found = check_clock(on(clock_ahead=ahead, synchronized=synchronized))
    assert kinds(found) == ([("clock", severity, "host")] if severity else [])
    assert all(words in finding.seen for finding in found)


BLOCKED = Inside(hub="huggingface", hub_place="huggingface.co:443", hub_trouble="timed out.")


def test_a_hub_that_cannot_be_reached_where_files_are_missing() -> None:
    (found,) = check_hub(BLOCKED, ["chat", "embed"])
    assert kinds([found]) == [("hub", CRITICAL, "huggingface.co:443")]
    assert found.seen == "The container cannot reach the hub huggingface at huggingface.co:443: timed out."
    assert found.meaning == "Files of chat, embed cannot be downloaded."


@pytest.mark.parametrize(("inside", "missing"), [(BLOCKED, []), (None, ["chat"]), (replace(BLOCKED, hub_trouble=""), ["chat"]), (Inside(), ["chat"])])
def test_a_hub_that_nobody_needs_or_that_answers(inside: Inside | None, missing: list[str]) -> None:
    assert check_hub(inside, missing) == []


@pytest.mark.parametrize(
    ("unit", "state", "severity"),
    [
        ("xinference-models.service", "failed", CRITICAL),
        ("xinference-backup.service", "failed", WARNING),
        ("xinference-models.service", "active", None),
        ("xinference-models.service", "inactive", None),
    ],
)
def test_units_that_failed(unit: str, state: str, severity: str | None) -> None:
    found = check_units(on(units={unit: {"ActiveState": state, "Result": "exit-code", "NRestarts": "0"}}))
    assert kinds(found) == ([("units", severity, unit)] if severity else [])
    assert all("(exit-code)" in finding.seen and unit in finding.remedy for finding in found)
