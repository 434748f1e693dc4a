# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the launches are measured against: a client by hand that fires all of them at once and polls until every model is ready.

Usage: launch_by_hand.py FILE, where FILE holds JSON with endpoint, username, password and launches (bodies of POST /v1/models).
"""

from __future__ import annotations

import json
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import requests

#: Seconds between two polls of the server.
PAUSE = 1.0
TIMEOUT = 600.0


def main() -> int:
    """Launch everything in the file; 0 when all of it is ready."""
    task: dict[str, Any] = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    endpoint, launches = task["endpoint"], task["launches"]
    session = requests.Session()
    session.trust_env = False
    login = session.post(f"{endpoint}/token", json={"username": task["username"], "password": task["password"]}, timeout=30)
    login.raise_for_status()
    session.headers["Authorization"] = f"Bearer {login.json()['access_token']}"

    def launch(body: dict[str, Any]) -> None:
        session.post(f"{endpoint}/v1/models", params={"wait_ready": "false"}, json=body, timeout=60).raise_for_status()

    with ThreadPoolExecutor(len(launches)) as pool:
        list(pool.map(launch, launches))
    wanted, deadline = {body["model_uid"] for body in launches}, time.monotonic() + TIMEOUT
    while True:
        instances = session.get(f"{endpoint}/v1/models/instances", timeout=30).json()
        states = {instance["model_uid"]: instance["status"] for instance in instances if instance["model_uid"] in wanted}
        if set(states) == wanted and set(states.values()) == {"READY"}:
            return 0
        if "ERROR" in states.values() or time.monotonic() > deadline:
            print(f"launch by hand: {states}", file=sys.stderr)
            return 1
        time.sleep(PAUSE)


if __name__ == "__main__":
    sys.exit(main())
