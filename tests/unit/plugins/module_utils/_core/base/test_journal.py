# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lines for the journal."""

from __future__ import annotations

import subprocess
import sys

import pytest

from ansible_collections.inferops.xinference.plugins.module_utils._core.base import journal


def test_a_line_is_there_at_once() -> None:
    """Also where it goes to a pipe, and the process is killed after it."""
    script = f"import os; from {journal.__name__} import log; log('one'); log('two'); os._exit(9)"
    done = subprocess.run((sys.executable, "-c", script), capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (9, "one\ntwo\n")


def test_a_line_of_the_journal_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    """Whatever a server answers."""
    journal.log("chat: a\x1b[31m\nb envs={'TOKEN': 'marked'}" + "x" * 5000)
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith("chat: a [31m b envs={********}x")
    assert len(line) == 2000
