# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What listens where, who may read what, and what a client without an account may call: as written down in exposed.yml."""

from __future__ import annotations

import json
import os
import re
import stat
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests
from conftest import AUTOMATION, CONTAINER, Site, changed_tasks, changes, said
from holders import answers, automation

from ansible_collections.inferops.xinference.plugins.module_utils._core.host.listeners import listeners
from ansible_collections.inferops.xinference.plugins.module_utils._core.server.client import Client
from ansible_collections.inferops.xinference.tests.anonymous import EXPOSED, answered

PREPARED = ["Start a container for it", "Prepare it", "Remove the container for it"]
ACCOUNT = "Keep the service account"


def inspected() -> dict[str, Any]:
    """What the engine says of the container."""
    done = subprocess.run(("docker", "inspect", CONTAINER), check=True, capture_output=True, text=True)
    return dict(json.loads(done.stdout)[0])


def test_the_machine_listens_on_loopback_alone(provisioned: Site) -> None:
    assert [(listener.address, listener.uid) for listener in listeners() if listener.port == provisioned.port] == [("127.0.0.1", 0)]
    made = inspected()
    assert list(made["HostConfig"]["PortBindings"]) == EXPOSED["published"]
    # Of its own: no other container is on it.
    assert made["HostConfig"]["NetworkMode"] == CONTAINER
    assert list(json.loads(said("network", "inspect", CONTAINER))[0]["Containers"]) == [made["Id"]]
    # Whatever else the server listens on inside, metrics and actors, is published nowhere.
    assert [key for key, value in made["NetworkSettings"]["Ports"].items() if value] == EXPOSED["published"]


def test_the_container_may_do_little(provisioned: Site) -> None:
    made = inspected()["HostConfig"]
    assert made["Privileged"] is False
    assert made["CapDrop"] == ["ALL"]
    assert [capability.removeprefix("CAP_") for capability in made["CapAdd"]] == EXPOSED["capabilities"]
    assert made["SecurityOpt"] == ["no-new-privileges"]
    assert made["ReadonlyRootfs"] is True
    assert not [mount for mount in made["Binds"] if "docker.sock" in mount]
    # The engine's own seccomp profile: no other one was asked for.
    (process,) = [line.split()[1] for line in Path(f"/proc/{inspected()['State']['Pid']}/status").read_text().splitlines() if line.startswith("Seccomp:")]
    assert process == "2"


def test_files_can_be_read_by_whom_they_should(provisioned: Site) -> None:
    wanted = [(re.compile(pattern), int(most, 8)) for pattern, most in EXPOSED["modes"].items()]
    wrong = []
    for path in sorted(provisioned.root.rglob("*")):
        if path.is_symlink():
            continue
        name, mode = str(path.relative_to(provisioned.root)), stat.S_IMODE(path.lstat().st_mode)
        most = next((most for pattern, most in wanted if pattern.fullmatch(name)), None)
        if most is None:
            # Not named: nobody but root reaches it, because of a directory above.
            folders = [provisioned.root / parent for parent in path.relative_to(provisioned.root).parents]
            reachable = all(stat.S_IMODE(folder.stat().st_mode) & 0o001 for folder in folders)
            if reachable and mode & 0o007:
                wrong.append(f"{name} {mode:04o} can be reached by all and is not named")
        elif mode & ~most:
            wrong.append(f"{name} {mode:04o} is wider than {most:04o}")
    assert wrong == []


def test_nobody_without_an_account_reaches_accounts(provisioned: Site) -> None:
    """As another user of the machine."""
    database = provisioned.root / ".xinference/auth/auth.db"
    assert database.exists()
    done = subprocess.run(("cat", str(database)), capture_output=True, check=False, user=65534, group=65534, extra_groups=[])
    assert done.returncode != 0
    assert b"Permission denied" in done.stderr


def test_a_check_predicts_nothing(provisioned: Site) -> None:
    assert changes(provisioned.play("provision", "--check")) == [0]


def test_what_others_changed_is_put_right(provisioned: Site) -> None:
    """A tree from elsewhere or a chmod by hand, an automation that is administrator or disabled, secrets that others can read or that are gone."""
    folder = provisioned.root / ".xinference/auth"
    private = (folder, folder / "auth.db", folder / "jwt_secret_key")
    for path, mode in zip(private, (0o755, 0o644, 0o640), strict=True):
        path.chmod(mode)
    admin = Client(provisioned.endpoint, username="admin", password=provisioned.password)

    def account() -> dict[str, Any]:
        (found,) = [row for row in admin.accounts() or [] if row["username"] == "automation"]
        return {**found, "permissions": sorted(found["permissions"])}

    before = account()
    assert "admin" not in before["permissions"]
    output = provisioned.play("provision", "--check")
    assert changed_tasks(output) == PREPARED[:1], output
    assert changes(output) == [1]
    admin.update_account(before["id"], {"permissions": ["admin"]})
    provisioned.key_file.unlink()
    AUTOMATION.chmod(0o644)
    # A password that others could read is none any more.
    output = provisioned.play("provision", code=2)
    assert f"account_password_path '{AUTOMATION}' can be read by others than its owner; remove it and its copy for a new one" in output
    # The files got their modes before.
    assert changed_tasks(output) == PREPARED, output
    assert [stat.S_IMODE(path.stat().st_mode) for path in private] == [0o700, 0o600, 0o600]
    for path in (AUTOMATION, AUTOMATION.with_name("automation.copy")):
        path.unlink()
    output = provisioned.play("provision")
    assert changed_tasks(output) == [ACCOUNT, "Ensure the API keys"], output
    assert changes(output) == [2]
    assert answers(provisioned) == 200
    assert automation(provisioned)
    assert account() == before
    admin.update_account(before["id"], {"enabled": False})
    assert changes(provisioned.play("provision")) == [1]
    assert account() == before
    admin.close()
    assert changes(provisioned.play("provision")) == [0]


def test_what_a_client_without_an_account_may_call(provisioned: Site, ask: Callable[..., int]) -> None:
    session = requests.Session()
    session.trust_env = False
    token = session.post(f"{provisioned.endpoint}/token", json={"username": "admin", "password": provisioned.password}, timeout=30).json()
    described = session.get(f"{provisioned.endpoint}/openapi.json", timeout=30, headers={"Authorization": f"Bearer {token['access_token']}"}).json()
    assert answered(described, ask) == EXPOSED["anonymous"]
    # Still the same server with the same account.
    assert ask("GET", "/v1/models", headers={"Authorization": f"Bearer {token['access_token']}"}) == 200


@pytest.mark.skipif(os.geteuid() != 0, reason="another user's view needs root to take it")
def test_the_processes_of_others_show_no_secret(provisioned: Site) -> None:
    for process in Path("/proc").glob("[0-9]*"):
        for name in ("cmdline", "environ"):
            try:
                text = (process / name).read_bytes()
            except OSError:
                continue
            if name == "cmdline" or process.name != str(os.getpid()):
                assert provisioned.password.encode() not in text, (process / name, (process / "cmdline").read_bytes())
