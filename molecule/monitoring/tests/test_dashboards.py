# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each query of each dashboard, asked of a real Prometheus while models are asked, gives data."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from conftest import Prometheus
from serving import Server

from ansible_collections.inferops.xinference.tests.machine import wait_until

DASHBOARDS = sorted((Path(__file__).parents[3] / "roles/monitoring/files/dashboards").glob("*.json"))
VARIABLES = {"$instance": "xinference-molecule-monitoring", "$model": "chat"}


def filled(expression: str) -> str:
    """An expression with values in place of the dashboard's variables."""
    for name, value in VARIABLES.items():
        expression = expression.replace(name, value)
    return expression


def queries() -> list[tuple[str, str]]:
    """Title and expression of each query."""
    return [
        (f"{path.stem}: {panel['title']}", filled(target["expr"]))
        for path in DASHBOARDS
        for panel in json.loads(path.read_text(encoding="utf-8"))["panels"]
        for target in panel["targets"]
    ]


def test_the_role_wrote_them(host: Any) -> None:
    for path in DASHBOARDS:
        assert host.file(f"/srv/dashboards/{path.name}").content_string == path.read_text(encoding="utf-8")


def test_every_query_gives_data(host: Any, prometheus: Prometheus, server: Server) -> None:
    # The age of a backup wants one.
    host.check_output("systemctl start xinference-backup")
    missing = dict(queries())
    assert len(missing) > 30

    def all_there() -> bool:
        """Ask both models, and then what is still missing."""
        assert server.chat("What is the capital of France?")
        assert server.embed("a cat sits on the mat")
        for title, expression in list(missing.items()):
            values = [float(series["value"][1]) for series in prometheus.query(expression)]
            if values and not any(math.isnan(value) for value in values):
                del missing[title]
        return not missing

    wait_until(all_there, f"data for each query but {missing}", pause=2)


def test_traffic_is_seen(prometheus: Prometheus) -> None:
    """And not only something: what was asked of the models, by their paths."""
    expression = 'sum by (path) (increase(requests_total_counter{job="xinference-server", method="POST"}[30m]))'
    asked = {series["metric"]["path"]: float(series["value"][1]) for series in prometheus.query(expression)}
    assert asked["/v1/chat/completions"] >= 1
    assert asked["/v1/embeddings"] >= 1


def test_variables_find_hosts_and_models(prometheus: Prometheus) -> None:
    """Their queries are of Grafana; what they look for is asked here."""
    for path in DASHBOARDS:
        for variable in json.loads(path.read_text(encoding="utf-8"))["templating"]["list"][1:]:
            selector, label = filled(variable["query"]["query"]).removeprefix("label_values(").removesuffix(")").rsplit(", ", 1)
            assert VARIABLES[f"${variable['name']}"] in {series["metric"][label] for series in prometheus.query(selector)}
