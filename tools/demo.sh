#!/usr/bin/env bash
# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Provision this machine with the collection, ask the model something, restart the server, provision again, show that nothing changes.
set -euo pipefail
cd "$(dirname "$0")/.."
here=$PWD/build/demo
if [ "$(id -u)" != 0 ]; then
  echo "demo: cannot go on: provisioning this machine needs root; run it with sudo" >&2
  exit 1
fi
mkdir -p "$here/xinference_data/models"
image=$(python3 tests/images/build.py server)
models=$(python3 tests/images/build.py models)
cp -ru "$models/." "$here/xinference_data/models/"
# A password of its own for this machine, readable by nobody else.
[ -f "$here/password" ] || (umask 077 && python3 -c 'import secrets; print(secrets.token_urlsafe(18))' > "$here/password")

run() {
  ansible-playbook --inventory tools/demo/inventory.yml "inferops.xinference.$1" \
    --extra-vars "xinference_image=${image%:*} xinference_image_tag=${image##*:} demo_folder=$here"
}
ask() {
  build/venv/bin/python tools/demo/ask.py "$here/password" "What is the capital of France? Answer in one sentence."
}

export ANSIBLE_NOCOWS=1
echo "demo: provisioning this machine"
run provision
ask
echo "demo: restarting the container; by itself Xinference would forget which models were running, now it starts them, and provisioning waits for them"
docker restart xinference-demo >/dev/null
run provision
ask
echo "demo: provisioning once more, with nothing to change"
# Whatever this line cannot show, the next one finds in the log.
run provision | tee build/demo/last.log | grep -E '^localhost ' || true
grep -q 'changed=0 .*failed=0' build/demo/last.log || { echo "demo: the last run changed something (build/demo/last.log)" >&2; exit 1; }
run status | sed -n '/^HOST /,/^ok: /p' | grep -v '^ok: '
cat <<TEXT

The server answers on http://127.0.0.1:9990 (user admin, password in build/demo/password).
The declaration is tools/demo/inventory.yml, the data is in build/demo/xinference_data.
To remove all of it: make clean
TEXT
