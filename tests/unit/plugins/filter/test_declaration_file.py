# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter ``declaration_file``: what it writes is read by Ansible as it was, and nothing of it is a template."""

from __future__ import annotations

import hashlib
import inspect
from pathlib import Path
from typing import Any

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.inferops.xinference.plugins.filter.declaration_file import HEADER, FilterModule

declaration_file = FilterModule().filters()["declaration_file"]
#: What older versions of Ansible do not need.
TRUSTED = {"trusted_as_template": True} if "trusted_as_template" in inspect.signature(DataLoader.load_from_file).parameters else {}
CHAT = {
    "uid": "chat",
    "name": "qwen3",
    "size_in_billions": "0_6",
    "replica": 1,
    "autostart": False,
    "engine_options": {"n_ctx": 4096, "rate": 0.5, "none": None},
}
TEMPLATE = "{%- for m in messages %}\n  {{ m['role'] }}: {{ m['content'] }}\n{%- endfor %}\n\t{# end #}"
TEXTS = [
    *("{{ messages }}", "{% if x %}", "{# x #}", "#jinja2: variable_start_string: '[['\n[[ lookup('pipe', 'id') ]]", "}}", "100%", TEMPLATE, "{{ a }}\n"),
    *("yes", "0_6", "1:30", "null", "", " x ", "a: b", "- a", "!unsafe x", "*a", "&a", "---", "...", "'", '"', "\\", "\n", "\n\n a\n", "a\n  b \n", "ä日本"),
    *("\x85", "a\x85b\n", "\u2028", "a\rb", "a\r\nb", "\x00", "\x1b[31m", "\ufeff", "\U0001f600", "\t", "a\tb\n", "2026-01-01", "1e3", "0x1F", "=", "<<"),
]


def read(text: str, folder: Path) -> Any:
    """What a run of Ansible has of a file of variables after every template in it was rendered."""
    path = folder / "vars.yml"
    path.write_text(text, encoding="utf-8")
    loader = DataLoader()
    found = loader.load_from_file(str(path), cache=False if not TRUSTED else "none", **TRUSTED)
    return Templar(loader=loader, variables={}).template(found)["xinference_models"]


def written(declaration: list[dict[str, Any]], **more: Any) -> str:
    """The file of a declaration."""
    return str(declaration_file({"declaration": declaration, **more}, "inference-01"))


def parts(text: str) -> tuple[str, str]:
    """The beginning of the first line, and what follows; that the line says what it is of that."""
    first, _end, rest = text.partition("\n")
    beginning, _words, digest = first.partition(" SHA-256 of what follows: ")
    assert digest == hashlib.sha256(rest.encode()).hexdigest()
    return beginning, rest


def test_how_it_looks() -> None:
    registration = {"model_name": "qwen3", "chat_template": TEMPLATE, "stop": ["<|im_end|>", "{{"], "model_lang": ["en"]}
    unknown = {"chat": ["environment.HF_TOKEN", "autostart"]}
    assert parts(written([{**CHAT, "registration": registration}], declaration_unknown=unknown, declaration_problems=["models[0]: a problem."])) == (
        f'{HEADER} from "inference-01".',
        """# Unknown fields of model "chat": "environment.HF_TOKEN", "autostart".
# Not possible in a declaration: "models[0]: a problem."
---
xinference_models:
  - uid: chat
    name: qwen3
    size_in_billions: '0_6'
    replica: 1
    autostart: false
    engine_options:
      n_ctx: 4096
      rate: 0.5
      none: null
    registration:
      model_name: qwen3
      chat_template: !unsafe "{%- for m in messages %}\\n  {{ m['role'] }}: {{ m['content'] }}\\n{%- endfor %}\\n\\t{# end #}"
      stop:
        - <|im_end|>
        - !unsafe "{{"
      model_lang:
        - en
""",
    )


def test_a_text_of_several_lines_is_read_as_such() -> None:
    assert "chat_template: !unsafe |-\n" in written([{"registration": {"chat_template": "{{ a }}\n{{ b }}"}}])


@pytest.mark.parametrize("text", TEXTS)
def test_every_text_comes_back(text: str, tmp_path: Path) -> None:
    declaration = [{"uid": text, text: text, "list": [text, [text]], "again": {"x": text}}]
    assert read(written(declaration), tmp_path) == declaration


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"]) | st.sampled_from("{}%# \n\x85'\"")))
def test_any_text_comes_back(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    declaration = [{"uid": text, "environment": {"A": text}}]
    assert read(written(declaration), tmp_path_factory.getbasetemp()) == declaration


@pytest.mark.parametrize("odd", ["a\nxinference_models: []", "a\r\nx: y", "\x85x", "{{ a }}", '"'])
def test_what_a_server_chose_does_not_leave_a_comment(odd: str, tmp_path: Path) -> None:
    text = written([CHAT], declaration_unknown={odd: [odd]}, declaration_problems=[odd])
    assert read(text, tmp_path) == [CHAT]
    assert text.partition("---\n")[0].count("\n") == 3


def test_a_server_without_models() -> None:
    assert parts(written([])) == (f'{HEADER} from "inference-01".', "---\nxinference_models: []\n")


def test_the_types_of_ansible_are_no_obstacle(tmp_path: Path) -> None:
    """What a module returned is of types of Ansible's own."""
    returned = read("xinference_models: [{uid: chat, path: !unsafe '{{ x }}', replica: 2, autostart: true}]", tmp_path)
    text = written(returned)
    assert 'path: !unsafe "{{ x }}"\n' in text
    assert read(text, tmp_path) == [{"uid": "chat", "path": "{{ x }}", "replica": 2, "autostart": True}]
