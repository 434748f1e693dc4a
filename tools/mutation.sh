#!/usr/bin/env bash
# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Change the modules that decide, one place at a time, and count how often the unit tests notice: tools/mutation.sh [module ...]
# Everything lies in build/mutation. A run that was ended goes on where it was, unless code or tests have changed since. Options: --help.
set -euo pipefail
cd "$(dirname "$0")/.."
tools/setup.sh
place=build/mutation/venv
wanted="$(cat build/venv/.made-from) $(sha256sum < tests/mutation/requirements.txt)"
if [ "$(cat "$place/.made-from" 2>/dev/null)" != "$wanted" ]; then
  echo "mutation: making $place"
  rm -rf "$place"
  mkdir -p build/mutation
  build/venv/bin/python -m venv "$place"
  # The tests run with what they always run with; the tool alone is added.
  build/venv/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))' > "$("$place/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/tests.pth"
  "$place/bin/python" -m pip install --quiet --disable-pip-version-check --progress-bar off -r tests/mutation/requirements.txt 2>build/mutation/setup.log || {
    echo "mutation: cannot go on: $(grep -E '^ERROR' build/mutation/setup.log | head -n 1) (build/mutation/setup.log)" >&2
    exit 1
  }
  echo "$wanted" > "$place/.made-from"
fi
# Its copies of the tree hold no recorder.
unset PYTEST_PLUGINS
exec "$place/bin/python" tests/mutation/run.py "$@"
