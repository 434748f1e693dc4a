# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How far each model is, as lines for the operator, and the file that carries them to the controller. Private to this collection.

The module runs on the host until its models are ready. It writes a line to a file at each poll; the action plugin on the controller reads
what is new from time to time. Each line of the file is a JSON object with a number of its own: what a login shell or a terminal adds to the
answer of a command is no such object, and the number shows where to go on.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from ..base.bounded import parse_json
from ..server.rows import Progress

__all__ = ["ProgressFile", "latest_lines", "progress_file", "progress_line"]

#: Stages of the server that show less than the state of the instance.
_VAGUE = frozenset({"", "pending", "launching", "completed"})
#: The only stage whose per cent means something; the server starts again from 0 for the next.
_DOWNLOADING = "downloading"
_INSTALLING = "installing_dependencies"
_UNITS = ("B", "kB", "MB", "GB", "TB")


def _number(value: Any) -> float | None:
    """A finite number that is not negative, else None."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value) or value < 0:
        return None
    return float(value)


def _size(count: float) -> str:
    """A number of bytes in the unit that hubs show, such as ``98 MB``."""
    power = 0
    # 999.5 would be rounded to 1000.
    while count >= 999.5 and power < len(_UNITS) - 1:
        count /= 1000
        power += 1
    return f"{count:.1f} {_UNITS[power]}" if power > 2 else f"{count:.0f} {_UNITS[power]}"


def _files(answer: Progress) -> dict[tuple[str, str], tuple[float, float | None]]:
    """Bytes so far and in all, if known, of each file; a file that the server shows twice counts once."""
    found: dict[tuple[str, str], tuple[float, float | None]] = {}
    listed = answer.get("download_files")
    for item in listed if isinstance(listed, list) else []:
        if not isinstance(item, Mapping):
            continue
        done, total = _number(item.get("downloaded_bytes")), _number(item.get("total_bytes"))
        if done is not None:
            name = (str(item.get("replica_model_uid")), str(item.get("name")))
            found[name] = max(found.get(name, (0.0, None)), (done, total or None), key=lambda pair: (pair[0], pair[1] or 0))
    return found


def _downloading(answer: Progress, done: float | None) -> str:
    """A download: per cent and bytes.

    The server's own per cent counts each file alike, whatever its size, and in a launch the whole download is only 80 of them. So the bytes
    show it, but where there are several bars nobody knows the size of those files that have not begun.
    """
    files = list(_files(answer).values())
    if len(files) == 1 and files[0][1]:
        return f"{_DOWNLOADING} {_per_cent(files[0][0] / files[0][1])} % of {_size(files[0][1])}"
    # A server whose downloads show no bars, as without a terminal, reports 0 all the time.
    words = f"{_DOWNLOADING} {_per_cent(done)} %" if done else _DOWNLOADING
    return f"{words}, {_size(sum(file[0] for file in files))}" if files else words


def _installing(answer: Progress) -> str:
    """An installation of packages: how many of how many, as far as the replica that is least far."""
    words = _INSTALLING.replace("_", " ")
    counts: list[tuple[int, int]] = []
    replicas = answer.get("replicas")
    for replica in replicas if isinstance(replicas, list) else []:
        if isinstance(replica, Mapping):
            done, total = _number(replica.get("dependency_install_completed")), _number(replica.get("dependency_install_total"))
            if done is not None and total:
                counts.append((int(done), int(total)))
    if not counts:
        return words
    done, total = min(counts)
    return f"{words}, {done} of {total}"


def _per_cent(part: float) -> int:
    """A share in whole per cent, rounded down: 100 is the end and nothing before it."""
    return min(100, math.floor(part * 100 + 1e-6))


def progress_line(uid: str, state: str, answer: Progress, seconds: float) -> str:
    """One line that shows how far a model is, such as ``chat: downloading 41 % of 98 MB, 12 s``.

    :param uid: the model.
    :param state: its state, such as creating or loading.
    :param answer: what the server reports of its progress: ``stage``, ``progress`` from 0 to 1 and ``download_files``. Servers before 4.1 say
        less; what is missing or strange is left out.
    :param seconds: since work on it began.
    """
    stage = str(answer.get("stage") or "")
    done = _number(answer.get("progress"))
    if stage == _DOWNLOADING or (state == _DOWNLOADING and stage in _VAGUE):
        words = _downloading(answer, done)
    elif stage == _INSTALLING:
        words = _installing(answer)
    elif stage in _VAGUE:
        # A server that knows no stages counts download and loading together.
        words = f"{state}, {_per_cent(done)} %" if "stage" not in answer and done and done < 1 else state
    else:
        words = stage.replace("_", " ")
    text = f"{uid}: {words}, {seconds:.0f} s"
    return "".join(sign for sign in text if sign.isprintable())


class ProgressFile:
    """The file of the host that carries the lines to the controller. What goes wrong with it never hurts the run.

    :param path: of a file that does not exist yet; it is made for its owner only.
    :param interval: seconds between two polls of the controller. A model gets a line twice as often, and one for each new state.
    """

    def __init__(self, path: str, interval: float, clock: Callable[[], float] = time.monotonic) -> None:
        self.path = path
        self.pause = interval / 2
        self.clock = clock
        self.count = 0
        self.last: dict[str, tuple[float, tuple[str, str]]] = {}
        self.handle: int | None = None
        with contextlib.suppress(OSError, ValueError):
            # Others may write to the directory: neither their file nor their link is followed.
            self.handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)

    def report(self, uid: str, state: str, answer: Progress, seconds: float) -> None:
        """Write how far a model is; the parameters are those of :func:`progress_line`."""
        now, kind = self.clock(), (state, str(answer.get("stage") or ""))
        before = self.last.get(uid)
        if self.handle is None or (before is not None and before[1] == kind and now - before[0] < self.pause):
            return
        self.last[uid] = (now, kind)
        self.count += 1
        row = {"number": self.count, "uid": uid, "line": progress_line(uid, state, answer, seconds)}
        try:
            os.write(self.handle, (json.dumps(row) + "\n").encode("ascii"))
        except OSError:
            self.close()

    def close(self) -> None:
        """Remove the file."""
        if self.handle is not None:
            with contextlib.suppress(OSError):
                os.close(self.handle)
            self.handle = None
            with contextlib.suppress(OSError):
                Path(self.path).unlink()


@contextlib.contextmanager
def progress_file(path: str, interval: float) -> Iterator[ProgressFile]:
    """A :class:`ProgressFile` that is removed at the end, also when the process is asked to end, as when an operator interrupts a run."""

    def end(number: int, _frame: Any) -> None:
        raise SystemExit(128 + number)

    # One that is ignored stays ignored: a module in the background outlives the terminal that began it.
    signals = [number for number in (signal.SIGTERM, signal.SIGHUP) if signal.getsignal(number) is signal.SIG_DFL]
    file = ProgressFile(path, interval)
    try:
        for number in signals:
            signal.signal(number, end)
        yield file
    finally:
        file.close()
        for number in signals:
            signal.signal(number, signal.SIG_DFL)


def latest_lines(text: str, after: int) -> tuple[dict[str, str], int]:
    """The latest line of each model in a part of a :class:`ProgressFile`.

    :param text: what a command answered; anything but whole lines of the file is passed over.
    :param after: number of the last line that is known already.
    :returns: lines by uid, and the number of the last line now.
    """
    lines: dict[str, str] = {}
    for part in text.splitlines():
        try:
            row = parse_json(part)
            number, uid, line = row["number"], row["uid"], row["line"]
        except (ValueError, TypeError, KeyError):
            continue
        if isinstance(number, int) and isinstance(uid, str) and isinstance(line, str) and number > after:
            after = number
            # Printed unchanged on a user's terminal.
            lines[uid] = "".join(sign for sign in line if sign.isprintable())
    return lines, after
