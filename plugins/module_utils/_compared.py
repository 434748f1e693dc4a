# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What modules compare a server with: declared models, and those that the host has stored. Private to this collection."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.inferops.xinference.plugins.module_utils._core.declaration.check import parse_models
from ansible_collections.inferops.xinference.plugins.module_utils._core.declaration.model import DeclaredModel
from ansible_collections.inferops.xinference.plugins.module_utils._core.host.declaration_file import EARLIER, KEEP, StoredDeclaration, earlier_models
from ansible_collections.inferops.xinference.plugins.module_utils._core.plan.plan import PlanOptions
from ansible_collections.inferops.xinference.plugins.module_utils._core.reconcile.options import ReconcileOptions, files_of
from ansible_collections.inferops.xinference.plugins.module_utils._module import connect, names_spec
from ansible_collections.inferops.xinference.plugins.module_utils._secrets import hide_values

__all__ = ["compared_spec", "connect_as_launcher", "declared_and_stored", "options_to_compare"]


def compared_spec() -> dict[str, dict[str, Any]]:
    """Options of what is compared; documented by the fragment ``_compared``."""
    return {
        "models": {"type": "list", "elements": "raw"},
        "declaration_path": {"type": "path"},
        "earlier_models": {"type": "str", "choices": list(EARLIER), "default": KEEP},
        "validate_engine_options": {"type": "bool", "default": True},
        "autostart": {"type": "bool", "default": True},
        "cores": {"type": "float"},
        "memory_mib": {"type": "int"},
        "launch_username": {"type": "str"},
        # A path is no secret.
        "launch_password_path": {"type": "path", "no_log": False},
        **names_spec(),
    }


def connect_as_launcher(module: AnsibleModule) -> Any:
    """A client of the account that launches models: a server shows what a model was launched with only to that one.

    :raises XinferenceError: when there is no connection, or the credentials are refused.
    """
    given = module.params
    account = {"username": given["launch_username"], "password": None, "password_path": given["launch_password_path"]} if given["launch_username"] else None
    return connect(module, account=account)


def options_to_compare(given: Mapping[str, Any]) -> ReconcileOptions:
    """Options of a run that only predicts.

    :param given: options of the module: those of :func:`compared_spec` and of the server's files.
    :raises DeclarationError: when a path is not absolute.
    """
    server_files, state_file = files_of(given)
    return ReconcileOptions(
        choices=PlanOptions(autostart=given["autostart"]),
        check=True,
        cores=given["cores"],
        memory_mib=given["memory_mib"],
        server_files=server_files,
        file=state_file,
        names=given["option_names"],
    )


def declared_and_stored(module: AnsibleModule, raw: list[Any] | None) -> list[DeclaredModel]:
    """The models of this run, checked, and those that the host has stored besides.

    :param module: with options ``declaration_path``, ``earlier_models``, ``validate_engine_options`` and ``option_names``.
    :param raw: as they were declared; None for what is stored alone.
    :raises XinferenceError: when one of them is wrong, or the stored ones cannot be read.
    """
    given = module.params
    declared = parse_models(raw or [], strict=given["validate_engine_options"], names=given["option_names"])
    if given["declaration_path"] and (raw is None or given["earlier_models"] == KEEP):
        stored = StoredDeclaration(given["declaration_path"]).load(repair=False)
        kept = earlier_models(stored, raw or [])
        hide_values(module, kept)
        # What was stored was checked when it was declared.
        declared += parse_models(kept, strict=False)
    return declared
