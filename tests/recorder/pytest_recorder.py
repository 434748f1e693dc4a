# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A plugin of pytest: records how long each test took, and shows the log of the server's container beside a failure."""

from __future__ import annotations

import subprocess
from collections.abc import Generator
from pathlib import Path

import pytest

from ansible_collections.inferops.xinference.tests.machine import record

#: Tests that work on the container of other ones.
_CONTAINERS = {"tests": "models"}
_LINES = 40


def _logs(path: Path) -> str:
    """The last lines of the containers that the tests of a directory started; empty where there are none."""
    prefix = f"xinference-{_CONTAINERS.get(path.parent.name, path.parent.name)}"
    listed = subprocess.run(("docker", "ps", "--all", "--format", "{{.Names}}\t{{.Status}}"), capture_output=True, text=True, check=False)
    texts = []
    for line in listed.stdout.splitlines():
        name, _tab, status = line.partition("\t")
        if name.startswith(prefix):
            log = subprocess.run(("docker", "logs", "--tail", str(_LINES), name), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
            texts.append(f"{name} ({status}):\n{log.stdout}")
    return "\n".join(texts)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Add the containers' logs to the report of a failure, while they are still there."""
    report = yield
    if report.failed and "unit" not in item.path.parts:
        try:
            text = _logs(item.path)
        except OSError:
            text = ""
        if text:
            report.sections.append(("the server's log", text))
    return report


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Record the seconds of a test, with those of its fixtures."""
    record("test", name=report.nodeid, when=report.when, seconds=round(report.duration, 3))
