# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sizes as Docker and nginx want them."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.inferops.xinference.plugins.filter.size import FilterModule as Size

size = Size().filters()["size"]


def test_a_size() -> None:
    assert size("4 GiB") == "4g"
    with pytest.raises(AnsibleFilterError, match="'much' is no size; write one such as 12g or 512m"):
        size("much")
