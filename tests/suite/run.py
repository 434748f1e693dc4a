# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run parts of the tests side by side, show how far each is, and end with how many tests passed and failed.

Standard library only: it runs before any virtual environment exists. A part that fails does not keep the others from running. The output of each
stays in build/tests/NAME.log.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import tested
import times
from parts import ALL, ROOT, TEST, Part, named

FOLDER = ROOT / "build/tests"
#: How long each part took when it passed last.
LAST = FOLDER / "last.json"
#: Seconds between two polls of the parts that run, and between two lines that show them.
TICK, SHOWN = 0.2, 30.0
#: Lines of a log that are shown of a part that failed.
TAIL = 80
#: The last line of pytest; other programs say that something failed, too, with a number before it.
_SUMMARY = re.compile(r"^(?:=+ )?((?:\d+ \w+, )*\d+ \w+) in [\d.]+ ?s\b", re.MULTILINE)
_COUNTED = re.compile(r"\b(\d+) (passed|failed|errors?)\b")
_COLLECTED = re.compile(r"\bcollected (\d+) items?")
_ENDS = "PASSED|FAILED|ERROR|SKIPPED|XFAIL"
_DONE = re.compile(rf"^\S+\.py::.*? (?:{_ENDS})\b", re.MULTILINE)
_BEGUN = re.compile(rf"^(?:(\S+\.py::(?:(?! (?:{_ENDS})\b).)*)|(?:TASK|RUNNING HANDLER) \[(.*?)\] \*+)$", re.MULTILINE)
_SHARE = re.compile(r"^[.FEsx]+ +\[ *(\d+)%\]$", re.MULTILINE)
_REASONS = re.compile(r"^(?:fatal: |failed: |FAILED |ERROR |E  |CRITICAL )", re.MULTILINE)


@dataclass
class Outcome:
    """How a part ended.

    :param verdict: ``passed``, ``FAILED`` or ``not run``.
    :param seconds: from its beginning to its end.
    :param processor: seconds of processors that its own processes took; what ran in containers is not among them.
    """

    part: Part
    verdict: str
    seconds: float = 0.0
    processor: float = 0.0
    passed: int = 0
    failed: int = 0


class Running:
    """A part that runs.

    :param part: which one.
    :param environment: of its processes.
    """

    def __init__(self, part: Part, environment: dict[str, str]) -> None:
        self.part = part
        self.log = FOLDER / f"{part.name.replace(':', '-')}.log"
        records = FOLDER / "records" / part.name.replace(":", "-")
        shutil.rmtree(records, ignore_errors=True)
        records.mkdir(parents=True)
        variables = [f"{name}={value}" for name, value in part.variables.items()]
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                ("make", "--no-print-directory", part.target, *variables),
                cwd=ROOT,
                env={**environment, "XINFERENCE_TEST_RECORDS": str(records)},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.begun = time.monotonic()

    @property
    def seconds(self) -> float:
        """Since it began."""
        return time.monotonic() - self.begun

    def text(self) -> str:
        """What it printed until now."""
        return self.log.read_text(encoding="utf-8", errors="replace")

    def ended(self) -> Outcome | None:
        """How it ended; None while it runs."""
        number, status, usage = os.wait4(self.process.pid, os.WNOHANG)
        if number == 0:
            return None
        self.process.returncode = code = os.waitstatus_to_exitcode(status)
        # What it left running would disturb the others.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)
        counts = {"passed": 0, "failed": 0}
        for count, word in _COUNTED.findall("\n".join(_SUMMARY.findall(self.text()))):
            counts["passed" if word == "passed" else "failed"] += int(count)
        # A part without tests of its own counts as one; pytest says how many it ran.
        passed = counts["passed"] or 1 if code == 0 else counts["passed"]
        failed = 0 if code == 0 else counts["failed"] or 1
        return Outcome(self.part, "FAILED" if code else "passed", self.seconds, usage.ru_utime + usage.ru_stime, passed, failed)

    def stop(self) -> None:
        """End it with all that it started."""
        for wanted in (signal.SIGTERM, signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, wanted)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(10)
                return

    def progress(self, last: dict[str, float]) -> str:
        """One line: which test or task runs, how many are done, and how long it took last time."""
        text = self.text()
        begun = [next(filter(None, found)) for found in _BEGUN.findall(text)]
        done, wanted = len(_DONE.findall(text)), sum(int(count) for count in _COLLECTED.findall(text))
        share = _SHARE.findall(text)
        count = f"{done} of {wanted} tests" if done or not share else f"{share[-1]} % of {wanted} tests"
        words = [count if wanted else "", begun[-1].rpartition("/")[2][:90] if begun else ""]
        before = f", {last[self.part.name]:.0f} s last time" if self.part.name in last else ""
        return f".. {self.part.name:<22} {self.seconds:.0f} s{before}{''.join(f' · {word}' for word in words if word)}"

    def reasons(self) -> list[str]:
        """The lines of its output that say what failed."""
        return [line[:2000] for line in self.text().splitlines() if _REASONS.match(line)][-20:]

    def end(self) -> str:
        """The end of its output, and the lines of it that say what failed."""
        return "\n".join([f"-- the end of {self.log.relative_to(ROOT)}:", *self.text().splitlines()[-TAIL:], "-- what failed:", *self.reasons(), "--"])


class Suite:
    """The chosen parts.

    :param parts: in the order in which they begin.
    :param lanes: how many run at the same time.
    :param page: whether docs/tested.md records how they ended.
    """

    def __init__(self, parts: list[Part], lanes: int, page: bool) -> None:
        self.page = page
        self.waiting = list(parts)
        self.parts = list(parts)
        self.lanes = lanes
        self.running: list[Running] = []
        self.outcomes: dict[str, Outcome] = {}
        self.reasons: dict[str, list[str]] = {}
        self.last: dict[str, float] = json.loads(LAST.read_text(encoding="utf-8")) if LAST.exists() else {}
        self.environment = recording(dict(os.environ))
        self.stopped = threading.Event()

    def _state(self, part: Part) -> str:
        """Whether a part can begin: ``ready``, ``waits``, or the name of the part that keeps it from running at all."""
        others = [other.name for other in self.parts if other.name != part.name and "*" not in other.needs]
        chosen = {other.name for other in self.parts}
        for need in others if "*" in part.needs else part.needs:
            if need in self.outcomes:
                if self.outcomes[need].verdict != "passed":
                    return need
            elif need in chosen:
                return "waits"
        used = {use for running in self.running for use in running.part.uses}
        alone = "*" in used or ("*" in part.uses and self.running)
        return "waits" if alone or used & set(part.uses) else "ready"

    def _begin(self) -> None:
        """Begin what can begin."""
        for part in list(self.waiting):
            state = self._state(part)
            if state not in ("ready", "waits"):
                self.waiting.remove(part)
                self.outcomes[part.name] = Outcome(part, "not run")
                print(f"== {part.name:<22} not run, because {state} did not pass", flush=True)
            elif state == "ready" and len(self.running) < self.lanes:
                self.waiting.remove(part)
                self.running.append(Running(part, self.environment))

    def _conclude(self, running: Running, outcome: Outcome) -> None:
        """Take down how a part ended, and show it."""
        self.running.remove(running)
        self.outcomes[running.part.name] = outcome
        tests = f", {outcome.passed} passed" if outcome.passed + outcome.failed > 1 else ""
        tests += f", {outcome.failed} failed" if outcome.failed > 1 else ""
        print(f"== {running.part.name:<22} {outcome.verdict} in {outcome.seconds:.0f} s{tests}", flush=True)
        if outcome.verdict == "passed":
            self.last[running.part.name] = outcome.seconds
            LAST.write_text(json.dumps(self.last, indent=1), encoding="utf-8")
        else:
            self.reasons[running.part.name] = running.reasons()
            print(running.end(), flush=True)
        tested.keep(outcome, self.page)

    def run(self) -> None:
        """Run all of them."""
        shown = time.monotonic()
        try:
            while (self.waiting or self.running) and not self.stopped.is_set():
                self._begin()
                for running in list(self.running):
                    outcome = running.ended()
                    if outcome:
                        self._conclude(running, outcome)
                if time.monotonic() - shown > SHOWN:
                    shown = time.monotonic()
                    print("\n".join(running.progress(self.last) for running in self.running), flush=True)
                self.stopped.wait(TICK)
        finally:
            for running in self.running:
                running.stop()


def recording(environment: dict[str, str]) -> dict[str, str]:
    """An environment in which every run of Ansible is recorded, see tests/recorder."""
    return {**environment, "ANSIBLE_CALLBACK_PLUGINS": str(ROOT / "tests/recorder/callback"), "ANSIBLE_CALLBACKS_ENABLED": "run_recorder"}


def chosen_parts(what: str, words: list[str], again: bool) -> list[Part]:
    """The parts to run.

    :param what: ``test``, or ``all`` for what ``make test`` leaves out.
    :param words: names of parts, in place of all of them.
    :param again: whether those that passed on this very tree run again.
    """
    if words:
        return named(words)
    if what == "test":
        return TEST
    passed = set() if again else tested.passed_on_this_tree()
    missing = [part.name for part in ALL if part.name not in passed]
    for part in ALL:
        if part.name in passed:
            print(f"== {part.name:<22} passed on this tree already", flush=True)
    return named(missing) if missing else []


def processors() -> tuple[float, float]:
    """Seconds that all processors of this machine worked, and that there were, since it started."""
    fields = [int(number) for number in Path("/proc/stat").read_text(encoding="ascii").split("\n", 1)[0].split()[1:9]]
    hertz = os.sysconf("SC_CLK_TCK")
    return (sum(fields) - fields[3] - fields[4]) / hertz, sum(fields) / hertz


def engine_answers() -> bool:
    """Whether a Docker Engine runs."""
    with contextlib.suppress(FileNotFoundError):
        return subprocess.run(("docker", "info"), capture_output=True, check=False).returncode == 0
    return False


def main() -> int:
    """Command line; 0 when all passed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("what", choices=("test", "all"), help="what every change must pass, or everything else")
    parser.add_argument("parts", nargs="*", metavar="PART", help="only these, and what they need")
    parser.add_argument("--lanes", type=int, default=3, help="how many parts run at the same time, default 3: each waits at times")
    parser.add_argument("--again", action="store_true", help="also what passed on this very tree already")
    parser.add_argument("--page", action="store_true", help="write into docs/tested.md how they ended")
    parser.add_argument("--times", action="store_true", help="show where the time of each part went")
    chosen = parser.parse_args()
    FOLDER.mkdir(parents=True, exist_ok=True)
    try:
        parts = chosen_parts(chosen.what, chosen.parts, chosen.again)
    except KeyError as error:
        print(f"test: there is no part {error}; there are: {', '.join(part.name for part in [*TEST, *ALL])}", file=sys.stderr)
        return 2
    suite = Suite(parts, max(chosen.lanes, 1), chosen.page)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_arguments: suite.stopped.set())
    begun, (worked, there) = time.monotonic(), processors()
    was_running = engine_answers()
    try:
        suite.run()
    finally:
        # An engine that was there stays; one that these tests started does not.
        if not was_running:
            subprocess.run((str(ROOT / "tools/engine.sh"), "stop"), check=False)
    outcomes = [suite.outcomes[part.name] for part in parts if part.name in suite.outcomes]
    busy, seconds = processors(), time.monotonic() - begun
    print()
    for outcome in outcomes:
        print(f"{outcome.part.name:<22} {outcome.verdict:<7} {outcome.seconds:5.0f} s {outcome.passed:5d} passed")
    print(f"{'all parts':<22} {'':<7} {seconds:5.0f} s, {100 * (busy[0] - worked) / max(busy[1] - there, 1):.0f} % of the processors\n")
    if chosen.times:
        print(times.table([(outcome.part.name, outcome.seconds, outcome.processor) for outcome in outcomes], FOLDER / "records") + "\n")
    # Once more where a long output is cut: at its end.
    for name, reasons in suite.reasons.items():
        print("\n".join([f"{name} failed:", *reasons[-5:]]) + "\n")
    failed = sum(outcome.failed for outcome in outcomes)
    print(f"{sum(outcome.passed for outcome in outcomes)} passed, {failed} failed", flush=True)
    if suite.stopped.is_set():
        print("test: stopped before the end", file=sys.stderr)
    return 0 if len(outcomes) == len(parts) and all(outcome.verdict == "passed" for outcome in outcomes) else 1


if __name__ == "__main__":
    sys.exit(main())
