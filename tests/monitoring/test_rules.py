# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rules for Prometheus, by promtool: each alert fires for what it is about, and for nothing else."""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.inferops.xinference.tests.machine import built

ROOT = Path(__file__).resolve().parents[2]
RULES = ROOT / "roles/monitoring/files/xinference_rules.yml"
GROUPS = yaml.safe_load(RULES.read_text(encoding="utf-8"))["groups"]
ALERTS = {rule["alert"]: rule for group in GROUPS for rule in group["rules"] if "alert" in rule}
#: A host on which all is well, as promtool writes series: a value for each minute. Time begins at 0, so ends of certificates are near it.
HEALTHY = {
    "up": "1x3000",
    "server_up": "1x3000",
    "server_workers": "1x3000",
    "last_poll_timestamp_seconds": "0+60x3000",
    'model_declared{model="chat"}': "1x3000",
    'model_declared{model="old"}': "0x3000",
    'model_answering{model="chat"}': "1x3000",
    'model_launches_total{model="chat"}': "1x3000",
    'model_drift_fields{model="chat"}': "0x3000",
    "container_restarts_total": "0x3000",
    "container_oom_kills_total": "0x3000",
    "container_memory_working_set_bytes": "3000x3000",
    "container_memory_limit_bytes": "4000x3000",
    "host_oom_kills_total": "7x3000",
    "host_swap_read_bytes_total": "0+1000000x3000",
    "host_swap_written_bytes_total": "0+1000000x3000",
    'filesystem_bytes{path="/srv"}': "1000x3000",
    'filesystem_available_bytes{path="/srv"}': "200x3000",
    "proxy_up": "1x3000",
    "proxy_certificate_end_timestamp_seconds": f"{300 * 86400}x3000",
    "backup_configured": "1x3000",
    "backup_last_success_timestamp_seconds": "0x1440 86400x1560",
    'known_bad_version{advisory="CVE-2026-49950"}': "0x3000",
}


@dataclass(frozen=True)
class Case:
    """A host on which something is not well.

    :param alert: the one that fires, after a time; empty where none does.
    :param series: what differs from :data:`HEALTHY`; None for a series that is not there.
    :param after: minutes after which it fires.
    :param labels: of the alert, besides instance and job.
    :param says: the alert's summary.
    """

    alert: str
    series: dict[str, str | None]
    after: int = 60
    labels: dict[str, str] = field(default_factory=dict)
    says: str = ""


CHAT, CHAT_LABEL = '{model="chat"}', {"model": "chat"}
CASES = [
    Case("XinferenceModelNotReady", {f"model_answering{CHAT}": "1x9 0x3000"}, 25, CHAT_LABEL, "Model chat of host-1 has not answered for 15 minutes"),
    # The service knows a model only after its first poll.
    Case("XinferenceModelNotReady", {f"model_answering{CHAT}": None}, 15, CHAT_LABEL, "Model chat of host-1 has not answered for 15 minutes"),
    Case("XinferenceModelFlapping", {f"model_answering{CHAT}": "1 0 1 0 1 0 1x3000"}, 7, CHAT_LABEL, "Model chat of host-1 comes and goes"),
    Case("XinferenceModelFlapping", {f"model_launches_total{CHAT}": "1+1x9 10x3000"}, 12, CHAT_LABEL, "Model chat of host-1 comes and goes"),
    Case(
        "XinferenceModelDrift",
        {f"model_drift_fields{CHAT}": "2x3000"},
        15,
        CHAT_LABEL,
        "Model chat of host-1 differs from its declaration in 2 fields",
    ),
    Case("XinferenceServerDown", {"server_up": "0x3000", "server_workers": "0x3000"}, 5, {}, "The Xinference server of host-1 has not answered for 5 minutes"),
    Case("XinferenceWorkerDown", {"server_workers": "0x3000"}, 5, {}, "The Xinference server of host-1 has no worker"),
    Case(
        "XinferenceContainerRestarts",
        {"container_restarts_total": "0+1x5 5x3000"},
        10,
        {},
        "The container of host-1 was started again several times within an hour",
    ),
    Case(
        "XinferenceKnownBadVersion",
        {'known_bad_version{advisory="CVE-2026-49950"}': "1x3000"},
        5,
        {"advisory": "CVE-2026-49950"},
        "The server of host-1 has a version of which CVE-2026-49950 is public",
    ),
    Case("XinferenceServiceSilent", {"up": "1x9 0x3000"}, 15, {}, "The recovery service of host-1 gives no figures, or does not poll its server"),
    Case(
        "XinferenceServiceSilent",
        {"last_poll_timestamp_seconds": "0x3000"},
        22,
        {},
        "The recovery service of host-1 gives no figures, or does not poll its server",
    ),
    Case("XinferenceMemoryNearLimit", {"container_memory_working_set_bytes": "3800x3000"}, 11, {}, "The container of host-1 uses 95% of its memory"),
    # The rate of five minutes is high enough after three of them. Prometheus evaluates groups in any order, so an alert sees it then, or a minute later.
    Case("XinferenceSwapping", {"host_swap_written_bytes_total": "0+125829120x3000"}, 14, {}, "host-1 swaps 2.016MiB per second"),
    Case("XinferenceOomKill", {"container_oom_kills_total": "0x9 1x3000"}, 12, {}, "A process was killed for lack of memory on host-1"),
    Case("XinferenceOomKill", {"host_oom_kills_total": "7x9 8x3000"}, 12, {}, "A process was killed for lack of memory on host-1"),
    Case(
        "XinferenceDiskNearlyFull",
        {'filesystem_available_bytes{path="/srv"}': "50x3000"},
        16,
        {"path": "/srv"},
        "5% of the file system with /srv on host-1 is left",
    ),
    Case("XinferenceProxyDown", {"proxy_up": "0x3000", "proxy_certificate_end_timestamp_seconds": None}, 5, {}, "The proxy of host-1 shows no certificate"),
    Case(
        "XinferenceCertificateEnds",
        {"proxy_certificate_end_timestamp_seconds": f"{86400 + 900}x3000"},
        15,
        {},
        "The certificate of the proxy of host-1 ends in 1d 0h 0m 0s",
    ),
    Case(
        "XinferenceBackupTooOld",
        {"backup_last_success_timestamp_seconds": "0x3000"},
        2897,
        {},
        "The last verified backup of host-1 was made 2d 0h 17m 0s ago",
    ),
    Case("XinferenceBackupMissing", {"backup_last_success_timestamp_seconds": None}, 1560, {}, "host-1 is to make backups, and none was verified yet"),
]
#: What no alert is about.
QUIET = [
    Case("", {}),
    Case("", {f"model_answering{CHAT}": "1x9 0x13 1x3000"}, 24),
    Case("", {f"model_answering{CHAT}": "1 0 1 0 1x3000", f"model_launches_total{CHAT}": "1 2 3x3000"}, 10),
    Case("", {"server_up": "0x3 1x3000"}, 8),
    # It is down as a whole, and nothing else.
    Case("", {"server_up": "0x3000", "server_workers": "0x3000"}, 4),
    Case("", {"container_memory_working_set_bytes": "3800x3000", "container_memory_limit_bytes": None}, 60),
    Case("", {"container_oom_kills_total": "5x9 0x3000"}, 12),
    Case("", {"backup_configured": None, "backup_last_success_timestamp_seconds": None}),
    Case("", {"proxy_up": None, "proxy_certificate_end_timestamp_seconds": None}),
    Case("", {"backup_last_success_timestamp_seconds": None}, 1500),
    Case("", {"backup_last_success_timestamp_seconds": "0x3000"}, 2880),
    # Of a host with an older collection, and of one of which little is seen.
    Case("", {name: None for name in HEALTHY if name not in ("up", "server_up", "last_poll_timestamp_seconds")}),
]


def document(cases: list[Case]) -> dict[str, Any]:
    """What promtool reads."""
    tests = []
    for case in cases:
        series = {name: values for name, values in {**HEALTHY, **case.series}.items() if values is not None}
        # No longer than they are needed, because promtool takes its time for them.
        inputs = [{"series": labelled(name), "values": values.replace("x3000", f"x{case.after + 5}")} for name, values in series.items()]
        expected: dict[str, Any] = {name: [] for name in ALERTS}
        if case.alert:
            rule = ALERTS[case.alert]
            labels = {"job": "xinference-service", "instance": "host-1", **rule["labels"], **case.labels}
            expected[case.alert] = [{"exp_labels": labels, "exp_annotations": {**rule["annotations"], "summary": case.says}}]
        checked = expected if not case.alert else {case.alert: expected[case.alert]}
        tried: list[dict[str, Any]] = [{"alertname": name, "eval_time": f"{case.after}m", "exp_alerts": alerts} for name, alerts in checked.items()]
        if case.alert and "for" in ALERTS[case.alert]:
            tried.append({"alertname": case.alert, "eval_time": f"{case.after - 3}m", "exp_alerts": []})
        tests.append({"interval": "1m", "name": case.alert or f"quiet {case.series}", "input_series": inputs, "alert_rule_test": tried})
    return {"rule_files": [str(RULES)], "evaluation_interval": "1m", "tests": tests}


def labelled(name: str) -> str:
    """A series with the labels that every one has."""
    common = 'job="xinference-service",instance="host-1"'
    full = name if name == "up" else f"xinference_service_{name}"
    return f"{full[:-1]},{common}}}" if full.endswith("}") else f"{full}{{{common}}}"


def promtool(*words: str, given: str | None = None) -> None:
    """Run it; what it says where it fails."""
    done = subprocess.run([built("promtool"), *words], input=given, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_rules_are_rules() -> None:
    promtool("check", "rules", "--lint=all", "--lint-fatal", str(RULES))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.alert)
def test_an_alert_fires(case: Case, tmp_path: Path) -> None:
    (tmp_path / "test.yml").write_text(yaml.safe_dump(document([case])), encoding="utf-8")
    promtool("test", "rules", str(tmp_path / "test.yml"))


def test_nothing_fires_where_all_is_well(tmp_path: Path) -> None:
    (tmp_path / "test.yml").write_text(yaml.safe_dump(document(QUIET)), encoding="utf-8")
    promtool("test", "rules", str(tmp_path / "test.yml"))


def test_each_alert_is_tried() -> None:
    assert {case.alert for case in CASES} == set(ALERTS)


def test_the_recorded_series(tmp_path: Path) -> None:
    common = 'instance="host-1", job="xinference-service"'
    expected = {
        "instance:xinference_models_declared:sum": ("", 1),
        "instance:xinference_models_answering:sum": ("", 1),
        "instance:xinference_container_memory:ratio": ("", 0.75),
        "instance:xinference_swap_traffic_bytes:rate5m": ("", 2000000 / 60),
        "instance_path:xinference_filesystem_available:ratio": (', path="/srv"', 0.2),
    }
    assert set(expected) == {rule["record"] for group in GROUPS for rule in group["rules"] if "record" in rule}
    tests = document([Case("", {})])
    tests["tests"][0]["promql_expr_test"] = [
        {"expr": name, "eval_time": "60m", "exp_samples": [{"labels": f"{name}{{{common}{labels}}}", "value": value}]}
        for name, (labels, value) in expected.items()
    ]
    (tmp_path / "test.yml").write_text(yaml.safe_dump(tests), encoding="utf-8")
    promtool("test", "rules", str(tmp_path / "test.yml"))


def test_what_the_service_writes_passes_promtool(exposed: str) -> None:
    promtool("check", "metrics", given=exposed)


def test_the_rules_ask_for_what_the_service_writes(exposed: str) -> None:
    """A series of another name would be an alert that never fires."""
    written = set(re.findall(r"^(\w+)", exposed, re.MULTILINE))
    asked = set(re.findall(r"xinference_service_\w+", "\n".join(rule["expr"] for group in GROUPS for rule in group["rules"])))
    assert len(asked) > 15
    assert asked - written == set()
    tried = {f"xinference_service_{name.partition('{')[0]}" for name in HEALTHY if name != "up"}
    assert tried - written == set()
    assert asked == tried
