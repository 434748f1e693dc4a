# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The preflight: a good host has no failure, and each mistake gives one, with what to do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import yaml

from ansible_collections.inferops.xinference.plugins.module_utils._core.preflight.check import check_host
from ansible_collections.inferops.xinference.plugins.module_utils._core.preflight.settings import OPTION_NAMES, Failure
from ansible_collections.inferops.xinference.tests.machine import ROOT as REPOSITORY
from ansible_collections.inferops.xinference.tests.unit.plugins.module_utils._core.preflight.good_host import GOOD_PATH, HOST, ROOT, SETTINGS, changed


def model(**fields: Any) -> list[dict[str, Any]]:
    """A declaration of one model."""
    return [{"uid": "chat", "name": "qwen3", "engine": "llama.cpp", **fields}]


def root(**facts: Any) -> dict[str, Any]:
    """The good host with some facts of the data root changed."""
    return {**HOST, "paths": {**HOST["paths"], ROOT: {**GOOD_PATH, **facts}}}


def test_a_good_host_has_no_failure() -> None:
    assert check_host(HOST, SETTINGS) == []


@pytest.mark.parametrize(
    ("host", "settings"),
    [
        pytest.param(changed(architecture="amd64"), {}, id="another name of the architecture"),
        pytest.param(HOST, {"models": []}, id="no models"),
        pytest.param(HOST, {"models": [{"uid": "old", "state": "absent", "path": "/nowhere"}]}, id="an absent model needs no file"),
        pytest.param(HOST, {"memory": "12g"}, id="a memory limit in GiB"),
        pytest.param(HOST, {"memory": "12.5 GiB"}, id="a memory limit as people write it"),
        pytest.param(HOST, {"memory": "4294967296"}, id="a memory limit in bytes"),
        pytest.param(changed(docker__reachable=False, docker__error="there is none"), {}, id="an engine that the roles install"),
        pytest.param(changed(docker__reachable=False, distribution__id="linuxmint", distribution__like=["ubuntu"]), {}, id="on a relative of Ubuntu"),
        pytest.param(changed(docker__version="27.3.1"), {}, id="a new engine"),
        pytest.param(changed(docker__version="20.10.24+dfsg1"), {}, id="a version with a suffix"),
        pytest.param(
            changed(listeners=[{"address": "127.0.0.1", "port": 9997}], docker__container={"status": "running", "ports": [9997]}),
            {},
            id="the port is ours",
        ),
        pytest.param(HOST, {"address": "0.0.0.0"}, id="open to all with authentication"),
        pytest.param(HOST, {"address": "::1", "authentication": False, "admin_password_length": 0}, id="loopback without authentication"),
        pytest.param(root(exists=False, directory=False, nearest="/srv"), {}, id="a data root that does not exist yet"),
        pytest.param(root(free_mib=None), {}, id="unknown free space"),
        pytest.param(changed(listeners=[{"address": "127.0.0.2", "port": 9997}]), {}, id="the port on another address"),
        pytest.param(changed(python__requests=False, python__venv=False), {}, id="packages that the roles install"),
        pytest.param(changed(python__distribution=False, python__executable="/opt/python/bin/python3"), {}, id="an interpreter that has it all"),
        pytest.param(changed(python__requests=False, python__venv=False), {}, id="packages that role docker installs"),
        pytest.param(changed(client_problem="its interpreter is not there any more"), {}, id="an environment that is made again"),
        pytest.param(changed(docker__version="dev", docker__api_version="1.48"), {}, id="a Docker that was built by hand"),
        pytest.param(changed(docker__version="0.0.0-20241223130549-3b49deb", docker__api_version="1.47"), {}, id="an engine of a distribution"),
        pytest.param(changed(docker__version="v28.0.1", docker__api_version="1.48"), {}, id="an engine with a letter"),
        pytest.param(changed(python__packaging=False, python__venv=False, client_version="4.1.0"), {"manage_docker": False}, id="a client that is there"),
        pytest.param(HOST, {"image_digest": "sha256:" + "0f" * 32}, id="a digest"),
        pytest.param(HOST, {"image_tag": "v1.17.1-cpu", "client_version": "2.5.0"}, id="versions that are known and not refused"),
        pytest.param(changed(service__systemd=False), {}, id="no systemd"),
        pytest.param(changed(service__systemd=False), {"recovery": "autostart"}, id="no systemd and no service"),
        pytest.param(HOST, {"recovery": "service"}, id="a service"),
        pytest.param(HOST, {"recovery": "service", "recovery_port": 0}, id="a service without a port"),
        pytest.param(HOST, {"recovery": "none", "recovery_port": 99999}, id="a port of no service"),
        pytest.param(HOST, {"recovery_address": "127.0.0.2", "recovery_port": 9997}, id="the server's port on another address"),
        pytest.param(changed(service__active=True, listeners=[{"address": "127.0.0.1", "port": 9998}]), {}, id="the service's port is ours"),
        pytest.param(changed(docker__image_present=True), {"image_archive": "/tmp/gone.tar"}, id="an archive that is not needed any more"),
        pytest.param({**HOST, "paths": {**HOST["paths"], "/tmp/x.tar": GOOD_PATH}}, {"image_archive": "/tmp/x.tar"}, id="an archive"),
    ],
)
def test_what_is_fine(host: dict[str, Any], settings: dict[str, Any]) -> None:
    assert check_host(host, replace(SETTINGS, **settings)) == []


@pytest.mark.parametrize(
    ("host", "settings", "check"),
    [
        (HOST, {"port": 1}, ""),
        (HOST, {"port": 65535}, ""),
        (HOST, {"recovery_port": 1}, ""),
        (HOST, {"recovery_port": 65535}, ""),
        (HOST, {"recovery_port": 65536}, "recovery"),
        (HOST, {"minimum_memory_mib": 16000}, ""),
        (HOST, {"minimum_memory_mib": 16001}, "memory"),
        (HOST, {"memory": "16000m"}, ""),
        (HOST, {"memory": "16000.1m"}, "memory"),
        (HOST, {"minimum_disk_mib": 50000}, ""),
        (HOST, {"minimum_disk_mib": 50001}, "disk"),
        (HOST, {"admin_password_length": 8}, ""),
        (HOST, {"data_root": "/srv"}, "data root"),
        ({**HOST, "paths": {**HOST["paths"], "/srv/x": GOOD_PATH}}, {"data_root": "/srv/x", "models": []}, ""),
        (changed(docker__version="20.10"), {}, ""),
        (changed(docker__version="20.9.99"), {}, "docker"),
        (changed(docker__version="28"), {}, ""),
        (changed(docker__version=None), {}, "docker"),
        (changed(docker__version="v26.1.4-rc.1"), {}, ""),
    ],
)
def test_where_the_limits_are(host: dict[str, Any], settings: dict[str, Any], check: str) -> None:
    assert [failure.check for failure in check_host(host, replace(SETTINGS, **settings))] == ([check] if check else [])


@pytest.mark.parametrize(
    ("memory", "mib"),
    [
        ("8388608", 8),
        ("8 MiB", 8),
        ("1.5g", 1536),
        ("1536mb", 1536),
        ("1536MiB", 1536),
        ("1t", 1048576),
    ],
)
def test_sizes_as_people_write_them(memory: str, mib: int) -> None:
    small = replace(SETTINGS, memory=memory, minimum_memory_mib=0, models=[])
    assert check_host(changed(memory__total_mib=mib), small) == []
    (failure,) = check_host(changed(memory__total_mib=mib - 1), small)
    assert failure.problem == f"xinference_memory '{memory}' is {mib} MiB, but this host has {mib - 1} MiB."


@pytest.mark.parametrize(
    ("memory", "wrong"),
    [
        ("", "no size"),
        ("g", "no size"),
        ("12 gigabytes", "no size"),
        ("0", "0 bytes, which is no limit that a container can have"),
        ("4", "4 bytes, which is no limit that a container can have"),
        ("6143k", "6290432 bytes, which is no limit that a container can have"),
    ],
)
def test_what_is_no_limit_is_reported(memory: str, wrong: str) -> None:
    (failure,) = check_host(HOST, replace(SETTINGS, memory=memory))
    assert str(failure) == f"xinference_memory '{memory}' is {wrong}. Write auto, or a size such as 12g or 4096m."


LARGE = model(size_in_billions=70, quantization="Q4_K_M", format="ggufv2")
FILE = f"{ROOT}/models/a.gguf"
DECLARED: dict[str, Any] = {"declared": ["chat"], "docker__container": {"status": "running", "ports": [9997], "memory": 14400 << 20}}


@pytest.mark.parametrize(
    ("facts", "settings", "said"),
    [
        ({}, {"models": LARGE}, "weights 40054"),
        ({}, {"models": LARGE, "check_memory": False}, ""),
        ({}, {"models": [{**LARGE[0], "state": "absent"}]}, ""),
        # By a file, where there is one; what a directory holds is not known.
        ({"paths": {**HOST["paths"], FILE: {**GOOD_PATH, "directory": False, "size": 20 << 30}}}, {}, "weights 20480"),
        ({"paths": {**HOST["paths"], FILE: {**GOOD_PATH, "size": None}}}, {"models": [{**SETTINGS.models[0], "size_in_billions": 70}]}, ""),
        # With automatic options, the smallest context counts.
        ({}, {"memory": "2g", "models": model(size_in_billions="0_6", engine_options="auto", format="ggufv2", quantization="Q4_K_M")}, ""),
        (
            {},
            {"memory": "2g", "models": model(size_in_billions="0_6", engine_options={"n_ctx": 32768}, format="ggufv2", quantization="Q4_K_M")},
            "context 3584",
        ),
        # What was declared before, and runs with that memory, was measured then.
        (DECLARED, {"models": LARGE}, ""),
        (DECLARED, {"models": LARGE, "memory": "8g"}, "weights 40054"),
        ({**DECLARED, "declared": []}, {"models": LARGE}, "weights 40054"),
    ],
)
def test_models_that_do_not_fit_are_refused(facts: dict[str, Any], settings: dict[str, Any], said: str) -> None:
    failures = check_host(changed(**facts), replace(SETTINGS, **settings))
    if said:
        (failure,) = failures
        assert said in failure.problem
        assert failure.problem.startswith("xinference_models: they need about ")
        assert "or set xinference_models_check_memory to false." in failure.problem
    else:
        assert failures == []


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ({"xinference_shm_size": "8gb", "xinference_log_max_size": "10MiB"}, ""),
        ({"xinference_shm_size": 1073741824}, ""),
        ({"xinference_shm_size": "lots"}, "xinference_shm_size 'lots' is no size. Write one such as 1g."),
        ({"xinference_shm_size": "8"}, "xinference_shm_size '8' is 8 bytes, which is too little. Write one such as 1g."),
        ({"xinference_log_max_size": "0"}, "xinference_log_max_size '0' is 0 bytes, which is too little. Write one such as 10m."),
        ({"xinference_server_log_max_size": "50m", "xinference_server_log_max_files": 1, "xinference_server_audit_days": "7"}, ""),
        ({"xinference_server_log_max_size": "1k"}, "xinference_server_log_max_size '1k' is 1024 bytes, which is too little. Write one such as 50m."),
        (
            {"xinference_server_log_max_files": 0},
            "xinference_server_log_max_files 0 must be a whole number from 1 to 100000. With 0 the server's logs would have no bound.",
        ),
        (
            {"xinference_server_log_days": "-1"},
            "xinference_server_log_days -1 must be a whole number from 1 to 100000. With 0 the server's logs would have no bound.",
        ),
        ({"xinference_log_max_size": "-1"}, "xinference_log_max_size '-1' is no size. Write one such as 10m."),
        ({"xinference_environment": {"XINFERENCE_DISABLE_HEALTH_CHECK": 1, "HF_HUB_ENABLE_HF_TRANSFER": True}, "xinference_labels": {"managed": True}}, ""),
        (
            {"xinference_environment": {"A": None}},
            "xinference_environment: A is null, but must be a text, a number, true or false; remove it, or write '' for an empty text.",
        ),
        (
            {"xinference_labels": {"a": ["b"]}},
            "xinference_labels: a is a list, but must be a text, a number, true or false; remove it, or write '' for an empty text.",
        ),
        ({"xinference_environment": ["A=b"]}, "xinference_environment must be a dictionary, but is a list."),
        (
            {"xinference_image": "xprobe/xinference:v4.1.0-cpu"},
            "xinference_image 'xprobe/xinference:v4.1.0-cpu' holds a tag, and xinference_image_tag would be joined to it. Put what is behind the last ':' into "
            "xinference_image_tag.",
        ),
    ],
)
def test_what_a_container_would_be_given(values: dict[str, Any], problem: str) -> None:
    assert [str(failure).strip() for failure in check_host(HOST, replace(SETTINGS, values=values))] == ([problem] if problem else [])


@pytest.mark.parametrize(
    ("engine", "subnet", "right"),
    [
        ({"gateway": "172.18.0.1", "network": {"ours": True, "subnets": ["172.18.0.0/16"]}}, "", "10.0.0.0/8,127.0.0.1,172.18.0.1"),
        ({"gateway": "172.18.0.1", "network": {"ours": True, "subnets": ["172.18.0.0/16"]}}, "172.18.0.0/16", "10.0.0.0/8,127.0.0.1,172.18.0.1"),
        # It is made again.
        ({"gateway": "172.18.0.1", "network": {"ours": True, "subnets": ["172.18.0.0/16"]}}, "192.168.7.0/28", "10.0.0.0/8,127.0.0.1,192.168.7.1"),
        ({}, "192.168.7.0/28", "10.0.0.0/8,127.0.0.1,192.168.7.1"),
        ({}, "10.9.0.0/24", "10.0.0.0/8,127.0.0.1"),
        ({}, "", "10.0.0.0/8,127.0.0.1,192.168.240.1"),
    ],
)
def test_who_must_be_let_in(engine: dict[str, Any], subnet: str, right: str) -> None:
    host = {**HOST, "docker": {**HOST["docker"], **engine}}
    settings = replace(SETTINGS, network_subnet=subnet, values={"xinference_environment": {"XINFERENCE_ALLOWED_IPS": "10.0.0.0/8"}})
    (failure,) = check_host(host, settings)
    assert f"write '{right}'." in failure.remedy.replace("Write", "write")
    if subnet or engine:
        assert check_host(host, replace(settings, values={"xinference_environment": {"XINFERENCE_ALLOWED_IPS": right}})) == []


@pytest.mark.parametrize(
    "volumes",
    [
        [{"path": "/mnt/models", "target": "/models"}],
        [{"path": ".xinference", "target": "/root/.xinference", "read_only": True}],
        [],
    ],
)
def test_a_tree_without_the_server_s_folder(volumes: list[dict[str, Any]]) -> None:
    (failure,) = check_host(HOST, replace(SETTINGS, volumes=volumes, models=[]))
    assert failure.problem.startswith("xinference_home '/root/.xinference' lies in no volume that the server can write")


@pytest.mark.parametrize(
    ("address", "remedy"),
    [
        ("127.0.0.1:9997", "Write the address alone; the port belongs in xinference_port."),
        ("[::1]:9997", "Write the address alone; the port belongs in xinference_port."),
        ("[::1]", "Write it without brackets."),
        ("http://127.0.0.1", "Write the address alone, without a scheme, a port or a path."),
        ("everywhere", "Use an address of this host such as 127.0.0.1."),
    ],
)
def test_more_than_an_address(address: str, remedy: str) -> None:
    (failure,) = check_host(HOST, replace(SETTINGS, address=address))
    assert str(failure) == f"xinference_address '{address}' is no IP address. {remedy}"


@pytest.mark.parametrize(
    ("tag", "remedy"),
    [
        ("xprobe/xinference:v4.1.0-cpu", "Write the tag alone; what is before the ':' belongs in xinference_image."),
        ("v4.1.0-cpu@sha256:00", "Write the tag alone; what is behind the '@' belongs in xinference_image_digest."),
        ("v4 cpu", "Name a version such as v4.1.0-cpu."),
    ],
)
def test_more_than_a_tag(tag: str, remedy: str) -> None:
    (failure,) = check_host(HOST, replace(SETTINGS, image_tag=tag))
    assert str(failure) == f"xinference_image_tag '{tag}' is no image tag. {remedy}"


@pytest.mark.parametrize(
    ("user", "right"),
    [
        ("", True),
        ("1:1", True),
        ("10001:10002", True),
        ("4294967295:4294967295", True),
        ("1000", False),
        ("0:1", False),
        ("1:0", False),
        ("01:1", False),
        ("user:group", False),
        ("1:1:1", False),
        ("1:1\n", False),
        ("1:12345678901", False),
    ],
)
def test_the_container_s_user_is_two_numbers(user: str, right: bool) -> None:
    failures = check_host(HOST, replace(SETTINGS, container_user=user))
    shown = user.replace("\n", "\\n")
    problem = f"xinference_container_user '{shown}' is no user and group of the kind 10001:10001."
    remedy = "Give two numbers above 0, or leave it empty for the image's own user."
    assert failures == ([] if right else [Failure("container user", problem, remedy)])


def test_variables_that_the_roles_set_are_not_for_the_operator() -> None:
    names = [
        "XINFERENCE_TRUSTED_PROXIES",
        "XINFERENCE_AUTH_DB_PATH",
        "XINFERENCE_AUTH_ENCRYPTION_KEY",
        "XINFERENCE_AUTH_JWT_SECRET_KEY",
        "XINFERENCE_AUTH_ADVANCED",
        "XINFERENCE_HOME",
        "HF_ENDPOINT",
    ]
    failures = check_host(HOST, replace(SETTINGS, values={"xinference_environment": dict.fromkeys(names, "x")}, container_user="root"))
    assert [failure.check for failure in failures] == ["container user", *["environment"] * 6]
    remedies = {failure.problem: failure.remedy for failure in failures[1:]}
    assert set(remedies) == {f"xinference_environment names {name}, which the roles set themselves." for name in names[:-1]}
    assert remedies["xinference_environment names XINFERENCE_HOME, which the roles set themselves."] == "Set xinference_home."
    assert all(failure.remedy for failure in failures)


@pytest.mark.parametrize(
    ("facts", "client", "lacking"),
    [
        ({"requests": False}, None, "requests"),
        ({"packaging": False}, None, "packaging"),
        ({"venv": False}, None, "venv"),
        ({"requests": False, "packaging": False, "venv": False}, "4.1.0", "requests"),
    ],
)
def test_which_packages_are_lacking(facts: dict[str, bool], client: str | None, lacking: str) -> None:
    host = changed(client_version=client, python={**HOST["python"], **facts})
    (failure,) = check_host(host, replace(SETTINGS, manage_docker=False))
    assert (failure.check, failure.problem) == ("python", f"The host's Python 3.11.2 lacks {lacking}.")


@pytest.mark.parametrize(
    ("tag", "right"),
    [
        ("v4.1.0-cpu", True),
        ("_1", True),
        ("nightly-main", True),
        ("a" * 128, True),
        ("a" * 129, False),
        (".1", False),
        ("-1", False),
        ("a/b", False),
        ("latest", False),
        ("latest-cpu", False),
        ("nightly-latest", False),
    ],
)
def test_which_tags_name_a_version(tag: str, right: bool) -> None:
    assert [failure.check for failure in check_host(HOST, replace(SETTINGS, image_tag=tag))] == ([] if right else ["image"])


@pytest.mark.parametrize("digest", ["sha256:" + "0f" * 31, "sha256:" + "0f" * 33, "sha256:" + "0F" * 32, "0f" * 32, "sha512:" + "0f" * 32])
def test_what_is_no_digest(digest: str) -> None:
    assert [failure.check for failure in check_host(HOST, replace(SETTINGS, image_digest=digest))] == ["image"]


@pytest.mark.parametrize(
    ("recovery", "systemd", "port", "check"),
    [
        ("auto", True, -1, "recovery"),
        ("service", True, -1, "recovery"),
        ("autostart", True, -1, ""),
        ("none", True, -1, ""),
        ("auto", False, -1, ""),
        ("service", False, 9998, "recovery"),
        ("auto", True, 0, ""),
    ],
)
def test_only_a_service_has_a_port_of_its_own(recovery: str, systemd: bool, port: int, check: str) -> None:
    found = check_host(changed(service__systemd=systemd), replace(SETTINGS, recovery=recovery, recovery_port=port))
    assert [failure.check for failure in found] == ([check] if check else [])


@pytest.mark.parametrize(
    ("one", "other", "collide"),
    [
        ("127.0.0.1", "127.0.0.1", True),
        ("127.0.0.1", "127.0.0.2", False),
        ("0.0.0.0", "127.0.0.1", True),
        ("127.0.0.1", "0.0.0.0", True),
        ("::", "127.0.0.1", True),
        ("::1", "127.0.0.1", False),
        ("::ffff:127.0.0.1", "127.0.0.1", True),
        ("::ffff:0.0.0.0", "127.0.0.1", True),
    ],
)
def test_which_addresses_collide_on_one_port(one: str, other: str, collide: bool) -> None:
    settings = replace(SETTINGS, address=one, recovery_address=other, recovery_port=9997)
    assert [failure.check for failure in check_host(HOST, settings)] == (["recovery"] if collide else [])
    heard = changed(listeners=[{"address": one, "port": 9997}])
    assert [failure.check for failure in check_host(heard, replace(SETTINGS, address=other))] == (["port"] if collide else [])


def test_the_address_of_a_server_that_is_none_does_not_hide_what_else_is_wrong() -> None:
    settings = replace(SETTINGS, address="localhost", recovery_port=9997, image_tag="latest")
    assert [failure.check for failure in check_host(HOST, settings)] == ["address", "image"]


@pytest.mark.parametrize(
    ("container", "check"),
    [
        ({"status": "running", "ports": [9997]}, ""),
        ({"status": "running", "ports": [9998]}, "port"),
        ({"status": "running"}, "port"),
        ({"status": "restarting", "ports": [9997], "held": []}, ""),
        ({"status": "paused", "ports": [9997], "held": [9997]}, ""),
        ({"status": "removing", "ports": [9997], "held": []}, ""),
        ({"status": "dead", "ports": [9997], "held": []}, ""),
        ({"status": "restarting", "ports": [9998], "held": []}, "port"),
        # It is just being started.
        ({"status": "created", "ports": [9997], "held": [9997]}, ""),
        ({"status": "exited", "ports": [9997], "held": [9997]}, ""),
        ({"status": "created", "ports": [9997], "held": []}, "port"),
        ({"status": "exited", "ports": [9997], "held": []}, "port"),
        ({}, "port"),
        (None, "port"),
    ],
)
def test_a_port_is_ours_where_our_container_runs_on_it(container: dict[str, Any] | None, check: str) -> None:
    host = changed(listeners=[{"address": "127.0.0.1", "port": 9997}], docker__container=container)
    assert [failure.check for failure in check_host(host, SETTINGS)] == ([check] if check else [])


def test_every_problem_of_the_data_root_is_reported() -> None:
    found = check_host(root(writable=False, filesystem="cifs", free_mib=1), SETTINGS)
    assert [failure.check for failure in found] == ["data root", "data root", "disk"]
    assert ["cannot be written" in found[0].problem, "is on cifs" in found[1].problem, "1 MiB free" in found[2].problem] == [True] * 3


@pytest.mark.parametrize("known", [[], ["xinference_port"]])
def test_every_variable_that_is_unknown_is_reported_in_order(known: list[str]) -> None:
    found = check_host(HOST, replace(SETTINGS, variables=["xinference_b", "xinference_port", "xinference_a"], known_variables=known))
    names = [failure.problem.split("'")[1] for failure in found]
    assert names == ["xinference_a", "xinference_b", *([] if known else ["xinference_port"])]


def test_options_of_an_engine_that_are_not_known_can_be_let_through() -> None:
    settings = replace(SETTINGS, models=model(engine_options={"n_ctxx": 1}))
    assert [failure.check for failure in check_host(HOST, settings)] == ["models"]
    assert check_host(HOST, replace(settings, validate_engine_options=False)) == []


def test_a_server_without_authentication_asks_for_no_account() -> None:
    settings = replace(SETTINGS, authentication=False, admin_username="", admin_password_length=0, service_account="")
    assert check_host(HOST, settings) == []


PATH_WORDS = "Write it from the root of the file system."


@pytest.mark.parametrize(
    ("host", "settings", "check", "sentence"),
    [
        (
            HOST,
            {"variables": ["xinference_prot"]},
            "variables",
            "Variable 'xinference_prot' is unknown; did you mean 'xinference_port'? Correct its name or remove it.",
        ),
        (HOST, {"variables": ["zzz"]}, "variables", "Variable 'zzz' is unknown. Correct its name or remove it."),
        (
            changed(architecture="aarch64"),
            {},
            "architecture",
            "This host is aarch64, but the CPU image of Xinference exists for x86-64 only. Use an x86-64 host.",
        ),
        (
            changed(memory__total_mib=2000),
            {},
            "memory",
            "This host has 2000 MiB of memory, less than xinference_minimum_memory_mib (4096). "
            "Use a larger host, or lower the minimum if the declared models are small.",
        ),
        (HOST, {"memory": "plenty"}, "memory", "xinference_memory 'plenty' is no size. Write auto, or a size such as 12g or 4096m."),
        (HOST, {"memory": "32g"}, "memory", "xinference_memory '32g' is 32768 MiB, but this host has 16000 MiB. Lower it, or set it to auto."),
        (
            changed(administrator=False),
            {},
            "privileges",
            "The play does not run as root on this host. Set ansible_become to true, or connect as root.",
        ),
        (
            changed(python__requests=False, python__packaging=False, python__venv=False),
            {"manage_docker": False},
            "python",
            "The host's Python 3.11.2 lacks requests and packaging and venv. "
            "Install the distribution's packages for them (on Debian python3-requests, python3-packaging and python3-venv), or let role docker do it.",
        ),
        *(
            (
                HOST,
                {"data_root": folder},
                "data root",
                f"xinference_data_root '{folder}' belongs to the system or to a user, but the roles set its owner and mode, and teardown may remove it. "
                "Name a directory of its own, such as /srv/xinference_data; what lies elsewhere can be mounted by xinference_volumes.",
            )
            for folder in (
                "/home/alice",
                "/var/lib",
                "/var/lib/",
                "/usr/local",
                "/usr/local/bin",
                "/etc/docker",
                "/var/lib/docker/volumes/x/_data",
                "/root/.ssh/x",
            )
        ),
        (changed(docker__error="timed out"), {}, "docker", "The Docker Engine did not answer every question: timed out. Run again."),
        (
            changed(docker__reachable=False, docker__error="there is no socket /x"),
            {"manage_docker": False},
            "docker",
            "No Docker Engine answers: there is no socket /x. Install and start one, or set xinference_docker_manage to true.",
        ),
        (
            changed(docker__reachable=False, docker__error="refused", distribution__id="fedora"),
            {},
            "docker",
            "No Docker Engine answers: refused. Install a Docker Engine; role docker can do it on Debian and Ubuntu only.",
        ),
        (
            changed(docker__version="19.03.15", docker__api_version="1.40"),
            {},
            "docker",
            "The Docker Engine is 19.03.15 (API 1.40), but 20.10 is the oldest that is supported. Upgrade it.",
        ),
        (
            changed(docker__version="Podman 4.3.1", docker__api_version="1.41"),
            {},
            "docker",
            "The engine is Podman 4.3.1, but the roles need a Docker Engine. Set xinference_docker_host to the socket of one.",
        ),
        (
            changed(docker__version="Podman", docker__reachable=False, docker__error="/a leads to /b, the socket of Podman, which is not there"),
            {},
            "docker",
            "No Docker Engine answers: /a leads to /b, the socket of Podman, which is not there, but the roles need a Docker Engine. "
            "Set xinference_docker_host to the socket of one.",
        ),
        (
            changed(docker__version="containerd v0.7.0", docker__api_version="1.43"),
            {},
            "docker",
            "The engine is containerd v0.7.0, but the roles need a Docker Engine. Set xinference_docker_host to the socket of one.",
        ),
        (
            changed(docker__version="4.9.3", docker__api_version="1.41"),
            {},
            "docker",
            "The engine is 4.9.3 (API 1.41), which is no version of Docker: Podman, for one, speaks the same API; but the roles need a Docker Engine. "
            "Set xinference_docker_host to the socket of one.",
        ),
        (
            changed(docker__version="unknown", docker__api_version=None),
            {},
            "docker",
            "What answers in the place of a Docker Engine reports no version but unknown, but the roles need one. "
            "Set xinference_docker_host to the socket of one.",
        ),
        (
            changed(docker__version=None, docker__api_version=None),
            {},
            "docker",
            "What answers in the place of a Docker Engine reports no version, but the roles need one. Set xinference_docker_host to the socket of one.",
        ),
        (
            changed(docker__version="dev", docker__api_version="1.40"),
            {},
            "docker",
            "The Docker Engine is dev (API 1.40), but 20.10 is the oldest that is supported. Upgrade it.",
        ),
        (
            changed(docker__version="0.0.0-dev", docker__api_version="1.24"),
            {},
            "docker",
            "The Docker Engine is 0.0.0-dev (API 1.24), but 20.10 is the oldest that is supported. Upgrade it.",
        ),
        (
            changed(docker__version="19.03.15", docker__api_version=None),
            {},
            "docker",
            "The Docker Engine is 19.03.15 (API unknown), but 20.10 is the oldest that is supported. Upgrade it.",
        ),
        (
            changed(python__requests=False, python__venv=False, python__distribution=False, python__executable="/opt/python/bin/python3"),
            {},
            "python",
            "The host's Python 3.11.2 (/opt/python/bin/python3) lacks requests and venv, and it is not the distribution's, so it sees none of its packages. "
            "Let ansible_python_interpreter name the distribution's, /usr/bin/python3, or install them with this one's own pip.",
        ),
        (
            changed(client_problem="it has programs, but no pyvenv.cfg, so it is no virtual environment", client_foreign=True),
            {},
            "client",
            "What is at xinference_client_environment cannot run the client: it has programs, but no pyvenv.cfg, so it is no virtual environment. "
            "Remove it, or choose another path.",
        ),
        (HOST, {"port": 0}, "port", "xinference_port '0' is no port. Use a number from 1 to 65535."),
        (
            changed(service__systemd=False),
            {"recovery": "service"},
            "recovery",
            "xinference_recovery 'service' needs systemd, which does not run this host. Set it to auto, autostart or none.",
        ),
        (HOST, {"recovery_port": -1}, "recovery", "xinference_recovery_port '-1' is no port. Use a number from 1 to 65535, or 0 for none."),
        (
            HOST,
            {"recovery_address": "lb"},
            "recovery",
            "xinference_recovery_address 'lb' is no IP address. Use an address of this host such as 127.0.0.1.",
        ),
        (HOST, {"recovery_port": 9997}, "recovery", "xinference_recovery_port '9997' is the server's own port. Choose another one, or 0 for none."),
        (
            changed(listeners=[{"address": "0.0.0.0", "port": 9998}]),
            {},
            "recovery",
            "Port 9998 is in use on 0.0.0.0 by something else. Free it, or set xinference_recovery_port to another one, or to 0 for none.",
        ),
        (HOST, {"port": 65536}, "port", "xinference_port '65536' is no port. Use a number from 1 to 65535."),
        (HOST, {"address": "localhost"}, "address", "xinference_address 'localhost' is no IP address. Use an address of this host such as 127.0.0.1."),
        (
            HOST,
            {"address": "0.0.0.0", "authentication": False},
            "address",
            "xinference_address '0.0.0.0' would let anybody on the network run code here, because xinference_authentication is false. "
            "Publish on 127.0.0.1, or switch authentication on.",
        ),
        (
            HOST,
            {"port": 22},
            "port",
            "Port 22 is in use on 0.0.0.0 by something else. Free it, or set xinference_port to another one.",
        ),
        (
            changed(listeners=[{"address": "::ffff:127.0.0.1", "port": 9997}]),
            {},
            "port",
            "Port 9997 is in use on ::ffff:127.0.0.1 by something else. Free it, or set xinference_port to another one.",
        ),
        (
            changed(
                listeners=[{"address": "::", "port": 9997}, {"address": "127.0.0.1", "port": 9997}], docker__container={"status": "exited", "ports": [9997]}
            ),
            {},
            "port",
            "Port 9997 is in use on 127.0.0.1, :: by something else. Free it, or set xinference_port to another one.",
        ),
        (HOST, {"data_root": "srv/data"}, "data root", f"xinference_data_root 'srv/data' is no absolute path. {PATH_WORDS}"),
        (
            HOST,
            {"data_root": "/srv"},
            "data root",
            "xinference_data_root '/srv' is not a directory of its own, but the roles set its owner and mode, and teardown may remove it. "
            "Name a directory at least one level below, such as /srv/xinference_data.",
        ),
        (root(directory=False), {}, "data root", f"xinference_data_root '{ROOT}' is not a directory. Remove the file, or choose another path."),
        (
            root(exists=False, directory=False, nearest="/srv", writable=False),
            {},
            "data root",
            f"xinference_data_root '{ROOT}' cannot be written: /srv is read-only here. Mount it for writing, or choose another path.",
        ),
        (
            root(filesystem="nfs4"),
            {},
            "data root",
            f"xinference_data_root '{ROOT}' is on nfs4; the server keeps SQLite databases in WAL mode there, which network file systems corrupt. "
            "Choose a local file system; only the models may lie elsewhere.",
        ),
        (
            root(free_mib=100),
            {},
            "disk",
            f"{ROOT} has 100 MiB free, less than xinference_minimum_disk_mib (20480). "
            "Free some space, choose another xinference_data_root, or lower the minimum.",
        ),
        (
            HOST,
            {"image_tag": "latest-cpu"},
            "image",
            "xinference_image_tag 'latest-cpu' moves from release to release. Name a version such as v4.1.0-cpu.",
        ),
        (HOST, {"image_tag": "v4 cpu"}, "image", "xinference_image_tag 'v4 cpu' is no image tag. Name a version such as v4.1.0-cpu."),
        (HOST, {"image_tag": ""}, "image", "xinference_image_tag '' is no image tag. Name a version such as v4.1.0-cpu."),
        (
            HOST,
            {"image_tag": "v2.6.1-cpu"},
            "version",
            "xinference_image_tag 'v2.6.1-cpu' names a version of Xinference that was put on the package index by an attacker "
            "(versions from 2.6.0 and before 2.6.3). Name another one, such as v4.1.0-cpu.",
        ),
        (
            HOST,
            {"client_version": "2.6.2"},
            "version",
            "xinference_client_version '2.6.2' names a version of Xinference that was put on the package index by an attacker "
            "(versions from 2.6.0 and before 2.6.3). Name another one, such as 4.1.0.",
        ),
        (
            HOST,
            {"image_digest": "sha256:12"},
            "image",
            "xinference_image_digest 'sha256:12' is no digest. Write sha256: and 64 hexadecimal digits, or leave it empty.",
        ),
        (
            HOST,
            {"image_archive": "/tmp/x.tar"},
            "image",
            "xinference_image_archive '/tmp/x.tar' does not exist on this host. Copy it there, or leave the variable empty.",
        ),
        (HOST, {"admin_username": ""}, "account", "xinference_admin_username '' must be a text that neither is empty nor begins or ends with a space."),
        (
            HOST,
            {"admin_username": "automation"},
            "account",
            "xinference_service_account 'automation' is the administrator. "
            "Choose another name, or leave it empty, so that models are launched as the administrator.",
        ),
        (
            HOST,
            {"admin_password_length": 0},
            "account",
            "xinference_admin_password is empty, but the server asks for an account. "
            "Set it, from a vault, or set xinference_authentication to false for a server on loopback.",
        ),
        (
            HOST,
            {"admin_password_length": 7},
            "account",
            "xinference_admin_password has 7 characters, but the server wants at least 8. Choose a longer one.",
        ),
        (
            {**HOST, "paths": {**HOST["paths"], "/tmp/x.tar": GOOD_PATH}},
            {"image_archive": "/tmp/x.tar", "image_digest": "sha256:" + "0f" * 32},
            "image",
            "xinference_image_archive and xinference_image_digest exclude each other: an image from an archive has no digest. Leave one of them empty.",
        ),
        (HOST, {"models": "chat"}, "models", "xinference_models: is the text 'chat', but must be a list of dictionaries."),
        (HOST, {"models": model(replica=0)}, "models", "xinference_models[0] (uid 'chat'): replica '0' must be a whole number of at least 1."),
        (
            HOST,
            {"models": model(path="/elsewhere/a.gguf")},
            "models",
            "Model 'chat': path '/elsewhere/a.gguf' lies in no volume, so the server cannot see it. "
            "Put the file into a volume; they are at /models, /root/.xinference.",
        ),
        (
            {**HOST, "paths": {**HOST["paths"], f"{ROOT}/models/b.gguf": {**GOOD_PATH, "exists": False}}},
            {"models": model(path="/models/b.gguf")},
            "models",
            f"Model 'chat': path '/models/b.gguf' does not exist. Copy it to {ROOT}/models/b.gguf on this host.",
        ),
    ],
)
def test_each_mistake_gives_one_failure_with_what_to_do(host: dict[str, Any], settings: dict[str, Any], check: str, sentence: str) -> None:
    failures = check_host(host, replace(SETTINGS, **settings))
    assert [(failure.check, str(failure)) for failure in failures] == [(check, sentence)]


def test_all_failures_are_reported_at_once() -> None:
    host = changed(architecture="riscv64", administrator=False, memory__total_mib=100, docker__version="1.0")
    settings = replace(SETTINGS, port=0, image_tag="latest", admin_password_length=1, models=[{}], variables=["xinference_x"])
    checks = [failure.check for failure in check_host(host, settings)]
    assert set(checks) == {"variables", "architecture", "memory", "privileges", "docker", "port", "image", "account", "models"}


@pytest.mark.parametrize("kind", ["nfs", "nfs4", "cifs", "9p", "fuse.sshfs", "glusterfs"])
def test_network_file_systems_are_refused(kind: str) -> None:
    assert [failure.check for failure in check_host(root(filesystem=kind), SETTINGS)] == ["data root"]


def test_a_failure_without_a_remedy_is_its_problem() -> None:
    assert str(Failure("models", "A problem.", "")) == "A problem."


@pytest.mark.parametrize("check", [str, repr])
def test_the_password_itself_is_never_part_of_the_settings(check: Callable[[Any], str]) -> None:
    assert "admin_password_length=12" in check(SETTINGS)
    assert "admin_password=" not in check(SETTINGS)


def test_the_account_of_the_automation_has_a_name_or_none() -> None:
    assert check_host(HOST, replace(SETTINGS, service_account="")) == []
    (failure,) = check_host(HOST, replace(SETTINGS, service_account=" automation"))
    assert failure.problem == "xinference_service_account ' automation' must be a text that neither is empty nor begins or ends with a space."


def test_options_have_the_names_of_variables() -> None:
    texts = yaml.safe_load((REPOSITORY / "roles/_common/vars/main/models.yml").read_text(encoding="utf-8"))
    assert texts["_xinference_option_names"] == OPTION_NAMES
    documented = {
        name
        for path in REPOSITORY.glob("roles/*/meta/argument_specs.yml")
        for name in yaml.safe_load(path.read_text(encoding="utf-8"))["argument_specs"]["main"]["options"]
    }
    assert set(OPTION_NAMES.values()) <= documented
    wrong = [{"uid": "a", "name": "qwen3", "engine": "llama.cpp", "engine_options": {"n-ctx": 1}}, {"uid": "a"}]
    said = " ".join(str(failure) for failure in check_host(HOST, replace(SETTINGS, models=wrong)))
    assert "xinference_models[0] (uid 'a'): engine_options 'n-ctx' is no option" in said
    assert "Set xinference_models_validate_engine_options to false" in said
    assert "already used by xinference_models[0]" in said


# A server that is there already.


def beside(**fields: Any) -> dict[str, Any]:
    """A container that runs beside ours."""
    other = {"name": "xinference-cpu", "image": "xprobe/xinference:v4.1.0-cpu", "xinference": True, "sources": []}
    return {**other, "ports": [{"address": "0.0.0.0", "port": 9997}], **fields}


@pytest.mark.parametrize(
    ("others", "said"),
    [
        (
            [beside()],
            "Port 9997 is in use by container xinference-cpu (xprobe/xinference:v4.1.0-cpu), which runs Xinference. "
            "Set xinference_container_name to xinference-cpu to adopt it, or xinference_port to another one.",
        ),
        ([beside(sources=[f"{ROOT}/.xinference"])], "Set xinference_container_name to xinference-cpu to adopt it, or xinference_port to another one."),
        (
            [beside(name="web", image="nginx", xinference=False)],
            "Port 9997 is in use by container web (nginx). Stop it, or set xinference_port to another one.",
        ),
        ([beside(ports=[])], "Port 9997 is in use on 0.0.0.0 by something else. Free it, or set xinference_port to another one."),
    ],
)
def test_a_port_that_a_container_has(others: list[dict[str, Any]], said: str) -> None:
    (failure,) = check_host(changed(listeners=[{"address": "0.0.0.0", "port": 9997}], docker__neighbours=others), SETTINGS)
    assert str(failure).endswith(said)


def test_a_neighbour_on_another_port_is_no_problem() -> None:
    assert check_host(changed(docker__neighbours=[beside(ports=[{"address": "0.0.0.0", "port": 9000}])]), SETTINGS) == []


@pytest.mark.parametrize("home", ["data", "/", "/data/", "/a/../b", "/a b", "/a:b", "", "~/.xinference"])
def test_a_home_that_is_none(home: str) -> None:
    (failure,) = check_host(HOST, replace(SETTINGS, home=home))
    assert str(failure) == f"xinference_home '{home}' is no absolute path of a directory in the container. Write it as /root/.xinference."


@pytest.mark.parametrize("volumes", [[], [{"path": "home", "target": "/data", "read_only": True}], [{"path": "data"}], [{"path": "x", "target": "/data2"}]])
def test_a_home_that_would_be_lost(volumes: list[dict[str, Any]]) -> None:
    (failure,) = check_host(HOST, replace(SETTINGS, home="/data", models=[], volumes=volumes))
    assert str(failure) == (
        "xinference_home '/data' lies in no volume that the server can write, so all that it keeps would be lost with its container. "
        "Give an entry of xinference_volumes target: /data. The variable is the whole tree: begin with all lines of its default."
    )


def test_a_server_that_would_be_empty_is_refused() -> None:
    container = {
        **{"status": "running", "ports": [9997], "ours": False, "home": "/data", "caches": {}, "user": ""},
        "volumes": [{"source": ROOT, "real": ROOT, "target": "/data", "read_only": False, "volume": "", "empty": False}],
    }
    (failure,) = check_host(changed(docker__container=container), SETTINGS)
    assert (failure.check, "so it would be an empty server" in failure.problem) == ("adoption", True)
    adopted = replace(SETTINGS, home="/data", models=[], volumes=[{"path": ".", "target": "/data"}])
    assert check_host(changed(docker__container=container), adopted) == []


def test_a_home_that_is_none_is_reported_once() -> None:
    volumes = [*SETTINGS.volumes, {"path": ".xinference", "target": "data"}, {"path": "logs", "target": "data/logs"}]
    assert [failure.check for failure in check_host(HOST, replace(SETTINGS, home="data", volumes=volumes))] == ["home"]
    assert [failure.check for failure in check_host(HOST, replace(SETTINGS, volumes=volumes))] == ["volumes", "volumes"]
