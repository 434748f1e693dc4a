# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files first: downloading without launching, on servers that can (since 3.4). Private to this collection.

The server answers a download when it has ended, which may be hours. So the request is left after a moment; the server goes on, and its
list of unfinished downloads tells the rest: a download that ended well is in it no more.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ..base.compare import same_size
from ..base.errors import ApiError, AuthenticationError
from ..base.messages import shown
from ..declaration.model import DeclaredModel
from ..declaration.specification import fitting, uris
from ..server.api import DownloadApi

__all__ = ["DOWNLOADS", "ENDED", "download", "is_cached", "other_source", "wanted_files"]

DOWNLOADS = ("first", "only", "with_launch")
ROUTE = "POST /v1/cache/models"
#: Fields of a launch request that choose the files.
_CHOOSE = ("model_name", "model_type", "model_engine", "model_format", "model_size_in_billions", "quantization", "download_hub", "multimodal_projector")
_REPOSITORY = re.compile(r"/models--([^/]+)(?:/|$)")
ENDED = frozenset({"failed", "interrupted", "paused", "cancelled"})


def wanted_files(model: DeclaredModel) -> bool:
    """Whether a model's files come from a hub, and not from a path of the server."""
    if model.given.get("path"):
        return False
    return model.registration is None or not uris(model.registration)


def _cached(model: DeclaredModel, rows: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """What the server has that may be a model's files; a field that is not declared matches any.

    :param rows: what the server has.
    """

    def fits(row: Mapping[str, Any], name: str, key: str) -> bool:
        wanted, actual = model.given.get(name), row.get(key)
        if wanted is None or actual is None:
            return True
        return same_size(wanted, actual) if name == "size_in_billions" else str(wanted).lower() == str(actual).lower()

    chosen = (("format", "model_format"), ("size_in_billions", "model_size_in_billions"), ("quantization", "quantization"))
    return [
        row
        for row in rows
        # Of files that somebody deleted, empty directories and links are left.
        if row.get("size_bytes") != 0
        and row.get("model_name") == model.name
        and str(row.get("model_type", model.type)).lower() == model.type.lower()
        and all(fits(row, *pair) for pair in chosen)
    ]


def is_cached(model: DeclaredModel, rows: Iterable[Mapping[str, Any]]) -> bool:
    """Whether the files of a model are on the server.

    :param rows: what the server has.
    """
    return bool(_cached(model, rows))


def other_source(model: DeclaredModel, rows: Iterable[Mapping[str, Any]]) -> str:
    """What is wrong where the server has files of another repository under the name of a model: it would load those, and fetch none.

    :param rows: what the server has.
    :returns: a sentence; empty where nothing is wrong, or nothing tells.
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


def _request(model: DeclaredModel) -> dict[str, Any]:
    """The download request of a model. The same files have the same name, so that an interrupted download is found again."""
    launch = model.launch_request()
    chosen = {key: launch[key] for key in _CHOOSE if launch.get(key) is not None}
    digest = hashlib.sha256(json.dumps(chosen, sort_keys=True).encode()).hexdigest()[:12]
    return {"cache_uid": f"{model.uid[:80]}.{digest}", **chosen}


def download(
    client: DownloadApi,
    model: DeclaredModel,
    late: Callable[[], bool],
    sleep: Callable[[], None],
    report: Callable[[str, dict[str, Any]], None],
) -> str:
    """Download the files of one model.

    :param late: whether the time is over.
    :param sleep: waits until the next look.
    :param report: told the state and how far it is, at each look.
    :returns: the server's words when it failed, else an empty text.
    """
    request = _request(model)
    name = request["cache_uid"]
    try:
        resumed = name in {row.get("cache_uid") for row in client.downloads()}
        if resumed:
            client.resume_download(name)
        done = False if resumed else client.cache(request)
        # A download that is gone on with is listed as failed until the server has begun with it.
        patience = 3 if resumed else 0
        while not done:
            row = next((row for row in client.downloads() if row.get("cache_uid") == name), None)
            if row is None:
                return ""
            patience -= 1
            if row.get("status") in ENDED and patience < 0:
                return str(row.get("error") or f"the download is {row['status']}")
            if late():
                return f"is downloading ({100 * float(row.get('progress') or 0):.0f} %) and not ready in time (wait_timeout); the download goes on"
            report("downloading", row)
            sleep()
    except AuthenticationError:
        raise
    except ApiError as error:
        return str(error)
    return ""
