# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter host_status."""

from __future__ import annotations

DOCUMENTATION = r"""
name: host_status
author: inferops contributors (@inferops)
version_added: 0.1.0
short_description: State of one inference host from what the roles read (private)
description:
  - This filter is private to the roles and playbooks of this collection. It may change or go away without notice.
  - Sums up the results that playbook C(inferops.xinference.status) registered for a host.
options:
  _input:
    description: The host's variables, as in C(hostvars).
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Show the state of this host
  ansible.builtin.debug:
    msg: "{{ hostvars[inventory_hostname] | inferops.xinference.host_status }}"
"""

RETURN = r"""
_value:
  description: >-
    C(container), C(image) (what the container was made from), C(health), C(version), C(workers), C(recovery) (V(ready), V(not ready), V(stopped), or
    null where no service is installed), C(backup) with C(last_success) (time in UTC, or null), C(verified) and C(failed) (why the last one failed, or empty),
    or null where no backups are set up, C(models) with
    C(uid), C(type), C(engine), C(state) and C(message), and C(trouble).
  type: dict
"""

from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from typing import Any

from ansible_collections.inferops.xinference.plugins.module_utils._core.host.certificates import days_left
from ansible_collections.inferops.xinference.plugins.module_utils._core.host.firewall import HOOKS
from ansible_collections.inferops.xinference.plugins.module_utils._core.server.advisories import older_client, sentences

#: Of a certificate that others renew, which they do a month before its end.
_WORRY_DAYS = 21
#: How old the last backup may be where a timer makes them.
_OLD_BACKUP = timedelta(days=2)
#: Times of a backup, in UTC.
_TIME = "%Y-%m-%dT%H:%M:%S%z"


def _recovery(service: Mapping[str, Any], problem: str | None) -> str | None:
    """State of the recovery service.

    :param problem: why the environment cannot be used that it runs in; what it wrote is of before, then.
    """
    if not service["units"]:
        return None
    if not service["active"]:
        return "stopped"
    return "ready" if (service["state"] or {}).get("ready") and not problem else "not ready"


def _client(host: Mapping[str, Any], known: bool) -> list[str]:
    """What is wrong with the client's environment, and what the service reports of itself, one sentence each.

    :param known: whether the status already holds the server's own trouble, which the service would repeat.
    """
    problem, service, container = host["client_problem"], host["service"], host["docker"]["container"] or {}
    trouble = str((service["state"] or {}).get("trouble") or "") if service["active"] else ""
    if problem:
        served = ", nor can the recovery service bring back a model" if service["units"] else ""
        way = (
            "It is none of the roles', so remove it, or set xinference_client_environment."
            if host["client_foreign"]
            else "Run provision, which makes it again."
        )
        return [f"The client's environment cannot be used: {problem}. So the server was not asked{served}. {way}"]
    lacks = (
        [] if host["client_version"] or container.get("status") != "running" else ["There is no xinference-client, so the server was not asked: run provision."]
    )
    return [*lacks, *([f"The recovery service reports: {trouble}."] if trouble and not known else [])]


def _container(container: Mapping[str, Any]) -> list[str]:
    """Why a container that is there does not serve, where its state alone leaves that open."""
    words = {
        "paused": "run provision, or docker unpause",
        "restarting": "it ends again and again, and its log shows why",
        "created": "it was never started; run provision",
        "dead": "Docker could not remove it, and its own log shows why",
    }
    status = str(container.get("status"))
    return [f"The container is {status}: {words[status]}."] if status in words else []


def _proxy(proxy: Mapping[str, Any]) -> list[str]:
    """What is wrong with the proxy, one sentence each."""
    if not proxy.get("units"):
        return []
    now = datetime.now(timezone.utc)
    ends = {path: facts["not_after"] for path, facts in proxy["certificates"].items() if facts["not_after"]}
    late = [f"The proxy's certificate {path} ends on {end[:10]}." for path, end in ends.items() if days_left(end, now) < _WORRY_DAYS]
    return [*([] if proxy["active"] else ["The proxy does not run."]), *late]


def _backup(backup: Mapping[str, Any]) -> dict[str, Any] | None:
    """What became of the last backup; None where none are set up."""
    if not backup.get("settings"):
        return None
    status = backup["status"] or {}
    return {"last_success": status.get("last_success"), "verified": bool(status.get("verified")), "failed": str(status.get("failed") or "")}


def _late(backup: Mapping[str, Any], found: Mapping[str, Any] | None) -> list[str]:
    """What is wrong with the backups, one sentence each.

    :param found: what :func:`_backup` returns for them.
    """
    if found is None:
        return []
    timer = any(name.endswith(".timer") for name in backup["units"])
    stopped = ["The timer of the backups does not run."] if timer and not backup["active"] else []
    if backup["restore"]:
        stopped.append("A restore was cut off before all files were in place: run playbook restore again.")
    stopped += [] if found["failed"] else list((backup["status"] or {}).get("warnings") or [])
    if found["failed"]:
        return [*stopped, f"The last backup failed: {found['failed'].rstrip('.')}."]
    if found["last_success"] is None:
        return [*stopped, "No backup was made yet."]
    age = datetime.now(timezone.utc) - datetime.strptime(found["last_success"], _TIME)
    # A timer that comes more seldom than every two days is not late while its last backup is there.
    done = backup["triggered"] is not None and found["last_success"] >= backup["triggered"] and not stopped
    return [*stopped, *([f"The last backup is {age.days} days old."] if timer and age > _OLD_BACKUP and not done else [])]


def _versions(host: Mapping[str, Any], server: str | None) -> list[str]:
    """Which versions do not fit together, one sentence each.

    :param server: version of the server that answers; None where none does.
    """
    recorded, container = host.get("upgrade") or {}, host["docker"]["container"] or {}
    versions, image = recorded.get("versions") or {}, container.get("image_id")
    if recorded.get("upgrade"):
        return ["An upgrade is under way, or was cut off: if no run is making it, run playbook upgrade again, which ends it or goes back."]
    found = []
    if versions.get("image_id") and image and image != versions["image_id"]:
        wrote = f"Xinference {versions['server']}" if versions["server"] else "another one"
        found.append(f"The container is of an image that no run put there, and {wrote} wrote its data before: run provision or upgrade.")
    return [*found, *older_client(host["client_version"], server)]


def _firewall(firewall: Mapping[str, Any]) -> list[str]:
    """A sentence where rules are missing that were set."""
    if not firewall.get("units"):
        return []
    wanted = {family: firewall["files"].get(f"{family}.rules", "").count("\n-A ") + len(HOOKS) for family in firewall["rules"]}
    lacking = [family for family, found in firewall["rules"].items() if len(found or []) < wanted[family]]
    names = " and ".join({"ipv4": "IPv4", "ipv6": "IPv6"}[family] for family in lacking)
    return [f"Firewall rules of {names} are missing, so that access to the container is not restricted."] if lacking else []


def host_status(variables: Mapping[str, Any]) -> dict[str, Any]:
    """State of one host."""
    host = (variables.get("_xinference_found") or {}).get("host")
    if host is None:
        nothing = dict.fromkeys(("container", "image", "health", "version", "recovery", "backup"))
        return {**nothing, "workers": [], "models": [], "trouble": "The host could not be read."}
    container = host["docker"]["container"] or {}
    running = variables.get("_xinference_running") or {}
    trouble = str(variables.get("_xinference_trouble") or "")
    if not trouble and not host["docker"]["reachable"]:
        trouble = f"No Docker Engine answers: {host['docker']['error']}."
    server = running.get("server") or {}
    # What a server was given does not matter while none runs.
    environment = host.get("server_environment", {}) if container.get("status") == "running" else {}
    service = host["service"]
    kept = dict((service["state"] or {}).get("models") or {}) if service["active"] and server else {}
    models = [
        {
            "uid": model["uid"],
            "type": model["spec"].get("model_type"),
            "engine": model["spec"].get("model_engine"),
            "state": model["state"],
            "message": model["message"] or own.get("message", ""),
        }
        for model, own in ((model, kept.pop(model["uid"], {})) for model in running.get("models") or [])
    ]
    # What the service is to keep running and the server does not even know.
    models += [
        {"uid": uid, "type": None, "engine": None, "state": model["state"], "message": model["message"]}
        for uid, model in sorted(kept.items())
        if model["declared"] == "present"
    ]
    backup = _backup(host.get("backup") or {})
    troubles = [
        *_container(container),
        *_client(host, bool(trouble)),
        *_proxy(host.get("proxy") or {}),
        *_firewall(host.get("firewall") or {}),
        *_versions(host, server.get("version")),
        *_late(host.get("backup") or {}, backup),
        *sentences(server.get("version"), environment),
    ]
    return {
        "container": container.get("status") or "absent",
        "image": container.get("image"),
        "health": container.get("health"),
        "version": server.get("version"),
        "workers": list(server.get("workers") or []),
        "recovery": _recovery(service, host["client_problem"]),
        "backup": backup,
        "models": models,
        "trouble": " ".join(filter(None, [trouble, *troubles])),
    }


class FilterModule:
    """Filters of this file."""

    def filters(self) -> dict[str, Any]:
        """The filters by name."""
        return {"host_status": host_status}
