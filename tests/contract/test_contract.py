# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a real server answers to the calls that the collection makes; the server's side of every assumption in the core.

The same play on the fake server of the unit tests must give answers of the same shape, so that what they prove holds here. What only later
servers have is read from the routes of the server: an older one must answer as one that does not have it.
"""

from __future__ import annotations

import base64
import json
import subprocess
import time
from typing import Any

import pytest
import requests
from play import ADD_COPY, AUTOSTART, DATA, EMBEDDING, EMBEDDING_NAME, ENTRY, HISTORY, LAUNCH_EMBEDDING, LLM, NAME, UID
from real_server import PASSWORD, USERNAME, Server, make_account, own_words, server_command

from ansible_collections.inferops.xinference.plugins.module_utils._core.base.errors import AuthenticationError
from ansible_collections.inferops.xinference.plugins.module_utils._core.declaration.check import parse_models
from ansible_collections.inferops.xinference.plugins.module_utils._core.declaration.model import DeclaredModel
from ansible_collections.inferops.xinference.plugins.module_utils._core.declaration.specification import registration_drift
from ansible_collections.inferops.xinference.plugins.module_utils._core.host.server_data import user_facts
from ansible_collections.inferops.xinference.plugins.module_utils._core.observed.last_applied import (
    RECORD,
    Record,
    cleaned,
    entries_of,
    launched_by_entry,
    recorded,
)
from ansible_collections.inferops.xinference.plugins.module_utils._core.observed.models import ObservedModel
from ansible_collections.inferops.xinference.plugins.module_utils._core.plan.drift import REPORTED, drift
from ansible_collections.inferops.xinference.plugins.module_utils._core.server.client import Client
from ansible_collections.inferops.xinference.tests.machine import VERSION


def ask(server: Server, method: str, path: str, **options: Any) -> requests.Response:
    """A raw request, without any proxy of the environment."""
    with requests.Session() as session:
        session.trust_env = False
        return session.request(method, server.endpoint + path, timeout=30, **options)


def refusal(status: int, words: str, error: str = "ApiError") -> dict[str, Any]:
    """An error as the play notes it."""
    return {"error": error, "status": status, "words": words}


#: What servers without :data:`ADD_COPY` answer differently.
OLDER: dict[str, Any] = {
    "terminate while creating": refusal(400, f"Model not found in the model list, uid: {UID}-0"),
    "chat with an embedding model": refusal(500, "'SentenceTransformerEmbeddingModel' object has no attribute 'model_spec'"),
    # What a late cancellation leaves behind breaks the whole list.
    "list of an orphan": refusal(500, "'embed'"),
}
#: What servers without :data:`HISTORY` answer differently besides.
OLDEST: dict[str, Any] = {
    "describe while creating": None,
    "ask unknown": refusal(400, "Model not found in the model list, uid: unknown"),
}


@pytest.fixture(scope="session")
def there(played: dict[str, Any]) -> frozenset[str]:
    """What the server has of what only later ones have."""
    return frozenset(played["routes"])


# Accounts, without the client.


@pytest.mark.parametrize(
    ("method", "path", "options", "status", "answer"),
    [
        ("GET", "/v1/cluster/auth", {}, 200, {"auth": True}),
        ("GET", "/v1/admin/setup/status", {}, 200, {"needs_setup": False, "initialized": True, "password_min_length": 8}),
        ("GET", "/v1/models", {}, 401, {"detail": "Could not validate credentials"}),
        ("GET", "/v1/models/instances", {}, 401, {"detail": "Could not validate credentials"}),
        ("GET", "/v1/cluster/version", {}, 401, {"detail": "Could not validate credentials"}),
        ("GET", "/v1/models", {"headers": {"Authorization": "Bearer nonsense"}}, 401, {"detail": "Could not validate credentials"}),
        ("POST", "/token", {"json": {"username": USERNAME, "password": "wrong-password"}}, 401, {"detail": "Incorrect username or password"}),
        ("POST", "/token", {"json": {"username": "nobody", "password": PASSWORD}}, 401, {"detail": "Incorrect username or password"}),
    ],
)
def test_what_needs_an_account_and_what_does_not(server: Server, method: str, path: str, options: dict[str, Any], status: int, answer: Any) -> None:
    found = ask(server, method, path, **options)
    if not server.accounts:
        # Whoever reaches such a server may do everything; nothing is refused for want of an account.
        assert found.status_code not in (401, 403)
        return
    if path == "/v1/admin/setup/status" and VERSION.startswith("2."):
        # By this the client distinguishes servers whose accounts it can manage from those before 3.0.
        assert found.status_code == 404
        return
    assert (found.status_code, found.headers["Content-Type"], found.json()) == (status, "application/json", answer)


def test_a_login_gives_a_bearer_token(server: Server) -> None:
    headers = {}
    if server.accounts:
        answer = ask(server, "POST", "/token", json={"username": USERNAME, "password": PASSWORD}).json()
        assert answer["token_type"] == "bearer"
        assert isinstance(answer["access_token"], str)
        headers = {"Authorization": f"Bearer {answer['access_token']}"}
    listed = ask(server, "GET", "/v1/models", headers=headers)
    assert listed.status_code == 200
    assert listed.json()["object"] == "list"
    assert isinstance(listed.json()["data"], list)


def test_the_status_shows_the_workers_without_an_account(server: Server) -> None:
    answer = ask(server, "GET", "/status").json()
    assert isinstance(answer["uptime"], int)
    (worker,) = answer["workers"].values()
    assert worker["status"]["cpu"]["memory_total"] > 0


def test_the_client_says_a_wrong_password_in_the_server_s_words(server: Server) -> None:
    if not server.accounts:
        # There is nothing that a password could be wrong for.
        assert not Client(server.endpoint, username=USERNAME, password="wrong-password").authenticated
        return
    with pytest.raises(AuthenticationError) as raised:
        Client(server.endpoint, username=USERNAME, password="wrong-password")
    assert str(raised.value) == f"POST {server.endpoint}/token answered 401: Incorrect username or password"


def test_the_client_without_credentials_says_that_an_account_is_asked_for(server: Server) -> None:
    client = Client(server.endpoint)
    assert not client.authenticated
    if not server.accounts:
        assert isinstance(client.list_models(), dict)
        return
    with pytest.raises(AuthenticationError) as raised:
        client.list_models()
    assert str(raised.value) == f"GET {server.endpoint}/v1/models answered 401: the server asks for an account; give username and password."


def test_the_first_administrator_is_the_only_account_and_is_not_made_twice(server: Server) -> None:
    again = make_account(server.image, server.home)
    if "this version of the server has no accounts" in again.stderr:
        assert again.returncode == 1
        assert not server.accounts
        return
    # The server's own command says that there are users, which is what was wanted.
    assert again.returncode == 0, again.stderr
    assert json.loads(again.stdout) == {"secrets_changed": False}
    assert user_facts(str(server.home / "auth/auth.db")) == {USERNAME: {"enabled": True, "permissions": ["admin"]}}


def test_a_server_that_can_have_no_accounts_does_not_start_where_they_are_wanted(server: Server) -> None:
    """As an older image on a tree that has accounts would be; here without the command by which one is recognized."""
    command = ("docker", "run", "--rm", "--env", "XINFERENCE_AUTH_ADVANCED=true", "--env", "PATH=/usr/bin:/bin", server.image, *server_command())
    done = subprocess.run(command, text=True, capture_output=True, check=False, timeout=60)
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr.startswith("this version of the server has no accounts, and would let in everybody")


def expiry(client: Client) -> float:
    """When the client's token expires, in seconds since the epoch."""
    payload = client._api._headers["Authorization"].split(".")[1]
    return float(json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))["exp"])


def test_a_token_that_expired_is_renewed_without_a_word(played: dict[str, Any], client: Client, server: Server) -> None:
    if not server.accounts:
        assert "Authorization" not in client._api._headers
        return
    before = expiry(client)
    if before - time.time() > 120:
        # Servers before 3.0 give one for half an hour, and have no setting for it.
        assert str(client.version()).startswith("2.")
        return
    time.sleep(max(before + 1 - time.time(), 0))
    assert isinstance(client.list_models(), dict)
    assert expiry(client) > before


def test_the_client_knows_whether_it_is_logged_in(played: dict[str, Any], server: Server) -> None:
    assert played["authenticated"] is server.accounts


# The play.


@pytest.mark.parametrize(
    ("step", "answer"),
    [
        ("version", VERSION),
        ("models of an empty server", {}),
        ("instances of an empty server", []),
        ("terminate unknown", refusal(400, "Model not found in the model list, uid: unknown")),
        ("describe unknown", None),
        ("ask unknown", refusal(404, "Model not found in the model list, uid: unknown. Available model uids: []")),
        ("cancel unknown", refusal(500, "Model unknown has not been launched yet")),
        ("register", None),
        ("register again", refusal(400, f"Model {NAME} already registered")),
        ("register a missing file", refusal(400, "Invalid model URI file:///models/nothing.gguf.")),
        ("registered names", {"qwen3": True, NAME: False}),
        ("registration of unknown", {}),
        ("unregister unknown", None),
        ("unregister a built-in model", None),
        ("built-in model after unregister", True),
        ("unregister a running model", None),
        ("register another", None),
        ("engines of an unknown model", None),
        ("launch without a name", refusal(400, "Invalid input. Please specify the `model_name` field.")),
        ("launch without an engine", refusal(400, "Invalid input. Please specify the `model_engine` field.")),
        ("launch a missing file", None),
        ("list of a missing file", None),
        ("state of a missing file", "error"),
        ("terminate failed", refusal(400, "Model not found in the model list, uid: missing")),
        ("cancel failed", refusal(500, "Model missing has not been launched yet")),
        ("launch an unknown model", None),
        ("launch", None),
        ("list while creating", None),
        ("state while creating", "creating"),
        ("describe while creating", {}),
        ("launch while creating", refusal(400, f"Model is already in the model list, uid: {UID}")),
        ("terminate while creating", refusal(400, f"Model not found in the model list, uid: {UID}-rep0")),
        ("state when ready", "ready"),
        ("launch when ready", refusal(400, f"Model is already in the model list, uid: {UID}")),
        ("terminate", None),
        ("instance after terminate", None),
        ("list after terminate", None),
        ("state after terminate", "absent"),
        ("state without a registration", "ready"),
        ("launch the failed model", None),
        ("state of a second try", "creating"),
        ("cancel", None),
        ("state after cancel", "error"),
        ("list after cancel", None),
        ("cancel when ready", None),
        ("list of an orphan", None),
        ("state of an orphan", "orphaned"),
        ("describe an orphan", None),
        ("terminate an orphan", refusal(400, "Model not found in the model list, uid: embed")),
        ("cancel an orphan", refusal(500, "Model embed has not been launched yet")),
        ("clear an orphan", None),
        ("state of a former orphan", "error"),
        ("clear what is no orphan", None),
    ],
)
def test_what_the_server_answers(played: dict[str, Any], there: frozenset[str], step: str, answer: Any) -> None:
    older = {**({} if ADD_COPY in there else OLDER), **({} if HISTORY in there else OLDEST)}
    assert played[step] == older.get(step, answer)


@pytest.mark.parametrize(
    ("step", "status"),
    [
        ("instance of a missing file", "ERROR"),
        ("instance while creating", "CREATING"),
        ("instance when ready", "READY"),
        ("instance of a second try", "CREATING"),
        ("instance after cancel", "ERROR"),
        # The server calls it ready although it serves it no more, which is why the core asks the list too.
        ("instance of an orphan", "READY"),
    ],
)
def test_the_states_of_instances(played: dict[str, Any], there: frozenset[str], step: str, status: str) -> None:
    instance = played[step]
    assert instance["status"] == status
    # Older servers leave the replica of a cancelled launch as it was.
    older = ADD_COPY not in there and step == "instance after cancel"
    assert [replica["status"] for replica in instance["replica_statuses"]] == ["CREATING" if older else status]


def test_why_a_launch_failed_stands_in_its_instance_only(played: dict[str, Any]) -> None:
    (replica,) = played["instance of a missing file"]["replica_statuses"]
    assert own_words(replica["error_message"]) == "Invalid input. `model_path`: /models/nothing.gguf File or directory does not exist."
    (cancelled,) = played["instance after cancel"]["replica_statuses"]
    assert cancelled["error_message"] is None


def test_engines_are_usable_or_say_why_not(played: dict[str, Any]) -> None:
    (usable,) = played["engines"]["llama.cpp"]
    assert (usable["model_format"], usable["model_size_in_billions"], usable["quantizations"]) == ("ggufv2", "0_135", ["Q4_1"])
    assert isinstance(played["engines"].get("vLLM", ""), str)


@pytest.mark.parametrize(
    ("step", "reported"),
    [
        (
            "list when ready",
            {
                "model_name": NAME,
                "model_type": "LLM",
                # As the caller wrote it.
                "model_engine": "LLAMA.CPP",
                "model_format": "ggufv2",
                "model_size_in_billions": "0_135",
                # As the registration has it, not as the caller wrote it.
                "quantization": "Q4_1",
                "replica": 1,
            },
        ),
        (
            "list embedding",
            {
                "model_name": "contract-embedding",
                "model_type": "embedding",
                "model_engine": "sentence_transformers",
                "model_format": "pytorch",
                "quantization": "none",
                "replica": 1,
            },
        ),
    ],
)
def test_what_is_compared_is_reported(played: dict[str, Any], there: frozenset[str], step: str, reported: dict[str, Any]) -> None:
    if ADD_COPY not in there:
        assert "model_engine" not in played[step]
        reported = {key: value for key, value in reported.items() if key != "model_engine"}
    if HISTORY not in there and step == "list embedding":
        assert "model_format" not in played[step]
        reported = {key: value for key, value in reported.items() if key != "model_format"}
    assert {key: played[step][key] for key in REPORTED.values() if played[step].get(key) is not None} == reported


@pytest.mark.parametrize(
    ("fields", "drifting"),
    [
        ({"engine": "llama.cpp", "quantization": "q4_1", "size_in_billions": "0.135", "format": "ggufv2", "replica": 1}, []),
        ({"size_in_billions": 0.135}, []),
        ({"engine": "Transformers", "quantization": "Q8_0", "size_in_billions": 1, "replica": 2}, ["engine", "size_in_billions", "quantization", "replica"]),
    ],
)
def test_drift_from_what_is_reported(played: dict[str, Any], fields: dict[str, Any], drifting: list[str]) -> None:
    (model,) = parse_models([{"uid": UID, "name": NAME, "engine": "llama.cpp", **fields}])
    expected = [field for field in drifting if field != "engine" or "model_engine" in played["list when ready"]]
    assert list(drift(model, ObservedModel(UID, "ready", played["list when ready"]))) == expected
    assert drift(DeclaredModel(UID, "present", {"name": NAME}), ObservedModel(UID, "ready", played["list when ready"])) == {}


# Registrations.


def test_a_registration_comes_back_as_declared(played: dict[str, Any]) -> None:
    assert registration_drift(LLM, played["registration"][NAME]) == {}
    assert registration_drift(LLM, played["registration among many"][NAME]) == {}
    assert registration_drift(EMBEDDING, played["registration of an embedding model"][EMBEDDING_NAME]) == {}


def test_a_registration_that_was_made_anew_shows_what_changed(played: dict[str, Any]) -> None:
    assert list(registration_drift(LLM, played["registration of another"][NAME])) == ["context_length"]


def test_a_model_outlives_its_registration(played: dict[str, Any]) -> None:
    assert played["registration after unregister"] == {}
    assert played["list without a registration"]["context_length"] == 8192
    assert played["completions without a registration"]["choices"]


# Answers of the models.


def test_models_answer(played: dict[str, Any]) -> None:
    assert played["completions"]["choices"][0]["finish_reason"] == "length"
    assert isinstance(played["chat"]["choices"][0]["message"]["content"], str)
    assert played["embeddings"]["data"] == [{"index": 0, "object": "embedding", "embedding": 384}]


@pytest.mark.parametrize("step", ["smoke test of chat", "smoke test of an embedding model"])
def test_the_smoke_test_passes(played: dict[str, Any], step: str) -> None:
    assert 0 < played[step] < 60


# How far a launch is.


@pytest.mark.parametrize(("step", "least", "most"), [("unknown", 0, 0), ("of a failed launch", 0, 0), ("while creating", 0, 1), ("when ready", 1, 1)])
def test_progress_goes_from_nothing_to_one(played: dict[str, Any], step: str, least: float, most: float) -> None:
    assert least <= played[f"progress {step}"]["progress"] <= most


# Launches that a plan can distinguish.


def test_each_launch_has_a_time_of_its_own(played: dict[str, Any]) -> None:
    first, second = played["instance of a missing file"], played["instance of a second try"]
    assert first["instance_created_ts"] < second["instance_created_ts"]
    assert played["instance while creating"]["instance_created_ts"] == played["instance when ready"]["instance_created_ts"]


def test_a_single_description_says_what_the_list_says(played: dict[str, Any]) -> None:
    listed, single = played["list when ready"], played["describe when ready"]
    # Each has keys of its own beside the description.
    assert {key: value for key, value in single.items() if key in listed} == {key: value for key, value in listed.items() if key in single}
    assert set(listed) - set(single) == {"id", "object", "created", "owned_by"}


# The launch history, where there is one.


def test_a_record_comes_back_unchanged(played: dict[str, Any], there: frozenset[str], server: Server) -> None:
    if HISTORY not in there:
        assert (played["history with records"], played["remember"]) == (None, False)
        return
    assert played["remember"] is played["remember again"] is True
    rows = {row["model_uid"]: row for row in played["history with records"]}
    assert set(rows) == {UID, "a.b c+d"}
    assert {row["model_name"] for row in rows.values()} == {RECORD}
    assert rows[UID]["data"] == DATA
    assert (rows[UID]["created_by"], rows[UID].get("is_owner", True)) == (server.credentials.get("username", ""), True)
    assert recorded(played["history with records"])[UID] == Record(DATA["request"], DATA["created"], DATA["registration"])
    assert [row["model_uid"] for row in played["history with one record"]] == [UID]
    assert played["history without records"] == []


# Autostart, where there is one.


def test_an_entry_launches_its_model(played: dict[str, Any], there: frozenset[str]) -> None:
    if AUTOSTART not in there:
        assert played["autostart of an empty server"] is None
        assert not any("autostart_enabled" in row for row in played["history with records"] or [])
        return
    instance, (entry,), (row,) = played["instance by an entry"], played["entries"], played["history with an entry"]
    assert instance["status"] == "READY"
    assert (entry["state"]["status"], entry["state"]["instance_status"]) == ("active", "READY")
    # Its environment is masked in the entry, and not in the history.
    assert entry["launch"] == {**cleaned(ENTRY["launch"]), "envs": {"CONTRACT": "******"}}
    assert row["data"] == cleaned(ENTRY["launch"])
    found = entries_of([row])["embed"]
    assert found.policy == {key: ENTRY[key] for key in ("priority", "max_retries", "retry_interval_seconds")}
    assert found.launch == cleaned(ENTRY["launch"])
    assert launched_by_entry(found, played["entries"], instance["instance_created_ts"])
    assert not launched_by_entry(found, played["entries"], instance["instance_created_ts"] + 60)


def test_an_entry_that_is_written_again_launches_nothing(played: dict[str, Any], there: frozenset[str]) -> None:
    if AUTOSTART not in there:
        assert "set an entry" not in played
        return
    (entry,) = played["entries after a change"]
    assert (entry["priority"], entry["launch"]) == (7, LAUNCH_EMBEDDING)
    assert played["instance after a change"]["instance_created_ts"] == played["instance by an entry"]["instance_created_ts"]


def test_an_entry_that_is_removed_leaves_a_row_of_the_history(played: dict[str, Any], there: frozenset[str]) -> None:
    if AUTOSTART not in there:
        assert "remove the entry" not in played
        return
    assert played["remove the entry"] is played["remove an unknown entry"] is None
    assert played["entries after removal"] == []
    assert [row["autostart_enabled"] for row in played["history after removal"]] == [False]
    assert played["history after all"] == []


# Copies, where they can be added and removed.


def test_replicas_come_and_go_while_a_model_serves(played: dict[str, Any], there: frozenset[str]) -> None:
    if ADD_COPY not in there:
        assert played["add a replica to unknown"]["status"] in (404, 405)
        assert played["remove a replica of unknown"]["status"] in (400, 404, 405)
        return

    def replicas_of(when: str) -> list[tuple[int, str]]:
        return [(replica["replica_id"], replica["status"]) for replica in played[f"instance {when}"]["replica_statuses"]]

    assert replicas_of("while a replica loads") == [(0, "READY"), (1, "CREATING")]
    assert replicas_of("with two replicas") == [(0, "READY"), (1, "READY")]
    assert replicas_of("with the second replica") == [(1, "READY")]
    assert [played[f"instance {when}"]["replica"] for when in ("while a replica loads", "with two replicas", "with the second replica")] == [1, 2, 1]
    assert [played[f"list {when}"]["replica"] for when in ("while a replica loads", "with two replicas", "with the second replica")] == [1, 2, 1]
    assert played["describe with two replicas"]["replica"] == 2
    # It is still the same launch.
    assert len({played[f"instance {when}"]["instance_created_ts"] for when in ("when ready", "with two replicas", "with the second replica")}) == 1


def test_a_replica_that_fails_leaves_the_model_serving(played: dict[str, Any], there: frozenset[str]) -> None:
    if ADD_COPY not in there:
        assert "add a replica" not in played
        return
    # The server calls it a failure from then on.
    assert played["instance after a replica that failed"]["status"] == "ERROR"
    assert played["state after a replica that failed"] == "ready"


# The fake server of the unit tests.


def shape(value: Any) -> Any:
    """An answer with types in the place of values; errors stay as they are."""
    if isinstance(value, dict):
        return value if "error" in value and "words" in value else {key: shape(item) for key, item in value.items()}
    if isinstance(value, list):
        shapes = [shape(item) for item in value]
        return [found for index, found in enumerate(shapes) if found not in shapes[:index]]
    return type(value).__name__


def shared(one: Any, other: Any) -> Any:
    """The first of two shapes without the keys that the other does not have."""
    if isinstance(one, dict) and isinstance(other, dict):
        return {key: shared(value, other[key]) for key, value in one.items() if key in other}
    if isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        return [shared(*pair) for pair in zip(one, other, strict=True)]
    return one


#: Steps of routes that older servers have not, or in another way.
REPLICAS = frozenset({"add a replica to unknown", "remove a replica of unknown", "add a replica while creating", "instance after cancel"})


def different_steps(played: dict[str, Any]) -> frozenset[str]:
    """The steps that this server answers in another way than the newest."""
    if ADD_COPY not in played["routes"]:
        return REPLICAS.union(OLDER, () if HISTORY in played["routes"] else OLDEST)
    return frozenset() if played["newest"] else frozenset({"chat with an embedding model"})


def test_the_fake_server_answers_in_the_same_shape(played: dict[str, Any], imitated: dict[str, Any]) -> None:
    assert list(imitated) == list(played)
    real, fake = ({step: shape(answer) for step, answer in steps.items()} for steps in (played, imitated))
    if not played["newest"]:
        # An older server knows fewer keys; those that it knows are the same.
        steps = [step for step in real if step not in different_steps(played)]
        real, fake = {step: shared(real[step], fake[step]) for step in steps}, {step: shared(fake[step], real[step]) for step in steps}
    assert fake == real


@pytest.mark.parametrize("kind", ["state", "error", "routes", "status"])
def test_the_fake_server_has_the_same_states_and_words(played: dict[str, Any], imitated: dict[str, Any], kind: str) -> None:
    other = different_steps(played)

    def chosen(steps: dict[str, Any]) -> dict[str, Any]:
        steps = {step: answer for step, answer in steps.items() if step not in other}
        if kind == "routes":
            return {"routes": steps["routes"]}
        if kind == "status":
            rows = {step: answer for step, answer in steps.items() if step.startswith("instance ") and isinstance(answer, dict)}
            return {step: (row["status"], [(replica["replica_id"], replica["status"]) for replica in row["replica_statuses"]]) for step, row in rows.items()}
        if kind == "error":
            return {step: answer for step, answer in steps.items() if isinstance(answer, dict) and "error" in answer}
        return {step: answer for step, answer in steps.items() if step.startswith("state ")}

    assert len(chosen(played)) >= (1 if kind == "routes" else 7)
    assert chosen(imitated) == chosen(played)
