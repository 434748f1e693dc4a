# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Firewall rules around a container: who may reach it, and what it may reach. Pure. Private to this collection.

The rules stand in the table mangle, in chains of their own. Neither Docker nor the usual firewalls use that table.
"""

from __future__ import annotations

import hashlib
import ipaddress
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Union

__all__ = ["FAMILIES", "HOOKS", "HOST", "Destination", "Firewall", "Opening", "Peer", "Rules", "check", "parse_destination", "parse_ports", "rules"]

#: IP families, each with the version of its addresses.
FAMILIES = {"ipv4": 4, "ipv6": 6}
#: Word for the machine that runs the container, by any of its addresses.
HOST = "host"
#: Chains of the kernel that lead into ours.
HOOKS = ("PREROUTING", "FORWARD", "OUTPUT")
#: An address or a network, and a port; one of IPv6 stands in brackets where a port follows.
_WITH_PORT = re.compile(r"(?:\[(?P<bracketed>[0-9A-Fa-f:./]+)\]|(?P<plain>[0-9./]+))(?::(?P<port>[0-9]{1,5}))?")
_ADDRESS = re.compile(r"[0-9A-Fa-f:./]+")
_PORTS = re.compile(r"(?P<first>[0-9]{1,5})(?:-(?P<last>[0-9]{1,5}))?")
_Network = Union[ipaddress.IPv4Network, ipaddress.IPv6Network]


@dataclass(frozen=True)
class Destination:
    """Where packets go.

    :param network: with one address, or more.
    :param port: of TCP and UDP; None for everything.
    """

    network: _Network
    port: int | None = None


@dataclass(frozen=True)
class Opening:
    """Ports of the container that some machines reach, and no others.

    :param address: IPv4 address of this machine on which Docker publishes them.
    :param ports: of TCP, each a number or a range such as ``30100-30149``.
    :param sources: IPv4 addresses that may connect; without any, nobody may but this machine.
    """

    address: str
    ports: Sequence[int | str]
    sources: Sequence[str]


@dataclass(frozen=True)
class Peer:
    """Ports of another machine that it opens to the container, as an :class:`Opening` there.

    :param address: IPv4 address of that machine.
    :param ports: of TCP, each a number or a range such as ``30100-30149``.
    """

    address: str
    ports: Sequence[int | str]


@dataclass(frozen=True)
class Firewall:
    """What the rules are made of.

    :param comment: of every rule, so that they can be found again.
    :param prefix: of the chains' names, at most 17 characters.
    :param bridge: network interface behind which the container is.
    :param port: of this machine that the server is published on.
    :param users: numbers of users, besides root, whose processes publish it.
    :param blocked: what the container must not reach: networks such as ``10.0.0.0/8``, or :data:`HOST`.
    :param allowed: exceptions of that, such as ``10.0.0.5:8080``.
    :param openings: published ports that some machines alone may reach, and of this machine root and ``users``. Nobody else answers there.
    :param peers: what the container reaches of other machines whatever is blocked, and of this machine root and ``users`` alone.
    """

    comment: str
    prefix: str
    bridge: str
    port: int
    users: Sequence[int] = ()
    blocked: Sequence[str] = (HOST,)
    allowed: Sequence[str] = ()
    openings: Sequence[Opening] = ()
    peers: Sequence[Peer] = ()


@dataclass(frozen=True)
class Rules:
    """Rules of one IP family.

    :param text: that ``iptables-restore --noflush`` reads.
    :param marks: chain, comment and target of each rule, sorted, as :func:`~.host.firewall_facts.firewall_facts` finds them.
    """

    text: str
    marks: list[str]


def parse_destination(text: str) -> Destination:
    """A destination as it is written: an address or a network, and a port where it is meant alone.

    :raises ValueError: for anything else.
    """
    matched = _WITH_PORT.fullmatch(text)
    address = (matched["bracketed"] or matched["plain"]) if matched else text
    port = int(matched["port"]) if matched and matched["port"] else None
    if not _ADDRESS.fullmatch(address) or (port is not None and not 1 <= port <= 65535):
        raise ValueError(text)
    return Destination(ipaddress.ip_network(address), port)


def parse_ports(text: int | str) -> str:
    """A port, or a range such as ``30100-30149``, as iptables reads it.

    :raises ValueError: for anything else.
    """
    matched = _PORTS.fullmatch(str(text))
    first = int(matched["first"]) if matched else 0
    last = int(matched["last"] or first) if matched else 0
    if not 1 <= first <= last <= 65535:
        raise ValueError(str(text))
    return str(first) if first == last else f"{first}:{last}"


def _one_machine(text: object) -> str:
    """The IPv4 address of a machine in its network.

    :raises ValueError: for anything else, such as a network, a name or an address that many have.
    """
    try:
        # A number is none, though Python reads it as one.
        found = ipaddress.IPv4Address(text if isinstance(text, str) else "")
    except ValueError:
        raise ValueError(str(text)) from None
    if found.is_unspecified or found.is_loopback or found.is_multicast or found.is_reserved:
        raise ValueError(str(text))
    return str(found)


def _list(value: Any) -> list[Any]:
    """A list as it is written; a text would be one of its letters.

    :raises ValueError: for anything else.
    """
    if not isinstance(value, (list, tuple)):
        raise ValueError(str(value))
    return list(value)


def check(name: str, destinations: object, words: Iterable[str] = ()) -> list[str]:
    """What is wrong with a list of destinations, one sentence each.

    :param name: of the variable.
    :param destinations: as they were declared.
    :param words: what may stand in the place of a destination.
    """
    if not isinstance(destinations, (list, tuple)):
        return [f"{name} must be a list."]
    problems = []
    for place, text in enumerate(destinations):
        if text in words:
            continue
        try:
            parse_destination(text if isinstance(text, str) else "")
        except ValueError:
            others = "".join(f"{word}, " for word in words)
            problems.append(f"{name}[{place}] '{str(text)[:80]!s}' is none of: {others}an IP address, a network such as 10.0.0.0/8, either with a port.")
    return [" ".join(problem.split()) for problem in problems]


def _to(destination: Destination) -> list[str]:
    """Matches for packets to a destination; a port needs one for each protocol."""
    network = f"-d {destination.network}"
    return [network] if destination.port is None else [f"{network} -p {protocol} --dport {destination.port}" for protocol in ("tcp", "udp")]


def _opened(opening: Opening | Peer) -> list[str]:
    """Matches for packets to the ports of an opening."""
    return [f"-d {_one_machine(opening.address)}/32 -p tcp --dport {parse_ports(ports)}" for ports in _list(opening.ports)]


def _answered(opening: Opening) -> list[str]:
    """Matches for packets from the ports of an opening."""
    return [f"-s {_one_machine(opening.address)}/32 -p tcp --sport {parse_ports(ports)}" for ports in _list(opening.ports)]


def _from_others(wanted: Firewall) -> list[str]:
    """Rules for what other machines and other containers send to the openings. Whatever they let through, the rules behind them let through as well."""
    if not wanted.openings:
        return []
    outside = f"! -i {wanted.bridge}"
    # A process of this machine has been let through or not when it sent. Answers may come from anyone: where the container asks others, such as a hub, its
    # question may leave from the address and a port of an opening, and the answer comes back there.
    found = ["-i lo -j RETURN", f"{outside} -m conntrack --ctdir REPLY -j RETURN"]
    # All sources come first: two openings may name the same port.
    for opening in wanted.openings:
        sources = [_one_machine(source) for source in _list(opening.sources)]
        found += [f"{outside} -s {source}/32 {match} -j RETURN" for match in _opened(opening) for source in sources]
    return found + [f"{outside} {match} -j DROP" for opening in wanted.openings for match in _opened(opening)]


def _from_container(wanted: Firewall, version: int) -> list[str]:
    """Rules for what a machine receives, before it is decided where it goes on to."""
    found = []
    if version == 4:
        # Docker before 28 sends on what a neighbour addresses to this machine's loopback, where the port is published. Of IPv6 the kernel drops it itself.
        found.append("-d 127.0.0.0/8 ! -i lo -j DROP")
        found += _from_others(wanted)
    found.append(f"! -i {wanted.bridge} -j RETURN")
    found.append("-m conntrack --ctstate ESTABLISHED,RELATED -j RETURN")
    if version == 6:
        # Neighbours find each other with it.
        found.append("-p ipv6-icmp -j RETURN")
    for destination in map(parse_destination, wanted.allowed):
        if destination.network.version == version:
            found += [f"{match} -j RETURN" for match in _to(destination)]
    if version == 4:
        found += [f"{match} -j RETURN" for peer in wanted.peers for match in _opened(peer)]
    # Names are looked up wherever this machine looks them up.
    found += [f"-p {protocol} --dport 53 -j RETURN" for protocol in ("udp", "tcp")]
    for text in wanted.blocked:
        if text == HOST:
            # All that is not sent to one other machine. The kernel has no such word for IPv6.
            kinds = ["! --dst-type UNICAST"] if version == 4 else [f"--dst-type {kind}" for kind in ("LOCAL", "ANYCAST", "MULTICAST")]
            found += [f"-m addrtype {kind} -j DROP" for kind in kinds]
        elif parse_destination(text).network.version == version:
            found += [f"{match} -j DROP" for match in _to(parse_destination(text))]
    return found


def _from_machine(wanted: Firewall, version: int) -> list[str]:
    """Rules for what processes of this machine send."""
    # Docker itself is root, and passes on what comes to the published port.
    found = [f"-o {wanted.bridge} -m conntrack --ctstate NEW -m owner ! --uid-owner 0 -j DROP"]
    # Nobody connects to a listener that cannot agree.
    answers = [f"-p tcp --sport {wanted.port}"]
    if version == 4:
        # To an opening Docker has not put the container's address in the place of this one yet. A peer takes what comes from here for the container's.
        fenced: list[Opening | Peer] = [*wanted.openings, *wanted.peers]
        for match in [f"{match} -m conntrack --ctstate NEW -m owner" for opening in fenced for match in _opened(opening)]:
            found += [f"{match} --uid-owner {user} -j RETURN" for user in wanted.users if user]
            found.append(f"{match} ! --uid-owner 0 -j DROP")
        # The same ports of this machine's other addresses are anybody's.
        answers += [match for opening in wanted.openings for match in _answered(opening)]
    for agreed in [f"{match} --tcp-flags SYN,ACK SYN,ACK -m owner" for match in answers]:
        found += [f"{agreed} --uid-owner {user} -j RETURN" for user in wanted.users if user]
        # Packets without a socket are the kernel's own, such as the refusal of a closed port.
        found.append(f"{agreed} --socket-exists ! --uid-owner 0 -j DROP")
    return found


def rules(wanted: Firewall) -> dict[str, Rules]:
    """The rules, by IP family.

    :raises ValueError: for a destination, an address or a port that is none.
    """
    found = {}
    for family, version in FAMILIES.items():
        chains = {
            "PREROUTING": _from_container(wanted, version),
            # Neither answers nor what is sent on from the published port.
            "FORWARD": [f"-o {wanted.bridge} ! -i {wanted.bridge} -m conntrack ! --ctstate DNAT,ESTABLISHED,RELATED -j DROP"],
            "OUTPUT": _from_machine(wanted, version),
        }
        fingerprint = hashlib.sha256(repr(chains).encode()).hexdigest()[:12]
        lines, marks = [], []
        for hook, texts in chains.items():
            chain = f"{wanted.prefix}-{hook.lower()}"
            marks.append(f"{hook} {wanted.comment} {chain}")
            for number, text in enumerate(texts):
                comment, (match, target) = f"{wanted.comment}:{fingerprint}:{number}", text.split(" -j ")
                lines.append(f"-A {chain} {match} -m comment --comment {comment} -j {target}")
                marks.append(f"{chain} {comment} {target}")
        declared = [f":{wanted.prefix}-{hook.lower()} - [0:0]" for hook in HOOKS]
        found[family] = Rules("\n".join(["*mangle", *declared, *lines, "COMMIT", ""]), sorted(marks))
    return found
