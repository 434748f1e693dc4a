# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Replaces the server's container by another one, and goes back to the one before where the new one never gets healthy. Private to this collection.

Up to three containers take part: the one of the name, a ``replacement`` that was created and never started, and ``previous``, the one of before, stopped.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from ..base.errors import XinferenceError
from .docker import DockerSocket
from .docker_facts import PREVIOUS, REPLACEMENT, container_facts, is_named

__all__ = ["Container", "NotHealthy", "docker_words", "lock_path"]

#: Directory of the lock.
_LOCKS = "/run"
#: Seconds for which Docker lets a container end by itself, and between two polls of one.
_STOPPING, _PAUSE = 30, 0.5
#: Seconds for which a name is waited for that another process is removing.
_REMOVED = 60.0
#: Seconds for which the exit code of a container that ended so often is looked for; Docker lets it wait longer from time to time.
_CODE = 30.0
#: Seconds for which Docker may leave a question unanswered.
_SILENT = 60.0
#: With these policies Docker starts a container that was stopped when the host boots; the roles set what is declared when they see another one.
_STARTED_AT_BOOT = frozenset({"always", "on-failure"})
#: So often a container ends and is started again by Docker until it is given up.
_RESTARTS = 3


@dataclass(frozen=True)
class _Seen:
    """What is read of a container.

    :param status: Docker's word, such as running or exited.
    :param health: healthy, unhealthy or starting; none without a health check.
    :param restarts: how often Docker started it again.
    :param code: exit code of its last end; 0 while it runs.
    :param networks: Docker's description of each network that it is in, by name.
    :param policy: when Docker starts it again, such as always.
    """

    status: str
    health: str
    restarts: int
    code: int
    networks: Mapping[str, Mapping[str, Any]]
    policy: str = ""

    @classmethod
    def of(cls, found: Mapping[str, Any]) -> _Seen:
        """From Docker's description."""
        state = found.get("State") or {}
        networks = (found.get("NetworkSettings") or {}).get("Networks") or {}
        health = (state.get("Health") or {}).get("Status") or "none"
        policy = str(((found.get("HostConfig") or {}).get("RestartPolicy") or {}).get("Name") or "")
        return cls(str(state.get("Status")), str(health), int(found.get("RestartCount") or 0), int(state.get("ExitCode") or 0), networks, policy)

    @property
    def serves(self) -> bool:
        """Whether it runs and its health check, where it has one, passes."""
        return self.status == "running" and self.health in ("none", "healthy")


class NotHealthy(XinferenceError):
    """The container did not get healthy.

    :param reason: why, without the container's own words.
    :param container: facts of the container that failed, with its log; None where there is none any more.
    :param restored: whether the one of before runs again.
    """

    def __init__(self, reason: str, container: dict[str, Any] | None, restored: bool, after: str = "") -> None:
        words = f"The server is not ready: {reason}."
        if container:
            words += f" Its container is {container['status']}{', health ' + container['health'] if container['health'] else ''}."
        if container and container.get("health_says"):
            words += f" The last words of its health check: {container['health_says']}."
        if container and container.get("log"):
            words += f" The last lines of its log: {' | '.join(container['log'])}"
        super().__init__(f"{words} {after}".strip())
        self.container = container
        self.restored = restored


class Container:
    """The server's container.

    :param docker: Docker of this host.
    :param name: of the container.
    :param log_lines: how many lines are shown of a container that failed.
    """

    def __init__(
        self,
        docker: DockerSocket,
        name: str,
        *,
        log_lines: int = 25,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.docker = docker
        self.name = name
        self.replacement = f"{name}{REPLACEMENT}"
        self.previous = f"{name}{PREVIOUS}"
        self.log_lines = log_lines
        self.clock = clock
        self.sleep = sleep

    def exists(self, name: str | None = None) -> bool:
        """Whether there is a container of the name, or of another one."""
        return self._inspect(name or self.name) is not None

    def serves(self) -> bool:
        """Whether the container runs and its health check, where it has one, passes."""
        found = self._inspect(self.name)
        return found is not None and found.serves

    def set_aside(self) -> bool:
        """Stop the container and give it the name of the one before; whether there was one.

        :raises OSError: when Docker does not do it.
        """
        found = self._inspect(self.name)
        if found is None:
            return False
        if self.exists(self.previous):
            # That one was healthy once, and this one took its place in a run that was interrupted before it was.
            self._remove(self.name)
            return True
        self.docker.send(f"{_route(self.name)}/stop?t={_STOPPING}", timeout=_STOPPING + 60.0)
        if found.policy in _STARTED_AT_BOOT:
            # Beside the one that takes its place it would write the same files.
            self.docker.send(f"{_route(self.name)}/update", body={"RestartPolicy": {"Name": "unless-stopped"}})
        self._rename(self.name, self.previous)
        return True

    def restore(self, timeout: float) -> bool:
        """Put the container of before back in its place and see it healthy; whether there was one.

        :param timeout: seconds for which its health is waited for.
        :raises NotHealthy: when it does not get healthy any more.
        """
        if not self.put_back():
            return False
        reason = self._started(timeout)
        if reason:
            raise NotHealthy(reason, self._facts(), restored=False)
        return True

    def put_back(self) -> bool:
        """Put the container of before back in its place, as it was when it was set aside, and remove the other one; whether there was one."""
        if not self.exists(self.previous):
            return False
        self._remove(self.name)
        self._rename(self.previous, self.name)
        self._reconnect(self.name)
        return True

    def settle(self) -> bool:
        """Tidy up after a run that was interrupted; whether there was something to do."""
        done = self._remove(self.replacement)
        if self.exists(self.previous):
            found = self._inspect(self.name)
            if found is None:
                self._rename(self.previous, self.name)
                self._reconnect(self.name)
                done = True
            elif found.serves:
                done = self._remove(self.previous)
        return done

    def predict(self, state: str) -> bool:
        """Whether a call would change something.

        :param state: ``healthy``, ``settled``, ``set_aside`` or ``restored``.
        """
        found, replaced, before = (self._inspect(name) for name in (self.name, self.replacement, self.previous))
        if state == "healthy":
            return replaced is not None or before is not None or (found is not None and found.status not in ("running", "restarting"))
        if state == "settled":
            return replaced is not None or (before is not None and (found is None or found.serves))
        return (found if state == "set_aside" else before) is not None

    def make_healthy(self, timeout: float, roll_back: bool = True, keep_previous: bool = False) -> bool:
        """Let the replacement, where there is one, take the place of the container, and see it healthy; whether anything was changed.

        :param timeout: seconds for which its health is waited for, and that of the one before, where the run goes back to it.
        :param roll_back: whether to go back by itself.
        :param keep_previous: whether the one before stays, stopped, also when the other one is healthy.
        :raises NotHealthy: when it does not get healthy, or is none.
        """
        changed = False
        if self.exists(self.replacement):
            try:
                self.set_aside()
                self._rename(self.replacement, self.name)
            except OSError as error:
                if not roll_back:
                    raise
                raise self._not_replaced(error, timeout) from error
            changed = True
        found = self._inspect(self.name)
        if found is None and not changed and self.settle():
            # What is left of a run that was killed between two names.
            found, changed = self._inspect(self.name), True
        if found is None:
            raise NotHealthy(f"there is no container '{self.name}'", None, restored=False)
        changed = changed or found.status not in ("running", "restarting")
        reason = self._started(timeout)
        if not reason:
            return (not keep_previous and self._remove(self.previous)) or changed
        try:
            container = self._facts()
        except OSError:
            container = None
        if not roll_back or not self.exists(self.previous):
            raise NotHealthy(reason, container, restored=False)
        try:
            self.restore(timeout)
        except (NotHealthy, OSError) as error:
            where = "is back in its place, but" if isinstance(error, NotHealthy) else "could not take its place again"
            raise NotHealthy(reason, container, False, f"The container of before {where}: {docker_words(error)}") from error
        raise NotHealthy(reason, container, True, "The container of before is back in its place and healthy.")

    def _not_replaced(self, error: OSError, timeout: float) -> NotHealthy:
        """What to report where Docker failed between two names; the container of before goes on, where Docker lets it."""
        reason = f"Docker does not let its container take the place of the one before: {docker_words(error)}"
        try:
            if self._inspect(self.name) is None and self.exists(self.previous):
                self._rename(self.previous, self.name)
                self._reconnect(self.name)
            lost = self._started(timeout)
        except OSError as again:
            lost = docker_words(again)
        return NotHealthy(reason, None, not lost, f"The container of before {'does not run: ' + lost if lost else 'is back in its place and healthy'}.")

    def _started(self, timeout: float) -> str:
        """Start the container and see it healthy; why it is not, empty when it is."""
        found = self._inspect(self.name)
        try:
            if found is not None and found.status == "paused":
                self.docker.send(f"{_route(self.name)}/unpause")
            elif found is not None and found.status not in ("running", "restarting"):
                self.docker.send(f"{_route(self.name)}/start", timeout=60.0)
        except OSError as error:
            return f"Docker does not start its container: {docker_words(error)}"
        return self._wait(timeout)

    def _wait(self, timeout: float) -> str:
        """Wait until the container is healthy; why it is not, empty when it is."""
        begun, before, code, given_up = self.clock(), None, "", None
        while True:
            found = self._inspect(self.name)
            if found is None:
                return "its container was removed"
            if found.serves:
                return ""
            if found.status in ("exited", "dead"):
                return f"its container ended with exit code {found.code}"
            # Of one that runs again, Docker does not know it any more.
            code = f", with exit code {found.code}" if found.status == "restarting" else code
            # The count of an earlier life goes on.
            before = found.restarts if before is None else min(before, found.restarts)
            if found.restarts - before >= _RESTARTS:
                given_up = self.clock() if given_up is None else given_up
                # It ends again and again, and runs so shortly that it may have done so at each poll.
                if code or self.clock() - given_up >= _CODE:
                    return f"its container ended {_RESTARTS} times{code}"
            if self.clock() - begun >= timeout:
                return f"it was not healthy within {timeout:g} s"
            self.sleep(_PAUSE)

    def _inspect(self, name: str) -> _Seen | None:
        found = self._get(f"{_route(name)}/json")
        return _Seen.of(found) if found and is_named(found, name) else None

    def _get(self, route: str) -> Any:
        """Docker's answer to a question. One that is busy, or is being started again, is asked again: its answer proves nothing about the container.

        :raises OSError: when it does not answer for a while.
        """
        begun = self.clock()
        while True:
            try:
                return self.docker.get(route)
            except OSError as error:
                if isinstance(error, FileNotFoundError) or self.clock() - begun >= _SILENT:
                    raise
                self.sleep(_PAUSE)

    def _facts(self) -> dict[str, Any] | None:
        """Facts of the container with the end of its log; None where there is none."""
        return container_facts(self.docker, self.name, self.log_lines)

    def _rename(self, name: str, other: str) -> None:
        self.docker.send(f"{_route(name)}/rename?name={quote(other, safe='')}")

    def _remove(self, name: str) -> bool:
        """Remove a container in good order; whether there was one."""
        found = self._inspect(name)
        if found is None:
            return False
        if found.status in ("running", "paused", "restarting"):
            self.docker.send(f"{_route(name)}/stop?t={_STOPPING}", timeout=_STOPPING + 60.0)
        self.docker.remove(f"{_route(name)}?force=1")
        begun = self.clock()
        # Whoever is removing it already may not be done.
        while self._inspect(name) is not None and self.clock() - begun < _REMOVED:
            self.sleep(_PAUSE)
        return True

    def _reconnect(self, name: str) -> None:
        """Join networks again that were removed and made meanwhile: a container knows them by an identifier, and would not start without."""
        found = self._inspect(name)
        for network, settings in (found.networks if found else {}).items():
            if self._get(f"/networks/{quote(str(settings.get('NetworkID')), safe='')}") is not None:
                continue
            route = f"/networks/{quote(network, safe='')}"
            if self._get(route) is None:
                continue
            # Only what Docker remembers of the old one; whether the container is in the new one, the next request says.
            with suppress(OSError):
                self.docker.send(f"{route}/disconnect", body={"Container": name, "Force": True})
            self.docker.send(f"{route}/connect", body={"Container": name, "EndpointConfig": {"Aliases": settings.get("Aliases")}})


def lock_path(name: str) -> str:
    """File that whoever replaces, stops or starts a container for a while locks.

    :param name: of the container.
    """
    return f"{_LOCKS}/inferops-xinference-{quote(name, safe='')}.lock"


def _route(name: str) -> str:
    return f"/containers/{quote(name, safe='')}"


def docker_words(error: Exception) -> str:
    """Docker's message, without the route that was asked."""
    text = str(getattr(error, "strerror", None) or error)
    if not isinstance(error, OSError):
        # A container's own words may look like an answer of Docker.
        return text
    _before, found, answer = text.partition(": {")
    if found:
        with suppress(ValueError, AttributeError):
            return str(json.loads("{" + answer).get("message") or text)
    return text
