# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A server that does not run as root: an adopted tree of root's is handed over, everything goes on, and it can be handed back."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
from conftest import BARE, CONTAINER, NUMBER, Site, changes
from holders import answers

USER: dict[str, Any] = {"xinference_container_user": f"{NUMBER}:{NUMBER}"}


@pytest.fixture(scope="session")
def handed(provisioned: Site) -> Site:
    """The host, as it is by default, given to a user without a name."""
    checked = provisioned.play("provision", "--check", **USER)
    assert "Give it what the server wrote" in checked
    assert process()["Uid"] == "0"
    provisioned.settings.update(USER)
    provisioned.play("provision")
    return provisioned


@pytest.fixture(scope="session")
def renewed(torn_down: Site) -> Site:
    """The host with a new server that was that user's from the beginning."""
    torn_down.settings.update(USER)
    torn_down.play("provision", **BARE)
    return torn_down


def process() -> dict[str, str]:
    """What the kernel says of the container's server: the first word of each line."""
    done = subprocess.run(("docker", "top", CONTAINER, "-eo", "pid,args"), check=True, capture_output=True, text=True)
    pid = next(line.split()[0] for line in done.stdout.splitlines() if "xinference-local" in line and "init" not in line)
    lines = Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines()
    return {name: rest.split()[0] for name, _colon, rest in (line.partition(":") for line in lines) if rest.split()}


def test_it_serves_without_any_power(handed: Site) -> None:
    found = process()
    assert (found["Uid"], found["Gid"]) == (str(NUMBER), str(NUMBER))
    assert {found[name].strip("0") for name in ("CapEff", "CapPrm", "CapInh", "CapAmb", "CapBnd")} == {""}
    # With the accounts and keys of the server before.
    assert answers(handed) == 200


def test_what_it_writes_is_its_own(handed: Site) -> None:
    owners = {path.lstat().st_uid for name in (".xinference", "logs") for path in (handed.root / name).rglob("*")}
    assert owners == {NUMBER}
    assert (handed.root / "models").stat().st_uid == 0


@pytest.mark.test_all("idempotence is seen in each scenario, with the same roles")
def test_a_second_run_changes_nothing(handed: Site) -> None:
    output = handed.play("provision", "unban")
    assert changes(output) == [0, 0]
    assert "Nobody is banned." in output
    assert changes(handed.play("provision", "--check")) == [0]


@pytest.mark.test_all("another server is started for it; make test hands that of before to the user")
def test_a_new_host_begins_with_it(renewed: Site) -> None:
    """The first administrator is made by the same user."""
    assert (renewed.root / ".xinference/auth/auth.db").stat().st_uid == NUMBER
    assert process()["Uid"] == str(NUMBER)
    assert changes(renewed.play("provision", **BARE)) == [0]


@pytest.mark.test_all("another server is started for it; make test hands that of before to the user")
def test_it_is_handed_back(renewed: Site, restricted: dict[str, Any]) -> None:
    assert process()["Uid"] == "0"
    assert {path.lstat().st_uid for path in (renewed.root / ".xinference").rglob("*")} == {0}
    assert changes(renewed.play("provision", **restricted)) == [0]
