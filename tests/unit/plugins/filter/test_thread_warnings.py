# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Declared models whose threads wait for each other."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.inferops.xinference.plugins.filter.thread_warnings import FilterModule as ThreadWarnings

thread_warnings = ThreadWarnings().filters()["thread_warnings"]


def model(uid: str, threads: Any, **differs: Any) -> dict[str, Any]:
    """A declared model."""
    return {
        **{"uid": uid, "name": "qwen3", "engine": "llama.cpp", "format": "ggufv2", "size_in_billions": "0_6", "quantization": "Q4_K_M"},
        "engine_options": threads if threads == "auto" else {"n_threads": threads},
        **differs,
    }


@pytest.mark.parametrize(
    "declared",
    [
        [],
        None,
        "chat",
        [7, {"uid": "chat"}],
        [model("chat", 4)],
        [model("chat", 2), model("code", 2)],
        # Chosen for this host, and by the collection.
        [model("chat", "auto"), model("code", 4)],
        [model("chat", 4), model("code", 64, state="absent")],
    ],
)
def test_threads_that_fit(declared: Any) -> None:
    assert thread_warnings(declared, 4) == []


def test_more_threads_than_cores() -> None:
    alone = "Model 'chat' has n_threads 8, and the container may use 4 cores. Threads wait for each other, and the model answers slower than with fewer. "
    assert thread_warnings([model("chat", 8), model("code", 1)], "4") == [f"{alone}Set engine_options.n_threads to 4, or to auto."]
    together = "Models together have 6 threads (chat 4, code 2) for 4 cores. When they answer at the same time, each is slower. "
    assert thread_warnings([model("chat", 4), model("code", 2)], 4.0) == [f"{together}Give each fewer threads, if they do."]
