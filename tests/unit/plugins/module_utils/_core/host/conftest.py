# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The host of the tests of backups."""

from __future__ import annotations

from ansible_collections.inferops.xinference.tests.unit.plugins.module_utils._core.backup.conftest import host

__all__ = ["host"]
