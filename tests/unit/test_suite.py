# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The runner of all parts: what it runs, in which order, how it counts, and what it shows."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/suite"))

import run as suite_run  # noqa: E402  the directory holds scripts
import tested  # noqa: E402
import times  # noqa: E402
from parts import ALL, TEST, Part, named  # noqa: E402

MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
Start = Callable[..., "suite_run.Suite"]


def test_each_part_is_there_once_and_a_target_of_the_makefile() -> None:
    names = [part.name for part in [*TEST, *ALL]]
    assert len(names) == len(set(names))
    for part in [*TEST, *ALL]:
        assert re.search(rf"^{part.target}:", MAKEFILE, re.MULTILINE), part.name
        assert set(part.needs) <= {*names, "*"}


def test_no_part_runs_while_the_virtual_environment_is_made() -> None:
    """Its half-made interpreter stands first in PATH, without pip."""
    by_name = {part.name: part for part in [*TEST, *ALL]}

    def waits(name: str) -> bool:
        needs = by_name[name].needs
        return "setup" in needs or "*" in needs or any(waits(need) for need in needs)

    assert [name for name in by_name if name != "setup" and not waits(name)] == []


def test_what_is_not_in_make_test_has_its_reason() -> None:
    assert [part.name for part in ALL if not part.reason] == []
    assert [part.name for part in TEST if part.reason] == []


def test_every_scenario_and_every_folder_of_tests_is_held() -> None:
    """By make test, but for scenarios that make test-all alone has the time for."""
    targets = {part.target for part in TEST}
    scenarios = {path.parent.name for path in (ROOT / "molecule").glob("*/molecule.yml")}
    assert {part.variables["SCENARIO"] for part in [*TEST, *ALL] if part.target == "molecule"} == scenarios
    folders = {path.parent.name for path in (ROOT / "tests").glob("*/test_*.py")} - {"docs"}
    assert folders - targets == {"load", "repositories"}
    assert folders <= targets | {part.target for part in ALL} | {"docs"}
    assert "docs-check" in targets


def test_the_parts_of_a_name_bring_what_they_need() -> None:
    assert [part.name for part in named(["molecule:default"])] == ["setup", "images", "molecule:default"]
    with pytest.raises(KeyError, match="nothing"):
        named(["nothing"])


@pytest.fixture
def start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Start:
    """Runs parts with a ``make`` whose targets are scripts of the shell."""

    def begin(targets: dict[str, str], parts: list[Part], lanes: int = 2) -> suite_run.Suite:
        scripts = "\n".join(f"{name}) {script} ;;" for name, script in targets.items())
        make = tmp_path / "bin/make"
        make.parent.mkdir(exist_ok=True)
        make.write_text(f'#!/bin/sh\ncd {tmp_path}\ncase "$2" in\n{scripts}\nesac\n', encoding="utf-8")
        make.chmod(0o755)
        monkeypatch.setenv("PATH", f"{make.parent}:{os.environ['PATH']}")
        folder = tmp_path / "tests"
        folder.mkdir(exist_ok=True)
        monkeypatch.setattr(suite_run, "FOLDER", folder)
        monkeypatch.setattr(suite_run, "LAST", folder / "last.json")
        monkeypatch.setattr(suite_run, "ROOT", tmp_path)
        monkeypatch.setattr(suite_run, "TICK", 0.01)
        monkeypatch.setattr(tested, "STATE", folder / "passed.json")
        monkeypatch.setattr(tested, "tree", lambda: "a tree")
        made = suite_run.Suite(parts, lanes, page=False)
        made.run()
        return made

    return begin


def test_a_part_that_fails_keeps_only_those_from_running_that_need_it(start: Start, capsys: pytest.CaptureFixture[str]) -> None:
    parts = [Part("a", "a", needs=()), Part("b", "b", needs=("a",)), Part("c", "c", needs=()), Part("d", "d", needs=("c",))]
    ended = start({"a": "echo 'E   it broke'; exit 3", "b": "exit 0", "c": "echo '== 5 passed in 1 s'", "d": "echo fine"}, parts)
    assert {name: outcome.verdict for name, outcome in ended.outcomes.items()} == {"a": "FAILED", "b": "not run", "c": "passed", "d": "passed"}
    assert [(outcome.passed, outcome.failed) for outcome in map(ended.outcomes.__getitem__, "abcd")] == [(0, 1), (0, 0), (5, 0), (1, 0)]
    shown = capsys.readouterr().out
    assert "E   it broke" in shown
    assert "not run, because a did not pass" in shown


def test_tests_are_counted_as_pytest_says(start: Start) -> None:
    said = "echo '3 passed in 2.11s'; echo 'bind() to [::]:443 failed, 80 passed'; echo '==== 1 failed, 7 passed, 2 errors in 3.00s ===='; exit 1"
    outcome = start({"a": said}, [Part("a", "a", needs=())]).outcomes["a"]
    assert (outcome.passed, outcome.failed) == (10, 3)


def test_what_is_shared_is_used_by_one_at_a_time(start: Start) -> None:
    """Each notes when it begins and when it ends."""
    script = "echo begin >> order; sleep 0.05; echo end >> order"
    parts = [Part(name, "a", needs=(), uses=("machine",)) for name in ("one", "two", "three")]
    start({"a": script}, parts, lanes=3)
    order = (Path(os.environ["PATH"].split(":", 1)[0]).parent / "order").read_text(encoding="utf-8").split()
    assert order == ["begin", "end"] * 3


def test_the_last_one_waits_for_all_others(start: Start) -> None:
    parts = [Part("last", "last", needs=("*",)), Part("a", "a", needs=()), Part("b", "b", needs=())]
    ended = start({"a": "sleep 0.05; echo a >> order", "b": "echo b >> order", "last": "echo last >> order"}, parts, lanes=3)
    assert list(ended.outcomes)[-1] == "last"


def test_nothing_of_a_part_is_left_when_it_has_ended(start: Start, tmp_path: Path) -> None:
    start({"a": "sleep 600 & echo $! > number"}, [Part("a", "a", needs=())])
    number = (tmp_path / "number").read_text(encoding="utf-8").strip()
    state = Path(f"/proc/{number}/stat")
    assert not state.exists() or state.read_text(encoding="utf-8").rpartition(")")[2].split()[0] == "Z"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            "collecting ... collected 5 items\n\ntests/x/test_a.py::test_one PASSED [ 20%]\ntests/x/test_a.py::test_two[a b] ",
            "1 of 5 tests · test_a.py::test_two[a",
        ),
        ("collected 90 items\n\n......F..... [ 10%]\n............ [ 20%]\n....", "20 % of 90 tests"),
        ("TASK [Gather] ****\nok: [host]\nTASK [inferops.xinference.server : Run the container] *****\n", "inferops.xinference.server : Run the container"),
    ],
    ids=["pytest", "pytest in short", "Ansible"],
)
def test_a_part_shows_life(start: Start, tmp_path: Path, text: str, words: str) -> None:
    running = suite_run.Running.__new__(suite_run.Running)
    running.part, running.log, running.begun = Part("a", "a"), tmp_path / "log", 0.0
    running.log.write_text(text, encoding="utf-8")
    line = running.progress({"a": 77.4})
    assert "77 s last time" in line
    assert words in line


def test_a_tree_that_passed_need_not_run_again(start: Start) -> None:
    start({"a": "exit 0", "b": "exit 1"}, [Part("a", "a", needs=()), Part("b", "b", needs=())])
    assert tested.passed_on_this_tree() == {"a"}


def test_the_table_of_times(tmp_path: Path) -> None:
    records = [
        {"kind": "run", "seconds": 30.0},
        {"kind": "task", "action": "community.docker.docker_container", "status": "changed", "healthy": True, "seconds": 25.0, "check": False, "models": []},
        {"kind": "task", "action": "x", "status": "ok", "healthy": False, "seconds": 9.0, "check": False, "models": [{"result": "launched", "seconds": 8.0}]},
        {"kind": "test", "seconds": 40.0},
    ]
    (tmp_path / "a").mkdir()
    (tmp_path / "a/1.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records) + '{"kind": "cut o', encoding="utf-8")
    assert times.row("a", 50.0, 20.0, tmp_path / "a") == ("a", "50", "20", "1: 30 s", "1: 25 s", "1: 8 s", "1: 40 s", "10 s")
