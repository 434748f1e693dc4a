# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter ``declared_models``: a declaration and flat lines as one list."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.inferops.xinference.plugins.filter.declared_models import FilterModule
from ansible_collections.inferops.xinference.plugins.module_utils._core.declaration.check import check_models

declared_models = FilterModule().filters()["declared_models"]


@pytest.mark.parametrize(
    ("lines", "models"),
    [
        ("", []),
        (None, []),
        ("\n  \n# a comment\n", []),
        ("uid=chat name=qwen3 engine=llama.cpp", [{"uid": "chat", "name": "qwen3", "engine": "llama.cpp"}]),
        ("  uid=a\r\nuid=b  ", [{"uid": "a"}, {"uid": "b"}]),
        ("uid=a name='two words'", [{"uid": "a", "name": "two words"}]),
        ("uid=a option.n_ctx=4096 option.n_threads=2", [{"uid": "a", "engine_options": {"n_ctx": 4096, "n_threads": 2}}]),
        (
            "uid=a option.flash=true option.mmap=False option.rate=0.5 option.cache=q8_0 option.empty=",
            [{"uid": "a", "engine_options": {"flash": True, "mmap": False, "rate": 0.5, "cache": "q8_0", "empty": ""}}],
        ),
        ("uid=a env.HF_TOKEN=a=b env.N=1", [{"uid": "a", "environment": {"HF_TOKEN": "a=b", "N": "1"}}]),
        # Fields are texts as typed: the check normalises them.
        ("uid=7 replica=2 size_in_billions=0_6", [{"uid": "7", "replica": "2", "size_in_billions": "0_6"}]),
        # What is no list of pairs is left for the check to refuse.
        ("chat", ["chat"]),
        ('uid=a\toption.system_prompt="a  b"', [{"uid": "a", "engine_options": {"system_prompt": "a  b"}}]),
        ("uid=a name", ["uid=a name"]),
        ("uid='a", ["uid='a"]),
        ("engine_options=x option.n_ctx=1", ["engine_options=x option.n_ctx=1"]),
        ("environment=x env.A=1", ["environment=********"]),
    ],
)
def test_lines(lines: str | None, models: list[Any]) -> None:
    assert declared_models([], lines) == models


@pytest.mark.parametrize(
    "line",
    [
        *(
            "-",
            "--",
            "---",
            "\u2014",
            "\u2013",
            "*",
            ".",
            "...",
            "\u2026",
            ",",
            ";",
            "/",
            "~",
            "?",
            "_",
            "[]",
            "{}",
            "()",
            "''",
            '""',
            "\u201c\u201d",
            "`",
            "```",
            "```text",
        ),
        *("none", "None", "NONE", "(none)", "<none>", "[none]", "- none", "* None", "none,", "none.", '"none"', "'none'", "none ;", "1. none", "# none"),
        *(
            "n/a",
            "N/A",
            "N.A.",
            "na",
            "n / a",
            "null",
            "nil",
            "NULL",
            "undefined",
            "nothing",
            "empty",
            "<empty>",
            "no",
            "No.",
            "no models",
            "not applicable",
            "false",
        ),
        *(" ", "\t", "\u00a0", "\u3000", "\ufeff", "\u200b", "\r", "\u00a0\t-\u00a0"),
        *("# uid=a", "// uid=a", "; uid=a", "  # uid=a", "- # uid=a", "#", "\ufeff# uid=a"),
    ],
)
def test_what_people_write_for_nothing_is_nothing(line: str) -> None:
    assert declared_models([{"uid": "x"}], line) == [{"uid": "x"}]
    assert declared_models([], f"uid=a\r\n{line}\r\nuid=b\n") == [{"uid": "a"}, {"uid": "b"}]


MODEL = {"uid": "a", "name": "qwen3", "engine": "llama.cpp"}


@pytest.mark.parametrize(
    "line",
    [
        "uid=a name=qwen3 engine=llama.cpp",
        "uid=a, name=qwen3, engine=llama.cpp,",
        "uid=a; name=qwen3; engine=llama.cpp;",
        "- uid=a name=qwen3 engine=llama.cpp",
        "* uid=a name=qwen3 engine=llama.cpp",
        "\u2022 uid=a name=qwen3 engine=llama.cpp",
        "\u2013\u00a0uid=a name=qwen3 engine=llama.cpp",
        "-uid=a name=qwen3 engine=llama.cpp",
        "1. uid=a name=qwen3 engine=llama.cpp",
        "12) uid=a name=qwen3 engine=llama.cpp",
        "- 1. uid=a name=qwen3 engine=llama.cpp",
        '"uid=a name=qwen3 engine=llama.cpp"',
        "'uid=a name=qwen3 engine=llama.cpp',",
        "\u201cuid=a name=qwen3 engine=llama.cpp\u201d",
        "uid=\u201ca\u201d name=\u2018qwen3\u2019 engine='llama.cpp'",
        "uid=a\tname=qwen3\t\tengine=llama.cpp\t",
        "uid=a\u00a0name=qwen3\u3000engine=llama.cpp\u00a0",
        "\ufeffuid=a name=qwen3 engine=llama.cpp\u200b",
        "uid=a name=qwen3 engine=llama.cpp\r",
        "uid = a name = qwen3 engine = llama.cpp",
        "uid=a name=qwen3 engine=llama.cpp # the small one",
        "uid=a name=qwen3 engine=llama.cpp, # the small one, n/a",
        "uid=a name=qwen3 engine=llama.cpp path= format=",
    ],
)
def test_what_people_put_around_a_line_does_no_harm(line: str) -> None:
    assert declared_models([], line) == [MODEL]


@pytest.mark.parametrize(
    ("line", "model"),
    [
        # Within quotes, and within words, nothing changes.
        ("uid=a env.A='x, y; z # w = v,'", {"uid": "a", "environment": {"A": "x, y; z # w = v,"}}),
        ('uid=a env.A="x, # y"', {"uid": "a", "environment": {"A": "x, # y"}}),
        ("uid=a env.A=b#c env.B=a,b;c env.C=a=1,b=2", {"uid": "a", "environment": {"A": "b#c", "B": "a,b;c", "C": "a=1,b=2"}}),
        ("uid=a worker_ip=10.0.0.1,10.0.0.2", {"uid": "a", "worker_ip": "10.0.0.1,10.0.0.2"}),
        ("uid=a workers=worker-1,worker-2", {"uid": "a", "workers": ["worker-1", "worker-2"]}),
        ("uid=a, workers=worker-1,", {"uid": "a", "workers": ["worker-1"]}),
        # The check refuses these.
        ("uid=a workers=a,,b", {"uid": "a", "workers": ["a", "", "b"]}),
        ("uid=a workers='a, b'", {"uid": "a", "workers": ["a", " b"]}),
        ("uid=a option.workers=a,b env.workers=a,b", {"uid": "a", "engine_options": {"workers": "a,b"}, "environment": {"workers": "a,b"}}),
        # These words are values of fields, and of options.
        ("uid=none name=no quantization=none", {"uid": "none", "name": "no", "quantization": "none"}),
        ("uid=a option.x=none option.y= env.Z=", {"uid": "a", "engine_options": {"x": "none", "y": ""}, "environment": {"Z": ""}}),
        ("uid=a engine_options.n_ctx=1 environment.A=b", {"uid": "a", "engine_options": {"n_ctx": 1}, "environment": {"A": "b"}}),
        ("engine_options=auto uid=a", {"uid": "a", "engine_options": "auto"}),
        ("none of these", "none of these"),
        ("nonesuch", "nonesuch"),
    ],
)
def test_what_says_something_stays(line: str, model: Any) -> None:
    assert declared_models([], line) == [model]


@pytest.mark.parametrize(
    "line",
    [
        "uid=a env.T=marked-secret 'x",
        "uid=a env.T=marked-secret x",
        "uid=a environment.T='marked-secret two",
        "x env.T=marked-secret",
        "uid=a env.T: marked-secret",
        "uid=a env:T=marked-secret x",
        "uid=a ENV.T=marked-secret x",
        "uid=a env. T=marked-secret x",
    ],
)
def test_a_line_that_is_refused_keeps_its_secrets(line: str) -> None:
    (text,) = declared_models([], line)
    assert isinstance(text, str)
    assert "marked-secret" not in text
    assert "marked-secret" not in str(check_models([text]))


def test_lines_stand_behind_the_declared_list_which_is_not_changed() -> None:
    declared = [{"uid": "a"}]
    assert declared_models(declared, "uid=b") == [{"uid": "a"}, {"uid": "b"}]
    assert declared == [{"uid": "a"}]
    assert declared_models(declared) == declared


@pytest.mark.parametrize("raw", [None, "chat", {"uid": "a"}, 7])
def test_what_is_no_list_is_left_for_the_check_to_refuse(raw: Any) -> None:
    assert declared_models(raw, "uid=b") == raw


def test_a_line_is_a_well_formed_model() -> None:
    line = "uid=chat name=qwen3 engine=llama.cpp size_in_billions=0.6 replica=2 enable_thinking=no env.A=1"
    (model,), problems = check_models(declared_models([], line))
    assert problems == []
    assert model.given == {
        "name": "qwen3",
        "engine": "llama.cpp",
        "size_in_billions": "0_6",
        "replica": 2,
        "enable_thinking": False,
        "environment": {"A": "1"},
    }


@given(
    st.text(max_size=60) | st.lists(st.sampled_from(["uid=a", "option.a=1", "env.b=2", "engine_options=1", "environment=", "x", "'", "=", "."])).map(" ".join)
)
def test_no_text_ends_in_a_traceback(lines: str) -> None:
    models, problems = check_models(declared_models([], lines))
    assert isinstance(models, list) and isinstance(problems, list)
