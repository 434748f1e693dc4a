# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One thing that is wrong, and the order in which they are shown. Private to this collection."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ..base.messages import one_line

__all__ = ["CRITICAL", "NOTE", "OK", "SEVERITIES", "WARNING", "Finding", "ordered", "worst"]

#: Models do not answer, or soon will not; something is wrong that does not keep them from it yet; good to know.
CRITICAL, WARNING, NOTE = SEVERITIES = ("critical", "warning", "note")
#: Of a host without findings.
OK = "ok"


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong.

    :param check: what was checked, such as mounts.
    :param severity: critical, warning or note.
    :param subject: uid, path or unit that it is about; empty where it is the host.
    :param seen: what was seen, a sentence.
    :param meaning: what that means for the models, a sentence.
    :param remedy: what to do about it, a sentence or a command.
    """

    check: str
    severity: str
    subject: str
    seen: str
    meaning: str = ""
    remedy: str = ""

    def shown(self) -> dict[str, str]:
        """The finding for results: what a server or a file system wrote has bounds, and no control characters."""
        return {name: one_line(str(getattr(self, name))) for name in self.__dataclass_fields__}

    def __str__(self) -> str:
        """What was seen and what to do about it, as a row of a table holds it."""
        return f"{self.seen} {self.remedy}".strip()


def _rank(severity: str) -> int:
    """Place in the order, the worst first."""
    return SEVERITIES.index(severity)


def worst(findings: Iterable[Finding]) -> str:
    """The worst severity; ``ok`` where there is no finding."""
    return min((finding.severity for finding in findings), key=_rank, default=OK)


def ordered(findings: Iterable[Finding]) -> list[Finding]:
    """The findings, each once, the worst first."""
    return sorted(dict.fromkeys(findings), key=lambda finding: (_rank(finding.severity), finding.check, finding.subject, finding.seen))
