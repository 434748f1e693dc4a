# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Downloaded files: what may be deleted, what must stay and why, and that a deletion is seen to have happened."""

from __future__ import annotations

from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.inferops.xinference.plugins.module_utils._core.base.errors import ApiError, AuthenticationError, ConnectionFailed, DeclarationError
from ansible_collections.inferops.xinference.plugins.module_utils._core.declaration.check import parse_models
from ansible_collections.inferops.xinference.plugins.module_utils._core.declaration.model import DeclaredModel
from ansible_collections.inferops.xinference.plugins.module_utils._core.resources.model_cache import (
    CachedModel,
    Removal,
    Users,
    cached_models,
    plan_removal,
    remove,
    survey_cache,
)
from ansible_collections.inferops.xinference.plugins.module_utils._core.server.rows import CachedRow, DownloadRow, InstanceRow, ModelRow

HOME = "/root/.xinference"
WORKER = "0.0.0.0:20425"


def llm(quantization: str = "Q4_K_M", name: str = "qwen3", **more: Any) -> CachedRow:
    """Files of a downloaded LLM, as a server of version 4.1.0 reports them."""
    path = f"{HOME}/cache/v2/{name}-ggufv2-0_6b-{quantization}"
    row = {
        "model_name": name,
        "model_type": "LLM",
        "model_engine": ["llama.cpp"],
        "model_size_in_billions": "0_6",
        "model_format": "ggufv2",
        "quantization": quantization,
        "model_version": f"{name}--0_6B--ggufv2--{quantization}",
        "path": path,
        "real_path": f"{HOME}/huggingface/models--org--{name}/blobs",
        "actor_ip_address": WORKER,
        "size_bytes": 1000,
        **more,
    }
    return cast("CachedRow", row)


def embedding(name: str = "bge-m3", form: str = "pytorch", **more: Any) -> CachedRow:
    """The same of an embedding model, of which the server reports neither format nor quantization."""
    row = {
        "model_name": name,
        "model_type": "embedding",
        "model_engine": ["sentence_transformers"],
        "model_size_in_billions": None,
        "model_format": None,
        "quantization": None,
        "model_version": f"{name}--8192--1024--{form}--none",
        "path": f"{HOME}/cache/v2/{name}-{form}-none",
        "real_path": f"{HOME}/huggingface/models--org--{name}/blobs",
        "actor_ip_address": WORKER,
        "size_bytes": 500,
        **more,
    }
    return cast("CachedRow", row)


def old(row: CachedRow) -> CachedRow:
    """The same as a server of version 3.4 reports it."""
    return cast("CachedRow", {key: value for key, value in row.items() if key not in ("model_type", "model_engine", "size_bytes")})


def chat(uid: str = "chat", **fields: Any) -> dict[str, Any]:
    return {"uid": uid, "name": "qwen3", "engine": "llama.cpp", **fields}


class Cache:
    """A server with downloaded files; deletions that it does not do are said to have been."""

    def __init__(self, *rows: CachedRow, running: dict[str, ModelRow] | None = None, instances: list[InstanceRow] | None = None) -> None:
        self.rows = list(rows)
        self.running = running or {}
        self.instances = instances or []
        self.custom: dict[tuple[str, str], dict[str, Any]] = {}
        self.unfinished: list[DownloadRow] = []
        self.stubborn: set[str] = set()
        self.errors: dict[str, Exception] = {}
        self.deleted: list[str] = []
        self.offered = frozenset({"GET /v1/downloads"})
        self.asked: list[str] = []

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"unexpected call {name}")

    def cached(self) -> list[CachedRow]:
        self.asked.append("cached")
        if "cached" in self.errors:
            raise self.errors["cached"]
        return [row.copy() for row in self.rows]

    def remove_cached(self, model_version: str) -> None:
        if model_version in self.errors:
            raise self.errors[model_version]
        self.deleted.append(model_version)
        if model_version not in self.stubborn:
            self.rows = [row for row in self.rows if row["model_version"] != model_version]

    def list_models(self) -> dict[str, ModelRow]:
        return dict(self.running)

    def list_instances(self) -> list[InstanceRow]:
        self.asked.append("list_instances")
        return list(self.instances)

    def describe(self, uid: str) -> ModelRow | None:
        return self.running.get(uid)

    def registered_names(self, model_type: str) -> dict[str, bool]:
        self.asked.append(f"names {model_type}")
        return {"qwen3": True, "bge-m3": True, **{name: False for kind, name in self.custom if kind == model_type}}

    def registrations(self, model_type: str, names: Any) -> dict[str, dict[str, Any]]:
        return {name: spec for (kind, name), spec in self.custom.items() if kind == model_type and name in names}

    def routes(self) -> frozenset[str]:
        return self.offered

    def downloads(self) -> list[DownloadRow]:
        assert self.offered, "the server has no such route"
        return self.unfinished


def plan(server: Cache, keep: list[dict[str, Any]] | None = None, absent: tuple[str, ...] = ()) -> Removal:
    cached, users = survey_cache(server)
    return plan_removal(cached, users, keep=None if keep is None else parse_models(keep), absent=absent)


# What is there.


def test_files_in_the_terms_of_a_declaration_sorted_by_name() -> None:
    first, second = cached_models(Cache(llm(), embedding()))
    assert first.shown() == {
        "model_version": "bge-m3--8192--1024--pytorch--none",
        "name": "bge-m3",
        "type": "embedding",
        "format": "pytorch",
        "size_in_billions": None,
        "quantization": "none",
        "path": f"{HOME}/cache/v2/bge-m3-pytorch-none",
        "real_path": f"{HOME}/huggingface/models--org--bge-m3/blobs",
        "size_bytes": 500,
        "worker": WORKER,
        "engines": ["sentence_transformers"],
        "linked": False,
    }
    assert (second.name, second.format, second.size_in_billions, second.quantization) == ("qwen3", "ggufv2", "0_6", "Q4_K_M")


def test_only_files_of_one_name() -> None:
    assert [files.name for files in cached_models(Cache(llm(), embedding()), "bge-m3")] == ["bge-m3"]
    assert cached_models(Cache(llm()), "nothing") == []


def test_what_an_old_server_does_not_report_is_none() -> None:
    (files,) = cached_models(Cache(old(llm())))
    assert (files.type, files.size_bytes, files.engines) == (None, None, None)


@pytest.mark.parametrize(
    ("real_path", "linked"),
    [
        (f"{HOME}/huggingface/models--org--a/blobs", False),
        (f"{HOME}/huggingface/hub/models--org--a/snapshots/abc", False),
        (f"{HOME}/modelscope/hub/models/org/a", False),
        ("/root/.cache/huggingface/hub/models--org--a/blobs", False),
        ("/hub/models--org--a/blobs", False),
        (f"{HOME}/cache/v2/qwen3-ggufv2-0_6b-Q4_K_M", False),
        (f"{HOME}/cache/v2/qwen3-ggufv2-0_6b-Q4_K_M/part", False),
        ("", False),
        ("/models/a.gguf", True),
        ("/models", True),
        (f"{HOME}/models/a.gguf", True),
        # What a server answers for a model of type flexible.
        ("/opt/inference/file:/models/a", True),
    ],
)
def test_files_that_no_server_downloads_to_are_only_linked(real_path: str, linked: bool) -> None:
    (files,) = cached_models(Cache(llm(real_path=real_path)))
    assert files.linked is linked


# What is deleted.


def test_what_no_declared_model_needs_is_deleted() -> None:
    server = Cache(llm("Q4_K_M"), llm("Q8_0"), embedding(), embedding("bge-small"))
    removal = plan(server, keep=[chat(quantization="q4_k_m"), {"uid": "embed", "name": "bge-m3", "type": "embedding"}])
    assert removal.versions == ["bge-small--8192--1024--pytorch--none", "qwen3--0_6B--ggufv2--Q8_0"]
    assert removal.kept == ()


@pytest.mark.parametrize(
    ("fields", "deleted"),
    [
        ({}, []),
        ({"size_in_billions": 0.6}, []),
        ({"size_in_billions": 1}, ["qwen3--0_6B--ggufv2--Q4_K_M", "qwen3--0_6B--ggufv2--Q8_0"]),
        ({"quantization": "Q8_0"}, ["qwen3--0_6B--ggufv2--Q4_K_M"]),
        ({"state": "absent"}, ["qwen3--0_6B--ggufv2--Q4_K_M", "qwen3--0_6B--ggufv2--Q8_0"]),
        ({"name": "qwen2"}, ["qwen3--0_6B--ggufv2--Q4_K_M", "qwen3--0_6B--ggufv2--Q8_0"]),
    ],
)
def test_a_field_that_is_not_declared_needs_every_value(fields: dict[str, Any], deleted: list[str]) -> None:
    assert plan(Cache(llm("Q4_K_M"), llm("Q8_0")), keep=[chat(**fields)]).versions == deleted


def test_the_format_of_an_embedding_model_is_read_from_the_name_of_its_files() -> None:
    server = Cache(embedding(form="pytorch"), embedding(form="ggufv2"))
    wanted = {"uid": "embed", "name": "bge-m3", "type": "embedding", "engine": "llama.cpp", "format": "ggufv2"}
    assert plan(server, keep=[wanted]).versions == ["bge-m3--8192--1024--pytorch--none"]


def test_an_empty_list_keeps_only_what_runs() -> None:
    running: dict[str, ModelRow] = {"embed": {"model_name": "bge-m3", "model_type": "embedding", "model_format": "pytorch", "quantization": "none"}}
    removal = plan(Cache(llm(), embedding(), running=running), keep=[])
    assert removal.versions == ["qwen3--0_6B--ggufv2--Q4_K_M"]
    assert removal.kept == (("bge-m3--8192--1024--pytorch--none", "used by the running embed"),)


def test_files_that_are_named_are_deleted_and_unknown_names_are_absent_already() -> None:
    assert plan(Cache(llm(), embedding()), absent=("qwen3--0_6B--ggufv2--Q4_K_M", "nothing")).versions == ["qwen3--0_6B--ggufv2--Q4_K_M"]


def test_a_server_without_files_is_asked_nothing_more() -> None:
    server = Cache()
    assert plan(server, keep=[]) == Removal()
    assert server.asked == ["cached"]


def test_files_on_two_workers_are_deleted_by_one_name() -> None:
    removal = plan(Cache(llm(), llm(actor_ip_address="10.0.0.2:1")), keep=[])
    assert len(removal.remove) == 2
    assert removal.versions == ["qwen3--0_6B--ggufv2--Q4_K_M"]


# What must stay.


def instance(uid: str, status: str, name: str = "qwen3") -> InstanceRow:
    return {"model_uid": uid, "model_name": name, "status": status, "replica_statuses": []}


REASONS: dict[str, tuple[str, dict[str, Any]]] = {
    "running": (
        "used by the running a, b",
        {"running": {"b": {"model_name": "qwen3", "model_type": "LLM"}, "a": {"model_name": "qwen3", "model_type": "LLM"}}},
    ),
    "launching": ("being launched or downloaded", {"instances": [instance("chat", "CREATING")]}),
    "loading": ("being launched or downloaded", {"instances": [instance("chat", "LOADING")]}),
}


@pytest.mark.parametrize("case", REASONS)
def test_files_that_are_used_stay_whatever_is_asked(case: str) -> None:
    reason, state = REASONS[case]
    server = Cache(llm(), **state)
    assert plan(server, keep=[]) == Removal((), (("qwen3--0_6B--ggufv2--Q4_K_M", reason),))
    with pytest.raises(DeclarationError) as refused:
        plan(server, absent=("qwen3--0_6B--ggufv2--Q4_K_M",))
    assert refused.value.problems == [f"absent 'qwen3--0_6B--ggufv2--Q4_K_M' cannot be deleted: it is {reason}."]


@pytest.mark.parametrize(
    ("status", "stays"), [("downloading", True), ("pending", True), ("failed", False), ("paused", False), ("interrupted", False), ("cancelled", False)]
)
def test_files_of_a_download_under_way_stay(status: str, stays: bool) -> None:
    server = Cache(llm())
    server.unfinished = [{"model_name": "qwen3", "status": status}]
    assert bool(plan(server, keep=[]).kept) is stays
    server.offered = frozenset()
    assert not plan(server, keep=[]).kept


def test_a_failed_launch_uses_nothing() -> None:
    assert plan(Cache(llm(), instances=[instance("chat", "ERROR")]), keep=[]).kept == ()


def test_another_quantization_than_the_one_that_runs_is_deleted() -> None:
    running: dict[str, ModelRow] = {
        "chat": {"model_name": "qwen3", "model_type": "LLM", "model_format": "ggufv2", "model_size_in_billions": "0_6", "quantization": "Q4_K_M"}
    }
    removal = plan(Cache(llm("Q4_K_M"), llm("Q8_0"), running=running), keep=[])
    assert removal.versions == ["qwen3--0_6B--ggufv2--Q8_0"]


@pytest.mark.parametrize("age", ["new", "old"])
def test_the_operator_s_own_files_stay_even_where_they_look_downloaded(age: str) -> None:
    own = llm("Q4_1", "own", real_path=f"{HOME}/huggingface/models--own/blobs")
    server = Cache(own if age == "new" else old(own))
    server.custom[("LLM", "own")] = {"model_specs": [{"model_uri": "file:///root/.xinference/huggingface/models--own/a.gguf"}]}
    ((version, reason),) = plan(server, keep=[]).kept
    assert (version, reason) == (own["model_version"], "linked only, because the registration of the model names files of its own (model_uri)")


def test_a_custom_model_from_a_hub_is_deleted() -> None:
    server = Cache(llm("Q4_1", "own"))
    server.custom[("LLM", "own")] = {"model_specs": [{"model_id": "org/own"}]}
    assert plan(server, keep=[]).versions == ["own--0_6B--ggufv2--Q4_1"]


def test_files_that_are_linked_by_hand_stay() -> None:
    ((_version, reason),) = plan(Cache(llm(real_path="/models/a.gguf")), keep=[]).kept
    assert reason == "linked only, because the files are in /models/a.gguf, where no server downloads to"


def test_on_an_old_server_the_name_decides() -> None:
    running: dict[str, ModelRow] = {
        "chat": {"model_name": "qwen3", "model_type": "LLM", "model_format": "ggufv2", "model_size_in_billions": "0_6", "quantization": "Q4_K_M"}
    }
    removal = plan(Cache(old(llm("Q4_K_M")), old(llm("Q8_0")), old(embedding()), running=running), keep=[{"uid": "e", "name": "bge-m3", "type": "embedding"}])
    assert removal.versions == ["qwen3--0_6B--ggufv2--Q8_0"]


def test_files_in_one_place_stay_or_go_together() -> None:
    """An image model has one name for its files with each of its control nets, and one directory."""
    plain, canny = (
        CachedModel(f"sd--{net}", "sd", "image", path=f"{HOME}/cache/v2/sd", real_path=f"{HOME}/cache/v2/sd", worker=WORKER) for net in ("zoe", "canny")
    )
    other = CachedModel("other", "sd", "image", path=f"{HOME}/cache/v2/sd", worker="10.0.0.2:1")
    with pytest.raises(DeclarationError) as refused:
        plan_removal([plain, canny, other], Users(), absent=["sd--zoe"])
    assert refused.value.problems == ["absent 'sd--zoe' shares its directory with sd--canny; name them as well, or none of them."]
    assert plan_removal([plain, canny, other], Users(), absent=["sd--zoe", "sd--canny"]).versions == ["sd--zoe", "sd--canny"]
    used = Users(linked=frozenset({("image", "sd")}))
    assert plan_removal([plain, canny], used, keep=[]).remove == ()


_NAMES = st.sampled_from(["a", "b"])
_FILES = st.builds(
    CachedModel,
    model_version=st.sampled_from(["v1", "v2", "v3"]),
    name=_NAMES,
    type=st.sampled_from([None, "LLM", "embedding"]),
    quantization=st.sampled_from([None, "Q4", "Q8"]),
    path=st.sampled_from(["/x/cache/v2/1", "/x/cache/v2/2"]),
    real_path=st.sampled_from(["", "/models/a", "/x/huggingface/a"]),
    worker=st.sampled_from(["one", "two"]),
)
_MODELS = st.builds(
    lambda name, kind, quantization: DeclaredModel("m", "present", {"name": name, "type": kind, **({"quantization": quantization} if quantization else {})}),
    _NAMES,
    st.sampled_from(["LLM", "embedding"]),
    st.sampled_from([None, "Q4", "Q8"]),
)
_USERS = st.builds(
    Users, st.lists(_MODELS, max_size=2).map(tuple), st.frozensets(_NAMES, max_size=1), st.frozensets(st.tuples(st.just("LLM"), _NAMES), max_size=1)
)


@given(st.lists(_FILES, max_size=5), _USERS, st.lists(_MODELS, max_size=2))
def test_nothing_that_anybody_needs_is_ever_deleted(cached: list[CachedModel], users: Users, keep: list[DeclaredModel]) -> None:
    removal = plan_removal(cached, users, keep=keep)
    deleted = [files for files in cached if files.model_version in removal.versions]
    # All that the server would delete for these names was checked, and nobody needs it.
    assert all(files in removal.remove for files in deleted)
    assert all(not users.of(files) for files in deleted)
    places = {(files.worker, files.path) for files in deleted}
    assert all(files in deleted for files in cached if (files.worker, files.path) in places)
    assert not {version for version, _reason in removal.kept} & set(removal.versions)
    # The rest would be deleted by name, or is refused with the same reasons.
    versions = sorted({files.model_version for files in cached})
    try:
        named = plan_removal(cached, users, absent=versions)
    except DeclarationError:
        assert any(users.of(files) for files in cached)
    else:
        assert named.versions == list(dict.fromkeys(files.model_version for files in cached))


# Deleting.


def test_deleting_is_seen_to_have_happened() -> None:
    server = Cache(llm("Q4_K_M"), llm("Q8_0"), embedding())
    server.stubborn = {"qwen3--0_6B--ggufv2--Q8_0"}
    removal = plan(server, absent=("qwen3--0_6B--ggufv2--Q4_K_M", "qwen3--0_6B--ggufv2--Q8_0"))
    gone, problems = remove(server, removal)
    assert [files.model_version for files in gone] == ["qwen3--0_6B--ggufv2--Q4_K_M"]
    assert problems == ["qwen3--0_6B--ggufv2--Q8_0: the server reports that it was deleted, but still has it; its log shows why."]


def test_nothing_to_delete_asks_nothing() -> None:
    server = Cache(llm())
    assert remove(server, Removal()) == ([], [])
    assert server.asked == []


def test_a_refused_deletion_does_not_keep_the_others_from_being_tried() -> None:
    server = Cache(llm("Q4_K_M"), llm("Q8_0"))
    server.errors["qwen3--0_6B--ggufv2--Q4_K_M"] = ApiError("DELETE", "http://x", 500, "Permission denied")
    gone, problems = remove(server, plan(server, keep=[]))
    assert [files.model_version for files in gone] == ["qwen3--0_6B--ggufv2--Q8_0"]
    assert problems == ["qwen3--0_6B--ggufv2--Q4_K_M: DELETE http://x answered 500: Permission denied."]


@pytest.mark.parametrize("error", [ConnectionFailed("DELETE http://x: no connection."), AuthenticationError("DELETE", "http://x", 403, "Forbidden")])
def test_a_server_that_is_lost_ends_it_with_what_was_done(error: Exception) -> None:
    server = Cache(llm("Q4_K_M"), llm("Q8_0"))
    server.errors["qwen3--0_6B--ggufv2--Q8_0"] = error
    gone, problems = remove(server, plan(server, keep=[]))
    assert [files.model_version for files in gone] == ["qwen3--0_6B--ggufv2--Q4_K_M"]
    assert problems == [str(error)]
