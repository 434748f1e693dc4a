# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading what others may have written: links, pipes, devices, holes, and JSON without a bottom. The answers over HTTP are in the client's tests."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

import pytest

from ansible_collections.inferops.xinference.plugins.module_utils._core.base.bounded import (
    DEEPEST,
    DIGITS,
    NameLimit,
    entries_below,
    is_name,
    link_below,
    open_below,
    parse_json,
    read_beginning,
    read_bytes,
    read_end,
    read_json,
    read_regular,
    sha256_below,
    stat_below,
)

#: A file that lies where nobody below the base may lead.
SECRET = "root's own"


@pytest.fixture
def base(tmp_path: Path) -> Path:
    """A directory with a file in a directory, and beside it what must not be read."""
    (tmp_path / "base/folder").mkdir(parents=True)
    (tmp_path / "base/folder/file").write_text("content", encoding="utf-8")
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside/file").write_text(SECRET, encoding="utf-8")
    return tmp_path / "base"


def handles() -> int:
    """How many files this process has open."""
    return len(list(Path("/proc/self/fd").iterdir()))


# Where a file lies.


def test_a_file_below_a_folder_is_read(base: Path) -> None:
    before = handles()
    assert read_bytes(base, ["folder", "file"]) == b"content"
    assert read_bytes(base / "folder/file", []) == b"content"
    assert stat_below(base, ["folder", "file"]).st_size == 7
    assert handles() == before


def test_the_way_to_the_base_may_have_links(base: Path, tmp_path: Path) -> None:
    (tmp_path / "way").symlink_to(base)
    assert read_bytes(tmp_path / "way", ["folder", "file"]) == b"content"
    assert read_bytes(tmp_path / "way/folder/file", []) == b"content"


@pytest.mark.parametrize("target", ["../../outside/file", "file", "/etc/passwd", "nowhere"])
def test_a_link_in_place_of_a_file_is_not_followed(base: Path, target: str) -> None:
    (base / "folder/link").symlink_to(target)
    before = handles()
    for read in (read_bytes, read_json):
        with pytest.raises(OSError, match="symbolic links"):
            read(base, ["folder", "link"])
    with pytest.raises(OSError, match="symbolic links"):
        read_end(base, ["folder", "link"], 10)
    assert link_below(base, ["folder", "link"]) == target
    assert handles() == before


def test_a_link_in_place_of_a_folder_is_not_followed(base: Path, tmp_path: Path) -> None:
    (base / "link").symlink_to(tmp_path / "outside")
    (base / "folder/same").symlink_to(".")
    for parts in (["link", "file"], ["folder", "same", "file"]):
        with pytest.raises(NotADirectoryError):
            read_bytes(base, parts)
    with pytest.raises(NotADirectoryError):
        list(entries_below(base, ["link"], NameLimit()))


@pytest.mark.parametrize("name", ["", ".", "..", "../../outside/file", "folder/file", "/etc/passwd", "nul\0", "\ud800"])
def test_a_name_leads_nowhere_else(base: Path, name: str) -> None:
    assert not is_name(name)
    with pytest.raises(FileNotFoundError):
        read_bytes(base, [name])
    with pytest.raises(FileNotFoundError):
        read_bytes(base, ["folder", name, "file"])


@pytest.mark.parametrize("name", ["file", "...", "..a", "\u00e4", "\udcff", "a b"])
def test_other_names_are_names(name: str) -> None:
    assert is_name(name)


def test_what_is_not_there_is_said_so(base: Path) -> None:
    for parts in (["none"], ["none", "file"]):
        with pytest.raises(FileNotFoundError):
            read_bytes(base, parts)
    with pytest.raises(FileNotFoundError):
        read_bytes(base / "none", ["file"])
    with pytest.raises(NotADirectoryError):
        read_bytes(base, ["folder", "file", "below"])


# What it is.


def test_nobody_is_waited_for(base: Path) -> None:
    os.mkfifo(base / "pipe")
    for read in (read_bytes, read_json):
        with pytest.raises(OSError, match="it is no regular file"):
            read(base, ["pipe"])
    with pytest.raises(OSError, match="it is no regular file"):
        read_end(base, ["pipe"], 10)
    with pytest.raises(IsADirectoryError):
        read_bytes(base, ["folder"])


def test_a_device_is_not_even_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    """Some begin to work when they are opened."""
    opened: list[int] = []
    real = os.open

    def spy(path: str, flags: int, *arguments: int, **options: int) -> int:
        opened.append(flags)
        return real(path, flags, *arguments, **options)

    monkeypatch.setattr(os, "open", spy)
    with pytest.raises(OSError, match="it is no regular file"):
        read_bytes("/dev", ["zero"])
    assert len(opened) == 2
    assert all(flags & os.O_PATH for flags in opened)


# How much.


def test_a_file_has_its_limit(base: Path) -> None:
    assert read_bytes(base, ["folder", "file"], 7) == b"content"
    with pytest.raises(OSError, match="it has more than 6 bytes"):
        read_bytes(base, ["folder", "file"], 6)


def test_a_hole_is_not_read(base: Path) -> None:
    """It costs who makes it nothing, and who reads it all of its size."""
    os.truncate(base / "folder/file", 1 << 40)
    for read in (read_bytes, read_json):
        with pytest.raises(OSError, match="it has more than 16777216 bytes"):
            read(base, ["folder", "file"])
    assert read_end(base, ["folder", "file"], 3) == b"\0\0\0"


@pytest.mark.parametrize(("limit", "since", "end"), [(9, 0, b"content"), (3, 0, b"ent"), (9, 5, b"nt"), (3, 1, b"ent"), (9, 7, b""), (9, 8, b"content")])
def test_of_the_end_as_much_as_is_wanted(base: Path, limit: int, since: int, end: bytes) -> None:
    assert read_end(base, ["folder", "file"], limit, since) == end


def test_text_of_a_file_and_nothing_else(tmp_path: Path) -> None:
    place, other = tmp_path / "file", tmp_path / "other"
    place.write_text("text", encoding="utf-8")
    assert read_regular(place) == "text"
    assert read_regular(place, 4) == "text"
    with pytest.raises(OSError, match="it has more than 3 bytes"):
        read_regular(place, 3)
    other.symlink_to(place)
    with pytest.raises(OSError, match="symbolic links"):
        read_regular(other)
    other.unlink()
    os.mkfifo(other)
    with pytest.raises(OSError, match="no regular file"):
        read_regular(other)
    with pytest.raises(FileNotFoundError):
        read_regular(tmp_path / "none")
    place.write_bytes(b"\xff")
    with pytest.raises(UnicodeDecodeError):
        read_regular(place)


# Directories.


def test_everything_in_a_folder_is_found_and_no_link_is_followed(base: Path, tmp_path: Path) -> None:
    (base / "folder/deep/deeper").mkdir(parents=True)
    (base / "folder/deep/deeper/last").write_text("x", encoding="utf-8")
    (base / "folder/deep/up").symlink_to("..")
    (base / "folder/out").symlink_to(tmp_path / "outside")
    before = handles()
    found = sorted("/".join(names) for names, _entry in entries_below(base, ["folder"], NameLimit()))
    assert found == ["deep", "deep/deeper", "deep/deeper/last", "deep/up", "file", "out"]
    assert handles() == before


@pytest.mark.parametrize(("most", "enough"), [(5, True), (4, False)])
def test_only_so_many_names_are_read(base: Path, most: int, enough: bool) -> None:
    """One on the way to the directory, two in it, and two on the way to the empty one in it."""
    (base / "folder/empty").mkdir()
    looks = NameLimit(most)
    if enough:
        assert len(list(entries_below(base, ["folder"], looks))) == 2
        assert looks.remaining == 0
    else:
        with pytest.raises(OSError, match="there are too many names to read"):
            list(entries_below(base, ["folder"], looks))


def test_a_folder_of_any_depth_comes_to_an_end(base: Path) -> None:
    """Each directory counts for all names on the way to it."""
    handle = os.open(base, os.O_RDONLY)
    for _level in range(700):
        os.mkdir("d", dir_fd=handle)
        inner = os.open("d", os.O_RDONLY, dir_fd=handle)
        os.close(handle)
        handle = inner
    os.close(handle)
    before = handles()
    with pytest.raises(OSError, match="there are too many names to read"):
        list(entries_below(base, [], NameLimit()))
    assert handles() == before


def test_what_goes_meanwhile_is_left_out(base: Path) -> None:
    (base / "folder/gone").mkdir()
    entries = entries_below(base, [], NameLimit())
    assert next(entries)[0] == ("folder",)
    (base / "folder/gone").rmdir()
    assert [names for names, _entry in entries] == [("folder", "file")]
    with pytest.raises(FileNotFoundError):
        list(entries_below(base, ["none"], NameLimit()))


def test_a_handle_is_closed_when_whoever_has_it_fails(base: Path) -> None:
    before = handles()
    with pytest.raises(ZeroDivisionError), open_below(base, ["folder"]):
        raise ZeroDivisionError
    assert handles() == before


# JSON.


@pytest.mark.parametrize("text", ["[" * 200_000, "[" * 200_000 + "]" * 200_000, '{"a":' * 200_000, '[{"a":' * 100_000 + "1" + "}]" * 100_000])
def test_json_has_a_bottom(base: Path, text: str) -> None:
    with pytest.raises(ValueError, match=r"nested too deep|Expecting"):
        parse_json(text)
    (base / "folder/file").write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=r"nested too deep|Expecting"):
        read_json(base, ["folder", "file"])


@pytest.mark.parametrize(("left", "right"), [("[", "]"), ('{"a":', "}")])
def test_how_deep_it_may_be(left: str, right: str) -> None:
    whole = left * DEEPEST + "1" + right * DEEPEST
    assert json.dumps(parse_json(whole)) == whole.replace(":", ": ")
    with pytest.raises(ValueError, match="it is nested too deep"):
        parse_json(left + whole + right)
    # Side by side is not in each other.
    assert len(parse_json("[" + ",".join(["[]"] * 10_000) + "]")) == 10_000


def test_numbers_have_their_length() -> None:
    assert parse_json("[1, -2, 3.5, true, null]") == [1, -2, 3.5, True, None]
    assert float(parse_json("9" * DIGITS)) > 1e299
    with pytest.raises(ValueError, match="too many digits"):
        parse_json("9" * (DIGITS + 1))


@pytest.mark.parametrize("text", ["", "{", "nonsense", '{"a": 1} b'])
def test_what_is_no_json_is_said_so(text: str) -> None:
    with pytest.raises(ValueError, match=r"Expecting|Extra data"):
        parse_json(text)


# The beginning of a file, and its checksum.


def test_the_beginning_of_a_file(base: Path) -> None:
    assert read_beginning(base, ["folder", "file"], 3) == b"con"
    assert read_beginning(base, ["folder", "file"], 100) == b"content"
    os.truncate(base / "folder/file", 1 << 40)
    assert read_beginning(base, ["folder", "file"], 10) == b"content\0\0\0"


def test_the_sha256_of_a_file(base: Path) -> None:
    content = bytes(range(256)) * 10_000
    (base / "large").write_bytes(content)
    assert sha256_below(base, ["large"]) == hashlib.sha256(content).hexdigest()
    (base / "empty").touch()
    assert sha256_below(base, ["empty"]) == hashlib.sha256(b"").hexdigest()


def test_neither_follows_a_link_or_waits_for_a_pipe(base: Path) -> None:
    (base / "link").symlink_to("../outside/file")
    os.mkfifo(base / "pipe")
    before = handles()
    for name, words in (("link", "symbolic links"), ("pipe", "no regular file"), ("folder", "directory"), ("none", "No such file")):
        with pytest.raises(OSError, match=words):
            read_beginning(base, [name], 10)
        with pytest.raises(OSError, match=words):
            sha256_below(base, [name])
    assert handles() == before
