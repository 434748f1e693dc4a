# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests of what keeps hosts from becoming one cluster, and of which models concern which of them."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any

import pytest

from ansible_collections.inferops.xinference.plugins.filter.preflight_failures import FilterModule as PreflightFailures
from ansible_collections.inferops.xinference.plugins.module_utils._core.declaration.check import parse_models
from ansible_collections.inferops.xinference.plugins.module_utils._core.preflight.check import check_host
from ansible_collections.inferops.xinference.plugins.module_utils._core.preflight.cluster import (
    SUPERVISOR,
    WORKER,
    Placed,
    check_cluster,
    cluster_warnings,
    placed_on,
    role_of,
)
from ansible_collections.inferops.xinference.plugins.module_utils._core.preflight.settings import ClusterSettings, Settings

from .good_host import BARE, PROXY, ROOT, SETTINGS, changed

IMAGE = "docker.io/xprobe/xinference:v4.1.0-cpu"
MODELS: list[dict[str, Any]] = [
    {"uid": "chat", "name": "qwen3", "engine": "llama.cpp", "workers": ["worker-1"]},
    {"uid": "spread", "name": "qwen3", "engine": "llama.cpp", "replica": 3, "workers": ["worker-1", "worker-2"]},
    {"uid": "anywhere", "name": "qwen3", "engine": "llama.cpp"},
    {"uid": "old", "state": "absent"},
]
WORKING = ClusterSettings(
    name="worker-1",
    supervisors=["head"],
    workers=["worker-1", "worker-2"],
    addresses={"head": "10.0.0.1", "worker-1": "10.0.0.2", "worker-2": "10.0.0.3"},
    images=dict.fromkeys(("head", "worker-1", "worker-2"), IMAGE),
    key_length=32,
    key_characters=True,
    same_key=True,
    without_key=False,
    version="v4.1.0-cpu",
    supervisor_port=9999,
    worker_port=30001,
    replica_ports="30100-30149",
    address="127.0.0.1",
    port=9997,
    firewall=True,
    serial="100%",
    models=MODELS,
)
HEAD = replace(WORKING, name="head")
IN_CLUSTER = replace(SETTINGS, models=[])
HOST = changed(addresses={"127.0.0.1": True, "10.0.0.1": True, "10.0.0.2": True})
ADDRESS = "xinference_cluster_address"
NEW_KEY = "Choose one of at least 32 letters, digits, '-' and '_', such as openssl rand -hex 32 makes, and keep it in a vault."
ALONE = "Write an IPv4 address of that host alone, such as 10.0.0.5."


def said(cluster: ClusterSettings | None, host: dict[str, Any] = HOST, settings: Settings = IN_CLUSTER) -> list[str]:
    """What is wrong with a cluster, as the host's check has it among all else."""
    found = check_cluster(host, settings, cluster)
    assert [failure for failure in check_host(host, replace(settings, cluster=cluster)) if failure.check == "cluster"] == found
    return [str(failure) for failure in found]


@pytest.mark.parametrize("cluster", [WORKING, HEAD, replace(WORKING, name="worker-2"), None])
def test_a_good_cluster(cluster: ClusterSettings | None) -> None:
    assert said(cluster) == []


@pytest.mark.parametrize("cluster", [HEAD, WORKING])
def test_every_host_of_it_passes_the_whole_check(cluster: ClusterSettings) -> None:
    failures = PreflightFailures().filters()["preflight_failures"]
    assert failures(HOST, {**asdict(replace(IN_CLUSTER, models=MODELS)), "cluster": asdict(cluster)}) == []
    assert failures(HOST, {**asdict(IN_CLUSTER), "cluster": {**asdict(cluster), "workers": []}, "models": []})[0] == (
        "Group xinference_workers has no host, so the cluster could run no model. Put at least one host into it."
    )
    assert failures(HOST, {**asdict(IN_CLUSTER), "cluster": {}}) == []


def test_the_role_of_a_host() -> None:
    assert [role_of(HEAD), role_of(WORKING)] == [SUPERVISOR, WORKER]


# Members.


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"supervisors": []}, ["Group xinference_supervisor has no host, so the workers would have no supervisor. Put one host into it."]),
        (
            {"supervisors": ["head", "neck"], "addresses": {**WORKING.addresses, "neck": "10.0.0.4"}},
            ["Group xinference_supervisor has 2 hosts (head, neck), but a cluster has one supervisor. Leave one of them in it."],
        ),
        (
            {"workers": ["worker-1", "worker-2", "head"]},
            ["Host 'head' is in both groups, xinference_supervisor and xinference_workers. Take it out of one: a supervisor runs no models."],
        ),
    ],
)
def test_groups_that_make_no_cluster(changes: dict[str, Any], expected: list[str]) -> None:
    assert said(replace(WORKING, **changes)) == expected


def test_no_workers() -> None:
    assert said(replace(HEAD, workers=[], models=[])) == [
        "Group xinference_workers has no host, so the cluster could run no model. Put at least one host into it."
    ]


def renamed(name: str) -> ClusterSettings:
    """A cluster whose second worker has another name."""
    return replace(WORKING, workers=["worker-1", name], addresses={**WORKING.addresses, name: "10.0.0.3"}, models=[])


@pytest.mark.parametrize(
    "name",
    [
        *("10.0.0.3", "2001:db8::3", "10", "10.3", "0x7f.1", "worker_", "_worker", "-worker", "worker.", "a b", "worker\n", "w\u00f6rker", "", "a..b"),
        *("a" * 64, ".".join(["a" * 63] * 4), "localhost", "localhost.localdomain"),
    ],
)
def test_a_name_by_which_nobody_finds_a_host(name: str) -> None:
    [problem] = said(renamed(name))
    assert problem.endswith(
        " is no name by which the other hosts of a cluster can find a host. Give it a name in the inventory, of letters, digits, '.', '_' and '-', "
        "such as worker-1, and put its address into ansible_host."
    )
    assert problem.isprintable()


@pytest.mark.parametrize("name", ["w", "W2", "worker_2", "3com.example.net", "a" * 63, "10.0.0.3.example", "worker-2.localhost"])
def test_a_name_that_can_be_found(name: str) -> None:
    assert said(renamed(name)) == []


def test_names_that_differ_in_case_alone() -> None:
    assert said(renamed("WORKER-1")) == [
        "Hosts 'worker-1' and 'WORKER-1' have the same name but for upper and lower case. Give one of them another name in the inventory."
    ]


# Addresses.


@pytest.mark.parametrize(
    ("address", "why", "remedy"),
    [
        ("", "is empty", "Set it to the IPv4 address of that host at which the other hosts of the cluster reach it."),
        (None, "is empty", "Set it to the IPv4 address of that host at which the other hosts of the cluster reach it."),
        ("worker-2", "is no IP address", ALONE),
        ("10.0.0.3:9999", "is no IP address", ALONE),
        ("10.0.0.0/24", "is no IP address", ALONE),
        ("2001:db8::3", "is an IPv6 address, and a cluster of Xinference knows IPv4 alone", ALONE),
        ("::ffff:10.0.0.3", "is an IPv6 address, and a cluster of Xinference knows IPv4 alone", ALONE),
        ("0.0.0.0", "is one at which no other host reaches it", ALONE),
        ("127.0.0.1", "is one at which no other host reaches it", ALONE),
        ("127.9.9.9", "is one at which no other host reaches it", ALONE),
        ("224.0.0.1", "is no address that a host can have", ALONE),
        ("255.255.255.255", "is no address that a host can have", ALONE),
        ("10.0.0.2", "is that of host 'worker-1', too", "Give each host an address of its own."),
    ],
)
def test_an_address_at_which_no_member_is_reached(address: Any, why: str, remedy: str) -> None:
    wrong = replace(WORKING, addresses={**WORKING.addresses, "worker-2": address})
    assert said(wrong) == [f"{ADDRESS} '{address or ''}' of host 'worker-2' {why}. {remedy}"]
    # Whichever host is checked, because all of them need it.
    assert said(replace(wrong, name="head")) == said(wrong)


def test_an_address_that_was_never_given() -> None:
    [problem] = said(replace(WORKING, addresses={"head": "10.0.0.1", "worker-2": "10.0.0.3"}))
    assert problem.startswith(f"{ADDRESS} '' of host 'worker-1' is empty.")


def test_an_address_of_another_machine() -> None:
    elsewhere = changed(addresses={"127.0.0.1": True, "10.0.0.2": False, "10.0.0.3": False})
    assert said(WORKING, elsewhere) == [
        f"{ADDRESS} '10.0.0.2' of host 'worker-1' is on no interface of it. Use one that the host has; behind NAT that is the one inside."
    ]


@pytest.mark.parametrize(("address", "public"), [("9.9.9.9", True), ("172.16.0.2", False), ("192.168.1.2", False), ("100.64.0.2", False), ("10.0.0.2", False)])
def test_a_public_address_needs_the_firewall(address: str, public: bool) -> None:
    cluster = replace(WORKING, addresses={**WORKING.addresses, "worker-1": address}, firewall=False)
    assert said(replace(cluster, firewall=True)) == []
    # A host answers for its own firewall.
    assert said(replace(cluster, name="head")) == []
    problem = (
        f"{ADDRESS} '{address}' of host 'worker-1' is public, and xinference_firewall is false, so anybody could reach the ports of the cluster. "
        "Set xinference_firewall to true, or use an address of a private network."
    )
    assert said(cluster) == ([problem] if public else [])


# Versions and key.


@pytest.mark.parametrize("without_key", [True, False])
@pytest.mark.parametrize("version", ["v1.17.1-cpu", "v2.4.9-cpu"])
def test_versions_whose_workers_do_not_come_back(version: str, without_key: bool) -> None:
    assert said(replace(WORKING, version=version, without_key=without_key)) == [
        f"xinference_image_tag '{version}' names a version of Xinference before 2.5.0, whose workers do not come back after their supervisor was restarted. "
        "Name a newer one, such as v4.1.0-cpu."
    ]


@pytest.mark.parametrize("key_length", [0, 32])
@pytest.mark.parametrize("version", ["v2.5.0-cpu", "v3.5.0-cpu", "v4.0.0-cpu"])
def test_versions_without_a_key(version: str, key_length: int) -> None:
    cluster = replace(WORKING, version=version, key_length=key_length)
    assert said(cluster) == [
        f"xinference_image_tag '{version}' names a version of Xinference before 4.0.1, which knows no key, so whoever reaches the ports of the cluster can run "
        "code there. Name a newer one, or set xinference_cluster_without_key to true where the network itself keeps all others out."
    ]
    assert said(replace(cluster, without_key=True)) == []


@pytest.mark.parametrize("version", ["v4.0.1-cpu", "v4.1.0-cpu", "own", ""])
@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        (
            {"key_length": 0, "key_characters": True, "same_key": True},
            [f"xinference_cluster_key is empty, and without one whoever reaches the ports of the cluster can run code there. {NEW_KEY}"],
        ),
        ({"key_length": 31}, [f"xinference_cluster_key is too short. {NEW_KEY}"]),
        ({"key_characters": False}, [f"xinference_cluster_key holds other characters than letters, digits, '-' and '_'. {NEW_KEY}"]),
        (
            {"same_key": False},
            ["xinference_cluster_key is not the same on all hosts of the cluster, so they would refuse each other. Set it once, for both groups."],
        ),
        ({"key_length": 0, "without_key": True}, []),
        ({"key_length": 0, "without_key": True, "same_key": False}, []),
    ],
)
def test_the_key(version: str, changes: dict[str, Any], expected: list[str]) -> None:
    assert said(replace(WORKING, version=version, **changes)) == expected


@pytest.mark.parametrize(("version", "refused"), [("v4.0.1-cpu", True), ("v4.1.0-cpu", True), ("v4.0.0-cpu", False), ("own", False)])
def test_a_key_where_there_should_be_none(version: str, refused: bool) -> None:
    problem = "xinference_cluster_key is set, and xinference_cluster_without_key is true. Remove one of them; with the key, others are kept out."
    assert said(replace(WORKING, version=version, without_key=True)) == ([problem] if refused else [])


@pytest.mark.parametrize(
    ("version", "name"), [("v2.5.0-cpu", "2.5.0"), ("3.4.9", "3.4.9"), ("v3.5.0-cpu", ""), ("v4.1.0-cpu", ""), ("own", ""), ("sha256:" + "0f" * 32, "")]
)
def test_warnings_of_a_version(version: str, name: str) -> None:
    words = f"A cluster of Xinference {name} may miss models after its supervisor or a worker was restarted; since 3.5.0 it starts them again."
    assert cluster_warnings(version) == ([words] if name else [])


def test_images_that_differ() -> None:
    other = "docker.io/xprobe/xinference:v3.5.0-cpu"
    assert said(replace(WORKING, images={**WORKING.images, "worker-2": other})) == [
        f"The hosts of the cluster have different images: '{IMAGE}' on 'head', '{other}' on 'worker-2'. "
        "Set xinference_image, xinference_image_tag and xinference_image_digest once, for both groups."
    ]
    # A host that is in none of the groups is none of its members.
    assert said(replace(WORKING, images={**WORKING.images, "other": other})) == []


# Ports.


@pytest.mark.parametrize("name", ["supervisor", "worker"])
def test_ports_that_are_none(name: str) -> None:
    variable = f"xinference_cluster_{name}_port"

    def given(cluster: ClusterSettings, port: int) -> ClusterSettings:
        return replace(cluster, supervisor_port=port) if name == "supervisor" else replace(cluster, worker_port=port)

    for port in (0, -1, 65536):
        assert said(given(WORKING, port)) == [f"{variable} '{port}' is no port. Use a number from 1 to 65535."]
    for port, what in ((9997, "the server's API"), (9996, "the figures of the server's worker")):
        expected = [f"{variable} '{port}' is the port of {what} in the container. Choose another one."]
        assert said(given(WORKING, port)) == expected
        assert said(given(HEAD, port)) == expected


@pytest.mark.parametrize(
    "ports", ["", "30100", "30100:30149", "30149-30100", "1023-2000", "65500-65536", "30100-30149,30200", "a-b", " 30100-30149", "3e4-4e4", "\u0663-\u0664"]
)
def test_a_range_that_is_none(ports: str) -> None:
    assert said(replace(WORKING, replica_ports=ports)) == [
        f"xinference_cluster_replica_ports '{ports}' is no range of ports. Write one such as 30100-30149, from 1024 to 65535."
    ]


@pytest.mark.parametrize(("ports", "expected"), [("30100-30118", 19), ("30100-30119", 0), ("30100-30100", 1), ("1024-1043", 0), ("65516-65535", 0)])
def test_a_range_that_is_too_small(ports: str, expected: int) -> None:
    problem = (
        f"xinference_cluster_replica_ports '{ports}' has {expected} ports, which is too few: each replica takes one, and so does each connection that the "
        "container opens. Use at least 20."
    )
    assert said(replace(WORKING, replica_ports=ports)) == ([problem] if expected else [])


@pytest.mark.parametrize(
    ("ports", "held"),
    [
        ("30001-30030", "xinference_cluster_worker_port '30001'"),
        ("29982-30001", "xinference_cluster_worker_port '30001'"),
        ("9998-10050", "xinference_cluster_supervisor_port '9999'"),
        ("9997-9998", ""),
        ("9960-9996", "9996, the port of the figures of the server's worker in the container"),
        (
            "9000-40000",
            "9997, the port of the server's API in the container and 9996, the port of the figures of the server's worker in the container and "
            "xinference_cluster_supervisor_port '9999' and xinference_cluster_worker_port '30001'",
        ),
    ],
)
def test_a_range_that_holds_other_ports(ports: str, held: str) -> None:
    found = said(replace(WORKING, replica_ports=ports))
    if held:
        assert found == [f"xinference_cluster_replica_ports '{ports}' holds {held}. Choose another range."]
    else:
        assert len(found) == 1
        assert "too few" in found[0]


def listening(address: str, port: int, **facts: Any) -> dict[str, Any]:
    """The good host on which another program listens."""
    return {**HOST, "listeners": [{"address": address, "port": port}], **facts}


@pytest.mark.parametrize(
    ("cluster", "port", "remedy"),
    [
        (HEAD, 9997, "Free it: the workers reach the server's API there."),
        (HEAD, 9999, "Free it, or set xinference_cluster_supervisor_port to another one."),
        (HEAD, 30001, ""),
        (HEAD, 30120, ""),
        (WORKING, 30001, "Free it, or set xinference_cluster_worker_port to another one."),
        (WORKING, 30120, "Free it, or set xinference_cluster_replica_ports to another one."),
        (WORKING, 30150, ""),
        (WORKING, 9999, ""),
    ],
)
def test_a_port_that_is_in_use(cluster: ClusterSettings, port: int, remedy: str) -> None:
    for address in ("0.0.0.0", str(cluster.addresses[cluster.name])):
        assert said(cluster, listening(address, port)) == ([f"Port {port} is in use on {address} by something else. {remedy}"] if remedy else [])
    assert said(cluster, listening("127.0.0.1", port)) == []
    # It may be the server's own container.
    docker = {**HOST["docker"], "container": {"status": "running", "ports": [port]}}
    assert check_cluster(listening("0.0.0.0", port, docker=docker), IN_CLUSTER, cluster) == []


@pytest.mark.parametrize(
    ("cluster", "changes", "name"),
    [
        (replace(HEAD, address="0.0.0.0"), {}, "xinference_port '9997' on 0.0.0.0"),
        (replace(HEAD, address="10.0.0.1", port=9999), {}, "xinference_port '9999' on 10.0.0.1"),
        (HEAD, {"recovery_address": "0.0.0.0", "recovery_port": 9999}, "xinference_recovery_port '9999' on 0.0.0.0"),
        (HEAD, {"proxy": replace(PROXY, port=9997)}, "xinference_proxy_port '9997' on 0.0.0.0"),
        (HEAD, {"proxy": replace(PROXY, http_port=9999)}, "xinference_proxy_http_port '9999' on 0.0.0.0"),
        (WORKING, {"recovery_address": "0.0.0.0", "recovery_port": 30110}, "xinference_recovery_port '30110' on 0.0.0.0"),
        # The same address and port for all clients and for workers: no other port is taken, and without a firewall both reach it.
        (replace(HEAD, address="10.0.0.1", firewall=False), {}, ""),
        (HEAD, {}, ""),
        (HEAD, {"recovery_address": "0.0.0.0", "recovery_port": 9999, "recovery": "none"}, ""),
        (HEAD, {"recovery_address": "127.0.0.1", "recovery_port": 9999}, ""),
        (HEAD, {"proxy": PROXY}, ""),
        # Workers publish no API.
        (replace(WORKING, address="0.0.0.0", port=30110), {}, ""),
    ],
)
def test_ports_of_the_other_roles(cluster: ClusterSettings, changes: dict[str, Any], name: str) -> None:
    host = {**BARE, "addresses": HOST["addresses"]}
    address = cluster.addresses[cluster.name]
    problem = f"{name} is a port that this host publishes for its cluster on {address}, too. Choose another one, or another address, such as 127.0.0.1."
    assert said(cluster, host, replace(IN_CLUSTER, **changes)) == ([problem] if name else [])


@pytest.mark.parametrize("part", ["service", "backup", "proxy"])
def test_a_server_alone_does_not_become_a_worker_by_itself(part: str) -> None:
    host = changed(addresses=HOST["addresses"], **{part: {**HOST.get(part, {}), "units": {"b.timer": "", "a.service": ""}}})
    assert said(WORKING, host) == [
        "This host has services of a server alone, and a worker has none: a.service, b.timer. Run playbook teardown for it first, which leaves its data."
    ]
    assert said(HEAD, host) == []


@pytest.mark.parametrize("serial", ["1", "50%", "2"])
def test_members_are_not_changed_in_batches(serial: str) -> None:
    assert said(replace(WORKING, serial=serial)) == [
        f"xinference_provision_serial '{serial}' would change the hosts of a cluster in batches, and each waits for the others. "
        "Leave it out for them, and use --limit where other hosts are to be changed in batches."
    ]
    assert said(replace(WORKING, serial="")) == []


def test_the_firewall_would_keep_clients_from_the_port_of_the_workers() -> None:
    assert said(replace(HEAD, address="10.0.0.1")) == [
        "xinference_address '10.0.0.1' with xinference_port '9997' is where the firewall lets the workers in and nobody else. "
        "Let clients in through the proxy, or use another port or another address for them."
    ]
    assert said(replace(HEAD, address="10.0.0.1", port=8000)) == []
    assert said(replace(WORKING, address="10.0.0.2")) == []


# Models.


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        (
            {"workers": ["worker-3", "worker-1", "gpu"]},
            [
                "xinference_models (uid 'chat'): workers 'worker-3' is no host of group xinference_workers; allowed: worker-1, worker-2; "
                "did you mean 'worker-2'?",
                "xinference_models (uid 'chat'): workers 'gpu' is no host of group xinference_workers; allowed: worker-1, worker-2.",
            ],
        ),
        ({"workers": ["head"]}, ["xinference_models (uid 'chat'): workers 'head' is no host of group xinference_workers; allowed: worker-1, worker-2."]),
        ({"workers": ["head"], "state": "absent"}, []),
        ({"workers": ["worker-2"]}, []),
        # What is no list is reported by itself.
        ({"workers": "head"}, []),
        (
            {"engine_options": {"n_worker": 2}},
            [
                "xinference_models (uid 'chat'): engine_options n_worker '2' would split the model over workers, which engine llama.cpp cannot do. "
                "Remove it: a model must fit one worker, and only its replicas run on several."
            ],
        ),
        (
            {"engine_options": {"n_worker": 3}, "type": "embedding", "engine": None},
            [
                "xinference_models (uid 'chat'): engine_options n_worker '3' would split the model over workers, which type embedding cannot do. "
                "Remove it: a model must fit one worker, and only its replicas run on several."
            ],
        ),
        ({"engine_options": {"n_worker": 1}}, []),
        ({"engine_options": {"n_worker": 2}, "engine": "vLLM"}, []),
        ({"engine_options": "auto"}, []),
    ],
)
def test_models_that_the_cluster_cannot_run(model: dict[str, Any], expected: list[str]) -> None:
    models = [{"uid": "chat", "name": "qwen3", "engine": "llama.cpp", **model}]
    assert said(replace(WORKING, models=models)) == expected
    assert said(replace(HEAD, models=models)) == expected


def test_workers_of_a_cluster_without_any() -> None:
    assert "xinference_models (uid 'chat'): workers 'worker-1' is no host of group xinference_workers; allowed: none." in said(replace(HEAD, workers=[]))


def test_a_host_in_no_cluster_has_no_workers_to_choose() -> None:
    settings = replace(SETTINGS, models=[*MODELS[:1], *MODELS[2:], {"uid": "gone", "state": "absent", "workers": ["worker-1"]}])
    assert said(None, settings=settings) == [
        "xinference_models (uid 'chat'): workers '[worker-1]' cannot be chosen, because this host is in no cluster. "
        "Leave it out, or put the hosts into the groups xinference_supervisor and xinference_workers."
    ]


def test_everything_is_said_at_once() -> None:
    everything = replace(WORKING, supervisors=[], key_length=0, replica_ports="", supervisor_port=0, images={"worker-1": "a", "worker-2": "b"})
    assert len(said(replace(everything, addresses={}))) == 7


# Which models concern which host.


def test_the_models_of_a_worker() -> None:
    models = parse_models(MODELS)
    placed = placed_on(models, "worker-1", WORKER)
    assert [model.uid for model in placed.files] == ["chat", "spread", "anywhere", "old"]
    # Three replicas on two workers: two may fall to one of them.
    assert [(model.uid, model.wanted("replica")) for model in placed.memory] == [("chat", 1), ("spread", 2)]
    placed = placed_on(models, "worker-2", WORKER)
    assert [model.uid for model in placed.files] == ["spread", "anywhere", "old"]
    assert [model.uid for model in placed.memory] == ["spread"]
    # The declaration stays as it is.
    assert models[1].given["replica"] == 3


@pytest.mark.parametrize(("replica", "workers", "share"), [(1, 1, 1), (1, 2, 1), (2, 2, 1), (5, 2, 3), (4, 3, 2), (3, 1, 3)])
def test_the_replicas_that_may_fall_to_a_worker(replica: int, workers: int, share: int) -> None:
    [model] = parse_models([{"uid": "chat", "name": "qwen3", "engine": "llama.cpp", "replica": replica, "workers": [f"w{n}" for n in range(workers)]}])
    assert [each.given["replica"] for each in placed_on([model], "w0", WORKER).memory] == [share]


def test_a_supervisor_runs_no_models() -> None:
    assert placed_on(parse_models(MODELS), "head", SUPERVISOR) == Placed([], [])


LOCAL: dict[str, Any] = {"uid": "chat", "name": "qwen3", "engine": "llama.cpp"}


@pytest.mark.parametrize(
    ("cluster", "workers", "missing"),
    [(HEAD, None, False), (HEAD, ["worker-1"], False), (WORKING, None, True), (WORKING, ["worker-1"], True), (WORKING, ["worker-2"], False)],
)
def test_files_are_looked_for_where_their_model_may_run(cluster: ClusterSettings, workers: list[str] | None, missing: bool) -> None:
    models = [{**LOCAL, "path": "/models/gone.gguf", "workers": workers}]
    host = {**HOST, "paths": {**HOST["paths"], f"{ROOT}/models/gone.gguf": {"exists": False}}}
    failures = check_host(host, replace(IN_CLUSTER, models=models, cluster=replace(cluster, models=models)))
    problem = "Model 'chat': path '/models/gone.gguf' does not exist."
    assert [failure.problem for failure in failures] == ([problem] if missing else [])


@pytest.mark.parametrize(
    ("cluster", "workers", "replica", "refused"),
    [
        (HEAD, ["worker-1"], 9, False),
        (HEAD, None, 9, False),
        (WORKING, None, 9, False),
        (WORKING, ["worker-2"], 9, False),
        (WORKING, ["worker-1"], 9, True),
        (WORKING, ["worker-1"], 4, False),
        # Half of them fit.
        (WORKING, ["worker-1", "worker-2"], 8, False),
        (WORKING, ["worker-1", "worker-2"], 18, True),
    ],
)
def test_memory_is_counted_where_a_model_may_run(cluster: ClusterSettings, workers: list[str] | None, replica: int, refused: bool) -> None:
    sized = {"format": "ggufv2", "size_in_billions": 4, "quantization": "Q4_K_M", "engine_options": {"n_ctx": 1024}}
    models = [{**LOCAL, **sized, "replica": replica, "workers": workers}]
    failures = check_host(HOST, replace(IN_CLUSTER, models=models, cluster=replace(cluster, models=models)))
    assert [failure.problem.startswith("xinference_models: they need about") for failure in failures] == ([True] if refused else [])
