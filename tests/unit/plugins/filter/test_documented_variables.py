# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter ``documented_variables``: the names that the roles document."""

from __future__ import annotations

from pathlib import Path

from ansible_collections.inferops.xinference.plugins.filter.documented_variables import FilterModule

documented_variables = FilterModule().filters()["documented_variables"]


def role(folder: Path, name: str, specs: str) -> None:
    """Write the argument specifications of a role."""
    meta = folder / name / "meta"
    meta.mkdir(parents=True)
    (meta / "argument_specs.yml").write_text(specs, encoding="utf-8")


def test_options_of_all_roles_and_entry_points_sorted(tmp_path: Path) -> None:
    role(tmp_path, "b", "argument_specs:\n  main:\n    options: {x_two: {type: str}}\n  other:\n    options: {x_one: {type: str}, x_two: {type: str}}\n")
    role(tmp_path, "a", "argument_specs:\n  main:\n    options: {}\n  bare:\n    short_description: none\n")
    (tmp_path / "no_role").mkdir()
    assert documented_variables(str(tmp_path)) == ["x_one", "x_two"]


def test_a_folder_without_roles(tmp_path: Path) -> None:
    assert documented_variables(str(tmp_path)) == []


def test_the_roles_of_this_collection() -> None:
    names = documented_variables(str(Path(__file__).resolve().parents[4] / "roles"))
    assert {"xinference_models", "xinference_port", "xinference_teardown_data"} <= set(names)
    assert all(name.startswith("xinference_") for name in names)
