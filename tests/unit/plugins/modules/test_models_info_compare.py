# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``models_info`` with ``compare``: each model beside its declaration, as the account sees it that launches them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.inferops.xinference.plugins.modules import models_info
from ansible_collections.inferops.xinference.tests.unit.plugins.module_utils._core.fake_server import FakeServer
from ansible_collections.inferops.xinference.tests.unit.plugins.module_utils._core.plan_runner import llm, reach
from ansible_collections.inferops.xinference.tests.unit.plugins.modules.module_runner import Runner


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Runner:
    """Runs the module, on a server that runs a model."""
    runner = Runner(models_info.main, capsys, monkeypatch)
    server = FakeServer()
    reach(server, llm("chat", engine_options={"n_ctx": 4096}), wait=True)
    server.allowed = frozenset()
    runner.use(server)
    return runner


def test_without_compare_nothing_is_compared(run: Runner) -> None:
    assert "comparison" not in run(models=[llm("chat")])


def test_each_model_beside_its_declaration(run: Runner) -> None:
    answer = run(compare=True, autostart=False, models=[llm("chat", engine_options={"n_ctx": 2048}), llm("more")])
    assert answer["comparison"] == [
        {"uid": "chat", "state": "differs", "differences": ["n_ctx: 4096 → 2048"], "message": ""},
        {"uid": "more", "state": "missing", "differences": [], "message": ""},
    ]
    assert not answer["changed"]


def test_models_that_the_host_has_stored(run: Runner, tmp_path: Path) -> None:
    path = tmp_path / "declaration.json"
    path.write_text(json.dumps({"version": 1, "options": {"models": [llm("stored")]}}), encoding="utf-8")

    def states(**options: Any) -> dict[str, str]:
        return {each["uid"]: each["state"] for each in run(compare=True, autostart=False, declaration_path=str(path), **options)["comparison"]}

    declared = llm("chat", engine_options={"n_ctx": 4096})
    assert states() == {"stored": "missing", "chat": "not declared"}
    assert states(models=[declared]) == {"chat": "as declared", "stored": "missing"}
    assert states(models=[declared], earlier_models="forget") == {"chat": "as declared"}


def test_the_account_that_launches_models_is_asked(run: Runner, tmp_path: Path) -> None:
    password = tmp_path / "password"
    password.write_text("launch-s3cret\n", encoding="utf-8")
    password.chmod(0o600)
    run(compare=True, models=[], username="admin", password="s3cret-pass", launch_username="automation", launch_password_path=str(password))
    assert [(each["username"], each["password"]) for each in run.connections] == [("admin", "s3cret-pass"), ("automation", "launch-s3cret")]
    assert "s3cret" not in run.output


def test_one_run_compares_or_exports(run: Runner) -> None:
    answer = run(compare=True, declaration=True)
    assert (answer["failed"], answer["msg"].startswith("compare and declaration are both true")) == (True, True)


def test_what_runs_is_known_where_it_cannot_be_compared(run: Runner) -> None:
    answer = run(compare=True, models=[{"uid": "chat", "nmae": "qwen3"}])
    assert [model["uid"] for model in answer["models"]] == ["chat"]
    assert "did you mean 'name'" in answer["comparison_problem"]
    assert "comparison" not in answer
