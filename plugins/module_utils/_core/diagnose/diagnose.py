# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One diagnosis of one host. Private to this collection."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime, timezone
from typing import Any

from ..host.docker import engine_errors
from ..observed.server_files import ServerFiles
from .container import check_access, check_container, check_from_controller, check_mounts, check_permissions, check_port
from .evidence import Evidence
from .files import ModelFiles
from .finding import Finding, ordered, worst
from .host import check_clock, check_disk, check_hub, check_memory, check_processor, check_units
from .logs import LogUse, check_logs, read_log_use
from .models import FAILED, LOADING, MISSING, check_models, since_launch
from .server import ServerReading, check_server
from .services import check_advisories, check_backup, check_client, check_firewall, check_proxy, check_service, check_versions

__all__ = ["Diagnosis", "Wanted", "diagnose"]

_LOG_LINES = 400
#: Seconds before a launch in which the one before may have failed.
_BEFORE = 600


@dataclass(frozen=True)
class Wanted:
    """What was declared for the host, as far as a diagnosis compares it.

    :param container: name of the container.
    :param docker_host: address of Docker's socket.
    :param published: address and port on which the server is to be published.
    :param mounts: as Docker writes them, ``source:target:rw``.
    :param logs: the server's directory for logs, inside the container.
    :param differing: directories of the tree whose owner or mode differs from the declared one.
    :param secrets: files of the host with accounts and keys.
    :param cores: processor cores that the container may use.
    :param from_controller: what other machines are to reach, such as the proxy; empty for nothing.
    :param address_declared: whether the operator named the address by which the controller tries it.
    :param not_from_controller: why the controller does not reach that; empty where it does, None where it did not try.
    """

    container: str
    docker_host: str
    published: str
    mounts: Sequence[str]
    logs: str
    differing: Sequence[Mapping[str, Any]]
    secrets: Sequence[str]
    cores: float
    from_controller: str = ""
    not_from_controller: str | None = None
    address_declared: bool = False


@dataclass
class Diagnosis:
    """What was found.

    :param findings: the worst first.
    :param models: every model that is declared or runs.
    :param checks: names of what was checked.
    :param unchecked: name of what could not be checked → why.
    :param server: version of the server; None where it is not known.
    :param logs: what the logs take.
    """

    findings: list[Finding] = field(default_factory=list)
    models: list[dict[str, Any]] = field(default_factory=list)
    checks: list[str] = field(default_factory=list)
    unchecked: dict[str, str] = field(default_factory=dict)
    server: str | None = None
    logs: list[LogUse] = field(default_factory=list)

    def run(self, name: str, check: Callable[[], list[Finding]], without: str = "") -> None:
        """Make a check.

        :param name: of it.
        :param check: returns what it finds.
        :param without: why it cannot be made; empty where it can.
        """
        if without:
            self.unchecked[name] = without
            return
        self.checks.append(name)
        self.findings += check()

    def shown(self, image: str | None) -> dict[str, Any]:
        """The diagnosis for results.

        :param image: reference of the container's image.
        """
        found = ordered(self.findings)
        return {
            "time": datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "severity": worst(found),
            "server": self.server,
            "image": image,
            "findings": [finding.shown() for finding in found],
            "models": self.models,
            "logs": [asdict(use) for use in self.logs],
            "checks": self.checks,
            "unchecked": [{"check": name, "reason": reason} for name, reason in self.unchecked.items()],
        }


def _lines(reading: ServerReading, kept: Mapping[str, Any], wanted: Wanted, server_files: ServerFiles) -> dict[str, list[str]]:
    """What was written about the launches of the models that do not run, by uid.

    :param kept: what the recovery service knows of each model.
    """
    found = {}
    for state in reading.states:
        known = kept.get(state.uid) or {}
        again = state.state == LOADING and known.get("tries")
        if state.state not in (FAILED, MISSING) and not again:
            continue
        seen = reading.observed.models.get(state.uid) if reading.observed is not None else None
        # The launch before is the one that failed, where it is launched again.
        created = max(seen.created - _BEFORE if again else seen.created, 0) if seen is not None else 0
        errors = engine_errors(wanted.docker_host, wanted.container, created) if created else []
        log = since_launch(server_files.log_tail(state.uid, lines=_LOG_LINES), created)
        # Where nothing names the model, these are lines of others.
        log = log if any(state.uid in line for line in log) else []
        found[state.uid] = [*errors, str(known.get("message") or ""), *log]
    return found


def diagnose(facts: Mapping[str, Any], wanted: Wanted, reading: ServerReading, model_files: ModelFiles, look: Callable[[bool], Evidence]) -> Diagnosis:
    """Compare what is there with what should be.

    :param facts: of the host, as module ``host_info`` returns them.
    :param wanted: what was declared.
    :param reading: what the server said.
    :param model_files: checks the files of models.
    :param look: reads the evidence; takes whether to reach for the hub.
    """
    found = Diagnosis(server=reading.version)
    docker, paths = facts["docker"], facts["paths"]
    container = docker["container"] or {}
    stopped = "" if container.get("status") == "running" else "the container does not run"
    # Where files are missing, the hub is needed.
    problems, missing = model_files.check(reading.models, reading.cached)
    evidence = look(bool(missing))
    host = evidence.host
    service = facts["service"] or {}
    kept = ((service.get("state") or {}).get("models") or {}) if service.get("active") else {}
    silent = reading.unread

    found.run("docker", lambda: check_container(docker, wanted.container, int(wanted.published.rpartition(":")[2] or 0)))
    found.run("mounts", lambda: check_mounts(container, wanted.mounts, evidence.inside, host.directories, wanted.logs), "" if container else "no container")
    if model_files.left_out:
        found.unchecked["more files"] = f"{model_files.left_out} files of weights were left out, because one diagnosis reads no more"
    found.run("files", lambda: problems, "" if model_files.server_files.readable else "the server's directory cannot be read from here")
    lines = _lines(reading, kept, wanted, model_files.server_files)
    tries = {uid: int(model.get("tries") or 0) for uid, model in kept.items()}
    found.run("models", lambda: check_models(reading.states, lines, tries), silent or stopped)
    found.run("port", lambda: check_port(container, wanted.published, evidence.inside, reading.silent), stopped)
    reached = wanted.not_from_controller
    if wanted.from_controller:
        untried = "it is not known how the controller reaches this host; set xinference_diagnose_address" if reached is None else ""
        found.run("port from the controller", lambda: check_from_controller(wanted.from_controller, reached or "", declared=wanted.address_declared), untried)
    modes = {path: paths[path]["mode"] for path in wanted.secrets if (paths.get(path) or {}).get("exists")}
    found.run("permissions", lambda: check_permissions(wanted.differing, modes))
    found.run("access", lambda: check_access(container, evidence.inside, host.denials, facts["selinux"]), stopped and evidence.not_inside)
    found.run("server", lambda: check_server(reading), stopped)
    found.run("memory", lambda: check_memory(facts, evidence, wanted.container))
    running = [model for model in reading.models if model.state == "present"]
    found.run("processor", lambda: check_processor(facts, host.processor_flags, running, wanted.cores))
    found.run("disk", lambda: check_disk(evidence))
    found.logs = read_log_use(wanted.docker_host, wanted.container, model_files.server_files, wanted.logs, reading.version)
    found.run("logs", lambda: check_logs(found.logs, wanted.logs), "" if container else "no container")
    found.run("clock", lambda: check_clock(evidence))
    found.run("hub", lambda: check_hub(evidence.inside, missing), evidence.not_inside if missing else "")
    found.run("units", lambda: check_units(evidence))
    found.run("client", lambda: check_client(facts, bool(silent)))
    found.run("service", lambda: check_service(service))
    found.run("proxy", lambda: check_proxy(facts["proxy"] or {}))
    found.run("firewall", lambda: check_firewall(facts["firewall"] or {}))
    found.run("backup", lambda: check_backup(facts["backup"] or {}))
    environment = facts["server_environment"] if not stopped else {}
    found.run("versions", lambda: [*check_versions(facts, reading.version), *check_advisories(reading.version, environment)])
    if evidence.not_inside and not stopped:
        found.unchecked["inside the container"] = evidence.not_inside
    found.models = [asdict(state) for state in reading.states]
    return found
