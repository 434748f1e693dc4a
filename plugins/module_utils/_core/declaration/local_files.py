# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The local files that a declared model names. Private to this collection."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any

from ..base.bounded import parse_json
from .gguf import whole_of
from .model import DeclaredModel
from .specification import chosen, file_names, local_path

__all__ = ["beside", "container_paths", "loaded_besides"]

#: Options that hold a text and no path, even where it begins with a slash.
_NO_PATHS = frozenset(
    {"chat_template", "system_prompt", "embd_sep", "cls_sep", "embd_out", "tensor_buft_overrides", "default_template_kwargs", "model_alias", "model_tags"}
)
#: Groups of such options.
_NO_PATH_GROUPS = ("sampling.",)
#: Directories of the container's own, which no volume holds.
_OWN = ("/tmp/", "/var/tmp/", "/dev/", "/proc/", "/sys/")  # noqa: S108 - compared, not written to
_GGUF = ".gguf"
#: Options whose files are weights.
_LOADED = re.compile(r"model|mmproj|mparams|draft|controlnet|encoder|vocoder|adapter|lora")


def _texts(value: Any, name: str) -> Iterator[tuple[str, str]]:
    """The texts in a value, each with where it stands."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from _texts(item, f"{name}.{key}")
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _texts(item, name)
    elif isinstance(value, str):
        yield name, value


def _like_paths(value: Any, name: str) -> Iterator[tuple[str, str]]:
    """The texts in a value that are local paths: absolute, of one line."""
    for place, text in _texts(value, name):
        path = local_path(text)
        if path is not None and text.isprintable() and path != "/" and not f"{path}/".startswith(_OWN):
            yield place, text


def _of_options(model: DeclaredModel) -> Iterator[tuple[str, str]]:
    """The engine options that name local files: of whatever engine, by their values."""
    for option, value in model.options.items():
        text_only = option in _NO_PATHS and not (option == "chat_template" and model.engine != "llama.cpp")
        if not text_only and not option.startswith(_NO_PATH_GROUPS):
            yield from _like_paths(value, f"engine_options.{option}")


def _of_registration(registration: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """The fields of a registration that may name a local file: each model_uri, also of a controlnet, and what configurations hold."""
    yield "registration.model_uri", registration.get("model_uri")
    specs = registration.get("model_specs")
    for spec in specs if isinstance(specs, list) else []:
        yield "registration.model_specs.model_uri", spec.get("model_uri") if isinstance(spec, Mapping) else None
    parts = registration.get("controlnet")
    for part in parts if isinstance(parts, list) else []:
        yield "registration.controlnet.model_uri", part.get("model_uri") if isinstance(part, Mapping) else None
    for name in ("default_model_config", "default_transcription_config", "launcher_args"):
        value = registration.get(name)
        if name == "launcher_args" and isinstance(value, str):
            try:
                value = parse_json(value)
            except ValueError:
                continue
        yield from _like_paths(value, f"registration.{name}")


def _folder(model: DeclaredModel) -> str | None:
    """The directory in which a server looks for what is named without a directory; None where it is one of its own."""
    path = model.given.get("path")
    if isinstance(path, str):
        return str(PurePosixPath(path).parent) if path.lower().endswith(_GGUF) else path
    uri = local_path(chosen(model.registration or {}, model.given, model.type).get("model_uri"))
    return None if uri is None or uri.lower().endswith(_GGUF) else uri


def beside(model: DeclaredModel) -> Iterator[tuple[str, str]]:
    """Files in the directory of a model that are named without it: the projector, and the GGUF files of a registration."""
    folder, projector = _folder(model), model.given.get("multimodal_projector")
    if folder is None:
        return
    if isinstance(projector, str) and not projector.startswith("/"):
        yield "multimodal_projector", str(PurePosixPath(folder, projector))
    spec = chosen(model.registration or {}, model.given, model.type)
    if model.given.get("path") is None and spec.get("model_format") == "ggufv2":
        for name in file_names(spec):
            yield "registration.model_specs.model_file_name_template", str(PurePosixPath(folder, name))


def _besides(model: DeclaredModel) -> Iterator[tuple[str, Any]]:
    """What is loaded together with the weights: projector, drafter, adapters."""
    yield "multimodal_projector", model.given.get("multimodal_projector")
    yield from _of_options(model)
    for adapter in model.given.get("peft_model_config", {}).get("lora_list") or []:
        yield "peft_model_config.lora_list.local_path", adapter.get("local_path")


def _named(model: DeclaredModel) -> Iterator[tuple[str, Any]]:
    """The fields of a model that may name a local file, and their values."""
    yield "path", model.given.get("path")
    yield from _of_registration(model.registration or {})
    yield from _besides(model)
    yield from beside(model)


def loaded_besides(model: DeclaredModel) -> list[tuple[str, str]]:
    """Files that a model loads besides its weights: field, and path inside the container."""
    # Other options name directories to write to, tokenizers and the like, which take no memory that counts.
    besides = ((name, value) for name, value in _besides(model) if not name.startswith("engine_options.") or _LOADED.search(name))
    found = [*besides, *(pair for pair in beside(model) if pair[0] == "multimodal_projector")]
    return [(name, path) for name, path in ((name, local_path(value)) for name, value in found) if path is not None]


def container_paths(models: Iterable[DeclaredModel]) -> list[tuple[str, str, str]]:
    """Local files that the declared models need, each part of a split one: (uid, field, path inside the container)."""
    found: list[tuple[str, str, str]] = []
    for model in models:
        if model.state == "present":
            plain = ((name, local_path(value)) for name, value in _named(model))
            found += [(model.uid, name, part) for name, path in plain if path is not None for part in whole_of(path)]
    return list(dict.fromkeys(found))
