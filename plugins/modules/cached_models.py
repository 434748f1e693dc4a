#!/usr/bin/python
# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Delete downloaded model files."""

from __future__ import annotations

DOCUMENTATION = r"""
module: cached_models
short_description: Delete downloaded model files of an Xinference server
version_added: 0.1.0
description:
  - Deletes downloaded files, either those that are named, or all that no declared model needs.
  - >-
    Never deleted are files of a running model, of one that is being launched or downloaded, and files that the server only links to: those that a
    registration names (C(model_uri)), and all that lie outside the server's download directories.
  - The server is read again afterwards, because it answers yes to everything that it is asked to delete.
author:
  - inferops contributors (@inferops)
extends_documentation_fragment:
  - inferops.xinference._connection
  - inferops.xinference._connection.actiongroup
  - inferops.xinference._lock
  - inferops.xinference._names
attributes:
  check_mode:
    description: Predicts the same changes and the same diff, and deletes nothing.
    support: full
  diff_mode:
    description: Shows the files that are deleted.
    support: full
  idempotent:
    description: A second run deletes nothing.
    support: full
  platform:
    description: Where the module runs. The server may be elsewhere.
    support: full
    platforms: posix
options:
  keep:
    description:
      - The declared models, as in module M(inferops.xinference.models). All files that none of them and no running model needs are deleted.
      - Models of C(state=absent) need nothing. A field that is not declared, such as C(quantization), needs the files of every value.
      - With an empty list, all files that no running model needs are deleted.
      - Exactly one of O(keep) and O(absent) is required.
    type: list
    elements: raw
  declaration_path:
    description: File of this host with the models that module M(inferops.xinference.models) stored last, whose files O(keep) keeps as well.
    type: path
  absent:
    description:
      - Names of the files to delete, as RV(inferops.xinference.cached_models_info#module:cached_models[].model_version) returns them.
      - A name that the server does not know is already absent. Files that must not be deleted fail the task before anything is deleted.
    type: list
    elements: str
  wait_timeout:
    description: Seconds for which O(lock_path) is waited for.
    type: float
    default: 1800.0
seealso:
  - module: inferops.xinference.cached_models_info
  - module: inferops.xinference.models
"""

EXAMPLES = r"""
- name: Delete what no declared model needs
  inferops.xinference.cached_models:
    username: admin
    password: "{{ vault_xinference_admin_password }}"
    keep:
      - uid: chat
        name: qwen3
        engine: llama.cpp
        format: ggufv2
        size_in_billions: "0_6"
        quantization: Q4_K_M

- name: Delete the files of one model
  inferops.xinference.cached_models:
    absent:
      - qwen3--0_6B--ggufv2--Q8_0
"""

RETURN = r"""
removed:
  description: The files that were deleted, with the fields that M(inferops.xinference.cached_models_info) returns. In check mode, those that would be.
  returned: always, once the server could be read
  type: list
  elements: dict
  sample:
    - model_version: qwen3--0_6B--ggufv2--Q8_0
      name: qwen3
      size_bytes: 639447744
freed_bytes:
  description: >-
    Size of these files. Data that they share with files that stay is counted, although it is not deleted. Null where the server does not report the size.
  returned: always, once the server could be read
  type: int
  sample: 639447744
kept:
  description: Files that no declared model needs and that were not deleted, with the reason.
  returned: always, once the server could be read
  type: list
  elements: dict
  sample:
    - {model_version: bge-m3--8192--1024--pytorch--none, reason: used by the running embed}
  contains:
    model_version:
      description: The server's name for the files.
      type: str
      returned: always
    reason:
      description: Why they stay.
      type: str
      returned: always
problems:
  description: One sentence for each reason why nothing was deleted, or for each deletion that failed.
  returned: failure
  type: list
  elements: str
status:
  description: HTTP status of the answer that ended the module.
  returned: when the server answered with an error
  type: int
url:
  description: Address of the request that ended the module.
  returned: when the server answered with an error
  type: str
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.inferops.xinference.plugins.module_utils._core.base.messages import called
from ansible_collections.inferops.xinference.plugins.module_utils._core.declaration.check import parse_models
from ansible_collections.inferops.xinference.plugins.module_utils._core.host.declaration_file import StoredDeclaration, earlier_models
from ansible_collections.inferops.xinference.plugins.module_utils._core.resources.model_cache import CachedModel, Removal, plan_removal, remove, survey_cache
from ansible_collections.inferops.xinference.plugins.module_utils._module import attempt, connect, connection_spec, lock_spec, locked, names_spec
from ansible_collections.inferops.xinference.plugins.module_utils._secrets import ModelsModule, hide_environment


def argument_spec() -> dict[str, dict[str, Any]]:
    """Options of the module."""
    # The core checks the items, because it can name the item, the value and the nearest allowed one.
    return {
        **connection_spec(),
        "keep": {"type": "list", "elements": "raw"},
        "absent": {"type": "list", "elements": "str"},
        "declaration_path": {"type": "path"},
        "wait_timeout": {"type": "float", "default": 1800.0},
        **lock_spec(),
        **names_spec(),
    }


def run(module: AnsibleModule) -> tuple[Removal, list[CachedModel], list[str]]:
    """Read, choose, and unless in check mode delete: the choice, what was deleted, and what failed."""
    keep = hide_environment(module, "keep") if module.params["keep"] is not None else None
    # Files do not depend on the options of an engine.
    declared = None if keep is None else parse_models(keep, strict=False, names={"models": called("keep", module.params["option_names"])})
    if declared is not None and keep is not None and module.params["declaration_path"]:
        stored = StoredDeclaration(module.params["declaration_path"]).load(repair=False)
        declared += parse_models(earlier_models(stored, keep), strict=False)
    client = connect(module)
    try:
        # No model is launched or downloaded between the check and the deletion.
        with locked(module):
            cached, users = survey_cache(client)
            removal = plan_removal(cached, users, keep=declared, absent=module.params["absent"] or ())
            if module.check_mode:
                return removal, list(removal.remove), []
            return (removal, *remove(client, removal))
    finally:
        client.close()


def main() -> None:
    """Entry point; the one place where errors of the core become failures of the task."""
    module = ModelsModule(
        argument_spec=argument_spec(),
        supports_check_mode=True,
        mutually_exclusive=[("keep", "absent")],
        required_one_of=[("keep", "absent")],
    )
    removal, removed, problems = attempt(module, lambda: run(module))
    sizes = [files.size_bytes for files in removed]
    answer: dict[str, Any] = {
        "changed": bool(removed),
        "removed": [files.shown() for files in removed],
        "freed_bytes": None if None in sizes else sum(size or 0 for size in sizes),
        "kept": [{"model_version": version, "reason": reason} for version, reason in removal.kept],
        "diff": {"before": {files.model_version: files.path for files in removed}, "after": {}},
    }
    if problems:
        module.fail_json(msg=" ".join(problems), problems=problems, **answer)
    module.exit_json(**answer)


if __name__ == "__main__":
    main()
