# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Models that were launched with the server's own command line: they can be taken over as they are, by an export or by hand."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from typing import Any

import pytest
from play import EMBEDDING, LLM
from real_server import CONTAINER, HOME, PASSWORD, USERNAME, Server

from ansible_collections.inferops.xinference.plugins.module_utils._core.apply.smoke_test import smoke_test
from ansible_collections.inferops.xinference.plugins.module_utils._core.declaration.check import parse_models
from ansible_collections.inferops.xinference.plugins.module_utils._core.observed.models import READY, Observed, survey
from ansible_collections.inferops.xinference.plugins.module_utils._core.observed.server_files import ServerFiles
from ansible_collections.inferops.xinference.plugins.module_utils._core.plan.plan import KEEP, PlanOptions, make_plan
from ansible_collections.inferops.xinference.plugins.module_utils._core.resources.export import custom_registrations, export
from ansible_collections.inferops.xinference.plugins.module_utils._core.server.client import Client

#: Seconds that a launch may take on a busy machine.
PATIENCE = 300
#: The server on the inside of its container.
INSIDE = "http://127.0.0.1:9997"
NAMES = {"cli-chat": ("LLM", LLM), "cli-embed": ("embedding", EMBEDDING)}
LAUNCHES: dict[str, tuple[str, ...]] = {
    "cli-chat": (
        *("--model-engine", "llama.cpp", "--model-format", "ggufv2", "--size-in-billions", "0_135", "--quantization", "Q4_1"),
        # The second one is surely a mistake, and the server accepts it without a warning.
        *("--n_ctx", "512", "--n-parallel", "1"),
    ),
    "cli-embed": ("--model-type", "embedding", "--model-engine", "sentence_transformers", "--dimensions", "128"),
}
BY_HAND: dict[str, dict[str, Any]] = {
    "cli-chat": {"engine": "llama.cpp", "engine_options": {"n_ctx": 512}},
    "cli-embed": {"type": "embedding", "engine": "sentence_transformers", "engine_options": {"dimensions": 128}},
}


def command_line(server: Server, *words: str) -> None:
    """Run it in the server's container. A token that expires meanwhile ends it, and not the launch; whether that comes to its end is checked here."""
    login = f"xinference login --endpoint {INSIDE} --username {USERNAME} --password {PASSWORD} && " if server.accounts else ""
    subprocess.run(("docker", "exec", CONTAINER, "sh", "-c", f'{login}exec xinference "$@"', "sh", *words), check=False, capture_output=True, timeout=PATIENCE)


def observe_server(client: Client, server: Server) -> Observed:
    """The server, and what its workers launched the models with."""
    return survey(client, {kind: [name] for name, (kind, _spec) in NAMES.items()}, ServerFiles({HOME: str(server.home)}), {})


@pytest.fixture(scope="module")
def launched(client: Client, server: Server, played: dict[str, Any]) -> Iterator[Observed]:
    """The server with models of the command line, after the play."""
    for name, (kind, specification) in NAMES.items():
        client.register(kind, {**specification, "model_name": name})
    for name, options in LAUNCHES.items():
        command_line(server, "launch", "--endpoint", INSIDE, "--model-name", name, "--model-uid", name, *options)
        end = time.monotonic() + PATIENCE
        while (seen := observe_server(client, server)).state(name) != READY:
            assert time.monotonic() < end, seen.models.get(name)
            time.sleep(1)
    yield observe_server(client, server)
    for name, (kind, _specification) in NAMES.items():
        client.terminate(name)
        client.unregister(kind, name)


def test_the_export_is_accepted_and_a_run_with_it_changes_nothing(launched: Observed, client: Client) -> None:
    exported = export(launched, custom_registrations(client, launched), uids=list(NAMES))
    if not set(NAMES) <= set(launched.applied):
        # Servers that keep no history do not report with which engine they launched, and the export names what is missing.
        assert [problem.partition(" is missing")[0] for problem in exported.problems] == ["declaration[0] (uid 'cli-chat'): engine"]
        return
    assert exported.problems == []
    plan = make_plan(parse_models(exported.declaration), launched, PlanOptions())
    assert not plan.changed and [action.kind for action in plan.actions] == [KEEP, KEEP]
    # Where the worker's file holds what it was launched with.
    assert exported.declaration[0]["engine_options"] == {"n_ctx": 512}
    assert exported.declaration[1]["engine_options"] == {"dimensions": 128}


def test_a_declaration_by_hand_relaunches_nothing(launched: Observed) -> None:
    declared = [{"uid": name, "name": name, "autostart": False, **fields} for name, fields in BY_HAND.items()]
    plan = make_plan(parse_models(declared), launched, PlanOptions())
    assert [(action.kind, action.drift) for action in plan.actions] == [(KEEP, {}), (KEEP, {})]


def test_its_vectors_have_the_length_that_it_was_launched_for(launched: Observed, client: Client) -> None:
    spec = launched.models["cli-embed"].spec
    assert spec["dimensions"] == EMBEDDING["dimensions"] != 128
    assert smoke_test(client, "cli-embed", spec, 60.0, [{"dimensions": 128}]) >= 0
