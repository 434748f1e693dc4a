# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What preflight says about upgrades, and to every other play on a host that had one."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

import pytest

from ansible_collections.inferops.xinference.plugins.module_utils._core.host.docker_facts import BESIDE
from ansible_collections.inferops.xinference.plugins.module_utils._core.preflight.check import check_host
from ansible_collections.inferops.xinference.plugins.module_utils._core.preflight.upgrade import check_upgrade
from ansible_collections.inferops.xinference.tests.unit.plugins.module_utils._core.preflight.good_host import BACKUP, HOST, SETTINGS

VERSIONS = {"server": "4.0.0", "image": "a:4.0.0", "image_id": "sha256:1", "collection": "0.1.0", "client": "4.0.0", "time": "", "previous": None}
UNDER_WAY = {"state": "changing", "from": {}, "to": {}, "snapshot": "0a1b", "time": ""}
RUNNING = {"status": "running", "image_id": "sha256:1"}


def host(upgrade: Any = None, docker: dict[str, Any] | None = None, **facts: Any) -> dict[str, Any]:
    """A host that can be upgraded, with some facts changed."""
    found = {**copy.deepcopy(HOST), "client_version": "4.1.0", "backup": {"settings": True}, **facts}
    found["docker"].update({"container": RUNNING, "image_id": None, "image_mib": 1500, "free_mib": 50_000, **(docker or {})})
    return {**found, "upgrade": {"versions": VERSIONS, "upgrade": None} if upgrade is None else upgrade}


def sentences(found: dict[str, Any], upgrading: bool = True, **settings: Any) -> list[str]:
    """What is wrong."""
    failures = check_upgrade(found, replace(SETTINGS, **{"upgrading": upgrading, "backup": BACKUP, **settings}))
    assert {failure.check for failure in failures} <= {"upgrade"}
    return [str(failure) for failure in failures]


# An upgrade.

PRUNE = "Remove images that nothing uses, such as with docker image prune."


@pytest.mark.parametrize(
    "found",
    [
        host(),
        # A host on which nothing is recorded yet.
        host({"versions": None, "upgrade": None}),
        # The one that was cut off is ended, and its server may not run any more.
        host({"versions": VERSIONS, "upgrade": UNDER_WAY}, {"container": None}),
        host({"versions": VERSIONS, "upgrade": UNDER_WAY}, {"container": {"status": "exited"}}),
        # An image that is there needs no room.
        host(docker={"image_present": True, "free_mib": 0}),
        host(docker={"free_mib": 2100}),
        # What is not known is no problem.
        host(docker={"free_mib": None}),
        host(docker={"image_mib": None, "free_mib": 0}),
        host(docker={"image_mib": 0, "free_mib": 0}),
    ],
)
def test_a_host_that_can_be_upgraded(found: dict[str, Any]) -> None:
    assert sentences(found) == []


def test_an_older_image_is_asked_as_any_other() -> None:
    assert sentences(host({"versions": {**VERSIONS, "server": "4.2.0"}, "upgrade": None}), image_tag="v4.0.0-cpu") == []


@pytest.mark.parametrize(
    ("found", "settings", "sentence"),
    [
        (
            host(),
            {"backup": None},
            "xinference_backup is false, so an upgrade would have no way back. Set it to true, give xinference_backup_password, and provision.",
        ),
        (
            host(backup={"settings": False}),
            {},
            "This host is not set up for backups yet, so an upgrade would have no way back. Provision it with the image that runs first.",
        ),
        (
            host(docker={"container": None}),
            {},
            "Container 'xinference' does not run on this host, so there is no server to upgrade. Provision it first.",
        ),
        (
            host(docker={"container": {"status": "exited"}}),
            {},
            "Container 'xinference' does not run on this host, so there is no server to upgrade. Provision it first.",
        ),
        (
            host(client_version=None),
            {},
            "There is no xinference-client on this host, so no server can be asked. Provision it with the image that runs first.",
        ),
        (host(docker={"free_mib": 2099}), {}, f"Docker has 2099 MiB for images, and a new one of the size of that which runs needs 2100. {PRUNE}"),
        (host(docker={"free_mib": 0}), {}, f"Docker has 0 MiB for images, and a new one of the size of that which runs needs 2100. {PRUNE}"),
    ],
)
def test_what_an_upgrade_lacks(found: dict[str, Any], settings: dict[str, Any], sentence: str) -> None:
    assert sentences(found, **settings) == [sentence]


def test_everything_that_it_lacks_is_said_at_once() -> None:
    found = host(docker={"container": None, "free_mib": 1}, backup={"settings": False})
    assert len(sentences(found)) == 3


# Another play.


@pytest.mark.parametrize("state", ["changing", "staying", "returning", "returned"])
def test_no_other_play_changes_a_host_whose_upgrade_was_cut_off(state: str) -> None:
    found = host({"versions": VERSIONS, "upgrade": {**UNDER_WAY, "state": state}})
    assert sentences(found, upgrading=False) == [
        "An upgrade of this host is under way, or was cut off, so it is not certain which server its data are of. "
        "Wait for its run; if there is none, run playbook upgrade again, which ends it."
    ]


@pytest.mark.parametrize(
    ("tag", "wrote"),
    [
        *(("v4.0.0-cpu", "4.0.0"), ("4.0.0", "4.0.0"), ("v4.0.1-cpu", "4.0.0"), ("v4.10.0-cpu", "4.9.0"), ("v10.0.0", "9.9.9")),
        # Nothing is known of these.
        *(("nightly-main", "4.0.0"), ("v4.0.0-cpu", ""), ("v4.0.0-cpu", "unknown")),
    ],
)
def test_a_version_that_is_not_older(tag: str, wrote: str) -> None:
    assert sentences(host({"versions": {**VERSIONS, "server": wrote}, "upgrade": None}), upgrading=False, image_tag=tag) == []


@pytest.mark.parametrize(("tag", "wrote"), [("v3.9.9-cpu", "4.0.0"), ("4.9.0", "4.10.0"), ("v4.0.0-cpu", "4.0.1")])
def test_a_version_that_is_older_than_what_wrote_the_data(tag: str, wrote: str) -> None:
    assert sentences(host({"versions": {**VERSIONS, "server": wrote}, "upgrade": None}), upgrading=False, image_tag=tag) == [
        f"xinference_image_tag '{tag}' is older than Xinference {wrote}, which wrote the data of this host last. "
        "Run playbook upgrade, which asks the older server first and has a way back, or name that version."
    ]


def test_a_tag_that_names_what_runs_is_not_older() -> None:
    """Such as one that was given to another image by mistake."""
    found = host({"versions": {**VERSIONS, "server": "4.2.0"}, "upgrade": None}, {"image_id": "sha256:1"})
    assert sentences(found, upgrading=False, image_tag="v4.0.0-cpu") == []


def test_a_digest_is_not_compared() -> None:
    found = host({"versions": {**VERSIONS, "server": "4.2.0"}, "upgrade": None})
    assert sentences(found, upgrading=False, image_tag="v4.0.0-cpu", image_digest="sha256:" + "0f" * 32) == []


@pytest.mark.parametrize("recorded", [{"versions": None, "upgrade": None}, {}])
def test_a_host_on_which_nothing_is_recorded(recorded: dict[str, Any]) -> None:
    assert sentences(host(recorded), upgrading=False) == []


def test_facts_without_a_record_are_those_of_a_host_without_one() -> None:
    assert check_upgrade(HOST, SETTINGS) == []
    assert check_upgrade({**HOST, "upgrade": None}, SETTINGS) == []


def test_an_image_that_was_rolled_back_from_is_not_taken_unasked() -> None:
    versions = {**VERSIONS, "refused": "sha256:2"}
    refused = host({"versions": versions, "upgrade": None}, {"image_id": "sha256:2"})
    assert sentences(refused, upgrading=False) == [
        "xinference_image_tag 'v4.1.0-cpu' names the image from which the last upgrade of this host was rolled back. "
        "Name the image that runs, or run playbook upgrade, which asks the new server again."
    ]
    assert sentences(refused) == []
    for image in ("sha256:1", None):
        assert sentences(host({"versions": versions, "upgrade": None}, {"image_id": image}), upgrading=False) == []
    assert sentences(host({"versions": {**VERSIONS, "refused": ""}, "upgrade": None}, {"image_id": ""}), upgrading=False) == []


# Among all checks.


def test_it_is_one_of_all_checks() -> None:
    found = {**HOST, "upgrade": {"versions": VERSIONS, "upgrade": UNDER_WAY}}
    assert [failure.check for failure in check_host(found, SETTINGS)] == ["upgrade"]
    assert [failure.check for failure in check_host({**HOST, "backup": None}, replace(SETTINGS, upgrading=True))] == ["upgrade", "upgrade"]


@pytest.mark.parametrize("ending", BESIDE)
def test_no_server_is_called_like_what_the_roles_make_beside_one(ending: str) -> None:
    (failure,) = check_host(HOST, replace(SETTINGS, container=f"mine{ending}"))
    assert f"'mine{ending}'" in failure.problem


@pytest.mark.parametrize(("exists", "refused"), [(True, True), (False, False)])
def test_an_older_server_may_come_where_the_data_are_gone(exists: bool, refused: bool) -> None:
    """The record outlives them."""
    found = host()
    found["paths"]["/srv/data/.xinference"] = {"exists": exists}
    said = sentences(found, upgrading=False, image_tag="v3.5.0-cpu", image_digest="", files=["/srv/data/.xinference/auth/auth.db"])
    assert bool(said) is refused
