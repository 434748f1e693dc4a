# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which files a server has, and which a hub has to give."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.inferops.xinference.plugins.module_utils._core.declaration.fields import FIELDS
from ansible_collections.inferops.xinference.plugins.module_utils._core.declaration.model import DeclaredModel
from ansible_collections.inferops.xinference.plugins.module_utils._core.plan.files import is_cached, other_source, wanted_files
from ansible_collections.inferops.xinference.plugins.module_utils._core.server.rows import CachedRow

ROW: CachedRow = {
    "model_name": "qwen3",
    "model_type": "LLM",
    "model_format": "ggufv2",
    "model_size_in_billions": "0_6",
    "quantization": "Q4_K_M",
    "path": "/root/.xinference/cache/v2/qwen3-ggufv2-0_6b-Q4_K_M",
}


def model(**fields: Any) -> DeclaredModel:
    """A declared model."""
    given = {"name": "qwen3", "engine": "llama.cpp", **fields}
    return DeclaredModel("chat", "present", {name: FIELDS[name].check(value) for name, value in given.items()})


@pytest.mark.parametrize(
    ("fields", "wanted"),
    [
        ({}, True),
        ({"path": "/models/a.gguf"}, False),
        ({"registration": {"model_specs": [{"model_uri": "/models/a.gguf"}]}}, False),
        ({"registration": {"model_uri": "/models/flux"}}, False),
        ({"registration": {"model_specs": [{"model_id": "org/repository"}]}}, True),
    ],
)
def test_files_come_from_a_hub_unless_the_server_has_a_path_for_them(fields: dict[str, Any], wanted: bool) -> None:
    assert wanted_files(model(**fields)) is wanted


@pytest.mark.parametrize(
    ("fields", "cached"),
    [
        ({}, True),
        ({"format": "ggufv2", "size_in_billions": 0.6, "quantization": "q4_k_m"}, True),
        ({"name": "qwen2"}, False),
        ({"type": "embedding"}, False),
        ({"format": "pytorch"}, False),
        ({"size_in_billions": 4}, False),
        ({"size_in_billions": "0.6"}, True),
        ({"quantization": "Q8_0"}, False),
    ],
)
def test_files_that_are_there_already(fields: dict[str, Any], cached: bool) -> None:
    assert is_cached(model(**fields), [{"model_name": "other"}, ROW]) is cached
    assert not is_cached(model(**fields), [])


@pytest.mark.parametrize(
    ("path", "repository", "problem"),
    [
        ("/hub/models--org--one/snapshots/0", "org/one", ""),
        ("/hub/models--Org--One/snapshots/0", "org/one", ""),
        ("/hub/models--org--one", "org/two", "files of 'org/one'"),
        # Of another hub, or put there by hand, nothing is known.
        ("/somewhere/else", "org/two", ""),
        (None, "org/two", ""),
    ],
)
def test_files_of_another_repository_under_the_same_name(path: str | None, repository: str, problem: str) -> None:
    spec = {"model_format": "ggufv2", "model_size_in_billions": 1, "quantization": "Q4_1", "model_id": repository, "model_file_name_template": "a.gguf"}
    registration = {"version": 2, "model_lang": ["en"], "model_ability": ["generate"], "model_family": "mine", "context_length": 8192, "model_specs": [spec]}
    declared = model(name="mine", registration=registration)
    rows: list[CachedRow] = [{"model_name": "mine", "model_type": "LLM", "model_format": "ggufv2", "quantization": "Q4_1", "real_path": path}]
    said = other_source(declared, rows)
    assert (problem in said) if problem else said == ""
    assert other_source(declared, []) == ""


def test_files_of_another_size_of_the_same_repository() -> None:
    """Only what is declared counts of a registration."""
    specs = [{"model_format": "ggufv2", "model_size_in_billions": size, "quantization": "Q4_1", "model_id": f"org/of-{size}"} for size in (1, 2)]
    declared = model(name="mine", size_in_billions=2, registration={"model_specs": specs})
    rows: list[CachedRow] = [{"model_name": "mine", "model_type": "LLM", "model_size_in_billions": 2, "real_path": "/hub/models--org--of-1--more/refs"}]
    assert other_source(declared, rows) == (
        "Model 'chat': registration.model_id is 'org/of-2', but the server keeps files of 'org/of-1--more' under the name 'mine' and would load those. Give "
        "the model another name, or remove them with module cached_models."
    )


@pytest.mark.parametrize("reported", [0.6, "0.6", "0_6"])
def test_a_size_counts_however_the_server_writes_it(reported: Any) -> None:
    assert is_cached(model(size_in_billions=0.6), [{**ROW, "model_size_in_billions": reported}])
    assert not is_cached(model(size_in_billions=1.7), [{**ROW, "model_size_in_billions": reported}])


@pytest.mark.parametrize(("size", "cached"), [(0, False), (1, True), (4096, True)])
def test_what_was_deleted_leaves_directories_without_bytes(size: int, cached: bool) -> None:
    assert is_cached(model(), [{**ROW, "size_bytes": size}]) is cached


def test_a_model_of_the_catalogue_has_no_other_source() -> None:
    assert other_source(model(), [{**ROW, "real_path": "/hub/models--org--one"}]) == ""


def test_a_server_that_does_not_say_everything_about_its_files_is_believed() -> None:
    assert is_cached(model(quantization="Q8_0"), [{"model_name": "qwen3"}])
