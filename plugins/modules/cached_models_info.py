#!/usr/bin/python
# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read which models are downloaded."""

from __future__ import annotations

DOCUMENTATION = r"""
module: cached_models_info
short_description: Read which models are downloaded on an Xinference server
version_added: 0.1.0
description:
  - Returns the model files that a server has, of each of its workers. These are downloaded files, and links to files of custom models.
author:
  - inferops contributors (@inferops)
extends_documentation_fragment:
  - inferops.xinference._connection
  - inferops.xinference._connection.actiongroup
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
    description: Where the module runs. The server may be elsewhere.
    support: full
    platforms: posix
options:
  name:
    description: Return only files of the model of this name.
    type: str
seealso:
  - module: inferops.xinference.cached_models
  - module: inferops.xinference.models_info
"""

EXAMPLES = r"""
- name: Read what is downloaded
  inferops.xinference.cached_models_info:
    username: admin
    password: "{{ vault_xinference_admin_password }}"
  register: downloaded

- name: Require that downloads take less than 100 GB
  ansible.builtin.assert:
    that: downloaded.cached_models | map(attribute='size_bytes') | map('default', 0, true) | sum < 100 * 1000 ** 3
    fail_msg: The downloaded models take too much room.
"""

RETURN = r"""
cached_models:
  description: The files, sorted by name. What the server does not report is null. Servers up to 3.4 report neither type nor size in bytes.
  returned: success
  type: list
  elements: dict
  sample:
    - model_version: qwen3--0_6B--ggufv2--Q4_K_M
      name: qwen3
      type: LLM
      format: ggufv2
      size_in_billions: "0_6"
      quantization: Q4_K_M
      path: /root/.xinference/cache/v2/qwen3-ggufv2-0_6b-Q4_K_M
      real_path: /root/.xinference/huggingface/hub/models--Qwen--Qwen3-0.6B-GGUF/blobs
      size_bytes: 396705472
      worker: "127.0.0.1:38013"
      engines: [llama.cpp]
      linked: false
  contains:
    model_version:
      description: The server's name for these files, which module M(inferops.xinference.cached_models) takes.
      type: str
      returned: always
    name:
      description: Name of the model.
      type: str
      returned: always
    type:
      description: Type of the model.
      type: str
      returned: always
    format:
      description: Format of the weights.
      type: str
      returned: always
    size_in_billions:
      description: Size of the model in billions of parameters.
      type: str
      returned: always
    quantization:
      description: Quantization of the weights.
      type: str
      returned: always
    path:
      description: Where the server expects the files, inside its container.
      type: str
      returned: always
    real_path:
      description: Directory in which they really are, or the file itself.
      type: str
      returned: always
    size_bytes:
      description: Their size on the disk.
      type: int
      returned: always
    worker:
      description: Address of the worker that has them.
      type: str
      returned: always
    engines:
      description: Engines of this server that can load them.
      type: list
      elements: str
      returned: always
    linked:
      description: Whether they are in no directory that a server downloads to, so that the server only has a link to them.
      type: bool
      returned: always
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.inferops.xinference.plugins.module_utils._core.resources.model_cache import CachedModel, cached_models
from ansible_collections.inferops.xinference.plugins.module_utils._module import attempt, connect, connection_spec


def argument_spec() -> dict[str, dict[str, Any]]:
    """Options of the module."""
    return {**connection_spec(), "name": {"type": "str"}}


def run(module: AnsibleModule) -> list[CachedModel]:
    """Read."""
    client = connect(module)
    try:
        found: list[CachedModel] = cached_models(client, module.params["name"])
    finally:
        client.close()
    return found


def main() -> None:
    """Entry point; the one place where errors of the core become failures of the task."""
    module = AnsibleModule(argument_spec=argument_spec(), supports_check_mode=True)
    found = attempt(module, lambda: run(module))
    module.exit_json(changed=False, cached_models=[files.shown() for files in found])


if __name__ == "__main__":
    main()
