# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What preflight says about names, addresses and paths that are written into units, rules of the firewall and the proxy's configuration."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ansible_collections.inferops.xinference.plugins.module_utils._core.preflight.check import check_host
from ansible_collections.inferops.xinference.tests.unit.plugins.module_utils._core.preflight.good_host import BARE, HOST, PROXY, ROOT, SETTINGS, changed

#: Text that would be another line, or another word, wherever it is written.
INJECTIONS = ["\nExecStart=/bin/false", " -j ACCEPT", ";", "%i", "${HOME}", '"', "'", "\\", "{", "#", "\t", "\x00"]


def problems(host: dict[str, Any] | None = None, **settings: Any) -> list[str]:
    """What is said of a host, the good one by default."""
    return [str(failure) for failure in check_host(HOST if host is None else host, replace(SETTINGS, **settings))]


@pytest.mark.parametrize("name", ["xinference", "x1", "a.b_c-d", "0abc", "x" * 128])
def test_names_of_containers(name: str) -> None:
    assert problems(container=name) == []


@pytest.mark.parametrize(
    "name", ["", "x", ".a", "-a", "_a", "a/b", "a b", "a:b", "\u00e4b", "x" * 129, "bridge", "host", "none", "default", *(f"ab{text}" for text in INJECTIONS)]
)
def test_what_is_no_name_of_a_container(name: str) -> None:
    (problem,) = problems(container=name)
    assert problem.startswith("xinference_container_name '")
    assert problem.endswith(
        "' cannot be the name of a container and its network. Use letters, digits, '_', '.' and '-', beginning with a letter or digit, "
        "and none of bridge, default, host, none."
    )
    assert "\n" not in problem


ADDRESSES = ["fe80::1%eth0", "fe80::1%\nlisten 81;", "fe80::1%1; access_log off", "[::1]", "127.0.0.1\n", " 127.0.0.1", "127.0.0.1:80", "localhost", ""]


@pytest.mark.parametrize("address", ADDRESSES)
def test_what_is_no_address(address: str) -> None:
    """Python takes a scope of IPv6 for a part of an address, whatever it holds."""
    (problem,) = problems(address=address)
    assert "is no IP address" in problem
    (problem,) = problems(recovery_address=address)
    assert "is no IP address" in problem
    (problem,) = problems(BARE, proxy=replace(PROXY, address=address))
    assert "is no IP address" in problem
    assert "\n" not in problem


@pytest.mark.parametrize("name", [address for address in ADDRESSES if address != "localhost"])
def test_what_is_no_name_for_the_proxy(name: str) -> None:
    (problem,) = problems(BARE, proxy=replace(PROXY, names=[name]))
    assert problem.endswith("is neither a name of a host nor an IP address. Correct it.")
    assert "\n" not in problem


@pytest.mark.parametrize("subnet", ["", "192.168.240.0/28", "10.0.0.0/30", "172.31.0.0/16"])
def test_subnets(subnet: str) -> None:
    assert problems(network_subnet=subnet) == []


@pytest.mark.parametrize(
    "subnet",
    [
        *("192.168.240.1/28", "10.0.0.0/31", "10.0.0.1", "fd00::/64", "docker", "10.0.0.0/8\n", "10.0.0.0 /8"),
        *("127.0.0.0/28", "169.254.7.0/24", "224.0.0.0/28", "0.0.0.0/28"),
    ],
)
def test_what_is_no_subnet(subnet: str) -> None:
    (problem,) = problems(network_subnet=subnet)
    assert problem.endswith("is no IPv4 network of at least four addresses that a container can have. Write one such as 192.168.240.0/28, or leave it empty.")


def test_destinations() -> None:
    assert problems(blocked_destinations=["host", "169.254.0.0/16"], allowed_destinations=["10.0.0.5:80"]) == []
    assert problems(blocked_destinations="host", allowed_destinations=["host"]) == [
        "xinference_blocked_destinations must be a list. Correct it.",
        "xinference_allowed_destinations[0] 'host' is none of: an IP address, a network such as 10.0.0.0/8, either with a port. Correct it.",
    ]


@pytest.mark.parametrize(("value", "count"), [(1, 0), (65535, 0), (65536, 1), (0, 1)])
def test_connections_of_the_proxy(value: int, count: int) -> None:
    for name in ("xinference_proxy_connections", "xinference_proxy_total_connections", "xinference_proxy_uploads"):
        assert len(problems(BARE, proxy=replace(PROXY, numbers={name: value}))) == count
    assert problems(BARE, proxy=replace(PROXY, numbers={"xinference_proxy_timeout": 65536})) == []


@pytest.mark.parametrize("path", ["my models", "a%b", "a;b", "a$b"])
def test_paths_of_volumes(path: str) -> None:
    (problem,) = problems(volumes=[*SETTINGS.volumes, {"path": path}])
    assert problem.startswith(f"xinference_volumes[3] path '{path}' holds the character ")


@pytest.mark.parametrize(("ours", "count"), [(True, 0), (False, 1)])
def test_a_network_of_others(ours: bool, count: int) -> None:
    found = problems(changed(docker__network={"bridge": "br-0", "subnets": [], "ours": ours}))
    assert (
        found
        == [
            "Docker has a network xinference already, which these roles did not make; the container's network has the container's name."
            " Remove that network, or choose another xinference_container_name."
        ][:count]
    )


@pytest.mark.parametrize("text", [*INJECTIONS, ":", ",", "\u2028"])
def test_paths_of_units_and_of_the_proxy(text: str) -> None:
    assert problems(places={"xinference_client_environment": "/opt/x-y_z.1@2+3/\u00e4"}) == []
    (problem,) = problems(places={"xinference_client_environment": f"/opt/x{text}"})
    assert problem.startswith("xinference_client_environment '/opt/x")
    assert problem.endswith("which units of systemd and nginx would read as something else. Choose a path without it.")
    assert "\n" not in problem


# What Docker would refuse when the container is made or started.

NETWORKS = {"bridge": ["172.17.0.0/16"], "app": ["10.77.0.0/24", "fd00::/64"], "xinference": ["192.168.240.0/28"], "host": []}


@pytest.mark.parametrize("cpus", [0, 0.01, 0.5, 8, 8.0])
def test_processors_that_there_are(cpus: float) -> None:
    assert problems(cpus=cpus) == []


@pytest.mark.parametrize("cpus", [8.5, 9, 0.001, -1])
def test_processors_that_there_are_not(cpus: float) -> None:
    wanted = [f"xinference_cpus '{cpus:g}' cannot be had: this host has 8 processors. Use a number from 0.01 to 8, or 0 for all."]
    assert problems(cpus=cpus) == wanted
    # Before there is a Docker that counts them.
    assert problems(changed(docker__processors=None), cpus=cpus) == wanted
    assert problems(changed(docker__processors=16), cpus=cpus) == (
        [] if cpus > 8 else [wanted[0].replace("8 processors", "16 processors").replace("to 8", "to 16")]
    )


@pytest.mark.parametrize(
    ("facts", "mode", "refused"),
    [
        ({"root": "100000:100000", "runc": "1.0.0~rc93+ds1"}, "0700", True),
        ({"root": "100000:100000", "runc": "1.0.0~rc93+ds1"}, "0750", True),
        ({"root": "100000:100000", "runc": "1.0.0~rc93+ds1"}, "0711", False),
        ({"root": "100000:100000", "runc": "1.1.5+ds1"}, "0700", False),
        ({"root": "100000:100000", "runc": "10.0"}, "0700", False),
        ({"root": "100000:100000", "runc": None}, "0700", False),
        ({"root": "100000:100000", "runc": "of today"}, "0700", False),
        ({"root": "0:0", "runc": "1.0.0~rc93+ds1"}, "0700", False),
        ({"root": "100000:100000", "runc": "1.0.0~rc93+ds1"}, None, False),
    ],
)
def test_mapped_users_with_a_runc_that_mounts_nothing_for_them(facts: dict[str, Any], mode: str | None, refused: bool) -> None:
    host = changed(**{f"docker__{name}": value for name, value in facts.items()})
    found = problems(host, volumes=[*SETTINGS.volumes, {"path": ".", **({"mode": mode} if mode else {})}])
    assert found == (
        [
            f"Docker maps users on this host (userns-remap), and its runc {facts['runc']} then mounts nothing from {ROOT}, which others may not enter (mode "
            f"{mode} of '.' in xinference_volumes). Give it the mode 0711, or map no users: runc can do it since 1.1, the one of Debian 12."
        ]
        if refused
        else []
    )


@pytest.mark.parametrize(("version", "wanted", "refused"), [("11", True, True), ("11", "yes", True), ("11", False, False), ("12", True, False)])
def test_users_that_the_distributions_docker_is_to_map(version: str, wanted: Any, refused: bool) -> None:
    host = {**BARE, "distribution": {"id": "debian", "version": version, "like": []}}
    found = problems(host, volumes=[*SETTINGS.volumes, {"path": ".", "mode": "0700"}], values={"xinference_docker_userns_remap": wanted})
    assert found == (
        [
            f"With xinference_docker_userns_remap, Docker of Debian 11 mounts nothing from {ROOT}, which others may not enter (mode 0700 of '.' in "
            "xinference_volumes). Give it the mode 0711, or map no users: runc can do it since 1.1, the one of Debian 12."
        ]
        if refused
        else []
    )


def test_addresses_that_the_host_does_not_have() -> None:
    host = changed(addresses={"10.99.0.7": False, "127.0.0.1": True})
    assert problems(host, address="10.99.0.7") == [
        "xinference_address '10.99.0.7' is no address of this host. Use one of an interface of this host, or 127.0.0.1."
    ]
    assert problems(host, recovery_address="10.99.0.7") == [
        "xinference_recovery_address '10.99.0.7' is no address of this host. Use one of an interface of this host, or 127.0.0.1."
    ]
    # Nobody listens there.
    assert problems(host, recovery_address="10.99.0.7", recovery_port=0) == []
    assert problems(host, recovery_address="10.99.0.7", recovery="none") == []
    assert problems({**BARE, "addresses": {"10.99.0.7": False}}, proxy=replace(PROXY, address="10.99.0.7")) == [
        "xinference_proxy_address '10.99.0.7' is no address of this host. Use one of an interface of this host, or 127.0.0.1."
    ]


@pytest.mark.parametrize("ending", [".previous", ".replacement", "-prepare", "-backup"])
def test_names_of_containers_beside_another_one(ending: str) -> None:
    (problem,) = problems(container=f"a{ending}")
    assert problem == (
        f"xinference_container_name 'a{ending}' ends like the name of a container that the roles make beside another one. "
        f"Choose a name that does not end in {ending}."
    )


def test_networks_to_join() -> None:
    host = changed(docker__networks=NETWORKS)
    assert problems(host, networks=["app"]) == []
    there = "Create it first, or use one of app."
    assert problems(host, networks=["app", "ap"]) == [f"xinference_networks[1] 'ap' does not exist on this host. {there}"]
    for name in ("host", "none", "bridge", "xinference"):
        assert problems(host, networks=[name]) == [
            f"xinference_networks[0] '{name}' cannot be joined: it is the container's own network, or one that Docker keeps for itself. Remove it."
        ]
    assert problems(networks=["app"]) == ["xinference_networks[0] 'app' does not exist on this host. Create it first."]
    # Before there is a Docker, nobody knows.
    assert problems(changed(docker__reachable=False, docker__networks={}), networks=["app"]) == []


@pytest.mark.parametrize(
    ("subnet", "taken"),
    [
        ("10.77.0.64/28", ("10.77.0.0/24", "app")),
        ("10.0.0.0/8", ("10.77.0.0/24", "app")),
        ("172.17.3.0/24", ("172.17.0.0/16", "bridge")),
        # Its own of before.
        ("192.168.240.0/27", None),
        ("10.78.0.0/28", None),
    ],
)
def test_addresses_that_another_network_has(subnet: str, taken: tuple[str, str] | None) -> None:
    said = problems(changed(docker__networks=NETWORKS), network_subnet=subnet)
    if taken is None:
        assert said == []
    else:
        words = f"overlaps {taken[0]}, which Docker's network {taken[1]} has. Choose another one, or leave it empty."
        assert said == [f"xinference_network_subnet '{subnet}' {words}"]


def test_a_port_that_docker_holds_for_nobody() -> None:
    held = changed(listeners=[{"address": "127.0.0.1", "port": 9997}], docker__stale_ports=[9997])
    assert problems(held) == [
        "Port 9997 is held by Docker for a container that does not run, as a power cut may leave it. "
        "Run again; where that does not help, restart Docker, with systemctl restart docker."
    ]
    # Another port is not this one.
    other = changed(listeners=[{"address": "127.0.0.1", "port": 9997}], docker__stale_ports=[80])
    assert problems(other) == ["Port 9997 is in use on 127.0.0.1 by something else. Free it, or set xinference_port to another one."]
    # Where nothing listens, nothing is in the way.
    assert problems(changed(docker__stale_ports=[9997])) == []


def test_a_port_for_the_figures_of_the_worker() -> None:
    assert problems(metrics_port=9990) == []
    assert problems(metrics_port=0) == []
    for port in (-1, 65536):
        assert problems(metrics_port=port) == [f"xinference_metrics_port '{port}' is no port. Use a number from 1 to 65535, or 0 for none."]


@pytest.mark.parametrize(
    ("port", "other", "settings"),
    [
        (9997, "xinference_port", {}),
        (9998, "xinference_recovery_port", {}),
        (443, "xinference_proxy_port", {"proxy": PROXY}),
        (80, "xinference_proxy_http_port", {"proxy": PROXY}),
    ],
)
def test_a_port_for_figures_that_is_another_one_too(port: int, other: str, settings: dict[str, Any]) -> None:
    assert problems(BARE, metrics_port=port, **settings) == [f"xinference_metrics_port '{port}' is {other}, too. Choose another one."]


def test_a_port_for_figures_that_is_taken() -> None:
    listeners = [{"address": "0.0.0.0", "port": 9990}]
    words = "Port 9990 is in use on 0.0.0.0 by something else. Free it, or set xinference_metrics_port to another one, or to 0 for none."
    assert problems(changed(listeners=listeners), metrics_port=9990) == [words]
    # On an address that is not loopback it is free.
    assert problems(changed(listeners=[{"address": "192.0.2.1", "port": 9990}]), metrics_port=9990) == []
    # Its own container has it.
    container = {"ports": [9990, 9997], "status": "running"}
    assert not [each for each in problems(changed(listeners=listeners, docker__container=container), metrics_port=9990) if "9990" in each]
