# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The declaration: what the operator wrote, checked and normalised. Private to this collection.

:data:`FIELDS` is the one table of what a declared model may carry. Checking, the launch request and the comparison with
a running model all read it.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Callable

from .errors import DeclarationError

__all__ = ["ENGINES", "FIELDS", "MODEL_TYPES", "DeclaredModel", "check_models", "nearest", "parse_models", "same_size"]

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
MAX_UID = 100

_SIZE = re.compile(r"\d+([._]\d+)?")
_UID_BAD = re.compile(r"[\s/\\?#%]")
_REPLICA_SUFFIX = re.compile(r"-rep\d+$")


class _Wrong(Exception):
    """A value is not allowed; the text completes 'is …'."""


def nearest(word: str, known: Sequence[str]) -> str:
    """The hint '; did you mean X?' for a misspelt word, or an empty string."""
    lower = {item.lower(): item for item in known}
    close = difflib.get_close_matches(word.lower(), list(lower), n=1, cutoff=0.6)
    return f"; did you mean '{lower[close[0]]}'?" if close else ""


def _sentence(text: str) -> str:
    """A text with the mark that ends it."""
    return text if text.endswith((".", "?")) else text + "."


def _kind(value: Any) -> str:
    """What a value is, in words; the names of its classes are no help to the operator."""
    for kind, word in ((bool, "truth value"), (Mapping, "dictionary"), (str, "text"), ((int, float), "number"), (Sequence, "list")):
        if isinstance(value, kind):  # type: ignore[arg-type]
            return f"the {word}"
    return "the value"


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value.strip():
        raise _Wrong("must be a text that is not empty")
    return value


def _number(value: Any) -> int:
    if isinstance(value, str) and value.isdecimal():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise _Wrong("must be a whole number of at least 1")
    return value


def _flag(value: Any) -> bool:
    if isinstance(value, str) and value.lower() in {"true", "false", "yes", "no"}:
        return value.lower() in {"true", "yes"}
    if not isinstance(value, bool):
        raise _Wrong("must be true or false")
    return value


def _mapping(value: Any) -> dict[str, Any]:
    if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
        raise _Wrong("must be a dictionary")
    return dict(value)


def _texts(value: Any) -> list[str]:
    if not isinstance(value, Sequence) or isinstance(value, str) or not all(isinstance(item, str) and item for item in value):
        raise _Wrong("must be a list of texts")
    return list(value)


def _environment(value: Any) -> dict[str, str]:
    checked = _mapping(value)
    for key, item in checked.items():
        if isinstance(item, (Mapping, list)) or item is None:
            raise _Wrong(f"must hold a text for every name, and '{key}' has none")
    return {key: str(item) for key, item in checked.items()}


def _size(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, (int, float, str)) or not _SIZE.fullmatch(str(value)):
        raise _Wrong("must be a number of billions such as 7, 0.6 or '0_6'")
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return str(value).replace(".", "_")


def _gpus(value: Any) -> Any:
    if value is None or value == "auto":
        return value
    return _number(value)


def _absolute(value: Any) -> str:
    if not _text(value).startswith("/"):
        raise _Wrong("must be an absolute path as the server sees it, inside its container")
    return str(value)


def _one_of(choices: Sequence[str]) -> Callable[[Any], str]:
    def check(value: Any) -> str:
        if value not in choices:
            raise _Wrong(f"is not one of {', '.join(choices)}{nearest(str(value), choices)}")
        return str(value)

    return check


def _uid(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, (str, int)) or not str(value):
        raise _Wrong("must be a text that is not empty")
    uid = str(value)
    if len(uid) > MAX_UID:
        raise _Wrong(f"has {len(uid)} characters; at most {MAX_UID} are allowed")
    if _UID_BAD.search(uid):
        raise _Wrong("must not contain white space or any of / \\ ? # %")
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
    "worker_ip": Field(_text, "worker_ip"),
    "request_limits": Field(_number, "request_limits"),
    "enable_thinking": Field(_flag, "enable_thinking"),
    "enable_virtual_env": Field(_flag, "enable_virtual_env"),
    "virtual_env_packages": Field(_texts, "virtual_env_packages"),
    "environment": Field(_environment, "envs"),
    "engine_options": Field(_mapping),
    "registration": Field(_mapping),
}

_SENT = {spec.sent: name for name, spec in FIELDS.items() if spec.sent}


def same_size(one: Any, other: Any) -> bool:
    """Whether two spellings of a size in billions mean the same: 0.6, "0.6" and "0_6" do."""
    try:
        return float(str(one).replace("_", ".")) == float(str(other).replace("_", "."))
    except ValueError:
        return False


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
        return str(self.given.get("type", "LLM"))

    @property
    def registration(self) -> dict[str, Any] | None:
        """The custom model's specification as the server takes it, or None for a model of the catalogue."""
        inline = self.given.get("registration")
        return None if inline is None else {**inline, "model_name": self.name}

    def launch_request(self) -> dict[str, Any]:
        """Arguments of the launch request: only what was declared, so that the server's own defaults hold."""
        request: dict[str, Any] = {"model_uid": self.uid, "model_type": self.type, "replica": 1}
        for name, value in self.given.items():
            if FIELDS[name].sent:
                request[FIELDS[name].sent] = value
        size = request.get("model_size_in_billions")
        if isinstance(size, str) and size.isdigit():
            request["model_size_in_billions"] = int(size)
        request.update(self.given.get("engine_options") or {})
        return request

    def shown(self) -> dict[str, Any]:
        """The declaration for results and diffs; values of environment variables are not shown."""
        shown = {"type": self.type, **{key: value for key, value in self.given.items() if key != "registration"}}
        if "environment" in shown:
            shown["environment"] = dict.fromkeys(shown["environment"], "********")
        return shown


def _check_item(label: str, item: Any) -> tuple[dict[str, Any], list[str]]:
    """Normalised fields of one item, and its problems."""
    if not isinstance(item, Mapping):
        return {}, [f"{label}: is {_kind(item)} '{item}', but must be a dictionary with at least 'uid' and 'name'."]
    problems: list[str] = []
    given: dict[str, Any] = {}
    for key, value in item.items():
        spec = FIELDS.get(key) if isinstance(key, str) else None
        if spec is None:
            hint = nearest(str(key), tuple(FIELDS))
            problems.append(_sentence(f"{label}: field '{key}' is unknown{hint or '; allowed are ' + ', '.join(FIELDS)}"))
            continue
        if value is None and key != "n_gpu":
            continue
        try:
            given[key] = spec.check(value)
        except _Wrong as wrong:
            shown = "********" if key == "environment" else value
            problems.append(_sentence(f"{label}: {key} '{shown}' {wrong}"))
    if "uid" not in item or item["uid"] is None:
        problems.append(f"{label}: uid is missing; give the model a name of its own, or every run would launch another copy.")
    if given.get("state") != "absent":
        problems += _check_present(label, item, given)
    return given, problems


def _check_present(label: str, item: Mapping[str, Any], given: dict[str, Any]) -> list[str]:
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
        hint = nearest(engine, ENGINES[model_type])
        problems.append(_sentence(f"{label}: engine '{engine}' is unknown for type {model_type}; allowed: {allowed}{hint}"))
    for key in given.get("engine_options") or {}:
        if key in _SENT or key == "wait_ready":
            problems.append(f"{label}: engine_options '{key}' is not an option of the engine; use the field '{_SENT.get(key, 'wait')}' for it.")
    registration = given.get("registration")
    if registration is not None:
        if registration.get("model_name") not in (None, given.get("name")):
            problems.append(f"{label}: registration.model_name '{registration['model_name']}' differs from name '{given.get('name')}'; leave it out.")
        if not isinstance(registration.get("model_specs"), list) or not registration["model_specs"]:
            problems.append(f"{label}: registration.model_specs is missing; it is the list of the files that the model is made of.")
    return problems


def check_models(raw: Any) -> tuple[list[DeclaredModel], list[str]]:
    """Check a declaration.

    :param raw: what the operator wrote, of any type.
    :returns: the models that are well-formed, and one sentence for each problem found in the others.
    """
    if not isinstance(raw, Sequence) or isinstance(raw, (str, bytes)):
        return [], [f"models: is {_kind(raw)} '{raw!s}', but must be a list of dictionaries."]
    models: list[DeclaredModel] = []
    problems: list[str] = []
    seen: dict[str, int] = {}
    specs: dict[tuple[str, str], tuple[str, Any]] = {}
    for index, item in enumerate(raw):
        uid = item.get("uid") if isinstance(item, Mapping) else None
        label = f"models[{index}]" + (f" (uid '{uid}')" if uid is not None else "")
        given, found = _check_item(label, item)
        problems += found
        uid = given.pop("uid", None)
        if uid in seen:
            problems.append(f"{label}: uid '{uid}' is already used by models[{seen[uid]}]; every model needs a uid of its own.")
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


def parse_models(raw: Any) -> list[DeclaredModel]:
    """The declared models, or :class:`DeclarationError` with every problem at once."""
    models, problems = check_models(raw)
    if problems:
        raise DeclarationError(problems)
    return models
