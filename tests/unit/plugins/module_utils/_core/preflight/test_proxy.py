# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What preflight says about the proxy."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from ansible_collections.inferops.xinference.plugins.module_utils._core.base.messages import shown
from ansible_collections.inferops.xinference.plugins.module_utils._core.preflight.check import check_host
from ansible_collections.inferops.xinference.tests.unit.plugins.module_utils._core.preflight.good_host import (
    BARE,
    CERTIFICATE,
    GIVEN,
    GOOD_PATH,
    HOST,
    KEY,
    PROXY,
    SETTINGS,
    host,
)


def listening(port: int) -> dict[str, Any]:
    """The same, where something listens on a port."""
    return {**BARE, "listeners": [{"address": "192.0.2.10", "port": port}]}


@pytest.mark.parametrize(
    ("found", "settings", "proxy"),
    [
        (BARE, {}, {}),
        (BARE, {}, GIVEN),
        (BARE, {}, {"http_port": 0, "port": 8443, "sizes": {"xinference_proxy_max_body_size": "0"}}),
        (BARE, {}, {"queue": 0, "queue_seconds": 600}),
        (BARE, {"container": "x" * 73}, {"queue": 1000, "queue_seconds": 1}),
        (BARE, {"container": "x" * 74}, {"queue": 0}),
        # Its own sockets.
        ({**host(active=True), "listeners": [{"address": "0.0.0.0", "port": 443}]}, {}, {}),
        # Another address.
        (listening(443), {}, {"address": "192.0.2.11"}),
        # The service for load balancers is somewhere else, or nowhere.
        (BARE, {"recovery_address": "192.0.2.9", "recovery_port": 443}, {"address": "192.0.2.11"}),
        (BARE, {"recovery": "none", "recovery_port": 443}, {}),
        ({**host(nginx=True), "python": {**BARE["python"], "cryptography": True}}, {"manage_docker": False}, {}),
        (host(nginx=True), {"manage_docker": False}, GIVEN),
    ],
)
def test_what_is_fine(found: dict[str, Any], settings: dict[str, Any], proxy: dict[str, Any]) -> None:
    assert check_host(found, replace(SETTINGS, proxy=replace(PROXY, **proxy), **settings)) == []


def test_nothing_is_asked_where_there_shall_be_none() -> None:
    assert check_host({**HOST, "proxy": None}, SETTINGS) == []


@pytest.mark.parametrize(
    ("found", "settings", "proxy", "sentence"),
    [
        (
            {**BARE, "service": {"systemd": False, "active": False}},
            {},
            {},
            "xinference_proxy needs systemd, which does not run this host. Set it to false, and put a proxy of your own in front.",
        ),
        (
            BARE,
            {"authentication": False},
            {},
            "xinference_proxy would let anybody on the network run code here, because xinference_authentication is false. Switch it on.",
        ),
        (
            BARE,
            {"address": "0.0.0.0"},
            {},
            "xinference_address '0.0.0.0' would let everybody past the proxy, in plain HTTP. Publish on 127.0.0.1 while xinference_proxy is true.",
        ),
        (
            BARE,
            {"manage_docker": False},
            GIVEN,
            "There is no nginx on this host. Install the distribution's package; the roles can do it on Debian and Ubuntu only.",
        ),
        (
            host(nginx=True),
            {"manage_docker": False},
            {},
            "The host's Python 3.11.2 lacks cryptography, which makes the proxy's certificate."
            " Install the distribution's package, or set xinference_proxy_certificate.",
        ),
        (BARE, {}, {"address": "all"}, "xinference_proxy_address 'all' is no IP address. Use an address of this host, or 0.0.0.0 for all of them."),
        (BARE, {}, {"port": 0}, "xinference_proxy_port '0' is no port. Use a number from 1 to 65535."),
        (BARE, {}, {"http_port": 65536}, "xinference_proxy_http_port '65536' is no port. Use a number from 1 to 65535, or 0 for none."),
        (BARE, {}, {"port": 9997}, "xinference_proxy_port '9997' is xinference_port, too. Choose another one."),
        (BARE, {}, {"http_port": 9998}, "xinference_proxy_http_port '9998' is xinference_recovery_port, too. Choose another one."),
        (BARE, {}, {"http_port": 443}, "xinference_proxy_http_port '443' is xinference_proxy_port, too. Choose another one."),
        (listening(443), {}, {}, "Port 443 is in use on 192.0.2.10 by something else. Free it, or set xinference_proxy_port to another one."),
        (
            listening(80),
            {},
            {},
            "Port 80 is in use on 192.0.2.10 by something else. Free it, or set xinference_proxy_http_port to another one, or to 0 for none.",
        ),
        (BARE, {}, {"names": ["inference 01"]}, "xinference_proxy_names 'inference 01' is neither a name of a host nor an IP address. Correct it."),
        (BARE, {}, {"names": ["a;b"]}, "xinference_proxy_names 'a;b' is neither a name of a host nor an IP address. Correct it."),
        (
            BARE,
            {},
            {"sizes": {"xinference_proxy_max_body_size": "200 megabytes"}},
            "xinference_proxy_max_body_size '200 megabytes' is no size. Write one such as 200m, or 0 for no limit.",
        ),
        (BARE, {}, {"queue": -1}, "xinference_proxy_queue '-1' is no number of places. Use a number from 1 to 1000, or 0 for no queue."),
        (BARE, {}, {"queue": 1001}, "xinference_proxy_queue '1001' is no number of places. Use a number from 1 to 1000, or 0 for no queue."),
        (BARE, {}, {"queue_seconds": 0}, "xinference_proxy_queue_seconds '0' is no time to wait. Use a number from 1 to 600."),
        (BARE, {}, {"queue_seconds": 601}, "xinference_proxy_queue_seconds '601' is no time to wait. Use a number from 1 to 600."),
        (
            BARE,
            {"container": "x" * 74},
            {},
            f"xinference_container_name '{shown('x' * 74)}' is too long for the sockets of the proxy's queue."
            " Use at most 73 characters, or set xinference_proxy_queue to 0.",
        ),
        (BARE, {}, {"numbers": {"xinference_proxy_timeout": 0}}, "xinference_proxy_timeout '0' is too low. Use 1 or more."),
        (
            BARE,
            {},
            {"certificate": CERTIFICATE},
            "xinference_proxy_certificate is set without xinference_proxy_certificate_key. Set both, or none for a certificate of the local CA.",
        ),
        (
            BARE,
            {},
            {"certificate_key": KEY},
            "xinference_proxy_certificate_key is set without xinference_proxy_certificate. Set both, or none for a certificate of the local CA.",
        ),
        (
            BARE,
            {},
            {**GIVEN, "certificate_key": "own.key"},
            "xinference_proxy_certificate_key 'own.key' is no absolute path. Write it from the root of the host's file system.",
        ),
        (
            {**BARE, "paths": {**BARE["paths"], KEY: {**GOOD_PATH, "exists": False}}},
            {},
            GIVEN,
            f"xinference_proxy_certificate_key '{KEY}' does not exist on this host. Copy it there first.",
        ),
        (
            {**BARE, "paths": {**BARE["paths"], KEY: {**GOOD_PATH, "public": True}}},
            {},
            GIVEN,
            f"xinference_proxy_certificate_key '{KEY}' can be read by every user of the host. Set its mode to 0600.",
        ),
        (BARE, {}, {"client_ca": "/etc/ssl/ca.pem"}, "xinference_proxy_client_ca '/etc/ssl/ca.pem' does not exist on this host. Copy it there first."),
        (
            host(certificates={CERTIFICATE: {"sha256": "0f", "not_after": None}}),
            {},
            GIVEN,
            f"xinference_proxy_certificate '{CERTIFICATE}' holds no certificate. It must be in PEM format.",
        ),
        (
            host(certificates={CERTIFICATE: {"sha256": "0f", "not_after": "2025-03-01T12:00:00+00:00"}}),
            {},
            GIVEN,
            f"xinference_proxy_certificate '{CERTIFICATE}' has expired on 2025-03-01. Renew it.",
        ),
    ],
)
def test_each_mistake_gives_one_sentence(found: dict[str, Any], settings: dict[str, Any], proxy: dict[str, Any], sentence: str) -> None:
    failures = check_host(found, replace(SETTINGS, proxy=replace(PROXY, **proxy), **settings))
    assert [(failure.check, str(failure)) for failure in failures] == [("proxy", sentence)]


def problems(found: dict[str, Any], proxy: dict[str, Any], **settings: Any) -> list[str]:
    """What is wrong."""
    return [failure.problem for failure in check_host(found, replace(SETTINGS, proxy=replace(PROXY, **proxy), **settings))]


@pytest.mark.parametrize(
    ("proxy", "count"),
    [({"port": 1}, 0), ({"port": 65535}, 0), ({"port": 65536}, 1), ({"port": -1}, 1), ({"http_port": 1}, 0), ({"http_port": -1}, 1), ({"http_port": 65535}, 0)],
)
def test_where_ports_end(proxy: dict[str, Any], count: int) -> None:
    assert len(problems(BARE, proxy)) == count


@pytest.mark.parametrize("name", ["a", "A-1.example", "*.a", "a" * 63, f"{'a' * 63}.b", "127.0.0.1", "::1", "1.example"])
def test_what_a_name_of_a_host_may_be(name: str) -> None:
    assert problems(BARE, {"names": [name]}) == []


@pytest.mark.parametrize("name", ["", "a.", ".a", "-a", "a-", "a..b", "*", "a.*", "*.*.a", "a_b", "a" * 64, "a\n", "[::1]", "http://a"])
def test_what_is_no_name_of_a_host(name: str) -> None:
    assert problems(BARE, {"names": ["a", name]}) == [f"xinference_proxy_names '{shown(name)}' is neither a name of a host nor an IP address."]


@pytest.mark.parametrize(
    ("size", "count"), [("0", 0), ("1k", 0), ("1K", 0), ("200m", 0), ("2G", 0), ("1t", 0), ("1.5m", 0), ("200 MB", 0), ("1m ", 0), ("", 1), ("m", 1), ("-1", 1)]
)
def test_a_size_is_one_of_the_same_grammar_as_others(size: str, count: int) -> None:
    assert len(problems(BARE, {"sizes": {"xinference_proxy_max_upload_size": size}})) == count


def test_every_number_that_is_too_low_is_reported() -> None:
    assert problems(BARE, {"numbers": {"one": 1, "none": 0, "less": -1}}) == ["none '0' is too low.", "less '-1' is too low."]


@pytest.mark.parametrize(
    ("recovery", "port", "systemd_port", "taken"),
    [("auto", 9998, 9998, True), ("service", 9998, 9998, True), ("autostart", 9998, 9998, False), ("none", 9998, 9998, False), ("auto", 9998, 0, False)],
)
def test_the_port_of_a_service_is_taken_where_there_is_one(recovery: str, port: int, systemd_port: int, taken: bool) -> None:
    found = problems(BARE, {"port": port}, recovery=recovery, recovery_port=systemd_port)
    assert found == (["xinference_proxy_port '9998' is xinference_recovery_port, too."] if taken else [])


@pytest.mark.parametrize("active", [True, False])
def test_a_port_in_use_is_its_own_where_the_proxy_runs(active: bool) -> None:
    made = {**host(active=active), "listeners": [{"address": "0.0.0.0", "port": 443}, {"address": "::", "port": 80}]}
    assert len(problems(made, {})) == (0 if active else 2)


def test_a_port_that_is_none_does_not_hide_the_other_one() -> None:
    assert problems(listening(443), {"http_port": 70000}) == [
        "Port 443 is in use on 192.0.2.10 by something else.",
        "xinference_proxy_http_port '70000' is no port.",
    ]
    assert problems(listening(80), {"port": 70000}) == ["xinference_proxy_port '70000' is no port.", "Port 80 is in use on 192.0.2.10 by something else."]


def test_the_server_s_port_on_another_address_is_free() -> None:
    assert problems(BARE, {"port": 9997, "address": "192.0.2.10"}) == []
    assert problems(BARE, {"port": 9997, "address": "127.0.0.1"}) == ["xinference_proxy_port '9997' is xinference_port, too."]


@pytest.mark.parametrize("address", ["localhost", "lb"])
def test_an_address_of_the_server_that_is_none_is_reported_once(address: str) -> None:
    assert problems(BARE, {"port": 9997}, address=address) == [f"xinference_address '{address}' is no IP address."]


def test_an_address_of_the_service_that_is_none_is_reported_once() -> None:
    assert problems(BARE, {"port": 9998}, recovery_address="lb") == ["xinference_recovery_address 'lb' is no IP address."]


@pytest.mark.parametrize(
    ("name", "facts", "ends", "problem"),
    [
        ("client_ca", {}, "2999-12-31T00:00:00+00:00", None),
        # It is no secret.
        ("client_ca", {"public": True}, "2999-12-31T00:00:00+00:00", None),
        ("client_ca", {}, "2025-03-01T12:00:00+00:00", "has expired on 2025-03-01."),
        ("client_ca", {}, None, "holds no certificate."),
        ("certificate", {"public": True}, "2999-12-31T00:00:00+00:00", None),
        ("certificate", {"exists": False}, "2999-12-31T00:00:00+00:00", "does not exist on this host."),
    ],
)
def test_certificates_of_every_kind_are_checked(name: str, facts: dict[str, Any], ends: str | None, problem: str | None) -> None:
    path = f"/etc/ssl/{name}.pem"
    made = host(certificates={CERTIFICATE: {"not_after": "2999-12-31T00:00:00+00:00"}, path: {"sha256": "0f", "not_after": ends}})
    made["paths"][path] = {**GOOD_PATH, **facts}
    assert problems(made, {**GIVEN, name: path}) == ([f"xinference_proxy_{name} '{path}' {problem}"] if problem else [])


@pytest.mark.parametrize(("hours", "count"), [(12, 0), (-1, 1)])
def test_a_certificate_holds_to_the_end_of_its_last_day(hours: int, count: int) -> None:
    end = datetime.now(timezone.utc) + timedelta(hours=hours)
    assert len(problems(host(certificates={CERTIFICATE: {"not_after": end.isoformat()}}), GIVEN)) == count


def test_a_file_of_which_nothing_is_known_holds_no_certificate() -> None:
    assert problems(host(certificates={}), GIVEN) == [f"xinference_proxy_certificate '{CERTIFICATE}' holds no certificate."]


def test_every_file_that_is_wrong_is_reported() -> None:
    wrong = {"certificate": "own.pem", "certificate_key": "/none.key", "client_ca": "/none.pem"}
    assert problems(BARE, wrong) == [
        "xinference_proxy_certificate 'own.pem' is no absolute path.",
        "xinference_proxy_certificate_key '/none.key' does not exist on this host.",
        "xinference_proxy_client_ca '/none.pem' does not exist on this host.",
    ]


def test_everything_that_is_wrong_is_reported_at_once() -> None:
    wrong = {"port": 0, "names": [""], "sizes": {"n": ""}, "numbers": {"n": 0}, "certificate_key": KEY}
    made = host()
    made["python"]["cryptography"] = False
    assert len(problems(made, wrong, address="192.0.2.1", manage_docker=False)) == 8
