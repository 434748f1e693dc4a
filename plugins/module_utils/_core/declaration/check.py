# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every problem of a declared list, at once. Private to this collection."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from ..base.compare import nearest_choice, same_choice
from ..base.errors import DeclarationError
from ..base.messages import called, nearest, other_spelling, shown
from .engine_options import check_options
from .fields import AUTO, BELONGS, ENGINES, FIELDS, NO_GGUF, ONLY_FOR, SENT, WrongField, kind_of, sentence
from .gguf import split_of
from .model import DeclaredModel, ignored_fields
from .specification import check_registration, chosen, local_path

__all__ = ["check_models", "parse_models"]


def _instead(key: Any) -> str:
    """What to write instead of an unknown field."""
    word = shown(key)
    meant = other_spelling(word, (*FIELDS, *BELONGS))
    if meant is None or meant in FIELDS:
        return nearest(word, tuple(FIELDS)) or f"; allowed are {', '.join(FIELDS)}"
    if meant in SENT:
        return f"; did you mean '{BELONGS[meant]}'?"
    return f"; it belongs into {BELONGS[meant]}" if meant == word else f"; did you mean '{meant}'? It belongs into {BELONGS[meant]}"


def _check_item(label: str, item: Any, strict: bool, names: Mapping[str, str]) -> tuple[dict[str, Any], list[str]]:
    """Normalised fields of one item, and its problems."""
    if not isinstance(item, Mapping):
        return {}, [f"{label}: is {kind_of(item)}, but must be a dictionary with at least 'uid' and 'name'."]
    problems: list[str] = []
    given: dict[str, Any] = {}
    for key, value in item.items():
        spec = FIELDS.get(key) if isinstance(key, str) else None
        if spec is None:
            problems.append(sentence(f"{label}: field '{shown(key)}' is unknown{_instead(key)}"))
            continue
        if value is None and key != "n_gpu":
            continue
        try:
            given[key] = spec.check(value)
        except WrongField as wrong:
            text = "********" if key == "environment" else shown(value)
            problems.append(sentence(f"{label}: {key} '{text}' {wrong}"))
    if "uid" not in item or item["uid"] is None:
        problems.append(f"{label}: uid is missing; give the model a name of its own, or every run would launch one more.")
    # A misspelt state is one problem; what else the model needs depends on it.
    state_known = item.get("state") is None or "state" in given
    if state_known and given.get("state") != "absent":
        problems += _check_present(label, item, given, strict, names)
    return given, problems


def _check_present(label: str, item: Mapping[str, Any], given: dict[str, Any], strict: bool, names: Mapping[str, str]) -> list[str]:
    """Problems of the fields taken together, for a model that should run."""
    problems: list[str] = []
    model_type = given.get("type", "LLM")
    if item.get("name") is None:
        problems.append(f"{label}: name is missing; it is the model's name in the server's catalogue or in its registration.")
    engine = given.get("engine")
    # A misspelt type is one problem; which engines it has is not known.
    type_known = item.get("type") is None or "type" in given
    if engine is None and item.get("engine") is None and model_type == "LLM" and type_known:
        problems.append(f"{label}: engine is missing; for type LLM it is one of {', '.join(ENGINES['LLM'])}.")
    if engine is not None and type_known and engine.lower() not in {known.lower() for known in ENGINES[model_type]}:
        allowed = ", ".join(ENGINES[model_type]) or "none"
        # An engine of another type is not misspelt.
        hint = "" if any(engine.lower() == known.lower() for names in ENGINES.values() for known in names) else nearest(engine, ENGINES[model_type])
        problems.append(sentence(f"{label}: engine '{engine}' is unknown for type {model_type}; allowed: {allowed}{hint}"))
    options = given.get("engine_options")
    if isinstance(options, dict):
        others: dict[str, Any] = {}
        for key, value in options.items():
            meant = other_spelling(key, (*SENT, *FIELDS, "wait_ready"))
            if meant is None:
                others[key] = value
                continue
            instead = "the option 'wait' of module models" if meant == "wait_ready" else f"the field '{SENT.get(meant, meant)}'"
            problems.append(f"{label}: engine_options '{shown(key)}' is not an option of the engine; use {instead} for it.")
        problems += [f"{label}: {problem}" for problem in (check_options(engine or "", others, model_type, names) if strict else [])]
    if type_known:
        problems += [f"{label}: {problem}" for problem in _check_type(given, model_type)]
    problems += _check_together(label, item, given, model_type)
    if given.get("registration") is not None and type_known:
        registration = given["registration"]
        if engine is not None and engine.lower() == "llama.cpp" and isinstance(options, dict) and options.get("chat_template"):
            # This one counts, whatever the registration declares.
            registration = {**registration, "chat_template": registration.get("chat_template") or options["chat_template"]}
        problems += [f"{label}: {problem}" for problem in check_registration(model_type, given.get("name"), registration, strict=strict)]
    return problems


def _check_together(label: str, item: Mapping[str, Any], given: Mapping[str, Any], model_type: str) -> list[str]:
    """Fields that contradict each other."""
    problems: list[str] = []
    engine, form = str(given.get("engine", "")).lower(), given.get("format")
    if engine == "llama.cpp" and form is not None and form != "ggufv2":
        problems.append(f"{label}: format '{form}' cannot be loaded by engine llama.cpp; it loads ggufv2 only.")
    if form == "ggufv2" and engine not in ("llama.cpp", "vllm", "") and model_type in ("LLM", "embedding", "rerank"):
        problems.append(f"{label}: format 'ggufv2' cannot be loaded by engine {given['engine']}; use llama.cpp.")
    if form == "ggufv2" and not engine and item.get("engine") is None and model_type == "embedding":
        problems.append(f"{label}: engine is missing; the server takes sentence_transformers for type embedding, which cannot load ggufv2, so give llama.cpp.")
    if given.get("engine_options") == AUTO and engine != "llama.cpp":
        problems.append(f"{label}: engine_options 'auto' is possible for engine llama.cpp only; {given.get('engine') or model_type} chooses by itself.")
    if "workers" in given and "worker_ip" in given:
        problems.append(
            f"{label}: workers '{shown(given['workers'])}' and worker_ip '{shown(given['worker_ip'])}' both say where the model runs; give workers alone, "
            "which names hosts of the inventory."
        )
    if given.get("virtual_env_packages") and given.get("enable_virtual_env") is False:
        problems.append(f"{label}: virtual_env_packages need enable_virtual_env, which is false.")
    if given.get("path") is not None and engine:
        wrong = _check_path(given["path"], engine, model_type)
        problems += [f"{label}: path '{shown(given['path'])}' {wrong}."] if wrong else []
    registration = given.get("registration") or {}
    ability, specs = registration.get("model_ability"), registration.get("model_specs")
    if given.get("enable_thinking") is False and model_type == "LLM" and isinstance(ability, list) and "hybrid" not in ability:
        problems.append(f"{label}: enable_thinking 'false' would be ignored in silence, because registration.model_ability does not hold hybrid.")
    if isinstance(specs, list) and all(isinstance(spec, Mapping) for spec in specs) and specs:
        problems += _check_choice(label, given, specs)
        problems += [f"{label}: {problem}" for problem in _check_beside(given, registration, model_type)]
        formats = {spec.get("model_format") for spec in specs if isinstance(spec.get("model_format"), str)}
        if formats and engine == "llama.cpp" and form is None and "ggufv2" not in formats:
            problems.append(
                f"{label}: engine 'llama.cpp' loads ggufv2 only, but registration.model_specs holds {', '.join(shown(each) for each in sorted(formats))}."
            )
        if formats == {"ggufv2"} and form is None and engine in NO_GGUF:
            problems.append(f"{label}: engine '{given['engine']}' cannot load ggufv2, and registration.model_specs holds nothing else; use llama.cpp.")
    return problems


def _check_type(given: Mapping[str, Any], model_type: str) -> list[str]:
    """Fields that a server would ignore in silence for this type or engine."""
    problems = []
    for name, purpose in ignored_fields(given, model_type).items():
        if model_type not in ONLY_FOR[name]:
            problems.append(f"{name} '{shown(given[name])}' would be ignored in silence for type {model_type}; it is for {', '.join(ONLY_FOR[name])}.")
        elif name == "multimodal_projector":
            problems.append(f"{name} '{shown(given[name])}' is for {purpose} only; {given['engine']} would ignore it.")
        else:
            problems.append(f"{name} is possible for {purpose} only, not for {given['engine']}.")
    return problems


def _check_path(path: str, engine: str, model_type: str) -> str:
    """What a path must be for an engine; an empty string for one that may be right."""
    is_file = path.lower().endswith(".gguf")
    split = split_of(path)
    if engine == "llama.cpp" and split is not None and split.number != 1:
        return f"is part {split.number} of {split.total} of a split GGUF; engine llama.cpp wants the first one, '{shown(split.first)}'"
    if engine == "llama.cpp" and model_type == "LLM":
        return "" if is_file else "is no GGUF file; engine llama.cpp wants the file itself, with its name ending in .gguf"
    if engine == "llama.cpp" and model_type in ("embedding", "rerank"):
        return f"is a file; for type {model_type}, engine llama.cpp wants the directory of the GGUF file" if is_file else ""
    return "is a GGUF file, which only engine llama.cpp loads" if is_file and engine in NO_GGUF else ""


def _check_beside(given: Mapping[str, Any], registration: Mapping[str, Any], model_type: str) -> list[str]:
    """What lies beside a GGUF that only its registration names: the server links the file under a name of its own, and nothing else is beside that."""
    uri = chosen(registration, given, model_type).get("model_uri")
    path, projector = local_path(uri) or "", given.get("multimodal_projector")
    if given.get("path") is not None:
        return []
    if projector is not None and not projector.startswith("/") and path.lower().endswith(".gguf"):
        return [f"multimodal_projector '{shown(projector)}' would be looked for beside the server's own link to '{shown(path)}'; give its absolute path."]
    split = split_of(path)
    if split is None:
        return []
    way = f"give path '{shown(split.first)}', too"
    if model_type != "LLM":
        way = "give as model_uri the directory of the parts, and as model_file_name_template the name of the first"
    return [
        f"registration.model_specs.model_uri '{shown(uri)}' is one of {split.total} parts of a split GGUF, which the server links under a name"
        f" without its number, so that llama.cpp cannot find the others; {way}."
    ]


def _check_choice(label: str, given: Mapping[str, Any], specs: Sequence[Mapping[str, Any]]) -> list[str]:
    """Format, size and quantization of a custom model must be among its own specifications."""
    problems: list[str] = []
    for field_name, key in (("format", "model_format"), ("size_in_billions", "model_size_in_billions"), ("quantization", "quantization")):
        wanted = given.get(field_name)
        offered = [shown(spec[key]) for spec in specs if spec.get(key) is not None]
        if wanted is None or not offered:
            continue
        if not any(same_choice(field_name, wanted, one, given.get("type", "LLM")) for one in offered):
            allowed, hint = ", ".join(dict.fromkeys(offered)), nearest_choice(field_name, wanted, offered)
            problems.append(sentence(f"{label}: {field_name} '{wanted}' is in no entry of registration.model_specs; they hold {allowed}{hint}"))
    return problems


def check_models(raw: Any, *, strict: bool = True, names: Mapping[str, str] = MappingProxyType({})) -> tuple[list[DeclaredModel], list[str]]:
    """Check a declaration.

    :param raw: what the operator wrote, of any type.
    :param strict: also refuse engine options that are not known here.
    :param names: what options are called, as of :func:`~.base.messages.called`; ``models`` is the list itself.
    :returns: the models that are well-formed, and one sentence for each problem found in the others.
    """
    if not isinstance(raw, (list, tuple)):
        return [], [f"{called('models', names)}: is {kind_of(raw)}, but must be a list of dictionaries."]
    models: list[DeclaredModel] = []
    problems: list[str] = []
    seen: dict[str, int] = {}
    specs: dict[tuple[str, str], tuple[str, Any]] = {}
    for index, item in enumerate(raw):
        uid = item.get("uid") if isinstance(item, Mapping) else None
        label = f"{called('models', names)}[{index}]" + (f" (uid '{shown(uid)}')" if uid is not None else "")
        given, found = _check_item(label, item, strict, names)
        problems += found
        uid = given.pop("uid", None)
        if uid in seen:
            problems.append(f"{label}: uid '{uid}' is already used by {called('models', names)}[{seen[uid]}]; every model needs a uid of its own.")
            continue
        if uid is not None:
            seen[uid] = index
        if found or uid is None:
            continue
        model = DeclaredModel(uid=uid, state=given.pop("state", "present"), given=given)
        key = (model.type, model.name)
        if model.registration is not None and specs.setdefault(key, (label, model.registration))[1] != model.registration:
            problems.append(f"{label}: registration of '{model.name}' differs from the one in {specs[key][0]}; one name has one registration.")
            continue
        models.append(model)
    return models, problems


def parse_models(raw: Any, *, strict: bool = True, names: Mapping[str, str] = MappingProxyType({})) -> list[DeclaredModel]:
    """The declared models, or :class:`DeclarationError` with every problem at once; parameters as of :func:`check_models`."""
    models, problems = check_models(raw, strict=strict, names=names)
    if problems:
        raise DeclarationError(problems)
    return models
