# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes docs/pictures/diagnosis.png: the page of a fleet as Chromium shows it, of the data that the unit tests use. Called by ``make picture``."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from ansible_collections.inferops.xinference.plugins.module_utils._core.diagnose.page import html_page
from ansible_collections.inferops.xinference.tests.unit.plugins.module_utils._core.diagnose.fleets import LOG, MEMORY, diagnosed, mixed, small

PICTURE = Path(__file__).resolve().parents[1] / "docs/pictures/diagnosis.png"
#: Of the window, in pixels.
WIDTH, HEIGHT = 960, 1060
#: Bytes that the picture may have.
LARGEST = 150_000
HOSTS = 10


def main() -> str:
    """Make the picture; returns what keeps it from being made."""
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if not chromium:
        return "picture: cannot go on: Chromium is not installed (Debian: chromium)"
    hosts = {**mixed(HOSTS), "web3": diagnosed("web3", LOG, MEMORY, models=small()["web3"]["models"])}
    # The worst host is open, as after a click.
    page = html_page(hosts).replace("<details class=critical>", "<details class=critical open>", 1)
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "diagnosis.html"
        place.write_text(page, encoding="utf-8")
        PICTURE.parent.mkdir(exist_ok=True)
        options = ["--headless", "--disable-gpu", "--hide-scrollbars", f"--user-data-dir={folder}/profile", f"--window-size={WIDTH},{HEIGHT}"]
        # It has no sandbox for root.
        options += ["--no-sandbox"] if os.geteuid() == 0 else []
        subprocess.run([chromium, *options, f"--screenshot={PICTURE}", place.as_uri()], check=True, capture_output=True, timeout=300)
    size = PICTURE.stat().st_size
    return "" if size <= LARGEST else f"picture: {PICTURE} has {size} bytes; {LARGEST} are allowed"


if __name__ == "__main__":
    sys.exit(main() or None)
