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

from ansible_collections.inferops.xinference.plugins.module_utils._core.admission.model_paths import check_paths
from ansible_collections.inferops.xinference.plugins.module_utils._core.base.bounded import NameLimit
from ansible_collections.inferops.xinference.plugins.module_utils._core.declaration.model import DeclaredModel
from ansible_collections.inferops.xinference.plugins.module_utils._core.observed.server_files import ServerFiles


def model(**given_fields: Any) -> DeclaredModel:
    """A model that should run."""
    return DeclaredModel("chat", "present", {"name": "mine", "engine": "llama.cpp", **given_fields})


GGUF = {"model_format": "ggufv2", "quantization": "Q4_1", "model_file_name_template": "a-{quantization}.gguf"}
PARTS = {"quantization_parts": {"Q4_1": ["1", "2"]}, "model_file_name_split_template": "{quantization}.{part}.gguf"}


@pytest.fixture
def home(tmp_path: Path) -> ServerFiles:
    """A directory that the container sees, with one file and what leads there."""
    tree = tmp_path / "tree"
    (tree / "deep").mkdir(parents=True)
    (tree / "a.gguf").write_bytes(b"GGUF")
    (tree / "deep" / "back").symlink_to("../a.gguf")
    (tree / "whole").symlink_to("/models/deep/back")
    (tree / "there").symlink_to("elsewhere")
    (tree / "slashes").symlink_to("//models//a.gguf")
    return ServerFiles({"/models": str(tree), "/models/deep/other": str(tmp_path)})


@pytest.mark.parametrize("path", ["/models/a.gguf", "/models//deep/./back", "/models/whole", "/models/slashes", "/models/deep/other/tree/a.gguf"])
def test_what_the_container_sees_is_right(home: ServerFiles, path: str) -> None:
    assert check_paths([model(path=path)], home) == []


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/models", "path '/models' is a directory"),
        ("/", "path '/' lies in no directory that the server's container sees; these are /models, /models/deep/other."),
        ("/models/../etc/passwd", "path '/models/../etc/passwd' is a link to '/etc/passwd', which lies in no directory"),
        ("/models/deep/../../root", "which lies in no directory"),
        ("/models/there/a.gguf", "path '/models/there/a.gguf' is a link to '/models/elsewhere/a.gguf', which does not exist"),
        ("/models/\0", "does not exist"),
        ("/models/" + "a" * 300, ""),
    ],
)
def test_what_the_container_does_not_see_is_reported(home: ServerFiles, path: str, words: str) -> None:
    problems = check_paths([model(path=path)], home)
    # A name that no file can have is left to the server.
    assert len(problems) == (1 if words else 0)
    assert all(words in problem for problem in problems)


@pytest.mark.parametrize(("links", "words"), [(40, ""), (41, "path '/models/0' is a link that leads back to itself.")])
def test_as_many_links_are_followed_as_a_kernel_follows(home: ServerFiles, links: int, words: str) -> None:
    for number in range(links):
        target = str(number + 1) if number < links - 1 else "a.gguf"
        (Path(home.mounts["/models"]) / str(number)).symlink_to(target)
    assert check_paths([model(path="/models/0")], home) == ([f"models (uid 'chat'): {words}"] if words else [])


@pytest.mark.parametrize("question", ["open", "readlink"])
def test_what_this_host_may_not_read_is_left_to_the_server(home: ServerFiles, monkeypatch: pytest.MonkeyPatch, question: str) -> None:
    def refuse(*_arguments: Any, **_options: Any) -> Any:
        raise PermissionError

    assert len(check_paths([model(path="/models/there")], home)) == 1
    monkeypatch.setattr(os, question, refuse)
    assert check_paths([model(path="/models/there")], home) == []


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        ({"type": "LLM", "engine": "llama.cpp"}, ""),
        ({"type": "LLM", "engine": "Transformers"}, "is a file, but the server wants the directory of the model"),
        ({"type": "LLM", "engine": "vLLM"}, "is a file, but the server wants the directory of the model"),
        ({"type": "embedding", "engine": "llama.cpp"}, "is a file, but the server wants the directory of the model"),
        ({"type": "rerank", "engine": "llama.cpp"}, "is a file, but the server wants the directory of the model"),
        ({"type": "rerank"}, "is a file, but the server wants the directory of the model"),
        ({"type": "image"}, ""),
        ({"type": "audio"}, ""),
    ],
)
def test_which_models_are_files_and_which_are_folders(home: ServerFiles, fields: dict[str, Any], wrong: str) -> None:
    declared = DeclaredModel("chat", "present", {"name": "mine", "path": "/models/a.gguf", **fields})
    assert check_paths([declared], home) == ([f"models (uid 'chat'): path '/models/a.gguf' {wrong}."] if wrong else [])


FOLDER = {"engine": "Transformers", "path": "/models/folder"}


@pytest.fixture
def folder(home: ServerFiles) -> Path:
    """A model's directory as a hub's cache has it: relative links to files elsewhere."""
    tree = Path(home.mounts["/models"])
    (tree / "folder/sub").mkdir(parents=True)
    (tree / "blobs").mkdir()
    (tree / "blobs/1").write_bytes(b"weights")
    (tree / "folder/model.safetensors").symlink_to("../blobs/1")
    (tree / "folder/sub/config.json").symlink_to("/models/blobs/1")
    return tree / "folder"


@pytest.mark.parametrize(
    ("name", "target", "words"),
    [
        ("tokenizer.json", "../blobs/2", "'tokenizer.json' leads to '/models/blobs/2', which does not exist"),
        ("sub/a", "/srv/models/a", "'sub/a' leads to '/srv/models/a', which lies in no directory that the server's container sees"),
        ("out", "../../../../../etc/passwd", "'out' leads to '/etc/passwd', which lies in no directory that the server's container sees"),
        ("loop", "loop", "'loop' leads back to itself"),
        ("through", "model.safetensors/x", "'through' leads to '/models/blobs/1/x', which does not exist"),
        # Nobody loads it.
        (".cache", "../blobs/2", ""),
        ("sub/.git", "../blobs/2", ""),
        ("folder", "../blobs", ""),
    ],
)
def test_links_in_a_folder_that_lead_to_nothing_are_reported(home: ServerFiles, folder: Path, name: str, target: str, words: str) -> None:
    assert check_paths([model(**FOLDER)], home) == []
    (folder / name).symlink_to(target)
    found = [f"models (uid 'chat'): path '/models/folder' holds 1 link to nothing: {words}."] if words else []
    assert check_paths([model(**FOLDER)], home) == found
    by_uri = model(type="embedding", engine="flag", registration={"model_specs": [{"model_format": "pytorch", "model_uri": "file:///models/folder"}]})
    assert len(check_paths([by_uri], home)) == len(found)
    adapters = model(engine="Transformers", peft_model_config={"lora_list": [{"lora_name": "a", "local_path": "/models/folder"}]})
    assert len(check_paths([adapters], home)) == len(found)


def test_of_many_links_some_are_reported(home: ServerFiles, folder: Path) -> None:
    for number in range(5):
        (folder / f"{number}").symlink_to("nowhere")
    (problem,) = check_paths([model(**FOLDER)], home)
    assert "holds 5 links to nothing: '0' leads to '/models/folder/nowhere', which does not exist; '1' " in problem
    assert problem.endswith("'2' leads to '/models/folder/nowhere', which does not exist ….")


def test_what_lies_in_the_folder_of_several_models_is_no_matter_where_the_files_are_named(home: ServerFiles, folder: Path) -> None:
    (folder / "other.gguf").symlink_to("nowhere")
    (folder / "a-Q4_1.gguf").write_bytes(b"GGUF")
    declared = model(registration={"model_specs": [{**GGUF, "model_uri": "/models/folder"}]})
    assert check_paths([declared], home) == []
    (folder / "a-Q4_1.gguf").unlink()
    (problem,) = check_paths([declared], home)
    assert problem.startswith("models (uid 'chat'): registration.model_specs.model_file_name_template '/models/folder/a-Q4_1.gguf' does not exist")


def test_a_folder_with_too_much_in_it_is_left_to_the_server(home: ServerFiles, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "tokenizer.json").symlink_to("nowhere")
    monkeypatch.setattr("ansible_collections.inferops.xinference.plugins.module_utils._core.observed.server_files.NameLimit", lambda: NameLimit(5))
    assert check_paths([model(**FOLDER)], home) == []


def test_a_missing_part_is_named(home: ServerFiles) -> None:
    tree = Path(home.mounts["/models"])
    for number in (1, 3):
        (tree / f"b-0000{number}-of-00003.gguf").write_bytes(b"GGUF")
    (problem,) = check_paths([model(path="/models/b-00001-of-00003.gguf")], home)
    assert problem.startswith("models (uid 'chat'): path '/models/b-00002-of-00003.gguf' does not exist")


def test_one_file_in_several_entries_is_reported_once(home: ServerFiles) -> None:
    specs = [{"model_uri": "/models/none"}, {"model_uri": "file:///models/none"}]
    assert len(check_paths([model(registration={"model_specs": specs})], home)) == 1


def test_where_no_folders_are_known_nothing_is_said() -> None:
    assert check_paths([model(path="/anywhere")], ServerFiles()) == []


@given(st.text(max_size=12))
def test_no_path_ends_in_a_traceback_or_is_found_outside(text: str) -> None:
    (problem,) = check_paths([model(path=f"/{text}")], ServerFiles({"/models/that/is/nowhere": "/nowhere"}))
    assert problem.startswith("models (uid 'chat'): path '/")
