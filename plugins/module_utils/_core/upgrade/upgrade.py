# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Records an upgrade before it begins, and ends it: the new server stays, or the previous one comes back with its data. Private to this collection.

The container of before is kept, stopped, until the models have answered on the new one. A file of the host says how far an upgrade is, so that the next run
ends what one began that was cut off.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

from ..backup.backup import utc
from ..backup.restore import Restore
from ..base.errors import XinferenceError
from ..base.lock import Lock
from ..base.messages import one_line
from ..base.private_file import replace_private
from ..host.docker import DockerSocket
from ..host.docker_facts import VERSION, is_named
from ..host.program_container import ProgramContainer
from ..host.replacement import Container, docker_words, lock_path
from ..host.versions import CHANGING, RETURNED, RETURNING, STAYING, UPGRADE, VERSIONS, read_record, upgrade_facts

__all__ = ["Recorder", "Upgrade", "UpgradeError"]

#: Seconds for which others that replace the container are waited for, and for which an image may take to say its version.
_OTHERS, _ASKING = 900.0, 120.0
#: What an image says of its server; one line of JSON.
_VERSION_PROGRAM = """
import json
from importlib.metadata import PackageNotFoundError, version
try:
    found = version("xinference")
except PackageNotFoundError:
    found = ""
print(json.dumps({"server": found}), flush=True)
"""
_ASKS = "io.inferops.version-of"


class UpgradeError(XinferenceError):
    """An upgrade failed, or cannot be ended; the text is a sentence."""


@dataclass(frozen=True)
class Side:
    """A server's container and its image.

    :param image: reference of the image.
    :param image_id: identifier of the image.
    :param server: version of the server; empty where the image does not say.
    :param container_id: identifier of the container; empty where there is none yet.
    """

    image: str
    image_id: str
    server: str
    container_id: str = ""

    def row(self) -> dict[str, str]:
        """As it is recorded."""
        return {"image": self.image, "image_id": self.image_id, "server": self.server, "container_id": self.container_id}


class Recorder:
    """The record of the versions that wrote a server's data.

    :param docker: Docker of this host.
    :param container: name of the server's container.
    :param directory: of the record.
    :param collection: version of this collection.
    :param clock: returns seconds since the epoch.
    """

    def __init__(self, docker: DockerSocket, container: str, directory: str, collection: str, clock: Callable[[], float]) -> None:
        self.docker = docker
        self.container = container
        self.directory = Path(directory)
        self.collection = collection
        self.clock = clock

    def running(self, container: str | None = None) -> Side | None:
        """The container that has the server's name, or another one; None where there is none. The version of its server is left empty."""
        name = container or self.container
        found = self.docker.get(f"/containers/{quote(name, safe='')}/json")
        if not found or not is_named(found, name):
            return None
        return Side(one_line(str((found.get("Config") or {}).get("Image"))), str(found.get("Image")), "", str(found.get("Id")))

    def image(self, reference: str) -> Side | None:
        """An image of this host, with the version of its server; None where there is none.

        :param reference: of it.
        """
        found = self.docker.image(reference)
        if found is None:
            return None
        identifier = str(found.get("Id"))
        return Side(reference, identifier, self.version(identifier))

    def version(self, image_id: str) -> str:
        """Version of the server in an image, which is asked in a container; empty where it does not say.

        :param image_id: identifier of the image.
        """
        asked = ProgramContainer(self.docker, f"{self.container}{VERSION}", (_ASKS, self.container))
        description = {"Image": image_id, "NetworkDisabled": True, "HostConfig": {"ReadonlyRootfs": True, "PidsLimit": 64, "Memory": 512 << 20}}
        try:
            with asked.attached(_VERSION_PROGRAM, description, _ASKING) as attached:
                return one_line(str(asked.header(attached).get("server") or ""))[:40]
        except (XinferenceError, OSError):
            # It is only shown.
            return ""

    def known_version(self, image_id: str) -> str:
        """The same; an image whose version is recorded is not asked again."""
        recorded = upgrade_facts(str(self.directory))["versions"] or {}
        return str(recorded.get("server") if recorded.get("image_id") == image_id and recorded.get("server") else self.version(image_id))

    def record(self, client: str, previous: Mapping[str, Any] | None = None, server: str = "") -> bool:
        """Record what runs; whether that is new.

        :param client: version of the client.
        :param previous: record of what ran before; None for the one that is there.
        :param server: version of the server; empty where its image is to be asked.
        :raises UpgradeError: when nothing runs.
        """
        side = self.running()
        if side is None:
            raise UpgradeError(f"There is no container '{self.container}' on this host, so there is nothing to record; provision it first.")
        before = upgrade_facts(str(self.directory))["versions"] or {}
        same = before.get("image_id") == side.image_id
        content = {
            "server": server or self.known_version(side.image_id),
            "image": side.image,
            "image_id": side.image_id,
            "collection": self.collection,
            "client": client,
        }
        if previous is None and all(before.get(name) == value for name, value in content.items()):
            return False
        # Of the same image it stays what was there before it, and which image is refused; a record of a refused image alone names none.
        last = {name: value for name, value in before.items() if name not in ("previous", "refused")} if before.get("image_id") else None
        stays = {"refused": before["refused"]} if same and before.get("refused") else {}
        self.write(VERSIONS, {**content, **stays, "time": utc(self.clock()), "previous": previous or (before.get("previous") if same else last)})
        return True

    def predict(self, client: str) -> bool:
        """Whether :meth:`record` would write something; no image is asked for its version.

        :param client: version of the client.
        """
        side, before = self.running(), upgrade_facts(str(self.directory))["versions"] or {}
        content = {"collection": self.collection, "client": client, **({} if side is None else {"image": side.image, "image_id": side.image_id})}
        return any(before.get(name) != value for name, value in content.items())

    def write(self, name: str, content: Mapping[str, Any]) -> None:
        """Replace one of the files, which everybody on the host may read."""
        self.directory.mkdir(mode=0o755, parents=True, exist_ok=True)
        replace_private(self.directory / name, json.dumps(content, sort_keys=True) + "\n")
        (self.directory / name).chmod(0o644)


class Upgrade:
    """An upgrade of this host.

    :param recorder: of its versions.
    :param restore: makes what brings the data of before back from their backup.
    :param timeout: seconds for which the health of a container is waited for.
    """

    def __init__(self, recorder: Recorder, restore: Callable[[], Restore], timeout: float) -> None:
        self.recorder = recorder
        self.restore = restore
        self.timeout = timeout
        self.container = Container(recorder.docker, recorder.container)
        self.file = recorder.directory / UPGRADE

    @property
    def under_way(self) -> dict[str, Any] | None:
        """The record of an upgrade that has not ended; None where there is none."""
        found: dict[str, Any] | None = upgrade_facts(str(self.recorder.directory))["upgrade"]
        return found

    def begin(self, image: str, snapshot: str) -> bool:
        """Record that the server's container is about to be replaced by one of another image; whether that is new.

        :param image: reference of the image.
        :param snapshot: ID of the backup with the data of before.
        :raises UpgradeError: when there is no container or no such image, or another upgrade has not ended.
        """
        if not snapshot:
            raise UpgradeError("There is no backup to go back to, so no upgrade is begun.")
        target = self.recorder.image(image)
        if target is None:
            raise UpgradeError(f"There is no image '{image}' on this host.")
        under_way = self.under_way
        if under_way is not None:
            if under_way["state"] == CHANGING and under_way["to"]["image_id"] == target.image_id:
                return False
            raise UpgradeError(f"An upgrade to {under_way['to']['image'] or 'another image'} has not ended.")
        if self.container.exists(self.container.previous) or self.container.exists(self.container.replacement):
            raise UpgradeError(f"Another run is replacing the container '{self.recorder.container}', or was cut off; run again.")
        before = self.recorder.running()
        if before is None:
            raise UpgradeError(f"There is no container '{self.recorder.container}' on this host; provision it first.")
        before = replace(before, server=self.recorder.known_version(before.image_id))
        self._write(CHANGING, before.row(), target.row(), snapshot)
        return True

    def keep(self, client: str) -> str:
        """Let the new server stay; why the image of an upgrade before that is left, empty where it is gone, or there was none.

        Where it was cut off, it goes on.

        :param client: version of the client.
        :raises UpgradeError: when no upgrade is recorded, or its server does not serve.
        """
        under_way = self.under_way
        if under_way is None:
            raise UpgradeError("No upgrade of this host is recorded any more, so another run has ended it; run again.")
        self._require_whole(under_way)
        before, after = under_way["from"], under_way["to"]
        running = self.recorder.running()
        if running is None or running.image_id != after["image_id"]:
            raise UpgradeError(f"The container '{self.recorder.container}' is not of the image {after['image']} that it was upgraded to.")
        if under_way["state"] != STAYING:
            if not self.container.serves():
                # Without the record of this upgrade, another run would put the previous one in its place, and not its data.
                raise UpgradeError(f"The container '{self.recorder.container}' is not healthy, so the previous one is kept.")
            self._write(STAYING, before, after, under_way["snapshot"])
        older = (upgrade_facts(str(self.recorder.directory))["versions"] or {}).get("previous") or {}
        with self._alone():
            self.container.settle()
            if self.container.exists(self.container.previous):
                # The new server does not serve just now. Another run would let this one serve its data.
                self.recorder.docker.remove(f"/containers/{quote(self.container.previous, safe='')}?force=1")
        self.recorder.record(client, {name: before[name] for name in ("server", "image", "image_id")}, after["server"])
        self.file.unlink(missing_ok=True)
        kept = {running.image_id, before["image_id"], ""}
        return "" if older.get("image_id", "") in kept else self._remove_image(older["image_id"])

    def undo(self) -> bool:
        """Put the previous container and its data in their place, and see the server healthy; whether an upgrade was under way.

        Where it was cut off, it goes on.

        :raises XinferenceError: when that fails.
        """
        under_way = self.under_way
        if under_way is None:
            return False
        self._require_whole(under_way)
        state, before = under_way["state"], under_way["from"]
        if state == STAYING:
            raise UpgradeError(f"The upgrade to {under_way['to']['image']} has succeeded and cannot be taken back; upgrade to {before['image']} to go back.")
        running = self.recorder.running()
        is_back = running is not None and running.container_id == before["container_id"]
        if state == CHANGING and is_back:
            # It was never set aside, so the new server has never started, and the data are newer than their backup.
            with self._alone():
                self.container.settle()
                self.container.make_healthy(self.timeout, roll_back=False)
        elif state == RETURNED:
            with self._alone():
                self.container.make_healthy(self.timeout, roll_back=False)
            self.restore().keep(self._restore_id(under_way))
            self._refuse(under_way)
        else:
            self._bring_back(under_way, is_back)
            self._refuse(under_way)
        self.file.unlink(missing_ok=True)
        return True

    def _bring_back(self, under_way: Mapping[str, Any], is_back: bool) -> None:
        """Put the previous container in its place, and its data.

        :param is_back: whether the container is there already, from a run that was cut off.
        """
        before, snapshot, restore = under_way["from"], under_way["snapshot"], self.restore()
        if not is_back and self.recorder.running(self.container.previous) is None:
            raise UpgradeError(
                f"The previous container, of image {before['image']}, is gone, so it cannot come back. The server that runs stays as it is. To go on with it, "
                f"remove {self.file} and provision this host. Snapshot {snapshot[:8]} holds the data from before the upgrade."
            )
        # What serves now goes on until it is certain that the data can come back.
        restore.check(snapshot)
        self._write(RETURNING, before, under_way["to"], snapshot)
        with self._alone():
            self.container.put_back()
            self.container.settle()
        restore.place(snapshot, restore_id=self._restore_id(under_way), go_back=False)
        # From here on they are newer than their backup.
        self._write(RETURNED, before, under_way["to"], snapshot)
        restore.keep(self._restore_id(under_way))

    @staticmethod
    def _restore_id(under_way: Mapping[str, Any]) -> str:
        """Name of the restore that belongs to an upgrade."""
        return f"upgrade-{under_way['time']}"

    def _refuse(self, under_way: Mapping[str, Any]) -> None:
        """Record which image was rolled back from, so that no other play takes it unasked."""
        found = read_record(self.recorder.directory, VERSIONS)
        self.recorder.write(VERSIONS, {**(found if isinstance(found, dict) else {}), "refused": under_way["to"]["image_id"]})

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Nobody else replaces the container meanwhile; what Docker says is a sentence."""
        try:
            with Lock(lock_path(self.recorder.container), "replacing this container").hold(_OTHERS):
                yield
        except OSError as error:
            raise UpgradeError(f"Docker does not do it: {docker_words(error)}.") from error

    def _require_whole(self, under_way: Mapping[str, Any]) -> None:
        """Require that a record names both images and the backup.

        :raises UpgradeError: when it does not, because the file is damaged.
        """
        if not (under_way["from"]["image_id"] and under_way["to"]["image_id"] and under_way["snapshot"]):
            raise UpgradeError(
                f"'{self.file}' is damaged, so it is not known which server ran before. Remove it, provision this host with the image that is to run, and "
                "restore the last snapshot where another server wrote the data since."
            )

    def _remove_image(self, image_id: str) -> str:
        """Remove an image that nothing needs any more; why it is left, empty where it is gone."""
        try:
            self.recorder.docker.remove(f"/images/{quote(image_id, safe=':')}")
        except OSError as error:
            return docker_words(error)
        return ""

    def _write(self, state: str, before: Mapping[str, str], target: Mapping[str, str], snapshot: str) -> None:
        found = self.under_way or {}
        time = found.get("time") or utc(self.recorder.clock())
        self.recorder.write(UPGRADE, {"state": state, "from": dict(before), "to": dict(target), "snapshot": snapshot, "time": time})
