# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ask the demo's model a question over the OpenAI-compatible API, as any of its users would."""

from __future__ import annotations

import sys
from pathlib import Path

import requests

ENDPOINT = "http://127.0.0.1:9990"


def main() -> int:
    """Print question and answer; 0 when the model answered."""
    password = Path(sys.argv[1]).read_text(encoding="utf-8").strip()
    token = requests.post(f"{ENDPOINT}/token", json={"username": "admin", "password": password}, timeout=30).json()["access_token"]
    answer = requests.post(
        f"{ENDPOINT}/v1/chat/completions",
        headers={"Authorization": f"Bearer {token}"},
        json={"model": "chat", "messages": [{"role": "user", "content": sys.argv[2]}], "max_tokens": 60, "temperature": 0},
        timeout=120,
    )
    answer.raise_for_status()
    print(f"\n  question: {sys.argv[2]}\n  answer:   {answer.json()['choices'][0]['message']['content'].strip()}\n", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
