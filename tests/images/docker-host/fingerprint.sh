#!/bin/sh
# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Runs inside a container: a digest of the storage in /storage. Of the layers' files, which are many and large, it takes all but the content.
set -eu
cd /storage
{
  find . -path './overlay2/*/diff' -prune -o -type f ! -path ./.complete -print0 | sort -z | xargs -0 sha256sum
  find . -mindepth 1 ! -path ./.complete -printf '%P %y %m %U %G %s %T@ %C@ %l\n' | sort
} | sha256sum | cut -c 1-64
