# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter that shows diagnoses on a screen."""

from __future__ import annotations

from ansible_collections.inferops.xinference.plugins.filter.diagnosis_table import FilterModule
from ansible_collections.inferops.xinference.tests.unit.plugins.module_utils._core.diagnose.fleets import small

diagnosis_table = FilterModule().filters()["diagnosis_table"]


def test_the_table() -> None:
    lines = diagnosis_table(small())
    assert lines[0].split() == ["HOST", "SEVERITY", "CHECK", "SUBJECT", "SEEN"]
    assert lines[-1] == "web1: nothing found; 18 checks"
