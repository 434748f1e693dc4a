# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Clients of Locust that ask models, for one cell after the other.

Reads a task from standard input as JSON: ``endpoint``, ``token``, ``seconds`` of a cell, and ``cells``, each a list of ``[kind, uid, clients]``. Writes one
line of JSON for each cell when it is done. Locust measures and makes the percentiles; a streamed request counts twice with it, once until its first token and
once until its end.
"""

from __future__ import annotations

import gevent.monkey

gevent.monkey.patch_all()

import itertools  # noqa: E402  (Locust wants the line above first)
import json  # noqa: E402
import sys  # noqa: E402
import time  # noqa: E402
from collections.abc import Iterator  # noqa: E402
from typing import Any  # noqa: E402

import gevent  # noqa: E402
from locust import FastHttpUser, task  # noqa: E402
from locust.env import Environment  # noqa: E402

#: Tokens of an answer, and seconds that a client waits when it was refused: without a wait, it would do nothing but ask again.
TOKENS, PAUSE = 32, 0.5
#: Seconds in which requests that were begun may end, and seconds after which an answer is none.
ENDING, PATIENCE = 60, 120
#: No two prompts are alike from their first word on, so that no model finds one in its cache.
NUMBERS = itertools.count(1)
TEXT = (
    "A host serves several models at once, and its clients do not know of each other. Each of them asks a question, waits for the first word of the answer,"
    " reads it to its end, and asks the next one. Explain in a few sentences what happens to the others when one more client comes."
)


def events(response: Any) -> Iterator[dict[str, Any]]:
    """The events of a stream as they come."""
    while line := response.stream.readline(b"\n"):
        if line.startswith(b"data: {"):
            yield json.loads(line[6:])


class Asking(FastHttpUser):
    """What all clients have in common. Subclasses know the model and how it is asked."""

    abstract = True
    network_timeout = PATIENCE
    connection_timeout = PATIENCE
    uid = ""
    token = ""
    #: Of all clients of this class: tokens, or texts.
    tokens = 0

    def post(self, path: str, body: dict[str, Any], name: str, stream: bool = False) -> Any:
        """Ask; a refusal is a failure of its own name, so that Locust counts it apart from the answers."""
        headers = {"Authorization": f"Bearer {self.token}"}
        return self.client.post(path, json={"model": self.uid, **body}, headers=headers, name=name, stream=stream, catch_response=True)

    def refused(self, response: Any) -> bool:
        """Whether the answer is none; the client pauses then."""
        if response.status_code == 200:
            return False
        response.failure(str(response.status_code))
        gevent.sleep(PAUSE)
        return True

    def fire(self, name: str, seconds: float) -> None:
        """Give Locust one more measured time."""
        self.environment.events.request.fire(
            request_type="POST", name=name, response_time=seconds * 1000, response_length=0, exception=None, context={}, response=None
        )


class Chat(Asking):
    """Asks for a streamed answer and reads it to its end."""

    abstract = True

    @task  # type: ignore[untyped-decorator]
    def ask(self) -> None:
        body = {
            "messages": [{"role": "user", "content": f"{next(NUMBERS)}. {TEXT}"}],
            "max_tokens": TOKENS,
            "temperature": 0,
            "stream": True,
        }
        begun = time.monotonic()
        first = 0.0
        with self.post("/v1/chat/completions", body, "until the answer begins", stream=True) as response:
            if self.refused(response):
                return
            for event in events(response):
                if "error" in event:
                    # Streamed answers are refused with 200.
                    limited = "rate limit" in str(event["error"]).lower()
                    response.failure("429" if limited else str(event["error"])[:200])
                    gevent.sleep(PAUSE)
                    return
                if any(choice.get("delta", {}).get("content") for choice in event.get("choices", ())):
                    now = time.monotonic()
                    first = first or now
                    type(self).tokens += 1
            response.success()
        if first:
            self.fire("first token", first - begun)
            self.fire("whole", time.monotonic() - begun)


class Embed(Asking):
    """Asks for the vector of a text."""

    abstract = True

    @task  # type: ignore[untyped-decorator]
    def ask(self) -> None:
        begun = time.monotonic()
        with self.post("/v1/embeddings", {"input": f"{next(NUMBERS)}. {TEXT}"}, "embedding") as response:
            if self.refused(response):
                return
            # It would count as a success of its own accord.
            response.success()
        self.fire("whole", time.monotonic() - begun)
        type(self).tokens += 1


def cell(given: dict[str, Any], wanted: list[tuple[str, str, int]]) -> dict[str, Any]:
    """Run the clients of a cell: its rate, Locust's percentiles in milliseconds, and what failed, by reason."""
    kinds = {"chat": Chat, "embed": Embed}
    classes: list[type[Asking]] = [
        type(f"Client{index}", (kinds[kind],), {"uid": uid, "token": given["token"], "fixed_count": count, "tokens": 0})
        for index, (kind, uid, count) in enumerate(wanted)
    ]
    environment = Environment(user_classes=classes, host=given["endpoint"], stop_timeout=ENDING, catch_exceptions=False)
    runner = environment.create_local_runner()
    count = sum(count for _kind, _uid, count in wanted)
    begun = time.monotonic()
    runner.start(count, spawn_rate=count)
    gevent.sleep(given["seconds"])
    # Each client ends what it has begun.
    runner.stop()
    took = time.monotonic() - begun
    stats = environment.stats
    found: dict[str, Any] = {"rate": sum(each.tokens for each in classes) / took}
    for name in ("first token", "whole"):
        entry = stats.get(name, "POST")
        if entry.num_requests:
            found[name] = [entry.get_response_time_percentile(part) for part in (0.5, 0.95)]
    found["answers"] = stats.get("whole", "POST").num_requests
    refusals: dict[str, int] = {}
    for error in stats.errors.values():
        reason = str(error.error)
        reason = "429" if "429" in reason else reason
        refusals[reason] = refusals.get(reason, 0) + error.occurrences
    found["refused"] = refusals.pop("429", 0)
    found["failed"] = refusals
    runner.quit()
    return found


def main() -> int:
    """Run what standard input says."""
    given = json.load(sys.stdin)
    for wanted in given["cells"]:
        print(json.dumps(cell(given, wanted)), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
