# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A snapshot as an archive: what goes in comes out, for its owner alone, and nothing else does."""

from __future__ import annotations

import hashlib
import io
import stat
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from ansible_collections.inferops.xinference.plugins.module_utils._core.backup import archive
from ansible_collections.inferops.xinference.plugins.module_utils._core.backup.archive import pack, unpack
from ansible_collections.inferops.xinference.plugins.module_utils._core.backup.contents import BackupError, File, Manifest, verify

CONTENTS = {"home/auth/auth.db": b"\0" * 3000, "home/model/v2/llm/ä.json": b"{}", "host/automation": b""}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A directory that holds a snapshot."""
    folder = tmp_path / "snapshot"
    for path, content in CONTENTS.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)
    (folder / "manifest.json").write_text(manifest().text())
    return folder


def manifest() -> Manifest:
    """Of that snapshot."""
    files = [File(path, len(content), hashlib.sha256(content).hexdigest()) for path, content in CONTENTS.items()]
    return Manifest("one", "xinference", "2026-01-31T12:00:00Z", "0.1.0", "", "image", "sha256:1", "/home", files, model_files=[], warnings=[])


def write(path: Path, *entries: tuple[str, bytes]) -> None:
    """Write an archive with these files."""
    with tarfile.open(path, "w") as made:
        for name, content in entries:
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            made.addfile(entry, io.BytesIO(content))


def names(path: Path) -> list[str]:
    """The names in an archive."""
    with tarfile.open(path) as archive:
        return archive.getnames()


def refused(source: Path, folder: Path) -> str:
    """Why an archive is not taken."""
    folder.mkdir()
    with pytest.raises(BackupError) as raised:
        unpack(source, folder)
    return str(raised.value)


def test_what_goes_in_comes_out(folder: Path, tmp_path: Path) -> None:
    target, back = tmp_path / "one.tar", tmp_path / "back"
    pack(folder, manifest(), target)
    back.mkdir()
    unpack(target, back)
    assert verify(back) == manifest()
    assert {str(path.relative_to(back)): path.read_bytes() for path in back.rglob("*") if path.is_file() and path.name != "manifest.json"} == CONTENTS
    assert {stat.S_IMODE(path.stat().st_mode) for path in back.rglob("*") if path.is_file()} == {0o600}
    assert names(target) == ["manifest.json", *CONTENTS]


def test_only_what_the_manifest_names_goes_in(folder: Path, tmp_path: Path) -> None:
    (folder / "home/auth/more").write_text("x")
    pack(folder, manifest(), tmp_path / "one.tar")
    assert names(tmp_path / "one.tar") == ["manifest.json", *CONTENTS]


def readable_file(target: Path, _elsewhere: Path) -> None:
    """A file that everybody reads."""
    target.write_text("before")
    target.chmod(0o666)


def link(target: Path, elsewhere: Path) -> None:
    """A link to another file."""
    target.symlink_to(elsewhere)


def hard_link(target: Path, elsewhere: Path) -> None:
    """Another name of another file."""
    target.hardlink_to(elsewhere)


@pytest.mark.parametrize("before", [readable_file, link, hard_link, lambda target, elsewhere: target.symlink_to("nowhere")])
def test_what_lies_in_its_place_is_replaced(folder: Path, tmp_path: Path, before: Callable[[Path, Path], None]) -> None:
    target, elsewhere = tmp_path / "one.tar", tmp_path / "elsewhere"
    elsewhere.write_text("kept")
    before(target, elsewhere)
    pack(folder, manifest(), target)
    assert stat.S_IMODE(target.lstat().st_mode) == 0o600
    assert target.lstat().st_nlink == 1
    assert tarfile.is_tarfile(target)
    assert elsewhere.read_text() == "kept"
    assert not (tmp_path / "nowhere").exists()


@pytest.mark.parametrize("place", ["", "missing/one.tar"])
def test_where_it_cannot_be_written(folder: Path, tmp_path: Path, place: str) -> None:
    with pytest.raises(BackupError, match=f"the archive '{tmp_path / place}' cannot be written: "):
        pack(folder, manifest(), tmp_path / place)


def test_a_file_that_comes_twice_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "one.tar", ("home/auth/a", b"1"), ("home/auth/a", b"2"))
    assert refused(tmp_path / "one.tar", tmp_path / "back") == "it holds a file twice"
    assert (tmp_path / "back/home/auth/a").read_bytes() == b"1"


def test_a_file_that_is_a_directory_as_well_is_refused(tmp_path: Path) -> None:
    for number, names in enumerate([("home/model/a.json", "home/model/a.json/b.json"), ("home/model/a.json/b.json", "home/model/a.json")]):
        write(tmp_path / "one.tar", *((name, b"1") for name in names))
        assert refused(tmp_path / "one.tar", tmp_path / f"back{number}").startswith("it ")


def test_too_many_files_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "MOST_FILES", 2)
    entries = [("manifest.json", b"{}"), *((f"home/auth/{number}", b"") for number in range(3))]
    write(tmp_path / "one.tar", *entries[:3])
    (tmp_path / "good").mkdir()
    unpack(tmp_path / "one.tar", tmp_path / "good")
    write(tmp_path / "one.tar", *entries)
    assert refused(tmp_path / "one.tar", tmp_path / "back") == "it holds more than 2 files or 2048 MiB"
    assert not (tmp_path / "back/home/auth/2").exists()


def test_too_much_is_refused_before_it_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "MOST_BYTES", 2 << 20)
    write(tmp_path / "one.tar", ("home/auth/a", b"a" * (1 << 20)), ("home/auth/b", b"b" * (1 << 20)), ("home/auth/c", b"c"))
    assert refused(tmp_path / "one.tar", tmp_path / "back") == "it holds more than 20000 files or 2 MiB"
    assert not (tmp_path / "back/home/auth/c").exists()


def test_a_hole_of_terabytes_is_refused(tmp_path: Path) -> None:
    """In the way that GNU tar keeps files with holes."""
    entry = tarfile.TarInfo("home/auth/a")
    entry.pax_headers = {"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.realsize": str(1 << 42), "GNU.sparse.name": "home/auth/a"}
    entry.size = 512
    with tarfile.open(tmp_path / "one.tar", "w", format=tarfile.PAX_FORMAT) as made:
        made.addfile(entry, io.BytesIO(b"1\n0\n0\n".ljust(512, b"\0")))
    assert "it holds more than" in refused(tmp_path / "one.tar", tmp_path / "back")


@pytest.mark.parametrize("name", ["home/auth", "home/auth/", "x" * 5000, "home/auth/\x1b[2J", "Manifest.json", "./manifest.json", "home/auth/../../../x"])
def test_other_names_are_refused(tmp_path: Path, name: str) -> None:
    write(tmp_path / "one.tar", (name, b"1"))
    words = refused(tmp_path / "one.tar", tmp_path / "back")
    assert words.isprintable()
    assert "which no backup takes" in words
    assert list((tmp_path / "back").iterdir()) == []


def test_a_compressed_archive_is_refused(folder: Path, tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "one.tar", "w:gz") as made:
        made.add(folder / "manifest.json", "manifest.json")
    assert "it is no archive of a backup, or is damaged or cut" in refused(tmp_path / "one.tar", tmp_path / "back")


def test_a_directory_is_no_archive(tmp_path: Path) -> None:
    assert refused(tmp_path, tmp_path / "back") == "it cannot be read: Is a directory"


@pytest.mark.parametrize("at", [*range(0, 512, 37), 600, 1100, 1500])
def test_a_damaged_octet_never_ends_in_a_traceback(folder: Path, tmp_path: Path, at: int) -> None:
    pack(folder, manifest(), tmp_path / "good.tar")
    content = bytearray((tmp_path / "good.tar").read_bytes())
    for number, octet in enumerate((0x00, 0xFF, content[at] ^ 1)):
        spoilt = bytes(content[:at]) + bytes([octet]) + bytes(content[at + 1 :])
        if spoilt == bytes(content):
            continue
        (tmp_path / "one.tar").write_bytes(spoilt)
        back = tmp_path / f"back{number}"
        back.mkdir()
        # What is not used, such as the time of a file, may be damaged.
        try:
            unpack(tmp_path / "one.tar", back)
            verified = verify(back)
        except BackupError:
            continue
        assert verified.files == manifest().files
