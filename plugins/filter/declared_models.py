# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter declared_models."""

from __future__ import annotations

DOCUMENTATION = r"""
name: declared_models
author: inferops contributors (@inferops)
version_added: 0.1.0
short_description: One model list from a declaration and from flat lines
description:
  - Forms that can fill neither lists nor dictionaries, such as a survey of AWX, give models as lines of text. This filter appends them to
    the declared list in the same shape.
  - A line holds C(key=value) pairs separated by white space, quoted like in a shell. Keys are the fields of module
    M(inferops.xinference.models); C(option.NAME=value) sets one of the engine's options, and C(env.NAME=value) an environment variable.
    C(workers=NAME,NAME) names several workers, separated by commas without white space.
  - Lines without content are ignored. These are empty lines, comments that begin with C(#), C(//) or C(;), lines of punctuation only such as
    C(-), and words such as C(none), C(n/a) or C(null). What follows white space and C(#) is a comment, too.
  - Bullets and numbers before a line, commas and semicolons behind a pair, quotes around a whole line, typographic quotes, tabs, spaces that do
    not break, and the line ends of Windows do no harm. A field without a value, such as C(path=), counts as not given.
  - Nothing else is checked here; the roles and the module do that. A line that does not consist of pairs is passed on as a text, without the values of
    its environment variables.
options:
  _input:
    description: The declared list. Anything that is no list is returned as it is, for the check to refuse.
    type: raw
    required: true
  lines:
    description: The lines.
    type: str
    default: ""
"""

EXAMPLES = r"""
- name: Show the models of a survey's text area
  ansible.builtin.debug:
    msg: "{{ [] | inferops.xinference.declared_models('uid=chat name=qwen3 engine=llama.cpp option.n_ctx=4096') }}"
"""

RETURN = r"""
_value:
  description: The list.
  type: list
  elements: dict
"""

import re
import shlex
from typing import Any

#: The field that is a list of names.
_LISTED = "workers"
_GROUPS = {"option": "engine_options", "engine_options": "engine_options", "env": "environment", "environment": "environment"}
#: What forms and people put in place of quotes, hyphens and spaces, and what cannot be seen.
_PLAIN = str.maketrans({**dict.fromkeys("\u201c\u201d\u201e\u201f\u00ab\u00bb", '"'), **dict.fromkeys("\u2018\u2019\u201a\u201b", "'")})
_UNSEEN = re.compile("[\u200b-\u200f\u2060\ufeff\u00ad]")
#: Before the first pair: bullets, and numbers of a list.
_BULLET = re.compile(r"(?:[-*+>\u2022\u00b7\u2023\u25e6\u25aa\u2013\u2014\u2212]+\s*|\d+[.)]\s+)+")
_COMMENT = ("#", "//", ";", "```")
#: A part of a line within quotes, or one of: a comment behind white space, commas behind a pair, the mark of equality with white space around it.
_OUTSIDE = re.compile(r"""("(?:\\.|[^"\\])*"|'[^']*')|(?P<comment>\s#.*)|(?P<comma>[,;]+(?=\s|$))|(?P<equal>\s+=\s+)""")
#: Words for nothing, in small letters and without what is no letter.
_NOTHING = frozenset({"", "none", "null", "nil", "na", "nan", "no", "nothing", "empty", "undefined", "false", "notapplicable", "nomodel", "nomodels"})
#: A variable of the environment, as it is written or meant, and all that comes after.
_SECRETS = re.compile(r"(\benv(?:ironment)?\b\s*[.:=]).*", re.DOTALL | re.IGNORECASE)


def _typed(text: str) -> Any:
    """Numbers and truth values of an engine's option as such, everything else as text."""
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def _outside(found: re.Match[str]) -> str:
    """What becomes of a part of a line: what is within quotes stays."""
    if found["comment"] or found["comma"]:
        return ""
    return "=" if found["equal"] else found[0]


def _cleaned(line: str) -> str:
    """A line without comments and the like; empty where nothing remains."""
    # White space of any other kind counts as a blank; how much there is matters within quotes.
    text = re.sub(r"\s", " ", _UNSEEN.sub("", line.translate(_PLAIN))).strip()
    if text.startswith(_COMMENT):
        return ""
    text = _BULLET.sub("", text, count=1) if _BULLET.match(text) else text
    if text.startswith(_COMMENT):
        return ""
    text = _OUTSIDE.sub(_outside, text).strip()
    # Quotes around the whole line.
    if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'" and text[0] not in text[1:-1]:
        text = text[1:-1].strip().rstrip(",;")
    return "" if "=" not in text and re.sub(r"[\W_]+", "", text).lower() in _NOTHING else text


def _model(line: str) -> Any:
    """One line as a declared model; the line itself where it is none, for the check to refuse."""
    refused = _SECRETS.sub(r"\1********", line)
    try:
        words = shlex.split(line)
    except ValueError:
        return refused
    model: dict[str, Any] = {}
    for word in words:
        key, separator, value = word.partition("=")
        if not separator:
            return refused
        group, dot, name = key.partition(".")
        if dot and group in _GROUPS:
            values = model.setdefault(_GROUPS[group], {})
            if not isinstance(values, dict):
                return refused
            values[name] = _typed(value) if _GROUPS[group] == "engine_options" else value
        elif value or key in _GROUPS:
            model[key] = value.split(",") if key == _LISTED else value
    return model


def declared_models(declared: Any, lines: str = "") -> Any:
    """The declared list with the models of the lines behind it."""
    if not isinstance(declared, list):
        return declared
    texts = [_cleaned(line) for line in str(lines or "").splitlines()]
    return declared + [_model(line) for line in texts if line]


class FilterModule:
    """Filters of this file."""

    def filters(self) -> dict[str, Any]:
        """The filters by name."""
        return {"declared_models": declared_models}
