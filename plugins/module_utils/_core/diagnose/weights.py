# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How large the header of a file of weights says that it is. Private to this collection.

A download that was cut off leaves a file that the server takes for whole. Its header is at its beginning, and names the place of each tensor. The file is
hostile: no number in it is trusted.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Mapping
from typing import Any

from ..base.bounded import parse_json

__all__ = ["HEADER_BYTES", "expected_bytes"]

#: Bytes of the largest header that is read: the vocabulary of a model takes some MiB.
HEADER_BYTES = 32 << 20
#: Of a header in JSON: the largest models come to some hundred KiB, and to read JSON takes many times its size in memory.
_JSON_BYTES = 4 << 20
_GGUF = b"GGUF"
_VERSIONS = (2, 3)
#: Entries, dimensions and tensors that a file may have; the largest models come to some thousand tensors.
_MOST = 1 << 20
_MOST_DIMENSIONS = 8
_ALIGNMENT, _LARGEST_ALIGNMENT = 32, 1 << 16
#: struct's letter of each kind of value.
_SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
#: Those of them that are whole numbers.
_WHOLE = frozenset(_SCALARS) - {6, 7, 12}
_STRING, _ARRAY = 8, 9
#: Kind of tensor → values in a block, and its bytes, as ggml defines them.
_BLOCKS = {
    **{0: (1, 4), 1: (1, 2), 2: (32, 18), 3: (32, 20), 6: (32, 22), 7: (32, 24), 8: (32, 34), 9: (32, 36)},
    **{10: (256, 84), 11: (256, 110), 12: (256, 144), 13: (256, 176), 14: (256, 210), 15: (256, 292)},
    **{16: (256, 66), 17: (256, 74), 18: (256, 98), 19: (256, 50), 20: (32, 18), 21: (256, 110), 22: (256, 82), 23: (256, 136)},
    **{24: (1, 1), 25: (1, 2), 26: (1, 4), 27: (1, 8), 28: (1, 8), 29: (256, 56), 30: (1, 2), 34: (256, 54), 35: (256, 66), 39: (32, 17)},
}


class _Header:
    """The beginning of a GGUF, read value by value.

    :param content: bytes of the file from its beginning.
    """

    def __init__(self, content: bytes) -> None:
        self.content = content
        self.at = 0

    def skip(self, count: int) -> int:
        """Go on, and return where it was.

        :raises ValueError: when there is no more.
        """
        begin = self.at
        if count > len(self.content) - begin:
            raise ValueError("the header ends in the middle")
        self.at += count
        return begin

    def value(self, letter: str) -> int:
        """The next value."""
        return int(struct.unpack_from(f"<{letter}", self.content, self.skip(struct.calcsize(f"<{letter}")))[0])

    def count(self, most: int = _MOST) -> int:
        """The next number, of things that follow.

        :raises ValueError: when it is more than any file has.
        """
        found = self.value("Q")
        if found > most:
            raise ValueError("the header names more than any file has")
        return found

    def text(self) -> bytes:
        """The next text."""
        length = self.count(len(self.content))
        begin = self.skip(length)
        return self.content[begin : self.at]

    def skip_texts(self, count: int) -> None:
        """Leave out some texts: those of a vocabulary are so many that each step counts."""
        content, at, unpack = self.content, self.at, struct.Struct("<Q").unpack_from
        try:
            for _each in range(count):
                at += 8 + unpack(content, at)[0]
        except (struct.error, OverflowError) as error:
            raise ValueError("the header ends in the middle") from error
        if at > len(content):
            raise ValueError("the header ends in the middle")
        self.at = at

    def skip_value(self, kind: int) -> None:
        """Leave out a value of any kind."""
        if kind in _SCALARS:
            self.skip(struct.calcsize(f"<{_SCALARS[kind]}"))
        elif kind == _STRING:
            self.text()
        elif kind == _ARRAY:
            inner, length = self.value("I"), self.count(len(self.content))
            if inner in _SCALARS:
                self.skip(length * struct.calcsize(f"<{_SCALARS[inner]}"))
            elif inner == _STRING:
                self.skip_texts(length)
            else:
                raise ValueError("the header holds lists of lists")
        else:
            raise ValueError("the header holds a value of an unknown kind")


def _tensor_bytes(header: _Header) -> int | None:
    """End of the next tensor from the beginning of all of them; None for one of a kind that is not known here."""
    header.text()
    dimensions = header.value("I")
    if dimensions > _MOST_DIMENSIONS:
        raise ValueError("a tensor has more dimensions than any has")
    values = math.prod(header.value("Q") for _each in range(dimensions))
    kind, begin = header.value("I"), header.value("Q")
    if kind not in _BLOCKS:
        return None
    in_block, size = _BLOCKS[kind]
    return begin + -(-values // in_block) * size


def _gguf(content: bytes) -> int | None:
    """Bytes of a GGUF; None where one of its tensors is of a kind that is not known here.

    :raises ValueError: when it is none.
    """
    header = _Header(content)
    header.skip(len(_GGUF))
    if header.value("I") not in _VERSIONS:
        return None
    tensors, entries = header.count(), header.count()
    alignment = _ALIGNMENT
    for _each in range(entries):
        name, kind = header.text(), header.value("I")
        if name != b"general.alignment":
            header.skip_value(kind)
        elif kind in _WHOLE:
            alignment = header.value(_SCALARS[kind])
        else:
            raise ValueError("its alignment is none")
    if not 0 < alignment <= _LARGEST_ALIGNMENT:
        raise ValueError("its alignment is none")
    ends = [_tensor_bytes(header) for _each in range(tensors)]
    known = [end for end in ends if end is not None]
    if len(known) < len(ends):
        return None
    return -(-header.at // alignment) * alignment + max(known, default=0)


def _safetensors(content: bytes) -> int:
    """Bytes of a file of safetensors.

    :raises ValueError: when it is none.
    """
    header = _Header(content)
    length = header.count(_JSON_BYTES)
    begin = header.skip(length)
    tensors: Any = parse_json(content[begin : header.at].decode("utf-8"))
    if not isinstance(tensors, Mapping):
        raise ValueError("the header is no dictionary")
    ends = []
    for name, tensor in tensors.items():
        place = tensor.get("data_offsets") if isinstance(tensor, Mapping) else None
        if name == "__metadata__":
            continue
        if not isinstance(place, list) or len(place) != 2 or not isinstance(place[1], int) or place[1] < 0:
            raise ValueError("a tensor has no place")
        ends.append(place[1])
    return header.at + max(ends, default=0)


def expected_bytes(name: str, content: bytes) -> int | None:
    """How many bytes a file of weights should have by its header; None where its kind does not say.

    :param name: of the file.
    :param content: its beginning, at most :data:`HEADER_BYTES`.
    :raises ValueError: when the header is damaged; with a part of a sentence.
    """
    lower = name.lower()
    if lower.endswith(".gguf"):
        if content[: len(_GGUF)] != _GGUF:
            raise ValueError("it does not begin like a GGUF file")
        return _gguf(content)
    return _safetensors(content) if lower.endswith(".safetensors") else None
