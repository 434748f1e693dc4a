# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Diagnoses as lines of a screen."""

from __future__ import annotations

from ansible_collections.inferops.xinference.plugins.module_utils._core.diagnose.screen import WIDTH, screen_lines
from ansible_collections.inferops.xinference.tests.unit.plugins.module_utils._core.diagnose.fleets import (
    CERTIFICATE,
    FILES,
    HEALTHY,
    HOSTILE,
    MEMORY,
    MOUNT,
    THREADS,
    diagnosed,
    large,
    small,
)


def test_all_that_is_shown_of_three_hosts() -> None:
    assert screen_lines(small()) == [
        "HOST  SEVERITY  CHECK        SUBJECT                       SEEN",
        "web3  critical  log          chat                          ImportError: Failed to import xllamacpp: No module named 'xl…",
        "web3  warning   memory       -                             1.2 GiB of 31 GiB are available, and 3.4 GiB of swap are in …",
        "web3  note      threads      chat, coder                   Together the models use 24 threads; this host has 16 cores.",
        "web2  warning   certificate  …e-proxy/tls/certificate.pem  It expires in 9 days.",
        "",
        "web3: critical: log chat",
        "  ImportError: Failed to import xllamacpp: No module named 'xllamacpp'",
        "  The image lacks the package of this engine.",
        "  Fix: Use an image that has it, such as xprobe/xinference:v4.1.0-cpu.",
        "",
        "web3: warning: memory",
        "  1.2 GiB of 31 GiB are available, and 3.4 GiB of swap are in use.",
        "  Models whose memory is swapped out answer slowly, and the kernel may kill one at the next launch.",
        "  Fix: Declare fewer models for this host, or give it more memory.",
        "",
        "web3: note: threads chat, coder",
        "  They slow each other down when both are asked at once.",
        "  Fix: Set n_threads of both to 8.",
        "",
        "web2: warning: certificate /etc/xinference-proxy/tls/certificate.pem",
        "  After that, clients refuse the connection.",
        "  Fix: ansible-playbook -i inventory --ask-vault-pass inferops.xinference.provision --tags proxy --limit web2",
        "",
        "web3: model chat failed (No module named 'xllamacpp')",
        "web3: model coder differs from its declaration: n_ctx: 4096 → 2048",
        "",
        "web3: permissions was not checked: The audit log of this host cannot be read.",
        "",
        "web1: nothing found; 18 checks",
    ]


def test_no_host() -> None:
    assert screen_lines({}) == ["No host was diagnosed."]


def test_hosts_without_findings_are_lines_alone() -> None:
    assert screen_lines({"web2": HEALTHY, "web1": {**HEALTHY, "checks": ["api"]}}) == ["web1: nothing found; 1 check", "web2: nothing found; 18 checks"]


def test_rows_are_sorted_by_the_host_s_severity_then_by_severity_and_check() -> None:
    hosts = {
        "a": diagnosed("a", MEMORY),
        "b": diagnosed("b", MEMORY, MOUNT),
        "c": diagnosed("c", THREADS, MOUNT),
        "d": diagnosed("d", FILES),
    }
    lines = screen_lines(hosts)
    assert [line.split()[:3] for line in lines[1 : lines.index("")]] == [
        ["d", "critical", "files"],
        ["b", "critical", "mounts"],
        ["c", "critical", "mounts"],
        ["b", "warning", "memory"],
        ["c", "note", "threads"],
        ["a", "warning", "memory"],
    ]


def test_what_is_the_same_on_several_hosts_is_explained_once() -> None:
    lines = screen_lines({"web1": diagnosed("web1", MEMORY), "web2": diagnosed("web2", MEMORY)})
    assert lines.count("web1, web2: warning: memory") == 1
    assert lines.count("  Fix: Declare fewer models for this host, or give it more memory.") == 1


def test_what_a_cell_does_not_hold_is_below_the_table() -> None:
    long = "word " * 100
    lines = screen_lines({"web1": diagnosed("web1", {**MEMORY, "seen": long, "meaning": long})})
    assert all(len(line) <= WIDTH for line in lines)
    assert " ".join(" ".join(lines[lines.index("web1: warning: memory") :]).split()).count("word") == 200


def test_a_command_is_not_broken() -> None:
    command = "docker run " + "--option " * 30
    assert f"  Fix: {command.strip()}" in screen_lines({"web1": diagnosed("web1", {**MEMORY, "remedy": command})})


def test_nothing_is_shown_of_what_is_empty() -> None:
    finding = {"check": "disk", "severity": "note", "subject": "", "seen": "", "meaning": "", "remedy": ""}
    assert screen_lines({"web1": diagnosed("web1", finding)}) == [
        "HOST  SEVERITY  CHECK  SUBJECT  SEEN",
        "web1  note      disk   -        -",
        "",
        "web1: note: disk",
    ]


def test_models_and_what_was_not_checked() -> None:
    states = [("a", "differs"), ("b", "missing"), ("c", "failed"), ("d", "not declared"), ("e", "unverified"), ("f", "as declared"), ("g", "new")]
    models = [
        {"uid": uid, "state": state, "differences": ["x: 1 → 2", "y: 3 → 4"] if uid == "a" else [], "message": "Gone." if uid == "b" else ""}
        for uid, state in states
    ]
    host = {**HEALTHY, "models": models, "unchecked": [{"check": "dns", "reason": "No hub is declared."}, {"check": "log", "reason": ""}]}
    assert screen_lines({"web1": host, "web2": host}) == [
        "web1, web2: model a differs from its declaration: x: 1 → 2; y: 3 → 4",
        "web1, web2: model b is missing (Gone.)",
        "web1, web2: model c failed",
        "web1, web2: model d is not declared",
        "web1, web2: model e is unverified",
        "web1, web2: model g is new",
        "",
        "web1, web2: dns was not checked: No hub is declared.",
        "web1, web2: log was not checked: no reason is given",
        "",
        "web1: nothing found; 18 checks",
        "web2: nothing found; 18 checks",
    ]


def test_no_line_is_longer_than_the_screen_and_none_holds_what_a_terminal_obeys() -> None:
    row = dict.fromkeys(("check", "severity", "subject", "seen", "meaning", "uid", "state", "message", "reason"), HOSTILE)
    host = {**HEALTHY, "findings": [{**row, "remedy": "Wait."}], "models": [{**row, "differences": [HOSTILE]}], "unchecked": [row]}
    lines = screen_lines({HOSTILE: host, "web1": diagnosed("web1", CERTIFICATE)})
    assert [line for line in lines if len(line) > WIDTH or not line.isprintable()] == []
    assert any("\\x1b[31m" in line for line in lines)


def test_a_fleet_of_two_hundred_hosts_names_each_finding() -> None:
    lines = screen_lines(large(200, 20))
    assert lines.index("") == 1 + 200 * 20
    assert all(len(line) <= WIDTH for line in lines)
