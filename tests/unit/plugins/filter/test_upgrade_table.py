# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a new server says, as a table."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.inferops.xinference.plugins.filter.upgrade_table import FilterModule

upgrade_table = FilterModule().filters()["upgrade_table"]
ASKED: dict[str, Any] = {
    "running_version": "4.1.0",
    "server_version": "4.2.0",
    "same_image": False,
    "models": [
        {"uid": "chat", "today": "llama.cpp, ggufv2, 0_6, Q4_K_M", "then": "is offered with llama.cpp", "refused": False},
        {"uid": "embed", "today": "does not run", "then": "name 'bge' is not in the server's catalogue", "refused": True},
    ],
    "problems": ["models (uid 'embed'): name 'bge' is not in the server's catalogue."],
    "notes": ["The new server calls account 'ann' 'anna'."],
}


def test_the_table() -> None:
    assert upgrade_table(ASKED) == [
        "MODEL  TODAY (4.1.0)                   THEN (4.2.0)",
        "chat   llama.cpp, ggufv2, 0_6, Q4_K_M  is offered with llama.cpp",
        "embed  does not run                    refused",
        "models (uid 'embed'): name 'bge' is not in the server's catalogue.",
        "The new server calls account 'ann' 'anna'.",
    ]


def test_without_models() -> None:
    assert upgrade_table({**ASKED, "models": [], "problems": [], "notes": []}) == ["MODEL  TODAY (4.1.0)  THEN (4.2.0)", "-      -              -"]


@pytest.mark.parametrize(("running", "then"), [(None, ""), ("", "")])
def test_a_version_that_nobody_knows(running: str | None, then: str) -> None:
    header, _line = upgrade_table({**ASKED, "models": [], "problems": [], "notes": [], "running_version": running, "server_version": then})
    assert header == "MODEL  TODAY (version unknown)  THEN (version unknown)"
