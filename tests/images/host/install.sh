#!/bin/sh
# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Runs inside the build container: what turns the base image into a machine that boots.
set -eu
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
apt-get install -y -qq --no-install-recommends systemd systemd-sysv dbus sudo iproute2 procps >/dev/null
# Units that make no sense in a container only delay its boot.
systemctl mask --quiet systemd-udevd.service systemd-networkd-wait-online.service getty.target console-getty.service systemd-modules-load.service
rm -rf /var/lib/apt/lists/*
