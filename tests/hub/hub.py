# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A small model hub, so that a real server can really download models where no hub can be reached.

It speaks as much of the Hugging Face Hub API as ``huggingface_hub`` needs to download a file or a whole repository. A server
uses it through the environment variable ``HF_ENDPOINT``. Everything is read from files on disk; nothing can be uploaded.

As a library::

    with Hub({"inferops/all-minilm-l6-v2": models / "all-MiniLM-L6-v2"}, rate=2_000_000) as hub:
        start_a_server(HF_ENDPOINT=hub.endpoint)
        hub.rate = 0  # the connection is there, but nothing comes through it
        hub.stop()  # the connection breaks, new ones are refused
        hub.start()  # the hub is back at the same address

As a command: ``python3 tests/hub/hub.py --repository inferops/smollm2-135m-gguf=build/models/SmolLM2-135M-Instruct.Q4_1.gguf``.
Standard library only, because it also runs where no virtual environment exists.
"""

from __future__ import annotations

import argparse
import hashlib
import ipaddress
import json
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

BRANCH = "main"
#: Git keeps files above this size, in bytes, as pointers (LFS); the real hub describes them differently.
LARGE = 10_000_000
CHUNK = 64 * 1024
#: Seconds for which the answers of an ended transfer are waited for when the hub stops.
STOP_TIMEOUT = 5.0
_MODELS = "/api/models/"


class HubError(Exception):
    """What is wrong with the hub's own settings, in one sentence."""


def bridge_address() -> str:
    """Address at which containers of Docker's default network reach this machine; :class:`HubError` when there is none."""
    command = ("docker", "network", "inspect", "bridge", "--format", "{{json .IPAM.Config}}")
    done = subprocess.run(command, text=True, capture_output=True, check=False)
    if done.returncode:
        raise HubError(f"Docker does not report the address of its bridge: {done.stderr.strip()}")
    for entry in json.loads(done.stdout) or []:
        network = ipaddress.ip_network(entry["Subnet"])
        if network.version == 4:
            # Engines that were never restarted leave the gateway out; it is the first address then.
            return str(entry.get("Gateway") or next(network.hosts()))
    raise HubError("Docker's network 'bridge' has no IPv4 address")


@dataclass(frozen=True)
class Transfer:
    """One answered request: ``sent`` counts the bytes of its body, ``first`` is the first byte that was asked for."""

    method: str
    path: str
    status: int
    first: int
    sent: int


class Repository:
    """Files under the names that a repository gives them; digests are made when first asked for."""

    def __init__(self, name: str, source: Path) -> None:
        if not re.fullmatch(r"[\w.-]+(/[\w.-]+)?", name):
            raise HubError(f"'{name}' is no name of a repository, which is OWNER/NAME")
        paths = [source] if source.is_file() else [path for path in source.rglob("*") if path.is_file()]
        if not paths:
            raise HubError(f"repository '{name}': there is no file at {source}")
        self.name = name
        root = source.parent if source.is_file() else source
        self.files = {path.relative_to(root).as_posix(): path for path in sorted(paths)}
        self._digests: dict[str, tuple[str, str]] = {}
        self._lock = threading.Lock()

    def size(self, path: str) -> int:
        """Size of a file in bytes."""
        return self.files[path].stat().st_size

    def digests(self, path: str) -> tuple[str, str]:
        """The two names of a file's content: SHA-1 as Git makes it, and plain SHA-256."""
        with self._lock:
            if path not in self._digests:
                blob, plain = hashlib.sha1(b"blob %d\0" % self.size(path), usedforsecurity=False), hashlib.sha256()
                with self.files[path].open("rb") as content:
                    while piece := content.read(16 * CHUNK):
                        blob.update(piece)
                        plain.update(piece)
                self._digests[path] = blob.hexdigest(), plain.hexdigest()
            return self._digests[path]

    def etag(self, path: str) -> str:
        """What the hub calls this content: SHA-256 for large files, Git's name for others."""
        return self.digests(path)[self.size(path) > LARGE]

    @property
    def commit(self) -> str:
        """A name for the state of all files that changes with any of them; 40 hex digits as Git's."""
        state = "".join(f"{path}\0{self.digests(path)[0]}\n" for path in self.files)
        return hashlib.sha1(state.encode(), usedforsecurity=False).hexdigest()

    def information(self, blobs: bool) -> dict[str, Any]:
        """What the hub reports about the repository; with ``blobs`` also about the content of each file."""
        siblings: list[dict[str, Any]] = []
        for path in self.files:
            siblings.append({"rfilename": path})
            if blobs:
                siblings[-1].update(size=self.size(path), blobId=self.digests(path)[0], **self._large(path))
        return {
            "_id": self.commit[:24],
            "id": self.name,
            "modelId": self.name,
            "author": self.name.partition("/")[0],
            "sha": self.commit,
            "private": False,
            "gated": False,
            "disabled": False,
            "downloads": 0,
            "likes": 0,
            "tags": [],
            "lastModified": "2026-01-01T00:00:00.000Z",
            "createdAt": "2026-01-01T00:00:00.000Z",
            "usedStorage": sum(map(self.size, self.files)),
            "siblings": siblings,
        }

    def tree(self, folder: str, recursive: bool) -> list[dict[str, Any]]:
        """Entries of a directory, and of the directories in it when ``recursive``; empty when there is no such directory."""
        prefix, entries = (f"{folder}/" if folder else ""), {}
        for path in self.files:
            if not path.startswith(prefix):
                continue
            parts = path[len(prefix) :].split("/")
            for depth in range(1, len(parts) if recursive else min(len(parts), 2)):
                inner = prefix + "/".join(parts[:depth])
                entries[inner] = {"type": "directory", "oid": hashlib.sha1(inner.encode(), usedforsecurity=False).hexdigest(), "size": 0, "path": inner}
            if recursive or len(parts) == 1:
                entries[path] = {"type": "file", "oid": self.digests(path)[0], "size": self.size(path), "path": path, **self._large(path)}
        return [entries[path] for path in sorted(entries)]

    def _large(self, path: str) -> dict[str, Any]:
        size = self.size(path)
        return {"lfs": {"oid": self.digests(path)[1], "sha256": self.digests(path)[1], "size": size, "pointerSize": 134}} if size > LARGE else {}


class Hub:
    """The hub at an address of this machine; started and stopped as often as wanted, always at the same port.

    ``rate`` is in bytes per second for all transfers together: ``None`` is as fast as it goes, 0 lets nothing through. It may
    be changed while transfers run. ``failures`` is how many of the coming requests for files are answered with 503.
    """

    def __init__(
        self, repositories: Mapping[str, Path], *, address: str = "127.0.0.1", port: int = 0, rate: float | None = None, fail_first: int = 0, log: bool = False
    ) -> None:
        self.repositories = {name: Repository(name, source) for name, source in repositories.items()}
        self.address = address
        self.port = port
        self.rate = rate
        self.failures = fail_first
        self.log = log
        self.transfers: list[Transfer] = []
        self._server: _Server | None = None
        self._lock = threading.Lock()
        self._due = 0.0

    @property
    def endpoint(self) -> str:
        """URL for ``HF_ENDPOINT``; the port is known once the hub was started."""
        return f"http://{self.address}:{self.port}"

    def start(self) -> None:
        """Answer from now on; nothing happens when it does already. :class:`OSError` when the address is taken."""
        if self._server is None:
            self._server = _Server((self.address, self.port), self)
            self.port = int(self._server.server_address[1])
            threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.1}, name="hub", daemon=True).start()

    def stop(self) -> None:
        """Break all connections and refuse new ones, as a network does that goes away."""
        server, self._server = self._server, None
        if server is not None:
            server.shutdown()
            server.server_close()
            server.hang_up()

    def __enter__(self) -> Hub:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def requests(self, method: str = "", containing: str = "") -> list[Transfer]:
        """Answered requests so far, those of one method and with a part in their path only."""
        with self._lock:
            return [one for one in self.transfers if one.method.startswith(method) and containing in one.path]

    def note(self, transfer: Transfer) -> None:
        """Remember an answered request."""
        with self._lock:
            self.transfers.append(transfer)
        if self.log:
            print(f"{transfer.method} {transfer.path} {transfer.status} from {transfer.first}: {transfer.sent} bytes", file=sys.stderr, flush=True)

    def fails(self) -> bool:
        """Whether the request for a file that has just come is one of those to be refused."""
        with self._lock:
            failing = self.failures > 0
            self.failures -= failing
            return failing

    def piece(self) -> int:
        """How many bytes to send at once, so that a slow transfer moves several times per second."""
        rate = self.rate
        return CHUNK if not rate else max(1, min(CHUNK, int(rate / 10)))

    def wait_for(self, size: int, gone: threading.Event) -> bool:
        """Wait until ``size`` more bytes may go out; False when the hub stopped meanwhile."""
        while self.rate == 0:
            if gone.wait(0.1):
                return False
        rate = self.rate
        if not rate:
            return not gone.is_set()
        with self._lock:
            now = time.monotonic()
            due = self._due = max(self._due, now) + size / rate
        return not gone.wait(due - now)


class _Server(ThreadingHTTPServer):
    """Knows its open connections, so that they can be broken."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 64

    def __init__(self, address: tuple[str, int], hub: Hub) -> None:
        self.hub = hub
        self.gone = threading.Event()
        self._open: set[socket.socket] = set()
        self._changed = threading.Condition()
        super().__init__(address, _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._changed:
            self._open.add(request)
        super().process_request(request, client_address)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            with self._changed:
                self._open.discard(request)
                self._changed.notify_all()

    def hang_up(self) -> None:
        """Break what is open, then wait a moment until every answer has noticed."""
        self.gone.set()
        with self._changed:
            for connection in self._open:
                try:
                    connection.shutdown(socket.SHUT_RDWR)
                except OSError:  # the other side was faster
                    continue
            self._changed.wait_for(lambda: not self._open, STOP_TIMEOUT)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes away is no error of the hub; anything else is."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    """One connection."""

    server: _Server
    protocol_version = "HTTP/1.1"
    server_version = "inferops-hub"

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing here: :meth:`Hub.note` records more."""

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def _answer(self) -> None:
        url = urlsplit(self.path)
        path, query = unquote(url.path), parse_qs(url.query)
        if path == "/":
            # Servers ask here whether a hub can be reached at all.
            self._say(200, {"hub": "inferops"})
        elif path.startswith(_MODELS):
            self._describe(path[len(_MODELS) :].rstrip("/"), query)
        else:
            self._resolve(path[1:])

    def _find(self, path: str, words: Iterable[str]) -> tuple[Repository, str, str] | None:
        """Repository, the word after its name, and what follows the word; None after an answer that there is none."""
        for name, repository in self.server.hub.repositories.items():
            if path == name:
                return repository, "", ""
            word, _slash, rest = path[len(name) + 1 :].partition("/")
            if path.startswith(f"{name}/") and word in words:
                return repository, word, rest
        self._say(404, {"error": "Repository not found"}, {"X-Error-Code": "RepoNotFound", "X-Error-Message": "Repository not found"})
        return None

    def _known(self, repository: Repository, revision: str) -> bool:
        """Whether the repository has this revision; the answer that it has not is given here."""
        if revision in (BRANCH, repository.commit):
            return True
        self._say(404, {"error": f"Invalid rev id: {revision}"}, {"X-Error-Code": "RevisionNotFound", "X-Error-Message": f"Invalid rev id: {revision}"})
        return False

    def _describe(self, path: str, query: Mapping[str, list[str]]) -> None:
        found = self._find(path, ("revision", "tree"))
        if found is None:
            return
        repository, word, rest = found
        if word == "tree":
            revision, _slash, folder = rest.partition("/")
            if self._known(repository, revision):
                entries = repository.tree(folder, query.get("recursive", [""])[0].lower() in ("true", "1"))
                self._say(200, entries) if entries else self._missing(repository)
        elif self._known(repository, rest or BRANCH):
            self._say(200, repository.information(query.get("blobs", [""])[0].lower() in ("true", "1")))

    def _resolve(self, path: str) -> None:
        found = self._find(path, ("resolve",))
        if found is None:
            return
        repository, _slash, rest = found
        revision, _slash, name = rest.partition("/")
        if self.server.hub.fails():
            self._say(503, {"error": "Service unavailable"})
        elif self._known(repository, revision):
            if name in repository.files:
                self._send(repository, name)
            else:
                self._missing(repository)

    def _missing(self, repository: Repository) -> None:
        self._say(
            404, {"error": "Entry not found"}, {"X-Error-Code": "EntryNotFound", "X-Error-Message": "Entry not found", "X-Repo-Commit": repository.commit}
        )

    def _say(self, status: int, body: Any, headers: Mapping[str, str] | None = None) -> None:
        """Answer with JSON."""
        data = json.dumps(body).encode()
        self._start(status, {"Content-Type": "application/json", "Content-Length": str(len(data)), **(headers or {})})
        if self.command != "HEAD":
            self.wfile.write(data)
        self.server.hub.note(Transfer(self.command, self.path, status, 0, 0 if self.command == "HEAD" else len(data)))

    def _start(self, status: int, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()

    def _send(self, repository: Repository, name: str) -> None:
        """Answer with a file or the part of it that was asked for, as fast as the hub allows."""
        size = repository.size(name)
        first, last, status = 0, size - 1, 200
        wanted = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        headers = {
            "Content-Type": "application/octet-stream",
            "ETag": f'"{repository.etag(name)}"',
            "X-Repo-Commit": repository.commit,
            "Accept-Ranges": "bytes",
        }
        if wanted:
            first, last, status = int(wanted[1]), min(int(wanted[2] or last), last), 206
            if first > last:
                self._start(416, {**headers, "Content-Range": f"bytes */{size}", "Content-Length": "0"})
                self.server.hub.note(Transfer(self.command, self.path, 416, first, 0))
                return
            headers["Content-Range"] = f"bytes {first}-{last}/{size}"
        self._start(status, {**headers, "Content-Length": str(last - first + 1)})
        sent = 0
        try:
            if self.command != "HEAD":
                with repository.files[name].open("rb") as content:
                    content.seek(first)
                    while sent <= last - first:
                        piece = content.read(min(self.server.hub.piece(), last - first + 1 - sent))
                        # A file that has become shorter cannot be sent to its end either.
                        if not piece or not self.server.hub.wait_for(len(piece), self.server.gone):
                            self.close_connection = True
                            return
                        self.wfile.write(piece)
                        sent += len(piece)
        finally:
            self.server.hub.note(Transfer(self.command, self.path, status, first, sent))


def _address(text: str) -> tuple[str, int]:
    """``ADDRESS:PORT`` taken apart."""
    address, _colon, port = text.rpartition(":")
    if not address or not port.isdigit():
        raise argparse.ArgumentTypeError(f"'{text}' is not ADDRESS:PORT")
    return address, int(port)


def _repository(text: str) -> tuple[str, Path]:
    """``ID=PATH`` taken apart."""
    name, equals, path = text.partition("=")
    if not equals or not path:
        raise argparse.ArgumentTypeError(f"'{text}' is not ID=PATH")
    return name, Path(path)


def main() -> int:
    """Serve until interrupted; the first line on standard output is the hub's URL, each answer is a line on standard error."""
    parser = argparse.ArgumentParser(description="A small model hub that serves files of this machine.")
    parser.add_argument("--listen", type=_address, metavar="ADDRESS:PORT", help="default: a free port where Docker's containers reach this machine")
    parser.add_argument("--repository", type=_repository, action="append", required=True, metavar="ID=PATH", help="a directory or one file; may be repeated")
    parser.add_argument("--rate", type=float, metavar="BYTES_PER_SECOND", help="for all transfers together; 0 lets nothing through")
    parser.add_argument("--fail-first", type=int, default=0, metavar="N", help="answer the first N requests for files with 503")
    arguments = parser.parse_args()
    # Blocked, also in the threads of the hub, until a caller waits for them.
    ends = (signal.SIGINT, signal.SIGTERM)
    signal.pthread_sigmask(signal.SIG_BLOCK, ends)
    try:
        address, port = arguments.listen or (bridge_address(), 0)
        hub = Hub(dict(arguments.repository), address=address, port=port, rate=arguments.rate, fail_first=arguments.fail_first, log=True)
        with hub:
            print(hub.endpoint, flush=True)
            signal.sigwait(ends)
    except (HubError, OSError) as error:
        print(f"hub: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
