# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Variables of the roles: of the documented kind or reported, and what containers are given."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

import pytest

from ansible_collections.inferops.xinference.plugins.module_utils._core.preflight.variables import (
    as_text,
    check_allowed,
    check_kinds,
    check_texts,
    past_proxies,
    texts,
)

OPTIONS: dict[str, dict[str, Any]] = {
    "xinference_image_tag": {"type": "str"},
    "xinference_admin_password": {"type": "str", "no_log": True},
    "xinference_container_name": {"type": "str"},
    "xinference_data_root": {"type": "path"},
    "xinference_restart_policy": {"type": "str", "choices": ["always", "no"]},
    "xinference_recovery": {"type": "str", "choices": ["auto", "none"]},
    "xinference_authentication": {"type": "bool"},
    "xinference_port": {"type": "int"},
    "xinference_cpus": {"type": "float"},
    "xinference_capabilities": {"type": "list", "elements": "str"},
    "xinference_environment": {"type": "dict"},
    "xinference_models": {"type": "raw"},
    "xinference_volumes": {
        "type": "list",
        "elements": "dict",
        "options": {"path": {"type": "str"}, "mode": {"type": "str"}, "owner": {"type": "str"}, "read_only": {"type": "bool"}},
    },
}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("image_tag", "v4.1.0-cpu"),
        ("image_tag", 41),
        ("image_tag", date(2026, 11, 28)),
        ("admin_password", 1234567890),
        ("restart_policy", False),
        ("restart_policy", "no"),
        ("authentication", True),
        ("authentication", "yes"),
        ("authentication", "False"),
        ("authentication", 0),
        ("port", 9997),
        ("port", "9997"),
        ("port", 9997.0),
        ("port", -1),
        ("cpus", 3),
        ("cpus", 3.5),
        ("cpus", "3.5"),
        ("capabilities", []),
        ("capabilities", ["SYS_NICE"]),
        ("environment", {"A": 1}),
        ("models", None),
        ("volumes", [{"path": "a", "mode": "0755", "owner": 1000, "read_only": True}]),
        ("nothing_of_ours", None),
    ],
)
def test_what_is_of_the_documented_kind(name: str, value: Any) -> None:
    assert check_kinds({f"xinference_{name}": value}, OPTIONS) == []


@pytest.mark.parametrize(
    ("name", "value", "problem"),
    [
        ("image_tag", 4.1, "xinference_image_tag must be a text, but is the number 4.1; write it in quotes."),
        ("image_tag", True, "xinference_image_tag must be a text, but is the boolean true; write it in quotes."),
        ("image_tag", None, "xinference_image_tag must be a text, but is null."),
        ("image_tag", ["a"], "xinference_image_tag must be a text, but is a list."),
        ("image_tag", {"a": 1}, "xinference_image_tag must be a text, but is a dictionary."),
        ("image_tag", datetime(2026, 11, 28), "xinference_image_tag must be a text, but is the date 2026-11-28 00:00:00; write it in quotes."),
        ("admin_password", 1234567.5, "xinference_admin_password must be a text, but is a number; write it in quotes."),
        ("admin_password", True, "xinference_admin_password must be a text, but is a boolean; write it in quotes."),
        ("admin_password", ["hunter2hunter2"], "xinference_admin_password must be a text, but is a list."),
        ("container_name", 41, "xinference_container_name must be a text, but is the number 41; write it in quotes."),
        ("data_root", 41, "xinference_data_root must be a text, but is the number 41; write it in quotes."),
        ("restart_policy", True, "xinference_restart_policy must be a text, but is the boolean true; write it in quotes."),
        ("restart_policy", "never", "xinference_restart_policy 'never' is unknown; allowed: always, no."),
        ("recovery", None, "xinference_recovery must be a text, but is null."),
        ("authentication", None, "xinference_authentication must be true or false, but is null."),
        ("authentication", "maybe", "xinference_authentication must be true or false, but is the text maybe."),
        ("port", True, "xinference_port must be a whole number, but is the boolean true."),
        ("port", "web", "xinference_port must be a whole number, but is the text web."),
        ("port", 1.5, "xinference_port must be a whole number, but is the number 1.5."),
        ("port", None, "xinference_port must be a whole number, but is null."),
        ("cpus", float("nan"), "xinference_cpus must be a number, but is the number .nan."),
        ("cpus", "two", "xinference_cpus must be a number, but is the text two."),
        ("capabilities", "SYS_NICE", "xinference_capabilities must be a list, but is the text SYS_NICE."),
        ("capabilities", [1], "xinference_capabilities must be a list of texts, but is a list."),
        ("environment", "A=b", "xinference_environment must be a dictionary, but is a text."),
        ("volumes", [{"path": "a", "mode": 493}], "xinference_volumes[0] mode must be a text, but is the number 493; write it in quotes."),
        ("volumes", [{"path": "a"}, {"path": 7}], "xinference_volumes[1] path must be a text, but is the number 7; write it in quotes."),
        ("volumes", [{"path": "a", "read_only": "si"}], "xinference_volumes[0] read_only must be true or false, but is the text si."),
        ("volumes", ["a"], "xinference_volumes[0] must be a dictionary, but is a text."),
    ],
)
def test_what_is_of_another_kind_is_reported(name: str, value: Any, problem: str) -> None:
    assert check_kinds({f"xinference_{name}": value}, OPTIONS) == [problem]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("x", "x"),
        ("", ""),
        (True, "true"),
        (False, "false"),
        (1, "1"),
        (-1, "-1"),
        (0.5, "0.5"),
        (date(2026, 11, 28), "2026-11-28"),
        (None, None),
        ([], None),
        ({}, None),
        (float("inf"), None),
        (float("nan"), None),
    ],
)
def test_a_value_as_people_mean_it(value: Any, text: str | None) -> None:
    assert as_text(value) == text
    if text is not None:
        assert texts({"A": value}) == {"A": text}
        assert check_texts("xinference_environment", {"A": value}) == []
    else:
        with pytest.raises(ValueError, match=r"^value: A is "):
            texts({"A": value})


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ({True: "x"}, "xinference_labels: 'true' is no name; write a text in quotes, without '=' and spaces."),
        ({1: "x"}, "xinference_labels: '1' is no name; write a text in quotes, without '=' and spaces."),
        ({"": "x"}, "xinference_labels: '' is no name; write a text in quotes, without '=' and spaces."),
        ({"A=B": "x"}, "xinference_labels: 'A=B' is no name; write a text in quotes, without '=' and spaces."),
        ({"A B": "x"}, "xinference_labels: 'A B' is no name; write a text in quotes, without '=' and spaces."),
        ({"A": "x\x00y"}, "xinference_labels: A holds a zero byte, which no container can be given."),
        (
            {"A": {"secret": "hunter2"}},
            "xinference_labels: A is a dictionary, but must be a text, a number, true or false; remove it, or write '' for an empty text.",
        ),
        (None, "xinference_labels must be a dictionary, but is null."),
        ("A=b", "xinference_labels must be a dictionary, but is a text."),
    ],
)
def test_what_a_container_cannot_be_given(values: Any, problem: str) -> None:
    assert check_texts("xinference_labels", values) == [problem]


def test_no_request_to_the_container_itself_goes_through_a_proxy() -> None:
    ours = "localhost,127.0.0.1,::1,0.0.0.0"
    assert past_proxies({"A": "b", "NO_PROXY": "x"}) == {"A": "b", "NO_PROXY": "x"}
    assert past_proxies({"HTTP_PROXY": ""}) == {"HTTP_PROXY": ""}
    for name in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
        proxy = {name: "http://proxy.example:3128"}
        assert past_proxies(proxy) == {**proxy, "NO_PROXY": ours, "no_proxy": ours}
        assert past_proxies({**proxy, "NO_PROXY": ".example, 127.0.0.1"})["no_proxy"] == ".example,127.0.0.1,localhost,::1,0.0.0.0"
        assert past_proxies({**proxy, "NO_PROXY": "a", "no_proxy": "b"})["NO_PROXY"] == f"a,b,{ours}"


def test_no_request_to_the_other_members_of_a_cluster_goes_through_a_proxy() -> None:
    others = ["worker-1", "head", "worker-1"]
    assert past_proxies({"A": "b"}, others) == {"A": "b"}
    proxy = {"http_proxy": "http://proxy.example:3128"}
    ours = "localhost,127.0.0.1,::1,0.0.0.0,worker-1,head"
    assert past_proxies(proxy, others) == {**proxy, "NO_PROXY": ours, "no_proxy": ours}
    # One that the operator named already is not named twice.
    assert past_proxies({**proxy, "no_proxy": "head, .example"}, others)["NO_PROXY"] == "head,.example,localhost,127.0.0.1,::1,0.0.0.0,worker-1"
    assert past_proxies(proxy, ())["NO_PROXY"] == "localhost,127.0.0.1,::1,0.0.0.0"


GATEWAY = "172.18.0.1"


@pytest.mark.parametrize(
    ("value", "gateway"),
    [
        (None, GATEWAY),
        ("", GATEWAY),
        ("127.0.0.1,172.18.0.1", GATEWAY),
        ("127.0.0.0/8, 172.16.0.0/12", GATEWAY),
        ("0.0.0.0/0", GATEWAY),
        ("0.0.0.0/0", None),
        ("127.0.0.1,10.0.0.0/8,172.16.0.0/12,192.168.0.0/16", None),
        ("127.0.0.1,172.18.0.1,fd00::/64,fd00::1/128", GATEWAY),
    ],
)
def test_a_list_with_whom_the_server_needs(value: Any, gateway: str | None) -> None:
    assert check_allowed(value, gateway) == []


NAME = "xinference_environment: XINFERENCE_ALLOWED_IPS"


@pytest.mark.parametrize(
    ("value", "gateway", "problem", "remedy"),
    [
        (
            "10.0.0.0/8",
            GATEWAY,
            f"{NAME} '10.0.0.0/8' does not hold 127.0.0.1, from which the health check asks, and 172.18.0.1, from which this host asks.",
            "Write '10.0.0.0/8,127.0.0.1,172.18.0.1'.",
        ),
        ("127.0.0.1", GATEWAY, f"{NAME} '127.0.0.1' does not hold 172.18.0.1, from which this host asks.", "Write '127.0.0.1,172.18.0.1'."),
        ("172.18.0.0/16", GATEWAY, f"{NAME} '172.18.0.0/16' does not hold 127.0.0.1, from which the health check asks.", "Write '172.18.0.0/16,127.0.0.1'."),
        ("localhost", GATEWAY, f"{NAME}: 'localhost' is no IPv4 address and no network, so the server would leave it out.", "Write addresses such as"),
        ("10.0.0.1/8", GATEWAY, f"{NAME}: '10.0.0.1/8' is no IPv4 address and no network, so the server would leave it out.", "Write addresses such as"),
        ("::1", GATEWAY, f"{NAME}: '::1' is no IPv4 address and no network, so the server would leave it out.", "Write addresses such as"),
        ("127.0.0.1,", GATEWAY, f"{NAME}: '' is no IPv4 address and no network, so the server would leave it out.", "Write addresses such as"),
        (
            "127.0.0.1",
            None,
            f"{NAME} '127.0.0.1' cannot be seen to hold the address of this host on the container's network, because Docker chooses it.",
            "Set xinference_network_subnet, for instance to 192.168.240.0/28, and write '127.0.0.1,192.168.240.1'.",
        ),
    ],
)
def test_a_list_that_would_deny_the_health_check(value: str, gateway: str | None, problem: str, remedy: str) -> None:
    ((sentence, what_to_do),) = check_allowed(value, gateway)
    assert sentence == problem
    assert what_to_do.startswith(remedy)


@pytest.mark.parametrize("name", ["xinference_provision_serial", "xinference_restart_serial", "xinference_rotate_serial", "xinference_upgrade_serial"])
@pytest.mark.parametrize(
    ("value", "right"),
    [*((value, True) for value in (1, "2", "25%", "100%", "")), *((value, False) for value in (0, "two", "0%", "101%", "-1", "1.5", "5 %", "1\n"))],
)
def test_how_many_hosts_a_playbook_takes_at_a_time(name: str, value: Any, right: bool) -> None:
    """Ansible itself ends in a traceback of Python."""
    problems = check_kinds({name: value}, {name: {"type": "str", "default": "1"}})
    assert [problem.partition(", but")[0] for problem in problems] == ([] if right else [f"{name} must be a number of hosts, or a share of them such as 25%"])
