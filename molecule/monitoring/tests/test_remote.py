# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Figures that a Prometheus on another machine reads through the proxy, with what the role wrote for it. In the order of this file."""

from __future__ import annotations

from typing import Any

import requests
import yaml
from conftest import PASSWORD, READER, Prometheus
from remote_figures import PATHS, RemoteFigures, patient

from ansible_collections.inferops.xinference.tests.machine import wait_until

FOLDER = "/etc/prometheus/elsewhere"
NAME = "xinference-molecule-monitoring"


class TestFigures(RemoteFigures):
    """What the network sees."""

    CREDENTIALS = READER
    ADMINISTRATOR = ("admin", PASSWORD)


def test_the_password_is_for_prometheus_alone(host: Any) -> None:
    kept = host.file(f"{FOLDER}/xinference-{NAME}.password")
    assert (kept.user, kept.group, kept.mode) == ("root", "prometheus", 0o640)
    assert kept.content_string == f"{READER[1]}\n"
    scrape = host.file(f"{FOLDER}/xinference_scrape-{NAME}.yml").content_string
    assert READER[1] not in scrape
    assert host.check_output(f"cat {FOLDER}/xinference-{NAME}.crt") == host.check_output("cat /etc/xinference-proxy/ca.crt")


def test_a_prometheus_reads_what_the_role_wrote(host: Any, prometheus: Prometheus) -> None:
    """Instead of what it reads on the host. Prometheus 2.43 and later include the file; Debian 12 has an older one, so it is copied in here."""
    settings = yaml.safe_load(host.file("/etc/prometheus/prometheus.yml").content_string)
    scrape = yaml.safe_load(host.file(f"{FOLDER}/xinference_scrape-{NAME}.yml").content_string)["scrape_configs"]
    assert {job["metrics_path"] for job in scrape} == {*PATHS, "/metrics/worker"}
    wanted = {f"https://{NAME}:443{job['metrics_path']}" for job in scrape}
    prometheus.settings({**settings, "scrape_configs": scrape})
    try:
        wait_until(lambda: {each["scrapeUrl"] for each in prometheus.targets() if each["health"] == "up"} == wanted, "all is read through the proxy", pause=1)
        # The rules and dashboards know these names.
        labels = [each["labels"] for each in prometheus.targets()]
        assert sorted(each["job"] for each in labels) == ["xinference-server", "xinference-service", "xinference-worker"]
        assert {each["instance"] for each in labels} == {NAME}
    finally:
        prometheus.settings(settings)


def test_without_a_password_nothing_is_shown(host: Any, outsider: requests.Session, base: str, play: Any) -> None:
    """It is no longer declared: the next run takes it away. One more run brings it back, and one more changes nothing."""
    play("provision", "--tags", "proxy", xinference_monitoring_password="")
    assert not host.file("/etc/xinference-proxy/monitoring.passwords").exists
    for path in PATHS:
        # The server knows no such path.
        assert patient(outsider, "GET", f"{base}{path}", auth=READER).status_code in (401, 404)
    assert "changed=0" not in play("provision", "--tags", "proxy")
    assert patient(outsider, "GET", f"{base}/metrics/service", auth=READER).status_code == 200
    assert "changed=0" in play("provision", "--tags", "proxy")


def test_another_password(host: Any, outsider: requests.Session, base: str, play: Any) -> None:
    """nginx reads it without a reload; no output of the run holds it."""
    other = (READER[0], "marked-secret-of-another-reader")
    said = play("provision", "--tags", "proxy", "--diff", "-vvvv", xinference_monitoring_password=other[1])
    assert patient(outsider, "GET", f"{base}/metrics/service", auth=other).status_code == 200
    assert patient(outsider, "GET", f"{base}/metrics/service", auth=READER).status_code == 401
    kept = host.file("/etc/xinference-proxy/monitoring.passwords").content_string.strip()
    for secret in (kept.partition(":")[2], other[1]):
        assert secret not in said
    play("provision", "--tags", "proxy")
