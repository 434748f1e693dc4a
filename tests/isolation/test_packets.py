# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rules of the firewall, tried with packets of everybody they are about, on the kernel of this machine and in networks of their own.

A host, a container behind its bridge, a neighbour on the host's network that routes what it likes, another member of a cluster on the same network, and
the metadata service of a cloud. There is no server: what the rules let through does not depend on it. Scenarios `recovery` and `proxy` see the same rules on
whole hosts.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.inferops.xinference.plugins.module_utils._core.host.firewall import Firewall, Opening, Peer, rules
from ansible_collections.inferops.xinference.plugins.module_utils._core.host.firewall_facts import firewall_facts
from ansible_collections.inferops.xinference.tests.machine import ROOT

NOBODY = 65534
#: That every user may run.
PYTHON = "/usr/bin/python3"
PORT = 9997
#: Addresses in each network: the container's, and the one that the host shares with others.
INSIDE = {"ipv4": ("10.231.0.1", "10.231.0.2"), "ipv6": ("fd23:1::1", "fd23:1::2")}
OUTSIDE = {"ipv4": ("10.232.0.1", "10.232.0.2"), "ipv6": ("fd23:2::1", "fd23:2::2")}
METADATA = {"ipv4": "169.254.169.254", "ipv6": "fd00:ec2::254"}
#: Another member of the cluster, on the network that the host shares with others.
MEMBER = "10.232.0.3"
WANTED = Firewall("xinference-firewall", "xinference", "xinference0", PORT, blocked=["host", "169.254.0.0/16", "fd00:ec2::254"])
#: Ports of the container that members of a cluster reach on the host's address.
FIRST, LAST = 30100, 30149
OPENED = (9999, FIRST, (FIRST + LAST) // 2, LAST)
CLUSTER = replace(WANTED, openings=[Opening(OUTSIDE["ipv4"][0], ["9999", f"{FIRST}-{LAST}"], [MEMBER])])
#: The same ports, of the other member.
PEER = Peer(MEMBER, ["9999", f"{FIRST}-{LAST}"])
SCRIPT = ROOT / "roles/server/files/firewall.sh"
#: Listens on a port, says so, and answers one word to whoever connects. Arguments: user, address, port.
LISTENER = """
import os, socket, sys
os.setresuid(*[int(sys.argv[1])] * 3)
server = socket.create_server((sys.argv[2], int(sys.argv[3])), family=socket.AF_INET6 if ":" in sys.argv[2] else socket.AF_INET)
print("listens", flush=True)
while True:
    connection, _from = server.accept()
    connection.sendall(b"answer")
    connection.close()
"""
#: Says what became of a connection: an answer, a refusal or nothing at all. Arguments: user, address, port.
CLIENT = """
import os, socket, sys
os.setresuid(*[int(sys.argv[1])] * 3)
try:
    with socket.create_connection((sys.argv[2], int(sys.argv[3])), timeout=float(sys.argv[4])) as connection:
        print(connection.recv(100).decode())
except TimeoutError:
    print("nothing")
except ConnectionRefusedError:
    print("refused")
"""
#: Listens, says so, and keeps two connections, of which it answers the first question. Arguments: address, port.
PATIENT_LISTENER = """
import socket, sys, threading
server = socket.create_server((sys.argv[1], int(sys.argv[2])))
print("listens", flush=True)
for connection in [server.accept()[0] for _number in range(2)]:
    threading.Thread(target=lambda kept=connection: kept.sendall(b"answer" if kept.recv(100) else b"")).start()
"""
#: Connects, says so, and asks when it gets a line. Arguments: address, port, seconds.
PATIENT_CLIENT = """
import socket, sys
with socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=20) as connection:
    print("connected", flush=True)
    sys.stdin.readline()
    connection.settimeout(float(sys.argv[3]))
    connection.sendall(b"question")
    try:
        print(connection.recv(100).decode())
    except TimeoutError:
        print("nothing")
"""


def run(*command: str, where: str = "") -> str:
    """Output of a command, in the network of a machine."""
    words = ("ip", "netns", "exec", where, *command) if where else command
    return subprocess.run(words, check=True, capture_output=True, text=True).stdout


@dataclass
class Networks:
    """The machines, each a network namespace.

    :param folder: with the script and the rules of the host.
    """

    host: str
    container: str
    neighbour: str
    member: str
    folder: Path

    def set_rules(self, wanted: Firewall) -> None:
        """Set rules on the host, as its unit does."""
        for family, made in rules(wanted).items():
            (self.folder / f"{family}.rules").write_text(made.text, encoding="utf-8")
        run("/bin/sh", str(self.folder / "firewall.sh"), "set", wanted.comment, wanted.prefix, where=self.host)

    def remove_rules(self) -> None:
        """Remove them, as teardown does."""
        run("/bin/sh", str(self.folder / "firewall.sh"), "remove", WANTED.comment, WANTED.prefix, where=self.host)

    def marks(self) -> dict[str, Any]:
        """The rules of the host, as module host_info finds them."""

        def asked(words: list[str]) -> tuple[int, str, str]:
            done = subprocess.run(("ip", "netns", "exec", self.host, *words), capture_output=True, text=True, check=False)
            return done.returncode, done.stdout, done.stderr

        # There is no such timer.
        return dict(firewall_facts(["none.service", "none.timer"], WANTED.comment, "/nowhere", asked)["rules"])

    def answer(self, there: str, address: str, *, here: str, user: int = 0, port: int = PORT, server: int = 0, patience: float = 20.0) -> str:
        """What a client gets of a listener.

        :param there: machine of the listener.
        :param address: that the client connects to; the listener takes all of that family.
        :param here: machine of the client.
        :param user: number of the client's user.
        :param server: number of the listener's user.
        :param patience: seconds of a client that expects an answer.
        """
        anywhere = "::" if ":" in address else "0.0.0.0"
        listener = subprocess.Popen(("ip", "netns", "exec", there, PYTHON, "-c", LISTENER, str(server), anywhere, str(port)), stdout=subprocess.PIPE, text=True)
        try:
            assert listener.stdout is not None
            assert listener.stdout.readline() == "listens\n"
            return run(PYTHON, "-c", CLIENT, str(user), address, str(port), str(patience), where=here).strip()
        finally:
            listener.kill()
            listener.communicate()


@pytest.fixture(scope="module")
def networks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Networks]:
    """The machines, with no rules yet."""
    folder = tmp_path_factory.mktemp("firewall")
    (folder / "firewall.sh").write_bytes(SCRIPT.read_bytes())
    made = Networks("inferops-host", "inferops-container", "inferops-neighbour", "inferops-member", folder)
    names = (made.host, made.container, made.neighbour, made.member)

    def remove() -> None:
        for name in {network["name"] for network in json.loads(run("ip", "-json", "netns", "list") or "[]")} & set(names):
            run("ip", "netns", "delete", name)

    # A run that was killed left them.
    remove()
    for name in names:
        run("ip", "netns", "add", name)
        run("ip", "link", "set", "lo", "up", where=name)
    run("sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1", where=made.host)
    # The network outside is a bridge, too: a switch that the neighbour and the member are plugged into.
    for bridge in ("xinference0", "out0"):
        run("ip", "link", "add", bridge, "type", "bridge", where=made.host)
        run("ip", "link", "set", bridge, "up", where=made.host)
    for there, near, bridge in ((made.container, "veth0", "xinference0"), (made.neighbour, "veth1", "out0"), (made.member, "veth2", "out0")):
        run("ip", "link", "add", near, "type", "veth", "peer", "name", "eth0", "netns", there, where=made.host)
        run("ip", "link", "set", near, "master", bridge, where=made.host)
        run("ip", "link", "set", near, "up", where=made.host)
        run("ip", "link", "set", "eth0", "up", where=there)
    run("ip", "address", "add", f"{MEMBER}/24", "dev", "eth0", where=made.member)
    run("ip", "route", "add", "default", "via", OUTSIDE["ipv4"][0], where=made.member)
    for family in ("ipv4", "ipv6"):
        length = {"ipv4": "24", "ipv6": "64"}[family]
        for (ours, theirs), device, there in ((INSIDE[family], "xinference0", made.container), (OUTSIDE[family], "out0", made.neighbour)):
            for address, interface, where in ((ours, device, made.host), (theirs, "eth0", there)):
                # No duplicate is looked for, so that an address counts at once.
                run("ip", "address", "add", f"{address}/{length}", "dev", interface, *(["nodad"] if family == "ipv6" else []), where=where)
            run("ip", "route", "add", "default", "via", ours, where=there)
        # The neighbour is the cloud, too.
        run("ip", "address", "add", METADATA[family], "dev", "lo", where=made.neighbour)
        run("ip", "route", "add", METADATA[family], "via", OUTSIDE[family][1], where=made.host)
    yield made
    remove()


@pytest.fixture
def fenced(networks: Networks) -> Iterator[Networks]:
    """The machines, with the rules on the host."""
    networks.set_rules(WANTED)
    yield networks
    networks.remove_rules()


@pytest.fixture
def published(networks: Networks) -> Iterator[Networks]:
    """The machines, with ports of the container published on the host's address as Docker does it, and no rules of ours."""
    address, container, subnet = OUTSIDE["ipv4"][0], INSIDE["ipv4"][1], "10.231.0.0/24"
    ports = (9999, *range(FIRST, LAST + 1))
    lines = [
        "*nat",
        ":DOCKER - [0:0]",
        "-A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER",
        "-A OUTPUT ! -d 127.0.0.0/8 -m addrtype --dst-type LOCAL -j DOCKER",
        f"-A POSTROUTING -s {subnet} ! -o xinference0 -j MASQUERADE",
        *(f"-A DOCKER -d {address}/32 ! -i xinference0 -p tcp --dport {port} -j DNAT --to-destination {container}:{port}" for port in ports),
        "COMMIT",
        "*filter",
        ":FORWARD DROP [0:0]",
        "-A FORWARD -o xinference0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT",
        "-A FORWARD -i xinference0 ! -o xinference0 -j ACCEPT",
        *(f"-A FORWARD -d {container}/32 ! -i xinference0 -o xinference0 -p tcp --dport {port} -j ACCEPT" for port in ports),
        "COMMIT",
    ]
    subprocess.run(("ip", "netns", "exec", networks.host, "iptables-restore"), input="\n".join([*lines, ""]), check=True, capture_output=True, text=True)
    # Both replicas' ports and the questions of a member's container come from this range.
    before = run("sysctl", "-n", "net.ipv4.ip_local_port_range", where=networks.container).split()
    run("sysctl", "-qw", f"net.ipv4.ip_local_port_range={FIRST} {LAST}", where=networks.container)
    yield networks
    networks.remove_rules()
    run("sysctl", "-qw", f"net.ipv4.ip_local_port_range={' '.join(before)}", where=networks.container)
    run("iptables", "-P", "FORWARD", "ACCEPT", where=networks.host)
    for table, chain in (("filter", "FORWARD"), ("nat", "PREROUTING"), ("nat", "OUTPUT"), ("nat", "POSTROUTING"), ("nat", "DOCKER")):
        run("iptables", "-t", table, "-F", chain, where=networks.host)
    run("iptables", "-t", "nat", "-X", "DOCKER", where=networks.host)


pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root makes networks")
FAMILIES = pytest.mark.parametrize("family", ["ipv4", "ipv6"])
#: Long enough for a packet between two networks of one machine. What gets nothing needs no more.
SHORT = 2.0


@FAMILIES
def test_root_of_the_host_alone_connects_to_the_container(networks: Networks, family: str) -> None:
    address = INSIDE[family][1]
    assert networks.answer(networks.container, address, here=networks.host, user=NOBODY, port=40000) == "answer"
    networks.set_rules(WANTED)
    try:
        assert networks.answer(networks.container, address, here=networks.host, user=NOBODY, port=40000, patience=SHORT) == "nothing"
        assert networks.answer(networks.container, address, here=networks.host, port=40000) == "answer"
    finally:
        networks.remove_rules()
    assert networks.answer(networks.container, address, here=networks.host, user=NOBODY, port=40000) == "answer"


@FAMILIES
def test_nobody_outside_connects_to_the_container(networks: Networks, family: str) -> None:
    address = INSIDE[family][1]
    assert networks.answer(networks.container, address, here=networks.neighbour) == "answer"
    networks.set_rules(WANTED)
    try:
        assert networks.answer(networks.container, address, here=networks.neighbour, patience=SHORT) == "nothing"
    finally:
        networks.remove_rules()


@FAMILIES
def test_only_root_answers_in_the_server_s_place(networks: Networks, family: str) -> None:
    """Whoever asks: a client, the proxy, a module. Another port is anybody's."""
    loopback = {"ipv4": "127.0.0.1", "ipv6": "::1"}[family]
    assert networks.answer(networks.host, loopback, here=networks.host, server=NOBODY) == "answer"
    networks.set_rules(WANTED)
    try:
        for user in (0, NOBODY):
            assert networks.answer(networks.host, loopback, here=networks.host, user=user, server=NOBODY, patience=SHORT) == "nothing"
        assert networks.answer(networks.host, OUTSIDE[family][0], here=networks.neighbour, server=NOBODY, patience=SHORT) == "nothing"
        assert networks.answer(networks.host, loopback, here=networks.host, user=NOBODY) == "answer"
        assert networks.answer(networks.host, loopback, here=networks.host, server=NOBODY, port=PORT + 1) == "answer"
        # Where nobody listens, that is known at once.
        assert run(PYTHON, "-c", CLIENT, "0", loopback, str(PORT), "20", where=networks.host).strip() == "refused"
    finally:
        networks.remove_rules()


@FAMILIES
def test_the_user_of_a_docker_without_root_answers(networks: Networks, family: str) -> None:
    loopback = {"ipv4": "127.0.0.1", "ipv6": "::1"}[family]
    networks.set_rules(Firewall(WANTED.comment, WANTED.prefix, WANTED.bridge, PORT, users=[NOBODY]))
    try:
        assert networks.answer(networks.host, loopback, here=networks.host, server=NOBODY) == "answer"
        assert networks.answer(networks.host, loopback, here=networks.host, server=NOBODY - 1, patience=SHORT) == "nothing"
    finally:
        networks.remove_rules()


@FAMILIES
def test_the_container_reaches_neither_the_host_nor_the_metadata_of_a_cloud(networks: Networks, family: str) -> None:
    targets = [(networks.host, INSIDE[family][0]), (networks.host, OUTSIDE[family][0]), (networks.neighbour, METADATA[family])]
    for machine, address in targets:
        assert networks.answer(machine, address, here=networks.container, port=80) == "answer"
    networks.set_rules(WANTED)
    try:
        for machine, address in targets:
            assert networks.answer(machine, address, here=networks.container, port=80, patience=SHORT) == "nothing"
            # Names are looked up.
            assert networks.answer(machine, address, here=networks.container, port=53) == "answer"
        # Where it downloads models from.
        assert networks.answer(networks.neighbour, OUTSIDE[family][1], here=networks.container, port=443) == "answer"
    finally:
        networks.remove_rules()


@FAMILIES
def test_what_is_allowed_is_allowed(networks: Networks, family: str) -> None:
    host, other = INSIDE[family][0], OUTSIDE[family][1]
    everything = {"ipv4": "0.0.0.0/0", "ipv6": "::/0"}[family]
    allowed = {"ipv4": f"{host}:8080", "ipv6": f"[{host}]:8080"}[family]
    networks.set_rules(Firewall(WANTED.comment, WANTED.prefix, WANTED.bridge, PORT, blocked=["host", everything], allowed=[allowed]))
    try:
        assert networks.answer(networks.host, host, here=networks.container, port=8080) == "answer"
        assert networks.answer(networks.host, host, here=networks.container, port=80, patience=SHORT) == "nothing"
        assert networks.answer(networks.neighbour, other, here=networks.container, port=443, patience=SHORT) == "nothing"
    finally:
        networks.remove_rules()


def test_named_machines_alone_reach_an_opening(published: Networks) -> None:
    address = OUTSIDE["ipv4"][0]
    everybody = ((published.member, 0), (published.neighbour, 0), (published.host, 0), (published.host, NOBODY))
    for where, user in everybody:
        assert published.answer(published.container, address, here=where, user=user, port=FIRST) == "answer"
    published.set_rules(CLUSTER)
    for port in OPENED:
        assert published.answer(published.container, address, here=published.member, port=port) == "answer"
        assert published.answer(published.container, address, here=published.neighbour, port=port, patience=SHORT) == "nothing"
        assert published.answer(published.container, address, here=published.host, port=port) == "answer"
        assert published.answer(published.container, address, here=published.host, user=NOBODY, port=port, patience=SHORT) == "nothing"
    # It is the opening that lets them through, and its removal that lets all of them.
    published.set_rules(WANTED)
    for where, user in everybody:
        assert published.answer(published.container, address, here=where, user=user, port=FIRST) == "answer"


def test_a_stranger_who_is_connected_already_is_cut_off(published: Networks) -> None:
    address, port = OUTSIDE["ipv4"][0], str(FIRST)
    with contextlib.ExitStack() as stack:

        def started(where: str, *words: str) -> subprocess.Popen[str]:
            command = ("ip", "netns", "exec", where, PYTHON, "-c", *words)
            process = stack.enter_context(subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True))
            stack.callback(process.kill)
            assert process.stdout is not None
            assert process.stdout.readline() in ("listens\n", "connected\n")
            return process

        started(published.container, PATIENT_LISTENER, "0.0.0.0", port)
        member = started(published.member, PATIENT_CLIENT, address, port, "20")
        neighbour = started(published.neighbour, PATIENT_CLIENT, address, port, str(SHORT))
        published.set_rules(CLUSTER)
        assert member.communicate("now\n")[0] == "answer\n"
        assert neighbour.communicate("now\n")[0] == "nothing\n"


def test_who_publishes_reaches_an_opening(published: Networks) -> None:
    published.set_rules(replace(CLUSTER, users=[NOBODY]))
    address = OUTSIDE["ipv4"][0]
    assert published.answer(published.container, address, here=published.host, user=NOBODY, port=LAST) == "answer"
    assert published.answer(published.container, address, here=published.host, user=NOBODY - 1, port=LAST, patience=SHORT) == "nothing"


def test_only_root_answers_on_an_opening_while_the_container_is_down(networks: Networks) -> None:
    """Docker translates nothing then, and whoever of the machine listens would have what a member sends."""
    address, other = OUTSIDE["ipv4"][0], INSIDE["ipv4"][0]
    networks.set_rules(WANTED)
    try:
        for port in OPENED:
            assert networks.answer(networks.host, address, here=networks.member, server=NOBODY, port=port) == "answer"
        networks.set_rules(CLUSTER)
        for port in OPENED:
            assert networks.answer(networks.host, address, here=networks.member, server=NOBODY, port=port, patience=SHORT) == "nothing"
            assert networks.answer(networks.host, address, here=networks.host, server=NOBODY, port=port, patience=SHORT) == "nothing"
            assert networks.answer(networks.host, address, here=networks.member, port=port) == "answer"
            # What listens on another address is nobody's but its own.
            assert networks.answer(networks.host, other, here=networks.member, server=NOBODY, port=port) == "answer"
            assert networks.answer(networks.host, "127.0.0.1", here=networks.host, user=NOBODY, server=NOBODY, port=port) == "answer"
        for port in (8080, FIRST - 1, LAST + 1):
            assert networks.answer(networks.host, address, here=networks.member, server=NOBODY, port=port) == "answer"
        # Where nobody listens, that is known at once.
        assert run(PYTHON, "-c", CLIENT, "0", address, str(FIRST), "20", where=networks.member).strip() == "refused"
    finally:
        networks.remove_rules()


def test_an_opening_of_a_docker_without_root(networks: Networks) -> None:
    """A process of its user listens there, and nothing is translated: what this machine sends comes in again by its loopback."""
    networks.set_rules(replace(CLUSTER, users=[NOBODY]))
    address = OUTSIDE["ipv4"][0]
    try:
        for user in (0, NOBODY):
            assert networks.answer(networks.host, address, here=networks.host, user=user, server=NOBODY, port=LAST) == "answer"
        assert networks.answer(networks.host, address, here=networks.host, user=NOBODY - 1, server=NOBODY, port=LAST, patience=SHORT) == "nothing"
        assert networks.answer(networks.host, address, here=networks.member, server=NOBODY, port=LAST) == "answer"
        assert networks.answer(networks.host, address, here=networks.member, server=NOBODY - 1, port=LAST, patience=SHORT) == "nothing"
        assert networks.answer(networks.host, address, here=networks.neighbour, server=NOBODY, port=LAST, patience=SHORT) == "nothing"
    finally:
        networks.remove_rules()


def test_other_services_of_the_machine_stay_reachable(published: Networks) -> None:
    """On the ports beside an opening, and on those of an opening where the address is another one."""
    published.set_rules(CLUSTER)
    for where in (published.member, published.neighbour, published.host):
        for port in (80, 9998, FIRST - 1, LAST + 1):
            assert published.answer(published.host, OUTSIDE["ipv4"][0], here=where, user=NOBODY, port=port) == "answer"
        assert published.answer(published.host, INSIDE["ipv4"][0], here=where, user=NOBODY, port=9999) == "answer"
    assert published.answer(published.host, OUTSIDE["ipv6"][0], here=published.neighbour, user=NOBODY, port=9999) == "answer"


def test_answers_reach_the_container_on_the_ports_of_an_opening(published: Networks) -> None:
    """It asks a hub, and another member, from a port that the host publishes."""
    published.set_rules(CLUSTER)
    for there, address in ((published.neighbour, OUTSIDE["ipv4"][1]), (published.member, MEMBER)):
        assert published.answer(there, address, here=published.container, port=443) == "answer"


def test_the_container_reaches_its_peers_whatever_is_blocked(published: Networks) -> None:
    neighbour = OUTSIDE["ipv4"][1]
    blocked = replace(CLUSTER, blocked=["host", "10.0.0.0/8"])
    published.set_rules(blocked)
    for port in OPENED:
        assert published.answer(published.member, MEMBER, here=published.container, port=port, patience=SHORT) == "nothing"
    published.set_rules(replace(blocked, peers=[PEER]))
    for port in OPENED:
        assert published.answer(published.member, MEMBER, here=published.container, port=port) == "answer"
        assert published.answer(published.neighbour, neighbour, here=published.container, port=port, patience=SHORT) == "nothing"
    for port in (80, FIRST - 1, LAST + 1):
        assert published.answer(published.member, MEMBER, here=published.container, port=port, patience=SHORT) == "nothing"


def test_only_the_container_and_root_come_to_a_peer_from_its_machine(published: Networks) -> None:
    """There they come from the machine's address, which it lets in."""
    for user in (0, NOBODY):
        assert published.answer(published.member, MEMBER, here=published.host, user=user, port=FIRST) == "answer"
    published.set_rules(replace(CLUSTER, peers=[PEER]))
    for port in OPENED:
        assert published.answer(published.member, MEMBER, here=published.container, port=port) == "answer"
        assert published.answer(published.member, MEMBER, here=published.host, port=port) == "answer"
        assert published.answer(published.member, MEMBER, here=published.host, user=NOBODY, port=port, patience=SHORT) == "nothing"
        # The same ports of others are no peer's.
        assert published.answer(published.neighbour, OUTSIDE["ipv4"][1], here=published.host, user=NOBODY, port=port) == "answer"
    for port in (80, FIRST - 1, LAST + 1):
        assert published.answer(published.member, MEMBER, here=published.host, user=NOBODY, port=port) == "answer"
    published.set_rules(replace(CLUSTER, peers=[PEER], users=[NOBODY]))
    assert published.answer(published.member, MEMBER, here=published.host, user=NOBODY, port=LAST) == "answer"
    assert published.answer(published.member, MEMBER, here=published.host, user=NOBODY - 1, port=LAST, patience=SHORT) == "nothing"


def test_what_the_container_reaches_of_its_host_is_not_up_to_an_opening(published: Networks) -> None:
    address = OUTSIDE["ipv4"][0]
    published.set_rules(CLUSTER)
    assert published.answer(published.host, address, here=published.container, port=9999, patience=SHORT) == "nothing"
    published.set_rules(replace(CLUSTER, blocked=[]))
    assert published.answer(published.host, address, here=published.container, port=9999) == "answer"


def test_setting_again_changes_nothing_and_removing_leaves_nothing(networks: Networks) -> None:
    made = {family: found.marks for family, found in rules(WANTED).items()}
    for _time in range(2):
        networks.set_rules(WANTED)
        assert networks.marks() == made
    for family, command in (("ipv4", "iptables"), ("ipv6", "ip6tables")):
        # A user removes a rule, or all of them.
        run(command, "-t", "mangle", "-D", "xinference-forward", "1", where=networks.host)
        assert networks.marks()[family] != made[family]
        networks.set_rules(WANTED)
        assert networks.marks() == made
        run(command, "-t", "mangle", "-F", where=networks.host)
        networks.set_rules(WANTED)
        assert networks.marks() == made
    networks.remove_rules()
    networks.remove_rules()
    assert networks.marks() == {"ipv4": [], "ipv6": []}
    assert "xinference" not in run("iptables", "-t", "mangle", "-S", where=networks.host)


def test_rules_of_an_earlier_version_go(networks: Networks) -> None:
    """Also where their own unit does not know that it set them."""
    rule = ("FORWARD", "-o", "docker0", "!", "-i", "docker0", "-m", "conntrack", "!", "--ctstate", "DNAT,ESTABLISHED,RELATED")
    for comment in ("xinference-firewall", "xinference-firewall", "of-others"):
        run("iptables", "-t", "mangle", "-I", *rule, "-m", "comment", "--comment", comment, "-j", "DROP", where=networks.host)
    networks.set_rules(WANTED)
    assert networks.marks() == {family: found.marks for family, found in rules(WANTED).items()}
    assert run("iptables", "-t", "mangle", "-S", "FORWARD", where=networks.host).count("-j DROP") == 1
    networks.remove_rules()
    run("iptables", "-t", "mangle", "-F", "FORWARD", where=networks.host)


def test_rules_of_another_container_stay(fenced: Networks) -> None:
    run("iptables", "-t", "mangle", "-N", "xi-0-forward", where=fenced.host)
    run("iptables", "-t", "mangle", "-A", "FORWARD", "-m", "comment", "--comment", "xinference-firewall-other", "-j", "xi-0-forward", where=fenced.host)
    fenced.remove_rules()
    left = run("iptables", "-t", "mangle", "-S", where=fenced.host)
    assert "-A FORWARD -m comment --comment xinference-firewall-other -j xi-0-forward" in left
    run("iptables", "-t", "mangle", "-F", where=fenced.host)
    run("iptables", "-t", "mangle", "-X", "xi-0-forward", where=fenced.host)


def test_rules_that_cannot_be_set_are_a_failure(networks: Networks) -> None:
    """Of either family; the other one is set all the same."""
    for family, other in (("ipv4", "ipv6"), ("ipv6", "ipv4")):
        networks.set_rules(WANTED)
        networks.remove_rules()
        (networks.folder / f"{family}.rules").write_text("*mangle\nnonsense\nCOMMIT\n", encoding="utf-8")
        with pytest.raises(subprocess.CalledProcessError):
            run("/bin/sh", str(networks.folder / "firewall.sh"), "set", WANTED.comment, WANTED.prefix, where=networks.host)
        assert {name for name, found in networks.marks().items() if found} == {other}
        networks.remove_rules()
