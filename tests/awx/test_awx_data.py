# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The data in awx/: what awx.awx and AWX accept, what the roles know, and what the guide says."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from awx_controller import BIN, DATA, QUESTION_TYPES, ROOT, Refused, choices, ignored_fields, inject, load, named, questions, survey_variables

#: Options of the modules of awx.awx that the data is for, by the type that they are read as.
OPTIONS: dict[str, dict[str, str]] = {
    "credential_type": {"str": "name new_name description kind state", "dict": "inputs injectors"},
    "credential": {"str": "name new_name copy_from description organization credential_type user team state", "dict": "inputs", "bool": "update_secrets"},
    "execution_environment": {"str": "name new_name image description organization credential state pull"},
    "project": {
        "str": "name new_name copy_from description scm_type scm_url local_path scm_branch scm_refspec credential default_environment organization state "
        "signature_validation_credential",
        "bool": "scm_clean scm_delete_on_update scm_track_submodules scm_update_on_launch allow_override wait update_project",
        "int": "scm_update_cache_timeout timeout",
        "float": "interval",
        "list": "notification_templates_started notification_templates_success notification_templates_error",
    },
    "inventory": {
        "str": "name new_name copy_from description organization kind host_filter state",
        "dict": "variables",
        "list": "instance_groups input_inventories",
        "bool": "prevent_instance_group_fallback",
    },
    "group": {
        "str": "name new_name description inventory state",
        "dict": "variables",
        "list": "hosts children",
        "bool": "preserve_existing_hosts preserve_existing_children",
    },
    "job_template": {
        "str": "name new_name copy_from description organization job_type inventory project playbook execution_environment limit job_tags skip_tags "
        "start_at_task host_config_key scm_branch webhook_service webhook_credential state",
        "list": "credentials instance_groups labels notification_templates_started notification_templates_success notification_templates_error",
        "int": "forks verbosity timeout job_slice_count",
        "dict": "extra_vars survey_spec",
        "bool": "force_handlers use_fact_cache survey_enabled become_enabled diff_mode allow_simultaneous prevent_instance_group_fallback "
        "ask_scm_branch_on_launch ask_diff_mode_on_launch ask_variables_on_launch ask_limit_on_launch ask_tags_on_launch ask_skip_tags_on_launch "
        "ask_job_type_on_launch ask_verbosity_on_launch ask_inventory_on_launch ask_credential_on_launch ask_execution_environment_on_launch "
        "ask_forks_on_launch ask_instance_groups_on_launch ask_job_slice_count_on_launch ask_labels_on_launch ask_timeout_on_launch",
    },
}
#: Variables as infra.aap_configuration names them, each with the module that its items are for.
VARIABLES = {
    "controller_credential_types": "credential_type",
    "controller_execution_environments": "execution_environment",
    "controller_projects": "project",
    "controller_inventories": "inventory",
    "controller_groups": "group",
    "controller_credentials": "credential",
    "controller_templates": "job_template",
}
QUESTION_KEYS = {"question_name", "question_description", "required", "type", "variable", "default", "min", "max", "choices", "new_question"}

ALL: dict[str, Any] = {**load("credential_types.yml"), **load("job_templates.yml")}
TEMPLATES: list[dict[str, Any]] = ALL["controller_templates"]
QUESTIONS = [pytest.param(question, id=f"{template['name']}: {question['variable']}") for template in TEMPLATES for question in questions(template)]


def known_options(module: str) -> dict[str, str]:
    """Type of each option of a module."""
    return {name: kind for kind, names in OPTIONS[module].items() for name in names.split()}


def specified() -> dict[str, dict[str, Any]]:
    """Options of all roles, from their argument specifications."""
    found: dict[str, dict[str, Any]] = {}
    for path in ROOT.glob("roles/*/meta/argument_specs.yml"):
        for spec in yaml.safe_load(path.read_text(encoding="utf-8"))["argument_specs"].values():
            found.update(spec.get("options") or {})
    return found


def guide() -> str:
    """The guide beside the data."""
    return (DATA / "README.md").read_text(encoding="utf-8")


def test_variables_are_the_known_ones() -> None:
    """Nothing in the files that no loader would read."""
    assert set(ALL) == set(VARIABLES)


@pytest.mark.parametrize(("variable", "module"), VARIABLES.items())
def test_options(variable: str, module: str) -> None:
    """Every item has a name of its own, and only options that its module knows, of the right type."""
    known = known_options(module)
    kinds: dict[str, tuple[type, ...]] = {"str": (str,), "list": (list,), "int": (int,), "float": (int, float), "dict": (dict,), "bool": (bool,)}
    items = ALL[variable]
    assert items
    assert len({item["name"] for item in items}) == len(items)
    for item in items:
        assert set(item) <= set(known), item["name"]
        for name, value in item.items():
            assert isinstance(value, kinds[known[name]]), f"{item['name']}: {name}"


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda template: str(template["name"]))
def test_template_fits_the_rest(template: dict[str, Any]) -> None:
    """What a template names exists: playbook, project, inventory, environment, credentials."""
    assert (ROOT / template["playbook"]).is_file()
    assert template["job_type"] in ("run", "check")
    named(ALL["controller_projects"], template["project"])
    named(ALL["controller_inventories"], template["inventory"])
    named(ALL["controller_execution_environments"], template["execution_environment"])
    kinds = [named(ALL["controller_credentials"], name)["credential_type"] for name in template["credentials"]]
    # AWX takes one credential of a type.
    assert sorted(kinds) == ["Machine", "Xinference"]
    hosts = yaml.safe_load((ROOT / template["playbook"]).read_text(encoding="utf-8"))[0]["hosts"]
    (group,) = [group for group in ALL["controller_groups"] if group["inventory"] == template["inventory"]]
    assert f"default('{group['name']}')" in hosts


def test_survey_shape() -> None:
    """What the API asks of a survey as a whole."""
    for template in TEMPLATES:
        if "survey_spec" not in template:
            assert "survey_enabled" not in template
            continue
        survey = template["survey_spec"]
        assert template["survey_enabled"] is True
        assert set(survey) == {"name", "description", "spec"}
        assert survey["name"]
        assert survey["description"]
        variables = [question["variable"] for question in survey["spec"]]
        assert variables
        assert len(set(variables)) == len(variables)


@pytest.mark.parametrize("question", QUESTIONS)
def test_question_shape(question: dict[str, Any]) -> None:
    """Keys and types as the API checks them, and no value where nobody answered: it would win over the inventory."""
    assert {"question_name", "question_description", "required", "type", "variable", "default"} <= set(question) <= QUESTION_KEYS
    assert question["type"] in QUESTION_TYPES
    # For AWX's form; AWX drops a default that it would not accept as an answer.
    assert question["default"] == ""
    assert all(isinstance(question[bound], int) for bound in ("min", "max") if bound in question)
    assert ("choices" in question) == (question["type"] == "multiplechoice")
    survey = {"survey_enabled": True, "survey_spec": {"spec": [question]}}
    if question["required"]:
        with pytest.raises(Refused, match="value missing"):
            survey_variables(survey, {})
    else:
        assert survey_variables(survey, {}) == {}
    if question["type"] in ("text", "textarea", "password"):
        # AWX hands on an empty text where it may be empty.
        with pytest.raises(Refused, match="out of bounds"):
            survey_variables(survey, {question["variable"]: ""})


@pytest.mark.parametrize("question", QUESTIONS)
def test_question_is_a_flat_variable_of_the_roles(question: dict[str, Any]) -> None:
    """Its variable is documented, has a type that the answer can be, and the same choices."""
    option = specified()[question["variable"]]
    if question["type"] == "password":
        assert option["no_log"] is True
    allowed = {"str": {"text", "textarea", "multiplechoice", "password"}, "int": {"integer"}, "float": {"float"}, "bool": {"multiplechoice"}}
    assert question["type"] in allowed[option["type"]]
    if option["type"] == "bool":
        assert choices(question) == ["no", "yes"]
    else:
        assert choices(question) == option["choices"] if "choices" in question else "choices" not in option


@pytest.mark.parametrize("question", QUESTIONS)
def test_question_is_in_the_guide(question: dict[str, Any]) -> None:
    """One row of the table, with the question and the variable."""
    rows = [line for line in guide().splitlines() if line.startswith(f"| {question['question_name']} | `{question['variable']}` |")]
    assert len(rows) == 1


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda template: str(template["name"]))
def test_launch_needs_no_answer(template: dict[str, Any]) -> None:
    """A schedule or a call of the API launches with the inventory's settings, but for a new password. What may be chosen at launch has a value."""
    required = [question["variable"] for question in questions(template) if question["required"]]
    assert required == (["xinference_new_admin_password"] if template["name"].endswith("Rotate credentials") else [])
    assert survey_variables(template, dict.fromkeys(required, "long-enough")) == dict.fromkeys(required, "long-enough")
    asked = {name.removeprefix("ask_").removesuffix("_on_launch") for name, value in template.items() if name.startswith("ask_") and value}
    assert asked == {"job_type", "limit"}
    assert template["job_type"] == "run"


def test_nothing_waits_for_a_person() -> None:
    """No prompt and no pause in playbooks and roles: in AWX nobody could answer."""
    files = [*ROOT.glob("playbooks/*.yml"), *ROOT.glob("roles/*/tasks/*.yml")]
    assert len(files) > 3
    for path in files:
        assert not re.search(r"vars_prompt|ansible\.builtin\.pause|^\s*pause:", path.read_text(encoding="utf-8"), re.MULTILINE), path


PROVISION = named(TEMPLATES, "Xinference - Provision")


@pytest.mark.parametrize(
    "answers",
    [{"xinference_port": 70000}, {"xinference_port": "9997"}, {"xinference_models_exclusive": "maybe"}, {"xinference_memory": ""}],
    ids=str,
)
def test_what_awx_refuses_itself(answers: dict[str, Any]) -> None:
    """Out of bounds, wrong type, no such choice, left empty: no job starts."""
    with pytest.raises(Refused, match=next(iter(answers))):
        survey_variables(PROVISION, answers)


@pytest.mark.parametrize("password", ["", "short", "1234567"])
def test_a_new_password_has_eight_characters(password: str) -> None:
    with pytest.raises(Refused, match="out of bounds"):
        survey_variables(named(TEMPLATES, "Xinference - Rotate credentials"), {"xinference_new_admin_password": password})


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda template: str(template["name"]))
def test_what_is_not_asked_is_ignored_and_reported(template: dict[str, Any]) -> None:
    """As AWX does where a template does not ask for variables at launch."""
    given = {"xinference_hosts": "all", "xinference_address": "0.0.0.0"}
    required = {question["variable"]: "long-enough" for question in questions(template) if question["required"]}
    assert ignored_fields(template, {**given, **required}) == {"extra_vars": given}
    assert survey_variables(template, {**given, **required}) == required
    assert ignored_fields(template, required) == ignored_fields(template, required, "check") == {}
    open_, closed = {**template, "ask_variables_on_launch": True}, {**template, "ask_job_type_on_launch": False}
    assert ignored_fields(open_, {**given, **required}) == {}
    assert survey_variables(open_, {**given, **required}) == {**given, **required}
    assert (ignored_fields(closed, required, "check"), ignored_fields(closed, required, "run")) == ({"job_type": "check"}, {})


def test_credential_injects_the_account(tmp_path: Path) -> None:
    """User name and passwords arrive as the variables of the roles, literally, in a file that only its owner can read."""
    kind = named(ALL["controller_credential_types"], "Xinference")
    secret = {field["id"]: field.get("secret", False) for field in kind["inputs"]["fields"]}
    assert secret == {"username": False, "password": True, "backup_password": True}
    given = {"username": "operator", "password": "{{ braces }}: #'\"", "backup_password": "{{ lookup('x') }}"}
    option, path = inject(kind, given, tmp_path)
    assert option == "-e"
    written = Path(path.removeprefix("@"))
    assert written.stat().st_mode & 0o777 == 0o400
    show = json.dumps({"msg": "{{ [xinference_admin_username, xinference_admin_password, xinference_backup_password] | join('/') }}"})
    command = [str(BIN / "ansible"), "localhost", "-i", "localhost,", "-c", "local", "-e", path, "-m", "ansible.builtin.debug", "-a", show]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout.partition("=>")[2])["msg"] == "/".join(given.values())
    assert {"xinference_admin_username", "xinference_admin_password", "xinference_backup_password"} <= set(specified())
    # Where no backups are made.
    _option, path = inject(kind, {"username": "operator", "password": "long-enough"}, tmp_path / "without")
    assert "!unsafe 'xinference_backup_password': !unsafe ''" in Path(path.removeprefix("@")).read_text(encoding="utf-8")
    with pytest.raises(Refused, match="password"):
        inject(kind, {"username": "operator"}, tmp_path / "other")


RECORDER = """\
#!/usr/bin/python
import json
from ansible.module_utils.basic import AnsibleModule
module = AnsibleModule(argument_spec=SPEC)
given = {name: value for name, value in module.params.items() if value is not None}
with open(RECORD, "a") as record:
    record.write(json.dumps([MODULE, given]) + "\\n")
module.exit_json(changed=True)
"""


def test_the_guide_loads_the_data(tmp_path: Path) -> None:
    """The guide's playbook, run with modules that have the names and options of awx.awx and write down what they are given."""
    (playbook,) = [block for block in re.findall(r"```yaml\n(.*?)```", guide(), re.DOTALL) if "awx.awx.job_template" in block]
    modules = tmp_path / "ansible_collections/awx/awx/plugins/modules"
    modules.mkdir(parents=True)
    record = tmp_path / "record"
    for module in OPTIONS:
        spec = {name: {"type": kind, "no_log": False} for name, kind in known_options(module).items()}
        header = f"SPEC = {spec!r}\nRECORD = {str(record)!r}\nMODULE = {module!r}\n"
        (modules / f"{module}.py").write_text(RECORDER.replace("import json\n", f"import json\n{header}"), encoding="utf-8")
    (tmp_path / "load.yml").write_text(playbook, encoding="utf-8")
    for name in ("credential_types.yml", "job_templates.yml"):
        (tmp_path / name).write_text((DATA / name).read_text(encoding="utf-8"), encoding="utf-8")
    secrets = {name: f"of {name}" for name in ("vault_xinference_admin_password", "vault_xinference_backup_password", "vault_inference_hosts_key")}
    done = subprocess.run(
        [str(BIN / "ansible-playbook"), "-i", "localhost,", "load.yml", "-e", json.dumps({**secrets, "ansible_python_interpreter": sys.executable})],
        cwd=tmp_path,
        env={**os.environ, "ANSIBLE_COLLECTIONS_PATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    recorded = [json.loads(line) for line in record.read_text(encoding="utf-8").splitlines()]
    expected = [[module, item] for variable, module in VARIABLES.items() for item in ALL[variable]]
    for _module, item in expected:
        for name, value in item.get("inputs", {}).items():
            if isinstance(value, str):
                item["inputs"][name] = re.sub(r"{{ (\w+) }}", lambda match: secrets[match[1]], value)
    assert recorded == expected
