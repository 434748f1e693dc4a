# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who listens on this machine."""

from __future__ import annotations

import contextlib
import os
import socket
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.inferops.xinference.plugins.module_utils._core.host import listeners as module
from ansible_collections.inferops.xinference.plugins.module_utils._core.host.listeners import Listener, listeners, own_addresses, strangers

TABLE = """  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:270D 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1 1 0000000000000000 100 0 0 10 0
   1: 00000000:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 2 1 0000000000000000 100 0 0 10 0
   2: 0100007F:270D 0100007F:C001 01 00000000:00000000 00:00000000 00000000  1001        0 3 1 0000000000000000 100 0 0 10 0
"""
TABLE_6 = """  sl  local_address                         remote_address                        st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 00000000000000000000000001000000:270E 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000  1002        0 4 1 00 100 0 0 10 0
   1: 0000000000000000FFFF00000100007F:1F91 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 5 1 00 100 0 0 10 0
"""


def test_the_kernel_s_tables(tmp_path: Path) -> None:
    assert listeners(tmp_path) == []
    (tmp_path / "tcp").write_text(TABLE, encoding="ascii")
    # As on a kernel without IPv6.
    assert len(listeners(tmp_path)) == 2
    (tmp_path / "tcp6").write_text(TABLE_6, encoding="ascii")
    assert listeners(tmp_path) == [
        Listener("127.0.0.1", 9997, 0),
        Listener("0.0.0.0", 8080, 1000),
        Listener("::1", 9998, 1002),
        Listener("::ffff:127.0.0.1", 8081, 0),
    ]


def test_a_socket_of_ours_is_seen() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert Listener("127.0.0.1", port, os.geteuid()) in listeners()
        assert strangers(["127.0.0.1"], port, []) == []


@pytest.mark.parametrize(
    ("address", "port", "users", "names"),
    [
        ("127.0.0.1", 9997, [], []),
        ("127.0.0.1", 8080, [], ["12345"]),
        # Whoever has all addresses has each of them.
        ("10.0.0.1", 8080, ["root"], ["12345"]),
        ("127.0.0.1", 8080, ["12345"], []),
        ("127.0.0.1", 8080, ["no such user here"], ["12345"]),
        # Another program's socket on another address does not answer requests for this one.
        ("127.0.0.1", 9998, [], []),
        ("10.0.0.1", 9998, [], ["54321"]),
        ("127.0.0.1", 7, [], []),
    ],
)
def test_who_should_not_be_there(monkeypatch: pytest.MonkeyPatch, address: str, port: int, users: list[str], names: list[str]) -> None:
    there = [Listener("127.0.0.1", 9997, 0), Listener("0.0.0.0", 8080, 12345), Listener("10.0.0.1", 9998, 54321), Listener("127.0.0.1", 9998, 0)]
    monkeypatch.setattr(module, "listeners", lambda: there)
    assert strangers([address], port, users) == names


@pytest.fixture
def listening() -> Iterator[set[Listener]]:
    """Sockets that listen on this machine, of both families where it has them."""
    with contextlib.ExitStack() as opened:
        there = set()
        for family, address in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::1"), (socket.AF_INET6, "::")):
            with contextlib.suppress(OSError):
                line = opened.enter_context(socket.socket(family))
                line.bind((address, 0))
                line.listen()
                there.add(Listener(address, line.getsockname()[1], os.geteuid()))
        yield there


def test_the_kernel_and_its_tables_report_the_same(listening: set[Listener]) -> None:
    assert len(listening) >= 2
    assert listening <= set(listeners())
    assert listening <= set(listeners(Path("/proc/net")))


@pytest.mark.parametrize("answer", [None, b"", struct.pack("=IHHIIi", 20, 2, 0, 1, 0, -95), struct.pack("=IHHII", 16, 20, 0, 1, 0), b"\0" * 7, b"\0" * 64])
def test_where_the_kernel_does_not_answer_its_tables_do(monkeypatch: pytest.MonkeyPatch, listening: set[Listener], answer: bytes | None) -> None:
    """Without the interface, with an error, or with something unheard-of."""

    class Line(socket.socket):
        def __init__(self, family: int = socket.AF_INET, *more: Any) -> None:
            if answer is None:
                raise OSError(97, "Address family not supported by protocol")
            super().__init__(socket.AF_UNIX, socket.SOCK_DGRAM)

        def sendto(self, *_given: Any) -> int:
            return 0

        def recvfrom(self, *_given: Any) -> Any:
            if not answer:
                raise TimeoutError
            return answer, (0, 0)

    monkeypatch.setattr(socket, "socket", Line)
    assert listening <= set(listeners())


def test_on_a_system_without_netlink_its_tables_are_read(monkeypatch: pytest.MonkeyPatch, listening: set[Listener]) -> None:
    """The client alone runs on other systems than Linux, too, where this is no reason to fail."""
    monkeypatch.delattr(socket, "AF_NETLINK")
    assert listening <= set(listeners())


def test_what_others_send_is_no_answer(monkeypatch: pytest.MonkeyPatch, listening: set[Listener]) -> None:
    forged = struct.pack("=IHHII", 88, 20, 0, 1, 0) + struct.pack("!4xH2x16s16x24x4s", 7, b"\x7f\0\0\1", b"\0" * 4) + b"\0" * 4
    real = socket.socket.recvfrom
    answers = [(forged, (os.getpid(), 0))]
    monkeypatch.setattr(socket.socket, "recvfrom", lambda line, size: answers.pop() if answers else real(line, size), raising=False)
    found = listeners()
    assert Listener("127.0.0.1", 7, 0) not in found
    assert listening <= set(found)


def test_which_addresses_are_our_own() -> None:
    for address in ("127.0.0.1", "127.0.0.2", "127.0.1.1"):
        assert own_addresses(address, 9) == [address]
    assert set(own_addresses("localhost", 9)) <= {"127.0.0.1", "::1"}
    assert own_addresses("192.0.2.1", 9) == []
    with pytest.raises(OSError, match=r"\S"):
        own_addresses("no-such-name.invalid", 9)


def test_a_name_is_checked_with_all_its_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    """A client goes to the next one where the first does not answer."""

    def stand_for(*addresses: str) -> None:
        found = [(socket.AF_INET, socket.SOCK_DGRAM, 17, "", (address, 9)) for address in addresses]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_asked, **_options: found)

    stand_for("127.0.0.2", "127.0.0.1", "127.0.0.1")
    assert own_addresses("somewhere", 9) == ["127.0.0.2", "127.0.0.1"]
    monkeypatch.setattr(module, "listeners", lambda: [Listener("127.0.0.1", 9, 12345)])
    assert strangers(["127.0.0.2", "127.0.0.1"], 9, []) == ["12345"]
    assert strangers(["127.0.0.2"], 9, []) == []
