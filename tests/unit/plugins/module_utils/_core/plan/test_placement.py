# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""On which workers replicas run, and what brings them to those that were declared: examples, and what holds always."""

from __future__ import annotations

from collections import Counter
from itertools import combinations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.inferops.xinference.plugins.module_utils._core.base.messages import shown
from ansible_collections.inferops.xinference.plugins.module_utils._core.plan.placement import (
    Moves,
    count_replicas,
    counts_text,
    find_moves,
    placed_request,
    worker_name,
    workers_text,
)


def at(*names: str, first: int = 0) -> dict[int, str]:
    """Replicas on workers, numbered from the first on."""
    return {number: f"{name}:30001" for number, name in enumerate(names, start=first)}


@pytest.mark.parametrize(
    ("address", "name"),
    [("worker-1:30001", "worker-1"), ("10.0.0.5:1", "10.0.0.5"), ("fd00::5:30001", "fd00::5"), ("worker-1", "worker-1")],
)
def test_the_name_of_a_worker(address: str, name: str) -> None:
    assert worker_name(address) == name


@pytest.mark.parametrize(
    ("places", "text"),
    [
        ({}, "none"),
        (at("b", "a"), "a, b"),
        (at("b", "a", "b"), "a, b (2 replicas)"),
        (at("a", "a", "a"), "a (3 replicas)"),
    ],
)
def test_where_replicas_run_in_words(places: dict[int, str], text: str) -> None:
    assert workers_text(places) == text


@pytest.mark.parametrize(
    ("workers", "replicas", "places", "additions", "removals"),
    [
        # As declared.
        (["a"], 1, at("a"), (), ()),
        (["a", "b"], 2, at("b", "a"), (), ()),
        (["a", "b"], 3, at("b", "a", "b"), (), ()),
        (["a", "b"], 1, at("b"), (), ()),
        # More and fewer.
        (["a", "b"], 4, at("a", "b"), ("a", "b"), ()),
        (["a", "b"], 3, at("b"), ("a", "b"), ()),
        (["a", "b"], 2, at("a", "b", "a", "b"), (), (2, 3)),
        (["a"], 3, {}, ("a", "a", "a"), ()),
        # A worker that went, or stands for another one.
        (["a", "b"], 2, at("b"), ("a",), ()),
        (["a", "c"], 2, at("a", "b"), ("c",), (1,)),
        (["b"], 1, at("a"), ("b",), (0,)),
        # One has what the other should have: the newer one goes.
        (["a", "b"], 2, at("a", "a"), ("b",), (1,)),
        (["a", "b"], 2, at("b", "b", first=7), ("a",), (8,)),
        # The one more is where most are already, not where it comes first.
        (["a", "b", "c"], 4, at("c", "c", "a"), ("b",), ()),
    ],
)
def test_how_replicas_get_to_their_workers(
    workers: list[str], replicas: int, places: dict[int, str], additions: tuple[str, ...], removals: tuple[int, ...]
) -> None:
    assert find_moves(workers, replicas, places) == Moves(additions, removals)


NAMES = ["a", "b", "c", "d"]
declared = st.lists(st.sampled_from(NAMES), min_size=1, unique=True)
wanted = st.integers(1, 9)
#: Numbers have gaps where replicas were removed.
running = st.dictionaries(st.integers(0, 20), st.sampled_from([f"{name}:30001" for name in [*NAMES, "stranger"]]), max_size=9)


def after(moves: Moves, places: dict[int, str]) -> Counter[str]:
    """Replicas of each worker when all is done."""
    return Counter([*(worker_name(address) for number, address in places.items() if number not in moves.removals), *moves.additions])


def shares(workers: list[str], replicas: int) -> list[dict[str, int]]:
    """Every way to give each worker its share."""
    least, more = divmod(replicas, len(workers))
    return [{worker: least + (worker in chosen) for worker in workers} for chosen in combinations(workers, more)]


@given(declared, wanted, running)
def test_each_worker_gets_its_share_and_nobody_else_has_any(workers: list[str], replicas: int, places: dict[int, str]) -> None:
    found = after(find_moves(workers, replicas, places), places)
    assert {worker: found.pop(worker, 0) for worker in workers} in shares(workers, replicas)
    assert not found


@given(declared, wanted, running)
def test_nothing_moves_that_need_not(workers: list[str], replicas: int, places: dict[int, str]) -> None:
    moves = find_moves(workers, replicas, places)
    there = Counter(worker_name(address) for address in places.values())
    fewest = min(sum(max(share - there[worker], 0) for worker, share in way.items()) for way in shares(workers, replicas))
    assert len(moves.additions) == fewest
    assert len(moves.removals) == len(places) + fewest - replicas
    # Nobody gets one and gives one away.
    assert not {worker_name(places[number]) for number in moves.removals} & set(moves.additions)


@given(declared, wanted, running)
def test_what_was_moved_is_not_moved_again(workers: list[str], replicas: int, places: dict[int, str]) -> None:
    moves = find_moves(workers, replicas, places)
    moved = {number: address for number, address in places.items() if number not in moves.removals}
    moved.update(at(*moves.additions, first=max(places, default=-1) + 1))
    assert find_moves(workers, replicas, moved) == Moves()


@given(declared, wanted, running)
def test_of_one_worker_the_newest_go(workers: list[str], replicas: int, places: dict[int, str]) -> None:
    moves = find_moves(workers, replicas, places)
    for worker in workers:
        here = sorted(number for number, address in places.items() if worker_name(address) == worker)
        gone = [number for number in here if number in moves.removals]
        assert gone == here[len(here) - len(gone) :]


@given(declared, wanted, running)
def test_replicas_on_workers_that_are_not_declared_go(workers: list[str], replicas: int, places: dict[int, str]) -> None:
    strangers = {number for number, address in places.items() if worker_name(address) not in workers}
    assert strangers <= set(find_moves(workers, replicas, places).removals)


@pytest.mark.parametrize(
    ("places", "counts", "text"),
    [
        ({}, {}, ""),
        ({0: "worker-1:30001"}, {"worker-1": 1}, "worker-1"),
        ({0: "b:1", 3: "a:1", 4: "b:1"}, {"a": 1, "b": 2}, "a, b (2 replicas)"),
        ({0: "without-a-port"}, {"without-a-port": 1}, "without-a-port"),
        ({0: "a\n\x1b[2Jb:1"}, {"a\n\x1b[2Jb": 1}, shown("a\n\x1b[2Jb")),
    ],
)
def test_replicas_by_worker_in_the_order_of_names(places: dict[int, str], counts: dict[str, int], text: str) -> None:
    assert list(count_replicas(places).items()) == list(counts.items())
    assert counts_text(counts) == text
    assert workers_text(places) == (text or "none")


REQUEST = {"model_uid": "chat", "replica": 3, "worker_ip": "b,a"}


def test_a_launch_names_the_worker_of_each_replica() -> None:
    assert placed_request(REQUEST, ["b", "a"], ["a:30001", "b:40001", "c:30001"]) == {
        "model_uid": "chat",
        "replica": 3,
        "replica_config": [{"devices": [{"worker_ip": address}]} for address in ("a:30001", "b:40001", "b:40001")],
    }


@pytest.mark.parametrize(
    ("changes", "workers", "joined"),
    [
        # The server says who is not there.
        ({}, ["b", "a"], ["a:30001"]),
        # There is nothing to share out.
        ({"worker_ip": "a"}, ["a"], ["a:30001"]),
        ({"replica": 1}, ["b", "a"], ["a:30001", "b:30001"]),
    ],
)
def test_a_launch_stays_as_it_was_declared(changes: dict[str, Any], workers: list[str], joined: list[str]) -> None:
    request = {**REQUEST, **changes}
    assert placed_request(request, workers, joined) == request
