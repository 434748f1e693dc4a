# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a server answers, and what it is sent, field by field. Private to this collection.

These types say what a sound server answers. Nothing makes sure of it: the answers come from another machine, and an older server, a newer one or
whoever sits in its place may leave anything out or put anything in. So no field is required here, and who reads one checks it.

Only fields that this collection reads or sends are listed; servers answer more. "Since" names the first version of Xinference that has a field, see
:mod:`.features`; without it every server that is supported has it.
"""

from __future__ import annotations

from typing import Any, TypedDict

__all__ = [
    "AccountChanges",
    "AccountRow",
    "AutostartEntry",
    "AutostartPolicy",
    "AutostartRow",
    "AutostartState",
    "CachedRow",
    "Device",
    "DownloadRow",
    "EngineOffer",
    "Engines",
    "FileProgress",
    "HistoryRow",
    "InstanceRow",
    "KeyChanges",
    "KeyPermission",
    "KeyRequest",
    "KeyRow",
    "ModelRow",
    "NewKey",
    "Progress",
    "ReplicaProgress",
    "ReplicaRow",
    "ServerStatus",
    "SetupStatus",
    "WorkerRow",
    "WorkerStatus",
]


class ModelRow(TypedDict, total=False):
    """A running model: a value of ``GET /v1/models``, or the answer of ``GET /v1/models/{model_uid}``."""

    #: Name in the catalogue, or in the registration.
    model_name: str
    #: LLM, embedding, rerank, image, audio, video or flexible.
    model_type: str
    #: What runs it, in the letters of whoever launched it. Since 3.1.
    model_engine: str | None
    #: Such as ggufv2 or pytorch. Of an LLM always; of an embedding model since 2.10.
    model_format: str | None
    #: Billions of parameters: a whole number, or a text such as 0_6. Only of an LLM.
    model_size_in_billions: int | float | str | None
    #: As the registration has it, not as the caller wrote it.
    quantization: str | None
    #: Name of the projector's file; null where the model has none, absent where the server cannot say.
    multimodal_projector: str | None
    #: How many replicas there are; without those that are being added.
    replica: int
    #: What it can do, such as chat or embed.
    model_ability: list[str]
    #: Numbers of a vector. Only of an embedding model.
    dimensions: int | None
    #: Tokens: that of the registration, whatever the model was launched with. Only of an LLM.
    context_length: int | None


class ReplicaRow(TypedDict, total=False):
    """One replica of an instance."""

    #: Its number, from 0; those of replicas that were removed between others are not used again.
    replica_id: int
    #: Address of the worker that runs it, as host:port; empty for one that was terminated.
    worker_address: str
    #: CREATING, UPDATING, LOADING, READY, TERMINATING, TERMINATED or ERROR.
    status: str
    #: Why its launch failed, in the server's words; null or empty otherwise.
    error_message: str | None


class InstanceRow(TypedDict, total=False):
    """An instance that the server remembers, failed ones included: ``GET /v1/models/instances``."""

    #: Name under which the model is served.
    model_uid: str
    #: Name in the catalogue, or in the registration.
    model_name: str
    #: As of :class:`ReplicaRow`; READY as soon as the first replica is.
    status: str
    #: When the server made it, in seconds since the epoch. Older servers may not say.
    instance_created_ts: int | None
    #: Its replicas; null or absent before there is one.
    replica_statuses: list[ReplicaRow] | None


class HistoryRow(TypedDict, total=False):
    """A row of the launch history: ``GET /v1/launch_history``. Since 2.10; the columns of autostart since 2.12."""

    #: Name of the model; in our own rows that of this collection.
    model_name: str
    #: Name under which the model is served.
    model_uid: str
    #: The launch request, or our record of one. Of rows of other accounts only a few fields are shown.
    data: dict[str, Any] | None
    #: Whether the account that asks wrote it; absent means yes.
    is_owner: bool
    #: When it was written, such as 2026-01-31T12:00:00Z.
    updated_at: str
    #: Whether it is an autostart entry that counts. A history keeps these columns when an older server takes it over.
    autostart_enabled: bool
    #: Which entry comes first: the lowest.
    autostart_priority: int
    #: How often a launch is tried.
    autostart_max_retries: int
    #: Seconds between two tries.
    autostart_retry_interval_seconds: int


class AutostartPolicy(TypedDict, total=False):
    """When and how often the server tries to launch what has an autostart entry."""

    #: Which entry comes first: the lowest.
    priority: int
    #: How often a launch is tried, at least 1.
    max_retries: int
    #: Seconds between two tries, at least 1.
    retry_interval_seconds: int


class AutostartEntry(AutostartPolicy, total=False):
    """An autostart entry as it is written: ``POST /v1/autostart/models``. Since 2.12."""

    #: Whether it counts.
    enabled: bool
    #: The launch request. The engine's own options are beside the server's, so its keys are not known beforehand.
    launch: dict[str, Any]


class AutostartState(TypedDict, total=False):
    """What became of an autostart entry."""

    #: When the server last began to launch it, in seconds since the epoch; null or absent before the first try.
    last_attempt_ts: int | None


class AutostartRow(AutostartEntry, total=False):
    """An autostart entry as it is read: ``GET /v1/autostart/models``. Secrets in its launch request are masked. Since 2.12."""

    #: What became of it; empty before the server checked it.
    state: AutostartState | None


class FileProgress(TypedDict, total=False):
    """A file that is being downloaded. Since 4.1."""

    #: Name of the file.
    name: str
    #: The replica for which it is downloaded; a file may be listed for several.
    replica_model_uid: str
    #: Bytes so far.
    downloaded_bytes: float
    #: Bytes in all; null or 0 where that is not known.
    total_bytes: float | None


class ReplicaProgress(TypedDict, total=False):
    """How far one replica of a launch is. Since 4.1."""

    #: Its number, from 0.
    replica_id: int
    #: From 0 to 1.
    progress: float
    #: Packages that are installed in its environment; null without one.
    dependency_install_completed: int | None
    #: Packages in all; null without an environment.
    dependency_install_total: int | None


class Progress(TypedDict, total=False):
    """How far a launch is: ``GET /v1/models/{model_uid}/progress``."""

    #: From 0 to 1. Of a launch that downloads, the download is 0.8 of it, and each file counts alike.
    progress: float
    #: pending, downloading, installing_dependencies, launching, loading, completed and others. Since 4.1.
    stage: str
    #: The files of a download that have begun. Since 4.1.
    download_files: list[FileProgress]
    #: The replicas. Since 4.1.
    replicas: list[ReplicaProgress]


class DownloadRow(Progress, total=False):
    """A download that has not ended well: ``GET /v1/downloads``. Since 3.4. One that ended well is in it no more."""

    #: The name that was given to it.
    cache_uid: str
    #: Name in the catalogue, or in the registration.
    model_name: str
    #: downloading, failed, interrupted, paused or cancelled. A resumed one keeps its old state until the server has begun with it.
    status: str
    #: Why it failed, in the server's words; null otherwise.
    error: str | None


class CachedRow(TypedDict, total=False):
    """Files of a model on a worker: an item of ``GET /v1/cache/models``."""

    #: The server's name for them, by which they are deleted.
    model_version: str
    #: Name in the catalogue, or in the registration.
    model_name: str
    #: As of :class:`ModelRow`. Older servers do not say.
    model_type: str | None
    #: Engines that can load them. Older servers do not say.
    model_engine: list[str] | None
    #: As of :class:`ModelRow`; null for embedding and rerank models.
    model_format: str | None
    #: As of :class:`ModelRow`; null for embedding and rerank models.
    model_size_in_billions: int | float | str | None
    #: Null for embedding and rerank models.
    quantization: str | None
    #: Where the server expects them, in its container.
    path: str | None
    #: The directory in which they really are, in its container.
    real_path: str | None
    #: Their size in bytes; 0 where they were deleted and links remained. Older servers do not report it.
    size_bytes: int | None
    #: Address of the worker, as host:port.
    actor_ip_address: str


class EngineOffer(TypedDict, total=False):
    """Something that an engine can load. Servers name quantizations and projectors in the singular or in the plural."""

    #: Such as ggufv2 or pytorch.
    model_format: str
    #: Billions of parameters; only of an LLM.
    model_size_in_billions: int | float | str
    #: The quantization, or all of them, of embedding and rerank models.
    quantization: str | list[str]
    #: All quantizations, of an LLM.
    quantizations: list[str]
    #: Names of the projectors' files; null where there is none.
    multimodal_projectors: list[str] | None


#: Answer of ``GET /v1/engines/{model_type}/{model_name}``: engine → what it can load, or in a sentence why it can load nothing.
Engines = dict[str, "list[EngineOffer] | str"]


class Device(TypedDict, total=False):
    """A processor or a GPU of a worker, as it reports it."""

    #: Cores, of the processor.
    total: float
    #: Memory of the whole machine, in bytes.
    memory_total: float


class WorkerStatus(TypedDict, total=False):
    """A worker's machine. Beside ``cpu`` it has one key for each GPU, such as ``gpu-0``."""

    #: The processor, and the machine's memory.
    cpu: Device


class WorkerRow(TypedDict, total=False):
    """A worker."""

    #: Its machine; absent until it first reported.
    status: WorkerStatus


class ServerStatus(TypedDict, total=False):
    """The server itself: ``GET /status``, which needs no account."""

    #: Its workers by address, as host:port; empty while none has registered.
    workers: dict[str, WorkerRow] | None
    #: Seconds since it started.
    uptime: int


class SetupStatus(TypedDict, total=False):
    """What the server says of its first administrator: ``GET /v1/admin/setup/status``, which needs no account. Since 3.0."""

    #: Characters that a new password must have.
    password_min_length: int


class AccountRow(TypedDict, total=False):
    """An account: ``GET /v1/admin/users``. Since 3.0; before, accounts had other fields and could not be managed."""

    #: Its number.
    id: int
    #: Its name; an account of an identity provider may have the same one.
    username: str
    #: local for one that logs in with a password, else its identity provider.
    source: str
    #: Whether it can log in.
    enabled: bool
    #: All that it may do.
    permissions: list[str]


class AccountChanges(TypedDict, total=False):
    """What is changed of an account: ``PUT /v1/admin/users/{id}``. What is left out stays. Since 3.0."""

    #: Whether it can log in.
    enabled: bool
    #: All that it may do from then on.
    permissions: list[str]


class KeyPermission(TypedDict, total=False):
    """One thing that an API key may ask. Since 3.0."""

    #: all, model_id or model_type.
    permission_type: str
    #: The uid or the type; null for all.
    permission_value: str | None


class KeyRow(TypedDict, total=False):
    """An API key, without the key itself: ``GET /v1/admin/keys``. Since 3.0."""

    #: Its number.
    id: int
    #: Number of the account that it belongs to.
    user_id: int
    #: Name of that account.
    owner_username: str
    #: Its name. Older servers, such as 3.5.0, let it be empty, or be given twice.
    name: str | None
    #: The first characters of the key.
    key_prefix: str
    #: A description; null for none.
    description: str | None
    #: Whether it works.
    enabled: bool
    #: A time such as 2027-01-31T12:00:00, meant in UTC; null for never.
    expires_at: str | None
    #: What it may ask.
    model_permissions: list[KeyPermission] | None


class KeyChanges(TypedDict, total=False):
    """What is changed of an API key: ``PUT /v1/admin/keys/{id}``. What is left out stays. Since 3.0."""

    #: Its name.
    name: str
    #: A description; null for none.
    description: str | None
    #: Whether it works.
    enabled: bool
    #: A time in UTC without an offset, as of :class:`KeyRow`; null for never.
    expires_at: str | None
    #: What it may ask; an empty list means nothing.
    model_permissions: list[KeyPermission]


class KeyRequest(TypedDict, total=False):
    """An API key that is to be made: ``POST /v1/admin/keys``. It is enabled. Since 3.0."""

    #: Its name.
    name: str
    #: A description; null for none.
    description: str | None
    #: A time in UTC without an offset, as of :class:`KeyRow`; null for never.
    expires_at: str | None
    #: What it may ask; an empty list means all.
    model_permissions: list[KeyPermission]
    #: Number of the account that it belongs to; without it, the one that is logged in.
    owner: int


class NewKey(TypedDict, total=False):
    """The answer to a :class:`KeyRequest`."""

    #: Its number.
    id: int
    #: The key itself, which is shown this once.
    key: str
    #: Its first characters.
    prefix: str
