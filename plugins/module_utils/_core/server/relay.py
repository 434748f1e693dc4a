# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Requests to a server that no network reaches: they go through whoever talks to its container. Private to this collection."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from .session import AdapterBase

__all__ = ["ENDPOINT", "RelayAdapter", "Reply"]

#: What such a server is called; no request goes there.
ENDPOINT = "http://new-server:9997"


@dataclass(frozen=True)
class Reply:
    """An answer of a server.

    :param status: number of HTTP.
    :param reason: its words.
    :param content_type: what the body is, as HTTP has it.
    :param body: the content.
    """

    status: int
    reason: str
    content_type: str
    body: bytes


class RelayAdapter(AdapterBase):  # type: ignore[misc]
    """What a session of requests sends through.

    :param relay: takes method, path, headers and body of a request, and returns the answer. It raises OSError where there is none.
    """

    def __init__(self, relay: Callable[[str, str, Mapping[str, str], bytes], Reply]) -> None:
        super().__init__()
        self.relay = relay

    def send(self, request: Any, **_options: Any) -> Any:
        """The answer to a request."""
        import requests

        body = request.body or b""
        try:
            reply = self.relay(request.method, request.path_url, dict(request.headers), body if isinstance(body, bytes) else body.encode())
        except OSError as error:
            raise requests.ConnectionError(str(error), request=request) from error
        response = requests.Response()
        response.status_code, response.reason, response.url, response.request = reply.status, reply.reason, request.url, request
        response.headers["Content-Type"] = reply.content_type
        response.raw = io.BytesIO(reply.body)
        return response
