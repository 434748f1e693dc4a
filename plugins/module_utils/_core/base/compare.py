# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""When two values mean the same. Private to this collection."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from .messages import nearest

__all__ = ["nearest_choice", "same_choice", "same_size", "same_value"]


def same_size(one: Any, other: Any) -> bool:
    """Whether two spellings of a size in billions mean the same: 0.6, "0.6" and "0_6" do."""
    try:
        return float(str(one).replace("_", ".")) == float(str(other).replace("_", "."))
    except ValueError:
        return False


def same_choice(field: str, one: Any, other: Any, model_type: str = "LLM") -> bool:
    """Whether a server takes two values of a field that chooses the files for the same one.

    The case of letters does not count in the quantization of an LLM, and counts in everything else.

    :param field: ``format``, ``size_in_billions`` or ``quantization``, among others.
    """
    if field == "size_in_billions":
        return same_size(one, other)
    if field == "quantization" and model_type == "LLM":
        return str(one).lower() == str(other).lower()
    return str(one) == str(other)


def _as_yaml_reads(size: str) -> str:
    """What becomes of a size such as 0_6 that is written without quotes: a number in octal or with marks of thousands."""
    digits = size.replace("_", "")
    if not digits.isdecimal() or "_" not in size:
        return size
    if size.startswith("0"):
        return str(int(digits, 8)) if set(digits) <= set("01234567") else size
    return digits


def nearest_choice(field: str, wanted: Any, offered: Collection[str]) -> str:
    """The hint for a value that is not offered, or an empty string."""
    if field != "size_in_billions":
        return nearest(str(wanted), offered, 0.8)
    meant = [size for size in offered if _as_yaml_reads(str(size)) == str(wanted) and str(size) != str(wanted)]
    return f"; did you mean '{meant[0]}', which YAML reads as {wanted} without quotes?" if meant else ""


def same_value(one: Any, other: Any) -> bool:
    """Whether two values of an option mean the same to a server: 2048 and "2048" do, true and 1 do not."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other or str(one).lower() == str(other).lower()
    if isinstance(one, dict) and isinstance(other, dict):
        return set(one) == set(other) and all(same_value(value, other[key]) for key, value in one.items())
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(same_value(first, second) for first, second in zip(one, other))
    return bool(one == other) or str(one) == str(other)
