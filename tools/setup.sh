#!/usr/bin/env bash
# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Make build/venv with everything that the checks need, and build/collections through which the checkout is found as a collection.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=tools/python.sh
source tools/python.sh

if ! python=$(find_python 3.13 3.12 3.11); then
  echo "setup: cannot go on: no Python 3.13, 3.12 or 3.11 with the venv module was found; install one (Debian: python3-venv)" >&2
  exit 1
fi
if [[ "$python" = *3.11 && ! -f build/venv/.made-from ]]; then
  echo "setup: ansible-core 2.21 needs Python 3.12; the last ansible for 3.11 is used"
fi
make_environment setup build/venv "$python" tests/requirements.txt
# That one carries collections older than galaxy.yml allows; the newer ones support its ansible-core too.
if [[ "$python" = *3.11 && ! -d build/collections/ansible_collections/community ]]; then
  core=$(build/venv/bin/python -c 'from ansible.release import __version__; print(__version__)')
  release=$(sed -n 's/^ansible==\([0-9.]*\); python_version >= .*/\1/p' tests/requirements.txt)
  build/venv/bin/python tests/range/take_collections.py --release "$release" --core "$core" --files build/range/files --into build/collections >/dev/null
fi
mkdir -p build/collections/ansible_collections/inferops build/ansible
ln -sfn "$PWD" build/collections/ansible_collections/inferops/xinference
