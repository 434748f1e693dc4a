# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the time of each part went, from what its runs recorded (tests/recorder)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

HEAD = ("part", "seconds", "processor", "Ansible runs", "server starts", "model launches", "tests", "rest")
#: Results of module ``models`` that took a launch.
LAUNCHES = ("launched", "relaunched", "scaled", "waited")


def records(folder: Path) -> Iterator[dict[str, Any]]:
    """What the runs of a part recorded; lines that a kill cut off are left out."""
    for path in sorted(folder.glob("*.jsonl")):
        for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
            try:
                yield dict(json.loads(line))
            except ValueError:
                continue


def _is_start(record: dict[str, Any]) -> bool:
    """Whether a server was started: by a role, or by a test itself."""
    if record["kind"] == "server start":
        return True
    return bool(record["kind"] == "task" and record["action"].endswith(".docker_container") and record["status"] == "changed" and record["healthy"])


def row(name: str, seconds: float, processor: float, folder: Path) -> tuple[str, ...]:
    """A line of the table."""
    runs, starts, launches, tests = [], [], [], []
    for record in records(folder):
        if record["kind"] == "run":
            runs.append(record["seconds"])
        elif record["kind"] == "test":
            tests.append(record["seconds"])
        elif _is_start(record):
            starts.append(record["seconds"])
        if record["kind"] in ("task", "module") and not record["check"]:
            launches += [each["seconds"] for each in record["models"] if each["result"] in LAUNCHES]

    def cell(numbers: list[float]) -> str:
        return f"{len(numbers)}: {sum(numbers):.0f} s" if numbers else ""

    # What tests do themselves, beside Ansible, servers and launches; Molecule's runs are in no test.
    known = max(sum(tests), sum(runs)) if tests else sum(runs)
    return (name, f"{seconds:.0f}", f"{processor:.0f}", cell(runs), cell(starts), cell(launches), cell(tests), f"{max(seconds - known, 0):.0f} s")


def table(parts: list[tuple[str, float, float]], folder: Path) -> str:
    """The table in Markdown.

    :param parts: name, seconds and seconds of processors of each.
    :param folder: with a directory of records for each part.
    """
    lines = [HEAD, ("---",) + ("---:",) * (len(HEAD) - 1)]
    lines += [row(name, seconds, processor, folder / name.replace(":", "-")) for name, seconds, processor in parts]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
