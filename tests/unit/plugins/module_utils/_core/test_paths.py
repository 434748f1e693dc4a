# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Local files of models: which fields name them, and whether the container sees them. The sentences stand in the tests of wrong declarations."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.inferops.xinference.plugins.module_utils._core.declared import DeclaredModel
from ansible_collections.inferops.xinference.plugins.module_utils._core.home import Home
from ansible_collections.inferops.xinference.plugins.module_utils._core.paths import check_paths, container_paths


def model(**given_fields: Any) -> DeclaredModel:
    """A model that shall run."""
    return DeclaredModel("chat", "present", {"name": "mine", "engine": "llama.cpp", **given_fields})


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """A folder that the container sees, with one file and what leads there."""
    tree = tmp_path / "tree"
    (tree / "deep").mkdir(parents=True)
    (tree / "a.gguf").write_bytes(b"GGUF")
    (tree / "deep" / "back").symlink_to("../a.gguf")
    (tree / "whole").symlink_to("/models/deep/back")
    (tree / "there").symlink_to("elsewhere")
    (tree / "slashes").symlink_to("//models//a.gguf")
    return Home({"/models": str(tree), "/models/deep/other": str(tmp_path)})


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


@pytest.mark.parametrize("path", ["/models/a.gguf", "/models//deep/./back", "/models/whole", "/models/slashes", "/models/deep/other/tree/a.gguf"])
def test_what_the_container_sees_is_right(home: Home, path: str) -> None:
    assert check_paths([model(path=path)], home) == []


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/models", "path '/models' is a folder"),
        ("/", "path '/' lies in no folder that the server's container sees; these are /models, /models/deep/other."),
        ("/models/../etc/passwd", "path '/models/../etc/passwd' is a link to '/etc/passwd', which lies in no folder"),
        ("/models/deep/../../root", "which lies in no folder"),
        ("/models/there/a.gguf", "path '/models/there/a.gguf' is a link to '/models/elsewhere/a.gguf', which does not exist"),
        ("/models/\0", "does not exist"),
        ("/models/" + "a" * 300, ""),
    ],
)
def test_what_the_container_does_not_see_is_told(home: Home, path: str, words: str) -> None:
    problems = check_paths([model(path=path)], home)
    # A name that no file can have is left to the server.
    assert len(problems) == (1 if words else 0)
    assert all(words in problem for problem in problems)


@pytest.mark.parametrize(("links", "words"), [(40, ""), (41, "path '/models/0' is a link that leads back to itself.")])
def test_as_many_links_are_followed_as_a_kernel_follows(home: Home, links: int, words: str) -> None:
    for number in range(links):
        target = str(number + 1) if number < links - 1 else "a.gguf"
        (Path(home.mounts["/models"]) / str(number)).symlink_to(target)
    assert check_paths([model(path="/models/0")], home) == ([f"models (uid 'chat'): {words}"] if words else [])


@pytest.mark.parametrize("question", ["open", "readlink"])
def test_what_this_host_may_not_look_at_is_left_to_the_server(home: Home, monkeypatch: pytest.MonkeyPatch, question: str) -> None:
    def refuse(*_arguments: Any, **_options: Any) -> Any:
        raise PermissionError

    assert len(check_paths([model(path="/models/there")], home)) == 1
    monkeypatch.setattr(os, question, refuse)
    assert check_paths([model(path="/models/there")], home) == []


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        ({"type": "LLM", "engine": "llama.cpp"}, ""),
        ({"type": "LLM", "engine": "Transformers"}, "is a file, but the server wants the folder of the model"),
        ({"type": "LLM", "engine": "vLLM"}, "is a file, but the server wants the folder of the model"),
        ({"type": "embedding", "engine": "llama.cpp"}, "is a file, but the server wants the folder of the model"),
        ({"type": "rerank", "engine": "llama.cpp"}, "is a file, but the server wants the folder of the model"),
        ({"type": "rerank"}, "is a file, but the server wants the folder of the model"),
        ({"type": "image"}, ""),
        ({"type": "audio"}, ""),
    ],
)
def test_which_models_are_files_and_which_are_folders(home: Home, fields: dict[str, Any], wrong: str) -> None:
    declared = DeclaredModel("chat", "present", {"name": "mine", "path": "/models/a.gguf", **fields})
    assert check_paths([declared], home) == ([f"models (uid 'chat'): path '/models/a.gguf' {wrong}."] if wrong else [])


def test_one_file_in_several_entries_is_told_once(home: Home) -> None:
    specs = [{"model_uri": "/models/none"}, {"model_uri": "file:///models/none"}]
    assert len(check_paths([model(registration={"model_specs": specs})], home)) == 1


def test_where_no_folders_are_known_nothing_is_said() -> None:
    assert check_paths([model(path="/anywhere")], Home()) == []


@given(st.text(max_size=12))
def test_no_path_ends_in_a_traceback_or_is_found_outside(text: str) -> None:
    (problem,) = check_paths([model(path=f"/{text}")], Home({"/models/that/is/nowhere": "/nowhere"}))
    assert problem.startswith("models (uid 'chat'): path '/")
