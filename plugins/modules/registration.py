#!/usr/bin/python
# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ensure that a custom model is registered as declared."""

from __future__ import annotations

DOCUMENTATION = r"""
module: registration
short_description: Ensure that a custom model is registered on an Xinference server
version_added: 0.1.0
description:
  - Registers a custom model, compares a registration that exists with the declared one field by field, replaces it when it differs, or removes it.
  - >-
    A server cannot change a registration, so the old one is removed and the new one made. When the server refuses the new one, the module
    rolls back to the old one, and the task fails with the server's words. By default (O(on_running)) running models keep serving the old one.
  - Fields that are not declared are not compared, except those that were declared when this module registered the model before.
  - This module is not needed for models that M(inferops.xinference.models) launches, because that one registers what they declare.
author:
  - inferops contributors (@inferops)
extends_documentation_fragment:
  - inferops.xinference._connection
  - inferops.xinference._connection.actiongroup
  - inferops.xinference._files
  - inferops.xinference._lock
attributes:
  check_mode:
    description: Predicts the same change and the same diff, and writes nothing.
    support: full
  diff_mode:
    description: Shows the registration, or of one that is replaced the fields that differ, before and after.
    support: full
  idempotent:
    description: A second run with the same declaration changes nothing.
    support: full
  platform:
    description: Where the module runs. The server may be elsewhere.
    support: full
    platforms: posix
options:
  type:
    description: Type of the model. Upper and lower case count.
    type: str
    choices: [LLM, embedding, rerank, image, audio, flexible]
    required: true
  name:
    description: Name of the model. It must not be a name of the server's own catalogue.
    type: str
    required: true
  state:
    description: Whether the model should be registered.
    type: str
    choices: [present, absent]
    default: present
  specification:
    description:
      - Specification of the model, in the server's own terms, without C(model_name), which is O(name).
      - Paths (C(model_uri)) are those that the server sees, inside its container. With O(mounts), they are checked before anything is changed.
      - Required if O(state=present).
      - >-
        A server of version 4.1.0 cannot launch models of type V(audio) and V(image) with a C(model_uri) as long as its directory C(cache/v2) is empty.
        A file in it helps.
    type: dict
  persist:
    description:
      - Whether the registration survives a restart of the server.
      - Compared where O(mounts) shows the server's directory. A server does not report it.
    type: bool
    default: true
  on_running:
    description:
      - What becomes of the running models of this type and name when the registration is replaced or removed.
      - V(keep) leaves them. They serve what was registered when they were launched, and are listed in RV(running).
      - >-
        V(relaunch) terminates and launches them one after the other, each as it was launched. When one cannot be launched or does not answer, the
        module rolls back to that model and the old registration as they were, the others are left alone, and the task fails. Nothing is changed at all where
        it is not known what a model was launched with. Not possible with O(state=absent).
      - V(refuse) fails before anything is changed.
    type: str
    choices: [keep, relaunch, refuse]
    default: keep
  wait_timeout:
    description: Seconds after which a relaunched model that is not ready counts as failed. It covers all of them. The module waits as long for O(lock_path).
    type: float
    default: 1800.0
  wait_sleep:
    description: Seconds between two polls of the server while waiting.
    type: float
    default: 1.0
seealso:
  - module: inferops.xinference.models
  - name: Custom models
    description: Specifications by type of model.
    link: https://inference.readthedocs.io/
"""

EXAMPLES = r"""
- name: Register an embedding model from a directory of the server
  inferops.xinference.registration:
    username: admin
    password: "{{ vault_xinference_admin_password }}"
    type: embedding
    name: minilm
    specification:
      version: 2
      dimensions: 384
      max_tokens: 256
      language: [en]
      model_specs:
        - model_format: pytorch
          quantization: none
          model_id: null
          model_uri: file:///models/all-MiniLM-L6-v2

- name: Replace the registration of a chat model, and relaunch the models that serve it
  inferops.xinference.registration:
    type: LLM
    name: smollm2-135m
    on_running: relaunch
    specification:
      version: 2
      model_lang: [en]
      model_ability: [generate]
      model_family: smollm2-135m
      context_length: 4096
      model_specs:
        - model_format: ggufv2
          model_size_in_billions: "0_135"
          quantization: Q4_1
          model_id: null
          model_file_name_template: SmolLM2-135M-Instruct.Q4_1.gguf
          model_uri: file:///models/SmolLM2-135M-Instruct.Q4_1.gguf

- name: Remove a registration that nothing uses
  inferops.xinference.registration:
    type: LLM
    name: old-model
    state: absent
    on_running: refuse
"""

RETURN = r"""
result:
  description: V(unchanged), V(registered), V(replaced) or V(removed). In check mode, what would become of it.
  returned: always, once the server could be read
  type: str
  sample: replaced
drift:
  description: Fields in which the registration differed from its declaration, each with C(declared) and C(running).
  returned: always, once the server could be read
  type: dict
  sample: {context_length: {declared: 4096, running: 8192}}
running:
  description: Uids of the models of this type and name that ran when the module began.
  returned: always, once the server could be read
  type: list
  elements: str
  sample: [chat]
models:
  description: What became of each model that was relaunched, with the fields that M(inferops.xinference.models) returns.
  returned: always, once the server could be read
  type: list
  elements: dict
  sample: []
problems:
  description: One sentence for each reason why nothing was changed.
  returned: when the declaration is wrong or cannot be applied
  type: list
  elements: str
status:
  description: HTTP status of the answer that ended the module.
  returned: when the server answered with an error
  type: int
url:
  description: Address of the request that ended the module.
  returned: when the server answered with an error
  type: str
"""

from dataclasses import asdict
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.inferops.xinference.plugins.module_utils._core.apply.context import Context, Waiting
from ansible_collections.inferops.xinference.plugins.module_utils._core.base.errors import DeclarationError
from ansible_collections.inferops.xinference.plugins.module_utils._core.declaration.specification import CUSTOM_TYPES
from ansible_collections.inferops.xinference.plugins.module_utils._core.reconcile.options import files_of
from ansible_collections.inferops.xinference.plugins.module_utils._core.resources.registration import (
    ON_RUNNING,
    STATES,
    Registration,
    RegistrationOutcome,
    apply_registration,
    check,
    plan_registration,
    predicted,
    read,
)
from ansible_collections.inferops.xinference.plugins.module_utils._files import files_spec
from ansible_collections.inferops.xinference.plugins.module_utils._module import attempt, connect, connection_spec, lock_spec, locked


def argument_spec() -> dict[str, dict[str, Any]]:
    """Options of the module."""
    return {
        **connection_spec(),
        **files_spec(),
        **lock_spec(),
        "type": {"type": "str", "choices": list(CUSTOM_TYPES), "required": True},
        "name": {"type": "str", "required": True},
        "state": {"type": "str", "choices": list(STATES), "default": "present"},
        "specification": {"type": "dict"},
        "persist": {"type": "bool", "default": True},
        "on_running": {"type": "str", "choices": list(ON_RUNNING), "default": "keep"},
        "wait_timeout": {"type": "float", "default": 1800.0},
        "wait_sleep": {"type": "float", "default": 1.0},
    }


def run(module: AnsibleModule) -> RegistrationOutcome:
    """Read, compare, and unless in check mode apply."""
    given = module.params
    wanted = Registration(given["type"], given["name"], given["state"], dict(given["specification"] or {}), given["persist"], given["on_running"])
    limits = {"wait_timeout": 0, "wait_sleep": 0.1}
    problems = [f"{name} '{given[name]:g}' is too small; it must be at least {least:g}." for name, least in limits.items() if given[name] < least]
    problems += check(wanted)
    if problems:
        raise DeclarationError(problems)
    files, state_file = files_of(given)
    client = connect(module)
    try:
        with locked(module):
            seen = read(client, wanted, files, state_file)
            change = plan_registration(wanted, seen, files)
            if module.check_mode:
                return predicted(change)
            waiting = Waiting(timeout=given["wait_timeout"], sleep=given["wait_sleep"])
            return apply_registration(client, change, waiting, Context(seen.observed, files, state_file))
    finally:
        client.close()


def main() -> None:
    """Entry point; the one place where errors of the core become failures of the task."""
    module = AnsibleModule(argument_spec=argument_spec(), supports_check_mode=True, required_if=[("state", "present", ["specification"])])
    outcome = attempt(module, lambda: run(module))
    change = outcome.change
    answer: dict[str, Any] = {
        "changed": change.changed,
        "result": change.kind,
        "drift": change.drift,
        "running": list(change.seen.running),
        "models": [asdict(result) for result in outcome.models],
        "diff": {"before": change.side("before"), "after": change.side("after")},
    }
    for note in outcome.notes:
        module.warn(note)
    failed = [result for result in outcome.models if result.failed]
    if failed:
        words = " ".join(f"{result.uid}: {result.message.rstrip('.')}." for result in failed)
        registration = "the module rolled back to the previous registration" if outcome.restored else "the new registration stays"
        module.fail_json(msg=f"{len(failed)} of {len(outcome.models)} models were not relaunched; {registration}. {words}", **answer)
    module.exit_json(**answer)


if __name__ == "__main__":
    main()
