# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Local files of declared models, and whether the server's container sees them. Private to this collection."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import unquote

from .declared import DeclaredModel
from .home import Home

__all__ = ["check_paths", "container_paths"]

_FILE = "file://"
#: Options of llama.cpp that name a file.
_OPTIONS = ("draft_model_path", "mmproj.path", "speculative.draft.mparams.path")
#: Links that a kernel follows before it gives up.
_MOST_LINKS = 40


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


def _followed(home: Home, path: str) -> str | None:
    """Where a path of the container leads when its links are followed there; None when they go round in circles."""
    inside = PurePosixPath("/")
    steps = deque(PurePosixPath(path).parts[1:])
    links = 0
    while steps:
        step = steps.popleft()
        here = inside.parent if step == ".." else inside / step
        place = home.on_host(str(here))
        # What is mounted was followed on this host, when the container was made.
        if place is None or str(here) in home.mounts or not place.is_symlink():
            inside = here
            continue
        links += 1
        if links > _MOST_LINKS:
            return None
        # From the root on, which has one slash or two where the target is absolute.
        steps.extendleft(reversed((inside / place.readlink()).parts[1:]))
        inside = PurePosixPath("/")
    return str(inside)


def _check_path(home: Home, path: str) -> tuple[Path | None, str]:
    """Where a path lies on this host, and what is wrong with it; an empty text for one that is there, or that this host may not look at."""
    try:
        end = _followed(home, path)
        if end is None:
            return None, "is a link that leads back to itself"
        link = f"is a link to '{end}', which " if end != str(PurePosixPath(path)) else ""
        place = home.on_host(end)
        if place is None:
            return None, f"{link}lies in no folder that the server's container sees; these are {', '.join(sorted(home.mounts))}"
    except OSError:
        return None, ""
    try:
        place.lstat()
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return None, f"{link}does not exist; on this host it would be {place}"
    except OSError:
        return None, ""
    return place, ""


def _check_kind(model: DeclaredModel, place: Path) -> str:
    """Whether an engine finds a file where it wants one, or a folder."""
    engine = str(model.given.get("engine", "")).lower()
    if engine == "llama.cpp" and model.type == "LLM":
        return "is a folder, but engine llama.cpp wants the GGUF file itself" if place.is_dir() else ""
    wants_folder = model.type in ("LLM", "embedding", "rerank")
    return "is a file, but the server wants the folder of the model" if wants_folder and place.is_file() else ""


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
            place, wrong = _check_path(home, path)
            if place is not None and name == "path":
                wrong = _check_kind(model, place)
            if wrong:
                problems.append(f"models (uid '{uid}'): {name} '{path}' {wrong}.")
    return problems
