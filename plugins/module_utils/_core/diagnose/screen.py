# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Diagnoses of hosts for a screen: a table, and below it what does not fit into a cell. Private to this collection."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ..base.table import table_lines
from .finding import OK, SEVERITIES, Finding
from .fleet import Host, fleet, is_command
from .models import ModelState

__all__ = ["screen_lines"]

#: Columns of the screen.
WIDTH = 120
_HEADER = ("HOST", "SEVERITY", "CHECK", "SUBJECT", "SEEN")
#: Columns of the cells that a name may make long; what was seen gets the rest.
_HOST, _CHECK, _SUBJECT = 24, 16, 28
#: Between two columns.
_GAP = 2
_INDENT = "  "


def _cut(text: str, most: int) -> str:
    """A text of at most so many characters; of a path, the end says more."""
    if len(text) <= most:
        return text
    return "…" + text[1 - most :] if text.startswith("/") else _shortened(text, most)


def _shortened(text: str, most: int) -> str:
    """A sentence of at most so many characters, which may begin with a path."""
    return text if len(text) <= most else text[: most - 1] + "…"


def _wrapped(text: str, first: str = "", others: str = "") -> list[str]:
    """The lines of a sentence; a word that is longer than a line is broken."""
    return textwrap.wrap(text, WIDTH, initial_indent=first, subsequent_indent=others, break_on_hyphens=False) or [first.rstrip()]


def _groups(rows: Iterable[tuple[str, Any]]) -> dict[Any, list[str]]:
    """The names of the hosts of which the same is to be said, each once."""
    found: dict[Any, list[str]] = {}
    for name, what in rows:
        names = found.setdefault(what, [])
        if name not in names:
            names.append(name)
    return found


def _explained(names: Sequence[str], finding: Finding, seen: str) -> list[str]:
    """What a finding means and what fixes it, below a line that says whose it is."""
    subject = f" {finding.subject}" if finding.subject else ""
    lines = _wrapped(f"{', '.join(names)}: {finding.severity}: {finding.check}{subject}", "", _INDENT)
    lines += [line for text in (seen, finding.meaning) if text for line in _wrapped(text, _INDENT, _INDENT)]
    if not finding.remedy:
        return lines
    if is_command(finding.remedy):
        # A command is never broken: a shell would run the first of two lines alone.
        return [*lines, f"{_INDENT}Fix: {finding.remedy}"]
    return lines + _wrapped(f"Fix: {finding.remedy}", _INDENT, _INDENT)


def _table(hosts: Sequence[Host]) -> tuple[list[str], list[tuple[str, tuple[Finding, str]]]]:
    """The lines of the table, and its findings in the same order: host, (finding, what was seen where the cell does not hold it)."""
    order = (*SEVERITIES, OK)
    found = sorted(
        ((host, finding) for host in hosts for finding in host.findings),
        # Hosts are in their order already, and findings are in theirs.
        key=lambda row: (order.index(row[0].severity), order.index(row[1].severity), row[1].check),
    )
    if not found:
        return [], []
    cells = [(_cut(host.name, _HOST), finding.severity, _cut(finding.check, _CHECK), _cut(finding.subject or "-", _SUBJECT)) for host, finding in found]
    left = WIDTH - sum(max(len(row[column]) for row in (_HEADER, *cells)) + _GAP for column in range(4))
    rows = [(*cell, _shortened(finding.seen or "-", left)) for cell, (_host, finding) in zip(cells, found)]
    return table_lines([_HEADER, *rows]), [(host.name, (finding, finding.seen if len(finding.seen) > left else "")) for host, finding in found]


def _model(model: ModelState) -> str:
    """How a model that is not as declared compares with its declaration."""
    differences = f": {'; '.join(model.differences)}" if model.differences else ""
    state = {"differs": "differs from its declaration", "missing": "is missing", "failed": "failed", "not declared": "is not declared"}.get(
        model.state, f"is {model.state}"
    )
    message = f" ({model.message})" if model.message else ""
    return f"model {model.uid} {state}{differences}{message}"


def _blocks(hosts: Sequence[Host]) -> Iterable[list[str]]:
    """Blocks of lines, which an empty line is between."""
    table, findings = _table(hosts)
    yield table
    for (finding, seen), names in _groups(findings).items():
        yield _explained(names, finding, seen)
    models = _groups((host.name, _model(model)) for host in hosts for model in host.deviating)
    yield [line for what, names in models.items() for line in _wrapped(f"{', '.join(names)}: {what}", "", _INDENT)]
    skipped = _groups((host.name, (each.check, each.reason)) for host in hosts for each in host.unchecked)
    yield [
        line
        for (check, reason), names in skipped.items()
        for line in _wrapped(f"{', '.join(names)}: {check} was not checked: {reason or 'no reason is given'}", "", _INDENT)
    ]
    yield [line for host in hosts if host.logs for line in _wrapped(f"{host.name}: logs: {', '.join(host.logs)}", "", _INDENT)]
    yield [f"{host.name}: nothing found; {len(host.checks)} check{'' if len(host.checks) == 1 else 's'}" for host in hosts if not host.findings]


def screen_lines(hosts: Mapping[str, Any]) -> list[str]:
    """The lines: the table of all findings, worst first; below it what each means; models that differ; what was not checked; hosts without findings.

    Lines have at most 120 characters, except commands, which are not broken.

    :param hosts: see :func:`fleet`.
    """
    lines: list[str] = []
    for block in _blocks(fleet(hosts)):
        lines += ["", *block] if block and lines else block
    return lines or ["No host was diagnosed."]
