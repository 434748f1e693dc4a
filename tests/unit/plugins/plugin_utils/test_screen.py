# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where lines are shown."""

from __future__ import annotations

import pytest

from ansible_collections.inferops.xinference.plugins.plugin_utils.screen import to_stderr


@pytest.mark.parametrize(
    ("callback", "elsewhere"),
    [("default", False), ("ansible.builtin.default", False), ("ansible.posix.debug", False), ("json", True), ("ansible.posix.jsonl", True)],
)
def test_output_for_programs_is_left_to_them(monkeypatch: pytest.MonkeyPatch, callback: str, elsewhere: bool) -> None:
    monkeypatch.setenv("ANSIBLE_STDOUT_CALLBACK", callback)
    assert to_stderr() is elsewhere
