# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Versions of Xinference of which it is public that others can run code there: one table, and whom the warnings are for. Private to this collection."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["ADVISORIES", "Advisory", "number", "of_version", "older_client", "sentences"]

#: A version alone or as it begins the tag of an image.
_VERSION = re.compile(r"v?(\d{1,9})\.(\d{1,9})\.(\d{1,9})(?:-[A-Za-z0-9_.-]+)?", re.ASCII)
Version = tuple[int, int, int]


@dataclass(frozen=True)
class Advisory:
    """What is known of a range of versions.

    :param first: the first version of the range.
    :param fixed: the first version behind it that is free of this.
    :param why: what such a server does: the end of a sentence that begins with the server.
    :param cve: its public number; empty where it has none.
    :param refused: whether preflight refuses these versions.
    :param variable: the environment variable by which a server that is free of it is known, whatever its version; empty where the version decides.
    """

    first: Version
    fixed: Version
    why: str
    cve: str = ""
    refused: bool = False
    variable: str = ""

    @property
    def versions(self) -> str:
        """The range in words."""
        fixed = "before " + ".".join(map(str, self.fixed))
        return fixed if self.first == (0, 0, 0) else f"from {'.'.join(map(str, self.first))} and {fixed}"

    def of(self, who: str) -> str:
        """One sentence.

        :param who: what it begins with, such as ``Xinference 1.17.1``.
        """
        return f"{who} {self.why} ({', '.join(filter(None, [self.cve, f'versions {self.versions}']))})."


#: Where the fix of a range is not known, it ends with the oldest version that was checked and is free of it.
ADVISORIES = (
    Advisory((2, 6, 0), (2, 6, 3), "was put on the package index by an attacker", refused=True),
    Advisory(
        (0, 0, 0),
        (2, 11, 0),
        "evaluates what a model answers as Python, so that whoever may ask a model can run code in the container",
        cve="CVE-2026-61539",
    ),
    Advisory(
        (0, 0, 0),
        (4, 0, 1),
        "runs what anybody sends who reaches the container's own ports, such as users of the host, and asks for no key there",
        cve="CVE-2026-49950",
        variable="XOSCAR_AUTH_KEY",
    ),
)


def number(text: str | None) -> Version | None:
    """The version that a text is, such as ``4.1.0``, ``v4.1.0`` or the tag ``v4.1.0-cpu``; None where it is something else, such as a digest."""
    matched = _VERSION.fullmatch(text or "")
    return (int(matched[1]), int(matched[2]), int(matched[3])) if matched else None


def of_version(text: str | None) -> list[Advisory]:
    """What is known of a version or of an image's tag, as far as the version decides; nothing where the text is no version.

    :param text: as for :func:`number`.
    """
    version = number(text)
    return [] if version is None else [advisory for advisory in ADVISORIES if not advisory.variable and advisory.first <= version < advisory.fixed]


def sentences(text: str | None, environment: Mapping[str, bool]) -> list[str]:
    """What is known of a server, one sentence each.

    :param text: its version or the tag of its image, as for :func:`number`.
    :param environment: as ``server_environment`` of module ``host_info``: by name, whether a variable has a value. One that is not there was not looked for.
    """
    name = f"Xinference {'.'.join(map(str, number(text) or ()))}"
    lacking = (advisory for advisory in ADVISORIES if advisory.variable and not environment.get(advisory.variable, True))
    return [*(advisory.of(name) for advisory in of_version(text)), *(advisory.of("This server") for advisory in lacking)]


def older_client(client: str | None, server: str | None) -> list[str]:
    """A sentence where a client is of an older major version than the server that it asks.

    :param client: version of the client.
    :param server: version of the server, or the tag of its image.
    """
    own, other = number(client), number(server)
    if own is None or other is None or own[0] >= other[0]:
        return []
    return [f"The client {client} is older than the server {server}, and may not know what that answers: set xinference_client_version."]
