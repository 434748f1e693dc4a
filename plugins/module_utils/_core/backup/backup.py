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
from .missing_files import clear
from .model_files import save
from .restic import Restic
from .restore import restore_state
from .settings import Settings
from .staging import staging

__all__ = ["Made", "make", "utc"]

#: Bytes of a file of the roles.
_HOST_BYTES = 16 << 20
#: Seconds after which old snapshots are removed again, and the repository is checked. Less than a day, because a timer comes sooner or later each night.
_TIDY = 20 * 3600


@dataclass(frozen=True)
class Made:
    """A snapshot that was made, and verified.

    :param id: of it.
    :param manifest: what it holds.
    """

    id: str
    manifest: Manifest


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


def _held(settings: Settings, docker: DockerSocket, restic: Restic, report: Callable[[str], None]) -> tuple[list[dict[str, Any]], str, BackupError | None]:
    """Take local files of models along, where that is wanted: the entries of a manifest, the ID of their snapshot or nothing, and why it failed, if it did."""
    if not settings.model_files:
        return [], "", None
    report("saving files of models")
    named = [{"uid": uid, "path": path} for uid, path in _local_files(settings.service_directory)]
    rows, failure = save(settings, restic, Server(docker, settings.container).volumes, named)
    return rows, next((str(row["snapshot"]) for row in rows if row["snapshot"]), ""), failure


def _tidied(settings: Settings, restic: Restic, report: Callable[[str], None], clock: Callable[[], float]) -> status_file.Tidied | None:
    """Remove old snapshots, and check the repository; None where that was done not long ago. Where it fails, the next backup tries it again."""
    keeps = (settings.keep_daily, settings.keep_weekly)
    wanted = status_file.Tidied(utc(clock() - _TIDY), settings.repository, keeps)
    if status_file.is_tidy(settings.state_directory, wanted, utc(clock())):
        return None
    report("removing old snapshots")
    restic.forget()
    restic.forget_files()
    report("checking the repository")
    restic.check()
    return replace(wanted, time=utc(clock()))


def make(
    settings: Settings,
    docker: DockerSocket,
    restic: Restic,
    *,
    archive: Path | None = None,
    report: Callable[[str], None] = lambda line: None,
    clock: Callable[[], float] = time.time,
) -> Made:
    """Make a snapshot, read it back, and once a day remove those that are not to be kept, and check the repository.

    :param settings: of the host's backups.
    :param docker: Docker of this host.
    :param restic: the repository.
    :param archive: file to write the snapshot into as well.
    :param report: called with what is being done.
    :param clock: returns seconds since the epoch.
    :raises BackupError: when that fails; the status file holds why.
    """
    try:
        with staging(settings, report) as work:
            if restore_state(settings).get("state", "placed") != "placed":
                raise BackupError("a restore was cut off before all files were in place, so there is nothing whole to back up; run playbook restore again")
            if upgrade_facts(settings.upgrade_directory)["upgrade"] is not None:
                raise BackupError(
                    "an upgrade is under way, or was cut off, so there is nothing certain to back up; if no run is making it, run playbook upgrade again"
                )
            # Gigabytes that a restore left which was cut off. The unit may not write there.
            with contextlib.suppress(OSError):
                clear(settings)
            held, files, failure = _held(settings, docker, restic, report)
            report("reading the server's files")
            folder, now = work / "snapshot", utc(clock())
            folder.mkdir(mode=0o700)
            with restic.saving(folder, files) as finish:
                manifest = _gathered(settings, docker, folder, now, held)
                report(f"saving {len(manifest.files)} files of {manifest.size} bytes")
                made = finish()
            report(f"reading snapshot {made[:8]} back")
            restic.fetch_fresh(made, work / "back")
            if verify(work / "back" / folder.relative_to("/")) != verify(folder):
                raise BackupError(f"snapshot {made[:8]} is not what was saved")
            tidied = _tidied(settings, restic, report, clock)
            if archive is not None:
                pack(folder, manifest, archive)
        status_file.succeeded(
            settings.state_directory,
            utc(clock()),
            made,
            files=len(manifest.files),
            size=manifest.size,
            where=settings.repository,
            warnings=manifest.reports,
            tidied=tidied,
        )
        if failure is not None:
            # What nobody can download again is safe by now.
            raise BackupError(f"snapshot {made[:8]} was made and read back, but the files of models are not saved: {failure}")
    except (XinferenceError, OSError) as error:
        words = str(error) if isinstance(error, XinferenceError) else f"{getattr(error, 'filename', None) or 'Docker'}: {error.strerror or error}"
        with contextlib.suppress(OSError):
            status_file.failed(settings.state_directory, utc(clock()), sentence(BackupError(words)))
        raise error if isinstance(error, BackupError) else BackupError(words.rstrip(".")) from error
    return Made(made, manifest)
