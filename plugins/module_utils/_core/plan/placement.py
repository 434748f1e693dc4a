# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""On which workers the replicas of a model run, and how they get to those that were declared. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..base.messages import shown

__all__ = ["PLACED", "PLACES", "Moves", "count_replicas", "counts_text", "find_moves", "placed_request", "worker_name", "workers_text"]

#: Fields whose difference is made up for by adding and removing replicas of a model that goes on to serve.
PLACED = frozenset({"replica", "workers"})
#: Argument of a launch request with a place for each replica.
PLACES = "replica_config"


@dataclass(frozen=True)
class Moves:
    """How the replicas of a model get to their workers.

    :param additions: names of workers, one for each replica that is added there.
    :param removals: numbers of the replicas that are removed afterwards.
    """

    additions: tuple[str, ...] = ()
    removals: tuple[int, ...] = ()


def worker_name(address: str) -> str:
    """Name of the worker at an address such as ``worker-1:30001``."""
    return address.rpartition(":")[0] or address


def count_replicas(places: Mapping[int, str]) -> dict[str, int]:
    """How many replicas run on each worker, by its name, in the order of the names.

    :param places: address of the worker of each replica, by number of the replica.
    """
    return dict(sorted(Counter(worker_name(address) for address in places.values()).items()))


def counts_text(counts: Mapping[str, int]) -> str:
    """Where replicas run, for people: ``worker-1, worker-2 (2 replicas)``; empty where none does.

    :param counts: how many replicas run on each worker, by its name.
    """
    # A worker that joined chose its name.
    return ", ".join(shown(name) + (f" ({count} replicas)" if count > 1 else "") for name, count in counts.items())


def workers_text(places: Mapping[int, str]) -> str:
    """Where replicas run, as of :func:`counts_text`; ``none`` where none does.

    :param places: as of :func:`count_replicas`.
    """
    return counts_text(count_replicas(places)) or "none"


def find_moves(workers: Sequence[str], replicas: int, places: Mapping[int, str]) -> Moves:
    """What brings the replicas of a model to its workers, in equal shares. What already is a share stays as it is.

    :param workers: names of the declared workers.
    :param replicas: how many there should be.
    :param places: as of :func:`count_replicas`.
    """
    there: dict[str, list[int]] = {worker: [] for worker in workers}
    removals: list[int] = []
    for number, address in sorted(places.items()):
        # On a worker that is not declared for this model, nothing should run.
        there.get(worker_name(address), removals).append(number)
    least, more = divmod(replicas, len(workers))
    # The one replica more goes to those that have most already.
    fullest = sorted(workers, key=lambda worker: -len(there[worker]))
    additions: list[str] = []
    for place, worker in enumerate(fullest):
        share = least + (place < more)
        additions += [worker] * (share - len(there[worker]))
        # Newer ones go first: they are less likely to be at work.
        removals += there[worker][share:]
    return Moves(tuple(sorted(additions)), tuple(sorted(removals)))


def placed_request(request: Mapping[str, Any], workers: Sequence[str], joined: Collection[str]) -> dict[str, Any]:
    """A launch request in which each replica has its worker. Left to itself the server goes by how many models each of them runs, and may take one for all.

    :param request: as declared, with the names of the workers.
    :param workers: these names.
    :param joined: addresses of the workers that have joined; where one of the names is not among them, the request stays, and the server says so.
    """
    addresses = {worker_name(address): address for address in joined}
    names = find_moves(workers, int(request.get("replica") or 1), {}).additions
    if len(workers) < 2 or len(names) < 2 or not set(names) <= addresses.keys():
        return dict(request)
    others = {key: value for key, value in request.items() if key != "worker_ip"}
    return {**others, PLACES: [{"devices": [{"worker_ip": addresses[name]}]} for name in names]}
