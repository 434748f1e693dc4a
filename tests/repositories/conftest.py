# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Real programs restic, of each release of Debian, and real servers that keep repositories."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from ansible_collections.inferops.xinference.plugins.module_utils._core.backup.restic import Restic
from ansible_collections.inferops.xinference.plugins.module_utils._core.backup.settings import Secrets, Settings
from ansible_collections.inferops.xinference.tests.machine import ROOT, built, free_port, wait_until

HERE = Path(__file__).resolve().parent
PASSWORD, KEY = "marked password", "marked-key"
#: Releases of Debian whose restic is tested, by its version.
RESTICS = {"0.11": "bullseye", "0.14": "bookworm", "0.18": "trixie"}
STORES = ("directory", "sftp", "s3", "rest")


@dataclass(frozen=True)
class Store:
    """A place for repositories.

    :param repository: what restic calls a new one.
    :param environment: credentials for it.
    :param files: directory with the files of the repository; None where they are in memory.
    """

    repository: str
    environment: Mapping[str, str] = field(default_factory=dict)
    files: Path | None = None


def listens(port: int) -> bool:
    """Whether something listens on a port of loopback."""
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


@contextmanager
def running(*command: str, port: int) -> Iterator[None]:
    """A server, from when it listens."""
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL) as process:
        try:
            wait_until(lambda: listens(port) or process.poll() is not None, f"'{command[0]}' listens")
            assert process.poll() is None, f"'{' '.join(command)}' ended with {process.returncode}"
            yield
        finally:
            process.kill()


@pytest.fixture(scope="session")
def environment() -> Path:
    """Interpreter of a virtual environment with the servers that come from a package index."""
    requirements = HERE / "requirements.txt"
    folder = ROOT / "build/repositories"
    made = folder / "made-of.txt"
    if not made.exists() or made.read_text(encoding="utf-8") != requirements.read_text(encoding="utf-8"):
        shutil.rmtree(folder, ignore_errors=True)
        subprocess.run((sys.executable, "-m", "venv", str(folder)), check=True)
        subprocess.run((str(folder / "bin/python"), "-m", "pip", "install", "--quiet", "--quiet", "-r", str(requirements)), check=True)
        shutil.copyfile(requirements, made)
    return folder / "bin/python"


@pytest.fixture(scope="session")
def stores(environment: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Callable[[str], Store]]]:
    """What makes a place for a repository of a name, by the kind of place."""
    base = tmp_path_factory.mktemp("stores")
    ports = {name: free_port() for name in ("sftp", "s3", "rest")}
    for name in ("client_key", "host_key"):
        subprocess.run(("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(base / name)), check=True)
    host_key = (base / "host_key.pub").read_text(encoding="utf-8")
    (base / "known_hosts").write_text(f"[127.0.0.1]:{ports['sftp']} {host_key}", encoding="utf-8")
    # Root's own key and list of hosts stay as they are.
    ssh = f"exec {shutil.which('ssh')} -F none -i '{base}/client_key' -o UserKnownHostsFile='{base}/known_hosts' -o StrictHostKeyChecking=yes"
    (base / "bin").mkdir()
    (base / "bin/ssh").write_text(f'#!/bin/sh\n{ssh} -o BatchMode=yes "$@"\n', encoding="utf-8")
    (base / "bin/ssh").chmod(0o755)
    for name in ("sftp", "rest"):
        (base / name).mkdir()
    python = str(environment)
    # Without the configuration of whoever runs the tests.
    rclone = (
        built("rclone"),
        "--config",
        "/dev/null",
        "serve",
        "restic",
        "--addr",
        f"127.0.0.1:{ports['rest']}",
        "--user",
        "host-07",
        "--pass",
        KEY,
        str(base / "rest"),
    )
    sftp = (python, str(HERE / "sftp_server.py"), str(ports["sftp"]), str(base / "sftp"), str(base / "host_key"), str(base / "client_key.pub"))
    servers = {
        "s3": (python, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(ports["s3"])),
        "rest": rclone,
        "sftp": sftp,
    }
    with ExitStack() as stack, pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", f"{base / 'bin'}:{os.environ['PATH']}")
        for name, command in servers.items():
            stack.enter_context(running(*command, port=ports[name]))
        access = {"AWS_ACCESS_KEY_ID": "host-07", "AWS_SECRET_ACCESS_KEY": KEY, "AWS_DEFAULT_REGION": "us-east-1"}
        yield {
            "directory": lambda name: Store(str(base / name), files=base / name),
            "sftp": lambda name: Store(f"sftp://backup@127.0.0.1:{ports['sftp']}//{name}", files=base / "sftp" / name),
            "s3": lambda name: Store(f"s3:http://127.0.0.1:{ports['s3']}/{name}", access),
            "rest": lambda name: Store(f"rest:http://host-07:{KEY}@127.0.0.1:{ports['rest']}/{name}", {"KEY": KEY}, base / "rest" / name),
        }


@pytest.fixture(params=[(version, kind) for version in RESTICS for kind in STORES], ids=lambda param: f"restic {param[0]}, {param[1]}")
def made(
    request: pytest.FixtureRequest, stores: dict[str, Callable[[str], Store]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> tuple[Store, Callable[..., Restic]]:
    """A place for a repository, and what talks to it with a version of restic; its arguments are other settings, and another password."""
    version, kind = request.param
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/restic").symlink_to(built("restic", "--suite", RESTICS[version]))
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    store = stores[kind](f"repository-{version.replace('.', '-')}-{request.node.originalname.replace('_', '-')[:30].strip('-')}")
    names = ("secrets", "state_directory", "staging_directory", "service_directory", "upgrade_directory")
    places = {name: str(tmp_path / name) for name in names}

    def restic(password: str = PASSWORD, **changes: str) -> Restic:
        given = {"container": "xinference", "docker_host": "unix:///x", "host": "host-07", "collection_version": "0.1.0", "repository": store.repository}
        settings = Settings(keep_daily=7, keep_weekly=4, model_files=True, **{**places, **given, **changes})
        return Restic(settings, Secrets(password, store.environment))

    assert restic().call([restic().program, "version"], {}, None).output.startswith(f"restic {version}")
    return store, restic
