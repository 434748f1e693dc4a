# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a host is and has, read in one go without changing it. Private to this collection.

Standard library only: it runs on a host before anything is installed there.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import platform
import sys
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from .client_environment import Run, client_facts
from .declaration_file import stored_uids
from .docker_facts import docker_facts
from .firewall_facts import firewall_facts
from .listeners import can_listen, listeners
from .paths import mounted, path_facts
from .server_data import cluster_key, server_environment, user_facts
from .units import backup_facts, proxy_facts, service_facts
from .versions import upgrade_facts

__all__ = ["gather"]

#: The distribution's interpreter, and where Debian and Ubuntu put packages for it.
_USUAL_PYTHON, _DISTRIBUTION_PACKAGES = "/usr/bin/python3", "/usr/lib/python3/dist-packages"


def _memory() -> dict[str, int]:
    """Memory and swap in MiB."""
    values: dict[str, int] = {}
    try:
        for line in Path("/proc/meminfo").read_text(encoding="utf-8").splitlines():
            key, _colon, rest = line.partition(":")
            values[key] = int(rest.split()[0]) // 1024
    except (OSError, ValueError, IndexError):
        pass
    return {"total_mib": values.get("MemTotal", 0), "available_mib": values.get("MemAvailable", 0), "swap_mib": values.get("SwapTotal", 0)}


def _selinux() -> str:
    """``enforcing``, ``permissive`` or ``disabled``."""
    try:
        return "enforcing" if Path("/sys/fs/selinux/enforce").read_text(encoding="ascii").strip() == "1" else "permissive"
    except OSError:
        return "disabled"


def _distribution() -> dict[str, Any]:
    """``id``, ``version`` and ``like`` of /etc/os-release."""
    values: dict[str, str] = {}
    for line in Path("/etc/os-release").read_text(encoding="utf-8").splitlines() if Path("/etc/os-release").exists() else []:
        key, _equals, value = line.partition("=")
        values[key] = value.strip().strip("\"'")
    return {"id": values.get("ID", "unknown"), "version": values.get("VERSION_ID", ""), "like": values.get("ID_LIKE", "").split()}


def _python() -> dict[str, Any]:
    """The interpreter that runs this, and what it can import."""
    usual = os.path.realpath(_USUAL_PYTHON) == os.path.realpath(sys.executable)
    base = getattr(sys, "_base_executable", None) or sys.executable
    return {
        "version": platform.python_version(),
        # That of the distribution by the name that it keeps when it is upgraded: units go on with it.
        "executable": _USUAL_PYTHON if usual and sys.prefix == sys.base_prefix else sys.executable,
        "prefix": sys.base_prefix,
        # A virtual environment of it sees what the distribution installs only if it was asked to.
        "distribution": os.path.realpath(base) == os.path.realpath(_USUAL_PYTHON) and (sys.prefix == sys.base_prefix or _DISTRIBUTION_PACKAGES in sys.path),
        "cryptography": _imports("cryptography.x509"),
        "packaging": _imports("packaging.version"),
        "requests": _imports("requests"),
        # The standard library, of which distributions leave this part out; to import it is not what it is for.
        "venv": importlib.util.find_spec("ensurepip") is not None,
    }


def _imports(name: str) -> bool:
    """Whether a module can be imported; that there is a directory of its name proves little."""
    try:
        importlib.import_module(name)
    except Exception:
        # Libraries of another version raise anything.
        return False
    return True


def gather(
    *,
    docker_host: str,
    container: str | None,
    image: str | None,
    paths: Iterable[str],
    client_environment: str | None,
    addresses: Iterable[str] = (),
    data_root: str | None = None,
    users_database: str | None = None,
    server_environment_file: str | None = None,
    declaration: str | None = None,
    log_lines: int = 0,
    service: Mapping[str, Any] | None = None,
    proxy: Mapping[str, Any] | None = None,
    firewall: Mapping[str, Any] | None = None,
    backup: Mapping[str, Any] | None = None,
    upgrade: str | None = None,
    run: Run | None = None,
) -> dict[str, Any]:
    """Everything that the roles want to know about a host.

    :param docker_host: address of Docker's socket.
    :param container: name of the container.
    :param image: reference of the image.
    :param paths: paths to describe.
    :param client_environment: directory of the virtual environment with the client.
    :param addresses: IP addresses to check: can this host listen on them?
    :param data_root: directory in which the server's container can write; no link in it is followed for the two files.
    :param users_database: the server's file with its accounts.
    :param server_environment_file: the server's file with secrets.
    :param declaration: file with the host's stored declaration.
    :param log_lines: number of lines of the container's log to return.
    :param service: arguments of :func:`service_facts`; None asks for none.
    :param proxy: arguments of :func:`proxy_facts`; None asks for none.
    :param firewall: arguments of :func:`firewall_facts`; None asks for none.
    :param backup: arguments of :func:`backup_facts`; None asks for none.
    :param upgrade: directory with the record of versions; None asks for none.
    :param run: runs a command; without it no unit and no firewall is known.
    :returns: the facts, with sizes in MiB.
    """
    mounts = mounted()
    return {
        "asked": {"docker_host": docker_host, "container": container, "image": image, "client_environment": client_environment, "data_root": data_root},
        "architecture": platform.machine(),
        "processors": len(os.sched_getaffinity(0)),
        "memory": _memory(),
        "distribution": _distribution(),
        "selinux": _selinux(),
        "administrator": os.geteuid() == 0,
        "python": _python(),
        "docker": docker_facts(docker_host, container, image, log_lines),
        "listeners": [asdict(listener) for listener in listeners()],
        "addresses": {address: can_listen(address) for address in addresses},
        "paths": {path: path_facts(path, mounts) for path in paths},
        **client_facts(client_environment, run),
        "users": user_facts(users_database, data_root) if users_database else None,
        "server_environment": server_environment(server_environment_file, data_root) if server_environment_file else {},
        "cluster_key": cluster_key(server_environment_file, data_root) if server_environment_file else "",
        "declared": stored_uids(declaration),
        "service": service_facts(**service, client_environment=client_environment, run=run) if service else None,
        "proxy": proxy_facts(**proxy, run=run) if proxy else None,
        "firewall": firewall_facts(**firewall, run=run) if firewall and run else None,
        "backup": backup_facts(**backup, run=run) if backup else None,
        "upgrade": upgrade_facts(upgrade) if upgrade else None,
    }
