# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Declared models: what is refused, in which words, and how the rest is normalised."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.inferops.xinference.plugins.module_utils._core.base.errors import DeclarationError
from ansible_collections.inferops.xinference.plugins.module_utils._core.base.messages import shown
from ansible_collections.inferops.xinference.plugins.module_utils._core.declaration.check import check_models, parse_models
from ansible_collections.inferops.xinference.plugins.module_utils._core.declaration.fields import ENGINES, FIELDS, HUBS, RESERVED_UIDS
from ansible_collections.inferops.xinference.plugins.module_utils._core.declaration.model import DeclaredModel

LLM = {"uid": "chat", "name": "qwen3", "engine": "llama.cpp"}
LABEL = "models[0] (uid 'chat'): "
LLM_ENGINES = ", ".join(ENGINES["LLM"])
EMBEDDING_ENGINES = ", ".join(ENGINES["embedding"])
SPECS = [
    {
        "model_format": "ggufv2",
        "model_size_in_billions": 7,
        "quantization": "Q4_0",
        "model_file_name_template": "a.gguf",
        "model_uri": "file:///models/a.gguf",
    }
]
REGISTRATION = {"model_lang": ["en"], "model_ability": ["generate"], "model_family": "qwen3", "model_specs": SPECS}
UID_CHARACTERS = "must not contain white space or any of / \\ ? # %"
NUMBER = "must be a whole number of at least 1"
TEXT = "must be a text that is not empty"
QUOTES = "; YAML reads it as a number, so put it in quotes"
GPUS = "must be a whole number of at least 1, auto or null; leave it out on a host without GPU"
SIZE = "must be a number of billions such as 7, 0.6 or '0_6'"


@pytest.mark.parametrize(
    ("raw", "sentence"),
    [
        (None, "models: is the value 'null', but must be a list of dictionaries."),
        ("chat", "models: is the text 'chat', but must be a list of dictionaries."),
        (b"chat", "models: is the value 'b'chat'', but must be a list of dictionaries."),
        (True, "models: is the truth value 'true', but must be a list of dictionaries."),
        (7, "models: is the number '7', but must be a list of dictionaries."),
        ({"uid": "chat"}, "models: is the dictionary (uid), but must be a list of dictionaries."),
        (["chat"], "models[0]: is the text 'chat', but must be a dictionary with at least 'uid' and 'name'."),
        ([None], "models[0]: is the value 'null', but must be a dictionary with at least 'uid' and 'name'."),
        ([[LLM]], "models[0]: is the list, but must be a dictionary with at least 'uid' and 'name'."),
    ],
)
def test_what_is_no_list_of_dictionaries_is_refused(raw: Any, sentence: str) -> None:
    assert check_models(raw) == ([], [sentence])


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        # Fields that do not exist.
        ({"uidd": "x"}, "field 'uidd' is unknown; did you mean 'uid'?"),
        ({"quantisation": "Q4_0"}, "field 'quantisation' is unknown; did you mean 'quantization'?"),
        ({"zzzzzz": 1}, f"field 'zzzzzz' is unknown; allowed are {', '.join(FIELDS)}."),
        ({7: 1}, f"field '7' is unknown; allowed are {', '.join(FIELDS)}."),
        # Uids.
        ({"uid": "a/b"}, f"uid 'a/b' {UID_CHARACTERS}."),
        ({"uid": "a b"}, f"uid 'a b' {UID_CHARACTERS}."),
        ({"uid": "a?b"}, f"uid 'a?b' {UID_CHARACTERS}."),
        ({"uid": "a%20b"}, f"uid 'a%20b' {UID_CHARACTERS}."),
        ({"uid": "x" * 101}, f"uid '{'x' * 101}' has 101 characters; at most 100 are allowed."),
        ({"uid": "chat-rep0"}, "uid 'chat-rep0' must not end in -rep and a number, which the server uses for replicas."),
        ({"uid": "instances"}, "uid 'instances' is a fixed route of the server and cannot name a model."),
        ({"uid": ""}, f"uid '' {TEXT}."),
        ({"uid": True}, f"uid 'true' {TEXT}; YAML reads it as true or false, so put it in quotes."),
        ({"uid": ["chat"]}, f"uid '[chat]' {TEXT}."),
        # PlanOptions.
        ({"type": "embeding"}, "type 'embeding' is not one of LLM, embedding, rerank, image, audio, video, world, flexible; did you mean 'embedding'?"),
        ({"type": "llm"}, "type 'llm' is not one of LLM, embedding, rerank, image, audio, video, world, flexible; did you mean 'LLM'?"),
        ({"type": 3}, "type '3' is not one of LLM, embedding, rerank, image, audio, video, world, flexible."),
        ({"type": ["LLM"]}, "type '[LLM]' is not one of LLM, embedding, rerank, image, audio, video, world, flexible; did you mean 'LLM'?"),
        # One mistake is one problem: which engines a misspelt type has cannot be said.
        (
            {"type": "rerankk", "engine": "sentence_transformers"},
            "type 'rerankk' is not one of LLM, embedding, rerank, image, audio, video, world, flexible; did you mean 'rerank'?",
        ),
        ({"state": "presnt"}, "state 'presnt' is not one of present, absent; did you mean 'present'?"),
        ({"state": "running"}, "state 'running' is not one of present, absent."),
        ({"download_hub": "huggingfase"}, f"download_hub 'huggingfase' is not one of {', '.join(HUBS)}; did you mean 'huggingface'?"),
        # Engines.
        ({"engine": "lama.cpp"}, f"engine 'lama.cpp' is unknown for type LLM; allowed: {LLM_ENGINES}; did you mean 'llama.cpp'?"),
        ({"engine": "ollama"}, f"engine 'ollama' is unknown for type LLM; allowed: {LLM_ENGINES}; did you mean 'llama.cpp'?"),
        ({"engine": "xyz"}, f"engine 'xyz' is unknown for type LLM; allowed: {LLM_ENGINES}."),
        (
            {"type": "embedding", "engine": "sentence-transformers"},
            f"engine 'sentence-transformers' is unknown for type embedding; allowed: {EMBEDDING_ENGINES}; did you mean 'sentence_transformers'?",
        ),
        ({"type": "flexible"}, "engine 'llama.cpp' is unknown for type flexible; allowed: none."),
        ({"engine": 5}, f"engine '5' {TEXT}{QUOTES}."),
        # Values.
        ({"name": " "}, f"name ' ' {TEXT}."),
        ({"name": ["qwen3"]}, f"name '[qwen3]' {TEXT}."),
        ({"format": 4}, f"format '4' {TEXT}{QUOTES}."),
        ({"size_in_billions": "big"}, f"size_in_billions 'big' {SIZE}."),
        ({"size_in_billions": True}, f"size_in_billions 'true' {SIZE}."),
        ({"size_in_billions": -1}, f"size_in_billions '-1' {SIZE}."),
        ({"size_in_billions": "0_6_1"}, f"size_in_billions '0_6_1' {SIZE}."),
        ({"replica": 0}, f"replica '0' {NUMBER}."),
        ({"replica": "two"}, f"replica 'two' {NUMBER}."),
        ({"replica": "²"}, f"replica '²' {NUMBER}."),
        ({"replica": 1.5}, f"replica '1.5' {NUMBER}."),
        ({"replica": True}, f"replica 'true' {NUMBER}."),
        ({"request_limits": -3}, f"request_limits '-3' {NUMBER}."),
        ({"n_gpu": 0}, f"n_gpu '0' {GPUS}."),
        ({"n_gpu": "None"}, f"n_gpu 'None' {GPUS}."),
        ({"path": "models/a.gguf"}, "path 'models/a.gguf' must be an absolute path as the server sees it, inside its container."),
        ({"path": 3}, f"path '3' {TEXT}{QUOTES}."),
        ({"enable_thinking": "maybe"}, "enable_thinking 'maybe' must be true or false."),
        ({"enable_virtual_env": 1}, "enable_virtual_env '1' must be true or false."),
        ({"virtual_env_packages": "torch"}, "virtual_env_packages 'torch' must be a list of texts."),
        ({"virtual_env_packages": [1]}, "virtual_env_packages '[1]' must be a list of texts."),
        ({"engine_options": ["n_ctx"]}, "engine_options '[n_ctx]' must be a dictionary, or auto for options that fit the host."),
        (
            {"engine_options": {1: 2}},
            "engine_options '{1: 2}' holds '1', which no request can carry; keys must be texts, and values texts, finite numbers, true, false or null.",
        ),
        ({"registration": "file"}, "registration 'file' must be a dictionary."),
        # Environment variables: their values are in no sentence.
        ({"environment": "HF_TOKEN=hunter2"}, "environment '********' must be a dictionary."),
        ({"environment": {"HF_TOKEN": None}}, "environment '********' must hold a text for every name, and 'HF_TOKEN' has none."),
        ({"environment": {"HF_TOKEN": ["hunter2"]}}, "environment '********' must hold a text for every name, and 'HF_TOKEN' has none."),
        # Fields that do not go together.
        ({"name": None}, "name is missing; it is the model's name in the server's catalogue or in its registration."),
        ({"engine": None}, f"engine is missing; for type LLM it is one of {LLM_ENGINES}."),
        (
            {"engine_options": {"model_engine": "vLLM"}},
            "engine_options 'model_engine' is not an option of the engine; use the field 'engine' for it.",
        ),
        ({"engine_options": {"envs": {}}}, "engine_options 'envs' is not an option of the engine; use the field 'environment' for it."),
        ({"registration": {**REGISTRATION, "model_specs": []}}, "registration.model_specs is missing; it is the list of the files that the model is made of."),
        (
            {"registration": {**REGISTRATION, "model_name": "other"}},
            "registration.model_name 'other' differs from name 'qwen3'; leave it out.",
        ),
    ],
)
def test_a_wrong_field_gives_one_sentence_with_item_field_value_and_what_is_allowed(change: dict[Any, Any], sentence: str) -> None:
    item = {**LLM, **change}
    models, problems = check_models([item])
    assert models == []
    assert problems == [f"models[0] (uid '{shown(item['uid'])}'): {sentence}"]


def test_a_missing_uid_is_explained() -> None:
    _models, problems = check_models([{"name": "qwen3", "engine": "llama.cpp"}])
    assert problems == ["models[0]: uid is missing; give the model a name of its own, or every run would launch one more."]


def test_a_uid_twice_names_both_items() -> None:
    models, problems = check_models([LLM, {**LLM, "uid": "other"}, LLM])
    assert [model.uid for model in models] == ["chat", "other"]
    assert problems == ["models[2] (uid 'chat'): uid 'chat' is already used by models[0]; every model needs a uid of its own."]


def test_a_number_and_its_text_are_the_same_uid() -> None:
    _models, problems = check_models([{**LLM, "uid": 1}, {**LLM, "uid": "1"}])
    assert problems == ["models[1] (uid '1'): uid '1' is already used by models[0]; every model needs a uid of its own."]


def test_a_wrong_item_does_not_hide_that_its_uid_is_used_twice() -> None:
    _models, problems = check_models([{**LLM, "replica": 0}, LLM])
    assert problems == [
        f"{LABEL}replica '0' {NUMBER}.",
        "models[1] (uid 'chat'): uid 'chat' is already used by models[0]; every model needs a uid of its own.",
    ]


def test_one_name_has_one_registration() -> None:
    first = {**LLM, "registration": REGISTRATION}
    second = {**LLM, "uid": "two", "registration": {**REGISTRATION, "context_length": 1}}
    models, problems = check_models([first, second, {**first, "uid": "three"}])
    assert [model.uid for model in models] == ["chat", "three"]
    assert problems == ["models[1] (uid 'two'): registration of 'qwen3' differs from the one in models[0] (uid 'chat'); one name has one registration."]


def test_every_problem_is_reported_at_once() -> None:
    raw = [{"name": "qwen3", "engin": "vllm"}, "text", {**LLM, "replica": 0, "size_in_billions": "x"}]
    _models, problems = check_models(raw)
    assert [problem.split(":", maxsplit=1)[0] for problem in problems] == ["models[0]", "models[0]", "models[0]", "models[1]", *["models[2] (uid 'chat')"] * 2]
    with pytest.raises(DeclarationError) as raised:
        parse_models(raw)
    assert raised.value.problems == problems
    assert str(raised.value) == " ".join(problems)


@pytest.mark.parametrize("uid", sorted(RESERVED_UIDS))
def test_fixed_routes_of_the_server_name_no_model(uid: str) -> None:
    assert check_models([{**LLM, "uid": uid}])[1] == [f"models[0] (uid '{uid}'): uid '{uid}' is a fixed route of the server and cannot name a model."]


@pytest.mark.parametrize(("kind", "engine"), [(kind, engine) for kind, engines in ENGINES.items() for engine in engines])
@pytest.mark.parametrize("case", [str, str.upper, str.lower])
def test_engines_are_known_in_any_case_and_kept_as_written(kind: str, engine: str, case: Any) -> None:
    (model,) = parse_models([{"uid": "a", "name": "b", "type": kind, "engine": case(engine)}])
    assert model.given["engine"] == case(engine)


@pytest.mark.parametrize("kind", [kind for kind in ENGINES if kind != "LLM"])
def test_only_llms_need_an_engine(kind: str) -> None:
    (model,) = parse_models([{"uid": "a", "name": "b", "type": kind}])
    assert "model_engine" not in model.launch_request()


@pytest.mark.parametrize(
    ("field", "raw", "normalised"),
    [
        ("uid", 7, "7"),
        ("size_in_billions", 0.6, "0_6"),
        ("size_in_billions", 7.0, "7"),
        ("size_in_billions", "0.6", "0_6"),
        ("size_in_billions", "0_6", "0_6"),
        ("size_in_billions", 7, "7"),
        ("replica", "2", 2),
        ("request_limits", 10, 10),
        ("n_gpu", "auto", "auto"),
        ("n_gpu", None, None),
        ("n_gpu", "1", 1),
        ("enable_thinking", "yes", True),
        ("enable_thinking", "False", False),
        ("enable_virtual_env", True, True),
        ("virtual_env_packages", ("a", "b"), ["a", "b"]),
        ("environment", {"A": 1, "B": True, "C": ""}, {"A": "1", "B": "True", "C": ""}),
        ("engine_options", {"n_ctx": 512, "model_alias": None}, {"n_ctx": 512, "model_alias": None}),
    ],
)
def test_values_are_normalised(field: str, raw: Any, normalised: Any) -> None:
    (model,) = parse_models([{**LLM, field: raw}])
    assert (model.uid if field == "uid" else model.given[field]) == normalised


def test_fields_that_are_null_count_as_not_set() -> None:
    (model,) = parse_models([{**LLM, "format": None, "replica": None, "environment": None, "state": None}])
    assert model == DeclaredModel("chat", "present", {"name": "qwen3", "engine": "llama.cpp"})


def test_an_absent_model_needs_only_its_uid() -> None:
    assert parse_models([{"uid": "old", "state": "absent"}]) == [DeclaredModel("old", "absent")]


def test_the_launch_request_holds_only_what_was_declared() -> None:
    (model,) = parse_models([LLM])
    assert model.launch_request() == {"model_uid": "chat", "model_type": "LLM", "replica": 1, "model_name": "qwen3", "model_engine": "llama.cpp"}


def test_workers_are_sent_in_one_text_in_their_order() -> None:
    [model] = parse_models([{**LLM, "workers": ["worker-2", "Worker.1", "w"]}])
    assert model.given["workers"] == ["worker-2", "Worker.1", "w"]
    assert model.launch_request()["worker_ip"] == "worker-2,Worker.1,w"
    assert "workers" not in model.launch_request()
    assert model.shown()["workers"] == ["worker-2", "Worker.1", "w"]


def test_the_launch_request_uses_the_server_s_names() -> None:
    (model,) = parse_models(
        [
            {
                **LLM,
                "size_in_billions": "7",
                "quantization": "Q4_0",
                "replica": 2,
                "n_gpu": None,
                "environment": {"A": 1},
                "engine_options": {"n_ctx": 512},
                "registration": REGISTRATION,
            }
        ]
    )
    assert model.launch_request() == {
        "model_uid": "chat",
        "model_type": "LLM",
        "model_name": "qwen3",
        "model_engine": "llama.cpp",
        "model_size_in_billions": 7,
        "quantization": "Q4_0",
        "replica": 2,
        "n_gpu": None,
        "envs": {"A": "1"},
        "n_ctx": 512,
    }


def test_what_is_shown_masks_environment_variables_and_leaves_out_the_registration() -> None:
    (model,) = parse_models([{**LLM, "environment": {"HF_TOKEN": "hunter2"}, "registration": REGISTRATION}])
    assert model.shown() == {"type": "LLM", "name": "qwen3", "engine": "llama.cpp", "environment": {"HF_TOKEN": "********"}}


def test_the_registration_is_named_like_the_model() -> None:
    (model,) = parse_models([{**LLM, "registration": {"version": 2, **REGISTRATION}}])
    assert model.registration == {"version": 2, **REGISTRATION, "model_name": "qwen3"}
    (plain,) = parse_models([LLM])
    assert plain.registration is None


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.binary(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4) | st.integers(), inner, max_size=3),
    max_leaves=6,
)
ITEMS = st.dictionaries(st.sampled_from([*FIELDS, "unknown"]) | st.integers(), VALUES, max_size=6)


@given(VALUES | st.lists(ITEMS | VALUES, max_size=4))
def test_no_declaration_ends_in_a_traceback(raw: Any) -> None:
    models, problems = check_models(raw)
    assert all(problem.startswith("models") and problem.endswith((".", "?")) for problem in problems)
    for model in models:
        assert model.launch_request()["model_uid"] == model.uid
        assert "registration" not in model.shown()


@given(st.lists(st.integers(0, 5), max_size=6))
def test_models_and_problems_account_for_every_item(numbers: list[int]) -> None:
    models, problems = check_models([{**LLM, "uid": number} for number in numbers])
    assert [model.uid for model in models] == [str(number) for number in dict.fromkeys(numbers)]
    assert len(models) + len(problems) == len(numbers)


def test_a_split_file_is_given_by_its_first_part_or_by_the_folder_of_its_registration() -> None:
    name = "a-00001-of-00003.gguf"
    spec = {"model_format": "ggufv2", "model_size_in_billions": 1, "quantization": "Q4_1", "model_file_name_template": name}
    registration = {"model_lang": ["en"], "model_ability": ["generate"], "model_family": "own", "model_specs": [{**spec, "model_uri": f"/models/{name}"}]}
    item = {"uid": "a", "name": "own", "engine": "llama.cpp", "registration": registration}
    assert check_models([{**item, "path": f"/models/{name}"}])[1] == []
    assert check_models([{**item, "registration": {**registration, "model_specs": [{**spec, "model_uri": "/models"}]}}])[1] == []
    # What only looks like a part is a file like any other.
    for other in ("a-00004-of-00003.gguf", "a-00000-of-00003.gguf", "a-1-of-3.gguf", "a-00002-of-00003.bin.gguf"):
        assert check_models([{"uid": "a", "name": "own", "engine": "llama.cpp", "path": f"/models/{other}"}])[1] == []


def test_the_template_of_the_launch_counts_and_not_the_registered_one() -> None:
    spec = {"model_format": "ggufv2", "model_size_in_billions": 1, "quantization": "Q4_1", "model_file_name_template": "a.gguf", "model_uri": "/models/a.gguf"}
    registration = {"model_lang": ["en"], "model_ability": ["chat"], "model_family": "own", "model_specs": [spec]}
    item = {"uid": "a", "name": "own", "engine": "llama.cpp", "registration": registration}
    (problem,) = check_models([item])[1]
    assert "registration.chat_template is missing" in problem
    assert check_models([{**item, "engine_options": {"chat_template": "{{ messages }}"}}])[1] == []
