# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A play: the calls that the collection makes, in an order that shows each state. Played on the real server and on the tests' fake one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from real_server import own_words

from ansible_collections.inferops.xinference.plugins.module_utils._core.apply.smoke_test import smoke_test
from ansible_collections.inferops.xinference.plugins.module_utils._core.base.errors import ApiError
from ansible_collections.inferops.xinference.plugins.module_utils._core.observed.last_applied import RECORD
from ansible_collections.inferops.xinference.plugins.module_utils._core.observed.models import observe

GGUF = "/models/SmolLM2-135M-Instruct.Q4_1.gguf"
FOLDER = "/models/all-MiniLM-L6-v2"
NAME = "contract-llm"
UID = "chat"
TEMPLATE = "{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\n' + m['content'] + '<|im_end|>\n' }}{% endfor %}{{ '<|im_start|>assistant\n' }}"
LLM: dict[str, Any] = {
    "version": 2,
    "model_name": NAME,
    "model_lang": ["en"],
    "model_ability": ["generate", "chat"],
    "model_family": NAME,
    "chat_template": TEMPLATE,
    "stop": ["<|im_end|>"],
    "context_length": 8192,
    "model_specs": [
        {
            "model_format": "ggufv2",
            "model_size_in_billions": "0_135",
            "quantization": "Q4_1",
            "model_id": None,
            "model_file_name_template": "SmolLM2-135M-Instruct.Q4_1.gguf",
            "model_uri": f"file://{GGUF}",
        }
    ],
}
EMBEDDING_NAME = "contract-embedding"
EMBEDDING: dict[str, Any] = {
    "version": 2,
    "model_name": EMBEDDING_NAME,
    "dimensions": 384,
    "max_tokens": 256,
    "language": ["en"],
    "model_specs": [{"model_format": "pytorch", "quantization": "none", "model_id": None, "model_uri": f"file://{FOLDER}"}],
}
LAUNCH: dict[str, Any] = {
    "model_uid": UID,
    "model_type": "LLM",
    "replica": 1,
    "model_name": NAME,
    "model_engine": "LLAMA.CPP",
    "model_format": "ggufv2",
    "model_size_in_billions": "0_135",
    "quantization": "q4_1",
    "n_ctx": 512,
    "n_threads": 2,
    "n_parallel": 1,
}
LAUNCH_EMBEDDING = {"model_uid": "embed", "model_type": "embedding", "replica": 1, "model_name": EMBEDDING_NAME, "model_engine": "sentence_transformers"}
MISSING = {**LAUNCH, "model_uid": "missing", "model_path": "/models/nothing.gguf"}
#: What a record may hold: empty values, values that look like secrets, other alphabets.
DATA: dict[str, Any] = {
    "request": {**LAUNCH, "n_gpu": None, "envs": {"HF_TOKEN": "hf_secret", "LANG": "de_AT"}, "ratio": 0.25, "flags": [True, None], "peft": {"ß": "日本"}},
    "created": 1_800_000_000,
    "registration": LLM,
}
#: Null values do not come back from an autostart entry; the environment of its launch does, to its owner.
ENTRY: dict[str, Any] = {
    "enabled": True,
    "priority": 50,
    "max_retries": 2,
    "retry_interval_seconds": 20,
    "launch": {**LAUNCH_EMBEDDING, "n_gpu": None, "envs": {"CONTRACT": "kept"}},
}
#: What a plan may depend on, or be played differently for.
ADD_COPY = "POST /v1/models/{model_uid}/replicas"
HISTORY = "GET /v1/launch_history"
AUTOSTART = "GET /v1/autostart/models"
DOWNLOAD = "POST /v1/cache/models"
#: Servers without it answer with fewer keys; what the collection does never depends on it.
NEWEST = "POST /v1/models/{model_uid}/reload"
ROUTES = frozenset({ADD_COPY, HISTORY, AUTOSTART, DOWNLOAD})

Sleep = Callable[[float], None]
#: Makes a call that takes long, and polls while it is under way.
Meanwhile = Callable[[Callable[[], None], Callable[[], None]], None]


class Play:
    """The client on stage, and what it was answered.

    :param client: of a server without models.
    :param sleep: lets time pass, in seconds.
    :param meanwhile: polls while a call is under way.
    """

    def __init__(self, client: Any, sleep: Sleep, meanwhile: Meanwhile) -> None:
        self.client = client
        self.sleep = sleep
        self.meanwhile = meanwhile
        self.answers: dict[str, Any] = {}

    def step(self, name: str, call: Callable[[], Any]) -> None:
        """Note an answer; of an error its type, status and words."""
        assert name not in self.answers, f"two steps are called '{name}'"
        try:
            self.answers[name] = call()
        except ApiError as error:
            self.answers[name] = {"error": type(error).__name__, "status": error.status, "words": own_words(error.detail)}

    def instance(self, uid: str) -> dict[str, Any] | None:
        """The server's row of a model."""
        return next((found for found in self.client.list_instances() if found["model_uid"] == uid), None)

    def show(self, when: str, uid: str) -> None:
        """The instance, the entry of the list and the state that the core makes of them."""
        self.step(f"instance {when}", lambda: self.instance(uid))
        self.step(f"list {when}", lambda: self.client.list_models().get(uid))
        self.step(f"state {when}", lambda: observe(self.client).state(uid))

    def until(self, uid: str, *statuses: str) -> None:
        """Wait for a status."""
        for _poll in range(240):
            found = self.instance(uid)
            if found is not None and found["status"] in statuses:
                return
            assert found is None or found["status"] != "ERROR", f"{uid} failed: {found}"
            self.sleep(0.5)
        raise AssertionError(f"{uid} was never {statuses}: {self.instance(uid)}")

    def until_replicas(self, uid: str) -> None:
        """Wait until the instance of a launch has its replicas: some servers make them a moment later."""
        for _poll in range(1200):
            found = self.instance(uid)
            if found is not None and found["replica_statuses"]:
                return
            self.sleep(0.1)
        raise AssertionError(f"{uid} never had a replica: {self.instance(uid)}")

    def ask(self, route: str, uid: str, **question: Any) -> dict[str, Any]:
        """A request of inference. Of the answer, what an engine adds by itself is left out, and vectors become their length."""
        answer = self.client.ask(route, {"model": uid, **question}, 60.0)
        kept = {key: answer[key] for key in ("object", "choices", "data", "model_replica") if key in answer}
        if "data" in kept:
            kept["data"] = [{**row, "embedding": len(row["embedding"])} for row in kept["data"]]
        return kept


def _empty(on: Play) -> None:
    client = on.client
    on.step("authenticated", lambda: client.authenticated)
    on.step("version", client.version)
    on.step("workers", client.workers)
    on.step("routes", lambda: sorted(client.routes() & ROUTES))
    on.step("newest", lambda: NEWEST in client.routes())
    # The names of the workers are their addresses.
    on.step("status", lambda: {**client.status(), "workers": list(client.status()["workers"].values())})
    on.step("models of an empty server", client.list_models)
    on.step("instances of an empty server", client.list_instances)
    on.show("of an unknown model", "unknown")
    on.step("describe unknown", lambda: client.describe("unknown"))
    on.step("progress unknown", lambda: client.progress("unknown"))
    on.step("terminate unknown", lambda: client.terminate("unknown"))
    on.step("cancel unknown", lambda: client.cancel("unknown"))
    on.step("ask unknown", lambda: on.ask("completions", "unknown", prompt="Hello", max_tokens=1))
    on.step("add a replica to unknown", lambda: client.add_replicas("unknown", 1))
    on.step("remove a replica of unknown", lambda: client.remove_replica("unknown", 0))


def _history(on: Play) -> None:
    client = on.client
    on.step("history of an empty server", client.history)
    on.step("autostart of an empty server", client.autostart)
    on.step("forget unknown", lambda: client.forget(RECORD, UID))
    on.step("remember", lambda: client.remember(RECORD, UID, {"request": {}, "created": 1, "registration": None}))
    on.step("remember again", lambda: client.remember(RECORD, UID, DATA))
    on.step("remember another", lambda: client.remember(RECORD, "a.b c+d", DATA))
    on.step("history with records", client.history)
    on.step("forget another", lambda: client.forget(RECORD, "a.b c+d"))
    on.step("history with one record", client.history)
    on.step("forget", lambda: client.forget(RECORD, UID))
    on.step("history without records", client.history)


def _registrations(on: Play) -> None:
    client = on.client
    on.step("register", lambda: client.register("LLM", LLM))
    on.step("register again", lambda: client.register("LLM", LLM))
    missing_file = {**LLM, "model_name": "other", "model_specs": [{**LLM["model_specs"][0], "model_uri": "file:///models/nothing.gguf"}]}
    on.step("register a missing file", lambda: client.register("LLM", missing_file))
    on.step("registered names", lambda: {name: builtin for name, builtin in client.registered_names("LLM").items() if name in ("qwen3", NAME)})
    on.step("registration", lambda: client.registrations("LLM", {NAME}))
    on.step("registration among many", lambda: client.registrations("LLM", {NAME, "unknown"}))
    on.step("registration of unknown", lambda: client.registrations("LLM", {"unknown"}))
    on.step("unregister unknown", lambda: client.unregister("LLM", "unknown"))
    on.step("unregister a built-in model", lambda: client.unregister("embedding", "bge-m3"))
    on.step("built-in model after unregister", lambda: client.registered_names("embedding").get("bge-m3"))
    on.step("engines", lambda: {name: usable for name, usable in client.engines("LLM", NAME).items() if name in ("llama.cpp", "vLLM")})
    on.step("engines of an unknown model", lambda: client.engines("LLM", "unknown"))
    on.step("register an embedding model", lambda: client.register("embedding", EMBEDDING))
    on.step("registration of an embedding model", lambda: client.registrations("embedding", {EMBEDDING_NAME}))
    on.step("engines of an embedding model", lambda: client.engines("embedding", EMBEDDING_NAME))


def _launch(on: Play) -> None:
    client = on.client
    on.step("launch without a name", lambda: client.launch({"model_uid": "nameless", "model_type": "LLM"}))
    on.step("launch without an engine", lambda: client.launch({"model_uid": "engineless", "model_type": "LLM", "model_name": NAME}))
    on.step("launch a missing file", lambda: client.launch(MISSING))
    on.until("missing", "ERROR")
    on.show("of a missing file", "missing")
    on.step("progress of a failed launch", lambda: client.progress("missing"))
    on.step("terminate failed", lambda: client.terminate("missing"))
    on.step("cancel failed", lambda: client.cancel("missing"))
    on.step("launch an unknown model", lambda: client.launch({**LAUNCH, "model_uid": "unknown", "model_name": "unknown"}))
    on.until("unknown", "ERROR")

    on.step("launch", lambda: client.launch(LAUNCH))
    on.until_replicas(UID)
    on.show("while creating", UID)
    on.step("describe while creating", lambda: client.describe(UID))
    on.step("progress while creating", lambda: client.progress(UID))
    on.step("launch while creating", lambda: client.launch(LAUNCH))
    on.step("terminate while creating", lambda: client.terminate(UID))
    on.step("add a replica while creating", lambda: client.add_replicas(UID, 1))
    on.until(UID, "READY")
    on.show("when ready", UID)
    on.step("describe when ready", lambda: client.describe(UID))
    on.step("progress when ready", lambda: client.progress(UID))
    on.step("launch when ready", lambda: client.launch(LAUNCH))
    on.step("completions", lambda: on.ask("completions", UID, prompt="Hello", max_tokens=1))
    on.step("chat", lambda: on.ask("chat/completions", UID, messages=[{"role": "user", "content": "Hello"}], max_tokens=1))
    on.step("smoke test of chat", lambda: smoke_test(client, UID, client.describe(UID), 60.0))
    on.step("cached", lambda: [row for row in client.cached() if row["model_name"] == NAME])


def _replicas(on: Play) -> None:
    client = on.client
    in_place = ADD_COPY in client.routes()
    if in_place:
        on.meanwhile(
            lambda: on.step("add a replica", lambda: client.add_replicas(UID, 1)),
            lambda: on.show("while a replica loads", UID),
        )
        on.show("with two replicas", UID)
        on.step("describe with two replicas", lambda: client.describe(UID))
        on.step("remove an unknown replica", lambda: client.remove_replica(UID, 7))
        on.step("remove the first replica", lambda: client.remove_replica(UID, 0))
        on.show("with the second replica", UID)
    on.step("unregister a running model", lambda: client.unregister("LLM", NAME))
    on.step("registration after unregister", lambda: client.registrations("LLM", {NAME}))
    on.show("without a registration", UID)
    on.step("completions without a registration", lambda: on.ask("completions", UID, prompt="Hello", max_tokens=1))
    if in_place:
        on.step("add a replica without a registration", lambda: client.add_replicas(UID, 1))
        on.show("after a replica that failed", UID)
    on.step("register another", lambda: client.register("LLM", {**LLM, "context_length": 4096}))
    on.step("registration of another", lambda: client.registrations("LLM", {NAME}))
    on.step("terminate", lambda: client.terminate(UID))
    on.show("after terminate", UID)

    # A failed model that is launched again is at once no failure any more.
    on.step("launch the failed model", lambda: client.launch({**LAUNCH, "model_uid": "missing"}))
    on.until_replicas("missing")
    on.show("of a second try", "missing")
    on.step("cancel", lambda: client.cancel("missing"))
    on.show("after cancel", "missing")


def _autostart(on: Play) -> None:
    """Launch the embedding model: by its entry, where there are entries."""
    client = on.client
    if client.autostart() is None:
        on.step("launch an embedding model", lambda: client.launch(LAUNCH_EMBEDDING))
        on.until("embed", "READY")
        return
    on.step("set a wrong entry", lambda: client.set_autostart({"launch": {"model_uid": "embed"}}))
    on.step("set an entry", lambda: client.set_autostart(ENTRY))
    on.until("embed", "READY")
    # What became of an entry is noted a moment after the model is ready.
    for _poll in range(20):
        if client.autostart()[0]["state"]["status"] == "active":
            break
        on.sleep(0.5)
    on.step("instance by an entry", lambda: on.instance("embed"))
    on.step("entries", client.autostart)
    on.step("history with an entry", client.history)
    on.step("set the entry again", lambda: client.set_autostart({**ENTRY, "priority": 7, "launch": LAUNCH_EMBEDDING}))
    on.sleep(1)
    on.step("entries after a change", client.autostart)
    on.step("instance after a change", lambda: on.instance("embed"))
    on.step("remove the entry", lambda: client.remove_autostart("embed"))
    on.step("remove an unknown entry", lambda: client.remove_autostart("unknown"))
    on.step("entries after removal", client.autostart)
    on.step("history after removal", client.history)
    on.step("forget the entry", lambda: client.forget(EMBEDDING_NAME, "embed"))
    on.step("history after all", client.history)


def _orphan(on: Play) -> None:
    client = on.client
    on.step("list embedding", lambda: client.list_models().get("embed"))
    on.step("embeddings", lambda: on.ask("embeddings", "embed", input="Hello"))
    on.step("smoke test of an embedding model", lambda: smoke_test(client, "embed", client.describe("embed"), 60.0))
    on.step("chat with an embedding model", lambda: on.ask("chat/completions", "embed", messages=[{"role": "user", "content": "Hello"}], max_tokens=1))
    # Too late to cancel: the server says yes, and the model can neither be used nor terminated from then on.
    on.step("cancel when ready", lambda: client.cancel("embed"))
    on.sleep(4)
    on.show("of an orphan", "embed")
    on.step("describe an orphan", lambda: client.describe("embed"))
    on.step("terminate an orphan", lambda: client.terminate("embed"))
    on.step("cancel an orphan", lambda: client.cancel("embed"))
    on.step("clear an orphan", lambda: client.clear_orphan("embed", 1))
    on.show("of a former orphan", "embed")
    on.step("clear what is no orphan", lambda: client.clear_orphan("embed", 1))


def play(client: Any, sleep: Sleep, meanwhile: Meanwhile) -> dict[str, Any]:
    """Answers by the name of the step; an error is its type, status and words.

    :param client: of a server without models, records and entries.
    :param sleep: lets time pass, in seconds.
    :param meanwhile: makes a call that takes long, and polls while it is under way.
    """
    on = Play(client, sleep, meanwhile)
    for act in (_empty, _history, _registrations, _launch, _replicas, _autostart, _orphan):
        act(on)
    return on.answers
