#!/usr/bin/python
# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read the models of a server."""

from __future__ import annotations

DOCUMENTATION = r"""
module: models_info
short_description: Read which models an Xinference server runs
version_added: 0.1.0
description:
  - Returns every model that a server has in some state, those that are loading or have failed included, with the server's version
    and workers.
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
  uids:
    description: Return only these models. A uid that the server does not know is returned with state V(absent).
    type: list
    elements: str
seealso:
  - module: inferops.xinference.models
"""

EXAMPLES = r"""
- name: Read the running models
  inferops.xinference.models_info:
    username: admin
    password: "{{ vault_xinference_admin_password }}"
  register: running

- name: Require that the chat model is ready
  ansible.builtin.assert:
    that: running.models | selectattr('state', 'equalto', 'ready') | selectattr('uid', 'equalto', 'chat') | length == 1
    fail_msg: The chat model is not ready.
"""

RETURN = r"""
models:
  description: The models, sorted by uid.
  returned: success
  type: list
  elements: dict
  sample:
    - uid: chat
      state: ready
      message: ""
      spec: {model_name: qwen3, model_engine: llama.cpp, replica: 1}
  contains:
    uid:
      description: The model.
      type: str
      returned: always
    state:
      description: V(ready), V(creating), V(loading), V(terminating), V(error) or V(absent).
      type: str
      returned: always
    message:
      description: The server's words about a failed launch.
      type: str
      returned: always
    spec:
      description: The server's description of the model, empty while it is not ready.
      type: dict
      returned: always
server:
  description: The server.
  returned: success
  type: dict
  sample: {version: 4.1.0, authenticated: true, workers: ["127.0.0.1:38013"]}
  contains:
    version:
      description: Version, null where the account may not see it.
      type: str
      returned: always
    authenticated:
      description: Whether the server asks for an account.
      type: bool
      returned: always
    workers:
      description: Addresses of the registered workers.
      type: list
      elements: str
      returned: always
"""

from dataclasses import asdict
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.inferops.xinference.plugins.module_utils._core.errors import XinferenceError
from ansible_collections.inferops.xinference.plugins.module_utils._core.observed import ABSENT, ObservedModel, observe
from ansible_collections.inferops.xinference.plugins.module_utils._module import connect, connection_spec, fail


def argument_spec() -> dict[str, dict[str, Any]]:
    """Options of the module."""
    return {**connection_spec(), "uids": {"type": "list", "elements": "str"}}


def main() -> None:
    """Entry point."""
    module = AnsibleModule(argument_spec=argument_spec(), supports_check_mode=True)
    try:
        client = connect(module)
        observed = observe(client)
        server = {"version": client.version(), "authenticated": client.authenticated, "workers": client.workers()}
        client.close()
    except XinferenceError as error:
        fail(module, error)
    uids = module.params["uids"] if module.params["uids"] is not None else sorted(observed.models)
    models = [observed.models.get(uid) or ObservedModel(uid, ABSENT) for uid in uids]
    module.exit_json(changed=False, models=[asdict(model) for model in models], server=server)


if __name__ == "__main__":
    main()
