# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The execution environment, and what the collection declares for one that includes it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import yaml
from awx_controller import BIN, DATA, ROOT, Controller


def builder(*arguments: str) -> str:
    """Output of ansible-builder."""
    done = subprocess.run((str(BIN / "ansible-builder"), *arguments), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def requirements(text: str) -> list[str]:
    """Lines without comments."""
    return [line for line in text.splitlines() if line and not line.startswith("#")]


def test_builder_accepts_the_definition(tmp_path: Path) -> None:
    """A build context with the Python packages and the collections that the definition names."""
    builder("create", "--file", str(DATA / "execution-environment.yml"), "--context", str(tmp_path), "--output-filename", "Containerfile")
    lines = (tmp_path / "Containerfile").read_text(encoding="utf-8").splitlines()
    assert 'ARG EE_BASE_IMAGE="almalinux:9"' in lines
    assert requirements((tmp_path / "_build/requirements.txt").read_text(encoding="utf-8")) == ["requests>=2.31,<3", "xinference-client>=4.1.0,<5"]
    collections = yaml.safe_load((tmp_path / "_build/requirements.yml").read_text(encoding="utf-8"))["collections"]
    assert {item["name"]: item["version"] for item in collections} == {"community.crypto": ">=3.0.0", "community.docker": ">=5.0.0"}


def test_an_environment_learns_what_the_collection_needs(controller: Controller) -> None:
    """From the collection as a project sync installs it: the metadata is part of what is built."""
    found = yaml.safe_load(builder("introspect", str(controller.collections)))
    assert [line.split("#")[0].strip() for line in found["python"]] == ["requests>=2.31,<3", "xinference-client>=4.1.0,<5"]
    assert found["system"] == []


def test_the_sync_brings_the_checkout_itself(controller: Controller) -> None:
    """What jobs will run is what the checkout holds."""
    installed = controller.collections / "ansible_collections/inferops/xinference"
    project = controller.folder / "project"
    files = [path.relative_to(project) for folder in ("roles", "plugins", "playbooks") for path in (project / folder).rglob("*.*")]
    files = [path for path in files if path.suffix in (".py", ".yml")]
    assert len(files) > 20
    for path in files:
        assert (installed / path).read_bytes() == (project / path).read_bytes(), path


def test_lower_bound_is_the_same_everywhere() -> None:
    """Of the collections that this one needs, in galaxy.yml, in the project's requirements and in the execution environment."""
    galaxy = yaml.safe_load((ROOT / "galaxy.yml").read_text(encoding="utf-8"))["dependencies"]
    project = yaml.safe_load((ROOT / "collections/requirements.yml").read_text(encoding="utf-8"))["collections"]
    environment = yaml.safe_load((DATA / "execution-environment.yml").read_text(encoding="utf-8"))["dependencies"]["galaxy"]["collections"]
    assert project[0] == {"name": ".", "type": "dir"}
    assert {item["name"]: item["version"] for item in project[1:]} == galaxy
    assert {item["name"]: item["version"] for item in environment} == galaxy
