#!/bin/sh
# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Runs inside the build container: what role docker puts on a host, so that a scenario about something else finds it done.
set -eu
export DEBIAN_FRONTEND=noninteractive
mkdir -p /etc/docker
# As the role writes it.
cat >/etc/docker/daemon.json <<'END'
{
    "live-restore": true,
    "log-driver": "json-file",
    "log-opts": {
        "max-file": "5",
        "max-size": "10m"
    }
}
END
apt-get update -qq
apt-get install -y -qq --no-install-recommends docker.io iptables nftables python3-requests python3-packaging >/dev/null
# Every machine has its own, as after an installation.
rm -rf /etc/docker/key.json /var/lib/docker /var/lib/containerd /var/lib/apt/lists/*
