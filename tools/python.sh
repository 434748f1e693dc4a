#!/usr/bin/env bash
# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# To be sourced: finding an interpreter, and making a virtual environment with it.

# The first interpreter of these versions that can make virtual environments.
find_python() {
  local version candidate
  for version in "$@"; do
    # A version manager keeps interpreters where PATH shows only stand-ins that do not run. One of a virtual environment may be the very one that is made again.
    for candidate in $(type -aP "python${version}") "${PYENV_ROOT:-$HOME/.pyenv}"/versions/"${version}".*/bin/python"${version}"; do
      if "$candidate" -c "import sys, ensurepip; sys.exit(sys.version_info[:2] != (${version/./, }) or sys.prefix != sys.base_prefix)" >/dev/null 2>&1; then
        # A stand-in that does run may not do so elsewhere, so the interpreter itself is named.
        "$candidate" -c "import sys; print(sys.executable)"
        return
      fi
    done
  done
  return 1
}

# uv needs a third of pip's time. It does not read pip's configuration, so where it cannot install something, pip does it.
#   install_fast directory requirements log
install_fast() {
  local folder=$1 requirements=$2 log=$3 index
  "$folder/bin/python" -m pip install --quiet --disable-pip-version-check uv 2>"$log" || return 1
  index=$("$folder/bin/python" -m pip config get global.index-url 2>/dev/null) || index=
  UV_CACHE_DIR=$folder/uv-cache UV_HTTP_TIMEOUT=30 "$folder/bin/uv" pip install --quiet --no-progress --compile-bytecode \
    --python "$folder/bin/python" ${index:+--index-url "$index"} -r "$requirements" 2>>"$log" || return 1
  rm -rf "$folder/uv-cache"
}

# An environment with these requirements, unless it is there; one that was not finished is made again.
#   make_environment who-asks directory interpreter requirements
make_environment() {
  local who=$1 folder=$2 python=$3 requirements=$4 wanted version log
  wanted="$("$python" -VV | sha256sum) $(sha256sum < "$requirements") $PWD"
  [ "$(cat "$folder/.made-from" 2>/dev/null)" != "$wanted" ] || return 0
  version=$("$python" -c 'import platform; print(platform.python_version())')
  log=$(dirname "$folder")/setup.log
  echo "$who: making $folder with Python $version (about 1 minute)"
  rm -rf "$folder"
  mkdir -p "$(dirname "$folder")"
  "$python" -m venv "$folder"
  install_fast "$folder" "$requirements" "$log" ||
    "$folder/bin/python" -m pip install --quiet --disable-pip-version-check --progress-bar off -r "$requirements" 2>"$log" || {
    echo "$who: cannot go on: $(grep -E '^ERROR' "$log" | head -n 1) ($log)" >&2
    return 1
  }
  echo "$wanted" > "$folder/.made-from"
}
