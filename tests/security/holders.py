# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Those who have a credential of the host, and what the server answers to them."""

from __future__ import annotations

from typing import Any

import requests
from conftest import AUTOMATION, Site


def session(site: Site, username: str, password: str) -> requests.Session | None:
    """A client that logged in; None where the server refuses."""
    made = requests.Session()
    made.trust_env = False
    answer = made.post(f"{site.endpoint}/token", json={"username": username, "password": password}, timeout=60)
    if answer.status_code == 401:
        return None
    assert answer.status_code == 200, answer.text
    made.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
    return made


def status(site: Site, who: requests.Session | None, method: str, path: str, body: Any = None) -> int:
    """Of the answer to a client."""
    assert who is not None
    return who.request(method, f"{site.endpoint}{path}", json=body, timeout=120).status_code


def holder(site: Site, key: str | None = None) -> requests.Session:
    """An application with the key from its file, or another one."""
    made = requests.Session()
    made.trust_env = False
    made.headers["Authorization"] = f"Bearer {key or site.key()}"
    return made


def answers(site: Site, key: str | None = None, model: str = "text") -> int:
    """Status of the answer to an application that asks a model."""
    return status(site, holder(site, key), "POST", "/v1/completions", {"model": model, "prompt": "cat", "max_tokens": 1})


def automation(site: Site) -> requests.Session | None:
    """The automation, with the first password of its file that works, as module and service do."""
    passwords = AUTOMATION.read_text(encoding="utf-8").split()
    return next((found for found in (session(site, "automation", password) for password in passwords) if found), None)
