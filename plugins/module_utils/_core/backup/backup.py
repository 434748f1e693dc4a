# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes a snapshot while the server runs, and reads it back. Private to this collection."""

from __future__ import annotations

import contextlib
import hashlib
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..base.bounded import read_bytes
from ..base.errors import XinferenceError
from ..declaration.check import check_models
from ..declaration.local_files import container_paths
from ..host.declaration_file import StoredDeclaration
from ..host.docker import DockerSocket
from ..host.versions import upgrade_facts
from . import status_file
from .archive import pack
from .contents import HOST_FILES, MANIFEST, BackupError, File, Manifest, sentence, verify
from .helper import Helper, Server
from .missing_files import clear_left
from .model_files import Local, held, local, save
from .restic import Locked, Restic
from .restore import restore_state
from .settings import Settings
from .staging import staging

__all__ = ["Made", "make", "utc"]

#: Bytes of a file of the roles.
_HOST_BYTES = 16 << 20
#: Seconds after which old snapshots are removed again, and the repository is checked. Less than a day, because a timer comes sooner or later each night.
_TIDY = 20 * 3600
#: Seconds after which it is a failure that this cannot be done, because others use the repository.
_UNTIDY = 3 * 86_400


@dataclass(frozen=True)
class Made:
    """A snapshot that was made, and verified.

    :param id: of it.
    :param manifest: what it holds.
    :param failure: why files of models could not be saved, a sentence; empty where they were, or were not to be.
    """

    id: str
    manifest: Manifest
    failure: str = ""


def utc(seconds: float) -> str:
    """A time as manifests and status have it, such as ``2026-01-31T12:00:00Z``."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


def _host_files(source: Path, target: Path) -> list[File]:
    """Copy the roles' files of the host; those that are not there are left out. The service could have put a link in place of each."""
    files = []
    for name in HOST_FILES:
        try:
            content = read_bytes(source, [name], _HOST_BYTES)
        except FileNotFoundError:
            continue
        except OSError as error:
            raise BackupError(f"'{source / name}' cannot be read: {error.strerror}") from error
        place = target / name
        place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with os.fdopen(os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as sink:
            sink.write(content)
        files.append(File(f"host/{name}", len(content), hashlib.sha256(content).hexdigest()))
    return files


def _local_files(directory: str) -> list[tuple[str, str]]:
    """Local files of the models in the host's declaration: uid and path inside the container; none where there is no declaration that can be read."""
    stored: Mapping[str, Any] | None = None
    with contextlib.suppress(XinferenceError):
        stored = StoredDeclaration(str(Path(directory, "declaration.json"))).load(repair=False)
    models, _problems = check_models((stored or {}).get("models") or [])
    return list(dict.fromkeys((uid, path) for uid, _field, path in container_paths(models)))


def _gathered(settings: Settings, docker: DockerSocket, folder: Path, created: str, held: Sequence[Mapping[str, Any]]) -> Manifest:
    """Fill an empty directory with everything that a snapshot holds; its manifest.

    :param held: local files of models that were to be taken along, as the manifest has them.
    :raises BackupError: when something cannot be read.
    """
    server = Server(docker, settings.container)
    named = _local_files(settings.service_directory)
    (folder / "home").mkdir(mode=0o700)
    files, found = Helper(docker, server).collect(folder / "home", [path for _uid, path in named])
    files = [replace(file, path=f"home/{file.path}") for file in files]
    files += _host_files(Path(settings.service_directory), folder / "host")
    if not files:
        raise BackupError(f"neither {server.home} of container '{server.name}' nor '{settings.service_directory}' holds anything to back up")
    problem, known = found["problem"], {(each["uid"], each["path"]): each for each in held}
    manifest = Manifest(
        host=settings.host,
        container=settings.container,
        created=created,
        collection=settings.collection_version,
        server=found["server"],
        image=server.image,
        image_id=server.image_id,
        home=server.home,
        files=sorted(files, key=lambda file: file.path),
        keys=Manifest.fingerprints(files),
        model_files=[{**known.get((uid, path), {}), "uid": uid, "path": path, "size": found["sizes"].get(path)} for uid, path in named],
        warnings=[f"The server's {problem[4:] if problem.startswith('its ') else problem}."] if problem else [],
    )
    (folder / MANIFEST).write_text(manifest.text(), encoding="utf-8")
    return manifest


def _tidied(settings: Settings, restic: Restic, report: Callable[[str], None], clock: Callable[[], float]) -> status_file.Tidied | None:
    """Remove old snapshots, and check the repository; None where that was done not long ago. Where it fails, the next backup tries it again."""
    keeps = (settings.keep_daily, settings.keep_weekly)
    wanted = status_file.Tidied(utc(clock() - _TIDY), settings.repository, keeps)
    if status_file.is_tidy(settings.state_directory, wanted, utc(clock())):
        return None
    try:
        report("removing old snapshots")
        restic.forget()
        restic.forget_files()
        report("checking the repository")
        restic.check()
    except Locked as error:
        # Another host may upload for hours, and these want the repository for themselves. For days, nobody does.
        if not status_file.is_tidy(settings.state_directory, replace(wanted, time=utc(clock() - _UNTIDY)), utc(clock())):
            raise
        report(f"old snapshots stay, and the repository is not checked, until the next backup: {error}")
        return None
    return replace(wanted, time=utc(clock()))


def _check_alone(settings: Settings) -> None:
    """See that nothing is half done.

    :raises BackupError: when something is.
    """
    if restore_state(settings).get("state", "placed") != "placed":
        raise BackupError("a restore was cut off before all files were in place, so there is nothing whole to back up; run playbook restore again")
    if upgrade_facts(settings.upgrade_directory)["upgrade"] is not None:
        raise BackupError("an upgrade is under way, or was cut off, so there is nothing certain to back up; if no run is making it, run playbook upgrade again")


@dataclass(frozen=True)
class _Backup:
    """One backup.

    :param settings: of the host's backups.
    :param docker: Docker of this host.
    :param restic: the repository.
    :param archive: file to write the snapshot into as well.
    :param report: called with what is being done.
    :param clock: returns seconds since the epoch.
    """

    settings: Settings
    docker: DockerSocket
    restic: Restic
    archive: Path | None
    report: Callable[[str], None]
    clock: Callable[[], float]

    def snapshot(self, found: Sequence[Local] | None) -> tuple[Made, Sequence[Local]]:
        """Make a snapshot, read it back, and note it.

        :param found: files of models, where it is known what became of them; None where that is still to be asked.
        :raises BackupError: when that fails.
        :raises OSError: when Docker or the file system does not do it.
        """
        with staging(self.settings, self.report) as work:
            _check_alone(self.settings)
            if found is None:
                clear_left(self.settings)
                found = self._files()
            self.report("reading the server's files")
            folder, now = work / "snapshot", utc(self.clock())
            folder.mkdir(mode=0o700)
            names = {str(each.entry["snapshot"]) for each in found if each.entry["snapshot"]}
            with self.restic.saving(folder, *names) as finish:
                manifest = _gathered(self.settings, self.docker, folder, now, [each.row for each in found])
                self.report(f"saving {len(manifest.files)} files of {manifest.size} bytes")
                made = finish()
            self.report(f"reading snapshot {made[:8]} back")
            self.restic.fetch_fresh(made, work / "back")
            if verify(work / "back" / folder.relative_to("/")) != verify(folder):
                raise BackupError(f"snapshot {made[:8]} is not what was saved")
            tidied = _tidied(self.settings, self.restic, self.report, self.clock)
            if self.archive is not None:
                pack(folder, manifest, self.archive)
        status_file.succeeded(
            self.settings.state_directory,
            utc(self.clock()),
            made,
            files=len(manifest.files),
            size=manifest.size,
            where=self.settings.repository,
            warnings=manifest.reports,
            tidied=tidied,
        )
        return Made(made, manifest), found

    def _files(self) -> Sequence[Local]:
        """The files of models that are to be taken along, and which of them the repository holds already."""
        if not self.settings.model_files:
            return []
        named = [{"uid": uid, "path": path} for uid, path in _local_files(self.settings.service_directory)]
        return held(self.restic, local(Server(self.docker, self.settings.container).volumes, named))

    def with_files(self, made: Made, found: Sequence[Local]) -> Made:
        """Save what the repository does not hold of the files of models, and then a snapshot that names it; errors as of :meth:`snapshot`.

        Accounts do not wait for gigabytes, and nor does a restore: nothing is locked meanwhile but what restic locks.
        """
        if not any(each.files and not each.entry["snapshot"] for each in found):
            return made
        self.report("saving files of models")
        saved, failure = save(self.settings, self.restic, found)
        if {each.entry["snapshot"] for each in saved} != {each.entry["snapshot"] for each in found}:
            made, _found = self.snapshot(saved)
        if failure:
            failure = f"Snapshot {made.id[:8]} was made and read back, but {failure.rstrip('.')}."
            status_file.failed(self.settings.state_directory, utc(self.clock()), failure)
        return replace(made, failure=failure)


def make(
    settings: Settings,
    docker: DockerSocket,
    restic: Restic,
    *,
    archive: Path | None = None,
    model_files: bool = True,
    report: Callable[[str], None] = lambda line: None,
    clock: Callable[[], float] = time.time,
) -> Made:
    """Make a snapshot, read it back, and once a day remove those that are not to be kept, and check the repository.

    :param settings: of the host's backups.
    :param docker: Docker of this host.
    :param restic: the repository.
    :param archive: file to write the snapshot into as well.
    :param model_files: whether files of models are saved afterwards, where the settings have it and the repository does not hold them.
    :param report: called with what is being done.
    :param clock: returns seconds since the epoch.
    :raises BackupError: when that fails; the status file holds why.
    """
    backup = _Backup(settings, docker, restic, archive, report, clock)
    try:
        made, found = backup.snapshot(None)
        return backup.with_files(made, found) if model_files else made
    except (XinferenceError, OSError) as error:
        words = str(error) if isinstance(error, XinferenceError) else f"{getattr(error, 'filename', None) or 'Docker'}: {error.strerror or error}"
        with contextlib.suppress(OSError):
            status_file.failed(settings.state_directory, utc(clock()), sentence(BackupError(words)))
        raise error if isinstance(error, BackupError) else BackupError(words.rstrip(".")) from error
