# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fixtures of the scenario."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "shared"))

from serving import Server


@pytest.fixture
def server(host: Any) -> Server:
    """The server."""
    return Server(host, 9997, "marked-secret-of-the-upgrade-scenario")


@pytest.fixture
def version() -> str:
    """Version of the server before the upgrade."""
    return os.environ["XINFERENCE_TEST_VERSION"]
