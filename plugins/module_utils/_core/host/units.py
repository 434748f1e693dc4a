# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Units of systemd on this host: the recovery service, the proxy and backups. Standard library only. Private to this collection."""

from __future__ import annotations

import contextlib
import grp
import hashlib
import os
import pwd
import re
import time
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from ..base.bounded import read_bytes, read_json
from ..base.fingerprint import folder_fingerprint
from ..base.messages import one_line
from .certificates import certificate_facts
from .client_environment import Run, client_records
from .paths import files_below

__all__ = ["backup_facts", "proxy_facts", "service_facts", "unit_facts"]

#: Bytes of what the service writes.
_STATE_BYTES = 4 << 20
#: What the service reports of itself and of each model, and of what type.
_STATE = {"ready": bool, "trouble": str, "refused": bool, "models": dict}
#: What systemd is asked of a unit, and the states in which its process runs or is being started.
_SHOWN = ("ActiveState", "SubState", "ExecMainStartTimestamp")
_RUNNING = frozenset({"active", "activating", "reloading"})
#: The same of a timer.
_SHOWN_OF_TIMER = ("ActiveState", "ActiveEnterTimestamp", "LastTriggerUSec")
#: Bytes of what a backup writes about itself, and of its settings.
_BACKUP_BYTES = 1 << 20
_MOST_WARNINGS = 5
_STATUS = {"verified": bool, "files": int, "bytes": int, "failed": str}
_SNAPSHOT = re.compile(r"[0-9a-f]{8,64}")
_TIME = "%Y-%m-%dT%H:%M:%SZ"
#: Where programs of root are looked for.
_PROGRAMS = ("usr/local/sbin", "usr/local/bin", "usr/sbin", "usr/bin")
_STATE_OF_MODEL = {"declared": str, "state": str, "answered": bool, "tries": int, "message": str}


def _fields(content: Any, types: Mapping[str, type]) -> dict[str, Any]:
    """The fields of a dictionary that others wrote.

    :param types: of each of them; there may be more, which are left out.
    :raises TypeError: when it is no such dictionary.
    """

    def fits(value: Any, kind: type) -> bool:
        # For Python, true is a number.
        return isinstance(value, kind) and (kind is bool or not isinstance(value, bool))

    if not isinstance(content, dict) or not all(fits(content.get(name), kind) for name, kind in types.items()):
        raise TypeError
    return {name: content[name] for name in types}


def _service_state(content: Any) -> dict[str, Any]:
    """What the service wrote, when it is of the shape that it writes.

    :raises TypeError: when it is not.
    """
    # A service of an earlier version does not report whether it was refused.
    state = _fields({"refused": False, **content} if isinstance(content, dict) else content, _STATE)
    return {**state, "models": {uid: _fields(model, _STATE_OF_MODEL) for uid, model in state["models"].items()}}


def service_facts(
    units: Sequence[str], user: str, program: str, state: str, client_environment: str | None = None, *, run: Run | None = None, root: Path = Path("/")
) -> dict[str, Any]:
    """The recovery service of this host.

    :param units: names of its units; the first is the service itself.
    :param user: whom it runs as.
    :param program: directory with its program.
    :param state: file in which it writes what it knows.
    :param client_environment: directory of the virtual environment that it runs in.
    :param run: runs a command.
    :param root: where the host's file system begins.
    :returns: ``systemd`` (whether that runs this host), ``units`` (content of the unit files that are there, by name), ``enabled`` and ``active`` of the
        service itself, ``behind`` (whether a unit, the program or the client was written after it started), ``user`` (whether there is that user),
        ``program`` (fingerprint, None without one), ``state`` (None without one, or one that no service writes).
    """
    place = root / program.lstrip("/")
    client = client_records(root / client_environment.lstrip("/")) if client_environment else []
    facts: dict[str, Any] = {
        "systemd": (root / "run/systemd/system").is_dir(),
        **unit_facts(units, root, [*files_below(place, "**/*.py"), *client], run=run),
        "program": folder_fingerprint(place),
        "state": None,
        "user": _is_user(user),
    }
    file = root / state.lstrip("/")
    with contextlib.suppress(OSError, ValueError, TypeError):
        facts["state"] = _service_state(read_json(file.parent, [file.name], _STATE_BYTES))
    return facts


def unit_facts(units: Sequence[str], root: Path, uses: Sequence[Path] = (), *, run: Run | None = None) -> dict[str, Any]:
    """``units`` (content of the unit files that are there, by name), and of the first one ``enabled``, ``active`` and ``behind``.

    :param root: where the host's file system begins.
    :param uses: files that it reads when it starts, besides the units.
    :param run: runs a command; without it no unit is known to run.
    """
    return _facts_of(units, _started(units[0], root, run), root, uses)


def _facts_of(units: Sequence[str], started: float | None, root: Path, uses: Sequence[Path] = ()) -> dict[str, Any]:
    """The same, where it is known when the first one was started."""
    folder = root / "etc/systemd/system"
    found: dict[str, str] = {}
    for name in units:
        with contextlib.suppress(OSError, UnicodeDecodeError):
            found[name] = (folder / name).read_text(encoding="utf-8")
    return {
        "units": found,
        "enabled": (folder / "multi-user.target.wants" / units[0]).is_symlink(),
        "active": started is not None,
        "behind": _is_behind(started, [*(folder / name for name in units), *uses]),
    }


def _started(unit: str, root: Path, run: Run | None) -> float | None:
    """When the process of a unit was started, in seconds since the epoch, rounded up; None when the unit does not run.

    Systemd writes whole seconds, so what was written in the second of the start counts as read.
    """
    if run is None or not (root / "run/systemd/system").is_dir():
        return None
    answers = _shown(unit, _SHOWN, root, run)
    if answers.get("ActiveState") not in _RUNNING or answers.get("SubState", "").startswith("auto-restart"):
        return None
    started = _when(answers.get("ExecMainStartTimestamp", ""))
    # One without is being started, and has no process yet.
    return time.time() if started is None else started.timestamp() + 1


def _words(command: Sequence[str], root: Path, run: Run) -> tuple[int, str]:
    """Status and answer of a command, in plain English and UTC. One that is not there has a status as well."""
    status, answer, _error = run([str(root / "usr/bin/env"), "LC_ALL=C", "TZ=UTC", *command])
    return status, answer


def _shown(unit: str, properties: Sequence[str], root: Path, run: Run) -> dict[str, str]:
    """What systemd says of a unit; empty where it does not answer."""
    status, answer = _words(["systemctl", "show", f"--property={','.join(properties)}", unit], root, run)
    return {} if status else dict(line.partition("=")[::2] for line in answer.splitlines())


def _when(text: str) -> datetime | None:
    """A time as systemd writes it in UTC; None for what is none."""
    try:
        _day, date, clock, _zone = text.split()
        return datetime.strptime(f"{date} {clock}", "%Y-%m-%d %H:%M:%S").replace(tzinfo=timezone.utc)
    except ValueError:
        return None


def _is_behind(since: float | None, files: Sequence[Path]) -> bool:
    """Whether any of some files was written after a moment; no when there was no such moment.

    A run that is cut off between writing a file and starting what reads it leaves it so.

    :param since: seconds since the epoch.
    """
    if since is None:
        return False
    now = time.time()
    for file in files:
        with contextlib.suppress(OSError):
            # A time to come is that of a clock that was wrong.
            if since < file.lstat().st_mtime <= now:
                return True
    return False


def _is_user(name: str) -> bool:
    """Whether this host has a user of this name, and the group of the same name that units name as well."""
    try:
        pwd.getpwnam(name)
        grp.getgrnam(name)
    except KeyError:
        return False
    return True


def proxy_facts(unit: str, user: str, config: str, certificates: Sequence[str], *, run: Run | None = None, root: Path = Path("/")) -> dict[str, Any]:
    """The proxy of this host.

    :param unit: name of its unit.
    :param user: whom its workers run as.
    :param config: its configuration file.
    :param certificates: files with certificates in PEM format.
    :param run: runs a command.
    :param root: where the host's file system begins.
    :returns: ``nginx`` (whether it is installed), ``units``, ``enabled`` and ``active`` as of a service, ``behind`` (whether the unit was written after it
        started), ``unread`` (whether the configuration was written after it was read), ``user`` (whether there is that user), ``config`` (its content, None
        without one), ``certificates`` (what :func:`certificate_facts` returns for those that are there, by path).
    """
    name, file = unit.partition(".service")[0], root / config.lstrip("/")
    # It is touched with each reload, and goes with the unit; until then the start counts.
    reloaded = root / "run" / name / "reloaded"
    started = _started(unit, root, run)
    facts: dict[str, Any] = {
        "nginx": os.access(root / "usr/sbin/nginx", os.X_OK),
        **_facts_of([unit], started, root),
        "unread": _is_behind(reloaded.lstat().st_mtime if reloaded.exists() else started, [file]),
        "user": _is_user(user),
        "config": None,
        "certificates": {},
    }
    with contextlib.suppress(OSError, UnicodeDecodeError):
        facts["config"] = file.read_text(encoding="utf-8")
    for path in certificates:
        with contextlib.suppress(OSError):
            facts["certificates"][path] = certificate_facts((root / path.lstrip("/")).read_bytes())
    return facts


def _backup_status(content: Any) -> dict[str, Any]:
    """What the last backup wrote, when it is of the shape that it writes.

    :raises TypeError: when it is not.
    :raises ValueError: when a time in it is none.
    """
    status = _fields(content, {"version": int, **_STATUS})
    if status.pop("version") != 1 or min(status["files"], status["bytes"]) < 0:
        raise TypeError
    for name in ("last_success", "last_attempt"):
        status[name] = content.get(name)
        if status[name] is not None:
            datetime.strptime(status[name], _TIME)
    status["snapshot"] = content.get("snapshot")
    if status["snapshot"] is not None and not _SNAPSHOT.fullmatch(status["snapshot"]):
        raise TypeError
    warnings = content.get("warnings")
    status["warnings"] = [one_line(str(each)) for each in warnings[:_MOST_WARNINGS]] if isinstance(warnings, list) else []
    return {**status, "failed": one_line(status["failed"])}


def _timer(unit: str, root: Path, run: Run | None) -> tuple[float | None, str | None]:
    """Since when a timer is active, in seconds since the epoch, rounded up, and when it last started its unit; None for what is not the case."""
    answers = _shown(unit, _SHOWN_OF_TIMER, root, run) if run is not None and (root / "run/systemd/system").is_dir() else {}
    entered, triggered = _when(answers.get("ActiveEnterTimestamp", "")), _when(answers.get("LastTriggerUSec", ""))
    active = answers.get("ActiveState") == "active"
    since = None if not active else time.time() if entered is None else entered.timestamp() + 1
    return since, None if triggered is None else triggered.strftime(_TIME)


def _is_available(package: str, root: Path, run: Run | None) -> bool | None:
    """Whether the package manager of Debian and Ubuntu knows a package; None where it has no lists yet, or is another one."""
    if run is None or not files_below(root / "var/lib/apt/lists", "*_Packages*"):
        return None
    status, answer = _words(["apt-cache", "policy", package], root, run)
    return None if status else re.search(r"^  Candidate: (?!\(none\))\S", answer, re.MULTILINE) is not None


def _taken(schedule: str, root: Path, run: Run | None) -> str | None:
    """What systemd makes of a schedule: fine, refused, or never, where it will not come any more; None where it cannot be asked."""
    if run is None or not (root / "run/systemd/system").is_dir():
        return None
    status, answer = _words(["systemd-analyze", "calendar", "--", schedule], root, run)
    # That of env, where there is no such program.
    if status == 127:
        return None
    return "refused" if status else "never" if re.search(r"^ *Next elapse: never$", answer, re.MULTILINE) else "fine"


def backup_facts(
    units: Sequence[str],
    directory: str,
    program: str,
    status: str,
    *,
    package: bool = False,
    schedule: str | None = None,
    run: Run | None = None,
    root: Path = Path("/"),
) -> dict[str, Any]:
    """The backups of this host.

    :param units: names of the units; the first makes a backup, and the last is its timer.
    :param directory: with the settings.
    :param program: directory with the program.
    :param status: file in which a backup writes what became of it.
    :param package: whether the package manager is asked for restic, where it is not installed.
    :param schedule: what systemd is asked whether it takes it, unless a unit has it already; empty for none.
    :param run: runs a command.
    :param root: where the host's file system begins.
    :returns: ``restic`` (whether it is installed), ``available`` (whether the package manager knows it, None where that was not asked), ``units`` as of a
        service, ``enabled`` and ``active`` of the timer, ``behind`` (whether a unit was written after the timer was started), ``triggered`` (when it last
        started its unit, in UTC, None for never), ``schedule`` (fine, refused or never, None where that was not asked), ``program`` (fingerprint, None
        without one), ``settings`` (SHA-256 of the settings, None without any), ``restore`` (whether one was
        cut off before all files were in place), ``status`` (None without one, or one that no backup writes) and ``damaged`` (whether it is one that no backup
        writes).
    """
    restic = any(os.access(root / folder / "restic", os.X_OK) for folder in _PROGRAMS)
    found = _facts_of(units, None, root)
    since, triggered = _timer(units[-1], root, run) if units[-1] in found["units"] else (None, None)
    unasked = not schedule or f"\nOnCalendar={schedule}\n" in found["units"].get(units[-1], "")
    facts: dict[str, Any] = {
        "restic": restic,
        "available": None if restic or not package else _is_available("restic", root, run),
        **found,
        "enabled": (root / "etc/systemd/system/timers.target.wants" / units[-1]).is_symlink(),
        "active": since is not None,
        "behind": _is_behind(since, [root / "etc/systemd/system" / name for name in units]),
        "triggered": triggered,
        "schedule": None if unasked else _taken(str(schedule), root, run),
        "program": folder_fingerprint(root / program.lstrip("/")),
        "settings": None,
        "restore": False,
        "status": None,
        "damaged": False,
    }
    with contextlib.suppress(OSError):
        facts["settings"] = hashlib.sha256(read_bytes(root / directory.lstrip("/"), ["settings.json"], _BACKUP_BYTES)).hexdigest()
    file = root / status.lstrip("/")
    with contextlib.suppress(OSError, ValueError, TypeError):
        facts["restore"] = _fields(read_json(file.parent, ["restore.json"], _BACKUP_BYTES), {"state": str})["state"] != "placed"
    try:
        facts["status"] = _backup_status(read_json(file.parent, [file.name], _BACKUP_BYTES))
    except FileNotFoundError:
        pass
    except (OSError, ValueError, TypeError):
        facts["damaged"] = True
    return facts
