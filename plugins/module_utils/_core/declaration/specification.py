# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Registrations of custom models: what they must hold, and how two of them differ. Private to this collection."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any
from urllib.parse import unquote

from ..base.bounded import parse_json
from ..base.compare import same_choice, same_size
from ..base.messages import is_place, nearest, not_whole, other_spelling, out_of_range, shown

__all__ = ["CUSTOM_TYPES", "check_registration", "chosen", "file_names", "local_path", "registration_drift", "uris"]

#: Types for which a server takes registrations.
CUSTOM_TYPES = ("LLM", "embedding", "rerank", "image", "audio", "flexible")
_FILE = "file://"
_BAD_NAME = re.compile(r"[+/\\?%#&=\s]")
_SIZE_FIELDS = frozenset({"model_size_in_billions", "activated_size_in_billions"})
#: A server takes whole numbers, and fractions with an underscore only.
_SIZE = re.compile(r"\d+(_\d+)?", re.ASCII)
#: Fields without which a server refuses a registration, by type; those of each specification stand apart.
_NEEDED = {
    "LLM": ("model_lang", "model_ability", "model_family", "model_specs"),
    "embedding": ("dimensions", "max_tokens", "language", "model_specs"),
    "rerank": ("language", "model_specs"),
    "image": ("model_family",),
    "audio": ("model_family", "multilingual"),
    "flexible": ("launcher",),
}
#: What each of them is.
_WORDS = {
    "model_specs": "it is the list of the files that the model is made of",
    "model_ability": "it is a list such as [chat] or [generate]",
    "model_lang": "it is a list of languages such as [en]",
    "language": "it is a list of languages such as [en]",
    "dimensions": "it is the length of the vectors",
    "max_tokens": "it is the longest input in tokens",
    "model_family": "it is a family of the server's catalogue whose code fits the model, or for type LLM the model's own name",
    "multilingual": "it is true or false",
    "model_format": "it is the format of the files, such as ggufv2 or pytorch",
    "model_size_in_billions": "it is a whole number of billions, or a fraction such as '0_6'",
    "quantization": "it is a text such as Q4_K_M, or none for weights that are not quantized",
    "launcher": "it is the path of the Python function that loads the model",
}
_NEEDED_OF_SPEC = {
    "LLM": ("model_format", "model_size_in_billions", "quantization"),
    "embedding": ("model_format", "quantization"),
    "rerank": ("model_format",),
}
#: Formats of the files, by type; servers compare them letter by letter.
_FORMATS = {
    "LLM": ("ggufv2", "pytorch", "gptq", "awq", "fp4", "fp8", "bnb", "mlx"),
    "embedding": ("pytorch", "ggufv2"),
    "rerank": ("pytorch", "ggufv2"),
}
_ABILITIES = {
    "LLM": ("generate", "chat", "tools", "vision", "audio", "omni", "reasoning", "hybrid", "embed"),
    "embedding": ("embed_vision", "embed_video", "embed_audio", "vision", "video", "audio"),
    "rerank": ("rerank_vision", "rerank_video", "rerank_audio", "vision", "video", "audio"),
}
_SHARED = ("version", "model_name", "model_description", "model_ability", "cache_config", "virtualenv", "is_builtin")
_FILES = ("model_id", "model_hub", "model_uri", "model_revision")
#: Fields that a server reads; it keeps others and ignores them in silence.
_KNOWN: dict[str, tuple[str, ...]] = {
    "LLM": (
        *(*_SHARED, "context_length", "model_lang", "model_family", "model_specs", "chat_template", "stop_token_ids", "stop", "architectures"),
        *("reasoning_start_tag", "reasoning_end_tag", "tool_parser"),
    ),
    "embedding": (*_SHARED, "dimensions", "max_tokens", "language", "model_specs"),
    "rerank": (*_SHARED, "language", "model_specs", "type", "max_tokens"),
    "image": (
        *(*_SHARED, *_FILES, "model_family", "controlnet", "default_model_config", "default_generate_config", "gguf_model_id", "gguf_quantizations"),
        *("gguf_model_file_name_template", "lightning_model_id", "lightning_versions", "lightning_model_file_name_template"),
    ),
    "audio": (
        *(*_SHARED, *_FILES, "model_family", "multilingual", "language", "model_lang", "default_model_config", "default_transcription_config"),
        *("engine", "model_format", "quantization", "cache_name"),
    ),
    "flexible": (*_SHARED, *_FILES, "launcher", "launcher_args"),
}
_KNOWN_OF_SPEC = (
    *(*_FILES, "model_format", "model_size_in_billions", "activated_size_in_billions", "quantization", "model_file_name_template", "model_metadata"),
    *("model_file_name_split_template", "quantization_parts", "multimodal_projectors", "multimodal_projector", "draft_model_id", "draft_quantizations"),
    *("draft_model_file_name_template", "draft_model_revision"),
)
#: How alike a field must be to a known one to be taken for a misspelling of it, and not for one of a newer server.
_ALIKE = 0.85
_LISTS = ("model_lang", "model_ability", "language", "stop", "architectures")
_TEXTS = ("chat_template", "model_description", "model_family", "launcher", "launcher_args", "tool_parser", "reasoning_start_tag", "reasoning_end_tag")


def _same(name: str, wanted: Any, actual: Any) -> bool:
    """Whether a declared value is there; the server adds fields with its defaults, which nobody declared."""
    if wanted is None or actual is None:
        return wanted is None and actual is None
    if name in _SIZE_FIELDS:
        return same_size(wanted, actual)
    if isinstance(wanted, Mapping):
        return isinstance(actual, Mapping) and all(_same(key, value, actual.get(key)) for key, value in wanted.items())
    if isinstance(wanted, Sequence) and not isinstance(wanted, str):
        if not isinstance(actual, Sequence) or isinstance(actual, str) or len(wanted) != len(actual):
            return False
        return all(_same("", one, other) for one, other in zip(wanted, actual))
    return bool(wanted == actual)


def registration_drift(wanted: Mapping[str, Any], actual: Mapping[str, Any], last: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Fields in which a registration differs from its declaration: field → {declared, running}.

    :param wanted: as declared.
    :param actual: as the server has it, with its defaults filled in.
    :param last: as it was declared when we registered it; a field of it that is declared no more is a difference, too.
    """
    found: dict[str, Any] = {}
    for name, value in wanted.items():
        # The number of the format of specifications, not of this one.
        if name == "version" and name not in actual:
            continue
        if not _same(name, value, actual.get(name)):
            found[name] = {"declared": value, "running": actual.get(name)}
    for name in last or {}:
        if name not in wanted and actual.get(name) is not None and _same(name, (last or {})[name], actual.get(name)):
            found[name] = {"declared": None, "running": actual.get(name)}
    return found


def fitting(specification: Mapping[str, Any], given: Mapping[str, Any], model_type: str) -> list[Mapping[str, Any]]:
    """The entries of model_specs that a server may take for a model; the specification itself where it has none.

    :param given: fields of the model: format, size_in_billions and quantization choose.
    """
    specs = specification.get("model_specs")
    entries = [spec for spec in specs if isinstance(spec, Mapping)] if isinstance(specs, list) else []
    if not entries:
        return [specification]
    return [
        spec
        for spec in entries
        if all(
            given.get(name) is None or spec.get(key) is None or same_choice(name, given[name], spec[key], model_type)
            for name, key in (("format", "model_format"), ("size_in_billions", "model_size_in_billions"), ("quantization", "quantization"))
        )
    ]


def chosen(specification: Mapping[str, Any], given: Mapping[str, Any], model_type: str) -> Mapping[str, Any]:
    """The first of :func:`fitting`, which a server takes; nothing where none fits."""
    return next(iter(fitting(specification, given, model_type)), {})


def local_path(uri: Any) -> str | None:
    """The path that a URI stands for; None when it is not local. A server decodes the %20 of a URI, and of nothing else."""
    if not isinstance(uri, str):
        return None
    if uri.startswith(f"{_FILE}/"):
        return unquote(uri[len(_FILE) :])
    return uri if uri.startswith("/") else None


def file_names(spec: Mapping[str, Any]) -> list[str]:
    """Names of the GGUF files of an entry of model_specs, one for each part where it names them."""
    quantization, parts = str(spec.get("quantization")), spec.get("quantization_parts")
    numbers = parts.get(spec.get("quantization")) if isinstance(parts, Mapping) else None
    split, template = spec.get("model_file_name_split_template"), spec.get("model_file_name_template")
    if isinstance(split, str) and split and isinstance(numbers, list) and numbers:
        return [split.replace("{quantization}", quantization).replace("{part}", str(number)) for number in numbers]
    return [template.replace("{quantization}", quantization)] if isinstance(template, str) and template else []


def uris(specification: Mapping[str, Any]) -> list[str]:
    """The places of the files that a registration names, itself or in its specifications."""
    specs = specification.get("model_specs")
    holders = [specification, *(spec for spec in specs if isinstance(spec, Mapping))] if isinstance(specs, list) else [specification]
    return [str(holder["model_uri"]) for holder in holders if holder.get("model_uri")]


def _ended(text: str) -> str:
    """A text with the mark that ends it."""
    return text if text.endswith("?") else text + "."


def check_registration(model_type: str, name: Any, specification: Any, *, strict: bool = True) -> list[str]:
    """What is wrong with a registration, as texts that begin with the field.

    :param model_type: type of the model.
    :param name: its name; None when the declaration lacks one, which is reported elsewhere.
    :param specification: as declared, of any type.
    :param strict: also refuse fields that look misspelt.
    """
    if model_type not in CUSTOM_TYPES:
        return [f"registration is not possible for type {model_type}; the server takes custom models of type {', '.join(CUSTOM_TYPES)}."]
    if not isinstance(specification, Mapping):
        return [f"registration '{shown(specification)}' must be a dictionary."]
    problems = [*_check_name(name, specification), *_check_fields(model_type, specification)]
    if strict:
        of_spec = _KNOWN_OF_SPEC if "model_specs" in _KNOWN[model_type] else ()
        problems += _misspelt("registration", specification, _KNOWN[model_type], of_spec, "the entries of registration.model_specs")
    specs = specification.get("model_specs")
    if specs is not None and not isinstance(specs, list):
        problems.append(f"registration.model_specs '{shown(specs)}' must be a list of dictionaries.")
    for index, spec in enumerate(specs if isinstance(specs, list) else []):
        problems += _check_spec(model_type, f"registration.model_specs[{index}]", spec, strict)
    if model_type in ("image", "audio") and not specification.get("model_uri") and not specification.get("model_id"):
        problems.append("registration names no files; give model_uri, a path as the server sees it, or model_id, a repository of a hub.")
    if model_type not in _NEEDED_OF_SPEC:
        problems += _check_uri("registration", specification)
    if model_type == "LLM":
        problems += _check_template(name, specification)
    return problems


def _misspelt(label: str, given: Mapping[str, Any], known: Collection[str], elsewhere: Collection[str], place: str) -> list[str]:
    """Fields that look like others, or stand in the wrong place; a server keeps and ignores them."""
    problems: list[str] = []
    for key in given:
        if key in known:
            continue
        hint = nearest(str(key), known, _ALIKE)
        meant = other_spelling(str(key), elsewhere)
        if meant is not None and (meant == key or not hint):
            reason = "has no effect there; it" if meant == key else f"is unknown; did you mean '{meant}'? It"
            problems.append(f"{label}.{shown(key)} {reason} belongs into {place}.")
        elif hint:
            problems.append(f"{label}.{shown(key)} is unknown, and the server would ignore it in silence{hint}")
        elif known is _KNOWN_OF_SPEC:
            # Elsewhere a server keeps what it does not know; here it drops it, and the registration would differ for ever.
            problems.append(f"{label}.{shown(key)} is unknown, and the server would drop it; allowed are {', '.join(known)}.")
    return problems


def _check_name(name: Any, specification: Mapping[str, Any]) -> list[str]:
    """What is wrong with the name of a custom model."""
    problems: list[str] = []
    if name in (".", ".."):
        problems.append(f"name '{name}' of a custom model must not be a step in a path; the server makes a file of this name.")
    if isinstance(name, str) and _BAD_NAME.search(name):
        problems.append(f"name '{shown(name)}' of a custom model must not contain white space or any of + / \\ ? % # & =.")
    given = specification.get("model_name")
    if given is not None and name is not None and given != name:
        problems.append(f"registration.model_name '{shown(given)}' differs from name '{name}'; leave it out.")
    return problems


def _check_fields(model_type: str, specification: Mapping[str, Any]) -> list[str]:
    """Fields that are missing or of a wrong kind."""
    problems = [f"registration.{key} is missing; {_WORDS[key]}." for key in _NEEDED[model_type] if specification.get(key) in (None, "", [])]
    version = specification.get("version", 2)
    if version is not None and (version != 2 or isinstance(version, (bool, float))):
        problems.append(f"registration.version '{shown(version)}' must be 2, the number of the format; leave it out.")
    for key in _LISTS:
        value = specification.get(key)
        # The language of an audio model is a single one.
        if value is None or (key == "language" and model_type == "audio" and isinstance(value, str)):
            continue
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            problems.append(f"registration.{key} '{shown(value)}' must be a list of texts.")
        elif key == "model_ability" and model_type in _ABILITIES:
            known = _ABILITIES[model_type]
            wrong = [item for item in value if item not in known]
            problems += [_ended(f"registration.model_ability '{shown(item)}' is not one of {', '.join(known)}{nearest(item, known, 0.7)}") for item in wrong]
    for key in _TEXTS:
        value = specification.get(key)
        if value is not None and not isinstance(value, str):
            problems.append(f"registration.{key} '{shown(value)}' must be a text.")
    template = specification.get("chat_template")
    if isinstance(template, str) and is_place(template):
        problems.append(
            f"registration.chat_template '{shown(template)}' names a file, but must be the template itself, such as the lookup 'file' of Ansible reads it."
        )
    for key in ("dimensions", "max_tokens", "context_length"):
        value = specification.get(key)
        wrong_number = "" if value is None else not_whole(value, 1)
        if wrong_number:
            problems.append(f"registration.{key} '{shown(value)}' {wrong_number}.")
    ids = specification.get("stop_token_ids")
    if ids is not None and (not isinstance(ids, list) or any(out_of_range(item, 0) for item in ids)):
        problems.append(f"registration.stop_token_ids '{shown(ids)}' must be a list of whole numbers.")
    multilingual = specification.get("multilingual")
    if multilingual is not None and not isinstance(multilingual, bool):
        problems.append(f"registration.multilingual '{shown(multilingual)}' must be true or false.")
    return problems + _check_structures(specification)


def _check_structures(specification: Mapping[str, Any]) -> list[str]:
    """Fields that hold more than one value."""
    problems: list[str] = []
    environment = specification.get("virtualenv")
    packages = environment.get("packages") if isinstance(environment, Mapping) else None
    if environment is not None and (not isinstance(packages, list) or not all(isinstance(item, str) for item in packages)):
        problems.append(f"registration.virtualenv '{shown(environment)}' must be a dictionary with packages, a list of texts.")
    arguments = specification.get("launcher_args")
    if isinstance(arguments, str) and arguments:
        try:
            parse_json(arguments)
        except ValueError:
            problems.append(f"registration.launcher_args '{shown(arguments)}' must be JSON, such as '{{\"task\": \"x\"}}'.")
    return problems


def _check_template(name: Any, specification: Mapping[str, Any]) -> list[str]:
    """A model that chats needs a template; without one, the server takes the very name of the family as its text."""
    ability, family = specification.get("model_ability"), specification.get("model_family")
    if not isinstance(ability, list) or not isinstance(family, str) or family != name:
        return []
    problems: list[str] = []
    if "chat" in ability and not specification.get("chat_template"):
        problems.append(
            "registration.chat_template is missing; the model can chat, so give its template, or as model_family one of the catalogue that has a template."
        )
    for one in ("tools", "vision"):
        if one in ability:
            problems.append(f"registration.model_family '{shown(family)}' must be a family of the server's catalogue with {one}, for which model_ability asks.")
    return problems


def _check_uri(label: str, holder: Mapping[str, Any]) -> list[str]:
    """What is wrong with the place of the files."""
    uri = holder.get("model_uri")
    if uri is None:
        return []
    if not isinstance(uri, str) or not uri.startswith(("/", "file:///", "oci://")):
        return [f"{label}.model_uri '{shown(uri)}' must be an absolute path as the server sees it, with or without file:// before it."]
    if not uri.isprintable():
        return [f"{label}.model_uri '{shown(uri)}' must not contain line breaks or invisible characters."]
    if ".." in uri.split("/"):
        return [f"{label}.model_uri '{shown(uri)}' must not contain '..'; write the path without it."]
    if uri.startswith("file:") and ("#" in uri or "?" in uri):
        return [f"{label}.model_uri '{shown(uri)}' must not contain # or ? after file://, where the server cuts it; write the plain path."]
    return []


def _check_spec(model_type: str, label: str, spec: Any, strict: bool) -> list[str]:
    """What is wrong with one entry of model_specs."""
    if not isinstance(spec, Mapping):
        return [f"{label} '{shown(spec)}' must be a dictionary."]
    form = spec.get("model_format")
    needed = _NEEDED_OF_SPEC.get(model_type, ())
    if form == "ggufv2" and model_type == "rerank":
        needed = (*needed, "quantization")
    problems = [f"{label}.{key} is missing; {_WORDS[key]}." for key in needed if spec.get(key) in (None, "")]
    formats = _FORMATS.get(model_type, ())
    if formats and form not in (None, "") and form not in formats:
        problems.append(_ended(f"{label}.model_format '{shown(form)}' is not one of {', '.join(formats)}{nearest(shown(form), formats)}"))
    if not spec.get("model_uri") and not spec.get("model_id"):
        problems.append(f"{label} names no files; give model_uri, a path as the server sees it, or model_id, a repository of a hub.")
    if form == "ggufv2" and not spec.get("model_file_name_template"):
        problems.append(f"{label}.model_file_name_template is missing; it is the name of the GGUF file.")
    hub = spec.get("model_hub")
    if hub not in (None, "huggingface"):
        problems.append(f"{label}.model_hub '{shown(hub)}' must be huggingface or left out; the server finds no engine for a custom model of another hub.")
    problems += _check_values(label, spec)
    problems += _misspelt(label, spec, _KNOWN_OF_SPEC, _KNOWN[model_type], "registration itself") if strict else []
    return problems + _check_uri(label, spec)


def _check_values(label: str, spec: Mapping[str, Any]) -> list[str]:
    """Sizes, quantization and file names of one entry of model_specs."""
    problems: list[str] = []
    for key in sorted(_SIZE_FIELDS):
        size = spec.get(key)
        if size in (None, ""):
            continue
        fits = isinstance(size, (int, str)) and not isinstance(size, bool) and _SIZE.fullmatch(shown(size)) and float(shown(size).replace("_", ".")) > 0
        if not fits:
            fraction = isinstance(size, (float, str)) and re.fullmatch(r"\d+\.\d+", shown(size), re.ASCII)
            hint = f"; did you mean '{shown(size).replace('.', '_')}'?" if fraction else ""
            problems.append(_ended(f"{label}.{key} '{shown(size)}' must be a whole number of billions, or a fraction such as '0_6'{hint}"))
    for key in ("quantization", "model_file_name_template", "model_id", "model_revision"):
        value = spec.get(key)
        if value is not None and not isinstance(value, str):
            problems.append(f"{label}.{key} '{shown(value)}' must be a text.")
    repository = spec.get("model_id")
    if isinstance(repository, str) and local_path(repository) is not None:
        problems.append(f"{label}.model_id '{shown(repository)}' must be a repository of a hub; a path belongs into model_uri.")
    projectors = spec.get("multimodal_projectors")
    if projectors is not None and (not isinstance(projectors, list) or not all(isinstance(item, str) for item in projectors)):
        problems.append(f"{label}.multimodal_projectors '{shown(projectors)}' must be a list of texts.")
    return problems
