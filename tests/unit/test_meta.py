# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests of the collection as a whole: what is documented exists, what exists is documented and exercised."""

from __future__ import annotations

import ast
import importlib
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.inferops.xinference.plugins.module_utils._core.apply.results import OUTCOMES
from ansible_collections.inferops.xinference.plugins.module_utils._core.declaration.fields import FIELDS, HUBS, MODEL_TYPES, STATES
from ansible_collections.inferops.xinference.plugins.module_utils._core.observed.models import (
    ABSENT,
    CREATING,
    ERROR,
    LOADING,
    ORPHAN,
    READY,
    RECOVERING,
    SCALING,
    TERMINATING,
)
from ansible_collections.inferops.xinference.plugins.module_utils._core.preflight.settings import HANDED_ON

ROOT = Path(__file__).resolve().parents[2]
COLLECTION = "ansible_collections.inferops.xinference"
#: PlanOptions that the table of fields enforces, by field.
CHOICES = {"state": STATES, "type": MODEL_TYPES, "download_hub": HUBS}
#: Directories that hold no file of ours.
FOREIGN = frozenset({"build", "__pycache__", ".git", "LICENSES"})
#: What ansible-test writes.
OUTPUT = ROOT / "tests/output"
FOLDERS_OF_ROLES = sorted(path for path in (ROOT / "roles").iterdir() if path.is_dir())
ROLES = [path.name for path in FOLDERS_OF_ROLES]
MODULES = sorted(path.stem for path in (ROOT / "plugins/modules").glob("*.py"))
FILTERS = sorted(path.stem for path in (ROOT / "plugins/filter").glob("*.py"))
CORE = "plugins/module_utils/_core"
PARTS_OF_THE_CORE = sorted(f"{path.parent.name}/{path.stem}" for path in (ROOT / CORE).glob("*/*.py") if path.stem != "__init__")
#: The directories of the core from the bottom up: no import runs upward, or between two of the same floor.
FLOORS = (
    {"base"},
    {"declaration", "host"},
    {"server"},
    {"observed"},
    {"plan", "admission"},
    {"apply"},
    {"reconcile", "resources", "backup"},
    {"preflight", "service", "upgrade", "diagnose", "support"},
)
SCENARIOS = sorted(path.parent.name for path in (ROOT / "molecule").glob("*/molecule.yml"))


def read(path: Path) -> Any:
    """Content of a YAML file; an empty dictionary where there is none."""
    return (yaml.safe_load(path.read_text(encoding="utf-8")) or {}) if path.exists() else {}


def entry_points(role: str) -> dict[str, dict[str, Any]]:
    """The argument specifications of a role, by entry point."""
    specs: dict[str, dict[str, Any]] = read(ROOT / "roles" / role / "meta/argument_specs.yml")["argument_specs"]
    return specs


def variables_of(role: str, kind: str) -> dict[str, Any]:
    """The variables of a role, in one file or in those of a directory.

    :param kind: defaults or vars.
    """
    place = ROOT / "roles" / role / kind
    parts = [read(path) for path in [place / "main.yml", *sorted((place / "main").glob("*.yml"))]]
    found = {name: value for part in parts for name, value in part.items()}
    # None is in two files.
    assert len(found) == sum(map(len, parts))
    return found


MODELS_ROLE = "inferops.xinference.models"


def tasks_of(content: Any) -> Iterator[dict[str, Any]]:
    """All tasks of a file, those in plays and blocks included."""
    for item in content or []:
        yield item
        for part in ("tasks", "block", "rescue", "always"):
            yield from tasks_of(item.get(part))


def documented(role: str) -> dict[str, dict[str, Any]]:
    """The variables that a role documents, of all its entry points."""
    return {name: option for spec in entry_points(role).values() for name, option in (spec.get("options") or {}).items()}


def documentation(module: str) -> dict[str, Any]:
    """The documentation of a module."""
    found: dict[str, Any] = yaml.safe_load(importlib.import_module(f"{COLLECTION}.plugins.modules.{module}").DOCUMENTATION)
    return found


def files(*suffixes: str, within: str = ".") -> Iterator[Path]:
    """Files of the project, or of a directory of it, with these endings."""

    def walk(folder: Path) -> Iterator[Path]:
        for path in sorted(folder.iterdir()):
            if path.name in FOREIGN or path == OUTPUT or path.is_symlink() or path.name.endswith(("_cache", "-cache")):
                continue
            if path.is_dir():
                yield from walk(path)
            elif path.suffix in suffixes:
                yield path

    return walk(ROOT / within)


@cache
def exercises() -> str:
    """Everything that runs the collection: scenarios, tests and what they use."""
    texts = []
    for folder in ("molecule", "tests", "playbooks", "tools", "awx"):
        for path in files(".py", ".yml", ".yaml", ".sh", ".json", within=folder):
            if path != Path(__file__).resolve():
                texts.append(path.read_text(encoding="utf-8"))
    return "\n".join(texts)


def occurs(word: str) -> bool:
    """Whether a name stands in any of them as a word of its own."""
    return re.search(rf"(?<![\w.]){re.escape(word)}(?!\w)", exercises()) is not None


# Roles.


@pytest.mark.parametrize("role", ROLES)
def test_the_defaults_of_a_role_are_the_documented_ones(role: str) -> None:
    defaults = variables_of(role, "defaults")
    assert defaults == {name: option["default"] for name, option in documented(role).items() if "default" in option}


@pytest.mark.parametrize("role", ROLES)
def test_a_documented_variable_without_a_default_is_required(role: str) -> None:
    assert [name for name, option in documented(role).items() if "default" not in option and not option.get("required")] == []


@pytest.mark.parametrize("role", ROLES)
def test_the_variables_of_a_role_have_the_collection_s_prefix(role: str) -> None:
    assert [name for name in documented(role) if not name.startswith("xinference_")] == []
    private = variables_of(role, "vars")
    assert [name for name in private if not name.startswith("_xinference_")] == []


def test_a_variable_is_documented_by_one_role_only() -> None:
    names = [name for role in ROLES for name in documented(role)]
    assert sorted(names) == sorted(set(names))


@pytest.mark.parametrize("role", ROLES)
def test_each_entry_point_has_its_tasks_and_each_role_its_main(role: str) -> None:
    assert "main" in entry_points(role)
    for name in entry_points(role):
        assert (ROOT / "roles" / role / "tasks" / f"{name}.yml").is_file()


@pytest.mark.parametrize("role", [role for role in ROLES if role not in ("_common", "_variables")])
def test_each_entry_point_is_sure_of_the_facts(role: str) -> None:
    """A play may go on with another server than the one that the host was read for."""
    for name in entry_points(role):
        assert read(ROOT / "roles" / role / "tasks" / f"{name}.yml")[0]["ansible.builtin.import_tasks"] == "../../_common/tasks/same.yml", name


@pytest.mark.parametrize("role", ROLES)
def test_each_role_has_a_readme_that_names_it(role: str) -> None:
    text = (ROOT / "roles" / role / "README.md").read_text(encoding="utf-8")
    assert role in text.splitlines()[0] or f"`{role}`" in text or f"inferops.xinference.{role}" in text


def test_what_playbooks_hand_on_is_known_to_preflight() -> None:
    found = set()
    for path in [*ROOT.glob("playbooks/*.yml"), *ROOT.glob("roles/*/tasks/*.yml")]:
        for task in tasks_of(read(path)):
            found |= set((task.get("ansible.builtin.set_stats") or {}).get("data") or {})
    assert found == HANDED_ON


def test_a_unit_is_run_in_the_one_place_that_says_why_it_does_not_run() -> None:
    running = {}
    for path in ROOT.glob("roles/*/tasks/*.yml"):
        for task in tasks_of(read(path)):
            options = task.get("ansible.builtin.systemd_service") or {}
            if options.get("enabled") and options.get("state") not in (None, "stopped"):
                running[str(path.relative_to(ROOT / "roles"))] = task["name"]
    # Docker's own unit comes with its package.
    assert set(running) <= {"_common/tasks/unit.yml", "docker/tasks/install.yml"}


def test_provision_and_upgrade_alone_declare_models() -> None:
    """Whatever else checks the models takes the stored declaration."""
    places = [*(ROOT / "playbooks").glob("*.yml"), *ROOT.glob("roles/*/tasks/*.yml")]
    included = [
        (str(path.relative_to(ROOT)), task)
        for path in places
        for task in tasks_of(read(path))
        if (task.get("ansible.builtin.include_role") or {}).get("name") == MODELS_ROLE and "tasks_from" not in task["ansible.builtin.include_role"]
    ]
    assert len(included) == 7
    assert [path for path, task in included if task["vars"].get("_xinference_as_stored") is not True] == ["roles/upgrade/tasks/swap.yml"]


# Modules.


def test_the_action_group_holds_exactly_the_modules_with_the_connection_options() -> None:
    connecting = [name for name in MODULES if "inferops.xinference._connection" in documentation(name).get("extends_documentation_fragment", [])]
    assert connecting
    assert read(ROOT / "meta/runtime.yml")["action_groups"]["xinference"] == connecting


@pytest.mark.parametrize("module", read(ROOT / "meta/runtime.yml")["action_groups"]["xinference"])
def test_the_documented_options_of_a_connecting_module_are_its_options(module: str) -> None:
    options = dict(documentation(module).get("options") or {})
    for name in documentation(module)["extends_documentation_fragment"]:
        fragment = importlib.import_module(f"{COLLECTION}.plugins.doc_fragments.{name.split('.')[2]}").ModuleDocFragment
        options.update(yaml.safe_load(getattr(fragment, (name.split(".")[3:] or ["documentation"])[0].upper())).get("options") or {})
    spec = importlib.import_module(f"{COLLECTION}.plugins.modules.{module}").argument_spec()
    assert {name: (option["type"], option.get("default")) for name, option in options.items()} == {
        name: (option["type"], option.get("default")) for name, option in spec.items()
    }


def test_the_fields_of_a_declared_model_are_the_documented_ones() -> None:
    suboptions = documentation("models")["options"]["models"]["suboptions"]
    assert list(suboptions) == list(FIELDS)
    assert {name: tuple(option["choices"]) for name, option in suboptions.items() if "choices" in option} == CHOICES
    assert {name: option["default"] for name, option in suboptions.items() if "default" in option} == {"state": "present", "type": "LLM", "replica": 1}
    assert [name for name, option in suboptions.items() if option.get("required")] == ["uid"]


def test_the_results_and_states_of_a_model_are_the_documented_ones() -> None:
    module = importlib.import_module(f"{COLLECTION}.plugins.modules.models")
    fields = yaml.safe_load(module.RETURN)["models"]["contains"]

    def words(field: str) -> set[str]:
        return set(re.findall(r"V\((\w+)\)", fields[field]["description"]))

    assert words("result") == {*OUTCOMES.values(), "updated", "failed"}
    assert words("state") == {READY, CREATING, LOADING, SCALING, RECOVERING, TERMINATING, ERROR, ORPHAN, ABSENT, "unknown"}


@pytest.mark.parametrize("module", MODULES)
def test_each_module_has_a_unit_test(module: str) -> None:
    assert (ROOT / "tests/unit/plugins/modules" / f"test_{module}.py").is_file()


def test_each_file_of_unit_tests_is_named_after_what_it_tests() -> None:
    """``test_NAME.py`` or ``test_NAME_ASPECT.py`` in the directory of ``NAME.py``."""
    odd = []
    for path in (ROOT / "tests/unit/plugins").glob("**/test_*.py"):
        folder = ROOT / path.parent.relative_to(ROOT / "tests/unit")
        names = {tested.stem for tested in folder.glob("*.py")}
        if not any(f"{path.stem}_".startswith(f"test_{name}_") for name in names):
            odd.append(str(path.relative_to(ROOT)))
    assert odd == []


@pytest.mark.parametrize("folder", sorted({part.partition("/")[0] for part in PARTS_OF_THE_CORE}))
def test_each_part_of_the_core_is_tested_in_the_folder_of_its_name(folder: str) -> None:
    """By what its tests import, and by what that imports of the same folder."""
    tests = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "tests/unit" / CORE / folder).glob("test_*.py"))
    # What tests of several folders use.
    tests += (ROOT / "tests/unit" / CORE / "plan_runner.py").read_text(encoding="utf-8")
    package = f"{COLLECTION}.{CORE.replace('/', '.')}.{folder}"
    parts = {part.partition("/")[2] for part in PARTS_OF_THE_CORE if part.startswith(f"{folder}/")}
    reached, waiting = set(), {part for part in parts if re.search(rf"from {package}\.{part} import|from {package} import (.*\W)?{part}\b", tests)}
    while waiting:
        part = waiting.pop()
        reached.add(part)
        text = (ROOT / CORE / folder / f"{part}.py").read_text(encoding="utf-8")
        waiting |= {other for other in parts - reached if re.search(rf"^\s*from \.{other} import|^\s*from \. import (.*\W)?{other}\b", text, re.MULTILINE)}
    # Protocols have nothing to run.
    assert parts - reached - {"api"} == set()


@pytest.mark.parametrize("part", PARTS_OF_THE_CORE)
def test_no_import_of_the_core_runs_upward_and_none_is_ansible_s(part: str) -> None:
    """A directory imports from those below it and from itself."""
    folder = part.partition("/")[0]
    below = {name for floor in FLOORS[: next(number for number, floor in enumerate(FLOORS) if folder in floor)] for name in floor}
    for node in ast.walk(ast.parse((ROOT / CORE / f"{part}.py").read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.level == 2:
            assert (node.module or "").partition(".")[0] in below
        elif isinstance(node, ast.ImportFrom) and node.level:
            assert node.level == 1
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else [str(node.module)]
            assert not any(name.startswith("ansible") for name in names)


def test_each_folder_of_the_core_has_a_floor() -> None:
    folders = sorted(path.name for path in (ROOT / CORE).iterdir() if path.is_dir() and path.name != "__pycache__")
    assert folders == sorted(name for floor in FLOORS for name in floor)


def test_no_file_of_the_core_is_too_long() -> None:
    long = {part: len((ROOT / CORE / f"{part}.py").read_text(encoding="utf-8").splitlines()) for part in PARTS_OF_THE_CORE}
    assert {part: lines for part, lines in long.items() if lines > 400} == {}


def fields_without_a_word(source: str) -> list[str]:
    """Fields of data classes, named tuples and typed dictionaries that neither a ``:param`` nor a comment above describes."""
    lines, missing = source.splitlines(), []
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.ClassDef):
            continue
        kinds = [ast.unparse(kind) for kind in (*node.decorator_list, *node.bases)]
        rows = any(kind.endswith(("TypedDict", "NamedTuple")) or kind in ROWS for kind in kinds)
        if not rows and not any(kind.startswith("dataclass") for kind in kinds):
            continue
        text = ast.get_docstring(node) or ""
        fields = [(part.target.id, part.lineno) for part in node.body if isinstance(part, ast.AnnAssign) and isinstance(part.target, ast.Name)]
        missing += [f"{node.name}.{name}" for name, line in fields if f":param {name}:" not in text and not lines[line - 2].strip().startswith("#: ")]
    return missing


#: Typed dictionaries that others extend.
ROWS = frozenset({"AutostartPolicy", "AutostartEntry", "Progress"})


@pytest.mark.parametrize("part", PARTS_OF_THE_CORE)
def test_each_field_of_the_core_s_data_is_described(part: str) -> None:
    assert fields_without_a_word((ROOT / CORE / f"{part}.py").read_text(encoding="utf-8")) == []


def test_a_field_that_nothing_describes_is_found() -> None:
    source = (
        "class Row(TypedDict):\n    #: Said.\n    one: int\n    two: int\n@dataclass\nclass Data:\n    ''':param one: said.'''\n    one: int\n    two: int\n"
    )
    assert fields_without_a_word(source) == ["Row.two", "Data.two"]


@pytest.mark.parametrize("name", FILTERS)
def test_each_filter_is_found_under_the_name_of_its_file(name: str) -> None:
    module = importlib.import_module(f"{COLLECTION}.plugins.filter.{name}")
    assert list(module.FilterModule().filters()) == [name]
    assert yaml.safe_load(module.DOCUMENTATION)["name"] == name
    assert occurs(f"{COLLECTION}.plugins.filter.{name}")


# Scenarios. That everything is exercised, tests/exercised says from what ran.


@pytest.mark.parametrize("name", FILTERS)
def test_a_filter_imports_the_core_when_it_is_called(name: str) -> None:
    """A task that uses one filter of a collection imports the files of all its filters, in a process of its own."""
    for statement in ast.parse((ROOT / f"plugins/filter/{name}.py").read_text(encoding="utf-8")).body:
        assert not (isinstance(statement, ast.ImportFrom) and (statement.module or "").startswith("ansible_collections")), statement.lineno


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_each_scenario_has_tests(scenario: str) -> None:
    """Molecule itself passes in silence where there are none."""
    tests = list((ROOT / "molecule" / scenario / "tests").glob("test_*.py"))
    assert tests
    assert all(re.search(r"^def test_", path.read_text(encoding="utf-8"), re.MULTILINE) for path in tests)


def test_there_are_scenarios_and_each_folder_is_one_or_used_by_several() -> None:
    assert "default" in SCENARIOS
    folders = {path.name for path in (ROOT / "molecule").iterdir() if path.is_dir() and path.name != "__pycache__"}
    assert folders == {*SCENARIOS, "machines", "shared"}


# All files.


def test_each_source_file_says_whose_it_is() -> None:
    without = []
    for path in files(".py", ".yml", ".yaml", ".sh"):
        head = "\n".join(path.read_text(encoding="utf-8").splitlines()[:5])
        # Packages of tests, as ansible-test wants them; REUSE.toml speaks for these.
        if not head and path.name == "__init__.py":
            continue
        if "Copyright (c) " not in head or "SPDX-License-Identifier: GPL-3.0-or-later" not in head:
            without.append(str(path.relative_to(ROOT)))
    assert without == []


def calls(tasks: Any) -> Iterator[dict[str, Any]]:
    """Options of every call of a module of ours in a list of tasks, those in blocks too."""
    for task in tasks or []:
        for part in ("block", "rescue", "always"):
            yield from calls(task.get(part))
        yield from (options for name, options in task.items() if name.startswith("inferops.xinference.") and isinstance(options, dict))


def test_roles_say_who_may_listen_where_they_send_a_password() -> None:
    """Docker without root publishes the server's port as its user, and modules send nothing to another user than root by default."""
    asked = [options for path in sorted(ROOT.glob("roles/*/tasks/*.yml")) for options in calls(read(path)) if "endpoint" in options]
    assert len(asked) >= 9
    assert [options["endpoint"] for options in asked if options.get("listener_users") != "{{ _xinference_listener_users }}"] == []


def test_no_role_takes_the_setting_of_the_interpreter_for_a_program() -> None:
    """It may be a word, such as auto_silent; what Ansible made of it is among the facts of the host."""
    taken = re.compile(r"(?<!_)ansible_python_interpreter(?!:)")
    assert [str(path.relative_to(ROOT)) for path in files(".yml", ".j2", within="roles") if taken.search(path.read_text(encoding="utf-8"))] == []
