# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names of model files: the parts of a split GGUF."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.inferops.xinference.plugins.module_utils._core.declaration.gguf import split_of, whole_of


def test_a_part_shows_all_the_others() -> None:
    found = split_of("/models/a-b-00002-of-00003.gguf")
    assert found is not None
    assert (found.number, found.total, found.first) == (2, 3, "/models/a-b-00001-of-00003.gguf")
    assert found.parts == tuple(f"/models/a-b-0000{number}-of-00003.gguf" for number in (1, 2, 3))
    assert whole_of("/models/a-b-00002-of-00003.gguf") == found.parts


@pytest.mark.parametrize(
    "path",
    [
        *("", "/models/a.gguf", "/models/a-00001-of-00003", "/models/a-00001-of-00003.safetensors", "/models/a-1-of-3.gguf", "/models/00001-of-00003.gguf"),
        *("/models/a-00000-of-00003.gguf", "/models/a-00004-of-00003.gguf", "/models/a-00001-of-00000.gguf", "/models/a-00001-of-99999.gguf"),
        "/models/a-\u0660\u0660\u0660\u0660\u0661-of-00003.gguf",
    ],
)
def test_what_is_no_part_is_a_file_like_any_other(path: str) -> None:
    assert split_of(path) is None
    assert whole_of(path) == (path,)


@given(st.integers(1, 999), st.data())
def test_every_part_shows_the_same_parts(total: int, data: st.DataObject) -> None:
    one, other = (data.draw(st.integers(1, total)) for _part in range(2))
    assert whole_of(f"a-{one:05}-of-{total:05}.gguf") == whole_of(f"a-{other:05}-of-{total:05}.gguf")
    assert len(whole_of(f"a-{one:05}-of-{total:05}.gguf")) == total
