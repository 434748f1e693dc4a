# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The style of the page: light and dark, for screens from 320 pixels on and for paper. Private to this collection."""

from __future__ import annotations

__all__ = ["COLOURS", "STYLE"]

#: Colours by scheme and name. The tests hold that each text has a contrast of 4.5 or more on what is behind it.
COLOURS: dict[str, dict[str, str]] = {
    "light": {
        "page": "#f4f5f7",
        "card": "#ffffff",
        "code": "#eef0f3",
        "text": "#1b2027",
        "quiet": "#545d69",
        "line": "#d3d8de",
        "field": "#868e99",
        "focus": "#1559b3",
        "on": "#ffffff",
        "critical": "#b3261e",
        "warning": "#8a5300",
        "note": "#1559b3",
        "ok": "#1a7036",
    },
    "dark": {
        "page": "#101418",
        "card": "#191f26",
        "code": "#242c35",
        "text": "#e6e9ed",
        "quiet": "#a7b0bb",
        "line": "#343d47",
        "field": "#7d8793",
        "focus": "#8fbcff",
        "on": "#14181d",
        "critical": "#ff9188",
        "warning": "#f0bd55",
        "note": "#8fbcff",
        "ok": "#74cf8f",
    },
}


def _variables(scheme: str) -> str:
    """The colours of a scheme, as CSS declares them."""
    return "".join(f"--{name}: {colour}; " for name, colour in COLOURS[scheme].items()).rstrip()


STYLE = (
    f"\n:root {{ {_variables('light')} }}\n@media (prefers-color-scheme: dark) {{ :root {{ {_variables('dark')} }} }}\n"
    """
* { box-sizing: border-box; }
[hidden] { display: none !important; }
html { color-scheme: light dark; -webkit-text-size-adjust: 100%; }
body { margin: 0 auto; max-width: 66rem; padding: 1rem; background: var(--page); color: var(--text);
  font: 1rem/1.5 system-ui, sans-serif; overflow-wrap: anywhere; }
h1 { font-size: 1.5rem; line-height: 1.25; margin: .5rem 0; }
h2, h3 { font-size: 1rem; margin: 0; line-height: 1.4; unicode-bidi: isolate; }
.more { font-size: .875rem; margin: 1rem 0 .25rem; }
p { margin: .25rem 0; }
ul { list-style: none; margin: 0; padding: 0; }
.quiet, .brief, summary span, dt, output { color: var(--quiet); }
.quiet, .brief, dt, table, .small { font-size: .875rem; }
.totals { display: flex; flex-wrap: wrap; gap: .5rem; margin: .75rem 0; }
.totals li { background: var(--card); border: 1px solid var(--line); border-radius: .5rem; padding: .375rem .75rem; min-width: 6rem; }
.totals strong { display: block; font-size: 1.5rem; line-height: 1.2; }
.critical { --mark: var(--critical); }
.warning { --mark: var(--warning); }
.note { --mark: var(--note); }
.ok { --mark: var(--ok); }
.totals li { border-top: .25rem solid var(--mark); }
b { display: inline-block; padding: 0 .5rem; border: 1px solid var(--mark); border-radius: 1rem; background: var(--mark); color: var(--on);
  font-size: .8125rem; line-height: 1.375rem; font-weight: 600; white-space: nowrap; vertical-align: .0625rem; }
h3 b { margin-right: .25rem; }
summary b { min-width: 5.25rem; text-align: center; }
form { display: flex; flex-wrap: wrap; align-items: end; gap: .75rem 1.25rem; margin: 1rem 0; padding: .75rem 1rem; background: var(--card);
  border: 1px solid var(--line); border-radius: .5rem; }
form label { display: inline-flex; align-items: center; gap: .375rem; min-height: 2.25rem; }
form > label { display: block; flex: 1 1 12rem; }
[type=search] { display: block; width: 100%; min-height: 2.25rem; padding: .25rem .5rem; font: inherit; color: inherit; background: var(--page);
  border: 1px solid var(--field); border-radius: .375rem; }
[type=checkbox] { width: 1.125rem; height: 1.125rem; margin: 0; accent-color: var(--focus); }
fieldset { border: 0; margin: 0; padding: 0; display: flex; flex-wrap: wrap; gap: 0 1rem; }
legend { padding: 0; }
button { min-height: 2.25rem; padding: .25rem .75rem; font: inherit; color: inherit; background: var(--page); border: 1px solid var(--field);
  border-radius: .375rem; cursor: pointer; }
output { flex-basis: 100%; }
:focus-visible { outline: 3px solid var(--focus); outline-offset: 2px; }
details { background: var(--card); border: 1px solid var(--line); border-left: .375rem solid var(--mark); border-radius: .5rem; margin: .5rem 0; }
summary { display: flex; flex-wrap: wrap; align-items: center; gap: .25rem .75rem; padding: .625rem .875rem; cursor: pointer; list-style: none; }
summary::-webkit-details-marker { display: none; }
summary::before { content: ""; flex: none; border: .3125rem solid transparent; border-left: .4375rem solid var(--quiet); margin-right: -.4375rem; }
[open] > summary::before { transform: rotate(90deg) translate(.125rem, .1875rem); }
summary span { font-size: .875rem; }
summary :last-child { margin-left: auto; }
[open] > summary .brief { visibility: hidden; }
.inside { padding: 0 .875rem .875rem; border-top: 1px solid var(--line); }
.findings li { margin: .75rem 0; padding-left: .75rem; border-left: .1875rem solid var(--mark); }
i { font-style: normal; font-weight: 400; color: var(--quiet); unicode-bidi: isolate; }
dl { display: grid; align-items: baseline; grid-template-columns: max-content 1fr; gap: .125rem .75rem; margin: .25rem 0 0; }
dd { margin: 0; min-width: 0; unicode-bidi: isolate; }
code { font: .875rem/1.5 ui-monospace, monospace; background: var(--code); border-radius: .25rem; padding: .0625rem .375rem; white-space: pre-wrap;
  -webkit-box-decoration-break: clone; box-decoration-break: clone; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; vertical-align: top; padding: .25rem .75rem .25rem 0; border-bottom: 1px solid var(--line); unicode-bidi: isolate; }
th { font-weight: 600; }
thead th { color: var(--quiet); }
@media (max-width: 30rem) {
  body { padding: .625rem; }
  dl { display: block; }
  dt { margin-top: .25rem; }
  .totals { display: grid; grid-template-columns: repeat(4, 1fr); }
  .totals li { min-width: 0; padding: .25rem .5rem; font-size: .8125rem; }
  code { display: block; }
  summary :last-child { margin: 0; }
  [open] > summary .brief { display: none; }
  .brief { flex-basis: 100%; order: 1; }
}
@media print {
  :root { """
    f"{_variables('light')}"
    """ --page: #ffffff; }
  body { max-width: none; padding: 0; font-size: 10pt; }
  form, summary::before { display: none; }
  .findings li, summary, tr { break-inside: avoid; }
  summary, h3 { break-after: avoid; }
  details::details-content { content-visibility: visible; block-size: auto; }
  b, code { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
}
"""
)
