#!/bin/sh
# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Runs inside a container: Docker of its own loads an image from standard input, and ends in good order.
set -eu
# It runs no container, so it needs neither a network nor rules.
dockerd --bridge=none --iptables=false --ip6tables=false >/tmp/dockerd.log 2>&1 </dev/null &
engine=$!
until docker info >/dev/null 2>&1; do
  kill -0 "$engine" 2>/dev/null || { grep -v level=info /tmp/dockerd.log | tail -n 3 >&2; exit 1; }
  sleep 0.2
done
docker load --quiet
kill "$engine"
wait "$engine"
