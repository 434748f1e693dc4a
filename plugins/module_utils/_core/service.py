# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The service of a host: a watcher in front of its server, with a journal, a state file and an answer for load balancers. Private to this collection."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import platform
import select
import signal
import socket
import socketserver
import sys
import threading
import time
import traceback
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

from .client import MISSING, Client, connection_arguments, first_accepted
from .declared import parse_models
from .errors import ClientMissing, XinferenceError
from .journal import say
from .left import LeftDeclaration
from .lock import Lock
from .private_file import kept_secrets, marks, replace_private
from .watch import Declaration, Watcher
from .wishes import wishes_of

__all__ = ["Notifier", "Reader", "State", "main"]

#: Options that say where the server is and who logs in.
_CONNECTION = ("endpoint", "username", "password", "password_path", "timeout", "validate_certs", "ca_path", "listener_users", "allow_plain_http")


#: Options that a declaration has where a service is to use it.
_FOR_A_SERVICE = frozenset({"endpoint", "username", "password"})
#: Connections of load balancers at the same time.
_CONNECTIONS = 16


class Notifier:
    """Tells systemd that the service is there and alive; nothing where systemd did not start it.

    :param address: socket of systemd; a leading @ stands for an abstract one.
    :param patience: seconds without a sign of life after which systemd takes the service for dead.
    """

    def __init__(self, address: str | None, patience: float = 900.0) -> None:
        self.patience = patience
        self.address = "\0" + address[1:] if address and address.startswith("@") else address
        #: When the last sign of life was given, on the monotonic clock.
        self.alive = time.monotonic()

    def lives(self) -> bool:
        """Whether there was a sign of life lately."""
        return time.monotonic() - self.alive < self.patience

    def tell(self, **words: str) -> None:
        """Send variables, such as READY=1; WATCHDOG is a sign of life."""
        if "WATCHDOG" in words:
            self.alive = time.monotonic()
        if not self.address:
            return
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as line:
            line.sendto("\n".join(f"{name}={value}" for name, value in words.items()).encode(), self.address)


class Reader:
    """The declaration as it lies on the host now; the same object as long as nobody replaced it, or the password that goes with it.

    :param tell: takes a line when it cannot be read.
    """

    def __init__(self, left: LeftDeclaration, tell: Callable[[str], None]) -> None:
        self.left = left
        self.tell = tell
        self.marks: Any = None
        self.declaration: Declaration | None = None
        self.options: dict[str, Any] = {}

    def __call__(self) -> Declaration | None:
        """The declaration; what was read last when both copies were damaged since, and then they are made again from it."""
        # Taken before the reading, so that what is replaced meanwhile is read again.
        left = self._marks(str(self.left.path))
        if (left, self._marks(self.options.get("password_path"))) == self.marks:
            return self.declaration
        try:
            options = self.left.load()
            if options is not None and not options.keys() >= _FOR_A_SERVICE:
                # Of a run for which there was no service. The next one, which put this service here, is about to leave another.
                options = None
            # The engine belongs to root, and this service does not; it only would say why a process died.
            wishes = None if options is None else wishes_of({**options, "container": None})
            declaration = None
            if options is not None and wishes is not None:
                connection = [options.get(name) for name in _CONNECTION]
                declaration = Declaration(tuple(parse_models(options["models"], strict=False)), wishes, connection)
        except (OSError, KeyError, TypeError, ValueError, AttributeError, XinferenceError) as error:
            self.tell(f"the declaration cannot be used: {error}")
            options, declaration = self.options, self.declaration
            if options:
                with contextlib.suppress(XinferenceError):
                    self.left.save(options)
                    left = self._marks(str(self.left.path))
                    self.tell("the declaration is written again as it was read before")
        self.options, self.declaration = options or {}, declaration
        self.marks = (left, self._marks(self.options.get("password_path")))
        return declaration

    @staticmethod
    def _marks(path: str | None) -> tuple[Any, ...] | None:
        try:
            return marks(path) if path else None
        except OSError:
            return None

    def listens(self) -> bool:
        """Whether anything listens where the server should; it is asked for nothing."""
        address = urlparse(self.options["endpoint"])
        try:
            socket.create_connection((address.hostname, address.port or {"https": 443}.get(address.scheme, 80)), timeout=5).close()
        except OSError:
            return False
        return True

    def connect(self) -> Client:
        """A client that is logged in as the declaration says."""
        given = self.options
        passwords = [given["password"]]
        if not given["password"] and given.get("password_path"):
            # Read at each login, so that a new one counts from the next on.
            passwords = kept_secrets("password_path", given["password_path"]) or passwords

        def log_in(password: str | None) -> Client:
            # It is there for days, and is not what a restart shall wait for.
            return Client(given["endpoint"], password=password, keep_alive=False, **connection_arguments(given))

        return first_accepted(passwords, log_in)


class State:
    """What the service knows, for playbook ``status`` and for load balancers.

    :param path: of a file that is replaced when something changed.
    """

    def __init__(self, path: str | None) -> None:
        self.path = Path(path) if path else None
        self.now: dict[str, Any] = {"ready": False, "trouble": "not looked yet", "refused": False, "models": {}}
        self.written: dict[str, Any] | None = None

    def take(self, watcher: Watcher) -> None:
        """Take down what the watcher knows."""
        now = {
            "ready": watcher.ready,
            "trouble": watcher.trouble,
            "refused": watcher.refused,
            "models": {
                model.uid: {
                    "declared": model.state,
                    "state": watcher.cares[model.uid].state,
                    "answered": watcher.cares[model.uid].answered > 0,
                    "tries": watcher.cares[model.uid].tries,
                    "message": watcher.cares[model.uid].message,
                }
                for model in (watcher.declaration.models if watcher.declaration else ())
            },
        }
        self.now = now
        if now != self.written and self.path is not None:
            # A full disk must not end the service: the models are more important than what is written about them.
            with contextlib.suppress(OSError):
                replace_private(self.path, json.dumps(now, sort_keys=True) + "\n")
                self.written = now


class Beating:
    """A client that tells systemd with each of its calls that the service is alive: putting a model back may take long.

    :param client: the client.
    :param beat: called before each call.
    """

    def __init__(self, client: Any, beat: Callable[[], None]) -> None:
        self._client = client
        self._beat = beat

    def __getattr__(self, name: str) -> Any:
        self._beat()
        return getattr(self._client, name)


class Doorbell:
    """Answers load balancers: /ready is 200 only while every declared model has answered, /live is 200 while the service gives signs of life.

    A port that is taken is no reason to leave the models alone: it is tried again.

    :param state: what is answered.
    :param address: to listen on.
    :param port: to listen on; 0 for not at all.
    :param tell: takes a line when the port is taken.
    :param notifier: knows the last sign of life.
    """

    def __init__(self, state: State, address: str, port: int, tell: Callable[[str], None], notifier: Notifier) -> None:
        self.state = state
        self.notifier = notifier
        self.place = (address, port)
        self.tell = tell
        self.server: ThreadingHTTPServer | None = None
        self.trouble = ""

    def open(self) -> None:
        """Listen, unless it does so already."""
        if self.server is not None or not self.place[1]:
            return
        try:
            self.server = listening(self.state, *self.place, self.notifier.lives)
        except OSError as error:
            trouble = f"{self.place[0]}:{self.place[1]} cannot be listened on: {error.strerror}"
            if trouble != self.trouble:
                self.tell(trouble)
            self.trouble = trouble


class Caller:
    """Asks for the container to be looked at when nothing listens where the server should, or the server is of no use for long.

    :param path: of a file that systemd watches; None asks nobody.
    """

    #: Seconds for which the engine may bring the container back by itself, for which a server may be of no use, and between two calls.
    patience, longer, pause = 10.0, 120.0, 30.0

    def __init__(self, path: str | None) -> None:
        self.path = Path(path) if path else None
        self.called: float | None = None

    def heed(self, watcher: Watcher) -> None:
        """Call, if it has been so for long enough."""
        since, patience = (watcher.useless, self.longer) if watcher.unreachable is None else (watcher.unreachable, self.patience)
        if since is None:
            self.called = None
            return
        now = watcher.clock()
        if self.path is None or now - since < patience or (self.called is not None and now - self.called < self.pause):
            return
        self.called = now
        with contextlib.suppress(OSError):
            # Its time is what systemd looks at, so that a full disk keeps nobody from calling.
            self.path.touch(mode=0o600)
            os.utime(self.path)


def listening(state: State, address: str, port: int, live: Callable[[], bool]) -> ThreadingHTTPServer:
    """The server behind a :class:`Doorbell`.

    :param live: whether the service gives signs of life.
    :raises OSError: when the port is taken.
    """

    class Handler(BaseHTTPRequestHandler):
        #: Seconds for a whole question: connections that nobody uses must not use up the service's threads.
        timeout = 5

        def do_GET(self) -> None:
            """Answer one question."""
            self.answer(body=True)

        def do_HEAD(self) -> None:
            """The same without a body: what some load balancers ask."""
            self.answer(body=False)

        def do_OPTIONS(self) -> None:
            """What others ask."""
            self.answer(body=True)

        def answer(self, *, body: bool) -> None:
            """Send status and what is known."""
            known = {"/ready": state.now["ready"], "/live": live()}
            path = self.path.partition("?")[0]
            status = 404 if path not in known else 200 if known[path] else 503
            text = json.dumps({"ready": state.now["ready"]}).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            if body:
                self.wfile.write(text)

        def log_message(self, *_arguments: Any) -> None:
            """A load balancer asks each second: nothing for the journal."""

    class Listener(ThreadingHTTPServer):
        address_family = socket.AF_INET6 if ":" in address else socket.AF_INET
        daemon_threads = True
        #: Each connection has a thread for as long as it lasts, and systemd bounds these, the service's own among them.
        free = threading.BoundedSemaphore(_CONNECTIONS)

        def process_request(self, request: Any, client_address: Any) -> None:
            """Take a connection, unless there are too many."""
            if self.free.acquire(blocking=False):
                super().process_request(request, client_address)
            else:
                self.shutdown_request(request)

        def process_request_thread(self, request: Any, client_address: Any) -> None:
            """Answer it, in its thread."""
            try:
                super().process_request_thread(request, client_address)
            finally:
                self.free.release()

        def server_bind(self) -> None:
            """Without looking up the name of the address, for which nobody asks, and which takes long where no resolver answers."""
            socketserver.TCPServer.server_bind(self)
            self.server_name, self.server_port = address, port

    server = Listener((address, port), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


class Stop:
    """Whether the service was told to end, by a signal.

    No :class:`threading.Event`: it has a lock, and a signal that interrupts the main thread while that holds it would wait for it forever.
    """

    def __init__(self) -> None:
        self._read, self._write = os.pipe()
        # Whoever says it more often than the pipe holds has been heard.
        os.set_blocking(self._write, False)

    def set(self) -> None:
        """End; also from within a signal's handler."""
        with contextlib.suppress(BlockingIOError):
            os.write(self._write, b".")

    def wait(self, seconds: float) -> bool:
        """Whether it is to end, after that many seconds at most."""
        return bool(select.select([self._read], [], [], seconds)[0])


def serve(watcher: Watcher, stopped: Stop, *, state: State, notifier: Notifier, doorbell: Doorbell, caller: Caller) -> None:
    """Look until told to stop."""
    notifier.tell(READY="1")
    watcher.changed = lambda: state.take(watcher)
    odd: set[str] = set()
    while not stopped.wait(0.0):
        doorbell.open()
        try:
            pause = watcher.look()
        except Exception as error:
            # A server that answers with something unheard-of must not end what looks after all other models.
            watcher.drop(f"{type(error).__name__}: {error}")
            where = traceback.format_exception(type(error), error, error.__traceback__)
            # Each once: it comes again with each look.
            if where[-2] not in odd:
                odd.add(where[-2])
                for line in "".join(where).splitlines():
                    watcher.tell(line)
            pause = watcher.pace.odd
        state.take(watcher)
        caller.heed(watcher)
        count = sum(care.answered > 0 for care in watcher.cares.values())
        notifier.tell(WATCHDOG="1", STATUS=watcher.trouble or f"{count} of {len(watcher.wanted())} models answer")
        end = time.monotonic() + pause
        while not stopped.wait(min(max(end - time.monotonic(), 0.0), 20.0)) and time.monotonic() < end:
            notifier.tell(WATCHDOG="1")


def require_client(missing: Exception | None, reader: Reader) -> None:
    """Say why no server can be asked, where this interpreter cannot import the client: its distribution was upgraded, or somebody removed a package.

    :param missing: what the import raised; None where it went well.
    :param reader: of the declaration.
    :raises ClientMissing: when it went wrong.
    """
    if missing is None:
        return
    words = (
        f"{sys.executable} (Python {platform.python_version()}) cannot import xinference-client ({missing}), so no model can be brought back; provision again"
    )
    raise ClientMissing(words, listens=reader.listens())


def main() -> int:
    """Command line of the service."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--declaration", required=True, help="file that a converge left")
    parser.add_argument("--lock", required=True, help="file that a converge locks, too")
    parser.add_argument("--state", help="file to write what is known")
    parser.add_argument("--call", help="file to touch when the container is to be started")
    parser.add_argument("--address", default="127.0.0.1", help="address for load balancers")
    parser.add_argument("--port", type=int, default=0, help="port for load balancers; 0 for none")
    chosen = parser.parse_args()
    os.umask(0o077)
    stopped = Stop()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopped.set())
    reader = Reader(LeftDeclaration(chosen.declaration), say)
    notifier = Notifier(os.environ.get("NOTIFY_SOCKET"), float(os.environ.get("WATCHDOG_USEC") or 900e6) / 1e6)

    def connect() -> Any:
        require_client(MISSING, reader)
        return Beating(reader.connect(), lambda: notifier.tell(WATCHDOG="1"))

    def in_background(work: Callable[[], None]) -> None:
        threading.Thread(target=work, daemon=True).start()

    watcher = Watcher(connect, reader, say, lock=Lock(chosen.lock).try_hold, listens=reader.listens, background=in_background, brief=1.0)
    state = State(chosen.state)
    doorbell = Doorbell(state, chosen.address, chosen.port, say, notifier)
    serve(watcher, stopped, state=state, notifier=notifier, doorbell=doorbell, caller=Caller(chosen.call))
    return 0
