# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is wrong with a container: each finding is provoked, and a healthy container has none."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from ansible_collections.inferops.xinference.plugins.module_utils._core.diagnose.container import (
    Directory,
    Inside,
    check_access,
    check_container,
    check_from_controller,
    check_mounts,
    check_permissions,
    check_port,
)
from ansible_collections.inferops.xinference.plugins.module_utils._core.diagnose.finding import CRITICAL, NOTE, WARNING, Finding

HOME, LOGS = "/root/.xinference", "/root/.xinference/logs"
SOURCE, MODELS = "/srv/xinference_data/.xinference", "/srv/xinference_data/models"
CONTAINER: dict[str, Any] = {
    "id": "0123456789abcdef",
    "status": "running",
    "health": "healthy",
    "health_says": "",
    "restarts": 0,
    "published": ["127.0.0.1:9997"],
    "volumes": [
        {"source": SOURCE, "target": HOME, "volume": "", "read_only": False},
        {"source": MODELS, "target": "/models", "volume": "", "read_only": True},
    ],
}
DOCKER: dict[str, Any] = {"reachable": True, "error": "", "container": CONTAINER, "stale_ports": [], "interrupted": False}
DECLARED = (f"{SOURCE}:{HOME}:rw", f"{MODELS}:/models:ro")
SOURCES: dict[str, tuple[int, int] | None] = {SOURCE: (8, 100), MODELS: (8, 200)}
INSIDE = Inside(directories={HOME: Directory((8, 100), True, True), "/models": Directory((8, 200), True, False)})


def docker(**differs: Any) -> dict[str, Any]:
    """A healthy Docker whose container differs in something."""
    return {**DOCKER, "container": {**CONTAINER, **differs}}


def kinds(findings: Sequence[Finding]) -> list[tuple[str, str, str]]:
    """What was checked, how bad that is, and what it is about; every finding says what was seen."""
    assert all(finding.seen.endswith(".") for finding in findings)
    return [(finding.check, finding.severity, finding.subject) for finding in findings]


# State.


def test_a_healthy_container() -> None:
    assert check_container(DOCKER, "xinference") == []


def test_a_docker_that_does_not_answer() -> None:
    silent = {**DOCKER, "reachable": False, "error": "there is no socket\x1b[2J /x.", "container": None}
    (found,) = check_container(silent, "xinference")
    assert kinds([found]) == [("docker", CRITICAL, "docker")]
    assert found.seen == "No Docker Engine answers: there is no socket [2J /x."


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ("exited", "The container has ended."),
        ("paused", "The container is paused."),
        ("restarting", "The container ends again and again."),
        ("created", "The container was never started."),
        ("dead", "Docker could not remove the container."),
        ("removing", "The container is being removed."),
    ],
)
def test_a_container_that_does_not_run(state: str, words: str) -> None:
    (found,) = check_container(docker(status=state, health="unhealthy"), "xinference")
    assert kinds([found]) == [("container", CRITICAL, "xinference")]
    assert found.seen == words
    assert found.meaning
    assert "{}" not in found.remedy


def test_no_container() -> None:
    (found,) = check_container({**DOCKER, "container": None}, "xinference")
    assert found.seen == "There is no container 'xinference'."


@pytest.mark.parametrize(
    ("says", "seen"),
    [
        ("no worker.", "The container's health check fails: no worker."),
        ("", "The container's health check fails."),
        (None, "The container's health check fails."),
    ],
)
def test_a_health_check_that_fails(says: str | None, seen: str) -> None:
    (found,) = check_container(docker(health="unhealthy", health_says=says), "xinference")
    assert kinds([found]) == [("container", CRITICAL, "xinference")]
    assert found.seen == seen


def test_a_container_that_has_just_been_started() -> None:
    assert kinds(check_container(docker(health="starting"), "xinference")) == [("container", NOTE, "xinference")]


@pytest.mark.parametrize("restarts", [None, 0])
def test_a_container_that_docker_never_started_again(restarts: int | None) -> None:
    assert check_container(docker(restarts=restarts), "xinference") == []


def test_a_container_that_docker_started_again() -> None:
    (found,) = check_container(docker(restarts=3), "xinference")
    assert kinds([found]) == [("container", NOTE, "xinference")]
    assert "3 times" in found.seen


def test_a_directory_that_the_server_cannot_reach_is_no_other_one() -> None:
    assert mounts(Inside(directories={**INSIDE.directories, "/models": None})) == []


def test_a_port_that_docker_holds_for_another_container() -> None:
    assert check_container({**DOCKER, "stale_ports": [9998]}, "xinference", 9997) == []


def test_a_port_that_docker_holds_for_a_container_that_is_gone() -> None:
    (found,) = check_container({**DOCKER, "stale_ports": [9997, 9998]}, "xinference")
    assert kinds([found]) == [("docker", CRITICAL, "xinference")]
    assert "port 9997, 9998" in found.seen


def test_a_replacement_that_was_cut_off() -> None:
    assert kinds(check_container({**DOCKER, "interrupted": True}, "xinference")) == [("container", WARNING, "xinference")]


# Mounts.


def mounts(inside: Inside | None = INSIDE, declared: Sequence[str] = DECLARED, sources: Any = None, logs: str = LOGS, **differs: Any) -> list[Finding]:
    """What is found at the mounts of a container."""
    return check_mounts({**CONTAINER, **differs}, declared, inside, SOURCES if sources is None else sources, logs)


def test_the_declared_mounts() -> None:
    assert mounts() == []
    assert mounts(None) == []


def test_a_mount_that_is_missing() -> None:
    (found,) = mounts(declared=[*DECLARED, "/srv/more:/more:rw"])
    assert kinds([found]) == [("mounts", CRITICAL, "/more")]
    assert found.seen == "The container has no mount at /more; /srv/more is declared."


def test_a_source_with_a_colon_is_read_from_its_end() -> None:
    (found,) = mounts(declared=[*DECLARED, "/srv/a:b:/more:rw"])
    assert "/srv/a:b is declared" in found.seen


def test_a_mount_of_another_directory() -> None:
    (found,) = mounts(declared=[DECLARED[0], "/srv/other:/models:ro"])
    assert kinds([found]) == [("mounts", CRITICAL, "/models")]
    assert found.seen == f"The container has {MODELS} at /models; /srv/other is declared."


def anonymous(target: str) -> list[dict[str, Any]]:
    """The mounts, with a volume that nobody named."""
    return [*CONTAINER["volumes"], {"source": "/var/lib/docker/v", "target": target, "volume": "0f" * 32, "read_only": False}]


def test_an_anonymous_volume() -> None:
    (found,) = mounts(None, volumes=anonymous("/data"))
    assert kinds([found]) == [("mounts", WARNING, "/data")]
    # One that is declared, and one with a name.
    assert mounts(None, [*DECLARED, "/var/lib/docker/v:/data:rw"], volumes=anonymous("/data")) == []
    named = [{**each, "volume": each["volume"] and "mine"} for each in anonymous("/data")]
    assert mounts(None, volumes=named) == []


def test_an_anonymous_volume_in_the_place_of_a_declared_directory() -> None:
    """Provision replaces the container, and what is in the volume is lost then."""
    (found,) = mounts(None, [*DECLARED, "/srv/data:/data:rw"], volumes=anonymous("/data"))
    assert kinds([found]) == [("mounts", CRITICAL, "/data")]
    assert found.seen == "The container has the anonymous volume /var/lib/docker/v at /data; /srv/data is declared."
    assert (found.meaning, found.remedy.partition(":/data DIRECTORY")[0]) == (
        "What the server keeps there is lost with the container.",
        "Copy what is to stay with docker cp 0123456789abcdef",
    )


@pytest.mark.parametrize(
    ("source", "seen", "words"),
    [
        # Moved away, or something was mounted over it.
        (None, Directory((8, 200), True, False), "no longer exists on the host"),
        ((8, 999), Directory((8, 200), True, False), "is another directory on the host by now"),
        ((9, 200), Directory((8, 200), True, False), "is another directory on the host by now"),
    ],
)
def test_a_mount_that_was_changed_after_the_start(source: tuple[int, int] | None, seen: Directory | None, words: str) -> None:
    inside = Inside(directories={**INSIDE.directories, "/models": seen})
    (found,) = mounts(inside, sources={**SOURCES, MODELS: source})
    assert kinds([found]) == [("mounts", CRITICAL, "/models")]
    assert words in found.seen
    assert found.remedy.endswith(f"docker restart {CONTAINER['id']}.")


@pytest.mark.parametrize(("logs", "count"), [(LOGS, 0), (HOME, 0), ("/root/.xinference2/logs", 1), ("/var/log/xinference", 1), ("/models/../logs", 0)])
def test_logs_that_lie_in_no_mount(logs: str, count: int) -> None:
    found = mounts(logs=logs)
    assert kinds(found) == [("mounts", WARNING, logs)] * count


def test_a_container_without_mounts() -> None:
    found = mounts(Inside(), declared=[], volumes=None)
    assert kinds(found) == [("mounts", WARNING, LOGS)]


# Port.


def test_a_port_that_answers() -> None:
    assert check_port(CONTAINER, "127.0.0.1:9997", INSIDE, "") == []
    assert check_port(CONTAINER, "127.0.0.1:9997", None, "") == []


@pytest.mark.parametrize(
    ("published", "declared", "there", "meaning"),
    [
        (["0.0.0.0:9997"], "127.0.0.1:9997", "0.0.0.0:9997", "Every machine that reaches this host reaches the API."),
        (["[::]:9997", "10.0.0.1:1"], "127.0.0.1:9997", "[::]:9997, 10.0.0.1:1", "Every machine that reaches this host reaches the API."),
        (["127.0.0.1:9998"], "127.0.0.1:9997", "127.0.0.1:9998", "Clients do not find the API where it should be."),
        (["0.0.0.0:9998"], "0.0.0.0:9997", "0.0.0.0:9998", "Clients do not find the API where it should be."),
        ([], "127.0.0.1:9997", "no port at all", "Clients do not find the API where it should be."),
        (None, "127.0.0.1:9997", "no port at all", "Clients do not find the API where it should be."),
    ],
)
def test_another_port_than_declared(published: list[str] | None, declared: str, there: str, meaning: str) -> None:
    (found,) = check_port({**CONTAINER, "published": published}, declared, INSIDE, "")
    assert kinds([found]) == [("port", CRITICAL, declared)]
    assert found.seen == f"The container publishes {there}; {declared} is declared."
    assert found.meaning == meaning


def test_an_api_that_does_not_answer_inside() -> None:
    (found,) = check_port(CONTAINER, "127.0.0.1:9997", Inside(port="refused."), "no connection")
    assert kinds([found]) == [("port", CRITICAL, "9997")]
    assert found.seen == "Inside the container the API does not answer: refused."


def test_an_api_that_answers_inside_and_not_on_the_host() -> None:
    (found,) = check_port(CONTAINER, "127.0.0.1:9997", INSIDE, "no connection.")
    assert kinds([found]) == [("port", CRITICAL, "127.0.0.1:9997")]
    assert found.seen == "The API answers inside the container, but not on the host at 127.0.0.1:9997: no connection."
    # What is between the two is not known where the inside is not.
    (found,) = check_port(CONTAINER, "127.0.0.1:9997", None, "no connection")
    assert (found.severity, found.seen) == (CRITICAL, "The API does not answer on the host at 127.0.0.1:9997: no connection.")
    # Docker's name for every address.
    assert check_port({"published": ["[::]:9997"]}, "0.0.0.0:9997", INSIDE, "") == []


def test_an_api_that_the_controller_does_not_reach() -> None:
    assert check_from_controller("the proxy", "") == []
    (found,) = check_from_controller("the proxy", "timed\x1bout.\n")
    assert kinds([found]) == [("port", WARNING, "the proxy")]
    # An address that was named is a way.
    assert kinds(check_from_controller("the proxy", "timed out", declared=True)) == [("port", CRITICAL, "the proxy")]
    assert found.seen.isprintable()


# Owners, modes, and what the server may do.


def test_directories_that_differ() -> None:
    differing = [{"place": "/srv/a", "mode": "0700"}, {"place": "/srv/b", "mode": ""}]
    found = check_permissions(differing, {})
    assert kinds(found) == [("permissions", WARNING, "/srv/a"), ("permissions", WARNING, "/srv/b")]
    assert "(0700)" in found[0].seen
    assert "(its mode)" in found[1].seen


@pytest.mark.parametrize(
    ("mode", "severity"),
    [("0600", None), ("0400", None), ("0700", None), ("", None), ("0640", CRITICAL), ("0604", CRITICAL), ("0666", CRITICAL), ("0601", CRITICAL)],
)
def test_secrets_that_others_may_read(mode: str, severity: str | None) -> None:
    found = check_permissions([], {"/root/.xinference/auth/auth.db": mode})
    assert [each.severity for each in found] == ([severity] if severity else [])
    assert all(each.remedy == "chmod 0600 /root/.xinference/auth/auth.db" for each in found)


def test_a_server_that_can_read_and_write() -> None:
    assert check_access(CONTAINER, INSIDE, [], "enforcing") == []
    assert check_access(CONTAINER, None, [], "enforcing") == []
    assert check_access({}, INSIDE, [], "disabled") == []


@pytest.mark.parametrize(
    ("target", "directory", "words"),
    [
        (HOME, Directory((8, 100), False, True), "cannot read"),
        (HOME, Directory((8, 100), True, False), "cannot write"),
        ("/models", Directory((8, 200), False, False), "cannot read"),
    ],
)
def test_a_server_that_cannot(target: str, directory: Directory, words: str) -> None:
    (found,) = check_access(CONTAINER, Inside(directories={**INSIDE.directories, target: directory}), [], "disabled")
    assert kinds([found]) == [("permissions", CRITICAL, target)]
    assert words in found.seen


@pytest.mark.parametrize("mode", ["enforcing", "permissive", "disabled"])
def test_what_selinux_denied(mode: str) -> None:
    (found,) = check_access(CONTAINER, INSIDE, ["avc: denied { read }", "avc: denied { write }"], mode)
    assert kinds([found]) == [("permissions", WARNING, "SELinux")]
    assert f"SELinux ({mode}) denied containers something 2 times within the last day; the last one: avc: denied {{ write }}." in found.seen


def any_of(*values: Any) -> tuple[Any, ...]:
    """Values of any kinds."""
    return values


# What a container answers.


ANSWER: dict[str, Any] = {
    "port": "",
    "directories": {HOME: {"device": 8, "inode": 100, "readable": True, "writable": True}, "/models": None},
    "hub": {"name": "huggingface", "place": "huggingface.co:443", "trouble": "timed out"},
}


def test_an_answer() -> None:
    found = Inside.of(ANSWER, [HOME, "/models"])
    assert found == Inside("", {HOME: Directory((8, 100), True, True), "/models": None}, "huggingface", "huggingface.co:443", "timed out")
    assert Inside.of({**ANSWER, "hub": None}, []) == Inside("", {})


def test_no_other_directory_is_taken_than_was_asked_for() -> None:
    assert Inside.of(ANSWER, ["/etc"]).directories == {"/etc": None}


def test_only_true_is_a_permission() -> None:
    directories = {HOME: {"device": 8, "inode": 100, "readable": "yes", "writable": 1}}
    assert Inside.of({**ANSWER, "directories": directories}, [HOME]).directories == {HOME: Directory((8, 100), False, False)}


def test_words_of_an_answer_are_shown_without_escapes_or_end() -> None:
    hostile = "\x1b[2J\n\u202e" + "W" * 100_000
    found = Inside.of({"port": hostile, "directories": {}, "hub": {"name": hostile, "place": {"a": hostile}, "trouble": [hostile]}}, [])
    for shown in (found.port, found.hub, found.hub_place, found.hub_trouble):
        assert shown.isprintable()
        assert len(shown) <= 2000


@pytest.mark.parametrize(
    "answer",
    [
        *(None, True, 7, "text", [], {}, [ANSWER]),
        *({**ANSWER, "port": odd} for odd in any_of(None, 7, [], {}, True)),
        *({**ANSWER, "directories": odd} for odd in any_of(None, 7, [], "text", True)),
        *({**ANSWER, "directories": {HOME: odd}} for odd in any_of(True, 7, "text", [], {}, {"device": 8}, {"inode": 8})),
        *({**ANSWER, "directories": {HOME: {"device": 8, "inode": odd}}} for odd in any_of(None, "1", 1.5, float("inf"), [], {})),
        *({**ANSWER, "hub": odd} for odd in (True, 7, "text", [1])),
    ],
)
def test_an_answer_that_is_something_else(answer: Any) -> None:
    with pytest.raises(TypeError):
        Inside.of(answer, [HOME])
