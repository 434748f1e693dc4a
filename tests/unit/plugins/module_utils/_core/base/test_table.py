# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tables for a screen."""

from __future__ import annotations

from ansible_collections.inferops.xinference.plugins.module_utils._core.base.table import table_lines


def test_columns_are_as_wide_as_their_longest_cell() -> None:
    assert table_lines([("MODEL", "STATE", "PORT"), ("a-long-name", "ok", ""), ("b", "not ready", "9997")]) == [
        "MODEL        STATE      PORT",
        "a-long-name  ok",
        "b            not ready  9997",
    ]


def test_a_header_alone_is_a_table() -> None:
    assert table_lines([("MODEL", "STATE")]) == ["MODEL  STATE"]


def test_rows_may_be_lists() -> None:
    assert table_lines([["A", "B"], ["1", "2"]]) == ["A  B", "1  2"]
