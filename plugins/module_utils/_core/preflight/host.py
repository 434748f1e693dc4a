# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the machine fits: processor, memory, Docker, disk, the data root. Private to this collection."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

from ..base import sizes
from ..base.messages import shown
from ..base.sizes import MIB
from ..host.listeners import collide
from ..host.volumes import host_path, may_be_root
from . import adoption, combined
from .container import NOT_IN_A_PLACE
from .network import holder, is_address, is_taken
from .settings import LEAST_MEMORY, Failure, Settings, installs, lacks, manages

__all__ = ["check_disk", "check_docker", "check_home", "check_machine", "check_recovery", "declared_volumes"]

MINIMUM_DOCKER = (20, 10)
#: The API of that version.
_MINIMUM_API = (1, 41)
#: The root, and two names below it.
MINIMUM_DEPTH = 3
#: File systems on other machines: SQLite's write-ahead log needs shared memory between its users, which they do not give.
_REMOTE = frozenset({"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "ceph", "glusterfs", "fuse.glusterfs", "fuse.sshfs", "afs", "lustre"})


def check_machine(host: Mapping[str, Any], settings: Settings) -> list[Failure]:
    failures: list[Failure] = []
    if host["architecture"] not in ("x86_64", "amd64"):
        failures.append(
            Failure("architecture", f"This host is {host['architecture']}, but the CPU image of Xinference exists for x86-64 only.", "Use an x86-64 host.")
        )
    total = host["memory"]["total_mib"]
    if total < settings.minimum_memory_mib:
        failures.append(
            Failure(
                "memory",
                f"This host has {total} MiB of memory, less than xinference_minimum_memory_mib ({settings.minimum_memory_mib}).",
                "Use a larger host, or lower the minimum if the declared models are small.",
            )
        )
    if settings.memory != "auto":
        limit = sizes.parse(settings.memory)
        if limit is None or limit < LEAST_MEMORY:
            wrong = "no size" if limit is None else f"{limit} bytes, which is no limit that a container can have"
            failures.append(Failure("memory", f"xinference_memory '{shown(settings.memory)}' is {wrong}.", "Write auto, or a size such as 12g or 4096m."))
        elif limit > total * MIB:
            failures.append(
                Failure(
                    "memory",
                    f"xinference_memory '{settings.memory}' is {limit / MIB:.0f} MiB, but this host has {total} MiB.",
                    "Lower it, or set it to auto.",
                )
            )
    lacking = [
        package
        for package in ("requests", "packaging", "venv")
        # What makes the client's environment is not needed once it is there.
        if not host["python"][package] and (package == "requests" or not host["client_version"])
    ]
    if lacking and not installs(host, settings):
        remedy = "Install the distribution's packages for them (on Debian python3-requests, python3-packaging and python3-venv), or let role docker do it."
        failures.append(Failure("python", *lacks(host, " and ".join(lacking), remedy)))
    if host["client_foreign"]:
        problem = f"What is at xinference_client_environment cannot run the client: {host['client_problem']}."
        failures.append(Failure("client", problem, "Remove it, or choose another path."))
    if not host["administrator"]:
        failures.append(Failure("privileges", "The play does not run as root on this host.", "Set ansible_become to true, or connect as root."))
    return failures


def check_docker(host: Mapping[str, Any], settings: Settings) -> list[Failure]:
    docker = host["docker"]
    version = str(docker["version"] or "")
    # Before all else: to install Docker beside it, or to upgrade it, would be of no use.
    if version == "Podman" or " " in version:
        found = f"The engine is {shown(version)}" if docker["reachable"] else f"No Docker Engine answers: {docker['error']}"
        return [Failure("docker", f"{found}, but the roles need a Docker Engine.", "Set xinference_docker_host to the socket of one.")]
    if not docker["reachable"]:
        if manages(host, settings):
            return []
        remedy = (
            "Install a Docker Engine; role docker can do it on Debian and Ubuntu only."
            if settings.manage_docker
            else "Install and start one, or set xinference_docker_manage to true."
        )
        return [Failure("docker", f"No Docker Engine answers: {docker['error']}.", remedy)]
    problem, remedy = _engine_version(version, str(docker["api_version"] or ""))
    if problem:
        return [Failure("docker", problem, remedy)]
    # What it did not report would count as not there.
    return [Failure("docker", f"The Docker Engine did not answer every question: {docker['error']}.", "Run again.")] if docker["error"] else []


def _engine_version(version: str, api: str) -> tuple[str, str]:
    """What is wrong with the version of what answers as a Docker Engine, and what to do; empty where nothing is."""
    numbers, interface = _numbers(version), _numbers(api)
    elsewhere = "Set xinference_docker_host to the socket of one."
    if not version or not (numbers or interface):
        return (
            f"What answers in the place of a Docker Engine reports no version{f' but {shown(version)}' if version else ''}, but the roles need one.",
            elsewhere,
        )
    # One that was built by hand has no number, or 0.0, but an API like the others.
    if numbers >= MINIMUM_DOCKER or (not any(numbers) and interface >= _MINIMUM_API):
        return "", ""
    if any(numbers) and interface >= _MINIMUM_API:
        return (
            f"The engine is {version} (API {api}), which is no version of Docker: Podman, for one, speaks the same API; but the roles need a Docker Engine.",
            elsewhere,
        )
    return f"The Docker Engine is {version} (API {api or 'unknown'}), but 20.10 is the oldest that is supported.", "Upgrade it."


def _numbers(version: str) -> tuple[int, ...]:
    """The first two numbers of a version that begins with one."""
    found = re.match(r"v?(\d+)(?:\.(\d+))?", version)
    return tuple(int(number) for number in found.groups() if number) if found else ()


def _is_home(path: str) -> bool:
    """Whether a server can have its home there, in its container."""
    parts = PurePosixPath(path)
    return parts.is_absolute() and ".." not in parts.parts and str(parts) == path and len(parts.parts) > 1 and not NOT_IN_A_PLACE.search(path)


def declared_volumes(settings: Settings) -> list[dict[str, Any]]:
    """The volumes without those that a wrong home has made wrong: it is reported once."""
    if _is_home(settings.home):
        return settings.volumes
    return [volume for volume in settings.volumes if not str(volume.get("target") or "").startswith(settings.home)]


def check_home(host: Mapping[str, Any], settings: Settings) -> list[Failure]:
    """Whether the server keeps its files, and finds those of a server that is there already."""
    if not _is_home(settings.home):
        problem = f"xinference_home '{shown(settings.home)}' is no absolute path of a directory in the container."
        return [Failure("home", problem, "Write it as /root/.xinference.")]
    if host_path(settings.home, settings.data_root, [volume for volume in settings.volumes if not volume.get("read_only")]) is None:
        return [
            Failure(
                "home",
                f"xinference_home '{settings.home}' lies in no volume that the server can write, so all that it keeps would be lost with its container.",
                f"Give an entry of xinference_volumes target: {settings.home}. The variable is the whole tree: begin with all lines of its default.",
            )
        ]
    environment = settings.values.get("xinference_environment")
    problems = adoption.check(
        host["docker"],
        host["paths"],
        name=settings.container,
        data_root=settings.data_root,
        home=settings.home,
        volumes=settings.volumes,
        environment=environment if isinstance(environment, Mapping) else {},
        known=str((holder(host, settings) or {}).get("name", "")),
    )
    return [Failure("adoption", problem, remedy) for problem, remedy in problems]


def check_recovery(host: Mapping[str, Any], settings: Settings) -> list[Failure]:
    found, port = host["service"], settings.recovery_port
    if settings.recovery == "service" and not found["systemd"]:
        return [Failure("recovery", "xinference_recovery 'service' needs systemd, which does not run this host.", "Set it to auto, autostart or none.")]
    if settings.recovery not in ("auto", "service") or not found["systemd"] or port == 0:
        return []
    address = settings.recovery_address
    if not 1 <= port <= 65535:
        return [Failure("recovery", f"xinference_recovery_port '{port}' is no port.", "Use a number from 1 to 65535, or 0 for none.")]
    if not is_address(address):
        remedy = combined.address_hint("xinference_recovery_address", address) or "Use an address of this host such as 127.0.0.1."
        return [Failure("recovery", f"xinference_recovery_address '{shown(address)}' is no IP address.", remedy)]
    if port == settings.port and is_address(settings.address) and collide(address, settings.address):
        return [Failure("recovery", f"xinference_recovery_port '{port}' is the server's own port.", "Choose another one, or 0 for none.")]
    taken = "" if found["active"] else is_taken(host, address, port)
    return [Failure("recovery", taken, "Free it, or set xinference_recovery_port to another one, or to 0 for none.")] if taken else []


def check_disk(host: Mapping[str, Any], settings: Settings) -> list[Failure]:
    if not settings.data_root.startswith("/"):
        return [Failure("data root", f"xinference_data_root '{settings.data_root}' is no absolute path.", "Write it from the root of the file system.")]
    if len(PurePosixPath(settings.data_root).parts) < MINIMUM_DEPTH:
        return [
            Failure(
                "data root",
                f"xinference_data_root '{settings.data_root}' is not a directory of its own, but the roles set its owner and mode, and teardown may remove it.",
                "Name a directory at least one level below, such as /srv/xinference_data.",
            )
        ]
    if not may_be_root(settings.data_root):
        return [
            Failure(
                "data root",
                f"xinference_data_root '{settings.data_root}' belongs to the system or to a user, but the roles set its owner and mode, and teardown may "
                "remove it.",
                "Name a directory of its own, such as /srv/xinference_data; what lies elsewhere can be mounted by xinference_volumes.",
            )
        ]
    facts = host["paths"][settings.data_root]
    failures: list[Failure] = []
    if facts["exists"] and not facts["directory"]:
        failures.append(Failure("data root", f"xinference_data_root '{settings.data_root}' is not a directory.", "Remove the file, or choose another path."))
    elif not facts["writable"]:
        failures.append(
            Failure(
                "data root",
                f"xinference_data_root '{settings.data_root}' cannot be written: {facts['nearest']} is read-only here.",
                "Mount it for writing, or choose another path.",
            )
        )
    if facts["filesystem"] in _REMOTE:
        failures.append(
            Failure(
                "data root",
                f"xinference_data_root '{settings.data_root}' is on {facts['filesystem']}; the server keeps SQLite databases in WAL mode there, "
                "which network file systems corrupt.",
                "Choose a local file system; only the models may lie elsewhere.",
            )
        )
    free = facts["free_mib"]
    if free is not None and free < settings.minimum_disk_mib:
        failures.append(
            Failure(
                "disk",
                f"{facts['nearest']} has {free} MiB free, less than xinference_minimum_disk_mib ({settings.minimum_disk_mib}).",
                "Free some space, choose another xinference_data_root, or lower the minimum.",
            )
        )
    return failures
