# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module ``cached_models`` as Ansible runs it, with a server in memory."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ansible_collections.inferops.xinference.plugins.module_utils._core.base.errors import ApiError, ConnectionFailed
from ansible_collections.inferops.xinference.plugins.module_utils._core.host.declaration_file import StoredDeclaration
from ansible_collections.inferops.xinference.plugins.modules import cached_models
from ansible_collections.inferops.xinference.tests.unit.plugins.module_utils._core.fake_server import FakeServer
from ansible_collections.inferops.xinference.tests.unit.plugins.module_utils._core.plan_runner import SPECIFICATION
from ansible_collections.inferops.xinference.tests.unit.plugins.modules.module_runner import Runner

Q4 = "qwen3--0_6B--ggufv2--Q4_K_M"
Q8 = "qwen3--0_6B--ggufv2--Q8_0"
BGE = "bge-m3--8192--1024--pytorch--none"
OWN = "own--0_135B--ggufv2--Q4_1"
CHAT = {"uid": "chat", "name": "qwen3", "engine": "llama.cpp", "format": "ggufv2", "quantization": "Q4_K_M"}
DOWNLOADS = (
    {"model_name": "qwen3", "model_engine": "llama.cpp", "quantization": "Q4_K_M"},
    {"model_name": "qwen3", "model_engine": "llama.cpp", "quantization": "Q8_0"},
    {"model_name": "bge-m3", "model_type": "embedding", "model_format": "pytorch"},
)


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Runner:
    """Runs the module."""
    return Runner(cached_models.main, capsys, monkeypatch)


def downloaded(run: Runner, **options: Any) -> FakeServer:
    """A server with the files of three models of the catalogue and of a custom one that runs."""
    server = FakeServer(**options)
    for number, request in enumerate(DOWNLOADS):
        assert server.cache({"cache_uid": f"d{number}", **request})
    server.register("LLM", {**SPECIFICATION, "model_name": "own"})
    server.launch({"model_uid": "own", "model_type": "LLM", "model_name": "own", "model_engine": "llama.cpp"})
    server.clock.sleep(server.load_seconds)
    server.calls.clear()
    run.use(server)
    return server


def versions(server: FakeServer) -> list[str]:
    """What is there."""
    return sorted(str(row["model_version"]) for row in server.files_cached)


# Deleting.


def test_what_no_declared_model_needs_is_deleted(run: Runner) -> None:
    server = downloaded(run)
    answer = run(keep=[CHAT])
    assert (answer["failed"], answer["changed"], answer["freed_bytes"]) == (False, True, 2 * 98365440)
    assert [files["model_version"] for files in answer["removed"]] == [BGE, Q8]
    assert answer["kept"] == [{"model_version": OWN, "reason": "used by the running own"}]
    assert set(answer["diff"]["before"]) == {BGE, Q8}
    assert answer["diff"]["after"] == {}
    assert versions(server) == [OWN, Q4]
    assert server.closed


def test_files_of_models_that_an_earlier_run_declared_stay(run: Runner, tmp_path: Path) -> None:
    """They are looked after still."""
    downloaded(run)
    place = str(tmp_path / "declaration.json")
    StoredDeclaration(place).save({"models": [{**CHAT, "uid": "earlier", "quantization": "Q8_0"}, {**CHAT, "uid": "gone", "state": "absent"}]})
    assert [files["model_version"] for files in run(check=True, keep=[CHAT], declaration_path=place)["removed"]] == [BGE]
    assert [files["model_version"] for files in run(check=True, keep=[CHAT], declaration_path=f"{place}-none")["removed"]] == [BGE, Q8]


def test_files_of_a_custom_model_that_are_only_linked_stay(run: Runner) -> None:
    server = downloaded(run)
    server.terminate("own")
    answer = run(keep=[CHAT])
    assert answer["kept"] == [{"model_version": OWN, "reason": "linked only, because the registration of the model names files of its own (model_uri)"}]
    assert OWN in versions(server)


def test_files_that_are_named_are_deleted(run: Runner) -> None:
    server = downloaded(run)
    answer = run(absent=[Q8, "nothing"])
    assert [files["model_version"] for files in answer["removed"]] == [Q8]
    assert answer["removed"][0]["size_bytes"] == answer["freed_bytes"] == 98365440
    assert answer["kept"] == []
    assert versions(server) == [BGE, OWN, Q4]


@pytest.mark.parametrize("options", [{"keep": [CHAT]}, {"absent": [Q8, BGE]}, {"keep": []}])
def test_a_second_run_deletes_nothing(run: Runner, options: dict[str, Any]) -> None:
    server = downloaded(run)
    assert run(**options)["changed"] is True
    server.allowed = frozenset()
    answer = run(**options)
    assert (answer["failed"], answer["changed"], answer["removed"], answer["freed_bytes"]) == (False, False, [], 0)
    assert answer["diff"] == {"before": {}, "after": {}}


@pytest.mark.parametrize("options", [{"keep": [CHAT]}, {"absent": [Q8, BGE, "nothing"]}, {"keep": []}, {"absent": []}])
def test_check_mode_predicts_the_same_and_deletes_nothing(run: Runner, options: dict[str, Any]) -> None:
    server = downloaded(run)
    server.allowed = frozenset()
    predicted = run(check=True, **options)
    assert server.writes() == []
    server.allowed = None
    assert predicted == run(**options)


# Refusals and failures.


@pytest.mark.parametrize("check", [False, True])
def test_files_that_must_stay_refuse_everything_before_anything_is_deleted(run: Runner, check: bool) -> None:
    server = downloaded(run)
    server.allowed = frozenset()
    server.run("chat", model_engine="llama.cpp", model_format="ggufv2", quantization="Q4_K_M")
    answer = run(check=check, absent=[Q4, OWN, Q8])
    assert answer["failed"]
    assert answer["problems"] == [
        f"absent '{OWN}' cannot be deleted: it is used by the running own.",
        f"absent '{Q4}' cannot be deleted: it is used by the running chat.",
    ]


def test_a_download_under_way_keeps_the_files(run: Runner) -> None:
    server = downloaded(run, download_seconds=0)
    server.download_seconds = 100.0
    server.files_cached = [row for row in server.files_cached if row["model_version"] != Q8]
    assert server.cache({"cache_uid": "again", **DOWNLOADS[1]}) is False
    answer = run(keep=[])
    assert {"model_version": Q4, "reason": "being launched or downloaded"} in answer["kept"]


def test_a_server_without_downloads_is_not_asked_for_them(run: Runner) -> None:
    server = downloaded(run)
    server.with_downloads = False
    assert not run(keep=[CHAT])["failed"]
    assert "downloads" not in [name for name, _argument in server.calls]


def test_what_the_server_does_not_delete_fails_with_what_was_deleted(run: Runner) -> None:
    server = downloaded(run)
    server.fail_next("remove_cached", ApiError("DELETE", "http://x/v1/cache/models", 500, "Permission denied"))
    answer = run(keep=[CHAT])
    assert answer["failed"]
    assert answer["msg"] == f"{BGE}: DELETE http://x/v1/cache/models answered 500: Permission denied."
    assert (answer["changed"], [files["model_version"] for files in answer["removed"]]) == (True, [Q8])
    assert server.closed


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({}, "one of the following is required: keep, absent"),
        ({"keep": [], "absent": []}, "parameters are mutually exclusive: keep|absent"),
        ({"keep": [{"uid": "chat"}]}, "keep[0] (uid 'chat'): name is missing"),
        ({"keep": ["chat"]}, "keep[0]: is the text 'chat', but must be a dictionary"),
        ({"keep": [CHAT, CHAT]}, "is already used by keep[0]"),
        ({"keep": ["chat"], "option_names": {"keep": "xinference_models"}}, "xinference_models[0]: is the text 'chat', but must be a dictionary"),
    ],
)
def test_wrong_options_are_one_sentence_before_anything_is_asked(run: Runner, options: dict[str, Any], words: str) -> None:
    run.use(AssertionError("must not connect"))
    answer = run(**options)
    assert answer["failed"]
    assert words in answer["msg"]
    assert run.connections == []
    assert "Traceback" not in run.output


@pytest.mark.parametrize("error", [ConnectionFailed("GET http://x: no connection."), ApiError("GET", "http://x", 500, "broken")])
def test_a_server_that_cannot_be_reached_or_read_is_one_sentence(run: Runner, error: Exception) -> None:
    run.use(error)
    answer = run(absent=[Q4], password="s3cret-pass")
    assert (answer["failed"], answer["msg"]) == (True, str(error))
    assert "s3cret-pass" not in run.output
    server = FakeServer()
    server.fail_next("cached", error)
    run.use(server)
    assert run(absent=[Q4])["msg"] == str(error)
    assert server.closed


def test_values_of_environment_variables_are_in_no_output(run: Runner) -> None:
    downloaded(run)
    answer = run(keep=[{**CHAT, "environment": {"HF_TOKEN": "hf_hunter2"}}])
    assert "HF_TOKEN" in run.logged[0]
    assert "hf_hunter2" not in run.logged[0]
    assert not answer["failed"]
    assert "hf_hunter2" not in run.output
