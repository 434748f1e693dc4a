# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module ``upgrade`` as Ansible runs it; scenario upgrade has a real Docker."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.inferops.xinference.plugins.module_utils._core.backup.contents import BackupError
from ansible_collections.inferops.xinference.plugins.module_utils._core.host.replacement import Container, NotHealthy
from ansible_collections.inferops.xinference.plugins.module_utils._core.upgrade.upgrade import Recorder, Upgrade, UpgradeError
from ansible_collections.inferops.xinference.plugins.modules import upgrade
from ansible_collections.inferops.xinference.tests.unit.plugins.module_utils._core.backup import conftest as backups
from ansible_collections.inferops.xinference.tests.unit.plugins.module_utils._core.backup.conftest import Host
from ansible_collections.inferops.xinference.tests.unit.plugins.module_utils._core.backup.fake_engine import IMAGE, NAME, REFERENCE, FakeContainer
from ansible_collections.inferops.xinference.tests.unit.plugins.modules.backup_settings import write_settings
from ansible_collections.inferops.xinference.tests.unit.plugins.modules.module_runner import Runner

host = backups.host
NEW, NEW_REFERENCE = "sha256:5678", "xprobe/xinference:v4.2.0-cpu"
SNAPSHOT = "0a1b2c3d" * 8


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Runner:
    """Runs the module."""
    return Runner(upgrade.main, capsys, monkeypatch)


@pytest.fixture
def options(host: Host, tmp_path: Path) -> dict[str, Any]:
    """Options that name the host."""
    host.engine.images[NEW_REFERENCE] = NEW
    host.engine.servers = {IMAGE: "4.1.0", NEW: "4.2.0"}
    (tmp_path / "settings").mkdir()
    return {
        **{"container": NAME, "docker_host": f"unix://{host.engine.path}", "directory": host.settings.upgrade_directory, "timeout": 5},
        **{"collection_version": "0.2.0", "client_version": "4.1.0", "settings_path": str(write_settings(tmp_path / "settings"))},
    }


def refused(run: Runner, **arguments: Any) -> str:
    """Why the module does nothing; no secret is in what it prints or logs."""
    answer = run(**arguments)
    assert answer["failed"]
    assert "marked" not in run.output + str(run.logged)
    assert "Traceback" not in run.output
    return str(answer["msg"])


def sentence(run: Runner, **arguments: Any) -> str:
    """The same, as a whole sentence."""
    words = refused(run, **arguments)
    assert words.endswith(".")
    assert words[0].isupper() or words[0] == "'"
    assert words.isprintable()
    return words


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"state": "begun", "settings_path": "/x", "snapshot": SNAPSHOT}, "image"),
        ({"state": "begun", "settings_path": "/x", "image": REFERENCE}, "snapshot"),
        ({"state": "begun", "image": REFERENCE, "snapshot": SNAPSHOT}, "settings_path"),
        ({"state": "undone"}, "settings_path"),
        ({}, "state"),
        ({"state": "other"}, "recorded, begun, kept, undone"),
    ],
)
def test_what_each_state_needs(run: Runner, arguments: dict[str, Any], words: str) -> None:
    assert words in refused(run, container=NAME, directory="/nowhere", **arguments)
    for lacking in ("container", "directory"):
        given = {"container": NAME, "directory": "/nowhere", "state": "recorded"}
        del given[lacking]
        assert lacking in refused(run, **given)


def test_what_runs_is_recorded_once(run: Runner, host: Host, options: dict[str, Any]) -> None:
    answer = run(check=True, state="recorded", **options)
    assert (answer["changed"], answer["versions"], answer["upgrade"], answer["image_left"]) == (True, None, None, "")
    assert not Path(host.settings.upgrade_directory).exists()
    assert host.engine.made == []
    answer = run(state="recorded", **options)
    assert (answer["changed"], answer["failed"], answer["upgrade"]) == (True, False, None)
    versions = answer["versions"]
    assert {name: versions[name] for name in ("server", "image", "image_id", "collection", "client", "previous")} == {
        **{"server": "4.1.0", "image": REFERENCE, "image_id": IMAGE, "collection": "0.2.0", "client": "4.1.0", "previous": None},
    }
    for check in (True, False):
        assert not run(check=check, state="recorded", **options)["changed"]
    assert run(check=True, state="recorded", **{**options, "client_version": "4.1.1"})["changed"]
    assert run(state="recorded", **options)["versions"] == versions


def test_an_upgrade_that_ends_well(run: Runner, host: Host, options: dict[str, Any]) -> None:
    begun = {**options, "state": "begun", "image": NEW_REFERENCE, "snapshot": SNAPSHOT}
    answer = run(check=True, **begun)
    assert (answer["changed"], answer["upgrade"]) == (True, None)
    answer = run(**begun)
    assert answer["changed"]
    assert (answer["upgrade"]["state"], answer["upgrade"]["to"]["image_id"], answer["upgrade"]["snapshot"]) == ("changing", NEW, SNAPSHOT)
    for check in (True, False):
        assert not run(check=check, **begun)["changed"]
    host.engine.containers[f"{NAME}.replacement"] = FakeContainer("fedc", NEW, NEW_REFERENCE, "created")
    Container(host.docker, NAME).make_healthy(5, roll_back=False, keep_previous=True)
    assert run(check=True, state="kept", **options)["changed"]
    assert f"{NAME}.previous" in host.engine.containers
    answer = run(state="kept", **options)
    assert (answer["changed"], answer["upgrade"], answer["image_left"]) == (True, None, "")
    assert (answer["versions"]["server"], answer["versions"]["previous"]["server"]) == ("4.2.0", "4.1.0")
    assert set(host.engine.containers) == {NAME}


def test_where_no_upgrade_is_under_way_none_is_undone(run: Runner, host: Host, options: dict[str, Any]) -> None:
    for check in (True, False):
        assert not run(check=check, state="undone", **options)["changed"]
    assert not any(line.startswith(("POST", "DELETE")) for line in host.engine.asked)


def test_one_that_never_ran_is_undone(run: Runner, host: Host, options: dict[str, Any]) -> None:
    run(**options, state="begun", image=NEW_REFERENCE, snapshot=SNAPSHOT)
    assert run(check=True, state="undone", **options)["changed"]
    answer = run(state="undone", **options)
    assert (answer["changed"], answer["upgrade"]) == (True, None)
    assert host.engine.containers == {NAME: FakeContainer()}


@pytest.mark.parametrize("check", [True, False])
def test_each_state_is_one_call_of_the_core(run: Runner, options: dict[str, Any], monkeypatch: pytest.MonkeyPatch, check: bool) -> None:
    calls: list[Any] = []

    def noted(name: str, answer: Any) -> Callable[..., Any]:
        def call(self: Any, *arguments: Any) -> Any:
            calls.append((name, *arguments, self.timeout if isinstance(self, Upgrade) else self.collection))
            return answer

        return call

    monkeypatch.setattr(Recorder, "record", noted("record", True))
    for name, answer in (("begin", True), ("keep", "no room"), ("undo", False)):
        monkeypatch.setattr(Upgrade, name, noted(name, answer))
    answers = [
        run(check=check, state=state, **{**options, **more})
        for state, more in (("recorded", {}), ("begun", {"image": NEW_REFERENCE, "snapshot": SNAPSHOT}), ("kept", {}), ("undone", {}))
    ]
    assert calls == ([] if check else [("record", "4.1.0", "0.2.0"), ("begin", NEW_REFERENCE, SNAPSHOT, 5.0), ("keep", "4.1.0", 5.0), ("undo", 5.0)])
    if not check:
        assert [(answer["changed"], answer["image_left"]) for answer in answers] == [(True, ""), (True, ""), (True, "no room"), (False, "")]


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (BackupError("the repository '/x' is locked"), "The repository '/x' is locked."),
        (BackupError("there is no room"), "There is no room."),
        (UpgradeError("The previous container is gone."), "The previous container is gone."),
        (NotHealthy("it ended", {"status": "exited", "health": None}, restored=False), "The server is not ready: it ended. Its container is exited."),
    ],
)
def test_failures_of_the_core_are_sentences(run: Runner, options: dict[str, Any], monkeypatch: pytest.MonkeyPatch, error: Exception, words: str) -> None:
    def fail(*_arguments: Any) -> None:
        raise error

    monkeypatch.setattr(Upgrade, "undo", fail)
    assert sentence(run, state="undone", **options) == words


def test_docker_s_words_are_a_sentence(run: Runner, host: Host, options: dict[str, Any]) -> None:
    expected = f"Docker at 'unix://{host.engine.path}', or the file system, does not do it: the daemon is busy."
    for state, route in (("recorded", "GET /containers/"), ("begun", "GET /images/")):
        host.engine.refuses = {route: "the daemon is busy"}
        assert sentence(run, state=state, image=NEW_REFERENCE, snapshot=SNAPSHOT, **options) == expected
    assert sentence(run, state="recorded", **{**options, "docker_host": "unix:///nowhere/docker.sock"}).endswith("does not do it: No such file or directory.")


def test_a_directory_that_cannot_be_written_is_a_sentence(run: Runner, options: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    words = sentence(run, state="recorded", **{**options, "directory": str(tmp_path / "file/below")})
    assert "does not do it: " in words


def test_refusals_of_the_core_reach_the_operator(run: Runner, host: Host, options: dict[str, Any]) -> None:
    assert sentence(run, state="begun", image="nothing:1", snapshot=SNAPSHOT, **options) == "There is no image 'nothing:1' on this host."
    run(**options, state="begun", image=NEW_REFERENCE, snapshot=SNAPSHOT)
    assert sentence(run, state="begun", image=REFERENCE, snapshot=SNAPSHOT, **options) == f"An upgrade to {NEW_REFERENCE} has not ended."
    assert "is not of the image" in sentence(run, state="kept", **options)
    Path(host.settings.upgrade_directory, "upgrade.json").write_text("damaged")
    for state in ("kept", "undone"):
        assert "upgrade.json' is damaged" in sentence(run, state=state, **options)


@pytest.mark.parametrize("state", ["begun", "undone"])
def test_without_settings_of_backups_there_is_no_way_back(run: Runner, host: Host, options: dict[str, Any], state: str) -> None:
    side = {"image": REFERENCE, "image_id": IMAGE, "server": "", "container_id": "other"}
    if state == "undone":
        Path(host.settings.upgrade_directory).mkdir()
        record = {"state": "returning", "from": side, "to": {**side, "image_id": NEW}, "snapshot": SNAPSHOT, "time": ""}
        Path(host.settings.upgrade_directory, "upgrade.json").write_text(json.dumps(record))
    words = sentence(run, state=state, image=NEW_REFERENCE, snapshot=SNAPSHOT, **{**options, "settings_path": "/nowhere.json"})
    assert words == "There is no '/nowhere.json'; provision this host with xinference_backup first."
