# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run leaves on the host, and the lock between it and the service: with real files."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.inferops.xinference.plugins.module_utils._core.base.errors import XinferenceError
from ansible_collections.inferops.xinference.plugins.module_utils._core.base.private_file import marks, replace_private
from ansible_collections.inferops.xinference.plugins.module_utils._core.host.declaration_file import StoredDeclaration, stored_uids

OPTIONS = {"endpoint": "http://127.0.0.1:9997", "password": "marked", "models": [{"uid": "chat"}]}


def test_what_is_left_is_read_again_and_not_written_twice(tmp_path: Path) -> None:
    left = StoredDeclaration(str(tmp_path / "deep/declaration.json"))
    assert left.load() is None
    assert left.save(OPTIONS)
    seen = marks(str(left.path))
    assert not left.save(dict(reversed(OPTIONS.items())))
    assert marks(str(left.path)) == seen
    assert left.load() == OPTIONS
    assert left.save({**OPTIONS, "models": []})
    assert marks(str(left.path)) != seen
    assert {place.stat().st_mode & 0o777 for place in (left.path, left.copy)} == {0o600}
    assert sorted(place.name for place in left.path.parent.iterdir()) == ["declaration.json", "declaration.json.copy"]


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"version": 2, "options": {}}', '{"version": 1, "options": 3}', "\udcff", "[" * 200_000])
def test_a_damaged_file_is_replaced_by_its_copy(tmp_path: Path, damage: str) -> None:
    left = StoredDeclaration(str(tmp_path / "declaration.json"))
    left.save(OPTIONS)
    for place in (left.path, left.copy):
        place.write_bytes(damage.encode("utf-8", "surrogateescape"))
        assert left.load() == OPTIONS
        left.path.unlink()
        assert left.load() == OPTIONS
    assert left.path.read_text() == left.copy.read_text()
    for place in (left.path, left.copy):
        place.write_bytes(damage.encode("utf-8", "surrogateescape"))
    with pytest.raises(XinferenceError, match=r"declaration\.json' is "):
        left.load()


@pytest.mark.parametrize("older", ["path", "copy"])
def test_the_newer_of_two_copies_counts(tmp_path: Path, older: str) -> None:
    """What a power cut leaves between the two writes."""
    left = StoredDeclaration(str(tmp_path / "declaration.json"))
    left.save(OPTIONS)
    old = left.path.read_text()
    left.save({**OPTIONS, "models": []})
    getattr(left, older).write_text(old)
    assert left.load(repair=False) == {**OPTIONS, "models": []}
    assert left.path.read_text() != left.copy.read_text()
    assert left.load() == {**OPTIONS, "models": []}
    assert left.path.read_text() == left.copy.read_text()


def test_a_declaration_that_does_not_say_how_often_it_was_written_is_older(tmp_path: Path) -> None:
    left = StoredDeclaration(str(tmp_path / "declaration.json"))
    left.save(OPTIONS)
    for number in ("", '"generation": null, ', '"generation": "9", '):
        left.path.write_text(f'{{"version": 1, {number}"options": {{"models": []}}}}')
        assert left.load() == OPTIONS


def test_where_nothing_can_be_written_the_old_one_stays(tmp_path: Path) -> None:
    left = StoredDeclaration(str(tmp_path / "declaration.json"))
    left.save(OPTIONS)
    (tmp_path / "file").write_text("")
    with pytest.raises(XinferenceError, match="cannot be written"):
        StoredDeclaration(str(tmp_path / "file/declaration.json")).save(OPTIONS)
    with pytest.raises(UnicodeEncodeError):
        replace_private(left.path, "\ud800")
    assert left.load() == OPTIONS
    assert sorted(place.name for place in tmp_path.iterdir()) == ["declaration.json", "declaration.json.copy", "file"]


def test_uids_that_the_host_has_stored(tmp_path: Path) -> None:
    place = str(tmp_path / "declaration.json")
    assert stored_uids(None) == stored_uids(place) == []
    StoredDeclaration(place).save({"models": [{"uid": "chat"}, {"uid": "old", "state": "absent"}, {"uid": 5}, "text", {}]})
    assert stored_uids(place) == ["chat"]
    (tmp_path / "declaration.json.copy").unlink()
    assert stored_uids(place) == ["chat"]
    # Reading changes nothing.
    assert not (tmp_path / "declaration.json.copy").exists()
    Path(place).write_text("{", encoding="utf-8")
    assert stored_uids(place) == []
