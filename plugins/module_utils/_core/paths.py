# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Local files of declared models, and whether the server's container sees them. Private to this collection."""

from __future__ import annotations

import stat
from collections.abc import Iterable, Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import unquote

from .declared import DeclaredModel
from .home import Home

__all__ = ["check_paths", "container_paths"]

_FILE = "file://"
#: Options of llama.cpp that name a file.
_OPTIONS = ("draft_model_path", "mmproj.path", "speculative.draft.mparams.path")


def _plain(uri: Any) -> str | None:
    """The path that a URI stands for; None when it is not local. A server decodes the %20 of a URI, and of nothing else."""
    if not isinstance(uri, str):
        return None
    if uri.startswith(f"{_FILE}/"):
        return unquote(uri[len(_FILE) :])
    return uri if uri.startswith("/") else None


def _named(model: DeclaredModel) -> Iterator[tuple[str, Any]]:
    """The fields of a model that may name a local file, and their values."""
    given = model.given
    yield "path", given.get("path")
    registration = model.registration or {}
    yield "registration.model_uri", registration.get("model_uri")
    specs = registration.get("model_specs")
    for spec in specs if isinstance(specs, list) else []:
        yield "registration.model_specs.model_uri", spec.get("model_uri") if isinstance(spec, Mapping) else None
    yield "multimodal_projector", given.get("multimodal_projector")
    for option in _OPTIONS:
        yield f"engine_options.{option}", model.options.get(option)
    for adapter in given.get("peft_model_config", {}).get("lora_list") or []:
        yield "peft_model_config.lora_list.local_path", adapter.get("local_path")


def container_paths(models: Iterable[DeclaredModel]) -> list[tuple[str, str, str]]:
    """Local files that the declared models need: (uid, field, path inside the container)."""
    found: list[tuple[str, str, str]] = []
    for model in models:
        if model.state == "present":
            plain = ((model.uid, name, _plain(value)) for name, value in _named(model))
            found += [(uid, name, path) for uid, name, path in plain if path is not None]
    return found


def _check_path(home: Home, path: str) -> tuple[int, str]:
    """What lies at a path of the container, as a file mode, and what is wrong with it; 0 and an empty text for what this host may not look at."""
    try:
        end = home.followed(path)
    except OSError:
        return 0, ""
    if end is None:
        return 0, "is a link that leads back to itself"
    link = f"is a link to '{end}', which " if end != str(PurePosixPath(path)) else ""
    try:
        found = home.look(end)
    except (FileNotFoundError, NotADirectoryError):
        return 0, f"{link}does not exist; on this host it would be {home.on_host(end)}"
    except OSError:
        return 0, ""
    if found is None:
        return 0, f"{link}lies in no folder that the server's container sees; these are {', '.join(sorted(home.mounts))}"
    return found.st_mode, ""


def _check_kind(model: DeclaredModel, mode: int) -> str:
    """Whether an engine finds a file where it wants one, or a folder.

    :param mode: file mode of what is there.
    """
    engine = str(model.given.get("engine", "")).lower()
    if engine == "llama.cpp" and model.type == "LLM":
        return "is a folder, but engine llama.cpp wants the GGUF file itself" if stat.S_ISDIR(mode) else ""
    wants_folder = model.type in ("LLM", "embedding", "rerank")
    return "is a file, but the server wants the folder of the model" if wants_folder and stat.S_ISREG(mode) else ""


def check_paths(models: Iterable[DeclaredModel], home: Home) -> list[str]:
    """One sentence for each local file that the server's container cannot see, or that is not there.

    :param models: those that are about to be launched or registered.
    :param home: the folders that the container sees; where none are known, nothing is said.
    """
    if not home.mounts:
        return []
    problems: list[str] = []
    for model in models:
        for uid, name, path in dict.fromkeys(container_paths([model])):
            mode, wrong = _check_path(home, path)
            if not wrong and name == "path":
                wrong = _check_kind(model, mode)
            if wrong:
                problems.append(f"models (uid '{uid}'): {name} '{path}' {wrong}.")
    return problems
