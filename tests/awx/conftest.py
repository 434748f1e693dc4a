# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An AWX of its own, a host, and what a test leaves behind removed again."""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from awx_controller import Controller

from ansible_collections.inferops.xinference.tests.machine import built, free_port

CONTAINER = "xinference-awx"
HOST = "cpu-1"
#: Where the roles keep what belongs to this container.
KEPT = Path(f"/var/lib/xinference-models-{CONTAINER}")
#: The same of its backups.
BACKUPS = [Path("/var/backups", CONTAINER), *(Path(f"/{place}/xinference-backup-{CONTAINER}") for place in ("etc", "var/lib", "usr/local/lib", "run"))]
#: The record of its versions.
VERSIONS = Path(f"/var/lib/xinference-upgrade-{CONTAINER}")
#: What the names of the containers end in that the roles make beside it, and of which a run that was killed leaves one.
BESIDE = ("-prepare", "-backup", "-version", "-new-server", ".replacement", ".previous")
#: Tag of the image that it is upgraded to.
NEXT = "awx-next"
MODEL_FILE = "SmolLM2-135M-Instruct.Q4_1.gguf"


def next_image() -> str:
    """The image that the server is upgraded to: its own with one more variable, so that its identifier is another one."""
    return f"{built('server').rpartition(':')[0]}:{NEXT}"


def remove_containers() -> None:
    """Remove the containers of these tests, and what belongs to them."""
    names = (f"{CONTAINER}{ending}" for ending in ("", "-next", *BESIDE))
    for command in (("rm", "-f", *names), ("network", "rm", CONTAINER), ("rmi", next_image())):
        subprocess.run(("docker", *command), capture_output=True, check=False)
    for place in (KEPT, VERSIONS, *BACKUPS):
        shutil.rmtree(place, ignore_errors=True)
    Path(f"/run/xinference-backup-{CONTAINER}.lock").unlink(missing_ok=True)


@dataclass(frozen=True)
class Site:
    """Where the jobs work.

    :param answers: answers to the survey of Provision that fit this site.
    :param marks: the secrets by what they are.
    """

    controller: Controller
    data_root: Path
    port: int
    marks: dict[str, str]
    answers: dict[str, Any]

    def tree(self) -> dict[str, tuple[int, int]]:
        """Every path below the data root with mode and size."""
        return {str(path): (path.lstat().st_mode, path.lstat().st_size) for path in sorted(self.data_root.rglob("*"))}


def declared_model(token: str) -> dict[str, Any]:
    """A model with its registration and a secret in its environment, which a line of the survey cannot express."""
    template = (
        "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n' }}{% endfor %}"
        "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
    )
    return {
        "uid": "chat",
        "name": "smollm2-135m",
        "engine": "llama.cpp",
        "format": "ggufv2",
        "size_in_billions": "0_135",
        "quantization": "Q4_1",
        "engine_options": {"n_ctx": 1024, "n_threads": 1, "n_parallel": 1},
        "environment": {"EXAMPLE_TOKEN": token},
        "registration": {
            "version": 2,
            "model_lang": ["en"],
            "model_ability": ["chat"],
            "model_family": "other",
            "context_length": 8192,
            "chat_template": "{% raw %}" + template + "{% endraw %}",
            "stop": ["<|im_end|>"],
            "model_specs": [
                {
                    "model_format": "ggufv2",
                    "model_size_in_billions": "0_135",
                    "quantization": "Q4_1",
                    "model_id": None,
                    "model_file_name_template": MODEL_FILE,
                    "model_uri": f"file:///models/{MODEL_FILE}",
                }
            ],
        },
    }


@pytest.fixture(scope="session")
def folder() -> Iterator[Path]:
    """A directory that is gone afterwards, failures included."""
    path = Path(tempfile.mkdtemp(prefix="inferops-awx-"))
    try:
        yield path
    finally:
        shutil.rmtree(path)


@pytest.fixture(scope="session")
def controller(folder: Path) -> Controller:
    """AWX with the project synced."""
    made = Controller(folder / "awx", inventory={}, inputs={})
    made.folder.mkdir()
    assert "inferops.xinference:" in made.sync()
    return made


@pytest.fixture(scope="session")
def site(controller: Controller, folder: Path) -> Iterator[Site]:
    """A host without a server, with the model's file in place."""
    repository, _colon, tag = built("server").rpartition(":")
    source = Path(built("models")) / MODEL_FILE
    data_root = folder / "data"
    target = data_root / "models" / MODEL_FILE
    target.parent.mkdir(parents=True)
    try:
        os.link(source, target)
    except OSError:  # another file system
        shutil.copyfile(source, target)
    # Letters and digits only, so that no encoding hides them.
    marks = {name: f"marked{secrets.token_hex(12)}" for name in ("password", "environment", "backup password")}
    port = free_port()
    variables = {
        "ansible_connection": "local",
        "ansible_python_interpreter": sys.executable,
        "xinference_data_root": str(data_root),
        "xinference_container_name": CONTAINER,
        "xinference_recovery": "autostart",
        "xinference_image": repository,
        "xinference_image_tag": tag,
        "xinference_client_environment": str(folder / "client"),
        "xinference_offline": True,
        "xinference_minimum_disk_mib": 1024,
        "xinference_minimum_memory_mib": 2048,
        "xinference_models": [declared_model(marks["environment"])],
    }
    hostvars = {HOST: {"remote_tower_enabled": "true", "remote_tower_id": 1}}
    controller.inventory = {
        "all": {"children": ["ungrouped", "xinference"]},
        "xinference": {"hosts": [HOST], "vars": variables},
        "_meta": {"hostvars": hostvars},
    }
    controller.inputs = {"Xinference": {"username": "operator", "password": marks["password"], "backup_password": marks["backup password"]}}
    answers = {
        "xinference_port": port,
        "xinference_memory": "3g",
        "xinference_model_lines": (
            "# one more of the registered model\n"
            "uid=extra name=smollm2-135m engine=llama.cpp format=ggufv2 size_in_billions=0_135 quantization=Q4_1 option.n_ctx=1024 option.n_threads=1\n"
        ),
    }
    remove_containers()
    try:
        yield Site(controller, data_root, port, marks, answers)
    finally:
        remove_containers()
