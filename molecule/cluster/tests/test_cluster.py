# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A supervisor and two workers: what serves where, who reaches it, and that it comes back without a person."""

from __future__ import annotations

import subprocess
import time
from typing import Any

import pytest
from conftest import KEY, PASSWORD, SUPERVISOR, WORKERS, on, python
from network import open_ports
from prepared import Prepared
from serving import Server

from ansible_collections.inferops.xinference.tests.machine import wait_until

#: A client of the actors of a cluster: says how many workers the supervisor knows.
ACTOR = """
import asyncio, sys
import xoscar
async def ask():
    supervisor = await xoscar.actor_ref(address=sys.argv[1], uid="supervisor")
    print("workers:", len((await supervisor.get_status())["workers"]))
try:
    asyncio.run(asyncio.wait_for(ask(), 60))
except Exception as error:
    print("refused:", type(error).__name__)
"""


class TestPrepared(Prepared):
    """What holds for every machine that was prepared."""


def placed(server: Server) -> dict[str, list[str]]:
    """The replicas that run on each worker, also those that nobody reaches; nothing while the server cannot say."""
    status, workers = server.call("/v1/workers")
    return {row["work-ip"].rpartition(":")[0]: sorted(row["models"]) for row in workers} if status == 200 else {}


def is_whole(server: Server) -> bool:
    """Whether every declared replica runs where it was declared, once, and nothing else does, and all of them answer."""
    try:
        there = placed(server)
    except (AssertionError, KeyError, TypeError):
        # The server is away, or just comes.
        return False
    names = sorted(name.rpartition("-")[0] for name in there.get(WORKERS[1], []))
    return (
        [name.rpartition("-")[0] for name in there.get(WORKERS[0], [])] == ["embed"]
        and names == ["chat", "embed"]
        and len({name for names in there.values() for name in names}) == 3
        and {answered(server) for _request in range(4)} == {name for names in there.values() for name in names if name.startswith("embed")}
    )


def answered(server: Server) -> str:
    """Which replica of the embedding model answered; empty where none did."""
    status, answer = server.call("/v1/embeddings", {"model": "embed", "input": "one"})
    return str(answer.get("model_replica")) if status == 200 else ""


def test_models_run_where_they_are_declared_and_all_replicas_answer(server: Server) -> None:
    assert placed(server) == {WORKERS[0]: ["embed-rep0"], WORKERS[1]: ["chat-rep0", "embed-rep1"]} or is_whole(server)
    assert len(server.embed("one")) == 384
    assert {answered(server) for _request in range(6)} == {"embed-rep0", "embed-rep1"}
    assert server.chat("What is the capital of France?")


def test_a_stranger_on_the_network_reaches_nothing(addresses: dict[str, str]) -> None:
    """Neither the API nor a port that runs code for whoever reaches it, whether something listens there already or not."""
    for name, address in addresses.items():
        assert open_ports(address, [*range(9990, 10000), *range(30000, 30200)]) == [], name


def test_members_listen_on_the_declared_ports_alone(addresses: dict[str, str]) -> None:
    expected = {SUPERVISOR: {9997, 9999}, **{worker: {30001, *range(30100, 30150)} for worker in WORKERS}}
    for name, address in addresses.items():
        lines = on(name, "ss", "--listening", "--tcp", "--numeric", "--no-header").splitlines()
        ends = [line.split()[3].rpartition(":") for line in lines]
        assert {int(port) for host, _colon, port in ends if host == address} == expected[name], name
        # What listens everywhere would be open to all interfaces.
        assert {int(port) for host, _colon, port in ends if host in ("0.0.0.0", "*", "[::]")} <= {53, 5355}, name


@pytest.mark.parametrize(
    ("key", "said"), [(KEY, "workers: 2"), ("another-key-another-key-another-key", "refused: "), ("", "refused: ")], ids=["the key", "another key", "no key"]
)
def test_a_process_is_taken_for_a_member_with_the_key_alone(key: str, said: str) -> None:
    """Asked from a worker's machine, which the firewall lets through."""
    assert said in python(WORKERS[0], ACTOR, f"{SUPERVISOR}:9999", environment={"XOSCAR_AUTH_KEY": key} if key else {})


def test_the_key_and_the_password_are_in_no_output_and_no_description() -> None:
    for machine in (SUPERVISOR, *WORKERS):
        described = on(machine, "docker", "inspect", "xinference")
        log = on(machine, "journalctl", "--no-pager", "--output", "cat")
        arguments = on(machine, "sh", "-c", "cat /proc/[0-9]*/cmdline | tr '\\0' ' '")
        for secret in (KEY, PASSWORD):
            assert secret not in described + log + arguments
        environment = "/srv/xinference_data/.xinference/auth/environment"
        assert on(machine, "stat", "--format", "%a", environment) == "600"
        assert f"XOSCAR_AUTH_KEY={KEY}" in on(machine, "cat", environment)


def test_a_worker_has_no_accounts_and_no_service() -> None:
    for worker in WORKERS:
        assert on(worker, "sh", "-c", "ls /srv/xinference_data/.xinference/auth") == "environment"
        assert on(worker, "systemctl", "is-enabled", "xinference-models.service", check=False).splitlines()[-1] != "enabled"


def kill(machine: str) -> None:
    """End the processes of a member as lost memory does: at once."""
    on(machine, "sh", "-c", 'kill -9 $(docker inspect --format "{{ .State.Pid }}" xinference)')


def started(machine: str) -> str:
    """When the container of a machine was started; empty while the machine does not answer."""
    done = subprocess.run(
        ("docker", "exec", machine, "docker", "inspect", "--format", "{{ .State.StartedAt }}", "xinference"), capture_output=True, text=True, check=False
    )
    return done.stdout.strip() if done.returncode == 0 else ""


def reboot(machine: str) -> None:
    """Cut a machine's power, and start it again."""
    subprocess.run(("docker", "restart", "--time", "0", machine), capture_output=True, check=True)


@pytest.mark.parametrize(
    ("fault", "machines"),
    [(kill, WORKERS[1:]), (kill, (SUPERVISOR,)), (reboot, WORKERS[1:]), (kill, WORKERS)],
    ids=["a worker is killed", "the supervisor is killed", "a worker loses its power", "both workers are killed"],
)
def test_everything_comes_back_and_nothing_runs_twice(server: Server, fault: Any, machines: tuple[str, ...]) -> None:
    assert is_whole(server)
    before = {machine: started(machine) for machine in machines}
    for machine in machines:
        fault(machine)
    for machine in machines:
        wait_until(lambda machine=machine: started(machine) not in ("", before[machine]), f"the container of {machine} starts again", 1)  # type: ignore[misc]
    wait_until(lambda: is_whole(server), "all declared replicas run again", 2)
    # What comes late, such as a worker that makes its models again, must not run beside what was launched in its place.
    for _look in range(15):
        assert is_whole(server)
        time.sleep(2)
