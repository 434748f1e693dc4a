# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What stands between the container, the service and the host, after a boot and after others changed the host's firewall.

That each rule holds, for both IP families and for each of those whom it is about, is tried in tests/isolation/test_packets.py.
"""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.inferops.xinference.tests.machine import wait_until

DIRECTORY = "/usr/local/lib/xinference-firewall"
DATA = "/data/xinference_data"
#: Says whether a connection comes about. Arguments: address and port.
CONNECT = "import socket, sys; socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=3); print('connected')"


def families(host: Any) -> dict[str, str]:
    """Programs of the IP families that the machine has, with the files of their rules."""
    found = {"iptables": f"{DIRECTORY}/ipv4.rules"}
    return {**found, "ip6tables": f"{DIRECTORY}/ipv6.rules"} if host.file("/proc/net/if_inet6").content_string.strip() else found


def missing(host: Any) -> list[str]:
    """Rules that are not in the kernel, by their comments, and chains that nothing leads to."""
    found: list[str] = []
    for command, path in families(host).items():
        there = host.check_output(f"{command} -t mangle -S")
        comments = [word for line in host.file(path).content_string.splitlines() for word in line.split() if word.startswith("xinference-firewall:")]
        assert len(comments) > 5
        jumps = [f"-A {hook} -m comment --comment xinference-firewall -j xinference-{hook.lower()}" for hook in ("PREROUTING", "FORWARD", "OUTPUT")]
        found += [text for text in [*comments, *jumps] if text not in there.replace('"', "")]
    return found


def test_the_rules_are_there_after_a_boot(host: Any) -> None:
    assert missing(host) == []
    assert host.service("xinference-firewall").is_enabled
    # Before anything could be reached.
    assert "xinference-firewall.service" in host.check_output("systemctl show --property=After --value docker.service").split()


@pytest.fixture
def container(host: Any) -> tuple[str, str]:
    """The container's own address, and the host's on its network."""
    form = "{{ range .NetworkSettings.Networks }}{{ .IPAddress }} {{ .Gateway }}{{ end }}"
    address, gateway = host.check_output(f"docker inspect --format '{form}' xinference").split()
    return address, gateway


def test_users_of_the_host_reach_the_published_port_alone(host: Any, container: tuple[str, str]) -> None:
    address, _gateway = container
    nobody = "setpriv --reuid nobody --regid nogroup --clear-groups"
    assert host.check_output(f'{nobody} python3 -c "{CONNECT}" 127.0.0.1 9997') == "connected"
    assert host.check_output(f'python3 -c "{CONNECT}" {address} 9997') == "connected"
    refused = host.run(f'{nobody} python3 -c "{CONNECT}" {address} 9997')
    assert refused.rc != 0
    assert "timed out" in refused.stderr


def test_the_container_does_not_reach_the_host(host: Any, container: tuple[str, str]) -> None:
    _address, gateway = container
    host.check_output("systemd-run --unit=listens python3 -m http.server 8099 --bind 0.0.0.0")
    try:
        wait_until(lambda: bool(host.run(f'python3 -c "{CONNECT}" {gateway} 8099').rc == 0), "something listens")
        tried = host.run(f'docker exec xinference python3 -c "{CONNECT}" {gateway} 8099')
        assert tried.rc != 0
        assert "timed out" in tried.stderr
    finally:
        host.check_output("systemctl stop listens")


def test_the_service_sees_what_it_needs_and_nothing_else(host: Any) -> None:
    pid = host.check_output("systemctl show --property MainPID --value xinference-models")

    def seen(path: str) -> bool:
        return bool(host.run(f"test -e /proc/{pid}/root{path}").rc == 0)

    # It may read all files that it sees.
    hidden = ("/etc/shadow", "/etc/shadow-", "/etc/ssh", "/root/.bashrc", "/home", "/run/docker.sock", "/var/log", "/etc/xinference-ca")
    keys = [f"{DATA}/.xinference/auth/{name}" for name in ("auth.db", "environment", "jwt_secret_key", "encryption_key")]
    assert [path for path in (*hidden, *keys) if seen(path)] == []
    assert host.file(f"{DATA}/.xinference/auth/auth.db").exists
    needed = ("/usr/bin/python3", "/var/lib/xinference-models/declaration.json", f"{DATA}/.xinference/worker_recovery", f"{DATA}/logs/xinference.log")
    assert [path for path in needed if not seen(path)] == []
    assert host.run(f"nsenter --mount --target {pid} touch /etc/x").rc != 0


def test_the_unit_of_root_needs_no_packages(host: Any) -> None:
    assert " -I -S " in host.file("/etc/systemd/system/xinference-start.service").content_string
    assert host.run("systemctl start xinference-start").rc == 0
    assert "nothing to do" in host.check_output("journalctl --unit xinference-start --output cat --no-pager")


# The last ones: Docker's own rules go with the others, and come back with its next start.


def test_a_reload_of_the_host_s_firewall_brings_the_rules_back_at_once(host: Any) -> None:
    """As the distribution ships it, its configuration begins with removing all rules of everybody."""
    assert "flush ruleset" in host.file("/etc/nftables.conf").content_string
    host.check_output("systemctl stop xinference-check-firewall.timer xinference-check-firewall.service")
    try:
        for step in ("start", "reload", "restart"):
            host.check_output(f"systemctl {step} nftables")
            wait_until(lambda: missing(host) == [], "the rules are back")
        # It removes all rules, too, and then there is nothing that it could reload.
        host.check_output("systemctl stop nftables")
        assert missing(host) != []
    finally:
        host.check_output("systemctl start xinference-check-firewall.timer")
    wait_until(lambda: missing(host) == [], "the rules are back")
    assert host.service("xinference-firewall").is_running


@pytest.mark.test_all("packages of the distribution are installed for it")
def test_other_firewalls_can_be_started_and_the_rules_are_back(host: Any) -> None:
    """Firewalld stops nftables, and removes all rules after it has said that it is started: the timer finds out."""
    host.check_output("apt-get update --quiet && DEBIAN_FRONTEND=noninteractive apt-get install --quiet --yes --no-install-recommends firewalld ufw")
    try:
        for command in ("systemctl restart firewalld", "systemctl restart firewalld", "firewall-cmd --reload"):
            host.check_output(command)
            wait_until(lambda: missing(host) == [], "the rules are back")
        host.check_output("systemctl stop firewalld && ufw allow 22/tcp && ufw --force enable")
        for command in ("ufw reload", "systemctl restart ufw"):
            host.check_output(command)
            wait_until(lambda: missing(host) == [], "the rules are back")
            assert host.service("xinference-firewall").is_running
    finally:
        host.run("ufw --force disable; systemctl stop firewalld; DEBIAN_FRONTEND=noninteractive apt-get purge --quiet --yes firewalld ufw")


def test_rules_that_are_removed_come_back(host: Any) -> None:
    host.check_output("systemctl stop xinference-check-firewall.timer xinference-check-firewall.service")
    host.check_output("nft flush ruleset")
    assert missing(host) != []
    host.check_output("systemctl start xinference-check-firewall.timer")
    wait_until(lambda: missing(host) == [], "the rules are back")
    # In silence.
    assert "Reloading" not in host.check_output("journalctl --unit xinference-firewall --unit xinference-check-firewall --output cat --no-pager")
    # Its rules for ports and for the way out.
    host.check_output("systemctl restart docker")
