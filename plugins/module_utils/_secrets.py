# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Secrets of declared models, kept out of what Ansible prints. Private to this collection."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.inferops.xinference.plugins.module_utils._core.declaration.fields import FIELDS

__all__ = ["ModelsModule", "hide_environment", "hide_values"]

#: Shorter values of environment variables are no secrets worth masking in every text.
SECRET_LENGTH = 6
MASK = "********"


class ModelsModule(AnsibleModule):
    """A module that is given declared models."""

    #: The options that hold them.
    OPTIONS = ("models", "keep")

    def _log_invocation(self) -> None:
        """Write to the host's system log what the module was called with, without the values of environment variables."""
        declared = {option: hide_environment(self, option) for option in self.OPTIONS if self.params.get(option)}
        super()._log_invocation()
        self.params.update(declared)


def hide_values(module: AnsibleModule, models: list[Any]) -> None:
    """Mask the values of the environment variables of models in all that the module outputs.

    :param models: checked or not.
    """
    for item in models:
        environment = item.get("environment") if isinstance(item, Mapping) else None
        if isinstance(environment, Mapping):
            module.no_log_values.update(str(value) for value in environment.values() if len(str(value)) >= SECRET_LENGTH)


def hide_environment(module: AnsibleModule, option: str) -> list[Any]:
    """Keep the values of the models' environment variables out of what Ansible prints, and return the declaration with them.

    The arguments that Ansible repeats get a mask; up to ansible-core 2.20 all of them are part of every answer. So does what stands where
    nothing of a declaration belongs, such as under a misspelt field, because it may be meant for the environment.

    What is long enough to be a secret is also masked in the server's words; a short value such as a number of threads is not, because
    Ansible would mask it inside every other text too.

    :param option: the option that holds the declared models.
    """
    declared: list[Any] = module.params[option]
    hide_values(module, declared)
    shown: list[Any] = []
    for item in declared:
        if not isinstance(item, Mapping):
            shown.append(MASK)
            continue
        environment = item.get("environment")
        masked: dict[Any, Any] = {name: value if name in FIELDS else MASK for name, value in item.items()}
        if environment is not None:
            masked["environment"] = dict.fromkeys(environment, MASK) if isinstance(environment, Mapping) else MASK
        shown.append(masked)
    module.params[option] = shown
    return declared
