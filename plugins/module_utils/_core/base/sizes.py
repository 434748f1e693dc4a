# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sizes as people write them, and as Docker and nginx read them. Private to this collection."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

__all__ = ["MIB", "parse", "written"]

#: Bytes.
MIB = 1 << 20

_UNITS = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}
#: 12g, 12 GB, 12GiB, 12Gi and 1.5g; without a unit, or with b, in bytes.
_SIZE = re.compile(r"([0-9]{1,20}(?:\.[0-9]{1,20})?)\s*(?:([kmgt])(?:b|ib?)?|b)?", re.IGNORECASE)
#: Docker and nginx count with 64 bits.
_MOST = 2**63


def parse(value: Any) -> int | None:
    """The bytes of a size, counted in powers of 1024 whichever way its unit is written; None for what is no size.

    :param value: a text, or a whole number of bytes.
    """
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        return None
    matched = _SIZE.fullmatch(str(value).strip())
    if not matched:
        return None
    found = int(Decimal(matched.group(1)) * _UNITS[(matched.group(2) or "").lower()])
    return found if found < _MOST else None


def written(value: Any) -> str:
    """A size in the spelling that Docker and nginx share: a whole number, with k, m or g behind it where it is a multiple.

    :raises ValueError: for what is no size.
    """
    found = parse(value)
    if found is None:
        raise ValueError(f"'{value}' is no size; write one such as 12g or 512m")
    for unit in "gmk":
        if found and found % _UNITS[unit] == 0:
            return f"{found // _UNITS[unit]}{unit}"
    return str(found)
