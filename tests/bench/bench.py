# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the collection costs, against plain tasks and a client by hand. docs/performance.md says what each row means.

Prints a table, writes it as build/bench.json, and ends with 1 where a row misses its bound and with 2 where it cannot measure. Some rows alone go to another
file, so that the whole table stays.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import signal
import sqlite3
import statistics
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import random_gguf
from fake_api import PASSWORD, USERNAME, FakeApi, serving

from ansible_collections.inferops.xinference.plugins.module_utils._core.diagnose.page import html_page
from ansible_collections.inferops.xinference.plugins.module_utils._core.service.intervals import INTERVALS
from ansible_collections.inferops.xinference.plugins.module_utils._core.service.package import install
from ansible_collections.inferops.xinference.tests.machine import ROOT, NotBuilt, built, free_port
from ansible_collections.inferops.xinference.tests.unit.plugins.module_utils._core.diagnose.fleets import mixed

HERE = Path(__file__).resolve().parent
FOLDER = ROOT / "build/bench"
#: Commands of the environment that the bench runs in, whatever the PATH says.
BIN = Path(sys.executable).parent
CONTAINER = "xinference-bench"
GGUF = "SmolLM2-135M-Instruct.Q4_1.gguf"
LARGE_GGUF = "random-7B.Q4_0.gguf"
EMBEDDING_FOLDER = "all-MiniLM-L6-v2"
#: Numbers of models on the fake API, and on the real server.
COUNTS = (1, 5, 20, 50)
REAL_COUNT = 20
#: Launches that a server works on at a time; the others queue there.
LAUNCHES_AT_ONCE = 5
#: Seconds for which the service is watched at rest, and in which it must have done what it is asked for.
IDLE_SECONDS, SERVICE_TIMEOUT = 120.0, 300.0
#: Rows of a server of some years, and requests of which the median is taken.
HISTORY, ACCOUNTS, REQUESTS = 1000, 200, 40
#: MiB that the server and its 20 models take, or the two large ones, with some room.
NEEDED_MIB = 16 << 10
#: As the unit of a backup is run, because the server goes first.
POLITE = ("nice", "-n", "10")
#: Names of rows that can be measured alone: of backups and upgrades; of status, diagnosis and metrics.
DAY_TWO, DIAGNOSIS = "day-two", "diagnosis"
#: Seconds between two scrapes of Prometheus, and hosts of the largest page.
SCRAPE_SECONDS, PAGE_HOSTS = 15.0, 200
BEGUN = time.monotonic()


class Unfit(Exception):
    """The bench cannot measure; the text says why."""


@dataclass(frozen=True)
class Row:
    """One row of the table.

    :param name: what is measured, with its unit.
    :param ours: one value per run.
    :param against: the same of what it is compared with; None where the bound is on our own value.
    :param at_most: bound of the ratio, or of our own value; None where it is only reported.
    """

    name: str
    ours: list[float]
    against: list[float] | None
    at_most: float | None

    def data(self) -> dict[str, Any]:
        """The row as it is written: medians, their ratio, and the spread of the ratio over the runs."""
        ours, against = statistics.median(self.ours), statistics.median(self.against) if self.against else None
        single = [mine / other for mine, other in zip(self.ours, self.against)] if self.against else self.ours
        numbers = {"ours": ours, "against": against, "ratio": ours if against is None else ours / against, "at_most": self.at_most}
        spread = {"min": min(single), "median": statistics.median(single), "max": max(single)}
        rounded = {name: None if value is None else round(value, 3) for name, value in {**numbers, **spread}.items()}
        return {
            "name": self.name,
            **{name: rounded[name] for name in numbers},
            "runs": len(self.ours),
            **{name: rounded[name] for name in spread},
        }


def missed(row: dict[str, Any]) -> bool:
    """Whether a row misses its bound."""
    return row["at_most"] is not None and row["ratio"] > row["at_most"]


def say(text: str) -> None:
    """Report progress."""
    print(f"bench: {time.monotonic() - BEGUN:4.0f} s  {text}", flush=True)


def run(name: str, command: list[str], **environment: str) -> tuple[float, str]:
    """Seconds that a command took, and its output, which is also kept as a log."""
    log = FOLDER / "logs" / f"{name}.log"
    begun = time.perf_counter()
    # As Ansible runs modules by default.
    given = {**os.environ, "ANSIBLE_PIPELINING": "false", **environment}
    done = subprocess.run(command, cwd=ROOT, env=given, capture_output=True, text=True, check=False)
    seconds = time.perf_counter() - begun
    log.write_text(done.stdout + done.stderr, encoding="utf-8")
    if done.returncode:
        output = done.stdout + done.stderr
        reason = (re.findall(r'"msg": "(.*?)"[,}]', output) or [line for line in output.splitlines() if line.strip()] or [""])[-1]
        raise Unfit(f"{name} ended with {done.returncode}: {reason[:300]} ({log.relative_to(ROOT)})")
    return seconds, done.stdout


def play(name: str, playbook: str, variables: dict[str, Any], *, no_op: bool = True, **environment: str) -> tuple[float, str]:
    """Seconds that ansible-playbook took from start to end, and its output.

    :param no_op: whether a run that changed anything is an error.
    """
    given = FOLDER / f"{name}.json"
    given.write_text(json.dumps({"bench_folder": str(FOLDER), "bench_username": USERNAME, "bench_password": PASSWORD, **variables}), encoding="utf-8")
    command = [str(BIN / "ansible-playbook"), "--inventory", str(HERE / "inventory.yml"), "--extra-vars", f"@{given}", playbook]
    seconds, output = run(name, command, ANSIBLE_NOCOWS="1", ANSIBLE_NOCOLOR="1", **environment)
    if no_op and not re.search(r"changed=0 +unreachable=0 +failed=0", output):
        raise Unfit(f"{name} had nothing to change and changed something ({(FOLDER / 'logs' / name).relative_to(ROOT)}.log)")
    return seconds, output


def seconds_of(name: str, playbook: str, variables: dict[str, Any]) -> float:
    """Seconds of a run that had nothing to change."""
    return play(name, playbook, variables)[0]


def alternating(runs: int, ours: Callable[[], float], against: Callable[[], float]) -> tuple[list[float], list[float]]:
    """Both in turn, so that a busy moment of the machine meets both."""
    pairs = [(ours(), against()) for _run in range(runs)]
    return [pair[0] for pair in pairs], [pair[1] for pair in pairs]


# What is declared, and the same in the server's own terms for the others.


def declared(count: int, *, embedding: bool = False) -> list[dict[str, Any]]:
    """Small models that are on disk; the last one an embedding model if wanted."""
    specification = {"model_format": "ggufv2", "model_size_in_billions": "0_135", "quantization": "Q4_1", "model_id": None}
    language_model = {
        "name": "bench-llm",
        "engine": "llama.cpp",
        "format": "ggufv2",
        "size_in_billions": "0_135",
        "quantization": "Q4_1",
        "engine_options": {"n_ctx": 256, "n_threads": 1, "n_parallel": 1},
        "registration": {
            "version": 2,
            "model_lang": ["en"],
            "model_ability": ["generate"],
            "model_family": "bench-llm",
            "context_length": 8192,
            "model_specs": [{**specification, "model_file_name_template": GGUF, "model_uri": f"file:///models/{GGUF}"}],
        },
    }
    embedding_model = {
        "uid": "bench-embed",
        "name": "bench-embedding",
        "type": "embedding",
        "engine": "sentence_transformers",
        "registration": {
            "version": 2,
            "dimensions": 384,
            "max_tokens": 256,
            "language": ["en"],
            "model_specs": [{"model_format": "pytorch", "quantization": "none", "model_id": None, "model_uri": f"file:///models/{EMBEDDING_FOLDER}"}],
        },
    }
    models: list[dict[str, Any]] = [{"uid": f"bench-{number:02}", **language_model} for number in range(1, count + 1 - embedding)]
    return [*models, embedding_model] if embedding else models


def large(number: int) -> dict[str, Any]:
    """A language model of a size that people run, from :mod:`random_gguf`."""
    (small,) = declared(1)
    size = {"model_size_in_billions": 7, "quantization": "Q4_0"}
    files = {"model_file_name_template": LARGE_GGUF, "model_uri": f"file:///models/{LARGE_GGUF}"}
    (spec,) = small["registration"]["model_specs"]
    return {
        **small,
        "uid": f"bench-large-{number}",
        "name": "bench-large",
        "size_in_billions": "7",
        "quantization": "Q4_0",
        "engine_options": {"n_ctx": 4096},
        "registration": {**small["registration"], "model_family": "bench-large", "model_specs": [{**spec, **size, **files}]},
    }


def launches(models: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Bodies of POST /v1/models for declared models."""
    keys = {
        "name": "model_name",
        "engine": "model_engine",
        "format": "model_format",
        "size_in_billions": "model_size_in_billions",
        "quantization": "quantization",
    }
    return [
        {
            "model_uid": model["uid"],
            "model_type": model.get("type", "LLM"),
            "replica": 1,
            **{key: model[field] for field, key in keys.items() if field in model},
            **model.get("engine_options", {}),
        }
        for model in models
    ]


def variables_for(endpoint: str, models: list[dict[str, Any]]) -> dict[str, Any]:
    """Variables of the playbooks of both sides."""
    return {"bench_endpoint": endpoint, "xinference_models": models, "bench_launches": launches(models), "bench_launches_at_once": LAUNCHES_AT_ONCE}


# Rows on the fake API.


def no_op_rows(api: FakeApi, runs: int) -> list[Row]:
    """A run with nothing to change, from 1 to 50 models; how it grows; how many requests it takes."""
    ours: dict[int, list[float]] = {}
    rows, requests = [], []
    for count in COUNTS:
        say(f"no-op of the models task, {count} on the fake API")
        given = {**variables_for(api.endpoint, declared(count)), "bench_check_memory": False}
        # The module itself brings the models up, so that the server holds what the module leaves on one.
        play(f"models-{count}-launch", str(HERE / "models_ours.yml"), {**given, "bench_launches_at_once": count}, no_op=False)
        before = len(api.requests)
        play(f"models-{count}-count", str(HERE / "models_ours.yml"), given)
        requests.append(api.requests[before:])
        ours[count], against = alternating(
            runs,
            partial(seconds_of, f"models-{count}-ours", str(HERE / "models_ours.yml"), given),
            partial(seconds_of, f"models-{count}-plain", str(HERE / "models_plain.yml"), given),
        )
        rows.append(Row(f"no-op of the models task, {count} on a fake API (s)", ours[count], against, 0.2 if count == 20 else None))
    say(f"requests of a no-op: {', '.join(requests[-1])}")
    growth = [(high - low) / (COUNTS[-1] - COUNTS[0]) * 1000 for low, high in zip(ours[COUNTS[0]], ours[COUNTS[-1]])]
    rows.append(Row("the same, growth per added model (ms)", growth, None, 10))
    rows.append(Row(f"requests of a no-op, the most of {', '.join(map(str, COUNTS))} models", [float(max(map(len, requests)))], None, 6))
    return rows


def start_row(api: FakeApi, runs: int) -> Row:
    """A whole execution of the module with nothing declared, against ping; as a host runs them, without the controller's part."""
    say("start of the module")
    arguments = {"endpoint": api.endpoint, "username": USERNAME, "password": PASSWORD, "models": []}
    modules = {"inferops.xinference.models": json.dumps(arguments), "ansible.builtin.ping": "data=pong"}
    payloads: dict[str, Path] = {}
    for module, given in modules.items():
        kept = FOLDER / "kept" / module
        command = [str(BIN / "ansible"), "--inventory", str(HERE / "inventory.yml"), "localhost", "--module-name", module, "--args", given]
        run(f"start-{module}", command, ANSIBLE_KEEP_REMOTE_FILES="1", ANSIBLE_REMOTE_TMP=str(kept))
        (payloads[module],) = kept.glob("*/AnsiballZ_*.py")
    ours, ping = (partial(run, f"start-{module}", [sys.executable, str(path)]) for module, path in payloads.items())
    # Short, so it can be repeated more often.
    mine, other = alternating(5 * runs, lambda: ours()[0], lambda: ping()[0])
    return Row("execution of the module with an empty list, against ping (s)", mine, other, None)


# Rows on a real server.


def remove() -> None:
    """Remove the server of this run, or of an earlier one that was interrupted."""
    made = [f"{CONTAINER}{ending}" for ending in ("", "-prepare", "-backup", "-new-server", "-version", "-made", ".previous", ".replacement")]
    for command in (("rm", "--force", "--volumes", *made), ("network", "rm", CONTAINER), ("image", "rm", "inferops-test/bench:next")):
        subprocess.run(("docker", *command), capture_output=True, check=False)
    names = [f"xinference-{what}-{CONTAINER}" for what in ("backup", "upgrade", "models")]
    kept = [Path(place, name) for name in names for place in ("/etc", "/usr/local/lib", "/var/lib", "/run")]
    for place in (*kept, FOLDER / "xinference_data", FOLDER / "repository", FOLDER / "repository-by-hand", FOLDER / "by-hand"):
        shutil.rmtree(place, ignore_errors=True)


def require_room() -> None:
    """Refuse a machine on which the models would not fit."""
    if os.geteuid():
        raise Unfit("provisioning this machine needs root; run it with sudo")
    if shutil.which("sqlite3") is None:
        raise Unfit("there is no sqlite3 to compare backups with; install it")
    (available,) = re.findall(r"MemAvailable: +(\d+) kB", Path("/proc/meminfo").read_text(encoding="utf-8"))
    if int(available) >> 10 < NEEDED_MIB:
        raise Unfit(f"the real models need {NEEDED_MIB >> 10} GiB of free memory, and there are {int(available) >> 20}")


@contextmanager
def provisioned(count: int = REAL_COUNT) -> Iterator[dict[str, Any]]:
    """A real server with so many real models, made by playbook provision; the variables with which it was made."""
    repository, _colon, tag = built("server").rpartition(":")
    source, port = Path(built("models")), free_port()
    remove()
    target = FOLDER / "xinference_data/models"
    target.mkdir(parents=True)
    shutil.copytree(source, target, dirs_exist_ok=True)
    given = {
        **variables_for(f"http://127.0.0.1:{port}", declared(count, embedding=True)),
        "xinference_port": port,
        "xinference_image": repository,
        "xinference_image_tag": tag,
        "xinference_admin_username": USERNAME,
        "xinference_admin_password": PASSWORD,
        "xinference_models_max_concurrent_launches": 2,
    }
    try:
        say(f"provisioning a real server with {count} real models (some minutes)")
        play("provision-first", "inferops.xinference.provision", given, no_op=False)
        yield given
    finally:
        remove()


def executions(name: str, playbook: str, given: dict[str, Any]) -> float:
    """Executions of modules on the host: Ansible names the file of each before it sends it."""
    _seconds, output = play(name, playbook, given, ANSIBLE_VERBOSITY="3")
    return float(output.count("Using module file "))


def provision_rows(given: dict[str, Any], runs: int) -> list[Row]:
    """The whole playbook with nothing to change, against the folk recipe on the same container and models."""
    ours, folk = "inferops.xinference.provision", str(HERE / "folk_recipe.yml")
    say(f"provision with nothing to change, {REAL_COUNT} real models")
    count = executions("provision-count", ours, given)
    say(f"executions of modules on the host: {count:.0f}, in the folk recipe {executions('folk-count', folk, given):.0f}")
    mine, other = alternating(runs, partial(seconds_of, "provision-ours", ours, given), partial(seconds_of, "provision-folk", folk, given))
    return [
        Row(f"provision with nothing to change, {REAL_COUNT} real models (s)", mine, other, 0.5),
        Row("the same, executions of modules on the host", [count], None, 12),
    ]


def launch_row(given: dict[str, Any], runs: int) -> Row:
    """Four models that are on disk, with the module and with a client by hand, in turn on the same server."""
    every = given["xinference_models"]
    chosen = [*every[:3], every[-1]]
    by_hand = FOLDER / "by-hand.json"
    by_hand.write_text(json.dumps({"endpoint": given["bench_endpoint"], "username": USERNAME, "password": PASSWORD, "launches": launches(chosen)}))
    module = str(HERE / "models_ours.yml")

    def clear() -> None:
        absent = [{"uid": model["uid"], "state": "absent"} for model in every]
        play("launch-clear", module, {**given, "xinference_models": absent}, no_op=False)

    def ours() -> float:
        clear()
        wanted = {**given, "xinference_models": chosen, "bench_launches_at_once": LAUNCHES_AT_ONCE}
        _seconds, output = play("launch-ours", module, wanted, no_op=False, ANSIBLE_CALLBACKS_ENABLED="ansible.posix.profile_tasks")
        # The task alone: what starts ansible-playbook is no part of launching.
        (seconds,) = re.findall(r"^Ensure the declared models -+ ([0-9.]+)s$", output, flags=re.MULTILINE)
        say(f"  ours {float(seconds):.1f} s")
        return float(seconds)

    def against() -> float:
        clear()
        seconds, _output = run("launch-by-hand", [sys.executable, str(HERE / "launch_by_hand.py"), str(by_hand)])
        say(f"  by hand {seconds:.1f} s")
        return seconds

    say("launching 4 models that are on disk (the first time does not count)")
    against()
    # Loading varies more than the rest, and the bound is narrow.
    mine, other = alternating(runs + 2, ours, against)
    return Row("launching 4 models that are on disk (s)", mine, other, 1.05)


# What brings models back.


@contextmanager
def recovery(declaration: Path, port: int = 0) -> Iterator[subprocess.Popen[str]]:
    """The recovery service as a host runs it, without systemd.

    :param port: on which it answers load balancers and Prometheus; 0 for none.
    """
    program = FOLDER / "program"
    install(program)
    files = {"--declaration": declaration, "--lock": declaration.with_name("lock"), "--state": declaration.with_name("state.json")}
    words = [word for option, value in {**files, "--port": port}.items() for word in (option, str(value))]
    with subprocess.Popen([sys.executable, "-I", str(program), *words], stdout=subprocess.PIPE, text=True) as service:
        try:
            yield service
        finally:
            service.terminate()


@contextmanager
def polling(given: dict[str, Any]) -> Iterator[subprocess.Popen[str]]:
    """A poller by hand that asks as often as the service at rest, after its first answer.

    :param given: variables with which the server was made.
    """
    task = FOLDER / "poll.json"
    connection = {"endpoint": given["bench_endpoint"], "username": USERNAME, "password": PASSWORD}
    task.write_text(json.dumps({**connection, "interval": INTERVALS.idle}), encoding="utf-8")
    with subprocess.Popen([sys.executable, str(HERE / "poll_by_hand.py"), str(task)], stdout=subprocess.PIPE, text=True) as poller:
        try:
            if not poller.stdout or poller.stdout.readline() != "polling\n":
                raise Unfit("the poller by hand got no answer")
            yield poller
        finally:
            poller.terminate()


def wait_for_state(declaration: Path, *, ready: bool) -> float:
    """Seconds until the service says so."""
    begun, state = time.monotonic(), declaration.with_name("state.json")
    while time.monotonic() - begun < SERVICE_TIMEOUT:
        if state.exists() and json.loads(state.read_text(encoding="utf-8"))["ready"] is ready:
            return time.monotonic() - begun
        time.sleep(0.05)
    raise Unfit(f"the service is not {'ready' if ready else 'aware of a loss'} after {SERVICE_TIMEOUT} s")


def processor_seconds(process: int) -> float:
    """Seconds of a core that a process has used."""
    fields = Path(f"/proc/{process}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident_mb(process: int) -> float:
    """Megabytes of memory that a process holds."""
    (kilobytes,) = re.findall(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{process}/status").read_text(encoding="ascii"))
    return int(kilobytes) * 1024 / 1e6


class Restarts:
    """What brings three models back after a restart of the container, timed until each has answered.

    :param given: variables with which the server was made.
    :param models: the three.
    """

    def __init__(self, given: dict[str, Any], models: list[dict[str, Any]]) -> None:
        self.models = models
        self.declaration = FOLDER / "service" / "declaration.json"
        self.wanted = {**given, "xinference_models": models, "bench_launches_at_once": LAUNCHES_AT_ONCE, "bench_exclusive": True}
        self.task = FOLDER / "restore.json"
        types = {model["uid"]: model.get("type", "LLM") for model in models}
        connection = {"endpoint": given["bench_endpoint"], "username": USERNAME, "password": PASSWORD}
        self.text = json.dumps({**connection, "launches": launches(models), "types": types})

    def declare(self, name: str, **variables: Any) -> None:
        """Bring the models up, and with them what brings them back."""
        play(f"restore-{name}", str(HERE / "models_ours.yml"), {**self.wanted, **variables}, no_op=False)

    def restart(self, name: str, *options: str) -> float:
        """Seconds from the restart until every model answered."""
        self.task.write_text(self.text, encoding="utf-8")
        begun = time.perf_counter()
        run("restart", ["docker", "restart", "--time", "30", CONTAINER])
        run(f"restore-{name}", [sys.executable, str(HERE / "restore_by_hand.py"), str(self.task), *options])
        seconds = time.perf_counter() - begun
        say(f"  {name} {seconds:.1f} s")
        return seconds

    def by_service(self, then: Callable[[int], None] = lambda process: None) -> float:
        """With our service.

        :param then: called with its process when the models are back.
        """
        shutil.rmtree(self.declaration.parent, ignore_errors=True)
        self.declare("declare", bench_declaration=str(self.declaration), bench_lock=str(self.declaration.with_name("lock")))
        with recovery(self.declaration) as service:
            wait_for_state(self.declaration, ready=True)
            seconds = self.restart("service", "--only-wait")
            wait_for_state(self.declaration, ready=True)
            then(service.pid)
        return seconds

    def by_hand(self) -> float:
        """With a client that launches all at once as soon as a worker is there; nothing else would bring them back."""
        self.declare("no-autostart", xinference_models=[{**model, "autostart": False} for model in self.models])
        return self.restart("by-hand")

    def by_autostart(self) -> float:
        """With the server's own entries and nothing else."""
        self.declare("autostart")
        return self.restart("autostart", "--only-wait")


def restart_rows(given: dict[str, Any], runs: int) -> list[Row]:
    """A restart of the container until three models answer: our service, a client by hand, the server's own autostart; and what the service costs."""
    embedding = given["xinference_models"][-1]
    random_gguf.write(FOLDER / "xinference_data/models" / LARGE_GGUF, FOLDER / "xinference_data/models" / GGUF)
    # What a host serves for chat, code and search; who waits for an answer in a chat comes first.
    chosen = [large(1), large(2), embedding]
    usual = Restarts(given, [{**model, "autostart": {"priority": place}} for place, model in enumerate(chosen)])
    idle: list[float] = []
    idle_by_hand: list[float] = []
    resident: list[float] = []
    noticed: list[float] = []

    def measure_service(process: int) -> None:
        # A whole comparison is made once a minute, so this holds two of them. Both are measured at the same time, so that a busy moment meets both.
        with polling(given) as poller:
            processes = (process, poller.pid)
            before = [processor_seconds(each) for each in processes]
            time.sleep(IDLE_SECONDS)
            used = [(processor_seconds(each) - earlier) / IDLE_SECONDS * 100 for each, earlier in zip(processes, before)]
        if poller.returncode != -signal.SIGTERM or not used[1]:
            raise Unfit("the poller by hand ended, or used no measurable processor time")
        idle.append(used[0])
        idle_by_hand.append(used[1])
        resident.append(resident_mb(process))
        _seconds, listing = run("lose", ["docker", "top", CONTAINER, "-eo", "pid,args"])
        (victim,) = re.findall(rf"(\d+) +Model: {usual.models[0]['uid']}", listing)
        os.kill(int(victim), signal.SIGKILL)
        noticed.append(wait_for_state(usual.declaration, ready=False))
        wait_for_state(usual.declaration, ready=True)

    say("restart of the container until 3 models of usual size answer")
    triples = [(usual.by_service(measure_service), usual.by_hand(), usual.by_autostart()) for _run in range(runs)]
    ours, hand, autostart = ([triple[side] for triple in triples] for side in range(3))
    say("restart of the container until 3 tiny models answer")
    tiny = Restarts(given, [given["xinference_models"][0], embedding, {**embedding, "uid": "bench-embed-2"}])
    tiny_ours, tiny_autostart = alternating(runs, tiny.by_service, tiny.by_autostart)
    return [
        Row("restart until 3 models of usual size answer, against a client by hand (s)", ours, hand, 1.1),
        Row("the same, against the server's own autostart (s)", ours, autostart, 0.9),
        Row("the same with 3 tiny models (s)", tiny_ours, tiny_autostart, None),
        Row("recovery service at rest, against a poller by hand (% of a core)", idle, idle_by_hand, 3),
        Row("recovery service, memory (MB)", resident, None, 60),
        Row("recovery service, until it notices a lost model (s)", noticed, None, 5),
    ]


class DayTwo:
    """Backups and upgrades of the real server.

    :param given: variables with which the server was made.
    :param restarts: what waits until its models answer.
    """

    def __init__(self, given: dict[str, Any], restarts: Restarts) -> None:
        self.given = {
            **given,
            "xinference_models": restarts.models,
            "xinference_models_exclusive": True,
            "xinference_backup": True,
            "xinference_backup_password": "a password for the bench",
            "xinference_backup_repository": str(FOLDER / "repository"),
            "xinference_backup_schedule": "",
        }
        self.restarts = restarts
        self.images = [(str(given["xinference_image"]), str(given["xinference_image_tag"])), ("inferops-test/bench", "next")]
        shutil.rmtree(FOLDER / "repository", ignore_errors=True)
        play("day-two-first", "inferops.xinference.provision", self.given, no_op=False)
        run("image", ["docker", "container", "create", "--name", f"{CONTAINER}-made", ":".join(self.images[0])])
        run("image", ["docker", "commit", "--change", "ENV EXAMPLE=next", f"{CONTAINER}-made", ":".join(self.images[1])])
        run("image", ["docker", "rm", f"{CONTAINER}-made"])
        self.restarts.task.write_text(self.restarts.text, encoding="utf-8")

    def _outage(self, name: str, begin: Callable[[], Any]) -> float:
        """Seconds from the last answer of a server that is stopped until every model answers.

        :param begin: stops the server, and starts it or another one.
        """
        endpoint = f"{self.given['bench_endpoint']}/status"
        with ThreadPoolExecutor(1) as pool:
            done, last = pool.submit(begin), time.perf_counter()
            while True:
                try:
                    urllib.request.urlopen(endpoint, timeout=10).close()
                except OSError:
                    break
                last = time.perf_counter()
                if done.done():
                    done.result()
                    raise Unfit(f"{name} did not stop the server")
                time.sleep(0.05)
            run(f"{name}-wait", [sys.executable, str(HERE / "restore_by_hand.py"), str(self.restarts.task), "--only-wait"])
            seconds = time.perf_counter() - last
            done.result()
        say(f"  {name} {seconds:.1f} s")
        return seconds

    def by_upgrade(self) -> float:
        """Seconds without a server when it gets another image."""
        repository, tag = self.images[1]
        self.images.reverse()
        image = {"xinference_image": repository, "xinference_image_tag": tag}
        return self._outage("upgrade", lambda: play("upgrade", "inferops.xinference.upgrade", {**self.given, **image}, no_op=False))

    def by_restart(self) -> float:
        """Seconds without a server when its container restarts; its own autostart brings the models back, as it does in an upgrade here."""
        return self._outage("docker-restart", lambda: run("docker-restart", ["docker", "restart", "--time", "30", CONTAINER]))

    def fill(self) -> None:
        """Give the server as many rows as one of some years has: of its launch history, and of accounts."""
        home = FOLDER / "xinference_data/.xinference"
        tables = (("launch_history.db", "launch_history", "model_uid", HISTORY), ("auth/auth.db", "users", "username", ACCOUNTS))
        for name, table_name, key, count in tables:
            with closing(sqlite3.connect(home / name, timeout=60)) as database:
                known = [row[1] for row in database.execute(f"PRAGMA table_info({table_name})")]
                columns = [column for column in known if column not in ("id", key) and not column.startswith("autostart")]
                row = database.execute(f"SELECT {', '.join(columns)} FROM {table_name} LIMIT 1").fetchone()
                if row is None:
                    raise Unfit(f"{name} has no row")
                marks = ", ".join("?" * (len(columns) + 1))
                database.executemany(
                    f"INSERT INTO {table_name} ({', '.join([key, *columns])}) VALUES ({marks})", [(f"bench-row-{number}", *row) for number in range(count)]
                )
                database.commit()

    def backup(self) -> float:
        """Seconds of our backup, as its unit makes it."""
        name = f"xinference-backup-{CONTAINER}"
        command = [*POLITE, sys.executable, "-I", "-S", f"/usr/local/lib/{name}", "backup", "--settings", f"/etc/{name}/settings.json"]
        return run("backup", command)[0]

    def backup_by_hand(self) -> float:
        """Seconds of what people write by hand: a copy of each database, and restic."""
        home, work, repository = FOLDER / "xinference_data/.xinference", FOLDER / "by-hand", FOLDER / "repository-by-hand"
        environment = {"RESTIC_PASSWORD": "another password", "RESTIC_REPOSITORY": str(repository)}
        if not repository.exists():
            run("restic-init", ["restic", "init"], **environment)
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir(mode=0o700)
        copies = "; ".join(f'sqlite3 "{home / name}" ".backup {work / Path(name).name}"' for name in ("auth/auth.db", "launch_history.db"))
        return run("backup-by-hand", [*POLITE, "sh", "-ec", f"{copies}; restic backup --quiet {work} {home / 'auth'} {home / 'model'}"], **environment)[0]

    def latencies(self, backups: bool) -> float:
        """Median seconds of a chat request, with or without backups one after the other beside it."""
        stop = threading.Event()

        def make() -> None:
            while backups and not stop.is_set():
                self.backup()

        with ThreadPoolExecutor(1) as pool:
            making = pool.submit(make)
            output = run("latency", [sys.executable, str(HERE / "ask_by_hand.py"), str(self.restarts.task), str(REQUESTS)])[1]
            stop.set()
            making.result()
        return float(output)


def day_two_rows(given: dict[str, Any], runs: int) -> list[Row]:
    """Upgrades against restarts of the container, backups against sqlite3 and restic by hand, and whether they slow the models."""
    say("upgrade until 3 tiny models answer, and backups")
    tiny = Restarts(given, [given["xinference_models"][0], given["xinference_models"][-1], {**given["xinference_models"][-1], "uid": "bench-embed-2"}])
    days = DayTwo(given, tiny)
    upgrades, restarts = alternating(runs, days.by_upgrade, days.by_restart)
    days.fill()
    # The first of a day also removes old snapshots, and checks the repository; by hand, nobody does.
    days.backup()
    backups, by_hand = alternating(3 * runs, days.backup, days.backup_by_hand)
    during, without = alternating(runs, partial(days.latencies, True), partial(days.latencies, False))
    return [
        Row("without a server during an upgrade, against docker restart, 3 tiny models (s)", upgrades, restarts, 1.15),
        Row(f"backup of {HISTORY} launches and {ACCOUNTS} accounts, against sqlite3 and restic by hand (s)", backups, by_hand, 2),
        Row("request of a model while backups are made, against without (s)", during, without, 1.1),
    ]


# Status, diagnosis, metrics.


def scraped_service(given: dict[str, Any]) -> tuple[float, float]:
    """What the service takes at rest while a Prometheus reads its metrics, in percent of a core, and its memory in MB."""
    declaration, port = FOLDER / "service" / "declaration.json", free_port()
    shutil.rmtree(declaration.parent, ignore_errors=True)
    stored = {"bench_declaration": str(declaration), "bench_lock": str(declaration.with_name("lock"))}
    play("scrape-declare", str(HERE / "models_ours.yml"), {**given, **stored}, no_op=False)
    with recovery(declaration, port) as service:
        wait_for_state(declaration, ready=True)
        # The first answer imports the library.
        before, begun = 0.0, time.monotonic()
        for scrape in range(int(IDLE_SECONDS / SCRAPE_SECONDS) + 1):
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=60) as answer:
                if b"xinference_service_server_up 1.0" not in answer.read():
                    raise Unfit("the service's metrics do not show its server")
            if not scrape:
                before, begun = processor_seconds(service.pid), time.monotonic()
            time.sleep(SCRAPE_SECONDS)
        return (processor_seconds(service.pid) - before) / (time.monotonic() - begun) * 100, resident_mb(service.pid)


def page() -> tuple[float, float]:
    """Seconds and MB of the page of a large fleet."""
    hosts = mixed(PAGE_HOSTS)
    begun = time.perf_counter()
    text = html_page(hosts)
    return time.perf_counter() - begun, len(text.encode()) / 1e6


def diagnosis_rows(given: dict[str, Any], runs: int) -> list[Row]:
    """Playbook diagnose against status, status against one that compares nothing, the service that is scraped, and the page."""
    status, diagnose, plain = "inferops.xinference.status", "inferops.xinference.diagnose", str(HERE / "status_without_drift.yml")
    count = len(given["xinference_models"])
    say(f"status and diagnose, {count} real models")
    diagnosed, against = alternating(runs, partial(seconds_of, "diagnose", diagnose, given), partial(seconds_of, "status", status, given))
    compared, without = alternating(runs, partial(seconds_of, "status", status, given), partial(seconds_of, "status-plain", plain, given))
    say("the service at rest, with its metrics read every 15 s")
    used, memory = zip(*(scraped_service(given) for _run in range(runs)))
    pages = [page() for _run in range(3 * runs)]
    return [
        Row(f"diagnose, {count} real models, against status (s)", diagnosed, against, 1.5),
        Row(f"status, {count} real models, against one without drift (s)", compared, without, 1.3),
        Row("recovery service at rest, scraped every 15 s (% of a core)", list(used), None, 0.25),
        Row("the same, memory (MB)", list(memory), None, 64),
        Row(f"page of {PAGE_HOSTS} hosts (s)", [seconds for seconds, _size in pages], None, 2),
        Row("the same, size (MB)", [size for _seconds, size in pages], None, 2),
    ]


# The table.


def table(rows: list[dict[str, Any]]) -> str:
    """The rows as a table in Markdown."""

    def cell(value: Any) -> str:
        return "-" if value is None else str(value)

    columns = ("name", "ours", "against", "ratio", "at_most", "runs", "min", "median", "max")
    lines = [list(columns), *([cell(row[column]) for column in columns] for row in rows)]
    widths = [max(len(line[index]) for line in lines) for index in range(len(columns))]
    text = ["| " + " | ".join(value.ljust(width) for value, width in zip(line, widths)) + " |" for line in lines]
    return "\n".join([text[0], "|" + "|".join("-" * (width + 2) for width in widths) + "|", *text[1:]])


def measure(runs: int, rows_of: str) -> list[Row]:
    """Every row, or those of one kind alone; what could keep it from going on comes first."""
    require_room()
    if rows_of == DAY_TWO:
        with provisioned(2) as given:
            return day_two_rows(given, runs)
    if rows_of == DIAGNOSIS:
        with provisioned() as given:
            return diagnosis_rows(given, runs)
    with serving() as api:
        rows = [*no_op_rows(api, runs), start_row(api, runs)]
    with provisioned() as given:
        rows += [*provision_rows(given, runs), *diagnosis_rows(given, runs), launch_row(given, runs)]
        return [*rows, *restart_rows(given, runs), *day_two_rows(given, runs)]


def main() -> int:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--runs", type=int, default=3, help="runs of each side of a row, default 3")
    parser.add_argument("--rows", choices=["all", DAY_TWO, DIAGNOSIS], default="all", help="which rows, default all")
    chosen = parser.parse_args()
    if chosen.runs < 1:
        parser.error("--runs must be at least 1")
    shutil.rmtree(FOLDER / "kept", ignore_errors=True)
    (FOLDER / "logs").mkdir(parents=True, exist_ok=True)
    try:
        rows = [row.data() for row in measure(chosen.runs, chosen.rows)]
    except (Unfit, NotBuilt) as error:
        print(f"bench: cannot go on: {error}", file=sys.stderr)
        return 2
    name = "bench.json" if chosen.rows == "all" else f"bench-{chosen.rows}.json"
    (ROOT / "build" / name).write_text(json.dumps(rows, indent=2) + "\n", encoding="utf-8")
    print(f"\n{table(rows)}\n")
    late = [row for row in rows if missed(row)]
    for row in late:
        print(f"bench: {row['name']}: {row['ratio']} is more than {row['at_most']}")
    say("done" if not late else f"{len(late)} of {len(rows)} rows miss their bound")
    return 1 if late else 0


if __name__ == "__main__":
    sys.exit(main())
