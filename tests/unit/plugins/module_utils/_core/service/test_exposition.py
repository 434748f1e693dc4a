# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Figures as Prometheus reads them, by its library's own parser."""

from __future__ import annotations

import sys
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from ansible_collections.inferops.xinference.plugins.module_utils._core.service.exposition import Exposition
from ansible_collections.inferops.xinference.plugins.module_utils._core.service.metrics import Family

HOSTILE = 'a"b\\c\nd{e="f"} 1\x00\ud800' + "x" * 300


def family(name: str, kind: str, *samples: tuple[Any, dict[str, str]]) -> Family:
    """A family with figures."""
    made = Family(name, kind, "A sentence.")
    for value, labels in samples:
        made.add(value, **labels)
    return made


def parsed(*families: Family) -> dict[str, tuple[str, float]]:
    """Each figure by its name and labels, as it is read."""
    kind, text = Exposition(lambda: families)()
    assert kind.startswith("text/plain; version=")
    return {
        " ".join([sample.name, *(f"{name}={value}" for name, value in sorted(sample.labels.items()))]): (read.type, sample.value)
        for read in text_string_to_metric_families(text.decode("utf-8"))
        for sample in read.samples
    }


def test_every_kind() -> None:
    found = parsed(
        family("ready", "gauge", (1, {})),
        family("model_launches", "counter", (3, {"model": "a"}), (4, {"model": "b"})),
        family("server", "info", (1, {"version": "4.1.0"})),
        family("time_seconds", "histogram", (((1, 0, 2, 0, 0, 0, 0, 0, 1), 99.5), {"model": "a"})),
    )
    counts = {"5.0": 1, "10.0": 1, "30.0": 3, "60.0": 3, "120.0": 3, "300.0": 3, "600.0": 3, "1800.0": 3, "+Inf": 4}
    assert found == {
        "xinference_service_ready": ("gauge", 1),
        "xinference_service_model_launches_total model=a": ("counter", 3),
        "xinference_service_model_launches_total model=b": ("counter", 4),
        "xinference_service_server_info version=4.1.0": ("gauge", 1),
        **{f"xinference_service_time_seconds_bucket le={bound} model=a": ("histogram", count) for bound, count in counts.items()},
        "xinference_service_time_seconds_count model=a": ("histogram", 4),
        "xinference_service_time_seconds_sum model=a": ("histogram", 99.5),
    }


def test_what_others_wrote_stays_a_label() -> None:
    (found,) = parsed(family("model_ready", "gauge", (1, {"model": HOSTILE})))
    text = HOSTILE.replace("\ud800", "?")[:200]
    assert found == f"xinference_service_model_ready model={text}"


def test_nothing_but_our_own_figures() -> None:
    assert parsed() == {}


def test_the_figures_are_made_when_they_are_asked_for() -> None:
    calls: list[int] = []

    def families() -> list[Family]:
        calls.append(1)
        return []

    exposition = Exposition(families)
    assert calls == []
    exposition()
    exposition()
    assert len(calls) == 2


def test_without_the_library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "prometheus_client", None)
    with pytest.raises(ImportError):
        Exposition(list)()
