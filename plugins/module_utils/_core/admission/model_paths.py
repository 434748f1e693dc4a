# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the server's container sees the local files of declared models. Private to this collection."""

from __future__ import annotations

import stat
from collections.abc import Iterable, Mapping
from pathlib import PurePosixPath
from types import MappingProxyType

from ..base.messages import called, shown
from ..declaration.local_files import beside, container_paths
from ..declaration.model import DeclaredModel
from ..observed.server_files import ServerFiles

__all__ = ["check_paths", "path_problems"]

#: Fields whose directory is loaded as a whole.
_FOLDERS = ("path", "model_uri", "local_path")
#: Links inside a directory that are named at once.
_MOST_LINKS = 3


def _check_path(server_files: ServerFiles, path: str) -> tuple[int, str]:
    """What lies at a path of the container, as a file mode, and what is wrong with it; 0 and an empty text for what this host may not read."""
    try:
        end = server_files.followed(path)
    except OSError:
        return 0, ""
    if end is None:
        return 0, "is a link that leads back to itself"
    link = f"is a link to '{shown(end)}', which " if end != str(PurePosixPath(path)) else ""
    try:
        found = server_files.status(end)
    except (FileNotFoundError, NotADirectoryError):
        return 0, f"{link}does not exist; on this host it would be {shown(server_files.on_host(end))}"
    except OSError:
        return 0, ""
    if found is None:
        return 0, f"{link}lies in no directory that the server's container sees; these are {', '.join(sorted(server_files.mounts))}"
    return found.st_mode, ""


def _check_kind(model: DeclaredModel, mode: int) -> str:
    """Whether an engine finds a file where it wants one, or a directory.

    :param mode: file mode of what is there.
    """
    engine = model.engine
    if engine == "llama.cpp" and model.type == "LLM":
        return "is a directory, but engine llama.cpp wants the GGUF file itself" if stat.S_ISDIR(mode) else ""
    wants_folder = model.type in ("LLM", "embedding", "rerank")
    return "is a file, but the server wants the directory of the model" if wants_folder and stat.S_ISREG(mode) else ""


def _check_links(server_files: ServerFiles, path: str) -> str:
    """Which links in the directory of a model lead to nothing, as a part of a sentence. What is hidden, such as the metadata of a download, is not loaded."""
    files = server_files.files(path)
    broken = sorted((name, where) for name, where in files.broken.items() if not f"/{name}".count("/.")) if files is not None else []
    if not broken:
        return ""
    named = "; ".join(f"'{shown(name)}' {shown(where)}" for name, where in broken[:_MOST_LINKS])
    return f"holds {len(broken)} {'link' if len(broken) == 1 else 'links'} to nothing: {named}{' …' if len(broken) > _MOST_LINKS else ''}"


def path_problems(model: DeclaredModel, server_files: ServerFiles) -> list[tuple[str, str, str]]:
    """Local files of a model that the server's container cannot see, or that are not there: field, path, and what is wrong as a part of a sentence.

    :param server_files: the directories that the container sees; where none are known, nothing is checked.
    """
    if not server_files.mounts:
        return []
    problems: list[tuple[str, str, str]] = []
    # Of these, the very files are known; the directory may hold other models, too.
    known = any(name.endswith("model_file_name_template") for name, _path in beside(model))
    for _uid, name, path in container_paths([model]):
        mode, wrong = _check_path(server_files, path)
        if not wrong and name == "path":
            wrong = _check_kind(model, mode)
        if not wrong and stat.S_ISDIR(mode) and name.endswith(_FOLDERS) and (name == "path" or not known):
            wrong = _check_links(server_files, path)
        if wrong:
            problems.append((name, path, wrong))
    return problems


def check_paths(models: Iterable[DeclaredModel], server_files: ServerFiles, names: Mapping[str, str] = MappingProxyType({})) -> list[str]:
    """One sentence for each local file that the server's container cannot see, or that is not there.

    :param models: those that are about to be launched or registered.
    :param server_files: the directories that the container sees; where none are known, nothing is checked.
    :param names: what options are called, as of :func:`~.base.messages.called`.
    """
    return [
        f"{called('models', names)} (uid '{model.uid}'): {name} '{path}' {wrong}."
        for model in models
        for name, path, wrong in path_problems(model, server_files)
    ]
