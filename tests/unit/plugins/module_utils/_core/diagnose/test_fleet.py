# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a host returned, as it may be shown."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.inferops.xinference.plugins.module_utils._core.diagnose.fleet import fleet, is_command
from ansible_collections.inferops.xinference.tests.unit.plugins.module_utils._core.diagnose.fleets import (
    FILES,
    HEALTHY,
    HOSTILE,
    LOG,
    MEMORY,
    MOUNT,
    THREADS,
    diagnosed,
)


def names(hosts: dict[str, Any]) -> list[str]:
    return [host.name for host in fleet(hosts)]


def test_the_worst_hosts_are_first_and_names_decide_between_equals() -> None:
    hosts = {
        "ok": diagnosed("ok"),
        "note": diagnosed("note", THREADS),
        "web10": diagnosed("web10", MOUNT),
        "web2": diagnosed("web2", MOUNT),
        "warning": diagnosed("warning", MEMORY, THREADS, THREADS),
        "two": diagnosed("two", MOUNT, LOG),
        "and-a-warning": diagnosed("and-a-warning", MEMORY, MOUNT),
    }
    assert names(hosts) == ["two", "and-a-warning", "web2", "web10", "warning", "note", "ok"]


def test_names_of_digits_alone_and_of_very_many_digits_have_an_order() -> None:
    hosts = [f"web{'1' * 100}", "10.0.0.2", "10.0.0.10", "web", "2"]
    assert names(dict.fromkeys(hosts, HEALTHY)) == ["2", "10.0.0.2", "10.0.0.10", "web", f"web{'1' * 100}"]


def test_findings_are_sorted_by_severity_check_and_subject() -> None:
    (host,) = fleet({"web": diagnosed("web", THREADS, MOUNT, {**FILES, "subject": "z"}, MEMORY, FILES)})
    assert [(each.check, each.subject) for each in host.findings] == [
        ("files", "embed"),
        ("files", "z"),
        ("mounts", "chat"),
        ("memory", ""),
        ("threads", "chat, coder"),
    ]


def test_the_severity_of_a_host_is_that_of_its_findings_whatever_it_says() -> None:
    (host,) = fleet({"web": {**diagnosed("web", MEMORY), "severity": "ok"}})
    assert host.severity == "warning"
    (host,) = fleet({"web": {**HEALTHY, "severity": "critical"}})
    assert host.severity == "ok"


@pytest.mark.parametrize("severity", [None, 3, "harmless", ["note"], {}])
def test_a_severity_that_nobody_knows_is_a_warning(severity: Any) -> None:
    (host,) = fleet({"web": {**HEALTHY, "findings": [{**MEMORY, "severity": severity}]}})
    assert host.severity == "warning"


@pytest.mark.parametrize("given", [None, "text", [], {}, {"findings": None}, {"findings": "critical"}, 3])
def test_a_host_without_a_diagnosis_is_the_worst(given: Any) -> None:
    first, _second = fleet({"web1": diagnosed("web1", THREADS), "web2": given})
    assert (first.name, first.severity) == ("web2", "critical")
    assert [finding.seen for finding in first.findings] == ["This host returned no diagnosis."]


def test_wrong_kinds_are_left_out_or_marked() -> None:
    wrong: dict[str, Any] = {
        "time": 7,
        "server": None,
        "image": ["x"],
        "findings": [7, None, {}],
        "models": ["chat", {"uid": None, "state": None, "differences": "n_ctx", "message": 4}],
        "checks": {"a": 1},
        "unchecked": [[], {"check": 1}],
    }
    (host,) = fleet({"web": wrong})
    assert (host.time, host.server, host.image, host.checks) == ("", "", "(no text)", ())
    assert [(each.check, each.severity, each.seen) for each in host.findings] == [("-", "warning", "")]
    assert [(each.uid, each.state, each.differences, each.message) for each in host.models] == [("-", "unverified", (), "(no text)")]
    assert [(each.check, each.reason) for each in host.unchecked] == [("(no text)", "")]


@pytest.mark.parametrize("time", ["2026-11-29T17:20:00Z\n", "2026-11-29", "now", "٢٠٢٦-11-29T17:20:00Z"])
def test_what_is_no_time_is_none(time: str) -> None:
    (host,) = fleet({"web": {**HEALTHY, "time": time}})
    assert host.time == ""


def test_every_text_is_bounded_and_without_control_characters() -> None:
    row = dict.fromkeys(("check", "severity", "subject", "seen", "meaning", "remedy", "uid", "state", "message", "reason"), HOSTILE)
    given = {
        **dict.fromkeys(("time", "server", "image"), HOSTILE),
        "findings": [row],
        "models": [{**row, "differences": [HOSTILE] * 1000}],
        "checks": [HOSTILE] * 1000,
        "unchecked": [row] * 1000,
    }
    (host,) = fleet({HOSTILE: given})
    texts = [host.name, host.time, host.server, host.image, *host.checks]
    for part in (*host.findings, *host.models, *host.unchecked):
        texts += [text for value in vars(part).values() for text in (value if isinstance(value, tuple) else (value,))]
    assert all(text.isprintable() and len(text) <= 601 for text in texts)
    assert "\\x1b[31m" in host.name and "\\u202e" in host.name and "\\n" in host.name
    assert (len(host.checks), len(host.unchecked), len(host.models[0].differences)) == (200, 200, 50)


def test_of_too_many_findings_the_worst_are_kept() -> None:
    (host,) = fleet({"web": {**HEALTHY, "findings": [THREADS] * 5000 + [MOUNT]}})
    assert len(host.findings) == 201
    assert host.findings[0].check == "mounts"
    assert host.findings[-1].seen == "4801 more findings are not shown."


@pytest.mark.parametrize(
    ("remedy", "command"),
    [
        ("systemctl start docker", True),
        ("ANSIBLE_VAULT=x ansible-playbook", True),
        ("/usr/bin/rm x", True),
        ("rm x.", True),
        ("Give this host more memory.", False),
        ("Run this on the host:", False),
    ],
)
def test_a_sentence_is_no_command(remedy: str, command: bool) -> None:
    assert is_command(remedy) is command
