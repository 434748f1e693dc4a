# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a snapshot holds: which files, and the manifest that names each of them. Private to this collection.

A snapshot is a directory with ``manifest.json``, ``home/…`` (files of the server, by their path in its home) and ``host/…`` (files of the roles).
"""

from __future__ import annotations

import fnmatch
import hashlib
import json
import os
import re
import stat
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from ..base.bounded import NameLimit, entries_below, is_name, parse_json, read_bytes
from ..base.errors import XinferenceError
from ..base.messages import one_line, shown

__all__ = [
    "FORMAT",
    "HOME_PATTERNS",
    "HOST_FILES",
    "MANIFEST",
    "MOST_BYTES",
    "MOST_FILES",
    "MOST_MODEL_FILES",
    "STALE",
    "WORK",
    "BackupError",
    "File",
    "Manifest",
    "described",
    "is_kept",
    "parse_manifest",
    "sentence",
    "verify",
]

#: Number of the form of a snapshot; a newer one is refused.
FORMAT = 1
MANIFEST = "manifest.json"
#: The server's files that cannot be downloaded again, from its home on: accounts with their keys, autostart and launch history, settings, registrations.
HOME_PATTERNS = ["auth/*", "launch_history.db", "monitor_config.db", "token_routers.db", "system-settings.json", "model/**.json"]
#: What a server must not find after a restore: it would take its models for handed over to another worker.
STALE = ["worker-handoffs.json", "worker-relaunches.json"]
#: The roles' files, in the directory of the recovery service: the declaration, the password of the service account, the records of older servers.
HOST_FILES = ["declaration.json", "declaration.json.copy", "automation", "automation.copy", "launched.json"]
#: Bounds of a snapshot.
MOST_FILES, MOST_BYTES = 20_000, 2 << 30
#: Name of the directories in which files of models lie while a restore brings them.
WORK = ".xinference-restore"
#: How many files of models a backup takes along.
MOST_MODEL_FILES = 5_000
_MANIFEST_BYTES, _STEP = 16 << 20, 1 << 20
_DIGEST = re.compile(r"[0-9a-f]{64}")
#: Characters of a path that Linux takes.
_PATH = 4096
#: Older versions of restic name it in short.
_SNAPSHOT = re.compile(r"[0-9a-f]{8,64}")
#: The files that hold keys, whose fingerprints a manifest shows.
_KEYS = ("home/auth/encryption_key", "home/auth/jwt_secret_key", "home/auth/environment")


class BackupError(XinferenceError):
    """A backup or a restore failed; the text is a sentence without its dot, or what goes on one that names the snapshot."""


def sentence(error: BackupError) -> str:
    """An error as a whole sentence."""
    text = str(error).rstrip(".")
    word = text.partition(" ")[0]
    # Names of variables and paths stay as they are.
    return f"{text[:1].upper() if word.isalpha() else text[:1]}{text[1:]}."


@dataclass(frozen=True)
class File:
    """A file of a snapshot.

    :param path: from the snapshot's directory on.
    :param size: bytes.
    :param sha256: of its content, in hexadecimal digits.
    """

    path: str
    size: int
    sha256: str


@dataclass(frozen=True)
class Manifest:
    """What a snapshot holds, and what it is of.

    :param host: name of the host in the inventory.
    :param container: name of the server's container.
    :param created: when, in UTC, such as ``2026-01-31T12:00:00Z``.
    :param collection: version of this collection.
    :param server: version of the server; empty where its image has none.
    :param image: reference of the image.
    :param image_id: identifier of the image.
    :param home: the server's directory inside its container.
    :param files: every file but the manifest.
    :param keys: the first 16 digits of the SHA-256 of each file with keys, by path.
    :param model_files: local files of declared models, which the snapshot itself does not hold: ``uid``, ``path`` inside the container, ``size`` in bytes or
        None. Where they were to be taken along also ``snapshot`` (ID of another snapshot of the repository that holds them, or None), ``problem`` (why there is
        none, a sentence), ``source`` (their path on the host, as that snapshot has it) and ``files`` (each with ``path`` from there on, which is empty for the
        file itself, and ``size``).
    :param warnings: what is odd about it, a sentence each.
    :param format: number of the form.
    """

    host: str
    container: str
    created: str
    collection: str
    server: str
    image: str
    image_id: str
    home: str
    files: Sequence[File]
    keys: Mapping[str, str] = field(default_factory=dict)
    model_files: Sequence[Mapping[str, Any]] = ()
    warnings: Sequence[str] = ()
    format: int = FORMAT

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(file.size for file in self.files)

    @property
    def reports(self) -> list[str]:
        """What an operator should know: the warnings, and why files of models are left out."""
        return [*self.warnings, *(str(each["problem"]) for each in self.model_files if each.get("problem"))]

    def text(self) -> str:
        """As it is written."""
        return json.dumps(asdict(self), indent=1, sort_keys=True) + "\n"

    @staticmethod
    def fingerprints(files: Sequence[File]) -> dict[str, str]:
        """``keys`` of a manifest of these files."""
        return {file.path: file.sha256[:16] for file in files if file.path in _KEYS}


def described(snapshot: str, manifest: Manifest) -> dict[str, Any]:
    """A snapshot as modules return it.

    :param snapshot: its ID, or the path of an archive.
    :param manifest: what it holds.
    """
    return {
        "id": snapshot if snapshot.startswith("/") else snapshot[:8],
        "host": manifest.host,
        "time": manifest.created,
        "files": [{"path": file.path, "size": file.size} for file in manifest.files],
        "bytes": manifest.size,
        "server_version": manifest.server,
        "image": manifest.image,
        "image_id": manifest.image_id,
        "collection_version": manifest.collection,
        "model_files": [_described_file(each, snapshot) for each in manifest.model_files],
        "warnings": list(manifest.warnings),
    }


def _described_file(entry: Mapping[str, Any], snapshot: str) -> dict[str, Any]:
    """A local file of a model as modules return it; parameters as of :func:`described`. An archive brings none."""
    held = None if snapshot.startswith("/") else entry.get("snapshot")
    return {**{name: entry[name] for name in ("uid", "path", "size")}, "snapshot": held and held[:8], "problem": entry.get("problem") or ""}


def is_kept(path: str) -> bool:
    """Whether a path may be one of a snapshot: of a file that a backup takes, and no way to another directory."""
    top, *inner = path.split("/")
    if not inner or not all(map(is_name, [top, *inner])) or not path.isprintable():
        return False
    if top == "host":
        return len(inner) == 1 and inner[0] in HOST_FILES
    if top != "home":
        return False
    folder, name = inner[:-1], inner[-1]
    for pattern in HOME_PATTERNS:
        *wanted, ending = pattern.split("/")
        deep = ending.startswith("**")
        if fnmatch.fnmatchcase(name, ending) and (folder == wanted or (deep and folder[: len(wanted)] == wanted)):
            return True
    return False


def _field(content: Mapping[str, Any], name: str, kind: type) -> Any:
    """A field of a manifest.

    :raises BackupError: when it is not of its kind.
    """
    value = content.get(name)
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise BackupError(f"its manifest is damaged: {name} is {shown(value)}")
    return one_line(value) if isinstance(value, str) else value


def _bytes(value: Any) -> int | None:
    """A number of bytes, where it is one."""
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _file(entry: Any) -> File:
    """An entry of a manifest's list of files.

    :raises BackupError: when it is none that a backup takes.
    """
    if not isinstance(entry, dict):
        raise BackupError("its manifest is damaged: a file is no entry of its own")
    path, size, digest = (entry.get(each.name) for each in fields(File))
    if not isinstance(path, str) or not is_kept(path):
        raise BackupError(f"it holds '{shown(path)}', which no backup takes")
    if not isinstance(size, int) or isinstance(size, bool) or size < 0 or not isinstance(digest, str) or not _DIGEST.fullmatch(digest):
        raise BackupError(f"its manifest is damaged: size or sha256 of '{shown(path)}' is none")
    return File(path, size, digest)


def _model_files(entry: Mapping[str, Any]) -> dict[str, Any]:
    """An entry of ``model_files`` that was read; what an older version wrote has less in it.

    :raises BackupError: when it names what no backup takes.
    """
    path = entry.get("path")
    found = {"uid": one_line(str(entry.get("uid"))), "path": one_line(str(path)), "size": _bytes(entry.get("size"))}
    if entry.get("snapshot") is None:
        return {**found, "snapshot": None, "problem": one_line(str(entry.get("problem") or ""))} if "snapshot" in entry else found
    snapshot, source, files = entry["snapshot"], entry.get("source"), entry.get("files")
    named = isinstance(source, str) and source.isprintable() and source != "/" and os.path.normpath(source) == source and source[0] == "/"
    # Files are put there, so it is taken as it was written or not at all.
    if not isinstance(path, str) or not path.isprintable() or len(path) > _PATH:
        raise BackupError("its manifest is damaged: it does not say where the files of a model belong")
    if not isinstance(snapshot, str) or not _SNAPSHOT.fullmatch(snapshot) or not named or not isinstance(files, list):
        raise BackupError("its manifest is damaged: it does not say where the files of a model are")
    return {**found, "path": path, "snapshot": snapshot, "problem": "", "source": source, "files": [_model_file(each) for each in files]}


def _model_file(entry: Any) -> dict[str, Any]:
    """A file of a model: its path from the declared one on, and its bytes.

    :raises BackupError: when it leads elsewhere.
    """
    path = entry.get("path") if isinstance(entry, dict) else None
    if not isinstance(path, str) or not path.isprintable() or not (path == "" or all(map(is_name, path.split("/")))):
        raise BackupError(f"its manifest names the file '{shown(path)}' of a model, which no backup takes")
    size = _bytes(entry.get("size"))
    if size is None or size < 0:
        raise BackupError(f"its manifest is damaged: the size of '{shown(path)}', a file of a model, is none")
    return {"path": path, "size": size}


def _manifest(content: Any) -> Manifest:
    """A manifest that was read.

    :raises BackupError: when it is none, or of a newer form.
    """
    if not isinstance(content, dict) or not isinstance(content.get("format"), int):
        raise BackupError("its manifest is damaged: it names no format")
    if content["format"] != FORMAT:
        raise BackupError(f"it is of format {content['format']}, and this version of the collection reads format {FORMAT}")
    files = [_file(entry) for entry in _field(content, "files", list)[: MOST_FILES + 1]]
    if len(files) > MOST_FILES or sum(file.size for file in files) > MOST_BYTES:
        raise BackupError(f"it holds more than {MOST_FILES} files or {MOST_BYTES >> 20} MiB")
    if len({file.path for file in files}) != len(files):
        raise BackupError("its manifest is damaged: it names a file twice")
    texts = ("host", "container", "created", "collection", "server", "image", "image_id", "home")
    models = [_model_files(each) for each in _field(content, "model_files", list) if isinstance(each, dict)]
    if sum(len(each.get("files") or []) for each in models) > MOST_MODEL_FILES:
        raise BackupError(f"its manifest names more than {MOST_MODEL_FILES} files of models")
    return Manifest(
        **{name: _field(content, name, str) for name in texts},
        files=files,
        keys=Manifest.fingerprints(files),
        model_files=models,
        warnings=[one_line(str(each)) for each in _field(content, "warnings", list)],
    )


def parse_manifest(text: str) -> Manifest:
    """A manifest as it was written.

    :raises BackupError: when it is none, or of a newer form.
    """
    if len(text) > _MANIFEST_BYTES:
        raise BackupError(f"its manifest is longer than {_MANIFEST_BYTES >> 20} MiB")
    try:
        content = parse_json(text)
    except ValueError as error:
        raise BackupError(f"its manifest cannot be read: {error}") from error
    return _manifest(content)


def _digest(folder: Path, file: File) -> str:
    """SHA-256 of a file as it lies there."""
    total, count = hashlib.sha256(), 0
    handle = os.open(folder / file.path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(handle, "rb") as source:
        while count <= file.size:
            part = source.read(_STEP)
            if not part:
                break
            total.update(part)
            count += len(part)
    return total.hexdigest() if count == file.size else ""


def verify(folder: Path) -> Manifest:
    """The manifest of a snapshot that lies in a directory, after every file was compared with it.

    :raises BackupError: when anything is damaged, missing, or there besides; the text goes on a sentence that names the snapshot.
    """
    try:
        manifest = parse_manifest(read_bytes(folder, [MANIFEST], _MANIFEST_BYTES).decode("utf-8"))
    except FileNotFoundError:
        raise BackupError("it is cut or none of this collection: it has no manifest") from None
    except (OSError, ValueError) as error:
        raise BackupError(f"its manifest cannot be read: {getattr(error, 'strerror', None) or error}") from error
    try:
        _compare(folder, manifest)
    except OSError as error:
        raise BackupError(f"it cannot be read: {error.strerror or error}") from error
    return manifest


def _compare(folder: Path, manifest: Manifest) -> None:
    """Compare every file of a snapshot with its manifest; parameters and errors as of :func:`verify`, and OSError."""
    there: set[str] = set()
    for names, found in entries_below(folder, (), NameLimit(4 * MOST_FILES)):
        path = "/".join(names)
        if stat.S_ISDIR(found.st_mode):
            continue
        if not stat.S_ISREG(found.st_mode):
            raise BackupError(f"it holds '{shown(path)}', which is no regular file")
        there.add(path)
    wanted = {file.path for file in manifest.files}
    for path in sorted(there - wanted - {MANIFEST}):
        raise BackupError(f"it holds '{shown(path)}', which its manifest does not name")
    for path in sorted(wanted - there):
        raise BackupError(f"it is damaged or cut: '{path}' is missing")
    for file in manifest.files:
        if _digest(folder, file) != file.sha256:
            raise BackupError(f"it is damaged: '{file.path}' is not what its manifest names")
