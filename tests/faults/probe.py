# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs on the machine that was hit: waits until every model answers a real question and nothing else runs, and says when that was.

Standard library only, and nothing of the collection: it is a user of the server like any other. The password is in the environment variable PROBE_PASSWORD.
"""

from __future__ import annotations

import argparse
import json
import os
import time
import urllib.error
import urllib.request
from typing import Any

#: Seconds after which everything is asked a second time: what goes down again at once did not come back.
STEADY = 3.0


class Wrong(Exception):
    """The server is not as it should be; the text says how."""


class Server:
    """The server as one of its users sees it.

    :param endpoint: its address.
    """

    def __init__(self, endpoint: str) -> None:
        self.endpoint = endpoint
        self.token: str | None = None

    def call(self, path: str, body: dict[str, Any] | None = None) -> Any:
        """Answer to a request; a POST when there is a body."""
        headers = {"Content-Type": "application/json", **({"Authorization": f"Bearer {self.token}"} if self.token else {})}
        request = urllib.request.Request(self.endpoint + path, None if body is None else json.dumps(body).encode(), headers)
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)

    def login(self) -> None:
        """Log in, where the server has accounts: those before 3.0 have none."""
        try:
            self.token = self.call("/token", {"username": "admin", "password": os.environ["PROBE_PASSWORD"]})["access_token"]
        except urllib.error.HTTPError as error:
            if error.code not in (404, 405, 422, 500):
                raise

    def ask(self, uid: str) -> None:
        """One real question to a model; the embedding model's name says what it is."""
        if uid == "embed":
            vector = self.call("/v1/embeddings", {"model": uid, "input": "a cat"})["data"][0]["embedding"]
            if len(vector) != 384:
                raise Wrong(f"{uid} gave a vector of {len(vector)}")
        else:
            question = [{"role": "user", "content": "Say yes."}]
            answer = self.call("/v1/chat/completions", {"model": uid, "messages": question, "max_tokens": 4})
            if not answer["choices"][0]["message"]["content"]:
                raise Wrong(f"{uid} gave an empty answer")

    def check(self, uids: list[str]) -> None:
        """Everything once.

        :raises Wrong: when another set of models runs.
        """
        if self.token is None:
            self.login()
        running = sorted(model["id"] for model in self.call("/v1/models")["data"])
        if running != sorted(uids):
            raise Wrong(f"{running} run")
        for uid in uids:
            self.ask(uid)


def main() -> int:
    """Command line; 0 when all came back in time, 1 with the last reason why not."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--endpoint", default="http://127.0.0.1:9997")
    parser.add_argument("--timeout", type=float, required=True, help="seconds")
    parser.add_argument("uids", nargs="+")
    chosen = parser.parse_args()
    end, first, reason = time.time() + chosen.timeout, None, "nothing was tried"
    server = Server(chosen.endpoint)
    while time.time() < end:
        try:
            server.check(chosen.uids)
        except urllib.error.HTTPError as error:
            first, reason = None, f"{error.url}: {error.code} {error.read(200).decode(errors='replace')}"
            server.token = None
        except (OSError, ValueError, LookupError, Wrong) as error:
            first, reason = None, str(error)
        else:
            now = time.time()
            first = first or now
            if now - first >= STEADY:
                print(json.dumps({"ready": first}))
                return 0
        time.sleep(0.5)
    print(json.dumps({"ready": None, "reason": reason}))
    return 1


if __name__ == "__main__":
    raise SystemExit(main())
