# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The queue in the configuration of the proxy. What nginx makes of it is tried in tests/load."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from rendering import rendered

LIMITED = [{"uid": "chat", "request_limits": 2, "replica": 3}, {"uid": "embed"}, {"uid": "Chat", "request_limits": "4"}]


@pytest.fixture(scope="module")
def limited() -> str:
    """The configuration for models with limits."""
    text: str = rendered(xinference_models=LIMITED)
    return text


def gates(text: str) -> dict[str, str]:
    """Requests at a time by the pattern of a model's name."""
    most = dict(re.findall(r"upstream (gate\d+) \{\n.*\n.*max_conns=(\d+);", text))
    names = re.findall(r'^        "~\^(.*)\$" (gate\d+);$', text, re.MULTILINE)
    assert len(names) == len(most)
    return {pattern: most[gate] for pattern, gate in names}


def test_a_gate_for_each_model_with_limits(limited: str) -> None:
    # Upper and lower case are two models; the limit is that of each replica.
    assert gates(limited) == {"chat": "6", "Chat": "4"}


def test_models_of_lines() -> None:
    assert gates(rendered(xinference_model_lines="uid=chat request_limits=1\n")) == {"chat": "1"}


@pytest.mark.parametrize(
    "variables",
    [
        {},
        {"xinference_models": [{"uid": "embed"}, {"uid": "chat", "request_limits": None}]},
        {"xinference_models": LIMITED, "xinference_proxy_queue": 0},
        {"xinference_models": LIMITED, "xinference_proxy_queue": "0"},
    ],
)
def test_no_queue_where_nothing_can_wait(variables: dict[str, Any]) -> None:
    text = rendered(**variables)
    assert ".sock" not in text
    assert "http_429" not in text
    # The server says nothing of when to come again.
    assert '"429:" 5;' in text
    assert "add_header Retry-After $retry_after always;" in text


@pytest.mark.parametrize(("seconds", "per_minute", "tries"), [(1, 240, 6), (30, 240, 122), (60, 120, 122), (600, 12, 122)])
def test_how_often_is_tried(seconds: int, per_minute: int, tries: int) -> None:
    text = rendered(xinference_models=LIMITED, xinference_proxy_queue_seconds=seconds)
    assert f"zone=pauses:1m rate={per_minute}r/m;" in text
    assert f"proxy_next_upstream_timeout {seconds}s;" in text
    # The waiting ends with its time, and not before with its tries.
    assert text.count("again.sock max_fails=0;") == tries
    assert (tries - 1) * 60 / per_minute > seconds


@pytest.mark.parametrize(("places", "of_a_client"), [(1, 1), (2, 1), (32, 16), (1000, 500)])
def test_places(places: int, of_a_client: int) -> None:
    text = rendered(xinference_models=LIMITED, xinference_proxy_queue=places)
    assert f"limit_conn places {places};" in text
    assert f"limit_conn places_of_client {of_a_client};" in text


@pytest.mark.parametrize("uid", ['a"b', "a.b", "a$b", "a;b", "{a}", "a'b", "größe"])
def test_names_of_models_are_taken_literally(uid: str) -> None:
    (pattern,) = gates(rendered(xinference_models=[{"uid": uid, "request_limits": 1}]))
    assert '"' not in pattern
    assert re.fullmatch(pattern, uid)
    # No body can name a model with a quote in this way.
    assert '"' in uid or not re.fullmatch(pattern, uid.replace(uid[1], "x"))


def test_a_request_is_repeated_only_where_the_server_has_begun_nothing(limited: str) -> None:
    assert set(re.findall(r"proxy_next_upstream (.*);", limited)) == {"off", "http_429 non_idempotent"}
    # Of the server itself, nothing is asked twice: only the way through the queue is.
    (again,) = re.findall(r"http_429 non_idempotent;.*?proxy_pass (\S+);", limited, re.DOTALL)
    assert again == "http://again"


def test_what_clients_say_of_models_and_places_is_replaced(limited: str) -> None:
    location = limited.partition("|completions|embeddings|messages|rerank|responses)$ {")[2].partition("}")[0]
    for line in ("X-Xinference-Model $model", 'X-Xinference-Place ""', "X-Forwarded-For $remote_addr", "X-Real-IP $remote_addr"):
        assert f"proxy_set_header {line};" in location


@pytest.mark.parametrize(
    ("body", "model"),
    [
        ('{"model":"chat","messages":[]}', "chat"),
        ('{"messages": [{"content": "say \\"model\\": \\"other\\""}], "model" : "chat"}', "chat"),
        ('{"tools":[{"properties":{"model":{"type":"string"}}}],"model":"chat"}', "chat"),
        ('{"model":7}', None),
        # They would be headers, and requests.
        *((f'{{"model":"chat{end}X-Injected: 1"}}', None) for end in ("\r\n", "\n", "\r", "\0", "\x7f")),
        ("", None),
    ],
)
def test_which_model_a_body_names(limited: str, body: str, model: str | None) -> None:
    (written,) = re.findall(r'^        "~(.*)" \$named;$', limited, re.MULTILINE)
    # As nginx reads what is in quotes.
    pattern = re.sub(r'\\(["\\])', r"\1", written).replace("(?<", "(?P<")
    found = re.search(pattern, body)
    assert (found and found["named"]) == model
