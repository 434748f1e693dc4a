# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a server may use of its machine, as its workers report it."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.inferops.xinference.plugins.module_utils._core.observed.limits import Limits, read_limits
from ansible_collections.inferops.xinference.tests.unit.plugins.module_utils._core.fake_server import FakeServer, Script


@pytest.mark.parametrize(
    ("run_options", "limits"),
    [
        ({}, Limits(4.0, 24105)),
        ({"cores": 1.5}, Limits(1.5, 24105)),
        ({"memory_mib": 900}, Limits(4.0, 900)),
        ({"cores": 1.5, "memory_mib": 900}, Limits(1.5, 900)),
    ],
)
def test_what_the_server_may_use_is_given_or_asked(run_options: dict[str, Any], limits: Limits) -> None:
    server = FakeServer()
    assert read_limits(server, run_options.get("cores"), run_options.get("memory_mib")) == limits
    assert [name for name, _argument in server.calls] == ([] if len(run_options) == 2 else ["status"])


def test_a_server_without_workers_has_no_memory_to_count() -> None:
    assert read_limits(Script(("status", {"uptime": 1, "workers": {}})), None, None) == Limits(1.0, 0)
    assert read_limits(Script(("status", {"workers": None})), 2, None) == Limits(2, 0)
