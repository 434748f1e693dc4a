# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs the program restic, within bounds of time and of what it writes. Private to this collection."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol

__all__ = ["Answer", "Run", "longest", "run"]

#: Seconds that a call of restic may take, and the one that asks whether there is a repository: a server that is away is tried for a quarter of an hour.
_LONGEST, _OPENING = 3600.0, 120.0
#: Bytes of what it may answer, and that are read at once.
_ANSWER, _STEP = 32 << 20, 1 << 16
#: Runs a command whose input ends when a line comes. Where none comes, because whoever would write it has ended, the command is stopped.
_GATE = '{ read -r word || kill -INT 0; } | "$@"'


@dataclass(frozen=True)
class Answer:
    """What a call of restic said.

    :param status: its exit code; None where it was stopped because it took too long.
    :param output: what it wrote, at most so many bytes.
    :param error: what it wrote about errors, at most so many bytes.
    """

    status: int | None
    output: str
    error: str


class Run(Protocol):
    """Runs restic; parameters as of :func:`run`."""

    def __call__(self, arguments: Sequence[str], environment: dict[str, str], gate: int | None = None, seconds: float | None = None) -> Answer:
        """What restic answered."""


async def _read(stream: asyncio.StreamReader | None, kept: bytearray) -> None:
    """Read what a command writes, to its end, which has no bound; so many bytes of it are kept."""
    while part := await stream.read(_STEP) if stream else b"":
        kept += part[: _ANSWER - len(kept)]


async def _ended(arguments: Sequence[str], environment: dict[str, str], gate: int | None, seconds: float) -> Answer:
    """What a command said until it ended, or was stopped."""
    command = arguments if gate is None else ["/bin/sh", "-c", _GATE, "sh", *arguments]
    pipe, given = asyncio.subprocess.PIPE, asyncio.subprocess.DEVNULL if gate is None else gate
    # A session of its own, so that shell and command are stopped together, and nobody else.
    process = await asyncio.create_subprocess_exec(*command, env=environment, stdin=given, stdout=pipe, stderr=pipe, cwd="/", start_new_session=True)
    output, error = bytearray(), bytearray()
    status: int | None = None
    try:
        everything = asyncio.gather(_read(process.stdout, output), _read(process.stderr, error), process.wait())
        _output, _error, status = await asyncio.wait_for(everything, seconds)
    except asyncio.TimeoutError:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()
    return Answer(status, output.decode("utf-8", "replace"), error.decode("utf-8", "replace"))


def longest(command: str) -> float:
    """Seconds that a command of restic may take."""
    return _OPENING if command == "cat" else _LONGEST


def run(arguments: Sequence[str], environment: dict[str, str], gate: int | None = None, seconds: float | None = None) -> Answer:
    """Run restic, and read what it wrote.

    :param arguments: program, command, and what goes with it.
    :param environment: all of it.
    :param gate: where a line is read, after which the standard input of the command ends; None where it has none.
    :param seconds: that it may take; None for :func:`longest`.
    """
    return asyncio.run(_ended(arguments, environment, gate, longest(arguments[1]) if seconds is None else seconds))
