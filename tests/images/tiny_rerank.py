# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs inside the server image: a cross-encoder with random weights. It scores without sense, but loads and answers as a real one does."""

from __future__ import annotations

import sys
from pathlib import Path

from transformers import BertConfig, BertForSequenceClassification, BertTokenizerFast

folder = Path(sys.argv[1])
folder.mkdir(parents=True, exist_ok=True)
words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *(chr(letter) for letter in range(97, 123)), *(f"##{chr(letter)}" for letter in range(97, 123))]
(folder / "vocab.txt").write_text("\n".join(words) + "\n", encoding="utf-8")
BertTokenizerFast(vocab_file=str(folder / "vocab.txt"), model_max_length=128).save_pretrained(folder)
shape = BertConfig(
    vocab_size=len(words), hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64, max_position_embeddings=128, num_labels=1
)
BertForSequenceClassification(shape).save_pretrained(folder)
