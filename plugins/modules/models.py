#!/usr/bin/python
# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ensure that the declared models are launched."""

from __future__ import annotations

DOCUMENTATION = r"""
module: models
short_description: Ensure that the declared models are launched on an Xinference server
version_added: 0.1.0
description:
  - Compares a list of declared models with what a server runs, launches what is missing, leaves alone what runs,
    and terminates what is declared absent. The whole list is one call.
  - A model is known by its uid. Nothing that is not declared is touched unless O(exclusive=true).
author:
  - inferops contributors (@inferops)
extends_documentation_fragment:
  - inferops.xinference._connection
  - inferops.xinference._connection.actiongroup
attributes:
  check_mode:
    description: Predicts the same changes and the same diff, and writes nothing.
    support: full
  diff_mode:
    description: Shows each model that changes, before and after.
    support: full
  idempotent:
    description: A second run with the same declaration changes nothing.
    support: full
  platform:
    description: Where the module runs. The server may be elsewhere.
    support: full
    platforms: posix
options:
  models:
    description:
      - The declared models, as a list of dictionaries.
      - The whole list is checked before the first write. Each problem is reported with the item, the field, the value and
        what is allowed.
    type: list
    elements: raw
    required: true
    suboptions:
      uid:
        description:
          - >-
            Name under which the model is served, up to 100 characters without white space, slashes, question marks, hash signs and percent signs.
        type: str
        required: true
      state:
        description: Whether the model shall run.
        type: str
        choices: [present, absent]
        default: present
      name:
        description:
          - Name of the model in the server's catalogue, or of the O(models[].registration). Upper and lower case count.
          - Required unless O(models[].state=absent).
        type: str
      type:
        description: Type of the model. Upper and lower case count.
        type: str
        choices: [LLM, embedding, rerank, image, audio, video, world, flexible]
        default: LLM
      engine:
        description:
          - Inference engine, such as C(llama.cpp), C(Transformers) or C(sentence_transformers).
          - Required for type V(LLM), for which the server has no default.
        type: str
      format:
        description: Format of the weights, such as C(ggufv2) or C(pytorch). If not set, the server takes the first in its catalogue.
        type: str
      size_in_billions:
        description: Size of the model in billions of parameters. V(0.6), V("0.6") and V("0_6") mean the same.
        type: str
      quantization:
        description: Quantization of the weights, such as C(Q4_K_M).
        type: str
      replica:
        description: Number of copies of the model that the server keeps. The server takes 1 if it is not set.
        type: int
      path:
        description:
          - File (GGUF) or folder (all other formats) with the weights, as an absolute path that the server sees, that is
            inside its container. Nothing is downloaded then.
        type: str
      download_hub:
        description: Where the server downloads the model from.
        type: str
        choices: [huggingface, modelscope, csghub, openmind_hub, auto]
      n_gpu:
        description: Number of GPUs, V(auto) or V(null). Leave it out on CPU hosts.
        type: raw
      worker_ip:
        description: Worker that shall run the model, on servers with several.
        type: str
      request_limits:
        description: Number of requests that the model accepts at a time. Unlimited if not set.
        type: int
      enable_thinking:
        description: Whether a hybrid reasoning model thinks.
        type: bool
      enable_virtual_env:
        description: Whether the server makes a virtual environment for this model.
        type: bool
      virtual_env_packages:
        description: Packages for the model's virtual environment.
        type: list
        elements: str
      environment:
        description: Environment variables of the model's process. Their values appear in no output.
        type: dict
      engine_options:
        description:
          - Options that the server hands to the engine as they are, such as C(n_ctx), C(n_threads) and C(n_parallel) of C(llama.cpp).
          - On a CPU host give C(n_ctx) and C(n_threads), because the defaults of C(llama.cpp) are the model's whole context and
            all processors of the machine.
        type: dict
      registration:
        description:
          - Specification of a custom model, in the server's own terms. It is registered under O(models[].name), persistently, when no
            model of that name and type is registered.
          - A registration that exists under the name is used as it is.
        type: dict
  exclusive:
    description: Whether models that are running and not declared are terminated.
    type: bool
    default: false
  wait:
    description:
      - Whether to wait until the models are ready. Never waits in check mode.
      - Without waiting, a launch that fails later is seen by the next run only.
    type: bool
    default: true
  wait_timeout:
    description: Seconds after which models that are not ready count as failed. It covers the whole list, downloads included.
    type: float
    default: 1800.0
  wait_sleep:
    description: Seconds between two looks at the server while waiting.
    type: float
    default: 2.0
  max_concurrent_launches:
    description:
      - Number of launches under way at the same time. A launch from disk keeps about two processor cores busy, so more than one
        gains only where downloads take most of the time.
    type: int
    default: 1
seealso:
  - module: inferops.xinference.models_info
  - name: Xinference documentation
    description: Models, engines and their options.
    link: https://inference.readthedocs.io/
"""

EXAMPLES = r"""
- name: Serve a chat model and an embedding model, and stop another one
  inferops.xinference.models:
    username: admin
    password: "{{ vault_xinference_admin_password }}"
    models:
      - uid: chat
        name: qwen3
        engine: llama.cpp
        format: ggufv2
        size_in_billions: "0_6"
        quantization: Q4_K_M
        engine_options:
          n_ctx: 4096
          n_threads: 8
          n_parallel: 2
      - uid: embed
        name: bge-m3
        type: embedding
        engine: sentence_transformers
      - uid: old-chat
        state: absent

- name: Serve a local GGUF file that is in no catalogue
  inferops.xinference.models:
    models:
      - uid: smollm2
        name: smollm2-135m
        engine: llama.cpp
        format: ggufv2
        size_in_billions: "0_135"
        quantization: Q4_1
        engine_options:
          n_ctx: 2048
        registration:
          version: 2
          model_lang: [en]
          model_ability: [generate]
          model_family: smollm2-135m
          context_length: 8192
          model_specs:
            - model_format: ggufv2
              model_size_in_billions: "0_135"
              quantization: Q4_1
              model_id: null
              model_file_name_template: SmolLM2-135M-Instruct.Q4_1.gguf
              model_uri: file:///models/SmolLM2-135M-Instruct.Q4_1.gguf
"""

RETURN = r"""
models:
  description: What became of each model, in the order in which the plan was carried out.
  returned: always, once the server could be read
  type: list
  elements: dict
  sample:
    - uid: chat
      result: launched
      changed: true
      state: ready
      seconds: 12.3
      before: null
      after: {state: ready, type: LLM, name: qwen3, engine: llama.cpp}
      drift: {}
      message: ""
  contains:
    uid:
      description: The model.
      type: str
      returned: always
    result:
      description: >-
        V(unchanged), V(launched), V(waited) (somebody else was launching or terminating it), V(terminated), V(cancelled) or V(failed).
        In check mode, what would become of it.
      type: str
      returned: always
    changed:
      description: Whether something was written for this model.
      type: bool
      returned: always
    state:
      description: State in which it was seen last, such as V(ready), V(creating), V(loading), V(error), V(absent).
      type: str
      returned: always
    seconds:
      description: Seconds that it took.
      type: float
      returned: always
    before:
      description: What the server reported before, null when there was nothing.
      type: dict
      returned: always
    after:
      description: What was declared, null for a model that shall be absent. Values of environment variables are masked.
      type: dict
      returned: always
    drift:
      description: Fields in which a running model differs from its declaration, as far as the server reports them.
      type: dict
      returned: always
    message:
      description: The server's own words, for a failure.
      type: str
      returned: always
problems:
  description: One sentence for each problem of the declaration.
  returned: when the declaration is wrong
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

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.inferops.xinference.plugins.module_utils._core.apply import Result, Waiting, apply_plan, predict
from ansible_collections.inferops.xinference.plugins.module_utils._core.declared import parse_models
from ansible_collections.inferops.xinference.plugins.module_utils._core.errors import DeclarationError, XinferenceError
from ansible_collections.inferops.xinference.plugins.module_utils._core.observed import observe
from ansible_collections.inferops.xinference.plugins.module_utils._core.plan import Plan, make_plan
from ansible_collections.inferops.xinference.plugins.module_utils._module import connect, connection_spec, fail

#: Shorter values of environment variables are no secrets worth masking in every text.
SECRET_LENGTH = 6


def argument_spec() -> dict[str, dict[str, Any]]:
    """Options of the module."""
    return {
        **connection_spec(),
        # The core checks the items, because it can name the item, the value and the nearest allowed one.
        "models": {"type": "list", "elements": "raw", "required": True},
        "exclusive": {"type": "bool", "default": False},
        "wait": {"type": "bool", "default": True},
        "wait_timeout": {"type": "float", "default": 1800.0},
        "wait_sleep": {"type": "float", "default": 2.0},
        "max_concurrent_launches": {"type": "int", "default": 1},
    }


def hide_environment(module: AnsibleModule) -> list[Any]:
    """Keep the values of the models' environment variables out of what Ansible prints, and return the declaration with them.

    The arguments that Ansible repeats get a mask. What is long enough to be a secret is also masked in the server's words; a short
    value such as a number of threads is not, because Ansible would mask it inside every other text too.
    """
    declared: list[Any] = module.params["models"]
    shown: list[Any] = []
    for item in declared:
        environment = item.get("environment") if isinstance(item, Mapping) else None
        if isinstance(environment, Mapping):
            module.no_log_values.update(str(value) for value in environment.values() if len(str(value)) >= SECRET_LENGTH)
            shown.append({**item, "environment": dict.fromkeys(environment, "********")})
        else:
            shown.append(item)
    module.params["models"] = shown
    return declared


def waiting(module: AnsibleModule) -> Waiting:
    """The wait options, checked."""
    limits = {"wait_timeout": 0, "wait_sleep": 0.1, "max_concurrent_launches": 1}
    problems = [
        f"{name} '{module.params[name]:g}' is too small; it must be at least {least:g}." for name, least in limits.items() if module.params[name] < least
    ]
    if problems:
        raise DeclarationError(problems)
    return Waiting(
        wait=module.params["wait"],
        timeout=module.params["wait_timeout"],
        sleep=module.params["wait_sleep"],
        at_once=module.params["max_concurrent_launches"],
    )


def run(module: AnsibleModule, raw: list[Any]) -> tuple[Plan, list[Result]]:
    """Read, plan, and unless in check mode carry out."""
    patience = waiting(module)
    declared = parse_models(raw)
    client = connect(module)
    try:
        kinds = {model.type for model in declared if model.state == "present" and model.registration is not None}
        plan = make_plan(declared, observe(client, kinds), exclusive=module.params["exclusive"])
        return plan, predict(plan) if module.check_mode else apply_plan(plan, client, patience)
    finally:
        client.close()


def main() -> None:
    """Entry point; the one place where errors of the core become failures of the task."""
    # no_log keeps the arguments out of the host's system log; results are not affected.
    module = AnsibleModule(argument_spec=argument_spec(), supports_check_mode=True, no_log=True)
    raw = hide_environment(module)
    try:
        plan, results = run(module, raw)
    except XinferenceError as error:
        fail(module, error)
    answer: dict[str, Any] = {
        "changed": any(result.changed for result in results),
        "models": [asdict(result) for result in results],
        "diff": {"before": plan.side("before"), "after": plan.side("after")},
    }
    for result in results:
        for name, values in result.drift.items():
            module.warn(f"{result.uid}: {name} is declared as '{values['declared']}' and running as '{values['running']}'; it was left as it runs.")
    failed = [result for result in results if result.failed]
    if failed:
        words = " ".join(f"{result.uid}: {result.message.rstrip('.')}." for result in failed)
        module.fail_json(msg=f"{len(failed)} of {len(results)} models are not as declared. {words}", **answer)
    module.exit_json(**answer)


if __name__ == "__main__":
    main()
