#!/usr/bin/env bash
# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# One Molecule scenario against the server image, which it finds in the environment; the second argument is a command of Molecule other than test.
# When a scenario fails, the last words of its machines and servers are shown before they are removed.
set -euo pipefail
cd "$(dirname "$0")/.."
scenario=$1 command=${2:-test}
if [ ! -f "molecule/$scenario/molecule.yml" ]; then
  echo "molecule: there is no scenario '$scenario'; there are: $(cd molecule && echo */molecule.yml | sed 's,/molecule.yml,,g')" >&2
  exit 2
fi
image=$(python3 tests/images/build.py server --version "$XINFERENCE_TEST_VERSION")
export XINFERENCE_TEST_IMAGE=${image%:*} XINFERENCE_TEST_TAG=${image##*:}
create=molecule/$scenario/create.yml
if [ -f "$create" ] && [ "$command" != destroy ]; then
  # shellcheck source=molecule/machines/setup.sh
  source molecule/machines/setup.sh "$(grep -q 'prepared: true' "$create" && echo prepared || echo bare)"
fi
export MOLECULE_COMMAND_BORDERS=0 NO_COLOR=1 PY_COLORS=0 ANSIBLE_FORCE_COLOR=0 ANSIBLE_NOCOWS=1
# One command per task on a machine, where there would be five.
export ANSIBLE_PIPELINING=1
export MOLECULE_EPHEMERAL_DIRECTORY=$PWD/build/molecule/$scenario/state
log=${XINFERENCE_TEST_LOG:-build/molecule/$scenario.log}
mkdir -p "build/molecule/$scenario" build/versions
: >"$log"
# A port for a server on this machine, which stays while the scenario lasts.
port=build/molecule/$scenario/port
if [ "$command" = test ] || [ ! -f "$port" ]; then PYTHONPATH=tests python3 -c 'import machine; print(machine.free_port())' >"$port"; fi
XINFERENCE_TEST_PORT=$(cat "$port")
export XINFERENCE_TEST_PORT

run() { molecule --base-config .config/molecule/config.yml "$@" --scenario-name "$scenario" 2>&1 | tee -a "$log"; }

# Why it failed: what a server and its services logged last, on every machine of the scenario, or on this one.
report() {
  local names name
  if [ -f "$create" ]; then
    mapfile -t names < <(docker ps --all --filter "label=inferops-test-scenario=$scenario" --format '{{ .Names }}')
    for name in "${names[@]}"; do
      echo "== $name: $(docker inspect --format '{{ .State.Status }}, exit code {{ .State.ExitCode }}' "$name")"
      timeout 60 docker exec --interactive "$name" sh -s <molecule/machines/last_words.sh || true
    done
  else
    mapfile -t names < <(sed -n 's/^ *xinference_container_name: *\([a-z-]*\)$/\1/p' "molecule/$scenario/inventory.yml")
    for name in "${names[@]}"; do
      echo "== $name: $(docker inspect --format '{{ .State.Status }}, exit code {{ .State.ExitCode }}' "$name" 2>/dev/null || echo no such container)"
      docker logs --tail 60 "$name" || true
    done
  fi 2>&1
  echo "== end of the last words"
}

finish() {
  local code=$?
  trap - EXIT INT TERM
  if [ "$code" -ne 0 ]; then report | tee -a "$log"; fi
  run destroy >/dev/null || { tail -n 30 "$log"; [ "$code" -ne 0 ] || code=1; }
  exit "$code"
}

if [ "$command" = test ]; then
  # What a run that was killed left is no part of this one. A scenario with machines removes them where it creates its own.
  if [ -f "$create" ]; then rm -rf "$MOLECULE_EPHEMERAL_DIRECTORY"; else run destroy; fi
  # Molecule would remove everything before it could be asked why it failed.
  trap finish EXIT
  trap 'exit 130' INT TERM
  run test --destroy=never
else
  run "$command"
fi
# Molecule ends well when a playbook or every test of a scenario is missing; a warning of Ansible is a defect of ours.
if grep -qE 'Missing playbook|no tests found' "$log"; then
  echo "molecule: scenario '$scenario' lacks a playbook or tests (see above)" >&2
  exit 1
fi
if grep -E '^\[(WARNING|DEPRECATION WARNING)\]' "$log"; then
  echo "molecule: Ansible gave the warnings above" >&2
  exit 1
fi
