# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a real server serves under load: docs/capacity.md says what each column means.

Launches one chat model in several settings and one embedding model, side by side, lets Locust ask each of them with 1 to 8 clients, and does so in several
rounds: each round has every cell once, so that a busy moment of the machine meets all of them. Writes the tables into docs/capacity.md, and all that was
measured into build/load.json. Ends with 2 where it
cannot measure.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from xinference_client import RESTfulClient

from ansible_collections.inferops.xinference.tests.machine import ROOT, VERSION, NotBuilt

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(ROOT / "tests/contract")]

from proxying import Proxy, proxying  # noqa: E402  (it is in a directory of the tests)
from real_server import ENVIRONMENT, PASSWORD, USERNAME, Server, serving  # noqa: E402

CONTAINER = "xinference-load"
PAGE = ROOT / "docs/capacity.md"
BEGIN, END = "<!-- load: written by make load -->", "<!-- end of load -->"
CLIENTS = (1, 2, 4, 8)
CORES = os.cpu_count() or 1
#: Tokens of context of each model, shared by its slots.
CONTEXT = 2048
#: Room that the server and its models take.
NEEDED_MIB = 8 << 10
BEGUN = time.monotonic()
Cell = tuple[tuple[str, str, int], ...]


class Unfit(Exception):
    """The load cannot be measured; the text says why."""


@dataclass(frozen=True)
class Setting:
    """A chat model.

    :param slots: requests that llama.cpp works on at a time (``n_parallel``).
    :param threads: of one model (``n_threads``).
    :param limit: requests that the server lets through at a time (``request_limits``); 0 for no limit.
    """

    slots: int
    threads: int
    limit: int = 0

    @property
    def uid(self) -> str:
        return f"chat-{self.slots}-{self.threads}" + (f"-{self.limit}" if self.limit else "")

    def __str__(self) -> str:
        return f"{self.slots} / {self.threads} / {self.limit or 'none'}"


#: In the order of the table: slots and threads, twice the cores, and a limit.
SETTINGS = (Setting(1, 1), Setting(1, CORES), Setting(1, 2 * CORES), Setting(2, CORES), Setting(4, CORES), Setting(4, 1), Setting(1, CORES, 1))
#: Two models that are asked at the same time, each with threads as many as cores, or half of them. The second one is the model above with its limit.
LIMITED = SETTINGS[-1]
EMBED = "embed"


def say(text: str) -> None:
    """Report progress."""
    print(f"load: {time.monotonic() - BEGUN:4.0f} s  {text}", flush=True)


def shared_models() -> list[dict[str, Any]]:
    """The chat model and the embedding model of the Molecule scenarios."""

    class Loader(yaml.SafeLoader):
        """Knows the tag of texts that are no templates."""

    Loader.add_constructor("!unsafe", lambda loader, node: str(node.value))
    given = yaml.load((ROOT / "molecule/shared/models.yml").read_text(encoding="utf-8"), Loader)
    return list(given["xinference_models"][:2])


def memory(container: str) -> int:
    """MiB of a container's processes; what several of them share counts once."""
    listing = subprocess.run(("docker", "top", container, "-eo", "pid"), text=True, capture_output=True, check=True).stdout
    total = 0
    for pid in listing.split()[1:]:
        # One that has ended meanwhile has none.
        with contextlib.suppress(OSError):
            lines = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines()
            total += sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    if not total:
        raise Unfit(f"the memory of the processes of {container} cannot be read; it takes root, and Docker on this machine")
    return total >> 10


def launch(server: Server) -> tuple[str, dict[str, int]]:
    """Register and launch everything: a token, and MiB of the container after each step."""
    client = RESTfulClient(server.endpoint)
    client.login(USERNAME, PASSWORD)
    chat, embed = shared_models()
    for model in (chat, embed):
        client.register_model(model.get("type", "LLM"), json.dumps({**model["registration"], "model_name": model["name"]}), False)
    sizes = {"server": memory(CONTAINER)}
    before = sizes["server"]
    for setting in SETTINGS:
        client.launch_model(
            chat["name"],
            model_uid=setting.uid,
            model_engine=chat["engine"],
            model_format=chat["format"],
            model_size_in_billions=chat["size_in_billions"],
            quantization=chat["quantization"],
            request_limits=setting.limit or None,
            n_ctx=CONTEXT,
            n_parallel=setting.slots,
            n_threads=setting.threads,
        )
        after = memory(CONTAINER)
        sizes[setting.uid], before = after - before, after
        say(f"{setting.uid} runs")
    client.launch_model(embed["name"], model_type="embedding", model_uid=EMBED, model_engine="sentence_transformers")
    sizes[EMBED] = memory(CONTAINER) - before
    say(f"{EMBED} runs")
    # What it sends with each request.
    return str(client._headers["Authorization"]).split()[1], sizes


def ask(endpoint: str, token: str, seconds: float, cells: Sequence[Cell]) -> list[dict[str, Any]]:
    """What Locust measured in each cell, one after the other."""
    task = json.dumps({"endpoint": endpoint, "token": token, "seconds": seconds, "cells": cells})
    command = (str(ROOT / "build/load/venv/bin/python"), str(HERE / "clients.py"))
    environment = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PYTEST_PLUGINS")}
    done = subprocess.run(command, input=task, text=True, capture_output=True, check=False, env=environment)
    found = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    if done.returncode or len(found) != len(cells):
        raise Unfit(f"Locust ended with {done.returncode}: {(done.stderr.strip().splitlines() or ['no reason'])[-1][:300]}")
    for cell, result in zip(cells, found):
        if result["failed"]:
            raise Unfit(f"requests of {cell} failed: {result['failed']}")
    return found


def spread(values: Sequence[float | None], digits: int = 0) -> str:
    """Median of the rounds, and between what they were; a dash where one of them had no answer."""
    known = [value for value in values if value is not None]
    if len(known) < len(values) or not known:
        return "-"
    low, middle, high = (f"{value:.{digits}f}" for value in (min(known), statistics.median(known), max(known)))
    return middle if low == high else f"{middle} ({low}-{high})"


def row(results: Sequence[dict[str, Any]]) -> list[str]:
    """Rate, first token and whole latency in seconds, and refusals, of one cell over all rounds."""

    def seconds(name: str, index: int) -> str:
        return spread([result[name][index] / 1000 if name in result else None for result in results], 2)

    times = [seconds(name, index) for name in ("first token", "whole") for index in (0, 1)]
    return [spread([result.get("rate") for result in results]), *times, spread([result["refused"] for result in results])]


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table in Markdown; the first column is a text."""
    lines = [head, ["---", *("---:" for _cell in head[1:])], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def processor() -> str:
    """What the machine calls its processor."""
    lines = [line.partition(":")[2].strip() for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines() if line.startswith("model name")]
    return lines[0] if lines else "unknown processor"


def memory_of_machine() -> int:
    """MiB of the machine, and those that are free."""
    return int(next(line for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines() if line.startswith("MemTotal")).split()[1]) >> 10


def groups() -> list[list[tuple[Cell, str, str]]]:
    """The cells of the four tables, each with the words of its line."""
    full, half, also_full, also_half = (SETTINGS[number].uid for number in (1, 0, 3, 5))
    return [
        [((("chat", setting.uid, clients),), str(setting), str(clients)) for setting in SETTINGS for clients in CLIENTS],
        [((("embed", EMBED, clients),), "embedding", str(clients)) for clients in CLIENTS],
        [
            ((("chat", full, 1), ("chat", also_full, 1)), f"{CORES} threads each", "1 + 1"),
            ((("chat", half, 1), ("chat", also_half, 1)), "1 thread each", "1 + 1"),
            ((("chat", full, 2), ("chat", also_full, 2)), f"{CORES} threads each", "2 + 2"),
            ((("chat", half, 2), ("chat", also_half, 2)), "1 thread each", "2 + 2"),
            ((("chat", full, 1), ("embed", EMBED, 1)), f"chat with {CORES} threads, and embedding", "1 + 1"),
            ((("chat", half, 1), ("embed", EMBED, 1)), "chat with 1 thread, and embedding", "1 + 1"),
        ],
        [((("chat", LIMITED.uid, clients),), "through the proxy", str(clients)) for clients in CLIENTS],
    ]


def measure(rounds: int, seconds: float, minutes: float) -> dict[str, Any]:
    """Everything that is measured: as many rounds as fit into the time, and one at least."""
    *direct, queued = ([cell for cell, *_words in group] for group in groups())
    directly = [cell for cells in direct for cell in cells]
    found: dict[str, Any] = {"load": os.getloadavg()[0], "seconds": seconds, "rounds": []}
    with tempfile.TemporaryDirectory(prefix="xinference-load-") as home:
        # Otherwise an account would have to log in every minute.
        environment = {**ENVIRONMENT, "XINFERENCE_ACCESS_TOKEN_EXPIRE_MINUTES": "600"}
        with serving(Path(home), environment, CONTAINER) as server:
            say("the server runs")
            token, found["memory"] = launch(server)
            with proxying(Proxy(server.endpoint, [{"uid": LIMITED.uid, "request_limits": LIMITED.limit}])) as proxy:
                # The first request of a model takes longer.
                ask(server.endpoint, token, 1, [cell for cell in directly if len(cell) == 1 and cell[0][2] == 1])
                while len(found["rounds"]) < rounds:
                    begun = time.monotonic()
                    found["rounds"].append(ask(server.endpoint, token, seconds, directly) + ask(proxy, token, seconds, queued))
                    say(f"round {len(found['rounds'])} is done")
                    if 2 * time.monotonic() - begun > BEGUN + minutes * 60:
                        break
                found["after"] = memory(CONTAINER)
    (ROOT / "build/load.json").write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    return found


def page(found: dict[str, Any]) -> str:
    """What stands between the marks of the page."""
    rows = iter([row(results) for results in zip(*found["rounds"])])
    tables = [[[name, clients, *next(rows)] for _cell, name, clients in group] for group in groups()]
    times = ("first token p50", "p95", "whole p50", "p95")
    sizes = found["memory"]
    memory_rows = [["server without models", str(sizes["server"])], *([f"chat {setting}", str(sizes[setting.uid])] for setting in SETTINGS)]
    memory_rows += [["embedding", str(sizes[EMBED])], ["all of them, after the load", str(found["after"])]]
    shape = (
        f"Measured on {processor()}, {CORES} cores, {memory_of_machine()} MiB, with Xinference {VERSION}.\nThe load of the machine was {found['load']:.1f}"
        f" before. Rounds: {len(found['rounds'])}, of {found['seconds']:g} s for each line."
    )
    parts = [
        ("Chat", table(("slots / threads / limit", "clients", "tokens/s", *times, "refused"), tables[0])),
        ("Embedding", table(("model", "clients", "texts/s", *times, "refused"), tables[1])),
        ("Two models at once", table(("models", "clients", "tokens and texts/s", *times, "refused"), tables[2])),
        (f"Model {LIMITED} behind the queue", table(("way", "clients", "tokens/s", *times, "refused"), tables[3])),
        ("Memory", table(("what", "MiB"), memory_rows)),
    ]
    return "\n\n".join([shape, *(f"### {title}\n\n{text}" for title, text in parts)])


def write(text: str) -> None:
    """Put the measured part into the page, in place of the one before."""
    before, begin, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    _old, end, after = rest.partition(END)
    if not begin or not end:
        raise Unfit(f"{PAGE.relative_to(ROOT)} lacks the line '{BEGIN}' or '{END}'")
    PAGE.write_text(f"{before}{BEGIN}\n\n{text}\n\n{END}{after}", encoding="utf-8")


def main() -> int:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rounds", type=int, default=3, help="rounds at most, default 3")
    parser.add_argument("--minutes", type=float, default=12, help="no further round is begun that would end later, default 12")
    parser.add_argument("--seconds", type=float, default=3, help="seconds of each cell, default 3")
    chosen = parser.parse_args()
    if chosen.rounds < 1 or chosen.seconds < 1:
        parser.error("--rounds and --seconds must be at least 1")
    try:
        if memory_of_machine() < NEEDED_MIB:
            raise Unfit(f"the server and its models need {NEEDED_MIB} MiB, and this machine has {memory_of_machine()}")
        write(page(measure(chosen.rounds, chosen.seconds, chosen.minutes)))
    except (Unfit, NotBuilt) as error:
        print(f"load: cannot go on: {error}", file=sys.stderr)
        return 2
    say(f"{PAGE.relative_to(ROOT)} is written")
    return 0


if __name__ == "__main__":
    sys.exit(main())
