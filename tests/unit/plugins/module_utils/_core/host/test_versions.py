# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The records of versions and of an upgrade: what is in them, and what lies in their place."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.inferops.xinference.plugins.module_utils._core.host.versions import (
    CHANGING,
    RETURNED,
    RETURNING,
    STAYING,
    UPGRADE,
    VERSIONS,
    read_record,
    upgrade_facts,
)

RECORDED = {"server": "4.1.0", "image": "a:1", "image_id": "sha256:1", "collection": "0.1.0", "client": "4.1.0", "time": "2026-01-31T12:00:00Z"}
SIDE = {"image": "a:1", "image_id": "sha256:1", "server": "4.1.0", "container_id": "0123"}
NO_SIDE = dict.fromkeys(SIDE, "")
UNDER_WAY: dict[str, Any] = {"state": "changing", "from": SIDE, "to": {**SIDE, "image": "a:2"}, "snapshot": "0a1b", "time": "2026-01-31T12:00:00Z"}
#: What is known of an upgrade whose record cannot be read.
UNKNOWN = {"state": "changing", "from": NO_SIDE, "to": NO_SIDE, "snapshot": "", "time": ""}
Puts = Callable[[Path], object]


def test_what_is_recorded_is_read(tmp_path: Path) -> None:
    (tmp_path / VERSIONS).write_text(json.dumps({**RECORDED, "previous": {**RECORDED, "server": "4.0.0", "refused": "x"}, "refused": "sha256:2", "other": "x"}))
    (tmp_path / UPGRADE).write_text(json.dumps({**UNDER_WAY, "other": "x"}))
    assert upgrade_facts(str(tmp_path)) == {
        "versions": {**RECORDED, "refused": "sha256:2", "previous": {**RECORDED, "server": "4.0.0"}},
        "upgrade": UNDER_WAY,
    }


@pytest.mark.parametrize("state", [CHANGING, STAYING, RETURNING, RETURNED])
def test_how_far_an_upgrade_is(tmp_path: Path, state: str) -> None:
    (tmp_path / UPGRADE).write_text(json.dumps({**UNDER_WAY, "state": state}))
    assert upgrade_facts(str(tmp_path))["upgrade"]["state"] == state


@pytest.mark.parametrize("directory", ["", "nowhere", "file/below"])
def test_nothing_is_recorded_where_nothing_is(tmp_path: Path, directory: str) -> None:
    (tmp_path / "file").write_text("")
    assert upgrade_facts(str(tmp_path / directory)) == {"versions": None, "upgrade": None}


def link(path: Path) -> None:
    """A link to a file that would be a whole record."""
    (path.parent / "elsewhere").write_text(json.dumps({**RECORDED, **UNDER_WAY}))
    path.symlink_to(path.parent / "elsewhere")


#: What can lie in place of a file, and whether it counts as a record that was damaged.
IN_ITS_PLACE: list[tuple[Puts, bool]] = [
    (lambda path: path.mkdir(), False),
    (os.mkfifo, False),
    (lambda path: path.symlink_to("/nowhere"), False),
    (lambda path: path.symlink_to("/dev/zero"), False),
    (link, True),
    (lambda path: path.write_bytes(b" " * (10 << 20)), True),
    (lambda path: path.write_text(json.dumps({**RECORDED, **UNDER_WAY}) + " " * (1 << 16)), True),
    (lambda path: path.write_text(""), True),
    (lambda path: path.write_text("{"), True),
    (lambda path: path.write_bytes(b"\xff\xfe"), True),
    (lambda path: path.write_text("[" * 100_000), True),
    (lambda path: path.write_text("9" * 1000), True),
    (lambda path: path.write_text("null"), True),
    (lambda path: path.write_text("[]"), True),
    (lambda path: path.write_text('"changing"'), True),
    (lambda path: path.write_text("7"), True),
]


@pytest.mark.parametrize(("puts", "damaged"), IN_ITS_PLACE)
def test_what_lies_in_place_of_a_record_is_not_believed(tmp_path: Path, puts: Puts, damaged: bool) -> None:
    puts(tmp_path / VERSIONS)
    puts(tmp_path / UPGRADE)
    assert upgrade_facts(str(tmp_path)) == {"versions": None, "upgrade": UNKNOWN if damaged else None}
    if damaged:
        # One that cannot be read was cut off: it must not be taken for none.
        assert not isinstance(read_record(tmp_path, UPGRADE), dict)


@pytest.mark.parametrize("value", [None, True, 7, 1.5, [], {}, [["x"]], {"a": "b"}])
@pytest.mark.parametrize("name", sorted(RECORDED))
def test_a_field_of_another_kind_is_empty(tmp_path: Path, name: str, value: Any) -> None:
    (tmp_path / VERSIONS).write_text(json.dumps({**RECORDED, name: value, "previous": {**RECORDED, name: value}}))
    expected = {**RECORDED, name: ""}
    assert upgrade_facts(str(tmp_path))["versions"] == {**expected, "refused": "", "previous": expected}


@pytest.mark.parametrize("value", [None, True, 7, [], [["x"]], {}, "other"])
@pytest.mark.parametrize("name", sorted(UNDER_WAY))
def test_an_upgrade_with_a_field_of_another_kind_is_one(tmp_path: Path, name: str, value: Any) -> None:
    (tmp_path / UPGRADE).write_text(json.dumps({**UNDER_WAY, name: value}))
    found = upgrade_facts(str(tmp_path))["upgrade"]
    text = value if value == "other" else ""
    assert found == {**UNDER_WAY, name: {"state": "changing", "from": NO_SIDE, "to": NO_SIDE}.get(name, text)}


@pytest.mark.parametrize("previous", [None, True, "x", [], 7])
def test_what_ran_before_may_be_none(tmp_path: Path, previous: Any) -> None:
    (tmp_path / VERSIONS).write_text(json.dumps({**RECORDED, "previous": previous}))
    assert upgrade_facts(str(tmp_path))["versions"] == {**RECORDED, "refused": "", "previous": None}


@pytest.mark.parametrize("refused", [None, True, 7, ["x"], {"a": 1}])
def test_an_image_is_refused_by_its_identifier_alone(tmp_path: Path, refused: Any) -> None:
    (tmp_path / VERSIONS).write_text(json.dumps({**RECORDED, "refused": refused}))
    assert upgrade_facts(str(tmp_path))["versions"]["refused"] == ""


def test_texts_have_bounds(tmp_path: Path) -> None:
    (tmp_path / VERSIONS).write_text(json.dumps(dict.fromkeys(RECORDED, "x" * 5000)))
    found = upgrade_facts(str(tmp_path))["versions"]
    assert {len(found[name]) for name in RECORDED} == {500}
