# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files first: one download from its first request to its end."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.inferops.xinference.plugins.module_utils._core.apply.download import download
from ansible_collections.inferops.xinference.plugins.module_utils._core.base.errors import ApiError, AuthenticationError, ConnectionFailed
from ansible_collections.inferops.xinference.plugins.module_utils._core.declaration.fields import FIELDS
from ansible_collections.inferops.xinference.plugins.module_utils._core.declaration.model import DeclaredModel
from ansible_collections.inferops.xinference.plugins.module_utils._core.server.rows import DownloadRow, Progress


def model(**fields: Any) -> DeclaredModel:
    """A declared model."""
    given = {"name": "qwen3", "engine": "llama.cpp", **fields}
    return DeclaredModel("chat", "present", {name: FIELDS[name].check(value) for name, value in given.items()})


class Server:
    """Downloads that go on while a caller polls.

    :param polls: what the list of unfinished downloads says of ours, poll by poll; None where it is not in it.
    """

    def __init__(self, *polls: DownloadRow | Exception | None, done: bool = False, error: Exception | None = None) -> None:
        self.polls = list(polls)
        self.done = done
        self.error = error
        self.asked: list[Any] = []
        self.name = ""

    def cache(self, request: dict[str, Any]) -> bool:
        """Ask for a download."""
        self.asked.append(("cache", request))
        self.name = request["cache_uid"]
        if self.error:
            raise self.error
        return self.done

    def resume_download(self, cache_uid: str) -> None:
        """Go on."""
        self.asked.append(("resume", cache_uid))

    def downloads(self) -> list[DownloadRow]:
        """The list; ours is in it from the first poll after it was asked for."""
        others: list[DownloadRow] = [{"cache_uid": "other", "status": "failed", "error": "of another"}]
        if not self.asked:
            return [*others, {"cache_uid": self.name}] if self.name else others
        poll = self.polls.pop(0)
        if isinstance(poll, Exception):
            raise poll
        return others + ([{"cache_uid": self.name, **poll}] if poll is not None else [])


class Watch:
    """How often was waited, what was reported, and when the time is over."""

    def __init__(self, patience: int = 100) -> None:
        self.patience = patience
        self.naps = 0
        self.reported: list[Any] = []

    def late(self) -> bool:
        """Whether the time is over."""
        return self.naps >= self.patience

    def sleep(self) -> None:
        """Wait."""
        self.naps += 1

    def report(self, state: str, row: Progress) -> None:
        """Keep what is reported."""
        self.reported.append((state, row.get("progress")))

    def get(self, server: Server, wanted: DeclaredModel | None = None) -> str:
        """Download."""
        return download(server, wanted or model(), self.late, self.sleep, self.report)


def test_a_download_that_ends_at_once() -> None:
    server, watch = Server(done=True), Watch()
    assert watch.get(server) == ""
    assert (watch.naps, watch.reported) == (0, [])


def test_a_download_is_followed_until_it_is_in_the_list_no_more() -> None:
    server, watch = Server({"status": "downloading", "progress": 0.1}, {"status": "downloading", "progress": 0.9}, None), Watch()
    assert watch.get(server) == ""
    assert (watch.naps, watch.reported) == (2, [("downloading", 0.1), ("downloading", 0.9)])


def test_only_what_chooses_the_files_is_sent() -> None:
    server = Server(done=True)
    Watch().get(
        server,
        model(
            format="ggufv2",
            size_in_billions="0_6",
            quantization="Q4_K_M",
            download_hub="modelscope",
            multimodal_projector="mmproj.gguf",
            replica=2,
            environment={"HF_TOKEN": "hunter2"},
            engine_options={"n_ctx": 1},
            autostart=True,
        ),
    )
    ((_cache, request),) = server.asked
    assert {key: value for key, value in request.items() if key != "cache_uid"} == {
        "model_name": "qwen3",
        "model_type": "LLM",
        "model_engine": "llama.cpp",
        "model_format": "ggufv2",
        "model_size_in_billions": "0_6",
        "quantization": "Q4_K_M",
        "download_hub": "modelscope",
        "multimodal_projector": "mmproj.gguf",
    }


def name_of(wanted: DeclaredModel) -> str:
    """The name of its download."""
    server = Server(done=True)
    Watch().get(server, wanted)
    return server.name


def test_the_same_files_have_the_same_name_and_others_another() -> None:
    assert name_of(model(engine_options={"n_ctx": 1})) == name_of(model(engine_options={"n_ctx": 2}))
    assert name_of(model(quantization="Q8_0")) != name_of(model(quantization="Q4_K_M"))
    long = DeclaredModel("x" * 100, "present", model().given)
    assert len(name_of(long)) <= 100


def test_an_interrupted_download_is_gone_on_with() -> None:
    server = Server(None)
    server.name = name_of(model())
    assert Watch().get(server) == ""
    assert server.asked == [("resume", server.name)]


@pytest.mark.parametrize(
    ("poll", "words"),
    [
        ({"status": "failed", "error": "Failed to download model qwen3"}, "Failed to download model qwen3"),
        ({"status": "failed", "error": None}, "the download is failed"),
        ({"status": "cancelled"}, "the download is cancelled"),
        ({"status": "interrupted"}, "the download is interrupted"),
        ({"status": "paused"}, "the download is paused"),
    ],
)
def test_a_download_that_ended_otherwise_gives_the_server_s_words(poll: DownloadRow, words: str) -> None:
    assert Watch().get(Server({"status": "downloading"}, poll)) == words


def test_a_download_that_takes_too_long_goes_on() -> None:
    watch = Watch(patience=2)
    under_way: DownloadRow = {"status": "downloading", "progress": 0.256}
    assert watch.get(Server(*[under_way] * 9)) == ("is downloading (26 %) and not ready in time (wait_timeout); the download goes on")
    assert watch.naps == 2


def test_a_refused_download_gives_the_server_s_words() -> None:
    refusal = ApiError("POST", "http://x/v1/cache/models", 400, "Model not found, name: qwen3")
    assert Watch().get(Server(error=refusal)) == "POST http://x/v1/cache/models answered 400: Model not found, name: qwen3"


@pytest.mark.parametrize("error", [AuthenticationError("POST", "http://x", 401, "expired"), ConnectionFailed("no connection.")])
def test_a_server_that_is_lost_is_not_the_download_s_failure(error: Exception) -> None:
    with pytest.raises(type(error)):
        Watch().get(Server(error=error))
    with pytest.raises(type(error)):
        Watch().get(Server({"status": "downloading"}, error))
