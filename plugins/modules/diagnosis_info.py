#!/usr/bin/python
# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Diagnose a host, its server and its models."""

from __future__ import annotations

DOCUMENTATION = r"""
module: diagnosis_info
short_description: Diagnose an Xinference host, its server and its models
version_added: 0.1.0
description:
  - Compares what a host, its container and its server are with what was declared, and returns what is wrong, what that means, and what to do about it.
    It changes nothing.
  - It compares the models as module M(inferops.xinference.models) does in check mode, reads their files and the server's log as far as this host sees them, and
    runs one program in the container, which checks the mounts and the port from inside.
  - Role P(inferops.xinference.diagnose#role) calls it with what the other roles know of the host.
author:
  - inferops contributors (@inferops)
extends_documentation_fragment:
  - inferops.xinference._connection
  - inferops.xinference._connection.actiongroup
  - inferops.xinference._compared
  - inferops.xinference._files
  - inferops.xinference._names
attributes:
  check_mode:
    description: Reads the same as without it.
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
  facts:
    description: The host, as module M(inferops.xinference.host_info) returns it, with what the roles ask it for.
    type: dict
    required: true
  container:
    description: Name of the container.
    type: str
    required: true
  docker_host:
    description: Address of Docker's socket.
    type: str
    default: unix:///var/run/docker.sock
  published:
    description: Address and port on which the server is to be published, such as V(127.0.0.1:9997).
    type: str
    required: true
  declared_mounts:
    description: Mounts that the container is to have, as Docker writes them, such as V(/srv/xinference_data/models:/models:ro).
    type: list
    elements: str
    default: []
  differing_directories:
    description: Directories of the tree that differ from the declared one, each with C(place) and C(mode), as filter C(volume_folders) returns them.
    type: list
    elements: dict
    default: []
  secret_paths:
    description: Files of the host with accounts or keys, which nobody but their owner is to read.
    type: list
    elements: path
    default: []
  units:
    description: Units of systemd whose state is asked for.
    type: list
    elements: str
    default: []
  room_paths:
    description: >-
      Paths of the host of which the free space is checked, besides what the container writes and where Docker keeps images and containers.
    type: list
    elements: path
    default: []
  checksums:
    description: Whether files that a hub named by their SHA-256 are read whole and compared with it, which takes some seconds for each GiB.
    type: bool
    default: false
  from_controller:
    description: What other machines are to reach, in words such as V(the proxy). If empty, nothing.
    type: str
    default: ""
  not_from_controller:
    description: Why the controller does not reach that. If empty, it does. If not set, it did not try.
    type: str
  address_declared:
    description: Whether the address by which the controller tried it was declared. If so, that it does not answer is critical, otherwise a warning.
    type: bool
    default: false
  controller_time:
    description: The controller's time, in seconds since the epoch. If not set, the clocks are not compared.
    type: float
seealso:
  - module: inferops.xinference.models
  - module: inferops.xinference.host_info
"""

EXAMPLES = r"""
- name: Read the host
  inferops.xinference.host_info:
    container: xinference
    data_root: /srv/xinference_data
    service:
      units: [xinference-models.service]
      user: xinference-models
      program: /usr/local/lib/xinference-models
      state: /var/lib/xinference-models/state.json
  register: found

- name: Diagnose it
  inferops.xinference.diagnosis_info:
    facts: "{{ found.host }}"
    container: xinference
    published: 127.0.0.1:9997
    username: admin
    password: "{{ vault_xinference_admin_password }}"
    declaration_path: /var/lib/xinference-models/declaration.json
    mounts: {/root/.xinference: /srv/xinference_data/.xinference}
  register: seen

- name: Require that nothing keeps a model from answering
  ansible.builtin.assert:
    that: seen.diagnosis.severity != 'critical'
    fail_msg: "{{ seen.diagnosis.findings | map(attribute='seen') | join(' ') }}"
"""

RETURN = r"""
diagnosis:
  description: What was found.
  returned: success
  type: dict
  contains:
    time:
      description: When, in UTC.
      type: str
      returned: success
      sample: "2026-01-31T12:00:00Z"
    severity:
      description: The worst severity of the findings, V(critical), V(warning) or V(note); V(ok) without findings.
      type: str
      returned: success
    server:
      description: Version of the server; null where it is not known.
      type: str
      returned: success
    image:
      description: Image of the container; null where there is none.
      type: str
      returned: success
    findings:
      description: What is wrong, the worst first.
      type: list
      elements: dict
      returned: success
      contains:
        check:
          description: What was checked.
          type: str
          returned: success
          sample: mounts
        severity:
          description: V(critical), models do not answer or soon will not; V(warning), something is wrong that does not keep them from it yet; V(note).
          type: str
          returned: success
        subject:
          description: Uid, path or unit that it is about; empty where that is the host.
          type: str
          returned: success
        seen:
          description: What was seen, a sentence.
          type: str
          returned: success
        meaning:
          description: What that means, a sentence; may be empty.
          type: str
          returned: success
        remedy:
          description: What to do, a sentence or a command; may be empty.
          type: str
          returned: success
    models:
      description: Every model that is declared or runs.
      type: list
      elements: dict
      returned: success
      contains:
        uid:
          description: The model.
          type: str
          returned: success
        state:
          description: V(as declared), V(differs), V(missing), V(failed), V(loading), V(not declared) or V(unverified).
          type: str
          returned: success
        differences:
          description: >-
            What runs and what is declared, such as V(n_ctx: 4096 → 2048); of an unverified model, the fields that cannot be compared.
          type: list
          elements: str
          returned: success
        message:
          description: The server's words about a failed launch.
          type: str
          returned: success
    logs:
      description: What the logs take, and what bounds them; empty without a container.
      type: list
      elements: dict
      returned: success
      contains:
        log:
          description: V(container), the log that Docker keeps; V(server), the server's own files.
          type: str
          returned: success
        bytes:
          description: Bytes of all its files; null where that is not known.
          type: int
          returned: success
        bound:
          description: Bytes that they take at most; null where nothing bounds them, or that is not known.
          type: int
          returned: success
    checks:
      description: What was checked.
      type: list
      elements: str
      returned: success
    unchecked:
      description: What could not be checked, each with C(check) and C(reason).
      type: list
      elements: dict
      returned: success
"""

from typing import Any

from ansible_collections.inferops.xinference.plugins.module_utils._commands import plainly
from ansible_collections.inferops.xinference.plugins.module_utils._compared import compared_spec, connect_as_launcher, declared_and_stored, options_to_compare
from ansible_collections.inferops.xinference.plugins.module_utils._core.base.errors import DeclarationError, XinferenceError
from ansible_collections.inferops.xinference.plugins.module_utils._core.diagnose.diagnose import Wanted, diagnose
from ansible_collections.inferops.xinference.plugins.module_utils._core.diagnose.evidence import Asked, Evidence, SwapTraffic, gather
from ansible_collections.inferops.xinference.plugins.module_utils._core.diagnose.files import ModelFiles
from ansible_collections.inferops.xinference.plugins.module_utils._core.diagnose.server import ServerReading, read_server
from ansible_collections.inferops.xinference.plugins.module_utils._core.reconcile.options import files_of
from ansible_collections.inferops.xinference.plugins.module_utils._core.server.session import MISSING
from ansible_collections.inferops.xinference.plugins.module_utils._files import files_spec
from ansible_collections.inferops.xinference.plugins.module_utils._module import attempt, connect, connection_spec
from ansible_collections.inferops.xinference.plugins.module_utils._secrets import ModelsModule, hide_environment


def argument_spec() -> dict[str, dict[str, Any]]:
    """The module's options."""
    return {
        **connection_spec(),
        **files_spec(),
        "facts": {"type": "dict", "required": True},
        "container": {"type": "str", "required": True},
        "docker_host": {"type": "str", "default": "unix:///var/run/docker.sock"},
        "published": {"type": "str", "required": True},
        "declared_mounts": {"type": "list", "elements": "str", "default": []},
        "differing_directories": {"type": "list", "elements": "dict", "default": []},
        # Paths, which are no secrets themselves.
        "secret_paths": {"type": "list", "elements": "path", "default": [], "no_log": False},
        "units": {"type": "list", "elements": "str", "default": []},
        "room_paths": {"type": "list", "elements": "path", "default": []},
        "checksums": {"type": "bool", "default": False},
        "from_controller": {"type": "str", "default": ""},
        "not_from_controller": {"type": "str"},
        "address_declared": {"type": "bool", "default": False},
        "controller_time": {"type": "float"},
        **compared_spec(),
    }


def _reading(module: ModelsModule, raw: list[Any] | None) -> ServerReading:
    """What the server says, if it can be asked."""
    given = module.params
    container = given["facts"]["docker"]["container"] or {}
    try:
        declared = declared_and_stored(module, raw)
    except DeclarationError:
        # Of what was declared in this run, which is the operator's to correct first.
        raise
    except XinferenceError as error:
        return ServerReading(trouble=str(error))
    if container.get("status") != "running":
        return ServerReading(models=declared, trouble="its container does not run")
    if MISSING is not None:
        return ServerReading(models=declared, trouble="there is no client on this host")
    options = options_to_compare(given)
    return read_server(lambda: connect(module), lambda: connect_as_launcher(module), declared, options)


def run(module: ModelsModule, raw: list[Any] | None) -> dict[str, Any]:
    """Read, and compare."""
    given, facts = module.params, module.params["facts"]
    traffic = SwapTraffic()

    server_files, _state = files_of(given)
    reading = _reading(module, raw)
    # What follows may read whole files.
    traffic.stop()
    wanted = Wanted(
        container=given["container"],
        docker_host=given["docker_host"],
        published=given["published"],
        mounts=given["declared_mounts"],
        logs=f"{given['home']}/logs",
        differing=given["differing_directories"],
        secrets=given["secret_paths"],
        cores=given["cores"] or float(facts["processors"]),
        from_controller=given["from_controller"],
        not_from_controller=given["not_from_controller"],
        address_declared=given["address_declared"],
    )

    rooms = (*given["room_paths"], facts["docker"].get("directory") or "")

    def look(hub: bool) -> Evidence:
        asked = Asked(given["container"], given["docker_host"], tuple(given["units"]), rooms, given["controller_time"], hub)
        return gather(asked, facts["docker"]["container"], traffic, plainly(module))

    found = diagnose(facts, wanted, reading, ModelFiles(server_files, given["checksums"]), look)
    return found.shown((facts["docker"]["container"] or {}).get("image"))


def main() -> None:
    """Entry point."""
    module = ModelsModule(argument_spec=argument_spec(), supports_check_mode=True)
    raw = None if module.params["models"] is None else hide_environment(module, "models")
    module.exit_json(changed=False, diagnosis=attempt(module, lambda: run(module, raw)))


if __name__ == "__main__":
    main()
