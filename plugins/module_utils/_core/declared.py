# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The declaration: what the operator wrote, checked and normalised. Private to this collection.

:data:`FIELDS` is the one table of what a declared model may carry. Checking, the launch request and the comparison with
a running model all read it.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Callable

from .errors import DeclarationError
from .gguf import split_of
from .options import LLAMA_CPP, check_options, ignored_options, without_effect
from .registered import check_registration, chosen, local_path
from .values import called, nearest, nearest_choice, other_spelling, out_of_range, same_choice, shown, unsendable, whole

__all__ = ["AUTO", "AUTOSTART", "ENGINES", "FIELDS", "MODEL_TYPES", "DeclaredModel", "check_models", "effective", "parse_models"]

#: Engines by model type, as Xinference spells them; the server compares without regard to case.
ENGINES: dict[str, tuple[str, ...]] = {
    "LLM": ("llama.cpp", "Transformers", "vLLM", "SGLang", "MLX", "TRT-LLM", "LMDEPLOY"),
    "embedding": ("sentence_transformers", "flag", "llama.cpp", "transformers", "vllm"),
    "rerank": ("sentence_transformers", "llama.cpp", "vllm", "flag"),
    "image": ("diffusers", "transformers", "vLLM", "SGLang", "llama.cpp", "mlx", "deepdoc"),
    "audio": ("transformers", "PyTorch", "vLLM", "MLX", "diffusers"),
    "video": ("diffusers", "MLX", "vLLM", "SGLang"),
    "world": ("PyTorch",),
    "flexible": (),
}
MODEL_TYPES = tuple(ENGINES)
#: Fixed routes of the server beside /v1/models/{uid}: a model of this name could not be described or terminated.
RESERVED_UIDS = frozenset({"instances", "instance", "prompts", "families", "vllm-supported", "recommend", "update_type", "update_spec"})
HUBS = ("huggingface", "modelscope", "csghub", "openmind_hub", "auto")
STATES = ("present", "absent")
#: Engine options that are chosen for the host.
AUTO = "auto"
#: How often and how long a server tries to start a model by itself. The server's own three tries end after a minute and a half; these
#: outlive a night without network.
AUTOSTART = {"priority": 100, "max_retries": 1000, "retry_interval_seconds": 30}
MAX_UID = 100

#: Engines that load LoRA adapters for an LLM; the others load the model without them and only log it.
ADAPTING = ("transformers", "vllm", "mlx")
#: Fields that a server ignores in silence for other types.
ONLY_FOR: dict[str, tuple[str, ...]] = {
    "size_in_billions": ("LLM",),
    "format": ("LLM", "embedding", "rerank", "image", "video"),
    "quantization": ("LLM", "embedding", "rerank", "image", "audio", "video"),
    "enable_thinking": ("LLM",),
    "multimodal_projector": ("LLM",),
    "peft_model_config": ("LLM", "image"),
}
_NO_GGUF = ("transformers", "sentence_transformers", "flag", "sglang", "mlx", "trt-llm", "lmdeploy")
_LORA = ("lora_list", "image_lora_load_kwargs", "image_lora_fuse_kwargs")

_SIZE = re.compile(r"\d+([._]\d+)?", re.ASCII)
_WORKERS = re.compile(r"[\w.:\[\]-]+(\s*,\s*[\w.:\[\]-]+)*", re.ASCII)
_UID_BAD = re.compile(r"[\s/\\?#%]")
_VARIABLE_BAD = re.compile(r"[\s=]")
_REPLICA_SUFFIX = re.compile(r"-rep\d+$")


class _Wrong(Exception):
    """A value is not allowed; the text completes 'is …'."""


def _sentence(text: str) -> str:
    """A text with the mark that ends it."""
    return text if text.endswith((".", "?")) else text + "."


def _kind(value: Any) -> str:
    """What a value is, in words; the names of its classes are no help to the operator. What it holds may be secret, so only keys are told."""
    if isinstance(value, Mapping):
        return f"the dictionary ({', '.join(shown(key) for key in value)})" if value else "the empty dictionary"
    for kind, word in ((bool, "truth value"), (str, "text"), ((int, float), "number")):
        if isinstance(value, kind):  # type: ignore[arg-type]
            return f"the {word} '{shown(value)}'"
    return "the list" if isinstance(value, (list, tuple)) else f"the value '{shown(value)}'"


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value.strip():
        quotes = {bool: "true or false", int: "a number", float: "a number"}.get(type(value))
        raise _Wrong("must be a text that is not empty" + (f"; YAML reads it as {quotes}, so put it in quotes" if quotes else ""))
    if value != value.strip():
        raise _Wrong("must not begin or end with white space")
    if not value.isprintable():
        raise _Wrong("must not contain line breaks or invisible characters")
    return value


def _number(value: Any) -> int:
    number = whole(value)
    wrong = out_of_range(number, 1)
    if wrong:
        raise _Wrong(wrong)
    return int(number)


def _flag(value: Any) -> bool:
    if isinstance(value, str) and value.lower() in {"true", "false", "yes", "no"}:
        return value.lower() in {"true", "yes"}
    if not isinstance(value, bool):
        raise _Wrong("must be true or false")
    return value


def _mapping(value: Any) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise _Wrong("must be a dictionary")
    odd = unsendable(value)
    if odd is not None:
        raise _Wrong(f"holds '{odd}', which no request can carry; keys must be texts, and values texts, finite numbers, true, false or null")
    return dict(value)


def _options(value: Any) -> dict[str, Any] | str:
    if value == AUTO:
        return AUTO
    if not isinstance(value, Mapping):
        raise _Wrong("must be a dictionary, or auto for options that fit the host")
    return _mapping(value)


def _autostart(value: Any) -> bool | dict[str, int]:
    if not isinstance(value, Mapping):
        try:
            return _flag(value)
        except _Wrong as wrong:
            raise _Wrong(f"must be true, false or a dictionary with some of {', '.join(AUTOSTART)}") from wrong
    numbers = {key: whole(item) for key, item in value.items()}
    for key, item in numbers.items():
        if key not in AUTOSTART:
            raise _Wrong(f"has the unknown key '{shown(key)}'; allowed are {', '.join(AUTOSTART)}{nearest(shown(key), tuple(AUTOSTART))}")
        wrong_number = out_of_range(item, 0 if key == "priority" else 1)
        if wrong_number:
            raise _Wrong(f"holds {key} '{shown(item)}', which {wrong_number}")
    return numbers


def _texts(value: Any) -> list[str]:
    if not isinstance(value, (list, tuple)) or not all(isinstance(item, str) and item.strip() and item.isprintable() for item in value):
        raise _Wrong("must be a list of texts")
    return list(value)


def _environment(value: Any) -> dict[str, str]:
    if not isinstance(value, Mapping):
        raise _Wrong("must be a dictionary")
    for key, item in value.items():
        # What follows the mark of equality may be the secret.
        name = shown(key).split("=", maxsplit=1)[0]
        if not isinstance(key, str) or not key or not key.isprintable() or _VARIABLE_BAD.search(key):
            raise _Wrong(f"holds a name that begins with '{name}' and that no variable can have; names are texts without white space and '='")
        if isinstance(item, (Mapping, list, tuple)) or item is None:
            raise _Wrong(f"must hold a text for every name, and '{name}' has none")
        if "\0" in str(item) or unsendable(str(item)) is not None:
            raise _Wrong(f"must hold texts that a process can get, and that of '{name}' is none")
    return {key: str(item) for key, item in value.items()}


def _adapters(value: Any) -> dict[str, Any]:
    checked = _mapping(value)
    for key in checked:
        if key not in _LORA:
            raise _Wrong(f"has the unknown key '{shown(key)}'; allowed are {', '.join(_LORA)}{nearest(key, _LORA)}")
    adapters = checked.get("lora_list")
    if not isinstance(adapters, list) or not adapters:
        raise _Wrong("must hold lora_list, a list of dictionaries with lora_name and local_path")
    for adapter in adapters:
        if not isinstance(adapter, Mapping) or not all(isinstance(adapter.get(key), str) and adapter[key] for key in ("lora_name", "local_path")):
            raise _Wrong(f"holds in lora_list '{shown(adapter)}', which must be a dictionary with the texts lora_name and local_path")
        try:
            _absolute(adapter["local_path"])
        except _Wrong as wrong:
            raise _Wrong(f"holds local_path '{shown(adapter['local_path'])}', which {wrong}") from wrong
    return checked


def _size(value: Any) -> str:
    text = shown(value)
    fits = isinstance(value, (int, float, str)) and not isinstance(value, bool) and _SIZE.fullmatch(text)
    if not fits or not float(text.replace("_", ".")):
        raise _Wrong("must be a number of billions such as 7, 0.6 or '0_6'")
    if isinstance(value, float) and value.is_integer():
        text = str(int(value))
    return text.replace(".", "_")


def _gpus(value: Any) -> Any:
    if value is None or value == "auto":
        return value
    try:
        return _number(value)
    except _Wrong as wrong:
        raise _Wrong(f"{wrong}, auto or null; leave it out on a host without GPU") from wrong


def _absolute(value: Any) -> str:
    path = _text(value)
    if not path.startswith("/"):
        raise _Wrong("must be an absolute path as the server sees it, inside its container")
    if ".." in path.split("/"):
        raise _Wrong("must not contain '..'; write the path without it")
    return path


def _worker(value: Any) -> str:
    if not _WORKERS.fullmatch(_text(value)):
        raise _Wrong("must be the address of a worker, such as 10.0.0.5 or 10.0.0.5:40001")
    return str(value)


def _one_of(choices: Sequence[str]) -> Callable[[Any], str]:
    def check(value: Any) -> str:
        if value not in choices:
            raise _Wrong(f"is not one of {', '.join(choices)}{nearest(shown(value), choices)}")
        return str(value)

    return check


def _uid(value: Any) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        uid = shown(value)
    elif isinstance(value, str) and value:
        uid = value
    else:
        uid = _text(value)
    if len(uid) > MAX_UID:
        raise _Wrong(f"has {len(uid)} characters; at most {MAX_UID} are allowed")
    if _UID_BAD.search(uid):
        raise _Wrong("must not contain white space or any of / \\ ? # %")
    if not uid.isprintable():
        raise _Wrong("must not contain invisible characters")
    if uid in (".", ".."):
        raise _Wrong("is a step in an address and cannot name a model")
    if _REPLICA_SUFFIX.search(uid):
        raise _Wrong("must not end in -rep and a number, which the server uses for replicas")
    if uid in RESERVED_UIDS:
        raise _Wrong("is a fixed route of the server and cannot name a model")
    return uid


@dataclass(frozen=True)
class Field:
    """One field of a declared model.

    :param check: turns a raw value into the normalised one, or says what is allowed.
    :param sent: name in the launch request; empty when the field is not part of it.
    """

    check: Callable[[Any], Any]
    sent: str = ""


FIELDS: dict[str, Field] = {
    "uid": Field(_uid, "model_uid"),
    "state": Field(_one_of(STATES)),
    "name": Field(_text, "model_name"),
    "type": Field(_one_of(MODEL_TYPES), "model_type"),
    "engine": Field(_text, "model_engine"),
    "format": Field(_text, "model_format"),
    "size_in_billions": Field(_size, "model_size_in_billions"),
    "quantization": Field(_text, "quantization"),
    "replica": Field(_number, "replica"),
    "path": Field(_absolute, "model_path"),
    "download_hub": Field(_one_of(HUBS), "download_hub"),
    "n_gpu": Field(_gpus, "n_gpu"),
    "worker_ip": Field(_worker, "worker_ip"),
    "request_limits": Field(_number, "request_limits"),
    "enable_thinking": Field(_flag, "enable_thinking"),
    "enable_virtual_env": Field(_flag, "enable_virtual_env"),
    "virtual_env_packages": Field(_texts, "virtual_env_packages"),
    "environment": Field(_environment, "envs"),
    "peft_model_config": Field(_adapters, "peft_model_config"),
    "multimodal_projector": Field(_text, "multimodal_projector"),
    "engine_options": Field(_options),
    "autostart": Field(_autostart),
    "registration": Field(_mapping),
}

_SENT = {spec.sent: name for name, spec in FIELDS.items() if spec.sent}
#: What people write for a field, and where it belongs.
_BELONGS = {
    **dict.fromkeys(LLAMA_CPP - {"reasoning_content"}, "engine_options"),
    **dict.fromkeys(AUTOSTART, "autostart"),
    **dict.fromkeys(("model_specs", "model_uri", "model_family", "model_ability", "chat_template"), "registration"),
    **_SENT,
}


@dataclass(frozen=True)
class DeclaredModel:
    """A model as declared: checked, normalised, with only the fields that the operator set.

    :param uid: the name under which it is served.
    :param state: ``present`` or ``absent``.
    :param given: the other fields that were set, by their names in :data:`FIELDS`.
    """

    uid: str
    state: str = "present"
    given: dict[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Name of the model in the server's catalogue or in its registration."""
        return str(self.given.get("name", ""))

    @property
    def type(self) -> str:
        """Model type, ``LLM`` unless declared otherwise."""
        return str(self.wanted("type"))

    @property
    def engine(self) -> str:
        """The engine in lower case, empty where the server chooses."""
        return str(self.given.get("engine") or "").lower()

    def wanted(self, name: str) -> Any:
        """What is declared for a field, with the defaults that hold where nothing is."""
        return self.given.get(name, {"type": "LLM", "replica": 1}.get(name))

    @property
    def registration(self) -> dict[str, Any] | None:
        """The custom model's specification as the server takes it, or None for a model of the catalogue."""
        inline = self.given.get("registration")
        return None if inline is None else {"version": 2, **inline, "model_name": self.name}

    @property
    def options(self) -> dict[str, Any]:
        """The engine options; empty while they are still to be chosen for the host."""
        given = self.given.get("engine_options")
        return given if isinstance(given, dict) else {}

    def autostart(self, default: bool) -> dict[str, int] | None:
        """How the server shall start the model by itself, None where it shall not.

        :param default: what holds for a model that does not say.
        """
        given = self.given.get("autostart", default)
        if given is False:
            return None
        return {**AUTOSTART, **(given if isinstance(given, dict) else {})}

    def launch_request(self) -> dict[str, Any]:
        """Arguments of the launch request: only what was declared, so that the server's own defaults hold."""
        request: dict[str, Any] = {"model_uid": self.uid, "model_type": self.type, "replica": self.wanted("replica")}
        for name, value in self.given.items():
            if FIELDS[name].sent:
                request[FIELDS[name].sent] = value
        size = request.get("model_size_in_billions")
        if isinstance(size, str) and size.isdigit():
            request["model_size_in_billions"] = int(size)
        request.update(self.options)
        return request

    def shown(self) -> dict[str, Any]:
        """The declaration for results and diffs; values of environment variables are not shown."""
        shown = {"type": self.type, **{key: value for key, value in self.given.items() if key != "registration"}}
        if "environment" in shown:
            shown["environment"] = dict.fromkeys(shown["environment"], "********")
        return shown


def _ignored_fields(given: Mapping[str, Any], model_type: str) -> dict[str, str]:
    """Fields that a server ignores in silence for the type or the engine, and for what they are in a sentence.

    :param given: fields of a declaration.
    """
    engine = str(given.get("engine") or "").lower()
    named = {name for name in given if given[name] is not None}
    found = {name: f"type {', '.join(types)}" for name, types in ONLY_FOR.items() if name in named and model_type not in types}
    if model_type == "LLM" and engine:
        if "multimodal_projector" in named and engine != "llama.cpp":
            found["multimodal_projector"] = "engine llama.cpp"
        if "peft_model_config" in named and (engine not in ADAPTING or given.get("format") == "ggufv2"):
            found["peft_model_config"] = "engines Transformers, vLLM and MLX and formats other than ggufv2"
    return found


def effective(request: Mapping[str, Any], spec: Mapping[str, Any], ours: Collection[str] = ()) -> dict[str, Any]:
    """A launch request without what the server ignores: its own command line sends the same options for every model.

    :param request: as it was sent; what it does not say of type, engine and format is looked up in the description.
    :param spec: the server's description of the running model, empty where there is none.
    :param ours: options that somebody declared; they count even where they are not known here.
    """
    said = {**spec, **{key: value for key, value in request.items() if value is not None}}
    model_type, engine = str(said.get("model_type") or "LLM"), str(said.get("model_engine") or "")
    fields = {_SENT[key]: value for key, value in said.items() if key in _SENT}
    options = {key: value for key, value in request.items() if key not in _SENT}
    ignored = {FIELDS[name].sent for name in _ignored_fields(fields, model_type)} | without_effect(options)
    ignored |= ignored_options(engine, options, model_type) - set(ours)
    if model_type == "LLM" and (not _thinks(spec) or (engine.lower() == "transformers" and request.get("enable_thinking") is False)):
        # Only of a hybrid model it can be switched, and with Transformers it is off where nobody says anything.
        ignored.add("enable_thinking")
    return {key: value for key, value in request.items() if key not in ignored}


def _thinks(spec: Mapping[str, Any]) -> bool:
    """Whether thinking can be switched off, as far as is known."""
    abilities = spec.get("model_ability")
    return not isinstance(abilities, (list, tuple)) or "hybrid" in abilities


def _instead(key: Any) -> str:
    """What to write instead of an unknown field."""
    word = shown(key)
    meant = other_spelling(word, (*FIELDS, *_BELONGS))
    if meant is None or meant in FIELDS:
        return nearest(word, tuple(FIELDS)) or f"; allowed are {', '.join(FIELDS)}"
    if meant in _SENT:
        return f"; did you mean '{_BELONGS[meant]}'?"
    return f"; it belongs into {_BELONGS[meant]}" if meant == word else f"; did you mean '{meant}'? It belongs into {_BELONGS[meant]}"


def _check_item(label: str, item: Any, strict: bool, names: Mapping[str, str]) -> tuple[dict[str, Any], list[str]]:
    """Normalised fields of one item, and its problems."""
    if not isinstance(item, Mapping):
        return {}, [f"{label}: is {_kind(item)}, but must be a dictionary with at least 'uid' and 'name'."]
    problems: list[str] = []
    given: dict[str, Any] = {}
    for key, value in item.items():
        spec = FIELDS.get(key) if isinstance(key, str) else None
        if spec is None:
            problems.append(_sentence(f"{label}: field '{shown(key)}' is unknown{_instead(key)}"))
            continue
        if value is None and key != "n_gpu":
            continue
        try:
            given[key] = spec.check(value)
        except _Wrong as wrong:
            text = "********" if key == "environment" else shown(value)
            problems.append(_sentence(f"{label}: {key} '{text}' {wrong}"))
    if "uid" not in item or item["uid"] is None:
        problems.append(f"{label}: uid is missing; give the model a name of its own, or every run would launch another copy.")
    # A misspelt state is one problem; what else the model needs depends on it.
    state_known = item.get("state") is None or "state" in given
    if state_known and given.get("state") != "absent":
        problems += _check_present(label, item, given, strict, names)
    return given, problems


def _check_present(label: str, item: Mapping[str, Any], given: dict[str, Any], strict: bool, names: Mapping[str, str]) -> list[str]:
    """Problems of the fields taken together, for a model that shall run."""
    problems: list[str] = []
    model_type = given.get("type", "LLM")
    if item.get("name") is None:
        problems.append(f"{label}: name is missing; it is the model's name in the server's catalogue or in its registration.")
    engine = given.get("engine")
    # A misspelt type is one problem; which engines it has cannot be said.
    type_known = item.get("type") is None or "type" in given
    if engine is None and item.get("engine") is None and model_type == "LLM" and type_known:
        problems.append(f"{label}: engine is missing; for type LLM it is one of {', '.join(ENGINES['LLM'])}.")
    if engine is not None and type_known and engine.lower() not in {known.lower() for known in ENGINES[model_type]}:
        allowed = ", ".join(ENGINES[model_type]) or "none"
        # An engine of another type is not misspelt.
        hint = "" if any(engine.lower() == known.lower() for names in ENGINES.values() for known in names) else nearest(engine, ENGINES[model_type])
        problems.append(_sentence(f"{label}: engine '{engine}' is unknown for type {model_type}; allowed: {allowed}{hint}"))
    options = given.get("engine_options")
    if isinstance(options, dict):
        others: dict[str, Any] = {}
        for key, value in options.items():
            meant = other_spelling(key, (*_SENT, *FIELDS, "wait_ready"))
            if meant is None:
                others[key] = value
                continue
            instead = "the option 'wait' of module models" if meant == "wait_ready" else f"the field '{_SENT.get(meant, meant)}'"
            problems.append(f"{label}: engine_options '{shown(key)}' is not an option of the engine; use {instead} for it.")
        problems += [f"{label}: {problem}" for problem in (check_options(engine or "", others, model_type, names) if strict else [])]
    if type_known:
        problems += [f"{label}: {problem}" for problem in _check_type(given, model_type)]
    problems += _check_together(label, item, given, model_type)
    if given.get("registration") is not None and type_known:
        registration = given["registration"]
        if engine is not None and engine.lower() == "llama.cpp" and isinstance(options, dict) and options.get("chat_template"):
            # This one counts, whatever the registration says.
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
        if formats == {"ggufv2"} and form is None and engine in _NO_GGUF:
            problems.append(f"{label}: engine '{given['engine']}' cannot load ggufv2, and registration.model_specs holds nothing else; use llama.cpp.")
    return problems


def _check_type(given: Mapping[str, Any], model_type: str) -> list[str]:
    """Fields that a server would ignore in silence for this type or engine."""
    problems = []
    for name, purpose in _ignored_fields(given, model_type).items():
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
        return f"is a file; for type {model_type}, engine llama.cpp wants the folder of the GGUF file" if is_file else ""
    return "is a GGUF file, which only engine llama.cpp loads" if is_file and engine in _NO_GGUF else ""


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
        way = "give as model_uri the folder of the parts, and as model_file_name_template the name of the first"
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
            problems.append(_sentence(f"{label}: {field_name} '{wanted}' is in no entry of registration.model_specs; they hold {allowed}{hint}"))
    return problems


def check_models(raw: Any, *, strict: bool = True, names: Mapping[str, str] = MappingProxyType({})) -> tuple[list[DeclaredModel], list[str]]:
    """Check a declaration.

    :param raw: what the operator wrote, of any type.
    :param strict: also refuse engine options that are not known here.
    :param names: what options are called, as of :func:`~.values.called`; ``models`` is the list itself.
    :returns: the models that are well-formed, and one sentence for each problem found in the others.
    """
    if not isinstance(raw, (list, tuple)):
        return [], [f"{called('models', names)}: is {_kind(raw)}, but must be a list of dictionaries."]
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
