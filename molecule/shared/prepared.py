# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What holds for every machine that was given an engine with the server image in it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

BUILD = Path(__file__).parents[2] / "tests/images/build.py"


class Prepared:
    """A scenario derives a test class of this one."""

    def test_machines_change_nothing_of_what_they_share(self) -> None:
        """The layers of their engines are those of a volume that later machines begin with."""
        command = (sys.executable, str(BUILD), "unchanged", "--version", os.environ["XINFERENCE_TEST_VERSION"])
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert done.stdout.strip() == os.environ["XINFERENCE_TEST_STORAGE"]
