# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fixtures of the scenario: the Prometheus on the machine, with the rules of the role and shorter times."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml

sys.path.insert(0, str(Path(__file__).parents[2] / "shared"))

from serving import Server

from ansible_collections.inferops.xinference.tests.machine import wait_until

PASSWORD = "marked-secret-of-the-monitoring-scenario"
#: Name and password of whoever reads figures.
READER = ("figures", "marked-secret-of-the-reader")
SCENARIO = Path(__file__).parents[1]
RULES = Path(__file__).parents[3] / "roles/monitoring/files/xinference_rules.yml"
#: How long an alert waits before it fires, where the rules make it wait.
WAITS = "4s"
#: A time that a rule looks back, such as that in rate(x[5m]).
RANGE = re.compile(r"\[\d+[smhd]\]")


def shortened(text: str, looks_back: str | None = None) -> str:
    """The rules with shorter times, and with nothing else changed.

    :param text: the rules.
    :param looks_back: time that they look back; None for that of the rules.
    """
    rules, unchanged = yaml.safe_load(text), yaml.safe_load(text)
    for rule in (rule for group in rules["groups"] for rule in group["rules"]):
        if "for" in rule:
            rule["for"] = WAITS
        if looks_back:
            rule["expr"] = RANGE.sub(f"[{looks_back}]", rule["expr"])
    assert _without_times(rules) == _without_times(unchanged)
    return str(yaml.safe_dump(rules))


def _without_times(rules: Any) -> Any:
    """Rules in which all times are the same."""
    groups = [
        {**group, "rules": [{**rule, **({"for": ""} if "for" in rule else {}), "expr": RANGE.sub("[]", rule["expr"])} for rule in group["rules"]]}
        for group in rules["groups"]
    ]
    return {**rules, "groups": groups}


class Prometheus:
    """Prometheus and Alertmanager of the machine.

    :param host: the machine as testinfra sees it.
    """

    def __init__(self, host: Any) -> None:
        self.host = host

    def start(self) -> None:
        """Start both with the settings of the scenario, and wait until they answer."""
        self.rules()
        self.host.check_output("systemctl restart prometheus prometheus-alertmanager")
        for port in (9090, 9093):
            wait_until(partial(self.answers, port), f"port {port} is ready", pause=1)

    def answers(self, port: int) -> bool:
        """Whether the one of the two that listens on a port is ready."""
        return bool(self.host.run(f"curl --silent --fail http://127.0.0.1:{port}/-/ready").rc == 0)

    def settings(self, content: dict[str, Any]) -> None:
        """Replace the settings of Prometheus, and have them read.

        :param content: of its file.
        """
        self.host.check_output(f"cat >/etc/prometheus/prometheus.yml <<'END'\n{yaml.safe_dump(content)}END")
        self.host.check_output("systemctl reload prometheus")

    def targets(self) -> list[dict[str, Any]]:
        """What Prometheus reads, as it says itself."""
        answer = json.loads(self.host.check_output("curl --silent --fail http://127.0.0.1:9090/api/v1/targets?state=active"))
        found: list[dict[str, Any]] = answer["data"]["activeTargets"]
        return found

    def rules(self, looks_back: str | None = None) -> None:
        """Write the rules with shorter times, and have them read where Prometheus runs.

        :param looks_back: as of :func:`shortened`.
        """
        text = shortened(RULES.read_text(encoding="utf-8"), looks_back)
        self.host.check_output(f"cat >/etc/prometheus/shortened.yml <<'END'\n{text}END")
        self.host.run("systemctl reload prometheus")

    def query(self, expression: str) -> list[dict[str, Any]]:
        """What Prometheus answers to a question of PromQL: series, each with its value."""
        answer = json.loads(
            self.host.check_output(f"curl --silent --get --data-urlencode {shlex.quote('query=' + expression)} http://127.0.0.1:9090/api/v1/query")
        )
        assert answer["status"] == "success", (expression, answer)
        found: list[dict[str, Any]] = answer["data"]["result"]
        return found

    def firing(self) -> dict[str, dict[str, str]]:
        """Alerts as Alertmanager has them at this moment, by their names; of each one, its labels."""
        answer = json.loads(self.host.check_output("curl --silent --fail http://127.0.0.1:9093/api/v2/alerts?active=true"))
        return {alert["labels"]["alertname"]: alert["labels"] for alert in answer}

    def wait_for(self, alert: str) -> dict[str, str]:
        """Labels of an alert, as soon as Alertmanager has it."""
        found = wait_until(lambda: self.firing().get(alert), f"{alert} fires", pause=1)
        assert isinstance(found, dict)
        return found

    def wait_for_none(self, alert: str) -> None:
        """Wait until Alertmanager has an alert no longer."""
        wait_until(lambda: alert not in self.firing(), f"{alert} is resolved", pause=1)


@pytest.fixture
def server(host: Any) -> Server:
    """The server."""
    return Server(host, 9997, PASSWORD)


@pytest.fixture(scope="session")
def started() -> dict[str, Prometheus]:
    """The Prometheus that was started, by its machine."""
    return {}


@pytest.fixture
def prometheus(host: Any, started: dict[str, Prometheus]) -> Iterator[Prometheus]:
    """The Prometheus of the machine."""
    if not started:
        started["machine"] = Prometheus(host)
        started["machine"].start()
    yield started["machine"]


@pytest.fixture
def base(host: Any) -> str:
    """Where the network reaches the proxy."""
    return f"https://{host.check_output('hostname --ip-address').split()[0]}"


@pytest.fixture
def outsider() -> Iterator[requests.Session]:
    """A client in the network that trusts the CA and has no account."""
    with requests.Session() as session:
        session.trust_env = False
        session.verify = str(Path(os.environ["MOLECULE_EPHEMERAL_DIRECTORY"]) / "ca.crt")
        yield session


@pytest.fixture
def play(tmp_path: Path) -> Callable[..., str]:
    """Runs a playbook of the collection with further arguments, and with variables in place of the inventory's; gives its output."""

    def run(playbook: str, *arguments: str, **variables: Any) -> str:
        given = tmp_path / "given.json"
        # In no command line, which the run repeats.
        given.write_text(json.dumps(variables), encoding="utf-8")
        command = [
            str(Path(sys.executable).with_name("ansible-playbook")),
            *("--inventory", str(SCENARIO / "inventory.yml"), "--extra-vars", f"@{SCENARIO.parent / 'shared/models.yml'}"),
            *("--extra-vars", f"@{given}", *arguments, f"inferops.xinference.{playbook}"),
        ]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr

    return run
