# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Puts a snapshot into place, and goes back where that fails. Private to this collection.

What was there before is kept, in the server's home and in the state directory, until :func:`keep` or :func:`undo`. A file of the state directory says how far
a restore has come, so that the next run ends what one began that was cut off.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

from ..base.bounded import read_json, read_regular
from ..base.errors import XinferenceError
from ..base.lock import Lock
from ..base.messages import shown
from ..base.private_file import replace_private
from ..host.docker import DockerSocket
from ..host.docker_facts import container_facts
from ..host.replacement import Container, docker_words, lock_path
from .archive import unpack
from .contents import HOST_FILES, BackupError, Manifest, verify
from .helper import Helper, Server
from .listing import candidates
from .missing_files import Plan, bring, clear_left, plan
from .restic import Restic, Snapshot
from .settings import Settings
from .staging import staging

__all__ = ["Checked", "Restore", "restore_state"]

#: Seconds for which the server may take to end, and for which others that replace its container are waited for.
_STOPPING, _OTHERS = 30, 900.0
_STATE, _BEFORE, _COMPLETE = "restore.json", "before", "complete"


@dataclass(frozen=True)
class Checked:
    """A snapshot that was read and verified.

    :param id: its ID, or the path of an archive.
    :param manifest: what it holds.
    :param snapshots: that could be chosen, the oldest first.
    :param files: what is to be done for the files of models.
    """

    id: str
    manifest: Manifest
    snapshots: list[Snapshot]
    files: Plan = field(default_factory=Plan)


def restore_state(settings: Settings) -> dict[str, Any]:
    """How far a restore has come that has not ended: ``state`` (placing, placed or returning), ``snapshot`` and ``id``; empty where there is none."""
    path = Path(settings.state_directory, _STATE)
    try:
        found = read_json(path.parent, [path.name])
    except FileNotFoundError:
        return {}
    except (OSError, ValueError):
        found = None
    # One that cannot be read was cut off somewhere.
    return found if isinstance(found, dict) and isinstance(found.get("state"), str) else {"state": "placing", "snapshot": "", "id": ""}


class Restore:
    """A restore on this host.

    :param settings: of the host's backups.
    :param docker: Docker of this host.
    :param restic: the repository.
    :param timeout: seconds for which the health of the server's container is waited for.
    :param mounts: of a container that is not there yet, as Docker writes them: ``host:container:options``.
    """

    def __init__(self, settings: Settings, docker: DockerSocket, restic: Restic, timeout: float = 300.0, mounts: Sequence[str] = ()) -> None:
        self.settings = settings
        self.docker = docker
        self.restic = restic
        self.timeout = timeout
        self.mounts = mounts
        self.container = Container(docker, settings.container)
        self.state = Path(settings.state_directory, _STATE)
        self.before = Path(settings.state_directory, _BEFORE)
        self.host_folder = Path(settings.service_directory)

    def open(self, restore_id: str) -> bool:
        """Whether what was there before a restore is still kept.

        :param restore_id: of that restore.
        """
        return bool(restore_id) and self._state().get("id") == restore_id

    def check(self, source: str, host: str | None = None) -> Checked:
        """Read a snapshot, and verify all of it; nothing else is touched.

        :param source: ``latest``, the beginning of an ID, or the path of an archive.
        :param host: whose snapshot it is; None for this host's.
        :raises BackupError: when there is none, or it is damaged, foreign, or newer than this collection, or the files of its models cannot come back.
        """
        with staging(self.settings) as work:
            return self._with_files(self._read(work, source, host)[0])

    def place_files(self, source: str, host: str | None = None) -> Checked:
        """Put the files of models into place that a snapshot holds and this host lacks. The server goes on.

        :param source: and ``host`` as of :meth:`check`.
        :raises BackupError: when that fails. What is in place by then stays.
        """
        # Gigabytes take hours: no secret lies in memory meanwhile, and nobody waits.
        checked = self.check(source, host)
        try:
            bring(self.settings, self.restic, checked.files)
        except (XinferenceError, OSError) as error:
            if isinstance(error, BackupError):
                raise
            reason = f"{error.filename or 'a file'}: {error.strerror or error}" if isinstance(error, OSError) else str(error).rstrip(".")
            raise BackupError(f"the files of models cannot be put into place: {reason}") from error
        return checked

    def _with_files(self, checked: Checked) -> Checked:
        """The same, with what is to be done for the files of models.

        :raises BackupError: when they cannot come back.
        """
        entries: list[dict[str, Any]] = [dict(each) for each in checked.manifest.model_files]
        if checked.id.startswith("/"):
            # An archive holds none of them.
            entries = [{**each, "snapshot": None, "files": []} for each in entries]
        # A repository may have lost some, or know them by other IDs now.
        known = self.restic.known_as({str(each["snapshot"]) for each in entries if each.get("snapshot")})
        entries = [{**each, "snapshot": known.get(str(each.get("snapshot")))} for each in entries]
        if not any(each.get("files") or each["size"] is not None for each in entries):
            return checked
        try:
            return replace(checked, files=plan(entries, self._volumes()))
        except BackupError as error:
            raise BackupError(_of(_called(checked.id), error)) from error
        except OSError as error:
            raise BackupError(_sentence(error)) from error

    def _volumes(self) -> list[dict[str, Any]]:
        """What the server's container sees of this host, or will see, where it is not there yet.

        :raises BackupError: when it may choose what that is.
        :raises OSError: when Docker does not answer.
        """
        # A machine on which Docker is still to be installed has no container either.
        with contextlib.suppress(FileNotFoundError, ConnectionRefusedError):
            if container_facts(self.docker, self.settings.container) is not None:
                return Server(self.docker, self.settings.container).volumes
        rows = [mount.split(":") for mount in self.mounts]
        return [
            {"source": source, "real": os.path.realpath(source), "target": target, "read_only": "ro" in options.split(",")} for source, target, options in rows
        ]

    def place(self, source: str, host: str | None = None, restore_id: str = "", go_back: bool = True) -> Checked:
        """Put a snapshot into place: the server is stopped, and started again. Where that fails, what was there before is back.

        :param source: and ``host`` as of :meth:`check`.
        :param restore_id: name of this restore, by which :meth:`keep` and :meth:`undo` know it.
        :param go_back: whether what was there before comes back where it fails; else the next call goes on.
        :raises BackupError: when that fails.
        """
        with staging(self.settings) as work, self._alone():
            clear_left(self.settings)
            # Before anything else can fail, so that no failure of this restore undoes another one.
            self._settle(start=go_back)
            checked, folder = self._read(work, source, host)
            server = Server(self.docker, self.settings.container)
            self._write("placing", checked.id, restore_id)
            try:
                self._stop()
                home = [replace(file, path=file.path[len("home/") :]) for file in checked.manifest.files if file.path.startswith("home/")]
                Helper(self.docker, server).place(folder / "home", home, checked.manifest.server)
                self._place_host(folder / "host")
                self._write("placed", checked.id, restore_id)
                self.container.make_healthy(self.timeout, roll_back=False)
            except (XinferenceError, OSError, UnicodeDecodeError) as error:
                words = _sentence(error)
                words = _of(_called(checked.id), words)
                if not go_back:
                    raise BackupError(words) from error
                try:
                    self._back()
                except (XinferenceError, OSError, UnicodeDecodeError) as again:
                    raise BackupError(f"{words}. What was there before could not be restored: {_sentence(again)}") from error
                raise BackupError(f"{words}. What was there before is back, and the server runs") from error
            return checked

    def keep(self, restore_id: str) -> bool:
        """Remove what was there before a restore; whether there was any.

        :param restore_id: of that restore.
        :raises BackupError: when that fails.
        """
        return self._end(restore_id, self._accept)

    def undo(self, restore_id: str) -> bool:
        """Go back to what was there before a restore, and see the server healthy; whether there was any.

        :param restore_id: of that restore.
        :raises BackupError: when that fails.
        """
        return self._end(restore_id, self._back)

    def _end(self, restore_id: str, how: Callable[[], None]) -> bool:
        """End a restore, where it is the last one."""
        with staging(self.settings), self._alone():
            found = self.open(restore_id)
            if found:
                how()
            return found

    def _read(self, work: Path, source: str, host: str | None) -> tuple[Checked, Path]:
        """A snapshot that was read and verified, and the directory that holds it."""
        name = _called(source)
        snapshots: list[Snapshot] = []
        try:
            if source.startswith("/"):
                folder = work / "archive"
                folder.mkdir(mode=0o700)
                unpack(Path(source), folder)
                found = source
            else:
                snapshots = candidates(self.settings, self.restic, host)
                chosen = self._chosen(source, host, snapshots)
                name, found = f"Snapshot {chosen.id[:8]} of {chosen.host}", chosen.id
                self.restic.fetch(chosen.id, work / "back")
                folder = work / "back" / chosen.path.lstrip("/")
            manifest = verify(folder)
        except BackupError as error:
            raise BackupError(_of(name, error)) from error
        if manifest.host != (host or self.settings.host):
            raise BackupError(f"{name} is of host '{shown(manifest.host)}', and this is '{self.settings.host}'; set xinference_restore_host to restore it here")
        if host is None and manifest.container != self.settings.container:
            raise BackupError(
                f"{name} is of container '{shown(manifest.container)}', and this is '{self.settings.container}'; set xinference_restore_host to restore it here"
            )
        if manifest.warnings:
            odd = manifest.warnings[0].rstrip(".")
            raise BackupError(f"{name} cannot be restored: {odd[:1].lower()}{odd[1:]}")
        return Checked(found, manifest, snapshots), folder

    def _chosen(self, source: str, host: str | None, snapshots: list[Snapshot]) -> Snapshot:
        """The snapshot that is meant.

        :raises BackupError: when there is none, or more than one.
        """
        wanted = host or self.settings.host
        if source == "latest":
            if not snapshots:
                raise BackupError(f"the repository {self.settings.repository} holds no snapshot of container '{self.settings.container}' of host '{wanted}'")
            return snapshots[-1]
        found = [each for each in snapshots if each.id.startswith(source)]
        if len(found) == 1:
            return found[0]
        if found:
            raise BackupError(f"'{source}' is the beginning of {len(found)} IDs; write more of it")
        other = next((each for each in self.restic.snapshots() if each.id.startswith(source)), None)
        if other is not None:
            raise BackupError(f"Snapshot {source} is of host '{shown(other.host)}', and this is '{wanted}'; set xinference_restore_host to restore it here")
        known = ", ".join(f"{each.id[:8]} of {each.time[:19]}" for each in snapshots[-5:]) or "none"
        raise BackupError(f"the repository {self.settings.repository} holds no snapshot '{shown(source)}'; the last ones of this host are {known}")

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Nobody replaces the container meanwhile; what Docker and the file system say is a sentence."""
        try:
            with Lock(lock_path(self.settings.container), "replacing this container").hold(_OTHERS):
                yield
        except BackupError:
            raise
        except (XinferenceError, OSError, UnicodeDecodeError) as error:
            raise BackupError(_sentence(error)) from error

    def _stop(self) -> None:
        self.docker.send(f"/containers/{quote(self.settings.container, safe='')}/stop?t={_STOPPING}", timeout=_STOPPING + 60.0)

    def _settle(self, start: bool = True) -> None:
        """End a restore that was cut off: what is in place as a whole stays, all else goes back.

        :param start: whether the server is started then.
        """
        state = self._state().get("state")
        if state == "placed":
            self._accept()
        elif state is not None:
            self._back(start)

    def _state(self) -> dict[str, Any]:
        return restore_state(self.settings)

    def _write(self, state: str, snapshot: str, restore_id: str) -> None:
        replace_private(self.state, json.dumps({"state": state, "snapshot": snapshot, "id": restore_id}) + "\n")

    def _accept(self) -> None:
        """Let the snapshot stay for good."""
        Helper(self.docker, Server(self.docker, self.settings.container)).keep()
        self._forget()

    def _forget(self) -> None:
        # In this order: files of before that are not all there are none to go back to.
        (self.before / _COMPLETE).unlink(missing_ok=True)
        self.state.unlink(missing_ok=True)
        shutil.rmtree(self.before, ignore_errors=True)

    def _back(self, start: bool = True) -> None:
        """Go back to everything that was there, and start the server, unless it is to be left stopped."""
        state = self._state()
        self._write("returning", str(state.get("snapshot")), str(state.get("id")))
        self._stop()
        found = Helper(self.docker, Server(self.docker, self.settings.container)).undo()
        if state.get("state") == "placed" and not found:
            # While it ran, the server could remove them.
            self.container.make_healthy(self.timeout, roll_back=False)
            self._forget()
            raise BackupError("the files that the snapshot took the place of are not there any more, so the server keeps those of the snapshot")
        self._host_back()
        if start:
            self.container.make_healthy(self.timeout, roll_back=False)
        self._forget()

    def _place_host(self, source: Path) -> None:
        """Put the roles' files into place, and keep what was there.

        They lie in a directory of the service's user; each is replaced by its name, so that no link there is followed.
        """
        shutil.rmtree(self.before, ignore_errors=True)
        self.before.mkdir(mode=0o700, parents=True)
        for name in HOST_FILES:
            with contextlib.suppress(FileNotFoundError):
                replace_private(self.before / name, read_regular(self.host_folder / name))
        replace_private(self.before / _COMPLETE, "")
        self._put(source)

    def _host_back(self) -> None:
        """Go back to the roles' files of before, where all of them were kept."""
        if (self.before / _COMPLETE).exists():
            self._put(self.before)

    def _put(self, source: Path) -> None:
        """Let the roles' files be those of a directory."""
        for name in HOST_FILES:
            if (source / name).exists():
                replace_private(self.host_folder / name, (source / name).read_text(encoding="utf-8"))
            elif self.host_folder.is_dir():
                (self.host_folder / name).unlink(missing_ok=True)


def _called(source: str) -> str:
    """A snapshot at the beginning of a sentence.

    :param source: its ID or the beginning of it, or the path of an archive.
    """
    return f"Archive {source}" if source.startswith("/") else f"Snapshot {source[:8]}"


def _of(name: str, words: object) -> str:
    """What is wrong with a snapshot, which the words may go on to say; what the repository says names itself.

    :param name: of the snapshot, at the beginning of a sentence.
    """
    text = str(words)
    return f"{name} cannot be restored: {text}" if text.startswith(("it ", "its ")) else text


def _sentence(error: Exception) -> str:
    """What an error says, without the dot at its end."""
    if isinstance(error, OSError):
        return f"Docker or the file system of this host does not do it: {docker_words(error)}".rstrip(".")
    if isinstance(error, UnicodeDecodeError):
        return "a file of the recovery service holds no text"
    return str(error).rstrip(".")
