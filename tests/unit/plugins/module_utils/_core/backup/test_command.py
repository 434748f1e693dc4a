# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The program restic is run, and what it writes is read; other programs take its place."""

from __future__ import annotations

import sys

import pytest

from ansible_collections.inferops.xinference.plugins.module_utils._core.backup import command
from ansible_collections.inferops.xinference.plugins.module_utils._core.backup.command import Answer, longest, run


def test_a_command_is_run_with_its_environment_and_nothing_else() -> None:
    program = "import os, sys; print(sorted(os.environ), sys.stdin.read(), os.getcwd()); sys.stderr.buffer.write(b'\\xff'); sys.exit(3)"
    answer = run([sys.executable, "-I", "-c", program], {"MARKED": "x", "LC_ALL": "C.UTF-8"})
    assert answer == Answer(3, "['LC_ALL', 'MARKED']  /\n", "\ufffd")


def test_what_it_writes_has_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "_ANSWER", 10)
    assert run([sys.executable, "-I", "-c", "print('x' * 100)"], {}).output == "x" * 10
    # More than a pipe holds, on both ends.
    program = "import sys; print('x' * (1 << 20)); print('y' * (1 << 20), file=sys.stderr); sys.exit(3)"
    assert run([sys.executable, "-I", "-c", program], {}) == Answer(3, "x" * 10, "y" * 10)


def test_one_that_does_not_end_is_stopped_and_what_it_said_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "_LONGEST", 3.0)
    assert run(["/bin/sh", "-c", "echo one; echo two >&2; exec sleep 600"], {}) in (Answer(None, "one\n", "two\n"), Answer(None, "", ""))


def test_the_question_whether_there_is_a_repository_is_short() -> None:
    """A host waits for the answer in a run of Ansible."""
    assert longest("cat") < longest("backup")
