# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lines for the journal."""

from __future__ import annotations

import subprocess
import sys

from ansible_collections.inferops.xinference.plugins.module_utils._core import journal


def test_a_line_is_there_at_once() -> None:
    """Also where it goes to a pipe, and the process is killed after it."""
    script = f"import os, sys; sys.path.insert(0, {journal.__file__.rpartition('/')[0]!r}); from journal import say; say('one'); say('two'); os._exit(9)"
    done = subprocess.run((sys.executable, "-c", script), capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (9, "one\ntwo\n")
