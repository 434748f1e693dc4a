# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A line of a file with passwords."""

from __future__ import annotations

import re

from ansible_collections.inferops.xinference.plugins.filter.password_line import FilterModule as PasswordLine

password_line = PasswordLine().filters()["password_line"]


def test_a_line() -> None:
    line = password_line("marked-secret-of-a-reader", "prometheus", "host-1")
    assert re.fullmatch(r"prometheus:\$6\$[./0-9A-Za-z]{16}\$[./0-9A-Za-z]{86}\n", line)
    assert line == password_line("marked-secret-of-a-reader", "prometheus", "host-1")


def test_hosts_do_not_show_that_they_share_a_password() -> None:
    one, other = (password_line("marked-secret-of-a-reader", "prometheus", host).split("$") for host in ("host-1", "host-2"))
    assert one[2] != other[2]
    assert one[3] != other[3]
