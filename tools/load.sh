#!/usr/bin/env bash
# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Measure what a real server serves under load, and write docs/capacity.md. Options: --help.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=tools/python.sh
source tools/python.sh

if ! python=$(find_python 3.13 3.12 3.11); then
  echo "load: cannot go on: no Python 3.13, 3.12 or 3.11 with the venv module was found; install one (Debian: python3-venv)" >&2
  exit 1
fi
make_environment load build/load/venv "$python" tests/load/requirements.txt
exec build/venv/bin/python tests/load/load.py "$@"
