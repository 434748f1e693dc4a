# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a running model was really launched with. Private to this collection.

A server reports only a part of a launch request. The rest is known from, in this order: our own record of this very launch, the
worker's file with the arguments of what it runs, and the autostart entry where the server reports that it launched the model from it.
Where none of them can be read, nothing is assumed.

Our own record is a row of the server's launch history under the name :data:`RECORD`. So it is wherever the server is, and every
controller finds it. Servers without a history leave a file of the host for it.
"""

from __future__ import annotations

import calendar
import json
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..base.bounded import parse_json, read_regular
from ..base.errors import XinferenceError
from ..base.private_file import replace_private
from ..server.rows import AutostartPolicy, AutostartRow, HistoryRow

__all__ = ["RECORD", "RECORDED", "Applied", "Entry", "Record", "StateFile", "cleaned", "entries_of", "launched_by_entry", "recorded"]

#: Name of our rows in the launch history; no model has it, so the user interface does not offer them.
RECORD = "inferops.xinference"
#: The source of what our own record holds.
RECORDED = "record"
#: Seconds from the moment in which autostart begins until the server makes the instance.
_BEGIN = 15
#: Arguments of a worker that are no options of an engine, and what it takes where nothing was asked for.
_OF_THE_WORKER = frozenset({"shard", "driver_info", "xavier_config", "launch_ts", "n_worker", "model_python_executable", "download_cache_uid", "gpu_idx"})
#: Used up before the worker gets the request, so its file does not hold them.
_USED_UP = frozenset({"worker_ip", "gpu_idx", "n_worker"})
_ADDED_VARIABLES = frozenset({"PYTORCH_CUDA_ALLOC_CONF"})
#: Filled in by the server: the argument alone does not show whether anybody asked for it.
FILLED_IN = frozenset({"download_hub", "n_gpu"})


@dataclass(frozen=True)
class Record:
    """What we wrote down when we launched a model.

    :param request: the launch request.
    :param created: when the server made the instance, in seconds since the epoch.
    :param registration: the custom model's specification as it was declared, None without one.
    :param unanswered: whether the model did not answer when it was asked for the first time.
    """

    request: dict[str, Any]
    created: int
    registration: dict[str, Any] | None = None
    unanswered: bool = False

    @classmethod
    def read(cls, data: Mapping[str, Any]) -> Record:
        """A record out of :meth:`data`."""
        return cls(dict(data["request"]), data["created"], data.get("registration"), data.get("unanswered") is True)

    def data(self) -> dict[str, Any]:
        """The record as it is stored."""
        kept = {"request": self.request, "created": self.created, "registration": self.registration}
        return {**kept, "unanswered": True} if self.unanswered else kept


@dataclass(frozen=True)
class Applied:
    """What a running model was launched with.

    :param request: in the terms of a launch request, without empty values.
    :param source: :data:`RECORDED`, ``worker`` or ``autostart``.
    :param hidden: keys of the request that the source does not hold.
    """

    request: dict[str, Any]
    source: str
    hidden: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Entry:
    """An enabled autostart entry.

    :param uid: name under which the model is served.
    :param priority: which entry comes first: the lowest.
    :param max_retries: how often the server tries.
    :param retry_interval_seconds: seconds between two tries.
    :param launch: its launch request; None when another account owns it, to whom alone the server shows it.
    :param updated: when it was written, in seconds since the epoch.
    """

    uid: str
    priority: int
    max_retries: int
    retry_interval_seconds: int
    launch: dict[str, Any] | None = None
    updated: float = field(default=0.0, compare=False)

    @property
    def policy(self) -> AutostartPolicy:
        """When and how often the server tries."""
        return {"priority": self.priority, "max_retries": self.max_retries, "retry_interval_seconds": self.retry_interval_seconds}


def cleaned(request: Mapping[str, Any]) -> dict[str, Any]:
    """A launch request without empty values, as the server stores it."""
    return {key: value for key, value in request.items() if value is not None}


def from_worker(arguments: Mapping[str, Any], uid: str, replicas: int) -> Applied:
    """What a model was launched with, by a worker's arguments.

    :param arguments: of one copy.
    :param uid: the model.
    :param replicas: how many replicas there are.
    """
    request = cleaned({key: value for key, value in arguments.items() if key not in _OF_THE_WORKER})
    hidden = set(_USED_UP)
    if isinstance(request.get("peft_model_config"), str):
        # Written as the name of an object.
        del request["peft_model_config"]
        hidden.add("peft_model_config")
    if isinstance(request.get("envs"), Mapping):
        # The server adds these for some models.
        request["envs"] = {name: value for name, value in request["envs"].items() if name not in _ADDED_VARIABLES}
        if not request["envs"]:
            del request["envs"]
    return Applied({**request, "model_uid": uid, "replica": replicas}, "worker", frozenset(hidden))


def _is_record(data: Any) -> bool:
    """Whether a stored value is a record of ours."""
    return isinstance(data, Mapping) and isinstance(data.get("request"), Mapping) and isinstance(data.get("created"), int)


def recorded(rows: Iterable[HistoryRow]) -> dict[str, Record]:
    """Our own rows of the launch history, by uid; rows of other accounts do not show their content."""
    found: dict[str, Record] = {}
    for row in rows:
        data = row.get("data")
        if row.get("model_name") == RECORD and row.get("is_owner", True) and isinstance(data, Mapping) and _is_record(data):
            found[str(row.get("model_uid"))] = Record.read(data)
    return found


def _seconds(stamp: Any) -> float:
    """Seconds since the epoch of a time such as 2026-01-31T12:00:00Z; 0 when it is none."""
    try:
        return float(calendar.timegm(time.strptime(str(stamp)[:19], "%Y-%m-%dT%H:%M:%S")))
    except ValueError:
        return 0.0


def entries_of(rows: Iterable[HistoryRow]) -> dict[str, Entry]:
    """Enabled autostart entries in the launch history, by uid."""
    found: dict[str, Entry] = {}
    for row in rows:
        if not row.get("autostart_enabled"):
            continue
        uid = str(row.get("model_uid") or row.get("model_name"))
        data = row.get("data")
        readable = row.get("is_owner", True) and isinstance(data, Mapping)
        found[uid] = Entry(
            uid=uid,
            priority=int(row["autostart_priority"]),
            max_retries=int(row["autostart_max_retries"]),
            retry_interval_seconds=int(row["autostart_retry_interval_seconds"]),
            launch=cleaned(data) if readable and isinstance(data, Mapping) else None,
            updated=_seconds(row.get("updated_at")),
        )
    return found


def launched_by_entry(entry: Entry, answers: Iterable[AutostartRow], created: int) -> bool:
    """Whether the server launched a model from its autostart entry as it is now.

    :param answers: autostart entries with their states.
    :param created: when the server made the instance.
    """
    for answer in answers:
        if (answer.get("launch") or {}).get("model_uid") == entry.uid and entry.launch is not None:
            begun = (answer.get("state") or {}).get("last_attempt_ts")
            return isinstance(begun, int) and entry.updated <= begun and 0 <= created - begun <= _BEGIN
    return False


class StateFile:
    """Records in a file of this host that only its owner can read, for servers without a launch history.

    :param path: where; None keeps no records.
    """

    def __init__(self, path: str | None) -> None:
        self.path = Path(path) if path else None

    def load(self) -> dict[str, Record]:
        """The records by uid; a file that is damaged counts as none, because nothing may be assumed from it."""
        if self.path is None:
            return {}
        try:
            content = parse_json(read_regular(self.path))
        except FileNotFoundError:
            return {}
        except OSError as error:
            raise XinferenceError(f"state_path '{self.path}' cannot be read: {error.strerror}.") from error
        except ValueError:
            return {}
        if not isinstance(content, Mapping):
            return {}
        return {str(uid): Record.read(data) for uid, data in content.items() if _is_record(data)}

    def save(self, records: Mapping[str, Record]) -> None:
        """Replace the file in one step, so that a power cut leaves the old or the new one."""
        if self.path is None:
            return
        try:
            # It holds whole requests, secrets included.
            replace_private(self.path, json.dumps({uid: record.data() for uid, record in sorted(records.items())}))
        except OSError as error:
            raise XinferenceError(f"state_path '{self.path}' cannot be written: {error.strerror}.") from error
