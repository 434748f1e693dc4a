# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A language model in the shape of one with seven billion parameters and with random weights. It loads and answers as such a model does, without sense."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy
from gguf import GGMLQuantizationType, GGUFReader, GGUFValueType, GGUFWriter

__all__ = ["write"]

#: Numbers: of a token's vector, of layers, inside a layer, of heads, of heads for keys and values, and of one head's vector.
WIDTH, LAYERS, INNER, HEADS, KEY_HEADS, HEAD = 4096, 32, 14336, 32, 8, 128
#: Weights that share a scale in a Q4_0 file, and the bytes that they take with it.
BLOCK, BLOCK_BYTES = 32, 18


def write(path: Path, like: Path) -> None:
    """Write the model as a Q4_0 file of 4.0 GB.

    :param path: of the new file.
    :param like: a model of the same family, whose tokenizer and other settings it takes.
    """
    reader = GGUFReader(like)
    family = str(reader.fields["general.architecture"].contents())
    shape = {
        "embedding_length": WIDTH,
        "block_count": LAYERS,
        "feed_forward_length": INNER,
        "attention.head_count": HEADS,
        "attention.head_count_kv": KEY_HEADS,
        "rope.dimension_count": HEAD,
    }
    writer = GGUFWriter(path, family)
    for name, field in reader.fields.items():
        if name.startswith("GGUF.") or name == "general.architecture":
            continue
        value: Any = shape.get(name.removeprefix(f"{family}."), field.contents())
        kind = field.types[0]
        writer.add_key_value(name, value, kind, sub_type=field.types[-1] if kind == GGUFValueType.ARRAY else None)
    random = numpy.random.default_rng(0)

    def weights(name: str, rows: int, columns: int) -> None:
        blocks = random.integers(0, 256, (rows * columns // BLOCK, BLOCK_BYTES), dtype=numpy.uint8)
        # Small, so that no sum overflows.
        blocks[:, :2] = numpy.frombuffer(numpy.float16(0.005).tobytes(), numpy.uint8)
        writer.add_tensor(f"{name}.weight", blocks.reshape(rows, -1), raw_dtype=GGMLQuantizationType.Q4_0)

    def norm(name: str) -> None:
        writer.add_tensor(f"{name}.weight", numpy.ones(WIDTH, numpy.float32))

    weights("token_embd", len(reader.fields["tokenizer.ggml.tokens"].contents()), WIDTH)
    norm("output_norm")
    for layer in range(LAYERS):
        norm(f"blk.{layer}.attn_norm")
        norm(f"blk.{layer}.ffn_norm")
        weights(f"blk.{layer}.attn_q", HEADS * HEAD, WIDTH)
        weights(f"blk.{layer}.attn_k", KEY_HEADS * HEAD, WIDTH)
        weights(f"blk.{layer}.attn_v", KEY_HEADS * HEAD, WIDTH)
        weights(f"blk.{layer}.attn_output", WIDTH, HEADS * HEAD)
        weights(f"blk.{layer}.ffn_gate", INNER, WIDTH)
        weights(f"blk.{layer}.ffn_up", INNER, WIDTH)
        weights(f"blk.{layer}.ffn_down", WIDTH, INNER)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
