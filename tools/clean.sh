#!/usr/bin/env bash
# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Remove what demo and tests made: their containers and images by name, the engine if they started it, and build/.
set -euo pipefail
cd "$(dirname "$0")/.."
# It removes what other checkouts on this machine use, too; whoever asks how it is called should not find out so.
if [ "$#" -gt 0 ]; then
  echo "clean: it takes no argument, and got '$1'; nothing was removed" >&2
  exit 2
fi
if docker info >/dev/null 2>&1; then
  mapfile -t containers < <(docker ps -aq --filter name='^/(inferops-test-engine|xinference-(accounts|adoption|artifact|awx|bench|contract|demo|downloads|load|mistakes|models$|molecule|security))')
  [ "${#containers[@]}" -eq 0 ] || docker rm -f "${containers[@]}" >/dev/null
  mapfile -t networks < <(docker network ls -q --filter name='^xinference-(accounts|adoption|artifact|awx|bench|contract|demo|downloads|load|mistakes|models$|molecule|security)')
  [ "${#networks[@]}" -eq 0 ] || docker network rm "${networks[@]}" >/dev/null
  mapfile -t volumes < <(docker volume ls -q --filter name='^(xinference-molecule|inferops-test-engine)')
  [ "${#volumes[@]}" -eq 0 ] || docker volume rm "${volumes[@]}" >/dev/null
  mapfile -t images < <(docker images --format '{{.Repository}}:{{.Tag}}' | grep '^inferops-test/' || true)
  [ "${#images[@]}" -eq 0 ] || docker rmi -f "${images[@]}" >/dev/null
fi
# Networks of make isolation, which are there only where it was killed.
for network in inferops-host inferops-container inferops-neighbour inferops-member; do
  ip netns delete "$network" 2>/dev/null || true
done
# The disk of a test machine, where a test was interrupted.
if [ -f build/molecule/recovery/disk.img ]; then
  losetup --noheadings --output NAME --associated build/molecule/recovery/disk.img | xargs --no-run-if-empty losetup --detach
fi
tools/engine.sh stop
rm -rf build
echo "clean: done"
