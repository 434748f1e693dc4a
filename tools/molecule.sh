#!/usr/bin/env bash
# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# One Molecule scenario against the server image, which it finds in the environment; the second argument is a command of Molecule other than test.
set -euo pipefail
cd "$(dirname "$0")/.."
scenario=$1 command=${2:-test}
if [ ! -f "molecule/$scenario/molecule.yml" ]; then
  echo "molecule: there is no scenario '$scenario'; there are: $(cd molecule && echo */molecule.yml | sed 's,/molecule.yml,,g')" >&2
  exit 2
fi
image=$(python3 tests/images/build.py server --version "$XINFERENCE_TEST_VERSION")
export XINFERENCE_TEST_IMAGE=${image%:*} XINFERENCE_TEST_TAG=${image##*:}
if grep -qs '\.\./machines/' "molecule/$scenario/create.yml"; then
  # shellcheck source=molecule/machines/setup.sh
  source molecule/machines/setup.sh
fi
export MOLECULE_COMMAND_BORDERS=0 NO_COLOR=1 PY_COLORS=0 ANSIBLE_FORCE_COLOR=0 ANSIBLE_NOCOWS=1
log=${XINFERENCE_TEST_LOG:-build/molecule/$scenario.log}
mkdir -p "build/molecule/$scenario" build/versions
MOLECULE_EPHEMERAL_DIRECTORY=$PWD/build/molecule/$scenario/state \
  molecule --base-config .config/molecule/config.yml "$command" --scenario-name "$scenario" 2>&1 | tee "$log"
# Molecule ends well when a playbook or every test of a scenario is missing; a warning of Ansible is a defect of ours.
if grep -qE 'Missing playbook|no tests found' "$log"; then
  echo "molecule: scenario '$scenario' lacks a playbook or tests (see above)" >&2
  exit 1
fi
if grep -E '^\[(WARNING|DEPRECATION WARNING)\]' "$log"; then
  echo "molecule: Ansible gave the warnings above" >&2
  exit 1
fi
