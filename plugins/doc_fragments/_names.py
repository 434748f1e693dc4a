# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the option that names other options. Private to this collection."""

from __future__ import annotations


class ModuleDocFragment:
    """The option of modules that roles call, whose variables have other names."""

    DOCUMENTATION = r"""
options:
  option_names:
    description: >-
      Names to use in messages in place of the names of options, option to name. Roles set it, because their users know variables, not options of modules. An
      option that is not named here is called by its own name.
    type: dict
    default: {}
"""
