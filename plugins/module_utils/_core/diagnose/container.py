# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is wrong with the container: its state, its mounts, its port, what it may write. Pure. Private to this collection."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

from ..base.messages import one_line
from .finding import CRITICAL, NOTE, WARNING, Finding

__all__ = ["Directory", "Inside", "check_access", "check_container", "check_from_controller", "check_mounts", "check_permissions", "check_port"]

_EVERY_ADDRESS = "0.0.0.0"  # noqa: S104 - compared, not bound
#: Names that Docker gives to volumes that nobody named.
_ANONYMOUS = re.compile(r"[0-9a-f]{64}")
#: What a state means, and what to do.
_STATES = {
    "absent": ("There is no container '{}'.", "Run provision."),
    "exited": ("The container has ended.", "Run provision, which starts it; docker logs {} shows why it ended."),
    "paused": ("The container is paused.", "Run provision, or docker unpause {}."),
    "restarting": ("The container ends again and again.", "Look for the reason with docker logs {}."),
    "created": ("The container was never started.", "Run provision."),
    "dead": ("Docker could not remove the container.", "Look into Docker's own log, and restart Docker."),
    "removing": ("The container is being removed.", "Wait, and run provision."),
}
_NOTHING_ANSWERS = "No model answers."


@dataclass(frozen=True)
class Directory:
    """A directory as the container sees it.

    :param identity: device and inode.
    :param readable: whether the server can read it.
    :param writable: whether it can write it.
    """

    identity: tuple[int, int]
    readable: bool
    writable: bool


@dataclass(frozen=True)
class Inside:
    """What the container sees, as it says itself.

    :param port: why the server does not answer on its port inside; empty where it does.
    :param directories: path → what it is; None where there is none.
    :param hub: name of the hub; empty where it was not reached for.
    :param hub_place: host and port that were tried.
    :param hub_trouble: why it cannot be reached; empty where it can.
    """

    port: str = ""
    directories: Mapping[str, Directory | None] = field(default_factory=dict)
    hub: str = ""
    hub_place: str = ""
    hub_trouble: str = ""

    @classmethod
    def of(cls, answer: Any, asked: Sequence[str]) -> Inside:
        """What the program answered.

        :param answer: decoded.
        :param asked: the paths that it was asked for; no others are taken.
        :raises TypeError: when it is something else than was asked for.
        """
        if not isinstance(answer, dict) or not isinstance(answer.get("port"), str) or not isinstance(answer.get("directories"), dict):
            raise TypeError
        hub = answer.get("hub") or {}
        if not isinstance(hub, dict):
            raise TypeError
        return cls(
            port=one_line(answer["port"]),
            directories={path: _directory(answer["directories"].get(path)) for path in asked},
            **{name: one_line(str(hub.get(key) or "")) for name, key in (("hub", "name"), ("hub_place", "place"), ("hub_trouble", "trouble"))},
        )


def _directory(found: Any) -> Directory | None:
    """One directory of the answer.

    :raises TypeError: when it is something else.
    """
    if found is None:
        return None
    if not isinstance(found, dict) or not all(isinstance(found.get(name), int) for name in ("device", "inode")):
        raise TypeError
    return Directory((found["device"], found["inode"]), found.get("readable") is True, found.get("writable") is True)


def check_container(docker: Mapping[str, Any], name: str, port: int | None = None) -> list[Finding]:
    """Whether Docker answers, and the container runs and is healthy.

    :param docker: facts of Docker.
    :param name: of the container.
    :param port: of this host that it is to have; None for any.
    """
    if not docker["reachable"]:
        seen = f"No Docker Engine answers: {one_line(str(docker['error'])).rstrip('.')}."
        return [
            Finding(
                "docker", CRITICAL, "docker", seen, _NOTHING_ANSWERS, "Start it with systemctl start docker, and look for the reason with journalctl -u docker."
            )
        ]
    found = []
    container = docker["container"] or {}
    state = str(container.get("status") or "absent")
    if state in _STATES:
        words, remedy = _STATES[state]
        found.append(Finding("container", CRITICAL, name, words.format(name), _NOTHING_ANSWERS, remedy.format(name)))
    health = container.get("health") if state == "running" else None
    says = f": {container['health_says'].rstrip('.')}" if container.get("health_says") else ""
    if health == "unhealthy":
        meaning = "The server does not answer, or has no worker, so that no model can be launched."
        found.append(Finding("container", CRITICAL, name, f"The container's health check fails{says}.", meaning, f"docker restart {name}"))
    elif health == "starting":
        found.append(Finding("container", NOTE, name, "The container has just been started, and is not healthy yet.", "", "Wait a minute, and diagnose again."))
    if int(container.get("restarts") or 0) > 0:
        seen = f"Docker has started the container again {container['restarts']} times since it was made."
        found.append(Finding("container", NOTE, name, seen, "The server ended by itself, or was killed.", f"Look for the reason with docker logs {name}."))
    stale = [held for held in docker["stale_ports"] if port in (None, held)]
    if stale:
        seen = f"Docker holds port {', '.join(map(str, stale))} for a container that does not run."
        found.append(Finding("docker", CRITICAL, name, seen, "The container cannot be started.", "systemctl restart docker"))
    if docker["interrupted"]:
        seen = "A run replaced the container and did not end."
        found.append(Finding("container", WARNING, name, seen, "The container of before is kept, stopped.", "Run provision, which ends it."))
    return found


def check_mounts(
    container: Mapping[str, Any], declared: Sequence[str], inside: Inside | None, sources: Mapping[str, tuple[int, int] | None], logs: str
) -> list[Finding]:
    """Whether the container sees the directories that it should.

    :param container: facts of the container.
    :param declared: mounts as Docker writes them, ``source:target:rw``.
    :param inside: what it sees itself; None where that is not known.
    :param sources: source → device and inode that it has on the host now.
    :param logs: the server's directory for logs, inside the container.
    """
    found = []
    volumes = {str(volume["target"]): volume for volume in container.get("volumes") or []}
    wanted = {target: source for source, target, _mode in (mount.rsplit(":", 2) for mount in declared)}
    for target, source in wanted.items():
        there = volumes.get(target)
        if there is None:
            meaning = f"What the server keeps in {target} is lost with the container."
            found.append(Finding("mounts", CRITICAL, target, f"The container has no mount at {target}; {source} is declared.", meaning, "Run provision."))
        elif there["source"] != source:
            meaning, remedy = "The server sees other files than you think.", "Run provision, or correct xinference_volumes."
            which = "the anonymous volume " if _ANONYMOUS.fullmatch(str(there["volume"])) else ""
            if which:
                meaning = "What the server keeps there is lost with the container."
                remedy = f"Copy what is to stay with docker cp {container.get('id')}:{target} DIRECTORY, and then run provision, which replaces the container."
            found.append(Finding("mounts", CRITICAL, target, f"The container has {which}{there['source']} at {target}; {source} is declared.", meaning, remedy))
    for target, volume in volumes.items():
        if _ANONYMOUS.fullmatch(str(volume["volume"])) and target not in wanted:
            seen = f"{target} is an anonymous volume of Docker."
            meaning = "Another container gets another one, without the files in it."
            found.append(Finding("mounts", WARNING, target, seen, meaning, f"Give {target} an entry in xinference_volumes."))
    for target, volume in volumes.items():
        # One that the server's user cannot reach is none of this.
        seen_inside = inside.directories.get(target) if inside is not None else None
        identity = sources.get(volume["source"])
        if seen_inside is not None and seen_inside.identity != identity:
            hidden = "no longer exists on the host" if identity is None else "is another directory on the host by now"
            seen = f"{volume['source']}, which the container has at {target}, {hidden}: something was mounted, moved or removed there after it was started."
            meaning = "The server and the host see different files; a restart changes what the server sees."
            found.append(
                Finding(
                    "mounts", CRITICAL, target, seen, meaning, f"Mount or move it back, or restart the container with docker restart {container.get('id')}."
                )
            )
    if not any(PurePosixPath(target) in (PurePosixPath(logs), *PurePosixPath(logs).parents) for target in volumes):
        seen = f"The server's logs in {logs} lie in no mount."
        found.append(Finding("mounts", WARNING, logs, seen, "They are lost with the container.", f"Give {logs} an entry in xinference_volumes."))
    return found


def check_port(container: Mapping[str, Any], declared: str, inside: Inside | None, from_host: str) -> list[Finding]:
    """Whether the API answers inside the container and on the host, where it was declared.

    :param container: facts of the container, which runs.
    :param declared: address and port on which the server is to be published, such as ``127.0.0.1:9997``.
    :param inside: what the container sees.
    :param from_host: why the server does not answer on the host; empty where it does, or was not asked.
    """
    found = []
    published = list(container.get("published") or [])
    # Docker calls every address of both families so.
    if declared not in published and declared.replace(_EVERY_ADDRESS, "[::]") not in published:
        there = ", ".join(published) or "no port at all"
        seen = f"The container publishes {there}; {declared} is declared."
        open_wide = any(each.startswith(("0.0.0.0:", "[::]:")) for each in published) and not declared.startswith(("0.0.0.0:", "[::]:"))
        meaning = "Every machine that reaches this host reaches the API." if open_wide else "Clients do not find the API where it should be."
        found.append(Finding("port", CRITICAL, declared, seen, meaning, "Run provision, which makes the container again."))
    if inside is not None and inside.port:
        seen = f"Inside the container the API does not answer: {inside.port.rstrip('.')}."
        found.append(
            Finding("port", CRITICAL, "9997", seen, "The server has not started yet, hangs, or has ended.", "Look into its log, or restart the container.")
        )
    elif inside is None and from_host:
        seen = f"The API does not answer on the host at {declared}: {from_host.rstrip('.')}."
        found.append(Finding("port", CRITICAL, declared, seen, "The server has not started yet, hangs, or has ended.", "Restart the container."))
    elif from_host:
        seen = f"The API answers inside the container, but not on the host at {declared}: {from_host.rstrip('.')}."
        found.append(Finding("port", CRITICAL, declared, seen, "Something between host and container takes it.", "Check the firewall, and restart Docker."))
    return found


def check_from_controller(what: str, trouble: str, *, declared: bool = False) -> list[Finding]:
    """Whether the API can be reached from another machine.

    :param what: that the controller connected to.
    :param trouble: why that failed; empty where it did not.
    :param declared: whether the operator named the address that it connected to. Another one may be no way for anybody.
    """
    if not trouble:
        return []
    seen = f"The controller does not reach {what}: {one_line(trouble).rstrip('.')}."
    return [
        Finding(
            "port",
            CRITICAL if declared else WARNING,
            what,
            seen,
            "Nor do other machines that come the same way.",
            "Check the firewalls of this host and on the way to it.",
        )
    ]


def check_permissions(differing: Sequence[Mapping[str, Any]], secrets: Mapping[str, str]) -> list[Finding]:
    """Whether owner and modes are as declared.

    :param differing: directories of the tree whose owner or mode differs from the declared one, each with ``place`` and ``mode``.
    :param secrets: file with accounts or keys → its mode.
    """
    found = []
    for each in differing:
        seen = f"{each['place']} is missing, or differs in owner or mode from the declared tree ({each.get('mode') or 'its mode'})."
        found.append(Finding("permissions", WARNING, str(each["place"]), seen, "The server may not write there, or others may read it.", "Run provision."))
    for path, mode in secrets.items():
        if mode and int(mode, 8) & 0o077:
            seen = f"{path} has mode {mode}, so that others than its owner can read it."
            found.append(Finding("permissions", CRITICAL, path, seen, "It holds accounts or keys.", f"chmod 0600 {path}"))
    return found


def check_access(container: Mapping[str, Any], inside: Inside | None, denials: Sequence[str], selinux: str) -> list[Finding]:
    """Whether the server can read and write what it must.

    :param container: facts of the container.
    :param inside: what it sees; None where that is not known.
    :param denials: what SELinux denied.
    :param selinux: enforcing, permissive or disabled.
    """
    found = []
    for volume in container.get("volumes") or []:
        there = inside.directories.get(str(volume["target"])) if inside is not None else None
        if there is not None and (not there.readable or not (there.writable or volume["read_only"])):
            cannot = "read" if not there.readable else "write"
            seen = f"The server cannot {cannot} {volume['target']} ({volume['source']} of the host)."
            found.append(
                Finding("permissions", CRITICAL, str(volume["target"]), seen, "Launches and downloads fail.", "Run provision, or correct owner and mode.")
            )
    if denials:
        seen = f"SELinux ({selinux}) denied containers something {len(denials)} times within the last day; the last one: {denials[-1]}."
        found.append(Finding("permissions", WARNING, "SELinux", seen, "Files have another label than containers may use.", "Run provision, which labels them."))
    return found
