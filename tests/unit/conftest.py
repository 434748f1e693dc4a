# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Settings of all unit tests."""

from __future__ import annotations

import compileall
import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import Phase, configuration, settings

# The same examples in every run, and no files of its own in the checkout: a failure is repeated by running again.
if "HYPOTHESIS_STORAGE_DIRECTORY" not in os.environ:
    configuration.set_hypothesis_home_dir(Path(tempfile.gettempdir()) / f"hypothesis-{os.getuid()}")
settings.register_profile("project", database=None, deadline=None, derandomize=True, max_examples=150)
# For tools/mutation.sh, which only asks whether a test fails: a failing example is not made smaller.
settings.register_profile("mutation", settings.get_profile("project"), max_examples=20, phases=(Phase.explicit, Phase.generate))
settings.load_profile("project")


@pytest.fixture
def uncompiled(monkeypatch: pytest.MonkeyPatch) -> None:
    """The service's program is installed without being compiled, which takes most of a second and matters to few tests."""
    monkeypatch.setattr(compileall, "compile_dir", lambda *_args, **_options: True)
