# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The process of the service: its command line, and its loop. Private to this collection."""

from __future__ import annotations

import argparse
import os
import platform
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable
from typing import Any

from ..base.errors import ClientMissing
from ..base.journal import log
from ..base.lock import Lock
from ..host.declaration_file import StoredDeclaration
from ..server.session import MISSING
from .exposition import Exposition
from .loop import Watcher
from .metrics import Metrics, Places
from .readiness import ReadinessServer
from .signals import Notifier, Stop
from .start_request import StartRequest
from .status_file import State
from .stored import DeclarationReader

__all__ = ["main"]


def serve(
    watcher: Watcher,
    stopped: Stop,
    *,
    state: State,
    notifier: Notifier,
    readiness: ReadinessServer,
    start_request: StartRequest,
    turned: Callable[[], None] = lambda: None,
) -> None:
    """Poll until stopped.

    :param turned: called after each poll.
    """
    notifier.notify(READY="1")
    watcher.changed = lambda: state.take(watcher)
    odd: set[str] = set()
    while not stopped.wait(0.0):
        readiness.open()
        try:
            pause = watcher.poll()
        except Exception as error:
            # A server that answers with something unheard-of must not end what looks after all other models.
            watcher.drop(f"{type(error).__name__}: {error}")
            where = traceback.format_exception(type(error), error, error.__traceback__)
            # Each once: it comes again with each poll.
            if where[-2] not in odd:
                odd.add(where[-2])
                for line in "".join(where).splitlines():
                    watcher.log(line)
            pause = watcher.intervals.odd
        state.take(watcher)
        turned()
        start_request.ask(watcher)
        count = sum(care.answered > 0 for care in watcher.statuses.values())
        notifier.notify(WATCHDOG="1", STATUS=watcher.connection.trouble or f"{count} of {len(watcher.wanted())} models answer")
        end = time.monotonic() + pause
        while not stopped.wait(min(max(end - time.monotonic(), 0.0), 20.0)) and time.monotonic() < end:
            notifier.notify(WATCHDOG="1")


def require_client(missing: Exception | None, reader: DeclarationReader) -> None:
    """Fail where no server can be asked, because this interpreter cannot import the client: its distribution was upgraded, or a package was removed.

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
    parser.add_argument("--declaration", required=True, help="file that a run stored")
    parser.add_argument("--lock", required=True, help="file that a run locks, too")
    parser.add_argument("--state", help="file to write what is known")
    parser.add_argument("--call", help="file to touch when the container is to be started")
    parser.add_argument("--inspect", help="file to touch when a report on the container is wanted")
    parser.add_argument("--report", help="file with the report on the container")
    parser.add_argument("--disk", action="append", default=[], help="directory whose file system is measured; may be given several times")
    parser.add_argument("--proxy-address", help="address of the proxy")
    parser.add_argument("--proxy-port", type=int, default=443, help="port of the proxy")
    parser.add_argument("--backup", help="directory with what became of the last backup")
    parser.add_argument("--address", default="127.0.0.1", help="address for load balancers")
    parser.add_argument("--port", type=int, default=0, help="port for load balancers; 0 for none")
    chosen = parser.parse_args()
    os.umask(0o077)
    stopped = Stop()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopped.set())
    reader = DeclarationReader(StoredDeclaration(chosen.declaration), log)
    notifier = Notifier(os.environ.get("NOTIFY_SOCKET"), float(os.environ.get("WATCHDOG_USEC") or 900e6) / 1e6)

    def connect() -> Any:
        require_client(MISSING, reader)
        client = reader.connect()
        # A relaunch may take long.
        client.before_each_request(lambda: notifier.notify(WATCHDOG="1"))
        return client

    def in_background(work: Callable[[], None]) -> None:
        threading.Thread(target=work, daemon=True).start()

    watcher = Watcher(connect, reader, log, lock=Lock(chosen.lock).try_hold, listens=reader.listens, background=in_background, brief=1.0)
    state = State(chosen.state)
    proxy = (chosen.proxy_address, chosen.proxy_port) if chosen.proxy_address else None
    metrics = Metrics(watcher, Places(chosen.report, chosen.disk, proxy, chosen.backup))
    readiness = ReadinessServer(state, chosen.address, chosen.port, log, notifier, exposed=Exposition(metrics.families))
    start_request = StartRequest(chosen.call, chosen.inspect)
    serve(watcher, stopped, state=state, notifier=notifier, readiness=readiness, start_request=start_request, turned=metrics.turned)
    return 0
