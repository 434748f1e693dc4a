# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the restart is measured against: a client by hand that waits for a worker, fires all launches at once and lets every model answer.

Usage: restore_by_hand.py FILE [--only-wait], where FILE holds JSON with endpoint, username, password, launches (bodies of POST /v1/models) and types by uid.
With --only-wait it launches nothing, and says when everything answered that others brought back: both sides are watched by the same eyes.
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
PAUSE = 0.3
TIMEOUT = 600.0


def main() -> int:
    """0 when every model has answered."""
    task: dict[str, Any] = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    endpoint, launches = task["endpoint"], [] if "--only-wait" in sys.argv else task["launches"]
    session = requests.Session()
    session.trust_env = False
    deadline = time.monotonic() + TIMEOUT

    def call(method: str, path: str, **options: Any) -> Any:
        answer = session.request(method, f"{endpoint}{path}", timeout=60, **options)
        if answer.status_code >= 400:
            raise requests.HTTPError(f"{method} {path}: {answer.status_code} {answer.text[:200]}")
        return answer.json()

    def worker_is_there() -> bool:
        try:
            if "Authorization" not in session.headers:
                login = call("POST", "/token", json={"username": task["username"], "password": task["password"]})
                session.headers["Authorization"] = f"Bearer {login['access_token']}"
            return bool(call("GET", "/status").get("workers"))
        except (requests.RequestException, ValueError):
            return False

    def launch(body: dict[str, Any]) -> None:
        call("POST", "/v1/models", params={"wait_ready": "false"}, json=body)

    def answers(uid: str) -> bool:
        try:
            if task["types"][uid] == "embedding":
                return bool(call("POST", "/v1/embeddings", json={"model": uid, "input": "a cat"})["data"][0]["embedding"])
            return "choices" in call("POST", "/v1/completions", json={"model": uid, "prompt": "Hello", "max_tokens": 1})
        except requests.RequestException:
            return False

    while not worker_is_there():
        if time.monotonic() > deadline:
            print("restore by hand: no worker", file=sys.stderr)
            return 1
        time.sleep(PAUSE)
    if launches:
        with ThreadPoolExecutor(len(launches)) as pool:
            list(pool.map(launch, launches))
    waiting = set(task["types"])
    while waiting:
        if time.monotonic() > deadline:
            print(f"restore by hand: {sorted(waiting)} did not answer", file=sys.stderr)
            return 1
        time.sleep(PAUSE)
        ready = {instance["model_uid"] for instance in call("GET", "/v1/models/instances") if instance["status"] == "READY"}
        waiting -= {uid for uid in sorted(waiting & ready) if answers(uid)}
    return 0


if __name__ == "__main__":
    sys.exit(main())
