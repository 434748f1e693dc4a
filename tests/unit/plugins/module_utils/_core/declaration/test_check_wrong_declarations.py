# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Wrong declarations: each refused before the first write, in one clear sentence, and never with a traceback.

Every row goes the whole way that the module takes: the declaration is checked, and what passes is compared with a server that a writing call
would fail the test on. What the server in these tests answers is an extract of what one of 4.1.0 answered on a host without GPU. The rows under
"ignored in silence" are what such a server answers 200 to.
"""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.inferops.xinference.plugins.module_utils._core.base.errors import DeclarationError
from ansible_collections.inferops.xinference.plugins.module_utils._core.declaration.check import parse_models
from ansible_collections.inferops.xinference.plugins.module_utils._core.declaration.engine_options import LLAMA_CPP
from ansible_collections.inferops.xinference.plugins.module_utils._core.declaration.fields import FIELDS, MODEL_TYPES, RESERVED_UIDS
from ansible_collections.inferops.xinference.plugins.module_utils._core.declaration.specification import CUSTOM_TYPES
from ansible_collections.inferops.xinference.plugins.module_utils._core.observed.server_files import ServerFiles
from ansible_collections.inferops.xinference.plugins.module_utils._core.reconcile.options import ReconcileOptions
from ansible_collections.inferops.xinference.plugins.module_utils._core.reconcile.reconcile import reconcile
from ansible_collections.inferops.xinference.plugins.module_utils._core.server.rows import (
    AutostartRow,
    Engines,
    HistoryRow,
    InstanceRow,
    ModelRow,
    ServerStatus,
    WorkerStatus,
)
from ansible_collections.inferops.xinference.tests.unit.plugins.modules.module_runner import REPEAT

MODULE = "ansible_collections.inferops.xinference.plugins.modules.models"
SECRET = "hunter2-hunter2"
#: Words of a program and not of a person: names of classes, what Python calls its values, reports of a crash.
NOISE = re.compile(
    r"<class|NoneType|\bNone\b|\bTrue\b|\bFalse\b|Traceback|object at 0x|(?<!\.)\b(?:nan|inf)\b|\b(?:str|dict|int|bool|tuple|float)\b|Error\b|\['|\{'|\bb'\w"
)

GOOD = {"uid": "good", "name": "qwen3", "engine": "llama.cpp", "format": "ggufv2", "size_in_billions": "0_6", "quantization": "Q8_0"}
LLM = {"uid": "x", "name": "qwen3", "engine": "llama.cpp"}
#: Without the format, a server of 4.1.0 takes the first files of its catalogue, which llama.cpp cannot load.
GGUF = {**LLM, "format": "ggufv2"}
EMBEDDING = {"uid": "x", "name": "bge-m3", "type": "embedding"}
RERANK = {"uid": "x", "name": "bge-reranker-v2-m3", "type": "rerank"}
IMAGE = {"uid": "x", "name": "sd-turbo", "type": "image"}
AUDIO = {"uid": "x", "name": "whisper-tiny", "type": "audio"}
VIDEO = {"uid": "x", "name": "CogVideoX-2b", "type": "video"}
WORLD = {"uid": "x", "name": "Astra", "type": "world"}
FLEXIBLE = {"uid": "x", "name": "mine", "type": "flexible"}

SPEC = {
    "model_format": "ggufv2",
    "model_size_in_billions": "0_135",
    "quantization": "Q4_1",
    "model_file_name_template": "a.gguf",
    "model_uri": "/models/a.gguf",
}
TORCH = {"model_format": "pytorch", "quantization": "none", "model_uri": "/models/folder"}
CUSTOM: dict[str, dict[str, Any]] = {
    "LLM": {"model_lang": ["en"], "model_ability": ["generate"], "model_family": "mine", "model_specs": [SPEC]},
    "embedding": {"dimensions": 384, "max_tokens": 256, "language": ["en"], "model_specs": [TORCH]},
    "rerank": {"language": ["en"], "model_specs": [TORCH]},
    "image": {"model_family": "stable_diffusion", "model_uri": "/models/folder"},
    "audio": {"model_family": "whisper", "multilingual": True, "model_uri": "/models/folder"},
    "flexible": {"launcher": "my.module.launch"},
}
ENGINE = {"LLM": "llama.cpp", "embedding": "sentence_transformers", "rerank": "sentence_transformers"}
#: A field that is taken out of an item, a registration or a specification.
GONE = object()


def changed(given: dict[str, Any], **change: Any) -> dict[str, Any]:
    """A dictionary with some values changed, and those taken out that are GONE."""
    return {key: value for key, value in {**given, **change}.items() if value is not GONE}


def custom(kind: str, **change: Any) -> dict[str, Any]:
    """A custom model whose registration is changed."""
    item = {"uid": "x", "name": "mine", "type": kind, "registration": changed(CUSTOM[kind], **change)}
    return {**item, "engine": ENGINE[kind]} if kind in ENGINE else item


def of_spec(kind: str, **change: Any) -> dict[str, Any]:
    """A custom model whose one specification is changed."""
    (spec,) = CUSTOM[kind]["model_specs"]
    item = custom(kind, model_specs=[changed(spec, **change)])
    return {**item, "engine": "llama.cpp"} if change.get("model_format") == "ggufv2" else item


def options(**given: Any) -> dict[str, Any]:
    """A model with options for llama.cpp; a double underscore stands for a dot."""
    return {**GGUF, "engine_options": {name.replace("__", "."): value for name, value in given.items()}}


def written(text: str) -> Any:
    """What YAML makes of a text."""
    return yaml.safe_load(text)


# One wrong item: what the row is called, the item, and the words that its one sentence must hold besides the item's place and uid.
NUMBER = "must be a whole number of at least 1"
LARGE = "must be a whole number of at most 2147483647"
TEXT = "must be a text that is not empty"
QUOTES = "so put it in quotes"
SIZE = "must be a number of billions such as 7, 0.6 or '0_6'"
UID = "must not contain white space or any of / \\ ? # %"
SILENCE = "would be ignored in silence"
NOTHING = "would ignore it in silence"

UIDS: list[tuple[str, dict[str, Any], list[str]]] = [
    ("slash", {**LLM, "uid": "org/model"}, ["uid 'org/model'", UID]),
    ("backslash", {**LLM, "uid": "a\\b"}, ["uid 'a\\b'", UID]),
    ("question mark", {**LLM, "uid": "a?b"}, ["uid 'a?b'", UID]),
    ("hash sign", {**LLM, "uid": "a#b"}, ["uid 'a#b'", UID]),
    ("per cent", {**LLM, "uid": "a%2fb"}, ["uid 'a%2fb'", UID]),
    ("space", {**LLM, "uid": "my chat"}, ["uid 'my chat'", UID]),
    ("space at the end", {**LLM, "uid": "chat "}, ["uid 'chat '", UID]),
    ("line break", {**LLM, "uid": "chat\n"}, ["uid 'chat\\n'", UID]),
    ("ideographic space", {**LLM, "uid": "a\u3000b"}, [UID]),
    ("zero-width space", {**LLM, "uid": "a\u200bb"}, ["uid 'a\\u200bb'", "must not contain invisible characters"]),
    ("writing direction", {**LLM, "uid": "a\u202eb"}, ["uid 'a\\u202eb'", "must not contain invisible characters"]),
    ("NUL", {**LLM, "uid": "a\0b"}, ["must not contain invisible characters"]),
    ("half a surrogate pair", {**LLM, "uid": "a\ud800"}, ["uid 'a\\ud800'", "must not contain invisible characters"]),
    ("a dot", {**LLM, "uid": "."}, ["uid '.'", "is a step in an address"]),
    ("two dots", {**LLM, "uid": ".."}, ["uid '..'", "is a step in an address"]),
    ("101 characters", {**LLM, "uid": "u" * 101}, ["has 101 characters; at most 100 are allowed"]),
    ("a number of 150 digits", {**LLM, "uid": 10**149}, ["has 150 characters; at most 100 are allowed"]),
    ("like a replica", {**LLM, "uid": "chat-rep0"}, ["uid 'chat-rep0'", "must not end in -rep and a number"]),
    ("like a late replica", {**LLM, "uid": "chat-rep12"}, ["must not end in -rep and a number"]),
    ("empty", {**LLM, "uid": ""}, ["uid ''", TEXT]),
    ("no", {**LLM, "uid": written("no")}, ["uid 'false'", TEXT, "YAML reads it as true or false", QUOTES]),
    ("on", {**LLM, "uid": written("on")}, ["uid 'true'", "YAML reads it as true or false", QUOTES]),
    ("a version", {**LLM, "uid": written("4.10")}, ["uid '4.1'", "YAML reads it as a number", QUOTES]),
    ("not a number", {**LLM, "uid": written(".nan")}, ["uid '.nan'", QUOTES]),
    ("a list", {**LLM, "uid": ["chat"]}, ["uid '[chat]'", TEXT]),
    ("a dictionary", {**LLM, "uid": {"name": "chat"}}, ["uid '{name: chat}'", TEXT]),
    ("missing", changed(LLM, uid=GONE), ["uid is missing; give the model a name of its own"]),
    ("null", {**LLM, "uid": None}, ["uid is missing; give the model a name of its own"]),
    ("missing in an absent one", {"state": "absent"}, ["uid is missing"]),
    *((f"route {uid}", {**LLM, "uid": uid}, [f"uid '{uid}'", "is a fixed route of the server"]) for uid in sorted(RESERVED_UIDS)),
]

UNKNOWN: list[tuple[str, dict[str, Any], list[str]]] = [
    ("misspelt", {**LLM, "quantisation": "Q8_0"}, ["field 'quantisation' is unknown; did you mean 'quantization'?"]),
    ("plural", {**LLM, "replicas": 2}, ["field 'replicas' is unknown; did you mean 'replica'?"]),
    ("other case", {**LLM, "Format": "ggufv2"}, ["field 'Format' is unknown; did you mean 'format'?"]),
    ("hyphens", {**LLM, "download-hub": "auto"}, ["field 'download-hub' is unknown; did you mean 'download_hub'?"]),
    ("space", {**LLM, "engine ": "vLLM"}, ["field 'engine ' is unknown; did you mean 'engine'?"]),
    ("id", {**LLM, "id": "x"}, ["field 'id' is unknown; did you mean 'uid'?"]),
    *(
        (f"the server's word {word}", {**LLM, word: "x"}, [f"field '{word}' is unknown; did you mean '{field}'?"])
        for word, field in (
            ("model_uid", "uid"),
            ("model_name", "name"),
            ("model_type", "type"),
            ("model_engine", "engine"),
            ("model_format", "format"),
            ("model_size_in_billions", "size_in_billions"),
            ("model_path", "path"),
            ("envs", "environment"),
        )
    ),
    *(
        (f"spelt as {word}", {**LLM, word: "x"}, [f"field '{word}' is unknown; did you mean '{field}'?"])
        for word, field in (
            ("enable-thinking", "enable_thinking"),
            ("enableThinking", "enable_thinking"),
            ("EnableThinking", "enable_thinking"),
            ("ENABLE_THINKING", "enable_thinking"),
            ("enable thinking", "enable_thinking"),
            ("sizeInBillions", "size_in_billions"),
            ("size-in-billions", "size_in_billions"),
            ("model-path", "path"),
            ("modelName", "name"),
            ("model-size-in-billions", "size_in_billions"),
            ("engineOptions", "engine_options"),
        )
    ),
    ("option of the engine with a hyphen", {**LLM, "n-ctx": 4096}, ["field 'n-ctx' is unknown; did you mean 'n_ctx'? It belongs into engine_options."]),
    ("option of the engine", {**LLM, "n_ctx": 4096}, ["field 'n_ctx' is unknown; it belongs into engine_options."]),
    ("part of autostart", {**LLM, "priority": 10}, ["field 'priority' is unknown; it belongs into autostart."]),
    ("part of the registration", {**LLM, "model_uri": "/models/a.gguf"}, ["field 'model_uri' is unknown; it belongs into registration."]),
    ("like nothing", {**LLM, "zzzzzz": 1}, ["field 'zzzzzz' is unknown; allowed are uid, state, name, type, engine", "registration."]),
    ("a number as key", {**LLM, written("7"): 1}, ["field '7' is unknown; allowed are uid"]),
    ("a key that YAML reads as true", {**LLM, written("yes"): 1}, ["field 'true' is unknown; allowed are uid"]),
    ("null as key", {**LLM, written("null"): 1}, ["field 'null' is unknown; allowed are uid"]),
    ("with a secret", {**LLM, "enviroment": {"HF_TOKEN": SECRET}}, ["field 'enviroment' is unknown; did you mean 'environment'?"]),
    ("in an absent one", {"uid": "x", "state": "absent", "exclusive": True}, ["field 'exclusive' is unknown; allowed are"]),
]

CHOICES: list[tuple[str, dict[str, Any], list[str]]] = [
    ("type in lower case", {**LLM, "type": "llm"}, ["type 'llm' is not one of LLM, embedding", "did you mean 'LLM'?"]),
    ("type with a capital", {**EMBEDDING, "type": "Embedding"}, ["type 'Embedding'", "did you mean 'embedding'?"]),
    ("misspelt type", {**RERANK, "type": "reranker"}, ["type 'reranker' is not one of", "did you mean 'rerank'?"]),
    ("unknown type", {**LLM, "type": "tts"}, ["type 'tts' is not one of LLM, embedding, rerank, image, audio, video, world, flexible."]),
    ("type as list", {**LLM, "type": ["LLM"]}, ["type '[LLM]' is not one of", "did you mean 'LLM'?"]),
    ("type as number", {**LLM, "type": 1}, ["type '1' is not one of LLM"]),
    ("misspelt state", {**LLM, "state": "presnt"}, ["state 'presnt' is not one of present, absent; did you mean 'present'?"]),
    ("state of a service", {**LLM, "state": "started"}, ["state 'started' is not one of present, absent."]),
    ("state false", {"uid": "x", "state": False}, ["state 'false' is not one of present, absent."]),
    ("misspelt hub", {**LLM, "download_hub": "hugging_face"}, ["download_hub 'hugging_face' is not one of huggingface", "did you mean 'huggingface'?"]),
    ("unknown hub", {**LLM, "download_hub": "s3"}, ["download_hub 's3' is not one of huggingface, modelscope, csghub, openmind_hub, auto."]),
    ("misspelt engine", {**LLM, "engine": "lama.cpp"}, ["engine 'lama.cpp' is unknown for type LLM; allowed: llama.cpp", "did you mean 'llama.cpp'?"]),
    ("engine without dot", {**LLM, "engine": "llamacpp"}, ["engine 'llamacpp'", "did you mean 'llama.cpp'?"]),
    ("engine of another program", {**LLM, "engine": "ollama"}, ["engine 'ollama' is unknown for type LLM"]),
    ("engine with space", {**LLM, "engine": "llama.cpp "}, ["engine 'llama.cpp ' must not begin or end with white space"]),
    ("engine as number", {**LLM, "engine": 5}, ["engine '5'", TEXT, QUOTES]),
    ("engine missing", changed(LLM, engine=GONE), ["engine is missing; for type LLM it is one of llama.cpp, Transformers"]),
    (
        "engine of an LLM for an embedding",
        {**EMBEDDING, "engine": "SGLang"},
        ["engine 'SGLang' is unknown for type embedding; allowed: sentence_transformers, flag, llama.cpp, transformers, vllm."],
    ),
    ("engine with hyphens", {**EMBEDDING, "engine": "sentence-transformers"}, ["engine 'sentence-transformers'", "did you mean 'sentence_transformers'?"]),
    ("engine for rerank", {**RERANK, "engine": "diffusers"}, ["engine 'diffusers' is unknown for type rerank; allowed: sentence_transformers, llama.cpp"]),
    ("engine for image", {**IMAGE, "engine": "difusers"}, ["engine 'difusers' is unknown for type image", "did you mean 'diffusers'?"]),
    ("engine for audio", {**AUDIO, "engine": "llama.cpp"}, ["engine 'llama.cpp' is unknown for type audio; allowed: transformers"]),
    ("engine for video", {**VIDEO, "engine": "Transformers"}, ["engine 'Transformers' is unknown for type video; allowed: diffusers"]),
    ("engine for world", {**WORLD, "engine": "diffusers"}, ["engine 'diffusers' is unknown for type world; allowed: PyTorch"]),
    ("engine for flexible", {**custom("flexible"), "engine": "vLLM"}, ["engine 'vLLM' is unknown for type flexible; allowed: none."]),
]

VALUES: list[tuple[str, dict[str, Any], list[str]]] = [
    ("name missing", changed(LLM, name=GONE), ["name is missing; it is the model's name in the server's catalogue or in its registration"]),
    ("name empty", {**LLM, "name": ""}, ["name ''", TEXT]),
    ("name blank", {**LLM, "name": "  "}, ["name '  '", TEXT]),
    ("name with a space before it", {**LLM, "name": " qwen3"}, ["name ' qwen3' must not begin or end with white space"]),
    ("name over two lines", {**LLM, "name": "qwen\n3"}, ["name 'qwen\\n3' must not contain line breaks or invisible characters"]),
    ("name as list", {**LLM, "name": ["qwen3"]}, ["name '[qwen3]'", TEXT]),
    ("name as number", {**LLM, "name": 3}, ["name '3'", TEXT, QUOTES]),
    ("name of half a character", {**LLM, "name": "q\udc80"}, ["must not contain line breaks or invisible characters"]),
    ("format as number", {**LLM, "format": 2}, ["format '2'", TEXT, QUOTES]),
    ("format empty", {**LLM, "format": ""}, ["format ''", TEXT]),
    ("quantization as number", {**LLM, "quantization": 4}, ["quantization '4'", TEXT, QUOTES]),
    ("quantization as list", {**LLM, "quantization": ["Q8_0", "Q4_0"]}, ["quantization '[Q8_0, Q4_0]'", TEXT]),
    ("quantization off", {**LLM, "quantization": written("off")}, ["quantization 'false'", "YAML reads it as true or false", QUOTES]),
    ("size with comma", {**LLM, "size_in_billions": "0,6"}, ["size_in_billions '0,6'", SIZE]),
    ("size with unit", {**LLM, "size_in_billions": "7b"}, ["size_in_billions '7b'", SIZE]),
    ("size in words", {**LLM, "size_in_billions": "large"}, ["size_in_billions 'large'", SIZE]),
    ("size zero", {**LLM, "size_in_billions": 0}, ["size_in_billions '0'", SIZE]),
    ("size negative", {**LLM, "size_in_billions": -7}, ["size_in_billions '-7'", SIZE]),
    ("size of two fractions", {**LLM, "size_in_billions": "0_6_1"}, ["size_in_billions '0_6_1'", SIZE]),
    ("size with exponent", {**LLM, "size_in_billions": 1e-7}, ["size_in_billions '1e-07'", SIZE]),
    ("size not a number", {**LLM, "size_in_billions": written(".nan")}, ["size_in_billions '.nan'", SIZE]),
    ("size infinite", {**LLM, "size_in_billions": written("-.inf")}, ["size_in_billions '-.inf'", SIZE]),
    ("size true", {**LLM, "size_in_billions": True}, ["size_in_billions 'true'", SIZE]),
    ("size as list", {**LLM, "size_in_billions": [7]}, ["size_in_billions '[7]'", SIZE]),
    ("size in other digits", {**LLM, "size_in_billions": "\u0667"}, ["size_in_billions '\u0667'", SIZE]),
    ("replica zero", {**LLM, "replica": 0}, ["replica '0'", NUMBER]),
    ("replica negative", {**LLM, "replica": -1}, ["replica '-1'", NUMBER]),
    ("replica and a half", {**LLM, "replica": "2.5"}, ["replica '2.5'", NUMBER]),
    ("replica as fraction", {**LLM, "replica": 1.0}, ["replica '1.0'", NUMBER]),
    ("replica true", {**LLM, "replica": written("yes")}, ["replica 'true'", NUMBER]),
    ("replica in words", {**LLM, "replica": "two"}, ["replica 'two'", NUMBER]),
    ("replica superscript", {**LLM, "replica": "²"}, ["replica '²'", NUMBER]),
    ("replica as list", {**LLM, "replica": [1]}, ["replica '[1]'", NUMBER]),
    ("replica huge", {**LLM, "replica": 10**12}, ["replica '1000000000000'", LARGE]),
    ("replica of thousands of digits", {**LLM, "replica": 10**5000}, ["replica 'a number of thousands of digits'", LARGE]),
    ("replica of thousands of digits as text", {**LLM, "replica": "9" * 5000}, ["replica '9999", "…'", NUMBER]),
    ("request limit zero", {**LLM, "request_limits": 0}, ["request_limits '0'", NUMBER]),
    ("request limit as text", {**LLM, "request_limits": "unlimited"}, ["request_limits 'unlimited'", NUMBER]),
    ("request limit huge", {**LLM, "request_limits": 2**31}, ["request_limits '2147483648'", LARGE]),
    ("no GPU as 0", {**LLM, "n_gpu": 0}, ["n_gpu '0'", "at least 1, auto or null", "leave it out on a host without GPU"]),
    ("no GPU as text", {**LLM, "n_gpu": "None"}, ["n_gpu 'None'", "at least 1, auto or null"]),
    ("all GPUs", {**LLM, "n_gpu": "all"}, ["n_gpu 'all'", "at least 1, auto or null"]),
    ("GPUs as list", {**LLM, "n_gpu": [0, 1]}, ["n_gpu '[0, 1]'", "at least 1, auto or null"]),
    (
        "worker as address of the API",
        {**LLM, "worker_ip": "http://10.0.0.5"},
        ["worker_ip 'http://10.0.0.5' must be the address of a worker, such as 10.0.0.5"],
    ),
    ("worker as number", {**LLM, "worker_ip": written("10.1")}, ["worker_ip '10.1'", TEXT, QUOTES]),
    ("worker as list", {**LLM, "worker_ip": ["10.0.0.5"]}, ["worker_ip '[10.0.0.5]'", TEXT]),
    ("workers as text", {**LLM, "workers": "worker-1"}, ["workers 'worker-1' must be a list of at least one worker's name in the inventory"]),
    ("no workers", {**LLM, "workers": []}, ["workers '[]' must be a list of at least one worker's name in the inventory, such as [worker-1, worker-2]"]),
    ("workers as dictionary", {**LLM, "workers": {"worker-1": 2}}, ["workers '{worker-1: 2}' must be a list of at least one worker's name"]),
    ("workers with a number", {**LLM, "workers": ["worker-1", 2]}, ["workers '[worker-1, 2]' holds the number '2', but must hold names of workers"]),
    ("workers with an empty one", {**LLM, "workers": ["worker-1", ""]}, ["workers '[worker-1, \"\"]' holds '', which is no name of a worker"]),
    ("workers with white space", {**LLM, "workers": ["worker 1"]}, ["holds 'worker 1', which is no name of a worker: use letters, digits, '.', '_' and '-'"]),
    ("workers in one text", {**LLM, "workers": ["a,b"]}, ["workers '[a,b]' holds 'a,b', which is no name of a worker"]),
    ("worker with a port", {**LLM, "workers": ["worker-1:30001"]}, ["holds 'worker-1:30001', which is no name of a worker"]),
    ("worker with an end", {**LLM, "workers": ["worker_"]}, ["holds 'worker_', which is no name of a worker", "with a letter or digit at both ends"]),
    ("worker with a line break", {**LLM, "workers": ["worker\n"]}, ["holds 'worker\\n', which is no name of a worker"]),
    ("worker in another script", {**LLM, "workers": ["w\u00f6rker"]}, ["holds 'w\u00f6rker', which is no name of a worker"]),
    ("workers twice", {**LLM, "workers": ["a", "b", "a"]}, ["workers '[a, b, a]' holds 'a' twice; replica says how many replicas there are"]),
    ("thinking in other words", {**LLM, "enable_thinking": "maybe"}, ["enable_thinking 'maybe' must be true or false"]),
    ("thinking as number", {**LLM, "enable_thinking": 1}, ["enable_thinking '1' must be true or false"]),
    ("virtual environment as text", {**LLM, "enable_virtual_env": "never"}, ["enable_virtual_env 'never' must be true or false"]),
    ("packages as text", {**LLM, "virtual_env_packages": "torch"}, ["virtual_env_packages 'torch' must be a list of texts"]),
    ("packages with a version alone", {**LLM, "virtual_env_packages": ["torch", 2.0]}, ["virtual_env_packages '[torch, 2.0]' must be a list of texts"]),
    ("packages with an empty one", {**LLM, "virtual_env_packages": [""]}, ["virtual_env_packages '[\"\"]' must be a list of texts"]),
    ("packages as dictionary", {**LLM, "virtual_env_packages": {"torch": "2"}}, ["virtual_env_packages '{torch: \"2\"}' must be a list of texts"]),
    ("projector as list", {**LLM, "multimodal_projector": ["a.gguf"]}, ["multimodal_projector '[a.gguf]'", TEXT]),
]

PATHS: list[tuple[str, dict[str, Any], list[str]]] = [
    ("relative", {**LLM, "path": "models/a.gguf"}, ["path 'models/a.gguf' must be an absolute path as the server sees it, inside its container"]),
    ("of the home directory", {**LLM, "path": "~/a.gguf"}, ["path '~/a.gguf' must be an absolute path"]),
    ("as URI", {**LLM, "path": "file:///models/a.gguf"}, ["path 'file:///models/a.gguf' must be an absolute path"]),
    ("of Windows", {**LLM, "path": "C:\\models\\a.gguf"}, ["path 'C:\\models\\a.gguf' must be an absolute path"]),
    ("that climbs out", {**LLM, "path": "/models/../etc/a.gguf"}, ["path '/models/../etc/a.gguf' must not contain '..'"]),
    ("as number", {**LLM, "path": 3}, ["path '3'", TEXT, QUOTES]),
    ("as list", {**LLM, "path": ["/models/a.gguf"]}, ["path '[/models/a.gguf]'", TEXT]),
    ("with a space after it", {**LLM, "path": "/models/a.gguf "}, ["path '/models/a.gguf ' must not begin or end with white space"]),
    ("with NUL", {**LLM, "path": "/models/\0.gguf"}, ["must not contain line breaks or invisible characters"]),
    ("directory for llama.cpp", {**LLM, "path": "/models/folder"}, ["path '/models/folder' is no GGUF file; engine llama.cpp wants the file itself"]),
    (
        "GGUF for Transformers",
        {**LLM, "engine": "Transformers", "path": "/models/a.gguf"},
        ["path '/models/a.gguf' is a GGUF file, which only engine llama.cpp loads"],
    ),
    (
        "file for an embedding",
        {**EMBEDDING, "engine": "llama.cpp", "path": "/models/a.gguf"},
        ["path '/models/a.gguf' is a file; for type embedding", "the directory"],
    ),
    ("file for a reranker", {**RERANK, "engine": "llama.cpp", "path": "/models/a.gguf"}, ["path '/models/a.gguf' is a file; for type rerank", "the directory"]),
]

DICTIONARIES: list[tuple[str, dict[str, Any], list[str]]] = [
    ("options as list", {**LLM, "engine_options": ["n_ctx"]}, ["engine_options '[n_ctx]' must be a dictionary, or auto"]),
    ("options as list of dictionaries", {**LLM, "engine_options": [{"n_ctx": 1}]}, ["engine_options '[{n_ctx: 1}]' must be a dictionary, or auto"]),
    ("options as text", {**LLM, "engine_options": "n_ctx=4096"}, ["engine_options 'n_ctx=4096' must be a dictionary, or auto"]),
    ("options Auto", {**LLM, "engine_options": "Auto"}, ["engine_options 'Auto' must be a dictionary, or auto"]),
    ("options true", {**LLM, "engine_options": True}, ["engine_options 'true' must be a dictionary, or auto"]),
    ("options with a number as key", {**LLM, "engine_options": {1: 2}}, ["engine_options '{1: 2}' holds '1', which no request can carry"]),
    (
        "option that is not a number",
        {**LLM, "engine": "vLLM", "engine_options": {"x": [written(".nan")]}},
        ["engine_options '{x: [.nan]}' holds '.nan', which no request can carry"],
    ),
    ("option that is a date", {**LLM, "engine": "vLLM", "engine_options": {"x": written("2026-01-31")}}, ["holds '2026-01-31', which no request can carry"]),
    (
        "field among the options",
        {**LLM, "engine_options": {"quantization": "Q8_0"}},
        ["engine_options 'quantization' is not an option of the engine; use the field 'quantization'"],
    ),
    (
        "the server's field among the options",
        {**LLM, "engine_options": {"model_engine": "vLLM"}},
        ["engine_options 'model_engine' is not an option", "use the field 'engine'"],
    ),
    (
        "our field among the options",
        {**LLM, "engine": "vLLM", "engine_options": {"autostart": False}},
        ["engine_options 'autostart' is not an option", "use the field 'autostart'"],
    ),
    (
        "secret among the options",
        {**LLM, "engine_options": {"envs": {"HF_TOKEN": SECRET}}},
        ["engine_options 'envs' is not an option", "use the field 'environment'"],
    ),
    (
        "waiting among the options",
        {**LLM, "engine_options": {"wait_ready": True}},
        ["engine_options 'wait_ready' is not an option", "the option 'wait' of module models"],
    ),
    ("auto for another engine", {**EMBEDDING, "engine_options": "auto"}, ["engine_options 'auto' is possible for engine llama.cpp only"]),
    (
        "autostart as number",
        {**LLM, "autostart": 1},
        ["autostart '1' must be true, false or a dictionary with some of priority, max_retries, retry_interval_seconds"],
    ),
    ("autostart in words", {**LLM, "autostart": "always"}, ["autostart 'always' must be true, false or a dictionary"]),
    ("autostart as list", {**LLM, "autostart": [10]}, ["autostart '[10]' must be true, false or a dictionary"]),
    ("autostart misspelt", {**LLM, "autostart": {"priorty": 1}}, ["has the unknown key 'priorty'; allowed are priority", "did you mean 'priority'?"]),
    (
        "autostart enabled",
        {**LLM, "autostart": {"enabled": False}},
        ["autostart '{enabled: false}' has the unknown key 'enabled'; allowed are priority, max_retries"],
    ),
    ("autostart negative", {**LLM, "autostart": {"priority": -1}}, ["holds priority '-1', which must be a whole number of at least 0"]),
    ("autostart without retries", {**LLM, "autostart": {"max_retries": 0}}, ["holds max_retries '0', which must be a whole number of at least 1"]),
    ("autostart for ever", {**LLM, "autostart": {"max_retries": written(".inf")}}, ["holds max_retries '.inf', which must be a whole number"]),
    (
        "autostart in minutes",
        {**LLM, "autostart": {"retry_interval_seconds": "5m"}},
        ["holds retry_interval_seconds '5m', which must be a whole number of at least 1"],
    ),
    ("autostart in fractions", {**LLM, "autostart": {"retry_interval_seconds": 0.5}}, ["holds retry_interval_seconds '0.5', which must be a whole number"]),
    ("autostart huge", {**LLM, "autostart": {"max_retries": 2**63}}, ["holds max_retries", "which must be a whole number of at most 2147483647"]),
    ("autostart null", {**LLM, "autostart": {"priority": None}}, ["holds priority 'null', which must be a whole number"]),
    ("environment as text", {**LLM, "environment": f"HF_TOKEN={SECRET}"}, ["environment '********' must be a dictionary"]),
    ("environment as list", {**LLM, "environment": [f"HF_TOKEN={SECRET}"]}, ["environment '********' must be a dictionary"]),
    ("environment without value", {**LLM, "environment": {"HF_TOKEN": None}}, ["must hold a text for every name, and 'HF_TOKEN' has none"]),
    ("environment with a list", {**LLM, "environment": {"HF_TOKEN": [SECRET]}}, ["must hold a text for every name, and 'HF_TOKEN' has none"]),
    (
        "environment with the value in the name",
        {**LLM, "environment": {f"HF_TOKEN={SECRET}": None}},
        ["that no variable can have", "holds a name that begins with 'HF_TOKEN'"],
    ),
    ("environment with a space in the name", {**LLM, "environment": {"HF TOKEN": SECRET}}, ["that no variable can have", "'HF TOKEN'"]),
    ("environment without name", {**LLM, "environment": {"": SECRET}}, ["that no variable can have"]),
    ("environment with a number as name", {**LLM, "environment": {1: SECRET}}, ["that no variable can have", "'1'"]),
    ("environment with NUL", {**LLM, "environment": {"HF_TOKEN": f"{SECRET}\0"}}, ["must hold texts that a process can get, and that of 'HF_TOKEN' is none"]),
    ("adapters as list", {**LLM, "engine": "Transformers", "peft_model_config": []}, ["peft_model_config '[]' must be a dictionary"]),
    (
        "adapters misspelt",
        {**LLM, "engine": "Transformers", "peft_model_config": {"lora_lst": []}},
        ["has the unknown key 'lora_lst'", "did you mean 'lora_list'?"],
    ),
    (
        "adapters empty",
        {**LLM, "engine": "Transformers", "peft_model_config": {}},
        ["peft_model_config '{}' must hold lora_list, a list of dictionaries with lora_name and local_path"],
    ),
    (
        "adapter without path",
        {**LLM, "engine": "Transformers", "peft_model_config": {"lora_list": [{"lora_name": "a"}]}},
        ["holds in lora_list '{lora_name: a}', which must be a dictionary with the texts lora_name and local_path"],
    ),
    (
        "adapter with a relative path",
        {**LLM, "engine": "Transformers", "peft_model_config": {"lora_list": [{"lora_name": "a", "local_path": "a"}]}},
        ["holds local_path 'a', which must be an absolute path"],
    ),
    ("registration as text", {**LLM, "registration": "model.json"}, ["registration 'model.json' must be a dictionary"]),
    ("registration as list", {**LLM, "registration": [SPEC]}, ["registration '[{model_format: ggufv2", "must be a dictionary"]),
    ("registration with a number as key", {**custom("LLM"), "registration": {1: 2}}, ["registration '{1: 2}' holds '1', which no request can carry"]),
]

OPTIONS: list[tuple[str, dict[str, Any], list[str]]] = [
    ("misspelt", options(n_ctxx=4096), ["engine_options 'n_ctxx' is no option of llama.cpp", NOTHING, "did you mean 'n_ctx'?", "validate_engine_options"]),
    ("of llama-cpp-python", options(n_threads_batch=2), ["engine_options 'n_threads_batch' is no option of llama.cpp", NOTHING]),
    ("of the command line", options(**{"ctx-size": 4096}), ["engine_options 'ctx-size' is no option of llama.cpp", NOTHING]),
    ("of vLLM", options(max_model_len=4096), ["engine_options 'max_model_len' is no option of llama.cpp", NOTHING]),
    ("in capitals", options(N_CTX=4096), ["engine_options 'N_CTX' is no option of llama.cpp", "did you mean 'n_ctx'?"]),
    (
        "of a group that has it not",
        options(sampling__temperature=1),
        ["engine_options 'sampling.temperature' is no option of llama.cpp", "did you mean 'sampling."],
    ),
    ("a group as dictionary", options(cpuparams={"n_threads": 2}), ["engine_options 'cpuparams' is no option of llama.cpp", NOTHING]),
    ("overwritten by the server", options(cpuparams__n_threads=2), ["engine_options 'cpuparams.n_threads' has no effect; use n_threads."]),
    ("a structure", options(mmproj="/models/m.gguf"), ["engine_options 'mmproj' has no effect; use mmproj.path."]),
    ("number as text", options(n_ctx="4096"), ["engine_options.n_ctx '4096'", NUMBER, "without quotes"]),
    ("number with unit", options(n_ctx="4k"), ["engine_options.n_ctx '4k'", NUMBER]),
    ("zero", options(n_ctx=0), ["engine_options.n_ctx '0'", NUMBER]),
    ("fraction", options(n_threads=1.5), ["engine_options.n_threads '1.5'", NUMBER]),
    ("true", options(n_parallel=True), ["engine_options.n_parallel 'true'", NUMBER]),
    ("null", options(n_batch=None), ["engine_options.n_batch 'null'", NUMBER]),
    ("list", options(n_ubatch=[512]), ["engine_options.n_ubatch '[512]'", NUMBER]),
    ("past 32 bits", options(n_ctx=2**31), ["engine_options.n_ctx '2147483648'", LARGE]),
    ("negative", options(n_predict=-3), ["engine_options.n_predict '-3' must be a whole number of at least -2"]),
    ("seed", options(sampling__seed=-1), ["engine_options.sampling.seed '-1' must be a whole number of at least 0"]),
    ("switch as text", options(warmup="no"), ["engine_options.warmup 'no' must be true or false"]),
    ("switch as number", options(kv_unified=1), ["engine_options.kv_unified '1' must be true or false"]),
    ("reasoning as switch", options(enable_reasoning=True), ["engine_options.enable_reasoning 'true' must be a whole number of at least -1"]),
    ("number in words", options(rope_freq_base="high"), ["engine_options.rope_freq_base 'high' must be a number"]),
    ("number in quotes", options(rope_freq_scale="0.5"), ["engine_options.rope_freq_scale '0.5' must be a number, without quotes"]),
    ("text as number", options(slot_save_path=1), ["engine_options.slot_save_path '1' must be a text"]),
    (
        "cache type as text",
        options(cache_type_k="q8_0"),
        ["engine_options.cache_type_k 'q8_0' must be one of the numbers 0 (f32)", "8 (q8_0)", "for q8_0 write 8"],
    ),
    ("cache type unknown", options(cache_type_v=99), ["engine_options.cache_type_v '99' must be one of the numbers"]),
    (
        "flash attention as switch",
        options(flash_attn_type=True),
        ["engine_options.flash_attn_type 'true' must be one of the numbers -1 (auto), 0 (off), 1 (on)"],
    ),
    ("pooling as text", options(pooling_type="mean"), ["engine_options.pooling_type 'mean' must be one of the numbers", "for mean write 1"]),
    (
        "template arguments",
        options(default_template_kwargs={"enable_thinking": False}),
        ["engine_options.default_template_kwargs '{enable_thinking: false}' must be a dictionary of texts"],
    ),
    ("two contexts", options(n_ctx=4096, context_length=2048), ["engine_options n_ctx and context_length exclude each other"]),
    (
        "context of an embedding",
        {**EMBEDDING, "engine": "llama.cpp", "engine_options": {"context_length": 512}},
        ["engine_options context_length is for type LLM only, not for embedding"],
    ),
    (
        "misspelt for Transformers",
        {**LLM, "engine": "Transformers", "engine_options": {"torch_dtyp": "float32"}},
        ["engine_options 'torch_dtyp' is no known option of Transformers", "in silence", "did you mean 'torch_dtype'?"],
    ),
    (
        "number format of Transformers",
        {**LLM, "engine": "Transformers", "engine_options": {"torch_dtype": "float_32"}},
        ["engine_options.torch_dtype 'float_32' is not one of float16, bfloat16, float32; did you mean 'float32'?"],
    ),
    (
        "number format of sentence_transformers",
        {**EMBEDDING, "engine": "sentence_transformers", "engine_options": {"torch_dtype": "fp16"}},
        ["engine_options.torch_dtype 'fp16' is not one of float16, bfloat16, float32"],
    ),
    (
        "dimensions of sentence_transformers",
        {**EMBEDDING, "engine": "sentence_transformers", "engine_options": {"dimensions": "256"}},
        ["engine_options.dimensions '256'", NUMBER, "without quotes"],
    ),
    *(
        (f"{word} for {engine}", {**item, "engine": engine, "engine_options": {word: True}}, [f"engine_options '{word}'", *words])
        for item, engine, word, words in (
            (GGUF, "llama.cpp", "n-ctx", ["did you mean 'n_ctx'?"]),
            (GGUF, "llama.cpp", "nCtx", ["did you mean 'n_ctx'?"]),
            (GGUF, "llama.cpp", "speculative-draft-n-max", ["did you mean 'speculative.draft.n_max'?"]),
            (GGUF, "llama.cpp", "enable-thinking", ["use the field 'enable_thinking' for it"]),
            (LLM, "Transformers", "enable-thinking", ["use the field 'enable_thinking' for it"]),
            (LLM, "Transformers", "enableThinking", ["use the field 'enable_thinking' for it"]),
            (LLM, "Transformers", "download-hub", ["use the field 'download_hub' for it"]),
            (LLM, "Transformers", "model-size-in-billions", ["use the field 'size_in_billions' for it"]),
            (LLM, "Transformers", "wait-ready", ["use the option 'wait' of module models for it"]),
            (LLM, "Transformers", "torchDtype", ["did you mean 'torch_dtype'?"]),
            # No option of an engine has a hyphen, one that is not known here neither.
            (LLM, "Transformers", "attn-implementation", ["did you mean 'attn_implementation'?"]),
            (EMBEDDING, "sentence_transformers", "batch-size", ["did you mean 'batch_size'?"]),
            (EMBEDDING, "flag", "use-fp16", ["is no option of flag; did you mean 'use_fp16'?"]),
            (RERANK, "sentence_transformers", "torchDtype", ["is no option of sentence_transformers; did you mean 'torch_dtype'?"]),
            (LLM, "vLLM", "gpu-memory-utilization", ["is no option of vLLM; did you mean 'gpu_memory_utilization'?"]),
            (AUDIO, "transformers", "enable-virtual-env", ["use the field 'enable_virtual_env' for it"]),
        )
    ),
    ("batch-size without an engine", {**EMBEDDING, "engine_options": {"batch-size": 8}}, ["is no option of the engine; did you mean 'batch_size'?"]),
]

TOGETHER: list[tuple[str, dict[str, Any], list[str]]] = [
    (
        "workers by name and by address",
        {**LLM, "workers": ["a", "b"], "worker_ip": "10.0.0.5"},
        ["workers '[a, b]' and worker_ip '10.0.0.5' both say where the model runs; give workers alone, which names hosts of the inventory."],
    ),
    (
        "a part that is not the first",
        {**GGUF, "path": "/models/a-00002-of-00003.gguf"},
        ["path '/models/a-00002-of-00003.gguf' is part 2 of 3 of a split GGUF; engine llama.cpp wants the first one, '/models/a-00001-of-00003.gguf'."],
    ),
    *(
        (
            f"a split GGUF by its registration alone: {uri}",
            {**of_spec("LLM", model_uri=uri), "engine": "llama.cpp"},
            [
                f"registration.model_specs.model_uri '{uri}' is one of 3 parts",
                "llama.cpp cannot find the others; give path '/models/a-00001-of-00003.gguf', too.",
            ],
        )
        for uri in ("/models/a-00001-of-00003.gguf", "file:///models/a-00001-of-00003.gguf", "/models/a-00002-of-00003.gguf")
    ),
    (
        "a split GGUF of an embedding by its registration alone",
        of_spec("embedding", model_format="ggufv2", model_file_name_template="a", model_uri="/models/a-00001-of-00003.gguf"),
        ["is one of 3 parts", "give as model_uri the directory of the parts"],
    ),
    (
        "projector beside a registered file",
        {**of_spec("LLM", model_uri="/models/a.gguf"), "engine": "llama.cpp", "multimodal_projector": "p.gguf"},
        ["multimodal_projector 'p.gguf' would be looked for beside the server's own link to '/models/a.gguf'; give its absolute path."],
    ),
    ("template in a file", options(chat_template="/models/chat.jinja"), ["engine_options.chat_template '/models/chat.jinja' names a file, but must be"]),
    ("template of a registration in a file", custom("LLM", chat_template="chat.jinja2"), ["registration.chat_template 'chat.jinja2' names a file"]),
    ("path for a repository", of_spec("LLM", model_id="/models/a"), ["registration.model_specs[0].model_id '/models/a' must be a repository of a hub"]),
    ("format for llama.cpp", {**LLM, "format": "pytorch"}, ["format 'pytorch' cannot be loaded by engine llama.cpp; it loads ggufv2 only"]),
    ("short format for llama.cpp", {**LLM, "format": "gguf"}, ["format 'gguf' cannot be loaded by engine llama.cpp; it loads ggufv2 only"]),
    ("format in capitals", {**LLM, "format": "GGUFv2"}, ["format 'GGUFv2' cannot be loaded by engine llama.cpp; it loads ggufv2 only"]),
    (
        "GGUF for Transformers",
        {**LLM, "engine": "Transformers", "format": "ggufv2"},
        ["format 'ggufv2' cannot be loaded by engine Transformers; use llama.cpp"],
    ),
    ("GGUF for the default of embeddings", {**EMBEDDING, "format": "ggufv2"}, ["engine is missing; the server takes sentence_transformers", "give llama.cpp"]),
    (
        "GGUF for sentence_transformers",
        {**RERANK, "engine": "sentence_transformers", "format": "ggufv2"},
        ["format 'ggufv2' cannot be loaded by engine sentence_transformers"],
    ),
    (
        "packages without environment",
        {**LLM, "virtual_env_packages": ["a"], "enable_virtual_env": False},
        ["virtual_env_packages need enable_virtual_env, which is false"],
    ),
    *(
        (
            f"ignored in silence: size for {item['type']}",
            {**item, "size_in_billions": 7},
            [f"size_in_billions '7' {SILENCE} for type {item['type']}; it is for LLM."],
        )
        for item in (EMBEDDING, RERANK, IMAGE, AUDIO, VIDEO, WORLD, custom("flexible"))
    ),
    (
        "ignored in silence: format for audio",
        {**AUDIO, "format": "pytorch"},
        [f"format 'pytorch' {SILENCE} for type audio; it is for LLM, embedding, rerank, image, video."],
    ),
    ("ignored in silence: quantization for world", {**WORLD, "quantization": "Int8"}, [f"quantization 'Int8' {SILENCE} for type world"]),
    (
        "ignored in silence: thinking for an embedding",
        {**EMBEDDING, "enable_thinking": True},
        [f"enable_thinking 'true' {SILENCE} for type embedding; it is for LLM."],
    ),
    (
        "ignored in silence: projector for an embedding",
        {**EMBEDDING, "multimodal_projector": "m.gguf"},
        [f"multimodal_projector 'm.gguf' {SILENCE} for type embedding"],
    ),
    (
        "ignored in silence: projector for Transformers",
        {**LLM, "engine": "Transformers", "multimodal_projector": "m.gguf"},
        ["multimodal_projector 'm.gguf' is for engine llama.cpp only; Transformers would ignore it"],
    ),
    (
        "ignored in silence: adapters for SGLang",
        {**LLM, "engine": "SGLang", "peft_model_config": {"lora_list": [{"lora_name": "a", "local_path": "/models/a"}]}},
        ["peft_model_config is possible for engines Transformers, vLLM and MLX"],
    ),
    (
        "adapters for llama.cpp",
        {**LLM, "peft_model_config": {"lora_list": [{"lora_name": "a", "local_path": "/models/a"}]}},
        ["peft_model_config is possible for engines Transformers, vLLM and MLX"],
    ),
    (
        "ignored in silence: adapters for audio",
        {**AUDIO, "peft_model_config": {"lora_list": [{"lora_name": "a", "local_path": "/models/a"}]}},
        ["peft_model_config", SILENCE, "for type audio; it is for LLM, image."],
    ),
    (
        "ignored in silence: thinking of a model that cannot",
        {**custom("LLM"), "enable_thinking": False},
        ["enable_thinking 'false' would be ignored in silence", "does not hold hybrid"],
    ),
    (
        "format that the registration lacks",
        {**of_spec("LLM", model_format="pytorch"), "engine": "Transformers", "format": "Pytorch"},
        ["format 'Pytorch' is in no entry of registration.model_specs; they hold pytorch", "did you mean 'pytorch'?"],
    ),
    (
        "size that the registration lacks",
        {**custom("LLM"), "size_in_billions": 7},
        ["size_in_billions '7' is in no entry of registration.model_specs; they hold 0_135."],
    ),
    (
        "size that YAML read in octal",
        {**custom("LLM"), "size_in_billions": written("0_135")},
        ["size_in_billions '93' is in no entry of registration.model_specs; they hold 0_135; did you mean '0_135', which YAML reads as 93 without quotes?"],
    ),
    (
        "quantization that the registration lacks",
        {**custom("LLM"), "quantization": "Q8_0"},
        ["quantization 'Q8_0' is in no entry of registration.model_specs; they hold Q4_1."],
    ),
    (
        "llama.cpp for a directory",
        {**of_spec("LLM", model_format="pytorch"), "engine": "llama.cpp"},
        ["engine 'llama.cpp' loads ggufv2 only, but registration.model_specs holds pytorch"],
    ),
    (
        "Transformers for a GGUF file",
        {**custom("LLM"), "engine": "Transformers"},
        ["engine 'Transformers' cannot load ggufv2, and registration.model_specs holds nothing else; use llama.cpp"],
    ),
]

REGISTRATIONS: list[tuple[str, dict[str, Any], list[str]]] = [
    (
        "for video",
        {**VIDEO, "registration": {}},
        ["registration is not possible for type video; the server takes custom models of type LLM, embedding, rerank, image, audio, flexible"],
    ),
    ("for world", {**WORLD, "registration": {}}, ["registration is not possible for type world"]),
    ("name with slash", {**custom("LLM"), "name": "org/mine"}, ["name 'org/mine' of a custom model must not contain white space or any of + / \\ ? % # & ="]),
    ("name with space", {**custom("embedding"), "name": "my model"}, ["name 'my model' of a custom model must not contain white space"]),
    ("name of two dots", {**custom("rerank"), "name": ".."}, ["name '..' of a custom model must not be a step in a path"]),
    ("another name inside", custom("LLM", model_name="other"), ["registration.model_name 'other' differs from name 'mine'; leave it out"]),
    ("old format", custom("LLM", version=1), ["registration.version '1' must be 2, the number of the format; leave it out"]),
    ("format as text", custom("embedding", version="2"), ["registration.version '2' must be 2, the number of the format; leave it out"]),
    *(
        (f"{kind} without {key}", custom(kind, **{key: GONE}), [f"registration.{key} is missing; it is"])
        for kind, keys in {
            "LLM": ("model_lang", "model_ability", "model_family", "model_specs"),
            "embedding": ("dimensions", "max_tokens", "language", "model_specs"),
            "rerank": ("language", "model_specs"),
            "image": ("model_family",),
            "audio": ("model_family", "multilingual"),
            "flexible": ("launcher",),
        }.items()
        for key in keys
    ),
    ("specs empty", custom("LLM", model_specs=[]), ["registration.model_specs is missing; it is the list of the files"]),
    ("specs as dictionary", custom("LLM", model_specs=SPEC), ["registration.model_specs '{model_format: ggufv2", "must be a list of dictionaries"]),
    ("spec as text", custom("LLM", model_specs=["/models/a.gguf"]), ["registration.model_specs[0] '/models/a.gguf' must be a dictionary"]),
    ("languages as text", custom("LLM", model_lang="en"), ["registration.model_lang 'en' must be a list of texts"]),
    ("language that YAML reads as false", custom("LLM", model_lang=written("[en, no]")), ["registration.model_lang '[en, false]' must be a list of texts"]),
    (
        "ability misspelt",
        custom("LLM", model_ability=["generat"]),
        ["registration.model_ability 'generat' is not one of generate, chat", "did you mean 'generate'?"],
    ),
    ("ability of another type", custom("embedding", model_ability=["embed"]), ["registration.model_ability 'embed' is not one of embed_vision"]),
    ("ability of a reranker", custom("rerank", model_ability=["rerank"]), ["registration.model_ability 'rerank' is not one of rerank_vision"]),
    ("ability as text", custom("LLM", model_ability="chat"), ["registration.model_ability 'chat' must be a list of texts"]),
    ("ignored in silence: chat without template", custom("LLM", model_ability=["chat"]), ["registration.chat_template is missing; the model can chat"]),
    (
        "tools of a family of its own",
        custom("LLM", model_ability=["generate", "tools"]),
        ["registration.model_family 'mine' must be a family of the server's catalogue with tools"],
    ),
    (
        "pictures of a family of its own",
        custom("LLM", model_ability=["generate", "vision"]),
        ["registration.model_family 'mine' must be a family of the server's catalogue with vision"],
    ),
    ("context zero", custom("LLM", context_length=0), ["registration.context_length '0'", NUMBER]),
    ("context as text", custom("LLM", context_length="8k"), ["registration.context_length '8k'", NUMBER]),
    ("dimensions as fraction", custom("embedding", dimensions=384.5), ["registration.dimensions '384.5'", NUMBER]),
    ("tokens negative", custom("embedding", max_tokens=-1), ["registration.max_tokens '-1'", NUMBER]),
    ("stop as text", custom("LLM", stop="</s>"), ["registration.stop '</s>' must be a list of texts"]),
    ("stop ids as texts", custom("LLM", stop_token_ids=["2"]), ["registration.stop_token_ids '[\"2\"]' must be a list of whole numbers"]),
    ("template as list", custom("LLM", chat_template=["a", "b"]), ["registration.chat_template '[a, b]' must be a text"]),
    ("multilingual as text", custom("audio", multilingual="yes"), ["registration.multilingual 'yes' must be true or false"]),
    (
        "virtual environment as list",
        custom("LLM", virtualenv=["torch"]),
        ["registration.virtualenv '[torch]' must be a dictionary with packages, a list of texts"],
    ),
    ("launcher arguments as dictionary", custom("flexible", launcher_args={"a": 1}), ["registration.launcher_args '{a: 1}' must be a text"]),
    ("launcher arguments no JSON", custom("flexible", launcher_args="a=1"), ["registration.launcher_args 'a=1' must be JSON"]),
    ("image without files", custom("image", model_uri=GONE), ["registration names no files; give model_uri"]),
    ("audio without files", custom("audio", model_uri=GONE), ["registration names no files; give model_uri"]),
    (
        "dropped in silence: unknown field of a spec",
        of_spec("LLM", sha256="0"),
        ["registration.model_specs[0].sha256 is unknown, and the server would drop it; allowed are model_id"],
    ),
    ("image with a relative path", custom("image", model_uri="folder"), ["registration.model_uri 'folder' must be an absolute path"]),
    ("ignored in silence: misspelt field", custom("LLM", chat_templat="x"), ["registration.chat_templat is unknown", NOTHING, "did you mean 'chat_template'?"]),
    *(
        (f"ignored in silence: {word}", item, [f"registration{place}.{word} is unknown", f"did you mean '{meant}'?"])
        for word, meant, place, item in (
            ("chat-template", "chat_template", "", custom("LLM", **{"chat-template": "x"})),
            ("chatTemplate", "chat_template", "", custom("LLM", chatTemplate="x")),
            ("modelUri", "model_uri", "", custom("LLM", modelUri="/models/a.gguf")),
            ("toolParser", "tool_parser", ".model_specs[0]", of_spec("LLM", toolParser="x")),
            ("model-revision", "model_revision", ".model_specs[0]", of_spec("embedding", **{"model-revision": "x"})),
        )
    ),
    (
        "ignored in silence: files in the wrong place",
        custom("LLM", model_uri="/models/a.gguf"),
        ["registration.model_uri has no effect there; it belongs into the entries of registration.model_specs"],
    ),
    (
        "ignored in silence: template in the wrong place",
        of_spec("LLM", chat_template="x"),
        ["registration.model_specs[0].chat_template has no effect there; it belongs into registration itself"],
    ),
    (
        "ignored in silence: misspelt field of a spec",
        of_spec("LLM", model_file_name_templat="x"),
        ["registration.model_specs[0].model_file_name_templat is unknown", "did you mean 'model_file_name_template'?"],
    ),
    *(
        (f"spec without {key}", of_spec("LLM", **{key: GONE}), [f"registration.model_specs[0].{key} is missing; it is"])
        for key in ("model_format", "model_size_in_billions", "quantization")
    ),
    (
        "spec without file name",
        of_spec("LLM", model_file_name_template=GONE),
        ["registration.model_specs[0].model_file_name_template is missing; it is the name of the GGUF file"],
    ),
    ("spec of an embedding without quantization", of_spec("embedding", quantization=GONE), ["registration.model_specs[0].quantization is missing"]),
    (
        "spec of an embedding without file name",
        of_spec("embedding", model_format="ggufv2"),
        ["registration.model_specs[0].model_file_name_template is missing"],
    ),
    (
        "spec of a reranker without quantization",
        of_spec("rerank", model_format="ggufv2", model_file_name_template="a", quantization=GONE),
        ["registration.model_specs[0].quantization is missing"],
    ),
    ("spec without files", of_spec("LLM", model_uri=GONE), ["registration.model_specs[0] names no files; give model_uri", "or model_id"]),
    (
        "spec format short",
        {**of_spec("LLM", model_format="gguf"), "engine": "vLLM"},
        ["registration.model_specs[0].model_format 'gguf' is not one of ggufv2, pytorch", "did you mean 'ggufv2'?"],
    ),
    (
        "spec format of another type",
        of_spec("embedding", model_format="gptq"),
        ["registration.model_specs[0].model_format 'gptq' is not one of pytorch, ggufv2"],
    ),
    (
        "spec size as fraction",
        of_spec("LLM", model_size_in_billions=0.6),
        ["registration.model_specs[0].model_size_in_billions '0.6'", "must be a whole number of billions", "did you mean '0_6'?"],
    ),
    ("spec size as text with dot", of_spec("LLM", model_size_in_billions="1.5"), ["model_size_in_billions '1.5'", "did you mean '1_5'?"]),
    ("ignored in silence: spec size negative", of_spec("LLM", model_size_in_billions=-1), ["model_size_in_billions '-1' must be a whole number of billions"]),
    ("ignored in silence: spec size true", of_spec("LLM", model_size_in_billions=True), ["model_size_in_billions 'true' must be a whole number of billions"]),
    (
        "ignored in silence: spec size with unit",
        of_spec("LLM", model_size_in_billions="1_x"),
        ["model_size_in_billions '1_x' must be a whole number of billions"],
    ),
    (
        "spec size of active parameters",
        of_spec("LLM", activated_size_in_billions="3b"),
        ["registration.model_specs[0].activated_size_in_billions '3b' must be a whole number of billions"],
    ),
    ("spec quantization as number", of_spec("LLM", quantization=4), ["registration.model_specs[0].quantization '4' must be a text"]),
    ("spec of another hub", of_spec("LLM", model_hub="modelscope"), ["registration.model_specs[0].model_hub 'modelscope' must be huggingface or left out"]),
    (
        "spec projectors as text",
        of_spec("LLM", multimodal_projectors="m.gguf"),
        ["registration.model_specs[0].multimodal_projectors 'm.gguf' must be a list of texts"],
    ),
    (
        "URI relative",
        of_spec("LLM", model_uri="models/a.gguf"),
        ["registration.model_specs[0].model_uri 'models/a.gguf' must be an absolute path as the server sees it"],
    ),
    ("ignored in silence: URI of the web", of_spec("LLM", model_uri="https://host/a.gguf"), ["model_uri 'https://host/a.gguf' must be an absolute path"]),
    ("URI with two slashes", of_spec("LLM", model_uri="file://models/a.gguf"), ["model_uri 'file://models/a.gguf' must be an absolute path"]),
    ("URI that climbs out", of_spec("LLM", model_uri="file:///models/../etc/a.gguf"), ["model_uri 'file:///models/../etc/a.gguf' must not contain '..'"]),
    (
        "URI that is cut",
        of_spec("LLM", model_uri="file:///models/a#1.gguf"),
        ["model_uri 'file:///models/a#1.gguf' must not contain # or ?", "write the plain path"],
    ),
    ("URI as list", of_spec("LLM", model_uri=["/models/a.gguf"]), ["model_uri '[/models/a.gguf]' must be an absolute path"]),
]

ITEMS = [
    (f"{table}: {name}", item, words)
    for table, rows in {
        "uid": UIDS,
        "field": UNKNOWN,
        "choice": CHOICES,
        "value": VALUES,
        "path": PATHS,
        "dictionary": DICTIONARIES,
        "option": OPTIONS,
        "together": TOGETHER,
        "registration": REGISTRATIONS,
    }.items()
    for name, item, words in rows
]

# The whole list is wrong: what the row is called, the declaration, where the sentence begins, and the words that it must hold.
LISTS: list[tuple[str, Any, str, list[str]]] = [
    (
        "a dictionary",
        {"uid": "x", "environment": {"HF_TOKEN": SECRET}},
        "models: ",
        ["is the dictionary (uid, environment), but must be a list of dictionaries"],
    ),
    ("an empty dictionary", {}, "models: ", ["is the empty dictionary, but must be a list"]),
    ("a text", "chat", "models: ", ["is the text 'chat', but must be a list of dictionaries"]),
    ("a number", 7, "models: ", ["is the number '7', but must be a list of dictionaries"]),
    ("true", True, "models: ", ["is the truth value 'true', but must be a list of dictionaries"]),
    ("null", None, "models: ", ["is the value 'null', but must be a list of dictionaries"]),
    ("texts in it", [GOOD, "chat"], "models[1]: ", ["is the text 'chat', but must be a dictionary with at least 'uid' and 'name'"]),
    ("a list in it", [[{"environment": {"HF_TOKEN": SECRET}}]], "models[0]: ", ["is the list, but must be a dictionary"]),
    ("null in it", [GOOD, None], "models[1]: ", ["is the value 'null', but must be a dictionary"]),
    ("a uid twice", [GOOD, GOOD], "models[1] (uid 'good'): ", ["uid 'good' is already used by models[0]"]),
    ("a uid twice, once absent", [GOOD, {"uid": "good", "state": "absent"}], "models[1] (uid 'good'): ", ["uid 'good' is already used by models[0]"]),
    ("a uid twice, once as number", [{**GOOD, "uid": "7"}, {**GOOD, "uid": 7}], "models[1] (uid '7'): ", ["uid '7' is already used by models[0]"]),
    (
        "two registrations of one name",
        [{**custom("LLM"), "uid": "a"}, {**custom("LLM", context_length=512), "uid": "b"}],
        "models[1] (uid 'b'): ",
        ["registration of 'mine' differs from the one in models[0] (uid 'a'); one name has one registration"],
    ),
]

# The declaration is well-formed, but not for this server and this host.
ADAPTERS = {"lora_list": [{"lora_name": "a", "local_path": "/models/none"}]}
SERVER: list[tuple[str, dict[str, Any], list[str]]] = [
    ("unknown name", {**LLM, "name": "qwen33"}, ["name 'qwen33' of type LLM is not in the server's catalogue and has no registration; did you mean 'qwen3'?"]),
    ("name in other case", {**LLM, "name": "Qwen3"}, ["name 'Qwen3' of type LLM is not in the server's catalogue", "did you mean 'qwen3'?"]),
    (
        "name of the folk recipe",
        {**LLM, "name": "orca"},
        ["name 'orca' of type LLM is not in the server's catalogue and has no registration; it has 4 of this type"],
    ),
    ("name of another type", {**LLM, "name": "bge-m3"}, ["name 'bge-m3' of type LLM is not in the server's catalogue"]),
    ("unknown embedding", {**EMBEDDING, "name": "bge-m4"}, ["name 'bge-m4' of type embedding is not in the server's catalogue", "did you mean 'bge-m3'?"]),
    ("unknown world", WORLD | {"name": "Astro"}, ["name 'Astro' of type world is not in the server's catalogue", "did you mean 'Astra'?"]),
    (
        "flexible without registration",
        FLEXIBLE,
        ["name 'mine' of type flexible is not in the server's catalogue and has no registration; it has 0 of this type"],
    ),
    (
        "engine that needs a GPU",
        {**LLM, "engine": "vLLM"},
        ["engine 'vLLM' cannot run 'qwen3' on this server (Failed to import vLLM", "usable: Transformers, llama.cpp."],
    ),
    (
        "engine that the server does not list",
        {**LLM, "engine": "LMDEPLOY"},
        ["engine 'LMDEPLOY' cannot run 'qwen3' on this server; usable: Transformers, llama.cpp."],
    ),
    (
        "engine that is not installed",
        {**EMBEDDING, "engine": "flag"},
        ["engine 'flag' cannot run 'bge-m3' on this server", "No module named 'FlagEmbedding'", "usable: sentence_transformers, llama.cpp."],
    ),
    ("engine for a reranker", {**RERANK, "engine": "vllm"}, ["engine 'vllm' cannot run 'bge-reranker-v2-m3'", "usable: sentence_transformers, llama.cpp."]),
    ("engine for audio", {**AUDIO, "engine": "MLX"}, ["engine 'MLX' cannot run 'whisper-tiny'", "usable: transformers."]),
    ("no engine for images", IMAGE, ["no engine of this server can run 'sd-turbo': diffusers (Library 'diffusers' is not installed)"]),
    (
        "no engine for video",
        {**VIDEO, "engine": "diffusers"},
        ["engine 'diffusers' cannot run 'CogVideoX-2b' on this server (Library 'diffusers' is not installed); usable: none."],
    ),
    (
        "format that is not offered",
        {**LLM, "engine": "Transformers", "format": "bnb"},
        ["format 'bnb' is not offered for 'qwen3' with engine Transformers; allowed: pytorch, gptq"],
    ),
    ("format in other case", {**LLM, "engine": "Transformers", "format": "PyTorch"}, ["format 'PyTorch' is not offered", "did you mean 'pytorch'?"]),
    (
        "size that is not offered",
        {**GGUF, "size_in_billions": 7},
        ["size_in_billions '7' is not offered for 'qwen3' with engine llama.cpp; allowed: 0_6, 1_7, 4."],
    ),
    (
        "size that YAML read in octal",
        {**GGUF, "size_in_billions": written("0_6")},
        ["size_in_billions '6' is not offered", "did you mean '0_6', which YAML reads as 6 without quotes?"],
    ),
    (
        "size that YAML read in thousands",
        {**GGUF, "size_in_billions": written("1_7")},
        ["size_in_billions '17' is not offered", "did you mean '1_7', which YAML reads as 17"],
    ),
    (
        "format missing for llama.cpp",
        LLM,
        ["format is missing; without it the server takes pytorch for 'qwen3', which engine llama.cpp cannot load, so give format ggufv2."],
    ),
    ("format missing for an embedding", {**EMBEDDING, "engine": "llama.cpp"}, ["format is missing; without it the server takes pytorch for 'bge-m3'"]),
    ("format missing for a reranker", {**RERANK, "engine": "llama.cpp"}, ["format is missing; without it the server takes pytorch for 'bge-reranker-v2-m3'"]),
    (
        "quantization of an embedding in other case",
        {**EMBEDDING, "engine": "llama.cpp", "format": "ggufv2", "quantization": "f16"},
        ["quantization 'f16' is not offered for 'bge-m3' with engine llama.cpp; allowed: F16, Q4_K_M; did you mean 'F16'?"],
    ),
    (
        "quantization that is not offered",
        {**GGUF, "quantization": "Q2_K"},
        ["quantization 'Q2_K' is not offered for 'qwen3' with engine llama.cpp; allowed: Q8_0, Q4_K_M."],
    ),
    ("quantization of another size", {**GGUF, "size_in_billions": "0_6", "quantization": "Q4_K_M"}, ["quantization 'Q4_K_M' is not offered", "allowed: Q8_0."]),
    (
        "quantization without underscores",
        {**GGUF, "size_in_billions": 4, "quantization": "Q4KM"},
        ["quantization 'Q4KM' is not offered", "did you mean 'Q4_K_M'?"],
    ),
    (
        "quantization that the default engine lacks",
        {**EMBEDDING, "quantization": "Q4_K_M"},
        ["quantization 'Q4_K_M' is not offered for 'bge-m3' with engine sentence_transformers; allowed: none."],
    ),
    (
        "quantization of a reranker",
        {**RERANK, "engine": "llama.cpp", "quantization": "F32"},
        ["quantization 'F32' is not offered for 'bge-reranker-v2-m3' with engine llama.cpp; allowed: Q4_K_M, Q8_0."],
    ),
    (
        "projector that is not offered",
        {**GGUF, "name": "gemma-3-it", "multimodal_projector": "mmproj-google_gemma-3-4b-it-f8.gguf"},
        [
            "multimodal_projector 'mmproj-google_gemma-3-4b-it-f8.gguf' is not offered for 'gemma-3-it'",
            "allowed: mmproj-google_gemma-3-4b-it-f16.gguf, mmproj-google_gemma-3-4b-it-f32.gguf",
        ],
    ),
    ("GPU on a host without", {**GGUF, "n_gpu": 1}, ["n_gpu '1' is more than the 0 GPUs of this server; leave it out on a host without GPU"]),
    ("worker that is not there", {**GGUF, "worker_ip": "10.0.0.9"}, ["worker_ip '10.0.0.9' is no worker of this server; allowed: 10.0.0.5."]),
    (
        "one of two workers that is not there",
        {**GGUF, "worker_ip": "10.0.0.5,10.0.0.9:1"},
        ["worker_ip '10.0.0.9:1' is no worker of this server; allowed: 10.0.0.5."],
    ),
    ("worker by a name that is not there", {**GGUF, "workers": ["worker-9"]}, ["workers 'worker-9' is no worker of this server; allowed: 10.0.0.5."]),
    (
        "registration under a built-in name",
        {**custom("LLM"), "name": "qwen3"},
        ["name 'qwen3' is a model of the server's own catalogue, which no registration can replace; give the custom model another name"],
    ),
    ("registration under a built-in embedding", {**custom("embedding"), "name": "bge-m3"}, ["name 'bge-m3' is a model of the server's own catalogue"]),
    (
        "family without template",
        custom("LLM", model_ability=["chat"], model_family="qwen-3"),
        ["registration.model_family 'qwen-3' is not in the server's catalogue, and without chat_template", "did you mean 'qwen3'?"],
    ),
    (
        "family without tools",
        custom("LLM", model_ability=["chat", "tools"], chat_template="x", model_family="other"),
        ["registration.model_family 'other' is not in the server's catalogue, and model_ability asks for tools"],
    ),
    (
        "path outside of every directory",
        {**GGUF, "path": "/srv/a.gguf"},
        ["path '/srv/a.gguf' lies in no directory that the server's container sees; these are /models, /root/.xinference"],
    ),
    ("path beside a directory", {**GGUF, "path": "/models2/a.gguf"}, ["path '/models2/a.gguf' lies in no directory that the server's container sees"]),
    ("path that is not there", {**GGUF, "path": "/models/none.gguf"}, ["path '/models/none.gguf' does not exist; on this host it would be", "/none.gguf."]),
    ("path below a file", {**GGUF, "path": "/models/a.gguf/b.gguf"}, ["path '/models/a.gguf/b.gguf' does not exist"]),
    (
        "path through a link that leads out",
        {**GGUF, "path": "/models/out.gguf"},
        ["path '/models/out.gguf' is a link to '/elsewhere/a.gguf', which lies in no directory that the server's container sees"],
    ),
    (
        "path through a link that climbs out",
        {**GGUF, "path": "/models/up/a.gguf"},
        ["path '/models/up/a.gguf' is a link to '/etc/a.gguf', which lies in no directory"],
    ),
    (
        "path through a link to nothing",
        {**GGUF, "path": "/models/dead.gguf"},
        ["path '/models/dead.gguf' is a link to '/models/gone.gguf', which does not exist"],
    ),
    ("path through a link to itself", {**GGUF, "path": "/models/loop.gguf"}, ["path '/models/loop.gguf' is a link that leads back to itself"]),
    (
        "path of a directory with the name of a file",
        {**GGUF, "path": "/models/folder.gguf"},
        ["path '/models/folder.gguf' is a directory, but engine llama.cpp wants the GGUF file itself"],
    ),
    (
        "path of a file where a directory is wanted",
        {**LLM, "engine": "Transformers", "path": "/models/weights.bin"},
        ["path '/models/weights.bin' is a file, but the server wants the directory of the model"],
    ),
    ("registered file that is not there", of_spec("LLM", model_uri="/models/b.gguf"), ["registration.model_specs.model_uri '/models/b.gguf' does not exist"]),
    (
        "registered URI that is not there",
        of_spec("LLM", model_uri="file:///models/b%20c.gguf"),
        ["registration.model_specs.model_uri '/models/b c.gguf' does not exist"],
    ),
    (
        "registered directory outside",
        custom("image", model_uri="/data/sd"),
        ["registration.model_uri '/data/sd' lies in no directory that the server's container sees"],
    ),
    ("drafter that is not there", options(draft_model_path="/models/draft.gguf"), ["engine_options.draft_model_path '/models/draft.gguf' does not exist"]),
    ("projector that is not there", options(mmproj__path="/models/m.gguf"), ["engine_options.mmproj.path '/models/m.gguf' does not exist"]),
    (
        "adapter that is not there",
        {**LLM, "engine": "Transformers", "peft_model_config": ADAPTERS},
        ["peft_model_config.lora_list.local_path '/models/none' does not exist"],
    ),
]


def offer(name: str, form: str, size: Any, *quantizations: str, **more: Any) -> dict[str, Any]:
    """One thing that an engine can load, as the server says it of an LLM."""
    return {"model_name": name, "model_format": form, "model_size_in_billions": size, "quantizations": list(quantizations), **more}


def each(name: str, form: str, *quantizations: str) -> list[dict[str, Any]]:
    """The same of an embedding or a reranker: one row for each quantization."""
    return [{"model_name": name, "model_format": form, "quantization": quantization} for quantization in quantizations]


NO_VLLM = "Failed to import vLLM: No module named 'vllm'"
ENGINES: dict[tuple[str, str], dict[str, Any]] = {
    ("LLM", "qwen3"): {
        "Transformers": [offer("qwen3", "pytorch", "0_6", "none"), offer("qwen3", "gptq", "0_6", "Int8", "Int4"), offer("qwen3", "pytorch", 4, "none")],
        "llama.cpp": [
            offer("qwen3", "ggufv2", "0_6", "Q8_0", multimodal_projectors=None),
            offer("qwen3", "ggufv2", "1_7", "Q8_0", multimodal_projectors=None),
            offer("qwen3", "ggufv2", 4, "Q4_K_M", "Q8_0", multimodal_projectors=None),
        ],
        "vLLM": NO_VLLM,
        "SGLang": "Failed to import sglang: No module named 'sglang'",
        "MLX": "MLX engine only supports MacOS with Apple silicon",
    },
    ("LLM", "gemma-3-it"): {
        "llama.cpp": [
            offer("gemma-3-it", "ggufv2", 4, "Q4_K_M", multimodal_projectors=[f"mmproj-google_gemma-3-4b-it-{kind}.gguf" for kind in ("f16", "f32", "bf16")])
        ],
        "vLLM": NO_VLLM,
    },
    ("embedding", "bge-m3"): {
        "sentence_transformers": each("bge-m3", "pytorch", "none"),
        "llama.cpp": each("bge-m3", "ggufv2", "F16", "Q4_K_M"),
        "flag": "Failed to import FlagEmbedding: No module named 'FlagEmbedding'",
        "vllm": NO_VLLM,
    },
    ("rerank", "bge-reranker-v2-m3"): {
        "sentence_transformers": each("bge-reranker-v2-m3", "pytorch", "none"),
        "llama.cpp": each("bge-reranker-v2-m3", "ggufv2", "Q4_K_M", "Q8_0"),
        "vllm": NO_VLLM,
    },
    ("image", "sd-turbo"): {
        "diffusers": "Library 'diffusers' is not installed",
        "vLLM": "Engine vLLM is not compatible with current image model or environment",
    },
    ("audio", "whisper-tiny"): {
        "transformers": [{"model_name": "whisper-tiny", "model_format": "pytorch"}],
        "MLX": "Engine MLX is not compatible with current audio model or environment",
    },
    ("video", "CogVideoX-2b"): {"diffusers": "Library 'diffusers' is not installed"},
}
NAMES: dict[str, list[str]] = {
    "LLM": ["qwen3", "gemma-3-it", "qwen2.5-instruct", "glm4-chat"],
    "embedding": ["bge-m3", "jina-embeddings-v3"],
    "rerank": ["bge-reranker-v2-m3"],
    "image": ["sd-turbo"],
    "audio": ["whisper-tiny"],
    "video": ["CogVideoX-2b"],
    "world": ["Astra"],
    "flexible": [],
}
MACHINE: WorkerStatus = {"cpu": {"total": 2, "memory_total": 16 << 30}}


class Server:
    """A server that can be read, with nothing on it; any other call fails the test."""

    def __init__(self) -> None:
        self.reads: list[str] = []

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"the run went on to {name}")

    def list_models(self) -> dict[str, ModelRow]:
        """Nothing runs."""
        self.reads.append("list_models")
        return {}

    def list_instances(self) -> list[InstanceRow]:
        """Nothing ever ran."""
        self.reads.append("list_instances")
        return []

    def history(self) -> list[HistoryRow]:
        """No rows."""
        self.reads.append("history")
        return []

    def autostart(self) -> list[AutostartRow]:
        """No entries."""
        self.reads.append("autostart")
        return []

    def registrations(self, model_type: str, names: Any) -> dict[str, dict[str, Any]]:
        """No custom models; what is built in has a specification, too."""
        self.reads.append("registrations")
        return {name: {"version": 2, "model_name": name, "is_builtin": True} for name in names if name in NAMES[model_type]}

    def registered_names(self, model_type: str) -> dict[str, bool]:
        """What is built in."""
        self.reads.append("registered_names")
        return dict.fromkeys(NAMES[model_type], True)

    def engines(self, model_type: str, name: str) -> Engines | None:
        """What can load a model."""
        self.reads.append("engines")
        return ENGINES.get((model_type, name))

    def status(self, *, patient: bool = True) -> ServerStatus:
        """One worker without GPU."""
        self.reads.append("status")
        return {"workers": {"10.0.0.5:40001": {"status": MACHINE}}}

    def routes(self) -> frozenset[str]:
        """No route that matters here."""
        self.reads.append("routes")
        return frozenset()


@pytest.fixture(scope="module")
def server_files(tmp_path_factory: pytest.TempPathFactory) -> ServerFiles:
    """Directories that the container sees, with files and links in them."""
    base = tmp_path_factory.mktemp("host")
    tree = base / "tree"
    tree.mkdir()
    (base / "home").mkdir()
    (base / "elsewhere").mkdir()
    (base / "elsewhere" / "a.gguf").write_bytes(b"GGUF")
    for name in ("a.gguf", "weights.bin", "with space.gguf"):
        (tree / name).write_bytes(b"GGUF")
    for name in ("folder", "folder.gguf"):
        (tree / name).mkdir()
    for name, target in {
        "good.gguf": "a.gguf",
        "far.gguf": "/root/.xinference/../../models/a.gguf",
        "out.gguf": "/elsewhere/a.gguf",
        "up": "../etc",
        "dead.gguf": "gone.gguf",
        "loop.gguf": "loop.gguf",
    }.items():
        (tree / name).symlink_to(target)
    (base / "mounted").symlink_to(tree)
    # What is mounted may itself be a link: it was followed when the container was made.
    return ServerFiles({"/models": str(base / "mounted"), "/root/.xinference/": str(base / "home")})


def refused(declaration: Any, server_files: ServerFiles, **options: Any) -> tuple[list[str], list[str]]:
    """The sentences with which a declaration is refused on the way that the module takes, and the reads that came before."""
    server = Server()
    with pytest.raises(DeclarationError) as raised:
        reconcile(server, parse_models(declaration), ReconcileOptions(server_files=server_files, **options))
    return raised.value.problems, server.reads


def assert_clear(sentence: str, start: str, words: list[str]) -> None:
    """Whether a sentence says which item is wrong, and what; in the words of a person, on one line, without a secret."""
    assert sentence.startswith(start)
    assert [word for word in words if word not in sentence] == [], sentence
    assert sentence.endswith((".", "?"))
    assert not sentence.endswith(("..", "?.", ".?"))
    assert sentence.isprintable()
    assert len(sentence) < 700
    assert SECRET not in sentence
    said = sentence.replace("n_gpu 'None'", "")
    assert not NOISE.search(said), NOISE.search(said)


@pytest.mark.parametrize(("item", "words"), [pytest.param(item, words, id=name) for name, item, words in ITEMS])
def test_a_wrong_item_is_refused_in_one_sentence_before_the_server_is_asked(item: dict[Any, Any], words: list[str], server_files: ServerFiles) -> None:
    problems, reads = refused([GOOD, item], server_files)
    assert len(problems) == 1, problems
    uid = item.get("uid")
    assert_clear(problems[0], "models[1]: " if uid is None else "models[1] (uid '", words)
    if isinstance(uid, str) and uid.isascii() and uid.isprintable():
        assert problems[0].startswith(f"models[1] (uid '{uid}'): ")
    assert reads == []


@pytest.mark.parametrize(("declaration", "start", "words"), [pytest.param(*row[1:], id=row[0]) for row in LISTS])
def test_a_wrong_list_is_refused_in_one_sentence_before_the_server_is_asked(declaration: Any, start: str, words: list[str], server_files: ServerFiles) -> None:
    problems, reads = refused(declaration, server_files)
    assert len(problems) == 1, problems
    assert_clear(problems[0], start, words)
    assert reads == []


@pytest.mark.parametrize(("item", "words"), [pytest.param(item, words, id=name) for name, item, words in SERVER])
def test_what_this_server_cannot_do_is_refused_in_one_sentence_before_the_first_write(
    item: dict[str, Any], words: list[str], server_files: ServerFiles
) -> None:
    problems, reads = refused([GOOD, item], server_files, memory_mib=1 << 20)
    assert len(problems) == 1, problems
    assert_clear(problems[0], "models (uid 'x'): ", words)
    assert reads


def test_models_that_do_not_fit_are_refused_with_the_whole_sum(server_files: ServerFiles) -> None:
    problems, _reads = refused([GOOD, {**GGUF, "size_in_billions": 4, "replica": 9}], server_files, memory_mib=8192)
    assert len(problems) == 1
    assert_clear(problems[0], "models: ", ["they need about", "MiB of memory, but the server has 8192", "good", "9 times", "set check_memory to false"])


def test_every_problem_of_every_item_is_reported_at_once(server_files: ServerFiles) -> None:
    wrong = [GOOD, {**LLM, "replica": 0, "engin": "x", "environment": {"A": None}}, "chat", {**custom("LLM", version=1), "uid": "y"}]
    problems, reads = refused(wrong, server_files)
    assert [problem.split(":")[0] for problem in problems] == [*["models[1] (uid 'x')"] * 3, "models[2]", "models[3] (uid 'y')"]
    assert reads == []
    wrong = [GOOD, {**LLM, "name": "nope"}, {**EMBEDDING, "uid": "y", "engine": "flag"}, {**of_spec("LLM", model_uri="/models/b.gguf"), "uid": "z"}]
    problems, _reads = refused(wrong, server_files)
    assert [problem.split(":")[0] for problem in problems] == ["models (uid 'x')", "models (uid 'y')", "models (uid 'z')"]


@pytest.mark.parametrize(
    "item",
    [
        pytest.param(item, id=name)
        for name, item in {
            "an LLM": GOOD,
            "an LLM in any case": {**GOOD, "engine": "LLAMA.CPP", "quantization": "q8_0"},
            "a quantization that only GGUF files have": {**LLM, "quantization": "Q4_K_M"},
            "a file": {**GGUF, "path": "/models/a.gguf"},
            "a link": {**GGUF, "path": "/models/good.gguf"},
            "a link through another directory": {**GGUF, "path": "/models/far.gguf"},
            "a path with two slashes": {**GGUF, "path": "//models//a.gguf"},
            "a URI with a space": of_spec("LLM", model_uri="file:///models/with%20space.gguf"),
            "a directory": {**LLM, "engine": "Transformers", "path": "/models/folder"},
            "a directory for an embedding": {**EMBEDDING, "engine": "llama.cpp", "format": "ggufv2", "path": "/models/folder"},
            "numbers for enumerations": options(cache_type_k=8, cache_type_v=8, flash_attn_type=1, pooling_type=-1),
            "the largest number": options(n_predict=2**31 - 1, sampling__seed=2**32 - 1),
            "an option of a newer engine": {**LLM, "engine": "Transformers", "engine_options": {"max_pixels": 1, "attn_implementation": "eager"}},
            "numbers as text": {**GGUF, "replica": "2", "autostart": {"priority": "5"}},
            "a uid as number": {**GGUF, "uid": 7},
            "a uid in another script": {**GGUF, "uid": "чат"},
            "a uid of 100 characters": {**GGUF, "uid": "u" * 100},
            "an engine in its own environment": {**EMBEDDING, "engine": "vllm", "enable_virtual_env": True},
            "the template of the launch": {
                **custom("LLM", model_ability=["chat"], model_family="other"),
                "engine_options": {"chat_template": "{{ messages }}"},
            },
            "a family of the catalogue": custom("LLM", model_ability=["chat", "tools"], model_family="qwen3"),
            "a template": custom("LLM", model_ability=["chat"], chat_template="{{ messages }}"),
            "a worker": {**GGUF, "worker_ip": "10.0.0.5:40001"},
            "a name that only the server knows": WORLD,
            **{f"a custom {kind}": custom(kind) for kind in CUSTOM_TYPES},
        }.items()
    ],
)
def test_what_is_right_goes_on_to_the_first_write(item: dict[str, Any], server_files: ServerFiles) -> None:
    with pytest.raises(AssertionError, match=r"the run went on to (launch|register)"):
        reconcile(Server(), parse_models([item]), ReconcileOptions(server_files=server_files))


def test_options_that_are_not_known_can_be_let_through() -> None:
    assert parse_models([options(n_ctxx=1, cache_type_k="q8_0"), {**custom("LLM", chat_templat="x"), "uid": "y"}], strict=False)


def test_without_known_folders_nothing_is_said_of_paths() -> None:
    with pytest.raises(AssertionError, match="the run went on to launch"):
        reconcile(Server(), parse_models([{**GGUF, "path": "/anywhere/a.gguf"}]), ReconcileOptions())


def test_the_rows_are_many_and_cover_every_field_type_and_kind_of_registration() -> None:
    rows = [*ITEMS, *SERVER]
    assert len(rows) + len(LISTS) >= 250
    names = [name for name, *_rest in ITEMS]
    assert len(set(names)) == len(names)
    values = [f"{name} '" for name in FIELDS if name not in ("registration",)]
    sentences = [words for _name, _item, words in rows]
    assert [value for value in values if not any(value in word for words in sentences for word in words)] == []
    assert {item.get("type", "LLM") for _name, item, _words in rows if isinstance(item.get("type", "LLM"), str)} >= set(MODEL_TYPES)
    assert {item["type"] for _name, item, _words in rows if "registration" in item and "type" in item} >= set(CUSTOM_TYPES)
    assert {name for _name, item, _words in OPTIONS for name in item["engine_options"]} - LLAMA_CPP


# The real module in a process of its own.


def run_module(arguments: dict[str, Any], folder: Path) -> tuple[int, dict[str, Any], str]:
    """The module's exit code, its answer, and all that it printed."""
    given = folder / "arguments.json"
    given.write_text(json.dumps({"ANSIBLE_MODULE_ARGS": {**arguments, **REPEAT}}), encoding="utf-8")
    ended = subprocess.run(
        [sys.executable, "-m", MODULE, str(given)], capture_output=True, text=True, check=False, timeout=600, env={**os.environ, "LC_ALL": "C.UTF-8"}
    )
    return ended.returncode, json.loads(ended.stdout), ended.stdout + ended.stderr


PROCESSES: list[tuple[str, list[Any], dict[str, Any], list[tuple[str, list[str]]]]] = [
    ("one mistake", [GOOD, {**LLM, "type": "llm"}], {}, [("models[1] (uid 'x'): ", ["type 'llm'", "did you mean 'LLM'?"])]),
    ("a misspelt option", [options(n_ctxx=4096)], {}, [("models[0] (uid 'x'): ", ["engine_options 'n_ctxx'", "did you mean 'n_ctx'?"])]),
    ("no dictionary", ["chat"], {}, [("models[0]: ", ["is the text 'chat'"])]),
    ("not a number", [{**LLM, "size_in_billions": float("nan")}], {}, [("models[0] (uid 'x'): ", ["size_in_billions '.nan'"])]),
    ("half a character", [{**LLM, "uid": "\ud800"}], {}, [("models[0] (uid '", ["invisible characters"])]),
    (
        "secrets",
        [{**LLM, "environment": {"HF_TOKEN": [SECRET]}}, {**LLM, "uid": "y", "enviroment": {"HF_TOKEN": SECRET}}, [{"HF_TOKEN": SECRET}]],
        {},
        [
            ("models[0] (uid 'x'): ", ["environment '********'", "'HF_TOKEN' has none"]),
            ("models[1] (uid 'y'): ", ["field 'enviroment' is unknown; did you mean 'environment'?"]),
            ("models[2]: ", ["is the list"]),
        ],
    ),
    (
        "several mistakes in check mode",
        [{**LLM, "replica": 0}, custom("audio", multilingual=GONE) | {"uid": "x"}],
        {"_ansible_check_mode": True},
        [
            ("models[0] (uid 'x'): ", ["replica '0'"]),
            ("models[1] (uid 'x'): ", ["registration.multilingual is missing"]),
            ("models[1] (uid 'x'): ", ["uid 'x' is already used by models[0]"]),
        ],
    ),
]


@pytest.mark.parametrize(("models", "more", "expected"), [pytest.param(*row[1:], id=row[0]) for row in PROCESSES])
def test_the_module_itself_refuses_before_it_connects(models: list[Any], more: dict[str, Any], expected: list[tuple[str, list[str]]], tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0.01)
        endpoint = f"http://127.0.0.1:{listener.getsockname()[1]}"
        code, answer, printed = run_module({"endpoint": endpoint, "username": "admin", "password": "x" * 9, "models": models, **more}, tmp_path)
        with pytest.raises(socket.timeout):
            listener.accept()
    assert code == 1
    assert answer["failed"] is True
    assert answer["msg"] == " ".join(answer["problems"])
    assert len(answer["problems"]) == len(expected)
    for sentence, (start, words) in zip(answer["problems"], expected):
        assert_clear(sentence, start, words)
    assert "Traceback" not in printed
    assert "exception" not in answer
    assert SECRET not in printed
    assert "changed" not in answer or answer["changed"] is False


def test_a_right_declaration_does_connect_and_a_dead_server_is_one_sentence(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    code, answer, printed = run_module({"endpoint": f"http://127.0.0.1:{port}", "models": [GOOD]}, tmp_path)
    assert code == 1
    assert "problems" not in answer
    assert f"http://127.0.0.1:{port}" in answer["msg"]
    assert answer["msg"].endswith(".")
    assert "Traceback" not in printed
