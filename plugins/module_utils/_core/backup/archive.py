# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A snapshot as one plain archive, to be carried to another host: tar, neither compressed nor encrypted. Private to this collection."""

from __future__ import annotations

import os
import shutil
import tarfile
from pathlib import Path

from .contents import MANIFEST, MOST_BYTES, MOST_FILES, BackupError, Manifest, is_kept

__all__ = ["pack", "unpack"]

_STEP = 1 << 20


def pack(folder: Path, manifest: Manifest, target: Path) -> None:
    """Write a snapshot into an archive that only its owner can read; one that is there is replaced.

    :param folder: that holds the snapshot.
    :param manifest: of it.
    :param target: the archive.
    :raises BackupError: when it cannot be written.
    """
    try:
        target.unlink(missing_ok=True)
        handle = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        with os.fdopen(handle, "wb") as sink, tarfile.open(fileobj=sink, mode="w", format=tarfile.PAX_FORMAT) as archive:
            for path in [MANIFEST, *(file.path for file in manifest.files)]:
                entry = tarfile.TarInfo(path)
                entry.size, entry.mode = os.stat(folder / path).st_size, 0o600
                with (folder / path).open("rb") as source:
                    archive.addfile(entry, source)
    except OSError as error:
        raise BackupError(f"the archive '{target}' cannot be written: {error.strerror or error}") from error


def unpack(source: Path, folder: Path) -> None:
    """Write what an archive holds into an empty directory. No name leads out of it, and nothing but regular files is written.

    :param source: the archive.
    :param folder: the directory.
    :raises BackupError: when it is no archive, is damaged, or holds what no backup takes.
    """
    count = total = 0
    try:
        with tarfile.open(source, "r:") as archive:
            for entry in archive:
                count, total = count + 1, total + max(entry.size, 0)
                if count > MOST_FILES + 1 or total > MOST_BYTES:
                    raise BackupError(f"it holds more than {MOST_FILES} files or {MOST_BYTES >> 20} MiB")
                if entry.name != MANIFEST and not is_kept(entry.name):
                    raise BackupError(f"it holds '{entry.name[:200]!a}', which no backup takes")
                content = archive.extractfile(entry) if entry.isreg() else None
                if content is None:
                    raise BackupError(f"it holds '{entry.name[:200]!a}', which is no regular file")
                place = folder / entry.name
                place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                with os.fdopen(os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600), "wb") as sink:
                    shutil.copyfileobj(content, sink, _STEP)
    except FileNotFoundError:
        raise BackupError("it is not there: there is no such file on this host") from None
    except FileExistsError:
        raise BackupError("it holds a file twice") from None
    except (tarfile.TarError, EOFError, ValueError) as error:
        raise BackupError(f"it is no archive of a backup, or is damaged or cut: {error}") from error
    except OSError as error:
        raise BackupError(f"it cannot be read: {error.strerror or error}") from error
