# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The built artifact: what is in it, and that it works where nothing else of the project is."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from ansible_collections.inferops.xinference.tests.machine import free_port

TOP = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
DIGEST = "sha256:" + "0f" * 32
#: What a user of the collection needs, and what Galaxy shows.
ALLOWED = {
    "FILES.json",
    "MANIFEST.json",
    "README.md",
    "LICENSE",
    "LICENSES",
    "CHANGELOG.md",
    "CODE_OF_CONDUCT.md",
    "CONTRIBUTING.md",
    "SECURITY.md",
    "REUSE.toml",
    ".ansible-lint",
    ".ansible-lint-ignore",
    "awx",
    "changelogs",
    "docs",
    "meta",
    "playbooks",
    "plugins",
    "roles",
}


def run(*command: str | Path, environment: dict[str, str] | None = None) -> str:
    done = subprocess.run(command, check=False, text=True, capture_output=True, env=environment)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def artifact(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("artifact")
    run(BIN / "ansible-galaxy", "collection", "build", "--output-path", folder, TOP)
    (found,) = folder.glob("*.tar.gz")
    return found


@pytest.fixture(scope="module")
def installed(artifact: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Environment in which only the installed artifact is found, and of it only what a collection may need to run."""
    folder = tmp_path_factory.mktemp("installed")
    environment = {**os.environ, "ANSIBLE_COLLECTIONS_PATH": str(folder), "ANSIBLE_HOME": str(folder / "home")}
    environment.pop("PYTHONPATH", None)
    run(BIN / "ansible-galaxy", "collection", "install", "--no-deps", "--offline", "-p", folder, artifact, environment=environment)
    collection = folder / "ansible_collections/inferops/xinference"
    for path in collection.iterdir():
        if path.name not in {"meta", "plugins", "roles", "playbooks", "MANIFEST.json"}:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    return environment


def test_holds_what_it_needs_and_nothing_else(artifact: Path) -> None:
    with tarfile.open(artifact) as archive:
        names = [name for name in archive.getnames() if name]
    assert {name.split("/")[0] for name in names} <= ALLOWED
    assert not [name for name in names if "__pycache__" in name or name.endswith(".pyc")]
    tracked = {name for name in run("git", "-C", TOP, "ls-files", "--cached", "--others", "--exclude-standard").splitlines() if (TOP / name).exists()}
    wanted = {name for name in tracked if name.split("/")[0] in {"plugins", "roles", "playbooks", "meta", "docs", "awx"}}
    assert wanted <= set(names)
    assert {name for name in names if name.split("/")[0] in {"plugins", "roles", "playbooks"} and "." in Path(name).name} <= tracked


def test_what_ansible_navigator_leaves_is_neither_in_it_nor_committed(tmp_path: Path) -> None:
    """Its record of a run lies beside the playbook and holds the values of ``-e``. In a copy, because other tests read the tree meanwhile."""
    written = "playbooks/status-artifact-2026-01-02T03:04:05.678901+00:00.json"
    copy = tmp_path / "copy"
    (copy / "playbooks").mkdir(parents=True)
    for name in ("galaxy.yml", "README.md", "playbooks/status.yml"):
        shutil.copy(TOP / name, copy / name)
    (copy / written).write_text("{}", encoding="utf-8")
    run(BIN / "ansible-galaxy", "collection", "build", "--output-path", tmp_path, copy)
    (built,) = tmp_path.glob("*.tar.gz")
    with tarfile.open(built) as archive:
        names = archive.getnames()
    assert "playbooks/status.yml" in names
    assert written not in names
    assert run("git", "-C", TOP, "check-ignore", written).strip() == written


@pytest.mark.parametrize(("digest", "image"), [("", "inferops-test/none:v4.1.0-cpu"), (DIGEST, f"inferops-test/none@{DIGEST}")], ids=["tag", "digest"])
def test_runs_by_name(installed: dict[str, str], tmp_path: Path, digest: str, image: str) -> None:
    """A check of a host, out of the installed artifact, predicts container and model, and makes nothing."""
    root = tmp_path / "xinference_data"
    answer = run(
        *(BIN / "ansible-playbook", "--inventory", "localhost,", "--connection", "local", "--check", "inferops.xinference.provision"),
        *("--extra-vars", f"ansible_python_interpreter={sys.executable} xinference_hosts=all xinference_data_root={root} xinference_port={free_port()}"),
        *("--extra-vars", f"xinference_container_name=xinference-artifact xinference_image=inferops-test/none xinference_image_digest={digest}"),
        *("--extra-vars", "xinference_recovery=autostart xinference_admin_password=long-enough"),
        *("--extra-vars", '{"xinference_minimum_disk_mib": 1, "xinference_minimum_memory_mib": 1}'),
        *("--extra-vars", '{"xinference_models": [{"uid": "chat", "name": "qwen3", "engine": "llama.cpp"}]}'),
        environment=installed,
    )
    assert f"Container xinference-artifact of {image} would be created." in answer
    assert "Model chat would be launched." in answer
    assert "failed=0" in answer
    assert not root.exists()


def test_documentation_is_found(installed: dict[str, str]) -> None:
    assert "wait_timeout" in run(BIN / "ansible-doc", "inferops.xinference.models", environment=installed)
