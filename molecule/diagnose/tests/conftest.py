# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fixtures of the scenario: the playbook, and where each test begins and ends."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "shared"))

from diagnosed import Diagnosed, is_ready

from ansible_collections.inferops.xinference.tests.machine import wait_until


@pytest.fixture
def diagnose(host: Any, tmp_path: Path) -> Diagnosed:
    """Runs the playbook, which asks for the API where the network reaches it, on a machine whose models answer."""
    wait_until(lambda: is_ready(host), "all models answer", pause=1)
    return Diagnosed(tmp_path, xinference_diagnose_address=str(host.check_output("hostname --ip-address")).split()[0])
