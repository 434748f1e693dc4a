# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A server that was made by hand: a container of its own kind, a home of its own, and models that were registered and launched by hand.

It goes through stages, which the tests share: it is refused, written down, and adopted.
"""

from __future__ import annotations

import hashlib
import json
import re
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.inferops.xinference.tests.machine import ROOT, built, free_port

BIN = Path(sys.executable).parent
CONTAINER = "xinference-adoption"
GGUF = "SmolLM2-135M-Instruct.Q4_1.gguf"
#: Where its container has the home, which is the data root itself on the host.
HOME = "/data"
TEMPLATE = "{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\n' + m['content'] + '<|im_end|>\n' }}{% endfor %}{{ '<|im_start|>assistant\n' }}"
SPECIFICATION = {
    **{"version": 2, "model_name": "by-hand", "model_lang": ["en"], "model_ability": ["generate", "chat"], "model_family": "other"},
    **{"chat_template": TEMPLATE, "stop": ["<|im_end|>"], "context_length": 8192, "model_description": "{{ lookup('ansible.builtin.pipe', 'id') }}"},
    "model_specs": [
        {
            **{"model_format": "ggufv2", "model_size_in_billions": "0_135", "quantization": "Q4_1", "model_id": None},
            **{"model_file_name_template": GGUF, "model_uri": f"file://{HOME}/files/{GGUF}"},
        }
    ],
}
LAUNCH = {
    **{"model_uid": "chat", "model_type": "LLM", "model_name": "by-hand", "model_engine": "llama.cpp", "model_format": "ggufv2"},
    **{"model_size_in_billions": "0_135", "quantization": "Q4_1", "n_ctx": 512, "n_parallel": 1, "n_threads": 1},
}
#: What makes its tree the declared one.
ADOPTED: dict[str, Any] = {
    "xinference_home": HOME,
    "xinference_volumes": [
        {"path": ".", "mode": "0755", "target": HOME},
        {"path": "auth", "mode": "0700"},
        {"path": "cache", "mode": "0755"},
        {"path": "cache/v2", "mode": "0755"},
    ],
}


def docker(*command: str) -> str:
    """Output of a command of the engine."""
    return subprocess.run(("docker", *command), check=True, text=True, capture_output=True).stdout.strip()


def remove() -> None:
    """Remove the container, and what belongs to it."""
    for command in (("rm", "-f", CONTAINER, f"{CONTAINER}-prepare"), ("network", "rm", CONTAINER)):
        subprocess.run(("docker", *command), capture_output=True, check=False)
    shutil.rmtree(f"/var/lib/xinference-models-{CONTAINER}", ignore_errors=True)


@dataclass
class Site:
    """This machine as a host with that server.

    :param settings: variables of the host.
    :param token: the value of a variable of the model, which is a secret.
    """

    folder: Path
    port: int
    settings: dict[str, Any]
    token: str
    outputs: list[str] = field(default_factory=list)

    @property
    def root(self) -> Path:
        """The data root."""
        return self.folder / "models"

    @property
    def file(self) -> Path:
        """What a run wrote down."""
        return self.folder / "written/by-hand.yml"

    def ask(self, path: str, body: Any = None) -> Any:
        """What the server answers."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", data, {"Content-Type": "application/json"})
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=300) as answer:
            return json.load(answer)

    def wait(self) -> None:
        """Wait for a worker."""
        end = time.monotonic() + 600
        while time.monotonic() < end:
            try:
                if self.ask("/status").get("workers"):
                    return
            except OSError:
                pass
            time.sleep(1)
        raise AssertionError(docker("logs", "--tail", "30", CONTAINER))

    def play(self, playbook: str, *options: str, code: int = 0, **variables: Any) -> str:
        """Output of a run from the directory of this site, which ends with an exit code."""
        inventory = self.folder / "inventory.json"
        host = {"ansible_connection": "local", **self.settings, **variables}
        inventory.write_text(json.dumps({"xinference": {"hosts": {"by-hand": host}}}), encoding="utf-8")
        command = (str(BIN / "ansible-playbook"), "-i", str(inventory), "--diff", *options, playbook if "/" in playbook else f"inferops.xinference.{playbook}")
        done = subprocess.run(command, check=False, text=True, capture_output=True, cwd=self.folder)
        output = done.stdout + done.stderr
        self.outputs.append(output)
        assert done.returncode == code, output[-6000:]
        assert "[WARNING]" not in output
        assert self.token not in output
        return output


def changes(output: str) -> int:
    """How many tasks of a run changed something."""
    (found,) = re.findall(r"^by-hand .* changed=(\d+) ", output, re.MULTILINE)
    return int(found)


def failure(output: str) -> str:
    """The message with which a run ended."""
    return str(json.loads(re.findall(r'^fatal: \[by-hand\]: .*?"msg": ("(?:[^"\\]|\\.)*")', output, re.MULTILINE)[-1]))


def client_environment() -> Path:
    """Where the client is installed: kept for the next run."""
    made_from = hashlib.sha256(f"{sys.version} {sys.base_prefix} {ROOT}".encode()).hexdigest()[:12]
    return ROOT / f"build/adoption-client-{made_from}"


@pytest.fixture(scope="session")
def site() -> Iterator[Site]:
    """A server that was made by hand, with a model that was registered and launched by hand."""
    remove()
    folder = Path(tempfile.mkdtemp(prefix="inferops-adoption-"))
    image = built("server")
    repository, _colon, tag = image.rpartition(":")
    token = f"marked{secrets.token_hex(12)}"
    settings: dict[str, Any] = {
        "ansible_python_interpreter": sys.executable,
        "xinference_data_root": str(folder / "models"),
        "xinference_container_name": CONTAINER,
        "xinference_image": repository,
        "xinference_image_tag": tag,
        "xinference_port": free_port(),
        "xinference_authentication": False,
        "xinference_recovery": "autostart",
        "xinference_offline": True,
        "xinference_client_environment": str(client_environment()),
        "xinference_minimum_disk_mib": 1024,
        "xinference_minimum_memory_mib": 2048,
        "xinference_memory": "4g",
    }
    made = Site(folder, int(settings["xinference_port"]), settings, token)
    try:
        files = made.root / "files"
        files.mkdir(parents=True)
        shutil.copy(Path(built("models")) / GGUF, files)
        given = {"XINFERENCE_HOME": HOME, "XINFERENCE_AUTH_ADVANCED": "false", "XINFERENCE_ENABLE_VIRTUAL_ENV": "0", "HF_HUB_OFFLINE": "1"}
        variables = [word for name, value in given.items() for word in ("-e", f"{name}={value}")]
        publish = ("-p", f"127.0.0.1:{made.port}:9997", "-v", f"{made.root}:{HOME}")
        docker("run", "-d", "--name", CONTAINER, *publish, *variables, image, "xinference-local", "-H", "0.0.0.0", "-p", "9997")
        made.wait()
        made.ask("/v1/model_registrations/LLM", {"model": json.dumps(SPECIFICATION), "persist": True})
        made.ask("/v1/models", {**LAUNCH, "envs": {"EXAMPLE_TOKEN": token}})
        yield made
    finally:
        remove()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def exported(site: Site) -> Site:
    """The site after the server was written down, with its secrets."""
    site.play("export", "-vvvv", xinference_export_directory="written", xinference_export_secrets=True)
    return site


@pytest.fixture(scope="session")
def adopted(site: Site, exported: Site) -> Site:
    """The site after the server was adopted, with what was written down."""
    before = docker("inspect", "--format", "{{.Id}}", CONTAINER)
    site.play("provision", "-e", f"@{exported.file}", **ADOPTED)
    assert docker("inspect", "--format", "{{.Id}}", CONTAINER) != before
    return site
