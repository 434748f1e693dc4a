# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the declared models fit the host, and engine options that fit it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.inferops.xinference.plugins.module_utils._core.declaration.fields import FIELDS
from ansible_collections.inferops.xinference.plugins.module_utils._core.declaration.model import DeclaredModel
from ansible_collections.inferops.xinference.plugins.module_utils._core.observed.limits import Limits
from ansible_collections.inferops.xinference.plugins.module_utils._core.observed.server_files import ServerFiles
from ansible_collections.inferops.xinference.plugins.module_utils._core.plan.sizing import CONTEXTS, choose_options, needs, too_much

MIB = 1 << 20


def model(uid: str = "chat", **fields: Any) -> DeclaredModel:
    """A declared model."""
    given = {"name": "qwen3", "engine": "llama.cpp", **fields}
    # Each field as the declaration normalises it; whether they go together is checked elsewhere.
    return DeclaredModel(uid, "present", {name: FIELDS[name].check(value) for name, value in given.items() if value is not None})


def custom(context: int, uri: str = "file:///models/a.gguf") -> dict[str, Any]:
    """A registration."""
    spec = {"model_format": "ggufv2", "model_size_in_billions": 1, "quantization": "Q4_1", "model_file_name_template": "a.gguf", "model_uri": uri}
    return {"model_lang": ["en"], "model_ability": ["generate"], "model_family": "qwen3", "context_length": context, "model_specs": [spec]}


def options(models: list[DeclaredModel]) -> list[Any]:
    """The engine options of each."""
    return [parsed.given.get("engine_options") for parsed in models]


# The estimate.


@pytest.mark.parametrize(
    ("fields", "process", "weights", "context"),
    [
        # Weights of 1e9 parameters with 4.8 bits each are 572 MiB; 112 KiB per token of a model of that size.
        ({"size_in_billions": 1, "quantization": "Q4_K_M", "engine_options": {"n_ctx": 1024}}, 460, 572, 112),
        ({"size_in_billions": 1, "quantization": "Q8_0", "engine_options": {"n_ctx": 2048}}, 460, 1049, 224),
        ({"size_in_billions": "0_135", "quantization": "Q4_1", "engine_options": {"n_ctx": 2048}}, 460, 77, 48),
        ({"size_in_billions": 7, "quantization": "IQ3_M", "engine_options": {"n_ctx": 1024}}, 460, 3170, 160),
        ({"size_in_billions": 70, "quantization": "Q4_K_M", "engine_options": {"n_ctx": 1024}}, 460, 40054, 320),
        ({"size_in_billions": 1, "quantization": "F16", "engine_options": {"n_ctx": 1024}}, 460, 1907, 112),
        ({"size_in_billions": 1, "quantization": "F32", "engine_options": {"n_ctx": 1024}}, 460, 3814, 112),
        ({"size_in_billions": 1, "engine_options": {"n_ctx": 1024}}, 460, 1907, 112),
        # The context is for all slots together, or given for each of them.
        ({"engine_options": {"context_length": 1024, "n_parallel": 4}}, 460, None, 448),
        ({"engine_options": {"context_length": 1024}}, 460, None, 112),
        ({"engine_options": {"n_ctx": 1024, "n_parallel": 4}}, 460, None, 112),
        ({"engine_options": {"n_ctx": 1}}, 460, None, 0),
        ({}, 460, None, 448),
        ({"registration": custom(512), "size_in_billions": 1, "quantization": "Q4_1"}, 460, 572, 56),
        # Other engines take the memory of a context as they go.
        ({"engine": "Transformers", "size_in_billions": 1}, 900, 1907, 0),
        ({"engine": "vLLM", "size_in_billions": 1, "quantization": "Int4"}, 700, 572, 0),
        ({"type": "embedding", "engine": "sentence_transformers"}, 700, None, 0),
        ({"type": "embedding", "engine": None}, 700, None, 0),
        ({"type": "embedding", "engine": "llama.cpp", "engine_options": {"n_ctx": 1024}}, 460, None, 0),
    ],
)
def test_what_a_model_needs(fields: dict[str, Any], process: int, weights: int | None, context: int) -> None:
    (need,) = needs([model(**fields)], ServerFiles())
    assert (need.uid, need.replicas, need.process, need.weights, need.context) == ("chat", 1, process, weights, context)
    assert need.total == process + (weights or 0) + context


def test_each_copy_needs_the_same_again() -> None:
    one, three = needs([model("one"), model("three", replica=3)], ServerFiles())
    assert three.total == 3 * one.total


def test_what_shall_not_run_needs_nothing() -> None:
    assert needs([DeclaredModel("old", "absent")], ServerFiles()) == []


@pytest.mark.parametrize(
    "fields",
    [
        {"path": "/models/a.gguf", "size_in_billions": 70},
        {"registration": custom(4096), "size_in_billions": 1},
        {"registration": custom(4096, "/models/a.gguf"), "size_in_billions": 1},
    ],
)
def test_files_that_this_host_sees_are_measured(tmp_path: Path, fields: dict[str, Any]) -> None:
    (tmp_path / "a.gguf").write_bytes(bytes(3 * MIB))
    (seen,) = needs([model(**fields)], ServerFiles({"/models": str(tmp_path)}))
    (unseen,) = needs([model(**fields)], ServerFiles())
    assert seen.weights == 3
    assert unseen.weights is not None
    assert unseen.weights > 500


def test_a_part_of_a_mebibyte_is_none(tmp_path: Path) -> None:
    (tmp_path / "a.gguf").write_bytes(bytes(3 * MIB - 1))
    (need,) = needs([model(path="/models/a.gguf")], ServerFiles({"/models": str(tmp_path)}))
    assert str(need) == "chat 910 (process 460 + weights 2 + context 448)"


def test_files_of_another_specification_are_not_taken_for_those_of_the_first(tmp_path: Path) -> None:
    (tmp_path / "b.gguf").write_bytes(bytes(3 * MIB))
    two = custom(4096)
    two["model_specs"] = [*two["model_specs"], *custom(4096, "file:///models/b.gguf")["model_specs"]]
    (need,) = needs([model(registration=two, size_in_billions=1, quantization="Q4_1")], ServerFiles({"/models": str(tmp_path)}))
    assert need.weights == 572


def test_folders_are_measured_with_all_that_is_in_them(tmp_path: Path) -> None:
    (tmp_path / "minilm" / "onnx").mkdir(parents=True)
    (tmp_path / "minilm" / "weights").write_bytes(bytes(2 * MIB))
    (tmp_path / "minilm" / "onnx" / "weights").write_bytes(bytes(MIB))
    (need,) = needs([model(type="embedding", engine="sentence_transformers", path="/models/minilm")], ServerFiles({"/models": str(tmp_path)}))
    assert need.weights == 3


#: Weights of a billion parameters, in MiB, by bits.
BILLION = {1: 214, 2: 333, 3: 452, 4: 572, 5: 691, 6: 810, 8: 1049, 16: 1907, 32: 3814}


@pytest.mark.parametrize(
    ("quantization", "bits"),
    [
        *(
            (text, 4)
            for text in ("UD-Q4_K_XL", "i1-Q4_K_M", "IQ4_NL", "iq4_xs", "MXFP4_MOE", "mxfp4", "NVFP4", "nf4", "fp4", "Int4", "4-bit", "4bit", "DWQ-4bit")
        ),
        *((text, 4) for text in ("AWQ", "AWQ-INT4", "GPTQ-Int4", "gptq", "W4A16", "w4a16", "wint4", "Q4_0_4_8", "imat-Q4_0", "Model.Q4_K_S")),
        *((text, 1) for text in ("IQ1_S", "UD-IQ1_M", "TQ1_0", "1.58bit")),
        *((text, 2) for text in ("UD-IQ2_XXS", "TQ2_0", "Q2_K_L", "i1-IQ2_M", "2.5bpw")),
        *((text, 3) for text in ("UD-Q3_K_XL", "i1-IQ3_XXS")),
        *((text, 5) for text in ("UD-Q5_K_XL", "Q5_1")),
        *((text, 6) for text in ("UD-Q6_K_XL", "6bit")),
        *((text, 8) for text in ("UD-Q8_K_XL", "fp8", "FP8_DYNAMIC", "F8_E4M3", "W8A8", "E4M3", "GPTQ-Int8", "8-bit", "mxfp8")),
        *((text, 16) for text in ("BF16", "f16", "fp16", "float16", "none", "UD", "i1", "FP16-original")),
        *((text, 32) for text in ("F32", "fp32", "float32")),
    ],
)
def test_bits_of_a_quantization_in_all_its_spellings(quantization: str, bits: int) -> None:
    (need,) = needs([model(size_in_billions=1, quantization=quantization)], ServerFiles())
    assert need.weights == BILLION[bits]


@pytest.mark.parametrize(("form", "bits"), [("fp8", 8), ("fp4", 4), ("awq", 4), ("gptq", 4), ("bnb", 4), ("pytorch", 16), ("ggufv2", 16)])
@pytest.mark.parametrize("quantization", [None, "none"])
def test_where_the_quantization_says_nothing_the_format_does(form: str, bits: int, quantization: str | None) -> None:
    (need,) = needs([model(engine="vLLM", size_in_billions=1, format=form, quantization=quantization)], ServerFiles())
    assert need.weights == BILLION[bits]


def spec(quantization: str, uri: str, size: Any = 1, **more: Any) -> dict[str, Any]:
    """One entry of a registration."""
    return {"model_format": "ggufv2", "model_size_in_billions": size, "quantization": quantization, "model_uri": uri, **more}


def put(folder: Path, **sizes: int) -> ServerFiles:
    """Files of so many MiB, with a dot for two underscores, in a directory that the container sees."""
    folder.mkdir(exist_ok=True)
    for name, mib in sizes.items():
        with (folder / name.replace("__", ".").replace("ß", "-")).open("wb") as file:
            file.truncate(mib * MIB)
    return ServerFiles({"/models": str(folder)})


@pytest.mark.parametrize(
    ("fields", "weights"),
    [
        # Files of the entry that is chosen count, by their own size.
        ({"quantization": "Q8_0"}, 8),
        ({"quantization": "q8_0", "size_in_billions": 1}, 8),
        ({"size_in_billions": 7}, 70),
        ({}, 4),
        # Its files are elsewhere; its own words count.
        ({"size_in_billions": "0_5"}, 286),
        ({"quantization": "F16", "size_in_billions": 13}, 24795),
    ],
)
def test_the_entry_that_is_chosen_counts(tmp_path: Path, fields: dict[str, Any], weights: int) -> None:
    entries = [
        spec("Q4_K_M", "/models/a.gguf"),
        spec("Q8_0", "file:///models/b.gguf"),
        spec("Q4_K_M", "/models/c%20.gguf", 7),
        spec("UD-Q4_K_XL", "/no", "0_5"),
    ]
    registration = {**custom(512), "model_specs": entries}
    server_files = put(tmp_path, a__gguf=4, b__gguf=8)
    put(tmp_path, **{"c%20__gguf": 70})
    (need,) = needs([model(registration=registration, **fields)], server_files)
    assert need.weights == weights


SPLIT = {"aß00001ßofß00003__gguf": 5, "aß00002ßofß00003__gguf": 6, "aß00003ßofß00003__gguf": 7}


def test_every_part_of_a_split_file_counts(tmp_path: Path) -> None:
    server_files = put(tmp_path / "models", **SPLIT, other__gguf=100)
    name = "a-00001-of-00003.gguf"
    registration = {**custom(512), "model_specs": [spec("Q4_1", "/models", model_file_name_template=name)]}
    by_file = {**custom(512), "model_specs": [spec("Q4_1", f"/models/{name}", model_file_name_template=name)]}
    for fields in ({"path": f"/models/{name}"}, {"registration": registration}, {"registration": by_file, "path": f"/models/{name}"}):
        (need,) = needs([model(size_in_billions=1, **fields)], server_files)
        assert need.weights == 18


def test_parts_as_the_server_s_catalogue_names_them_count(tmp_path: Path) -> None:
    server_files = put(tmp_path / "models", Q8_0__1__gguf=3, Q8_0__2__gguf=4, Q4_0__1__gguf=100)
    parts = {"model_file_name_split_template": "{quantization}.{part}.gguf", "quantization_parts": {"Q8_0": ["1", "2"]}}
    (need,) = needs([model(registration={**custom(512), "model_specs": [spec("Q8_0", "/models", model_file_name_template="x", **parts)]})], server_files)
    assert need.weights == 7


@pytest.mark.parametrize(
    ("fields", "sizes", "weights"),
    [
        # A directory with several quantizations, of which one is loaded.
        ({"engine": "llama.cpp", "quantization": "Q4_K_M"}, {"xßQ4_K_M__gguf": 4, "xßUDßQ4_K_M_L__gguf": 5, "xßQ8_0__gguf": 8, "README": 1}, 4),
        ({"engine": "llama.cpp", "quantization": "Q6_K"}, {"xßQ4_K_M__gguf": 4, "xßQ8_0__gguf": 8}, 12),
        # The same weights for several engines.
        ({"engine": "sentence_transformers"}, {"model__safetensors": 4, "pytorch_model__bin": 4, "model__onnx": 9, "config__json": 1}, 4),
        ({"engine": "flag"}, {"pytorch_model__bin": 4, "colbert__pt": 1, "model__onnx": 9}, 5),
        ({"engine": "flag"}, {"model__onnx": 9, "config__json": 1}, 10),
        ({"type": "audio", "engine": "transformers"}, {"llm__pt": 4, "flow__safetensors": 2}, 6),
    ],
)
def test_of_a_folder_what_is_loaded_counts(tmp_path: Path, fields: dict[str, Any], sizes: dict[str, int], weights: int) -> None:
    server_files = put(tmp_path / "models", **sizes)
    (need,) = needs([model(**{"type": "embedding", "path": "/models", **fields})], server_files)
    assert need.weights == weights


def test_what_is_loaded_besides_counts(tmp_path: Path) -> None:
    server_files = put(tmp_path / "models", a__gguf=10, p__gguf=2, d__gguf=3)
    for fields in (
        {"multimodal_projector": "/models/p.gguf"},
        {"multimodal_projector": "p.gguf"},
        {"engine_options": {"mmproj.path": "/models/p.gguf"}},
    ):
        (need,) = needs([model(path="/models/a.gguf", **fields)], server_files)
        assert need.weights == 12
    (need,) = needs([model(path="/models/a.gguf", engine_options={"slot_save_path": "/models", "media_path": "/models"})], server_files)
    assert need.weights == 10
    (need,) = needs([model(path="/models/a.gguf", multimodal_projector="p.gguf", engine_options={"draft_model_path": "/models/d.gguf"})], server_files)
    assert need.weights == 15


SIZED: dict[str, Any] = {"size_in_billions": 1, "quantization": "Q4_K_M", "engine_options": {"n_ctx": 1024}}
#: Memory of one such model: 460 + 572 + 112 MiB.
EACH = 1144
SERVER = 920


def test_the_refusal_shows_the_whole_sum() -> None:
    models = [model("chat", **SIZED, replica=2), model("embed", type="embedding", engine="sentence_transformers"), DeclaredModel("old", "absent")]
    total = SERVER + 2 * EACH + 700
    assert too_much(models, Limits(2, total - 1), ServerFiles()) == [
        f"models: they need about {total} MiB of memory, but the server has {total - 1}: server 920"
        " + chat 2288 (2 times process 460 + weights 572 + context 112) + embed 700 (process 700 + weights unknown)."
        " Declare fewer replicas or smaller contexts (engine_options n_ctx), give the server more memory, or set check_memory to false."
    ]


@pytest.mark.parametrize(("memory", "refused"), [(SERVER + 2 * EACH, False), (SERVER + 2 * EACH - 1, True), (100_000, False), (1, True)])
def test_models_are_refused_when_their_sum_is_more_than_there_is(memory: int, refused: bool) -> None:
    assert bool(too_much([model("one", **SIZED), model("two", **SIZED)], Limits(2, memory), ServerFiles())) is refused


def test_nothing_that_runs_is_never_too_much() -> None:
    assert too_much([DeclaredModel("old", "absent")], Limits(1, 1), ServerFiles()) == []
    assert too_much([], Limits(1, 1), ServerFiles()) == []


@pytest.mark.parametrize(
    "given_options", [{"n_ctx": "4k"}, {"n_ctx": [1]}, {"context_length": "x"}, {"context_length": 8, "n_parallel": "auto"}, {"n_ctx": None}]
)
def test_options_that_were_not_checked_end_in_no_traceback(given_options: dict[str, Any]) -> None:
    (need,) = needs([model(engine_options=given_options)], ServerFiles())
    assert need.total >= need.process


# Options that fit the host.


def test_automatic_options_are_the_cores_and_the_largest_context() -> None:
    models = choose_options([model(engine_options="auto"), model("fixed", engine_options={"n_ctx": 99}), model("plain")], Limits(7.9, 100_000), ServerFiles())
    assert options(models) == [{"n_ctx": 4096, "n_parallel": 1, "n_threads": 7}, {"n_ctx": 99}, None]
    assert [parsed.uid for parsed in models] == ["chat", "fixed", "plain"]


def test_there_is_always_one_thread() -> None:
    assert options(choose_options([model(engine_options="auto")], Limits(0.5, 100_000), ServerFiles())) == [{"n_ctx": 4096, "n_parallel": 1, "n_threads": 1}]


def test_the_context_is_no_longer_than_the_model_s_own() -> None:
    models = choose_options([model(engine_options="auto", registration=custom(1024)), model("long", engine_options="auto")], Limits(1, 100_000), ServerFiles())
    assert [parsed.options["n_ctx"] for parsed in models] == [1024, 4096]


@pytest.mark.parametrize(("own", "chosen"), [(0, 4096), (-1, 4096), ("1024", 4096), (None, 4096), (1, 1), (4095, 4095), (4097, 4096)])
def test_only_a_context_that_a_model_can_have_limits_it(own: Any, chosen: int) -> None:
    declared = DeclaredModel("chat", "present", {"name": "mine", "engine": "llama.cpp", "engine_options": "auto", "registration": {"context_length": own}})
    assert [parsed.options["n_ctx"] for parsed in choose_options([declared], Limits(1, 100_000), ServerFiles())] == [chosen]


@pytest.mark.parametrize(
    ("spare", "context"),
    # 112 KiB per token: 448, 224, 112 and 56 MiB.
    [(448, 4096), (447, 2048), (224, 2048), (223, 1024), (112, 1024), (111, 512), (56, 512), (0, 512)],
)
def test_the_context_shrinks_until_everything_fits(spare: int, context: int) -> None:
    wanted = model(size_in_billions=1, quantization="Q4_K_M", engine_options="auto")
    limits = Limits(2, SERVER + 460 + 572 + spare)
    (chosen,) = choose_options([wanted], limits, ServerFiles())
    assert chosen.options["n_ctx"] == context
    assert bool(too_much([chosen], limits, ServerFiles())) is (spare < 56)


@given(st.integers(1, 6), st.integers(0, 5))
def test_a_model_more_does_not_change_the_others_while_memory_suffices(before: int, more: int) -> None:
    """If not, every model of the host would be relaunched."""
    models = [model(f"m{number}", size_in_billions=1, quantization="Q4_K_M", engine_options="auto") for number in range(before + more)]
    limits = Limits(4, SERVER + len(models) * (460 + 572 + 448))
    assert choose_options(models, limits, ServerFiles())[:before] == choose_options(models[:before], limits, ServerFiles())


@given(st.lists(st.tuples(st.sampled_from([0.1, 1, 7]), st.integers(1, 3), st.booleans()), max_size=5), st.integers(500, 40_000), st.floats(0.1, 64))
def test_automatic_options_are_the_same_for_the_same_declaration(shapes: list[tuple[Any, int, bool]], memory: int, cores: float) -> None:
    models = [
        model(f"m{index}", size_in_billions=size, replica=replica, engine_options="auto" if auto else {}) for index, (size, replica, auto) in enumerate(shapes)
    ]
    limits = Limits(cores, memory)
    chosen = choose_options(models, limits, ServerFiles())
    assert choose_options(models, limits, ServerFiles()) == chosen == choose_options(chosen, limits, ServerFiles())
    contexts = {parsed.options["n_ctx"] for parsed, (_size, _replica, auto) in zip(chosen, shapes) if auto}
    assert contexts <= set(CONTEXTS)
    assert len(contexts) <= 1
    if too_much(chosen, limits, ServerFiles()) and contexts:
        assert contexts == {CONTEXTS[-1]}
