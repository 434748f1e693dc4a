# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What Docker of this host is and has: the version, networks, the container. Standard library only. Private to this collection."""

from __future__ import annotations

import contextlib
import ipaddress
import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import quote

from ..base.messages import shown, without_environment
from .docker import DockerSocket, Refused
from .other_containers import OURS, keeps, neighbours, of_processes

__all__ = ["BACKUP", "BESIDE", "NEW_SERVER", "PREPARE", "PREVIOUS", "REPLACEMENT", "VERSION", "container_facts", "docker_facts"]

#: What the names of the containers end in that the roles make beside the server's: the new one, the one of before, and those that see to its files,
#: the server of another image that is asked before an upgrade, and one that says its version.
REPLACEMENT, PREVIOUS, PREPARE, BACKUP, NEW_SERVER, VERSION = BESIDE = (".replacement", ".previous", "-prepare", "-backup", "-new-server", "-version")
#: States of those whose processes are there.
_RUNNING = frozenset({"running", "paused", "restarting"})
#: Bytes of a process's environment; the kernel's own limit of one variable.
_ENVIRONMENT_BYTES = 128 << 10
#: Where the server listens in its container.
_SERVER_PORT = "9997/tcp"
#: Characters of a health check's output that are shown, from its end.
_HEALTH_CHARACTERS = 200


def is_named(found: Mapping[str, Any], container: str) -> bool:
    """Whether a container has that name; Docker takes the beginning of an identifier as well."""
    return str(found.get("Name", f"/{container}")) == f"/{container}"


def container_facts(docker: DockerSocket, container: str, log_lines: int = 0) -> dict[str, Any] | None:
    """One container; None where there is none of the name.

    :param container: its name.
    :param log_lines: number of lines of its log to return with it.
    :raises OSError: when Docker does not answer.
    """
    found = docker.get(f"/containers/{quote(container, safe='')}/json")
    facts = _container_facts(found) if found and is_named(found, container) else None
    if facts and log_lines > 0:
        facts["log"] = _log(docker, container, log_lines)
    return facts


def _health_says(log: Any) -> str:
    """The end of the output of the last health check that had any, on one line; empty where none did."""
    outputs = [str(check.get("Output") or "").strip() for check in log or [] if isinstance(check, Mapping)]
    words = next(filter(None, reversed(outputs)), "")
    # What failed stands at the end; a container could write anything.
    return shown(" ".join(without_environment(words)[-_HEALTH_CHARACTERS:].split()))


def _is_empty(path: str) -> bool:
    """Whether a path of this host is an empty directory, or is not there; false where that is not known."""
    try:
        with os.scandir(path) as entries:
            return next(entries, None) is None
    except FileNotFoundError:
        return True
    except OSError:
        return False


def _of_first_process(state: Mapping[str, Any], root: Path = Path("/")) -> dict[str, str]:
    """The environment of a container's first process that says where its files are; nothing where it does not run, or another host runs it."""
    with contextlib.suppress(OSError):
        if state.get("Running") and state.get("Pid"):
            with Path(root, "proc", str(int(state["Pid"])), "environ").open("rb") as file:
                return of_processes(file.read(_ENVIRONMENT_BYTES))
    return {}


def _container_facts(found: dict[str, Any]) -> dict[str, Any]:
    """The part of a container's description that the roles use."""
    state = found.get("State") or {}
    bindings = (found.get("HostConfig") or {}).get("PortBindings") or {}
    # Those of the server's own port first: whoever made the container may have published others.
    found_bindings = [(port != _SERVER_PORT, binding) for port, ends in bindings.items() for binding in ends or []]
    # Without a port Docker chooses one when the container starts; without an address it is every address.
    mounts = sorted((str(mount.get("Source")), str(mount.get("Destination")), bool(mount.get("RW"))) for mount in found.get("Mounts") or [])
    written = [source for source, _target, writable in mounts if writable]
    # Of a range as well, see what is held.
    published = sorted(
        {(other, binding.get("HostIp") or "::", int(binding["HostPort"])) for other, binding in found_bindings if str(binding.get("HostPort")).isdecimal()}
    )
    return {
        "id": str(found.get("Id"))[:12],
        "image": (found.get("Config") or {}).get("Image"),
        "image_id": str(found.get("Image") or ""),
        "status": state.get("Status"),
        "health": (state.get("Health") or {}).get("Status"),
        "health_says": _health_says((state.get("Health") or {}).get("Log")),
        "started_at": state.get("StartedAt"),
        "restarts": found.get("RestartCount"),
        "labels": (found.get("Config") or {}).get("Labels") or {},
        "network": (found.get("HostConfig") or {}).get("NetworkMode"),
        "ports": sorted({port for _other, _address, port in published}),
        "held": _held(found),
        "published": [f"[{address}]:{port}" if ":" in address else f"{address}:{port}" for _other, address, port in published],
        "memory": (found.get("HostConfig") or {}).get("Memory"),
        "restart_policy": ((found.get("HostConfig") or {}).get("RestartPolicy") or {}).get("Name"),
        "mounts": [f"{source}:{target}:{'rw' if writable else 'ro'}" for source, target, writable in mounts],
        # Docker follows links in a source whenever the container starts.
        "chooses_mounts": any(PurePosixPath(top) in PurePosixPath(source).parents for source, _target, _writable in mounts for top in written),
        **keeps(found, _of_first_process(state), _is_empty),
    }


def _held(found: Mapping[str, Any]) -> list[int]:
    """Ports of the host that a container holds just now, also where it was created and is just being started."""
    ends = ((found.get("NetworkSettings") or {}).get("Ports") or {}).values()
    return sorted({int(binding["HostPort"]) for bindings in ends for binding in bindings or [] if str(binding.get("HostPort")).isdecimal()})


def docker_facts(docker_host: str, container: str | None = None, image: str | None = None, log_lines: int = 0) -> dict[str, Any]:
    """The Docker Engine, one container with its network, and one image.

    :param docker_host: address of Docker's socket.
    :param container: name of a container to describe.
    :param image: reference of an image to look for.
    :param log_lines: number of lines of the container's log to return with it.
    :returns: ``reachable``, ``error`` (why not), ``version``, ``api_version``, ``container`` (None when absent), ``image_present``, ``gateway`` (address of
        this host on the container's network, from which the container sees everything that comes from the host; None without such a network), ``network`` (of
        the container's name: ``bridge``, its interface, ``subnets``, and ``ours``, whether these roles made it; None without one), ``uid`` (number of the
        user who runs Docker; None without a socket), ``root`` (numbers that user and group 0 of a container have on this host, such as ``0:0``),
        ``rootless`` (whether it runs without root, in a network of its own), ``runc`` (version of the
        program that starts containers, None where it is not named), ``processors`` (of which a container can have that many; None where it does not
        answer), ``networks`` (addresses of all of its networks, by name), ``interrupted`` (whether a replacement of the container was not ended),
        ``previous`` (``labels`` and ``user`` of the container of before, which is kept until a replacement has ended; None without one),
        ``neighbours`` (other containers that run, see :func:`~.other_containers.neighbours`), ``beside`` (names
        of containers that the roles made for a moment beside this one, and that a run left which was killed), ``stale_ports`` (ports of this
        host that Docker holds for a container that does not run, as a power cut may leave it), ``image_id`` (identifier of the image, None without it),
        ``image_mib`` (size of the container's image in MiB, None where ``image`` is there, or no other one),
        ``directory`` (where Docker keeps images and containers) and ``free_mib`` (room there, in MiB), None where that is not known.
    """
    facts: dict[str, Any] = {
        **{"reachable": False, "error": "", "container": None, "image_present": False, "rootless": False, "networks": {}, "interrupted": False},
        **{"neighbours": [], "beside": [], "stale_ports": []},
        **dict.fromkeys(
            ("version", "api_version", "gateway", "network", "uid", "root", "processors", "previous", "runc", "directory", "image_id", "image_mib", "free_mib")
        ),
    }
    if "://" in docker_host and not docker_host.startswith("unix://"):
        facts["error"] = f"'{docker_host}' is not a Unix socket of this host"
        return facts
    docker = DockerSocket(docker_host)
    try:
        version = docker.get("/version") or {}
        facts.update(reachable=True, uid=os.stat(docker.path).st_uid, version=version.get("Version"), api_version=version.get("ApiVersion"))
        info = docker.get("/info") or {}
        facts.update(version=_engine_version(version, info), runc=_runc(version))
        facts["directory"] = str(info.get("DockerRootDir") or "") or None
        facts["free_mib"] = _free_mib(facts["directory"])
        facts.update(root=_container_root(info), rootless="name=rootless" in (info.get("SecurityOptions") or []), processors=info.get("NCPU"))
        for network in docker.get("/networks") or []:
            facts["networks"][str(network.get("Name"))] = _subnets(network)
            if network.get("Name") == container:
                facts.update(_network_facts(network))
        if container:
            facts["container"] = container_facts(docker, container, log_lines)
            facts["interrupted"], facts["previous"] = _interrupted(docker, container)
            listed = docker.get("/containers/json?all=1") or []
            running = [each for each in listed if each.get("State") in _RUNNING]
            facts["beside"] = _left(listed, [container + ending for ending in (PREPARE, BACKUP, NEW_SERVER, VERSION)])
            facts["neighbours"] = neighbours(running, [container + ending for ending in ("", *BESIDE)])
            # One that runs has its port itself.
            facts["stale_ports"] = [] if (facts["container"] or {}).get("status") == "running" else _stale_ports(running)
        if image:
            # What is no reference at all is refused by Docker, too; preflight reports it of the setting.
            with contextlib.suppress(Refused):
                found = docker.image(image)
                facts.update(image_present=found is not None, image_id=None if found is None else str(found.get("Id")))
            if not facts["image_present"]:
                # What another one is likely to need.
                facts["image_mib"] = _size_mib(docker, (facts["container"] or {}).get("image_id"))
    except FileNotFoundError:
        facts["error"] = f"there is no socket {docker.path}"
        # Package podman-docker leaves a link; to install Docker would remove that package.
        if "podman" in os.path.realpath(docker.path):
            facts.update(version="Podman", error=f"{docker.path} leads to {os.path.realpath(docker.path)}, the socket of Podman, which is not there")
    except (OSError, ValueError) as error:
        facts["error"] = getattr(error, "strerror", None) or str(error)
    return facts


def _left(listed: Iterable[Mapping[str, Any]], names: Iterable[str]) -> list[str]:
    """Which of some names are those of containers that these roles made; another one may have such a name.

    :param listed: all containers, as Docker lists them.
    """
    ours = {str(name).lstrip("/") for each in listed if OURS in (each.get("Labels") or {}) for name in each.get("Names") or []}
    return [name for name in names if name in ours]


def _stale_ports(running: Iterable[Mapping[str, Any]], root: Path = Path("/")) -> list[int]:
    """Ports for which a process of Docker listens, and that no container has that runs.

    :param running: the containers that run, as Docker lists them.
    :param root: where the host's file system begins.
    """
    proxied: set[int] = set()
    for place in (root / "proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            with place.open("rb") as file:
                words = file.read(_ENVIRONMENT_BYTES).split(b"\0")
            if words[0].endswith(b"docker-proxy") and b"-host-port" in words[:-1]:
                port = words[words.index(b"-host-port") + 1]
                proxied |= {int(port)} if port.isdigit() else set()
    return sorted(proxied - {port.get("PublicPort") for each in running for port in each.get("Ports") or []})


def _size_mib(docker: DockerSocket, image_id: str | None) -> int | None:
    """Size of an image in MiB; None where there is none."""
    found = docker.image(image_id) if image_id else None
    return int(found.get("Size") or 0) >> 20 if found else None


def _free_mib(directory: str | None) -> int | None:
    """Room in MiB where Docker keeps images; None where that is not known."""
    try:
        found = os.statvfs(directory or "")
    except OSError:
        return None
    return found.f_bavail * found.f_frsize >> 20


def _engine_version(version: Mapping[str, Any], info: Mapping[str, Any]) -> str | None:
    """Number of a Docker Engine; name and number of another program that speaks the same API, whose number would be taken for an old Docker's."""
    names = [str(part.get("Name")) for part in version.get("Components") or [] if isinstance(part, Mapping) and part.get("Name")]
    # What is built on Buildah is Podman, whatever a proxy in between reports.
    if any("podman" in name.lower() for name in names) or "BuildahVersion" in info:
        return f"Podman {version.get('Version')}"
    # Docker has named its parts since 18.06, and itself is Engine.
    return f"{names[0]} {version.get('Version')}" if names and "Engine" not in names else version.get("Version")


def _runc(version: Mapping[str, Any]) -> str | None:
    """Version of the program that starts the containers; None where Docker does not name it."""
    parts = [part for part in version.get("Components") or [] if isinstance(part, Mapping) and part.get("Name") == "runc"]
    return str(parts[0].get("Version") or "") or None if parts else None


def _container_root(info: Mapping[str, Any]) -> str:
    """Numbers that root of a container has on this host: others than 0 where Docker maps users (userns-remap), and names its directory after them."""
    mapped = re.search(r"/(\d+)\.(\d+)$", str(info.get("DockerRootDir")))
    return ":".join(mapped.groups()) if mapped and "name=userns" in (info.get("SecurityOptions") or []) else "0:0"


def _log(docker: DockerSocket, container: str, lines: int) -> list[str]:
    """The last lines of a container, or why there are none; what it wrote must not hide the rest."""
    try:
        return docker.log(container, lines)
    except OSError as error:
        return [f"The log cannot be read: {error.strerror or error}."]


def _interrupted(docker: DockerSocket, container: str) -> tuple[bool, dict[str, Any] | None]:
    """``interrupted`` and ``previous``."""
    replacement, previous = (docker.get(f"/containers/{quote(container + ending, safe='')}/json") for ending in (REPLACEMENT, PREVIOUS))
    config = (previous or {}).get("Config") or {}
    return bool(replacement or previous), {"labels": config.get("Labels") or {}, "user": str(config.get("User") or "")} if previous else None


def _ranges(network: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The ranges of addresses of a network, as Docker describes them."""
    return [entry for entry in (network.get("IPAM") or {}).get("Config") or [] if isinstance(entry, Mapping)]


def _subnets(network: Mapping[str, Any]) -> list[str]:
    return [str(entry["Subnet"]) for entry in _ranges(network) if entry.get("Subnet")]


def _network_facts(found: Mapping[str, Any]) -> dict[str, Any]:
    """``network`` and ``gateway`` of Docker's description of a network."""
    ranges = _ranges(found)
    return {
        "network": {
            "bridge": (found.get("Options") or {}).get("com.docker.network.bridge.name"),
            "subnets": _subnets(found),
            "ours": "io.inferops.collection" in (found.get("Labels") or {}),
        },
        "gateway": _gateway(ranges[0]) if ranges else None,
    }


def _gateway(addresses: Mapping[str, Any]) -> str | None:
    """Address of this host in a range of Docker; where it was chosen by Docker, older ones do not report that they take the first."""
    if addresses.get("Gateway"):
        return str(addresses["Gateway"])
    try:
        # A range of one address has a list of them.
        return str(next(iter(ipaddress.ip_network(str(addresses.get("Subnet")), strict=False).hosts())))
    except (ValueError, StopIteration):
        return None
