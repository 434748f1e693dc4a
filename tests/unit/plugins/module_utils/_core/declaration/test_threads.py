# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Models that have more threads than there are cores."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.inferops.xinference.plugins.module_utils._core.declaration.model import DeclaredModel
from ansible_collections.inferops.xinference.plugins.module_utils._core.declaration.threads import too_many_threads


def models(**threads: Any) -> list[DeclaredModel]:
    """Models with so many threads."""
    return [DeclaredModel(uid, given={"engine_options": options if options == "auto" else {"n_threads": options}}) for uid, options in threads.items()]


@pytest.mark.parametrize("threads", [{}, {"a": 4}, {"a": 2, "b": 2}, {"a": "auto", "b": 4}, {"a": True}, {"a": "64", "b": 4.5}, {"a": None}])
def test_threads_that_fit(threads: dict[str, Any]) -> None:
    assert too_many_threads(models(**threads), 4.0) == []


def test_a_model_alone() -> None:
    # What all have together is then no second problem.
    (found,) = too_many_threads(models(a=5, b=4), 4.0)
    assert (found.uid, found.seen) == ("a", "Model 'a' has n_threads 5, and the container may use 4 cores.")
    assert found.remedy == "Set engine_options.n_threads to 4, or to auto."


@pytest.mark.parametrize(("cores", "advice"), [(0.5, 1), (1.9, 1), (2.0, 2)])
def test_parts_of_cores(cores: float, advice: int) -> None:
    (found,) = too_many_threads(models(a=3), cores)
    assert found.remedy == f"Set engine_options.n_threads to {advice}, or to auto."


def test_all_together() -> None:
    (found,) = too_many_threads(models(a=4, b=1), 4.0)
    assert (found.uid, found.seen) == ("", "Models together have 5 threads (a 4, b 1) for 4 cores.")
