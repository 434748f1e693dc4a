# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Everything that the collection offers was exercised, by what the runs of the last ``make test`` recorded (tests/recorder).

It counts what ran, not which words stand in a file: a module in a real run of Ansible or as a host runs it, a variable that had another value than its
default, a result that a module really gave.
"""

from __future__ import annotations

import importlib
import json
import re
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.inferops.xinference.tests.suite.parts import TEST

ROOT = Path(__file__).resolve().parents[2]
RECORDS = ROOT / "build/tests/records"
COLLECTION = "inferops.xinference"
MODULES = sorted(path.stem for path in (ROOT / "plugins/modules").glob("*.py"))
ROLES = sorted(path.name for path in (ROOT / "roles").iterdir() if path.is_dir())
PLAYBOOKS = sorted(path.stem for path in (ROOT / "playbooks").glob("*.yml"))
SCENARIOS = sorted(part.variables["SCENARIO"] for part in TEST if part.target == "molecule")


@cache
def records() -> list[dict[str, Any]]:
    """All records, each with the ``part`` that it is of."""
    found = []
    for path in sorted(RECORDS.glob("*/*.jsonl")):
        for line in path.read_text(encoding="utf-8").splitlines():
            found.append({**json.loads(line), "part": path.parent.name})
    return found


@cache
def seen(kind: str) -> frozenset[str]:
    """Names of the roles or playbooks that ran."""
    return frozenset(record["name"] for record in records() if record["kind"] == kind)


@cache
def modules() -> Counter[str]:
    """How often each module ended, whatever its end was."""
    actions = (record["action"] for record in records() if record["kind"] in ("task", "module"))
    return Counter(action.removeprefix(f"{COLLECTION}.") for action in actions if action.startswith(f"{COLLECTION}."))


@cache
def variables() -> frozenset[str]:
    """Names of the variables that had another value than their default."""
    return frozenset(name for record in records() if record["kind"] == "variables" for name in record["names"])


@cache
def results(module: str) -> frozenset[str]:
    """The results that a module gave outside of check mode."""
    found: set[str] = set()
    for record in records():
        if record["kind"] in ("task", "module") and record["action"] == f"{COLLECTION}.{module}" and not record["check"]:
            found |= set(record["results"]) | {row["result"] for row in record["models"]}
    return frozenset(found)


def documented_variables() -> list[str]:
    """Every public variable of every role."""
    specs = [yaml.safe_load((ROOT / "roles" / role / "meta/argument_specs.yml").read_text(encoding="utf-8")) for role in ROLES]
    return sorted({name for spec in specs for entry in spec["argument_specs"].values() for name in entry.get("options") or {}})


def documented_results(module: str) -> list[str]:
    """The results that the documentation of a module names; none for a module without."""
    page = yaml.safe_load(importlib.import_module(f"ansible_collections.{COLLECTION}.plugins.modules.{module}").RETURN) or {}
    described = page.get("result") or (page.get("models") or {}).get("contains", {}).get("result") or {}
    return sorted(set(re.findall(r"V\((\w+)\)", str(described.get("description", "")))))


@pytest.mark.parametrize("module", MODULES)
def test_each_module_ran(module: str) -> None:
    assert modules()[module] > 0


@pytest.mark.parametrize("role", ROLES)
def test_each_role_ran(role: str) -> None:
    assert role in seen("role")


@pytest.mark.parametrize("playbook", PLAYBOOKS)
def test_each_playbook_ran(playbook: str) -> None:
    assert playbook in seen("playbook")


@pytest.mark.parametrize("variable", documented_variables())
def test_each_variable_had_another_value_than_its_default(variable: str) -> None:
    assert variable in variables()


@pytest.mark.parametrize(("module", "result"), [(module, result) for module in MODULES for result in documented_results(module)])
def test_each_result_was_given(module: str, result: str) -> None:
    assert result in results(module)


@pytest.mark.parametrize("module", MODULES)
def test_no_result_is_given_that_is_not_documented(module: str) -> None:
    assert results(module) <= set(documented_results(module))


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_each_scenario_is_checked_before_it_is_converged(scenario: str) -> None:
    """The first run of ``provision`` on a host says what the second one then does."""
    tasks = (record for record in records() if record["part"] == f"molecule-{scenario}" and record["kind"] == "task")
    provisions = [record["check"] for record in tasks if record["name"].endswith("Check the host and the declaration")]
    assert provisions[:1] == [True]
    assert False in provisions
