# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a model answers: one small request of the right kind, and what counts as an answer."""

from __future__ import annotations

import time
from typing import Any

import pytest

from ansible_collections.inferops.xinference.plugins.module_utils._core.apply import smoke_test as smoke
from ansible_collections.inferops.xinference.plugins.module_utils._core.apply.smoke_test import Unanswered, smoke_test
from ansible_collections.inferops.xinference.plugins.module_utils._core.base.errors import ApiError, AuthenticationError, ConnectionFailed
from ansible_collections.inferops.xinference.plugins.module_utils._core.server.rows import ModelRow

CHAT: ModelRow = {"model_type": "LLM", "model_ability": ["chat", "tools"]}
TEXT: ModelRow = {"model_type": "LLM", "model_ability": ["generate"]}
EMBEDDING: ModelRow = {"model_type": "embedding", "dimensions": 3}
RERANK: ModelRow = {"model_type": "rerank"}
CHOICE = {"id": "1", "choices": [{"index": 0, "text": "", "finish_reason": "length"}]}


class Model:
    """Answers each question with the same, and keeps what it was asked."""

    def __init__(self, answer: Any = None, described: Any = None) -> None:
        self.answer = answer
        self.described = described
        self.asked: list[Any] = []

    def ask(self, route: str, question: dict[str, Any], timeout: float) -> dict[str, Any]:
        """The answer, or the error."""
        self.asked.append((route, question, timeout))
        if isinstance(self.answer, Exception):
            raise self.answer
        answer: dict[str, Any] = self.answer
        return answer

    def describe(self, uid: str) -> ModelRow | None:
        """The description, or the error."""
        self.asked.append(("describe", uid))
        if isinstance(self.described, Exception):
            raise self.described
        described: ModelRow | None = self.described
        return described


@pytest.mark.parametrize(
    ("spec", "answer", "route", "question"),
    [
        (CHAT, CHOICE, "chat/completions", {"model": "m", "messages": [{"role": "user", "content": "Hello"}], "max_tokens": 1}),
        (TEXT, CHOICE, "completions", {"model": "m", "prompt": "Hello", "max_tokens": 1}),
        ({"model_type": "LLM"}, CHOICE, "completions", {"model": "m", "prompt": "Hello", "max_tokens": 1}),
        (EMBEDDING, {"data": [{"embedding": [0.1, 0.2, 0.3]}]}, "embeddings", {"model": "m", "input": "Hello"}),
        ({"model_type": "embedding"}, {"data": [{"embedding": [0.1]}]}, "embeddings", {"model": "m", "input": "Hello"}),
        (RERANK, {"results": [{"index": 0, "relevance_score": 0.0}]}, "rerank", {"model": "m", "query": "Hello", "documents": ["Hello"]}),
    ],
)
def test_each_type_is_asked_in_its_own_way(spec: ModelRow, answer: dict[str, Any], route: str, question: dict[str, Any]) -> None:
    model = Model(answer)
    assert smoke_test(model, "m", spec, 7.5) >= 0
    assert model.asked == [(route, question, 7.5)]


@pytest.mark.parametrize("kind", ["image", "audio", "video", "world", "flexible"])
def test_other_types_must_be_described(kind: str) -> None:
    model = Model(described={"model_type": kind})
    smoke_test(model, "m", {"model_type": kind}, 1)
    assert model.asked == [("describe", "m")]
    with pytest.raises(Unanswered, match=r"^the server does not describe it$"):
        smoke_test(Model(described=None), "m", {"model_type": kind}, 1)


@pytest.mark.parametrize(
    ("spec", "answer", "words"),
    [
        (CHAT, {}, "no choice in the answer {}"),
        (CHAT, {"choices": []}, "no choice in the answer {'choices': []}"),
        (TEXT, {"error": "busy"}, "no choice in the answer {'error': 'busy'}"),
        (EMBEDDING, {"data": [{"embedding": [0.1, 0.2]}]}, "its vector has 2 numbers, but the model is known for 3"),
        (EMBEDDING, {"data": [{"embedding": []}]}, "its vector has 0 numbers, but the model is known for 3"),
        (EMBEDDING, {"data": []}, "no vector in the answer {'data': []}"),
        (EMBEDDING, {}, "no vector in the answer {}"),
        ({"model_type": "embedding"}, {"data": [{"embedding": None}]}, "no vector in the answer {'data': [{'embedding': None}]}"),
        # Whatever an engine, or a program in its place, may answer.
        *[(EMBEDDING, {"data": rows}, f"no vector in the answer {{'data': {rows!r}}}") for rows in ({"embedding": [1]}, ["x"], "x", 1, [None])],
        (EMBEDDING, {"data": [{"embedding": "x"}]}, "no vector in the answer {'data': [{'embedding': 'x'}]}"),
        (CHAT, {"choices": "x"}, "no choice in the answer {'choices': 'x'}"),
        (CHAT, {"choices": [None]}, "no choice in the answer {'choices': [None]}"),
        (RERANK, {"results": {"relevance_score": 1}}, "no score in the answer {'results': {'relevance_score': 1}}"),
        (RERANK, {"results": []}, "no score in the answer {'results': []}"),
        (RERANK, {"results": [{"index": 0, "relevance_score": None}]}, "no score in the answer {'results': [{'index': 0, 'relevance_score': None}]}"),
    ],
)
def test_an_answer_of_another_kind_is_none(spec: ModelRow, answer: dict[str, Any], words: str) -> None:
    with pytest.raises(Unanswered) as raised:
        smoke_test(Model(answer), "m", spec, 1)
    assert str(raised.value) == words


def test_a_long_answer_is_cut() -> None:
    with pytest.raises(Unanswered) as raised:
        smoke_test(Model({"error": "x" * 5000}), "m", CHAT, 1)
    assert len(str(raised.value)) < 300


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (ApiError("POST", "http://x/v1/chat/completions", 500, "Remote server closed"), "POST http://x/v1/chat/completions answered 500: Remote server closed"),
        (ConnectionFailed("POST http://x: no answer within 5 s."), "POST http://x: no answer within 5 s."),
    ],
)
@pytest.mark.parametrize("spec", [CHAT, EMBEDDING, RERANK])
def test_an_error_and_a_timeout_are_no_answer(spec: ModelRow, error: Exception, words: str) -> None:
    with pytest.raises(Unanswered) as raised:
        smoke_test(Model(error), "m", spec, 5)
    assert str(raised.value) == words


REFUSED = AuthenticationError("POST", "http://x", 401, "expired")


@pytest.mark.parametrize(("spec", "model"), [(CHAT, Model(REFUSED)), (EMBEDDING, Model(REFUSED)), ({"model_type": "image"}, Model(described=REFUSED))])
def test_refused_credentials_are_not_the_model_s_failure(spec: ModelRow, model: Model) -> None:
    with pytest.raises(AuthenticationError):
        smoke_test(model, "m", spec, 5)


class Time:
    """Time that passes only while a caller waits."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        """Seconds."""
        return self.now

    def sleep(self, seconds: float) -> None:
        """Let them pass."""
        self.now += seconds


class Late(Model):
    """A model whose way opens after some seconds, and the words until then."""

    def __init__(self, clock: Time, seconds: float, error: ApiError) -> None:
        super().__init__(CHOICE)
        self.clock, self.seconds, self.error = clock, seconds, error

    def ask(self, route: str, question: dict[str, Any], timeout: float) -> dict[str, Any]:
        """The answer, when it is time."""
        if self.clock.now < self.seconds:
            raise self.error
        return super().ask(route, question, timeout)


NOT_YET = ApiError("POST", "http://x", 503, "Model is loading, please retry later: [address=a, pid=1] Model m is launching, not yet ready for inference")
NOT_FOUND = ApiError("POST", "http://x", 400, "[address=a, pid=1] Model not found in the model list, uid: m-0")
REMEMBERED = ApiError("POST", "http://x", 404, "Model m not found (cached, retry after 10 s)")


@pytest.mark.parametrize(("error", "seconds"), [(NOT_YET, 1.0), (NOT_YET, 25.0), (NOT_FOUND, 1.0), (NOT_FOUND, 11.0), (REMEMBERED, 11.0)])
def test_a_model_that_is_ready_some_moments_before_the_server_finds_it_is_asked_again(error: ApiError, seconds: float, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Time()
    monkeypatch.setattr(smoke, "time", clock)
    assert smoke_test(Late(clock, seconds, error), "m", TEXT, 30.0) == seconds


@pytest.mark.parametrize(
    ("error", "patience"), [(NOT_YET, 30.0), (NOT_FOUND, 12.0), (REMEMBERED, 12.0), (ApiError("POST", "http://x", 503, "Engine is broken"), 0.0)]
)
def test_but_not_for_ever(error: ApiError, patience: float, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Time()
    monkeypatch.setattr(smoke, "time", clock)
    with pytest.raises(Unanswered) as raised:
        smoke_test(Late(clock, 1000.0, error), "m", TEXT, 30.0)
    assert (str(raised.value), clock.now) == (str(error), patience)


def test_the_time_of_the_answer_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    times = iter([100.0, 100.12345])
    monkeypatch.setattr(time, "monotonic", lambda: next(times))
    assert smoke_test(Model(CHOICE), "m", CHAT, 5) == 0.123


VECTOR = {"data": [{"embedding": [0.1, 0.2]}]}


@pytest.mark.parametrize(
    ("requests", "words"),
    [
        ([{"dimensions": 2}], ""),
        # As text, which some clients send.
        ([{"dimensions": "2"}], ""),
        ([{"dimensions": 4}], "its vector has 2 numbers, but the model is known for 4"),
        ([{}], "its vector has 2 numbers, but the model is known for 3"),
        ([{"dimensions": None}], "its vector has 2 numbers, but the model is known for 3"),
        # It runs as declared, or as it was launched before.
        ([{"dimensions": 2}, {}], ""),
        ([{"dimensions": 4}, {}], "its vector has 2 numbers, but the model is known for 3 or 4"),
        # Another client launched it, and its options are unknown.
        ([], ""),
    ],
)
def test_the_number_of_the_launch_counts_and_not_the_registered_one(requests: list[dict[str, Any]], words: str) -> None:
    if not words:
        assert smoke_test(Model(VECTOR), "m", EMBEDDING, 1, requests) >= 0
        return
    with pytest.raises(Unanswered) as raised:
        smoke_test(Model(VECTOR), "m", EMBEDDING, 1, requests)
    assert str(raised.value) == words
