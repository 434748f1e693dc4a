# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which files a server has of the declared models, and which a hub has to give: pure. Private to this collection."""

from __future__ import annotations

import re
from collections.abc import Iterable

from ..base.compare import same_size
from ..base.messages import shown
from ..declaration.model import DeclaredModel
from ..declaration.specification import fitting, uris
from ..server.rows import CachedRow

__all__ = ["is_cached", "other_source", "wanted_files"]

_REPOSITORY = re.compile(r"/models--([^/]+)(?:/|$)")


def wanted_files(model: DeclaredModel) -> bool:
    """Whether a model's files come from a hub, and not from a path of the server."""
    if model.given.get("path"):
        return False
    return model.registration is None or not uris(model.registration)


def _cached(model: DeclaredModel, rows: Iterable[CachedRow]) -> list[CachedRow]:
    """What the server has that may be a model's files; a field that is not declared matches any.

    :param rows: what the server has.
    """

    def fits(row: CachedRow, name: str, key: str) -> bool:
        wanted, actual = model.given.get(name), row.get(key)
        if wanted is None or actual is None:
            return True
        return same_size(wanted, actual) if name == "size_in_billions" else str(wanted).lower() == str(actual).lower()

    chosen = (("format", "model_format"), ("size_in_billions", "model_size_in_billions"), ("quantization", "quantization"))
    return [
        row
        for row in rows
        # Deleted files leave empty directories and links behind.
        if row.get("size_bytes") != 0
        and row.get("model_name") == model.name
        and str(row.get("model_type", model.type)).lower() == model.type.lower()
        and all(fits(row, *pair) for pair in chosen)
    ]


def is_cached(model: DeclaredModel, rows: Iterable[CachedRow]) -> bool:
    """Whether the files of a model are on the server.

    :param rows: what the server has.
    """
    return bool(_cached(model, rows))


def other_source(model: DeclaredModel, rows: Iterable[CachedRow]) -> str:
    """What is wrong where the server has files of another repository under the name of a model: it would load those, and fetch none.

    :param rows: what the server has.
    :returns: a sentence; empty where nothing is wrong, or nothing is known.
    """
    if model.registration is None:
        return ""
    wanted = [str(spec["model_id"]) for spec in fitting(model.registration, model.given, model.type) if spec.get("model_id")]
    # A directory of the hub's cache is named after the repository.
    found = [_REPOSITORY.search(str(row.get("real_path") or "")) for row in _cached(model, rows)]
    there = [match[1] for match in found if match is not None]
    if not wanted or not there or len(there) < len(found) or {name.replace("/", "--").lower() for name in wanted} & {name.lower() for name in there}:
        return ""
    return (
        f"Model '{model.uid}': registration.model_id is '{shown(wanted[0])}', but the server keeps files of '{shown(there[0].replace('--', '/', 1))}' under "
        f"the name '{shown(model.name)}' and would load those. Give the model another name, or remove them with module cached_models."
    )
