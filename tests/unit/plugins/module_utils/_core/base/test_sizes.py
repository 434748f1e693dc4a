# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sizes as people write them."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.inferops.xinference.plugins.module_utils._core.base.sizes import parse, written


@pytest.mark.parametrize(
    ("size", "count", "spelling"),
    [
        ("4gb", 4 << 30, "4g"),
        ("4GB", 4 << 30, "4g"),
        ("4GiB", 4 << 30, "4g"),
        ("4Gi", 4 << 30, "4g"),
        ("4g", 4 << 30, "4g"),
        ("4 G", 4 << 30, "4g"),
        (" 4 GiB ", 4 << 30, "4g"),
        ("4096m", 4 << 30, "4g"),
        ("1.5g", 3 << 29, "1536m"),
        ("0.5k", 512, "512"),
        ("1t", 1 << 40, "1024g"),
        ("10485760", 10 << 20, "10m"),
        (10485760, 10 << 20, "10m"),
        ("1025", 1025, "1025"),
        ("1025b", 1025, "1025"),
        ("1025 B", 1025, "1025"),
        ("0", 0, "0"),
        (0, 0, "0"),
        ("0g", 0, "0"),
    ],
)
def test_sizes_as_people_write_them(size: Any, count: int, spelling: str) -> None:
    assert (parse(size), written(size)) == (count, spelling)


NONE = [
    "",
    "g",
    "-1g",
    "-1",
    "1e3",
    "12 gigabytes",
    "12g 1m",
    "1.g",
    ".5g",
    "12x",
    "4ib",
    "4i",
    "4bb",
    "4,5g",
    "4_000m",
    "\u0664g",
    "9" * 30,
    "9000000000g",
    "8388608t",
]


@pytest.mark.parametrize("size", [*NONE, True, None, 1.5, [], -1])
def test_what_is_no_size(size: Any) -> None:
    assert parse(size) is None
    with pytest.raises(ValueError, match="is no size; write one such as 12g or 512m"):
        written(size)
