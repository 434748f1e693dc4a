# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter model_host_paths."""

from __future__ import annotations

DOCUMENTATION = r"""
name: model_host_paths
author: inferops contributors (@inferops)
version_added: 0.1.0
short_description: Where the local files of declared models lie on the host (private)
description:
  - This filter is private to the roles and playbooks of this collection. It may change or go away without notice.
  - A declared model names its files as the server sees them, inside its container. This filter maps them through the volumes.
  - Models that are not well-formed, and files that lie in no volume, are left out.
options:
  _input:
    description: The declared models, as for module M(inferops.xinference.models).
    type: raw
    required: true
  data_root:
    description: Directory on the host that holds the volumes.
    type: str
    required: true
  volumes:
    description: The volumes, each with C(path) and optionally C(target).
    type: list
    elements: dict
    required: true
"""

EXAMPLES = r"""
- name: Show where a model's file belongs
  ansible.builtin.debug:
    msg: "{{ models | inferops.xinference.model_host_paths('/srv/xinference_data', [{'path': 'models', 'target': '/models'}]) }}"
  vars:
    models:
      - {uid: chat, name: qwen3, engine: llama.cpp, path: /models/qwen3.gguf}
"""

RETURN = r"""
_value:
  description: Absolute paths on the host, sorted.
  type: list
  elements: str
"""

from typing import Any


def model_host_paths(models: Any, data_root: str, volumes: list[dict[str, Any]]) -> list[str]:
    """Absolute paths on the host, sorted."""
    from ansible_collections.inferops.xinference.plugins.module_utils._core.declaration.check import check_models
    from ansible_collections.inferops.xinference.plugins.module_utils._core.declaration.local_files import container_paths
    from ansible_collections.inferops.xinference.plugins.module_utils._core.host.volumes import host_path

    wellformed, _problems = check_models(models)
    places = (host_path(path, data_root, volumes) for _uid, _field, path in container_paths(wellformed))
    return sorted({place for place in places if place})


class FilterModule:
    """Filters of this file."""

    def filters(self) -> dict[str, Any]:
        """The filters by name."""
        return {"model_host_paths": model_host_paths}
