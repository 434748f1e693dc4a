# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The configuration of the proxy as role ``proxy`` renders it, without a host."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar

from ansible_collections.inferops.xinference.plugins.filter.declared_models import FilterModule as Lines
from ansible_collections.inferops.xinference.plugins.filter.size import FilterModule as Size

try:
    from ansible.template import trust_as_template
except ImportError:
    # Before ansible-core 2.19 every text was taken for a template.
    def trust_as_template(value: Any) -> Any:
        """The same text."""
        return value


ROOT = Path(__file__).resolve().parents[4]
#: What a host and a run add to the variables of the roles.
HOST = {
    "inventory_hostname": "inference-01",
    "ansible_check_mode": False,
    "xinference_container_name": "xinference",
    "_xinference_endpoint": "http://127.0.0.1:9997",
    "_xinference_recovery": "service",
    "_xinference_found": {"host": {"proxy": {"certificates": {}, "nginx": True}, "python": {"cryptography": True}}},
}


def _trusted(value: Any) -> Any:
    """A value whose templates count."""
    if isinstance(value, str):
        return trust_as_template(value)
    if isinstance(value, dict):
        return {key: _trusted(each) for key, each in value.items()}
    return [_trusted(each) for each in value] if isinstance(value, list) else value


def rendered(**variables: Any) -> str:
    """The file that the role writes.

    :param variables: in place of the defaults of the roles.
    """
    files = [
        *sorted((ROOT / "roles/_common/defaults/main").glob("*.yml")),
        *sorted((ROOT / "roles/_common/vars/main").glob("*.yml")),
        ROOT / "roles/proxy/vars/main.yml",
    ]
    known: dict[str, Any] = {}
    for file in files:
        known.update(yaml.safe_load(file.read_text(encoding="utf-8")) or {})
    given = {**known, **HOST, **variables}
    templar = Templar(DataLoader(), variables=_trusted(given))
    # As a run finds them, which knows collections.
    environment = getattr(templar, "_engine", templar).environment
    environment.filters.update({f"inferops.xinference.{name}": found for each in (Lines, Size) for name, found in each().filters().items()})
    text = (ROOT / "roles/proxy/templates/nginx.conf.j2").read_text(encoding="utf-8")
    return str(templar.template(trust_as_template(text)))
