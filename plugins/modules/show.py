#!/usr/bin/python
# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the action plugin show, which runs on the controller alone."""

from __future__ import annotations

DOCUMENTATION = r"""
module: show
short_description: Show lines, such as those of a table, as they are (private)
version_added: 0.1.0
description:
  - This module is private to the roles and playbooks of this collection. It may change or go away without notice.
  - Prints lines above the result of the task. M(ansible.builtin.debug) prints a list as JSON, with quotes around each line.
  - Characters that a terminal would obey are printed as escapes such as C(\x1b), and lines of more than 2000 characters are cut off.
  - For a task with C(run_once) only the lines are printed, and else the name of the host above them.
  - Where the callback for standard output is for programs (C(json), C(jsonl)), the lines are printed to standard error. Nothing is printed with C(no_log).
author:
  - inferops contributors (@inferops)
attributes:
  action:
    description: All of it runs on the controller.
    support: full
  check_mode:
    description: Shows the same as without it.
    support: full
  diff_mode:
    description: Changes nothing, so there is nothing to show.
    support: N/A
  idempotent:
    description: Changes nothing.
    support: full
  platform:
    description: Nothing is done on the host, so it may be of any kind.
    support: full
    platforms: all
options:
  lines:
    description: The lines.
    type: list
    elements: str
    required: true
"""

EXAMPLES = r"""
- name: Show the table of all hosts
  inferops.xinference.show:
    lines: "{{ statuses | inferops.xinference.status_table }}"
  run_once: true
"""

RETURN = r"""
lines:
  description: The lines, as they were printed.
  returned: success
  type: list
  elements: str
  sample: ["HOST  CONTAINER", "web1  running (healthy)"]
"""
