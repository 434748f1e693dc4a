# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is wrong with what the roles set up beside the container: service, proxy, backups, firewall, versions. Pure. Private to this collection.

Playbook ``status`` shows what was seen; a diagnosis also says what it means.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from typing import Any

from ..host.certificates import days_left
from ..host.firewall import HOOKS
from ..server.advisories import older_client, sentences
from .finding import CRITICAL, NOTE, WARNING, Finding

__all__ = ["check_advisories", "check_backup", "check_client", "check_firewall", "check_proxy", "check_service", "check_versions", "last_backup"]

#: Of a certificate that others renew, which they do a month before its end.
_WORRY_DAYS = 21
#: How old the last backup may be where a timer makes them.
_OLD_BACKUP = timedelta(days=2)
#: Times of a backup, in UTC.
_TIME = "%Y-%m-%dT%H:%M:%S%z"
_PROVISION = "Run provision."


def check_client(host: Mapping[str, Any], known: bool) -> list[Finding]:
    """What is wrong with the client's environment, and what the service reports of itself.

    :param host: facts of the host.
    :param known: whether the server's own trouble is reported already, which the service would repeat.
    """
    problem, service, container = host["client_problem"], host["service"] or {}, host["docker"]["container"] or {}
    trouble = str((service.get("state") or {}).get("trouble") or "") if service.get("active") else ""
    if problem:
        served = ", nor can the recovery service bring back a model" if service.get("units") else ""
        way = (
            "It is none of the roles', so remove it, or set xinference_client_environment."
            if host["client_foreign"]
            else "Run provision, which makes it again."
        )
        seen = f"The client's environment cannot be used: {problem}. So the server was not asked{served}. {way}"
        return [Finding("client", CRITICAL, "", seen, "After a restart no model is launched again." if served else "", way)]
    found = []
    if not host["client_version"] and container.get("status") == "running":
        found.append(Finding("client", WARNING, "", "There is no xinference-client, so the server was not asked: run provision.", "", _PROVISION))
    if trouble and not known:
        remedy = "Look for the reason with journalctl -u xinference-models."
        found.append(Finding("service", CRITICAL, "", f"The recovery service reports: {trouble}.", "It cannot bring back models.", remedy))
    return found


def check_service(service: Mapping[str, Any]) -> list[Finding]:
    """Whether the recovery service runs what was written last."""
    if not service.get("units"):
        return []
    meaning = "After a restart no model is launched again."
    unit = next(iter(service["units"]))
    if not service["active"]:
        return [Finding("service", CRITICAL, unit, "The recovery service does not run.", meaning, f"systemctl start {unit}")]
    found = []
    if not service["enabled"]:
        found.append(Finding("service", WARNING, unit, "The recovery service is not started at boot.", meaning, f"systemctl enable {unit}"))
    if service["behind"]:
        seen = "The recovery service runs with another program, unit or client than is on the host: a run was cut off."
        found.append(Finding("service", WARNING, unit, seen, "It works as it did before.", "Run provision, which restarts it."))
    return found


def check_proxy(proxy: Mapping[str, Any]) -> list[Finding]:
    """What is wrong with the proxy."""
    if not proxy.get("units"):
        return []
    now = datetime.now(timezone.utc)
    ends = {path: facts["not_after"] for path, facts in proxy["certificates"].items() if facts["not_after"]}
    found = [] if proxy["active"] else [Finding("proxy", CRITICAL, "", "The proxy does not run.", "Clients reach no model.", _PROVISION)]
    for path, end in ends.items():
        left = days_left(end, now)
        if left < _WORRY_DAYS:
            meaning = "Clients refuse it." if left < 0 else "After that, clients refuse it."
            remedy = "Run provision, which renews a certificate of the local CA; one that was given must be renewed where it comes from."
            seen = f"The proxy's certificate {path} {'ended' if left < 0 else 'ends'} on {end[:10]}."
            found.append(Finding("certificate", CRITICAL if left < 0 else WARNING, path, seen, meaning, remedy))
    if proxy["active"] and (proxy.get("behind") or proxy.get("unread")):
        seen = "The proxy has not read its configuration since that was written: a run was cut off."
        found.append(Finding("proxy", WARNING, "", seen, "It works as it did before.", _PROVISION))
    return found


def last_backup(backup: Mapping[str, Any]) -> dict[str, Any] | None:
    """What became of the last backup; None where none are set up."""
    if not backup.get("settings"):
        return None
    status = backup["status"] or {}
    return {"last_success": status.get("last_success"), "verified": bool(status.get("verified")), "failed": str(status.get("failed") or "")}


def check_backup(backup: Mapping[str, Any]) -> list[Finding]:
    """What is wrong with the backups."""
    last = last_backup(backup)
    if last is None:
        return []
    meaning = "What the server cannot download again may be lost with the host."
    found = []
    timer = any(name.endswith(".timer") for name in backup["units"])
    if timer and not backup["active"]:
        found.append(Finding("backup", WARNING, "", "The timer of the backups does not run.", meaning, _PROVISION))
    if backup["restore"]:
        seen = "A restore was cut off before all files were in place: run playbook restore again."
        found.append(Finding("backup", CRITICAL, "", seen, "The server may run on half of the files.", "Run playbook restore again."))
    stopped = bool(found)
    if last["failed"]:
        seen = f"The last backup failed: {last['failed'].rstrip('.')}."
        return [*found, Finding("backup", WARNING, "", seen, meaning, "Run playbook backup when that is mended.")]
    found += [Finding("backup", WARNING, "", str(warning), meaning) for warning in (backup["status"] or {}).get("warnings") or []]
    unknown = Finding("backup", WARNING, "", "It is not known when the last backup was made: its status is damaged.", meaning, "Run playbook backup.")
    if last["last_success"] is None:
        return [*found, unknown if backup.get("damaged") else Finding("backup", WARNING, "", "No backup was made yet.", meaning, "Run playbook backup.")]
    try:
        age = datetime.now(timezone.utc) - datetime.strptime(last["last_success"], _TIME)
    except (TypeError, ValueError):
        return [*found, unknown]
    # A timer that comes more seldom than every two days is not late while its last backup is there.
    done = backup["triggered"] is not None and last["last_success"] >= backup["triggered"] and not stopped
    if timer and age > _OLD_BACKUP and not done:
        found.append(
            Finding("backup", WARNING, "", f"The last backup is {age.days} days old.", meaning, "Look for the reason with journalctl -u xinference-backup.")
        )
    return found


def check_versions(host: Mapping[str, Any], server: str | None) -> list[Finding]:
    """Which versions do not fit together.

    :param host: facts of the host.
    :param server: version of the server that answers; None where none does.
    """
    recorded, container = host.get("upgrade") or {}, host["docker"]["container"] or {}
    versions, image = recorded.get("versions") or {}, container.get("image_id")
    if recorded.get("upgrade"):
        seen = "An upgrade is under way, or was cut off: if no run is making it, run playbook upgrade again, which ends it or goes back."
        return [Finding("versions", CRITICAL, "", seen, "It is not certain which server the data are of.", "Run playbook upgrade again.")]
    found = []
    if versions.get("image_id") and image and image != versions["image_id"]:
        wrote = f"Xinference {versions['server']}" if versions["server"] else "another one"
        seen = f"The container is of an image that no run put there, and {wrote} wrote its data before: run provision or upgrade."
        found.append(Finding("versions", WARNING, "", seen, "A server may not understand the data of another one.", "Run provision or upgrade."))
    remedy = "Set xinference_client_version, and provision."
    return [*found, *(Finding("versions", NOTE, "", sentence, "", remedy) for sentence in older_client(host["client_version"], server))]


def check_advisories(version: str | None, environment: Mapping[str, bool]) -> list[Finding]:
    """What is public about a version of the server.

    :param version: of the server; None where none answers.
    :param environment: as ``server_environment`` of module ``host_info``.
    """
    meaning = "Whoever uses it can take over the container."
    return [Finding("versions", WARNING, "", sentence, meaning, "Run playbook upgrade with a newer image.") for sentence in sentences(version, environment)]


def check_firewall(firewall: Mapping[str, Any]) -> list[Finding]:
    """Whether rules are missing that were set."""
    if not firewall.get("units"):
        return []
    wanted = {family: firewall["files"].get(f"{family}.rules", "").count("\n-A ") + len(HOOKS) for family in firewall["rules"]}
    lacking = [family for family, found in firewall["rules"].items() if len(found or []) < wanted[family]]
    names = " and ".join({"ipv4": "IPv4", "ipv6": "IPv6"}[family] for family in lacking)
    found = []
    unit = next(iter(firewall["units"]))
    if lacking:
        seen = f"Firewall rules of {names} are missing, so that access to the container is not restricted."
        meaning = "Machines of the same network reach the container past its port."
        found.append(Finding("firewall", CRITICAL, "", seen, meaning, f"systemctl restart {unit}"))
    if not firewall.get("timer", True):
        seen = "The timer that sets the firewall rules again does not run."
        found.append(Finding("firewall", WARNING, "", seen, "Rules that another program removes stay away.", "Run provision."))
    return found
