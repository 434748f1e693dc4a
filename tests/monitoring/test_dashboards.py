# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The dashboards for Grafana ask for series and labels that there are. Scenario monitoring asks a real Prometheus."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from ansible_collections.inferops.xinference.tests.monitoring.test_rules import GROUPS, promtool

ROOT = Path(__file__).resolve().parents[2]
DASHBOARDS = sorted((ROOT / "roles/monitoring/files/dashboards").glob("*.json"))
TASKS = ROOT / "roles/monitoring/tasks/dashboards.yml"
#: What the rules record, with the labels that are left.
RECORDED = {
    rule["record"]: {"path"} if rule["record"].startswith("instance_path:") else set() for group in GROUPS for rule in group["rules"] if "record" in rule
}
#: What Prometheus makes itself.
OWN: dict[str, set[str]] = {"up": set(), "ALERTS": {"alertname", "alertstate", "severity", "model", "path", "advisory"}}
#: Labels of each target.
COMMON = {"job", "instance"}
#: Figures of the server that say something else than they seem to: they never drop, or are about the host where the container is meant.
TRAPS = ("models_loaded_total", "worker_memory_used_bytes", "worker_memory_total_bytes", "worker_cpu_utilization", "model_request_duration_seconds")
_SELECTOR = re.compile(r"([A-Za-z_:][A-Za-z0-9_:]*)(?:\{([^}]*)\})?(?!\w*\()")
_LABEL = re.compile(r"([a-z_]+)\s*(?:=~|!~|!=|=)")
_WORDS = {"by", "on", "or", "and", "unless", "le", "sum", "count", "rate", "increase", "max", "vector", "time", "histogram_quantile"}


def panels(path: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))["panels"]
    return found


def queries() -> list[tuple[str, str, str]]:
    """Of each query its place, expression and legend."""
    return [
        (f"{path.stem}: {panel['title']}", target["expr"], target["legendFormat"])
        for path in DASHBOARDS
        for panel in panels(path)
        for target in panel["targets"]
    ]


def named(expression: str) -> dict[str, set[str]]:
    """The series that an expression names, each with the labels that select them."""
    found: dict[str, set[str]] = {}
    bare = re.sub(r"\b(?:by|on|without|ignoring)\s*\([^)]*\)", "", expression)
    for name, labels in _SELECTOR.findall(re.sub(r"\[\w+\]", "", bare)):
        if name not in _WORDS and not re.fullmatch(r"[A-Z_]?[a-z]?", name):
            found.setdefault(name, set()).update(_LABEL.findall(labels))
    return {name: labels for name, labels in found.items() if name not in {label for each in found.values() for label in each}}


@pytest.fixture
def known(exposed: str) -> dict[str, set[str]]:
    """Each series that there is, with its labels."""
    listed = yaml.safe_load((Path(__file__).parent / "server_metrics.yml").read_text(encoding="utf-8"))
    found = {name: {*labels} for part in listed.values() for name, labels in part.items()}
    for family in text_string_to_metric_families(exposed):
        for sample in family.samples:
            found.setdefault(sample.name, set()).update(sample.labels)
    return {**found, **RECORDED, **OWN}


def test_every_query_is_one() -> None:
    assert len(queries()) > 30
    # promtool of Debian 12 has no command that parses an expression; the rules of a file are parsed.
    rules = [{"record": f"dashboard:query:{number}", "expr": filled(expression)} for number, (_place, expression, _legend) in enumerate(queries())]
    promtool("check", "rules", "/dev/stdin", given=yaml.safe_dump({"groups": [{"name": "dashboards", "rules": rules}]}))


def filled(expression: str) -> str:
    """An expression with values in place of the dashboard's variables."""
    return expression.replace("$instance", "host-1").replace("$model", "chat")


@pytest.mark.parametrize(("place", "expression", "legend"), queries())
def test_a_query_names_what_there_is(known: dict[str, set[str]], place: str, expression: str, legend: str) -> None:
    series = named(expression)
    assert series, place
    for name, labels in series.items():
        assert name in known, (place, name)
        assert labels <= known[name] | COMMON, (place, name)
        assert not name.endswith(TRAPS), (place, name)
    labels = COMMON.union(*(known[name] for name in series))
    kept = {label.strip() for group in re.findall(r"\bby \(([^)]*)\)", expression) for label in group.split(",")}
    assert kept <= labels, place
    assert set(re.findall(r"\{\{(\w+)\}\}", legend)) <= (kept or labels), place


def test_the_rules_name_what_there_is(known: dict[str, set[str]]) -> None:
    for rule in (rule for group in GROUPS for rule in group["rules"]):
        series = named(rule["expr"])
        assert series, rule
        for name, labels in series.items():
            assert name in known, rule
            assert labels <= known[name] | COMMON, rule


@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.stem)
def test_a_dashboard(path: Path) -> None:
    dashboard = json.loads(path.read_text(encoding="utf-8"))
    assert dashboard["uid"] == path.stem.replace("_", "-")
    source, *others = dashboard["templating"]["list"]
    assert (source["type"], source["query"]) == ("datasource", "prometheus")
    assert {panel["datasource"]["uid"] for panel in dashboard["panels"]} | {each["datasource"]["uid"] for each in others} == {"${datasource}"}
    assert [panel["id"] for panel in dashboard["panels"]] == list(range(1, len(dashboard["panels"]) + 1))
    taken: set[tuple[int, int]] = set()
    for panel in dashboard["panels"]:
        place = panel["gridPos"]
        cells = {(x, y) for x in range(place["x"], place["x"] + place["w"]) for y in range(place["y"], place["y"] + place["h"])}
        assert not cells & taken and place["x"] + place["w"] <= 24, panel["title"]
        taken |= cells
    variables = set(re.findall(r"\$(\w+)", " ".join(target["expr"] for panel in dashboard["panels"] for target in panel["targets"])))
    assert variables == {each["name"] for each in others}


def test_the_role_writes_each_of_them() -> None:
    [written] = [task["loop"] for task in yaml.safe_load(TASKS.read_text(encoding="utf-8")) if "loop" in task]
    assert written == [path.name for path in DASHBOARDS]
