# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a server answers to a client without an account."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml

#: What a provisioned host may show of itself; the tests compare.
EXPOSED: dict[str, Any] = yaml.safe_load((Path(__file__).parent / "security/exposed.yml").read_text(encoding="utf-8"))
#: Answers to a client that should have logged in.
REFUSALS = (401, 403)
#: Pages that the server does not name among its calls.
PAGES = ("/", "/docs", "/redoc", "/openapi.json", "/metrics", "/favicon.ico")


def answered(described: Mapping[str, Any], ask: Callable[..., int], more: Iterable[str] = ()) -> dict[str, int]:
    """Calls that are answered with anything but a refusal, with the status.

    :param described: the server's own description of its API.
    :param ask: gives the status of a method, a path and perhaps a body as ``json``.
    :param more: further pages.
    """
    calls = {(method.upper(), path) for path, methods in described["paths"].items() for method in methods}
    found = {}
    for method, path in sorted(calls | {("GET", page) for page in (*PAGES, *more)}):
        body: dict[str, dict[str, str]] = {"json": {}} if method in ("POST", "PUT", "PATCH") else {}
        status = ask(method, re.sub(r"\{[^}]*\}", "anything", path), **body)
        if status not in REFUSALS:
            found[f"{method} {path}"] = status
    return found
