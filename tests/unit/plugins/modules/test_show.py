# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The documentation of the action plugin show, which has no module of its own."""

from __future__ import annotations

from typing import Any

import yaml

from ansible_collections.inferops.xinference.plugins.action.show import LONGEST, SPECIFICATION
from ansible_collections.inferops.xinference.plugins.modules import show


def test_the_documented_options_are_those_of_the_action_plugin() -> None:
    page: dict[str, Any] = yaml.safe_load(show.DOCUMENTATION)
    options = {name: {field: option[field] for field in ("type", "elements", "required")} for name, option in page["options"].items()}
    assert options == SPECIFICATION
    assert f"more than {LONGEST} characters" in " ".join(page["description"])


def test_all_that_it_returns_is_documented() -> None:
    assert list(yaml.safe_load(show.RETURN)) == ["lines"]
