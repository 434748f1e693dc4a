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
  - >-
    With O(declaration=true), also returns the ready models as a list that module M(inferops.xinference.models) takes. A run with it on the same server
    changes nothing, and on another one provisions the same models. So a server that was set up by hand comes under control.
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
    description: Where the module runs. The server may be elsewhere.
    support: full
    platforms: posix
options:
  uids:
    description: Return only these models. A uid that the server does not know is returned with state V(absent).
    type: list
    elements: str
  declaration:
    description:
      - Whether to return RV(declaration).
      - >-
        What a server does not report, such as the options of the engine, is read from where module M(inferops.xinference.models) reads it, among others with
        O(mounts) from the worker's file of launch arguments, and from the autostart entry of the model.
    type: bool
    default: false
  declaration_secrets:
    description:
      - Whether the values of environment variables are in the declaration. Then the result of the task holds secrets, so set C(no_log) on it.
      - Without them, a run with the declaration would relaunch such a model without its variables. Add them first.
    type: bool
    default: false
  compare:
    description: Whether to return RV(comparison), how each model runs beside O(models) and what O(declaration_path) holds.
    type: bool
    default: false
notes:
  - >-
    The declaration holds texts of the server, and Ansible takes a chat template in a file of variables for a template of its own. Playbook
    C(inferops.xinference.export) writes it down as it is; filter P(inferops.xinference.declaration_file#filter) makes the same text.
seealso:
  - module: inferops.xinference.models
  - module: inferops.xinference.registration
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

- name: Read a server that was set up by hand as a declaration
  inferops.xinference.models_info:
    declaration: true
    mounts:
      /root/.xinference: /srv/xinference/.xinference
  register: found

- name: See that it changes nothing
  inferops.xinference.models:
    models: "{{ found.declaration }}"
    mounts:
      /root/.xinference: /srv/xinference/.xinference
  check_mode: true
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
      spec: {model_name: qwen3, model_engine: llama.cpp, replica: 3}
      workers: [{name: worker-1, replicas: 1}, {name: worker-2, replicas: 2}]
  contains:
    uid:
      description: The model.
      type: str
      returned: always
    state:
      description: V(ready), V(creating), V(loading), V(scaling), V(recovering), V(terminating), V(error), V(orphaned) (ready, but not listed) or
        V(absent).
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
    workers:
      description: >-
        The workers that the model runs on, or is being launched on, sorted by name. Empty where the server does not say. The worker of a server that is in no
        cluster has an address of its container for a name.
      type: list
      elements: dict
      returned: always
      contains:
        name:
          description: Name of the worker, without its port. In a cluster that this collection made, this is the name of its host in the inventory.
          type: str
          returned: always
        replicas:
          description: How many replicas of the model are there.
          type: int
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
declaration:
  description: The ready models, sorted by uid, as module M(inferops.xinference.models) takes them. Restricted to O(uids), if that is set.
  returned: O(declaration=true)
  type: list
  elements: dict
  sample:
    - uid: chat
      name: qwen3
      type: LLM
      engine: llama.cpp
      format: ggufv2
      size_in_billions: "0_6"
      quantization: Q4_K_M
      replica: 1
      engine_options: {n_ctx: 4096, n_threads: 8}
      autostart: false
declaration_unknown:
  description:
    - Uid to list of what the declaration lacks because it is not known. V(environment.NAME) stands for a variable whose value is left out.
    - >-
      V(autostart) means that the autostart entry starts something else than what runs, or belongs to another account. A run with the declaration
      writes it again.
  returned: O(declaration=true)
  type: dict
  sample: {embed: [environment.HF_TOKEN]}
declaration_problems:
  description: One sentence for each thing that the server runs and module M(inferops.xinference.models) would refuse to declare.
  returned: O(declaration=true)
  type: list
  elements: str
  sample: []
comparison:
  description: Every model that is declared or runs, each as in RV(inferops.xinference.diagnosis_info#module:diagnosis.models).
  returned: O(compare=true)
  type: list
  elements: dict
  sample:
    - {uid: chat, state: differs, differences: ["n_ctx: 4096 → 2048"], message: ""}
comparison_problem:
  description: Why there is no RV(comparison).
  returned: where they cannot be compared
  type: str
problems:
  description: One sentence for each option that is wrong.
  returned: when an option is wrong
  type: list
  elements: str
"""

from contextlib import closing
from dataclasses import asdict
from typing import Any

from ansible_collections.inferops.xinference.plugins.module_utils._compared import compared_spec, connect_as_launcher, declared_and_stored, options_to_compare
from ansible_collections.inferops.xinference.plugins.module_utils._core.base.errors import DeclarationError, XinferenceError
from ansible_collections.inferops.xinference.plugins.module_utils._core.diagnose.models import compare
from ansible_collections.inferops.xinference.plugins.module_utils._core.observed.models import ABSENT, Observed, ObservedModel, make_certain, observe, survey
from ansible_collections.inferops.xinference.plugins.module_utils._core.plan.placement import count_replicas
from ansible_collections.inferops.xinference.plugins.module_utils._core.reconcile.options import files_of
from ansible_collections.inferops.xinference.plugins.module_utils._core.reconcile.reconcile import read_plan
from ansible_collections.inferops.xinference.plugins.module_utils._core.resources.export import custom_registrations, export
from ansible_collections.inferops.xinference.plugins.module_utils._files import files_spec
from ansible_collections.inferops.xinference.plugins.module_utils._module import attempt, connect, connection_spec
from ansible_collections.inferops.xinference.plugins.module_utils._secrets import ModelsModule, hide_environment


def argument_spec() -> dict[str, dict[str, Any]]:
    """Options of the module."""
    return {
        **connection_spec(),
        **files_spec(),
        "uids": {"type": "list", "elements": "str"},
        "declaration": {"type": "bool", "default": False},
        # Decides whether secrets are returned, and is none.
        "declaration_secrets": {"type": "bool", "default": False, "no_log": False},
        "compare": {"type": "bool", "default": False},
        **compared_spec(),
    }


def run(module: ModelsModule, raw: list[Any] | None) -> tuple[Observed, dict[str, Any]]:
    """The models, and what else is returned."""
    given = module.params
    if given["compare"] and given["declaration"]:
        raise DeclarationError(["compare and declaration are both true, but one run reads a server for one of them only; set one to false."])
    files, state_file = files_of(given)
    client = connect(module)
    try:
        answer: dict[str, Any] = {}
        if given["compare"]:
            try:
                declared = declared_and_stored(module, raw)
                with closing(connect_as_launcher(module)) as launcher:
                    plan, observed = read_plan(launcher, declared, options_to_compare(given))
                answer["comparison"] = [asdict(state) for state in compare(plan, observed)]
            except XinferenceError as error:
                # What runs is known all the same.
                observed = observe(client)
                answer["comparison_problem"] = str(error)
        elif given["declaration"]:
            observed = make_certain(survey(client, {}, files, state_file.load()), client)
            exported = export(observed, custom_registrations(client, observed), uids=given["uids"], secrets=given["declaration_secrets"])
            answer = {"declaration": exported.declaration, "declaration_unknown": exported.unknown, "declaration_problems": exported.problems}
        else:
            observed = observe(client)
        answer["server"] = {"version": client.version(), "authenticated": client.authenticated, "workers": client.workers()}
    finally:
        client.close()
    return observed, answer


def row(model: ObservedModel) -> dict[str, Any]:
    """One model, as it is returned."""
    found = asdict(model)
    del found["places"]
    return {**found, "workers": [{"name": name, "replicas": replicas} for name, replicas in count_replicas(model.places).items()]}


def main() -> None:
    """Entry point; the one place where errors of the core become failures of the task."""
    module = ModelsModule(argument_spec=argument_spec(), supports_check_mode=True)
    raw = None if module.params["models"] is None else hide_environment(module, "models")
    observed, answer = attempt(module, lambda: run(module, raw))
    uids = module.params["uids"] if module.params["uids"] is not None else sorted(observed.models)
    models = [observed.models.get(uid) or ObservedModel(uid, ABSENT) for uid in uids]
    module.exit_json(changed=False, models=[row(model) for model in models], **answer)


if __name__ == "__main__":
    main()
