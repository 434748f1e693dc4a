#!/bin/sh
# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Runs on a machine of a scenario that failed: what its services said last.
echo "-- state: $(systemctl is-system-running); units that failed:"
systemctl list-units --failed --no-legend --plain --no-pager
for unit in docker xinference-models xinference-start xinference-proxy xinference-firewall; do
  systemctl cat "$unit.service" >/dev/null 2>&1 || continue
  echo "-- $unit: $(systemctl is-active "$unit.service")"
  journalctl --unit "$unit.service" --no-pager --output short-precise --lines 40
done
command -v docker >/dev/null || exit 0
echo "-- containers:"
timeout 20 docker ps --all
for container in $(timeout 20 docker ps --all --format '{{ .Names }}'); do
  echo "-- the end of the log of container $container:"
  timeout 20 docker logs --tail 60 "$container" 2>&1
done
