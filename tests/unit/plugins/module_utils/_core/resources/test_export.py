# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a server runs as a declaration: a run with it changes nothing, and what is not known is said."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.inferops.xinference.plugins.module_utils._core.declaration.check import parse_models
from ansible_collections.inferops.xinference.plugins.module_utils._core.declaration.specification import check_registration
from ansible_collections.inferops.xinference.plugins.module_utils._core.observed.last_applied import Applied, Entry, Record, cleaned, from_worker
from ansible_collections.inferops.xinference.plugins.module_utils._core.observed.models import ERROR, LOADING, READY, Observed, ObservedModel
from ansible_collections.inferops.xinference.plugins.module_utils._core.plan.drift import UNREPORTED, drift
from ansible_collections.inferops.xinference.plugins.module_utils._core.plan.plan import Plan, PlanOptions, make_plan
from ansible_collections.inferops.xinference.plugins.module_utils._core.resources.export import Export, cleaned_registration, custom_registrations, export
from ansible_collections.inferops.xinference.plugins.module_utils._core.server.rows import ModelRow

CHAT: ModelRow = {
    "model_name": "qwen3",
    "model_type": "LLM",
    "model_engine": "llama.cpp",
    "model_format": "ggufv2",
    "model_size_in_billions": "0_6",
    "quantization": "Q4_K_M",
    "multimodal_projector": None,
    "replica": 1,
    "context_length": 40960,
}
EMBED: ModelRow = {
    "model_name": "bge-m3",
    "model_type": "embedding",
    "model_engine": "sentence_transformers",
    "model_format": "pytorch",
    "quantization": "none",
    "dimensions": 1024,
    "replica": 1,
}
#: As the form of the server's own web interface sends it.
FORM = {
    "model_uid": "chat",
    "model_name": "qwen3",
    "model_type": "LLM",
    "model_engine": "llama.cpp",
    "model_format": "ggufv2",
    "model_size_in_billions": "0_6",
    "quantization": "Q4_K_M",
    "n_gpu": "auto",
    "replica": 1,
    "request_limits": None,
    "worker_ip": None,
    "gpu_idx": None,
    "download_hub": None,
    "model_path": None,
    "n_ctx": 4096,
    "n_threads": 2,
}
#: What a server of version 4.1.0 keeps of a registration with only the necessary fields.
ECHO = {
    "version": 2,
    "context_length": 8192,
    "model_name": "own",
    "model_lang": ["en"],
    "model_ability": ["generate"],
    "model_description": None,
    "model_family": "other",
    "model_specs": [
        {
            "model_metadata": None,
            "model_format": "ggufv2",
            "model_size_in_billions": "0_135",
            "quantization": "Q4_1",
            "multimodal_projectors": None,
            "model_id": None,
            "model_file_name_template": "a.gguf",
            "model_hub": "huggingface",
            "model_uri": "file:///models/a.gguf",
            "model_revision": None,
        }
    ],
    "chat_template": None,
    "stop": None,
    "cache_config": None,
    "virtualenv": None,
    "is_builtin": False,
}
MINIMAL = {
    "context_length": 8192,
    "model_lang": ["en"],
    "model_ability": ["generate"],
    "model_family": "other",
    "model_specs": [
        {
            "model_format": "ggufv2",
            "model_size_in_billions": "0_135",
            "quantization": "Q4_1",
            "model_file_name_template": "a.gguf",
            "model_uri": "file:///models/a.gguf",
        }
    ],
}
WORKER = "0.0.0.0:33376"
POLICY = {"priority": 7, "max_retries": 5, "retry_interval_seconds": 11}


def model(uid: str, spec: ModelRow, **more: Any) -> ObservedModel:
    return ObservedModel(uid, READY, spec.copy(), created=100, replicas=(0,), places={0: WORKER}, **more)


def entry(uid: str, launch: dict[str, Any] | None) -> Entry:
    return Entry(uid=uid, launch=None if launch is None else cleaned(launch), **POLICY)


def arguments(request: dict[str, Any]) -> dict[str, Any]:
    """A worker's own arguments for a launch request, with all that the server adds."""
    added = {"n_gpu": "auto", "n_worker": 1, "shard": 0, "driver_info": None, "download_hub": "huggingface", "gpu_idx": None, "launch_ts": 1}
    used_up = {"replica", "worker_ip", "wait_ready"}
    return {**added, **{key: value for key, value in request.items() if key not in used_up and value is not None}}


def applied(request: dict[str, Any], source: str) -> Applied:
    """What a source holds of a launch request."""
    if source == "worker":
        return from_worker(arguments(request), str(request["model_uid"]), int(request.get("replica") or 1))
    return Applied({"replica": 1, **cleaned(request)} if source == "record" else cleaned(request), source)


def again(exported: Export, observed: Observed, *, strict: bool = True, **choices: Any) -> Plan:
    """The plan of a run with a declaration."""
    return make_plan(parse_models(exported.declaration, strict=strict), observed, PlanOptions(autostart=True, **choices))


def one(observed: Observed, **options: Any) -> dict[str, Any]:
    (item,) = export(observed, {}, **options).declaration
    return item


# A run with the declaration changes nothing.


@pytest.mark.parametrize("source", ["record", "worker", "autostart", None])
@pytest.mark.parametrize("with_entry", [False, True])
def test_a_run_with_the_declaration_changes_nothing(source: str | None, with_entry: bool) -> None:
    observed = Observed(
        {"chat": model("chat", CHAT), "embed": model("embed", EMBED)},
        applied={"chat": applied(FORM, source)} if source else {},
        entries={"chat": entry("chat", FORM)} if with_entry else {},
        autostart=True,
    )
    exported = export(observed, {})
    assert exported.problems == []
    plan = again(exported, observed, exclusive=True)
    assert not plan.changed
    assert all(not action.drift for action in plan.actions)
    item = exported.declaration[0]
    assert item["autostart"] == (POLICY if with_entry else False)
    assert exported.declaration[1]["autostart"] is False
    assert item.get("engine_options") == ({"n_ctx": 4096, "n_threads": 2} if source or with_entry else None)


_VALUES = st.one_of(st.integers(1, 10**6), st.booleans(), st.text("abc/.", min_size=1, max_size=6), st.lists(st.integers(0, 9), max_size=2))
_REQUESTS = st.fixed_dictionaries(
    {"model_uid": st.just("chat"), "model_name": st.just("qwen3"), "model_type": st.just("LLM"), "model_engine": st.sampled_from(["llama.cpp", "LLAMA.CPP"])},
    optional={
        "model_format": st.just("ggufv2"),
        "model_size_in_billions": st.just("0_6"),
        "quantization": st.sampled_from(["Q4_K_M", "q4_k_m"]),
        "replica": st.just(1),
        "n_gpu": st.sampled_from(["auto", None, 1]),
        "model_path": st.sampled_from([None, "/models/a.gguf"]),
        "request_limits": st.sampled_from([None, 4]),
        "download_hub": st.sampled_from([None, "modelscope"]),
        "enable_thinking": st.booleans(),
        "enable_virtual_env": st.just(False),
        "envs": st.dictionaries(st.sampled_from(["A", "B"]), st.sampled_from(["1", "secret"]), max_size=2),
        "n_ctx": st.integers(1, 10**5),
        "n_threads": st.integers(1, 64),
        "flash_attn": st.booleans(),
        "some_option": _VALUES,
    },
)


@given(_REQUESTS, st.sampled_from(["record", "worker", "autostart", None]), st.sampled_from(["none", "same", "foreign"]))
def test_whatever_it_was_launched_with_a_run_with_the_declaration_relaunches_nothing(request: dict[str, Any], source: str | None, owner: str) -> None:
    entries = {} if owner == "none" else {"chat": entry("chat", request if owner == "same" else None)}
    observed = Observed({"chat": model("chat", CHAT)}, applied={"chat": applied(request, source)} if source else {}, entries=entries, autostart=True)
    exported = export(observed, {}, secrets=True)
    (action,) = again(exported, observed, strict=False).actions
    assert action.drift == {}
    # Another account's entry cannot be read, so it is written again; that is said.
    assert action.changing == (owner == "foreign") == ("autostart" in exported.unknown.get("chat", []))


# What it holds.


def test_only_ready_models_are_in_it_sorted_by_uid() -> None:
    models = {"b": model("b", CHAT), "a": model("a", EMBED), "c": ObservedModel("c", LOADING, CHAT.copy()), "d": ObservedModel("d", ERROR, message="broken")}
    assert [item["uid"] for item in export(Observed(models), {}).declaration] == ["a", "b"]
    assert [item["uid"] for item in export(Observed(models), {}, uids=["b", "c", "x"]).declaration] == ["b"]


def test_an_empty_server_is_an_empty_declaration() -> None:
    assert export(Observed(), {}) == Export()


def test_fields_are_in_the_order_of_the_documentation_and_in_the_terms_of_a_declaration() -> None:
    observed = Observed({"chat": model("chat", CHAT)}, applied={"chat": applied(FORM, "worker")}, autostart=True)
    assert list(one(observed).items()) == [
        ("uid", "chat"),
        ("name", "qwen3"),
        ("type", "LLM"),
        ("engine", "llama.cpp"),
        ("format", "ggufv2"),
        ("size_in_billions", "0_6"),
        ("quantization", "Q4_K_M"),
        ("replica", 1),
        ("engine_options", {"n_ctx": 4096, "n_threads": 2}),
        ("autostart", False),
    ]


def test_what_the_caller_left_to_the_server_is_written_down_as_it_came_out() -> None:
    request = {"model_uid": "chat", "model_name": "qwen3", "model_type": "LLM", "model_engine": "llama.cpp"}
    item = one(Observed({"chat": model("chat", CHAT)}, applied={"chat": applied(request, "worker")}))
    assert (item["format"], item["size_in_billions"], item["quantization"]) == ("ggufv2", "0_6", "Q4_K_M")


def test_an_entry_is_declared_as_it_is_because_another_would_be_written_anew() -> None:
    request = {"model_uid": "chat", "model_name": "qwen3", "model_engine": "llama.cpp", "model_type": "LLM"}
    observed = Observed({"chat": model("chat", CHAT)}, entries={"chat": entry("chat", request)}, autostart=True)
    assert one(observed) == {"uid": "chat", "name": "qwen3", "type": "LLM", "engine": "llama.cpp", "replica": 1, "autostart": POLICY}
    assert not again(export(observed, {}), observed).changed


def test_what_the_server_fills_in_is_left_out() -> None:
    item = one(Observed({"chat": model("chat", CHAT)}, applied={"chat": applied(FORM, "worker")}))
    assert not {"n_gpu", "download_hub"} & set(item)
    assert one(Observed({"chat": model("chat", CHAT)}, applied={"chat": applied(FORM, "record")}))["n_gpu"] == "auto"


def test_copies_are_counted_as_they_are() -> None:
    observed = Observed({"chat": model("chat", {**CHAT, "replica": 3})}, applied={"chat": applied(FORM, "record")})
    assert one(observed)["replica"] == 3
    assert not again(export(observed, {}), observed).changed


def test_a_server_without_autostart_gets_no_word_about_it() -> None:
    assert "autostart" not in one(Observed({"chat": model("chat", CHAT)}, autostart=False))


#: What the server's own command line sends for every model.
CLI = {"trust_remote_code": True, "enable_thinking": False}


@pytest.mark.parametrize("source", ["worker", "autostart"])
@pytest.mark.parametrize("with_entry", [False, True])
def test_what_the_command_line_sends_for_every_model_is_left_out(source: str, with_entry: bool) -> None:
    chat = {**FORM, **CLI, "n-ctx": 512}
    embed = {"model_uid": "embed", "model_name": "bge-m3", "model_type": "embedding", "replica": 1, **CLI, "model_size_in_billions": 1}
    hybrid = {**FORM, **CLI, "model_uid": "hybrid"}
    observed = Observed(
        {
            "chat": model("chat", {**CHAT, "model_ability": ["chat"]}),
            "embed": model("embed", EMBED),
            "hybrid": model("hybrid", {**CHAT, "model_ability": ["chat", "hybrid"]}),
        },
        applied={"chat": applied(chat, source), "embed": applied(embed, source), "hybrid": applied(hybrid, source)},
        entries={"chat": entry("chat", chat), "embed": entry("embed", embed)} if with_entry else {},
        autostart=True,
    )
    exported = export(observed, {})
    assert exported.problems == []
    first, second, third = exported.declaration
    assert first["engine_options"] == third["engine_options"] == {"n_ctx": 4096, "n_threads": 2}
    assert "engine_options" not in second
    # Of a model that can do either, it says something.
    assert ["enable_thinking" in item for item in exported.declaration] == [False, False, True]
    assert "size_in_billions" not in second
    assert not again(exported, observed).changed


def test_a_declaration_by_hand_of_what_the_command_line_launched_relaunches_nothing() -> None:
    chat = {**FORM, **CLI, "download_hub": "huggingface"}
    observed = Observed({"chat": model("chat", {**CHAT, "model_ability": ["chat"]})}, applied={"chat": applied(chat, "worker")})
    declared = {"uid": "chat", "name": "qwen3", "engine": "llama.cpp", "engine_options": {"n_ctx": 4096, "n_threads": 2}, "autostart": False}
    (action,) = make_plan(parse_models([declared]), observed, PlanOptions()).actions
    assert (action.kind, action.drift) == ("keep", {})


# What is not known.


def test_what_is_not_known_is_said() -> None:
    exported = export(Observed({"chat": model("chat", CHAT)}), {})
    assert exported.unknown == {"chat": ["engine_options", *UNREPORTED]}
    assert not set(exported.unknown["chat"]) & set(exported.declaration[0])


def test_an_entry_that_starts_something_else_than_what_runs_is_said() -> None:
    observed = Observed(
        {"chat": model("chat", CHAT)}, applied={"chat": applied(FORM, "worker")}, entries={"chat": entry("chat", {**FORM, "n_ctx": 512})}, autostart=True
    )
    exported = export(observed, {})
    assert exported.declaration[0]["engine_options"]["n_ctx"] == 4096
    assert exported.unknown == {"chat": ["autostart"]}
    (action,) = again(exported, observed).actions
    assert (action.kind, action.drift) == ("keep", {})
    assert action.entry is not None and action.entry["launch"]["n_ctx"] == 4096


def test_an_entry_for_another_number_of_copies_is_said() -> None:
    without = {key: value for key, value in FORM.items() if key != "replica"}
    observed = Observed({"chat": model("chat", {**CHAT, "replica": 2})}, entries={"chat": entry("chat", without)}, autostart=True)
    assert "autostart" in export(observed, {}).unknown["chat"]


def test_on_which_worker_it_shall_run_is_said_where_there_are_several() -> None:
    known = {"chat": applied(FORM, "worker"), "embed": applied({"model_uid": "embed"}, "record")}
    other = ObservedModel("embed", READY, EMBED.copy(), created=100, replicas=(0,), places={0: "10.0.0.2:1"})
    several = Observed({"chat": model("chat", CHAT), "embed": other}, applied=known)
    assert export(several, {}).unknown == {"chat": ["engine_options.gpu_idx", "engine_options.n_worker", "worker_ip"]}
    alone = Observed({"chat": model("chat", CHAT)}, applied=known)
    assert export(alone, {}).unknown == {}
    # The autostart entry holds it.
    started = Observed(several.models, applied=known, entries={"chat": entry("chat", FORM)}, autostart=True)
    assert export(started, {}).unknown == {}


def test_what_the_worker_s_file_cannot_hold_is_said() -> None:
    request = {**FORM, "peft_model_config": "<PeftModelConfig object at 0x7f>"}
    assert export(Observed({"chat": model("chat", CHAT)}, applied={"chat": applied(request, "worker")}), {}).unknown == {"chat": ["peft_model_config"]}


@pytest.mark.parametrize(
    ("sent", "declared"),
    [
        ("worker-1", {"workers": ["worker-1"]}),
        ("worker-2, worker-1", {"workers": ["worker-2", "worker-1"]}),
        ("10.0.0.1", {"worker_ip": "10.0.0.1"}),
        ("worker-1,10.0.0.1", {"worker_ip": "worker-1,10.0.0.1"}),
        ("worker-1:30001", {"worker_ip": "worker-1:30001"}),
        ("worker-1,worker-1", {"worker_ip": "worker-1,worker-1"}),
    ],
)
def test_workers_are_declared_by_name_where_they_were_launched_so(sent: str, declared: dict[str, Any]) -> None:
    launched = applied({**FORM, "worker_ip": sent}, "record")
    # It runs where it was launched.
    runs = replace(model("chat", CHAT), places={0: f"{re.split('[,:]', sent)[0]}:30001"})
    observed = Observed({"chat": runs}, applied={"chat": launched})
    exported = export(observed, {})
    assert {name: value for name, value in exported.declaration[0].items() if name.startswith("worker")} == declared
    assert (exported.unknown, exported.problems) == ({}, [])
    # A run with it changes nothing.
    [again] = parse_models(exported.declaration)
    assert drift(again, observed.models["chat"], launched) == {}


def test_a_value_that_a_declaration_cannot_hold_is_said() -> None:
    request = {**FORM, "worker_ip": ["10.0.0.1", "10.0.0.2"]}
    exported = export(Observed({"chat": model("chat", CHAT)}, applied={"chat": applied(request, "record")}), {})
    assert "worker_ip" not in exported.declaration[0]
    assert exported.unknown == {"chat": ["worker_ip"]}


def test_what_a_declaration_may_not_say_is_a_problem() -> None:
    request = {**FORM, "n_cxt": 512}
    exported = export(Observed({"chat": model("chat", CHAT)}, applied={"chat": applied(request, "record")}), {})
    assert exported.declaration[0]["engine_options"]["n_cxt"] == 512
    assert len(exported.problems) == 1
    assert "declaration[0] (uid 'chat'): engine_options 'n_cxt' is no option of llama.cpp" in exported.problems[0]


# Secrets.


@pytest.mark.parametrize("with_entry", [False, True])
def test_values_of_environment_variables_are_left_out_unless_they_are_wanted(with_entry: bool) -> None:
    request = {**FORM, "envs": {"HF_TOKEN": "hf_hunter2", "OTHER": "hf_hunter3"}}
    observed = Observed(
        {"chat": model("chat", CHAT)},
        applied={"chat": applied(request, "worker")},
        entries={"chat": entry("chat", request)} if with_entry else {},
        autostart=True,
    )
    exported = export(observed, {})
    assert "hunter" not in str(exported)
    assert exported.unknown == {"chat": ["environment.HF_TOKEN", "environment.OTHER"]}
    exported = export(observed, {}, secrets=True)
    assert exported.unknown == {}
    assert exported.declaration[0]["environment"] == request["envs"]
    assert not again(exported, observed).changed


# Registrations.


def test_a_registration_is_left_with_what_was_said() -> None:
    cleaned_one = cleaned_registration(ECHO)
    assert cleaned_one == {**MINIMAL, "model_name": "own"}
    assert cleaned_registration(cleaned_one) == cleaned_one
    assert check_registration("LLM", "own", MINIMAL) == []


def test_defaults_of_another_field_s_name_stay() -> None:
    kept = {"model_hub": "modelscope", "version": 3, "multilingual": False, "launcher_args": "", "default_model_config": {"torch_dtype": None}}
    assert cleaned_registration(kept) == kept


def custom(records: dict[str, Record] | None = None, *uids: str) -> Observed:
    spec: ModelRow = {**CHAT, "model_name": "own", "model_size_in_billions": "0_135", "quantization": "Q4_1"}
    return Observed(
        {uid: model(uid, spec) for uid in uids or ("own",)}, registrations={("LLM", "own"): ECHO}, records=records or {}, autostart=True, history=True
    )


def test_a_custom_model_brings_its_registration() -> None:
    observed = custom()
    exported = export(observed, {("LLM", "own"): ECHO})
    assert exported.declaration[0]["registration"] == MINIMAL
    assert exported.problems == []
    assert not again(exported, observed).changed


def test_a_default_that_was_declared_before_is_declared_again() -> None:
    declared = {"version": 2, **MINIMAL, "model_name": "own", "is_builtin": False}
    observed = custom({"own": Record({}, 1, declared)})
    exported = export(observed, {("LLM", "own"): ECHO})
    assert exported.declaration[0]["registration"] == {**MINIMAL, "is_builtin": False}
    assert not again(exported, observed).changed


def test_two_models_of_one_registration_declare_it_alike() -> None:
    declared = {"version": 2, **MINIMAL, "model_name": "own", "is_builtin": False}
    observed = custom({"two": Record({}, 1, declared), "gone": Record({}, 1, declared)}, "one", "two")
    exported = export(observed, {("LLM", "own"): ECHO})
    assert exported.problems == []
    assert exported.declaration[0]["registration"] == exported.declaration[1]["registration"]
    assert not again(exported, observed).changed


class CatalogueApi:
    """A server's registrations, and what was asked of them."""

    def __init__(self) -> None:
        self.asked: list[Any] = []

    def registered_names(self, model_type: str) -> dict[str, bool]:
        self.asked.append(model_type)
        return {"qwen3": True, "own": False, "other": False} if model_type == "LLM" else {"bge-m3": True}

    def registrations(self, model_type: str, names: set[str]) -> dict[str, dict[str, Any]]:
        self.asked.append((model_type, names))
        return {name: {**ECHO, "model_name": name} for name in names}


def test_only_registrations_of_custom_models_that_run_are_read() -> None:
    server = CatalogueApi()
    observed = Observed(
        {
            "chat": model("chat", CHAT),
            "own": model("own", {**CHAT, "model_name": "own"}),
            "embed": model("embed", EMBED),
            "film": model("film", {"model_type": "video", "model_name": "wan"}),
            "bad": ObservedModel("bad", ERROR),
        }
    )
    assert set(custom_registrations(server, observed)) == {("LLM", "own")}
    assert server.asked == ["LLM", ("LLM", {"own"}), "embedding"]
