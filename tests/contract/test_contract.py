# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a real server answers to the calls that the collection makes; the server's side of every assumption in the core.

The same play on the fake server of the unit tests must give answers of the same shape, so that what they prove holds here.
"""

from __future__ import annotations

from typing import Any

import pytest
import requests
from play import NAME, UID, play
from real_server import PASSWORD, USERNAME, VERSION, Server, make_account, own_words

from ansible_collections.inferops.xinference.plugins.module_utils._core.client import Client
from ansible_collections.inferops.xinference.plugins.module_utils._core.declared import DeclaredModel, parse_models
from ansible_collections.inferops.xinference.plugins.module_utils._core.errors import AuthenticationError
from ansible_collections.inferops.xinference.plugins.module_utils._core.host import account_count
from ansible_collections.inferops.xinference.plugins.module_utils._core.observed import ObservedModel
from ansible_collections.inferops.xinference.plugins.module_utils._core.plan import _REPORTED, drift
from ansible_collections.inferops.xinference.tests.unit.plugins.module_utils._core.fake_server import FakeServer


def ask(server: Server, method: str, path: str, **options: Any) -> requests.Response:
    """A raw request, without any proxy of the environment."""
    with requests.Session() as session:
        session.trust_env = False
        return session.request(method, server.endpoint + path, timeout=30, **options)


def refusal(status: int, words: str, error: str = "ApiError") -> dict[str, Any]:
    """An error as the play notes it."""
    return {"error": error, "status": status, "words": words}


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
    assert (found.status_code, found.headers["Content-Type"], found.json()) == (status, "application/json", answer)


def test_a_login_gives_a_bearer_token(server: Server) -> None:
    answer = ask(server, "POST", "/token", json={"username": USERNAME, "password": PASSWORD}).json()
    assert answer["token_type"] == "bearer"
    assert isinstance(answer["access_token"], str)
    listed = ask(server, "GET", "/v1/models", headers={"Authorization": f"Bearer {answer['access_token']}"})
    assert listed.status_code == 200
    assert listed.json()["object"] == "list"
    assert isinstance(listed.json()["data"], list)


def test_the_status_shows_the_workers_without_an_account(server: Server) -> None:
    answer = ask(server, "GET", "/status").json()
    assert isinstance(answer["uptime"], int)
    (worker,) = answer["workers"].values()
    assert worker["status"]["cpu"]["memory_total"] > 0


def test_the_client_says_a_wrong_password_in_the_server_s_words(server: Server) -> None:
    with pytest.raises(AuthenticationError) as raised:
        Client(server.endpoint, username=USERNAME, password="wrong-password")
    assert str(raised.value) == f"POST {server.endpoint}/token answered 401: Incorrect username or password"


def test_the_first_administrator_is_the_only_account(server: Server) -> None:
    assert account_count(str(server.home / "auth/auth.db")) == 1


def test_the_account_is_not_made_twice(server: Server) -> None:
    again = make_account(server.image, server.home)
    assert again.returncode == 1
    # Role server takes these words for success.
    assert "already has users" in again.stdout
    assert account_count(str(server.home / "auth/auth.db")) == 1


# The play.


@pytest.mark.parametrize(
    ("step", "answer"),
    [
        ("authenticated", True),
        ("version", VERSION),
        ("models of an empty server", {}),
        ("instances of an empty server", []),
        ("terminate unknown", refusal(400, "Model not found in the model list, uid: unknown")),
        ("cancel unknown", refusal(500, "Model unknown has not been launched yet")),
        ("register", None),
        ("register again", refusal(400, f"Model {NAME} already registered")),
        ("register a missing file", refusal(400, "Invalid model URI file:///models/nothing.gguf.")),
        ("registrations", {"qwen3": True, NAME: False}),
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
        ("launch while creating", refusal(400, f"Model is already in the model list, uid: {UID}")),
        ("terminate while creating", refusal(400, f"Model not found in the model list, uid: {UID}-rep0")),
        ("state when ready", "ready"),
        ("launch when ready", refusal(400, f"Model is already in the model list, uid: {UID}")),
        ("terminate", None),
        ("instance after terminate", None),
        ("list after terminate", None),
        ("state after terminate", "absent"),
        ("launch the failed model", None),
        ("state of a second try", "creating"),
        ("cancel", None),
        ("state after cancel", "error"),
        ("list after cancel", None),
        ("cancel when ready", None),
        ("list of an orphan", None),
        ("state of an orphan", "unlisted"),
        ("terminate an orphan", refusal(400, "Model not found in the model list, uid: embed")),
        ("cancel an orphan", refusal(500, "Model embed has not been launched yet")),
        ("launch an orphan", None),
        ("state of a former orphan", "error"),
    ],
)
def test_what_the_server_answers(played: dict[str, Any], step: str, answer: Any) -> None:
    assert played[step] == answer


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
def test_the_states_of_instances(played: dict[str, Any], step: str, status: str) -> None:
    instance = played[step]
    assert instance["status"] == status
    assert [replica["status"] for replica in instance["replica_statuses"]] == [status]


def test_why_a_launch_failed_stands_in_its_instance_only(played: dict[str, Any]) -> None:
    (replica,) = played["instance of a missing file"]["replica_statuses"]
    assert own_words(replica["error_message"]) == "Invalid input. `model_path`: /models/nothing.gguf File or directory does not exist."
    (cancelled,) = played["instance after cancel"]["replica_statuses"]
    assert cancelled["error_message"] is None


def test_engines_are_usable_or_say_why_not(played: dict[str, Any]) -> None:
    (usable,) = played["engines"]["llama.cpp"]
    assert (usable["model_format"], usable["model_size_in_billions"], usable["quantizations"]) == ("ggufv2", "0_135", ["Q4_1"])
    assert isinstance(played["engines"]["vLLM"], str)


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
def test_what_is_compared_is_reported(played: dict[str, Any], step: str, reported: dict[str, Any]) -> None:
    assert {key: played[step][key] for key in _REPORTED.values() if key in played[step]} == reported


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
    assert list(drift(model, ObservedModel(UID, "ready", played["list when ready"]))) == drifting
    assert drift(DeclaredModel(UID, "present", {"name": NAME}), ObservedModel(UID, "ready", played["list when ready"])) == {}


# The fake server of the unit tests.


def shape(value: Any) -> Any:
    """An answer with types in the place of values; errors stay as they are."""
    if isinstance(value, dict):
        return value if "error" in value else {key: shape(item) for key, item in value.items()}
    if isinstance(value, list):
        shapes = [shape(item) for item in value]
        return [found for index, found in enumerate(shapes) if found not in shapes[:index]]
    return type(value).__name__


def test_the_fake_server_answers_in_the_same_shape(played: dict[str, Any]) -> None:
    fake = FakeServer(files=frozenset({"/models/SmolLM2-135M-Instruct.Q4_1.gguf", "/models/all-MiniLM-L6-v2"}))
    answers = play(fake, fake.clock.sleep)
    assert list(answers) == list(played)
    assert {step: shape(answer) for step, answer in answers.items()} == {step: shape(answer) for step, answer in played.items()}


@pytest.mark.parametrize("kind", ["state", "error"])
def test_the_fake_server_has_the_same_states_and_words(played: dict[str, Any], kind: str) -> None:
    fake = FakeServer(files=frozenset({"/models/SmolLM2-135M-Instruct.Q4_1.gguf", "/models/all-MiniLM-L6-v2"}))
    answers = play(fake, fake.clock.sleep)

    def chosen(steps: dict[str, Any]) -> dict[str, Any]:
        return {
            step: answer for step, answer in steps.items() if (step.startswith("state ") if kind == "state" else isinstance(answer, dict) and "error" in answer)
        }

    assert len(chosen(played)) >= 9
    assert chosen(answers) == chosen(played)
