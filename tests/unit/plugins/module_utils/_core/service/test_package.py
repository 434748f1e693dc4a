# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The service's program on a host: the same code, complete, replaced as a whole."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from ansible_collections.inferops.xinference.plugins.module_utils._core.base.fingerprint import fingerprint, folder_fingerprint
from ansible_collections.inferops.xinference.plugins.module_utils._core.service import package as program
from ansible_collections.inferops.xinference.plugins.module_utils._core.service.package import PACKAGE, install, sources


def test_what_is_installed_runs_without_anything_else_of_the_collection(tmp_path: Path) -> None:
    folder = tmp_path / "deep/program"
    install(folder)
    install(folder)
    done = subprocess.run((sys.executable, "-I", folder, "--help"), capture_output=True, text=True, check=True, cwd="/")
    assert "--declaration" in done.stdout
    assert folder_fingerprint(folder) == fingerprint(sources())
    assert [path.name for path in folder.parent.iterdir()] == ["program"]
    assert {path.stat().st_mode & 0o777 for path in folder.rglob("*") if path.is_file()} == {0o644}
    assert folder.stat().st_mode & 0o777 == 0o755
    assert {path.name for path in folder.rglob("*.pyc")} >= {f"process.{sys.implementation.cache_tag}.pyc"}


def test_the_program_is_what_the_module_models_runs() -> None:
    core = Path(program.__file__).parents[1]
    for name, content in sources().items():
        if name.startswith(PACKAGE):
            assert content == (core / Path(name).relative_to(PACKAGE)).read_bytes()
    assert f"{PACKAGE}/reconcile/reconcile.py" in sources()
    assert f"{PACKAGE}/service/package.py" not in sources()


@pytest.mark.usefixtures("uncompiled")
def test_a_program_that_cannot_be_written_leaves_the_old_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tmp_path / "program")
    before = folder_fingerprint(tmp_path / "program")

    def full() -> dict[str, bytes]:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(program, "sources", full)
    with pytest.raises(OSError, match="No space left"):
        install(tmp_path / "program")
    assert folder_fingerprint(tmp_path / "program") == before
    assert [path.name for path in tmp_path.iterdir()] == ["program"]
