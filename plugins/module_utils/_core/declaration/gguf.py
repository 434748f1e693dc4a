# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names of model files: which files a split GGUF is made of. Private to this collection."""

from __future__ import annotations

import re
from dataclasses import dataclass

__all__ = ["Split", "split_of", "whole_of"]

#: As llama.cpp writes and reads it.
_SPLIT = re.compile(r"(?P<start>.*-)(?P<number>\d{5})-of-(?P<total>\d{5})(?P<end>\.gguf)", re.ASCII | re.IGNORECASE | re.DOTALL)
#: Parts of the largest model that there is come to about a hundred.
_MOST = 999


@dataclass(frozen=True)
class Split:
    """One part of a split GGUF.

    :param number: of this part, from 1 on.
    :param total: of parts.
    :param parts: paths of all of them, in order.
    """

    number: int
    total: int
    parts: tuple[str, ...]

    @property
    def first(self) -> str:
        """The part that is loaded; llama.cpp finds the others beside it, by their names."""
        return self.parts[0]


def split_of(path: str) -> Split | None:
    """What a path reveals of a split GGUF; None where it names no part of one."""
    found = _SPLIT.fullmatch(path)
    if found is None:
        return None
    number, total = int(found["number"]), int(found["total"])
    if not 1 <= number <= total <= _MOST:
        return None
    return Split(number, total, tuple(f"{found['start']}{part:05}-of-{total:05}{found['end']}" for part in range(1, total + 1)))


def whole_of(path: str) -> tuple[str, ...]:
    """Every file that a path stands for: all parts of a split GGUF, or the file itself."""
    found = split_of(path)
    return (path,) if found is None else found.parts
