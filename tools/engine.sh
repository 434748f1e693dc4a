#!/usr/bin/env bash
# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Docker Engine of the test bed. "start" starts one when none answers, "stop" stops the one that "start" started, and no other.
set -euo pipefail
cd "$(dirname "$0")/.."
mark=build/engine/dockerd.pid

case ${1:-start} in
  start)
    if docker info >/dev/null 2>&1; then exit 0; fi
    if [ -n "${DOCKER_HOST:-}" ]; then
      echo "engine: cannot go on: no Docker Engine answers at DOCKER_HOST=$DOCKER_HOST" >&2
      exit 1
    fi
    if [ "$(id -u)" != 0 ]; then
      echo "engine: cannot go on: no Docker Engine answers, and starting one needs root" >&2
      exit 1
    fi
    if ! command -v dockerd >/dev/null || ! command -v iptables >/dev/null; then
      if ! command -v apt-get >/dev/null; then
        echo "engine: cannot go on: there is no Docker Engine, and this is no Debian or Ubuntu where it could be installed from packages" >&2
        exit 1
      fi
      echo "engine: installing the distribution's Docker Engine"
      mkdir -p build/engine
      { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends docker.io iptables; } >build/engine/install.log 2>&1 || {
        echo "engine: cannot go on: $(tail -n 1 build/engine/install.log) (build/engine/install.log)" >&2
        exit 1
      }
    fi
    if docker info >/dev/null 2>&1; then exit 0; fi
    echo "engine: starting dockerd"
    mkdir -p build/engine
    setsid dockerd >build/engine/dockerd.log 2>&1 </dev/null &
    echo $! > "$mark"
    for _ in $(seq 60); do
      if docker info >/dev/null 2>&1; then
        # With cgroup v1 all containers together weigh as much as one process beside them, and servers that are tested starve.
        shares=/sys/fs/cgroup/cpu/docker/cpu.shares
        if [ -f /sys/fs/cgroup/cpu/cpu.shares ] && mkdir -p "${shares%/*}" 2>/dev/null; then echo 4096 >"$shares" || true; fi
        exit 0
      fi
      if ! kill -0 "$(cat "$mark")" 2>/dev/null; then break; fi
      sleep 0.5
    done
    echo "engine: cannot go on: dockerd did not start: $(grep -v level=info build/engine/dockerd.log | tail -n 1) (build/engine/dockerd.log)" >&2
    rm -f "$mark"
    exit 1
    ;;
  stop)
    if [ -f "$mark" ]; then
      pid=$(cat "$mark")
      if [ "$(cat "/proc/$pid/comm" 2>/dev/null)" = dockerd ]; then
        echo "engine: stopping dockerd"
        kill "$pid"
        for _ in $(seq 60); do kill -0 "$pid" 2>/dev/null || break; sleep 0.5; done
      fi
      rm -f "$mark"
    fi
    ;;
  *)
    echo "usage: tools/engine.sh start|stop" >&2
    exit 2
    ;;
esac
