# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules of the firewall: what may be declared, and what becomes of it. That they hold is tried with packets, in tests/security."""

from __future__ import annotations

import hashlib
import re
from dataclasses import replace
from ipaddress import ip_network
from typing import Any

import pytest

from ansible_collections.inferops.xinference.plugins.module_utils._core.host.firewall import (
    HOOKS,
    HOST,
    Destination,
    Firewall,
    Opening,
    Peer,
    check,
    parse_destination,
    parse_ports,
    rules,
)

WANTED = Firewall("xinference-firewall", "xinference", "xinference0", 9997)


@pytest.mark.parametrize(
    ("text", "network", "port"),
    [
        ("10.0.0.5", "10.0.0.5/32", None),
        ("10.0.0.0/8", "10.0.0.0/8", None),
        ("10.0.0.5:80", "10.0.0.5/32", 80),
        ("10.0.0.0/8:65535", "10.0.0.0/8", 65535),
        ("0.0.0.0/0", "0.0.0.0/0", None),
        ("fd00::5", "fd00::5/128", None),
        ("fd00::/64", "fd00::/64", None),
        ("[fd00::5]:443", "fd00::5/128", 443),
        ("[fd00::/64]:443", "fd00::/64", 443),
        ("[fd00::/64]", "fd00::/64", None),
        ("::ffff:10.0.0.5", "::ffff:10.0.0.5/128", None),
    ],
)
def test_a_destination(text: str, network: str, port: int | None) -> None:
    assert parse_destination(text) == Destination(ip_network(network), port)


WRONG: list[Any] = [
    *("", " ", "hub.example.com", "10.0.0.5:0", "10.0.0.5:65536", "10.0.0.5:", "10.0.0.1/8", "10.0.0.5/33", "10.0.0.0/255.0.0.0x", "fd00::5:80:", "[fd00::5"),
    *("fe80::1%eth0", "10.0.0.5\n-j ACCEPT", "10.0.0.5 -j ACCEPT", "10.0.0.5:80 ", "\u0661.0.0.1", "10.0.0.5:\u0668\u0660", HOST, None, 10, {}, ["10.0.0.5"]),
]


@pytest.mark.parametrize("text", WRONG)
def test_what_is_no_destination(text: Any) -> None:
    (problem,) = check("xinference_allowed_destinations", [text])
    assert problem.startswith("xinference_allowed_destinations[0] '")
    assert problem.endswith("is none of: an IP address, a network such as 10.0.0.0/8, either with a port.")
    assert "\n" not in problem


def test_the_word_for_the_host_is_where_it_may_be() -> None:
    assert check("blocked", [HOST, "10.0.0.0/8"], [HOST]) == []
    (problem,) = check("blocked", ["Host"], [HOST])
    assert problem == "blocked[0] 'Host' is none of: host, an IP address, a network such as 10.0.0.0/8, either with a port."


@pytest.mark.parametrize("declared", ["10.0.0.0/8", None, 10, {"a": 1}])
def test_what_is_no_list(declared: Any) -> None:
    assert check("blocked", declared) == ["blocked must be a list."]


def chain(text: str, name: str) -> list[str]:
    """Rules of a chain, without their comments."""
    return [re.sub(r" -m comment --comment \S+", "", line.partition(f"-A {name} ")[2]) for line in text.splitlines() if line.startswith(f"-A {name} ")]


def test_the_rules() -> None:
    wanted = replace(WANTED, blocked=[HOST, "169.254.0.0/16", "fd00:ec2::254"], allowed=["192.0.2.10:8080", "fd00::1"], users=[0, 1000])
    made = rules(wanted)
    assert chain(made["ipv4"].text, "xinference-prerouting") == [
        "-d 127.0.0.0/8 ! -i lo -j DROP",
        "! -i xinference0 -j RETURN",
        "-m conntrack --ctstate ESTABLISHED,RELATED -j RETURN",
        "-d 192.0.2.10/32 -p tcp --dport 8080 -j RETURN",
        "-d 192.0.2.10/32 -p udp --dport 8080 -j RETURN",
        "-p udp --dport 53 -j RETURN",
        "-p tcp --dport 53 -j RETURN",
        "-m addrtype ! --dst-type UNICAST -j DROP",
        "-d 169.254.0.0/16 -j DROP",
    ]
    assert chain(made["ipv6"].text, "xinference-prerouting") == [
        "! -i xinference0 -j RETURN",
        "-m conntrack --ctstate ESTABLISHED,RELATED -j RETURN",
        "-p ipv6-icmp -j RETURN",
        "-d fd00::1/128 -j RETURN",
        "-p udp --dport 53 -j RETURN",
        "-p tcp --dport 53 -j RETURN",
        "-m addrtype --dst-type LOCAL -j DROP",
        "-m addrtype --dst-type ANYCAST -j DROP",
        "-m addrtype --dst-type MULTICAST -j DROP",
        "-d fd00:ec2::254/128 -j DROP",
    ]
    for family in made.values():
        assert chain(family.text, "xinference-forward") == ["-o xinference0 ! -i xinference0 -m conntrack ! --ctstate DNAT,ESTABLISHED,RELATED -j DROP"]
        assert chain(family.text, "xinference-output") == [
            "-o xinference0 -m conntrack --ctstate NEW -m owner ! --uid-owner 0 -j DROP",
            "-p tcp --sport 9997 --tcp-flags SYN,ACK SYN,ACK -m owner --uid-owner 1000 -j RETURN",
            "-p tcp --sport 9997 --tcp-flags SYN,ACK SYN,ACK -m owner --socket-exists ! --uid-owner 0 -j DROP",
        ]


def test_the_text_replaces_all_chains_in_one_step() -> None:
    for family in rules(WANTED).values():
        lines = family.text.splitlines()
        assert [lines[0], lines[-1]] == ["*mangle", "COMMIT"]
        assert lines[1:4] == [f":xinference-{hook.lower()} - [0:0]" for hook in HOOKS]
        assert family.text.endswith("\n")


def test_each_rule_can_be_found_again() -> None:
    for family in rules(WANTED).values():
        made = [line.split() for line in family.text.splitlines() if line.startswith("-A ")]
        marks = [f"{words[1]} {words[words.index('--comment') + 1]} {words[-1]}" for words in made]
        jumps = [f"{hook} xinference-firewall xinference-{hook.lower()}" for hook in HOOKS]
        assert family.marks == sorted([*marks, *jumps])
        assert len(set(family.marks)) == len(family.marks)


@pytest.mark.parametrize("change", [{"port": 9998}, {"blocked": []}, {"allowed": ["10.0.0.5", "fd00::5"]}, {"users": [1000]}, {"bridge": "xinference1"}])
def test_other_rules_have_other_marks(change: dict[str, Any]) -> None:
    before, after = rules(WANTED), rules(replace(WANTED, **change))
    assert before["ipv4"].marks != after["ipv4"].marks
    assert before["ipv6"].marks != after["ipv6"].marks


def test_nothing_may_be_blocked() -> None:
    made = rules(replace(WANTED, blocked=[]))
    assert [rule for rule in chain(made["ipv4"].text, "xinference-prerouting") if rule.endswith("DROP")] == ["-d 127.0.0.0/8 ! -i lo -j DROP"]
    assert [rule for rule in chain(made["ipv6"].text, "xinference-prerouting") if rule.endswith("DROP")] == []


def test_a_wrong_destination_is_no_rule() -> None:
    with pytest.raises(ValueError, match="nowhere"):
        rules(replace(WANTED, allowed=["nowhere"]))


@pytest.mark.parametrize(
    ("family", "fingerprint", "text", "marks"),
    [
        (
            "ipv4",
            "af6adba971fa",
            "3fbd1dd8e937b59e20eaae9f0ef8bc3e240c3056ae75cb903aeaf80e31d54fff",
            "29701e08860d95fb5682e35cee743ad176022c229d535b13e80f065db04bdd5d",
        ),
        (
            "ipv6",
            "f0c116adfdbf",
            "66b11cfecbbc4fc99f3a7257ba5572c9a1439d4c83cc137724122b37f7e94848",
            "29c03a351c60b3e617f5c333a10fe3f1a0faf7f5da0d4afa28f9c991c2208fef",
        ),
    ],
)
def test_without_openings_and_peers_the_rules_are_those_from_before_there_were_any(family: str, fingerprint: str, text: str, marks: str) -> None:
    """Recorded then. A host that is in no cluster has nothing to set again."""
    wanted = replace(WANTED, users=[0, 1000], blocked=[HOST, "169.254.0.0/16", "fd00:ec2::254"], allowed=["192.0.2.10:8080", "fd00::1"])
    made = rules(wanted)[family]
    assert f"xinference-firewall:{fingerprint}:0" in made.text
    assert hashlib.sha256(made.text.encode()).hexdigest() == text
    assert hashlib.sha256(repr(made.marks).encode()).hexdigest() == marks
    assert rules(replace(wanted, openings=[], peers=[]))[family] == made


OPENING = Opening("10.0.0.5", ["9999", "30100-30149"], ["10.0.0.6", "10.0.0.7"])


def test_the_rules_of_an_opening() -> None:
    before, after = rules(WANTED), rules(replace(WANTED, openings=[OPENING]))
    made = chain(after["ipv4"].text, "xinference-prerouting")
    old = chain(before["ipv4"].text, "xinference-prerouting")
    assert made[:1] == old[:1] == ["-d 127.0.0.0/8 ! -i lo -j DROP"]
    assert made[1 : -len(old) + 1] == [
        "-i lo -j RETURN",
        "! -i xinference0 -m conntrack --ctdir REPLY -j RETURN",
        "! -i xinference0 -s 10.0.0.6/32 -d 10.0.0.5/32 -p tcp --dport 9999 -j RETURN",
        "! -i xinference0 -s 10.0.0.7/32 -d 10.0.0.5/32 -p tcp --dport 9999 -j RETURN",
        "! -i xinference0 -s 10.0.0.6/32 -d 10.0.0.5/32 -p tcp --dport 30100:30149 -j RETURN",
        "! -i xinference0 -s 10.0.0.7/32 -d 10.0.0.5/32 -p tcp --dport 30100:30149 -j RETURN",
        "! -i xinference0 -d 10.0.0.5/32 -p tcp --dport 9999 -j DROP",
        "! -i xinference0 -d 10.0.0.5/32 -p tcp --dport 30100:30149 -j DROP",
    ]
    assert made[-len(old) + 1 :] == old[1:]
    made, old = chain(after["ipv4"].text, "xinference-output"), chain(before["ipv4"].text, "xinference-output")
    assert made == [
        old[0],
        "-d 10.0.0.5/32 -p tcp --dport 9999 -m conntrack --ctstate NEW -m owner ! --uid-owner 0 -j DROP",
        "-d 10.0.0.5/32 -p tcp --dport 30100:30149 -m conntrack --ctstate NEW -m owner ! --uid-owner 0 -j DROP",
        *old[1:],
        "-s 10.0.0.5/32 -p tcp --sport 9999 --tcp-flags SYN,ACK SYN,ACK -m owner --socket-exists ! --uid-owner 0 -j DROP",
        "-s 10.0.0.5/32 -p tcp --sport 30100:30149 --tcp-flags SYN,ACK SYN,ACK -m owner --socket-exists ! --uid-owner 0 -j DROP",
    ]
    assert chain(after["ipv4"].text, "xinference-forward") == chain(before["ipv4"].text, "xinference-forward")
    assert before["ipv4"].marks != after["ipv4"].marks
    # Docker publishes on an address of IPv4 alone.
    assert before["ipv6"] == after["ipv6"]


def test_users_who_publish_reach_an_opening_and_answer_there() -> None:
    made = chain(rules(replace(WANTED, openings=[replace(OPENING, ports=[9999])], users=[0, 1000, 1001]))["ipv4"].text, "xinference-output")
    assert made[1:4] == [
        "-d 10.0.0.5/32 -p tcp --dport 9999 -m conntrack --ctstate NEW -m owner --uid-owner 1000 -j RETURN",
        "-d 10.0.0.5/32 -p tcp --dport 9999 -m conntrack --ctstate NEW -m owner --uid-owner 1001 -j RETURN",
        "-d 10.0.0.5/32 -p tcp --dport 9999 -m conntrack --ctstate NEW -m owner ! --uid-owner 0 -j DROP",
    ]
    assert made[-3:] == [
        "-s 10.0.0.5/32 -p tcp --sport 9999 --tcp-flags SYN,ACK SYN,ACK -m owner --uid-owner 1000 -j RETURN",
        "-s 10.0.0.5/32 -p tcp --sport 9999 --tcp-flags SYN,ACK SYN,ACK -m owner --uid-owner 1001 -j RETURN",
        "-s 10.0.0.5/32 -p tcp --sport 9999 --tcp-flags SYN,ACK SYN,ACK -m owner --socket-exists ! --uid-owner 0 -j DROP",
    ]


def test_openings_of_the_same_port_add_up() -> None:
    """What one refuses to others, another one may let them reach."""
    openings = [Opening("10.0.0.5", ["9997"], ["10.0.0.6"]), Opening("10.0.0.5", ["9990-9999"], ["10.0.0.7"])]
    made = [rule for rule in chain(rules(replace(WANTED, openings=openings))["ipv4"].text, "xinference-prerouting") if "--dport 99" in rule]
    assert [rule.rpartition(" ")[2] for rule in made] == ["RETURN", "RETURN", "DROP", "DROP"]


def test_nobody_reaches_an_opening_without_sources() -> None:
    made = chain(rules(replace(WANTED, openings=[replace(OPENING, sources=[])]))["ipv4"].text, "xinference-prerouting")
    assert [rule for rule in made if "10.0.0.5" in rule] == [
        "! -i xinference0 -d 10.0.0.5/32 -p tcp --dport 9999 -j DROP",
        "! -i xinference0 -d 10.0.0.5/32 -p tcp --dport 30100:30149 -j DROP",
    ]


PEERS = [Peer("10.0.0.6", ["30001", "30100-30149"]), Peer("10.0.0.7", [30001])]


def test_the_rules_of_peers() -> None:
    wanted = replace(WANTED, blocked=[HOST, "10.0.0.0/8"], allowed=["192.0.2.10"], users=[0, 1000])
    before, after = rules(wanted), rules(replace(wanted, peers=PEERS))
    made, old = (chain(found["ipv4"].text, "xinference-prerouting") for found in (after, before))
    place = old.index("-d 192.0.2.10/32 -j RETURN") + 1
    assert made == [
        *old[:place],
        "-d 10.0.0.6/32 -p tcp --dport 30001 -j RETURN",
        "-d 10.0.0.6/32 -p tcp --dport 30100:30149 -j RETURN",
        "-d 10.0.0.7/32 -p tcp --dport 30001 -j RETURN",
        *old[place:],
    ]
    # It is about the container alone: what others send has returned before.
    assert made.index("! -i xinference0 -j RETURN") < place < made.index("-d 10.0.0.0/8 -j DROP")
    made, old = (chain(found["ipv4"].text, "xinference-output") for found in (after, before))
    assert made == [
        old[0],
        "-d 10.0.0.6/32 -p tcp --dport 30001 -m conntrack --ctstate NEW -m owner --uid-owner 1000 -j RETURN",
        "-d 10.0.0.6/32 -p tcp --dport 30001 -m conntrack --ctstate NEW -m owner ! --uid-owner 0 -j DROP",
        "-d 10.0.0.6/32 -p tcp --dport 30100:30149 -m conntrack --ctstate NEW -m owner --uid-owner 1000 -j RETURN",
        "-d 10.0.0.6/32 -p tcp --dport 30100:30149 -m conntrack --ctstate NEW -m owner ! --uid-owner 0 -j DROP",
        "-d 10.0.0.7/32 -p tcp --dport 30001 -m conntrack --ctstate NEW -m owner --uid-owner 1000 -j RETURN",
        "-d 10.0.0.7/32 -p tcp --dport 30001 -m conntrack --ctstate NEW -m owner ! --uid-owner 0 -j DROP",
        *old[1:],
    ]
    assert chain(after["ipv4"].text, "xinference-forward") == chain(before["ipv4"].text, "xinference-forward")
    assert before["ipv4"].marks != after["ipv4"].marks
    assert before["ipv6"] == after["ipv6"]


def test_peers_open_nothing_and_openings_reach_nothing() -> None:
    peers, both = (rules(replace(WANTED, peers=PEERS, openings=openings))["ipv4"].text for openings in ([], [OPENING]))
    assert "10.0.0.5" not in peers
    assert set(chain(peers, "xinference-prerouting")) < set(chain(both, "xinference-prerouting"))
    assert set(chain(peers, "xinference-output")) < set(chain(both, "xinference-output"))
    # Opened are the ports of this machine alone.
    assert [rule for rule in chain(both, "xinference-prerouting") if "-d 10.0.0.6" in rule or "-d 10.0.0.7" in rule] == [
        "-d 10.0.0.6/32 -p tcp --dport 30001 -j RETURN",
        "-d 10.0.0.6/32 -p tcp --dport 30100:30149 -j RETURN",
        "-d 10.0.0.7/32 -p tcp --dport 30001 -j RETURN",
    ]


@pytest.mark.parametrize(("text", "made"), [("1", "1"), (9999, "9999"), ("65535", "65535"), ("1-65535", "1:65535"), ("30100-30100", "30100")])
def test_ports(text: int | str, made: str) -> None:
    assert parse_ports(text) == made


WRONG_PORTS: list[Any] = [
    *("", " ", "0", "65536", "0-5", "1-65536", "30149-30100", "1-", "-1", "1-2-3", "1:2", "9999,10000", "http", "9999 ", "9999\n-j ACCEPT", "\u0661"),
    *(0, -1, 65536, True, None, 1.5, [], {}),
]


@pytest.mark.parametrize("text", WRONG_PORTS)
def test_what_is_no_port(text: Any) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(str(text))}$"):
        parse_ports(text)
    with pytest.raises(ValueError, match=f"^{re.escape(str(text))}$"):
        rules(replace(WANTED, openings=[replace(OPENING, ports=["9999", text])]))
    with pytest.raises(ValueError, match=f"^{re.escape(str(text))}$"):
        rules(replace(WANTED, peers=[Peer("10.0.0.6", ["9999", text])]))


WRONG_ADDRESSES: list[Any] = [
    *("", " ", "worker", "10.0.0.5/32", "10.0.0.0/8", "10.0.0.5:80", "10.0.0", "10.0.0.256", "fd00::5", "::ffff:10.0.0.5", "10.0.0.5\n", "\u0661.0.0.1"),
    # They would be rules for other packets than those that are meant, or for none.
    *("0.0.0.0", "127.0.0.1", "224.0.0.1", "255.255.255.255", HOST, None, 10, 167772165, b"\x0a\x00\x00\x05", {}, ["10.0.0.5"]),
]


@pytest.mark.parametrize("text", WRONG_ADDRESSES)
def test_what_is_no_address_of_an_opening_or_a_peer(text: Any) -> None:
    for opening in (replace(OPENING, address=text), replace(OPENING, sources=["10.0.0.6", text])):
        with pytest.raises(ValueError, match=f"^{re.escape(str(text))}$"):
            rules(replace(WANTED, openings=[opening]))
    with pytest.raises(ValueError, match=f"^{re.escape(str(text))}$"):
        rules(replace(WANTED, peers=[Peer(text, ["9999"])]))


@pytest.mark.parametrize("name", ["ports", "sources"])
@pytest.mark.parametrize("value", ["9999", "10.0.0.6", 9999, None, {"9999": 1}])
def test_a_text_is_no_list_of_ports_or_sources(name: str, value: Any) -> None:
    """Each of its letters would be taken for one."""
    with pytest.raises(ValueError, match=re.escape(str(value))):
        rules(replace(WANTED, openings=[replace(OPENING, **{name: value})]))
    if name == "ports":
        with pytest.raises(ValueError, match=re.escape(str(value))):
            rules(replace(WANTED, peers=[Peer("10.0.0.6", value)]))
