# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host that could not be read, and one that was diagnosed."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.inferops.xinference.plugins.filter.host_diagnosis import FilterModule as HostDiagnosis

host_diagnosis = HostDiagnosis().filters()["host_diagnosis"]
FOUND: dict[str, Any] = {"severity": "ok", "findings": []}


def test_what_the_role_registered_is_returned() -> None:
    assert host_diagnosis({"_xinference_diagnosed": {"changed": False, "diagnosis": FOUND}}) == FOUND


@pytest.mark.parametrize(
    "variables", [{}, *({"_xinference_diagnosed": found} for found in (None, {}, {"unreachable": True}, {"failed": True, "msg": "x"}, {"diagnosis": "text"}))]
)
def test_a_host_that_could_not_be_read_is_critical(variables: dict[str, Any]) -> None:
    found = host_diagnosis(variables)
    assert (found["severity"], found["server"], found["image"], found["models"], found["checks"]) == ("critical", None, None, [], [])
    assert [(each["check"], each["seen"]) for each in found["findings"]] == [("host", "The host could not be read.")]
