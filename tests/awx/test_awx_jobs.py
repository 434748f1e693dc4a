# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Both job templates, run the way AWX runs them, against a real container on this machine."""

from __future__ import annotations

import json
import re
import secrets
import subprocess
import tarfile
from pathlib import Path
from typing import Any

import pytest
from awx_controller import Job
from conftest import CONTAINER, HOST, KEPT, NEXT, VERSIONS, Site, next_image

from ansible_collections.inferops.xinference.tests.machine import built

PROVISION = "Xinference - Provision"
STATUS = "Xinference - Status"
DIAGNOSE = "Xinference - Diagnose"
SUPPORT = "Xinference - Support bundle"
RESTART = "Xinference - Restart"
UNBAN = "Xinference - Unban"
EXPORT = "Xinference - Export"
ROTATE = "Xinference - Rotate credentials"
BACKUP = "Xinference - Backup"
RESTORE = "Xinference - Restore"
UPGRADE = "Xinference - Upgrade"


def container() -> dict[str, Any] | None:
    """What Docker says of the container; None when there is none."""
    done = subprocess.run(("docker", "container", "inspect", CONTAINER), capture_output=True, text=True, check=False)
    return None if done.returncode else dict(json.loads(done.stdout)[0])


def warnings(job: Job) -> list[str]:
    """What Ansible warns of; in a loud job the modules' own output is there, too."""
    return [line for line in job.output.splitlines() if re.search(r"\[(DEPRECATION )?WARNING\]", line)]


@pytest.fixture(scope="module")
def checked(site: Site) -> Job:
    """Provision as a check, on a host without a server."""
    before = site.tree()
    # As loud as can be, as most of the jobs: the last test searches their output for secrets.
    job = site.controller.launch(PROVISION, site.answers, job_type="check", loud=True)
    assert site.tree() == before
    assert container() is None
    return job


@pytest.fixture(scope="module")
def provisioned(site: Site, checked: Job) -> Job:
    """Provision for the first time."""
    assert checked.code == 0, checked.output
    return site.controller.launch(PROVISION, site.answers, loud=True)


# What the survey lets through and the roles refuse, each on its own and with the words to expect.
#: Actions that run no module on the host.
CONTROLLER_ACTIONS = {"assert", "debug", "include_tasks", "set_fact", "show", "validate_argument_spec"}
WRONG = {
    "unknown engine": (
        {"xinference_model_lines": "uid=extra name=smollm2-135m engine=lama.cpp"},
        "xinference_models[1] (uid 'extra'): engine 'lama.cpp' is unknown for type LLM; allowed: ",
    ),
    "line without =": (
        {"xinference_model_lines": "smollm2-135m"},
        "xinference_models[1]: is the text 'smollm2-135m', but must be a dictionary with at least 'uid' and 'name'.",
    ),
    "uid twice": (
        {"xinference_model_lines": "uid=chat name=smollm2-135m engine=llama.cpp"},
        "xinference_models[1] (uid 'chat'): uid 'chat' is already used by xinference_models[0]; every model needs a uid of its own.",
    ),
    "no size": ({"xinference_memory": "much"}, "xinference_memory 'much' is no size."),
    "template": ({"xinference_memory": "{{ 1 }}g"}, "xinference_memory '{{ 1 }}g' is no size."),
}


#: The same refusal by another answer.
_MORE = {
    name: pytest.mark.test_all("make mistakes makes these mistakes, and two others run through AWX") for name in ("line without =", "uid twice", "no size")
}


@pytest.mark.parametrize(("answers", "words"), [pytest.param(*case, id=name, marks=_MORE.get(name, ())) for name, case in WRONG.items()])
def test_wrong_answer(site: Site, answers: dict[str, Any], words: str) -> None:
    """One clear sentence in the output, a failed job, and nothing changed."""
    found, before = container(), site.tree()
    job = site.controller.launch(PROVISION, {**site.answers, **answers})
    assert (job.code, job.status) == (2, "failed")
    (failure,) = job.results("runner_on_failed")
    heading, _newline, sentence = failure["res"]["msg"].partition("\n")
    assert heading == "1 problem, nothing was changed."
    assert sentence.startswith(words)
    assert "\n" not in sentence
    assert words in job.output.replace('\\"', '"')
    assert "Traceback" not in job.output
    assert job.changed_tasks == []
    assert job.summary["changed"] == {}
    assert container() == found
    assert site.tree() == before


def test_check_predicts(checked: Job) -> None:
    """A check on a host without a server ends well and says what would happen."""
    assert (checked.code, checked.status) == (0, "successful")
    assert "--check" in checked.command
    assert {"Make the directories", "Compare the container with its declaration"} <= set(checked.changed_tasks)
    for uid in ("chat", "extra"):
        assert f"Model {uid} would be launched." in checked.output
    assert warnings(checked) == []


def test_run_follows_the_survey(site: Site, provisioned: Job) -> None:
    """The first run changes the host, and the container is what was answered. The roles are those that the project sync installed."""
    assert (provisioned.code, provisioned.status) == (0, "successful"), provisioned.output
    assert "--check" not in provisioned.command
    assert {"--become", "--diff"} <= set(provisioned.command)
    tasks = [result["task_path"].split("/roles/") for result in provisioned.results("playbook_on_task_start")]
    assert {task[0] for task in tasks if len(task) == 2} == {str(site.controller.collections / "ansible_collections/inferops/xinference")}
    assert {"Make the directories", "Run the container", "Ensure the declared models"} <= set(provisioned.changed_tasks)
    made = container()
    assert made is not None
    assert made["State"]["Health"]["Status"] == "healthy"
    assert made["HostConfig"]["PortBindings"] == {"9997/tcp": [{"HostIp": "127.0.0.1", "HostPort": str(site.port)}]}
    assert made["HostConfig"]["Memory"] == 3 << 30
    assert made["Config"]["Image"].endswith(":" + built("server").rpartition(":")[2])
    assert warnings(provisioned) == []


def test_second_run_changes_nothing(site: Site, provisioned: Job) -> None:
    """The same answers again: no change, no warning."""
    started = (container() or {})["State"]["StartedAt"]
    job = site.controller.launch(PROVISION, site.answers)
    assert (job.code, job.status) == (0, "successful"), job.output
    assert job.summary["changed"] == {}
    assert job.changed_tasks == []
    assert warnings(job) == []
    assert (container() or {})["State"]["StartedAt"] == started
    # What a run costs on a host is its module executions; everything else happens on the controller.
    actions = [result["task_action"].removeprefix("inferops.xinference.") for result in job.results("runner_on_ok")]
    on_host = [action for action in actions if action.removeprefix("ansible.builtin.") not in CONTROLLER_ACTIONS]
    assert on_host == ["host_info", "community.docker.docker_container", "models"]


def test_check_shows_the_difference(site: Site, provisioned: Job) -> None:
    """A check with other answers shows in the diff what they would change, and changes nothing."""
    found = container() or {}
    wanted = {"xinference_port": site.port, "xinference_cpus": 1.5, "xinference_memory": "4g", "xinference_models_exclusive": "yes"}
    job = site.controller.launch(PROVISION, wanted, job_type="check")
    assert (job.code, job.status) == (0, "successful"), job.output
    # A container that is replaced has no models: they would all be launched again.
    assert job.changed_tasks == ["Predict what changes without another container", "Compare the container with its declaration", "Predict the models"]
    (container_diff,) = [result["res"]["diff"] for result in job.results("runner_on_ok") if result["res"].get("changed") and "diff" in result["res"]]
    assert (container_diff["before"]["cpus"], container_diff["after"]["cpus"]) == (0, 1_500_000_000)
    assert "Model chat would be launched." in job.output
    assert "Model extra" not in job.output
    assert (container() or {})["Id"] == found["Id"]


@pytest.mark.parametrize("job_type", ["run", "check"])
def test_status(site: Site, provisioned: Job, job_type: str) -> None:
    """The table in the output, the same as data in the job's artifacts, and no change."""
    job = site.controller.launch(STATUS, job_type=job_type, loud=True)
    assert (job.code, job.status) == (0, "successful"), job.output
    assert job.summary["changed"] == {}
    found = job.summary["artifact_data"]["xinference_status"][HOST]
    assert (found["container"], found["health"], found["trouble"]) == ("running", "healthy", "")
    assert found["image"].endswith(":" + built("server").rpartition(":")[2])
    assert found["version"]
    assert len(found["workers"]) == 1
    states = {model["uid"]: (model["type"], model["engine"], model["state"], model["drift"]) for model in found["models"]}
    # The second one is compared with what the survey of an earlier launch declared, which the host has stored.
    assert states == dict.fromkeys(("chat", "extra"), ("LLM", "llama.cpp", "ready", "as declared"))
    (table,) = [result["res"]["lines"] for result in job.results("runner_on_ok") if result["task"] == "Show the table"]
    assert table[0].split() == ["HOST", "CONTAINER", "IMAGE", "SERVER", "WORKERS", "RECOVERY", "BACKUP", "MODEL", "TYPE", "ENGINE", "STATE", "DRIFT"]
    assert [line for line in table if line.startswith(f"{HOST} ")]
    assert all(any(uid in line.split() for line in table) for uid in states)
    # And people see the lines themselves, not a list of quoted texts.
    assert "\n".join(table) in job.output.replace("\r\n", "\n")
    assert warnings(job) == []


def of_the_server(found: dict[str, Any]) -> list[tuple[str, str, str]]:
    """Severity, check and subject of each finding that is about container, server or models; of the machine of the tests there may be others."""
    machine = {"clock", "disk", "memory", "oom", "processor", "swap", "threads", "units"}
    return [(each["severity"], each["check"], each["subject"]) for each in found["findings"] if each["check"] not in machine]


def shown(job: Job) -> list[str]:
    """The lines that a diagnosis shows, which people see as such."""
    (lines,) = [result["res"]["lines"] for result in job.results("runner_on_ok") if result["task"] == "Show what was found"]
    assert "\n".join(lines) in job.output.replace("\r\n", "\n")
    return list(lines)


@pytest.mark.parametrize("job_type", ["run", "check"])
def test_diagnose(site: Site, provisioned: Job, job_type: str) -> None:
    """It compares with the inventory, where the port is not that a survey gave. A schedule fails then, and hands on why; nothing is changed."""
    started = (container() or {})["State"]["StartedAt"]
    job = site.controller.launch(DIAGNOSE, {"xinference_diagnose_fail_on": "critical"}, job_type=job_type, loud=True)
    assert (job.code, job.status) == (2, "failed"), job.output
    assert [failure["res"]["msg"] for failure in job.results("runner_on_failed")] == [f"Something is critical on {HOST}."]
    found = job.summary["artifact_data"]["xinference_diagnosis"][HOST]
    assert of_the_server(found) == [("critical", "port", "127.0.0.1:9997")]
    (finding,) = [each for each in found["findings"] if each["check"] == "port"]
    assert finding["seen"] == f"The container publishes 127.0.0.1:{site.port}; 127.0.0.1:9997 is declared."
    table = shown(job)
    assert table[0].split() == ["HOST", "SEVERITY", "CHECK", "SUBJECT", "SEEN"]
    assert any(line.split()[:4] == [HOST, "critical", "port", "127.0.0.1:9997"] for line in table)
    assert job.summary["changed"] == {}
    assert (container() or {})["State"]["StartedAt"] == started


def test_diagnose_finds_nothing(site: Site, provisioned: Job) -> None:
    """With the port in the inventory, too: models and files are as declared, and what was checked is handed on."""
    variables = site.controller.inventory["xinference"]["vars"]
    site.controller.inventory["xinference"]["vars"] = {**variables, "xinference_port": site.port}
    try:
        job = site.controller.launch(DIAGNOSE, {"xinference_diagnose_checksums": "yes"}, loud=True)
    finally:
        site.controller.inventory["xinference"]["vars"] = variables
    assert (job.code, job.status) == (0, "successful"), job.output
    found = job.summary["artifact_data"]["xinference_diagnosis"][HOST]
    assert of_the_server(found) == []
    assert {model["uid"]: model["state"] for model in found["models"]} == {"chat": "as declared", "extra": "as declared"}
    # It is published on loopback alone, so that nothing is to be reached from the controller.
    assert {"docker", "files", "models", "mounts", "port", "port from the controller"} - set(found["checks"]) == {"port from the controller"}
    assert "port from the controller" not in [each["check"] for each in found["unchecked"]]
    assert found["server"]
    assert found["image"].endswith(":" + built("server").rpartition(":")[2])
    assert any(line.startswith((f"{HOST}: ", f"{HOST} ")) for line in shown(job))
    assert job.summary["changed"] == {}
    assert warnings(job) == []


def test_support_bundle(site: Site, provisioned: Job, tmp_path: Path) -> None:
    """The archive is where AWX exposes a directory to jobs, no secret is in it, and the job hands on where it is."""
    answers = {"xinference_support_bundle_directory": str(tmp_path / "exposed"), "xinference_support_bundle_log_kib": 256}
    job = site.controller.launch(SUPPORT, answers, loud=True)
    assert (job.code, job.status) == (0, "successful"), job.output
    [archive] = (tmp_path / "exposed").iterdir()
    assert job.summary["artifact_data"]["xinference_support_bundles"] == {HOST: str(archive)}
    assert archive.stat().st_mode & 0o777 == 0o600
    with tarfile.open(archive) as packed:
        read = {member.name.partition("/")[2]: packed.extractfile(member) for member in packed if member.isreg()}
        texts = {name: file.read() for name, file in read.items() if file is not None}
    assert {"diagnosis.json", "versions.json", "container/log.txt", "server/log-01.txt"} <= set(texts)
    marks = {**site.marks, "automation": (KEPT / "automation").read_text(encoding="utf-8").strip()}
    assert {name for name, mark in marks.items() for text in texts.values() if mark.encode() in text} == set()
    assert job.changed_tasks == ["Make the directory of the archives", "Keep the archive"]
    assert warnings(job) == []


@pytest.mark.test_all("the guide's data say which questions there are, which make test compares")
def test_what_is_not_asked_is_reported(site: Site, provisioned: Job) -> None:
    """The container says where it answers: a password is not sent to whatever else listens on some port."""
    job = site.controller.launch(STATUS, {"xinference_port": 9})
    assert job.ignored == {"extra_vars": {"xinference_port": 9}}
    assert (job.code, job.status) == (0, "successful"), job.output
    found = job.summary["artifact_data"]["xinference_status"][HOST]
    assert found["trouble"] == ""
    assert {model["uid"] for model in found["models"]} == {"chat", "extra"}


def test_export(site: Site, provisioned: Job) -> None:
    """The job shows the whole file, which is gone with it, and no server is changed."""
    started = (container() or {})["State"]["StartedAt"]
    for job_type in ("check", "run"):
        job = site.controller.launch(EXPORT, job_type=job_type)
        assert (job.code, job.status) == (0, "successful"), job.output
        assert job.changed_tasks == ["Write the file"]
        (shown,) = [result["res"]["diff"][0] for result in job.results("runner_on_ok") if result["task"] == "Write the file"]
        assert shown["before"] == ""
        assert "chat_template: !unsafe |-" in shown["after"]
        assert '# Unknown fields of model "chat": "environment.EXAMPLE_TOKEN".' in shown["after"]
        assert site.marks["environment"] not in job.output
        assert warnings(job) == []
    assert site.controller.launch(EXPORT).changed_tasks == []
    assert (container() or {})["State"]["StartedAt"] == started


def test_restart(site: Site, provisioned: Job) -> None:
    """In a workflow behind Status, and without models: the job ends when every model has answered that the host has stored, whichever launch declared them."""
    started = (container() or {})["State"]["StartedAt"]
    status = site.controller.launch(STATUS)
    answers = {"xinference_restart_serial": "50%", "xinference_restart_max_fail_percentage": 10}
    job = site.controller.launch(RESTART, answers, loud=True, artifacts=status.summary["artifact_data"])
    assert (job.code, job.status) == (0, "successful"), job.output
    assert (container() or {})["State"]["StartedAt"] != started
    assert job.changed_tasks[0] == "Restart the container"
    (models,) = [result["res"]["models"] for result in job.results("runner_on_ok") if result["task"] == "Ensure the declared models"]
    assert {model["uid"]: (model["state"], model["answered"] is not None) for model in models} == {"chat": ("ready", True), "extra": ("ready", True)}
    assert warnings(job) == []


@pytest.mark.parametrize(
    ("name", "words"),
    [
        (BACKUP, "xinference_backup is false, so no backup is made; set it to true and provision this host."),
        (UPGRADE, "xinference_backup is false, so an upgrade would have no way back. Set it to true, give xinference_backup_password, and provision."),
    ],
)
def test_a_host_without_backups(site: Site, provisioned: Job, name: str, words: str) -> None:
    """One sentence, and nothing is changed."""
    job = site.controller.launch(name)
    assert (job.code, job.status) == (2, "failed")
    (failure,) = job.results("runner_on_failed")
    assert failure["res"]["msg"].removeprefix("1 problem, nothing was changed.\n") == words
    assert job.changed_tasks == []


@pytest.fixture(scope="module")
def backed_up(site: Site, provisioned: Job) -> Job:
    """Provision with backups, which the host has from then on."""
    site.controller.inventory["xinference"]["vars"] |= {"xinference_backup": True}
    return site.controller.launch(PROVISION, without_models(site), loud=True)


def without_models(site: Site) -> dict[str, Any]:
    """The answers to the survey of Provision that are not about models."""
    return {name: value for name, value in site.answers.items() if name != "xinference_model_lines"}


def test_backup_and_restore(site: Site, backed_up: Job) -> None:
    """A job makes a snapshot, and another one restores it: its server is started again, and its models answer."""
    assert (backed_up.code, backed_up.status) == (0, "successful"), backed_up.output
    assert "Open the repository, or make it" in backed_up.changed_tasks
    answers = without_models(site)
    assert [result["task"] for result in site.controller.launch(PROVISION, answers).results("runner_on_ok") if result["res"].get("changed")] == []
    made = site.controller.launch(BACKUP, loud=True)
    assert (made.code, made.changed_tasks) == (0, ["Make a backup"]), made.output
    (snapshot,) = [result["res"]["snapshot"] for result in made.results("runner_on_ok") if result["task"] == "Make a backup"]
    assert {"home/auth/auth.db", "home/launch_history.db", "host/declaration.json"} <= {file["path"] for file in snapshot["files"]}
    started = (container() or {})["State"]["StartedAt"]
    for chosen, words in (
        ({"xinference_restore_from": "ffffffff"}, "holds no snapshot 'ffffffff'"),
        ({"xinference_restore_host": "another"}, "host 'another'"),
    ):
        wrong = site.controller.launch(RESTORE, chosen)
        assert wrong.code == 2
        assert words in wrong.output
    checked = site.controller.launch(RESTORE, job_type="check")
    assert (checked.code, checked.status) == (0, "successful"), checked.output
    assert f"Snapshot {snapshot['id']} of host {HOST}" in checked.output
    assert (container() or {})["State"]["StartedAt"] == started
    job = site.controller.launch(RESTORE, {"xinference_restore_from": snapshot["id"]}, loud=True)
    assert (job.code, job.status) == (0, "successful"), job.output
    assert (container() or {})["State"]["StartedAt"] != started
    (models,) = [result["res"]["models"] for result in job.results("runner_on_ok") if result["task"] == "Ensure the declared models"]
    assert {model["uid"]: (model["state"], model["answered"] is not None) for model in models} == {"chat": ("ready", True), "extra": ("ready", True)}
    found = site.controller.launch(STATUS).summary["artifact_data"]["xinference_status"][HOST]
    assert (found["backup"]["verified"], found["backup"]["failed"]) == (True, "")


def test_a_launch_with_default_answers_forgets_no_model(site: Site, provisioned: Job) -> None:
    """As a schedule, in a workflow behind Status. What an earlier survey declared is looked after still, and the job says so."""
    # Host by host, as on a fleet.
    answers = without_models(site) | {"xinference_provision_serial": "1", "xinference_provision_max_fail_percentage": "0"}
    artifacts = site.controller.launch(STATUS).summary["artifact_data"]
    assert list(artifacts) == ["xinference_status"]
    job = site.controller.launch(PROVISION, answers, artifacts=artifacts)
    assert (job.code, job.status) == (0, "successful"), job.output
    assert job.changed_tasks == []
    (models,) = [result["res"]["models"] for result in job.results("runner_on_ok") if result["task"] == "Ensure the declared models"]
    assert [model["uid"] for model in models] == ["chat", "extra"]
    (warning,) = warnings(job)
    assert "xinference_models names no model extra, which an earlier run declared; it is still looked after." in warning
    # A launch that says so ends it.
    stopped = site.controller.launch(PROVISION, {**answers, "xinference_model_lines": "uid=extra state=absent"})
    assert stopped.changed_tasks == ["Ensure the declared models"]
    assert warnings(site.controller.launch(PROVISION, answers)) == []


# Behind the tests of the image that the inventory named first.
def test_upgrade(site: Site, backed_up: Job) -> None:
    """A wrong tag is one sentence. A check shows what the new server says, a run lets it take the place, and a second one changes nothing."""
    # The new container is made as the inventory has it.
    site.controller.inventory["xinference"]["vars"] |= {name: site.answers[name] for name in ("xinference_port", "xinference_memory")}
    before = container() or {}
    wrong = site.controller.launch(UPGRADE, {"xinference_image_tag": "latest-cpu"})
    (failure,) = wrong.results("runner_on_failed")
    said = "xinference_image_tag 'latest-cpu' moves from release to release. Name a version such as v4.1.0-cpu."
    assert failure["res"]["msg"] == f"1 problem, nothing was changed.\n{said}"
    made = f"docker create --name {CONTAINER}-next {built('server')} && docker commit --change 'ENV EXAMPLE=next' {CONTAINER}-next {next_image()}"
    subprocess.run(["sh", "-ec", f"{made} && docker rm {CONTAINER}-next"], check=True, capture_output=True)
    checked = site.controller.launch(UPGRADE, {"xinference_image_tag": NEXT}, job_type="check", loud=True)
    assert (checked.code, checked.status) == (0, "successful"), checked.output
    assert checked.changed_tasks == ["Make a backup", "Predict the upgrade"]
    assert f"A backup would be made, and a container of {next_image()} would take the place of the one that runs." in checked.output
    (table,) = [result["res"]["lines"] for result in checked.results("runner_on_ok") if result["task"] == "Show what it says"]
    assert re.fullmatch(r"MODEL +TODAY \(\d[\d.]+\) +THEN \(\d[\d.]+\)", table[0])
    assert [line.split()[0] for line in table[1:]] == ["chat"]
    assert table[1].endswith("is offered with llama.cpp")
    assert {name: (container() or {})[name] for name in ("Id", "Image")} == {name: before[name] for name in ("Id", "Image")}
    assert (container() or {})["State"]["StartedAt"] == before["State"]["StartedAt"]
    answers = {"xinference_image_tag": NEXT, "xinference_upgrade_serial": "50%", "xinference_upgrade_max_fail_percentage": 10}
    job = site.controller.launch(UPGRADE, answers, loud=True)
    assert (job.code, job.status) == (0, "successful"), job.output
    assert {"Make a backup", "Record the upgrade", "See the container healthy", "Let the new server stay"} <= set(job.changed_tasks)
    (models,) = [result["res"]["models"] for result in job.results("runner_on_ok") if result["task"] == "Ensure the declared models"]
    assert {model["uid"]: (model["state"], model["answered"] is not None) for model in models if model["state"] != "absent"} == {"chat": ("ready", True)}
    made_now = container() or {}
    assert (made_now["Config"]["Image"], made_now["State"]["Health"]["Status"]) == (next_image(), "healthy")
    assert made_now["HostConfig"]["PortBindings"] == before["HostConfig"]["PortBindings"]
    assert [path.name for path in VERSIONS.iterdir()] == ["versions.json"]
    recorded = json.loads((VERSIONS / "versions.json").read_text(encoding="utf-8"))
    assert (recorded["image_id"], recorded["previous"]["image_id"]) == (made_now["Image"], before["Image"])
    site.controller.inventory["xinference"]["vars"] |= {"xinference_image_tag": NEXT}
    again = site.controller.launch(UPGRADE)
    assert (again.code, again.changed_tasks) == (0, []), again.output
    assert f"The server is of image {next_image()} already, so nothing is upgraded." in again.output
    assert all(warnings(each) == [] for each in (job, again))


def test_backups_are_switched_off(site: Site, backed_up: Job) -> None:
    """What another launch set up is removed."""
    site.controller.inventory["xinference"]["vars"] |= {"xinference_backup": False}
    assert site.controller.launch(PROVISION, without_models(site)).changed_tasks == ["Remove units, program, status and settings"]


def test_secrets_stay_where_awx_put_them(site: Site, provisioned: Job) -> None:
    """In no event, output, command or other artifact of any job; only in the files of the injector and of the inventory."""

    def loud(name: str, answers: dict[str, Any] | None = None, job_type: str = "run", code: int = 0) -> None:
        job = site.controller.launch(name, answers, job_type, loud=True)
        assert job.code == code, job.output

    def automation() -> str:
        return (KEPT / "automation").read_text(encoding="utf-8").strip()

    new = f"marked{secrets.token_hex(12)}"
    marks = {**site.marks, "automation": automation(), "new password": new}
    for job_type in ("check", "run"):
        loud(UNBAN, None, job_type)
        loud(ROTATE, {"xinference_new_admin_password": new, "xinference_rotate_serial": "50%"}, job_type)
    marks["new automation"] = automation()
    # The credential in AWX is the old one still: refused by the server.
    loud(UNBAN, code=2)
    # A diagnosis says so, and does not fail unless it is asked to.
    loud(DIAGNOSE)
    refused = of_the_server(site.controller.jobs[-1].summary["artifact_data"]["xinference_diagnosis"][HOST])
    assert ("critical", "account", "") in refused
    given = {
        "password": {"env/credential-xinference"},
        "backup password": {"env/credential-xinference"},
        "environment": {"inventory/hosts"},
        "automation": set(),
        "new automation": set(),
    }
    assert len(site.controller.jobs) > 10
    # Both jobs of provision and status, three diagnoses, the support bundle, the restart, three about backups, two upgrades, and those above.
    assert sum("-vvvvv" in job.command for job in site.controller.jobs) == 20
    for job in site.controller.jobs:
        files = {str(path.relative_to(job.folder)): path.read_bytes() for path in job.folder.rglob("*") if path.is_file()}
        # The answer to the survey's question.
        given["new password"] = {"env/extravars"} if new.encode() in files["env/extravars"] else set()
        assert {name: {path for path, text in files.items() if mark.encode() in text} for name, mark in marks.items()} == given
        assert len(job.events) > 5
