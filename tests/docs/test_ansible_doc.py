# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a user sees of the documentation: ansible-doc renders everything, and every example is a valid task."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

TOP = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
NAMESPACE = "inferops.xinference"


def names(pattern: str) -> list[str]:
    return sorted(path.stem for path in TOP.glob(pattern))


def ansible_doc(kind: str, *arguments: str) -> dict[str, Any]:
    done = subprocess.run([BIN / "ansible-doc", "--type", kind, "--json", *arguments], check=True, text=True, capture_output=True)
    # ansible-core warns of a part of its own here.
    assert not [line for line in done.stderr.splitlines() if "WARNING" in line and "_protomatter" not in line]
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize("module", names("plugins/modules/*.py"))
def test_module_is_rendered(module: str) -> None:
    page = ansible_doc("module", f"{NAMESPACE}.{module}")[f"{NAMESPACE}.{module}"]
    assert page["doc"]["short_description"]
    assert {"check_mode", "diff_mode", "idempotent", "platform"} <= set(page["doc"]["attributes"])
    for name, option in page["doc"]["options"].items():
        assert option["type"] and option["description"], name
    assert page["return"]


@pytest.mark.parametrize("name", names("plugins/filter/*.py"))
def test_filter_is_rendered(name: str) -> None:
    page = ansible_doc("filter", f"{NAMESPACE}.{name}")[f"{NAMESPACE}.{name}"]
    assert page["doc"]["options"]["_input"]["description"]
    assert page["return"]["_value"]["description"]


@pytest.mark.parametrize("role", sorted(path.name for path in (TOP / "roles").iterdir()))
def test_role_is_rendered(role: str) -> None:
    page = ansible_doc("role", f"{NAMESPACE}.{role}")[f"{NAMESPACE}.{role}"]
    for entry in page["entry_points"].values():
        assert entry["short_description"] and entry["description"]
        for name, option in entry.get("options", {}).items():
            assert option["type"] and option["description"] and ("default" in option or option.get("required")), name


@pytest.mark.parametrize(
    ("kind", "name"), [("module", name) for name in names("plugins/modules/*.py")] + [("filter", name) for name in names("plugins/filter/*.py")]
)
def test_examples_are_valid_tasks(kind: str, name: str, tmp_path: Path) -> None:
    examples = ansible_doc(kind, f"{NAMESPACE}.{name}")[f"{NAMESPACE}.{name}"]["examples"]
    tasks = yaml.safe_load(examples)
    assert tasks and all(NAMESPACE in str(task) or "assert" in str(task) for task in tasks)
    playbook = tmp_path / "examples.yml"
    playbook.write_text(yaml.safe_dump([{"hosts": "localhost", "gather_facts": False, "tasks": tasks}]))
    checked = subprocess.run([BIN / "ansible-playbook", "--syntax-check", playbook], check=False, text=True, capture_output=True)
    assert checked.returncode == 0, checked.stderr
