# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the scenarios check from outside: a server as any of its users sees it."""

from __future__ import annotations

import json
import math
from typing import Any


class Server:
    """A provisioned server, asked with curl on its host.

    :param host: the host as testinfra sees it.
    :param port: published port.
    :param password: password of the administrator.
    """

    def __init__(self, host: Any, port: int, password: str) -> None:
        self.host = host
        self.base = f"http://127.0.0.1:{port}"
        self.password = password

    def call(self, path: str, body: dict[str, Any] | None = None, *, login: bool = True) -> tuple[int, Any]:
        """Status and decoded answer of a request; a POST when there is a body."""
        command = ["curl", "-s", "-m", "120", "-w", "\\n%{http_code}", f"{self.base}{path}"]
        if login:
            answered, token = self.call("/token", {"username": "admin", "password": self.password}, login=False)
            # Servers before 3.0 have no accounts.
            command += ["-H", f"Authorization: Bearer {token['access_token']}"] if answered == 200 else []
        if body is not None:
            command += ["-H", "Content-Type: application/json", "-d", json.dumps(body)]
        quoted = " ".join("'" + word.replace("'", "'\\''") + "'" for word in command)
        text, _newline, status = self.host.check_output(quoted).rpartition("\n")
        try:
            return int(status), json.loads(text)
        except ValueError:
            return int(status), text

    def chat(self, question: str) -> str:
        """The chat model's answer."""
        status, answer = self.call(
            "/v1/chat/completions",
            {"model": "chat", "messages": [{"role": "user", "content": question}], "max_tokens": 40, "temperature": 0},
        )
        assert status == 200, answer
        return str(answer["choices"][0]["message"]["content"])

    def embed(self, text: str) -> list[float]:
        """The embedding model's vector."""
        status, answer = self.call("/v1/embeddings", {"model": "embed", "input": text})
        assert status == 200, answer
        return [float(number) for number in answer["data"][0]["embedding"]]


def similarity(one: list[float], other: list[float]) -> float:
    """Cosine of the angle between two vectors."""
    product = sum(a * b for a, b in zip(one, other, strict=True))
    return product / (math.sqrt(sum(a * a for a in one)) * math.sqrt(sum(b * b for b in other)))
