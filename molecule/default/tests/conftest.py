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
def port() -> int:
    """Published port."""
    return int(os.environ["XINFERENCE_TEST_PORT"])


@pytest.fixture
def root() -> str:
    """The volume tree."""
    return str(Path(__file__).parents[3] / "build" / "molecule" / "default" / "xinference_data")


@pytest.fixture
def server(host: Any, port: int) -> Server:
    """The server."""
    return Server(host, port, "marked-secret-of-the-default-scenario")
