# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a unit of root writes down of the server's container, for the service, which may not talk to Docker. Private to this collection."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ..base.bounded import read_json
from ..base.private_file import replace_private

__all__ = ["ContainerReport", "keep", "kept", "renewed"]

#: Bytes of such a file, and characters of a text in it.
_BYTES, _CHARACTERS = 1 << 14, 1024
#: Numbers up to which they are counted exactly.
_MOST = 1 << 53


@dataclass(frozen=True)
class ContainerReport:
    """The container as it was seen last.

    :param id: Docker's name for it, which another container never has.
    :param started: when it was started last, in seconds since the epoch; 0 for never.
    :param restarts: how often it was seen to have been started again or replaced.
    :param by_docker: how often Docker itself had restarted it.
    :param cgroup: directory of the control group that bounds its memory; empty where it does not run.
    :param version: of the server in it; empty where it is not known.
    :param seen: the mark of the file by which the service asked for this report, in nanoseconds.
    """

    id: str = ""
    started: float = 0.0
    restarts: int = 0
    by_docker: int = 0
    cgroup: str = ""
    version: str = ""
    seen: int = 0


def renewed(before: ContainerReport | None, found: Mapping[str, Any], *, started: float, cgroup: str | None, version: str, seen: int) -> ContainerReport:
    """A new report.

    :param before: the last one; None without one.
    :param found: what Docker says of the container.
    :param started: when it was started last, in seconds since the epoch; 0 for never.
    :param cgroup: directory of the control group that bounds its memory.
    :param version: as of :class:`ContainerReport`.
    :param seen: as of :class:`ContainerReport`.
    """
    name, by_docker = str(found.get("Id", ""))[:_CHARACTERS], int(found.get("RestartCount") or 0)
    restarts = 0
    if before is not None:
        restarts = before.restarts
        if 0 < before.started != started > 0:
            # Docker may have restarted it several times in between.
            restarts += max(1, by_docker - before.by_docker if name == before.id else 1)
    return ContainerReport(name, started, restarts, by_docker, cgroup or "", version[:_CHARACTERS], seen)


def keep(path: str, report: ContainerReport) -> None:
    """Write a report.

    :raises OSError: when it cannot be written.
    """
    replace_private(Path(path), json.dumps(asdict(report), sort_keys=True) + "\n")


def kept(path: str | None) -> ContainerReport | None:
    """The report that was written last; None without one, or where something else lies there."""
    if path is None:
        return None
    place = Path(path)
    with contextlib.suppress(OSError, ValueError, TypeError):
        content = read_json(place.parent, [place.name], _BYTES)
        report = ContainerReport(**content)
        texts, numbers = (report.id, report.cgroup, report.version), (report.started, report.restarts, report.by_docker)
        texts_fit = all(isinstance(text, str) and len(text) <= _CHARACTERS for text in texts)
        if texts_fit and all(_is_number(number) for number in numbers) and isinstance(report.seen, int):
            return report
    return None


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value <= _MOST
