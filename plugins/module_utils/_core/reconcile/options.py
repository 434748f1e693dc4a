# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options of a run, for module and service alike. Private to this collection."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..apply.context import Context, Waiting
from ..base.errors import DeclarationError
from ..base.messages import called
from ..host.docker import Deaths, deaths, engine_errors
from ..observed.last_applied import StateFile
from ..observed.models import Observed
from ..observed.server_files import ServerFiles
from ..plan.plan import PlanOptions
from ..server.rows import Progress

__all__ = ["ReconcileOptions", "files_of", "reconcile_options"]


@dataclass(frozen=True)
class ReconcileOptions:
    """What the operator wants of a run.

    :param choices: what holds for the whole list.
    :param waiting: how long to wait for models, in seconds, and what they must answer.
    :param check: predict only.
    :param download: get files from hubs ``first``, ``only``, or ``with_launch``.
    :param check_memory: refuse models that cannot fit.
    :param cores: processor cores that the server may use; None asks it.
    :param memory_mib: memory that it may use, in MiB; None asks it.
    :param server_files: the server's files, as far as this host sees them.
    :param file: where records go for a server without a launch history; by default nowhere.
    :param report: takes how far launches are, as of :class:`~.apply.context.Context`; None asks no server for it.
    :param deaths: what ended in the server's container so far; None where this host cannot see it.
    :param engine_errors: what the engines printed as errors since a second of the epoch; empty where this host cannot see it.
    :param workers: names of the workers that a cluster is to have; none for a server alone.
    :param names: what options are called in messages, as of :func:`~.base.messages.called`.
    :param store: called when nothing was refused, before anything is changed: stores the declaration for the service of the host.
    """

    choices: PlanOptions = field(default_factory=PlanOptions)
    waiting: Waiting = field(default_factory=Waiting)
    check: bool = False
    download: str = "with_launch"
    check_memory: bool = True
    cores: float | None = None
    memory_mib: int | None = None
    server_files: ServerFiles = field(default_factory=ServerFiles)
    file: StateFile = field(default_factory=lambda: StateFile(None))
    report: Callable[[str, str, Progress, float], None] | None = None
    deaths: Callable[[], Deaths | None] = lambda: None
    engine_errors: Callable[[int], list[str]] = lambda since: []
    workers: tuple[str, ...] = ()
    names: Mapping[str, str] = field(default_factory=dict)
    store: Callable[[], Any] = lambda: None

    def context(self, observed: Observed) -> Context:
        """What applying a plan needs besides the server."""
        return Context(observed, self.server_files, self.file, self.report, self.deaths, self.engine_errors)


_LEAST = {
    "wait_timeout": 0,
    "wait_sleep": 0.1,
    "max_concurrent_launches": 1,
    "smoke_test_timeout": 0.1,
    "progress_interval": 1,
    "cores": 0.1,
    "memory_mib": 1,
}


def files_of(given: Mapping[str, Any]) -> tuple[ServerFiles, StateFile]:
    """The server's files, as far as this host sees them, and the file with the records of older servers.

    :param given: options ``mounts``, ``home`` and ``state_path``.
    :raises DeclarationError: when a path is not absolute.
    """
    problems = []
    for inside, outside in given["mounts"].items():
        if not all(isinstance(path, str) and path.startswith("/") for path in (inside, outside)):
            problems.append(f"mounts '{inside}: {outside}' must hold two absolute paths, in the container and on this host.")
    if not given["home"].startswith("/"):
        problems.append(f"home '{given['home']}' must be an absolute path in the container.")
    if problems:
        raise DeclarationError(problems)
    return ServerFiles(given["mounts"], given["home"]), StateFile(given["state_path"])


def reconcile_options(given: Mapping[str, Any], check: bool = False) -> ReconcileOptions:
    """The options of a run, checked.

    :param given: options of module ``models``.
    :param check: predict only.
    :raises DeclarationError: when one of them is wrong.
    """
    names = given.get("option_names") or {}
    problems = [
        f"{called(name, names)} '{given[name]:g}' is too small; it must be at least {least:g}."
        for name, least in _LEAST.items()
        if given[name] is not None and given[name] < least
    ]
    if problems:
        raise DeclarationError(problems)
    server_files, file = files_of(given)
    container, docker_host = given["container"], given["docker_host"]
    return ReconcileOptions(
        choices=PlanOptions(exclusive=given["exclusive"], on_drift=given["on_drift"], autostart=given["autostart"]),
        waiting=Waiting(
            wait=given["wait"],
            timeout=given["wait_timeout"],
            sleep=given["wait_sleep"],
            at_once=given["max_concurrent_launches"],
            smoke=given["smoke_test"],
            answer=given["smoke_test_timeout"],
        ),
        check=check,
        download=given["download"],
        check_memory=given["check_memory"],
        cores=given["cores"],
        memory_mib=given["memory_mib"],
        server_files=server_files,
        file=file,
        # A declaration that an earlier version stored has none.
        workers=tuple(given.get("workers") or ()),
        names=names,
        deaths=(lambda: deaths(docker_host, container)) if container else (lambda: None),
        engine_errors=(lambda since: engine_errors(docker_host, container, since)) if container else (lambda since: []),
    )
