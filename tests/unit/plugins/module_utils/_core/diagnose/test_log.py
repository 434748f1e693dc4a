# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Why a model did not load, by lines in the words of servers and engines."""

from __future__ import annotations

import pytest

from ansible_collections.inferops.xinference.plugins.module_utils._core.diagnose.log import first_cause

#: How servers of 4 and of 1 to 3 begin a line.
NEW = "2026-11-22T12:00:00.123Z {} xinference.core.worker pid:11 role:worker address:0.0.0.0:20425 node:abc "
OLD = "2026-11-22 12:00:00,123 xinference.core.worker 11 {:<8} "


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("ModuleNotFoundError: No module named 'xllamacpp'", "missing package"),
        ("ImportError: Failed to import module 'vllm'", "missing package"),
        ("ImportError: cannot import name 'LlamaCpp'", "missing package"),
        ("sentence-transformers is not installed", "missing package"),
        ("Please install it with pip", "missing package"),
        ("1.2 E gguf_init_from_file_impl: invalid magic characters: 'XXXX', expected 'GGUF'", "damaged file"),
        ("0.1 E llama_model_load: error loading model: tensor 'blk.3' data is not within the file bounds, model is corrupted or incomplete", "damaged file"),
        ("gguf_init_from_file_impl: failed to read header", "damaged file"),
        ("safetensors_rust.SafetensorError: Error while deserializing header: MetadataIncompleteBuffer", "damaged file"),
        ("RuntimeError: PytorchStreamReader failed reading zip archive", "damaged file"),
        ("FileNotFoundError: [Errno 2] No such file or directory: '/models/a.gguf'", "missing file"),
        ("ValueError: model path /models/a.gguf does not exist", "missing file"),
        ("0.1 E gguf_init_from_file: failed to open GGUF file '/models/a.gguf'", "missing file"),
        ("OSError: /models/a does not appear to have a file named config.json", "missing file"),
        ("Illegal instruction (core dumped)", "processor"),
        ("process ended by signal 4", "processor"),
        ("MemoryError", "memory"),
        ("OSError: [Errno 12] Cannot allocate memory", "memory"),
        ("terminate called after throwing an instance of 'std::bad_alloc'", "memory"),
        ("RuntimeError: [enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory", "memory"),
        ("0.1 E ggml_backend_cpu_buffer_type_alloc_buffer: failed to allocate buffer of size 1", "memory"),
        ("process was killed: SIGKILL", "memory"),
        ("process 17 ended by signal 9", "memory"),
        ("sub pool exited with -9", "memory"),
        ("exit code -9", "memory"),
        ("0.1 E llama_model_load: error loading model architecture: unknown model architecture: 'new'", "unsupported model"),
        ("unknown pre-tokenizer type: 'new'", "unsupported model"),
        ("Quantization Q9_K is not supported", "unsupported model"),
        ("ValueError: Model qwen3 cannot be run on engine vLLM.", "unsupported model"),
        ("requests.exceptions.ConnectionError: Max retries exceeded with url: /api/models/x", "hub unreachable"),
        ("socket.gaierror: [Errno -3] Temporary failure in name resolution", "hub unreachable"),
        ("huggingface_hub.errors.LocalEntryNotFoundError: outgoing traffic has been disabled", "hub unreachable"),
        ("OSError: [Errno 101] Network is unreachable", "hub unreachable"),
        ("OSError: [Errno 98] Address already in use", "port in use"),
        ("PermissionError: [Errno 13] Permission denied: '/root/.xinference/cache'", "no permission"),
        ("OSError: [Errno 1] Operation not permitted", "no permission"),
        ("OSError: [Errno 28] No space left on device", "no space"),
        ("OSError: [Errno 122] Disk quota exceeded", "no space"),
    ],
)
def test_each_reason_by_its_words(line: str, name: str) -> None:
    for written in (line, line.upper(), NEW.format("ERROR") + line, OLD.format("ERROR") + line, f"  {line}  "):
        cause = first_cause([written])
        assert cause is not None
        assert (cause.name, cause.line) == (name, written.strip())
        assert cause.remedy.endswith(".")


@pytest.mark.parametrize(
    "lines", [[], [""], ["Loading model", "Traceback (most recent call last):", "RuntimeError: it failed", "exited with 9", "signal 44", "signal 99"]]
)
def test_lines_without_a_reason(lines: list[str]) -> None:
    assert first_cause(lines) is None


def test_the_first_reason_counts_and_not_what_follows_from_it() -> None:
    lines = ["Traceback", "FileNotFoundError: '/models/a.gguf'", "MemoryError", "ModuleNotFoundError"]
    cause = first_cause(iter(lines))
    assert cause is not None
    assert (cause.name, cause.line) == ("missing file", lines[1])


@pytest.mark.parametrize("begins", [NEW, OLD], ids=["4.1.0", "1.17.1"])
@pytest.mark.parametrize("level", ["DEBUG", "INFO"])
def test_lines_that_tell_what_goes_well_name_no_reason(begins: str, level: str) -> None:
    assert first_cause([begins.format(level) + "cache /models/a does not exist, downloading", "later"]) is None


@pytest.mark.parametrize("begins", [NEW, OLD], ids=["4.1.0", "1.17.1"])
@pytest.mark.parametrize("level", ["WARNING", "ERROR", "CRITICAL"])
def test_lines_of_other_levels_may(begins: str, level: str) -> None:
    cause = first_cause([begins.format(level) + "there is no INFO of it, MemoryError"])
    assert cause is not None
    assert cause.name == "memory"


def test_what_was_written_is_shown_without_escapes_secrets_or_end() -> None:
    cause = first_cause(["\x1b[31mMemoryError\x07\u202e envs={'HF_TOKEN': 'hunter2'} " + "W" * 50_000])
    assert cause is not None
    assert cause.line.isprintable()
    assert len(cause.line) <= 2000
    assert "hunter2" not in cause.line


def test_a_long_line_is_read_in_no_time_that_grows_with_its_square() -> None:
    """Each pattern goes over a line a bounded number of times: a million characters would take hours otherwise."""
    for part in ("x", "quantization ", "ImportError: ", "exit code ", " "):
        assert first_cause([part * (20_000 // len(part))]) is None or part == "ImportError: "
