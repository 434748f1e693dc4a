# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the service at rest is measured against: a poller by hand that asks the same API at the same interval, and compares the answer with the one before.

Usage: poll_by_hand.py FILE, where FILE holds JSON with endpoint, username, password and interval (seconds). It prints a line after its first answer, and ends
when it is terminated.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import requests


def main() -> None:
    """Poll until terminated."""
    task: dict[str, Any] = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    endpoint = task["endpoint"]
    session = requests.Session()
    session.trust_env = False
    login = session.post(f"{endpoint}/token", json={"username": task["username"], "password": task["password"]}, timeout=30)
    login.raise_for_status()
    # The service keeps no connection open either.
    session.headers.update({"Authorization": f"Bearer {login.json()['access_token']}", "Connection": "close"})
    before: list[dict[str, Any]] | None = None
    while True:
        answer = session.get(f"{endpoint}/v1/models/instances", timeout=30)
        answer.raise_for_status()
        instances = answer.json()
        if before is None:
            print("polling", flush=True)
        elif instances != before:
            print("changed", flush=True)
        before = instances
        time.sleep(task["interval"])


if __name__ == "__main__":
    main()
