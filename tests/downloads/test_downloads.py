# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real server downloads models from a hub of the tests: files first, nothing down while the hub is slow or gone, progress while it lasts."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hub import Hub, bridge_address
from real_server import ENVIRONMENT, PASSWORD, USERNAME, Server, serving

from ansible_collections.inferops.xinference.plugins.module_utils._core.server.client import Client
from ansible_collections.inferops.xinference.tests.machine import built, record

REPOSITORY = "inferops/smollm2-135m-gguf"
OTHER = "inferops/smollm2-135m-again"
FILE = "SmolLM2-135M-Instruct.Q4_1.gguf"
MODULE = "ansible_collections.inferops.xinference.plugins.modules"


def declared(repository: str) -> dict[str, Any]:
    """A model whose file lies on the hub."""
    name = repository.partition("/")[2]
    spec = {"model_format": "ggufv2", "model_size_in_billions": "0_135", "quantization": "Q4_1", "model_id": repository, "model_file_name_template": FILE}
    return {
        "uid": "chat",
        "name": name,
        "engine": "llama.cpp",
        "format": "ggufv2",
        "size_in_billions": "0_135",
        "quantization": "Q4_1",
        "engine_options": {"n_ctx": 512, "n_parallel": 1, "n_threads": 2},
        "registration": {
            "version": 2,
            "model_lang": ["en"],
            "model_ability": ["generate"],
            "model_family": name,
            "context_length": 8192,
            "model_specs": [spec],
        },
    }


@pytest.fixture(scope="module")
def hub() -> Iterator[Hub]:
    """The hub, where the server's container reaches it."""
    file = Path(built("models")) / FILE
    with Hub({REPOSITORY: file, OTHER: file}, address=bridge_address()) as running:
        yield running


@pytest.fixture(scope="module")
def server(hub: Hub, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that downloads from it."""
    environment = {name: value for name, value in ENVIRONMENT.items() if name != "HF_HUB_OFFLINE"}
    given = {**environment, "HF_ENDPOINT": hub.endpoint, "HF_HUB_DISABLE_XET": "1"}
    # A container of its own: the contract's tests may run at the same time.
    with serving(tmp_path_factory.mktemp("xinference-home"), given, "xinference-downloads") as running:
        yield running


@pytest.fixture(scope="module")
def client(server: Server) -> Iterator[Client]:
    """A client that is logged in."""
    connected = Client(server.endpoint, username=USERNAME, password=PASSWORD)
    yield connected
    connected.close()


def run(server: Server, module: str = "models", **options: Any) -> dict[str, Any]:
    """Results of a module, run as a host runs it."""
    arguments = {"endpoint": server.endpoint, "username": USERNAME, "password": PASSWORD, **options}
    command = (sys.executable, "-m", f"{MODULE}.{module}")
    done = subprocess.run(command, input=json.dumps({"ANSIBLE_MODULE_ARGS": arguments}), text=True, capture_output=True, check=False)
    answer: dict[str, Any] = json.loads(done.stdout)
    check = bool(options.get("_ansible_check_mode"))
    record("module", action=f"inferops.xinference.{module}", check=check, models=answer.get("models", []), results=[])
    return answer


def created(client: Client) -> int:
    """When the server made the model that runs."""
    (instance,) = [found for found in client.list_instances() if found["model_uid"] == "chat" and found["status"] == "READY"]
    return int(instance["instance_created_ts"] or 0)


def sent(hub: Hub) -> int:
    """Bytes of files that the hub has sent."""
    return sum(transfer.sent for transfer in hub.requests("GET", FILE))


def test_only_the_files(server: Server, hub: Hub, client: Client) -> None:
    model = declared(REPOSITORY)
    predicted = run(server, models=[model], download="only", _ansible_check_mode=True)
    assert predicted["changed"]
    assert sent(hub) == 0
    answer = run(server, models=[model], download="only")
    assert [found["result"] for found in answer["models"]] == ["downloaded"], answer
    assert sent(hub) > 90_000_000
    assert client.list_models() == {}
    again = run(server, models=[model], download="only")
    assert (again["changed"], [found["result"] for found in again["models"]]) == (False, ["unchanged"])


def test_files_that_are_there_are_not_fetched_again(server: Server, hub: Hub) -> None:
    before = sent(hub)
    answer = run(server, models=[declared(REPOSITORY)])
    assert [(found["result"], found["state"]) for found in answer["models"]] == [("launched", "ready")], answer
    assert sent(hub) == before


def test_files_of_another_repository_are_not_taken_for_those_that_are_declared(server: Server, hub: Hub, client: Client) -> None:
    """The server keeps them by the name of the model, and would load what it has."""
    running = created(client)
    model = declared(REPOSITORY)
    (spec,) = model["registration"]["model_specs"]
    answer = run(server, models=[{**model, "registration": {**model["registration"], "model_specs": [{**spec, "model_id": OTHER}]}}])
    assert answer["msg"].startswith(f"Model 'chat': registration.model_id is '{OTHER}', but the server keeps files of '{REPOSITORY}' under the name ")
    assert created(client) == running


def test_nothing_is_down_while_the_hub_is_gone(server: Server, hub: Hub, client: Client) -> None:
    running = created(client)
    hub.stop()
    answer = run(server, models=[declared(OTHER)], wait_timeout=240)
    assert answer["failed"], answer
    assert created(client) == running
    assert client.list_models()["chat"]["model_name"] == "smollm2-135m-gguf"


def test_it_goes_on_when_the_hub_is_back(server: Server, hub: Hub, client: Client) -> None:
    hub.start()
    answer = run(server, models=[declared(OTHER)])
    assert [(found["result"], found["state"]) for found in answer["models"]] == [("relaunched", "ready")], answer
    assert client.list_models()["chat"]["model_name"] == "smollm2-135m-again"
    assert not run(server, models=[declared(OTHER)])["changed"]


def test_what_no_model_needs_is_deleted_when_asked_for(server: Server) -> None:
    before = run(server, "cached_models_info")
    assert {found["name"] for found in before["cached_models"]} == {"smollm2-135m-gguf", "smollm2-135m-again"}
    answer = run(server, "cached_models", keep=[declared(OTHER)])
    assert (answer["changed"], [found["name"] for found in answer["removed"]]) == (True, ["smollm2-135m-gguf"]), answer
    after = run(server, "cached_models_info")
    assert {found["name"] for found in after["cached_models"]} == {"smollm2-135m-again"}
    assert not run(server, "cached_models", keep=[declared(OTHER)])["changed"]
