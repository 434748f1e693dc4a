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
  - Empty lines and lines that start with C(#) are left out. Nothing is checked here; the roles and the module do that.
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

import shlex
from typing import Any

_GROUPS = {"option": "engine_options", "env": "environment"}


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


def _model(line: str) -> Any:
    """One line as a declared model; the line itself where it is none, for the check to refuse."""
    try:
        words = shlex.split(line)
    except ValueError:
        return line
    model: dict[str, Any] = {}
    for word in words:
        key, separator, value = word.partition("=")
        if not separator:
            return line
        group, dot, name = key.partition(".")
        if dot and group in _GROUPS:
            values = model.setdefault(_GROUPS[group], {})
            if not isinstance(values, dict):
                return line
            values[name] = _typed(value) if group == "option" else value
        else:
            model[key] = value
    return model


def declared_models(declared: Any, lines: str = "") -> Any:
    """The declared list with the models of the lines behind it."""
    if not isinstance(declared, list):
        return declared
    texts = [line.strip() for line in (lines or "").splitlines()]
    return declared + [_model(line) for line in texts if line and not line.startswith("#")]


class FilterModule:
    """Filters of this file."""

    def filters(self) -> dict[str, Any]:
        """The filters by name."""
        return {"declared_models": declared_models}
