# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files first: downloading without launching, on servers that can (since 3.4). Private to this collection.

The server answers a download when it has ended, which may be hours. So the request is dropped after a moment; the server goes on, and its
list of unfinished downloads shows the rest: a download that ended well is no longer in it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from typing import Any

from ..base.errors import ApiError, AuthenticationError
from ..declaration.model import DeclaredModel
from ..server.api import DownloadApi
from ..server.rows import Progress

__all__ = ["DOWNLOADS", "ENDED", "download"]

DOWNLOADS = ("first", "only", "with_launch")
ROUTE = "POST /v1/cache/models"
#: Fields of a launch request that choose the files.
_CHOOSE = ("model_name", "model_type", "model_engine", "model_format", "model_size_in_billions", "quantization", "download_hub", "multimodal_projector")
ENDED = frozenset({"failed", "interrupted", "paused", "cancelled"})


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
    report: Callable[[str, Progress], None],
) -> str:
    """Download the files of one model.

    :param late: whether the time is over.
    :param sleep: waits until the next poll.
    :param report: called at each poll with the state and how far it is.
    :returns: the server's words when it failed, else an empty text.
    """
    request = _request(model)
    name = request["cache_uid"]
    try:
        resumed = name in {row.get("cache_uid") for row in client.downloads()}
        if resumed:
            client.resume_download(name)
        done = False if resumed else client.cache(request)
        # A resumed download is listed as failed until the server has begun with it.
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
