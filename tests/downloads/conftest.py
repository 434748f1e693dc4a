# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes the hub and the real server of the contract's tests importable."""

from __future__ import annotations

import sys
from pathlib import Path

for folder in ("contract", "hub"):
    sys.path.insert(0, str(Path(__file__).resolve().parents[1] / folder))
