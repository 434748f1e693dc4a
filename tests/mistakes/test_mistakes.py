# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The obvious mistakes: each gives one clear sentence and changes nothing."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import socketserver
import subprocess
import sys
import threading
import time
import venv
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.inferops.xinference.tests.machine import ROOT, WHOLE, built, free_port

BIN = Path(sys.executable).parent
PORT = free_port()
TREE = yaml.safe_load((ROOT / "roles/_common/defaults/main/volumes.yml").read_text(encoding="utf-8"))["xinference_volumes"]
CHAT = {"uid": "chat", "name": "qwen3", "engine": "llama.cpp"}
#: A custom model of several files.
SPLIT = {
    "model_lang": ["en"],
    "model_ability": ["generate"],
    "model_family": "mine",
    "model_specs": [
        {
            "model_format": "ggufv2",
            "model_size_in_billions": 1,
            "quantization": "Q4_1",
            "model_file_name_template": "a-00001-of-00003.gguf",
            "model_uri": "/models/a-00001-of-00003.gguf",
        }
    ],
}


def provision(root: Path, *options: str, **variables: Any) -> tuple[int, str, str]:
    """Provision this machine; the same as :func:`play`."""
    return play("provision", root, *options, **variables)


def settings_of(root: Path, variables: dict[str, Any]) -> dict[str, Any]:
    """The variables of a host, with what a mistake changes of them."""
    return {
        "ansible_python_interpreter": sys.executable,
        "xinference_data_root": str(root),
        "xinference_container_name": "xinference-mistakes",
        "xinference_image": "inferops-test/none",
        "xinference_port": PORT,
        "xinference_recovery": "autostart",
        "xinference_admin_password": "marked-secret",
        "xinference_minimum_disk_mib": 1,
        "xinference_minimum_memory_mib": 1,
        "xinference_models": [CHAT],
        **variables,
    }


def ansible(playbook: str, *options: str | Path) -> tuple[int, str]:
    """Exit code and output of a run of a playbook of the collection, or of one that a path names."""
    named = playbook if "/" in playbook else f"inferops.xinference.{playbook}"
    command = (BIN / "ansible-playbook", "-c", "local", *options, "-e", "xinference_hosts=all", named)
    done = subprocess.run(command, check=False, text=True, capture_output=True)
    output = done.stdout + done.stderr
    assert "Traceback" not in output
    assert "marked-secret" not in output
    return done.returncode, output


def failure(output: str, host: str = "localhost") -> str:
    """The message with which the run ended for a host; empty where it did not fail."""
    # The last one: a task that is rescued fails too, before the one that says why.
    failed = re.findall(rf'^fatal: \[{host}\]: .*?"msg": ("(?:[^"\\]|\\.)*")', output, re.MULTILINE)
    return str(json.loads(failed[-1])) if failed else ""


def play(playbook: str, root: Path, *options: str, **variables: Any) -> tuple[int, str, str]:
    """Exit code, the message of the task that failed, and the whole output of a run on this machine."""
    code, output = ansible(playbook, "-i", "localhost,", *options, "-e", json.dumps(settings_of(root, variables)))
    return code, failure(output), output


def says(message: str, *sentences: str) -> None:
    """Require that a message consists of exactly these sentences."""
    head, *said = message.splitlines()
    assert head == f"{len(sentences)} {'problem' if len(sentences) == 1 else 'problems'}, nothing was changed."
    assert len(said) == len(sentences), message
    for sentence in sentences:
        assert any(sentence in line for line in said), message


def untouched(root: Path, output: str, host: str = "localhost") -> None:
    """Require that a run left everything as it was."""
    assert re.search(rf"^{host} .* changed=0 ", output, re.MULTILINE)
    assert not root.exists() or not any(root.iterdir())
    assert ours() == set()


def docker(*words: str) -> str:
    """What a command of Docker answers."""
    return subprocess.run(("docker", *words), check=True, text=True, capture_output=True).stdout.strip()


def containers() -> dict[str, str]:
    """IDs of all containers by their names."""
    return dict(line.split() for line in docker("ps", "--all", "--no-trunc", "--format", "{{.Names}} {{.ID}}").splitlines())


def ours() -> set[str]:
    """Names of the containers of these tests, and of whatever a run made beside them."""
    return {name for name in containers() if "xinference-mistakes" in name}


def on_hosts(folder: Path, hosts: dict[str, dict[str, Any]], playbook: str, *options: str) -> tuple[int, str]:
    """Exit code and output of one run on several hosts, of which each is this machine.

    :param hosts: their variables.
    """
    inventory = folder / "inventory.json"
    inventory.write_text(json.dumps({"all": {"hosts": hosts}}), encoding="utf-8")
    return ansible(playbook, "-i", inventory, *options)


def host_of(case: str) -> str:
    """Name of the host on which something is tried."""
    return re.sub("[^a-z0-9]+", "-", case)


@pytest.fixture(scope="module", autouse=True)
def clean() -> Iterator[None]:
    """No container of an earlier run that was killed, and none left behind."""

    def remove() -> None:
        remaining = docker("ps", "--all", "--quiet", "--filter", "name=^/xinference-mistakes").split()
        for command in (*((("rm", "--force", "--volumes", *remaining),) if remaining else ()), ("network", "rm", "xinference-mistakes")):
            subprocess.run(("docker", *command), capture_output=True, check=False)
        for left in ("var/lib/xinference-upgrade", "etc/xinference-backup"):
            for place in Path("/").glob(f"{left}-xinference-mistakes*"):
                shutil.rmtree(place)

    remove()
    yield
    remove()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "xinference_data"


CASES: dict[str, tuple[dict[str, Any], str]] = {
    "no docker": (
        {"xinference_docker_host": "unix:///nowhere/docker.sock", "xinference_docker_manage": False},
        "No Docker Engine answers: there is no socket /nowhere/docker.sock. Install and start one, or set xinference_docker_manage to true.",
    ),
    "port out of range": ({"xinference_port": 99999}, "xinference_port '99999' is no port. Use a number from 1 to 65535."),
    "address that is none": ({"xinference_address": "everywhere"}, "xinference_address 'everywhere' is no IP address."),
    "open without accounts": (
        {"xinference_address": "0.0.0.0", "xinference_authentication": False},
        "xinference_address '0.0.0.0' would let anybody on the network run code here",
    ),
    "user without a group": (
        {"xinference_container_user": "1000"},
        "xinference_container_user '1000' is no user and group of the kind 10001:10001. Give two numbers above 0, or leave it empty",
    ),
    "environment that opens the server": (
        {"xinference_environment": {"XINFERENCE_AUTH_ADVANCED": "false"}},
        "xinference_environment names XINFERENCE_AUTH_ADVANCED, which the roles set themselves. Set xinference_authentication.",
    ),
    "environment without a value": (
        {"xinference_environment": {"XINFERENCE_DISABLE_HEALTH_CHECK": 1, "HF_TOKEN": None}},
        "xinference_environment: HF_TOKEN is null, but must be a text, a number, true or false; remove it, or write '' for an empty text.",
    ),
    "models that do not fit": (
        {"xinference_memory": "2g", "xinference_models": [{**CHAT, "engine_options": {"n_ctx": 131072}}]},
        "xinference_models: they need about ",
    ),
    "labels in a list": ({"xinference_labels": ["managed"]}, "xinference_labels must be a dictionary, but is a list."),
    "label that is a list": ({"xinference_labels": {"managed": True, "by": ["us"]}}, "xinference_labels: by is a list, but must be a text"),
    "allowed addresses without the container": (
        {"xinference_environment": {"XINFERENCE_ALLOWED_IPS": "10.0.0.0/8"}, "xinference_network_subnet": "192.168.240.0/28"},
        "does not hold 127.0.0.1, from which the health check asks, and 192.168.240.1, from which this host asks. Write '10.0.0.0/8,127.0.0.1,192.168.240.1'.",
    ),
    "backups without a password": (
        {"xinference_backup": True},
        "xinference_backup_password is empty. Choose one of at least 12 characters, and keep it elsewhere as well.",
    ),
    "repository that is the disk": (
        {"xinference_backup": True, "xinference_backup_password": "marked-secret-1", "xinference_backup_repository": "/"},
        "xinference_backup_repository '/' is not a directory of its own. Choose another directory, such as /var/backups/xinference.",
    ),
    "repository with its password": (
        {
            "xinference_backup": True,
            "xinference_backup_password": "marked-secret-1",
            "xinference_backup_repository": "rest:https://me:marked-secret@backup.example.com/one",
        },
        "xinference_backup_repository holds a user name and a password. Put it into xinference_backup_environment, such as",
    ),
    "snapshot that is none": (
        {"xinference_backup": True, "xinference_backup_password": "marked-secret-1", "xinference_restore_from": "yesterday"},
        "xinference_restore_from 'yesterday' names no snapshot. Write latest, 8 to 64 digits of an ID (0 to 9, a to f), or the absolute path of an archive",
    ),
    "memory of nothing": ({"xinference_memory": 0}, "xinference_memory '0' is 0 bytes, which is no limit that a container can have."),
    "memory without a unit": ({"xinference_memory": 4}, "xinference_memory '4' is 4 bytes, which is no limit that a container can have."),
    "memory that is no size": ({"xinference_memory": "4 gigs"}, "xinference_memory '4 gigs' is no size. Write auto, or a size such as 12g or 4096m."),
    "shared memory that is no size": ({"xinference_shm_size": "8 gigs"}, "xinference_shm_size '8 gigs' is no size. Write one such as 1g."),
    "logs of nothing": ({"xinference_log_max_size": "0"}, "xinference_log_max_size '0' is 0 bytes, which is too little."),
    "tag that is a fraction": ({"xinference_image_tag": 4.1}, "xinference_image_tag must be a text, but is the number 4.1; write it in quotes."),
    "tag that is true": ({"xinference_image_tag": True}, "xinference_image_tag must be a text, but is the boolean true; write it in quotes."),
    "number for a name": ({"xinference_container_name": 41}, "xinference_container_name must be a text, but is the number 41; write it in quotes."),
    "user that YAML counts": ({"xinference_container_user": 60050}, "xinference_container_user must be a text, but is the number 60050; write it in quotes."),
    "number for an address": ({"xinference_address": 5}, "xinference_address must be a text, but is the number 5; write it in quotes."),
    "short password of digits": ({"xinference_admin_password": 1234567}, "xinference_admin_password has 7 characters, but the server wants at least 8."),
    "password of null": ({"xinference_admin_password": None}, "xinference_admin_password must be a text, but is null."),
    "accounts or not": ({"xinference_authentication": None}, "xinference_authentication must be true or false, but is null."),
    "limit that a later role reads": ({"xinference_pids_limit": "many"}, "xinference_pids_limit must be a whole number, but is the text many."),
    "places that are no number": ({"xinference_proxy_queue": "many"}, "xinference_proxy_queue must be a whole number, but is the text many."),
    "policy that is none": ({"xinference_restart_policy": "never"}, "xinference_restart_policy 'never' is unknown; allowed: unless-stopped, always"),
    "image with its tag": ({"xinference_image": "xprobe/xinference:v4.1.0-cpu"}, "holds a tag, and xinference_image_tag would be joined to it."),
    "tag with its image": ({"xinference_image_tag": "xprobe/xinference:v4"}, "what is before the ':' belongs in xinference_image."),
    "address with its port": ({"xinference_address": "127.0.0.1:9997"}, "Write the address alone; the port belongs in xinference_port."),
    "address in brackets": ({"xinference_address": "[::1]"}, "xinference_address '[::1]' is no IP address. Write it without brackets."),
    "socket without a scheme": ({"xinference_docker_host": "/var/run/docker.sock"}, "Write it as unix:///var/run/docker.sock."),
    "version with its package": ({"xinference_client_version": "xinference-client==4.1.0"}, "Write the number alone, such as 4.1.0."),
    "proxy with a path": ({"xinference_client_proxy": "http://me:marked-secret@proxy/x"}, "xinference_client_proxy is no URL of a proxy."),
    "client in a shared directory": (
        {"xinference_client_environment": "/opt"},
        "xinference_client_environment '/opt' is not a directory of its own, but the roles set its mode.",
    ),
    "whole tree replaced": (
        {"xinference_volumes": [{"path": "models", "target": "/models"}]},
        "xinference_home '/root/.xinference' lies in no volume that the server can write",
    ),
    "path of the host that is not there": (
        {"xinference_volumes": [*TREE, {"path": "/nowhere/models", "target": "/more"}]},
        "xinference_volumes ('/nowhere/models'): does not exist on this host.",
    ),
    "two directories at one place": (
        {"xinference_volumes": [*TREE, {"path": "more", "target": "/models"}]},
        "xinference_volumes ('more'): target '/models' is that of 'models', too. Leave one of the two out.",
    ),
    "mode that YAML counts": (
        {"xinference_volumes": [*TREE, {"path": "more", "mode": 493}]},
        f"xinference_volumes[{len(TREE)}] mode must be a text, but is the number 493; write it in quotes.",
    ),
    "more processors than there are": ({"xinference_cpus": 4096}, "xinference_cpus '4096' cannot be had: this host has "),
    "address of another host": (
        {"xinference_address": "10.99.0.7"},
        "xinference_address '10.99.0.7' is no address of this host. Use one of an interface of this host, or 127.0.0.1.",
    ),
    "network that is not there": ({"xinference_networks": ["no-such-network"]}, "xinference_networks[0] 'no-such-network' does not exist on this host."),
    "network that Docker keeps for itself": ({"xinference_networks": ["host"]}, "xinference_networks[0] 'host' cannot be joined: "),
    "addresses of the host itself": ({"xinference_network_subnet": "127.0.0.0/28"}, "is no IPv4 network of at least four addresses that a container can have."),
    "name of a container that is replaced": ({"xinference_container_name": "xinference-mistakes.previous"}, "Choose a name that does not end in "),
    "misspelt variable": ({"xinference_prot": 9000}, "Variable 'xinference_prot' is unknown; did you mean 'xinference_port'?"),
    # They are no mistake: the one sentence is about the port.
    "lines that say nothing": (
        {"xinference_model_lines": "-\r\nnone\r\n\u00a0n/a,\r\n# uid=x\r\n\t", "xinference_port": 99998},
        "xinference_port '99998' is no port. Use a number from 1 to 65535.",
    ),
    "line that is none": ({"xinference_model_lines": "\u2022 chat\r\n"}, "models[1]: is the text 'chat', but must be a dictionary"),
    "uid twice": ({"xinference_models": [CHAT, CHAT]}, "xinference_models[1] (uid 'chat'): uid 'chat' is already used by xinference_models[0]"),
    "unknown engine": (
        {"xinference_models": [{**CHAT, "engine": "lama.cpp"}]},
        "models[0] (uid 'chat'): engine 'lama.cpp' is unknown for type LLM; allowed: llama.cpp, Transformers",
    ),
    "misspelt field": ({"xinference_models": [{**CHAT, "quantisation": "Q4"}]}, "field 'quantisation' is unknown; did you mean 'quantization'?"),
    "hyphen in a field": ({"xinference_models": [{**CHAT, "enable-thinking": True}]}, "field 'enable-thinking' is unknown; did you mean 'enable_thinking'?"),
    "hyphen in an option": (
        {"xinference_models": [{**CHAT, "engine_options": {"n-ctx": 4096}}]},
        "engine_options 'n-ctx' is no option of llama.cpp, and the server would ignore it in silence; did you mean 'n_ctx'?"
        " Set xinference_models_validate_engine_options to false for an option that only a newer server knows.",
    ),
    "field among the options": (
        {"xinference_models": [{**CHAT, "engine": "Transformers", "engine_options": {"enable-thinking": True}}]},
        "engine_options 'enable-thinking' is not an option of the engine; use the field 'enable_thinking' for it.",
    ),
    "missing model file": (
        {"xinference_models": [{**CHAT, "path": "/models/none.gguf"}]},
        "Model 'chat': path '/models/none.gguf' does not exist. Copy it to ",
    ),
    "missing file of an option": (
        {"xinference_models": [{**CHAT, "engine_options": {"draft_model_path": "/models/draft.gguf"}}]},
        "Model 'chat': engine_options.draft_model_path '/models/draft.gguf' does not exist. Copy it to ",
    ),
    "part of a split file": (
        {"xinference_models": [{**CHAT, "path": "/models/a-00002-of-00003.gguf"}]},
        "path '/models/a-00002-of-00003.gguf' is part 2 of 3 of a split GGUF; engine llama.cpp wants the first one, '/models/a-00001-of-00003.gguf'.",
    ),
    "split file by its registration": (
        {"xinference_models": [{**CHAT, "name": "mine", "registration": SPLIT}]},
        "is one of 3 parts of a split GGUF, which the server links under a name without its number, so that llama.cpp cannot find the others; give path",
    ),
    "model file outside": ({"xinference_models": [{**CHAT, "path": "/home/me/x.gguf"}]}, "path '/home/me/x.gguf' lies in no volume"),
    "no list": ({"xinference_models": {"uid": "chat"}}, "models: is the dictionary"),
    "text for a list": ({"xinference_models": "chat"}, "models: is the text 'chat', but must be a list of dictionaries."),
    "text for an item": ({"xinference_models": ["chat"]}, "models[0]: is the text 'chat', but must be a dictionary"),
    "not enough memory": ({"xinference_minimum_memory_mib": 99999999}, "MiB of memory, less than xinference_minimum_memory_mib (99999999)."),
    "limit above the machine": ({"xinference_memory": "900t"}, "xinference_memory '900t' is 943718400 MiB, but this host has"),
    "not enough disk": ({"xinference_minimum_disk_mib": 999999999}, "MiB free, less than xinference_minimum_disk_mib (999999999)."),
    "no password": ({"xinference_admin_password": ""}, "xinference_admin_password is empty, but the server asks for an account."),
    "short password": ({"xinference_admin_password": "short"}, "xinference_admin_password has 5 characters, but the server wants at least 8."),
    "moving tag": ({"xinference_image_tag": "latest-cpu"}, "xinference_image_tag 'latest-cpu' moves from release to release."),
    "home that is none": ({"xinference_home": "data"}, "xinference_home 'data' is no absolute path of a directory in the container."),
    "home in no volume": (
        {"xinference_volumes": [{"path": "models", "target": "/models"}]},
        "xinference_home '/root/.xinference' lies in no volume that the server can write, so all that it keeps would be lost with its container.",
    ),
    "missing archive": ({"xinference_image_archive": "/nowhere/image.tar"}, "xinference_image_archive '/nowhere/image.tar' does not exist on this host."),
}
#: Another sentence of a variable that has a mistake above: unit tests ask the function for it, and the way from there into a play is the same.
LATER = frozenset(
    {
        "memory that is no size",
        "tag that is true",
        "accounts or not",
        "tag with its image",
        "address with its port",
        "path of the host that is not there",
        "mode that YAML counts",
        "address of another host",
        "network that Docker keeps for itself",
        "addresses of the host itself",
        "name of a container that is replaced",
        "line that is none",
        "misspelt field",
        "hyphen in a field",
        "field among the options",
        "missing model file",
        "part of a split file",
        "model file outside",
        "no list",
        "text for a list",
        "text for an item",
        "limit above the machine",
        "no password",
        "short password",
        "moving tag",
        "home in no volume",
    }
)
#: Those that this run makes.
MADE = [case for case in CASES if WHOLE or case not in LATER]


@dataclass(frozen=True)
class Place:
    """Where a mistake is made that is one of the machine, and not of the variables.

    :param root: the data root, which is not there yet.
    :param container: name of the host's container.
    :param stack: what undoes it.
    """

    root: Path
    container: str
    stack: ExitStack

    @property
    def folder(self) -> Path:
        """A directory beside the data root, which is there."""
        return self.root.parent

    def run(self, *words: str) -> str:
        """Start a container in which nothing happens, under the name of the host's, and return its ID."""
        self.stack.callback(subprocess.run, ("docker", "rm", "--force", "--volumes", self.container), capture_output=True, check=False)
        return docker("run", "--detach", "--name", self.container, *words, built("base"), "sleep", "infinity")


def port_of_another_program(place: Place) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Something else listens on the port."""
    other = place.stack.enter_context(socket.socket())
    other.bind(("127.0.0.1", 0))
    other.listen()
    port = other.getsockname()[1]
    return {"xinference_port": port}, (f"Port {port} is in use on 127.0.0.1 by something else. Free it, or set xinference_port to another one.",)


class Podman(BaseHTTPRequestHandler):
    """What Podman 4.3 says of itself; it has nothing else."""

    def do_GET(self) -> None:
        """Answer."""
        parts = [{"Name": "Podman Engine", "Version": "4.3.1"}, {"Name": "Conmon", "Version": "2.1.6"}]
        known = {"/version": {"Version": "4.3.1", "ApiVersion": "1.41", "Components": parts}, "/info": {"NCPU": 2}, "/networks": []}
        body = json.dumps(known.get(self.path)).encode()
        self.send_response(200 if self.path in known else 404)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_arguments: Any) -> None:
        """Keep the test's output clean."""


def podman(place: Place) -> tuple[dict[str, Any], tuple[str, ...]]:
    """A socket that answers as Podman does."""
    server = place.stack.enter_context(socketserver.ThreadingUnixStreamServer(str(place.folder / "docker.sock"), Podman))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    place.stack.callback(server.shutdown)
    said = "The engine is Podman 4.3.1, but the roles need a Docker Engine. Set xinference_docker_host to the socket of one."
    return {"xinference_docker_host": f"unix://{place.folder}/docker.sock"}, (said,)


def environment_that_is_none(place: Place) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Programs that are no virtual environment."""
    client = place.folder / "client"
    (client / "bin").mkdir(parents=True)
    (client / "bin/python").symlink_to(sys.executable)
    said = "What is at xinference_client_environment cannot run the client: it has programs, but no pyvenv.cfg, so it is no virtual environment."
    return {"xinference_client_environment": str(client)}, (said,)


def read_only_data_root(place: Place) -> tuple[dict[str, Any], tuple[str, ...]]:
    """A file system on which nothing can be written."""
    mounted = place.folder / "read-only"
    mounted.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "ro", "tmpfs", mounted], check=True)
    place.stack.callback(lambda: subprocess.run(["umount", mounted], check=True))
    root = mounted / "xinference_data"
    return {"xinference_data_root": str(root)}, (f"xinference_data_root '{root}' cannot be written: {mounted} is read-only here.",)


def record(stack: ExitStack, container: str, **files: str) -> Path:
    """Write what a run left in the directory with the versions of a host's container, and return that.

    :param stack: what removes it.
    :param files: contents by the names of the files, without their ending.
    """
    folder = Path(f"/var/lib/xinference-upgrade-{container}")
    stack.callback(shutil.rmtree, folder, ignore_errors=True)
    folder.mkdir(exist_ok=True)
    for name, content in files.items():
        (folder / f"{name}.json").write_text(content, encoding="utf-8")
    return folder


#: What a host has recorded, and an upgrade of it that was cut off.
NEWER = json.dumps({"server": "4.1.0", "image": "inferops-test/none:v4.1.0-cpu", "image_id": "sha256:1", "collection": "0.1.0", "client": "4.1.0"})
SIDES = {name: {"image": f"inferops-test/none:{name}", "image_id": f"sha256:{name}", "server": "", "container_id": name} for name in ("from", "to")}
CUT_OFF = json.dumps({"state": "changing", "snapshot": "0a1b2c3d", "time": "2026-01-31T12:00:00Z", **SIDES})
NOT_CERTAIN = (
    "An upgrade of this host is under way, or was cut off, so it is not certain which server its data are of. "
    "Wait for its run; if there is none, run playbook upgrade again, which ends it."
)


def older_than_its_data(place: Place) -> tuple[dict[str, Any], tuple[str, ...]]:
    """A newer server wrote the data."""
    record(place.stack, "xinference-mistakes-older", versions=NEWER)
    # Where the server's directory is not there, its data are gone, and any server may start there.
    root = place.folder / "older"
    (root / ".xinference").mkdir(parents=True)
    problem = "xinference_image_tag 'v3.5.0-cpu' is older than Xinference 4.1.0, which wrote the data of this host last."
    said = f"{problem} Run playbook upgrade, which asks the older server first and has a way back, or name that version."
    name = "xinference-mistakes-older"
    return {"xinference_data_root": str(root), "xinference_container_name": name, "xinference_image_tag": "v3.5.0-cpu"}, (said,)


def upgrade_that_was_cut_off(place: Place) -> tuple[dict[str, Any], tuple[str, ...]]:
    """It has not ended."""
    record(place.stack, "xinference-mistakes-cut", versions=NEWER, upgrade=CUT_OFF)
    return {"xinference_container_name": "xinference-mistakes-cut"}, (NOT_CERTAIN,)


def upgrade_whose_record_is_damaged(place: Place) -> tuple[dict[str, Any], tuple[str, ...]]:
    """That it has not ended is all that is known."""
    record(place.stack, "xinference-mistakes-damaged", versions="{", upgrade=CUT_OFF[:20])
    return {"xinference_container_name": "xinference-mistakes-damaged"}, (NOT_CERTAIN,)


def several_at_once(_place: Place) -> tuple[dict[str, Any], tuple[str, ...]]:
    """All are named in one run."""
    models = [{"name": "qwen3", "engine": "llama.cpp"}]
    said = ("Variable 'xinference_modles' is unknown; did you mean 'xinference_models'?", "xinference_port '0' is no port.", "uid is missing")
    return {"xinference_modles": [], "xinference_port": 0, "xinference_models": models}, said


#: Mistakes for which the machine is prepared, and the sentences that they give.
PREPARED: dict[str, Callable[[Place], tuple[dict[str, Any], tuple[str, ...]]]] = {
    "port of another program": port_of_another_program,
    "podman in the place of docker": podman,
    "environment that is none": environment_that_is_none,
    "read-only data root": read_only_data_root,
    "image older than its data": older_than_its_data,
    "upgrade that was cut off": upgrade_that_was_cut_off,
    "upgrade whose record is damaged": upgrade_whose_record_is_damaged,
    "several at once": several_at_once,
    "port that is no number": lambda _place: ({"xinference_port": "web"}, ("xinference_port must be a whole number, but is the text web.",)),
    "no way of recovery": lambda _place: (
        {"xinference_recovery": "always"},
        ("xinference_recovery 'always' is unknown; allowed: auto, service, autostart, none.",),
    ),
}
#: Containers that were made by hand, under the name of the host's: they are not replaced by one that lacks what they have.
MADE_BY_HAND: dict[str, tuple[tuple[str, ...], str]] = {
    "another home": (
        ("-e", "XINFERENCE_HOME=/data", "-v", "{root}:/data"),
        "keeps its server's home /data in {root}; the declared one would have {root}/.xinference",
    ),
    "no volume": ((), "keeps its server's home /root/.xinference in itself, in no volume: accounts, registrations and downloads would be lost with it."),
    "a volume of Docker": (("-v", "{name}:/root/.xinference"), "in Docker's volume {name}; the declared container would have "),
    "another user's home": (
        ("-u", "10001:10001", "-e", "HOME=/home/me", "-v", "{root}/.xinference:/home/me/.xinference"),
        "Set xinference_home to /home/me/.xinference.",
    ),
    "models elsewhere": (
        ("-v", "{root}/.xinference:/root/.xinference", "-v", "{directory}/big:/models"),
        "sees {directory}/big at /models; the declared one would see {root}/models there. Put in the place of the entry of xinference_volumes with that target "
        "{{path: {directory}/big, target: /models}}",
    ),
    "downloads elsewhere": (
        ("-v", "{root}/.xinference:/root/.xinference", "-e", "HF_HOME=/big", "-v", "{root}/big:/big"),
        "sees {root}/big at /big; the declared one would see nothing there. Add to xinference_volumes {{path: big, target: /big}}; ",
    ),
}


@dataclass(frozen=True)
class Fleet:
    """What a run did on hosts of which each has made a mistake.

    :param said: the sentences that each host gives, by case.
    :param made: IDs of the containers that were made by hand.
    :param remaining: IDs of the containers that were there afterwards, by name.
    """

    code: int
    output: str
    folder: Path
    said: dict[str, tuple[str, ...]]
    made: dict[str, str]
    remaining: dict[str, str]

    def root(self, case: str) -> Path:
        """The data root of a case."""
        return self.folder / host_of(case) / "xinference_data"


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Fleet:
    """One run: each mistake is made on a host of its own, and each of them is this machine."""
    folder = tmp_path_factory.mktemp("fleet")
    said: dict[str, tuple[str, ...]] = {}
    made: dict[str, str] = {}
    hosts: dict[str, dict[str, Any]] = {}
    with ExitStack() as stack:
        for case in [*MADE, *PREPARED, *MADE_BY_HAND]:
            host = host_of(case)
            place = Place(folder / host / "xinference_data", f"xinference-mistakes-{host}" if case in MADE_BY_HAND else "xinference-mistakes", stack)
            place.folder.mkdir()
            if case in MADE_BY_HAND:
                words, sentence = MADE_BY_HAND[case]
                given = {"root": str(place.root), "directory": str(place.folder), "name": place.container}
                for each in (place.root / ".xinference", place.root / "big", place.folder / "big"):
                    each.mkdir(parents=True)
                    (each / "kept").touch()
                stack.callback(subprocess.run, ("docker", "volume", "rm", place.container), capture_output=True, check=False)
                made[place.container] = place.run(*(word.format(**given) for word in words))
                variables = {"xinference_container_name": place.container}
                sentences: tuple[str, ...] = (sentence.format(**given),)
            else:
                variables, sentences = PREPARED[case](place) if case in PREPARED else (CASES[case][0], (CASES[case][1],))
            said[case] = sentences
            hosts[host] = settings_of(place.root, variables)
        code, output = on_hosts(folder, hosts, "provision")
        remaining = containers()
    return Fleet(code, output, folder, said, made, remaining)


_ANOTHER = pytest.mark.test_all("another sentence of the same variable; unit tests ask for it")


@pytest.mark.parametrize("case", [*(pytest.param(case, marks=_ANOTHER) if case in LATER else case for case in CASES), *PREPARED])
def test_mistake(case: str, fleet: Fleet) -> None:
    host = host_of(case)
    assert fleet.code == 2, fleet.output
    says(failure(fleet.output, host), *fleet.said[case])
    untouched(fleet.root(case), fleet.output, host)
    assert {name for name in fleet.remaining if "xinference-mistakes" in name} == {*fleet.made}


@pytest.mark.parametrize("case", MADE_BY_HAND)
def test_a_container_that_was_made_by_hand(case: str, fleet: Fleet) -> None:
    host = host_of(case)
    message = failure(fleet.output, host)
    assert message.startswith(("1 problem, nothing was changed.", "2 problems, nothing was changed."))
    assert fleet.said[case][0] in message
    assert re.search(rf"^{host} .* changed=0 ", fleet.output, re.MULTILINE)
    container = f"xinference-mistakes-{host}"
    assert fleet.remaining[container] == fleet.made[container]


#: In which a container of ours can be, whose port the next run meets.
STATES = ("running", "paused", "restarting", "created")


@pytest.fixture(scope="module")
def met(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Output of preflight on hosts whose container is in each of the states."""
    folder, hosts = tmp_path_factory.mktemp("met"), {}
    with ExitStack() as stack:
        for state in STATES:
            port, name = free_port(), f"xinference-mistakes-{state}"
            command = "sleep 1; exit 1" if state == "restarting" else "exec sleep infinity"
            options = ("--name", name, "--publish", f"127.0.0.1:{port}:9997", "--restart", "always", "--entrypoint", "sh")
            stack.callback(subprocess.run, ("docker", "rm", "--force", name), capture_output=True, check=False)
            docker("create", *options, "--label", "io.inferops.collection=inferops.xinference", built("base"), "-c", command)
            if state != "created":
                docker("start", name)
            if state == "paused":
                docker("pause", name)
            hosts[state] = settings_of(folder / state, {"xinference_port": port, "xinference_container_name": name})
        code, output = on_hosts(folder, hosts, "provision", "--tags", "preflight")
    assert code == 0, output
    return output


@pytest.mark.parametrize("state", STATES)
def test_port_of_our_own_container_in_any_state(state: str, met: str) -> None:
    assert failure(met, state) == "", met
    assert re.search(rf"^{state} .* changed=0 .* failed=0 ", met, re.MULTILINE)


def test_interpreter_that_ansible_looks_for(root: Path) -> None:
    """The setting is a word, and that interpreter may lack what role docker installs: a check predicts all of it, and fails at nothing."""
    name, _colon, tag = built("server").rpartition(":")
    settings = {"xinference_image": name, "xinference_image_tag": tag, "ansible_python_interpreter": "auto_silent"}
    code, _message, output = provision(root, "--check", xinference_client_environment=str(root.parent / "client"), **settings)
    assert code == 0, output
    assert "Model chat would be launched." in output
    assert not root.exists()


def outlived(place: Path) -> None:
    """An environment of before an upgrade of the distribution."""
    venv.create(place, with_pip=False)
    settings = place / "pyvenv.cfg"
    settings.write_text(re.sub("^version = .*", "version = 3.5.2", settings.read_text(), flags=re.MULTILINE))
    (place / "lib").rename(place / "gone")
    (place / "lib/python3.5/site-packages/xinference_client-4.1.0.dist-info").mkdir(parents=True)


def without_interpreter(place: Path) -> None:
    """An environment whose interpreter was removed with the old distribution."""
    outlived(place)
    for python in (place / "bin").glob("python*"):
        python.unlink()
        python.symlink_to("/nowhere/python3.5")


@pytest.mark.parametrize("leave", [outlived, pytest.param(without_interpreter, marks=pytest.mark.test_all("the same, found by another sign"))])
def test_environment_of_a_python_that_is_gone(root: Path, leave: Callable[[Path], None]) -> None:
    """It is made again: what fails is the installation, for want of an index here."""
    place = root.parent / "client"
    leave(place)
    settings = {"xinference_client_environment": str(place), "xinference_client_index_url": "https://packages.invalid/simple"}
    code, _message, output = provision(root, "--check", "--tags", "models", xinference_client_proxy="http://127.0.0.1:1", **settings)
    assert code == 0, output
    assert f"xinference-client 4.1.0 would be installed into {place}." in output
    assert (place / "lib/python3.5").exists()
    code, _message, output = provision(root, "--tags", "models", xinference_client_proxy="http://127.0.0.1:1", **settings)
    assert code == 2
    assert "Cannot connect to proxy" in output
    assert not (place / "lib/python3.5").exists()
    assert subprocess.run([place / "bin/python", "-m", "pip", "--version"], check=False, capture_output=True).returncode == 0


def test_a_restart_where_there_is_nothing_to_restart(root: Path) -> None:
    code, message, output = play("restart", root, xinference_restart_max_fail_percentage=10)
    assert code == 2
    assert message == "There is no container xinference-mistakes on this host to restart: provision the host first.", output
    untouched(root, output)


@pytest.mark.parametrize(
    ("given", "met"),
    [
        ({}, ["first", "second", "third"]),
        ({"xinference_provision_serial": 2}, ["first", "second"]),
        ({"xinference_provision_serial": "2", "xinference_provision_max_fail_percentage": 0}, ["first", "second"]),
        ({"xinference_provision_serial": 2, "xinference_provision_max_fail_percentage": 50}, ["first", "second", "third"]),
    ],
)
def test_a_batch_that_fails_keeps_the_next_hosts_from_being_changed(root: Path, tmp_path: Path, given: dict[str, Any], met: list[str]) -> None:
    inventory = tmp_path / "inventory.yml"
    hosts = {
        name: {"ansible_connection": "local", **settings_of(root, {"xinference_port": port})}
        for name, port in (("first", 0), ("second", PORT), ("third", PORT))
    }
    inventory.write_text(yaml.safe_dump({"xinference": {"hosts": hosts}}), encoding="utf-8")
    code, output = ansible("provision", "-i", inventory, "--tags", "preflight", "-e", json.dumps(given))
    assert code == 2
    assert re.findall(r"^(first|second|third) .* changed=0 ", output, re.MULTILINE) == met, output


@pytest.mark.parametrize(
    ("playbook", "variable"),
    [
        ("provision", "xinference_provision_serial"),
        ("restart", "xinference_restart_serial"),
        ("rotate_credentials", "xinference_rotate_serial"),
        ("upgrade", "xinference_upgrade_serial"),
    ],
)
def test_a_batch_that_is_none(root: Path, playbook: str, variable: str) -> None:
    code, message, output = play(playbook, root, **{variable: "two"})
    assert code == 2
    says(message, f"{variable} must be a number of hosts, or a share of them such as 25%, but is the text two.")
    untouched(root, output)


@pytest.fixture
def cluster(root: Path, tmp_path: Path) -> Path:
    """An inventory with a cluster."""
    hosts = {name: {"ansible_connection": "local", **settings_of(root, {})} for name in ("worker-1", "main")}
    groups: dict[str, Any] = {"xinference_workers": {"hosts": {"worker-1": {}}}, "xinference_supervisor": {"hosts": {"main": {}}}}
    (tmp_path / "inventory.yml").write_text(yaml.safe_dump({"xinference": {"hosts": hosts}, **groups}), encoding="utf-8")
    return tmp_path / "inventory.yml"


@pytest.mark.parametrize(
    ("playbook", "elsewhere"),
    [
        ("backup", "what a backup saves is"),
        ("restore", "a backup is restored"),
        ("rotate_credentials", "accounts and API keys are"),
        ("export", "what its cluster runs is read"),
        ("unban", "bans are made and lifted"),
    ],
)
def test_a_worker_is_left_out_where_all_is_its_supervisor_s(root: Path, cluster: Path, playbook: str, elsewhere: str) -> None:
    code, output = ansible(playbook, "-i", cluster, "--limit", "worker-1")
    assert (code, "Read the host" in output) == (0, False), output
    assert f"Nothing is done on worker worker-1: {elsewhere} on supervisor main." in output
    untouched(root, output, "worker-1")
    # The supervisor is not left out: it lacks what each of them needs, and says so.
    code, output = ansible(playbook, "-i", cluster, "--limit", "main")
    assert (code, "Read the host" in output, "Nothing is done" in output) == (2, True, False), output
    untouched(root, output, "main")


@pytest.mark.parametrize(
    ("words", "instead"),
    [
        ("upgrade", "make a backup of the supervisor, set the other image for all hosts of the cluster, and run playbook provision."),
        ("upgrade --tags fetch", "make a backup of the supervisor, set the other image for all hosts of the cluster, and run playbook provision."),
        ("restart", "run docker restart xinference-mistakes on this host, and its models come back by themselves."),
        ("diagnose", "run playbook status, and read docker logs xinference-mistakes on this host."),
    ],
)
@pytest.mark.parametrize("host", ["main", "worker-1"])
def test_what_knows_no_clusters_refuses_their_hosts(root: Path, cluster: Path, words: str, instead: str, host: str) -> None:
    playbook, *options = words.split()
    code, output = ansible(playbook, "-i", cluster, "--limit", host, *options)
    assert (code, failure(output, host)) == (2, f"Playbook {playbook} does not know clusters yet; {instead}")
    assert "Read the host" not in output
    untouched(root, output, host)


def test_the_status_of_a_worker(cluster: Path, tmp_path: Path) -> None:
    """Its server has no API: nobody asks it, though a client is there, and why it has not joined is what its health check says."""
    make_client(tmp_path / "client")
    said = "The supervisor main does not name worker-1:30001 among its workers"
    check = ("--health-cmd", f"echo '{said}'; exit 1", "--health-interval", "1s", "--health-retries", "1", "--health-start-period", "0s")
    label = ("--label", "io.inferops.cluster=worker")
    docker("run", "--detach", "--name", "xinference-mistakes", *label, *check, "--init", built("base"), "sleep", "infinity")
    try:
        ended = time.monotonic() + 60
        while docker("inspect", "--format", "{{.State.Health.Status}}", "xinference-mistakes") != "unhealthy":
            assert time.monotonic() < ended
            time.sleep(0.2)
        given = {"xinference_client_environment": str(tmp_path / "client"), "ansible_python_interpreter": sys.executable}
        code, output = ansible("status", "-i", cluster, "--limit", "worker-1", "-e", json.dumps(given))
    finally:
        docker("rm", "--force", "--volumes", "xinference-mistakes")
    assert code == 0, output
    header, line = re.findall("^(HOST .*|worker-1  worker .*)$", output, re.MULTILINE)
    assert header.split()[:3] + header.split()[-2:] == ["HOST", "CLUSTER", "CONTAINER", "DRIFT", "ON"]
    # Nothing is shown that only its supervisor has.
    assert line.split()[:4] + line.split()[5:] == ["worker-1", "worker", "running", "(unhealthy)"]
    assert re.findall("^worker-1: (.*)$", output, re.MULTILINE) == [f"The container's health check fails: {said}."]


@dataclass(frozen=True)
class Upgradable:
    """A host that looks like one that could be upgraded, where a mistake is made.

    :param folder: of the test.
    :param container: name of its container, in which nothing happens.
    :param stack: what removes it.
    """

    folder: Path
    container: str
    stack: ExitStack

    def variables(self) -> dict[str, Any]:
        """Its variables."""
        backups = {"xinference_backup": True, "xinference_backup_password": "marked-secret-1"}
        return {"xinference_container_name": self.container, "xinference_client_environment": str(self.folder / "client"), **backups}

    def run(self) -> None:
        """Start its container."""
        self.stack.callback(subprocess.run, ("docker", "rm", "--force", "--volumes", self.container), capture_output=True, check=False)
        docker("run", "--detach", "--name", self.container, "--label", "io.inferops.collection=inferops.xinference", built("base"), "sleep", "infinity")

    def set_up_backups(self) -> Path:
        """Write the settings of its backups, and return the file."""
        folder = Path(f"/etc/xinference-backup-{self.container}")
        self.stack.callback(shutil.rmtree, folder, ignore_errors=True)
        folder.mkdir(0o700, exist_ok=True)
        places = {f"{name}_directory": str(self.folder / self.container / name) for name in ("state", "staging", "service")}
        places["upgrade_directory"] = f"/var/lib/xinference-upgrade-{self.container}"
        given = {"container": self.container, "docker_host": "unix:///var/run/docker.sock", "host": self.container, "collection_version": "0.1.0"}
        kept = {"repository": str(self.folder / "repository"), "secrets": str(folder / "secrets.json"), "keep_daily": 7, "keep_weekly": 4}
        contents = {"settings.json": {**given, **places, **kept}, "secrets.json": {"password": "marked-secret-1", "environment": {}}}
        for name, content in contents.items():
            (folder / name).touch(0o600)
            (folder / name).write_text(json.dumps(content), encoding="utf-8")
        return folder / "settings.json"


def make_client(place: Path) -> None:
    """An environment whose interpreter finds a client, which can do nothing."""
    venv.create(place, with_pip=False)
    (packages,) = (place / "lib").glob("python3*/site-packages")
    for name in ("requests.py", "xinference_client/client/restful/restful_client.py", "xinference_client-4.1.0.dist-info/METADATA"):
        (packages / name).parent.mkdir(parents=True, exist_ok=True)
        (packages / name).write_text("Metadata-Version: 2.1\nName: xinference-client\nVersion: 4.1.0\n" if name.endswith("METADATA") else "")


#: Mistakes before an upgrade: what differs in the variables, what the host lacks, and the sentence.
BEFORE_AN_UPGRADE: dict[str, tuple[dict[str, Any], str, str]] = {
    "without backups": (
        {"xinference_backup": False},
        "",
        "xinference_backup is false, so an upgrade would have no way back. Set it to true, give xinference_backup_password, and provision.",
    ),
    "backups that nobody set up": (
        {},
        "backups",
        "This host is not set up for backups yet, so an upgrade would have no way back. Provision it with the image that runs first.",
    ),
    "no container": ({}, "container", "does not run on this host, so there is no server to upgrade. Provision it first."),
    "no client": (
        {"xinference_client_environment": "/nowhere/client"},
        "",
        "There is no xinference-client on this host, so no server can be asked. Provision it with the image that runs first.",
    ),
    "upgrade to a tag that moves": (
        {"xinference_image_tag": "latest-cpu"},
        "",
        "xinference_image_tag 'latest-cpu' moves from release to release. Name a version such as v4.1.0-cpu.",
    ),
    "upgrade to a tag that is none": (
        {"xinference_image_tag": "v4.1.0 cpu"},
        "",
        "xinference_image_tag 'v4.1.0 cpu' is no image tag. Name a version such as v4.1.0-cpu.",
    ),
    "upgrade to an image with its tag": (
        {"xinference_image_tag": "xprobe/xinference:v4"},
        "",
        "what is before the ':' belongs in xinference_image.",
    ),
    "upgrade to a version of an attacker": (
        {"xinference_image_tag": "v2.6.1-cpu"},
        "",
        "xinference_image_tag 'v2.6.1-cpu' names a version of Xinference that was put on the package index by an attacker",
    ),
}


@dataclass(frozen=True)
class NotUpgraded:
    """What an upgrade did on hosts of which each has made a mistake.

    :param before: IDs of the containers by name.
    :param after: the same when it had ended.
    """

    folder: Path
    output: str
    before: dict[str, str]
    after: dict[str, str]


@pytest.fixture(scope="module")
def not_upgraded(tmp_path_factory: pytest.TempPathFactory) -> NotUpgraded:
    """One run, as for all hosts at once."""
    folder, hosts = tmp_path_factory.mktemp("upgrade"), {}
    make_client(folder / "client")
    with ExitStack() as stack:
        for case, (given, lacks, _sentence) in BEFORE_AN_UPGRADE.items():
            host = host_of(case)
            place = Upgradable(folder, f"xinference-mistakes-{host}", stack)
            if lacks != "container":
                place.run()
            if lacks != "backups":
                place.set_up_backups()
            hosts[host] = settings_of(folder / host, {**place.variables(), **given})
        made = containers()
        together = json.dumps({"xinference_upgrade_serial": "100%", "xinference_upgrade_max_fail_percentage": 100})
        code, output = on_hosts(folder, hosts, "upgrade", "-e", together)
        after = containers()
    assert code == 2, output
    return NotUpgraded(folder, output, made, after)


@pytest.mark.parametrize("case", BEFORE_AN_UPGRADE)
def test_mistake_before_an_upgrade(case: str, not_upgraded: NotUpgraded) -> None:
    host = host_of(case)
    says(failure(not_upgraded.output, host), BEFORE_AN_UPGRADE[case][2])
    assert re.search(rf"^{host} .* changed=0 ", not_upgraded.output, re.MULTILINE)
    assert not (not_upgraded.folder / host).exists()
    name = f"xinference-mistakes-{host}"
    assert not_upgraded.after.get(name) == not_upgraded.before.get(name)
    assert not Path(f"/var/lib/xinference-upgrade-{name}").exists()


def test_check_of_an_upgrade_to_an_image_that_is_not_there(root: Path) -> None:
    """Nobody can be asked: it is no mistake, and nothing is brought to the host."""
    with ExitStack() as stack:
        place = Upgradable(root.parent, "xinference-mistakes-check", stack)
        make_client(root.parent / "client")
        place.run()
        place.set_up_backups()
        made = containers()
        code, _message, output = play("upgrade", root, "--check", **place.variables())
        assert code == 0, output
        said = "Image inferops-test/none:v4.1.0-cpu is not on this host, so its server cannot be asked yet. A run with --tags fetch and without --check brings"
        assert said in output
        assert not root.exists()
        assert not Path("/var/lib/xinference-upgrade-xinference-mistakes-check").exists()
        assert {name: identity for name, identity in containers().items() if "xinference-mistakes" in name} == {place.container: made[place.container]}


def test_other_playbooks_while_an_upgrade_is_cut_off(root: Path) -> None:
    """One sentence each, and the server is left as it is."""
    with ExitStack() as stack:
        place = Upgradable(root.parent, "xinference-mistakes-other", stack)
        make_client(root.parent / "client")
        place.run()
        settings = place.set_up_backups()
        folder = record(stack, place.container, upgrade=CUT_OFF)
        started = docker("inspect", "--format", "{{ .Id }} {{ .State.StartedAt }}", place.container)
        code, message, output = play("restart", root, **place.variables())
        assert (code, message) == (
            2,
            "An upgrade of this host is under way, or was cut off. Wait for its run; if there is none, run playbook upgrade again, which ends it or goes back.",
        ), output
        code, message, output = play("restore", root, **place.variables())
        assert code == 2
        says(message, NOT_CERTAIN)
        # What playbook backup and the timer's unit run; the playbook wants restic on the host first.
        command = (BIN / "ansible", "localhost", "-i", "localhost,", "-c", "local", "-e", f"ansible_python_interpreter={sys.executable}")
        made = subprocess.run((*command, "-m", "inferops.xinference.backup", "-a", f"settings_path={settings}"), check=False, text=True, capture_output=True)
        assert made.returncode == 2, made.stdout + made.stderr
        assert (
            "An upgrade is under way, or was cut off, so there is nothing certain to back up; if no run is making it, run playbook upgrade again."
            in made.stdout
        )
        assert docker("inspect", "--format", "{{ .Id }} {{ .State.StartedAt }}", place.container) == started
        assert [path.name for path in folder.iterdir()] == ["upgrade.json"]
        assert (folder / "upgrade.json").read_text(encoding="utf-8") == CUT_OFF
        assert not root.exists()


def test_an_upgrade_whose_record_is_damaged_is_not_ended(root: Path) -> None:
    """Nobody knows which server ran before: what is there is left as it is."""
    with ExitStack() as stack:
        place = Upgradable(root.parent, "xinference-mistakes-damaged", stack)
        make_client(root.parent / "client")
        place.run()
        place.set_up_backups()
        file = record(stack, place.container, upgrade=CUT_OFF[:20]) / "upgrade.json"
        started = docker("inspect", "--format", "{{ .Id }} {{ .State.StartedAt }}", place.container)
        code, message, output = play("upgrade", root, **place.variables())
        assert code == 2, output
        assert message.endswith(
            f"'{file}' is damaged, so it is not known which server ran before. Remove it, provision this host with the image that is to run, and "
            "restore the last snapshot where another server wrote the data since."
        ), message
        assert re.search(r"^localhost .* changed=0 ", output, re.MULTILINE)
        assert file.read_text(encoding="utf-8") == CUT_OFF[:20]
        assert docker("inspect", "--format", "{{ .Id }} {{ .State.StartedAt }}", place.container) == started
        assert not root.exists()


@pytest.fixture
def image() -> str:
    """The server image of the tests."""
    return built("server")


#: What Python runs first: of the server it comes no further. However fast the machine is, it does not get ready; however slow, it says something.
WAITS = "import sys, time\nif 'xinference-local' in str(sys.orig_argv):\n    print('waits', flush=True)\n    time.sleep(3600)\n"


def test_server_that_is_not_ready_in_time(root: Path, image: str) -> None:
    """The last words of container and health check are in the message, and the teardown that follows keeps the data and what is the host's own."""
    name, _colon, tag = image.rpartition(":")
    variables: dict[str, Any] = {"xinference_image": name, "xinference_image_tag": tag, "xinference_virtual_environments": True}
    theirs = root.parent / "theirs"
    theirs.mkdir(0o751)
    os.chown(theirs, 1234, 1234)
    (theirs / "kept.txt").write_text("kept")
    variables["xinference_volumes"] = [*TREE, {"path": "more", "mode": "0700", "target": "/more"}, {"path": str(theirs), "target": "/theirs"}]
    variables["xinference_environment"] = {"HTTP_PROXY": "http://127.0.0.1:1", "XINFERENCE_DISABLE_METRICS": True, "EXAMPLE": 1}
    (theirs / "sitecustomize.py").write_text(WAITS)
    variables["xinference_environment"]["PYTHONPATH"] = "/theirs"
    variables["xinference_labels"] = {"managed": True}
    variables |= {"xinference_shm_size": "1 GiB", "xinference_log_max_size": "10MB", "xinference_memory": "2gb", "xinference_health_interval": 2}
    try:
        code, message, _output = provision(root, xinference_start_timeout=45, xinference_models=[], **variables)
        assert code == 2
        made = json.loads(subprocess.run(["docker", "inspect", "xinference-mistakes"], check=True, text=True, capture_output=True).stdout)[0]
        assert f"{root}/more:/more:rw" in [bind.replace(":rw,", ":rw") for bind in made["HostConfig"]["Binds"]]
        assert f"{theirs}:/theirs:rw" in made["HostConfig"]["Binds"]
        assert {"XINFERENCE_ENABLE_VIRTUAL_ENV=1", "XINFERENCE_DISABLE_METRICS=true", "EXAMPLE=1"} <= {*made["Config"]["Env"]}
        assert "NO_PROXY=localhost,127.0.0.1,::1,0.0.0.0" in made["Config"]["Env"]
        assert made["Config"]["Labels"]["managed"] == "true"
        assert (made["HostConfig"]["Memory"], made["HostConfig"]["ShmSize"]) == (2 << 30, 1 << 30)
        assert made["HostConfig"]["LogConfig"]["Config"]["max-size"] == "10m"
        assert message.startswith("The server is not ready: ")
        assert "Its container is running, health starting. The last words of its health check: 127.0.0.1:9997 does not answer: Connection refused." in message
        assert ". The last lines of its log: waits" in message
    finally:
        code, _message, output = play("teardown", root, **variables)
    assert code == 0, output
    assert (root / ".xinference/auth/auth.db").exists()
    code, _message, output = play("teardown", root, xinference_teardown_data=True, **variables)
    assert code == 0, output
    assert not root.exists()
    assert (theirs / "kept.txt").exists()
    assert (theirs.stat().st_uid, theirs.stat().st_gid, theirs.stat().st_mode & 0o777) == (1234, 1234, 0o751)


#: No mistakes.
MEANT: dict[str, dict[str, Any]] = {
    "tag of digits": {"xinference_image_tag": 41},
    "password of digits": {"xinference_admin_password": 1234567890},
    "sizes in words": {"xinference_memory": "1GiB", "xinference_shm_size": "8gb", "xinference_log_max_size": "10 MB"},
    "sizes in bytes": {"xinference_memory": 1 << 30, "xinference_shm_size": 1 << 30},
    "values that are no texts": {
        "xinference_environment": {"XINFERENCE_DISABLE_HEALTH_CHECK": 1, "HF_HUB_ENABLE_HF_TRANSFER": True},
        "xinference_labels": {"managed": True},
    },
    "policy of no": {"xinference_restart_policy": False},
    "loopback of IPv6": {"xinference_address": "::1"},
    "everything of IPv6": {"xinference_address": "::"},
}


@pytest.fixture(scope="module")
def predicted(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """Directory and output of a check on hosts with what is obviously meant, and on one with a mistake."""
    folder = tmp_path_factory.mktemp("predicted")
    hosts = {host_of(case): settings_of(folder / host_of(case), {"xinference_models": [], **given}) for case, given in MEANT.items()}
    hosts["mistaken"] = settings_of(folder / "mistaken", {"xinference_port": 0})
    return folder, on_hosts(folder, hosts, "provision", "--check", "--tags", "preflight,volumes,server")[1]


@pytest.mark.parametrize("case", MEANT)
def test_what_is_obviously_meant(case: str, predicted: tuple[Path, str]) -> None:
    """The check of everything predicts the container."""
    folder, output = predicted
    host = host_of(case)
    assert failure(output, host) == "", output
    assert re.search(rf"^{host} .* changed=[1-9].* failed=0 ", output, re.MULTILINE), output
    assert not (folder / host).exists()


def test_check_mode_reports_the_same(predicted: tuple[Path, str]) -> None:
    says(failure(predicted[1], "mistaken"), "xinference_port '0' is no port.")


def test_teardown_of_a_folder_that_is_not_ours(tmp_path: Path) -> None:
    roots = {"root": Path("/"), "srv": Path("/srv"), "not-ours": tmp_path / "not-ours"}
    kept = tmp_path / "not-ours" / "kept.txt"
    kept.parent.mkdir()
    kept.write_text("kept")
    hosts = {host: settings_of(root, {"xinference_teardown_data": True}) for host, root in roots.items()}
    # In check mode, so that a failing test costs nobody a directory.
    code, output = on_hosts(tmp_path, hosts, "teardown", "--check")
    assert code == 2, output
    for host, root in roots.items():
        assert failure(output, host).startswith(f"xinference_data_root '{root}' is no tree of this collection"), output
    assert kept.exists()


def test_a_server_without_accounts_is_not_started_where_some_were_wanted(root: Path) -> None:
    """An image that is too old, or none of Xinference."""
    repository, _colon, tag = built("base").rpartition(":")
    code, _message, output = provision(root, "--tags", "volumes,server", xinference_image=repository, xinference_image_tag=tag)
    assert code == 2
    assert "The first administrator could not be made: this version of the server has no accounts, and would let in everybody" in output
    assert ours() == set()


def test_index_that_cannot_be_reached(root: Path) -> None:
    """An island with a wrong index or proxy: the installer's own words, and no server is touched."""
    code, _message, output = provision(
        root,
        *("--tags", "models", "-v", "--diff"),
        xinference_client_environment=str(root.parent / "client"),
        xinference_client_index_url="https://reader:marked-secret@packages.invalid/simple",
        xinference_client_proxy="http://reader:marked-secret@127.0.0.1:1",
    )
    assert code == 2
    assert "Cannot connect to proxy" in output
    assert "packages.invalid/simple" in output
    assert "marked-secret" not in output
    assert (root.parent / "client/pip.conf").stat().st_mode & 0o777 == 0o600
    assert not root.exists()


OTHER_MODELS = """
- hosts: all
  gather_facts: false
  tasks:
    - name: Check that the files of each list were searched
      ansible.builtin.include_role:
        name: inferops.xinference.preflight
      vars:
        xinference_models: "{{ models }}"
      loop: "{{ lists }}"
      loop_control: {loop_var: models, label: "{{ models | length }}"}
"""


def test_another_declaration_in_the_same_play(root: Path) -> None:
    """The second one names a file that was not searched on the host."""
    playbook = root.parent / "lists.yml"
    playbook.write_text(OTHER_MODELS, encoding="utf-8")
    lists = {"lists": [[CHAT], [{**CHAT, "path": "/models/none.gguf"}]]}
    given = {name: value for name, value in settings_of(root, lists).items() if name != "xinference_models"}
    command = (BIN / "ansible-playbook", "-c", "local", "-i", "localhost,", "-e", json.dumps(given), playbook)
    done = subprocess.run(command, check=False, text=True, capture_output=True)
    assert done.returncode == 2, done.stdout
    says(failure(done.stdout), "Model 'chat': path '/models/none.gguf' does not exist. Copy it to ")


TWO_SERVERS = """
- hosts: all
  gather_facts: false
  tasks:
    - name: See that each server is judged by its own facts
      ansible.builtin.include_role:
        name: inferops.xinference.preflight
      vars:
        xinference_container_name: "{{ server.name }}"
        xinference_data_root: "{{ server.root }}"
      loop: "{{ servers }}"
      loop_control: {loop_var: server, label: "{{ server.name }}"}
"""
IMPORTED = """
- name: The first server
  import_playbook: inferops.xinference.provision
  vars:
    xinference_container_name: xinference-mistakes
    xinference_data_root: "{{ servers[0].root }}"
- name: The second server
  import_playbook: inferops.xinference.provision
  vars:
    xinference_container_name: xinference-mistakes-two
    xinference_data_root: "{{ servers[1].root }}"
"""


@pytest.mark.parametrize("written", [TWO_SERVERS, IMPORTED], ids=["one play", "two plays"])
def test_two_servers_of_one_host(tmp_path: Path, written: str) -> None:
    """The second one is judged by what was asked for it, in one play and in two; that of the other host is itself a home."""
    playbook = tmp_path / "two.yml"
    playbook.write_text(written, encoding="utf-8")
    (tmp_path / "home/auth").mkdir(parents=True)
    hosts = {}
    for host, second in (("good", tmp_path / "other"), ("bad", tmp_path / "home")):
        given = {name: value for name, value in settings_of(tmp_path / host, {}).items() if name not in ("xinference_container_name", "xinference_data_root")}
        roots = (("xinference-mistakes", tmp_path / host), ("xinference-mistakes-two", second))
        hosts[host] = {**given, "servers": [{"name": name, "root": str(root)} for name, root in roots]}
    code, output = on_hosts(tmp_path, hosts, str(playbook), "--check", "--tags", "preflight,all" if "loop" in written else "preflight")
    assert code == 2, output
    assert failure(output, "good") == "", output
    assert re.search(r"^good .* failed=0 ", output, re.MULTILINE), output
    says(failure(output, "bad"), f"xinference_data_root '{tmp_path / 'home'}' is itself a server's home: auth lies in it.")


#: A server whose administrator has another password, as far as that is asked before anything else.
ANOTHER_PASSWORD = """
import http.server, json

class Server(http.server.BaseHTTPRequestHandler):
    def answer(self, status, content):
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        self.answer(*((200, {"auth": True}) if self.path == "/v1/cluster/auth" else (401, {"detail": "Not authenticated"})))

    def do_POST(self):
        self.answer(401, {"detail": "Incorrect username or password"})

http.server.ThreadingHTTPServer(("", 9997), Server).serve_forever()
"""


@dataclass(frozen=True)
class Sick:
    """A host with which something is wrong.

    :param variables: what differs in its variables.
    :param container: words of ``docker run`` after the name, and the command; none for a host without a container.
    :param stopped: whether the container is stopped.
    :param row: check, subject, and how what was seen begins.
    """

    variables: dict[str, Any]
    container: tuple[str, ...]
    row: tuple[str, str, str]
    stopped: bool = False


_SLEEPS = (built("base"), "sleep", "infinity")
_DIAGNOSED_PORT, _OPEN_PORT = free_port(), free_port()
SICK: dict[str, Sick] = {
    "diagnosis without docker": Sick(
        {"xinference_docker_host": "unix:///nowhere/docker.sock"},
        (),
        ("docker", "docker", "No Docker Engine answers: there is no socket /nowhere/docker.sock."),
    ),
    "diagnosis without a container": Sick({}, (), ("container", "{name}", "There is no container '{name}'.")),
    "diagnosis of a container that is stopped": Sick({}, _SLEEPS, ("container", "{name}", "The container has ended."), stopped=True),
    "diagnosis with another password": Sick(
        {"xinference_port": _DIAGNOSED_PORT},
        ("--publish", f"127.0.0.1:{_DIAGNOSED_PORT}:9997", built("base"), "python3", "-c", ANOTHER_PASSWORD),
        ("account", "", "The server refuses the account of this run: "),
    ),
    "diagnosis where nobody listens": Sick(
        {"xinference_address": "0.0.0.0", "xinference_port": _OPEN_PORT, "xinference_diagnose_address": "127.0.0.1"},
        _SLEEPS,
        ("port", "the published port", "The controller does not reach the published port: "),
    ),
}


@dataclass(frozen=True)
class Diagnosed:
    """What a diagnosis said of hosts with each of which something is wrong.

    :param shown: the lines of the table and below it.
    :param written: the file with the data.
    :param before: what Docker says of the containers, before it.
    :param after: the same after it.
    """

    code: int
    output: str
    folder: Path
    shown: str
    written: dict[str, Any]
    before: str
    after: str


@pytest.fixture(scope="module")
def diagnosed(tmp_path_factory: pytest.TempPathFactory) -> Diagnosed:
    """One run, as for all hosts at once, that fails at the end because it was asked to."""
    folder, hosts = tmp_path_factory.mktemp("diagnosed"), {}
    with ExitStack() as stack:
        for case, sick in SICK.items():
            name = f"xinference-mistakes-{host_of(case)}"
            stack.callback(subprocess.run, ("docker", "rm", "--force", "--volumes", name), capture_output=True, check=False)
            if sick.container:
                docker("run", "--detach", "--init", "--name", name, "--label", "io.inferops.collection=inferops.xinference", *sick.container)
            if sick.stopped:
                docker("stop", name)
            # The client of the tests: nothing is written there.
            own = {"xinference_container_name": name, "xinference_client_environment": sys.prefix, **sick.variables}
            hosts[host_of(case)] = settings_of(folder / host_of(case), own)
        ids = [name for name in containers() if "xinference-mistakes-diagnosis" in name]
        state = ("inspect", "--format", "{{ .Id }} {{ .State.Status }} {{ .State.StartedAt }} {{ .RestartCount }}", *ids)
        before = docker(*state)
        extra = {"xinference_diagnose_directory": str(folder / "written"), "xinference_diagnose_fail_on": "critical"}
        code, output = on_hosts(folder, hosts, "diagnose", "-e", json.dumps(extra))
        after = docker(*state)
    shown = re.search(r"^TASK \[Show what was found\] \*+\n(.*?)^ok: ", output, re.MULTILINE | re.DOTALL)
    assert shown is not None, output
    text = (folder / "written/diagnosis.json").read_text(encoding="utf-8")
    assert "marked-secret" not in text + (folder / "written/diagnosis.html").read_text(encoding="utf-8")
    return Diagnosed(code, output, folder, shown[1], json.loads(text), before, after)


@pytest.mark.parametrize("case", SICK)
def test_what_is_wrong_is_a_row_of_the_diagnosis(case: str, diagnosed: Diagnosed) -> None:
    host, name = host_of(case), f"xinference-mistakes-{host_of(case)}"
    check, subject, seen = (part.format(name=name) for part in SICK[case].row)
    found = [each for each in diagnosed.written[host]["findings"] if (each["check"], each["subject"]) == (check, subject)]
    assert [each["severity"] for each in found] == ["critical"], diagnosed.written[host]
    assert found[0]["seen"].startswith(seen)
    assert found[0]["remedy"]
    # The host's cell is cut off where its name is long.
    assert re.search(rf"^{host[:23]}\S* +critical +{check} ", diagnosed.shown, re.MULTILINE), diagnosed.shown
    assert f"{host}: critical: {check}" in diagnosed.shown
    # What could not be checked is not passed over in silence.
    assert {each["check"] for each in diagnosed.written[host]["unchecked"]} >= {"models"}


def test_a_diagnosis_fails_where_it_is_asked_to_and_changes_nothing(diagnosed: Diagnosed) -> None:
    hosts = [host_of(case) for case in SICK]
    assert diagnosed.code == 2, diagnosed.output
    assert failure(diagnosed.output, hosts[0]) == f"Something is critical on {', '.join(hosts)}."
    assert [failure(diagnosed.output, host) for host in hosts[1:]] == [""] * (len(hosts) - 1)
    assert diagnosed.after == diagnosed.before
    # The first host has the tasks that write on the controller.
    assert all(re.search(rf"^{host} .* changed=0 ", diagnosed.output, re.MULTILINE) for host in hosts[1:])
    assert {path.name for path in diagnosed.folder.iterdir()} == {"inventory.json", "written"}
    assert {path.name: path.stat().st_mode & 0o777 for path in (diagnosed.folder / "written").iterdir()} == {
        "diagnosis.html": 0o640,
        "diagnosis.json": 0o640,
    }


#: Variables of a support bundle, and what is said of them.
BUNDLED: dict[str, tuple[dict[str, Any], str]] = {
    "bundle with too little of each log": (
        {"xinference_support_bundle_log_kib": 5},
        "xinference_support_bundle_log_kib 5 must be a whole number from 16 to 4096.",
    ),
    "bundle without a directory": (
        {"xinference_support_bundle_directory": ""},
        "xinference_support_bundle_directory is empty; name a directory of the controller.",
    ),
    "bundle that is gone with the job": (
        {"awx_job_id": 7},
        "xinference_support_bundle_directory 'support' is one of this job, and gone with it; name one that AWX exposes to jobs, from / on.",
    ),
    "bundle in place of a file": (
        {"xinference_support_bundle_directory": __file__},
        f"xinference_support_bundle_directory '{__file__}' is a file on the controller; name a directory.",
    ),
}


def test_a_support_bundle_that_cannot_be_written(tmp_path: Path) -> None:
    hosts = {host_of(case): settings_of(tmp_path / host_of(case), variables) for case, (variables, _said) in BUNDLED.items()}
    code, output = on_hosts(tmp_path, hosts, "support_bundle", "-e", "xinference_hosts=all")
    assert code == 2, output
    for case, (_variables, said) in BUNDLED.items():
        assert failure(output, host_of(case)) == said
        untouched(tmp_path / host_of(case), output, host_of(case))
    assert {path.name for path in tmp_path.iterdir()} == {"inventory.json"}


def test_a_diagnosis_that_is_to_fail_from_a_severity_that_is_none(root: Path) -> None:
    code, message, output = play("diagnose", root, xinference_diagnose_fail_on="error")
    assert code == 2, output
    says(message, "xinference_diagnose_fail_on 'error' is unknown; allowed: never, critical, warning.")
    untouched(root, output)


_CLUSTER_KEY = "marked-secret-of-a-cluster-that-is-long-enough"
#: Groups, what all hosts are given, what single ones are, and what each of some hosts says. Each is refused before anything is changed.
CLUSTERS: dict[str, tuple[tuple[list[str], list[str]], dict[str, Any], dict[str, dict[str, Any]], dict[str, tuple[str, ...]]]] = {
    "two supervisors, and a key that is too short": (
        (["one", "two"], ["three"]),
        {"xinference_cluster_key": "marked-secret"},
        {},
        {
            "three": (
                "Group xinference_supervisor has 2 hosts (one, two), but a cluster has one supervisor.",
                "xinference_cluster_key is too short. Choose one of at least 32 letters, digits, '-' and '_', such as",
            )
        },
    ),
    "addresses that no other host reaches": (
        (["one"], ["two", "three"]),
        {},
        {"one": {"xinference_cluster_address": "192.0.2.7"}, "two": {"xinference_cluster_address": "fd00::7"}, "three": {"xinference_cluster_address": ""}},
        {
            "one": (
                "xinference_cluster_address '192.0.2.7' of host 'one' is on no interface of it.",
                "xinference_cluster_address 'fd00::7' of host 'two' is an IPv6 address, and a cluster of Xinference knows IPv4 alone.",
                "xinference_cluster_address '' of host 'three' is empty.",
            )
        },
    ),
    "ports and workers that are none": (
        (["one"], ["two"]),
        {
            "xinference_cluster_replica_ports": "30100-30105",
            "xinference_cluster_supervisor_port": 9997,
            "xinference_cluster_worker_port": 70000,
            "xinference_cluster_key": "",
            "xinference_cluster_without_key": True,
            "xinference_image_tag": "v3.5.0-cpu",
            "xinference_models": [{**CHAT, "workers": ["tow"]}],
        },
        {},
        {
            "one": (
                "xinference_cluster_replica_ports '30100-30105' has 6 ports, which is too few",
                "xinference_cluster_supervisor_port '9997' is the port of the server's API in the container.",
                "xinference_cluster_worker_port '70000' is no port.",
                "xinference_models (uid 'chat'): workers 'tow' is no host of group xinference_workers; allowed: two; did you mean 'two'?",
            )
        },
    ),
    "versions that know no key, and differ": (
        (["one"], ["two"]),
        {"xinference_cluster_without_key": False},
        {"one": {"xinference_image_tag": "v3.5.0-cpu"}, "two": {"xinference_image_tag": "v2.4.0-cpu"}},
        {
            "one": (
                "xinference_image_tag 'v3.5.0-cpu' names a version of Xinference before 4.0.1, which knows no key",
                "The hosts of the cluster have different images: ",
            ),
            "two": ("names a version of Xinference before 2.5.0, whose workers do not come back", "The hosts of the cluster have different images: "),
        },
    ),
    "a key, and none": (
        (["one"], ["two"]),
        {"xinference_cluster_without_key": True},
        {},
        {"one": ("xinference_cluster_key is set, and xinference_cluster_without_key is true.",)},
    ),
}


#: Those that make test runs. Between them they set every variable of a cluster.
_FIRST_CLUSTERS = ("addresses that no other host reaches", "ports and workers that are none")


@pytest.mark.parametrize("case", [case if case in _FIRST_CLUSTERS else pytest.param(case, marks=_ANOTHER) for case in CLUSTERS])
def test_mistake_in_a_cluster(case: str, tmp_path: Path) -> None:
    (supervisors, workers), everywhere, own, said = CLUSTERS[case]
    names = [*supervisors, *workers]
    # Each host is this machine, which has all of these addresses.
    hosts = {
        name: {
            **settings_of(tmp_path / name, {"xinference_container_name": "xinference-mistakes", "xinference_cluster_key": _CLUSTER_KEY}),
            "xinference_cluster_address": f"127.0.0.{number}",
            **everywhere,
            **own.get(name, {}),
        }
        for number, name in enumerate(names, 2)
    }
    groups: dict[str, Any] = {"xinference_supervisor": {name: {} for name in supervisors}, "xinference_workers": {name: {} for name in workers}}
    inventory = tmp_path / "inventory.json"
    inventory.write_text(json.dumps({"all": {"hosts": hosts, "children": {name: {"hosts": group} for name, group in groups.items()}}}), encoding="utf-8")
    code, output = ansible("provision", "-i", inventory)
    assert code == 2
    for name in names:
        untouched(tmp_path / name, output, name)
        message = failure(output, name)
        for sentence in said.get(name, ()):
            assert sentence in message, message
