# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A worker starts when its supervisor answers, and not before."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from ansible_collections.inferops.xinference.tests.machine import wait_until

SCRIPT = (Path(__file__).parents[4] / "roles/server/files/start_worker.py").read_text(encoding="utf-8")


@contextmanager
def supervisor(*statuses: int) -> Iterator[tuple[int, list[str]]]:
    """Port of a server that answers with these, the last one again and again, and the paths that it was asked for."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(statuses[min(len(asked), len(statuses)) - 1])
            self.end_headers()

        def log_message(self, *_words: object) -> None:
            """Nothing is logged."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.server_port, asked
        finally:
            server.shutdown()
            thread.join()


def start(folder: Path, port: int, *arguments: str) -> subprocess.Popen[str]:
    """The script, with another port than the server's own, and a program in the worker's place that says its arguments."""
    program = folder / "xinference-worker"
    program.write_text(f"#!{sys.executable}\nimport sys\nprint(sys.argv[1:])\n", encoding="utf-8")
    program.chmod(0o755)
    script = SCRIPT.replace("9997", str(port)).replace("time.sleep(1)", "time.sleep(0.01)")
    return subprocess.Popen(
        (sys.executable, "-c", script, "127.0.0.1", *arguments), stdout=subprocess.PIPE, text=True, env={**os.environ, "PATH": f"{folder}:{os.environ['PATH']}"}
    )


@pytest.mark.parametrize("statuses", [(200,), (503, 404, 200)])
def test_it_waits_for_an_answer_and_becomes_the_worker(tmp_path: Path, statuses: tuple[int, ...]) -> None:
    with supervisor(*statuses) as (port, asked):
        said, _nothing = start(tmp_path, port, "-e", "http://head:9997", "-H", "a b").communicate()
    assert said.strip() == str(["-e", "http://head:9997", "-H", "a b"])
    assert asked == ["/status"] * len(statuses)


def test_it_does_not_start_while_nobody_answers(tmp_path: Path) -> None:
    with supervisor(503) as (port, asked):
        process = start(tmp_path, port)
        try:
            wait_until(lambda: len(asked) > 3, "it is asked again and again")
            assert process.poll() is None
        finally:
            process.kill()
            said, _nothing = process.communicate()
    assert said == ""
