# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the server reports, in one picture. Private to this collection.

:func:`observe` reads the models and is what waiting repeats; :func:`survey` reads everything that a plan needs, once.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, cast

from ..base.errors import ApiError
from ..server.api import ModelsReadApi
from ..server.rows import AutostartRow, CachedRow, InstanceRow, ModelRow
from .last_applied import RECORDED, Applied, Entry, Record, entries_of, launched_by_entry, recorded
from .limits import Limits
from .server_files import ServerFiles

__all__ = [
    "ABSENT",
    "BUSY",
    "CREATING",
    "ERROR",
    "LOADING",
    "ORPHAN",
    "PATIENCE",
    "READY",
    "RECOVERING",
    "SCALING",
    "SETTLING",
    "TERMINATING",
    "Observed",
    "ObservedModel",
    "make_certain",
    "observe",
    "survey",
]

READY = "ready"
CREATING = "creating"
LOADING = "loading"
TERMINATING = "terminating"
#: Some replicas serve, and another one loads.
SCALING = "scaling"
#: Its process died, and the server makes another one by itself.
RECOVERING = "recovering"
ERROR = "error"
#: Ready by one account and unknown to the other. It is what a launch leaves that was cancelled in the moment in which it was ready:
#: it can be neither used nor terminated, only freed.
ORPHAN = "orphaned"
ABSENT = "absent"
#: Neither may be terminated nor cancelled: the server would answer that there is no such model, and bring it back when it has settled.
SETTLING = frozenset({SCALING, RECOVERING})
#: A client is launching the model: wait, do not launch a second time.
BUSY = frozenset({CREATING, LOADING}) | SETTLING
#: Seconds after which a model that is not as it should be will not become so by itself; longer than the server keeps its list.
PATIENCE = 5.0
_STATES = {
    "READY": READY,
    "CREATING": CREATING,
    "UPDATING": LOADING,
    "LOADING": LOADING,
    "TERMINATING": TERMINATING,
    "TERMINATED": ABSENT,
    "ERROR": ERROR,
}


@dataclass(frozen=True)
class ObservedModel:
    """One model on the server.

    :param uid: its name.
    :param state: one of ready, creating, loading, scaling, recovering, terminating, error, orphaned.
    :param spec: what the server reports about it; empty while it is not ready.
    :param message: the server's words about a failed launch.
    :param created: when the server made it, in seconds since the epoch; distinguishes one launch from the next.
    :param replicas: numbers of its replicas.
    :param places: address of the worker of each replica, by the number of the replica.
    """

    uid: str
    state: str
    spec: ModelRow = field(default_factory=ModelRow)
    message: str = ""
    created: int = 0
    replicas: tuple[int, ...] = ()
    places: dict[int, str] = field(default_factory=dict)

    @property
    def workers(self) -> tuple[str, ...]:
        """Addresses of the workers that run it."""
        return tuple(dict.fromkeys(self.places.values()))


@dataclass(frozen=True)
class Observed:
    """The server at one moment.

    :param models: every model that is there in some state, by uid.
    :param registrations: (type, name) → specification, for the registrations that were asked for and exist.
    :param applied: uid → what a running model was really launched with, where that can be read.
    :param records: uid → what this collection wrote down when it launched the model.
    :param entries: enabled autostart entries by uid.
    :param autostart: whether the server has autostart.
    :param certain: whether it said so itself; else only its history has the columns, which a newer server may have left there.
    :param history: whether the server has a launch history.
    :param limits: what the server may use of its machine; None where no option is chosen by it.
    :param cached: files of hubs that the server has, a row each; None where no plan asked for them, or the server downloads only when it launches.
    """

    models: dict[str, ObservedModel] = field(default_factory=dict)
    registrations: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)
    applied: dict[str, Applied] = field(default_factory=dict)
    records: dict[str, Record] = field(default_factory=dict)
    entries: dict[str, Entry] = field(default_factory=dict)
    autostart: bool = False
    certain: bool = False
    history: bool = False
    limits: Limits | None = None
    cached: tuple[CachedRow, ...] | None = None

    def state(self, uid: str) -> str:
        """State of a model; ``absent`` when the server does not know it."""
        found = self.models.get(uid)
        return found.state if found else ABSENT


def _message(instance: InstanceRow) -> str:
    """The server's words about a failed instance."""
    words = [str(replica.get("error_message") or "").strip() for replica in instance.get("replica_statuses") or []]
    return "; ".join(dict.fromkeys(word for word in words if word))


def _instance(instance: InstanceRow) -> ObservedModel:
    """One row of the instances; a model is ready when all of its replicas are."""
    replicas = [replica for replica in instance.get("replica_statuses") or [] if replica.get("status") != "TERMINATED"]
    status = str(instance.get("status"))
    state = _STATES.get(status, status.lower())
    if state == READY and any(_STATES.get(str(replica.get("status"))) in (CREATING, LOADING) for replica in replicas):
        state = SCALING
    if state == ERROR and not _message(instance) and any(replica.get("status") == "TERMINATING" for replica in replicas):
        state = RECOVERING
    return ObservedModel(
        uid=str(instance.get("model_uid")),
        state=state,
        message=_message(instance),
        created=int(instance.get("instance_created_ts") or 0),
        replicas=tuple(sorted(int(replica["replica_id"]) for replica in replicas if replica.get("replica_id") is not None)),
        places={
            int(place if replica.get("replica_id") is None else replica["replica_id"]): str(replica["worker_address"])
            for place, replica in enumerate(replicas)
            if replica.get("worker_address")
        },
    )


def observe(reader: ModelsReadApi, loading: Collection[str] = ()) -> Observed:
    """Read the models: two requests.

    :param reader: the client.
    :param loading: models of which it is enough to know that all of them still load; then one request is enough.
    :raises XinferenceError: when the server cannot be read.
    """
    models: dict[str, ObservedModel] = {}
    instances = [_instance(row) for row in reader.list_instances()]
    if loading and set(loading) <= {seen.uid for seen in instances if seen.state in BUSY}:
        return Observed({seen.uid: seen for seen in instances if seen.uid in loading})
    listed = _listed(reader, [seen.uid for seen in instances])
    for seen in instances:
        if seen.state == ABSENT:
            continue
        spec = listed.get(seen.uid)
        if seen.state == READY and spec is None:
            # The list is up to three seconds old; a single model is looked up again.
            spec = reader.describe(seen.uid)
            state = ORPHAN if spec is None else READY if spec else LOADING
            models[seen.uid] = _with(seen, state, spec)
        else:
            models[seen.uid] = _with(seen, seen.state, spec if seen.state in (READY, TERMINATING, *SETTLING) else None)
    for uid, spec in listed.items():
        known = models.get(uid)
        if known is None:
            models[uid] = ObservedModel(uid, READY, cast("ModelRow", dict(spec)))
        elif known.state not in (TERMINATING, READY, *SETTLING):
            # The list names only what finished loading: newer than a row that still shows creating, or error of an earlier try.
            models[uid] = _with(known, READY, spec)
    return Observed(models)


def _listed(reader: ModelsReadApi, uids: Collection[str]) -> dict[str, ModelRow]:
    """The running models; nothing where one that was cancelled too late breaks the list, as it does before 3.0, and each model is looked up then."""
    try:
        return reader.list_models()
    except ApiError as error:
        # The server reports no more than the name.
        if error.status == 500 and any(error.detail.endswith(f"] {uid!r}") for uid in uids):
            return {}
        raise


def _with(seen: ObservedModel, state: str, spec: ModelRow | None) -> ObservedModel:
    """The same model with another state and description."""
    return ObservedModel(seen.uid, state, cast("ModelRow", dict(spec or {})), seen.message, seen.created, seen.replicas, seen.places)


def survey(reader: ModelsReadApi, registered: Mapping[str, Collection[str]], server_files: ServerFiles, kept: Mapping[str, Record]) -> Observed:
    """Read everything that a plan needs.

    Three requests, one more for each model type with registrations that cannot be read from the server's files, and one more
    where only the autostart entries show what a model was launched with.

    :param reader: the client.
    :param registered: names of the registrations that are wanted, by model type.
    :param server_files: the server's files, as far as this host sees them.
    :param kept: records of a server without a launch history, from a file of this host.
    :raises XinferenceError: when the server cannot be read.
    """
    models = observe(reader).models
    rows = reader.history()
    registrations: dict[tuple[str, str], dict[str, Any]] = {}
    for kind, names in sorted(registered.items()):
        found = server_files.registrations(kind, names) if server_files.readable else reader.registrations(kind, names)
        registrations.update({(kind, name): spec for name, spec in found.items()})
    records = dict(kept) if rows is None else recorded(rows)
    entries = entries_of(rows or [])
    known = bool(rows) and "autostart_enabled" in (rows or [{}])[0]
    answers: list[AutostartRow] | None = None
    if rows is not None and not rows:
        # An empty history does not show whether the server has autostart.
        answers = reader.autostart()
        known = answers is not None
    applied = _applied(models, records, entries, server_files)
    unknown = [uid for uid, model in models.items() if model.state == READY and uid not in applied and uid in entries]
    if unknown:
        answers = reader.autostart()
        known = answers is not None
        for uid in unknown:
            if launched_by_entry(entries[uid], answers or [], models[uid].created):
                applied[uid] = Applied(dict(entries[uid].launch or {}), "autostart")
    return Observed(
        models, registrations, applied, records, entries if known else {}, autostart=known, certain=answers is not None or not known, history=rows is not None
    )


def make_certain(observed: Observed, reader: ModelsReadApi) -> Observed:
    """The same, once the server itself said whether it has autostart: one request, unless it has said so.

    A server before 2.12 may have taken over the history that a newer one wrote. What writes nothing need not know.

    :raises XinferenceError: when the server cannot be read.
    """
    if observed.certain:
        return observed
    if reader.autostart() is None:
        return replace(observed, autostart=False, entries={}, certain=True)
    return replace(observed, certain=True)


def _applied(models: Mapping[str, ObservedModel], records: Mapping[str, Record], entries: Mapping[str, Entry], server_files: ServerFiles) -> dict[str, Applied]:
    """What the running models were launched with: our own record of this very launch, else the worker's own file."""
    applied: dict[str, Applied] = {}
    for uid, model in models.items():
        if model.state not in (READY, SCALING):
            continue
        record = records.get(uid)
        if record is not None and model.created and record.created == model.created:
            applied[uid] = Applied(record.request, RECORDED)
            continue
        found = server_files.applied(uid, model.workers)
        if found is not None:
            applied[uid] = found
    return applied
