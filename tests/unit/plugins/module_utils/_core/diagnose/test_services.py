# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is wrong beside the container: each finding is provoked, and what is as it should be has none."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from ansible_collections.inferops.xinference.plugins.module_utils._core.diagnose.finding import CRITICAL, NOTE, WARNING, Finding
from ansible_collections.inferops.xinference.plugins.module_utils._core.diagnose.services import (
    check_advisories,
    check_backup,
    check_client,
    check_firewall,
    check_proxy,
    check_service,
    check_versions,
    last_backup,
)
from ansible_collections.inferops.xinference.plugins.module_utils._core.host.firewall import Firewall, rules

UNITS = {"xinference-models.service": "[Unit]"}
SERVICE: dict[str, Any] = {"units": UNITS, "active": True, "enabled": True, "behind": False, "state": {"ready": True, "trouble": "", "models": {}}}
HOST: dict[str, Any] = {
    "docker": {"container": {"status": "running", "image_id": "sha256:1"}},
    "service": SERVICE,
    "client_version": "4.1.0",
    "client_problem": None,
    "client_foreign": False,
    "upgrade": {"versions": {"image_id": "sha256:1", "server": "4.1.0"}, "upgrade": None},
}


def kinds(findings: Sequence[Finding]) -> list[tuple[str, str, str]]:
    """What was checked, how bad that is, and what it is about; every finding says what was seen."""
    assert all(finding.seen.endswith(".") for finding in findings)
    return [(finding.check, finding.severity, finding.subject) for finding in findings]


# The client's environment.


@pytest.mark.parametrize("known", [False, True])
def test_a_client_that_works(known: bool) -> None:
    assert check_client(HOST, known) == []


@pytest.mark.parametrize(
    ("foreign", "units", "meaning", "remedy"),
    [
        (False, UNITS, "After a restart no model is launched again.", "Run provision, which makes it again."),
        (False, {}, "", "Run provision, which makes it again."),
        (True, {}, "", "It is none of the roles', so remove it, or set xinference_client_environment."),
    ],
)
def test_an_environment_that_cannot_be_used(foreign: bool, units: dict[str, str], meaning: str, remedy: str) -> None:
    (found,) = check_client({**HOST, "client_problem": "its Python is gone", "client_foreign": foreign, "service": {**SERVICE, "units": units}}, False)
    assert kinds([found]) == [("client", CRITICAL, "")]
    assert (found.meaning, found.remedy) == (meaning, remedy)


def test_no_client() -> None:
    assert kinds(check_client({**HOST, "client_version": None}, False)) == [("client", WARNING, "")]
    for container in (None, {"status": "exited"}):
        assert check_client({**HOST, "client_version": None, "docker": {"container": container}}, False) == []


def test_what_the_service_reports() -> None:
    service = {**SERVICE, "state": {**SERVICE["state"], "trouble": "there is no declaration"}}
    (found,) = check_client({**HOST, "service": service}, False)
    assert kinds([found]) == [("service", CRITICAL, "")]
    assert found.seen == "The recovery service reports: there is no declaration."
    # It repeats what is reported already, or is of before.
    assert check_client({**HOST, "service": service}, True) == []
    assert check_client({**HOST, "service": {**service, "active": False}}, False) == []
    assert check_client({**HOST, "service": {**service, "state": None}}, False) == []


# The service.


@pytest.mark.parametrize("service", [{}, {"units": {}}, SERVICE])
def test_a_service_that_runs_or_is_not_wanted(service: dict[str, Any]) -> None:
    assert check_service(service) == []


@pytest.mark.parametrize(
    ("differs", "severity", "remedy"),
    [
        ({"active": False}, CRITICAL, "systemctl start xinference-models.service"),
        # That alone is said of one that does not run.
        ({"active": False, "enabled": False, "behind": True}, CRITICAL, "systemctl start xinference-models.service"),
        ({"enabled": False}, WARNING, "systemctl enable xinference-models.service"),
        ({"behind": True}, WARNING, "Run provision, which restarts it."),
    ],
)
def test_a_service_that_does_not_run_as_it_should(differs: dict[str, bool], severity: str, remedy: str) -> None:
    (found,) = check_service({**SERVICE, **differs})
    assert kinds([found]) == [("service", severity, "xinference-models.service")]
    assert found.remedy == remedy


# The proxy.


def ends(**left: float) -> str:
    """A time from now on, as facts have it."""
    return (datetime.now(timezone.utc) + timedelta(**left)).isoformat(timespec="seconds")


def proxy(*not_after: str | None, **differs: Any) -> dict[str, Any]:
    """Facts of a proxy with certificates that end then."""
    certificates = {f"/{number}.crt": {"not_after": end} for number, end in enumerate(not_after)}
    return {"units": UNITS, "active": True, "behind": False, "unread": False, "certificates": certificates, **differs}


@pytest.mark.parametrize("facts", [{}, {"units": {}}, proxy(), proxy(None), proxy(ends(days=22)), proxy("2999-01-01T00:00:00+00:00")])
def test_a_proxy_that_runs_or_is_not_wanted(facts: dict[str, Any]) -> None:
    assert check_proxy(facts) == []


def test_a_proxy_that_does_not_run() -> None:
    assert kinds(check_proxy(proxy(active=False))) == [("proxy", CRITICAL, "")]
    # What it has not read does not matter then.
    assert kinds(check_proxy(proxy(active=False, behind=True, unread=True))) == [("proxy", CRITICAL, "")]


@pytest.mark.parametrize("name", ["behind", "unread"])
def test_a_proxy_that_has_not_read_its_configuration(name: str) -> None:
    assert kinds(check_proxy(proxy(**{name: True}))) == [("proxy", WARNING, "")]


@pytest.mark.parametrize(
    ("left", "severity", "meaning"),
    [(20, WARNING, "After that, clients refuse it."), (1, WARNING, "After that, clients refuse it."), (-2, CRITICAL, "Clients refuse it.")],
)
def test_a_certificate_that_ends(left: int, severity: str, meaning: str) -> None:
    (found,) = check_proxy(proxy("2999-01-01T00:00:00+00:00", ends(days=left)))
    assert kinds([found]) == [("certificate", severity, "/1.crt")]
    assert found.meaning == meaning
    assert (" ended on " in found.seen, " ends on " in found.seen) == (left < 0, left >= 0)


# Backups.


def ago(**age: float) -> str:
    """A time as a backup writes it."""
    return (datetime.now(timezone.utc) - timedelta(**age)).strftime("%Y-%m-%dT%H:%M:%SZ")


def backups(last: str | None, failed: str = "", **differs: Any) -> dict[str, Any]:
    """Facts of backups: the last that succeeded, and why the last one failed."""
    units = {"xinference-backup.service": "[Service]", "xinference-backup.timer": "[Timer]"}
    status = {"last_success": last, "verified": last is not None, "failed": failed}
    return {"settings": "0f", "units": units, "active": True, "triggered": None, "restore": False, "status": status, **differs}


@pytest.mark.parametrize(
    "facts",
    [
        {},
        {"settings": None},
        backups(ago(hours=1)),
        backups(ago(hours=47)),
        # Once a week, and the last one is there; and by hand alone.
        backups(ago(days=5), triggered=ago(days=5, minutes=1)),
        backups(ago(days=5), units={"xinference-backup.service": "[Service]"}, active=False),
    ],
)
def test_backups_that_are_made_or_are_not_wanted(facts: dict[str, Any]) -> None:
    assert check_backup(facts) == []


@pytest.mark.parametrize(
    ("facts", "severity", "seen"),
    [
        (backups(ago(hours=1), active=False), WARNING, "The timer of the backups does not run."),
        (backups(ago(hours=1), restore=True), CRITICAL, "A restore was cut off before all files were in place: run playbook restore again."),
        (backups(ago(hours=1), "there is no room."), WARNING, "The last backup failed: there is no room."),
        (backups(None), WARNING, "No backup was made yet."),
        (backups(None, status=None), WARNING, "No backup was made yet."),
        (backups(ago(days=5)), WARNING, "The last backup is 5 days old."),
        (backups(ago(days=5), triggered=ago(hours=1)), WARNING, "The last backup is 5 days old."),
        (backups(ago(hours=1), status={"last_success": ago(hours=1), "failed": "", "warnings": ["It is odd."]}), WARNING, "It is odd."),
    ],
)
def test_trouble_with_backups(facts: dict[str, Any], severity: str, seen: str) -> None:
    (found,) = check_backup(facts)
    assert kinds([found]) == [("backup", severity, "")]
    assert found.seen == seen


def test_the_last_backup() -> None:
    last = ago(hours=1)
    assert last_backup(backups(last)) == {"last_success": last, "verified": True, "failed": ""}
    assert last_backup(backups(None, status=None)) == {"last_success": None, "verified": False, "failed": ""}
    assert last_backup({}) is None


# Versions.


@pytest.mark.parametrize("upgrade", [None, {"versions": None, "upgrade": None}, HOST["upgrade"]])
def test_versions_that_fit(upgrade: Any) -> None:
    assert check_versions({**HOST, "upgrade": upgrade}, "4.1.0") == []
    assert check_versions({**HOST, "upgrade": upgrade, "docker": {"container": None}}, None) == []


@pytest.mark.parametrize(("server", "words"), [("4.0.1", "Xinference 4.0.1 wrote its data before"), ("", "another one wrote its data before")])
def test_an_image_that_no_run_put_there(server: str, words: str) -> None:
    (found,) = check_versions({**HOST, "upgrade": {"versions": {"image_id": "sha256:2", "server": server}, "upgrade": None}}, "4.1.0")
    assert kinds([found]) == [("versions", WARNING, "")]
    assert words in found.seen


def test_an_upgrade_that_was_cut_off() -> None:
    # Nothing else is certain then.
    host = {**HOST, "upgrade": {"versions": {"image_id": "sha256:2", "server": ""}, "upgrade": {"state": "changing"}}, "client_version": "3.5.0"}
    assert kinds(check_versions(host, "4.1.0")) == [("versions", CRITICAL, "")]


def test_an_older_client() -> None:
    (found,) = check_versions({**HOST, "client_version": "3.5.0"}, "4.1.0")
    assert kinds([found]) == [("versions", NOTE, "")]
    assert "3.5.0" in found.seen


@pytest.mark.parametrize(("version", "environment", "count"), [("4.1.0", {}, 0), (None, {}, 0), ("1.17.1", {}, 1), ("2.11.0", {"XOSCAR_AUTH_KEY": False}, 1)])
def test_what_is_public_about_a_version(version: str | None, environment: dict[str, bool], count: int) -> None:
    found = check_advisories(version, environment)
    assert kinds(found) == [("versions", WARNING, "")] * count
    assert all("CVE-" in finding.seen and "upgrade" in finding.remedy for finding in found)


# The firewall.

RULES = rules(Firewall("xinference-firewall", "xinference", "xinference0", 9997))
FIREWALL: dict[str, Any] = {
    "units": {"xinference-firewall.service": "[Unit]\n"},
    "files": {f"{family}.rules": made.text for family, made in RULES.items()},
    "rules": {family: made.marks for family, made in RULES.items()},
    "timer": True,
}


@pytest.mark.parametrize(
    "facts",
    [{}, {"units": {}, "rules": {"ipv4": [], "ipv6": []}, "timer": False}, FIREWALL, {**FIREWALL, "rules": {"ipv4": RULES["ipv4"].marks}}],
)
def test_a_firewall_that_is_set_or_is_not_wanted(facts: dict[str, Any]) -> None:
    assert check_firewall(facts) == []


@pytest.mark.parametrize(
    ("found", "families"),
    [
        ({"ipv4": RULES["ipv4"].marks[1:], "ipv6": RULES["ipv6"].marks}, "IPv4"),
        ({"ipv4": RULES["ipv4"].marks, "ipv6": []}, "IPv6"),
        ({"ipv4": None, "ipv6": None}, "IPv4 and IPv6"),
    ],
)
def test_rules_that_are_missing(found: dict[str, Any], families: str) -> None:
    (finding,) = check_firewall({**FIREWALL, "rules": found})
    assert kinds([finding]) == [("firewall", CRITICAL, "")]
    assert f"rules of {families} are missing" in finding.seen
    assert finding.remedy == "systemctl restart xinference-firewall.service"


def test_a_timer_of_the_firewall_that_does_not_run() -> None:
    assert kinds(check_firewall({**FIREWALL, "timer": False})) == [("firewall", WARNING, "")]


@pytest.mark.parametrize("damaged", ["garbage", 5, "2026-13-01T00:00:00Z"])
def test_a_time_of_the_last_backup_that_is_none(damaged: object) -> None:
    status = {"last_success": damaged, "verified": True, "failed": ""}
    facts = {"settings": "0f", "units": {"x.timer": ""}, "active": True, "restore": False, "triggered": None, "status": status}
    assert [finding.seen for finding in check_backup(facts)] == ["It is not known when the last backup was made: its status is damaged."]


@pytest.mark.parametrize(
    ("damaged", "seen"), [(True, "It is not known when the last backup was made: its status is damaged."), (False, "No backup was made yet.")]
)
def test_a_status_of_the_backups_that_none_wrote(damaged: bool, seen: str) -> None:
    """It does not say whether one was made."""
    (found,) = check_backup({**backups(None), "status": None, "damaged": damaged})
    assert found.seen == seen
