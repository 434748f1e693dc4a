# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A container that takes the place of another one, with a real Docker: every way to fail ends with the one of before, healthy in its place."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.inferops.xinference.plugins.module_utils._core.host.docker import DockerSocket
from ansible_collections.inferops.xinference.plugins.module_utils._core.host.replacement import Container, NotHealthy
from ansible_collections.inferops.xinference.tests.machine import built, free_port, wait_until

MODULE = Path(__file__).parents[2] / "plugins/modules/server_container.py"
DOCKER = "unix:///var/run/docker.sock"
#: Commands of containers. Each is healthy when there is a file.
HEALTHY, NEVER, ENDS, FAILS = "touch /tmp/ready; exec sleep 600", "echo waits; exec sleep 600", "echo gone >&2; exit 7", "echo twice; exit 3"
#: Seconds; the shorter one is that of the container of before, too.
LONG, SHORT = 60.0, 20.0


def docker(*words: str, check: bool = True) -> str:
    done = subprocess.run(("docker", *words), capture_output=True, text=True, check=False)
    assert done.returncode == 0 or not check, done.stderr
    return done.stdout.strip()


def exists(name: str) -> bool:
    return bool(docker("ps", "--all", "--quiet", "--filter", f"name=^{name}$"))


class Site:
    """Containers of one name, and their network."""

    def __init__(self, image: str) -> None:
        self.image = image
        self.name = f"inferops-test-replace-{os.getpid()}-{time.monotonic_ns() % 100000}"
        self.port = free_port()
        self.container = Container(DockerSocket(DOCKER), self.name)
        docker("network", "create", self.name)

    def create(self, command: str, ending: str = "", restart: str = "no", address: str = "127.0.0.1") -> None:
        docker(
            *("create", "--name", f"{self.name}{ending}", "--network", self.name, "--restart", restart, "--init", "--stop-timeout", "1"),
            *("--publish", f"{address}:{self.port}:80", "--label", f"is={command}", "--tmpfs", "/tmp"),
            *("--health-cmd", "test -e /tmp/ready", "--health-interval", "0.2s", "--health-retries", "2", "--entrypoint", "sh"),
            *(self.image, "-c", command),
        )

    def runs(self, command: str = HEALTHY) -> None:
        """A container that is healthy."""
        self.create(command)
        assert self.container.make_healthy(LONG)

    def settled(self, command: str) -> None:
        """Require one container, healthy, of a command, and nothing else."""
        found = json.loads(docker("inspect", self.name))[0]
        assert found["Config"]["Labels"]["is"] == command
        assert found["State"]["Health"]["Status"] == "healthy"
        assert not exists(f"{self.name}.previous")
        assert not exists(f"{self.name}.replacement")

    def module(self, **options: Any) -> dict[str, Any]:
        """What the module answers, in a process of its own."""
        done = self.begin(**options)
        output, _none = done.communicate(timeout=120)
        return dict(json.loads(output))

    def begin(self, **options: Any) -> subprocess.Popen[str]:
        arguments = {"ANSIBLE_MODULE_ARGS": {"name": self.name, "docker_host": DOCKER, **options}}
        process = subprocess.Popen((sys.executable, str(MODULE)), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        assert process.stdin is not None
        process.stdin.write(json.dumps(arguments))
        process.stdin.close()
        process.stdin = None
        return process

    def remove(self) -> None:
        for ending in ("", ".previous", ".replacement"):
            docker("rm", "--force", f"{self.name}{ending}", check=False)
        docker("network", "rm", self.name, check=False)
        Path(f"/run/inferops-xinference-{self.name}.lock").unlink(missing_ok=True)


@pytest.fixture(scope="module")
def image() -> str:
    return built("server")


@pytest.fixture
def site(image: str) -> Iterator[Site]:
    made = Site(image)
    yield made
    made.remove()


def test_the_replacement_takes_the_place(site: Site) -> None:
    site.runs("true; " + HEALTHY)
    site.create(HEALTHY, ".replacement")
    assert site.container.make_healthy(LONG)
    site.settled(HEALTHY)
    # Nothing is left to do.
    assert not site.container.make_healthy(LONG)
    assert not site.container.settle()


def test_without_one_before(site: Site) -> None:
    site.create(HEALTHY, ".replacement")
    assert site.container.make_healthy(LONG)
    site.settled(HEALTHY)


@pytest.mark.parametrize(
    ("command", "restart", "reason", "said"),
    [
        (NEVER, "unless-stopped", f"it was not healthy within {SHORT:g} s", "waits"),
        (ENDS, "no", "its container ended with exit code 7", "gone"),
        (FAILS, "unless-stopped", "its container ended 3 times, with exit code 3", "twice"),
    ],
)
def test_one_that_does_not_get_healthy(site: Site, command: str, restart: str, reason: str, said: str) -> None:
    site.runs()
    site.create(command, ".replacement", restart)
    # One that ends is not waited for.
    with pytest.raises(NotHealthy, match=reason) as caught:
        site.container.make_healthy(SHORT if command == NEVER else LONG)
    assert said in str(caught.value)
    assert str(caught.value).endswith("The container of before is back in its place and healthy.")
    assert caught.value.restored
    assert caught.value.container is not None
    assert said in caught.value.container["log"][-1]
    site.settled(HEALTHY)


def test_an_address_that_the_host_does_not_have(site: Site) -> None:
    site.runs()
    site.create(HEALTHY, ".replacement", address="192.0.2.7")
    with pytest.raises(NotHealthy, match=r"Docker does not start its container: .*cannot assign requested address"):
        site.container.make_healthy(LONG)
    site.settled(HEALTHY)


def test_a_port_that_another_program_has(site: Site) -> None:
    site.create(HEALTHY, ".replacement")
    with (
        socket.create_server(("127.0.0.1", site.port)),
        pytest.raises(NotHealthy, match=r"Docker does not start its container: .*address already in use") as caught,
    ):
        site.container.make_healthy(LONG)
    assert not caught.value.restored


def test_the_one_before_does_not_start_either(site: Site) -> None:
    site.runs()
    site.create(HEALTHY, ".replacement")
    site.container.set_aside()
    with socket.create_server(("127.0.0.1", site.port)), pytest.raises(NotHealthy) as caught:
        site.container.make_healthy(LONG)
    assert not caught.value.restored
    assert "The container of before is back in its place, but: The server is not ready: Docker does not start its container" in str(caught.value)
    # The next run starts it.
    assert site.container.make_healthy(LONG)
    site.settled(HEALTHY)


def test_nothing_to_make_healthy(site: Site) -> None:
    with pytest.raises(NotHealthy, match=f"there is no container '{site.name}'"):
        site.container.make_healthy(LONG)


@pytest.mark.parametrize("state", ["stopped", "paused", "killed"])
def test_one_that_does_not_run_is_started(site: Site, state: str) -> None:
    site.runs()
    docker({"stopped": "stop", "paused": "pause", "killed": "kill"}[state], site.name)
    assert site.container.predict("healthy")
    assert site.container.make_healthy(LONG)
    site.settled(HEALTHY)


# Runs that were killed.


def test_killed_before_the_replacement_started(site: Site) -> None:
    site.runs()
    site.create(NEVER, ".replacement")
    assert site.container.predict("settled")
    assert site.container.settle()
    site.settled(HEALTHY)


def test_killed_when_there_was_no_container_of_the_name(site: Site) -> None:
    site.runs()
    site.create(NEVER, ".replacement")
    site.container.set_aside()
    assert site.container.predict("settled")
    assert site.container.settle()
    assert site.container.make_healthy(LONG)
    site.settled(HEALTHY)


def test_killed_before_the_new_one_was_healthy(site: Site) -> None:
    site.runs()
    site.container.set_aside()
    site.create(ENDS)
    docker("start", site.name)
    assert not site.container.predict("settled")
    assert not site.container.settle()
    # The next run finds it as declared, and goes back.
    with pytest.raises(NotHealthy, match="its container ended with exit code 7"):
        site.container.make_healthy(LONG)
    site.settled(HEALTHY)


def test_killed_before_the_new_one_was_healthy_and_declared_again(site: Site) -> None:
    """The one that never was healthy is not what is gone back to."""
    site.runs()
    site.container.set_aside()
    site.create(ENDS)
    site.create(NEVER, ".replacement")
    with pytest.raises(NotHealthy, match="not healthy within"):
        site.container.make_healthy(SHORT)
    site.settled(HEALTHY)


def test_killed_before_the_one_of_before_was_removed(site: Site) -> None:
    site.runs("true; " + HEALTHY)
    site.container.set_aside()
    site.create(HEALTHY)
    docker("start", site.name)
    wait_until(lambda: json.loads(docker("inspect", site.name))[0]["State"]["Health"]["Status"] == "healthy", "the new one is healthy")
    assert site.container.settle()
    site.settled(HEALTHY)


# The network.


def test_a_network_that_was_removed_and_made_again(site: Site) -> None:
    site.runs()
    assert site.container.set_aside()
    docker("network", "rm", site.name)
    docker("network", "create", site.name)
    assert site.container.restore(LONG)
    site.settled(HEALTHY)
    assert not site.container.restore(LONG)


def test_others_find_it_by_its_name(site: Site) -> None:
    """Also one that was made under another name."""
    site.runs()
    site.create(f"true; {HEALTHY}", ".replacement")
    assert site.container.make_healthy(LONG)
    found = docker(
        "run", "--rm", "--network", site.name, "--entrypoint", "python3", site.image, "-c", f"import socket; print(socket.gethostbyname('{site.name}'))"
    )
    assert found == json.loads(docker("inspect", site.name))[0]["NetworkSettings"]["Networks"][site.name]["IPAddress"]


# The module.


def test_the_module_answers(site: Site) -> None:
    site.runs()
    site.create(ENDS, ".replacement")
    assert site.module(_ansible_check_mode=True)["changed"] is True
    failed = site.module(timeout=LONG)
    assert failed["failed"]
    assert failed["restored"]
    assert "exit code 7" in failed["msg"]
    assert failed["container"]["log"] == ["gone"]
    assert site.module()["changed"] is False
    assert site.module(state="settled")["changed"] is False
    assert site.module(state="set_aside")["changed"] is True
    assert site.module(state="restored")["changed"] is True
    site.settled(HEALTHY)
    nowhere = site.module(docker_host="unix:///nowhere/docker.sock")["msg"]
    assert nowhere == "Docker at 'unix:///nowhere/docker.sock' does not do it: No such file or directory."


def test_two_at_once(site: Site) -> None:
    site.runs("true; " + HEALTHY)
    site.create("sleep 2; " + HEALTHY, ".replacement")
    processes = [site.begin(timeout=LONG) for _number in range(3)]
    answers = [json.loads(process.communicate(timeout=120)[0]) for process in processes]
    assert sorted(answer["changed"] for answer in answers) == [False, False, True], answers
    site.settled("sleep 2; " + HEALTHY)


def test_one_that_is_killed_lets_the_next_one_go_on(site: Site) -> None:
    site.runs()
    site.create("sleep 3; " + HEALTHY, ".replacement")
    first = site.begin(timeout=LONG)
    wait_until(lambda: not exists(f"{site.name}.replacement"), "the replacement takes the place")
    first.kill()
    first.communicate()
    assert site.module(timeout=LONG)["changed"]
    site.settled("sleep 3; " + HEALTHY)


def test_another_run_that_takes_too_long(site: Site) -> None:
    site.runs()
    site.create(NEVER, ".replacement")
    first = site.begin(timeout=LONG)
    wait_until(lambda: not exists(f"{site.name}.replacement"), "the replacement takes the place")
    assert "another run is replacing this container" in site.module(timeout=1.0)["msg"]
    # It ends at once, when its container is gone.
    docker("rm", "--force", site.name)
    answer = json.loads(first.communicate(timeout=120)[0])
    assert "its container was removed" in answer["msg"]
    assert answer["restored"]
    site.settled(HEALTHY)
