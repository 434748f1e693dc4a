# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the operator wants of a run, out of the options of module ``models``. Private to this collection.

For the module itself, and for the service that reads what the module left on the host.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .applied import StateFile
from .apply import Waiting
from .converge import Wishes
from .errors import DeclarationError
from .home import Home
from .host import deaths, engine_errors
from .plan import Choices
from .values import called

__all__ = ["server_files", "wishes_of"]

_LEAST = {
    "wait_timeout": 0,
    "wait_sleep": 0.1,
    "max_concurrent_launches": 1,
    "smoke_test_timeout": 0.1,
    "progress_interval": 1,
    "cores": 0.1,
    "memory_mib": 1,
}


def server_files(given: Mapping[str, Any]) -> tuple[Home, StateFile]:
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
    return Home(given["mounts"], given["home"]), StateFile(given["state_path"])


def wishes_of(given: Mapping[str, Any], check: bool = False) -> Wishes:
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
    home, file = server_files(given)
    container, docker_host = given["container"], given["docker_host"]
    return Wishes(
        choices=Choices(exclusive=given["exclusive"], on_drift=given["on_drift"], autostart=given["autostart"]),
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
        home=home,
        file=file,
        names=names,
        deaths=(lambda: deaths(docker_host, container)) if container else (lambda: None),
        engine_errors=(lambda since: engine_errors(docker_host, container, since)) if container else (lambda since: []),
    )
