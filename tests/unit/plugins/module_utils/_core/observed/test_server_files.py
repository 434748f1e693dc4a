# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The server's files, as far as this host sees them: directories of a test in the shape that a real server leaves."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.inferops.xinference.plugins.module_utils._core.base.bounded import NameLimit
from ansible_collections.inferops.xinference.plugins.module_utils._core.observed import server_files
from ansible_collections.inferops.xinference.plugins.module_utils._core.observed.last_applied import Applied
from ansible_collections.inferops.xinference.plugins.module_utils._core.observed.server_files import DEFAULT_HOME, ServerFiles

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
    """The server's directory on this host."""
    folder = tmp_path / ".xinference"
    folder.mkdir()
    return folder


@pytest.fixture
def home(data: Path) -> ServerFiles:
    """The same as the module knows it."""
    return ServerFiles({DEFAULT_HOME: str(data)})


def put(data: Path, path: str, content: Any) -> None:
    """Write a file of the server; what is no text becomes JSON."""
    place = data / path
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")


def launched(home: ServerFiles, uid: str, workers: list[str]) -> dict[str, Any]:
    """The launch request that the worker's file holds."""
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
    home = ServerFiles({"/root/.xinference/": "/srv/data", "/root/.xinference/cache": "/mnt/cache", "/models": "/srv/models"})
    assert home.on_host(inside) == (Path(outside) if outside is not None else None)


def test_without_mounts_nothing_can_be_seen(tmp_path: Path) -> None:
    for home in (ServerFiles(), ServerFiles({DEFAULT_HOME: str(tmp_path / "missing")}), ServerFiles({"/models": str(tmp_path)})):
        assert not home.readable
        assert home.registrations("LLM", {"qwen3"}) == {}
        assert home.applied("chat", [WORKER]) is None
        assert home.log_tail("chat") == []
        assert home.log_size() == 0
        assert home.size("/root/.xinference/a") is None


def test_the_server_s_folder_can_be_another(tmp_path: Path) -> None:
    home = ServerFiles({"/data": str(tmp_path)}, "/data/xinference")
    assert not home.readable
    put(tmp_path, "xinference/model/v2/llm/custom.json", {"model_name": "custom"})
    assert home.readable
    assert home.registrations("LLM", ["custom"]) == {"custom": {"model_name": "custom"}}


# Registrations.


def test_registrations_of_a_type_among_the_names(home: ServerFiles, data: Path) -> None:
    put(data, "model/v2/llm/one.json", {"model_name": "one"})
    put(data, "model/v2/llm/two.json", {"model_name": "two"})
    put(data, "model/v2/embedding/one.json", {"model_name": "one", "dimensions": 384})
    assert home.readable
    assert home.registrations("LLM", {"one", "missing"}) == {"one": {"model_name": "one"}}
    assert home.registrations("embedding", {"one", "two"}) == {"one": {"model_name": "one", "dimensions": 384}}


@pytest.mark.parametrize("content", ["", "{", "[]", '"text"'])
def test_a_damaged_registration_is_none(home: ServerFiles, data: Path, content: str) -> None:
    put(data, "model/v2/llm/one.json", content)
    assert home.registrations("LLM", {"one"}) == {}


# What the workers launched.


def test_what_a_worker_launched_a_model_with(home: ServerFiles, data: Path) -> None:
    put(data, "worker_recovery/0.0.0.0_20425/models.json", {"other-rep0": {**ARGUMENTS, "n_ctx": 1}, "chat-rep0": ARGUMENTS})
    assert launched(home, "chat", [WORKER]) == LAUNCHED


def test_copies_are_counted_over_all_workers(home: ServerFiles, data: Path) -> None:
    put(data, "worker_recovery/0.0.0.0_20425/models.json", {"chat-rep0": ARGUMENTS, "chat-rep2": ARGUMENTS})
    put(data, "worker_recovery/10.0.0.7_30000/models.json", {"chat-rep1": ARGUMENTS})
    assert launched(home, "chat", [WORKER, "10.0.0.7:30000"]) == {**LAUNCHED, "replica": 3}


def test_the_file_of_a_worker_that_is_gone_is_not_used(home: ServerFiles, data: Path) -> None:
    """The port changes with each start of the server, and the old directories stay."""
    put(data, "worker_recovery/0.0.0.0_19999/models.json", {"chat-rep0": {**ARGUMENTS, "n_ctx": 1}})
    assert home.applied("chat", [WORKER]) is None
    assert home.applied("chat", []) is None
    put(data, "worker_recovery/0.0.0.0_20425/models.json", {"chat-rep0": ARGUMENTS})
    assert launched(home, "chat", [WORKER]) == LAUNCHED


@pytest.mark.parametrize("uid", ["cha", "chat-rep0", "hat", "chat-2"])
def test_another_model_s_arguments_are_not_used(home: ServerFiles, data: Path, uid: str) -> None:
    put(data, "worker_recovery/0.0.0.0_20425/models.json", {"chat-rep0": ARGUMENTS})
    assert home.applied(uid, [WORKER]) is None


def test_a_uid_may_itself_look_like_a_copy(home: ServerFiles, data: Path) -> None:
    put(data, "worker_recovery/0.0.0.0_20425/models.json", {"chat-rep-rep0": ARGUMENTS})
    assert launched(home, "chat-rep", [WORKER]) == {**LAUNCHED, "model_uid": "chat-rep"}


@pytest.mark.parametrize("content", ["", "{", "[]", '{"chat-rep0": null}', '{"chat-rep0": "text"}'])
def test_a_damaged_file_of_a_worker_shows_nothing(home: ServerFiles, data: Path, content: str) -> None:
    put(data, "worker_recovery/0.0.0.0_20425/models.json", content)
    assert home.applied("chat", [WORKER]) is None


# The log.


def test_the_log_s_end_from_the_first_line_about_the_model(home: ServerFiles, data: Path) -> None:
    put(data, "logs/xinference.log", "old\n\nabout chat\nmore\n\nlast\n")
    assert home.log_tail("chat") == ["about chat", "more", "last"]
    assert home.log_tail("unknown") == ["old", "about chat", "more", "last"]


def test_no_more_than_the_last_lines_are_shown(home: ServerFiles, data: Path) -> None:
    put(data, "logs/xinference.log", "".join(f"chat {number}\n" for number in range(50)))
    assert home.log_tail("chat") == [f"chat {number}" for number in range(30, 50)]


def test_lines_from_before_the_launch_are_left_out(home: ServerFiles, data: Path) -> None:
    before = "chat failed yesterday\n"
    put(data, "logs/xinference.log", before)
    since = home.log_size()
    assert since == len(before)
    put(data, "logs/xinference.log", before + "chat fails now\n")
    assert home.log_tail("chat", since) == ["chat fails now"]


def test_a_log_that_was_rotated_meanwhile_is_shown_whole(home: ServerFiles, data: Path) -> None:
    put(data, "logs/xinference.log", "chat fails now\n")
    assert home.log_tail("chat", since=10_000) == ["chat fails now"]


def test_of_a_large_log_only_the_end_is_read(home: ServerFiles, data: Path) -> None:
    put(data, "logs/xinference.log", "about chat\n" + "x" * (1 << 20) + "\nlast line\n")
    lines = home.log_tail("chat")
    assert lines[-1] == "last line"
    assert sum(map(len, lines)) <= 512 << 10


def test_a_log_that_is_no_text_is_shown_as_far_as_it_is(home: ServerFiles, data: Path) -> None:
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
def test_values_of_environment_variables_are_not_shown_of_the_log(home: ServerFiles, data: Path, line: str, shown: str) -> None:
    put(data, "logs/xinference.log", line + "\n")
    assert home.log_tail("chat") == [shown]


# Sizes.


def test_sizes_of_files_and_folders(tmp_path: Path) -> None:
    home = ServerFiles({"/models": str(tmp_path)})
    put(tmp_path, "a.gguf", "x" * 1000)
    put(tmp_path, "b/one", "x" * 10)
    put(tmp_path, "b/c/two", "x" * 5)
    assert home.size("/models/a.gguf") == 1000
    assert home.size("/models/b") == 15
    assert home.size("/models/missing") is None
    assert home.size("/elsewhere") is None


def test_a_pipe_has_no_size(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    home = ServerFiles({"/models": str(tmp_path)})
    assert home.size("/models/pipe") is None
    assert home.size("/models") == 0
    assert home.size("models") is None


@pytest.fixture
def cache(tmp_path: Path) -> ServerFiles:
    """A cache of a hub: its snapshots are links to its blobs."""
    hub = tmp_path / "hub"
    put(hub, "models--a/blobs/one", "x" * 10)
    put(hub, "models--a/blobs/two", "x" * 5)
    put(hub, "models--a/snapshots/1/config.json", "{}")
    for name in ("one", "two"):
        (hub / "models--a/snapshots/1" / name).symlink_to(f"../../blobs/{name}")
    return ServerFiles({"/root/.cache/huggingface/hub": str(hub)})


def test_a_snapshot_has_the_size_of_what_it_is_made_of(cache: ServerFiles) -> None:
    hub = "/root/.cache/huggingface/hub"
    snapshot = Path(cache.mounts[hub], "models--a/snapshots/1")
    assert cache.size(f"{hub}/models--a/snapshots/1") == 17
    assert cache.size(f"{hub}/models--a/snapshots/1/one") == 10
    # As the container sees it, from its own root on.
    (snapshot / "whole").symlink_to(f"{hub}/models--a/blobs/two")
    assert cache.size(f"{hub}/models--a/snapshots/1") == 22
    # What leads nowhere, round in circles, to a directory, or out of what the container sees counts for nothing.
    put(snapshot.parents[3], "outside", "x" * 1000)
    for number, target in enumerate(("nowhere", "link1", "../../blobs", "../../../../outside", str(snapshot.parents[3] / "outside"), "/etc/passwd")):
        (snapshot / f"link{number}").symlink_to(target)
    assert cache.size(f"{hub}/models--a/snapshots/1") == 22


@pytest.mark.parametrize("target", ["/etc", "../..", "../../outside", "nowhere", "link"])
def test_a_link_that_leaves_what_the_container_sees_has_no_size(tmp_path: Path, target: str) -> None:
    home = ServerFiles({"/a/models": str(tmp_path / "models")})
    put(tmp_path, "outside/file", "x")
    put(tmp_path, "models/file", "x")
    (tmp_path / "models/link").symlink_to(target)
    assert home.size("/a/models/link") is None
    assert home.size("/a/models/link/file") is None
    assert home.size("/a/models") == 1


def test_a_size_comes_to_an_end(cache: ServerFiles, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each name counts that is read, and each on the way of a link."""
    snapshot = "/root/.cache/huggingface/hub/models--a/snapshots/1"
    fewest = next(left for left in range(100) if sized(cache, snapshot, monkeypatch, left) is not None)
    assert fewest > 20
    assert sized(cache, snapshot, monkeypatch, fewest) == 17


def test_long_ways_of_links_come_to_an_end(cache: ServerFiles, monkeypatch: pytest.MonkeyPatch) -> None:
    """They cost who makes them nothing: through directories that are not there, and to and fro outside of what the container sees."""
    snapshot = "/root/.cache/huggingface/hub/models--a/snapshots/1"
    place = cache.on_host(snapshot)
    assert place is not None
    for number, target in enumerate(("none/" * 800, "/none" * 800)):
        (place / f"long{number}").symlink_to(target)
        assert cache.size(snapshot) is None
        (place / f"long{number}").unlink()
    # From each to the last, and each time to and fro.
    for number in range(20):
        (place / f"way{number}").symlink_to("/none/.." * 500 + f"{snapshot}/way{number + 1}")
    assert sized(cache, snapshot, monkeypatch, 20_000) is None


def sized(home: ServerFiles, path: str, monkeypatch: pytest.MonkeyPatch, left: int) -> int | None:
    """The size when only so many names may be read."""
    monkeypatch.setattr(server_files, "NameLimit", lambda: NameLimit(left))
    return home.size(path)


# What the container puts in place of a file.


def files() -> list[str]:
    """Files of the server that are read."""
    return ["model/v2/llm/one.json", "worker_recovery/0.0.0.0_20425/models.json", "logs/xinference.log"]


def nothing_is_found(home: ServerFiles) -> bool:
    """Whether none of them says anything."""
    found = (home.registrations("LLM", ["one"]), home.applied("chat", [WORKER]), home.log_tail("chat"))
    return found == ({}, None, [])


@pytest.fixture
def filled(home: ServerFiles, data: Path) -> ServerFiles:
    """A server's directory in which all of them are there."""
    put(data, "model/v2/llm/one.json", {"model_name": "one"})
    put(data, "worker_recovery/0.0.0.0_20425/models.json", {"chat-rep0": ARGUMENTS})
    put(data, "logs/xinference.log", "chat fails\n")
    assert not nothing_is_found(home)
    return home


@pytest.mark.parametrize("depth", [0, 1])
def test_no_link_below_a_mount_is_followed(filled: ServerFiles, data: Path, tmp_path: Path, depth: int) -> None:
    """Root reads them, and shows what they say."""
    for path in files():
        place = [data / path, *(data / path).parents][depth]
        moved = tmp_path / f"moved-{place.name}"
        place.rename(moved)
        place.symlink_to(moved)
        assert place.exists()
    assert nothing_is_found(filled)
    assert filled.log_size() == 0


def test_nobody_is_waited_for(filled: ServerFiles, data: Path) -> None:
    for path in files():
        (data / path).unlink()
        os.mkfifo(data / path)
    assert nothing_is_found(filled)
    assert filled.log_size() == 0


def test_a_hole_is_not_read(filled: ServerFiles, data: Path) -> None:
    for path in files():
        os.truncate(data / path, 1 << 33)
    assert filled.registrations("LLM", ["one"]) == {}
    assert filled.applied("chat", [WORKER]) is None
    assert filled.log_size() == 1 << 33
    assert sum(map(len, filled.log_tail("chat"))) == 512 << 10


def test_json_without_a_bottom_shows_nothing(filled: ServerFiles, data: Path) -> None:
    for path in files()[:2]:
        put(data, path, "[" * 200_000)
    assert filled.registrations("LLM", ["one"]) == {}
    assert filled.applied("chat", [WORKER]) is None


@pytest.mark.parametrize("name", ["../llm/one", "../../../other", "/etc/one", "..", ".", "", "a/b", "x" * 300, "\0", "\ud800"])
def test_a_name_leads_nowhere_else(filled: ServerFiles, data: Path, name: str) -> None:
    put(data, "other.json", {"model_name": "other"})
    put(data, "model/v2/llm/a/b.json", {"model_name": "b"})
    assert filled.registrations("LLM", [name, "one"]) == {"one": {"model_name": "one"}}
    assert filled.registrations(f"../{name}/LLM", ["one"]) == {}
    assert filled.applied("chat", [name, ".."]) is None


def test_the_server_s_folder_itself_may_be_the_container_s(tmp_path: Path) -> None:
    (tmp_path / "mounted").mkdir()
    put(tmp_path, "outside/model/v2/llm/one.json", {"model_name": "one"})
    (tmp_path / "mounted/xinference").symlink_to(tmp_path / "outside")
    home = ServerFiles({"/data": str(tmp_path / "mounted")}, "/data/xinference")
    assert not home.readable
    assert home.registrations("LLM", ["one"]) == {}


def test_what_is_mounted_in_what_is_mounted_is_the_container_s(tmp_path: Path) -> None:
    """It can put a link in its place; at its next start the engine would follow it."""
    (tmp_path / "data").mkdir()
    put(tmp_path, "outside/file", "x")
    (tmp_path / "data/inner").symlink_to(tmp_path / "outside")
    assert ServerFiles({"/data": str(tmp_path / "data"), "/inner": str(tmp_path / "data/inner")}).size("/inner/file") is None
    # The operator's own link.
    assert ServerFiles({"/inner": str(tmp_path / "data/inner")}).size("/inner/file") == 1


# What the container finds.


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("/root/.xinference", True),
        ("/root/.xinference/logs/xinference.log", True),
        ("/root/.xinference/link/xinference.log", True),
        ("/root/.xinference/link/none", False),
        ("/root/.xinference/round", False),
        ("/root/.xinference/logs/xinference.log/below", False),
        ("/root/.xinference/out", None),
        ("/elsewhere", None),
        ("/root/.xinference/" + "x" * 300, None),
    ],
)
def test_whether_the_container_finds_something(filled: ServerFiles, data: Path, path: str, found: bool | None) -> None:
    (data / "link").symlink_to("/root/.xinference/logs")
    (data / "round").symlink_to("round")
    (data / "out").symlink_to("/etc/passwd")
    assert filled.has(path) is found


# The beginning of files, and their checksums.


def test_the_beginning_of_a_file_behind_links(home: ServerFiles, data: Path) -> None:
    put(data, "blobs/one", "content")
    (data / "link").symlink_to("/root/.xinference/blobs/one")
    for path in ("blobs/one", "link"):
        assert home.beginning(f"{DEFAULT_HOME}/{path}", 3) == b"con"
    assert home.sha256(f"{DEFAULT_HOME}/blobs/one") == hashlib.sha256(b"content").hexdigest()
    # Its caller has followed the links.
    assert home.sha256(f"{DEFAULT_HOME}/link") == ""


@pytest.mark.parametrize("target", ["../outside", "/etc/passwd", "circle", "nowhere"])
def test_nothing_is_read_where_the_container_sees_nothing(home: ServerFiles, data: Path, target: str) -> None:
    put(data, "../outside", "root's own")
    (data / "circle").symlink_to(target)
    os.mkfifo(data / "pipe")
    for path in (f"{DEFAULT_HOME}/circle", f"{DEFAULT_HOME}/pipe", f"{DEFAULT_HOME}/none", DEFAULT_HOME, "/etc/passwd"):
        assert home.beginning(path, 100) == b""
        assert home.sha256(path) == ""


def test_as_many_lines_of_the_log_as_are_asked_for(home: ServerFiles, data: Path) -> None:
    put(data, "logs/xinference.log", "".join(f"chat {number}\n" for number in range(50)))
    assert home.log_tail("chat", lines=40) == [f"chat {number}" for number in range(10, 50)]
    assert len(home.log_tail("chat", lines=400)) == 50
