# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The plan: what is done about each pair of declared and observed, and what holds for every plan."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.inferops.xinference.plugins.module_utils._core.declaration.fields import AUTOSTART, FIELDS
from ansible_collections.inferops.xinference.plugins.module_utils._core.declaration.model import DeclaredModel
from ansible_collections.inferops.xinference.plugins.module_utils._core.observed.last_applied import Applied, Entry, Record, cleaned
from ansible_collections.inferops.xinference.plugins.module_utils._core.observed.limits import Limits
from ansible_collections.inferops.xinference.plugins.module_utils._core.observed.models import Observed, ObservedModel
from ansible_collections.inferops.xinference.plugins.module_utils._core.observed.server_files import Files
from ansible_collections.inferops.xinference.plugins.module_utils._core.plan.drift import REPORTED, UNREPORTED, drift, unverified
from ansible_collections.inferops.xinference.plugins.module_utils._core.plan.plan import ON_DRIFT, Action, Plan, PlanOptions, make_plan, plan_downloads
from ansible_collections.inferops.xinference.plugins.module_utils._core.server.rows import CachedRow, ModelRow

SPEC: ModelRow = {
    "model_name": "qwen3",
    "model_type": "LLM",
    "model_engine": "llama.cpp",
    "model_format": "ggufv2",
    "model_size_in_billions": "0_6",
    "quantization": "Q4_K_M",
    "multimodal_projector": None,
    "replica": 1,
    # Reported, and not what it was launched with.
    "context_length": 40960,
}
RUNNING = {
    "name": "qwen3",
    "type": "LLM",
    "engine": "llama.cpp",
    "format": "ggufv2",
    "size_in_billions": "0_6",
    "quantization": "Q4_K_M",
    "replica": 1,
}
CUSTOM = {
    "model_lang": ["en"],
    "model_ability": ["generate"],
    "model_family": "qwen3",
    "context_length": 4096,
    "model_specs": [
        {"model_format": "ggufv2", "model_size_in_billions": 1, "quantization": "Q4_1", "model_uri": "/models/a.gguf", "model_file_name_template": "a.gguf"},
    ],
}
DECLARED_CUSTOM = {"version": 2, **CUSTOM, "model_name": "qwen3"}
REGISTERED = {**DECLARED_CUSTOM, "is_builtin": False, "model_description": None}
CREATED = 1700000000


def present(uid: str = "chat", **fields: Any) -> DeclaredModel:
    """A declared model that should run."""
    given = {"name": "qwen3", "engine": "llama.cpp", **fields}
    # Each field as the declaration normalises it; whether they go together is no question of the plan.
    return DeclaredModel(uid, "present", {name: FIELDS[name].check(value) for name, value in given.items() if value is not None or name == "n_gpu"})


def absent(uid: str = "chat") -> DeclaredModel:
    """A declared model that should not run."""
    return DeclaredModel(uid, "absent")


def running(uid: str = "chat", **reported: Any) -> ObservedModel:
    """A model that runs."""
    return ObservedModel(uid, "ready", cast("ModelRow", {**SPEC, **reported}), created=CREATED, replicas=(0,))


def seen(**states: str) -> Observed:
    """A server with models in these states."""
    return Observed({uid: running(uid) if state == "ready" else ObservedModel(uid, state) for uid, state in states.items()})


def applied(model: DeclaredModel, source: str = "record", **changes: Any) -> Applied:
    """What a model was launched with: its request, changed; None takes an argument away."""
    return Applied(cleaned({**model.launch_request(), **changes}), source)


def entry(model: DeclaredModel, **changes: Any) -> Entry:
    """The autostart entry that a model gets."""
    values: dict[str, Any] = {"uid": model.uid, **AUTOSTART, "launch": cleaned(model.launch_request()), **changes}
    return Entry(**values)


def only(model: DeclaredModel, observed: Observed, **choices: Any) -> Action:
    """The action about the one model."""
    (action,) = make_plan([model], observed, PlanOptions(**choices)).actions
    return action


# What is done.


@pytest.mark.parametrize(
    ("model", "state", "kind"),
    [
        (present(), "absent", "launch"),
        (present(), "ready", "keep"),
        (present(), "creating", "wait"),
        (present(), "loading", "wait"),
        (present(), "orphaned", "wait"),
        (present(), "error", "launch"),
        (present(), "terminating", "launch"),
        (absent(), "absent", "keep"),
        (absent(), "ready", "terminate"),
        (absent(), "creating", "cancel"),
        (absent(), "loading", "cancel"),
        (absent(), "orphaned", "terminate"),
        (absent(), "terminating", "wait"),
        (absent(), "error", "keep"),
    ],
)
def test_what_is_done(model: DeclaredModel, state: str, kind: str) -> None:
    action = only(model, seen(chat=state) if state != "absent" else Observed())
    assert (action.uid, action.kind, action.state, action.model) == ("chat", kind, state, model)


@pytest.mark.parametrize(("state", "spec"), [("scaling", SPEC), ("recovering", {})])
def test_a_model_that_the_server_is_about_to_make_whole_is_terminated_and_not_cancelled(state: str, spec: ModelRow) -> None:
    observed = Observed({"chat": ObservedModel("chat", state, spec)})
    assert only(absent(), observed).kind == "terminate"
    assert only(present(), observed).kind == "wait"


def test_a_launch_carries_the_request_and_what_shall_be_there() -> None:
    model = present(quantization="Q4_0")
    assert only(model, Observed()) == Action(
        "chat",
        "launch",
        "absent",
        after={"state": "ready", "type": "LLM", "name": "qwen3", "engine": "llama.cpp", "quantization": "Q4_0"},
        request={
            "model_uid": "chat",
            "model_type": "LLM",
            "replica": 1,
            "model_name": "qwen3",
            "model_engine": "llama.cpp",
            "quantization": "Q4_0",
        },
        model=model,
    )


def test_a_termination_says_what_is_there() -> None:
    plan = make_plan([absent()], seen(chat="ready"))
    assert plan.actions == (Action("chat", "terminate", "ready", before={"state": "ready", **RUNNING}, model=absent()),)
    assert plan.side("before") == {"chat": {"state": "ready", **RUNNING}}
    assert plan.side("after") == {"chat": {"state": "absent"}}


def test_what_is_not_changed_is_not_in_the_diff() -> None:
    plan = make_plan([present(), absent("old"), present("busy")], seen(chat="ready", busy="creating"))
    assert not plan.changed
    assert plan.side("before") == plan.side("after") == {}


# Drift in what the server reports.


@pytest.mark.parametrize(
    ("fields", "reported", "found"),
    [
        ({}, {}, {}),
        ({"engine": "LLAMA.CPP"}, {}, {}),
        ({"engine": "llama.cpp"}, {"model_engine": "LLAMA.CPP"}, {}),
        ({"quantization": "q4_k_m"}, {}, {}),
        ({"size_in_billions": 0.6}, {}, {}),
        ({"size_in_billions": "0.6"}, {"model_size_in_billions": 0.6}, {}),
        ({"size_in_billions": 7}, {"model_size_in_billions": 7}, {}),
        ({"size_in_billions": "7"}, {"model_size_in_billions": 7}, {}),
        ({"replica": "1"}, {}, {}),
        ({"replica": 1}, {"replica": "1"}, {}),
        ({"multimodal_projector": "mmproj-F16.gguf"}, {"multimodal_projector": "mmproj-F16.gguf"}, {}),
        ({"name": "Qwen3"}, {}, {"name": {"declared": "Qwen3", "running": "qwen3"}}),
        ({"type": "embedding"}, {}, {"type": {"declared": "embedding", "running": "LLM"}}),
        ({}, {"model_type": "rerank"}, {"type": {"declared": "LLM", "running": "rerank"}}),
        ({"engine": "vLLM"}, {}, {"engine": {"declared": "vLLM", "running": "llama.cpp"}}),
        ({"engine": "Transformers", "format": "pytorch"}, {"model_engine": "Transformers"}, {"format": {"declared": "pytorch", "running": "ggufv2"}}),
        ({"size_in_billions": "4"}, {}, {"size_in_billions": {"declared": "4", "running": "0_6"}}),
        ({"quantization": "Q8_0"}, {}, {"quantization": {"declared": "Q8_0", "running": "Q4_K_M"}}),
        ({"replica": 2}, {}, {"replica": {"declared": 2, "running": 1}}),
        # One copy is what a model without the field gets.
        ({}, {"replica": 2}, {"replica": {"declared": 1, "running": 2}}),
        # A projector that is reported as null is none.
        ({"multimodal_projector": "mmproj-F16.gguf"}, {}, {"multimodal_projector": {"declared": "mmproj-F16.gguf", "running": None}}),
        # An older server does not report the engine.
        ({"engine": "vLLM"}, {"model_engine": None}, {}),
        # Nobody reports engine options; the context that is reported is the one of the model's family.
        ({"engine_options": {"n_ctx": 1, "context_length": 7}, "path": "/models/a.gguf", "environment": {"A": "b"}}, {}, {}),
    ],
)
def test_drift_is_what_was_declared_and_is_reported_otherwise(fields: dict[str, Any], reported: dict[str, Any], found: dict[str, Any]) -> None:
    assert drift(present(**fields), running(**reported)) == found
    action = only(present(**fields), Observed({"chat": running(**reported)}))
    assert (action.kind, action.drift) == ("relaunch" if found else "keep", found)


def test_fields_that_are_not_declared_are_not_compared_with_what_is_reported() -> None:
    reported: dict[str, Any] = {"model_format": "other", "model_size_in_billions": 99, "quantization": "other", "multimodal_projector": "other"}
    assert drift(present(), running(**reported)) == {}


@pytest.mark.parametrize("missing", [{"model_engine": None}, {}])
def test_what_an_older_server_does_not_report_is_known_from_the_launch(missing: dict[str, Any]) -> None:
    spec = {key: value for key, value in {**SPEC, **missing}.items() if key != "model_engine" or missing}
    model = ObservedModel("chat", "ready", cast("ModelRow", spec))
    if not missing:
        assert "model_engine" not in model.spec
    launched = applied(present(), model_engine="vLLM")
    assert drift(present(), model, launched) == {"engine": {"declared": "llama.cpp", "running": "vLLM"}}
    assert drift(present(), model, applied(present(), model_engine="LLAMA.CPP")) == {}
    assert unverified(present(), model, launched) == ()
    assert unverified(present(), model, None) == ("engine",)


@pytest.mark.parametrize("name", ["virtual_env_packages", "environment"])
def test_what_is_declared_empty_is_as_good_as_nothing(name: str) -> None:
    empty: Any = {} if name == "environment" else []
    assert drift(present(**{name: empty}), running(), applied(present())) == {}
    assert drift(present(), running(), applied(present(), **{UNREPORTED[name]: empty})) == {}


# Drift in what no server reports.

#: Field → a declared value, and the same as a server may have it.
VALUES: dict[str, list[tuple[Any, Any]]] = {
    "path": [("/models/a.gguf", "/models/a.gguf")],
    "download_hub": [("modelscope", "modelscope")],
    "n_gpu": [(2, 2), (1, "1")],
    "workers": [(["a", "b"], "a,b"), (["a", "b"], "b, a"), (["a"], "a")],
    "worker_ip": [("10.0.0.7", "10.0.0.7")],
    "request_limits": [(10, 10), (10, "10")],
    "enable_thinking": [(True, True), (False, False), (False, "false")],
    "enable_virtual_env": [(True, True), (False, False)],
    "virtual_env_packages": [(["a", "b==1"], ["a", "b==1"])],
    "environment": [({"A": "1", "B": "x"}, {"A": "1", "B": "x"}), ({"A": 1}, {"A": 1})],
    "peft_model_config": [({"lora_list": [{"lora_name": "a", "local_path": "/models/a"}]}, {"lora_list": [{"lora_name": "a", "local_path": "/models/a"}]})],
}
#: Field → another value for it.
OTHERS: dict[str, list[Any]] = {
    "path": ["/models/b.gguf"],
    "download_hub": ["huggingface"],
    "n_gpu": [1, "auto"],
    "workers": ["a", "a,c", "a,b,c"],
    "worker_ip": ["10.0.0.8"],
    "request_limits": [11],
    "enable_thinking": [None],
    "enable_virtual_env": [None],
    "virtual_env_packages": [["a"], ["b==1", "a"], []],
    "environment": [{"A": "1"}, {"A": "1", "B": "y"}, {"A": "1", "B": "x", "C": ""}],
    "peft_model_config": [{"lora_list": []}, {}],
}


def fitting(name: str) -> tuple[dict[str, Any], ObservedModel]:
    """Fields of a model that can use a field, and the model as it runs."""
    if name == "peft_model_config":
        return {"engine": "Transformers"}, running(model_engine="Transformers", model_format="pytorch")
    return {}, running()


def test_every_field_that_no_server_reports_is_tried_here() -> None:
    assert set(VALUES) == set(OTHERS) == set(UNREPORTED)
    assert not set(UNREPORTED) & set(REPORTED)


@pytest.mark.parametrize(("name", "wanted", "actual"), [(name, *pair) for name, pairs in VALUES.items() for pair in pairs])
@pytest.mark.parametrize("source", ["record", "worker", "autostart"])
def test_a_model_that_was_launched_as_declared_does_not_differ(source: str, name: str, wanted: Any, actual: Any) -> None:
    fields, runs = fitting(name)
    model = present(**{**fields, name: wanted})
    launched = applied(model, source, **{UNREPORTED[name]: actual})
    assert drift(model, runs, launched) == {}
    assert unverified(model, runs, launched) == ()
    assert only(model, Observed({"chat": runs}, applied={"chat": launched})).kind == "keep"


@pytest.mark.parametrize(("name", "other"), [(name, other) for name, others in OTHERS.items() for other in others])
@pytest.mark.parametrize("source", ["record", "worker", "autostart"])
def test_a_model_that_was_launched_otherwise_differs(source: str, name: str, other: Any) -> None:
    fields, runs = fitting(name)
    model = present(**{**fields, name: VALUES[name][0][0]})
    launched = applied(model, source, **{UNREPORTED[name]: other})
    found = drift(model, runs, launched)
    assert list(found) == [name]
    if name != "environment":
        # What is empty is as good as nothing.
        assert found[name] == {"declared": model.launch_request()[UNREPORTED[name]], "running": other or None}
    assert only(model, Observed({"chat": runs}, applied={"chat": launched})).kind == "relaunch"


@pytest.mark.parametrize("name", UNREPORTED)
def test_a_field_that_was_not_launched_with_differs(name: str) -> None:
    fields, runs = fitting(name)
    model = present(**{**fields, name: VALUES[name][0][0]})
    assert list(drift(model, runs, applied(present(**fields)))) == [name]


@pytest.mark.parametrize("name", UNREPORTED)
def test_a_field_that_is_declared_no_more_differs_unless_the_server_fills_it_in(name: str) -> None:
    fields, runs = fitting(name)
    launched = applied(present(**{**fields, name: VALUES[name][0][0]}))
    # Workers are sent as the field of those who write addresses.
    sent = "worker_ip" if name == "workers" else name
    assert list(drift(present(**fields), runs, launched)) == ([] if name in ("download_hub", "n_gpu") else [sent])


def test_workers_are_one_difference_whichever_field_named_them() -> None:
    launched = applied(present(worker_ip="a"))
    assert drift(present(workers=["b"]), running(), launched) == {"workers": {"declared": "b", "running": "a"}}
    assert drift(present(worker_ip="b"), running(), applied(present(workers=["a"]))) == {"worker_ip": {"declared": "b", "running": "a"}}
    # The same worker, named in the other field.
    assert drift(present(workers=["a"]), running(), launched) == {}


@pytest.mark.parametrize("name", UNREPORTED)
def test_a_field_that_is_not_known_is_unverified_and_never_drift(name: str) -> None:
    model = present(**{name: VALUES[name][0][0]})
    observed = Observed({"chat": running()})
    assert drift(model, running(), None) == {}
    assert unverified(model, running(), None) == (name,)
    action = only(model, observed)
    assert (action.kind, action.drift, action.unverified) == ("keep", {}, (name,))


@pytest.mark.parametrize("name", UNREPORTED)
def test_a_field_that_the_source_does_not_return_is_unverified_and_never_drift(name: str) -> None:
    model = present(**{name: VALUES[name][0][0]})
    launched = Applied(present().launch_request(), "worker", frozenset({UNREPORTED[name]}))
    assert drift(model, running(), launched) == {}
    assert unverified(model, running(), launched) == (name,)
    # And nobody can say that it is too much.
    assert drift(present(), running(), Applied(model.launch_request(), "worker", launched.hidden)) == {}


def test_what_cannot_be_reported_hides_nothing_that_can() -> None:
    """Neither the fields and options that the source leaves out, nor a number of GPUs that is as good as declared."""
    model = present(path="/models/a.gguf", n_gpu="auto", environment={"A": "1"}, engine_options={"gpu_idx": 1, "n_ctx": 4096})
    request = {**present().launch_request(), "envs": {"A": "2"}, "n_ctx": 2048}
    launched = Applied(request, "worker", frozenset({UNREPORTED["path"], "gpu_idx"}))
    assert list(drift(model, running(), launched)) == ["environment", "engine_options.n_ctx"]
    assert unverified(model, running(), launched) == ("path", "engine_options.gpu_idx")


def test_a_text_that_says_none_is_not_nothing() -> None:
    model = present(worker_ip="None", engine_options={"chat_template": "None"})
    assert drift(model, running(), applied(present())) == {
        "worker_ip": {"declared": "None", "running": None},
        "engine_options.chat_template": {"declared": "None", "running": None},
    }


@pytest.mark.parametrize("launched", [None, applied(present())])
def test_a_projector_is_verified_where_the_server_reports_that_there_is_none(launched: Applied | None) -> None:
    model = present(multimodal_projector="mmproj-F16.gguf")
    assert unverified(model, running(), launched) == ()
    silent = ObservedModel("chat", "ready", cast("ModelRow", {key: value for key, value in SPEC.items() if key != "multimodal_projector"}))
    assert unverified(model, silent, launched) == ("multimodal_projector",)
    assert drift(model, silent, launched) == {}


@pytest.mark.parametrize("wanted", [None, "auto"])
@pytest.mark.parametrize("actual", [None, "auto"])
def test_no_gpu_and_any_gpu_are_the_same(wanted: Any, actual: Any) -> None:
    """A host for CPU inference has none, and a server stores the one as the other."""
    model = present(n_gpu=wanted)
    assert "n_gpu" in model.given
    launched = Applied({**present().launch_request(), **({} if actual is None else {"n_gpu": actual})}, "worker")
    assert drift(model, running(), launched) == {}


@pytest.mark.parametrize(
    ("declared", "launched", "found"),
    [
        ({"n_ctx": 2048, "warmup": False}, {"n_ctx": "2048", "warmup": False}, {}),
        ({}, {}, {}),
        ({"n_ctx": 4096}, {"n_ctx": 2048}, {"engine_options.n_ctx": {"declared": 4096, "running": 2048}}),
        ({"n_ctx": 4096}, {}, {"engine_options.n_ctx": {"declared": 4096, "running": None}}),
        ({}, {"n_ctx": 2048}, {"engine_options.n_ctx": {"declared": None, "running": 2048}}),
        ({"warmup": True}, {"warmup": 1}, {"engine_options.warmup": {"declared": True, "running": 1}}),
        ({"n_ctx": 1, "n_threads": 2}, {"n_ctx": 2, "n_parallel": 3}, {
            "engine_options.n_ctx": {"declared": 1, "running": 2},
            "engine_options.n_parallel": {"declared": None, "running": 3},
            "engine_options.n_threads": {"declared": 2, "running": None},
        }),
        ({"default_template_kwargs": {"a": [1]}}, {"default_template_kwargs": {"a": ["1"]}}, {}),
        # Empty values are not stored.
        ({"chat_template": None}, {}, {}),
    ],
)  # fmt: skip
@pytest.mark.parametrize("source", ["record", "worker", "autostart"])
def test_engine_options_are_compared_one_by_one(source: str, declared: dict[str, Any], launched: dict[str, Any], found: dict[str, Any]) -> None:
    assert drift(present(engine_options=declared), running(), applied(present(), source, **launched)) == found


def test_engine_options_that_are_not_known_are_unverified_one_by_one() -> None:
    model = present(engine_options={"n_threads": 2, "n_ctx": 1})
    assert drift(model, running(), None) == {}
    assert unverified(model, running(), None) == ("engine_options.n_ctx", "engine_options.n_threads")


@pytest.mark.parametrize("key", ["gpu_idx", "n_worker"])
def test_an_engine_option_that_the_source_does_not_return_is_unverified(key: str) -> None:
    model = present(engine_options={key: 1})
    launched = Applied(present().launch_request(), "worker", frozenset({"worker_ip", "gpu_idx", "n_worker"}))
    assert drift(model, running(), launched) == {}
    assert unverified(model, running(), launched) == (f"engine_options.{key}",)


def test_values_of_environment_variables_are_in_no_drift_and_no_diff() -> None:
    model = present(environment={"HF_TOKEN": "hunter2", "NEW": "hunter3"})
    launched = applied(present(), envs={"HF_TOKEN": "hunter1"})
    found = drift(model, running(), launched)
    assert found == {"environment": {"declared": {"HF_TOKEN": "********", "NEW": "********"}, "running": {"HF_TOKEN": "********"}}}
    plan = make_plan([model], Observed({"chat": running()}, applied={"chat": launched}))
    assert "hunter" not in repr((plan.side("before"), plan.side("after"), plan.actions[0].drift, plan.actions[0].before, plan.actions[0].after))
    # What is sent has them.
    assert plan.actions[0].request["envs"] == {"HF_TOKEN": "hunter2", "NEW": "hunter3"}
    assert plan.actions[0].previous is not None
    assert plan.actions[0].previous["envs"] == {"HF_TOKEN": "hunter1"}


def test_the_diff_shows_what_no_server_reports_where_it_differs() -> None:
    model = present(engine_options={"n_ctx": 4096}, path="/models/a.gguf")
    plan = make_plan([model], Observed({"chat": running()}, applied={"chat": applied(model, n_ctx=2048)}))
    assert plan.side("before") == {"chat": {"state": "ready", **RUNNING, "engine_options.n_ctx": 2048}}
    assert plan.side("after") == {
        "chat": {
            "state": "ready",
            "type": "LLM",
            "name": "qwen3",
            "engine": "llama.cpp",
            "path": "/models/a.gguf",
            "engine_options": {"n_ctx": 4096},
            "engine_options.n_ctx": 4096,
        }
    }


# What becomes of drift.


@pytest.mark.parametrize("choice", ["report", "ignore"])
def test_a_model_that_differs_is_left_where_that_was_chosen(choice: str) -> None:
    model = present(quantization="Q8_0", registration=CUSTOM)
    observed = Observed({"chat": running()}, {("LLM", "qwen3"): {**REGISTERED, "context_length": 1}}, {"chat": applied(model, n_ctx=2048)})
    plan = make_plan([model], observed, PlanOptions(on_drift=choice))
    (action,) = plan.actions
    assert list(action.drift) == ["quantization", "engine_options.n_ctx", "registration.context_length"]
    assert (action.kind, action.register, action.replaced, plan.changed) == ("keep", None, None, False)


@pytest.mark.parametrize("source", ["record", "worker", "autostart"])
def test_a_relaunch_knows_how_to_go_back(source: str) -> None:
    model = present(engine_options={"n_ctx": 4096})
    launched = applied(model, source, n_ctx=2048, n_gpu="auto")
    action = only(model, Observed({"chat": running()}, applied={"chat": launched}))
    assert (action.kind, action.state, action.before) == ("relaunch", "ready", {"state": "ready", **RUNNING})
    assert action.request == model.launch_request()
    assert action.previous == launched.request


def test_a_relaunch_without_another_source_rolls_back_to_what_was_reported() -> None:
    action = only(present(quantization="Q8_0"), Observed({"chat": running()}))
    assert action.previous == {
        "model_uid": "chat",
        "model_name": "qwen3",
        "model_type": "LLM",
        "model_engine": "llama.cpp",
        "model_format": "ggufv2",
        "model_size_in_billions": "0_6",
        "quantization": "Q4_K_M",
        "replica": 1,
    }


@pytest.mark.parametrize(
    ("fields", "options", "scaling", "kind"),
    [
        ({"replica": 2}, {}, True, "scale"),
        ({"replica": 2}, {}, False, "relaunch"),
        ({"replica": 2, "quantization": "Q8_0"}, {}, True, "relaunch"),
        ({"replica": 2}, {"n_ctx": 1}, True, "relaunch"),
        ({"quantization": "Q8_0"}, {}, True, "relaunch"),
        ({}, {}, True, "keep"),
    ],
)
def test_copies_alone_are_added_and_taken_away_in_place_where_the_server_can(fields: dict[str, Any], options: dict[str, Any], scaling: bool, kind: str) -> None:
    model = present(**fields)
    action = only(model, Observed({"chat": running()}, applied={"chat": applied(model, replica=1, **options)}), scaling=scaling)
    assert action.kind == kind


def test_adding_copies_carries_the_request_and_both_sides() -> None:
    model = present(replica=2, path="/models/a.gguf")
    launched = applied(model, replica=1)
    action = only(model, Observed({"chat": running()}, applied={"chat": launched}), scaling=True)
    assert action == Action(
        "chat",
        "scale",
        "ready",
        before={"state": "ready", **RUNNING},
        after={"state": "ready", **model.shown()},
        request=model.launch_request(),
        drift={"replica": {"declared": 2, "running": 1}},
        model=model,
    )
    # What the launch record holds is verified; without it the path is not known.
    assert only(model, Observed({"chat": running()}), scaling=True).unverified == ("path",)


@pytest.mark.parametrize("choice", ["report", "ignore"])
def test_copies_are_left_too_where_that_was_chosen(choice: str) -> None:
    assert only(present(replica=2), Observed({"chat": running()}), scaling=True, on_drift=choice).kind == "keep"


# Registrations.


@pytest.mark.parametrize(
    ("registered", "wanted"),
    [
        ({}, True),
        ({("LLM", "qwen3"): REGISTERED}, False),
        ({("embedding", "qwen3"): REGISTERED}, True),
        ({("LLM", "other"): REGISTERED}, True),
    ],
)
def test_a_custom_model_is_registered_unless_its_name_and_type_are(registered: dict[tuple[str, str], Any], wanted: bool) -> None:
    action = only(present(registration=CUSTOM), Observed({}, registered))
    assert action.register == (("LLM", DECLARED_CUSTOM) if wanted else None)
    assert action.replaced is None
    assert action.kind == "launch"


def test_a_registration_that_differs_is_drift_and_is_replaced_with_the_relaunch() -> None:
    other = {**REGISTERED, "context_length": 8192}
    model = present(registration=CUSTOM)
    action = only(model, Observed({"chat": running()}, {("LLM", "qwen3"): other}, {"chat": applied(model)}))
    assert action.drift == {"registration.context_length": {"declared": 4096, "running": 8192}}
    assert (action.kind, action.register, action.replaced) == ("relaunch", ("LLM", DECLARED_CUSTOM), other)


def test_a_registration_that_differs_is_replaced_before_a_launch() -> None:
    other = {**REGISTERED, "context_length": 8192}
    action = only(present(registration=CUSTOM), Observed({}, {("LLM", "qwen3"): other}))
    assert (action.kind, action.register, action.replaced) == ("launch", ("LLM", DECLARED_CUSTOM), other)


@pytest.mark.parametrize("choice", ON_DRIFT)
def test_a_registration_that_disappeared_under_a_running_model_is_put_back_without_touching_the_model(choice: str) -> None:
    model = present(registration=CUSTOM)
    plan = make_plan([model], Observed({"chat": running()}, {}, {"chat": applied(model)}), PlanOptions(on_drift=choice))
    (action,) = plan.actions
    assert (action.kind, action.register, action.replaced, action.drift) == ("keep", ("LLM", DECLARED_CUSTOM), None, {})
    assert plan.changed


def test_a_field_of_a_registration_that_was_declared_before_and_is_no_more_is_drift() -> None:
    model = present(registration=CUSTOM)
    other = {**REGISTERED, "chat_template": "{{ x }}"}
    records = {"chat": Record(model.launch_request(), CREATED, {**DECLARED_CUSTOM, "chat_template": "{{ x }}"})}
    observed = Observed({"chat": running()}, {("LLM", "qwen3"): other}, {"chat": applied(model)})
    assert only(model, observed).drift == {}
    with_record = Observed(observed.models, observed.registrations, observed.applied, records)
    assert only(model, with_record).drift == {"registration.chat_template": {"declared": None, "running": "{{ x }}"}}


# Autostart.


def with_entry(model: DeclaredModel, found: Entry | None, autostart: bool = True, state: str = "ready") -> Observed:
    """A server with the model as declared, and an entry."""
    models = {"chat": running()} if state == "ready" else {}
    return Observed(models, {}, {"chat": applied(model)}, {}, {found.uid: found} if found else {}, autostart=autostart, history=True)


@pytest.mark.parametrize("state", ["ready", "absent"])
@pytest.mark.parametrize(
    ("declared", "default", "policy"),
    [
        (None, True, AUTOSTART),
        (True, False, AUTOSTART),
        ({"priority": 5}, False, {**AUTOSTART, "priority": 5}),
        ({"max_retries": 7, "retry_interval_seconds": 9}, True, {"priority": 100, "max_retries": 7, "retry_interval_seconds": 9}),
    ],
)
def test_a_model_that_shall_start_by_itself_gets_an_entry(declared: Any, default: bool, policy: dict[str, int], state: str) -> None:
    model = present(autostart=declared, n_gpu=None, engine_options={"n_ctx": 2048})
    action = only(model, with_entry(model, None, state=state), autostart=default)
    # Empty values are dropped by the server, and an entry with them would differ for ever.
    launch = {"model_uid": "chat", "model_type": "LLM", "replica": 1, "model_name": "qwen3", "model_engine": "llama.cpp", "n_ctx": 2048}
    assert action.entry == {"enabled": True, **policy, "launch": launch}
    assert (action.kind, action.changing) == ("keep" if state == "ready" else "launch", True)


def test_the_diff_of_a_first_entry_shows_that_there_was_none() -> None:
    model = present(autostart={"priority": 5})
    plan = make_plan([model], with_entry(model, None))
    assert plan.side("before") == {"chat": {"state": "ready", **RUNNING, "autostart": False}}
    assert plan.side("after") == {"chat": {"state": "ready", "type": "LLM", "name": "qwen3", "engine": "llama.cpp", "autostart": {**AUTOSTART, "priority": 5}}}


@pytest.mark.parametrize(("declared", "default"), [(False, True), (None, False), (False, False)])
def test_a_model_that_shall_not_gets_none(declared: Any, default: bool) -> None:
    model = present(autostart=declared)
    action = only(model, with_entry(model, None), autostart=default)
    assert (action.entry, action.drop_entry, action.changing) == (None, False, False)


def test_an_entry_that_is_as_declared_is_left() -> None:
    model = present(autostart=True)
    action = only(model, with_entry(model, entry(model)))
    assert (action.entry, action.drop_entry, action.changing) == (None, False, False)


@pytest.mark.parametrize(("replica", "differs"), [(1, False), (2, True)])
def test_an_entry_of_another_client_may_leave_out_the_one_copy(replica: int, differs: bool) -> None:
    model = present(autostart=True, replica=replica)
    launch = {key: value for key, value in cleaned(model.launch_request()).items() if key != "replica"}
    assert (only(model, with_entry(model, entry(model, launch=launch))).entry is not None) is differs


@pytest.mark.parametrize(
    "changes",
    [
        {"priority": 1},
        {"max_retries": 3},
        {"retry_interval_seconds": 31},
        {"launch": {**present().launch_request(), "n_ctx": 1}},
        {"launch": {**present().launch_request(), "replica": 2}},
        {"launch": {key: value for key, value in present().launch_request().items() if key != "model_engine"}},
        # Of another account: its launch is not shown.
        {"launch": None},
    ],
)
def test_an_entry_that_differs_is_written(changes: dict[str, Any]) -> None:
    model = present()
    old = entry(model, **changes)
    plan = make_plan([model], with_entry(model, old), PlanOptions(autostart=True))
    (action,) = plan.actions
    assert (action.kind, action.entry, action.old_entry) == ("keep", {"enabled": True, **AUTOSTART, "launch": model.launch_request()}, old)
    assert plan.changed
    assert plan.side("before")["chat"]["autostart"] == {name: getattr(old, name) for name in AUTOSTART}
    assert plan.side("after")["chat"]["autostart"] == AUTOSTART


def test_an_entry_is_removed_only_when_the_model_says_so() -> None:
    for declared, dropped in ((False, True), (None, False)):
        model = present(autostart=declared)
        plan = make_plan([model], with_entry(model, entry(model)))
        assert (plan.actions[0].kind, plan.actions[0].drop_entry, plan.changed) == ("keep", dropped, dropped)
        if dropped:
            assert plan.side("before")["chat"]["autostart"] == AUTOSTART
            assert plan.side("after")["chat"]["autostart"] is False


@pytest.mark.parametrize("state", ["ready", "creating", "terminating", "error", "absent"])
def test_the_entry_of_an_absent_model_is_removed_in_every_state(state: str) -> None:
    observed = Observed({} if state == "absent" else seen(chat=state).models, entries={"chat": entry(present())}, autostart=True)
    plan = make_plan([absent()], observed)
    assert plan.actions[0].drop_entry
    assert plan.changed
    assert plan.side("before")["chat"]["autostart"] == AUTOSTART
    assert plan.side("after")["chat"]["autostart"] is False


@pytest.mark.parametrize(("declared", "default", "noted"), [(True, False, True), ({"priority": 1}, False, True), (None, True, False), (False, True, False)])
def test_autostart_that_was_declared_on_a_server_without_it_is_noted(declared: Any, default: bool, noted: bool) -> None:
    plan = make_plan([present(autostart=declared)], with_entry(present(), None, autostart=False), PlanOptions(autostart=default))
    assert not plan.changed
    assert plan.notes == (("chat: autostart is declared, but this server has none; it exists since 2.12.",) if noted else ())


def test_entries_of_undeclared_models_are_removed_with_exclusive_only() -> None:
    observed = Observed({"kept": running("kept")}, entries={"stale": entry(present("stale")), "kept": entry(present("kept"))}, autostart=True)
    assert (
        make_plan([present("kept")], observed).actions
        == make_plan([present("kept")], Observed(observed.models, entries={"kept": entry(present("kept"))})).actions
    )
    plan = make_plan([present("kept")], observed, PlanOptions(exclusive=True))
    assert [(action.uid, action.kind, action.drop_entry) for action in plan.actions] == [("stale", "keep", True), ("kept", "keep", False)]
    assert plan.actions[0].model == absent("stale")


def test_autostart_is_no_part_of_what_runs() -> None:
    model = present(autostart={"priority": 1})
    assert drift(model, running(), applied(model)) == {}
    assert "priority" not in model.launch_request()


def test_a_registration_serves_every_model_of_its_name() -> None:
    models = [present("first"), present("mine", registration=CUSTOM), present("other", name="other")]
    plan = make_plan(models, Observed())
    assert [(action.uid, action.kind, action.register) for action in plan.actions] == [
        ("first", "launch", ("LLM", DECLARED_CUSTOM)),
        ("mine", "launch", ("LLM", DECLARED_CUSTOM)),
        ("other", "launch", None),
    ]
    observed = Observed(registrations={("LLM", "qwen3"): REGISTERED})
    assert [action.register for action in make_plan(models, observed).actions] == [None, None, None]


# Downloads only.


#: The same model, whose files are on a hub.
FROM_HUB = {**CUSTOM, "model_specs": [{"model_format": "ggufv2", "model_size_in_billions": 1, "quantization": "Q4_1", "model_id": "org/one"}]}
#: What the server has of the model that everybody declares here.
HAS: CachedRow = {"model_name": "qwen3", "model_type": "LLM"}


def test_only_files_that_are_missing_are_got() -> None:
    models = [
        present("one", name="other"),
        present("two"),
        absent("three"),
        present("mine", name="mine", registration=FROM_HUB),
        present("here", path="/a.gguf"),
    ]
    plan = plan_downloads(models, replace(seen(one="ready", three="ready"), cached=(HAS,)))
    assert [(action.uid, action.kind, action.state, action.register) for action in plan.actions] == [
        ("one", "download", "ready", None),
        ("two", "keep", "absent", None),
        ("three", "keep", "ready", None),
        ("mine", "download", "absent", ("LLM", {"version": 2, **FROM_HUB, "model_name": "mine"})),
        ("here", "keep", "absent", None),
    ]
    assert [action.uid for action in plan.actions if action.fetch] == ["one", "mine"]
    assert [action.model for action in plan.actions] == models
    assert plan.side("before") == {"one": {"files": "absent"}, "mine": {"files": "absent"}}
    assert set(plan.side("after")) == {"one", "mine"}
    assert plan.side("after")["one"] == {"files": "present", "type": "LLM", "name": "other", "engine": "llama.cpp"}


def test_a_registration_that_is_there_is_not_touched_by_a_download() -> None:
    found = {("LLM", "qwen3"): {**REGISTERED, "context_length": 1}}
    (action,) = plan_downloads([present(registration=FROM_HUB)], Observed({}, found, cached=())).actions
    assert (action.kind, action.register, action.replaced) == ("download", None, None)


@pytest.mark.parametrize(("cached", "fetched"), [(None, []), ((), ["two", "three"]), ((HAS,), ["three"])])
def test_what_is_launched_gets_its_files_first_where_they_are_missing(cached: tuple[CachedRow, ...] | None, fetched: list[str]) -> None:
    models = [present("one"), present("two"), present("three", name="other"), present("four", path="/a.gguf")]
    plan = make_plan(models, replace(seen(one="ready"), cached=cached))
    assert [action.uid for action in plan.actions if action.fetch] == fetched


def test_automatic_options_are_chosen_by_what_the_server_may_use() -> None:
    declared = present(engine_options="auto")
    plan = make_plan([declared], replace(seen(), limits=Limits(3.0, 100_000)))
    (model,) = plan.models
    assert model.options == {"n_ctx": 4096, "n_parallel": 1, "n_threads": 3}
    assert plan.actions[0].request["n_threads"] == 3
    assert plan.launched == [model]


class OneFile:
    """A server that sees a single file of some bytes, wherever it is asked for."""

    def __init__(self, size: int) -> None:
        self.bytes = size

    def size(self, path: str) -> int | None:
        """Its size."""
        return self.bytes

    def files(self, path: str) -> Files:
        """The file that a path is itself."""
        return Files({"": self.bytes})


@pytest.mark.parametrize(("mib", "context"), [(10, 4096), (1_000_000, 512)])
def test_automatic_options_depend_on_the_size_of_the_files(mib: int, context: int) -> None:
    declared = present(engine_options="auto", path="/models/a.gguf")
    observed = replace(seen(), limits=Limits(3.0, 100_000), cached=())
    for plan in (make_plan([declared], observed, sizes=OneFile(mib << 20)), plan_downloads([declared], observed, OneFile(mib << 20))):
        assert [model.options["n_ctx"] for model in plan.models] == [context]


def test_options_that_are_declared_are_taken_as_they_are() -> None:
    declared = [present(engine_options={"n_ctx": 512}), present("auto", engine_options="auto")]
    assert [model.options for model in plan_downloads(declared, replace(seen(), cached=(HAS,))).models] == [{"n_ctx": 512}, {}]
    assert list(make_plan(declared[:1], replace(seen(), limits=Limits(3.0, 100_000))).models) == declared[:1]


def test_a_relaunch_gets_its_files_first_where_they_are_missing() -> None:
    model = present(name="other")
    for cached, fetched in (((HAS,), True), ((cast("CachedRow", {**HAS, "model_name": "other"}),), False)):
        action = only(model, replace(seen(chat="ready"), cached=cached))
        assert (action.kind, action.fetch) == ("relaunch", fetched)


# What holds for every plan.

UIDS = "abcdef"
STATES = ("ready", "creating", "loading", "scaling", "recovering", "terminating", "error", "orphaned")
VARIANTS: list[dict[str, Any]] = [
    {},
    {"quantization": "Q8_0"},
    {"replica": 2},
    {"engine_options": {"n_ctx": 4096}},
    {"environment": {"HF_TOKEN": "hunter2"}},
    {"autostart": False},
    {"autostart": {"priority": 1}},
    {"registration": CUSTOM},
    {"registration": {**CUSTOM, "context_length": 1}, "name": "other"},
]


@st.composite
def declarations(draw: st.DrawFn) -> list[DeclaredModel]:
    """Some models, each once, present or absent, in any order."""
    uids = draw(st.lists(st.sampled_from(UIDS), unique=True))
    return [present(uid, **draw(st.sampled_from(VARIANTS))) if draw(st.booleans()) else absent(uid) for uid in uids]


@st.composite
def servers(draw: st.DrawFn) -> Observed:
    """A server in any state that a survey can return."""
    models: dict[str, ObservedModel] = {}
    launched: dict[str, Applied] = {}
    records: dict[str, Record] = {}
    entries: dict[str, Entry] = {}
    for uid, state in draw(st.dictionaries(st.sampled_from(UIDS), st.sampled_from(STATES))).items():
        models[uid] = running(uid, replica=draw(st.integers(1, 2))) if state == "ready" else ObservedModel(uid, state)
        if state == "ready" and draw(st.booleans()):
            launched[uid] = applied(present(uid, **draw(st.sampled_from(VARIANTS))), draw(st.sampled_from(["record", "worker", "autostart"])))
    for uid in draw(st.lists(st.sampled_from(UIDS), unique=True)):
        entries[uid] = entry(present(uid, **draw(st.sampled_from(VARIANTS))), priority=draw(st.sampled_from([1, 100])))
    registrations = {("LLM", "qwen3"): draw(st.sampled_from([REGISTERED, {**REGISTERED, "context_length": 2}]))} if draw(st.booleans()) else {}
    return Observed(models, registrations, launched, records, entries, autostart=draw(st.booleans()), history=True)


CHOICES = st.builds(PlanOptions, st.booleans(), st.sampled_from(ON_DRIFT), st.booleans(), st.booleans())


@given(declarations(), servers(), CHOICES, st.randoms())
def test_the_order_of_the_declaration_does_not_matter(declared: list[DeclaredModel], observed: Observed, choices: PlanOptions, random: Any) -> None:
    shuffled = list(declared)
    random.shuffle(shuffled)

    def by_uid(models: list[DeclaredModel]) -> dict[str, Action]:
        return {action.uid: action for action in make_plan(models, observed, choices).actions}

    assert by_uid(shuffled) == by_uid(declared)


@given(declarations(), servers(), CHOICES)
def test_a_plan_is_a_pure_function(declared: list[DeclaredModel], observed: Observed, choices: PlanOptions) -> None:
    before = copy.deepcopy((declared, observed))
    assert make_plan(declared, observed, choices) == make_plan(declared, observed, choices)
    assert (declared, observed) == before


@given(declarations(), servers(), CHOICES)
def test_nothing_undeclared_is_touched_unless_exclusive(declared: list[DeclaredModel], observed: Observed, choices: PlanOptions) -> None:
    names = {model.uid for model in declared}
    plan = make_plan(declared, observed, choices)
    others = {action.uid: action for action in plan.actions if action.uid not in names}
    assert set(others) == ({*observed.models, *observed.entries} - names if choices.exclusive else set())
    assert all(action.after is None and action.register is None and action.entry is None for action in others.values())
    assert all(action.drop_entry == (uid in observed.entries) for uid, action in others.items())


@given(declarations(), servers(), CHOICES)
def test_exclusive_changes_nothing_about_what_is_declared(declared: list[DeclaredModel], observed: Observed, choices: PlanOptions) -> None:
    names = {model.uid for model in declared}

    def declared_only(exclusive: bool) -> list[Action]:
        chosen = PlanOptions(exclusive, choices.on_drift, choices.autostart, choices.scaling)
        return [action for action in make_plan(declared, observed, chosen).actions if action.uid in names]

    assert declared_only(True) == declared_only(False)


@given(declarations(), servers(), CHOICES)
def test_there_is_one_action_for_each_model_and_removals_come_first(declared: list[DeclaredModel], observed: Observed, choices: PlanOptions) -> None:
    actions = make_plan(declared, observed, choices).actions
    assert len({action.uid for action in actions}) == len(actions)
    assert {model.uid for model in declared} <= {action.uid for action in actions}
    wanted = [action.after is not None for action in actions]
    assert wanted == sorted(wanted)
    states = {model.uid: model.state == "present" for model in declared}
    assert all(states.get(action.uid, False) == (action.after is not None) for action in actions)


@given(declarations(), servers(), CHOICES)
def test_the_diff_shows_whether_there_are_changes_and_shows_no_secret(declared: list[DeclaredModel], observed: Observed, choices: PlanOptions) -> None:
    plan = make_plan(declared, observed, choices)
    assert set(plan.side("before")) == set(plan.side("after")) == {action.uid for action in plan.actions if action.changing}
    assert plan.changed == bool(plan.side("after"))
    assert all(plan.side("before")[uid] != side for uid, side in plan.side("after").items())
    assert "hunter2" not in repr((plan.side("before"), plan.side("after"), plan.notes))
    assert all("hunter2" not in repr((action.drift, action.before, action.after)) for action in plan.actions)


@given(declarations(), servers(), CHOICES)
def test_a_model_is_relaunched_only_where_it_differs_and_that_was_chosen(declared: list[DeclaredModel], observed: Observed, choices: PlanOptions) -> None:
    for action in make_plan(declared, observed, choices).actions:
        if action.kind in ("relaunch", "scale"):
            assert choices.on_drift == "relaunch"
            assert action.drift
            assert action.state == "ready"
        if action.kind == "relaunch":
            assert action.previous
        if action.kind == "keep" and choices.on_drift == "relaunch":
            assert not action.drift


@given(declarations(), servers(), CHOICES)
def test_entries_are_written_only_where_the_server_has_autostart_and_never_dropped_as_well(
    declared: list[DeclaredModel], observed: Observed, choices: PlanOptions
) -> None:
    for action in make_plan(declared, observed, choices).actions:
        assert action.entry is None or (observed.autostart and not action.drop_entry)
        assert not action.drop_entry or action.uid in observed.entries


def test_an_empty_plan_changes_nothing() -> None:
    assert make_plan([], Observed()) == Plan()
    assert not Plan().changed


# What a server ignores.

#: What the server's own command line sends for every model, and what it makes of options with hyphens.
CLI = {"trust_remote_code": True, "enable_thinking": False}
REAL = {"model_ability": ["chat"]}


@pytest.mark.parametrize(
    ("fields", "spec", "sent"),
    [
        ({}, REAL, CLI),
        ({}, REAL, {**CLI, "n-ctx": 4096, "n_cxt": 1, "wait_ready": False, "n_worker": 1}),
        # llama.cpp cannot set a text where it wants a number, or one of an enumeration.
        ({}, REAL, {"cache_type_k": "q8_0", "n_ctx": "4096", "sampling.temp": "0.5"}),
        ({"engine": "Transformers", "format": "pytorch"}, {**REAL, "model_engine": "Transformers", "model_format": "pytorch"}, CLI),
        # With Transformers, a hybrid model does not think unless it is asked to.
        ({"engine": "Transformers"}, {"model_ability": ["chat", "hybrid"], "model_engine": "Transformers"}, CLI),
        (
            {"type": "embedding", "engine": "sentence_transformers"},
            {"model_type": "embedding", "model_engine": "sentence_transformers", "dimensions": 8},
            {**CLI, "model_size_in_billions": 1, "torch-dtype": "float32"},
        ),
        ({"type": "embedding", "engine": None}, {"model_type": "embedding", "model_engine": "sentence_transformers"}, CLI),
        ({"type": "embedding", "engine": "llama.cpp"}, {"model_type": "embedding", "model_engine": "llama.cpp"}, CLI),
        ({"type": "rerank", "engine": None}, {"model_type": "rerank", "model_engine": "sentence_transformers"}, CLI),
        ({"type": "image"}, {"model_type": "image"}, {**CLI, "multimodal_projector": "a.gguf"}),
        ({"type": "audio"}, {"model_type": "audio"}, {**CLI, "model_format": "pytorch"}),
    ],
)
@pytest.mark.parametrize("source", ["worker", "autostart"])
def test_what_the_server_ignores_is_no_difference(source: str, fields: dict[str, Any], spec: dict[str, Any], sent: dict[str, Any]) -> None:
    model = present(**fields)
    # The specification of the tests has fields of an LLM, which other types do not report.
    reported = {**(SPEC if fields.get("type", "LLM") == "LLM" else {"model_name": "qwen3"}), **spec}
    runs = ObservedModel("chat", "ready", cast("ModelRow", reported), created=CREATED)
    assert drift(model, runs, applied(model, source, **sent)) == {}
    entry_of_others = entry(model, launch=cleaned({**model.launch_request(), **sent}))
    observed = Observed({"chat": runs}, applied={"chat": applied(model, source, **sent)}, entries={"chat": entry_of_others}, autostart=True)
    action = only(model, observed, autostart=True)
    assert (action.kind, action.entry) == ("keep", None)


@pytest.mark.parametrize(
    ("fields", "spec", "sent", "differs"),
    [
        # A hybrid model was asked not to think, and with llama.cpp it does where nobody says anything.
        ({}, {"model_ability": ["chat", "hybrid"]}, CLI, ["enable_thinking"]),
        # Of a server that does not report what the model can do.
        ({}, {}, CLI, ["enable_thinking"]),
        ({"enable_thinking": True}, {"model_ability": ["hybrid"]}, CLI, ["enable_thinking"]),
        ({"engine": "Transformers"}, {"model_engine": "Transformers", **REAL}, {"trust_remote_code": False}, ["engine_options.trust_remote_code"]),
        ({"engine": "Transformers"}, {"model_engine": "Transformers", **REAL}, {"own_option": 1}, ["engine_options.own_option"]),
        ({}, REAL, {"n_ctx": 4096}, ["engine_options.n_ctx"]),
        # It is declared for a server that is newer than what is known here.
        ({"engine_options": {"brand_new": 2}}, REAL, {"brand_new": 1}, ["engine_options.brand_new"]),
        ({"engine_options": {"brand_new": 2}}, REAL, {"brand_new": None}, ["engine_options.brand_new"]),
    ],
)
def test_what_it_does_not_ignore_is(fields: dict[str, Any], spec: dict[str, Any], sent: dict[str, Any], differs: list[str]) -> None:
    model = present(**fields)
    runs = running(**spec)
    assert list(drift(model, runs, applied(model, "worker", **sent))) == differs


def test_an_option_that_was_declared_once_and_is_not_known_here_counts() -> None:
    before, model = present(engine_options={"brand_new": 2}), present()
    assert list(drift(model, running(), applied(before))) == ["engine_options.brand_new"]
    record = Record(before.launch_request(), CREATED)
    observed = Observed(records={"chat": record}, entries={"chat": entry(before)}, autostart=True)
    assert only(model, observed, autostart=True).entry is not None
