#!/usr/bin/python
# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Write what others need to help with a host into an archive without secrets."""

from __future__ import annotations

DOCUMENTATION = r"""
module: support_bundle
short_description: Write what is known of an Xinference host into an archive without secrets
version_added: 0.1.0
description:
  - Writes a diagnosis, versions, configuration, the state of units, and the ends of logs into one archive on the host. It changes nothing else.
  - Secrets are masked before anything is written, those that the host and the inventory keep by their values, also where they are encoded, and further
    ones by their shape, such as C(Bearer), C(password=), private keys and addresses with a password.
  - What the container wrote is read from its end, and no link in it is followed. Members of the archive have names of this collection alone.
  - Playbook C(inferops.xinference.support_bundle) calls it, and brings the archive to the controller.
author:
  - inferops contributors (@inferops)
extends_documentation_fragment:
  - inferops.xinference._files
attributes:
  check_mode:
    description: Reads the same, returns what would be in the archive, and writes nothing.
    support: full
  diff_mode:
    description: The archive is new each time, so there is nothing to compare it with.
    support: none
  idempotent:
    description: Each run writes an archive.
    support: none
  platform:
    description: Hosts with a Docker Engine behind a Unix socket.
    support: full
    platforms: linux
options:
  path:
    description: File of the host into which the archive is written, a tar archive compressed with gzip, for its owner alone. There must be none.
    type: path
    required: true
  folder:
    description: Directory in the archive in which everything lies. Other characters than letters, digits, dots and hyphens are replaced.
    type: str
    required: true
  facts:
    description: The host, as module M(inferops.xinference.host_info) returns it.
    type: dict
    required: true
  diagnosis:
    description: What is wrong with it, as module M(inferops.xinference.diagnosis_info) returns it.
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
  units:
    description: Units of systemd whose state, text and journal are written.
    type: list
    elements: str
    default: []
  identifiers:
    description: Identifiers of lines of the journal that are written besides, such as that of a proxy for its requests.
    type: list
    elements: str
    default: []
  configuration_paths:
    description: Files of the host with configuration, in directories that only root can write.
    type: list
    elements: path
    default: []
  status_paths:
    description: Files of the host in which services write their state as JSON.
    type: list
    elements: path
    default: []
  declaration_path:
    description: File with the host's stored declaration.
    type: path
  secret_paths:
    description: Files of the host with secrets. They are not in the archive; their lines, and the texts in them where they are JSON, are masked in all of it.
    type: list
    elements: path
    default: []
  secrets:
    description: Further secrets that are masked. One that has fewer than 6 characters is not.
    type: list
    elements: str
    default: []
  environment:
    description: Variables that the inventory gives to the container, as a dictionary. Values of those that may be secrets are masked, also where there is no
      container any more.
    type: json
    default: '{}'
  client_environment:
    description: Directory of the client's virtual environment, whose packages are listed.
    type: path
  log_kib:
    description: KiB of the end of each log, from 16 to 4096.
    type: int
    default: 512
  controller:
    description: Versions of the controller.
    type: dict
    default: {}
seealso:
  - module: inferops.xinference.diagnosis_info
  - module: inferops.xinference.host_info
"""

EXAMPLES = r"""
- name: Read the host
  inferops.xinference.host_info:
    container: xinference
  register: found

- name: Diagnose it
  inferops.xinference.diagnosis_info:
    facts: "{{ found.host }}"
    container: xinference
    published: 127.0.0.1:9997
    username: admin
    password: "{{ vault_xinference_admin_password }}"
  register: seen

- name: Write what is known of it
  inferops.xinference.support_bundle:
    path: /root/support.tar.gz
    folder: support
    facts: "{{ found.host }}"
    diagnosis: "{{ seen.diagnosis }}"
    container: xinference
    secrets:
      - "{{ vault_xinference_admin_password }}"
"""

RETURN = r"""
bundle:
  description: The archive, or in check mode what would be in it.
  returned: success
  type: dict
  contains:
    path:
      description: The file; null in check mode.
      type: str
      returned: always
    bytes:
      description: Bytes of the file; 0 in check mode.
      type: int
      returned: always
    members:
      description: What is in it, each with C(name), C(bytes), and C(source), the file or the command that it is from.
      type: list
      elements: dict
      returned: always
    left_out:
      description: What could not be read, each with C(name) and C(reason).
      type: list
      elements: dict
      returned: always
"""

import json
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.inferops.xinference.plugins.module_utils._commands import plainly
from ansible_collections.inferops.xinference.plugins.module_utils._core.base.errors import XinferenceError
from ansible_collections.inferops.xinference.plugins.module_utils._core.observed.server_files import ServerFiles
from ansible_collections.inferops.xinference.plugins.module_utils._core.support.archive import write_private
from ansible_collections.inferops.xinference.plugins.module_utils._core.support.collect import Asked, collect
from ansible_collections.inferops.xinference.plugins.module_utils._files import files_spec

#: KiB of the end of each log, at least and at most.
LEAST_KIB = 16
MOST_KIB = 4096


def argument_spec() -> dict[str, dict[str, Any]]:
    """The module's options."""
    lists = {name: {"type": "list", "elements": kind, "default": []} for name, kind in (("units", "str"), ("identifiers", "str"))}
    paths = {name: {"type": "list", "elements": "path", "default": []} for name in ("configuration_paths", "status_paths")}
    return {
        **files_spec(),
        **lists,
        **paths,
        "path": {"type": "path", "required": True},
        "folder": {"type": "str", "required": True},
        "facts": {"type": "dict", "required": True},
        "diagnosis": {"type": "dict", "required": True},
        "container": {"type": "str", "required": True},
        "docker_host": {"type": "str", "default": "unix:///var/run/docker.sock"},
        "declaration_path": {"type": "path"},
        # Paths, which are no secrets themselves.
        "secret_paths": {"type": "list", "elements": "path", "default": [], "no_log": False},
        "secrets": {"type": "list", "elements": "str", "default": [], "no_log": True},
        # As text, so that Ansible hides the whole and not each short value in all that the module says.
        "environment": {"type": "json", "default": "{}", "no_log": True},
        "client_environment": {"type": "path"},
        "log_kib": {"type": "int", "default": 512},
        "controller": {"type": "dict", "default": {}},
    }


def main() -> None:
    """Entry point."""
    module = AnsibleModule(argument_spec=argument_spec(), supports_check_mode=True)
    given = module.params
    if not LEAST_KIB <= given["log_kib"] <= MOST_KIB:
        module.fail_json(msg=f"log_kib {given['log_kib']} must be a whole number from {LEAST_KIB} to {MOST_KIB}.")
    try:
        environment = dict(json.loads(given["environment"]))
    except (ValueError, TypeError):
        module.fail_json(msg="environment must be a dictionary of variables.")
    asked = Asked(
        container=given["container"],
        docker_host=given["docker_host"],
        units=given["units"],
        identifiers=given["identifiers"],
        configuration=given["configuration_paths"],
        status=given["status_paths"],
        declaration=given["declaration_path"],
        secrets=given["secret_paths"],
        environment={str(name): str(value) for name, value in environment.items()},
        client=given["client_environment"],
        log_bytes=given["log_kib"] << 10,
        controller=given["controller"],
    )

    known = {name: given[name] for name in ("facts", "diagnosis", "secrets")}
    try:
        bundle = collect(asked, **known, server_files=ServerFiles(given["mounts"], given["home"]), run=plainly(module))
    except XinferenceError as error:
        module.fail_json(msg=str(error))
    left_out = [{"name": name, "reason": reason} for name, reason in sorted(bundle.left_out.items())]
    written = 0
    if not module.check_mode:
        content = bundle.packed(given["folder"], {"time": given["diagnosis"].get("time"), "container": given["container"]})
        written = len(content)
        try:
            write_private(Path(given["path"]), content)
        except OSError as error:
            module.fail_json(msg=f"path '{given['path']}' cannot be written: {error.strerror or error}.")
    found = {"path": None if module.check_mode else given["path"], "bytes": written, "members": bundle.contents(), "left_out": left_out}
    module.exit_json(changed=True, bundle=found)


if __name__ == "__main__":
    main()
