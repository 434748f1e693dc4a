# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A plugin of pytest: leaves out what ``make test`` has no time for. Such a test has the mark ``test_all`` with the reason; ``make test-all`` runs it."""

from __future__ import annotations

from collections import Counter

import pytest

from ansible_collections.inferops.xinference.tests.machine import WHOLE

_REASONS = pytest.StashKey[Counter[str]]()


def pytest_configure(config: pytest.Config) -> None:
    """Declare the mark."""
    config.addinivalue_line("markers", "test_all(reason): only make test-all runs it, for this reason")
    config.stash[_REASONS] = Counter()


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out the marked ones, before the tests are sorted."""
    deselected = [item for item in items if item.get_closest_marker("test_all")] if not WHOLE else []
    for item in deselected:
        mark = item.get_closest_marker("test_all")
        (reason,) = mark.args if mark else ("",)
        config.stash[_REASONS][reason] += 1
    if deselected:
        items[:] = [item for item in items if item not in deselected]
        config.hook.pytest_deselected(items=deselected)


def pytest_report_collectionfinish(config: pytest.Config) -> list[str]:
    """Say what was left out, and why."""
    return [f"only in make test-all: {number} {'test' if number == 1 else 'tests'}, {reason}" for reason, number in config.stash[_REASONS].items()]
