# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Accounts with few rights, and new credentials for old: whenever it is interrupted, somebody knows one that works."""

from __future__ import annotations

import contextlib
import os
import secrets
import signal
import stat
import subprocess
from pathlib import Path
from typing import Any

import pytest
import requests
from conftest import KEPT, Site

AUTOMATION = KEPT / "automation"
PROVISION, ROTATE = "inferops.xinference.provision", "inferops.xinference.rotate_credentials"


@pytest.fixture(scope="module")
def provisioned(site: Site) -> Site:
    """A host with an account and a key of an application."""
    site.add_consumer()
    site.play(PROVISION)
    return site


def session(site: Site, username: str, password: str) -> requests.Session | None:
    """Somebody who logged in; None where the server refuses."""
    made = requests.Session()
    made.trust_env = False
    answer = made.post(f"{site.endpoint}/token", json={"username": username, "password": password}, timeout=30)
    if answer.status_code == 401:
        return None
    assert answer.status_code == 200, answer.text
    made.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
    return made


def status(site: Site, who: requests.Session | None, method: str, path: str, body: Any = None) -> int:
    """Of the answer to somebody."""
    assert who is not None
    return who.request(method, f"{site.endpoint}{path}", json=body, timeout=60).status_code


def holder(site: Site, key: str | None = None) -> requests.Session:
    """An application with the key from its file, or another one."""
    made = requests.Session()
    made.trust_env = False
    made.headers["Authorization"] = f"Bearer {key or site.key_file.read_text(encoding='utf-8').strip()}"
    return made


def embeds(site: Site, key: str | None = None) -> int:
    """Status of the answer to an application that asks the model."""
    return status(site, holder(site, key), "POST", "/v1/embeddings", {"model": "embed", "input": "cat"})


def automation(site: Site) -> requests.Session | None:
    """The automation, with the first password of its file that works, as module and service do."""
    passwords = AUTOMATION.read_text(encoding="utf-8").split()
    return next((found for found in (session(site, "automation", password) for password in passwords) if found), None)


def test_files_with_credentials_are_shut(provisioned: Site) -> None:
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
    assert {(row["model_uid"], row["is_owner"]) for row in history} == {("embed", True)}


def test_a_key_may_ask_declared_models_and_do_nothing_else(provisioned: Site) -> None:
    who = holder(provisioned)
    assert embeds(provisioned) == 200
    assert status(provisioned, who, "POST", "/v1/embeddings", {"model": "other", "input": "cat"}) in (400, 403, 404)
    for method, path in (("DELETE", "/v1/models/embed"), ("POST", "/v1/models"), ("GET", "/v1/admin/users"), ("GET", "/v1/cluster/info")):
        assert status(provisioned, who, method, path) == 403, path
    admin = session(provisioned, "admin", provisioned.marks["password"])
    assert admin is not None
    (key,) = admin.get(f"{provisioned.endpoint}/v1/admin/keys", timeout=30).json()
    assert [(row["permission_type"], row["permission_value"]) for row in key["model_permissions"]] == [("model_id", "embed")]


def test_a_second_run_changes_nothing(provisioned: Site) -> None:
    assert "changed=0 " in provisioned.play(PROVISION)
    assert "changed=0 " in provisioned.play(PROVISION, "--check")


def test_what_others_changed_is_put_right(provisioned: Site) -> None:
    provisioned.key_file.unlink()
    AUTOMATION.chmod(0o644)
    # A password that others could read is none any more.
    output = provisioned.play(PROVISION, code=2)
    assert f"account_password_path '{AUTOMATION}' can be read by others than its owner; remove it and its copy for a new one" in output
    for path in (AUTOMATION, AUTOMATION.with_name("automation.copy")):
        path.unlink()
    assert "changed=2 " in provisioned.play(PROVISION)
    assert embeds(provisioned) == 200
    assert automation(provisioned)
    assert "changed=0 " in provisioned.play(PROVISION)


@pytest.mark.parametrize(
    ("variables", "sentence"),
    [
        ({}, "Set one of xinference_new_admin_password and xinference_new_admin_password_file"),
        ({"xinference_new_admin_password": "short"}, "xinference_new_admin_password has less than the 8 characters"),
        (
            {"xinference_new_admin_password": "long-enough", "xinference_container_name": "xinference-nowhere"},
            "No container xinference-nowhere with a server runs on this host",
        ),
    ],
)
def test_what_cannot_be_rotated_is_one_sentence(provisioned: Site, variables: dict[str, Any], sentence: str) -> None:
    output = provisioned.play(ROTATE, code=2, **variables)
    assert sentence in output
    assert "Nothing was changed." in output


def test_a_check_changes_nothing_and_makes_no_file(provisioned: Site) -> None:
    new = provisioned.folder / "checked-password"
    before = (AUTOMATION.read_text(encoding="utf-8"), provisioned.key_file.read_text(encoding="utf-8"))
    assert "changed=3 " in provisioned.play(ROTATE, "--check", "--diff", xinference_new_admin_password_file=str(new))
    assert not new.exists()
    assert (AUTOMATION.read_text(encoding="utf-8"), provisioned.key_file.read_text(encoding="utf-8")) == before
    assert session(provisioned, "admin", provisioned.marks["password"])


def test_a_check_foresees_an_account_with_its_key(provisioned: Site) -> None:
    accounts = [*provisioned.settings["xinference_accounts"], {"name": "other", "password": "long-enough", "permissions": ["models:list"]}]
    keys = [*provisioned.settings["xinference_api_keys"], {"name": "other", "owner": "other", "path": str(provisioned.folder / "keys/other")}]
    output = provisioned.play(PROVISION, "--check", xinference_accounts=accounts, xinference_api_keys=keys)
    assert "API key other would be made." in output
    assert "changed=2 " in output


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


def interrupt(site: Site, task: str, seconds: float, **variables: Any) -> None:
    """Begin a rotation and kill it, with all its processes, some time after a task began."""
    process = site.begin(ROTATE, **variables)
    assert process.stdout is not None
    for line in process.stdout:
        if task in line:
            try:
                process.wait(seconds)
            except subprocess.TimeoutExpired:
                for number in descendants(process.pid):
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(number, signal.SIGKILL)
            break
    process.stdout.close()
    process.wait(60)


def test_an_interruption_leaves_a_credential_that_works(provisioned: Site) -> None:
    new = provisioned.folder / "new-password"
    old = provisioned.marks["password"]
    # From where the playbook is called.
    given = {"xinference_new_admin_password_file": new.name}
    first_key, first_automation = provisioned.key_file.read_text(encoding="utf-8").strip(), AUTOMATION.read_text(encoding="utf-8").strip()
    tasks = ("Give the administrator the new password", "See that the new password works", "Give the automation another password", "Ensure the API keys")
    for task in tasks:
        for seconds in (0.0, 0.3, 0.6):
            interrupt(provisioned, task, seconds, **given)
            moment = f"{seconds} s after '{task}'"
            known = [old, *([new.read_text(encoding="utf-8").strip()] if new.exists() else [])]
            assert any(session(provisioned, "admin", password) for password in known), moment
            assert automation(provisioned), moment
            assert embeds(provisioned) == 200, moment
    output = provisioned.play(ROTATE, "-vvvv", "--diff", **given)
    assert stat.S_IMODE(new.stat().st_mode) == 0o600
    password = new.read_text(encoding="utf-8").strip()
    key, own = provisioned.key_file.read_text(encoding="utf-8").strip(), AUTOMATION.read_text(encoding="utf-8")
    assert session(provisioned, "admin", password)
    assert session(provisioned, "admin", old) is None
    assert len(own.split()) == 1
    assert own.strip() != first_automation
    assert session(provisioned, "automation", first_automation) is None
    assert (embeds(provisioned), key != first_key, embeds(provisioned, first_key)) == (200, True, 401)
    for shown in (password, old, key, own.strip(), first_key, first_automation):
        assert shown not in output
    assert f"From now on xinference_admin_password is what {new} keeps" in output
    # Nothing is left beside them: no second key, no key that was set aside.
    admin = session(provisioned, "admin", password)
    assert admin is not None
    assert [row["name"] for row in admin.get(f"{provisioned.endpoint}/v1/admin/keys", timeout=30).json()] == ["shop"]
    # The automation goes on without having been told.
    provisioned.settings["xinference_admin_password"] = password
    assert "changed=0 " in provisioned.play(PROVISION)
    again = provisioned.play(ROTATE, code=2, **given)
    assert f"xinference_new_admin_password_file '{new}' keeps the password that is there already; name another file. Nothing was changed." in again


@pytest.mark.parametrize("username", ["", "other-automation"])
def test_another_account_goes_on(provisioned: Site, username: str) -> None:
    """What runs is known on the host, whoever launched it; only the server's autostart entry is each account's own."""
    output = provisioned.play(PROVISION, "--diff", xinference_automation_username=username)
    assert "relaunched" not in output
    assert "changed=0 " in provisioned.play(PROVISION, xinference_automation_username=username)
    if username:
        assert session(provisioned, username, AUTOMATION.read_text(encoding="utf-8").strip())


def test_rotation_without_an_account_of_the_automation(provisioned: Site) -> None:
    new = f"marked{secrets.token_hex(12)}"
    given = {"xinference_automation_username": "", "xinference_new_admin_password": new}
    before = AUTOMATION.read_text(encoding="utf-8")
    output = provisioned.play(ROTATE, "-vvvv", **given)
    assert new not in output
    assert AUTOMATION.read_text(encoding="utf-8") == before
    assert session(provisioned, "admin", new)
    again = provisioned.play(ROTATE, code=2, **{**given, "xinference_admin_password": new})
    assert "xinference_new_admin_password is the password that is there already; choose another one. Nothing was changed." in again
    provisioned.settings["xinference_admin_password"] = new


def test_temporary_files_are_gone(provisioned: Site) -> None:
    for folder in (KEPT, provisioned.key_file.parent):
        assert [path.name for path in Path(folder).iterdir() if path.name.startswith(".")] == []
