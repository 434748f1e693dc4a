# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the files of each declared model are complete. Private to this collection."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

from ..base.bounded import parse_json
from ..base.messages import shown
from ..declaration.local_files import container_paths
from ..declaration.model import DeclaredModel
from ..observed.server_files import Files, ServerFiles
from ..plan.files import is_cached, wanted_files
from ..server.rows import CachedRow
from .finding import CRITICAL, Finding
from .weights import HEADER_BYTES, expected_bytes

__all__ = ["ModelFiles"]

_WEIGHTS = (".gguf", ".safetensors", ".bin", ".pt", ".pth", ".onnx")
_INDEX = ".safetensors.index.json"
_INDEX_BYTES = 4 << 20
#: Bytes that most headers fit into.
_FIRST_BYTES = 1 << 20
#: Files of weights whose headers are read, and seconds for all of them: the container can put there as many as it likes.
_MOST_FILES, _SECONDS = 2000, 60.0
#: Bytes from which a file can be weights, whatever its name is.
_SOME_BYTES = 64 << 10
#: Names of the files that hubs keep by their SHA-256.
_SHA256 = re.compile(r"[0-9a-f]{64}")
_REMOVE = "Delete them with module cached_models and provision, which downloads them again; copy files of yours again."
_MEANING = "The model does not load, or answers nonsense."


@dataclass
class ModelFiles:
    """Checks the files of models.

    :param server_files: the server's files, as far as this host sees them.
    :param checksums: whether files whose name is their SHA-256 are read whole and compared with it, which takes seconds for each GiB.
    :param known: path that links lead to → what is wrong with the file; models share files.
    :param left_out: how many files of weights were not read, because it took too long.
    :param until: when no further file is read, by the monotonic clock.
    """

    server_files: ServerFiles
    checksums: bool = False
    known: dict[str, str] = field(default_factory=dict)
    left_out: int = 0
    until: float = field(default_factory=lambda: time.monotonic() + _SECONDS)

    def check(self, models: Sequence[DeclaredModel], cached: Sequence[CachedRow] | None) -> tuple[list[Finding], list[str]]:
        """What is wrong with the files of the models that are to run, and the models whose files a hub must give first.

        :param models: as declared.
        :param cached: what the server has of hubs' files; None where it does not say.
        """
        found: list[Finding] = []
        missing: list[str] = []
        for model in models:
            if model.state != "present":
                continue
            found += [self._named(model, name, path) for _uid, name, path in container_paths([model]) if self.server_files.has(path) is False]
            paths = [path for _uid, name, path in container_paths([model]) if name in ("path", "registration.model_uri", "registration.model_specs.model_uri")]
            if cached is not None and wanted_files(model):
                rows = [row for row in cached if is_cached(model, [row])]
                paths += [str(row.get("real_path") or row.get("path") or "") for row in rows]
                if not rows:
                    missing.append(model.uid)
            problems = [problem for path in dict.fromkeys(filter(None, paths)) for problem in self._complete(path)]
            if problems:
                more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
                seen = f"Files of model '{model.uid}' are not complete: {problems[0]}{more}."
                found.append(Finding("files", CRITICAL, model.uid, seen, _MEANING, _REMOVE))
        return found, missing

    @staticmethod
    def _named(model: DeclaredModel, name: str, path: str) -> Finding:
        """A file that a declaration names and that is not there."""
        seen = f"Model '{model.uid}': {name} names '{shown(path)}', which the container does not find."
        return Finding("files", CRITICAL, model.uid, seen, "The model cannot be launched again.", "Put the file there, or correct the declaration.")

    def _complete(self, path: str) -> list[str]:
        """What is wrong with what lies at a path of the container, a part of a sentence each."""
        files = self.server_files.files(path)
        if files is None:
            return []
        problems = [f"{shown(name)} {words}" for name, words in files.broken.items()]
        weights = [name for name in files.sizes if (name or path).lower().endswith(_WEIGHTS)]
        if not weights and not problems and max(files.sizes.values(), default=0) < _SOME_BYTES:
            problems.append(f"'{shown(path)}' holds no weights")
        for name in weights:
            wrong = self._weights(str(PurePosixPath(path, name)), files.sizes[name])
            if wrong:
                problems.append(f"{shown(name or PurePosixPath(path).name)} {wrong}")
        return problems + self._not_in_directory(path, files)

    def _not_in_directory(self, path: str, files: Files) -> list[str]:
        """Parts of a model that its index names and that are not there."""
        problems = []
        for name in files.sizes:
            if not name.endswith(_INDEX):
                continue
            try:
                index: Any = parse_json(self.server_files.beginning(str(PurePosixPath(path, name)), _INDEX_BYTES).decode("utf-8"))
            except ValueError:
                problems.append(f"{shown(name)} is no JSON")
                continue
            places = index.get("weight_map") if isinstance(index, Mapping) else None
            wanted = {str(part) for part in places.values()} if isinstance(places, Mapping) else set()
            there = {str(PurePosixPath(name).parent / part) for part in wanted} - set(files.sizes) - set(files.broken)
            problems += [f"{shown(part)} is missing" for part in sorted(there)]
        return problems

    def _weights(self, path: str, size: int) -> str:
        """What is wrong with one file of weights; empty where nothing is, or nothing is known."""
        try:
            end = self.server_files.followed(path) or path
        except OSError:
            return ""
        # Of a cache of a hub, only the link has the ending.
        if end not in self.known:
            if len(self.known) >= _MOST_FILES or (not self.checksums and time.monotonic() > self.until):
                self.left_out += 1
                return ""
            self.known[end] = self._header(path, size) or self._checksum(end)
        return self.known[end]

    def _header(self, path: str, size: int) -> str:
        """What is wrong with a file by its header."""
        if size == 0:
            return "is empty"
        expected: int | None = None
        for limit in (_FIRST_BYTES, HEADER_BYTES):
            content = self.server_files.beginning(path, limit)
            if not content:
                return ""
            try:
                expected = expected_bytes(path, content)
            except (ValueError, RecursionError) as error:
                if len(content) < limit or limit == HEADER_BYTES:
                    return f"is damaged: {error}" if len(content) < HEADER_BYTES else ""
                continue
            break
        return "" if expected is None or size >= expected else f"has {size} bytes, and by its header it should have {expected}"

    def _checksum(self, path: str) -> str:
        """What is wrong with a file that is named by its SHA-256."""
        name = PurePosixPath(path).name
        if not self.checksums or not _SHA256.fullmatch(name):
            return ""
        digest = self.server_files.sha256(path)
        return "" if digest in ("", name) else f"has SHA-256 {digest}, and the hub named it {name}"
