# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which local files a declared model names."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.inferops.xinference.plugins.module_utils._core.declaration.local_files import container_paths, loaded_besides
from ansible_collections.inferops.xinference.plugins.module_utils._core.declaration.model import DeclaredModel


def model(**given_fields: Any) -> DeclaredModel:
    """A model that should run."""
    return DeclaredModel("chat", "present", {"name": "mine", "engine": "llama.cpp", **given_fields})


GGUF = {"model_format": "ggufv2", "quantization": "Q4_1", "model_file_name_template": "a-{quantization}.gguf"}
PARTS = {"quantization_parts": {"Q4_1": ["1", "2"]}, "model_file_name_split_template": "{quantization}.{part}.gguf"}


@pytest.mark.parametrize(
    ("fields", "found"),
    [
        ({}, []),
        ({"path": "/models/a"}, [("path", "/models/a")]),
        ({"registration": {"model_uri": "file:///models/a%20b"}}, [("registration.model_uri", "/models/a b")]),
        (
            {"registration": {"model_specs": [{"model_uri": "file:///a"}, {"model_uri": "/b%20"}, {"model_uri": "oci://c"}, {"model_uri": None}, "text"]}},
            [("registration.model_specs.model_uri", "/a"), ("registration.model_specs.model_uri", "/b%20")],
        ),
        ({"registration": {"model_specs": "text", "model_uri": 7}}, []),
        ({"multimodal_projector": "mmproj-F16.gguf"}, []),
        ({"multimodal_projector": "/models/m.gguf"}, [("multimodal_projector", "/models/m.gguf")]),
        (
            {"engine_options": {"draft_model_path": "/d", "mmproj.path": "/m"}},
            [("engine_options.draft_model_path", "/d"), ("engine_options.mmproj.path", "/m")],
        ),
        ({"engine_options": "auto"}, []),
        # Whatever the engine, and whatever the option: a text of one line from the root on.
        (
            {
                "engine": "vLLM",
                "engine_options": {"tokenizer": "/t", "speculative_config": {"model": "/s"}, "chat_template": "/c.jinja", "seed": 1, "x": "a/b"},
            },
            [("engine_options.tokenizer", "/t"), ("engine_options.speculative_config.model", "/s"), ("engine_options.chat_template", "/c.jinja")],
        ),
        (
            {"type": "image", "engine_options": {"controlnet": ["/c", "canny"], "lightning_model_path": "file:///l%20m", "gguf_model_path": "/g.gguf"}},
            [("engine_options.controlnet", "/c"), ("engine_options.lightning_model_path", "/l m"), ("engine_options.gguf_model_path", "/g.gguf")],
        ),
        (
            {"type": "audio", "engine_options": {"text_encoder_path": "/t", "download_dir": "/d", "gptq_ckpt": "/q"}},
            [("engine_options.text_encoder_path", "/t"), ("engine_options.download_dir", "/d"), ("engine_options.gptq_ckpt", "/q")],
        ),
        # Texts are none, nor is what the container has of its own.
        ({"engine_options": {"system_prompt": "/no_think", "chat_template": "/x", "sampling.grammar.grammar": "/x", "cls_sep": "/"}}, []),
        ({"engine_options": {"a": "/tmp/x", "b": "/dev/shm", "c": "//", "d": "/two\nlines", "e": None, "f": True}}, [("engine_options.c", "//")]),
        (
            {"type": "image", "registration": {"controlnet": [{"model_uri": "/c"}, {"model_id": "x"}, "text"], "default_model_config": {"vae": "/v", "n": 1}}},
            [("registration.controlnet.model_uri", "/c"), ("registration.default_model_config.vae", "/v")],
        ),
        ({"type": "flexible", "registration": {"launcher_args": '{"weights": "/w"}'}}, [("registration.launcher_args.weights", "/w")]),
        ({"type": "flexible", "registration": {"launcher_args": "no json"}}, []),
        # Every part of a split GGUF.
        ({"path": "/m/a-00001-of-00002.gguf"}, [("path", "/m/a-00001-of-00002.gguf"), ("path", "/m/a-00002-of-00002.gguf")]),
        ({"path": "/m/a-00003-of-00002.gguf"}, [("path", "/m/a-00003-of-00002.gguf")]),
        # A projector without a directory is beside the model.
        (
            {"path": "/m/a.gguf", "multimodal_projector": "mmproj.gguf"},
            [("path", "/m/a.gguf"), ("multimodal_projector", "/m/mmproj.gguf")],
        ),
        # The file of a registration lies in its directory.
        (
            {"registration": {"model_specs": [{**GGUF, "model_uri": "/m"}]}, "multimodal_projector": "p.gguf"},
            [
                ("registration.model_specs.model_uri", "/m"),
                ("multimodal_projector", "/m/p.gguf"),
                ("registration.model_specs.model_file_name_template", "/m/a-Q4_1.gguf"),
            ],
        ),
        ({"registration": {"model_specs": [{**GGUF, "model_uri": "/m/x.gguf"}]}}, [("registration.model_specs.model_uri", "/m/x.gguf")]),
        (
            {"registration": {"model_specs": [{**GGUF, "model_uri": "/m", **PARTS}]}},
            [
                ("registration.model_specs.model_uri", "/m"),
                ("registration.model_specs.model_file_name_template", "/m/Q4_1.1.gguf"),
                ("registration.model_specs.model_file_name_template", "/m/Q4_1.2.gguf"),
            ],
        ),
        ({"peft_model_config": {"lora_list": [{"lora_name": "a", "local_path": "/l"}]}}, [("peft_model_config.lora_list.local_path", "/l")]),
        ({"peft_model_config": {"lora_list": None}}, []),
    ],
)
def test_fields_that_name_local_files(fields: dict[str, Any], found: list[tuple[str, str]]) -> None:
    assert container_paths([model(**fields)]) == [("chat", *pair) for pair in found]


def test_the_files_of_every_model_are_found() -> None:
    models = [DeclaredModel("one", "present", {"path": "/a"}), DeclaredModel("two", "present", {}), DeclaredModel("three", "present", {"path": "/b"})]
    assert container_paths(models) == [("one", "path", "/a"), ("three", "path", "/b")]


def test_a_model_that_shall_not_run_needs_no_files() -> None:
    assert container_paths([DeclaredModel("chat", "absent", {"path": "/models/a"})]) == []


def test_what_takes_memory_besides_the_weights_is_known() -> None:
    loaded = model(path="/models/a.gguf", engine_options={"mmproj": "/models/p.gguf", "log_file": "/models/log"}, multimodal_projector="q.gguf")
    assert loaded_besides(loaded) == [("engine_options.mmproj", "/models/p.gguf"), ("multimodal_projector", "/models/q.gguf")]
