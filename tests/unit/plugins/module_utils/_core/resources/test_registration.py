# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One registration: what is done about it, what is refused before anything is changed, and that a refusal of the server loses nothing."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.inferops.xinference.plugins.module_utils._core.apply.context import Context, Waiting
from ansible_collections.inferops.xinference.plugins.module_utils._core.base.errors import (
    ApiError,
    AuthenticationError,
    ConnectionFailed,
    DeclarationError,
    XinferenceError,
)
from ansible_collections.inferops.xinference.plugins.module_utils._core.observed.last_applied import RECORD, Applied, Entry, Record, StateFile
from ansible_collections.inferops.xinference.plugins.module_utils._core.observed.models import CREATING, ERROR, READY, Observed, ObservedModel
from ansible_collections.inferops.xinference.plugins.module_utils._core.observed.server_files import ServerFiles
from ansible_collections.inferops.xinference.plugins.module_utils._core.resources.registration import (
    Change,
    Registration,
    RegistrationOutcome,
    Seen,
    apply_registration,
    check,
    plan_registration,
    predicted,
    read,
)
from ansible_collections.inferops.xinference.plugins.module_utils._core.server.rows import AutostartRow, HistoryRow, InstanceRow, ModelRow

GIVEN: dict[str, Any] = {
    "dimensions": 384,
    "max_tokens": 256,
    "language": ["en"],
    "model_specs": [{"model_format": "pytorch", "quantization": "none", "model_id": None, "model_uri": "file:///models/minilm"}],
}
WANTED = Registration("embedding", "minilm", given=GIVEN)
SENT = {"version": 2, **GIVEN, "model_name": "minilm"}
#: What a server of version 4.1.0 makes of it.
FOUND = {
    **SENT,
    "model_ability": [],
    "model_specs": [{**GIVEN["model_specs"][0], "model_hub": "huggingface", "model_revision": None}],
    "cache_config": None,
    "virtualenv": None,
    "is_builtin": False,
}
RUNNING: ModelRow = {"model_type": "embedding", "model_name": "minilm", "model_engine": "sentence_transformers", "replica": 1}
REQUEST = {"model_uid": "embed", "model_name": "minilm", "model_type": "embedding", "model_engine": "sentence_transformers", "replica": 1}
KEY = "registration:embedding:minilm"


def wanted(**changes: Any) -> Registration:
    """The registration as declared, with other fields of the specification or of the declaration."""
    given = {**GIVEN, **changes.pop("given", {})}
    return Registration(**{"type": "embedding", "name": "minilm", "given": given, **changes})


def seen(
    found: dict[str, Any] | None = None, running: dict[str, str] | None = None, builtin: bool = False, persistent: bool | None = None, **observed: Any
) -> Seen:
    """What is there: this registration, or the usual one."""
    models = {uid: ObservedModel(uid, state, RUNNING.copy(), created=100) for uid, state in (running or {}).items()}
    return Seen(found or FOUND, builtin, persistent, running or {}, Observed(models, history=True, **observed))


def nothing(running: dict[str, str] | None = None) -> Seen:
    """No registration."""
    return dataclasses.replace(seen(running=running), found=None)


def plan(declared: Registration, there: Seen, server_files: ServerFiles | None = None) -> Change:
    return plan_registration(declared, there, server_files or ServerFiles())


def problems(declared: Registration, there: Seen, server_files: ServerFiles | None = None) -> list[str]:
    with pytest.raises(DeclarationError) as refused:
        plan(declared, there, server_files)
    return refused.value.problems


# What is wrong with a declaration.


def test_a_declaration_that_is_right() -> None:
    assert check(WANTED) == []
    assert check(Registration("embedding", "minilm", "absent")) == []


@pytest.mark.parametrize(
    ("declared", "words"),
    [
        (wanted(given={"dimensions": 0}), "specification.dimensions '0' must be a whole number of at least 1"),
        (wanted(given={"model_name": "other"}), "specification.model_name 'other' differs from name 'minilm'"),
        (wanted(given={"model_uri": "/a"}), "specification.model_uri has no effect there; it belongs into the entries of specification.model_specs."),
        (
            wanted(given={"modelUri": "/a"}),
            "specification.modelUri is unknown; did you mean 'model_uri'? It belongs into the entries of specification.model_specs.",
        ),
        (
            wanted(given={"model_specs": [{**GIVEN["model_specs"][0], "dimensions": 1}]}),
            "specification.model_specs[0].dimensions has no effect there; it belongs into specification itself.",
        ),
        # What a user wrote stays as it is.
        (wanted(given={"model_name": "my registration"}), "specification.model_name 'my registration' differs from name 'minilm'"),
        (wanted(name="mini lm"), "name 'mini lm' of a custom model must not contain white space"),
        (wanted(type="video"), "specification is not possible for type video"),
        (Registration("embedding", "minilm", "absent", on_running="relaunch"), "on_running 'relaunch' is for state present"),
    ],
)
def test_a_declaration_that_is_wrong_is_one_sentence_in_the_option_s_name(declared: Registration, words: str) -> None:
    assert words in check(declared)[0]


# What is done.


def test_what_is_not_there_is_registered() -> None:
    change = plan(WANTED, nothing())
    assert (change.kind, change.changed, change.drift) == ("registered", True, {})
    assert change.side("before") == {"state": "absent"}
    assert change.side("after") == {"state": "present", "type": "embedding", **SENT, "persist": True}


def test_what_is_there_as_declared_is_left() -> None:
    change = plan(WANTED, seen())
    assert (change.kind, change.changed) == ("unchanged", False)
    assert (change.side("before"), change.side("after")) == ({}, {})


def test_what_differs_is_replaced() -> None:
    change = plan(wanted(given={"max_tokens": 512}), seen())
    assert (change.kind, change.drift) == ("replaced", {"max_tokens": {"declared": 512, "running": 256}})
    assert change.side("before") == {"state": "present", "type": "embedding", "model_name": "minilm", "max_tokens": 256}
    assert change.side("after") == {"state": "present", "type": "embedding", "model_name": "minilm", "max_tokens": 512}


def test_a_field_that_is_declared_no_more_is_replaced() -> None:
    there = seen({**FOUND, "model_ability": ["embed"]}, records={KEY: Record({}, 0, {**SENT, "model_ability": ["embed"]})})
    assert plan(WANTED, there).drift == {"model_ability": {"declared": None, "running": ["embed"]}}
    # One that nobody declared is the server's own.
    assert plan(WANTED, seen({**FOUND, "model_ability": ["embed"]})).drift == {}


@pytest.mark.parametrize(("persist", "persistent", "changed"), [(True, False, True), (False, True, True), (True, True, False), (False, None, False)])
def test_whether_it_survives_a_restart_is_compared_where_it_can_be_seen(persist: bool, persistent: bool | None, changed: bool) -> None:
    change = plan(wanted(persist=persist, on_running="refuse"), seen(persistent=persistent, running={"embed": READY}))
    assert change.changed is changed
    assert change.drift == ({"persist": {"declared": persist, "running": persistent}} if changed else {})


def test_what_is_there_is_removed() -> None:
    change = plan(Registration("embedding", "minilm", "absent"), seen())
    assert change.kind == "removed"
    assert change.side("before") == {
        "state": "present",
        "type": "embedding",
        "model_name": "minilm",
        "dimensions": 384,
        "max_tokens": 256,
        "language": ["en"],
        "model_specs": [{"model_format": "pytorch", "quantization": "none", "model_uri": "file:///models/minilm"}],
    }
    assert change.side("after") == {"state": "absent"}


def test_what_is_not_there_is_absent_already() -> None:
    assert not plan(Registration("embedding", "minilm", "absent", on_running="refuse"), nothing({"embed": READY})).changed


# What is refused before anything is changed.


@pytest.mark.parametrize(("state", "words"), [("absent", "which cannot be removed"), ("present", "which cannot be registered again; choose another name")])
def test_a_model_of_the_catalogue_is_refused(state: str, words: str) -> None:
    assert problems(wanted(state=state), seen(builtin=True)) == [f"name 'minilm' of type embedding is a model of the server's own catalogue, {words}."]


@pytest.mark.parametrize("uri", ["file:///models/minilm", "/models/minilm"])
def test_files_that_are_not_there_are_refused(tmp_path: Path, uri: str) -> None:
    server_files = ServerFiles({"/models": str(tmp_path)})
    declared = wanted(given={"model_specs": [{**GIVEN["model_specs"][0], "model_uri": uri}]})
    assert problems(declared, nothing(), server_files) == [
        f"specification.model_specs.model_uri '/models/minilm' does not exist; on this host it would be {tmp_path}/minilm."
    ]
    # A link is followed as the container follows it.
    (tmp_path / "minilm").symlink_to("/models/other")
    assert len(problems(declared, nothing(), server_files)) == 1
    (tmp_path / "other").mkdir()
    assert plan(declared, nothing(), server_files).changed
    # And a link in the directory leads to something.
    (tmp_path / "other/model.safetensors").symlink_to("../blobs/1")
    assert problems(declared, nothing(), server_files) == [
        "specification.model_specs.model_uri '/models/minilm' holds 1 link to nothing: 'model.safetensors' leads to '/models/blobs/1', which does not exist."
    ]


def test_files_that_this_host_cannot_see_are_left_to_the_server(tmp_path: Path) -> None:
    assert plan(WANTED, nothing(), ServerFiles({"/elsewhere": str(tmp_path)})).changed
    remote = wanted(given={"model_specs": [{**GIVEN["model_specs"][0], "model_uri": "oci://registry.example/minilm"}]})
    assert plan(remote, nothing(), ServerFiles({"/": str(tmp_path)})).changed


def test_files_of_a_registration_that_stays_or_goes_are_not_checked(tmp_path: Path) -> None:
    server_files = ServerFiles({"/models": str(tmp_path)})
    assert not plan(WANTED, seen(), server_files).changed
    assert plan(Registration("embedding", "minilm", "absent", GIVEN), seen(), server_files).changed


@pytest.mark.parametrize("state", ["present", "absent"])
def test_running_models_can_be_a_reason_to_refuse(state: str) -> None:
    declared = wanted(given={"max_tokens": 512}, state=state, on_running="refuse")
    assert problems(declared, seen(running={"a": READY, "b": CREATING})) == [
        "on_running is refuse, and the registration of 'minilm' is used by the running a, b."
    ]
    assert plan(declared, seen()).changed


def test_by_default_running_models_are_left() -> None:
    change = plan(wanted(given={"max_tokens": 512}), seen(running={"embed": READY}))
    assert (change.relaunches, change.seen.running) == ((), {"embed": READY})


def test_running_models_are_relaunched_as_they_were_launched() -> None:
    entry = Entry("embed", 1, 2, 3, dict(REQUEST))
    there = seen(running={"embed": READY}, applied={"embed": Applied({**REQUEST, "n_gpu": None}, "record")}, entries={"embed": entry})
    change = plan(wanted(given={"max_tokens": 512}, on_running="relaunch"), there)
    (action,) = change.relaunches
    assert (action.uid, action.kind, action.request, action.previous, action.old_entry) == ("embed", "relaunch", REQUEST, REQUEST, entry)
    assert action.register == ("embedding", {**SENT, "max_tokens": 512})
    assert action.replaced == FOUND
    assert change.side("after")["relaunched"] == ["embed"]
    assert [(result.uid, result.result) for result in predicted(change).models] == [("embed", "relaunched")]


def test_a_registration_that_only_shall_survive_or_was_lost_relaunches_nothing() -> None:
    assert plan(wanted(on_running="relaunch"), seen(running={"embed": READY}, persistent=False)).relaunches == ()
    assert plan(wanted(on_running="relaunch"), nothing({"embed": READY})).relaunches == ()


@pytest.mark.parametrize(
    ("there", "words"),
    [
        (seen(running={"embed": READY}), "it is not known what 'embed' was launched with"),
        (seen(running={"embed": CREATING}), "'embed' is creating; wait until it is ready"),
        (
            seen(running={"embed": READY}, applied={"embed": Applied(REQUEST, "record")}, entries={"embed": Entry("embed", 1, 2, 3)}),
            "the autostart entry of 'embed' belongs to another account",
        ),
    ],
)
def test_a_model_that_cannot_be_relaunched_refuses_all(there: Seen, words: str) -> None:
    (problem,) = problems(wanted(given={"max_tokens": 512}, on_running="relaunch"), there)
    assert problem.startswith("on_running is relaunch")
    assert words in problem


# Reading and writing.


class Shelf:
    """A server's registrations.

    :param drops: fields that it does not keep.
    """

    def __init__(self, *names: str, drops: tuple[str, ...] = ()) -> None:
        self.there: dict[str, dict[str, Any]] = {name: dict(FOUND, model_name=name) for name in names}
        self.kept: dict[str, bool] = {}
        self.drops = drops
        self.calls: list[tuple[Any, ...]] = []
        self.errors: dict[str, list[Exception | None]] = {}
        self.rows: list[HistoryRow] = []
        self.models: dict[str, ModelRow] = {}
        self.instances: list[InstanceRow] = []

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"unexpected call {name}")

    def _called(self, name: str, *arguments: Any) -> None:
        self.calls.append((name, *arguments))
        error = self.errors[name].pop(0) if self.errors.get(name) else None
        if error is not None:
            raise error

    def registered_names(self, model_type: str) -> dict[str, bool]:
        assert model_type == "embedding"
        return {"bge-m3": True, **dict.fromkeys(self.there, False)}

    def registrations(self, model_type: str, names: Any) -> dict[str, dict[str, Any]]:
        return {name: spec for name, spec in self.there.items() if name in names}

    def register(self, model_type: str, specification: dict[str, Any], persist: bool = True) -> None:
        self._called("register", specification["max_tokens"], persist)
        name = specification["model_name"]
        if name in self.there:
            raise ApiError("POST", "http://x", 400, f"Model {name} already registered")
        self.there[name] = {**FOUND, **{key: value for key, value in specification.items() if key not in self.drops}}

    def unregister(self, model_type: str, name: str) -> None:
        self._called("unregister", name)
        self.there.pop(name, None)

    def remember(self, name: str, uid: str, data: dict[str, Any]) -> bool:
        self._called("remember", name, uid)
        self.rows = [{"model_name": name, "model_uid": uid, "data": data, "is_owner": True}]
        return True

    def forget(self, name: str, uid: str) -> None:
        self._called("forget", name, uid)
        self.rows = []

    def history(self) -> list[HistoryRow] | None:
        return self.rows

    def autostart(self) -> list[AutostartRow] | None:
        return []

    def list_models(self) -> dict[str, ModelRow]:
        return self.models

    def list_instances(self) -> list[InstanceRow]:
        self._called("list_instances")
        return self.instances

    def describe(self, uid: str) -> ModelRow | None:
        return self.models.get(uid)

    def writes(self) -> list[tuple[Any, ...]]:
        return [call for call in self.calls if call[0] != "list_instances"]


def reach(server: Shelf, declared: Registration, server_files: ServerFiles | None = None) -> RegistrationOutcome:
    """Read, plan and apply."""
    server_files = server_files or ServerFiles()
    there = read(server, declared, server_files, StateFile(None))
    server.calls.clear()
    return apply_registration(server, plan_registration(declared, there, server_files), Waiting(), Context(there.observed, server_files, StateFile(None)))


def test_it_is_registered_and_remembered_and_the_second_run_does_nothing() -> None:
    server = Shelf()
    assert reach(server, WANTED).change.kind == "registered"
    assert server.writes() == [("register", 256, True), ("remember", RECORD, KEY)]
    assert reach(server, WANTED).change.kind == "unchanged"
    assert server.writes() == []


def test_a_dropped_field_is_noticed_in_the_next_run() -> None:
    server = Shelf()
    reach(server, wanted(given={"model_ability": ["embed"]}))
    assert reach(server, WANTED).change.kind == "replaced"
    assert server.there["minilm"]["model_ability"] == []
    assert reach(server, WANTED).change.kind == "unchanged"


def test_it_is_registered_for_the_time_of_the_server_only() -> None:
    server = Shelf()
    reach(server, wanted(persist=False))
    assert server.writes()[0] == ("register", 256, False)


def test_it_is_removed_and_forgotten() -> None:
    server = Shelf()
    reach(server, WANTED)
    assert reach(server, Registration("embedding", "minilm", "absent")).change.kind == "removed"
    assert server.writes() == [("unregister", "minilm"), ("forget", RECORD, KEY)]
    assert reach(server, Registration("embedding", "minilm", "absent")).change.kind == "unchanged"


def test_a_removal_that_did_not_happen_fails() -> None:
    server = Shelf("minilm")
    server.there = type("Stuck", (dict,), {"pop": lambda *_arguments: None})(server.there)
    with pytest.raises(XinferenceError, match="reports that the registration of 'minilm' was removed, but still has it"):
        reach(server, Registration("embedding", "minilm", "absent"))


def test_what_the_server_refuses_is_put_back_and_said_in_its_words() -> None:
    server = Shelf("minilm")
    server.errors["register"] = [ApiError("POST", "http://x", 400, "Invalid model URI file:///models/minilm.")]
    with pytest.raises(ApiError) as refused:
        reach(server, wanted(given={"max_tokens": 512}))
    assert refused.value.status == 400
    assert str(refused.value) == "POST http://x answered 400: Invalid model URI file:///models/minilm. Rolled back to the previous registration."
    assert server.writes() == [("unregister", "minilm"), ("register", 512, True), ("unregister", "minilm"), ("register", 256, True)]
    assert server.there["minilm"]["max_tokens"] == 256


def test_what_cannot_be_put_back_is_said() -> None:
    server = Shelf("minilm")
    server.errors["register"] = [ApiError("POST", "http://x", 400, "no"), ApiError("POST", "http://x", 500, "worse")]
    with pytest.raises(ApiError, match=r"no\. Rolling back to the previous registration failed as well: POST http://x answered 500: worse"):
        reach(server, wanted(given={"max_tokens": 512}))


@pytest.mark.parametrize("error", [ConnectionFailed("POST http://x: no answer within 30 s."), AuthenticationError("POST", "http://x", 403, "Forbidden")])
def test_any_error_puts_the_previous_one_back(error: XinferenceError) -> None:
    server = Shelf("minilm")
    server.errors["register"] = [error]
    with pytest.raises(type(error), match="Rolled back to the previous registration") as refused:
        reach(server, wanted(given={"max_tokens": 512}))
    assert type(refused.value) is type(error)
    assert server.there["minilm"]["max_tokens"] == 256


@pytest.mark.parametrize(("file", "persist"), [(True, True), (False, False)])
def test_the_previous_one_is_put_back_as_it_was_kept(tmp_path: Path, file: bool, persist: bool) -> None:
    folder = tmp_path / "model/v2/embedding"
    folder.mkdir(parents=True)
    if file:
        (folder / "minilm.json").write_text(json.dumps(FOUND))
    server = Shelf("minilm")
    server.errors["register"] = [ApiError("POST", "http://x", 400, "no")]
    with pytest.raises(ApiError):
        reach(server, wanted(given={"max_tokens": 512}, persist=not persist), ServerFiles({"/root/.xinference": str(tmp_path)}))
    assert server.writes()[-1] == ("register", 256, persist)


def test_a_new_one_that_is_refused_leaves_nothing() -> None:
    server = Shelf()
    server.errors["register"] = [ApiError("POST", "http://x", 400, "no")]
    with pytest.raises(ApiError, match=r"answered 400: no$"):
        reach(server, WANTED)
    assert server.writes() == [("register", 256, True)]


def test_after_a_lost_answer_the_server_is_read_again() -> None:
    server = Shelf("minilm")
    server.errors["register"] = [ConnectionFailed("POST http://x: no answer within 30 s.")]
    change = plan(wanted(given={"max_tokens": 512}), seen())
    kept = server.register

    def arrived(model_type: str, specification: dict[str, Any], persist: bool = True) -> None:
        server.there["minilm"] = {**FOUND, **specification}
        kept(model_type, specification, persist)

    server.register = arrived  # type: ignore[method-assign]
    assert apply_registration(server, change, Waiting(), Context(change.seen.observed)).change.changed
    assert server.writes() == [("unregister", "minilm"), ("register", 512, True), ("remember", RECORD, KEY)]


def test_another_client_just_registered_the_same() -> None:
    server = Shelf()
    there = read(server, WANTED, ServerFiles(), StateFile(None))
    server.there["minilm"] = dict(FOUND)
    assert apply_registration(server, plan(WANTED, there), Waiting(), Context(there.observed)).change.changed


def test_another_client_just_registered_another() -> None:
    server = Shelf()
    there = read(server, WANTED, ServerFiles(), StateFile(None))
    server.there["minilm"] = dict(FOUND, max_tokens=1)
    with pytest.raises(ApiError, match="Model minilm already registered"):
        apply_registration(server, plan(WANTED, there), Waiting(), Context(there.observed))
    assert server.there["minilm"]["max_tokens"] == 1


def test_a_field_that_the_server_does_not_keep_is_said() -> None:
    (note,) = reach(Shelf(drops=("dimensions",)), wanted(given={"dimensions": 768})).notes
    assert note.startswith("The server took the registration of 'minilm', but not as it was declared: dimensions.")


def test_an_autostart_entry_that_a_removal_breaks_is_said() -> None:
    there = seen(running={"embed": READY}, entries={"embed": Entry("embed", 1, 2, 3)})
    change = plan(Registration("embedding", "minilm", "absent"), there)
    (note,) = apply_registration(Shelf("minilm"), change, Waiting(), Context(there.observed)).notes
    assert note == "The autostart entries of embed stay; without the registration the server cannot start them after a restart."


def test_models_of_this_type_and_name_are_found_in_any_state() -> None:
    server = Shelf("minilm")

    def instance(uid: str, status: str, name: str = "minilm") -> InstanceRow:
        return {"model_uid": uid, "model_name": name, "status": status, "instance_created_ts": 1, "replica_statuses": []}

    server.instances = [instance("b", "READY"), instance("a", "CREATING"), instance("c", "CREATING", "bge-m3"), instance("d", "ERROR"), instance("e", "READY")]
    server.models = {"b": RUNNING, "e": {**RUNNING, "model_type": "rerank"}}
    assert read(server, WANTED, ServerFiles(), StateFile(None)).running == {"a": CREATING, "b": READY}
    assert read(server, WANTED, ServerFiles(), StateFile(None)).observed.models["d"].state == ERROR
