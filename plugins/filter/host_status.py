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
    C(container), C(image) (what the container was made from), C(health), C(cluster) (V(supervisor), V(worker), or null where the container belongs to no
    cluster), C(version), C(workers), C(recovery) (V(ready), V(not ready), V(stopped), or null where no service is installed), C(backup)
    with C(last_success) (time in UTC, or null), C(verified) and C(failed) (why the last one failed, or empty), or null where no backups are set up,
    C(models) with C(uid), C(type), C(engine), C(state), C(message), C(drift) (V(as declared), V(differs), V(missing), V(failed), V(loading), V(not declared),
    V(unverified), or null where it was not compared), C(differences), such as V(n_ctx: 4096 → 2048), and C(workers), as module
    M(inferops.xinference.models_info) returns them, and C(trouble). A worker has neither an API nor models of its own; its supervisor shows them.
  type: dict
"""

from collections.abc import Mapping
from typing import Any


def _recovery(service: Mapping[str, Any], problem: str | None) -> str | None:
    """State of the recovery service.

    :param problem: why the environment cannot be used that it runs in; what it wrote is of before, then.
    """
    if not service["units"]:
        return None
    if not service["active"]:
        return "stopped"
    return "ready" if (service["state"] or {}).get("ready") and not problem else "not ready"


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


def _cluster(container: Mapping[str, Any]) -> str | None:
    """What the container is in a cluster; None where it belongs to none."""
    role = (container.get("labels") or {}).get("io.inferops.cluster")
    return role if role in ("supervisor", "worker") else None


def _worker(container: Mapping[str, Any]) -> list[str]:
    """Why a worker does not serve, in the words of its health check; its server has no API that could be asked."""
    says = str(container.get("health_says") or "").rstrip(".")
    health = container.get("health") if container.get("status") == "running" else None
    if health == "unhealthy":
        return [f"The container's health check fails{f': {says}' if says else ''}."]
    # What it said may be of before the start.
    return [f"The container is not healthy yet. The last words of its health check: {says}."] if health == "starting" and says else []


def _uncompared(running: Mapping[str, Any]) -> list[str]:
    """Why the models were not compared with their declaration, a sentence; none where they were."""
    problem = running.get("comparison_problem")
    return [f"The models were not compared with their declaration: {problem.rstrip('.')}."] if problem else []


def _drift(state: Mapping[str, Any] | None) -> dict[str, Any]:
    """``drift`` and ``differences`` of a model; null and none where it was not compared."""
    return {"drift": state["state"] if state else None, "differences": list(state["differences"]) if state else []}


def _unknown(uid: str, message: str, state: Mapping[str, Any] | None) -> dict[str, Any]:
    """A model that the server does not know."""
    return {"uid": uid, "type": None, "engine": None, "state": "absent", "message": message, "workers": [], **_drift(state)}


def host_status(variables: Mapping[str, Any]) -> dict[str, Any]:
    """State of one host."""
    from ansible_collections.inferops.xinference.plugins.module_utils._core.diagnose.services import (
        check_advisories,
        check_backup,
        check_client,
        check_firewall,
        check_proxy,
        check_versions,
        last_backup,
    )

    host = (variables.get("_xinference_found") or {}).get("host")
    if host is None:
        nothing = dict.fromkeys(("container", "image", "health", "cluster", "version", "recovery", "backup"))
        return {**nothing, "workers": [], "models": [], "trouble": "The host could not be read."}
    container = host["docker"]["container"] or {}
    cluster = _cluster(container)
    running = variables.get("_xinference_running") or {}
    trouble = str(variables.get("_xinference_trouble") or "")
    if not trouble and not host["docker"]["reachable"]:
        trouble = f"No Docker Engine answers: {host['docker']['error']}."
    server = running.get("server") or {}
    # What a server was given does not matter while none runs.
    environment = host.get("server_environment", {}) if container.get("status") == "running" else {}
    service = host["service"]
    kept = dict((service["state"] or {}).get("models") or {}) if service["active"] and server else {}
    compared = {state["uid"]: state for state in running.get("comparison") or []}
    models = [
        {
            "uid": model["uid"],
            "type": model["spec"].get("model_type"),
            "engine": model["spec"].get("model_engine"),
            "state": model["state"],
            "message": model["message"] or own.get("message", ""),
            "workers": list(model.get("workers") or []),
            **_drift(compared.pop(model["uid"], None)),
        }
        for model, own in ((model, kept.pop(model["uid"], {})) for model in running.get("models") or [])
    ]
    # What the service is to keep running and the server does not even know.
    models += [
        {**_unknown(uid, model["message"], compared.pop(uid, None)), "state": model["state"]}
        for uid, model in sorted(kept.items())
        if model["declared"] == "present"
    ]
    # What is declared, and neither the server nor a service knows.
    models += [_unknown(uid, "", state) for uid, state in compared.items()]
    backup = host.get("backup") or {}
    findings = [
        # A worker needs no client: its supervisor is asked.
        *(check_client(host, bool(trouble)) if cluster != "worker" else []),
        *check_proxy(host.get("proxy") or {}),
        *check_firewall(host.get("firewall") or {}),
        *check_versions(host, server.get("version")),
        *check_backup(backup),
        *check_advisories(server.get("version"), environment),
    ]
    words = _worker(container) if cluster == "worker" else []
    troubles = [*_container(container), *words, *_uncompared(running), *(finding.seen for finding in findings)]
    return {
        "container": container.get("status") or "absent",
        "image": container.get("image"),
        "health": container.get("health"),
        "cluster": cluster,
        "version": server.get("version"),
        "workers": list(server.get("workers") or []),
        "recovery": _recovery(service, host["client_problem"]),
        "backup": last_backup(backup),
        "models": models,
        "trouble": " ".join(filter(None, [trouble, *troubles])),
    }


class FilterModule:
    """Filters of this file."""

    def filters(self) -> dict[str, Any]:
        """The filters by name."""
        return {"host_status": host_status}
