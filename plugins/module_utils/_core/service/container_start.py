# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Starting the server's container when it was killed, or when nothing but that helps. Private to this collection.

Docker takes a container that was killed for one that was stopped, and does not start it again. A server before 4.1 whose inner process died goes on
answering errors for ever. Who may talk to Docker may do everything on a host, so the service does not: it asks for this one thing through a file that
systemd watches, and a unit of root does it and ends. Each time it also writes down what Docker says of the container, for who may not ask Docker.
"""

from __future__ import annotations

import argparse
import calendar
import contextlib
import os
import signal
import time
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote

from ..base.journal import log
from ..host.docker import KILLED, DockerSocket
from ..host.docker_facts import REPLACEMENT
from ..host.resource_usage import memory_cgroup
from ..host.versions import upgrade_facts
from ..server.advisories import number
from . import container_report

__all__ = ["bring_back", "inspect", "main", "only_inspects"]

#: Seconds that a container runs at least before it is restarted, so that none is restarted over and over.
_SETTLED = 300.0
#: Exit codes of a server that ended in good order: by itself, or by the signal for it.
_IN_GOOD_ORDER = (0, 128 + signal.SIGINT, 128 + signal.SIGTERM)
#: Seconds in which a replacement takes the place of a container, at most.
_REPLACING = 900.0
#: Seconds for which Docker lets it end by itself.
_STOPPING = 30


def bring_back(docker: DockerSocket, container: str, clock: Callable[[], float] = time.time) -> str:
    """Start a container that was killed, or was made and never started, and restart one that its own health check gave up; any other is left as it is.

    :param docker: Docker of this host.
    :param container: name of the container.
    :param clock: seconds since the epoch.
    :returns: what was found and done, for the journal.
    :raises OSError: when Docker does not answer.
    """
    route = f"/containers/{quote(container, safe='')}"
    found = docker.get(f"{route}/json")
    if found is None:
        return f"there is no container {container}; provision this host again"
    # Its files may be on their way to another user. What a run left that was killed is older.
    taking = docker.get(f"{route}{REPLACEMENT}/json")
    if taking is not None and clock() - _seconds(str(taking.get("Created"))) < _REPLACING:
        return f"container {container} is being replaced; nothing to do"
    state = found["State"]
    if state["Status"] == "running" and (state.get("Health") or {}).get("Status") == "unhealthy":
        age = clock() - _seconds(state["StartedAt"])
        if age < _SETTLED:
            return f"container {container} is unhealthy, and was started {age:.0f} s ago; it is restarted after {_SETTLED:.0f} s at the earliest"
        docker.send(f"{route}/restart?t={_STOPPING}", timeout=_STOPPING + 60.0)
        return f"container {container} was unhealthy, and its server of no use; restarted it"
    reason = _left_alone(state)
    if reason:
        return f"container {container} {reason}"
    docker.send(f"{route}/start")
    return f"container {container} was {'killed' if state['Status'] == 'exited' else 'never started'}; started it"


def _left_alone(state: Mapping[str, Any]) -> str:
    """Why a container is not started; empty where it is."""
    if state["Status"] not in ("created", "exited"):
        return f"is {state['Status']}; nothing to do"
    # Docker's word on memory would be about any process of the container, at any time before.
    if state["Status"] == "exited" and state["ExitCode"] != KILLED:
        # Docker itself restarts one that ends by itself. It does not restart this one, because a command ended it.
        how = "was stopped in good order" if state["ExitCode"] in _IN_GOOD_ORDER else "was stopped, and did not end in good order"
        return f"{how} (exit code {state['ExitCode']}), so it stays down"
    return ""


def _seconds(stamp: str) -> float:
    """A time as Docker writes it, such as ``2026-01-31T12:00:00.123456789Z``, in whole seconds since the epoch."""
    return float(calendar.timegm(time.strptime(stamp[:19], "%Y-%m-%dT%H:%M:%S")))


def _mark(path: str | None) -> int:
    """When a file was touched last, in nanoseconds; 0 where there is none. The service owns it, so no link is followed."""
    with contextlib.suppress(OSError):
        if path is not None:
            return os.lstat(path).st_mtime_ns
    return 0


def only_inspects(call: str | None, inspected: str | None, report: str | None) -> bool:
    """Whether the service asks for a report, and for nothing else: its server answers, whatever Docker takes the container for.

    :param call: file that it touches when the container is to be started.
    :param inspected: file that it touches when it is only to be inspected.
    :param report: file with the last report.
    """
    asked, before = _mark(inspected), container_report.kept(report)
    # Whoever starts the unit by hand finds nothing new, and the container is started where it has to be.
    return asked > _mark(call) and (before is None or asked != before.seen)


def _version(found: Mapping[str, Any], versions: str | None) -> str:
    """Version of the server in a container: as it was recorded for this very image, else as the image's tag says; empty where neither does.

    :param found: what Docker says of it.
    :param versions: directory with the record of versions; None for none.
    """
    recorded = upgrade_facts(versions)["versions"] if versions is not None else None
    if recorded and recorded["image_id"] == found.get("Image") and number(recorded["server"]):
        return str(recorded["server"])
    tag = str((found.get("Config") or {}).get("Image", "")).rpartition("/")[2].partition("@")[0].partition(":")[2]
    version = number(tag)
    return ".".join(map(str, version)) if version else ""


def inspect(docker: DockerSocket, container: str, path: str, versions: str | None, seen: int) -> None:
    """Write down what Docker says of a container.

    :param docker: Docker of this host.
    :param container: name of the container.
    :param path: of the report; its counts go on from what it said before.
    :param versions: directory with the record of versions; None for none.
    :param seen: the mark of the file by which the service asked.
    :raises OSError: when Docker does not answer, or the report cannot be written.
    """
    found = docker.get(f"/containers/{quote(container, safe='')}/json")
    if found is None:
        return
    state = found["State"]
    # Docker writes the year 1 for never.
    started = max(_seconds(str(state.get("StartedAt"))), 0.0)
    cgroup = memory_cgroup(int(state["Pid"])) if state.get("Pid") else None
    before, version = container_report.kept(path), _version(found, versions)
    container_report.keep(path, container_report.renewed(before, found, started=started, cgroup=cgroup, version=version, seen=seen))


def main(arguments: list[str]) -> int:
    """Command line of the unit that starts the container; writes what it did into a line of the journal."""
    parser = argparse.ArgumentParser(prog="start", description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--docker-host", required=True, help="address of Docker's socket")
    parser.add_argument("--container", required=True, help="name of the server's container")
    parser.add_argument("--call", help="file that the service touches when the container is to be started")
    parser.add_argument("--inspect", help="file that the service touches when the container is only to be reported on")
    parser.add_argument("--report", help="file to write what Docker says of the container")
    parser.add_argument("--versions", help="directory with the record of the server's version")
    chosen = parser.parse_args(arguments)
    docker = DockerSocket(chosen.docker_host)
    seen = _mark(chosen.inspect)
    try:
        if not only_inspects(chosen.call, chosen.inspect, chosen.report):
            log(bring_back(docker, chosen.container))
    except OSError as error:
        log(f"Docker does not answer: {error.strerror or error}")
        return 1
    try:
        if chosen.report is not None:
            inspect(docker, chosen.container, chosen.report, chosen.versions, seen)
    except OSError as error:
        log(f"what Docker says of the container cannot be written down: {error.strerror or error}")
        return 1
    return 0
