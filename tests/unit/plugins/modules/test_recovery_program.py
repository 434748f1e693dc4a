# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module ``recovery_program`` as Ansible runs it."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.inferops.xinference.plugins.module_utils._core.base.fingerprint import folder_fingerprint
from ansible_collections.inferops.xinference.plugins.modules import recovery_program
from ansible_collections.inferops.xinference.tests.unit.plugins.modules.module_runner import Runner

pytestmark = pytest.mark.usefixtures("uncompiled")


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Runner:
    """Runs the module."""
    return Runner(recovery_program.main, capsys, monkeypatch)


def test_the_module_installs_once_and_predicts_it(run: Runner, tmp_path: Path) -> None:
    folder = tmp_path / "program"
    predicted = run(check=True, path=str(folder))
    assert (predicted["changed"], folder.exists()) == (True, False)
    made = run(path=str(folder))
    assert made["changed"]
    assert made["diff"] == predicted["diff"] == {"before": "\n", "after": f"{made['fingerprint']}\n"}
    assert not run(path=str(folder))["changed"]
    assert not run(check=True, path=str(folder))["changed"]
    assert folder_fingerprint(folder) == made["fingerprint"]


@pytest.mark.parametrize(("path", "words"), [("/usr", "path '/usr' must be an absolute path with at least two names"), ("/dev/null/x", "cannot be written: ")])
def test_the_module_refuses_what_it_cannot_do(run: Runner, path: str, words: str) -> None:
    answer = run(path=path)
    assert answer["failed"]
    assert words in answer["msg"]
