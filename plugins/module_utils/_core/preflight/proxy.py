# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the proxy can be made as declared. Private to this collection."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any

from ..base import sizes
from ..base.messages import shown
from ..host.certificates import days_left
from ..host.listeners import collide
from . import combined
from .network import is_address, is_taken
from .settings import Failure, ProxySettings, Settings, installs, lacks, manages

__all__ = ["check_proxy"]

#: A name of a host, RFC 1123, or a whole level of such names.
_HOST_NAME = re.compile(r"(\*\.)?([A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)*[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?")
#: Settings that nginx counts with two bytes.
_CONNECTIONS = frozenset({"xinference_proxy_connections", "xinference_proxy_total_connections", "xinference_proxy_uploads"})
_MOST_CONNECTIONS = 65535
#: Places of the queue, and seconds in it.
_MOST_PLACES, _LONGEST_WAIT = 1000, 600
#: Characters of a container's name: its proxy has sockets whose paths hold it, and the kernel takes paths of 107.
_LONGEST_NAME = 107 - len("/run/xinference-proxy-/models.sock")


def check_proxy(host: Mapping[str, Any], settings: Settings, proxy: ProxySettings | None) -> list[Failure]:
    if proxy is None:
        return []
    if not host["service"]["systemd"]:
        return [Failure("proxy", "xinference_proxy needs systemd, which does not run this host.", "Set it to false, and put a proxy of your own in front.")]
    problems: list[tuple[str, str]] = []
    if not settings.authentication:
        problems.append(("xinference_proxy would let anybody on the network run code here, because xinference_authentication is false.", "Switch it on."))
    if is_address(settings.address) and not ipaddress.ip_address(settings.address).is_loopback:
        problems.append(
            (
                f"xinference_address '{settings.address}' would let everybody past the proxy, in plain HTTP.",
                "Publish on 127.0.0.1 while xinference_proxy is true.",
            )
        )
    if not host["proxy"]["nginx"] and not manages(host, settings):
        problems.append(("There is no nginx on this host.", "Install the distribution's package; the roles can do it on Debian and Ubuntu only."))
    if not proxy.certificate and not host["python"]["cryptography"] and not installs(host, settings):
        remedy = "Install the distribution's package, or set xinference_proxy_certificate."
        problems.append(lacks(host, "cryptography, which makes the proxy's certificate", remedy))
    problems += _proxy_ports(host, settings, proxy)
    for name in proxy.names:
        if not (is_address(name) or _HOST_NAME.fullmatch(name)):
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
    problems += _proxy_queue(settings, proxy)
    problems += _proxy_files(host, proxy)
    return [Failure("proxy", problem, remedy) for problem, remedy in problems]


def _proxy_queue(settings: Settings, proxy: ProxySettings) -> list[tuple[str, str]]:
    """What is wrong with the queue of requests: problems and what to do."""
    problems = []
    if not 0 <= proxy.queue <= _MOST_PLACES:
        problems.append((f"xinference_proxy_queue '{proxy.queue}' is no number of places.", f"Use a number from 1 to {_MOST_PLACES}, or 0 for no queue."))
    if not 1 <= proxy.queue_seconds <= _LONGEST_WAIT:
        problems.append((f"xinference_proxy_queue_seconds '{proxy.queue_seconds}' is no time to wait.", f"Use a number from 1 to {_LONGEST_WAIT}."))
    if proxy.queue > 0 and len(settings.container) > _LONGEST_NAME:
        problem = f"xinference_container_name '{shown(settings.container)}' is too long for the sockets of the proxy's queue."
        problems.append((problem, f"Use at most {_LONGEST_NAME} characters, or set xinference_proxy_queue to 0."))
    return problems


def _proxy_ports(host: Mapping[str, Any], settings: Settings, proxy: ProxySettings) -> list[tuple[str, str]]:
    """What is wrong with where the proxy listens: problems and what to do."""
    if not is_address(proxy.address):
        remedy = combined.address_hint("xinference_proxy_address", proxy.address) or "Use an address of this host, or 0.0.0.0 for all of them."
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
        other = next((each for each, address, number in used if number == port and is_address(address) and collide(address, proxy.address)), None)
        taken = "" if host["proxy"]["active"] else is_taken(host, proxy.address, port)
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
        return [(f"xinference_proxy_{given} is set without xinference_proxy_{missing}.", "Set both, or none for a certificate of the local CA.")]
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
