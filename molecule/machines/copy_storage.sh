#!/bin/sh
# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Runs in a container: copies to /to what an engine changes of the storage in /from, and prints the layers, which are mounted from there instead.
set -eu
cd /from
tar -c --exclude='./overlay2/*/diff' --exclude=./.complete . | tar -x -C /to
for layer in overlay2/*/diff; do
  mkdir "/to/$layer"
  echo "$layer"
done
