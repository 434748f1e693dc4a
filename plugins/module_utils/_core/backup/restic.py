# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The program restic, which keeps the snapshots: encrypted, deduplicated, in a directory or elsewhere. Private to this collection."""

from __future__ import annotations

import os
import random
import re
import shutil
import signal
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath

from ..base.messages import one_line
from . import status_file
from .command import Answer, Run, longest, run
from .contents import WORK, BackupError
from .settings import Secrets, Settings
from .snapshot import FILES_TAG, NAMES_TAG, SNAPSHOT_ID, Snapshot, parsed, read_snapshot

__all__ = ["Locked", "NoRepository", "Restic", "Snapshot"]

#: How many of the last snapshots are kept in any case.
_LAST = 3
_TAG = "inferops.xinference"
#: Seconds that files of models may take: gigabytes, to a place far away.
_FILES_LONGEST = 86_400.0
#: What the patterns of restic read as something else.
_SPECIAL = re.compile(r"([*?\[\]\\])")
#: Seconds for which a repository is waited for that another process uses, and between two tries, at least and at most.
_BUSY, _PAUSE = 600.0, (5.0, 20.0)
#: What restic says, of any version, and what it means.
# A store that refuses, or does not answer, asks whether there is one, too.
_NONE = re.compile(r"(?s)(?:config file|repository).*(?:no such file|does not exist|NoSuchKey|404 Not Found)")
_PASSWORD = re.compile(r"wrong password or no key found")
# "Unable to create lock" alone is said for a full or read-only place, too.
_LOCKED = re.compile(r"already locked")
_ROOM = re.compile(r"no space left on device", re.IGNORECASE)
#: What restic answers that was stopped: its own exit code, or the shell's.
_STOPPED = (130, -signal.SIGINT)
#: Variables of the environment that restic gets besides its own.
_PASSED = ("PATH", "LANG", "SSL_CERT_FILE", "HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY", "https_proxy", "http_proxy", "no_proxy")


#: Exit code of a shell that does not find a command, and what to do.
_NO_COMMAND, _MISSING = 127, "restic is not installed on this host; provision it with xinference_backup"


class NoRepository(BackupError):
    """There is no repository."""


class Locked(BackupError):
    """Another process uses the repository."""


class Restic:
    """The repository of this host's snapshots.

    :param settings: of the host's backups.
    :param secrets: its password and credentials.
    :param call: runs restic.
    :param clock: returns seconds.
    :param sleep: waits for so many.
    """

    def __init__(
        self,
        settings: Settings,
        secrets: Secrets,
        call: Run = run,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.settings = settings
        self.secrets = secrets
        self.call = call
        self.clock = clock
        self.sleep = sleep
        self.program = shutil.which("restic") or "/usr/bin/restic"
        #: The snapshots of one container, as restic is asked for them. Both tags must be there.
        self.tags = ["--tag", f"{_TAG},container={settings.container}"]
        self.files_tags = ["--tag", f"{FILES_TAG},container={settings.container}"]
        #: Seconds that it may take to remove what is not needed, and to check the rest; None for the usual ones.
        self._tidying = _FILES_LONGEST if settings.model_files else None

    def _environment(self) -> dict[str, str]:
        passed = {name: os.environ[name] for name in _PASSED if name in os.environ}
        return {
            **{"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", **passed, "HOME": "/root"},
            **self.secrets.environment,
            "RESTIC_REPOSITORY": self.settings.repository,
            "RESTIC_PASSWORD": self.secrets.password,
            "RESTIC_CACHE_DIR": str(Path(self.settings.state_directory, "cache")),
            "RESTIC_PROGRESS_FPS": "0",
            # Snapshots are sorted by their times as texts, and local time is turned back once a year.
            "TZ": "UTC",
        }

    def _ask(self, *arguments: str, again: bool = True, seconds: float | None = None) -> str:
        """What restic answers.

        :param again: whether to remove locks of processes that are dead, and to try again.
        :param seconds: as of :func:`run`.
        :raises BackupError: when it fails, with its last words.
        """
        return self._judged(self._answer(arguments, None, seconds), arguments, again, seconds)

    def _answer(self, arguments: Sequence[str], gate: int | None = None, seconds: float | None = None) -> Answer:
        """What restic answers, whether or not it succeeds.

        :param gate: and ``seconds`` as of :func:`run`.
        :raises BackupError: when it cannot be run.
        """
        try:
            return self.call([self.program, *arguments], self._environment(), gate, seconds)
        except (OSError, ValueError) as error:
            if isinstance(error, FileNotFoundError) and not os.path.exists(self.program):
                raise BackupError(_MISSING) from error
            # ValueError: a variable that no environment can hold.
            raise BackupError(f"restic {arguments[0]} cannot be run: {getattr(error, 'strerror', None) or error}") from error

    def _judged(self, answer: Answer, arguments: Sequence[str], again: bool, seconds: float | None = None) -> str:
        """The output of a call that succeeded; parameters and errors as of :meth:`_ask`."""
        if answer.status == 0:
            return answer.output
        if answer.status == _NO_COMMAND and not os.path.exists(self.program):
            raise BackupError(_MISSING)
        words = self._words(answer.error or answer.output)
        if answer.status is None:
            limit = longest(arguments[0]) if seconds is None else seconds
            raise BackupError(f"restic {arguments[0]} did not end within {limit:g} s for the repository {self.settings.repository}: {words}")
        if _PASSWORD.search(answer.error):
            raise BackupError(f"xinference_backup_password does not open the repository {self.settings.repository}: {words}")
        if _LOCKED.search(answer.error):
            if again:
                return self._again(*arguments, seconds=seconds)
            raise Locked(f"the repository {self.settings.repository} is locked by another process: {words}")
        if _NONE.search(answer.error):
            raise NoRepository(f"there is no repository at {self.settings.repository}: {words}")
        if _ROOM.search(answer.error) and "--include" in arguments:
            raise BackupError(f"there is no room for the files of models that restic reads back: {words}")
        if _ROOM.search(answer.error) and arguments[0] == "restore":
            raise BackupError(f"there is no room in memory for what restic reads back: {words}")
        if _ROOM.search(answer.error):
            raise BackupError(f"there is no room in the repository {self.settings.repository}: {words}")
        raise BackupError(f"restic {arguments[0]} failed for the repository {self.settings.repository}: {words}")

    def _again(self, *arguments: str, seconds: float | None = None) -> str:
        """What restic answers when the repository is not locked any more. Hosts that share one meet there, and each removes old snapshots alone."""
        end = self.clock() + _BUSY
        while True:
            # It removes only those whose process is dead, or that nobody renewed for half an hour.
            self._ask("unlock", again=False)
            try:
                return self._ask(*arguments, again=False, seconds=seconds)
            except Locked:
                if self.clock() > end:
                    raise
                self.sleep(random.uniform(*_PAUSE))  # noqa: S311  no secret

    def _words(self, text: str) -> str:
        """What restic says of an error, on one line, without the secrets that it was given."""
        # The longest first, because one may be a part of another; and before anything is cut off, by which one would not be known any more.
        for secret in sorted((self.secrets.password, *self.secrets.environment.values()), key=len, reverse=True):
            text = text.replace(secret, "********") if len(secret) > 3 else text
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        return one_line(" ".join(lines[-3:])) or "it gave no reason"

    def ready(self, check: bool = False) -> bool:
        """Open the repository, and make it where there is none; whether it was made.

        :param check: only look whether it would be made.
        :raises BackupError: when it cannot be opened or made.
        """
        try:
            self._ask("cat", "config", "--no-lock")
        except NoRepository:
            if status_file.repository(self.settings.state_directory) == self.settings.repository:
                raise BackupError(
                    f"there is no repository at {self.settings.repository} any more, where this host made a backup before; mount it, or remove "
                    f"{self.settings.state_directory}/{status_file.NAME} for a new one"
                ) from None
            if check:
                return True
            if self.settings.local is not None:
                try:
                    self.settings.local.mkdir(mode=0o700, parents=True, exist_ok=True)
                except OSError as error:
                    raise BackupError(f"the repository {self.settings.repository} cannot be made: {error.strerror}") from error
            self._ask("init")
            return True
        return False

    @contextmanager
    def saving(self, folder: Path, files: str = "") -> Iterator[Callable[[], str]]:
        """Make a snapshot of a directory that is filled meanwhile.

        It takes restic half a second to open a repository. So it begins at once, and waits where it would read which files to leave out, which no version
        does before it has opened the repository, or after it has read the first file.

        :param folder: the directory, which is there already.
        :param files: ID of the snapshot with the files of its models; empty where there is none.
        :returns: what to call when everything is in the directory: it returns the ID of the snapshot. Where it is not called, there is none.
        :raises BackupError: when that fails; of the function, too.
        """
        tags = [part for tag in (*self.tags[1].split(","), *([NAMES_TAG + files] if files else [])) for part in ("--tag", tag)]
        arguments = ["backup", "--json", "--host", self.settings.host, *tags]
        waiting = [*arguments, "--exclude-file", "/proc/self/fd/0", str(folder)]
        gate, key = os.pipe()
        complete = False
        with ThreadPoolExecutor(1) as pool, os.fdopen(gate), os.fdopen(key, "wb", buffering=0) as door:
            answer = pool.submit(self._answer, waiting, gate)

            def finish() -> str:
                nonlocal complete
                complete = True
                door.write(b"go\n")
                # Where it has to be asked again, everything is there, and nothing is waited for.
                return self._named(self._judged(answer.result(), [*arguments, str(folder)], True))

            try:
                yield finish
            finally:
                if not complete:
                    door.close()
                    with suppress(BackupError):
                        ended = answer.result()
                        if ended.status == 0:
                            # Where it was started with interrupts ignored, as by nohup, it is not stopped. What it saved is of half of the files, and must
                            # not take the place of a good one.
                            self._ask("forget", self._named(ended.output))
                        elif ended.status in _STOPPED:
                            # Another host could not see that the process is dead whose lock this is.
                            self._ask("unlock", again=False)

    @staticmethod
    def _named(output: str) -> str:
        """The ID of the snapshot that restic has made.

        :raises BackupError: when there is none.
        """
        for line in reversed(output.splitlines()):
            if '"summary"' in line:
                row = parsed(line, "backup")
                found = row.get("snapshot_id") if isinstance(row, dict) else None
                if isinstance(found, str) and SNAPSHOT_ID.fullmatch(found):
                    return found
        raise BackupError("restic backup named no snapshot")

    def fetch(self, snapshot: str, target: Path) -> None:
        """Write what a snapshot holds below a directory, with its whole path.

        :raises BackupError: when that fails.
        """
        self._ask("restore", snapshot, "--target", str(target))

    def fetch_fresh(self, snapshot: str, target: Path) -> None:
        """The same of a snapshot that was made a moment ago, which nobody removes; parameters and errors as of :meth:`fetch`."""
        try:
            # To lock the repository takes restic a fifth of a second.
            self._ask("restore", "--no-lock", snapshot, "--target", str(target))
        except BackupError:
            # Another host that removes old snapshots may have moved what it holds.
            shutil.rmtree(target, ignore_errors=True)
            self.fetch(snapshot, target)

    def read(self, snapshot: Snapshot, name: str) -> str:
        """A file of a snapshot; what is longer than an answer may be is cut.

        :param name: of the file, in the directory that it holds.
        :raises BackupError: when it cannot be read.
        """
        return self._ask("dump", "--no-lock", snapshot.id, str(PurePosixPath("/", snapshot.path, name)))

    def save_files(self, paths: Sequence[str], parent: str | None = None) -> str:
        """Make a snapshot of files of models, as they lie on this host; its ID.

        :param paths: files and directories.
        :param parent: ID of a snapshot in which files that did not change are not read again, wherever else there are more or fewer of them.
        :raises BackupError: when that fails.
        """
        tags = [part for tag in self.files_tags[1].split(",") for part in ("--tag", tag)]
        arguments = ["backup", "--json", "--host", self.settings.host, *tags, "--exclude", WORK, *(["--parent", parent] if parent else []), *paths]
        return self._named(self._ask(*arguments, seconds=_FILES_LONGEST))

    def listed(self, snapshot: str) -> dict[str, tuple[int, str]]:
        """The files in a snapshot: path → bytes, and when it was changed last, as :func:`~.snapshot.changed` writes it.

        :raises BackupError: when they cannot be listed.
        """
        found: dict[str, tuple[int, str]] = {}
        for line in self._ask("ls", "--json", "--no-lock", snapshot).splitlines():
            row = parsed(line, "ls")
            if isinstance(row, dict) and row.get("type") == "file":
                # It names no size of an empty file.
                size = row.get("size", 0)
                found[str(row.get("path"))] = (size if isinstance(size, int) else -1, str(row.get("mtime")))
        return found

    def fetch_files(self, snapshot: str, target: str, paths: Sequence[str]) -> None:
        """Write some of the files in a snapshot below a directory, each with its whole path.

        :param paths: as the snapshot has them, of files or directories.
        :raises BackupError: when that fails.
        """
        wanted = [part for path in paths for part in ("--include", _SPECIAL.sub(r"\\\1", path))]
        self._ask("restore", snapshot, "--target", target, *wanted, seconds=_FILES_LONGEST)

    def forget_files(self) -> None:
        """Remove the snapshots with files of models that no other snapshot of this host names any more, and what only they hold. The newest one stays.

        :raises BackupError: when that fails.
        """
        found = self._listed([*self.tags, *self.files_tags], self.settings.host)
        names, holding = {each.files for each in found if each.files}, [each for each in found if each.has_files]
        if not all(any(each.is_called(name) for each in holding) for name in names):
            # Whoever removed or renamed some by hand may bring them back.
            return
        unnamed = [each.id for each in holding[:-1] if not any(map(each.is_called, names))]
        if unnamed:
            self._ask("forget", "--prune", *unnamed, seconds=self._tidying)

    def known_as(self, names: Collection[str]) -> dict[str, str]:
        """The IDs by which snapshots of files are known now that are named in some way; those that there are none of are left out; errors as of above."""
        found = self._listed(["--tag", FILES_TAG], None) if names else []
        return {name: each.id for name in names for each in found if each.is_called(name)}

    def forget(self) -> None:
        """Remove the snapshots of this host that are not to be kept, and what only they hold.

        :raises BackupError: when that fails.
        """
        # Those of one container on one host alone are asked for, and each may have a tag of its own, by which they are not to be counted apart.
        # Of a day only its last one is kept, and an operator may want the one from before a change at noon.
        keep = ["--keep-last", str(_LAST), "--keep-daily", str(self.settings.keep_daily)]
        if self.settings.keep_weekly:
            keep += ["--keep-weekly", str(self.settings.keep_weekly)]
        self._ask("forget", "--host", self.settings.host, *self.tags, "--group-by", "host", *keep, "--prune", seconds=self._tidying)

    def check(self) -> None:
        """See that the repository is whole.

        :raises BackupError: when it is not.
        """
        self._ask("check", seconds=self._tidying)

    def snapshots(self, host: str | None = None, every: bool = False) -> list[Snapshot]:
        """The snapshots of the container, the oldest first.

        :param host: of which host; None for all.
        :param every: of whatever container.
        :raises BackupError: when they cannot be listed.
        """
        return self._listed(["--tag", _TAG] if every else self.tags, host)

    def with_files(self) -> list[Snapshot]:
        """The snapshots of this host that hold files of models, the oldest first; errors as of :meth:`snapshots`."""
        return self._listed(self.files_tags, self.settings.host)

    def _listed(self, which: Sequence[str], host: str | None) -> list[Snapshot]:
        """The snapshots with some tags, the oldest first; parameters and errors as of :meth:`snapshots`."""
        answer = self._ask("snapshots", "--json", "--no-lock", *which, *(["--host", host] if host else []))
        found = parsed(answer or "[]", "snapshots")
        rows = [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []
        return sorted((read_snapshot(each) for each in rows), key=lambda each: each.time)
