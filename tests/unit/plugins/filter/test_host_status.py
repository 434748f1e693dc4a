# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the roles read, as the state of a host."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from ansible_collections.inferops.xinference.plugins.filter.host_status import FilterModule as HostStatus
from ansible_collections.inferops.xinference.plugins.module_utils._core.host.firewall import Firewall, rules
from ansible_collections.inferops.xinference.tests.unit.plugins.filter.statuses import GOOD, IMAGE, NOT_COMPARED, NOTHING

host_status = HostStatus().filters()["host_status"]

CLIENT = {"client_version": "4.1.0", "client_problem": None, "client_foreign": False}
HOST: dict[str, Any] = {
    "docker": {"reachable": True, "error": "", "container": {"status": "running", "health": "healthy", "image": IMAGE}},
    "service": {"units": {}, "active": False, "state": None},
    **CLIENT,
}

UNITS = {"xinference-models.service": "[Unit]"}

RUNNING: dict[str, Any] = {
    "server": {"version": "4.1.0", "authenticated": True, "workers": ["0.0.0.0:1"]},
    "models": [
        {
            "uid": "chat",
            "state": "ready",
            "message": "",
            "spec": {"model_type": "LLM", "model_engine": "llama.cpp"},
            "workers": [{"name": "0.0.0.0", "replicas": 1}],
        },
        {"uid": "bad", "state": "error", "message": "out of memory", "spec": {}, "workers": []},
    ],
}

#: What the service knows about a model.
KEPT = {"declared": "present", "state": "absent", "answered": False, "tries": 3, "message": "no such file"}

OLD = {**KEPT, "declared": "absent"}


@pytest.mark.parametrize(
    ("variables", "status"),
    [
        ({"_xinference_found": {"host": HOST}, "_xinference_running": RUNNING}, GOOD),
        ({}, {"container": None, "image": None, "health": None, **NOTHING, "trouble": "The host could not be read."}),
        *[
            ({"_xinference_found": {"host": {**HOST, "service": service}}, "_xinference_running": RUNNING}, {**GOOD, "recovery": recovery})
            for service, recovery in [
                ({"units": UNITS, "active": False, "state": {"ready": True, "models": {"gone": KEPT}}}, "stopped"),
                ({"units": UNITS, "active": True, "state": None}, "not ready"),
                ({"units": UNITS, "active": True, "state": {"ready": False, "models": {}}}, "not ready"),
                ({"units": UNITS, "active": True, "state": {"ready": True, "models": {"chat": {**KEPT, "message": ""}}}}, "ready"),
            ]
        ],
        (
            {
                "_xinference_found": {
                    "host": {**HOST, "service": {"units": UNITS, "active": True, "state": {"ready": False, "models": {"gone": KEPT, "old": OLD, "chat": KEPT}}}}
                },
                "_xinference_running": RUNNING,
            },
            {
                **GOOD,
                "recovery": "not ready",
                "models": [
                    {**GOOD["models"][0], "message": "no such file"},
                    GOOD["models"][1],
                    {"uid": "gone", "type": None, "engine": None, "state": "absent", "message": "no such file", "workers": [], **NOT_COMPARED},
                ],
            },
        ),
        (
            {"_xinference_found": {"unreachable": True}},
            {"container": None, "image": None, "health": None, **NOTHING, "trouble": "The host could not be read."},
        ),
        (
            {
                "_xinference_found": {
                    "host": {"docker": {"reachable": False, "error": "there is no socket /x", "container": None}, "service": HOST["service"], **CLIENT}
                }
            },
            {"container": "absent", "image": None, "health": None, **NOTHING, "trouble": "No Docker Engine answers: there is no socket /x."},
        ),
        (
            {"_xinference_found": {"host": HOST}, "_xinference_running": {"skipped": True}},
            {"container": "running", "image": IMAGE, "health": "healthy", **NOTHING, "trouble": ""},
        ),
        (
            {"_xinference_found": {"host": HOST}, "_xinference_trouble": "no connection"},
            {"container": "running", "image": IMAGE, "health": "healthy", **NOTHING, "trouble": "no connection"},
        ),
    ],
)
def test_the_state_of_a_host(variables: dict[str, Any], status: dict[str, Any]) -> None:
    assert host_status(variables) == status


PROBLEM = "it was made for Python 3.11.2, and its interpreter is Python 3.13.5 now"

BROKEN = {**HOST, "client_version": None, "client_problem": PROBLEM}


def in_state(status: str) -> dict[str, Any]:
    """A host whose container is in a state."""
    return {**HOST, "docker": {**HOST["docker"], "container": {"status": status, "health": None, "image": IMAGE}}}


@pytest.mark.parametrize(
    ("host", "more", "recovery", "trouble"),
    [
        (
            BROKEN,
            {},
            None,
            f"The client's environment cannot be used: {PROBLEM}. So the server was not asked. Run provision, which makes it again.",
        ),
        # What the service wrote may be of before.
        (
            {**BROKEN, "service": {"units": UNITS, "active": True, "state": {"ready": True, "trouble": "", "models": {}}}},
            {},
            "not ready",
            f"The client's environment cannot be used: {PROBLEM}. So the server was not asked, nor can the recovery service bring back a model. "
            "Run provision, which makes it again.",
        ),
        ({**HOST, "client_version": None}, {}, None, "There is no xinference-client, so the server was not asked: run provision."),
        (
            {**HOST, "service": {"units": UNITS, "active": True, "state": {"ready": False, "trouble": "there is no declaration", "models": {}}}},
            {"_xinference_running": RUNNING},
            "not ready",
            "The recovery service reports: there is no declaration.",
        ),
        (
            {**HOST, "service": {"units": UNITS, "active": True, "state": {"ready": False, "trouble": "no connection", "models": {}}}},
            {"_xinference_trouble": "no connection"},
            "not ready",
            "no connection",
        ),
        (in_state("paused"), {}, None, "The container is paused: run provision, or docker unpause."),
        (in_state("restarting"), {}, None, "The container is restarting: it ends again and again, and its log shows why."),
        (in_state("created"), {}, None, "The container is created: it was never started; run provision."),
        (in_state("dead"), {}, None, "The container is dead: Docker could not remove it, and its own log shows why."),
        (in_state("removing"), {}, None, ""),
        (in_state("exited"), {}, None, ""),
    ],
)
def test_why_a_host_does_not_serve(host: dict[str, Any], more: dict[str, Any], recovery: str | None, trouble: str) -> None:
    status = host_status({"_xinference_found": {"host": host}, **more})
    assert (status["recovery"], status["trouble"]) == (recovery, trouble)
    assert status["container"] == host["docker"]["container"]["status"]


@pytest.mark.parametrize(
    ("proxy", "trouble"),
    [
        (None, ""),
        ({"units": {}, "active": False, "certificates": {}}, ""),
        ({"units": UNITS, "active": True, "certificates": {"/a.crt": {"not_after": "2999-01-01T00:00:00+00:00"}, "/b.crt": {"not_after": None}}}, ""),
        (
            {"units": UNITS, "active": False, "certificates": {"/a.crt": {"not_after": "2025-02-03T00:00:00+00:00"}}},
            "The proxy does not run. The proxy's certificate /a.crt ended on 2025-02-03.",
        ),
    ],
)
def test_trouble_with_the_proxy(proxy: dict[str, Any] | None, trouble: str) -> None:
    variables = {"_xinference_found": {"host": {**HOST, "proxy": proxy}}, "_xinference_running": RUNNING}
    assert host_status(variables) == {**GOOD, "trouble": trouble}


OPEN = (
    "This server runs what anybody sends who reaches the container's own ports, such as users of the host, and asks for no key there "
    "(CVE-2026-49950, versions before 4.0.1)."
)


@pytest.mark.parametrize(
    ("known", "container", "trouble"),
    [
        ({"XOSCAR_AUTH_KEY": False}, HOST["docker"]["container"], OPEN),
        ({"XOSCAR_AUTH_KEY": True}, HOST["docker"]["container"], ""),
        # It was not checked yet.
        ({}, HOST["docker"]["container"], ""),
        ({"XOSCAR_AUTH_KEY": False}, {"status": "exited"}, ""),
        ({"XOSCAR_AUTH_KEY": False}, None, ""),
    ],
)
def test_a_server_whose_processes_ask_for_no_key(known: dict[str, bool], container: Any, trouble: str) -> None:
    host = {**HOST, "server_environment": known, "docker": {**HOST["docker"], "container": container}}
    assert host_status({"_xinference_found": {"host": host}, "_xinference_running": RUNNING})["trouble"] == trouble


RULES = rules(Firewall("xinference-firewall", "xinference", "xinference0", 9997))

FIREWALL = {
    "units": {"xinference-firewall.service": "[Unit]\n"},
    "files": {f"{family}.rules": made.text for family, made in RULES.items()},
    "rules": {family: made.marks for family, made in RULES.items()},
}


@pytest.mark.parametrize(
    ("firewall", "lacking"),
    [
        (None, ""),
        (FIREWALL, ""),
        ({**FIREWALL, "units": {}, "rules": {"ipv4": [], "ipv6": []}}, ""),
        ({**FIREWALL, "rules": {"ipv4": RULES["ipv4"].marks}}, ""),
        ({**FIREWALL, "rules": {"ipv4": RULES["ipv4"].marks[1:]}}, "IPv4"),
        ({**FIREWALL, "rules": {"ipv4": RULES["ipv4"].marks, "ipv6": []}}, "IPv6"),
        ({**FIREWALL, "rules": {"ipv4": None, "ipv6": None}}, "IPv4 and IPv6"),
    ],
)
def test_rules_of_the_firewall_that_are_missing(firewall: Any, lacking: str) -> None:
    found = host_status({"_xinference_found": {"host": {**HOST, "firewall": firewall}}, "_xinference_running": RUNNING})["trouble"]
    assert found == (f"Firewall rules of {lacking} are missing, so that access to the container is not restricted." if lacking else "")


@pytest.mark.parametrize(
    ("version", "environment", "trouble"),
    [
        (
            "1.17.1",
            {},
            "Xinference 1.17.1 evaluates what a model answers as Python, so that whoever may ask a model can run code in the container "
            "(CVE-2026-61539, versions before 2.11.0).",
        ),
        ("v2.11.0", {}, ""),
        ("2.11.0", {"XOSCAR_AUTH_KEY": False}, OPEN),
        ("unknown", {}, ""),
        (None, {}, ""),
    ],
)
def test_a_server_of_which_it_is_public_how_to_run_code_there(version: str | None, environment: dict[str, bool], trouble: str) -> None:
    running = {**RUNNING, "server": {"version": version, "workers": []}}
    host = {**HOST, "server_environment": environment}
    assert host_status({"_xinference_found": {"host": host}, "_xinference_running": running})["trouble"] == trouble


TIMER = {"xinference-backup.service": "[Service]", "xinference-backup.timer": "[Timer]"}


def ago(**age: float) -> str:
    """A time as a backup writes it."""
    return (datetime.now(timezone.utc) - timedelta(**age)).strftime("%Y-%m-%dT%H:%M:%SZ")


def backups(last: str | None = None, failed: str = "", **differs: Any) -> dict[str, Any]:
    """Facts of backups: the last that succeeded, and why the last one failed."""
    status = {"last_success": last, "last_attempt": ago(hours=1), "snapshot": None, "verified": last is not None, "files": 3, "bytes": 9, "failed": failed}
    return {"settings": "0f", "units": TIMER, "enabled": True, "active": True, "triggered": None, "restore": False, "status": status, **differs}


@pytest.mark.parametrize(
    ("backup", "trouble"),
    [
        (backups(ago(hours=3)), ""),
        (backups(ago(hours=47)), ""),
        (backups(ago(days=5)), "The last backup is 5 days old."),
        # It comes once a week, and the last one is there.
        (backups(ago(days=5), triggered=ago(days=5, minutes=10)), ""),
        (backups(ago(days=5), triggered=ago(hours=9)), "The last backup is 5 days old."),
        (backups(ago(days=5), triggered=ago(days=5, minutes=10), active=False), "The timer of the backups does not run. The last backup is 5 days old."),
        (backups(ago(hours=3), active=False), "The timer of the backups does not run."),
        # Made by hand alone.
        (backups(ago(days=90), active=False, units={"xinference-backup.service": "[Service]"}), ""),
        (backups(), "No backup was made yet."),
        (backups(status=None), "No backup was made yet."),
        (backups(ago(days=5), "There is no room."), "The last backup failed: There is no room."),
        (backups(failed="there is no room"), "The last backup failed: there is no room."),
    ],
)
def test_trouble_with_backups(backup: dict[str, Any], trouble: str) -> None:
    found = host_status({"_xinference_found": {"host": {**HOST, "backup": backup}}, "_xinference_running": RUNNING})
    status = backup["status"] or {"last_success": None, "verified": False, "failed": ""}
    assert found == {**GOOD, "backup": {name: status[name] for name in ("last_success", "verified", "failed")}, "trouble": trouble}


@pytest.mark.parametrize("backup", [None, backups(ago(days=9), settings=None)])
def test_a_host_without_backups(backup: dict[str, Any] | None) -> None:
    assert host_status({"_xinference_found": {"host": {**HOST, "backup": backup}}, "_xinference_running": RUNNING}) == GOOD


def test_a_restore_that_was_cut_off_and_an_odd_backup_are_named() -> None:
    found = backups(ago(hours=2), restore=True)
    found["status"]["warnings"] = ["The server's keys do not belong to its accounts."]
    cut = "A restore was cut off before all files were in place: run playbook restore again."
    given = {"_xinference_found": {"host": {**HOST, "backup": found}}, "_xinference_running": RUNNING}
    assert host_status(given)["trouble"] == f"{cut} The server's keys do not belong to its accounts."


@pytest.mark.parametrize(
    ("recorded", "client", "trouble"),
    [
        (None, "4.1.0", ""),
        ({"versions": None, "upgrade": None}, "4.1.0", ""),
        ({"versions": {"image_id": "sha256:1", "server": "4.1.0"}, "upgrade": None}, "4.1.0", ""),
        ({"versions": {"image_id": "sha256:2", "server": "4.0.1"}, "upgrade": None}, "4.1.0", "no run put there, and Xinference 4.0.1 wrote its data before"),
        ({"versions": {"image_id": "sha256:2", "server": ""}, "upgrade": None}, "4.1.0", "no run put there, and another one wrote its data before"),
        ({"versions": {"image_id": "sha256:2", "server": "4.0.1"}, "upgrade": {"state": "changing"}}, "4.1.0", "An upgrade is under way, or was cut off: "),
        ({"versions": None, "upgrade": None}, "3.5.0", "The client 3.5.0 is older than the server 4.1.0"),
    ],
)
def test_versions_that_do_not_fit_together(recorded: dict[str, Any] | None, client: str, trouble: str) -> None:
    docker = {**HOST["docker"], "container": {**HOST["docker"]["container"], "image_id": "sha256:1"}}
    host = {**HOST, "docker": docker, "client_version": client, "upgrade": recorded}
    said = host_status({"_xinference_found": {"host": host}, "_xinference_running": RUNNING})["trouble"]
    assert (trouble in said) if trouble else said == ""


COMPARED = [
    {"uid": "chat", "state": "differs", "differences": ["n_ctx: 4096 → 2048"], "message": ""},
    {"uid": "bad", "state": "failed", "differences": [], "message": "out of memory"},
]


def test_models_beside_their_declarations() -> None:
    status = host_status({"_xinference_found": {"host": HOST}, "_xinference_running": {**RUNNING, "comparison": COMPARED}})
    chat, bad = GOOD["models"]
    assert status == {**GOOD, "models": [{**chat, "drift": "differs", "differences": ["n_ctx: 4096 → 2048"]}, {**bad, "drift": "failed"}]}


def test_a_model_that_is_declared_and_that_nobody_knows_is_absent() -> None:
    compared = [*COMPARED, {"uid": "gone", "state": "missing", "differences": [], "message": ""}]
    models = host_status({"_xinference_found": {"host": HOST}, "_xinference_running": {**RUNNING, "comparison": compared}})["models"]
    assert [model["uid"] for model in models] == ["chat", "bad", "gone"]
    assert models[-1] == {"uid": "gone", "type": None, "engine": None, "state": "absent", "message": "", "workers": [], "drift": "missing", "differences": []}


def test_a_model_that_the_service_knows_and_the_server_does_not_is_named_once() -> None:
    service = {"units": UNITS, "active": True, "state": {"ready": False, "models": {"gone": KEPT}}}
    compared = [{"uid": "gone", "state": "missing", "differences": [], "message": ""}]
    found = {"_xinference_found": {"host": {**HOST, "service": service}}, "_xinference_running": {**RUNNING, "comparison": compared}}
    models = host_status(found)["models"]
    assert [(model["uid"], model["drift"], model["message"]) for model in models] == [
        ("chat", None, ""),
        ("bad", None, "out of memory"),
        ("gone", "missing", "no such file"),
    ]


def test_models_that_were_not_compared() -> None:
    found = host_status({"_xinference_found": {"host": HOST}, "_xinference_running": {**RUNNING, "comparison_problem": "name is missing."}})
    assert found["trouble"] == "The models were not compared with their declaration: name is missing."
    assert [model["drift"] for model in found["models"]] == [None] * len(found["models"])


def in_cluster(role: str, **container: Any) -> dict[str, Any]:
    """Facts of a host whose container belongs to a cluster."""
    labels = {"io.inferops.collection": "inferops.xinference", "io.inferops.cluster": role}
    docker = {**HOST["docker"], "container": {**HOST["docker"]["container"], "labels": labels, "health_says": "", **container}}
    return {**HOST, "client_version": None, "docker": docker}


AWAY = "The supervisor main does not name worker-1:30001 among its workers"


@pytest.mark.parametrize(
    ("container", "trouble"),
    [
        ({}, ""),
        # What the check said before it found the worker.
        ({"health_says": AWAY}, ""),
        ({"health": "unhealthy", "health_says": AWAY}, f"The container's health check fails: {AWAY}."),
        (
            {"health": "unhealthy", "health_says": "main:9997 does not answer: timed out."},
            "The container's health check fails: main:9997 does not answer: timed out.",
        ),
        ({"health": "unhealthy"}, "The container's health check fails."),
        ({"health": "starting", "health_says": AWAY}, f"The container is not healthy yet. The last words of its health check: {AWAY}."),
        ({"health": "starting"}, ""),
        ({"status": "paused", "health": "unhealthy", "health_says": AWAY}, "The container is paused: run provision, or docker unpause."),
        ({"status": "exited", "health": "unhealthy", "health_says": AWAY}, ""),
    ],
)
def test_a_worker_has_no_client_and_says_itself_why_it_has_not_joined(container: dict[str, Any], trouble: str) -> None:
    host = in_cluster("worker", **container)
    facts = host["docker"]["container"]
    assert host_status({"_xinference_found": {"host": host}}) == {
        **{"container": facts["status"], "image": IMAGE, "health": facts["health"]},
        **{**NOTHING, "cluster": "worker"},
        "trouble": trouble,
    }


def test_a_worker_is_not_said_to_lack_a_client_that_cannot_be_used() -> None:
    host = {**in_cluster("worker"), "client_problem": PROBLEM}
    assert host_status({"_xinference_found": {"host": host}})["trouble"] == ""


def test_a_supervisor_shows_the_models_and_where_they_run() -> None:
    host = {**in_cluster("supervisor", health="unhealthy", health_says=AWAY), **CLIENT}
    chat, bad = RUNNING["models"]
    on = [{"name": "worker-1", "replicas": 1}, {"name": "worker-2", "replicas": 2}]
    status = host_status({"_xinference_found": {"host": host}, "_xinference_running": {**RUNNING, "models": [{**chat, "workers": on}, bad]}})
    assert (status["cluster"], status["trouble"]) == ("supervisor", "")
    assert [model["workers"] for model in status["models"]] == [on, []]


def test_a_supervisor_without_a_client_was_not_asked() -> None:
    assert host_status({"_xinference_found": {"host": in_cluster("supervisor")}})["trouble"] == (
        "There is no xinference-client, so the server was not asked: run provision."
    )


@pytest.mark.parametrize("labels", [None, {}, {"io.inferops.cluster": ""}, {"io.inferops.cluster": "king"}])
def test_a_label_that_names_no_role_is_none(labels: Any) -> None:
    host = in_cluster("worker", labels=labels)
    assert host_status({"_xinference_found": {"host": host}})["cluster"] is None
