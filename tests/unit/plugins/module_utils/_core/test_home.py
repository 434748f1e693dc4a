# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The server's files, as far as this host sees them: folders of a test in the shape that a real server leaves."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.inferops.xinference.plugins.module_utils._core.applied import Applied
from ansible_collections.inferops.xinference.plugins.module_utils._core.home import DEFAULT_HOME, Home

WORKER = "0.0.0.0:20425"
#: What a worker of 4.1.0 writes down of a plain launch.
ARGUMENTS = {
    "model_uid": "chat-rep0",
    "model_name": "qwen3",
    "model_size_in_billions": "0_6",
    "model_format": "ggufv2",
    "quantization": "Q4_K_M",
    "model_engine": "llama.cpp",
    "model_type": "LLM",
    "n_gpu": "auto",
    "n_worker": 1,
    "shard": 0,
    "driver_info": None,
    "peft_model_config": None,
    "request_limits": None,
    "gpu_idx": None,
    "download_hub": "huggingface",
    "model_path": None,
    "enable_virtual_env": None,
    "virtual_env_packages": None,
    "envs": None,
    "virtual_env_find_links": None,
    "xavier_config": None,
    "n_ctx": 2048,
    "launch_ts": 1700000000,
}
LAUNCHED = {
    "model_uid": "chat",
    "model_name": "qwen3",
    "model_size_in_billions": "0_6",
    "model_format": "ggufv2",
    "quantization": "Q4_K_M",
    "model_engine": "llama.cpp",
    "model_type": "LLM",
    "n_gpu": "auto",
    "download_hub": "huggingface",
    "n_ctx": 2048,
    "replica": 1,
}


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """The server's folder on this host."""
    folder = tmp_path / ".xinference"
    folder.mkdir()
    return folder


@pytest.fixture
def home(data: Path) -> Home:
    """The same as the module knows it."""
    return Home({DEFAULT_HOME: str(data)})


def put(data: Path, path: str, content: Any) -> None:
    """Write a file of the server; what is no text becomes JSON."""
    place = data / path
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")


def launched(home: Home, uid: str, workers: list[str]) -> dict[str, Any]:
    """The launch request that the worker's file tells."""
    applied = home.applied(uid, workers)
    assert isinstance(applied, Applied)
    assert applied.source == "worker"
    return applied.request


# Where things lie.


@pytest.mark.parametrize(
    ("inside", "outside"),
    [
        ("/root/.xinference/logs/a", "/srv/data/logs/a"),
        ("/root/.xinference", "/srv/data"),
        ("/root/.xinference/../.xinference/a", "/srv/data/a"),
        # The deepest mount holds.
        ("/root/.xinference/cache/model", "/mnt/cache/model"),
        ("/root/.xinference/cache", "/mnt/cache"),
        ("/root/.xinference/cached", "/srv/data/cached"),
        ("/models/a.gguf", "/srv/models/a.gguf"),
        ("/root", None),
        ("/root/.xinference2/a", None),
        # A way out of a mount is no way to this host's other files.
        ("/models/../etc/passwd", None),
    ],
)
def test_where_a_path_of_the_container_lies(inside: str, outside: str | None) -> None:
    home = Home({"/root/.xinference/": "/srv/data", "/root/.xinference/cache": "/mnt/cache", "/models": "/srv/models"})
    assert home.on_host(inside) == (Path(outside) if outside is not None else None)


def test_without_mounts_nothing_can_be_seen(tmp_path: Path) -> None:
    for home in (Home(), Home({DEFAULT_HOME: str(tmp_path / "missing")}), Home({"/models": str(tmp_path)})):
        assert not home.readable
        assert home.registrations("LLM", {"qwen3"}) == {}
        assert home.applied("chat", [WORKER]) is None
        assert home.log_tail("chat") == []
        assert home.log_size() == 0
        assert home.size("/root/.xinference/a") is None


def test_the_server_s_folder_can_be_another(tmp_path: Path) -> None:
    home = Home({"/data": str(tmp_path)}, "/data/xinference")
    assert not home.readable
    put(tmp_path, "xinference/model/v2/llm/custom.json", {"model_name": "custom"})
    assert home.readable
    assert home.registrations("LLM", ["custom"]) == {"custom": {"model_name": "custom"}}


# Registrations.


def test_registrations_of_a_type_among_the_names(home: Home, data: Path) -> None:
    put(data, "model/v2/llm/one.json", {"model_name": "one"})
    put(data, "model/v2/llm/two.json", {"model_name": "two"})
    put(data, "model/v2/embedding/one.json", {"model_name": "one", "dimensions": 384})
    assert home.readable
    assert home.registrations("LLM", {"one", "missing"}) == {"one": {"model_name": "one"}}
    assert home.registrations("embedding", {"one", "two"}) == {"one": {"model_name": "one", "dimensions": 384}}


@pytest.mark.parametrize("content", ["", "{", "[]", '"text"'])
def test_a_damaged_registration_is_none(home: Home, data: Path, content: str) -> None:
    put(data, "model/v2/llm/one.json", content)
    assert home.registrations("LLM", {"one"}) == {}


# What the workers launched.


def test_what_a_worker_launched_a_model_with(home: Home, data: Path) -> None:
    put(data, "worker_recovery/0.0.0.0_20425/models.json", {"other-rep0": {**ARGUMENTS, "n_ctx": 1}, "chat-rep0": ARGUMENTS})
    assert launched(home, "chat", [WORKER]) == LAUNCHED


def test_copies_are_counted_over_all_workers(home: Home, data: Path) -> None:
    put(data, "worker_recovery/0.0.0.0_20425/models.json", {"chat-rep0": ARGUMENTS, "chat-rep2": ARGUMENTS})
    put(data, "worker_recovery/10.0.0.7_30000/models.json", {"chat-rep1": ARGUMENTS})
    assert launched(home, "chat", [WORKER, "10.0.0.7:30000"]) == {**LAUNCHED, "replica": 3}


def test_the_file_of_a_worker_that_is_gone_is_not_used(home: Home, data: Path) -> None:
    """The port changes with each start of the server, and the old folders stay."""
    put(data, "worker_recovery/0.0.0.0_19999/models.json", {"chat-rep0": {**ARGUMENTS, "n_ctx": 1}})
    assert home.applied("chat", [WORKER]) is None
    assert home.applied("chat", []) is None
    put(data, "worker_recovery/0.0.0.0_20425/models.json", {"chat-rep0": ARGUMENTS})
    assert launched(home, "chat", [WORKER]) == LAUNCHED


@pytest.mark.parametrize("uid", ["cha", "chat-rep0", "hat", "chat-2"])
def test_another_model_s_arguments_are_not_used(home: Home, data: Path, uid: str) -> None:
    put(data, "worker_recovery/0.0.0.0_20425/models.json", {"chat-rep0": ARGUMENTS})
    assert home.applied(uid, [WORKER]) is None


def test_a_uid_may_itself_look_like_a_copy(home: Home, data: Path) -> None:
    put(data, "worker_recovery/0.0.0.0_20425/models.json", {"chat-rep-rep0": ARGUMENTS})
    assert launched(home, "chat-rep", [WORKER]) == {**LAUNCHED, "model_uid": "chat-rep"}


@pytest.mark.parametrize("content", ["", "{", "[]", '{"chat-rep0": null}', '{"chat-rep0": "text"}'])
def test_a_damaged_file_of_a_worker_tells_nothing(home: Home, data: Path, content: str) -> None:
    put(data, "worker_recovery/0.0.0.0_20425/models.json", content)
    assert home.applied("chat", [WORKER]) is None


# The log.


def test_the_log_s_end_from_the_first_line_about_the_model(home: Home, data: Path) -> None:
    put(data, "logs/xinference.log", "old\n\nabout chat\nmore\n\nlast\n")
    assert home.log_tail("chat") == ["about chat", "more", "last"]
    assert home.log_tail("unknown") == ["old", "about chat", "more", "last"]


def test_no_more_than_the_last_lines_are_shown(home: Home, data: Path) -> None:
    put(data, "logs/xinference.log", "".join(f"chat {number}\n" for number in range(50)))
    assert home.log_tail("chat") == [f"chat {number}" for number in range(30, 50)]


def test_lines_from_before_the_launch_are_left_out(home: Home, data: Path) -> None:
    before = "chat failed yesterday\n"
    put(data, "logs/xinference.log", before)
    since = home.log_size()
    assert since == len(before)
    put(data, "logs/xinference.log", before + "chat fails now\n")
    assert home.log_tail("chat", since) == ["chat fails now"]


def test_a_log_that_was_rotated_meanwhile_is_shown_whole(home: Home, data: Path) -> None:
    put(data, "logs/xinference.log", "chat fails now\n")
    assert home.log_tail("chat", since=10_000) == ["chat fails now"]


def test_of_a_large_log_only_the_end_is_read(home: Home, data: Path) -> None:
    put(data, "logs/xinference.log", "about chat\n" + "x" * (1 << 20) + "\nlast line\n")
    lines = home.log_tail("chat")
    assert lines[-1] == "last line"
    assert sum(map(len, lines)) <= 512 << 10


def test_a_log_that_is_no_text_is_shown_as_far_as_it_is(home: Home, data: Path) -> None:
    put(data, "logs/x", "")
    (data / "logs/xinference.log").write_bytes(b"chat \xff fails\n")
    assert home.log_tail("chat") == ["chat \ufffd fails"]


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("chat envs={'HF_TOKEN': 'hunter2'} n_ctx=1", "chat envs={********} n_ctx=1"),
        ("chat {'envs': {'HF_TOKEN': 'hunter2'}, 'n_ctx': 1}", "chat {'envs': {********}, 'n_ctx': 1}"),
        # A line that was cut.
        ("chat envs={'HF_TOKEN': 'hunter2", "chat envs={********}"),
        ("chat envs=None", "chat envs=None"),
        ("""chat envs={'A': 'x}y', "B": "it's", 'C': 'q\\'}hunter2'} n_ctx=1""", "chat envs={********} n_ctx=1"),
    ],
)
def test_values_of_environment_variables_are_not_shown_of_the_log(home: Home, data: Path, line: str, shown: str) -> None:
    put(data, "logs/xinference.log", line + "\n")
    assert home.log_tail("chat") == [shown]


# Sizes.


def test_sizes_of_files_and_folders(tmp_path: Path) -> None:
    home = Home({"/models": str(tmp_path)})
    put(tmp_path, "a.gguf", "x" * 1000)
    put(tmp_path, "b/one", "x" * 10)
    put(tmp_path, "b/c/two", "x" * 5)
    assert home.size("/models/a.gguf") == 1000
    assert home.size("/models/b") == 15
    assert home.size("/models/missing") is None
    assert home.size("/elsewhere") is None
