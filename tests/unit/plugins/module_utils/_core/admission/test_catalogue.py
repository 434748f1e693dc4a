# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a server can launch what is declared: its catalogue is asked, and its words are repeated."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.inferops.xinference.plugins.module_utils._core.admission.catalogue import check_catalogue
from ansible_collections.inferops.xinference.plugins.module_utils._core.base.errors import ApiError, AuthenticationError
from ansible_collections.inferops.xinference.plugins.module_utils._core.declaration.fields import FIELDS
from ansible_collections.inferops.xinference.plugins.module_utils._core.declaration.model import DeclaredModel
from ansible_collections.inferops.xinference.plugins.module_utils._core.server.rows import EngineOffer, Engines, ServerStatus, WorkerRow


def offer(form: str, size: Any, *quantizations: str) -> EngineOffer:
    """One thing that an engine can load, as a server of 4.1.0 says it of a model of type LLM."""
    return {"model_format": form, "model_size_in_billions": size, "quantizations": list(quantizations)}


LLM: Engines = {
    "Transformers": [offer("pytorch", "0_6", "none"), offer("pytorch", 4, "none")],
    "llama.cpp": [offer("ggufv2", "0_6", "Q4_K_M", "Q8_0"), offer("ggufv2", 4, "Q4_K_M")],
    "vLLM": "vLLM requires CUDA or MLU GPUs",
    "SGLang": [],
}
EMBEDDING: dict[str, list[EngineOffer]] = {
    "sentence_transformers": [{"model_format": "pytorch", "quantization": "none"}],
    "llama.cpp": [{"model_format": "ggufv2", "quantization": ["Q4_K_M", "F16"]}],
}


class Server:
    """A server's catalogue, and what it was asked."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error
        self.catalogue: dict[tuple[str, str], Engines] = {("LLM", "qwen3"): LLM, ("embedding", "bge-m3"): {**EMBEDDING}}
        self.names = {"LLM": {"qwen3": True, "qwen2.5": True}, "embedding": {"bge-m3": True}, "image": {"flux": True}}
        self.workers: dict[str, WorkerRow] | None = {"10.0.0.5:40001": {"status": {"cpu": {}}}}
        self.asked: list[tuple[str, ...]] = []

    def engines(self, model_type: str, name: str) -> Engines | None:
        """The engines, or the error."""
        self.asked.append(("engines", model_type, name))
        if self.error:
            raise self.error
        return self.catalogue.get((model_type, name))

    def registered_names(self, model_type: str) -> dict[str, bool]:
        """The names."""
        self.asked.append(("names", model_type))
        return self.names.get(model_type, {})

    def status(self) -> ServerStatus:
        """The workers."""
        self.asked.append(("status",))
        return {"workers": self.workers}


def model(**fields: Any) -> DeclaredModel:
    """A declared model."""
    given = {"name": "qwen3", "engine": "llama.cpp", **fields}
    # Each field as the declaration normalises it; whether they go together is checked elsewhere.
    return DeclaredModel("chat", "present", {name: FIELDS[name].check(value) for name, value in given.items() if value is not None})


SPEC = {"model_format": "ggufv2", "model_size_in_billions": 1, "quantization": "Q4_1", "model_uri": "/models/a.gguf", "model_file_name_template": "a.gguf"}
CUSTOM = {"model_lang": ["en"], "model_ability": ["generate"], "model_family": "mine", "model_specs": [SPEC]}


@pytest.mark.parametrize(
    "fields",
    [
        {"format": "ggufv2"},
        {"engine": "LLAMA.CPP", "format": "ggufv2"},
        # No other format has it.
        {"quantization": "Q4_K_M"},
        {"engine": "transformers", "format": "pytorch"},
        {"format": "ggufv2", "size_in_billions": 0.6, "quantization": "q4_k_m"},
        {"format": "ggufv2", "size_in_billions": "0.6", "quantization": "Q8_0"},
        {"size_in_billions": 4, "quantization": "Q4_K_M"},
        {"name": "bge-m3", "type": "embedding", "engine": "sentence_transformers", "quantization": "none"},
        {"name": "bge-m3", "type": "embedding", "engine": "llama.cpp", "format": "ggufv2", "quantization": "F16"},
        {"name": "bge-m3", "type": "embedding", "engine": None},
        # Its engines are not reported, but its name is known.
        {"name": "flux", "type": "image", "engine": None},
        # It comes with its own registration.
        {"name": "mine", "registration": CUSTOM},
    ],
)
def test_what_the_server_can_launch(fields: dict[str, Any]) -> None:
    assert check_catalogue(Server(), [model(**fields)]) == []


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"name": "qwen4"}, "name 'qwen4' of type LLM is not in the server's catalogue and has no registration; did you mean 'qwen3'?"),
        ({"name": "llama"}, "name 'llama' of type LLM is not in the server's catalogue and has no registration; it has 2 of this type, see its catalogue."),
        ({"name": "Qwen3"}, "name 'Qwen3' of type LLM is not in the server's catalogue and has no registration; did you mean 'qwen3'?"),
        (
            {"name": "qwen3", "type": "embedding", "engine": None},
            "name 'qwen3' of type embedding is not in the server's catalogue and has no registration; it has 1 of this type, see its catalogue.",
        ),
        ({"engine": "vLLM"}, "engine 'vLLM' cannot run 'qwen3' on this server (vLLM requires CUDA or MLU GPUs); usable: Transformers, llama.cpp."),
        ({"engine": "MLX"}, "engine 'MLX' cannot run 'qwen3' on this server; usable: Transformers, llama.cpp."),
        ({"engine": "SGLang"}, "engine 'SGLang' cannot run 'qwen3' on this server; usable: Transformers, llama.cpp."),
        (
            {"engine": "vLLM", "format": "pytorch"},
            "engine 'vLLM' cannot run 'qwen3' on this server (vLLM requires CUDA or MLU GPUs); usable: Transformers, llama.cpp.",
        ),
        ({"engine": "Transformers", "format": "gptq"}, "format 'gptq' is not offered for 'qwen3' with engine Transformers; allowed: pytorch."),
        ({"size_in_billions": 7}, "size_in_billions '7' is not offered for 'qwen3' with engine llama.cpp; allowed: 0_6, 4."),
        ({"quantization": "Q2_K"}, "quantization 'Q2_K' is not offered for 'qwen3' with engine llama.cpp; allowed: Q4_K_M, Q8_0."),
        (
            {"size_in_billions": 0.6},
            "format is missing; without it the server takes pytorch for 'qwen3', which engine llama.cpp cannot load, so give format ggufv2.",
        ),
        ({}, "format is missing; without it the server takes pytorch for 'qwen3', which engine llama.cpp cannot load, so give format ggufv2."),
        # What is allowed is reported for the size that was chosen.
        ({"size_in_billions": 4, "quantization": "Q8_0"}, "quantization 'Q8_0' is not offered for 'qwen3' with engine llama.cpp; allowed: Q4_K_M."),
        (
            {"name": "bge-m3", "type": "embedding", "quantization": "Q8_0"},
            "quantization 'Q8_0' is not offered for 'bge-m3' with engine llama.cpp; allowed: Q4_K_M, F16.",
        ),
    ],
)
def test_what_the_server_cannot_launch_is_one_sentence(fields: dict[str, Any], words: str) -> None:
    assert check_catalogue(Server(), [model(**fields)]) == [f"models (uid 'chat'): {words}"]


def test_a_server_on_which_no_engine_can_run_a_model_says_so() -> None:
    server = Server()
    server.catalogue["LLM", "qwen3"] = {"llama.cpp": "no llama.cpp here"}
    assert check_catalogue(server, [model()]) == [
        "models (uid 'chat'): engine 'llama.cpp' cannot run 'qwen3' on this server (no llama.cpp here); usable: none."
    ]


@pytest.mark.parametrize(
    ("fields", "form"),
    [
        ({}, "gptq"),
        ({"quantization": "int4"}, "gptq"),
        ({"quantization": "none"}, "pytorch"),
        # Only GGUF files have these.
        ({"quantization": "Q8_0"}, ""),
        ({"size_in_billions": 4}, ""),
        ({"size_in_billions": "0.6", "quantization": "none"}, "pytorch"),
    ],
)
def test_a_format_is_missing_where_files_of_another_one_fit_as_well(fields: dict[str, Any], form: str) -> None:
    server = Server()
    server.catalogue["LLM", "qwen3"] = {
        "vLLM": [offer("gptq", "0_6", "Int4"), offer("pytorch", "0_6", "none")],
        "MLX": "not on this machine",
        "llama.cpp": [offer("ggufv2", "0_6", "Int4", "none", "Q8_0"), offer("ggufv2", 4, "Q8_0")],
    }
    problem = (
        f"models (uid 'chat'): format is missing; without it the server takes {form} for 'qwen3', which engine llama.cpp cannot load, so give format ggufv2."
    )
    assert check_catalogue(server, [model(**fields)]) == ([problem] if form else [])


@pytest.mark.parametrize(("quantization", "words"), [("F16", ""), ("f16", "; did you mean 'F16'?")])
def test_the_case_of_a_quantization_counts_where_the_model_is_no_llm(quantization: str, words: str) -> None:
    server = Server()
    server.catalogue["embedding", "bge-m3"] = {**EMBEDDING, "flag": [{"model_format": "pytorch", "quantization": "f16"}]}
    problems = check_catalogue(server, [model(name="bge-m3", type="embedding", quantization=quantization)])
    assert len(problems) == bool(words)
    assert all(problem.endswith(words) for problem in problems)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"multimodal_projector": "mmproj-F16.gguf"}, ""),
        # A file of the operator.
        ({"multimodal_projector": "/models/mine.gguf"}, ""),
        (
            {"multimodal_projector": "mine.gguf"},
            "multimodal_projector 'mine.gguf' is not offered for 'qwen3' with engine llama.cpp; allowed: mmproj-F16.gguf, mmproj-F32.gguf.",
        ),
        # Only a projector may be one.
        ({"quantization": "/models/Q4_K_M"}, "quantization '/models/Q4_K_M' is not offered for 'qwen3' with engine llama.cpp; allowed: Q4_K_M."),
        # Nothing is reported about sizes.
        ({"size_in_billions": 7}, ""),
    ],
)
def test_what_is_reported_limits_the_choice_and_nothing_else_does(fields: dict[str, Any], words: str) -> None:
    server = Server()
    offered: EngineOffer = {"model_format": "ggufv2", "quantization": "Q4_K_M", "multimodal_projectors": ["mmproj-F16.gguf", "mmproj-F32.gguf"]}
    server.catalogue["LLM", "qwen3"] = {"llama.cpp": [offered]}
    assert check_catalogue(server, [model(format="ggufv2", **fields)]) == ([f"models (uid 'chat'): {words}"] if words else [])


@pytest.mark.parametrize(
    ("fields", "able", "refused"),
    [
        ({}, [], True),
        ({}, [offer("pytorch", 1)], False),
        # Its environment may bring the engine.
        ({"enable_virtual_env": True}, [], False),
        ({"enable_virtual_env": False}, [], True),
    ],
)
def test_where_the_server_looks_for_an_engine_there_must_be_one(fields: dict[str, Any], able: list[Any], refused: bool) -> None:
    server = Server()
    server.catalogue["image", "flux"] = {"diffusers": "no GPU", "mlx": "no Apple", **({"vLLM": able} if able else {})}
    problems = check_catalogue(server, [model(name="flux", type="image", engine=None, **fields)])
    assert problems == (["models (uid 'chat'): no engine of this server can run 'flux': diffusers (no GPU), mlx (no Apple)."] if refused else [])


GPUS: dict[str, Any] = {"cpu": {}, "gpu-0": {}, "gpu-1": {}}


@pytest.mark.parametrize(
    ("wanted", "workers", "words"),
    [
        (2, {"10.0.0.5:40001": {"status": {"cpu": {}}}, "10.0.0.6:40001": {"status": GPUS}}, ""),
        (3, {"10.0.0.5:40001": {"status": GPUS}, "10.0.0.6:40001": {"status": GPUS}}, "n_gpu '3' is more than the 2 GPUs of this server; leave it out."),
        (1, {"10.0.0.5:40001": {"status": {"cpu": {}}}}, "n_gpu '1' is more than the 0 GPUs of this server; leave it out on a host without GPU."),
        (1, {"10.0.0.5:40001": {"status": None}}, "n_gpu '1' is more than the 0 GPUs of this server; leave it out on a host without GPU."),
        (1, {"10.0.0.5:40001": None}, "n_gpu '1' is more than the 0 GPUs of this server; leave it out on a host without GPU."),
        (1, None, "n_gpu '1' is more than the 0 GPUs of this server; leave it out on a host without GPU."),
        ("auto", {"10.0.0.5:40001": {"status": {"cpu": {}}}}, ""),
    ],
)
def test_one_worker_must_have_as_many_gpus_as_are_asked_for(wanted: Any, workers: Any, words: str) -> None:
    server = Server()
    server.workers = workers
    assert check_catalogue(server, [model(format="ggufv2", n_gpu=wanted)]) == ([f"models (uid 'chat'): {words}"] if words else [])


@pytest.mark.parametrize(
    ("given", "addresses", "missing"),
    [
        ("10.0.0.5", ["10.0.0.5:40001", "10.0.0.6:40001"], []),
        ("10.0.0.6:40001, 10.0.0.5", ["10.0.0.5:40001", "10.0.0.6:40001"], []),
        ("10.0.0.7,10.0.0.5,10.0.0.8", ["10.0.0.6:40001", "10.0.0.5:40001"], ["10.0.0.7", "10.0.0.8"]),
        ("[2001:db8::7]", ["[2001:db8::7]:40001"], []),
        ("[2001:db8::8]", ["[2001:db8::7]:40001"], ["[2001:db8::8]"]),
        # A worker beside its supervisor does not read it, and a server may report none.
        ("10.0.0.7", ["127.0.0.1:40001"], []),
        ("10.0.0.7", ["0.0.0.0:40001", "10.0.0.5:40001"], []),
        ("10.0.0.7", [], []),
    ],
)
def test_workers_that_are_asked_for_must_be_there(given: str, addresses: list[str], missing: list[str]) -> None:
    server = Server()
    server.workers = {address: {"status": {"cpu": {}}} for address in addresses}
    allowed = ", ".join(sorted(address.rpartition(":")[0] for address in addresses))
    words = [f"models (uid 'chat'): worker_ip '{one}' is no worker of this server; allowed: {allowed}." for one in missing]
    assert check_catalogue(server, [model(format="ggufv2", worker_ip=given)]) == words


@pytest.mark.parametrize(
    ("given", "addresses", "words"),
    [
        (["worker-1", "worker-2"], ["worker-1:30001", "worker-2:30001"], []),
        (["worker-2"], ["worker-1:30001", "worker-2:30001"], []),
        # Any port of a name is that worker.
        (["worker-1"], ["worker-1:30001", "worker-1:30002"], []),
        (
            ["worker-3", "gpu", "worker-1"],
            ["worker-2:30001", "worker-1:30001"],
            [
                "workers 'worker-3' is no worker of this server; allowed: worker-1, worker-2; did you mean 'worker-2'?",
                "workers 'gpu' is no worker of this server; allowed: worker-1, worker-2.",
            ],
        ),
        (["Worker-1"], ["worker-1:30001"], ["workers 'Worker-1' is no worker of this server; allowed: worker-1; did you mean 'worker-1'?"]),
        *(
            (
                ["worker-1", "worker-2"],
                [f"{host}:40001"],
                ["workers '[worker-1, worker-2]' cannot be chosen, because this server runs all models itself; leave it out, or declare a cluster."],
            )
            for host in ("0.0.0.0", "127.0.0.1", "localhost", "[::1]")
        ),
        # A server may report none, such as one whose workers have still to join.
        (["worker-1"], [], []),
    ],
)
def test_names_of_workers_must_be_those_of_the_server(given: list[str], addresses: list[str], words: list[str]) -> None:
    server = Server()
    server.workers = {address: {"status": {"cpu": {}}} for address in addresses}
    assert check_catalogue(server, [model(format="ggufv2", workers=given)]) == [f"models (uid 'chat'): {problem}" for problem in words]


def test_the_workers_are_asked_for_once() -> None:
    server = Server()
    check_catalogue(server, [model(format="ggufv2", n_gpu=1, worker_ip="10.0.0.5"), model(format="ggufv2", n_gpu=1)])
    assert server.asked.count(("status",)) == 1
    assert server.asked.count(("engines", "LLM", "qwen3")) == 1


def test_every_problem_is_reported_at_once() -> None:
    problems = check_catalogue(Server(), [model(engine="vLLM"), model(format="ggufv2"), model(quantization="Q2_K")])
    assert len(problems) == 2


def test_one_request_per_model_and_one_more_for_an_unknown_name() -> None:
    server = Server()
    check_catalogue(server, [model(), model(name="qwen4"), model(name="mine", registration=CUSTOM)])
    assert server.asked == [("engines", "LLM", "qwen3"), ("engines", "LLM", "qwen4"), ("names", "LLM"), ("engines", "LLM", "mine")]


def test_the_names_are_not_asked_for_where_the_registration_is_at_hand() -> None:
    server = Server()
    check_catalogue(server, [model(name="mine", registration=CUSTOM)])
    assert server.asked == [("engines", "LLM", "mine")]


def test_a_server_that_does_not_answer_for_a_type_refuses_nothing() -> None:
    assert check_catalogue(Server(ApiError("GET", "http://x", 500, "no such route")), [model(engine="vLLM")]) == []


def test_what_one_question_does_not_return_another_one_may() -> None:
    server = Server(ApiError("GET", "http://x", 500, "no such route"))
    assert check_catalogue(server, [model(n_gpu=1), model(), model(worker_ip="10.0.0.7")]) == [
        "models (uid 'chat'): n_gpu '1' is more than the 0 GPUs of this server; leave it out on a host without GPU.",
        "models (uid 'chat'): worker_ip '10.0.0.7' is no worker of this server; allowed: 10.0.0.5.",
    ]


def test_the_engine_that_a_server_takes_where_none_is_given_must_be_usable() -> None:
    server = Server()
    server.catalogue["embedding", "bge-m3"] = {"sentence_transformers": "no torch", "llama.cpp": EMBEDDING["llama.cpp"]}
    assert check_catalogue(server, [model(name="bge-m3", type="embedding", engine=None)]) == [
        "models (uid 'chat'): engine sentence_transformers, which the server takes where none is given,"
        " cannot run 'bge-m3' on this server (no torch); usable: llama.cpp."
    ]


def test_refused_credentials_are_no_answer_about_a_model() -> None:
    with pytest.raises(AuthenticationError):
        check_catalogue(Server(AuthenticationError("GET", "http://x", 401, "expired")), [model()])


@pytest.mark.parametrize("usable", [[None], [7], [{}], [{"model_format": None}], [{"quantizations": None, "model_format": "ggufv2"}], {"a": 1}, 7, None])
def test_an_answer_of_another_shape_ends_in_no_traceback(usable: Any) -> None:
    server = Server()
    server.catalogue["LLM", "qwen3"] = {"llama.cpp": usable}
    assert len(check_catalogue(server, [model(format="ggufv2", size_in_billions=1, quantization="Q4_1")])) <= 1
