# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The health check of a cluster's member, against answers of a supervisor and of what is none."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

SCRIPT = (Path(__file__).parents[4] / "roles/server/files/member_health.py").read_text(encoding="utf-8")
#: The host that stands for the supervisor, and how it names one of its workers.
HOST, WORKER = "localhost", "worker-1:30001"
OK = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n"
#: A long answer, of which the worker comes last.
JOINED = OK + b'{"uptime": 1, "workers": {"worker-2:30001": {"cpu": "' + b"x" * 200_000 + b'"}, "worker-1:30001": {}}}'
ALONE = OK + b'{"uptime": 1, "workers": {}}'
#: That of a supervisor which names its workers as null, or not at all.
NULL, SILENT = OK + b'{"uptime": 1, "workers": null}', OK + b'{"uptime": 1}'
MISSED = f"The supervisor {HOST} does not name {WORKER} among its workers"
STRANGE = f"GET /status of {HOST} answered 200, but not as a server does"


def check(answer: bytes | None, *arguments: str, endless: bool = False) -> subprocess.CompletedProcess[str]:
    """Run it against a supervisor that gives this answer; None for a port that nobody listens on. No proxy of the environment is asked.

    :param endless: repeat the answer for as long as anybody reads.
    """
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]

        def serve() -> None:
            connection, _address = server.accept()
            with connection:
                assert connection.recv(1000) == f"GET /status HTTP/1.0\r\nHost: {HOST}\r\n\r\n".encode()
                try:
                    connection.sendall(answer or b"")
                    while endless:
                        connection.sendall(answer or b"")
                except OSError:
                    # Who asked has gone.
                    assert endless

        if answer is None:
            server.close()
        else:
            threading.Thread(target=serve, daemon=True).start()
        return subprocess.run(
            (sys.executable, "-I", "-S", "-c", SCRIPT.replace("9997", str(port)), HOST, *arguments),
            capture_output=True,
            check=False,
            text=True,
            env={"HTTP_PROXY": "http://127.0.0.1:1", "http_proxy": "http://127.0.0.1:1"},
        )


@pytest.mark.parametrize(
    ("answer", "supervisor_says", "worker_says"),
    [
        (JOINED, "", ""),
        # Workers come and go: a supervisor without them is a healthy one.
        (ALONE, "", MISSED),
        (NULL, "", MISSED),
        (SILENT, "", MISSED),
        # Its name with another port, or the start of its name, is another worker.
        (OK + b'{"workers": {"worker-1:30002": {}, "worker-1:300011": {}, "worker-1": {}}}', "", MISSED),
        *(
            (answer, says, says)
            for answer, says in (
                (b"HTTP/1.1 503 Service Unavailable\r\n\r\nbusy", f"GET /status of {HOST} answered: 503 Service Unavailable busy"),
                (
                    b'HTTP/1.1 403 Forbidden\r\ndate: today\r\n\r\n{"detail":"Access denied"}',
                    f'GET /status of {HOST} answered: 403 Forbidden {{"detail":"Access denied"}}',
                ),
                (OK + b"nonsense", STRANGE),
                (OK + b"[]", STRANGE),
                (OK, STRANGE),
                (b"", f"GET /status of {HOST} answered: nothing"),
                (b"\r\n\r\n", f"GET /status of {HOST} answered: nothing"),
                (None, "does not answer: Connection refused"),
            )
        ),
    ],
)
def test_the_health_of_a_member(answer: bytes | None, supervisor_says: str, worker_says: str) -> None:
    for arguments, says in (((), supervisor_says), ((WORKER,), worker_says)):
        done = check(answer, *arguments)
        assert (done.returncode == 0) is (says == ""), done.stderr
        assert done.stderr.strip().endswith(says)
        # One sentence, and no traceback.
        assert done.stderr.count("\n") == (1 if says else 0)
        assert done.stdout == ""


def test_a_supervisor_that_cannot_be_found_is_named() -> None:
    done = subprocess.run((sys.executable, "-I", "-S", "-c", SCRIPT, "head.invalid", WORKER), capture_output=True, check=False, text=True)
    assert done.returncode == 1
    assert done.stderr.startswith("head.invalid:9997 does not answer: ")
    assert done.stderr.count("\n") == 1


def test_an_answer_without_end_is_read_only_so_far() -> None:
    done = check(OK + b'{"x": "' + b"x" * (1 << 20), WORKER, endless=True)
    assert (done.returncode, done.stderr.strip()) == (1, STRANGE)


@pytest.mark.parametrize(
    "answer",
    [b'{"workers": ["worker-1:30001"]}', b'{"workers": "worker-1:30001"}', b'{"workers": 7}', b'{"workers": [[]]}', b"[" * 200_000],
    ids=["list", "text", "number", "nested", "deep"],
)
def test_workers_of_another_kind_are_no_answer_of_a_supervisor(answer: bytes) -> None:
    done = check(OK + answer, WORKER)
    assert (done.returncode, done.stderr.strip()) == (1, STRANGE)
