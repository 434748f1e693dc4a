# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Asks a language model some times, and prints the median of the seconds that an answer took."""

from __future__ import annotations

import json
import statistics
import sys
import time
from pathlib import Path
from typing import Any

import requests


def main() -> None:
    """Ask as often as the second argument says."""
    task: dict[str, Any] = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    uid = next(uid for uid, kind in task["types"].items() if kind == "LLM")
    session = requests.Session()
    session.trust_env = False
    login = session.post(f"{task['endpoint']}/token", json={"username": task["username"], "password": task["password"]}, timeout=30)
    login.raise_for_status()
    session.headers["Authorization"] = f"Bearer {login.json()['access_token']}"
    taken = []
    for _request in range(int(sys.argv[2])):
        begun = time.perf_counter()
        answer = session.post(f"{task['endpoint']}/v1/completions", json={"model": uid, "prompt": "Count to ten.", "max_tokens": 32}, timeout=120)
        answer.raise_for_status()
        taken.append(time.perf_counter() - begun)
    print(statistics.median(taken))


if __name__ == "__main__":
    main()
