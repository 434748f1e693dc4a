# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options of llama.cpp: which are known, and what they may hold."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.inferops.xinference.plugins.module_utils._core.declaration.engine_options import LLAMA_CPP, check_options


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"n_ctx": 4096, "n_parallel": 2, "n_threads": 8},
        {"context_length": 2048, "n_parallel": 2},
        {"n_predict": -2, "cache_ram_mib": -1, "n_gpu_layers": -1},
        {"warmup": False, "cpuparams.poll": 4, "sampling.temp": 1, "sampling.top_p": 0.9, "cache_type_k": 8, "flash_attn_type": 1},
    ],
)
def test_known_options_are_taken(options: dict[str, Any]) -> None:
    assert check_options("llama.cpp", options) == []


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("n_ctxx", "; did you mean 'n_ctx'?"),
        ("nctx", "; did you mean 'n_ctx'?"),
        ("N_CTX", "; did you mean 'n_ctx'?"),
        ("n_thread", "; did you mean 'n_threads'?"),
        ("zzzz", "."),
    ],
)
def test_an_unknown_option_is_refused_with_the_nearest_and_the_way_out(name: str, hint: str) -> None:
    assert check_options("LLAMA.CPP", {"n_parallel": 1, name: 1}) == [
        f"engine_options '{name}' is no option of llama.cpp, and the server would ignore it in silence{hint}"
        " Set validate_engine_options to false for an option that only a newer server knows."
    ]


@pytest.mark.parametrize(
    ("name", "value", "wrong"),
    [
        ("n_ctx", 0, "must be a whole number of at least 1"),
        ("n_ctx", "4096", "must be a whole number of at least 1, without quotes"),
        ("n_ctx", 4096.0, "must be a whole number of at least 1"),
        ("n_ctx", 2**31, "must be a whole number of at most 2147483647"),
        ("n_threads", -1, "must be a whole number of at least 1"),
        ("n_predict", -3, "must be a whole number of at least -2"),
        ("warmup", 1, "must be true or false"),
        ("warmup", "yes", "must be true or false"),
        ("rope_freq_base", "high", "must be a number"),
        ("rope_freq_base", "1.5", "must be a number, without quotes"),
        ("flash_attn_type", 2, "must be one of the numbers -1 (auto), 0 (off), 1 (on)"),
    ],
)
def test_a_value_that_an_option_cannot_hold(name: str, value: Any, wrong: str) -> None:
    assert check_options("llama.cpp", {name: value}) == [f"engine_options.{name} '{value}' {wrong}."]


def test_two_ways_to_say_the_context_exclude_each_other() -> None:
    (problem,) = check_options("llama.cpp", {"n_ctx": 4096, "context_length": 2048})
    assert problem.startswith("engine_options n_ctx and context_length exclude each other")


@pytest.mark.parametrize("engine", ["vLLM", "Transformers", "sentence_transformers", ""])
def test_options_of_other_engines_are_theirs_to_judge(engine: str) -> None:
    assert check_options(engine, {"n_ctxx": "many"}) == []


@given(
    st.dictionaries(
        st.sampled_from(sorted(LLAMA_CPP)) | st.text(max_size=5), st.none() | st.booleans() | st.integers() | st.text(max_size=3) | st.lists(st.none())
    )
)
def test_no_options_end_in_a_traceback(options: dict[str, Any]) -> None:
    assert all(problem.startswith("engine_options") and problem.endswith(".") for problem in check_options("llama.cpp", options))
