# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The fields of a declared model: one table of names, checks and where each belongs. Private to this collection."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Callable

from ..base.messages import nearest, out_of_range, shown, unsendable, whole
from .engine_options import LLAMA_CPP

__all__ = [
    "AUTO",
    "AUTOSTART",
    "BELONGS",
    "ENGINES",
    "FIELDS",
    "MODEL_TYPES",
    "NO_GGUF",
    "SENT",
    "WORKER_NAME",
    "WrongField",
    "kind_of",
    "sentence",
]

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
NO_GGUF = ("transformers", "sentence_transformers", "flag", "sglang", "mlx", "trt-llm", "lmdeploy")
_LORA = ("lora_list", "image_lora_load_kwargs", "image_lora_fuse_kwargs")
_SIZE = re.compile(r"\d+([._]\d+)?", re.ASCII)
#: Name of a worker in the inventory, by which the other members of its cluster know it.
WORKER_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?", re.ASCII)
_WORKERS = re.compile(r"[\w.:\[\]-]+(\s*,\s*[\w.:\[\]-]+)*", re.ASCII)
_UID_BAD = re.compile(r"[\s/\\?#%]")
_VARIABLE_BAD = re.compile(r"[\s=]")
_REPLICA_SUFFIX = re.compile(r"-rep\d+$")


class WrongField(Exception):
    """A value is not allowed; the text completes 'is …'."""


def sentence(text: str) -> str:
    """A text with the mark that ends it."""
    return text if text.endswith((".", "?")) else text + "."


def kind_of(value: Any) -> str:
    """What a value is, in words; the names of its classes are no help to the operator. What it holds may be secret, so only keys are shown."""
    if isinstance(value, Mapping):
        return f"the dictionary ({', '.join(shown(key) for key in value)})" if value else "the empty dictionary"
    for kind, word in ((bool, "truth value"), (str, "text"), ((int, float), "number")):
        if isinstance(value, kind):  # type: ignore[arg-type]
            return f"the {word} '{shown(value)}'"
    return "the list" if isinstance(value, (list, tuple)) else f"the value '{shown(value)}'"


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value.strip():
        quotes = {bool: "true or false", int: "a number", float: "a number"}.get(type(value))
        raise WrongField("must be a text that is not empty" + (f"; YAML reads it as {quotes}, so put it in quotes" if quotes else ""))
    if value != value.strip():
        raise WrongField("must not begin or end with white space")
    if not value.isprintable():
        raise WrongField("must not contain line breaks or invisible characters")
    return value


def _number(value: Any) -> int:
    number = whole(value)
    wrong = out_of_range(number, 1)
    if wrong:
        raise WrongField(wrong)
    return int(number)


def _flag(value: Any) -> bool:
    if isinstance(value, str) and value.lower() in {"true", "false", "yes", "no"}:
        return value.lower() in {"true", "yes"}
    if not isinstance(value, bool):
        raise WrongField("must be true or false")
    return value


def _mapping(value: Any) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise WrongField("must be a dictionary")
    odd = unsendable(value)
    if odd is not None:
        raise WrongField(f"holds '{odd}', which no request can carry; keys must be texts, and values texts, finite numbers, true, false or null")
    return dict(value)


def _options(value: Any) -> dict[str, Any] | str:
    if value == AUTO:
        return AUTO
    if not isinstance(value, Mapping):
        raise WrongField("must be a dictionary, or auto for options that fit the host")
    return _mapping(value)


def _autostart(value: Any) -> bool | dict[str, int]:
    if not isinstance(value, Mapping):
        try:
            return _flag(value)
        except WrongField as wrong:
            raise WrongField(f"must be true, false or a dictionary with some of {', '.join(AUTOSTART)}") from wrong
    numbers = {key: whole(item) for key, item in value.items()}
    for key, item in numbers.items():
        if key not in AUTOSTART:
            raise WrongField(f"has the unknown key '{shown(key)}'; allowed are {', '.join(AUTOSTART)}{nearest(shown(key), tuple(AUTOSTART))}")
        wrong_number = out_of_range(item, 0 if key == "priority" else 1)
        if wrong_number:
            raise WrongField(f"holds {key} '{shown(item)}', which {wrong_number}")
    return numbers


def _texts(value: Any) -> list[str]:
    if not isinstance(value, (list, tuple)) or not all(isinstance(item, str) and item.strip() and item.isprintable() for item in value):
        raise WrongField("must be a list of texts")
    return list(value)


def _environment(value: Any) -> dict[str, str]:
    if not isinstance(value, Mapping):
        raise WrongField("must be a dictionary")
    for key, item in value.items():
        # What follows the mark of equality may be the secret.
        name = shown(key).split("=", maxsplit=1)[0]
        if not isinstance(key, str) or not key or not key.isprintable() or _VARIABLE_BAD.search(key):
            raise WrongField(f"holds a name that begins with '{name}' and that no variable can have; names are texts without white space and '='")
        if isinstance(item, (Mapping, list, tuple)) or item is None:
            raise WrongField(f"must hold a text for every name, and '{name}' has none")
        if "\0" in str(item) or unsendable(str(item)) is not None:
            raise WrongField(f"must hold texts that a process can get, and that of '{name}' is none")
    return {key: str(item) for key, item in value.items()}


def _adapters(value: Any) -> dict[str, Any]:
    checked = _mapping(value)
    for key in checked:
        if key not in _LORA:
            raise WrongField(f"has the unknown key '{shown(key)}'; allowed are {', '.join(_LORA)}{nearest(key, _LORA)}")
    adapters = checked.get("lora_list")
    if not isinstance(adapters, list) or not adapters:
        raise WrongField("must hold lora_list, a list of dictionaries with lora_name and local_path")
    for adapter in adapters:
        if not isinstance(adapter, Mapping) or not all(isinstance(adapter.get(key), str) and adapter[key] for key in ("lora_name", "local_path")):
            raise WrongField(f"holds in lora_list '{shown(adapter)}', which must be a dictionary with the texts lora_name and local_path")
        try:
            _absolute(adapter["local_path"])
        except WrongField as wrong:
            raise WrongField(f"holds local_path '{shown(adapter['local_path'])}', which {wrong}") from wrong
    return checked


def _size(value: Any) -> str:
    text = shown(value)
    fits = isinstance(value, (int, float, str)) and not isinstance(value, bool) and _SIZE.fullmatch(text)
    if not fits or not float(text.replace("_", ".")):
        raise WrongField("must be a number of billions such as 7, 0.6 or '0_6'")
    if isinstance(value, float) and value.is_integer():
        text = str(int(value))
    return text.replace(".", "_")


def _gpus(value: Any) -> Any:
    if value is None or value == "auto":
        return value
    try:
        return _number(value)
    except WrongField as wrong:
        raise WrongField(f"{wrong}, auto or null; leave it out on a host without GPU") from wrong


def _absolute(value: Any) -> str:
    path = _text(value)
    if not path.startswith("/"):
        raise WrongField("must be an absolute path as the server sees it, inside its container")
    if ".." in path.split("/"):
        raise WrongField("must not contain '..'; write the path without it")
    return path


def _worker(value: Any) -> str:
    if not _WORKERS.fullmatch(_text(value)):
        raise WrongField("must be the address of a worker, such as 10.0.0.5 or 10.0.0.5:40001")
    return str(value)


def _workers(value: Any) -> list[str]:
    if not isinstance(value, (list, tuple)) or not value:
        raise WrongField("must be a list of at least one worker's name in the inventory, such as [worker-1, worker-2]")
    for name in value:
        if not isinstance(name, str):
            raise WrongField(f"holds {kind_of(name)}, but must hold names of workers in the inventory; put in quotes what YAML reads as something else")
        if not WORKER_NAME.fullmatch(name):
            raise WrongField(f"holds '{shown(name)}', which is no name of a worker: use letters, digits, '.', '_' and '-', with a letter or digit at both ends")
        if value.count(name) > 1:
            raise WrongField(f"holds '{name}' twice; replica says how many replicas there are")
    return list(value)


def _one_of(choices: Sequence[str]) -> Callable[[Any], str]:
    def check(value: Any) -> str:
        if value not in choices:
            raise WrongField(f"is not one of {', '.join(choices)}{nearest(shown(value), choices)}")
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
        raise WrongField(f"has {len(uid)} characters; at most {MAX_UID} are allowed")
    if _UID_BAD.search(uid):
        raise WrongField("must not contain white space or any of / \\ ? # %")
    if not uid.isprintable():
        raise WrongField("must not contain invisible characters")
    if uid in (".", ".."):
        raise WrongField("is a step in an address and cannot name a model")
    if _REPLICA_SUFFIX.search(uid):
        raise WrongField("must not end in -rep and a number, which the server uses for replicas")
    if uid in RESERVED_UIDS:
        raise WrongField("is a fixed route of the server and cannot name a model")
    return uid


@dataclass(frozen=True)
class Field:
    """One field of a declared model.

    :param check: turns a raw value into the normalised one, or raises with what is allowed.
    :param sent: name in the launch request; empty when the field is not part of it.
    :param written: how the normalised value is written there.
    """

    check: Callable[[Any], Any]
    sent: str = ""
    written: Callable[[Any], Any] = lambda value: value


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
    # Sent under the same name; what is sent is read back as the one below.
    "workers": Field(_workers, "worker_ip", ",".join),
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
SENT = {spec.sent: name for name, spec in FIELDS.items() if spec.sent}
#: What people write for a field, and where it belongs.
BELONGS = {
    **dict.fromkeys(LLAMA_CPP - {"reasoning_content"}, "engine_options"),
    **dict.fromkeys(AUTOSTART, "autostart"),
    **dict.fromkeys(("model_specs", "model_uri", "model_family", "model_ability", "chat_template"), "registration"),
    **SENT,
}
