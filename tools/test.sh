#!/usr/bin/env bash
# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Every part in turn, or the parts that are named. A part that fails does not keep the others from running. The log of each stays in build/logs.
# A part is a target of the Makefile, with a scenario and a version of the server where it takes them: target:scenario:version.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1
mkdir -p build/logs
parts=(setup lint unit docs-check sanity images contract downloads mistakes security artifact molecule:default molecule:models molecule:models:2.11.0 molecule:recovery molecule:recovery:2.11.0 molecule:host molecule:proxy awx)
[ "$#" -eq 0 ] || parts=(setup "$@")
begun=$SECONDS
was_running=false
docker info >/dev/null 2>&1 && was_running=true
building=
finish() {
  [ -z "$building" ] || kill "$building" 2>/dev/null
  # An engine that was there stays; one that these tests started does not.
  $was_running || tools/engine.sh stop
}
trap finish EXIT

passed=0 failed=0 summary=()
for part in "${parts[@]}"; do
  IFS=: read -r target scenario version <<<"$part"
  arguments=()
  [ -z "$scenario" ] || arguments+=("SCENARIO=$scenario")
  [ -z "$version" ] || arguments+=("VERSION=$version")
  log=build/logs/${part//:/-}.log
  start=$SECONDS
  printf '== %-22s ' "$part"
  verdict=FAILED
  if [ "$part" = images ] && [ -n "$building" ]; then
    # It was begun with the first part.
    start=$begun
    if wait "$building"; then verdict=passed; fi
    building=
  elif make --no-print-directory "$target" "${arguments[@]}" >"$log" 2>&1 </dev/null; then
    verdict=passed
  fi
  # A part without tests of its own counts as one; pytest says how many it ran.
  counts=$(grep -aoE '[0-9]+ (passed|failed|error|errors)\b' "$log" | awk '{ if ($2 == "passed") good += $1; else bad += $1 } END { print good + 0, bad + 0 }')
  read -r good bad <<<"$counts"
  if [ "$verdict" = passed ]; then
    [ "$good" -gt 0 ] || good=1
  elif [ "$bad" -eq 0 ]; then
    bad=1
  fi
  passed=$((passed + good)) failed=$((failed + bad))
  took=$((SECONDS - start))
  printf '%s in %d s\n' "$verdict" "$took"
  summary+=("$(printf '%-22s %-7s %5d s %5d passed' "$part" "$verdict" "$took" "$good")")
  if [ "$verdict" = FAILED ]; then
    echo "-- the end of $log:"
    tail -n 60 "$log"
    echo "-- what failed:"
    grep -aE '^(fatal|failed): |^(FAILED|ERROR) |^E  ' "$log" | cut -c 1-2000 | tail -n 20
    echo "--"
    # Nothing else can run without these.
    case $part in setup | images) break ;; esac
  fi
  # Images take minutes where there are none, and are not needed by the parts that look at sources alone.
  if [ "$part" = setup ] && [[ " ${parts[*]} " == *" images "* ]]; then
    make --no-print-directory images >build/logs/images.log 2>&1 </dev/null &
    building=$!
  fi
done
printf '\n'
printf '%s\n' "${summary[@]}"
printf '%-22s %13d s\n\n' "all parts" $((SECONDS - begun))
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
