# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a model answers: one small request of the right kind. Private to this collection."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ..base.errors import ApiError, AuthenticationError, ConnectionFailed
from ..base.messages import whole
from ..server.api import SmokeTestApi
from ..server.rows import ModelRow

__all__ = ["Unanswered", "smoke_test"]

#: Seconds after which a server has forgotten that it did not know a model.
_FORGOTTEN = 12.0
#: Words of a server that lists a model as ready some moments before the way to it is open, or that remembers having been asked for it before it was there.
_NOT_YET = "not yet ready for inference"
_UNKNOWN = ("not found in the model list", "cached, retry after")
#: What a server answers about a model that it calls ready, and of one whose limit of requests is used up.
_LOADING = "is loading"
_LIMITED = "rate limit reached"
#: Seconds until it is asked again.
_PAUSE = 0.25


class Unanswered(Exception):
    """A model did not answer, or with something else; the text holds the reason.

    :param refused: whether the server reports that it still loads, though it calls it ready.
    """

    def __init__(self, words: str, refused: bool = False) -> None:
        super().__init__(words)
        self.refused = refused


def _first(answer: Mapping[str, Any], field: str) -> Mapping[str, Any]:
    """The first row of an answer; an empty one where there is none, or something else."""
    rows = answer.get(field)
    row = rows[0] if isinstance(rows, list) and rows else None
    return row if isinstance(row, Mapping) else {}


def _token(answer: Mapping[str, Any]) -> None:
    if not _first(answer, "choices"):
        raise Unanswered(f"no choice in the answer {dict(answer)!r:.200}")


def _lengths(spec: ModelRow, requests: Sequence[Mapping[str, Any]]) -> list[int]:
    """Lengths that a vector may have; empty for any. A launch with the option dimensions shortens what the model is registered for."""
    wanted = [whole(request.get("dimensions") or spec.get("dimensions")) for request in requests]
    return sorted({length for length in wanted if isinstance(length, int)}) if all(isinstance(length, int) for length in wanted) else []


def _vector(answer: Mapping[str, Any], lengths: Sequence[int]) -> None:
    vector = _first(answer, "data").get("embedding")
    if not isinstance(vector, list):
        raise Unanswered(f"no vector in the answer {dict(answer)!r:.200}")
    if not vector or (lengths and len(vector) not in lengths):
        expected = f", but the model is known for {' or '.join(map(str, lengths))}" if lengths else ""
        raise Unanswered(f"its vector has {len(vector)} numbers{expected}")


def _score(answer: Mapping[str, Any]) -> None:
    if not isinstance(_first(answer, "results").get("relevance_score"), (int, float)):
        raise Unanswered(f"no score in the answer {dict(answer)!r:.200}")


def _ask(client: SmokeTestApi, uid: str, spec: ModelRow, timeout: float, requests: Sequence[Mapping[str, Any]]) -> None:
    kind, abilities = spec.get("model_type"), spec.get("model_ability")
    if kind == "LLM" and isinstance(abilities, list) and "chat" in abilities:
        question: dict[str, Any] = {"model": uid, "messages": [{"role": "user", "content": "Hello"}], "max_tokens": 1}
        _token(client.ask("chat/completions", question, timeout))
    elif kind == "LLM":
        _token(client.ask("completions", {"model": uid, "prompt": "Hello", "max_tokens": 1}, timeout))
    elif kind == "embedding":
        _vector(client.ask("embeddings", {"model": uid, "input": "Hello"}, timeout), _lengths(spec, requests))
    elif kind == "rerank":
        _score(client.ask("rerank", {"model": uid, "query": "Hello", "documents": ["Hello"]}, timeout))
    elif not client.describe(uid):
        # Sound, pictures and films would need input that fits the model; that it is served is what can be asked of any.
        raise Unanswered("the server does not describe it")


def _patiently(timeout: float, begun: float, ask: Callable[[], None]) -> None:
    """Ask again where the server does not know yet, or not any more for some seconds, that the model is there."""
    while True:
        try:
            return ask()
        except ApiError as error:
            loading = error.status == 503 and _NOT_YET in error.detail
            unknown = error.status in (400, 404) and any(words in error.detail for words in _UNKNOWN)
            patience = timeout if loading else min(timeout, _FORGOTTEN) if unknown else 0.0
            if time.monotonic() - begun >= patience:
                raise
        time.sleep(_PAUSE)


def smoke_test(client: SmokeTestApi, uid: str, spec: ModelRow, timeout: float, requests: Sequence[Mapping[str, Any]] = ({},)) -> float:
    """Let a model answer one token, vector or score; other types must be described by the server.

    :param spec: the server's description of the model.
    :param timeout: seconds in which it must answer.
    :param requests: launch requests of which one is what it was launched with; none where that is not known.
    :returns: seconds that the answer took.
    :raises Unanswered: when it does not answer, or with something else.
    """
    begun = time.monotonic()
    try:
        _patiently(timeout, begun, lambda: _ask(client, uid, spec, timeout, requests))
    except AuthenticationError as error:
        # A limit of requests that others used up: it serves.
        if error.status != 429 or _LIMITED not in error.detail.lower():
            raise
    except ApiError as error:
        raise Unanswered(str(error), refused=error.status == 503 and _LOADING in error.detail) from error
    except ConnectionFailed as error:
        # No answer in time is the model's failure; a server that is gone shows at the next request.
        raise Unanswered(str(error)) from error
    return round(time.monotonic() - begun, 3)
