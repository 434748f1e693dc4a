# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What tests take from the machine that they run on: a port that is free, an image or directory that is built, and the time that something takes."""

from __future__ import annotations

import json
import os
import random
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
#: Version of the server that is tested.
VERSION = os.environ.get("XINFERENCE_TEST_VERSION", "4.1.0")
#: Whether everything runs, and not only what make test has time for.
WHOLE = os.environ.get("XINFERENCE_TEST_WHOLE", "") not in ("", "0")

#: Seconds until something that must happen has happened, on a slow machine, too.
PATIENCE = 600.0


class NotBuilt(Exception):
    """What a test needs of the machine is not there; the text is the reason."""


def record(kind: str, **fields: Any) -> None:
    """Add a record to those of this run, where they are wanted; see tests/recorder."""
    folder = os.environ.get("XINFERENCE_TEST_RECORDS", "")
    if folder:
        with (Path(folder) / f"tests-{os.getpid()}.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps({"kind": kind, **fields}) + "\n")


def free_port() -> int:
    """A port of loopback that nobody listens on, and that the kernel gives to nobody for a connection of its own."""
    lowest = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text(encoding="ascii").split()[0])
    for _try in range(1000):
        port = random.randrange(max(lowest // 2, 1024), max(lowest, 2048))
        with socket.socket() as listener:
            try:
                listener.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port
    raise NotBuilt("no port is free on 127.0.0.1")


def built(what: str, *options: str) -> str:
    """Name of an image, or path of a directory, that the tests' build script makes if it is not there.

    :param options: of the script, besides the version.
    :raises NotBuilt: with the last line of the script's error output.
    """
    command = (sys.executable, str(ROOT / "tests/images/build.py"), what, "--version", VERSION, *options)
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise NotBuilt((done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1])
    return done.stdout.splitlines()[-1]


def wait_until(condition: Callable[[], object], what: str, pause: float = 0.05) -> object:
    """What a condition gives, as soon as that is something.

    :param what: is waited for, said when it does not come.
    :param pause: seconds between two polls.
    """
    deadline = time.monotonic() + PATIENCE
    while not (found := condition()):
        assert time.monotonic() < deadline, f"{what}: not within {PATIENCE:.0f} s"
        time.sleep(pause)
    return found
