# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a running model was launched with: our records, autostart entries, the worker's arguments, the file of this host."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.inferops.xinference.plugins.module_utils._core.base.errors import XinferenceError
from ansible_collections.inferops.xinference.plugins.module_utils._core.observed.last_applied import (
    RECORD,
    Applied,
    Entry,
    Record,
    StateFile,
    cleaned,
    entries_of,
    from_worker,
    launched_by_entry,
    recorded,
)
from ansible_collections.inferops.xinference.plugins.module_utils._core.server.rows import AutostartRow, HistoryRow

REQUEST = {"model_uid": "chat", "model_name": "qwen3", "model_type": "LLM", "replica": 1, "n_ctx": 2048}
SPECIFICATION = {"version": 2, "model_name": "qwen3"}


def row(uid: str = "chat", name: str = RECORD, **changes: Any) -> HistoryRow:
    """A row of the launch history, as a server answers it."""
    answered = {
        "id": 1,
        "model_name": name,
        "model_uid": uid,
        "data": {"request": REQUEST, "created": 1700000000, "registration": None},
        "ui_data": {},
        "autostart_enabled": False,
        "autostart_priority": 100,
        "autostart_max_retries": 3,
        "autostart_retry_interval_seconds": 30,
        "created_by": "admin",
        "updated_by": "admin",
        "created_at": "2026-01-31T12:00:00Z",
        "updated_at": "2026-01-31T12:00:00Z",
        "is_owner": True,
        **changes,
    }
    return cast("HistoryRow", answered)


# Records in the launch history.


def test_our_rows_are_records() -> None:
    data = {"request": REQUEST, "created": 1700000000, "registration": SPECIFICATION}
    # The name is what older records are found by.
    assert RECORD == "inferops.xinference"
    assert recorded([row(data=data), row("plain")]) == {
        "chat": Record(REQUEST, 1700000000, SPECIFICATION),
        "plain": Record(REQUEST, 1700000000),
    }


@pytest.mark.parametrize(
    "changes",
    [
        # A launch of the user interface, whose data is the request itself.
        {"name": "qwen3", "data": REQUEST},
        {"name": "qwen3"},
        # Of another account the server shows a few harmless fields only.
        {"is_owner": False},
        {"data": {}},
        {"data": "damaged"},
        {"data": None},
        {"data": {"request": REQUEST}},
        {"data": {"request": "chat", "created": 1}},
        {"data": {"request": REQUEST, "created": "1700000000"}},
    ],
)
def test_other_rows_are_no_records(changes: dict[str, Any]) -> None:
    assert recorded([row(**changes)]) == {}


def test_a_row_that_names_no_owner_counts() -> None:
    plain = row()
    del plain["is_owner"]
    assert recorded([plain]) == {"chat": Record(REQUEST, 1700000000)}


def test_a_record_comes_back_as_it_was_stored() -> None:
    record = Record(REQUEST, 1700000000, SPECIFICATION)
    assert recorded([row(data=json.loads(json.dumps(record.data())))]) == {"chat": record}


# Autostart entries.


def test_enabled_rows_are_entries() -> None:
    rows = [
        row("chat", "qwen3", autostart_enabled=True, autostart_priority=7, autostart_max_retries=8, autostart_retry_interval_seconds=9, data=REQUEST),
        row("off", "qwen3", data=REQUEST),
    ]
    assert entries_of(rows) == {"chat": Entry("chat", 7, 8, 9, REQUEST)}
    assert entries_of(rows)["chat"].policy == {"priority": 7, "max_retries": 8, "retry_interval_seconds": 9}
    # 2026-01-31 12:00:00 UTC.
    assert entries_of(rows)["chat"].updated == 1769860800.0


def test_an_entry_without_a_uid_is_named_like_its_model() -> None:
    assert list(entries_of([row("", "qwen3", autostart_enabled=True)])) == ["qwen3"]


def test_the_launch_of_another_account_s_entry_is_not_known() -> None:
    entries = entries_of([row("chat", "qwen3", autostart_enabled=True, is_owner=False, data={"model_uid": "chat"})])
    assert entries == {"chat": Entry("chat", 100, 3, 30, None)}


@pytest.mark.parametrize("data", ["damaged", None, 3])
def test_the_launch_of_a_damaged_entry_is_not_known(data: Any) -> None:
    assert entries_of([row("chat", "qwen3", autostart_enabled=True, data=data)])["chat"].launch is None


def test_empty_values_of_an_entry_are_left_out() -> None:
    entry = entries_of([row("chat", "qwen3", autostart_enabled=True, data={**REQUEST, "n_gpu": None})])["chat"]
    assert entry.launch == REQUEST == cleaned({**REQUEST, "n_gpu": None, "quantization": None})


@pytest.mark.parametrize("updated", [None, "", "yesterday", 7])
def test_a_time_that_cannot_be_read_is_none(updated: Any) -> None:
    assert entries_of([row("chat", "qwen3", autostart_enabled=True, updated_at=updated)])["chat"].updated == 0.0


def test_servers_before_autostart_have_no_entries() -> None:
    old = cast("HistoryRow", {key: value for key, value in row().items() if not key.startswith("autostart")})
    assert entries_of([old]) == {}
    assert recorded([old]) == {"chat": Record(REQUEST, 1700000000)}


WRITTEN = 1769860800
ENTRY = Entry("chat", 100, 3, 30, REQUEST, float(WRITTEN))


def answer(begun: Any, uid: str = "chat") -> AutostartRow:
    """An autostart entry with its state, as far as it is read."""
    return {"enabled": True, "launch": {"model_uid": uid}, "state": {"last_attempt_ts": begun}}


@pytest.mark.parametrize(
    ("begun", "created", "by_entry"),
    [
        (WRITTEN + 100, WRITTEN + 100, True),
        (WRITTEN + 100, WRITTEN + 103, True),
        (WRITTEN, WRITTEN + 1, True),
        # The entry was changed after the server launched the model from it.
        (WRITTEN - 1, WRITTEN + 1, False),
        # A client launched the model before autostart polled, or long after.
        (WRITTEN + 100, WRITTEN + 99, False),
        (WRITTEN + 100, WRITTEN + 115, True),
        (WRITTEN + 100, WRITTEN + 116, False),
        (WRITTEN + 100, WRITTEN + 400, False),
        # The server did not try.
        (None, WRITTEN + 1, False),
        ("soon", WRITTEN + 1, False),
    ],
)
def test_whether_autostart_launched_a_model(begun: Any, created: int, by_entry: bool) -> None:
    assert launched_by_entry(ENTRY, [answer(WRITTEN + 100, "other"), answer(begun)], created) is by_entry


def test_autostart_did_not_launch_what_it_does_not_name() -> None:
    assert not launched_by_entry(ENTRY, [answer(WRITTEN + 100, "other"), {}], WRITTEN + 100)


def test_the_entry_of_another_account_shows_nothing() -> None:
    assert not launched_by_entry(Entry("chat", 100, 3, 30, None, float(WRITTEN)), [answer(WRITTEN + 100)], WRITTEN + 100)


# The worker's arguments.


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
    "driver_info": {"rank": 0},
    "peft_model_config": None,
    "request_limits": None,
    "gpu_idx": [0],
    "download_hub": "huggingface",
    "model_path": "/models/a.gguf",
    "enable_virtual_env": None,
    "virtual_env_packages": None,
    "envs": {"A": "1"},
    "virtual_env_find_links": None,
    "xavier_config": {"rank": 0},
    "model_python_executable": "/venv/bin/python",
    "download_cache_uid": "chat.1",
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
    "replica": 2,
    "n_gpu": "auto",
    "download_hub": "huggingface",
    "model_path": "/models/a.gguf",
    "envs": {"A": "1"},
    "n_ctx": 2048,
}
#: What the supervisor uses up before the worker gets the request.
USED_UP = frozenset({"worker_ip", "gpu_idx", "n_worker"})


def test_a_worker_s_arguments_as_a_launch_request() -> None:
    assert from_worker(ARGUMENTS, "chat", 2) == Applied(LAUNCHED, "worker", USED_UP)


def test_adapters_are_written_as_the_name_of_an_object_and_show_nothing() -> None:
    arguments = {**ARGUMENTS, "peft_model_config": "<xinference.types.PeftModelConfig object at 0x7f1c5c0b1d50>"}
    assert from_worker(arguments, "chat", 2) == Applied(LAUNCHED, "worker", USED_UP | {"peft_model_config"})


@pytest.mark.parametrize(
    ("envs", "kept"),
    [
        ({"A": "1", "PYTORCH_CUDA_ALLOC_CONF": "expandable_segments:True"}, {"envs": {"A": "1"}}),
        ({"PYTORCH_CUDA_ALLOC_CONF": "expandable_segments:True"}, {}),
        ({}, {}),
        (None, {}),
    ],
)
def test_variables_that_the_server_adds_are_left_out(envs: dict[str, str] | None, kept: dict[str, Any]) -> None:
    without = {key: value for key, value in LAUNCHED.items() if key != "envs"}
    assert from_worker({**ARGUMENTS, "envs": envs}, "chat", 2).request == {**without, **kept}


# The file of this host.


@given(
    st.dictionaries(
        st.text(min_size=1, max_size=5),
        st.builds(
            Record,
            st.dictionaries(st.text(max_size=5), st.none() | st.integers() | st.text(max_size=5), max_size=3),
            st.integers(0, 2**40),
            st.none() | st.just(SPECIFICATION),
        ),
        max_size=3,
    )
)
def test_the_file_gives_back_what_was_saved(tmp_path_factory: pytest.TempPathFactory, records: dict[str, Record]) -> None:
    file = StateFile(str(tmp_path_factory.mktemp("state") / "state.json"))
    file.save(records)
    assert file.load() == records


def test_only_the_owner_can_read_the_file(tmp_path: Path) -> None:
    path = tmp_path / "deeper" / "state.json"
    for _time in range(2):
        StateFile(str(path)).save({"chat": Record({"envs": {"HF_TOKEN": "hunter2"}}, 1)})
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [item.name for item in path.parent.iterdir()] == ["state.json"]


def test_a_failure_while_the_file_is_written_leaves_the_old_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = StateFile(str(tmp_path / "state.json"))
    file.save({"chat": Record(REQUEST, 1)})

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(XinferenceError) as raised:
        file.save({"other": Record(REQUEST, 2)})
    assert str(raised.value) == f"state_path '{tmp_path / 'state.json'}' cannot be written: No space left on device."
    assert file.load() == {"chat": Record(REQUEST, 1)}
    assert [item.name for item in tmp_path.iterdir()] == ["state.json"]


@pytest.mark.parametrize(
    "content",
    ["", "{", "[]", "7", "null", '"text"', '{"chat": null}', '{"chat": {"request": {}}}', '{"chat": {"request": 1, "created": 2}}', b"\xff\xfe", "[" * 200_000],
)
def test_a_damaged_file_counts_as_none(tmp_path: Path, content: str | bytes) -> None:
    path = tmp_path / "state.json"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    assert StateFile(str(path)).load() == {}


def test_what_is_whole_in_a_file_that_is_damaged_in_part_counts(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    path.write_text(json.dumps({"chat": Record(REQUEST, 1).data(), "bad": {"created": 1}}), encoding="utf-8")
    assert StateFile(str(path)).load() == {"chat": Record(REQUEST, 1)}


def test_a_file_that_does_not_exist_yet_holds_nothing(tmp_path: Path) -> None:
    assert StateFile(str(tmp_path / "deeper" / "state.json")).load() == {}


def test_a_file_that_cannot_be_read_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(XinferenceError) as raised:
        StateFile(str(tmp_path)).load()
    assert str(raised.value) == f"state_path '{tmp_path}' cannot be read: Is a directory."


def test_a_service_leads_root_to_no_other_file(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    (tmp_path / "other").write_text(json.dumps({"chat": Record(REQUEST, 1).data()}), encoding="utf-8")
    path.symlink_to("other")
    with pytest.raises(XinferenceError, match="cannot be read: Too many levels of symbolic links"):
        StateFile(str(path)).load()
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(XinferenceError, match="cannot be read: it is no regular file"):
        StateFile(str(path)).load()


def test_without_a_path_nothing_is_kept() -> None:
    StateFile(None).save({"chat": Record(REQUEST, 1)})
    assert StateFile(None).load() == {}
