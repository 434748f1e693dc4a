# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files of a host that say which versions wrote its data, and how far an upgrade is. Standard library only. Private to this collection."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..base.bounded import read_json

__all__ = ["CHANGING", "RETURNED", "RETURNING", "STAYING", "UPGRADE", "VERSIONS", "read_record", "upgrade_facts"]

#: What runs is recorded in the first file, and an upgrade that has not ended in the second one.
VERSIONS, UPGRADE = "versions.json", "upgrade.json"
#: How far an upgrade is: on its way to the new image; the new server has served, and stays; on the way back; the data of before are back.
CHANGING, STAYING, RETURNING, RETURNED = "changing", "staying", "returning", "returned"
_BYTES = 1 << 16
_RECORDED = ("server", "image", "image_id", "collection", "client", "time")
_SIDE = ("image", "image_id", "server", "container_id")


def _texts(content: Any, names: tuple[str, ...]) -> dict[str, str]:
    """The fields of a record that are texts; empty ones where it has none."""
    found = content if isinstance(content, Mapping) else {}
    return {name: found[name][:500] if isinstance(found.get(name), str) else "" for name in names}


def read_record(directory: str | Path, name: str) -> Any:
    """What a file holds; None where there is none, or it is damaged."""
    with contextlib.suppress(OSError, ValueError):
        return read_json(Path(directory), [name], _BYTES)
    return None


def upgrade_facts(directory: str) -> dict[str, Any]:
    """What is recorded on a host.

    :param directory: of the files.
    :returns: ``versions`` (``server``, ``image``, ``image_id``, ``collection``, ``client`` and ``time`` of what wrote the server's data last, ``previous``,
        the same of what ran before, and ``refused``, the identifier of an image that was rolled back from; None where nothing is recorded) and ``upgrade``
        (``state``, changing, staying, returning or returned, ``from`` and ``to``, each with ``image``, ``image_id``, ``server`` and ``container_id``,
        ``snapshot`` and ``time``; None where none is under way).
    """
    found, under_way = read_record(directory, VERSIONS), read_record(directory, UPGRADE)
    versions = upgrade = None
    if isinstance(found, dict):
        before = found.get("previous")
        versions = {**_texts(found, (*_RECORDED, "refused")), "previous": _texts(before, _RECORDED) if isinstance(before, dict) else None}
    if under_way is not None or Path(directory, UPGRADE).is_file():
        # One that cannot be read was cut off somewhere.
        content = under_way if isinstance(under_way, dict) else {}
        state = content.get("state")
        upgrade = {
            **_texts(content, ("snapshot", "time")),
            "state": state if isinstance(state, str) and state in (STAYING, RETURNING, RETURNED) else CHANGING,
            "from": _texts(content.get("from"), _SIDE),
            "to": _texts(content.get("to"), _SIDE),
        }
    return {"versions": versions, "upgrade": upgrade}
