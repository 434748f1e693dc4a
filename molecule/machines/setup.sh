#!/usr/bin/env bash
# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Sourced before a scenario that starts machines: the host's image, the server image as an archive, and the client's wheels for a host without an index.
XINFERENCE_TEST_HOST_IMAGE=$(python3 tests/images/build.py host)
XINFERENCE_TEST_ARCHIVE=$(python3 tests/images/build.py archive --version "$XINFERENCE_TEST_VERSION")
XINFERENCE_TEST_WHEELS=$(python3 tests/images/build.py wheels)
export XINFERENCE_TEST_HOST_IMAGE XINFERENCE_TEST_ARCHIVE XINFERENCE_TEST_WHEELS
