# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The server's own figures that dashboards ask for, compared with a list in tests/monitoring. Scenario monitoring sees to those of its worker."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families
from real_server import Server

from ansible_collections.inferops.xinference.tests.machine import VERSION, wait_until

LISTED = yaml.safe_load((Path(__file__).parents[1] / "monitoring/server_metrics.yml").read_text(encoding="utf-8"))["server"]


@pytest.mark.skipif(VERSION.startswith("1."), reason="servers before 2.8 have figures of other names")
def test_the_listed_figures_are_there(server: Server, played: dict[str, Any]) -> None:
    """Names of all; the labels of those that the server has after the calls of the play, such as those of requests."""
    assert played

    def exposed() -> dict[str, set[str]]:
        with urlopen(f"{server.endpoint}/metrics", timeout=30) as answer:
            families = list(text_string_to_metric_families(answer.read().decode()))
        found: dict[str, set[str]] = {}
        for family in families:
            found.setdefault(family.name, set())
            for sample in family.samples:
                found[sample.name] = set(sample.labels)
                if family.type == "counter":
                    # The parser lets the name of each counter end so.
                    found[sample.name.removesuffix("_total")] = set(sample.labels)
        return found

    # Gauges are renewed every 15 s.
    wait_until(lambda: "xinference:workers_total" in exposed(), "the figures of the supervisor are there", pause=1)
    found = exposed()
    assert set(LISTED) <= set(found)
    for name, labels in LISTED.items():
        assert found[name] in (set(labels), set()), name
    assert found["requests_total_counter"] == {"method", "path"}
