# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a user sees of the documentation: ansible-doc renders everything, and every example is a valid task."""

from __future__ import annotations

import json
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

TOP = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
NAMESPACE = "inferops.xinference"


def names(pattern: str) -> list[str]:
    return sorted(path.stem for path in TOP.glob(pattern))


MODULES, FILTERS = names("plugins/modules/*.py"), names("plugins/filter/*.py")
ROLES = sorted(path.name for path in (TOP / "roles").iterdir())
#: Filters that users may call; all others are private to the roles.
PUBLIC_FILTERS = {"declared_models", "declaration_file"}
EXAMPLES = [("module", name) for name in MODULES] + [("filter", name) for name in FILTERS]


@cache
def pages(kind: str) -> dict[str, Any]:
    """All pages of a kind, by the names of what they describe: one run of ansible-doc."""
    wanted = {"module": MODULES, "filter": FILTERS, "role": ROLES}[kind]
    command = [str(BIN / "ansible-doc"), "--type", kind, "--json", *(f"{NAMESPACE}.{name}" for name in wanted)]
    done = subprocess.run(command, check=True, text=True, capture_output=True)
    # ansible-core warns of a part of its own here.
    assert not [line for line in done.stderr.splitlines() if "WARNING" in line and "_protomatter" not in line]
    return {name.removeprefix(f"{NAMESPACE}."): page for name, page in json.loads(done.stdout).items()}


@pytest.mark.parametrize("module", MODULES)
def test_module_is_rendered(module: str) -> None:
    page = pages("module")[module]
    assert page["doc"]["short_description"]
    assert {"check_mode", "diff_mode", "idempotent", "platform"} <= set(page["doc"]["attributes"])
    for name, option in page["doc"]["options"].items():
        assert option["type"] and option["description"], name
    assert page["return"]


@pytest.mark.parametrize("name", FILTERS)
def test_filter_is_rendered(name: str) -> None:
    page = pages("filter")[name]
    assert page["doc"]["options"]["_input"]["description"]
    assert page["return"]["_value"]["description"]
    assert ("(private)" in page["doc"]["short_description"]) is (name not in PUBLIC_FILTERS)
    assert ("private to the roles" in page["doc"]["description"][0]) is (name not in PUBLIC_FILTERS)


@pytest.mark.parametrize("role", ROLES)
def test_role_is_rendered(role: str) -> None:
    page = pages("role")[role]
    for entry in page["entry_points"].values():
        assert entry["short_description"] and entry["description"]
        for name, option in entry.get("options", {}).items():
            assert option["type"] and option["description"] and ("default" in option or option.get("required")), name


@pytest.fixture(scope="module")
def checked(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What one run says of all examples, of which each is a playbook; it ends at the first that is wrong."""
    folder = tmp_path_factory.mktemp("examples")
    playbooks = []
    for kind, name in EXAMPLES:
        tasks = yaml.safe_load(pages(kind)[name]["examples"])
        playbooks.append(folder / f"{kind}-{name}.yml")
        playbooks[-1].write_text(yaml.safe_dump([{"hosts": "localhost", "gather_facts": False, "tasks": tasks}]))
    done = subprocess.run([BIN / "ansible-playbook", "--syntax-check", *playbooks], check=False, text=True, capture_output=True)
    passed = {path.stem for path in playbooks if f"playbook: {path}\n" in done.stdout}
    return {path.stem: "" if path.stem in passed else done.stderr or done.stdout for path in playbooks}


@pytest.mark.parametrize(("kind", "name"), EXAMPLES)
def test_examples_are_valid_tasks(kind: str, name: str, checked: dict[str, str]) -> None:
    tasks = yaml.safe_load(pages(kind)[name]["examples"])
    assert tasks and all(NAMESPACE in str(task) or "assert" in str(task) for task in tasks)
    assert checked[f"{kind}-{name}"] == ""
