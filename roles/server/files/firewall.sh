#!/bin/sh
# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Written by role inferops.xinference.server; changes made here are lost at the next run.
# Sets or removes the firewall rules that lie beside this file: firewall.sh set|remove COMMENT PREFIX
# Setting them again is safe at any time: each family's chains are replaced in one step.
set -u
action=$1 comment=$2 prefix=$3
folder=$(dirname "$0")
status=0

set_rules() {
  "/usr/sbin/$1-restore" --wait 30 --noflush <"$folder/$2.rules" || return
  for hook in PREROUTING FORWARD OUTPUT; do
    chain=$prefix-$(echo "$hook" | tr '[:upper:]' '[:lower:]')
    "/usr/sbin/$1" --wait 30 --table mangle --check "$hook" --match comment --comment "$comment" --jump "$chain" 2>/dev/null ||
      "/usr/sbin/$1" --wait 30 --table mangle --insert "$hook" --match comment --comment "$comment" --jump "$chain" || return
    # An earlier version had its rules in the kernel's own chains.
    "/usr/sbin/$1" --wait 30 --table mangle --list-rules "$hook" | grep -F -e "--comment $comment -j DROP" | while read -r _append _hook rule; do
      # They are words of a command.
      # shellcheck disable=SC2086
      "/usr/sbin/$1" --wait 30 --table mangle --delete "$hook" $rule
    done
  done
}

remove_rules() {
  for hook in PREROUTING FORWARD OUTPUT; do
    chain=$prefix-$(echo "$hook" | tr '[:upper:]' '[:lower:]')
    while "/usr/sbin/$1" --wait 30 --table mangle --delete "$hook" --match comment --comment "$comment" --jump "$chain" 2>/dev/null; do :; done
    # Whoever emptied the table has removed the chain already.
    if "/usr/sbin/$1" --wait 30 --table mangle --list-rules "$chain" >/dev/null 2>&1; then
      "/usr/sbin/$1" --wait 30 --table mangle --flush "$chain" && "/usr/sbin/$1" --wait 30 --table mangle --delete-chain "$chain" || return
    fi
  done
}

for family in ipv4 ipv6; do
  command=iptables
  if [ "$family" = ipv6 ]; then
    # A kernel without IPv6 has nothing to restrict there.
    grep -qs . /proc/net/if_inet6 || continue
    command=ip6tables
  fi
  case $action in
    set) set_rules "$command" "$family" ;;
    remove) remove_rules "$command" ;;
    *) false ;;
  esac || status=1
done
exit "$status"
