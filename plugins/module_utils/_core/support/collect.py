# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What goes into the archive: of the host, its container, its units and their logs. Private to this collection.

All that the container can write is hostile: its logs are read from their ends, no link in them is followed, and no name of theirs becomes one of the archive.
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

from ..base.bounded import read_bytes, read_end, read_json
from ..base.errors import XinferenceError
from ..host.client_environment import Run
from ..host.docker import DockerSocket, environment_of
from ..observed.server_files import ServerFiles
from .archive import Bundle, end_of, safe_name
from .redact import MASK, SHORTEST, Redactor, is_secret_name, secrets_of_file

__all__ = ["Asked", "collect"]

#: Files of the server's logs, the newest, and names that are read to find them.
_MOST_LOGS, _MOST_NAMES = 12, 20_000
#: Lines of a journal, and of the container's log; where those are too long, fewer.
_JOURNAL_LINES = 1000
_CONTAINER_LINES = (4000, 400, 40)
_SECRET_BYTES = 64 << 10
#: Files of the server's directory with secrets: keys of its processes, of its tokens, and of what it encrypts.
_SERVER_SECRETS = ("auth/environment", "auth/jwt_secret_key", "auth/encryption_key")
_URL_PASSWORD = re.compile(r"://[^\s/?#@:]{0,200}:([^\s@]{1,500})@")
_CONFIGURATION_BYTES = 1 << 20
_UNIT_STATES = "Id,LoadState,UnitFileState,ActiveState,SubState,Result,NRestarts,ExecMainStatus,ActiveEnterTimestamp,InactiveEnterTimestamp"
#: Variables of the container's environment whose values are no secrets, whoever set them, unless the name says otherwise.
_SHOWN = re.compile(
    r"XINFERENCE_[A-Z0-9_]+|HF_(ENDPOINT|HOME|HUB_[A-Z_]+)|(TRANSFORMERS|OMP|CUDA|NVIDIA|NCCL|PYTHON|UV|PIP|TQDM|LC|SSL)_[A-Z0-9_]+|"
    r"MODELSCOPE_[A-Z_]+|PYTHON[A-Z]+|PATH|LD_LIBRARY_PATH|LANG|TZ|HOME|USER|LOGNAME|((HTTPS?|ALL|NO|https?|all|no)_(PROXY|proxy))"
)
#: Of Docker's description of the container, what is no place for secrets, or is masked.
_CONTAINER = ("Id", "Name", "Created", "Path", "Args", "State", "Image", "RestartCount", "Platform", "Mounts", "SizeRw")
_HOST = (
    *("Binds", "NetworkMode", "PortBindings", "RestartPolicy", "Memory", "MemorySwap", "NanoCpus", "CpusetCpus", "PidsLimit", "ShmSize", "LogConfig", "CapAdd"),
    *("CapDrop", "SecurityOpt", "ReadonlyRootfs", "Tmpfs", "UsernsMode", "Privileged", "Runtime", "DeviceRequests", "Ulimits", "Init", "OomKillDisable"),
)
_CONFIG = ("User", "Cmd", "Entrypoint", "Image", "Labels", "Healthcheck", "WorkingDir", "StopTimeout", "ExposedPorts")
_DOCKER = ("Version", "ApiVersion", "MinAPIVersion", "GitCommit", "GoVersion", "Os", "Arch", "KernelVersion", "BuildTime")
#: Facts of the host that are left out: who has an account is nobody's business.
_PRIVATE_FACTS = frozenset({"users", "server_environment"})


@dataclass(frozen=True)
class Asked:
    """What is collected.

    :param container: name of the container.
    :param docker_host: address of Docker's socket.
    :param units: of systemd.
    :param identifiers: of what others write to the journal, such as the proxy for each request.
    :param configuration: files of the host, in directories that only root can write.
    :param status: files of JSON that services write.
    :param declaration: file with the stored declaration.
    :param secrets: files of the host that hold secrets, which are read to be masked.
    :param environment: variables that the inventory gives to the container.
    :param client: directory of the client's environment.
    :param log_bytes: of the end of each log.
    :param controller: versions of the controller.
    """

    container: str
    docker_host: str
    units: Sequence[str] = ()
    identifiers: Sequence[str] = ()
    configuration: Sequence[str] = ()
    status: Sequence[str] = ()
    declaration: str | None = None
    secrets: Sequence[str] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    client: str | None = None
    log_bytes: int = 512 << 10
    controller: Mapping[str, Any] = field(default_factory=dict)


def _is_shown(name: str) -> bool:
    return _SHOWN.fullmatch(name) is not None and not is_secret_name(name)


def _texts(value: Any) -> Iterator[str]:
    """All texts in data."""
    waiting = [value]
    while waiting:
        part = waiting.pop()
        if isinstance(part, (str, int)):
            yield str(part)
        elif isinstance(part, Mapping):
            waiting += part.values()
        elif isinstance(part, (list, tuple)):
            waiting += part


def _declared_secrets(declaration: Any) -> Iterator[str]:
    """Values of the environment variables of declared models."""
    waiting = [declaration]
    while waiting:
        part = waiting.pop()
        if isinstance(part, Mapping):
            yield from _texts(part.get("environment"))
            waiting += part.values()
        elif isinstance(part, list):
            waiting += part


def _packages(environment: str | None) -> dict[str, str] | None:
    """Python packages of the client's environment, each with its version."""
    if not environment:
        return None
    places = [str(path) for path in sorted(Path(environment).glob("lib/python3*/site-packages"))]
    return {str(found.metadata["Name"]): str(found.version) for found in importlib.metadata.distributions(path=places)} if places else None


class _Collector:
    """Collects.

    :param asked: what.
    :param server_files: the server's directory.
    :param run: runs a command.
    :param root: where the host's file system begins.
    """

    def __init__(self, asked: Asked, server_files: ServerFiles, run: Run, bundle: Bundle, root: Path) -> None:
        self.asked, self.server_files, self.run, self.bundle, self.root = asked, server_files, run, bundle, root
        self.docker = DockerSocket(asked.docker_host)
        self.route = f"/containers/{quote(asked.container, safe='')}"

    def _host_path(self, path: str) -> tuple[Path, list[str]]:
        place = self.root / path.lstrip("/")
        return place.parent, [place.name]

    def learn(self, container: Mapping[str, Any] | None, image: Mapping[str, Any] | None) -> None:
        """Know the secrets that the host keeps, before anything is read that may repeat them.

        :param container: Docker's description of it.
        :param image: the same of its image.
        """
        found: set[str] = set()
        given, made = environment_of(container), environment_of(image)
        found |= {value for name, value in given.items() if not _is_shown(name) and (value != made.get(name) or is_secret_name(name))}
        # Where there is no container, or an older one, the inventory knows what logs may repeat.
        found |= {value for name, value in self.asked.environment.items() if not _is_shown(name)}
        texts = [*given.values(), *self.asked.environment.values()]
        for path in self.asked.configuration:
            with contextlib.suppress(OSError):
                texts.append(self.file(path) or "")
        for path in self.asked.secrets:
            for each in (path, f"{path}.copy"):
                found |= self._kept(each)
        for name in _SERVER_SECRETS:
            found |= secrets_of_file(self.server_files.beginning(f"{self.server_files.home}/{name}", _SECRET_BYTES).decode("utf-8", "replace"))
        with contextlib.suppress(OSError, ValueError):
            if self.asked.declaration:
                declaration = read_json(*self._host_path(self.asked.declaration))
                found |= set(_declared_secrets(declaration))
                texts += _texts(declaration)
        for text in texts:
            # Of a proxy, an index or a hub.
            found |= {each for password in _URL_PASSWORD.findall(text) for each in (password, unquote(password))}
        self.bundle.redactor.learn(each for each in found if len(each) >= SHORTEST)

    def _kept(self, path: str) -> set[str]:
        """The secrets in a file of the host; none where there is no such file.

        :raises XinferenceError: where it cannot be read, so that they would not be masked.
        """
        try:
            return secrets_of_file(read_bytes(*self._host_path(path), _SECRET_BYTES).decode("utf-8", "replace"))
        except (FileNotFoundError, NotADirectoryError):
            return set()
        except OSError as error:
            raise XinferenceError(
                f"'{path}' cannot be read, so its secrets could not be masked, and nothing was written: {error.strerror or error}."
            ) from error

    def described(self, container: Mapping[str, Any]) -> dict[str, Any]:
        """The container, without the values of environment variables that may be secrets."""
        config, host = container.get("Config") or {}, container.get("HostConfig") or {}
        networks = (container.get("NetworkSettings") or {}).get("Networks") or {}
        return {
            **{name: container.get(name) for name in _CONTAINER},
            "Config": {name: config.get(name) for name in _CONFIG},
            "Variables": {name: value if _is_shown(name) else MASK for name, value in sorted(environment_of(container).items())},
            "HostConfig": {name: host.get(name) for name in _HOST},
            "Networks": {name: {"IPAddress": (each or {}).get("IPAddress"), "Aliases": (each or {}).get("Aliases")} for name, each in networks.items()},
        }

    def versions(self, facts: Mapping[str, Any], server: str | None, image: Mapping[str, Any] | None) -> dict[str, Any]:
        """Versions of everything that takes part."""
        kernel = os.uname()
        with_docker: dict[str, Any] = {}
        with contextlib.suppress(OSError):
            answer = self.docker.get("/version") or {}
            with_docker = {name: answer.get(name) for name in _DOCKER}
        return {
            "server": server,
            "image": {name: (image or {}).get(name) for name in ("Id", "RepoTags", "RepoDigests", "Created", "Architecture", "Size")},
            "docker": with_docker,
            "kernel": {"name": kernel.sysname, "release": kernel.release, "version": kernel.version, "machine": kernel.machine},
            "distribution": facts.get("distribution"),
            "python": facts.get("python"),
            "client": facts.get("client_version"),
            "packages": _packages(self.asked.client),
            "controller": dict(self.asked.controller),
        }

    def container_log(self) -> str | None:
        """The last lines of the container's log."""
        for lines in _CONTAINER_LINES:
            try:
                return self.docker.log_text(self.asked.container, lines)
            except OSError:
                # Lines of megabytes, which nobody reads.
                if lines == _CONTAINER_LINES[-1]:
                    raise
        return None

    def journal(self, *choice: str) -> str | None:
        """The last lines of the journal; None where there are none."""
        status, answer, error = self.run(["journalctl", "--no-pager", "--quiet", "--output=short-iso", f"--lines={_JOURNAL_LINES}", *choice])
        if status:
            raise OSError(error.strip() or f"journalctl ended with status {status}")
        return answer or None

    def units(self) -> dict[str, dict[str, str]] | None:
        """What systemd says of the units that it knows."""
        if not self.asked.units:
            return None
        status, answer, error = self.run(["systemctl", "show", f"--property={_UNIT_STATES}", *self.asked.units])
        if status:
            raise OSError(error.strip() or f"systemctl ended with status {status}")
        blocks = [dict(line.partition("=")[::2] for line in block.splitlines()) for block in answer.split("\n\n")]
        return {block["Id"]: block for block in blocks if block.get("LoadState") == "loaded" and block.get("Id")} or None

    def unit_text(self, unit: str) -> str:
        """A unit as systemd has it, with what changes it."""
        status, answer, error = self.run(["systemctl", "cat", "--no-pager", unit])
        if status:
            raise OSError(error.strip() or f"systemctl ended with status {status}")
        return answer

    def file(self, path: str) -> str | None:
        """A file of the host; None where there is none."""
        try:
            return read_bytes(*self._host_path(path), _CONFIGURATION_BYTES).decode("utf-8", "replace")
        except FileNotFoundError:
            return None

    def data(self, path: str) -> Any:
        """Data in a file of the host; None where there is none."""
        try:
            return read_json(*self._host_path(path))
        except FileNotFoundError:
            return None

    def server_log(self, path: str) -> str | None:
        """The end of one of the server's logs; None for what holds no text."""
        located = self.server_files.located(path)
        if located is None:
            return None
        # One byte more says whether there is more; it may grow meanwhile.
        limit = self.asked.log_bytes
        content = read_end(*located, limit + 1)
        return None if b"\0" in content else end_of(content.decode("utf-8", "replace"), len(content) > limit)


def collect(
    asked: Asked,
    *,
    facts: Mapping[str, Any],
    diagnosis: Mapping[str, Any],
    secrets: Sequence[str],
    server_files: ServerFiles,
    run: Run,
    root: Path = Path("/"),
) -> Bundle:
    """Read it, without secrets.

    :param asked: what is collected.
    :param facts: of the host, as module ``host_info`` returns them.
    :param diagnosis: of the host, as module ``diagnosis_info`` returns it.
    :param secrets: that the inventory holds.
    :param server_files: the server's directory.
    :param run: runs a command.
    :param root: where the host's file system begins.
    :raises XinferenceError: where a secret of the host cannot be read.
    """
    bundle = Bundle(Redactor(secrets), asked.log_bytes)
    from_host = _Collector(asked, server_files, run, bundle, root)
    container: dict[str, Any] | None = None
    image: dict[str, Any] | None = None
    trouble = ""
    try:
        container = from_host.docker.get(f"{from_host.route}/json")
        image = from_host.docker.image(str(container["Image"])) if container else None
    except (OSError, KeyError) as error:
        trouble = str(error)
    from_host.learn(container, image)

    bundle.add_data("diagnosis.json", "the diagnosis of this run", lambda: diagnosis)
    bundle.add_data("versions.json", "this host and the controller", lambda: from_host.versions(facts, diagnosis.get("server"), image))
    bundle.add_data("host.json", "facts of this host", lambda: {name: value for name, value in facts.items() if name not in _PRIVATE_FACTS})
    if asked.declaration:
        path = asked.declaration
        bundle.add_data("configuration/declaration.json", path, lambda: from_host.data(path))
    if container is not None:
        found = container
        bundle.add_data("container/inspect.json", f"docker inspect {asked.container}", lambda: from_host.described(found))
        bundle.add_text("container/log.txt", f"docker logs {asked.container}", from_host.container_log)
    else:
        bundle.left_out["container/inspect.json"] = bundle.redactor.text(trouble) or f"there is no container '{asked.container}'"
    for path in asked.configuration:
        bundle.add_text(f"configuration/{safe_name(path)}", path, partial(from_host.file, path))
    for path in asked.status:
        bundle.add_data(f"status/{safe_name(path)}", path, partial(from_host.data, path))
    states: dict[str, dict[str, str]] = {}
    bundle.add_data("units/states.json", "systemctl show", lambda: states.update(from_host.units() or {}) or states or None)
    for unit in states:
        bundle.add_text(f"units/{safe_name(unit)}.txt", f"systemctl cat {unit}", partial(from_host.unit_text, unit))
        bundle.add_text(f"units/{safe_name(unit)}.journal.txt", f"journalctl --unit {unit}", partial(from_host.journal, f"--unit={unit}"))
    for name in asked.identifiers:
        bundle.add_text(f"journal/{safe_name(name)}.txt", f"journalctl --identifier {name}", partial(from_host.journal, f"--identifier={name}"))
    _add_server_logs(from_host, bundle)
    return bundle


def _add_server_logs(from_host: _Collector, bundle: Bundle) -> None:
    """Add the ends of the newest files of the server's logs, under numbers, and a list of all with their names."""
    folder = f"{from_host.server_files.home}/logs"
    found = from_host.server_files.newest(folder, _MOST_NAMES)
    rows = []
    for number, (path, size, changed) in enumerate(found[: max(_MOST_LOGS, 100)]):
        member = f"server/log-{number + 1:02d}.txt" if number < _MOST_LOGS else None
        rows.append({"path": path, "bytes": size, "changed": changed, "member": member})
        if member:
            bundle.add_text(member, path, partial(from_host.server_log, path))
    bundle.add_data(
        "server/logs.json", folder, lambda: {"files": len(found), "bytes": sum(size for _path, size, _when in found), "newest": rows} if found else None
    )
