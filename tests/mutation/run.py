# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How often the unit tests notice that a module was changed; called by tools/mutation.sh. The changes are made by mutmut.

mutmut puts every mutant of a module into one file, checks once which test runs which function, and then forks one process per mutant,
which runs just these tests, the fastest first. It wants the package under its own path, so each module gets a copy of the tree.
"""

from __future__ import annotations

import argparse
import fcntl
import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, NamedTuple

from mutmut.configuration import reset_config
from mutmut.mutation.data import SourceFileMutationData
from mutmut.mutation.diff_apply import get_diff_for_mutant
from mutmut.stats import status_by_exit_code

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / "build" / "mutation"
SCORES = BUILD / "scores.json"
EQUIVALENT = Path(__file__).with_name("equivalent.txt")
COLLECTION = Path("ansible_collections/inferops/xinference")
CORE = COLLECTION / "plugins/module_utils/_core"
TESTS = COLLECTION / "tests/unit/plugins/module_utils/_core"

_RIGHT = "declaration/test_check_wrong_declarations.py::test_what_is_right_goes_on_to_the_first_write"
_REFUSED = "declaration/test_check_wrong_declarations.py::test_what_this_server_cannot_do_is_refused_in_one_sentence_before_the_first_write"
_PREFLIGHT = tuple(f"preflight/test_{part}.py" for part in ("check", "network", "proxy", "users"))
#: Module → the tests that say what it should do. Those of other modules run it too, slowly and by the way.
MODULES: dict[str, tuple[str, ...]] = {
    "plan/plan": ("plan/test_plan.py",),
    "plan/drift": ("plan/test_plan.py",),
    "plan/files": ("plan/test_files.py", "plan/test_plan.py"),
    "declaration/local_files": ("declaration/test_local_files.py", "admission/test_model_paths.py", _REFUSED, _RIGHT),
    "admission/catalogue": ("admission/test_catalogue.py", _REFUSED, _RIGHT),
    "admission/model_paths": ("admission/test_model_paths.py", _REFUSED, _RIGHT),
    "plan/sizing": (
        "plan/test_sizing.py",
        "declaration/test_check_wrong_declarations.py::test_models_that_do_not_fit_are_refused_with_the_whole_sum",
    ),
    **{f"preflight/{part}": _PREFLIGHT for part in ("container", "host", "models", "network", "proxy", "users")},
}
#: What the tests of a module read.
COPIED = ("plugins", "tests/unit", "meta", "roles")

_SETTINGS = """\
[tool.mutmut]
source_paths = ["{core}"]
only_mutate = ["{core}/{module}.py"]
also_copy = ["ansible_collections"]
pytest_add_cli_args = ["-p", "_hypothesis_pytestplugin", "--hypothesis-profile=mutation", "-p", "no:unraisableexception", "-p", "no:threadexception"]
pytest_add_cli_args_test_selection = [{tests}]
timeout_multiplier = 5.0
timeout_constant = 2.0
track_dependencies = false
use_git_change_detection = false

[tool.pytest.ini_options]
addopts = "--strict-markers --strict-config -p no:cacheprovider"
tmp_path_retention_policy = "none"
"""


class Survivor(NamedTuple):
    """A mutant that no test noticed."""

    module: str
    function: str
    removed: tuple[str, ...]
    added: tuple[str, ...]

    def __str__(self) -> str:
        """As it stands in equivalent.txt."""
        return "\n".join([f"[{self.module} {self.function}]", *(f"- {line}" for line in self.removed), *(f"+ {line}" for line in self.added)])


def files() -> list[Path]:
    """What is copied."""
    found = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "--", *COPIED], cwd=ROOT, check=True, capture_output=True, text=True
    )
    return sorted(Path(line) for line in found.stdout.splitlines() if (ROOT / line).is_file())


def commit() -> str:
    """The commit, with a plus where what is tested differs from it."""
    name = subprocess.run(["git", "rev-parse", "--short=12", "HEAD"], cwd=ROOT, check=True, capture_output=True, text=True).stdout.strip()
    changed = subprocess.run(["git", "status", "--porcelain", "--", *COPIED], cwd=ROOT, check=True, capture_output=True, text=True).stdout.strip()
    return name + ("+" if changed else "")


class Tree:
    """The copy for one module.

    :param tests: its test files.
    """

    def __init__(self, module: str, tests: tuple[str, ...]) -> None:
        self.module = module
        self.tests = tests
        self.place = BUILD / module
        self.source = CORE / f"{module}.py"
        self.meta = self.place / "mutants" / f"{self.source}.meta"

    def settings(self) -> str:
        """The settings of mutmut and pytest."""
        return _SETTINGS.format(core=CORE, module=self.module, tests=", ".join(f'"{TESTS / name}"' for name in self.tests))

    def prepare(self, keep: bool) -> None:
        """Make the copy, or leave it where nothing has changed.

        :param keep: what was killed stays so although files have changed.
        """
        copied = files()
        digest = hashlib.sha256(self.settings().encode() + Path(sys.prefix, ".made-from").read_bytes())
        for path in copied:
            digest.update(f"{path}\0".encode() + (ROOT / path).read_bytes())
        mark = self.place / ".made-from"
        made_from = mark.read_text(encoding="utf-8") if mark.exists() else ""
        if made_from == digest.hexdigest() and self.verdicts() is not None:
            return
        kept = {key: code for key, code in (self.verdicts() or {}).items() if status_by_exit_code[code] in ("killed", "timeout")} if keep else {}
        hashes = self.load().hash_by_function_name if kept else {}
        shutil.rmtree(self.place, ignore_errors=True)
        for path in copied:
            target = self.place / COLLECTION / path
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / path, target)
        (self.place / "pyproject.toml").write_text(self.settings(), encoding="utf-8")
        if kept:
            # mutmut itself forgets those of functions that differ.
            self.meta.parent.mkdir(parents=True, exist_ok=True)
            known = {"exit_code_by_key": kept, "hash_by_function_name": hashes, "durations_by_key": {}, "estimated_durations_by_key": {}}
            self.meta.write_text(json.dumps(known), encoding="utf-8")
        (self.place / ".commit").write_text(commit(), encoding="utf-8")
        mark.write_text(digest.hexdigest(), encoding="utf-8")

    def load(self) -> SourceFileMutationData:
        """What mutmut wrote down."""
        data = SourceFileMutationData(path=self.source)
        data.meta_path = self.meta
        data.load()
        return data

    def verdicts(self) -> dict[str, int | None] | None:
        """Mutant → exit code of its tests; None where this was never written, or not to its end."""
        try:
            return self.load().exit_code_by_key or None
        except (OSError, ValueError, KeyError):
            return None

    def run(self, processes: int) -> int:
        """Run mutmut, with a line about how far it is every ten seconds."""
        log, temporary = self.place / "mutmut.log", self.place / "tmp"
        temporary.mkdir(exist_ok=True)
        with (self.place / ".lock").open("w") as lock, log.open("wb") as output:
            try:
                # It is inherited, so that a mutmut whose driver was killed keeps the next one away.
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                print(f"mutation: cannot go on: {self.module} is under way in another process")
                return 2
            environment = {
                **{key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "MUTANT_UNDER_TEST")},
                "PYTHONDONTWRITEBYTECODE": "1",
                # Plugins of other tools, and directories of other tests, take more of a mutant's second than the tests do.
                "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
                "TMPDIR": str(temporary),
                "HYPOTHESIS_STORAGE_DIRECTORY": str(BUILD / "hypothesis"),
            }
            command = [str(Path(sys.executable).with_name("mutmut")), "run", "--max-children", str(processes)]
            tool = subprocess.Popen(
                command, cwd=self.place, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, pass_fds=[lock.fileno()]
            )
            try:
                shown = ""
                while True:
                    try:
                        code = tool.wait(10)
                    except subprocess.TimeoutExpired:
                        code = None
                    found = re.findall(r"(\d+/\d+) .*?(\d+) .*?(\d+) .*?(\d+) .*?(\d+) .*?(\d+) ", _tail(log))
                    if found and found[-1][0] != shown:
                        shown = found[-1][0]
                        print(f"mutation: {self.module}: {shown} mutants, {found[-1][5]} survived so far", flush=True)
                    if code is not None:
                        return code
            finally:
                if tool.poll() is None:
                    tool.terminate()
                    tool.wait()

    def survivors(self) -> list[Survivor]:
        """Those that no test noticed, or that no test runs."""
        here = Path.cwd()
        os.chdir(self.place)
        reset_config()
        try:
            found = []
            for key, code in (self.verdicts() or {}).items():
                if status_by_exit_code[code] in ("killed", "timeout", "not checked"):
                    continue
                lines = get_diff_for_mutant(key, path=self.source).splitlines()[2:]
                removed, added = (tuple(line[1:].strip() for line in lines if line.startswith(sign)) for sign in "-+")
                name = key.rpartition(".")[2].partition("__mutmut_")[0]
                found.append(Survivor(self.module, name[2:] if name.startswith("x_") else name[2:].replace("ǁ", "."), removed, added))
            return found
        finally:
            os.chdir(here)


def _tail(path: Path) -> str:
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - 4096))
        return file.read().decode("utf-8", "replace")


def equivalent() -> dict[Survivor, str]:
    """The mutants that no test need notice, each with its reason."""
    found: dict[Survivor, str] = {}
    for block in re.split(r"\n(?=\[)", EQUIVALENT.read_text(encoding="utf-8")):
        lines = [line for line in block.splitlines() if line and not line.startswith("#")]
        if not lines:
            continue
        module, _space, function = lines[0].strip("[]").partition(" ")
        removed, added = (tuple(line[2:].strip() for line in lines if line.startswith(sign)) for sign in "-+")
        reason = " ".join(line for line in lines[1:] if not line.startswith(("-", "+")))
        if not (removed or added) or not reason:
            raise SystemExit(f"mutation: {EQUIVALENT.name}: needs changed lines and a reason: {lines[0]}")
        found[Survivor(module, function, removed, added)] = reason
    return found


def score(tree: Tree, seconds: float, kept: bool) -> tuple[dict[str, Any], list[Survivor], list[Survivor]]:
    """The counts of a module, the survivors of which nobody said anything, and what is said of mutants that do not survive."""
    counts = Counter(status_by_exit_code[code] for code in (tree.verdicts() or {}).values())
    mutants = sum(counts.values())
    found = tree.survivors()
    known = {one for one in equivalent() if one.module == tree.module}
    beaten = counts["killed"] + counts["timeout"]
    same = sum(one in known for one in found)
    row = {
        "module": tree.module,
        "mutants": mutants,
        "killed": counts["killed"],
        "survived": len(found),
        "timeout": counts["timeout"],
        "not_checked": counts["not checked"],
        "equivalent": same,
        "score": round(100 * beaten / max(1, mutants), 1),
        "score_without_equivalent": round(100 * beaten / max(1, mutants - same), 1),
        "seconds": round(seconds),
        "kept": kept,
        "date": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "commit": (tree.place / ".commit").read_text(encoding="utf-8"),
    }
    return row, [one for one in found if one not in known], sorted(known - set(found))


def write(row: dict[str, Any]) -> list[dict[str, Any]]:
    """Put the counts of a module into the table."""
    rows = json.loads(SCORES.read_text(encoding="utf-8")) if SCORES.exists() else []
    rows = [*(each for each in rows if each["module"] != row["module"]), row]
    rows.sort(key=lambda each: [*MODULES].index(each["module"]) if each["module"] in MODULES else len(MODULES))
    SCORES.write_text(json.dumps(rows, indent=2) + "\n", encoding="utf-8")
    return rows


def table(rows: list[dict[str, Any]]) -> str:
    """The table as people read it."""
    lines = [
        f"{'module':<22} {'mutants':>7} {'killed':>7} {'timeout':>7} {'survived':>8} {'equivalent':>10} {'score':>7} {'without':>8} {'seconds':>7}  commit"
    ]
    for row in rows:
        line = f"{row['module']:<22} {row['mutants']:>7} {row['killed']:>7} {row['timeout']:>7} {row['survived']:>8} {row['equivalent']:>10}"
        line += f" {row['score']:>6.1f}% {row['score_without_equivalent']:>7.1f}% {row['seconds']:>7}  {row['commit']}"
        lines.append(line + (" (kills kept from an earlier run)" if row["kept"] else ""))
    return "\n".join(lines)


def main() -> int:
    """Test the modules, one after the other."""
    parser = argparse.ArgumentParser(prog="tools/mutation.sh", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("modules", nargs="*", metavar="module", help=f"one of {', '.join(MODULES)}; all without")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1, help="mutants at the same time; as many as processors without")
    parser.add_argument("--keep", action="store_true", help="after a change, keep what was killed and try only the others: quick, for who writes tests")
    arguments = parser.parse_args()
    unknown = set(arguments.modules) - set(MODULES)
    if unknown:
        parser.error(f"no module '{sorted(unknown)[0]}'; there are {', '.join(MODULES)}")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    status = 0
    rows: list[dict[str, Any]] = []
    for module in arguments.modules or MODULES:
        tree = Tree(module, MODULES[module])
        tree.prepare(arguments.keep)
        begun = time.monotonic()
        print(f"mutation: {module}: checks which test runs what", flush=True)
        code = tree.run(arguments.processes)
        if code:
            print(_tail(tree.place / "mutmut.log") if code != 2 else "", f"mutation: {module} was not tested to its end (build/mutation/{module}/mutmut.log)")
            status = 1
            continue
        row, missed, stale = score(tree, time.monotonic() - begun, arguments.keep)
        rows = write(row)
        report = tree.place / "survivors.txt"
        report.write_text("\n\n".join(map(str, missed)) + "\n" if missed else "", encoding="utf-8")
        for one in stale:
            print(f"mutation: {EQUIVALENT.name}: no survivor any more:\n{one}")
        if missed:
            print(f"mutation: {module}: {len(missed)} survivors of which nobody said why: build/mutation/{module}/survivors.txt")
    if rows:
        print(table(rows))
    return status


if __name__ == "__main__":
    sys.exit(main())
