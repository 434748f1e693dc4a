# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether hosts can become one cluster, and which models concern which of them. Private to this collection."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ..base.messages import nearest, shown
from ..declaration.check import check_models
from ..declaration.fields import WORKER_NAME, sentence
from ..declaration.model import DeclaredModel
from ..host.listeners import collide
from ..server.advisories import number
from .network import held_by_container, is_address, is_taken
from .settings import ClusterSettings, Failure, Settings

__all__ = ["SUPERVISOR", "WORKER", "Placed", "check_cluster", "cluster_warnings", "placed_on", "role_of"]

SUPERVISOR, WORKER = "supervisor", "worker"
_SUPERVISORS, _WORKERS = "xinference_supervisor", "xinference_workers"
LEAST_KEY = 32
#: The oldest version whose workers come back after their supervisor was restarted, the first with all that was mended there, and the first with a key.
_RETURNING, _MENDED, _WITH_KEY = (2, 5, 0), (3, 5, 0), (4, 0, 1)
#: In the container: the API, and the figures of the server's worker.
_API, _FIGURES = 9997, 9996
_INSIDE = {_API: "the server's API", _FIGURES: "the figures of the server's worker"}
_RANGE = re.compile(r"([0-9]{1,5})-([0-9]{1,5})")
#: Ports that anybody may listen on, and how many replicas and connections need at least.
_FIRST, _LAST, _FEWEST = 1024, 65535, 20
#: Characters of a name, and of each of its parts.
_LONGEST, _LONGEST_PART = 253, 63
#: What resolvers take for an address: one to four numbers.
_NUMBERS = re.compile(r"(0[xX][0-9A-Fa-f]+|[0-9]+)(\.(0[xX][0-9A-Fa-f]+|[0-9]+)){0,3}")
#: Engines that can split a model over several workers; none of them runs on a CPU host.
_SPLITTING = ("vllm", "sglang", "mlx")
_EXAMPLE = "Write an IPv4 address of that host alone, such as 10.0.0.5."

_Problems = list[tuple[str, str]]


@dataclass(frozen=True)
class Placed:
    """What of the declared models concerns a host.

    :param files: those whose local files it needs.
    :param memory: those whose memory it needs, each with as many replicas as may fall to it.
    """

    files: list[DeclaredModel] = field(default_factory=list)
    memory: list[DeclaredModel] = field(default_factory=list)


def role_of(cluster: ClusterSettings) -> str:
    """What a host is in its cluster."""
    return SUPERVISOR if cluster.name in cluster.supervisors else WORKER


def placed_on(models: Iterable[DeclaredModel], name: str, role: str) -> Placed:
    """What of the declared models concerns a host of a cluster.

    A model that names no workers may run on any of them: each needs its files, and none is known to need its memory. Over workers that a model names the server
    spreads its replicas evenly.

    :param models: the declared ones.
    :param name: of the host in the inventory.
    :param role: :data:`SUPERVISOR`, which runs no models, or :data:`WORKER`.
    """
    placed = Placed()
    for model in models if role == WORKER else ():
        workers = model.given.get("workers")
        if workers is not None and name not in workers:
            continue
        placed.files.append(model)
        if workers is not None:
            share = -(-int(model.wanted("replica")) // len(workers))
            placed.memory.append(replace(model, given={**model.given, "replica": share}))
    return placed


def cluster_warnings(version: str) -> list[str]:
    """What is to be known of a cluster of a version that is not refused; one sentence each.

    :param version: of the server, or the tag of its image; nothing is known of a text that is neither.
    """
    found = number(version)
    if found is None or found >= _MENDED:
        return []
    name = ".".join(map(str, found))
    return [f"A cluster of Xinference {name} may miss models after its supervisor or a worker was restarted; since 3.5.0 it starts them again."]


def check_cluster(host: Mapping[str, Any], settings: Settings, cluster: ClusterSettings | None) -> list[Failure]:
    if cluster is None:
        problems = _alone(settings)
    else:
        problems = [
            *_members(cluster),
            *_names(cluster),
            *_addresses(host, cluster),
            *_services(host, cluster),
            *_versions(cluster),
            *_key(cluster),
            *_images(cluster),
            *_ports(host, settings, cluster),
            *_models(cluster, settings),
        ]
    return [Failure("cluster", problem, remedy) for problem, remedy in problems]


def _called(model: DeclaredModel) -> str:
    return f"xinference_models (uid '{shown(model.uid)}')"


def _alone(settings: Settings) -> _Problems:
    """Models that name workers on a host that is in no cluster: its server would ignore them in silence."""
    models, _reported_by_itself = check_models(settings.models, strict=False)
    return [
        (
            f"{_called(model)}: workers '{shown(model.given['workers'])}' cannot be chosen, because this host is in no cluster.",
            f"Leave it out, or put the hosts into the groups {_SUPERVISORS} and {_WORKERS}.",
        )
        for model in models
        if model.state == "present" and "workers" in model.given
    ]


def _members(cluster: ClusterSettings) -> _Problems:
    """Whether the groups make one cluster."""
    problems: _Problems = []
    supervisors, workers = list(cluster.supervisors), list(cluster.workers)
    if not supervisors:
        problems.append((f"Group {_SUPERVISORS} has no host, so the workers would have no supervisor.", "Put one host into it."))
    if len(supervisors) > 1:
        problem = f"Group {_SUPERVISORS} has {len(supervisors)} hosts ({shown(', '.join(supervisors))}), but a cluster has one supervisor."
        problems.append((problem, "Leave one of them in it."))
    if not workers:
        problems.append((f"Group {_WORKERS} has no host, so the cluster could run no model.", "Put at least one host into it."))
    problems += [
        (f"Host '{shown(name)}' is in both groups, {_SUPERVISORS} and {_WORKERS}.", "Take it out of one: a supervisor runs no models.")
        for name in supervisors
        if name in workers
    ]
    if cluster.serial not in ("", "100%"):
        problem = f"xinference_provision_serial '{shown(cluster.serial)}' would change the hosts of a cluster in batches, and each waits for the others."
        problems.append((problem, "Leave it out for them, and use --limit where other hosts are to be changed in batches."))
    return problems


def _named(cluster: ClusterSettings) -> list[str]:
    """All members, each once."""
    return list(dict.fromkeys([*cluster.supervisors, *cluster.workers]))


def _is_host_name(name: str) -> bool:
    parts = name.split(".")
    fits = len(name) <= _LONGEST and all(0 < len(part) <= _LONGEST_PART for part in parts)
    return bool(WORKER_NAME.fullmatch(name)) and fits and not _NUMBERS.fullmatch(name) and parts[0].lower() != "localhost"


def _names(cluster: ClusterSettings) -> _Problems:
    """Whether the members can find each other by their names in the inventory."""
    problems: _Problems = []
    remedy = "Give it a name in the inventory, of letters, digits, '.', '_' and '-', such as worker-1, and put its address into ansible_host."
    seen: dict[str, str] = {}
    for name in _named(cluster):
        if not _is_host_name(name):
            problems.append((f"'{shown(name)}' is no name by which the other hosts of a cluster can find a host.", remedy))
            continue
        other = seen.setdefault(name.lower(), name)
        if other != name:
            problems.append(
                (f"Hosts '{other}' and '{name}' have the same name but for upper and lower case.", "Give one of them another name in the inventory.")
            )
    return problems


def _wrong_address(text: str) -> tuple[str, str] | None:
    """What is wrong with an address of a member, and what to do; None where nothing is."""
    if not text:
        return "is empty", "Set it to the IPv4 address of that host at which the other hosts of the cluster reach it."
    if not is_address(text):
        return "is no IP address", _EXAMPLE
    address = ipaddress.ip_address(text)
    if isinstance(address, ipaddress.IPv6Address):
        return "is an IPv6 address, and a cluster of Xinference knows IPv4 alone", _EXAMPLE
    if address.is_unspecified or address.is_loopback:
        return "is one at which no other host reaches it", _EXAMPLE
    if address.is_multicast or address.is_reserved:
        return "is no address that a host can have", _EXAMPLE
    return None


def _addresses(host: Mapping[str, Any], cluster: ClusterSettings) -> _Problems:
    """Whether the members can reach each other, and nobody else by it."""
    problems: _Problems = []
    seen: dict[str, str] = {}
    for member in _named(cluster):
        text = str(cluster.addresses.get(member) or "")
        value = f"xinference_cluster_address '{shown(text)}' of host '{shown(member)}'"
        wrong = _wrong_address(text)
        if wrong is not None:
            problems.append((f"{value} {wrong[0]}.", wrong[1]))
            continue
        other = seen.setdefault(text, member)
        if other != member:
            problems.append((f"{value} is that of host '{shown(other)}', too.", "Give each host an address of its own."))
        if member != cluster.name:
            continue
        if not host["addresses"].get(text, True):
            problems.append((f"{value} is on no interface of it.", "Use one that the host has; behind NAT that is the one inside."))
        if ipaddress.ip_address(text).is_global and not cluster.firewall:
            problem = f"{value} is public, and xinference_firewall is false, so anybody could reach the ports of the cluster."
            problems.append((problem, "Set xinference_firewall to true, or use an address of a private network."))
    return problems


def _services(host: Mapping[str, Any], cluster: ClusterSettings) -> _Problems:
    """What a server alone left on a host that becomes a worker: it would ask an API that is not there any more."""
    if role_of(cluster) != WORKER:
        return []
    units = sorted({unit for part in ("service", "backup", "proxy") for unit in (host.get(part) or {}).get("units") or ()})
    if not units:
        return []
    problem = f"This host has services of a server alone, and a worker has none: {', '.join(units)}."
    return [(problem, "Run playbook teardown for it first, which leaves its data.")]


def _versions(cluster: ClusterSettings) -> _Problems:
    """Whether a cluster can be made of the version; nothing is said where the tag shows none."""
    version, tag = number(cluster.version), f"xinference_image_tag '{shown(cluster.version)}' names a version of Xinference"
    if version is None:
        return []
    if version < _RETURNING:
        return [(f"{tag} before 2.5.0, whose workers do not come back after their supervisor was restarted.", "Name a newer one, such as v4.1.0-cpu.")]
    if version < _WITH_KEY and not cluster.without_key:
        problem = f"{tag} before 4.0.1, which knows no key, so whoever reaches the ports of the cluster can run code there."
        return [(problem, "Name a newer one, or set xinference_cluster_without_key to true where the network itself keeps all others out.")]
    return []


def _key(cluster: ClusterSettings) -> _Problems:
    """What is wrong with the key. How long it is, nobody should read."""
    version = number(cluster.version)
    if cluster.without_key:
        if cluster.key_length and version is not None and version >= _WITH_KEY:
            return [("xinference_cluster_key is set, and xinference_cluster_without_key is true.", "Remove one of them; with the key, others are kept out.")]
        return []
    if version is not None and version < _WITH_KEY:
        # Refused for its version.
        return []
    remedy = f"Choose one of at least {LEAST_KEY} letters, digits, '-' and '_', such as openssl rand -hex 32 makes, and keep it in a vault."
    if not cluster.key_length:
        return [("xinference_cluster_key is empty, and without one whoever reaches the ports of the cluster can run code there.", remedy)]
    problems: _Problems = []
    if cluster.key_length < LEAST_KEY:
        problems.append(("xinference_cluster_key is too short.", remedy))
    if not cluster.key_characters:
        problems.append(("xinference_cluster_key holds other characters than letters, digits, '-' and '_'.", remedy))
    if not cluster.same_key:
        problem = "xinference_cluster_key is not the same on all hosts of the cluster, so they would refuse each other."
        problems.append((problem, "Set it once, for both groups."))
    return problems


def _images(cluster: ClusterSettings) -> _Problems:
    """Whether all members are of one image: versions do not speak with each other reliably."""
    found = {member: str(cluster.images[member]) for member in _named(cluster) if member in cluster.images}
    if len(set(found.values())) < 2:
        return []
    different: dict[str, str] = {}
    for member, image in found.items():
        different.setdefault(image, member)
    each = ", ".join(f"'{shown(image)}' on '{shown(member)}'" for image, member in different.items())
    return [
        (
            f"The hosts of the cluster have different images: {each}.",
            "Set xinference_image, xinference_image_tag and xinference_image_digest once, for both groups.",
        )
    ]


def _replica_ports(cluster: ClusterSettings) -> tuple[range, tuple[str, str] | None]:
    """The ports for replicas, and what is wrong with them; no ports where that is the range itself."""
    name = f"xinference_cluster_replica_ports '{shown(cluster.replica_ports)}'"
    matched = _RANGE.fullmatch(str(cluster.replica_ports))
    first, last = map(int, matched.groups()) if matched else (0, 0)
    if not _FIRST <= first <= last <= _LAST:
        return range(0), (f"{name} is no range of ports.", f"Write one such as 30100-30149, from {_FIRST} to {_LAST}.")
    ports = range(first, last + 1)
    if len(ports) < _FEWEST:
        problem = f"{name} has {len(ports)} ports, which is too few: each replica takes one, and so does each connection that the container opens."
        return range(0), (problem, f"Use at least {_FEWEST}.")
    others = {
        **{port: f"{port}, the port of {what} in the container" for port, what in _INSIDE.items()},
        cluster.supervisor_port: f"xinference_cluster_supervisor_port '{cluster.supervisor_port}'",
        cluster.worker_port: f"xinference_cluster_worker_port '{cluster.worker_port}'",
    }
    held = [what for port, what in others.items() if port in ports]
    return ports, (f"{name} holds {' and '.join(held)}.", "Choose another range.") if held else None


def _ports(host: Mapping[str, Any], settings: Settings, cluster: ClusterSettings) -> _Problems:
    """What is wrong with the ports of the cluster, of which each host publishes its own on its address there."""
    problems: _Problems = []
    right = {}
    for variable, port in (
        ("xinference_cluster_supervisor_port", cluster.supervisor_port),
        ("xinference_cluster_worker_port", cluster.worker_port),
    ):
        if not 1 <= port <= _LAST:
            problems.append((f"{variable} '{port}' is no port.", f"Use a number from 1 to {_LAST}."))
        elif port in _INSIDE:
            problems.append((f"{variable} '{port}' is the port of {_INSIDE[port]} in the container.", "Choose another one."))
        else:
            right[variable] = port
    replicas, wrong = _replica_ports(cluster)
    problems += [wrong] if wrong else []
    address = str(cluster.addresses.get(cluster.name) or "")
    if _wrong_address(address) is not None:
        return problems
    own: dict[int, str] = {}
    if role_of(cluster) == SUPERVISOR:
        own = {_API: "", **{port: variable for variable, port in right.items() if "supervisor" in variable}}
    else:
        own = {**dict.fromkeys(replicas, "xinference_cluster_replica_ports"), **{port: variable for variable, port in right.items() if "worker" in variable}}
    problems += _collisions(settings, cluster, address, own)
    if role_of(cluster) == SUPERVISOR and cluster.firewall and (cluster.address, cluster.port) == (address, _API):
        problem = f"xinference_address '{cluster.address}' with xinference_port '{_API}' is where the firewall lets the workers in and nobody else."
        problems.append((problem, "Let clients in through the proxy, or use another port or another address for them."))
    held = held_by_container(host)
    for port in sorted({int(listener["port"]) for listener in host["listeners"]} & set(own) - set(held)):
        taken = is_taken(host, address, port)
        if taken:
            problems.append((taken, f"Free it, or set {own[port]} to another one." if own[port] else "Free it: the workers reach the server's API there."))
    return problems


def _collisions(settings: Settings, cluster: ClusterSettings, address: str, own: Mapping[int, str]) -> _Problems:
    """Other ports that the roles would have listen where the host publishes one of the cluster."""
    used = []
    # The API for workers may be the very one for all others.
    if role_of(cluster) == SUPERVISOR and (cluster.address, cluster.port) != (address, _API):
        used.append(("xinference_port", cluster.address, cluster.port))
    if settings.recovery in ("auto", "service") and settings.recovery_port:
        used.append(("xinference_recovery_port", settings.recovery_address, settings.recovery_port))
    if settings.proxy is not None:
        used += [
            ("xinference_proxy_port", settings.proxy.address, settings.proxy.port),
            ("xinference_proxy_http_port", settings.proxy.address, settings.proxy.http_port),
        ]
    return [
        (
            f"{name} '{port}' on {each} is a port that this host publishes for its cluster on {address}, too.",
            "Choose another one, or another address, such as 127.0.0.1.",
        )
        for name, each, port in used
        if port in own and is_address(each) and collide(each, address)
    ]


def _models(cluster: ClusterSettings, settings: Settings) -> _Problems:
    """Models that name what is no worker of the cluster, or would be split over several."""
    problems: _Problems = []
    models, _reported_by_itself = check_models(cluster.models, strict=settings.validate_engine_options)
    workers: Sequence[str] = list(cluster.workers)
    for model in models:
        if model.state != "present":
            continue
        for name in model.given.get("workers", []):
            if name not in workers:
                allowed = f"allowed: {', '.join(workers) or 'none'}{nearest(name, workers)}"
                problems.append((sentence(f"{_called(model)}: workers '{name}' is no host of group {_WORKERS}; {allowed}"), ""))
        parts = model.options.get("n_worker")
        if isinstance(parts, int) and parts > 1 and model.engine not in _SPLITTING:
            engine = f"engine {model.given['engine']}" if model.engine else f"type {model.type}"
            problem = f"{_called(model)}: engine_options n_worker '{parts}' would split the model over workers, which {engine} cannot do."
            problems.append((problem, "Remove it: a model must fit one worker, and only its replicas run on several."))
    return problems
