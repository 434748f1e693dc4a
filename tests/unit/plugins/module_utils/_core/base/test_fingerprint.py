# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What names a program: every change of it, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.inferops.xinference.plugins.module_utils._core.base.fingerprint import fingerprint, folder_fingerprint
from ansible_collections.inferops.xinference.plugins.module_utils._core.service.package import PACKAGE, install


def test_the_order_does_not_matter_and_the_borders_do() -> None:
    assert fingerprint({"a": b"1", "b": b"2"}) == fingerprint({"b": b"2", "a": b"1"})
    assert len({fingerprint(files) for files in ({"a": b"1", "b": b"2"}, {"a": b"12", "b": b""}, {"ab": b"12"}, {"a": b"2", "b": b"1"}, {})}) == 5


@pytest.mark.usefixtures("uncompiled")
def test_every_change_of_the_program_changes_its_fingerprint(tmp_path: Path) -> None:
    assert folder_fingerprint(tmp_path / "none") is None
    install(tmp_path / "program")
    before = folder_fingerprint(tmp_path / "program")
    module = tmp_path / "program" / PACKAGE / "service/loop.py"
    content = module.read_bytes()
    module.write_bytes(content + b"\n")
    assert folder_fingerprint(tmp_path / "program") != before
    module.write_bytes(content)
    assert folder_fingerprint(tmp_path / "program") == before
    module.rename(module.with_name("other.py"))
    assert folder_fingerprint(tmp_path / "program") != before
