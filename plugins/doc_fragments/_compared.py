# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the options that say what a server is compared with. Private to this collection."""

from __future__ import annotations


class ModuleDocFragment:
    """Options of modules that compare a server with a declaration, and change nothing."""

    DOCUMENTATION = r"""
options:
  models:
    description: The declared models, as module M(inferops.xinference.models) takes them. If not set, those of O(declaration_path) alone.
    type: list
    elements: raw
  declaration_path:
    description: File with the declaration that the host has stored. Its models are compared as well, where O(earlier_models=keep).
    type: path
  earlier_models:
    description: What is done with models that the host has stored and O(models) does not name, as of module M(inferops.xinference.models).
    type: str
    choices: [keep, forget]
    default: keep
  validate_engine_options:
    description: Whether unknown engine options in O(models) are refused.
    type: bool
    default: true
  autostart:
    description: Whether models without that field are to have an autostart entry.
    type: bool
    default: true
  launch_username:
    description: >-
      Account that launches the models. A server shows what a model was launched with only to that one. If not set, that of the connection.
    type: str
  launch_password_path:
    description: File of the managed host with the password of O(launch_username).
    type: path
  cores:
    description: Processor cores that the server may use. If not set, it is asked.
    type: float
  memory_mib:
    description: Memory that the server may use, in MiB. If not set, it is asked.
    type: int
"""
