#!/usr/bin/python
# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ask the server of another image what it knows, before it takes the place of the one that runs."""

from __future__ import annotations

DOCUMENTATION = r"""
module: upgrade_info
short_description: Ask the server of another image whether it can take the place of the one that runs
version_added: 0.1.0
description:
  - Starts a container of O(image) without network, with a copy of the accounts and registrations of the server that runs, and asks it for every declared
    model. It launches nothing, because it gets no launch history. In the end the container is removed.
  - The new server has the same questions to answer as the server that runs has before module M(inferops.xinference.models) launches anything.
  - With O(username) and O(password), it is logged in to the new server with it, which shows that the accounts survive the change of its database.
  - Needs the image on the host, and 2 GiB of memory that is free.
  - Role P(inferops.xinference.upgrade#role) calls it.
author:
  - inferops contributors (@inferops)
extends_documentation_fragment:
  - inferops.xinference._connection
  - inferops.xinference._connection.actiongroup
  - inferops.xinference._files
  - inferops.xinference._names
attributes:
  check_mode:
    description: Asks the same as without it.
    support: full
  diff_mode:
    description: Changes nothing, so there is nothing to show.
    support: N/A
  idempotent:
    description: Changes nothing.
    support: full
  platform:
    description: Hosts with a Docker Engine behind a Unix socket.
    support: full
    platforms: linux
options:
  settings_path:
    description: File with the settings of the host's backups, which role P(inferops.xinference.backup#role) wrote. It names the container.
    type: path
    required: true
  image:
    description: Reference of the image that is asked. It must be on the host.
    type: str
    required: true
  environment:
    description: Variables of the new server's environment.
    type: dict
    default: {}
  preparation:
    description: Text of the program by which role P(inferops.xinference.server#role) prepares a server's directory.
    type: str
    required: true
  prepared:
    description: What that program is given, without the directory and without the account, which is that of O(username).
    type: dict
    required: true
  health:
    description: Text of the health check of role P(inferops.xinference.server#role).
    type: str
    required: true
  start_timeout:
    description: Seconds for which it is waited until the new server is healthy.
    type: float
    default: 300
  models:
    description: The declared models, as module M(inferops.xinference.models) takes them.
    type: list
    elements: raw
    default: []
  declaration_path:
    description: File with the declaration that the host has stored. Its models are asked for as well, where O(earlier_models=keep).
    type: path
  earlier_models:
    description: What is done with models that the host has stored and O(models) does not name, as of module M(inferops.xinference.models).
    type: str
    choices: [keep, forget]
    default: keep
  validate_engine_options:
    description: Whether unknown engine options are refused.
    type: bool
    default: true
  check_memory:
    description: Whether models are refused that together do not fit into O(memory_mib).
    type: bool
    default: true
  cores:
    description: Processor cores that the new server may use. If not set, it is asked.
    type: float
  memory_mib:
    description: Memory that the new server may use, in MiB. If not set, it is asked.
    type: int
seealso:
  - module: inferops.xinference.upgrade
  - module: inferops.xinference.models
"""

EXAMPLES = r"""
- name: Ask the new server
  inferops.xinference.upgrade_info:
    endpoint: http://127.0.0.1:9997
    settings_path: /etc/xinference-backup/settings.json
    image: xprobe/xinference:v4.1.0-cpu
    environment: {XINFERENCE_AUTH_ADVANCED: "false"}
    preparation: "{{ lookup('ansible.builtin.file', 'prepare.py') }}"
    prepared: {user: "0:0", folders: [], keeper: "", administrator_alone: true, without_accounts: it has no accounts}
    health: "{{ lookup('ansible.builtin.file', 'health.py') }}"
  register: asked
"""

RETURN = r"""
server_version:
  description: Version of the new server; empty where its image does not say.
  returned: success
  type: str
running_version:
  description: Version of the server that runs; null where the account may not see it.
  returned: success
  type: str
same_image:
  description: Whether the server that runs is of this image already. It was not asked then, and the lists are empty.
  returned: success
  type: bool
models:
  description: The declared models that are to run.
  returned: success
  type: list
  elements: dict
  contains:
    uid:
      description: Name under which the model is served.
      type: str
      returned: success
    today:
      description: How it runs on the server that runs, or that it does not.
      type: str
      returned: success
    then:
      description: What can run it on the new server, or why that refuses it.
      type: str
      returned: success
    refused:
      description: Whether the new server refuses it.
      type: bool
      returned: success
problems:
  description: Why the new server cannot take the place of the one that runs, one sentence each.
  returned: success
  type: list
  elements: str
notes:
  description: What is different on the new server besides, one sentence each.
  returned: success
  type: list
  elements: str
"""

from dataclasses import asdict
from pathlib import Path
from typing import Any

from ansible_collections.inferops.xinference.plugins.module_utils._compared import declared_and_stored
from ansible_collections.inferops.xinference.plugins.module_utils._core.backup.contents import BackupError, sentence
from ansible_collections.inferops.xinference.plugins.module_utils._core.backup.helper import Helper, Server
from ansible_collections.inferops.xinference.plugins.module_utils._core.backup.settings import read_settings
from ansible_collections.inferops.xinference.plugins.module_utils._core.backup.staging import staging
from ansible_collections.inferops.xinference.plugins.module_utils._core.base.errors import AuthenticationError, XinferenceError
from ansible_collections.inferops.xinference.plugins.module_utils._core.base.messages import shown
from ansible_collections.inferops.xinference.plugins.module_utils._core.host.declaration_file import EARLIER, KEEP
from ansible_collections.inferops.xinference.plugins.module_utils._core.host.docker import DockerSocket
from ansible_collections.inferops.xinference.plugins.module_utils._core.host.replacement import docker_words
from ansible_collections.inferops.xinference.plugins.module_utils._core.reconcile.options import ReconcileOptions, files_of
from ansible_collections.inferops.xinference.plugins.module_utils._core.server.client import Client
from ansible_collections.inferops.xinference.plugins.module_utils._core.server.relay import ENDPOINT, RelayAdapter
from ansible_collections.inferops.xinference.plugins.module_utils._core.upgrade.preview import Preview, preview
from ansible_collections.inferops.xinference.plugins.module_utils._core.upgrade.rehearsal import Rehearsal, Wanted, require_memory
from ansible_collections.inferops.xinference.plugins.module_utils._files import files_spec
from ansible_collections.inferops.xinference.plugins.module_utils._module import attempt, connect, connection_spec, names_spec
from ansible_collections.inferops.xinference.plugins.module_utils._secrets import ModelsModule, hide_environment


def ask(module: ModelsModule, raw: list[Any]) -> dict[str, Any]:
    """What the new server says."""
    given = module.params
    settings = read_settings(given["settings_path"])
    docker = DockerSocket(settings.docker_host)
    server_files, _file = files_of(given)
    declared = declared_and_stored(module, raw)
    image = docker.image(given["image"])
    if image is None:
        raise XinferenceError(f"There is no image '{given['image']}' on this host; bring it there first.")
    server = Server(docker, settings.container)
    today = connect(module)
    version = today.version()
    answer: dict[str, Any] = {"running_version": version and shown(version), "server_version": "", "same_image": image["Id"] == server.image_id}
    if answer["same_image"]:
        return {**answer, **asdict(Preview())}
    require_memory()
    account = {"username": given["username"], "password": given["password"], "permissions": ["admin"]} if given["username"] else None
    wanted = Wanted(
        image_id=str(image["Id"]),
        environment={str(name): str(value) for name, value in given["environment"].items()},
        preparation=given["preparation"],
        prepared={**given["prepared"], "account": account},
        health=given["health"],
        seconds=given["start_timeout"],
    )
    options = ReconcileOptions(
        check=True,
        check_memory=given["check_memory"],
        cores=given["cores"],
        memory_mib=given["memory_mib"],
        server_files=server_files,
        names=given["option_names"],
    )
    rehearsal = Rehearsal(docker, settings.container, wanted)
    with staging(settings) as work:
        (work / "home").mkdir(mode=0o700)
        files, _found = Helper(docker, server).collect(Path(work, "home"), [])
        with rehearsal.ready(work / "home", files):
            found = preview(today, _log_in(module, rehearsal), declared, options, [file.path for file in files])
    return {**answer, "server_version": rehearsal.version, **asdict(found)}


def _log_in(module: ModelsModule, rehearsal: Rehearsal) -> Client:
    """The new server, with the account of this run."""
    given = module.params
    arguments = {name: given[name] for name in ("username", "password", "timeout")}
    try:
        return Client(ENDPOINT, adapter=RelayAdapter(rehearsal.ask), **arguments)
    except AuthenticationError as error:
        raise XinferenceError(f"account '{given['username']}' cannot log in to the new server, so its accounts would be lost: {error}") from error


def argument_spec() -> dict[str, dict[str, Any]]:
    """The module's options."""
    return {
        **connection_spec(),
        **files_spec(),
        "settings_path": {"type": "path", "required": True},
        "image": {"type": "str", "required": True},
        "environment": {"type": "dict", "default": {}},
        "preparation": {"type": "str", "required": True},
        "prepared": {"type": "dict", "required": True},
        "health": {"type": "str", "required": True},
        "start_timeout": {"type": "float", "default": 300.0},
        "models": {"type": "list", "elements": "raw", "default": []},
        "declaration_path": {"type": "path"},
        "earlier_models": {"type": "str", "choices": list(EARLIER), "default": KEEP},
        "validate_engine_options": {"type": "bool", "default": True},
        "check_memory": {"type": "bool", "default": True},
        "cores": {"type": "float"},
        "memory_mib": {"type": "int"},
        **names_spec(),
    }


def main() -> None:
    """Entry point."""
    module = ModelsModule(argument_spec=argument_spec(), supports_check_mode=True, required_together=[("username", "password")])
    raw = hide_environment(module, "models")

    def asked() -> dict[str, Any]:
        try:
            return ask(module, raw)
        except BackupError as error:
            # What happened while the files were on their way has no dot.
            words = f"image '{module.params['image']}' cannot take the place of the one that runs: {error}"
            raise XinferenceError(sentence(BackupError(words))) from error
        except OSError as error:
            raise XinferenceError(f"Docker, or the file system, does not do it: {docker_words(error).rstrip('.')}.") from error

    module.exit_json(changed=False, **attempt(module, asked))


if __name__ == "__main__":
    main()
