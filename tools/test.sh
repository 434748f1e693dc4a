#!/usr/bin/env bash
# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Every part, or the parts that are named. A part that fails does not keep the others from running. The log of each stays in build/logs.
# A part is a target of the Makefile, with a scenario and a version of the server where it takes them: target:scenario:version.
# What looks at sources alone comes first, while images are built. The others go in two lanes at the same time, because most of them wait for one processor.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1
mkdir -p build/logs
parts=(setup lint unit docs-check sanity images contract downloads mistakes security artifact molecule:default molecule:models molecule:models:2.11.0 molecule:recovery molecule:recovery:2.11.0 molecule:host molecule:proxy awx first-admin::3.5.0 first-admin::2.11.0)
[ "$#" -eq 0 ] || parts=(setup "$@")
begun=$SECONDS
was_running=false
docker info >/dev/null 2>&1 && was_running=true
behind=
finish() {
  [ -z "$behind" ] || kill -- "-$behind" 2>/dev/null
  # An engine that was there stays; one that these tests started does not.
  $was_running || tools/engine.sh stop
}
trap finish EXIT

# In a process group of its own, so that it can be ended with all that it started.
in_background() {
  set -m
  "$@" &
  behind=$!
  set +m
}

# What is written of a part: log, and verdict, seconds, how many passed and failed.
log_of() { echo "build/logs/${1//:/-}.log"; }
result_of() { echo "build/logs/${1//:/-}.result"; }

make_part() {
  local target scenario version arguments=()
  IFS=: read -r target scenario version <<<"$1"
  [ -z "$scenario" ] || arguments+=("SCENARIO=$scenario")
  [ -z "$version" ] || arguments+=("VERSION=$version")
  make --no-print-directory "$target" "${arguments[@]}" >"$(log_of "$1")" 2>&1 </dev/null
}

# Take down how a part ended.
conclude() {
  local part=$1 code=$2 took=$3 log counts good bad verdict=passed
  log=$(log_of "$part")
  # A part without tests of its own counts as one; pytest says how many it ran.
  counts=$(grep -aoE '[0-9]+ (passed|failed|error|errors)\b' "$log" | awk '{ if ($2 == "passed") good += $1; else bad += $1 } END { print good + 0, bad + 0 }')
  read -r good bad <<<"$counts"
  if [ "$code" -eq 0 ]; then
    [ "$good" -gt 0 ] || good=1
  else
    verdict=FAILED
    [ "$bad" -gt 0 ] || bad=1
  fi
  echo "$verdict $took $good $bad" >"$(result_of "$part")"
  # As one piece, because the other lane prints too.
  {
    printf '== %-22s %s in %d s\n' "$part" "$verdict" "$took"
    if [ "$verdict" = FAILED ]; then
      echo "-- the end of $log:"
      tail -n 60 "$log"
      echo "-- what failed:"
      grep -aE '^(fatal|failed): |^(FAILED|ERROR) |^E  ' "$log" | cut -c 1-2000 | tail -n 20
      echo "--"
    fi
  } >"build/logs/.$BASHPID"
  cat "build/logs/.$BASHPID"
  rm "build/logs/.$BASHPID"
  return "$code"
}

run_part() {
  local start=$SECONDS
  make_part "$1"
  conclude "$1" "$?" $((SECONDS - start))
}

# They go on whatever becomes of one of them.
lane() {
  local part
  for part in "$@"; do run_part "$part"; done
}

rm -f build/logs/*.result
first=() here=() machines=()
for part in "${parts[@]}"; do
  case $part in
    setup | lint | unit | docs-check | sanity | images) first+=("$part") ;;
    # These run one after the other where they share a name; the lanes take about the same time.
    molecule:models* | molecule:recovery* | molecule:host* | molecule:proxy*) machines+=("$part") ;;
    *) here+=("$part") ;;
  esac
done
ready=true
for part in "${first[@]}"; do
  if [ "$part" = images ] && [ -n "$behind" ]; then
    # They were begun with the first part.
    wait "$behind"
    conclude images "$?" $((SECONDS - begun)) || ready=false
    behind=
  else
    run_part "$part" || [[ "$part" != @(setup|images) ]] || ready=false
  fi
  # Nothing else can run without these.
  $ready || break
  # Images take minutes where there are none, and are not needed by the parts that look at sources alone.
  if [ "$part" = setup ] && [[ " ${parts[*]} " == *" images "* ]]; then in_background make_part images; fi
done
if $ready; then
  in_background lane "${machines[@]}"
  lane "${here[@]}"
  wait "$behind"
  behind=
fi

printf '\n'
passed=0 failed=0
for part in "${parts[@]}"; do
  [ -f "$(result_of "$part")" ] || continue
  read -r verdict took good bad <"$(result_of "$part")"
  printf '%-22s %-7s %5d s %5d passed\n' "$part" "$verdict" "$took" "$good"
  passed=$((passed + good)) failed=$((failed + bad))
done
printf '%-22s %13d s\n\n' "all parts" $((SECONDS - begun))
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
