# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Environment variables and labels as Docker wants them."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.inferops.xinference.plugins.filter.texts import FilterModule as Texts

texts = Texts().filters()["texts"]


def test_environment_and_labels() -> None:
    assert texts({"managed": True, "n": 1}) == {"managed": "true", "n": "1"}
    assert texts({"HTTP_PROXY": "http://proxy.example:3128"}) == {"HTTP_PROXY": "http://proxy.example:3128"}
    assert "127.0.0.1" in texts({"HTTP_PROXY": "http://proxy.example:3128"}, past_proxies=True)["no_proxy"]
    with pytest.raises(AnsibleFilterError, match="value: A is null"):
        texts({"A": None})
