#!/usr/bin/env bash
# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# mypy, strict, over everything that is Python: plugins, files of roles, tests, scenarios and tools.
set -euo pipefail
cd "$(dirname "$0")/.."
here=$PWD
collection=ansible_collections/inferops/xinference
failed=0
export MYPY_CACHE_DIR=${MYPY_CACHE_DIR:-$here/build/mypy}
# What mypy says, run in a directory, with paths from here on.
check() {
  local directory=$1
  shift
  (cd "$directory" && mypy --config-file "$here/pyproject.toml" --show-absolute-path --no-error-summary "$@" 2>&1) | sed "s|^$here/||; s|^build/collections/$collection/||" || failed=1
}

# By their full names, as Ansible and the tests import them, or what a test takes from a plugin would have no type.
# Files that import each other by bare names are left out here; each of their directories is checked by itself, because their names repeat.
alone=(tests/{adoption,awx,bench,contract,downloads,faults,repositories,security,suite} molecule/*/tests)
mapfile -t files < <(git ls-files --cached --others --exclude-standard -- '*.py' | grep -vE "^($(IFS='|' && echo "${alone[*]}"))/" | grep -v '^molecule/shared/')
MYPYPATH=$here/tests/suite check build/collections "${files[@]/#/$collection/}"
for directory in "${alone[@]}"; do
  case $directory in
    molecule/*) beside=$here/molecule/shared ;;
    tests/downloads) beside=$here/tests/contract:$here/tests/hub ;;
    *) beside= ;;
  esac
  MYPYPATH=$here/build/collections${beside:+:$beside} check "$directory" .
done
exit "$failed"
