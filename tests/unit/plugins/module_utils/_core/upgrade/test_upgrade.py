# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is recorded of an upgrade, and its two ends: whatever is cut off, the next run ends in the same place."""

from __future__ import annotations

import json
import os
import sqlite3
import stat
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.inferops.xinference.plugins.module_utils._core.backup import restore as restore_module
from ansible_collections.inferops.xinference.plugins.module_utils._core.backup.backup import make
from ansible_collections.inferops.xinference.plugins.module_utils._core.backup.contents import BackupError
from ansible_collections.inferops.xinference.plugins.module_utils._core.backup.restore import Restore, restore_state
from ansible_collections.inferops.xinference.plugins.module_utils._core.base.errors import XinferenceError
from ansible_collections.inferops.xinference.plugins.module_utils._core.base.lock import Lock
from ansible_collections.inferops.xinference.plugins.module_utils._core.base.private_file import replace_private
from ansible_collections.inferops.xinference.plugins.module_utils._core.host.docker import DockerSocket
from ansible_collections.inferops.xinference.plugins.module_utils._core.host.replacement import Container, NotHealthy
from ansible_collections.inferops.xinference.plugins.module_utils._core.upgrade.upgrade import Recorder, Upgrade, UpgradeError
from ansible_collections.inferops.xinference.tests.unit.plugins.module_utils._core.backup.conftest import Host, users
from ansible_collections.inferops.xinference.tests.unit.plugins.module_utils._core.backup.fake_engine import IMAGE, NAME, REFERENCE, FakeContainer

NEW, NEW_REFERENCE = "sha256:5678", "xprobe/xinference:v4.2.0-cpu"
OLDER, OLDER_REFERENCE = "sha256:0000", "xprobe/xinference:v4.0.0-cpu"
BEFORE_ID, NEW_ID = "0123456789abcdef", "fedcba9876543210"
PREVIOUS, REPLACEMENT = f"{NAME}.previous", f"{NAME}.replacement"
FROM = {"image": REFERENCE, "image_id": IMAGE, "server": "4.1.0", "container_id": BEFORE_ID}
TO = {"image": NEW_REFERENCE, "image_id": NEW, "server": "4.2.0", "container_id": ""}
TIME, LATER = "2027-01-15T08:00:00Z", "2027-01-15T09:00:00Z"
SNAPSHOT = "0a1b2c3d" * 8


class Cut(BaseException):
    """The power is cut."""


def raiser(error: type[BaseException]) -> Callable[..., Any]:
    """A function that raises an error."""

    def call(*_arguments: Any, **_options: Any) -> Any:
        raise error

    return call


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.seconds = 1_800_000_000.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def clock() -> Clock:
    """A clock."""
    return Clock()


@pytest.fixture(autouse=True)
def images(host: Host) -> None:
    """The images of the host."""
    host.engine.images.update({NEW_REFERENCE: NEW, OLDER_REFERENCE: OLDER})
    host.engine.servers = {IMAGE: "4.1.0", NEW: "4.2.0", OLDER: "4.0.0"}


@pytest.fixture
def recorder(host: Host, clock: Clock) -> Recorder:
    """The record of the host."""
    return Recorder(host.docker, NAME, host.settings.upgrade_directory, "0.2.0", clock)


@pytest.fixture
def upgrade(host: Host, recorder: Recorder) -> Upgrade:
    """The upgrade of the host."""
    return Upgrade(recorder, lambda: Restore(host.settings, host.docker, host.restic, timeout=5), timeout=5)


def recorded(host: Host, name: str = "versions.json") -> Any:
    """What a file of the record holds; None without it."""
    path = Path(host.settings.upgrade_directory, name)
    return json.loads(path.read_text()) if path.exists() else None


def asked_versions(host: Host) -> list[str]:
    """Images that were asked for their version."""
    return [made["Image"] for made in host.engine.made if "NetworkDisabled" in made and "VolumesFrom" not in made["HostConfig"]]


def changing(host: Host) -> list[str]:
    """What Docker was asked to change of the server's containers and the images."""
    beside = (f"{NAME}-version", f"{NAME}-backup")
    return [line for line in host.engine.asked if not line.startswith("GET") and not any(name in line for name in beside)]


def swap(host: Host) -> None:
    """Let a container of the new image take the place of the one of before, and write."""
    host.engine.containers[REPLACEMENT] = FakeContainer(NEW_ID, NEW, NEW_REFERENCE, "created")
    Container(host.docker, NAME).make_healthy(5, roll_back=False, keep_previous=True)
    write(host)


def write(host: Host) -> None:
    """What a server changes in its data."""
    with closing(sqlite3.connect(host.home / "auth/auth.db")) as database:
        database.execute("INSERT INTO users VALUES ('of the new server')")
        database.commit()
    (host.home / "model/v2/llm/mine.json").write_text('{"model_name": "changed"}')


def at_before(host: Host) -> None:
    """The previous server runs with its data, and nothing is left on the way."""
    assert {name: (found.id, found.image_id, found.status) for name, found in host.engine.containers.items()} == {NAME: (BEFORE_ID, IMAGE, "running")}
    assert users(host.home / "auth/auth.db") == ["admin"]
    assert (host.home / "model/v2/llm/mine.json").read_text() == '{"model_name": "mine"}'
    assert not (host.home / ".restore").exists()
    assert restore_state(host.settings) == {}
    assert recorded(host, "upgrade.json") is None


# What runs is recorded.


def test_what_runs_is_recorded(host: Host, recorder: Recorder) -> None:
    assert recorder.record("4.1.0")
    assert recorded(host) == {
        **{"server": "4.1.0", "image": REFERENCE, "image_id": IMAGE, "collection": "0.2.0", "client": "4.1.0", "time": TIME, "previous": None},
    }
    path = Path(host.settings.upgrade_directory)
    assert [stat.S_IMODE(each.stat().st_mode) for each in (path, path / "versions.json")] == [0o755, 0o644]


def test_it_is_recorded_once(host: Host, recorder: Recorder, clock: Clock) -> None:
    assert recorder.record("4.1.0")
    before = recorded(host)
    clock.seconds += 3600
    assert not recorder.record("4.1.0")
    assert recorded(host) == before
    # The image was asked for its version once.
    assert asked_versions(host) == [IMAGE]


@pytest.mark.parametrize(("client", "collection"), [("4.1.1", "0.2.0"), ("4.1.0", "0.3.0")])
def test_another_client_or_collection_is_recorded_and_no_image_asked(host: Host, recorder: Recorder, clock: Clock, client: str, collection: str) -> None:
    previous = {"server": "4.0.0", "image": OLDER_REFERENCE, "image_id": OLDER}
    recorder.record("4.1.0", previous)
    host.engine.made.clear()
    clock.seconds += 3600
    recorder.collection = collection
    assert recorder.record(client)
    found = recorded(host)
    assert (found["server"], found["client"], found["collection"], found["time"]) == ("4.1.0", client, collection, LATER)
    # Of the same image, what ran before it stays.
    assert {name: found["previous"][name] for name in previous} == previous
    assert asked_versions(host) == []


def test_another_image_is_asked_and_the_one_of_before_is_kept(host: Host, recorder: Recorder, clock: Clock) -> None:
    recorder.record("4.1.0", {"server": "4.0.0", "image": OLDER_REFERENCE, "image_id": OLDER})
    host.engine.containers[NAME] = FakeContainer(NEW_ID, NEW, NEW_REFERENCE)
    clock.seconds += 3600
    assert recorder.record("4.2.0")
    found = recorded(host)
    assert (found["server"], found["image"], found["image_id"], found["time"]) == ("4.2.0", NEW_REFERENCE, NEW, LATER)
    assert found["previous"] == {"server": "4.1.0", "image": REFERENCE, "image_id": IMAGE, "collection": "0.2.0", "client": "4.1.0", "time": TIME}
    assert asked_versions(host) == [IMAGE, NEW]


def test_the_same_image_by_another_name_is_the_same(host: Host, recorder: Recorder) -> None:
    recorder.record("4.1.0")
    host.engine.containers[NAME].image = "registry.example/xinference:4"
    assert recorder.record("4.1.0")
    assert (recorded(host)["image"], recorded(host)["previous"]) == ("registry.example/xinference:4", None)
    assert asked_versions(host) == [IMAGE]


def test_without_a_container_nothing_is_recorded(host: Host, recorder: Recorder) -> None:
    host.engine.exists = False
    with pytest.raises(UpgradeError, match=f"^There is no container '{NAME}' on this host, so there is nothing to record; provision it first.$"):
        recorder.record("4.1.0")
    assert recorded(host) is None


def test_a_record_that_is_damaged_is_written_again(host: Host, recorder: Recorder) -> None:
    Path(host.settings.upgrade_directory).mkdir()
    Path(host.settings.upgrade_directory, "versions.json").write_text('{"server": ')
    assert recorder.predict("4.1.0")
    assert recorder.record("4.1.0")
    assert recorded(host)["server"] == "4.1.0"


def test_whether_something_would_be_recorded(host: Host, recorder: Recorder) -> None:
    assert recorder.predict("4.1.0")
    recorder.record("4.1.0")
    host.engine.asked.clear()
    assert not recorder.predict("4.1.0")
    assert recorder.predict("4.1.1")
    host.engine.containers[NAME] = FakeContainer(NEW_ID, NEW, NEW_REFERENCE)
    assert recorder.predict("4.1.0")
    assert all(line.startswith("GET") for line in host.engine.asked)


def test_a_version_is_asked_without_network_and_volumes(host: Host, recorder: Recorder) -> None:
    assert recorder.version(IMAGE) == "4.1.0"
    (made,) = host.engine.made
    assert (made["Image"], made["NetworkDisabled"], made["Labels"]["io.inferops.version-of"]) == (IMAGE, True, NAME)
    limits = made["HostConfig"]
    assert (limits["NetworkMode"], limits["ReadonlyRootfs"], limits["CapDrop"], limits["LogConfig"]) == ("none", True, ["ALL"], {"Type": "none"})
    assert not {"VolumesFrom", "Binds", "Mounts"} & set(limits)
    assert host.engine.asked[-1] == f"DELETE /containers/{NAME}-version?force=1"


@pytest.mark.parametrize(
    ("says", "version"),
    [
        (b'{"server": "4.1.0"}\n', "4.1.0"),
        (b'{"server": "' + b"x" * 100 + b'"}\n', "x" * 40),
        (b'{"server": "4\\u001b[2J"}\n', "4 [2J"),
        (b'{"server": null}\n', ""),
        (b'{"server": 0}\n', ""),
        (b"{}\n", ""),
        (b"[]\n", ""),
        (b"nonsense\n", ""),
        (b"", ""),
    ],
)
def test_an_image_says_its_version_or_nothing(host: Host, recorder: Recorder, says: bytes, version: str) -> None:
    host.engine.says = says
    assert recorder.version(IMAGE) == version


def test_an_image_without_a_version_is_recorded_all_the_same(host: Host, recorder: Recorder) -> None:
    host.engine.servers = {}
    assert recorder.record("4.1.0")
    assert recorded(host)["server"] == ""
    assert not recorder.record("4.1.0")


def test_a_container_that_is_another_s_is_not_removed_for_a_version(host: Host, recorder: Recorder) -> None:
    host.engine.containers[f"{NAME}-version"] = FakeContainer()
    assert recorder.version(IMAGE) == ""
    assert f"{NAME}-version" in host.engine.containers


def test_an_image_that_was_rolled_back_from_stays_refused(host: Host, recorder: Recorder) -> None:
    recorder.record("4.1.0")
    path = Path(host.settings.upgrade_directory, "versions.json")
    path.write_text(json.dumps({**recorded(host), "refused": NEW}))
    # Another client changes nothing of that, and another image ends it.
    assert recorder.record("4.1.1")
    assert recorded(host)["refused"] == NEW
    host.engine.containers[NAME] = FakeContainer(NEW_ID, NEW, NEW_REFERENCE)
    assert recorder.record("4.1.1")
    assert "refused" not in recorded(host)
    assert "refused" not in recorded(host)["previous"]


# An upgrade begins.


def test_both_servers_are_recorded(host: Host, upgrade: Upgrade) -> None:
    assert upgrade.begin(NEW_REFERENCE, SNAPSHOT)
    assert recorded(host, "upgrade.json") == {"state": "changing", "from": FROM, "to": TO, "snapshot": SNAPSHOT, "time": TIME}
    assert stat.S_IMODE(Path(host.settings.upgrade_directory, "upgrade.json").stat().st_mode) == 0o644
    assert changing(host) == []


@pytest.mark.parametrize("reference", [NEW_REFERENCE, NEW])
def test_the_same_upgrade_begins_once(host: Host, upgrade: Upgrade, clock: Clock, reference: str) -> None:
    upgrade.begin(NEW_REFERENCE, SNAPSHOT)
    before = recorded(host, "upgrade.json")
    clock.seconds += 3600
    # Also where the new container has the name already.
    swap(host)
    assert not upgrade.begin(reference, "another")
    assert recorded(host, "upgrade.json") == before


def test_another_upgrade_does_not_begin_meanwhile(host: Host, upgrade: Upgrade) -> None:
    upgrade.begin(NEW_REFERENCE, SNAPSHOT)
    before = recorded(host, "upgrade.json")
    with pytest.raises(UpgradeError, match=f"^An upgrade to {NEW_REFERENCE} has not ended.$"):
        upgrade.begin(OLDER_REFERENCE, SNAPSHOT)
    assert recorded(host, "upgrade.json") == before


def test_what_is_on_its_way_back_does_not_begin_again(host: Host, upgrade: Upgrade) -> None:
    upgrade.begin(NEW_REFERENCE, SNAPSHOT)
    path = Path(host.settings.upgrade_directory, "upgrade.json")
    path.write_text(json.dumps({**recorded(host, "upgrade.json"), "state": "returning"}))
    with pytest.raises(UpgradeError, match=f"^An upgrade to {NEW_REFERENCE} has not ended.$"):
        upgrade.begin(NEW_REFERENCE, SNAPSHOT)


def test_an_image_that_is_not_there_is_named(host: Host, upgrade: Upgrade) -> None:
    with pytest.raises(UpgradeError, match=r"^There is no image 'nothing:1' on this host.$"):
        upgrade.begin("nothing:1", SNAPSHOT)
    assert recorded(host, "upgrade.json") is None


def test_without_a_container_there_is_no_upgrade(host: Host, upgrade: Upgrade) -> None:
    host.engine.exists = False
    with pytest.raises(UpgradeError, match=f"^There is no container '{NAME}' on this host; provision it first.$"):
        upgrade.begin(NEW_REFERENCE, SNAPSHOT)
    assert recorded(host, "upgrade.json") is None


# The new server stays.


def begun(host: Host, upgrade: Upgrade, older: str = OLDER) -> str:
    """An upgrade whose new server runs, on a host where another image ran before; the ID of its snapshot."""
    upgrade.recorder.record("4.1.0", {"server": "4.0.0", "image": OLDER_REFERENCE, "image_id": older} if older else None)
    made = make(host.settings, host.docker, host.restic)
    upgrade.begin(NEW_REFERENCE, made.id)
    swap(host)
    host.engine.asked.clear()
    return made.id


def test_the_new_server_stays(host: Host, upgrade: Upgrade, clock: Clock) -> None:
    begun(host, upgrade)
    clock.seconds += 3600
    assert upgrade.keep("4.2.0") == ""
    assert {name: found.id for name, found in host.engine.containers.items()} == {NAME: NEW_ID}
    # Its own image and the last one; the one before that is gone.
    assert host.engine.images == {REFERENCE: IMAGE, NEW_REFERENCE: NEW}
    assert changing(host) == [f"DELETE /containers/{PREVIOUS}?force=1", f"DELETE /images/{OLDER}"]
    found = recorded(host)
    assert (found["server"], found["image"], found["image_id"], found["client"], found["time"]) == ("4.2.0", NEW_REFERENCE, NEW, "4.2.0", LATER)
    assert found["previous"] == {"server": "4.1.0", "image": REFERENCE, "image_id": IMAGE}
    assert recorded(host, "upgrade.json") is None
    assert users(host.home / "auth/auth.db") == ["admin", "of the new server"]
    # Nothing is to be done then, and whoever thinks so is of another run.
    host.engine.asked.clear()
    with pytest.raises(UpgradeError, match=r"^No upgrade of this host is recorded any more, so another run has ended it; run again.$"):
        upgrade.keep("4.2.0")
    assert not upgrade.undo()
    assert host.engine.asked == []


@pytest.mark.parametrize("older", ["", IMAGE, NEW])
def test_neither_the_running_image_nor_the_last_one_is_removed(host: Host, upgrade: Upgrade, older: str) -> None:
    """Such as where a server goes forth and back between two of them."""
    begun(host, upgrade, older)
    assert upgrade.keep("4.2.0") == ""
    assert host.engine.images == {REFERENCE: IMAGE, NEW_REFERENCE: NEW, OLDER_REFERENCE: OLDER}
    assert not any("/images/" in line for line in changing(host))


def test_an_image_that_is_gone_already_is_as_good_as_removed(host: Host, upgrade: Upgrade) -> None:
    begun(host, upgrade)
    del host.engine.images[OLDER_REFERENCE]
    assert upgrade.keep("4.2.0") == ""


def test_an_image_that_another_container_needs_is_left_and_named(host: Host, upgrade: Upgrade) -> None:
    begun(host, upgrade)
    host.engine.containers["other"] = FakeContainer("1", OLDER, OLDER_REFERENCE)
    words = "conflict: unable to delete 0000 (cannot be forced) - image is being used by running container"
    assert upgrade.keep("4.2.0") == words
    assert host.engine.images[OLDER_REFERENCE] == OLDER
    # The upgrade has ended all the same.
    assert recorded(host, "upgrade.json") is None


def test_docker_s_other_words_about_an_image_are_reported_as_well(host: Host, upgrade: Upgrade) -> None:
    begun(host, upgrade)
    host.engine.refuses["DELETE /images/"] = "the daemon is busy"
    assert upgrade.keep("4.2.0") == "the daemon is busy"


def test_what_is_not_of_the_new_image_does_not_stay(host: Host, upgrade: Upgrade) -> None:
    upgrade.begin(NEW_REFERENCE, SNAPSHOT)
    for exists in (True, False):
        host.engine.exists = exists
        with pytest.raises(UpgradeError, match=f"^The container '{NAME}' is not of the image {NEW_REFERENCE} that it was upgraded to.$"):
            upgrade.keep("4.2.0")
    assert recorded(host, "upgrade.json") is not None
    assert recorded(host) is None
    assert changing(host) == []


@pytest.mark.parametrize("state", [{"health": "unhealthy"}, {"status": "exited"}])
def test_the_one_before_is_kept_beside_a_server_that_does_not_serve(host: Host, upgrade: Upgrade, state: dict[str, str]) -> None:
    """Without the record, a run that rolls back would let it serve the data of the new one."""
    begun(host, upgrade)
    for name, value in state.items():
        setattr(host.engine.containers[NAME], name, value)
    with pytest.raises(UpgradeError, match=f"^The container '{NAME}' is not healthy, so the previous one is kept.$"):
        upgrade.keep("4.2.0")
    assert PREVIOUS in host.engine.containers
    assert recorded(host, "upgrade.json")["state"] == "changing"
    host.engine.containers[NAME] = FakeContainer(NEW_ID, NEW, NEW_REFERENCE)
    assert upgrade.keep("4.2.0") == ""


# The previous server comes back.


def test_a_new_server_that_never_ran_leaves_everything_as_it_is(host: Host, upgrade: Upgrade) -> None:
    made = make(host.settings, host.docker, host.restic)
    upgrade.begin(NEW_REFERENCE, made.id)
    # What it has got since, no backup has.
    write(host)
    host.engine.asked.clear()
    host.repository.calls.clear()
    assert upgrade.undo()
    assert users(host.home / "auth/auth.db") == ["admin", "of the new server"]
    assert host.engine.containers == {NAME: FakeContainer()}
    assert (changing(host), host.repository.calls) == ([], [])
    assert recorded(host, "upgrade.json") is None
    assert not upgrade.undo()


def test_one_that_was_stopped_and_not_replaced_is_started(host: Host, upgrade: Upgrade) -> None:
    upgrade.begin(NEW_REFERENCE, SNAPSHOT)
    host.engine.containers[REPLACEMENT] = FakeContainer(NEW_ID, NEW, NEW_REFERENCE, "created")
    host.engine.status = "exited"
    assert upgrade.undo()
    assert {name: (found.id, found.status) for name, found in host.engine.containers.items()} == {NAME: (BEFORE_ID, "running")}
    assert host.repository.calls == []


def test_container_and_data_of_before_come_back(host: Host, upgrade: Upgrade) -> None:
    snapshot = begun(host, upgrade)
    versions = recorded(host)
    assert upgrade.undo()
    at_before(host)
    assert changing(host) == [
        f"POST /containers/{NAME}/stop?t=30",
        f"DELETE /containers/{NAME}?force=1",
        f"POST /containers/{PREVIOUS}/rename?name={NAME}",
        f"POST /containers/{NAME}/stop?t=30",
        f"POST /containers/{NAME}/start",
    ]
    assert [call for call in host.repository.calls if call.startswith("restore")][-1].startswith(f"restore {snapshot}")
    # No record of a version says that the new one ran; its image stays, and no other play takes it unasked.
    assert recorded(host) == {**versions, "refused": NEW}
    assert host.engine.images[NEW_REFERENCE] == NEW
    assert not upgrade.undo()


def test_a_container_that_was_set_aside_and_never_replaced_comes_back(host: Host, upgrade: Upgrade) -> None:
    made = make(host.settings, host.docker, host.restic)
    upgrade.begin(NEW_REFERENCE, made.id)
    host.engine.containers[REPLACEMENT] = FakeContainer(NEW_ID, NEW, NEW_REFERENCE, "created")
    Container(host.docker, NAME).set_aside()
    assert upgrade.undo()
    at_before(host)


@contextmanager
def counted(monkeypatch: pytest.MonkeyPatch, most: float) -> Iterator[list[str]]:
    """Let the power be cut after so many steps that change something; the steps."""
    taken: list[str] = []

    def step(name: str, real: Callable[..., Any], counts: Callable[..., bool] = lambda *_arguments: True) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:
            if counts(*arguments):
                if len(taken) >= most:
                    raise Cut
                taken.append(name)
            return real(*arguments, **options)

        return call

    with monkeypatch.context() as patched:
        patched.setattr(DockerSocket, "_ask", step("docker", DockerSocket._ask, lambda _self, method, *_rest: method != "GET"))
        patched.setattr(Recorder, "write", step("record", Recorder.write))
        patched.setattr(restore_module, "replace_private", step("file", replace_private))
        patched.setattr(Path, "unlink", step("end", Path.unlink, lambda self, *_rest: self.name == "upgrade.json"))
        yield taken


#: Changes that a way back is made of.
STEPS = 26


def test_all_steps_of_a_way_back_are_known(host: Host, upgrade: Upgrade, monkeypatch: pytest.MonkeyPatch) -> None:
    begun(host, upgrade)
    with counted(monkeypatch, float("inf")) as taken:
        assert upgrade.undo()
    assert (len(taken), taken[0], taken[-1]) == (STEPS, "record", "end")


@pytest.mark.parametrize("steps", range(STEPS))
def test_a_way_back_that_is_cut_off_is_ended_by_the_next_run(host: Host, upgrade: Upgrade, monkeypatch: pytest.MonkeyPatch, steps: int) -> None:
    # That takes a process each time, and is tested elsewhere.
    monkeypatch.setattr(Recorder, "version", lambda _self, image_id: host.engine.servers[image_id])
    begun(host, upgrade)
    with counted(monkeypatch, steps), pytest.raises(Cut):
        upgrade.undo()
    assert upgrade.under_way is not None
    # The state before the first step, after it, and when the data are back.
    assert upgrade.under_way["state"] in (["returning", "returned"] if steps else ["changing"])
    # No backup takes half of it for the data of a server.
    with pytest.raises(BackupError, match="was cut off"):
        make(host.settings, host.docker, host.restic)
    assert upgrade.undo()
    at_before(host)


@pytest.mark.parametrize("steps", range(2))
def test_where_the_new_server_never_ran_a_second_try_brings_no_old_data(host: Host, upgrade: Upgrade, monkeypatch: pytest.MonkeyPatch, steps: int) -> None:
    """They are newer than the backup."""
    made = make(host.settings, host.docker, host.restic)
    upgrade.begin(NEW_REFERENCE, made.id)
    host.engine.status = "exited"
    write(host)
    with counted(monkeypatch, steps), pytest.raises(Cut):
        upgrade.undo()
    assert upgrade.undo()
    assert users(host.home / "auth/auth.db") == ["admin", "of the new server"]
    assert (host.engine.status, recorded(host, "upgrade.json")) == ("running", None)


def test_a_container_of_before_that_is_gone_is_one_sentence(host: Host, upgrade: Upgrade) -> None:
    snapshot = begun(host, upgrade)
    del host.engine.containers[PREVIOUS]
    for _try in range(2):
        with pytest.raises(UpgradeError) as raised:
            upgrade.undo()
        assert str(raised.value) == (
            f"The previous container, of image {REFERENCE}, is gone, so it cannot come back. The server that runs stays as it is. To go on with it, remove "
            f"{host.settings.upgrade_directory}/upgrade.json and provision this host. Snapshot {snapshot[:8]} holds the data from before the upgrade."
        )
    # What is there stays, and the run that is of its image finishes.
    assert {name: found.id for name, found in host.engine.containers.items()} == {NAME: NEW_ID}
    assert upgrade.keep("4.2.0") == ""


def test_without_any_container_it_is_the_same_sentence(host: Host, upgrade: Upgrade) -> None:
    begun(host, upgrade)
    host.engine.containers.clear()
    with pytest.raises(UpgradeError, match=r"^The previous container, of image .+, is gone, so it cannot come back"):
        upgrade.undo()


def test_where_the_snapshot_cannot_be_read_the_new_server_goes_on(host: Host, upgrade: Upgrade) -> None:
    begun(host, upgrade)
    host.engine.asked.clear()
    host.repository.fails["restore"] = ["Fatal: unable to open repository\n"]
    with pytest.raises(BackupError, match="unable to open repository"):
        upgrade.undo()
    assert recorded(host, "upgrade.json")["state"] == "changing"
    assert changing(host) == []
    assert host.engine.containers[NAME].id == NEW_ID
    assert upgrade.undo()
    at_before(host)


def test_data_that_are_back_are_not_brought_back_a_second_time(host: Host, upgrade: Upgrade, monkeypatch: pytest.MonkeyPatch) -> None:
    """The previous server may have served for days since."""
    begun(host, upgrade)
    with monkeypatch.context() as patched, pytest.raises(Cut):
        patched.setattr(Restore, "keep", raiser(Cut))
        upgrade.undo()
    assert recorded(host, "upgrade.json")["state"] == "returned"
    write(host)
    assert upgrade.undo()
    assert users(host.home / "auth/auth.db") == ["admin", "of the new server"]
    assert (recorded(host, "upgrade.json"), recorded(host)["refused"]) == (None, NEW)


def test_a_new_server_that_has_served_is_not_taken_back(host: Host, upgrade: Upgrade, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where it is cut off after that, the next run finishes."""
    begun(host, upgrade)
    with monkeypatch.context() as patched, pytest.raises(Cut):
        patched.setattr(Recorder, "record", raiser(Cut))
        upgrade.keep("4.2.0")
    assert recorded(host, "upgrade.json")["state"] == "staying"
    assert PREVIOUS not in host.engine.containers
    with pytest.raises(UpgradeError, match=f"^The upgrade to {NEW_REFERENCE} has succeeded and cannot be taken back; upgrade to {REFERENCE} to go back.$"):
        upgrade.undo()
    # Its health does not count any more, and no image is asked for its version.
    host.engine.containers[NAME].health = "unhealthy"
    host.engine.made.clear()
    assert upgrade.keep("4.2.0") == ""
    assert (recorded(host)["server"], recorded(host, "upgrade.json"), asked_versions(host)) == ("4.2.0", None, [])


def test_a_new_server_that_stays_leaves_no_previous_one_behind(host: Host, upgrade: Upgrade) -> None:
    """Without the record, a run that rolls back would let it serve the data of the new one."""
    snapshot = begun(host, upgrade)
    content(state="staying", snapshot=snapshot)(Path(host.settings.upgrade_directory, "upgrade.json"))
    host.engine.containers[NAME].health = "unhealthy"
    assert upgrade.keep("4.2.0") == ""
    assert set(host.engine.containers) == {NAME}


def test_going_back_on_a_host_on_which_no_version_was_recorded(host: Host, upgrade: Upgrade) -> None:
    """Such as one that an earlier version of this collection provisioned."""
    made = make(host.settings, host.docker, host.restic)
    upgrade.begin(NEW_REFERENCE, made.id)
    swap(host)
    assert upgrade.undo()
    assert recorded(host) == {"refused": NEW}
    assert upgrade.recorder.record("4.1.0")
    # A record without an image is of nothing that ran.
    assert (recorded(host)["image_id"], recorded(host)["previous"]) == (IMAGE, None)


@pytest.mark.parametrize("name", [PREVIOUS, REPLACEMENT])
def test_no_upgrade_begins_while_another_run_replaces_the_container(host: Host, upgrade: Upgrade, name: str) -> None:
    host.engine.containers[name] = FakeContainer("7", OLDER, OLDER_REFERENCE, "exited")
    with pytest.raises(UpgradeError, match=f"^Another run is replacing the container '{NAME}', or was cut off; run again.$"):
        upgrade.begin(NEW_REFERENCE, SNAPSHOT)
    assert recorded(host, "upgrade.json") is None


def test_no_upgrade_begins_without_a_backup(host: Host, upgrade: Upgrade) -> None:
    with pytest.raises(UpgradeError, match=r"^There is no backup to go back to, so no upgrade is begun.$"):
        upgrade.begin(NEW_REFERENCE, "")


def test_docker_s_words_are_a_sentence(host: Host, upgrade: Upgrade) -> None:
    begun(host, upgrade)
    host.engine.refuses[f"POST /containers/{PREVIOUS}/rename"] = "no space left on device"
    with pytest.raises(UpgradeError, match=r"^Docker does not do it: no space left on device.$"):
        upgrade.undo()
    host.engine.refuses.clear()
    assert upgrade.undo()
    at_before(host)


def test_a_server_of_before_that_does_not_run_any_more_is_reported(host: Host, upgrade: Upgrade) -> None:
    upgrade.begin(NEW_REFERENCE, SNAPSHOT)
    host.engine.containers[NAME].status, host.engine.containers[NAME].code = "exited", 3
    with pytest.raises(NotHealthy, match="its container ended with exit code 3"):
        upgrade.undo()
    assert recorded(host, "upgrade.json") is not None


# Records that are none.


def link(path: Path) -> None:
    """A link to a whole record of another place."""
    elsewhere = path.parent.parent / "elsewhere.json"
    elsewhere.write_text(json.dumps({"state": "changing", "from": FROM, "to": TO, "snapshot": SNAPSHOT, "time": TIME}))
    path.symlink_to(elsewhere)


def content(**changes: Any) -> Callable[[Path], object]:
    """A record with some fields changed."""
    return lambda path: path.write_text(json.dumps({"state": "changing", "from": FROM, "to": TO, "snapshot": SNAPSHOT, "time": TIME, **changes}))


DAMAGED: list[Callable[[Path], object]] = [
    link,
    lambda path: path.write_bytes(b" " * (10 << 20)),
    lambda path: path.write_text(""),
    lambda path: path.write_text("no json"),
    lambda path: path.write_bytes(b"\xff\x00"),
    lambda path: path.write_text("[]"),
    lambda path: path.write_text("[" * 50_000),
    content(**{"from": 7}),
    content(**{"from": ["x"]}),
    content(to=None),
    content(to={"image_id": {"a": 1}}),
    content(**{"from": {**FROM, "image_id": True}}),
    content(snapshot=["x"]),
    content(snapshot=""),
]


@pytest.mark.parametrize("puts", DAMAGED)
def test_a_record_that_is_damaged_moves_nothing(host: Host, upgrade: Upgrade, puts: Callable[[Path], object]) -> None:
    swap(host)
    path = Path(host.settings.upgrade_directory, "upgrade.json")
    path.parent.mkdir()
    puts(path)
    host.engine.asked.clear()
    for end in (upgrade.undo, lambda: upgrade.keep("4.2.0")):
        with pytest.raises(UpgradeError) as raised:
            end()
        assert str(raised.value) == (
            f"'{path}' is damaged, so it is not known which server ran before. Remove it, provision this host with the image that is to run, and "
            "restore the last snapshot where another server wrote the data since."
        )
    assert changing(host) == []
    assert set(host.engine.containers) == {NAME, PREVIOUS}
    assert os.path.lexists(path)
    with pytest.raises(BackupError, match="an upgrade is under way, or was cut off"):
        make(host.settings, host.docker, host.restic)


@pytest.mark.parametrize("puts", DAMAGED[:8])
def test_no_upgrade_begins_beside_a_record_that_is_damaged(host: Host, upgrade: Upgrade, puts: Callable[[Path], object]) -> None:
    path = Path(host.settings.upgrade_directory, "upgrade.json")
    path.parent.mkdir()
    puts(path)
    with pytest.raises(UpgradeError, match=r"^An upgrade to .+ has not ended.$"):
        upgrade.begin(OLDER_REFERENCE, SNAPSHOT)


@pytest.mark.parametrize("puts", [lambda path: path.mkdir(), lambda path: path.symlink_to("/nowhere"), os.mkfifo])
def test_what_is_no_file_is_no_record(host: Host, upgrade: Upgrade, puts: Callable[[Path], object]) -> None:
    path = Path(host.settings.upgrade_directory, "upgrade.json")
    path.parent.mkdir()
    puts(path)
    assert upgrade.under_way is None
    with pytest.raises(UpgradeError, match="No upgrade of this host is recorded"):
        upgrade.keep("4.2.0")
    assert not upgrade.undo()
    if path.is_dir():
        with pytest.raises(OSError, match="directory"):
            upgrade.begin(NEW_REFERENCE, SNAPSHOT)
    else:
        assert upgrade.begin(NEW_REFERENCE, SNAPSHOT)
        assert not path.is_symlink()


@pytest.mark.parametrize("field", [{"state": ["x"]}, {"state": None}, {"time": 7}, {"other": 1}])
def test_a_record_without_what_is_not_needed_is_whole(host: Host, upgrade: Upgrade, field: dict[str, Any]) -> None:
    snapshot = begun(host, upgrade)
    content(snapshot=snapshot, **field)(Path(host.settings.upgrade_directory, "upgrade.json"))
    assert upgrade.undo()
    at_before(host)


def test_nobody_else_replaces_the_container_meanwhile(host: Host, upgrade: Upgrade, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever holds the lock is waited for, and named."""
    begun(host, upgrade)
    held: list[str] = []
    real = Lock.hold

    def hold(self: Lock, *arguments: Any) -> Any:
        if self.holder == "replacing this container":
            held.append(self.holder)
            raise XinferenceError("It is locked.")
        return real(self, *arguments)

    monkeypatch.setattr(Lock, "hold", hold)
    for end in (upgrade.undo, lambda: upgrade.keep("4.2.0")):
        with pytest.raises(XinferenceError, match=r"^It is locked.$"):
            end()
    assert len(held) == 2
    assert changing(host) == []
