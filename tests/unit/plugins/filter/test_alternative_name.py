# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names as certificates write them."""

from __future__ import annotations

import pytest

from ansible_collections.inferops.xinference.plugins.filter.alternative_name import FilterModule as Names

alternative_name = Names().filters()["alternative_name"]


@pytest.mark.parametrize(
    ("name", "written"),
    [("a.example.com", "DNS:a.example.com"), ("*.example.com", "DNS:*.example.com"), ("192.0.2.10", "IP:192.0.2.10"), ("2001:db8::1", "IP:2001:db8::1")],
)
def test_names_as_certificates_write_them(name: str, written: str) -> None:
    assert alternative_name(name) == written
