#!/bin/sh
# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Runs inside the build container: Xinference in a virtual environment that is first on PATH.
set -eu
python3 -m venv /opt/xinference
# The lock is complete, so nothing is resolved: --no-deps keeps CUDA builds and a mismatched torchvision out.
/opt/xinference/bin/python -m pip install --no-cache-dir --no-deps --progress-bar off --quiet -r /recipe/requirements.txt
mkdir -p /opt/inference
rm -rf /var/lib/apt/lists/* /root/.cache /tmp/*
