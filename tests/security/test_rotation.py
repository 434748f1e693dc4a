# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Accounts with few rights, and new credentials for old: whenever it is interrupted, one that works is known."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import stat
from pathlib import Path

import pytest
import yaml
from conftest import AUTOMATION, KEPT, LOUD, Site, changed_tasks, changes, of_host
from holders import answers, automation, holder, session, status

from ansible_collections.inferops.xinference.tests.machine import WHOLE, wait_until

TASKS = ("Give the administrator the new password", "See that the new password works", "Give the service account another password", "Ensure the API keys")
#: When a rotation is killed.
MOMENTS = ("its beginning", "the beginning of its module", "the first file that its module changed, or the end of its module")
#: When a rotation is killed: once at each task in make test, at the moment after which most is half done.
KILLS = [(task, moment) for task in TASKS for moment in (MOMENTS if WHOLE else MOMENTS[2:])]
NEW = "new-password"


def test_files_with_credentials_are_private(provisioned: Site) -> None:
    for path in (AUTOMATION, provisioned.key_file):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert path.stat().st_uid == 0


def test_the_automation_may_do_no_more_than_it_needs(provisioned: Site) -> None:
    who = automation(provisioned)
    assert status(provisioned, who, "GET", "/v1/models") == 200
    for method, path in (("GET", "/v1/admin/users"), ("GET", "/v1/admin/keys"), ("GET", "/v1/cluster/info"), ("GET", "/v1/admin/security/banned-ips")):
        assert status(provisioned, who, method, path) == 403, path
    assert status(provisioned, who, "DELETE", "/v1/clusters") == 403
    # What launched the model is the automation, and nothing on the host but the run itself knows the administrator.
    history = who.get(f"{provisioned.endpoint}/v1/launch_history", timeout=30).json() if who else []
    assert {(row["model_uid"], row["is_owner"]) for row in history} == {("text", True)}


def test_a_key_may_ask_declared_models_and_do_nothing_else(provisioned: Site) -> None:
    who = holder(provisioned)
    assert answers(provisioned) == 200
    assert answers(provisioned, model="other") in (400, 403, 404)
    for method, path in (("DELETE", "/v1/models/text"), ("POST", "/v1/models"), ("GET", "/v1/admin/users"), ("GET", "/v1/cluster/info")):
        assert status(provisioned, who, method, path) == 403, path
    admin = session(provisioned, "admin", provisioned.password)
    assert admin is not None
    (key,) = admin.get(f"{provisioned.endpoint}/v1/admin/keys", timeout=30).json()
    assert [(row["permission_type"], row["permission_value"]) for row in key["model_permissions"]] == [("model_id", "text")]


def test_a_check_changes_nothing_and_makes_no_file(provisioned: Site, rotation_checked: str) -> None:
    assert (changes(rotation_checked, "value"), changes(rotation_checked, "file")) == ([3], [3])
    assert not (provisioned.folder / "checked-password").exists()
    assert session(provisioned, "admin", provisioned.password)


def test_a_check_predicts_an_account_with_its_key(predicted: str) -> None:
    assert "API key other would be made." in predicted
    assert changed_tasks(predicted) == ["Ensure the declared models", "Ensure the declared accounts", "Predict the keys of accounts that are predicted"]
    assert changes(predicted) == [3]


def descendants(number: int) -> list[int]:
    """A process and all that it started, also those that left its group, as the modules that Ansible runs do."""
    parents: dict[int, list[int]] = {}
    for process in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((process / "stat").read_text(encoding="utf-8").rpartition(")")[2].split()[1])
        except OSError:
            continue
        parents.setdefault(parent, []).append(int(process.name))
    found = [number]
    for one in found:
        found += parents.get(one, [])
    return found


def module_of(number: int) -> int | None:
    """The process of the module that a run of Ansible is at; None where it is at none."""
    for found in descendants(number):
        with contextlib.suppress(OSError):
            words = (Path("/proc") / str(found) / "cmdline").read_bytes().split(b"\0")
            if words[0].endswith(b"/python") and any(b"AnsiballZ_" in word for word in words[1:]):
                return found
    return None


def files(site: Site) -> dict[Path, tuple[int, int]]:
    """Files with credentials, with what is another one when they change."""
    found = {}
    for path in (*KEPT.iterdir(), *site.key_file.parent.iterdir()):
        with contextlib.suppress(OSError):
            found[path] = (path.stat().st_ino, path.stat().st_mtime_ns)
    return found


def interrupt(site: Site, task: str, moment: str) -> None:
    """Begin a rotation and kill it, with all its processes, at a moment of a task."""
    temporary = site.folder / "killed"
    process = site.begin("rotate_credentials", xinference_new_admin_password_file=NEW, ansible_remote_tmp=str(temporary))
    assert process.stdout is not None
    lines = []
    for line in process.stdout:
        lines.append(line)
        if line.startswith("TASK [") and task in line:
            break
    else:
        raise AssertionError(f"no task '{task}' began: {''.join(lines)[-3000:]}")
    before = files(site)
    if moment != MOMENTS[0]:
        module = Path("/proc") / str(wait_until(lambda: process.poll() is not None or module_of(process.pid), "a module begins", pause=0.005))
        if moment == MOMENTS[2]:
            wait_until(lambda: files(site) != before or not module.exists(), "a module does something", pause=0.001)
    assert process.poll() is None, f"it was over before {moment} of '{task}'"
    for number in descendants(process.pid):
        with contextlib.suppress(ProcessLookupError):
            os.kill(number, signal.SIGKILL)
    process.stdout.close()
    process.wait(60)
    # What a killed module leaves has its arguments.
    shutil.rmtree(temporary, ignore_errors=True)


@pytest.fixture(scope="session")
def interrupted(provisioned: Site) -> Site:
    """A host whose rotation was killed, again and again. A working credential was known after each of them."""
    site, new = provisioned, provisioned.folder / NEW
    site.marks["first key"], site.marks["first automation"] = site.key(), AUTOMATION.read_text(encoding="utf-8").strip()
    for task, moment in KILLS:
        interrupt(site, task, moment)
        killed = f"killed at {moment} of '{task}'"
        known = [site.password, *([new.read_text(encoding="utf-8").strip()] if new.exists() else [])]
        assert any(session(site, "admin", password) for password in known), killed
        assert automation(site), killed
        assert answers(site) == 200, killed
    return site


def test_an_interruption_leaves_a_credential_that_works(interrupted: Site, rotated: Site) -> None:
    """The one that is not interrupted completes the others."""
    marks, new = rotated.marks, rotated.folder / NEW
    _command, output = rotated.outputs[-1]
    assert stat.S_IMODE(new.stat().st_mode) == 0o600
    password, old, first_key, first_automation = rotated.password, marks["password"], marks["first key"], marks["first automation"]
    key, own = rotated.key(), AUTOMATION.read_text(encoding="utf-8")
    assert session(rotated, "admin", password)
    assert session(rotated, "admin", old) is None
    assert len(own.split()) == 1
    assert own.strip() != first_automation
    assert session(rotated, "automation", first_automation) is None
    assert (answers(rotated), key != first_key, answers(rotated, first_key)) == (200, True, 401)
    for shown in (password, old, key, own.strip(), first_key, first_automation):
        assert shown not in output
    assert f"From now on xinference_admin_password is what {new} keeps" in output
    # Nothing is left beside them: no second key, no key that was set aside.
    admin = session(rotated, "admin", password)
    assert admin is not None
    assert [row["name"] for row in admin.get(f"{rotated.endpoint}/v1/admin/keys", timeout=60).json()] == ["shop"]
    # The service account goes on without any action.
    assert changes(rotated.play("provision")) == [0]


@pytest.mark.test_all("four runs; each part that provisions a host makes such an account")
@pytest.mark.parametrize("username", ["", "other-automation"])
def test_another_account_goes_on(rotated: Site, username: str) -> None:
    """What runs is known on the host, whoever launched it; only the server's autostart entry is each account's own."""
    rotated.settings["xinference_service_account"] = username
    # Without the container, which knows no accounts; the second run is whole.
    assert "relaunched" not in rotated.play("provision", "--diff", "--tags=models,users")
    assert changes(rotated.play("provision")) == [0]
    if username:
        assert session(rotated, username, AUTOMATION.read_text(encoding="utf-8").strip())


def test_rotation_without_an_account_of_the_automation(rotated_by_value: Site) -> None:
    command, output = rotated_by_value.outputs[-1]
    assert command == " ".join(("rotate_credentials", *LOUD))
    assert rotated_by_value.password not in output
    assert session(rotated_by_value, "admin", rotated_by_value.password)


def test_what_cannot_be_rotated_is_one_sentence(rotated_by_value: Site) -> None:
    """As hosts of one run: the playbook itself ends with the first host that fails."""
    site, kept = rotated_by_value, rotated_by_value.folder / "kept-password"
    kept.touch(mode=0o600)
    kept.write_text(site.password, encoding="utf-8")
    hosts = {
        "nothing": {},
        "short": {"xinference_new_admin_password": "short"},
        "nowhere": {"xinference_new_admin_password": "long-enough", "xinference_container_name": "xinference-nowhere"},
        "there": {"xinference_new_admin_password": site.password},
        "kept": {"xinference_new_admin_password_file": str(kept)},
    }
    sentences = {
        "nothing": "Set one of xinference_new_admin_password and xinference_new_admin_password_file",
        "short": "xinference_new_admin_password has less than the 8 characters",
        "nowhere": "No container xinference-nowhere with a server runs on this host",
        "there": "xinference_new_admin_password is the password that is there already; choose another one. Nothing was changed.",
        "kept": f"xinference_new_admin_password_file '{kept}' keeps the password that is there already; name another file. Nothing was changed.",
    }
    role = {"name": "inferops.xinference.users", "tasks_from": "rotate"}
    playbook = site.folder / "rotate.yml"
    play = {"name": "Rotate", "hosts": "all", "gather_facts": False, "tasks": [{"name": "Rotate", "ansible.builtin.include_role": role}]}
    playbook.write_text(yaml.safe_dump([play]), encoding="utf-8")
    output = site.play(str(playbook), code=2, hosts=hosts)
    for host, sentence in sentences.items():
        assert sentence in of_host(output, host), host
        assert "Nothing was changed." in of_host(output, host), host
    # The playbook says the same.
    assert "Nothing was changed." in site.play("rotate_credentials", code=2)


def test_temporary_files_are_gone(rotated_by_value: Site) -> None:
    for folder in (KEPT, rotated_by_value.key_file.parent):
        assert [path.name for path in Path(folder).iterdir() if path.name.startswith(".")] == []
