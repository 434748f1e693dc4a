# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The table of versions on which others can run code: what is a version, which range it is in, and the sentences."""

from __future__ import annotations

import pytest

from ansible_collections.inferops.xinference.plugins.module_utils._core.server.advisories import (
    ADVISORIES,
    Advisory,
    number,
    of_version,
    older_client,
    sentences,
)

EVAL, ACTORS = "CVE-2026-61539", "CVE-2026-49950"


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("1.17.1", (1, 17, 1)),
        ("v4.1.0", (4, 1, 0)),
        ("v1.17.1-cpu", (1, 17, 1)),
        ("v2.6.1-cu128", (2, 6, 1)),
        ("2.11.0-our_own.build", (2, 11, 0)),
        ("", None),
        (None, None),
        ("nightly-main", None),
        ("latest-cpu", None),
        ("4.1", None),
        ("4.1.0.1", None),
        ("4.1.0rc1", None),
        ("4.1.0-", None),
        ("4.1.0\n", None),
        ("V4.1.0", None),
        ("4.1.٣", None),
        ("1.1." + "1" * 5000, None),
        ("sha256:" + "0f" * 32, None),
    ],
)
def test_what_is_a_version(text: str | None, version: tuple[int, int, int] | None) -> None:
    assert number(text) == version


@pytest.mark.parametrize(
    ("text", "cves", "refused"),
    [
        ("0.0.0", [EVAL], False),
        ("1.17.1", [EVAL], False),
        ("v2.5.9-cpu", [EVAL], False),
        ("v2.6.0-cpu", ["", EVAL], True),
        ("2.6.2", ["", EVAL], True),
        ("2.6.3", [EVAL], False),
        ("2.10.99", [EVAL], False),
        ("2.11.0", [], False),
        ("v4.1.0-cpu", [], False),
        ("nightly-main", [], False),
    ],
)
def test_which_versions_are_in_which_range(text: str, cves: list[str], refused: bool) -> None:
    found = of_version(text)
    assert [advisory.cve for advisory in found] == cves
    assert any(advisory.refused for advisory in found) == refused


def test_the_image_itself_decides_where_it_was_checked() -> None:
    """And not the version, which reveals too little of an image that a user made."""
    assert sentences("2.11.0", {}) == []
    assert sentences("2.11.0", {"XOSCAR_AUTH_KEY": True}) == []
    (sentence,) = sentences("4.1.0", {"XOSCAR_AUTH_KEY": False})
    assert sentence == (
        "This server runs what anybody sends who reaches the container's own ports, such as users of the host, and asks for no key there "
        f"({ACTORS}, versions before 4.0.1)."
    )


def test_a_sentence_names_version_number_and_range() -> None:
    assert sentences("v2.6.1-cpu", {}) == [
        "Xinference 2.6.1 was put on the package index by an attacker (versions from 2.6.0 and before 2.6.3).",
        "Xinference 2.6.1 evaluates what a model answers as Python, so that whoever may ask a model can run code in the container "
        f"({EVAL}, versions before 2.11.0).",
    ]


@pytest.mark.parametrize("advisory", ADVISORIES, ids=lambda advisory: advisory.why)
def test_what_is_refused_is_decided_by_the_version(advisory: Advisory) -> None:
    assert advisory.first < advisory.fixed
    assert not (advisory.refused and advisory.variable)


@pytest.mark.parametrize(
    ("client", "server", "said"),
    [
        ("4.1.0", "4.1.0", False),
        ("4.1.0", "v1.17.1-cpu", False),
        ("4.0.0", "4.1.0", False),
        ("3.5.0", "v4.1.0-cpu", True),
        (None, "4.1.0", False),
        ("3.5.0", "nightly-main", False),
    ],
)
def test_a_client_of_an_older_major_version_is_named(client: str | None, server: str, said: bool) -> None:
    words = [f"The client {client} is older than the server {server}, and may not know what that answers: set xinference_client_version."]
    assert older_client(client, server) == (words if said else [])
