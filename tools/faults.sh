#!/usr/bin/env bash
# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# The whole campaign of faults, or one of them, on the machine of scenario recovery.
set -euo pipefail
cd "$(dirname "$0")/.."
image=$(python3 tests/images/build.py server --version "$XINFERENCE_TEST_VERSION")
export XINFERENCE_TEST_IMAGE=${image%:*} XINFERENCE_TEST_TAG=${image##*:}
# shellcheck source=molecule/machines/setup.sh
source molecule/machines/setup.sh prepared
# One command per task on the machine, where there would be five.
export ANSIBLE_PIPELINING=1
clean() { tools/molecule.sh recovery destroy >/dev/null 2>&1 || true; }
trap clean EXIT
clean
echo "faults: provisioning a test machine with Xinference $XINFERENCE_TEST_VERSION (about 3 minutes)"
tools/molecule.sh recovery converge >build/faults.log 2>&1 </dev/null || {
  tail -n 40 build/faults.log >&2
  echo "faults: cannot go on: the machine could not be provisioned (build/faults.log)" >&2
  exit 2
}
python tests/faults/campaign.py --table "$@"
