# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tests of plans share: declaring, planning and applying on a server in memory, in the server's own time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from ansible_collections.inferops.xinference.plugins.module_utils._core.apply.context import Context, Waiting
from ansible_collections.inferops.xinference.plugins.module_utils._core.apply.results import Result
from ansible_collections.inferops.xinference.plugins.module_utils._core.apply.run import apply_plan
from ansible_collections.inferops.xinference.plugins.module_utils._core.base.errors import ApiError
from ansible_collections.inferops.xinference.plugins.module_utils._core.declaration.check import parse_models
from ansible_collections.inferops.xinference.plugins.module_utils._core.declaration.model import DeclaredModel
from ansible_collections.inferops.xinference.plugins.module_utils._core.host.docker import Deaths
from ansible_collections.inferops.xinference.plugins.module_utils._core.observed.last_applied import Entry, Record, StateFile, entries_of, recorded
from ansible_collections.inferops.xinference.plugins.module_utils._core.observed.models import Observed, survey
from ansible_collections.inferops.xinference.plugins.module_utils._core.observed.server_files import ServerFiles
from ansible_collections.inferops.xinference.plugins.module_utils._core.plan.plan import PlanOptions, make_plan
from ansible_collections.inferops.xinference.plugins.module_utils._core.server.rows import Progress
from ansible_collections.inferops.xinference.tests.unit.plugins.module_utils._core.fake_server import WRITES, FakeServer

#: A custom model that a server takes.
SPECIFICATION: dict[str, Any] = {
    "version": 2,
    "model_lang": ["en"],
    "model_ability": ["generate"],
    "model_family": "custom",
    "context_length": 8192,
    "model_specs": [
        {
            "model_format": "ggufv2",
            "model_size_in_billions": "0_135",
            "quantization": "Q4_1",
            "model_id": None,
            "model_file_name_template": "a.gguf",
            "model_uri": "file:///models/a.gguf",
        }
    ],
}


def llm(uid: str, **fields: Any) -> dict[str, Any]:
    """A declared model that should run."""
    return {"uid": uid, "name": "qwen3", "engine": "llama.cpp", **fields}


def custom(uid: str, **changes: Any) -> dict[str, Any]:
    """A declared custom model, with changes of its registration."""
    return llm(uid, name="custom", registration={**SPECIFICATION, **changes})


def gone(uid: str) -> dict[str, Any]:
    """A declared model that should not run."""
    return {"uid": uid, "state": "absent"}


def refused(words: str, status: int = 400) -> ApiError:
    """An error of the server."""
    return ApiError("POST", "http://fake/v1/models", status, words)


def observe_server(server: FakeServer, declared: list[DeclaredModel], server_files: ServerFiles | None = None, file: StateFile | None = None) -> Observed:
    """The server as a plan sees it."""
    registered: dict[str, set[str]] = {}
    for model in declared:
        if model.registration is not None:
            registered.setdefault(model.type, set()).add(model.name)
    return survey(server, registered, server_files or ServerFiles(), (file or StateFile(None)).load())


_PLAIN = PlanOptions()


class Run:
    """One plan for a declaration, made from what a server is now.

    :param choices: what holds for the whole list.
    """

    def __init__(
        self,
        server: FakeServer,
        *items: dict[str, Any],
        choices: PlanOptions = _PLAIN,
        server_files: ServerFiles | None = None,
        file: StateFile | None = None,
        report: Callable[[str, str, Progress, float], None] | None = None,
        missing: frozenset[str] = frozenset(),
        deaths: Callable[[], Deaths | None] = lambda: None,
    ) -> None:
        self.server = server
        declared = parse_models(list(items))
        observed = observe_server(server, declared, server_files, file)
        plan = make_plan(declared, observed, choices)
        self.plan = replace(plan, actions=tuple(replace(action, fetch=action.uid in missing) for action in plan.actions))
        self.context = Context(observed, server_files or ServerFiles(), file or StateFile(None), report=report, deaths=deaths)
        server.calls.clear()

    def apply(self, **waiting: Any) -> dict[str, Result]:
        """Results by uid."""
        server = self.server
        results = apply_plan(self.plan, server, Waiting(**waiting), self.context, clock=server.clock, sleep=server.clock.sleep)
        assert [result.uid for result in results] == [action.uid for action in self.plan.actions]
        return {result.uid: result for result in results}


def reach(server: FakeServer, *items: dict[str, Any], **options: Any) -> dict[str, Result]:
    """Plan and apply; options are those of :class:`Run` and of waiting."""
    planning = {key: options.pop(key) for key in ("choices", "server_files", "file", "report", "missing", "deaths") if key in options}
    return Run(server, *items, **planning).apply(**options)


def written(server: FakeServer) -> list[str]:
    """Names of the writing calls so far, in order."""
    return [name for name, _argument in server.calls if name in WRITES]


def record_of(server: FakeServer, uid: str) -> Record | None:
    """What we wrote down about a model."""
    return recorded(server.history() or []).get(uid)


def entry_of(server: FakeServer, uid: str) -> Entry | None:
    """A model's autostart entry."""
    return entries_of(server.history() or []).get(uid)
