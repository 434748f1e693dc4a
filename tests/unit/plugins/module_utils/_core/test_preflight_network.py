# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What preflight says about names, addresses and paths that are written into units, rules of the firewall and the proxy's configuration."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from test_preflight import HOST, SETTINGS, changed
from test_preflight_proxy import BARE, PROXY

from ansible_collections.inferops.xinference.plugins.module_utils._core.preflight import check_host

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


@pytest.mark.parametrize("subnet", ["192.168.240.1/28", "10.0.0.0/31", "10.0.0.1", "fd00::/64", "docker", "10.0.0.0/8\n", "10.0.0.0 /8"])
def test_what_is_no_subnet(subnet: str) -> None:
    (problem,) = problems(network_subnet=subnet)
    assert problem.endswith("is no IPv4 network of at least four addresses. Write one such as 192.168.240.0/28, or leave it empty.")


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
def test_a_network_of_somebody_else(ours: bool, count: int) -> None:
    found = problems(changed(engine__network={"bridge": "br-0", "subnets": [], "ours": ours}))
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
