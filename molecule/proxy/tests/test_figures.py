# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Figures through the proxy: with credentials of their own, and with nothing else."""

from __future__ import annotations

from typing import Any

from conftest import PASSWORD
from remote_figures import RemoteFigures

READER = ("figures", "marked-secret-of-the-reader")


class TestFigures(RemoteFigures):
    """What the network sees."""

    CREDENTIALS = READER
    ADMINISTRATOR = ("admin", PASSWORD)


def test_what_a_prometheus_elsewhere_reads_it_with(host: Any) -> None:
    folder, name = "/srv/elsewhere", "xinference-molecule-proxy"
    kept = host.file(f"{folder}/xinference-{name}.password")
    assert (kept.user, kept.group, kept.mode, kept.content_string) == ("root", "daemon", 0o640, f"{READER[1]}\n")
    assert 'ca_file: "/srv/elsewhere/ca.crt"' in host.file(f"{folder}/xinference_scrape-{name}.yml").content_string
