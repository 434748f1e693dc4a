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
      What options of this module are called in its messages, option to name. For roles, whose users know the names of variables and not those of the options
      that they end in. An option that is not named is called by its own name.
    type: dict
    default: {}
"""
