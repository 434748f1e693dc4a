# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Registrations of custom models: how two of them differ, and the files that they name."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.inferops.xinference.plugins.module_utils._core.declaration.specification import (
    CUSTOM_TYPES,
    check_registration,
    registration_drift,
    uris,
)

DECLARED: dict[str, Any] = {
    "version": 2,
    "model_name": "smollm2",
    "model_lang": ["en"],
    "model_ability": ["chat"],
    "context_length": 8192,
    "model_family": "other",
    "stop": ["<|im_end|>"],
    "model_specs": [
        {
            "model_format": "ggufv2",
            "model_size_in_billions": "0_135",
            "quantization": "Q4_1",
            "model_id": None,
            "model_file_name_template": "a.gguf",
            "model_uri": "file:///models/a.gguf",
        }
    ],
}
TORCH = {"model_format": "pytorch", "quantization": "none"}
#: The same as a server of 4.1.0 answers it: with its defaults filled in.
REGISTERED: dict[str, Any] = {
    "version": 2,
    "context_length": 8192,
    "model_name": "smollm2",
    "model_lang": ["en"],
    "model_ability": ["chat"],
    "model_description": None,
    "model_family": "other",
    "chat_template": None,
    "stop_token_ids": None,
    "stop": ["<|im_end|>"],
    "is_builtin": False,
    "model_specs": [
        {
            "model_format": "ggufv2",
            "model_hub": "huggingface",
            "model_id": None,
            "model_revision": None,
            "model_uri": "file:///models/a.gguf",
            "model_size_in_billions": "0_135",
            "quantization": "Q4_1",
            "model_file_name_template": "a.gguf",
            "model_file_name_split_template": None,
            "multimodal_projectors": None,
            "activated_size_in_billions": None,
        }
    ],
}


def changed(place: str, value: Any) -> dict[str, Any]:
    """The registered specification with another value; a name after a dot is one of its first entry of model_specs."""
    specification: dict[str, Any] = copy.deepcopy(REGISTERED)
    name, dot, inner = place.partition(".")
    if dot:
        specification[name][0][inner] = value
    else:
        specification[name] = value
    return specification


def test_what_the_server_fills_in_is_no_difference() -> None:
    assert registration_drift(DECLARED, REGISTERED) == {}


@pytest.mark.parametrize(
    ("place", "value"),
    [
        ("model_lang", ["en", "de"]),
        ("model_lang", []),
        ("model_ability", ["generate"]),
        ("model_ability", "chat"),
        ("model_ability", None),
        ("context_length", 4096),
        ("context_length", None),
        ("model_family", "qwen3"),
        ("stop", None),
        ("stop", ["</s>", "<|im_end|>"]),
        ("model_specs", []),
        ("model_specs", None),
        ("model_specs.model_format", "pytorch"),
        ("model_specs.model_size_in_billions", 1),
        ("model_specs.quantization", "Q8_0"),
        ("model_specs.model_id", "org/repository"),
        ("model_specs.model_file_name_template", "b.gguf"),
        ("model_specs.model_uri", "file:///models/b.gguf"),
        ("model_specs.model_uri", None),
    ],
)
def test_each_field_is_compared(place: str, value: Any) -> None:
    actual = changed(place, value)
    name = place.partition(".")[0]
    assert registration_drift(DECLARED, actual) == {name: {"declared": DECLARED[name], "running": actual[name]}}


def test_an_entry_more_is_a_difference() -> None:
    actual = copy.deepcopy(REGISTERED)
    actual["model_specs"].append(actual["model_specs"][0])
    assert list(registration_drift(DECLARED, actual)) == ["model_specs"]


@pytest.mark.parametrize("size", ["0_135", "0.135", 0.135])
def test_spellings_of_a_size_are_the_same(size: Any) -> None:
    assert registration_drift(DECLARED, changed("model_specs.model_size_in_billions", size)) == {}


def test_the_number_of_the_format_counts_only_where_the_server_has_it() -> None:
    embedding = {"version": 2, "model_name": "minilm", "dimensions": 384}
    assert registration_drift(embedding, {"model_name": "minilm", "dimensions": 384}) == {}
    assert registration_drift(embedding, {**embedding, "version": 1}) == {"version": {"declared": 2, "running": 1}}


def test_a_declared_null_must_be_null() -> None:
    wanted = {**DECLARED, "chat_template": None}
    assert registration_drift(wanted, REGISTERED) == {}
    assert registration_drift(wanted, changed("chat_template", "{{ x }}")) == {"chat_template": {"declared": None, "running": "{{ x }}"}}


def test_a_field_that_we_registered_and_that_is_declared_no_more_is_a_difference() -> None:
    last = {**DECLARED, "chat_template": "{{ x }}"}
    actual = changed("chat_template", "{{ x }}")
    assert registration_drift(DECLARED, actual, last) == {"chat_template": {"declared": None, "running": "{{ x }}"}}
    # It is gone already, or another client set another value: nothing that this declaration ever said.
    assert registration_drift(DECLARED, REGISTERED, last) == {}
    assert registration_drift(DECLARED, changed("chat_template", "{{ y }}"), last) == {}
    assert registration_drift(DECLARED, actual, None) == {}
    assert registration_drift(DECLARED, actual, DECLARED) == {}


SCALARS = st.none() | st.booleans() | st.integers() | st.text(max_size=5)
SPECIFICATIONS = st.dictionaries(
    st.sampled_from(["model_lang", "context_length", "model_specs", "stop", "launcher_args"]),
    st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3), max_leaves=5),
)


@given(SPECIFICATIONS)
def test_a_specification_does_not_differ_from_itself(specification: dict[str, Any]) -> None:
    assert registration_drift(specification, specification, specification) == {}
    assert registration_drift(specification, {**specification, "is_builtin": False}) == {}


@pytest.mark.parametrize(
    ("specification", "expected"),
    [
        (DECLARED, ["file:///models/a.gguf"]),
        ({"model_uri": "/models/flux"}, ["/models/flux"]),
        ({"model_uri": "/a", "model_specs": [{"model_uri": "/b"}, {"model_id": "org/c"}, "nonsense", {"model_uri": None}]}, ["/a", "/b"]),
        ({"model_specs": "nonsense"}, []),
        ({}, []),
    ],
)
def test_the_files_that_a_registration_names(specification: dict[str, Any], expected: list[str]) -> None:
    assert uris(specification) == expected


# Of what is refused, that it is reported field by field; the messages are in the tests of wrong declarations.


@pytest.mark.parametrize(
    ("kind", "specification"),
    [
        ("LLM", DECLARED),
        ("embedding", {"dimensions": 384, "max_tokens": 256, "language": ["en"], "model_specs": [{**TORCH, "model_uri": "/models/minilm"}]}),
        ("rerank", {"language": ["en"], "model_specs": [{"model_format": "pytorch", "model_id": "org/reranker"}]}),
        ("image", {"model_family": "stable_diffusion", "model_uri": "/models/flux"}),
        ("audio", {"model_family": "whisper", "multilingual": False, "model_uri": "file:///models/whisper"}),
        ("flexible", {"launcher": "xinference.model.flexible.launchers.transformers", "model_uri": "/models/any"}),
    ],
)
def test_a_whole_registration_is_taken(kind: str, specification: dict[str, Any]) -> None:
    assert check_registration(kind, "smollm2", specification) == []
    assert check_registration(kind, None, specification) == []


@pytest.mark.parametrize(
    ("kind", "change", "begins"),
    [
        ("video", {}, "registration is not possible for type video"),
        ("LLM", {"model_lang": None}, "registration.model_lang is missing"),
        ("LLM", {"model_ability": []}, "registration.model_ability is missing"),
        ("LLM", {"model_lang": "en"}, "registration.model_lang 'en' must be a list of texts."),
        ("LLM", {"context_length": 0}, "registration.context_length '0' must be a whole number"),
        ("LLM", {"context_length": True}, "registration.context_length 'true' must be a whole number"),
        ("LLM", {"model_name": "other"}, "registration.model_name 'other' differs from name 'smollm2'"),
        ("LLM", {"model_specs": {"model_format": "ggufv2"}}, "registration.model_specs '{model_format: ggufv2}' must be a list"),
        ("LLM", {"model_specs": ["a.gguf"]}, "registration.model_specs[0] 'a.gguf' must be a dictionary."),
        ("LLM", {"model_specs": [{**DECLARED["model_specs"][0], "quantization": None}]}, "registration.model_specs[0].quantization is missing; it is"),
        ("LLM", {"model_specs": [{**DECLARED["model_specs"][0], "model_uri": None}]}, "registration.model_specs[0] names no files"),
        ("LLM", {"model_specs": [{**DECLARED["model_specs"][0], "model_file_name_template": ""}]}, "registration.model_specs[0].model_file_name_template is"),
        ("LLM", {"model_specs": [{**DECLARED["model_specs"][0], "model_hub": "modelscope"}]}, "registration.model_specs[0].model_hub 'modelscope' must be"),
        ("LLM", {"model_specs": [{**DECLARED["model_specs"][0], "model_uri": "models/a.gguf"}]}, "registration.model_specs[0].model_uri 'models/a"),
    ],
)
def test_each_mistake_is_one_text(kind: str, change: dict[str, Any], begins: str) -> None:
    (problem,) = check_registration(kind, "smollm2", {**DECLARED, **change})
    assert problem.startswith(begins)
    assert problem.endswith(".")


@pytest.mark.parametrize("name", ["a b", "a/b", "a+b", "a?b", "a#b", "a%b", "a&b", "a=b", "a\\b"])
def test_a_name_that_a_server_does_not_take(name: str) -> None:
    (problem,) = check_registration("LLM", name, {**DECLARED, "model_name": name})
    assert problem.startswith(f"name '{name}' of a custom model must not contain")


@given(st.sampled_from([*CUSTOM_TYPES, "video"]), st.text(max_size=4) | st.none() | st.integers(), SPECIFICATIONS | SCALARS)
def test_no_registration_ends_in_a_traceback(kind: str, name: Any, specification: Any) -> None:
    assert all(problem.startswith(("registration", "name")) for problem in check_registration(kind, name, specification))
