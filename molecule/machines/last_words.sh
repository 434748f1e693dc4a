#!/bin/sh
# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Runs on a machine of a scenario that failed: what its services logged last.
echo "-- state: $(systemctl is-system-running); units that failed:"
systemctl list-units --failed --no-legend --plain --no-pager
for unit in docker xinference-models xinference-start xinference-proxy xinference-firewall; do
  systemctl cat "$unit.service" >/dev/null 2>&1 || continue
  echo "-- $unit: $(systemctl is-active "$unit.service")"
  journalctl --unit "$unit.service" --no-pager --output short-precise --lines 200 | grep -v level=info | tail -n 40
done
# Not with the command docker, which a machine need not have.
ask() { curl --silent --max-time 20 --unix-socket /run/docker.sock "http://localhost$1"; }
for container in $(ask '/containers/json?all=1' | grep -o '"Names":\["/[^"]*' | cut -d/ -f2); do
  echo "-- container $container: $(ask "/containers/$container/json" | grep -o '"State":{[^}]*}')"
  echo "-- the end of its log:"
  # The engine puts eight bytes before each piece.
  ask "/containers/$container/logs?stdout=1&stderr=1&tail=60" | tr -cd '\11\12\40-\176'
done
