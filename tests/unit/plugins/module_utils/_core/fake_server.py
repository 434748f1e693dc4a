# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A server in memory that behaves like the real one, and a clock that only moves when a caller waits.

It offers the methods of the core's client. The contract test compares its answers with those of a real server, so that
what the unit tests prove holds there too.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from ansible_collections.inferops.xinference.plugins.module_utils._core.base.errors import ApiError, AuthenticationError, NoAnswer, NotReached
from ansible_collections.inferops.xinference.plugins.module_utils._core.server.rows import (
    AccountChanges,
    AccountRow,
    AutostartEntry,
    AutostartRow,
    CachedRow,
    DownloadRow,
    EngineOffer,
    Engines,
    HistoryRow,
    InstanceRow,
    KeyChanges,
    KeyRequest,
    KeyRow,
    ModelRow,
    NewKey,
    Progress,
    ServerStatus,
)

ENDPOINT = "http://fake:9997"
WORKER = "0.0.0.0:20425"
HOME = "/root/.xinference"
_PREFIX = f"[address={WORKER}, pid=11] "
_BUSY = frozenset({"CREATING", "LOADING", "UPDATING", "TERMINATING"})
_ACTIVE = _BUSY | {"READY"}
#: Seconds after which the client leaves a download to the server.
_MOMENT = 3.0
#: Seconds until a download that is resumed begins.
_BEGIN = 1.0
_REDACTED = "******"
#: When rows of the account database were made.
_STORED = "2026-11-22 12:00:00"
_SENSITIVE = ("token", "secret", "password", "passwd", "pwd", "api_key", "apikey", "access_key", "credential")
#: What the history shows of rows of other accounts.
_SHARED = frozenset(
    {
        *("model_uid", "model_name", "model_type", "model_engine", "model_format", "model_size_in_billions", "quantization", "n_worker", "n_gpu"),
        *("n_gpu_layers", "replica", "request_limits", "gpu_idx", "download_hub", "enable_thinking", "multimodal_projector", "enable_virtual_env"),
        "virtual_env_packages",
    }
)
#: Methods that change something on a server.
WRITES = frozenset(
    {
        *("register", "unregister", "launch", "clear_orphan", "terminate", "cancel", "add_replicas", "remove_replica"),
        *("set_autostart", "remove_autostart", "remember", "forget", "cache", "resume_download", "remove_cached"),
        *("create_account", "update_account", "set_account_password", "remove_account", "create_key", "update_key", "remove_key"),
    }
)
#: Routes of every server, and those that came later, by what a server may lack.
_ROUTES = (
    *("POST /token", "GET /status", "GET /v1/cluster/version", "GET /v1/models", "POST /v1/models", "GET /v1/models/instances"),
    *("GET /v1/models/{model_uid}", "DELETE /v1/models/{model_uid}", "GET /v1/models/{model_uid}/progress", "POST /v1/models/{model_uid}/cancel"),
    *("GET /v1/engines/{model_type}/{model_name}", "GET /v1/model_registrations/{model_type}", "POST /v1/model_registrations/{model_type}"),
    *("GET /v1/model_registrations/{model_type}/{model_name}", "DELETE /v1/model_registrations/{model_type}/{model_name}"),
    *("GET /v1/cache/models", "DELETE /v1/cache/models", "POST /v1/chat/completions", "POST /v1/completions", "POST /v1/embeddings", "POST /v1/rerank"),
)
_LATER_ROUTES = {
    "history": ("GET /v1/launch_history", "POST /v1/launch_history", "DELETE /v1/launch_history/{model_name}/{model_uid}"),
    "autostart": ("GET /v1/autostart/models", "POST /v1/autostart/models", "DELETE /v1/autostart/models/{model_uid}"),
    "replicas": ("POST /v1/models/{model_uid}/replicas", "DELETE /v1/models/{model_uid}/replicas/{replica_id}"),
    "downloads": ("POST /v1/cache/models", "GET /v1/downloads", "POST /v1/downloads/{cache_uid}/resume"),
}

# Registrations: what the server adds to a specification.

_LLM: dict[str, Any] = {
    "version": 2,
    "context_length": 2048,
    "model_lang": ["en"],
    "model_ability": ["generate"],
    "model_description": None,
    **dict.fromkeys(("chat_template", "stop_token_ids", "stop", "architectures", "reasoning_start_tag", "reasoning_end_tag")),
    **dict.fromkeys(("cache_config", "virtualenv", "tool_parser")),
}
_LLM_SPEC: dict[str, Any] = {
    **dict.fromkeys(("model_metadata", "model_id", "model_uri", "model_revision", "activated_size_in_billions")),
    **dict.fromkeys(("draft_model_id", "draft_quantizations", "draft_model_revision")),
    "model_hub": "huggingface",
}
_LLM_GGUF = dict.fromkeys(("multimodal_projectors", "model_file_name_split_template", "quantization_parts", "draft_model_file_name_template"))
_FILES: dict[str, Any] = {"model_hub": "huggingface", **dict.fromkeys(("model_id", "model_uri", "model_revision"))}
_SPEC_GGUF = dict.fromkeys(("model_file_name_template", "model_file_name_split_template", "quantization_parts", "multimodal_projector"))
_VECTORS: dict[str, Any] = {"version": 2, "model_ability": [], "cache_config": None, "virtualenv": None}
_DEFAULTS: dict[str, dict[str, Any]] = {
    "LLM": _LLM,
    "embedding": {**_VECTORS, "max_tokens": 512},
    "rerank": {**_VECTORS, "type": "unknown", "max_tokens": None},
}
#: Specifications of models of the catalogue, or of those of which a test says no more than the name.
_CATALOGUE: dict[str, dict[str, Any]] = {
    "LLM": {
        "model_specs": [
            {"model_format": "ggufv2", "model_size_in_billions": "0_6", "quantization": quantization, "model_file_name_template": "{quantization}.gguf"}
            for quantization in ("Q4_K_M", "Q8_0")
        ]
    },
    "embedding": {
        "dimensions": 1024,
        "max_tokens": 8192,
        "language": ["zh", "en"],
        "model_specs": [{"model_format": "pytorch", "quantization": "none"}, {"model_format": "ggufv2", "quantization": "F16"}],
    },
    "rerank": {"type": "normal", "language": ["en"], "model_specs": [{"model_format": "pytorch", "quantization": "none"}]},
}
#: Why an engine can load nothing, where it is named all the same.
_UNUSABLE = {
    "LLM": {
        "vLLM": "Failed to import vLLM: No module named 'vllm'",
        "SGLang": "Failed to import sglang: No module named 'sglang'",
        "Transformers": "ChatGLM transformer only supports pytorch/fp4 format",
        "llama.cpp": "llama.cpp engine only supports ggufv2 format",
    }
}


def _filled(model_type: str, specification: Mapping[str, Any], builtin: bool) -> dict[str, Any]:
    """A specification as the server returns it, with its defaults."""
    filled = {**_DEFAULTS.get(model_type, {"version": 2}), **copy.deepcopy(dict(specification)), "is_builtin": builtin}
    if model_type == "LLM":
        filled.setdefault("model_family", filled.get("model_name"))
    specs = []
    for spec in filled.get("model_specs") or []:
        gguf = spec.get("model_format") == "ggufv2"
        if model_type == "LLM":
            specs.append({**_LLM_SPEC, **(_LLM_GGUF if gguf else {}), **spec})
        else:
            specs.append({**_FILES, **(_SPEC_GGUF if gguf else {}), **spec})
    if specs:
        filled["model_specs"] = specs
    return filled


def _same(wanted: Any, actual: Any) -> bool:
    """Whether the server takes a value for another: sizes as ``0.6`` or ``0_6``, quantizations in any case."""
    return str(wanted).replace("_", ".").lower() == str(actual).replace("_", ".").lower()


def _unknown(request: Mapping[str, Any]) -> str:
    """The server's words about a model that nobody registered, or not with these files."""
    chosen = {"name": "model_name", "format": "model_format", "size": "model_size_in_billions", "quantization": "quantization"}
    return "Model not found, " + ", ".join(f"{word}: {request.get(key)}" for word, key in chosen.items())


def _stamp(seconds: float) -> str:
    """A time as the server writes it."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


def _redacted(value: Any) -> Any:
    """A launch request as the autostart entries show it."""
    if not isinstance(value, dict):
        return [_redacted(item) for item in value] if isinstance(value, list) else value
    shown = {key: _REDACTED if any(word in key.lower().replace("-", "_") for word in _SENSITIVE) else _redacted(item) for key, item in value.items()}
    if isinstance(shown.get("envs"), dict):
        shown["envs"] = dict.fromkeys(shown["envs"], _REDACTED)
    return shown


class Clock:
    """Seconds that pass only through :meth:`sleep`; things can be made to happen at a time."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.events: list[tuple[float, Callable[[], object]]] = []

    def __call__(self) -> float:
        """The time in seconds."""
        return self.now

    def after(self, seconds: float, event: Callable[[], object]) -> None:
        """Let something happen that many seconds from now."""
        self.events.append((self.now + seconds, event))

    def sleep(self, seconds: float) -> None:
        """Let time pass."""
        assert seconds > 0, f"waiting {seconds} s would never end"
        end = self.now + seconds
        while True:
            due = min((event for event in self.events if event[0] <= end), key=lambda event: event[0], default=None)
            if due is None:
                break
            self.events.remove(due)
            self.now = max(self.now, due[0])
            due[1]()
        # An event may itself have waited.
        self.now = max(self.now, end)


@dataclass
class Replica:
    """One copy of a model.

    :param status: its own; None while it is that of the model.
    :param added: whether it came after the launch.
    :param worker: address of the worker that runs it.
    """

    number: int
    created: int
    status: str | None = None
    added: bool = False
    worker: str = WORKER


@dataclass
class Model:
    """A model on the fake server.

    :param request: what it was really launched with.
    :param created: when the server made it, in seconds since the epoch; another one for each launch.
    :param orphan: cancelled when it was already ready: the real server still calls it READY, but serves it no more.
    :param specification: the registration when it was launched; a later one changes nothing for a running model.
    :param loaded: when its first copy was ready.
    :param returns: terminated while a copy was loading: it is there again when that copy is ready.
    """

    request: dict[str, Any]
    status: str = "CREATING"
    message: str | None = None
    created: int = 0
    orphan: bool = False
    specification: dict[str, Any] = field(default_factory=dict)
    replicas: list[Replica] = field(default_factory=list)
    loaded: float = 0.0
    returns: bool = False
    ended: Callable[[], None] | None = None

    def __post_init__(self) -> None:
        if not self.replicas:
            self.replicas = [Replica(number, self.created) for number in range(int(self.request.get("replica") or 1))]

    @property
    def uid(self) -> str:
        """Its name."""
        return str(self.request["model_uid"])

    @property
    def type(self) -> str:
        """Its type."""
        return str(self.request.get("model_type") or "LLM")

    @property
    def spec(self) -> dict[str, Any]:
        """The entry of the specification that the request chose."""
        return next(_chosen(self.specification, self.request), {})

    def statuses(self) -> list[str]:
        """The status of each copy."""
        return [one.status or self.status for one in self.replicas]

    @property
    def served(self) -> bool:
        """Whether it answers."""
        return not self.orphan and "READY" in self.statuses()

    def end(self) -> None:
        """The launch has ended, well or not."""
        if self.ended is not None:
            ended, self.ended = self.ended, None
            ended()


def _chosen(specification: Mapping[str, Any], request: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The entries of a specification that fit a launch request."""
    for spec in specification.get("model_specs") or []:
        if all(
            request.get(key) is None or spec.get(key) is None or _same(request[key], spec[key])
            for key in ("model_format", "model_size_in_billions", "quantization")
        ):
            yield spec


@dataclass
class FakeServer:
    """A server in memory.

    :param clock: its time.
    :param load_seconds: time in which a copy of a model gets ready; replicas load one after the other.
    :param terminate_seconds: time that a termination takes.
    :param cancel_seconds: time for which a cancellation blocks.
    :param download_seconds: time that a download takes.
    :param list_seconds: time for which the list does not name a model that is ready, as the real one, which is up to 3 s old.
    :param broken: models that fail to load, with the server's words.
    :param unanswered: models that do not answer requests of inference.
    :param unreachable: names of models whose download fails, with the server's words.
    :param progresses: what the server answers for the progress of a model while it is loading, by uid.
    :param files: paths that exist inside the container; None for any.
    :param allowed: names of writing calls that a test expects; any other one fails the test. None allows all.
    :param username: the account that asks; empty for a server without accounts.
    :param release: its version, which decides nothing; the next ones do.
    :param with_history: whether it has a launch history.
    :param with_autostart: whether it has autostart; only with a history.
    :param with_replicas: whether replicas can be added and removed while a model runs.
    :param with_downloads: whether it can download without launching.
    :param with_accounts: whether its accounts can be managed.
    :param with_unique_keys: whether two keys cannot have one name.
    :param cores: processor cores of its worker.
    :param memory_mib: memory of its worker in MiB.
    :param cluster: addresses of its workers, as host:port; by default the one that runs together with its supervisor.
    :param began: when it was started, on its clock.
    """

    clock: Clock = field(default_factory=Clock)
    load_seconds: float = 10.0
    terminate_seconds: float = 0.0
    cancel_seconds: float = 10.0
    download_seconds: float = 0.0
    list_seconds: float = 0.0
    broken: dict[str, str] = field(default_factory=dict)
    unanswered: set[str] = field(default_factory=set)
    unreachable: dict[str, str] = field(default_factory=dict)
    progresses: dict[str, Progress] = field(default_factory=dict)
    files: frozenset[str] | None = None
    allowed: frozenset[str] | None = None
    authenticated: bool = True
    username: str = "admin"
    release: str = "4.1.0"
    with_history: bool = True
    with_autostart: bool = True
    with_replicas: bool = True
    with_downloads: bool = True
    with_accounts: bool = True
    with_unique_keys: bool = True
    cores: int = 4
    memory_mib: int = 24_105
    cluster: list[str] = field(default_factory=lambda: [WORKER])
    began: float = 900.0
    models: dict[str, Model] = field(default_factory=dict)
    #: (type, name) → whether the model is built in.
    registered: dict[tuple[str, str], bool] = field(
        default_factory=lambda: {("LLM", "qwen3"): True, ("embedding", "bge-m3"): True, ("rerank", "bge-reranker-v2-m3"): True}
    )
    #: What was registered; a model that is only in ``registered`` gets a specification of its type.
    specifications: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)
    #: Registrations that a restart of the server forgets.
    temporary: set[tuple[str, str]] = field(default_factory=set)
    #: Rows of the launch history, as stored.
    rows: list[dict[str, Any]] = field(default_factory=list)
    files_cached: list[CachedRow] = field(default_factory=list)
    #: Addresses that its guard bans.
    banned: list[str] = field(default_factory=list)
    tasks: dict[str, dict[str, Any]] = field(default_factory=dict)
    #: Accounts by number, as stored, with the password in clear.
    people: dict[int, dict[str, Any]] = field(default_factory=dict)
    #: API keys by number, as stored, with the key itself; None where it cannot be decrypted.
    api_keys: dict[int, dict[str, Any]] = field(default_factory=dict)
    #: Passwords that were tried, in order.
    tried: list[tuple[str, str]] = field(default_factory=list)
    calls: list[tuple[str, Any]] = field(default_factory=list)
    next_errors: dict[str, list[Exception | None]] = field(default_factory=dict)
    lost: bool = False
    most_at_once: int = 0
    closed: bool = False
    _autostart: _Autostart = field(init=False)
    #: What workers ran that have left, by their address.
    _left: dict[str, list[tuple[Model, Replica]]] = field(default_factory=dict)
    _created: dict[str, int] = field(default_factory=dict)
    _made: int = 0
    #: Whether its history has the columns of autostart: once there, they stay.
    _columns: bool = False

    def __post_init__(self) -> None:
        self.with_autostart = self._columns = self.with_autostart and self.with_history
        self._autostart = _Autostart(self)
        if self.username:
            self.account(self.username, "s3cret-pass", "admin")

    # Set-up and inspection.

    def run(self, *uids: str, **request: Any) -> FakeServer:
        """Put ready models on the server, as if launched a minute ago."""
        for uid in uids:
            self._put(uid, "READY", None, request, -60)
        return self

    def put(self, uid: str, status: str, message: str | None = None, **request: Any) -> FakeServer:
        """Put a model in any state on the server; one that another client is launching or terminating goes on to its end."""
        model = self._put(uid, status, message, request)
        if status == "CREATING":
            self._load(model)
        elif status == "TERMINATING":
            self.clock.after(self.terminate_seconds or 5.0, self.become(uid, "TERMINATED"))
        return self

    def _put(self, uid: str, status: str, message: str | None, request: Mapping[str, Any], age: int = 0) -> Model:
        asked = {"model_uid": uid, "model_type": "LLM", "model_name": "qwen3", "replica": 1, **request}
        model = Model(
            asked, status, message, self._new_created(uid, age), specification=self._specification(str(asked["model_type"]), str(asked["model_name"]))
        )
        self._spread(model)
        self.models[uid] = model
        return model

    def become(self, uid: str, status: str, message: str | None = None) -> Callable[[], None]:
        """An event for the clock: the model gets another state, or disappears with status TERMINATED."""

        def event() -> None:
            if status == "TERMINATED":
                gone = self.models.pop(uid, None)
                if gone is not None:
                    gone.end()
            elif uid in self.models:
                model = self.models[uid]
                model.status, model.message = status, message
                for one in model.replicas:
                    one.status = None
            else:
                self.put(uid, status, message)

        return event

    def lose(self) -> None:
        """An event for the clock: the server answers no more."""
        self.lost = True

    def crash(self, uid: str) -> Callable[[], None]:
        """An event for the clock: the process of a model dies, and the server makes another one with the same request."""

        def event() -> None:
            model = self.models[uid]
            model.status, model.message = "ERROR", None
            for one in model.replicas:
                one.status = "TERMINATING"
            self.clock.after(self.load_seconds, self.become(uid, "READY"))

        return event

    def leave(self, worker: str) -> Callable[[], None]:
        """An event for the clock: the server misses a worker, and names it and what it ran no more."""

        def event() -> None:
            self.cluster.remove(worker)
            for model in list(self.models.values()):
                gone = [one for one in model.replicas if one.worker == worker]
                self._left.setdefault(worker, []).extend((model, one) for one in gone)
                model.replicas = [one for one in model.replicas if one not in gone]
                if not model.replicas:
                    self.become(model.uid, "TERMINATED")()

        return event

    def join(self, worker: str) -> Callable[[], None]:
        """An event for the clock: a worker joins. One that was there before makes its replicas again of the models that are still known."""

        def event() -> None:
            self.cluster.append(worker)
            for model, one in self._left.pop(worker, []):
                if self.models.get(model.uid) is model:
                    one.number = max(one.number, *(other.number + 1 for other in model.replicas))
                    model.replicas.append(one)

        return event

    def restart(self) -> None:
        """An event for the clock: the server starts again, without its models, and launches what has an autostart entry."""
        self.lost = False
        self.began = self.clock()
        self.models.clear()
        for key in self.temporary:
            self.registered.pop(key, None)
            self.specifications.pop(key, None)
        self.temporary.clear()
        self._autostart = _Autostart(self)
        if self.with_autostart:
            self._autostart.wake()

    def replaced_by_older(self) -> None:
        """An event: one before 2.12 starts on what this one wrote."""
        self.with_autostart = False
        self.restart()

    def fail_next(self, call: str, *errors: Exception | None) -> None:
        """Let the next calls of a method fail; None lets one pass."""
        self.next_errors.setdefault(call, []).extend(errors)

    def account(self, name: str, password: str, *permissions: str, enabled: bool = True, source: str = "local") -> int:
        """Put an account on the server; its number."""
        number = max(self.people, default=0) + 1
        row = {"id": number, "username": name, "source": source, "enabled": enabled, "must_change_password": False, "permissions": list(permissions)}
        self.people[number] = {**row, "created_at": _STORED, "password": password}
        return number

    def writes(self) -> list[tuple[str, Any]]:
        """The writing calls so far, in order."""
        return [call for call in self.calls if call[0] in WRITES]

    def ready(self) -> set[str]:
        """Models that are served."""
        return {uid for uid, model in self.models.items() if model.served}

    # The client's methods: models.

    def list_models(self) -> dict[str, ModelRow]:
        """Descriptions of the running models by uid."""
        self._called("list_models", None)
        listed = {}
        for uid in sorted(self.ready()):
            model = self.models[uid]
            if self.list_seconds and model.loaded and self.clock() < model.loaded + self.list_seconds:
                continue
            listed[uid] = {
                "id": uid,
                "object": "model",
                "created": 0,
                "owned_by": "xinference",
                **self._description(model),
                "replica": len(self._counted(model)),
            }
        return cast("dict[str, ModelRow]", listed)

    def describe(self, uid: str) -> ModelRow | None:
        """Description of a running model; empty for one that loads, None for one that is not served."""
        self._called("describe", uid)
        model = self.models.get(uid)
        # The server asks the first copy.
        if model is not None and not model.orphan and model.statuses()[:1] == ["CREATING"]:
            return {}
        if model is None or not model.served or model.statuses()[0] in _BUSY:
            return None
        return cast("ModelRow", {**self._description(model), "n_worker": 1, "replica": len(self._counted(model))})

    def list_instances(self) -> list[InstanceRow]:
        """Every instance that the server remembers."""
        self._called("list_instances", None)
        return [cast("InstanceRow", self._instance(uid, model)) for uid, model in sorted(self.models.items())]

    def launch(self, request: dict[str, Any]) -> None:
        """Ask for a launch; it is validated and loaded later, as with wait_ready=false."""
        self._called("launch", request)
        uid = str(request["model_uid"])
        for name in ("model_name", *(("model_engine",) if request.get("model_type", "LLM") == "LLM" else ())):
            if not request.get(name):
                raise ApiError("POST", f"{ENDPOINT}/v1/models", 400, f"Invalid input. Please specify the `{name}` field.")
        if uid in self.models and self.models[uid].status in _ACTIVE and not self.models[uid].orphan:
            raise self._refusal("POST", "/v1/models", 400, f"Model is already in the model list, uid: {uid}")
        if missing := self._missing(request):
            raise self._refusal("POST", "/v1/models", 400, missing)
        self._begin(copy.deepcopy(request))

    def clear_orphan(self, uid: str, replicas: int) -> None:
        """A launch that can only be refused, and is waited for."""
        self._called("clear_orphan", uid)
        model = self.models.get(uid)
        if model is None or model.orphan or model.status not in _ACTIVE:
            self._begin({"model_uid": uid, "model_name": uid, "model_type": "LLM", "model_engine": "none", "replica": replicas})

    def terminate(self, uid: str) -> None:
        """Stop a running model; one that is loading counts as unknown, and one of which a copy is loading comes back with that copy."""
        self._called("terminate", uid)
        model = self.models.get(uid)
        if model is not None and model.served and "CREATING" in model.statuses():
            number = next(one.number for one in model.replicas if one.status == "CREATING")
            model.replicas = [one for one in model.replicas if one.status == "CREATING"]
            model.returns = True
            del self.models[uid]
            raise self._refusal("DELETE", f"/v1/models/{uid}", 400, f"Model not found in the model list, uid: {uid}-rep{number}")
        if model is None or not model.served:
            name = f"{uid}-rep0" if model is not None and model.status == "CREATING" else uid
            raise self._refusal("DELETE", f"/v1/models/{uid}", 400, f"Model not found in the model list, uid: {name}")
        if self.terminate_seconds:
            self.become(uid, "TERMINATING")()
            self.clock.after(self.terminate_seconds, self.become(uid, "TERMINATED"))
        else:
            self.become(uid, "TERMINATED")()

    def cancel(self, uid: str) -> None:
        """Stop a launch under way; answers when it has unwound."""
        self._called("cancel", uid)
        model = self.models.get(uid)
        if model is None or model.status == "ERROR" or model.orphan:
            raise self._refusal("POST", f"/v1/models/{uid}/cancel", 500, f"Model {uid} has not been launched yet")
        if model.status == "READY":
            # Its process stays. With a copy that still loads, the launch is at least called a failure.
            model.orphan = True
            model.status = "ERROR" if "CREATING" in model.statuses() else "READY"
            return
        model.status = "ERROR"
        model.end()
        if self.cancel_seconds:
            self.clock.sleep(self.cancel_seconds)

    def progress(self, uid: str) -> Progress:
        """How far a launch is; one that failed looks like one that was never asked for."""
        self._called("progress", uid)
        model = self.models.get(uid)
        if model is None or model.status == "ERROR":
            return {"progress": 0.0, "stage": "pending", "download_files": [], "replicas": []}
        if uid in self.progresses and "CREATING" in model.statuses():
            return copy.deepcopy(self.progresses[uid])
        parts = [1.0 if status == "READY" else 0.82 for status in model.statuses()]
        replicas: list[dict[str, Any]] = [
            {
                "replica_id": one.number,
                "replica_model_uid": f"{uid}-rep{one.number}",
                "progress": part,
                "stage": "loading",
                "info": "Loading model",
                "updated_at": float(one.created),
                "download_files": [],
                **dict.fromkeys(
                    (
                        "dependency_install_completed",
                        "dependency_install_total",
                        "dependency_install_plan",
                        "dependency_install_status",
                    )
                ),
            }
            for one, part in zip(model.replicas, parts)
        ]
        return cast("Progress", {"progress": sum(parts) / len(parts), "stage": "loading", "download_files": [], "replicas": replicas})

    def add_replicas(self, uid: str, count: int, worker: str | None = None) -> None:
        """Add replicas to a running model; answers when they are ready. Where no worker is named, any may get them: what the launch named is forgotten."""
        self._called("add_replicas", (uid, count) if worker is None else (uid, count, worker))
        path = f"/v1/models/{uid}/replicas"
        self._needs("replicas", "POST", path)
        model = self.models.get(uid)
        if model is None or not model.replicas or model.orphan or model.status in ("ERROR", "TERMINATING"):
            raise self._refusal("POST", path, 400, f"Model not found in the model list, uid: {uid}")
        if model.statuses()[0] != "READY":
            raise self._refusal("POST", path, 400, f"Cannot find worker for existing replica: {uid}-rep{model.replicas[0].number}")
        if worker is not None and worker not in self.cluster:
            raise self._refusal("POST", path, 400, f"Worker ip address {worker} is not in the cluster.")
        words = self.broken.get(uid)
        if words is None and (model.type, str(model.request["model_name"])) not in self.registered:
            words = _PREFIX + _unknown(model.request)
        begun = len(model.replicas)
        for _copy in range(count):
            # The numbers of removed replicas between the others are not used again.
            place = worker or self._freest(self.cluster)
            added = Replica(max(one.number for one in model.replicas) + 1, int(self.clock()), "CREATING", added=True, worker=place)
            model.replicas.append(added)
            if self.load_seconds:
                self.clock.sleep(self.load_seconds)
            if words is not None:
                # All or nothing. The model goes on serving, but is called a failure.
                del model.replicas[begun:]
                for one in model.replicas:
                    one.status = one.status or "READY"
                model.status = "ERROR"
                raise ApiError("POST", f"{ENDPOINT}{path}", 400 if "not found" in words else 503, words)
            added.status = None

    def remove_replica(self, uid: str, replica_id: int) -> None:
        """Take one copy of a running model away; with the last one, the model is gone."""
        self._called("remove_replica", (uid, replica_id))
        path = f"/v1/models/{uid}/replicas/{replica_id}"
        self._needs("replicas", "DELETE", path)
        model = self.models.get(uid)
        if model is None or not model.served:
            raise self._refusal("DELETE", path, 400, f"Model not found in the model list, uid: {uid}")
        if replica_id not in [one.number for one in model.replicas]:
            raise self._refusal("DELETE", path, 400, f"Replica not found in the model list, uid: {uid}, replica_id: {replica_id}")
        model.replicas = [one for one in model.replicas if one.number != replica_id]
        if not model.replicas:
            self.become(uid, "TERMINATED")()

    # Registrations and the catalogue.

    def registrations(self, model_type: str, names: Collection[str]) -> dict[str, dict[str, Any]]:
        """Specifications of the registered models of a type among these names, with the server's defaults."""
        self._called("registrations", (model_type, sorted(names)))
        found = {name: self._specification(model_type, name) for name in names if (model_type, name) in self.registered}
        if len(names) != 1:
            for spec in found.values():
                # Asked for many at once, the server adds what its user interface shows.
                spec["download_hubs"] = ["huggingface"]
                for entry in spec.get("model_specs") or []:
                    entry["cache_status"] = False
        return found

    def registered_names(self, model_type: str) -> dict[str, bool]:
        """Names of the registered models of a type, and whether each is built in."""
        self._called("registered_names", model_type)
        return {name: builtin for (kind, name), builtin in self.registered.items() if kind == model_type}

    def engines(self, model_type: str, name: str) -> Engines | None:
        """Engines for a model: a list of what each can load, or its reason why not."""
        self._called("engines", (model_type, name))
        if (model_type, name) not in self.registered:
            return None
        return {**_UNUSABLE.get(model_type, {}), **self._offers(model_type, name)}

    def register(self, model_type: str, specification: dict[str, Any], persist: bool = True) -> None:
        """Register a custom model."""
        self._called("register", (model_type, specification["model_name"]))
        key = (model_type, str(specification["model_name"]))
        path = f"/v1/model_registrations/{model_type}"
        if key in self.registered:
            raise self._refusal("POST", path, 400, f"Model {key[1]} already registered")
        for spec in [specification, *specification.get("model_specs", [])]:
            uri = spec.get("model_uri")
            if uri and self.files is not None and str(uri).removeprefix("file://") not in self.files:
                raise self._refusal("POST", path, 400, f"Invalid model URI {uri}.")
        self.registered[key] = False
        self.specifications[key] = copy.deepcopy(specification)
        if not persist:
            self.temporary.add(key)

    def unregister(self, model_type: str, name: str) -> None:
        """Remove a custom model's registration; the server says yes to unknown and built-in names as well. Running models keep serving."""
        self._called("unregister", (model_type, name))
        key = (model_type, name)
        if self.registered.get(key) is False:
            del self.registered[key]
            self.specifications.pop(key, None)
            self.temporary.discard(key)

    # Launch history and autostart.

    def history(self) -> list[HistoryRow] | None:
        """Rows of the launch history, the latest first; None where the server has no history."""
        self._called("history", None)
        if not self.with_history:
            return None
        return [cast("HistoryRow", self._shown(row)) for row in sorted(self.rows, key=lambda row: row["updated"], reverse=True)]

    def remember(self, name: str, uid: str, data: dict[str, Any]) -> bool:
        """Write a row of the launch history; False where the server has no history."""
        self._called("remember", (name, uid, data))
        if not self.with_history:
            return False
        if not name:
            raise ApiError("POST", f"{ENDPOINT}/v1/launch_history", 400, "model_name is required")
        self._row(name, uid).update(data=copy.deepcopy(data), updated=self.clock())
        return True

    def forget(self, name: str, uid: str) -> None:
        """Remove a row of the launch history, if it is there."""
        self._called("forget", (name, uid))
        self.rows = [row for row in self.rows if (row["name"], row["uid"], row["owner"]) != (name, uid, self.username)]

    def autostart(self) -> list[AutostartRow] | None:
        """Autostart entries with what became of them; None where the server has no autostart."""
        self._called("autostart", None)
        if not self.with_autostart:
            return None
        entries = sorted((row for row in self.rows if row["enabled"]), key=lambda row: (row["policy"]["priority"], -row["updated"]))
        answer = []
        for row in entries:
            state = dict(self._autostart.states.get(row["uid"], {}))
            if row["uid"] in self.models:
                state["instance_status"] = self.models[row["uid"]].status
            data = self._shown(row)["data"]
            answer.append({"enabled": True, **row["policy"], "launch": _redacted(data), "state": state})
        return cast("list[AutostartRow]", answer)

    def set_autostart(self, entry: AutostartEntry) -> None:
        """Write an autostart entry; launches all models with an entry that are not there, this one included."""
        self._called("set_autostart", entry)
        path = "/v1/autostart/models"
        self._needs("autostart", "POST", path)
        launch = {key: value for key, value in copy.deepcopy(entry.get("launch") or {}).items() if value is not None and key != "wait_ready"}
        if not launch.get("model_name"):
            raise self._refusal("POST", path, 400, "Autostart launch config requires a non-empty model_name.")
        sent: Mapping[str, Any] = entry
        policy = {"priority": int(sent.get("priority", 100))}
        for name, default in (("max_retries", 3), ("retry_interval_seconds", 30)):
            policy[name] = int(sent.get(name, default))
            if policy[name] < 1:
                raise self._refusal("POST", path, 400, f"Autostart model {name} must be greater than 0.")
        launch = {"model_uid": launch["model_name"], "model_type": "LLM", **launch}
        uid = str(launch["model_uid"])
        self._disable(uid)
        self._row(str(launch["model_name"]), uid).update(data=launch, policy=policy, enabled=bool(entry.get("enabled", True)), updated=self.clock())
        self._autostart.states.pop(uid, None)
        self._autostart.wake()

    def remove_autostart(self, uid: str) -> None:
        """Remove an autostart entry; the server answers yes to unknown ones as well."""
        self._called("remove_autostart", uid)
        self._needs("autostart", "DELETE", f"/v1/autostart/models/{uid}")
        self._disable(uid)
        self._autostart.states.pop(uid, None)

    # Files, answers and the server itself.

    def cached(self) -> list[CachedRow]:
        """Models whose files are on the server."""
        self._called("cached", None)
        return copy.deepcopy(self.files_cached)

    def cache(self, request: dict[str, Any]) -> bool:
        """Download the files of a model without launching it; False when the server goes on after the request was dropped."""
        self._called("cache", request)
        self._needs("downloads", "POST", "/v1/cache/models")
        uid, kind = str(request["cache_uid"]), str(request.get("model_type") or "LLM")
        if uid in self.tasks:
            raise self._refusal("POST", "/v1/cache/models", 400, f"Cache operation {uid} already exists; resume or cancel it")
        specification = self._specification(kind, str(request["model_name"]))
        if (kind, request["model_name"]) not in self.registered or not any(_chosen(specification, request)):
            raise self._refusal("POST", "/v1/cache/models", 400, f"Model {request['model_name']} is no longer registered")
        if any(row["model_version"] == self._cached_row(kind, specification, request)["model_version"] for row in self.files_cached):
            return True
        return self._download(uid, request)

    def resume_download(self, cache_uid: str) -> None:
        """Let the server go on with a download that was interrupted; it is listed as before until the server has begun with it."""
        self._called("resume_download", cache_uid)
        path = f"/v1/downloads/{cache_uid}/resume"
        self._needs("downloads", "POST", path)
        if cache_uid not in self.tasks:
            raise self._refusal("POST", path, 409, f"Cache operation {cache_uid} does not exist")
        self.clock.after(_BEGIN, lambda: self._start_download(cache_uid, self.tasks[cache_uid]["request"]))

    def downloads(self) -> list[DownloadRow]:
        """Downloads that have not ended well, those under way included."""
        self._called("downloads", None)
        self._needs("downloads", "GET", "/v1/downloads")
        return [cast("DownloadRow", self._task(uid, task)) for uid, task in self.tasks.items()]

    def remove_cached(self, model_version: str) -> None:
        """Delete the files of a downloaded model; the server answers yes to unknown ones as well."""
        self._called("remove_cached", model_version)
        self.files_cached = [row for row in self.files_cached if row["model_version"] != model_version]

    def ask(self, route: str, question: dict[str, Any], timeout: float) -> dict[str, Any]:
        """Answer of a model to a request of inference."""
        self._called("ask", (route, question))
        url = f"{ENDPOINT}/v1/{route}"
        uid = str(question["model"])
        model = self.models.get(uid)
        if model is None or model.orphan or model.status in ("ERROR", "TERMINATING"):
            if model is None or not model.served:
                words = f"{_PREFIX}Model not found in the model list, uid: {uid}. Available model uids: {sorted(self.ready())}"
                raise ApiError("POST", url, 404, words)
        elif "CREATING" in model.statuses():
            # A copy that still loads may be the one that gets the request.
            words = f"Model is loading, please retry later: {_PREFIX}Model {uid} is launching, not yet ready for inference"
            raise ApiError("POST", url, 503, words)
        if uid in self.unanswered:
            self.clock.sleep(timeout)
            raise NoAnswer(f"POST {url}: no answer within {timeout:g} s.")
        return self._answer(url, route, model)

    def routes(self) -> frozenset[str]:
        """What the server offers."""
        self._called("routes", None)
        later = (routes for what, routes in _LATER_ROUTES.items() if getattr(self, f"with_{what}"))
        return frozenset(_ROUTES).union(*later)

    def status(self, *, patient: bool = True) -> ServerStatus:
        """Uptime and workers of the server with their resources."""
        self._called("status", None)
        memory = self.memory_mib << 20
        machine = {"usage": 0.5, "total": self.cores, "memory_used": memory // 4, "memory_available": memory - memory // 4, "memory_total": memory}
        worker = {"update_time": self.clock(), "failure_remaining_count": 5, "status": {"cpu": machine}}
        workers = {address: copy.deepcopy(worker) for address in self.cluster}
        return cast("ServerStatus", {"uptime": int(self.clock() - self.began), "workers": workers})

    def workers(self) -> list[str]:
        """Addresses of the registered workers."""
        self._called("workers", None)
        return list(self.cluster)

    def bans(self) -> list[str] | None:
        """Addresses that its guard bans; None where it has none, as a server without accounts."""
        self._called("bans", None)
        return list(self.banned) if self.authenticated else None

    def version(self) -> str | None:
        """Version of the server."""
        self._called("version", None)
        return self.release

    def twin(self) -> FakeServer:
        """The same for another thread."""
        return self

    def close(self) -> None:
        """Close the connection."""
        self.closed = True

    # The client's methods: accounts and API keys.

    def accounts(self) -> list[AccountRow] | None:
        """All accounts."""
        self._called("accounts", None)
        if not self.with_accounts:
            return None
        return [cast("AccountRow", {key: copy.deepcopy(value) for key, value in row.items() if key != "password"}) for row in self.people.values()]

    def create_account(self, name: str, password: str, permissions: list[str]) -> int:
        """Make an account."""
        self._called("create_account", (name, password, permissions))
        path = "/v1/admin/users"
        self._long_enough(password, "POST", path)
        if any((row["username"], row["source"]) == (name, "local") for row in self.people.values()):
            raise ApiError("POST", f"{ENDPOINT}{path}", 409, "User already exists")
        assert len(permissions) == len(set(permissions)), "the server breaks on a permission that is given twice"
        return self.account(name, password, *permissions)

    def update_account(self, account: int, changes: AccountChanges) -> None:
        """Change an account."""
        self._called("update_account", (account, changes))
        row = self._stored(self.people, account, "PUT", "users")
        assert set(changes) <= {"enabled", "permissions"}
        row.update(copy.deepcopy(changes))

    def set_account_password(self, account: int, password: str) -> None:
        """Give it another password."""
        self._called("set_account_password", (account, password))
        row = self._stored(self.people, account, "PUT", "users", "/password")
        self._long_enough(password, "PUT", f"/v1/admin/users/{account}/password")
        row["password"] = password

    def remove_account(self, account: int) -> None:
        """Remove it, and its keys."""
        self._called("remove_account", account)
        self._stored(self.people, account, "DELETE", "users")
        del self.people[account]
        self.api_keys = {number: row for number, row in self.api_keys.items() if row["user_id"] != account}

    def accepts(self, name: str, password: str) -> bool:
        """Try a password; a disabled account has none that works."""
        self._called("accepts", name)
        self.tried.append((name, password))
        rows = [row for row in self.people.values() if (row["username"], row["source"]) == (name, "local")]
        return any(row["enabled"] and row["password"] == password for row in rows)

    def use_password(self, password: str) -> None:
        """Log in again."""
        self._called("use_password", None)
        if not self.accepts(self.username, password):
            raise AuthenticationError("POST", f"{ENDPOINT}/token", 401, "Incorrect username or password")

    def shortest_password(self) -> int:
        """How many characters a password must have."""
        return 8

    def keys(self) -> list[KeyRow] | None:
        """All API keys, without the keys themselves."""
        self._called("keys", None)
        if not self.with_accounts:
            return None
        rows = []
        for row in self.api_keys.values():
            stored = {key: copy.deepcopy(value) for key, value in row.items() if key != "key"}
            permissions = [{"id": number, "api_key_id": row["id"], **each} for number, each in enumerate(row["model_permissions"], start=1)]
            rows.append({**stored, "model_permissions": permissions, "owner_username": self.people[row["user_id"]]["username"]})
        return cast("list[KeyRow]", rows)

    def create_key(self, request: KeyRequest) -> NewKey:
        """Make a key; an empty list of models is none, and means all of them."""
        self._called("create_key", request)
        self._free(str(request["name"]), None, "POST", "")
        owner = request.get("owner") or next(number for number, row in self.people.items() if row["username"] == self.username)
        number = max(self.api_keys, default=0) + 1
        self._made += 1
        key = f"xf-{self._made:04d}" + "k" * 44
        self.api_keys[number] = {
            "id": number,
            "user_id": owner,
            "key_prefix": key[:7],
            "name": request["name"],
            "description": request.get("description"),
            "enabled": True,
            "expires_at": request.get("expires_at"),
            "model_permissions": copy.deepcopy(request.get("model_permissions")) or [{"permission_type": "all", "permission_value": None}],
            "created_at": _STORED,
            "key": key,
        }
        return cast("NewKey", {"id": number, "key": key, "prefix": key[:7], "name": request["name"]})

    def update_key(self, key: int, changes: KeyChanges) -> None:
        """Change a key."""
        self._called("update_key", (key, changes))
        row = self._stored(self.api_keys, key, "PUT", "keys")
        assert set(changes) <= {"name", "description", "enabled", "expires_at", "model_permissions"}
        if "name" in changes:
            self._free(changes["name"], key, "PUT", f"/{key}")
        row.update(copy.deepcopy(changes))

    def remove_key(self, key: int) -> None:
        """Remove a key."""
        self._called("remove_key", key)
        self._stored(self.api_keys, key, "DELETE", "keys")
        del self.api_keys[key]

    def reveal_key(self, key: int) -> str | None:
        """The key itself."""
        self._called("reveal_key", key)
        found: str | None = self.api_keys[key]["key"] if key in self.api_keys else None
        return found

    @staticmethod
    def _stored(rows: dict[int, dict[str, Any]], number: int, method: str, what: str, part: str = "") -> dict[str, Any]:
        """A row by its number, or the refusal."""
        if number not in rows:
            raise ApiError(method, f"{ENDPOINT}/v1/admin/{what}/{number}{part}", 404, {"users": "User", "keys": "API key"}[what] + " not found")
        return rows[number]

    def _long_enough(self, password: str, method: str, path: str) -> None:
        """Refuse a password that is too short."""
        if len(password) < self.shortest_password():
            raise ApiError(method, f"{ENDPOINT}{path}", 400, f"Password must be at least {self.shortest_password()} characters")

    def _free(self, name: str, but: int | None, method: str, part: str) -> None:
        """Refuse a name that another key has."""
        if self.with_unique_keys and any(row["name"].lower() == name.lower() and row["id"] != but for row in self.api_keys.values()):
            raise ApiError(method, f"{ENDPOINT}/v1/admin/keys{part}", 409, "API key name already exists")

    # Inside: calls.

    def _called(self, call: str, argument: Any) -> None:
        if self.lost:
            raise NotReached(f"{call}: no connection (Connection refused).")
        if self.allowed is not None and call in WRITES:
            assert call in self.allowed, f"unexpected call {call}({argument!r})"
        self.calls.append((call, copy.deepcopy(argument)))
        error = self.next_errors[call].pop(0) if self.next_errors.get(call) else None
        if error is not None:
            raise error

    def _needs(self, what: str, method: str, path: str) -> None:
        """Refuse as a server does that has no such route."""
        if not getattr(self, f"with_{what}"):
            raise ApiError(method, f"{ENDPOINT}{path}", 404, "Not Found")

    @staticmethod
    def _refusal(method: str, path: str, status: int, words: str) -> ApiError:
        return ApiError(method, f"{ENDPOINT}{path}", status, _PREFIX + words)

    # Inside: launches.

    def _new_created(self, uid: str, age: int = 0) -> int:
        """When an instance is made; no launch of a model is in the same second as another one."""
        self._created[uid] = max(int(self.clock()) + age, self._created.get(uid, 0) + 1)
        return self._created[uid]

    def _begin(self, request: dict[str, Any], ended: Callable[[Model], None] | None = None) -> Model:
        """Begin a launch, whoever asks for it."""
        uid, kind, name = str(request["model_uid"]), str(request.get("model_type") or "LLM"), str(request["model_name"])
        specification = self._specification(kind, name)
        model = Model(request, created=self._new_created(uid), specification=specification)
        before = self.models.get(uid)
        if before is not None and before.orphan:
            # The first launch after it only clears the orphan away.
            model.status = "ERROR"
            model.replicas = [Replica(0, 0, "TERMINATED")] if self.with_history else []
        path, engine = request.get("model_path"), str(request.get("model_engine") or "")
        usable = {usable.lower() for usable in self._offers(kind, name)}
        if model.status == "ERROR":
            pass
        elif path and self.files is not None and path not in self.files:
            model.status, model.message = "ERROR", f"{_PREFIX}Invalid input. `model_path`: {path} File or directory does not exist."
        elif (kind, name) not in self.registered or (specification.get("model_specs") and not any(_chosen(specification, request))):
            model.status, model.message = "ERROR", _PREFIX + _unknown(request)
        elif engine and usable and engine.lower() not in usable:
            model.status, model.message = "ERROR", f"{_PREFIX}Model {name} cannot be run on engine {engine}."
        elif missing := self._missing(request):
            model.status, model.message = "ERROR", _PREFIX + missing
        self._spread(model)
        self.models[uid] = model
        if ended is not None:
            model.ended = lambda: ended(model)
        if model.status == "CREATING":
            self._load(model)
        loading = sum(1 for other in self.models.values() if other.status == "CREATING")
        self.most_at_once = max(self.most_at_once, loading)
        return model

    def _named(self, request: Mapping[str, Any]) -> list[str]:
        """The workers that a launch names, by host or by address. A server whose only worker is its own ignores them."""
        return [] if self.cluster == [WORKER] else [one.strip() for one in str(request.get("worker_ip") or "").split(",") if one.strip()]

    def _at(self, name: str) -> list[str]:
        """Addresses of the workers with that name or address."""
        return [address for address in self.cluster if name in (address, address.rpartition(":")[0])]

    def _missing(self, request: Mapping[str, Any]) -> str:
        """The server's words about a worker that a launch names and that is not there."""
        return next((f"Worker ip address {name} is not in the cluster." for name in self._named(request) if not self._at(name)), "")

    def _freest(self, addresses: Collection[str], more: Sequence[str] = ()) -> str:
        """The worker that runs the fewest replicas; a real server takes any of several such.

        :param more: workers of replicas that are just being made.
        """
        running = [*(one.worker for model in self.models.values() for one in model.replicas), *more]
        return min(addresses, key=running.count)

    def _spread(self, model: Model) -> None:
        """Give each replica of a launch its worker: the one that was named for it, or of those that may get it whoever runs the fewest."""
        places = [place["devices"][0]["worker_ip"] for place in model.request.get("replica_config") or []]
        among = [address for name in self._named(model.request) for address in self._at(name)] or self.cluster
        given: list[str] = []
        for number, one in enumerate(model.replicas if among else ()):
            one.worker = places[number] if places else self._freest(among, given)
            given.append(one.worker)

    def _load(self, model: Model, number: int = 0) -> None:
        """Load one copy after the other."""
        self.clock.after(self.load_seconds, lambda: self._loaded(model, number))

    def _loaded(self, model: Model, number: int) -> None:
        words = self.broken.get(model.uid)
        loading = next((one for one in model.replicas if one.number == number), None)
        if model.returns:
            self.models.setdefault(model.uid, model)
        if self.models.get(model.uid) is not model or loading is None or "CREATING" not in model.statuses() or model.orphan:
            return
        if words is not None:
            model.status, model.message = "ERROR", words
            for one in model.replicas:
                one.status = None
        else:
            if model.status == "CREATING":
                for one in model.replicas:
                    one.status = "CREATING"
                model.status, model.message, model.loaded = "READY", None, self.clock()
            loading.status = None
            if loading is not model.replicas[-1]:
                self._load(model, number + 1)
                return
            if not model.request.get("model_path"):
                self._keep(model.type, model.specification, model.request)
        model.end()

    @staticmethod
    def _counted(model: Model) -> list[Replica]:
        """The replicas that the server counts: those that are being added come later."""
        return [one for one in model.replicas if not (one.added and one.status == "CREATING")]

    # Inside: registrations.

    def _specification(self, model_type: str, name: str) -> dict[str, Any]:
        key = (model_type, name)
        given = self.specifications.get(key) or {**_CATALOGUE.get(model_type, {}), "model_name": name}
        return _filled(model_type, given, self.registered.get(key, False))

    def _offers(self, model_type: str, name: str) -> dict[str, list[EngineOffer]]:
        """What each engine that is there can load."""
        offers: dict[str, list[dict[str, Any]]] = {}
        for spec in self._specification(model_type, name).get("model_specs") or []:
            form = spec.get("model_format", "ggufv2")
            engine = "llama.cpp" if form == "ggufv2" else "Transformers" if model_type == "LLM" else "sentence_transformers"
            offer = {"model_name": name, "model_format": form}
            if model_type != "LLM":
                offers.setdefault(engine, []).append({**offer, "quantization": spec.get("quantization")})
                continue
            offer["model_size_in_billions"] = spec.get("model_size_in_billions")
            same = next((one for one in offers.get(engine, []) if offer.items() <= one.items()), None)
            if same is not None:
                same["quantizations"].append(spec.get("quantization"))
                continue
            offer["quantizations"] = [spec.get("quantization")]
            if form == "ggufv2":
                offer["multimodal_projectors"] = spec.get("multimodal_projectors")
            offers.setdefault(engine, []).append({**offer, "support_draft_model": form == "ggufv2"})
        return cast("dict[str, list[EngineOffer]]", offers)

    # Inside: history.

    def _row(self, name: str, uid: str) -> dict[str, Any]:
        """The row of this account, a new one where there is none."""
        for row in self.rows:
            if (row["name"], row["uid"], row["owner"]) == (name, uid, self.username):
                return row
        policy = {"priority": 100, "max_retries": 3, "retry_interval_seconds": 30}
        row = {"id": 1 + max((row["id"] for row in self.rows), default=0), "name": name, "uid": uid, "owner": self.username, "data": {}}
        row.update(enabled=False, policy=policy, created=self.clock(), updated=self.clock())
        self.rows.append(row)
        return row

    def _disable(self, uid: str) -> None:
        """Switch the entries of a model off, whoever wrote them; their rows stay."""
        for row in self.rows:
            if row["uid"] == uid and row["enabled"]:
                row.update(enabled=False, updated=self.clock())

    def _shown(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """A row as this account sees it."""
        owner = row["owner"] == self.username
        data = copy.deepcopy(row["data"])
        shown = {
            "id": row["id"],
            "model_name": row["name"],
            "model_uid": row["uid"],
            "data": data if owner else {key: value for key, value in data.items() if key in _SHARED},
            "created_by": row["owner"],
            "updated_by": row["owner"],
            "created_at": _stamp(row["created"]),
            "updated_at": _stamp(row["updated"]),
            "is_owner": owner,
        }
        if self._columns:
            shown |= {"ui_data": {}, "autostart_enabled": row["enabled"], **{f"autostart_{name}": value for name, value in row["policy"].items()}}
        return shown

    # Inside: files.

    @staticmethod
    def _cached_row(kind: str, specification: Mapping[str, Any], request: Mapping[str, Any]) -> dict[str, Any]:
        """A row of the downloaded models."""
        spec = next(_chosen(specification, request), {})
        name, form, size, quantization = specification["model_name"], spec.get("model_format"), spec.get("model_size_in_billions"), spec.get("quantization")
        embedding = kind == "embedding"
        middle = f"{specification.get('max_tokens')}--{specification.get('dimensions')}" if embedding else f"{size}B"
        folder = f"{name}-{form}-{quantization}" if embedding else f"{name}-{form}-{size}b-{quantization}"
        real = str(spec.get("model_uri") or f"{HOME}/huggingface/models--{str(spec.get('model_id') or name).replace('/', '--')}/blobs").removeprefix("file://")
        return {
            "model_name": name,
            "model_type": kind,
            "model_engine": ["llama.cpp" if form == "ggufv2" else "Transformers" if kind == "LLM" else "sentence_transformers"],
            "model_size_in_billions": None if embedding else size,
            "model_format": None if embedding else form,
            "quantization": None if embedding else quantization,
            "model_version": f"{name}--{middle}--{form}--{quantization}",
            "path": f"{HOME}/cache/v2/{folder.replace('.', '_')}",
            "real_path": real,
            "actor_ip_address": WORKER,
            "size_bytes": 98365440,
        }

    def _keep(self, kind: str, specification: Mapping[str, Any], request: Mapping[str, Any]) -> None:
        row = self._cached_row(kind, specification, request)
        if row not in self.files_cached:
            self.files_cached.append(cast("CachedRow", row))

    def _start_download(self, uid: str, request: Mapping[str, Any]) -> None:
        """Download in the background."""
        task = {"request": dict(request), "status": "downloading", "error": None, "begun": self.clock()}
        self.tasks[uid] = task

        def end() -> None:
            if self.tasks.get(uid) is not task:
                return
            words = self.unreachable.get(str(request["model_name"]))
            if words is not None:
                task.update(status="failed", error=words)
                return
            del self.tasks[uid]
            kind = str(request.get("model_type") or "LLM")
            self._keep(kind, self._specification(kind, str(request["model_name"])), request)

        if self.download_seconds:
            self.clock.after(self.download_seconds, end)
        else:
            end()

    def _download(self, uid: str, request: Mapping[str, Any]) -> bool:
        """Download for as long as it takes; the client leaves after a moment."""
        self._start_download(uid, request)
        if self.download_seconds:
            self.clock.sleep(min(self.download_seconds, _MOMENT))
        task = self.tasks.get(uid)
        if task is not None and task["status"] == "failed":
            raise ApiError("POST", f"{ENDPOINT}/v1/cache/models", 503, str(task["error"]))
        return task is None

    def _task(self, uid: str, task: Mapping[str, Any]) -> dict[str, Any]:
        """A row of the downloads that have not ended well."""
        request = task["request"]
        done = min((self.clock() - task["begun"]) / self.download_seconds, 1.0) if self.download_seconds else 0.0
        return {
            "kind": "cache",
            "cache_uid": uid,
            "model_uid": uid,
            "model_version": None,
            "model_type": "LLM",
            **{key: request.get(key) for key in ("model_name", "model_engine", "model_size_in_billions", "model_format", "quantization")},
            "status": task["status"],
            "stage": task["status"],
            "instance_created_ts": int(task["begun"]),
            "updated_at": self.clock(),
            "progress": done,
            "error": task["error"],
            "resumable": task["status"] != "downloading",
            "download_files": [],
            "replicas": [],
        }

    # Inside: answers.

    def _answer(self, url: str, route: str, model: Model) -> dict[str, Any]:
        """The answer of a model that serves; each type knows its own routes only."""
        used = {"completion_tokens": 1, "prompt_tokens": 1, "total_tokens": 2, "prompt_tokens_details": {"cached_tokens": 0}}
        common = {"id": "chatcmpl-1", "created": int(self.clock()), "model": f"{HOME}/cache/v2/{model.request['model_name']}", "usage": used}
        if model.type == "LLM" and route == "chat/completions":
            choice: dict[str, Any] = {"finish_reason": "length", "index": 0, "message": {"role": "assistant", "content": "Hello"}}
            return {**common, "object": "chat.completion", "choices": [choice]}
        if model.type == "LLM" and route == "completions":
            return {**common, "object": "text_completion", "choices": [{"text": ",", "index": 0, "logprobs": None, "finish_reason": "length"}]}
        if model.type == "embedding" and route == "embeddings":
            vector = [0.125] * int(model.request.get("dimensions") or model.specification.get("dimensions") or 1)
            rows = [{"index": 0, "object": "embedding", "embedding": vector}]
            return {"object": "list", "model": model.uid, "model_replica": f"{model.uid}-rep0", "data": rows, "usage": {"prompt_tokens": 3, "total_tokens": 3}}
        if model.type == "rerank" and route == "rerank":
            return {"id": "1", "results": [{"index": 0, "relevance_score": 0.5, "document": None}], "meta": {}}
        words = {
            "embeddings": f"{_PREFIX}Model {model.spec} is not for creating embedding.",
            "rerank": f"{_PREFIX}Model {model.spec} is not for reranking.",
            "chat/completions": "The chat completion request failed. Check the server logs for details.",
        }.get(route, f"{_PREFIX}'SentenceTransformerEmbeddingModel' object has no attribute 'model_spec'")
        raise ApiError("POST", url, 500, words)

    def _description(self, model: Model) -> dict[str, Any]:
        request, whole, spec = model.request, model.specification, model.spec
        form = spec.get("model_format", "ggufv2")
        engine = request.get("model_engine") or ("llama.cpp" if form == "ggufv2" else "sentence_transformers")
        own: dict[str, Any] = {"model_engine": engine, "model_format": form}
        if model.type == "LLM":
            own |= {
                "model_lang": whole["model_lang"],
                "model_ability": whole["model_ability"],
                "model_description": None,
                # As the registration has them, not as the caller wrote them.
                "model_size_in_billions": spec.get("model_size_in_billions"),
                "quantization": spec.get("quantization"),
                "model_family": whole["model_family"],
                "multimodal_projector": request.get("multimodal_projector"),
                "model_hub": "huggingface",
                "revision": None,
                # That of the family, whatever the model was launched with.
                "context_length": whole["context_length"],
                "strict_system_first": False,
            }
        elif model.type == "embedding":
            own |= {name: whole.get(name) for name in ("dimensions", "max_tokens", "language")}
            own |= {"model_ability": ["embed"], "model_hub": "huggingface", "model_revision": None, "quantization": spec.get("quantization")}
        else:
            own |= {"language": whole.get("language"), "model_ability": ["rerank"] if model.type == "rerank" else []}
            own |= {"model_revision": None, "quantization": spec.get("quantization")}
        return {
            "model_type": model.type,
            "address": "0.0.0.0:37693",
            "accelerators": [],
            "model_name": request["model_name"],
            **own,
        }

    def _instance(self, uid: str, model: Model) -> dict[str, Any]:
        replicas = [
            {
                "replica_id": one.number,
                "replica_model_uid": "" if status == "TERMINATED" else f"{uid}-rep{one.number}",
                "worker_address": "" if status == "TERMINATED" else one.worker,
                "status": status,
                "model_state": {"READY": "ready", "ERROR": "error", "TERMINATING": "stopping", "TERMINATED": "stopped"}.get(status, ""),
                "created_ts": one.created,
                "error_message": model.message if status == "ERROR" else None,
                "replica_uid": f"{uid}-{one.number}" if one.added else None,
                "gpu_idx": None,
            }
            for one, status in zip(model.replicas, model.statuses())
        ]
        ability = self._description(model)["model_ability"] if "READY" in model.statuses() else []
        return {
            "model_name": model.request["model_name"],
            "model_uid": uid,
            "model_version": None,
            "model_ability": ability,
            "replica": len(self._counted(model)),
            "status": model.status,
            "instance_created_ts": model.created,
            "n_worker": 1,
            "replica_statuses": replicas,
        }


class _Autostart:
    """The part of a server that launches what has an autostart entry: one model after the other, each as often as its entry says.

    :param server: the server.
    """

    def __init__(self, server: FakeServer) -> None:
        self.server = server
        #: uid → what became of its entry.
        self.states: dict[str, dict[str, Any]] = {}
        self.queue: list[dict[str, Any]] = []
        self.later: list[float] = []
        self.busy = False
        self.again = False

    def wake(self) -> None:
        """Check all entries; when it is at work, once more afterwards."""
        if self.server._autostart is not self:
            # The server was started again in the meantime.
            return
        if self.busy:
            self.again = True
            return
        self.busy = True
        self.queue = sorted((row for row in self.server.rows if row["enabled"]), key=lambda row: (row["policy"]["priority"], row["uid"]))
        self.go_on()

    def go_on(self) -> None:
        """Take the next entries, until one of them launches."""
        while self.queue:
            if self.launches(self.queue.pop(0)):
                return
        self.busy = False
        if self.again:
            self.again = False
            self.wake()
        elif self.later:
            self.server.clock.after(min(self.later), self.wake)
        self.later = []

    def launches(self, row: Mapping[str, Any]) -> bool:
        """Deal with one entry; True when a launch has begun that is waited for."""
        uid, policy, now = str(row["uid"]), row["policy"], self.server.clock()
        state = self.states.setdefault(uid, {"attempts": 0})
        model = self.server.models.get(uid)
        if model is not None and model.status == "READY":
            state.update(status="active", attempts=0, message="Model is already active.", last_error=None)
            return False
        if model is not None and model.status in _BUSY:
            state.update(status="waiting_model", message=f"Model is {model.status.lower()}.")
            self.later.append(policy["retry_interval_seconds"])
            return False
        if state["attempts"] >= policy["max_retries"]:
            state.update(status="error", message="Autostart retry limit reached.")
            return False
        rest = policy["retry_interval_seconds"] - (now - state["last_attempt_ts"]) if "last_attempt_ts" in state else 0
        if rest > 0:
            self.later.append(rest)
            return False
        state.update(status="launching", attempts=state["attempts"] + 1, last_attempt_ts=int(now), message="Launching from autostart history.")
        launched = self.server._begin(copy.deepcopy(dict(row["data"])), lambda model: self.ended(row, model, go_on=True))
        if launched.status == "CREATING":
            return True
        launched.ended = None
        self.ended(row, launched)
        return False

    def ended(self, row: Mapping[str, Any], model: Model, go_on: bool = False) -> None:
        """A launch has ended."""
        state, policy = self.states.setdefault(model.uid, {"attempts": 0}), row["policy"]
        if model.status == "READY":
            done = int(self.server.clock())
            state.update(status="active", attempts=0, model_uid=model.uid, last_started_ts=done, last_error=None, message="Model is ready.")
        else:
            state.update(status="error", last_error=model.message or "Launch cancelled", message="Launch failed.")
            if state["attempts"] < policy["max_retries"]:
                self.later.append(policy["retry_interval_seconds"])
        if go_on:
            self.go_on()


class Script:
    """A client that expects exactly these calls in this order, each with its answer or its error."""

    def __init__(self, *expected: tuple[str, Any]) -> None:
        self.expected = list(expected)
        self.authenticated = True
        self.closed = False

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def call(*_arguments: Any) -> Any:
            assert self.expected, f"unexpected call {name}"
            wanted, answer = self.expected.pop(0)
            assert name == wanted, f"call {name}, but {wanted} was expected"
            if isinstance(answer, Exception):
                raise answer
            return answer

        return call

    def close(self) -> None:
        """Close the connection."""
        self.closed = True

    def finish(self) -> None:
        """Fail when a call that was expected did not come."""
        assert not self.expected, f"missing calls {[name for name, _answer in self.expected]}"
