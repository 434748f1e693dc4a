# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Write the table of server versions into README.md, from what the runs of scenario ``models`` left in build/versions."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
BEGIN, END = "<!-- versions: written by make test-all -->", "<!-- end of versions -->"
HEAD = ("Xinference", "steps passed", "accounts", "autostart", "options of running models", "replicas", "files first")


def tested() -> list[str]:
    """The versions that can be tested: those with a lock, newest first."""
    locks = (ROOT / "tests" / "images" / "server").glob("*.txt")
    return sorted((lock.stem for lock in locks), key=lambda version: [int(number) for number in version.split(".")], reverse=True)


def row(run: dict[str, Any]) -> tuple[str, ...]:
    """One line of the table."""
    return (
        run["version"],
        str(len(run["steps"])),
        "yes" if run["accounts"] else "the administrator" if run["authentication"] else "none",
        "yes" if run["autostart"] else "launched by the next run",
        "compared, kept by the server" if run["history"] else "compared, kept in a file on the host",
        "added and removed in place" if run["replicas_in_place"] else "by a relaunch",
        "yes" if run["download_first"] else "with the launch",
    )


def known(text: str) -> dict[str, tuple[str, ...]]:
    """The lines of an earlier table, by version."""
    lines = [tuple(cell.strip() for cell in line.strip("|").split("|")) for line in text.splitlines() if line.startswith("| ")]
    return {line[0]: line for line in lines[2:]}


def main() -> int:
    """Write it; a version that was not run here keeps its line."""
    readme = ROOT / "README.md"
    before, _begin, rest = readme.read_text(encoding="utf-8").partition(BEGIN)
    old, _end, after = rest.partition(END)
    rows = known(old)
    for version in tested():
        run = ROOT / "build/versions" / f"{version}.json"
        if run.exists():
            rows[version] = row(json.loads(run.read_text(encoding="utf-8")))
    lines = [HEAD, ("---",) * len(HEAD), *(rows[version] for version in tested() if version in rows)]
    text = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    readme.write_text(f"{before}{BEGIN}\n{text}\n{END}{after}", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
