# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Templates of the roles, made without a host, by the Ansible that runs the tests."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar

try:
    from ansible.template import trust_as_template
except ImportError:
    # Before ansible-core 2.19 every text was taken for a template.
    def trust_as_template(value: Any) -> Any:
        """The same text."""
        return value


ROOT = Path(__file__).resolve().parents[3]


def _trusted(value: Any) -> Any:
    """A value whose templates count."""
    if isinstance(value, str):
        return trust_as_template(value)
    if isinstance(value, dict):
        return {key: _trusted(each) for key, each in value.items()}
    return [_trusted(each) for each in value] if isinstance(value, list) else value


def made(template: str, role: str, variables: dict[str, Any], filters: Iterable[Any] = ()) -> Any:
    """What becomes of a template.

    :param role: whose variables count, with those of ``_common``.
    :param variables: of a host and a run, and others in place of the defaults of the roles.
    :param filters: of this collection, each a ``FilterModule``.
    """
    files = [
        *sorted((ROOT / "roles/_common/defaults/main").glob("*.yml")),
        *sorted((ROOT / "roles/_common/vars/main").glob("*.yml")),
        ROOT / f"roles/{role}/vars/main.yml",
    ]
    known: dict[str, Any] = {}
    for file in files:
        known.update(yaml.safe_load(file.read_text(encoding="utf-8")) or {})
    templar = Templar(DataLoader(), variables=_trusted({**known, **variables}))
    # As a run finds them, which knows collections.
    environment = getattr(templar, "_engine", templar).environment
    environment.filters.update({f"inferops.xinference.{name}": found for each in filters for name, found in each().filters().items()})
    return templar.template(trust_as_template(template))
