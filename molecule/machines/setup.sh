#!/usr/bin/env bash
# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Sourced before a scenario that starts machines, with "bare" or "prepared": the machines' image, the client's wheels for a host without an index,
# and the server image: as an archive for a machine that is bare, as storage of its engine for one that is prepared.
# A bare machine runs the release of Debian that XINFERENCE_TEST_SUITE names, else bookworm.
XINFERENCE_TEST_ARCHIVE='' XINFERENCE_TEST_STORAGE=''
case $1 in
  bare)
    suite=${XINFERENCE_TEST_SUITE:-bookworm}
    XINFERENCE_TEST_HOST_IMAGE=$(python3 tests/images/build.py host --suite "$suite")
    XINFERENCE_TEST_WHEELS=$(python3 tests/images/build.py wheels --suite "$suite")
    XINFERENCE_TEST_ARCHIVE=$(python3 tests/images/build.py archive --version "$XINFERENCE_TEST_VERSION")
    ;;
  prepared)
    XINFERENCE_TEST_HOST_IMAGE=$(python3 tests/images/build.py docker-host)
    XINFERENCE_TEST_WHEELS=$(python3 tests/images/build.py wheels)
    XINFERENCE_TEST_STORAGE=$(python3 tests/images/build.py storage --version "$XINFERENCE_TEST_VERSION")
    ;;
esac
export XINFERENCE_TEST_WHEELS XINFERENCE_TEST_ARCHIVE XINFERENCE_TEST_STORAGE XINFERENCE_TEST_HOST_IMAGE
