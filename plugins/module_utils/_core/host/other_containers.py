# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a container keeps that the roles did not make, and the containers beside ours. Standard library only. Private to this collection."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

from .docker import environment_of

__all__ = ["OURS", "keeps", "neighbours", "of_processes"]

#: Label of what the roles made.
OURS = "io.inferops.collection"
_HOME = "XINFERENCE_HOME"
#: Variables that move downloads to another directory.
_CACHES = ("HF_HOME", "HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "MODELSCOPE_CACHE")
_PLACES = (_HOME, "HOME", *_CACHES)
_ROOTS = frozenset({"", "0", "root", "0:0", "root:root", "0:root", "root:0"})
#: A process may write into its own environment what it likes, and the value stands in sentences.
_PATH = re.compile(r"/[^\x00-\x1f\x7f]*")
_SERVER = re.compile(r"\bxinference(-local|-supervisor|-worker)?\b")
#: The port that a server's command names.
_PORT = re.compile(r"(?:^|\s)(?:-p|--port)[ =]*(\d{1,5})\b")


def of_processes(environment: bytes) -> dict[str, str]:
    """Of the environment of a process, as the kernel shows it, what moves a server's files; nothing else of it, because it may hold secrets."""
    pairs = (entry.partition("=") for entry in environment.decode("utf-8", "replace").split("\0"))
    return {name: value for name, _equals, value in pairs if name in _PLACES and _PATH.fullmatch(value)}


def _environment(found: Mapping[str, Any]) -> dict[str, str]:
    """Where a server's files are, by a container's description."""
    return {name: value for name, value in environment_of(found).items() if name in _PLACES and _PATH.fullmatch(value)}


def keeps(found: Mapping[str, Any], running: Mapping[str, str], empty: Callable[[str], bool]) -> dict[str, Any]:
    """What a container keeps, and where.

    :param found: Docker's description of it.
    :param running: :func:`of_processes` of its first process; empty where it does not run.
    :param empty: whether a path of the host holds nothing.
    :returns: ``ours`` (whether the roles made it), ``home`` (directory of its server, inside it), ``caches`` (variables that move its downloads, by name),
        ``user`` (that it runs as), ``volumes`` (of each directory or file of the host that it sees ``source``, ``real``, the same without links, ``target``,
        ``read_only``, ``volume``, the name of Docker's volume or empty, and ``empty``).
    """
    config = found.get("Config") or {}
    environment = {**_environment(found), **running}
    user = str(config.get("User") or "")
    # Docker takes it from the image's list of users, where it has one.
    own = environment.get("HOME") or ("/root" if user in _ROOTS else "/")
    volumes = []
    for mount in found.get("Mounts") or []:
        source, target = str(mount.get("Source") or ""), str(mount.get("Destination") or "")
        if mount.get("Type", "bind") in ("bind", "volume") and source.startswith("/") and target.startswith("/"):
            kept = {"source": source, "real": os.path.realpath(source), "target": str(PurePosixPath(target)), "read_only": not mount.get("RW")}
            name = str(mount.get("Name") or "") if mount.get("Type") == "volume" else ""
            volumes.append({**kept, "volume": name, "empty": empty(source)})
    return {
        "ours": OURS in (config.get("Labels") or {}),
        "home": os.path.normpath(environment.get(_HOME) or f"{own.rstrip('/')}/.xinference"),
        "caches": {name: environment[name] for name in _CACHES if environment.get(name)},
        "user": user,
        "volumes": sorted(volumes, key=lambda volume: str(volume["target"])),
    }


def neighbours(listed: Sequence[Mapping[str, Any]], own: Collection[str]) -> list[dict[str, Any]]:
    """The containers that run beside ours.

    :param listed: Docker's list of those that run.
    :param own: names of ours, which are left out.
    :returns: of each ``name``, ``image``, ``xinference`` (whether it runs that), ``ports`` (of the host that it has, each with ``address`` and ``port``) and
        ``sources`` (what it sees of the host).
    """
    found = []
    for each in listed:
        name = next((str(name).lstrip("/") for name in each.get("Names") or [] if str(name).count("/") == 1), "")
        if not name or name in own:
            continue
        command, image = str(each.get("Command")), str(each.get("Image"))
        serves = bool(_SERVER.search(command) or _SERVER.search(image.rpartition("/")[2]))
        ports = {(str(port.get("IP") or "::"), int(port["PublicPort"])) for port in each.get("Ports") or [] if port.get("PublicPort")}
        if serves and (each.get("HostConfig") or {}).get("NetworkMode") == "host":
            # Of one in the host's network Docker knows no ports.
            chosen = _PORT.search(command)
            ports.add(("::", int(chosen[1]) if chosen else 9997))
        found.append(
            {
                "name": name,
                "image": image,
                "xinference": serves,
                "ports": [{"address": address, "port": port} for address, port in sorted(ports)],
                "sources": sorted(str(mount["Source"]) for mount in each.get("Mounts") or [] if mount.get("Source")),
            }
        )
    return sorted(found, key=lambda other: str(other["name"]))
