# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Start a supervisor, with the arguments that follow, also where a machine has few processors.

The program that holds a supervisor's port waits for its two children with six threads of Python's usual pool, which has four more than the machine has
processors. On a machine with two of them none is left for what reads a long answer, and the list of language models never comes.
"""

import os
import sys

_PROCESSORS = os.cpu_count() or 1
os.cpu_count = lambda: max(_PROCESSORS, 8)  # type: ignore[assignment]

from xinference.deploy.cmdline import supervisor  # noqa: E402  what it imports asks for the number

sys.exit(supervisor())
