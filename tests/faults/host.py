# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A test machine with systemd and a Docker of its own, as the faults handle it: a container from outside, a host from inside."""

from __future__ import annotations

import json
import os
import subprocess
import time
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
DATA = "/data/xinference_data"
#: What changes while a server works: journals of databases, logs, scratch files, and what a worker notes of itself under an address that is new each time.
VOLATILE = ("-wal", "-shm", "-journal", ".lock", ".tmp", ".pid")
VOLATILE_FOLDERS = ("logs/", ".xinference/logs/", ".xinference/worker_recovery/", ".xinference/download_temp/")


class Broken(Exception):
    """The machine or the fault is not what it should be; the text says how."""


class Host:
    """One test machine.

    :param name: of its container.
    :param password: of the administrator of its server.
    """

    def __init__(self, name: str, password: str) -> None:
        self.name = name
        self.password = password

    @staticmethod
    def outside(*command: str, timeout: float = 180.0) -> str:
        """Output of a command on this machine.

        :raises Broken: when it fails.
        """
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=timeout)
        if done.returncode:
            raise Broken(f"{' '.join(command[:5])}: {done.stderr.strip()[-500:] or done.stdout.strip()[-500:]}")
        return done.stdout

    def run(self, script: str, timeout: float = 180.0) -> str:
        """Output of a shell script on the machine."""
        return self.outside("docker", "exec", self.name, "sh", "-ec", script, timeout=timeout)

    def cut_power(self) -> None:
        """End everything at once, and start the machine again."""
        self.outside("docker", "kill", self.name)
        self.outside("docker", "start", self.name)

    def reboot(self) -> None:
        """Shut down in good order, and start again."""
        self.outside("docker", "restart", "--time", "90", self.name)

    def state(self) -> dict[str, Any]:
        """What the service knows; empty while it has not said."""
        try:
            known: dict[str, Any] = json.loads(self.run("cat /var/lib/xinference-models/state.json"))
        except (Broken, ValueError):
            return {}
        return known

    def wait_for(self, what: str, seconds: float, **models: Any) -> None:
        """Wait until the service knows something of each model.

        :param what: in words, for the failure.
        :param models: for each uid a function of what the service knows of it.
        """
        end = time.time() + seconds
        while time.time() < end:
            known = self.state().get("models") or {}
            if all(uid in known and test(known[uid]) for uid, test in models.items()):
                return
            time.sleep(0.3)
        raise Broken(f"{what}: not within {seconds:.0f} s; the service knows {self.state()}")

    def until(self, what: str, script: str, seconds: float = 600.0) -> None:
        """Wait until a shell script on the machine succeeds.

        :param what: is waited for, in words, for the failure.
        :raises Broken: when it does not.
        """
        end = time.time() + seconds
        while time.time() < end:
            try:
                self.run(script)
            except Broken:
                time.sleep(0.1)
            else:
                return
        raise Broken(f"{what}: not within {seconds:.0f} s")

    def until_ready(self, uids: list[str], timeout: float) -> dict[str, Any]:
        """When every model answered: ``ready`` in seconds since the epoch, else None and ``reason``."""
        end, reason = time.time() + timeout, "the machine does not answer"
        while time.time() < end:
            command = ["docker", "exec", "--interactive", "--env", "PROBE_PASSWORD", self.name, "python3", "-"]
            left = f"{max(end - time.time(), 1):.0f}"
            with (HERE / "probe.py").open(encoding="utf-8") as script:
                done = subprocess.run(
                    [*command, "--timeout", left, *uids],
                    stdin=script,
                    capture_output=True,
                    text=True,
                    check=False,
                    env={**os.environ, "PROBE_PASSWORD": self.password},
                )
            try:
                answer: dict[str, Any] = json.loads(done.stdout)
            except ValueError:
                # It may not have booted yet.
                reason = done.stderr.strip()[-300:] or reason
                time.sleep(0.5)
                continue
            return answer
        return {"ready": None, "reason": reason}

    def files(self) -> dict[str, str]:
        """What must not be lost: each file of the volumes with, where it is a model's, its checksum. The server removes files while they are listed."""
        names = self.run(f"cd {DATA}; find . -ignore_readdir_race -type f -printf '%P\\n'").splitlines()
        sums = self.run(f"cd {DATA}; find models -type f -exec sha256sum {{}} +").splitlines()
        kept = {
            name: ""
            for name in names
            if not name.endswith(VOLATILE) and not name.startswith(VOLATILE_FOLDERS) and "/.tmp" not in name and "__pycache__" not in name
        }
        kept.update({name: digest for digest, name in (line.split("  ", 1) for line in sums)})
        return kept

    def launches(self, since: float) -> int:
        """Launches that the service asked for since a moment, in seconds since the epoch."""
        lines = self.run(f"journalctl --unit xinference-models --since @{since:.0f} --output cat --no-pager || true").splitlines()
        return sum(line.endswith((": launched", ": relaunched")) for line in lines)
