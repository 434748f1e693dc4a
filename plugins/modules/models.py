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
  - Compares a list of declared models with what a server runs, launches what is missing, relaunches what differs from its declaration,
    leaves alone what runs as declared, and terminates what is declared absent. The whole list is one call.
  - >-
    What a server does not report of a running model, such as the options of its engine, is compared with what it was really launched with.
    This is read from our own record of the launch in the server's launch history (servers since 2.10) or in O(state_path), else from the worker's
    file of launch arguments (servers since 2.8, where O(mounts) shows it), else from the autostart entry where the server reports that it launched the
    model from it. What none of them holds is not compared, and is listed in RV(models[].unverified).
  - A model is known by its uid. Nothing that is not declared is touched unless O(exclusive=true).
author:
  - inferops contributors (@inferops)
extends_documentation_fragment:
  - inferops.xinference._connection
  - inferops.xinference._connection.actiongroup
  - inferops.xinference._files
  - inferops.xinference._lock
  - inferops.xinference._names
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
      - The declared models, as a list of dictionaries. If not set, the models and options that O(declaration_path) holds are used, with the credentials
        of this run.
      - The whole list is checked before the first write. Each problem is reported with the item, the field, the value and
        what is allowed.
    type: list
    elements: raw
    suboptions:
      uid:
        description:
          - >-
            Name under which the model is served, up to 100 characters without white space, slashes, question marks, hash signs and percent signs.
        type: str
        required: true
      state:
        description: Whether the model should run.
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
        description: Number of replicas of the model that the server keeps.
        type: int
        default: 1
      path:
        description:
          - File (GGUF) or directory (all other formats) with the weights, as an absolute path that the server sees, that is
            inside its container. Nothing is downloaded then.
        type: str
      download_hub:
        description: Where the server downloads the model from.
        type: str
        choices: [huggingface, modelscope, csghub, openmind_hub, auto]
      n_gpu:
        description: Number of GPUs, V(auto) or V(null). Leave it out on CPU hosts.
        type: raw
      workers:
        description:
          - Workers of a cluster that may run the model, by their names in the inventory, each once. Its replicas are spread over them in equal shares.
          - If not set, the server chooses among all workers by the number of models that they run, whatever memory these have free.
          - Order has no meaning. Names are of letters, digits, C(.), C(_) and C(-), with a letter or digit at both ends. A name that is no
            worker of the server is refused, and so is every name where the server has no workers. One that O(workers) names and that is away
            fails this model alone, and only where it would have to be launched or to get replicas there.
        type: list
        elements: str
      worker_ip:
        description:
          - Worker that should run the model, on a cluster that was not made by the roles of this collection. An address or a name as the worker
            announces it, with or without a port, or several of them, separated by commas. A server without workers ignores it.
          - Mutually exclusive with O(models[].workers).
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
      peft_model_config:
        description: LoRA adapters, in the server's own terms.
        type: dict
      multimodal_projector:
        description: File of the catalogue with which a C(llama.cpp) model sees pictures.
        type: str
      engine_options:
        description:
          - Options that the server hands to the engine as they are, such as C(n_ctx), C(n_threads) and C(n_parallel) of C(llama.cpp).
          - On a CPU host give C(n_ctx) and C(n_threads), because the defaults of C(llama.cpp) are the model's whole context and
            all processors of the machine.
          - V(auto) chooses them for engine C(llama.cpp), as many threads as O(cores), one slot, and a context of 4096 tokens, or the
            largest of 2048, 1024 and 512 with which all declared models fit O(memory_mib).
        type: raw
      autostart:
        description:
          - Whether the server starts the model by itself after a restart (servers since 2.12). If not set, O(autostart) holds.
          - A dictionary may hold C(priority) (lower starts first, default 100), C(max_retries) (default 1000) and C(retry_interval_seconds)
            (default 30). The defaults outlive a night without network; the server's own three tries end after a minute and a half.
        type: raw
      registration:
        description:
          - Specification of a custom model, in the server's own terms. It is registered under O(models[].name), persistently, when no
            model of that name and type is registered.
          - A registration that exists under the name is compared field by field. When it differs it counts as drift, and is replaced
            when the model is launched or relaunched.
        type: dict
  exclusive:
    description: Whether models that are running and not declared are terminated, and the autostart entries of such models removed.
    type: bool
    default: false
  on_drift:
    description:
      - What becomes of a running model that differs from its declaration. V(relaunch) terminates and launches it, or adds and removes replicas
        in place where only O(models[].replica) differs and the server can (since 3.2). V(report) warns and leaves it. V(ignore) leaves it.
      - When a relaunch fails, the module rolls back to the previous model, and the model counts as failed. It then lacks the options that are not known.
    type: str
    choices: [relaunch, report, ignore]
    default: relaunch
  download:
    description:
      - When the files of models are downloaded that come from a hub. V(first) gets all of them before anything is terminated or launched, on servers
        that can download without launching (since 3.4), so that nothing is down while a hub is slow; a download that fails then leaves what
        runs as it is. V(only) downloads and launches nothing, to prepare a change. V(with_launch) leaves it to the launch.
      - An interrupted download is resumed.
    type: str
    choices: [first, only, with_launch]
    default: first
  autostart:
    description:
      - Whether models without a field C(autostart) get an autostart entry, kept equal to their declaration, on servers that have autostart (since 2.12).
      - With V(false), the entries of such models are left alone.
    type: bool
    default: true
  smoke_test:
    description:
      - Which models must answer one small request before they count as ready. A chat or a completion of one token, one vector of the
        right length, one score; models of other types must be described by the server. V(launched) means those that this run touched, and those that did
        not answer when they were launched.
    type: str
    choices: [launched, all, none]
    default: launched
  smoke_test_timeout:
    description: Seconds in which a model must answer.
    type: float
    default: 120.0
  validate_engine_options:
    description: >-
      Whether unknown options of C(llama.cpp) are refused, which the server would ignore in silence. Set it to V(false) for options that only a newer
      server knows.
    type: bool
    default: true
  check_memory:
    description: >-
      Whether models are refused before the first launch when by estimate they do not fit O(memory_mib). The estimate counts the server, one process per
      replica, the weights and the context.
    type: bool
    default: true
  cores:
    description: Processor cores that the server may use. If not set, all of its machine, as it reports them.
    type: float
  workers:
    description: >-
      Names of the workers that a cluster is to have, as its supervisor knows them. After a restart of the supervisor the recovery service waits up to 90
      seconds for them before it launches anything, because each brings the models that it still runs. Empty for a server alone.
    type: list
    elements: str
    default: []
  memory_mib:
    description: Memory that the server may use, in MiB. If not set, all of its machine, as it reports it.
    type: int
  container:
    description: Name or ID of the server's container on this host. With it, the message names missing memory when a process was killed for it, and what
      C(llama.cpp) printed as errors is in RV(models[].log).
    type: str
  docker_host:
    description: Socket of the Docker Engine, for O(container).
    type: str
    default: unix:///var/run/docker.sock
  progress:
    description:
      - >-
        Whether lines on the controller show how far each model is while it downloads or loads, such as C(chat: downloading 41 % of 98 MB, 12 s). They
        are no part of the result. A run that ends before the first interval costs nothing more.
      - Never in check mode, nor for a task with C(async) or C(no_log). They go to standard error where the callback for standard output is C(json).
    type: bool
    default: true
  progress_interval:
    description: Seconds between two such lines of a model, at least 1.
    type: float
    default: 10.0
  progress_path:
    description: >-
      File of this host to which the module writes how far each model is, for the lines on the controller. The action plugin of the same name sets it;
      the module makes the file for its owner only, and removes it at the end.
    type: path
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
    description: Seconds between two polls of the server while waiting, at most. It polls more often in the first half minute after a launch.
    type: float
    default: 1.0
  declaration_path:
    description:
      - File of this host in which the declaration is stored for the service of role P(inferops.xinference.recovery#role), which keeps the models as declared
        when no run is there. Its owner alone can read it, because it holds the credentials. It is written when nothing was refused, before anything is changed.
      - Never written with O(download=only), which launches nothing.
      - Never written in check mode. A declaration that is stored for the first time, or another one, is no change of the models.
    type: path
  declaration_credentials:
    description: Whether O(declaration_path) holds the credentials, too, which a service needs.
    type: bool
    default: true
  earlier_models:
    description:
      - What becomes of models that O(declaration_path) wants to run and O(models) does not name, because an earlier run declared them.
      - With V(keep), they are still looked after, as they were declared then, and a warning names them. Declare O(models[].state=absent) for a model that
        should not run any more.
      - With V(forget), they are left as they are, and nobody looks after them any more.
      - With O(exclusive=true), they are terminated in any case.
    type: str
    choices: [keep, forget]
    default: keep
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
  description: What became of each model, in the order in which the plan was applied.
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
      unverified: []
      answered: 0.09
      restored: false
      message: ""
      log: []
  contains:
    uid:
      description: The model.
      type: str
      returned: always
    result:
      description: >-
        V(unchanged), V(launched), V(relaunched) (it differed), V(scaled) (another number of replicas), V(updated) (its autostart entry),
        V(downloaded) (its files, with O(download=only)), V(waited) (another client was launching or terminating it), V(terminated), V(cancelled)
        (while it was launching) or V(failed). In check mode, what would become of it.
      type: str
      returned: always
    changed:
      description: Whether something was written for this model.
      type: bool
      returned: always
    state:
      description: >-
        State in which it was seen last: V(ready), V(creating) and V(loading) (its launch is under way), V(scaling) (its number of replicas changes),
        V(recovering) (the server makes it again), V(terminating), V(error), V(orphaned) (ready, but the server does not list it), V(absent), or V(unknown) (the
        server was lost).
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
      description: What was declared, null for a model that should be absent. Values of environment variables are masked.
      type: dict
      returned: always
    drift:
      description: Fields in which a running model differed from its declaration, each with C(declared) and C(running).
      type: dict
      returned: always
    unverified:
      description: Declared fields of a running model that could not be compared, because it is not known what it was launched with.
      type: list
      elements: str
      returned: always
    answered:
      description: Seconds that its answer to the smoke test took, null without one.
      type: float
      returned: always
    restored:
      description: Whether the previous model runs again, after a relaunch that failed.
      type: bool
      returned: always
    log:
      description: The last lines of the server's log, where O(mounts) shows it, and the engine's own errors, where O(container) names it, for a failure.
      type: list
      elements: str
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

from contextlib import nullcontext
from dataclasses import asdict, replace
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.inferops.xinference.plugins.module_utils._core.apply.context import SMOKE_TESTS
from ansible_collections.inferops.xinference.plugins.module_utils._core.apply.download import DOWNLOADS
from ansible_collections.inferops.xinference.plugins.module_utils._core.apply.progress import progress_file
from ansible_collections.inferops.xinference.plugins.module_utils._core.base.errors import DeclarationError, XinferenceError
from ansible_collections.inferops.xinference.plugins.module_utils._core.base.messages import called
from ansible_collections.inferops.xinference.plugins.module_utils._core.declaration.check import parse_models
from ansible_collections.inferops.xinference.plugins.module_utils._core.declaration.model import DeclaredModel
from ansible_collections.inferops.xinference.plugins.module_utils._core.host.declaration_file import EARLIER, KEEP, StoredDeclaration, earlier_models
from ansible_collections.inferops.xinference.plugins.module_utils._core.plan.plan import ON_DRIFT
from ansible_collections.inferops.xinference.plugins.module_utils._core.reconcile.options import reconcile_options
from ansible_collections.inferops.xinference.plugins.module_utils._core.reconcile.reconcile import Outcome, reconcile
from ansible_collections.inferops.xinference.plugins.module_utils._files import files_spec
from ansible_collections.inferops.xinference.plugins.module_utils._module import attempt, connect, connection_spec, lock_spec, locked, names_spec
from ansible_collections.inferops.xinference.plugins.module_utils._secrets import ModelsModule, hide_environment, hide_values

#: Options that are about one run, and nothing of what should be kept true.
_OF_THE_RUN = frozenset({"models", "option_names", "progress_path", "declaration_path", "declaration_credentials", "earlier_models", "lock_path"})
#: Options that only whoever logs in needs.
_CREDENTIALS = frozenset({"username", "password", "password_path"})


def argument_spec() -> dict[str, dict[str, Any]]:
    """Options of the module."""
    return {
        **connection_spec(),
        **files_spec(),
        # The core checks the items, because it can name the item, the value and the nearest allowed one.
        "models": {"type": "list", "elements": "raw"},
        "exclusive": {"type": "bool", "default": False},
        "on_drift": {"type": "str", "choices": list(ON_DRIFT), "default": "relaunch"},
        "download": {"type": "str", "choices": list(DOWNLOADS), "default": "first"},
        "autostart": {"type": "bool", "default": True},
        "smoke_test": {"type": "str", "choices": list(SMOKE_TESTS), "default": "launched"},
        "smoke_test_timeout": {"type": "float", "default": 120.0},
        "validate_engine_options": {"type": "bool", "default": True},
        "check_memory": {"type": "bool", "default": True},
        "cores": {"type": "float"},
        "workers": {"type": "list", "elements": "str", "default": []},
        "memory_mib": {"type": "int"},
        "container": {"type": "str"},
        "docker_host": {"type": "str", "default": "unix:///var/run/docker.sock"},
        "progress": {"type": "bool", "default": True},
        "progress_interval": {"type": "float", "default": 10.0},
        "progress_path": {"type": "path"},
        "wait": {"type": "bool", "default": True},
        "wait_timeout": {"type": "float", "default": 1800.0},
        "wait_sleep": {"type": "float", "default": 1.0},
        "max_concurrent_launches": {"type": "int", "default": 1},
        "declaration_path": {"type": "path"},
        "declaration_credentials": {"type": "bool", "default": True},
        "earlier_models": {"type": "str", "choices": list(EARLIER), "default": KEEP},
        **lock_spec(),
        **names_spec(),
    }


def _stored(module: AnsibleModule) -> dict[str, Any] | None:
    """What an earlier run stored; None where there is nothing, or nothing that can be read where this run does not need it."""
    path = module.params["declaration_path"]
    try:
        stored = StoredDeclaration(path).load(repair=not module.check_mode) if path else None
    except XinferenceError as error:
        if module.params["models"] is None:
            raise
        module.warn(f"What an earlier run declared is not known: {error}")
        return None
    if stored is not None:
        hide_values(module, stored["models"] if isinstance(stored.get("models"), list) else [])
    return stored


def _kept(module: AnsibleModule, stored: dict[str, Any] | None, raw: list[Any], declared: list[DeclaredModel]) -> list[Any]:
    """Models that this run does not declare, and that the service looks after all the same. Together with its own they are a list that can be read again."""
    given = module.params
    earlier = earlier_models(stored, raw) if given["earlier_models"] == KEEP and not given["exclusive"] and given["download"] != "only" else []
    # A name has one registration, and that is the one that was declared last.
    registrations = {(model.type, model.name): model.given["registration"] for model in declared if "registration" in model.given}
    kept: list[Any] = []
    for item in earlier:
        key = (item.get("type", "LLM"), item.get("name"))
        taken = {**item, "registration": registrations[key]} if "registration" in item and key in registrations else item
        try:
            parse_models([*raw, *kept, taken], strict=False)
        except XinferenceError as error:
            module.warn(f"A model of an earlier run is not looked after any more, because its declaration cannot be used: {error}")
        else:
            kept.append(taken)
    if kept:
        uids = ", ".join(str(item["uid"]) for item in kept)
        module.warn(
            f"{called('models', given['option_names'])} names no model {uids}, which an earlier run declared; it is still looked after. "
            f"Declare it with state absent, or set {called('earlier_models', given['option_names'])} to forget."
        )
    return kept


def _options_to_store(module: AnsibleModule, stored: dict[str, Any] | None, given_here: bool) -> dict[str, Any]:
    """What is stored on the host besides the models: the options of this run, or where it declares none, those of before with this run's credentials."""
    given = module.params
    credentials = {name: given[name] for name in _CREDENTIALS} if given["declaration_credentials"] else {}
    if given_here or stored is None:
        return {**{name: given[name] for name in given if name not in _OF_THE_RUN | _CREDENTIALS}, **credentials}
    return {**{name: value for name, value in stored.items() if name not in _CREDENTIALS}, **credentials}


def run(module: AnsibleModule, raw: list[Any] | None) -> Outcome:
    """Read, plan, and unless in check mode apply."""
    given = module.params
    wanted = reconcile_options(given, module.check_mode)
    stored = _stored(module)
    given_here = raw is not None
    if raw is None:
        if stored is None:
            where = f"declaration_path '{given['declaration_path']}' holds none" if given["declaration_path"] else "there is no declaration_path"
            raise DeclarationError([f"{called('models', given['option_names'])} is missing, and {where}."])
        raw = stored.get("models") or []
    # What was stored was checked when it was declared.
    declared = parse_models(raw, strict=given_here and given["validate_engine_options"], names=given["option_names"])
    kept = _kept(module, stored, raw, declared) if given_here else []
    declared += parse_models(kept, strict=False)
    if given["declaration_path"]:
        declaration, options = StoredDeclaration(given["declaration_path"]), _options_to_store(module, stored, given_here)
        # Who only gets files does not want them launched yet.
        if not given_here or given["download"] != "only":
            wanted = replace(wanted, store=lambda: declaration.save({**options, "models": [*raw, *kept]}))
    client = connect(module)
    path, interval = given["progress_path"], given["progress_interval"]
    shown = path and given["progress"] and not module.check_mode
    try:
        with progress_file(path, interval) if shown else nullcontext() as file:
            waits = None if file is None else lambda words, seconds: file.report("waiting", words, {}, seconds)
            held = locked(module, waits)
            with held:
                return reconcile(client, declared, replace(wanted, report=file.report) if file else wanted)
    finally:
        client.close()


def main() -> None:
    """Entry point; the one place where errors of the core become failures of the task."""
    module = ModelsModule(argument_spec=argument_spec(), supports_check_mode=True, required_one_of=[("models", "declaration_path")])
    raw = None if module.params["models"] is None else hide_environment(module, "models")
    outcome = attempt(module, lambda: run(module, raw))
    results = outcome.results
    answer: dict[str, Any] = {
        "changed": any(result.changed for result in results),
        "models": [asdict(result) for result in results],
        "diff": {"before": outcome.plan.side("before"), "after": outcome.plan.side("after")},
    }
    for note in outcome.notes:
        module.warn(note)
    if module.params["on_drift"] == "report":
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
