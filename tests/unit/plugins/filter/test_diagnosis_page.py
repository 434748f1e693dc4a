# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter that makes a page of diagnoses."""

from __future__ import annotations

from ansible_collections.inferops.xinference.plugins.filter.diagnosis_page import FilterModule
from ansible_collections.inferops.xinference.tests.unit.plugins.module_utils._core.diagnose.fleets import small

diagnosis_page = FilterModule().filters()["diagnosis_page"]


def test_the_page() -> None:
    page = diagnosis_page(small())
    assert page.startswith("<!doctype html>\n")
    assert "<h2>web3</h2>" in page
