# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Diagnoses of hosts as one page for a browser, which needs nothing else. Private to this collection."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

from .finding import OK, SEVERITIES, Finding
from .fleet import Host, fleet, is_command
from .models import AS_DECLARED, ModelState
from .page_script import SCRIPT
from .page_style import STYLE

__all__ = ["html_page"]

#: A page with more hosts shows a line of each, and what is in it when it is opened.
_FEW = 5
#: Findings that this line names, which are the worst.
_BRIEF = 4


def _source(text: str) -> str:
    """A style or a script as the policy of the page names it."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


#: Whatever got into the page runs nothing, loads nothing and sends nothing: only these two texts count.
_POLICY = f"default-src 'none'; style-src {_source(STYLE)}; script-src {_source(SCRIPT)}; base-uri 'none'; form-action 'none'"


def _counted(number: int, word: str) -> str:
    """A number of things; severities have no plural."""
    return f"{number} {word}" if number == 1 or word in ("critical", OK) else f"{number} {word}s"


def _moment(time: str) -> str:
    """A time for people; empty where none is known."""
    return f"{time[:10]} {time[11:16]} UTC" if time else ""


def _remedy(remedy: str) -> str:
    """A command to be copied, or a sentence."""
    return f"<code>{escape(remedy)}</code>" if is_command(remedy) else escape(remedy)


def _finding(finding: Finding) -> str:
    """A finding. There may be thousands of them, so end tags that HTML does not need are left out."""
    subject = f" <i>{escape(finding.subject)}</i>" if finding.subject else ""
    rows = [("Seen", escape(finding.seen)), ("Meaning", escape(finding.meaning)), ("Fix", _remedy(finding.remedy) if finding.remedy else "")]
    listed = "".join(f"<dt>{name}<dd>{text}" for name, text in rows if text)
    return f"<li class={finding.severity}><h3><b>{finding.severity}</b> {escape(finding.check)}{subject}</h3><dl>{listed}</dl>\n"


def _model(model: ModelState) -> str:
    """A row for a model that is not as declared."""
    said = "<br>".join(escape(text) for text in (*model.differences, model.message) if text)
    return f"<tr><th scope=row>{escape(model.uid)}<td>{escape(model.state)}<td>{said}\n"


def _inside(host: Host) -> Iterable[str]:
    """What is shown of an open host."""
    facts = [f"Xinference {host.server}" if host.server else "", f"image {host.image}" if host.image else "", _moment(host.time)]
    yield f"<p class=quiet>{escape(' · '.join(fact for fact in facts if fact))}</p>\n" if any(facts) else ""
    if host.findings:
        yield f"<ul class=findings>\n{''.join(_finding(finding) for finding in host.findings)}</ul>\n"
    else:
        yield "<p>Nothing found.</p>\n"
    if host.deviating:
        yield "<h3 class=more>Models that are not as declared</h3>\n<table><thead><tr><th scope=col>Model<th scope=col>State<th scope=col>In what\n<tbody>"
        yield f"{''.join(_model(model) for model in host.deviating)}</table>\n"
    same = [model.uid for model in host.models if model.state == AS_DECLARED]
    if same:
        yield f"<h3 class=more>Models as declared</h3>\n<p class=small>{escape(', '.join(same))}</p>\n"
    if host.logs:
        yield f"<h3 class=more>Logs</h3>\n<p class=small>{escape(', '.join(host.logs))}</p>\n"
    if host.unchecked:
        rows = "".join(f"<li>{escape(each.check)}: {escape(each.reason or 'no reason is given')}\n" for each in host.unchecked)
        yield f"<h3 class=more>Not checked</h3>\n<ul>{rows}</ul>\n"
    if host.checks:
        yield f"<h3 class=more>{_counted(len(host.checks), 'check')}</h3>\n<p class=quiet>{escape(', '.join(host.checks))}</p>\n"


def _counts(host: Host) -> str:
    """How many findings of each severity a host has."""
    numbers = {severity: sum(finding.severity == severity for finding in host.findings) for severity in SEVERITIES}
    return ", ".join(_counted(number, severity) for severity, number in numbers.items() if number) or "nothing found"


def _brief(host: Host) -> str:
    """What is wrong with a host that is not opened, in a few words; the same check of several models is named once."""
    names = list(dict.fromkeys(finding.check for finding in host.findings))
    more = f" and {len(names) - _BRIEF} more" if len(names) > _BRIEF else ""
    return f"<span class=brief>{escape(', '.join(names[:_BRIEF]))}{more}</span>" if names else ""


def _host(host: Host, opened: bool) -> str:
    """A host, with a line that is always shown."""
    head = f"<summary><b>{host.severity}</b><h2>{escape(host.name)}</h2>{_brief(host)}<span>{_counts(host)}</span></summary>"
    return f"<details class={host.severity}{' open' if opened else ''}>{head}\n<div class=inside>\n{''.join(_inside(host))}</div></details>\n"


def _form() -> str:
    """The filters, hidden until the script that they need runs."""
    boxes = "".join(f"<label><input type=checkbox value={severity} checked> {severity}</label>" for severity in (*SEVERITIES, OK))
    return (
        "<form hidden role=search><label>Host name<input type=search name=host autocomplete=off spellcheck=false></label>\n"
        f"<fieldset><legend>Severity</legend>{boxes}</fieldset>\n"
        "<div><button type=button value=open>Open all</button> <button type=button value=close>Close all</button></div>\n"
        "<output aria-live=polite></output></form>\n"
    )


def _totals(hosts: Sequence[Host]) -> str:
    """How many hosts there are of each severity."""
    rows = "".join(f"<li class={severity}><strong>{sum(host.severity == severity for host in hosts)}</strong> {severity}\n" for severity in (*SEVERITIES, OK))
    return f'<ul class=totals aria-label="Hosts by their worst finding">\n{rows}</ul>\n'


def html_page(hosts: Mapping[str, Any]) -> str:
    """The page: HTML with its style and script, to be stored as UTF-8.

    :param hosts: see :func:`fleet`.
    """
    rows = fleet(hosts)
    count = f"{len(rows)} inference host{'' if len(rows) == 1 else 's'}"
    times = sorted(_moment(host.time) for host in rows if host.time)
    when = "" if not times else f"Diagnosed at {times[0]}" if times[0] == times[-1] else f"Diagnosed between {times[0]} and {times[-1]}"
    critical = sum(host.severity == "critical" for host in rows)
    shown = "".join(_host(host, len(rows) <= _FEW and host.severity != OK) for host in rows)
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n<meta name="color-scheme" content="light dark">\n'
        '<meta name="referrer" content="no-referrer">\n<meta name="robots" content="noindex">\n'
        f"<title>Diagnosis: {count}, {critical} critical</title>\n<style>{STYLE}</style>\n</head>\n<body>\n"
        f"<header>\n<h1>Diagnosis of {count}</h1>\n<p class=quiet>{escape(when)}</p>\n{_totals(rows)}</header>\n"
        f"{_form()}<main>\n{shown}<p id=nothing hidden>No host has this name and findings of these severities.</p>\n"
        f"{'' if rows else '<p>No host was diagnosed.</p>'}</main>\n<script>{SCRIPT}</script>\n</body>\n</html>\n"
    )
