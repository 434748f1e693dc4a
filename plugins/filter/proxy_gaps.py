# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter proxy_gaps."""

from __future__ import annotations

DOCUMENTATION = r"""
name: proxy_gaps
author: inferops contributors (@inferops)
version_added: 0.1.0
short_description: What a host lacks of the proxy (private)
description:
  - This filter is private to the roles and playbooks of this collection. It may change or go away without notice.
  - Compares what module M(inferops.xinference.host_info) found on a host with the proxy as it should be, so that role P(inferops.xinference.proxy#role)
    runs nothing on a host where nothing is missing.
options:
  _input:
    description: The host, as C(host) of module M(inferops.xinference.host_info) with its O(inferops.xinference.host_info#module:proxy).
    type: dict
    required: true
  units:
    description: The unit as it should be, by its name.
    type: dict
    required: true
  config:
    description: The configuration as it should be.
    type: str
    required: true
  files:
    description: Files that must be there, such as certificate and key. The host must have been asked for these paths.
    type: list
    elements: str
    required: true
  certificate:
    description: The one of O(files) that is renewed before it ends; none where others do that.
    type: str
  renewal_days:
    description: How many days before.
    type: int
    default: 60
"""

EXAMPLES = r"""
- name: Show what is missing
  ansible.builtin.debug:
    msg: "{{ found.host | inferops.xinference.proxy_gaps({'xinference-proxy.service': unit}, config, []) }}"
  vars:
    unit: "{{ lookup('ansible.builtin.template', 'proxy.service.j2') }}"
    config: "{{ lookup('ansible.builtin.template', 'nginx.conf.j2') }}"
"""

RETURN = r"""
_value:
  description: >-
    Any of C(packages), C(user), C(files), C(certificate) (it ends soon), C(units), C(config) and C(start), in this order. C(start) stands for a proxy that
    does not run, is not started at boot, did not read what was written last, or lacks any of the others.
  type: list
  elements: str
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from typing import Any


def proxy_gaps(
    host: Mapping[str, Any], units: Mapping[str, str], config: str, files: Sequence[str], *, certificate: str | None = None, renewal_days: int = 60
) -> list[str]:
    """What is missing."""
    from ansible_collections.inferops.xinference.plugins.module_utils._core.host.certificates import days_left

    found = host["proxy"]
    end = found["certificates"].get(certificate, {}).get("not_after") if certificate else None
    missing = {
        "packages": not found["nginx"],
        "user": not found["user"],
        "files": not all(host["paths"][path]["exists"] for path in files),
        "certificate": certificate is not None and (end is None or days_left(end, datetime.now(timezone.utc)) < renewal_days),
        "units": found["units"] != units,
        "config": found["config"] != config,
    }
    gaps = [name for name, is_missing in missing.items() if is_missing]
    return [*gaps, "start"] if gaps or found["behind"] or found["unread"] or not (found["active"] and found["enabled"]) else []


class FilterModule:
    """Filters of this file."""

    def filters(self) -> dict[str, Any]:
        """The filters by name."""
        return {"proxy_gaps": proxy_gaps}
