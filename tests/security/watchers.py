# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Two who are there while the playbooks run: one reads what it should not find, one asks for what it should not get."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import stat
import tempfile
import threading
from collections import Counter
from typing import Any

from ansible_collections.inferops.xinference.tests.machine import VERSION

#: Who asks to become the administrator.
SETUP: dict[str, Any] = {"username": "intruder", "password": "long-enough-for-anybody"}
#: Versions that let everybody in, unless authentication is configured. Nobody can be made administrator through them, so an intruder asks for models.
OPEN = VERSION.startswith("2.")
METHOD, PATH, REFUSED = ("GET", "/v1/models", 401) if OPEN else ("POST", "/v1/admin/setup", 403)


class Intruder(threading.Thread):
    """Asks to be made administrator or let in, again and again, as soon as anything listens.

    :param port: of the server that is going to be there.
    """

    #: Answers one after the other after which it asks more seldom, so that the server can do something else.
    EAGER = 200

    def __init__(self, port: int) -> None:
        super().__init__(daemon=True)
        self.port = port
        self.stopped = threading.Event()
        #: Statuses of the answers; 0 for a connection that was refused or cut.
        self.answers: Counter[int] = Counter()

    def run(self) -> None:
        """Ask until stopped, about a hundred times a second until a server was there for a while."""
        answered = 0
        while not self.stopped.wait(0.01 if answered < self.EAGER else 0.1):
            status = self._ask()
            self.answers[status] += 1
            answered = answered + 1 if status else 0

    def heard(self) -> int:
        """How many answers there were."""
        return sum(number for status, number in list(self.answers.items()) if status)

    def stop(self) -> Counter[int]:
        """End, and say what was answered."""
        self.stopped.set()
        self.join(60)
        return self.answers

    def _ask(self) -> int:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request(METHOD, PATH, body=json.dumps(SETUP), headers={"Content-Type": "application/json"})
            return connection.getresponse().status
        except (OSError, http.client.HTTPException):
            return 0
        finally:
            connection.close()


class Lurker(threading.Thread):
    """Reads, all the time, what other processes of this machine show, and what lies in temporary directories for everybody to read.

    :param marks: what it searches for.
    """

    #: A process or a file is read in each of its first passes, while it may still become another program or get its content, and then once in many.
    FIRST, THEN = 10, 50

    def __init__(self, marks: dict[str, str]) -> None:
        super().__init__(daemon=True)
        self.marks = {name: mark.encode() for name, mark in marks.items()}
        self.stopped = threading.Event()
        self.found: set[str] = set()
        self.passes: dict[tuple[str, int], int] = {}

    def run(self) -> None:
        """Poll until stopped."""
        temporary = tempfile.gettempdir()
        while not self.stopped.wait(0.02):
            processes = [(number, int(number)) for number in os.listdir("/proc") if number.isdigit()]  # noqa: PTH208  the fastest way
            with os.scandir(temporary) as entries:
                files = [(entry.path, entry.inode()) for entry in entries]
            before = self.passes
            self.passes = {thing: before.get(thing, -1) + 1 for thing in (*processes, *files)}
            for process in filter(self.is_due, processes):
                place = f"/proc/{process[0]}"
                self.search(f"{place}/cmdline")
                # What a model starts inherits its environment, and shows it to its own user and root alone: SECURITY.md names it.
                self.search(f"{place}/environ", unless="environment" if in_a_container(place) else "")
            for path, _inode in filter(self.is_due, files):
                with contextlib.suppress(OSError):
                    mode = os.lstat(path).st_mode
                    if stat.S_ISREG(mode) and mode & stat.S_IROTH:
                        self.search(path)

    def is_due(self, thing: tuple[str, int]) -> bool:
        """Whether a process or a file is read in this pass."""
        seen = self.passes[thing]
        return seen < self.FIRST or (seen + thing[1]) % self.THEN == 0

    def search(self, path: str, unless: str = "") -> None:
        """Take down which mark a file holds, but for one that may be there."""
        try:
            with open(path, "rb", buffering=0) as file:  # noqa: PTH123  the fastest way
                text = file.read()
        except OSError:
            return
        self.found |= {f"{name} in {path}" for name, mark in self.marks.items() if mark in text and name != unless}

    def stop(self) -> set[str]:
        """End, and say what was found."""
        self.stopped.set()
        self.join(60)
        return self.found


def in_a_container(process: str) -> bool:
    """Whether a process sees others than this one does; one that is gone does."""
    try:
        return os.readlink(f"{process}/ns/pid") != os.readlink("/proc/self/ns/pid")  # noqa: PTH115  the fastest way
    except OSError:
        return True
