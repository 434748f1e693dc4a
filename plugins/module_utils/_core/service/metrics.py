# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the service knows, as figures for Prometheus. Private to this collection.

Nothing is measured before a client asks. What the service sees of the host is what its unit lets it see: files of the kernel, the certificate that the
proxy shows to everybody, and what units of root wrote down.
"""

from __future__ import annotations

import calendar
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..backup.status_file import last_backup
from ..declaration.model import DeclaredModel
from ..host.certificates import served_end
from ..host.resource_usage import container_memory, disks, host_memory
from ..observed.models import READY
from ..server.advisories import ADVISORIES, number, of_version
from .container_report import ContainerReport, kept
from .loop import Watcher
from .model_counts import ModelCounts
from .model_status import ModelStatus

__all__ = ["Family", "Metrics", "Places"]

_PREFIX = "xinference_service_"
#: Characters of a label's value. A uid has at most 100.
_LABEL = 200
#: Seconds for which the proxy may take to show its certificate, and for which that is not asked for again.
_SHOWN_WITHIN, _SHOWN_FOR = 2.0, 60.0


@dataclass
class Family:
    """Figures of one name.

    :param name: without what all of them begin with, and without ``_total`` or ``_info``.
    :param kind: gauge, counter, info or histogram.
    :param help: a sentence.
    :param samples: label → value, and the figure. Of a histogram, the counts by the ``BUCKETS`` of :mod:`.model_counts`, and the sum.
    """

    name: str
    kind: str
    help: str
    samples: list[tuple[dict[str, str], Any]] = field(default_factory=list)

    @property
    def full_name(self) -> str:
        """The name as others read it, without ``_total`` or ``_info``."""
        return _PREFIX + self.name

    def add(self, value: Any, **labels: str) -> None:
        """Add a figure; None for one that is not known."""
        if value is not None:
            self.samples.append(({name: _label(text) for name, text in labels.items()}, value))


def _label(text: str) -> str:
    """A text as the value of a label: of bounded length, and such that it can be encoded."""
    return text[:_LABEL].encode("utf-8", "replace").decode()


@dataclass(frozen=True)
class Places:
    """Where the service reads when it is asked for figures.

    :param report: file that a unit of root writes about the container; None for none.
    :param disks: directories whose file systems are measured.
    :param proxy: address and port of the proxy; None without one.
    :param backup: directory in which a unit of root writes about backups; None without backups.
    :param root: where the host's file system begins.
    """

    report: str | None = None
    disks: Sequence[str] = ()
    proxy: tuple[str, int] | None = None
    backup: str | None = None
    root: Path = Path("/")


class Metrics:
    """Makes the figures when it is asked for them; in another thread than the watcher, of which it only reads.

    :param watcher: what it is about.
    :param places: where else to read.
    :param clock: seconds from some moment on.
    """

    def __init__(self, watcher: Watcher, places: Places, clock: Callable[[], float] = time.monotonic) -> None:
        self.watcher = watcher
        self.places = places
        self.clock = clock
        #: When a poll ended last, in seconds since the epoch.
        self.polled: float | None = None
        #: Whether the proxy showed a certificate when it was asked last, until when that holds in seconds since the epoch, and when that was.
        self.shown: tuple[bool, float | None, float] | None = None

    def turned(self) -> None:
        """A poll has ended."""
        self.polled = time.time()

    def families(self) -> list[Family]:
        """All figures, as they are now; those that are not known are left out."""
        report = kept(self.places.report)
        parts = (self._service(report), self._models(), self._container(report), self._host(), self._proxy(), self._backup())
        return [family for part in parts for family in part if family.samples]

    def _service(self, report: ContainerReport | None) -> Iterator[Family]:
        connection = self.watcher.connection
        up = not connection.trouble
        yield _one("ready", "Whether every declared model has answered since it was made.", int(self.watcher.ready))
        yield _one("last_poll_timestamp_seconds", "When the service last ended a poll of the server.", self.polled)
        yield _one("server_up", "Whether the server answered at the last poll.", int(up))
        yield _one("server_workers", "Workers that the server reported last.", connection.workers if up else 0)
        version = report.version if report is not None and number(report.version) else None
        info = Family("server", "info", "The server.")
        known_bad = Family("known_bad_version", "gauge", "Whether others can run code on a server of this version, by what is public about it.")
        if version is not None:
            info.add(1, version=version)
            concerned = of_version(version)
            for advisory in ADVISORIES:
                # One that a key protects from is known by its version only where that knows no key.
                bad = advisory in concerned or (bool(advisory.variable) and advisory.first <= (number(version) or ()) < advisory.fixed)
                known_bad.add(int(bad), advisory=advisory.cve or f"versions {advisory.versions}")
        yield info
        yield known_bad

    def _models(self) -> Iterator[Family]:
        watcher, statuses = self.watcher, self.watcher.statuses
        declaration = watcher.declaration
        known: list[tuple[DeclaredModel, ModelStatus, ModelCounts]] = []
        for model in declaration.models if declaration else ():
            status = statuses.get(model.uid)
            if status is not None:
                known.append((model, status, statuses.counts.get(model.uid) or ModelCounts()))

        def family(name: str, kind: str, words: str, value: Callable[[ModelStatus, ModelCounts], Any], *, all_of_them: bool = False) -> Family:
            made = Family(f"model_{name}", kind, words)
            for model, status, counts in known:
                if all_of_them or model.state == "present":
                    made.add(value(status, counts), model=model.uid)
            return made

        declared = Family("model_declared", "gauge", "Whether a model of the declaration is to run (1) or not to run (0).")
        for model, _status, _counts in known:
            declared.add(int(model.state == "present"), model=model.uid)
        yield declared
        yield family("ready", "gauge", "Whether the server reports the model as ready.", lambda status, _: int(status.state == READY), all_of_them=True)
        yield family("answering", "gauge", "Whether the model has answered since it was made.", lambda status, _: int(status.answered > 0))
        yield family("launches", "counter", "Launches that the service asked for.", lambda _, counts: counts.launches)
        yield family(
            "launch_failures", "counter", "Tries that failed: a launch, or the first answer of a model that was ready.", lambda _, counts: counts.failures
        )
        yield family(
            "time_to_ready_seconds",
            "histogram",
            "Time from a launch, by whomever, until the model answered.",
            lambda _, counts: (tuple(counts.buckets), counts.seconds) if sum(counts.buckets) else None,
        )
        yield family("last_time_to_ready_seconds", "gauge", "The same of the last launch.", lambda _, counts: counts.last)
        yield family("last_answer_seconds", "gauge", "Time that the model's last answer to the service took.", lambda _, counts: counts.answer)
        yield family("last_answer_timestamp_seconds", "gauge", "When the model last answered the service.", lambda _, counts: counts.answered)
        yield family(
            "drift_fields",
            "gauge",
            "Fields in which the running model differs from its declaration.",
            lambda status, counts: counts.drift if status.state == READY else None,
        )

    def _container(self, report: ContainerReport | None) -> Iterator[Family]:
        if report is None:
            return
        yield _one("container_restarts", "Starts of the server's container after the first one that was seen.", report.restarts, "counter")
        yield _one("container_start_timestamp_seconds", "When the server's container was started.", report.started or None)
        memory = container_memory(report.cgroup) if report.cgroup else None
        if memory is None:
            return
        yield _one("container_oom_kills", "Processes of the container that were killed for lack of memory since its start.", memory.oom_kills, "counter")
        yield _one("container_memory_bytes", "Memory of the container, with the files that it read.", memory.used)
        yield _one("container_memory_working_set_bytes", "The same without files that were not read lately.", memory.working_set)
        yield _one("container_memory_limit_bytes", "Memory that the container may use.", memory.limit)

    def _host(self) -> Iterator[Family]:
        host = host_memory(self.places.root)
        yield _one("host_memory_bytes", "Memory of the host.", host.total)
        yield _one("host_memory_available_bytes", "Memory of the host that programs can get without swapping.", host.available)
        yield _one("host_swap_bytes", "Swap of the host.", host.swap_total)
        yield _one("host_swap_used_bytes", "Swap of the host in use.", host.swap_used)
        yield _one("host_swap_read_bytes", "Read from swap since the host started.", host.swapped_in, "counter")
        yield _one("host_swap_written_bytes", "Written to swap since the host started.", host.swapped_out, "counter")
        yield _one("host_oom_kills", "Processes that were killed for lack of memory since the host started.", host.oom_kills, "counter")
        total = Family("filesystem_bytes", "gauge", "Size of a file system with data of the server.")
        available = Family("filesystem_available_bytes", "gauge", "What can still be written to it.")
        for disk in disks(self.places.disks):
            total.add(disk.total, path=disk.path)
            available.add(disk.available, path=disk.path)
        yield total
        yield available

    def _proxy(self) -> Iterator[Family]:
        if self.places.proxy is None:
            return
        now = self.clock()
        if self.shown is None or not self.shown[0] or now - self.shown[2] >= _SHOWN_FOR:
            try:
                end = served_end(*self.places.proxy, _SHOWN_WITHIN)
                self.shown = (True, end.timestamp() if end else None, now)
            except OSError:
                self.shown = (False, None, now)
        yield _one("proxy_up", "Whether the proxy showed a certificate, in the last minute.", int(self.shown[0]))
        yield _one("proxy_certificate_end_timestamp_seconds", "Until when the certificate holds that the proxy shows.", self.shown[1])

    def _backup(self) -> Iterator[Family]:
        if self.places.backup is None:
            return
        found = last_backup(self.places.backup)
        yield _one("backup_configured", "Whether this host is to make backups.", 1)
        yield _one("backup_last_success_timestamp_seconds", "When the last backup was made and verified.", _epoch(found, "last_success"))
        yield _one("backup_last_attempt_timestamp_seconds", "When a backup was last tried.", _epoch(found, "last_attempt"))
        yield _one("backup_failed", "Whether the last try failed.", int(bool(found.get("failed"))) if found else None)


def _one(name: str, words: str, value: Any, kind: str = "gauge") -> Family:
    """A family of one figure; without any where the value is None."""
    made = Family(name, kind, words)
    made.add(value)
    return made


def _epoch(found: Mapping[str, Any], name: str) -> float | None:
    """A time of the status file, in seconds since the epoch; None where it is none."""
    try:
        return float(calendar.timegm(time.strptime(str(found.get(name)), "%Y-%m-%dT%H:%M:%SZ")))
    except ValueError:
        return None
