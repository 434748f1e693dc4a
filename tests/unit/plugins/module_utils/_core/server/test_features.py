# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The table of features, and the page that shows it."""

from __future__ import annotations

from pathlib import Path

from ansible_collections.inferops.xinference.plugins.module_utils._core.server.features import FEATURES

PAGE = Path(__file__).resolve().parents[6] / "docs/models.md"


def test_they_stand_in_the_order_of_their_versions_and_each_is_there_once() -> None:
    versions = [tuple(int(part) for part in feature.since.split(".")) for feature in FEATURES]
    assert versions == sorted(versions)
    assert len({feature.name for feature in FEATURES}) == len(FEATURES)


def test_the_page_shows_the_table() -> None:
    section = PAGE.read_text(encoding="utf-8").partition("## What depends on the server's version\n")[2].partition("\n## ")[0]
    rows = [tuple(cell.strip() for cell in line.strip("|").split("|")) for line in section.splitlines() if line.startswith("|")]
    assert rows[2:] == [(feature.since, feature.name, feature.probe, feature.without) for feature in FEATURES]
