# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether backups can be made and restored as declared. Private to this collection."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import urlsplit

from ..base.messages import out_of_range, shown
from ..host.volumes import may_be_root, place
from .container import NOT_IN_A_PLACE
from .host import MINIMUM_DEPTH
from .settings import BackupSettings, Failure, Settings, manages
from .variables import check_texts

__all__ = ["check_backup"]

LEAST_PASSWORD = 12
_SFTP = re.compile(r"sftp:(?://)?(?:[^\s@:/]+@)?(?:\[[0-9A-Fa-f:]+\]|[A-Za-z0-9][A-Za-z0-9._-]*)(?::[0-9]{1,5})?[:/].+")
_OTHER = "Choose another directory, such as /var/backups/xinference."
_WEB = ("s3:", "rest:")
_EXAMPLES = "/mnt/backups/xinference, sftp:user@host:/path, s3:https://host/bucket or rest:https://host/path"
#: What a user name and a password look like in front of the name of a host.
_WITH_PASSWORD = re.compile(r"[^/@\s]*:[^/@\s]*@")
#: What can stand in a line of a timer; what it means, systemd says.
_SCHEDULE = re.compile(r"[A-Za-z0-9*:/,.~+_ -]{1,200}")
_FROM = re.compile(r"latest|[0-9a-f]{8,64}|/.+")
#: No directory of the host's own keeps a repository for long there.
_GONE = tuple(map(PurePosixPath, ("/tmp", "/var/tmp")))  # noqa: S108  they are refused
#: Variables of restic that the roles set.
_OWN = {
    "RESTIC_REPOSITORY": "xinference_backup_repository",
    "RESTIC_REPOSITORY_FILE": "xinference_backup_repository",
    "RESTIC_PASSWORD": "xinference_backup_password",
    "RESTIC_PASSWORD_FILE": "xinference_backup_password",
    "RESTIC_PASSWORD_COMMAND": "xinference_backup_password",
}

_Problems = list[tuple[str, str]]


def check_backup(host: Mapping[str, Any], settings: Settings, backup: BackupSettings | None) -> list[Failure]:
    if backup is None:
        return []
    problems: _Problems = []
    if backup.password_length < LEAST_PASSWORD:
        # How long a password is, nobody should read.
        is_ = "empty" if not backup.password_length else "too short"
        problems.append((f"xinference_backup_password is {is_}.", f"Choose one of at least {LEAST_PASSWORD} characters, and keep it elsewhere as well."))
    if host["backup"]["restore"] and not backup.restoring:
        problem = "A restore of this host was cut off before all files were in place, so its server would begin with a part of them."
        problems.append((problem, "Run playbook restore again, which ends it."))
    problems += _repository(host, settings, backup)
    problems += [(problem, "") for problem in check_texts("xinference_backup_environment", backup.environment)]
    if isinstance(backup.environment, Mapping):
        problems += [
            (f"xinference_backup_environment names {name}, which the roles set themselves.", f"Set {variable}.")
            for name, variable in _OWN.items()
            if name in backup.environment
        ]
    problems += _schedule(host, backup)
    for name, value, least in (("xinference_backup_keep_daily", backup.keep_daily, 1), ("xinference_backup_keep_weekly", backup.keep_weekly, 0)):
        wrong = out_of_range(value, least)
        if wrong:
            problems.append((f"{name} '{value}' {wrong}.", ""))
    if not host["backup"]["restic"] and (not manages(host, settings) or host["backup"]["available"] is False):
        why = "" if host["backup"]["available"] is not False else ", and the package manager knows none"
        problems.append((f"There is no restic on this host{why}.", "Install it; the roles install the distribution's package on Debian and Ubuntu only."))
    if not _FROM.fullmatch(backup.restore_from):
        remedy = "Write latest, 8 to 64 digits of an ID (0 to 9, a to f), or the absolute path of an archive on the controller."
        problems.append((f"xinference_restore_from '{shown(backup.restore_from)}' names no snapshot.", remedy))
    if not backup.restore_host.isprintable() or backup.restore_host.startswith("-"):
        problems.append((f"xinference_restore_host '{shown(backup.restore_host)}' is no name of a host.", "Write it as in the inventory."))
    return [Failure("backup", problem, remedy) for problem, remedy in problems]


def _schedule(host: Mapping[str, Any], backup: BackupSettings) -> _Problems:
    """What is wrong with when backups are made: problems and what to do."""
    if not backup.schedule:
        return []
    name, said = f"xinference_backup_schedule '{shown(backup.schedule)}'", host["backup"]["schedule"]
    remedy = "Write one as systemd.timer has it, such as daily or '*-*-* 03:00:00', or leave it empty for no timer."
    if not _SCHEDULE.fullmatch(backup.schedule) or said == "refused":
        return [(f"{name} is none that systemd takes.", remedy)]
    return [(f"{name} will not come any more.", remedy)] if said == "never" else []


def _repository(host: Mapping[str, Any], settings: Settings, backup: BackupSettings) -> _Problems:
    """What is wrong with where snapshots are kept; the first counts."""
    text = backup.repository
    # A password would be shown, and stand in a file that has no secrets.
    if not text.startswith("/") and _WITH_PASSWORD.search(text.partition(":")[2]):
        remedy = "Put it into xinference_backup_environment, such as RESTIC_REST_USERNAME and RESTIC_REST_PASSWORD."
        return [("xinference_backup_repository holds a user name and a password.", remedy)]
    name = f"xinference_backup_repository '{shown(text)}'"
    if not text.startswith("/"):
        return [] if _is_elsewhere(text) else [(f"{name} is neither an absolute path nor a place that is known.", f"Write it as {_EXAMPLES}.")]
    return _directory(name, text, host, settings, backup)


def _is_elsewhere(text: str) -> bool:
    """Whether a repository is one on another machine, of a kind that is known."""
    if not text.isprintable() or " " in text:
        return False
    if _SFTP.fullmatch(text):
        return True
    scheme = next((each for each in _WEB if text.startswith(each)), "")
    place_of = text[len(scheme) :]
    try:
        # A store may be named without its scheme, as its documentation has it.
        found = urlsplit(f"https://{place_of}" if scheme == "s3:" and "://" not in place_of else place_of)
        named = bool(found.hostname) and found.port != 0
    except ValueError:
        return False
    # What goes there is encrypted, but not who asks for it, with which password.
    right = found.scheme == "https" or (scheme == "s3:" and found.scheme == "http")
    return bool(scheme) and right and named and not found.query and not found.fragment and (scheme == "rest:" or len(found.path) > 1)


def _directory(name: str, text: str, host: Mapping[str, Any], settings: Settings, backup: BackupSettings) -> _Problems:
    """What is wrong with a directory of the host; the first counts."""
    wrong = NOT_IN_A_PLACE.search(text)
    if wrong:
        return [(f"{name} holds the character {wrong.group()!r}, which units of systemd would read as something else.", "Choose a path without it.")]
    plain = "/" + os.path.normpath(text).lstrip("/")
    if plain != text:
        return [(f"{name} holds a '/', '.' or '..' too many.", f"Write it as {shown(plain)}.")]
    if len(PurePosixPath(text).parts) < MINIMUM_DEPTH:
        return [(f"{name} is not a directory of its own.", _OTHER)]
    facts = host["paths"].get(text) or {}
    if facts.get("exists") and not facts.get("directory"):
        return [(f"{name} is not a directory.", "Remove the file, or choose another path.")]
    return _in_the_way(name, list(dict.fromkeys([text, str(facts.get("real") or text)])), host, settings, backup)


def _in_the_way(name: str, paths: Iterable[str], host: Mapping[str, Any], settings: Settings, backup: BackupSettings) -> _Problems:
    """What of the host a repository must not lie in, or hold; the first counts.

    :param paths: of it, also the one without links.
    """
    known = host["paths"]
    seen = [place(settings.data_root, str(volume["path"])) for volume in settings.volumes if volume.get("target")]
    reals = [str((known.get(source) or {}).get("real") or source) for source in (settings.data_root, *seen)]
    for path in map(PurePosixPath, paths):

        def within(top: str, path: PurePosixPath = path) -> bool:
            return path == PurePosixPath(top) or PurePosixPath(top) in path.parents

        if within(settings.data_root) or within(reals[0]):
            return [(f"{name} lies in xinference_data_root, so it would be lost with what it is a backup of.", _OTHER)]
        if any(map(within, [*seen, *reals])):
            return [(f"{name} lies in a directory that the container sees, so the container could change it.", _OTHER)]
        inner = [source for source in (settings.data_root, *seen, *reals, *backup.directories) if path in PurePosixPath(source).parents]
        if inner:
            return [(f"{name} holds {inner[0]}, so it is no directory of its own.", _OTHER)]
        if any(map(within, backup.directories)):
            return [(f"{name} lies in a directory of the roles.", _OTHER)]
        if not may_be_root(str(path)) or any(top == path or top in path.parents for top in _GONE):
            return [(f"{name} belongs to the system or to a user, or does not last.", _OTHER)]
    return []
