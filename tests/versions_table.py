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
BEGIN, END = "<!-- versions: written by make test-versions -->", "<!-- end of versions -->"
HEAD = ("Xinference", "steps passed", "accounts", "autostart", "options of running models", "copies", "files first")


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


def table(runs: list[dict[str, Any]]) -> str:
    """The table in Markdown."""
    lines = [HEAD, ("---",) * len(HEAD), *(row(run) for run in runs)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def main() -> int:
    """0 when written; 1, with one sentence, while a run is missing."""
    places = [ROOT / "build" / "versions" / f"{version}.json" for version in tested()]
    missing = [place.stem for place in places if not place.exists()]
    if missing:
        print(f"versions: no run of {', '.join(missing)} yet; make molecule SCENARIO=models VERSION=… makes one", file=sys.stderr)
        return 1
    readme = ROOT / "README.md"
    before, _begin, rest = readme.read_text(encoding="utf-8").partition(BEGIN)
    _old, _end, after = rest.partition(END)
    runs = [json.loads(place.read_text(encoding="utf-8")) for place in places]
    readme.write_text(f"{before}{BEGIN}\n{table(runs)}\n{END}{after}", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
