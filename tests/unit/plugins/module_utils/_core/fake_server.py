# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A server in memory that behaves like the real one, and a clock that only moves when somebody waits.

It offers the methods of the core's client. The contract test compares its answers with those of a real server, so that
what the unit tests prove holds there too.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.inferops.xinference.plugins.module_utils._core.errors import ApiError, ConnectionFailed

ENDPOINT = "http://fake:9997"
WORKER = "0.0.0.0:20425"
_PREFIX = f"[address={WORKER}, pid=11] "
_ACTIVE = frozenset({"CREATING", "READY", "TERMINATING", "LOADING", "UPDATING"})

#: What the server adds to the description of a running model, by type.
_DESCRIPTION: dict[str, dict[str, Any]] = {
    "LLM": {
        "model_lang": ["en"],
        "model_ability": ["generate"],
        "model_description": None,
        "model_size_in_billions": "0_135",
        "model_format": "ggufv2",
        "quantization": "Q4_1",
        "multimodal_projector": None,
        "model_hub": "huggingface",
        "revision": None,
        "context_length": 8192,
        "strict_system_first": False,
        "model_engine": "llama.cpp",
    },
    "embedding": {
        "model_engine": "sentence_transformers",
        "model_format": "pytorch",
        "dimensions": 384,
        "max_tokens": 256,
        "language": ["en"],
        "model_ability": ["embed"],
        "model_hub": "huggingface",
        "model_revision": None,
        "quantization": "none",
    },
}


class Clock:
    """Seconds that pass only through :meth:`sleep`; things can be made to happen at a time."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.events: list[tuple[float, Callable[[], None]]] = []

    def __call__(self) -> float:
        """The time in seconds."""
        return self.now

    def after(self, seconds: float, event: Callable[[], None]) -> None:
        """Let something happen that many seconds from now."""
        self.events.append((self.now + seconds, event))

    def sleep(self, seconds: float) -> None:
        """Let time pass."""
        assert seconds > 0, f"waiting {seconds} s would never end"
        end = self.now + seconds
        for when, event in sorted((due for due in self.events if due[0] <= end), key=lambda due: due[0]):
            self.events.remove((when, event))
            self.now = max(self.now, when)
            event()
        self.now = end


@dataclass
class Model:
    """A model on the fake server.

    :param orphan: cancelled when it was already ready: the real server still calls it READY, but serves it no more.
    """

    request: dict[str, Any]
    status: str = "CREATING"
    message: str | None = None
    created: int = 0
    orphan: bool = False


@dataclass
class FakeServer:
    """A server in memory.

    :param clock: its time.
    :param load_seconds: time from a launch until the model is ready.
    :param terminate_seconds: time that a termination takes.
    :param cancel_seconds: time for which a cancellation blocks.
    :param broken: models that fail to load, with the server's words.
    :param files: paths that exist inside the container; None for any.
    :param allowed: names of writing calls that a test expects; any other one fails the test. None allows all.
    """

    clock: Clock = field(default_factory=Clock)
    load_seconds: float = 10.0
    terminate_seconds: float = 0.0
    cancel_seconds: float = 10.0
    broken: dict[str, str] = field(default_factory=dict)
    files: frozenset[str] | None = None
    allowed: frozenset[str] | None = None
    authenticated: bool = True
    models: dict[str, Model] = field(default_factory=dict)
    registered: dict[tuple[str, str], bool] = field(default_factory=lambda: {("LLM", "qwen3"): True, ("embedding", "bge-m3"): True})
    calls: list[tuple[str, Any]] = field(default_factory=list)
    next_errors: dict[str, list[Exception | None]] = field(default_factory=dict)
    lost: bool = False
    most_at_once: int = 0
    closed: bool = False

    # Set-up and inspection.

    def run(self, *uids: str, **request: Any) -> FakeServer:
        """Put ready models on the server, as if launched earlier."""
        for uid in uids:
            self.models[uid] = Model({"model_uid": uid, "model_type": "LLM", "model_name": "qwen3", "replica": 1, **request}, "READY")
        return self

    def put(self, uid: str, status: str, message: str | None = None, **request: Any) -> FakeServer:
        """Put a model in any state on the server; one that somebody else is launching or terminating goes on to its end."""
        model = Model({"model_uid": uid, "model_type": "LLM", "model_name": "qwen3", "replica": 1, **request}, status, message)
        self.models[uid] = model
        if status == "CREATING":
            self.clock.after(self.load_seconds, lambda: self._loaded(model))
        elif status == "TERMINATING":
            self.clock.after(self.terminate_seconds or 5.0, self.become(uid, "TERMINATED"))
        return self

    def become(self, uid: str, status: str, message: str | None = None) -> Callable[[], None]:
        """An event for the clock: the model gets another state, or disappears with status TERMINATED."""

        def event() -> None:
            if status == "TERMINATED":
                self.models.pop(uid, None)
            elif uid in self.models:
                self.models[uid].status, self.models[uid].message = status, message
            else:
                self.put(uid, status, message)

        return event

    def lose(self) -> None:
        """An event for the clock: the server answers no more."""
        self.lost = True

    def fail_next(self, call: str, *errors: Exception | None) -> None:
        """Let the next calls of a method fail; None lets one pass."""
        self.next_errors.setdefault(call, []).extend(errors)

    def writes(self) -> list[tuple[str, Any]]:
        """The writing calls so far, in order."""
        return [call for call in self.calls if call[0] in ("register", "launch", "terminate", "cancel")]

    def ready(self) -> set[str]:
        """Models that are served."""
        return {uid for uid, model in self.models.items() if model.status == "READY" and not model.orphan}

    # The client's methods.

    def list_models(self) -> dict[str, dict[str, Any]]:
        """Descriptions of the running models by uid."""
        self._called("list_models", None)
        return {uid: self._description(uid, self.models[uid].request) for uid in sorted(self.ready())}

    def list_instances(self) -> list[dict[str, Any]]:
        """Every instance that the server remembers."""
        self._called("list_instances", None)
        return [self._instance(uid, model) for uid, model in sorted(self.models.items())]

    def list_registrations(self, model_type: str) -> dict[str, bool]:
        """Names of the registered models of a type, and whether each is built in."""
        self._called("list_registrations", model_type)
        return {name: builtin for (kind, name), builtin in self.registered.items() if kind == model_type}

    def engines(self, model_type: str, name: str) -> dict[str, Any] | None:
        """Engines for a model: a list of what each can load, or its reason why not."""
        self._called("engines", (model_type, name))
        if (model_type, name) not in self.registered:
            return None
        usable = {
            "model_name": name,
            "model_format": "ggufv2",
            "model_size_in_billions": "0_135",
            "quantizations": ["Q4_1"],
            "multimodal_projectors": None,
            "support_draft_model": True,
        }
        return {"llama.cpp": [usable], "vLLM": "Failed to import vLLM: No module named 'vllm'"}

    def register(self, model_type: str, specification: dict[str, Any]) -> None:
        """Register a custom model."""
        self._called("register", (model_type, specification["model_name"]))
        key = (model_type, str(specification["model_name"]))
        if key in self.registered:
            raise self._refusal("POST", f"/v1/model_registrations/{model_type}", 400, f"Model {key[1]} already registered")
        for spec in specification.get("model_specs", []):
            path = str(spec.get("model_uri", ""))[len("file://") :]
            if self.files is not None and path not in self.files:
                raise self._refusal("POST", f"/v1/model_registrations/{model_type}", 400, f"Invalid model URI {spec.get('model_uri')}.")
        self.registered[key] = False

    def launch(self, request: dict[str, Any]) -> None:
        """Ask for a launch; it is validated and loaded later, as with wait_ready=false."""
        self._called("launch", request)
        uid = str(request["model_uid"])
        for name in ("model_name", *(("model_engine",) if request["model_type"] == "LLM" else ())):
            if not request.get(name):
                raise ApiError("POST", f"{ENDPOINT}/v1/models", 400, f"Invalid input. Please specify the `{name}` field.")
        if uid in self.models and self.models[uid].status in _ACTIVE and not self.models[uid].orphan:
            raise self._refusal("POST", "/v1/models", 400, f"Model is already in the model list, uid: {uid}")
        model = Model(dict(request), created=int(self.clock()))
        if uid in self.models and self.models[uid].orphan:
            # The first launch after it only clears the orphan away.
            model.status = "ERROR"
        path = request.get("model_path")
        if path and self.files is not None and path not in self.files:
            model.status, model.message = "ERROR", f"{_PREFIX}Invalid input. `model_path`: {path} File or directory does not exist."
        elif (request["model_type"], request["model_name"]) not in self.registered:
            model.status, model.message = "ERROR", f"{_PREFIX}Model not found, name: {request['model_name']}"
        self.models[uid] = model
        if model.status == "CREATING":
            self.clock.after(self.load_seconds, lambda: self._loaded(model))
        loading = sum(1 for other in self.models.values() if other.status == "CREATING")
        self.most_at_once = max(self.most_at_once, loading)

    def terminate(self, uid: str) -> None:
        """Stop a running model; one that is loading counts as unknown."""
        self._called("terminate", uid)
        model = self.models.get(uid)
        if model is None or model.status != "READY" or model.orphan:
            name = f"{uid}-rep0" if model is not None and model.status == "CREATING" else uid
            raise self._refusal("DELETE", f"/v1/models/{uid}", 400, f"Model not found in the model list, uid: {name}")
        if self.terminate_seconds:
            model.status = "TERMINATING"
            self.clock.after(self.terminate_seconds, self.become(uid, "TERMINATED"))
        else:
            del self.models[uid]

    def cancel(self, uid: str) -> None:
        """Stop a launch under way; answers when it has unwound."""
        self._called("cancel", uid)
        model = self.models.get(uid)
        if model is None or model.status == "ERROR" or model.orphan:
            raise self._refusal("POST", f"/v1/models/{uid}/cancel", 500, f"Model {uid} has not been launched yet")
        if model.status == "READY":
            model.orphan = True
            return
        model.status = "ERROR"
        if self.cancel_seconds:
            self.clock.sleep(self.cancel_seconds)

    def workers(self) -> list[str]:
        """Addresses of the registered workers."""
        self._called("workers", None)
        return [WORKER]

    def version(self) -> str | None:
        """Version of the server."""
        self._called("version", None)
        return "4.1.0"

    def close(self) -> None:
        """Close the connection."""
        self.closed = True

    # Inside.

    def _called(self, call: str, argument: Any) -> None:
        if self.lost:
            raise ConnectionFailed(f"{call}: no connection (Connection refused).")
        if self.allowed is not None and call in ("register", "launch", "terminate", "cancel"):
            assert call in self.allowed, f"unexpected call {call}({argument!r})"
        self.calls.append((call, argument))
        error = self.next_errors[call].pop(0) if self.next_errors.get(call) else None
        if error is not None:
            raise error

    def _loaded(self, model: Model) -> None:
        if model.status == "CREATING":
            words = self.broken.get(str(model.request["model_uid"]))
            model.status, model.message = ("ERROR", words) if words is not None else ("READY", None)

    @staticmethod
    def _refusal(method: str, path: str, status: int, words: str) -> ApiError:
        return ApiError(method, f"{ENDPOINT}{path}", status, _PREFIX + words)

    @staticmethod
    def _description(uid: str, request: dict[str, Any]) -> dict[str, Any]:
        described = dict(_DESCRIPTION["embedding" if request["model_type"] != "LLM" else "LLM"])
        if request["model_type"] == "LLM":
            described["model_family"] = request["model_name"]
        for name in ("model_engine", "model_format", "model_size_in_billions", "quantization"):
            if request.get(name) is not None and name in described:
                described[name] = request[name]
        return {
            "id": uid,
            "object": "model",
            "created": 0,
            "owned_by": "xinference",
            "model_type": request["model_type"],
            "address": "0.0.0.0:37693",
            "accelerators": [],
            "model_name": request["model_name"],
            "replica": request.get("replica", 1),
            **described,
        }

    @staticmethod
    def _instance(uid: str, model: Model) -> dict[str, Any]:
        replica = {
            "replica_id": 0,
            "replica_model_uid": f"{uid}-rep0",
            "worker_address": WORKER,
            "status": model.status,
            "model_state": {"READY": "ready", "ERROR": "error"}.get(model.status, ""),
            "created_ts": model.created,
            "error_message": model.message,
            "replica_uid": None,
            "gpu_idx": None,
        }
        return {
            "model_name": model.request["model_name"],
            "model_uid": uid,
            "model_version": None,
            "model_ability": ["generate"] if model.status == "READY" else [],
            "replica": model.request.get("replica", 1),
            "status": model.status,
            "instance_created_ts": model.created,
            "n_worker": 1,
            "replica_statuses": [replica],
        }


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
