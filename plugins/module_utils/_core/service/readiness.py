# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The answer for load balancers. Private to this collection."""

from __future__ import annotations

import contextlib
import ipaddress
import json
import socket
import socketserver
import sys
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

from .signals import Notifier
from .status_file import State

#: Connections of load balancers that are answered at the same time.
_CONNECTIONS = 16
#: Further ones that wait for their turn, with the kernel.
_WAITING = 256
#: Seconds for a whole question: connections that nobody uses must not keep others waiting.
_QUESTION_SECONDS = 5


#: What makes the answer to /metrics: its type and content.
Exposed = Callable[[], "tuple[str, bytes]"]


class ReadinessServer:
    """Answers load balancers: /ready is 200 only while every declared model has answered, /live is 200 while the service gives signs of life.

    Programs of this host also get figures, at /metrics.

    A port that is taken is no reason to leave the models alone: it is tried again.

    :param state: what is answered.
    :param address: to listen on.
    :param port: to listen on; 0 for not at all.
    :param log: called with a line when the port is in use.
    :param notifier: knows the last sign of life.
    :param exposed: makes the figures; None for none.
    """

    def __init__(self, state: State, address: str, port: int, log: Callable[[str], None], notifier: Notifier, *, exposed: Exposed | None = None) -> None:
        self.state = state
        self.notifier = notifier
        self.exposed = exposed
        self.place = (address, port)
        self.log = log
        self.server: ThreadingHTTPServer | None = None
        self.trouble = ""

    def open(self) -> None:
        """Listen, unless it does so already."""
        if self.server is not None or not self.place[1]:
            return
        try:
            self.server = listening(self.state, *self.place, self.notifier.lives, self.exposed)
        except OSError as error:
            trouble = f"{self.place[0]}:{self.place[1]} cannot be listened on: {error.strerror}"
            if trouble != self.trouble:
                self.log(trouble)
            self.trouble = trouble


class Figures:
    """Answers to /metrics, one at a time: a disk that does not answer must not keep load balancers waiting, too.

    :param exposed: makes the figures; None for none.
    """

    def __init__(self, exposed: Exposed | None) -> None:
        self.exposed = exposed
        self.asked = threading.Lock()

    def answer(self, asker: str, here: str) -> tuple[int, str, bytes]:
        """Status, type and content of an answer.

        :param asker: address of whoever asks.
        :param here: address that was asked.
        """
        if self.exposed is None:
            return _words(404, "There are no figures here.")
        if not _is_on_this_host(asker, here):
            return _words(403, "Figures are for programs of this host alone.")
        if not self.asked.acquire(blocking=False):
            return _words(503, "Another client is asking for the figures at this moment; try it later.")
        try:
            return (200, *self.exposed())
        except ImportError:
            return _words(501, f"There are no figures: Python package prometheus-client is not installed in {sys.prefix}; see docs/monitoring.md.")
        finally:
            self.asked.release()


def _words(status: int, words: str) -> tuple[int, str, bytes]:
    """An answer of one sentence."""
    return status, "text/plain; charset=utf-8", f"{words}\n".encode()


def _is_on_this_host(asker: str, here: str) -> bool:
    """Whether a connection comes from this host: over loopback, or from the very address that it leads to."""
    try:
        address = ipaddress.ip_address(asker.partition("%")[0])
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return asker == here or (mapped or address).is_loopback


def listening(state: State, address: str, port: int, live: Callable[[], bool], exposed: Exposed | None = None) -> ThreadingHTTPServer:
    """The server behind a :class:`ReadinessServer`.

    :param live: whether the service gives signs of life.
    :param exposed: makes the figures; None for none.
    :raises OSError: when the port is taken.
    """
    figures = Figures(exposed)

    class Handler(BaseHTTPRequestHandler):
        timeout = _QUESTION_SECONDS

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
            kind, text = "application/json", json.dumps({"ready": state.now["ready"]}).encode()
            if path == "/metrics":
                status, kind, text = figures.answer(self.client_address[0], self.connection.getsockname()[0])
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            if body:
                self.wfile.write(text)

        def log_message(self, *_arguments: Any) -> None:
            """A load balancer asks each second: nothing for the journal."""

    class Listener(ThreadingHTTPServer):
        address_family = socket.AF_INET6 if ":" in address else socket.AF_INET
        daemon_threads = True
        request_queue_size = _WAITING
        #: Each connection has a thread for as long as it lasts, and systemd bounds these, the service's own among them.
        free = threading.BoundedSemaphore(_CONNECTIONS)
        #: When each of them was taken, by the monotonic clock.
        since: ClassVar[dict[socket.socket, float]] = {}
        #: A connection is closed by its thread, and ended by the listener; never at once, because its number may be another one's by then.
        ending = threading.Lock()

        def process_request(self, request: Any, client_address: Any) -> None:
            """Take a connection when there is room: many questions at once are all answered, one after the other."""
            while not self.free.acquire(timeout=0.1):
                self.end_slow()
            with self.ending:
                self.since[request] = time.monotonic()
            try:
                super().process_request(request, client_address)
            except RuntimeError:
                # There is no thread to be had; the caller closes the connection.
                self.free.release()
                raise

        def process_request_thread(self, request: Any, client_address: Any) -> None:
            """Answer it, in its thread."""
            try:
                super().process_request_thread(request, client_address)
            finally:
                self.free.release()

        def shutdown_request(self, request: Any) -> None:
            """Close a connection."""
            with self.ending:
                self.since.pop(request, None)
            super().shutdown_request(request)

        def end_slow(self) -> None:
            """End connections whose question is not complete in time, also those that send a character now and then."""
            with self.ending:
                for request, began in self.since.items():
                    if time.monotonic() - began > _QUESTION_SECONDS:
                        # Its thread reads the end of the question, and closes it.
                        with contextlib.suppress(OSError):
                            request.shutdown(socket.SHUT_RDWR)

        def handle_error(self, request: Any, client_address: Any) -> None:
            """A connection that breaks is nothing for the journal; anything else is."""
            if not isinstance(sys.exc_info()[1], OSError):
                super().handle_error(request, client_address)

        def server_bind(self) -> None:
            """Without looking up the name of the address, for which nobody asks, and which takes long where no resolver answers."""
            socketserver.TCPServer.server_bind(self)
            self.server_name, self.server_port = address, port

    server = Listener((address, port), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server
