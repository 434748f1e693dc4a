# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The part of AWX that these tests need: from the data in awx/ to a job that ansible-runner has run.

It keeps to what AWX does: survey defaults under the answers, answers as extra variables that Ansible must not template, credentials through the
injectors of their type, inventory as a script, one private data directory per job, collections from the project's requirements file.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml
from jinja2.sandbox import ImmutableSandboxedEnvironment

ROOT = Path(__file__).resolve().parents[2]
DATA = ROOT / "awx"
#: Commands of the environment that the tests run in, whatever the PATH says.
BIN = Path(sys.executable).parent

#: Seconds after which a job is ended; ten times what one takes on an idle machine.
JOB_TIMEOUT = 1800

#: Kinds of questions with one flat answer, and its types. AWX also has multiselect, whose answer is a list.
QUESTION_TYPES: dict[str, tuple[type, ...]] = {
    "text": (str,),
    "textarea": (str,),
    "password": (str,),
    "multiplechoice": (str,),
    "integer": (int,),
    "float": (float, int),
}


class Refused(Exception):
    """AWX does not start the job; the text says why."""


class _Loader(yaml.SafeLoader):
    """Reads ``!unsafe`` as the text that it marks."""


def _unsafe(loader: yaml.SafeLoader, node: yaml.ScalarNode) -> str:
    return str(loader.construct_scalar(node))


_Loader.add_constructor("!unsafe", _unsafe)


class _Untrusted(yaml.SafeDumper):
    """Writes every text as ``!unsafe``, so that Ansible takes it literally."""


_Untrusted.add_representer(str, lambda dumper, text: dumper.represent_scalar("!unsafe", text))


def load(name: str) -> dict[str, Any]:
    """A file of awx/."""
    content = yaml.load((DATA / name).read_text(encoding="utf-8"), Loader=_Loader)
    assert isinstance(content, dict), name
    return content


def named(items: list[dict[str, Any]], name: str) -> dict[str, Any]:
    """The one item of that name."""
    (found,) = [item for item in items if item["name"] == name]
    return found


def questions(template: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Questions of a template's survey."""
    return list(template["survey_spec"]["spec"]) if template.get("survey_enabled") else []


def choices(question: Mapping[str, Any]) -> list[str]:
    """Choices of a question, one per line in the data."""
    return [line for line in str(question["choices"]).splitlines() if line.strip()]


def _objection(question: Mapping[str, Any], value: Any) -> str:
    """What AWX has against an answer: it knows types, lengths and ranges, nothing else."""
    kind, name = question["type"], question["variable"]
    if isinstance(value, bool) or not isinstance(value, QUESTION_TYPES[kind]):
        return f"'{name}': {value!r} is not of type {kind}"
    if kind == "multiplechoice":
        return "" if value in choices(question) else f"'{name}': {value!r} is none of the choices"
    size: float = value if isinstance(value, (int, float)) else len(str(value))
    if size < question.get("min", size) or size > question.get("max", size):
        return f"'{name}': {value!r} is out of bounds"
    return ""


def survey_variables(template: Mapping[str, Any], answers: Mapping[str, Any]) -> dict[str, Any]:
    """Extra variables of a launch: the template's own, the survey's defaults, the answers. What is not asked is ignored, see :func:`ignored_fields`.

    :raises Refused: when AWX would not launch with these answers.
    """
    asked = {question["variable"]: question for question in questions(template)}
    others = {name: value for name, value in answers.items() if name not in asked} if template.get("ask_variables_on_launch") else {}
    answers = {name: value for name, value in answers.items() if name in asked}
    objections = [_objection(asked[name], value) for name, value in answers.items()]
    objections += [f"'{name}' value missing" for name, question in asked.items() if question["required"] and name not in answers]
    if any(objections):
        raise Refused("; ".join(filter(None, objections)))
    variables = dict(template.get("extra_vars") or {})
    variables |= {name: question["default"] for name, question in asked.items() if not _objection(question, question.get("default"))}
    return {**variables, **others, **answers}


def ignored_fields(template: Mapping[str, Any], answers: Mapping[str, Any], job_type: str | None = None) -> dict[str, Any]:
    """What AWX answers to a launch as ``ignored_fields``: extra variables that the survey does not ask and a job type, where they may not be given."""
    asked = {question["variable"] for question in questions(template)}
    variables = {name: value for name, value in answers.items() if name not in asked and not template.get("ask_variables_on_launch")}
    ignored: dict[str, Any] = {"extra_vars": variables} if variables else {}
    if job_type not in (None, template["job_type"]) and not template.get("ask_job_type_on_launch"):
        ignored["job_type"] = job_type
    return ignored


def _private(path: Path, text: str, mode: int = 0o600) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode)
    path.write_text(text, encoding="utf-8")
    path.chmod(mode)
    return path


def inject(credential_type: Mapping[str, Any], inputs: Mapping[str, str], folder: Path) -> list[str]:
    """Inject a credential as its type says: a private file with extra variables, and the arguments that name it."""
    allowed = {item["id"] for item in credential_type["inputs"]["fields"]}
    missing = set(credential_type["inputs"].get("required", [])) - set(inputs)
    if missing or set(inputs) - allowed:
        raise Refused(f"inputs of the credential: missing {sorted(missing)}, unknown {sorted(set(inputs) - allowed)}")
    assert set(credential_type["injectors"]) == {"extra_vars"}, "these tests know one kind of injector"
    sandbox = ImmutableSandboxedEnvironment()
    variables = {name: sandbox.from_string(text).render(**inputs) for name, text in credential_type["injectors"]["extra_vars"].items()}
    path = _private(folder / f"credential-{credential_type['name'].lower()}", yaml.dump(variables, Dumper=_Untrusted), 0o400)
    return ["-e", f"@{path}"]


@dataclass(frozen=True)
class Job:
    """A job that has run.

    :param folder: its private data directory.
    :param code: exit code of ansible-runner.
    :param ignored: what AWX reported as ``ignored_fields`` when it was launched.
    """

    folder: Path
    code: int
    ignored: dict[str, Any] = field(default_factory=dict)

    @property
    def artifacts(self) -> Path:
        """What ansible-runner left for AWX to read."""
        return self.folder / "artifacts" / self.folder.name

    @property
    def status(self) -> str:
        """State of the job: successful, failed, timeout …"""
        return (self.artifacts / "status").read_text(encoding="utf-8").strip()

    @property
    def command(self) -> list[str]:
        """The command that ran, with its arguments."""
        return list(json.loads((self.artifacts / "command").read_text(encoding="utf-8"))["command"])

    @property
    def output(self) -> str:
        """The job's output, as AWX shows it."""
        return (self.artifacts / "stdout").read_text(encoding="utf-8")

    @cached_property
    def events(self) -> list[dict[str, Any]]:
        """Job events in their order."""
        found = [json.loads(path.read_text(encoding="utf-8")) for path in (self.artifacts / "job_events").glob("*.json")]
        return sorted(found, key=lambda event: int(event["counter"]))

    def results(self, event: str) -> list[dict[str, Any]]:
        """Data of the events of a kind, such as ``runner_on_failed``."""
        return [item["event_data"] for item in self.events if item["event"] == event]

    @property
    def summary(self) -> dict[str, Any]:
        """Numbers per host, and the data of set_stats in ``artifact_data``."""
        (stats,) = self.results("playbook_on_stats")
        return stats

    @property
    def changed_tasks(self) -> list[str]:
        """Names of the tasks that changed something, or would have."""
        return [result["task"] for result in self.results("runner_on_ok") if result["res"].get("changed")]


@dataclass
class Controller:
    """An AWX with one project, one inventory and one credential.

    :param folder: where projects and jobs live.
    :param inventory: hosts and variables, in the JSON form of inventory scripts.
    :param inputs: inputs of the credential, by the name of its type.
    """

    folder: Path
    inventory: dict[str, Any]
    inputs: dict[str, dict[str, str]]
    jobs: list[Job] = field(default_factory=list)

    def sync(self) -> str:
        """Bring the project and what its requirements file names, as a project sync does; returns the output of the installation."""
        project = self.folder / "project"
        shutil.copytree(ROOT, project, ignore=shutil.ignore_patterns("build", ".git", ".ansible", "__pycache__"), symlinks=True)
        command = [str(BIN / "ansible-galaxy"), "collection", "install", "-r", "collections/requirements.yml"]
        # Offline, because the tests' environment carries the other collections; AWX asks its Galaxy server for them.
        command += ["--offline", "-p", str(self.collections)]
        # The tests' own collection path is left out: what it holds would count as installed.
        environment = {**self._environment(), "ANSIBLE_COLLECTIONS_PATH": str(self.collections)}
        done = subprocess.run(command, cwd=project, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    @property
    def collections(self) -> Path:
        """Where a project sync installs collections; jobs look here first."""
        return self.folder / "requirements_collections"

    def _environment(self) -> dict[str, str]:
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        paths = [str(self.collections), os.environ.get("ANSIBLE_COLLECTIONS_PATH", "")]
        environment["ANSIBLE_COLLECTIONS_PATH"] = os.pathsep.join(filter(None, paths))
        environment["PATH"] = os.pathsep.join((str(BIN), environment["PATH"]))
        environment["ANSIBLE_RETRY_FILES_ENABLED"] = "False"
        return environment

    def launch(
        self,
        name: str,
        answers: Mapping[str, Any] | None = None,
        job_type: str | None = None,
        *,
        loud: bool = False,
        artifacts: Mapping[str, Any] | None = None,
    ) -> Job:
        """Launch a job template and wait for the job.

        :param answers: answers to the survey's questions, by variable; defaults for all others. What the survey does not ask is ignored.
        :param artifacts: what the job before it in a workflow handed on; AWX adds that to the extra variables without asking the survey.
        :param job_type: run or check, where the template lets that be chosen at launch.
        :param loud: whether it is launched with the highest verbosity that AWX offers.
        :raises Refused: when AWX would not launch.
        """
        template = named(load("job_templates.yml")["controller_templates"], name)
        ignored = ignored_fields(template, answers or {}, job_type)
        job_type = None if "job_type" in ignored else job_type
        number = len(self.jobs) + 1
        folder = self.folder / f"job-{number}"
        variables = survey_variables(template, answers or {})
        variables |= artifacts or {}
        variables |= {"awx_job_id": number, "awx_job_template_name": name, "awx_user_name": "tests", "awx_job_launch_type": "manual", "tower_job_id": number}
        _private(folder / "env" / "extravars", yaml.dump(variables, Dumper=_Untrusted))
        _private(folder / "env" / "settings", json.dumps({"job_timeout": JOB_TIMEOUT, "suppress_ansible_output": True}))
        script = f"#!/usr/bin/env python3\nprint({json.dumps(self.inventory)!r})\n"
        _private(folder / "inventory" / "hosts", script, 0o700)
        (folder / "project").symlink_to(self.folder / "project")
        arguments = self._arguments(template, job_type or template["job_type"], folder)
        _private(folder / "env" / "cmdline", shlex.join([*arguments, *(["-vvvvv"] if loud else [])]))
        command = [str(BIN / "ansible-runner"), "run", str(folder), "-p", template["playbook"], "--ident", folder.name, "--quiet"]
        done = subprocess.run(command, env=self._environment(), capture_output=True, text=True, check=False, timeout=JOB_TIMEOUT + 60)
        job = Job(folder, done.returncode, ignored)
        self.jobs.append(job)
        assert (job.artifacts / "status").exists(), done.stdout + done.stderr
        return job

    def _arguments(self, template: Mapping[str, Any], job_type: str, folder: Path) -> list[str]:
        """Arguments of ansible-playbook."""
        arguments = ["--check"] if job_type == "check" else []
        arguments += ["-u", "root"]
        arguments += ["--become"] if template.get("become_enabled") else []
        arguments += ["--diff"] if template.get("diff_mode") else []
        types = {item["name"]: item for item in load("credential_types.yml")["controller_credential_types"]}
        credentials = load("job_templates.yml")["controller_credentials"]
        for credential in template["credentials"]:
            kind = named(credentials, credential)["credential_type"]
            # The type Machine is AWX's own: it becomes the user above, and a key that a local connection does not use.
            if kind in types:
                arguments += inject(types[kind], self.inputs[kind], folder / "env")
        return arguments
