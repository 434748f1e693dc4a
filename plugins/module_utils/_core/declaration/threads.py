# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether models have more threads than there are processor cores. Pure. Private to this collection."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from .model import DeclaredModel

__all__ = ["TooManyThreads", "too_many_threads"]


@dataclass(frozen=True)
class TooManyThreads:
    """Threads that wait for each other.

    :param uid: of the model that has too many by itself; empty where it is all models together.
    :param seen: which they are, a sentence.
    :param meaning: what that means, a sentence.
    :param remedy: what to do, a sentence.
    """

    uid: str
    seen: str
    meaning: str
    remedy: str


def too_many_threads(models: Iterable[DeclaredModel], cores: float) -> list[TooManyThreads]:
    """Models that have more threads than cores, or else all of them where they have more together.

    :param models: that are to run. Those whose options are still to be chosen count for nothing.
    :param cores: processor cores that the container may use.
    """
    threads = {model.uid: count for model in models for count in [model.options.get("n_threads")] if isinstance(count, int) and not isinstance(count, bool)}
    found = [
        TooManyThreads(
            uid,
            f"Model '{uid}' has n_threads {count}, and the container may use {cores:g} cores.",
            "Threads wait for each other, and the model answers slower than with fewer.",
            f"Set engine_options.n_threads to {int(cores) or 1}, or to auto.",
        )
        for uid, count in threads.items()
        if count > cores
    ]
    total = sum(threads.values())
    # Measured (docs/capacity.md): two models with all cores each wrote a quarter of what they wrote with half of them.
    if len(threads) > 1 and total > cores and not found:
        seen = f"Models together have {total} threads ({', '.join(f'{uid} {count}' for uid, count in threads.items())}) for {cores:g} cores."
        found.append(TooManyThreads("", seen, "When they answer at the same time, each is slower.", "Give each fewer threads, if they do."))
    return found
