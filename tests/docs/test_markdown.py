# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The form of what people read: lines of prose that fit into a window, and links that lead somewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

TOP = Path(__file__).parents[2]
PAGES = sorted(str(page.relative_to(TOP)) for place in ("*.md", "awx/*.md", "docs/*.md", "roles/*/*.md") for page in TOP.glob(place))
WIDTH = 120
#: Of a row of a table, and of a cell: one sentence.
ROW, CELL = 160, 92
LINK = re.compile(r"\]\((?!https?:)([^)#\s]*)(#[^)\s]*)?\)")


def prose(page: str) -> list[tuple[int, str]]:
    """Numbered lines, without tables and code."""
    lines, code = [], False
    for number, line in enumerate((TOP / page).read_text(encoding="utf-8").splitlines(), 1):
        fence = line.lstrip().startswith("```")
        code ^= fence
        if not (code or fence or line.startswith(("|", "    "))):
            lines.append((number, line))
    return lines


def rows(page: str) -> list[tuple[int, str]]:
    """Numbered rows of tables."""
    return [(number, line) for number, line in enumerate((TOP / page).read_text(encoding="utf-8").splitlines(), 1) if line.startswith("|")]


def anchor(heading: str) -> str:
    """The name by which a page is linked to one of its headings."""
    return "#" + re.sub(r"[^\w\- ]", "", heading.lstrip("# ").lower()).replace(" ", "-")


@pytest.mark.parametrize("page", [page for page in PAGES if page != "CHANGELOG.md"])
def test_lines_are_not_too_long(page: str) -> None:
    assert [f"{page}:{number}" for number, line in prose(page) if len(line) > WIDTH] == []


@pytest.mark.parametrize("page", [page for page in PAGES if page != "docs/tested.md"])
def test_tables_have_short_cells(page: str) -> None:
    assert [f"{page}:{number}" for number, row in rows(page) if len(row) > ROW or any(len(cell.strip()) > CELL for cell in row.split("|"))] == []


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page: str) -> None:
    for target, place in LINK.findall("\n".join((TOP / page).read_text(encoding="utf-8").splitlines())):
        linked = (TOP / page).parent / target if target else TOP / page
        assert linked.exists(), target
        if place:
            assert place in {anchor(line) for _number, line in prose(str(linked.resolve().relative_to(TOP))) if line.startswith("#")}, (target, place)
