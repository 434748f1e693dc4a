# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""When each part passed last, in docs/tested.md: written by the runs, and by nobody else."""

from __future__ import annotations

import hashlib
import json
import subprocess
import time
from typing import TYPE_CHECKING, Any

from parts import ALL, NEWEST, ROOT, TEST

if TYPE_CHECKING:
    from run import Outcome

PAGE = ROOT / "docs/tested.md"
BEGIN, END = "<!-- written by make test-all -->", "<!-- end -->"
HEAD = ("part", "Xinference", "passed on", "commit", "tests", "seconds")
#: Which parts passed on which tree; on this machine alone.
STATE = ROOT / "build/tests/passed.json"
#: What no part depends on.
_TEXTS = (".md", ".svg")


def git(*words: str) -> str:
    """Output of a git command; empty where there is no repository."""
    done = subprocess.run(("git", "-C", str(ROOT), *words), capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else ""


def tree() -> str:
    """A digest of all files but those of the documentation."""
    total = hashlib.sha256()
    for name in sorted(git("ls-files", "--cached", "--others", "--exclude-standard").splitlines()):
        path = ROOT / name
        if path.is_file() and path.suffix not in _TEXTS:
            total.update(f"{name}\0".encode() + path.read_bytes() + b"\0")
    return total.hexdigest()


def _state() -> dict[str, Any]:
    """Part → tree on which it passed last."""
    try:
        return dict(json.loads(STATE.read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return {}


def passed_on_this_tree() -> set[str]:
    """Names of the parts that need not run again."""
    now = tree()
    return {name for name, passed in _state().items() if passed == now}


def _rows() -> dict[str, list[str]]:
    """The rows of the page, by the name of their part."""
    text = PAGE.read_text(encoding="utf-8").partition(BEGIN)[2].partition(END)[0]
    lines = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line.startswith("| `")]
    return {line[0].strip("`"): line for line in lines}


def keep(outcome: Outcome, page: bool) -> None:
    """Take down how a part ended.

    :param page: whether in docs/tested.md, too.
    """
    part = outcome.part
    known = _state()
    known[part.name] = tree() if outcome.verdict == "passed" else ""
    STATE.write_text(json.dumps(known, indent=1), encoding="utf-8")
    if not page or part.name in ("setup", "images", "exercised"):
        return
    rows = _rows()
    version = part.variables.get("VERSION") or part.variables.get("SERVER") or NEWEST
    changed = "" if not git("status", "--porcelain", "--untracked-files=no", "--", ".", ":!docs", ":!README.md") else " + changes"
    rows[part.name] = [
        f"`{part.name}`",
        version,
        time.strftime("%Y-%m-%d") if outcome.verdict == "passed" else f"FAILED {time.strftime('%Y-%m-%d')}",
        git("rev-parse", "--short=8", "HEAD") + changed,
        str(outcome.passed),
        f"{outcome.seconds:.0f}",
    ]
    order = [part.name for part in [*TEST, *ALL]]
    lines = [list(HEAD), ["---"] * len(HEAD), *(rows[name] for name in order if name in rows)]
    before, _begin, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    table = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    PAGE.write_text(f"{before}{BEGIN}\n{table}\n{END}{rest.partition(END)[2]}", encoding="utf-8")
