#!/usr/bin/env bash
# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Make build/venv with everything that the checks need, and build/collections through which the checkout is found as a collection.
set -euo pipefail
cd "$(dirname "$0")/.."

find_python() {
  local version candidate
  for version in 3.13 3.12 3.11; do
    # A version manager keeps interpreters where PATH shows only stand-ins that do not run. One of a virtual environment may be the very one that is made anew.
    for candidate in $(type -aP "python${version}") "${PYENV_ROOT:-$HOME/.pyenv}"/versions/"${version}".*/bin/python"${version}"; do
      if "$candidate" -c "import sys, ensurepip; sys.exit(sys.version_info[:2] != (${version/./, }) or sys.prefix != sys.base_prefix)" >/dev/null 2>&1; then
        echo "$candidate"
        return
      fi
    done
  done
  return 1
}

# uv needs a third of pip's time. It does not read pip's configuration, so where it cannot install something, pip does it.
install_fast() {
  local index
  build/venv/bin/python -m pip install --quiet --disable-pip-version-check uv 2>build/setup.log || return 1
  index=$(build/venv/bin/python -m pip config get global.index-url 2>/dev/null) || index=
  UV_CACHE_DIR=$PWD/build/uv UV_HTTP_TIMEOUT=30 build/venv/bin/uv pip install --quiet --no-progress --compile-bytecode \
    --python build/venv/bin/python ${index:+--index-url "$index"} -r tests/requirements.txt 2>>build/setup.log || return 1
  rm -rf build/uv
}

if ! python=$(find_python); then
  echo "setup: cannot go on: no Python 3.13, 3.12 or 3.11 with the venv module was found; install one (Debian: python3-venv)" >&2
  exit 1
fi
wanted="$("$python" -VV | sha256sum) $(sha256sum < tests/requirements.txt) $PWD"
if [ "$(cat build/venv/.made-from 2>/dev/null)" != "$wanted" ]; then
  version=$("$python" -c 'import platform; print(platform.python_version())')
  echo "setup: making build/venv with Python $version (about 1 minute)"
  case $version in 3.11.*) echo "setup: ansible-core 2.21 needs Python 3.12; the last ansible for 3.11 is used" ;; esac
  rm -rf build/venv
  mkdir -p build
  "$python" -m venv build/venv
  install_fast || build/venv/bin/python -m pip install --quiet --disable-pip-version-check --progress-bar off -r tests/requirements.txt 2>build/setup.log || {
    echo "setup: cannot go on: $(grep -E '^ERROR' build/setup.log | head -n 1) (build/setup.log)" >&2
    exit 1
  }
  echo "$wanted" > build/venv/.made-from
fi
mkdir -p build/collections/ansible_collections/inferops build/ansible
ln -sfn "$PWD" build/collections/ansible_collections/inferops/xinference
