# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is public of the version of a server."""

from __future__ import annotations

import pytest

from ansible_collections.inferops.xinference.plugins.filter.server_advisories import FilterModule as ServerAdvisories

server_advisories = ServerAdvisories().filters()["server_advisories"]


@pytest.mark.parametrize(
    ("tag", "environment", "cves"),
    [
        ("v4.1.0-cpu", {"XOSCAR_AUTH_KEY": True}, []),
        ("v1.17.1-cpu", {}, ["CVE-2026-61539"]),
        ("v1.17.1-cpu", {"XOSCAR_AUTH_KEY": False}, ["CVE-2026-61539", "CVE-2026-49950"]),
        # The image itself counts for more than its tag.
        ("v4.1.0-cpu", {"XOSCAR_AUTH_KEY": False}, ["CVE-2026-49950"]),
        ("nightly-main", {"XOSCAR_AUTH_KEY": False}, ["CVE-2026-49950"]),
    ],
)
def test_what_a_server_is_open_to(tag: str, environment: dict[str, bool], cves: list[str]) -> None:
    found = server_advisories({"server_environment": environment}, tag)
    assert [sentence.partition("(")[2].partition(",")[0] for sentence in found] == cves


@pytest.mark.parametrize(("tag", "cluster", "warned"), [("v3.1.0-cpu", True, 1), ("v3.1.0-cpu", False, 0), ("v3.5.0-cpu", True, 0), ("own", True, 0)])
def test_a_cluster_of_an_older_version(tag: str, cluster: bool, warned: int) -> None:
    found = server_advisories({"server_environment": {}}, tag, cluster=cluster)
    assert [sentence.startswith("A cluster of Xinference 3.1.0 may miss models") for sentence in found] == [True] * warned


def test_an_older_client_is_named() -> None:
    found = server_advisories({"server_environment": {}}, "v4.1.0-cpu", "3.5.0")
    assert [sentence for sentence in found if sentence.startswith("The client 3.5.0 is older than the server v4.1.0-cpu")] == found
    assert len(found) == 1
