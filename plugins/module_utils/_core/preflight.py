# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a host can become what was declared: a pure function of its facts and the settings. Private to this collection."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import PurePosixPath
from typing import Any

from . import accounts, adoption, advisories, api_keys, firewall, joined, sizes, variables
from .certificates import days_left
from .declared import DeclaredModel, check_models
from .home import Files
from .host import PREVIOUS, REPLACEMENT
from .listeners import collide
from .paths import container_paths
from .sizing import Limits, choose_options, too_much
from .values import nearest, other_spelling, shown
from .volumes import check as check_volumes
from .volumes import host_path, may_be_root

__all__ = ["Failure", "ProxySettings", "Settings", "check_host", "container_paths"]

MINIMUM_ENGINE = (20, 10)
#: The API of that engine.
_MINIMUM_API = (1, 41)
#: The root, and two names below it.
MINIMUM_DEPTH = 3
#: Prefix length of a network with room for this host and the container.
_SMALLEST_SUBNET = 30
#: File systems on other machines: SQLite's write-ahead log needs shared memory between its users, which they do not give.
_REMOTE = frozenset({"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "ceph", "glusterfs", "fuse.glusterfs", "fuse.sshfs", "afs", "lustre"})
_MANAGED_ENGINE = frozenset({"debian", "ubuntu"})
MIB = 1 << 20
#: The least that Docker takes for a limit, in bytes.
_LEAST_MEMORY = 6 * MIB
#: Further settings that are sizes: the least that is of use, and an example.
_SIZES = {"xinference_shm_size": (MIB, "1g"), "xinference_log_max_size": (1024, "10m")}
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
#: A name of a host, RFC 1123, or a whole level of such names.
_HOST_NAME = re.compile(r"(\*\.)?([A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)*[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?")
#: A container's name as Docker wants it, of a length that names of units and directories made from it can have.
_CONTAINER = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]{1,127}")
#: Networks that Docker has already; the container's network has its name.
_NETWORKS = frozenset({"bridge", "host", "none", "default"})
#: The fewest processors that Docker gives a container.
_FEWEST_CPUS = 0.01
#: Settings that nginx counts with two bytes.
_CONNECTIONS = frozenset({"xinference_proxy_connections", "xinference_proxy_total_connections", "xinference_proxy_uploads"})
_MOST_CONNECTIONS = 65535
#: What ends a word or a line in a unit or in the configuration of nginx, or stands for something else there.
_NOT_IN_A_PLACE = re.compile(r"[\s\x00-\x1f\x7f\"'\\%$;{}:,#]")
#: Without a scope, behind which anything may follow.
_ADDRESS = re.compile(r"[0-9A-Fa-f:.]+")
_NUMBERS = re.compile(r"[1-9][0-9]{0,9}:[1-9][0-9]{0,9}")
#: Environment variables of the server that would undo what the roles made sure of, and what to do in their place.
_OWN_VARIABLES = {
    "XINFERENCE_HOME": "Set xinference_home.",
    "XINFERENCE_AUTH_ADVANCED": "Set xinference_authentication.",
    "XINFERENCE_AUTH_JWT_SECRET_KEY": "Remove it, for who inspects the container would read it; write it into .xinference/auth/environment, mode 0600.",
    "XINFERENCE_AUTH_ENCRYPTION_KEY": "Remove it, for who inspects the container would read it; write it into .xinference/auth/environment, mode 0600.",
    "XINFERENCE_AUTH_DB_PATH": "Remove it; the first administrator is made in the usual place before the server starts.",
    "XINFERENCE_TRUSTED_PROXIES": "Remove it; xinference_proxy sets it.",
}
#: What playbooks hand on with set_stats: in a workflow of AWX it is an extra variable of the next job.
HANDED_ON = frozenset({"xinference_status"})
#: What options of the modules are called as variables of the roles.
OPTION_NAMES = {
    "models": "xinference_models",
    "keep": "xinference_models",
    "validate_engine_options": "xinference_models_validate_engine_options",
    "check_memory": "xinference_models_check_memory",
    "download": "xinference_models_download",
    "wait_timeout": "xinference_models_wait_timeout",
    "progress_interval": "xinference_models_progress_interval",
    "max_concurrent_launches": "xinference_models_max_concurrent_launches",
    "earlier_models": "xinference_models_earlier",
}
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


@dataclass(frozen=True)
class Failure:
    """One reason why the host cannot be provisioned.

    :param check: what was looked at.
    :param problem: what is wrong, one sentence.
    :param remedy: what to do about it, one sentence.
    """

    check: str
    problem: str
    remedy: str

    def __str__(self) -> str:
        """Problem and remedy."""
        return f"{self.problem} {self.remedy}".strip()


@dataclass(frozen=True)
class ProxySettings:
    """The settings of the proxy.

    :param http_port: port that only redirects; 0 for none.
    :param names: names and addresses by which clients call it.
    :param certificate: file of the host with a certificate that was given; empty for one of the local authority.
    :param certificate_key: file of the host with its key.
    :param client_ca: file of the host with the authorities of clients' certificates; empty where clients need none.
    :param sizes: settings that are sizes as nginx writes them, by name.
    :param numbers: settings that must be 1 or more, by name.
    """

    address: str
    port: int
    http_port: int
    names: list[str]
    certificate: str
    certificate_key: str
    client_ca: str
    sizes: Mapping[str, str]
    numbers: Mapping[str, int]


@dataclass(frozen=True)
class Settings:
    """The settings that a host is checked against; sizes in MiB.

    :param validate_engine_options: whether options of an engine that are not known are refused.
    :param volumes: the volume tree, each entry with ``path`` and optionally ``target``.
    :param files: paths of the host that the server writes and the roles look at.
    :param places: paths that are written into units and the proxy's configuration, by the name of their variable.
    :param cpus: processors that the container may use; 0 for all.
    :param networks: names of further networks of Docker that the container joins.
    :param network_subnet: addresses of the container's network; empty for those that Docker chooses.
    :param blocked_destinations: what the container must not reach.
    :param allowed_destinations: exceptions of that.
    :param recovery: what brings the models back: auto, service, autostart or none.
    :param recovery_port: port for load balancers; 0 for none.
    :param variables: every variable of the play whose name starts with the collection's prefix.
    :param known_variables: the names that the roles document.
    :param container_user: numbers of the container's user and group; empty for the image's own user.
    :param values: the documented variables that are set, by name; those of roles that come later are among them only where a play sets them.
    :param proxy: the proxy; None where there shall be none.
    :param admin_username: name of the administrator.
    :param automation_username: name of the account that launches models; empty for the administrator.
    :param accounts: further accounts, each with ``name`` and fields of :class:`~.accounts.Account`.
    :param api_keys: keys, each with ``name`` and fields of :class:`~.api_keys.ApiKey`.
    :param client_version: version of the client on the host.
    :param check_memory: whether models are refused that by estimate do not fit.
    :param home: directory of the server inside its container.
    """

    data_root: str
    address: str
    port: int
    container: str
    manage_engine: bool
    minimum_disk_mib: int
    minimum_memory_mib: int
    memory: str
    image_tag: str
    image_digest: str
    image_archive: str
    authentication: bool
    admin_password_length: int
    models: Any
    validate_engine_options: bool
    volumes: list[dict[str, Any]]
    recovery: str
    recovery_address: str
    recovery_port: int
    variables: list[str]
    known_variables: list[str]
    container_user: str = ""
    values: Mapping[str, Any] = field(default_factory=dict)
    proxy: ProxySettings | None = None
    admin_username: str = "admin"
    automation_username: str = "automation"
    accounts: Any = ()
    api_keys: Any = ()
    files: Sequence[str] = ()
    places: Mapping[str, str] = field(default_factory=dict)
    cpus: float = 0.0
    networks: Sequence[str] = ()
    network_subnet: str = ""
    blocked_destinations: Any = ()
    allowed_destinations: Any = ()
    client_version: str = ""
    check_memory: bool = True
    home: str = "/root/.xinference"


def _check_variables(settings: Settings) -> list[Failure]:
    known = set(settings.known_variables) | HANDED_ON
    return [
        Failure("variables", f"Variable '{name}' is unknown{nearest(name, sorted(known)) or '.'}", "Correct its name or remove it.")
        for name in sorted(set(settings.variables) - known)
    ]


def _check_container(settings: Settings) -> list[Failure]:
    problems = []
    if not _CONTAINER.fullmatch(settings.container) or settings.container in _NETWORKS:
        problem = f"xinference_container_name '{shown(settings.container)}' cannot be the name of a container and its network."
        remedy = f"Use letters, digits, '_', '.' and '-', beginning with a letter or digit, and none of {', '.join(sorted(_NETWORKS))}."
        problems.append(Failure("container", problem, remedy))
    if settings.container_user and not _NUMBERS.fullmatch(settings.container_user):
        problem = f"xinference_container_user '{shown(settings.container_user)}' is no user and group of the kind 10001:10001."
        problems.append(Failure("container user", problem, "Give two numbers above 0, or leave it empty for the image's own user."))
    volumes = {f"xinference_volumes[{number}] path": str(volume.get("path")) for number, volume in enumerate(settings.volumes)}
    for name, place in {**settings.places, **volumes}.items():
        wrong = _NOT_IN_A_PLACE.search(place)
        if wrong:
            problem = f"{name} '{shown(place)}' holds the character {wrong.group()!r}, which units of systemd and nginx would read as something else."
            problems.append(Failure("paths", problem, "Choose a path without it."))
    return problems


def _check_sizes(values: Mapping[str, Any]) -> list[Failure]:
    failures = []
    for name, (least, example) in _SIZES.items():
        size = sizes.parse(values[name]) if name in values else least
        if size is None or size < least:
            wrong = "is no size" if size is None else f"is {size} bytes, which is too little"
            failures.append(Failure("sizes", f"{name} '{shown(values[name])}' {wrong}.", f"Write one such as {example}."))
    return failures


def _gateway(host: Mapping[str, Any], subnet: str) -> str | None:
    """Address of this host on the container's network; None where Docker has still to choose it."""
    network = host["engine"].get("network") or {}
    if subnet and subnet not in network.get("subnets", []):
        try:
            return str(next(iter(ipaddress.ip_network(subnet).hosts())))
        except (ValueError, StopIteration):
            return None
    gateway: str | None = host["engine"].get("gateway")
    return gateway


def _check_texts(host: Mapping[str, Any], settings: Settings) -> list[Failure]:
    """What the container cannot be given as environment variables or labels, or must not."""
    environment = settings.values.get("xinference_environment", {})
    failures = [
        Failure("environment", problem, "")
        for name in ("xinference_environment", "xinference_labels")
        for problem in variables.check_texts(name, settings.values.get(name, {}))
    ]
    if not isinstance(environment, Mapping):
        return failures
    failures += [
        Failure("environment", f"xinference_environment names {name}, which the roles set themselves.", remedy)
        for name, remedy in _OWN_VARIABLES.items()
        if name in environment
    ]
    allowed = environment.get("XINFERENCE_ALLOWED_IPS")
    return failures + [Failure("environment", problem, remedy) for problem, remedy in variables.check_allowed(allowed, _gateway(host, settings.network_subnet))]


def _manages(host: Mapping[str, Any], settings: Settings) -> bool:
    """Whether role engine may install packages on this host."""
    return settings.manage_engine and bool({host["distribution"]["id"], *host["distribution"]["like"]} & _MANAGED_ENGINE)


def _installs(host: Mapping[str, Any], settings: Settings) -> bool:
    """Whether the roles install packages of the distribution on this host, and the play's Python sees them."""
    return _manages(host, settings) and bool(host["python"]["distribution"])


def _lacks(host: Mapping[str, Any], what: str, remedy: str) -> tuple[str, str]:
    """What the host's Python lacks, and what to do: the distribution's packages help its own Python alone."""
    python = host["python"]
    if python["distribution"]:
        return f"The host's Python {python['version']} lacks {what}.", remedy
    problem = f"The host's Python {python['version']} ({python['executable']}) lacks {what}, and it is not the distribution's, so it sees none of its packages."
    return problem, "Let ansible_python_interpreter name the distribution's, /usr/bin/python3, or install them with this one's own pip."


def _check_machine(host: Mapping[str, Any], settings: Settings) -> list[Failure]:
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
        if limit is None or limit < _LEAST_MEMORY:
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
    if lacking and not _installs(host, settings):
        remedy = "Install the distribution's packages for them (on Debian python3-requests, python3-packaging and python3-venv), or let role engine do it."
        failures.append(Failure("python", *_lacks(host, " and ".join(lacking), remedy)))
    if host["client_foreign"]:
        problem = f"What is at xinference_client_environment cannot run the client: {host['client_problem']}."
        failures.append(Failure("client", problem, "Remove it, or choose another path."))
    if not host["administrator"]:
        failures.append(Failure("privileges", "The play does not run as root on this host.", "Set ansible_become to true, or connect as root."))
    return failures


def _check_engine(host: Mapping[str, Any], settings: Settings) -> list[Failure]:
    engine = host["engine"]
    version = str(engine["version"] or "")
    # Before all else: to install Docker beside it, or to upgrade it, would be of no use.
    if version == "Podman" or " " in version:
        found = f"The engine is {shown(version)}" if engine["reachable"] else f"No Docker Engine answers: {engine['error']}"
        return [Failure("engine", f"{found}, but the roles need a Docker Engine.", "Set xinference_docker_host to the socket of one.")]
    if not engine["reachable"]:
        if _manages(host, settings):
            return []
        remedy = (
            "Install a Docker Engine; role engine can do it on Debian and Ubuntu only."
            if settings.manage_engine
            else "Install and start one, or set xinference_engine_manage to true."
        )
        return [Failure("engine", f"No Docker Engine answers: {engine['error']}.", remedy)]
    problem, remedy = _engine_version(version, str(engine["api_version"] or ""))
    if problem:
        return [Failure("engine", problem, remedy)]
    # What it did not tell would count as not there.
    return [Failure("engine", f"The Docker Engine did not answer every question: {engine['error']}.", "Run again.")] if engine["error"] else []


def _engine_version(version: str, api: str) -> tuple[str, str]:
    """What is wrong with the version of what answers as a Docker Engine, and what to do; empty where nothing is."""
    numbers, interface = _numbers(version), _numbers(api)
    elsewhere = "Set xinference_docker_host to the socket of one."
    if not version or not (numbers or interface):
        return f"What answers in the place of a Docker Engine tells no version{f' but {shown(version)}' if version else ''}, but the roles need one.", elsewhere
    # One that was built by hand has no number, or 0.0, but an API like the others.
    if numbers >= MINIMUM_ENGINE or (not any(numbers) and interface >= _MINIMUM_API):
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


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return bool(_ADDRESS.fullmatch(text))


def _check_network(host: Mapping[str, Any], settings: Settings) -> list[Failure]:
    problems: list[tuple[str, str]] = [
        (problem, "Correct it.")
        for name, destinations, words in (
            ("xinference_blocked_destinations", settings.blocked_destinations, (firewall.HOST,)),
            ("xinference_allowed_destinations", settings.allowed_destinations, ()),
        )
        for problem in firewall.check(name, destinations, words)
    ]
    subnet = settings.network_subnet
    if subnet:
        try:
            wanted = ipaddress.ip_network(subnet)
            elsewhere = wanted.is_loopback or wanted.is_link_local or wanted.is_multicast or wanted.network_address.is_unspecified
            wrong = not re.fullmatch(r"[0-9./]+", subnet) or wanted.prefixlen > _SMALLEST_SUBNET or elsewhere
        except ValueError:
            wrong = True
        if wrong:
            problem = f"xinference_network_subnet '{shown(subnet)}' is no IPv4 network of at least four addresses that a container can have."
            problems.append((problem, "Write one such as 192.168.240.0/28, or leave it empty."))
    network = host["engine"].get("network")
    if network and not network["ours"]:
        problem = f"Docker has a network {settings.container} already, which these roles did not make; the container's network has the container's name."
        problems.append((problem, "Remove that network, or choose another xinference_container_name."))
    return [Failure("network", problem, remedy) for problem, remedy in problems]


def _check_start(host: Mapping[str, Any], settings: Settings) -> list[Failure]:
    """What Docker would refuse when the container is made or started, as far as the facts tell."""
    docker = host["engine"]
    problems: list[tuple[str, str]] = []
    if settings.container.endswith((REPLACEMENT, PREVIOUS)):
        problem = f"xinference_container_name '{settings.container}' ends like the name of a container that another one replaces."
        problems.append((problem, f"Choose a name that does not end in {REPLACEMENT} or {PREVIOUS}."))
    processors = docker["processors"] or host["processors"]
    if settings.cpus and not _FEWEST_CPUS <= settings.cpus <= processors:
        problem = f"xinference_cpus '{settings.cpus:g}' cannot be had: this host has {processors} {'processor' if processors == 1 else 'processors'}."
        problems.append((problem, f"Use a number from {_FEWEST_CPUS} to {processors}, or 0 for all."))
    used = [("xinference_address", settings.address)]
    if settings.recovery in ("auto", "service") and settings.recovery_port and host["service"]["systemd"]:
        used.append(("xinference_recovery_address", settings.recovery_address))
    if settings.proxy is not None:
        used.append(("xinference_proxy_address", settings.proxy.address))
    for name, address in used:
        if _is_address(address) and not host["addresses"].get(address, True):
            problems.append((f"{name} '{address}' is no address of this host.", "Use one of an interface of this host, or 127.0.0.1."))
    return [Failure("start", problem, remedy) for problem, remedy in [*problems, *_network_problems(docker, settings)]]


def _network_problems(docker: Mapping[str, Any], settings: Settings) -> list[tuple[str, str]]:
    """What is wrong with the networks that the container joins: problems and what to do."""
    problems = []
    for place, name in enumerate(settings.networks):
        if name == settings.container or name in _NETWORKS:
            problem = f"xinference_networks[{place}] '{shown(name)}' cannot be joined: it is the container's own network, or one that Docker keeps for itself."
            problems.append((problem, "Remove it."))
        elif docker["reachable"] and name not in docker["networks"]:
            there = sorted(set(docker["networks"]) - _NETWORKS - {settings.container})
            problem = f"xinference_networks[{place}] '{shown(name)}' does not exist on this host."
            problems.append((problem, f"Create it first, or use one of {', '.join(there)}." if there else "Create it first."))
    try:
        wanted = ipaddress.ip_network(settings.network_subnet)
    except ValueError:
        return problems
    for name, subnets in sorted(docker["networks"].items()):
        taken = next((text for text in subnets if name != settings.container and wanted.overlaps(ipaddress.ip_network(text, strict=False))), None)
        if taken:
            problem = f"xinference_network_subnet '{settings.network_subnet}' overlaps {taken}, which Docker's network {name} has."
            problems.append((problem, "Choose another one, or leave it empty."))
    return problems


def _taken(host: Mapping[str, Any], address: str, port: int) -> str:
    """A sentence about who listens on a port already; empty when nobody does."""
    taken = {listener["address"] for listener in host["listeners"] if listener["port"] == port and collide(listener["address"], address)}
    return f"Port {port} is in use on {', '.join(sorted(taken))} by something else." if taken else ""


def _check_port(host: Mapping[str, Any], settings: Settings) -> list[Failure]:
    failures: list[Failure] = []
    port = settings.port
    if not 1 <= port <= 65535:
        return [Failure("port", f"xinference_port '{port}' is no port.", "Use a number from 1 to 65535.")]
    if not _is_address(settings.address):
        remedy = joined.address_hint("xinference_address", settings.address) or "Use an address of this host such as 127.0.0.1."
        return [Failure("address", f"xinference_address '{shown(settings.address)}' is no IP address.", remedy)]
    if not ipaddress.ip_address(settings.address).is_loopback and not settings.authentication:
        failures.append(
            Failure(
                "address",
                f"xinference_address '{settings.address}' would let anybody on the network run code here, because xinference_authentication is false.",
                "Publish on 127.0.0.1, or switch authentication on.",
            )
        )
    container = host["engine"]["container"] or {}
    # One that restarts, or is paused, holds its port on and off, or still; one that is just started is called created or exited until it runs.
    holds = container.get("ports" if container.get("status") not in ("created", "exited") else "held") or []
    ours = port in holds
    taken = _taken(host, settings.address, port)
    if taken and not ours:
        failures.append(_port_of(host, settings, taken))
    return failures


def _holder(host: Mapping[str, Any], settings: Settings) -> Mapping[str, Any] | None:
    """The other container that has the server's port; None where it is none."""
    taken = _is_address(settings.address) and _taken(host, settings.address, settings.port)
    return adoption.holder(host["engine"].get("neighbours") or [], settings.address, settings.port) if taken else None


def _port_of(host: Mapping[str, Any], settings: Settings, taken: str) -> Failure:
    """Who has the server's port."""
    other = _holder(host, settings)
    if other is None:
        return Failure("port", taken, "Free it, or set xinference_port to another one.")
    if not other["xinference"]:
        problem = f"Port {settings.port} is in use by container {other['name']} ({other['image']})."
        return Failure("port", problem, "Stop it, or set xinference_port to another one.")
    return Failure(
        "port",
        f"Port {settings.port} is in use by container {other['name']} ({other['image']}), which runs Xinference.",
        f"Set xinference_container_name to {other['name']} to adopt it, or xinference_port to another one.",
    )


def _is_home(path: str) -> bool:
    """Whether a server can have its home there, in its container."""
    parts = PurePosixPath(path)
    return parts.is_absolute() and ".." not in parts.parts and str(parts) == path and len(parts.parts) > 1 and not _NOT_IN_A_PLACE.search(path)


def _volumes(settings: Settings) -> list[dict[str, Any]]:
    """The volumes without those that a wrong home has made wrong: it is told once."""
    if _is_home(settings.home):
        return settings.volumes
    return [volume for volume in settings.volumes if not str(volume.get("target") or "").startswith(settings.home)]


def _check_home(host: Mapping[str, Any], settings: Settings) -> list[Failure]:
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
        host["engine"],
        host["paths"],
        name=settings.container,
        data_root=settings.data_root,
        home=settings.home,
        volumes=settings.volumes,
        environment=environment if isinstance(environment, Mapping) else {},
        known=str((_holder(host, settings) or {}).get("name", "")),
    )
    return [Failure("adoption", problem, remedy) for problem, remedy in problems]


def _check_recovery(host: Mapping[str, Any], settings: Settings) -> list[Failure]:
    found, port = host["service"], settings.recovery_port
    if settings.recovery == "service" and not found["systemd"]:
        return [Failure("recovery", "xinference_recovery 'service' needs systemd, which does not run this host.", "Set it to auto, autostart or none.")]
    if settings.recovery not in ("auto", "service") or not found["systemd"] or port == 0:
        return []
    address = settings.recovery_address
    if not 1 <= port <= 65535:
        return [Failure("recovery", f"xinference_recovery_port '{port}' is no port.", "Use a number from 1 to 65535, or 0 for none.")]
    if not _is_address(address):
        remedy = joined.address_hint("xinference_recovery_address", address) or "Use an address of this host such as 127.0.0.1."
        return [Failure("recovery", f"xinference_recovery_address '{shown(address)}' is no IP address.", remedy)]
    if port == settings.port and _is_address(settings.address) and collide(address, settings.address):
        return [Failure("recovery", f"xinference_recovery_port '{port}' is the server's own port.", "Choose another one, or 0 for none.")]
    taken = "" if found["active"] else _taken(host, address, port)
    return [Failure("recovery", taken, "Free it, or set xinference_recovery_port to another one, or to 0 for none.")] if taken else []


def _check_proxy(host: Mapping[str, Any], settings: Settings, proxy: ProxySettings | None) -> list[Failure]:
    if proxy is None:
        return []
    if not host["service"]["systemd"]:
        return [Failure("proxy", "xinference_proxy needs systemd, which does not run this host.", "Set it to false, and put a proxy of your own in front.")]
    problems: list[tuple[str, str]] = []
    if not settings.authentication:
        problems.append(("xinference_proxy would let anybody on the network run code here, because xinference_authentication is false.", "Switch it on."))
    if _is_address(settings.address) and not ipaddress.ip_address(settings.address).is_loopback:
        problems.append(
            (
                f"xinference_address '{settings.address}' would let everybody past the proxy, in plain HTTP.",
                "Publish on 127.0.0.1 while xinference_proxy is true.",
            )
        )
    if not host["proxy"]["nginx"] and not _manages(host, settings):
        problems.append(("There is no nginx on this host.", "Install the distribution's package; the roles can do it on Debian and Ubuntu only."))
    if not proxy.certificate and not host["python"]["cryptography"] and not _installs(host, settings):
        remedy = "Install the distribution's package, or set xinference_proxy_certificate."
        problems.append(_lacks(host, "cryptography, which makes the proxy's certificate", remedy))
    problems += _proxy_ports(host, settings, proxy)
    for name in proxy.names:
        if not (_is_address(name) or _HOST_NAME.fullmatch(name)):
            problems.append((f"xinference_proxy_names '{shown(name)}' is neither a name of a host nor an IP address.", "Correct it."))
    for name, size in proxy.sizes.items():
        if sizes.parse(size) is None:
            problems.append((f"{name} '{shown(size)}' is no size.", "Write one such as 200m, or 0 for no limit."))
    problems += [(f"{name} '{value}' is too low.", "Use 1 or more.") for name, value in proxy.numbers.items() if value < 1]
    problems += [
        (f"{name} '{value}' is too high.", f"Use {_MOST_CONNECTIONS} or less.")
        for name, value in proxy.numbers.items()
        if value > _MOST_CONNECTIONS and name in _CONNECTIONS
    ]
    problems += _proxy_files(host, proxy)
    return [Failure("proxy", problem, remedy) for problem, remedy in problems]


def _proxy_ports(host: Mapping[str, Any], settings: Settings, proxy: ProxySettings) -> list[tuple[str, str]]:
    """What is wrong with where the proxy listens: problems and what to do."""
    if not _is_address(proxy.address):
        remedy = joined.address_hint("xinference_proxy_address", proxy.address) or "Use an address of this host, or 0.0.0.0 for all of them."
        return [(f"xinference_proxy_address '{shown(proxy.address)}' is no IP address.", remedy)]
    problems = []
    used = [("xinference_port", settings.address, settings.port)]
    if settings.recovery in ("auto", "service") and settings.recovery_port:
        used.append(("xinference_recovery_port", settings.recovery_address, settings.recovery_port))
    for name, port, none in (("xinference_proxy_port", proxy.port, False), ("xinference_proxy_http_port", proxy.http_port, True)):
        if none and port == 0:
            continue
        if not 1 <= port <= 65535:
            problems.append((f"{name} '{port}' is no port.", f"Use a number from 1 to 65535{', or 0 for none' if none else ''}."))
            continue
        other = next((each for each, address, number in used if number == port and _is_address(address) and collide(address, proxy.address)), None)
        taken = "" if host["proxy"]["active"] else _taken(host, proxy.address, port)
        if other:
            problems.append((f"{name} '{port}' is {other}, too.", "Choose another one."))
        elif taken:
            problems.append((taken, f"Free it, or set {name} to another one{', or to 0 for none' if none else ''}."))
        used.append((name, proxy.address, port))
    return problems


def _proxy_files(host: Mapping[str, Any], proxy: ProxySettings) -> list[tuple[str, str]]:
    """What is wrong with the files that were given: problems and what to do."""
    if bool(proxy.certificate) != bool(proxy.certificate_key):
        given, missing = ("certificate", "certificate_key") if proxy.certificate else ("certificate_key", "certificate")
        return [(f"xinference_proxy_{given} is set without xinference_proxy_{missing}.", "Set both, or none for a certificate of the local authority.")]
    problems = []
    for name in ("certificate", "certificate_key", "client_ca"):
        path = getattr(proxy, name)
        if not path:
            continue
        if not path.startswith("/"):
            problems.append((f"xinference_proxy_{name} '{path}' is no absolute path.", "Write it from the root of the host's file system."))
        elif not host["paths"].get(path, {}).get("exists"):
            problems.append((f"xinference_proxy_{name} '{path}' does not exist on this host.", "Copy it there first."))
        elif name == "certificate_key":
            if host["paths"][path]["public"]:
                problems.append((f"xinference_proxy_{name} '{path}' can be read by every user of the host.", "Set its mode to 0600."))
        else:
            end = host["proxy"]["certificates"].get(path, {}).get("not_after")
            if end is None:
                problems.append((f"xinference_proxy_{name} '{path}' holds no certificate.", "It must be in PEM format."))
            elif days_left(end, datetime.now(timezone.utc)) < 0:
                problems.append((f"xinference_proxy_{name} '{path}' has expired on {end[:10]}.", "Renew it."))
    return problems


def _check_disk(host: Mapping[str, Any], settings: Settings) -> list[Failure]:
    if not settings.data_root.startswith("/"):
        return [Failure("data root", f"xinference_data_root '{settings.data_root}' is no absolute path.", "Write it from the root of the file system.")]
    if len(PurePosixPath(settings.data_root).parts) < MINIMUM_DEPTH:
        return [
            Failure(
                "data root",
                f"xinference_data_root '{settings.data_root}' is not a folder of its own, but the roles set its owner and mode, and teardown may remove it.",
                "Name a folder at least one level below, such as /srv/xinference_data.",
            )
        ]
    if not may_be_root(settings.data_root):
        return [
            Failure(
                "data root",
                f"xinference_data_root '{settings.data_root}' belongs to the system or to a user, but the roles set its owner and mode, and teardown may "
                "remove it.",
                "Name a folder of its own, such as /srv/xinference_data; what lies elsewhere can be mounted by xinference_volumes.",
            )
        ]
    facts = host["paths"][settings.data_root]
    failures: list[Failure] = []
    if facts["exists"] and not facts["directory"]:
        failures.append(Failure("data root", f"xinference_data_root '{settings.data_root}' is not a folder.", "Remove the file, or choose another path."))
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


def _check_image(host: Mapping[str, Any], settings: Settings) -> list[Failure]:
    failures: list[Failure] = []
    if settings.image_tag.endswith("latest") or settings.image_tag.startswith("latest"):
        failures.append(Failure("image", f"xinference_image_tag '{settings.image_tag}' moves from release to release.", "Name a version such as v4.1.0-cpu."))
    elif not _TAG.fullmatch(settings.image_tag):
        remedy = joined.tag_hint(settings.image_tag) or "Name a version such as v4.1.0-cpu."
        failures.append(Failure("image", f"xinference_image_tag '{shown(settings.image_tag)}' is no image tag.", remedy))
    if settings.image_digest and not _DIGEST.fullmatch(settings.image_digest):
        failures.append(
            Failure("image", f"xinference_image_digest '{settings.image_digest}' is no digest.", "Write sha256: and 64 hexadecimal digits, or leave it empty.")
        )
    archive = settings.image_archive
    if archive and settings.image_digest:
        failures.append(
            Failure(
                "image",
                "xinference_image_archive and xinference_image_digest exclude each other: an image from an archive has no digest.",
                "Leave one of them empty.",
            )
        )
    if archive and not host["paths"].get(archive, {}).get("exists") and not host["engine"]["image_present"]:
        failures.append(Failure("image", f"xinference_image_archive '{archive}' does not exist on this host.", "Copy it there, or leave the variable empty."))
    return failures


def _check_versions(settings: Settings) -> list[Failure]:
    return [
        Failure("version", advisory.of(f"{name} '{text}' names a version of Xinference that"), f"Name another one, such as {example}.")
        for name, text, example in (
            ("xinference_image_tag", settings.image_tag, "v4.1.0-cpu"),
            ("xinference_client_version", settings.client_version, "4.1.0"),
        )
        for advisory in advisories.of_version(text)
        if advisory.refused
    ]


def _check_models(host: Mapping[str, Any], settings: Settings) -> list[Failure]:
    models, problems = check_models(settings.models, strict=settings.validate_engine_options, names=OPTION_NAMES)
    failures = [Failure("models", problem, "") for problem in problems]
    for uid, name, path in container_paths(models):
        place = host_path(path, settings.data_root, settings.volumes)
        if place is None:
            targets = ", ".join(sorted(str(volume["target"]) for volume in settings.volumes if volume.get("target")))
            failures.append(
                Failure(
                    "models",
                    f"Model '{uid}': {name} '{path}' lies in no volume, so the server cannot see it.",
                    f"Put the file into a volume; they are at {targets}.",
                )
            )
        elif place in host["paths"] and not host["paths"][place]["exists"]:
            failures.append(Failure("models", f"Model '{uid}': {name} '{path}' does not exist.", f"Copy it to {place} on this host."))
    return failures or _check_fit(host, settings, models)


class _KnownFiles:
    """Sizes of files as the facts have them. What lies in a folder they do not have, and it counts as nothing: the module measures it."""

    def __init__(self, host: Mapping[str, Any], settings: Settings) -> None:
        self.host = host
        self.settings = settings

    def size(self, path: str) -> int | None:
        """Bytes of a file; None of a folder, and where there is no fact."""
        place = host_path(path, self.settings.data_root, self.settings.volumes)
        size: int | None = self.host["paths"].get(place, {}).get("size")
        return size

    def files(self, path: str) -> Files:
        """The file, or nothing."""
        size = self.size(path)
        return Files() if size is None else Files({"": size})


def _memory_limit(host: Mapping[str, Any], settings: Settings) -> int | None:
    """Memory that the container will have, in MiB; None where what is declared is none that it can have."""
    total: int = host["memory"]["total_mib"]
    if total < settings.minimum_memory_mib:
        # Told by itself.
        return None
    if settings.memory == "auto":
        return total - max(1024, total // 10)
    limit = sizes.parse(settings.memory)
    return None if limit is None or not _LEAST_MEMORY <= limit <= total * MIB else limit // MIB


def _check_fit(host: Mapping[str, Any], settings: Settings, models: Sequence[DeclaredModel]) -> list[Failure]:
    """Whether the models fit the memory, where they are to be launched: those that run as they are told were measured before."""
    limit = _memory_limit(host, settings)
    container = host["engine"]["container"] or {}
    wanted = {model.uid for model in models if model.state == "present"}
    if limit is None or not settings.check_memory or (container.get("memory") == limit * MIB and wanted <= set(host["declared"])):
        return []
    files = _KnownFiles(host, settings)
    limits = Limits(settings.cpus or host["processors"], limit)
    return [Failure("models", problem, "") for problem in too_much(choose_options(models, limits, files), limits, files, OPTION_NAMES)]


def _check_account(settings: Settings) -> list[Failure]:
    if not settings.authentication:
        return []
    problems = accounts.check_name("xinference_admin_username", settings.admin_username)
    if settings.automation_username:
        problems = [*problems, *accounts.check_name("xinference_automation_username", settings.automation_username)]
    if problems:
        return [Failure("account", problem, "") for problem in problems]
    if settings.automation_username == settings.admin_username:
        return [
            Failure(
                "account",
                f"xinference_automation_username '{settings.automation_username}' is the administrator.",
                "Choose another name, or leave it empty, so that models are launched as the administrator.",
            )
        ]
    if not settings.admin_password_length:
        return [
            Failure(
                "account",
                "xinference_admin_password is empty, but the server asks for an account.",
                "Set it, from a vault, or set xinference_authentication to false for a server on loopback.",
            )
        ]
    if settings.admin_password_length < 8:
        return [
            Failure(
                "account",
                f"xinference_admin_password has {settings.admin_password_length} characters, but the server wants at least 8.",
                "Choose a longer one.",
            )
        ]
    return []


#: Fields of an account and of a key that can be declared, with what they must be.
_ACCOUNT_FIELDS: dict[str, type | tuple[type, ...]] = {
    "name": str,
    "state": str,
    "password": str,
    "update_password": str,
    "permissions": list,
    "enabled": bool,
}
_KEY_FIELDS: dict[str, type | tuple[type, ...]] = {
    "name": str,
    "state": str,
    "owner": str,
    "description": str,
    "expires_at": str,
    "enabled": bool,
    "models": list,
    "model_types": list,
    "path": str,
}
_CHOICES = {"state": accounts.STATES, "update_password": accounts.UPDATE_PASSWORD}
_WORDS = {str: "a text", list: "a list", bool: "true or false"}


def _check_declared_accounts(settings: Settings) -> list[Failure]:
    """What is wrong with the declared accounts and API keys. No value of a password is repeated."""
    problems: list[str] = []
    for option, items, fields in (("xinference_accounts", settings.accounts, _ACCOUNT_FIELDS), ("xinference_api_keys", settings.api_keys, _KEY_FIELDS)):
        if not isinstance(items, (list, tuple)):
            what = f"the text '{shown(items)}'" if isinstance(items, str) else "a dictionary" if isinstance(items, Mapping) else f"'{shown(str(items))}'"
            problems.append(f"{option}: is {what}, but must be a list of dictionaries.")
            continue
        for place, item in enumerate(items):
            where = f"{option}[{place}]"
            if not isinstance(item, Mapping) or not isinstance(item.get("name"), str):
                keys = [key for key in item if isinstance(key, str)] if isinstance(item, Mapping) and "name" not in item else []
                meant = [key for key in keys if other_spelling(key, ("name",))]
                problems.append(f"{where}: must be a dictionary with a name" + (f"; '{shown(meant[0])}' is none, write name." if meant else "."))
                continue
            where += f" ('{item['name']}')"
            wrong = _wrong_fields(item, fields)
            if not wrong:
                wrong = _checked_account(item, settings) if fields is _ACCOUNT_FIELDS else _checked_key(item)
            problems += [f"{where}: {problem}" for problem in wrong]
    if (settings.accounts or settings.api_keys) and not settings.authentication:
        problems.append("xinference_accounts and xinference_api_keys need xinference_authentication, which is false.")
    return [Failure("accounts", problem, "") for problem in problems]


def _wrong_fields(item: Mapping[str, Any], fields: Mapping[str, Any]) -> list[str]:
    """What is wrong with single fields."""
    problems = []
    for name, value in item.items():
        if name not in fields:
            problems.append(f"'{name}' is unknown{nearest(str(name), sorted(fields)) or ''}; allowed: {', '.join(fields)}.")
        elif not isinstance(value, fields[name]):
            problems.append(f"{name} must be {_WORDS[fields[name]]}.")
        elif isinstance(value, list) and not all(isinstance(each, str) for each in value):
            problems.append(f"{name} must be a list of texts.")
        elif name in _CHOICES and value not in _CHOICES[name]:
            problems.append(f"{name} '{value}' is unknown; allowed: {', '.join(_CHOICES[name])}.")
    return problems


def _checked_account(item: Mapping[str, Any], settings: Settings) -> list[str]:
    for name, whose in ((settings.admin_username, "of the administrator"), (settings.automation_username, "with which the roles launch models")):
        if item["name"] == name:
            return [f"is the name of the account {whose}; choose another one."]
    account = accounts.Account(**{key: item[key] for key in ("name", "state", "password", "permissions") if key in item})
    problems = accounts.check(account, "password")
    if account.state == "present" and account.password is None:
        problems.append("password is missing.")
    return problems


def _checked_key(item: Mapping[str, Any]) -> list[str]:
    key = api_keys.ApiKey(**item)
    problems = api_keys.check(key)
    if key.state == "present" and key.path is None:
        problems.append("path is missing; a key that is kept nowhere would be lost.")
    return problems


def check_host(host: Mapping[str, Any], settings: Settings) -> list[Failure]:
    """Every reason why the host cannot become what was declared; an empty list when it can.

    :param host: facts as module ``host_info`` returns them.
    :param settings: what was declared.
    """
    return [
        *_check_variables(settings),
        *_check_container(settings),
        *_check_texts(host, settings),
        *_check_sizes(settings.values),
        *(Failure("joined", problem, remedy) for problem, remedy in joined.check(settings.values)),
        *_check_machine(host, settings),
        *_check_engine(host, settings),
        *_check_port(host, settings),
        *_check_network(host, settings),
        *_check_start(host, settings),
        *_check_home(host, settings),
        *_check_recovery(host, settings),
        *_check_proxy(host, settings, settings.proxy),
        *_check_disk(host, settings),
        *(Failure("volumes", problem, remedy) for problem, remedy in check_volumes(_volumes(settings), settings.data_root, host["paths"], settings.files)),
        *_check_image(host, settings),
        *_check_versions(settings),
        *_check_account(settings),
        *_check_declared_accounts(settings),
        *_check_models(host, settings),
    ]
