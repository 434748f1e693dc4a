# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter declaration_file."""

from __future__ import annotations

DOCUMENTATION = r"""
name: declaration_file
author: inferops contributors (@inferops)
version_added: 0.1.0
short_description: A declaration as a file of variables that Ansible reads as it is written
description:
  - Writes C(xinference_models) as YAML. A text that Ansible could take for a template, such as a chat template, is marked C(!unsafe), whoever wrote it on the
    server.
  - Comments at the top name what the declaration lacks.
options:
  _input:
    description: What module M(inferops.xinference.models_info) returns with O(inferops.xinference.models_info#module:declaration=true).
    type: dict
    required: true
  host:
    description: Name of the host.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Show a server as a file of variables
  ansible.builtin.debug:
    msg: "{{ {'declaration': [{'uid': 'chat', 'name': 'qwen3'}]} | inferops.xinference.declaration_file('inference-01') }}"
"""

RETURN = r"""
_value:
  description: The content of the file.
  type: str
"""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import yaml

#: The first words of every such file, by which it is known.
HEADER = "# Written by playbook inferops.xinference.export"
#: What Jinja's marks are made of, and the header with which a text chooses marks of its own.
_MARKS = frozenset("{}%#")


#: Ends of a line for YAML, besides the usual one.
_BREAKS = frozenset("\r\x85\u2028\u2029")


class _Unsafe(str):
    """A text that Ansible should not take for a template."""

    __slots__ = ()


class _Dumper(yaml.SafeDumper):
    """Writes lists below their key with the usual indent, texts of several lines as such, and nothing by reference."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        """Lists are indented, too."""
        super().increase_indent(flow, False)

    def ignore_aliases(self, data: Any) -> bool:
        """The same value twice is written twice."""
        return True


def _text(dumper: yaml.SafeDumper, text: str, tag: str) -> yaml.ScalarNode:
    # Within quotes alone they are kept.
    odd = _BREAKS & set(text)
    style = '"' if odd else "|" if "\n" in text else '"' if tag == "!unsafe" else None
    return dumper.represent_scalar(tag, str.__str__(text), style=style)


_Dumper.add_representer(str, lambda dumper, text: _text(dumper, text, "tag:yaml.org,2002:str"))
_Dumper.add_representer(_Unsafe, lambda dumper, text: _text(dumper, text, "!unsafe"))


def _plain(value: Any) -> Any:
    """A value of plain types: Ansible's own ones are theirs, marked by where they come from."""
    if isinstance(value, Mapping):
        return {_plain(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, str):
        text = "".join(list(value))
        return _Unsafe(text) if _MARKS & set(text) else text
    for kind in (bool, int, float):
        if isinstance(value, kind):
            return kind(value)
    return None if value is None else str(value)


def _comment(text: str) -> str:
    """A line of comment: what a server chose is in quotes and on one line."""
    return f"# {text}"


def declaration_file(found: Mapping[str, Any], host: str) -> str:
    """The content of the file."""
    remarks = []
    for uid, fields in (found.get("declaration_unknown") or {}).items():
        remarks.append(f"Unknown fields of model {json.dumps(_plain(uid))}: {', '.join(json.dumps(_plain(field)) for field in fields)}.")
    remarks.extend(f"Not possible in a declaration: {json.dumps(_plain(problem))}" for problem in found.get("declaration_problems") or [])
    content = yaml.dump(
        {"xinference_models": _plain(found["declaration"])}, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=1 << 20, explicit_start=True
    )
    rest = "\n".join([*map(_comment, remarks), content])
    # By which the playbook knows that nobody has changed it since.
    return f"{HEADER} from {json.dumps(_plain(host))}. SHA-256 of what follows: {hashlib.sha256(rest.encode()).hexdigest()}\n{rest}"


class FilterModule:
    """Filters of this file."""

    def filters(self) -> dict[str, Any]:
        """The filters by name."""
        return {"declaration_file": declaration_file}
