# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Headers of weights: small files built as the formats say, and what a hostile or a cut one may hold."""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Sequence
from typing import Any

import pytest

from ansible_collections.inferops.xinference.plugins.module_utils._core.diagnose.weights import expected_bytes

#: Kinds of values and of tensors, by the names that the format gives them.
U32, F32, BOOL, STRING, ARRAY, U64, F64 = 4, 6, 7, 8, 9, 10, 12
TENSOR_F32, TENSOR_Q4_K, TENSOR_Q8_0, TENSOR_UNKNOWN = 0, 12, 8, 999
HUGE = 2**64 - 1


def text(content: str | bytes) -> bytes:
    """A text of a GGUF."""
    raw = content.encode() if isinstance(content, str) else content
    return struct.pack("<Q", len(raw)) + raw


def entry(name: str, kind: int, value: bytes) -> bytes:
    """An entry of its dictionary."""
    return text(name) + struct.pack("<I", kind) + value


def array(kind: int, *values: bytes) -> bytes:
    """The value of a list."""
    return struct.pack("<IQ", kind, len(values)) + b"".join(values)


def tensor(name: str, dimensions: Sequence[int], kind: int, begin: int) -> bytes:
    """What the header says of a tensor."""
    return text(name) + struct.pack(f"<I{len(dimensions)}QIQ", len(dimensions), *dimensions, kind, begin)


def gguf(entries: Sequence[bytes], tensors: Sequence[bytes], version: int = 3) -> bytes:
    """The header of a GGUF."""
    return b"GGUF" + struct.pack("<IQQ", version, len(tensors), len(entries)) + b"".join(entries) + b"".join(tensors)


#: One entry of every kind, a vocabulary, and an alignment of its own.
ENTRIES = [
    *(entry(f"scalar.{kind}", kind, bytes(size)) for kind, size in ((0, 1), (1, 1), (2, 2), (3, 2), (U32, 4), (5, 4), (F32, 4), (BOOL, 1), (U64, 8), (11, 8))),
    entry("scalar.12", F64, struct.pack("<d", math.pi)),
    entry("general.architecture", STRING, text("llama")),
    entry("tokenizer.ggml.tokens", ARRAY, array(STRING, *(text("x" * size) for size in range(50)))),
    entry("tokenizer.ggml.scores", ARRAY, array(F32, *(struct.pack("<f", -1.0) for _each in range(50)))),
]
ALIGNED = entry("general.alignment", U32, struct.pack("<I", 64))
#: 256 values in blocks of 144 bytes, three of them, and 100 plain ones of 4 bytes, which begin after them.
TENSORS = [tensor("blk.0", [256, 3], TENSOR_Q4_K, 0), tensor("norm", [100], TENSOR_F32, 448)]
GGUF = gguf([*ENTRIES, ALIGNED], TENSORS)
#: Where the tensors begin, and what they take.
GGUF_BYTES = -(-len(GGUF) // 64) * 64 + 448 + 400


def safetensors(header: Any) -> bytes:
    """The header of a file of safetensors."""
    raw = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(raw)) + raw


def any_of(*values: Any) -> tuple[Any, ...]:
    """Values of any kinds."""
    return values


PLACES = {
    "__metadata__": {"format": "pt"},
    "late": {"dtype": "F32", "shape": [4], "data_offsets": [8, 24]},
    "early": {"dtype": "F16", "shape": [4], "data_offsets": [0, 8]},
}
SAFETENSORS = safetensors(PLACES)


# Whole headers.


@pytest.mark.parametrize("version", [2, 3])
def test_the_size_of_a_gguf(version: int) -> None:
    assert expected_bytes("model.gguf", gguf([*ENTRIES, ALIGNED], TENSORS, version)) == GGUF_BYTES
    assert expected_bytes("MODEL.GGUF", GGUF) == GGUF_BYTES


@pytest.mark.parametrize("more", [0, 1, 31, 32, 100])
def test_tensors_begin_at_a_multiple_of_32_unless_the_header_says_otherwise(more: int) -> None:
    header = gguf([entry("pad", STRING, text("x" * more))], [tensor("one", [32], TENSOR_Q8_0, 0)])
    assert expected_bytes("a.gguf", header) == -(-len(header) // 32) * 32 + 34


def test_a_part_of_a_block_takes_a_whole_one() -> None:
    header = gguf([], [tensor("one", [33], TENSOR_Q8_0, 0)])
    assert expected_bytes("a.gguf", header) == -(-len(header) // 32) * 32 + 2 * 34


def test_a_gguf_without_tensors_is_its_header() -> None:
    header = gguf([], [])
    assert expected_bytes("a.gguf", header) == 32


def test_what_follows_the_header_does_not_matter() -> None:
    for more in (b"\0" * 5000, b"\xff" * 5000):
        assert expected_bytes("a.gguf", GGUF + more) == GGUF_BYTES
        assert expected_bytes("a.safetensors", SAFETENSORS + more) == len(SAFETENSORS) + 24


def test_the_size_of_safetensors() -> None:
    assert expected_bytes("model.safetensors", SAFETENSORS) == len(SAFETENSORS) + 24
    assert expected_bytes("a.safetensors", safetensors({})) == 10


@pytest.mark.parametrize("name", ["pytorch_model.bin", "model.pt", "config.json", "gguf", "a.gguf.part", ""])
def test_other_files_do_not_say_their_size(name: str) -> None:
    assert expected_bytes(name, b"whatever") is None


@pytest.mark.parametrize("version", [0, 1, 4, 2**32 - 1])
def test_a_version_that_is_not_known_says_nothing(version: int) -> None:
    assert expected_bytes("a.gguf", gguf(ENTRIES, TENSORS, version)) is None


def test_one_tensor_of_a_kind_that_is_not_known_leaves_the_size_open() -> None:
    assert expected_bytes("a.gguf", gguf(ENTRIES, [*TENSORS, tensor("new", [1], TENSOR_UNKNOWN, 0)])) is None


# Headers that are cut.


def test_a_gguf_that_ends_anywhere_in_its_header_is_damaged() -> None:
    for end in range(len(GGUF)):
        with pytest.raises(ValueError, match=r"^(the header (ends in the middle|names more than any file has)|it does not begin like a GGUF file)$"):
            expected_bytes("a.gguf", GGUF[:end])


def test_safetensors_that_end_anywhere_in_their_header_are_damaged() -> None:
    for end in range(len(SAFETENSORS)):
        with pytest.raises(ValueError, match=r"^the header ends in the middle$"):
            expected_bytes("a.safetensors", SAFETENSORS[:end])


# Headers that lie.


@pytest.mark.parametrize("content", [b"", b"GGU", b"GGML" + bytes(50), b"<html>", bytes(100), b"FUGG"])
def test_what_is_no_gguf_is_damaged(content: bytes) -> None:
    with pytest.raises(ValueError, match="it does not begin like a GGUF file"):
        expected_bytes("a.gguf", content)


def _array(kind: int, count: int, rest: bytes = b"") -> bytes:
    """A header with a list that says how much it holds."""
    return gguf([entry("list", ARRAY, struct.pack("<IQ", kind, count) + rest)], [])


@pytest.mark.parametrize(
    "header",
    [
        # More entries or tensors than there is anything.
        b"GGUF" + struct.pack("<IQQ", 3, HUGE, 0),
        b"GGUF" + struct.pack("<IQQ", 3, 0, HUGE),
        b"GGUF" + struct.pack("<IQQ", 3, 1 << 20, 1 << 20),
        # Texts that are longer than the file.
        b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + struct.pack("<Q", HUGE),
        b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + struct.pack("<Q", 2**63),
        gguf([entry("text", STRING, struct.pack("<Q", HUGE))], []),
        # Lists.
        _array(U32, HUGE),
        _array(U64, 2**61),
        _array(U64, 20, b"\0" * 8),
        _array(STRING, HUGE),
        _array(STRING, 2, struct.pack("<Q", HUGE) + bytes(40)),
        _array(STRING, 2, struct.pack("<Q", 2**63) + bytes(40)),
        _array(STRING, 2, struct.pack("<Q", 2**63 - 9) + bytes(40)),
        _array(STRING, 1, struct.pack("<Q", 10**6) + bytes(40)),
        # Lists of lists, and of what nobody knows.
        gguf([entry("list", ARRAY, array(ARRAY, array(ARRAY, array(U32))))], []),
        _array(13, 1, bytes(40)),
        _array(2**32 - 1, 1, bytes(40)),
        gguf([entry("what", 13, bytes(40))], []),
        gguf([entry("what", 2**32 - 1, bytes(40))], []),
        # Alignments.
        *(gguf([entry("general.alignment", U32, struct.pack("<I", size))], []) for size in (0, 2**31, (1 << 16) + 1)),
        *(gguf([entry("general.alignment", 5, struct.pack("<i", size))], []) for size in (-1, -(2**31))),
        *(gguf([entry("general.alignment", F32, struct.pack("<f", size))], []) for size in (math.inf, -math.inf, math.nan)),
        *(gguf([entry("general.alignment", F64, struct.pack("<d", size))], []) for size in (math.inf, -math.inf, math.nan, 1e300)),
        gguf([entry("general.alignment", BOOL, b"\1")], []),
        gguf([entry("general.alignment", STRING, text("64"))], []),
        # Tensors.
        gguf([], [text("one") + struct.pack("<I", 9) + bytes(100)]),
        gguf([], [text("one") + struct.pack("<I", 2**32 - 1) + bytes(100)]),
        gguf([], [struct.pack("<Q", HUGE) + bytes(100)]),
    ],
)
def test_a_gguf_whose_header_is_not_possible_is_damaged(header: bytes) -> None:
    with pytest.raises(ValueError, match=r"^(the header|a tensor has|its alignment)"):
        expected_bytes("a.gguf", header)


def test_tensors_of_any_size_are_reckoned_exactly() -> None:
    header = gguf([], [tensor("one", [HUGE] * 8, TENSOR_F32, HUGE)])
    assert expected_bytes("a.gguf", header) == -(-len(header) // 32) * 32 + HUGE + 4 * HUGE**8


def test_names_with_empty_bytes_are_names() -> None:
    header = gguf([entry("\0\0", STRING, text(b"\0\xff\0"))], [tensor("\0", [1], TENSOR_F32, 0)])
    assert expected_bytes("a.gguf", header) == -(-len(header) // 32) * 32 + 4


def test_a_long_vocabulary_is_read() -> None:
    words = array(STRING, *(text(str(number)) for number in range(200_000)))
    header = gguf([entry("tokenizer.ggml.tokens", ARRAY, words)], [tensor("one", [1], TENSOR_F32, 0)])
    assert expected_bytes("a.gguf", header) == -(-len(header) // 32) * 32 + 4


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\0" * 7,
        # A header that is longer than any.
        struct.pack("<Q", HUGE) + b"{}",
        struct.pack("<Q", 2**63) + b"{}",
        struct.pack("<Q", (64 << 20) + 1) + b"{}",
        struct.pack("<Q", 3) + b"{}",
        # No JSON.
        safetensors(b""),
        safetensors(b"{"),
        safetensors(b"\xff\xfe{}"),
        safetensors(b"\0\0"),
        safetensors(b"[" * 100_000),
        safetensors(b'{"a":' * 100_000),
        safetensors(b'{"a": {"data_offsets": [0, ' + b"9" * 400 + b"]}}"),
        bytes(100),
        # Other JSON.
        *map(safetensors, ([], None, 7, "text", True)),
        *(safetensors({"a": odd}) for odd in any_of({}, [], None, 7, "text")),
        *(safetensors({"a": {"data_offsets": odd}}) for odd in (None, [], [1], [1, 2, 3], 7, {"1": 1}, "ab", [0, None], [0, "9"], [0, 1.5], [0, -1], [0, {}])),
        *(safetensors({"__metadata__": {}, "a": {"data_offsets": odd}}) for odd in ([0, float("inf")], [0, float("nan")])),
    ],
)
def test_safetensors_whose_header_is_not_possible_are_damaged(content: bytes) -> None:
    with pytest.raises(ValueError):
        expected_bytes("a.safetensors", content)


def test_what_is_said_of_a_file_is_of_bounded_length() -> None:
    """The text of an error stands in a message, and what a file holds does not."""
    for content in (safetensors(b"\x1b[31m" + b"W" * 5000), safetensors({"W" * 5000: []})):
        with pytest.raises(ValueError) as raised:
            expected_bytes("a.safetensors", content)
        assert len(str(raised.value)) < 200
        assert str(raised.value).isprintable()
