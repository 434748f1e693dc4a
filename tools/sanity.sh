#!/usr/bin/env bash
# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# ansible-test sanity, with arguments for it. It works only in a tree of its own outside the checkout, so it gets a copy.
# SANITY_VENV is a virtual environment with another ansible-core; what ansible-test keeps lies beside it.
set -euo pipefail
cd "$(dirname "$0")/.."
top=$(mktemp -d)
trap 'rm -rf "$top"' EXIT
copy=$top/ansible_collections/inferops/xinference
mkdir -p "$copy"
git ls-files -z --cached --others --exclude-standard | while IFS= read -r -d '' name; do [ -e "$name" ] && printf '%s\0' "$name"; done | xargs -0 cp --parents -t "$copy"
venv=${SANITY_VENV:-$PWD/build/venv}
# ansible-test downloads an installer of pip for its environments; the interpreter's own ensurepip does the same without that host.
release=$("$venv/bin/python" - <<'PYTHON'
import re
from pathlib import Path
import ansible_test._internal.python_requirements as module
print(re.search(r"pip='([0-9.]+)'", Path(module.__file__).read_text()).group(1).replace(".", "_"))
PYTHON
)
# ansible-test keeps its environments below HOME.
HOME=$(dirname "$venv")/home
export HOME
mkdir -p "$HOME/.ansible/test/cache"
cat > "$HOME/.ansible/test/cache/get_pip_$release.py" <<'PYTHON'
import shutil
import subprocess
import sys

wanted = [word for word in sys.argv[1:] if not word.startswith("--")]
# Ten environments are made; uv needs a tenth of the time, and does not read pip's configuration.
uv = shutil.which("uv")
fast = [uv, "pip", "install", "--quiet", "--no-progress", "--python", sys.executable, *wanted] if uv else ["false"]
if subprocess.run(fast, stderr=subprocess.DEVNULL, check=False).returncode:
    subprocess.check_call([sys.executable, "-m", "ensurepip", "--default-pip"], stdout=subprocess.DEVNULL)
    subprocess.check_call([sys.executable, "-m", "pip", "install", "-q", "--disable-pip-version-check", *wanted])
PYTHON
UV_INDEX_URL=$("$venv/bin/python" -m pip config get global.index-url 2>/dev/null) && export UV_INDEX_URL UV_CACHE_DIR="$HOME/uv" UV_HTTP_TIMEOUT=30
cd "$copy"
PATH=$venv/bin:$PATH ansible-test sanity --color no --python "$("$venv/bin/python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')" "$@"
