# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The figures of a real service about real models, before and after its server's container was killed. In the order of this file."""

from __future__ import annotations

import json
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from ansible_collections.inferops.xinference.tests.machine import built, wait_until

PORT = "http://127.0.0.2:9900"
SOCKET = "curl --silent --fail --unix-socket /run/docker.sock"
EXPOSED = yaml.safe_load((Path(__file__).parents[3] / "tests/security/exposed.yml").read_text(encoding="utf-8"))["host"]["service"]
RULES = Path(__file__).parents[3] / "roles/monitoring/files/xinference_rules.yml"
MODELS = ("chat", "embed")


def text(host: Any) -> str:
    """The figures as they are sent."""
    return f"{host.check_output(f'curl --silent --fail {PORT}/metrics')}\n"


def figures(host: Any) -> dict[str, float]:
    """The figures by name and first label, without what all names begin with."""
    found = {}
    for family in text_string_to_metric_families(text(host)):
        for sample in family.samples:
            labels = "".join(f"[{value}]" for name, value in sample.labels.items() if name != "le")
            if "le" not in sample.labels:
                found[sample.name[len("xinference_service_") :] + labels] = sample.value
    return found


def container(host: Any) -> Any:
    """What Docker says of the container."""
    return json.loads(host.check_output(f"{SOCKET} http://localhost/containers/xinference/json"))


def test_promtool_accepts_the_figures(host: Any) -> None:
    done = subprocess.run((built("promtool"), "check", "metrics"), input=text(host), capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize("path", ["/live", "/ready", "/metrics", "/", "/status", "/v1/models", "/metrics/", "/declaration.json"])
def test_the_port_answers_what_is_written_down(host: Any, path: str) -> None:
    nobody = "setpriv --reuid 65534 --clear-groups"
    status = host.check_output(f"{nobody} curl --silent --output /dev/null --write-out '%{{http_code}}' {PORT}{path}")
    assert int(status) == EXPOSED.get(f"GET {path}", 404)


def test_models_and_server(host: Any) -> None:
    # What differs is known after a comparison.
    wait_until(lambda: "model_drift_fields[chat]" in figures(host), "the models are compared", pause=1)
    known = figures(host)
    assert (known["ready"], known["server_up"], known["server_workers"], known["server_info[4.1.0]"]) == (1, 1, 1, 1)
    assert abs(known["last_poll_timestamp_seconds"] - float(host.check_output("date +%s"))) < 60
    assert [name for name, value in known.items() if name.startswith("known_bad_version") and value] == []
    assert sum(name.startswith("known_bad_version") for name in known) == 3
    for model in MODELS:
        assert (known[f"model_declared[{model}]"], known[f"model_ready[{model}]"], known[f"model_answering[{model}]"]) == (1, 1, 1)
        assert (known[f"model_launch_failures_total[{model}]"], known[f"model_drift_fields[{model}]"]) == (0, 0)
        assert 0 < known[f"model_last_answer_seconds[{model}]"] < 600
        assert known["container_start_timestamp_seconds"] < known[f"model_last_answer_timestamp_seconds[{model}]"] <= time.time() + 60
    assert (known["model_declared[retired]"], known["model_ready[retired]"]) == (0, 0)
    assert {name.partition("[")[2].rstrip("]") for name in known if name.startswith("model_")} == {*MODELS, "retired"}


def test_host_and_container(host: Any) -> None:
    known, found = figures(host), container(host)
    limit = found["HostConfig"]["Memory"]
    assert abs(known["container_memory_limit_bytes"] - limit) < 1 << 20
    # Two models and the server.
    assert 200 << 20 < known["container_memory_working_set_bytes"] <= known["container_memory_bytes"] <= limit
    assert known["container_oom_kills_total"] == 0
    started = host.check_output(f"date --date {found['State']['StartedAt']} +%s")
    assert known["container_start_timestamp_seconds"] == int(started)
    total = int(host.check_output("awk '/MemTotal/ {print $2}' /proc/meminfo")) * 1024
    assert known["host_memory_bytes"] == total
    assert 0 < known["host_memory_available_bytes"] < total
    assert {"host_swap_bytes", "host_swap_used_bytes", "host_swap_read_bytes_total", "host_swap_written_bytes_total", "host_oom_kills_total"} <= set(known)
    place = "/srv/xinference_data/.xinference"
    size, free = host.check_output(f"stat --file-system --format '%b %a' {place}").split()
    block = int(host.check_output(f"stat --file-system --format %S {place}"))
    assert known[f"filesystem_bytes[{place}]"] == int(size) * block
    assert abs(known[f"filesystem_available_bytes[{place}]"] - int(free) * block) < 10 << 30


def test_what_root_reports_is_read_by_root_and_the_service_alone(host: Any) -> None:
    place = host.file("/var/lib/xinference-start")
    assert (place.user, place.mode) == ("root", 0o700)
    report = host.file("/var/lib/xinference-start/container.json")
    assert (report.user, report.mode) == ("root", 0o600)
    pid = host.check_output("systemctl show --property MainPID --value xinference-models")
    assert host.run(f"nsenter --mount --target {pid} touch /var/lib/xinference-start/x").rc != 0


def test_figures_cost_little(host: Any) -> None:
    for _scrape in range(20):
        text(host)
    pid = host.check_output("systemctl show --property MainPID --value xinference-models")
    resident = int(host.check_output(f"awk '/VmRSS/ {{print $2}}' /proc/{pid}/status"))
    assert resident < 64 * 1024


def test_prometheus_finds_rules_and_targets(host: Any) -> None:
    folder = "/srv/monitoring"
    assert host.file(f"{folder}/xinference_rules.yml").content_string == RULES.read_text(encoding="utf-8")
    labels = {"instance": "xinference-molecule-host"}
    for name, target in (("service", "127.0.0.2:9900"), ("server", "127.0.0.1:9997"), ("worker", "127.0.0.1:9990")):
        assert json.loads(host.file(f"{folder}/xinference-{name}.json").content_string) == [{"targets": [target], "labels": labels}]
        assert "# TYPE " in host.check_output(f"curl --silent --fail http://{target}/metrics")


def test_a_container_that_is_killed_and_comes_back(host: Any) -> None:
    """It takes the start of a server: the service has it started, and launches the models."""
    before = figures(host)
    host.check_output(f"{SOCKET} --request POST 'http://localhost/containers/xinference/kill?signal=KILL'")
    wait_until(lambda: figures(host)["server_up"] == 0, "the service notices", pause=0.2)
    down = figures(host)
    assert (down["ready"], down["server_workers"], down["model_answering[chat]"]) == (0, 0, 0)
    wait_until(lambda: figures(host)["ready"] == 1, "all models answer again", pause=1)
    # The unit of root reports on the container when the server is back.
    wait_until(lambda: figures(host)["container_restarts_total"] == before["container_restarts_total"] + 1, "the restart is counted", pause=1)
    after = figures(host)
    assert after["server_up"] == 1
    assert after["container_start_timestamp_seconds"] > before["container_start_timestamp_seconds"]
    assert after["container_memory_working_set_bytes"] > 200 << 20
    for model in MODELS:
        assert after[f"model_answering[{model}]"] == 1
        counted = f"model_time_to_ready_seconds_count[{model}]"
        assert after[counted] == before.get(counted, 0) + 1
        assert after[f"model_last_time_to_ready_seconds[{model}]"] > 0
        assert after[f"model_last_answer_timestamp_seconds[{model}]"] > before[f"model_last_answer_timestamp_seconds[{model}]"]
