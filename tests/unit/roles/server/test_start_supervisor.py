# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The start of a supervisor, with a package that stands for the server's and says what it found."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

SCRIPT = (Path(__file__).parents[4] / "roles/server/files/start_supervisor.py").read_text(encoding="utf-8")
#: What the server's own command would see: while it is imported, and when it runs.
STUB = """
import json, os, sys
from concurrent.futures import ThreadPoolExecutor

imported = os.cpu_count()

def supervisor():
    json.dump({"imported": imported, "count": os.cpu_count(), "threads": ThreadPoolExecutor()._max_workers, "arguments": sys.argv[1:]}, sys.stdout)
    return RETURNED
"""


def start(folder: Path, *arguments: str, before: str = "", returned: str = "None") -> tuple[int, dict[str, Any]]:
    """How it ended, and what it said.

    :param before: Python that runs first.
    :param returned: what the server's own command returns.
    """
    package = folder / "xinference" / "deploy"
    package.mkdir(parents=True, exist_ok=True)
    for part in (folder / "xinference", package):
        (part / "__init__.py").touch()
    (package / "cmdline.py").write_text(STUB.replace("RETURNED", returned), encoding="utf-8")
    done = subprocess.run(
        (sys.executable, "-B", "-c", before + SCRIPT, *arguments),
        capture_output=True,
        check=False,
        text=True,
        env={"PYTHONPATH": str(folder)},
    )
    assert done.stderr == ""
    return done.returncode, json.loads(done.stdout)


def with_processors(number: int | None) -> str:
    """Python that makes a machine have that many, or not know how many, as Python before and since 3.13 asks for them."""
    return f"import os\nos.cpu_count = lambda: {number}\nif hasattr(os, 'process_cpu_count'):\n    os.process_cpu_count = os.cpu_count\n"


@pytest.mark.parametrize(("processors", "count"), [(1, 8), (2, 8), (7, 8), (8, 8), (9, 9), (64, 64), (None, 8)])
def test_there_are_threads_for_the_longest_answer_however_few_the_processors(tmp_path: Path, processors: int | None, count: int) -> None:
    code, found = start(tmp_path, before=with_processors(processors))
    assert code == 0
    assert (found["imported"], found["count"]) == (count, count)
    # Six wait for the supervisor's children, and one is left at least.
    assert found["threads"] == min(count + 4, 32) > 7


def test_on_this_machine_too(tmp_path: Path) -> None:
    _code, found = start(tmp_path)
    assert found["count"] == max(os.cpu_count() or 1, 8)
    assert found["threads"] > 7


def test_its_arguments_are_those_of_the_server_s_own_command(tmp_path: Path) -> None:
    given = ["-H", "head-1", "-p", "9997", "--supervisor-port", "9999", "a b", ""]
    assert start(tmp_path, *given)[1]["arguments"] == given


@pytest.mark.parametrize(("returned", "code"), [("None", 0), ("0", 0), ("3", 3)])
def test_it_ends_as_the_server_s_own_command(tmp_path: Path, returned: str, code: int) -> None:
    assert start(tmp_path, returned=returned)[0] == code
