# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a host is and has, read in one go without changing it. Private to this collection.

Standard library only: it runs on a host before anything is installed there.
"""

from __future__ import annotations

import contextlib
import grp
import http.client
import importlib
import importlib.util
import ipaddress
import json
import os
import platform
import pwd
import re
import shlex
import socket
import sqlite3
import stat
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import quote

from .adoption import keeps, neighbours, of_processes
from .bounded import Answer, TooMuch, parse_json, read_bytes, read_json, read_regular, stat_below
from .certificates import certificate_facts
from .client_environment import Run, client_facts, client_records
from .fingerprint import folder_fingerprint
from .left import stored_uids
from .listeners import can_listen, listeners
from .values import one_line, shown, without_environment

__all__ = [
    "KILLED",
    "PREVIOUS",
    "REPLACEMENT",
    "Deaths",
    "DockerSocket",
    "account_facts",
    "container_facts",
    "deaths",
    "engine_errors",
    "engine_facts",
    "firewall_facts",
    "gather",
    "path_facts",
    "proxy_facts",
    "server_environment",
    "service_facts",
]

MIB = 1024 * 1024
#: Seconds for which Docker may take to remove a container.
_REMOVING = 60.0
#: What the names of the containers end in that take part in a replacement: the new one, and the one of before.
REPLACEMENT, PREVIOUS = ".replacement", ".previous"
#: Exit code of a container whose first process was killed by signal 9.
KILLED = 137
_ENGINE_ERROR = re.compile(r"[\d.]+ E ")
#: Bytes of the server's database and of its log.
_DATABASE_BYTES = 64 << 20
#: Bytes of a file with secrets.
_SECRETS_BYTES = 1 << 16
#: Bytes of what the service writes.
_STATE_BYTES = 4 << 20
#: Bytes of a process's environment; the kernel's own limit of one variable.
_ENVIRONMENT_BYTES = 128 << 10
#: How often a database is read at most that is written meanwhile.
_TRIES = 5
#: Where the server listens in its container.
_SERVER_PORT = "9997/tcp"
#: Characters of what a health check said, from its end.
_HEALTH_CHARACTERS = 200
#: Instructions of SQLite for one question, rows of its answer, and characters in them.
_STEPS, _ROWS, _CHARACTERS = 1_000_000, 10_000, 16 << 20
#: What a database may be made of for its tables to be tables. A view or a virtual table runs what is written in it.
_PLAIN = re.compile(r"CREATE (TABLE|(UNIQUE )?INDEX|TRIGGER)\b", re.IGNORECASE)
#: The distribution's interpreter, and where Debian and Ubuntu put packages for it.
_USUAL_PYTHON, _DISTRIBUTION_PACKAGES = "/usr/bin/python3", "/usr/lib/python3/dist-packages"
_ACCOUNT_TABLES = ("users", "user_permissions")
#: What the service tells of itself and of each model, and of what type.
_STATE = {"ready": bool, "trouble": str, "refused": bool, "models": dict}
_STATE_OF_MODEL = {"declared": str, "state": str, "answered": bool, "tries": int, "message": str}


class _UnixConnection(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    response_class = Answer

    def __init__(self, path: str, timeout: float) -> None:
        super().__init__("docker", timeout=timeout)
        self.path = path

    def connect(self) -> None:
        """Open the socket."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


class Refused(OSError):
    """The engine answered with an error; the text holds its words."""


class DockerSocket:
    """Talks to a Docker Engine on this host, without any Docker package.

    :param docker_host: ``unix:///path`` of the engine's socket.
    :param timeout: seconds until a request without an answer fails.
    """

    def __init__(self, docker_host: str, timeout: float = 10.0) -> None:
        self.path = docker_host[len("unix://") :] if docker_host.startswith("unix://") else docker_host
        self.timeout = timeout

    def send(self, route: str, timeout: float | None = None, body: Mapping[str, Any] | None = None) -> None:
        """Send a POST request.

        :param timeout: seconds until it fails without an answer, where it may take longer than others.
        :param body: what goes with it.
        :raises OSError: when the engine does not answer, or with an error.
        """
        self._ask("POST", route, timeout, body)

    def remove(self, route: str) -> None:
        """Send a DELETE request; what is not there, or being removed, is as good as removed.

        :raises OSError: when the engine does not answer, or with an error.
        """
        self._ask("DELETE", route, _REMOVING)

    def read(self, route: str) -> bytes | None:
        """Body of the engine's answer to a GET request; None where it says 404.

        :raises OSError: when the engine does not answer, with an error, or with too much.
        """
        return self._ask("GET", route)

    def _ask(self, method: str, route: str, timeout: float | None = None, sent: Mapping[str, Any] | None = None) -> bytes | None:
        connection = _UnixConnection(self.path, timeout or self.timeout)
        try:
            connection.request(method, route, None if sent is None else json.dumps(sent), {} if sent is None else {"Content-Type": "application/json"})
            answer = connection.getresponse()
            body = answer.read()
        except (http.client.HTTPException, TooMuch) as error:
            raise OSError(str(error)) from error
        finally:
            connection.close()
        if (answer.status == 404 and method != "POST") or (answer.status == 409 and method == "DELETE"):
            return None
        # 304 says that it is so already.
        if answer.status not in (200, 204, 304):
            raise Refused(f"{route} answered {answer.status}: {body.decode(errors='replace').strip()}")
        return body

    def get(self, route: str) -> Any:
        """The engine's answer to a GET request, decoded; None where it says 404.

        :raises OSError: when the engine does not answer, with an error, or with something else.
        """
        body = self.read(route)
        try:
            return None if body is None else parse_json(body.decode())
        except ValueError as error:
            raise OSError(str(error)) from error

    def log(self, container: str, lines: int, since: int = 0) -> list[str]:
        """The last lines that a container wrote, without a model's environment, at the earliest at ``since``, in seconds since the epoch.

        :raises OSError: when the engine does not answer, with an error, or the lines are too long.
        """
        body = self.read(f"/containers/{quote(container, safe='')}/logs?stdout=1&stderr=1&tail={lines}{f'&since={since}' if since else ''}") or b""
        parts: list[bytes] = []
        at = 0
        # Without a terminal the engine sends frames: one byte for the stream, three empty, four for the length.
        while len(body) - at >= 8 and body[at] in (1, 2):
            end = at + 8 + int.from_bytes(body[at + 4 : at + 8], "big")
            parts.append(body[at + 8 : end])
            at = end
        text = b"".join(parts) or body
        return [one_line(line) for line in text.decode(errors="replace").splitlines()[-lines:]]


def _counted(text: str) -> int | None:
    """The number of processes that a control group's memory limit has killed."""
    for line in text.splitlines():
        name, _space, number = line.partition(" ")
        if name == "oom_kill" and number.strip().isdigit():
            return int(number)
    return None


@dataclass(frozen=True)
class Deaths:
    """What ended in a container so far.

    :param killed: processes that were killed because its memory was used up.
    :param restarts: how often the engine started it again.
    """

    killed: int = 0
    restarts: int = 0


def engine_errors(docker_host: str, container: str, since: int) -> list[str]:
    """What llama.cpp printed as errors in a container; it says there alone why it does not load a file. Empty where this host cannot tell.

    :param since: lines from this second on, since the epoch.
    """
    try:
        lines = DockerSocket(docker_host).log(container, 400, since)
    except OSError:
        return []
    return [line for line in lines if _ENGINE_ERROR.match(line)][-10:]


def deaths(docker_host: str, container: str, root: Path = Path("/")) -> Deaths | None:
    """What ended in a container so far; None where this host cannot tell.

    :param docker_host: socket of the engine.
    :param container: name or ID.
    :param root: where the host's file system begins.
    """
    try:
        found = DockerSocket(docker_host).get(f"/containers/{quote(container, safe='')}/json") or {}
    except (OSError, ValueError):
        return None
    state, restarts = found.get("State") or {}, int(found.get("RestartCount") or 0)
    if not state.get("Running"):
        # Its control group is gone. The engine does not always notice the reason, but nothing else ends it by this signal unasked.
        return Deaths(int(bool(state.get("OOMKilled")) or state.get("ExitCode") == KILLED), restarts)
    try:
        groups = (root / "proc" / str(state.get("Pid") or 0) / "cgroup").read_text(encoding="ascii")
    except (OSError, ValueError):
        return Deaths(0, restarts)
    for line in groups.splitlines():
        _number, controllers, path = line.split(":", 2)
        # Version 1 has a hierarchy of its own for memory, version 2 has one for all.
        places = {"memory": ("sys/fs/cgroup/memory", "memory.oom_control"), "": ("sys/fs/cgroup", "memory.events")}
        folder, name = places.get("memory" if "memory" in controllers.split(",") else controllers, ("", ""))
        try:
            counted = _counted((root / folder / path.lstrip("/") / name).read_text(encoding="ascii")) if name else None
        except OSError:
            continue
        if counted is not None:
            return Deaths(counted, restarts)
    return Deaths(0, restarts)


def is_named(found: Mapping[str, Any], container: str) -> bool:
    """Whether a container has that name; the engine takes the beginning of an identifier as well."""
    return str(found.get("Name", f"/{container}")) == f"/{container}"


def container_facts(engine: DockerSocket, container: str, log_lines: int = 0) -> dict[str, Any] | None:
    """One container; None where there is none of the name.

    :param container: its name.
    :param log_lines: number of lines of its log to return with it.
    :raises OSError: when the engine does not answer.
    """
    found = engine.get(f"/containers/{quote(container, safe='')}/json")
    facts = _container_facts(found) if found and is_named(found, container) else None
    if facts and log_lines > 0:
        facts["log"] = _log(engine, container, log_lines)
    return facts


def _health_says(log: Any) -> str:
    """The last words of the last health check that said any, on one line; empty where none did."""
    said = [str(check.get("Output") or "").strip() for check in log or [] if isinstance(check, Mapping)]
    words = next(filter(None, reversed(said)), "")
    # What failed stands at the end; a container could write anything.
    return shown(" ".join(without_environment(words)[-_HEALTH_CHARACTERS:].split()))


def _is_empty(path: str) -> bool:
    """Whether a path of this host is an empty directory, or is not there; no where that cannot be told."""
    try:
        with os.scandir(path) as entries:
            return next(entries, None) is None
    except FileNotFoundError:
        return True
    except OSError:
        return False


def _of_first_process(state: Mapping[str, Any], root: Path = Path("/")) -> dict[str, str]:
    """What the first process of a container was told about where its files are; nothing where it does not run, or another host runs it."""
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
    # Without a port the engine chooses one when the container starts; without an address it is every address.
    mounts = sorted((str(mount.get("Source")), str(mount.get("Destination")), bool(mount.get("RW"))) for mount in found.get("Mounts") or [])
    written = [source for source, _target, writable in mounts if writable]
    # Of a range as well, see what is held.
    published = sorted(
        {(other, binding.get("HostIp") or "::", int(binding["HostPort"])) for other, binding in found_bindings if str(binding.get("HostPort")).isdecimal()}
    )
    return {
        "id": str(found.get("Id"))[:12],
        "image": (found.get("Config") or {}).get("Image"),
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
        # The engine follows links in a source whenever the container starts.
        "chooses_mounts": any(PurePosixPath(top) in PurePosixPath(source).parents for source, _target, _writable in mounts for top in written),
        **keeps(found, _of_first_process(state), _is_empty),
    }


def _held(found: Mapping[str, Any]) -> list[int]:
    """Ports of the host that a container holds just now, also where it was created and is just being started."""
    ends = ((found.get("NetworkSettings") or {}).get("Ports") or {}).values()
    return sorted({int(binding["HostPort"]) for bindings in ends for binding in bindings or [] if str(binding.get("HostPort")).isdecimal()})


def engine_facts(docker_host: str, container: str | None = None, image: str | None = None, log_lines: int = 0) -> dict[str, Any]:
    """The Docker Engine, one container with its network, and one image.

    :param docker_host: address of the engine's socket.
    :param container: name of a container to describe.
    :param image: reference of an image to look for.
    :param log_lines: number of lines of the container's log to return with it.
    :returns: ``reachable``, ``error`` (why not), ``version``, ``api_version``, ``container`` (None when absent), ``image_present``, ``gateway`` (address of
        this host on the container's network, from which the container sees everything that comes from the host; None without such a network), ``network`` (of
        the container's name: ``bridge``, its interface, ``subnets``, and ``ours``, whether these roles made it; None without one), ``uid`` (number of the
        user who runs the engine; None without a socket), ``root`` (numbers that user and group 0 of a container have on this host, such as ``0:0``),
        ``rootless`` (whether it runs without root, in a network of its own), ``processors`` (of which a container can have that many; None where it does not
        answer), ``networks`` (addresses of all of its networks, by name), ``interrupted`` (whether a replacement of the container was not ended),
        ``previous`` (``labels`` and ``user`` of the container of before, which is kept until a replacement has ended; None without one),
        ``neighbours`` (other containers that run, see :func:`~.adoption.neighbours`).
    """
    facts: dict[str, Any] = {
        **{"reachable": False, "error": "", "container": None, "image_present": False, "rootless": False, "networks": {}, "interrupted": False},
        "neighbours": [],
        **dict.fromkeys(("version", "api_version", "gateway", "network", "uid", "root", "processors", "previous")),
    }
    if "://" in docker_host and not docker_host.startswith("unix://"):
        facts["error"] = f"'{docker_host}' is not a Unix socket of this host"
        return facts
    engine = DockerSocket(docker_host)
    try:
        version = engine.get("/version") or {}
        facts.update(reachable=True, uid=os.stat(engine.path).st_uid, version=version.get("Version"), api_version=version.get("ApiVersion"))
        info = engine.get("/info") or {}
        facts["version"] = _engine_version(version, info)
        facts.update(root=_container_root(info), rootless="name=rootless" in (info.get("SecurityOptions") or []), processors=info.get("NCPU"))
        for network in engine.get("/networks") or []:
            facts["networks"][str(network.get("Name"))] = _subnets(network)
            if network.get("Name") == container:
                facts.update(_network_facts(network))
        if container:
            facts["container"] = container_facts(engine, container, log_lines)
            facts["interrupted"], facts["previous"] = _interrupted(engine, container)
            facts["neighbours"] = neighbours(engine.get("/containers/json") or [], [container + ending for ending in ("", "-prepare", REPLACEMENT, PREVIOUS)])
        if image:
            # What is no reference at all is refused by the engine, too; preflight says it of the setting.
            with contextlib.suppress(Refused):
                facts["image_present"] = engine.get(f"/images/{quote(image, safe='/:@')}/json") is not None
    except FileNotFoundError:
        facts["error"] = f"there is no socket {engine.path}"
        # Package podman-docker leaves a link; to install Docker would remove that package.
        if "podman" in os.path.realpath(engine.path):
            facts.update(version="Podman", error=f"{engine.path} leads to {os.path.realpath(engine.path)}, the socket of Podman, which is not there")
    except (OSError, ValueError) as error:
        facts["error"] = getattr(error, "strerror", None) or str(error)
    return facts


def _engine_version(version: Mapping[str, Any], info: Mapping[str, Any]) -> str | None:
    """Number of a Docker Engine; name and number of another program that speaks the same API, whose number would be taken for an old Docker's."""
    names = [str(part.get("Name")) for part in version.get("Components") or [] if isinstance(part, Mapping) and part.get("Name")]
    # What is built on Buildah is Podman, whatever somebody in between makes of its parts.
    if any("podman" in name.lower() for name in names) or "BuildahVersion" in info:
        return f"Podman {version.get('Version')}"
    # Docker has named its parts since 18.06, and itself is Engine.
    return f"{names[0]} {version.get('Version')}" if names and "Engine" not in names else version.get("Version")


def _container_root(info: Mapping[str, Any]) -> str:
    """Numbers that root of a container has on this host: others than 0 where the engine maps users (userns-remap), and names its folder after them."""
    mapped = re.search(r"/(\d+)\.(\d+)$", str(info.get("DockerRootDir")))
    return ":".join(mapped.groups()) if mapped and "name=userns" in (info.get("SecurityOptions") or []) else "0:0"


def _log(engine: DockerSocket, container: str, lines: int) -> list[str]:
    """The last lines of a container, or why there are none; what it wrote must not hide the rest."""
    try:
        return engine.log(container, lines)
    except OSError as error:
        return [f"The log cannot be read: {error.strerror or error}."]


def _interrupted(engine: DockerSocket, container: str) -> tuple[bool, dict[str, Any] | None]:
    """``interrupted`` and ``previous``."""
    replacement, previous = (engine.get(f"/containers/{quote(container + ending, safe='')}/json") for ending in (REPLACEMENT, PREVIOUS))
    config = (previous or {}).get("Config") or {}
    return bool(replacement or previous), {"labels": config.get("Labels") or {}, "user": str(config.get("User") or "")} if previous else None


def _ranges(network: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The ranges of addresses of a network, as the engine describes them."""
    return [entry for entry in (network.get("IPAM") or {}).get("Config") or [] if isinstance(entry, Mapping)]


def _subnets(network: Mapping[str, Any]) -> list[str]:
    return [str(entry["Subnet"]) for entry in _ranges(network) if entry.get("Subnet")]


def _network_facts(found: Mapping[str, Any]) -> dict[str, Any]:
    """``network`` and ``gateway`` of the engine's description of a network."""
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
    """Address of this host in a range of the engine; where it was chosen by the engine, older ones do not say that they take the first."""
    if addresses.get("Gateway"):
        return str(addresses["Gateway"])
    try:
        # A range of one address has a list of them.
        return str(next(iter(ipaddress.ip_network(str(addresses.get("Subnet")), strict=False).hosts())))
    except (ValueError, StopIteration):
        return None


def _mount_of(path: str, mounts: list[list[str]]) -> tuple[str, str]:
    """File system type and mount options of the deepest mount point above a path."""
    best, kind, options = "", "unknown", ""
    for fields in mounts:
        # White space in a path is written as an octal escape there.
        point = re.sub(r"\\([0-7]{3})", lambda escape: chr(int(escape.group(1), 8)), fields[1])
        if (path == point or path.startswith(point.rstrip("/") + "/")) and len(point) >= len(best):
            best, kind, options = point, fields[2], fields[3]
    return kind, options


def _mounts() -> list[list[str]]:
    """The mount table of this process."""
    try:
        return [line.split() for line in Path("/proc/mounts").read_text(encoding="utf-8").splitlines() if len(line.split()) >= 4]
    except OSError:
        return []


def _name(look_up: Any, number: int) -> str:
    """Name of a user or group, or its number where it has none."""
    try:
        return str(look_up(number)[0])
    except KeyError:
        return str(number)


def path_facts(path: str, mounts: list[list[str]] | None = None) -> dict[str, Any]:
    """A path, and the file system that it is or would be on.

    :param path: absolute path; it need not exist.
    :returns: ``exists``, ``directory``, ``size`` (bytes of a regular file, else None), ``owner``, ``group``, their numbers ``uid`` and ``gid``, ``mode``
        (four octal digits), ``public`` (whether every user may read it, with all folders above), ``empty``, ``links`` (which of the path and the folders
        above are links, from the root on), ``real`` (the path without links), ``nearest`` (the deepest folder above that exists), ``writable``,
        ``filesystem``, ``free_mib``.
    """
    facts: dict[str, Any] = {"exists": False, "directory": False, **dict.fromkeys(("size", "owner", "group", "uid", "gid", "mode"))}
    facts.update(public=False, empty=True, links=[str(step) for step in (*reversed(Path(path).parents), Path(path)) if step.is_symlink()])
    facts["real"] = os.path.realpath(path)
    try:
        found = os.stat(path)
        # Whoever owns a folder above may move it meanwhile.
        public = bool(found.st_mode & stat.S_IROTH) and all(os.stat(folder).st_mode & stat.S_IXOTH for folder in Path(os.path.realpath(path)).parents)
    except OSError:
        pass
    else:
        facts.update(
            exists=True,
            directory=stat.S_ISDIR(found.st_mode),
            size=found.st_size if stat.S_ISREG(found.st_mode) else None,
            owner=_name(pwd.getpwuid, found.st_uid),
            group=_name(grp.getgrgid, found.st_gid),
            uid=found.st_uid,
            gid=found.st_gid,
            mode=f"{stat.S_IMODE(found.st_mode):04o}",
            public=public,
        )
        if facts["directory"]:
            with contextlib.suppress(OSError), os.scandir(path) as entries:
                facts["empty"] = next(entries, None) is None
    nearest = Path(path)
    # os.path.exists is False for what this user may not look into, where Path.exists would raise on older Pythons.
    while not os.path.exists(nearest) and nearest != nearest.parent:
        nearest = nearest.parent
    kind, _options = _mount_of(os.path.realpath(nearest), _mounts() if mounts is None else mounts)
    facts.update(nearest=str(nearest), writable=os.access(nearest, os.W_OK), filesystem=kind)
    try:
        usage = os.statvfs(nearest)
        facts["free_mib"] = usage.f_bavail * usage.f_frsize // MIB
    except OSError:
        facts["free_mib"] = None
    return facts


def _memory() -> dict[str, int]:
    """Memory and swap in MiB."""
    values: dict[str, int] = {}
    try:
        for line in Path("/proc/meminfo").read_text(encoding="utf-8").splitlines():
            key, _colon, rest = line.partition(":")
            values[key] = int(rest.split()[0]) // 1024
    except (OSError, ValueError, IndexError):
        pass
    return {"total_mib": values.get("MemTotal", 0), "available_mib": values.get("MemAvailable", 0), "swap_mib": values.get("SwapTotal", 0)}


def _selinux() -> str:
    """``enforcing``, ``permissive`` or ``disabled``."""
    try:
        return "enforcing" if Path("/sys/fs/selinux/enforce").read_text(encoding="ascii").strip() == "1" else "permissive"
    except OSError:
        return "disabled"


def _distribution() -> dict[str, Any]:
    """``id``, ``version`` and ``like`` of /etc/os-release."""
    values: dict[str, str] = {}
    for line in Path("/etc/os-release").read_text(encoding="utf-8").splitlines() if Path("/etc/os-release").exists() else []:
        key, _equals, value = line.partition("=")
        values[key] = value.strip().strip("\"'")
    return {"id": values.get("ID", "unknown"), "version": values.get("VERSION_ID", ""), "like": values.get("ID_LIKE", "").split()}


def _python() -> dict[str, Any]:
    """The interpreter that runs this, and what it can import."""
    usual = os.path.realpath(_USUAL_PYTHON) == os.path.realpath(sys.executable)
    base = getattr(sys, "_base_executable", None) or sys.executable
    return {
        "version": platform.python_version(),
        # That of the distribution by the name that it keeps when it is upgraded: units go on with it.
        "executable": _USUAL_PYTHON if usual and sys.prefix == sys.base_prefix else sys.executable,
        "prefix": sys.base_prefix,
        # A virtual environment of it sees what the distribution installs only if it was asked to.
        "distribution": os.path.realpath(base) == os.path.realpath(_USUAL_PYTHON) and (sys.prefix == sys.base_prefix or _DISTRIBUTION_PACKAGES in sys.path),
        "cryptography": _imports("cryptography.x509"),
        "packaging": _imports("packaging.version"),
        "requests": _imports("requests"),
        # The standard library, of which distributions leave this part out; to import it is not what it is for.
        "venv": importlib.util.find_spec("ensurepip") is not None,
    }


def _imports(name: str) -> bool:
    """Whether a module can be imported; that there is a folder of its name says little."""
    try:
        importlib.import_module(name)
    except Exception:
        # Libraries of another version raise anything.
        return False
    return True


def _below(path: str, data_root: str | None) -> tuple[Path, tuple[str, ...]]:
    """A folder that is trusted, and the names from there to a file.

    :param data_root: that folder, where the file lies in it; else it is the file's own.
    """
    place = Path(path)
    base = Path(data_root) if data_root and Path(data_root) in place.parents else place.parent
    return base, place.relative_to(base).parts


def _database(base: Path, parts: tuple[str, ...]) -> tuple[bytes, bytes]:
    """A database of SQLite and the log of what was written to it since, both of one moment.

    :raises FileNotFoundError: when there is none.
    :raises OSError: when it cannot be read, or is written all the time.
    """
    log = (*parts[:-1], f"{parts[-1]}-wal")

    def marks() -> list[tuple[int, ...]]:
        found = [stat_below(base, parts)]
        with contextlib.suppress(FileNotFoundError):
            found.append(stat_below(base, log))
        return [(each.st_ino, each.st_size, each.st_mtime_ns) for each in found]

    for _try in range(_TRIES):
        before, content, written = marks(), read_bytes(base, parts, _DATABASE_BYTES), b""
        with contextlib.suppress(FileNotFoundError):
            written = read_bytes(base, log, _DATABASE_BYTES)
        if marks() == before:
            return content, written
    raise OSError("it is written all the time")


def _rows(connection: sqlite3.Connection, question: str) -> list[tuple[Any, ...]]:
    """Answer to a question whose last word is the number of rows.

    :raises sqlite3.Error: when it cannot be answered, or with more than any server has.
    """
    rows: list[tuple[Any, ...]] = []
    left = _CHARACTERS
    for row in connection.execute(question, (_ROWS + 1,)):
        rows.append(row)
        left -= sum(len(value) for value in row if isinstance(value, (str, bytes)))
        if left < 0 or len(rows) > _ROWS:
            raise sqlite3.DataError("there is too much in it")
    return rows


def _is_plain(connection: sqlite3.Connection) -> bool:
    """Whether a database has the tables with accounts, and nothing that runs when somebody reads them."""
    made = _rows(connection, "SELECT type, name, sql FROM sqlite_master LIMIT ?")
    tables = {name for kind, name, _sql in made if kind == "table"}
    # SQLite goes by the text, whatever stands beside it. What it makes by itself has none.
    if not tables.issuperset(_ACCOUNT_TABLES) or not all(sql is None or _PLAIN.match(str(sql)) for _kind, _name, sql in made):
        return False
    # The last column tells which ones are computed.
    return not any(column[-1] for table in _ACCOUNT_TABLES for column in connection.execute(f"PRAGMA table_xinfo({table})"))


def _accounts(database: Path) -> dict[str, Any] | None:
    """What :func:`account_facts` returns, of a copy; None where its tables are none.

    :raises sqlite3.Error: when it cannot be read.
    """
    with contextlib.closing(sqlite3.connect(f"file:{quote(str(database))}?mode=ro", uri=True)) as connection:
        connection.set_progress_handler(lambda: 1, _STEPS)
        connection.execute("PRAGMA trusted_schema=OFF")
        connection.execute("PRAGMA cell_size_check=ON")
        if not _is_plain(connection):
            return None
        users = _rows(connection, "SELECT id, username, enabled FROM users LIMIT ?")
        granted = defaultdict(list)
        for owner, permission in _rows(connection, "SELECT user_id, permission FROM user_permissions LIMIT ?"):
            granted[owner].append(str(permission))
        return {
            name: {"enabled": enabled, "permissions": sorted(granted[number])}
            for name, enabled, number in sorted(((str(name), bool(enabled), number) for number, name, enabled in users), key=lambda user: user[:2])
        }


def account_facts(database: str, data_root: str | None = None) -> dict[str, Any] | None:
    """The accounts in the server's database by name, each with ``enabled`` and ``permissions``; none without a database, None where it cannot be read.

    A copy is opened: SQLite would write beside the database, and the server may have put links there.

    :param data_root: as of :func:`_below`.
    """
    try:
        content, written = _database(*_below(database, data_root))
    except FileNotFoundError:
        return {}
    except OSError:
        return None
    try:
        with tempfile.TemporaryDirectory() as folder:
            copied = Path(folder, "copy")
            copied.write_bytes(content)
            if written:
                Path(folder, "copy-wal").write_bytes(written)
            return _accounts(copied)
    except (OSError, sqlite3.Error):
        return None


def server_environment(path: str, data_root: str | None = None) -> dict[str, bool]:
    """Names of the variables in the server's own file with secrets, and whether they have a value; none where it does not exist or is no file.

    :param path: of the file, which the server may replace.
    :param data_root: as of :func:`_below`.
    """
    with contextlib.suppress(OSError, UnicodeDecodeError):
        lines = read_bytes(*_below(path, data_root), _SECRETS_BYTES).decode("utf-8").splitlines()
        pairs = (line.partition("=") for line in lines if not line.startswith("#"))
        return {name: bool(value) for name, equals, value in pairs if equals and name.isidentifier()}
    return {}


def _fields(content: Any, types: Mapping[str, type]) -> dict[str, Any]:
    """The fields of a dictionary that somebody else wrote.

    :param types: of each of them; there may be more, which are left out.
    :raises TypeError: when it is no such dictionary.
    """

    def fits(value: Any, kind: type) -> bool:
        # For Python, true is a number.
        return isinstance(value, kind) and (kind is bool or not isinstance(value, bool))

    if not isinstance(content, dict) or not all(fits(content.get(name), kind) for name, kind in types.items()):
        raise TypeError
    return {name: content[name] for name in types}


def _service_state(content: Any) -> dict[str, Any]:
    """What the service wrote, when it is of the shape that it writes.

    :raises TypeError: when it is not.
    """
    # A service of an earlier version does not say whether it was refused.
    state = _fields({"refused": False, **content} if isinstance(content, dict) else content, _STATE)
    return {**state, "models": {uid: _fields(model, _STATE_OF_MODEL) for uid, model in state["models"].items()}}


def service_facts(
    units: Sequence[str], user: str, program: str, state: str, client_environment: str | None = None, *, root: Path = Path("/")
) -> dict[str, Any]:
    """The recovery service of this host.

    :param units: names of its units; the first is the service itself.
    :param user: whom it runs as.
    :param program: folder with its program.
    :param state: file in which it writes what it knows.
    :param client_environment: folder of the virtual environment that it runs in.
    :param root: where the host's file system begins.
    :returns: ``systemd`` (whether that runs this host), ``units`` (content of the unit files that are there, by name), ``enabled`` and ``active`` of the
        service itself, ``behind`` (whether a unit, the program or the client was written after it started), ``user`` (whether there is that user),
        ``program`` (fingerprint, None without one), ``state`` (None without one, or one that no service writes).
    """
    place = root / program.lstrip("/")
    client = client_records(root / client_environment.lstrip("/")) if client_environment else []
    facts: dict[str, Any] = {
        "systemd": (root / "run/systemd/system").is_dir(),
        **_unit_facts(units, root, [*place.rglob("*.py"), *client]),
        "program": folder_fingerprint(place),
        "state": None,
        "user": _is_user(user),
    }
    file = root / state.lstrip("/")
    with contextlib.suppress(OSError, ValueError, TypeError):
        facts["state"] = _service_state(read_json(file.parent, [file.name], _STATE_BYTES))
    return facts


def _unit_facts(units: Sequence[str], root: Path, uses: Sequence[Path] = ()) -> dict[str, Any]:
    """``units`` (content of the unit files that are there, by name), and of the first one ``enabled``, ``active`` and ``behind``.

    :param uses: files that it reads when it starts, besides the units.
    """
    folder = root / "etc/systemd/system"
    running = _started(units[0], root)
    found: dict[str, str] = {}
    for name in units:
        with contextlib.suppress(OSError, UnicodeDecodeError):
            found[name] = (folder / name).read_text(encoding="utf-8")
    return {
        "units": found,
        "enabled": (folder / "multi-user.target.wants" / units[0]).is_symlink(),
        "active": running.is_symlink(),
        "behind": _is_behind(running, [*(folder / name for name in units), *uses]),
    }


def _started(unit: str, root: Path) -> Path:
    """The link that systemd makes when a unit starts, and keeps for the journal as long as it runs; asking systemd would need another process."""
    return root / "run/systemd/units" / f"invocation:{unit}"


def _is_behind(read: Path, files: Sequence[Path]) -> bool:
    """Whether any of some files was written after something was; no when that is not there.

    A run that is cut off between writing a file and starting what reads it leaves it so.
    """
    with contextlib.suppress(OSError):
        since, now = read.lstat().st_mtime, time.time()
        for file in files:
            with contextlib.suppress(OSError):
                # A time to come is that of a clock that was wrong.
                if since < file.lstat().st_mtime <= now:
                    return True
    return False


def _is_user(name: str) -> bool:
    """Whether this host has a user of this name, and the group of the same name that units name as well."""
    try:
        pwd.getpwnam(name)
        grp.getgrnam(name)
    except KeyError:
        return False
    return True


def _marks(listed: str, comment: str) -> list[str]:
    """Chain, comment and target of each rule that has a comment of ours, sorted.

    :param listed: what ``iptables --list-rules`` printed.
    :param comment: that ours begin with.
    """
    found = []
    for line in listed.splitlines():
        words = shlex.split(line)
        after = dict(zip(words, words[1:]))
        if after.get("--comment", "").partition(":")[0] == comment and "-A" in after:
            found.append(f"{after['-A']} {after['--comment']} {after.get('-j', '')}")
    return sorted(found)


def firewall_facts(units: Sequence[str], comment: str, directory: str, run: Run, root: Path = Path("/")) -> dict[str, Any]:
    """The firewall rules of this host that units keep.

    :param units: names of the units; the first sets the rules, and the last is the timer that has them looked at.
    :param comment: of the rules, which may go on behind a colon.
    :param directory: with the files that the first unit reads.
    :param run: runs a command.
    :param root: where the host's file system begins.
    :returns: ``units``, ``enabled``, ``active`` and ``behind`` as of a service, ``timer`` (whether it runs, and at every boot), ``files`` (content of those in
        the directory, by name), ``rules`` (by IP family that this host has, chain, comment and target of each rule in the table mangle, sorted; None where
        they cannot be read).
    """
    place = root / directory.lstrip("/")
    files: dict[str, str] = {}
    for file in sorted(place.glob("*")):
        with contextlib.suppress(OSError, UnicodeDecodeError):
            files[file.name] = read_regular(file)
    found: dict[str, list[str] | None] = {}
    for family, command in (("ipv4", "iptables"), ("ipv6", "ip6tables")):
        if family == "ipv6" and not _has_ipv6(root):
            continue
        program = root / "usr/sbin" / command
        found[family] = None
        if os.access(program, os.X_OK):
            status, listed, _error = run([str(program), "--wait", "5", "--table", "mangle", "--list-rules"])
            found[family] = None if status else _marks(listed, comment)
    timer = root / "etc/systemd/system/timers.target.wants" / units[-1]
    # Of a timer, systemd leaves no mark that could be read.
    runs = timer.is_symlink() and run([str(root / "usr/bin/systemctl"), "is-active", "--quiet", units[-1]])[0] == 0
    return {
        **_unit_facts(units, root, sorted(place.glob("*"))),
        "timer": runs,
        "files": files,
        "rules": found,
    }


def _has_ipv6(root: Path) -> bool:
    """Whether the kernel of this host has IPv6 switched on."""
    try:
        return bool((root / "proc/net/if_inet6").read_text(encoding="ascii").strip())
    except OSError:
        return False


def proxy_facts(unit: str, user: str, config: str, certificates: Sequence[str], root: Path = Path("/")) -> dict[str, Any]:
    """The proxy of this host.

    :param unit: name of its unit.
    :param user: whom its workers run as.
    :param config: its configuration file.
    :param certificates: files with certificates in PEM format.
    :param root: where the host's file system begins.
    :returns: ``nginx`` (whether it is installed), ``units``, ``enabled`` and ``active`` as of a service, ``behind`` (whether the unit was written after it
        started), ``unread`` (whether the configuration was written after it was read), ``user`` (whether there is that user), ``config`` (its content, None
        without one), ``certificates`` (what :func:`certificate_facts` tells of those that are there, by path).
    """
    name, file = unit.partition(".service")[0], root / config.lstrip("/")
    # It is touched with each reload, and goes with the unit; until then the start counts.
    reloaded = root / "run" / name / "reloaded"
    facts: dict[str, Any] = {
        "nginx": os.access(root / "usr/sbin/nginx", os.X_OK),
        **_unit_facts([unit], root),
        "unread": _is_behind(reloaded if reloaded.exists() else _started(unit, root), [file]),
        "user": _is_user(user),
        "config": None,
        "certificates": {},
    }
    with contextlib.suppress(OSError, UnicodeDecodeError):
        facts["config"] = file.read_text(encoding="utf-8")
    for path in certificates:
        with contextlib.suppress(OSError):
            facts["certificates"][path] = certificate_facts((root / path.lstrip("/")).read_bytes())
    return facts


def gather(
    *,
    docker_host: str,
    container: str | None,
    image: str | None,
    paths: Iterable[str],
    client_environment: str | None,
    addresses: Iterable[str] = (),
    data_root: str | None = None,
    account_database: str | None = None,
    server_environment_file: str | None = None,
    declaration: str | None = None,
    log_lines: int = 0,
    service: Mapping[str, Any] | None = None,
    proxy: Mapping[str, Any] | None = None,
    firewall: Mapping[str, Any] | None = None,
    run: Run | None = None,
) -> dict[str, Any]:
    """Everything that the roles want to know about a host.

    :param docker_host: address of the engine's socket.
    :param container: name of the container.
    :param image: reference of the image.
    :param paths: paths to describe.
    :param client_environment: folder of the virtual environment with the client.
    :param addresses: IP addresses of which to tell whether this host can listen on them.
    :param data_root: folder in which the server's container can write; no link in it is followed for the two files.
    :param account_database: the server's file with its accounts.
    :param server_environment_file: the server's file with secrets.
    :param declaration: what the host was told of its models.
    :param log_lines: number of lines of the container's log to return.
    :param service: arguments of :func:`service_facts`; None asks for none.
    :param proxy: arguments of :func:`proxy_facts`; None asks for none.
    :param firewall: arguments of :func:`firewall_facts`; None asks for none.
    :param run: of :func:`firewall_facts`, which needs it.
    :returns: the facts, with sizes in MiB.
    """
    mounts = _mounts()
    return {
        "asked": {"docker_host": docker_host, "container": container, "image": image, "client_environment": client_environment, "data_root": data_root},
        "architecture": platform.machine(),
        "processors": len(os.sched_getaffinity(0)),
        "memory": _memory(),
        "distribution": _distribution(),
        "selinux": _selinux(),
        "administrator": os.geteuid() == 0,
        "python": _python(),
        "engine": engine_facts(docker_host, container, image, log_lines),
        "listeners": [asdict(listener) for listener in listeners()],
        "addresses": {address: can_listen(address) for address in addresses},
        "paths": {path: path_facts(path, mounts) for path in paths},
        **client_facts(client_environment, run),
        "accounts": account_facts(account_database, data_root) if account_database else None,
        "server_environment": server_environment(server_environment_file, data_root) if server_environment_file else {},
        "declared": stored_uids(declaration),
        "service": service_facts(**service, client_environment=client_environment) if service else None,
        "proxy": proxy_facts(**proxy) if proxy else None,
        "firewall": firewall_facts(**firewall, run=run) if firewall and run else None,
    }
