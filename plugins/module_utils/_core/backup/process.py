# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Command line of the unit that makes a backup on its host, without Ansible. Private to this collection."""

from __future__ import annotations

import argparse
import contextlib
import time

from ..base.journal import log
from ..host.docker import DockerSocket
from . import status_file
from .backup import make, utc
from .contents import BackupError, sentence
from .restic import Restic
from .settings import Secrets, Settings, read_secrets, read_settings

__all__ = ["main"]


def _secrets(settings: Settings) -> Secrets:
    """The secrets; where they cannot be read, the status says so, too."""
    try:
        return read_secrets(settings.secrets)
    except BackupError as error:
        with contextlib.suppress(OSError):
            status_file.failed(settings.state_directory, utc(time.time()), sentence(error))
        raise


def main(arguments: list[str]) -> int:
    """Make a backup, and write what became of it into the journal; exit code 1 where it failed."""
    parser = argparse.ArgumentParser(prog="backup", description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--settings", required=True, help="file with the settings")
    chosen = parser.parse_args(arguments)
    try:
        settings = read_settings(chosen.settings)
        made = make(settings, DockerSocket(settings.docker_host), Restic(settings, _secrets(settings)), report=log)
    except BackupError as error:
        log(sentence(error))
        return 1
    for warning in made.manifest.reports:
        log(f"warning: {warning}")
    log(f"snapshot {made.id[:8]} holds {len(made.manifest.files)} files of {made.manifest.size} bytes, and was read back")
    if made.failure:
        log(made.failure)
    return 1 if made.failure else 0
