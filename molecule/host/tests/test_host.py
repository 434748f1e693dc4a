# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A machine that had nothing, seen from outside."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
import testinfra
from checks import Serving

SUITE = os.environ.get("XINFERENCE_TEST_SUITE", "bookworm")


class TestServing(Serving):
    """What holds for every provisioned host."""

    @pytest.fixture
    def container_root(self, host: Any) -> int:
        """Docker maps the users of its containers."""
        return mapped_root(host)


def mapped_root(host: Any) -> int:
    """Number that root of the container has on the host."""
    pid = engine(host, "/containers/xinference/json")["State"]["Pid"]
    ((inside, outside, _count),) = [line.split() for line in host.check_output(f"cat /proc/{pid}/uid_map").splitlines()]
    assert inside == "0"
    return int(outside)


def engine(host: Any, path: str) -> Any:
    """The engine's answer. Debian 13 has the command docker in a package of its own, which nothing of ours needs."""
    return json.loads(host.check_output(f"curl --silent --fail --unix-socket /run/docker.sock http://localhost{path}"))


def test_machine_is_the_one_that_was_asked_for(host: Any) -> None:
    assert host.system_info.codename == SUITE


def test_engine_is_the_distributions_and_starts_at_boot(host: Any) -> None:
    assert host.package("docker.io").is_installed
    assert host.package("apparmor").is_installed
    assert host.service("docker").is_running
    assert host.service("docker").is_enabled


def test_engine_bounds_the_logs_of_every_container(host: Any) -> None:
    settings = json.loads(host.file("/etc/docker/daemon.json").content_string)
    assert settings["log-opts"] == {"max-file": "4", "max-size": "8m"}
    assert settings["live-restore"] is True


def test_settings_that_were_there_are_kept() -> None:
    """On the second machine, whose Docker was configured before it was installed."""
    other = testinfra.get_host("docker://xinference-molecule-configured")
    settings = other.file("/etc/docker/daemon.json")
    assert json.loads(settings.content_string) == {"log-driver": "json-file", "log-opts": {"max-size": "1m"}, "labels": ["made=by-hand"]}
    assert settings.mode == 0o600
    assert other.service("docker").is_running
    assert engine(other, "/info")["Labels"] == ["made=by-hand"]


def test_client_has_an_environment_of_its_own(host: Any) -> None:
    version = host.check_output("/opt/xinference-client/bin/python -c 'import xinference_client; print(xinference_client.__version__)'")
    assert version == "4.1.0"
    shipped = Path(__file__).parents[3] / "roles/_common/files/client-4.1.0.txt"
    assert host.file("/opt/xinference-client/requirements.installed").content_string == shipped.read_text(encoding="utf-8")


def test_memory_limit_leaves_something_to_the_host(host: Any) -> None:
    total = int(host.check_output("awk '/MemTotal/ {print $2}' /proc/meminfo")) // 1024
    limit = engine(host, "/containers/xinference/json")["HostConfig"]["Memory"] // 1024**2
    assert total - limit in range(1024, max(1024, total // 10) + 2)


def test_accounts_are_readable_by_root_only(host: Any) -> None:
    assert host.run("setpriv --reuid 65534 --clear-groups cat /srv/xinference_data/.xinference/auth/auth.db").rc != 0


def test_load_balancers_ask_where_the_declaration_says(host: Any) -> None:
    assert host.check_output("curl -s -o /dev/null -w '%{http_code}' http://127.0.0.2:9900/live") == "200"
    listening = [line for line in host.socket.get_listening_sockets() if line.endswith((":9900", ":9998"))]
    assert listening == ["tcp://127.0.0.2:9900"]


def test_root_of_the_container_is_nobody_in_particular_on_the_host(host: Any) -> None:
    """As xinference_docker_userns_remap has it, which Debian 11 cannot have with this tree."""
    first = mapped_root(host)
    assert first == 0 if SUITE == "bullseye" else first > 60000
    # The one file that keeps a directory from being empty is not the server's.
    owners = set(host.check_output("find /srv/xinference_data/.xinference /srv/xinference_data/logs ! -name .keep -printf '%U\\n'").split())
    # Where users are not mapped, what lay there before stays with the user whose it was.
    assert owners == {str(first), *(["5"] if SUITE == "bullseye" else [])}
    assert host.file("/srv/xinference_data/.xinference/kept.txt").content_string == "made by hand"
    # The data root and the models are the host's.
    assert [host.file(f"/srv/xinference_data{path}").uid for path in ("", "/models")] == [0, 0]
