# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who listens on this machine, and whether that is who should. Private to this collection."""

from __future__ import annotations

import ipaddress
import os
import pwd
import socket
import struct
import sys
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Listener", "can_listen", "collide", "listeners", "own_addresses", "strangers"]

#: State of a listening socket in the kernel's tables.
_LISTENING = "0A"
#: sock_diag(7): its protocol of netlink, and how messages of netlink(7) are called and laid out.
_SOCK_DIAG, _BY_FAMILY, _DONE, _REQUEST_ALL = 4, 20, 3, 0x301
_HEADER, _QUESTION = struct.Struct("=IHHII"), struct.Struct("=BBBBI")
#: Bytes of a question that stand for any socket: it is asked for by its state alone.
_ANY_SOCKET = 48
#: Of an answer the port, the address and the number of the user, each at its place.
_SOCKET = struct.Struct("!4xH2x16s16x24x4s")
#: Seconds in which the kernel answers.
_PATIENCE = 5.0


@dataclass(frozen=True)
class Listener:
    """A listening TCP socket.

    :param address: that it is bound to.
    :param port: of TCP.
    :param uid: number of the user who made it.
    """

    address: str
    port: int
    uid: int


def listeners(tables: Path | None = None) -> list[Listener]:
    """Listening TCP sockets of this machine.

    :param tables: directory with the kernel's tables; ``net`` of a process has those of its network. None stands for this process's own network.
    """
    if tables is None:
        try:
            return [listener for family in (socket.AF_INET, socket.AF_INET6) for listener in _asked(family)]
        except (AttributeError, OSError, struct.error):
            # A kernel without this interface, or a controller whose Python knows none.
            tables = Path("/proc/net")
    return _of_tables(tables)


def _asked(family: int) -> Iterator[Listener]:
    """Those of one family, of the kernel itself. Its tables hold the same, and take it fifty times as long: it goes through all connections for them.

    :raises OSError: when it does not answer this.
    :raises struct.error: when its answer is another one than sock_diag(7) describes.
    """
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, _SOCK_DIAG) as line:
        line.settimeout(_PATIENCE)
        question = _QUESTION.pack(family, socket.IPPROTO_TCP, 0, 0, 1 << int(_LISTENING, 16)) + bytes(_ANY_SOCKET)
        line.sendto(_HEADER.pack(_HEADER.size + len(question), _BY_FAMILY, _REQUEST_ALL, 1, 0) + question, (0, 0))
        while True:
            # Messages of the kernel have at most this length; from nobody else anything is taken.
            answer, (sender, _groups) = line.recvfrom(1 << 16)
            at = 0
            while sender == 0 and at < len(answer):
                length, kind, _flags, _sequence, _port = _HEADER.unpack_from(answer, at)
                if kind == _DONE:
                    return
                if kind != _BY_FAMILY or length < _HEADER.size:
                    raise OSError("the kernel knows no sock_diag")
                port, packed, uid = _SOCKET.unpack_from(answer, at + _HEADER.size)
                yield Listener(socket.inet_ntop(family, packed[: 4 if family == socket.AF_INET else 16]), port, int.from_bytes(uid, sys.byteorder))
                at += (length + 3) & ~3


def _of_tables(tables: Path) -> list[Listener]:
    """The same, of the kernel's tables."""
    found: list[Listener] = []
    for table, family in (("tcp", socket.AF_INET), ("tcp6", socket.AF_INET6)):
        try:
            lines = (tables / table).read_text(encoding="ascii").splitlines()[1:]
        except OSError:
            continue
        for line in lines:
            fields = line.split()
            if fields[3] != _LISTENING:
                continue
            address, _colon, port = fields[1].partition(":")
            raw = bytes.fromhex(address)
            packed = b"".join(raw[start : start + 4][::-1] for start in range(0, len(raw), 4))
            found.append(Listener(socket.inet_ntop(family, packed), int(port, 16), int(fields[7])))
    return found


def can_listen(address: str) -> bool:
    """Whether a socket of this machine can have an IP address: one of an interface, or a wildcard."""
    try:
        with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET) as probe:
            # Any port: nothing listens.
            probe.bind((address, 0))
    except (OSError, UnicodeError, ValueError):
        return False
    return True


def collide(one: str, other: str) -> bool:
    """Whether two sockets of one port cannot both listen: the same address, or a wildcard on either side."""
    # A socket of both families shows an address of the older one inside one of the newer.
    addresses = [getattr(address, "ipv4_mapped", None) or address for address in map(ipaddress.ip_address, (one, other))]
    return addresses[0] == addresses[1] or any(address.is_unspecified for address in addresses)


def own_addresses(host: str, port: int) -> list[str]:
    """All addresses that a host name or address stands for, where each leads to this machine itself; none where one may lead to another machine.

    :raises OSError: when the name stands for no address.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)
    except UnicodeError as error:
        raise OSError(str(error)) from error
    own: list[str] = []
    for family, kind, _protocol, _name, address in found:
        try:
            with socket.socket(family, kind) as probe:
                # Nothing is sent: it says from where something would be, and that is where it goes only on this machine.
                probe.connect(address)
                # From 127.0.0.1, to all of loopback.
                if probe.getsockname()[0] != address[0] and not ipaddress.ip_address(address[0]).is_loopback:
                    return []
        except OSError:
            # There is no way to it, as without IPv6.
            continue
        own.append(str(address[0]))
    return list(dict.fromkeys(own))


def _number(user: str) -> int | None:
    """Number of a user that is given by it or by name; None where there is no such user."""
    try:
        return int(user) if user.isdigit() else pwd.getpwnam(user).pw_uid
    except KeyError:
        return None


def strangers(addresses: Collection[str], port: int, users: Iterable[str]) -> list[str]:
    """Names of those who listen where only some users should; root and who runs this always may.

    :param addresses: of this machine, any of which may be taken.
    :param port: that something would be sent to.
    :param users: who may, by name or number.
    """
    welcome = {0, os.geteuid(), *(_number(user) for user in users)}
    there = [listener for listener in listeners() if listener.port == port]
    uids = {listener.uid for listener in there if any(collide(listener.address, address) for address in addresses)} - welcome
    names = []
    for uid in sorted(uids):
        try:
            names.append(f"{pwd.getpwuid(uid).pw_name} ({uid})")
        except KeyError:
            names.append(str(uid))
    return names
