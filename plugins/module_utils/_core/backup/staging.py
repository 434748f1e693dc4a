# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The directory in memory where files lie while they are on their way, for one process at a time. Private to this collection."""

from __future__ import annotations

import os
import shutil
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ..base.errors import XinferenceError
from ..base.lock import Lock
from .contents import BackupError
from .settings import Settings

__all__ = ["staging"]

#: Seconds for which another backup or restore is waited for.
_WAITS = 1800.0
#: Archives that runs of Ansible bring or take, and seconds after which one is of a run that was killed.
_ARCHIVES, _LEFT = "archive-*.tar", 86_400.0


@contextmanager
def staging(settings: Settings, report: Callable[[str], None] = lambda line: None) -> Iterator[Path]:
    """The directory, empty, for root alone; emptied again in the end. What a process left that was killed goes, too, archives after a day.

    :param report: called once where another process uses it.
    :raises BackupError: when another process uses it for long, or it cannot be made.
    """
    folder = Path(settings.staging_directory)
    work = folder / "work"
    waits: list[float] = []

    def wait(seconds: float) -> None:
        if not waits:
            report("waiting for another backup or restore of this host")
        waits.append(seconds)

    try:
        with Lock(f"{folder}.lock", "making or restoring a backup").hold(_WAITS, wait):
            try:
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
                found = os.stat(folder, follow_symlinks=False)
                if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
                    raise BackupError(f"'{folder}' is no directory of this user")
                folder.chmod(0o700)
                if work.is_symlink() or work.is_file():
                    work.unlink()
                shutil.rmtree(work, ignore_errors=not work.exists())
                work.mkdir(mode=0o700)
                for archive in folder.glob(_ARCHIVES):
                    # Its run removes it, too.
                    with suppress(FileNotFoundError):
                        if archive.lstat().st_mtime < time.time() - _LEFT:
                            archive.unlink()
            except OSError as error:
                raise BackupError(f"'{folder}' cannot be made: {error.strerror}") from error
            try:
                yield work
            finally:
                shutil.rmtree(work, ignore_errors=True)
    except XinferenceError as error:
        if isinstance(error, BackupError):
            raise
        raise BackupError(str(error).rstrip(".")) from error
