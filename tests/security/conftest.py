# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""This machine as a host that the playbooks provision, with marks in place of its secrets."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.inferops.xinference.tests.machine import VERSION, built, free_port

BIN = Path(sys.executable).parent
CONTAINER = "xinference-security"
MODEL = "all-MiniLM-L6-v2"
#: Where the roles keep what belongs to this container.
KEPT = Path(f"/var/lib/xinference-models-{CONTAINER}")


@dataclass
class Site:
    """One host.

    :param folder: everything of it.
    :param port: of the server.
    :param marks: the secrets by what they are.
    :param settings: variables of every run.
    """

    folder: Path
    port: int
    marks: dict[str, str]
    settings: dict[str, Any]
    outputs: list[tuple[str, str]] = field(default_factory=list)

    @property
    def root(self) -> Path:
        """The volume tree."""
        return self.folder / "data"

    @property
    def key_file(self) -> Path:
        """Where the key of an application is kept."""
        return self.folder / "keys/shop"

    def add_consumer(self) -> None:
        """Declare an account and an API key of an application."""
        password, permissions = self.marks["account"], ["models:list", "models:read"]
        self.settings["xinference_accounts"] = [{"name": "shop", "password": password, "permissions": permissions}]
        self.settings["xinference_api_keys"] = [{"name": "shop", "owner": "shop", "path": str(self.key_file)}]

    @property
    def endpoint(self) -> str:
        """Address of the server."""
        return f"http://127.0.0.1:{self.port}"

    def begin(self, playbook: str, *options: str, **variables: Any) -> subprocess.Popen[str]:
        """Begin a run of a playbook by its full name; the secrets come in a file that only its owner can read."""
        given = self.folder / "given.json"
        given.touch(mode=0o600)
        given.write_text(json.dumps({**self.settings, **variables}), encoding="utf-8")
        command = [str(BIN / "ansible-playbook"), "--inventory", "localhost,", "--connection", "local", "--extra-vars", f"@{given}", *options]
        environment = {**os.environ, "ANSIBLE_NOCOLOR": "1", "ANSIBLE_NOCOWS": "1"}
        return subprocess.Popen(
            [*command, playbook],
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=environment,
            cwd=self.folder,
        )

    def play(self, playbook: str, *options: str, code: int = 0, **variables: Any) -> str:
        """Output of a run, which must end as expected."""
        process = self.begin(playbook, *options, **variables)
        output, _none = process.communicate(timeout=900)
        self.outputs.append((" ".join((playbook, *options)), output))
        assert process.returncode == code, output[-5000:]
        return output


def remove() -> None:
    """Remove the containers of these tests, and what belongs to them."""
    subprocess.run(("docker", "rm", "--force", "--volumes", CONTAINER, f"{CONTAINER}-account"), capture_output=True, check=False)
    shutil.rmtree(KEPT, ignore_errors=True)


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    """A host without a server, with a model's files in place, and nothing left of it afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="inferops-security-"))
    # As /srv is: what nobody may read must be shut by itself.
    folder.chmod(0o755)
    repository, _colon, tag = built("server").rpartition(":")
    # Letters and digits only, so that no encoding hides them.
    marks = {name: f"marked{secrets.token_hex(12)}" for name in ("password", "environment", "account")}
    port = free_port()
    registration = {
        "version": 2,
        "dimensions": 384,
        "max_tokens": 256,
        "language": ["en"],
        "model_specs": [{"model_format": "pytorch", "quantization": "none", "model_id": None, "model_uri": f"file:///models/{MODEL}"}],
    }
    embed = {"uid": "embed", "name": "marked-embedding", "type": "embedding", "engine": "sentence_transformers", "registration": registration}
    settings = {
        "ansible_python_interpreter": sys.executable,
        "xinference_hosts": "all",
        "xinference_data_root": str(folder / "data"),
        "xinference_container_name": CONTAINER,
        "xinference_image": repository,
        "xinference_image_tag": tag,
        "xinference_port": port,
        "xinference_recovery": "autostart",
        "xinference_offline": True,
        "xinference_client_environment": str(folder / "client"),
        "xinference_admin_password": marks["password"],
        # Servers before 3.0 know no account but the administrator.
        "xinference_automation_username": "" if VERSION.startswith("2.") else "automation",
        "xinference_minimum_disk_mib": 1024,
        "xinference_minimum_memory_mib": 2048,
        "xinference_memory": "6g",
        "xinference_models": [{**embed, "environment": {"EXAMPLE_TOKEN": marks["environment"]}}],
    }
    shutil.copytree(Path(built("models")) / MODEL, folder / "data/models" / MODEL)
    remove()
    try:
        yield Site(folder, port, marks, settings)
    finally:
        remove()
        shutil.rmtree(folder)


@pytest.fixture(scope="module")
def provisioned(site: Site) -> Site:
    """The same host with server and model."""
    site.play("inferops.xinference.provision", "-vvvv", "--diff")
    return site


@pytest.fixture
def ask(site: Site) -> Callable[..., int]:
    """Status of an answer to somebody without an account; 0 for none."""
    import requests

    session = requests.Session()
    session.trust_env = False

    def call(method: str, path: str, **options: Any) -> int:
        try:
            return session.request(method, f"{site.endpoint}{path}", timeout=30, allow_redirects=False, **options).status_code
        except requests.RequestException:
            return 0

    return call
