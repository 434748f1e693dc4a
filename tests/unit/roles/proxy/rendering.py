# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The configuration of the proxy as role ``proxy`` renders it, without a host."""

from __future__ import annotations

from typing import Any

from ansible_collections.inferops.xinference.plugins.filter.declared_models import FilterModule as Lines
from ansible_collections.inferops.xinference.plugins.filter.size import FilterModule as Size
from ansible_collections.inferops.xinference.tests.unit.roles.templating import ROOT, made

#: What a host and a run add to the variables of the roles.
HOST = {
    "inventory_hostname": "inference-01",
    "ansible_check_mode": False,
    "xinference_container_name": "xinference",
    "_xinference_endpoint": "http://127.0.0.1:9997",
    "_xinference_recovery": "service",
    "_xinference_found": {"host": {"proxy": {"certificates": {}, "nginx": True}, "python": {"cryptography": True}}},
}


def rendered(**variables: Any) -> str:
    """The file that the role writes.

    :param variables: in place of the defaults of the roles.
    """
    text = (ROOT / "roles/proxy/templates/nginx.conf.j2").read_text(encoding="utf-8")
    return str(made(text, "proxy", {**HOST, **variables}, (Lines, Size)))
