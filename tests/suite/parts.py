# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The parts of ``make test`` and ``make test-all``: each is a target of the Makefile, with what it needs first and what it shares with others."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
NEWEST, OLDEST = "4.1.0", "1.17.1"


@dataclass(frozen=True)
class Part:
    """A part.

    :param name: as it is shown and called for: ``target``, ``target:detail`` or ``target:detail:version``.
    :param target: of the Makefile.
    :param variables: of the Makefile.
    :param needs: names of the parts that must have passed before; ``*`` means all others that were chosen.
    :param uses: what no two parts may use at the same time, such as the names of their containers.
    :param reason: why it is in ``make test-all`` and not in ``make test``; empty for the parts of ``make test``.
    """

    name: str
    target: str
    variables: dict[str, str] = field(default_factory=dict)
    needs: tuple[str, ...] = ("setup",)
    uses: tuple[str, ...] = ()
    reason: str = ""


def _part(name: str, *needs: str, reason: str = "") -> Part:
    """A part whose target, scenario and version stand in its name."""
    target, scenario, version = ([*name.split(":"), "", ""])[:3]
    variables = {key: value for key, value in (("SCENARIO", scenario), ("VERSION", version), ("WHOLE", "1" if reason else "")) if value}
    return Part(name, target, variables, tuple(filter(None, needs)) if needs else ("setup",), (f"{target}:{scenario}".rstrip(":"),), reason)


def _whole(name: str) -> Part:
    """A part of ``make test`` with all that it leaves out there."""
    part = _part(name, "setup", "images", reason="what make test leaves out of it; the reason stands beside each test")
    return replace(part, name=f"whole:{name}")


_SLOWER = "the same tests as on the newest server, which make test runs"

#: In the order in which they begin: what takes longest is begun first, so that no processor is idle in the end.
TEST: list[Part] = [
    _part("setup", ""),
    _part("images"),
    _part("sanity"),
    _part("lint"),
    _part("unit"),
    _part("security", "setup", "images"),
    _part("molecule:models", "setup", "images"),
    _part("molecule:recovery", "setup", "images"),
    _part("molecule:default", "setup", "images"),
    _part("molecule:backup", "setup", "images"),
    _part("molecule:upgrade", "setup", "images"),
    _part("molecule:proxy", "setup", "images"),
    _part("awx", "setup", "images"),
    _part("contract", "setup", "images"),
    _part("molecule:host", "setup", "images"),
    _part(f"contract::{OLDEST}", "setup", "images"),
    _part("downloads", "setup", "images"),
    _part("adoption", "setup", "images"),
    _part("mistakes", "setup", "images"),
    _part("artifact", "setup", "images"),
    # These wait for most of their time.
    _part("isolation"),
    _part("containers", "setup", "images"),
    _part("monitoring"),
    _part("docs-check"),
    # Reads what the others left.
    _part("exercised", "*"),
]

ALL: list[Part] = [
    *(_whole(name) for name in ("security", "mistakes", "awx", "molecule:default", "molecule:recovery", "molecule:backup", "molecule:upgrade")),
    _part("contract::3.5.0", "setup", "images", reason=_SLOWER),
    _part("contract::2.11.0", "setup", "images", reason=_SLOWER),
    _part("molecule:models:3.5.0", "setup", "images", reason=_SLOWER),
    _part("molecule:models:2.11.0", "setup", "images", reason=_SLOWER),
    _part(f"molecule:models:{OLDEST}", "setup", "images", reason=_SLOWER),
    _part("molecule:backup:2.11.0", "setup", "images", reason=_SLOWER),
    _part("molecule:upgrade:2.11.0", "setup", "images", reason="an upgrade between two servers; make test runs one between two images of the newest"),
    _part("molecule:recovery:2.11.0", "setup", "images", reason=_SLOWER),
    _part(
        "molecule:monitoring",
        "setup",
        "images",
        reason="it waits for 14 alerts of a real Prometheus, and for their ends; make test tries the rules with promtool",
    ),
    _part(
        "molecule:diagnose",
        "setup",
        "images",
        reason="a machine of its own, on which faults are made one after the other; make test makes others in scenario proxy",
    ),
    _part(
        "molecule:cluster",
        "setup",
        "images",
        reason="three machines with their own Docker, which are killed and come back; make test tries rules and refusals of a cluster one by one",
    ),
    _part("first-admin::3.5.0", "setup", "images", reason=_SLOWER),
    _part("first-admin::2.11.0", "setup", "images", reason=_SLOWER),
    Part("faults", "faults", needs=("setup", "images"), uses=("molecule:recovery",), reason="an hour; make test runs four of its faults in scenario recovery"),
    Part(
        "faults::2.11.0",
        "faults",
        {"SERVER": "2.11.0"},
        needs=("setup", "images"),
        uses=("molecule:recovery",),
        reason="an hour; make test runs four of its faults in scenario recovery",
    ),
    *(
        Part(f"range:core:{core}", "range", {"ITEM": f"core {core}"}, ("setup", "images"), ("molecule:default", "range"), "the promised range of versions")
        for core in ("2.18", "2.19", "2.20", "2.21")
    ),
    Part("range:python:3.9", "range", {"ITEM": "python 3.9"}, ("setup", "images"), ("molecule:default", "range"), "the promised range of versions"),
    *(
        Part(f"molecule:host:{suite}", "molecule", {"SCENARIO": "host", "SUITE": suite}, ("setup", "images"), ("molecule:host",), "the promised range of hosts")
        for suite in ("bullseye", "trixie")
    ),
    _part("repositories", "setup", reason="six minutes; scenario backup runs a repository in a directory"),
    Part("mutation", "mutation", needs=("setup",), reason="it runs the unit tests some thousand times"),
    Part("load", "load", needs=("setup", "images"), uses=("*",), reason="ten minutes, and it needs the machine for itself"),
    Part("bench", "bench", needs=("setup", "images"), uses=("*",), reason="45 minutes, and it needs the machine for itself"),
]


def named(words: list[str]) -> list[Part]:
    """The parts of these names, with what they need before them.

    :raises KeyError: for a name that is none, with the name.
    """
    known = {part.name: part for part in [*TEST, *ALL]}
    wanted: list[str] = []

    def want(name: str) -> None:
        for need in known[name].needs:
            if need in known:
                want(need)
        if name not in wanted:
            wanted.append(name)

    for word in words:
        want(word)
    return [known[name] for name in wanted]
