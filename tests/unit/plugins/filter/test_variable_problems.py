# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Variables of another kind than the documented one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.inferops.xinference.plugins.filter.variable_problems import FilterModule as VariableProblems

ROLES = Path(__file__).resolve().parents[4] / "roles"

variable_problems = VariableProblems().filters()["variable_problems"]


def test_the_defaults_of_all_roles_are_of_the_documented_kinds() -> None:
    for path in [*ROLES.glob("*/defaults/main.yml"), *ROLES.glob("*/defaults/main/*.yml")]:
        assert variable_problems(yaml.safe_load(path.read_text(encoding="utf-8")), str(ROLES)) == []


class Kept:
    """What an older Ansible makes of a text in a vault."""

    __ENCRYPTED__ = True

    def __str__(self) -> str:
        return "1234567890"


@pytest.mark.parametrize(
    ("values", "problems"),
    [
        ({"xinference_admin_password": Kept()}, []),
        ({"xinference_admin_password": 1234567890}, []),
        ({"xinference_environment": {"HF_TOKEN": Kept()}, "xinference_users": [{"name": "a", "password": Kept()}]}, []),
        ({"xinference_container_name": 41}, ["xinference_container_name must be a text, but is the number 41; write it in quotes."]),
        ({"xinference_restart_policy": False}, []),
        ({"xinference_of_nobody": None}, []),
    ],
)
def test_variables_of_another_kind(values: dict[str, Any], problems: list[str]) -> None:
    assert variable_problems(values, str(ROLES)) == problems
