# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A container that takes the place of another one: what is tried in which order, with a Docker in memory."""

from __future__ import annotations

import contextlib

import pytest

from ansible_collections.inferops.xinference.plugins.module_utils._core.host.replacement import Container, NotHealthy, docker_words
from ansible_collections.inferops.xinference.tests.unit.plugins.module_utils._core.fake_docker import ENDS, FAILS, GONE, HEALTHY, NEVER, FakeDocker


class Clock:
    """Time that passes by sleeping."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def container(docker: FakeDocker) -> Container:
    """The container of a Docker."""
    clock = Clock()
    return Container(docker, "xinference", clock=clock, sleep=clock.sleep)


def running(**containers: object) -> FakeDocker:
    """A Docker with a healthy container and others."""
    docker = FakeDocker(**containers)
    docker.create("xinference", HEALTHY, started=True)
    return docker


def test_the_replacement_takes_the_place() -> None:
    docker = running(xinference_replacement=HEALTHY)
    assert container(docker).make_healthy(300)
    assert docker.sent == [
        "/containers/xinference/stop?t=30",
        "/containers/xinference/rename?name=xinference.previous",
        "/containers/xinference.replacement/rename?name=xinference",
        "/containers/xinference/start",
        "DELETE /containers/xinference.previous?force=1",
    ]
    assert [docker.containers[name]["is"] for name in docker.containers] == ["xinference.replacement"]
    assert not container(docker).make_healthy(300)


@pytest.mark.parametrize(
    ("becomes", "reason"),
    [
        (NEVER, "it was not healthy within 5 s"),
        (ENDS, "its container ended with exit code 7"),
        (FAILS, "its container ended 3 times, with exit code 3"),
        (GONE, "its container was removed"),
    ],
)
def test_one_that_does_not_get_healthy(becomes: object, reason: str) -> None:
    docker = running(xinference_replacement=becomes)
    with pytest.raises(NotHealthy, match=f"^The server is not ready: {reason}") as caught:
        container(docker).make_healthy(5)
    assert caught.value.restored
    assert str(caught.value).endswith("The container of before is back in its place and healthy.")
    if becomes is not GONE:
        assert "The last lines of its log: last words of xinference.replacement " in str(caught.value)
    assert [docker.containers[name]["is"] for name in docker.containers] == ["xinference"]


@pytest.mark.parametrize("says", ["", "GET /status answered: 403 Forbidden"])
def test_the_last_words_of_the_health_check(says: str) -> None:
    facts = {"status": "running", "health": "unhealthy", "health_says": says, "log": ["a", "b"]}
    words = f"The last words of its health check: {says}. " if says else ""
    assert str(NotHealthy("it is slow", facts, restored=False)) == (
        f"The server is not ready: it is slow. Its container is running, health unhealthy. {words}The last lines of its log: a | b"
    )


def test_a_start_that_docker_refuses() -> None:
    docker = running(xinference_replacement=HEALTHY)
    docker.refuses["/containers/xinference/start"] = "no space left"
    with pytest.raises(NotHealthy) as caught:
        container(docker).make_healthy(5)
    assert not caught.value.restored
    assert str(caught.value) == (
        "The server is not ready: Docker does not start its container: no space left. Its container is created, health none. "
        "The last lines of its log: last words of xinference.replacement The container of before is back in its place, but: "
        "The server is not ready: Docker does not start its container: no space left. Its container is exited, health none. "
        "The last lines of its log: last words of xinference"
    )


def test_a_stop_that_docker_refuses_changes_nothing() -> None:
    docker = running(xinference_replacement=HEALTHY)
    docker.refuses["/containers/xinference/stop"] = "cannot kill container"
    with pytest.raises(NotHealthy, match=r"cannot kill container.* is back in its place and healthy\.") as caught:
        container(docker).make_healthy(5)
    assert caught.value.restored
    assert docker.now("xinference") == ("running", "healthy", 0, 0)


@pytest.mark.parametrize("rename", ["xinference/rename?name=xinference.previous", "xinference.replacement/rename?name=xinference"])
def test_a_name_that_docker_does_not_change(rename: str) -> None:
    docker = running(xinference_replacement=HEALTHY)
    docker.refuses[f"/containers/{rename}"] = "no space left"
    with pytest.raises(NotHealthy, match=r"does not let its container take the place .* no space left.* is back in its place and healthy\.") as caught:
        container(docker).make_healthy(5)
    assert caught.value.restored
    assert docker.now("xinference")[:2] == ("running", "healthy")
    assert docker.containers["xinference"]["is"] == "xinference"


@pytest.mark.parametrize("becomes", [HEALTHY, ENDS])
@pytest.mark.parametrize("silent", range(1, 16))
def test_a_question_that_docker_does_not_answer_costs_nobody_the_server(becomes: object, silent: int) -> None:
    docker = running(xinference_replacement=becomes)
    docker.silent.add(silent)
    with contextlib.suppress(NotHealthy):
        container(docker).make_healthy(30)
    # Whichever of the two it is.
    assert docker.now("xinference")[:2] == ("running", "healthy")


def test_what_a_killed_run_left_is_put_back_first() -> None:
    docker = FakeDocker(xinference_previous=HEALTHY)
    assert container(docker).predict("healthy")
    assert container(docker).make_healthy(5)
    assert docker.now("xinference")[:2] == ("running", "healthy")
    assert list(docker.containers) == ["xinference"]


def test_an_exit_code_that_nobody_saw_is_waited_for() -> None:
    """Docker reports it while the container does not run, and that may be between two polls."""
    runs = [("running", "starting", number, 0) for number in range(5)]
    docker = running(xinference_replacement=[*runs, ("restarting", "unhealthy", 5, 3)])
    with pytest.raises(NotHealthy, match="its container ended 3 times, with exit code 3"):
        container(docker).make_healthy(60)
    docker = running(xinference_replacement=runs)
    with pytest.raises(NotHealthy, match=r"its container ended 3 times\. "):
        container(docker).make_healthy(60)


def test_without_a_line_of_its_log() -> None:
    docker = running(xinference_replacement=ENDS)
    clock = Clock()
    with pytest.raises(NotHealthy, match=r"exit code 7\. Its container is exited") as caught:
        Container(docker, "xinference", log_lines=0, clock=clock, sleep=clock.sleep).make_healthy(5)
    assert caught.value.restored


def test_a_container_s_own_words_are_no_answer_of_docker() -> None:
    said = NotHealthy("it is slow", {"status": "running", "health": None, "log": ['x: {"message": "boom"}']}, restored=False)
    assert docker_words(said) == str(said)


def test_without_going_back() -> None:
    docker = running(xinference_replacement=ENDS)
    with pytest.raises(NotHealthy, match="exit code 7") as caught:
        container(docker).make_healthy(5, roll_back=False)
    assert not caught.value.restored
    assert set(docker.containers) == {"xinference", "xinference.previous"}
    assert container(docker).restore(5)
    assert [docker.containers[name]["is"] for name in docker.containers] == ["xinference"]


def test_one_that_is_restarted_later_is_waited_for() -> None:
    """The count of restarts is that of all its life."""
    docker = FakeDocker(xinference=[("restarting", "starting", 7, 1), ("running", "starting", 8, 0), ("running", "healthy", 8, 0)])
    assert container(docker).make_healthy(5)


def test_a_container_without_a_health_check_is_healthy_when_it_runs() -> None:
    assert container(FakeDocker(xinference=[("running", "none", 0, 0)])).make_healthy(5)


@pytest.mark.parametrize(
    ("others", "current", "left", "changed"),
    [
        ({}, HEALTHY, {"xinference"}, False),
        ({"xinference_replacement": HEALTHY}, HEALTHY, {"xinference"}, True),
        ({"xinference_previous": HEALTHY}, HEALTHY, {"xinference"}, True),
        ({"xinference_previous": HEALTHY}, NEVER, {"xinference", "xinference.previous"}, False),
        ({"xinference_previous": HEALTHY}, None, {"xinference"}, True),
        ({"xinference_previous": HEALTHY, "xinference_replacement": HEALTHY}, None, {"xinference"}, True),
        ({}, None, set(), False),
    ],
)
def test_what_is_tidied_up(others: dict[str, object], current: object, left: set[str], changed: bool) -> None:
    docker = FakeDocker(**others)
    if current:
        docker.create("xinference", current, started=True)
    assert container(docker).predict("settled") is changed
    assert container(docker).settle() is changed
    assert set(docker.containers) == left
    assert not container(docker).settle()


def test_what_is_set_aside() -> None:
    docker = running()
    assert container(docker).predict("set_aside")
    assert container(docker).set_aside()
    assert set(docker.containers) == {"xinference.previous"}
    assert not container(docker).set_aside()
    # One that never was healthy does not take its place.
    docker.create("xinference", NEVER, started=True)
    assert container(docker).set_aside()
    assert docker.containers["xinference.previous"]["is"] == "xinference"
    assert set(docker.containers) == {"xinference.previous"}


def test_networks_that_are_there_or_not_are_left() -> None:
    docker = running()
    container(docker).set_aside()
    assert container(docker).restore(5)
    assert not any("/networks/" in route for route in docker.sent)
    container(docker).set_aside()
    docker.networks = {}
    assert container(docker).restore(5)
    assert not any("/networks/" in route for route in docker.sent)
    container(docker).set_aside()
    docker.networks = {"2": "xinference"}
    assert container(docker).restore(5)
    assert docker.containers["xinference"]["network"] == "2"
    assert not container(docker).predict("restored")


def test_the_one_before_is_kept_where_that_is_wanted() -> None:
    docker = running(xinference_replacement=HEALTHY)
    assert container(docker).make_healthy(300, roll_back=False, keep_previous=True)
    assert {name: found["is"] for name, found in docker.containers.items()} == {
        "xinference": "xinference.replacement",
        "xinference.previous": "xinference",
    }
    assert docker.now("xinference.previous")[0] == "exited"
    assert not any(route.startswith("DELETE") for route in docker.sent)
    # Nothing is to be done then, and without the wish it goes.
    assert not container(docker).make_healthy(300, roll_back=False, keep_previous=True)
    assert container(docker).make_healthy(300)
    assert set(docker.containers) == {"xinference"}


def test_what_is_kept_comes_back_as_it_was_set_aside() -> None:
    docker = running(xinference_replacement=HEALTHY)
    container(docker).make_healthy(300, keep_previous=True)
    docker.sent.clear()
    assert container(docker).put_back()
    assert docker.sent == [
        "/containers/xinference/stop?t=30",
        "DELETE /containers/xinference?force=1",
        "/containers/xinference.previous/rename?name=xinference",
    ]
    assert [found["is"] for found in docker.containers.values()] == ["xinference"]
    # It is not started: its data are those of the other one still.
    assert docker.now("xinference")[0] == "exited"
    docker.sent.clear()
    assert not container(docker).put_back()
    assert docker.sent == []


@pytest.mark.parametrize("becomes", [None, NEVER, ENDS])
def test_it_comes_back_whatever_became_of_the_other_one(becomes: object) -> None:
    docker = FakeDocker(xinference_previous=HEALTHY)
    if becomes:
        docker.create("xinference", becomes, started=True)
    assert container(docker).put_back()
    assert [found["is"] for found in docker.containers.values()] == ["xinference.previous"]


def test_it_joins_a_network_that_was_removed_and_made_again() -> None:
    docker = running()
    container(docker).set_aside()
    docker.networks = {"2": "xinference"}
    assert container(docker).put_back()
    assert docker.containers["xinference"]["network"] == "2"


@pytest.mark.parametrize(
    ("policy", "then"), [("always", "unless-stopped"), ("on-failure", "unless-stopped"), ("unless-stopped", "unless-stopped"), ("no", "no"), ("", "")]
)
def test_one_that_is_set_aside_does_not_start_when_the_host_boots(policy: str, then: str) -> None:
    docker = running()
    docker.containers["xinference"]["policy"] = policy
    assert container(docker).set_aside()
    assert docker.containers["xinference.previous"]["policy"] == then
    assert docker.now("xinference.previous")[0] == "exited"
    assert ("/containers/xinference/update" in docker.sent) is (policy != then)


def test_a_policy_that_docker_does_not_change_costs_nobody_the_server() -> None:
    docker = running(xinference_replacement=HEALTHY)
    docker.containers["xinference"]["policy"] = "always"
    docker.refuses["/containers/xinference/update"] = "no space left"
    with pytest.raises(NotHealthy, match=r"no space left.* is back in its place and healthy\.") as caught:
        container(docker).make_healthy(5)
    assert caught.value.restored
    assert docker.now("xinference")[:2] == ("running", "healthy")


@pytest.mark.parametrize(
    ("becomes", "serves"), [(HEALTHY, True), ([("running", "none", 0, 0)], True), (NEVER, False), (ENDS, False), ([("exited", "healthy", 0, 0)], False)]
)
def test_whether_a_container_serves(becomes: list[object], serves: bool) -> None:
    docker = FakeDocker()
    docker.create("xinference", becomes, started=True)
    assert container(docker).serves() is serves
    assert docker.sent == []


def test_a_container_that_is_not_there_serves_nobody() -> None:
    assert not container(FakeDocker(xinference_previous=HEALTHY)).serves()


def test_words_of_docker() -> None:
    assert docker_words(OSError('/containers/a/start answered 500: {"message":"no space"}')) == "no space"
    assert docker_words(OSError("/x answered 500: nonsense")) == "/x answered 500: nonsense"
    assert docker_words(OSError(2, "no such file")) == "no such file"
    assert docker_words(OSError('/x answered 500: {"message": 1')) == '/x answered 500: {"message": 1'
