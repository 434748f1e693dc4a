# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the server may use of its machine. Private to this collection."""

from __future__ import annotations

from dataclasses import dataclass

from ..server.api import Api

__all__ = ["Limits", "read_limits"]


@dataclass(frozen=True)
class Limits:
    """What the server may use.

    :param cores: processor cores.
    :param memory_mib: memory in MiB.
    """

    cores: float
    memory_mib: int


def read_limits(client: Api, cores: float | None, memory_mib: int | None) -> Limits:
    """What the server may use: as given, else as its workers report their machines, which costs one request.

    :param cores: processor cores; None asks the server.
    :param memory_mib: memory in MiB; None asks it.
    :raises XinferenceError: when the server cannot be read.
    """
    if cores is not None and memory_mib is not None:
        return Limits(cores, memory_mib)
    machines = [worker.get("status", {}).get("cpu", {}) for worker in (client.status().get("workers") or {}).values()]
    most = max((float(machine.get("total", 1)) for machine in machines), default=1.0)
    memory = sum(int(machine.get("memory_total", 0)) for machine in machines) >> 20
    return Limits(cores or most, memory_mib or memory)
