# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Figures in the text format of Prometheus, by its own library. Private to this collection."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate
from typing import Any

from .metrics import Family
from .model_counts import BUCKETS

__all__ = ["Exposition"]

#: The format that every Prometheus reads. The library's newest one differs only in names that are not used here.
_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Exposition:
    """Writes figures as Prometheus reads them.

    The library is imported with the first question, so that a service that nobody asks has no memory for it. Its own figures about the process are left out.

    :param families: gives the figures as they are now.
    """

    def __init__(self, families: Callable[[], Sequence[Family]]) -> None:
        self.families = families
        self.registry: Any = None

    def __call__(self) -> tuple[str, bytes]:
        """Type and content of the answer.

        :raises ImportError: where the library is not installed.
        """
        from prometheus_client import CollectorRegistry, generate_latest

        if self.registry is None:
            registry = CollectorRegistry(auto_describe=False)
            registry.register(_Collector(self.families))
            self.registry = registry
        return _TYPE, generate_latest(self.registry)


class _Collector:
    """Makes what the library writes.

    :param families: as of :class:`Exposition`.
    """

    def __init__(self, families: Callable[[], Sequence[Family]]) -> None:
        self.families = families

    def collect(self) -> Iterator[Any]:
        """The figures as they are now."""
        from prometheus_client import core

        kinds = {
            "gauge": core.GaugeMetricFamily,
            "counter": core.CounterMetricFamily,
            "info": core.InfoMetricFamily,
            "histogram": core.HistogramMetricFamily,
        }
        for family in self.families():
            labels = list(family.samples[0][0]) if family.samples and family.kind != "info" else []
            made = kinds[family.kind](family.full_name, family.help, labels=labels)
            for names, value in family.samples:
                if family.kind == "info":
                    made.add_metric([], names)
                elif family.kind == "histogram":
                    counts, seconds = value
                    bounds = [*(str(bound) for bound in BUCKETS), "+Inf"]
                    made.add_metric(list(names.values()), list(zip(bounds, accumulate(counts))), seconds)
                else:
                    made.add_metric(list(names.values()), value)
            yield made
