# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Diagnoses of many hosts, as they may be shown: of known shape and bounded length, worst first. Private to this collection.

A host returns its diagnosis itself, and a server wrote parts of it. So nothing of it is trusted: neither its kinds nor its sizes, nor the order.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..base.messages import printable
from .finding import OK, SEVERITIES, Finding
from .logs import LogUse
from .models import AS_DECLARED, ModelState

__all__ = ["Host", "Unchecked", "fleet", "is_command"]

#: Characters of a sentence, and of a name.
_SENTENCE = 600
_NAME = 200
#: Findings, models, differences of a model, and checks of one host.
_FINDINGS = 200
_MODELS = 500
_DIFFERENCES = 50
_CHECKS = 200
_LOGS = 2
#: Bytes that no file system has.
_MOST_BYTES = 1 << 64


@dataclass(frozen=True)
class Unchecked:
    """A check that was not made.

    :param check: its name.
    :param reason: why it was not made.
    """

    check: str
    reason: str


@dataclass(frozen=True)
class Host:
    """The diagnosis of a host.

    :param name: in the inventory.
    :param time: when it was made, as ISO 8601 in UTC; empty where it is not known.
    :param severity: the worst of its findings, or ``OK``.
    :param server: the version of Xinference; empty where it is not known.
    :param image: of the container; empty where it is not known.
    :param findings: worst first, then by check and subject.
    :param models: of which something is known, by uid.
    :param checks: names of what was checked.
    :param unchecked: what was not checked.
    :param logs: what the logs take, in words.
    """

    name: str
    time: str
    severity: str
    server: str
    image: str
    findings: tuple[Finding, ...]
    models: tuple[ModelState, ...]
    checks: tuple[str, ...]
    unchecked: tuple[Unchecked, ...]
    logs: tuple[str, ...] = ()

    @property
    def deviating(self) -> tuple[ModelState, ...]:
        """The models that are not as declared."""
        return tuple(model for model in self.models if model.state != AS_DECLARED)


_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", re.ASCII)
#: Digits of a name that are compared as a number.
_DIGITS = re.compile(r"([0-9]{1,18})")
#: What stands for a host that returned no diagnosis.
_NO_ANSWER = {
    "check": "host",
    "severity": "critical",
    "seen": "This host returned no diagnosis.",
    "meaning": "It could not be reached, or its diagnosis ended with an error, which the output of the run shows.",
    "remedy": "Fix the reason that the run shows, and diagnose this host again.",
}


def is_command(remedy: str) -> bool:
    """Whether a remedy is a command: a sentence begins with a capital letter and ends with a full stop."""
    return not (remedy[:1].isupper() and remedy.endswith((".", ":", "!", "?")))


def _text(value: Any, most: int) -> str:
    """A text without control characters and of bounded length; empty for None."""
    if value is None:
        return ""
    text = printable((value if isinstance(value, str) else "(no text)")[: most + 1]).strip()
    return text if len(text) <= most else text[:most] + "…"


def _name(value: Any) -> str:
    return _text(value, _NAME)


def _time(value: Any) -> str:
    """A time, or nothing: what is none could pass for the oldest or the newest of all."""
    return value if isinstance(value, str) and _TIME.fullmatch(value) else ""


def _bytes(value: Any) -> int | None:
    """A number of bytes; None for what is none."""
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < _MOST_BYTES else None


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _maps(value: Any, most: int) -> list[Mapping[str, Any]]:
    """The first dictionaries of a list."""
    return [each for each in _list(value)[:most] if isinstance(each, Mapping)]


def _finding(row: Mapping[str, Any]) -> Finding:
    return Finding(
        check=_name(row.get("check")) or "-",
        severity=_severity(row),
        subject=_name(row.get("subject")),
        seen=_text(row.get("seen"), _SENTENCE),
        meaning=_text(row.get("meaning"), _SENTENCE),
        remedy=_text(row.get("remedy"), _SENTENCE),
    )


def _severity(row: Mapping[str, Any]) -> str:
    """The severity of a finding; one that nobody knows is not hidden at the end."""
    severity = row.get("severity")
    return severity if isinstance(severity, str) and severity in SEVERITIES else "warning"


def _findings(given: Mapping[str, Any]) -> list[Finding]:
    """The findings of a host, and one more where there are too many to be shown."""
    # The worst are kept, wherever the host put them.
    rows = sorted((row for row in _list(given.get("findings")) if isinstance(row, Mapping)), key=lambda row: SEVERITIES.index(_severity(row)))
    found = sorted(map(_finding, rows[:_FINDINGS]), key=lambda each: (SEVERITIES.index(each.severity), each.check, each.subject))
    if len(rows) > _FINDINGS:
        more = f"{len(rows) - _FINDINGS} more findings are not shown."
        found.append(Finding("host", "note", "", more, "The file with the data of the diagnosis holds them.", "Fix those that are shown first."))
    return found


def _host(name: str, given: Any) -> Host:
    """The diagnosis of a host from what it returned, whatever that is."""
    answer: Mapping[str, Any] = given if isinstance(given, Mapping) and isinstance(given.get("findings"), list) else {"findings": [_NO_ANSWER]}
    findings = _findings(answer)
    models = [
        ModelState(
            uid=_name(row.get("uid")) or "-",
            state=_name(row.get("state")) or "unverified",
            differences=tuple(_name(each) for each in _list(row.get("differences"))[:_DIFFERENCES]),
            message=_text(row.get("message"), _SENTENCE),
        )
        for row in _maps(answer.get("models"), _MODELS)
    ]
    return Host(
        name=_name(name),
        time=_time(answer.get("time")),
        severity=findings[0].severity if findings else OK,
        server=_name(answer.get("server")),
        image=_name(answer.get("image")),
        findings=tuple(findings),
        models=tuple(sorted(models, key=lambda each: each.uid)),
        checks=tuple(_name(each) for each in _list(answer.get("checks"))[:_CHECKS]),
        unchecked=tuple(Unchecked(_name(row.get("check")) or "-", _text(row.get("reason"), _SENTENCE)) for row in _maps(answer.get("unchecked"), _CHECKS)),
        logs=tuple(str(LogUse(_name(row.get("log")) or "-", _bytes(row.get("bytes")), _bytes(row.get("bound")))) for row in _maps(answer.get("logs"), _LOGS)),
    )


def _number(name: str) -> tuple[tuple[int, int, str], ...]:
    """A name as people sort it: web2 before web10."""
    return tuple((1, int(part), "") if part.isdecimal() else (0, 0, part) for part in _DIGITS.split(name))


def fleet(hosts: Mapping[str, Any]) -> list[Host]:
    """The diagnoses of all hosts: the worst hosts first, then those with more of the worst findings, then by name.

    :param hosts: for each host what module ``diagnose`` found; anything else for a host without a diagnosis.
    """
    found = [_host(str(name), given) for name, given in hosts.items()]

    def rank(host: Host) -> tuple[Any, ...]:
        # More of them is worse, so they count downwards.
        return (*(-sum(each.severity == severity for each in host.findings) for severity in SEVERITIES), _number(host.name))

    return sorted(found, key=rank)
