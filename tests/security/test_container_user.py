# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A server that does not run as root: an adopted tree of root's is handed over, everything goes on, and it can be handed back."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
import requests
from conftest import CONTAINER, Site

#: A key for the declared models needs one.
BARE: dict[str, Any] = {"xinference_models": [], "xinference_accounts": [], "xinference_api_keys": []}
PROVISION, USER, NUMBER = "inferops.xinference.provision", "10001:10001", 10001


@pytest.fixture(scope="module")
def handed(site: Site) -> Site:
    """A host that was provisioned as it is by default, and then for a user without a name."""
    site.add_consumer()
    site.play(PROVISION)
    site.settings["xinference_container_user"] = USER
    checked = site.play(PROVISION, "--check")
    assert "Give it what the server wrote" in checked
    assert process()["Uid"] == "0"
    site.play(PROVISION)
    return site


def process() -> dict[str, str]:
    """What the kernel says of the container's server: the first word of each line."""
    done = subprocess.run(("docker", "top", CONTAINER, "-eo", "pid,args"), check=True, capture_output=True, text=True)
    pid = next(line.split()[0] for line in done.stdout.splitlines() if "xinference-local" in line and "init" not in line)
    lines = Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines()
    return {name: rest.split()[0] for name, _colon, rest in (line.partition(":") for line in lines) if rest.split()}


def embeds(site: Site) -> int:
    """Status of the answer to the application."""
    session = requests.Session()
    session.trust_env = False
    key = site.key_file.read_text(encoding="utf-8").strip()
    headers = {"Authorization": f"Bearer {key}"}
    return session.post(f"{site.endpoint}/v1/embeddings", json={"model": "embed", "input": "cat"}, headers=headers, timeout=60).status_code


def test_it_serves_without_any_power(handed: Site) -> None:
    found = process()
    assert (found["Uid"], found["Gid"]) == (str(NUMBER), str(NUMBER))
    assert {found[name].strip("0") for name in ("CapEff", "CapPrm", "CapInh", "CapAmb", "CapBnd")} == {""}
    # With the accounts and keys of the server before.
    assert embeds(handed) == 200


def test_what_it_writes_is_its_own(handed: Site) -> None:
    owners = {path.lstat().st_uid for name in (".xinference", "logs") for path in (handed.root / name).rglob("*")}
    assert owners == {NUMBER}
    assert (handed.root / "models").stat().st_uid == 0


def test_a_second_run_changes_nothing(handed: Site) -> None:
    assert "changed=0 " in handed.play(PROVISION)
    assert "changed=0 " in handed.play(PROVISION, "--check")
    assert "Nobody is banned." in handed.play("inferops.xinference.unban")


def test_a_new_host_begins_with_it(handed: Site) -> None:
    """The first administrator is made by the same user."""
    handed.play("inferops.xinference.teardown", xinference_teardown_data=True)
    handed.play(PROVISION, **BARE)
    assert (handed.root / ".xinference/auth/auth.db").stat().st_uid == NUMBER
    assert process()["Uid"] == str(NUMBER)
    assert "changed=0 " in handed.play(PROVISION, **BARE)


def test_it_is_handed_back(handed: Site) -> None:
    handed.play(PROVISION, **BARE, xinference_container_user="")
    assert process()["Uid"] == "0"
    assert {path.lstat().st_uid for path in (handed.root / ".xinference").rglob("*")} == {0}
    assert "changed=0 " in handed.play(PROVISION, **BARE, xinference_container_user="")
