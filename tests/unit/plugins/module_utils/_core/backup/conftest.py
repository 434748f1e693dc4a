# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host with a server's home, its service's directory, a Docker, and a repository that is a directory of copies."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from ansible_collections.inferops.xinference.plugins.module_utils._core.backup.command import Answer
from ansible_collections.inferops.xinference.plugins.module_utils._core.backup.restic import Restic
from ansible_collections.inferops.xinference.plugins.module_utils._core.backup.settings import Secrets, Settings
from ansible_collections.inferops.xinference.plugins.module_utils._core.backup.snapshot import changed
from ansible_collections.inferops.xinference.plugins.module_utils._core.host.docker import DockerSocket
from ansible_collections.inferops.xinference.tests.unit.plugins.module_utils._core.backup.fake_engine import FakeEngine

KEY = "0" * 64


def sealed(key: str) -> str:
    """An API key as a server keeps it."""
    return base64.b64encode(b"n" * 12 + AESGCM(hashlib.sha256(key.encode()).digest()).encrypt(b"n" * 12, b"xf-key", None)).decode()


def make_accounts(path: Path, key: str = KEY, names: Sequence[str] = ("admin",)) -> None:
    """A database of accounts with an API key, in the way of a server: what was written last is in the log beside it."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with closing(sqlite3.connect(path)) as database:
        database.execute("PRAGMA journal_mode=WAL")
        database.execute("CREATE TABLE users (name TEXT)")
        database.execute("CREATE TABLE api_keys (id INTEGER PRIMARY KEY, key_encrypted TEXT)")
        database.executemany("INSERT INTO users VALUES (?)", [(name,) for name in names])
        database.execute("INSERT INTO api_keys (key_encrypted) VALUES (?)", (sealed(key),))
        database.commit()


def users(path: Path) -> list[str]:
    """The accounts in a database."""
    with closing(sqlite3.connect(path)) as database:
        return [str(row[0]) for row in database.execute("SELECT name FROM users ORDER BY rowid")]


def _more(path: Path) -> dict[str, Any]:
    """What restic lists of a file. It leaves out a size of 0."""
    found = path.stat()
    return {"mtime": changed(found.st_mtime_ns), **({"size": found.st_size} if found.st_size else {})}


class FakeRepository:
    """What restic keeps, as directories; takes the calls that restic takes.

    :param folder: where.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.calls: list[str] = []
        self.environments: list[dict[str, str]] = []
        self.rows: list[dict[str, object]] = []
        #: Error texts that calls of these names end with, once each.
        self.fails: dict[str, list[str]] = {}
        #: The same for backups of files of models alone.
        self.fails_of_files: list[str] = []
        #: What is done to a snapshot that is read.
        self.spoils: Callable[[Path], None] = lambda folder: None
        #: What is done to a snapshot of files of models that was made, and to such files that were restored.
        self.spoils_files: Callable[[Path], None] = lambda folder: None
        self.spoils_restored: Callable[[Path], None] = lambda folder: None
        #: How many snapshots were made.
        self.made = 0

    def __call__(self, arguments: Sequence[str], environment: dict[str, str], gate: int | None = None, seconds: float | None = None) -> Answer:
        if gate is not None and not os.read(gate, 1):
            return Answer(130, "", "")
        name, options = arguments[1], list(arguments[2:])
        self.calls.append(" ".join(arguments[1:]))
        self.environments.append(environment)
        if self.fails.get(name):
            return Answer(1, "", self.fails[name].pop(0))
        if name == "backup" and "inferops.xinference.models" in options and self.fails_of_files:
            return Answer(1, "", self.fails_of_files.pop(0))
        output = ""
        tags = [options[at + 1] for at, word in enumerate(options) if word == "--tag"]
        if name == "backup":
            number = hashlib.sha256(str(self.made).encode()).hexdigest()
            self.made += 1
            host = options[options.index("--host") + 1]
            of_files = "inferops.xinference.models" in tags
            paths = [word for at, word in enumerate(options) if word.startswith("/") and not options[at - 1].startswith("--")] if of_files else [options[-1]]
            for path in paths:
                target = self.folder / number / (path.lstrip("/") if of_files else "")
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copytree(path, target) if Path(path).is_dir() else shutil.copy2(path, target)
            self.rows.append({"id": number, "hostname": host, "time": f"2026-01-{self.made:02}T00:00:00Z", "paths": paths, "tags": tags})
            if of_files:
                self.spoils_files(self.folder / number)
            output = 'scanning\n{"message_type":"status"}\n' + json.dumps({"message_type": "summary", "snapshot_id": number})
        elif name == "ls":
            files = [path for path in (self.folder / options[-1]).rglob("*") if path.is_file()]
            rows: list[dict[str, Any]] = [{"struct_type": "snapshot", "paths": []}]
            rows += [{"type": "file", "path": f"/{path.relative_to(self.folder / options[-1])}", **_more(path)} for path in files]
            output = "\n".join(map(json.dumps, [*rows, {"type": "dir", "path": "/x"}]))
        elif name == "forget" and "--host" not in options:
            self.rows = [row for row in self.rows if row["id"] not in options]
        elif name == "restore" and "--include" in options:
            target = Path(options[options.index("--target") + 1])
            number = next(str(row["id"]) for row in self.rows if str(row["id"]).startswith(options[0]))
            for path in (options[at + 1].replace("\\", "") for at, word in enumerate(options) if word == "--include"):
                place = target / path.lstrip("/")
                place.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(self.folder / number / path.lstrip("/"), place)
                place.chmod(0o600)
            self.spoils_restored(target)
        elif name == "restore":
            number = next(each for each in options if not each.startswith("--"))
            row = next(row for row in self.rows if row["id"] == number)
            target = Path(options[options.index("--target") + 1]) / str(row["paths"][0]).lstrip("/")  # type: ignore[index]
            shutil.copytree(self.folder / number, target)
            self.spoils(target)
        elif name == "dump":
            row = next(row for row in self.rows if row["id"] == options[1])
            output = (self.folder / options[1] / Path(options[2]).relative_to(str(row["paths"][0]))).read_text()  # type: ignore[index]
        elif name == "snapshots":
            wanted = options[options.index("--host") + 1] if "--host" in options else None
            found = [row for row in self.rows if wanted in (None, row["hostname"])]
            output = json.dumps([row for row in found if any(set(tag.split(",")) <= set(row["tags"]) for tag in tags)])  # type: ignore[call-overload]
        return Answer(0, output, "")


@dataclass
class Host:
    """A host.

    :param settings: of its backups.
    :param engine: its Docker.
    :param repository: its repository.
    :param home: of the server.
    :param service: directory of the recovery service.
    """

    settings: Settings
    engine: FakeEngine
    repository: FakeRepository
    home: Path
    service: Path

    @property
    def docker(self) -> DockerSocket:
        """Its Docker, to be asked."""
        return DockerSocket(self.engine.path)

    @property
    def restic(self) -> Restic:
        """Its repository, to be asked."""
        return Restic(self.settings, Secrets("correct horse", {"TOKEN": "hidden-token"}), self.repository)


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Host]:
    """A host with a server that has accounts, a registration and history."""
    home, service = tmp_path / "home", tmp_path / "service"
    make_accounts(home / "auth/auth.db")
    (home / "auth/encryption_key").write_text(KEY)
    (home / "auth/jwt_secret_key").write_text("secret")
    (home / "model/v2/llm").mkdir(parents=True)
    (home / "model/v2/llm/mine.json").write_text('{"model_name": "mine"}')
    (home / "cache").mkdir()
    (home / "cache/weights.bin").write_bytes(b"w" * 1000)
    (home / "download_tasks.db").write_bytes(b"no database")
    (home / "worker-handoffs.json").write_text("{}")
    service.mkdir()
    for name, text in (("automation", "password\n"), ("automation.copy", "password\n")):
        (service / name).write_text(text)
    models = [{"uid": "chat", "name": "mine", "engine": "llama.cpp", "path": "/models/mine.gguf"}]
    (service / "declaration.json").write_text(json.dumps({"version": 1, "options": {"models": models}}))
    monkeypatch.setattr("ansible_collections.inferops.xinference.plugins.module_utils._core.host.replacement._LOCKS", str(tmp_path))
    # The name of a socket may not be long.
    short = tempfile.mkdtemp()
    engine = FakeEngine(Path(short), home)
    values = {
        **{"container": "xinference", "docker_host": f"unix://{engine.path}", "host": "one", "repository": str(tmp_path / "repository")},
        **{"secrets": str(tmp_path / "secrets.json"), "state_directory": str(tmp_path / "state"), "staging_directory": str(tmp_path / "staging")},
        **{"service_directory": str(service), "upgrade_directory": str(tmp_path / "upgrade"), "collection_version": "0.1.0"},
    }
    yield Host(Settings(keep_daily=7, keep_weekly=4, model_files=False, **values), engine, FakeRepository(tmp_path / "repository"), home, service)
    engine.close()
    shutil.rmtree(short)
