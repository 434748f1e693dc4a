# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Words and values: hints, sizes, and when two spellings mean the same."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.inferops.xinference.plugins.module_utils._core.base.compare import same_size, same_value
from ansible_collections.inferops.xinference.plugins.module_utils._core.base.messages import nearest, printable


@pytest.mark.parametrize(
    ("word", "known", "hint"),
    [
        ("engin", ("engine", "format"), "; did you mean 'engine'?"),
        ("ENGINE", ("engine", "format"), "; did you mean 'engine'?"),
        ("vllm", ("vLLM", "SGLang"), "; did you mean 'vLLM'?"),
        ("xyz", ("engine", "format"), ""),
        ("", ("engine",), ""),
        ("engine", (), ""),
        ("enable-thinking", ("enable_flash_attn", "enable_thinking"), "; did you mean 'enable_thinking'?"),
        ("enableThinking", ("enable_flash_attn", "enable_thinking"), "; did you mean 'enable_thinking'?"),
        ("Enable\u00a0Thinking", ("enable_thinking",), "; did you mean 'enable_thinking'?"),
        # Whatever likeness is asked for.
        ("ctx", ("c_t_x", "ctx1"), "; did you mean 'c_t_x'?"),
        ("---", ("a",), ""),
    ],
)
def test_the_nearest_known_word_is_hinted_in_its_own_spelling(word: str, known: tuple[str, ...], hint: str) -> None:
    assert nearest(word, known) == hint


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("0_6", 0.6, True),
        ("0_6", "0.6", True),
        (7, "7", True),
        (7.0, "7", True),
        ("0_135", "0.135", True),
        ("7", "0_7", False),
        ("1", "1_5", False),
        ("big", 7, False),
        ("big", "big", False),
    ],
)
def test_spellings_of_a_size(one: Any, other: Any, same: bool) -> None:
    assert same_size(one, other) is same
    assert same_size(*reversed((one, other))) is same


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (2048, "2048", True),
        (2048, 2048.0, True),
        (0.5, "0.5", True),
        (2048, 4096, False),
        ("q8_0", "Q8_0", False),
        (True, "true", True),
        (False, "False", True),
        (True, False, False),
        # A switch is not a number to a server.
        (True, 1, False),
        (1, True, False),
        (0, False, False),
        (["a", 1], ["a", "1"], True),
        (["a", "b"], ["b", "a"], False),
        (["a"], ["a", "b"], False),
        (["a"], "a", False),
        ({"A": 1}, {"A": "1"}, True),
        ({"A": "1"}, {"A": "2"}, False),
        ({"A": "1"}, {}, False),
        ({"A": "1"}, {"B": "1"}, False),
        ({"list": [{"a": 1}]}, {"list": [{"a": "1"}]}, True),
        ({"list": [{"a": 1}]}, {"list": [{"a": True}]}, False),
        (None, None, True),
        (None, 0, False),
    ],
)
def test_values_that_mean_the_same_to_a_server(one: Any, other: Any, same: bool) -> None:
    assert same_value(one, other) is same
    assert same_value(*reversed((one, other))) is same


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner, max_size=3),
    max_leaves=5,
)


@given(VALUES, VALUES)
def test_a_value_means_what_it_means(one: Any, other: Any) -> None:
    assert same_value(one, one)
    assert same_value(one, other) is same_value(*reversed((one, other)))


@given(text=st.text(st.characters(exclude_categories=())))
def test_a_printable_text_stays_as_it_is_and_every_other_one_becomes_printable(text: str) -> None:
    assert printable(text).isprintable()
    assert (printable(text) == text) is text.isprintable()
