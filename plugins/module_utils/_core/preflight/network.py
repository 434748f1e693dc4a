# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether address, port and networks are free and right. Private to this collection."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping, Sequence
from typing import Any

from ..base.messages import shown
from ..host import firewall
from ..host.listeners import collide
from . import adoption, combined
from .settings import Failure, Settings

__all__ = ["check_metrics_port", "check_network", "check_port", "held_by_container", "holder", "is_address", "is_taken", "network_problems"]

#: Where the figures of the server's worker are published, which asks for no account.
METRICS_ADDRESS = "127.0.0.1"
#: Prefix length of a network with room for this host and the container.
_SMALLEST_SUBNET = 30
#: Networks that Docker has already; the container's network has its name.
NETWORKS = frozenset({"bridge", "host", "none", "default"})
#: Without a scope, behind which anything may follow.
_ADDRESS = re.compile(r"[0-9A-Fa-f:.]+")


def is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return bool(_ADDRESS.fullmatch(text))


def check_network(host: Mapping[str, Any], settings: Settings) -> list[Failure]:
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
    network = host["docker"].get("network")
    if network and not network["ours"]:
        problem = f"Docker has a network {settings.container} already, which these roles did not make; the container's network has the container's name."
        problems.append((problem, "Remove that network, or choose another xinference_container_name."))
    return [Failure("network", problem, remedy) for problem, remedy in problems]


def network_problems(docker: Mapping[str, Any], settings: Settings) -> list[tuple[str, str]]:
    """What is wrong with the networks that the container joins: problems and what to do."""
    problems = []
    for place, name in enumerate(settings.networks):
        if name == settings.container or name in NETWORKS:
            problem = f"xinference_networks[{place}] '{shown(name)}' cannot be joined: it is the container's own network, or one that Docker keeps for itself."
            problems.append((problem, "Remove it."))
        elif docker["reachable"] and name not in docker["networks"]:
            there = sorted(set(docker["networks"]) - NETWORKS - {settings.container})
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


def is_taken(host: Mapping[str, Any], address: str, port: int) -> str:
    """A sentence about who listens on a port already; empty when nobody does."""
    taken = {listener["address"] for listener in host["listeners"] if listener["port"] == port and collide(listener["address"], address)}
    return f"Port {port} is in use on {', '.join(sorted(taken))} by something else." if taken else ""


def check_port(host: Mapping[str, Any], settings: Settings) -> list[Failure]:
    failures: list[Failure] = []
    port = settings.port
    if not 1 <= port <= 65535:
        return [Failure("port", f"xinference_port '{port}' is no port.", "Use a number from 1 to 65535.")]
    if not is_address(settings.address):
        remedy = combined.address_hint("xinference_address", settings.address) or "Use an address of this host such as 127.0.0.1."
        return [Failure("address", f"xinference_address '{shown(settings.address)}' is no IP address.", remedy)]
    if not ipaddress.ip_address(settings.address).is_loopback and not settings.authentication:
        failures.append(
            Failure(
                "address",
                f"xinference_address '{settings.address}' would let anybody on the network run code here, because xinference_authentication is false.",
                "Publish on 127.0.0.1, or switch authentication on.",
            )
        )
    holds = held_by_container(host)
    taken = is_taken(host, settings.address, port)
    if taken and port not in holds:
        failures.append(_port_of(host, settings, taken))
    return failures


def held_by_container(host: Mapping[str, Any]) -> Sequence[int]:
    """Ports that the server's container holds."""
    container = host["docker"]["container"] or {}
    # One that restarts, or is paused, holds its port on and off, or still; one that is just started is called created or exited until it runs.
    return container.get("ports" if container.get("status") not in ("created", "exited") else "held") or []


def check_metrics_port(host: Mapping[str, Any], settings: Settings) -> list[Failure]:
    """What is wrong with the port for figures of the server's worker, which is published on loopback."""
    port = settings.metrics_port
    if port == 0:
        return []
    if not 1 <= port <= 65535:
        return [Failure("metrics_port", f"xinference_metrics_port '{port}' is no port.", "Use a number from 1 to 65535, or 0 for none.")]
    used = [("xinference_port", settings.address, settings.port), ("xinference_recovery_port", settings.recovery_address, settings.recovery_port)]
    if settings.proxy is not None:
        address = settings.proxy.address
        used += [("xinference_proxy_port", address, settings.proxy.port), ("xinference_proxy_http_port", address, settings.proxy.http_port)]
    other = next((name for name, address, number in used if number == port and is_address(address) and collide(address, METRICS_ADDRESS)), None)
    if other:
        return [Failure("metrics_port", f"xinference_metrics_port '{port}' is {other}, too.", "Choose another one.")]
    taken = is_taken(host, METRICS_ADDRESS, port)
    if taken and port not in held_by_container(host):
        return [Failure("metrics_port", taken, "Free it, or set xinference_metrics_port to another one, or to 0 for none.")]
    return []


def holder(host: Mapping[str, Any], settings: Settings) -> Mapping[str, Any] | None:
    """The other container that has the server's port; None where it is none."""
    taken = is_address(settings.address) and is_taken(host, settings.address, settings.port)
    return adoption.holder(host["docker"].get("neighbours") or [], settings.address, settings.port) if taken else None


def _port_of(host: Mapping[str, Any], settings: Settings, taken: str) -> Failure:
    """Who has the server's port."""
    other = holder(host, settings)
    if other is None and settings.port in (host["docker"].get("stale_ports") or []):
        problem = f"Port {settings.port} is held by Docker for a container that does not run, as a power cut may leave it."
        return Failure("port", problem, "Run again; where that does not help, restart Docker, with systemctl restart docker.")
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
