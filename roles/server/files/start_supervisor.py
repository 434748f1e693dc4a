# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Start a supervisor, with the arguments that follow, also where a machine has few processors.

The program that holds a supervisor's port waits for its two children with six threads of Python's usual pool, which has four more than the machine has
processors. On a machine with two of them none is left for what reads a long answer, and the list of language models never comes.
"""

import os
import sys
from functools import partial

# Since Python 3.13 the pool asks for those that the process may use.
for _name in ("cpu_count", "process_cpu_count"):
    if hasattr(os, _name):
        setattr(os, _name, partial(max, getattr(os, _name)() or 1, 8))

from xinference.deploy.cmdline import supervisor  # noqa: E402  what it imports asks for the number

sys.exit(supervisor())
