# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A play: the calls that the collection makes, in an order that shows each state. Played on the real server and on the tests' fake one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from real_server import own_words

from ansible_collections.inferops.xinference.plugins.module_utils._core.errors import ApiError
from ansible_collections.inferops.xinference.plugins.module_utils._core.observed import observe

GGUF = "/models/SmolLM2-135M-Instruct.Q4_1.gguf"
NAME = "contract-llm"
UID = "chat"
LLM: dict[str, Any] = {
    "version": 2,
    "model_name": NAME,
    "model_lang": ["en"],
    "model_ability": ["generate"],
    "model_family": NAME,
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
EMBEDDING: dict[str, Any] = {
    "version": 2,
    "model_name": "contract-embedding",
    "dimensions": 384,
    "max_tokens": 256,
    "language": ["en"],
    "model_specs": [{"model_format": "pytorch", "quantization": "none", "model_id": None, "model_uri": "file:///models/all-MiniLM-L6-v2"}],
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
LAUNCH_EMBEDDING = {"model_uid": "embed", "model_type": "embedding", "replica": 1, "model_name": "contract-embedding", "model_engine": "sentence_transformers"}
MISSING = {**LAUNCH, "model_uid": "missing", "model_path": "/models/nothing.gguf"}


def play(client: Any, sleep: Callable[[float], None]) -> dict[str, Any]:
    """Answers by the name of the step; an error is its type, status and words."""
    answers: dict[str, Any] = {}

    def step(name: str, call: Callable[[], Any]) -> None:
        try:
            answers[name] = call()
        except ApiError as error:
            answers[name] = {"error": type(error).__name__, "status": error.status, "words": own_words(error.detail)}

    def instance(uid: str) -> dict[str, Any] | None:
        return next((found for found in client.list_instances() if found["model_uid"] == uid), None)

    def look(when: str, uid: str) -> None:
        """The instance, the entry of the list and the state that the core makes of them."""
        step(f"instance {when}", lambda: instance(uid))
        step(f"list {when}", lambda: client.list_models().get(uid))
        step(f"state {when}", lambda: observe(client).state(uid))

    def until(uid: str, *statuses: str) -> None:
        for _look in range(180):
            found = instance(uid)
            if found is not None and found["status"] in statuses:
                return
            sleep(0.5)
        raise AssertionError(f"{uid} was never {statuses}: {instance(uid)}")

    step("authenticated", lambda: client.authenticated)
    step("version", client.version)
    step("workers", client.workers)
    step("models of an empty server", client.list_models)
    step("instances of an empty server", client.list_instances)
    look("of an unknown model", "unknown")
    step("terminate unknown", lambda: client.terminate("unknown"))
    step("cancel unknown", lambda: client.cancel("unknown"))

    step("register", lambda: client.register("LLM", LLM))
    step("register again", lambda: client.register("LLM", LLM))
    missing_file = {**LLM, "model_name": "other", "model_specs": [{**LLM["model_specs"][0], "model_uri": "file:///models/nothing.gguf"}]}
    step("register a missing file", lambda: client.register("LLM", missing_file))
    step("registrations", lambda: {name: builtin for name, builtin in client.list_registrations("LLM").items() if name in ("qwen3", NAME)})
    step("engines", lambda: {name: usable for name, usable in client.engines("LLM", NAME).items() if name in ("llama.cpp", "vLLM")})
    step("engines of an unknown model", lambda: client.engines("LLM", "unknown"))

    step("launch without a name", lambda: client.launch({"model_uid": "nameless", "model_type": "LLM"}))
    step("launch without an engine", lambda: client.launch({"model_uid": "engineless", "model_type": "LLM", "model_name": NAME}))
    step("launch a missing file", lambda: client.launch(MISSING))
    until("missing", "ERROR")
    look("of a missing file", "missing")
    step("terminate failed", lambda: client.terminate("missing"))
    step("cancel failed", lambda: client.cancel("missing"))
    step("launch an unknown model", lambda: client.launch({**LAUNCH, "model_uid": "unknown", "model_name": "unknown"}))
    until("unknown", "ERROR")

    step("launch", lambda: client.launch(LAUNCH))
    look("while creating", UID)
    step("launch while creating", lambda: client.launch(LAUNCH))
    step("terminate while creating", lambda: client.terminate(UID))
    until(UID, "READY")
    look("when ready", UID)
    step("launch when ready", lambda: client.launch(LAUNCH))
    step("terminate", lambda: client.terminate(UID))
    look("after terminate", UID)

    # A failed model that is launched again is at once no failure any more.
    step("launch the failed model", lambda: client.launch({**LAUNCH, "model_uid": "missing"}))
    look("of a second try", "missing")
    step("cancel", lambda: client.cancel("missing"))
    look("after cancel", "missing")

    step("register an embedding model", lambda: client.register("embedding", EMBEDDING))
    step("launch an embedding model", lambda: client.launch(LAUNCH_EMBEDDING))
    until("embed", "READY")
    step("list embedding", lambda: client.list_models().get("embed"))
    # Too late to cancel: the server says yes, and the model can neither be used nor terminated from then on.
    step("cancel when ready", lambda: client.cancel("embed"))
    sleep(4)
    look("of an orphan", "embed")
    step("terminate an orphan", lambda: client.terminate("embed"))
    step("cancel an orphan", lambda: client.cancel("embed"))
    step("launch an orphan", lambda: client.launch(LAUNCH_EMBEDDING))
    until("embed", "ERROR")
    look("of a former orphan", "embed")
    return answers
